"""What someone holding the pipe wrote down, and what can be made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from kmscourse.tls import names
from kmscourse.tls.fields import CLIENT, EAVESDROPPER, SEATS, SERVER, Field, ParseError
from kmscourse.tls.keylog import KeyLog
from kmscourse.tls.messages import ClientHello, Message, ServerHello, ServerKeyExchange
from kmscourse.tls.names import TLS_1_2, TLS_1_3, named
from kmscourse.tls.opening import Opening, open_records
from kmscourse.tls.records import Interpreter, RawRecord, Record, read_header, split_records


@dataclass(frozen=True)
class Flight:
    """Bytes that one side sent in one go. `sender` is "client" or "server"."""

    sender: str
    data: bytes = field(repr=False)

    def __len__(self) -> int:
        return len(self.data)


@dataclass(frozen=True)
class Capture:
    """All the bytes of a conversation, in the order in which they arrived.

    `ends` says who sits at the client's end and who at the server's: with an interceptor there
    are two conversations, and the interceptor is one end of each.
    """

    flights: tuple[Flight, ...] = field(repr=False)
    ends: tuple[str, str] = (CLIENT, SERVER)

    @classmethod
    def of(cls, flights: Iterable[tuple[str, bytes]]) -> Capture:
        """From (sender, bytes) pairs, for example bytes taken from elsewhere."""
        return cls(tuple(Flight(sender, data) for sender, data in flights))

    @property
    def everyone(self) -> tuple[str, ...]:
        """The seats that can read what is in the clear on this stretch of wire."""
        return tuple(seat for seat in SEATS if seat in self.ends or seat == EAVESDROPPER)

    @cached_property
    def _read(self) -> tuple[tuple[Record, ...], ParseError | None]:
        return _read_records(self)

    @property
    def records(self) -> tuple[Record, ...]:
        """Every record, parsed as far as anyone without a key can."""
        return self._read[0]

    @property
    def problem(self) -> ParseError | None:
        """Where the bytes stopped being TLS, when they did."""
        return self._read[1]

    def messages(self) -> tuple[Message, ...]:
        """The handshake messages that anyone can read."""
        return tuple(message for record in self.records for message in record.messages)

    @property
    def client_hello(self) -> ClientHello | None:
        """The last one, when a HelloRetryRequest made the client send two."""
        found = [m for m in self.messages() if isinstance(m, ClientHello)]
        return found[-1] if found else None

    @property
    def server_hello(self) -> ServerHello | None:
        found = [m for m in self.messages() if isinstance(m, ServerHello) and not m.is_retry]
        return found[0] if found else None

    @property
    def version(self) -> str | None:
        hello = self.server_hello
        return None if hello is None else named(hello.version, names.VERSIONS)

    @property
    def cipher_suite(self) -> str | None:
        hello = self.server_hello
        return None if hello is None else named(hello.cipher_suite, names.SUITE_NAMES)

    @property
    def group(self) -> str | None:
        """The key-exchange group, read from the hellos (in TLS 1.2, from ServerKeyExchange)."""
        hello = self.server_hello
        if hello is not None and hello.group:
            return hello.group
        for message in self.messages():
            if isinstance(message, ServerKeyExchange):
                return message.group
        return None

    def open(self, keylog: KeyLog | str) -> Opening:
        """Open every sealed record for which the log has the secret."""
        if isinstance(keylog, str):
            keylog = KeyLog.parse(keylog)
        return open_records(self.records, keylog, self.ends)

    def bytes_from(self, sender: str) -> bytes:
        """Everything that "client" or "server" put on the wire."""
        return b"".join(flight.data for flight in self.flights if flight.sender == sender)

    def __contains__(self, needle: bytes) -> bool:
        """Whether these bytes can be read off the wire: `b"aspirin" in capture`."""
        return any(needle in self.bytes_from(side) for side in (CLIENT, SERVER))

    def __len__(self) -> int:
        return sum(len(flight) for flight in self.flights)

    def __str__(self) -> str:
        lines = [f"{'#':>3}  {'from':<6}  {'record':<18}  {'bytes':>6}  what anyone can read"]
        lines += [
            f"{r.index:>3}  {r.sender:<6}  {r.content_type:<18}  {len(r):>6}  {r.carries}"
            for r in self.records
        ]
        if self.problem:
            lines.append(f"     then bytes that are not TLS: {self.problem}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Capture: {len(self.records)} records between {' and '.join(self.ends)}>"


class _Side:
    """How far one side's bytes have been read."""

    def __init__(self) -> None:
        self.rest = b""
        self.used = 0
        self.interpreter = Interpreter()
        self.changed_cipher = False
        self.lost = False


def _read_records(capture: Capture) -> tuple[tuple[Record, ...], ParseError | None]:
    sides = {CLIENT: _Side(), SERVER: _Side()}
    records: list[Record] = []
    problem: ParseError | None = None
    version = TLS_1_2
    for flight in capture.flights:
        side = sides[flight.sender]
        if side.lost:
            continue
        side.rest += flight.data
        found, error = _split_as_far_as_possible(side)
        if error is not None:
            side.lost = True
            problem = problem or error
        for raw in found:
            record = _read_record(raw, len(records), flight.sender, side, version, capture)
            for message in record.messages:
                if isinstance(message, ServerHello):  # a HelloRetryRequest settles it as well
                    version = message.version
            records.append(record)
    if problem is None:
        short = [sender for sender, side in sides.items() if side.rest]
        if short:
            at = sides[short[0]].used
            problem = ParseError(f"the last record of the {short[0]} is cut short", at)
    return tuple(records), problem


def _split_as_far_as_possible(side: _Side) -> tuple[list[RawRecord], ParseError | None]:
    wrong: ParseError | None = None
    try:
        found, used = split_records(side.rest)
    except ParseError as error:
        # The error lies in a header; the bytes before it are whole records.
        found, used = split_records(side.rest[: error.offset])
        wrong = error.moved(side.used)
    side.rest = side.rest[used:]
    side.used += used
    return found, wrong


def _read_record(
    raw: RawRecord, index: int, sender: str, side: _Side, version: int, capture: Capture
) -> Record:
    if version >= TLS_1_3:
        sealed = raw.content_type == names.APPLICATION_DATA
    else:
        # Sealed from change_cipher_spec on; application data never travels in the clear.
        sealed = side.changed_cipher or raw.content_type == names.APPLICATION_DATA
        side.changed_cipher |= raw.content_type == names.CHANGE_CIPHER_SPEC
    header = tuple(f.moved(0, capture.everyone) for f in read_header(raw, sealed=sealed))
    if sealed:
        whole = Field(
            "encrypted_record",
            5,
            len(raw),
            meaning="Ciphertext, and at its end the tag that shows any change.",
            visible_to=capture.ends,
        )
        return Record(index, sender, raw, True, fields=(*header, whole))
    content = side.interpreter.read(raw.content_type, raw.fragment, version)
    return Record(
        index,
        sender,
        raw,
        False,
        content.messages,
        (*header, *(f.moved(5, capture.everyone) for f in content.fields)),
        content.problem,
        content.alert,
    )
