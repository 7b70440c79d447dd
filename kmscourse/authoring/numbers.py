"""Numbers in the prose of a lesson: each that AWS sets must stand in `kmscourse.facts`.

A quantity is AWS's unless the lesson's own code has the number: then it is what the learner made,
counts or tries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from kmscourse import facts
from kmscourse.authoring.source import Cell
from kmscourse.facts.quantities import numbers, of_fact, quantities

_CODE_SPAN = re.compile(r"`[^`\n]*`|\]\([^)\s]*\)")


def unsourced(cells: Sequence[Cell]) -> Iterator[tuple[int, str]]:
    """The quantities in markdown cells that no fact and no code of the lesson has: (line, text)."""
    own = frozenset().union(*(numbers(cell.source) for cell in cells if cell.is_code))
    for cell in cells:
        if cell.is_code:
            continue
        for offset, line in enumerate(cell.source.splitlines(), start=1):
            for words, found in quantities(_CODE_SPAN.sub("", line)):
                if found - own - _register():
                    yield cell.line + offset, words


@cache
def _register() -> frozenset[str]:
    """Every number that stands in a fact."""
    return frozenset().union(*map(of_fact, facts.everything()))
