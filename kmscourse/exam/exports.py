"""Questions and answers to take along: an Anki deck, a page to print, CSV, JSON; and progress."""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from kmscourse import course, facts
from kmscourse.exam.answers import Answer, Answers
from kmscourse.exam.desk import Desk
from kmscourse.exam.papers import PracticeError
from kmscourse.exam.questions import Question
from kmscourse.exam.sittings import Sittings, dumped, parsed

NAME = "aws-encryption"

# Anki knows decks and kinds of notes by these: a deck imported again updates its cards.
_DECK, _MODEL = 1_764_090_001, 1_764_090_002

_STYLE = """
.card { font-family: system-ui, sans-serif; font-size: 17px; line-height: 1.45;
        max-width: 42em; margin: 0 auto; text-align: left; }
.why { margin-bottom: .6em; }
.small { font-size: 13px; opacity: .8; }
"""

_FIELDS = ("Question", "Options", "Answer", "Reasons", "Facts", "Sources", "As of", "Id")


@dataclass(frozen=True)
class Exported:
    """What was written: where, and how many questions (or answers, of progress)."""

    what: str
    path: Path
    count: int

    def __repr__(self) -> str:
        home = course.root()
        shown = self.path.relative_to(home) if self.path.is_relative_to(home) else self.path
        return f"{self.what}: {shown.as_posix()}"


def export(
    kind: str, path: str | Path | None = None, *, questions: Sequence[Question] | None = None
) -> Exported:
    """Write the bank, or your progress, to a file.

    Args:
        kind: `anki` (a deck), `html` (to print, the answers apart; print it to PDF), `csv`,
            `json`, or `progress` (your answers and exams, for another machine).
        path: where; a file in `my-work/` unless said.
        questions: which; the whole bank unless said.

    Raises:
        PracticeError: for a kind that does not exist. OSError where it cannot be written.
    """
    if kind not in KINDS:
        raise PracticeError(f"There is no export {kind!r}. There is: {', '.join(KINDS)}.")
    what, suffix, write = KINDS[kind]
    place = Path(path) if path is not None else course.work_folder() / f"{NAME}{suffix}"
    place.parent.mkdir(parents=True, exist_ok=True)
    desk = Desk(questions)
    return Exported(what, place, write(desk, place))


