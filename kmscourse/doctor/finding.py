"""What a check of the installation found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad it is: told apart by the word, not by its colour alone."""

    WELL = "well"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One sentence on what was found, and one thing to do about it where there is one."""

    level: Level
    text: str
    remedy: str = ""


Check = Callable[[], Iterable[Finding]]


def well(text: str) -> Finding:
    return Finding(Level.WELL, text)


def note(text: str, remedy: str = "") -> Finding:
    return Finding(Level.NOTE, text, remedy)


def wrong(text: str, remedy: str) -> Finding:
    return Finding(Level.WRONG, text, remedy)
