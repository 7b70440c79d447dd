"""The tasks of lab 01: what each asks, how it is checked, and what helps."""

import json
import os
from functools import cache

import boto3
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse import tls
from kmscourse.lab import Wrong, task

PATIENT, OTHER = "4711", "4712"
NONCE = 12


def _result(patient=PATIENT):
    return json.dumps({"patient": patient, "note": os.urandom(8).hex()}).encode()


def _opens(key, sealed, associated):
    """What is in a sealed result, opened by the check itself; None where it does not open."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], associated)
    except Exception:
        return None


def _sealed(key, result, patient):
    nonce = os.urandom(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, result, patient.encode())


_SEAL = """def seal(key, result, patient):
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, result, patient.encode())"""


@task(
    "seal",
    minutes=4,
    practises=["01.symmetric", "01.authenticated"],
    asks="`seal(key, result, patient)`: nonce and ciphertext in one piece of bytes",
    hints=[
        "Which three things does AES-GCM want besides the key, and which of them must be new each time?",
        "os.urandom(12) makes a nonce. AESGCM(key).encrypt(nonce, plaintext, associated_data): the third is "
        "patient.encode(). Bytes are joined with +.",
        "nonce = os.urandom(12); return nonce + AESGCM(key).encrypt(nonce, result, patient.encode())",
    ],
    why="Nonce and tag may travel in the open. Only the key is secret, and whoever reads must have it.",
    wrong=[
        Wrong(_SEAL.replace("os.urandom(12)", "bytes(12)"), says="The nonce is the same each time"),
        Wrong(
            _SEAL.replace("patient.encode())", "None)"),
            says="The result opens without the patient's number",
        ),
        Wrong(
            _SEAL.replace("return nonce + AESGCM", "return AESGCM"),
            says="does not begin with the nonce",
        ),
        Wrong(
            "import base64\n\ndef seal(key, result, patient):\n    return base64.b64encode(result)",
            says="Anyone can read the result in it",
        ),
        Wrong(
            _SEAL.replace("AESGCM(key)", "AESGCM(AESGCM.generate_key(bit_length=256))"),
            says="It does not open with the key that was passed",
        ),
        Wrong(_SEAL.replace("return nonce + ", "return nonce, "), says="joined with `+`"),
        Wrong(_SEAL.replace("urandom(12)", "urandom(16)"), says="12 bytes of nonce, then"),
        Wrong(
            _SEAL.replace("return nonce + ", "return ") + " + nonce",
            says="The nonce stands at the end",
        ),
        Wrong(
            _SEAL.replace("patient.encode()", 'b"patient " + patient.encode()'),
            says="More than the patient's number is bound to it",
        ),
        Wrong(
            _SEAL.replace("patient.encode()", 'b"4711"'),
            says="It is bound to patient 4711, but this is a result of patient 4712",
        ),
    ],
    also_right=[
        "def seal(key, result, patient):\n"
        "    sealed = bytearray(os.urandom(12))\n"
        "    sealed += AESGCM(key).encrypt(bytes(sealed), result, patient.encode())\n"
        "    return sealed",
        "from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes\n\n"
        "def seal(key, result, patient):\n"
        "    nonce = os.urandom(12)\n"
        "    encryptor = Cipher(algorithms.AES(key), modes.GCM(nonce)).encryptor()\n"
        "    encryptor.authenticate_additional_data(bytes(patient, 'ascii'))\n"
        "    sealed = encryptor.update(result) + encryptor.finalize()\n"
        "    return b''.join((nonce, sealed, encryptor.tag))",
    ],
)
def seal(work):
    key, result = AESGCM.generate_key(bit_length=256), _result(OTHER)
    seal = work.function("seal")
    sealed, again = (work.call(seal, key, result, OTHER) for _ in range(2))
    work.expect(
        isinstance(sealed, bytes | bytearray),
        "Return one piece of bytes: nonce and ciphertext, joined with `+`.",
    )
    work.expect(
        not work.holds(sealed, result),
        "Anyone can read the result in it, without any key: nothing was encrypted.",
    )
    associated = OTHER.encode()
    size = NONCE + len(result) + 16
    work.expect(
        len(sealed) != size - NONCE,
        "It does not begin with the nonce: how should the ward know it? Put the 12 bytes in front.",
    )
    work.expect(
        len(sealed) == size,
        f"In one piece: 12 bytes of nonce, then what AES-GCM gives. That makes {size} bytes for this "
        f"result, not {len(sealed)}.",
    )
    work.expect(
        _opens(key, sealed, None) != result,
        "The result opens without the patient's number. Give it to AES-GCM as the third argument.",
    )
    work.expect(
        sealed[:NONCE] != again[:NONCE],
        "The nonce is the same each time. Under one key that shows where two results differ. "
        "os.urandom(12) makes a new one.",
    )
    work.expect(
        _opens(key, sealed[-NONCE:] + sealed[:-NONCE], associated) != result,
        "The nonce stands at the end. The ward looks for it in front.",
    )
    work.expect(
        _opens(key, sealed, PATIENT.encode()) != result,
        f"It is bound to patient {PATIENT}, but this is a result of patient {OTHER}. Use the `patient` "
        "that was passed.",
    )
    work.expect(
        not any(_opens(key, sealed, f"patient {each}".encode()) for each in (PATIENT, OTHER)),
        "More than the patient's number is bound to it. `patient.encode()` is all that the ward has.",
    )
    work.expect(
        _opens(key, sealed, associated) == result,
        "It does not open with the key that was passed, the first 12 bytes as the nonce, and the "
        "patient's number as associated data.",
    )


_OPEN = """def open_sealed(key, sealed, patient):
    return AESGCM(key).decrypt(sealed[:12], sealed[12:], patient.encode())"""


@task(
    "open",
    minutes=2,
    practises=["01.symmetric", "01.authenticated"],
    asks="`open_sealed(key, sealed, patient)`: the result, as bytes",
    hints=[
        "Where does the nonce end and the ciphertext begin?",
        "sealed[:12] is the nonce, sealed[12:] the rest. decrypt takes the same three things as encrypt.",
        "return AESGCM(key).decrypt(sealed[:12], sealed[12:], patient.encode())",
    ],
    why="The ward need not check anything by itself: AES-GCM gives the result as it was, or an error.",
    wrong=[
        Wrong(
            "def open_sealed(key, sealed, patient):\n"
            "    try:\n"
            "        return AESGCM(key).decrypt(sealed[:12], sealed[12:], patient.encode())\n"
            "    except Exception:\n"
            "        return None",
            says="A changed result was opened without an error",
        ),
        Wrong(
            _OPEN.replace("patient.encode()", 'b"4711"'),
            says="A result of patient 4711 was opened as one of patient 4712",
        ),
        Wrong(
            "from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes\n\n"
            "def open_sealed(key, sealed, patient):\n"
            "    counter = sealed[:12] + (2).to_bytes(4, 'big')\n"
            "    cipher = Cipher(algorithms.AES(key), modes.CTR(counter))\n"
            "    return cipher.decryptor().update(sealed[12:-16])",
            says="The tag is not looked at",
        ),
        Wrong(
            "def open_sealed(key, sealed, patient):\n    return sealed[12:]",
            says="This is not the result",
        ),
        Wrong(_OPEN + ".decode()", says="This is the result, but not as the bytes"),
        Wrong(_OPEN.replace("return ", "print(") + ")", says="Return the result"),
        Wrong(
            "def open_sealed(key, sealed, patient):\n"
            "    try:\n"
            "        return AESGCM(key).decrypt(sealed[:12], sealed[12:], patient.encode())\n"
            "    except Exception:\n"
            "        return AESGCM(key).decrypt(sealed[:12], sealed[12:], None)",
            says="bound to no patient at all",
        ),
    ],
    also_right=[
        "def open_sealed(key, sealed, patient):\n"
        "    nonce, ciphertext = sealed[:12], sealed[12:]\n"
        "    cipher = AESGCM(key)\n"
        "    return cipher.decrypt(nonce, data=ciphertext, associated_data=patient.encode('ascii'))"
    ],
)
def open_(work):
    key, result = AESGCM.generate_key(bit_length=256), _result()
    sealed, open_sealed = _sealed(key, result, PATIENT), work.function("open_sealed")
    opened = work.call(open_sealed, key, sealed, PATIENT)
    work.expect(opened is not None, "Return the result.")
    work.expect(
        opened not in (result.decode(), json.loads(result)),
        "This is the result, but not as the bytes that were sealed. Return what AES-GCM gives, as it is.",
    )
    work.expect(opened == result, "This is not the result that was sealed.")
    changed = bytearray(sealed)
    changed[NONCE] ^= 1
    answer = None

    def of_changed():
        nonlocal answer
        answer = open_sealed(key, bytes(changed), PATIENT)
        return answer

    if not work.refuses(of_changed):
        work.expect(
            not isinstance(answer, bytes),
            "The tag is not looked at: with one bit changed it opened to another result.",
        )
        work.fail(
            "A changed result was opened without an error. If AES-GCM refused and your function kept "
            "it to itself: let the error through."
        )
    for at in (0, -1):
        changed = bytearray(sealed)
        changed[at] ^= 1
        work.expect(
            work.refuses(open_sealed, key, bytes(changed), PATIENT),
            f"A change in byte {at} of the sealed result went unnoticed.",
        )
    work.expect(
        work.refuses(open_sealed, key, sealed, OTHER),
        "A result of patient 4711 was opened as one of patient 4712: the number that was passed is "
        "not used.",
    )
    nonce = os.urandom(NONCE)
    unbound = nonce + AESGCM(key).encrypt(nonce, result, None)
    work.expect(
        work.refuses(open_sealed, key, unbound, PATIENT),
        "A result that is bound to no patient at all was opened as one of patient 4711.",
    )


_FORGE = """def forge(ciphertext, position, was, becomes):
    forged = bytearray(ciphertext)
    for i in range(len(was)):
        forged[position + i] ^= was[i] ^ becomes[i]
    return bytes(forged)"""


@task(
    "forge",
    minutes=4,
    practises=["01.authenticated", "01.what-is-encryption"],
    asks="`forge(ciphertext, position, was, becomes)`: another ciphertext",
    hints=[
        "In counter mode, which bit of the plaintext turns over with a bit of the ciphertext?",
        "Ciphertext is plaintext ^ keystream. You know the plaintext at that place: turn over the bits in "
        "which `was` and `becomes` differ. bytearray(ciphertext) can be changed byte by byte.",
        "forged = bytearray(ciphertext); then for i in range(len(was)): forged[position + i] ^= was[i] ^ "
        "becomes[i]; return bytes(forged)",
    ],
    why="You never had the key. Encryption without a tag hides a message and lets anyone rewrite it.",
    wrong=[
        Wrong(
            "def forge(ciphertext, position, was, becomes):\n"
            "    return ciphertext.replace(was, becomes)",
            says="Nothing was changed",
        ),
        Wrong(
            "def forge(ciphertext, position, was, becomes):\n"
            "    return ciphertext[:position] + becomes + ciphertext[position + len(becomes):]",
            says="You wrote plaintext into the ciphertext",
        ),
        Wrong(
            _FORGE.replace("range(len(was))", "range(1)"),
            says="Only the first byte became what it should",
        ),
        Wrong(
            _FORGE.replace("position + i", "i"),
            says="It was changed at another place",
        ),
        Wrong(
            _FORGE.replace("was[i] ^ becomes[i]", "becomes[i]"),
            says="neither what it was nor what it should become",
        ),
    ],
    also_right=[
        "def forge(ciphertext, position, was, becomes):\n"
        "    end = position + len(was)\n"
        "    keystream = [c ^ p for c, p in zip(ciphertext[position:end], was)]\n"
        "    middle = bytes(k ^ p for k, p in zip(keystream, becomes))\n"
        "    return ciphertext[:position] + middle + ciphertext[end:]"
    ],
)
def forge(work):
    plaintext = f"patient {PATIENT}, pump {os.urandom(3).hex()}: 010 ml an hour".encode()
    was, becomes = b"010 ml", b"975 ml"
    position = plaintext.index(was)
    cipher = Cipher(algorithms.AES(os.urandom(32)), modes.CTR(os.urandom(16)))
    ciphertext = cipher.encryptor().update(plaintext)
    forged = work.call(work.function("forge"), ciphertext, position, was, becomes)
    work.expect(
        isinstance(forged, bytes | bytearray) and len(forged) == len(ciphertext),
        "Return bytes, as many as the ciphertext has.",
    )
    forged = bytes(forged)
    work.expect(
        forged != ciphertext,
        "Nothing was changed. In the ciphertext you do not find `was`: it is encrypted.",
    )
    end = position + len(was)
    work.expect(
        forged[position:end] != becomes,
        "You wrote plaintext into the ciphertext: decrypted, it is noise. Which bits have to turn over?",
    )
    opened = cipher.decryptor().update(forged)
    work.expect(
        opened[:position] + opened[end:] == plaintext[:position] + plaintext[end:],
        "It was changed at another place, too: only the bytes from `position` on, as many as `was` "
        "has, may differ.",
    )
    found = opened[position:end]
    work.expect(
        found == becomes or found[:1] != becomes[:1],
        "Only the first byte became what it should. Do the same with all of them.",
    )
    work.expect(
        found == becomes,
        "Decrypted, the place holds neither what it was nor what it should become. Turn over the bits "
        "in which the two differ: `was[i] ^ becomes[i]`.",
    )


@cache
def _pharmacy():
    """A pair of keys, made once: it takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)