def import_progress(path: str | Path) -> str:
    """Take answers and exams from a file that `export("progress")` wrote, and say what was new.

    What is here already stays: importing twice changes nothing.

    Raises:
        PracticeError: for a file that is something else. OSError where it cannot be read.
    """
    place = Path(path)
    try:
        data = json.loads(place.read_text(encoding="utf-8"))
        if data["course"] != NAME or data["version"] != 1:
            raise ValueError("another course")
        answers = [
            Answer(
                str(each["question"]),
                tuple(str(text) for text in each["chosen"]),
                bool(each["right"]),
                _when(each["at"]),
            )
            for each in data["answers"]
        ]
        exams = [parsed(str(name), each) for name, each in data["exams"].items()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PracticeError(
            f"{place.name} is not progress of this course; `course exam export progress` writes it."
        ) from error
    sittings = Sittings()
    new = [each for each in exams if sittings.get(each.id) is None]
    for each in new:
        sittings.keep(each)
    count = Answers().merge(answers) if answers else 0
    return f"{count} answers and {len(new)} exams were new, and are kept."


def anki(desk: Desk, place: Path) -> int:
    """A deck of Anki: the question and its options in front, answer and reasons behind."""
    import genanki

    model = genanki.Model(
        _MODEL,
        "AWS Encryption, Hands-on",
        fields=[{"name": name} for name in _FIELDS],
        templates=[
            {
                "name": "Question",
                "qfmt": "<p>{{Question}}</p>{{Options}}",
                "afmt": "{{FrontSide}}<hr id=answer><p><b>{{Answer}}</b></p>{{Reasons}}"
                "{{#Facts}}<div class=small>{{Facts}}</div>{{/Facts}}"
                "<p class=small>{{Sources}} As of {{As of}}. {{Id}}</p>",
            }
        ],
        css=_STYLE,
    )
    deck = genanki.Deck(_DECK, "AWS Encryption, Hands-on")
    for question in desk.questions:
        options = "".join(f"<li>{escape(option.text)}</li>" for option in question.presented)
        note = genanki.Note(
            model=model,
            fields=[
                f"{escape(question.stem)} <i>{escape(question.asks)}</i>",
                f"<ol>{options}</ol>",
                escape(_answer(question)),
                _reasons(question),
                "<br>".join(escape(line) for line in _facts(question)),
                " ".join(_linked(source) for source in question.sources),
                question.as_of.isoformat(),
                question.id,
            ],
            guid=genanki.guid_for(NAME, question.id),
            tags=[question.lesson, *sorted(question.exams), f"difficulty-{question.difficulty}"],
        )
        deck.add_note(note)
    genanki.Package(deck).write_to_file(str(place))
    return len(desk.questions)


def html(desk: Desk, place: Path) -> int:
    """A page to print: all questions first, all answers after them."""
    asked, answers = [], []
    for number, question in enumerate(desk.questions, start=1):
        options = "".join(f"<li>{escape(option.text)}</li>" for option in question.presented)
        asked.append(
            f"<section><p><b id='q{number}'>{number}.</b> {escape(question.stem)} "
            f"<i>{escape(question.asks)}</i></p><ol>{options}</ol></section>"
        )
        facts_said = "".join(f"<li>{escape(line)}</li>" for line in _facts(question))
        answers.append(
            f"<section><h3><a href='#q{number}'>{number}.</a> {escape(_answer(question))}</h3>"
            f"{_reasons(question)}<ul class='small'>{facts_said}</ul><p class='small'>"
            f"{' '.join(_linked(source) for source in question.sources)} "
            f"As of {question.as_of}. {question.id}</p></section>"
        )
    place.write_text(
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<title>AWS Encryption, Hands-on: questions</title><style>"
        "body { font: 16px/1.5 system-ui, sans-serif; max-width: 46em; margin: 2em auto; "
        "padding: 0 1em; } section { break-inside: avoid; } .small { font-size: 13px; } "
        ".answers { break-before: page; } @media print { body { font-size: 11pt; margin: 0; } }"
        "</style></head><body><h1>AWS Encryption, Hands-on</h1>"
        f"<p>{len(asked)} questions. The <a href='#answers'>answers</a> begin on a page of their "
        f"own.</p>\n{chr(10).join(asked)}\n<div class='answers'><h2 id='answers'>Answers</h2>\n"
        f"{chr(10).join(answers)}\n</div></body></html>\n",
        encoding="utf-8",
    )
    return len(asked)


def as_csv(desk: Desk, place: Path) -> int:
    """A table: a row a question."""
    most = max((len(question.options) for question in desk.questions), default=0)
    heads = ["id", "lesson", "objective", "exams", "difficulty", "stem", "asks"]
    for number in range(1, most + 1):
        heads += [f"option {number}", f"right {number}", f"reason {number}"]
    file = io.StringIO(newline="")
    rows = csv.writer(file)
    rows.writerow([*heads, "facts", "sources", "as of"])
    for question in desk.questions:
        exams = "; ".join(f"{code} {', '.join(t)}" for code, t in sorted(question.exams.items()))
        row = [question.id, question.lesson, question.objective, exams, question.difficulty]
        row += [question.stem, question.asks]
        for option in question.presented:
            row += [option.text, "yes" if option.right else "no", option.why]
        row += [""] * (3 * (most - len(question.options)))
        rows.writerow(
            [*row, " ".join(question.facts), " ".join(question.sources), question.as_of.isoformat()]
        )
    # The mark at the beginning tells spreadsheets that it is UTF-8.
    place.write_text(file.getvalue(), encoding="utf-8-sig", newline="")
    return len(desk.questions)


def as_json(desk: Desk, place: Path) -> int:
    """Everything, for programs."""
    data = [
        {
            "lesson": question.lesson,
            **question.model_dump(mode="json"),
            "asks": question.asks,
            "options": [option.model_dump(mode="json") for option in question.presented],
        }
        for question in desk.questions
    ]
    text = json.dumps({"course": NAME, "questions": data}, indent=1, ensure_ascii=False)
    place.write_text(text + "\n", encoding="utf-8")
    return len(data)


def progress(desk: Desk, place: Path) -> int:
    """Answers and exams, for another machine."""
    answers = [
        {
            "question": each.question,
            "chosen": list(each.chosen),
            "right": each.right,
            "at": each.at.isoformat(),
        }
        for history in desk.answers.everything().values()
        for each in history
    ]
    exams = {each.id: dumped(each) for each in desk.sittings.all()}
    data = {"course": NAME, "version": 1, "answers": answers, "exams": exams}
    place.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(answers)


Writer = Callable[[Desk, Path], int]

KINDS: dict[str, tuple[str, str, Writer]] = {
    "anki": ("Anki deck", ".apkg", anki),
    "html": ("Page to print", ".html", html),
    "csv": ("Table", ".csv", as_csv),
    "json": ("JSON", ".json", as_json),
    "progress": ("Your progress", "-progress.json", progress),
}
"""Kind to what it is called, how its file ends, and what writes it."""


def _answer(question: Question) -> str:
    return "; ".join(option.text for option in question.presented if option.right)


def _reasons(question: Question) -> str:
    lines = "".join(
        f"<li class='why'><b>{'✓ Right' if option.right else '✗ Wrong'}:</b> "
        f"{escape(option.text)}<br>{escape(option.why)}</li>"
        for option in question.presented
    )
    note = f"<p>Older material: {escape(question.as_of_note)}</p>" if question.as_of_note else ""
    return f"<ol>{lines}</ol>{note}"


def _facts(question: Question) -> list[str]:
    known = [facts.get(each) for each in question.facts]
    return [f"{fact.id}: {fact.statement} {fact.doubt}".strip() for fact in known]


def _linked(source: str) -> str:
    if not source.startswith("https://"):
        return escape(source)
    return f"<a href='{escape(source)}'>{escape(source)}</a>"


def _when(text: str) -> datetime.datetime:
    when = datetime.datetime.fromisoformat(text)
    if when.tzinfo is None:
        raise ValueError("a time without its zone")
    return when
