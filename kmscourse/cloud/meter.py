"""What the calls would have cost: every price from `kmscourse.facts`, with its source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from html import escape

from kmscourse import facts
from kmscourse.cloud.call import Call

_HOURS_PER_MONTH = Decimal(730)
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill.

    Attributes:
        quantity: how many, in `unit`.
        price: US dollars for `per` of them.
        amount: US dollars, not rounded.
        source: where the price is from, and of when.
    """

    item: str
    quantity: Decimal
    unit: str
    price: Decimal
    per: int
    amount: Decimal
    source: str


class Bill(tuple[Line, ...]):
    """The lines of a bill, which prints as a table with its total."""

    @property
    def total(self) -> Decimal:
        """US dollars, rounded to cents."""
        exact = sum((line.amount for line in self), Decimal())
        return exact.quantize(_CENT, ROUND_HALF_UP)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """The lines as text: item, quantity, price, amount."""
        return [
            (
                line.item,
                f"{_tidy(line.quantity)} {line.unit}",
                f"${_tidy(line.price)}" + (f" per {line.per:,}" if line.per > 1 else ""),
                _dollars(line.amount),
            )
            for line in self
        ]

    def __repr__(self) -> str:
        rows = [("Item", "Quantity", "Price", "Amount"), *self.rows()]
        rows.append(("Total", "", "", f"${self.total}"))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if i == 3 else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        )

    def _repr_html_(self) -> str:
        def row(cells: Iterable[str], tag: str = "td") -> str:
            aligned = zip(("left", "left", "left", "right"), cells, strict=True)
            inner = "".join(
                f'<{tag} style="text-align:{side}">{escape(cell)}</{tag}>' for side, cell in aligned
            )
            return f"<tr>{inner}</tr>"

        head = row(("Item", "Quantity", "Price", "Amount"), "th")
        foot = row(("Total", "", "", f"${self.total}"), "th")
        body = "".join(map(row, self.rows()))
        # The classes keep JupyterLab from reading what is between two dollar signs as a formula.
        return (
            f'<table class="tex2jax_ignore mathjax_ignore"><thead>{head}</thead>'
            f"<tbody>{body}</tbody><tfoot>{foot}</tfoot></table>"
        )


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


class Meter:
    """Counts calls as they pass and reckons what they cost.

    Args:
        keys: gives, at the time it is asked, the customer managed keys and their hours.
    """

    def __init__(self, keys: Callable[[datetime], Iterable[KeyMonths]]) -> None:
        self._keys = keys
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._now: datetime | None = None

    def count(self, call: Call) -> None:
        """Count one call, whether or not it was allowed. The account that calls pays."""
        self._requests[call.account, f"{call.time:%Y-%m}", _kind(call)] += 1

    def requests(self, kind: str = "kms.request.symmetric") -> int:
        """How many requests of a kind were made so far, in all accounts and months."""
        return sum(n for (_, _, each), n in self._requests.items() if each == kind)

    def bill(self, account: str | None = None, *, now: datetime) -> Bill:
        """The bill so far: keys by the hour, requests by kind, less the free tier each month."""
        lines = list(self._key_lines(account, now)) + list(self._request_lines(account))
        return Bill(lines)

    def _key_lines(self, account: str | None, now: datetime) -> Iterable[Line]:
        hours = sum(
            (key.hours for key in self._keys(now) if account in (None, key.account)), Decimal()
        )
        if hours:
            price = facts.price("kms.key.month")
            months = hours / _HOURS_PER_MONTH
            yield Line(
                "KMS keys, customer managed", months, "key-months", price.value, price.per,
                price.cost(1) * months, _source(price),
            )  # fmt: skip
        yield from self._rotation_lines(account, now)

    def _rotation_lines(self, account: str | None, now: datetime) -> Iterable[Line]:
        keys = [key for key in self._keys(now) if account in (None, key.account)]
        for index, which in enumerate(("first", "second")):
            hours = sum((k.rotated_hours[index] for k in keys if len(k.rotated_hours) > index),
                        Decimal())  # fmt: skip
            if hours:
                price = facts.price(f"kms.key.rotation.{which}")
                months = hours / _HOURS_PER_MONTH
                yield Line(
                    f"KMS keys, {which} rotation", months, "key-months", price.value, price.per,
                    price.cost(1) * months, _source(price),
                )  # fmt: skip

    def _request_lines(self, account: str | None) -> Iterable[Line]:
        counted: Counter[str] = Counter()
        free_by_month: Counter[tuple[str, str]] = Counter()
        for (who, month, kind), number in self._requests.items():
            if account in (None, who) and kind:
                counted[kind] += number
                if kind == "kms.request.symmetric":
                    free_by_month[who, month] += number
        tier = facts.limit("kms.free-tier.requests")
        free = sum(min(number, int(tier)) for number in free_by_month.values())
        for kind, number in counted.items():
            price = facts.price(kind)
            quantity = Decimal(number)
            yield Line(
                _ITEMS[kind], quantity, "requests", price.value, price.per,
                price.cost(number), _source(price),
            )  # fmt: skip
            if kind == "kms.request.symmetric" and free:
                yield Line(
                    "KMS requests, free tier", Decimal(-free), "requests", price.value, price.per,
                    -price.cost(free), _source(tier),
                )  # fmt: skip


def _kind(call: Call) -> str:
    """The name of the price in `kmscourse.facts`; "" for what this bill does not list.

    Source: facts PRI-04, PRI-05 and PRI-06: what counts is the kind of the key that is used, and
    for data key pairs the kind of the pair.
    """
    if call.service != "kms":
        return ""
    if call.operation.startswith("GenerateDataKeyPair"):
        rsa = str(call.parameters.get("KeyPairSpec", "")).startswith("RSA")
        return "kms.request.data-key-pair." + ("rsa" if rsa else "ecc")
    key = call.noted.get("key")
    spec = key.spec if key is not None else "SYMMETRIC_DEFAULT"
    if call.operation not in _WITH_A_PAIR or spec.startswith(("SYMMETRIC", "HMAC")):
        return "kms.request.symmetric"
    return "kms.request.rsa-2048" if spec == "RSA_2048" else "kms.request.asymmetric"


_WITH_A_PAIR = {
    "Encrypt", "Decrypt", "Sign", "Verify", "GetPublicKey", "DeriveSharedSecret", "Encapsulate",
    "Decapsulate",
}  # fmt: skip
_ITEMS = {
    "kms.request.symmetric": "KMS requests",
    "kms.request.rsa-2048": "KMS requests with RSA_2048 keys",
    "kms.request.asymmetric": "KMS requests with other asymmetric keys",
    "kms.request.data-key-pair.ecc": "KMS requests, ECC data key pairs",
    "kms.request.data-key-pair.rsa": "KMS requests, RSA data key pairs",
}


def _source(fact: facts.Figure) -> str:
    return f"{fact.id}: {fact.source} ({fact.as_of})"


def _dollars(amount: Decimal) -> str:
    return f"{'-' if amount < 0 else ''}${abs(amount):,.4f}"


def _tidy(number: Decimal) -> str:
    text = f"{number:,.4f}" if number % 1 else f"{number:,.0f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
