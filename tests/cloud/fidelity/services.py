"""What AWS does around KMS, each with a probe that runs in either world."""

from __future__ import annotations

import json
from typing import Any

from tests.cloud.fidelity.behaviours import behaviour
from tests.cloud.fidelity.worlds import World, code

RECORD = b"diagnosis: confidential"
S3 = "Amazon S3 User Guide"


def _sealed_object(w: World) -> str:
    key, s3 = w.key(), w.client("s3")
    s3.create_bucket(Bucket="records")
    s3.put_object(
        Bucket="records",
        Key="k",
        Body=RECORD,
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=key,
    )
    return key


def _on_disk(w: World) -> bytes:
    if w.aws is not None:
        return bytes(w.aws.stored("s3", "records", "k"))
    from moto.s3.models import s3_backends

    return bytes(s3_backends["123456789012"]["aws"].buckets["records"].keys["k"].value)


# Amazon S3


@behaviour("Amazon S3", "An object under SSE-KMS lies on the disk as ciphertext", f"{S3}, SSE-KMS")
def s3_ciphertext(w: World) -> bool:
    _sealed_object(w)
    return RECORD not in _on_disk(w)


@behaviour("Amazon S3", "It cannot be read while its KMS key is disabled", f"{S3}, SSE-KMS")
def s3_disabled(w: World) -> bool:
    key = _sealed_object(w)
    w.kms().disable_key(KeyId=key)
    return bool(code(w.client("s3").get_object, Bucket="records", Key="k"))


@behaviour("Amazon S3", "A KMS key that does not exist is refused", f"{S3}, SSE-KMS")
def s3_no_key(w: World) -> bool:
    s3 = w.client("s3")
    s3.create_bucket(Bucket="records")
    missing = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000"
    return bool(
        code(
            s3.put_object,
            Bucket="records",
            Key="k",
            Body=b"x",
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=missing,
        )
    )


@behaviour(
    "Amazon S3",
    "A bucket policy that denies plain HTTP (aws:SecureTransport) does so",
    f"{S3}, Bucket policy examples",
)
def s3_secure_transport(w: World) -> bool:
    w.client("s3").create_bucket(Bucket="records")
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::records", "arn:aws:s3:::records/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    }
    w.client("s3").put_bucket_policy(Bucket="records", Policy=json.dumps(policy))
    plain: Any = w.client("s3", tls=False)
    secure = w.client("s3").list_objects_v2(Bucket="records")["KeyCount"] == 0
    return secure and code(plain.list_objects_v2, Bucket="records") == "AccessDenied"


@behaviour(
    "Amazon S3",
    "Access control lists and Block Public Access have a say",
    f"{S3}, Access control",
    "They do not: policies alone decide. Objects made public by an ACL are refused to strangers.",
    tried=False,
)
def s3_acls(w: World) -> bool:
    return False


