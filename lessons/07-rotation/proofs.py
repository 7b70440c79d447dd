"""What the questions of this lesson claim, played on the simulator."""

import json
import os
from decimal import Decimal
from itertools import pairwise

import boto3
from botocore.config import Config
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse.exam.proofs import Outcome, proof, tried

LETTER = b"Patient 4711: asthma."


def client():
    """KMS, asked once: boto3 repeats what it takes for throttling."""
    return boto3.client("kms", config=Config(retries={"total_max_attempts": 1}))


def new_key(kms, **how):
    return kms.create_key(**how)["KeyMetadata"]["Arn"]


def current(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]


def rotations(kms, key):
    pages = kms.get_paginator("list_key_rotations").paginate(KeyId=key)
    return [each for page in pages for each in page["Rotations"]]


def import_material(kms, key, **more):
    """New random material for a key of origin EXTERNAL."""
    given = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    public_key = serialization.load_der_public_key(given["PublicKey"])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return kms.import_key_material(
        KeyId=key,
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=public_key.encrypt(os.urandom(32), oaep),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
        **more,
    )


def monthly(aws):
    """What the keys of the account cost in the month that follows."""
    before = sum(line.amount for line in aws.meter.bill() if "keys" in line.item)
    aws.clock.advance(hours=730)
    after = sum(line.amount for line in aws.meter.bill() if "keys" in line.item)
    return (after - before).quantize(Decimal("0.01"))


@proof("rotation-old-ciphertext")
def old_ciphertext(aws, case):
    """A letter from before a rotation is sent to Decrypt, after one rotation and after another."""
    kms = client()
    key = new_key(kms)
    kms.enable_key_rotation(KeyId=key)
    made = kms.encrypt(KeyId=key, Plaintext=LETTER)
    aws.clock.advance(days=366)
    first = tried(kms.decrypt, CiphertextBlob=made["CiphertextBlob"], KeyId=key)
    aws.clock.advance(days=366)
    second = tried(kms.decrypt, CiphertextBlob=made["CiphertextBlob"], KeyId=key)
    nameless = tried(kms.decrypt, CiphertextBlob=made["CiphertextBlob"])
    holds = {
        "as-before": first.ok and second.ok and first.answer["KeyMaterialId"] != current(kms, key),
        "after-re-encrypt": not first.ok,
        "until-second": first.ok and not second.ok,
        "alias": not nameless.ok,
    }[case]
    return Outcome(
        holds=holds,
        seen="Decrypt opened it after the first rotation: "
        f"{first.ok}; after the second: {second.ok}; without any key named: {nameless.ok}.",
    )


@proof("rotation-managed-schedule")
def managed_schedule(aws, case):
    """The key that encrypts new objects of a bucket is to rotate every 180 days."""
    kms, s3 = client(), boto3.client("s3")
    s3.create_bucket(Bucket="letters")
    key = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
    rule = {"SSEAlgorithm": "aws:kms"}
    code = ""
    if case == "customer-managed":
        own = new_key(kms)
        kms.enable_key_rotation(KeyId=own, RotationPeriodInDays=180)
        rule["KMSMasterKeyID"] = own
    elif case == "enable":
        code = tried(kms.enable_key_rotation, KeyId=key, RotationPeriodInDays=180).code
    elif case == "on-demand":
        aws.clock.advance(days=180)
        code = tried(kms.rotate_key_on_demand, KeyId=key).code
    else:
        policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
        policy["Statement"].append(
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{aws.account_id}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        )
        code = tried(kms.put_key_policy, KeyId=key, Policy=json.dumps(policy)).code
    rules = [{"ApplyServerSideEncryptionByDefault": rule}]
    s3.put_bucket_encryption(Bucket="letters", ServerSideEncryptionConfiguration={"Rules": rules})
    s3.put_object(Bucket="letters", Key="1", Body=LETTER)
    used = s3.head_object(Bucket="letters", Key="1")["SSEKMSKeyId"]
    start = len(rotations(kms, used))
    aws.clock.advance(days=364)
    turned = len(rotations(kms, used)) - start
    return Outcome(
        holds=turned == 2 and not code,
        seen=f"The key of new objects rotated {turned} times in 364 days. {code}".strip(),
    )


