"""Numbers in prose: AWS's must be in the register, a lesson's own must be in its code."""

from __future__ import annotations

import pytest

from kmscourse import course
from kmscourse.authoring import rules
from kmscourse.authoring.numbers import unsourced
from kmscourse.authoring.source import Cell

CODE = Cell("code", "aws.clock.advance(days=1_077)", 20)


@pytest.mark.parametrize(
    "prose",
    [
        "A key costs $1 a month.",
        "Encrypt takes 4,096 bytes at most.",
        "The period is 90 to 2,560 days.",
        "After 1,077 days the clinic looks again.",
        "A lab of 777 minutes, in room 8,888.",
        "`777 days` in code, and a [link](https://a.example/777-days).",
    ],
)
def test_what_is_sourced_or_the_lessons_own_passes(prose: str) -> None:
    assert list(unsourced([Cell("markdown", prose, 10), CODE])) == []


@pytest.mark.parametrize(
    ("prose", "quantity"),
    [
        ("Sure.\n\nA key costs $7.77 a month.", "$7.77"),
        ("Sure.\n\nIt takes 7,777 bytes.", "7,777 bytes"),
        ("Sure.\n\nThe period is 90 to 7,777 days.", "90 to 7,777 days"),
        ("Sure.\n\nA 777-day period.", "777-day"),
        ("Sure.\n\nAbout 77.7% of them.", "77.7%"),
    ],
)
def test_what_nobody_vouches_for_is_told_with_its_line(prose: str, quantity: str) -> None:
    found = list(unsourced([Cell("markdown", prose, 10), CODE]))
    assert [line for line, _ in found] == [13]
    assert found[0][1].startswith(quantity.removesuffix("-day"))


def test_a_lesson_with_such_a_number_is_told_so(mini) -> None:
    mini.replace("lessons/01-second/lesson.py", "# A paragraph.", "# It costs $7.77 a month.")
    said = [problem.text(mini.home) for problem in rules.problems(mini.lesson("01-second"))]
    assert any("lesson.py:4: '$7.77' is in no fact" in text for text in said), said


def test_no_lesson_has_one() -> None:
    said = [
        problem.message
        for lesson in course.lessons()
        for problem in rules.problems(lesson)
        if "in no fact" in problem.message
    ]
    assert said == []
