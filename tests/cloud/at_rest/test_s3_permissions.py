"""Who may: bucket policies with their conditions, and the caller's permissions on the key."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from kmscourse import cloud
from tests.cloud.at_rest.conftest import SECRET, customer_key
from tests.cloud.conftest import code_of, message_of

OTHER = "999988887777"


def document(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any, condition: dict[str, Any]) -> dict[str, Any]:
    """A bucket policy's statement that denies everyone."""
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resource,
        "Condition": condition,
    }


def user(aws: cloud.Cloud, *statements: dict[str, Any], account: str | None = None) -> Any:
    """An S3 client of a user called ana with these permissions."""
    there = aws.account(account or aws.account_id)
    session = there.session("ana")
    there.session("learner" if account is None else "root").client("iam").put_user_policy(
        UserName="ana", PolicyName="p", PolicyDocument=document(*statements)
    )
    return session.client("s3")


def refusal(action: Any) -> str:
    """The message of a call that is denied."""
    with pytest.raises(ClientError) as refused:
        action()
    assert code_of(refused) == "AccessDenied"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return message_of(refused)


def test_the_callers_permissions_on_the_key_are_checked(
    aws: cloud.Cloud, s3: Any, bucket: str, key_arn: str
) -> None:
    how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn}
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET, **how)
    ana = user(aws, allow("s3:*"))
    who = f"User: arn:aws:iam::{aws.account_id}:user/ana is not authorized to perform: "
    put = refusal(lambda: ana.put_object(Bucket=bucket, Key="k", Body=b"x", **how))
    assert put == (
        f'{who}kms:GenerateDataKey on resource: "{key_arn}" because no identity-based policy '
        "allows the kms:GenerateDataKey action"
    )
    got = refusal(lambda: ana.get_object(Bucket=bucket, Key="k"))
    assert got == (
        f"{who}kms:Decrypt on the resource associated with this ciphertext because no "
        "identity-based policy allows the kms:Decrypt action"
    )
    denied = aws.trail.events("Decrypt", user="ana", error="AccessDenied")
    assert len(denied) == 1
    assert denied[0]["userIdentity"]["invokedBy"] == "s3.amazonaws.com"
    ana = user(aws, allow("s3:*"), allow("kms:GenerateDataKey", key_arn))
    ana.put_object(Bucket=bucket, Key="k", Body=SECRET, **how)
    refusal(lambda: ana.get_object(Bucket=bucket, Key="k"))
    ana = user(aws, allow("s3:*"), allow("kms:Decrypt", key_arn))
    assert ana.get_object(Bucket=bucket, Key="k")["Body"].read() == SECRET


def test_a_refusal_by_the_key_can_be_explained(
    aws: cloud.Cloud, s3: Any, bucket: str, key_arn: str
) -> None:
    s3.put_object(
        Bucket=bucket, Key="k", Body=SECRET, ServerSideEncryption="aws:kms", SSEKMSKeyId=key_arn
    )
    ana = user(aws, allow("s3:*"))
    with pytest.raises(ClientError) as refused:
        ana.get_object(Bucket=bucket, Key="k")
    decision = aws.explain(refused.value)
    assert not decision.allowed
    assert decision.request.action == "kms:Decrypt"


def test_via_service_lets_a_key_be_used_through_s3_only(
    aws: cloud.Cloud, s3: Any, kms: Any, bucket: str, key_arn: str
) -> None:
    through = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    ana = user(aws, allow("s3:*"), allow("kms:*", Condition=through))
    ana.put_object(
        Bucket=bucket, Key="k", Body=SECRET, ServerSideEncryption="aws:kms", SSEKMSKeyId=key_arn
    )
    assert ana.get_object(Bucket=bucket, Key="k")["Body"].read() == SECRET
    direct = aws.session("ana").client("kms")
    with pytest.raises(ClientError) as refused:
        direct.generate_data_key(KeyId=key_arn, KeySpec="AES_256")
    assert code_of(refused) == "AccessDeniedException"


