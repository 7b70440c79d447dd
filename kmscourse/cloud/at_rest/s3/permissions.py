"""What a request to S3 needs: its actions, on what, and S3's condition keys.

Source: Amazon S3 User Guide, "Required permissions for Amazon S3 API operations"; Service
Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote

from kmscourse.cloud.at_rest.s3 import replication_rules
from kmscourse.cloud.at_rest.s3.disk import find_bucket, find_object, tags_of
from kmscourse.cloud.authorization import MalformedPolicyError, parse_policy
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.permissions import Permission, RefusedError, check

#: Operations whose permission has another name than the operation.
_ACTIONS = {
    "HeadObject": "GetObject",
    "GetObjectAttributes": "GetObject",
    "SelectObjectContent": "GetObject",
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
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
}
#: Actions that have one of their own for a version that the request names.
_OF_A_VERSION = {
    "GetObject": "GetObjectVersion",
    "DeleteObject": "DeleteObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "PutObjectAcl": "PutObjectVersionAcl",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectTagging": "PutObjectVersionTagging",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
}
#: Parameters that are condition keys as they stand.
_CONDITIONS = {
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "SSECustomerAlgorithm": "s3:x-amz-server-side-encryption-customer-algorithm",
    "ACL": "s3:x-amz-acl",
    "GrantFullControl": "s3:x-amz-grant-full-control",
    "GrantRead": "s3:x-amz-grant-read",
    "GrantReadACP": "s3:x-amz-grant-read-acp",
    "GrantWrite": "s3:x-amz-grant-write",
    "GrantWriteACP": "s3:x-amz-grant-write-acp",
    "StorageClass": "s3:x-amz-storage-class",
    "CopySource": "s3:x-amz-copy-source",
    "MetadataDirective": "s3:x-amz-metadata-directive",
    "WebsiteRedirectLocation": "s3:x-amz-website-redirect-location",
    "ObjectOwnership": "s3:x-amz-object-ownership",
    "ObjectLockMode": "s3:object-lock-mode",
    "ObjectLockRetainUntilDate": "s3:object-lock-retain-until-date",
    "ObjectLockLegalHoldStatus": "s3:object-lock-legal-hold",
    "VersionId": "s3:VersionId",
    "Prefix": "s3:prefix",
    "Delimiter": "s3:delimiter",
    "MaxKeys": "s3:max-keys",
    "IfMatch": "s3:if-match",
    "IfNoneMatch": "s3:if-none-match",
}


@dataclass(frozen=True, slots=True)
class Source:
    """What a copy copies."""

    bucket: str
    key: str
    version_id: str | None


def copy_source(parameters: Mapping[str, Any]) -> Source:
    """Read ``CopySource``: ``bucket/key``, perhaps URL-encoded, perhaps ``?versionId=...``."""
    path, _, query = str(parameters.get("CopySource", "")).partition("?")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    return Source(bucket, key, parse_qs(query).get("versionId", [None])[0])


def needs(call: Call) -> list[Permission]:
    """The permissions a call needs, on the object or else on the bucket."""
    if not call.operation:
        return []
    parameters = call.parameters
    name, key = parameters.get("Bucket"), parameters.get("Key")
    if not name:
        return [_permission(call, f"s3:{_action(call)}", "*", None)]
    bucket = find_bucket(name)
    arn = f"arn:aws:s3:::{name}"
    if call.operation == "DeleteObjects":
        return []  # decided for each object: see may_delete
    needed = [_permission(call, f"s3:{_action(call)}", f"{arn}/{key}" if key else arn, bucket)]
    passing = replication_rules.pass_role(call)
    if passing is not None:
        needed.append(passing)
    if call.operation == "GetObjectAttributes":
        needed.append(_permission(call, "s3:GetObjectAttributes", f"{arn}/{key}", bucket))
    if call.operation in ("GetObject", "HeadObject") and _is_missing(bucket, parameters):
        # Without s3:ListBucket nobody learns that an object is not there.
        needed.append(_permission(call, "s3:ListBucket", arn, bucket))
    if call.operation in ("PutObject", "CreateMultipartUpload", "CopyObject"):
        if parameters.get("Tagging"):
            needed.append(_permission(call, "s3:PutObjectTagging", f"{arn}/{key}", bucket))
        # Not for this ACL: CloudTrail's documented bucket policy sends it with s3:PutObject alone.
        if parameters.get("ACL") not in (None, "bucket-owner-full-control"):
            needed.append(_permission(call, "s3:PutObjectAcl", f"{arn}/{key}", bucket))
    if call.operation in ("CopyObject", "UploadPartCopy"):
        source = copy_source(parameters)
        action = "s3:GetObjectVersion" if source.version_id else "s3:GetObject"
        needed.append(
            _permission(
                call,
                action,
                f"arn:aws:s3:::{source.bucket}/{source.key}",
                find_bucket(source.bucket),
            )
        )
    return needed


def of_replication(call: Call, action: str, bucket: Any, key: str | None = None) -> Permission:
    """A permission that replication needs, on a bucket or on an object in it."""
    arn = f"arn:aws:s3:::{bucket.name}"
    return _permission(call, action, f"{arn}/{key}" if key else arn, bucket)


def may_delete(call: Call, resource: str) -> bool:
    """Whether the caller may delete one of the objects of a DeleteObjects."""
    bucket = find_bucket(call.parameters["Bucket"])
    try:
        check(call, [_permission(call, "s3:DeleteObject", resource, bucket)])
    except RefusedError:
        return False
    return True


def validate_policy(policy: str) -> None:
    """Refuse a bucket policy that S3 would not save.

    Raises:
        AWSError: ``MalformedPolicy``, in AWS's words.
    """
    try:
        parse_policy(policy, kind="bucket")
    except MalformedPolicyError as error:
        raise AWSError(error.code, error.message) from error


def note(call: Call) -> None:
    """Name the object and the bucket among the resources of the trail's record."""
    name, key = call.parameters.get("Bucket"), call.parameters.get("Key")
    if not name:
        return
    bucket = find_bucket(name)
    account = bucket.account_id if bucket is not None else call.account
    arn = f"arn:aws:s3:::{name}"
    resources = call.noted.setdefault("resources", [])
    if key:
        resources.append({"type": "AWS::S3::Object", "ARN": f"{arn}/{key}", "accountId": account})
    resources.append({"accountId": account, "type": "AWS::S3::Bucket", "ARN": arn})


