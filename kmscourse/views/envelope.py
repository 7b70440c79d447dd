"""The envelope: a real sealed message, opened layer by layer, and what each check refuses.

The browser draws and moves; when a byte is flipped it sends the position, and Python flips it in a
copy, hands the copy to the code that opens it and reports the real exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import traitlets

from kmscourse import sealed
from kmscourse.sealed import Check, Field, Refusal, Sealed
from kmscourse.views import _svg
from kmscourse.views._base import View

# More than this does not help anyone to understand an envelope, and would crowd the notebook.
MAX_BYTES = 256 * 1024
# How much of an opened letter is shown, in characters.
LETTER_SHOWN = 240


@dataclass(frozen=True, slots=True)
class Answer:
    """What happened when the message was opened, changed or not.

    Attributes:
        position: which byte had been changed; None if none was.
        before, after: its value before and after the change; None if none was changed.
        field: name of the field it belongs to; empty if none was changed.
        opened: whether the message opened.
        check: who noticed; "Nobody noticed" for a changed message that opened; empty for an
            unchanged one that opened.
        says: one or two plain sentences.
        error: class of the exception, with its module; empty if it opened.
        message: what the exception said.
        letter: the beginning of the letter, if it opened and is text.
        changed: key of the field with the changed byte.
        noticed: keys of the layers where the check that noticed lies.
    """

    position: int | None
    before: int | None
    after: int | None
    field: str
    opened: bool
    check: str
    says: str
    error: str = ""
    message: str = ""
    letter: str = ""
    changed: str = ""
    noticed: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.position is None:
            head = "Unchanged" if self.opened else "Unchanged, and refused"
        else:
            head = f"Byte {self.position} ({self.field}), {self.check}"
        error = f" [{self.error}: {self.message}]" if self.error else ""
        return f"{head}: {self.says}{error}"


class Envelope(View):
    """A sealed message, opened layer by layer.

    Args:
        message: bytes of an AWS Encryption SDK message; an ``sealed.S3Object`` or the response of
            ``get_object`` for an object of the S3 Encryption Client; or a mapping of names to bytes
            for an envelope made by hand.
        open_with: what opens such a message and returns the letter; called with a copy of the same
            kind as ``message`` (an ``S3Object`` where a response was given). Without it nothing can
            be flipped.
        holders: who may unwrap with each key: key ARN -> names, as the lesson found out by asking.
        title: the heading.

    Raises:
        sealed.ParseError: the message is not well formed.
        TypeError: it is no sealed message at all.
        ValueError: it is longer than 256 KiB.
    """

    script = "envelope.js"
    style = "envelope.css"

    _message = traitlets.Bytes().tag(sync=True)
    _tree = traitlets.Dict().tag(sync=True)
    _keys = traitlets.List().tag(sync=True)
    _context = traitlets.List().tag(sync=True)
    _can_open = traitlets.Bool().tag(sync=True)
    _answer = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        message: object,
        *,
        open_with: Callable[[Any], object] | None = None,
        holders: Mapping[str, Iterable[str] | str] | None = None,
        title: str = "",
    ) -> None:
        self.sealed: Sealed = sealed.parse(message)
        if len(self.sealed.raw) > MAX_BYTES:
            raise ValueError(
                f"This message is {len(self.sealed.raw):,} bytes long; the view shows up to "
                f"{MAX_BYTES:,}. Seal a shorter letter to look inside."
            )
        self._open_with = open_with
        self._holders = {
            key: [names] if isinstance(names, str) else [str(name) for name in names]
            for key, names in (holders or {}).items()
        }
        self._letter: bytes | None = None
        self._first: Refusal | None = None
        self._asked = False
        super().__init__(
            title=title or self.sealed.title,
            _message=self.sealed.raw,
            _tree=_as_tree(self.sealed.root),
            _keys=self._wrapped_keys(),
            _context=[[k, v] for k, v in self.sealed.encryption_context.items()],
            _can_open=open_with is not None,
        )
        self.summary = self.sentence()
        self.on_msg(self._from_browser)

    # What a lesson can ask as well as the browser

    def flip(self, where: int | str, mask: int = 1) -> Answer:
        """Change one byte in a copy and really open it.

        The first flip also opens the unchanged message once, to have something to compare with.

        Args:
            where: the position, or the key of a field (its first byte is taken), such as
                ``"header/proofs/tag"``; ``Envelope.sealed.root.walk()`` lists them.
            mask: which bits to change; the default is the lowest.

        Raises:
            IndexError, KeyError: no such byte or field.
            RuntimeError: the view was made without ``open_with``.
        """
        position = self.sealed.find(where).start if isinstance(where, str) else where
        changed = self.sealed.flipped(position, mask)
        path = self.sealed.path_to(position)
        self._ask_once()
        error, letter = self._open(changed)
        same = None if error or letter is None else letter == self._letter
        refusal = sealed.classify(error, path[-1], same=same)
        says = refusal.says
        if self._first is not None:
            says += f" But unchanged it does not open for this reader either: {self._first.error}."
        before = self.sealed.raw[position]
        answer = Answer(
            position,
            before,
            before ^ mask,
            path[-1].name,
            error is None,
            refusal.check.title,
            says,
            refusal.error,
            refusal.message,
            _shown(letter),
            path[-1].key,
            tuple(self._where(refusal.check, path)),
        )
        self._answer = _as_dict(answer)
        return answer

    def unseal(self) -> Answer:
        """Really open the message as it was sealed.

        Raises:
            RuntimeError: the view was made without ``open_with``.
        """
        error, letter = self._open(self.sealed.rebuild(self.sealed.raw))
        if error is None:
            answer = Answer(
                None,
                None,
                None,
                "",
                True,
                "",
                "Every check passed, and the letter came out.",
                letter=_shown(letter),
            )
        else:
            refusal = sealed.classify(error, self.sealed.root)
            answer = Answer(
                None,
                None,
                None,
                "",
                False,
                refusal.check.title,
                "Nothing was changed, and it was refused all the same: for this reader the "
                "envelope stays shut.",
                refusal.error,
                refusal.message,
                noticed=tuple(self._where(refusal.check, (self.sealed.root,))),
            )
        self._answer = _as_dict(answer)
        return answer

    def undo(self) -> None:
        """Back to the message as it was sealed. The copy is thrown away; it never changed."""
        self._answer = {}

    @property
    def answer(self) -> Answer | None:
        """What was answered last, to a learner's key press or to this object; None after undo."""
        if not self._answer:
            return None
        return Answer(**{**self._answer, "noticed": tuple(self._answer["noticed"])})

    # Python's side of the conversation

    def _from_browser(self, _: object, content: Mapping[str, Any], __: object) -> None:
        if content.get("do") == "undo":
            self.undo()
        elif content.get("do") == "open":
            self.unseal()
        elif content.get("do") == "flip":
            self.flip(int(content["position"]))

    def _open(self, message: object) -> tuple[Exception | None, bytes | None]:
        if self._open_with is None:
            raise RuntimeError(
                "This view does not know how to open the message: make it with open_with=..."
            )
        try:
            return None, _letter(self._open_with(message))
        except Exception as error:  # whatever refuses is the answer
            return error, None

    def _ask_once(self) -> None:
        """How the unchanged message fares with this reader, to compare with; asked once."""
        if self._asked:
            return
        error, self._letter = self._open(self.sealed.rebuild(self.sealed.raw))
        if error is not None:
            self._first = sealed.classify(error, self.sealed.root)
        self._asked = True

    def _where(self, check: Check, path: tuple[Field, ...]) -> list[str]:
        """Keys of the layers in which the check that noticed lies."""
        roles = {
            Check.SIGNATURE: ("footer",),
            Check.HEADER_TAG: ("proofs",),
            Check.COMMITMENT: ("proofs",),
            Check.UNWRAP: ("wrapped-key",),
            Check.CONTEXT: ("context",),
            Check.MATERIALS: ("context",),
            Check.POLICY: ("format",),
        }.get(check)
        layers = list(self.sealed.root.walk())
        if roles:
            return [f.key for f in layers if f.role in roles]
        if check in (Check.BODY_TAG, Check.FRAME_ORDER):
            inside = [f for f in path if f.role == "frame"] or [f for f in path if f.role == "body"]
            return [f.key for f in inside or [f for f in layers if f.role == "body"]][:1]
        if check is Check.PARSER:
            return [[f for f in path if f.children][-1].key]
        return []

    def _wrapped_keys(self) -> list[dict[str, Any]]:
        keys = []
        for key in self.sealed.wrapped_keys:
            key_id, names = key.key_id, self._holders.get(key.key_id)
            if not key_id and len(self._holders) == 1:
                # The message itself does not say, but the lesson does.
                ((key_id, names),) = self._holders.items()
            kms = key.provider == "aws-kms" or key_id.startswith("arn:")
            keys.append(
                {
                    "layer": key.field,
                    "store": "AWS KMS" if kms else key.provider,
                    "id": key_id,
                    "holders": names,
                    "bytes": key.length,
                }
            )
        return keys

    # The static form

    def sentence(self) -> str:
        """What can be seen, in one sentence; lengths and names, never bytes or ids."""
        found = self.sealed
        stores = sorted({str(k["store"]) for k in self._keys if k["store"]})
        count = len(self._keys)
        parts = []
        if count:
            noun = "one wrapped data key" if count == 1 else f"{count} wrapped data keys"
            parts.append(noun + (f" ({', '.join(stores)})" if stores else ""))
        if found.encryption_context:
            pairs = len(found.encryption_context)
            parts.append(f"an encryption context of {pairs} pair{'s' if pairs > 1 else ''}")
        body = next((f for f in found.root.walk() if f.role == "body"), None)
        if body is not None:
            parts.append(f"a sealed letter of {body.value or f'{len(body):,} bytes'}")
        extras = [
            word
            for word, has in (("key commitment", found.committing), ("a signature", found.signed))
            if has
        ]
        parts += extras
        held = ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)
        return f"{found.title}, {len(found.raw):,} bytes, with {held or 'nothing inside'}."

    def picture(self) -> str:
        """The envelope as it lies closed: what is inside, and who holds the keys."""
        return _draw(self)


