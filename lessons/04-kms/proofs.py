"""What the questions of this lesson claim, played on the simulator."""

import base64
import hashlib
import json
import os

import boto3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse.exam.proofs import Outcome, proof, tried

PASSWORD = b"open-sesame-4711"
CONTEXT = {"app": "records", "stage": "production"}


def _new_key(kms):
    return kms.create_key()["KeyMetadata"]["Arn"]


def _allowed(aws, name, actions, resource, condition=None):
    """A user with one statement; their session."""
    session = aws.session(name)
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    if condition:
        statement["Condition"] = condition
    boto3.client("iam").put_user_policy(
        UserName=name,
        PolicyName="one-statement",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )
    return session


def _said(answer):
    return "the plaintext" if answer.ok else answer.code


@proof("kms-variable-sealed")
def variable_sealed(aws, case):
    """A reader of the variable tries to learn the password, and the function tries to use it."""
    kms = boto3.client("kms")
    key = _new_key(kms)
    function = _allowed(aws, "function", "kms:Decrypt", key).client("kms")
    if case == "ciphertext":
        blob = kms.encrypt(KeyId=key, Plaintext=PASSWORD)["CiphertextBlob"]
        variables = {"PASSWORD": base64.b64encode(blob).decode()}
        used = tried(function.decrypt, CiphertextBlob=base64.b64decode(variables["PASSWORD"]))
        for_function = used.ok and used.answer["Plaintext"] == PASSWORD
    elif case == "base64":
        variables = {"PASSWORD": base64.b64encode(PASSWORD).decode()}
        for_function = base64.b64decode(variables["PASSWORD"]) == PASSWORD
    elif case == "hash":
        variables = {"PASSWORD": hashlib.sha256(PASSWORD).hexdigest()}
        for_function = PASSWORD.decode() in variables["PASSWORD"]
    else:
        made = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
        nonce = os.urandom(12)
        sealed = AESGCM(made["Plaintext"]).encrypt(nonce, PASSWORD, None)
        variables = {"PASSWORD": (nonce + sealed).hex(), "KEY": made["Plaintext"].hex()}
        for_function = _with_key(variables) == PASSWORD
    by_reader = PASSWORD in (_decoded(variables), _with_key(variables))
    reader, user = "can" if by_reader else "cannot", "can" if for_function else "cannot"
    return Outcome(
        holds=for_function and not by_reader,
        seen=f"A reader of the variables {reader} recover the password; the function {user}.",
    )


def _decoded(variables):
    try:
        return base64.b64decode(variables["PASSWORD"])
    except ValueError:
        return None


def _with_key(variables):
    try:
        sealed = bytes.fromhex(variables["PASSWORD"])
        return AESGCM(bytes.fromhex(variables["KEY"])).decrypt(sealed[:12], sealed[12:], None)
    except (KeyError, ValueError, InvalidTag):
        return None


@proof("kms-cli-base64")
def cli_base64(aws, case):
    """What the CLI printed was saved as it stood; each supposed cause is put right in turn."""
    kms = boto3.client("kms")
    key = _new_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=PASSWORD)["CiphertextBlob"]
    saved = base64.b64encode(blob)  # --query CiphertextBlob --output text
    operator = _allowed(aws, "operator", "kms:Decrypt", key)
    call = {"CiphertextBlob": saved}
    if case == "base64":
        call["CiphertextBlob"] = base64.b64decode(saved)
    elif case == "key-id":
        call["KeyId"] = key
    elif case == "context":
        call["EncryptionContext"] = CONTEXT
    elif case == "permission":
        operator = _allowed(aws, "operator", "kms:*", "*")
    before = tried(operator.client("kms").decrypt, CiphertextBlob=saved)
    after = tried(operator.client("kms").decrypt, **call)
    return Outcome(
        holds=not before.ok and after.ok,
        seen=f"As it was: {_said(before)}. With this put right: {_said(after)}.",
    )


@proof("kms-default-policy")
def default_policy(aws, case):
    """A role of the same account decrypts with a key that has the default key policy."""
    kms = boto3.client("kms")
    key = _new_key(kms)
    kms.create_alias(AliasName="alias/app", TargetKeyId=key)
    blob = kms.encrypt(KeyId=key, Plaintext=PASSWORD)["CiphertextBlob"]
    if case == "nothing":
        app = aws.session("app")
    else:
        action = "kms:Encrypt" if case == "encrypt" else "kms:Decrypt"
        alias = f"arn:aws:kms:us-east-1:{aws.account_id}:alias/app"
        app = _allowed(aws, "app", action, alias if case == "alias" else key)
    answer = tried(app.client("kms").decrypt, CiphertextBlob=blob)
    return Outcome(holds=answer.ok, seen=f"Decrypt gave {_said(answer)}.")


