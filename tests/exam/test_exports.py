"""What is taken along is complete: decks, pages, tables, and in a form that their readers open."""

from __future__ import annotations

import csv
import json
import sqlite3
import zipfile
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kmscourse.exam.exports import export
from kmscourse.exam.questions import bank

BANK = bank()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "lessons").symlink_to(Path(__file__).parents[2] / "lessons")
    monkeypatch.setenv("KMSCOURSE_HOME", str(tmp_path))
    return tmp_path


def test_the_anki_deck_has_a_complete_card_for_each_question(home: Path) -> None:
    written = export("anki")
    assert repr(written) == "Anki deck: my-work/aws-encryption.apkg"
    with zipfile.ZipFile(written.path) as package:
        package.extract("collection.anki2", home)
    deck = sqlite3.connect(home / "collection.anki2")
    notes = deck.execute("select guid, flds, tags from notes").fetchall()
    cards = deck.execute("select count(*) from cards").fetchone()[0]
    models = json.loads(deck.execute("select models from col").fetchone()[0])
    deck.close()
    assert len(notes) == cards == written.count == len(BANK)
    (model,) = [each for each in models.values() if each["name"] == "AWS Encryption, Hands-on"]
    names = [field["name"] for field in model["flds"]]
    front, back = model["tmpls"][0]["qfmt"], model["tmpls"][0]["afmt"]
    shown = {name for name in names if "{{" + name + "}}" in front + back}
    assert shown == set(names), "each field is on the card"
    assert not any("{{" + name + "}}" in front for name in ("Answer", "Reasons", "Facts"))
    by_id = {fields.split("\x1f")[-1]: fields.split("\x1f") for _, fields, _ in notes}
    tags = {fields.split("\x1f")[-1]: tags.split() for _, fields, tags in notes}
    for question in BANK:
        fields = dict(zip(names, by_id[question.id], strict=True))
        assert all(fields[name] for name in names if name != "Facts" or question.facts)
        text = plain(" ".join(fields.values()))
        for option in question.options:
            assert fields["Options"].count(f"<li>{escape(option.text)}</li>") == 1
            assert option.why in text
        # An option may stand in another one ("0 requests" in "16,000 requests"): the longest first.
        said = plain(fields["Answer"])
        for option in sorted(question.options, key=lambda option: -len(option.text)):
            assert (option.text in said) == option.right
            said = said.replace(option.text, "")
        assert question.stem in text
        assert all(source in text for source in question.sources)
        assert {question.lesson, *question.exams} <= set(tags[question.id])


def test_a_deck_that_is_made_again_updates_the_same_cards(home: Path) -> None:
    found = []
    for name in ("one.apkg", "two.apkg"):
        written = export("anki", home / name, questions=BANK[:3])
        with zipfile.ZipFile(written.path) as package:
            package.extract("collection.anki2", home)
        deck = sqlite3.connect(home / "collection.anki2")
        found.append(deck.execute("select guid, mid from notes").fetchall())
        deck.close()
    assert found[0] == found[1]
    assert len(set(found[0])) == 3


def test_the_page_has_all_questions_first_and_no_answer_among_them() -> None:
    written = export("html")
    page = written.path.read_text("utf-8")
    assert written.path.name == "aws-encryption.html"
    asked, answers = plain(page).split("Answers\n", 1)
    for question in BANK:
        assert question.stem in asked
        for option in question.options:
            assert option.text in asked
            assert option.why not in asked
            assert option.why in answers
    assert "http:" not in page  # nothing is fetched: links only, and these over TLS
    assert "<script" not in page
    assert "<link" not in page


def test_the_table_has_a_row_for_each_question() -> None:
    with export("csv").path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(BANK)
    for row, question in zip(rows, BANK, strict=True):
        assert row["id"] == question.id
        for number, option in enumerate(question.presented, start=1):
            assert row[f"option {number}"] == option.text
            assert row[f"right {number}"] == ("yes" if option.right else "no")
            assert row[f"reason {number}"] == option.why
        assert row["as of"] == question.as_of.isoformat()


def test_the_json_has_everything() -> None:
    data = json.loads(export("json").path.read_text("utf-8"))
    assert [each["id"] for each in data["questions"]] == [question.id for question in BANK]
    for each, question in zip(data["questions"], BANK, strict=True):
        assert each["facts"] == question.facts
        assert each["lesson"] == question.lesson
        assert [option["text"] for option in each["options"]] == [
            option.text for option in question.presented
        ]


def plain(html: str) -> str:
    """What a reader sees of it."""
    texts: list[str] = []

    class Reader(HTMLParser):
        def handle_data(self, data: str) -> None:
            texts.append(data)

    reader = Reader()
    reader.feed(html)
    return "".join(texts)
