"""Outputs as they are committed: nothing of the machine, nothing that differs from run to run."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

WIDGET = "application/vnd.jupyter.widget-view+json"

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,16}\b|\b0x7[ef][0-9a-f]{10}\b")


def plain(text: str) -> str:
    """The text without terminal colours."""
    return _ANSI.sub("", text)


def normalise(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """The same outputs, without what would differ on another day or another machine.

    Pieces of one stream become one. A widget keeps its static form and loses its model's random
    id, which would point at nothing in a new kernel. A traceback keeps the frames of the notebook
    and loses those of installed packages, whose paths and line numbers are this machine's.
    """
    kept: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream":
            last = kept[-1] if kept else None
            if last is not None and last.output_type == "stream" and last.name == output.name:
                last.text += output.text
                continue
        elif output.output_type == "error":
            output.traceback = _traceback(output.traceback)
        else:
            output.data.pop(WIDGET, None)
            if not output.data:
                continue
        kept.append(output)
    return kept


def _traceback(frames: list[str]) -> list[str]:
    whole = [plain(frame).rstrip() for frame in frames]
    return [frame for frame in whole if not frame.lstrip().startswith("File ")]


def complaints(outputs: Iterable[NotebookNode], home: Path) -> list[str]:
    """What must not be in a committed output, one sentence each."""
    found = []
    private = {str(home), str(Path.home()), tempfile.gettempdir(), "site-packages"} - {"/"}
    for output in outputs:
        if output.output_type == "stream" and output.name == "stderr":
            said = plain(output.text).strip().splitlines()
            found.append(f"it wrote to stderr: {said[0] if said else ''!r}")
        for text in _texts(output):
            address = _ADDRESS.search(text)
            if address:
                found.append(
                    f"its output holds a memory address ({address.group()}), different on every "
                    "run: show a value, or give the object a repr"
                )
            found += [
                f"its output holds a path of this machine ({path})"
                for path in sorted(private)
                if path in text
            ]
    return list(dict.fromkeys(found))


def _texts(output: NotebookNode) -> list[str]:
    """All text of one output: of a stream, of each mime type, of an error."""
    if output.output_type == "stream":
        return [plain(output.text)]
    if output.output_type == "error":
        return [plain(output.evalue), "\n".join(output.traceback)]
    return [
        text if isinstance(text, str) else json.dumps(text)
        for mime, text in output.data.items()
        if mime.startswith("text/") or mime.endswith(("+xml", "json"))
    ]


def digest(cells: Iterable[NotebookNode]) -> str:
    """SHA-256 (hex) over all outputs, pictures and execution counts included.

    nbval compares neither pictures nor widgets; with this, an edited output of any kind is seen.
    """
    ran: list[Any] = [
        [cell.execution_count, cell.outputs] for cell in cells if cell.cell_type == "code"
    ]
    text = json.dumps(ran, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
