"""The price list and the bill: what usage costs, every price from `kmscourse.facts`.

The meter counts usage and the estimator reckons it; what either costs is said here alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from html import escape

from kmscourse import facts

#: AWS prorates by the hour; so many make a month (fact PRI-17).
HOURS_PER_MONTH = 730
SYMMETRIC = "kms.request.symmetric"
#: What a bill can list, in its order: the name of the price, the item and its unit.
ITEMS = {
    "kms.key.month": ("KMS keys, customer managed", "key-months"),
    "kms.key.rotation.first": ("KMS keys, first rotation", "key-months"),
    "kms.key.rotation.second": ("KMS keys, second rotation", "key-months"),
    SYMMETRIC: ("KMS requests", "requests"),
    "kms.request.rsa-2048": ("KMS requests with RSA_2048 keys", "requests"),
    "kms.request.asymmetric": ("KMS requests with other asymmetric keys", "requests"),
    "kms.request.data-key-pair.ecc": ("KMS requests, ECC data key pairs", "requests"),
    "kms.request.data-key-pair.rsa": ("KMS requests, RSA data key pairs", "requests"),
    "secretsmanager.secret.month": ("Secrets Manager secrets", "secret-months"),
    "secretsmanager.request": ("Secrets Manager API calls", "calls"),
    "ssm.advanced-parameter.month": ("SSM advanced parameters", "parameter-months"),
    "ssm.advanced-parameter.interaction": ("SSM advanced parameters, API interactions",
                                           "interactions"),
}  # fmt: skip
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
    def exact(self) -> Decimal:
        """US dollars, not rounded."""
        return sum((line.amount for line in self), Decimal())

    @property
    def total(self) -> Decimal:
        """US dollars, rounded to cents."""
        return self.exact.quantize(_CENT, ROUND_HALF_UP)

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
class Usage:
    """What is to be paid for.

    Attributes:
        quantities: how much of each thing, by the name of its price.
        free: how many of the symmetric requests the free tier covers.
    """

    quantities: Mapping[str, Decimal | int]
    free: int = 0


def free_of(monthly: Iterable[int]) -> int:
    """How many symmetric requests are free, of those of each account and calendar month.

    Source: fact PRI-07.
    """
    tier = int(facts.limit("kms.free-tier.requests"))
    return sum(min(requests, tier) for requests in monthly)


def bill(usage: Usage) -> Bill:
    """What usage costs, line by line."""
    return Bill(_lines(usage))


def _lines(usage: Usage) -> Iterable[Line]:
    for name, (item, unit) in ITEMS.items():
        quantity = Decimal(usage.quantities.get(name, 0))
        if not quantity:
            continue
        price = facts.price(name)
        cost, source = price.cost(quantity), _source(price)
        yield Line(item, quantity, unit, price.value, price.per, cost, source)
        if name == SYMMETRIC and usage.free:
            free, tier = Decimal(usage.free), facts.limit("kms.free-tier.requests")
            yield Line(
                "KMS requests, free tier", -free, unit, price.value, price.per,
                -price.cost(free), _source(tier),
            )  # fmt: skip


def _source(fact: facts.Figure) -> str:
    source = f"{fact.id}: {fact.source} ({fact.as_of or 'no date'})"
    return f"{source}. {fact.doubt}" if fact.doubt else source


def _dollars(amount: Decimal) -> str:
    return f"{'-' if amount < 0 else ''}${abs(amount):,.4f}"


def _tidy(number: Decimal) -> str:
    text = f"{number:,.4f}" if number % 1 else f"{number:,.0f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
