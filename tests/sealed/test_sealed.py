"""Every byte named, nothing but ParseError, and each claim about a check held against reality."""

from __future__ import annotations

import json
import tracemalloc

import boto3
import moto
import pytest
from aws_encryption_sdk.identifiers import AlgorithmSuite
from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as st

from kmscourse import sealed
from kmscourse.sealed import Check, ParseError, S3Object, Sealed
from tests.sealed.real_messages import (
    CONTEXT,
    LETTER,
    Real,
    aes_keyring,
    fake_credentials,
    sealed_by_hand,
    sealed_with_kms,
    sealed_with_s3_client,
    sealed_with_sdk,
    two_keyrings,
)

SUITES = list(AlgorithmSuite)
# Made once: the property tests change copies.
MESSAGES = [
    sealed_with_sdk(suite, letter=LETTER[:length], frame_length=frame)
    for suite, length, frame in zip(
        SUITES, (0, 1, 127, 128, 129, 288, 0, 1, 40, 200, 288), (0, 128, 0) * 4, strict=False
    )
] + [sealed_with_sdk(keyring=two_keyrings(), opener=aes_keyring("day-safe"))]


def assert_whole(found: Sealed) -> None:
    """The leaves are the message, layer by layer, and no key is used twice."""
    leaves = list(found.root.leaves())
    assert b"".join(leaf.data for leaf in leaves) == found.raw
    keys = [f.key for f in found.root.walk()]
    assert len(keys) == len(set(keys))
    for each in found.root.walk():
        assert each.meaning
        assert each.name
        if each.children:
            assert each.start == each.children[0].start
            assert each.end == each.children[-1].end
            for left, right in zip(each.children, each.children[1:], strict=False):
                assert left.end == right.start
        else:
            assert each.protected_by


@pytest.mark.parametrize("suite", SUITES, ids=lambda s: f"0x{s.algorithm_id:04x}")
@pytest.mark.parametrize(
    ("length", "frame"), [(0, 128), (1, 128), (128, 128), (300, 128), (288, 0)]
)
def test_every_byte_of_a_real_message_is_named(suite, length, frame):
    letter = (LETTER * 2)[:length]
    real = sealed_with_sdk(suite, letter=letter, frame_length=frame)
    found = sealed.parse(real.message)
    assert_whole(found)
    assert found.raw == real.message
    assert found.committing == suite.is_committing()
    assert found.signed == suite.is_signing()
    assert CONTEXT.items() <= found.encryption_context.items()
    content = [f for f in found.root.leaves() if f.name == "Encrypted content"]
    assert sum(len(f) for f in content) == length
    assert found.find("header/format/algorithm-suite").data == suite.id_as_bytes()


def test_no_context_and_several_wrapping_keys():
    real = sealed_with_sdk(
        AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY, context={}, keyring=two_keyrings()
    )
    found = sealed.parse(real.message)
    assert_whole(found)
    assert found.encryption_context == {}
    assert [(k.provider, k.key_id) for k in found.wrapped_keys] == [
        ("clinic", "night-safe"),
        ("clinic", "day-safe"),
    ] or [k.key_id for k in found.wrapped_keys] == ["day-safe", "night-safe"]
    assert found.find("header/context/length").value == "0 bytes"


def test_a_kms_message_names_the_key_that_wrapped_it(monkeypatch):
    fake_credentials(monkeypatch)
    with moto.mock_aws():
        kms = boto3.client("kms")
        arn = kms.create_key()["KeyMetadata"]["Arn"]
        real = sealed_with_kms(kms, arn)
        found = sealed.parse(real.message)
        assert_whole(found)
        (key,) = found.wrapped_keys
        assert (key.provider, key.key_id) == ("aws-kms", arn)
        assert found.find(key.field).role == "wrapped-key"
        # One flip in each field, opened for real by way of KMS.
        assert_claims(real, found, every=1_000_000)


def assert_claims(real: Real, found: Sealed, every: int = 1) -> set[Check]:
    """Flip bytes, really open, and hold the answer against what the field promises."""
    noticed = set()
    assert real.open_with(real.message) == real.letter
    for leaf in found.root.leaves():
        for position in {*range(leaf.start, leaf.end, every), max(leaf.start, leaf.end - 1)}:
            if not leaf.start <= position < leaf.end:
                continue
            error, same = None, None
            try:
                same = real.open_with(found.flipped(position)) == real.letter
            except Exception as refused:
                error = refused
            answer = sealed.classify(error, found.leaf_at(position), same=same)
            assert answer.check in leaf.protected_by, (leaf.key, position, answer)
            assert answer.says
            noticed.add(answer.check)
    return noticed


