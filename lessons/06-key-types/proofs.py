"""What the questions of lesson 06 claim, played on the simulator."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import timedelta
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

from kmscourse.exam.proofs import Outcome, Tried, proof, tried

OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
ALGORITHM = "RSAES_OAEP_SHA_256"
FOR_GOOD = "KEY_MATERIAL_DOES_NOT_EXPIRE"
PARTNER = "222222222222"


def said(answer: Tried) -> str:
    """How a call went, for whoever reads the proof."""
    return "The call succeeded." if answer.ok else f"Refused: {answer.code}. {answer.words}".strip()


def make(kms: Any, **parameters: Any) -> str:
    """A new KMS key; its ARN."""
    return str(kms.create_key(**parameters)["KeyMetadata"]["Arn"])


def public_key(kms: Any, key: str) -> Any:
    return serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])


def der(public: Any) -> bytes:
    return bytes(
        public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def wrapped(kms: Any, key: str, material: bytes, algorithm: str = ALGORITHM) -> dict[str, Any]:
    """Material, wrapped for an import into the key."""
    parameters = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048"
    )
    wrapping = serialization.load_der_public_key(parameters["PublicKey"])
    if algorithm == ALGORITHM:
        sealed = wrapping.encrypt(material, OAEP)  # type: ignore[union-attr]
    else:
        inner = os.urandom(32)
        sealed = wrapping.encrypt(inner, OAEP) + aes_key_wrap_with_padding(inner, material)  # type: ignore[union-attr]
    return {"ImportToken": parameters["ImportToken"], "EncryptedKeyMaterial": sealed}


def bring(kms: Any, key: str, material: bytes, algorithm: str = ALGORITHM) -> Tried:
    """Try to import material into a key, for good."""
    parameters = tried(wrapped, kms, key, material, algorithm)
    if not parameters.ok:
        return parameters
    return tried(kms.import_key_material, KeyId=key, ExpirationModel=FOR_GOOD, **parameters.answer)


def external_store(kms: Any) -> str:
    """A connected external key store."""
    made = kms.create_custom_key_store(
        CustomKeyStoreName="basement",
        CustomKeyStoreType="EXTERNAL_KEY_STORE",
        XksProxyConnectivity="PUBLIC_ENDPOINT",
        XksProxyUriEndpoint="https://keys.clinic.example",
        XksProxyUriPath="/kms/xks/v1",
        XksProxyAuthenticationCredential={
            "AccessKeyId": "ABCDEFGHIJKLMNOPQRST",
            "RawSecretAccessKey": "TheProxyKnowsThisSecretAsWellAndNobodyElse0",
        },
    )["CustomKeyStoreId"]
    kms.connect_custom_key_store(CustomKeyStoreId=made)
    return str(made)


def put(key: str | None, name: str = "report", **more: Any) -> Tried:
    """Try to upload with SSE-KMS, under a key or under the AWS managed one."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="clinic-reports")
    how = {"ServerSideEncryption": "aws:kms", **({"SSEKMSKeyId": key} if key else {}), **more}
    return tried(s3.put_object, Bucket="clinic-reports", Key=name, Body=b"report", **how)


@proof("types-old-script")
def old_script(aws, case):
    """The old call and the changed one are made, and the two keys are compared."""
    kms = boto3.client("kms")
    old = kms.create_key(CustomerMasterKeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    changed = {
        "key-spec": {"KeySpec": "RSA_2048"},
        "dropped": {},
        "both": {"KeySpec": "RSA_2048", "CustomerMasterKeySpec": "RSA_2048"},
        "origin": {"Origin": "RSA_2048"},
    }[case]
    answer = tried(kms.create_key, KeyUsage="SIGN_VERIFY", **changed)
    new = answer.answer["KeyMetadata"] if answer.ok else {}
    same = all(new.get(name) == old[name] for name in ("KeySpec", "KeyUsage", "SigningAlgorithms"))
    return Outcome(holds=same, seen=said(answer))


@proof("types-least-to-decrypt")
def least_to_decrypt(aws, case):
    """Decrypt is called with what the option keeps, and with less."""
    kms = boto3.client("kms")
    key = make(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"4711")["CiphertextBlob"]
    parts = {"KeyId": key, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    kept = {
        "blob": [],
        "blob-and-key": ["KeyId"],
        "blob-and-algorithm": ["EncryptionAlgorithm"],
        "everything": ["KeyId", "EncryptionAlgorithm"],
    }[case]
    works = tried(kms.decrypt, CiphertextBlob=blob, **{name: parts[name] for name in kept}).ok
    needless = [
        name
        for name in kept
        if tried(
            kms.decrypt,
            CiphertextBlob=blob,
            **{other: parts[other] for other in kept if other != name},
        ).ok
    ]
    seen = (
        f"Decrypt worked without {needless[0]}, too." if needless else "Decrypt worked with this."
    )
    return Outcome(holds=works and not needless, seen=seen)


@proof("types-bucket-default")
def bucket_default(aws, case):
    """The key becomes the bucket's default, and something is uploaded."""
    kms, s3 = boto3.client("kms"), boto3.client("s3")
    spec, usage = {
        "longer-rsa": ("RSA_4096", "ENCRYPT_DECRYPT"),
        "symmetric": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        "hmac": ("HMAC_256", "GENERATE_VERIFY_MAC"),
        "agreement": ("ECC_NIST_P256", "KEY_AGREEMENT"),
    }[case]
    key = make(kms, KeySpec=spec, KeyUsage=usage)
    s3.create_bucket(Bucket="clinic-reports")
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    s3.put_bucket_encryption(
        Bucket="clinic-reports",
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]},
    )
    answer = tried(s3.put_object, Bucket="clinic-reports", Key="report", Body=b"report")
    return Outcome(holds=answer.ok, seen=said(answer))


