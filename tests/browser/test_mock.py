"""The mock exam as a learner takes it: by keyboard, over a reload, to the report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from kmscourse.exam.answers import Answers
from kmscourse.exam.desk import Desk as ExamDesk
from kmscourse.exam.notebook import mock_view
from kmscourse.exam.questions import Question
from kmscourse.exam.sittings import Sitting, Sittings
from kmscourse.views._asked import Seen
from kmscourse.views.mock import MockExam
from tests.browser.jupyter import PROJECT, Desk, write_notebook
from tests.browser.quiz_page import open_quiz
from tests.browser.test_quiz import _luminance


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 860, "height": 900})
    page.set_default_timeout(5000)
    yield page
    page.close()


@pytest.fixture
def desk_of(tmp_path: Path) -> ExamDesk:
    return ExamDesk(answers=Answers(tmp_path / "answers.json"), sittings=Sittings(tmp_path / "e"))


def mock(desk: ExamDesk, count: int = 4, **options: Any) -> MockExam:
    return mock_view(desk, desk.mock_paper("SCS-C03", count, seed="browser", **options))


def kept(desk: ExamDesk) -> Sitting:
    (sitting,) = desk.sittings.all()
    return sitting


def test_by_keyboard_alone_from_begin_to_the_last_reason(page: Page, desk_of: ExamDesk) -> None:
    exam = mock(desk_of)
    trouble = open_quiz(page, exam)
    keyboard = page.keyboard
    expect(page.get_by_text("4 questions in 11 minutes.")).to_be_visible()
    keyboard.press("Tab")
    expect(page.get_by_role("button", name="Begin")).to_be_focused()
    assert desk_of.sittings.all() == ()  # nothing runs before it is begun
    keyboard.press("Enter")
    expect(page.get_by_text("Question 1 of 4")).to_be_visible()
    expect(page.get_by_role("timer")).to_contain_text("Time left 0:1")
    for number, item in enumerate(exam.items[:3], start=1):
        for position in item.right:
            keyboard.press(str(position + 1))
        expect(page.get_by_text("Saved.")).to_be_visible()
        assert kept(desk_of).chosen[item.id] == tuple(item.choices[p].text for p in item.right)
        expect(page.get_by_text(f"{number} of 4 answered")).to_be_visible()
        if number == 2:
            keyboard.press("f")
            expect(page.get_by_role("button", name="Flagged F")).to_have_attribute(
                "aria-pressed", "true"
            )
        keyboard.press("n")
    assert kept(desk_of).flags == {exam.items[1].id}
    expect(page.get_by_text(exam.items[0].choices[0].why)).to_have_count(0)
    keyboard.press("t")
    expect(page.get_by_role("timer")).to_be_hidden()
    keyboard.press("r")
    expect(page.get_by_text("1 not answered, 1 flagged.")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile(r"^2\..*flagged, answered$"))).to_be_visible()
    page.get_by_role("button", name="Hand in").focus()
    keyboard.press("Enter")
    expect(page.get_by_text("1 question without a whole answer.")).to_be_visible()
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(page.get_by_text("Mock exam SCS-C03: 3 of 4 right.").first).to_be_visible()
    expect(page.get_by_text("1 was not answered, which counts as wrong.")).to_be_visible()
    expect(page.get_by_text("Scaled score, our estimate: 775")).to_be_visible()
    expect(page.get_by_text(exam.items[0].choices[0].why)).to_be_visible()
    keyboard.press("n")
    keyboard.press("n")
    keyboard.press("n")
    expect(page.get_by_text("Question 4 of 4")).to_be_visible()
    expect(page.locator(".kq-result")).to_have_text("Not answered.")
    assert kept(desk_of).finished is not None
    assert trouble == []


def test_it_goes_on_where_it_stopped_and_two_tabs_share_it(page: Page, desk_of: ExamDesk) -> None:
    paper = desk_of.mock_paper("SCS-C03", 4, seed="browser")
    first = mock_view(desk_of, paper)
    first._said("begin", None, {})
    first._said("choose", first.items[0], {"chosen": first.items[0].right})
    again = mock_view(desk_of, desk_of.going(paper, True) or paper)
    trouble = open_quiz(page, again)
    expect(page.get_by_text("You have begun: 1 of 4 answered.")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("Question 2 of 4")).to_be_visible()
    first._said("choose", first.items[2], {"chosen": [1]})  # in the other tab
    page.get_by_role("radio").first.click()
    expect(page.get_by_text("3 of 4 answered")).to_be_visible()
    first._said("finish", None, {})
    page.get_by_role("radio").nth(1).click()
    expect(page.get_by_text(re.compile("Mock exam SCS-C03: . of 4 right.")).first).to_be_visible()
    assert kept(desk_of).chosen[again.items[1].id] == (again.items[1].choices[0].text,)
    assert trouble == []


def test_a_silent_kernel_is_spoken_of_and_the_choice_is_kept_once_it_answers(
    page: Page, desk_of: ExamDesk
) -> None:
    silent = [False]
    exam = mock(desk_of)
    trouble = open_quiz(page, exam, deaf=lambda: silent[0])
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_text("Question 1 of 4")).to_be_visible()
    page.clock.install()
    silent[0] = True
    page.keyboard.press("1")
    expect(page.get_by_text("Saving…")).to_be_visible()
    page.clock.fast_forward(6000)
    expect(page.locator(".kq-note").first).to_contain_text("The kernel does not answer")
    assert exam.items[0].id not in kept(desk_of).chosen
    silent[0] = False
    page.keyboard.press("f")
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert kept(desk_of).chosen[exam.items[0].id] == (exam.items[0].choices[0].text,)
    assert trouble == []


def test_what_cannot_be_kept_is_told(
    page: Page, desk_of: ExamDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    trouble = open_quiz(page, mock(desk_of))
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_text("Question 1 of 4")).to_be_visible()
    monkeypatch.setattr(desk_of.sittings, "choose", full)
    page.keyboard.press("2")
    expect(page.get_by_role("alert")).to_contain_text("could not be kept: the disk is full")
    expect(page.get_by_text("Saved.")).to_have_count(0)
    monkeypatch.undo()
    page.keyboard.press("3")
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert trouble == []


def test_when_the_time_is_up_it_is_handed_in(page: Page, desk_of: ExamDesk) -> None:
    now = [0.0]
    seat = desk_of.seat(
        desk_of.mock_paper("SCS-C03", 4, seed="browser"), monotonic=lambda: now[0], patience=9999
    )
    exam = mock(desk_of)
    exam._keeper = seat
    exam._come_to = lambda: {"headline": "Time is up", "notes": [], "tables": [], "next": ""}
    trouble = open_quiz(page, exam)
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_text("Question 1 of")).to_be_visible()
    page.keyboard.press("1")
    expect(page.get_by_text("Saved.")).to_be_visible()
    now[0] = 11 * 60
    page.keyboard.press("2")  # too late
    expect(page.get_by_role("heading", name="Time is up")).to_be_visible()
    assert kept(desk_of).chosen[exam.items[0].id] == (exam.items[0].choices[0].text,)
    assert trouble == []


def test_a_proof_is_played_option_by_option(page: Page, desk_of: ExamDesk) -> None:
    def prove(_: str) -> Iterator[Seen]:
        for position in range(4):
            yield Seen(position, position == 2, f"Number {position + 1} was seen.")

    question = next(q for q in desk_of.questions if q.proof and q.kind == "single")
    paper = desk_of.mock_paper("SCS-C03", 4, seed="browser")
    exam = mock_view(desk_of, type(paper)(paper.title, "mock", (question.id,), paper.exam, 3, "x"))
    exam._prove = prove
    trouble = open_quiz(page, exam)
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_text("Question 1 of 1")).to_be_visible()
    expect(page.get_by_role("button", name="Prove it")).to_have_count(0)
    exam._from_browser(None, {"do": "prove", "id": question.id}, None)
    assert exam._proofs == {}  # it would give the answer away
    exam._said("finish", None, {})
    page.get_by_role("button", name="Prove it").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("On the simulator: holds. Number 3 was seen.")).to_be_visible()
    expect(page.get_by_text("On the simulator: fails.")).to_have_count(3)
    expect(page.get_by_role("status")).to_contain_text("Played: 1 of 4 options hold.")
    expect(page.get_by_role("button", name="Prove it again")).to_be_focused()
    assert trouble == []


PAIRS = """() => [...document.querySelectorAll(".kv-mock *")]
  .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
  .filter((e) => !e.closest(".kv-hidden, [hidden]") && !e.disabled)
  .map((e) => {
    let ground = e;
    while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)")
      ground = ground.parentElement;
    return [getComputedStyle(e).color, getComputedStyle(ground).backgroundColor,
            e.className || e.tagName];
  })"""


@pytest.mark.parametrize("light", [True, False], ids=["light", "dark"])
def test_every_text_has_the_contrast_that_aa_asks_for(
    page: Page, desk_of: ExamDesk, light: bool, results: Path
) -> None:
    exam = mock(desk_of, 6)
    open_quiz(page, exam, light=light)
    looks = []

    def look(name: str) -> None:
        page.screenshot(path=results / f"mock-{name}-{'light' if light else 'dark'}.png")
        looks.append(page.evaluate(PAIRS))

    look("before")
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_text("Question 1 of")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Flagged F")).to_be_visible()
    look("going")
    page.keyboard.press("r")
    look("review")
    exam._said("finish", None, {})
    look("over")
    for pairs in looks:
        assert len(pairs) > 5
        for ink, ground, name in pairs:
            dark, bright = sorted((_luminance(ink), _luminance(ground)))
            assert (bright + 0.05) / (dark + 0.05) >= 4.5, (name, ink, ground)


def test_in_jupyterlab_a_mock_exam_over_a_reload_to_the_report(desk: Desk, results: Path) -> None:
    home = desk.server.root / "exam-home"
    home.mkdir()
    (home / "lessons").symlink_to(PROJECT / "lessons")
    begin = f"import os\nos.environ['KMSCOURSE_HOME'] = {str(home)!r}\nfrom kmscourse import exam\n"
    mock = begin + 'exam.mock("SCS-C03", 12, seed="tab")'
    desk.open(write_notebook(desk.server.root, "mock.ipynb", mock, "exam.report()"))
    desk.run_all()
    page, keyboard = desk.page, desk.page.keyboard
    exam = page.locator(".kv-mock")
    exam.get_by_role("button", name="Begin").focus()
    keyboard.press("Enter")
    bank = ExamDesk()
    asked = [bank.by_id[name] for name in bank.mock_paper("SCS-C03", 12, seed="tab").questions]
    for number, question in enumerate(asked[:10], start=1):
        expect(exam.get_by_text(f"Question {number} of 12")).to_be_visible()
        answer(exam, question)
        expect(exam.get_by_text(f"{number} of 12 answered")).to_be_visible()
        expect(exam.get_by_text("Saved.")).to_be_visible()
        keyboard.press("n")
    (file,) = (home / "my-work" / "exams").glob("[!.]*.json")
    assert len(json.loads(file.read_text("utf-8"))["chosen"]) == 10

    desk.reload()
    desk.run_all()
    expect(exam.get_by_text("You have begun: 10 of 12 answered.")).to_be_visible()
    exam.get_by_role("button", name="Go on").focus()
    keyboard.press("Enter")
    expect(exam.get_by_text("Question 11 of 12")).to_be_visible()
    answer(exam, asked[10])
    expect(exam.get_by_text("11 of 12 answered")).to_be_visible()
    desk.theme("JupyterLab Dark")
    exam.get_by_role("radio").or_(exam.get_by_role("checkbox")).first.focus()
    keyboard.press("r")
    exam.get_by_role("button", name="Hand in").focus()
    keyboard.press("Enter")
    exam.get_by_role("button", name="Hand in now").focus()
    keyboard.press("Enter")
    expect(exam.get_by_role("heading", name="Mock exam SCS-C03: 11 of 12 right.")).to_be_focused()
    prove = exam.get_by_role("button", name="Prove it")
    while not prove.is_visible():  # to the first question that has a proof
        keyboard.press("n")
    prove.click()
    expect(exam.get_by_text("On the simulator: ").nth(3)).to_be_visible(timeout=60_000)
    page.screenshot(path=results / "mock-proved-dark.png")
    page.locator(".jp-CodeCell").nth(1).locator(".cm-content").click()
    keyboard.press("Control+Enter")
    report = page.locator(".jp-RenderedHTML", has_text="By lesson")
    expect(report.get_by_text("Mock exam SCS-C03")).to_be_visible(timeout=30_000)
    picture = report.get_by_role("img", name="The tables above as a picture")
    expect(picture).to_be_visible()
    report.scroll_into_view_if_needed()
    page.screenshot(path=results / "mock-report-dark.png")


def answer(exam: Locator, question: Question) -> None:
    """Type the numbers of the right options."""
    for number, option in enumerate(question.presented, start=1):
        if option.right:
            exam.page.keyboard.press(str(number))
