"""Tell "not attempted" from "wrong": is what the learner has still what they were given?

Functions are compared by what they do, instruction by instruction: comments, blank lines and the
docstring do not count as an attempt. Where code does nothing, as in the stub, what is written
decides: `return None` is an attempt. Values are compared with the literal in the stub.
"""

from __future__ import annotations

import ast
import dis
import inspect
import linecache
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType
from typing import Any

Steps = tuple[Any, ...]
Written = str | None
"""The statements of a body that say something, or None where they cannot be found."""


class Stub:
    """What a task's cell defines before the learner has touched it."""

    def __init__(self, source: str) -> None:
        self._literals: dict[str, object] = {}
        self._functions: dict[str, tuple[Steps, Written]] = {}
        self._classes: dict[str, dict[str, tuple[Steps, Written]]] = {}
        tree = ast.parse(source)
        for node in tree.body:
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                self._note_literal(node, node.value)
        for inner in _nested(compile(source, "<stub>", "exec", dont_inherit=True)):
            if any(isinstance(n, ast.ClassDef) and n.name == inner.co_name for n in tree.body):
                methods = {m.co_name: (steps(m), written(m, source)) for m in _nested(inner)}
                self._classes[inner.co_name] = methods
            else:
                self._functions[inner.co_name] = steps(inner), written(inner, source)

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
            return found is not None and _alike(found, self._functions[name])
        if name in self._classes and isinstance(value, type):
            methods = {
                key: _code_of(each)
                for key, each in type.__dict__["__dict__"].__get__(value).items()
            }
            theirs = {key: found for key, found in methods.items() if found is not None}
            known = self._classes[name]
            return theirs.keys() == known.keys() and all(
                _alike(found, known[key]) for key, found in theirs.items()
            )
        return False


def silent(source: str) -> set[str]:
    """The functions in this code that may return nothing: not every way out gives a value."""
    return {
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and not _gives(node)
    }


def _gives(function: ast.FunctionDef) -> bool:
    values = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    given = [
        value is not None and not (isinstance(value, ast.Constant) and value.value is None)
        for value in values
    ]
    return bool(given) and all(given)


def _alike(code: CodeType, known: tuple[Steps, Written]) -> bool:
    """Whether it does what the stub does, and, where both can be read, says what the stub says."""
    does, says = known
    if steps(code) != does:
        return False
    theirs = written(code)
    return theirs is None or says is None or theirs == says


def written(code: CodeType, source: str | None = None) -> Written:
    """What the body of this function says, without what says nothing: docstring, `...`, `pass`.

    `source` is the text that it was compiled from; else it is sought where Python keeps the text of
    cells and files.
    """
    lines = source.splitlines(True) if source else linecache.getlines(code.co_filename)
    try:
        block = inspect.getblock(lines[code.co_firstlineno - 1 :])
        body = ast.parse(textwrap.dedent("".join(block))).body
    except Exception:  # whatever the text is by now
        return None
    if len(body) != 1 or not isinstance(body[0], (ast.FunctionDef, ast.AsyncFunctionDef)):
        return "" if not body else ast.dump(body[0])
    return "\n".join(
        ast.dump(node)
        for node in body[0].body
        if not isinstance(node, ast.Pass)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    )


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
