"""Default encryption of a bucket, blocked kinds, and Bucket Keys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kmscourse import cloud
from kmscourse.cloud.at_rest.s3.data_keys import BUCKET_KEY_LIFETIME
from tests.cloud.at_rest.conftest import SECRET, customer_key
from tests.cloud.conftest import code_of


def configure(s3: Any, bucket: str, **rule: Any) -> None:
    """PutBucketEncryption with one rule."""
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


def configured(s3: Any, bucket: str) -> dict[str, Any]:
    """The one rule of GetBucketEncryption."""
    answer = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    (rule,) = answer["Rules"]
    return dict(rule)


def by_default(sse: str, key_id: str | None = None) -> dict[str, str]:
    """The default of a rule."""
    return {"SSEAlgorithm": sse} | ({"KMSMasterKeyID": key_id} if key_id else {})


def test_a_new_bucket_has_sse_s3_and_blocks_sse_c(s3: Any, bucket: str) -> None:
    assert configured(s3, bucket) == {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": False,
        "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
    }
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="k", Body=SECRET, **customer_key())
    assert code_of(refused) == "AccessDenied"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_sse_c_objects_stay_readable_when_it_is_blocked_again(s3: Any, open_bucket: str) -> None:
    mine = customer_key()
    s3.put_object(Bucket=open_bucket, Key="k", Body=SECRET, **mine)
    configure(
        s3,
        open_bucket,
        ApplyServerSideEncryptionByDefault=by_default("AES256"),
        BlockedEncryptionTypes={"EncryptionType": ["SSE-C"]},
    )
    assert s3.get_object(Bucket=open_bucket, Key="k", **mine)["Body"].read() == SECRET
    with pytest.raises(ClientError):
        s3.put_object(Bucket=open_bucket, Key="k2", Body=SECRET, **mine)
    with pytest.raises(ClientError):
        s3.create_multipart_upload(Bucket=open_bucket, Key="k3", **mine)


def test_the_default_is_applied_to_what_comes_without_headers(
    aws: cloud.Cloud, s3: Any, bucket: str, key_arn: str
) -> None:
    s3.put_object(Bucket=bucket, Key="before", Body=SECRET)
    configure(s3, bucket, ApplyServerSideEncryptionByDefault=by_default("aws:kms", key_arn))
    answer = s3.put_object(Bucket=bucket, Key="after", Body=SECRET)
    assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", key_arn)
    assert aws.stored("s3", bucket, "after").key_arn == key_arn
    assert aws.stored("s3", bucket, "before").sse == "AES256", "what is there stays as it is"
    named = s3.put_object(Bucket=bucket, Key="own", Body=SECRET, ServerSideEncryption="AES256")
    assert named["ServerSideEncryption"] == "AES256", "headers go before the default"
    plain = s3.put_object(Bucket=bucket, Key="own", Body=SECRET, ServerSideEncryption="aws:kms")
    assert plain["SSEKMSKeyId"] != key_arn, "SSE-KMS without a key means aws/s3"
    configure(s3, bucket, ApplyServerSideEncryptionByDefault=by_default("aws:kms:dsse", key_arn))
    dual = s3.put_object(Bucket=bucket, Key="dual", Body=SECRET)
    assert dual["ServerSideEncryption"] == "aws:kms:dsse"
    s3.delete_bucket_encryption(Bucket=bucket)
    assert s3.put_object(Bucket=bucket, Key="k", Body=SECRET)["ServerSideEncryption"] == "AES256"
    assert configured(s3, bucket)["ApplyServerSideEncryptionByDefault"] == by_default("AES256")


def test_a_default_key_is_not_looked_up_before_it_is_used(s3: Any, bucket: str) -> None:
    nobody = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    configure(s3, bucket, ApplyServerSideEncryptionByDefault=by_default("aws:kms", nobody))
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="k", Body=SECRET)
    assert code_of(refused) == "KMS.NotFoundException"


def test_a_default_that_makes_no_sense_is_refused(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as refused:
        configure(s3, bucket, ApplyServerSideEncryptionByDefault=by_default("AES256", "alias/x"))
    assert code_of(refused) == "InvalidArgument"
    for rules in ([], [{}], [{"ApplyServerSideEncryptionByDefault": by_default("rot13")}]):
        with pytest.raises(ClientError) as malformed:
            s3.put_bucket_encryption(
                Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules}
            )
        assert code_of(malformed) == "MalformedXML"
    with pytest.raises(ClientError) as missing:
        s3.get_bucket_encryption(Bucket="there-is-no-such-bucket")
    assert code_of(missing) == "NoSuchBucket"


def test_a_bucket_key_spares_kms_calls_and_hides_the_object_from_kms(
    aws: cloud.Cloud, s3: Any, bucket: str, key_arn: str
) -> None:
    configure(
        s3,
        bucket,
        ApplyServerSideEncryptionByDefault=by_default("aws:kms", key_arn),
        BucketKeyEnabled=True,
    )
    for number in range(20):
        answer = s3.put_object(Bucket=bucket, Key=f"{number}", Body=SECRET)
        assert answer["BucketKeyEnabled"] is True
    for number in range(20):
        got = s3.get_object(Bucket=bucket, Key=f"{number}")
        assert got["BucketKeyEnabled"] is True
        assert got["Body"].read() == SECRET
    (generated,) = aws.trail.events("GenerateDataKey")
    (decrypted,) = aws.trail.events("Decrypt")
    for event in (generated, decrypted):
        context = event["requestParameters"]["encryptionContext"]
        assert context == {"aws:s3:arn": f"arn:aws:s3:::{bucket}"}, "the bucket's, not the object's"
    stored = [aws.stored("s3", bucket, f"{number}") for number in range(20)]
    assert len({each.wrapped_key for each in stored}) == 20, "a data key for each object still"
    assert len({each.wrapped_bucket_key for each in stored}) == 1
    aws.clock.advance(seconds=BUCKET_KEY_LIFETIME.total_seconds() + 1)
    s3.put_object(Bucket=bucket, Key="later", Body=SECRET)
    assert len(aws.trail.events("GenerateDataKey")) == 2, "a Bucket Key does not last"


def test_each_requester_gets_the_bucket_key_for_himself(
    aws: cloud.Cloud, s3: Any, kms: Any, bucket: str, key_arn: str
) -> None:
    """So a cached Bucket Key lends nobody another's permission, and everyone is on the trail."""
    configure(
        s3,
        bucket,
        ApplyServerSideEncryptionByDefault=by_default("aws:kms", key_arn),
        BucketKeyEnabled=True,
    )
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET)
    s3.get_object(Bucket=bucket, Key="k")
    stranger = aws.session("stranger").client("s3")
    iam = aws.session("learner").client("iam")
    allow_s3 = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
    }
    iam.put_user_policy(UserName="stranger", PolicyName="s3", PolicyDocument=json.dumps(allow_s3))
    for action in (
        lambda: stranger.get_object(Bucket=bucket, Key="k"),
        lambda: stranger.put_object(Bucket=bucket, Key="k", Body=b"mine"),
    ):
        with pytest.raises(ClientError) as refused:
            action()
        assert code_of(refused) == "AccessDenied"
    assert len(aws.trail.events("Decrypt", user="stranger", error="AccessDenied")) == 1


