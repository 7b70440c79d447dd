"""Multipart uploads, copies, ranges, versions, URLs: all of S3 works on ciphertext too."""

from __future__ import annotations

import hashlib
import io
import os
from typing import Any

import boto3
import pytest
import requests
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmscourse import cloud
from tests.cloud.at_rest.conftest import SECRET, customer_key, everything_stored
from tests.cloud.conftest import code_of

MIB = 2**20
BIG = os.urandom(64) * (11 * MIB // 64)
KINDS: list[dict[str, Any]] = [
    {},
    {"ServerSideEncryption": "aws:kms"},
    {"ServerSideEncryption": "aws:kms:dsse"},
    {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": bytes(range(32))},
]


def key_of(how: dict[str, Any]) -> dict[str, Any]:
    """What reading needs of what writing said: the customer's key."""
    return {name: value for name, value in how.items() if name.startswith("SSECustomer")}


def get(s3: Any, bucket: str, key: str, **how: Any) -> bytes:
    """The bytes of an object."""
    body: bytes = s3.get_object(Bucket=bucket, Key=key, **how)["Body"].read()
    return body


@pytest.mark.parametrize("how", KINDS)
def test_multipart_uploads_and_downloads(
    aws: cloud.Cloud, s3: Any, open_bucket: str, how: dict[str, Any]
) -> None:
    parts = TransferConfig(multipart_threshold=MIB, multipart_chunksize=5 * MIB)
    s3.upload_fileobj(io.BytesIO(BIG), open_bucket, "big", ExtraArgs=how, Config=parts)
    out = io.BytesIO()
    s3.download_fileobj(open_bucket, "big", out, ExtraArgs=key_of(how), Config=parts)
    assert out.getvalue() == BIG
    etag = s3.head_object(Bucket=open_bucket, Key="big", **key_of(how))["ETag"]
    assert etag.endswith('-3"')
    if not how:
        pieces = [BIG[start : start + 5 * MIB] for start in range(0, len(BIG), 5 * MIB)]
        digests = b"".join(hashlib.md5(piece).digest() for piece in pieces)
        assert etag == f'"{hashlib.md5(digests).hexdigest()}-3"'
    assert not any(BIG[:64] in each for each in everything_stored(aws))


def test_a_multipart_upload_has_one_data_key_and_needs_decrypt_for_its_parts(
    aws: cloud.Cloud, s3: Any, bucket: str, key_arn: str
) -> None:
    how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn}
    begun = s3.create_multipart_upload(Bucket=bucket, Key="k", **how)
    assert (begun["ServerSideEncryption"], begun["SSEKMSKeyId"]) == ("aws:kms", key_arn)
    named = {"Bucket": bucket, "Key": "k", "UploadId": begun["UploadId"]}
    part = s3.upload_part(**named, PartNumber=1, Body=SECRET)
    assert part["SSEKMSKeyId"] == key_arn
    assert not any(SECRET in each for each in everything_stored(aws))
    done = s3.complete_multipart_upload(
        **named, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )
    assert done["SSEKMSKeyId"] == key_arn
    calls = [event["eventName"] for event in aws.trail.events(service="kms")]
    assert calls == ["CreateKey", "GenerateDataKey", "Decrypt", "Decrypt"]
    assert get(s3, bucket, "k") == SECRET


def test_an_sse_c_upload_wants_its_key_with_each_part_but_not_to_be_completed(
    s3: Any, open_bucket: str
) -> None:
    mine = customer_key()
    upload = s3.create_multipart_upload(Bucket=open_bucket, Key="k", **mine)["UploadId"]
    named = {"Bucket": open_bucket, "Key": "k", "UploadId": upload}
    for wrong in ({}, customer_key()):
        with pytest.raises(ClientError) as refused:
            s3.upload_part(**named, PartNumber=1, Body=SECRET, **wrong)
        assert code_of(refused) == "InvalidRequest"
    first, second, unused = BIG[: 5 * MIB], BIG[5 * MIB : 6 * MIB], b"left out"
    etags = [
        s3.upload_part(**named, PartNumber=number, Body=body, **mine)["ETag"]
        for number, body in enumerate((first, second, unused), 1)
    ]
    parts = [{"PartNumber": number, "ETag": etags[number - 1]} for number in (1, 2)]
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    got = s3.get_object(Bucket=open_bucket, Key="k", **mine)
    assert got["ContentLength"] == 6 * MIB
    assert got["Body"].read() == first + second
    assert get(s3, open_bucket, "k", Range=f"bytes={5 * MIB - 3}-{5 * MIB + 2}", **mine) == (
        first[-3:] + second[:3]
    )


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_copies_are_opened_and_sealed_anew(
    aws: cloud.Cloud,
    s3: Any,
    open_bucket: str,
    source: dict[str, Any],
    target: dict[str, Any],
) -> None:
    s3.put_object(Bucket=open_bucket, Key="from", Body=SECRET, **source)
    given = {f"CopySource{name}": value for name, value in key_of(source).items()}
    s3.copy_object(
        Bucket=open_bucket, Key="to", CopySource=f"{open_bucket}/from", **given, **target
    )
    assert get(s3, open_bucket, "to", **key_of(target)) == SECRET
    before, after = (aws.stored("s3", open_bucket, key) for key in ("from", "to"))
    assert before.ciphertext != after.ciphertext
    wanted = "SSE-C" if key_of(target) else target.get("ServerSideEncryption", "AES256")
    assert after.sse == wanted, "a copy takes nothing of its source's encryption along"
    upload = s3.create_multipart_upload(Bucket=open_bucket, Key="joined", **target)["UploadId"]
    named = {"Bucket": open_bucket, "Key": "joined", "UploadId": upload}
    part = s3.upload_part_copy(
        **named,
        PartNumber=1,
        CopySource={"Bucket": open_bucket, "Key": "from"},
        CopySourceRange="bytes=8-11",
        **given,
        **key_of(target),
    )["CopyPartResult"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**named, MultipartUpload=parts, **key_of(target))
    assert get(s3, open_bucket, "joined", **key_of(target)) == SECRET[8:12]


def test_a_copy_of_an_sse_c_object_needs_its_key(s3: Any, open_bucket: str) -> None:
    mine, other = customer_key(), customer_key()
    s3.put_object(Bucket=open_bucket, Key="from", Body=SECRET, **mine)
    copy = {"Bucket": open_bucket, "Key": "to", "CopySource": f"{open_bucket}/from"}
    with pytest.raises(ClientError) as missing:
        s3.copy_object(**copy)
    assert code_of(missing) == "InvalidRequest"
    with pytest.raises(ClientError) as wrong:
        s3.copy_object(**copy, **{f"CopySource{k}": v for k, v in other.items()})
    assert code_of(wrong) == "AccessDenied"
    copy["Key"] = "from"  # in place: the way to change the key
    s3.copy_object(**copy, **{f"CopySource{k}": v for k, v in mine.items()}, **other)
    assert get(s3, open_bucket, "from", **other) == SECRET


def test_a_copy_into_itself_must_change_something(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET)
    with pytest.raises(ClientError) as refused:
        s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/k")
    assert code_of(refused) == "InvalidRequest"
    s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/k", ServerSideEncryption="aws:kms")
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "aws:kms"


def test_a_copy_asks_both_keys_each_in_its_region(aws: cloud.Cloud, s3: Any, bucket: str) -> None:
    west = boto3.client("s3", region_name="eu-west-1")
    west.create_bucket(
        Bucket="records-west", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET, ServerSideEncryption="aws:kms")
    west.copy_object(
        Bucket="records-west",
        Key="k",
        CopySource=f"{bucket}/k",
        ServerSideEncryption="aws:kms",
    )
    calls = [(e["eventName"], e["awsRegion"]) for e in aws.trail.events(service="kms")]
    assert calls == [
        ("GenerateDataKey", "us-east-1"),
        ("Decrypt", "us-east-1"),
        ("GenerateDataKey", "eu-west-1"),
    ]
    assert get(west, "records-west", "k") == SECRET


def test_versions_keep_their_own_keys(aws: cloud.Cloud, s3: Any, kms: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    keys = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    versions = [
        s3.put_object(
            Bucket=bucket,
            Key="k",
            Body=SECRET + bytes([number]),
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=key,
        )["VersionId"]
        for number, key in enumerate(keys)
    ]
    for number, version in enumerate(versions):
        assert get(s3, bucket, "k", VersionId=version) == SECRET + bytes([number])
        assert aws.stored("s3", bucket, "k", version_id=version).key_arn == keys[number]
    kms.disable_key(KeyId=keys[0])
    assert get(s3, bucket, "k") == SECRET + b"\1"
    with pytest.raises(ClientError):
        get(s3, bucket, "k", VersionId=versions[0])
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    with pytest.raises(ClientError) as gone:
        get(s3, bucket, "k")
    assert code_of(gone) == "NoSuchKey"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert get(s3, bucket, "k") == SECRET + b"\1"


def test_listing_and_heads_tell_the_size_of_the_plaintext(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a/k", Body=SECRET, ServerSideEncryption="aws:kms:dsse")
    (listed,) = s3.list_objects_v2(Bucket=bucket, Prefix="a/")["Contents"]
    assert (listed["Key"], listed["Size"]) == ("a/k", len(SECRET))
    assert s3.head_object(Bucket=bucket, Key="a/k")["ContentLength"] == len(SECRET)
    attributes = s3.get_object_attributes(
        Bucket=bucket, Key="a/k", ObjectAttributes=["ObjectSize", "ETag"]
    )
    assert attributes["ObjectSize"] == len(SECRET)
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a/k"}]})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_head_does_not_need_the_kms_key(aws: cloud.Cloud, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET, ServerSideEncryption="aws:kms")
    s3.head_object(Bucket=bucket, Key="k")
    with pytest.raises(ClientError) as unchanged:
        s3.get_object(
            Bucket=bucket, Key="k", IfNoneMatch=s3.head_object(Bucket=bucket, Key="k")["ETag"]
        )
    assert code_of(unchanged) == "304"
    assert aws.trail.events("Decrypt") == []


@pytest.mark.parametrize("secure", [True, False])
def test_kms_and_customers_keys_are_used_over_tls_only(
    s3: Any, open_bucket: str, secure: bool
) -> None:
    scheme = "https" if secure else "http"
    client = boto3.client("s3", endpoint_url=f"{scheme}://s3.us-east-1.amazonaws.com")
    for how in KINDS:
        s3.put_object(Bucket=open_bucket, Key="k", Body=SECRET, **how)
        if secure or not how:
            client.put_object(Bucket=open_bucket, Key="k", Body=SECRET, **how)
            assert get(client, open_bucket, "k", **key_of(how)) == SECRET
            continue
        for action in (
            lambda how=how: client.put_object(Bucket=open_bucket, Key="k", Body=SECRET, **how),
            lambda how=how: get(client, open_bucket, "k", **key_of(how)),
        ):
            with pytest.raises(ClientError) as refused:
                action()
            assert code_of(refused) == ("InvalidRequest" if key_of(how) else "InvalidArgument")
            assert "secure connection" in str(refused.value)


def test_presigned_urls_for_kms_objects_need_signature_version_4(s3: Any, bucket: str) -> None:
    v4 = boto3.client("s3", config=Config(signature_version="s3v4"))
    put_url = v4.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "plain"})
    assert requests.put(put_url, data=SECRET, timeout=5).status_code == 200
    assert get(s3, bucket, "plain") == SECRET
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET, ServerSideEncryption="aws:kms")
    named = {"Bucket": bucket, "Key": "k"}
    assert requests.get(
        v4.generate_presigned_url("get_object", Params=named), timeout=5
    ).content == (SECRET)
    v2 = boto3.client("s3", config=Config(signature_version="s3"))
    answer = requests.get(v2.generate_presigned_url("get_object", Params=named), timeout=5)
    assert answer.status_code == 400
    assert "Signature Version 4" in answer.text
    asking = named | {"ServerSideEncryption": "aws:kms"}
    refused = requests.put(
        v2.generate_presigned_url("put_object", Params=asking), data=SECRET, timeout=5
    )
    assert "Signature Version 4" in refused.text, "headers may come in the query"


