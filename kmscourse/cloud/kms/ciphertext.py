"""The ciphertext blob of a symmetric KMS key.

AWS does not document its own; this one carries what AWS's must: which key made it and which
version of its material, so that Decrypt needs no KeyId and an old version always opens.

    version (1) | account (6) | length of key id (1) | key id | material id (32) | nonce (12)
    | ciphertext and tag

AES-256-GCM, with everything before the ciphertext and the encryption context as additional
authenticated data. Each name and value of the context goes in with its length, sorted, so
that no two contexts read alike.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse.cloud.kms.keys import Key

_VERSION = 1
_NONCE = 12
_TAG = 16


class CiphertextError(ValueError):
    """The bytes are no ciphertext blob, or not one of this key under this context."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A ciphertext blob, read but not opened."""

    account: str
    key_id: str
    material_id: str
    header: bytes
    nonce: bytes
    sealed: bytes

    @classmethod
    def parse(cls, data: bytes) -> Blob:
        """Read a blob.

        Raises:
            CiphertextError: where the bytes do not have the form of one.
        """
        if len(data) < 8 or data[0] != _VERSION:
            raise CiphertextError("no ciphertext blob")
        length = data[7]
        header_end = 8 + length + 32
        nonce_end = header_end + _NONCE
        if not length or len(data) < nonce_end + _TAG:
            raise CiphertextError("too short for a ciphertext blob")
        try:
            key_id = data[8 : 8 + length].decode("ascii")
        except UnicodeDecodeError as error:
            raise CiphertextError("no key id") from error
        return cls(
            account=f"{int.from_bytes(data[1:7]):012d}",
            key_id=key_id,
            material_id=data[8 + length : header_end].hex(),
            header=data[:header_end],
            nonce=data[header_end:nonce_end],
            sealed=data[nonce_end:],
        )

    def open(self, secret: bytes, context: Mapping[str, str]) -> bytes:
        """The plaintext.

        Args:
            secret: the material whose id the blob names.

        Raises:
            CiphertextError: where the blob or the encryption context was changed.
        """
        try:
            return AESGCM(secret).decrypt(self.nonce, self.sealed, self.header + bind(context))
        except InvalidTag as error:
            raise CiphertextError("the authentication tag does not match") from error


def seal(key: Key, plaintext: bytes, context: Mapping[str, str], nonce: bytes) -> bytes:
    """Encrypt under the current material of a key, bound to an encryption context.

    Args:
        nonce: 12 bytes, never used twice with the same material.
    """
    name = key.id.encode("ascii")
    header = (
        bytes([_VERSION])
        + int(key.account).to_bytes(6)
        + bytes([len(name)])
        + name
        + bytes.fromhex(key.current.id)
    )
    secret = key.secret(key.current)
    assert secret, "the key's state is checked before its material is used"
    sealed = AESGCM(secret).encrypt(nonce, plaintext, header + bind(context))
    return header + nonce + sealed


def bind(context: Mapping[str, str]) -> bytes:
    """An encryption context as bytes, each part with its length: no two read alike."""
    parts = [struct.pack(">I", len(context))]
    for name, value in sorted(context.items()):
        for text in (name, value):
            encoded = text.encode("utf-8", "surrogatepass")
            parts += [struct.pack(">I", len(encoded)), encoded]
    return b"".join(parts)
