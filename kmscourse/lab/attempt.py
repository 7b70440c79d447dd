"""Tell "not attempted" from "wrong": is what the learner has still what they were given?

Functions are compared by what they do, instruction by instruction: comments, blank lines and the
docstring do not count as an attempt. Values are compared with the literal in the stub.
"""

from __future__ import annotations

import ast
import dis
import inspect
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType
from typing import Any

Steps = tuple[Any, ...]


class Stub:
    """What a task's cell defines before the learner has touched it."""

    def __init__(self, source: str) -> None:
        self._literals: dict[str, object] = {}
        self._functions: dict[str, Steps] = {}
        self._classes: dict[str, dict[str, Steps]] = {}
        tree = ast.parse(source)
        for node in tree.body:
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                self._note_literal(node, node.value)
        for inner in _nested(compile(source, "<stub>", "exec", dont_inherit=True)):
            if any(isinstance(n, ast.ClassDef) and n.name == inner.co_name for n in tree.body):
                methods = {method.co_name: steps(method) for method in _nested(inner)}
                self._classes[inner.co_name] = methods
            else:
                self._functions[inner.co_name] = steps(inner)

    def _note_literal(self, node: ast.Assign | ast.AnnAssign, value: ast.expr) -> None:
        try:
            literal = ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name):
                self._literals[target.id] = literal

    def untouched(self, names: Mapping[str, Any], defines: Sequence[str]) -> bool:
        """Whether none of these names has been given anything of the learner's own."""
        return all(self._same(name, names) for name in defines)

    def _same(self, name: str, names: Mapping[str, Any]) -> bool:
        if name not in names:
            return True
        value = names[name]
        if value is ...:
            return True
        if name in self._literals:
            return _equal(value, self._literals[name])
        if name in self._functions:
            found = _code_of(value)
            return found is not None and steps(found) == self._functions[name]
        if name in self._classes and isinstance(value, type):
            methods = {
                key: _code_of(each)
                for key, each in type.__dict__["__dict__"].__get__(value).items()
            }
            return {
                key: steps(found) for key, found in methods.items() if found is not None
            } == self._classes[name]
        return False


def steps(code: CodeType) -> Steps:
    """What code does, without where it stands and without its docstring."""
    return tuple(
        (step.opname, steps(step.argval) if isinstance(step.argval, CodeType) else step.argrepr)
        for step in dis.get_instructions(code)
        if step.opname not in ("NOP", "RESUME", "CACHE", "EXTENDED_ARG")
    )


def _nested(code: CodeType) -> Iterator[CodeType]:
    return (const for const in code.co_consts if isinstance(const, CodeType))


def _code_of(value: object) -> CodeType | None:
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    try:
        function = inspect.unwrap(value)  # type: ignore[arg-type]
    except BaseException:
        return None
    found = getattr(function, "__code__", None) if inspect.isfunction(function) else None
    return found if isinstance(found, CodeType) else None


def _equal(value: object, literal: object) -> bool:
    """Equality with a literal that calls nothing of the value's own."""
    kind = type(literal)
    if type(value) is not kind:
        return False
    if isinstance(literal, (list, tuple)):
        items: Any = value
        return len(items) == len(literal) and all(map(_equal, items, literal))
    if isinstance(literal, dict):
        known: Any = value
        return list(map(type, known)) == list(map(type, literal)) and (
            list(known) == list(literal)
            and all(_equal(known[key], literal[key]) for key in literal)
        )
    if isinstance(literal, (set, frozenset)):
        return all(type(item) in (int, str, bytes, float, bool, tuple) for item in value) and (  # type: ignore[attr-defined]
            value == literal
        )
    return value == literal
