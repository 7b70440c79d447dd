"""What a fact is: a sentence, often a number, and where it comes from.

A fact shows itself: its `repr` is one stable line, and in a notebook it is the sentence with its
value, its source and its date, so that nobody has to believe a number.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from types import MappingProxyType
from typing import Literal, get_args

Confidence = Literal["sourced", "partly-recall", "recall", "conflicting"]
"""Read in AWS's text; partly or wholly from memory; or AWS's own texts disagree."""

CONFIDENCES: tuple[str, ...] = get_args(Confidence)

Value = Decimal | str | tuple["Value", ...] | Mapping[str, "Value"]
"""What a fact measures: a number, a word, a list, or named parts of these."""

_DOUBT: Mapping[Confidence, str] = MappingProxyType(
    {
        "sourced": "",
        "partly-recall": "Part of this is from memory, without a source: see the note.",
        "recall": "From memory, without a source. Check it before you rely on it.",
        "conflicting": "AWS's own texts disagree here: see the note.",
    }
)


class FactError(LookupError):
    """A fact or figure that does not exist, or is asked for as something it is not."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is so, in our own words.

    `as_of` is the date of the source, not of our reading; it is free text where the source has no
    exact date. `study_notes` is what common study notes say about it; `changed` is true where
    they are out of date or incomplete.
    """

    id: str
    topic: str
    statement: str
    value: Value | None = None
    unit: str | None = None
    sources: tuple[str, ...] = ()
    as_of: str | None = None
    confidence: Confidence = "sourced"
    note: str | None = None
    study_notes: str | None = None
    changed: bool = False

    @property
    def source(self) -> str:
        """The sources as one line; what we say where there is none."""
        return "; ".join(self.sources) or "from memory"

    @property
    def doubt(self) -> str:
        """A sentence on why this is not certain, empty where it is sourced."""
        return _DOUBT[self.confidence]

    def __repr__(self) -> str:
        shown = f" = {plain(self.value, self.unit)}" if self.value is not None else ""
        mark = "" if self.confidence == "sourced" else f" [{self.confidence}]"
        return f"<{type(self).__name__} {self.id}{shown}{mark}>"

    def __str__(self) -> str:
        """Several lines: sentence, value, source with date, and what is doubtful."""
        lines = textwrap.wrap(f"{self.id}  {self.statement}", 96)
        if self.value is not None:
            lines.append(f"  Value:  {plain(self.value, self.unit)}")
        lines.append(f"  Source: {self.source}")
        lines.append(f"  As of:  {self.as_of or 'no date'}")
        if self.doubt:
            lines.append(f"  Doubt:  {self.doubt}")
        if self.note:
            lines.append(f"  Note:   {self.note}")
        if self.study_notes:
            heading = "Study notes (out of date or incomplete)" if self.changed else "Study notes"
            lines.append(f"  {heading}: {self.study_notes}")
        return "\n".join(lines)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._html()}

    def _html(self) -> str:
        rows = []
        if self.value is not None:
            rows.append(("Value", f"<strong>{escape(plain(self.value, self.unit))}</strong>"))
        rows.append(("Source", "<br>".join(_linked(s) for s in self.sources) or "from memory"))
        rows.append(("As of", escape(self.as_of or "no date")))
        if self.doubt:
            rows.append(("Doubt", f"<strong>⚠ {escape(self.doubt)}</strong>"))
        if self.note:
            rows.append(("Note", escape(self.note)))
        if self.study_notes:
            heading = "Study notes (out of date or incomplete)" if self.changed else "Study notes"
            rows.append((heading, escape(self.study_notes)))
        body = "".join(f"<dt>{escape(k)}</dt><dd>{v}</dd>" for k, v in rows)
        # The classes keep JupyterLab from reading "$1 or $2" as a formula.
        return (
            '<div class="tex2jax_ignore mathjax_ignore">'
            f"<p>{escape(self.statement)} <code>{escape(self.id)}</code></p><dl>{body}</dl></div>"
        )


@dataclass(frozen=True, slots=True, repr=False)
class Figure(Fact):
    """One number that code asks for by name, with the fact it stands in.

    `per` is the quantity a price is for: USD 0.03 `per` 10,000 requests.
    """

    value: Decimal
    name: str = ""
    per: int = 1

    def cost(self, quantity: Decimal | int) -> Decimal:
        """What `quantity` of it costs in US dollars, unrounded."""
        return self.value * Decimal(quantity) / self.per

    def __int__(self) -> int:
        if self.value != int(self.value):
            raise FactError(f"{self.name} is {self.value}, not a whole number.")
        return int(self.value)

    def __repr__(self) -> str:
        mark = "" if self.confidence == "sourced" else f" [{self.confidence}]"
        return f"<Figure {self.name} = {plain(self.value, self.unit)} ({self.id}){mark}>"


def plain(value: Value, unit: str | None = None) -> str:
    """A value as text: 4,096 bytes; min: 90, max: 2,560 days."""
    if isinstance(value, Decimal):
        text = f"{value:,f}"
    elif isinstance(value, str):
        text = value
    elif isinstance(value, Mapping):
        text = ", ".join(f"{k}: {_nested(v)}" for k, v in value.items())
    else:
        text = ", ".join(_nested(v) for v in value)
    return f"{text} {unit}" if unit else text


def _nested(value: Value) -> str:
    return plain(value) if isinstance(value, Decimal | str) else f"({plain(value)})"


def _linked(source: str) -> str:
    """The source with its address, if it has one, as a link."""
    if not source.startswith("https://"):
        return escape(source)
    address, _, rest = source.partition(" ")
    address = address.rstrip(":;,")
    rest = source[len(address) :]
    return f'<a href="{escape(address)}">{escape(address)}</a>{escape(rest)}'
