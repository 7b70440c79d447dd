"""What an exam came to: right and wrong by domain, and the scaled score as we estimate it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kmscourse.exam.answers import Answer, History
from kmscourse.exam.papers import domain_of
from kmscourse.exam.questions import Question
from kmscourse.exam.sittings import Sitting
from kmscourse.facts import exams

LOWEST, HIGHEST = 100, 1000
"""Of the scaled score (fact EXM-01)."""

GO_BACK = 0.75
"""A lesson of whose questions fewer are right is one to go back to. Our choice, not AWS's."""


@dataclass(frozen=True)
class Tally:
    """How many of the questions asked were right; unanswered ones are among the asked."""

    name: str
    right: int
    asked: int

    @property
    def share(self) -> float:
        return self.right / self.asked if self.asked else 0.0

    def __str__(self) -> str:
        return f"{self.name}: {self.right} of {self.asked} right"


@dataclass(frozen=True)
class Score:
    """The result of a finished mock exam.

    Attributes:
        total: all questions together.
        unanswered: how many had no answer, and count as wrong (fact EXM-03).
        domains, lessons: the same questions, by the guide's domains and by the course's lessons.
        gone: how many were asked that the bank no longer has; they count as nothing.
    """

    sitting: Sitting
    total: Tally
    unanswered: int
    domains: tuple[Tally, ...]
    lessons: tuple[Tally, ...]
    gone: int = 0

    @property
    def estimate(self) -> int:
        """The scaled score, as our estimate: AWS does not publish how it scales; this is a line."""
        return round(LOWEST + (HIGHEST - LOWEST) * self.total.share)

    @property
    def needed(self) -> int | None:
        """The passing score of the exam's guide."""
        return exams.get(self.sitting.paper.exam).passing_score if self.sitting.paper.exam else None

    @property
    def go_back(self) -> tuple[Tally, ...]:
        """The lessons to go back to, the weakest first."""
        return weak(self.lessons)

    def text(self) -> str:
        """The result in words, a line each."""
        paper = self.sitting.paper
        lines = [f"{paper.title}: {self.total.right} of {self.total.asked} right."]
        if self.unanswered:
            were = "was" if self.unanswered == 1 else "were"
            lines.append(f"{self.unanswered} {were} not answered, which counts as wrong.")
        if self.gone:
            lines.append(f"{self.gone} of its questions are no longer asked, and do not count.")
        if self.needed is not None:
            verdict = "reaches" if self.estimate >= self.needed else "does not reach"
            lines.append(
                f"Scaled score, our estimate: {self.estimate} of {HIGHEST:,}, which {verdict} the "
                f"{self.needed} that {paper.exam} asks for. AWS does not publish how it scales."
            )
        if len(self.domains) > 1:
            lines += ["", "By domain of the guide:", *(f"- {each}" for each in self.domains)]
        lines += ["", "By lesson:", *(f"- {each}" for each in self.lessons)]
        if self.go_back:
            lines += ["", f"Go back to: {', '.join(each.name for each in self.go_back)}."]
        return "\n".join(lines)


def is_right(question: Question, texts: Sequence[str]) -> bool:
    """Whether exactly the right options are chosen, by their texts."""
    return set(texts) == {option.text for option in question.right}


def score(sitting: Sitting, bank: Mapping[str, Question]) -> Score:
    """What a mock exam came to. `bank` is question id to question."""
    asked = [bank[each] for each in sitting.paper.questions if each in bank]
    right = {q.id for q in asked if is_right(q, sitting.chosen.get(q.id, ()))}
    code = sitting.paper.exam
    by_domain = [(domain_of(question, code), question) for question in asked] if code else []
    domains = {
        f"{domain.number} {domain.name}": [q for d, q in by_domain if d == domain]
        for domain in sorted({d for d, _ in by_domain if d is not None}, key=lambda d: d.number)
    }
    lessons: dict[str, list[Question]] = {}
    for question in sorted(asked, key=lambda each: each.lesson):
        lessons.setdefault(question.lesson, []).append(question)

    def tally(name: str, questions: Iterable[Question]) -> Tally:
        ids = [question.id for question in questions]
        return Tally(name, len(right & set(ids)), len(ids))

    return Score(
        sitting=sitting,
        total=tally("all", asked),
        unanswered=sum(not sitting.chosen.get(question.id) for question in asked),
        domains=tuple(tally(name, many) for name, many in domains.items()),
        lessons=tuple(tally(name, many) for name, many in lessons.items()),
        gone=len(sitting.paper.questions) - len(asked),
    )


def weak(tallies: Iterable[Tally]) -> tuple[Tally, ...]:
    """Those below `GO_BACK`, the weakest first."""
    below = [each for each in tallies if each.asked and each.share < GO_BACK]
    return tuple(sorted(below, key=lambda each: (each.share, each.name)))


def history(
    answers: History, sittings: Iterable[Sitting], bank: Mapping[str, Question]
) -> dict[str, tuple[Answer, ...]]:
    """Everything that was ever answered: one by one, and in mock exams that were handed in.

    What was left unanswered in an exam is an answer without choices, and wrong.
    """
    found: dict[str, list[Answer]] = {name: list(each) for name, each in answers.items()}
    for sitting in sittings:
        if sitting.paper.mode != "mock" or sitting.finished is None:
            continue
        for name in sitting.paper.questions:
            if name in bank:
                texts = sitting.chosen.get(name, ())
                right = is_right(bank[name], texts)
                found.setdefault(name, []).append(Answer(name, texts, right, sitting.finished))
    return {name: tuple(sorted(each, key=lambda answer: answer.at)) for name, each in found.items()}
