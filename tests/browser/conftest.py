"""Fixtures for the tests that a learner's eyes would do: JupyterLab in a real Chromium.

A browser is taken from ``KMSCOURSE_BROWSER`` or found on the path. Where there is none these tests
are skipped and say so, unless ``KMSCOURSE_REQUIRE_BROWSER=1`` (as in CI), where they fail.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.jupyter import (
    PROJECT,
    SIZE,
    Desk,
    Server,
    find_browser,
    start_chromium,
    start_jupyterlab,
)

RESULTS = PROJECT / "test-results"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One JupyterLab for all browser tests of this process."""
    with start_jupyterlab(tmp_path_factory.mktemp("jupyterlab")) as server:
        yield server


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """A Chromium without a window. Kept to this package: while it runs, so does an event loop."""
    path = find_browser()
    if path is None:
        reason = (
            "no browser found: install chromium, or name one in the environment variable "
            "KMSCOURSE_BROWSER"
        )
        if os.environ.get("KMSCOURSE_REQUIRE_BROWSER") == "1":
            pytest.fail(f"KMSCOURSE_REQUIRE_BROWSER=1, but {reason}")
        pytest.skip(reason)
    with start_chromium(path) as browser:
        yield browser


@pytest.fixture(scope="package")
def desks(chromium: Browser, jupyterlab: Server) -> Iterator[list[Desk]]:
    """The page that the tests share, if one is open: JupyterLab takes seconds to load."""
    kept: list[Desk] = []
    yield kept
    for desk in kept:
        desk.page.context.close()


@pytest.fixture
def desk(
    chromium: Browser, jupyterlab: Server, desks: list[Desk], request: pytest.FixtureRequest
) -> Iterator[Desk]:
    """An empty desk in JupyterLab. A console error or a request off loopback fails the test.

    After a test that failed the next one gets a page of its own.
    """
    if not desks:
        context = chromium.new_context(viewport=SIZE)
        context.set_default_timeout(30_000)
        desks.append(Desk(context.new_page(), jupyterlab))
        desks[0].watch()
    desk = desks.pop()
    failed = request.session.testsfailed
    yield desk
    if request.session.testsfailed == failed and not desk.complaints:
        desk.clear()
    if request.session.testsfailed == failed and not desk.complaints:
        desks.append(desk)
    else:
        desk.page.context.close()
    assert not desk.complaints, "\n".join(desk.complaints)


@pytest.fixture(scope="session")
def results() -> Path:
    """Where screenshots go."""
    RESULTS.mkdir(exist_ok=True)
    return RESULTS
