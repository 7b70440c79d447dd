"""Exams that were begun: kept over a reload, a crash and two tabs, timed, handed in and scored."""

from __future__ import annotations

import datetime
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kmscourse.exam.answers import Answers
from kmscourse.exam.desk import Desk, Drill
from kmscourse.exam.papers import Paper
from kmscourse.exam.questions import Question, bank
from kmscourse.exam.scores import score
from kmscourse.exam.seat import Seat
from kmscourse.exam.sittings import ClosedError, Sittings

BANK = bank()
NOW = datetime.datetime(2026, 11, 25, 20, 0, tzinfo=datetime.UTC)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(
        BANK,
        Answers(tmp_path / "answers.json", now=lambda: NOW),
        Sittings(tmp_path / "exams", now=lambda: NOW),
    )


class Watch:
    """A clock that is moved by hand, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def right(question: Question) -> tuple[int, ...]:
    return tuple(n for n, option in enumerate(question.presented) if option.right)


def test_nothing_is_written_before_it_is_begun_and_everything_after(desk: Desk) -> None:
    seat = desk.seat(desk.mock_paper("SCS-C03", 5, seed="a"))
    assert not seat.standing().begun
    assert not desk.sittings.folder.exists()
    with pytest.raises(ValueError, match="has not begun"):
        seat.choose(seat.questions[0].id, [0])
    seat.begin()
    first, second = seat.questions[:2]
    seat.choose(first.id, right(first))
    seat.flag(second.id, True)
    (again,) = Sittings(desk.sittings.folder).all()
    assert again.chosen == {first.id: tuple(first.presented[n].text for n in right(first))}
    assert again.flags == {second.id}
    assert again.paper == seat.paper
    later = desk.seat(again).standing()
    assert later.chosen == {first.id: right(first)}
    seat.choose(first.id, ())
    seat.flag(second.id, False)
    assert desk.seat(again).standing().chosen == {}
    assert desk.seat(again).standing().flags == frozenset()


def test_two_tabs_change_only_what_they_mean_to(desk: Desk) -> None:
    paper = desk.mock_paper("SCS-C03", 5, seed="a")
    one = desk.seat(paper)
    one.begin()
    going = desk.going(paper, seeded=True)
    assert going is not None
    other = desk.seat(going)
    other.begin()
    a, b, c = one.questions[:3]
    one.choose(a.id, [0])
    other.choose(b.id, [1])
    one.flag(c.id, True)
    standing = other.choose(a.id, [2])
    assert standing.chosen == {a.id: (2,), b.id: (1,)}
    assert standing.flags == {c.id}
    other.finish()
    over = one.choose(c.id, [0])
    assert over.over
    assert c.id not in over.chosen


def test_the_same_wish_goes_on_and_another_begins_anew(desk: Desk) -> None:
    paper = desk.mock_paper("SCS-C03", 5, seed="a")
    assert desk.going(paper, seeded=True) is None
    sitting = desk.sittings.begin(paper)
    assert desk.going(desk.mock_paper("SCS-C03", 5), seeded=False) == sitting
    assert desk.going(desk.mock_paper("SCS-C03", 5, seed="b"), seeded=True) is None
    assert desk.going(desk.mock_paper("SCS-C03", 6), seeded=False) is None
    assert desk.going(desk.mock_paper("SAA-C03", 5), seeded=False) is None
    assert desk.going(desk.mock_paper("SCS-C03", 5, timed=False), seeded=False) is None
    assert desk.sittings.open() == sitting
    desk.sittings.finish(sitting.id)
    assert desk.going(paper, seeded=True) is None
    assert desk.sittings.open() is None
    assert desk.last_mock() == desk.sittings.get(sitting.id)


def test_the_clock_runs_while_it_is_open_and_hands_it_in(desk: Desk) -> None:
    watch = Watch()
    paper = desk.mock_paper("SCS-C03", 5, seed="a")
    assert paper.minutes == 14
    seat = desk.seat(paper, monotonic=watch)
    seat.begin()
    for _ in range(10):
        watch.seconds += 30
        seat.tick()
    assert seat.standing().left == 14 * 60 - 300
    watch.seconds += 8 * 3600  # the lid was closed: silence does not count beyond its patience
    assert seat.tick().left == 14 * 60 - 390

    watch.seconds += 5000
    (kept,) = desk.sittings.all()
    again = desk.seat(kept, monotonic=watch)  # after a crash it goes on from what is known
    assert again.begin().left == 14 * 60 - 390
    first = again.questions[0]
    assert not again.choose(first.id, [0]).over
    for _ in range(6):
        watch.seconds += 80
        standing = again.tick()
    assert standing.over
    assert standing.left == 0
    assert again.choose(first.id, [1]).chosen == {first.id: (0,)}
    assert again.score().total.asked == 5


def test_without_minutes_there_is_no_clock(desk: Desk) -> None:
    watch = Watch()
    seat = desk.seat(desk.mock_paper("SCS-C03", 5, seed="a", timed=False), monotonic=watch)
    seat.begin()
    watch.seconds = 10**6
    assert seat.tick().left is None
    assert not seat.standing().over


def test_unanswered_counts_as_wrong_and_the_score_is_a_line(desk: Desk) -> None:
    seat = desk.seat(desk.mock_paper("SCS-C03", 8, seed="a"))
    seat.begin()
    with pytest.raises(ClosedError, match="not handed in"):
        seat.score()
    for question in seat.questions[:5]:
        seat.choose(question.id, right(question))
    wrong = seat.questions[5]
    seat.choose(wrong.id, [n for n in range(4) if n not in right(wrong)][:1])
    seat.finish()
    came = seat.score()
    assert (came.total.right, came.total.asked, came.unanswered) == (5, 8, 2)
    assert came.estimate == 662  # 100 + 900 * 5 / 8
    assert came.needed == 750
    assert sum(each.asked for each in came.lessons) == 8
    text = came.text()
    assert "5 of 8 right." in text
    assert "2 were not answered, which counts as wrong." in text
    assert "our estimate: 662" in text
    assert "does not reach the 750" in text
    history = desk.history()
    assert [history[q.id][-1].right for q in seat.questions] == [True] * 5 + [False] * 3
    assert seat.finish() == seat.standing()  # twice changes nothing


def test_a_question_that_left_the_bank_or_was_reworded_does_no_harm(desk: Desk) -> None:
    paper = desk.mock_paper("SCS-C03", 5, seed="a")
    gone = Paper(**{**vars(paper), "questions": (*paper.questions, "gone")})
    seat = desk.seat(gone)
    seat.begin()
    first = seat.questions[0]
    desk.sittings.choose(desk.sittings.all()[0].id, first.id, ["An option that was reworded."])
    assert seat.standing().chosen == {}
    seat.finish()
    assert seat.score().gone == 1
    assert "1 of its questions are no longer asked" in seat.score().text()
    with pytest.raises(ValueError, match="None of this exam's questions"):
        Seat(Paper("x", "mock", ("gone",)), desk.sittings, BANK)
    assert score(desk.sittings.all()[0], {}).total.asked == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1, "paper": {}}'])
def test_a_file_that_cannot_be_read_is_left_alone(desk: Desk, text: str) -> None:
    good = desk.sittings.begin(desk.mock_paper("SCS-C03", 5, seed="a"))
    bad = desk.sittings.folder / "2026-01-01-000000-mock.json"
    bad.write_text(text, "utf-8")
    assert desk.sittings.all() == (good,)
    assert bad.read_text("utf-8") == text
    with pytest.raises(ValueError, match="not the name"):
        desk.sittings.get("../answers")


def test_practice_is_kept_answer_by_answer_and_ends_with_the_last(desk: Desk) -> None:
    paper = desk.practice_paper(lesson="05", count=3, seed="a")
    drill = Drill(desk, paper)
    one, two, three = drill.questions
    assert not desk.sittings.folder.exists()
    assert drill.keep(one.id, right(one))
    assert drill.keep(two.id, right(two)[:1]) is (len(two.right) == 1)
    going = desk.going(paper, seeded=True)
    assert going is not None
    again = Drill(desk, going)
    assert again.answered() == {one.id, two.id}
    again.keep(three.id, right(three))
    assert desk.going(paper, seeded=True) is None


# ---- killed at random moments

TAKER = """
import os, random, sys
from pathlib import Path

