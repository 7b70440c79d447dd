"""One stretch of wire: a client, a server, and their bytes carried from one to the other.

No sockets and no threads: `ssl` reads from memory and writes to memory (`ssl.MemoryBIO`), and
whoever carries the bytes across can read them, change them or lose them.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from kmscourse.tls import names
from kmscourse.tls.capture import Capture, Flight
from kmscourse.tls.endpoints import Client, SecretLog, Server
from kmscourse.tls.fields import CLIENT, SERVER
from kmscourse.tls.keylog import KeyLog
from kmscourse.tls.names import named
from kmscourse.tls.opening import Opening
from kmscourse.tls.refusals import Failure

Phase = Literal["handshake", "application", "close"]
Carry = Callable[[Flight, Phase], bytes]
Respond = Callable[[bytes], bytes]

_READ_SIZE = 16384


class End:
    """One end of a leg while it runs."""

    def __init__(self, party: Client | Server) -> None:
        self.role = party.role
        self.log = party.secrets
        self.log_start = self.log.mark()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server_name = party.server_name if isinstance(party, Client) else None
        self.tls = party.context.wrap_bio(
            self.incoming,
            self.outgoing,
            server_side=isinstance(party, Server),
            server_hostname=server_name,
        )
        self.received = bytearray()
        self.handshaken = False
        self.peer_closed = False
        self.error: ssl.SSLError | None = None

    @property
    def ready(self) -> bool:
        return self.handshaken and self.error is None

    def handshake(self) -> None:
        if self.handshaken or self.error is not None:
            return
        try:
            self.tls.do_handshake()
            self.handshaken = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.error = error

    def read(self) -> None:
        while self.ready and not self.peer_closed:
            try:
                received = self.tls.read(_READ_SIZE)
                self.received += received
                self.peer_closed = not received  # nothing at all: the other side said goodbye
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:
                self.peer_closed = True
            except ssl.SSLError as error:
                self.error = error

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self.tls.write(rest) :]

    def close(self) -> None:
        if not self.ready:
            return
        try:
            self.tls.unwrap()
            self.peer_closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.error = error


def run_leg(
    client: End,
    server: End,
    *,
    request: bytes | None,
    respond: Respond,
    carry: Carry,
    ends: tuple[str, str] = (CLIENT, SERVER),
) -> Leg:
    """Shake hands, ask, answer, say goodbye, as far as both ends go along."""
    flights: list[Flight] = []

    def pump(advance: Callable[[End], None], phase: Phase) -> None:
        moved = True
        while moved:
            moved = False
            for end, other in ((client, server), (server, client)):
                advance(end)
                sent = end.outgoing.read()
                if sent:
                    moved = True
                    arrived = carry(Flight(end.role, sent), phase)
                    flights.append(Flight(end.role, arrived))
                    other.incoming.write(arrived)

    pump(End.handshake, "handshake")
    if client.ready and request:
        client.write(request)
    pump(End.read, "application")
    if server.ready and server.received:
        response = respond(bytes(server.received))
        if response:
            server.write(response)
        pump(End.read, "application")
    if client.ready and server.ready:
        client.close()
        pump(_say_goodbye, "close")
    return Leg(Capture(tuple(flights), ends), Side.of(client), Side.of(server))


def _say_goodbye(end: End) -> None:
    end.read()
    if end.peer_closed or end.role == CLIENT:
        end.close()


@dataclass(frozen=True)
class Side:
    """How a conversation ended for one of its two ends.

    `received` is the application data it took for genuine. `closed` is True when the other side
    said goodbye (close_notify), so nothing was cut off.
    """

    role: str
    handshake_completed: bool
    received: bytes
    closed: bool
    failure: Failure | None
    _tls: ssl.SSLObject = field(repr=False)
    _log: tuple[SecretLog, int, int] = field(repr=False)

    @classmethod
    def of(cls, end: End) -> Side:
        return cls(
            role=end.role,
            handshake_completed=end.handshaken,
            received=bytes(end.received),
            closed=end.peer_closed,
            failure=None if end.error is None else Failure.of(end.error),
            _tls=end.tls,
            _log=(end.log, end.log_start, end.log.mark()),
        )

    @property
    def version(self) -> str | None:
        """The TLS version agreed, as this end sees it."""
        found = self._tls.version()
        return None if found is None else found.replace("TLSv", "TLS ")

    @property
    def peer_certificate(self) -> bytes | None:
        """The other side's certificate, DER, checked or not."""
        return self._tls.getpeercert(binary_form=True)

    @property
    def keylog(self) -> KeyLog:
        """This end's secrets. They never travel; here they are, for you to open the records."""
        log, start, end = self._log
        return log.between(start, end)


@dataclass(frozen=True)
class Alert:
    """An alert that one side sent. `description` is RFC 8446's name for it."""

    sender: str
    level: str
    description: str


@dataclass(frozen=True)
class Leg:
    """A finished stretch: what went over the wire and how it ended at each end."""

    capture: Capture
    client: Side
    server: Side

    @cached_property
    def opening(self) -> Opening:
        """The sealed records, opened with the secrets of the client's end."""
        return self.capture.open(self.client.keylog)

    @cached_property
    def alerts(self) -> tuple[Alert, ...]:
        """Every alert that either side sent, in order, the sealed ones included.

        When the hello was tampered with, the two ends have different secrets; so what the
        client's do not open is tried with the server's.
        """
        by_server = self.capture.open(self.server.keylog)
        found = []
        for record in self.capture.records:
            opened = self.opening.record(record.index) or by_server.record(record.index)
            alert = record.alert if opened is None else opened.alert
            if alert is not None:
                level = named(alert[0], names.ALERT_LEVELS, width=1)
                found.append(Alert(record.sender, level, named(alert[1], names.ALERTS, width=1)))
        return tuple(found)
