"""Does `pytest` notice? A course is built, its files are doctored, and pytest is run on them.

This is the promise of the course: no committed output that a learner would not see.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from rich.console import Console

from kmscourse.authoring.build import build
from kmscourse.authoring.products import Kind

from .conftest import LESSON, NEWCOMER, MiniCourse

PROJECT = Path(__file__).parents[2]


def _change_each(notebook):
    """One character of a stream, one of an error's message, one of HTML."""
    printed, error, html = (cell.outputs for cell in notebook.cells[1:4])
    printed[0].text = printed[0].text.replace("working", "wurking")
    error[0].evalue = error[0].evalue.replace("nothing", "n0thing")
    html[0].data["text/html"] = html[0].data["text/html"].replace("bold", "bald")


def _remove_each(notebook):
    """One of two outputs, an error, one of two forms of a result."""
    printed, error, html = (cell.outputs for cell in notebook.cells[1:4])
    printed.pop(0)
    error.clear()
    del html[0].data["text/html"]


def _do_not_raise(notebook):
    notebook.cells[2].source = "pass"


DOCTORED = {
    "untouched": (lambda notebook: None, []),
    "changed": (_change_each, [0, 1, 2]),
    "removed": (_remove_each, [0, 1, 2]),
    "raises": (_do_not_raise, [1]),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory, someone_else):
    """What pytest says of a folder of solutions, one of them good, run by someone else."""
    mini = MiniCourse(tmp_path_factory.mktemp("nbval") / "course")
    mini.write("lessons/00-first/lesson.py", f"{LESSON}\n{NEWCOMER}")
    mini.write("my-work/progress.json", "{}")
    report = build([mini.product("00-first", Kind.NOTEBOOK)], console=Console(quiet=True))
    good = report.written[0]
    solutions = mini.home / "solutions"
    solutions.mkdir()
    for name, (doctor, _) in DOCTORED.items():
        notebook = nbformat.read(good, as_version=4)
        doctor(notebook)
        nbformat.write(notebook, solutions / f"{name}.ipynb")
    shutil.copy(PROJECT / "conftest.py", mini.home)
    shutil.copy(PROJECT / "pyproject.toml", mini.home)
    options = ["-p", "no:cacheprovider", "-n0", "-rA", "--color=no"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "solutions"],
        cwd=mini.home,
        env={**os.environ, **someone_else},
        capture_output=True,
        text=True,
        check=False,
    ).stdout


@pytest.mark.parametrize("name", DOCTORED)
def test_a_changed_or_removed_output_fails_and_an_untouched_one_passes(run, name):
    _, failing = DOCTORED[name]
    outcomes = re.findall(
        rf"^(PASSED|FAILED) solutions/{name}(?:\.|::)ipynb::Cell (\d)", run, re.MULTILINE
    )
    assert len(outcomes) == 4, run
    assert [int(cell) for outcome, cell in outcomes if outcome == "FAILED"] == failing


def test_how_to_accept_a_new_output_is_said(run):
    assert "kmscourse.authoring build --all changed raises removed\n" in run
