"""The cost explorer in JupyterLab: it reckons as Python does, by keyboard alone, in both themes."""

from __future__ import annotations

import random
from dataclasses import asdict

import pytest
from playwright.sync_api import Browser, Page, expect

from kmscourse.cloud.estimate import ENCRYPTION, TIERS, Design, break_even
from kmscourse.views import CostExplorer
from kmscourse.views.cost import amounts, price_list
from tests.browser.jupyter import Desk, write_notebook

SHOW = """
from kmscourse.cloud.estimate import Design
from kmscourse.views import CostExplorer

work = dict(writes=1_000_000, reads=9_000_000)
explorer = CostExplorer(
    Design(keys=1, encryption="SSE-KMS", **work),
    Design(keys=5, encryption="SSE-KMS with a Bucket Key", secrets=3, **work),
    names=("Without", "With a Bucket Key"),
)
explorer
"""
ASK = "print([design.bill().total for design in explorer.designs])\nexplorer"
# What the view reckons with, called without its elements.
RECKON = """
([script, pairs, prices]) => {
  const source = script.replace("export default { render };", "");
  const { reckon, breakEven } = new Function(`${source}; return { reckon, breakEven };`)();
  return pairs.map(([one, other]) => [
    reckon(one, prices).parts, reckon(other, prices).parts, breakEven(one, other, prices),
  ]);
}
"""


def some_designs(number: int) -> list[Design]:
    """Designs of all kinds, the same in each run."""
    chance = random.Random(4711)

    def count(digits: int) -> int:
        return chance.choice([0, chance.randrange(10 ** chance.randint(1, digits))])

    kinds = ("kms.request.symmetric", "kms.request.asymmetric", "kms.request.data-key-pair.rsa")
    return [
        Design(
            months=chance.randint(1, 36),
            keys=count(3),
            rotations=chance.randint(0, 4),
            replicas=chance.randint(0, 3),
            writes=count(8),
            reads=count(8),
            encryption=chance.choice(list(ENCRYPTION)),
            reuse=1 + count(3),
            secrets=count(3),
            secret_reads=count(6),
            parameters=count(3),
            tier=chance.choice(TIERS),
            parameter_reads=count(6),
            requests={kind: count(6) for kind in kinds},
            set_up={kind: count(4) for kind in kinds},
        )
        for _ in range(number)
    ]


def test_the_browser_reckons_what_python_reckons(chromium: Browser) -> None:
    """Every part of the bill to the billionth of a dollar, and the break-even to the object."""
    designs = some_designs(400)
    pairs = list(zip(designs[:200], designs[200:], strict=True))
    page = chromium.new_page()
    given = [[asdict(one), asdict(other)] for one, other in pairs]
    found = page.evaluate(RECKON, [str(CostExplorer._esm), given, price_list()])
    page.close()
    for (one, other), (parts, other_parts, even) in zip(pairs, found, strict=True):
        assert parts == [amount * 10**9 for amount in amounts(one).values()], one
        assert other_parts == [amount * 10**9 for amount in amounts(other).values()], other
        assert even == break_even(one, other), (one, other)
    assert len({even for *_, even in found}) > 20, "several designs break even, each elsewhere"


@pytest.fixture
def opened(desk: Desk) -> Desk:
    """A notebook with a cost explorer, run, and a cell that asks what Python makes of it."""
    desk.open(write_notebook(desk.server.root, "cost.ipynb", SHOW, ASK))
    desk.run_all()
    desk.page.locator(".cost").nth(1).wait_for()
    return desk


def test_by_keyboard_and_to_look_at(opened: Desk, results) -> None:
    """One kernel for all of it: sliders, the choice of encryption, Python's answer, both themes."""
    page = opened.page
    view, again = page.locator(".cost").first, page.locator(".cost").nth(1)
    without = view.locator('[data-design="0"]')
    expect(without.locator(".cost-total")).to_have_text("$30.94 a month")
    expect(without.locator(".cost-largest")).to_contain_text("Requests to KMS97% of it$29.94")
    expect(view.locator(".cost-even-text")).to_have_text(
        "From 1,753,334 objects a month on, With a Bucket Key is the cheaper."
    )

    # A slider by its name; JupyterLab does not take the arrow keys.
    reads = view.get_by_label("Objects read a month")
    reads.focus()
    page.keyboard.press("ArrowLeft")
    expect(reads).to_have_attribute("aria-valuetext", "5,000,000")
    expect(without.locator(".cost-total")).to_have_text("$18.94 a month")
    without.get_by_label("Rotations so far").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(without.locator(".cost-total")).to_have_text("$20.94 a month")
    choice = without.get_by_label("Objects are encrypted with")
    reuse = without.get_by_label("Objects served by one request")
    expect(reuse).to_be_disabled()
    choice.focus()
    page.keyboard.press("ArrowDown")  # from SSE-KMS to a Bucket Key
    expect(reuse).to_be_enabled()
    expect(without.locator(".cost-total")).to_have_text("$3.12 a month")
    expect(view.get_by_role("status")).to_contain_text("Without: $3.12. With a Bucket Key: $6.32.")
    assert page.locator(".jp-CodeCell").count() == 2, "no key went to the notebook"

    # The same object shown once more has followed, sliders and all.
    expect(again.locator('[data-design="0"] .cost-total')).to_have_text("$3.12 a month")
    expect(again.get_by_label("Objects read a month")).to_have_attribute(
        "aria-valuetext", "5,000,000"
    )

    # Python has what the sliders say.
    page.locator(".jp-CodeCell .cm-content").last.click()
    page.keyboard.press("Control+Enter")
    page.get_by_text("[Decimal('3.12'), Decimal('6.32')]").wait_for()

    look(opened, results)


def look(opened: Desk, results) -> None:
    """Screenshots in both themes and two widths; nothing cut off at the side."""
    page, view = opened.page, opened.page.locator(".cost").first
    view.locator('[data-design="0"] select').select_option("SSE-KMS")
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.set_viewport_size({"width": 1500, "height": 1700})
        opened.theme(theme)
        for width in (1500, 900):
            page.set_viewport_size({"width": width, "height": 1700})
            view.screenshot(path=results / f"cost-{theme.split()[-1].lower()}-{width}.png")
            assert view.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
    assert not unnamed(page)


def unnamed(page: Page) -> list[str]:
    """Controls of the view without a name for assistive technology."""
    controls = "[...document.querySelectorAll('.cost input, .cost select')]"
    missing = f"{controls}.filter((e) => !e.labels.length).map((e) => e.outerHTML)"
    return list(page.evaluate(missing))
