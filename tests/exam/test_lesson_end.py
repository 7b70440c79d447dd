"""The questions at a lesson's end: which are asked, and that the answers are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmscourse import exam
from kmscourse.course import LessonNotFoundError
from kmscourse.exam.answers import Answers
from kmscourse.exam.lesson_end import choose


@pytest.fixture
def store(tmp_path: Path) -> Answers:
    return Answers(tmp_path / "answers.json")


def test_five_questions_spread_over_the_objectives_easy_ones_first(store: Answers) -> None:
    questions = {q.id: q for q in exam.of_lesson("05-envelopes")}
    quiz = exam.check_yourself("05-envelopes", answers=store)
    asked = [questions[item.id] for item in quiz.items]
    assert len(asked) == 5
    assert len({q.objective for q in asked}) == 5
    assert [q.difficulty for q in asked] == sorted(q.difficulty for q in asked)
    again = exam.check_yourself("5", answers=store)
    assert [item.id for item in again.items] == [item.id for item in quiz.items]


def test_all_questions_can_be_asked(store: Answers) -> None:
    quiz = exam.check_yourself("05-envelopes", count=None, answers=store)
    assert [item.id for item in quiz.items] == [q.id for q in exam.of_lesson("05-envelopes")]
    assert "count=None" not in quiz.text()
    assert "count=None" in exam.check_yourself("05-envelopes", answers=store).text()
    with pytest.raises(ValueError, match="at least one"):
        choose(exam.of_lesson("05-envelopes"), 0)


def test_answers_are_kept_over_a_restart(store: Answers) -> None:
    quiz = exam.check_yourself("05-envelopes", answers=store)
    first, second = quiz.items[:2]
    quiz.answer(1, first.right[0] + 1)
    wrong = next(i for i in range(len(second.choices)) if i not in second.right)
    quiz.answer(2, wrong + 1)

    later = exam.check_yourself("05-envelopes", answers=Answers(store.path))
    one, two = later.marked(first.id), later.marked(second.id)
    assert one is not None
    assert one.ok
    assert two is not None
    assert two.chosen == (wrong,)
    kept = store.last(first.id)
    assert kept is not None
    assert kept.right
    assert kept.chosen == (first.choices[first.right[0]].text,)
    assert later.text() == quiz.text()  # what nbval compares does not move


def test_an_answer_whose_option_was_reworded_since_is_asked_again(store: Answers) -> None:
    quiz = exam.check_yourself("05-envelopes", answers=store)
    store.add(quiz.items[0].id, ("An option that is not there any more.",), True)
    store.add(quiz.items[1].id, tuple(c.text for c in quiz.items[1].choices), False)
    again = exam.check_yourself("05-envelopes", answers=store)
    assert again.marked(quiz.items[0].id) is None
    assert again.marked(quiz.items[1].id) is None  # several, where one can be chosen


def test_the_reasons_come_with_source_date_and_facts(store: Answers) -> None:
    quiz = exam.check_yourself("05-envelopes", count=None, answers=store)
    for item, question in zip(quiz.items, exam.of_lesson("05-envelopes"), strict=True):
        labels = [label for label, _, _ in item.notes]
        assert "Source" in labels
        assert labels[-1] == "As of"
        assert [name for name, _ in item.grounds] == question.facts
        assert [c.text for c in item.choices] == [o.text for o in question.presented]
    notes = {i.id: i.notes for i in quiz.items}["envelope-commitment-upgrade"]
    assert notes[0][0] == "Older material"


def test_where_answers_go_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(__file__).parents[2]
    (tmp_path / "lessons").symlink_to(home / "lessons")
    monkeypatch.setenv("KMSCOURSE_HOME", str(tmp_path))
    quiz = exam.check_yourself("00-start-here")
    assert not (tmp_path / "my-work").exists()
    quiz.answer(1, 1)
    assert (tmp_path / "my-work" / "answers.json").is_file()


def test_a_lesson_without_questions_or_without_existence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LessonNotFoundError, match="05-envelopes"):
        exam.check_yourself("05-envelope")
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "index.yaml").write_text(
        "[{name: 01-x, title: X, minutes: {lesson: 1, lab: 1}, about: x}]", "utf-8"
    )
    monkeypatch.setenv("KMSCOURSE_HOME", str(tmp_path))
    with pytest.raises(exam.NoQuestionsError, match="no questions yet"):
        exam.check_yourself("01-x")
