"""The cost explorer in Python: its sentence, its still form, and what it hands to the browser."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from decimal import Decimal

import pytest

from kmscourse import facts
from kmscourse.cloud import pricing
from kmscourse.cloud.estimate import Design
from kmscourse.views import CostExplorer
from kmscourse.views.cost import GROUPS, amounts, price_list
from tests.views.test_envelope import colours, contrast

WORK = {"writes": 1_000_000, "reads": 9_000_000}
PLAIN = Design(keys=1, encryption="SSE-KMS", **WORK)
BUCKET_KEY = Design(keys=5, encryption="SSE-KMS with a Bucket Key", **WORK)


@pytest.fixture
def explorer() -> CostExplorer:
    return CostExplorer(PLAIN, BUCKET_KEY, names=("Without", "With a Bucket Key"))


def test_the_sentence_says_the_cost_what_dominates_and_the_break_even(explorer: CostExplorer):
    assert repr(explorer) == (
        "CostExplorer: Without costs $30.94 a month, 97% of it for requests to KMS. With a Bucket "
        "Key costs $5.24 a month, 95% of it for keys. From 1,353,334 objects a month on, With a "
        "Bucket Key is the cheaper."
    )


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        (PLAIN, PLAIN, "Both cost the same, however many objects there are."),
        (PLAIN, Design(encryption="SSE-S3", **WORK), "Design B is the cheaper, however many"),
        (Design(keys=1), Design(keys=2), "Without objects there is no break-even"),
        (Design(secrets=3, months=12), Design(months=12), "over 12 months, 100% of it for Secr"),
    ],
)
def test_other_pairs(one: Design, other: Design, says: str):
    assert says in repr(CostExplorer(one, other))


def test_the_bars_are_the_bill(explorer: CostExplorer):
    for design in explorer.designs:
        assert sum(amounts(design).values(), Decimal()) == design.bill().exact


def test_every_price_is_in_a_bar_and_exact_in_the_browser():
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(pricing.ITEMS)
    for name, nano in price_list()["each"].items():
        assert Decimal(nano) / 10**9 == facts.price(name).cost(1)
    assert json.loads(json.dumps(price_list())) == price_list()


def test_what_the_sliders_say_comes_back_as_designs(explorer: CostExplorer):
    one, other = explorer._designs
    explorer._designs = [{**one, "encryption": "SSE-S3", "keys": 0}, other]
    assert explorer.designs[0] == Design(**WORK)
    assert explorer.designs[0].bill().total == 0


def test_the_still_form(explorer: CostExplorer):
    root = ET.fromstring(explorer.picture())
    ns = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{ns}desc").text == explorer.sentence()
    texts = [each.text for each in root.iter(f"{ns}text")]
    assert {"$30.94", "$5.24", "Rotated material", "$29.94"} <= set(texts)
    again = CostExplorer(PLAIN, BUCKET_KEY, names=("Without", "With a Bucket Key"))
    assert again.picture() == explorer.picture()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_bars_stand_out_from_their_track(theme: str):
    """WCAG 2.2, non-text contrast: 3 : 1. Patterns tell them apart as well."""
    c = colours(theme)
    for bar in ("accent", "seal", "ok", "key"):
        assert contrast(c[bar], c["tint"]) >= 3, (theme, bar)


def test_what_cannot_be_compared_is_refused_in_words():
    with pytest.raises(TypeError, match="two designs"):
        CostExplorer(PLAIN, PLAIN.bill())
    with pytest.raises(ValueError, match="the same work"):
        CostExplorer(PLAIN, Design(writes=1))
