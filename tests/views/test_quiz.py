"""The quiz from Python's side: marking, keeping, and what is shown where no widget runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kmscourse.views.quiz import Choice, Item, Quiz

ONE = Item(
    id="one",
    stem="A key is <lost>. Who has it?",
    asks="Choose one.",
    choices=(
        Choice("The clinic & co", True, "Because it said so."),
        Choice("The thief", False, "He has another one."),
        Choice("The auditor", False, "She never had one."),
        Choice("Nobody", False, "Someone always has it."),
    ),
    notes=(("Source", "https://aws.amazon.com/kms", "https://aws.amazon.com/kms"),),
    grounds=(("OPS-01", "It is so."),),
)
TWO = Item(
    id="two",
    stem="Two keys are lost. Who has them?",
    asks="Choose two.",
    choices=tuple(
        Choice(f"Person {n}", n in (1, 3), f"Reason of person {n}.") for n in range(1, 6)
    ),
)


def send(quiz: Quiz, **content: Any) -> None:
    """What the browser sends, as the widget receives it."""
    quiz._from_browser(None, content, None)


def test_an_answer_from_the_browser_is_marked_and_kept() -> None:
    kept: list[tuple[str, tuple[int, ...]]] = []
    quiz = Quiz([ONE, TWO], keep=lambda name, chosen: kept.append((name, chosen)))
    send(quiz, do="answer", id="one", chosen=[1])
    send(quiz, do="answer", id="two", chosen=[2, 0])
    assert kept == [("one", (1,)), ("two", (0, 2))]
    one, two = quiz.marked("one"), quiz.marked("two")
    assert one is not None
    assert two is not None
    assert not one.ok
    assert two.ok
    assert quiz._marked["one"]["whys"] == [choice.why for choice in ONE.choices]


def test_what_is_right_reaches_the_browser_only_with_an_answer() -> None:
    quiz = Quiz([ONE, TWO])
    before = json.dumps(quiz.get_state(), default=str)
    for choice in ONE.choices:
        assert choice.text in before
        assert choice.why not in before
    assert '"right"' not in before
    send(quiz, do="answer", id="one", chosen=[0])
    after = json.dumps(quiz.get_state(), default=str)
    assert ONE.choices[0].why in after
    assert TWO.choices[0].why not in after


def test_an_answer_that_cannot_be_kept_says_so_and_is_marked_all_the_same() -> None:
    def full(*_: object) -> None:
        raise OSError("the disk is full")

    quiz = Quiz([ONE], keep=full)
    marked = quiz.answer(1, 1)
    assert marked.ok
    assert "could not be kept: the disk is full" in repr(marked)
    assert "the disk is full" in quiz._marked["one"]["trouble"]


def test_earlier_answers_are_shown_again_without_being_kept_again() -> None:
    kept: list[object] = []
    quiz = Quiz([ONE, TWO], answered={"two": [0, 2]}, keep=lambda *a: kept.append(a))
    assert quiz.marked("one") is None
    assert quiz.marked("two") is not None
    assert kept == []


def test_trying_again_hides_the_answer() -> None:
    quiz = Quiz([ONE], answered={"one": [0]})
    send(quiz, do="again", id="one")
    assert quiz.marked("one") is None
    send(quiz, do="answer", id="one", chosen=[0])
    assert quiz.marked("one") is not None


def test_a_message_about_another_question_changes_nothing() -> None:
    quiz = Quiz([ONE])
    send(quiz, do="answer", id="elsewhere", chosen=[0])
    send(quiz, do="dance", id="one")
    assert quiz._marked == {}


@pytest.mark.parametrize(
    ("number", "choices", "error"),
    [
        (1, (), "Choose something"),
        (1, (5,), "choices 1 to 4"),
        (1, (0,), "choices 1 to 4"),
        (1, (1, 2), "only one is right"),
        (3, (1,), "questions 1 to 2"),
        (0, (1,), "questions 1 to 2"),
    ],
)
def test_a_wrong_number_says_which_there_are(
    number: int, choices: tuple[int, ...], error: str
) -> None:
    with pytest.raises((ValueError, IndexError), match=error):
        Quiz([ONE, TWO]).answer(number, *choices)


def test_without_a_widget_the_answer_is_text_with_every_reason() -> None:
    shown = repr(Quiz([ONE]).answer(1, 2))
    assert shown.startswith("Not right yet.")
    assert "2. The thief  [wrong, you chose this]" in shown
    assert "1. The clinic & co  [right]" in shown
    for choice in ONE.choices:
        assert choice.why in shown


def test_the_static_form_does_not_depend_on_answers() -> None:
    fresh, used = Quiz([ONE, TWO]), Quiz([ONE, TWO], answered={"one": [1]})
    send(used, do="answer", id="two", chosen=[1, 2])
    assert fresh.text() == used.text()
    assert fresh.html() == used.html()
    assert repr(fresh) == repr(used) == "Quiz: 2 questions, with a reason for each option."
    assert repr(Quiz([ONE])) == "Quiz: 1 question, with a reason for each option."


def test_the_static_forms_stand_beside_the_widget() -> None:
    quiz = Quiz([ONE, TWO], more="More of it.")
    data, _ = quiz._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    for item in (ONE, TWO):
        for choice in item.choices:
            assert choice.text in data["text/plain"]
            assert choice.why not in data["text/plain"]
    html = data["text/html"]
    assert html.count("<details>") == html.count("</details>") == 2
    assert "A key is &lt;lost&gt;." in html
    assert "✓ Right:</strong> The clinic &amp; co<br>Because it said so." in html
    assert '<a href="https://aws.amazon.com/kms">' in html
    assert "More of it." in html


@pytest.mark.parametrize(
    ("items", "error"),
    [
        ([], "no questions"),
        ([ONE, ONE], "same id"),
        ([Item("x", "s", "a", (Choice("t", False, "w"),))], "no right choice"),
    ],
)
def test_a_quiz_that_makes_no_sense_is_refused(items: list[Item], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        Quiz(items)
