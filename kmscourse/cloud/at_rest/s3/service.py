"""The service: each request to S3 with the keys it needs in hand, and moto for the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from kmscourse.cloud.at_rest.s3 import bucket_encryption, choice, disk, permissions
from kmscourse.cloud.at_rest.s3.choice import Choice, CustomerKey
from kmscourse.cloud.at_rest.s3.data_keys import DataKeys, check_customer_key, in_region
from kmscourse.cloud.at_rest.s3.envelope import SSE_C, SSE_S3, Envelope
from kmscourse.cloud.at_rest.s3.envelope import seal as seal_under
from kmscourse.cloud.at_rest.s3.envelope import unseal as unseal_under
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.protocol import Response
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

_WRITES = {"PutObject", "CopyObject", "CreateMultipartUpload"}
_PARTS = {"UploadPart", "UploadPartCopy", "CompleteMultipartUpload"}
_READS = {"GetObject", "HeadObject", "GetObjectAttributes", "SelectObjectContent"}
_COPIES = {"CopyObject", "UploadPartCopy"}

_CUSTOMER = "x-amz-server-side-encryption-customer-"
_KEPT_KEYS = "the keys of an upload that is under way"


class _Request:
    """One request, and the keys that it holds while it lasts."""

    def __init__(self, keys: DataKeys, gateway: Gateway, call: Call) -> None:
        self._keys, self.gateway, self.call = keys, gateway, call
        self.parameters = call.parameters
        self.bucket = disk.find_bucket(self.parameters.get("Bucket"))
        self.choice: Choice | None = None
        self.customer_key: CustomerKey | None = None
        self.source_key: CustomerKey | None = None
        self._held: dict[tuple[bytes, ...], tuple[bytes, ...]] = {}
        self.written: Envelope | None = None

    @property
    def arn(self) -> str:
        """The object's ARN."""
        return f"arn:aws:s3:::{self.parameters['Bucket']}/{self.parameters['Key']}"

    @property
    def upload(self) -> Any:
        """moto's multipart upload that the request belongs to, or None."""
        upload_id = self.parameters.get("UploadId")
        return self.bucket.multiparts.get(upload_id) if self.bucket and upload_id else None

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
                assert self.choice is not None
                self.written, keys = self._keys.make(
                    self.gateway, self._in_region(self.bucket), self.choice, self.arn
                )
                self._hold(self.written, keys)
        return self.written, self.keys_to_read(self.written)

    def keys_to_read(self, envelope: Envelope) -> tuple[bytes, ...]:
        """The data keys of an envelope, asked for once in a request."""
        held = self._held.get(envelope.wrapped_keys or (envelope.arn.encode(),))
        if held is None:
            bucket = disk.find_bucket(envelope.arn.removeprefix("arn:aws:s3:::").split("/")[0])
            given = self.source_key if self.call.operation in _COPIES else self.customer_key
            if self.upload is not None and envelope is self.upload.envelope:
                given = self.customer_key
            held = self._keys.open(self.gateway, self._in_region(bucket), envelope, given)
            self._hold(envelope, held)
        return held

    def _hold(self, envelope: Envelope, keys: tuple[bytes, ...]) -> None:
        self._held[envelope.wrapped_keys or (envelope.arn.encode(),)] = keys

    def _in_region(self, bucket: Any) -> Call:
        return in_region(self.call, bucket.region_name if bucket is not None else self.call.region)


