"""A request's parameters against botocore's model, refused in AWS's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from botocore.model import OperationModel, Shape

from kmscourse.cloud.errors import AWSError

#: AWS repeats a value whole; a message stays readable with this much of it.
_SHOWN = 2100


def validate(parameters: dict[str, Any], operation: OperationModel) -> None:
    """Check required members, lengths, ranges, patterns and enumerations.

    Raises:
        AWSError: ``ValidationException`` that counts and names every violation, as AWS does:
            ``1 validation error detected: Value '0' at 'limit' failed to satisfy constraint:
            Member must have value greater than or equal to 1``.
    """
    shape = operation.input_shape
    if shape is None:
        return
    found = list(_violations(parameters, shape, ""))
    if found:
        plural = "error" if len(found) == 1 else "errors"
        raise AWSError(
            "ValidationException", f"{len(found)} validation {plural} detected: {'; '.join(found)}"
        )


def _violations(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for name in shape.required_members:
            if value.get(name) is None:
                yield _sentence("null", _join(path, name), "Member must not be null")
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _violations(value[name], member, _join(path, name))
        return
    broken = _broken_constraint(value, shape)
    if broken:
        yield _sentence(value, path, broken, shown=not _is_secret(value, shape))
        return
    if shape.type_name == "list":
        for index, item in enumerate(value, 1):
            yield from _violations(item, shape.member, f"{path}.{index}.member")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _violations(key, shape.key, f"{path}.{key}.key")
            yield from _violations(item, shape.value, f"{path}.{key}.member")


def _broken_constraint(value: Any, shape: Shape) -> str | None:
    metadata = shape.metadata
    low, high = metadata.get("min"), metadata.get("max")
    if shape.type_name in ("integer", "long", "float", "double"):
        size, what = value, "value"
    elif shape.type_name in ("string", "blob", "list", "map"):
        size, what = len(value), "length"
    else:
        return None
    if low is not None and size < low:
        return f"Member must have {what} greater than or equal to {low}"
    if high is not None and size > high:
        return f"Member must have {what} less than or equal to {high}"
    if shape.type_name == "string":
        enum = getattr(shape, "enum", None)
        if enum and value not in enum:
            return f"Member must satisfy enum value set: [{', '.join(enum)}]"
        pattern = metadata.get("pattern")
        if pattern and not _pattern(pattern).fullmatch(value):
            return f"Member must satisfy regular expression pattern: {pattern}"
    return None


def _is_secret(value: Any, shape: Shape) -> bool:
    return bool(shape.metadata.get("sensitive")) or isinstance(value, bytes)


def _sentence(value: Any, path: str, constraint: str, *, shown: bool = True) -> str:
    if isinstance(value, dict | list):
        value = "[" + ", ".join(map(str, value)) + "]"
    quoted = "null" if value == "null" else f"'{str(value)[:_SHOWN]}'"
    what = f"Value {quoted} at '{path}'" if shown else f"Value at '{path}'"
    return f"{what} failed to satisfy constraint: {constraint}"


def _join(path: str, name: str) -> str:
    member = name[0].lower() + name[1:]
    return f"{path}.{member}" if path else member


_CLASSES = (
    (r"\p{L}", r"\w"),
    (r"\p{N}", r"\w"),
    (r"\p{Z}", r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"),
)


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of a service model, whose Unicode classes Python does not know.

    Letters and numbers become \\w, which holds both: a pattern with one of them alone would
    let the other pass. Space separators (Z) are written out.
    """
    for theirs, ours in _CLASSES:
        pattern = pattern.replace(theirs, ours)
    return re.compile(pattern)
