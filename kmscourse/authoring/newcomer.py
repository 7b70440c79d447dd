"""The surroundings in which notebooks are run: those of a learner who has not begun."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kmscourse.course import HOME_VARIABLE

_TASTE = frozenset({"FORCE_COLOR", "NO_COLOR", "MATPLOTLIBRC", "PYTHONSTARTUP", "PYTHONWARNINGS"})
"""What people set in their shell to their taste, and what would show in an output."""


@contextmanager
def newcomer(home: Path) -> Iterator[dict[str, str]]:
    """Environment variables for a kernel: no progress, no settings of the author's own.

    The course's folder is a copy, so that what a lab notes down cannot reach the `my-work` of
    whoever builds or tests, and so that what they did there cannot change an output.
    """
    with tempfile.TemporaryDirectory(prefix="kmscourse-") as folder:
        copy = Path(folder) / "course"
        shutil.copytree(
            home / "lessons", copy / "lessons", ignore=shutil.ignore_patterns("__pycache__")
        )
        kept = {name: value for name, value in os.environ.items() if name not in _TASTE}
        yield {
            **kept,
            HOME_VARIABLE: str(copy),
            "IPYTHONDIR": str(Path(folder) / "ipython"),
            "TZ": "UTC",  # boto3 gives dates in local time
            "COLUMNS": "100",  # rich and argparse fill the terminal they are told of
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else a warning on stderr
        }
