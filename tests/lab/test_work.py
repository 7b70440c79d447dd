"""What a check may ask, and how a value is put into words."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from aws_encryption_sdk.exceptions import GenerateKeyError
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from kmscourse.lab import Work, flipped
from kmscourse.lab.showing import kind_of, name_of, names_of, shown
from kmscourse.lab.work import NotThereYet

SECRET = b"patient 4711: HIV negative"


def says(work: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(NotThereYet) as caught:
        work(*args, **kwargs)
    return caught.value.message


def test_value() -> None:
    work = Work({"record": b"x", "open": ..., "flag": True})
    assert work.value("record") == work.value("record", bytes) == b"x"
    assert work.value("record", (str, bytes)) == b"x"
    assert work.value("flag", bool) is True
    assert "no name `kms` yet" in says(work.value, "kms")
    assert says(work.value, "open") == "`open` is still `...`: put your answer there."
    assert says(work.value, "record", (dict, str)) == (
        "`record` should be a dict or text (str), but it is bytes."
    )
    assert says(work.value, "flag", int) == "`flag` should be an int, but it is True."


def test_function() -> None:
    work = Work({"twice": lambda x: 2 * x, "nothing": lambda: None, "number": 1, "length": len})
    assert work.function("twice")(4) == 8
    assert work.function("twice", returns=int)(4) == 8
    assert work.function("length")("abc") == 3
    assert work.call(work.function("twice"), 4) == work.call(len, "abcdefgh") == 8
    assert says(work.function("twice", returns=bytes), 4) == (
        "`twice` should give back bytes, but it gives an int."
    )
    assert says(work.function("nothing", returns=bytes)) == (
        "`nothing` should give back bytes. Your function returned nothing. "
        "`print` shows a value; `return` hands it back."
    )
    assert "ZeroDivisionError" in says(work.call, lambda: 1 / 0)


def denied(code: str = "AccessDeniedException") -> None:
    raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Decrypt")


def test_a_call_that_cannot_fit_names_the_parameters_of_the_task() -> None:
    names = {"encrypt": lambda key_id, text: b""}
    said = says(Work(names).function("encrypt"), object(), "id", text="x")
    assert "called with (an object, text (str), text=...), but yours takes (key_id, text)" in said
    work = Work(names, asked={"encrypt": "kms, key_id, text"})
    assert says(work.function("encrypt"), object(), "id", "x") == (
        "`encrypt` is called as `encrypt(kms, key_id, text)`, but yours takes (key_id, text)."
    )


def returned(work: Work, value: Any) -> str:
    work = Work({"it": lambda: value}, silent=work._silent)
    work.function("it")()
    with pytest.raises(NotThereYet) as caught:
        work.fail("That is not bytes.")
    with pytest.raises(NotThereYet) as other, work.or_say("It does not open."):
        _ = {}["nonce"]
    assert other.value.returned
    return caught.value.returned


def test_what_was_returned_is_shown_beside_what_was_expected() -> None:
    work = Work({})
    assert returned(work, "b'Gr'") == """`it` returned text (str): `"b'Gr'"`"""
    assert returned(work, {"key": b"x"}) == "`it` returned a dict: `{'key': b'x'}`"
    assert returned(work, b"a`b") == r"`it` returned bytes: `b'a\x60b'`"
    assert returned(work, Plain(1)) == "`it` returned a Plain."
    assert returned(work, True) == "`it` returned True."
    assert len(returned(work, "x" * 10**6)) < 130
    assert returned(work, None) == (
        "Your function returned nothing. `print` shows a value; `return` hands it back."
    )


def prints(size: int) -> None:
    print(size)


def falls_through(size: int) -> str | None:
    if size > 100:
        return "large"
    for one in range(size):
        if one > 50:
            return str(one)
    return None


def test_who_wrote_return_and_gave_nothing_is_not_told_to_write_return() -> None:
    work = Work({"prints": prints, "falls": falls_through})
    assert says(work.function("prints", returns=str), 3).endswith("`return` hands it back.")
    said = says(work.function("falls", returns=str), 3)
    assert said.endswith("none of its `return` lines was reached, or one returned None.")
    work.function("falls")(3)
    with pytest.raises(NotThereYet) as caught:
        work.fail("That is no size.")
    assert caught.value.returned.startswith("Your function returned nothing: none of its")


def test_what_was_returned_is_not_said_twice_nor_of_another_call() -> None:
    work = Work(
        {"it": lambda: 5, "nothing": lambda: None, "bad": lambda: 1 / 0}, silent={"nothing"}
    )

    def said(ask: Any, *args: Any, **kwargs: Any) -> str:
        with pytest.raises(NotThereYet) as caught:
            ask(*args, **kwargs)
        return caught.value.returned

    assert said(work.fail, "Before any call.") == ""
    work.function("it")()
    assert said(work.fail, "It gives 5, not 6.") == ""
    assert said(work.expect, False, "Wrong.") == "`it` returned an int: `5`"
    assert said(work.function("bad")) == ""
    assert said(work.fail, "Wrong.") == ""
    work.function("it")()
    assert said(work.refuses, work.function("it"), says="It must refuse.") == ""
    work.function("nothing")()  # the task's own solution returns nothing either
    assert said(work.fail, "Nothing has changed.") == ""


def stopped(error: BaseException) -> str:
    def it() -> None:
        raise error

    return says(Work({}).call, it)


def test_errors_without_words_get_some() -> None:
    def from_kms(code: str, message: str) -> ClientError:
        return ClientError({"Error": {"Code": code, "Message": message}}, "Decrypt")

    wordless = stopped(from_kms("InvalidCiphertextException", ""))
    assert "calling the Decrypt operation. KMS gives no reason." in wordless
    assert "another encryption context" in wordless
    refused = {"Error": {"Code": "InvalidCiphertextException", "Message": ""}}
    badly_wrapped = stopped(ClientError(refused, "ImportKeyMaterial"))
    assert "wrapped by another algorithm" in badly_wrapped
    assert "another encryption context" not in badly_wrapped
    assert stopped(InvalidTag()).startswith("`it` stopped with InvalidTag. AES-GCM gives no reason")
    assert "other associated data" in stopped(InvalidTag())
    unknown = stopped(NameError("name 'seal' is not defined"))
    assert unknown.endswith(
        "'seal' is not defined. If another cell makes it, run that cell first; "
        "else look how it is spelt."
    )
    old = ClientError({"Error": {"Code": "UnrecognizedClientException"}}, "GetKeyPolicy")
    assert "was made before a new simulated AWS began" in stopped(old)
    without_entry = stopped(KeyError("SSEKMSKeyId"))
    assert "see whether it lies deeper" in without_entry
    assert "`.get(...)`, which then gives None" in without_entry
    no_name = stopped(TypeError("list indices must be integers or slices, not str"))
    assert no_name.endswith("not str. This is a list: `[0]` gives its first entry.")
    unread = stopped(TypeError("string indices must be integers, not 'str'"))
    assert unread.endswith("This is text: if it is JSON, `json.loads(...)` makes entries of it.")
    with pytest.raises(TypeError) as whole_answer:
        AESGCM({"Plaintext": bytes(32)})  # type: ignore[arg-type]
    assert stopped(whole_answer.value).endswith("take the entry that holds them.")
    long = stopped(ValueError(f"value: {'x' * 500}, valid types: list"))
    assert "value: xxx" in long
    assert long.endswith("xxx, valid types: list.")
    disabled = stopped(from_kms("DisabledException", "arn:aws:kms:x is disabled."))
    assert disabled.endswith("arn:aws:kms:x is disabled.")
    assert not disabled.endswith("..")
    assert stopped(ValueError("What is this?")).endswith("ValueError: What is this?")

    denial = GenerateKeyError("Master Key x unable to generate data key")
    denial.__cause__ = from_kms("AccessDeniedException", "User is not authorized.")
    said = stopped(denial)
    assert "unable to generate data key. AWS said: ClientError: An error occurred" in said
    assert "is not authorized. Without `botocore_session`" in said


def test_refuses() -> None:
    work = Work({"denied": denied, "fine": lambda: 1, "stuck": lambda: sys.exit()})
    assert isinstance(work.refuses(denied, says="!"), ClientError)
    assert work.refuses(denied, says="!", error="AccessDeniedException")
    assert work.refuses(work.function("denied"), "KMSInvalid", says="!", error=ClientError)
    assert work.refuses(denied)
    assert work.refuses(work.function("fine")) is None
    assert says(work.refuses, work.function("fine"), says="It must not.") == "It must not."
    assert says(work.refuses, denied, "X", says="!", error="Y") == (
        "`denied` should refuse with Y, but it stopped with ClientError: An error occurred (X) "
        "when calling the Decrypt operation: no."
    )
    assert "should refuse with" in says(work.refuses, work.function("stuck"), says="!")
    assert "yours takes (code)" in says(work.refuses, denied, 1, 2, says="!")


def test_expect_and_or_say() -> None:
    work = Work({})
    work.expect(1, "no")
    assert says(work.expect, [], "Empty.") == "Empty."
    assert says(work.fail, "Bad.") == "Bad."
    with work.or_say("It does not open."):
        pass
    with (
        pytest.raises(NotThereYet, match=r"It does not open. \(KeyError: 'nonce'\)"),
        work.or_say("It does not open."),
    ):
        _ = {}["nonce"]
    with pytest.raises(NotThereYet, match="Mine"), work.or_say("It does not open."):
        work.fail("Mine")


@dataclass
class Envelope:
    key: bytes
    body: object


class Slotted:
    __slots__ = ("body",)


class Plain:
    def __init__(self, body: object) -> None:
        self.body = body


HIDING = [
    lambda s: s,
    lambda s: bytearray(s),
    lambda s: memoryview(s),
    lambda s: s.decode(),
    lambda s: s.hex(),
    lambda s: s.hex().upper(),
    lambda s: base64.b64encode(s),
    lambda s: base64.urlsafe_b64encode(s).decode().rstrip("="),
    lambda s: {"a": [1, (s,)]},
    lambda s: {s: 1},
    lambda s: json.dumps({"a": base64.b64encode(b"salt" + s).decode()}),
    lambda s: Envelope(b"", [s]),
    lambda s: Plain(Plain(s)),
    lambda s: {s},
    lambda s: b"before" + s + b"after",
]


@pytest.mark.parametrize("hide", HIDING)
def test_a_secret_is_found_wherever_it_hides(hide: Any) -> None:
    assert Work({}).holds(hide(SECRET), SECRET)
    assert Work({}).holds(hide(SECRET), SECRET.decode())
    assert not Work({}).holds(hide(SECRET), b"patient 4712")


def test_holds_ends_for_what_contains_itself() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert not Work({}).holds(loop, SECRET)
    assert not Work({}).holds(list(range(10**5)), SECRET)
    assert not Work({}).holds(Slotted(), SECRET)


@given(st.binary(min_size=9, max_size=40), st.integers(0, len(HIDING) - 1))
def test_any_secret_is_found(secret: bytes, number: int) -> None:
    try:
        hidden = HIDING[number](secret)
    except UnicodeDecodeError:
        return
    assert Work({}).holds(hidden, secret)


@given(st.binary(min_size=1), st.data())
def test_flipped(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    changed = flipped(data, at)
    assert len(changed) == len(data)
    assert [n for n in range(len(data)) if changed[n] != data[n]] == [at]
    assert flipped(changed, at) == data


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text(max_size=5), inner)
            | st.tuples(inner)
            | st.frozensets(st.integers())
        ),
        max_leaves=30,
    )
)
def test_any_value_is_shown_in_few_words(value: object) -> None:
    assert 0 < len(shown(value)) < 3000
    assert kind_of(value)


def test_small_values_are_shown_whole() -> None:
    for value in (
        1,
        -5,
        1.5,
        "text",
        b"bytes",
        [1, "a"],
        (1,),
        (1, 2),
        {"a": [1]},
        None,
        ...,
        True,
    ):
        assert shown(value) == repr(value)
    for empty in ([], {}, (), set(), frozenset(), "", b""):
        assert shown(empty) == repr(empty)


def test_huge_values_are_cut() -> None:
    assert shown("x" * 10**6) == f"'{'x' * 60}'… (1,000,000 characters)"
    assert shown(10**5000) == "<an int of 16,610 bits>"
    assert shown(set(range(10**5))).endswith("… (100,000 items)}")
    assert shown([[[[1]]]]) == "[[[…]]]"
    assert shown(Plain(1)) == "<a Plain>"


def test_kinds_in_words() -> None:
    assert name_of(Envelope) == "an Envelope"
    assert names_of((bytes, dict)) == "bytes or a dict"
    assert kind_of(n for n in ()) == "a generator (there is a `yield` in it)"
    assert kind_of(None) == "None"

    class Meta(type):
        __name__ = property(lambda cls: 1 / 0)  # type: ignore[assignment]

    class Odd(metaclass=Meta):
        pass

    assert kind_of(Odd()) == "an Odd"
