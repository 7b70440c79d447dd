"""Facts that AWS's service model states as a number, compared with the model that is installed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import botocore.session
import pytest

from kmscourse import facts


@cache
def model(service: str) -> Any:
    return botocore.session.Session().get_service_model(service)


def shape(name: str, service: str = "kms") -> Any:
    return model(service).shape_for(name)


def part(fact_id: str, *path: str) -> Any:
    value: Any = facts.value(fact_id)
    for each in path:
        assert isinstance(value, Mapping)
        value = value[each]
    return value


@pytest.mark.parametrize(
    ("fact_id", "enum"),
    [("KEY-01", "KeySpec"), ("KEY-03", "KeyUsageType"), ("STA-01", "KeyState"),
     ("GRA-02", "GrantOperation")],
)  # fmt: skip
def test_how_many_there_are(fact_id: str, enum: str) -> None:
    assert facts.value(fact_id) == len(shape(enum).enum)


@pytest.mark.parametrize("fact_id", ["KEY-14", "STA-01", "KEY-03"])
def test_the_names_are_the_models(fact_id: str) -> None:
    enum = {"KEY-14": "OriginType", "STA-01": "KeyState", "KEY-03": "KeyUsageType"}[fact_id]
    for name in shape(enum).enum:
        assert name in facts.get(fact_id).statement


@pytest.mark.parametrize(
    ("fact_id", "path", "name", "bound"),
    [
        ("OPS-01", (), "PlaintextType", "max"),
        ("OPS-04", (), "PlaintextType", "max"),
        ("OPS-14", (), "CiphertextType", "max"),
        ("OPS-05", ("min",), "NumberOfBytesType", "min"),
        ("OPS-05", ("max",), "NumberOfBytesType", "max"),
        ("OPS-09", ("max",), "NumberOfBytesType", "max"),
        ("ROT-01", ("min",), "RotationPeriodInDaysType", "min"),
        ("ROT-01", ("max",), "RotationPeriodInDaysType", "max"),
        ("ALI-02", ("min",), "AliasNameType", "min"),
        ("ALI-02", ("max",), "AliasNameType", "max"),
        ("GRA-06", (), "GrantTokenList", "max"),
    ],
)
def test_a_bound_is_the_models(fact_id: str, path: tuple[str, ...], name: str, bound: str) -> None:
    assert part(fact_id, *path) == Decimal(shape(name).metadata[bound])


@pytest.mark.parametrize(
    ("fact_id", "operation", "words"),
    [
        ("ROT-05", "RotateKeyOnDemand", "25"),
        ("DEL-01", "ScheduleKeyDeletion", "30 days"),
        ("IMP-03", "GetParametersForImport", "24 hours"),
        ("IMP-05", "ImportKeyMaterial", "365 days"),
        ("ROT-02", "EnableKeyRotation", "365 days"),
    ],
)
def test_the_models_text_still_says_so(fact_id: str, operation: str, words: str) -> None:
    """Fails when a new botocore words it otherwise: look whether the fact still holds."""
    text = model("kms").operation_model(operation).documentation
    shapes = model("kms").operation_model(operation).input_shape.members.values()
    text += " ".join(member.documentation for member in shapes)
    assert words in text, fact_id
    number = str(part(fact_id, *(("default",) if fact_id == "DEL-01" else ())))
    assert number in words


def test_the_model_is_the_one_that_the_register_names() -> None:
    named = {s for fact in facts.everything() for s in fact.sources if s.startswith("botocore")}
    assert named
    for source in named:
        service, version = source.split("service model ")[1].split(":")[0].split(" ")
        assert model(service).api_version == version
