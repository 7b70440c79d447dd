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
from kmscourse.facts.quantities import numbers, of_fact, quantities

ENOUGH = 20
"""Below this many questions a guesser's luck says nothing."""

CHANCE = 0.005
"""A guesser whose success would happen by luck less often than this is given something away.

Ten habits are tried, so now and then one of them is lucky.
"""

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
_SPOKEN = re.compile(r"[A-Za-z'’-]+")
_NAME = re.compile(r"\S*[a-z][A-Z]\S*|\S*[:_/*\d]\S*|\b[A-Z][A-Za-z]+")
"""Names of services, operations and things, which are read as one sign however long they are."""

HARD = 50
"""The readability index LIX of a difficult text. Newspapers have about 40, children's books 25."""

LONGEST_SENTENCE = 40
"""Words: what can be held in mind under a clock."""


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


def readable(questions: Sequence[Question]) -> Iterator[Problem]:
    """No stem is hard to read: by LIX (words a sentence, plus long words in percent), names apart.

    What is asked should be hard, not how.
    """
    for question in questions:
        sentences = [each for each in re.split(r"(?<=[.?!])\s+", question.stem) if each.strip()]
        words = _SPOKEN.findall(question.stem)
        long = [each for each in _SPOKEN.findall(_NAME.sub(" ", question.stem)) if len(each) > 6]
        lix = len(words) / len(sentences) + 100 * len(long) / len(words) if words else 0
        longest = max(len(each.split()) for each in sentences)
        if lix > HARD:
            yield Problem(
                question.where,
                f"{question.id}: the stem is hard to read (LIX {lix:.0f}, {HARD} at most)",
            )
        if longest > LONGEST_SENTENCE:
            yield Problem(
                question.where,
                f"{question.id}: a sentence of the stem has {longest} words; "
                f"{LONGEST_SENTENCE} at most",
            )


def numbers_have_facts(questions: Sequence[Question]) -> Iterator[Problem]:
    """Every quantity in a right option or in a reason stands in a fact that the question names.

    Or in its stem, where the scenario sets it; or it is reckoned, which a proof vouches for. What
    wrong options say is wrong, so it stands nowhere. A right option that reckons without a proof
    is a warning.
    """
    known = {fact.id: of_fact(fact) for fact in facts.everything()}
    for question in questions:
        if question.proof is not None:
            continue
        sourced = numbers(question.stem).union(*(known.get(f, ()) for f in question.facts))
        for option in question.options:
            own = numbers(option.text)
            for words, found in quantities(option.why):
                if found - sourced - own:
                    yield Problem(
                        question.where, f"{question.id}: no fact it names has {words!r} of a reason"
                    )
            for words, found in quantities(option.text) if option.right else ():
                if found - sourced:
                    yield Problem(
                        question.where,
                        f"{question.id}: no fact it names has {words!r}, and no proof reckons it",
                        warning=True,
                    )


def near_duplicates(questions: Sequence[Question], threshold: float = 0.5) -> Iterator[Problem]:
    """No two questions ask the same in other words."""
    for likeness, one, other in likest(questions):
        if likeness >= threshold:
            yield Problem(other.where, f"{other.id}: nearly the same as {one.id} at {one.where}")


def likest(questions: Sequence[Question]) -> tuple[tuple[float, Question, Question], ...]:
    """All pairs of questions by how much alike they are, from 1 down.

    Compared by the pairs of neighbouring words that they share: of the whole, or, where the
    options are others, of the stem alone, which counts a little less.
    """
    prints = [
        (q, _shingles(q.stem, *(o.text for o in q.options)), _shingles(q.stem)) for q in questions
    ]
    pairs = [
        (max(_alike(a, b), 0.8 * _alike(stem_a, stem_b)), one, other)
        for (one, a, stem_a), (other, b, stem_b) in combinations(prints, 2)
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair[0], pair[1].id, pair[2].id)))


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
    readable,
    numbers_have_facts,
    near_duplicates,
    stale,
)


@dataclass(frozen=True)
class Guesser:
    """Someone who knows nothing but has a habit, and how far it carries.

    `questions` is how many right options there are to be hit. `expected` is what blind luck would
    hit; `luck` is the chance of doing at least this well by it.
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


Place = Callable[[Option, Sequence[Option]], float]
"""Where a guesser ranks an option among all of them: the lowest are taken."""


def guessers(questions: Sequence[Question]) -> tuple[Guesser, ...]:
    """How guessers fare who take the longest, the shortest, the first, or the unlike option.

    Of a multiple-response question they take as many as are right, and each that is right counts.
    Where options tie, the guesser takes the first of them as they are presented.
    """
    habits: dict[str, Place] = {
        "takes the longest option": lambda option, _: -len(option.text),
        "takes the shortest option": lambda option, _: len(option.text),
        "takes the first option": lambda option, options: options.index(option),
        "takes the option most unlike the others": _kinship,
        "takes the option most like the others": lambda o, options: -_kinship(o, options),
    }
    found = []
    for kind, several in (("single", ""), ("multiple", " where several are right")):
        asked = [question for question in questions if question.kind == kind]
        odds = [_by_luck(len(q.options), len(q.right)) for q in asked]
        expected = sum(k * chance for each in odds for k, chance in enumerate(each))
        for habit, place in habits.items():
            hits = sum(option.right for question in asked for option in _taken(question, place))
            wanted = sum(len(question.right) for question in asked)
            luck = _at_least(hits, odds)
            found.append(Guesser(f"{habit}{several}", wanted, hits, expected, luck))
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
    yield "Most alike, of 1:"
    for likeness, one, other in likest(questions)[:10]:
        yield f"  {likeness:.2f} {one.id} and {other.id}"


def _kinship(option: Option, options: Sequence[Option]) -> float:
    """How many words an option shares with the others, as a mean of Jaccard's index."""
    own = set(_WORD.findall(option.text.casefold()))
    others = [set(_WORD.findall(o.text.casefold())) for o in options if o is not option]
    return sum(_alike(own, other) for other in others) / len(others)


def _taken(question: Question, place: Place) -> list[Option]:
    """The options that a guesser with this habit takes: as many as are right."""
    options = question.presented
    ranked = sorted(options, key=lambda option: place(option, options))
    return ranked[: len(question.right)]


def _by_luck(options: int, right: int) -> tuple[float, ...]:
    """The chance of 0, 1, 2 ... right ones among as many options, taken blindly, as are right."""
    ways = math.comb(options, right)
    return tuple(
        math.comb(right, k) * math.comb(options - right, right - k) / ways for k in range(right + 1)
    )


def _at_least(hits: int, odds: Sequence[Sequence[float]]) -> float:
    """The chance of `hits` or more in all, where each question has its own chance of 0, 1, 2 ..."""
    spread = [1.0]
    for each in odds:
        grown = [0.0] * (len(spread) + len(each) - 1)
        for k, chance in enumerate(spread):
            for more, p in enumerate(each):
                grown[k + more] += chance * p
        spread = grown
    return min(1.0, math.fsum(spread[hits:]))


def _shingles(*texts: str) -> set[str]:
    pairs: set[str] = set()
    for text in texts:
        words = _WORD.findall(text.casefold())
        pairs |= {f"{a} {b}" for a, b in pairwise(words)}
    return pairs


def _alike(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0
