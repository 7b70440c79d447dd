"""Envelope encryption of one object: its bytes under data keys, the data keys under another key.

What is kept beside the ciphertext is an `Envelope`, and no key is in it that opens anything:
data keys are wrapped, a customer's key is not there at all.

Stored are the nonces, one for each layer, then the ciphertext. AES-256-GCM, bound to the
object's ARN, so that ciphertext moved under another name does not open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

#: The kinds of server-side encryption, as the API writes them; SSE-C has no such name.
SSE_S3 = "AES256"
SSE_KMS = "aws:kms"
DSSE_KMS = "aws:kms:dsse"
SSE_C = "SSE-C"

#: Bytes, or a view of them that spares a copy.
Bytes = bytes | memoryview

_NONCE = 12


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """A salted HMAC of a customer's key, by which S3 knows the key again but cannot have it."""

    salt: bytes
    mac: bytes

    @classmethod
    def of(cls, key: bytes, salt: bytes) -> KeyCheck:
        """The check value of a key."""
        return cls(salt, _hmac(key, salt).finalize())

    def matches(self, key: bytes) -> bool:
        """Whether this is the key; in constant time."""
        try:
            _hmac(key, self.salt).verify(self.mac)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Envelope:
    """What S3 keeps beside the ciphertext of an object.

    Attributes:
        sse: the kind of encryption, e.g. ``"aws:kms"``.
        arn: the ARN of the object, to which its ciphertext is bound.
        wrapped_keys: the wrapped data key of each layer, innermost first; none for SSE-C.
        key_arn: the KMS key that wrapped them.
        key_material_id: which version of its material.
        context: the encryption context under which KMS unwraps.
        wrapped_bucket_key: the wrapped S3 Bucket Key that wrapped the data key, where one did.
        customer_key: how to know a customer's key again.
    """

    sse: str
    arn: str
    wrapped_keys: tuple[bytes, ...] = ()
    key_arn: str | None = None
    key_material_id: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    wrapped_bucket_key: bytes | None = None
    customer_key: KeyCheck | None = None


def seal(
    plaintext: bytes, keys: Sequence[bytes], arn: str, random: Callable[[int], bytes]
) -> tuple[bytes, bytes]:
    """Encrypt, one layer for each key, innermost first.

    Args:
        random: gives that many random bytes.

    Returns:
        The nonces, outermost last, and the ciphertext with its tags.
    """
    nonces = [random(_NONCE) for _ in keys]
    sealed = plaintext
    for layer, (key, nonce) in enumerate(zip(keys, nonces, strict=True)):
        sealed = AESGCM(key).encrypt(nonce, sealed, _bound(arn, layer))
    return b"".join(nonces), sealed


def unseal(nonces: Bytes, sealed: Bytes, keys: Sequence[bytes], arn: str) -> bytes:
    """Decrypt what `seal` gave.

    Raises:
        cryptography.exceptions.InvalidTag: where a key is wrong or a byte was changed.
    """
    plaintext: Any = sealed
    for layer, key in reversed(list(enumerate(keys))):
        nonce = nonces[layer * _NONCE : (layer + 1) * _NONCE]
        plaintext = AESGCM(key).decrypt(nonce, plaintext, _bound(arn, layer))
    return bytes(plaintext)


def nonce_bytes(layers: int) -> int:
    """How many bytes of nonces stand before the ciphertext."""
    return layers * _NONCE


def wrap(key: bytes, under: bytes, arn: str, nonce: bytes) -> bytes:
    """A data key, encrypted under another key."""
    return nonce + AESGCM(under).encrypt(nonce, key, arn.encode())


def unwrap(wrapped: bytes, under: bytes, arn: str) -> bytes:
    """The data key that `wrap` wrapped."""
    return AESGCM(under).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], arn.encode())


def _bound(arn: str, layer: int) -> bytes:
    return f"{layer} {arn}".encode()


def _hmac(key: bytes, salt: bytes) -> hmac.HMAC:
    mac = hmac.HMAC(salt, hashes.SHA256())
    mac.update(key)
    return mac
