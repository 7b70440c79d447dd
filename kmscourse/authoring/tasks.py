"""Which tasks a lesson's checks.py declares, read from its text: nothing is imported or run."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Declared:
    """A task as it is declared: on which line, and which objectives it practises."""

    line: int
    practises: tuple[str, ...] = ()


def declared(checks: Path) -> dict[str, Declared]:
    """Each task's name and its declaration, `@task("seal", practises="05.envelope-by-hand")`.

    Raises SyntaxError where the file is not Python.
    """
    tree = ast.parse(checks.read_text(encoding="utf-8"), filename=str(checks))
    found: dict[str, Declared] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or _called(node.func) != "task":
            continue
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        names = _strings(node.args[0] if node.args else keywords.get("name"))
        for name in names[:1]:
            practises = _strings(keywords.get("practises"))
            found.setdefault(name, Declared(node.lineno, practises))
    return found


def task_names(checks: Path) -> dict[str, int]:
    """Each task's name and the line that declares it. Raises SyntaxError, as `declared` does."""
    return {name: each.line for name, each in declared(checks).items()}


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _strings(node: ast.expr | None) -> tuple[str, ...]:
    """The text, or the texts of a list, that stand there literally."""
    nodes = node.elts if isinstance(node, (ast.List, ast.Tuple)) else [node]
    return tuple(
        each.value
        for each in nodes
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    )
