"""What the questions of this lesson claim, played on the simulator and on the wire."""

import base64
import hashlib
import hmac
import json
import os
import zlib
from functools import cache

import boto3
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse import attempts, tls
from kmscourse.exam.proofs import Outcome, proof, tried

RECORD = b'{"patient": "4711", "diagnosis": "type 2 diabetes"}'
HOST = "records.clinic.example"
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


def overheard(body, *, over_tls=False):
    """What an eavesdropper hears of a sent request with this body, and what the server receives."""
    listener = tls.Eavesdropper()
    said = {"request": b"PUT /4711 HTTP/1.1\r\n\r\n" + body, "response": b"HTTP/1.1 204\r\n\r\n"}
    if not over_tls:
        received = tls.converse_in_the_clear(pipe=listener, **said).received_by_server
    else:
        ca = tls.CertificateAuthority("Clinic CA", key_type="ed25519")
        browser, server = tls.Client(HOST, trust=ca), tls.Server(ca.issue(HOST))
        talk = tls.converse(client=browser, server=server, pipe=listener, **said)
        received = talk.server.received
    sent = b"".join(flight.data for flight in listener.heard if flight.sender == tls.CLIENT)
    return sent, received


def allowed(aws, user, *actions):
    """A session of a user whom IAM allows some actions."""
    session = aws.session(user)
    allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    boto3.client("iam").put_user_policy(
        UserName=user,
        PolicyName="work",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allow}),
    )
    return session


@cache
def everyone():
    """All attempts to read the record, made once: they are the same for each option."""
    return attempts.by_everyone(RECORD)


def tried_by(who, *measures):
    """The attempt of somebody where just these measures are taken."""
    [found] = [
        each
        for each in everyone()
        if each.who == who and {measure.name for measure in each.measures} == set(measures)
    ]
    return found


WHO = {
    "operator": "Cloud operator",
    "administrator": "Database administrator",
    "eavesdropper": "Eavesdropper",
    "disk": "Stolen disk",
    "backup": "Stolen backup",
}


def told(attempt):
    """What was seen in an attempt, in a sentence."""
    ending = "the record was in it" if attempt.reads else "the record was not in it"
    refused = f" ({attempt.error})" if attempt.error else ""
    return f"{attempt.tried}: {len(attempt.seen):,} bytes were seen, {ending}{refused}."


@proof("places-public-wifi")
def public_wifi(aws, case):
    """A record is sent in four ways, with an eavesdropper on the wire who knows Base64."""
    body = RECORD
    if case == "signed":
        body = RECORD + ed25519.Ed25519PrivateKey.generate().sign(RECORD)
    if case == "base64":
        body = base64.b64encode(RECORD)
    heard, received = overheard(body, over_tls=case == "tls")
    if case == "at-rest":
        kms, s3 = boto3.client("kms"), boto3.client("s3")
        s3.create_bucket(Bucket="records")
        s3.put_object(
            Bucket="records",
            Key="4711",
            Body=received.partition(b"\r\n\r\n")[2],
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=kms.create_key()["KeyMetadata"]["KeyId"],
        )
    last = heard.partition(b"\r\n\r\n")[2]
    read = RECORD in heard or RECORD in (tried(base64.b64decode, last).answer or b"")
    seen = "the record among them" if read else "the record not among them"
    return Outcome(holds=not read, seen=f"The guest copied {len(heard):,} bytes, {seen}.")


@proof("places-where-plaintext")
def where_plaintext(aws, case):
    """With TLS and storage encryption, the record is looked for at five points."""
    found = tried_by(WHO[case], "In flight", "At rest")
    return Outcome(holds=found.reads, seen=told(found))


@proof("places-storage-encryption-stops")
def storage_encryption_stops(aws, case):
    """With storage encryption alone, five people try to read the record."""
    before, found = tried_by(WHO[case]), tried_by(WHO[case], "At rest")
    return Outcome(holds=before.reads and not found.reads, seen=told(found))


