"""The matrix in Python: filled by attempts alone, a stable still form, colours that can be read."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest
import traitlets

from kmscourse import attempts
from kmscourse.attempts import AT_REST, IN_FLIGHT, ON_THE_CLIENT, Attempt, Measure
from kmscourse.views import WhoCanRead
from kmscourse.views._base import read_asset
from tests.views.test_envelope import colours, contrast

RECORD = b'{"patient": "4711", "diagnosis": "type 2 diabetes"}'
LOCK = Measure("Lock", "a lock on the door")


def tried(seen: bytes, *measures: Measure, who: str = "A thief", error: str = "") -> Attempt:
    return Attempt(who, "in the cellar", measures, "Looked around", b"4711", seen, error)


@pytest.fixture(scope="module")
def made() -> list[Attempt]:
    return attempts.by_everyone(RECORD)


def test_cells_say_what_the_attempts_say(made: list[Attempt]) -> None:
    view = WhoCanRead(made)
    shown = view._shown
    assert shown["columns"] == [[], ["In flight"], ["At rest"], ["On the client"]]
    assert len(shown["attempts"]) == len(made)
    for each, drawn in zip(made, shown["attempts"], strict=True):
        assert drawn["reads"] == (RECORD in each.seen)
        assert (drawn["error"], drawn["trail"]) == (each.error, list(each.trail))
        assert drawn["seen"].get("found", "") == (RECORD.decode() if drawn["reads"] else "")
        names = [measure.name for measure in each.measures]
        assert view.attempt(each.who, *names) is each
    json.dumps(shown)  # all of it can be sent


def test_no_answer_is_known_beforehand() -> None:
    """The same person and measure, with another outcome: the cell follows the attempt."""
    for seen, word in ((b"patient 4711", "reads"), (b"nothing of the kind", "cannot")):
        view = WhoCanRead([tried(seen), tried(b"", LOCK)])
        assert view._word("A thief", ()) == word
        assert f">{word}<" in view.picture()
    view = WhoCanRead([tried(b"4711"), tried(b"", LOCK), tried(b"4711", who="A nurse")])
    assert view._word("A nurse", (LOCK,)) == "not tried"
    assert view.attempt("A nurse", "Lock") is None
    assert view.sentence().endswith("Nothing: 2 of 2; Lock: 0 of 1.")


def test_a_measure_is_switched_by_its_name(made: list[Attempt]) -> None:
    view = WhoCanRead(made)
    assert view.switched_on == []
    view.switched_on = ["On the client", "In flight"]
    assert view.switched_on == [IN_FLIGHT.name, ON_THE_CLIENT.name]
    with pytest.raises(traitlets.TraitError, match="no measure 'Fire wall' here; there is In"):
        view.switched_on = ["Fire wall"]


@pytest.mark.parametrize(
    ("seen", "shown"),
    [
        (b"", {"bytes": 0, "before": "", "found": "", "after": "", "cut": False}),
        (b"a 4711\xff", {"bytes": 7, "before": "a ", "found": "4711", "after": "·", "cut": False}),
        (
            b"\x00\x01A" * 6,
            {
                "bytes": 18,
                "dump": [
                    ["00 01 41 00 01 41 00 01 41 00 01 41 00 01 41 00", "··A··A··A··A··A·"],
                    ["01 41", "·A"],
                ],
                "cut": False,
            },
        ),
    ],
)
def test_what_was_seen_is_shown_as_it_was(seen: bytes, shown: dict[str, object]) -> None:
    assert WhoCanRead([tried(seen)])._shown["attempts"][0]["seen"] == shown


@pytest.mark.parametrize("fill", [b"x", b"\x00"])
def test_no_more_than_helps_is_sent(fill: bytes) -> None:
    for seen in (fill * 5000, fill * 5000 + b"4711" + fill * 5000):
        drawn = WhoCanRead([tried(seen)])._shown["attempts"][0]["seen"]
        assert drawn["cut"]
        assert len(json.dumps(drawn)) < 1500


def test_what_makes_no_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to show"):
        WhoCanRead([])
    with pytest.raises(ValueError, match="A thief is there twice with Lock"):
        WhoCanRead([tried(b"", LOCK), tried(b"4711", LOCK)])


# The still form


def test_the_still_form_is_the_same_each_time(made: list[Attempt]) -> None:
    """nbval compares it, and each run has other keys and other ciphertexts."""
    first, second = WhoCanRead(made), WhoCanRead(attempts.by_everyone(RECORD))
    assert repr(first) == repr(second)
    assert first.picture() == second.picture()
    assert repr(first) == (
        "WhoCanRead: Who reads the record, as it was tried. Nothing: 8 of 8; In flight: 7 of 8; "
        "At rest: 5 of 8; On the client: 1 of 8; All together: 1 of 8."
    )


def test_the_picture_has_a_word_in_every_cell(made: list[Attempt]) -> None:
    view = WhoCanRead(made)
    root = ET.fromstring(view.picture())
    ns = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    assert root.find(f"{ns}desc").text == view.sentence()
    words = [text.text for text in root.iter(f"{ns}text")]
    assert words.count("reads") + words.count("cannot") == 8 * 5
    assert words.count("reads") == 8 + 7 + 5 + 1 + 1
    assert RECORD.decode() not in " ".join(words)


# What every view keeps to


def test_it_fetches_nothing_and_carries_its_script_along() -> None:
    for text in (str(WhoCanRead._esm), str(WhoCanRead._css)):
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"\bimport\b|@import|\bfetch\(|url\(|innerHTML", text)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_meets_wcag_aa(theme: str) -> None:
    c = colours(theme)
    pairs = [
        ("seal", "seal-tint"),
        ("ok", "letter"),
        ("seal", "letter"),
        ("muted", "paper"),
        ("ink", "paper"),
        ("ink", "accent-tint"),
        ("ink", "tint"),
        ("muted", "letter"),
        ("on-strong", "seal"),
    ]
    for text, ground in pairs:
        assert contrast(c[text], c[ground]) >= 4.5, (theme, text, ground)
    for edge, ground in [
        ("edge", "letter"),
        ("accent", "paper"),
        ("ok", "paper"),
        ("on-strong", "ok"),
    ]:
        assert contrast(c[edge], c[ground]) >= 3, (theme, edge, ground)
    # Only colours of the shared theme, so that both themes hold.
    assert not re.search(r"#[0-9a-f]{3,6}\b", read_asset("who_can_read.css"))


def test_at_rest_is_known_by_its_name() -> None:
    assert WhoCanRead([tried(b"", AT_REST)])._shown["measures"] == [
        {"name": AT_REST.name, "how": AT_REST.how}
    ]
