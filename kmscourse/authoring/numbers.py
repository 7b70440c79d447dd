"""Numbers in the prose of a lesson: each that AWS sets must stand in `kmscourse.facts`.

A quantity, such as "$1", "4,096 bytes" or "90 to 2,560 days", is AWS's unless the lesson's own code
has the number: then it is what the learner made, counts or tries. Minutes are left out, as lessons
tell how long they take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from kmscourse import facts
from kmscourse.authoring.source import Cell

_NUMBER = r"\d[\d,]*(?:\.\d+)?"
_UNITS = (
    r"bytes?|bits?|[KMGT]i?B|days?|months?|years?|hours?|requests?|calls?|rotations?|grants?|"
    r"characters?|per cent|%|cents?|dollars?|parameters?|secrets?|replicas?"
)
_QUANTITY = re.compile(
    rf"\$\s?(?P<money>{_NUMBER})"
    rf"|(?P<low>{_NUMBER})\s+(?:to|and|or|–)\s+(?P<high>{_NUMBER})[\s-](?:{_UNITS})\b"
    rf"|(?P<one>{_NUMBER})[\s-]?(?:{_UNITS})(?!\w)",
)
_CODE_SPAN = re.compile(r"`[^`\n]*`|\]\([^)\s]*\)")


def unsourced(cells: Sequence[Cell]) -> Iterator[tuple[int, str]]:
    """The quantities in markdown cells that no fact and no code of the lesson has: (line, text)."""
    own = {number for cell in cells if cell.is_code for number in _numbers(cell.source)}
    for cell in cells:
        if cell.is_code:
            continue
        for offset, line in enumerate(cell.source.splitlines(), start=1):
            for found in _QUANTITY.finditer(_CODE_SPAN.sub("", line)):
                numbers = {_plain(each) for each in found.groups() if each}
                if numbers - own - _register():
                    yield cell.line + offset, found[0]


@cache
def _register() -> frozenset[str]:
    """Every number that stands in a fact: in its sentence, its value, its note."""
    return frozenset(
        number
        for fact in facts.everything()
        for number in _numbers(
            f"{fact.statement} {fact.value} {fact.note or ''} {fact.study_notes or ''}"
        )
    )


def _numbers(text: str) -> Iterator[str]:
    return map(_plain, re.findall(_NUMBER, text.replace("_", "")))


def _plain(number: str) -> str:
    """The number without its commas and trailing noughts: "2,560" and "2560", "1.00" and "1"."""
    digits = number.replace(",", "")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
