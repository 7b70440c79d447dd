"""Whoever holds the pipe between the client and the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kmscourse.tls.capture import Capture, Flight
from kmscourse.tls.certificates import Certificate, CertificateAuthority
from kmscourse.tls.endpoints import Client, Server
from kmscourse.tls.fields import CLIENT, INTERCEPTOR, SERVER
from kmscourse.tls.leg import End, Leg, Phase, Respond, run_leg

Rewrite = Mapping[bytes, bytes] | Callable[[bytes], bytes]


class Pipe:
    """Carries the bytes. Subclasses decide what happens to them on the way."""

    name = "nobody"

    def carry(self, flight: Flight, phase: Phase) -> bytes:
        """What arrives, for what was sent."""
        return flight.data

    def connect(
        self, client: Client, server: Server, request: bytes | None, respond: Respond
    ) -> tuple[Leg, ...]:
        """Let the two talk. One leg of wire, or more if somebody stands in between."""
        return (
            run_leg(End(client), End(server), request=request, respond=respond, carry=self.carry),
        )

    def carry_plain(self, flight: Flight) -> bytes:
        """The same for a conversation without TLS."""
        return self.carry(flight, "application")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Nobody(Pipe):
    """An empty wire."""


class Eavesdropper(Pipe):
    """Listens, and keeps a copy of everything. Has no key to anything."""

    name = "eavesdropper"

    def __init__(self) -> None:
        self.heard: list[Flight] = []

    def carry(self, flight: Flight, phase: Phase) -> bytes:
        self.heard.append(flight)
        return flight.data

    @property
    def capture(self) -> Capture:
        """What was heard, as records."""
        return Capture(tuple(self.heard))

    def __contains__(self, needle: bytes) -> bool:
        """Whether these bytes can be read off the wire: `b"aspirin" in eavesdropper`."""
        return any(needle in flight.data for flight in self.heard)


@dataclass(frozen=True)
class Alteration:
    """What a tamperer did to one flight."""

    sender: str
    phase: Phase
    before: bytes = field(repr=False)
    after: bytes = field(repr=False)


class Tamperer(Pipe):
    """Changes bytes on the way, without any key.

    By default flips one bit in the last byte of the server's first application data. `sender`
    ("client" or "server") and `phase` ("handshake", "application", "close") choose the flight,
    `at` the byte in it (as an index), `flip` the bits. `replace` exchanges text for text
    instead, wherever it finds it; `alter` is a function from what was sent to what arrives
    (b"" loses it, `lambda data: data * 2` says it twice).
    """

    name = "tamperer"

    def __init__(
        self,
        *,
        sender: str = SERVER,
        phase: Phase = "application",
        at: int = -1,
        flip: int = 0x01,
        replace: Mapping[bytes, bytes] | None = None,
        alter: Callable[[bytes], bytes] | None = None,
    ) -> None:
        if not 1 <= flip <= 0xFF:
            raise ValueError("flip is a mask of the bits to turn over: 0x01 to 0xff")
        self.sender = sender
        self.phase = phase
        self.at = at
        self.flip = flip
        self.replace = replace
        self.alter = alter
        self.alterations: list[Alteration] = []
        self._spent = False

    def connect(
        self, client: Client, server: Server, request: bytes | None, respond: Respond
    ) -> tuple[Leg, ...]:
        self._spent = False
        return super().connect(client, server, request, respond)

    def carry(self, flight: Flight, phase: Phase) -> bytes:
        after = self._change(flight, phase)
        if after != flight.data:
            self.alterations.append(Alteration(flight.sender, phase, flight.data, after))
        return after

    def _change(self, flight: Flight, phase: Phase) -> bytes:
        if self.replace is not None:
            return _rewrite(self.replace, flight.data)
        if self._spent or (flight.sender, phase) != (self.sender, self.phase):
            return flight.data
        self._spent = True
        if self.alter is not None:
            return self.alter(flight.data)
        changed = bytearray(flight.data)
        changed[max(-len(changed), min(self.at, len(changed) - 1))] ^= self.flip
        return bytes(changed)


class Interceptor(Pipe):
    """Stands in between: a server to the client, a client to the server.

    Reads the name the client asks for from its ClientHello, and shows a certificate for it from
    `ca` (by default a CA of its own that nobody knows) or the `certificate` it has. What passes
    is read, and rewritten by `replace`: text for text, or a function from bytes to bytes.
    """

    name = "interceptor"

    def __init__(
        self,
        *,
        ca: CertificateAuthority | None = None,
        certificate: Certificate | None = None,
        replace: Rewrite | None = None,
    ) -> None:
        self.ca = ca or CertificateAuthority("Nobody's CA")
        self.certificate = certificate
        self.replace = replace or {}
        self.read: list[bytes] = []

    def connect(
        self, client: Client, server: Server, request: bytes | None, respond: Respond
    ) -> tuple[Leg, ...]:
        upstream: list[Leg] = []
        caller = End(client)
        wanted = _overhear_name(caller) or client.server_name

        def relay(asked: bytes) -> bytes:
            self.read.append(asked)
            leg = run_leg(
                End(Client(wanted, verify=False)),
                End(server),
                request=_rewrite(self.replace, asked),
                respond=respond,
                carry=self.carry,
                ends=(INTERCEPTOR, SERVER),
            )
            upstream.append(leg)
            self.read.append(leg.client.received)
            return _rewrite(self.replace, leg.client.received)

        shown = self.certificate or self.ca.issue(wanted)
        downstream = run_leg(
            caller,
            End(Server(shown)),
            request=request,
            respond=relay,
            carry=self.carry,
            ends=(CLIENT, INTERCEPTOR),
        )
        return (downstream, *upstream)

    def carry_plain(self, flight: Flight) -> bytes:
        self.read.append(flight.data)
        return _rewrite(self.replace, flight.data)

    def __contains__(self, needle: bytes) -> bool:
        """Whether the interceptor has read these bytes."""
        return any(needle in each for each in self.read)


def _overhear_name(client: End) -> str | None:
    """The name in the ClientHello: it travels in the clear, so that anyone can read it."""
    client.handshake()
    hello_bytes = client.outgoing.read()
    client.outgoing.write(hello_bytes)
    hello = Capture.of([(CLIENT, hello_bytes)]).client_hello
    return None if hello is None else hello.server_name


def _rewrite(rule: Rewrite, data: bytes) -> bytes:
    if callable(rule):
        return rule(data)
    for old, new in rule.items():
        data = data.replace(old, new)
    return data
