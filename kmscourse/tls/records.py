"""Records: the envelopes in which everything in TLS travels (RFC 8446, section 5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from kmscourse.tls import names
from kmscourse.tls.fields import Field, ParseError, Reader
from kmscourse.tls.messages import Message, parse_message
from kmscourse.tls.names import named

HEADER_LENGTH = 5
# 2^14 bytes of content, and what TLS 1.2 may add to them (RFC 5246, section 6.2.3).
LONGEST_FRAGMENT = 2**14 + 2048


@dataclass(frozen=True)
class RawRecord:
    """A record as it lies on the wire: a header of 5 bytes and the fragment behind it."""

    content_type: int
    legacy_version: int
    fragment: bytes = field(repr=False)

    @property
    def header(self) -> bytes:
        return (
            bytes([self.content_type])
            + self.legacy_version.to_bytes(2, "big")
            + len(self.fragment).to_bytes(2, "big")
        )

    @property
    def data(self) -> bytes:
        return self.header + self.fragment

    def __len__(self) -> int:
        return HEADER_LENGTH + len(self.fragment)


def split_records(stream: bytes) -> tuple[list[RawRecord], int]:
    """The whole records at the front of what one side sent, and how many bytes they take.

    A record that is cut short is left for when more arrives. Raises `ParseError` at bytes that
    cannot begin a record.
    """
    found = []
    position = 0
    while len(stream) - position >= HEADER_LENGTH:
        record = _header(stream, position)
        if record is None:
            break
        found.append(record)
        position += len(record)
    return found, position


def _header(stream: bytes, start: int) -> RawRecord | None:
    content_type = stream[start]
    version = int.from_bytes(stream[start + 1 : start + 3], "big")
    length = int.from_bytes(stream[start + 3 : start + 5], "big")
    if content_type not in names.CONTENT_TYPES:
        raise ParseError(f"no TLS record begins with the byte 0x{content_type:02x}", start)
    if version >> 8 != 3:
        raise ParseError(f"0x{version:04x} is not a version of TLS", start + 1)
    if length > LONGEST_FRAGMENT:
        raise ParseError(f"a record of {length} bytes is longer than TLS allows", start + 3)
    end = start + HEADER_LENGTH + length
    if end > len(stream):
        return None
    return RawRecord(content_type, version, stream[start + HEADER_LENGTH : end])


def header_fields(*, sealed: bool = False) -> dict[str, str]:
    """What the three parts of a record's header mean."""
    kind = "What the record carries."
    if sealed:
        kind = "Always says application_data in TLS 1.3: the true type is under the lock."
    return {
        "content_type": kind,
        "legacy_record_version": "Kept for old boxes on the way; not the version in use.",
        "length": "How many bytes follow. Nobody can hide it: sizes are seen by everyone.",
    }


def read_header(raw: RawRecord, *, sealed: bool = False) -> tuple[Field, ...]:
    reader = Reader(raw.header)
    meanings = header_fields(sealed=sealed)
    reader.number("content_type", 1, meanings["content_type"], names.CONTENT_TYPES)
    reader.number("legacy_record_version", 2, meanings["legacy_record_version"], names.VERSIONS)
    reader.number("length", 2, meanings["length"])
    return tuple(reader.fields)


@dataclass(frozen=True)
class Content:
    """What a fragment says: whole messages, labelled fields, and a word if it does not parse.

    Offsets count from the first byte of the fragment.
    """

    messages: tuple[Message, ...]
    fields: tuple[Field, ...]
    problem: str | None = None
    alert: tuple[int, int] | None = None


class Interpreter:
    """Reads the content of one side's records in order.

    A handshake message may be spread over several records, so what has begun is kept until it
    is whole. Never raises: what does not parse is said in `Content.problem`.
    """

    def __init__(self) -> None:
        self._begun = b""

    def read(self, content_type: int, fragment: bytes, version: int) -> Content:
        try:
            if content_type == names.HANDSHAKE:
                return self._handshake(fragment, version)
            if content_type == names.ALERT:
                return _alert(fragment)
            if content_type == names.CHANGE_CIPHER_SPEC:
                return _change_cipher_spec(fragment)
        except ParseError as error:
            self._begun = b""
            whole = Field("unreadable", 0, len(fragment), meaning=str(error))
            return Content((), (whole,), problem=str(error))
        if not fragment:
            return Content((), ())
        shown = fragment[:60].decode("utf-8", "replace") + ("…" if len(fragment) > 60 else "")
        return Content(
            (),
            (
                Field(
                    "application data",
                    0,
                    len(fragment),
                    shown,
                    "What the program said: this is what the lock is for.",
                ),
            ),
        )

    def _handshake(self, fragment: bytes, version: int) -> Content:
        earlier = len(self._begun)
        data = self._begun + fragment
        self._begun = b""
        messages: list[Message] = []
        fields: list[Field] = []
        position = 0
        while position < len(data):
            size = 4 + int.from_bytes(data[position + 1 : position + 4], "big")
            whole = len(data) - position >= 4 and len(data) - position >= size
            if not whole:
                self._begun = data[position:]
                start = max(0, position - earlier)
                fields.append(
                    Field("handshake message, continued in the next record", start, len(fragment))
                )
                break
            message = parse_message(data[position : position + size], version)
            messages.append(message)
            fields.append(_placed(message, position - earlier))
            position += size
        return Content(tuple(messages), tuple(fields))


