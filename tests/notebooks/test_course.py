"""The lessons of this course and what is committed of them, without running a cell.

Running them is nbval's part: `pytest` collects every notebook and every solution by itself, and
the last tests here see to it that it does.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from kmscourse import course
from kmscourse.authoring import rules, whole
from kmscourse.authoring.committed import differences
from kmscourse.authoring.leaks import leaks
from kmscourse.authoring.products import products

HOME = Path(__file__).parents[2]
LESSONS = course.lessons(HOME)
PRODUCTS = products(LESSONS)


def _told(problems):
    return "\n" + "\n".join(problem.text(HOME) for problem in problems)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_the_text_of_the_lesson_keeps_the_rules(lesson):
    problems = rules.problems(lesson)
    assert not problems, _told(problems)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_what_is_committed_is_what_the_source_says(product):
    problems = differences(product)
    assert not problems, _told(problems)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_no_solution_is_given_away(product):
    problems = leaks(product)
    assert not problems, _told(problems)


def test_lessons_notebooks_labs_and_solutions_hold_the_same_names():
    problems = whole.strays(HOME, LESSONS)
    assert not problems, _told(problems)
    labs = {path.name for path in (HOME / "labs").glob("*.ipynb")}
    solutions = {path.name for path in (HOME / "solutions").glob("*.ipynb")}
    notebooks = {path.name for path in (HOME / "notebooks").glob("*.ipynb")}
    assert notebooks == {f"{lesson.name}.ipynb" for lesson in LESSONS}
    assert labs == solutions == {f"{each.name}.ipynb" for each in LESSONS if each.has_lab}


def test_pytest_alone_runs_the_unit_tests_and_strict_nbval(pytestconfig):
    options = pytestconfig.getini("addopts")
    assert {"--nbval", "--nbval-current-env"} <= set(options)
    assert "--nbval-lax" not in options
    assert not [option for option in options if option.startswith("--nbval-sanitize")]
    assert "--dist loadscope" in " ".join(options)  # a notebook's cells stay on one worker
    assert set(pytestconfig.getini("testpaths")) == {"tests", "notebooks", "solutions"}


def test_nbval_collects_every_code_cell_of_every_notebook_and_solution():
    """pytest is asked what it would run, with the options of this project and no others."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-n0", "notebooks", "solutions"],
        cwd=HOME,
        capture_output=True,
        text=True,
        check=False,
    )
    collected = dict(line.rsplit(": ", 1) for line in run.stdout.splitlines() if ".ipynb: " in line)
    expected = Counter(
        path.relative_to(HOME).as_posix()
        for folder in ("notebooks", "solutions")
        for path in sorted((HOME / folder).rglob("*.ipynb"))
        if ".ipynb_checkpoints" not in path.parts
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
    )
    assert expected
    assert collected == {path: str(count) for path, count in expected.items()}, run.stdout
