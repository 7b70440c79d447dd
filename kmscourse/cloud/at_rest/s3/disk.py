"""The disk of S3: moto's objects, with ciphertext in them.

moto keeps the bytes of an object in a `FakeKey`, and everything in it reads and writes them
through `FakeKey.value`. While a simulated cloud runs, a class stands in its place whose value
is sealed on the way in and unsealed on the way out, so that listing, versions, copies and
multipart uploads stay moto's business.

moto's names that this stands on, all in ``moto.s3.models``: ``FakeKey`` (``value``, ``_etag``,
``_value_buffer``, ``contentsize``, ``lock``, ``disposed``, ``encryption``, ``kms_key_id``,
``bucket_key_enabled``, ``bucket_name``, ``name``), ``FakeBucket`` (``get_permission``, ``keys``,
``multiparts``, ``encryption``, ``policy``), ``FakeMultipart`` (``instances_tracked``),
``FakeDeleteMarker``, ``S3Backend`` (``_url_module``, ``tagger``) and ``s3_backends``
(``bucket_accounts``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import moto.s3.models
import moto.s3.urls
from moto.s3.models import FakeBucket, FakeKey, FakeMultipart, S3Backend, s3_backends

from kmscourse.cloud.at_rest.s3.envelope import (
    SSE_C,
    SSE_S3,
    Bytes,
    Envelope,
    nonce_bytes,
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """Bytes on their way to the disk.

    Attributes:
        pieces: nonces and ciphertext of each piece. There is one, but for a multipart upload
            that S3 had to put together without the key, which only its customer has.
        size: of the plaintext, in bytes.
    """

    envelope: Envelope
    pieces: Sequence[tuple[Bytes, Bytes]]
    size: int


class Sealer(Protocol):
    """Who holds the keys while a request lasts."""

    def seal(self, bucket: str | None, name: Any, plaintext: bytes) -> Sealed:
        """Encrypt what is about to be stored."""

    def unseal(self, stored: SealedKey) -> bytes:
        """Decrypt what is about to be read."""

    def permission(self, resource: str) -> Any:
        """moto's question whether the caller may, once the gateway has let a call through."""


class SealedKey(FakeKey):  # type: ignore[misc]
    """An object, a version of one or an uploaded part, whose bytes are ciphertext.

    Attributes:
        replication_status: as in ``x-amz-replication-status``; None where no rule applies.
    """

    replication_status: str | None = None
    sealer: Sealer
    envelope: Envelope
    _etag: str | None
    _lengths: tuple[int, ...]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.describe(self.envelope)

    def describe(self, envelope: Envelope) -> None:
        """Let moto know how the object is encrypted, as `envelope` says."""
        self.envelope = envelope
        self.encryption = None if envelope.sse == SSE_C else envelope.sse
        self.kms_key_id = envelope.key_arn
        self.bucket_key_enabled = True if envelope.wrapped_bucket_key is not None else None

    @property
    def value(self) -> bytes:
        """The plaintext, where the request that is served holds the keys."""
        return self.sealer.unseal(self)

    @value.setter
    def value(self, plaintext: bytes | str | Sealed) -> None:
        data = plaintext.encode() if isinstance(plaintext, str) else plaintext
        try:
            if isinstance(data, Sealed):  # a replica
                sealed, data = data, b""
            else:
                sealed = self.sealer.seal(self.bucket_name, self.name, data)
        except BaseException:
            self.disposed = True  # nothing was stored, so there is nothing to warn about
            raise
        self.envelope = sealed.envelope
        self._lengths = tuple(len(ciphertext) for _, ciphertext in sealed.pieces)
        self._value_buffer.seek(0)
        self._value_buffer.truncate()
        for piece in sealed.pieces:
            self._value_buffer.writelines(piece)
        self.contentsize = sealed.size
        if self._etag is None:
            self._etag = _etag(sealed, data)

    def pieces(self) -> list[tuple[memoryview, memoryview]]:
        """The nonces and the ciphertext of each piece, as they lie on the disk."""
        with self.lock:
            self._value_buffer.seek(0)
            rest = memoryview(self._value_buffer.read())
        nonces = nonce_bytes(max(1, len(self.envelope.wrapped_keys)))
        found = []
        for length in self._lengths:
            found.append((rest[:nonces], rest[nonces : nonces + length]))
            rest = rest[nonces + length :]
        return found


def _etag(sealed: Sealed, data: bytes) -> str:
    """The entity tag of one uploaded piece.

    Source: Amazon S3 API Reference, "Object": the MD5 digest of the object's data in plaintext
    or under SSE-S3; under SSE-C or KMS keys not an MD5 digest of its data.
    """
    if sealed.envelope.sse == SSE_S3:
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    nonces, ciphertext = sealed.pieces[-1]
    return hashlib.sha256(bytes(nonces) + ciphertext[-16:]).hexdigest()[:32]


