"""One request to S3, with the keys that it holds for as long as it lasts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from kmscourse.cloud.at_rest.s3 import choice, disk
from kmscourse.cloud.at_rest.s3.choice import Choice, CustomerKey
from kmscourse.cloud.at_rest.s3.data_keys import DataKeys, check_customer_key, in_region
from kmscourse.cloud.at_rest.s3.envelope import SSE_C, SSE_S3, Bytes, Envelope
from kmscourse.cloud.at_rest.s3.permissions import copy_source
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

#: Operations that choose an encryption, that continue an upload, that read, that copy.
WRITES = {"PutObject", "CopyObject", "CreateMultipartUpload"}
PARTS = {"UploadPart", "UploadPartCopy", "CompleteMultipartUpload"}
READS = {"GetObject", "HeadObject", "GetObjectAttributes", "SelectObjectContent"}
COPIES = {"CopyObject", "UploadPartCopy"}

#: Headers that a presigned URL may carry in its query.
_HEADERS = {
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "x-amz-server-side-encryption-context": "SSEKMSEncryptionContext",
    "x-amz-server-side-encryption-customer-algorithm": "SSECustomerAlgorithm",
    "x-amz-server-side-encryption-customer-key": "SSECustomerKey",
    "x-amz-server-side-encryption-customer-key-md5": "SSECustomerKeyMD5",
}


class Request:
    """What a request writes or reads, and with which keys.

    Attributes:
        bucket: moto's bucket, or None where there is none of that name.
        upload: moto's multipart upload that the request belongs to, or None.
        choice: how what it writes is to be encrypted.
        customer_key: the key it brings for SSE-C.
        source_key: the key it brings for what it copies.
        written: the envelope of what it wrote.
        unopened: the parts of an upload that is put together without the customer's key: by
            their numbers, their pieces and sizes.
    """

    def __init__(self, keys: DataKeys, gateway: Gateway, call: Call) -> None:
        self._keys, self._gateway, self.call = keys, gateway, call
        self.parameters: Mapping[str, Any] = call.parameters
        self.bucket = disk.find_bucket(self.parameters.get("Bucket"))
        upload_id = self.parameters.get("UploadId")
        self.upload: Any = (
            self.bucket.multiparts.get(upload_id) if self.bucket is not None else None
        )
        self.choice: Choice | None = None
        self.customer_key: CustomerKey | None = None
        self.source_key: CustomerKey | None = None
        self.written: Envelope | None = None
        self.unopened: dict[int, tuple[Sequence[tuple[Bytes, Bytes]], int]] = {}
        self._held: dict[tuple[bytes, ...], tuple[bytes, ...]] = {}

    @property
    def arn(self) -> str:
        """The object's ARN."""
        return f"arn:aws:s3:::{self.parameters['Bucket']}/{self.parameters['Key']}"

    def check(self) -> None:
        """Refuse what contradicts itself, before anything is stored or read.

        Raises:
            AWSError: in S3's words.
        """
        self.customer_key = choice.customer_key_of(self.parameters)
        operation = self.call.operation
        if operation in COPIES:
            source = copy_source(self.parameters)
            self.source_key = choice.customer_key_of(self.parameters, "CopySource")
            found = disk.find_object(disk.find_bucket(source.bucket), source.key, source.version_id)
            self._check_reading(found, self.source_key)
        if operation in WRITES:
            self.choice = choice.of_request(self.parameters, self.bucket)
            _check_transport(self.call, self.choice.sse)
        elif operation in PARTS and self.upload is not None:
            self._check_part()
        elif operation in READS:
            self._check_reading(self.found(), self.customer_key)

    def found(self) -> Any:
        """moto's object that the request names, or None."""
        version_id = self.parameters.get("VersionId")
        return disk.find_object(self.bucket, self.parameters.get("Key"), version_id)

    def is_about(self, bucket: str | None, name: Any) -> bool:
        """Whether an object about to be stored is the one that the request writes."""
        if bucket is None:  # a part: its name is its number
            return self.upload is not None
        return (bucket, name) == (self.parameters.get("Bucket"), self.parameters.get("Key"))

    def keys_to_write(self) -> tuple[Envelope, tuple[bytes, ...]]:
        """The envelope of what is written and the data keys to seal it with."""
        if self.written is None:
            if self.upload is not None:
                self.written = self.upload.envelope
            else:
                assert self.choice is not None, f"{self.call.operation} writes no object"
                call = self.in_bucket_region()
                self.written, keys = self._keys.make(self._gateway, call, self.choice, self.arn)
                self._held[_identity(self.written)] = keys
        return self.written, self.keys_to_read(self.written)

    def keys_to_read(self, envelope: Envelope) -> tuple[bytes, ...]:
        """The data keys of an envelope; each is asked for once in a request."""
        held = self._held.get(_identity(envelope))
        if held is None:
            bucket = disk.find_bucket(envelope.arn.removeprefix("arn:aws:s3:::").partition("/")[0])
            own = self.upload is not None and envelope is self.upload.envelope
            key = self.customer_key if own or not self.is_copy else self.source_key
            held = self._keys.open(self._gateway, self._in_region(bucket), envelope, key)
            self._held[_identity(envelope)] = held
        return held

    @property
    def is_copy(self) -> bool:
        """Whether what it reads is another object than the one it writes."""
        return self.call.operation in COPIES

    @property
    def joins_blindly(self) -> bool:
        """Whether it puts an SSE-C upload together without bringing the key."""
        return (
            self.call.operation == "CompleteMultipartUpload"
            and self.upload is not None
            and self.upload.envelope.sse == SSE_C
            and self.customer_key is None
        )

    def _check_part(self) -> None:
        envelope: Envelope = self.upload.envelope
        _check_transport(self.call, envelope.sse)
        key, check = self.customer_key, envelope.customer_key
        if check is None and key is None:
            return
        if key is None:
            if self.call.operation == "CompleteMultipartUpload":
                return
            raise AWSError(
                "InvalidRequest",
                "The multipart upload initiate requested encryption. Subsequent part requests "
                "must include the appropriate encryption parameters.",
            )
        if check is None or not check.matches(key.key):
            raise AWSError(
                "InvalidRequest",
                "The provided encryption parameters did not match the ones used originally.",
            )

    def _check_reading(self, found: Any, key: CustomerKey | None) -> None:
        if found is not None:
            check_customer_key(found.envelope, key)
            _check_transport(self.call, found.envelope.sse)

    def in_bucket_region(self) -> Call:
        """The call, as if made in the Region of the bucket: there S3 asks KMS."""
        return self._in_region(self.bucket)

    def _in_region(self, bucket: Any) -> Call:
        return in_region(self.call, bucket.region_name if bucket is not None else self.call.region)


