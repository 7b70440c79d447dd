"""A course of its own under a temporary folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from kmscourse import course

ROOT = Path(__file__).resolve().parents[2]

CHECKS = """
from kmscourse.lab import Work, task


@task("first", asks="one: int", minutes=1, hints=["Half of two?", "1"], why="It begins.", wrong=[])
def first(work: Work) -> None:
    work.expect(work.value("one", int) == 1, "That is not one.")


@task("second", asks="two: int", minutes=1, hints=["Twice one?", "2"], why="It goes on.", wrong=[])
def second(work: Work) -> None:
    work.expect(work.value("two", int) == 2, "That is not two.")
"""


def make_home(home: Path) -> Path:
    """A course with this one's lessons and notebooks of a line each."""
    for folder in ("lessons/05-envelopes", "notebooks", "labs"):
        (home / folder).mkdir(parents=True)
    shutil.copy(ROOT / "lessons" / "index.yaml", home / "lessons" / "index.yaml")
    (home / "lessons/05-envelopes/lab.py").touch()
    (home / "lessons/05-envelopes/checks.py").write_text(CHECKS, encoding="utf-8")
    shutil.copy(ROOT / "uv.lock", home / "uv.lock")
    for each in course.lessons(home):
        cells = [new_markdown_cell(f"# {each.title}"), new_code_cell("1 + 1")]
        nbformat.write(new_notebook(cells=cells), each.notebook)
    nbformat.write(
        new_notebook(cells=[new_markdown_cell("# Lab")]), home / "labs/05-envelopes.ipynb"
    )
    return home