def test_a_cached_bucket_key_outlives_the_key_by_a_little(
    aws: cloud.Cloud, s3: Any, kms: Any, bucket: str, key_arn: str
) -> None:
    configure(
        s3,
        bucket,
        ApplyServerSideEncryptionByDefault=by_default("aws:kms", key_arn),
        BucketKeyEnabled=True,
    )
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET)
    s3.get_object(Bucket=bucket, Key="k")
    kms.disable_key(KeyId=key_arn)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == SECRET
    aws.clock.advance(seconds=BUCKET_KEY_LIFETIME.total_seconds() + 1)
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="k")
    assert code_of(refused) == "KMS.DisabledException"


def test_a_request_may_choose_about_the_bucket_key(
    aws: cloud.Cloud, s3: Any, bucket: str, key_arn: str
) -> None:
    how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn}
    s3.put_object(Bucket=bucket, Key="with", Body=SECRET, BucketKeyEnabled=True, **how)
    assert aws.stored("s3", bucket, "with").wrapped_bucket_key is not None
    configure(
        s3,
        bucket,
        ApplyServerSideEncryptionByDefault=by_default("aws:kms", key_arn),
        BucketKeyEnabled=True,
    )
    s3.put_object(Bucket=bucket, Key="without", Body=SECRET, BucketKeyEnabled=False, **how)
    assert aws.stored("s3", bucket, "without").wrapped_bucket_key is None
    s3.put_object(Bucket=bucket, Key="dual", Body=SECRET, ServerSideEncryption="aws:kms:dsse")
    assert aws.stored("s3", bucket, "dual").wrapped_bucket_key is None, "not with DSSE-KMS"
