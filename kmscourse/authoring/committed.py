"""Is what is committed what the source says? Asked without running anything."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from kmscourse.authoring.outputs import digest
from kmscourse.authoring.problem import BuildError, Problem
from kmscourse.authoring.products import Product, unexecuted
from kmscourse.authoring.source import Cell, read_cells

BUILD = "Run `make build`."


def differences(product: Product, cells: list[Cell] | None = None) -> list[Problem]:
    """Everything in which the committed file is not what `make build` would leave there.

    The outputs themselves are not run again here; nbval does that. What is seen is whether they
    are those that the build wrote. Raises BuildError where the source cannot be read.
    """
    path = product.path
    if not path.is_file():
        return [Problem(path, None, f"is missing. {BUILD}")]
    cells = read_cells(product.source) if cells is None else cells
    expected = unexecuted(product, cells)
    try:
        found = read_notebook(path)
    except BuildError as error:
        return [error.problem]
    pairs = zip(expected.cells, found.cells, cells, strict=False)
    return (
        _about(path, expected, found)
        + _count(path, expected, found)
        + [p for n, pair in enumerate(pairs, start=1) for p in _cell(product, n, *pair)]
        + (_executed if product.executed else _unexecuted)(path, found)
    )


def read_notebook(path: Path) -> NotebookNode:
    """The notebook in a file, as it is there: nothing added. BuildError where it is none."""
    try:
        notebook: NotebookNode = nbformat.reader.reads(path.read_text(encoding="utf-8"))
        nbformat.validate(notebook)
    except (AttributeError, KeyError, TypeError, ValueError, nbformat.ValidationError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BuildError(Problem(path, None, f"is not a notebook: {said}. {BUILD}")) from error
    return notebook


def _about(path: Path, expected: NotebookNode, found: NotebookNode) -> list[Problem]:
    metadata = dict(found.metadata)
    course = dict(metadata.get("kmscourse", {}))
    course.pop("outputs", None)
    metadata["kmscourse"] = course
    wanted = dict(expected.metadata)
    wanted["kmscourse"] = dict(wanted["kmscourse"])
    problems = []
    if course.pop("inputs", None) != wanted["kmscourse"].pop("inputs", None):
        said = "was built from other text than its lesson has now. "
        problems.append(Problem(path, None, said + BUILD))
    if metadata != wanted or (found.nbformat, found.nbformat_minor) != (4, 5):
        said = "has other notebook metadata than the build writes; was it saved by hand? "
        problems.append(Problem(path, None, said + BUILD))
    return problems


def _count(path: Path, expected: NotebookNode, found: NotebookNode) -> list[Problem]:
    if len(expected.cells) == len(found.cells):
        return []
    said = f"has {len(found.cells)} cells; its source has {len(expected.cells)}. "
    return [Problem(path, None, said + BUILD)]


def _cell(
    product: Product, number: int, expected: NotebookNode, found: NotebookNode, cell: Cell
) -> list[Problem]:
    source = product.source.relative_to(product.lesson.home).as_posix()
    differs = [
        what
        for what in ("cell_type", "source", "metadata", "id")
        if expected.get(what) != found.get(what)
    ]
    if not differs:
        return []
    said = f"cell {number} differs from {source}:{cell.line} in {', '.join(differs)}. "
    return [Problem(product.path, None, said + BUILD)]


def _executed(path: Path, found: NotebookNode) -> list[Problem]:
    code = [(n, c) for n, c in enumerate(found.cells, start=1) if c.cell_type == "code"]
    problems = [
        Problem(path, None, f"cell {n} was not executed: it has no execution count. {BUILD}")
        for n, cell in code
        if cell.execution_count is None
    ]
    if not problems and [c.execution_count for _, c in code] != list(range(1, len(code) + 1)):
        problems.append(
            Problem(path, None, f"was not executed from top to bottom in one go. {BUILD}")
        )
    if code and not any(cell.outputs for _, cell in code):
        problems.append(Problem(path, None, f"has no outputs at all. {BUILD}"))
    if found.metadata.get("kmscourse", {}).get("outputs") != digest(found.cells):
        said = "has outputs that the build did not write: one was changed or removed by hand. "
        problems.append(Problem(path, None, said + BUILD))
    return problems


def _unexecuted(path: Path, found: NotebookNode) -> list[Problem]:
    return [
        Problem(path, None, f"cell {n} is a learner's to run, but it has outputs. {BUILD}")
        for n, cell in enumerate(found.cells, start=1)
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None)
    ]
