"""The rotation timeline in JupyterLab: through the years by keyboard alone, in both themes."""

from __future__ import annotations

import pytest

from tests.browser.jupyter import Desk
from tests.browser.test_envelope import write_notebook

GROW_OLD = """
from kmscourse import cloud
from kmscourse.views import RotationTimeline
from tests.views.rotating import grow_old

aws = cloud.start(seed="rotation-view")
keys, made = grow_old(aws)
"""
SHOW = """
RotationTimeline(aws, keys, made, title="The clinic's keys")
"""


@pytest.fixture
def opened(desk: Desk) -> Desk:
    """A notebook with the timeline, run."""
    desk.open(write_notebook(desk.server.root, "rotation.ipynb", GROW_OLD, SHOW))
    desk.run_all()
    desk.page.locator(".rot").wait_for()
    return desk


def test_through_the_years_by_keyboard_alone_in_both_themes(opened, results):
    page = opened.page
    view = page.locator(".rot")
    slider = view.get_by_role("slider", name="Time")
    date = view.locator(".rot-date")
    row = view.get_by_role("row", name="alias, year 1")

    # It begins at the end: what a real Decrypt said just now, and what the keys cost.
    assert "27 November 2029" in date.inner_text()
    assert "does not open: key deleted" in row.inner_text()
    assert view.locator(".rot-total .rot-dollars").inner_text() == "$6.00"

    # Home and the arrows move the time; JupyterLab takes none of them for itself.
    slider.focus()
    page.keyboard.press("Home")
    assert date.inner_text() == "23 November 2026"
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == date.inner_text()
    assert date.inner_text().endswith("2027")
    assert "opens, with C1" in row.inner_text()
    assert "not made yet" in view.get_by_role("row", name="alias, year 2").inner_text()
    assert page.evaluate("document.activeElement.type") == "range"

    # From event to event, and each is read out.
    page.keyboard.press("]")
    said = view.get_by_role("status").inner_text()
    assert date.inner_text() in said
    assert view.locator(".rot-news").inner_text() in said
    for _ in range(30):
        page.keyboard.press("[")
    assert date.inner_text() == "23 November 2026"
    assert view.get_by_role("button", name="Event before").is_disabled()

    # Each strip says in words what it draws.
    strips = view.get_by_role("img").all()
    assert "A1, the first, encrypts from 23 November 2026" in strips[0].get_attribute("aria-label")
    page.keyboard.press("End")
    page.keyboard.press("[")
    page.keyboard.press("[")
    for theme in ("Light", "Dark"):
        opened.theme(f"JupyterLab {theme}")
        page.locator("#jupyterlab-splash").wait_for(state="detached")
        view.screenshot(path=results / f"rotation-{theme.lower()}.png")
    page.set_viewport_size({"width": 700, "height": 900})
    view.screenshot(path=results / "rotation-narrow.png")
    wide = view.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
    assert wide, "it does not fit into a narrow page"