_LETTER = """def letter_to(public_key, letter):
    key, nonce = AESGCM.generate_key(bit_length=256), os.urandom(12)
    ciphertext = AESGCM(key).encrypt(nonce, letter, None)
    return {"wrapped_key": public_key.encrypt(key, oaep), "nonce": nonce, "ciphertext": ciphertext}"""


@task(
    "letter",
    minutes=4,
    practises=["01.asymmetric", "01.symmetric"],
    asks="`letter_to(public_key, letter)`: a dictionary with `wrapped_key`, `nonce`, `ciphertext`",
    hints=[
        "What is small enough for RSA, and would open the letter?",
        "A new AES key: AESGCM.generate_key(bit_length=256). It encrypts the letter; "
        "public_key.encrypt(key, oaep) encrypts it.",
        "key, nonce = AESGCM.generate_key(bit_length=256), os.urandom(12); then AESGCM(key).encrypt(nonce, "
        "letter, None) and public_key.encrypt(key, oaep)",
    ],
    why="You cannot open your own letter any more. KMS does the same with its data keys, in lesson 05.",
    wrong=[
        Wrong(
            _LETTER.replace("public_key.encrypt(key, oaep)", "key"),
            says="The AES key itself lies in the letter",
        ),
        Wrong(
            "def letter_to(public_key, letter):\n"
            '    return {"wrapped_key": b"", "nonce": b"", '
            '"ciphertext": public_key.encrypt(letter, oaep)}',
            says="RSA takes no letter as long as this one",
        ),
        Wrong(
            _LETTER.replace("AESGCM.generate_key(bit_length=256), os", "bytes(32), os"),
            says="Two letters were encrypted under the same AES key",
        ),
        Wrong(
            _LETTER.replace("AESGCM(key).encrypt(nonce, letter, None)", "letter"),
            says="The letter can be read by anyone",
        ),
        Wrong(
            _LETTER.replace("key, oaep)", "key, padding.PKCS1v15())"),
            says="The pharmacy cannot unwrap the key with OAEP",
        ),
        Wrong(
            "from base64 import b64encode\n\n"
            + _LETTER.replace(
                "public_key.encrypt(key, oaep)", "b64encode(public_key.encrypt(key, oaep))"
            ),
            says="`wrapped_key` has 344 bytes. What `public_key.encrypt` gives has 256",
        ),
        Wrong(
            _LETTER.replace(
                "public_key.encrypt(key, oaep)", "AESGCM(key).encrypt(nonce, key, None)"
            ),
            says="`wrapped_key` has 48 bytes",
        ),
        Wrong(
            _LETTER.replace("letter, None)", 'letter, b"pharmacy")'),
            says="and without associated data",
        ),
        Wrong(
            _LETTER.replace("AESGCM(key).encrypt(", "nonce + AESGCM(key).encrypt("),
            says="The ciphertext begins with the nonce",
        ),
    ],
    also_right=[
        "def letter_to(public_key, letter):\n"
        "    key = os.urandom(16)\n"
        "    made = dict(nonce=os.urandom(12), wrapped_key=public_key.encrypt(key, padding=oaep))\n"
        "    return made | {'ciphertext': AESGCM(key).encrypt(made['nonce'], letter, b'')}"
    ],
)
def letter(work):
    private_key = _pharmacy()
    text = b"Please keep ready for tonight. " * 20 + os.urandom(8).hex().encode()
    letter_to = work.function("letter_to")
    refused = work.refuses(letter_to, private_key.public_key(), text, error=Exception)
    work.expect(
        not (isinstance(refused, ValueError) and "ncryption" in str(refused)),
        "RSA takes no letter as long as this one. Encrypt it with AES-GCM, and only the AES key "
        "with RSA.",
    )
    made, again = (work.call(letter_to, private_key.public_key(), text) for _ in range(2))
    work.expect(isinstance(made, dict), "Return a dictionary with three parts.")
    for part in ("wrapped_key", "nonce", "ciphertext"):
        work.expect(part in made, f"The letter has no part called {part}.")
        work.expect(isinstance(made[part], bytes), f"The part {part} should be bytes.")
    extra = sorted(map(str, set(made) - {"wrapped_key", "nonce", "ciphertext"}))
    work.expect(
        not extra, f"There is a fourth part, {', '.join(extra)}. Would a stranger be glad of it?"
    )
    work.expect(not work.holds(made, text), "The letter can be read by anyone who finds it.")
    work.expect(
        not any(_decrypts(part, made, text) for part in made.values()),
        "The AES key itself lies in the letter: whoever finds it can open it. Encrypt it with the "
        "public key.",
    )
    size, found = private_key.key_size // 8, len(made["wrapped_key"])
    work.expect(
        found == size,
        f"`wrapped_key` has {found} bytes. What `public_key.encrypt` gives has {size}; put that into "
        "the letter as it is.",
    )
    try:
        key = private_key.decrypt(made["wrapped_key"], _OAEP)
        other = private_key.decrypt(again["wrapped_key"], _OAEP)
    except ValueError:
        work.fail("The pharmacy cannot unwrap the key with OAEP. Give `oaep` to the encryption.")
    work.expect(
        key != other,
        "Two letters were encrypted under the same AES key. Whoever ever learns it opens all of them; "
        "make a new one each time.",
    )
    work.expect(
        not _decrypts(key, made | {"ciphertext": made["ciphertext"][NONCE:]}, text),
        "The ciphertext begins with the nonce, which has a part of its own.",
    )
    work.expect(
        _decrypts(key, made, text),
        "The unwrapped key does not open the letter with this nonce and without associated data "
        "(`None`).",
    )