class Door:
    """Puts sealed objects into moto's place, and takes them out again."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._class = type("SealedKey", (SealedKey,), {"sealer": sealer})

    def open(self) -> None:
        """From now on moto stores ciphertext."""
        self._before = (
            moto.s3.models.FakeKey,
            FakeBucket.get_permission,
            S3Backend._url_module,
        )
        # What moto keeps beside its rooms: it would close the objects of a cloud around this one.
        self._uploads, FakeMultipart.instances_tracked = FakeMultipart.instances_tracked, []
        self._bucket_names = dict(s3_backends.bucket_accounts)
        s3_backends.bucket_accounts.clear()
        moto.s3.models.FakeKey = self._class
        sealer = self._sealer
        # The gateway has decided; moto's own reading of bucket policies knows no conditions.
        FakeBucket.get_permission = lambda _, __, resource: sealer.permission(resource)
        # moto reloads this module with every request, in case the environment changed.
        S3Backend._url_module = property(lambda _: moto.s3.urls)

    def close(self) -> None:
        """Put moto back as it was."""
        (
            moto.s3.models.FakeKey,
            FakeBucket.get_permission,
            S3Backend._url_module,
        ) = self._before
        FakeMultipart.instances_tracked = self._uploads
        s3_backends.bucket_accounts.clear()
        s3_backends.bucket_accounts.update(self._bucket_names)


def find_bucket(name: str | None) -> Any:
    """moto's bucket of a name, whichever account has it, or None."""
    where = s3_backends.bucket_accounts.get(name)
    if where is None:
        return None
    partition, account = where
    return s3_backends[account][partition].buckets.get(name)


def find_object(bucket: Any, name: str | None, version_id: str | None = None) -> Any:
    """moto's object, or a version of it, or None: delete markers are none."""
    if bucket is None or not name:
        return None
    versions = bucket.keys.getlist(name, [])
    if version_id is not None:
        versions = [each for each in versions if str(each.version_id) == version_id]
    return versions[-1] if versions and isinstance(versions[-1], SealedKey) else None


def tags_of(bucket: Any, found: Any) -> dict[str, str]:
    """The tags of moto's object."""
    tagger = s3_backends[bucket.account_id][bucket.partition].tagger
    tags: dict[str, str] = tagger.get_tag_dict_for_resource(found.arn)
    return tags


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What lies on the disk of S3 for one object, as a thief of the disk would find it.

    ``bytes(stored)`` is all of it in one piece, to search in.

    Attributes:
        sse: the kind of encryption: ``"AES256"``, ``"aws:kms"``, ``"aws:kms:dsse"``, ``"SSE-C"``.
        ciphertext: the object's bytes, encrypted, with the tags of AES-GCM at the end.
        nonces: the nonce of each layer.
        wrapped_keys: the data key of each layer, wrapped; none for SSE-C.
        key_arn: the KMS key that wrapped the data key; None where S3's own or yours did.
        key_material_id: which version of that key's material it was.
        context: the encryption context without which KMS does not unwrap.
        wrapped_bucket_key: the S3 Bucket Key between the two, wrapped, where there is one.
        customer_key_check: for SSE-C the salted HMAC of your key, and that is all.
    """

    bucket: str
    key: str
    version_id: str | None
    sse: str
    ciphertext: bytes = field(repr=False)
    nonces: bytes = field(repr=False)
    wrapped_keys: tuple[bytes, ...] = field(repr=False)
    key_arn: str | None
    key_material_id: str | None
    context: dict[str, str]
    wrapped_bucket_key: bytes | None = field(repr=False)
    customer_key_check: bytes | None = field(repr=False)

    @property
    def wrapped_key(self) -> bytes | None:
        """The wrapped data key of the only or outermost layer."""
        return self.wrapped_keys[-1] if self.wrapped_keys else None

    def __bytes__(self) -> bytes:
        described = "\n".join(f"{name}: {text}" for name, text in self.rows()).encode()
        kept = (*self.wrapped_keys, self.wrapped_bucket_key or b"", self.customer_key_check or b"")
        return b"\n".join((described, *kept, self.nonces, self.ciphertext))

    def rows(self) -> list[tuple[str, str]]:
        """What there is, as pairs of a name and a text."""
        rows = [
            ("object", f"s3://{self.bucket}/{self.key}"),
            ("version", self.version_id or ""),
            ("encryption", self.sse),
            ("ciphertext", _glance(self.ciphertext)),
            *(("wrapped data key", _glance(wrapped)) for wrapped in self.wrapped_keys),
            ("wrapped bucket key", _glance(self.wrapped_bucket_key)),
            ("key", self.key_arn or ""),
            ("key material", self.key_material_id or ""),
            ("context", ", ".join(f"{k} = {v}" for k, v in sorted(self.context.items()))),
            ("salted HMAC of the key", _glance(self.customer_key_check)),
        ]
        return [row for row in rows if row[1]]

    def __repr__(self) -> str:
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name.ljust(width)}  {text}" for name, text in rows)


def look(bucket: str, key: str, version_id: str | None = None) -> StoredObject:
    """What lies on the disk for an object.

    Raises:
        KeyError: where there is no such object.
    """
    found = find_object(find_bucket(bucket), key, version_id)
    if found is None:
        raise KeyError(f"There is no object s3://{bucket}/{key}.")
    envelope: Envelope = found.envelope
    pieces = found.pieces()
    check = envelope.customer_key
    return StoredObject(
        bucket=bucket,
        key=key,
        version_id=found.version_id if found.version_id != "null" else None,
        sse=envelope.sse,
        ciphertext=b"".join(ciphertext for _, ciphertext in pieces),
        nonces=b"".join(nonces for nonces, _ in pieces),
        wrapped_keys=envelope.wrapped_keys,
        key_arn=envelope.key_arn,
        key_material_id=envelope.key_material_id,
        context=dict(envelope.context),
        wrapped_bucket_key=envelope.wrapped_bucket_key,
        customer_key_check=check.salt + check.mac if check is not None else None,
    )


def _glance(data: bytes | None) -> str:
    if data is None:
        return ""
    return f"{data[:16].hex()}{'...' if len(data) > 16 else ''} ({len(data):,} bytes)"
