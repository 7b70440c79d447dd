"""What a good bank has to be, as checks: each takes questions and gives the problems it finds.

A rule about one question names that question's line. What only shows over many questions, such as
whether the longest option tends to be right, is measured by `guessers`.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from kmscourse import facts
from kmscourse.exam.questions import Option, Problem, Question
from kmscourse.facts import exams

ENOUGH = 20
"""Below this many questions a guesser's luck says nothing."""

CHANCE = 0.01
"""A guesser whose success would happen by luck less often than this is given something away."""

STALE_AFTER = datetime.timedelta(days=2 * 365)

_ABOVE = re.compile(
    r"\b(all|none|both|neither|any) of (the )?(above|below|these|options)\b"
    r"|\bboth (option )?[A-F] and [A-F]\b",
    re.IGNORECASE,
)
_ORDINAL = r"first|second|third|fourth|fifth|last|previous|next|other|above|below"
_LETTER = re.compile(
    r"\b(option|answer|choice)s?\s+([A-G]|[1-7])\b"
    r"|(?-i:\b[A-G]\b(?=\s+(is|are|and)\b)|\([A-G]\))"
    rf"|\b({_ORDINAL})\s+(option|answer|choice)s?\b",
    re.IGNORECASE,
)
_HOW_MANY = re.compile(r"\b(choose|select|pick)\s+(one|two|three|four|[1-5])\b", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9]+")


def unique_ids(questions: Sequence[Question]) -> Iterator[Problem]:
    """No id stands twice in the whole course."""
    seen: dict[str, Question] = {}
    for question in questions:
        if (first := seen.setdefault(question.id, question)) is not question:
            yield Problem(question.where, f"{question.id}: this id is also at {first.where}")


def facts_exist(questions: Sequence[Question]) -> Iterator[Problem]:
    """Every fact named is in the register."""
    known = {fact.id for fact in facts.everything()}
    for question in questions:
        for fact_id in question.facts:
            if fact_id not in known:
                yield Problem(question.where, f"{question.id}: there is no fact {fact_id!r}")


def exams_exist(questions: Sequence[Question]) -> Iterator[Problem]:
    """Every exam can still be taken, and has the task statements named."""
    for question in questions:
        for code, tasks in question.exams.items():
            try:
                exam = exams.get(code)
                for task in tasks:
                    exam.task(task)
            except facts.FactError as error:
                yield Problem(question.where, f"{question.id}: {error}")
                continue
            if not exam.current:
                yield Problem(
                    question.where, f"{question.id}: {code} is retired; name its follower"
                )


def no_all_of_the_above(questions: Sequence[Question]) -> Iterator[Problem]:
    """No option speaks of the others."""
    for question in questions:
        for option in question.options:
            if found := _ABOVE.search(option.text):
                yield Problem(question.where, f"{question.id}: an option says {found[0]!r}")


def no_letters(questions: Sequence[Question]) -> Iterator[Problem]:
    """No reason names an option by letter or place: options are mixed, so it would point wrong."""
    for question in questions:
        for option in question.options:
            if found := _LETTER.search(option.why):
                yield Problem(
                    question.where,
                    f"{question.id}: a reason says {found[0]!r}; say what it is about instead",
                )


def stem_does_not_count(questions: Sequence[Question]) -> Iterator[Problem]:
    """The stem leaves "choose two" to the page, which counts."""
    for question in questions:
        if found := _HOW_MANY.search(question.stem):
            yield Problem(
                question.where, f"{question.id}: the stem says {found[0]!r}; the page says it"
            )


def scenario_first(questions: Sequence[Question]) -> Iterator[Problem]:
    """A stem has a scenario before its question: at least two sentences, the last one asking."""
    for question in questions:
        sentences = re.findall(r"[^.?!]+[.?!]+(?:\s|$)", question.stem + " ")
        if len(sentences) < 2 or not question.stem.endswith("?"):
            yield Problem(
                question.where,
                f"{question.id}: a stem is a scenario, and then a question that ends it",
            )


def like_length(questions: Sequence[Question]) -> Iterator[Problem]:
    """The longest option is at most 1.8 times the shortest, or 20 characters longer."""
    for question in questions:
        sizes = sorted(len(option.text) for option in question.options)
        if sizes[-1] > max(1.8 * sizes[0], sizes[0] + 20):
            yield Problem(
                question.where,
                f"{question.id}: options have from {sizes[0]} to {sizes[-1]} characters; "
                "make them of like length",
            )


def like_form(questions: Sequence[Question]) -> Iterator[Problem]:
    """Options of one question all end with a full stop or none does."""
    for question in questions:
        if len({option.text.endswith(".") for option in question.options}) > 1:
            yield Problem(
                question.where,
                f"{question.id}: some options end with a full stop and some do not",
            )


def reasons_of_their_own(questions: Sequence[Question]) -> Iterator[Problem]:
    """Each option has a reason that is a sentence, and no two share one."""
    for question in questions:
        reasons = [option.why.casefold() for option in question.options]
        if len(set(reasons)) < len(reasons):
            yield Problem(question.where, f"{question.id}: two options have the same reason")
        for option in question.options:
            if not option.why.endswith(".") or len(option.why.split()) < 5:
                yield Problem(
                    question.where,
                    f"{question.id}: the reason {option.why!r} is not a sentence that explains",
                )


