"""What the questions of this lesson claim, played on the simulator."""

import base64
import json
from contextlib import suppress

import boto3
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from kmscourse.exam.proofs import Outcome, proof, tried

ELSEWHERE = "222222222222"
RECORD = b"Patient 4711: asthma."


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions, principal=None, resource="*", **more):
    who = {"Principal": {"AWS": principal}} if principal else {}
    return {"Effect": "Allow", **who, "Action": actions, "Resource": resource, **more}


def deny(actions, **more):
    return {"Effect": "Deny", "Action": actions, "Resource": "*", **more}


def root_of(aws):
    return f"arn:aws:iam::{aws.account_id}:root"


def user_arn(aws, name):
    return f"arn:aws:iam::{aws.account_id}:user/{name}"


def give(name, *statements, iam=None, called="given"):
    """Make a user of this name, with these permissions."""
    iam = iam or boto3.client("iam")
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName=called, PolicyDocument=policy(*statements))


def new_key(*statements, kms=None, **more):
    kms = kms or boto3.client("kms")
    if statements:
        more["Policy"] = policy(*statements)
    return kms.create_key(**more)["KeyMetadata"]["Arn"]


def as_user(aws, name, service="kms"):
    return aws.session(name).client(service)


def encrypts(kms, key, **more):
    return tried(kms.encrypt, KeyId=key, Plaintext=RECORD, **more)


@proof("policies-admin-refused")
def admin_refused(aws, case):
    """An administrator with every IAM permission decrypts under a key that names two users."""
    kms, iam = boto3.client("kms"), boto3.client("iam")
    for name in ("keeper", "app"):
        give(name)
    look_after = ["kms:Encrypt", "kms:PutKeyPolicy", "kms:CreateAlias", "kms:DescribeKey"]
    named = [
        allow(look_after, user_arn(aws, "learner")),
        allow("kms:Encrypt", user_arn(aws, "app")),
    ]
    key = new_key(*named)
    give("admin", allow("*"))
    blob = kms.encrypt(KeyId=key, Plaintext=RECORD)["CiphertextBlob"]
    admin, asked = as_user(aws, "admin"), {"CiphertextBlob": blob, "KeyId": key}
    before = tried(admin.decrypt, **asked)
    if case == "root":
        kms.put_key_policy(KeyId=key, Policy=policy(*named, allow("kms:*", root_of(aws))))
    elif case == "second-iam":
        give("admin", allow("kms:Decrypt", resource=key), called="second")
    elif case == "alias":
        kms.create_alias(AliasName="alias/records", TargetKeyId=key)
        alias = key.rpartition(":key/")[0] + ":alias/records"
        iam.put_user_policy(
            UserName="admin",
            PolicyName="alias",
            PolicyDocument=policy(allow("kms:Decrypt", resource=alias)),
        )
        asked["KeyId"] = "alias/records"
    else:
        admin = as_user(aws, "root")
    after = tried(admin.decrypt, **asked)
    return Outcome(
        holds=after.ok and not before.ok,
        seen=f"Before: {before.code}. After the change: {after.code or 'decrypted'}.",
    )


@proof("policies-default")
def default(aws, case):
    """A developer makes a key without a policy; users with and without an IAM policy encrypt."""
    give("developer", allow("kms:CreateKey"))
    key = new_key(kms=as_user(aws, "developer"))
    give("with-iam", allow("kms:Encrypt", resource=key))
    give("without")
    can = {
        name: encrypts(as_user(aws, name), key).ok for name in ("developer", "with-iam", "without")
    }
    holds = {
        "iam-decides": can["with-iam"] and not can["without"],
        "everyone": all(can.values()),
        "creator": can["developer"],
        "nobody": not any(can.values()),
    }[case]
    return Outcome(holds=holds, seen=f"Who could encrypt: {can}.")


