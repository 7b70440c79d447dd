"""The ``Condition`` element: operators, set operators, policy variables (rules R9).

Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "Multivalued context
keys", "IAM policy elements: Variables and tags".
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import cached_property
from typing import Literal, Protocol

from kmscourse.cloud.authorization.glob import Token, Wild, compile_tokens, tokens_of

__all__ = ["OPERATORS", "Condition", "Lookup", "Template", "compile_condition", "parse_template"]


class Lookup(Protocol):
    """The request as a condition sees it."""

    def values(self, key: str) -> tuple[str, ...]:
        """The values of a condition key (name in lower case); empty if it is absent."""


# ---------------------------------------------------------------- policy variables


@dataclass(frozen=True, slots=True)
class _Variable:
    key: str
    default: str | None


Template = tuple[Token | _Variable, ...]
"""A value with ``${...}`` in it: literals, wildcards and variables in order."""

_VARIABLE = re.compile(r"\$\{([^${}]*)\}")
_DEFAULT = re.compile(r"\s*([^\s,']+)\s*(?:,\s*'([^']*)'\s*)?")


def parse_template(text: str, *, wildcards: bool) -> Template | None:
    """Take a value apart; None if it has no variable and can be compared as it stands.

    ``${*}``, ``${?}`` and ``${$}`` stand for the characters themselves.
    """
    if "${" not in text:
        return None
    out: list[Token | _Variable] = []
    at = 0
    for found in _VARIABLE.finditer(text):
        inside = _DEFAULT.fullmatch(found.group(1))
        name = found.group(1)
        if name not in ("*", "?", "$") and not inside:
            continue
        before = text[at : found.start()]
        out.extend(tokens_of(before) if wildcards else [before])
        at = found.end()
        if name in ("*", "?", "$"):
            out.append(name)
        else:
            assert inside is not None
            out.append(_Variable(inside.group(1).lower(), inside.group(2)))
    if at == 0:
        return None
    rest = text[at:]
    out.extend(tokens_of(rest) if wildcards else [rest])
    return tuple(out)


def fill(template: Template, request: Lookup) -> list[Token] | None:
    """Put the request's values in; None if one is missing (then nothing equals the whole).

    What is filled in is literal: a ``*`` in a user name is not a wildcard. **[I]**
    A key with several values cannot be a variable (R9.9).
    """
    out: list[Token] = []
    for part in template:
        if isinstance(part, _Variable):
            values = request.values(part.key)
            if len(values) == 1:
                out.append(values[0])
            elif not values and part.default is not None:
                out.append(part.default)
            else:
                return None
        else:
            out.append(part)
    return out


def _fill_text(template: Template, request: Lookup) -> str | None:
    tokens = fill(template, request)
    if tokens is None:
        return None
    return "".join(t.value if isinstance(t, Wild) else t for t in tokens)


# ---------------------------------------------------------------- comparing one value

Test = Callable[[str, Lookup], bool]
"""True if one value of the request matches one of the values in the policy."""


def _string_equals(values: Sequence[str], fold: bool) -> Test:
    fixed: set[str] = set()
    templates: list[Template] = []
    for value in values:
        template = parse_template(value, wildcards=False)
        if template is None:
            fixed.add(value.lower() if fold else value)
        else:
            templates.append(template)
    known = frozenset(fixed)
    if not templates:
        if fold:
            return lambda value, _: value.lower() in known
        return lambda value, _: value in known

    def test(value: str, request: Lookup) -> bool:
        mine = value.lower() if fold else value
        if mine in known:
            return True
        for template in templates:
            filled = _fill_text(template, request)
            if filled is not None and (filled.lower() if fold else filled) == mine:
                return True
        return False

    return test


def _string_like(values: Sequence[str]) -> Test:
    return _like(values, compile_tokens)


def _like(
    values: Sequence[str], compiled: Callable[[Sequence[Token]], Callable[[str], bool]]
) -> Test:
    """Whether any pattern matches: those without variables are compiled once, here."""
    fixed = []
    templates: list[Template] = []
    for value in values:
        template = parse_template(value, wildcards=True)
        if template is None:
            fixed.append(compiled(tokens_of(value)))
        else:
            templates.append(template)

    def test(value: str, request: Lookup) -> bool:
        if any(match(value) for match in fixed):
            return True
        for template in templates:
            tokens = fill(template, request)
            if tokens is not None and compiled(tokens)(value):
                return True
        return False

    return test


def _arn_parts(tokens: Sequence[Token]) -> list[list[Token]]:
    """Split at the first five colons that are written out."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if isinstance(token, Wild):
            parts[-1].append(token)
            continue
        text = token
        while len(parts) < 6 and ":" in text:
            head, text = text.split(":", 1)
            parts[-1].append(head)
            parts.append([])
        parts[-1].append(text)
    return parts


