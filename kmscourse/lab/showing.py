"""Put any value into a few words, whatever it is.

What a learner's code makes may be a gigabyte long, or an object whose `__repr__` raises or never
ends. So nothing of theirs is called here: values of Python's own types are shown, cut short; of
all others only the type is named.
"""

from __future__ import annotations

from typing import Any

LONGEST = 60
"""Characters of a text, bytes of a byte string, digits of a number that are shown."""

MOST = 4
"""Items of a collection that are shown."""

_NAMES: dict[type, str] = {
    bool: "True or False",
    bytes: "bytes",
    dict: "a dict",
    float: "a float",
    int: "an int",
    list: "a list",
    set: "a set",
    str: "text (str)",
    tuple: "a tuple",
    type(None): "None",
}


_BRACKETS: dict[type, tuple[str, str]] = {
    dict: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    list: ("[", "]"),
    set: ("{", "}"),
    tuple: ("(", ")"),
}


def name_of(kind: type) -> str:
    """A type in words, with its article: "a dict", "bytes", "an Envelope"."""
    if kind in _NAMES:
        return _NAMES[kind]
    name = type.__dict__["__name__"].__get__(kind)[:LONGEST]
    return f"{'an' if name[:1].lower() in tuple('aeiou') else 'a'} {name}"


def names_of(kinds: type | tuple[type, ...]) -> str:
    """Several types in words: "bytes or a dict"."""
    return " or ".join(name_of(kind) for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))


def kind_of(value: object) -> str:
    """What the value is, in words. It never asks the value itself."""
    kind = type(value)
    if value is None:
        return "None"
    if kind is bool:
        return str(value)
    if kind.__module__ == "builtins" and kind.__name__ == "generator":
        return "a generator (there is a `yield` in it)"
    return name_of(kind)


def shown(value: object, depth: int = 2) -> str:
    """The value, cut short: at most a few hundred characters, in bounded time."""
    kind = type(value)
    if value is None or value is ... or kind in (bool, float, complex):
        return repr(value)
    if kind is int:
        return _int(value)  # type: ignore[arg-type]
    if kind in (str, bytes, bytearray):
        return _cut(value)  # type: ignore[arg-type]
    if kind in (list, tuple, set, frozenset, dict):
        return _collection(value, depth)
    return f"<{name_of(kind)}>"


def _int(value: int) -> str:
    if value.bit_length() <= 3 * LONGEST:
        return repr(value)
    return f"<an int of {value.bit_length():,} bits>"


def _cut(value: str | bytes | bytearray) -> str:
    if len(value) <= LONGEST:
        return repr(value)
    unit = "characters" if isinstance(value, str) else "bytes"
    return f"{value[:LONGEST]!r}… ({len(value):,} {unit})"


def _collection(value: Any, depth: int) -> str:
    kind = type(value)
    size = len(value)
    if not size:
        return repr(value)
    opens, closes = _BRACKETS[kind]
    if depth <= 0:
        return f"{opens}…{closes}"
    items: list[str] = []
    # `zip` with a range stops early: a set of a million is not copied to show four.
    for _, item in zip(range(MOST), value.items() if kind is dict else value, strict=False):
        if kind is dict:
            items.append(f"{shown(item[0], depth - 1)}: {shown(item[1], depth - 1)}")
        else:
            items.append(shown(item, depth - 1))
    if size > MOST:
        items.append(f"… ({size:,} items)")
    elif kind is tuple and size == 1:
        items.append("")
    return opens + ", ".join(items).rstrip(" ") + closes
