"""The decision view in JupyterLab: a refused call, the missing statement added, the outcome turns."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.jupyter import Desk

REFUSED = """
import boto3
from botocore.exceptions import ClientError
from kmscourse import cloud, views

aws = cloud.start(seed="the-decision-view")
key = boto3.client("kms").create_key(Description="patient records")["KeyMetadata"]["KeyId"]
analyst = aws.session("analyst").client("kms")
try:
    analyst.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"ward": "cardiology"})
except ClientError as error:
    decision = aws.explain(error)
decision.because
"""
SHOW = """
view = views.DecisionView(decision, title="Why was the analyst refused?")
view
"""
# A condition that is not met, an organization, a boundary: more layers than one.
CROWDED = """
from kmscourse import views
from kmscourse.cloud.authorization import Grant, NamedPolicy, Policies, Request, decide

home, key = "111122223333", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
everything = {"Version": "2012-10-17", "Statement": {"Sid": "FullAWSAccess", "Effect": "Allow", "Action": "*", "Resource": "*"}}
region = {"Version": "2012-10-17", "Statement": [
    {"Sid": "OnlyEurope", "Effect": "Deny", "Action": "*", "Resource": "*",
     "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}}]}
key_policy = {"Version": "2012-10-17", "Id": "records", "Statement": [
    {"Sid": "Administrators", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{home}:role/key-admin"},
     "Action": ["kms:Create*", "kms:Describe*", "kms:PutKeyPolicy"], "Resource": "*"},
    {"Sid": "LeaveItToIAM", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{home}:root"},
     "Action": "kms:*", "Resource": "*"},
    {"Sid": "OnlyThroughS3", "Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
     "Condition": {"StringNotEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}}]}
ward = {"Version": "2012-10-17", "Statement": [
    {"Sid": "OwnWard", "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key,
     "Condition": {"StringEquals": {"kms:EncryptionContext:ward": "cardiology"}}}]}
crowded = decide(
    Request(f"arn:aws:sts::{home}:assumed-role/clinician/night-shift", "kms:Decrypt", key,
            context={"aws:RequestedRegion": "eu-west-1", "kms:EncryptionContext:ward": "cardiology",
                     "aws:SourceIp": "10.1.2.3", "aws:SecureTransport": "true"}),
    Policies(identity=[NamedPolicy("own-ward", ward)], resource=key_policy, boundary=[NamedPolicy("clinic-boundary", everything)],
             scps=[[NamedPolicy("FullAWSAccess", everything)], [NamedPolicy("europe", region), NamedPolicy("FullAWSAccess", everything)]],
             rcps=[[], []],
             grants=[Grant(frozenset({"Encrypt"}), grantee_principal=f"arn:aws:iam::{home}:role/clinician", grant_id="0c237476b39f8bc4")]),
)
view = views.DecisionView(crowded, title="The clinician at night")
view
"""


def write_notebook(folder: Path, name: str, *cells: str) -> str:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source.strip()) for source in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, folder / name)
    return name


def open_view(desk: Desk, *cells: str) -> Locator:
    desk.page.set_viewport_size({"width": 1280, "height": 1500})
    desk.open(write_notebook(desk.server.root, "decision.ipynb", *cells))
    desk.run_all()
    view = desk.page.locator(".dec")
    view.wait_for()
    return view


def headline(view: Locator) -> Locator:
    return view.locator(".dec-headline")


def test_a_refused_call_is_turned_by_the_missing_statement_by_keyboard_alone(
    desk: Desk, results: Path
) -> None:
    view = open_view(desk, REFUSED, SHOW)
    page = desk.page
    expect(headline(view)).to_contain_text("Refused: nothing allows it")
    expect(view.locator(".dec-stops .dec-badge")).to_have_text("An Allow is missing here")
    view.screenshot(path=results / "decision-refused-light.png")

    # The only touch of the mouse: into the output, as Tab would reach it.
    view.locator(".dec-layer-head[tabindex='0']").focus()
    assert focused(desk) == "identity"  # where something is missing
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert focused(desk) == "scp"
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert focused(desk) == "identity"
    page.keyboard.press("a")
    expect(headline(view)).to_contain_text("Allowed")
    expect(view.locator(".dec-verdict")).to_contain_text("Before them: refused, nothing allows it")
    expect(view.get_by_role("status")).to_contain_text("Allowed")
    expect(view.locator(".dec-decider", has_text="Added")).to_contain_text("This decided it")
    # The new statement is marked in its editor, ready to be written over.
    marked = page.evaluate(
        "() => { const t = document.activeElement; "
        "return t.value.slice(t.selectionStart, t.selectionEnd); }"
    )
    assert '"Action": "kms:Encrypt"' in marked
    view.screenshot(path=results / "decision-allowed-light.png")

    # Half a word is no policy: AWS's words, the place, and the last verdict stays.
    page.keyboard.press("ArrowRight")
    page.keyboard.type(",")
    foot = view.locator(".dec-foot")
    expect(foot).to_contain_text("This policy contains invalid Json")
    expect(foot).to_contain_text("the last verdict stands: allowed")
    expect(headline(view)).to_contain_text("Allowed")
    view.screenshot(path=results / "decision-unread-light.png")
    page.keyboard.press("Backspace")
    expect(foot).to_contain_text("Now: Allowed")

    # Escape leaves the editor, R puts everything back.
    page.keyboard.press("Escape")
    expect(view.locator(".dec-text")).to_be_hidden()
    page.keyboard.press("r")
    expect(headline(view)).to_contain_text("Refused: nothing allows it")
    expect(view.locator(".dec-doc", has_text="added here")).to_have_count(0)
    # The notebook was not touched by any of these keys.
    expect(page.locator(".jp-CodeCell")).to_have_count(2)


def focused(desk: Desk) -> str:
    return str(desk.page.evaluate("document.activeElement.dataset.key"))


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_can_be_looked_at(desk: Desk, results: Path, theme: str) -> None:
    """Screenshots to look at, and nothing cut off at the side."""
    view = open_view(desk, CROWDED)
    desk.theme(theme)
    name = theme.split()[-1].lower()
    expect(headline(view)).to_contain_text("Refused: a statement denies it")
    expect(view.locator(".dec-denier")).to_contain_text("This decided it")
    for width in (1500, 1000, 700):
        desk.page.set_viewport_size({"width": width, "height": 1500})
        view.screenshot(path=results / f"decision-denied-{name}-{width}.png")
        assert view.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
    desk.page.set_viewport_size({"width": 1500, "height": 1500})
    view.get_by_role("button", name="Edit key policy").click()
    view.get_by_role("button", name="Change the request").click()
    view.screenshot(path=results / f"decision-editing-{name}.png")
    assert view.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