def _arn_like(values: Sequence[str]) -> Test:
    """R9.8: six parts, each compared on its own."""

    def compiled(tokens: Sequence[Token]) -> Callable[[str], bool]:
        parts = _arn_parts(tokens)
        if len(parts) < 6:
            return lambda _: False
        tests = [compile_tokens(part) for part in parts]
        if not any(isinstance(token, Wild) for part in parts[:5] for token in part):
            # The usual case, wildcards in the last part only: five comparisons are one.
            head, last = "".join(f"{''.join(map(str, part))}:" for part in parts[:5]), tests[5]
            return lambda value: value.startswith(head) and last(value[len(head) :])

        def match(value: str) -> bool:
            pieces = value.split(":", 5)
            return len(pieces) == 6 and all(
                test(piece) for test, piece in zip(tests, pieces, strict=True)
            )

        return match

    return _like(values, compiled)


def _bool(values: Sequence[str]) -> Test:
    return _string_equals(values, fold=True)


_NUMBER = re.compile(r"\s*[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})\s*")


def parse_number(text: str) -> Decimal | None:
    """An integer or decimal number, or None."""
    return Decimal(text.strip()) if _NUMBER.fullmatch(text) else None


_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?\s*(Z|z|[+-]\d\d:?\d\d)?)?)?)?"
)
_EPOCH = re.compile(r"\d{5,13}")


def parse_date(text: str) -> Decimal | None:
    """Seconds since 1970 of an ISO 8601 date or a number of seconds, or None."""
    text = text.strip()
    if _EPOCH.fullmatch(text):
        return Decimal(text)
    found = _DATE.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    zone = UTC
    try:
        if offset and offset not in "Zz":
            sign = -1 if offset[0] == "-" else 1
            digits = offset[1:].replace(":", "")
            zone = timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))
        moment = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            tzinfo=zone,
        )
        delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    whole = Decimal(delta.days) * 86400 + delta.seconds
    return whole + Decimal(f"0.{fraction}") if fraction else whole


