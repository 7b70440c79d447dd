"""What the questions of this lesson claim, played on the simulator."""

import json

import boto3

from kmscourse.exam.proofs import Outcome, proof, tried

OUTSIDE = "333333333333"


def _policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _allow(actions, resource, **more):
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def _user(aws, name, *statements, account=None):
    """A user with these statements, and their session."""
    home = aws.account(account or aws.account_id)
    iam = home.session("root").client("iam")
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="work", PolicyDocument=_policy(*statements))
    return home.session(name)


def _key_and_secret(kms, **more):
    key = kms.create_key(**more)["KeyMetadata"]["Arn"]
    return key, kms.encrypt(KeyId=key, Plaintext=b"record")["CiphertextBlob"]


def _said(answer):
    return "decrypted" if answer.ok else f"got {answer.code}"


@proof("incident-what-was-read")
def what_was_read(aws, case):
    """A user reads two objects under SSE-KMS, and the object's name is sought in one place."""
    kms, s3 = boto3.client("kms"), boto3.client("s3")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket="records")
    for name in ("4711.json", "4712.json"):
        s3.put_object(
            Bucket="records",
            Key=name,
            Body=b"{}",
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=key,
        )
    reader = _user(aws, "reader", _allow(["s3:GetObject", "kms:Decrypt"], "*"))
    reader.client("s3").get_object(Bucket="records", Key="4711.json")["Body"].read()
    attribute, value = {
        "decrypt": ("EventName", "Decrypt"),
        "get-object": ("EventName", "GetObject"),
        "assume-role": ("EventName", "AssumeRole"),
        "put-key-policy": ("EventName", "PutKeyPolicy"),
    }[case]
    asked = [{"AttributeKey": attribute, "AttributeValue": value}]
    events = boto3.client("cloudtrail").lookup_events(LookupAttributes=asked)["Events"]
    named = ["4711.json" in event["CloudTrailEvent"] for event in events]
    return Outcome(
        holds=any(named),
        seen=f"lookup_events gave {len(events)} {value} records, {sum(named)} with the object.",
    )


@proof("incident-session-goes-on")
def session_goes_on(aws, case):
    """An outsider has taken on a role; one step is taken, and the session and the staff read."""
    kms, iam = boto3.client("kms"), boto3.client("iam")
    key, blob = _key_and_secret(kms)
    inside = _user(aws, "auditor")
    mallory = _user(aws, "mallory", _allow("sts:AssumeRole", "*"), account=OUTSIDE)
    trusts = [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": arn},
        }
        for arn in (f"arn:aws:iam::{aws.account_id}:user/auditor", f"arn:aws:iam::{OUTSIDE}:root")
    ]
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=_policy(*trusts))["Role"]
    iam.put_role_policy(
        RoleName="reader", PolicyName="read", PolicyDocument=_policy(_allow("kms:Decrypt", key))
    )

    def taken_on(session, name):
        given = session.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName=name)
        credentials = given["Credentials"]
        return session.client(
            "kms",
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )

    intruder, staff = taken_on(mallory, "maintenance"), taken_on(inside, "auditor")
    session_arn = f"arn:aws:sts::{aws.account_id}:assumed-role/reader/maintenance"
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    if case == "deny-session":
        policy["Statement"].append(_deny({"AWS": session_arn}))
        kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    elif case == "trust":
        iam.update_assume_role_policy(RoleName="reader", PolicyDocument=_policy(trusts[0]))
    elif case == "deny-role":
        policy["Statement"].append(_deny({"AWS": role["Arn"]}))
        kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    else:
        kms.disable_key(KeyId=key)
    out, works = (tried(each.decrypt, CiphertextBlob=blob) for each in (intruder, staff))
    return Outcome(
        holds=not out.ok and works.ok,
        seen=f"The intruder's session {_said(out)}; the auditor {_said(works)}.",
    )


def _deny(principal):
    return {"Effect": "Deny", "Principal": principal, "Action": "kms:*", "Resource": "*"}