def read_query(call: Call) -> None:
    """Let the headers that a presigned URL carries in its query count as headers."""
    query = call.http.url.partition("?")[2] if call.http is not None else ""
    if "x-amz-server-side" in query.lower():
        for name, values in parse_qs(query).items():
            parameter = _HEADERS.get(name.lower())
            if parameter is not None:
                call.parameters.setdefault(parameter, values[0])


def _identity(envelope: Envelope) -> tuple[bytes, ...]:
    check = envelope.customer_key
    return (check.salt,) if check is not None else envelope.wrapped_keys


def _check_transport(call: Call, sse: str) -> None:
    """Keys of KMS or of a customer's are used over TLS only, KMS's with Signature Version 4.

    Source: Amazon S3 User Guide, "Using server-side encryption with AWS KMS keys" and "... with
    customer-provided keys".
    """
    if sse == SSE_S3:
        return
    if not call.secure:
        code, whose = (
            ("InvalidRequest", "Customer provided keys")
            if sse == SSE_C
            else ("InvalidArgument", "AWS KMS managed keys")
        )
        raise AWSError(
            code,
            f"Requests specifying Server Side Encryption with {whose} must be made over a secure "
            "connection.",
        )
    if sse != SSE_C and not _is_signature_4(call):
        raise AWSError(
            "InvalidArgument",
            "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS "
            "Signature Version 4.",
        )


def _is_signature_4(call: Call) -> bool:
    if call.http is None or call.caller.kind == "AWSService":
        return True
    for name, value in call.http.headers.items():
        if str(name).lower() == "authorization":
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            return text.startswith("AWS4-")
    return bool(re.search(r"[?&]X-Amz-Signature=", call.http.url))
