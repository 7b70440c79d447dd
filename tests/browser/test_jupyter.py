"""The harness itself: what should fail a browser test does."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Error

from tests.browser.jupyter import Desk, Server, write_notebook


def test_an_error_in_a_cell_fails_the_test_with_its_words(desk: Desk):
    desk.open(write_notebook(desk.server.root, "broken.ipynb", "1 / 0", "print('never')"))
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        desk.run_all()


def test_console_errors_and_requests_off_loopback_are_seen(chromium: Browser, jupyterlab: Server):
    page = chromium.new_page()
    desk = Desk(page, jupyterlab)
    desk.watch()
    page.set_content("<p>A page without rules of its own about what it may fetch</p>")
    assert desk.complaints == []
    page.evaluate("console.error('something broke')")
    # An address that is reserved for documentation: refused or lost, never answered.
    page.context.route("http://192.0.2.1/**", lambda route: route.abort())
    with pytest.raises(Error):
        page.evaluate("fetch('http://192.0.2.1/letter')")
    assert any("something broke" in each for each in desk.complaints)
    assert any("off loopback: http://192.0.2.1/letter" in each for each in desk.complaints)
    page.close()
