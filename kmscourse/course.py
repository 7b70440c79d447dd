"""Where things lie: the lessons, what is built from them, and what a learner wrote.

Everything that needs a path of the course asks here, so that the layout is written down once.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

HOME_VARIABLE = "KMSCOURSE_HOME"
"""Environment variable that names the folder of the course where it cannot be found by itself."""

_INDEX = Path("lessons") / "index.yaml"


class CourseError(Exception):
    """Something about the course's folders is not as expected. The message says what to do."""


class CourseNotFoundError(CourseError):
    """The folder of the course could not be found."""


class LessonNotFoundError(CourseError):
    """There is no lesson of this name. `suggestion` is the nearest one, or None."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


@dataclass(frozen=True)
class Minutes:
    """How long an unhurried learner needs, in minutes."""

    lesson: int
    lab: int

    @property
    def total(self) -> int:
        return self.lesson + self.lab


Kind = Literal["lesson", "opening", "practice"]
"""What a lesson is: a whole one; the opening, which may be shorter in all its parts; or practice
over all lessons, which has neither a lab nor questions of its own."""


@dataclass(frozen=True)
class Lesson:
    """One lesson and where its parts lie. A path is given whether or not the file exists yet."""

    name: str
    title: str
    minutes: Minutes
    about: str
    home: Path
    kind: Kind = "lesson"

    @property
    def number(self) -> str:
        """The leading number, as text: "05"."""
        return self.name.partition("-")[0]

    @property
    def folder(self) -> Path:
        return self.home / "lessons" / self.name

    @property
    def lesson_source(self) -> Path:
        return self.folder / "lesson.py"

    @property
    def lab_source(self) -> Path:
        return self.folder / "lab.py"

    @property
    def checks(self) -> Path:
        return self.folder / "checks.py"

    @property
    def questions(self) -> Path:
        return self.folder / "questions.yaml"

    @property
    def teaching(self) -> Path:
        return self.folder / "teaching.md"

    @property
    def notebook(self) -> Path:
        return self.home / "notebooks" / f"{self.name}.ipynb"

    @property
    def lab_notebook(self) -> Path:
        return self.home / "labs" / f"{self.name}.ipynb"

    @property
    def solution_notebook(self) -> Path:
        return self.home / "solutions" / f"{self.name}.ipynb"

    @property
    def work_copy(self) -> Path:
        """The learner's own copy of the lab."""
        return self.home / "my-work" / f"{self.name}.ipynb"

    @property
    def has_lab(self) -> bool:
        return self.lab_source.is_file()


def root() -> Path:
    """The folder of the course.

    `KMSCOURSE_HOME` if it is set; else the nearest folder above this file, or above the current
    folder, that holds `lessons/index.yaml`. Raises CourseNotFoundError.
    """
    named = os.environ.get(HOME_VARIABLE)
    if named:
        home = Path(named).expanduser().resolve()
        if not (home / _INDEX).is_file():
            raise CourseNotFoundError(
                f"{HOME_VARIABLE} is set to {home}, but there is no {_INDEX} in that folder. "
                f"Set it to the folder of the course, or unset it."
            )
        return home
    for start in (Path(__file__).resolve().parent, Path.cwd()):
        for folder in (start, *start.parents):
            if (folder / _INDEX).is_file():
                return folder
    raise CourseNotFoundError(
        "The folder of the course was not found. Start from inside it, or set the environment "
        f"variable {HOME_VARIABLE} to it."
    )


def lessons(home: Path | None = None) -> list[Lesson]:
    """All lessons, in the order of `lessons/index.yaml`. CourseError where it is malformed."""
    home = home or root()
    index = home / _INDEX
    try:
        entries = yaml.safe_load(index.read_text(encoding="utf-8"))
    except OSError as error:
        raise CourseNotFoundError(f"{index} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CourseError(f"{index} is not valid YAML: {error}") from error
    if not isinstance(entries, list):
        raise CourseError(f"{index} should be a list of lessons.")
    found = [_lesson(entry, index, home) for entry in entries]
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise CourseError(f"{index} lists the lesson {name!r} twice.")
    return found


def lesson(name: str, home: Path | None = None) -> Lesson:
    """The lesson called `name`: "05-envelopes", or in short "05", "5" or "envelopes".

    Raises LessonNotFoundError, which suggests the nearest name.
    """
    known = lessons(home)
    asked = str(name).strip().casefold()
    for found in known:
        short = found.name.casefold().partition("-")[2]
        if asked in (found.name.casefold(), short) or _same_number(asked, found.number):
            return found
    spellings = {found.name.casefold(): found.name for found in known}
    spellings.update({found.name.casefold().partition("-")[2]: found.name for found in known})
    near = difflib.get_close_matches(asked, [s for s in spellings if s], n=1, cutoff=0.5)
    suggestion = spellings[near[0]] if near else None
    if suggestion:
        advice = f"Did you mean {suggestion!r}?"
    else:
        advice = "The lessons are: " + ", ".join(found.name for found in known) + "."
    raise LessonNotFoundError(f"There is no lesson called {name!r}. {advice}", suggestion)


def work_folder(home: Path | None = None) -> Path:
    """Where a learner's copies and progress are kept. It may not exist yet."""
    return (home or root()) / "my-work"


def _same_number(asked: str, number: str) -> bool:
    return asked.isascii() and asked.isdigit() and number.isdigit() and int(asked) == int(number)


def _lesson(entry: Any, index: Path, home: Path) -> Lesson:
    try:
        minutes = entry["minutes"]
        kind = entry.get("kind", "lesson")
        if kind not in get_args(Kind):
            raise ValueError(f"unknown kind {kind!r}")
        return Lesson(
            name=str(entry["name"]),
            title=str(entry["title"]),
            minutes=Minutes(lesson=int(minutes["lesson"]), lab=int(minutes["lab"])),
            about=str(entry["about"]),
            home=home,
            kind=kind,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CourseError(
            f"{index} has an entry that is not complete: {entry!r}. "
            "Each needs name, title, minutes (lesson and lab) and about; a kind other than lesson "
            "is opening or practice."
        ) from error
