"""Wildcards without backtracking: ``*`` is any run of characters, ``?`` is one.

A pattern is compiled once. The common shapes (no wildcard, ``abc*``, ``a*b*c``) are answered by
``str`` methods; the rest by running all alternatives side by side as the bits of one integer, so
the time is that of one pass over the text and a hostile pattern cannot make it explode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from functools import lru_cache

__all__ = ["STAR", "Matcher", "Token", "Wild", "compile_arn", "compile_glob", "compile_tokens"]

Matcher = Callable[[str], bool]


class Wild(Enum):
    """The two wildcards, kept apart from the characters ``*`` and ``?`` (``${*}`` is a literal)."""

    STAR = "*"
    ANY = "?"


STAR = Wild.STAR
Token = str | Wild


def tokens_of(text: str) -> list[Token]:
    """Split a pattern into runs of literal text and wildcards."""
    out: list[Token] = []
    start = 0
    for at, char in enumerate(text):
        if char in "*?":
            if at > start:
                out.append(text[start:at])
            out.append(Wild.STAR if char == "*" else Wild.ANY)
            start = at + 1
    if start < len(text):
        out.append(text[start:])
    return out


def _always(_: str) -> bool:
    return True


def _merge(tokens: Sequence[Token]) -> list[Token]:
    """Join neighbouring literals and drop repeated stars."""
    out: list[Token] = []
    for token in tokens:
        if isinstance(token, str):
            if not token:
                continue
            if out and isinstance(out[-1], str):
                out[-1] += token
                continue
        elif token is STAR and out and out[-1] is STAR:
            continue
        out.append(token)
    return out


def compile_tokens(tokens: Sequence[Token], *, segments: bool = False) -> Matcher:
    """Compile tokens to a matcher of whole strings, case-sensitive.

    With ``segments`` the text is an ARN: a wildcard stays inside its colon-separated part, except
    a ``*`` that ends its part, which may run past the colon (IAM User Guide, "IAM JSON policy
    elements: Resource").
    """
    merged = _merge(tokens)
    if not merged:
        return "".__eq__
    if len(merged) == 1 and isinstance(merged[0], str):
        return merged[0].__eq__
    if merged == [STAR]:
        return _always
    spans = [
        token is STAR and (not segments or _ends_segment(merged, at))
        for at, token in enumerate(merged)
    ]
    plain = all(isinstance(token, str) or spans[at] for at, token in enumerate(merged))
    if not plain:
        return _simulation(merged, spans, segments)
    if len(merged) == 2 and isinstance(merged[0], str):
        prefix = merged[0]
        return lambda text: text.startswith(prefix)
    return _pieces(merged)


def _ends_segment(tokens: Sequence[Token], at: int) -> bool:
    if at + 1 == len(tokens):
        return True
    following = tokens[at + 1]
    return isinstance(following, str) and following[0] == ":"


def _pieces(tokens: Sequence[Token]) -> Matcher:
    """Literals between stars: the first anchored, the last anchored, the others found in turn."""
    first = tokens[0] if isinstance(tokens[0], str) else ""
    last = tokens[-1] if isinstance(tokens[-1], str) else ""
    middle = [t for t in tokens[bool(first) : len(tokens) - bool(last)] if isinstance(t, str)]
    least = len(first) + len(last)

    def match(text: str) -> bool:
        if len(text) < least or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for piece in middle:
            found = text.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True

    return match


def _simulation(tokens: Sequence[Token], spans: Sequence[bool], segments: bool) -> Matcher:
    """Bit ``i`` of the state says: the first ``i`` characters of the pattern have been used."""
    width = 0
    loop = loop_colon = any_mask = 0
    literal: dict[str, int] = {}
    for at, token in enumerate(tokens):
        if token is STAR:
            loop |= 1 << width
            loop_colon |= (1 << width) if spans[at] else 0
        elif token is Wild.ANY:
            any_mask |= 1 << width
            width += 1
        else:
            assert isinstance(token, str)
            for char in token:
                literal[char] = literal.get(char, 0) | (1 << width)
                width += 1
    accept = 1 << width
    masks = {char: mask | any_mask for char, mask in literal.items()}
    if segments:
        masks[":"] = literal.get(":", 0)
    else:
        loop_colon = loop

    def match(text: str) -> bool:
        state = 1
        for char in text:
            stay = loop_colon if char == ":" else loop
            state = ((state & masks.get(char, any_mask)) << 1) | (state & stay)
            if not state:
                return False
        return bool(state & accept)

    return match


@lru_cache(maxsize=4096)
def compile_glob(pattern: str) -> Matcher:
    """A matcher for ``pattern`` in which ``*`` and ``?`` match any characters."""
    return compile_tokens(tokens_of(pattern))


@lru_cache(maxsize=4096)
def compile_arn(pattern: str) -> Matcher:
    """A matcher for the ``Resource`` element."""
    return compile_resource_tokens(tokens_of(pattern))


def compile_resource_tokens(tokens: Sequence[Token]) -> Matcher:
    """As :func:`compile_arn`, from tokens (a policy variable has been filled in)."""
    merged = _merge(tokens)
    if merged == [STAR]:
        return _always
    flat = "".join(t if isinstance(t, str) else t.value for t in merged)
    if flat.startswith("arn:"):
        parts = flat.split(":", 5)
        if len(parts) < 6:
            # [R] AWS completes an ARN of fewer than six parts with wildcards.
            merged = [*merged, ":", STAR]
        if len(parts) > 2 and any(c in parts[2] for c in "*?"):
            # R11.11: no wildcard in the service part
            return _never
    return compile_tokens(merged, segments=True)


def _never(_: str) -> bool:
    return False
