"""The audit trail, as CloudTrail would have written it."""

from __future__ import annotations

import gzip
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from kmscourse import cloud


def test_every_call_is_written_down_with_who_what_and_on_which_key(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    kms.encrypt(KeyId=key_id, Plaintext=b"secret record", EncryptionContext={"patient": "4711"})
    (event,) = aws.trail.events("Encrypt")
    assert event["eventSource"] == "kms.amazonaws.com"
    assert event["userIdentity"]["type"] == "IAMUser"
    assert event["userIdentity"]["arn"] == f"arn:aws:iam::{aws.account_id}:user/learner"
    assert event["requestParameters"]["encryptionContext"] == {"patient": "4711"}
    assert event["resources"][0]["ARN"].endswith(key_id)
    assert event["readOnly"] is True
    assert event["responseElements"] is None
    assert event["recipientAccountId"] == aws.account_id


def test_neither_plaintext_nor_key_material_is_ever_written_down(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"secret record")["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob)
    data_key = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
    written = json.dumps(aws.trail.events())
    for secret in (b"secret record", data_key["Plaintext"], blob):
        assert secret.hex() not in written
        assert repr(secret)[2:-1] not in written


def test_a_refusal_is_written_down_with_its_code_and_words(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    with pytest.raises(ClientError) as refused:
        aws.session("analyst").client("kms").encrypt(KeyId=key_id, Plaintext=b"x")
    (event,) = aws.trail.events("Encrypt", user="analyst")
    assert event["errorCode"] == "AccessDenied"
    assert event["errorMessage"] == refused.value.response["Error"]["Message"]
    assert event["requestID"] == refused.value.response["ResponseMetadata"]["RequestId"]


def test_events_can_be_asked_for(aws: cloud.Cloud, kms: Any, key_id: str) -> None:
    kms.disable_key(KeyId=key_id)
    with pytest.raises(ClientError):
        kms.encrypt(KeyId=key_id, Plaintext=b"x")
    assert [e["eventName"] for e in aws.trail.events()] == ["CreateKey", "DisableKey", "Encrypt"]
    assert [e["eventName"] for e in aws.trail.events(error="DisabledException")] == ["Encrypt"]
    assert len(aws.trail.events(resource=key_id)) == 3
    assert aws.trail.events(service="s3") == []
    assert "DisabledException" in repr(aws.trail.events())


def test_cross_account_use_is_logged_in_both_accounts(aws: cloud.Cloud, kms: Any) -> None:
    other = "222222222222"
    key = kms.create_key(
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {
                            "AWS": [
                                f"arn:aws:iam::{aws.account_id}:root",
                                f"arn:aws:iam::{other}:root",
                            ]
                        },
                        "Action": "kms:*",
                        "Resource": "*",
                    }
                ],
            }
        )
    )["KeyMetadata"]["Arn"]
    partner = aws.account(other)
    iam = partner.session("root").client("iam")
    iam.create_user(UserName="doctor")
    iam.put_user_policy(
        UserName="doctor",
        PolicyName="use",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": key},
            }
        ),
    )
    partner.session("doctor").client("kms").encrypt(KeyId=key, Plaintext=b"x")
    seen = aws.trail.events("Encrypt")
    theirs, ours = (event["userIdentity"] for event in seen)
    assert {event["recipientAccountId"] for event in seen} == {aws.account_id, other}
    assert theirs["arn"] == f"arn:aws:iam::{other}:user/doctor"
    # AWS CloudTrail User Guide, "CloudTrail userIdentity element": AWSAccount.
    assert theirs["principalId"].startswith("AIDA")
    doctor = {"principalId": theirs["principalId"], "accountId": other}
    assert ours == {"type": "AWSAccount", **doctor}
    assert f"{other}/{theirs['principalId']}" in repr(aws.trail.events(account=aws.account_id))
    assert len({event["sharedEventID"] for event in seen}) == 1
    assert len({event["eventID"] for event in seen}) == 2


