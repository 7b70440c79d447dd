"""Key press to new verdict in the decision view, in JupyterLab, against a peer in the same run.

    python benchmarks/decision_view.py [presses]

A refused call is opened in the view, and the outcome is turned with each key: a letter of the
action's name is taken away (refused) and typed again (allowed), and the missing statement is added
and taken back. Time runs from the key event's own time stamp, set by the browser, to the frame with
the new verdict, painted; in between Python reads the whole policy and decides again.

The peer is what one would write first: an ipywidgets text area with the policy, decided by the same
`decide`, and its sentence as HTML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from _in_jupyterlab import heading, line, measure, opened, times_asked

if TYPE_CHECKING:
    from tests.browser.jupyter import Desk

SETUP = """
import boto3, json
from botocore.exceptions import ClientError
from kmscourse import cloud, views
from kmscourse.cloud.authorization import MalformedPolicyError, Policies, decide
aws = cloud.start(seed="bench")
key = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
try:
    aws.session("analyst").client("kms").encrypt(KeyId=key, Plaintext=b"x")
except ClientError as error:
    decision = aws.explain(error)
"""
VIEW = "views.DecisionView(decision)"
PEER = """
import ipywidgets
statement = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}
policy = ipywidgets.Textarea(
    json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2), rows=12)
verdict = ipywidgets.HTML()

def ask(_=None):
    try:
        found = decide(decision.request, Policies(
            identity=[policy.value], resource=decision.policies.resource))
    except MalformedPolicyError as error:
        verdict.value = str(error)
    else:
        verdict.value = f'<b class="peer">{found.outcome}</b><p>{found.because}</p>'

policy.observe(ask, "value")
ask()
ipywidgets.VBox([policy, verdict])
"""
OURS = "document.querySelector('.dec-outcome').textContent"
THEIRS = "document.querySelector('b.peer').textContent"


def turn(desk: Desk, presses: int, area: str, watched: str) -> list[float]:
    """Take the last letter of the action's name away and type it again, so many times."""
    desk.page.locator(area).focus()
    desk.page.evaluate(
        """(area) => {
            const text = document.querySelector(area);
            const end = text.value.indexOf("kms:Encrypt") + "kms:Encrypt".length;
            text.setSelectionRange(end, end);
        }""",
        area,
    )
    keys = ["Backspace", "t"] * (presses // 2)
    return [measure(desk, key, watched) for key in keys]


def add_and_reset(desk: Desk, times: int) -> list[float]:
    """Add the missing statement to a view that has it not, and put it back."""
    view, taken = desk.page.locator(".dec"), []
    for _ in range(times):
        view.locator('[data-key="identity"]').focus()
        taken.append(measure(desk, "a", OURS))
        view.locator(".dec-text").wait_for()
        desk.page.keyboard.press("Escape")
        taken.append(measure(desk, "r", OURS))
    return taken


def main(presses: int) -> None:
    with opened(SETUP, VIEW, PEER) as desk:
        desk.page.locator(".dec").wait_for()
        added = add_and_reset(desk, min(presses // 2, 20))
        desk.page.locator('.dec [data-key="identity"]').focus()
        desk.page.keyboard.press("a")
        desk.page.locator(".dec-text").wait_for()
        ours = turn(desk, presses, ".dec-text", OURS)
        peers = turn(desk, presses, ".widget-textarea textarea", THEIRS)
        heading("Key press to new verdict", desk)
    line("decision view: a letter typed in a policy", ours)
    line("decision view: the missing statement added, or all put back", added)
    line("peer: ipywidgets text area, the same decide, the sentence", peers)


if __name__ == "__main__":
    main(times_asked())
