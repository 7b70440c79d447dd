"""A learner's answers, kept in `my-work/answers.json`.

Written whole or not at all (a new file replaces the old one), and one writer at a time (a lock), so
that neither a crash nor two notebooks lose an answer. A file that cannot be read is set aside under
another name, never overwritten and never an error for the learner.
"""

from __future__ import annotations

import datetime
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmscourse import course

FILE = "answers.json"
VERSION = 1
LOCK_SECONDS = 10

Clock = Callable[[], datetime.datetime]


@dataclass(frozen=True)
class Answer:
    """One answer: the texts of the options chosen, whether it was right, and when (UTC)."""

    question: str
    chosen: tuple[str, ...]
    right: bool
    at: datetime.datetime


class Answers:
    """The answers in one file. Reading takes no lock, since the file is only ever replaced.

    `set_aside` is where a file that could not be read was put, if that happened.
    """

    def __init__(self, path: Path | None = None, now: Clock | None = None) -> None:
        self.path = path or course.work_folder() / FILE
        self._now = now or (lambda: datetime.datetime.now(datetime.UTC))
        self.set_aside: Path | None = None

    def last(self, question: str) -> Answer | None:
        """The latest answer to a question, or None."""
        history = self.history(question)
        return history[-1] if history else None

    def history(self, question: str) -> tuple[Answer, ...]:
        """All answers to a question, the oldest first."""
        return self._read().get(question, ())

    def everything(self) -> dict[str, tuple[Answer, ...]]:
        """All answers: question id to its answers, the oldest first."""
        return self._read()

    def add(self, question: str, chosen: tuple[str, ...], right: bool) -> Answer:
        """Keep an answer. When this returns, it is on the disk.

        Raises OSError where it cannot be written, or another notebook holds the file too long.
        """
        answer = Answer(question, chosen, right, self._now().replace(microsecond=0))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            known = self._read(mend=True)
            known[question] = (*known.get(question, ()), answer)
            self._write(known)
        return answer

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # Imported here, since a browser edition has no locks, and reading needs none.
        from filelock import FileLock, Timeout

        lock = FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=LOCK_SECONDS)
        try:
            with lock:
                yield
        except Timeout as error:
            raise OSError(
                f"another notebook has been writing {self.path.name} for {LOCK_SECONDS} seconds"
            ) from error

    def _read(self, *, mend: bool = False) -> dict[str, tuple[Answer, ...]]:
        """What is in the file. What cannot be read counts as nothing; `mend` also sets it aside."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError:
            if mend:  # it may hold answers, so it must not be replaced
                raise
            return {}
        try:
            return _parsed(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            if mend:
                self._put_aside()
            return {}

    def _put_aside(self) -> None:
        stamp = self._now().strftime("%Y-%m-%d-%H%M%S")
        place = self.path.with_name(f"{self.path.stem}-unreadable-{stamp}{self.path.suffix}")
        number = 2
        while place.exists():
            place = self.path.with_name(
                f"{self.path.stem}-unreadable-{stamp}-{number}{self.path.suffix}"
            )
            number += 1
        os.replace(self.path, place)
        self.set_aside = place

    def _write(self, answers: dict[str, tuple[Answer, ...]]) -> None:
        entries = {
            question: [
                {"at": each.at.isoformat(), "right": each.right, "chosen": list(each.chosen)}
                for each in history
            ]
            for question, history in sorted(answers.items())
        }
        text = json.dumps({"version": VERSION, "answers": entries}, indent=1, ensure_ascii=False)
        handle, name = tempfile.mkstemp(
            dir=self.path.parent, prefix=f".{self.path.name}-", suffix=".new"
        )
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


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
