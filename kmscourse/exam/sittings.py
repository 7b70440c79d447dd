"""Practice and mock exams that were begun, each kept in a file of its own in `my-work/exams/`.

A choice counts as kept when the call that keeps it returns: then it is on the disk. Two tabs may
write in turn; each changes only what it means to change.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from kmscourse import course
from kmscourse.exam.kept import Clock, Kept, utc_now
from kmscourse.exam.papers import Paper

FOLDER = "exams"
VERSION = 1


class ClosedError(ValueError):
    """The exam is over: its answers cannot be changed any more."""


@dataclass(frozen=True)
class Sitting:
    """A paper that was begun.

    Attributes:
        id: the name of its file.
        begun, finished: when (UTC); `finished` is None while it goes on.
        chosen: question id to the texts of the options chosen. Of a mock exam only: in practice
            each answer is final, and stands in `answers.json`.
        flags: the questions marked for another look.
        spent: seconds that it was open, as far as is known.
    """

    id: str
    paper: Paper
    begun: datetime.datetime
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    spent: float = 0.0
    finished: datetime.datetime | None = None

    @property
    def seconds_left(self) -> float | None:
        """Of the paper's minutes; None where it has none."""
        if self.paper.minutes is None:
            return None
        return max(0.0, self.paper.minutes * 60 - self.spent)

    @property
    def over(self) -> bool:
        return self.finished is not None or self.seconds_left == 0


class Sittings:
    """All that were begun, in one folder."""

    def __init__(self, folder: Path | None = None, now: Clock = utc_now) -> None:
        self.folder = folder or course.work_folder() / FOLDER
        self.now = now

    def all(self) -> tuple[Sitting, ...]:
        """All that can be read, the oldest first."""
        found = [self._kept(path.stem).read() for path in sorted(self.folder.glob("[!.]*.json"))]
        return tuple(sorted((s for s in found if s is not None), key=lambda s: (s.begun, s.id)))

    def get(self, sitting_id: str) -> Sitting | None:
        """As it is on the disk now, or None."""
        return self._kept(sitting_id).read()

    def open(self, mode: str | None = None) -> Sitting | None:
        """The one that was begun last and is not finished; of one mode, if said."""
        going = [
            each for each in self.all() if each.finished is None and mode in (None, each.paper.mode)
        ]
        return going[-1] if going else None

    def begin(self, paper: Paper) -> Sitting:
        """Begin a paper. Raises OSError where it cannot be written."""
        begun = self.now()
        stem = f"{begun:%Y-%m-%d-%H%M%S}-{paper.mode}" + (f"-{paper.exam}" if paper.exam else "")
        number, name = 1, stem
        while (self.folder / f"{name}.json").exists():
            number += 1
            name = f"{stem}-{number}"
        sitting = Sitting(name, paper, begun)
        self.keep(sitting)
        return sitting

    def keep(self, sitting: Sitting) -> None:
        """Write it as it is, over what is there. Raises OSError."""
        self._kept(sitting.id).change(lambda _: sitting)

    def choose(
        self, sitting_id: str, question: str, texts: Sequence[str], *, spent: float = 0.0
    ) -> Sitting:
        """Keep what is chosen for a question; nothing (`()`) takes an earlier choice back.

        Raises ClosedError when the exam is over, OSError where it cannot be written.
        """

        def chosen(sitting: Sitting) -> Sitting:
            if question not in sitting.paper.questions:
                raise ValueError(f"{question!r} is not asked in this exam.")
            others = {k: v for k, v in sitting.chosen.items() if k != question}
            return replace(sitting, chosen={**others, question: tuple(texts)} if texts else others)

        return self._going(sitting_id, chosen, spent)

    def flag(self, sitting_id: str, question: str, flagged: bool, *, spent: float = 0.0) -> Sitting:
        """Mark a question for another look, or take the mark away. Raises as `choose` does."""

        def marked(sitting: Sitting) -> Sitting:
            flags = sitting.flags | {question} if flagged else sitting.flags - {question}
            return replace(sitting, flags=flags)

        return self._going(sitting_id, marked, spent)

    def tick(self, sitting_id: str, spent: float) -> Sitting:
        """Keep how long it has been open. Raises as `choose` does."""
        return self._going(sitting_id, lambda sitting: sitting, spent)

    def finish(self, sitting_id: str, *, spent: float = 0.0) -> Sitting:
        """Hand it in. Doing so again changes nothing. Raises OSError."""

        def finished(sitting: Sitting) -> Sitting:
            if sitting.finished is not None:
                return sitting
            return replace(_later(sitting, spent), finished=self.now())

        return self._change(sitting_id, finished)

    def _going(
        self, sitting_id: str, change: Callable[[Sitting], Sitting], spent: float
    ) -> Sitting:
        def changed(sitting: Sitting) -> Sitting:
            later = _later(sitting, spent)
            if later.finished is not None:
                raise ClosedError("This exam was handed in; its answers stay as they are.")
            if later.over:
                raise ClosedError("The time is up; the answers stay as they are.")
            return change(later)

        return self._change(sitting_id, changed)

    def _change(self, sitting_id: str, change: Callable[[Sitting], Sitting]) -> Sitting:
        def changed(sitting: Sitting | None) -> Sitting:
            if sitting is None:
                raise ClosedError("The file of this exam is not there any more.")
            return change(sitting)

        after = self._kept(sitting_id).change(changed)
        assert after is not None
        return after

    def _kept(self, sitting_id: str) -> Kept[Sitting | None]:
        if not re.fullmatch(r"[\w.-]+", sitting_id) or sitting_id.startswith("."):
            raise ValueError(f"{sitting_id!r} is not the name of an exam.")
        return Kept(
            self.folder / f"{sitting_id}.json",
            lambda data: parsed(sitting_id, data),
            dumped,
            lambda: None,
            self.now,
        )


