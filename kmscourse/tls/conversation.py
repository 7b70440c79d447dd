"""A whole conversation, and what each seat saw of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kmscourse.tls.capture import Capture, Flight
from kmscourse.tls.endpoints import Client, Server
from kmscourse.tls.fields import CLIENT, INTERCEPTOR, SEATS, SERVER
from kmscourse.tls.keylog import KeyLog
from kmscourse.tls.leg import Alert, Leg, Side
from kmscourse.tls.opening import OpenedRecord, Opening
from kmscourse.tls.pipes import Nobody, Pipe
from kmscourse.tls.records import Record
from kmscourse.tls.refusals import Failure


@dataclass(frozen=True)
class Sighting:
    """A record as one seat sees it. `opened` is None when the seat has no key to it.

    `ends` says between which two seats the record travelled.
    """

    ends: tuple[str, str]
    record: Record
    opened: OpenedRecord | None

    @property
    def carries(self) -> str:
        """What this seat can tell of it, in a few words."""
        return self.record.carries if self.opened is None else self.opened.carries


@dataclass(frozen=True)
class Scene:
    """Who was to talk, and what they were to say."""

    client: Client
    server: Server
    request: bytes | None
    response: bytes | Callable[[bytes], bytes]


@dataclass(frozen=True)
class Conversation:
    """What happened between a client and a server.

    `legs` has one stretch of wire, or two when somebody stood in between (the client's first).
    """

    legs: tuple[Leg, ...] = field(repr=False)
    pipe: Pipe
    scene: Scene = field(repr=False)

    def again(self, *, pipe: Pipe | None = None, **client_changes: Any) -> Conversation:
        """The same conversation once more: a fresh handshake, with something changed.

        >>> conversation.again(pipe=tls.Interceptor(), verify=False)  # doctest: +SKIP
        """
        scene = self.scene
        return converse(
            client=scene.client.but(**client_changes) if client_changes else scene.client,
            server=scene.server,
            request=scene.request,
            response=scene.response,
            pipe=self.pipe if pipe is None else pipe,
        )

    @property
    def client(self) -> Side:
        """The client's end."""
        return self.legs[0].client

    @property
    def server(self) -> Side | None:
        """The real server's end; None if the client gave up before the server was asked."""
        last = self.legs[-1]
        return last.server if last.capture.ends[1] == SERVER else None

    @property
    def completed(self) -> bool:
        """Whether the client finished its handshake and met no error afterwards."""
        return self.client.handshake_completed and self.client.failure is None

    @property
    def intercepted(self) -> bool:
        """Whether somebody in between shook hands with the client in the server's place."""
        return len(self.legs) > 0 and INTERCEPTOR in self.legs[0].capture.ends and self.completed

    @property
    def capture(self) -> Capture:
        """The records on the client's stretch of wire, as they arrived."""
        return self.legs[0].capture

    @property
    def keylog(self) -> KeyLog:
        """The client's secrets."""
        return self.client.keylog

    @property
    def opening(self) -> Opening:
        """The capture, opened with the client's secrets."""
        return self.legs[0].opening

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """All alerts on the client's stretch of wire."""
        return self.legs[0].alerts

    @property
    def refusal(self) -> Failure | None:
        """Why the conversation broke off, from the end that broke it off."""
        for leg in self.legs:
            fatal = [alert for alert in leg.alerts if alert.level == "fatal"]
            for alert in fatal:
                side = leg.client if alert.sender == CLIENT else leg.server
                if side.failure is not None:
                    return side.failure
            for side in (leg.client, leg.server):
                if side.failure is not None:
                    return side.failure
        return None

    @property
    def version(self) -> str | None:
        """ "TLS 1.2" or "TLS 1.3", read from the hellos."""
        return self.capture.version

    @property
    def cipher_suite(self) -> str | None:
        return self.capture.cipher_suite

    @property
    def group(self) -> str | None:
        """The key-exchange group, read from the hellos."""
        return self.capture.group

    def seen_by(self, seat: str) -> tuple[Sighting, ...]:
        """Every record that passes this seat, opened where the seat has the key.

        Seats: "client", "server", "eavesdropper" (on the client's stretch of wire) and
        "interceptor" (both stretches when standing in between; otherwise like an eavesdropper).
        """
        if seat not in SEATS:
            raise ValueError(f"there is no seat {seat!r}: choose one of {', '.join(SEATS)}")
        return tuple(
            Sighting(
                leg.capture.ends,
                record,
                leg.opening.record(record.index) if seat in leg.capture.ends else None,
            )
            for leg in self._legs_at(seat)
            for record in leg.capture.records
        )

    def _legs_at(self, seat: str) -> tuple[Leg, ...]:
        if seat == INTERCEPTOR:
            return self.legs
        if seat == SERVER:
            return (self.legs[-1],) if SERVER in self.legs[-1].capture.ends else ()
        return (self.legs[0],)

    def read_by(self, seat: str) -> bytes:
        """All application data that this seat can read."""
        return b"".join(
            sighting.opened.content
            for sighting in self.seen_by(seat)
            if sighting.opened is not None and sighting.opened.content_type == "application_data"
        )

    def __str__(self) -> str:
        lines = []
        for leg in self.legs:
            lines.append(" ↔ ".join(leg.capture.ends))
            lines.append(str(leg.capture))
        lines.append(self.summary())
        return "\n".join(lines)

    def summary(self) -> str:
        """How it ended, in a sentence."""
        refusal = self.refusal
        if self.intercepted:
            return "The client talked to somebody in between and did not notice."
        if refusal is not None:
            who = self._who_broke_off()
            return f"Broken off by the {who}. {refusal.meaning}"
        if not self.completed:
            return "The conversation never got going."
        if self.client.received:
            return "The client got its answer from the server."
        return "The two shook hands."

    def _who_broke_off(self) -> str:
        for leg in self.legs:
            for alert in leg.alerts:
                if alert.level == "fatal":
                    return leg.capture.ends[0 if alert.sender == CLIENT else 1]
        return CLIENT if self.client.failure is not None else SERVER

    def __repr__(self) -> str:
        return f"<Conversation: {self.summary()}>"


def converse(
    *,
    client: Client,
    server: Server,
    request: bytes | None = None,
    response: bytes | Callable[[bytes], bytes] = b"",
    pipe: Pipe | None = None,
) -> Conversation:
    """Let a client and a server talk over a pipe that somebody may hold.

    They shake hands, the client sends `request`, the server answers with `response` (bytes, or
    a function from the request to bytes), and they say goodbye. Nothing is raised when an end
    refuses: how it ended is in the `Conversation`.

    >>> from kmscourse import tls
    >>> ca = tls.CertificateAuthority("Clinic CA")
    >>> server = tls.Server(ca.issue("records.clinic.example"))
    >>> client = tls.Client("records.clinic.example", trust=ca)
    >>> tls.converse(client=client, server=server, request=b"hello", response=b"hello back")
    <Conversation: The client got its answer from the server.>
    """
    for name, end, wanted in (("client", client, Client), ("server", server, Server)):
        if not isinstance(end, wanted):
            raise TypeError(f"{name} takes a tls.{wanted.__name__}, not {end!r}")
    pipe = Nobody() if pipe is None else pipe
    legs = pipe.connect(client, server, request, _as_function(response))
    return Conversation(legs, pipe, Scene(client, server, request, response))


@dataclass(frozen=True)
class PlainConversation:
    """A conversation without TLS: what the server got, what the client got."""

    flights: tuple[Flight, ...] = field(repr=False)
    received_by_server: bytes
    received_by_client: bytes
    pipe: Pipe

    def read_by(self, seat: str) -> bytes:
        """What a seat can read: everything, whoever it is."""
        return b"".join(flight.data for flight in self.flights)


def converse_in_the_clear(
    *,
    request: bytes,
    response: bytes | Callable[[bytes], bytes] = b"",
    pipe: Pipe | None = None,
) -> PlainConversation:
    """The same conversation as plain HTTP would have it: no lock, no check, no name."""
    pipe = Nobody() if pipe is None else pipe
    flights = []

    def cross(sender: str, data: bytes) -> bytes:
        arrived = pipe.carry_plain(Flight(sender, data))
        flights.append(Flight(sender, arrived))
        return arrived

    asked = cross(CLIENT, request)
    answered = cross(SERVER, _as_function(response)(asked))
    return PlainConversation(tuple(flights), asked, answered, pipe)


def _as_function(response: bytes | Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    if callable(response):
        return response
    if not isinstance(response, bytes | bytearray | memoryview):
        raise TypeError(f"response takes bytes, not {response!r}")
    return lambda _: response
