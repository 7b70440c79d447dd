"""The wire: a real TLS conversation, record by record, watched from three seats.

The browser draws and lets one move about; when the check of the certificate is switched, or
somebody else takes the pipe, Python shakes hands once more and answers with what happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import traitlets

from kmscourse import tls
from kmscourse.views import _svg
from kmscourse.views._base import View

# Bytes of a record that are shown; more does not help anyone to understand it.
BYTES_SHOWN = 1024
TEXT_SHOWN = 160

SEATS = (tls.CLIENT, tls.EAVESDROPPER, tls.INTERCEPTOR)
PIPES = (tls.EAVESDROPPER, "tamperer", tls.INTERCEPTOR)
VERSIONS = ("TLS 1.3", "TLS 1.2")


class Wire(View):
    """A TLS conversation as one session, each record opening to labelled bytes.

    Args:
        conversation: what ``tls.converse`` returned. Its client needs ``trust`` for the switch
            of the certificate check to make a difference.
        tamperer, interceptor: whom to let at the pipe when the learner asks for them, for example
            ``tls.Interceptor(replace={b"10 mg": b"90 mg"})``.
        title: the heading.
    """

    script = "wire.js"
    style = "wire.css"

    _shown = traitlets.Dict().tag(sync=True)
    _setting = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        conversation: tls.Conversation,
        *,
        tamperer: tls.Tamperer | None = None,
        interceptor: tls.Interceptor | None = None,
        title: str = "",
    ) -> None:
        given = {conversation.pipe.name: conversation.pipe}
        self._pipes: dict[str, tls.Pipe] = {
            tls.EAVESDROPPER: tls.Eavesdropper(),
            "tamperer": tamperer or given.get("tamperer", tls.Tamperer()),
            tls.INTERCEPTOR: interceptor or given.get(tls.INTERCEPTOR, tls.Interceptor()),
        }
        self._runs = 0
        self._asked: dict[str, Any] = {}
        self.conversation = conversation
        name = conversation.scene.client.server_name
        super().__init__(title=title or f"A conversation with {name}")
        self._show(conversation)
        self.on_msg(self._from_browser)

    def run(
        self, *, verify: bool | None = None, pipe: str | None = None, version: str | None = None
    ) -> tls.Conversation:
        """Shake hands once more, for real, with something changed, and show that.

        Args:
            verify: whether the client checks the server's certificate.
            pipe: who holds the pipe: "eavesdropper", "tamperer" or "interceptor".
            version: "TLS 1.2" or "TLS 1.3".
        """
        now = self._setting
        holder = str(now["pipe"]) if pipe is None else pipe
        if holder not in self._pipes:
            raise ValueError(f"pipe={holder!r}: choose one of {', '.join(self._pipes)}")
        conversation = self.conversation.again(
            pipe=self._pipes[holder],
            verify=bool(now["verify"]) if verify is None else verify,
            version=str(now["version"]) if version is None else version,
        )
        self._show(conversation)
        return conversation

    def sentence(self) -> str:
        talk = self.conversation
        holder = {
            tls.EAVESDROPPER: "while an eavesdropper listens",
            "tamperer": "while somebody on the way changes bytes",
            tls.INTERCEPTOR: "with an interceptor in between",
        }.get(talk.pipe.name, "with nobody on the wire")
        check = "checks" if talk.scene.client.verify else "does not check"
        version = talk.version or "TLS"
        return (
            f"A client that {check} certificates asks {talk.scene.client.server_name} over "
            f"{version}, {holder}. {talk.summary()}"
        )

    def picture(self) -> str:
        return _draw(self)

    def _from_browser(self, _: object, content: Mapping[str, Any], __: object) -> None:
        if content.get("do") == "run":
            self._asked = {"view": content.get("view"), "question": content.get("question")}
            self.run(
                verify=bool(content.get("verify")),
                pipe=str(content.get("pipe")),
                version=str(content.get("version")),
            )

    def _show(self, conversation: tls.Conversation) -> None:
        self.conversation = conversation
        self._runs += 1
        client = conversation.scene.client
        holder = conversation.pipe.name
        with self.hold_sync():
            self._setting = {
                "verify": client.verify,
                "pipe": holder if holder in PIPES else tls.EAVESDROPPER,
                "version": client.version or conversation.version or VERSIONS[0],
            }
            self._shown = {"run": self._runs, **self._asked, **_as_json(conversation)}
            self.summary = self.sentence()


def _as_json(talk: tls.Conversation) -> dict[str, Any]:
    """Everything the browser draws, from the conversation itself."""
    refusal = talk.refusal
    fatal = [alert for alert in talk.alerts if alert.level == "fatal"]
    return {
        "summary": talk.summary(),
        "outcome": _outcome(talk),
        "host": talk.scene.client.server_name,
        "version": talk.version or "",
        "suite": talk.cipher_suite or "",
        "group": talk.group or "",
        "alert": fatal[0].description if fatal else "",
        "code": (refusal.verify_name or refusal.reason) if refusal else "",
        "asked": _text(talk.scene.request or b""),
        "server_got": _text(talk.server.received) if talk.server else "",
        "answered": _text(_said_by_server(talk)),
        "client_got": _text(talk.client.received),
        "legs": [
            {
                "ends": list(leg.capture.ends),
                "records": [_record(leg, record) for record in leg.capture.records],
            }
            for leg in talk.legs
        ],
        "seats": {seat: _seat(talk, seat) for seat in SEATS},
    }


def _outcome(talk: tls.Conversation) -> str:
    if talk.intercepted:
        return "fooled"
    if talk.refusal is not None:
        return "refused"
    return "done" if talk.completed else "stuck"


def _said_by_server(talk: tls.Conversation) -> bytes:
    """What the real server answered, as it left its hands."""
    last = talk.legs[-1]
    if last.capture.ends[1] != tls.SERVER:
        return b""
    return last.capture.open(last.server.keylog).application_data(tls.SERVER)


def _seat(talk: tls.Conversation, seat: str) -> dict[str, Any]:
    """What one seat sees: which records pass it, which of them it can open, what it read."""
    seen: dict[int, list[int]] = {}
    opened: dict[int, list[int]] = {}
    legs = {leg.capture.ends: number for number, leg in enumerate(talk.legs)}
    for sighting in talk.seen_by(seat):
        leg = legs[sighting.ends]
        seen.setdefault(leg, []).append(sighting.record.index)
        if sighting.opened is not None:
            opened.setdefault(leg, []).append(sighting.record.index)
    present = seat != tls.INTERCEPTOR or tls.INTERCEPTOR in talk.legs[0].capture.ends
    return {
        "seen": [[leg, index] for leg, found in seen.items() for index in found],
        "opened": [[leg, index] for leg, found in opened.items() for index in found],
        "read": _text(talk.read_by(seat)),
        "present": present,
    }


def _record(leg: tls.Leg, record: tls.Record) -> dict[str, Any]:
    ends = leg.capture.ends
    opened = leg.opening.record(record.index)
    reasons = {sealed.record.index: sealed.reason for sealed in leg.opening.sealed}
    return {
        "index": record.index,
        "sender": ends[0] if record.sender == tls.CLIENT else ends[1],
        "outward": record.sender == tls.CLIENT,
        "type": record.content_type,
        "size": len(record),
        "sealed": record.sealed,
        "carries": record.carries,
        "wire": _bytes(record.data),
        "fields": _fields(record.fields),
        "reason": reasons.get(record.index, ""),
        "opened": None
        if opened is None
        else {
            "carries": opened.carries,
            "size": len(opened.plaintext),
            "wire": _bytes(opened.plaintext),
            "fields": _fields(opened.fields),
            "secret": opened.secret_name,
            "number": opened.sequence_number,
        },
    }


def _bytes(data: bytes) -> str:
    return data[:BYTES_SHOWN].hex()


def _fields(fields: Iterable[tls.Field]) -> list[dict[str, Any]]:
    return [
        {
            "name": field.name,
            "start": field.start,
            "end": field.end,
            "value": field.value if len(field.value) <= TEXT_SHOWN else field.value[:159] + "…",
            "meaning": field.meaning,
            "seats": list(field.visible_to),
            "depth": depth,
        }
        for top in fields
        for depth, field in top.walk()
    ]


def _text(data: bytes) -> str:
    """Application data as people read it: the last paragraph of an HTTP message, or its start."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").strip()
    return text if len(text) <= TEXT_SHOWN else text[: TEXT_SHOWN - 1] + "…"