def test_an_outsider_who_takes_on_a_role_is_seen_by_the_account_that_owns_it(
    aws: cloud.Cloud,
) -> None:
    # IAM User Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail".
    other = "444455556666"
    root = aws.account(other).session("root").client("iam")
    root.create_user(UserName="guest")
    may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    root.put_user_policy(
        UserName="guest",
        PolicyName="roles",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": may}),
    )
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{other}:root"},
        "Action": "sts:AssumeRole",
    }
    role = boto3.client("iam").create_role(
        RoleName="reader",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}),
    )["Role"]["Arn"]
    guest = aws.account(other).session("guest").client("sts")
    given = guest.assume_role(RoleArn=role, RoleSessionName="visit")

    asked = [{"AttributeKey": "ResourceName", "AttributeValue": role}]
    events = boto3.client("cloudtrail").lookup_events(LookupAttributes=asked)["Events"]
    (event,) = [event for event in events if event["EventName"] == "AssumeRole"]
    record = json.loads(event["CloudTrailEvent"])
    user = root.get_user(UserName="guest")["User"]["UserId"]
    seen = {"type": "AWSAccount", "principalId": user, "accountId": other}
    assert record["userIdentity"] == seen
    assert record["recipientAccountId"] == aws.account_id
    assert record["requestParameters"]["roleSessionName"] == "visit"
    answered = record["responseElements"]
    assert answered["credentials"] == {
        "accessKeyId": given["Credentials"]["AccessKeyId"],
        "sessionToken": given["Credentials"]["SessionToken"],
        "expiration": given["Credentials"]["Expiration"].strftime("%b %-d, %Y, %-I:%M:%S %p"),
    }
    assert answered["assumedRoleUser"]["arn"] == given["AssumedRoleUser"]["Arn"]
    assert given["Credentials"]["SecretAccessKey"] not in json.dumps(aws.trail.events())


