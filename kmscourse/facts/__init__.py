"""Prices, limits, dates: each in our own words, with its source, its date and how sure we are.

    >>> from kmscourse import facts
    >>> facts.price("kms.request.symmetric").cost(1_000_000)
    Decimal('3.00')
    >>> int(facts.limit("kms.encrypt.bytes"))
    4096
    >>> facts.get("ROT-05")
    <Fact ROT-05 = 25 rotations per key>

Code takes a number by name (`price`, `limit`, `request_quota`); text takes a fact by id (`get`,
`topic`, `changed`). Where AWS's texts disagree, or a fact is from memory, the fact says so wherever
it is shown; see `Fact.confidence`.
"""

from __future__ import annotations

from collections.abc import Mapping

from kmscourse.facts import register
from kmscourse.facts.model import Confidence, Fact, FactError, Figure, Value

__all__ = [
    "Confidence",
    "Fact",
    "FactError",
    "Figure",
    "Value",
    "changed",
    "everything",
    "get",
    "limit",
    "limits",
    "price",
    "prices",
    "request_quota",
    "topic",
    "topics",
    "value",
]


def get(fact_id: str) -> Fact:
    """The fact with this id, such as `ROT-01`. Raises FactError if there is none."""
    return register.get(fact_id)


def value(fact_id: str) -> Value:
    """What the fact measures, whatever its confidence. Raises FactError if it measures nothing."""
    found = register.get(fact_id).value
    if found is None:
        raise FactError(f"{fact_id} is a statement without a value of its own.")
    return found


def topics() -> Mapping[str, str]:
    """The topics in order: name to title."""
    return {name: register.topic_file(name)[0] for name in register.index()["topics"]}


def topic(name: str) -> tuple[Fact, ...]:
    """The facts of a topic, such as `rotation`. Raises FactError, naming the topics there are."""
    return register.topic_file(name)[1]


def everything() -> tuple[Fact, ...]:
    """All facts in the register's order."""
    return tuple(register.all_facts())


def changed() -> tuple[Fact, ...]:
    """The facts where study notes are out of date or incomplete: "On the exam, and today"."""
    return tuple(fact for fact in register.all_facts() if fact.changed)


def price(name: str) -> Figure:
    """A price in US dollars, such as `kms.key.month`; `.cost(quantity)` reckons with it.

    Raises FactError for a name it does not know.
    """
    return register.figure("prices", name)


def prices() -> tuple[str, ...]:
    """The names that `price` knows."""
    return tuple(register.index()["prices"])


def limit(name: str) -> Figure:
    """A limit, such as `kms.encrypt.bytes`; `int(...)` gives the whole number. Raises FactError."""
    return register.figure("limits", name)


def limits() -> tuple[str, ...]:
    """The names that `limit` knows."""
    return tuple(register.index()["limits"])


def request_quota(name: str, region: str | None = None) -> Figure:
    """Requests per second of a group (`symmetric`, `rsa`, `ecc`) or an operation (`CreateKey`).

    The symmetric quota depends on the Region; without one, or for a Region AWS does not list, it is
    the quota of all other Regions. Raises FactError for a name it does not know.
    """
    groups = register.index()["request_quotas"]
    if name in groups and groups[name].get("by") == "region":
        fact = register.get(groups[name]["fact"])
        known = fact.value if isinstance(fact.value, Mapping) else {}
        at = region if region in known else "other"
        return register.part(fact, f"{name}.{at}", at)
    if name in groups:
        return register.figure("request_quotas", name)
    return register.part(register.get("QUO-05"), name, name)