@proof("incident-cancelled-deletion")
def cancelled_deletion(aws, case):
    """A deletion is scheduled and then dealt with; afterwards an old secret is decrypted."""
    kms = boto3.client("kms")
    key, blob = _key_and_secret(kms)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    aws.clock.advance(days=3)
    steps = {
        "cancel-enable": [kms.cancel_key_deletion, kms.enable_key],
        "cancel": [kms.cancel_key_deletion],
        "enable": [kms.enable_key],
        "wait": [],
    }[case]
    done = [tried(step, KeyId=key) for step in steps]
    if case == "wait":
        aws.clock.advance(days=6)
    answer = tried(kms.decrypt, CiphertextBlob=blob)
    refused = ", ".join(each.code for each in done if not each.ok)
    return Outcome(
        holds=answer.ok,
        seen=f"{refused + '; then ' if refused else ''}Decrypt {_said(answer)}.",
    )


@proof("incident-forgotten-grant")
def forgotten_grant(aws, case):
    """A contractor decrypts by a grant; one step is taken, and the contractor tries again."""
    kms, iam = boto3.client("kms"), boto3.client("iam")
    key, blob = _key_and_secret(kms)
    app = _user(aws, "app", _allow("kms:Decrypt", key)).client("kms")
    contractor = _user(aws, "contractor", _allow("s3:GetObject", "*")).client("kms")
    grant = kms.create_grant(
        KeyId=key,
        GranteePrincipal=f"arn:aws:iam::{aws.account_id}:user/contractor",
        Operations=["Decrypt"],
    )["GrantId"]
    before = tried(contractor.decrypt, CiphertextBlob=blob).ok
    if case == "revoke":
        kms.revoke_grant(KeyId=key, GrantId=grant)
    elif case == "iam":
        iam.delete_user_policy(UserName="contractor", PolicyName="work")
    elif case == "rotate":
        kms.rotate_key_on_demand(KeyId=key)
    else:
        kms.put_key_policy(KeyId=key, Policy=kms.get_key_policy(KeyId=key)["Policy"])
    after, works = (tried(each.decrypt, CiphertextBlob=blob) for each in (contractor, app))
    return Outcome(
        holds=before and not after.ok and works.ok,
        seen=f"The contractor {_said(after)}; the application {_said(works)}.",
    )


@proof("incident-contain-one")
def contain_one(aws, case):
    """A helpdesk user decrypts who should not; one step is taken, and both try again."""
    kms = boto3.client("kms")
    key, blob = _key_and_secret(kms)
    app = _user(aws, "app", _allow("kms:Decrypt", key)).client("kms")
    helpdesk = _user(aws, "helpdesk", _allow("kms:*", "*")).client("kms")
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    user = {"AWS": f"arn:aws:iam::{aws.account_id}:user/helpdesk"}
    step = None
    if case == "deny-user":
        policy["Statement"].append(_deny(user))
        step = tried(kms.put_key_policy, KeyId=key, Policy=json.dumps(policy))
    elif case == "deny-all":
        policy["Statement"].append(_deny("*"))
        step = tried(kms.put_key_policy, KeyId=key, Policy=json.dumps(policy))
    elif case == "schedule":
        step = tried(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7)
    elif case == "remove-alias":
        kms.create_alias(AliasName="alias/records", TargetKeyId=key)
        step = tried(kms.delete_alias, AliasName="alias/records")
    out, works = (tried(each.decrypt, CiphertextBlob=blob) for each in (helpdesk, app))
    how = "" if step.ok else f"The step was refused with {step.code}. "
    return Outcome(
        holds=not out.ok and works.ok,
        seen=f"{how}The helpdesk user {_said(out)}; the application {_said(works)}.",
    )