@proof("policies-root-removed")
def root_removed(aws, case):
    """The statement for the account's root is replaced by one for a single user."""
    kms = boto3.client("kms")
    key = new_key()
    give("key-keeper", allow("kms:*"))
    give("app", allow("kms:Encrypt"))
    keeper, app = as_user(aws, "key-keeper"), as_user(aws, "app")
    before = encrypts(app, key).ok
    saved = tried(
        keeper.put_key_policy,
        KeyId=key,
        Policy=policy(allow("kms:*", user_arn(aws, "key-keeper"))),
    )
    after, as_root = encrypts(app, key).ok, encrypts(as_user(aws, "root"), key).ok
    holds = {
        "roles-lose": saved.ok and before and not after,
        "only-root": saved.ok and after and not as_root,
        "no-effect": saved.ok and after and encrypts(kms, key).ok,
        "refused": not saved.ok,
    }[case]
    return Outcome(
        holds=holds,
        seen=f"Saved: {saved.ok}. Those who had it from IAM: {before} before, {after} after; "
        f"the root user afterwards: {as_root}.",
    )


@proof("policies-bucket-and-key")
def bucket_and_key(aws, case):
    """An analyst with both permissions in IAM gets an object under another's key."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="records")
    give("app", allow("s3:*"))
    key = new_key(
        allow(["kms:PutKeyPolicy"], root_of(aws)),
        allow(["kms:GenerateDataKey", "kms:Decrypt"], user_arn(aws, "app")),
    )
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    as_user(aws, "app", "s3").put_object(Bucket="records", Key="4711", Body=RECORD, **sealed)
    s3.put_object(Bucket="records", Key="plain", Body=b"x")
    give("analyst", allow(["s3:GetObject", "kms:Decrypt"]))
    analyst = as_user(aws, "analyst", "s3")
    other = tried(analyst.get_object, Bucket="records", Key="plain")
    answer = tried(analyst.get_object, Bucket="records", Key="4711")
    body = answer.answer["Body"].read() if answer.ok else None
    holds = {
        "kms-refuses": other.ok and "kms:Decrypt" in answer.words,
        "s3-refuses": not other.ok,
        "plaintext": body == RECORD,
        "ciphertext": body is not None and body != RECORD,
    }[case]
    return Outcome(
        holds=holds,
        seen=f"Without a bucket policy an object under S3's own keys came: {other.ok}. "
        f"The one under the key: {answer.words or 'came, too'}.",
    )


@proof("policies-separate-duties")
def separate_duties(aws, case):
    """A key administrator with these actions tries every way to a plaintext."""
    kms = boto3.client("kms")
    actions = {
        "read": ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"],
        "lifecycle": ["kms:DisableKey", "kms:EnableKey", "kms:ScheduleKeyDeletion"],
        "grants": ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
        "policy": ["kms:PutKeyPolicy", "kms:GetKeyPolicy", "kms:DescribeKey"],
        "labels": ["kms:TagResource", "kms:UpdateKeyDescription", "kms:EnableKeyRotation"],
    }[case]
    give("team")
    mine = user_arn(aws, "team")
    owner = [
        allow(["kms:Encrypt", "kms:PutKeyPolicy"], user_arn(aws, "learner")),
        allow(actions, mine),
    ]
    key = new_key(*owner)
    blob = kms.encrypt(KeyId=key, Plaintext=RECORD)["CiphertextBlob"]
    team = as_user(aws, "team")
    tried(team.create_grant, KeyId=key, GranteePrincipal=mine, Operations=["Decrypt"])
    tried(team.put_key_policy, KeyId=key, Policy=policy(allow("kms:*", mine)))
    for call, more in (
        (team.describe_key, {}),
        (team.disable_key, {}),
        (team.enable_key, {}),
        (team.tag_resource, {"Tags": [{"TagKey": "open", "TagValue": "yes"}]}),
        (team.enable_key_rotation, {}),
    ):
        tried(call, KeyId=key, **more)
    opened = tried(team.decrypt, CiphertextBlob=blob, KeyId=key)
    return Outcome(
        holds=not opened.ok,
        seen=f"After every try, Decrypt by the team: {opened.code or 'the plaintext'}.",
    )


@proof("policies-lockout")
def lockout(aws, case):
    """A policy without its author is saved in one of four ways, and changed again a week later."""
    give("app")
    give("key-admin", allow("kms:CreateKey"))
    me = user_arn(aws, "key-admin")
    key = new_key(allow("kms:*", me), kms=as_user(aws, "key-admin"))
    wanted, how = [allow("kms:Encrypt", user_arn(aws, "app"))], {}
    caller = as_user(aws, "key-admin")
    if case == "add":
        wanted.append(allow("kms:PutKeyPolicy", me))
    elif case == "bypass":
        how["BypassPolicyLockoutSafetyCheck"] = True
    elif case == "iam":
        give("key-admin", allow("kms:PutKeyPolicy"))
    else:
        caller = as_user(aws, "root")
    saved = tried(caller.put_key_policy, KeyId=key, Policy=policy(*wanted), **how)
    used = encrypts(as_user(aws, "app"), key)
    aws.clock.advance(days=7)
    again = tried(
        as_user(aws, "key-admin").put_key_policy, KeyId=key, Policy=policy(allow("kms:*", me))
    )
    return Outcome(
        holds=saved.ok and used.ok and again.ok,
        seen=f"Saving: {saved.code or 'done'}. Changing it a week later: {again.code or 'done'}.",
    )


@proof("policies-cross-account")
def cross_account(aws, case):
    """Every step is taken but the one of this option, and the other account encrypts."""
    kms, there = boto3.client("kms"), aws.account(ELSEWHERE)
    admin = there.session("root")
    them = f"arn:aws:iam::{ELSEWHERE}:root"
    key = new_key(
        allow("kms:*", root_of(aws)),
        *([] if case == "key-policy" else [allow("kms:Encrypt", them)]),
    )
    give(
        "app",
        allow("s3:GetObject") if case == "iam-there" else allow("kms:Encrypt", resource=key),
        iam=admin.client("iam"),
    )
    others = []
    if case != "iam-here":
        others.append(
            tried(
                boto3.client("iam").create_policy,
                PolicyName="app",
                PolicyDocument=policy(allow("kms:Encrypt", f"arn:aws:iam::{ELSEWHERE}:user/app")),
            )
        )
    if case != "alias-there":
        others.append(
            tried(admin.client("kms").create_alias, AliasName="alias/theirs", TargetKeyId=key)
        )
    if case not in ("grant", "key-policy", "iam-there"):
        kms.create_grant(KeyId=key, GranteePrincipal=them, Operations=["Encrypt"])
    answer = encrypts(there.session("app").client("kms"), key)
    return Outcome(
        holds=not answer.ok,
        seen=f"Without this step, Encrypt from the other account: {answer.code or 'done'}.",
    )


@proof("policies-grant-temporary")
def grant_temporary(aws, case):
    """A nightly job decrypts, and tries again a day later; the key policy is compared."""
    kms, key = boto3.client("kms"), new_key()
    give("job")
    job = as_user(aws, "job")
    before = kms.get_key_policy(KeyId=key)["Policy"]
    blob = kms.encrypt(KeyId=key, Plaintext=RECORD)["CiphertextBlob"]
    asked = {"CiphertextBlob": blob, "KeyId": key}
    to_the_job = {"GranteePrincipal": user_arn(aws, "job"), "Operations": ["Decrypt"]}
    grant = None
    if case in ("grant", "expire"):
        grant = kms.create_grant(KeyId=key, **to_the_job)["GrantId"]
    elif case == "alias":
        kms.create_alias(AliasName="alias/tonight", TargetKeyId=key)
        asked["KeyId"] = "alias/tonight"
    else:
        kms.enable_key(KeyId=key)
    at_night = tried(job.decrypt, **asked)
    if case == "grant":
        kms.revoke_grant(KeyId=key, GrantId=grant)
    elif case == "alias":
        kms.delete_alias(AliasName="alias/tonight")
    elif case == "enable":
        kms.disable_key(KeyId=key)
    aws.clock.advance(days=1)
    later = tried(job.decrypt, CiphertextBlob=blob, KeyId=key)
    same = kms.get_key_policy(KeyId=key)["Policy"] == before
    return Outcome(
        holds=at_night.ok and not later.ok and same,
        seen=f"At night: {at_night.code or 'decrypted'}. A day later: {later.code or 'decrypted'}.",
    )


@proof("policies-grant-constraint")
def grant_constraint(aws, case):
    """A device with a grant opens records of two patients, each with a ward in its context."""
    kms, key = boto3.client("kms"), new_key()
    give("device")
    pair = {"patient": "4711"}
    limits = {
        "subset": {"Constraints": {"EncryptionContextSubset": pair}},
        "equals": {"Constraints": {"EncryptionContextEquals": pair}},
        "name": {"Name": "patient/4711"},
        "token": {},
    }[case]
    grant = kms.create_grant(
        KeyId=key, GranteePrincipal=user_arn(aws, "device"), Operations=["Decrypt"], **limits
    )
    device = as_user(aws, "device")
    token = {"GrantTokens": [grant["GrantToken"]]} if case == "token" else {}

    def opens(patient, ward):
        context = {"EncryptionContext": {"patient": patient, "ward": ward}}
        blob = kms.encrypt(KeyId=key, Plaintext=RECORD, **context)["CiphertextBlob"]
        return tried(device.decrypt, CiphertextBlob=blob, **context, **token).ok

    own = [opens("4711", ward) for ward in ("cardiology", "surgery")]
    foreign = opens("4712", "cardiology")
    return Outcome(
        holds=all(own) and not foreign,
        seen=f"Patient 4711 in two wards: {own}; patient 4712: {foreign}.",
    )


@proof("policies-grant-end")
def grant_end(aws, case):
    """One of five things happens, and the reader tries to decrypt."""
    kms, key = boto3.client("kms"), new_key()
    for name in ("reader", "broker"):
        give(name)
    give("manager", allow("kms:RevokeGrant", resource=key))
    grant = kms.create_grant(
        KeyId=key,
        GranteePrincipal=user_arn(aws, "reader"),
        RetiringPrincipal=user_arn(aws, "broker"),
        Operations=["Decrypt", "RetireGrant"],
    )["GrantId"]
    blob = kms.encrypt(KeyId=key, Plaintext=RECORD)["CiphertextBlob"]
    reader = as_user(aws, "reader")
    asked = {"KeyId": key, "GrantId": grant}
    if case == "year":
        aws.clock.advance(days=366)
    elif case == "revoke":
        tried(as_user(aws, "manager").revoke_grant, **asked)
    elif case == "broker-revoke":
        tried(as_user(aws, "broker").revoke_grant, **asked)
    else:
        who = {"grantee": "reader", "retiring": "broker"}[case]
        tried(as_user(aws, who).retire_grant, **asked)
    after = tried(reader.decrypt, CiphertextBlob=blob, KeyId=key)
    listed = len(kms.list_grants(KeyId=key)["Grants"])
    return Outcome(
        holds=not after.ok and listed == 0,
        seen=f"Decrypt by the reader: {after.code or 'decrypted'}; grants left: {listed}.",
    )


@proof("policies-via-service")
def via_service(aws, case):
    """An application stores an object under the key, and calls AWS KMS directly."""
    give("app", allow("s3:*"))
    condition = {
        "via": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
        "caller": {"StringEquals": {"kms:CallerAccount": aws.account_id}},
        "principal": {"ArnEquals": {"aws:PrincipalArn": user_arn(aws, "app")}},
        "tls": {"Bool": {"aws:SecureTransport": "true"}},
    }[case]
    key = new_key(
        allow("kms:PutKeyPolicy", root_of(aws)),
        allow(["kms:GenerateDataKey", "kms:Decrypt"], user_arn(aws, "app"), Condition=condition),
    )
    s3 = as_user(aws, "app", "s3")
    s3.create_bucket(Bucket="records")
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    stored = tried(s3.put_object, Bucket="records", Key="1", Body=RECORD, **sealed)
    straight = tried(as_user(aws, "app").generate_data_key, KeyId=key, KeySpec="AES_256")
    return Outcome(
        holds=stored.ok and not straight.ok,
        seen=f"Through Amazon S3: {stored.code or 'done'}. Straight: {straight.code or 'done'}.",
    )


def session_with_mfa(aws):
    """A KMS client of the learner, in a session that began with a code."""
    iam, sts = boto3.client("iam"), boto3.client("sts")
    phone = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    seed = base64.b32decode(phone["Base32StringSeed"])

    def code():
        now = int(aws.clock.now().timestamp())
        return TOTP(seed, 6, SHA1(), 30, enforce_key_length=False).generate(now).decode()

    iam.enable_mfa_device(
        UserName="learner",
        SerialNumber=phone["SerialNumber"],
        AuthenticationCode1=code(),
        AuthenticationCode2=code(),
    )
    given = sts.get_session_token(SerialNumber=phone["SerialNumber"], TokenCode=code())
    keys = given["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]).client(
        "kms"
    )


@proof("policies-mfa")
def mfa(aws, case):
    """The key is disabled with a plain access key, without MFA, and in one that began with it."""
    present = "aws:MultiFactorAuthPresent"
    statement = {
        "deny-if-exists": deny(
            "kms:DisableKey", Principal="*", Condition={"BoolIfExists": {present: "false"}}
        ),
        "deny": deny("kms:DisableKey", Principal="*", Condition={"Bool": {present: "false"}}),
        "allow": allow("kms:DisableKey", root_of(aws), Condition={"Bool": {present: "true"}}),
        "allow-null": allow("kms:DisableKey", root_of(aws), Condition={"Null": {present: "false"}}),
    }[case]
    key = new_key(allow("kms:*", root_of(aws)), statement)
    plain = tried(boto3.client("kms").disable_key, KeyId=key)
    boto3.client("kms").enable_key(KeyId=key)
    sure = tried(session_with_mfa(aws).disable_key, KeyId=key)
    return Outcome(
        holds=sure.ok and not plain.ok,
        seen=f"An access key: {plain.code or 'disabled'}; with MFA: {sure.code or 'disabled'}.",
    )


@proof("policies-explicit-deny")
def explicit_deny(aws, case):
    """A user with an Allow in the key policy and a Deny in IAM decrypts, then something changes."""
    kms, iam = boto3.client("kms"), boto3.client("iam")
    give("ana", deny("kms:Decrypt"))
    ana = user_arn(aws, "ana")
    manage = allow(["kms:PutKeyPolicy", "kms:CreateGrant", "kms:Encrypt"], user_arn(aws, "learner"))
    direct = allow("kms:Decrypt", ana)
    key = new_key(manage, direct)
    blob = kms.encrypt(KeyId=key, Plaintext=RECORD)["CiphertextBlob"]
    user = as_user(aws, "ana")
    before = tried(user.decrypt, CiphertextBlob=blob, KeyId=key)
    if case == "no-deny":
        iam.delete_user_policy(UserName="ana", PolicyName="given")
    elif case == "iam-allow":
        give("ana", allow("kms:Decrypt"), called="second")
    elif case == "grant":
        kms.create_grant(KeyId=key, GranteePrincipal=ana, Operations=["Decrypt"])
    else:
        kms.put_key_policy(KeyId=key, Policy=policy(manage, direct, allow("kms:*", root_of(aws))))
    after = tried(user.decrypt, CiphertextBlob=blob, KeyId=key)
    return Outcome(
        holds=after.ok and not before.ok,
        seen=f"Before: {before.code}. After the change: {after.code or 'decrypted'}.",
    )


def member(aws):
    """A member account of a new organization, and the organization's client."""
    organizations = boto3.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    top = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=top, PolicyType="SERVICE_CONTROL_POLICY")
    made = organizations.create_account(AccountName="ward", Email="ward@clinic.example")
    return aws.account(made["CreateAccountStatus"]["AccountId"]), organizations