@proof("rotation-managed-year")
def managed_year(aws, case):
    """An AWS managed key that nobody touches grows old."""
    kms = client()
    key = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
    aws.clock.advance(days=3660)
    days = [each["RotationDate"] for each in rotations(kms, key)]
    apart = {(b - a).days for a, b in pairwise(days)}
    asked = tried(kms.rotate_key_on_demand, KeyId=key)
    holds = {
        "every-365": apart == {365},
        "every-90": apart == {90},
        "on-demand": not days and asked.ok,
        "never": not days,
    }[case]
    return Outcome(
        holds=holds,
        seen=f"{len(days)} rotations in ten years, {apart or 'no'} days apart; on demand: "
        f"{asked.code or 'done'}.",
    )


@proof("rotation-quarterly")
def quarterly(aws, case):
    """Ten years pass, with a rotation every 90 days where the way allows it."""
    kms = client()
    key = new_key(kms)
    if case == "aws-managed":
        key = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
    named = key
    if case == "alias":
        named = "alias/bank"
        kms.create_alias(AliasName=named, TargetKeyId=key)
    refused = ""
    if case == "automatic":
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    for _ in range(40):
        aws.clock.advance(days=90)
        if case == "on-demand":
            refused = refused or tried(kms.rotate_key_on_demand, KeyId=key).code
        elif case == "alias":
            kms.update_alias(AliasName=named, TargetKeyId=new_key(kms))
    now = kms.describe_key(KeyId=named)["KeyMetadata"]["Arn"]
    turned = len(rotations(kms, key))
    return Outcome(
        holds=turned == 40 and now == key,
        seen=f"The key rotated {turned} times in 3,600 days, and its ARN is "
        f"{'the same' if now == key else 'another'}. {refused}".strip(),
    )


@proof("rotation-imported-in-place")
def imported_in_place(aws, case):
    """A key with imported material is to encrypt under new material, behind the same ARN."""
    kms = client()
    key = new_key(kms, Origin="EXTERNAL")
    import_material(kms, key)
    kms.create_alias(AliasName="alias/hospital", TargetKeyId=key)
    made = kms.encrypt(KeyId=key, Plaintext=LETTER)["CiphertextBlob"]
    old = current(kms, key)
    steps = {
        "on-demand": [
            (import_material, (kms, key), {"ImportType": "NEW_KEY_MATERIAL"}),
            (kms.rotate_key_on_demand, (), {"KeyId": key}),
        ],
        "automatic": [(kms.enable_key_rotation, (), {"KeyId": key})],
        "delete": [
            (kms.delete_imported_key_material, (), {"KeyId": key}),
            (import_material, (kms, key), {}),
        ],
        "alias": [],
    }[case]
    went = [tried(function, *args, **named) for function, args, named in steps]
    if case == "alias":
        other = new_key(kms, Origin="EXTERNAL")
        import_material(kms, other)
        kms.update_alias(AliasName="alias/hospital", TargetKeyId=other)
    sealed = tried(kms.encrypt, KeyId=key, Plaintext=LETTER)
    opened = tried(kms.decrypt, CiphertextBlob=made)
    under = current(kms, key) if sealed.ok else old
    codes = ", ".join(each.code for each in went if not each.ok) or "no call was refused"
    return Outcome(
        holds=all(each.ok for each in went) and sealed.ok and under != old and opened.ok,
        seen=f"Behind the same ARN new material encrypts: {under != old}; earlier data opens: "
        f"{opened.ok}; {codes}.",
    )


