"""The Region map: keys and replicas, what each Region has of its own, and where each call went.

The browser draws and lets one move from call to call; everything was read from the Regions and the
trail when the view was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import traitlets

from kmscourse.cloud.simulation import Cloud
from kmscourse.views import _svg
from kmscourse.views._base import View
from kmscourse.views._region_places import KeyHere, Place, Places, Went

MOST_REGIONS, MOST_CALLS = 6, 60

#: Where the Regions lie that a learner meets most. Source: AWS Regions and Availability Zones.
_WHERE = {
    "us-east-1": "N. Virginia",
    "us-east-2": "Ohio",
    "us-west-2": "Oregon",
    "eu-west-1": "Ireland",
    "eu-central-1": "Frankfurt",
    "eu-north-1": "Stockholm",
    "ap-southeast-2": "Sydney",
    "ap-northeast-1": "Tokyo",
    "sa-east-1": "São Paulo",
}


class RegionMap(View):
    """Regions side by side with their keys, and beneath them each call, where it really went.

    Args:
        aws: the simulated AWS.
        keys: a name for each, and the ARN of a KMS key; related keys are found by themselves.
        regions: Regions to show besides those that have one of the keys.
        after: leave out this many of the trail's first events: ``len(aws.trail)`` from earlier on.
        services: show the calls to these services, too: ``["dynamodb"]``.
        title: the heading.

    Raises:
        TypeError: `aws` is no simulated AWS.
        ValueError: what was passed is no ARN of a key, or there are too many Regions.
    """

    script = "region_map.js"
    style = "region_map.css"

    _shown = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        aws: Cloud,
        keys: Mapping[str, str],
        *,
        regions: Iterable[str] = (),
        after: int = 0,
        services: Sequence[str] = (),
        title: str = "Keys and calls, Region by Region",
    ) -> None:
        if not isinstance(aws, Cloud):
            raise TypeError(f"Pass what cloud.start() returned first, not {type(aws).__name__}.")
        found = Places(aws, keys, regions, after, services)
        if not 1 <= len(found.places) <= MOST_REGIONS:
            raise ValueError(f"Show keys of one to {MOST_REGIONS} Regions.")
        self.places: list[Place] = found.places
        self.calls: list[Went] = found.calls[-MOST_CALLS:]
        self._left_out = len(found.calls) - len(self.calls)
        super().__init__(title=title)
        self._shown = {
            "places": [_place(each) for each in self.places],
            "calls": [_call(each) for each in self.calls],
            "leftOut": self._left_out,
        }
        self.summary = self.sentence()

    def sentence(self) -> str:
        """Each Region with its keys and the number of calls that it answered; no ids."""
        return " ".join(_spoken(place, self.calls) for place in self.places)

    def picture(self) -> str:
        """The Regions with their keys, and the calls that each answered."""
        return _draw(self)


# ---------------------------------------------------------------- what the browser draws


def _place(place: Place) -> dict[str, Any]:
    return {
        "region": place.region,
        "where": _WHERE.get(place.region, ""),
        "answers": place.answers,
        "keys": [
            {
                "name": key.name,
                "kind": key.kind,
                "state": key.state,
                "id": _short(key),
                "materials": list(key.materials),
                "own": [list(each) for each in key.own],
            }
            for key in place.keys
        ],
    }


def _call(call: Went) -> dict[str, Any]:
    return {
        "time": call.time.strftime("%H:%M:%S"),
        "region": call.region,
        "service": call.service,
        "operation": call.operation,
        "who": call.who,
        "through": call.through,
        "key": call.key,
        "outcome": call.outcome,
        "error": call.error,
    }


def _short(key: KeyHere) -> str:
    """The beginning of the key id: enough to see that related keys share it."""
    return key.arn.rsplit("/", 1)[-1][:12] + "…"


# ---------------------------------------------------------------- words


def _spoken(place: Place, calls: Sequence[Went]) -> str:
    here = [call for call in calls if call.region == place.region]
    lost = sum(call.outcome == "unanswered" for call in here)
    answered = _number(len(here) - lost, "call") + " answered"
    if not place.answers:
        return f"{place.region} is switched off: {answered} before, {lost} not answered."
    keys = ", ".join(f"{key.name} ({key.kind}, {key.state})" for key in place.keys) or "no key"
    missed = f", {lost} not answered while it was switched off" if lost else ""
    return f"{place.region} has {keys}: {answered}{missed}."


def _number(count: int, one: str) -> str:
    return f"{count} {one}{'' if count == 1 else 's'}"


# ---------------------------------------------------------------- the still form


def _draw(view: RegionMap) -> str:
    width, pad, gap = 720, 20, 14
    p = _svg.Picture(width, view.title, view.sentence())
    p.text(pad, 32, view.title, size=16, bold=True)
    column = (width - 2 * pad - gap * (len(view.places) - 1)) / len(view.places)
    most = max(len(place.keys) for place in view.places)
    top, tall = 50.0, 62 + 60 * max(most, 1)
    for number, place in enumerate(view.places):
        x = pad + number * (column + gap)
        p.box(x, top, column, tall, fill=_svg.PAPER, dashed=not place.answers)
        p.text(x + 12, top + 24, place.region, bold=True)
        said = _WHERE.get(place.region, "") if place.answers else "switched off"
        p.text(x + 12, top + 41, said, size=12, fill=_svg.MUTED if place.answers else _svg.SEAL)
        y = top + 54
        for key in place.keys:
            p.box(x + 10, y, column - 20, 50, line=_svg.KEY)
            p.icon(x + 18, y + 7, _svg.KEY_ICON, size=16, line=_svg.KEY)
            p.text(x + 40, y + 20, f"{key.name}, {key.kind}", size=12.5, bold=True)
            detail = ", ".join([key.state, *key.materials])
            p.text(x + 40, y + 38, detail, size=12, fill=_svg.MUTED)
            y += 60
        if place.answers and not place.keys:
            p.text(x + 12, y + 20, "none of these keys", size=12.5, fill=_svg.MUTED)
        here = [call for call in view.calls if call.region == place.region]
        y = top + tall + 20
        for operation, outcome, count in _counted(here):
            ink = _svg.INK if outcome == "ok" else _svg.SEAL
            times = f" ×{count}" if count > 1 else ""
            p.text(x + 12, y, f"{operation}{times}", size=12.5, fill=ink)
            if outcome != "ok":
                y += 16
                p.text(x + 22, y, outcome, size=12, fill=ink)
            y += 18
    lines = [
        sum(1 if outcome == "ok" else 2 for _, outcome, _ in _counted(
            [call for call in view.calls if call.region == place.region]))
        for place in view.places
    ]  # fmt: skip
    return p.render(top + tall + 24 + 18 * max(lines, default=0))


def _counted(calls: Sequence[Went]) -> list[tuple[str, str, int]]:
    """Operations with their outcome and how often, in the order in which they first came."""
    counted: dict[tuple[str, str], int] = {}
    for call in calls:
        outcome = "ok" if call.outcome == "ok" else call.error
        counted[call.operation, outcome] = counted.get((call.operation, outcome), 0) + 1
    return [(operation, outcome, count) for (operation, outcome), count in counted.items()]
