"""Does a learner's lab give the solution away?"""

from __future__ import annotations

import re

from kmscourse.authoring.committed import read_notebook
from kmscourse.authoring.problem import Problem
from kmscourse.authoring.products import Kind, Product
from kmscourse.authoring.source import read_cells

_MARKER = re.compile(r"#\s*(begin|end)\s+solution\b|#\s*(stub):\s*(.*)", re.IGNORECASE)


def leaks(product: Product) -> list[Problem]:
    """Lines of a solution, or its markers, in a built lab; markers in any other built file.

    The solution's lines are read from lab.py here, by themselves, so that a mistake of the
    cutting cannot hide itself. Lines that the learner is given elsewhere are no secret.
    Raises BuildError where a file cannot be read.
    """
    if not product.path.is_file():
        return []
    notebook = read_notebook(product.path)
    secret = _secret(product) if product.kind is Kind.LAB else set()
    found = []
    for number, cell in enumerate(notebook.cells, start=1):
        lines = {line.strip() for line in cell.source.splitlines()}
        found += [
            Problem(product.path, None, f"cell {number} still holds the marker {line!r}.")
            for line in sorted(filter(_MARKER.search, lines))
        ]
        found += [
            Problem(product.path, None, f"cell {number} gives a solution away: {line!r}.")
            for line in sorted(lines & secret)
        ]
    return found


def _secret(product: Product) -> set[str]:
    inside: set[str] = set()
    outside: set[str] = set()
    for cell in read_cells(product.source):
        into = outside
        for line in map(str.strip, cell.source.splitlines()):
            marker = _MARKER.search(line)
            if marker is None:
                into.add(line)
            elif marker[2]:  # "# stub: ..." is what the learner gets instead
                outside.add(marker[3].strip())
            else:
                into = inside if marker[1].lower() == "begin" else outside
    return inside - outside - {""}
