"""Where data keys come from: KMS for SSE-KMS, S3's own root key for SSE-S3, you for SSE-C.

S3 asks KMS with the caller's identity, so that the caller's permissions on the key decide,
and the call stands on the trail and on the bill.

Sources: Amazon S3 User Guide, "Using server-side encryption with AWS KMS keys",
"Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys", "Using dual-layer server-side
encryption with AWS KMS keys".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from kmscourse.cloud import permissions
from kmscourse.cloud.at_rest.s3.choice import AWS_MANAGED, Choice, CustomerKey
from kmscourse.cloud.at_rest.s3.envelope import (
    DSSE_KMS,
    SSE_C,
    SSE_S3,
    Envelope,
    KeyCheck,
    unwrap,
    wrap,
)
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import aws_managed
from kmscourse.cloud.kms.ciphertext import Blob
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

#: How long a Bucket Key is used before S3 asks KMS again. AWS says only "time-limited".
BUCKET_KEY_LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _DataKey:
    """A data key as KMS gave it."""

    plaintext: bytes = field(repr=False)
    wrapped: bytes
    key_arn: str
    key_material_id: str


@dataclass(frozen=True, slots=True)
class _Cached:
    """A Bucket Key while S3 remembers it."""

    key: _DataKey
    until: datetime


class DataKeys:
    """Makes data keys and unwraps them again. One for each simulated AWS."""

    def __init__(self, random: Randomness) -> None:
        self._random = random
        self._root: bytes | None = None
        self._bucket_keys: dict[tuple[Any, ...], _Cached] = {}

    def make(
        self, gateway: Gateway, call: Call, choice: Choice, arn: str
    ) -> tuple[Envelope, tuple[bytes, ...]]:
        """A new object's data keys.

        Args:
            call: the caller's request, in the bucket's Region.
            arn: of the object.

        Returns:
            The envelope to keep and, innermost first, the keys to use and forget.

        Raises:
            AWSError: KMS's refusal, in S3's words.
        """
        if choice.sse == SSE_S3:
            return self.make_own(arn)
        if choice.sse == SSE_C:
            assert choice.customer_key is not None
            key = choice.customer_key.key
            check = KeyCheck.of(key, self._random.bytes(32))
            return Envelope(SSE_C, arn, customer_key=check), (key,)
        assert choice.key_id is not None
        if choice.key_id.endswith(AWS_MANAGED):
            aws_managed.ensure(gateway.kms, "s3", call.account, call.region, call.time)
        if choice.bucket_key:
            return self._make_under_bucket_key(gateway, call, choice, arn)
        context = {**choice.context, "aws:s3:arn": arn}
        layers = [
            _generate(gateway, call, choice.key_id, context)
            for _ in range(2 if choice.sse == DSSE_KMS else 1)
        ]
        envelope = Envelope(
            choice.sse,
            arn,
            wrapped_keys=tuple(layer.wrapped for layer in layers),
            key_arn=layers[0].key_arn,
            key_material_id=layers[0].key_material_id,
            context=context,
        )
        return envelope, tuple(layer.plaintext for layer in layers)

    def make_own(self, arn: str) -> tuple[Envelope, tuple[bytes, ...]]:
        """A data key under S3's own root key (SSE-S3): nobody is asked."""
        key = self._random.bytes(32)
        wrapped = wrap(key, self._s3_root(), arn, self._random.bytes(12))
        return Envelope(SSE_S3, arn, wrapped_keys=(wrapped,)), (key,)

    def make_for_replica(
        self, gateway: Gateway, call: Call, choice: Choice, arn: str
    ) -> tuple[Envelope, tuple[bytes, ...]]:
        """A replica's data keys: S3 makes them and lets KMS encrypt them.

        The User Guide asks for kms:Encrypt on the replica's key and, with a Bucket Key, for
        kms:Decrypt, by which S3 checks the Bucket Key before it uses it. That the Bucket Key
        itself comes from GenerateDataKey is inferred from "Amazon S3 replication failure
        reasons", which asks for both.

        Args:
            call: the replication role's, in the Region of the destination.

        Raises:
            AWSError: KMS's refusal, in S3's words.
        """
        if choice.sse == SSE_S3:
            return self.make_own(arn)
        assert choice.key_id is not None
        if choice.key_id in (AWS_MANAGED, _aws_managed_arn(call)):
            aws_managed.ensure(gateway.kms, "s3", call.account, call.region, call.time)
        if choice.bucket_key:
            made, keys = self._make_under_bucket_key(gateway, call, choice, arn)
            self._open_bucket_key(gateway, call, made)
            return made, keys
        context = {**choice.context, "aws:s3:arn": arn}
        keys = tuple(self._random.bytes(32) for _ in range(2 if choice.sse == DSSE_KMS else 1))
        wrapped = [
            ask_kms(
                gateway,
                call,
                "Encrypt",
                {"KeyId": choice.key_id, "Plaintext": key, "EncryptionContext": dict(context)},
            )
            for key in keys
        ]
        envelope = Envelope(
            choice.sse,
            arn,
            wrapped_keys=tuple(each["CiphertextBlob"] for each in wrapped),
            key_arn=wrapped[0]["KeyId"],
            key_material_id=Blob.parse(wrapped[0]["CiphertextBlob"]).material_id,
            context=context,
        )
        return envelope, keys

    def open(
        self, gateway: Gateway, call: Call, envelope: Envelope, customer_key: CustomerKey | None
    ) -> tuple[bytes, ...]:
        """The data keys of an object, unwrapped for one request.

        Raises:
            AWSError: KMS's refusal, in S3's words; AccessDenied for a wrong customer's key.
        """
        if envelope.sse == SSE_S3:
            return self.open_own(envelope)
        if envelope.customer_key is not None:
            check_customer_key(envelope, customer_key)
            assert customer_key is not None
            return (customer_key.key,)
        if envelope.wrapped_bucket_key is None:
            return tuple(
                _decrypt(gateway, call, wrapped, envelope.context)
                for wrapped in envelope.wrapped_keys
            )
        bucket_key = self._open_bucket_key(gateway, call, envelope)
        return (unwrap(envelope.wrapped_keys[0], bucket_key, envelope.arn),)

    def open_own(self, envelope: Envelope) -> tuple[bytes, ...]:
        """The data key of an SSE-S3 object."""
        return (unwrap(envelope.wrapped_keys[0], self._s3_root(), envelope.arn),)

    def wrap_anew(
        self, gateway: Gateway, call: Call, envelope: Envelope, choice: Choice
    ) -> Envelope:
        """The same data key under another KMS key: the object's bytes stay as they are.

        Where KMS holds both keys, KMS does it without anyone seeing the data key (ReEncrypt).
        """
        assert choice.key_id is not None
        if choice.bucket_key:
            (key,) = self.open(gateway, call, envelope, None)
            made, _ = self._make_under_bucket_key(gateway, call, choice, envelope.arn, key)
            return made
        context = {"aws:s3:arn": envelope.arn}
        if envelope.sse == SSE_S3 or envelope.wrapped_bucket_key is not None:
            (key,) = self.open(gateway, call, envelope, None)
            parameters: dict[str, Any] = {
                "KeyId": choice.key_id,
                "Plaintext": key,
                "EncryptionContext": context,
            }
            wrapped = ask_kms(gateway, call, "Encrypt", parameters)
        else:
            parameters = {
                "CiphertextBlob": envelope.wrapped_keys[0],
                "SourceEncryptionContext": dict(envelope.context),
                "DestinationKeyId": choice.key_id,
                "DestinationEncryptionContext": context,
            }
            wrapped = ask_kms(gateway, call, "ReEncrypt", parameters)
        return Envelope(
            choice.sse,
            envelope.arn,
            wrapped_keys=(wrapped["CiphertextBlob"],),
            key_arn=wrapped["KeyId"],
            key_material_id=Blob.parse(wrapped["CiphertextBlob"]).material_id,
            context=context,
        )

    def _s3_root(self) -> bytes:
        if self._root is None:
            self._root = self._random.bytes(32)
        return self._root

    def _make_under_bucket_key(
        self,
        gateway: Gateway,
        call: Call,
        choice: Choice,
        arn: str,
        key: bytes | None = None,
    ) -> tuple[Envelope, tuple[bytes, ...]]:
        """A data key that S3 makes itself, under a Bucket Key from KMS.

        S3 asks KMS once for each requester, bucket and key in a while. The encryption context
        is the bucket's ARN: KMS never hears of the object.
        """
        assert choice.key_id is not None
        context = {**choice.context, "aws:s3:arn": arn.partition("/")[0]}
        asked = ("make", *_requester(call), choice.key_id, tuple(sorted(context.items())))
        bucket_key = self._remembered(asked, call.time)
        if bucket_key is None:
            bucket_key = _generate(gateway, call, choice.key_id, context)
            self._remember(asked, bucket_key, call.time)
        key = key or self._random.bytes(32)
        envelope = Envelope(
            choice.sse,
            arn,
            wrapped_keys=(wrap(key, bucket_key.plaintext, arn, self._random.bytes(12)),),
            key_arn=bucket_key.key_arn,
            key_material_id=bucket_key.key_material_id,
            context=context,
            wrapped_bucket_key=bucket_key.wrapped,
        )
        return envelope, (key,)

    def _open_bucket_key(self, gateway: Gateway, call: Call, envelope: Envelope) -> bytes:
        wrapped = envelope.wrapped_bucket_key
        assert wrapped is not None
        asked = ("open", *_requester(call), wrapped)
        known = self._remembered(asked, call.time)
        if known is not None:
            return known.plaintext
        plaintext = _decrypt(gateway, call, wrapped, envelope.context)
        self._remember(asked, _DataKey(plaintext, wrapped, "", ""), call.time)
        return plaintext

    def _remembered(self, asked: tuple[Any, ...], now: datetime) -> _DataKey | None:
        cached = self._bucket_keys.get(asked)
        return cached.key if cached is not None and now < cached.until else None

    def _remember(self, asked: tuple[Any, ...], key: _DataKey, now: datetime) -> None:
        fresh = {name: each for name, each in self._bucket_keys.items() if now < each.until}
        self._bucket_keys = fresh | {asked: _Cached(key, now + BUCKET_KEY_LIFETIME)}