def _placed(message: Message, start: int) -> Field:
    """The message as a field of the fragment in which it ends."""
    end = start + len(message.data)
    meaning = MESSAGE_MEANINGS.get(message.name, "")
    if start < 0:
        return Field(f"{message.name} (the end of it)", 0, end, meaning=meaning)
    inner = tuple(field.moved(start, field.visible_to) for field in message.fields)
    return Field(message.name, start, end, meaning=meaning, children=inner)


MESSAGE_MEANINGS = {
    "ClientHello": "The client opens: what it can do, whom it wants, its half of the key exchange.",
    "ServerHello": "The server chooses, and adds its half. From here both have the same secret.",
    "HelloRetryRequest": "The server asks for a key share of a group that it can use.",
    "EncryptedExtensions": "The rest of the server's answer: the first thing under the lock.",
    "CertificateRequest": "The server wants to see the client's certificate too: mutual TLS.",
    "Certificate": "Who the sender claims to be, and the CA that vouches for it.",
    "CertificateVerify": "Proof that the sender holds the certificate's private key.",
    "Finished": "Proof that both saw the same handshake, byte for byte.",
    "NewSessionTicket": "A ticket with which the client can resume without a full handshake.",
    "ServerKeyExchange": "TLS 1.2: the server's half of the key exchange, signed.",
    "ServerHelloDone": "TLS 1.2: your turn.",
    "ClientKeyExchange": "TLS 1.2: the client's half of the key exchange.",
    "KeyUpdate": "From here on, new keys.",
    "CertificateStatus": "The CA's fresh word that the certificate is not revoked (OCSP).",
}


def _alert(fragment: bytes) -> Content:
    reader = Reader(fragment)
    level = reader.number("level", 1, names=names.ALERT_LEVELS)
    description = reader.number("description", 1, "Why the conversation ends.", names.ALERTS)
    if reader.left:
        raise ParseError("an alert is two bytes long", reader.position)
    return Content((), tuple(reader.fields), alert=(level, description))


def _change_cipher_spec(fragment: bytes) -> Content:
    reader = Reader(fragment)
    reader.number(
        "type",
        1,
        "TLS 1.2: sealed from here on. TLS 1.3 sends it only so that old boxes see what they "
        "expect.",
        {1: "change_cipher_spec"},
    )
    if reader.left:
        raise ParseError("change_cipher_spec is one byte long", reader.position)
    return Content((), tuple(reader.fields))


@dataclass(frozen=True)
class Record:
    """One record of a capture.

    `index` counts the capture's records from 0, in the order in which they went by. `sender` is
    the side of TLS that sent it, "client" or "server". `messages` and `fields` are what anyone
    can read; offsets in `fields` count from the record's first byte. `sealed` is True when the
    fragment is ciphertext.
    """

    index: int
    sender: str
    raw: RawRecord = field(repr=False)
    sealed: bool
    messages: tuple[Message, ...] = ()
    fields: tuple[Field, ...] = field(default=(), repr=False)
    problem: str | None = None
    alert: tuple[int, int] | None = None

    @property
    def data(self) -> bytes:
        return self.raw.data

    @property
    def content_type(self) -> str:
        """What the header says; in TLS 1.3 a sealed record always says application_data."""
        return named(self.raw.content_type, names.CONTENT_TYPES, width=1)

    @property
    def carries(self) -> str:
        """What can be seen from outside, in a few words."""
        if self.sealed:
            return "sealed"
        if self.problem:
            return "unreadable"
        if self.messages:
            return ", ".join(message.name for message in self.messages)
        if self.alert:
            return f"alert: {named(self.alert[1], names.ALERTS, width=1)}"
        if self.raw.content_type == names.HANDSHAKE:
            return "part of a handshake message"
        return self.content_type

    def __len__(self) -> int:
        return len(self.raw)
