"""What the questions of this lesson claim, played on the simulator."""

import json
import os

import boto3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse.exam.proofs import Outcome, proof, tried

LETTER = b"Patient 4711: asthma."


@proof("envelope-large-file")
def large_file(aws, case):
    """An X-ray is encrypted in four ways: of one megabyte, as forty would only take longer."""
    kms, s3 = boto3.client("kms"), boto3.client("s3")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    x_ray = os.urandom(1024) * 1024
    if case == "public-key":
        asked = tried(kms.get_public_key, KeyId=key)
        return Outcome(holds=asked.ok, seen=f"GetPublicKey gave {asked.code or 'a key'}.")
    if case == "encrypt":
        asked = tried(kms.encrypt, KeyId=key, Plaintext=x_ray)
        return Outcome(holds=asked.ok, seen=f"Encrypt gave {asked.code or 'a blob'}: {asked.words}")
    if case == "sse-kms":
        s3.create_bucket(Bucket="x-rays")
        received = []
        s3.meta.events.register(
            "before-send.s3.PutObject", lambda request, **_: received.append(request.body.read())
        )
        s3.put_object(
            Bucket="x-rays",
            Key="4711",
            Body=x_ray,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=key,
        )
        sealed = x_ray[:1024] not in received[0]
        form = "ciphertext" if sealed else "plaintext"
        return Outcome(holds=sealed, seen=f"The request to Amazon S3 carried the X-ray as {form}.")
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    nonce = os.urandom(12)
    kept = nonce, AESGCM(made["Plaintext"]).encrypt(nonce, x_ray, None), made["CiphertextBlob"]
    opened = AESGCM(kms.decrypt(CiphertextBlob=kept[2])["Plaintext"]).decrypt(*kept[:2], None)
    recorded = [event["eventName"] for event in aws.trail.events()]
    return Outcome(
        holds=opened == x_ray and x_ray[:1024] not in kept[1] and "GenerateDataKey" in recorded,
        seen=f"{len(kept[1]):,} bytes of ciphertext made here opened again; the trail has "
        f"{' and '.join(sorted({'GenerateDataKey', 'Decrypt'} & set(recorded)))}.",
    )


@proof("envelope-reader-permission")
def reader_permission(aws, case):
    """A role that is allowed one action on the key opens a report that another has sealed."""
    kms, iam = boto3.client("kms"), boto3.client("iam")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    sealed = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    action = {
        "decrypt": "kms:Decrypt",
        "encrypt": "kms:Encrypt",
        "generate": "kms:GenerateDataKey",
        "public-key": "kms:GetPublicKey",
    }[case]
    iam.create_user(UserName="reader")
    statement = {"Effect": "Allow", "Action": action, "Resource": key}
    iam.put_user_policy(
        UserName="reader",
        PolicyName="one-action",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )
    reader = aws.session("reader").client("kms")
    opened = tried(reader.decrypt, CiphertextBlob=sealed["CiphertextBlob"])
    works = opened.ok and opened.answer["Plaintext"] == sealed["Plaintext"]
    got = "the data key came back" if works else f"Decrypt failed with {opened.code}"
    return Outcome(holds=works, seen=f"With {action} alone, {got}.")


@proof("envelope-context-case")
def context_case(aws, case):
    """A data key bound to department=Radiology is sent to Decrypt with department=radiology."""
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    made = kms.generate_data_key(
        KeyId=key, KeySpec="AES_256", EncryptionContext={"department": "Radiology"}
    )
    asked = tried(
        kms.decrypt,
        CiphertextBlob=made["CiphertextBlob"],
        EncryptionContext={"department": "radiology"},
    )
    came_true = {
        "invalid-ciphertext": asked.code == "InvalidCiphertextException",
        "access-denied": asked.code == "AccessDeniedException",
        "only-a-note": asked.ok,
        "without-case": asked.ok,
    }
    return Outcome(
        holds=came_true[case],
        seen="AWS KMS returned the data key."
        if asked.ok
        else f"AWS KMS refused with {asked.code}.",
    )
