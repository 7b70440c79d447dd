"""A course of small lessons, and a real IPython shell to do its labs in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from kmscourse import lab
from kmscourse.course import HOME_VARIABLE
from kmscourse.lab.record import SWITCH

GOOD = Path(__file__).parent / "fixtures" / "good"


class Notebook:
    """A notebook: cells share their names, and what a cell shows is given back."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell

    def run(self, cell: str) -> Any:
        result = self.shell.run_cell(cell, store_history=False)
        result.raise_error()
        return result.result

    def restart(self) -> None:
        """Forget all names, as a kernel does when it is restarted."""
        for name in [name for name in self.names if name not in self.shell.user_ns_hidden]:
            del self.names[name]

    @property
    def names(self) -> dict[str, Any]:
        return self.shell.user_ns


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small course, with a folder `my-work` of its own."""
    copy = tmp_path / "course"
    shutil.copytree(GOOD, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv(HOME_VARIABLE, str(copy))
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setattr(lab, "_session", None)
    return copy


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance(
        config=config, ipython_dir=str(tmp_path_factory.mktemp("ipython"))
    )
    InteractiveShell.clear_instance()


@pytest.fixture
def notebook(home: Path, shell: InteractiveShell) -> Notebook:
    fresh = Notebook(shell)
    fresh.restart()
    return fresh