def test_every_way_of_sending_a_body(s3: Any, bucket: str) -> None:
    http = boto3.client("s3", endpoint_url="http://s3.us-east-1.amazonaws.com")
    plain = boto3.client("s3", config=Config(request_checksum_calculation="when_required"))
    for client in (s3, http, plain):
        for body in (SECRET, io.BytesIO(SECRET), b""):
            client.put_object(Bucket=bucket, Key="k", Body=body)
            expected = b"" if body == b"" else SECRET
            assert get(s3, bucket, "k") == expected
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET, ChecksumAlgorithm="SHA256")
    checked = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert checked["ChecksumSHA256"]
    assert checked["Body"].read() == SECRET


def test_access_logs_are_delivered_encrypted(aws: cloud.Cloud, s3: Any, bucket: str) -> None:
    s3.create_bucket(Bucket="the-logs")
    owner = s3.list_buckets()["Owner"]["ID"]
    grants = [
        {"Grantee": {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/s3/LogDelivery"}}
        | {"Permission": permission}
        for permission in ("WRITE", "READ_ACP")
    ]
    s3.put_bucket_acl(
        Bucket="the-logs", AccessControlPolicy={"Grants": grants, "Owner": {"ID": owner}}
    )
    s3.put_bucket_logging(
        Bucket=bucket,
        BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "the-logs", "TargetPrefix": "l/"}},
    )
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET, ServerSideEncryption="aws:kms")
    names = [each["Key"] for each in s3.list_objects_v2(Bucket="the-logs")["Contents"]]
    assert b"/k HTTP/1.1" in get(s3, "the-logs", names[-1])
    assert aws.stored("s3", "the-logs", names[-1]).sse == "AES256"


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    body=st.binary(max_size=2000),
    how=st.sampled_from(KINDS),
    first=st.integers(0, 2000),
    length=st.integers(1, 500),
)
def test_what_goes_in_comes_out_whole_and_in_ranges(
    s3: Any, open_bucket: str, body: bytes, how: dict[str, Any], first: int, length: int
) -> None:
    s3.put_object(Bucket=open_bucket, Key="k", Body=body, **how)
    assert get(s3, open_bucket, "k", **key_of(how)) == body
    if first < len(body):
        wanted = f"bytes={first}-{first + length - 1}"
        got = s3.get_object(Bucket=open_bucket, Key="k", Range=wanted, **key_of(how))
        assert got["Body"].read() == body[first : first + length]
        assert got["ContentRange"].endswith(f"/{len(body)}")