def _requester(call: Call) -> tuple[Any, ...]:
    """Whom S3 remembers a Bucket Key for: a principal together with its session policies."""
    return call.caller.arn, call.caller.session_policies


def check_customer_key(envelope: Envelope, customer_key: CustomerKey | None) -> None:
    """Whether a request brings the key that an object needs, and none that it does not.

    Raises:
        AWSError: InvalidRequest where it is missing or not needed, AccessDenied where it is
            another.
    """
    if envelope.customer_key is None:
        if customer_key is not None:
            raise AWSError(
                "InvalidRequest", "The encryption parameters are not applicable to this object."
            )
        return
    if customer_key is None:
        raise AWSError(
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct "
            "parameters must be provided to retrieve the object.",
        )
    if not envelope.customer_key.matches(customer_key.key):
        raise AWSError("AccessDenied", "Access Denied", 403)


def _aws_managed_arn(call: Call) -> str:
    return f"arn:aws:kms:{call.region}:{call.account}:{AWS_MANAGED}"


def _generate(gateway: Gateway, call: Call, key_id: str, context: Mapping[str, str]) -> _DataKey:
    if key_id == AWS_MANAGED:
        key_id = _aws_managed_arn(call)
    parameters = {"KeyId": key_id, "KeySpec": "AES_256", "EncryptionContext": dict(context)}
    made = ask_kms(gateway, call, "GenerateDataKey", parameters)
    return _DataKey(made["Plaintext"], made["CiphertextBlob"], made["KeyId"], made["KeyMaterialId"])


