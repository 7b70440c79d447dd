"""The wire view in Python: real handshakes, a stable still form, colours that can be read."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import anywidget
import pytest

from kmscourse import tls
from kmscourse.views._base import read_asset
from kmscourse.views.wire import Wire
from tests.views.test_envelope import colours, contrast

NAME = "records.clinic.example"
REQUEST, RESPONSE = b"GET /patients/7", b"doxycycline 10 mg, twice a day"


@pytest.fixture(scope="module")
def ca() -> tls.CertificateAuthority:
    return tls.CertificateAuthority("Clinic CA")


def converse(ca: tls.CertificateAuthority, pipe: tls.Pipe | None = None) -> tls.Conversation:
    return tls.converse(
        client=tls.Client(NAME, trust=ca),
        server=tls.Server(ca.issue(NAME)),
        request=REQUEST,
        response=RESPONSE,
        pipe=pipe,
    )


@pytest.fixture
def wire(ca: tls.CertificateAuthority) -> Wire:
    return Wire(
        converse(ca, tls.Eavesdropper()),
        interceptor=tls.Interceptor(replace={b"10 mg": b"90 mg"}),
    )


def test_it_shows_the_conversation_it_was_given(wire: Wire) -> None:
    shown = wire._shown
    talk = wire.conversation
    assert shown["outcome"] == "done"
    assert shown["client_got"] == shown["answered"] == RESPONSE.decode()
    [leg] = shown["legs"]
    assert leg["ends"] == ["client", "server"]
    for drawn, record in zip(leg["records"], talk.capture.records, strict=True):
        assert bytes.fromhex(drawn["wire"]) == record.data
        assert drawn["size"] == len(record)
    json.dumps(shown)  # all of it can be sent


def test_each_seat_is_given_only_what_it_can_open(wire: Wire) -> None:
    seats = wire._shown["seats"]
    sealed = [[0, r["index"]] for r in wire._shown["legs"][0]["records"] if r["sealed"]]
    assert seats["client"]["opened"] == sealed
    assert seats["eavesdropper"]["opened"] == []
    assert seats["interceptor"] | {"present": None} == seats["eavesdropper"] | {"present": None}
    assert not seats["interceptor"]["present"]

    wire.run(pipe="interceptor", verify=False)
    seats = wire._shown["seats"]
    assert seats["interceptor"]["present"]
    assert {leg for leg, _ in seats["interceptor"]["opened"]} == {0, 1}
    assert {leg for leg, _ in seats["client"]["seen"]} == {0}
    assert seats["eavesdropper"]["opened"] == []


def test_the_attack_fails_and_succeeds_by_real_handshakes(wire: Wire) -> None:
    before = wire.conversation
    refused = wire.run(pipe="interceptor")
    assert refused is not before
    assert refused.refusal is not None
    assert wire._shown["outcome"] == "refused"
    assert wire._shown["alert"] == "unknown_ca"
    assert wire._shown["client_got"] == ""

    fooled = wire.run(verify=False)
    assert fooled.intercepted
    assert wire._shown["outcome"] == "fooled"
    assert "90 mg" in wire._shown["client_got"]
    assert "10 mg" in wire._shown["answered"]
    assert wire._setting == {"verify": False, "pipe": "interceptor", "version": "TLS 1.3"}

    assert wire.run(verify=True).refusal is not None


@pytest.mark.parametrize("version", ["TLS 1.2", "TLS 1.3"])
def test_a_flipped_bit_is_shown_for_what_it_is(wire: Wire, version: str) -> None:
    wire.run(pipe="tamperer", version=version)
    assert wire._shown["alert"] == "bad_record_mac"
    assert wire._shown["version"] == version
    shut = [r for r in wire._shown["legs"][0]["records"] if r["sealed"] and not r["opened"]]
    assert len(shut) == 1
    assert "tag" in shut[0]["reason"]


def test_messages_of_the_browser_do_what_the_method_does(wire: Wire) -> None:
    wanted = {"verify": False, "pipe": "interceptor", "version": "TLS 1.2"}
    wire._from_browser(None, {"do": "run", "question": 3, "view": "wire-1", **wanted}, [])
    assert wire._setting == wanted
    assert (wire._shown["question"], wire._shown["view"]) == (3, "wire-1")
    assert wire.conversation.version == "TLS 1.2"
    with pytest.raises(ValueError, match="choose one of"):
        wire.run(pipe="nobody in particular")


def test_a_refused_client_and_a_wire_with_nobody_can_be_shown(
    ca: tls.CertificateAuthority,
) -> None:
    stranger = tls.converse(
        client=tls.Client(NAME, trust=ca), server=tls.Server(tls.self_signed(NAME))
    )
    view = Wire(stranger, title="A stranger")
    assert view._shown["outcome"] == "refused"
    assert "Refused" not in view.sentence()  # the sentence is whole without the picture
    assert view.picture()


# The still form


def test_the_still_form_is_the_same_for_each_handshake(ca: tls.CertificateAuthority) -> None:
    """nbval compares it, and each handshake has other bytes, and by a few also other sizes."""
    for pipe in (tls.Eavesdropper, tls.Tamperer, tls.Interceptor):
        first, second = (Wire(converse(ca, pipe())) for _ in range(2))
        assert repr(first) == repr(second)
        assert first.picture() == second.picture()
        bundle = first._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        assert data["text/plain"] == repr(first)
        assert data["image/svg+xml"] == first.picture()


def test_the_sentence_says_what_happened(wire: Wire) -> None:
    assert repr(wire) == (
        "Wire: A client that checks certificates asks records.clinic.example over TLS 1.3, while "
        "an eavesdropper listens. The client got its answer from the server."
    )
    wire.run(pipe="interceptor", verify=False)
    assert wire.sentence() == (
        "A client that does not check certificates asks records.clinic.example over TLS 1.3, with "
        "an interceptor in between. The client talked to somebody in between and did not notice."
    )
    assert wire.summary == wire.sentence()


def test_the_picture_says_what_is_readable(wire: Wire) -> None:
    root = ET.fromstring(wire.picture())
    ns = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    assert root.find(f"{ns}desc").text == wire.sentence()
    words = " ".join(text.text or "" for text in root.iter(f"{ns}text"))
    clear, sealed = words.split("Under the lock")
    assert "ClientHello" in clear
    assert NAME in clear
    assert "CertificateVerify" in sealed
    assert "CertificateVerify" not in clear
    assert "doxycycline" not in words


# What every view keeps to


def test_it_fetches_nothing_and_carries_its_script_along() -> None:
    for text in (str(Wire._esm), str(Wire._css)):
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"\bimport\b|@import|\bfetch\(|url\(|innerHTML", text)
    own = {n for n in vars(Wire) if not n.startswith("__") and hasattr(anywidget.AnyWidget, n)}
    assert {n for n in own if not n.startswith("_")} == set()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_meets_wcag_aa(theme: str) -> None:
    c = colours(theme)
    pairs = [
        ("ink", "ok-tint"),
        ("muted", "ok-tint"),
        ("ok", "ok-tint"),
        ("ink", "seal-tint"),
        ("seal", "seal-tint"),
        ("ink", "accent-tint"),
        ("muted", "accent-tint"),
        ("muted", "tint"),
        ("muted", "paper"),
        ("muted", "letter"),
    ]
    for text, ground in pairs:
        assert contrast(c[text], c[ground]) >= 4.5, (theme, text, ground)
    for edge, ground in [("edge", "letter"), ("accent", "letter"), ("on-strong", "ok")]:
        assert contrast(c[edge], c[ground]) >= 3, (theme, edge, ground)
    # Only colours of the shared theme, so that both themes hold.
    assert not re.search(r"#[0-9a-f]{3,6}\b", read_asset("wire.css"))
