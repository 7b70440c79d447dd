"""The bill of a design, reckoned without running it. Pure: no moto, no boto3.

    >>> from kmscourse.cloud.estimate import Design
    >>> plain = Design(keys=1, writes=1_000_000, reads=9_000_000, encryption="SSE-KMS")
    >>> plain.bill().total
    Decimal('30.94')

`kmscourse.cloud.meter` counts the same quantities while work is done; both are priced by
`kmscourse.cloud.pricing`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import NamedTuple

from kmscourse.cloud import pricing
from kmscourse.cloud.pricing import SYMMETRIC, Bill, Usage


class Asking(NamedTuple):
    """How often KMS is asked.

    Attributes:
        requests: for one object, each time it is written or read.
        shared: whether one answer serves several objects.
    """

    requests: int
    shared: bool = False


#: The ways to encrypt an object. Sources: facts S3E-05, S3E-06, CSE-08 and CSE-10; that each
#: layer of DSSE-KMS asks on its own is how the simulator does it.
ENCRYPTION: Mapping[str, Asking] = MappingProxyType(
    {
        "SSE-S3": Asking(0),
        "SSE-KMS": Asking(1),
        "SSE-KMS with a Bucket Key": Asking(1, shared=True),
        "DSSE-KMS": Asking(2),
        "client-side": Asking(1),
        "client-side with data key caching": Asking(1, shared=True),
    }
)
TIERS = ("Standard", "Advanced")
#: Up to how many objects a month a break-even is looked for.
FAR = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What is built, and how much it is used in a month.

    Attributes:
        months: for how long, in months of 730 hours.
        keys: customer managed KMS keys; AWS managed keys have no monthly fee (fact PRI-03).
        rotations: how often each of them has been rotated before (fact PRI-02).
        replicas: replica keys of each in other Regions, which are billed as it is (PRI-11).
        writes: objects written a month.
        reads: objects read a month.
        encryption: how the objects are encrypted, one of `ENCRYPTION`.
        reuse: how many objects one request to KMS serves with a Bucket Key or data key caching,
            on average: an assumption. AWS speaks of up to 99 percent less: 100.
        secrets: secrets in Secrets Manager, each replica counted.
        secret_reads: how often one of them is read, a month.
        parameters: SecureString parameters in Parameter Store.
        tier: of these parameters, ``"Standard"`` or ``"Advanced"``.
        parameter_reads: how often one of them is read, a month.
        requests: other requests each month, by the names of `kmscourse.facts.prices`.
        set_up: requests made once, in the first month, likewise.

    Raises:
        ValueError: for what cannot be built.
    """

    months: int = 1
    keys: int = 0
    rotations: int = 0
    replicas: int = 0
    writes: int = 0
    reads: int = 0
    encryption: str = "SSE-S3"
    reuse: int = 100
    secrets: int = 0
    secret_reads: int = 0
    parameters: int = 0
    tier: str = "Standard"
    parameter_reads: int = 0
    requests: Mapping[str, int] = field(default_factory=dict)
    set_up: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _choose("encryption", self.encryption, ENCRYPTION)
        _choose("tier", self.tier, TIERS)
        for name in [each.name for each in fields(self) if each.type == "int"]:
            _count(name, getattr(self, name), least=1 if name in ("months", "reuse") else 0)
        for name in ("requests", "set_up"):
            for kind, number in getattr(self, name).items():
                _choose(name, kind, pricing.ITEMS)
                _count(f"{name}[{kind!r}]", number)

    @property
    def objects(self) -> int:
        """Objects written and read in a month, together."""
        return self.writes + self.reads

    def with_objects(self, objects: int) -> Design:
        """The same with another number of objects a month, written and read in proportion."""
        if not self.objects:
            return self
        writes = self.writes * objects // self.objects
        return replace(self, writes=writes, reads=objects - writes)

    def kms_requests(self) -> int:
        """Requests to KMS with symmetric keys in a month, after the set-up."""
        asking = ENCRYPTION[self.encryption]
        share = self.reuse if asking.shared else 1
        objects = sum(-(-number // share) for number in (self.writes, self.reads))
        others = self.secret_reads + self.parameter_reads + self.requests.get(SYMMETRIC, 0)
        return asking.requests * objects + others

    def usage(self) -> Usage:
        """What is to be paid for."""
        advanced = self.tier == "Advanced"
        each_month = Counter(self.requests)
        each_month[SYMMETRIC] = symmetric = self.kms_requests()
        each_month["secretsmanager.request"] += self.secret_reads
        each_month["ssm.advanced-parameter.interaction"] += advanced * self.parameter_reads
        each_month["kms.key.month"] = keys = self.keys * (1 + self.replicas)
        each_month["kms.key.rotation.first"] = keys * (self.rotations > 0)
        each_month["kms.key.rotation.second"] = keys * (self.rotations > 1)
        each_month["secretsmanager.secret.month"] = self.secrets
        each_month["ssm.advanced-parameter.month"] = advanced * self.parameters
        quantities = Counter(self.set_up)
        for name, number in each_month.items():
            quantities[name] += number * self.months
        first = symmetric + self.set_up.get(SYMMETRIC, 0)
        later = pricing.free_of([symmetric]) * (self.months - 1)
        return Usage(dict(quantities), free=pricing.free_of([first]) + later)

    def bill(self) -> Bill:
        """What it costs over its months."""
        return pricing.bill(self.usage())


def break_even(one: Design, other: Design) -> int | None:
    """From how many objects a month the cheaper of two designs is the other one.

    Objects written and read together, in the proportion of `one` for both. Where the two cost
    the same at first, from where they do not.

    Returns:
        None where the order stays as it is up to `FAR` objects, or where `one` has no objects.
    """
    if not one.objects:
        return None

    def order(objects: int) -> int:
        """Which is cheaper: -1 for `one`, 1 for `other`, 0 for neither."""
        first = one.with_objects(objects)
        second = replace(other, writes=first.writes, reads=first.reads)
        difference = first.bill().exact - second.bill().exact
        return (difference > 0) - (difference < 0)

    def leaves_free_tier(design: Design) -> int:
        """Where requests begin to cost, and so the only place where its costs take a bend."""

        def costs(objects: int) -> bool:
            shape = one.with_objects(objects)
            requests = replace(design, writes=shape.writes, reads=shape.reads).kms_requests()
            return pricing.free_of([requests]) < requests

        return _first(costs, 0, FAR)

    at_first = order(0)
    stations = sorted({*map(leaves_free_tier, (one, other)), FAR})
    low = 0
    for high in stations:
        if order(high) not in (0, at_first):
            return _first(lambda objects: order(objects) not in (0, at_first), low, high)
        low = high
    return None


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The first number from which something holds, `high` where it never does before."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _choose(name: str, chosen: str, among: Iterable[str]) -> None:
    if chosen not in among:
        raise ValueError(f"{name} is one of: {', '.join(among)}; not {chosen!r}.")


def _count(name: str, number: int, least: int = 0) -> None:
    if not isinstance(number, int) or number < least:
        raise ValueError(f"{name} is a whole number from {least} up, not {number!r}.")