import filelock  # loaded once, not by each copy

from kmscourse.exam.answers import Answers
from kmscourse.exam.desk import Desk
from kmscourse.exam.sittings import Sittings

folder = Path(sys.argv[1])
desk = Desk(answers=Answers(folder / "answers.json"), sittings=Sittings(folder / "exams"))

def say(*words):
    os.write(1, (" ".join(words) + "\\n").encode())

def take(seed):
    chance = random.Random(seed)
    seat = desk.seat(desk.sittings.open())
    seat.begin()
    for number in range(10**6):
        question = chance.choice(seat.questions)
        choice = chance.randrange(4)
        say("choosing", question.id, str(choice))
        seat.choose(question.id, [choice])
        say("chosen", question.id, str(choice))
        say("answering", question.id, f"{seed}-{number}")
        desk.answers.add(question.id, (f"{seed}-{number}",), False)
        say("answered", question.id, f"{seed}-{number}")

for line in sys.stdin:  # one process is started, and then copied for each attempt: that is quick
    child = os.fork()
    if child == 0:
        take(line.strip())
    say("began", str(child))
    os.waitpid(child, 0)
    say("ended")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot copy a process")
def test_killed_a_hundred_times_no_answer_that_was_shown_as_saved_is_lost(
    tmp_path: Path,
) -> None:
    sittings = Sittings(tmp_path / "exams")
    desk = Desk(BANK, Answers(tmp_path / "answers.json"), sittings)
    sitting = sittings.begin(desk.mock_paper("SCS-C03", 10, seed="a", timed=False))
    by_id = {question.id: question for question in BANK}
    chance = random.Random(4711)
    saved: dict[str, str] = {}
    answered: dict[str, set[str]] = {}
    kinds: set[str] = set()
    taker = subprocess.Popen(
        [sys.executable, "-c", TAKER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert taker.stdin is not None
    assert taker.stdout is not None
    for attempt in range(100):
        taker.stdin.write(f"{attempt}\n")
        taker.stdin.flush()
        lines: list[list[str]] = []
        victim, killed, enough = 0, False, chance.randrange(1, 14)
        for line in taker.stdout:
            words = line.split()
            if words[0] == "ended":
                break
            if words[0] == "began":
                victim = int(words[1])
            else:
                lines.append(words)
            if victim and len(lines) >= enough and not killed:
                time.sleep(chance.uniform(0, 0.006))  # somewhere in the next write or two
                os.kill(victim, signal.SIGKILL)
                killed = True
        assert killed
        under_way: tuple[str, str] | None = None
        for kind, question, what in lines:
            if kind == "choosing":
                under_way = (question, what)
            elif kind == "chosen":
                saved[question], under_way = what, None
            elif kind == "answered":
                answered.setdefault(question, set()).add(what)
        if lines:
            kinds.add(lines[-1][0])
        now = sittings.get(sitting.id)
        assert now is not None, "the file is whole at every moment"
        for question, position in saved.items():
            kept = by_id[question].presented
            allowed = {kept[int(position)].text}
            if under_way is not None and under_way[0] == question:
                allowed.add(kept[int(under_way[1])].text)  # may have been kept, unsaid
            assert set(now.chosen[question]) <= allowed
        if under_way is not None:
            question, position = under_way
            if now.chosen.get(question) == (by_id[question].presented[int(position)].text,):
                saved[question] = position
        history = desk.answers.everything()
        for question, texts in answered.items():
            assert texts <= {each.chosen[0] for each in history[question]}
    taker.stdin.close()
    assert taker.wait(10) == 0
    taker.stdout.close()
    assert len(saved) == 10
    assert {"choosing", "answering"} <= kinds, "it was killed in the middle of both kinds of write"
    assert not list(tmp_path.rglob("*unreadable*"))
