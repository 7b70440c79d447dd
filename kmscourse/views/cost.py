"""The cost explorer: two designs for the same work, what dominates each, and where they break even.

The browser reckons by itself while a slider moves, from the prices that Python hands over out of
`kmscourse.facts`; a test holds it to what `kmscourse.cloud.estimate` reckons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

import traitlets

from kmscourse import facts
from kmscourse.cloud import pricing
from kmscourse.cloud.estimate import ENCRYPTION, FAR, Design, break_even
from kmscourse.views import _svg
from kmscourse.views._base import View

#: What the bars show: which lines of a bill belong together, by the names of their prices.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Keys": ("kms.key.month",),
    "Rotated material": ("kms.key.rotation.first", "kms.key.rotation.second"),
    "Requests to KMS": tuple(name for name in pricing.ITEMS if name.startswith("kms.request")),
    "Secrets Manager": tuple(name for name in pricing.ITEMS if name.startswith("secrets")),
    "Parameter Store": tuple(name for name in pricing.ITEMS if name.startswith("ssm")),
}
_SERVICES = ("Secrets Manager", "Parameter Store")
_WORK = ("writes", "reads", "months")
_NANO = 10**9


class CostExplorer(View):
    """Two designs side by side, with a slider for everything that drives their cost.

    Args:
        one, other: two ways to do the same work: as many objects written and read, as long.
        names: what to call them.
        title: the heading.

    Raises:
        TypeError: for what is no `Design`.
        ValueError: where the two do different work.
    """

    script = "cost.js"
    style = "cost.css"

    _names = traitlets.List().tag(sync=True)
    _designs = traitlets.List().tag(sync=True)
    _prices = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        one: Design,
        other: Design,
        *,
        names: tuple[str, str] = ("Design A", "Design B"),
        title: str = "What encryption costs",
    ) -> None:
        for design in (one, other):
            if not isinstance(design, Design):
                raise TypeError(
                    "The cost explorer compares two designs of kmscourse.cloud.estimate.Design, "
                    f"not {type(design).__name__}."
                )
        if any(getattr(one, name) != getattr(other, name) for name in _WORK):
            raise ValueError(
                "Two designs are compared on the same work: give both the same writes, reads and "
                "months."
            )
        super().__init__(
            title=title,
            _names=list(names),
            _designs=[asdict(one), asdict(other)],
            _prices=price_list(),
        )
        self.summary = self.sentence()

    @property
    def designs(self) -> tuple[Design, Design]:
        """The two designs, as the sliders stand now."""
        one, other = (Design(**design) for design in self._designs)
        return one, other

    def sentence(self) -> str:
        """What each design costs, what dominates, and where they break even."""
        one, other = self.designs
        costs = " ".join(
            f"{name} costs {_dollars(design.bill().exact)} {_span(design)}{_mostly(design)}."
            for name, design in zip(self._names, (one, other), strict=True)
        )
        return f"{costs} {self._break_even()}"

    def picture(self) -> str:
        """Both designs as bars, the largest of each named."""
        return _draw(self)

    def _break_even(self) -> str:
        one, other = self.designs
        if not one.objects:
            return "Without objects there is no break-even to look for."
        found = break_even(one, other)
        if found is not None:
            shape = one.with_objects(found)
            beyond = replace(other, writes=shape.writes, reads=shape.reads)
            cheaper = self._names[shape.bill().exact > beyond.bill().exact]
            return f"From {found:,} objects a month on, {cheaper} is the cheaper."
        difference = one.bill().exact - other.bill().exact
        if not difference:
            return "Both cost the same, however many objects there are."
        return f"{self._names[difference > 0]} is the cheaper, however many objects there are."


def price_list() -> dict[str, Any]:
    """What the browser needs to reckon: prices in whole billionths of a dollar, and the rules."""
    prices = {}
    for name in pricing.ITEMS:
        price = facts.price(name)
        prices[name] = _whole(price.cost(_NANO))
    return {
        "each": prices,
        "free": int(facts.limit("kms.free-tier.requests")),
        "encryption": {name: list(asking) for name, asking in ENCRYPTION.items()},
        "groups": [[title, list(names)] for title, names in GROUPS.items()],
        "far": FAR,
    }


def amounts(design: Design) -> dict[str, Decimal]:
    """US dollars by group, the free tier taken off the requests."""
    usage = design.usage()
    return {
        title: pricing.bill(
            pricing.Usage({n: usage.quantities.get(n, 0) for n in names}, usage.free)
        ).exact
        for title, names in GROUPS.items()
    }


def _whole(number: Decimal) -> int:
    if number != int(number):
        raise ValueError(f"{number} billionths of a dollar are no whole number.")
    return int(number)


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}"


def _span(design: Design) -> str:
    return "a month" if design.months == 1 else f"over {design.months} months"


def _mostly(design: Design) -> str:
    """What dominates a design's bill, as an aside."""
    parts = amounts(design)
    total = sum(parts.values(), Decimal())
    if not total:
        return ""
    title = max(parts, key=lambda each: parts[each])
    spoken = title if title in _SERVICES else title[0].lower() + title[1:]
    return f", {_percent(parts[title], total)} of it for {spoken}"


def _percent(part: Decimal, whole: Decimal) -> str:
    return f"{100 * part / whole:.0f}%"


# The still form

_FILLS = (_svg.ACCENT, "#8a5a00", _svg.SEAL, "#1e6b3a", "#5a44a8")


def _draw(view: CostExplorer) -> str:
    width, pad, column = 720, 20, 330
    p = _svg.Picture(width, view.title, view.sentence())
    p.text(pad, 34, view.title, size=16, bold=True)
    one, _ = view.designs
    work = f"{one.writes:,} objects written and {one.reads:,} read a month, {_span(one)}"
    p.text(pad, 56, work.replace(", a month", ""), size=12.5, fill=_svg.MUTED)
    most = max(max(amounts(design).values()) for design in view.designs) or Decimal(1)
    bottom = 0.0
    for index, design in enumerate(view.designs):
        x, y = pad + index * (column + 20), 90.0
        parts = amounts(design)
        p.text(x, y, view._names[index], bold=True)
        p.text(x + column, y, _dollars(design.bill().exact), bold=True, anchor="end", size=15)
        p.text(x, y + 18, design.encryption, size=12, fill=_svg.MUTED)
        y += 42
        for number, (title, amount) in enumerate(parts.items()):
            share = float(amount / most)
            p.text(x, y, title, size=12.5)
            p.text(x + column, y, _dollars(amount), size=12.5, anchor="end")
            p.box(x, y + 6, column, 12, fill=_svg.WHITE, radius=3)
            if share > 0:
                p.box(x, y + 6, max(round(share * column, 1), 2), 12, fill=_FILLS[number],
                      line=_FILLS[number], radius=3)  # fmt: skip
            y += 38
        bottom = y
    end = p.lines(pad, bottom + 6, width - 2 * pad, view.sentence())
    return p.render(end + 4)