def _action(call: Call) -> str:
    action = _ACTIONS.get(call.operation, call.operation)
    if call.parameters.get("VersionId"):
        return _OF_A_VERSION.get(action, action)
    return action


def _is_missing(bucket: Any, parameters: Mapping[str, Any]) -> bool:
    if bucket is None:
        return False
    return find_object(bucket, parameters.get("Key"), parameters.get("VersionId")) is None


def _permission(call: Call, action: str, resource: str, bucket: Any) -> Permission:
    policy = bucket.policy if bucket is not None else None
    return Permission(
        action,
        resource,
        account=bucket.account_id if bucket is not None else None,
        resource_policy=policy.decode() if isinstance(policy, bytes) else policy,
        context=_context(call, resource, bucket),
        quoted=True,
        code="AccessDenied",
        status=403,
    )


def _context(call: Call, resource: str, bucket: Any) -> dict[str, str | list[str]]:
    """The condition keys of S3 for one permission."""
    parameters = call.parameters
    context: dict[str, str | list[str]] = {}
    for name, key in _CONDITIONS.items():
        value = parameters.get(name)
        if value is not None:
            context[key] = str(value)
    if call.secure and not call.via:
        context["s3:TlsVersion"] = "1.3"
    if call.http is not None:
        context |= _signature(call.http)
    if bucket is not None:
        context["s3:ResourceAccount"] = context["aws:ResourceAccount"] = bucket.account_id
        if parameters.get("SSEKMSKeyId"):
            context["s3:x-amz-server-side-encryption-aws-kms-key-id"] = _key_arn(
                parameters["SSEKMSKeyId"], call.account, bucket.region_name
            )
        context |= _upload_conditions(bucket.multiparts.get(parameters.get("UploadId")))
        existing = find_object(bucket, parameters.get("Key"), parameters.get("VersionId"))
        if existing is not None and resource.endswith(f"/{existing.name}"):
            context |= _existing_tags(bucket, existing)
    tags = dict(parse_qsl(str(parameters.get("Tagging") or ""))) if "Key" in parameters else {}
    for tag, value in tags.items():
        context[f"s3:RequestObjectTag/{tag}"] = value
    if tags:
        context["s3:RequestObjectTagKeys"] = list(tags)
    constraint = (parameters.get("CreateBucketConfiguration") or {}).get("LocationConstraint")
    if constraint:
        context["s3:locationconstraint"] = constraint
    return context


def _upload_conditions(upload: Any) -> dict[str, str | list[str]]:
    """What the request that began an upload said counts for each of its parts. [inferred]"""
    context: dict[str, str | list[str]] = {}
    if upload is not None and upload.sse_encryption:
        context["s3:x-amz-server-side-encryption"] = upload.sse_encryption
        if upload.envelope.key_arn is not None:
            context["s3:x-amz-server-side-encryption-aws-kms-key-id"] = upload.envelope.key_arn
    return context


def _signature(http: Any) -> dict[str, str | list[str]]:
    headers = {str(name).lower(): value for name, value in http.headers.items()}
    authorization = str(headers.get("authorization", ""))
    if isinstance(headers.get("authorization"), bytes):
        authorization = headers["authorization"].decode("latin-1")
    query = http.url.partition("?")[2]
    context: dict[str, str | list[str]] = {}
    if authorization:
        context["s3:authType"] = "REST-HEADER"
        version = "AWS4-HMAC-SHA256" if authorization.startswith("AWS4") else "AWS"
        context["s3:signatureversion"] = version
    elif "Signature=" in query:
        context["s3:authType"] = "REST-QUERY-STRING"
        version = "AWS4-HMAC-SHA256" if "X-Amz-Signature=" in query else "AWS"
        context["s3:signatureversion"] = version
    content = headers.get("x-amz-content-sha256")
    if content is not None:
        text = content.decode("latin-1") if isinstance(content, bytes) else str(content)
        context["s3:x-amz-content-sha256"] = text
    return context


def _existing_tags(bucket: Any, existing: Any) -> dict[str, str | list[str]]:
    tags = tags_of(bucket, existing)
    return {f"s3:ExistingObjectTag/{name}": value for name, value in tags.items()}


def _key_arn(key_id: str, account: str, region: str) -> str:
    """A key id as an ARN, for policies name keys by their ARN."""
    if key_id.startswith("arn:"):
        return key_id
    rest = key_id if key_id.startswith("alias/") else f"key/{key_id}"
    return f"arn:aws:kms:{region}:{account}:{rest}"
