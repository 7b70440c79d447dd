"""Write the notebooks that are out of date."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kmscourse.authoring.committed import differences
from kmscourse.authoring.execute import execute, together
from kmscourse.authoring.outputs import digest
from kmscourse.authoring.problem import BuildError, Problem
from kmscourse.authoring.products import Product, unexecuted
from kmscourse.authoring.source import read_cells

AT_ONCE = 2
"""Kernels at a time: each keeps one core busy, and loads the simulator once more into memory."""


@dataclass
class Report:
    """What a build did. `unchanged` were executed again and came out the same."""

    written: list[Path] = field(default_factory=list)
    unchanged: list[Path] = field(default_factory=list)
    up_to_date: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def build(
    products: Sequence[Product],
    *,
    everything: bool = False,
    console: Console | None = None,
    at_once: int | None = None,
) -> Report:
    """Build what is out of date; `everything` executes all again and writes what came out other.

    A notebook is out of date when its file is not what its source says (see `committed`). That
    does not see a change in the package: nbval does, when the tests run, and `everything` mends it.
    A notebook that fails is not written; the others are.
    """
    report = Report()
    pending = []
    for product in products:
        try:
            if everything or differences(product):
                pending.append(product)
            else:
                report.up_to_date.append(product.path)
        except BuildError as error:
            report.problems.append(error.problem)
    if not pending:
        return report
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console or Console(stderr=True),
    ) as progress:
        jobs = [partial(_one, product, report, progress) for product in pending]
        at_once = at_once or min(AT_ONCE, os.cpu_count() or 1)
        outcomes = asyncio.run(together(jobs, at_once))
    for outcome in outcomes:
        if isinstance(outcome, BuildError):
            report.problems.append(outcome.problem)
        elif outcome is not None:
            raise outcome
    return report


async def _one(product: Product, report: Report, progress: Progress) -> None:
    cells = read_cells(product.source)
    notebook = unexecuted(product, cells)
    total = sum(cell.is_code for cell in cells) if product.executed else 1
    task = progress.add_task(product.name, total=total)
    step: Callable[[], Any] = partial(progress.advance, task)
    if product.executed:
        await execute(product, notebook, cells, step)
        notebook.metadata["kmscourse"]["outputs"] = digest(notebook.cells)
    else:
        step()
    (report.written if write(product.path, notebook) else report.unchanged).append(product.path)


def write(path: Path, notebook: NotebookNode) -> bool:
    """Write the notebook unless the file already says exactly this. Whole or not at all."""
    nbformat.validate(notebook)
    content = (nbformat.writes(notebook, version=4).rstrip("\n") + "\n").encode("utf-8")
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.part")
    half.write_bytes(content)
    os.replace(half, path)
    return True