@proof("places-encrypted-yet-read")
def encrypted_yet_read(aws, case):
    """An object under SSE-S3 is looked at on the disk, in the raw answer, and by the program."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="records")
    s3.put_object(Bucket="records", Key="4711", Body=RECORD)
    on_disk = bytes(aws.stored("s3", "records", "4711"))
    client = allowed(aws, "program", "s3:GetObject").client("s3")
    answer = tried(client.get_object, Bucket="records", Key="4711")
    body = answer.answer["Body"].read() if answer.ok else b""
    if case == "sdk-decrypts":
        where = {"Bucket": "records", "Key": "4711"}
        plain_http = requests.get(client.generate_presigned_url("get_object", Params=where))
        hidden = RECORD not in plain_http.content
        seen = f"Fetched without any SDK, the answer was {plain_http.content!r}."
        return Outcome(holds=hidden, seen=seen)
    if case == "metadata-only":
        lies_open = RECORD in on_disk
        return Outcome(holds=lies_open, seen=f"The content lies open on the disk: {lies_open}.")
    if case == "at-first-read":
        kind = aws.stored("s3", "records", "4711").sse
        s3.put_object(Bucket="records", Key="unread", Body=RECORD)
        lies_open = RECORD in bytes(aws.stored("s3", "records", "unread"))
        return Outcome(holds=lies_open, seen=f"Stored with {kind} before anyone had read it.")
    read = body == RECORD and RECORD not in on_disk
    return Outcome(holds=read, seen=f"On the disk: ciphertext. The program got {body!r}.")


@proof("places-diagnosis-column")
def diagnosis_column(aws, case):
    """A diagnosis is inserted in four ways, and the database administrator queries the table."""
    kms, rds = boto3.client("kms"), boto3.client("rds")
    account = f"arn:aws:iam::{aws.account_id}"
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    without = {
        "Effect": "Deny",
        "Principal": {"AWS": f"{account}:user/dba"},
        "Action": "kms:*",
        "Resource": "*",
    }
    aws.session("dba")
    statements = [statement, without] if case == "key-policy" else [statement]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    encrypted = case in ("storage-encryption", "key-policy")
    named = {
        "StorageEncrypted": True,
        "KmsKeyId": kms.create_key(Policy=policy)["KeyMetadata"]["Arn"],
    }
    rds.create_db_instance(
        DBInstanceIdentifier="clinic",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="dba",
        MasterUserPassword="a-long-password",
        **(named if encrypted else {}),
    )
    value = RECORD
    if case == "in-the-application":
        nonce = os.urandom(12)
        value = nonce + AESGCM(os.urandom(32)).encrypt(nonce, RECORD, b"4711")
    database = aws.database("clinic")
    database.execute("CREATE TABLE records (patient TEXT, diagnosis BLOB)")
    database.execute("INSERT INTO records VALUES ('4711', ?)", (value,))
    database.commit()
    [(got,)] = database.execute("SELECT diagnosis FROM records").fetchall()
    if case == "tls-to-the-database":
        _, got = overheard(got, over_tls=True)
    read = RECORD in got
    word = "the diagnosis" if read else "ciphertext"
    return Outcome(holds=not read, seen=f"The administrator's query gave {word}.")


@proof("places-never-the-plaintext")
def never_the_plaintext(aws, case):
    """A result is uploaded in five ways, and the request that Amazon S3 receives is searched."""
    kms, s3 = boto3.client("kms"), boto3.client("s3")
    s3.create_bucket(Bucket="results")
    key, nonce = os.urandom(32), os.urandom(12)
    kms_key = kms.create_key()["KeyMetadata"]["KeyId"]
    body, more = RECORD, {}
    if case == "own-key-first":
        body = nonce + AESGCM(key).encrypt(nonce, RECORD, None)
    elif case == "data-key-first":
        made = kms.generate_data_key(KeyId=kms_key, KeySpec="AES_256")
        sealed = AESGCM(made["Plaintext"]).encrypt(nonce, RECORD, None)
        body = made["CiphertextBlob"] + nonce + sealed
    elif case == "sse-c":
        s3.put_bucket_encryption(
            Bucket="results",
            ServerSideEncryptionConfiguration={
                "Rules": [{"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}]
            },
        )
        more = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    else:
        kind = {"sse-kms": "aws:kms", "dsse-kms": "aws:kms:dsse"}[case]
        more = {"ServerSideEncryption": kind, "SSEKMSKeyId": kms_key}
    asked = []
    s3.meta.events.register(
        "before-send.s3.PutObject",
        lambda request, **_: asked.append(_whole(request.body)),
    )
    stored = tried(s3.put_object, Bucket="results", Key="4711", Body=body, **more)
    received = b"".join(asked)
    kept = stored.ok and bool(received) and RECORD not in received
    word = "ciphertext" if kept else "the plaintext"
    return Outcome(holds=kept, seen=f"The request to Amazon S3 carried {word}. {stored.words}")


def _whole(body):
    """The bytes of a request, which are needed again afterwards."""
    if not hasattr(body, "read"):
        return bytes(body or b"")
    data = body.read()
    body.seek(0)
    return data


@proof("places-base64-password")
def base64_password(aws, case):
    """Someone who sees the settings tries to get at the password."""
    password = b"correct horse battery staple"
    kms = boto3.client("kms")
    nosy = allowed(aws, "nosy", "lambda:GetFunctionConfiguration").client("kms")
    if case == "kms":
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        setting = kms.encrypt(KeyId=key, Plaintext=password)["CiphertextBlob"]
        asked = tried(nosy.decrypt, CiphertextBlob=setting)
        hidden = not asked.ok and password not in setting
        return Outcome(holds=hidden, seen=f"KMS answered {asked.code or 'with the password'}.")
    if case == "twice":
        setting = base64.b64encode(base64.b64encode(password)[::-1])
        found = base64.b64decode(base64.b64decode(setting)[::-1])
    elif case == "salt":
        setting = base64.b64encode(os.urandom(16) + password)
        found = base64.b64decode(setting)
    else:
        setting = base64.b64encode(password + hashlib.sha256(password).digest())
        found = base64.b64decode(setting)
    hidden = password not in found
    word = "not" if hidden else "there"
    return Outcome(holds=hidden, seen=f"Decoded without any key, the password was {word}.")


@proof("places-changed-dose")
def changed_dose(aws, case):
    """A tester who knows the form turns over bits of an encrypted dose, and a pump opens it."""
    dose, wanted = b"insulin: 10 units", b"insulin: 90 units"
    turned = bytes(a ^ b for a, b in zip(dose, wanted, strict=True))
    key = os.urandom(32 if case == "longer-key" else 16)
    if case == "gcm":
        nonce = os.urandom(12)
        sealed = AESGCM(key).encrypt(nonce, dose, None)
        forged = bytes(a ^ b for a, b in zip(sealed, turned, strict=False)) + sealed[len(dose) :]
        opened = tried(AESGCM(key).decrypt, nonce, forged, None)
        return Outcome(holds=not opened.ok, seen=f"The pump gave {opened.code or opened.answer}.")
    if case == "crc":
        # CRC-32 is linear: the change of the sum is known from the change of the text alone.
        change = zlib.crc32(turned) ^ zlib.crc32(bytes(len(turned)))
        turned += change.to_bytes(4, "big")
        dose += zlib.crc32(dose).to_bytes(4, "big")
    counters = [os.urandom(16) for _ in range(2)] if case == "new-nonce" else [bytes(16)]
    cipher = Cipher(algorithms.AES(key), modes.CTR(counters[-1]))
    sealed = cipher.encryptor().update(dose)
    opened = cipher.decryptor().update(bytes(a ^ b for a, b in zip(sealed, turned, strict=True)))
    text, checksum = opened[: len(wanted)], opened[len(wanted) :]
    accepted = not checksum or zlib.crc32(text) == int.from_bytes(checksum, "big")
    refused = not (accepted and text == wanted)
    return Outcome(holds=refused, seen=f"The pump read {text!r} and found nothing wrong.")


@proof("places-swapped-files")
def swapped_files(aws, case):
    """Two sealed files are exchanged in the storage, with all that is stored beside them."""
    key = os.urandom(32)
    files = {"4711": b"4711: type 2 diabetes", "4712": b"4712: healthy"}
    stored = {}
    for patient, text in sorted(files.items()):
        nonce = os.urandom(12)
        if case == "number-in-nonce":
            nonce = patient.encode() + os.urandom(8)
        associated = patient.encode() if case == "associated-data" else None
        sealed = AESGCM(key).encrypt(nonce, text, associated)
        stored[patient] = nonce, sealed, hashlib.sha256(sealed).digest()
    stored["4711"], stored["4712"] = stored["4712"], stored["4711"]
    nonce, sealed, checksum = stored["4711"]
    associated = b"4711" if case == "associated-data" else None
    opened = tried(AESGCM(key).decrypt, nonce, sealed, associated)
    fits = hashlib.sha256(sealed).digest() == checksum
    noticed = not opened.ok or not fits
    return Outcome(holds=noticed, seen=f"For 4711 came {opened.code or opened.answer}.")


@proof("places-nonce-twice")
def nonce_twice(aws, case):
    """Two readings are sealed under one key and one nonce, and an observer works on them."""
    key, nonce = os.urandom(32), os.urandom(12)
    one, two = b"pulse 071, 14:05", b"pulse 143, 14:06"
    first, second = (AESGCM(key).encrypt(nonce, text, None) for text in (one, two))
    mixed = bytes(a ^ b for a, b in zip(first[:16], second[:16], strict=True))
    if case == "differences":
        places = [at for at in range(16) if mixed[at]]
        right = places == [at for at in range(16) if one[at] != two[at]]
        return Outcome(holds=right, seen=f"The ciphertexts differ at {places}, as the readings do.")
    if case == "known-plaintext":
        found = bytes(a ^ b for a, b in zip(mixed, one, strict=True))
        return Outcome(holds=found == two, seen=f"From {one!r} the observer worked out {found!r}.")
    if case == "key":
        stream = bytes(a ^ b for a, b in zip(first[:16], one, strict=True))
        opened = tried(AESGCM(stream).decrypt, nonce, second, None)
        return Outcome(
            holds=stream in key or opened.ok,
            seen=f"What was worked out is 16 bytes of key stream; as a key it gave {opened.code}.",
        )
    if case == "cannot-open":
        opened = tried(AESGCM(key).decrypt, nonce, second, None)
        return Outcome(holds=not opened.ok, seen=f"The receiver opened {opened.answer!r}.")
    opened = tried(AESGCM(key).decrypt, nonce, bytes([second[0] ^ 1]) + second[1:], None)
    return Outcome(holds=opened.ok, seen=f"The receiver got {opened.code or opened.answer}.")


@proof("places-letters-from-many")
def letters_from_many(aws, case):
    """One practice seals a finding with what was handed out, and another tries to open it."""
    finding = b"4711: HbA1c 7.9 per cent"
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if case == "aes-key":
        handed_out, nonce = AESGCM(os.urandom(32)), os.urandom(12)
        sealed = handed_out.encrypt(nonce, finding, None)
        opened = tried(handed_out.decrypt, nonce, sealed, None)
        fits = not opened.ok
    elif case == "signature":
        handed_out = private.sign(b"the clinic", padding.PKCS1v15(), hashes.SHA256())
        opened = tried(AESGCM, handed_out)  # bytes, but are they a key that seals?
        fits = opened.ok
    elif case == "private-key":
        sealed = private.public_key().encrypt(finding, OAEP)
        opened = tried(private.decrypt, sealed, OAEP)
        fits = not opened.ok
    else:
        handed_out = private.public_key()
        sealed = handed_out.encrypt(finding, OAEP)
        fits = not hasattr(handed_out, "decrypt") and private.decrypt(sealed, OAEP) == finding
        return Outcome(
            holds=fits, seen="A public key has no way to decrypt; the clinic's opened it."
        )
    got = opened.code if not opened.ok else opened.answer
    return Outcome(holds=fits, seen=f"With what was handed out, another practice got {got!r}.")


@proof("places-long-letter")
def long_letter(aws, case):
    """A scan is encrypted in four ways; of a tenth of a megabyte, which is too long already."""
    scan, nonce = os.urandom(100_000), os.urandom(12)
    size = 4096 if case == "longer-rsa" else 2048
    private = rsa.generate_private_key(public_exponent=65537, key_size=size)
    if case in ("longer-rsa", "compress"):
        letter = zlib.compress(scan, 9) if case == "compress" else scan
        sent = tried(private.public_key().encrypt, letter, OAEP)
        seen = f"RSA was given {len(letter):,} bytes: {sent.words or 'it took them'}."
        return Outcome(holds=sent.ok, seen=seen)
    key = AESGCM.generate_key(bit_length=256)
    sealed = AESGCM(key).encrypt(nonce, scan, None)
    wrapped = private.public_key().encrypt(key, OAEP) if case == "both" else key
    _, received = overheard(wrapped + sealed, over_tls=True)
    if case == "both":
        opened = AESGCM(private.decrypt(wrapped, OAEP)).decrypt(nonce, sealed, None)
        only_the_clinic = opened == scan and key not in received
    else:
        only_the_clinic = key not in received
    seen = "What ends the TLS connection received no key" if only_the_clinic else "It had the key"
    return Outcome(holds=only_the_clinic, seen=f"{seen}, and {len(sealed):,} bytes of ciphertext.")


@proof("places-genuine-notice")
def genuine_notice(aws, case):
    """A pharmacy makes up a notice, with all that pharmacies have, and another one checks it."""
    genuine, made_up = b"4711: 10 units", b"4711: 90 units"
    clinic = ed25519.Ed25519PrivateKey.generate()
    pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    shared = os.urandom(32)
    if case == "signature":
        proven = tried(clinic.public_key().verify, clinic.sign(genuine), genuine)
        forged = tried(
            clinic.public_key().verify, ed25519.Ed25519PrivateKey.generate().sign(made_up), made_up
        )
        safe = proven.ok and not forged.ok
        return Outcome(holds=safe, seen=f"The genuine one passed, the other gave {forged.code}.")
    if case == "hmac":
        added = hmac.digest(shared, made_up, "sha256")
        accepted = hmac.compare_digest(added, hmac.digest(shared, made_up, "sha256"))
    elif case == "hash":
        added = hashlib.sha256(made_up).digest()
        accepted = added == hashlib.sha256(made_up).digest()
    else:
        added = pair.public_key().encrypt(made_up, OAEP)
        accepted = pair.decrypt(added, OAEP) == made_up
    word = "accepted" if accepted else "refused"
    return Outcome(holds=not accepted, seen=f"The notice that a pharmacy made up was {word}.")


@proof("places-three-readers")
def three_readers(aws, case):
    """Three people try to read the record under one choice of measures."""
    measures = {
        "on-the-client": ["On the client"],
        "at-rest": ["At rest"],
        "in-flight": ["In flight"],
        "in-flight-and-at-rest": ["In flight", "At rest"],
    }[case]
    three = ("Eavesdropper", "Database administrator", "Leaked IAM key: administrator")
    readers = [who for who in three if tried_by(who, *measures).reads]
    return Outcome(holds=not readers, seen=f"Readers: {', '.join(readers) or 'none of them'}.")
