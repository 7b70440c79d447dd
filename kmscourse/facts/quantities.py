"""Quantities in prose, such as "$1", "4,096 bytes" or "90 to 2,560 days", and the numbers of facts.

What AWS sets has to stand in the register; these find what to look for there. Minutes are left out,
as texts tell how long things take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kmscourse.facts.model import Fact

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


def quantities(text: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Each quantity as it is written, and its one number or two, as `numbers` gives them."""
    for found in _QUANTITY.finditer(text):
        yield found[0], frozenset(_plain(each) for each in found.groups() if each)


def numbers(text: str) -> frozenset[str]:
    """All numbers in a text, without commas and trailing noughts: "2,560" and "2560" are one."""
    return frozenset(map(_plain, re.findall(_NUMBER, text.replace("_", ""))))


def of_fact(fact: Fact) -> frozenset[str]:
    """The numbers of a fact: in its sentence, its value, its note."""
    return numbers(f"{fact.statement} {fact.value} {fact.note or ''} {fact.study_notes or ''}")


def _plain(number: str) -> str:
    digits = number.replace(",", "")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
