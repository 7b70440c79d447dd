"""When a question is asked again: by FSRS, from the answers alone."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscourse.exam.answers import Answer
from kmscourse.exam.questions import bank
from kmscourse.exam.repetition import due, memory, weakest_first

DAY = datetime.timedelta(days=1)
START = datetime.datetime(2026, 11, 1, 20, 0, tzinfo=datetime.UTC)


def answers(*rights: bool, gap: datetime.timedelta = DAY) -> tuple[Answer, ...]:
    return tuple(Answer("q", (), right, START + n * gap) for n, right in enumerate(rights))


def test_what_was_missed_is_due_the_next_day_and_what_was_known_later() -> None:
    missed, known = memory(answers(False), START), memory(answers(True), START)
    assert missed.missed
    assert not known.missed
    assert missed.due == START + DAY
    assert known.due > missed.due
    assert memory(answers(True), START).recall == pytest.approx(1.0)
    assert memory(answers(True), START + 30 * DAY).recall < 0.9


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(0, 400))
def test_it_follows_from_the_answers_alone(rights: list[bool], later: int) -> None:
    now = START + later * DAY
    one = memory(answers(*rights), now)
    assert one == memory(answers(*rights), now)
    assert 0 <= one.recall <= 1
    assert one.missed is not rights[-1]
    again = answers(*rights, True)
    assert memory(again, again[-1].at).due > again[-1].at


def test_what_is_due_comes_with_the_most_forgotten_first() -> None:
    history = {
        "once": answers(True),
        "often": answers(True, True, True, gap=3 * DAY),
        "missed": answers(False),
        "never": (),
    }
    assert due(history, START) == ()
    assert due(history, START + DAY) == ("missed",)
    late = due(history, START + 400 * DAY)
    assert late[0] == "missed"
    assert set(late) == {"once", "often", "missed"}
    with pytest.raises(ValueError, match="no answer"):
        memory((), START)


def test_the_order_worth_asking() -> None:
    questions = bank()[:8]
    missed, stale, known = questions[5], questions[2], questions[0]
    history = {
        missed.id: answers(False, gap=DAY),
        stale.id: answers(True),
        known.id: (Answer("q", (), True, START + 59 * DAY),),
    }
    ordered = [q.id for q in weakest_first(questions, history, START + 60 * DAY)]
    assert ordered[:2] == [missed.id, stale.id]
    assert ordered[-1] == known.id
    assert set(ordered) == {question.id for question in questions}
