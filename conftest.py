"""Notebooks run under pytest as they are built: as for a learner who has not begun."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from nbval.plugin import IPyNbFile

from kmscourse.authoring.newcomer import newcomer
from tests.kernels import warm

# A busy machine is not a failing test: examples are counted, never timed.
settings.register_profile("course", deadline=None)
settings.load_profile("course")

_SURROUNDINGS = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    surroundings = ExitStack()
    config.stash[_SURROUNDINGS] = surroundings
    config.add_cleanup(surroundings.close)
    warm(surroundings)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """nbval starts a notebook's kernel with its first cell: give it a newcomer's environment."""
    notebook = item.getparent(IPyNbFile)
    if notebook is None or notebook.kernel is not None:
        return (yield)
    environment = item.config.stash[_SURROUNDINGS].enter_context(newcomer(item.config.rootpath))
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - environment.keys():
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where an output differs, say how to accept the new one."""
    paths = {report.nodeid.partition("::")[0] for report in terminalreporter.getreports("failed")}
    names = sorted({Path(path).stem for path in paths if path.endswith(".ipynb")})
    if names:
        terminalreporter.write_sep("-", "an output is not the committed one")
        terminalreporter.write_line("If the new output is right, build it anew:")
        command = "tools/run --dev python -m kmscourse.authoring build --all"
        terminalreporter.write_line(f"    {command} {' '.join(names)}")