def test_an_outsider_who_comes_through_a_service_is_seen_by_account_and_id(
    aws: cloud.Cloud, kms: Any
) -> None:
    """S3 asks KMS for the outsider: both services' owners are the same account."""
    other = "444455556666"
    anybody = {"Effect": "Allow", "Principal": {"AWS": [aws.account_id, other]}, "Action": "*"}
    shared = {"Version": "2012-10-17", "Statement": [{**anybody, "Action": "kms:*"}]}
    shared["Statement"][0]["Resource"] = "*"  # type: ignore[index]
    key = kms.create_key(Policy=json.dumps(shared))["KeyMetadata"]["Arn"]
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="shared")
    opened = {**anybody, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shared/*"}
    s3.put_bucket_policy(
        Bucket="shared",
        Policy=json.dumps({"Version": "2012-10-17", "Statement": opened}),
    )
    s3.put_object(
        Bucket="shared", Key="a", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    aws.account(other).session("root").client("s3").get_object(Bucket="shared", Key="a")
    seen = {"type": "AWSAccount", "principalId": other, "accountId": other}
    (fetched,) = aws.trail.events("GetObject", account=aws.account_id)
    (decrypted,) = aws.trail.events("Decrypt", account=aws.account_id)
    assert fetched["userIdentity"] == seen
    assert decrypted["userIdentity"] == {**seen, "invokedBy": "s3.amazonaws.com"}


def test_log_files_are_sealed_with_a_key_whose_policy_lets_cloudtrail_in(
    aws: cloud.Cloud, kms: Any
) -> None:
    """Also those of a stranger, unless the policy asks for whom CloudTrail acts."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="audit")
    let_in = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}

    def policy(*statements: dict[str, Any]) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

    write = {**let_in, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::audit/*"}
    s3.put_bucket_policy(Bucket="audit", Policy=policy(write))
    seal = {**let_in, "Action": "kms:GenerateDataKey*", "Resource": "*"}
    owner = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{aws.account_id}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    key = kms.create_key(Policy=policy(owner, seal))["KeyMetadata"]["Arn"]
    stranger = aws.account("333333333333").session("root").client("cloudtrail")
    stranger.create_trail(Name="spam", S3BucketName="audit", KmsKeyId=key)
    stranger.start_logging(Name="spam")
    aws.clock.advance(minutes=6)
    (log,) = s3.list_objects_v2(Bucket="audit")["Contents"]
    assert s3.head_object(Bucket="audit", Key=log["Key"])["SSEKMSKeyId"] == key
    ours = {"StringEquals": {"aws:SourceAccount": aws.account_id}}
    kms.put_key_policy(KeyId=key, Policy=policy(owner, {**seal, "Condition": ours}))
    stranger.describe_trails()  # something to deliver
    aws.clock.advance(minutes=6)
    assert s3.list_objects_v2(Bucket="audit")["KeyCount"] == 1
    assert aws.trail.events("GenerateDataKey")[-1]["errorCode"] == "AccessDenied"


@pytest.mark.parametrize(("account", "arrive"), [("333333333333", 1), ("444444444444", 0)])
def test_a_key_policy_can_ask_for_the_trail_in_the_encryption_context(
    aws: cloud.Cloud, kms: Any, account: str, arrive: int
) -> None:
    """The statement that the CloudTrail console writes into the policy of a key."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="audit")
    cloudtrail = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}
    write = {**cloudtrail, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::audit/*"}
    s3.put_bucket_policy(Bucket="audit", Policy=json.dumps({"Statement": [write]}))
    ours = {"kms:EncryptionContext:aws:cloudtrail:arn": f"arn:aws:cloudtrail:*:{account}:trail/*"}
    seal = {**cloudtrail, "Action": "kms:GenerateDataKey*", "Resource": "*"}
    owner = {"AWS": f"arn:aws:iam::{aws.account_id}:root"}
    manage = {"Effect": "Allow", "Principal": owner, "Action": "kms:*", "Resource": "*"}
    statements = [manage, {**seal, "Condition": {"StringLike": ours}}]
    key = kms.create_key(Policy=json.dumps({"Statement": statements}))["KeyMetadata"]["Arn"]
    theirs = aws.account("333333333333").session("root").client("cloudtrail")
    theirs.create_trail(Name="audit", S3BucketName="audit", KmsKeyId=key)
    theirs.start_logging(Name="audit")
    aws.clock.advance(minutes=6)
    assert s3.list_objects_v2(Bucket="audit")["KeyCount"] == arrive
    for each in s3.list_objects_v2(Bucket="audit").get("Contents", []):
        assert s3.get_object(Bucket="audit", Key=each["Key"])["Body"].read()


def test_a_trail_with_a_bucket_delivers_log_files_to_it(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    s3, cloudtrail = boto3.client("s3"), boto3.client("cloudtrail")
    s3.create_bucket(Bucket="audit")
    cloudtrail.create_trail(Name="clinic", S3BucketName="audit")
    cloudtrail.start_logging(Name="clinic")
    kms.encrypt(KeyId=key_id, Plaintext=b"x")
    aws.clock.advance(minutes=6)
    assert "Contents" not in s3.list_objects_v2(Bucket="audit")  # the bucket lets nobody write
    s3.put_bucket_policy(
        Bucket="audit",
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"Service": "cloudtrail.amazonaws.com"},
                    "Action": "s3:PutObject",
                    "Resource": "arn:aws:s3:::audit/AWSLogs/*",
                    "Condition": {
                        "StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"},
                        "ArnLike": {"aws:SourceArn": "arn:aws:cloudtrail:*:*:trail/clinic"},
                    },
                },
            }
        ),
    )
    kms.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext={"patient": "4711"})
    aws.clock.advance(minutes=6)
    (log,) = s3.list_objects_v2(Bucket="audit")["Contents"]
    assert log["Key"].startswith(f"AWSLogs/{aws.account_id}/CloudTrail/us-east-1/2")
    body = gzip.decompress(s3.get_object(Bucket="audit", Key=log["Key"])["Body"].read())
    records = json.loads(body)["Records"]
    assert [r for r in records if r["eventName"] == "Encrypt"] == aws.trail.events("Encrypt")[1:]
