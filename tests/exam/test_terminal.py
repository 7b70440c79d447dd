"""`course exam`, as it is typed: practice, a mock exam over a break, the report, progress."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from kmscourse.exam.answers import Answers
from kmscourse.exam.desk import Desk
from kmscourse.exam.papers import Paper
from kmscourse.exam.questions import Question, bank
from kmscourse.exam.sittings import Sittings
from kmscourse.exam.terminal import Terminal

ROOT = Path(__file__).parents[2]
BANK = bank()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "lessons").symlink_to(ROOT / "lessons")
    return tmp_path


@pytest.fixture
def desk(home: Path) -> Desk:
    return Desk(
        BANK, Answers(home / "my-work" / "answers.json"), Sittings(home / "my-work" / "exams")
    )


def typed(desk: Desk, *lines: str) -> tuple[Terminal, io.StringIO]:
    """A terminal at which these lines are typed, and then the input ends."""
    shown = io.StringIO()
    left: Iterator[str] = iter(lines)

    def ask(prompt: str) -> str:
        shown.write(prompt)
        line = next(left, None)
        if line is None:
            raise EOFError
        shown.write(line + "\n")
        return line

    return Terminal(desk, Console(file=shown, width=100, highlight=False), ask), shown


def keys(question: Question, *, right: bool = True) -> str:
    """What to type to answer it."""
    count = len(question.right)
    fitting = [n for n, o in enumerate(question.presented, start=1) if o.right == right]
    return " ".join(str(number) for number in fitting[:count])


def course(home: Path, *arguments: str, lines: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kmscourse.cli", "exam", *arguments],
        input=lines,
        capture_output=True,
        text=True,
        env={**os.environ, "KMSCOURSE_HOME": str(home), "COLUMNS": "100"},
        timeout=60,
    )


def test_a_mock_exam_begun_left_gone_on_with_and_handed_in(home: Path, desk: Desk) -> None:
    paper = desk.mock_paper("SCS-C03", 12, seed="room-7")
    asked = [desk.by_id[name] for name in paper.questions]
    ten = "".join(f"{keys(q)}\n\n" for q in asked[:10])
    begun = ["--mock", "--exam", "scs", "--count", "12", "--seed", "room-7"]
    first = course(home, *begun, lines="\n" + ten + "f\n")
    assert first.returncode == 0, first.stderr
    assert "12 questions in 32 minutes." in first.stdout
    assert f"Seed room-7, paper {paper.mark}." in first.stdout
    assert first.stdout.count("Saved:") == 10
    assert asked[0].options[0].why not in first.stdout
    assert first.stdout.endswith("What you answered is kept. To go on: course exam --resume\n")
    (kept,) = desk.sittings.all()
    assert set(kept.chosen) == {question.id for question in asked[:10]}
    assert kept.flags == {asked[10].id}

    again = course(home, "--resume", lines=f"r\n11\n{keys(asked[10])}\nh\ny\n\n\n")
    assert again.returncode == 0, again.stderr
    assert "Question 11 of 12, 10 answered" in again.stdout
    assert "not answered, flagged" in again.stdout
    assert "1 without a whole answer. What is not answered counts as wrong." in again.stdout
    assert "Mock exam SCS-C03: 11 of 12 right." in again.stdout
    assert "our estimate: 925 of 1,000, which reaches the 750" in again.stdout
    assert "Enter for the reasons of question 12" in again.stdout
    assert asked[11].right[0].why[:40] in again.stdout

    report = course(home, "report", "--picture", str(home / "report.png"))
    assert "Mock exam SCS-C03: 11 of 12 right, 925 between 100 and 1,000" in report.stdout
    assert "course exam --weak" in report.stdout
    assert (home / "report.png").read_bytes().startswith(b"\x89PNG")


def test_practice_gives_reasons_at_once_and_is_gone_on_with(desk: Desk) -> None:
    paper = desk.practice_paper(lesson="05", count=3, seed="a")
    one, two, three = (desk.by_id[name] for name in paper.questions)
    terminal, shown = typed(desk, keys(one), "", "9", "", keys(two, right=False), "q")
    terminal.sit(paper)
    said = shown.getvalue()
    assert "Right." in said
    assert "Not right yet." in said
    assert "Wrong, and your choice." in said
    assert f"numbers 1 to {len(two.options)}" in said
    going = desk.going(paper, seeded=True)
    assert going is not None
    terminal, shown = typed(desk, keys(three), "")
    terminal.sit(going)
    assert "Question 3 of 3" in shown.getvalue()
    assert "Question 1 of 3" not in shown.getvalue()
    assert "Done: 2 of 3 right." in shown.getvalue()
    assert desk.going(paper, seeded=True) is None


def test_every_key_of_a_mock_exam(desk: Desk) -> None:
    paper = desk.mock_paper("SCS-C03", 3, seed="a")
    one = desk.by_id[paper.questions[0]]
    too_many = "1234"[: len(one.right) + 1]
    terminal, shown = typed(
        desk, "", "x", too_many, keys(one), "f", "f", "t", "p", "n", "n", "n", "99", "", "h", "n"
    )
    terminal.sit(paper)
    said = shown.getvalue()
    assert "That is none of the keys" in said
    assert f"These are {len(too_many)}." in said
    assert "Flagged." in said
    assert "Not flagged." in said
    assert "Question 1 of 3, 1 answered\n" in said  # the time is hidden
    assert "Type a number from 1 to 3, Enter or h." in said
    assert "2 without a whole answer." in said
    (kept,) = desk.sittings.all()
    assert kept.finished is None
    assert list(kept.chosen) == [one.id]


def test_what_cannot_be_kept_is_told_and_nothing_is_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper = desk.mock_paper("SCS-C03", 3, seed="a")
    one, two = (desk.by_id[name] for name in paper.questions[:2])
    real = desk.sittings.choose

    def full(sitting_id: str, question: str, *rest: object, **more: object) -> object:
        if question == two.id:
            raise OSError("the disk is full")
        return real(sitting_id, question, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.sittings, "choose", full)
    terminal, shown = typed(desk, "", keys(one), "n", keys(two))
    terminal.sit(paper)
    assert "This could not be kept: the disk is full" in shown.getvalue()
    (kept,) = desk.sittings.all()
    assert list(kept.chosen) == [one.id]
    monkeypatch.undo()
    for file in desk.sittings.folder.glob("[!.]*.json"):
        file.unlink()
    terminal, shown = typed(desk, "n")
    terminal.sit(kept)
    assert "The file of this exam is not there any more." in shown.getvalue()


def test_an_exam_that_was_not_begun_leaves_nothing(desk: Desk) -> None:
    terminal, shown = typed(desk, "q")
    terminal.sit(desk.mock_paper("SCS-C03", 3, seed="a"))
    assert "Nothing was begun." in shown.getvalue()
    assert desk.sittings.all() == ()


def test_a_proof_is_played_where_it_is_asked_for(desk: Desk) -> None:
    proved = next(question for question in BANK if question.id == "envelope-context-case")
    paper = Paper("Practice", "practice", (proved.id,))
    terminal, shown = typed(desk, keys(proved), "v", "")
    terminal.sit(paper)
    said = shown.getvalue()
    assert said.count("holds: AWS KMS refused with InvalidCiphertextException.") == 1
    assert said.count("fails: AWS KMS refused with InvalidCiphertextException.") == 3


def test_the_menu_leads_everywhere(desk: Desk, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("KMSCOURSE_HOME", str(home))
    for choices, title in [
        (("1",), "Practice: weakest first"),
        (("2", "7", "2"), "Practice: SCS-C03"),
        (("3", "1"), "Practice: 00-start-here"),
        (("4", "1"), "Mock exam SAA-C03"),
    ]:
        terminal, shown = typed(desk, *choices)
        terminal.menu()
        assert f"\n{title}\n" in shown.getvalue(), shown.getvalue()
    terminal, shown = typed(desk, "5")
    terminal.menu()
    assert "Nothing is answered yet." in shown.getvalue()
    sitting = desk.sittings.begin(desk.mock_paper("SAA-C03", 3, seed="a"))
    terminal, shown = typed(desk, "1", "h", "y", "q")
    terminal.menu()
    assert "1  Go on: Mock exam SAA-C03" in shown.getvalue()
    assert desk.last_mock() == desk.sittings.get(sitting.id)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--exam", "AWS"], "There is no exam 'AWS'. There is: SAA-C03"),
        (["--lesson", "05-envelope"], "Did you mean '05-envelopes'?"),
        (["--mock"], "A mock exam needs its exam"),
        (["--mock", "--exam", "SAA-C03", "--weak"], "leave the choice out"),
        (["--domain", "5"], "name the exam"),
        (["--resume"], "Nothing is open. To begin: course exam"),
        (["--count", "0", "--lesson", "5"], "at least one"),
        (["export", "paper"], "There is no export 'paper'. There is: anki, html"),
        (["import", "lessons/index.yaml"], "index.yaml is not progress of this course"),
    ],
)
def test_what_cannot_be_done_ends_in_a_sentence(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    from kmscourse import cli

    monkeypatch.setenv("KMSCOURSE_HOME", str(home))
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "argv", ["course", "exam", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert words in capsys.readouterr().err


def test_progress_goes_to_another_machine_and_back(home: Path, desk: Desk, tmp_path: Path) -> None:
    terminal, _ = typed(desk, keys(desk.by_id["envelope-who-can-read"]), "")
    terminal.sit(Paper("Practice", "practice", ("envelope-who-can-read",)))
    done = desk.sittings.begin(desk.mock_paper("SCS-C03", 3, seed="a"))
    desk.sittings.finish(done.id)
    carried = tmp_path / "carried.json"
    assert course(home, "export", "progress", str(carried)).returncode == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "lessons").symlink_to(ROOT / "lessons")
    said = course(other, "import", str(carried))
    assert said.stdout == "1 answers and 2 exams were new, and are kept.\n"
    assert course(other, "import", str(carried)).stdout.startswith("0 answers and 0 exams")
    there = Desk(
        BANK, Answers(other / "my-work" / "answers.json"), Sittings(other / "my-work" / "exams")
    )
    assert there.history() == desk.history()
    assert there.sittings.all() == desk.sittings.all()
    assert json.loads(carried.read_text("utf-8"))["course"] == "aws-encryption"
