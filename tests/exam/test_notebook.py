"""Practice and mock exams as a notebook asks for them, and goes on with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmscourse import exam, facts
from kmscourse.exam.desk import Desk
from kmscourse.exam.papers import PracticeError
from kmscourse.exam.scores import HIGHEST, LOWEST
from kmscourse.views.mock import MockExam
from kmscourse.views.quiz import Item, Quiz


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "lessons").symlink_to(Path(__file__).parents[2] / "lessons")
    monkeypatch.setenv("KMSCOURSE_HOME", str(tmp_path))
    return tmp_path


def ids(view: Quiz | MockExam) -> list[str]:
    return [item.id for item in view.items]


def wrong(item: Item) -> tuple[int, ...]:
    return tuple(n for n in range(len(item.choices)) if n not in item.right)[:1]


def test_practice_goes_on_after_a_restart_and_begins_anew_when_done(home: Path) -> None:
    quiz = exam.practice(lesson="5", count=3)
    assert not (home / "my-work").exists()
    assert quiz.answer(1, *(n + 1 for n in quiz.items[0].right)).ok
    assert not quiz.answer(2, *(n + 1 for n in wrong(quiz.items[1]))).ok

    again = exam.practice(lesson="05-envelopes", count=3)
    assert ids(again) == ids(quiz)
    marked = [again.marked(name) for name in ids(again)]
    assert [each.ok if each else None for each in marked] == [True, False, None]
    assert exam.resume().title == again.title
    again.answer(3, *(n + 1 for n in again.items[2].right))

    fresh = exam.practice(lesson="5", count=3)
    assert all(fresh.marked(name) is None for name in ids(fresh))
    with pytest.raises(PracticeError, match="Nothing is open"):
        exam.resume()
    assert exam.practice(weakness=True).items[0].id == quiz.items[1].id


def test_an_answer_of_a_mock_exam_is_not_shown_at_a_lessons_end() -> None:
    mock = exam.mock("DVA-C02", 5, seed="a")
    mock._said("begin", None, {})
    for item in mock.items:
        mock._said("choose", item, {"chosen": list(item.right)})
    mock._said("finish", None, {})
    for lesson in {Desk().by_id[name].lesson for name in ids(mock)}:
        quiz = exam.check_yourself(lesson, count=None)
        assert all(quiz.marked(name) is None for name in ids(quiz))


def test_a_mock_exam_is_begun_gone_on_with_handed_in_and_reviewed(home: Path) -> None:
    with pytest.raises(PracticeError, match="No mock exam was handed in yet"):
        exam.review()
    mock = exam.mock("SCS-C03", 4, seed="a")
    first, second = mock.items[:2]
    mock._said("choose", first, {"chosen": [0]})  # before it is begun nothing is kept
    assert mock._state["phase"] == "before"
    assert not (home / "my-work").exists()
    mock._said("begin", None, {})
    mock._said("choose", first, {"chosen": list(first.right)})
    mock._said("choose", second, {"chosen": [99]})
    assert "There are choices 1 to" in mock._state["trouble"]
    assert mock._marked == {}, "nothing of what is right reaches the browser before the end"
    mock._said("nonsense", first, {})

    again = exam.mock("SCS-C03", 4)
    assert ids(again) == ids(mock)
    assert again._state["begun"]
    assert again._state["phase"] == "before"
    assert again._state["chosen"] == {first.id: list(first.right)}
    again._said("begin", None, {})
    again._said("finish", None, {})
    assert again._state["phase"] == "over"
    assert again._result["headline"] == "Mock exam SCS-C03: 1 of 4 right."
    assert again._marked[first.id]["ok"]
    assert not again._marked[second.id]["ok"]

    last = exam.review()
    assert last._state["phase"] == "over"
    assert last._result == again._result
    assert ids(exam.mock("SCS-C03", 4, seed="b")) != ids(mock)


def test_what_stands_where_no_widget_runs_does_not_change_with_the_bank() -> None:
    """The committed notebook of lesson 14 must not change when any lesson gets a question."""
    views = [exam.practice(exam="SAA-C03"), exam.practice(weakness=True), exam.mock("SAA-C03", 20)]
    for view in views:
        data, _ = view._repr_mimebundle_()
        for form in ("text/plain", "text/html"):
            assert "Open this notebook in JupyterLab and run the cell" in data[form]
            assert not any(item.stem in data[form] for item in view.items)


def test_a_proof_is_wired_to_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "emscripten")  # played here: no process is started
    quiz = exam.check_yourself("05-envelopes", count=None)
    number = ids(quiz).index("envelope-context-case") + 1
    item = quiz.items[number - 1]
    quiz._from_browser(None, {"do": "prove", "id": item.id}, None)
    assert quiz._proofs == {}, "before the answer it would give it away"
    quiz.answer(number, 1)
    assert quiz._marked[item.id]["provable"]
    quiz._from_browser(None, {"do": "prove", "id": item.id}, None)
    told = quiz._proofs[item.id]
    assert told["state"] == "played"
    assert [each["position"] for each in told["seen"] if each["holds"]] == list(item.right)
    assert [each.holds for each in quiz.prove(number)] == [choice.right for choice in item.choices]
    unproved = ids(quiz).index("envelope-commitment-two-plaintexts") + 1
    with pytest.raises(ValueError, match="has no proof"):
        quiz.prove(unproved)
    quiz._from_browser(None, {"do": "again", "id": item.id}, None)
    assert quiz._proofs == {}


def test_a_proof_that_fails_is_told_and_the_quiz_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    quiz = exam.check_yourself("05-envelopes", count=None)
    item = next(item for item in quiz.items if item.provable)

    def breaks(_: str) -> None:
        raise RuntimeError("the scenario broke")

    monkeypatch.setattr(quiz, "_prove", breaks)
    quiz.answer(quiz.items.index(item) + 1, 1)
    quiz._from_browser(None, {"do": "prove", "id": item.id}, None)
    assert quiz._proofs[item.id]["state"] == "failed"
    assert "the scenario broke" in quiz._proofs[item.id]["trouble"]


def test_the_scale_of_the_score_is_the_registers() -> None:
    assert facts.value("EXM-01") == {"lowest": LOWEST, "highest": HIGHEST}
