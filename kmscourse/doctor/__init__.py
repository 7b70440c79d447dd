"""What is wrong with an installation, and how to mend it: `course doctor`."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from kmscourse.doctor.checks import CHECKS
from kmscourse.doctor.finding import Check, Finding, Level

__all__ = ["CHECKS", "Check", "Finding", "Level", "examine"]

_STYLES = {Level.WELL: "green", Level.NOTE: "yellow", Level.WRONG: "bold red"}


def examine(checks: Iterable[Check] = CHECKS, console: Console | None = None) -> bool:
    """Run the checks, tell what each found as it is found, and return whether nothing is wrong."""
    console = console or Console(soft_wrap=True, highlight=False)
    wrong = 0
    for check in checks:
        for finding in _run(check):
            wrong += finding.level is Level.WRONG
            console.print(Text(f"{finding.level.value:<6}", _STYLES[finding.level]), finding.text)
            if finding.remedy:
                console.print(f"       -> {finding.remedy}", markup=False)
    if wrong:
        console.print(f"\n{wrong} {'thing is' if wrong == 1 else 'things are'} wrong.")
    else:
        console.print("\nNothing is wrong: the course can start.")
    return not wrong


def _run(check: Check) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:  # a doctor must not faint
        what = (check.__doc__ or check.__name__).partition("\n")[0].rstrip(".")
        return [
            Finding(
                Level.WRONG,
                f"This could not be examined: {what}. {type(error).__name__}: {error}",
                "Please report this line to the authors of the course.",
            )
        ]
