"""Default encryption of a bucket: PutBucketEncryption and what follows from it.

A bucket nobody configured encrypts with SSE-S3 and blocks SSE-C. The configuration is kept
where moto keeps it, on the bucket, in moto's form.

Sources: Amazon S3 API Reference, PutBucketEncryption, ServerSideEncryptionByDefault and
BlockedEncryptionTypes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kmscourse.cloud.at_rest.s3.envelope import DSSE_KMS, SSE_KMS, SSE_S3
from kmscourse.cloud.errors import AWSError

_BLOCKED = ["SSE-C"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a bucket encrypts what comes without encryption headers."""

    sse: str = SSE_S3
    key_id: str | None = None
    bucket_key: bool = False


def rule(bucket: Any) -> Rule:
    """The default encryption of moto's bucket."""
    if not bucket.encryption:
        return Rule()
    stored = bucket.encryption["Rule"]
    by_default = stored["ApplyServerSideEncryptionByDefault"]
    return Rule(
        by_default["SSEAlgorithm"],
        by_default.get("KMSMasterKeyID"),
        str(stored.get("BucketKeyEnabled", False)).lower() == "true",
    )


def blocks_customer_keys(bucket: Any) -> bool:
    """Whether uploads with SSE-C are refused, as they are unless the bucket says otherwise."""
    return "SSE-C" in _blocked(bucket)


def put(bucket: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """PutBucketEncryption: replace the default encryption of a bucket.

    Raises:
        AWSError: for a configuration that is none. As on AWS, a key id is not looked up.
    """
    configuration = parameters.get("ServerSideEncryptionConfiguration") or {}
    rules = configuration.get("Rules") or []
    if len(rules) != 1:
        raise _malformed()
    asked = rules[0]
    by_default = asked.get("ApplyServerSideEncryptionByDefault") or {}
    types = (asked.get("BlockedEncryptionTypes") or {}).get("EncryptionType") or []
    if not by_default and not types:
        raise _malformed()
    sse = by_default.get("SSEAlgorithm", SSE_S3)
    key_id = by_default.get("KMSMasterKeyID")
    if sse not in (SSE_S3, SSE_KMS, DSSE_KMS) or not set(types) <= {"SSE-C", "NONE"}:
        raise _malformed()
    if key_id and sse == SSE_S3:
        raise AWSError(
            "InvalidArgument",
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or "
            "aws:kms:dsse",
        )
    bucket.encryption = {
        "Rule": {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": sse}
            | ({"KMSMasterKeyID": key_id} if key_id else {}),
            "BucketKeyEnabled": bool(asked.get("BucketKeyEnabled", False)),
            # Left out, the setting stays as it was.
            "BlockedEncryptionTypes": list(types) or _blocked(bucket),
        }
    }
    return {}


def get(bucket: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    """GetBucketEncryption: every bucket has a default encryption, configured or not."""
    found = rule(bucket)
    by_default = {"SSEAlgorithm": found.sse}
    if found.key_id:
        by_default["KMSMasterKeyID"] = found.key_id
    shown = {
        "ApplyServerSideEncryptionByDefault": by_default,
        "BucketKeyEnabled": found.bucket_key,
        "BlockedEncryptionTypes": {"EncryptionType": _blocked(bucket)},
    }
    return {"ServerSideEncryptionConfiguration": {"Rules": [shown]}}


def delete(bucket: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteBucketEncryption: back to SSE-S3. What is blocked stays blocked."""
    blocked = _blocked(bucket)
    bucket.encryption = None
    if blocked != _BLOCKED:
        bucket.encryption = {
            "Rule": {
                "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": SSE_S3},
                "BlockedEncryptionTypes": blocked,
            }
        }
    return {}


OPERATIONS: dict[str, Callable[[Any, Mapping[str, Any]], dict[str, Any]]] = {
    "PutBucketEncryption": put,
    "GetBucketEncryption": get,
    "DeleteBucketEncryption": delete,
}


def _blocked(bucket: Any) -> list[str]:
    if not bucket.encryption:
        return list(_BLOCKED)
    return list(bucket.encryption["Rule"].get("BlockedEncryptionTypes", _BLOCKED))


def _malformed() -> AWSError:
    return AWSError(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
