"""The decision view in JupyterLab: a refused call, the missing statement, the outcome turns."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.jupyter import Desk, write_notebook

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
# An organization, a boundary, a grant and a condition that is met: more layers than one.
CROWDED = """
from kmscourse import views
from kmscourse.cloud.authorization import Grant, NamedPolicy, Policies, Request, decide

home = "111122223333"
key = f"arn:aws:kms:eu-west-1:{home}:key/1234abcd-12ab-34cd-56ef-1234567890ab"

def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}

def statement(sid, effect, action, resource="*", **more):
    return {"Sid": sid, "Effect": effect, **more, "Action": action, "Resource": resource}

everything = NamedPolicy("FullAWSAccess", policy(statement("All", "Allow", "*")))
abroad = {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}
europe = NamedPolicy("europe", policy(statement("OnlyEurope", "Deny", "*", Condition=abroad)))
directly = {"StringNotEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}
key_policy = policy(
    statement("Administrators", "Allow", ["kms:Create*", "kms:Describe*", "kms:PutKeyPolicy"],
              Principal={"AWS": f"arn:aws:iam::{home}:role/key-admin"}),
    statement("LeaveItToIAM", "Allow", "kms:*", Principal={"AWS": f"arn:aws:iam::{home}:root"}),
    statement("OnlyThroughS3", "Deny", "kms:Decrypt", Principal="*", Condition=directly),
)
cardiology = {"StringEquals": {"kms:EncryptionContext:ward": "cardiology"}}
ward = policy(statement("OwnWard", "Allow", "kms:Decrypt", key, Condition=cardiology))
grant = Grant(frozenset({"Encrypt"}), grantee_principal=f"arn:aws:iam::{home}:role/clinician",
              grant_id="0c237476b39f8bc4")
crowded = decide(
    Request(f"arn:aws:sts::{home}:assumed-role/clinician/night-shift", "kms:Decrypt", key, context={
        "aws:RequestedRegion": "eu-west-1", "kms:EncryptionContext:ward": "cardiology",
        "aws:SourceIp": "10.1.2.3", "aws:SecureTransport": "true"}),
    Policies(identity=[NamedPolicy("own-ward", ward)], resource=key_policy,
             boundary=[everything], scps=[[everything], [europe, everything]], rcps=[[], []],
             grants=[grant]),
)
view = views.DecisionView(crowded, title="The clinician at night")
view
"""


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
    expect(headline(view)).to_contain_text("Refused: an Allow is missing")
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
    expect(view.locator(".dec-verdict")).to_contain_text(
        "Before them: refused, an Allow is missing"
    )
    expect(view.get_by_role("status")).to_contain_text("Allowed")
    expect(view.locator(".dec-decider", has_text="Added")).to_contain_text("Half of what is needed")
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
    expect(headline(view)).to_contain_text("Refused: an Allow is missing")
    expect(view.locator(".dec-doc", has_text="added here")).to_have_count(0)
    # The notebook was not touched by any of these keys.
    expect(page.locator(".jp-CodeCell")).to_have_count(2)


def focused(desk: Desk) -> str:
    return str(desk.page.evaluate("document.activeElement.dataset.key"))


def test_the_request_is_changed_and_a_cell_sees_it(desk: Desk, results: Path) -> None:
    """Typing turns the outcome letter by letter, and Python holds the same decision."""
    view = open_view(desk, "1 + 1", CROWDED)
    page = desk.page
    expect(view.locator(".dec-verdict")).to_contain_text('statement "OnlyThroughS3"')
    view.locator(".dec-layer-head[tabindex='0']").focus()
    page.keyboard.press("c")
    expect(view.get_by_label("Action")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(view.get_by_label("kms:ViaService")).to_be_focused()
    page.keyboard.type("s3.eu-west-1.amazonaws.co")
    expect(headline(view)).to_contain_text("Refused")
    page.keyboard.type("m")
    expect(headline(view)).to_contain_text("Allowed")
    view.get_by_label("Action").fill("kms")
    expect(view.locator(".dec-complaint")).to_contain_text("write service:Action")
    expect(headline(view)).to_contain_text("Allowed")
    view.get_by_label("Action").fill("kms:Encrypt")
    expect(headline(view)).to_contain_text("Allowed")  # the grant gives that
    expect(view.locator(".dec-decides", has_text="Grants")).to_contain_text("This decided it")
    page.keyboard.press("Escape")
    expect(view.get_by_role("button", name="Change the request")).to_be_focused()

    # The grants are a text as well: without one the caller is refused, with one allowed.
    view.get_by_role("button", name="Edit grants on this key").click()
    page.keyboard.press("Control+a")
    page.keyboard.type('{"Grants": []')
    expect(view.locator(".dec-foot")).to_contain_text("Not grants yet")
    expect(headline(view)).to_contain_text("Allowed")
    page.keyboard.type("}")
    expect(headline(view)).to_contain_text("Refused: an Allow is missing")
    view.get_by_role("button", name="Add a grant to grants on this key").click()
    expect(headline(view)).to_contain_text("Allowed")
    expect(view.locator(".dec-decider")).to_contain_text("This decided it")
    view.screenshot(path=results / "decision-grants.png")
    page.keyboard.press("Escape")

    # The other way round: a cell changes what the view shows.
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Control+a")
    page.keyboard.type('view.change_request(action="kms:CreateGrant").outcome')
    page.keyboard.press("Control+Enter")
    expect(headline(view)).to_contain_text("Refused: an Allow is missing")


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
