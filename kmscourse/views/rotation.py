"""The rotation timeline: which key material made which ciphertext, what opens it, what it costs.

The browser draws and moves through time by itself; all it shows was read from the simulated AWS
when the view was made, and each ciphertext was really given to Decrypt.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import boto3
import traitlets

from kmscourse.cloud.simulation import Cloud
from kmscourse.views import _svg
from kmscourse.views._base import View
from kmscourse.views._rotation_history import Ciphertext, History, Row, Shut

#: Colours that materials take in turn. Each also has its name, so none is told by colour alone.
COLOURS = 6
MOST_ROWS, MOST_CIPHERTEXTS = 8, 24


class RotationTimeline(View):
    """Keys over the years: their material, the ciphertexts made under each, and the cost.

    Args:
        aws: the simulated AWS.
        keys: a name for each row, and what it shows: a key id or ARN, or an alias, whose row has
            every key that it has named.
        ciphertexts: a name for each, and the whole answer of Encrypt, GenerateDataKey or
            ReEncrypt, as boto3 returned it. Each is decrypted when the view is made.
        kms: the boto3 client that asks; by default that of the account's administrator.
        title: the heading.

    Raises:
        TypeError: `aws` is no simulated AWS.
        ValueError: a key does not exist, a ciphertext is none or of no key shown, or there are
            too many to be seen.
    """

    script = "rotation.js"
    style = "rotation.css"

    _shown = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        aws: Cloud,
        keys: Mapping[str, str],
        ciphertexts: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        kms: Any = None,
        title: str = "Rotation, over the years",
    ) -> None:
        if not isinstance(aws, Cloud):
            raise TypeError(f"Pass what cloud.start() returned first, not {type(aws).__name__}.")
        made = ciphertexts or {}
        if not 1 <= len(keys) <= MOST_ROWS or len(made) > MOST_CIPHERTEXTS:
            raise ValueError(
                f"Show one to {MOST_ROWS} keys, and {MOST_CIPHERTEXTS} ciphertexts at the most."
            )
        self.history = History(aws, kms or boto3.client("kms"), keys, made)
        super().__init__(title=title)
        self._shown = _as_json(self.history)
        self.summary = self.sentence()

    def sentence(self) -> str:
        """Rows with their number of materials, what opens, and the cost at the end."""
        history = self.history
        rows = ", ".join(
            f"{row.name} with {_number(len(row.materials), 'key material')}" for row in history.rows
        )
        total = sum((row.rate(history.now) for row in history.rows), Decimal())
        cost = f"the keys then cost {_dollars(total)} a month."
        if history.ciphertexts:
            opens = sum(each.opens for each in history.ciphertexts)
            made = _number(len(history.ciphertexts), "ciphertext")
            cost = f"{opens} of {made} can be decrypted at the end, and {cost}"
        else:
            cost = cost[0].upper() + cost[1:]
        return f"From {_day(history.start)} to {_day(history.now)}: {rows}. {cost}"

    def picture(self) -> str:
        """The rows with their materials and ciphertexts, and what opens at the end."""
        return _draw(self)


# ---------------------------------------------------------------- what the browser draws


def _as_json(history: History) -> dict[str, Any]:
    rates = {at for row in history.rows for key in row.keys for at, _ in key.rates()}
    return {
        "start": _ms(history.start),
        "now": _ms(history.now),
        "rows": [_row(row) for row in history.rows],
        "ciphertexts": [_ciphertext(each, history) for each in history.ciphertexts],
        "totals": [
            {"at": _ms(at), "dollars": float(sum(row.rate(at) for row in history.rows))}
            for at in sorted(rates)
        ],
    }


def _row(row: Row) -> dict[str, Any]:
    changes = sorted({at for key in row.keys for at, _ in key.rates()})
    return {
        "name": row.name,
        "kind": row.kind,
        "due": _ms(row.due) if row.due else None,
        "materials": [
            {
                "name": each.name,
                "colour": number % COLOURS + 1,
                "made": _ms(each.made) if each.made else None,
                "how": each.how,
                "key": _short(each.key) if row.alias else "",
                "spans": [[_ms(since), _ms(until)] for since, until in each.spans],
            }
            for number, each in enumerate(row.materials)
        ],
        "shut": [_shut(each) for key in row.keys for each in key.shut] if not row.alias else [],
        "rates": [{"at": _ms(at), "dollars": float(row.rate(at))} for at in changes],
    }


def _ciphertext(each: Ciphertext, history: History) -> dict[str, Any]:
    return {
        "name": each.name,
        "made": _ms(each.made),
        "row": history.rows.index(each.row),
        "material": each.row.materials.index(each.material),
        "opens": each.opens,
        "shut": [_shut(shut) for shut in each.shut],
    }


def _shut(shut: Shut) -> dict[str, Any]:
    return {"since": _ms(shut.since), "until": _ms(shut.until), "why": shut.why}


def _ms(when: datetime | None) -> int | None:
    return None if when is None else int(when.timestamp() * 1000)


# ---------------------------------------------------------------- words


def _number(count: int, one: str) -> str:
    return f"{count} {one}{'' if count == 1 else 's'}"


def _day(when: datetime) -> str:
    return f"{when.day} {when:%B %Y}"


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}"


def _short(arn: str) -> str:
    """The beginning of a key's id: enough to tell it from its neighbour."""
    return arn.rsplit("/", 1)[-1][:8]