def _decrypts(key, made, text):
    """Whether these bytes, taken as a key, open a letter."""
    try:
        return AESGCM(key).decrypt(made["nonce"], made["ciphertext"], None) == text
    except Exception:
        return False


_HOST = "results.clinic.example"

_SEND = """def send(request, host, server, ca, pipe):
    browser = tls.Client(host, trust=ca)
    said = {"request": request, "response": b"204"}
    return tls.converse(client=browser, server=server, pipe=pipe, **said)"""


@task(
    "send",
    minutes=3,
    practises="01.in-flight",
    asks="`send(request, host, server, ca, pipe)`: the conversation that `tls.converse` gives",
    hints=[
        "Who vouches for the server, and how does the browser come to trust them?",
        "browser = tls.Client(host, trust=ca). Then tls.converse with client, server, request, response and pipe.",
        'return tls.converse(client=tls.Client(host, trust=ca), server=server, request=request, response=b"ok", '
        "pipe=pipe)",
    ],
    why="On the wire nobody reads it. At its end the server does: that is what the other two places are for.",
    wrong=[
        Wrong(
            "def send(request, host, server, ca, pipe):\n"
            '    return tls.converse_in_the_clear(request=request, response=b"204", pipe=pipe)',
            says="An eavesdropper reads the request",
        ),
        Wrong(
            _SEND.replace("trust=ca", "verify=False"),
            says="Somebody stood in between",
        ),
        Wrong(
            _SEND.replace(", trust=ca", ""),
            says="does not trust the CA of the clinic",
        ),
        Wrong(
            _SEND.replace("tls.Client(host", 'tls.Client("host"'),
            says="The browser asked for host, but the server's certificate is for results.clinic",
        ),
        Wrong(
            _SEND.replace("tls.Client(host", 'tls.Client("records.clinic.example"'),
            says="The browser asked for records.clinic.example",
        ),
        Wrong(_SEND.replace("client=browser", "client=host"), says="client takes a tls.Client"),
        Wrong(
            _SEND.replace(", pipe=pipe", ""),
            says="did not go over the wire that was passed",
        ),
        Wrong(
            _SEND.replace("    return tls", "    talk = tls").replace("**said)", "**said)\n")
            + "    return talk.server.received",
            says="Return what `tls.converse` gives",
        ),
        Wrong(
            "def send(request, host, server, ca, pipe):\n"
            '    ca = tls.CertificateAuthority("Clinic CA", key_type="ed25519")\n'
            "    browser, server = tls.Client(host, trust=ca), tls.Server(ca.issue(host))\n"
            '    return tls.converse(client=browser, server=server, request=request, response=b"204",\n'
            "                        pipe=pipe)",
            says="It went to a server of your own making",
        ),
    ],
    also_right=[
        "def send(request, host, server, ca, pipe):\n"
        '    careful = tls.Client(host, trust=ca, verify=True, version="TLS 1.2")\n'
        "    talk = tls.converse(\n"
        "        client=careful, server=server, request=request, response=bytes(1), pipe=pipe)\n"
        "    return talk"
    ],
)
def send(work):
    ca = tls.CertificateAuthority("Clinic CA", key_type="ed25519")
    server, send = tls.Server(ca.issue(_HOST)), work.function("send")
    secret = _result()
    request = f"PUT /patients/{PATIENT} HTTP/1.1\r\nHost: {_HOST}\r\n\r\n".encode() + secret
    listener = tls.Eavesdropper()
    talk = work.call(send, request, _HOST, server, ca, listener)
    work.expect(secret not in listener, "An eavesdropper reads the request on the wire.")
    work.expect(isinstance(talk, tls.Conversation), "Return what `tls.converse` gives, all of it.")
    work.expect(
        talk.pipe is listener, "The request did not go over the wire that was passed: pipe=pipe."
    )
    work.expect(
        talk.scene.server is server,
        "It went to a server of your own making. The clinic's is the `server` that was passed.",
    )
    asked = talk.scene.client.server_name
    work.expect(
        talk.completed or asked == _HOST,
        f"The browser asked for {asked}, but the server's certificate is for {_HOST}, and so the "
        "browser hung up. Give it the `host` that was passed.",
    )
    work.expect(
        talk.completed,
        "The browser does not trust the CA of the clinic, and hung up: give it `trust=ca`.",
    )
    work.expect(
        talk.server is not None and secret in talk.server.received,
        "The server did not receive the request.",
    )
    between = tls.Interceptor()
    work.call(send, request, _HOST, server, ca, between)
    work.expect(
        secret not in between,
        "Somebody stood in between, with a certificate of their own, and your browser told them "
        "everything. Let it check whom it talks to.",
    )