@proof("incident-delegated")
def delegated(aws, case):
    """A user decrypts by an IAM policy; what made it take effect is changed in turn."""
    kms = boto3.client("kms")
    account = f"arn:aws:iam::{aws.account_id}"
    statements = [
        _allow("kms:*", "*", Principal={"AWS": f"{account}:root"}),
        _allow("kms:DescribeKey", "*", Principal={"AWS": f"{account}:user/learner"}),
    ]
    helpdesk = _user(aws, "helpdesk", _allow("kms:Decrypt", "*"))
    key, blob = _key_and_secret(kms, Policy=_policy(*statements))
    kms.create_grant(KeyId=key, GranteePrincipal=f"{account}:user/learner", Operations=["Encrypt"])
    kms.create_alias(AliasName="alias/records", TargetKeyId=key)
    before = tried(helpdesk.client("kms").decrypt, CiphertextBlob=blob)
    if case == "account":
        manages = ["kms:Describe*", "kms:Get*", "kms:Put*"]
        statements[0] = _allow(manages, "*", Principal={"AWS": f"{account}:root"})
        kms.put_key_policy(KeyId=key, Policy=_policy(*statements))
    elif case == "describe":
        kms.put_key_policy(KeyId=key, Policy=_policy(statements[0]))
    elif case == "grant":
        (grant,) = kms.list_grants(KeyId=key)["Grants"]
        kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    else:
        kms.delete_alias(AliasName="alias/records")
    after = tried(helpdesk.client("kms").decrypt, CiphertextBlob=blob)
    return Outcome(
        holds=before.ok and not after.ok,
        seen=f"Before, the user {_said(before)}; without it, the user {_said(after)}.",
    )