def test_the_encryption_context_can_bind_a_user_to_a_prefix(
    aws: cloud.Cloud, s3: Any, bucket: str, key_arn: str
) -> None:
    how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn}
    mine = {"StringLike": {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}/ana/*"}}
    ana = user(aws, allow("s3:*"), allow("kms:*", Condition=mine))
    ana.put_object(Bucket=bucket, Key="ana/k", Body=SECRET, **how)
    refusal(lambda: ana.put_object(Bucket=bucket, Key="bob/k", Body=SECRET, **how))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_bucket_policy_can_insist_on_tls(s3: Any, bucket: str, scheme: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET)
    both = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    s3.put_bucket_policy(Bucket=bucket, Policy=document(deny("s3:*", both, condition)))
    client = boto3.client("s3", endpoint_url=f"{scheme}://s3.us-east-1.amazonaws.com")
    if scheme == "https":
        assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == SECRET
        client.put_object(Bucket=bucket, Key="k", Body=SECRET)
    else:
        text = refusal(lambda: client.get_object(Bucket=bucket, Key="k"))
        assert "with an explicit deny in a resource-based policy" in text
        assert f'"arn:aws:s3:::{bucket}/k"' in text
        refusal(lambda: client.list_objects_v2(Bucket=bucket))


def test_a_bucket_policy_can_insist_on_sse_kms_and_on_one_key(
    s3: Any, kms: Any, bucket: str, key_arn: str
) -> None:
    name = "s3:x-amz-server-side-encryption"
    objects = f"arn:aws:s3:::{bucket}/*"
    s3.put_bucket_policy(
        Bucket=bucket,
        Policy=document(
            deny("s3:PutObject", objects, {"StringNotEquals": {name: "aws:kms"}}),
            deny(
                "s3:PutObject",
                objects,
                {"StringNotEqualsIfExists": {f"{name}-aws-kms-key-id": key_arn}},
            ),
        ),
    )

    def put(**how: Any) -> None:
        s3.put_object(Bucket=bucket, Key="k", Body=SECRET, **how)

    other = kms.create_key()["KeyMetadata"]["Arn"]
    refusal(put)
    refusal(lambda: put(ServerSideEncryption="AES256"))
    refusal(lambda: put(ServerSideEncryption="aws:kms", SSEKMSKeyId=other))
    put(ServerSideEncryption="aws:kms", SSEKMSKeyId=key_arn)
    put(ServerSideEncryption="aws:kms", SSEKMSKeyId=key_arn.rpartition("/")[2])
    s3.upload_part(
        Bucket=bucket,
        Key="m",
        PartNumber=1,
        Body=SECRET,
        UploadId=s3.create_multipart_upload(
            Bucket=bucket, Key="m", ServerSideEncryption="aws:kms", SSEKMSKeyId=key_arn
        )["UploadId"],
    )


def test_a_bucket_policy_can_forbid_sse_c(s3: Any, open_bucket: str) -> None:
    name = "s3:x-amz-server-side-encryption-customer-algorithm"
    s3.put_bucket_policy(
        Bucket=open_bucket,
        Policy=document(
            deny("s3:PutObject", f"arn:aws:s3:::{open_bucket}/*", {"Null": {name: "false"}})
        ),
    )
    s3.put_object(Bucket=open_bucket, Key="k", Body=SECRET)
    refusal(lambda: s3.put_object(Bucket=open_bucket, Key="k", Body=SECRET, **customer_key()))


def test_more_condition_keys(aws: cloud.Cloud, s3: Any, bucket: str) -> None:
    arn = f"arn:aws:s3:::{bucket}"
    ana = user(
        aws,
        allow("s3:ListBucket", arn, Condition={"StringLike": {"s3:prefix": ["ana/*"]}}),
        allow(
            "s3:GetObject",
            f"{arn}/*",
            Condition={"StringEquals": {"s3:ExistingObjectTag/class": "open"}},
        ),
        allow(
            "s3:PutObject",
            f"{arn}/*",
            Condition={"NumericGreaterThanEquals": {"s3:TlsVersion": "1.2"}},
        ),
    )
    ana.put_object(Bucket=bucket, Key="ana/k", Body=SECRET)
    assert ana.list_objects_v2(Bucket=bucket, Prefix="ana/")["KeyCount"] == 1
    refusal(lambda: ana.list_objects_v2(Bucket=bucket))
    refusal(lambda: ana.get_object(Bucket=bucket, Key="ana/k"))
    tags = {"TagSet": [{"Key": "class", "Value": "open"}]}
    s3.put_object_tagging(Bucket=bucket, Key="ana/k", Tagging=tags)
    assert ana.get_object(Bucket=bucket, Key="ana/k")["Body"].read() == SECRET


def test_only_who_may_list_learns_that_an_object_is_missing(
    aws: cloud.Cloud, s3: Any, bucket: str
) -> None:
    ana = user(aws, allow("s3:GetObject"))
    text = refusal(lambda: ana.get_object(Bucket=bucket, Key="none"))
    assert "s3:ListBucket" in text
    with pytest.raises(ClientError) as hidden:
        ana.head_object(Bucket=bucket, Key="none")
    assert code_of(hidden) == "403"
    ana = user(aws, allow(["s3:GetObject", "s3:ListBucket"]))
    with pytest.raises(ClientError) as missing:
        ana.get_object(Bucket=bucket, Key="none")
    assert code_of(missing) == "NoSuchKey"
    with pytest.raises(ClientError) as not_found:
        ana.head_object(Bucket=bucket, Key="none")
    assert code_of(not_found) == "404"


def test_an_object_under_a_key_of_another_account_needs_all_three_permissions(
    aws: cloud.Cloud, s3: Any, kms: Any, bucket: str
) -> None:
    """The key's policy, the caller's own policy, and the bucket's."""
    key = kms.create_key(
        Policy=document(
            allow("kms:*", Principal={"AWS": f"arn:aws:iam::{aws.account_id}:root"}),
            allow(
                ["kms:GenerateDataKey", "kms:Decrypt"],
                Principal={"AWS": f"arn:aws:iam::{OTHER}:root"},
            ),
        )
    )["KeyMetadata"]["Arn"]
    theirs = aws.account(OTHER).session("root").client("s3")
    theirs.create_bucket(Bucket="their-bucket")
    how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    bob = user(aws, allow("s3:*"), account=OTHER)
    text = refusal(lambda: bob.put_object(Bucket="their-bucket", Key="k", Body=SECRET, **how))
    assert "kms:GenerateDataKey" in text
    bob = user(aws, allow("s3:*"), allow("kms:*", key), account=OTHER)
    answer = bob.put_object(Bucket="their-bucket", Key="k", Body=SECRET, **how)
    assert answer["SSEKMSKeyId"] == key
    assert bob.get_object(Bucket="their-bucket", Key="k")["Body"].read() == SECRET
    kept = aws.trail.events("GenerateDataKey", account=aws.account_id)
    assert len(kept) == 1, "the key's owner sees its use"
    kms.put_key_policy(
        KeyId=key,
        PolicyName="default",
        Policy=document(allow("kms:*", Principal={"AWS": f"arn:aws:iam::{aws.account_id}:root"})),
    )
    refusal(lambda: bob.get_object(Bucket="their-bucket", Key="k"))


def test_a_bucket_of_another_account_opens_by_its_policy(
    aws: cloud.Cloud, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET)
    bob = user(aws, allow("s3:*"), account=OTHER)
    refusal(lambda: bob.get_object(Bucket=bucket, Key="k"))
    statement = allow(
        ["s3:GetObject", "s3:PutObject"],
        f"arn:aws:s3:::{bucket}/*",
        Principal={"AWS": f"arn:aws:iam::{OTHER}:user/ana"},
    )
    s3.put_bucket_policy(Bucket=bucket, Policy=document(statement))
    assert bob.get_object(Bucket=bucket, Key="k")["Body"].read() == SECRET
    bob.put_object(Bucket=bucket, Key="theirs", Body=b"from outside")
    assert s3.get_object(Bucket=bucket, Key="theirs")["Body"].read() == b"from outside"


def test_of_several_objects_only_those_go_that_may(aws: cloud.Cloud, s3: Any, bucket: str) -> None:
    for key in ("open/1", "kept/1"):
        s3.put_object(Bucket=bucket, Key=key, Body=SECRET)
    ana = user(aws, allow("s3:DeleteObject", f"arn:aws:s3:::{bucket}/open/*"))
    named = {"Objects": [{"Key": "open/1"}, {"Key": "kept/1"}]}
    answer = ana.delete_objects(Bucket=bucket, Delete=named)
    assert [each["Key"] for each in answer["Deleted"]] == ["open/1"]
    assert [(each["Key"], each["Code"]) for each in answer["Errors"]] == [
        ("kept/1", "AccessDenied")
    ]
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_reading_a_version_and_copying_need_permissions_of_their_own(
    aws: cloud.Cloud, s3: Any, bucket: str
) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="k", Body=SECRET)["VersionId"]
    ana = user(aws, allow(["s3:GetObject", "s3:PutObject"]))
    assert ana.get_object(Bucket=bucket, Key="k")["Body"].read() == SECRET
    assert "s3:GetObjectVersion" in refusal(
        lambda: ana.get_object(Bucket=bucket, Key="k", VersionId=version)
    )
    ana.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    ana = user(aws, allow("s3:PutObject"))
    assert "s3:GetObject" in refusal(
        lambda: ana.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    )


def test_a_multipart_upload_without_decrypt_fails_at_its_first_part(
    aws: cloud.Cloud, s3: Any, bucket: str, key_arn: str
) -> None:
    ana = user(aws, allow("s3:*"), allow("kms:GenerateDataKey", key_arn))
    upload = ana.create_multipart_upload(
        Bucket=bucket, Key="k", ServerSideEncryption="aws:kms", SSEKMSKeyId=key_arn
    )["UploadId"]
    text = refusal(
        lambda: ana.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=SECRET)
    )
    assert "kms:Decrypt" in text


def test_a_policy_that_is_none_is_not_saved(s3: Any, bucket: str) -> None:
    for policy in (
        "{}",
        document(allow("s3:GetObject")),  # no principal
        document({"Effect": "Perhaps", "Principal": "*", "Action": "s3:*", "Resource": "*"}),
    ):
        with pytest.raises(ClientError) as refused:
            s3.put_bucket_policy(Bucket=bucket, Policy=policy)
        assert code_of(refused) == "MalformedPolicy"


def test_a_bucket_of_an_unexpected_owner_is_left_alone(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET)
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="k", ExpectedBucketOwner=OTHER)
    assert code_of(refused) == "AccessDenied"
    s3.get_object(Bucket=bucket, Key="k", ExpectedBucketOwner="123456789012")
