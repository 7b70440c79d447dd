"""The service: each request to S3 with the keys it needs in hand, and moto for the rest."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from moto.iam.access_control import PermissionResult

from kmscourse.cloud.at_rest.s3 import (
    bucket_encryption,
    disk,
    permissions,
    replication_rules,
    update_encryption,
)
from kmscourse.cloud.at_rest.s3.choice import CustomerKey
from kmscourse.cloud.at_rest.s3.data_keys import DataKeys
from kmscourse.cloud.at_rest.s3.envelope import DSSE_KMS, SSE_C, SSE_KMS, SSE_S3, Envelope
from kmscourse.cloud.at_rest.s3.envelope import seal as seal_under
from kmscourse.cloud.at_rest.s3.envelope import unseal as unseal_under
from kmscourse.cloud.at_rest.s3.replication import Replication
from kmscourse.cloud.at_rest.s3.request import READS, Request, read_query
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.protocol import Response
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

#: How CloudTrail names what was applied, in additionalEventData.SSEApplied.
#: Source: AWS re:Post, "What happens when I turn on default encryption ..."; DSSE's is inferred.
_APPLIED = {SSE_S3: "SSE_S3", SSE_KMS: "SSE_KMS", SSE_C: "SSE_C", DSSE_KMS: "DSSE_KMS"}
#: Operations whose answers tell how far an object's replication is.
_SHOW_STATUS = ("GetObject", "HeadObject")


class S3:
    """Server-side encryption and permissions of Amazon S3, around moto."""

    def __init__(self, random: Randomness) -> None:
        self._random = random
        self._keys = DataKeys(random)
        self._replication = Replication(self._keys, random)
        self._door = disk.Door(self)
        self._now: ContextVar[Request | None] = ContextVar("request", default=None)

    def open(self) -> None:
        """Let moto store ciphertext from now on."""
        self._door.open()

    def close(self) -> None:
        """Put moto back as it was."""
        self._door.close()

    def catch_up(self, gateway: Gateway) -> None:
        """Replicate what has fallen due."""
        self._replication.catch_up(gateway)

    def needs(self, call: Call) -> list[Permission]:
        """The permissions that a call needs."""
        read_query(call)
        permissions.note(call)
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
        request = Request(self._keys, gateway, call)
        if request.bucket is None:
            return ask_moto()
        if call.parameters.get("ExpectedBucketOwner") not in (None, request.bucket.account_id):
            raise AWSError("AccessDenied", "Access Denied", 403)
        if call.operation == "PutBucketPolicy":
            permissions.validate_policy(str(call.parameters.get("Policy", "")))
        if call.operation in bucket_encryption.OPERATIONS:
            return bucket_encryption.OPERATIONS[call.operation](request.bucket, call.parameters)
        if call.operation in replication_rules.OPERATIONS:
            answer = replication_rules.OPERATIONS[call.operation]
            return answer(request.bucket, call.parameters, self._random)
        if call.operation == "PutBucketVersioning":
            replication_rules.keep_versioning(request.bucket, call.parameters)
        if call.operation == "UpdateObjectEncryption":
            return update_encryption.update(self._keys, gateway, request)
        request.check()
        if call.operation == "CreateMultipartUpload":
            return self._begin_upload(request, ask_moto)
        token = self._now.set(request)
        try:
            response = ask_moto()
        finally:
            self._now.reset(token)
        if response.status < 400:
            self._finish(request, response)
            self._replication.notice(call, request.bucket)
        return response

    def seal(self, bucket: str | None, name: Any, plaintext: bytes) -> disk.Sealed:
        """Encrypt what moto is about to store. See `disk.Sealer`."""
        request = self._now.get()
        if request is None or not request.is_about(bucket, name):
            # A service that delivers into the bucket, such as access logs.
            envelope, keys = self._keys.make_own(f"arn:aws:s3:::{bucket}/{name}")
        elif request.unopened:
            request.written = request.upload.envelope
            pieces = [piece for pieces, _ in request.unopened.values() for piece in pieces]
            size = sum(size for _, size in request.unopened.values())
            return disk.Sealed(request.upload.envelope, tuple(pieces), size)
        else:
            envelope, keys = request.keys_to_write()
        piece = seal_under(plaintext, keys, envelope.arn, self._random.bytes)
        return disk.Sealed(envelope, (piece,), len(plaintext))

    def unseal(self, stored: disk.SealedKey) -> bytes:
        """Decrypt what moto is about to read. See `disk.Sealer`."""
        request, envelope = self._now.get(), stored.envelope
        if request is not None and request.joins_blindly:
            request.unopened[stored.name] = stored.pieces(), stored.contentsize
            return b""
        if request is not None:
            keys = request.keys_to_read(envelope)
        elif envelope.sse == SSE_S3:
            keys = self._keys.open_own(envelope)
        else:  # nobody's request, so nobody's permission to use the key
            raise AWSError("AccessDenied", "Access Denied", 403)
        opened = [
            unseal_under(nonces, sealed, keys, envelope.arn) for nonces, sealed in stored.pieces()
        ]
        return opened[0] if len(opened) == 1 else b"".join(opened)

    def permission(self, resource: str) -> PermissionResult:
        """Whether one of the objects of a DeleteObjects may go. See `disk.Sealer`."""
        request = self._now.get()
        if request is None or request.call.operation != "DeleteObjects":
            return PermissionResult.PERMITTED
        allowed = permissions.may_delete(request.call, resource)
        return PermissionResult.PERMITTED if allowed else PermissionResult.DENIED

    def _begin_upload(self, request: Request, ask_moto: Callable[[], Response]) -> Response:
        """Make the data key that every part of a multipart upload is sealed with."""
        envelope, _ = request.keys_to_write()
        response = ask_moto()
        begun = re.search(rb"<UploadId>([^<]+)</UploadId>", response.body)
        if begun is not None:
            request.bucket.multiparts[begun[1].decode()].envelope = envelope
            self._tell(request, envelope, response)
        return response

    def _finish(self, request: Request, response: Response) -> None:
        found = request.found() if request.unopened or request.call.operation in READS else None
        if request.unopened and found is not None:
            # moto reckoned a checksum of what it could not read.
            found.checksum_algorithm = found.checksum_value = None
        status = found.replication_status if found is not None else None
        if status is not None and request.call.operation in _SHOW_STATUS:
            response.headers["x-amz-replication-status"] = status
        envelope = request.written or (found.envelope if found is not None else None)
        if envelope is not None:
            self._tell(request, envelope, response)

    @staticmethod
    def _tell(request: Request, envelope: Envelope, response: Response) -> None:
        """Say in the response's headers and in the trail how the object is encrypted."""
        for name in [n for n in response.headers if n.startswith("x-amz-server-side-encryption")]:
            del response.headers[name]
        response.headers |= _headers(envelope, request.customer_key)
        by_default = request.choice is not None and not (
            request.parameters.get("ServerSideEncryption") or envelope.sse == SSE_C
        )
        request.call.noted.setdefault("additionalEventData", {})["SSEApplied"] = (
            "Default_" if by_default else ""
        ) + _APPLIED[envelope.sse]


def _headers(envelope: Envelope, customer_key: CustomerKey | None) -> dict[str, str]:
    """How S3 tells about the encryption of an object."""
    name = "x-amz-server-side-encryption"
    if envelope.sse == SSE_C:
        headers = {f"{name}-customer-algorithm": "AES256"}
        if customer_key is not None:
            headers[f"{name}-customer-key-md5"] = customer_key.md5
        return headers
    headers = {name: envelope.sse}
    if envelope.key_arn is not None:
        headers[f"{name}-aws-kms-key-id"] = envelope.key_arn
    if envelope.wrapped_bucket_key is not None:
        headers[f"{name}-bucket-key-enabled"] = "true"
    return headers
