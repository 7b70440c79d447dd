"""Cut a solution out of a cell, or show it.

A task's cell in `lessons/<name>/lab.py` holds its solution between two marker comments:

    # %% task="seal"
    def seal(kms, key_id, record):
        \"\"\"Seal the record.\"\"\"
        # begin solution
        # stub: envelope = {}
        # stub: return envelope
        answer = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
        return ...
        # end solution

`stub` gives the learner's cell: what stands between the markers becomes the code of the `# stub:`
lines, or, where there are none, `...  # your code here` with the same indentation. `solved` gives
the cell of the solution: only the markers and the `# stub:` lines vanish.

All of this is text in, text out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

YOUR_CODE = "...  # your code here"

_MARKER = re.compile(r"^(\s*)#\s*(begin|end)\s+solution\s*$", re.IGNORECASE)
_STUB = re.compile(r"^\s*#\s*stub:(?: (.*))?$")


_HEADER = re.compile(r"^# %%(?:%*\s(.*))?$")
_TASK = re.compile(r"""\btask=(["'])(.+?)\1""")
_OTHER_KIND = re.compile(r"\[(?:markdown|md|raw)\]")


class CodeCell(NamedTuple):
    """A code cell of a jupytext percent script. `line` is that of its header, from 1."""

    source: str
    task: str | None
    line: int


def code_cells(script: str) -> list[CodeCell]:
    """The code cells of a percent script, in order.

    It reads what a lab needs at run time; the builder reads the same text with jupytext, which
    takes longer to import than a check takes to run.
    """
    found: list[CodeCell] = []
    header: str | None = None
    lines: list[str] = []
    began = 0

    def finish() -> None:
        if header is not None and not _OTHER_KIND.search(header):
            task = _TASK.search(header)
            source = "\n".join(lines).strip("\n").rstrip()
            found.append(CodeCell(source, task[2] if task else None, began))

    for number, line in enumerate(script.split("\n"), start=1):
        match = _HEADER.match(line)
        if match:
            finish()
            header, lines, began = match[1] or "", [], number
        else:
            lines.append(line)
    finish()
    return found


class MarkerError(ValueError):
    """The solution markers of a cell are not balanced. The message names the line."""


class _Line(NamedTuple):
    kind: Literal["plain", "begin", "end", "stub", "solution"]
    indent: str
    text: str


def has_solution(source: str) -> bool:
    """Whether the cell has any solution marker (balanced or not)."""
    return any(_MARKER.match(line) for line in source.split("\n"))


def stub(source: str) -> str:
    """The cell as the learner gets it. Raises MarkerError; a cell without markers is unchanged."""
    out: list[str] = []
    stubs = 0
    for line in _lines(source):
        if line.kind == "plain":
            out.append(line.text)
        elif line.kind == "begin":
            stubs = 0
        elif line.kind == "stub":
            out.append((line.indent + line.text).rstrip())
            stubs += 1
        elif line.kind == "end" and not stubs:
            out.append(line.indent + YOUR_CODE)
    return "\n".join(out)


def solved(source: str) -> str:
    """The cell with its solution. Raises MarkerError; a cell without markers is unchanged."""
    return "\n".join(line.text for line in _lines(source) if line.kind in ("plain", "solution"))


def _lines(source: str) -> Iterator[_Line]:
    """Each line with what it is. `text` of a stub line is its code, without the comment sign."""
    began = 0
    indent = ""
    length = 0
    for number, text in enumerate(source.split("\n"), start=1):
        marker = _MARKER.match(text)
        if marker and marker[2].lower() == "begin":
            if began:
                raise MarkerError(
                    f"Line {number}: a solution begins, but the one begun in line {began} "
                    "has not ended. Write `# end solution` before it."
                )
            began, indent, length = number, marker[1], 0
            yield _Line("begin", indent, text)
        elif marker:
            if not began:
                raise MarkerError(
                    f"Line {number}: `# end solution` without a `# begin solution` before it."
                )
            if marker[1] != indent:
                raise MarkerError(
                    f"Line {number}: `# end solution` is not indented like the "
                    f"`# begin solution` in line {began}."
                )
            if not length:
                raise MarkerError(f"Line {began}: the solution begun here is empty.")
            began = 0
            yield _Line("end", indent, text)
        elif stub_line := _STUB.match(text):
            if not began or length:
                raise MarkerError(
                    f"Line {number}: `# stub:` lines come directly after `# begin solution`."
                )
            yield _Line("stub", indent, stub_line[1] or "")
        elif began:
            length += bool(text.strip())
            yield _Line("solution", indent, text)
        else:
            yield _Line("plain", "", text)
    if began:
        raise MarkerError(
            f"Line {began}: the solution begun here never ends. Write `# end solution` after it."
        )
