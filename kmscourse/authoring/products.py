"""What is made of a lesson: its notebook, the learner's lab and the solution."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from kmscourse.authoring.problem import BuildError, Problem
from kmscourse.authoring.source import Cell, read_cells
from kmscourse.course import Lesson
from kmscourse.lab.cells import MarkerError, solved, stub

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


class Kind(StrEnum):
    NOTEBOOK = "notebook"
    LAB = "lab"
    SOLUTION = "solution"


@dataclass(frozen=True)
class Product:
    """One file that is built from a lesson."""

    lesson: Lesson
    kind: Kind

    @property
    def name(self) -> str:
        """As a person would say it: "05-envelopes (solution)"."""
        return f"{self.lesson.name} ({self.kind})"

    @property
    def path(self) -> Path:
        return {
            Kind.NOTEBOOK: self.lesson.notebook,
            Kind.LAB: self.lesson.lab_notebook,
            Kind.SOLUTION: self.lesson.solution_notebook,
        }[self.kind]

    @property
    def source(self) -> Path:
        is_notebook = self.kind is Kind.NOTEBOOK
        return self.lesson.lesson_source if is_notebook else self.lesson.lab_source

    @property
    def executed(self) -> bool:
        """A learner fills in the lab; everything else comes with its outputs."""
        return self.kind is not Kind.LAB

    def digest(self) -> str:
        """SHA-256 (hex) over the files of the lesson that its outputs may depend on."""
        digest = hashlib.sha256()
        for path in (self.source, self.lesson.checks, self.lesson.questions):
            content = path.read_bytes() if path.is_file() else b""
            digest.update(f"{path.name}:{len(content)}:".encode())
            digest.update(content)
        return digest.hexdigest()


def products(lessons: Iterable[Lesson]) -> list[Product]:
    """Everything that is built from these lessons, in their order."""
    made = []
    for lesson in lessons:
        made.append(Product(lesson, Kind.NOTEBOOK))
        if lesson.has_lab:
            made += [Product(lesson, Kind.LAB), Product(lesson, Kind.SOLUTION)]
    return made


def unexecuted(product: Product, cells: list[Cell] | None = None) -> NotebookNode:
    """The notebook as the source says it, without outputs. Raises BuildError."""
    if cells is None:
        cells = read_cells(product.source)
    about: dict[str, Any] = {"lesson": product.lesson.name, "kind": str(product.kind)}
    if product.executed:
        about["inputs"] = product.digest()
    identities = _identities(product.lesson.name, cells)
    return new_notebook(
        cells=[_node(product, c, i) for c, i in zip(cells, identities, strict=True)],
        metadata={
            "kernelspec": dict(KERNEL),
            "language_info": {"name": "python"},
            "kmscourse": about,
        },
    )


def _identities(lesson: str, cells: list[Cell]) -> list[str]:
    """An id for each cell that does not change when another cell does.

    A task's cell is called after its task. Others are called after what they say: a position
    would move on every insertion, and a random id would change on every build.
    """
    taken: set[str] = set()
    identities = []
    for cell in cells:
        said = "\0".join((lesson, cell.kind, cell.source))
        stem = _slug(cell.task) if cell.task else hashlib.sha256(said.encode()).hexdigest()[:8]
        identity, again = stem, 2
        while identity in taken:
            identity, again = f"{stem}-{again}", again + 1
        taken.add(identity)
        identities.append(identity)
    return identities


def _slug(task: str) -> str:
    return "task-" + re.sub(r"[^A-Za-z0-9_-]", "-", task)[:40]


def _node(product: Product, cell: Cell, identity: str) -> NotebookNode:
    source = cell.source
    if cell.is_code and product.kind is not Kind.NOTEBOOK:
        try:
            source = stub(source) if product.kind is Kind.LAB else solved(source)
        except MarkerError as error:
            raise BuildError(marker_problem(product.source, cell, error)) from error
    make = {"code": new_code_cell, "markdown": new_markdown_cell}.get(cell.kind, new_raw_cell)
    node: NotebookNode = make(source=source, id=identity, metadata=dict(cell.metadata))
    return node


def marker_problem(path: Path, cell: Cell, error: MarkerError) -> Problem:
    """The error, which counts the lines of its cell, with the line of the file."""
    counted = re.match(r"Line (\d+): (.*)", str(error), re.DOTALL)
    line, said = (int(counted[1]), counted[2]) if counted else (0, str(error))
    return Problem(path, cell.line + line, said)
