"""Where things lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmscourse import course

INDEX = """
- {name: 00-start-here, title: Start here, minutes: {lesson: 10, lab: 0}, about: First steps.}
- {name: 05-envelopes, title: Envelopes, minutes: {lesson: 35, lab: 20}, about: Seal it.}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "index.yaml").write_text(INDEX, encoding="utf-8")
    monkeypatch.setenv(course.HOME_VARIABLE, str(tmp_path))
    return tmp_path.resolve()


def test_the_course_is_found_from_the_package_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(course.HOME_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert (course.root() / "lessons" / "index.yaml").is_file()


def test_the_course_is_found_from_the_current_folder_when_the_package_lies_elsewhere(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = home / "my-work" / "deep"
    inside.mkdir(parents=True)
    monkeypatch.delenv(course.HOME_VARIABLE)
    monkeypatch.setattr(course, "__file__", "/nowhere/site-packages/kmscourse/course.py")
    monkeypatch.chdir(inside)
    assert course.root() == home


def test_a_wrong_home_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(course.HOME_VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(course.CourseNotFoundError, match=r"KMSCOURSE_HOME is set to .*nothing"):
        course.root()


def test_the_lessons_of_this_course_are_well_formed() -> None:
    found = course.lessons()
    assert [each.name for each in found] == sorted(each.name for each in found)
    assert {"00-start-here", "05-envelopes"} <= {each.name for each in found}
    for each in found:
        assert each.title
        assert each.about.endswith(".")
        assert each.minutes.total > 0


@pytest.mark.parametrize(
    "asked", ["05-envelopes", "05", "5", "envelopes", "Envelopes", " 05-envelopes "]
)
def test_a_lesson_has_short_names(home: Path, asked: str) -> None:
    assert course.lesson(asked).name == "05-envelopes"


def test_paths_of_a_lesson(home: Path) -> None:
    found = course.lesson("05")
    assert found.folder == home / "lessons/05-envelopes"
    assert found.lesson_source == home / "lessons/05-envelopes/lesson.py"
    assert found.lab_source == home / "lessons/05-envelopes/lab.py"
    assert found.checks == home / "lessons/05-envelopes/checks.py"
    assert found.questions == home / "lessons/05-envelopes/questions.yaml"
    assert found.teaching == home / "lessons/05-envelopes/teaching.md"
    assert found.notebook == home / "notebooks/05-envelopes.ipynb"
    assert found.lab_notebook == home / "labs/05-envelopes.ipynb"
    assert found.solution_notebook == home / "solutions/05-envelopes.ipynb"
    assert found.work_copy == home / "my-work/05-envelopes.ipynb"
    assert course.work_folder() == home / "my-work"
    assert not found.has_lab
    found.folder.mkdir()
    found.lab_source.touch()
    assert found.has_lab


@pytest.mark.parametrize("asked", ["05-envelope", "envelops", "05_envelopes"])
def test_the_nearest_name_is_suggested(home: Path, asked: str) -> None:
    with pytest.raises(course.LessonNotFoundError, match="Did you mean '05-envelopes'") as caught:
        course.lesson(asked)
    assert caught.value.suggestion == "05-envelopes"


def test_where_nothing_is_near_all_are_listed(home: Path) -> None:
    with pytest.raises(course.LessonNotFoundError, match="00-start-here, 05-envelopes") as caught:
        course.lesson("zzz")
    assert caught.value.suggestion is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not valid YAML"),
        ("just words", "should be a list"),
        ("- {name: 01-x}", "not complete"),
        ("- 7", "not complete"),
        (INDEX + INDEX.strip().splitlines()[0], "'00-start-here' twice"),
    ],
)
def test_a_malformed_index_is_said_plainly(home: Path, text: str, says: str) -> None:
    (home / "lessons" / "index.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(course.CourseError, match=says):
        course.lessons()