@behaviour(
    "Amazon S3",
    "Where KMS throttles what S3 asks for a caller, S3 answers SlowDown (503)",
    "as S3 answered in aws-samples/cql-replicator#92",
)
def s3_slow_down(w: World) -> bool:
    if w.aws is None:
        return False  # moto throttles nobody
    key, s3 = w.key(), w.client("s3")
    s3.create_bucket(Bucket="records")
    how = {"Bucket": "records", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    w.aws.quotas.on(symmetric=0.001)
    return "SlowDown" in [code(s3.put_object, Key=k, Body=b"x", **how) for k in ("a", "b")]


@behaviour(
    "Amazon S3",
    "What S3 charges itself: requests, storage, the second layer of DSSE-KMS",
    "Amazon S3 pricing",
    "The bill is that of the keys and secrets: KMS, Secrets Manager, Parameter Store. What S3 "
    "charges itself is not on it.",
    tried=False,
)
def s3_charges(w: World) -> bool:
    return False


@behaviour(
    "Amazon S3",
    "How often DSSE-KMS calls KMS",
    f"{S3}, DSSE-KMS (its pages disagree)",
    "Two calls for each object, one a layer. Do not take the number to an exam.",
    tried=False,
)
def s3_dsse(w: World) -> bool:
    return False


@behaviour(
    "Amazon S3",
    "A form upload from a browser (POST Object) is accepted",
    f"{S3}, Browser-based uploads",
    "It is refused.",
    tried=False,
)
def s3_form(w: World) -> bool:
    return False


@behaviour(
    "Amazon S3",
    "A replication rule copies new objects to a bucket of another Region",
    f"{S3}, Replicating objects",
)
def s3_replication(w: World) -> bool:
    s3, iam = w.client("s3"), w.client("iam")
    away = w.client("s3", region="eu-west-1")
    s3.create_bucket(Bucket="records")
    away.create_bucket(
        Bucket="records-copy", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    for client, bucket in ((s3, "records"), (away, "records-copy")):
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    trust = _allow("sts:AssumeRole", Principal={"Service": "s3.amazonaws.com"})
    role = iam.create_role(RoleName="replicator", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    everything = _allow("s3:*", Resource="*")
    iam.put_role_policy(RoleName="replicator", PolicyName="all", PolicyDocument=everything)
    rule = {
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": "arn:aws:s3:::records-copy"},
    }
    s3.put_bucket_replication(
        Bucket="records", ReplicationConfiguration={"Role": role, "Rules": [rule]}
    )
    s3.put_object(Bucket="records", Key="k", Body=RECORD)
    w.advance(days=1)
    return not code(away.get_object, Bucket="records-copy", Key="k")


def _allow(action: str, **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@behaviour(
    "Amazon S3",
    "Which permissions replication needs on the replica key under a Bucket Key",
    f"{S3}, Replicating encrypted objects (kms:Decrypt, and the bucket's ARN as the context)",
    "Besides kms:Decrypt we ask for kms:GenerateDataKey, as S3 does for an upload under a Bucket "
    "Key. For replication that is our inference: AWS's page does not name it.",
    tried=False,
)
def replication_under_bucket_key(w: World) -> bool:
    return False


@behaviour(
    "Amazon S3",
    "S3 Batch Replication copies what is older than the rule, and what failed",
    f"{S3}, Replicating existing objects",
    "There is no Batch Replication. Copying an object onto itself makes a new version, which the "
    "rule replicates.",
    tried=False,
)
def s3_batch(w: World) -> bool:
    return False


@behaviour(
    "Amazon S3",
    "In which order replication checks permissions, and which S3 events the trail shows of it",
    f"{S3}, Setting up permissions for live replication (does not say)",
    "The calls to KMS are as AWS documents them; the order of the checks and the S3 events are "
    "inferred (`kmscourse/cloud/at_rest/s3/replication.py`).",
    tried=False,
)
def s3_replication_order(w: World) -> bool:
    return False


# Identity and the trail


@behaviour(
    "Identity and the trail",
    "An unsigned request is refused, but for what S3 and STS answer without a signature",
    "Common errors, MissingAuthenticationToken",
)
def unsigned(w: World) -> bool:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    nobody = boto3.client("kms", "us-east-1", config=Config(signature_version=UNSIGNED))
    return code(nobody.list_keys).startswith("MissingAuthenticationToken")


@behaviour(
    "Identity and the trail",
    "Made-up credentials are refused",
    "AWS General Reference, Signature Version 4",
)
def stranger(w: World) -> bool:
    import boto3

    invented = boto3.Session("AKIAIOSFODNN7EXAMPLE", "secret", region_name="us-east-1")
    return bool(code(invented.client("kms").list_keys))


@behaviour(
    "Identity and the trail",
    "A user without any policy may do nothing",
    "IAM User Guide, Policy evaluation logic",
)
def no_policy_no_access(w: World) -> bool:
    return bool(code(w.client("dynamodb", user="ana").list_tables))


@behaviour(
    "Identity and the trail",
    "A policy of a user, group or role names no principal, a trust policy must: "
    "MalformedPolicyDocument",
    "IAM User Guide, AWS JSON policy elements: Principal",
)
def principals_where_they_belong(w: World) -> bool:
    iam = w.client("iam")
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    named = {**statement, "Resource": "*", "Principal": "*"}
    policy, trust = (
        json.dumps({"Version": "2012-10-17", "Statement": each}) for each in (named, statement)
    )
    refused = code(iam.create_policy, PolicyName="p", PolicyDocument=policy)
    untrusted = code(iam.create_role, RoleName="r", AssumeRolePolicyDocument=trust)
    return refused == untrusted == "MalformedPolicyDocument"


@behaviour(
    "Identity and the trail",
    "The record of AssumeRole shows the credentials given out, without the secret key",
    "IAM User Guide, Logging IAM and AWS STS API calls with AWS CloudTrail",
)
def assumed_on_the_trail(w: World) -> bool:
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    role = w.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=document)["Role"]
    given = w.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="session")
    events = w.client("cloudtrail").lookup_events()["Events"]
    (record,) = (json.loads(e["CloudTrailEvent"]) for e in events if e["EventName"] == "AssumeRole")
    shown = record["responseElements"]["credentials"]
    right = shown["accessKeyId"] == given["Credentials"]["AccessKeyId"]
    return right and "secretAccessKey" not in shown


@behaviour(
    "Identity and the trail",
    "The owner of a key, an object or a role sees a caller of another account by account and id, "
    "without an ARN",
    "AWS CloudTrail User Guide, CloudTrail userIdentity element; IAM User Guide, Logging IAM and "
    "AWS STS API calls. That KMS and S3 do as STS is inferred: AWS shows an example for STS only",
)
def outsider_on_the_trail(w: World) -> bool:
    policy = {
        "Effect": "Allow",
        "Principal": {"AWS": ["123456789012", "222222222222"]},
        "Action": "kms:*",
        "Resource": "*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": policy})
    key = w.kms().create_key(Policy=document)["KeyMetadata"]["Arn"]
    if w.aws is None:
        w.kms().encrypt(KeyId=key, Plaintext=b"x")  # bare moto has no trail in any account
    else:
        theirs = w.aws.account("222222222222").session("root", region="us-east-1")
        theirs.client("kms").encrypt(KeyId=key, Plaintext=b"x")
    events = w.client("cloudtrail").lookup_events()["Events"]
    (record,) = (json.loads(e["CloudTrailEvent"]) for e in events if e["EventName"] == "Encrypt")
    who = {"type": "AWSAccount", "principalId": "222222222222", "accountId": "222222222222"}
    return bool(record["userIdentity"] == who)


@behaviour(
    "Identity and the trail",
    "LookupEvents tells who called, what, and with which encryption context",
    "botocore cloudtrail LookupEvents",
)
def lookup_events(w: World) -> bool:
    key = w.key()
    w.kms().encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"patient": "4711"})
    events = w.client("cloudtrail").lookup_events()["Events"]
    (record,) = (json.loads(e["CloudTrailEvent"]) for e in events if e["EventName"] == "Encrypt")
    return bool(record["requestParameters"]["encryptionContext"] == {"patient": "4711"})


