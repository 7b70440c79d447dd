"""The envelope view in JupyterLab: by keyboard alone, in both themes, nothing off loopback."""

from __future__ import annotations

import shutil

import pytest

from tests.browser.jupyter import PROJECT, Desk, write_notebook

LESSON = PROJECT / "notebooks" / "05-envelopes.ipynb"
SEAL = """
from tests.sealed.real_messages import sealed_with_sdk, two_keyrings
from kmscourse.views import Envelope

real = sealed_with_sdk(keyring=two_keyrings())
"""
SHOW = """
envelope = Envelope(
    real.message,
    open_with=real.open_with,
    holders={"night-safe": ["role/doctor", "role/pharmacist"], "day-safe": []},
    title="Patient 42, sealed",
)
envelope
"""


@pytest.fixture
def opened(desk: Desk) -> Desk:
    """A notebook with an envelope, run."""
    desk.open(write_notebook(desk.server.root, "envelope.ipynb", SEAL, SHOW))
    desk.run_all()
    desk.page.locator(".env").wait_for()
    return desk


def test_open_flip_refuse_undo_by_keyboard_alone(opened, results):
    page = opened.page
    view = page.locator(".env")
    # The only touch of the mouse: into the output, as Tab would reach it.
    tree = view.get_by_role("tree")
    tree.get_by_role("treeitem").first.focus()

    # Down to the header's tag, layer by layer.
    assert focused(page, "data-key") == "message"
    for _ in range(20):
        if focused(page, "data-key") == "header/proofs":
            break
        page.keyboard.press("ArrowDown")
    assert focused(page, "data-key") == "header/proofs"
    page.keyboard.press("Enter")
    assert view.get_by_role("option").all_inner_texts()[0].startswith("Key commitment")

    # The first byte has the focus; arrow keys move, JupyterLab does not take them.
    first = int(focused(page, "data-at"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert int(focused(page, "data-at")) == first + 17
    page.keyboard.press("f")
    result = view.locator(".env-result")
    verdict(result, "Refused by: key commitment")
    assert "Key commitment validation failed" in result.inner_text()
    assert "MasterKeyProviderError" in result.inner_text()
    assert view.locator(".env-proofs .env-refused-mark").count() == 1
    assert "Refused by" in view.get_by_role("status").inner_text()
    page.screenshot(path=results / "envelope-light.png", full_page=True)

    # Undone, the sealed original opens.
    page.keyboard.press("u")
    result.wait_for(state="hidden")
    page.keyboard.press("o")
    result.get_by_text("Opened", exact=True).wait_for()
    assert "doxycycline" in result.inner_text()

    # Escape leads back to the layer.
    page.keyboard.press("u")
    page.keyboard.press("Escape")
    assert focused(page, "data-key") == "header/proofs"

    # The notebook was not touched by any of these keys.
    assert page.locator(".jp-CodeCell").count() == 2


def verdict(inside, text: str) -> None:
    """Wait until the view says so, where eyes read it."""
    inside.locator(".env-verdict", has_text=text).wait_for()


def focused(page, attribute: str) -> str:
    return page.evaluate(f"document.activeElement.getAttribute('{attribute}')")


def test_each_part_is_refused_by_its_own_check(opened):
    """From the browser through Python to the SDK and back, for one byte of each kind."""
    page, view = opened.page, opened.page.locator(".env")
    for layer, presses, expected in (
        ("header/context", 0, "parser"),
        ("header/keys/1", 0, "parser"),
        ("header/proofs", 32, "header authentication tag"),
        ("body/frame-1", 0, "frame order"),
        ("body/frame-2", 6, "body authentication tag"),
        ("footer", 9, "signature"),
    ):
        view.locator(f'[data-key="{layer}"]').focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Control+Home")
        for _ in range(presses):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("f")
        verdict(view, f"Refused by: {expected}")
        assert view.locator(".env-refused-mark").count() >= 1
        page.keyboard.press("u")
        view.locator(".env-result").wait_for(state="hidden")
        page.keyboard.press("Escape")


def test_python_and_browser_show_the_same_answer(opened):
    """A flip in a cell is seen in the picture, since both ask the same object."""
    page = opened.page
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Control+a")
    page.keyboard.type('print(envelope.flip("footer/signature"))')
    page.keyboard.press("Control+Enter")
    verdict(page.locator(".env"), "Refused by: signature")
    page.get_by_text("[cryptography.exceptions.InvalidSignature").wait_for()


def test_it_can_be_looked_at(opened, results):
    """Screenshots to look at, in both themes and two widths, and nothing cut off at the side."""
    page, view = opened.page, opened.page.locator(".env")
    view.locator('[data-key="header/keys/1"]').focus()
    page.keyboard.press("Enter")
    page.keyboard.press("f")
    verdict(view, "Refused by")
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.set_viewport_size({"width": 1500, "height": 1500})
        opened.theme(theme)
        for width in (1500, 1000):
            page.set_viewport_size({"width": width, "height": 1500})
            view.screenshot(path=results / f"envelope-{theme.split()[-1].lower()}-{width}.png")
            assert view.evaluate("e => e.scrollWidth <= e.clientWidth + 1")


@pytest.mark.skipif(not LESSON.exists(), reason="lesson 05 is not built yet")
def test_lesson_05_in_jupyterlab(desk, results):
    """Run All, open the envelope by keyboard, flip a byte, see the refusal, in both themes."""
    shutil.copy(LESSON, desk.server.root / LESSON.name)
    desk.open(LESSON.name)
    desk.run_all()
    page = desk.page
    page.set_viewport_size({"width": 1280, "height": 1600})
    view = page.locator(".env").first
    view.scroll_into_view_if_needed()
    view.get_by_role("treeitem").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+End")
    page.keyboard.press("f")
    verdict(view, "Refused by")
    view.screenshot(path=results / "lesson-05-light.png")
    desk.theme("JupyterLab Dark")
    view.screenshot(path=results / "lesson-05-dark.png")
    # The menu took the focus; back to the byte.
    view.locator(".env-current").first.focus()
    page.keyboard.press("u")
    view.locator(".env-result").wait_for(state="hidden")