def _as_tree(field: Field) -> dict[str, Any]:
    """A field and all below it, as JSON for the browser."""
    return {
        "key": field.key,
        "name": field.name,
        "start": field.start,
        "end": field.end,
        "meaning": field.meaning,
        "checks": [c.title for c in field.protected_by],
        "value": field.value,
        "role": field.role,
        "children": [_as_tree(child) for child in field.children],
    }


def _as_dict(answer: Answer) -> dict[str, Any]:
    return {**asdict(answer), "noticed": list(answer.noticed)}


def _letter(result: object) -> bytes | None:
    """The letter in what an opener returned: bytes, text, the SDK's pair, or a response."""
    if isinstance(result, tuple) and result:
        return _letter(result[0])
    if isinstance(result, Mapping) and "Body" in result:
        return _letter(result["Body"])
    if isinstance(result, (bytes, bytearray, memoryview)):
        return bytes(result)
    if isinstance(result, str):
        return result.encode("utf-8", "surrogateescape")
    if hasattr(result, "read"):
        return _letter(result.read())
    return None


def _shown(letter: bytes | None) -> str:
    if letter is None:
        return ""
    try:
        text = letter.decode("utf-8")
    except UnicodeDecodeError:
        return f"{len(letter):,} bytes that are not text"
    return text if len(text) <= LETTER_SHOWN else text[: LETTER_SHOWN - 1] + "…"


