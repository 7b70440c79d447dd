"""The command `course`, run in this process, in a course of its own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kmscourse import cli, course

from .homes import make_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(course.HOME_VARIABLE, str(tmp_path / "course"))
    return make_home(tmp_path / "course")


@dataclass
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `course ...` in this process, with all that main() does around it."""

    def go(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["course", *arguments])
        code: Any = 0
        try:
            cli.main()
        except SystemExit as stopped:
            code = stopped.code or 0
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Said(int(code), said.out, said.err)

    return go


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been opened in JupyterLab; none is started."""
    paths: list[str] = []
    monkeypatch.setattr(cli, "_open", lambda path, **options: paths.append(path))
    return paths