@behaviour(
    "Identity and the trail",
    "Every service asks whether the caller may",
    "IAM User Guide, Policy evaluation logic",
    "KMS, S3, EC2, RDS, SSM, Secrets Manager, DynamoDB, IAM, STS, CloudTrail, Organizations, ACM "
    "and Route 53 do. Other services answer everyone.",
)
def other_services(w: World) -> bool:
    return bool(code(w.client("sqs", user="ana").list_queues))


@behaviour(
    "Identity and the trail",
    "A policy that names a user who does not exist is not saved",
    "botocore kms PutKeyPolicy",
)
def principal_exists(w: World) -> bool:
    nobody = {"AWS": "arn:aws:iam::123456789012:user/nobody"}
    root = {"AWS": "arn:aws:iam::123456789012:root"}
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": nobody, "Action": "kms:Encrypt", "Resource": "*"},
        ],
    }
    return code(w.kms().create_key, Policy=json.dumps(policy)) == (
        "MalformedPolicyDocumentException"
    )


@behaviour(
    "Identity and the trail",
    "Requests through a VPC endpoint are subject to its policy",
    "AWS KMS Developer Guide, VPC endpoints",
)
def endpoints(w: World) -> bool:
    ec2 = w.client("ec2")
    allow = {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    name = ec2.create_vpc_endpoint(
        VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"],
        ServiceName="com.amazonaws.us-east-1.kms",
        VpcEndpointType="Interface",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )["VpcEndpoint"]["DnsEntries"][0]["DnsName"]
    if not name.endswith(".kms.us-east-1.vpce.amazonaws.com"):
        return False
    inside = w.through(f"https://{name}")
    key = w.key()
    blob = w.kms().encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    inside.decrypt(CiphertextBlob=blob)
    return code(inside.encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"


@behaviour(
    "Identity and the trail",
    "A program inside a VPC comes through its endpoint without naming it (private DNS)",
    "AWS KMS Developer Guide, VPC endpoints",
    "No program is inside a VPC. A client comes through an endpoint where it names it: "
    "`endpoint_url` with the DNS name that CreateVpcEndpoint gives.",
    tried=False,
)
def private_dns(w: World) -> bool:
    return False


@behaviour(
    "Identity and the trail",
    "A federated user may what the user's and the session's policies both allow",
    "IAM User Guide, Permissions for GetFederationToken",
)
def federated(w: World) -> bool:
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*"}],
    }
    given = w.client("sts").get_federation_token(Name="locum", Policy=json.dumps(policy))
    locum = w.session(given["Credentials"]).client("kms")
    return not code(locum.create_key) and code(locum.list_keys) == "AccessDeniedException"


@behaviour(
    "Identity and the trail",
    "A session is not made with a wrong MFA code",
    "botocore sts GetSessionToken, TokenCode",
)
def mfa(w: World) -> bool:
    iam = w.client("iam")
    iam.create_user(UserName="surgeon")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    serial = device["SerialNumber"]
    iam.enable_mfa_device(
        UserName="surgeon",
        SerialNumber=serial,
        AuthenticationCode1="123456",
        AuthenticationCode2="654321",
    )
    sts = w.client("sts", user="surgeon")
    wrong = {code(sts.get_session_token, SerialNumber=serial, TokenCode=f"{n:06}") for n in (1, 2)}
    return "AccessDenied" in wrong


@behaviour(
    "Identity and the trail",
    "Identity tokens and SAML assertions are verified, and sessions end when they expire",
    "botocore sts AssumeRoleWithWebIdentity, AssumeRoleWithSAML",
    "Provider, trust policy and conditions count; the signature is not verified (its keys are on "
    "the network), and a session does not expire.",
    tried=False,
)
def verified(w: World) -> bool:
    return False


# Amazon EC2


@behaviour(
    "Amazon EC2",
    "A snapshot under the AWS managed key cannot be shared: OperationNotPermitted",
    "Amazon EBS User Guide, Share a snapshot",
)
def ebs_managed_key(w: World) -> bool:
    ec2 = w.client("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, Encrypted=True)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    share = {"OperationType": "add", "UserIds": ["222222222222"]}
    shared = code(ec2.modify_snapshot_attribute, SnapshotId=snapshot, **share)
    return shared == "OperationNotPermitted"


@behaviour(
    "Amazon EC2",
    "DescribeImages lists the images that Amazon publishes",
    "botocore ec2 DescribeImages, Owners",
    "None is listed. Any image id that nobody here has made starts an empty server.",
)
def images_of_amazon(w: World) -> bool:
    return bool(w.client("ec2").describe_images(Owners=["amazon"])["Images"])


# Amazon RDS


@behaviour(
    "Amazon RDS",
    "A database whose KMS key is disabled is lost when RDS needs the key: at once, or later",
    "Amazon RDS User Guide, AWS KMS key management",
    "It is lost at once, and can be started again within seven days.",
    tried=False,
)
def rds_loses_its_key(w: World) -> bool:
    return False