def _draw(view: Envelope) -> str:
    """The static picture: an envelope with a seal, its label, the wrapped keys and the letter."""
    found = view.sealed
    width, pad, inner = 720, 24, 672
    p = _svg.Picture(width, view.title, view.sentence())
    top = 96.0
    y = top

    # The label: what is readable. Drawn first on a list, since the paper goes underneath.
    label = _svg.Picture(width, "", "")
    context = [f"{k} = {_short(v)}" for k, v in found.encryption_context.items()]
    label.icon(pad + 14, y + 14, _svg.TAG_ICON, line=_svg.MUTED)
    label.text(pad + 40, y + 28, "On the label: readable by all", bold=True)
    y += 46
    for line in context[:6]:
        label.text(pad + 40, y + 4, line[:80], size=12.5, family=_svg.MONO, fill=_svg.INK)
        y += 19
    if not context:
        label.text(pad + 40, y + 4, "no encryption context", size=12.5, fill=_svg.MUTED)
        y += 19
    y += 6
    # The SDK writes several wrapped keys in no fixed order; a picture that is compared needs one.
    for i, key in enumerate(sorted(view._keys, key=lambda k: (k["store"], k["id"])), 1):
        holders = key["holders"]
        who = (
            "Can be unwrapped by " + (", ".join(holders) if holders else "nobody")
            if holders is not None
            else "Can be unwrapped by whoever may use that key"
        )
        lines = _svg.wrap(who, inner - 120, 12.5)
        height = 34 + 17.5 * len(lines)
        label.box(pad + 36, y, inner - 52, height, fill="#fbf1d9", line=_svg.KEY)
        label.icon(pad + 48, y + 12, _svg.KEY_ICON, line=_svg.KEY)
        number = f" {i}" if len(view._keys) > 1 else ""
        under = f"a key of {key['store']}" if key["store"] else "a wrapping key"
        label.text(
            pad + 76,
            y + 22,
            f"Wrapped data key{number}: {key['bytes']} bytes, sealed under {under}",
            bold=True,
            fill=_svg.KEY,
        )
        at = y + 40
        for line in lines:
            label.text(pad + 76, at, line, size=12.5)
            at += 17.5
        y += height + 10
    label_end = y + 4

    # The letter, and the signature under it.
    y = label_end + 14
    body = next((f for f in found.root.walk() if f.role == "body"), None)
    letter = _svg.Picture(width, "", "")
    if body is not None:
        frames = [f for f in body.children if f.role == "frame"]
        letter.box(pad + 14, y, inner - 28, 86, fill=_svg.WHITE, line=_svg.ACCENT)
        letter.icon(pad + 28, y + 14, _svg.LOCK, line=_svg.ACCENT)
        letter.text(pad + 54, y + 28, "The letter: secret", bold=True, fill=_svg.ACCENT)
        letter.text(
            width - pad - 28,
            y + 28,
            body.value or f"{len(body):,} bytes",
            size=12.5,
            fill=_svg.MUTED,
            anchor="end",
        )
        strips = frames[:8] or [body]
        gap, room = 8.0, inner - 56.0
        each = (room - gap * (len(strips) - 1)) / len(strips)
        for i, strip in enumerate(strips):
            x = pad + 28 + i * (each + gap)
            letter.box(x, y + 42, each, 30, fill="#e3eef7", line=_svg.ACCENT, radius=4)
            name = strip.name.replace(" (last)", "") if frames else "one sealed block"
            if len(frames) > 8 and i == 7:
                name = f"{len(frames) - 7} more"
            letter.text(x + each / 2, y + 62, name, size=12, fill=_svg.ACCENT, anchor="middle")
        y += 100
    footer = [f for f in found.root.children if f.role == "footer"]
    for f in footer:
        letter.icon(pad + 28, y + 2, _svg.PEN_ICON, line=_svg.INK)
        letter.text(pad + 54, y + 16, f"Signed: {f.value or f.name}, {len(f)} bytes", bold=True)
        y += 34
    bottom = y + 6

    p.box(pad - 10, 14, inner + 20, bottom - 14, fill=_svg.PAPER, line=_svg.LINE, radius=12)
    p.path(f"M{pad - 10} 22 L{width / 2:g} 74 L{width - pad + 10} 22", line=_svg.LINE)
    p.circle(width / 2, 62, 22, fill=_svg.SEAL)
    p.icon(width / 2 - 11, 51, _svg.LOCK, size=22, line=_svg.WHITE)
    p.text(pad + 8, 78, found.title.split(",")[0], bold=True)
    p.text(width - pad - 8, 78, f"{len(found.raw):,} bytes", fill=_svg.MUTED, anchor="end")
    p.box(pad + 4, top, inner - 8, label_end - top, fill=_svg.PAPER, line=_svg.LINE, dashed=True)
    p.parts += label.parts + letter.parts
    end = p.lines(pad - 10, bottom + 24, inner + 20, view.sentence())
    return p.render(end + 2)


def _short(value: str) -> str:
    """A value of the encryption context; the SDK's public key changes from run to run."""
    return value if len(value) <= 48 else f"({len(value)} characters)"
