"""The Region map in JupyterLab: from call to call by keyboard alone, in both themes."""

from __future__ import annotations

import pytest

from tests.browser.jupyter import Desk
from tests.browser.test_envelope import write_notebook

FAIL_OVER = """
from kmscourse import cloud
from kmscourse.views import RegionMap
from tests.views.across_regions import AWAY, HOME, fail_over

aws = cloud.start(seed="region-map")
keys = fail_over(aws)
"""
SHOW = """
RegionMap(aws, keys, regions=[HOME, AWAY, "ap-southeast-2"], title="After the failover")
"""


@pytest.fixture
def opened(desk: Desk) -> Desk:
    """A notebook with the map, run."""
    desk.open(write_notebook(desk.server.root, "region-map.ipynb", FAIL_OVER, SHOW))
    desk.run_all()
    desk.page.locator(".map").wait_for()
    return desk


def test_from_call_to_call_by_keyboard_alone_in_both_themes(opened, results):
    page = opened.page
    view = page.locator(".map")
    detail = view.locator(".map-detail")
    calls = view.get_by_role("table").get_by_role("button")
    assert calls.count() == 12
    assert "switched off" in view.get_by_role("region", name="us-east-1").inner_text()

    # One Tab stop; the arrows go from call to call, and JupyterLab takes none of them.
    assert [each.get_attribute("tabindex") for each in calls.all()].count("0") == 1
    calls.last.focus()
    assert "eu-west-1 answered" in detail.inner_text()
    page.keyboard.press("ArrowUp")
    assert "refused: AccessDenied" in detail.inner_text()
    page.keyboard.press("ArrowUp")
    assert "nobody answered, and no trail has this call" in detail.inner_text()
    assert "nobody answered" in view.get_by_role("status").inner_text()
    assert view.locator(".map-here").get_attribute("aria-label") == "Region us-east-1, switched off"
    page.keyboard.press("Home")
    assert "CreateKey" in page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.locator(".jp-CodeCell").count() == 2

    for theme in ("Light", "Dark"):
        opened.theme(f"JupyterLab {theme}")
        page.locator("#jupyterlab-splash").wait_for(state="detached")
        view.screenshot(path=results / f"region-map-{theme.lower()}.png")
    page.set_viewport_size({"width": 700, "height": 900})
    assert view.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
    view.screenshot(path=results / "region-map-narrow.png")
