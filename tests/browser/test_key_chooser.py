"""The key chooser in JupyterLab: four questions by keyboard, and the cell below sees the key."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.jupyter import Desk
from tests.browser.test_decision import write_notebook

SHOW = "from kmscourse import views\nchooser = views.KeyChooser()\nchooser"


def test_a_key_is_chosen_by_keyboard_and_python_has_it(desk: Desk, results: Path) -> None:
    desk.page.set_viewport_size({"width": 1280, "height": 1400})
    desk.open(write_notebook(desk.server.root, "chooser.ipynb", SHOW, "1 + 1"))
    desk.run_all()
    page, view = desk.page, desk.page.locator(".kv-chooser")
    result = view.locator(".kc-result")
    expect(result).to_contain_text("AWS owned key")
    expect(result).to_contain_text("$0 a month")

    view.get_by_role("radio", name="Protect data in an AWS service").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(view.get_by_role("radio", name="Prove to anyone")).to_be_checked()
    expect(result).to_contain_text('KeySpec="ECC_NIST_P256"')
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")  # a quantum computer
    expect(result).to_contain_text('KeySpec="ML_DSA_65"')
    expect(view.get_by_role("status")).to_contain_text("ML-DSA key pair for signing")
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        desk.theme(theme)
        name = theme.split()[-1].lower()
        view.screenshot(path=results / f"key-chooser-{name}.png")

    view.get_by_role("radio", name="In our own CloudHSM cluster").check()
    expect(result).to_contain_text("No KMS key fits")
    result.get_by_text("CKS-01").click()
    expect(result).to_contain_text("no automatic or on-demand rotation")
    view.screenshot(path=results / "key-chooser-none-dark.png")
    page.set_viewport_size({"width": 700, "height": 1400})
    assert view.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
    view.screenshot(path=results / "key-chooser-narrow-dark.png")

    # The cell below sees what was chosen, and changes it.
    page.locator(".jp-CodeCell .cm-content").last.click()
    page.keyboard.press("Control+a")
    page.keyboard.type('chooser.choice.fits, chooser.choose(material="kms").fits')
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("(False, True)")).to_be_visible()
    expect(view.get_by_role("radio", name="In KMS, made by KMS")).to_be_checked()
    expect(result).to_contain_text("ML_DSA_65")
