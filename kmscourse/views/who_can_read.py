"""Who can read it, where: real attempts to read a record, in a grid, with measures to switch on.

The browser gets what came of every attempt, and moves among that; nothing is tried again, and
nothing that was not tried is shown as anything but that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import traitlets

from kmscourse.attempts import Attempt, Measure
from kmscourse.views import _svg
from kmscourse.views._base import View

# How much is shown of what was seen, in bytes: around the record where it was found, else from
# the beginning. A dump has lines of sixteen.
TEXT_SHOWN, DUMP_SHOWN, LINE = 240, 96, 16

READS, CANNOT, NOT_TRIED = "reads", "cannot", "not tried"


class WhoCanRead(View):
    """A grid of who against which measure; each cell opens to the attempt behind it.

    Args:
        attempts: what was tried, such as ``attempts.by_everyone(record)``. Rows are those who
            tried, columns are no measure at all and each single one, in the order in which they
            come up; the last column shows the measures that are switched on together.
        title: the heading.

    Raises:
        ValueError: for no attempts, or two of the same person with the same measures.

    Attributes:
        switched_on: names of the measures that are on in the last column.
    """

    script = "who_can_read.js"
    style = "who_can_read.css"

    switched_on = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _shown = traitlets.Dict().tag(sync=True)

    def __init__(self, attempts: Iterable[Attempt], *, title: str = "Who can read it?") -> None:
        self.attempts = tuple(attempts)
        if not self.attempts:
            raise ValueError("There is nothing to show: give at least one attempt.")
        self._found: dict[tuple[str, frozenset[str]], Attempt] = {}
        for each in self.attempts:
            place = each.who, frozenset(measure.name for measure in each.measures)
            if place in self._found:
                protected = ", ".join(sorted(place[1])) or "no measure"
                raise ValueError(f"{each.who} is there twice with {protected}.")
            self._found[place] = each
        self._who = {each.who: each.where for each in self.attempts}
        self._measures = _measures(self.attempts)
        super().__init__(
            title=title,
            _shown={
                "who": [{"name": name, "where": where} for name, where in self._who.items()],
                "measures": [{"name": m.name, "how": m.how} for m in self._measures],
                "columns": [[m.name for m in column] for column in self._columns()],
                "attempts": [_as_json(each) for each in self.attempts],
            },
        )
        self.summary = self.sentence()

    @traitlets.validate("switched_on")  # type: ignore[untyped-decorator]  # traitlets has no types
    def _known(self, proposal: Any) -> list[str]:
        """Each measure once, in the order of the switches."""
        names = [measure.name for measure in self._measures]
        unknown = [name for name in proposal["value"] if name not in names]
        if unknown:
            raise traitlets.TraitError(
                f"There is no measure {unknown[0]!r} here; there is {', '.join(names) or 'none'}."
            )
        return [name for name in names if name in proposal["value"]]

    def attempt(self, who: str, *measures: str) -> Attempt | None:
        """The attempt of somebody where these measures are taken; None if it was not made."""
        return self._found.get((who, frozenset(measures)))

    def _columns(self) -> list[tuple[Measure, ...]]:
        """No measure, and each one alone, of those that were tried."""
        tried = {names for _, names in self._found}
        alone: list[tuple[Measure, ...]] = [(), *((measure,) for measure in self._measures)]
        return [column for column in alone if _names(column) in tried]

    def _word(self, who: str, measures: Sequence[Measure]) -> str:
        found = self._found.get((who, _names(measures)))
        if found is None:
            return NOT_TRIED
        return READS if found.reads else CANNOT

    # The static form

    def sentence(self) -> str:
        """How many read the record with each measure, as it was tried."""
        columns = self._columns()
        if len(self._measures) > 1:
            columns.append(self._measures)
        parts = []
        for column in columns:
            words = [self._word(who, column) for who in self._who]
            tried = len(words) - words.count(NOT_TRIED)
            if tried:
                parts.append(f"{self._heading(column)}: {words.count(READS)} of {tried}")
        return f"Who reads the record, as it was tried. {'; '.join(parts)}."

    def _heading(self, column: Sequence[Measure]) -> str:
        if not column:
            return "Nothing"
        if len(column) > 1 and len(column) == len(self._measures):
            return "All together"
        return " + ".join(measure.name for measure in column)

    def picture(self) -> str:
        """The grid, with all measures together in the last column."""
        return _draw(self)


def _measures(attempts: Iterable[Attempt]) -> tuple[Measure, ...]:
    """Every measure once: as they come alone first, then those that come only with others."""
    found: dict[str, Measure] = {}
    listed = sorted((each.measures for each in attempts), key=lambda m: -len(m))
    for measures in listed[:1]:  # the longest says in which order they belong
        found |= {measure.name: measure for measure in measures}
    for measures in listed:
        for measure in measures:
            found.setdefault(measure.name, measure)
    return tuple(found.values())


def _names(measures: Iterable[Measure]) -> frozenset[str]:
    return frozenset(measure.name for measure in measures)


def _as_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "who": attempt.who,
        "where": attempt.where,
        "measures": [measure.name for measure in attempt.measures],
        "reads": attempt.reads,
        "tried": attempt.tried,
        "seen": _seen(attempt),
        "error": attempt.error,
        "trail": list(attempt.trail),
    }


def _seen(attempt: Attempt) -> dict[str, Any]:
    """What was seen, as much of it as helps: text around the record, or the first bytes."""
    seen, secret = attempt.seen, attempt.secret
    at = seen.find(secret)
    if at < 0 and not _readable(seen):
        some = seen[:DUMP_SHOWN]
        lines = [some[start : start + LINE] for start in range(0, len(some), LINE)]
        dump = [[line.hex(" "), _text(line, "")] for line in lines]
        return {"bytes": len(seen), "dump": dump, "cut": len(seen) > DUMP_SHOWN}
    found = len(secret) if at >= 0 else 0
    at = max(at, 0)
    around = max(0, TEXT_SHOWN - found)
    # As much before as after, and what one side does not need goes to the other.
    end = min(len(seen), at + found + max(around // 2, around - at))
    start = max(0, end - found - around) if at else 0
    return {
        "bytes": len(seen),
        "before": _text(seen[start:at]),
        "found": _text(seen[at : at + found]),
        "after": _text(seen[at + found : end]),
        "cut": start > 0 or end < len(seen),
    }


def _readable(data: bytes) -> bool:
    return all(32 <= byte < 127 or byte in b"\r\n\t" for byte in data[:TEXT_SHOWN])


def _text(data: bytes, newlines: str = "\r\n\t") -> str:
    """Bytes as ASCII; a point for each that is none."""
    return "".join(chr(byte) if 32 <= byte < 127 or chr(byte) in newlines else "·" for byte in data)


def _draw(view: WhoCanRead) -> str:
    columns = view._columns()
    if len(view._measures) > 1:
        columns = [*columns, view._measures]
    width, pad, first, row = 720, 20, 244, 44
    each = (width - 2 * pad - first) / len(columns)
    p = _svg.Picture(width, view.title, view.sentence())
    p.text(pad, 34, view.title, size=17, bold=True)
    top = 62.0
    for number, column in enumerate(columns):
        x = pad + first + each * number
        y = top
        for line in _svg.wrap(view._heading(column), each - 8, 13):
            p.text(x + each / 2, y, line, bold=True, anchor="middle")
            y += 17
    y = top + 30
    for who, where in view._who.items():
        p.path(f"M{pad} {y} H{width - pad}")
        p.text(pad, y + 18, who, size=13, bold=True)
        p.text(pad, y + 35, where, size=11.5, fill=_svg.MUTED)
        for number, column in enumerate(columns):
            _mark(p, pad + first + each * number + 3, y + 6, each - 6, view._word(who, column))
        y += row
    p.lines(pad, y + 22, width - 2 * pad, "Every cell is an attempt that was really made.", size=12)
    return p.render(y + 36)


def _mark(p: _svg.Picture, x: float, y: float, width: float, word: str) -> None:
    """A cell: an open box and an eye for who reads, a dashed one and a lock for who cannot."""
    colour, icon, fill = {
        READS: (_svg.SEAL, _EYE, "#fbe9e7"),
        CANNOT: (_OK, _svg.LOCK, _svg.WHITE),
        NOT_TRIED: (_svg.MUTED, "", _svg.WHITE),
    }[word]
    p.box(x, y, width, 32, fill=fill, line=colour, dashed=word == NOT_TRIED)
    if icon:
        p.icon(x + width / 2 - 34, y + 8, icon, size=16, line=colour)
        p.text(x + width / 2 - 12, y + 21, word, fill=colour, bold=word == READS)
    else:
        p.text(x + width / 2, y + 21, word, size=12, fill=colour, anchor="middle")


_EYE = "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12z M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z"
_OK = "#1e6b3a"
