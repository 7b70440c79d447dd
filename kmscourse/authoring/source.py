"""Read a jupytext percent script as cells that know their line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jupytext

from kmscourse.authoring.problem import BuildError, Problem

_HEADER = re.compile(r"^# %%(?:%*\s.*)?$")

_JUPYTEXT_ONLY = ("lines_to_next_cell", "lines_to_end_of_cell_marker", "cell_marker")
"""Metadata with which jupytext remembers the layout of the text. Not part of the notebook."""


@dataclass(frozen=True)
class Cell:
    """A cell as it is written. `line` is that of its `# %%` header, from 1."""

    kind: str
    source: str
    line: int
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def is_code(self) -> bool:
        return self.kind == "code"

    @property
    def tags(self) -> list[str]:
        return [str(tag) for tag in self.metadata.get("tags", [])]

    @property
    def task(self) -> str | None:
        """The name of the task that this cell answers, from `# %% task="seal"`."""
        task = self.metadata.get("task")
        return None if task is None else str(task)

    @property
    def shows(self) -> tuple[str, ...]:
        """The objectives that this cell shows, from `# %% shows="07.on-demand"` or a list."""
        shown = self.metadata.get("shows", ())
        return (shown,) if isinstance(shown, str) else tuple(str(each) for each in shown)

    def line_of(self, text: str) -> int:
        """The line of the script on which `text` stands; the cell's own line if nowhere."""
        for offset, line in enumerate(self.source.splitlines(), start=1):
            if text.strip() and line.strip() == text.strip():
                return self.line + offset
        return self.line


def read_cells(path: Path) -> list[Cell]:
    """The cells of a percent script, in order.

    Raises BuildError where the file cannot be read, or where its cells cannot be told apart
    (then no message could name a line).
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BuildError(Problem(path, None, f"cannot be read: {error.strerror}.")) from error
    except UnicodeDecodeError as error:
        raise BuildError(Problem(path, None, f"is not UTF-8 text: {error.reason}.")) from error
    lines = [n for n, line in enumerate(text.splitlines(), start=1) if _HEADER.match(line)]
    try:
        found = jupytext.reads(text, fmt="py:percent").cells
    except Exception as error:  # jupytext raises many kinds; all mean the same to an author
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BuildError(Problem(path, None, f"jupytext cannot read it: {said}.")) from error
    if len(found) != len(lines):
        raise BuildError(
            Problem(
                path,
                lines[0] if lines else 1,
                f"has {len(lines)} lines that begin a cell (`# %%`) but {len(found)} cells. Start "
                "with a `# %%` line, leave nothing before it, and keep `# %%` out of strings.",
            )
        )
    return [
        Cell(
            kind=str(cell.cell_type),
            source=str(cell.source),
            line=line,
            metadata={k: v for k, v in cell.metadata.items() if k not in _JUPYTEXT_ONLY},
        )
        for cell, line in zip(found, lines, strict=True)
    ]