@pytest.mark.parametrize(
    ("suite", "frame"),
    [
        (AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384, 128),
        (AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY, 0),
        (AlgorithmSuite.AES_192_GCM_IV12_TAG16_HKDF_SHA384_ECDSA_P384, 128),
        (AlgorithmSuite.AES_128_GCM_IV12_TAG16, 0),
        (AlgorithmSuite.AES_256_GCM_IV12_TAG16_HKDF_SHA256, 128),
    ],
    ids=str,
)
def test_each_field_is_protected_as_it_says(suite, frame):
    real = sealed_with_sdk(suite, letter=LETTER[:150], frame_length=frame)
    noticed = assert_claims(real, sealed.parse(real.message), every=3)
    assert Check.OTHER not in noticed
    assert Check.NOBODY not in noticed
    assert {Check.PARSER, Check.UNWRAP, Check.HEADER_TAG, Check.BODY_TAG} <= noticed
    assert (Check.COMMITMENT in noticed) == suite.is_committing()
    assert (Check.SIGNATURE in noticed) == suite.is_signing()


def test_with_several_wrapping_keys_the_other_opens_and_the_header_tag_notices():
    real = sealed_with_sdk(keyring=two_keyrings(), opener=aes_keyring("day-safe"))
    found = sealed.parse(real.message)
    other = next(k for k in found.wrapped_keys if k.key_id == "night-safe")
    with pytest.raises(Exception, match="Header authorization failed") as caught:
        real.open_with(found.flipped(found.find(f"{other.field}/ciphertext").start))
    leaf = found.find(f"{other.field}/ciphertext")
    assert sealed.classify(caught.value, leaf).check is Check.HEADER_TAG
    assert_claims(real, found, every=5)


@pytest.mark.parametrize("committing", [True, False])
def test_s3_objects(monkeypatch, committing):
    fake_credentials(monkeypatch)
    with moto.mock_aws():
        kms = boto3.client("kms")
        arn = kms.create_key()["KeyMetadata"]["Arn"]
        real = sealed_with_s3_client(boto3, kms, arn, committing=committing)
        found = sealed.parse(real.message)
        assert_whole(found)
        assert found.committing is committing
        assert CONTEXT.items() <= found.encryption_context.items()
        (key,) = found.wrapped_keys
        assert key.provider == "aws-kms"
        assert found.find(key.field).role == "wrapped-key"
        assert found.rebuild(found.raw) == real.message
        noticed = assert_claims(real, found, every=7)
        assert (Check.COMMITMENT in noticed) is committing
        # Metadata that the writer added is not protected by the client, and the view says so.
        assert Check.NOBODY in noticed
        again = sealed.parse({"Metadata": real.message.metadata, "Body": real.message.body})
        assert again.raw == found.raw


def test_s3_object_with_its_key_in_an_instruction_file():
    metadata = {"x-amz-c": "115", "x-amz-d": "AAAA", "x-amz-i": "BBBB"}
    file = json.dumps({"x-amz-3": "a2V5", "x-amz-w": "12", "x-amz-t": "{}"}).encode()
    found = sealed.parse(S3Object(metadata, b"c" * 40, file))
    assert_whole(found)
    (key,) = found.wrapped_keys
    assert (key.length, key.field) == (3, "header/instruction")
    changed = found.flipped(found.find("header/instruction").start)
    assert isinstance(changed, S3Object)
    assert changed.instruction != file
    assert (changed.metadata, changed.body) == (metadata, b"c" * 40)


def test_an_envelope_by_hand():
    real = sealed_by_hand()
    found = sealed.parse(real.message)
    assert_whole(found)
    assert found.rebuild(found.raw) == real.message
    assert [c.role for c in found.root.children] == ["wrapped-key", "context", "proofs", "body"]
    assert found.encryption_context == {"record": "42"}
    # The wrapping here is AES-GCM in Python: its refusal is an InvalidTag like the letter's own,
    # so only the letter's fields are held to their promise.
    for key in ("nonce", "ciphertext"):
        leaf = next(found.find(key).leaves())
        with pytest.raises(InvalidTag) as caught:
            real.open_with(found.flipped(leaf.start))
        assert sealed.classify(caught.value, leaf).check is Check.BODY_TAG
    leaf = next(found.find("wrapped-key").leaves())
    with pytest.raises(InvalidTag) as caught:
        real.open_with(found.flipped(leaf.start))
    assert sealed.classify(caught.value, leaf).check is Check.UNWRAP