@proof("kms-stop-at-once")
def stop_at_once(aws, case):
    """Two readers of a ciphertext in many places; one step is taken, and then taken back."""
    kms, iam = boto3.client("kms"), boto3.client("iam")
    key = _new_key(kms)
    kms.create_alias(AliasName="alias/app", TargetKeyId=key)
    blob = kms.encrypt(KeyId="alias/app", Plaintext=PASSWORD)["CiphertextBlob"]
    readers = [_allowed(aws, name, "kms:Decrypt", key).client("kms") for name in ("app", "batch")]
    if case == "disable":
        kms.disable_key(KeyId=key)
    elif case == "rotate":
        kms.rotate_key_on_demand(KeyId=key)
    elif case == "alias":
        kms.delete_alias(AliasName="alias/app")
    else:
        iam.delete_user_policy(UserName="app", PolicyName="one-statement")
    still = [tried(reader.decrypt, CiphertextBlob=blob).ok for reader in readers]
    if case == "disable":
        kms.enable_key(KeyId=key)
    again = [tried(reader.decrypt, CiphertextBlob=blob).ok for reader in readers]
    return Outcome(
        holds=not any(still) and all(again),
        seen=f"After the step {sum(still)} of 2 readers could decrypt, at the end {sum(again)}.",
    )


@proof("kms-what-the-trail-shows")
def what_the_trail_shows(aws, case):
    """The record of a Decrypt call is searched."""
    kms = boto3.client("kms")
    key = _new_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=PASSWORD, EncryptionContext=CONTEXT)["CiphertextBlob"]
    app = _allowed(aws, "app", "kms:Decrypt", key).client("kms")
    app.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)
    asked = [{"AttributeKey": "EventName", "AttributeValue": "Decrypt"}]
    event = boto3.client("cloudtrail").lookup_events(LookupAttributes=asked)["Events"][0]
    record = event["CloudTrailEvent"]
    sought = {
        "context": ["production"],
        "caller": ["user/app"],
        "plaintext": [PASSWORD.decode(), base64.b64encode(PASSWORD).decode()],
        "ciphertext": [base64.b64encode(blob).decode(), blob.hex()],
        "statement": ["one-statement"],
    }[case]
    found = any(text in record for text in sought)
    return Outcome(holds=found, seen=f"The record {'shows' if found else 'does not show'} it.")


@proof("kms-through-s3")
def through_s3(aws, case):
    """A user downloads an object under SSE-KMS, and the record of the Decrypt call is read."""
    kms, s3 = boto3.client("kms"), boto3.client("s3")
    key = _new_key(kms)
    s3.create_bucket(Bucket="letters")
    s3.put_object(
        Bucket="letters",
        Key="4711",
        Body=PASSWORD,
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=key,
    )
    reader = _allowed(aws, "reader", ["s3:GetObject", "kms:Decrypt"], "*").client("s3")
    reader.get_object(Bucket="letters", Key="4711")["Body"].read()
    asked = [{"AttributeKey": "EventName", "AttributeValue": "Decrypt"}]
    events = boto3.client("cloudtrail").lookup_events(LookupAttributes=asked)["Events"]
    who = json.loads(events[0]["CloudTrailEvent"])["userIdentity"] if events else {}
    user = who.get("arn", "").endswith("user/reader")
    service = who.get("invokedBy") == "s3.amazonaws.com"
    came_true = {
        "user-through-s3": user and service,
        "user-alone": user and not service,
        "service-alone": service and not user,
        "nothing": not events,
    }[case]
    through = who.get("invokedBy", "nobody")
    return Outcome(
        holds=came_true,
        seen=f"{len(events)} Decrypt record: {who.get('arn', 'no user')}, invoked by {through}.",
    )


