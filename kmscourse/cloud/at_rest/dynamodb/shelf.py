"""The disk of DynamoDB: moto's tables, with sealed items in them.

moto keeps the items of a table in ``Table.items``, a dictionary by partition key of dictionaries
by sort key. A `Shelf` stands in its place: each item is sealed as it is put there and opened when
it is looked at; what moto changes in an item it has looked at is sealed again at the end of the
request. Keys are sealed with the items: they stand on the shelf as keyed hashes.

moto's names that this stands on: ``moto.dynamodb.models.table.Table`` (``items``, ``__len__``,
``stream_shard``), ``moto.dynamodb.models.dynamo_type`` (``Item``, ``DynamoType``) and
``moto.dynamodb.models.dynamodb_backends``.

Source: Amazon DynamoDB Developer Guide, "DynamoDB encryption at rest usage notes": all data of a
table is encrypted, its primary key and indexes included.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from kmscourse.cloud.at_rest import sealing

if TYPE_CHECKING:
    from kmscourse.cloud.at_rest.dynamodb.table_keys import Encryption, TableKeys

_NONCE = 12
#: How bytes stand in JSON. No attribute's value is a text without its type, so none looks alike.
_BYTES = "bytes"
#: Where an item stands: the keyed hashes of its partition key and of its sort key, if any.
Place = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Record:
    """One sealed item."""

    nonce: bytes
    ciphertext: bytes


class Shelf:
    """The items of one table: what moto takes for a dictionary of them.

    Attributes:
        encryption: under which keys they are sealed.
        opened: items looked at or put during this request, with what is sealed of them.
        changed: the places written to during this request.
    """

    def __init__(self, keys: TableKeys, encryption: Encryption, sorted_too: bool) -> None:
        self.keys, self.encryption, self.sorted_too = keys, encryption, sorted_too
        self.records: dict[bytes, dict[bytes, Record]] = {}
        self.opened: dict[Place, tuple[Any, str]] = {}
        self.changed: dict[Place, None] = {}

    def __deepcopy__(self, _: dict[int, Any]) -> Shelf:
        """A copy for a backup or a transaction: sealed items are not opened for it."""
        copied = Shelf(self.keys, self.encryption, self.sorted_too)
        copied.records = {place: dict(row) for place, row in self.records.items()}
        return copied

    def __len__(self) -> int:
        return sum(len(row) for row in self.records.values())

    def __contains__(self, key: object) -> bool:
        return self.keys.place(key) in self.records

    def __getitem__(self, key: Any) -> Any:
        if self.sorted_too:
            return _Row(self, self.keys.place(key))
        return self.take((self.keys.place(key), b""))

    def __setitem__(self, key: Any, item: Any) -> None:
        self.put((self.keys.place(key), b""), item)

    def pop(self, key: Any) -> Any:
        return self.remove((self.keys.place(key), b""))

    def values(self) -> Iterator[Any]:
        for partition in list(self.records):
            if self.sorted_too:
                yield _Row(self, partition)
            else:
                yield self.take((partition, b""))

    def take(self, place: Place) -> Any:
        """Open an item, the same one for the length of a request.

        Raises:
            KeyError: where nothing stands there.
        """
        if place not in self.opened:
            record = self.records[place[0]][place[1]]
            text = AESGCM(self.keys.open_key(self)).decrypt(
                record.nonce, record.ciphertext, b"".join(place)
            )
            self.opened[place] = _item(text.decode()), text.decode()
        return self.opened[place][0]

    def put(self, place: Place, item: Any) -> None:
        """Seal an item."""
        text = _text(item)
        self.seal(place, text)
        self.opened[place] = item, text
        self.changed[place] = None

    def remove(self, place: Place) -> Any:
        """Take an item away."""
        item = self.take(place)
        row = self.records[place[0]]
        del row[place[1]]
        if not row:
            del self.records[place[0]]
        self.opened.pop(place, None)
        self.changed[place] = None
        return item

    def seal(self, place: Place, text: str) -> None:
        nonce = self.keys.random.bytes(_NONCE)
        sealed = AESGCM(self.keys.open_key(self)).encrypt(nonce, text.encode(), b"".join(place))
        self.records.setdefault(place[0], {})[place[1]] = Record(nonce, sealed)

    def settle(self) -> dict[Place, str | None]:
        """Seal what moto changed in items it had looked at, and forget their plaintext.

        Returns:
            What was written during the request: the item as text, or None where it is gone.
        """
        for place, (item, sealed) in self.opened.items():
            text = _text(item)
            if text != sealed:
                self.seal(place, text)
                self.changed[place] = None
        written = {
            place: _text(self.opened[place][0]) if place in self.opened else None
            for place in self.changed
        }
        self.forget()
        return written

    def forget(self) -> None:
        """Forget what was opened during a request."""
        self.opened, self.changed = {}, {}

    def texts(self) -> Iterator[tuple[Place, str]]:
        """Every item in plaintext, for a copy under another key."""
        for partition, row in self.records.items():
            for sort, record in row.items():
                place = partition, sort
                text = AESGCM(self.keys.open_key(self)).decrypt(
                    record.nonce, record.ciphertext, b"".join(place)
                )
                yield place, text.decode()


class _Row:
    """The items of one partition key, as moto takes them for a dictionary by sort key."""

    def __init__(self, shelf: Shelf, partition: bytes) -> None:
        self._shelf, self._partition = shelf, partition

    def _place(self, key: Any) -> Place:
        return self._partition, self._shelf.keys.place(key)

    def __len__(self) -> int:
        return len(self._shelf.records.get(self._partition, {}))

    def __getitem__(self, key: Any) -> Any:
        return self._shelf.take(self._place(key))

    def __setitem__(self, key: Any, item: Any) -> None:
        self._shelf.put(self._place(key), item)

    def pop(self, key: Any) -> Any:
        return self._shelf.remove(self._place(key))

    def values(self) -> Iterator[Any]:
        for sort in list(self._shelf.records.get(self._partition, {})):
            yield self._shelf.take((self._partition, sort))


def hashed(secret: bytes, key: Any) -> bytes:
    """The keyed hash of a partition or sort key; equal numbers hash alike, as in DynamoDB."""
    value = key.value if isinstance(key, DynamoType) else next(iter(key.values()))
    kind = key.type if isinstance(key, DynamoType) else next(iter(key))
    if kind == "N":
        value = format(Decimal(str(value)).normalize(), "f")
    elif isinstance(value, bytes):
        value = base64.b64encode(value).decode()
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update(f"{kind} {value}".encode("utf-8", "surrogatepass"))
    return mac.finalize()


def _bytes_as_text(value: Any) -> dict[str, str]:
    return {_BYTES: base64.b64encode(bytes(value)).decode()}


def _text_as_bytes(value: dict[str, Any]) -> Any:
    found = value.get(_BYTES)
    return base64.b64decode(found) if isinstance(found, str) else value


def _text(item: Any) -> str:
    keys = [key.to_json() if key is not None else None for key in (item.hash_key, item.range_key)]
    return json.dumps([*keys, item.to_json()["Attributes"]], default=_bytes_as_text)


def _item(text: str) -> Any:
    partition, sort, attributes = json.loads(text, object_hook=_text_as_bytes)
    return Item(DynamoType(partition), DynamoType(sort) if sort is not None else None, attributes)


@dataclass(frozen=True, slots=True)
class StoredItem:
    """What lies on the disk of DynamoDB for one item."""

    table_arn: str
    place: str
    nonce: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)

    def __bytes__(self) -> bytes:
        return b"\n".join((self.place.encode(), self.nonce, self.ciphertext))

    def __repr__(self) -> str:
        return sealing.text_of(
            [
                ("table", self.table_arn),
                ("place", self.place),
                ("ciphertext", sealing.glance(self.ciphertext)),
            ]
        )


@dataclass(frozen=True, slots=True)
class StoredTable:
    """What lies on the disk of DynamoDB for one table.

    Attributes:
        encryption: ``"AWS owned key"``, ``"AWS managed key"`` or ``"customer managed key"``.
        key_arn: the KMS key of the table; None for the AWS owned key.
        key_material_id: which version of its material.
        context: the encryption context without which KMS does not unwrap the table key.
        wrapped_table_key: the table key under the KMS key.
        wrapped_data_key: the key that seals the items, under the table key.
        items: what is sealed.
    """

    arn: str
    encryption: str
    key_arn: str | None
    key_material_id: str | None
    context: dict[str, str]
    wrapped_table_key: bytes = field(repr=False)
    wrapped_data_key: bytes = field(repr=False)
    items: tuple[StoredItem, ...] = field(repr=False)

    def rows(self) -> list[tuple[str, str]]:
        """What there is, as pairs of a name and a text."""
        return [
            ("table", self.arn),
            ("encryption", self.encryption),
            ("key", self.key_arn or ""),
            ("key material", self.key_material_id or ""),
            ("context", sealing.context_text(self.context)),
            ("wrapped table key", sealing.glance(self.wrapped_table_key)),
            ("wrapped data key", sealing.glance(self.wrapped_data_key)),
            *(("item", sealing.glance(item.ciphertext)) for item in self.items[:5]),
            ("", f"and {len(self.items) - 5} more" if len(self.items) > 5 else ""),
        ]

    def __bytes__(self) -> bytes:
        described = "\n".join(f"{name}: {text}" for name, text in self.rows()).encode()
        keys = self.wrapped_table_key, self.wrapped_data_key
        return b"\n".join((described, *keys, *map(bytes, self.items)))

    def __repr__(self) -> str:
        return sealing.text_of(self.rows())


def find_table(named: str, account: str, region: str) -> Any:
    """moto's table of a name or an ARN, or None."""
    if named.startswith("arn:"):
        parts = named.split(":")
        account, region, named = parts[4], parts[3], parts[5].split("/")[1]
    if account not in dynamodb_backends or region not in dynamodb_backends[account]:
        return None
    return dynamodb_backends[account][region].tables.get(named)


