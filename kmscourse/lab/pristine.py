"""Work with the real things, whatever a learner has put in their place.

A learner may well write `open = ...` into `builtins`, patch `boto3.client` to see what happens, or
replace a helper of ours. A check must neither break nor be fooled by that. So what these modules
hold is noted when a lab begins, put back for the length of a check, and then left again as the
learner had it.
"""

from __future__ import annotations

import builtins
import sys
from types import (
    BuiltinFunctionType,
    FunctionType,
    MethodDescriptorType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

MODULES = (
    "ast", "base64", "boto3", "boto3.session", "botocore.client", "botocore.session", "contextlib",
    "copy", "dataclasses", "datetime", "difflib", "dis", "errno", "functools", "hashlib", "hmac",
    "html", "inspect", "io", "itertools", "json", "linecache", "math", "operator", "os", "os.path",
    "pathlib", "random", "re", "secrets", "signal", "struct", "sys", "tempfile", "textwrap",
    "threading", "time", "types", "typing", "uuid", "filelock",
    "cryptography.exceptions", "cryptography.hazmat.primitives.ciphers.aead", "aws_encryption_sdk",
    "kmscourse.cloud", "kmscourse.course",
)  # fmt: skip
"""Modules whose functions and classes are put back. Those that are not loaded are passed over."""

CLASSES = (
    ("boto3.session", "Session"),
    ("botocore.client", "BaseClient"),
    ("botocore.session", "Session"),
)
"""Classes whose methods are put back."""

OURS = "kmscourse.lab."
"""Of these modules everything is put back, and the methods of their classes."""

_MACHINERY = (
    "boto3", "botocore", "moto", "kmscourse.cloud", "aws_encryption_sdk", "IPython", "ipykernel"
)  # fmt: skip
"""What these put in place of a function is meant, and stays."""

_FUNCTIONS = (type, FunctionType, BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType)
_METHODS = (*_FUNCTIONS, property, staticmethod, classmethod)

_BUILTINS = vars(builtins)
_OF_THE_SHELL = ("input", "display", "exit", "quit", "get_ipython")
_REAL_BUILTINS = {
    name: value
    for name, value in _BUILTINS.items()
    if isinstance(value, _FUNCTIONS) and name not in _OF_THE_SHELL
}

# Bound now: putting things back must work before anything has been put back.
_isinstance, _setattr, _delattr, _vars, _bool = isinstance, setattr, delattr, vars, bool
_AnyError = BaseException
_MISSING = object()


class Pristine:
    """The real functions and classes, as they were when this was made."""

    def __init__(self) -> None:
        self._known: list[tuple[Any, str, Any]] = []
        self._noted: set[int] = set()
        self._theirs: list[tuple[Any, str, Any]] = []
        self.note()

    def note(self) -> None:
        """Note what has been loaded since. What was noted before is not noted anew."""
        modules = [sys.modules[name] for name in MODULES if name in sys.modules]
        for module in modules:
            self._note(module, _FUNCTIONS)
        for name, class_ in CLASSES:
            if isinstance(found := getattr(sys.modules.get(name), class_, None), type):
                self._note(found, _METHODS)
        for name, module in list(sys.modules.items()):
            if name.startswith(OURS) and isinstance(module, ModuleType):
                self._note(module, (*_FUNCTIONS, ModuleType))
                for value in list(vars(module).values()):
                    if isinstance(value, type) and value.__module__ == name:
                        self._note(value, _METHODS)

    def _note(self, home: Any, kinds: tuple[type, ...]) -> None:
        if id(home) not in self._noted:
            self._noted.add(id(home))
            self._known += [
                (home, name, value)
                for name, value in list(vars(home).items())
                if isinstance(value, kinds)
            ]

    def put_back(self) -> None:
        """Put the real things back, and remember what was there instead."""
        theirs = self._theirs
        for name, real in _REAL_BUILTINS.items():
            now = _BUILTINS.get(name, _MISSING)
            if now is not real:
                theirs.append((None, name, now))
                _BUILTINS[name] = real
        for home, name, real in self._known:
            now = _vars(home).get(name, _MISSING)
            if now is not real and not _is_meant(now):
                theirs.append((home, name, now))
                _setattr(home, name, real)

    def again(self) -> None:
        """Put the real things back once more, after a learner's code has run in between."""
        kept = self._theirs
        self._theirs = []
        self.put_back()
        self._theirs = kept

    def leave(self) -> None:
        """Leave everything as the learner had it."""
        self.again()
        theirs, self._theirs = self._theirs, []
        for home, name, value in theirs:
            if home is not None:
                if value is _MISSING:
                    _delattr(home, name)
                else:
                    _setattr(home, name, value)
        for home, name, value in theirs:
            if home is None:
                if value is _MISSING:
                    del _BUILTINS[name]
                else:
                    _BUILTINS[name] = value


def _is_meant(value: Any) -> bool:
    """Whether the course's own machinery put it there."""
    try:
        function = _isinstance(value, FunctionType)
        home = value.__globals__["__name__"] if function else value.__module__
        return _bool(home.startswith(_MACHINERY))
    except _AnyError:
        return False
