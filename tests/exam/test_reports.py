"""How far a learner is, in words, tables and a picture; and proofs played for them."""

from __future__ import annotations

import datetime
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from kmscourse import cloud, exam
from kmscourse.exam import proving
from kmscourse.exam.answers import Answers
from kmscourse.exam.desk import Desk
from kmscourse.exam.proofs import ProofError
from kmscourse.exam.questions import bank
from kmscourse.exam.reports import NOTHING
from kmscourse.exam.sittings import Sittings

BANK = bank()
DAY = datetime.timedelta(days=1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "lessons").symlink_to(Path(__file__).parents[2] / "lessons")
    monkeypatch.setenv("KMSCOURSE_HOME", str(tmp_path))
    return tmp_path


def desk_at(home: Path, when: datetime.datetime) -> Desk:
    work = home / "my-work"
    return Desk(
        BANK,
        Answers(work / "answers.json", now=lambda: when),
        Sittings(work / "exams", now=lambda: when),
    )


def test_before_anything_is_answered_it_says_so_and_draws_nothing(home: Path) -> None:
    report = exam.report()
    assert repr(report) == NOTHING
    assert report._repr_mimebundle_()["text/html"] == f"<p>{NOTHING}</p>".replace("'", "&#x27;")
    with pytest.raises(ValueError, match="Nothing is answered yet"):
        report.figure()


def test_it_speaks_of_domains_lessons_days_exams_and_what_to_do(home: Path) -> None:
    when = datetime.datetime(2026, 11, 20, 20, 0, tzinfo=datetime.UTC)
    desk = desk_at(home, when)
    envelopes = [q for q in BANK if q.lesson == "05-envelopes" and "SCS-C03" in q.exams][:4]
    for question in envelopes:
        desk.answers.add(question.id, (question.options[1].text,), False)
    later = desk_at(home, when + 2 * DAY)
    later.answers.add(envelopes[0].id, tuple(o.text for o in envelopes[0].right), True)
    seat = later.seat(later.mock_paper("SAA-C03", 4, seed="a"))
    seat.begin()
    for question in seat.questions:
        seat.choose(question.id, [n for n, o in enumerate(question.presented) if o.right])
    seat.finish()
    report = later.report()
    text = report.text()
    assert "2026-11-22, Mock exam SAA-C03: 4 of 4 right, 1000 between 100 and 1,000 (720" in text
    assert "SCS-C03, by domain:" in text
    assert "- 5 Data Protection: " in text
    assert "- 2026-11-20: 0 of 4 right" in text
    assert "- 2026-11-22: 5 of 5 right" in text
    assert "Go back to 05-envelopes." in text
    assert "missed the last time: exam.practice(weakness=True) begins with" in text
    assert [each.name for each in report.go_back] == ["05-envelopes"]
    bundle = report._repr_mimebundle_()
    assert bundle["text/plain"] == text
    html = bundle["text/html"]
    assert html.count("</caption>") == 4
    assert html.count("scope='row'") == html.count("<tr>") - 4
    assert ">05-envelopes</th>" in html
    assert ">SCS-C03: 5 Data Protection</th>" in html
    assert 'alt="The tables above as a picture' in html
    assert report.picture().startswith(b"\x89PNG")
    figure = report.figure()
    assert [axes.get_title() for axes in figure.axes] == ["By lesson", "Over time"]


def test_importing_it_draws_nothing() -> None:
    import subprocess

    code = (
        "import sys; from kmscourse import exam; exam.report; "
        "print([n for n in ('matplotlib', 'genanki', 'fsrs', 'anywidget', 'boto3', 'subprocess',"
        " 'filelock', 'rich') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---- a proof, played for a learner

PROVED = next(question for question in BANK if question.id == "envelope-reader-permission")


def test_a_proof_is_played_beside_the_learners_cloud(home: Path) -> None:
    with cloud.running(seed="mine") as aws:
        kms = boto3.client("kms")
        kms.create_key()
        before = len(aws.trail.events())
        played = list(proving.prove(PROVED))
        assert len(aws.trail.events()) == before
        assert len(kms.list_keys()["Keys"]) == 1
    assert [each.option for each in played] == list(PROVED.presented)
    assert all(each.agrees for each in played)


def test_where_no_process_can_be_started_it_is_played_here(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "emscripten")
    with cloud.running(seed="mine"):
        boto3.client("kms").create_key()
        seen = list(proving.provers({PROVED.id: PROVED})(PROVED.id))
        assert len(boto3.client("kms").list_keys()["Keys"]) == 1
    assert [each.holds for each in seen] == [option.right for option in PROVED.presented]
    assert [each.position for each in seen] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise RuntimeError('the key is gone')", "the key is gone"),
        ("print('not json'); import os; os._exit(3)", "ended early"),
        ("print('[1]'); print('{}'); return None", "gave no Outcome"),
    ],
)
def test_a_proof_that_breaks_off_is_told(tmp_path: Path, body: str, words: str) -> None:
    folder = tmp_path / "lessons" / "05-envelopes"
    folder.mkdir(parents=True)
    (tmp_path / "lessons" / "index.yaml").write_text("[]", "utf-8")
    source = Path(__file__).parents[2] / "lessons" / "05-envelopes" / "questions.yaml"
    (folder / "questions.yaml").write_text(source.read_text("utf-8"), "utf-8")
    (folder / "proofs.py").write_text(
        f"from kmscourse.exam.proofs import proof\n@proof('{PROVED.proof}')\n"
        f"def a(aws, case):\n    'It breaks.'\n    {body}\n",
        "utf-8",
    )
    with pytest.raises(ProofError, match=words):
        list(proving.prove(PROVED, tmp_path))


def test_a_proof_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []

    class Watched(subprocess.Popen[str]):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Watched)
    monkeypatch.setattr(proving, "SECONDS", 0.2)
    with pytest.raises(ProofError, match="ended early"):
        list(proving.prove(PROVED))
    (process,) = started
    assert process.returncode == -signal.SIGKILL  # and waited for: nothing is left of it