def _later(sitting: Sitting, spent: float) -> Sitting:
    """Time only goes forward, also where two tabs have counted differently."""
    most = sitting.paper.minutes * 60.0 if sitting.paper.minutes is not None else spent
    return replace(sitting, spent=max(sitting.spent, min(spent, most)))


def parsed(sitting_id: str, data: Any) -> Sitting:
    """A sitting from its JSON. Raises ValueError, KeyError, TypeError or AttributeError."""
    if data["version"] != VERSION:
        raise ValueError(f"version {data['version']} is not known")
    paper = data["paper"]
    if paper["mode"] not in ("practice", "mock"):
        raise ValueError(f"unknown mode {paper['mode']!r}")
    minutes, finished = paper["minutes"], data["finished"]
    return Sitting(
        id=sitting_id,
        paper=Paper(
            title=str(paper["title"]),
            mode=paper["mode"],
            questions=tuple(str(each) for each in paper["questions"]),
            exam=str(paper["exam"]),
            minutes=None if minutes is None else int(minutes),
            seed=str(paper["seed"]),
            note=str(paper["note"]),
        ),
        begun=datetime.datetime.fromisoformat(data["begun"]),
        chosen={str(k): tuple(str(text) for text in v) for k, v in data["chosen"].items()},
        flags=frozenset(str(each) for each in data["flags"]),
        spent=float(data["spent"]),
        finished=None if finished is None else datetime.datetime.fromisoformat(finished),
    )


def dumped(sitting: Sitting | None) -> dict[str, Any]:
    """The way back."""
    assert sitting is not None
    return {
        "version": VERSION,
        "paper": asdict(sitting.paper),
        "begun": sitting.begun.isoformat(),
        "finished": sitting.finished.isoformat() if sitting.finished else None,
        "spent": round(sitting.spent, 1),
        "chosen": {question: list(texts) for question, texts in sitting.chosen.items()},
        "flags": sorted(sitting.flags),
    }
