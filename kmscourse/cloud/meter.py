"""Counts what is to be paid for: calls as they pass, and how long things stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from kmscourse.cloud import pricing
from kmscourse.cloud.call import Call
from kmscourse.cloud.pricing import SYMMETRIC, Bill, Usage

_READS = ("Get", "BatchGet", "List", "Describe")


@dataclass(frozen=True, slots=True)
class KeyMonths:
    """How long a customer managed key was there to be paid for, in hours.

    Attributes:
        rotated_hours: how long since its first and its second rotation, which each cost as much
            again; later ones cost nothing (fact PRI-02).
    """

    account: str
    hours: Decimal
    rotated_hours: tuple[Decimal, ...] = ()


class Standing(NamedTuple):
    """Something that is paid for by the hour while it is there.

    Attributes:
        price: the name of its price by the month.
        name: what tells it from others of its account.
    """

    price: str
    account: str
    name: str


class Meter:
    """Counts calls as they pass, and what stands because of them.

    Args:
        keys: gives, at the time it is asked, the customer managed keys and their hours.
        standing: gives what stands in a service now, by the service's name.
    """

    def __init__(
        self,
        keys: Callable[[datetime], Iterable[KeyMonths]],
        standing: Callable[[str], Iterable[Standing]],
    ) -> None:
        self._keys, self._standing = keys, standing
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._since: dict[str, dict[Standing, datetime]] = {}
        self._ended: Counter[tuple[str, str]] = Counter()  # seconds, by price and account

    def count(self, call: Call) -> None:
        """Count one call, whether or not it was allowed. The account that calls pays."""
        for kind, number in _kinds(call):
            self._requests[call.account, f"{call.time:%Y-%m}", kind] += number
        if not call.operation.startswith(_READS):
            self._look(call.service, call.time)

    def requests(self, kind: str = SYMMETRIC) -> int:
        """How many requests of a kind were made so far, in all accounts and months."""
        return sum(n for (_, _, each), n in self._requests.items() if each == kind)

    def bill(self, account: str | None = None, *, now: datetime) -> Bill:
        """The bill so far: keys by the hour, requests by kind, less the free tier each month."""
        return pricing.bill(self.usage(account, now=now))

    def usage(self, account: str | None = None, *, now: datetime) -> Usage:
        """What is to be paid for so far, of one account or of all."""
        quantities: Counter[str] = Counter()
        hours: dict[str, Decimal] = {}
        symmetric: list[int] = []
        for (who, _, kind), number in self._requests.items():
            if account in (None, who):
                quantities[kind] += number
                if kind == SYMMETRIC:
                    symmetric.append(number)
        for price, spent in self._hours(account, now):
            hours[price] = hours.get(price, Decimal()) + spent
        months = {price: spent / pricing.HOURS_PER_MONTH for price, spent in hours.items()}
        return Usage({**quantities, **months}, free=pricing.free_of(symmetric))

    def _hours(self, account: str | None, now: datetime) -> Iterable[tuple[str, Decimal]]:
        """The prices of what stood, and for how long."""
        for key in self._keys(now):
            if account in (None, key.account):
                yield "kms.key.month", key.hours
                for which, spent in zip(("first", "second"), key.rotated_hours, strict=False):
                    yield f"kms.key.rotation.{which}", spent
        for (price, who), seconds in self._ended.items():
            if account in (None, who):
                yield price, Decimal(seconds) / 3600
        for since in self._since.values():
            for each, begun in since.items():
                if account in (None, each.account):
                    yield each.price, _hours_between(begun, now)

    def _look(self, service: str, now: datetime) -> None:
        """See what of a service has come and what has gone."""
        before, present = self._since.get(service, {}), set(self._standing(service))
        for each in before.keys() - present:
            self._ended[each.price, each.account] += int((now - before[each]).total_seconds())
        self._since[service] = {each: before.get(each, now) for each in present}


def _hours_between(begun: datetime, end: datetime) -> Decimal:
    return Decimal(str((end - begun).total_seconds())) / 3600


def _kinds(call: Call) -> Iterable[tuple[str, int]]:
    """What a call costs: names of prices in `kmscourse.facts`, and how many of each."""
    if call.service == "kms":
        yield _kms_kind(call), 1
    elif call.service == "secretsmanager":
        yield "secretsmanager.request", 1
    elif "advanced_parameters" in call.noted:
        yield "ssm.advanced-parameter.interaction", call.noted["advanced_parameters"]


def _kms_kind(call: Call) -> str:
    """The name of the price of a request to KMS.

    Source: facts PRI-04, PRI-05 and PRI-06: what counts is the kind of the key that is used, and
    for data key pairs the kind of the pair.
    """
    if call.operation.startswith("GenerateDataKeyPair"):
        rsa = str(call.parameters.get("KeyPairSpec", "")).startswith("RSA")
        return "kms.request.data-key-pair." + ("rsa" if rsa else "ecc")
    key = call.noted.get("key")
    spec = key.spec if key is not None else "SYMMETRIC_DEFAULT"
    if call.operation not in _WITH_A_PAIR or spec.startswith(("SYMMETRIC", "HMAC")):
        return SYMMETRIC
    return "kms.request.rsa-2048" if spec == "RSA_2048" else "kms.request.asymmetric"


_WITH_A_PAIR = {
    "Encrypt", "Decrypt", "Sign", "Verify", "GetPublicKey", "DeriveSharedSecret", "Encapsulate",
    "Decapsulate",
}  # fmt: skip