@proof("rotation-signing-key")
def signing_key(aws, case):
    """After a year another RSA key is to sign behind the same alias."""
    kms = client()
    spec = {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}
    old = new_key(kms, **spec)
    kms.create_alias(AliasName="alias/signing", TargetKeyId=old)
    by = {"Message": LETTER, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    before = kms.sign(KeyId="alias/signing", **by)["Signature"]
    went = {
        "alias": lambda: kms.update_alias(
            AliasName="alias/signing", TargetKeyId=new_key(kms, **spec)
        ),
        "on-demand": lambda: kms.rotate_key_on_demand(KeyId=old),
        "automatic": lambda: kms.enable_key_rotation(KeyId=old, RotationPeriodInDays=365),
        "symmetric": lambda: kms.update_alias(AliasName="alias/signing", TargetKeyId=new_key(kms)),
    }[case]
    step = tried(went)
    aws.clock.advance(days=366)
    signed = kms.sign(KeyId="alias/signing", **by)
    changed = signed["KeyId"] != old
    verified = tried(kms.verify, KeyId=old, Signature=before, **by)
    return Outcome(
        holds=step.ok and changed and verified.ok,
        seen=f"{step.code or 'Done'}: another key signs: {changed}; the earlier signature "
        f"verifies: {verified.ok}.",
    )


@proof("rotation-leaked-data-key")
def leaked_data_key(aws, case):
    """Whoever found the data key reads the bucket after the team has done something."""
    kms, s3 = client(), boto3.client("s3")
    key = new_key(kms)
    s3.create_bucket(Bucket="archive")

    def put(data_key):
        nonce = os.urandom(12)
        sealed = nonce + AESGCM(data_key["Plaintext"]).encrypt(nonce, LETTER, None)
        wrapped = data_key["CiphertextBlob"].hex()
        s3.put_object(Bucket="archive", Key="1", Body=sealed, Metadata={"key": wrapped})

    leaked = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    put(leaked)
    if case == "new-data-key":
        put(kms.generate_data_key(KeyId=key, KeySpec="AES_256"))
    elif case == "rotate":
        kms.rotate_key_on_demand(KeyId=key)
    elif case == "re-encrypt":
        moved = kms.re_encrypt(
            CiphertextBlob=leaked["CiphertextBlob"], DestinationKeyId=new_key(kms)
        )
        put({**leaked, "CiphertextBlob": moved["CiphertextBlob"]})
    else:
        kms.disable_key(KeyId=key)
    found = s3.get_object(Bucket="archive", Key="1")["Body"].read()
    try:
        read = AESGCM(leaked["Plaintext"]).decrypt(found[:12], found[12:], None) == LETTER
    except InvalidTag:
        read = False
    return Outcome(
        holds=not read,
        seen="The leaked data key " + ("opened" if read else "did not open") + " the archive.",
    )


@proof("rotation-what-stays")
def what_stays(aws, case):
    """Everything about a key and an object is noted before its first rotation and after."""
    kms, s3 = client(), boto3.client("s3")
    key = new_key(kms)
    kms.enable_key_rotation(KeyId=key)
    s3.create_bucket(Bucket="letters")
    s3.put_object(
        Bucket="letters", Key="1", Body=LETTER, ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )

    def noted():
        return {
            "arn": kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"],
            "stored": bytes(aws.stored("s3", "letters", "1")),
            "material": current(kms, key),
            "date": kms.get_key_rotation_status(KeyId=key)["NextRotationDate"],
        }

    before, cost = noted(), monthly(aws)
    aws.clock.advance(days=366)
    after = noted()
    before["charge"], after["charge"] = cost, monthly(aws)
    same = before[case] == after[case]
    return Outcome(
        holds=same, seen=f"It was {'the same' if same else 'another'} after the rotation."
    )


@proof("rotation-leave-old-key")
def leave_old_key(aws, case):
    """A record is prepared, the old key is deleted, and the record is read."""
    kms = client()
    old, new = new_key(kms), new_key(kms)
    kms.create_alias(AliasName="alias/records", TargetKeyId=old)
    kept = kms.encrypt(KeyId="alias/records", Plaintext=LETTER)["CiphertextBlob"]
    before = len(aws.trail)
    if case == "re-encrypt":
        kept = kms.re_encrypt(CiphertextBlob=kept, DestinationKeyId=new)["CiphertextBlob"]
    elif case == "alias":
        kms.update_alias(AliasName="alias/records", TargetKeyId=new)
    elif case == "rotate":
        kms.rotate_key_on_demand(KeyId=old)
    else:
        plaintext = kms.decrypt(CiphertextBlob=kept)["Plaintext"]
        kept = kms.encrypt(KeyId=new, Plaintext=plaintext)["CiphertextBlob"]
    left = aws.trail.events("Decrypt", after=before)
    kms.schedule_key_deletion(KeyId=old, PendingWindowInDays=7)
    aws.clock.advance(days=8)
    opened = tried(kms.decrypt, CiphertextBlob=kept)
    return Outcome(
        holds=opened.ok and not left,
        seen=f"Without the old key it opens: {opened.ok} {opened.code}; the plaintext left AWS KMS "
        f"{len(left)} times.",
    )


@proof("rotation-limit-exceeded")
def limit_exceeded(aws, case):
    """A key that has been rotated on demand as often as it may is to rotate again."""
    kms = client()
    key = new_key(kms)
    while tried(kms.rotate_key_on_demand, KeyId=key).ok:
        aws.clock.advance(days=14)
    had = len(rotations(kms, key))
    if case == "automatic":
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    elif case == "delete-material":
        tried(kms.delete_imported_key_material, KeyId=key)
    elif case == "disable-enable":
        kms.disable_key(KeyId=key)
        kms.enable_key(KeyId=key)
    aws.clock.advance(days=366)
    asked = tried(kms.rotate_key_on_demand, KeyId=key) if case != "automatic" else None
    more = len(rotations(kms, key)) - had
    said = asked.code if asked else ""
    return Outcome(
        holds=more > 0,
        seen=f"After {had} rotations on demand, {more} more in a year. {said}".strip(),
    )


@proof("rotation-employee-leaves")
def employee_leaves(aws, case):
    """A key with a schedule is rotated on demand, sixty days before its next rotation."""
    kms = client()
    key = new_key(kms)
    kms.enable_key_rotation(KeyId=key)
    old = current(kms, key)
    made = kms.encrypt(KeyId=key, Plaintext=LETTER)["CiphertextBlob"]
    aws.clock.advance(days=305)
    kms.rotate_key_on_demand(KeyId=key)
    due = kms.get_key_rotation_status(KeyId=key)["NextRotationDate"]
    days = round((due - aws.clock.now()).total_seconds() / 86400)
    opened = tried(kms.decrypt, CiphertextBlob=made)
    holds = {
        "new-material": current(kms, key) != old,
        "in-60": days == 60,
        "in-365": days == 365,
        "old-closed": not opened.ok,
        "new-arn": kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"] != key,
    }[case]
    return Outcome(
        holds=holds,
        seen=f"The next automatic rotation is due in {days} days; earlier data opens: {opened.ok}.",
    )


@proof("rotation-incorrect-key")
def incorrect_key(aws, case):
    """An older record is decrypted after the alias was moved to a new key."""
    kms = client()
    old, new = new_key(kms), new_key(kms)
    kms.create_alias(AliasName="alias/records", TargetKeyId=old)
    made = kms.encrypt(KeyId="alias/records", Plaintext=LETTER)["CiphertextBlob"]
    kms.update_alias(AliasName="alias/records", TargetKeyId=new)
    named = "alias/records"
    if case == "name-old":
        named = old
    elif case == "rotate-new":
        kms.rotate_key_on_demand(KeyId=new)
    elif case == "allow-alias":
        alias = f"arn:aws:kms:us-east-1:{aws.account_id}:alias/records"
        allow = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": alias}
        aws.session("program")
        boto3.client("iam").put_user_policy(
            UserName="program",
            PolicyName="decrypt",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allow}),
        )
    else:
        kms.enable_key_rotation(KeyId=old)
        kms.enable_key_rotation(KeyId=new)
    caller = kms if case != "allow-alias" else aws.session("program").client("kms")
    opened = tried(caller.decrypt, CiphertextBlob=made, KeyId=named)
    return Outcome(
        holds=opened.ok, seen=f"Decrypt {'opened it' if opened.ok else 'gave ' + opened.code}."
    )