def every_table() -> Iterator[Any]:
    """Every table of every account and Region."""
    for regions in list(dynamodb_backends.values()):
        for backend in list(regions.values()):
            yield from list(backend.tables.values())


def look(named: str, key: Mapping[str, Any] | None) -> StoredTable | StoredItem:
    """What lies on the disk for a table or for one of its items.

    Raises:
        KeyError: where there is no such table or item.
    """
    table = next((t for t in every_table() if named in (t.name, t.table_arn)), None)
    if table is None:
        raise KeyError(f"There is no table {named}.")
    shelf: Shelf = table.items
    if key is not None:
        named_keys = [n for n in (table.hash_key_attr, table.range_key_attr) if n is not None]
        if set(key) != set(named_keys):
            raise KeyError(f"The key of {named} has these attributes: {', '.join(named_keys)}.")
        places = [shelf.keys.place(DynamoType(_typed(key[name]))) for name in named_keys]
        place = places[0], places[1] if len(places) > 1 else b""
        record = shelf.records.get(place[0], {}).get(place[1])
        if record is None:
            raise KeyError(f"There is no item {dict(key)} in {named}.")
        return StoredItem(table.table_arn, _shown(place), record.nonce, record.ciphertext)
    used = shelf.encryption
    return StoredTable(
        arn=table.table_arn,
        encryption=used.kind,
        key_arn=used.key_arn,
        key_material_id=used.key_material_id,
        context=dict(used.context),
        wrapped_table_key=used.wrapped_table_key,
        wrapped_data_key=used.wrapped_data_key,
        items=tuple(
            StoredItem(table.table_arn, _shown((p, s)), record.nonce, record.ciphertext)
            for p, row in shelf.records.items()
            for s, record in row.items()
        ),
    )


def _typed(value: Any) -> dict[str, Any]:
    """A key as the low-level API writes it; plain text, numbers and bytes will do too."""
    if isinstance(value, dict):
        return value
    if isinstance(value, bytes):
        return {"B": value}
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def _shown(place: Place) -> str:
    return "/".join(part.hex()[:16] for part in place if part)
