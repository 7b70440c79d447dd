"""Bytes with names on them, and the reader that puts the names there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from kmscourse.tls.names import named

# Who may be looking. A record belongs to a conversation between two of these.
CLIENT, SERVER, EAVESDROPPER, INTERCEPTOR = "client", "server", "eavesdropper", "interceptor"
SEATS = (CLIENT, EAVESDROPPER, INTERCEPTOR, SERVER)


class ParseError(ValueError):
    """The bytes are not the TLS they claim to be. `offset` is where reading stopped."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(f"{message} (at byte {offset})")
        self.message = message
        self.offset = offset

    def moved(self, by: int) -> ParseError:
        """The same error, for bytes that begin `by` bytes further on."""
        return ParseError(self.message, self.offset + by)


@dataclass(frozen=True)
class Field:
    """A named range of bytes: `data[start:end]`.

    `name` is the name in the RFC, `value` what the bytes say in readable form, `meaning` one
    sentence on why they are there, `visible_to` the seats that can read them.
    """

    name: str
    start: int
    end: int
    value: str = ""
    meaning: str = ""
    visible_to: tuple[str, ...] = SEATS
    children: tuple[Field, ...] = ()

    def __len__(self) -> int:
        return self.end - self.start

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Field]]:
        """This field and everything in it, outermost first, with its depth."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)

    def moved(self, by: int, visible_to: tuple[str, ...]) -> Field:
        """The same field, `by` bytes further on, seen from other seats."""
        return Field(
            self.name,
            self.start + by,
            self.end + by,
            self.value,
            self.meaning,
            visible_to,
            tuple(child.moved(by, visible_to) for child in self.children),
        )


def hex_words(data: bytes, most: int = 16) -> str:
    """Bytes as hexadecimal, cut after `most` of them."""
    return data[:most].hex(" ") + (" …" if len(data) > most else "")


class Reader:
    """Reads a TLS structure front to back and writes down a `Field` for each thing it takes.

    Raises `ParseError`, and nothing else, when the bytes do not fit.
    """

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self.data = data
        self.position = start
        self.end = len(data) if end is None else end
        self.fields: list[Field] = []

    @property
    def left(self) -> int:
        return self.end - self.position

    def take(self, size: int, what: str) -> tuple[int, bytes]:
        """The next `size` bytes and where they began, without naming them."""
        if size > self.left:
            raise ParseError(
                f"{what} should be {size} bytes long and {self.left} are left", self.position
            )
        start = self.position
        self.position += size
        return start, self.data[start : self.position]

    def opaque(self, name: str, size: int, meaning: str = "", value: str | None = None) -> bytes:
        start, taken = self.take(size, name)
        shown = hex_words(taken) if value is None else value
        self.fields.append(Field(name, start, self.position, shown, meaning))
        return taken

    def number(
        self,
        name: str,
        size: int,
        meaning: str = "",
        names: Mapping[int, str] | None = None,
    ) -> int:
        start, taken = self.take(size, name)
        number = int.from_bytes(taken, "big")
        shown = str(number) if names is None else named(number, names, width=size)
        self.fields.append(Field(name, start, self.position, shown, meaning))
        return number

    def text(self, name: str, size: int, meaning: str = "") -> str:
        start, taken = self.take(size, name)
        shown = taken.decode("ascii", "backslashreplace")
        self.fields.append(Field(name, start, self.position, shown, meaning))
        return shown

    @contextmanager
    def within(self, name: str, size: int, meaning: str = "", value: str = "") -> Iterator[Reader]:
        """Read the next `size` bytes as a structure of their own, to the last byte."""
        start, _ = self.take(size, name)
        inner = Reader(self.data, start, self.position)
        yield inner
        if inner.left:
            raise ParseError(f"{name} has {inner.left} bytes too many", inner.position)
        self.fields.append(
            Field(name, start, inner.end, value, meaning, children=tuple(inner.fields))
        )

    @contextmanager
    def vector(self, name: str, length_size: int, meaning: str = "") -> Iterator[Reader]:
        """A structure that is preceded by its length, as TLS writes lists."""
        size = self.number(f"{name} length", length_size)
        with self.within(name, size, meaning) as inner:
            yield inner

    def opaque_vector(
        self, name: str, length_size: int, meaning: str = "", value: str | None = None
    ) -> bytes:
        size = self.number(f"{name} length", length_size)
        return self.opaque(name, size, meaning, value)

    def numbers(
        self,
        name: str,
        length_size: int,
        each: str,
        size: int,
        names: Mapping[int, str],
        meaning: str = "",
    ) -> tuple[int, ...]:
        """A list of numbers, preceded by its length in bytes."""
        found = []
        with self.vector(name, length_size, meaning) as inner:
            while inner.left:
                found.append(inner.number(each, size, names=names))
        return tuple(found)

    def rest(self, name: str, meaning: str = "") -> bytes:
        return self.opaque(name, self.left, meaning)
