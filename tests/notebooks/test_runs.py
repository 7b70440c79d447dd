"""What nbval does not try: a learner who runs a cell again, and one who runs a lab untouched."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kmscourse import course
from kmscourse.authoring.execute import execute
from kmscourse.authoring.problem import BuildError
from kmscourse.authoring.products import Kind, Product, unexecuted
from kmscourse.authoring.source import read_cells

HOME = Path(__file__).parents[2]
LESSONS = course.lessons(HOME)
LABS = [lesson for lesson in LESSONS if lesson.has_lab]


def _failure(product, times):
    """What the build would say of running each cell so many times in a row; "" if all is well."""
    written = read_cells(product.source)
    cells = [cell for cell in written for _ in range(times if cell.is_code else 1)]
    try:
        asyncio.run(execute(product, unexecuted(product, cells), cells))
    except BuildError as error:
        return error.problem.text(HOME)
    return ""


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_cell_can_be_run_twice(lesson):
    failure = _failure(Product(lesson, Kind.NOTEBOOK), times=2)
    assert not failure, failure


@pytest.mark.parametrize("lesson", LABS, ids=lambda lesson: lesson.name)
def test_an_untouched_lab_runs_to_its_end(lesson):
    failure = _failure(Product(lesson, Kind.LAB), times=1)
    assert not failure, failure
