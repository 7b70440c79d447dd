"""The bank and a learner's way through it: where a notebook and a terminal both sit."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from kmscourse import course
from kmscourse.exam import papers
from kmscourse.exam.answers import Answer, Answers
from kmscourse.exam.papers import Paper, PracticeError
from kmscourse.exam.questions import Question, bank
from kmscourse.exam.repetition import weakest_first
from kmscourse.exam.reports import Report
from kmscourse.exam.scores import history, is_right
from kmscourse.exam.seat import Seat
from kmscourse.exam.sittings import Sitting, Sittings


class Desk:
    """The bank and what a learner did with it, on the disk of this course.

    The notebook and the terminal both sit here.
    """

    def __init__(
        self,
        questions: Sequence[Question] | None = None,
        answers: Answers | None = None,
        sittings: Sittings | None = None,
    ) -> None:
        self.questions = tuple(bank() if questions is None else questions)
        self.by_id = {question.id: question for question in self.questions}
        self.answers = answers or Answers()
        self.sittings = sittings or Sittings()

    def history(self) -> dict[str, tuple[Answer, ...]]:
        """Everything that was ever answered, here, in lessons and in mock exams."""
        return history(self.answers.everything(), self.sittings.all(), self.by_id)

    def report(self) -> Report:
        """How far the learner is."""
        return Report(self.questions, self.history(), self.sittings.all(), now=self.sittings.now())

    def practice_paper(
        self,
        *,
        exam: str | None = None,
        domain: str | None = None,
        lesson: str | None = None,
        weakness: bool = False,
        count: int | None = 10,
        seed: str | None = None,
    ) -> Paper:
        """A paper for practice. Raises PracticeError, or LessonNotFoundError with a suggestion."""
        name = course.lesson(lesson).name if lesson is not None else None
        fitting = papers.pool(self.questions, exam=exam, domain=domain, lesson=name)
        code = papers.exam_guide(exam).code if exam else ""
        said = [code, f"domain {domain}" if domain else "", name or ""]
        said += ["weakest first" if weakness else ""]
        title = ": ".join(["Practice", *filter(None, [", ".join(filter(None, said))])])
        if not weakness:
            return papers.practice(fitting, count, seed=seed or _a_seed(), title=title)
        if seed is not None:
            raise PracticeError("Weakness is your own: a seed makes the same paper for everyone.")
        most = papers.practice(fitting, count, seed="")  # checks the count
        ordered = weakest_first(fitting, self.history(), self.sittings.now())
        ids = tuple(question.id for question in ordered[: len(most.questions)])
        return Paper(title, "practice", ids, note=most.note)

    def mock_paper(
        self, exam: str, count: int | None = None, *, timed: bool = True, seed: str | None = None
    ) -> Paper:
        """A paper for a mock exam. Raises PracticeError."""
        return papers.mock(self.questions, exam, count, seed=seed or _a_seed(), timed=timed)

    def going(self, like: Paper, seeded: bool) -> Sitting | None:
        """What was begun with the same wishes and is not finished, the latest; or None."""
        for sitting in reversed(self.sittings.all()):
            paper = sitting.paper
            same = (paper.title, paper.mode, len(paper.questions), paper.minutes is None)
            if (
                sitting.finished is None
                and same == (like.title, like.mode, len(like.questions), like.minutes is None)
                and (paper.seed == like.seed or not seeded)
            ):
                return sitting
        return None

    def seat(self, paper: Paper | Sitting, **options: Any) -> Seat:
        """A seat for a mock exam, new or gone on with."""
        return Seat(paper, self.sittings, self.questions, **options)

    def last_mock(self) -> Sitting | None:
        """The mock exam that was handed in last."""
        done = [s for s in self.sittings.all() if s.paper.mode == "mock" and s.finished]
        return max(done, key=lambda s: (s.finished or s.begun, s.id), default=None)


class Drill:
    """A practice paper that is being worked through: each answer is kept and final at once."""

    def __init__(self, desk: Desk, paper: Paper | Sitting) -> None:
        self._desk = desk
        self.sitting = paper if isinstance(paper, Sitting) else None
        self.paper = paper.paper if isinstance(paper, Sitting) else paper
        self.questions = tuple(
            desk.by_id[each] for each in self.paper.questions if each in desk.by_id
        )
        if not self.questions:
            raise PracticeError("None of these questions is in the bank any more.")

    def answered(self) -> set[str]:
        """The questions that were answered since it began."""
        if self.sitting is None:
            return set()
        known = self._desk.answers.everything()
        begun = self.sitting.begun
        return {q.id for q in self.questions if any(a.at >= begun for a in known.get(q.id, ()))}

    def keep(self, question_id: str, positions: Sequence[int]) -> bool:
        """Keep an answer, and say whether it is right. Raises OSError where it cannot be kept."""
        if self.sitting is None:
            self.sitting = self._desk.sittings.begin(self.paper)
        question = self._desk.by_id[question_id]
        texts = tuple(question.presented[position].text for position in positions)
        right = is_right(question, texts)
        self._desk.answers.add(question_id, texts, right)
        if len(self.answered()) == len(self.questions):
            self._desk.sittings.finish(self.sitting.id)
        return right


def rules(paper: Paper, count: int) -> tuple[str, ...]:
    """What to know before a mock exam begins, a sentence each."""
    guide = papers.exam_guide(paper.exam)
    minutes = f"in {paper.minutes} minutes" if paper.minutes is not None else "without a clock"
    share = "" if count == guide.questions else " This is a shorter form with its share of both."
    return tuple(
        filter(
            None,
            [
                f"{count} question{'s' if count != 1 else ''} {minutes}.",
                f"The guide of {guide.code} has {guide.questions} questions in {guide.minutes} "
                f"minutes, about all its domains.{share}",
                "This course asks what the guide has about encryption and keys.",
                paper.note,
                "Reasons are shown once you hand in. What is not answered counts as wrong.",
                "Every choice is kept at once: you may close this and go on later.",
                f"Seed {paper.seed}, paper {paper.mark}." if paper.seed else "",
            ],
        )
    )


def about(paper: Paper) -> str:
    """What differs from what was asked for, and how others get the same paper."""
    seed = f"Seed {paper.seed}, paper {paper.mark}." if paper.seed else ""
    return " ".join(filter(None, [paper.note, seed]))


def _a_seed() -> str:
    return secrets.token_hex(3)
