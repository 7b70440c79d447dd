"""What lies on the disk of S3 is ciphertext, and the key decides who reads it."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse import cloud
from kmscourse.cloud.at_rest.s3 import StoredObject
from tests.cloud.at_rest.conftest import SECRET, customer_key, everything_stored
from tests.cloud.conftest import code_of, message_of

KINDS = ["AES256", "aws:kms", "aws:kms:dsse"]


def put(s3: Any, bucket: str, **how: Any) -> dict[str, Any]:
    """Store the secret under the key ``k``."""
    answer: dict[str, Any] = s3.put_object(Bucket=bucket, Key="k", Body=SECRET, **how)
    return answer


def read(s3: Any, bucket: str, **how: Any) -> bytes:
    """Read the object ``k``."""
    body: bytes = s3.get_object(Bucket=bucket, Key="k", **how)["Body"].read()
    return body


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_the_plaintext_lies_nowhere_and_comes_back(
    aws: cloud.Cloud, s3: Any, bucket: str, kind: str | None
) -> None:
    put(s3, bucket, **({"ServerSideEncryption": kind} if kind else {}))
    assert read(s3, bucket) == SECRET
    found = list(everything_stored(aws))
    assert any(b"ward-records" in each for each in found), "the search must find what is there"
    assert not any(SECRET in each for each in found)
    stored = aws.stored("s3", bucket, "k")
    assert SECRET not in bytes(stored)
    assert any(stored.ciphertext in each for each in found)


def test_the_plaintext_of_sse_c_lies_nowhere_either_and_nor_does_the_key(
    aws: cloud.Cloud, s3: Any, open_bucket: str
) -> None:
    mine = customer_key()
    put(s3, open_bucket, **mine)
    assert read(s3, open_bucket, **mine) == SECRET
    encoded = base64.b64encode(mine["SSECustomerKey"])
    for each in everything_stored(aws):
        assert SECRET not in each
        assert mine["SSECustomerKey"] not in each
        assert encoded not in each


def test_the_search_would_find_a_plaintext(aws: cloud.Cloud, s3: Any, bucket: str) -> None:
    put(s3, bucket, Metadata={"note": SECRET.decode()})
    assert any(SECRET in each for each in everything_stored(aws)), "metadata is not encrypted"


def test_a_new_bucket_encrypts_with_sse_s3(s3: Any, bucket: str) -> None:
    assert put(s3, bucket)["ServerSideEncryption"] == "AES256"
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"
    assert s3.get_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"


def test_sse_kms_asks_for_a_data_key_with_the_callers_identity(
    aws: cloud.Cloud, s3: Any, bucket: str, key_arn: str
) -> None:
    answer = put(s3, bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=key_arn)
    assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", key_arn)
    read(s3, bucket)
    (generated,) = aws.trail.events("GenerateDataKey")
    (decrypted,) = aws.trail.events("Decrypt")
    for event in (generated, decrypted):
        assert event["userIdentity"]["arn"].endswith(":user/learner")
        assert event["userIdentity"]["invokedBy"] == "s3.amazonaws.com"
        context = event["requestParameters"]["encryptionContext"]
        assert context == {"aws:s3:arn": f"arn:aws:s3:::{bucket}/k"}
        assert [resource["ARN"] for resource in event["resources"]] == [key_arn]
    assert aws.meter.requests() == 2 + 1, "CreateKey, GenerateDataKey, Decrypt"


def test_what_is_stored_names_key_version_and_context(
    aws: cloud.Cloud, s3: Any, kms: Any, bucket: str, key_arn: str
) -> None:
    mine = {"department": "cardiology"}
    header = base64.b64encode(json.dumps(mine).encode()).decode()
    put(
        s3,
        bucket,
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=key_arn,
        SSEKMSEncryptionContext=header,
    )
    stored = aws.stored("s3", bucket, "k")
    assert isinstance(stored, StoredObject)
    assert (stored.sse, stored.key_arn) == ("aws:kms", key_arn)
    key = kms.describe_key(KeyId=key_arn)["KeyMetadata"]
    assert stored.key_material_id == key["CurrentKeyMaterialId"]
    assert stored.context == {**mine, "aws:s3:arn": f"arn:aws:s3:::{bucket}/k"}
    # Whoever may decrypt with the key and knows the context has the data key, and so the object.
    data_key = kms.decrypt(CiphertextBlob=stored.wrapped_key, EncryptionContext=stored.context)
    bound = f"0 arn:aws:s3:::{bucket}/k".encode()
    opened = AESGCM(data_key["Plaintext"]).decrypt(stored.nonces, stored.ciphertext, bound)
    assert opened == SECRET
    shown = repr(stored)
    assert shown == repr(aws.stored("s3", bucket, "k"))
    assert all(word in shown for word in (key_arn, "aws:kms", "department = cardiology"))
    assert read(s3, bucket) == SECRET, "reading needs no context: S3 has kept it"


def test_every_object_has_a_data_key_of_its_own(
    aws: cloud.Cloud, s3: Any, bucket: str, key_arn: str
) -> None:
    seen = set()
    for _ in range(3):
        put(s3, bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=key_arn)
        stored = aws.stored("s3", bucket, "k")
        seen.add((stored.wrapped_key, stored.ciphertext))
    assert len(seen) == 3


def test_a_disabled_key_makes_the_object_unreadable_until_it_is_enabled(
    s3: Any, kms: Any, bucket: str, key_arn: str
) -> None:
    how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn}
    put(s3, bucket, **how)
    kms.disable_key(KeyId=key_arn)
    for action in (lambda: read(s3, bucket), lambda: put(s3, bucket, **how)):
        with pytest.raises(ClientError) as refused:
            action()
        assert code_of(refused) == "KMS.DisabledException"
        assert message_of(refused) == f"{key_arn} is disabled."
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == len(SECRET)
    kms.enable_key(KeyId=key_arn)
    assert read(s3, bucket) == SECRET


def test_a_key_that_is_going_or_gone_takes_its_objects_along(
    aws: cloud.Cloud, s3: Any, kms: Any, bucket: str, key_arn: str
) -> None:
    put(s3, bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=key_arn)
    kms.schedule_key_deletion(KeyId=key_arn, PendingWindowInDays=7)
    with pytest.raises(ClientError) as refused:
        read(s3, bucket)
    assert code_of(refused) == "KMS.KMSInvalidStateException"
    assert message_of(refused) == f"{key_arn} is pending deletion."
    aws.clock.advance(days=8)
    with pytest.raises(ClientError) as gone:
        read(s3, bucket)
    assert code_of(gone) in ("AccessDenied", "KMS.NotFoundException")


@pytest.mark.parametrize(
    ("key_id", "code"),
    [
        ("11111111-2222-3333-4444-555555555555", "KMS.NotFoundException"),
        (
            "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555",
            "KMS.NotFoundException",
        ),
        ("alias/nobody", "KMS.NotFoundException"),
    ],
)
def test_a_key_that_does_not_exist_is_refused_and_nothing_is_stored(
    s3: Any, bucket: str, key_id: str, code: str
) -> None:
    with pytest.raises(ClientError) as refused:
        put(s3, bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=key_id)
    assert code_of(refused) == code
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_rotation_leaves_old_objects_readable(
    aws: cloud.Cloud, s3: Any, kms: Any, bucket: str, key_arn: str
) -> None:
    put(s3, bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=key_arn)
    before = aws.stored("s3", bucket, "k")
    kms.rotate_key_on_demand(KeyId=key_arn)
    aws.clock.advance(hours=1)
    assert read(s3, bucket) == SECRET
    assert aws.stored("s3", bucket, "k") == before
    put(s3, bucket, ServerSideEncryption="aws:kms", SSEKMSKeyId=key_arn)
    assert aws.stored("s3", bucket, "k").key_material_id != before.key_material_id
    assert read(s3, bucket) == SECRET


def test_without_a_key_sse_kms_uses_the_aws_managed_key(
    aws: cloud.Cloud, s3: Any, kms: Any, bucket: str
) -> None:
    aliases = {a["AliasName"]: a for a in kms.list_aliases()["Aliases"]}
    assert "TargetKeyId" not in aliases["alias/aws/s3"], "not made before it is needed"
    arn = put(s3, bucket, ServerSideEncryption="aws:kms")["SSEKMSKeyId"]
    managed = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (managed["Arn"], managed["KeyManager"]) == (arn, "AWS")
    assert put(s3, bucket, ServerSideEncryption="aws:kms")["SSEKMSKeyId"] == arn, "made once"
    stored = aws.stored("s3", bucket, "k")
    with pytest.raises(ClientError) as refused:  # the key is for S3's hands only
        kms.decrypt(CiphertextBlob=stored.wrapped_key, EncryptionContext=stored.context)
    assert code_of(refused) == "AccessDeniedException"
    with pytest.raises(ClientError) as kept:
        kms.disable_key(KeyId=arn)
    assert code_of(kept) == "AccessDeniedException"


def test_the_aws_managed_key_is_not_for_other_accounts(
    aws: cloud.Cloud, s3: Any, bucket: str
) -> None:
    put(s3, bucket, ServerSideEncryption="aws:kms")
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::999988887777:root"},
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{bucket}/*",
            }
        ],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    theirs = aws.account("999988887777").session("root").client("s3")
    with pytest.raises(ClientError) as refused:
        theirs.get_object(Bucket=bucket, Key="k")
    assert code_of(refused) == "AccessDenied"
    assert "kms:Decrypt" in message_of(refused)


def test_dsse_kms_is_two_layers_under_two_data_keys(
    aws: cloud.Cloud, s3: Any, kms: Any, bucket: str, key_arn: str
) -> None:
    answer = put(s3, bucket, ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId=key_arn)
    assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms:dsse", key_arn)
    assert read(s3, bucket) == SECRET
    assert len(aws.trail.events("GenerateDataKey")) == 2
    assert len(aws.trail.events("Decrypt")) == 2
    stored = aws.stored("s3", bucket, "k")
    assert len(stored.ciphertext) == len(SECRET) + 2 * 16, "each layer has its own tag"
    arn = f"arn:aws:s3:::{bucket}/k"
    inner, outer = (
        kms.decrypt(CiphertextBlob=wrapped, EncryptionContext=stored.context)["Plaintext"]
        for wrapped in stored.wrapped_keys
    )
    assert inner != outer
    between = AESGCM(outer).decrypt(stored.nonces[12:], stored.ciphertext, f"1 {arn}".encode())
    assert SECRET not in between, "with one layer open it is ciphertext still"
    assert AESGCM(inner).decrypt(stored.nonces[:12], between, f"0 {arn}".encode()) == SECRET


def test_sse_c_needs_the_key_again_and_keeps_only_a_salted_hmac(
    aws: cloud.Cloud, s3: Any, open_bucket: str
) -> None:
    mine = customer_key()
    answer = put(s3, open_bucket, **mine)
    md5 = base64.b64encode(hashlib.md5(mine["SSECustomerKey"]).digest()).decode()
    assert (answer["SSECustomerAlgorithm"], answer["SSECustomerKeyMD5"]) == ("AES256", md5)
    assert "ServerSideEncryption" not in answer
    with pytest.raises(ClientError) as missing:
        read(s3, open_bucket)
    assert code_of(missing) == "InvalidRequest"
    with pytest.raises(ClientError) as blind:
        s3.head_object(Bucket=open_bucket, Key="k")
    assert code_of(blind) == "400"
    with pytest.raises(ClientError) as wrong:
        read(s3, open_bucket, **customer_key())
    assert code_of(wrong) == "AccessDenied"
    assert s3.head_object(Bucket=open_bucket, Key="k", **mine)["SSECustomerKeyMD5"] == md5
    assert read(s3, open_bucket, **mine) == SECRET
    assert aws.trail.events(service="kms") == [], "KMS has no part in it"
    first = aws.stored("s3", open_bucket, "k").customer_key_check
    put(s3, open_bucket, **mine)
    assert aws.stored("s3", open_bucket, "k").customer_key_check != first, "salted anew"


def test_sse_c_keys_are_refused_where_they_do_not_belong(s3: Any, open_bucket: str) -> None:
    put(s3, open_bucket)
    with pytest.raises(ClientError) as refused:
        read(s3, open_bucket, **customer_key())
    assert code_of(refused) == "InvalidRequest"
    assert message_of(refused) == "The encryption parameters are not applicable to this object."


@pytest.mark.parametrize(
    "change",
    [
        {"SSECustomerKey": b"short"},
        {
            "SSECustomerKey": base64.b64encode(bytes(32)).decode(),
            "SSECustomerKeyMD5": base64.b64encode(bytes(16)).decode(),
        },
        {"SSECustomerAlgorithm": "AES128"},
        {"ServerSideEncryption": "aws:kms"},
        {"ServerSideEncryption": "AES256"},
    ],
)
def test_a_customers_key_must_be_given_properly(
    s3: Any, open_bucket: str, change: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as refused:
        put(s3, open_bucket, **customer_key() | change)
    assert code_of(refused) in ("InvalidArgument", "InvalidEncryptionAlgorithmError")


@pytest.mark.parametrize(
    "asked",
    [
        {"ServerSideEncryption": "rot13"},
        {"ServerSideEncryption": "AES256", "SSEKMSKeyId": "alias/mine"},
        {"SSEKMSKeyId": "alias/mine"},
        {"ServerSideEncryption": "aws:kms", "SSEKMSEncryptionContext": "not base64"},
        {"ServerSideEncryption": "aws:kms", "SSEKMSEncryptionContext": "WzFd"},
    ],
)
def test_what_contradicts_itself_is_refused(s3: Any, bucket: str, asked: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as refused:
        put(s3, bucket, **asked)
    assert code_of(refused) == "InvalidArgument"


def test_the_etag_is_the_md5_of_the_plaintext_under_sse_s3_only(s3: Any, open_bucket: str) -> None:
    md5 = f'"{hashlib.md5(SECRET).hexdigest()}"'
    assert put(s3, open_bucket)["ETag"] == md5
    assert put(s3, open_bucket, ServerSideEncryption="AES256")["ETag"] == md5
    for how in (
        {"ServerSideEncryption": "aws:kms"},
        {"ServerSideEncryption": "aws:kms:dsse"},
        customer_key(),
    ):
        answer = put(s3, open_bucket, **how)
        assert answer["ETag"] != md5
        assert len(answer["ETag"]) == len(md5)
        rest = {k: v for k, v in how.items() if k.startswith("SSEC")}
        head = s3.head_object(Bucket=open_bucket, Key="k", **rest)
        assert head["ETag"] == answer["ETag"]


def test_a_changed_byte_on_the_disk_is_noticed(s3: Any, bucket: str) -> None:
    import moto.s3.models

    put(s3, bucket, ServerSideEncryption="aws:kms")
    backend = moto.s3.models.s3_backends["123456789012"]["aws"]
    on_disk = backend.buckets[bucket].keys["k"]._value_buffer
    on_disk.seek(-20, 2)
    byte = on_disk.read(1)
    on_disk.seek(-1, 1)
    on_disk.write(bytes([byte[0] ^ 1]))
    with pytest.raises(InvalidTag):
        read(s3, bucket)


def test_nothing_is_stored_of_what_is_not_there(aws: cloud.Cloud, bucket: str) -> None:
    with pytest.raises(KeyError, match="no object s3://ward-records/none"):
        aws.stored("s3", bucket, "none")
    with pytest.raises(ValueError, match="Whose disk"):
        aws.stored("floppy", bucket, "none")


def test_the_trail_says_what_was_applied(aws: cloud.Cloud, s3: Any, open_bucket: str) -> None:
    put(s3, open_bucket)
    for how in (
        {"ServerSideEncryption": "AES256"},
        {"ServerSideEncryption": "aws:kms"},
        customer_key(),
    ):
        put(s3, open_bucket, **how)
    applied = [e["additionalEventData"]["SSEApplied"] for e in aws.trail.events("PutObject")]
    assert applied == ["Default_SSE_S3", "SSE_S3", "SSE_KMS", "SSE_C"]


def test_an_object_gets_another_key_without_its_bytes_being_touched(
    aws: cloud.Cloud, s3: Any, kms: Any, bucket: str, key_arn: str
) -> None:
    other = kms.create_key()["KeyMetadata"]["Arn"]
    etag = put(s3, bucket)["ETag"]
    disk = aws.stored("s3", bucket, "k").ciphertext
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    for key, bucket_key in ((key_arn, False), (other, False), (other, True), (key_arn, False)):
        s3.update_object_encryption(
            Bucket=bucket,
            Key="k",
            ObjectEncryption={"SSEKMS": {"KMSKeyArn": key, "BucketKeyEnabled": bucket_key}},
        )
        stored = aws.stored("s3", bucket, "k")
        assert stored.ciphertext == disk
        assert stored.key_arn == key
        assert (stored.wrapped_bucket_key is not None) is bucket_key
        assert read(s3, bucket) == SECRET
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ETag"], head["LastModified"]) == (etag, modified)
    assert len(aws.trail.events("ReEncrypt")) == 1, "from KMS to KMS nobody sees the data key"
    kms.disable_key(KeyId=other)
    assert read(s3, bucket) == SECRET
    kms.disable_key(KeyId=key_arn)
    with pytest.raises(ClientError):
        read(s3, bucket)


def test_what_update_object_encryption_does_not_do(
    s3: Any, kms: Any, open_bucket: str, key_arn: str
) -> None:
    wanted = {"SSEKMS": {"KMSKeyArn": key_arn}}
    put(s3, open_bucket, ServerSideEncryption="aws:kms:dsse")
    with pytest.raises(ClientError, match="DSSE-KMS or SSE-C"):
        s3.update_object_encryption(Bucket=open_bucket, Key="k", ObjectEncryption=wanted)
    put(s3, open_bucket)
    with pytest.raises(ClientError, match="valid Amazon Web Services KMS key"):
        s3.update_object_encryption(
            Bucket=open_bucket,
            Key="k",
            ObjectEncryption={"SSEKMS": {"KMSKeyArn": "alias/this-is-no-key-arn"}},
        )
    with pytest.raises(ClientError, match="owned by the same account"):
        s3.update_object_encryption(
            Bucket=open_bucket,
            Key="k",
            ObjectEncryption={"SSEKMS": {"KMSKeyArn": key_arn.replace("123456789012", "1" * 12)}},
        )
    with pytest.raises(ClientError) as missing:
        s3.update_object_encryption(Bucket=open_bucket, Key="none", ObjectEncryption=wanted)
    assert code_of(missing) == "NoSuchKey"


def test_where_kms_throttles_s3_asks_to_slow_down(
    aws: cloud.Cloud, bucket: str, key_arn: str
) -> None:
    """Fact QUO-13; boto3 tries again by itself, so it is told not to."""
    s3 = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))
    aws.quotas.on(symmetric=0.001)
    how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn}
    s3.put_object(Bucket=bucket, Key="first", Body=b"x", **how)
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="second", Body=b"x", **how)
    assert code_of(error) == "SlowDown"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    s3.put_object(Bucket=bucket, Key="third", Body=b"x")  # SSE-S3 asks nobody
