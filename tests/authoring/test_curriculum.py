"""The curriculum and its coverage: on a course in miniature each gap is found, and the real course
has none."""

from __future__ import annotations

import pytest

from kmscourse import course
from kmscourse.authoring import curriculum
from kmscourse.authoring.problem import BuildError

CURRICULUM = """\
notes:
  - {id: one, says: "The first | bullet", objective: 01.first}
objectives:
  - {id: 01.first, says: First}
  - {id: 01.second, says: Second}
  - {id: 09.later, says: Of a lesson that is not there}
"""
QUESTIONS = """\
lesson: 01-second
questions:
""" + "".join(
    f"""\
  - id: about-{name}
    objective: 01.{name}
    difficulty: 1
    kind: single
    stem: A clinic has a key. What does it do?
    options:
      - {{text: This, right: true, why: Because.}}
      - {{text: That, right: false, why: Not so.}}
      - {{text: Those, right: false, why: Nor so.}}
      - {{text: Them, right: false, why: Never so.}}
    facts: []
    sources: [here]
    as_of: 2026-11-25
"""
    for name in ("first", "second")
)


@pytest.fixture
def taught(mini):
    """The small course, with everything taught that its curriculum lists."""
    mini.write("lessons/curriculum.yaml", CURRICULUM)
    mini.write("lessons/01-second/questions.yaml", QUESTIONS)
    (mini.home / "lessons/00-first/questions.yaml").unlink()
    mini.replace(
        "lessons/01-second/lesson.py",
        "# %%\nanswer",
        '# %% shows=["01.first", "01.second"]\nanswer',
    )
    mini.replace("lessons/01-second/checks.py", 'task("one"', 'task("one", practises="01.first"')
    return mini


def found(mini):
    lessons = course.lessons(mini.home)
    coverage = curriculum.coverage(mini.home, lessons)
    amiss = coverage.problems + curriculum.gaps(coverage, lessons)
    return coverage, [problem.text(mini.home) for problem in amiss]


def test_what_is_taught_is_found_with_its_place(taught):
    coverage, amiss = found(taught)
    assert amiss == []
    places = coverage.of(coverage.curriculum.notes[0])
    assert places.shown == ["lessons/01-second/lesson.py:6"]
    assert places.practised == ["01 one"]
    assert places.asked == ["about-first"]
    page = curriculum.page(coverage)
    assert (
        "| The first \\| bullet | [01-second](../notebooks/01-second.ipynb) | `01 one` | 1 |"
        in page
    )


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("lesson.py", 'shows=["01.first", "01.second"]', "", "01.first is not shown."),
        ("lesson.py", 'shows=["01.first", "01.second"]', "", "01.second is not shown."),
        ("lesson.py", '"01.second"', '"01.sekond"', "lesson.py:6: a cell names the objective"),
        ("checks.py", 'practises="01.first"', "practises=[]", "01.first is not practised."),
        ("checks.py", 'practises="01.first"', 'practises="1"', "checks.py:1: 01 one names the"),
        ("questions.yaml", "objective: 01.second", "objective: 01.first", "01.second is not asked"),
        ("questions.yaml", "objective: 01.first", "objective: 01.third", "questions.yaml:3: about"),
    ],
)
def test_each_gap_is_told(taught, file, old, new, said):
    taught.replace(f"lessons/01-second/{file}", old, new)
    assert any(said in text for text in found(taught)[1]), found(taught)[1]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("objective: 01.first}", "objective: 01.none}", "names the objective 01.none"),
        ("id: 01.second", "id: 01.first", "lists the objective 01.first twice"),
        ("says: Second", "say: Second", "cannot be used"),
    ],
)
def test_a_curriculum_that_does_not_hold_together_is_refused(taught, old, new, said):
    taught.replace("lessons/curriculum.yaml", old, new)
    with pytest.raises(BuildError, match=said):
        curriculum.read(taught.home)


def test_every_lesson_there_is_keeps_what_the_curriculum_promises():
    home, lessons = course.root(), course.lessons()
    coverage = curriculum.coverage(home, lessons)
    amiss = coverage.problems + curriculum.gaps(coverage, lessons)
    assert [problem.text(home) for problem in amiss] == []


def test_the_page_in_docs_is_what_the_lessons_teach():
    home = course.root()
    committed = (home / "docs" / "coverage.md").read_text(encoding="utf-8")
    found = curriculum.coverage(home, course.lessons())
    assert committed == curriculum.page(found), "Run: make coverage"