@proof("types-leaving-aws")
def leaving_aws(aws, case):
    """A file is encrypted by KMS, the key is disabled as if the account were gone, and read."""
    kms = boto3.client("kms")
    key = make(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"a file")["CiphertextBlob"]
    mine, nonce, elsewhere = AESGCM.generate_key(256), os.urandom(12), b""
    if case == "public-key":
        answer = tried(kms.get_public_key, KeyId=key)
    elif case == "parameters":
        answer = tried(wrapped, kms, key, mine)
    elif case == "decrypt-first":
        answer = tried(kms.decrypt, CiphertextBlob=blob)
        elsewhere = AESGCM(mine).encrypt(nonce, answer.answer["Plaintext"], None)
    else:
        kms.disable_key(KeyId=key)
        answer = tried(kms.decrypt, CiphertextBlob=bytes(blob))
    kms.disable_key(KeyId=key)
    opened = tried(AESGCM(mine).decrypt, nonce, elsewhere, None)
    readable = opened.ok and opened.answer == b"a file"
    seen = "The file opens with the company's own key." if readable else said(answer)
    return Outcome(holds=readable, seen=seen)


@proof("types-rsa-decrypt")
def rsa_decrypt(aws, case):
    """A code is encrypted outside with the public key, and Decrypt gets what the option passes."""
    kms = boto3.client("kms")
    key = make(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    sealed = public_key(kms, key).encrypt(b"1234", OAEP)
    passed: dict[str, Any] = {
        "data-key-spec": {},
        "key-and-algorithm": {"EncryptionAlgorithm": ALGORITHM},
        "key-and-context": {"EncryptionContext": {"partner": "north"}},
        "key": {},
    }[case]
    if case == "data-key-spec":
        has = kms.meta.service_model.operation_model("Decrypt").input_shape.members
        return Outcome(
            holds="KeySpec" in has, seen=f"The parameters of Decrypt are {', '.join(has)}."
        )
    answer = tried(kms.decrypt, KeyId=key, CiphertextBlob=sealed, **passed)
    return Outcome(holds=answer.ok, seen=said(answer))


@proof("types-one-usage")
def one_usage(aws, case):
    """The keys are made; then a message is opened and a reply is signed."""
    kms = boto3.client("kms")
    spec = "ECC_NIST_P256" if case == "two-curves" else "RSA_2048"
    usages = {
        "one-encrypts": ["ENCRYPT_DECRYPT"],
        "one-signs": ["SIGN_VERIFY"],
    }.get(case, ["ENCRYPT_DECRYPT", "SIGN_VERIFY"])
    made = [tried(kms.create_key, KeySpec=spec, KeyUsage=usage) for usage in usages]
    for each in made:
        if not each.ok:
            return Outcome(holds=each.ok, seen=said(each))
    opens, signs = made[0].answer["KeyMetadata"]["Arn"], made[-1].answer["KeyMetadata"]["Arn"]
    sealed = public_key(kms, opens).encrypt(b"1234", OAEP)
    opened = tried(kms.decrypt, KeyId=opens, CiphertextBlob=sealed, EncryptionAlgorithm=ALGORITHM)
    signed = tried(kms.sign, KeyId=signs, Message=b"ok", SigningAlgorithm="RSASSA_PSS_SHA_256")
    failed = next((each for each in (opened, signed) if not each.ok), signed)
    return Outcome(holds=opened.ok and signed.ok, seen=said(failed))


@proof("types-public-key-disabled")
def public_key_disabled(aws, case):
    """A public key is downloaded, its KMS key disabled, and the claim tried."""
    kms = boto3.client("kms")
    key = make(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    partner = public_key(kms, key)
    kms.disable_key(KeyId=key)
    before = len(aws.trail)
    sealed = tried(partner.encrypt, b"1234", OAEP)
    if case == "still-encrypts":
        return Outcome(holds=sealed.ok, seen="The public key encrypted, outside AWS KMS.")
    if case == "trail":
        events = [event["eventName"] for event in aws.trail.events(after=before)]
        return Outcome(holds=bool(events), seen=f"The trail has {len(events)} events of it.")
    if case == "new-download":
        answer = tried(kms.get_public_key, KeyId=key)
        return Outcome(holds=answer.ok, seen=said(answer))
    if case == "partner-reads":
        can = hasattr(partner, "decrypt")
        return Outcome(holds=can, seen="A public key has no way to decrypt.")
    how = {"KeyId": key, "CiphertextBlob": sealed.answer, "EncryptionAlgorithm": ALGORITHM}
    disabled = tried(kms.decrypt, **how)
    kms.enable_key(KeyId=key)
    enabled = tried(kms.decrypt, **how)
    seen = f"{said(disabled)} Enabled again, the call {'succeeded' if enabled.ok else 'failed'}."
    return Outcome(holds=enabled.ok and not disabled.ok, seen=seen)


@proof("types-field-devices")
def field_devices(aws, case):
    """A reading of 2 MB is protected, sent, read in the backend, and tried with a stolen device."""
    kms = boto3.client("kms")
    key = make(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    public, reading, nonce = public_key(kms, key), os.urandom(2_000_000), os.urandom(12)
    if case == "rsa-only":
        sealed = tried(public.encrypt, reading, OAEP)
        return Outcome(holds=sealed.ok, seen=f"RSA refused {len(reading):,} bytes: {sealed.code}.")
    if case == "unsigned":
        nobody = boto3.client("kms", config=Config(signature_version=UNSIGNED))
        answer = tried(nobody.generate_data_key, KeyId=make(kms), KeySpec="AES_256")
        return Outcome(holds=answer.ok, seen=said(answer))
    data_key = AESGCM.generate_key(256)
    body = AESGCM(data_key).encrypt(nonce, reading, None)
    on_device = {"public key": der(public)} if case == "envelope" else {"AES key": data_key}
    unwrapped = data_key
    if case == "envelope":
        unwrapped = kms.decrypt(
            KeyId=key,
            CiphertextBlob=public.encrypt(data_key, OAEP),
            EncryptionAlgorithm=ALGORITHM,
        )["Plaintext"]
    backend = tried(AESGCM(unwrapped).decrypt, nonce, body, None).ok
    stolen = [
        name
        for name, found in on_device.items()
        if tried(lambda found=found: AESGCM(found).decrypt(nonce, body, None)).ok
    ]
    seen = (
        f"The {stolen[0]} on a stolen device opens it." if stolen else "Only the backend reads it."
    )
    return Outcome(holds=backend and not stolen, seen=seen)


@proof("types-share-aws-managed")
def share_aws_managed(aws, case):
    """An object lies under aws/s3; the option is carried out; the other account reads."""
    kms, s3 = boto3.client("kms"), boto3.client("s3")
    assert put(None).ok
    managed = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
    user = f"arn:aws:iam::{PARTNER}:user/reader"
    partner = aws.account(PARTNER)
    reader = partner.session("reader").client("s3")
    may = {"Effect": "Allow", "Action": ["s3:GetObject", "kms:Decrypt"], "Resource": "*"}
    partner.session("root").client("iam").put_user_policy(
        UserName="reader",
        PolicyName="read",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": may}),
    )
    everyone = {"Principal": {"AWS": user}, "Effect": "Allow"}
    opened = {**everyone, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::clinic-reports/*"}
    s3.put_bucket_policy(
        Bucket="clinic-reports",
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [opened]}),
    )
    if case == "edit-policy":
        policy = json.loads(kms.get_key_policy(KeyId=managed)["Policy"])
        policy["Statement"].append({**everyone, "Action": "kms:Decrypt", "Resource": "*"})
        did = tried(kms.put_key_policy, KeyId=managed, Policy=json.dumps(policy))
    elif case == "grant":
        did = tried(kms.create_grant, KeyId=managed, GranteePrincipal=user, Operations=["Decrypt"])
    elif case == "alias":
        did = tried(kms.update_alias, AliasName="alias/aws/s3", TargetKeyId=make(kms))
    else:
        account = {"Principal": {"AWS": f"arn:aws:iam::{aws.account_id}:root"}}
        own = {"Effect": "Allow", **account, "Action": "kms:*", "Resource": "*"}
        theirs = {**everyone, "Action": "kms:Decrypt", "Resource": "*"}
        did = put(
            make(kms, Policy=json.dumps({"Version": "2012-10-17", "Statement": [own, theirs]}))
        )
    read = tried(reader.get_object, Bucket="clinic-reports", Key="report")
    return Outcome(holds=read.ok, seen=said(read) if did.ok else said(did))


@proof("types-audit-key-use")
def audit_key_use(aws, case):
    """A report is uploaded; the trail is searched for the key, and a month is paid."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="clinic-reports")
    s3.put_bucket_encryption(
        Bucket="clinic-reports",
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                    "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]},
                }
            ]
        },
    )
    how = {
        "sse-s3": {},
        "aws-managed": {"ServerSideEncryption": "aws:kms"},
        "customer-managed": {"ServerSideEncryption": "aws:kms"},
        "sse-c": {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)},
    }[case]
    if case == "customer-managed":
        how["SSEKMSKeyId"] = make(boto3.client("kms"))
    before = len(aws.trail)
    s3.put_object(Bucket="clinic-reports", Key="report", Body=b"report", **how)
    used = [event["eventName"] for event in aws.trail.events("GenerateDataKey", after=before)]
    aws.clock.advance(days=30)
    monthly = [line for line in aws.meter.bill() if "key-month" in line.unit and line.amount]
    seen = f"Uses of a key in the trail: {len(used)}; keys on the bill: {len(monthly)}."
    return Outcome(holds=bool(used) and not monthly, seen=seen)


@proof("types-monthly-price")
def monthly_price(aws, case):
    """The key is made, a month passes, and the bill is read."""
    kms = boto3.client("kms")
    if case == "aws-managed":
        volume = {"AvailabilityZone": "us-east-1a", "Size": 1, "Encrypted": True}
        boto3.client("ec2").create_volume(**volume)
        kms.describe_key(KeyId="alias/aws/ebs")
    elif case == "imported-hmac":
        key = make(kms, Origin="EXTERNAL", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        assert bring(kms, key, os.urandom(32)).ok
    elif case == "replica":
        primary = make(kms, MultiRegion=True)
        kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")
    elif case == "disabled":
        kms.disable_key(KeyId=make(kms))
    else:
        kms.schedule_key_deletion(KeyId=make(kms), PendingWindowInDays=30)
    aws.clock.advance(days=30)
    months = sum(line.quantity for line in aws.meter.bill() if "key-month" in line.unit)
    wanted = 2 if case == "replica" else 1  # the primary, and beside it the replica
    paid = round(float(months), 1)
    return Outcome(holds=paid >= 0.9 * wanted, seen=f"The bill has {paid} months of keys.")


@proof("types-import-ecc")
def import_ecc(aws, case):
    """The bank's pair is brought to KMS, which signs; a device verifies with the old public key."""
    kms = boto3.client("kms")
    pair = ec.generate_private_key(ec.SECP256R1())
    secret = pair.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    curve = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
    wanted: dict[str, Any] = {
        "replace": curve,
        "symmetric": {"Origin": "EXTERNAL"},
        "ecc": {**curve, "Origin": "EXTERNAL"},
        "store": curve,
    }[case]
    if case == "store":
        store = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": external_store(kms)}
        wanted = {**wanted, **store, "XksKeyId": "pair"}
    made = tried(kms.create_key, **wanted)
    if not made.ok:
        return Outcome(holds=made.ok, seen=said(made))
    key = made.answer["KeyMetadata"]["Arn"]
    imported = bring(kms, key, secret)
    if not imported.ok:
        return Outcome(holds=imported.ok, seen=said(imported))
    signature = kms.sign(KeyId=key, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
    device = tried(pair.public_key().verify, signature, b"x", ec.ECDSA(hashes.SHA256()))
    return Outcome(holds=device.ok, seen="The device accepts what AWS KMS signed.")


@proof("types-expired-overnight")
def expired_overnight(aws, case):
    """Material expires; the option is carried out; the old ciphertext is opened."""
    kms = boto3.client("kms")
    key, material = make(kms, Origin="EXTERNAL"), os.urandom(32)
    first = wrapped(kms, key, material)
    until = {"ValidTo": aws.clock.now() + timedelta(days=30)}
    kms.import_key_material(KeyId=key, ExpirationModel="KEY_MATERIAL_EXPIRES", **until, **first)
    blob = kms.encrypt(KeyId=key, Plaintext=b"4711")["CiphertextBlob"]
    aws.clock.advance(days=31)
    if case == "enable":
        did = tried(kms.enable_key, KeyId=key)
    elif case == "old-token":
        did = tried(kms.import_key_material, KeyId=key, ExpirationModel=FOR_GOOD, **first)
    elif case == "new-material":
        did = bring(kms, key, os.urandom(32))
    else:
        did = bring(kms, key, material)
    opened = tried(kms.decrypt, CiphertextBlob=blob)
    return Outcome(holds=opened.ok, seen=said(opened) if did.ok else said(did))


@proof("types-emergency-brake")
def emergency_brake(aws, case):
    """Imported material is deleted, and the claim tried on what it had encrypted."""
    kms = boto3.client("kms")
    key, material = make(kms, Origin="EXTERNAL"), os.urandom(32)
    bring(kms, key, material)
    blob = kms.encrypt(KeyId=key, Plaintext=b"4711")["CiphertextBlob"]
    if case == "key-today":
        answer = tried(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=1)
        return Outcome(holds=answer.ok, seen=said(answer))
    began = aws.clock.now()
    kms.delete_imported_key_material(KeyId=key)
    gone = tried(kms.decrypt, CiphertextBlob=blob)
    if case == "at-once":
        waited = aws.clock.now() - began
        return Outcome(
            holds=not gone.ok and waited < timedelta(minutes=1),
            seen=f"{said(gone)} {waited.seconds} seconds had passed.",
        )
    if case == "comes-back":
        bring(kms, key, material)
        answer = tried(kms.decrypt, CiphertextBlob=blob)
    elif case == "second-key":
        second = make(kms, Origin="EXTERNAL")
        bring(kms, second, material)
        answer = tried(kms.decrypt, KeyId=second, CiphertextBlob=blob)
    else:  # AES-GCM with the copy, wherever a nonce could stand in the blob
        opened = [
            start
            for start in range(len(blob) - 28)
            if tried(
                AESGCM(material).decrypt, blob[start : start + 12], blob[start + 12 :], None
            ).ok
        ]
        seen = f"AES-GCM with the copy opened {len(opened)} of the pieces of the ciphertext."
        return Outcome(holds=bool(opened), seen=seen)
    return Outcome(holds=answer.ok, seen=said(answer))


@proof("types-readable-token")
def readable_token(aws, case):
    """A code is made; a stranger without the key makes one too; both are checked."""
    kms = boto3.client("kms")
    token, forged = b"patient=4711", b"patient=4712"
    if case == "digest":

        def valid(token: bytes, code: bytes) -> bool:
            return hashlib.sha256(token).digest() == code

        strangers = hashlib.sha256(forged).digest()
        return Outcome(
            holds=valid(token, hashlib.sha256(token).digest()) and not valid(forged, strangers),
            seen="A stranger made a digest for a forged token, and it was found valid.",
        )
    hmac_key = make(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    algorithm = {"MacAlgorithm": "HMAC_SHA_256"}
    if case == "sign":
        made = tried(kms.sign, KeyId=hmac_key, Message=token, SigningAlgorithm="ECDSA_SHA_256")
        return Outcome(holds=made.ok, seen=said(made))
    key = hmac_key if case == "mac" else make(kms)
    made = tried(kms.generate_mac, KeyId=key, Message=token, **algorithm)
    if not made.ok:
        return Outcome(holds=made.ok, seen=said(made))
    mac = made.answer["Mac"]
    genuine = tried(kms.verify_mac, KeyId=key, Message=token, Mac=mac, **algorithm)
    changed = tried(kms.verify_mac, KeyId=key, Message=forged, Mac=mac, **algorithm)
    seen = f"The token passed; the forged one did not: {changed.code}."
    return Outcome(holds=genuine.ok and not changed.ok, seen=seen)


@proof("types-shared-secret")
def shared_secret(aws, case):
    """Both sides derive their secret, and the two are compared."""
    kms = boto3.client("kms")
    spec = "ECC_NIST_P384" if case == "other-curve" else "ECC_NIST_P256"
    usage = "SIGN_VERIFY" if case == "signing" else "KEY_AGREEMENT"
    key = make(kms, KeySpec=spec, KeyUsage=usage)
    institute = ec.generate_private_key(ec.SECP256R1())
    clinic = public_key(kms, key)
    passed = der(clinic) if case == "own-public" else der(institute.public_key())
    answer = tried(
        kms.derive_shared_secret, KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=passed
    )
    if not answer.ok:
        return Outcome(holds=answer.ok, seen=said(answer))
    same = answer.answer["SharedSecret"] == institute.exchange(ec.ECDH(), clinic)
    return Outcome(holds=same, seen=f"The two secrets are {'the same' if same else 'different'}.")


@proof("types-kem-changed")
def kem_changed(aws, case):
    """One bit of an encapsulated secret is flipped before Decapsulate gets it."""
    kms = boto3.client("kms")
    key = make(kms, KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")
    secret, sealed = public_key(kms, key).encapsulate()
    changed = bytes([sealed[0] ^ 1]) + sealed[1:]
    answer = tried(
        kms.decapsulate,
        KeyId=key,
        SharedSecretCiphertextBlob=changed,
        EncapsulationAlgorithm="ML_KEM",
    )
    got = answer.answer["SharedSecret"] if answer.ok else b""
    zeros = bytes(len(secret))
    came = {
        "error": answer.code == "InvalidCiphertextException",
        "same-secret": got == secret,
        "other-secret": answer.ok and got not in (secret, zeros),
        "zeros": got == zeros,
    }
    return Outcome(holds=came[case], seen=f"{said(answer)} {len(got)} bytes came back.")


@proof("types-in-a-store")
def in_a_store(aws, case):
    """A key is made in a connected external key store, and the wish tried."""
    kms = boto3.client("kms")
    store = external_store(kms)
    there = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "one"}
    more = {
        "signing": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
        "multi-region": {"MultiRegion": True},
    }
    made = tried(kms.create_key, **there, **more.get(case, {}))
    if not made.ok or case in more:
        return Outcome(holds=made.ok, seen=said(made))
    key = made.answer["KeyMetadata"]["Arn"]
    if case == "s3":
        answer = put(key)
        return Outcome(holds=answer.ok, seen=said(answer))
    if case == "rotation":
        answer = tried(kms.enable_key_rotation, KeyId=key, RotationPeriodInDays=365)
        return Outcome(holds=answer.ok, seen=said(answer))
    blob = kms.encrypt(KeyId=key, Plaintext=b"4711")["CiphertextBlob"]
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    stopped = tried(kms.decrypt, CiphertextBlob=blob)
    return Outcome(holds=not stopped.ok, seen=said(stopped))


@proof("types-choose-for-regulator")
def choose_for_regulator(aws, case):
    """Objects are stored under the key, its material is taken away and put back."""
    kms, s3 = boto3.client("kms"), boto3.client("s3")
    material = os.urandom(32)
    algorithm = ALGORITHM
    if case == "external-store":
        store = {"CustomKeyStoreId": external_store(kms), "XksKeyId": "one"}
        key = make(kms, Origin="EXTERNAL_KEY_STORE", **store)
        assert put(key).ok
        kms.disconnect_custom_key_store(CustomKeyStoreId=store["CustomKeyStoreId"])
        read = tried(s3.get_object, Bucket="clinic-reports", Key="report")
        seen = f"When the company's key manager cannot be reached, reading fails: {read.code}."
        return Outcome(holds=read.ok, seen=seen)
    if case == "aws-managed":
        assert put(None).ok
        key = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
    elif case == "imported":
        key = make(kms, Origin="EXTERNAL")
    else:
        key = make(kms, Origin="EXTERNAL", KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
        material, algorithm = _rsa_private(), "RSA_AES_KEY_WRAP_SHA_256"
    brought = bring(kms, key, material, algorithm)
    stored = put(key, "document")
    for each in (brought, stored):
        if not each.ok:
            return Outcome(holds=each.ok, seen=said(each))
    kms.delete_imported_key_material(KeyId=key)
    gone = tried(s3.get_object, Bucket="clinic-reports", Key="document")
    bring(kms, key, material)
    back = tried(s3.get_object, Bucket="clinic-reports", Key="document")
    seen = "Taken away, reading failed; put back, it worked."
    return Outcome(holds=back.ok and not gone.ok, seen=seen)


def _rsa_private() -> bytes:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