@proof("kms-grown-too-long")
def grown_too_long(aws, case):
    """A licence of 4,300 bytes is to be sealed and opened again, and the trail is searched."""
    kms = boto3.client("kms")
    key, licence = _new_key(kms), os.urandom(2150).hex().encode()
    opened, how = None, ""
    if case == "data-key":
        made = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
        nonce = os.urandom(12)
        sealed = AESGCM(made["Plaintext"]).encrypt(nonce, licence, None)
        unwrapped = kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"]
        opened = AESGCM(unwrapped).decrypt(nonce, sealed, None)
    elif case == "context":
        first, rest = licence[:4000], licence[4000:].decode()
        bound = {"EncryptionContext": {"rest": rest}}
        blob = kms.encrypt(KeyId=key, Plaintext=first, **bound)["CiphertextBlob"]
        opened = kms.decrypt(CiphertextBlob=blob, **bound)["Plaintext"] + rest.encode()
    elif case == "rsa":
        made = kms.create_key(KeySpec="RSA_4096", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["Arn"]
        answer = tried(
            kms.encrypt, KeyId=made, Plaintext=licence, EncryptionAlgorithm="RSAES_OAEP_SHA_256"
        )
        how = f" Encrypt with RSA_4096 gave {answer.code or 'a blob'}."
    else:
        answer = tried(kms.re_encrypt, CiphertextBlob=licence, DestinationKeyId=key)
        how = f" ReEncrypt gave {answer.code or 'a blob'}."
    readable = licence[4000:].decode() in json.dumps(aws.trail.events())
    return Outcome(
        holds=opened == licence and not readable,
        seen=f"It {'opened' if opened == licence else 'was not sealed'}; a part of it is "
        f"{'' if readable else 'not '}readable in the trail.{how}",
    )


@proof("kms-swapped-stage")
def swapped_stage(aws, case):
    """The production ciphertext is put into the test system's settings, which opens it or not."""
    kms = boto3.client("kms")
    key = _new_key(kms)
    app = _allowed(aws, "app", "kms:Decrypt", key).client("kms")
    make, open_ = {"KeyId": key}, {}
    if case == "context":
        make["EncryptionContext"], open_ = {"stage": "production"}, {"stage": "test"}
    elif case == "alias":
        for stage in ("production", "test"):
            kms.create_alias(AliasName=f"alias/{stage}", TargetKeyId=key)
        make["KeyId"] = "alias/production"
    elif case == "tag":
        tag = {"TagKey": "stage", "TagValue": "production"}
        kms.tag_resource(KeyId=key, Tags=[tag])
    elif case == "two-calls":
        first = kms.encrypt(KeyId=key, Plaintext=PASSWORD)["CiphertextBlob"]
        make["Plaintext"] = first
    blob = kms.encrypt(**{"Plaintext": PASSWORD, **make})["CiphertextBlob"]
    answer = tried(app.decrypt, CiphertextBlob=blob, EncryptionContext=open_)
    return Outcome(holds=not answer.ok, seen=f"The test system was given {_said(answer)}.")


@proof("kms-one-key-two-apps")
def one_key_two_apps(aws, case):
    """Two applications share a key; each opens its own secret and tries to open the other's."""
    kms = boto3.client("kms")
    key = _new_key(kms)
    names = "records", "billing"
    blobs, apps = {}, {}
    for name in names:
        make = {"KeyId": key, "Plaintext": PASSWORD}
        resource, condition = key, None
        if case == "condition":
            make["EncryptionContext"] = {"app": name}
            condition = {"StringEquals": {"kms:EncryptionContext:app": name}}
        elif case == "context-only":
            make["EncryptionContext"] = {"app": name}
        elif case == "alias":
            kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
            make["KeyId"] = f"alias/{name}"
            resource = f"arn:aws:kms:us-east-1:{aws.account_id}:alias/{name}"
        blobs[name] = {
            "CiphertextBlob": kms.encrypt(**make)["CiphertextBlob"],
            "EncryptionContext": make.get("EncryptionContext", {}),
        }
        apps[name] = _allowed(aws, name, "kms:Decrypt", resource, condition).client("kms")
    own = [tried(apps[name].decrypt, **blobs[name]).ok for name in names]
    other = [tried(apps[a].decrypt, **blobs[b]).ok for a, b in (names, names[::-1])]
    return Outcome(
        holds=all(own) and not any(other),
        seen=f"{sum(own)} of 2 opened their own secret, {sum(other)} of 2 the other's.",
    )


@proof("kms-alias-moved")
def alias_moved(aws, case):
    """An alias is moved to a new key; old and new secrets are made and opened."""
    kms = boto3.client("kms")
    old, new = _new_key(kms), _new_key(kms)
    kms.create_alias(AliasName="alias/app", TargetKeyId=old)
    before = kms.encrypt(KeyId="alias/app", Plaintext=PASSWORD)["CiphertextBlob"]
    kms.update_alias(AliasName="alias/app", TargetKeyId=new)
    made_by = kms.encrypt(KeyId="alias/app", Plaintext=PASSWORD)["KeyId"]
    opened = tried(kms.decrypt, CiphertextBlob=before)
    opened_by = opened.answer["KeyId"] if opened.ok else None
    came_true = {
        "old-opens": opened_by == old and made_by == new,
        "old-lost": not opened.ok and made_by == new,
        "moved-along": opened_by == new and made_by == new,
        "not-moved": opened_by == old and made_by == old,
    }[case]
    names = {old: "The old key", new: "The new key", None: "No key"}
    return Outcome(
        holds=came_true,
        seen=f"{names[opened_by]} opened the old secret, {names[made_by]} made the next one.",
    )


@proof("kms-permission-by-alias")
def permission_by_alias(aws, case):
    """A statement is meant to let an application decrypt with the key behind an alias."""
    kms = boto3.client("kms")
    key = _new_key(kms)
    kms.create_alias(AliasName="alias/app", TargetKeyId=key)
    blob = kms.encrypt(KeyId="alias/app", Plaintext=PASSWORD)["CiphertextBlob"]
    of_account = f"arn:aws:kms:us-east-1:{aws.account_id}"
    resource, condition = {
        "key-arn": (key, None),
        "condition": (
            f"{of_account}:key/*",
            {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/app"}},
        ),
        "alias-arn": (f"{of_account}:alias/app", None),
        "alias-wildcard": (f"{of_account}:alias/*", None),
        "via-service": (key, {"StringEquals": {"kms:ViaService": "ssm.us-east-1.amazonaws.com"}}),
    }[case]
    app = _allowed(aws, "app", "kms:Decrypt", resource, condition)
    answer = tried(app.client("kms").decrypt, CiphertextBlob=blob)
    return Outcome(holds=answer.ok, seen=f"Decrypt gave {_said(answer)}.")


@proof("kms-secure-string-reader")
def secure_string_reader(aws, case):
    """A role that may call GetParameter is given one thing more, and reads a SecureString."""
    kms, ssm = boto3.client("kms"), boto3.client("ssm")
    key = _new_key(kms)
    ssm.put_parameter(Name="/app/password", Value=PASSWORD.decode(), Type="SecureString", KeyId=key)
    more = {
        "decrypt": "kms:Decrypt",
        "data-key": "kms:GenerateDataKey",
        "parameters": "ssm:GetParameters",
        "plain": "ssm:GetParameter",
    }[case]
    reader = _allowed(aws, "reader", ["ssm:GetParameter", more], "*").client("ssm")
    answer = tried(reader.get_parameter, Name="/app/password", WithDecryption=case != "plain")
    value = answer.answer["Parameter"]["Value"] if answer.ok else ""
    read = value == PASSWORD.decode()
    said = "the password" if read else "the ciphertext" if answer.ok else answer.code
    return Outcome(holds=read, seen=f"GetParameter gave {said}.")


@proof("kms-secret-versions")
def secret_versions(aws, case):
    """A secret gets a new value; both versions are asked for."""
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name="app/password", SecretString="winter-1")
    secrets.put_secret_value(SecretId="app/password", SecretString="spring-2")

    def value(**which):
        answer = tried(secrets.get_secret_value, SecretId="app/password", **which)
        return answer.answer["SecretString"] if answer.ok else answer.code

    now, before = value(), value(VersionStage="AWSPREVIOUS")
    came_true = {
        "new-then-old": (now, before) == ("spring-2", "winter-1"),
        "old-until-rotated": now == "winter-1",
        "new-old-gone": now == "spring-2" and before not in ("winter-1", "spring-2"),
        "asks-for-version": now not in ("winter-1", "spring-2"),
    }[case]
    return Outcome(holds=came_true, seen=f"Without a stage: {now}; AWSPREVIOUS: {before}.")


@proof("kms-usable-key-bytes")
def usable_key_bytes(aws, case):
    """Each operation is called; whatever bytes it answers with are tried as an AES key."""
    kms = boto3.client("kms")
    key = _new_key(kms)
    call = {
        "data-key": lambda: kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
        "public-key": lambda: kms.get_public_key(KeyId=key),
        "import": lambda: kms.get_parameters_for_import(
            KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
        ),
        "describe": lambda: kms.describe_key(KeyId=key),
    }[case]
    answer = tried(call)
    found = [value for value in (answer.answer or {}).values() if isinstance(value, bytes)]
    usable = [value for value in found if len(value) == 32]
    for value in usable:
        AESGCM(value).encrypt(bytes(12), PASSWORD, None)
    said = answer.code or f"{len(found)} pieces of bytes, {len(usable)} of them an AES key"
    return Outcome(holds=bool(usable), seen=f"The call gave {said}.")
