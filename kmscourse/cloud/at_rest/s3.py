"""Amazon S3: permissions of its operations, and server-side encryption."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moto.s3.models import s3_backends

from kmscourse.cloud.call import Call
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.protocol import Response

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

#: Operations whose permission has another name than the operation.
#: Source: Amazon S3 User Guide, "Required permissions for Amazon S3 API operations".
_ACTIONS = {
    "HeadObject": "GetObject",
    "GetObjectAttributes": "GetObject",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListParts": "ListMultipartUploadParts",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
}


def needs(call: Call) -> list[Permission]:
    """The permission a call needs, on the object or else on the bucket."""
    if not call.operation:
        return []
    bucket, key = call.parameters.get("Bucket"), call.parameters.get("Key")
    action = f"s3:{_ACTIONS.get(call.operation, call.operation)}"
    if not bucket:
        return [_permission(call, action, "*", None)]
    resource = f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
    needed = [_permission(call, action, resource, bucket)]
    if call.operation in ("CopyObject", "UploadPartCopy"):
        source = str(call.parameters["CopySource"]).lstrip("/").partition("?")[0]
        needed.append(
            _permission(call, "s3:GetObject", f"arn:aws:s3:::{source}", source.split("/")[0])
        )
    return needed


def perform(gateway: Gateway, call: Call, ask_moto: Callable[[], Response]) -> Response:
    """Let moto store and fetch."""
    _note(call)
    return ask_moto()


def stored(bucket: str, key: str) -> bytes:
    """The bytes of an object as they lie on the disk of S3.

    Raises:
        KeyError: where there is no such object.
    """
    found = _bucket(bucket)
    if found is None or found.keys.get(key) is None:
        raise KeyError(f"There is no object s3://{bucket}/{key}.")
    return bytes(found.keys[key].value)


def _permission(call: Call, action: str, resource: str, bucket: str | None) -> Permission:
    found = _bucket(bucket) if bucket else None
    return Permission(
        action,
        resource,
        account=found.account_id if found is not None else None,
        resource_policy=_text(found.policy) if found is not None and found.policy else None,
        quoted=True,
        code="AccessDenied",
        status=403,
    )


def _bucket(name: str) -> Any:
    for backends in list(s3_backends.values()):
        for backend in list(backends.values()):
            if name in backend.buckets:
                return backend.buckets[name]
    return None


def _text(policy: Any) -> str:
    return policy.decode() if isinstance(policy, bytes) else str(policy)


def _note(call: Call) -> None:
    bucket, key = call.parameters.get("Bucket"), call.parameters.get("Key")
    if bucket:
        owner = _bucket(bucket)
        account = owner.account_id if owner is not None else call.account
        resources = call.noted.setdefault("resources", [])
        if key:
            resources.append(
                {
                    "type": "AWS::S3::Object",
                    "ARN": f"arn:aws:s3:::{bucket}/{key}",
                    "accountId": account,
                }
            )
        resources.append(
            {"accountId": account, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"}
        )
