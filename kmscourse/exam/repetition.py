"""What to repeat, and when: FSRS, the scheduler that Anki uses, over all that was answered.

Nothing of it is kept: how well a question is remembered follows from its answers alone.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from kmscourse.exam.answers import Answer, History
from kmscourse.exam.questions import Question


@dataclass(frozen=True)
class Memory:
    """How well a question is remembered.

    Attributes:
        due: when to ask it again (UTC).
        recall: the chance that it would be answered right now, from 0 to 1.
        missed: whether the last answer was wrong.
    """

    due: datetime.datetime
    recall: float
    missed: bool


def memory(answers: Sequence[Answer], now: datetime.datetime) -> Memory:
    """How well the question is remembered that these are the answers to, the oldest first.

    Raises ValueError where there are no answers.
    """
    from fsrs import Card, Rating, Scheduler

    if not answers:
        raise ValueError("There is no answer to remember.")
    # Days, not minutes: what was missed is due the next day. No fuzz: a paper can be given again.
    scheduler = Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)
    card = Card(card_id=1, due=answers[0].at)
    for answer in answers:
        rating = Rating.Good if answer.right else Rating.Again
        card, _ = scheduler.review_card(card, rating, answer.at.astimezone(datetime.UTC))
    recall = scheduler.get_card_retrievability(card, now)
    return Memory(card.due, float(recall), not answers[-1].right)


def due(history: History, now: datetime.datetime) -> tuple[str, ...]:
    """The questions to be asked again by now, what is most likely forgotten first."""
    known = {name: memory(each, now) for name, each in history.items() if each}
    ready = [name for name, each in known.items() if each.due <= now]
    return tuple(sorted(ready, key=lambda name: (known[name].recall, name)))


def weakest_first(
    questions: Sequence[Question], history: History, now: datetime.datetime
) -> tuple[Question, ...]:
    """The questions in the order in which they are worth asking.

    First what was missed last time, then what is due, then what was never asked (of the objectives
    that went worst, first), then the rest, what is most likely forgotten first.
    """
    known = {q.id: memory(history[q.id], now) for q in questions if history.get(q.id)}
    asked: dict[str, list[bool]] = {}
    for question in questions:
        if question.id in known:
            asked.setdefault(question.objective, []).append(not known[question.id].missed)

    def worth(question: Question) -> tuple[int, float, int]:
        remembered = known.get(question.id)
        if remembered is None:
            went = asked.get(question.objective, [])
            return 2, sum(went) / len(went) if went else 0.5, question.difficulty
        if remembered.missed:
            return 0, remembered.recall, question.difficulty
        return (1 if remembered.due <= now else 3), remembered.recall, question.difficulty

    return tuple(sorted(questions, key=worth))
