"""The glossary and the lessons hold each other: no term without its sentence, and none too many."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmscourse import course
from kmscourse.authoring import glossary
from kmscourse.authoring.problem import BuildError

PROSE = "# A **data key** is for data. **Predict:** now? See the **AWS CLI**.\n#\n# - **Head**: x"


@pytest.fixture
def told(mini):
    """The small course with two terms, both in its glossary."""
    mini.replace("lessons/01-second/lesson.py", "# A paragraph.", PROSE)
    mini.write(
        "lessons/glossary.yaml",
        "Data key: A key for data.\nAWS CLI: >\n  The program\n  `aws`.\n",
    )
    return mini


def said(mini) -> list[str]:
    found = glossary.problems(mini.home, course.lessons(mini.home))
    return [problem.text(mini.home) for problem in found]


def test_a_term_is_what_stands_in_bold_and_is_no_call(told) -> None:
    assert list(glossary.explained(course.lessons(told.home))) == ["data key", "AWS CLI"]
    assert said(told) == []


def test_the_page_has_each_term_by_the_alphabet_with_its_lesson(told) -> None:
    page = glossary.page(told.home, course.lessons(told.home))
    link = "Lesson [01](../notebooks/01-second.ipynb)."
    assert f"**AWS CLI**: The program `aws`. {link}\n\n**Data key**: A key for data. {link}" in page


def test_what_does_not_hold_together_is_told(told) -> None:
    told.replace("lessons/glossary.yaml", "Data key:", "Data kee:")
    assert said(told) == [
        "lessons/01-second/lesson.py:4: explains 'data key', which is not in "
        "lessons/glossary.yaml.",
        "lessons/glossary.yaml: no lesson explains 'Data kee' in bold.",
    ]


@pytest.mark.parametrize("text", ["- a list", "a: [b]", "{", ""])
def test_what_is_no_glossary_is_refused(told, text: str) -> None:
    told.write("lessons/glossary.yaml", text)
    with pytest.raises(BuildError):
        glossary.read(told.home)


def test_the_page_in_docs_is_what_the_lessons_say() -> None:
    home, lessons = course.root(), course.lessons()
    assert [p.text(home) for p in glossary.problems(home, lessons)] == []
    committed = (Path(home) / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert committed == glossary.page(home, lessons), "Run: make glossary"
