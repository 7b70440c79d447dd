"""A sealed message as a tree of fields, and the errors of reading one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from kmscourse.sealed.checks import Check

Kind = Literal["message", "s3-object", "by-hand"]
Role = Literal[
    "",
    "envelope",
    "header",
    "format",
    "context",
    "keys",
    "wrapped-key",
    "framing",
    "proofs",
    "plain",
    "body",
    "frame",
    "footer",
]


class ParseError(ValueError):
    """The bytes are not a well-formed sealed message. ``position`` is the byte where it shows."""

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(f"Byte {position}: {problem}")
        self.position = position
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Field:
    """A named run of bytes, ``start`` included and ``end`` excluded.

    A field with ``children`` is a layer, and its children cover it without gap or overlap. A field
    without is a leaf. ``key`` is unique in its message and made of names, never of addresses.
    """

    key: str
    name: str
    start: int
    end: int
    meaning: str
    protected_by: tuple[Check, ...] = ()
    value: str = ""
    role: Role = ""
    children: tuple[Field, ...] = ()
    source: bytes = field(default=b"", repr=False, compare=False)

    @property
    def data(self) -> bytes:
        """The bytes of this field."""
        return self.source[self.start : self.end]

    def __len__(self) -> int:
        return self.end - self.start

    def walk(self) -> Iterator[Field]:
        """This field and all below it, in the order of the bytes."""
        yield self
        for child in self.children:
            yield from child.walk()

    def leaves(self) -> Iterator[Field]:
        """The fields without children, in the order of the bytes."""
        return (each for each in self.walk() if not each.children)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """One wrapped copy of the data key.

    ``key_id`` names the wrapping key (for AWS KMS its ARN); it is empty where the message does not
    say, as in S3 objects, where only KMS can read it out of the ciphertext. ``field`` is the key of
    the layer in the tree.
    """

    provider: str
    key_id: str
    length: int
    field: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A parsed sealed message.

    ``raw`` is all its bytes in one line; for S3 objects and envelopes by hand, which consist of
    several pieces, it is the pieces one after the other. ``rebuild`` turns such a line back into
    what the message was given as, so that a changed copy can be handed to the code that opens it.
    """

    kind: Kind
    title: str
    raw: bytes
    root: Field
    wrapped_keys: tuple[WrappedKey, ...]
    encryption_context: Mapping[str, str]
    rebuild: Callable[[bytes], object] = field(repr=False, compare=False)
    committing: bool = False
    signed: bool = False

    def leaf_at(self, position: int) -> Field:
        """The one leaf that a byte belongs to.

        Raises:
            IndexError: no such byte.
        """
        return self.path_to(position)[-1]

    def path_to(self, position: int) -> tuple[Field, ...]:
        """The fields that hold a byte, from the whole message down to the leaf.

        Raises:
            IndexError: no such byte.
        """
        if not 0 <= position < len(self.raw):
            raise IndexError(f"This message has bytes 0 to {len(self.raw) - 1}, not {position}.")
        path = [self.root]
        while path[-1].children:
            path.append(next(c for c in path[-1].children if c.start <= position < c.end))
        return tuple(path)

    def find(self, key: str) -> Field:
        """The field with this key.

        Raises:
            KeyError: no such field; the message lists what there is.
        """
        for each in self.root.walk():
            if each.key == key:
                return each
        known = ", ".join(f.key for f in self.root.walk())
        raise KeyError(f"No field {key!r}. There are: {known}")

    def flipped(self, position: int, mask: int = 1) -> object:
        """A copy with some bits of one byte changed, in the form the message was given in.

        Args:
            position: which byte of ``raw``.
            mask: which bits, 1 to 255; the default changes the lowest bit only.

        Raises:
            IndexError: no such byte.
            ValueError: a mask that would change nothing or more than a byte.
        """
        if not 0 <= position < len(self.raw):
            raise IndexError(f"This message has bytes 0 to {len(self.raw) - 1}, not {position}.")
        if not 1 <= mask <= 255:
            raise ValueError("A mask is a number from 1 to 255.")
        changed = bytearray(self.raw)
        changed[position] ^= mask
        return self.rebuild(bytes(changed))


class Builder:
    """Reads bytes from left to right and makes a leaf of each piece; used by the parsers."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.at = 0

    @property
    def remaining(self) -> int:
        return len(self.source) - self.at

    def leaf(
        self,
        key: str,
        name: str,
        length: int,
        meaning: str,
        protected_by: tuple[Check, ...],
        value: str | Callable[[bytes], str] = "",
    ) -> Field:
        """Take the next ``length`` bytes as a leaf.

        Raises:
            ParseError: fewer are left. The length is compared before anything is copied, so a
                length field that lies costs nothing.
        """
        if length > self.remaining:
            raise ParseError(
                self.at,
                f"{name} should be {length} bytes long, but {self.remaining} are left.",
            )
        start = self.at
        self.at += length
        shown = value(self.source[start : self.at]) if callable(value) else value
        return Field(key, name, start, self.at, meaning, protected_by, shown, source=self.source)

    def layer(
        self,
        key: str,
        name: str,
        meaning: str,
        role: Role,
        children: list[Field],
        value: str = "",
    ) -> Field:
        """A field around children that follow one another."""
        checks: list[Check] = []
        for child in children:
            checks += [c for c in child.protected_by if c not in checks]
        return Field(
            key,
            name,
            children[0].start,
            children[-1].end,
            meaning,
            tuple(checks),
            value,
            role,
            tuple(children),
            self.source,
        )


def number(data: bytes) -> str:
    """A big-endian number, as people write it."""
    return f"{int.from_bytes(data, 'big'):,}"


def plural(count: int, one: str, many: str = "") -> str:
    """'1 byte', '2 bytes'."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