@proof("rotation-old-key-pending")
def old_key_pending(aws, case):
    """On day 20 of 30 before its key is deleted, an archive is to be read again."""
    kms = client()
    old, new = new_key(kms), new_key(kms)
    kms.create_alias(AliasName="alias/archive", TargetKeyId=old)
    kept = kms.encrypt(KeyId="alias/archive", Plaintext=LETTER)["CiphertextBlob"]
    kms.update_alias(AliasName="alias/archive", TargetKeyId=new)
    kms.schedule_key_deletion(KeyId=old, PendingWindowInDays=30)
    aws.clock.advance(days=20)
    codes = []
    if case.startswith("cancel"):
        kms.cancel_key_deletion(KeyId=old)
        next_step = kms.enable_key if case == "cancel-enable" else kms.rotate_key_on_demand
        codes.append(tried(next_step, KeyId=old).code)
    elif case == "re-encrypt":
        moved = tried(kms.re_encrypt, CiphertextBlob=kept, DestinationKeyId=new)
        codes.append(moved.code)
        kept = moved.answer["CiphertextBlob"] if moved.ok else kept
    else:
        codes.append(tried(kms.update_alias, AliasName="alias/archive", TargetKeyId=old).code)
    opened = tried(kms.decrypt, CiphertextBlob=kept)
    said = ", ".join(code for code in [*codes, opened.code] if code)
    return Outcome(
        holds=opened.ok, seen=f"The archive opens: {opened.ok}. {said or 'No call was refused'}."
    )


