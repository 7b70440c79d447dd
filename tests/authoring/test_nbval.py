"""Does `pytest` notice? A course is built, its files are doctored, and pytest is run on them.

This is the promise of the course: no committed output that a learner would not see.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from rich.console import Console

from kmscourse.authoring.build import build
from kmscourse.authoring.products import Kind

from .conftest import MiniCourse

PROJECT = Path(__file__).parents[2]


def _change_a_character(notebook):
    output = next(c for c in notebook.cells if c.get("outputs")).outputs[0]
    output.text = output.text.replace("working", "wurking")


def _remove_an_output(notebook):
    next(c for c in notebook.cells if c.get("outputs")).outputs.pop(0)


def _remove_all_outputs_of_a_cell(notebook):
    next(c for c in notebook.cells if c.get("outputs")).outputs = []


def _change_an_error(notebook):
    output = next(o for c in notebook.cells for o in c.get("outputs", []) if "ename" in o)
    output.evalue = "'something'"


def _do_not_raise(notebook):
    cell = next(c for c in notebook.cells if c.metadata.get("tags"))
    cell.source = "pass"


def _change_html(notebook):
    output = notebook.cells[3].outputs[0]
    output.data["text/html"] = output.data["text/html"].replace("bold", "bald")


DOCTORED = {
    "untouched": (lambda notebook: None, []),
    "character": (_change_a_character, [0]),
    "output": (_remove_an_output, [0]),
    "outputs": (_remove_all_outputs_of_a_cell, [0]),
    "error": (_change_an_error, [1]),
    "raises": (_do_not_raise, [1]),
    "html": (_change_html, [2]),
}


def _pytest(home, *arguments):
    """Run pytest as the project does: its own options, its own conftest.py."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The output of pytest over a folder of solutions, one of them good."""
    mini = MiniCourse(tmp_path_factory.mktemp("nbval") / "course")
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
    return _pytest(mini.home, "-n0", "-rA", "--color=no", "solutions").stdout


@pytest.mark.parametrize("name", DOCTORED)
def test_a_changed_or_removed_output_fails_and_an_untouched_one_passes(run, name):
    _, failing = DOCTORED[name]
    outcomes = re.findall(
        rf"^(PASSED|FAILED) solutions/{name}(?:\.|::)ipynb::Cell (\d)", run, re.MULTILINE
    )
    assert len(outcomes) == 3, run
    assert [int(cell) for outcome, cell in outcomes if outcome == "FAILED"] == failing


def test_pytest_alone_runs_the_unit_tests_and_every_notebook_and_solution():
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["pytest"]
    options = settings["ini_options"]["addopts"].split()
    assert {"--nbval", "--nbval-current-env"} <= set(options)
    assert options[options.index("--dist") + 1] == "loadscope"  # a notebook's cells stay together
    assert set(settings["ini_options"]["testpaths"]) == {"tests", "notebooks", "solutions"}