def near_duplicates(questions: Sequence[Question], threshold: float = 0.5) -> Iterator[Problem]:
    """No two questions ask the same in other words.

    Compared by the pairs of neighbouring words that the stems and options share.
    """
    prints = [(question, _shingles(question)) for question in questions]
    for (one, a), (other, b) in combinations(prints, 2):
        if _alike(a, b) >= threshold:
            yield Problem(other.where, f"{other.id}: nearly the same as {one.id} at {one.where}")


def stale(questions: Sequence[Question], today: datetime.date | None = None) -> Iterator[Problem]:
    """Warns of questions whose source is old, and refuses one from the future."""
    today = today or datetime.date.today()
    for question in questions:
        if question.as_of > today:
            yield Problem(question.where, f"{question.id}: as_of {question.as_of} is in the future")
        elif today - question.as_of > STALE_AFTER:
            yield Problem(
                question.where,
                f"{question.id}: last true as of {question.as_of}; look at the source again",
                warning=True,
            )


EACH: tuple[Callable[[Sequence[Question]], Iterator[Problem]], ...] = (
    unique_ids,
    facts_exist,
    exams_exist,
    no_all_of_the_above,
    no_letters,
    stem_does_not_count,
    scenario_first,
    like_length,
    like_form,
    reasons_of_their_own,
    near_duplicates,
    stale,
)


@dataclass(frozen=True)
class Guesser:
    """Someone who knows nothing but has a habit, and how far it carries.

    `expected` is what blind luck would get; `luck` is the chance of doing at least this well by it.
    """

    habit: str
    questions: int
    hits: int
    expected: float
    luck: float

    @property
    def within_chance(self) -> bool:
        return self.questions < ENOUGH or self.luck >= CHANCE

    def __str__(self) -> str:
        return (
            f"{self.habit}: {self.hits} of {self.questions} right, "
            f"{self.expected:.1f} expected by luck (p = {self.luck:.2f})"
        )


def guessers(questions: Sequence[Question]) -> tuple[Guesser, ...]:
    """How guessers fare who take the longest, the shortest, the first, or the unlike option.

    Only single-choice questions count. Where options tie, the guesser takes the first of them as
    they are presented.
    """
    single = [question for question in questions if question.kind == "single"]
    habits: dict[str, Callable[[Sequence[Option]], Option]] = {
        "takes the longest option": lambda options: max(options, key=lambda o: len(o.text)),
        "takes the shortest option": lambda options: min(options, key=lambda o: len(o.text)),
        "takes the first option": lambda options: options[0],
        "takes the option most unlike the others": _unlike,
        "takes the option most like the others": _like,
    }
    found = []
    for habit, choose in habits.items():
        hits = sum(choose(question.presented).right for question in single)
        odds = [1 / len(question.options) for question in single]
        found.append(Guesser(habit, len(single), hits, sum(odds), _at_least(hits, odds)))
    return tuple(found)


def guesses_within_chance(questions: Sequence[Question]) -> Iterator[Problem]:
    """No habit of guessing does better than luck, once there are enough questions to tell."""
    for guesser in guessers(questions):
        if not guesser.within_chance:
            yield Problem("the bank", f"someone who {guesser}")


def everything(questions: Sequence[Question]) -> tuple[Problem, ...]:
    """The problems of all checks, warnings too."""
    found = [problem for check in EACH for problem in check(questions)]
    return (*found, *guesses_within_chance(questions))


def counts(questions: Sequence[Question]) -> Iterator[str]:
    """How the bank is spread: by lesson, exam with domain, difficulty and objective."""
    by: dict[str, dict[str, list[Question]]] = {
        name: {} for name in ("lesson", "exam", "domain", "difficulty", "kind", "objective")
    }
    for question in questions:
        for code, tasks in question.exams.items():
            by["exam"].setdefault(code, []).append(question)
            for domain in {exams.get(code).domain(task) for task in tasks}:
                by["domain"].setdefault(f"{code} {domain.number} {domain.name}", []).append(
                    question
                )
        by["lesson"].setdefault(question.lesson, []).append(question)
        by["difficulty"].setdefault(str(question.difficulty), []).append(question)
        by["kind"].setdefault(question.kind, []).append(question)
        by["objective"].setdefault(question.objective, []).append(question)
    for kind, groups in by.items():
        yield f"By {kind}:"
        for name in sorted(groups):
            proved = sum(question.proof is not None for question in groups[name])
            yield f"  {name}: {len(groups[name])}, {proved} with a proof"


def _unlike(options: Sequence[Option]) -> Option:
    return min(options, key=lambda option: _kinship(option, options))


def _like(options: Sequence[Option]) -> Option:
    return max(options, key=lambda option: _kinship(option, options))


def _kinship(option: Option, options: Sequence[Option]) -> float:
    """How many words an option shares with the others, as a mean of Jaccard's index."""
    own = set(_WORD.findall(option.text.casefold()))
    others = [set(_WORD.findall(o.text.casefold())) for o in options if o is not option]
    return sum(_alike(own, other) for other in others) / len(others)


def _at_least(hits: int, odds: Sequence[float]) -> float:
    """The chance of `hits` or more successes in independent trials with these odds."""
    spread = [1.0]
    for p in odds:
        grown = [0.0] * (len(spread) + 1)
        for k, chance in enumerate(spread):
            grown[k] += chance * (1 - p)
            grown[k + 1] += chance * p
        spread = grown
    return min(1.0, math.fsum(spread[hits:]))


def _shingles(question: Question) -> set[str]:
    texts = (question.stem, *(option.text for option in question.options))
    pairs: set[str] = set()
    for text in texts:
        words = _WORD.findall(text.casefold())
        pairs |= {f"{a} {b}" for a, b in pairwise(words)}
    return pairs


def _alike(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0
