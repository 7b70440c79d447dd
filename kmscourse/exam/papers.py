"""Which questions are asked: for practice, or as a mock exam by an exam guide's weights.

What is chosen by chance is chosen by a seed, so that thirty people can have the same paper: the
same seed and the same bank give the same questions in the same order.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from kmscourse import course
from kmscourse.exam.questions import Question
from kmscourse.facts import FactError, exams

Mode = Literal["practice", "mock"]

DOMAIN_ONLY = "Domains belong to an exam: name the exam, too, such as SAA-C03."


class PracticeError(course.CourseError):
    """What was asked for cannot be given. The message says what can."""


@dataclass(frozen=True)
class Paper:
    """The questions of one practice or mock exam, in their order.

    Attributes:
        title: a heading: "Mock exam SAA-C03".
        mode: `practice` gives reasons at once, `mock` at the end.
        questions: ids.
        exam: the code of the exam guide, or empty.
        minutes: how long it may take; None for as long as one likes.
        seed: what it was chosen by; empty where nothing was left to chance.
        note: what differs from what was asked for, in a sentence; empty where nothing does.
    """

    title: str
    mode: Mode
    questions: tuple[str, ...]
    exam: str = ""
    minutes: int | None = None
    seed: str = ""
    note: str = ""

    @property
    def mark(self) -> str:
        """Six characters that are the same for all who have these questions in this order."""
        return hashlib.sha256("\n".join(self.questions).encode()).hexdigest()[:6]


def exam_guide(code: str) -> exams.Exam:
    """The guide of an exam that can be taken, by its code in any case: "saa-c03", or just "saa".

    Raises PracticeError, naming those there are.
    """
    asked = code.strip().upper()
    current = exams.current()
    found = [each for each in current if asked in (each.code, each.code.partition("-")[0])]
    if not found:
        known = ", ".join(each.code for each in current)
        raise PracticeError(f"There is no exam {code!r}. There is: {known}.")
    return found[0]


def pool(
    questions: Sequence[Question],
    *,
    exam: str | None = None,
    domain: str | None = None,
    lesson: str | None = None,
) -> tuple[Question, ...]:
    """The questions that fit: of an exam, of its domain ("5") or task ("5.2"), of a lesson.

    Raises PracticeError where a domain stands without an exam, or where none fit.
    """
    found = list(questions)
    said = []
    if exam is not None:
        guide = exam_guide(exam)
        found = [question for question in found if guide.code in question.exams]
        said.append(f"the exam {guide.code}")
        if domain is not None:
            _known(guide, domain)
            found = [
                question
                for question in found
                if any(_within(task, domain) for task in question.exams[guide.code])
            ]
            said.append(f"the domain {domain}")
    elif domain is not None:
        raise PracticeError(DOMAIN_ONLY)
    if lesson is not None:
        found = [question for question in found if question.lesson == lesson]
        said.append(f"the lesson {lesson}")
    if not found:
        raise PracticeError(f"There are no questions yet for {' and '.join(said) or 'practice'}.")
    return tuple(found)


def practice(
    questions: Sequence[Question], count: int | None, *, seed: str, title: str = "Practice"
) -> Paper:
    """`count` of the questions (None: all), by chance but spread over what they ask; easy first.

    Raises PracticeError for a count below one.
    """
    taken = _spread(questions, _count(count, len(questions)), seed)
    taken.sort(key=lambda question: question.difficulty)
    return Paper(title, "practice", _ids(taken), seed=seed, note=_fewer(count, len(taken)))


def mock(
    questions: Sequence[Question],
    exam: str,
    count: int | None = None,
    *,
    seed: str,
    timed: bool = True,
) -> Paper:
    """A mock exam by the guide: as many questions, or `count`, by the weights of its domains.

    The bank asks about encryption and keys, so only domains with task statements about these have
    questions: the weights are those of the guide, among these domains. A shorter form has its share
    of the minutes, and so has one for which the bank has too few questions.

    Raises PracticeError for an unknown exam, a count below one, or where there are no questions.
    """
    guide = exam_guide(exam)
    fitting = pool(questions, exam=guide.code)
    wanted = _count(count if count is not None else guide.questions, guide.questions)
    by_domain = {
        domain: [
            question
            for question in fitting
            if any(_within(task, str(domain.number)) for task in question.exams[guide.code])
        ]
        for domain in guide.domains
    }
    shares = _shares({d: d.weight for d, many in by_domain.items() if many}, wanted)
    taken: dict[str, Question] = {}
    # Domains with few questions first: a question that serves two goes where it is needed.
    for domain in sorted(shares, key=lambda each: len(by_domain[each])):
        left = [question for question in by_domain[domain] if question.id not in taken]
        taken.update((q.id, q) for q in _spread(left, min(shares[domain], len(left)), seed))
    if len(taken) < wanted:  # a domain had too few: the others make up for it
        left = [question for question in fitting if question.id not in taken]
        short = min(wanted - len(taken), len(left))
        taken.update((q.id, q) for q in _spread(left, short, seed))
    chosen = sorted(taken.values(), key=lambda question: _lot(seed, question))
    return Paper(
        title=f"Mock exam {guide.code}",
        mode="mock",
        questions=_ids(chosen),
        exam=guide.code,
        minutes=math.ceil(guide.minutes * len(chosen) / guide.questions) if timed else None,
        seed=seed,
        note=_fewer(wanted, len(chosen)),
    )


def domain_of(question: Question, code: str) -> exams.Domain | None:
    """The domain of an exam that a question counts for: that of the first task it names."""
    tasks = question.exams.get(code)
    try:
        return exams.get(code).domain(tasks[0]) if tasks else None
    except FactError:
        return None


def _known(guide: exams.Exam, domain: str) -> None:
    tasks = {task.id for task in guide.tasks}
    numbers = {str(each.number): each.name for each in guide.domains}
    if domain not in tasks and domain not in numbers:
        listed = "; ".join(f"{number} {name}" for number, name in numbers.items())
        raise PracticeError(f"{guide.code} has no domain {domain!r}. It has: {listed}.")


def _within(task: str, domain: str) -> bool:
    return task == domain or task.partition(".")[0] == domain


def _count(count: int | None, most: int) -> int:
    if count is not None and count < 1:
        raise PracticeError("Ask for at least one question.")
    return most if count is None else min(count, most)


def _fewer(wanted: int | None, there: int) -> str:
    if wanted is None or there >= wanted:
        return ""
    are = "question fits" if there == 1 else "questions fit"
    return f"{wanted} were asked for; {there} {are}, so these are taken."


def _shares(weights: dict[exams.Domain, int], count: int) -> dict[exams.Domain, int]:
    """`count` seats by weight, by the largest remainder."""
    total = sum(weights.values())
    exact = {domain: count * weight / total for domain, weight in weights.items()}
    seats = {domain: math.floor(share) for domain, share in exact.items()}
    rest = count - sum(seats.values())
    for domain in sorted(exact, key=lambda d: (seats[d] - exact[d], d.number))[:rest]:
        seats[domain] += 1
    return seats


def _spread(questions: Iterable[Question], count: int, seed: str) -> list[Question]:
    """`count` of the questions by lot, taking turns among what they ask."""
    turns: dict[str, int] = {}
    places = []
    for question in sorted(questions, key=lambda each: _lot(seed, each)):
        turn = turns.get(question.objective, 0)
        turns[question.objective] = turn + 1
        places.append((turn, _lot(seed, question), question))
    return [question for _, _, question in sorted(places, key=lambda place: place[:2])[:count]]


def _lot(seed: str, question: Question) -> bytes:
    """Chance that is the same for the same seed, whatever else is in the bank."""
    return hashlib.sha256(f"{seed}\n{question.id}".encode()).digest()


def _ids(questions: Iterable[Question]) -> tuple[str, ...]:
    return tuple(question.id for question in questions)
