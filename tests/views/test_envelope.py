"""The envelope view in Python: real answers, a stable still form, colours that can be read."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import anywidget
import boto3
import moto
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kmscourse import sealed, views
from kmscourse.views import Envelope, _svg
from kmscourse.views._base import View, read_asset
from tests.sealed.real_messages import (
    LETTER,
    fake_credentials,
    sealed_by_hand,
    sealed_with_kms,
    sealed_with_s3_client,
    sealed_with_sdk,
    two_keyrings,
)


@pytest.fixture(scope="module")
def real():
    return sealed_with_sdk()


@pytest.fixture
def envelope(real):
    return Envelope(real.message, open_with=real.open_with)


@pytest.mark.parametrize(
    ("field", "check", "error"),
    [
        ("header/format/version", "Parser", "NotSupportedError"),
        ("header/format/message-id", "Key commitment", "MasterKeyProviderError"),
        ("header/keys/1/ciphertext", "Unwrapping the data key", "AWSEncryptionSDKClientError"),
        ("header/proofs/commitment", "Key commitment", "MasterKeyProviderError"),
        ("header/proofs/tag", "Header authentication tag", "SerializationError"),
        ("body/frame-1/number", "Frame order", "SerializationError"),
        ("body/frame-2/content", "Body authentication tag", "InvalidTag"),
        ("footer/signature", "Signature", "InvalidSignature"),
    ],
)
def test_a_flip_is_answered_by_the_real_error(envelope, field, check, error):
    answer = envelope.flip(field)
    assert (answer.check, answer.opened) == (check, False)
    assert answer.error.endswith(error)
    assert answer.position == envelope.sealed.find(field).start
    assert answer.after == answer.before ^ 1
    for key in answer.noticed:
        assert envelope.sealed.find(key).children
    assert answer.noticed
    assert envelope.answer == answer
    envelope.undo()
    assert envelope.answer is None
    opened = envelope.unseal()
    assert opened.opened
    assert opened.letter.startswith("Patient 42")


def test_a_changed_context_value_is_refused_by_the_wrapping_key(real, envelope):
    clinic = next(f for f in envelope.sealed.root.leaves() if f.value == "north")
    answer = envelope.flip(clinic.start)
    assert answer.check == "Unwrapping the data key"
    assert "encryption context" in answer.says


def test_kms_is_named_when_kms_refuses(monkeypatch):
    fake_credentials(monkeypatch)
    with moto.mock_aws():
        kms = boto3.client("kms")
        arn = kms.create_key()["KeyMetadata"]["Arn"]
        real = sealed_with_kms(kms, arn)
        view = Envelope(real.message, open_with=real.open_with, holders={arn: ["role/doctor"]})
        field = view.sealed.find("header/keys/1/ciphertext")
        answer = view.flip(field.end - 1)
        assert answer.check == "Unwrapping the data key"
        assert "AWS KMS refused" in answer.says
        assert answer.noticed == ("header/keys/1",)
        assert view._keys[0]["holders"] == ["role/doctor"]
        assert view._keys[0]["id"] == arn


def test_an_s3_object_and_what_nobody_protects(monkeypatch):
    fake_credentials(monkeypatch)
    with moto.mock_aws():
        kms = boto3.client("kms")
        arn = kms.create_key()["KeyMetadata"]["Arn"]
        real = sealed_with_s3_client(boto3, kms, arn)
        view = Envelope(real.message, open_with=real.open_with, holders={arn: "role/doctor"})
        # The object does not name its key; the lesson does.
        assert view._keys[0]["id"] == arn
        assert view.flip("body/content").check == "Body authentication tag"
        # The field is base64: a letter that is still one after the flip, so that the key is asked.
        field = view.sealed.find("header/keys/x-amz-3")
        still_base64 = (
            at
            for at in range(field.end - 8, field.start, -1)
            if chr(view.sealed.raw[at] ^ 1).isalnum()
        )
        wrapped = view.flip(next(still_base64))
        assert wrapped.check == "Unwrapping the data key"
        assert "AWS KMS answered InvalidCiphertextException" in wrapped.says
        ward = view.flip("header/plain/ward")
        assert (ward.check, ward.opened) == ("Nobody noticed", True)
        assert "same letter" in ward.says


def test_an_unauthenticated_envelope_by_hand_opens_to_another_letter():
    key, nonce = b"k" * 32, b"n" * 16
    cipher = Cipher(algorithms.AES(key), modes.CTR(nonce))
    message = {"ciphertext": cipher.encryptor().update(b"Give 10 mg"), "nonce": nonce}

    def open_with(changed):
        mode = modes.CTR(changed["nonce"])
        return Cipher(algorithms.AES(key), mode).decryptor().update(changed["ciphertext"])

    # An empty tag: this cipher has none, and none is cut off the ciphertext.
    view = Envelope({**message, "tag": b""}, open_with=open_with)
    answer = view.flip(view.sealed.find("ciphertext").start + 5, mask=0x08)
    assert (answer.check, answer.opened) == ("Nobody noticed", True)
    assert answer.letter == "Give 90 mg"
    assert "different letter" in answer.says


def test_a_reader_who_may_not_open_is_told_so(real):
    def refuse(_):
        raise ClientError(
            {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "Decrypt"
        )

    view = Envelope(real.message, open_with=refuse)
    answer = view.unseal()
    assert not answer.opened
    assert answer.check == "Unwrapping the data key"
    assert "AccessDeniedException" in answer.message
    assert "Nothing was changed" in answer.says
    assert "unchanged it does not open" in view.flip("footer/signature").says


@pytest.mark.parametrize("result", [LETTER, LETTER.decode(), (LETTER, object()), {"Body": LETTER}])
def test_what_an_opener_may_return(real, result):
    assert Envelope(real.message, open_with=lambda _: result).unseal().letter.startswith("Patient")


def test_without_an_opener_it_shows_and_says_why_it_cannot_flip(real):
    view = Envelope(real.message)
    with pytest.raises(RuntimeError, match="open_with"):
        view.flip(0)
    assert view.picture()


def test_bad_input_is_refused_in_words(real):
    with pytest.raises(sealed.ParseError):
        Envelope(real.message[:-1])
    with pytest.raises(TypeError, match="sealed message is bytes"):
        Envelope(7)
    with pytest.raises(ValueError, match="shorter letter"):
        Envelope({"ciphertext": bytes(300_000)})
    view = Envelope(real.message, open_with=real.open_with)
    with pytest.raises(IndexError):
        view.flip(10**6)
    with pytest.raises(KeyError):
        view.flip("header/none")


def test_messages_of_the_browser_do_what_the_methods_do(envelope):
    envelope._from_browser(None, {"do": "flip", "position": 0}, [])
    assert envelope.answer.check == "Parser"
    envelope._from_browser(None, {"do": "undo"}, [])
    assert envelope.answer is None
    envelope._from_browser(None, {"do": "open"}, [])
    assert envelope.answer.opened


# The still form


def test_the_still_form_is_the_same_for_each_sealing():
    """nbval compares it, and each sealing has other bytes."""
    first, second = (
        Envelope(sealed_with_sdk(keyring=two_keyrings()).message, holders={"day-safe": ["doctor"]})
        for _ in range(2)
    )
    assert first.sealed.raw != second.sealed.raw
    assert repr(first) == repr(second)
    assert first.picture() == second.picture()
    bundle = first._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert data["text/plain"] == repr(first)
    assert data["image/svg+xml"] == first.picture()


@pytest.mark.parametrize("make", [sealed_with_sdk, sealed_by_hand])
def test_the_picture_is_an_svg_with_a_name_and_a_description(make):
    view = Envelope(make().message, title="A <letter> & a key")
    root = ET.fromstring(view.picture())
    ns = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    assert root.find(f"{ns}title").text == "A <letter> & a key"
    assert root.find(f"{ns}desc").text == view.sentence()
    assert "http" not in view.picture().replace("http://www.w3.org/2000/svg", "")


def test_the_sentence_has_no_ids_and_names_what_is_there(envelope):
    assert repr(envelope) == (
        "Envelope: AWS Encryption SDK message, format version 2, 801 bytes, with one wrapped data "
        "key (clinic), an encryption context of 3 pairs, a sealed letter of 288 bytes in 3 frames, "
        "key commitment and a signature."
    )


# What every view keeps to


def test_views_fetch_nothing_and_carry_their_script_along():
    for name in views.__all__:
        view = getattr(views, name)
        if not (isinstance(view, type) and issubclass(view, View)):
            continue
        for text in (str(view._esm), str(view._css)):
            assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"\bimport\b|@import|\bfetch\(|url\(|innerHTML", text)
        own = {n for n in vars(view) if not n.startswith("__") and hasattr(anywidget.AnyWidget, n)}
        private = {n for n in own if n.startswith("_")}
        assert own == private, "a public name of ipywidgets is shadowed"


def colours(theme: str) -> dict[str, str]:
    light, dark = read_asset("_base.css").split('body[data-jp-theme-light="false"]')
    found = dict(re.findall(r"--kv-([a-z-]+): (#[0-9a-f]{6})", light))
    if theme == "dark":
        found |= dict(re.findall(r"--kv-([a-z-]+): (#[0-9a-f]{6})", dark.split("}")[0]))
    return found


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio"."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_meets_wcag_aa(theme):
    c = colours(theme)
    grounds = ("paper", "letter", "tint", "accent-tint", "key-tint")
    pairs = [("ink", g) for g in grounds] + [("muted", g) for g in ("paper", "letter", "tint")]
    pairs += [("accent", "letter"), ("accent", "accent-tint"), ("key", "key-tint")]
    pairs += [("key", "paper"), ("seal", "letter"), ("ok", "letter"), ("muted", "accent-tint")]
    pairs += [("on-strong", g) for g in ("accent", "seal", "ok")]
    for text, ground in pairs:
        assert contrast(c[text], c[ground]) >= 4.5, (theme, text, ground)
    # Edges that carry meaning, and the focus ring: 3 : 1.
    for line, ground in (("edge", "letter"), ("accent", "paper"), ("key", "paper")):
        assert contrast(c[line], c[ground]) >= 3, (theme, line, ground)


def test_the_pictures_colours_meet_wcag_aa():
    for text in (_svg.INK, _svg.MUTED, _svg.ACCENT, _svg.KEY, _svg.SEAL):
        for ground in (_svg.WHITE, _svg.PAPER):
            assert contrast(text, ground) >= 4.5, (text, ground)


def test_wrapped_lines_keep_every_word_and_their_width():
    words = "arn:aws:kms:eu-west-1:111122223333:key/" + "a" * 80 + " and some short words"
    lines = _svg.wrap(words, 200, 12)
    assert "".join(lines).replace(" ", "") == words.replace(" ", "")
    assert max(map(len, lines)) <= 200 / (12 * 0.54)
    assert _svg.wrap("", 100, 12) == []
