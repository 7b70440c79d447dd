"""docs/fidelity.md says what is so."""

from __future__ import annotations

import pytest

from tests.cloud.fidelity.page import AS_AWS, PAGE, Row, page, rows


@pytest.fixture(scope="module")
def tried() -> list[Row]:
    return rows()


def test_the_page_is_what_the_probes_say(tried: list[Row]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(tried), (
        "docs/fidelity.md is not what the simulator does: "
        "write it anew with python -m tests.cloud.fidelity"
    )


def test_where_the_simulator_differs_it_says_what_it_does_instead(tried: list[Row]) -> None:
    for row in tried:
        assert (row.ours == AS_AWS) != bool(row.behaviour.instead), row.behaviour.rule
