"""AWS's exam guides: minutes, passing score, domains by weight, and the tasks about encryption.

>>> from kmscourse.facts import exams
>>> exams.get("SAA-C03").minutes
130
>>> exams.get("SCS-C03").domain("5.3").name
'Data Protection'
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from kmscourse.facts.model import Confidence, FactError


@dataclass(frozen=True, slots=True)
class Domain:
    """A part of an exam and its share of the scored questions, in percent."""

    number: int
    name: str
    weight: int


@dataclass(frozen=True, slots=True)
class Task:
    """A task statement of a guide; `about` is what of it concerns encryption, in our words."""

    id: str
    name: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Exam:
    """What the guide says, as of `as_of`. `note` says what of it is not sourced."""

    code: str
    name: str
    current: bool
    status: str
    url: str | None
    as_of: str
    confidence: Confidence
    scored: int
    unscored: int
    minutes: int
    passing_score: int
    formats: tuple[str, ...]
    domains: tuple[Domain, ...]
    tasks: tuple[Task, ...]
    note: str | None = None

    @property
    def questions(self) -> int:
        """How many questions are asked: the scored and the unscored ones."""
        return self.scored + self.unscored

    def task(self, task_id: str) -> Task:
        """The task statement `1.3` of this guide. Raises FactError if the register has none."""
        for task in self.tasks:
            if task.id == task_id:
                return task
        known = ", ".join(task.id for task in self.tasks)
        raise FactError(
            f"{self.code} has no task {task_id!r} here. Tasks about encryption: {known}."
        )

    def domain(self, task_id: str) -> Domain:
        """The domain of a task: `5.3` stands in domain 5. Raises FactError for an unknown task."""
        number = int(self.task(task_id).id.partition(".")[0])
        return next(domain for domain in self.domains if domain.number == number)


@cache
def _file() -> dict[str, Any]:
    text = (files("kmscourse.facts") / "data" / "exams.yaml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


@cache
def everything() -> tuple[Exam, ...]:
    """All exams of the register, retired ones too."""
    return tuple(_exam(dict(entry)) for entry in _file()["exams"])


def current() -> tuple[Exam, ...]:
    """The exams that can be taken."""
    return tuple(exam for exam in everything() if exam.current)


def get(code: str) -> Exam:
    """The exam with this code, such as `SAA-C03`. Raises FactError if there is none."""
    for exam in everything():
        if exam.code == code:
            return exam
    known = ", ".join(exam.code for exam in everything())
    raise FactError(f"There is no exam {code!r}. There is: {known}.")


def _exam(entry: dict[str, Any]) -> Exam:
    counts = entry.pop("questions")
    return Exam(
        scored=counts["scored"],
        unscored=counts["unscored"],
        formats=tuple(entry.pop("formats")),
        domains=tuple(Domain(**domain) for domain in entry.pop("domains")),
        tasks=tuple(Task(**task) for task in entry.pop("tasks")),
        **entry,
    )
