"""Which encryption a request asks for: its headers, or else the bucket's default.

Sources: Amazon S3 API Reference, PutObject and "Error responses"; Amazon S3 User Guide,
"Using server-side encryption with AWS KMS keys", "... with customer-provided keys" and
"Blocking or unblocking SSE-C for a general purpose bucket".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kmscourse.cloud.at_rest.s3 import bucket_encryption
from kmscourse.cloud.at_rest.s3.envelope import DSSE_KMS, SSE_C, SSE_KMS, SSE_S3
from kmscourse.cloud.errors import AWSError

#: The AWS managed key, which S3 uses where a request names no key of one's own.
AWS_MANAGED = "alias/aws/s3"


@dataclass(frozen=True, slots=True)
class CustomerKey:
    """The key that came with a request, for as long as the request lasts."""

    key: bytes = field(repr=False)
    md5: str


@dataclass(frozen=True, slots=True)
class Choice:
    """How an object is to be encrypted.

    Attributes:
        key_id: the KMS key, in any of the forms KMS takes; None but for KMS.
        context: what the request adds to the encryption context.
        bucket_key: whether a Bucket Key is to be used.
        customer_key: for SSE-C.
    """

    sse: str
    key_id: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    bucket_key: bool = False
    customer_key: CustomerKey | None = None


def of_request(parameters: Mapping[str, Any], bucket: Any) -> Choice:
    """What a request that writes an object asks for.

    Args:
        parameters: as of PutObject, CopyObject or CreateMultipartUpload.
        bucket: moto's bucket.

    Raises:
        AWSError: where the request contradicts itself or the bucket blocks what it asks for.
    """
    asked = parameters.get("ServerSideEncryption")
    key_id = parameters.get("SSEKMSKeyId")
    customer_key = customer_key_of(parameters)
    if customer_key is not None:
        if asked or key_id:
            raise AWSError(
                "InvalidArgument",
                "Server Side Encryption with Customer provided key is incompatible with the "
                "encryption method specified",
            )
        if bucket_encryption.blocks_customer_keys(bucket):
            raise AWSError("AccessDenied", "Access Denied", 403)
        return Choice(SSE_C, customer_key=customer_key)
    if asked not in (None, SSE_S3, SSE_KMS, DSSE_KMS):
        raise AWSError("InvalidArgument", "The encryption method specified is not supported")
    if key_id and asked not in (SSE_KMS, DSSE_KMS):
        raise AWSError(
            "InvalidArgument",
            "Server Side Encryption with AWS KMS managed key requires HTTP header "
            "x-amz-server-side-encryption : aws:kms or aws:kms:dsse",
        )
    default = bucket_encryption.rule(bucket)
    sse = asked or default.sse
    if sse == SSE_S3:
        return Choice(SSE_S3)
    if not asked:
        key_id = default.key_id
    bucket_key = parameters.get("BucketKeyEnabled")
    return Choice(
        sse,
        key_id=key_id or AWS_MANAGED,
        context=_context(parameters.get("SSEKMSEncryptionContext")),
        # Bucket Keys are not supported for DSSE-KMS.
        bucket_key=sse == SSE_KMS and (default.bucket_key if bucket_key is None else bucket_key),
    )


def customer_key_of(parameters: Mapping[str, Any], prefix: str = "") -> CustomerKey | None:
    """The key a request brings along, or None where it brings none.

    Args:
        prefix: ``"CopySource"`` for the key of a copy's source.

    Raises:
        AWSError: for headers that are missing or not of the right form.
    """
    algorithm = parameters.get(f"{prefix}SSECustomerAlgorithm")
    key, md5 = (
        parameters.get(f"{prefix}SSECustomerKey"),
        parameters.get(f"{prefix}SSECustomerKeyMD5"),
    )
    if algorithm is key is md5 is None:
        return None
    if algorithm is None:
        raise _customer_key_error("must provide a valid encryption algorithm.")
    if algorithm != "AES256":
        raise AWSError(
            "InvalidEncryptionAlgorithmError",
            "The Encryption request you specified is not valid. Supported value: AES256.",
        )
    if not key:
        raise _customer_key_error("must provide an appropriate secret key.")
    if not md5:
        raise _customer_key_error("must provide the client calculated MD5 of the secret key.")
    try:
        decoded = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) != 32:
        raise AWSError("InvalidArgument", "The secret key was invalid for the specified algorithm.")
    if base64.b64encode(hashlib.md5(decoded, usedforsecurity=False).digest()).decode() != md5:
        raise AWSError(
            "InvalidArgument",
            "The calculated MD5 hash of the key did not match the hash that was provided.",
        )
    return CustomerKey(decoded, md5)


def _customer_key_error(what: str) -> AWSError:
    return AWSError(
        "InvalidArgument",
        f"Requests specifying Server Side Encryption with Customer provided keys {what}",
    )


def _context(header: str | None) -> dict[str, str]:
    """The encryption context of a header: JSON in base64."""
    if not header:
        return {}
    try:
        context = json.loads(base64.b64decode(header, validate=True))
    except ValueError:
        context = None
    if not isinstance(context, dict) or not all(isinstance(v, str) for v in context.values()):
        raise AWSError(
            "InvalidArgument",
            "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 "
            "string holding JSON which represents a string-string map",
        )
    return context
