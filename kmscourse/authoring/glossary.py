"""The glossary: each term that a lesson explains, in a sentence that stands on its own.

In a lesson a term stands in bold where it is explained. `lessons/glossary.yaml` says each of these
terms once more for someone who did not read what stands around it. The two are held together: a
term in bold needs its sentence, and a sentence needs the lesson that explains it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from kmscourse.authoring.problem import BuildError, Problem
from kmscourse.authoring.source import read_cells
from kmscourse.course import Lesson

FILE = Path("lessons") / "glossary.yaml"

_BOLD = re.compile(r"\*\*([^*\n]{2,60})\*\*")


@dataclass(frozen=True)
class Place:
    """Where a term is explained first."""

    lesson: Lesson
    line: int


def explained(lessons: Sequence[Lesson]) -> dict[str, Place]:
    """The terms that these lessons explain, as they are written, each with its first place."""
    found: dict[str, tuple[str, Place]] = {}
    for lesson in lessons:
        for cell in read_cells(lesson.lesson_source):
            for offset, line in enumerate(cell.source.splitlines() if not cell.is_code else (), 1):
                for term in _terms(line):
                    found.setdefault(term.casefold(), (term, Place(lesson, cell.line + offset)))
    return dict(found.values())


def read(home: Path) -> dict[str, str]:
    """The sentences by their terms. Raises BuildError where the file cannot be used."""
    path = home / FILE
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise BuildError(Problem(path, None, f"cannot be read: {error}")) from error
    if not isinstance(entries, dict) or not all(
        isinstance(term, str) and isinstance(said, str) for term, said in entries.items()
    ):
        raise BuildError(Problem(path, None, "should have a sentence for each term, and no more."))
    return {term: " ".join(said.split()) for term, said in entries.items()}


def problems(home: Path, lessons: Sequence[Lesson]) -> list[Problem]:
    """Terms without a sentence, and sentences whose term no lesson explains."""
    places, said = explained(lessons), read(home)
    known = {term.casefold() for term in said}
    found = [
        Problem(
            place.lesson.lesson_source,
            place.line,
            f"explains {term!r}, which is not in {FILE.as_posix()}.",
        )
        for term, place in places.items()
        if term.casefold() not in known
    ]
    shown = {term.casefold() for term in places}
    found += [
        Problem(home / FILE, None, f"no lesson explains {term!r} in bold.")
        for term in said
        if term.casefold() not in shown
    ]
    return found


def page(home: Path, lessons: Sequence[Lesson]) -> str:
    """The glossary as a page in Markdown, with the lesson that explains each term."""
    places = {term.casefold(): place for term, place in explained(lessons).items()}
    lines = ["<!-- Made by `make glossary` from lessons/. -->", "", "# Glossary", ""]
    said = read(home)
    for term in sorted(said, key=lambda term: term.casefold().strip("`")):
        lesson = places[term.casefold()].lesson
        link = f"[{lesson.number}](../notebooks/{lesson.name}.ipynb)"
        lines += [f"**{term}**: {said[term]} Lesson {link}.", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _terms(line: str) -> Iterator[str]:
    """What stands in bold and is a term, not a call such as "Predict:" nor the head of a list."""
    if line.lstrip().startswith(("|", "-", "*  ")):
        return
    for bold in _BOLD.finditer(line):
        term = bold[1].strip()
        if term[-1] not in ":.?!," and len(term.split()) <= 5:
            yield term
