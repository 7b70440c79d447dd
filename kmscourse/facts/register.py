"""Data files into facts, one topic at a time, with errors that name the file and the fact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, get_args

import yaml

from kmscourse.facts.model import CONFIDENCES, Confidence, Fact, FactError, Figure, Value

_DATA = files("kmscourse.facts") / "data"
_ALLOWED = {f.name for f in fields(Fact)} - {"topic"}


class _Numbers(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml where it is
    """Numbers are read as Decimal, so that 0.03 is exactly three hundredths; dates stay text."""


def _decimal(loader: Any, node: yaml.ScalarNode) -> Decimal:
    return Decimal(loader.construct_scalar(node).replace("_", ""))


def _text(loader: Any, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Numbers.add_constructor("tag:yaml.org,2002:int", _decimal)
_Numbers.add_constructor("tag:yaml.org,2002:float", _decimal)
_Numbers.add_constructor("tag:yaml.org,2002:timestamp", _text)


def parse(text: str, where: str) -> tuple[str, tuple[Fact, ...]]:
    """A topic file's title and facts. `where` names the file in errors.

    Raises FactError for anything that is not as the register has it.
    """
    try:
        data = yaml.load(text, Loader=_Numbers)  # a safe loader
    except yaml.YAMLError as error:
        raise FactError(f"{where} is not valid YAML: {error}") from error
    if not isinstance(data, dict) or not {"topic", "title", "facts"} <= data.keys():
        raise FactError(f"{where} needs the keys topic, title and facts.")
    seen: dict[str, Fact] = {}
    for number, entry in enumerate(data["facts"], start=1):
        fact = _fact(entry, data["topic"], f"{where}, fact {number}")
        if fact.id in seen:
            raise FactError(f"{where}: {fact.id} is there twice.")
        seen[fact.id] = fact
    return str(data["title"]), tuple(seen.values())


def _fact(entry: Any, topic: str, where: str) -> Fact:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise FactError(f"{where} needs an id.")
    where = f"{where} ({entry['id']})"
    if unknown := entry.keys() - _ALLOWED - {"sources"}:
        raise FactError(f"{where} has unknown fields: {', '.join(sorted(unknown))}.")
    if not isinstance(entry.get("statement"), str):
        raise FactError(f"{where} needs a statement.")
    confidence = entry.get("confidence", "sourced")
    if confidence not in CONFIDENCES:
        raise FactError(f"{where}: confidence is {confidence!r}, not {' or '.join(CONFIDENCES)}.")
    sources = tuple(str(s) for s in entry.get("sources") or ())
    if confidence != "recall" and not (sources and entry.get("as_of")):
        raise FactError(f"{where} needs sources and as_of, or the confidence 'recall'.")
    if confidence in ("conflicting", "partly-recall") and not entry.get("note"):
        raise FactError(f"{where} is {confidence}: say in a note what is uncertain.")
    if entry.get("changed") and not entry.get("study_notes"):
        raise FactError(f"{where} is changed, but does not say what the study notes claim.")
    return Fact(
        id=entry["id"],
        topic=topic,
        statement=entry["statement"],
        value=None if entry.get("value") is None else _value(entry["value"], where),
        unit=entry.get("unit"),
        sources=sources,
        as_of=None if entry.get("as_of") is None else str(entry["as_of"]),
        confidence=_confidence(confidence),
        note=entry.get("note"),
        study_notes=entry.get("study_notes"),
        changed=bool(entry.get("changed", False)),
    )


def _confidence(text: str) -> Confidence:
    found: Confidence = next(c for c in get_args(Confidence) if c == text)
    return found


def _value(raw: Any, where: str) -> Value:
    if isinstance(raw, Decimal | str):
        return raw
    if isinstance(raw, dict):
        return MappingProxyType({str(k): _value(v, where) for k, v in raw.items()})
    if isinstance(raw, list):
        return tuple(_value(v, where) for v in raw)
    raise FactError(f"{where}: a value is a number, text, a list or a mapping, not {raw!r}.")


@cache
def index() -> Mapping[str, Any]:
    """The index file: topics in order, and the names of prices, limits and request quotas."""
    loaded: Mapping[str, Any] = yaml.load(
        (_DATA / "index.yaml").read_text("utf-8"), Loader=_Numbers
    )
    return loaded


@cache
def topic_file(name: str) -> tuple[str, tuple[Fact, ...]]:
    """Title and facts of a topic. Raises FactError for a topic that is not in the register."""
    if name not in index()["topics"]:
        raise FactError(f"There is no topic {name!r}. Topics: {', '.join(index()['topics'])}.")
    return parse((_DATA / f"{name}.yaml").read_text("utf-8"), f"kmscourse/facts/data/{name}.yaml")


def all_facts() -> Iterator[Fact]:
    """Every fact, in the register's order."""
    for name in index()["topics"]:
        yield from topic_file(name)[1]


def get(fact_id: str) -> Fact:
    """The fact with this id; reads only the file of its topic. Raises FactError."""
    prefix = fact_id.partition("-")[0]
    for name, prefixes in index()["topics"].items():
        if prefix in prefixes:
            for fact in topic_file(name)[1]:
                if fact.id == fact_id:
                    return fact
    raise FactError(f"There is no fact {fact_id!r}. `python -m kmscourse.facts` prints them all.")


def figure(kind: str, name: str) -> Figure:
    """A named number: `kind` is prices, limits or request_quotas in the index. Raises FactError."""
    entries = index()[kind]
    if name not in entries:
        raise FactError(f"There is no {name!r} among {kind}. There is: {', '.join(entries)}.")
    entry = entries[name]
    return part(
        get(entry["fact"]), name, entry.get("at"), int(entry.get("per", 1)), entry.get("unit")
    )


def part(
    fact: Fact, name: str, at: str | None = None, per: int = 1, unit: str | None = None
) -> Figure:
    """The number in `fact`, or its part called `at`, as a Figure. Raises FactError."""
    value: Any = fact.value
    if at is not None:
        value = value.get(at) if isinstance(value, Mapping) else None
    if not isinstance(value, Decimal):
        raise FactError(f"{fact.id} has no number {'at ' + at if at else 'of its own'}.")
    kept = {f.name: getattr(fact, f.name) for f in fields(Fact)}
    kept |= {"value": value, "unit": unit or fact.unit, "name": name, "per": per}
    return Figure(**kept)
