"""Where in a JSON text something stands, so that a learner is led to the line."""

from __future__ import annotations

import json
import re

_SPACE = re.compile(r"\s*")
_INDEX = re.compile(r"\[(\d+)\]")
_DECODER = json.JSONDecoder()


def find(text: str, place: str) -> tuple[int, int] | None:
    """Start and end (offsets) of the value at ``place``, or of the nearest thing around it.

    Args:
        text: JSON.
        place: a path such as ``Statement[1].Condition.StringLike.aws:PrincipalTag/a.b``; names may
            hold dots. A lone object counts as a list of one, as AWS reads it.

    Returns:
        None if ``text`` is not JSON.
    """
    try:
        at, rest = _skip(text, 0), place
        span = (at, _DECODER.raw_decode(text, at)[1])
        while rest:
            step = _enter(text, span[0], rest)
            if step is None:
                return span
            at, rest = step
            span = (at, _DECODER.raw_decode(text, at)[1])
    except (ValueError, RecursionError):
        return None
    return span


def line_of(text: str, offset: int) -> int:
    """The line of an offset, counted from one."""
    return text.count("\n", 0, offset) + 1


def utf16(text: str, offset: int) -> int:
    """An offset as a browser counts it."""
    return len(text[:offset].encode("utf-16-le", "surrogatepass")) // 2


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _enter(text: str, at: int, rest: str) -> tuple[int, str] | None:
    """One step into the value at ``at``: the offset of what lies there, and the rest of the way."""
    index = _INDEX.match(rest)
    if index:
        remaining = rest[index.end() :].removeprefix(".")
        if text[at] == "{":
            return (at, remaining) if index.group(1) == "0" else None
        return _item(text, at, int(index.group(1)), remaining)
    if text[at] != "{":
        return None
    at = _skip(text, at + 1)
    while text[at] == '"':
        name, end = _DECODER.raw_decode(text, at)
        value = _skip(text, _skip(text, end) + 1)  # past the colon
        after = rest[len(name) :]
        if rest.startswith(name) and (not after or after[0] in ".["):
            return value, after.removeprefix(".")
        at = _skip(text, _DECODER.raw_decode(text, value)[1])
        if text[at] != ",":
            return None
        at = _skip(text, at + 1)
    return None


def _item(text: str, at: int, number: int, rest: str) -> tuple[int, str] | None:
    if text[at] != "[":
        return None
    at = _skip(text, at + 1)
    while text[at] != "]":
        if number == 0:
            return at, rest
        at = _skip(text, _DECODER.raw_decode(text, at)[1])
        if text[at] != ",":
            return None
        number, at = number - 1, _skip(text, at + 1)
    return None
