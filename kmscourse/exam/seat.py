"""A seat in a mock exam, at a widget or a terminal: choices kept, time counted, handed in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kmscourse.exam.papers import Paper
from kmscourse.exam.questions import Question
from kmscourse.exam.scores import Score, score
from kmscourse.exam.sittings import ClosedError, Sitting, Sittings


@dataclass(frozen=True)
class Standing:
    """How an exam stands, as it is on the disk.

    Attributes:
        begun, over: whether it was begun; whether it is handed in or its time is up.
        chosen: question id to positions among the options as they are presented, from 0.
        flags: the questions marked for another look.
        left: seconds that are left, None where there is no limit.
    """

    begun: bool
    over: bool
    chosen: Mapping[str, tuple[int, ...]]
    flags: frozenset[str]
    left: float | None


class Seat:
    """One paper at one desk. It is written to the disk from `begin` on.

    The clock runs while the exam is open, and stands while it is closed (in the exam room it never
    does). Where nothing is heard for longer than `patience` seconds, it counts as closed.

    Args:
        paper: a new paper, or a sitting to go on with.
        questions: the bank; what it no longer has is not asked.

    Raises:
        ValueError: the bank has none of the questions.
    """

    def __init__(
        self,
        paper: Paper | Sitting,
        sittings: Sittings,
        questions: Sequence[Question],
        *,
        patience: float = 90.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sitting = paper if isinstance(paper, Sitting) else None
        self.paper = paper.paper if isinstance(paper, Sitting) else paper
        self._sittings = sittings
        self._bank = {question.id: question for question in questions}
        self.questions = tuple(
            self._bank[each] for each in self.paper.questions if each in self._bank
        )
        if not self.questions:
            raise ValueError("None of this exam's questions is in the bank any more.")
        self._patience, self._monotonic = patience, monotonic
        self._heard: float | None = None
        self._spent = 0.0

    def standing(self) -> Standing:
        """As it is on the disk now, with the time that has gone by since."""
        sitting = self._reread()
        if sitting is None:
            minutes = self.paper.minutes
            left = None if minutes is None else minutes * 60.0
            return Standing(False, False, {}, frozenset(), left)
        left = sitting.seconds_left
        if left is not None and sitting.finished is None:
            left = min(left, max(0.0, (self.paper.minutes or 0) * 60 - self._spent))
        chosen = {
            question.id: positions
            for question in self.questions
            if (positions := _positions(question, sitting.chosen.get(question.id, ())))
        }
        return Standing(True, sitting.over, chosen, sitting.flags, left)

    def begin(self) -> Standing:
        """Begin, or go on after a break: the clock runs. Raises OSError."""
        if self._sitting is None:
            self._sitting = self._sittings.begin(self.paper)
        self._spent = self._sitting.spent
        self._heard = self._monotonic()
        return self.standing()

    def choose(self, question_id: str, positions: Sequence[int]) -> Standing:
        """Keep a choice; none takes an earlier one back. When this returns, it is on the disk.

        Once the time is up nothing is changed: the exam is handed in as it was.

        Raises OSError where it cannot be kept, ValueError for what cannot be chosen.
        """
        question = self._bank[question_id]
        texts = tuple(question.presented[position].text for position in positions)
        return self._do(
            lambda sitting_id, spent: self._sittings.choose(
                sitting_id, question_id, texts, spent=spent
            )
        )

    def flag(self, question_id: str, flagged: bool) -> Standing:
        """Mark a question for another look, or not. Raises OSError."""
        return self._do(
            lambda sitting_id, spent: self._sittings.flag(
                sitting_id, question_id, flagged, spent=spent
            )
        )

    def tick(self) -> Standing:
        """Say that the exam is still open. Raises OSError."""
        return self._do(self._sittings.tick)

    def finish(self) -> Standing:
        """Hand it in. Raises OSError."""
        self._sitting = self._sittings.finish(self._begun().id, spent=self._listen())
        return self.standing()

    def score(self) -> Score:
        """What it came to, once it is handed in. Raises ClosedError before."""
        sitting = self._reread()
        if sitting is None or sitting.finished is None:
            raise ClosedError("This exam is not handed in yet.")
        return score(sitting, self._bank)

    def _do(self, change: Callable[[str, float], Sitting]) -> Standing:
        try:
            self._sitting = change(self._begun().id, self._listen())
        except ClosedError:
            return self.finish()
        if self._sitting.over:
            return self.finish()
        return self.standing()

    def _begun(self) -> Sitting:
        if self._sitting is None:
            raise ValueError("This exam has not begun.")
        return self._sitting

    def _reread(self) -> Sitting | None:
        if self._sitting is not None:
            self._sitting = self._sittings.get(self._sitting.id) or self._sitting
        return self._sitting

    def _listen(self) -> float:
        """Seconds spent in all; silence that was too long does not count."""
        now = self._monotonic()
        if self._heard is not None:
            self._spent += min(now - self._heard, self._patience)
        self._heard = now
        return self._spent


def _positions(question: Question, texts: Sequence[str]) -> tuple[int, ...]:
    """What was chosen, as positions; nothing where an option has been reworded since."""
    presented = [option.text for option in question.presented]
    if not all(text in presented for text in texts):
        return ()
    positions = tuple(sorted(presented.index(text) for text in texts))
    return positions if question.kind == "multiple" else positions[:1]
