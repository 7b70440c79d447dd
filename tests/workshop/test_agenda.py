"""Agendas that add up, and the page for instructors."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from kmscourse import course
from kmscourse.course import CourseError
from kmscourse.lab.tasks import load
from kmscourse.workshop import agenda

HOME = course.root()
LESSONS = course.lessons()


@pytest.mark.parametrize("one", agenda.agendas(HOME), ids=lambda one: one.name)
def test_the_minutes_of_each_day_add_up(one: agenda.Agenda) -> None:
    for day in one.days:
        slots = agenda.slots(day, LESSONS)
        assert f"{slots[0].begins:%H:%M}" == day.begins
        assert f"{slots[-1].ends:%H:%M}" == day.ends
        for before, after in pairwise(slots):
            assert before.ends == after.begins


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([{"lesson": "05-envelopes"}], "has parts until 09:35, but is to end at 10:00"),
        ([{"lesson": "55-envelopes"}], "'55-envelopes', which is no lesson"),
    ],
)
def test_a_day_that_does_not_add_up_is_told(parts: list[dict[str, object]], said: str) -> None:
    day = agenda.Day.model_validate({"begins": "09:00", "ends": "10:00", "parts": parts})
    with pytest.raises(CourseError, match=said):
        agenda.slots(day, LESSONS)


def test_a_room_may_need_other_minutes_than_one_learner() -> None:
    (lesson,) = (each for each in LESSONS if each.name == "05-envelopes")
    parts = [{"lesson": lesson.name, "minutes": lesson.minutes.lesson + 5}, {"lab": lesson.name}]
    ends = f"{9 + (lesson.minutes.total + 5) // 60:02}:{(lesson.minutes.total + 5) % 60:02}"
    day = agenda.Day.model_validate({"begins": "09:00", "ends": ends, "parts": parts})
    room, alone = agenda.slots(day, LESSONS)
    assert (room.minutes, room.alone) == (lesson.minutes.lesson + 5, lesson.minutes.lesson)
    assert (alone.minutes, alone.alone) == (lesson.minutes.lab, None)


@pytest.mark.parametrize(
    "part",
    [{}, {"lesson": "a", "lab": "a"}, {"lesson": "a", "minutes": 0}, {"other": "Break"}],
)
def test_a_part_is_one_thing_with_its_minutes(tmp_path: Path, part: dict[str, object]) -> None:
    days = [{"begins": "09:00", "ends": "10:00", "parts": [part]}]
    (tmp_path / "lessons").mkdir()
    (tmp_path / agenda.FILE).write_text(
        yaml.safe_dump({"agendas": [{"name": "x", "about": "x", "days": days}]})
    )
    with pytest.raises(CourseError, match=r"workshop\.yaml cannot be used"):
        agenda.agendas(tmp_path)


def test_each_lesson_tells_what_goes_wrong_and_what_to_ask() -> None:
    for lesson in LESSONS:
        assert agenda.section(lesson.teaching, "Ask the room"), lesson.name
        assert agenda.section(lesson.teaching, "What goes wrong"), lesson.name


def test_minutes_are_the_same_wherever_they_stand() -> None:
    for lesson in LESSONS:
        minutes = lesson.minutes
        if lesson.has_lab:
            tasks = [task.minutes for task in load(lesson.checks)]
            assert sum(tasks) == minutes.lab, lesson.name
        if lesson.has_lab and lesson.number != "00":
            for path, said in (
                (lesson.teaching, f"Minutes: {minutes.lesson} for the notebook, {minutes.lab} for"),
                (
                    lesson.lesson_source,
                    f"About {minutes.lesson} minutes, then a lab of {minutes.lab}.",
                ),
                (lesson.lab_source, f"tasks, about {minutes.lab} minutes"),
            ):
                assert said in path.read_text(encoding="utf-8"), path


def test_the_page_in_docs_is_what_the_lessons_say() -> None:
    committed = (HOME / "docs" / "workshop.md").read_text(encoding="utf-8")
    assert committed == agenda.page(HOME, LESSONS), "Run: make workshop"
