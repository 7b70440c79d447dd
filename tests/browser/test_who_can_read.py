"""The matrix in JupyterLab: by keyboard alone, in both themes, cells that open to the attempt."""

from __future__ import annotations

import pytest

from tests.browser.jupyter import Desk, write_notebook

SHOW = """
from kmscourse import attempts
from kmscourse.views import WhoCanRead

record = b'{"patient": "4711", "diagnosis": "type 2 diabetes"}'
matrix = WhoCanRead(attempts.by_everyone(record), title="Patient 4711: who can read it?")
matrix
"""


@pytest.fixture
def opened(desk: Desk) -> Desk:
    desk.page.set_viewport_size({"width": 1400, "height": 1300})
    desk.open(write_notebook(desk.server.root, "who.ipynb", SHOW, "'below'"))
    desk.run_all()
    desk.page.locator(".who").wait_for()
    return desk


def column(view, number: int) -> list[str]:
    """The words of a column, from above to below; 1 is the first after the names."""
    cells = view.locator(f"tbody tr > :nth-child({number + 1}) .who-word")
    return cells.all_inner_texts()


def test_the_matrix_by_keyboard_alone_and_to_look_at(opened, results):
    page, view = opened.page, opened.page.locator(".who")
    grid = view.get_by_role("grid")
    assert grid.get_by_role("row").count() == 9
    assert [column(view, n).count("reads") for n in range(1, 6)] == [8, 7, 5, 1, 8]

    # The only touch of the mouse: into the output, as Tab would reach it.
    grid.get_by_role("gridcell").first.focus()
    assert view.locator('[role="gridcell"][tabindex="0"]').count() == 1

    # Two to the right and three down: the stolen disk, encrypted at rest.
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    detail = view.locator(".who-detail")
    assert detail.locator(".who-verdict").inner_text() == "Stolen disk: cannot read the record."
    assert "no call to AWS was made" in detail.inner_text()
    dump = detail.locator(".who-bytes").inner_text().splitlines()
    assert [len(bytes.fromhex(line[:48])) for line in dump] == [16] * 6
    assert "Stolen disk: cannot read" in view.get_by_role("status").inner_text()

    # One to the left the disk is not encrypted, and what was found is marked.
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert detail.locator("mark").inner_text().startswith('{"patient": "4711"')
    # A refusal in AWS's words, and what the trail has of it.
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    assert "KMSKeyNotAccessibleFault" in detail.locator(".who-error").inner_text()
    assert "rds:CopyDBSnapshot" in detail.inner_text()
    page.screenshot(path=results / "who-light.png", full_page=True)
    page.keyboard.press("Escape")
    detail.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "gridcell"

    # Measures together: TLS first, then a key on the server, then the browser seals.
    def switched(key: str, changed: int, reads: int) -> None:
        page.keyboard.press(key)
        view.locator(".who-changed").nth(changed - 1).wait_for()
        assert view.locator(".who-changed").count() == changed
        assert column(view, 5).count("reads") == reads

    switched("1", 1, 7)
    assert view.get_by_role("switch", name="In flight").get_attribute("aria-checked") == "true"
    assert view.get_by_role("status").inner_text() == (
        "In flight switched on. Changed: Eavesdropper now cannot."
    )
    switched("2", 3, 4)
    switched("3", 3, 1)
    # Off again: one may ask what TLS adds to what is sealed already. Nothing.
    page.keyboard.press("1")
    view.get_by_role("status").get_by_text("Nothing changed.").wait_for()

    # A cell of the notebook sees and sets the same switches.
    page.locator(".jp-CodeCell .cm-content").last.click()
    page.keyboard.press("Control+a")
    page.keyboard.type('print(matrix.switched_on); matrix.switched_on = ["At rest"]')
    page.keyboard.press("Control+Enter")
    page.get_by_text("['At rest', 'On the client']").wait_for()
    view.get_by_role("columnheader", name="Together At rest", exact=True).wait_for()
    assert column(view, 5) == column(view, 3)

    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.set_viewport_size({"width": 1500, "height": 1500})
        opened.theme(theme)
        view.get_by_role("gridcell").nth(14).click()
        for width in (1500, 1000, 700):
            page.set_viewport_size({"width": width, "height": 1500})
            view.screenshot(path=results / f"who-{theme.split()[-1].lower()}-{width}.png")
            assert view.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