@proof("policies-scp")
def scp(aws, case):
    """The root user of a member account schedules a deletion, with whatever it may change first."""
    ward, organizations = member(aws)
    root = ward.session("root")
    kms, iam = root.client("kms"), root.client("iam")
    own = f"arn:aws:iam::{ward.id}:root"
    key = new_key(kms=kms)
    stop = deny("kms:ScheduleKeyDeletion")
    if case == "scp":
        made = organizations.create_policy(
            Name="keys-stay", Description="", Type="SERVICE_CONTROL_POLICY", Content=policy(stop)
        )
        organizations.attach_policy(
            PolicyId=made["Policy"]["PolicySummary"]["Id"], TargetId=ward.id
        )
    elif case == "boundary":
        edge = iam.create_policy(
            PolicyName="edge", PolicyDocument=policy(allow(["kms:Describe*", "s3:*"]))
        )["Policy"]["Arn"]
        give("admin", allow("*"), iam=iam)
        iam.put_user_permissions_boundary(UserName="admin", PermissionsBoundary=edge)
    elif case == "key-policy":
        guarded = policy(allow("kms:*", own), {**stop, "Principal": "*"})
        kms.put_key_policy(KeyId=key, Policy=guarded)
    else:
        give("admin", allow("*"), stop, iam=iam)
    tried(kms.put_key_policy, KeyId=key, Policy=policy(allow("kms:*", own)))
    gone = tried(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=30)
    return Outcome(
        holds=not gone.ok,
        seen=f"The member's root user, who may change policies: {gone.code or 'it is scheduled'}.",
    )


