"""Which questions are asked: by what was wished for, by the guide's weights, by the seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscourse import course
from kmscourse.exam import papers
from kmscourse.exam.answers import Answers
from kmscourse.exam.desk import Desk, rules
from kmscourse.exam.papers import PracticeError, mock, pool, practice
from kmscourse.exam.questions import Question, bank
from kmscourse.exam.sittings import Sittings
from kmscourse.facts import exams

BANK = bank()


def many(counts: dict[str, int], exam: str = "SCS-C03") -> list[Question]:
    """A bank with so many questions for each task of an exam, on three objectives each."""
    found = []
    for task, count in counts.items():
        for number in range(count):
            name = f"q-{task.replace('.', '-')}-{number}"
            made = BANK[0].model_copy(
                update={
                    "id": name,
                    "exams": {exam: [task]},
                    "objective": f"05.{'abc'[number % 3]}",
                    "difficulty": 1 + number % 3,
                }
            )
            made._lesson = "05-envelopes"
            found.append(made)
    return found


def test_a_mock_exam_has_the_guides_questions_and_minutes_by_its_weights() -> None:
    paper = mock(many({"5.1": 60, "5.2": 60, "6.1": 90}), "scs", seed="a")
    guide = exams.get("SCS-C03")
    assert len(paper.questions) == len(set(paper.questions)) == guide.questions == 65
    assert paper.minutes == guide.minutes == 170
    domains = Counter(name.split("-")[1] for name in paper.questions)
    assert domains == {"5": 37, "6": 28}  # 18 to 14, of 65
    assert paper.note == ""
    assert paper.exam == "SCS-C03"


def test_a_shorter_form_has_its_share_of_the_minutes_and_of_the_weights() -> None:
    paper = mock(many({"5.1": 60, "6.1": 90}), "SCS-C03", 20, seed="a")
    assert Counter(name.split("-")[1] for name in paper.questions) == {"5": 11, "6": 9}
    assert paper.minutes == 53  # 170 * 20 / 65, rounded up
    assert mock(BANK, "SCS-C03", 5, seed="a", timed=False).minutes is None


def test_too_few_questions_are_said_and_taken() -> None:
    paper = mock(many({"5.1": 3, "6.1": 20}), "SCS-C03", seed="a")
    assert len(paper.questions) == 23  # the domain with more makes up for the other
    assert paper.note == "65 were asked for; 23 questions fit, so these are taken."
    assert paper.note in rules(paper, 23)


@pytest.mark.parametrize("code", [guide.code for guide in exams.current()])
def test_every_exam_that_can_be_taken_has_a_mock_exam(code: str) -> None:
    paper = mock(BANK, code, 5, seed="a")
    fitting = {question.id for question in BANK if code in question.exams}
    assert set(paper.questions) <= fitting
    assert len(paper.questions) == min(5, len(fitting))
    assert all(papers.domain_of(q, code) for q in BANK if q.id in paper.questions)


@given(st.text(max_size=12), st.integers(1, 80))
def test_the_same_seed_gives_thirty_people_the_same_paper(seed: str, count: int) -> None:
    one = mock(BANK, "SCS-C03", count, seed=seed)
    assert one == mock(tuple(reversed(BANK)), "SCS-C03", count, seed=seed)
    assert one.mark == mock(BANK, "SCS-C03", count, seed=seed).mark
    assert practice(BANK, count, seed=seed) == practice(tuple(reversed(BANK)), count, seed=seed)


def test_another_seed_gives_another_paper() -> None:
    marks = {mock(BANK, "SCS-C03", 10, seed=str(n)).mark for n in range(20)}
    assert len(marks) > 15


def test_practice_is_spread_over_what_is_asked_and_easy_first() -> None:
    by_id = {question.id: question for question in BANK}
    asked = [by_id[name] for name in practice(BANK, 12, seed="a").questions]
    assert len({question.objective for question in asked}) == 12
    assert [q.difficulty for q in asked] == sorted(q.difficulty for q in asked)
    assert len(practice(BANK, None, seed="a").questions) == len(BANK)


def test_what_fits_is_by_exam_domain_task_and_lesson() -> None:
    assert {q.lesson for q in pool(BANK, lesson="05-envelopes")} == {"05-envelopes"}
    for question in pool(BANK, exam="SCS-C03", domain="5"):
        assert any(task.startswith("5.") for task in question.exams["SCS-C03"])
    tasks = pool(BANK, exam="scs", domain="5.2", lesson="05-envelopes")
    assert tasks
    assert all("5.2" in question.exams["SCS-C03"] for question in tasks)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"exam": "SAA-C09"}, "There is no exam 'SAA-C09'. There is: SAA-C03"),
        ({"exam": "SCS-C02"}, "There is no exam 'SCS-C02'"),
        ({"exam": "SCS-C03", "domain": "9"}, "SCS-C03 has no domain '9'. It has: 1 Detection"),
        ({"domain": "5"}, "name the exam"),
        ({"exam": "SCS-C03", "domain": "1"}, "no questions yet for the exam SCS-C03 and the dom"),
    ],
)
def test_what_cannot_be_given_is_said(wish: dict[str, str], words: str) -> None:
    with pytest.raises(PracticeError, match=words):
        pool([q for q in BANK if "1.1" not in q.exams.get("SCS-C03", [])], **wish)


def test_a_count_below_one_is_refused(tmp_path: Path) -> None:
    desk = Desk(answers=Answers(tmp_path / "a.json"), sittings=Sittings(tmp_path / "e"))
    for ask in (
        lambda: practice(BANK, 0, seed=""),
        lambda: mock(BANK, "SCS-C03", 0, seed=""),
        lambda: desk.practice_paper(weakness=True, count=0),
    ):
        with pytest.raises(PracticeError, match="at least one"):
            ask()
    with pytest.raises(PracticeError, match="Weakness is your own"):
        desk.practice_paper(weakness=True, seed="a")
    with pytest.raises(course.LessonNotFoundError, match="05-envelopes"):
        desk.practice_paper(lesson="05-envelope")


def test_weakness_asks_first_what_was_missed(tmp_path: Path) -> None:
    desk = Desk(answers=Answers(tmp_path / "a.json"), sittings=Sittings(tmp_path / "e"))
    right, wrong, fresh = BANK[3], BANK[7], BANK[5]
    desk.answers.add(right.id, tuple(o.text for o in right.right), True)
    desk.answers.add(wrong.id, (wrong.options[-1].text,), False)
    ids = desk.practice_paper(weakness=True, count=None).questions
    assert ids[0] == wrong.id
    assert ids[-1] == right.id
    assert ids.index(fresh.id) < ids.index(right.id)
