"""Policies enforced at the gateway, through plain boto3, and each refusal explained."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from kmscourse import cloud
from tests.cloud.conftest import code_of, message_of

OTHER = "222222222222"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def give(user: str, *statements: dict[str, Any], iam: Any = None) -> None:
    """Give a user an inline policy; make the user where there is none."""
    iam = iam or boto3.client("iam")
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="given", PolicyDocument=document(*statements))


def refused(aws: cloud.Cloud, attempt: Any) -> tuple[str, str]:
    """AWS's message and our explanation of a refusal."""
    with pytest.raises(ClientError) as error:
        attempt()
    assert code_of(error) in ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
    return message_of(error), aws.explain(error.value).because


def test_the_default_key_policy_leaves_it_to_iam(aws: cloud.Cloud, key_id: str) -> None:
    analyst = aws.session("analyst").client("kms")
    message, because = refused(aws, lambda: analyst.encrypt(KeyId=key_id, Plaintext=b"x"))
    assert message.endswith("because no identity-based policy allows the kms:Encrypt action")
    assert message.startswith(f"User: arn:aws:iam::{aws.account_id}:user/analyst is not authorized")
    assert "identity" in because or "IAM" in because
    give("analyst", allow("kms:Encrypt"))
    assert analyst.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]


def test_iam_alone_opens_no_key_whose_policy_does_not_let_it(aws: cloud.Cloud, kms: Any) -> None:
    owner = f"arn:aws:iam::{aws.account_id}:user/learner"
    key = kms.create_key(
        Policy=document(allow("kms:*", Principal={"AWS": owner})),
    )["KeyMetadata"]["KeyId"]
    give("admin", allow("*"))
    admin = aws.session("admin").client("kms")
    message, because = refused(aws, lambda: admin.encrypt(KeyId=key, Plaintext=b"x"))
    assert message.endswith("because no resource-based policy allows the kms:Encrypt action")
    assert "key policy" in because
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]


def test_a_key_policy_that_names_nobody_lets_nobody_in(aws: cloud.Cloud, kms: Any) -> None:
    key = kms.create_key(Policy=document(), BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"][
        "KeyId"
    ]
    for who in ("learner", "root"):
        client = aws.session(who).client("kms")
        for attempt in (
            lambda c=client: c.encrypt(KeyId=key, Plaintext=b"x"),
            lambda c=client: c.put_key_policy(KeyId=key, Policy=document()),
            lambda c=client: c.schedule_key_deletion(KeyId=key),
        ):
            refused(aws, attempt)


def test_locking_oneself_out_needs_to_be_meant(kms: Any, key_id: str) -> None:
    with pytest.raises(ClientError) as error:
        kms.put_key_policy(KeyId=key_id, Policy=document())
    assert code_of(error) == "MalformedPolicyDocumentException"
    assert "update the key policy in the future" in message_of(error)


def test_an_explicit_deny_wins(aws: cloud.Cloud, kms: Any, key_id: str) -> None:
    give("nurse", allow("kms:*"), {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"})
    nurse = aws.session("nurse").client("kms")
    blob = nurse.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    message, because = refused(aws, lambda: nurse.decrypt(CiphertextBlob=blob, KeyId=key_id))
    assert message.endswith("with an explicit deny in an identity-based policy")
    assert "den" in because.lower()


def test_the_encryption_context_can_be_a_condition(aws: cloud.Cloud, key_id: str) -> None:
    condition = {"StringEquals": {"kms:EncryptionContext:ward": "cardiology"}}
    give("nurse", allow("kms:Encrypt", Condition=condition))
    nurse = aws.session("nurse").client("kms")
    context = {"ward": "cardiology", "patient": "4711"}
    assert nurse.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext=context)
    refused(
        aws,
        lambda: nurse.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext={"ward": "x"}),
    )
    refused(aws, lambda: nurse.encrypt(KeyId=key_id, Plaintext=b"x"))