def test_the_amazon_s3_encryption_client_works_on_it(
    aws: cloud.Cloud, s3: Any, kms: Any, bucket: str, key_arn: str
) -> None:
    from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig
    from s3_encryption.materials.kms_keyring import KmsKeyring

    wrapped = boto3.client("s3")  # from now on it encrypts: the other one does not
    client = S3EncryptionClient(wrapped, S3EncryptionClientConfig(keyring=KmsKeyring(kms, key_arn)))
    client.put_object(Bucket=bucket, Key="k", Body=SECRET)
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == SECRET
    assert get(s3, bucket, "k") != SECRET, "for S3 itself it is ciphertext already"
    client.upload_fileobj(io.BytesIO(BIG), bucket, "big", multipart_chunksize=5 * MIB)
    assert client.get_object(Bucket=bucket, Key="big")["Body"].read() == BIG
    assert s3.head_object(Bucket=bucket, Key="big")["ETag"].endswith('-3"')


def test_clouds_do_not_mix_and_moto_is_left_as_it_was(
    aws: cloud.Cloud, s3: Any, bucket: str
) -> None:
    import moto.s3.models

    outer = moto.s3.models.FakeKey
    s3.put_object(Bucket=bucket, Key="k", Body=SECRET)
    with cloud.running() as inner:
        client = boto3.client("s3")
        client.create_bucket(Bucket=bucket)
        with pytest.raises(ClientError):
            client.get_object(Bucket=bucket, Key="k")
        client.put_object(Bucket=bucket, Key="k", Body=b"another")
        assert inner.stored("s3", bucket, "k").ciphertext
    assert moto.s3.models.FakeKey is outer
    assert get(s3, bucket, "k") == SECRET