def parse_binary(text: str) -> bytes | None:
    """The bytes of a base64 text, or None."""
    try:
        return base64.b64decode(text.encode("utf-8", "surrogatepass"), validate=True)
    except (binascii.Error, ValueError):
        return None


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_network(text: str) -> Network | None:
    """An address or CIDR block, or None."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def _ordered(
    parse: Callable[[str], Decimal | None], holds: Callable[[Decimal, Decimal], bool]
) -> Callable[[Sequence[str]], Test]:
    def build(values: Sequence[str]) -> Test:
        bounds = [parsed for value in values if (parsed := parse(value)) is not None]

        def test(value: str, _: Lookup) -> bool:
            mine = parse(value)
            return mine is not None and any(holds(mine, bound) for bound in bounds)

        return test

    return build


def _binary(values: Sequence[str]) -> Test:
    wanted = {parsed for value in values if (parsed := parse_binary(value)) is not None}
    return lambda value, _: parse_binary(value) in wanted


def _ip(values: Sequence[str]) -> Test:
    networks = [parsed for value in values if (parsed := parse_network(value)) is not None]

    def test(value: str, _: Lookup) -> bool:
        try:
            address = ipaddress.ip_address(value.strip())
        except ValueError:
            return False
        return any(
            address.version == network.version and address in network for network in networks
        )

    return test


@dataclass(frozen=True, slots=True)
class Operator:
    """One condition operator: how it compares, and whether it is the negated one of its pair."""

    name: str
    build: Callable[[Sequence[str]], Test]
    negated: bool = False
    check: Callable[[str], object] | None = None
    words: str = ""


def _family(parse: Callable[[str], Decimal | None], prefix: str) -> list[Operator]:
    return [
        Operator(f"{prefix}Equals", _ordered(parse, lambda a, b: a == b), False, parse, "equal"),
        Operator(f"{prefix}NotEquals", _ordered(parse, lambda a, b: a == b), True, parse, "equal"),
        Operator(
            f"{prefix}LessThan", _ordered(parse, lambda a, b: a < b), False, parse, "be below"
        ),
        Operator(
            f"{prefix}LessThanEquals",
            _ordered(parse, lambda a, b: a <= b),
            False,
            parse,
            "be at most",
        ),
        Operator(
            f"{prefix}GreaterThan", _ordered(parse, lambda a, b: a > b), False, parse, "be above"
        ),
        Operator(
            f"{prefix}GreaterThanEquals",
            _ordered(parse, lambda a, b: a >= b),
            False,
            parse,
            "be at least",
        ),
    ]


_OPERATORS = [
    Operator("StringEquals", lambda v: _string_equals(v, fold=False), words="equal"),
    Operator("StringNotEquals", lambda v: _string_equals(v, fold=False), True, words="equal"),
    Operator("StringEqualsIgnoreCase", lambda v: _string_equals(v, fold=True), words="equal"),
    Operator(
        "StringNotEqualsIgnoreCase", lambda v: _string_equals(v, fold=True), True, words="equal"
    ),
    Operator("StringLike", _string_like, words="look like"),
    Operator("StringNotLike", _string_like, True, words="look like"),
    *_family(parse_number, "Numeric"),
    *_family(parse_date, "Date"),
    Operator("Bool", _bool, words="equal"),
    Operator("BinaryEquals", _binary, False, parse_binary, "equal"),
    Operator("IpAddress", _ip, False, parse_network, "be in"),
    Operator("NotIpAddress", _ip, True, parse_network, "be in"),
    Operator("ArnEquals", _arn_like, words="look like"),
    Operator("ArnLike", _arn_like, words="look like"),
    Operator("ArnNotEquals", _arn_like, True, words="look like"),
    Operator("ArnNotLike", _arn_like, True, words="look like"),
    Operator("Null", _bool, words="be absent"),
]

OPERATORS: dict[str, Operator] = {op.name.lower(): op for op in _OPERATORS}
"""The operators by name in lower case (AWS takes ``bool`` as well as ``Bool``)."""

Qualifier = Literal["", "ForAllValues", "ForAnyValue"]


@dataclass(frozen=True)
class Condition:
    """One operator and key of a ``Condition`` element, compiled."""

    operator: Operator
    qualifier: Qualifier
    if_exists: bool
    key: str
    """The condition key as the policy writes it."""
    lower: str
    wanted: tuple[str, ...]
    test: Test
    absent_wanted: frozenset[bool]
    """For ``Null`` only: which answers to "is it absent?" the policy accepts."""
    is_null: bool
    negated: bool

    @property
    def label(self) -> str:
        """The operator as the policy writes it, e.g. ``ForAnyValue:StringLikeIfExists``."""
        qualifier = f"{self.qualifier}:" if self.qualifier else ""
        return f"{qualifier}{self.operator.name}{'IfExists' if self.if_exists else ''}"

    def holds(self, request: Lookup) -> bool:
        """R9.1-R9.5: whether the condition is met."""
        values = request.values(self.lower)
        if self.is_null:
            return (not values) in self.absent_wanted
        negated = self.negated
        if not values:
            if self.if_exists or self.qualifier == "ForAllValues":
                return True
            return negated and not self.qualifier
        test = self.test
        if len(values) == 1:
            return test(values[0], request) != negated
        if self.qualifier == "ForAllValues":
            return all(test(value, request) != negated for value in values)
        if self.qualifier == "ForAnyValue":
            return any(test(value, request) != negated for value in values)
        # Several values without a set operator: AWS says not to (R9.5). [I] One match is a match.
        return any(test(value, request) for value in values) != negated

    @cached_property
    def asks(self) -> str:
        """What it asks for, in words."""
        if self.is_null:
            want = "absent" if True in self.absent_wanted else "present"
            return f"{self.label} wants {self.key} to be {want}"
        verb = ("not " if self.negated else "") + self.operator.words
        each = {"": "", "ForAllValues": "every value of ", "ForAnyValue": "one value of "}
        return (
            f"{self.label} wants {each[self.qualifier]}{self.key} to {verb} {_listed(self.wanted)}"
        )

    def explain(self, request: Lookup) -> str:
        """Why it holds or not, in words."""
        values = request.values(self.lower)
        if self.is_null:
            return f"{self.asks}; it is {_listed(values) if values else 'absent'}"
        if not values:
            counts = ""
            if self.if_exists:
                counts = ", which IfExists takes as met"
            elif self.qualifier == "ForAllValues" or (self.negated and not self.qualifier):
                counts = ", which counts as met"
            return f"{self.asks}; the request has no such value{counts}"
        return f"{self.asks}; the request has {_listed(values)}"


def _listed(values: Sequence[str]) -> str:
    shown = [f'"{value}"' for value in values[:4]]
    if len(values) > 4:
        shown.append(f"{len(values) - 4} more")
    return " or ".join(shown) if shown else "nothing"


def split_operator(text: str) -> tuple[Qualifier, Operator, bool] | None:
    """Take ``ForAllValues:StringLikeIfExists`` apart; None if AWS has no such operator."""
    qualifier: Qualifier = ""
    name = text.lower()
    head, colon, rest = name.partition(":")
    if colon:
        known: dict[str, Qualifier] = {
            "forallvalues": "ForAllValues",
            "foranyvalue": "ForAnyValue",
        }
        if head not in known:
            return None
        qualifier, name = known[head], rest
    operator = OPERATORS.get(name)
    if operator is not None:
        return qualifier, operator, False
    if name.endswith("ifexists"):
        operator = OPERATORS.get(name[: -len("ifexists")])
        if operator is not None and operator.name != "Null":
            return qualifier, operator, True
    return None


def compile_condition(
    qualifier: Qualifier, operator: Operator, if_exists: bool, key: str, wanted: tuple[str, ...]
) -> Condition:
    """Compile one operator and key."""
    return Condition(
        operator,
        qualifier,
        if_exists,
        key,
        key.lower(),
        wanted,
        operator.build(wanted),
        frozenset(
            value.lower() == "true" for value in wanted if value.lower() in ("true", "false")
        ),
        operator.name == "Null",
        operator.negated,
    )