def _store_for(aws, bucket, *, kms_key=None, body=b""):
    """An object in a bucket of the check's own."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=bucket)
    named = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    s3.put_object(Bucket=bucket, Key=f"{PATIENT}.json", Body=body, **named)


def _names(s3, bucket):
    return [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def _empty(s3, bucket):
    """A bucket of this name in which nothing is left of an earlier answer, nor of its policies."""
    s3.create_bucket(Bucket=bucket)
    s3.delete_bucket_policy(Bucket=bucket)
    s3.delete_bucket_encryption(Bucket=bucket)
    for name in _names(s3, bucket):
        s3.delete_object(Bucket=bucket, Key=name)


def _staff(aws):
    """Sessions of the report job and of an administrator, with what IAM allows them."""
    iam = boto3.client("iam")
    for user, actions in (
        ("report-job", ["s3:GetObject"]),
        ("administrator", ["s3:GetObject", "kms:Decrypt"]),
    ):
        aws.session(user)
        allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        iam.put_user_policy(
            UserName=user,
            PolicyName="work",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allow}),
        )
    return aws.session("report-job"), aws.session("administrator")


_READS = """def can_read(session, bucket, key, secret):
    try:
        body = session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError:
        return False
    return secret in body"""


@task(
    "reads",
    minutes=4,
    practises=["01.who-can-read", "01.at-rest"],
    asks="`can_read(session, bucket, key, secret)`: True or False",
    hints=[
        "There are two ways not to read: AWS refuses, or you get bytes that tell nothing. Which do you see how?",
        'session.client("s3").get_object(Bucket=..., Key=...)["Body"].read() gives bytes. Put it into try, and '
        "return False in except ClientError.",
        'try: body = session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read(); except '
        "ClientError: return False; and then: return secret in body",
    ],
    why="Never argue about who can read. Sign in as them, and try.",
    wrong=[
        Wrong(
            "def can_read(session, bucket, key, secret):\n"
            "    try:\n"
            '        session.client("s3").get_object(Bucket=bucket, Key=key)\n'
            "    except ClientError:\n"
            "        return False\n"
            "    return True",
            says="got the object, but it is ciphertext",
        ),
        Wrong(
            "def can_read(session, bucket, key, secret):\n"
            '    body = session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()\n'
            "    return secret in body",
            says="An error reached the caller",
        ),
        Wrong(
            "import boto3\n\n" + _READS.replace("session.client", "boto3.client"),
            says="S3 was not asked with the session that was passed",
        ),
        Wrong(
            "def can_read(session, bucket, key, secret):\n"
            '    found = session.client("s3").head_object(Bucket=bucket, Key=key)\n'
            '    return found["ServerSideEncryption"] == "AES256"',
            says="Look at the bytes",
        ),
        Wrong(
            _READS.replace("secret in body", "secret == body"),
            says="The secret is a part of the object",
        ),
        Wrong(
            _READS.replace('["Body"].read()', ""),
            says='in the bytes of the object, which `["Body"].read()` gives',
        ),
        Wrong(
            _READS.replace(".read()", ".read().decode()"),
            says="`can_read` stopped with TypeError",
        ),
        Wrong(
            "def can_read(session, bucket, key, secret):\n"
            "    try:\n"
            '        session.client("s3").head_object(Bucket=bucket, Key=key)\n'
            "    except ClientError:\n"
            "        return False\n"
            "    return True",
            says="Your function never fetched the object",
        ),
    ],
    also_right=[
        "def can_read(session, bucket, key, secret):\n"
        '    where = session.resource("s3").Object(bucket, key)\n'
        "    try:\n"
        '        return where.get()["Body"].read().find(secret) >= 0\n'
        "    except ClientError as refused:\n"
        '        return refused.response["Error"]["Code"] == "OK"'
    ],
)
def reads(work):
    aws, can_read = work.value("aws"), work.function("can_read")
    report_job, administrator = _staff(aws)
    secret, name = _result(), f"{PATIENT}.json"
    kms_key = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
    results = b'{"results": [' + secret + b"]}"  # the secret is a part of what is stored
    _store_for(aws, "nothing-but-the-secret", body=secret)
    _store_for(aws, "open-by-default", body=results)
    _store_for(aws, "with-a-kms-key", kms_key=kms_key, body=results)
    sealed = _sealed(AESGCM.generate_key(bit_length=256), secret, PATIENT)
    _store_for(aws, "sealed-before", kms_key=kms_key, body=sealed)

    def answers(session, bucket):
        work.expect(
            not isinstance(work.refuses(can_read, session, bucket, name, secret), ClientError),
            "An error reached the caller. Where AWS refuses, boto3 raises ClientError: catch it.",
        )
        answer = work.call(can_read, session, bucket, name, secret)
        work.expect(isinstance(answer, bool), "Return True or False.")
        return answer

    work.expect(
        answers(administrator, "nothing-but-the-secret"),
        "In an ordinary bucket the administrator reads the object; your function denies it. Look in "
        'the bytes of the object, which `["Body"].read()` gives, and take them as they are. If you '
        "catch more than ClientError, a mistake of your own may look like a refusal.",
    )
    work.expect(
        answers(administrator, "open-by-default") and answers(report_job, "open-by-default"),
        "In an ordinary bucket both the report job and the administrator read the object; your "
        "function denies it. The secret is a part of the object, seldom all of it.",
    )
    work.expect(
        answers(administrator, "with-a-kms-key"),
        "The administrator reads an object under a KMS key; your function denies it. Look at the bytes "
        "that come back, not at how they are encrypted on the disk.",
    )
    before = len(aws.trail)
    refused = answers(report_job, "with-a-kms-key")
    calls = {event["eventName"] for event in aws.trail.events(user="report-job", after=before)}
    work.expect(calls, "S3 was not asked with the session that was passed: `session.client(...)`.")
    work.expect(
        "GetObject" in calls,
        "Your function never fetched the object, so it cannot know what is in it. `get_object` fetches.",
    )
    work.expect(not refused, "The report job is refused by KMS; your function says it reads.")
    work.expect(
        not answers(administrator, "sealed-before"),
        "The administrator got the object, but it is ciphertext: the secret is not in it. Is it "
        "enough that no error came?",
    )


def _denied(bucket, user):
    """The lines of an answer that keeps a user out of a bucket by its policy."""
    return f"""
    deny = {{"Effect": "Deny", "Principal": {{"AWS": "arn:aws:iam::123456789012:user/{user}"}},
            "Action": "s3:GetObject", "Resource": "arn:aws:s3:::{bucket}/*"}}
    policy = json.dumps({{"Version": "2012-10-17", "Statement": deny}})
    s3.put_bucket_policy(Bucket="{bucket}", Policy=policy)"""


_PLACES = """def store(s3, result, patient, kms_key, key):
    name = f"{patient}.json"
    s3.put_object(Bucket="wards", Key=name, Body=result,
                  ServerSideEncryption="aws:kms", SSEKMSKeyId=kms_key)
    nonce = os.urandom(12)
    sealed = nonce + AESGCM(key).encrypt(nonce, result, patient.encode())
    s3.put_object(Bucket="research", Key=name, Body=sealed)"""

_SSE_C = 'Body=result, SSECustomerAlgorithm="AES256", SSECustomerKey=key)'

_SSE_C_ALLOWED = """def store(s3, result, patient, kms_key, key):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
            "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}
    s3.put_bucket_encryption(
        Bucket="research", ServerSideEncryptionConfiguration={"Rules": [rule]})"""


@task(
    "places",
    minutes=4,
    practises=["01.at-rest", "01.client-side", "01.who-can-read"],
    asks="`store(s3, result, patient, kms_key, key)`: an object in each of two buckets",
    hints=[
        "For each bucket: who must not read it, and does S3 obey them?",
        "wards: put_object with ServerSideEncryption and SSEKMSKeyId. research: put_object with what "
        "seal(key, result, patient) gives.",
        's3.put_object(Bucket="wards", Key=f"{patient}.json", Body=result, ServerSideEncryption="aws:kms", '
        'SSEKMSKeyId=kms_key), then s3.put_object(Bucket="research", Key=f"{patient}.json", '
        "Body=seal(key, result, patient))",
    ],
    why="Two wishes, two places. The one who must not read decides which; TLS, which boto3 uses anyway, met neither.",
    wrong=[
        Wrong(
            _PLACES.replace(
                ',\n                  ServerSideEncryption="aws:kms", SSEKMSKeyId=kms_key', ""
            ),
            says="The report job reads the object in wards",
        ),
        Wrong(
            _PLACES.replace(
                "Body=sealed)",
                'Body=result, ServerSideEncryption="aws:kms", SSEKMSKeyId=kms_key)',
            ),
            says="The administrators read the object in research",
        ),
        Wrong(
            _PLACES.replace("Body=result,", "Body=AESGCM(key).encrypt(bytes(12), result, None),"),
            says="The administrators should still read the object in wards",
        ),
        Wrong(
            _PLACES.replace("patient.encode()", "None"),
            says="The ward cannot open the object in research",
        ),
        Wrong(
            _PLACES.replace("Body=sealed", 'Body=sealed, Metadata={"key": key.hex()}'),
            says="The key lies beside the object in research",
        ),
        Wrong(
            _PLACES.replace('f"{patient}.json"', '"4711.json"'),
            says="There is no object 4712.json in the bucket wards, but 4711.json",
        ),
        Wrong(
            _PLACES.replace('f"{patient}.json"', "patient"),
            says="There is no object 4712.json in the bucket wards, but 4712",
        ),
        Wrong(
            _PLACES.replace("Body=sealed)", _SSE_C),
            says="With SSE-C you hand S3 the plaintext and the key",
        ),
        Wrong(
            _PLACES.replace("Body=sealed)", _SSE_C).replace(
                "def store(s3, result, patient, kms_key, key):", _SSE_C_ALLOWED
            ),
            says="Nobody gets the object in research by a plain `get_object`",
        ),
        Wrong(
            _PLACES.replace("Body=sealed)", "Body=result)") + _denied("research", "administrator"),
            says="A policy keeps the administrators out, but S3 still has the plaintext",
        ),
    ],
    also_right=[
        "def store(s3, result, patient, kms_key, key):\n"
        '    for bucket in ("wards", "research"):\n'
        '        body = result if bucket == "wards" else seal(key, result, patient)\n'
        '        s3.put_object(Bucket=bucket, Key=patient + ".json", Body=body,\n'
        '                      ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId=kms_key)\n\n'
        "def seal(key, result, patient):\n"
        "    nonce = os.urandom(12)\n"
        "    return nonce + AESGCM(key).encrypt(nonce, result, bytes(patient, 'utf-8'))",
        _PLACES.replace(
            ',\n                  ServerSideEncryption="aws:kms", SSEKMSKeyId=kms_key', ""
        )
        + _denied("wards", "report-job"),
    ],
)
def places(work):
    aws, store = work.value("aws"), work.function("store")
    s3, (report_job, administrator) = boto3.client("s3"), _staff(aws)
    kms_key = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
    key, result, name = AESGCM.generate_key(bit_length=256), _result(OTHER), f"{OTHER}.json"
    for bucket in ("wards", "research"):
        _empty(s3, bucket)
    before = len(aws.trail)
    if work.refuses(store, s3, result, OTHER, kms_key, key):
        denied = aws.trail.events("PutObject", error="AccessDenied", after=before)
        work.expect(
            not any("sSECustomerAlgorithm" in event["requestParameters"] for event in denied),
            "S3 refused with Access Denied. With SSE-C you hand S3 the plaintext and the key each "
            "time; new buckets block that. Seal the result before S3 gets it.",
        )
        work.call(store, s3, result, OTHER, kms_key, key)  # stops again, and its line is shown

    def got(session, bucket):
        """What a session gets of an object; None where it is refused."""
        try:
            answer = session.client("s3").get_object(Bucket=bucket, Key=name)
        except ClientError:
            return None
        return answer["Body"].read(), answer["Metadata"]

    for bucket in ("wards", "research"):
        there = _names(s3, bucket)
        instead = f", but {', '.join(there)}" if there else ""
        work.expect(
            name in there,
            f"This result is of patient {OTHER}. There is no object {name} in the bucket {bucket}{instead}.",
        )
    work.expect(
        not work.holds(got(report_job, "wards"), result),
        "The report job reads the object in wards. It may get every object, and neither S3's own key "
        "nor `aws/s3` asks for more. Name `kms_key`.",
    )
    work.expect(
        work.holds(got(administrator, "wards"), result),
        "The administrators should still read the object in wards: let S3 do the encrypting there.",
    )
    seen = got(administrator, "research")
    work.expect(
        not work.holds(seen, result),
        "The administrators read the object in research. S3 obeys them, so S3 must not have the "
        "plaintext: seal it before.",
    )
    seen = seen or got(boto3, "research")
    work.expect(
        seen,
        "Nobody gets the object in research by a plain `get_object`, not even the ward. Let S3 keep a "
        "sealed result, and give it to whoever may get objects.",
    )
    work.expect(
        not work.holds(seen, result),
        "A policy keeps the administrators out, but S3 still has the plaintext, for everyone whom it "
        "obeys. Seal the result before.",
    )
    work.expect(
        not work.holds(seen, key),
        "The key lies beside the object in research: whoever gets the object can open it.",
    )
    work.expect(
        _opens(key, seen[0], OTHER.encode()) == result,
        "The ward cannot open the object in research with its key. Store what `seal` of task 1 gives.",
    )
