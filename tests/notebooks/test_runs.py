"""What nbval does not try: a learner who runs a cell again, and one who runs a lab untouched."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kmscourse import cloud, course
from kmscourse.authoring.execute import execute
from kmscourse.authoring.products import Kind, Product, unexecuted
from kmscourse.authoring.source import read_cells
from kmscourse.lab import record
from kmscourse.lab.cells import code_cells, stub
from kmscourse.lab.contract import run

HOME = Path(__file__).parents[2]
LESSONS = course.lessons(HOME)


def _run_twice(product):
    """The notebook with each cell run twice in a row, and the cells as written.

    Raises BuildError, as the build would.
    """
    written = read_cells(product.source)
    cells = [cell for cell in written for _ in range(2 if cell.is_code else 1)]
    notebook = unexecuted(product, cells)
    asyncio.run(execute(product, notebook, cells))
    return notebook, cells


def _shown(node):
    """What a cell shows, without the numbers that count executions and widgets."""
    return [
        output.get("text")
        or output.get("evalue")
        or {kind: data for kind, data in output.get("data", {}).items() if "widget" not in kind}
        for output in node.outputs
    ]


def _of(lesson):
    """A class of tests for one lesson: classes spread over the workers, a module would not."""

    class Runs:
        def test_every_cell_can_be_run_twice_and_shows_the_same(self):
            """But for what is random by nature (nbval-ignore-output), and where time goes on
            (moves-on)."""
            notebook, cells = _run_twice(Product(lesson, Kind.NOTEBOOK))
            twice = [
                (cell, _shown(first), _shown(second))
                for cell, again, first, second in zip(
                    cells, cells[1:], notebook.cells, notebook.cells[1:], strict=False
                )
                if cell is again and "nbval-ignore-output" not in cell.tags
            ]
            assert twice
            differ = [cell.line for cell, first, second in twice if first != second]
            assert differ == [cell.line for cell, *_ in twice if "moves-on" in cell.tags]

        @pytest.mark.skipif(not lesson.has_lab, reason="there is no lab")
        def test_an_untouched_lab_runs_to_its_end(self, monkeypatch):
            """Each cell twice. In this process: what a kernel adds is tried with the solutions,
            under nbval."""
            monkeypatch.setenv(record.SWITCH, "off")
            names = {"__name__": "__main__"}
            try:
                cells = code_cells(lesson.lab_source.read_text(encoding="utf-8"))
                for cell in (each for each in cells for _ in range(2)):
                    assert run(stub(cell.source), names, f"lab.py:{cell.line}") == ""
            finally:
                cloud.stop()

    return Runs


for _lesson in LESSONS:
    globals()[f"TestLesson{_lesson.number}"] = _of(_lesson)