def _decrypt(gateway: Gateway, call: Call, wrapped: bytes, context: Mapping[str, str]) -> bytes:
    parameters = {"CiphertextBlob": wrapped, "EncryptionContext": dict(context)}
    opened: bytes = ask_kms(gateway, call, "Decrypt", parameters)["Plaintext"]
    return opened


def ask_kms(
    gateway: Gateway, call: Call, operation: str, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Ask KMS with the caller's identity, and put its refusal into S3's words.

    Raises:
        AWSError: ``AccessDenied`` (403), ``SlowDown`` (503) where KMS throttles, or KMS's code
            with ``KMS.`` before it (400), e.g. ``KMS.DisabledException``.
    """
    try:
        return gateway.on_behalf(call, "kms", operation, parameters)
    except permissions.RefusedError as refusal:
        permission = Permission(f"kms:{operation}", "*", code="AccessDenied", status=403)
        raise permissions.RefusedError(
            permission, refusal.decision, _quoted(refusal.message)
        ) from refusal
    except AWSError as error:
        if error.code == "AccessDeniedException":
            raise AWSError("AccessDenied", error.message, 403) from error
        if error.code == "ThrottlingException":
            # As S3 answered in a public issue: aws-samples/cql-replicator#92.
            words = "Please reduce your request rate for operations involving AWS KMS."
            raise AWSError("SlowDown", words, 503) from error
        raise AWSError(f"KMS.{error.code}", error.message, 400) from error


def _quoted(message: str) -> str:
    """S3 puts the ARN in KMS's refusal into quotation marks."""
    return re.sub(r'on resource: (arn:[^\s"]+)', r'on resource: "\1"', message)


def in_region(call: Call, region: str) -> Call:
    """The same call, in the Region of the bucket: S3 asks KMS there."""
    return call if call.region == region else replace(call, region=region)