@pytest.mark.parametrize("missing", ["key policy", "IAM policy", "nothing"])
def test_cross_account_needs_both_sides(aws: cloud.Cloud, kms: Any, missing: str) -> None:
    principals = [f"arn:aws:iam::{aws.account_id}:root"]
    if missing != "key policy":
        principals.append(f"arn:aws:iam::{OTHER}:root")
    arn = kms.create_key(Policy=document(allow("kms:*", Principal={"AWS": principals})))[
        "KeyMetadata"
    ]["Arn"]
    abroad = aws.account(OTHER)
    statement = allow("s3:GetObject" if missing == "IAM policy" else "kms:Encrypt", arn)
    give("doctor", statement, iam=abroad.session("root").client("iam"))
    doctor = abroad.session("doctor").client("kms")
    if missing == "nothing":
        assert doctor.encrypt(KeyId=arn, Plaintext=b"x")["KeyId"] == arn
        with pytest.raises(ClientError):  # of no use across accounts, whatever policies say
            abroad.session("root").client("kms").schedule_key_deletion(KeyId=arn)
    else:
        _, because = refused(aws, lambda: doctor.encrypt(KeyId=arn, Plaintext=b"x"))
        assert ("key policy" if missing == "key policy" else "IAM") in because


def test_a_role_is_assumed_only_by_whom_it_trusts(aws: cloud.Cloud) -> None:
    iam = boto3.client("iam")
    trust = document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{aws.account_id}:user/learner"},
            "Action": "sts:AssumeRole",
        }
    )
    role = iam.create_role(RoleName="clinician", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(
        RoleName="clinician", PolicyName="use", PolicyDocument=document(allow("kms:ListKeys"))
    )
    sts = boto3.client("sts")
    session = sts.assume_role(RoleArn=role, RoleSessionName="night-shift")
    given = session["Credentials"]
    clinician = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    who = clinician.client("sts").get_caller_identity()["Arn"]
    assert who.endswith(":assumed-role/clinician/night-shift")
    clinician.client("kms").list_keys()
    refused(aws, lambda: clinician.client("kms").create_key())
    give("stranger", allow("sts:AssumeRole"))
    stranger = aws.session("stranger").client("sts")
    refused(aws, lambda: stranger.assume_role(RoleArn=role, RoleSessionName="night"))


@pytest.mark.parametrize("operation", ["put_user_policy", "create_policy"])
def test_a_policy_of_an_identity_names_no_principal(aws: cloud.Cloud, operation: str) -> None:
    """IAM User Guide, "AWS JSON policy elements: Principal"."""
    iam = boto3.client("iam")
    aws.session("nurse")
    named = {"UserName": "nurse"} if operation == "put_user_policy" else {}
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": allow})
    with pytest.raises(ClientError) as refused:
        getattr(iam, operation)(**named, PolicyName="reads", PolicyDocument=policy)
    said = refused.value.response["Error"]
    assert said["Code"] == "MalformedPolicyDocument"
    assert said["Message"] == "Policy document should not specify a principal."


def test_a_boundary_caps_a_user(aws: cloud.Cloud, key_id: str) -> None:
    iam = boto3.client("iam")
    give("nurse", allow("kms:*"))
    boundary = iam.create_policy(
        PolicyName="no-decrypt", PolicyDocument=document(allow("kms:Encrypt"))
    )["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName="nurse", PermissionsBoundary=boundary)
    nurse = aws.session("nurse").client("kms")
    blob = nurse.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    message, because = refused(aws, lambda: nurse.decrypt(CiphertextBlob=blob, KeyId=key_id))
    assert message.endswith("because no permissions boundary allows the kms:Decrypt action")
    assert "boundary" in because
    iam.delete_user_permissions_boundary(UserName="nurse")
    assert nurse.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_service_control_policy_caps_a_member_account(aws: cloud.Cloud) -> None:
    organizations = boto3.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    member = organizations.create_account(AccountName="ward", Email="ward@clinic.example")[
        "CreateAccountStatus"
    ]["AccountId"]
    policy = organizations.create_policy(
        Name="no-new-keys",
        Description="",
        Type="SERVICE_CONTROL_POLICY",
        Content=document({"Effect": "Deny", "Action": "kms:CreateKey", "Resource": "*"}),
    )["Policy"]["PolicySummary"]["Id"]
    with pytest.raises(ClientError) as error:
        organizations.attach_policy(PolicyId=policy, TargetId=member)
    assert code_of(error) == "PolicyTypeNotEnabledException"
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    organizations.attach_policy(PolicyId=policy, TargetId=member)
    ward = aws.account(member).session("root").client("kms")
    message, because = refused(aws, lambda: ward.create_key())
    assert message.endswith("with an explicit deny in a service control policy")
    assert "SCP" in because
    assert boto3.client("kms").create_key()  # the management account is not touched


def test_via_service_is_only_for_calls_through_that_service(aws: cloud.Cloud, kms: Any) -> None:
    condition = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    user = f"arn:aws:iam::{aws.account_id}:user/app"
    root = f"arn:aws:iam::{aws.account_id}:root"
    give("app", allow("s3:*"))
    key = kms.create_key(
        Policy=document(
            allow(["kms:PutKeyPolicy", "kms:DescribeKey"], Principal={"AWS": root}),
            allow("kms:*", Principal={"AWS": user}, Condition=condition),
        )
    )["KeyMetadata"]["Arn"]
    app = aws.session("app")
    s3 = app.client("s3")
    s3.create_bucket(Bucket="records")
    s3.put_object(
        Bucket="records", Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    assert s3.get_object(Bucket="records", Key="k")["Body"].read() == b"x"
    refused(aws, lambda: app.client("kms").encrypt(KeyId=key, Plaintext=b"x"))


@pytest.mark.parametrize(
    ("service", "ask"),
    [
        ("iam", lambda c: c.list_users()),
        ("ec2", lambda c: c.describe_volumes()),
        ("rds", lambda c: c.describe_db_instances()),
        ("ssm", lambda c: c.get_parameter(Name="/clinic/password")),
        ("secretsmanager", lambda c: c.list_secrets()),
        ("dynamodb", lambda c: c.list_tables()),
        ("cloudtrail", lambda c: c.lookup_events()),
        ("organizations", lambda c: c.describe_organization()),
        ("s3", lambda c: c.list_buckets()),
    ],
)
def test_every_service_of_the_lessons_asks(aws: cloud.Cloud, service: str, ask: Any) -> None:
    stranger = aws.session("stranger").client(service)
    refused(aws, lambda: ask(stranger))


def test_a_resource_arn_in_a_policy_is_taken_at_its_word(aws: cloud.Cloud) -> None:
    arn = f"arn:aws:ssm:us-east-1:{aws.account_id}:parameter/clinic/*"
    give("app", allow("ssm:GetParameter", arn))
    for name in ("/clinic/password", "/payroll/password"):
        boto3.client("ssm").put_parameter(Name=name, Value="x", Type="String")
    app = aws.session("app").client("ssm")
    assert app.get_parameter(Name="/clinic/password")["Parameter"]["Value"] == "x"
    refused(aws, lambda: app.get_parameter(Name="/payroll/password"))


def test_explain_says_so_when_no_policy_refused(aws: cloud.Cloud, kms: Any) -> None:
    with pytest.raises(ClientError) as error:
        kms.encrypt(KeyId="alias/none", Plaintext=b"x")
    with pytest.raises(ValueError, match="NotFoundException"):
        aws.explain(error.value)


def test_lookup_events_reads_the_trail(aws: cloud.Cloud, kms: Any, key_id: str) -> None:
    for _ in range(3):
        kms.encrypt(KeyId=key_id, Plaintext=b"x")
    boto3.client("s3").create_bucket(Bucket="records")
    boto3.client("s3").put_object(Bucket="records", Key="k", Body=b"x")
    cloudtrail = boto3.client("cloudtrail")
    asked = [{"AttributeKey": "EventName", "AttributeValue": "Encrypt"}]
    pages = cloudtrail.get_paginator("lookup_events").paginate(
        LookupAttributes=asked, PaginationConfig={"PageSize": 2}
    )
    events = [event for page in pages for event in page["Events"]]
    assert len(events) == 3
    record = json.loads(events[0]["CloudTrailEvent"])
    assert record == aws.trail.events("Encrypt")[-1]
    assert events[0]["Username"] == "learner"
    with pytest.raises(ClientError, match=r"'maxResults' failed .* less than or equal to 50"):
        cloudtrail.lookup_events(MaxResults=1000)
    everything = cloudtrail.lookup_events()["Events"]
    assert "PutObject" not in {event["EventName"] for event in everything}  # a data event
    asked = [{"AttributeKey": "ResourceName", "AttributeValue": key_id}]
    assert len(cloudtrail.lookup_events(LookupAttributes=asked)["Events"]) == 4
