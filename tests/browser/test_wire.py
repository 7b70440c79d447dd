"""The wire view in JupyterLab: three seats, by keyboard alone, in both themes."""

from __future__ import annotations

import pytest

from tests.browser.jupyter import Desk, write_notebook

TALK = """
from kmscourse import tls
from kmscourse.views.wire import Wire

ca = tls.CertificateAuthority("Clinic CA")
server = tls.Server(ca.issue("records.clinic.example"))
client = tls.Client("records.clinic.example", trust=ca)
talk = tls.converse(
    client=client, server=server, pipe=tls.Eavesdropper(),
    request=b"GET /patients/7", response=b"doxycycline 10 mg, twice a day",
)
"""
SHOW = """
wire = Wire(talk, interceptor=tls.Interceptor(replace={b"10 mg": b"90 mg"}),
            title="Patient 7, on the way")
wire
"""


@pytest.fixture
def opened(desk: Desk) -> Desk:
    desk.page.set_viewport_size({"width": 1400, "height": 1500})
    desk.open(write_notebook(desk.server.root, "wire.ipynb", TALK, SHOW))
    desk.run_all()
    desk.page.locator(".wire").wait_for()
    return desk


def verdict(view, word: str) -> None:
    view.locator(".wire-verdict", has_text=word).wait_for()


def inside(view) -> str:
    return " ".join(view.locator(".wire-what").all_inner_texts())


def test_three_seats_and_the_attack_by_keyboard_alone(opened, results):
    page, view = opened.page, opened.page.locator(".wire")
    verdict(view, "Arrived")
    # The only touch of the mouse: into the output, as Tab would reach it.
    view.get_by_role("switch").focus()

    # The eavesdropper's seat is the first to be shown: hellos, and nothing said.
    assert "ClientHello" in inside(view)
    assert "Certificate" not in inside(view)
    assert "unreadable" in inside(view)
    page.screenshot(path=results / "wire-eavesdropper-light.png", full_page=True)

    # The client's: the same records, opened.
    page.keyboard.press("1")
    assert view.get_by_role("radio", name="Client").is_checked()
    assert "CertificateVerify" in inside(view)
    assert "unreadable" not in inside(view)

    # Interceptor, with the check switched on: refused.
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    verdict(view, "Refused")
    # The seat passed on the way refuses, too: wait for the answer of this one.
    view.locator(".wire-codes", has_text="unknown_ca").wait_for()
    assert view.locator(".wire-codes").inner_text().startswith("alert unknown_ca")

    # Switched off: it works. The client gets another dose than the server gave.
    page.keyboard.press("v")
    verdict(view, "Fooled")
    assert view.get_by_role("switch").get_attribute("aria-checked") == "false"
    people = view.locator(".wire-person").all_inner_texts()
    assert "doxycycline 90 mg" in people[0]
    assert "doxycycline 10 mg" in people[1]
    assert "doxycycline 10 mg" in people[2]
    assert view.locator("mark").all_inner_texts() == ["9", "9"]  # what he passed on, what arrived
    assert "Fooled" in view.get_by_role("status").inner_text()

    # From the interceptor's seat there are two conversations, both open.
    page.keyboard.press("3")
    assert view.locator(".wire-leg").count() == 2
    assert inside(view).count("what they say") == 4
    page.screenshot(path=results / "wire-interceptor-light.png", full_page=True)

    # The eavesdropper still reads nothing: not even of a conversation that is not what it seems.
    page.keyboard.press("2")
    assert "what they say" not in inside(view)

    # And on again.
    page.keyboard.press("v")
    verdict(view, "Refused")
    assert page.locator(".jp-CodeCell").count() == 2


def test_a_record_opens_to_labelled_bytes_by_keyboard(opened, results):
    page, view = opened.page, opened.page.locator(".wire")
    view.get_by_role("option").first.focus()
    page.keyboard.press("Enter")
    for _ in range(80):
        if view.locator(".wire-inspector strong").inner_text() == "host_name":
            break
        page.keyboard.press("ArrowDown")
    assert "records.clinic.example" in view.locator(".wire-value").inner_text()
    lit = "".join(view.locator(".wire-char.wire-on").all_inner_texts())
    assert lit == "records.clinic.example"
    assert "eavesdropper" in view.locator(".wire-inspector").inner_text()

    # Back to the session; the client's seat shows what is under the lock of the answer.
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    for _ in range(30):
        if "doxycycline" in view.locator(".wire-detail").inner_text():
            break
        page.keyboard.press("ArrowDown")
    chosen = view.locator('.wire-row[aria-selected="true"]')
    assert chosen.get_attribute("aria-label").split(", ")[1:3] == ["what they say", "opened"]
    assert page.evaluate("document.activeElement.getAttribute('aria-selected')") == "true"
    number = chosen.get_attribute("data-key")
    page.screenshot(path=results / "wire-client-light.png", full_page=True)
    # The same record from the eavesdropper's seat.
    page.keyboard.press("2")
    assert chosen.get_attribute("data-key") == number
    assert "doxycycline" not in view.locator(".wire-detail").inner_text()
    assert "Sealed" in view.locator(".wire-why").inner_text()


def test_a_flipped_bit_and_another_version(opened):
    page, view = opened.page, opened.page.locator(".wire")
    view.get_by_label("A tamperer: flips one bit").focus()
    page.keyboard.press("Space")
    verdict(view, "Refused")
    assert "bad_record_mac" in view.locator(".wire-codes").inner_text()
    view.get_by_role("radio", name="TLS 1.2").focus()
    page.keyboard.press("Space")
    view.locator(".wire-facts", has_text="TLS 1.2").wait_for()
    # TLS 1.2 shows the certificate to everyone on the way.
    page.keyboard.press("2")
    assert "Certificate" in inside(view)


def test_a_cell_and_the_picture_show_the_same(opened):
    page = opened.page
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Control+a")
    page.keyboard.type('wire.run(pipe="interceptor", verify=False)')
    page.keyboard.press("Control+Enter")
    verdict(page.locator(".wire"), "Fooled")
    page.get_by_text("<Conversation: The client talked to somebody in between").wait_for()


def test_it_can_be_looked_at(opened, results):
    """Screenshots to look at, in both themes and three widths, and nothing cut off."""
    page, view = opened.page, opened.page.locator(".wire")
    page.keyboard.press("Escape")
    view.get_by_role("switch").focus()
    page.keyboard.press("v")
    view.get_by_label("An interceptor: stands in between").focus()
    page.keyboard.press("Space")
    verdict(view, "Fooled")
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.set_viewport_size({"width": 1500, "height": 1500})
        opened.theme(theme)
        for width in (1500, 1000, 700):
            page.set_viewport_size({"width": width, "height": 1500})
            view.screenshot(path=results / f"wire-{theme.split()[-1].lower()}-{width}.png")
            assert view.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