@proof("incident-two-doors")
def two_doors(aws, case):
    """A user may fetch one prefix and decrypt another; an object of each kind is tried."""
    kms, s3 = boto3.client("kms"), boto3.client("s3")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket="records")
    arn = "arn:aws:s3:::records"
    reader = _user(
        aws,
        "reader",
        _allow("s3:GetObject", [f"{arn}/cardiology/*", f"{arn}/oncology/*"]),
        _allow(
            "kms:Decrypt",
            key,
            Condition={
                "StringLike": {
                    "kms:EncryptionContext:aws:s3:arn": [
                        f"{arn}/oncology/*",
                        f"{arn}/psychiatry/*",
                    ]
                }
            },
        ),
    )
    name = f"{case}/1.json"
    s3.put_object(
        Bucket="records", Key=name, Body=b"{}", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    answer = tried(reader.client("s3").get_object, Bucket="records", Key=name)
    return Outcome(holds=answer.ok, seen=f"GetObject gave {answer.code or 'the record'}.")


@proof("incident-seen-from-here")
def seen_from_here(aws, case):
    """Another account uses, or tries to use, a key; the key's own account reads its trail."""
    kms = boto3.client("kms")
    account = f"arn:aws:iam::{aws.account_id}"
    statements = [_allow("kms:*", "*", Principal={"AWS": f"{account}:root"})]
    if case != "refused":
        guest = {"AWS": f"arn:aws:iam::{OUTSIDE}:root"}
        statements.append(_allow("kms:Decrypt", "*", Principal=guest))
    blob = _key_and_secret(kms, Policy=_policy(*statements))[1]
    outside = _user(aws, "guest", _allow("kms:*", "*"), account=OUTSIDE).client("kms")
    inside = _user(aws, "trainee").client("kms")
    if case in ("allowed", "refused"):
        tried(outside.decrypt, CiphertextBlob=blob)
    elif case == "own-refused":
        tried(inside.decrypt, CiphertextBlob=blob)
    elif case == "list":
        tried(outside.list_aliases)
    else:
        tried(outside.generate_random, NumberOfBytes=16)
    asked = [{"AttributeKey": "EventSource", "AttributeValue": "kms.amazonaws.com"}]
    events = boto3.client("cloudtrail").lookup_events(LookupAttributes=asked)["Events"]
    callers = [json.loads(e["CloudTrailEvent"])["userIdentity"] for e in events]
    found = [
        who for who in callers if who["accountId"] == OUTSIDE or who.get("userName") == "trainee"
    ]
    return Outcome(holds=bool(found), seen=f"The key's account has {len(found)} such records.")


@proof("incident-last-resort")
def last_resort(aws, case):
    """A key is made useless in one way; a colleague takes it back, and reads an old secret."""
    kms = boto3.client("kms")
    key, blob = _key_and_secret(kms)
    if case == "disable":
        kms.disable_key(KeyId=key)
        stopped = not tried(kms.decrypt, CiphertextBlob=blob).ok
        back = tried(kms.enable_key, KeyId=key)
    elif case == "delete":
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        stopped = not tried(kms.decrypt, CiphertextBlob=blob).ok
        aws.clock.advance(days=9)
        back = tried(kms.cancel_key_deletion, KeyId=key)
    elif case == "rotate":
        kms.rotate_key_on_demand(KeyId=key)
        stopped = not tried(kms.decrypt, CiphertextBlob=blob).ok
        back = tried(kms.describe_key, KeyId=key)
    else:
        kms.disable_key_rotation(KeyId=key)
        stopped = not tried(kms.decrypt, CiphertextBlob=blob).ok
        back = tried(kms.enable_key_rotation, KeyId=key)
    answer = tried(kms.decrypt, CiphertextBlob=blob)
    return Outcome(
        holds=stopped and back.ok and answer.ok,
        seen=f"Use of the key {'stopped' if stopped else 'went on'}; ten days later a secret was "
        f"{'read' if answer.ok else 'lost with ' + answer.code}.",
    )


@proof("incident-who-changed-it")
def who_changed_it(aws, case):
    """A colleague puts a statement into a key policy; one kind of record is searched for them."""
    kms = boto3.client("kms")
    key, blob = _key_and_secret(kms)
    colleague = _user(aws, "colleague", _allow("kms:PutKeyPolicy", key))
    guest = {"AWS": f"arn:aws:iam::{aws.account_id}:user/guest"}
    reader = _user(aws, "guest")
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    policy["Statement"].append(_allow("kms:Decrypt", "*", Principal=guest))
    colleague.client("kms").put_key_policy(KeyId=key, Policy=json.dumps(policy))
    reader.client("kms").decrypt(CiphertextBlob=blob)
    name = {
        "put": "PutKeyPolicy",
        "decrypt": "Decrypt",
        "get": "GetKeyPolicy",
        "grant": "CreateGrant",
    }[case]
    asked = [{"AttributeKey": "EventName", "AttributeValue": name}]
    events = boto3.client("cloudtrail").lookup_events(LookupAttributes=asked)["Events"]
    names = sorted({event["Username"] for event in events})
    return Outcome(
        holds="colleague" in names,
        seen=f"The {name} records name {', '.join(names) or 'nobody'}.",
    )


@proof("incident-ways-in")
def ways_in(aws, case):
    """A user without any IAM policy decrypts, where one thing about the key lets them."""
    kms = boto3.client("kms")
    account = f"arn:aws:iam::{aws.account_id}"
    user = _user(aws, "helpdesk").client("kms")
    key, blob = _key_and_secret(kms)
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    if case == "named":
        user_arn = {"AWS": f"{account}:user/helpdesk"}
        policy["Statement"].append(_allow("kms:Decrypt", "*", Principal=user_arn))
    elif case == "everybody":
        only = {"StringEquals": {"kms:CallerAccount": aws.account_id}}
        policy["Statement"].append(
            _allow("kms:Decrypt", "*", Principal={"AWS": "*"}, Condition=only)
        )
    elif case == "grant":
        kms.create_grant(
            KeyId=key, GranteePrincipal=f"{account}:user/helpdesk", Operations=["Decrypt"]
        )
    elif case == "alias":
        kms.create_alias(AliasName="alias/helpdesk", TargetKeyId=key)
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    answer = tried(user.decrypt, CiphertextBlob=blob)
    return Outcome(holds=answer.ok, seen=f"The user {_said(answer)}.")


@proof("incident-while-waiting")
def while_waiting(aws, case):
    """A key waits for its deletion, and one call is made."""
    kms = boto3.client("kms")
    key, blob = _key_and_secret(kms)
    me = f"arn:aws:iam::{aws.account_id}:user/learner"
    grant = kms.create_grant(KeyId=key, GranteePrincipal=me, Operations=["Decrypt"])["GrantId"]
    policy = kms.get_key_policy(KeyId=key)["Policy"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    answer = {
        "policy": lambda: tried(kms.put_key_policy, KeyId=key, Policy=policy),
        "revoke": lambda: tried(kms.revoke_grant, KeyId=key, GrantId=grant),
        "decrypt": lambda: tried(kms.decrypt, CiphertextBlob=blob),
        "enable": lambda: tried(kms.enable_key, KeyId=key),
        "again": lambda: tried(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=30),
    }[case]()
    return Outcome(holds=answer.ok, seen=f"The call gave {answer.code or 'an answer'}.")
