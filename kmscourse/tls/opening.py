"""Opening captured records with the logged secrets.

An opened record keeps everything that is needed to do it again by hand:

    AESGCM(opened.key).decrypt(opened.nonce, opened.ciphertext, opened.additional_data)

Sources: RFC 8446, section 5.2 (TLS 1.3); RFC 5288 and RFC 7905 (AEAD suites in TLS 1.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag

from kmscourse.tls import names
from kmscourse.tls.fields import CLIENT, SERVER, Field
from kmscourse.tls.keylog import (
    CLIENT_APPLICATION,
    CLIENT_HANDSHAKE,
    SERVER_APPLICATION,
    SERVER_HANDSHAKE,
    TLS12_MASTER,
    KeyLog,
)
from kmscourse.tls.keyschedule import TrafficKeys, next_traffic_secret, tls12_traffic_keys
from kmscourse.tls.messages import ClientHello, Message, ServerHello
from kmscourse.tls.names import TLS_1_3, CipherSuite, named
from kmscourse.tls.records import Interpreter, Record

TAG_LENGTH = 16


@dataclass(frozen=True)
class OpenedRecord:
    """A sealed record, opened.

    `plaintext` is what was under the lock; in TLS 1.3 that is the content, one byte with its
    true type, and padding. Offsets in `fields` count from the first byte of `plaintext`.
    `secret_name` is the key log's label of the secret that opened it.
    """

    record: Record
    content_type: str
    content: bytes = field(repr=False)
    plaintext: bytes = field(repr=False)
    messages: tuple[Message, ...]
    fields: tuple[Field, ...] = field(repr=False)
    secret_name: str
    sequence_number: int
    key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    additional_data: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    problem: str | None = None
    alert: tuple[int, int] | None = None

    @property
    def carries(self) -> str:
        """What was inside, in a few words."""
        if self.messages:
            return ", ".join(message.name for message in self.messages)
        if self.alert:
            return f"alert: {named(self.alert[1], names.ALERTS, width=1)}"
        if self.problem:
            return "unreadable"
        if self.content_type == "handshake":
            return "part of a handshake message"
        return self.content_type


@dataclass(frozen=True)
class SealedRecord:
    """A record that stayed shut, and why."""

    record: Record
    reason: str


@dataclass(frozen=True)
class Opening:
    """All sealed records of a capture, opened or not, in order."""

    opened: tuple[OpenedRecord, ...]
    sealed: tuple[SealedRecord, ...]

    def __iter__(self) -> Iterator[OpenedRecord]:
        return iter(self.opened)

    def __len__(self) -> int:
        return len(self.opened)

    def record(self, index: int) -> OpenedRecord | None:
        """The opened form of the capture's record number `index`, if there is one."""
        return next((o for o in self.opened if o.record.index == index), None)

    def application_data(self, sender: str) -> bytes:
        """What the program at "client" or "server" said."""
        return b"".join(
            o.content
            for o in self.opened
            if o.record.sender == sender and o.content_type == "application_data"
        )

    def alerts(self) -> tuple[tuple[str, str, str], ...]:
        """(sender, level, description) of each alert that was under the lock."""
        return tuple(
            (
                o.record.sender,
                named(o.alert[0], names.ALERT_LEVELS, width=1),
                named(o.alert[1], names.ALERTS, width=1),
            )
            for o in self.opened
            if o.alert is not None
        )

    def __str__(self) -> str:
        lines = [f"{'#':>3}  {'from':<6}  {'bytes':>6}  what was inside"]
        rows = [(o.record, o.carries) for o in self.opened]
        rows += [(s.record, f"not opened: {s.reason}") for s in self.sealed]
        lines += [
            f"{record.index:>3}  {record.sender:<6}  {len(record):>6}  {text}"
            for record, text in sorted(rows, key=lambda row: row[0].index)
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Opening: {len(self.opened)} records opened, {len(self.sealed)} not>"


@dataclass
class _Unlocked:
    plaintext: bytes
    ciphertext: bytes
    nonce: bytes
    additional_data: bytes
    sequence_number: int
    epoch: _Epoch


@dataclass
class _Epoch:
    """A stretch of one side's records under the same key."""

    secret_name: str
    keys: TrafficKeys
    secret: bytes = b""
    sequence_number: int = 0
    # Records that did not open under this key. A record may have been lost, doubled or altered
    # on the way: the next one is then tried at each number it can have had.
    failures: int = 0

    def attempt(self, record: Record, version: int) -> _Unlocked | None:
        for number in range(self.sequence_number, self.sequence_number + self.failures + 1):
            unlock = _unlock_1_3 if version >= TLS_1_3 else _unlock_1_2
            unlocked = unlock(record, self, number)
            if unlocked is not None:
                self.sequence_number = number + 1
                return unlocked
        return None


def _unlock_1_3(record: Record, epoch: _Epoch, number: int) -> _Unlocked | None:
    ciphertext, header = record.raw.fragment, record.raw.header
    return _decrypt(epoch, number, epoch.keys.nonce(number), ciphertext, header)


def _unlock_1_2(record: Record, epoch: _Epoch, number: int) -> _Unlocked | None:
    fragment = record.raw.fragment
    if epoch.keys.suite.aead == "AES-GCM":
        nonce, ciphertext = epoch.keys.iv + fragment[:8], fragment[8:]
    else:
        nonce, ciphertext = epoch.keys.nonce(number), fragment
    if len(nonce) != 12 or len(ciphertext) < TAG_LENGTH:
        return None
    length = (len(ciphertext) - TAG_LENGTH).to_bytes(2, "big")
    additional = number.to_bytes(8, "big") + record.raw.header[:3] + length
    return _decrypt(epoch, number, nonce, ciphertext, additional)


def _decrypt(
    epoch: _Epoch, number: int, nonce: bytes, ciphertext: bytes, additional: bytes
) -> _Unlocked | None:
    try:
        plaintext = epoch.keys.aead().decrypt(nonce, ciphertext, additional)
    except (InvalidTag, ValueError):  # ValueError: too short to hold a tag
        return None
    return _Unlocked(plaintext, ciphertext, nonce, additional, number, epoch)


class _Side:
    """One side's keys, in the order in which it uses them."""

    def __init__(self) -> None:
        self.epochs: list[_Epoch] = []
        self.interpreter = Interpreter()
        self.without_keys = "no key exchange was seen before it"

    def unlock(self, record: Record, version: int) -> _Unlocked | None:
        # The record that ends an epoch may itself be lost, so the next epoch is tried as well.
        for skipped, epoch in enumerate(self.epochs[:2]):
            unlocked = epoch.attempt(record, version)
            if unlocked is not None:
                del self.epochs[:skipped]
                return unlocked
        for epoch in self.epochs[:2]:
            epoch.failures += 1
        return None


def open_records(
    records: Sequence[Record], keylog: KeyLog, ends: tuple[str, str] = (CLIENT, SERVER)
) -> Opening:
    """Open what can be opened. Never a wrong plaintext: each record proves itself by its tag."""
    opened: list[OpenedRecord] = []
    sealed: list[SealedRecord] = []
    sides = {CLIENT: _Side(), SERVER: _Side()}
    client_random: bytes | None = None
    version = 0
    for record in records:
        for message in record.messages:
            if isinstance(message, ClientHello):
                client_random = message.random
            elif isinstance(message, ServerHello) and not message.is_retry:
                version = message.version
                if client_random is not None:
                    _take_keys(sides, keylog, client_random, message)
        if not record.sealed:
            continue
        side = sides[record.sender]
        unlocked = side.unlock(record, version)
        if unlocked is None:
            sealed.append(SealedRecord(record, _reason(side)))
            continue
        done = _interpret(record, unlocked, side, version, ends)
        opened.append(done)
        _turn_the_page(side, done, version, unlocked.epoch)
    return Opening(tuple(opened), tuple(sealed))


def _reason(side: _Side) -> str:
    if not side.epochs:
        return side.without_keys
    return "the tag does not match: it was altered, or it is not in its place"


def _take_keys(
    sides: dict[str, _Side], keylog: KeyLog, client_random: bytes, hello: ServerHello
) -> None:
    suite = names.CIPHER_SUITES.get(hello.cipher_suite)
    if suite is None:
        name = named(hello.cipher_suite, names.SUITE_NAMES)
        for side in sides.values():
            side.without_keys = f"{name} is not one of the AEAD suites opened here"
        return
    if hello.version >= TLS_1_3:
        _take_1_3(sides[CLIENT], keylog, client_random, suite, CLIENT_HANDSHAKE, CLIENT_APPLICATION)
        _take_1_3(sides[SERVER], keylog, client_random, suite, SERVER_HANDSHAKE, SERVER_APPLICATION)
        return
    master = keylog.secret(client_random, TLS12_MASTER)
    if master is None:
        for side in sides.values():
            side.without_keys = "the key log has no secret for it"
        return
    both = tls12_traffic_keys(master, client_random, hello.random, suite)
    for sender, keys in zip((CLIENT, SERVER), both, strict=True):
        sides[sender].epochs = [_Epoch(TLS12_MASTER, keys)]


def _take_1_3(
    side: _Side, keylog: KeyLog, client_random: bytes, suite: CipherSuite, *labels: str
) -> None:
    side.epochs = []
    side.without_keys = "the key log has no secret for it"
    for label in labels:
        secret = keylog.secret(client_random, label)
        if secret is not None:
            side.epochs.append(_Epoch(label, TrafficKeys.from_secret(secret, suite), secret))


def _interpret(
    record: Record, unlocked: _Unlocked, side: _Side, version: int, ends: tuple[str, str]
) -> OpenedRecord:
    plaintext, epoch = unlocked.plaintext, unlocked.epoch
    inner: tuple[Field, ...] = ()
    problem = None
    if version >= TLS_1_3:
        content = plaintext.rstrip(b"\0")
        kind = content[-1] if content else 0
        content = content[:-1]
        if kind == 0:
            problem = "nothing but padding: TLS 1.3 forbids it"
        inner = _inner_fields(len(content), len(plaintext), kind)
    else:
        content, kind = plaintext, record.raw.content_type
    said = side.interpreter.read(kind, content, version)
    fields = tuple(f.moved(0, ends) for f in (*said.fields, *inner))
    return OpenedRecord(
        record=record,
        content_type=named(kind, names.CONTENT_TYPES, width=1),
        content=content,
        plaintext=plaintext,
        messages=said.messages,
        fields=fields,
        secret_name=epoch.secret_name,
        sequence_number=unlocked.sequence_number,
        key=epoch.keys.key,
        nonce=unlocked.nonce,
        additional_data=unlocked.additional_data,
        ciphertext=unlocked.ciphertext,
        problem=problem or said.problem,
        alert=said.alert,
    )


def _inner_fields(content: int, whole: int, kind: int) -> tuple[Field, ...]:
    """The last parts of a TLSInnerPlaintext (RFC 8446, section 5.2)."""
    if content == whole:
        return ()
    true_type = Field(
        "type",
        content,
        content + 1,
        named(kind, names.CONTENT_TYPES, width=1),
        "The record's true type: hidden from everyone on the way.",
    )
    if content + 1 == whole:
        return (true_type,)
    padding = Field(
        "zeros", content + 1, whole, f"{whole - content - 1} bytes", "Padding, to blur the size."
    )
    return (true_type, padding)


def _turn_the_page(side: _Side, done: OpenedRecord, version: int, epoch: _Epoch) -> None:
    """Move to the next key when the side that sent this record does."""
    if version < TLS_1_3:
        return
    for message in done.messages:
        if message.name == "Finished" and epoch in side.epochs and len(side.epochs) > 1:
            side.epochs.remove(epoch)
        elif message.name == "KeyUpdate" and epoch.secret:
            suite = epoch.keys.suite
            secret = next_traffic_secret(epoch.secret, suite.hash_name)
            name = epoch.secret_name.rstrip("0123456789")
            number = int(epoch.secret_name[len(name) :] or 0) + 1
            keys = TrafficKeys.from_secret(secret, suite)
            side.epochs = [_Epoch(f"{name}{number}", keys, secret)]