# ---------------------------------------------------------------- the still form

_GROUNDS = ("#dbe9f6", "#fbe7c6", "#ddefdc", "#f3dcec", "#e4dff5", "#d7efee")
_LINES = ("#1d5c8f", "#8a5a00", "#1e6b3a", "#8e2c72", "#5a44a8", "#0f6663")


def _draw(view: RotationTimeline) -> str:
    history = view.history
    width, pad, left, strip = 720, 20, 180, 430
    p = _svg.Picture(width, view.title, view.sentence())
    whole = (history.now - history.start).total_seconds() or 1

    def x(when: datetime) -> float:
        return round(left + strip * (when - history.start).total_seconds() / whole, 1)

    p.text(pad, 32, view.title, size=16, bold=True)
    p.text(left, 56, _day(history.start), size=12, fill=_svg.MUTED)
    p.text(left + strip, 56, _day(history.now), size=12, fill=_svg.MUTED, anchor="end")
    p.text(width - pad, 56, "a month", size=12, fill=_svg.MUTED, anchor="end")
    y = 66.0
    for row in history.rows:
        p.text(pad, y + 18, row.name, bold=True)
        p.lines(pad, y + 34, left - pad - 12, row.kind, size=11.5)
        for number, each in enumerate(row.materials):
            ground, line = _GROUNDS[number % COLOURS], _LINES[number % COLOURS]
            for since, until in each.spans:
                begin, end = x(since), x(until or history.now)
                p.box(begin, y, max(end - begin, 2), 26, fill=ground, line=line, radius=3)
                if end - begin > 22:
                    p.text(begin + 6, y + 18, each.name, size=12, bold=True)
        for each_made in history.ciphertexts:
            if each_made.row is row:
                p.path(f"M{x(each_made.made)} {y + 26} v8", line=_svg.INK)
                p.circle(x(each_made.made), y + 36, 3.5, fill=_svg.INK)
        p.text(width - pad, y + 18, _dollars(row.rate(history.now)), bold=True, anchor="end")
        y += 58
    if history.ciphertexts:
        y += 8
        p.text(pad, y + 12, f"Ciphertexts on {_day(history.now)}", bold=True)
        y += 34
    for each_made in history.ciphertexts:
        ink = "#1e6b3a" if each_made.opens else _svg.SEAL
        sign = "M5 12.5l4.5 4.5L19 7.5" if each_made.opens else "M7 7l10 10 M17 7L7 17"
        p.icon(pad, y - 13, sign, size=16, line=ink)
        said = "opens" if each_made.opens else f"does not open: {_why(each_made)}"
        p.text(pad + 24, y, f"{each_made.name}, made under {each_made.material.name}", size=12.5)
        p.text(width - pad, y, said, size=12.5, fill=ink, anchor="end")
        y += 22
    return p.render(y + 8)


def _why(each: Ciphertext) -> str:
    why = each.shut[-1].why
    return why if why.startswith("refused") else f"its key is {why}"
