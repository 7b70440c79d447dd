"""Which tasks a lesson's checks.py declares, read from its text: nothing is imported or run."""

from __future__ import annotations

import ast
from pathlib import Path


def task_names(checks: Path) -> dict[str, int]:
    """Each task's name and the line that declares it, for `@task("seal", ...)`.

    Raises SyntaxError where the file is not Python.
    """
    tree = ast.parse(checks.read_text(encoding="utf-8"), filename=str(checks))
    names: dict[str, int] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or _called(node.func) != "task":
            continue
        given = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "name")]
        for value in given:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                names.setdefault(value.value, node.lineno)
    return names


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
