"""The five steps in JupyterLab: by keyboard alone, in both themes, filled in as cells run."""

from __future__ import annotations

from tests.browser.jupyter import Desk, write_notebook

CELLS = [
    """
from kmscourse.cloud import start
from kmscourse.views import SharingSteps
from tests.cloud.at_rest.snapshot_steps import *

aws = start(seed="sharing steps")
accounts = Accounts(aws)
key = accounts.kms.create_key()["KeyMetadata"]["Arn"]
volume = written_volume(aws, accounts.ec2, RECORD, Encrypted=True, KmsKeyId=key)
SharingSteps(aws, volume, TARGET)
""",
    """
snapshot = accounts.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
accounts.ec2.modify_snapshot_attribute(
    SnapshotId=snapshot, OperationType="add", UserIds=[TARGET]
)
own = accounts.others_kms.create_key()["KeyMetadata"]["Arn"]
""",
]
COPY = (
    "accounts.others_ec2.copy_snapshot(SourceSnapshotId=snapshot, SourceRegion='us-east-1', "
    "Encrypted=True, KmsKeyId=own)['SnapshotId'][:5]"
)
ALLOW = "accounts.kms.put_key_policy(KeyId=key, Policy=shared_policy())['ResponseMetadata'] and 1"


def test_the_steps_fill_in_and_open_by_keyboard(desk: Desk, results) -> None:
    page = desk.page
    page.set_viewport_size({"width": 1400, "height": 1500})
    desk.open(write_notebook(desk.server.root, "sharing.ipynb", *CELLS, "'below'"))
    desk.run_all()
    view = page.locator(".share")
    view.wait_for()

    def words() -> list[str]:
        return [
            w.replace("✓", "").replace("✕", "")
            for w in view.locator(".share-state").all_inner_texts()
        ]

    def run(code: str, *states: str) -> None:
        """Another cell, and what the steps then say."""
        page.locator(".jp-CodeCell .cm-content").last.click()
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(code)
        page.keyboard.press("Control+Enter")
        page.wait_for_function(
            "wanted => [...document.querySelectorAll('.share-row')]"
            ".map((row) => row.classList[1].slice(6)).join(' ') === wanted",
            arg=" ".join(states),
        )

    # The view stands above the cells that did it, and has followed.
    assert [w.strip() for w in words()] == ["done", "not yet", "done", "not yet", "not yet"]
    run(COPY, "done", "open", "done", "failed", "open")
    assert "Given key ID is not accessible" in view.get_by_role("status").inner_text()

    # The only touch of the mouse is into the output, as Tab would reach it.
    view.get_by_role("button").first.focus()
    assert view.locator('.share-step[tabindex="0"]').count() == 1
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    fourth = view.locator(".share-row").nth(3)
    assert view.get_by_role("button", expanded=True).count() == 1
    assert (
        "not authorized to perform: kms:DescribeKey" in fourth.locator(".share-words").inner_text()
    )
    page.screenshot(path=results / "sharing-light.png", full_page=True)
    page.keyboard.press("Escape")
    fourth.locator(".share-detail").wait_for(state="hidden")
    assert page.evaluate("document.activeElement.className") == "share-step"

    run(ALLOW, "done", "done", "done", "failed", "open")
    run(COPY, "done", "done", "done", "done", "open")
    assert view.locator(".share-can").count() == 5
    view.get_by_role("button").nth(1).click()
    assert '"Effect": "Allow"' in view.locator(".share-row").nth(1).inner_text()
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.set_viewport_size({"width": 1400, "height": 1500})
        desk.theme(theme)
        page.locator("#jupyterlab-splash").wait_for(state="detached")
        for width in (1400, 760):
            page.set_viewport_size({"width": width, "height": 1500})
            view.screenshot(path=results / f"sharing-{theme.split()[-1].lower()}-{width}.png")
            assert view.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
