"""Where the simulator's own ids, key material and nonces come from.

Only the simulator is ever seeded. Code that a learner would take home (`os.urandom`,
``AESGCM.generate_key``) is left alone.
"""

from __future__ import annotations

import os
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Randomness:
    """Random bytes: the operating system's, or a repeatable stream when seeded.

    Args:
        seed: any text; the same seed gives the same bytes in the same order. A seeded
            stream is the ChaCha20 keystream under a key derived from the seed.
    """

    def __init__(self, seed: str | None = None) -> None:
        self.seeded = seed is not None
        if seed is not None:
            key = HKDF(hashes.SHA256(), 32, salt=None, info=b"kmscourse randomness").derive(
                seed.encode()
            )
            self._stream = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()

    def bytes(self, count: int) -> bytes:
        """`count` random bytes."""
        return self._stream.update(bytes(count)) if self.seeded else os.urandom(count)

    def uuid(self) -> str:
        """A version 4 UUID, as AWS writes request ids and key ids."""
        return str(UUID(bytes=self.bytes(16), version=4))

    def hex(self, digits: int) -> str:
        """`digits` hexadecimal digits in lower case."""
        return self.bytes((digits + 1) // 2).hex()[:digits]

    def letters(self, count: int, alphabet: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") -> str:
        """`count` letters of a 32-letter alphabet, as in access key ids."""
        return "".join(alphabet[byte % len(alphabet)] for byte in self.bytes(count))