class S3:
    """Server-side encryption and permissions of Amazon S3, around moto."""

    def __init__(self, random: Randomness) -> None:
        self._random = random
        self._keys = DataKeys(random)
        self._door = disk.Door(self)
        self._now: ContextVar[_Request | None] = ContextVar("request", default=None)

    def open(self) -> None:
        """Let moto store ciphertext from now on."""
        self._door.open()

    def close(self) -> None:
        """Put moto back as it was."""
        self._door.close()

    def needs(self, call: Call) -> list[Permission]:
        """The permissions that a call needs."""
        return permissions.needs(call)

    def stored(self, bucket: str, key: str, version_id: str | None = None) -> disk.StoredObject:
        """What lies on the disk for an object.

        Raises:
            KeyError: where there is no such object.
        """
        return disk.look(bucket, key, version_id)

    def perform(
        self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]
    ) -> dict[str, Any] | Response:
        """Carry out a call that was found to be allowed."""
        permissions.note(call)
        request = _Request(self._keys, gateway, call)
        if request.bucket is None:
            return ask_moto()
        own = _OWN.get(call.operation)
        if own is not None:
            return own(request.bucket, call.parameters)
        self._check(request)
        if call.operation == "CreateMultipartUpload":
            return self._begin_upload(request, ask_moto)
        token = self._now.set(request)
        try:
            response = ask_moto()
        finally:
            self._now.reset(token)
        self._finish(request, response)
        return response

    def seal(
        self, bucket: str | None, name: Any, plaintext: bytes
    ) -> tuple[Envelope, bytes, bytes]:
        """Encrypt what moto is about to store. See `disk.Sealer`."""
        request = self._now.get()
        if request is not None and request.is_about(bucket, name):
            envelope, keys = request.keys_to_write()
        else:  # a service that delivers into the bucket, such as access logs
            envelope, keys = self._keys.make_own(f"arn:aws:s3:::{bucket}/{name}")
        nonces, ciphertext = seal_under(plaintext, keys, envelope.arn, self._random.bytes)
        return envelope, nonces, ciphertext

    def unseal(self, envelope: Envelope, nonces: bytes, ciphertext: bytes) -> bytes:
        """Decrypt what moto is about to read. See `disk.Sealer`."""
        request = self._now.get()
        if request is not None:
            keys = request.keys_to_read(envelope)
        elif envelope.sse == SSE_S3:
            keys = self._keys.open_own(envelope)
        else:
            raise AWSError("AccessDenied", "Access Denied", 403)
        return unseal_under(nonces, ciphertext, keys, envelope.arn)

    def _check(self, request: _Request) -> None:
        """Refuse what contradicts itself, before anything is stored or read."""
        call, parameters = request.call, request.parameters
        request.customer_key = choice.customer_key_of(parameters)
        if call.operation in _COPIES:
            source = permissions.copy_source(parameters)
            found = disk.find_object(disk.find_bucket(source.bucket), source.key, source.version_id)
            request.source_key = choice.customer_key_of(parameters, "CopySource")
            if found is not None:
                check_customer_key(found.envelope, request.source_key)
        if call.operation in _WRITES:
            request.choice = choice.of_request(parameters, request.bucket)
            _check_transport(call, request.choice.sse)
        elif call.operation in _PARTS:
            if request.upload is not None:
                if call.operation != "CompleteMultipartUpload":
                    check_customer_key(request.upload.envelope, request.customer_key)
                _check_transport(call, request.upload.envelope.sse)
        elif call.operation in _READS:
            found = disk.find_object(
                request.bucket, parameters.get("Key"), parameters.get("VersionId")
            )
            if found is not None:
                check_customer_key(found.envelope, request.customer_key)
                _check_transport(call, found.envelope.sse)

    def _begin_upload(self, request: _Request, ask_moto: Callable[[], Response]) -> Response:
        """Make the data key that every part of a multipart upload is sealed with."""
        envelope, _ = request.keys_to_write()
        response = ask_moto()
        begun = re.search(rb"<UploadId>([^<]+)</UploadId>", response.body)
        if begun is not None:
            request.bucket.multiparts[begun[1].decode()].envelope = envelope
            self._tell(request, envelope, response)
        return response

    def _finish(self, request: _Request, response: Response) -> None:
        envelope = request.written
        if envelope is None and request.call.operation in _READS and response.status < 400:
            found = disk.find_object(
                request.bucket, request.parameters.get("Key"), request.parameters.get("VersionId")
            )
            envelope = found.envelope if found is not None else None
        if envelope is not None and response.status < 400:
            self._tell(request, envelope, response)

    @staticmethod
    def _tell(request: _Request, envelope: Envelope, response: Response) -> None:
        """Say in the response's headers and in the trail how the object is encrypted."""
        headers = _headers(envelope, request.customer_key)
        for name in [n for n in response.headers if n.startswith("x-amz-server-side-encryption")]:
            del response.headers[name]
        response.headers |= headers
        applied = disk.SSE_APPLIED[envelope.sse]
        by_default = request.choice is not None and not (
            request.parameters.get("ServerSideEncryption") or envelope.sse == SSE_C
        )
        request.call.noted["additionalEventData"] = {
            "SSEApplied": f"Default_{applied}" if by_default else applied
        }


def _headers(envelope: Envelope, customer_key: CustomerKey | None) -> dict[str, str]:
    """How S3 tells about the encryption of an object."""
    name = "x-amz-server-side-encryption"
    if envelope.sse == SSE_C:
        md5 = customer_key.md5 if customer_key is not None else ""
        return {f"{name}-customer-algorithm": "AES256"} | (
            {f"{name}-customer-key-md5": md5} if md5 else {}
        )
    headers = {name: envelope.sse}
    if envelope.key_arn is not None:
        headers[f"{name}-aws-kms-key-id"] = envelope.key_arn
    if envelope.wrapped_bucket_key is not None:
        headers[f"{name}-bucket-key-enabled"] = "true"
    return headers


def _check_transport(call: Call, sse: str) -> None:
    """Encryption with keys of KMS or of the customer's is offered over TLS only.

    Source: Amazon S3 User Guide, "Using server-side encryption with AWS KMS keys" and "... with
    customer-provided keys".
    """
    if call.secure or sse == SSE_S3:
        return
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


def _put_bucket_encryption(bucket: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    bucket_encryption.put(bucket, parameters.get("ServerSideEncryptionConfiguration") or {})
    return {}


def _get_bucket_encryption(bucket: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    return bucket_encryption.get(bucket)


def _delete_bucket_encryption(bucket: Any, _: Mapping[str, Any]) -> dict[str, Any]:
    bucket_encryption.delete(bucket)
    return {}


_OWN: dict[str, Callable[[Any, Mapping[str, Any]], dict[str, Any]]] = {
    "PutBucketEncryption": _put_bucket_encryption,
    "GetBucketEncryption": _get_bucket_encryption,
    "DeleteBucketEncryption": _delete_bucket_encryption,
}