@proof("policies-boundary")
def boundary(aws, case):
    """A developer under a boundary decrypts, and lists tables, which must stay refused."""
    kms, iam, key = boto3.client("kms"), boto3.client("iam"), new_key()
    give("dev", allow("kms:Decrypt", resource=key), allow("dynamodb:ListTables"))
    edge = iam.create_policy(PolicyName="edge", PolicyDocument=policy(allow("s3:*")))
    edge_arn = edge["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName="dev", PermissionsBoundary=edge_arn)
    if case == "boundary":
        iam.create_policy_version(
            PolicyArn=edge_arn,
            PolicyDocument=policy(allow("s3:*"), allow("kms:Decrypt", resource=key)),
            SetAsDefault=True,
        )
    elif case == "iam":
        give("dev", allow("kms:Decrypt", resource=key), called="second")
    elif case == "none":
        iam.delete_user_permissions_boundary(UserName="dev")
    else:
        kms.put_key_policy(KeyId=key, Policy=policy(allow("kms:*", root_of(aws))))
    blob = kms.encrypt(KeyId=key, Plaintext=RECORD)["CiphertextBlob"]
    opened = tried(as_user(aws, "dev").decrypt, CiphertextBlob=blob, KeyId=key)
    more = tried(as_user(aws, "dev", "dynamodb").list_tables)
    return Outcome(
        holds=opened.ok and not more.ok,
        seen=f"Decrypt: {opened.code or 'done'}. What the boundary held back: "
        f"{more.code or 'passes now'}.",
    )


@proof("policies-confused-deputy")
def confused_deputy(aws, case):
    """The company's trail and a foreign one deliver sealed log files into one bucket."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="company-trail")
    service = {"Service": "cloudtrail.amazonaws.com"}
    write = {
        "Effect": "Allow",
        "Principal": service,
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::company-trail/*",
    }
    s3.put_bucket_policy(Bucket="company-trail", Policy=policy(write))
    condition = {
        "source-account": {"StringEquals": {"aws:SourceAccount": aws.account_id}},
        "principal-account": {"StringEquals": {"aws:PrincipalAccount": aws.account_id}},
        "caller-account": {"StringEquals": {"kms:CallerAccount": aws.account_id}},
        "is-service": {"Bool": {"aws:PrincipalIsAWSService": "true"}},
    }[case]
    seal = {
        "Effect": "Allow",
        "Principal": service,
        "Action": "kms:GenerateDataKey*",
        "Resource": "*",
        "Condition": condition,
    }
    key = new_key(allow("kms:*", root_of(aws)), seal)
    for session in (aws.session("learner"), aws.account("333333333333").session("root")):
        trail = session.client("cloudtrail")
        trail.create_trail(Name="audit", S3BucketName="company-trail", KmsKeyId=key)
        trail.start_logging(Name="audit")
    aws.clock.advance(minutes=10)
    files = [each["Key"] for each in s3.list_objects_v2(Bucket="company-trail").get("Contents", [])]
    ours = any(aws.account_id in name for name in files)
    foreign = any("333333333333" in name for name in files)
    return Outcome(
        holds=ours and not foreign,
        seen=f"Files of the company's trail: {ours}; of the foreign one: {foreign}.",
    )


@proof("policies-which-document")
def which_document(aws, case):
    """A user of another account is refused for want of an IAM policy; one thing changes."""
    kms, there = boto3.client("kms"), aws.account(ELSEWHERE)
    iam = there.session("root").client("iam")
    give("app", allow("s3:GetObject"), iam=iam)
    them, app = f"arn:aws:iam::{ELSEWHERE}:root", f"arn:aws:iam::{ELSEWHERE}:user/app"
    open_to_them = [allow("kms:*", root_of(aws)), allow("kms:Encrypt", them)]
    key = new_key(*open_to_them)
    client = there.session("app").client("kms")
    before = encrypts(client, key)
    if case == "iam-there":
        give("app", allow("kms:Encrypt", resource=key), iam=iam)
    elif case == "key-policy":
        kms.put_key_policy(KeyId=key, Policy=policy(*open_to_them, allow("kms:Encrypt", app)))
    elif case == "grant-account":
        kms.create_grant(KeyId=key, GranteePrincipal=them, Operations=["Encrypt"])
    else:
        give("admin", allow("kms:Encrypt", resource=key))
    after = encrypts(client, key)
    return Outcome(
        holds=after.ok and "no identity-based policy" in before.words,
        seen=f"Before: ...{before.words[-60:]} After the change: {after.code or 'encrypted'}.",
    )


@proof("policies-whole-organization")
def whole_organization(aws, case):
    """A member of today, one of next year and an outsider encrypt with a shared key."""
    today, organizations = member(aws)
    ident = organizations.describe_organization()["Organization"]["Id"]
    use = {
        "org-id": allow(
            "kms:Encrypt", "*", Condition={"StringEquals": {"aws:PrincipalOrgID": ident}}
        ),
        "via": allow("kms:Encrypt", "*", Condition={"StringEquals": {"kms:ViaService": ident}}),
        "org-arn": allow(
            "kms:Encrypt",
            f"arn:aws:organizations::{aws.account_id}:organization/{ident}",
        ),
        "list": allow("kms:Encrypt", [f"arn:aws:iam::{today.id}:root"]),
    }[case]
    saved = tried(boto3.client("kms").create_key, Policy=policy(allow("kms:*", root_of(aws)), use))
    if not saved.ok:
        return Outcome(holds=saved.ok, seen=f"KMS did not take the policy: {saved.code}.")
    key = saved.answer["KeyMetadata"]["Arn"]
    made = organizations.create_account(AccountName="later", Email="later@clinic.example")
    later = aws.account(made["CreateAccountStatus"]["AccountId"])
    can = {}
    for name, account in (("today", today), ("later", later), ("out", aws.account(ELSEWHERE))):
        give("app", allow("kms:Encrypt"), iam=account.session("root").client("iam"))
        can[name] = encrypts(account.session("app").client("kms"), key).ok
    return Outcome(
        holds=can["today"] and can["later"] and not can["out"],
        seen=f"A member of today: {can['today']}; of later: {can['later']}; outside: {can['out']}.",
    )
