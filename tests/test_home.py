"""The learner's home: the map follows what is done, and a plan fits the time there is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscourse import course, exam, home
from kmscourse.facts import FactError
from kmscourse.lab import record

CODES = ("SAA-C03", "SCS-C03", "DVA-C02", "SOA-C03", "SAP-C02")


@pytest.fixture(autouse=True)
def _own_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "work_folder", lambda home=None: tmp_path)


def of(lesson: str) -> home.Place:
    return next(place for place in home.lesson_map() if place.lesson.name == lesson)


def test_the_map_has_every_lesson_and_what_is_done() -> None:
    shown = home.lesson_map()
    assert [place.lesson.name for place in shown] == [each.name for each in course.lessons()]
    assert {place.state for place in shown} == {"open"}

    record.update("05-envelopes", "seal", lambda now: record.TaskProgress(done=True))
    question = exam.of_lesson("05-envelopes")[0]
    exam.Answers().add(question.id, tuple(each.text for each in question.right), True)
    place = of("05-envelopes")
    assert (place.state, place.tasks_done, place.questions_right) == ("begun", 1, 1)
    assert "1 of 6" in repr(home.lesson_map())
    assert '<a href="05-envelopes.ipynb">' in home.lesson_map()._repr_html_()

    exam.Answers().add(question.id, ("something else",), False)
    assert of("05-envelopes").questions_right == 0


def test_next_is_the_first_that_is_not_done() -> None:
    first = home.lesson_map()[0]
    assert home.lesson_map().next == first
    from kmscourse.lab.tasks import load

    for task in load(first.lesson.checks):
        record.update(first.lesson.name, task.name, lambda now: record.TaskProgress(done=True))
    for question in exam.of_lesson(first.lesson.name):
        exam.Answers().add(question.id, tuple(each.text for each in question.right), True)
    following = home.lesson_map().next
    assert following is not None
    assert following.lesson == home.lesson_map()[1].lesson


@given(st.sampled_from(CODES), st.integers(1, 12), st.floats(3, 30))
def test_a_plan_fits_and_forgets_no_lesson(code: str, weeks: int, hours: float) -> None:
    plan = home.fast_track(code, weeks=weeks, hours=hours)
    assert len(plan) == weeks
    planned = [lesson for week in plan for lesson in week.lessons]
    assert planned == sorted(planned, key=lambda lesson: lesson.name)
    serving = {q.lesson for q in exam.bank() if code in q.exams}
    assert {lesson.name for lesson in (*planned, *plan.left_out)} == serving
    total = sum(lesson.minutes.total for lesson in planned)
    number = plan[-1].mock_exams
    mocks = number * plan.exam.minutes
    assert total + mocks <= weeks * hours * 60
    assert number in (1, home.MOCK_EXAMS)
    assert sum(week.minutes for week in plan) == total + mocks
    assert [week.mock_exams for week in plan] == [0] * (weeks - 1) + [number]


def test_what_makes_no_plan_is_told() -> None:
    with pytest.raises(FactError):
        home.fast_track("SAA-C99")
    with pytest.raises(ValueError, match="at least one week"):
        home.fast_track("SAA-C03", weeks=0)
    with pytest.raises(ValueError, match=r"SAA-C03 takes 130 minutes.*more weeks or more hours"):
        home.fast_track("SAA-C03", weeks=2, hours=1)


def test_a_short_plan_has_one_mock_exam() -> None:
    assert "1 mock exam (lesson 14)" in repr(home.fast_track("SAA-C03", weeks=1, hours=3))
