"""Blocks of a disk: what EBS keeps, and RDS under its databases.

Sectors are encrypted one by one with AES-256 in XTS mode, the sector's number as its tweak, as a
hypervisor does: a sector keeps its length and its place, and can be written alone. XTS needs two
keys of 256 bits, so a volume's data key has 64 bytes.

Source: AWS KMS Cryptographic Details, "Amazon EBS volume encryption" (AES-256-XTS); AWS KMS
Developer Guide, "Amazon EC2 example two" (``numberOfBytes`` 64). The sector's size is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kmscourse.cloud.kms.ciphertext import Blob

#: The bytes that are encrypted together.
SECTOR = 4096
#: How long the data key of a disk is, in bytes.
KEY_BYTES = 64

_ZEROS = bytes(SECTOR)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A disk's data key as it lies beside the disk: encrypted under a KMS key.

    Attributes:
        ciphertext: what KMS gave, and Decrypt opens.
        key_arn: the KMS key.
        context: the encryption context it is bound to.
    """

    ciphertext: bytes = field(repr=False)
    key_arn: str
    context: Mapping[str, str]


class Blocks:
    """The sectors of a disk that were ever written, as they lie there; the others are zeros.

    Args:
        size: of the disk, in bytes.
    """

    def __init__(self, size: int, sectors: Mapping[int, bytes] | None = None) -> None:
        self.size = size
        self.sectors = dict(sectors or {})

    def copy(self, size: int | None = None) -> Blocks:
        """The same sectors as they are now, for a snapshot."""
        return Blocks(self.size if size is None else size, self.sectors)

    def read(self, key: bytes | None, offset: int, length: int) -> bytes:
        """Bytes of the disk, decrypted where there is a key.

        Raises:
            ValueError: for bytes beyond the end of the disk.
        """
        self._check(offset, length)
        first, last = offset // SECTOR, -(-(offset + length) // SECTOR)
        found = b"".join(self._opened(key, number) for number in range(first, last))
        return found[offset - first * SECTOR :][:length]

    def write(self, key: bytes | None, offset: int, data: bytes) -> None:
        """Write bytes, encrypted where there is a key.

        Raises:
            ValueError: for bytes beyond the end of the disk.
        """
        self._check(offset, len(data))
        if not data:
            return
        first, last = offset // SECTOR, -(-(offset + len(data)) // SECTOR)
        whole = bytearray(b"".join(self._opened(key, number) for number in range(first, last)))
        start = offset - first * SECTOR
        whole[start : start + len(data)] = data
        for number in range(first, last):
            place = (number - first) * SECTOR
            self._put(key, number, bytes(whole[place : place + SECTOR]))

    def under(self, old: bytes | None, new: bytes | None, size: int | None = None) -> Blocks:
        """The same content under another key."""
        made = Blocks(self.size if size is None else size)
        for number in self.sectors:
            made._put(new, number, self._opened(old, number))
        return made

    def _opened(self, key: bytes | None, number: int) -> bytes:
        sector = self.sectors.get(number)
        if sector is None:
            return _ZEROS
        return sector if key is None else _cipher(key, number).decryptor().update(sector)

    def _put(self, key: bytes | None, number: int, sector: bytes) -> None:
        self.sectors[number] = (
            sector if key is None else _cipher(key, number).encryptor().update(sector)
        )

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ValueError(f"The disk has {self.size:,} bytes: these lie beyond its end.")


def _cipher(key: bytes, number: int) -> Cipher[modes.XTS]:
    return Cipher(algorithms.AES(key), modes.XTS(number.to_bytes(16, "little")))


@dataclass(frozen=True, slots=True)
class StoredDisk:
    """What lies on a disk, as a thief of it would find it.

    ``bytes(stored)`` is all of it in one piece, to search in.

    Attributes:
        id: of the volume, snapshot or database.
        encrypted: whether there is a data key at all.
        blocks: the sectors that were ever written, by their place on the disk in bytes.
        wrapped_key: the disk's data key, wrapped; None where it is not encrypted or an AWS owned
            key wrapped it.
        key_arn: the KMS key that wrapped the data key.
        key_material_id: which version of that key's material it was.
        context: the encryption context without which KMS does not unwrap.
    """

    id: str
    encrypted: bool
    blocks: dict[int, bytes] = field(repr=False)
    wrapped_key: bytes | None = field(repr=False)
    key_arn: str | None
    key_material_id: str | None
    context: dict[str, str]

    @classmethod
    def of(
        cls, name: str, blocks: Blocks, key: WrappedKey | None, *, encrypted: bool | None = None
    ) -> StoredDisk:
        """What lies there now."""
        return cls(
            id=name,
            encrypted=key is not None if encrypted is None else encrypted,
            blocks={number * SECTOR: blocks.sectors[number] for number in sorted(blocks.sectors)},
            wrapped_key=key.ciphertext if key else None,
            key_arn=key.key_arn if key else None,
            key_material_id=Blob.parse(key.ciphertext).material_id if key else None,
            context=dict(key.context) if key else {},
        )

    @property
    def ciphertext(self) -> bytes:
        """All sectors in one piece; plaintext, if the disk is not encrypted."""
        return b"".join(self.blocks.values())

    def __bytes__(self) -> bytes:
        described = "\n".join(f"{name}: {text}" for name, text in self.rows()).encode()
        return b"\n".join((described, self.wrapped_key or b"", *self.blocks.values()))

    def rows(self) -> list[tuple[str, str]]:
        """What there is, as pairs of a name and a text."""
        first = next(iter(self.blocks.values()), b"")
        rows = [
            ("disk", self.id),
            ("encrypted", "yes" if self.encrypted else "no"),
            ("written", f"{len(self.blocks):,} sectors of {SECTOR:,} bytes"),
            ("first of them", _glance(first, readable=not self.encrypted)),
            ("wrapped data key", _glance(self.wrapped_key)),
            ("key", self.key_arn or ""),
            ("key material", self.key_material_id or ""),
            ("context", ", ".join(f"{k} = {v}" for k, v in sorted(self.context.items()))),
        ]
        return [row for row in rows if row[1]]

    def __repr__(self) -> str:
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name.ljust(width)}  {text}" for name, text in rows)


def _glance(data: bytes | None, *, readable: bool = False) -> str:
    if not data:
        return ""
    if readable:
        return repr(data[:48].rstrip(b"\0"))
    return f"{data[:16].hex()}{'...' if len(data) > 16 else ''} ({len(data):,} bytes)"
