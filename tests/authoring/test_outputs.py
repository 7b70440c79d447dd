"""Outputs are committed without anything of one run or of one machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_output

from kmscourse.authoring.outputs import WIDGET, complaints, digest, normalise

HOME = Path("/somewhere/course")


def _stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def _data(**data):
    return new_output("display_data", data=data)


def test_pieces_of_a_stream_become_one_but_keep_their_place():
    outputs = normalise([_stream("a"), _stream("b\n"), _data(**{"text/plain": "x"}), _stream("c")])
    assert [o.get("text") for o in outputs] == ["ab\n", None, "c"]


def test_a_widget_keeps_its_static_form_only():
    data = {WIDGET: {"model_id": "random"}, "text/plain": "Envelope()", "image/svg+xml": "<svg/>"}
    (output,) = normalise([_data(**data)])
    assert set(output.data) == {"text/plain", "image/svg+xml"}
    assert normalise([_data(**{WIDGET: {"model_id": "random"}})]) == []


def test_a_traceback_keeps_the_frames_of_the_notebook():
    traceback = [
        "\x1b[31m-----\x1b[39m",
        "\x1b[36mCell\x1b[39m In[3], line 1\n----> 1 kms.decrypt()",
        "\x1b[36mFile \x1b[39m~/lib/python3.11/site-packages/botocore/client.py:602, in _api_call",
        "AccessDeniedException: no",
    ]
    (output,) = normalise([new_output("error", ename="E", evalue="no", traceback=traceback)])
    assert output.traceback == [
        "-----",
        "Cell In[3], line 1\n----> 1 kms.decrypt()",
        "AccessDeniedException: no",
    ]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (_stream("careful\n", "stderr"), "stderr: 'careful'"),
        (_data(**{"text/plain": "<object at 0x7f1234567890>"}), "memory address"),
        (_data(**{"text/html": "<b>0x7f1234567890</b>"}), "memory address"),
        (_stream(f"{HOME}/notebooks"), "path of this machine"),
        (_stream("/x/site-packages/moto"), "path of this machine"),
        (_data(**{"application/json": {"path": str(Path.home())}}), "path of this machine"),
    ],
)
def test_what_must_not_be_committed_is_said(output, said):
    if str(Path.home()) == "/":
        pytest.skip("a home folder of / cannot be told from any other path")
    assert said in " ".join(complaints([output], HOME))


@pytest.mark.parametrize("text", ["0x0578", "algorithm 0x0478 at 0x05", hex(2**256 - 1)])
def test_numbers_of_the_field_are_not_addresses(text):
    assert complaints([_stream(text)], HOME) == []


def test_the_default_repr_of_this_python_is_recognised():
    assert complaints([_stream(repr(object()))], HOME), sys.version


@given(st.lists(st.text(max_size=8), min_size=1, max_size=5), st.data())
def test_the_digest_sees_every_changed_character(texts, data):
    def cells(said):
        return [new_code_cell(execution_count=1, outputs=[_stream(text) for text in said])]

    place = data.draw(st.integers(0, len(texts) - 1))
    other = data.draw(st.text(max_size=8).filter(lambda text: text != texts[place]))
    changed = [*texts[:place], other, *texts[place + 1 :]]
    assert digest(cells(texts)) == digest(cells(texts))
    assert digest(cells(texts)) != digest(cells(changed))
    assert digest(cells(texts)) != digest(cells(texts[:place] + texts[place + 1 :]))