# --- the still form -------------------------------------------------------------------------


def _draw(view: Wire) -> str:
    """Three people and what the one in the middle can read. No sizes: they vary a little."""
    talk = view.conversation
    width = 720
    p = _svg.Picture(width, view.title, view.sentence())
    ends = talk.capture.ends
    holder = talk.pipe.name
    middle = {tls.EAVESDROPPER: "Eavesdropper", "nobody": "Nobody"}.get(holder, holder.title())

    p.text(20, 30, view.title, size=16, bold=True)
    y = 50.0
    boxes = (("Client", 20), (middle, 270), ("Server", 520))
    for name, x in boxes:
        p.box(x, y, 180, 46, fill=_svg.PAPER)
        p.text(x + 90, y + 28, name, bold=True, anchor="middle")
    for x in (200, 450):
        p.path(f"M{x} {y + 23} H{x + 70}", line=_svg.INK)
    y += 72

    clear, inside = _names(talk)
    readable = talk.scene.client.server_name
    p.icon(20, y - 14, "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12z M12 9a3 3 0 1 0 0 6 3 3 0 0 "
           "0 0-6z")  # fmt: skip
    p.text(46, y, "Anyone on the way can read", bold=True)
    y = p.lines(46, y + 20, 650, f"{', '.join(clear)}; the site's name, {readable}; all sizes")
    if inside:
        who = " and ".join(ends)
        p.icon(20, y, _svg.LOCK, line=_svg.ACCENT)
        p.text(46, y + 14, f"Under the lock, for {who} only", bold=True, fill=_svg.ACCENT)
        y = p.lines(46, y + 34, 650, ", ".join(inside))
    y += 8
    bad = talk.intercepted or talk.refusal is not None
    color = _svg.SEAL if bad else _svg.ACCENT
    height = 26 + 18.2 * len(_svg.wrap(view.sentence(), 640, 13))
    p.box(20, y, width - 40, height, fill=_svg.PAPER, line=color)
    p.lines(36, y + 24, 640, view.sentence(), fill=_svg.INK)
    return p.render(y + height + 14)


def _names(talk: tls.Conversation) -> tuple[list[str], list[str]]:
    """The handshake messages in the clear and under the lock, each once, in order."""
    clear = [message.name for message in talk.capture.messages()]
    inside = [message.name for opened in talk.opening for message in opened.messages]
    if talk.opening.application_data(tls.CLIENT) or talk.opening.application_data(tls.SERVER):
        inside.append("what the two said")
    return list(dict.fromkeys(clear)), list(dict.fromkeys(inside))