def test_by_hand_without_authentication_is_told_honestly():
    leaf = next(sealed.parse({"ciphertext": b"x" * 20}).root.leaves())
    answer = sealed.classify(None, leaf, same=False)
    assert answer.check is Check.NOBODY
    assert "different letter" in answer.says


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (b"", "Version"),
        (b"\x03", "version 3"),
        (b"\x01\x81", "type 129"),
        (b"\x02\x99\x99", "0x9999"),
        (b"\x01\x80\x05\x78", "belongs to format version 2"),
        ({"note": b"hello"}, "named as the letter"),
        ({"ciphertext": b"short"}, "shorter than a tag"),
        (S3Object({"ward": "north"}, b"plain"), "did not write this object"),
    ],
)
def test_what_is_not_sealed_is_refused_in_words(message, problem):
    with pytest.raises(ParseError, match=problem):
        sealed.parse(message)


@pytest.mark.parametrize("value", [7, None, "text", [b"a"], {"ciphertext": 3}])
def test_other_things_are_refused_by_type(value):
    with pytest.raises(TypeError):
        sealed.parse(value)


def test_left_over_bytes_are_refused():
    with pytest.raises(ParseError, match="3 bytes left over"):
        sealed.parse(MESSAGES[0].message + b"abc")


def parses_or_says_why(data: object) -> None:
    try:
        found = sealed.parse(data)
    except ParseError:
        return
    assert_whole(found)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(MESSAGES),
    st.lists(st.tuples(st.integers(0, 2**16), st.integers(1, 255)), min_size=1, max_size=4),
)
def test_changed_messages_parse_or_raise_parse_error(real, changes):
    message = bytearray(real.message)
    for at, mask in changes:
        message[at % len(message)] ^= mask
    parses_or_says_why(bytes(message))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(MESSAGES), st.integers(0, 2**16), st.integers(0, 2**16), st.binary())
def test_cut_and_spliced_messages_parse_or_raise_parse_error(real, start, end, put):
    cut = sorted((start % (len(real.message) + 1), end % (len(real.message) + 1)))
    parses_or_says_why(real.message[: cut[0]] + put + real.message[cut[1] :])


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x01\x80\x01\x78", b"\x02\x04\x78"]))
def test_any_bytes_parse_or_raise_parse_error(data, opening):
    parses_or_says_why(opening + data)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["x-amz-3", "x-amz-c", "x-amz-t", "x-amz-d", "x-amz-key", "X-Amz-W", "w"]),
        st.one_of(st.text(), st.sampled_from(["115", "{}", "a2V5", "12", "[1]"])),
    ),
    st.binary(max_size=40),
    st.one_of(st.none(), st.binary(), st.just(b'{"x-amz-3": "a2V5", "other": "\\u00e9"}')),
)
def test_any_s3_object_parses_or_raises_parse_error(metadata, body, instruction):
    parses_or_says_why(S3Object(metadata, body, instruction))


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.one_of(st.text(), st.sampled_from(["ciphertext", "tag", "nonce", "WrappedKey"])),
        st.one_of(st.binary(), st.text(), st.dictionaries(st.text(), st.text())),
    )
)
def test_any_envelope_by_hand_parses_or_raises_parse_error(envelope):
    parses_or_says_why(envelope)


@pytest.mark.parametrize("lie", [b"\xff\xff\xff\xff\xff\xff\xff\xff", b"\x7f" * 8])
def test_a_length_that_lies_costs_no_memory(lie):
    real = sealed_with_sdk(AlgorithmSuite.AES_128_GCM_IV12_TAG16, frame_length=0)
    at = sealed.parse(real.message).find("body/length").start
    message = real.message[:at] + lie + real.message[at + 8 :]
    tracemalloc.start()
    try:
        with pytest.raises(ParseError):
            sealed.parse(message)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_an_unknown_error_is_not_guessed_at():
    leaf = next(sealed.parse(MESSAGES[0].message).root.leaves())
    answer = sealed.classify(RuntimeError("boom"), leaf)
    assert (answer.check, answer.error, answer.message) == (Check.OTHER, "RuntimeError", "boom")


def test_positions_and_masks_are_checked():
    found = sealed.parse(MESSAGES[0].message)
    with pytest.raises(IndexError):
        found.leaf_at(len(found.raw))
    with pytest.raises(IndexError):
        found.flipped(-1)
    with pytest.raises(ValueError, match="1 to 255"):
        found.flipped(0, 0)
    with pytest.raises(KeyError, match="header/format"):
        found.find("nothing")
    assert found.path_to(0)[-1] == found.leaf_at(0) == found.find("header/format/version")
