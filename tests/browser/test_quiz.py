"""The quiz in a real browser, with the real Python side, by keyboard and by mouse."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from kmscourse.views.quiz import Choice, Item, Quiz
from tests.browser.jupyter import PROJECT, Desk, write_notebook
from tests.browser.quiz_page import open_quiz


def items() -> list[Item]:
    return [
        Item(
            "one",
            "A key is lost. Who has it?",
            "Choose one.",
            tuple(
                Choice(f"Person {n}", n == 2, f"This is the reason of person {n}.")
                for n in range(1, 5)
            ),
            notes=(("Source", "https://aws.amazon.com/kms/", "https://aws.amazon.com/kms/"),),
            grounds=(("OPS-01", "It is so."),),
        ),
        Item(
            "two",
            "Two keys are lost. Who has them?",
            "Choose two.",
            tuple(
                Choice(f"Human {n}", n in (1, 3), f"This is the reason of human {n}.")
                for n in range(1, 6)
            ),
        ),
        Item(
            "three",
            "No key is lost. Who is glad?",
            "Choose one.",
            tuple(
                Choice(f"Woman {n}", n == 4, f"This is the reason of woman {n}.")
                for n in range(1, 5)
            ),
        ),
    ]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 860, "height": 800})
    page.set_default_timeout(5000)
    yield page
    page.close()


def test_by_keyboard_alone_from_the_first_question_to_the_last(page: Page) -> None:
    kept: list[tuple[str, tuple[int, ...]]] = []
    quiz = Quiz(items(), keep=lambda name, chosen: kept.append((name, chosen)))
    trouble = open_quiz(page, quiz)
    keyboard = page.keyboard
    keyboard.press("Tab")  # the steps are one stop
    expect(page.get_by_role("button", name="Question 1, not answered")).to_be_focused()
    keyboard.press("Tab")
    expect(page.get_by_role("radio", name="Person 1")).to_be_focused()
    keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Person 2")).to_be_checked()
    keyboard.press("Enter")
    expect(page.get_by_text("This is the reason of person 3.")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("Right.")
    expect(page.get_by_role("button", name="Next question")).to_be_focused()
    keyboard.press("Enter")

    expect(page.get_by_role("checkbox", name="Human 1")).to_be_focused()
    keyboard.press("Space")
    expect(page.get_by_role("button", name="Check")).to_be_disabled()
    expect(page.get_by_text("1 of 2 chosen")).to_be_visible()
    keyboard.press("Tab")
    keyboard.press("Space")
    keyboard.press("Enter")
    expect(page.get_by_text("Not right yet: 1 of 2 found.").first).to_be_visible()
    keyboard.press("Enter")

    expect(page.get_by_role("radio", name="Woman 1")).to_be_focused()
    keyboard.press("ArrowUp")  # round to the last one
    keyboard.press("Enter")
    expect(page.get_by_text("3 of 3 answered, 2 right")).to_be_visible()
    expect(page.get_by_text("All answered. Worth another look: question 2.")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_focused()
    assert kept == [("one", (1,)), ("two", (0, 1)), ("three", (3,))]
    assert trouble == []


def test_by_mouse_and_trying_again(page: Page) -> None:
    trouble = open_quiz(page, Quiz(items()))
    page.get_by_text("Person 3").click()  # the label is the target
    page.get_by_role("button", name="Check").click()
    row = page.get_by_role("listitem").filter(has_text="reason of person 3")
    expect(row).to_contain_text("Wrong, and your choice.")
    expect(page.get_by_role("radio", name="Person 3")).to_be_disabled()
    expect(page.get_by_role("radio", name="Person 3")).to_have_accessible_description(
        re.compile("Wrong, and your choice. This is the reason of person 3")
    )
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("radio", name="Person 1")).to_be_enabled()
    expect(page.get_by_text("This is the reason of person 3.")).to_have_count(0)
    expect(page.get_by_role("radio", name="Person 1")).to_be_focused()
    assert trouble == []


def test_steps_move_with_arrows_and_a_draft_is_not_lost(page: Page) -> None:
    trouble = open_quiz(page, Quiz(items()))
    page.get_by_text("Person 4").click()
    first = page.get_by_role("button", name="Question 1, not answered")
    first.focus()
    page.keyboard.press("ArrowRight")
    third = page.get_by_role("button", name="Question 3, not answered")
    page.keyboard.press("End")
    expect(third).to_be_focused()
    expect(third).to_have_attribute("aria-current", "step")
    expect(page.get_by_text("No key is lost.")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(first).to_be_focused()
    expect(page.get_by_role("radio", name="Person 4")).to_be_checked()
    assert trouble == []


def test_earlier_answers_are_there_at_once_and_the_first_open_question_is_shown(page: Page) -> None:
    trouble = open_quiz(page, Quiz(items(), answered={"one": [1], "two": [1, 2]}))
    expect(page.get_by_text("No key is lost.")).to_be_visible()
    expect(page.get_by_text("2 of 3 answered, 1 right")).to_be_visible()
    page.get_by_role("button", name="Question 2, answered wrong").click()
    expect(page.get_by_text("This is the reason of human 5.")).to_be_visible()
    assert trouble == []


def test_an_answer_that_cannot_be_kept_is_told(page: Page) -> None:
    def full(*_: object) -> None:
        raise OSError("the disk is full")

    trouble = open_quiz(page, Quiz(items(), keep=full))
    page.get_by_text("Person 2").click()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("could not be kept: the disk is full")
    assert trouble == []


def test_a_kernel_that_is_silent_is_spoken_of_and_can_be_asked_again(page: Page) -> None:
    silent = [True]
    trouble = open_quiz(page, Quiz(items()), deaf=lambda: silent[0])
    page.clock.install()
    page.get_by_text("Person 2").click()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Checking…")).to_be_visible()
    page.clock.fast_forward(6000)
    expect(page.locator(".kq-note")).to_contain_text("The kernel does not answer")
    expect(page.get_by_text("This is the reason of person 2.")).to_have_count(0)
    silent[0] = False
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("This is the reason of person 2.")).to_be_visible()
    assert trouble == []


def test_names_and_roles_are_what_a_screen_reader_needs(page: Page) -> None:
    open_quiz(page, Quiz(items()))
    group = page.get_by_role("group", name=re.compile("Check yourself. 3 questions"))
    expect(group).to_be_visible()
    radios = page.get_by_role("radiogroup", name="A key is lost. Who has it?")
    expect(radios).to_have_accessible_description("Choose one.")
    expect(radios.get_by_role("radio")).to_have_count(4)
    assert group.get_attribute("data-lm-suppress-shortcuts") == "true"


def _luminance(colour: str) -> float:
    channels = [int(float(part)) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("light", [True, False], ids=["light", "dark"])
def test_every_text_has_the_contrast_that_aa_asks_for(page: Page, light: bool) -> None:
    quiz = Quiz(items(), answered={"one": [0], "two": [0, 2]}, more="More of it.")
    open_quiz(page, quiz, light=light)
    for step in (1, 2, 3):
        page.get_by_role("button", name=re.compile(f"Question {step},")).click()
        pairs = page.evaluate(
            """() => [...document.querySelectorAll(".kv-quiz *")]
              .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
              .filter((e) => !e.closest(".kv-hidden") && !e.disabled)
              .map((e) => {
                let ground = e;
                while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)")
                  ground = ground.parentElement;
                return [getComputedStyle(e).color, getComputedStyle(ground).backgroundColor,
                        e.className || e.tagName];
              })"""
        )
        assert len(pairs) > 10
        for ink, ground, name in pairs:
            dark, bright = sorted((_luminance(ink), _luminance(ground)))
            assert (bright + 0.05) / (dark + 0.05) >= 4.5, (name, ink, ground)


def test_in_jupyterlab_answers_are_there_again_after_a_reload(desk: Desk, results: Path) -> None:
    home = desk.server.root / "quiz-home"
    home.mkdir()
    (home / "lessons").symlink_to(PROJECT / "lessons")
    quiz_cell = (
        f"import os\nos.environ['KMSCOURSE_HOME'] = {str(home)!r}\n"
        "from kmscourse import exam\nexam.check_yourself('05-envelopes')"
    )
    fact_cell = "from kmscourse import facts\nfacts.get('ROT-01')"
    desk.open(write_notebook(desk.server.root, "quiz.ipynb", quiz_cell, fact_cell))
    desk.run_all()
    page = desk.page
    quiz = page.locator(".kv-quiz")
    first = quiz.get_by_role("radio").first
    first.focus()
    page.keyboard.press("ArrowDown")  # JupyterLab leaves the arrow keys to the quiz
    expect(quiz.get_by_role("radio").nth(1)).to_be_checked()
    page.keyboard.press("Enter")
    expect(quiz.get_by_text("1 of 5 answered, 1 right")).to_be_visible()
    expect(quiz.get_by_role("button", name="Next question")).to_be_focused()
    page.screenshot(path=results / "quiz-light.png")
    kept = json.loads((home / "my-work" / "answers.json").read_text("utf-8"))
    assert [len(history) for history in kept["answers"].values()] == [1]

    desk.reload()
    desk.run_all()
    desk.theme("JupyterLab Dark")
    expect(quiz.get_by_text("1 of 5 answered, 1 right")).to_be_visible()
    expect(quiz.get_by_text("Question 2 of 5")).to_be_visible()
    quiz.get_by_role("button", name="Question 1, answered right").click()
    expect(quiz.get_by_text("Right, and your choice.")).to_be_visible()
    page.screenshot(path=results / "quiz-dark.png")
