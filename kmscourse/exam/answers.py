"""A learner's answers, kept in `my-work/answers.json`, where neither a crash nor two notebooks lose
one; see `kmscourse.exam.kept`."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmscourse import course
from kmscourse.exam.kept import Clock, Kept, utc_now

FILE = "answers.json"
VERSION = 1


@dataclass(frozen=True)
class Answer:
    """One answer: the texts of the options chosen, whether it was right, and when (UTC)."""

    question: str
    chosen: tuple[str, ...]
    right: bool
    at: datetime.datetime


History = Mapping[str, tuple[Answer, ...]]
"""Question id to its answers, the oldest first."""


class Answers:
    """The answers in one file.

    `set_aside` is where a file that could not be read was put, if that happened.
    """

    def __init__(self, path: Path | None = None, now: Clock | None = None) -> None:
        self._now = now or utc_now
        self._kept: Kept[dict[str, tuple[Answer, ...]]] = Kept(
            path or course.work_folder() / FILE, _parsed, _dumped, dict, self._now
        )

    @property
    def path(self) -> Path:
        return self._kept.path

    @property
    def set_aside(self) -> Path | None:
        return self._kept.set_aside

    def last(self, question: str) -> Answer | None:
        """The latest answer to a question, or None."""
        history = self.history(question)
        return history[-1] if history else None

    def history(self, question: str) -> tuple[Answer, ...]:
        """All answers to a question, the oldest first."""
        return self._kept.read().get(question, ())

    def everything(self) -> dict[str, tuple[Answer, ...]]:
        """All answers: question id to its answers, the oldest first."""
        return self._kept.read()

    def add(self, question: str, chosen: tuple[str, ...], right: bool) -> Answer:
        """Keep an answer. When this returns, it is on the disk.

        Raises OSError where it cannot be written, or another notebook holds the file too long.
        """
        answer = Answer(question, chosen, right, self._now().replace(microsecond=0))

        def added(known: dict[str, tuple[Answer, ...]]) -> dict[str, tuple[Answer, ...]]:
            return {**known, question: (*known.get(question, ()), answer)}

        self._kept.change(added)
        return answer

    def merge(self, more: Iterable[Answer]) -> int:
        """Keep answers from elsewhere, each in its place in time; none twice.

        Returns how many were new. Raises OSError, as `add` does.
        """
        new = 0

        def merged(known: dict[str, tuple[Answer, ...]]) -> dict[str, tuple[Answer, ...]]:
            nonlocal new
            for answer in more:
                before = known.get(answer.question, ())
                if answer not in before:
                    new += 1
                    known[answer.question] = (*before, answer)
            return {name: tuple(sorted(each, key=lambda a: a.at)) for name, each in known.items()}

        self._kept.change(merged)
        return new


def _parsed(data: Any) -> dict[str, tuple[Answer, ...]]:
    if data["version"] != VERSION:
        raise ValueError(f"version {data['version']} is not known")
    return {
        str(question): tuple(
            Answer(
                str(question),
                tuple(str(text) for text in entry["chosen"]),
                bool(entry["right"]),
                datetime.datetime.fromisoformat(entry["at"]),
            )
            for entry in history
        )
        for question, history in data["answers"].items()
    }


def _dumped(answers: dict[str, tuple[Answer, ...]]) -> dict[str, Any]:
    entries = {
        question: [
            {"at": each.at.isoformat(), "right": each.right, "chosen": list(each.chosen)}
            for each in history
        ]
        for question, history in sorted(answers.items())
    }
    return {"version": VERSION, "answers": entries}
