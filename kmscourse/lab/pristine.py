"""Work with the real things, whatever a learner has put in their place.

A learner may well write `open = ...` into `builtins`, patch `boto3.client` to see what happens, or
replace a helper of ours. A check must neither break nor be fooled by that. So what these modules
hold is noted when a lab begins, put back for the length of a check, and then left again as the
learner had it.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType, ModuleType
from typing import Any

MODULES = (
    "ast", "base64", "boto3", "boto3.session", "botocore.client", "botocore.session", "contextlib",
    "copy", "dataclasses", "dis", "functools", "hashlib", "hmac", "html", "inspect", "io",
    "itertools", "json", "linecache", "math", "operator", "os", "os.path", "pathlib", "random",
    "re", "secrets", "struct", "tempfile", "textwrap", "time", "types", "typing", "uuid",
    "cryptography.exceptions",
    "cryptography.hazmat.primitives.ciphers.aead",
    "aws_encryption_sdk",
    "kmscourse.cloud",
    "kmscourse.lab.attempt", "kmscourse.lab.deadline", "kmscourse.lab.showing",
    "kmscourse.lab.work", "kmscourse.lab.tasks", "kmscourse.lab.session", "kmscourse.lab.record",
    "kmscourse.lab.panels",
)  # fmt: skip
"""Modules whose functions and classes are put back. Those that are not loaded are passed over."""

CLASSES = (
    ("boto3.session", "Session"),
    ("botocore.client", "BaseClient"),
    ("kmscourse.lab.work", "Work"),
    ("kmscourse.lab.attempt", "Stub"),
    ("kmscourse.lab.session", "Session"),
)
"""Classes whose methods are put back."""

_MACHINERY = (
    "boto3",
    "botocore",
    "moto",
    "kmscourse.cloud",
    "aws_encryption_sdk",
    "IPython",
    "ipykernel",
)
"""What these put in place of a function is meant, and stays."""

_BUILTINS = vars(builtins)
_REAL_BUILTINS: dict[str, Any] = {
    name: value
    for name, value in _BUILTINS.items()
    if isinstance(value, (type, BuiltinFunctionType)) and name not in ("input", "print", "display")
}
_REAL_BUILTINS["print"] = print

# Bound now: the functions below must work before anything has been put back.
_isinstance, _setattr, _delattr, _vars = isinstance, setattr, delattr, vars
_MISSING = object()


class Pristine:
    """The real functions and classes, as they were when this was made."""

    def __init__(self) -> None:
        self._known: list[tuple[Any, str, Any]] = []
        self._noted: set[int] = set()
        self.note()

    def note(self) -> None:
        """Note what has been loaded since. What was noted before is not noted anew."""
        homes: list[Any] = [sys.modules[name] for name in MODULES if name in sys.modules]
        homes += [
            home
            for module, name in CLASSES
            if isinstance(home := getattr(sys.modules.get(module), name, None), type)
        ]
        for home in homes:
            if id(home) in self._noted:
                continue
            self._noted.add(id(home))
            kinds = (type, FunctionType, BuiltinFunctionType, MethodDescriptorType, property)
            self._known += [
                (home, name, value)
                for name, value in list(vars(home).items())
                if isinstance(value, (*kinds, staticmethod, classmethod))
                and (isinstance(home, ModuleType) or name not in ("__dict__", "__weakref__"))
            ]

    @contextmanager
    def restored(self) -> Iterator[None]:
        """The real things in the body; what the learner had put in their place afterwards."""
        theirs = [(_BUILTINS, n, _BUILTINS.get(n, _MISSING)) for n in _replaced_builtins()]
        _BUILTINS.update(_REAL_BUILTINS)
        changed: list[tuple[Any, str, Any]] = []
        for home, name, value in self._known:
            now = _vars(home).get(name, _MISSING)
            if now is not value and not _is_meant(now):
                changed.append((home, name, now))
                _setattr(home, name, value)
        try:
            yield
        finally:
            _BUILTINS.update(_REAL_BUILTINS)
            for home, name, value in changed:
                if value is _MISSING:
                    _delattr(home, name)
                else:
                    _setattr(home, name, value)
            for names, name, value in theirs:
                if value is _MISSING:
                    del names[name]
                else:
                    names[name] = value


def real_builtins() -> None:
    """Put the built-in functions back. It uses none of them to do so."""
    _BUILTINS.update(_REAL_BUILTINS)


def _replaced_builtins() -> list[str]:
    return [
        name for name, real in _REAL_BUILTINS.items() if _BUILTINS.get(name, _MISSING) is not real
    ]


def _is_meant(value: Any) -> bool:
    """Whether the course's own machinery put it there."""
    try:
        home = (
            value.__globals__["__name__"] if _isinstance(value, FunctionType) else value.__module__
        )
        return bool(home.startswith(_MACHINERY))
    except BaseException:
        return False
