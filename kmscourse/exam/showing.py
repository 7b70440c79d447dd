"""Questions as the views show them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from kmscourse import facts
from kmscourse.exam.answers import History
from kmscourse.exam.questions import Question
from kmscourse.views.quiz import Choice, Item


def item_of(question: Question) -> Item:
    """A question with its reasons, sources and facts."""
    notes = []
    if question.as_of_note:
        notes.append(("Older material", question.as_of_note, ""))
    notes += [("Source", s, s if s.startswith("https://") else "") for s in question.sources]
    notes.append(("As of", question.as_of.isoformat(), ""))
    grounds = [facts.get(fact_id) for fact_id in question.facts]
    return Item(
        id=question.id,
        stem=question.stem,
        asks=question.asks,
        choices=tuple(
            Choice(option.text, option.right, option.why) for option in question.presented
        ),
        notes=tuple(notes),
        grounds=tuple((fact.id, f"{fact.statement} {fact.doubt}".strip()) for fact in grounds),
        provable=question.proof is not None,
    )


def answered(
    questions: Sequence[Question], history: History, since: datetime.datetime | None = None
) -> dict[str, list[int]]:
    """What was chosen last, as positions; left out where the options have changed since then.

    `since` leaves out what was answered earlier.
    """
    found: dict[str, list[int]] = {}
    for question in questions:
        answers = [a for a in history.get(question.id, ()) if since is None or a.at >= since]
        texts = [option.text for option in question.presented]
        if answers and answers[-1].chosen and all(t in texts for t in answers[-1].chosen):
            positions = [texts.index(text) for text in answers[-1].chosen]
            if question.kind == "multiple" or len(positions) == 1:
                found[question.id] = positions
    return found
