"""`python -m kmscourse.authoring`, as an author meets it."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from kmscourse.authoring.__main__ import app
from kmscourse.course import HOME_VARIABLE


@pytest.fixture
def run(mini, monkeypatch):
    monkeypatch.setenv(HOME_VARIABLE, str(mini.home))
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_check_names_what_is_wrong_and_builds_nothing(run, mini):
    mini.replace("lessons/01-second/lesson.py", "6 * 7", "6 *")
    result = run("check")
    assert result.exit_code == 1
    assert "✗ lessons/01-second/lesson.py:7: the cell is not Python" in result.output
    assert "✗ notebooks/00-first.ipynb: is missing. Run `make build`." in result.output
    assert result.output.endswith("5 things to mend.\n")
    assert not (mini.home / "labs").exists()


def test_build_one_lesson_writes_it_and_tells_of_every_rule(run, mini):
    mini.write("lessons/00-first/lesson.py", "# %%\n1 + 1\n")
    result = run("build", "first")
    assert result.exit_code == 1
    assert "written    notebooks/00-first.ipynb" in result.output
    assert "✗ lessons/00-first/lesson.py:1: should begin with a markdown cell" in result.output
    assert not (mini.home / "notebooks/01-second.ipynb").exists()
    assert "up to date 1" in run("build", "00").output


def test_a_lesson_of_another_name_is_answered_with_the_nearest(run):
    result = run("build", "secnod")
    assert result.exit_code == 2
    assert "Did you mean '01-second'" in result.output
