"""What the course promises to teach, and where it keeps the promise.

`lessons/curriculum.yaml` lists the bullets of the study notes and the objectives. Where an
objective is shown, practised and asked is written at the place itself; here the two are joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kmscourse.authoring.problem import BuildError, Problem
from kmscourse.authoring.source import read_cells
from kmscourse.authoring.tasks import declared
from kmscourse.course import Lesson
from kmscourse.exam import BankError, bank

FILE = Path("lessons") / "curriculum.yaml"

ObjectiveId = Annotated[str, Field(pattern=r"^[0-9]{2}\.[a-z0-9]+(-[a-z0-9]+)*$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bullet(_Entry):
    """A bullet of the study notes, in their words, and the objective that takes it up."""

    id: str
    says: str
    objective: ObjectiveId


class Objective(_Entry):
    """One thing to be able to do or to know, in our words."""

    id: ObjectiveId
    says: str

    @property
    def number(self) -> str:
        """The number of its lesson: "07"."""
        return self.id.partition(".")[0]


class Curriculum(_Entry):
    """The bullets of the study notes and the objectives of the course, in order."""

    notes: tuple[Bullet, ...]
    objectives: tuple[Objective, ...]


@dataclass
class Places:
    """Where one objective is taught: places as `lessons/07-rotation/lesson.py:120`."""

    shown: list[str] = field(default_factory=list)
    practised: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def missing(self) -> tuple[str, ...]:
        """Which of shown, practised and asked it lacks."""
        kinds = ("shown", "practised", "asked")
        return tuple(kind for kind in kinds if not getattr(self, kind))


@dataclass(frozen=True)
class Coverage:
    """The curriculum, where each objective is taught, and what points nowhere."""

    curriculum: Curriculum
    places: dict[str, Places]
    problems: list[Problem]

    def of(self, bullet: Bullet) -> Places:
        """Where a bullet of the study notes is shown, practised and asked."""
        return self.places[bullet.objective]


def read(home: Path) -> Curriculum:
    """The curriculum of the course at `home`. Raises BuildError, which says what is wrong."""
    path = home / FILE
    try:
        curriculum = Curriculum.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise BuildError(Problem(path, None, f"cannot be used: {error}")) from error
    known = Counter(objective.id for objective in curriculum.objectives)
    for objective in (each for each, number in known.items() if number > 1):
        raise BuildError(Problem(path, None, f"lists the objective {objective} twice."))
    for bullet in curriculum.notes:
        if bullet.objective not in known:
            said = f"the bullet {bullet.id} names the objective {bullet.objective}, which is none."
            raise BuildError(Problem(path, None, said))
    return curriculum


def coverage(home: Path, lessons: Sequence[Lesson]) -> Coverage:
    """Where each objective is shown, practised and asked in these lessons.

    Raises BuildError where the curriculum, a lesson or the questions cannot be read.
    """
    curriculum = read(home)
    places = {objective.id: Places() for objective in curriculum.objectives}
    problems: list[Problem] = []
    for kind, objective, path, line, name in _teaching(home, lessons):
        if objective not in places:
            said = f"{name} names the objective {objective!r}, which is not in {FILE.as_posix()}."
            problems.append(Problem(path, line, said))
            continue
        where = f"{path.relative_to(home).as_posix()}:{line}"
        getattr(places[objective], kind).append(name if kind != "shown" else where)
    return Coverage(curriculum, places, problems)


def gaps(found: Coverage, lessons: Sequence[Lesson]) -> list[Problem]:
    """What the lessons that exist do not keep: a bullet of the study notes lacks one of the three,
    or an objective beyond them is neither shown nor asked."""
    path = lessons[0].home / FILE
    numbers = {lesson.number for lesson in lessons}
    in_notes = {bullet.objective for bullet in found.curriculum.notes}
    problems = []
    for objective in found.curriculum.objectives:
        missing = found.places[objective.id].missing
        if objective.id not in in_notes:
            missing = tuple(kind for kind in missing if kind != "practised")
        if missing and objective.number in numbers:
            problems.append(Problem(path, None, f"{objective.id} is not {' or '.join(missing)}."))
    return problems


def page(found: Coverage) -> str:
    """The coverage as a page in Markdown."""
    lines = [
        "<!-- Made by `make coverage` from lessons/. -->",
        "",
        "# Where everything is taught",
        "",
        "Every bullet of the study notes that the course grew from is shown by a running cell,",
        "practised in a task of a lab, and asked in a question.",
        "",
        "| The study notes say | Shown | Practised | Asked |",
        "|---|---|---|---|",
    ]
    lines += [_row(bullet.says, found.of(bullet)) for bullet in found.curriculum.notes]
    in_notes = {bullet.objective for bullet in found.curriculum.notes}
    lines += [
        "",
        "## Beyond the notes",
        "",
        "| Objective | Shown | Practised | Asked |",
        "|---|---|---|---|",
    ]
    lines += [
        _row(f"`{objective.id}` {objective.says}", found.places[objective.id])
        for objective in found.curriculum.objectives
        if objective.id not in in_notes
    ]
    return "\n".join(lines) + "\n"


def _row(says: str, places: Places) -> str:
    shown = ", ".join(
        f"[{Path(place).parent.name}](../notebooks/{Path(place).parent.name}.ipynb)"
        for place in dict.fromkeys(place.partition(":")[0] for place in places.shown)
    )
    practised = ", ".join(f"`{name}`" for name in places.practised)
    asked = str(len(places.asked)) if places.asked else ""
    cells = (says.replace("|", "\\|"), shown, practised, asked)
    return "| " + " | ".join(cell or "not yet" for cell in cells) + " |"


def _teaching(home: Path, lessons: Sequence[Lesson]) -> Iterator[tuple[str, str, Path, int, str]]:
    """(kind, objective, file, line, name) for each place that says what it teaches."""
    for lesson in lessons:
        for cell in read_cells(lesson.lesson_source):
            for objective in cell.shows:
                yield "shown", objective, lesson.lesson_source, cell.line, "a cell"
        if lesson.has_lab:
            for name, task in declared(lesson.checks).items():
                for objective in task.practises:
                    place = f"{lesson.number} {name}"
                    yield "practised", objective, lesson.checks, task.line, place
    try:
        questions = bank(home)
    except BankError as error:
        first = error.problems[0]
        raise BuildError(Problem(home / FILE, None, f"the questions: {first}")) from error
    folders = {lesson.name: lesson for lesson in lessons}
    for question in questions:
        if question.lesson in folders:
            line = int(question.where.rpartition(":")[2])
            path = folders[question.lesson].questions
            yield "asked", question.objective, path, line, question.id
