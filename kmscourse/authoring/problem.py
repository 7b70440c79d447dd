"""What is wrong, where, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """One thing to mend. `where` is a file; `line` counts from 1, or is None for the whole file."""

    where: Path
    line: int | None
    message: str

    def text(self, home: Path) -> str:
        """`lessons/05-envelopes/lesson.py:12: ...`, with the path as seen from `home`."""
        where = self.where.relative_to(home) if self.where.is_relative_to(home) else self.where
        place = where.as_posix() if self.line is None else f"{where.as_posix()}:{self.line}"
        return f"{place}: {self.message}"


class BuildError(Exception):
    """A notebook could not be built. The message says where and what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem
