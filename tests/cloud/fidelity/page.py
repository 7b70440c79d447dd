"""docs/fidelity.md, made from the probes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import moto

from tests.cloud.fidelity import services  # noqa: F401 - enters its probes into the table
from tests.cloud.fidelity.behaviours import BEHAVIOURS, Behaviour
from tests.cloud.fidelity.worlds import World, bare_moto, ours

PAGE = Path(__file__).parents[3] / "docs" / "fidelity.md"
AS_AWS, DIFFERS, MISSING = "as AWS", "**differs**", "**missing**"

_INTRODUCTION = """\
# Fidelity

How far the simulated AWS of this course behaves like the real one: each row was tried when this
page was made, here and on bare moto {version}, by the probes in `tests/cloud/fidelity`. Rows that
say **differs** are where not to trust the simulator; what it does instead stands below each table.
"Not tried" is what cannot be seen from outside, and is declared.

Beyond these rows: all 280 cells of AWS's table of key states and operations are tested one by one
(`tests/cloud/kms/test_key_states.py`), every operation of the service model of KMS is answered,
and moto's own KMS tests run on the simulator (`python -m tests.cloud.kms.moto_suite`), with AWS's
rule named for each that asserts what AWS refuses.
"""


@dataclass(frozen=True)
class Row:
    """A behaviour, and how either world did."""

    behaviour: Behaviour
    moto: str
    ours: str


def rows() -> list[Row]:
    """Try every behaviour in both worlds, each in a fresh one."""
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    return [
        Row(each, _try(each, bare_moto), _try(each, ours))
        if each.tried
        else Row(each, "not tried", DIFFERS)
        for each in BEHAVIOURS
    ]


def _try(each: Behaviour, world: Callable[[], AbstractContextManager[World]]) -> str:
    try:
        with world() as here:
            return AS_AWS if each.probe(here) else DIFFERS
    except NotImplementedError:
        return MISSING
    except Exception as error:  # of whatever kind: moto answers some requests with a Python error
        absent = "not been implemented" in str(error) or "NotImplemented" in str(error)
        return MISSING if absent else DIFFERS


def page(tried: list[Row]) -> str:
    """The page as Markdown."""
    lines = [_INTRODUCTION.format(version=moto.__version__)]
    good = sum(row.ours == AS_AWS for row in tried)
    same = sum(row.moto == AS_AWS for row in tried)
    lines.append(
        f"Of {len(tried)} behaviours, {good} are as AWS documents them here, {same} on bare moto.\n"
    )
    for part, group in groupby(tried, key=lambda row: row.behaviour.part):
        members = list(group)
        lines += [f"## {part}\n", "| What AWS does | Source | Bare moto | Here |"]
        lines.append("|---|---|---|---|")
        for row in members:
            b = row.behaviour
            lines.append(f"| {b.rule} | {b.source} | {row.moto} | {row.ours} |")
        lines.append("")
        for row in members:
            if row.ours != AS_AWS:
                lines.append(f"- *{row.behaviour.rule}*. Here: {row.behaviour.instead}")
        lines.append("")
    return "\n".join(lines).rstrip().replace("\n\n\n", "\n\n") + "\n"