@proof("rotation-disabled-for-years")
def disabled_for_years(aws, case):
    """A key with a schedule is disabled for 800 days and enabled again."""
    kms = client()
    key = new_key(kms)
    kms.enable_key_rotation(KeyId=key)
    kms.disable_key(KeyId=key)
    aws.clock.advance(days=800)
    while_disabled = len(rotations(kms, key))
    kms.enable_key(KeyId=key)
    at_once = len(rotations(kms, key)) - while_disabled
    holds = {
        "once-at-enabling": (while_disabled, at_once) == (0, 1),
        "twice-when-due": while_disabled == 2,
        "twice-at-enabling": at_once == 2,
        "not-yet": while_disabled + at_once == 0,
    }[case]
    return Outcome(
        holds=holds,
        seen=f"{while_disabled} rotations while it was disabled, {at_once} when it was enabled.",
    )


@proof("rotation-cost-six-years")
def cost_six_years(aws, case):
    """A key is rotated six times in six years, and the meter reckons the month after."""
    kms = client()
    kms.enable_key_rotation(KeyId=new_key(kms))
    aws.clock.advance(days=6 * 365 + 1)
    cost = monthly(aws)
    return Outcome(holds=cost == Decimal(case), seen=f"The month after cost ${cost}.")


@proof("rotation-cost-compared")
def cost_compared(aws, case):
    """Six years of rotation in five ways, and the month after on the bill."""
    kms = client()
    key = new_key(kms, **({"Origin": "EXTERNAL"} if case == "manual-imported" else {}))
    if case in ("yearly", "quarterly"):
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=365 if case == "yearly" else 90)
    for _ in range(6):
        aws.clock.advance(days=365, hours=1)
        if case == "on-demand":
            kms.rotate_key_on_demand(KeyId=key)
        elif case == "manual":
            new_key(kms)
        elif case == "manual-imported":
            import_material(kms, new_key(kms, Origin="EXTERNAL"))
    cost = monthly(aws)
    return Outcome(holds=cost <= 3, seen=f"The month after cost ${cost}.")
