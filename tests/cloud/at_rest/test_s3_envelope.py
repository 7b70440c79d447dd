"""The envelope by itself: what was changed does not open, and no header breaks the reader."""

from __future__ import annotations

import base64
import json
import os

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from kmscourse.cloud.at_rest.s3 import choice
from kmscourse.cloud.at_rest.s3.envelope import KeyCheck, seal, unseal, unwrap, wrap
from kmscourse.cloud.errors import AWSError

ARN = "arn:aws:s3:::bucket/key"
KEYS = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=3)


@given(st.binary(max_size=300), KEYS, st.data())
def test_what_was_sealed_opens_and_what_was_changed_does_not(
    plaintext: bytes, keys: list[bytes], data: st.DataObject
) -> None:
    nonces, sealed = seal(plaintext, keys, ARN, os.urandom)
    assert len(sealed) == len(plaintext) + 16 * len(keys)
    assert unseal(nonces, memoryview(sealed), keys, ARN) == plaintext
    place = data.draw(st.integers(0, len(nonces) + len(sealed) - 1))
    changed = bytearray(nonces + sealed)
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(InvalidTag):
        unseal(changed[: len(nonces)], changed[len(nonces) :], keys, ARN)
    with pytest.raises(InvalidTag):
        unseal(nonces, sealed, keys, "arn:aws:s3:::bucket/another-key")
    with pytest.raises(InvalidTag):
        unseal(nonces, sealed, [*keys[:-1], bytes(32) if any(keys[-1]) else b"1" * 32], ARN)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_wrapped_key_opens_under_its_own_key_and_name_only(key: bytes, under: bytes) -> None:
    wrapped = wrap(key, under, ARN, os.urandom(12))
    assert unwrap(wrapped, under, ARN) == key
    with pytest.raises(InvalidTag):
        unwrap(wrapped, under, ARN + "2")


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_customers_key_is_known_again(key: bytes, other: bytes) -> None:
    check = KeyCheck.of(key, os.urandom(32))
    assert check.matches(key)
    assert check.matches(other) is (key == other)
    assert key not in check.salt + check.mac


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


class _Bucket:
    encryption = None


def outcome(asked: dict[str, str]) -> tuple[str | None, choice.Choice | None]:
    """The error code of a request's headers, or what they ask for."""
    try:
        return None, choice.of_request(asked, _Bucket())
    except AWSError as refused:
        return refused.code, None


@given(
    st.text(max_size=40) | _JSON.map(lambda v: base64.b64encode(json.dumps(v).encode()).decode())
)
def test_any_context_header_is_read_or_refused(header: str) -> None:
    asked = {"ServerSideEncryption": "aws:kms", "SSEKMSEncryptionContext": header}
    code, chosen = outcome(asked)
    assert code in (None, "InvalidArgument")
    if chosen is not None:
        context = chosen.context
        assert all(isinstance(k, str) and isinstance(v, str) for k, v in context.items())


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "SSECustomerAlgorithm": st.sampled_from(["AES256", "aes", ""]),
            "SSECustomerKey": st.text(max_size=50)
            | st.binary(max_size=40).map(lambda b: base64.b64encode(b).decode()),
            "SSECustomerKeyMD5": st.text(max_size=30),
            "ServerSideEncryption": st.sampled_from(["AES256", "aws:kms", "aws:kms:dsse", "x"]),
            "SSEKMSKeyId": st.text(max_size=10),
        },
    )
)
def test_any_headers_are_read_or_refused_in_aws_s_words(asked: dict[str, str]) -> None:
    code, chosen = outcome(asked)
    refusals = (None, "InvalidArgument", "InvalidEncryptionAlgorithmError", "AccessDenied")
    assert code in refusals
    assert chosen is None or chosen.sse in ("AES256", "aws:kms", "aws:kms:dsse")
