"""A room hands in its progress, and the page says where it is stuck."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscourse import course
from kmscourse.lab import record
from kmscourse.lab.record import Progress, TaskProgress
from kmscourse.workshop.room import gather, page

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DONE = TaskProgress(done=True, attempts=2, hints=1, done_at=NOON)
TRYING = TaskProgress(attempts=4, hints=3)
LESSON = "05-envelopes"


def hand_in(folder: Path, who: str, at: datetime = NOON, **tasks: TaskProgress) -> None:
    name = f"{who}-{at:%H%M}.json"
    text = record.export(Progress({LESSON: tasks}), who, at)
    (folder / name).write_text(text, encoding="utf-8")


def test_the_task_that_holds_most_learners_up_comes_first(tmp_path: Path) -> None:
    for number in range(5):
        hand_in(tmp_path, f"l{number}", policy=DONE, seal=TRYING if number else DONE)
    hand_in(tmp_path, "l5", policy=TRYING)
    hand_in(tmp_path, "l6", policy=TRYING)
    room = gather(tmp_path, course.lessons())
    assert room.learners == 7
    assert [(task.task, task.trying, task.done) for task in room.stuck] == [
        ("seal", 4, 1),
        ("policy", 2, 5),
    ]
    shown = page(room, NOON)
    assert shown.index("05-envelopes, Seal") < shown.index("05-envelopes, Policy")
    assert "4 trying, 1 done" in shown
    assert "l5" not in shown, "the page names nobody"


def test_a_task_left_behind_in_an_earlier_lab_does_not_hold_up_the_room(tmp_path: Path) -> None:
    for number in range(5):
        behind = {"many": TRYING} if number else {}
        now = {"which": DONE, "let": TRYING} if number < 3 else {}
        text = record.export(Progress({LESSON: behind, "08-key-policies": now}), f"l{number}", NOON)
        (tmp_path / f"{number}.json").write_text(text, encoding="utf-8")
    room = gather(tmp_path, course.lessons())
    assert room.at == "08-key-policies"
    assert [(task.task, task.trying) for task in room.stuck] == [("let", 3)]
    table = page(room, NOON).partition("Task by task")[2]
    assert table.index("08-key-policies") < table.index("05-envelopes"), "this lab comes first"
    assert "lend" not in [task.task for task in room.tasks if task.begun]
    assert table.count("08-key-policies") == 7, "what nobody has reached is shown, too"


def test_who_hands_in_twice_counts_once_as_they_were_last(tmp_path: Path) -> None:
    hand_in(tmp_path, "ada", NOON, seal=TRYING)
    hand_in(tmp_path, "ada", NOON + timedelta(hours=1), seal=DONE)
    room = gather(tmp_path, course.lessons())
    assert room.learners == 1
    assert [(task.task, task.done) for task in room.tasks if task.begun] == [("seal", 1)]
    assert "not stuck" in page(room, NOON)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it was not written by `course progress --export`"),
        ("[1]", "it was not written by"),
        ('{"who": "a", "exported_at": "soon", "version": 1, "lessons": {}}', "it was not written"),
        ('{"who": "a", "exported_at": "2026-11-25", "version": 9, "lessons": {}}', "later edition"),
    ],
)
def test_a_file_of_no_use_is_named_and_the_others_count(
    tmp_path: Path, text: str, said: str
) -> None:
    hand_in(tmp_path, "ada", seal=DONE)
    (tmp_path / "<odd>.json").write_text(text, encoding="utf-8")
    room = gather(tmp_path, course.lessons())
    assert room.learners == 1
    assert len(room.trouble) == 1
    assert room.trouble[0].startswith("<odd>.json does not count: ")
    assert said in room.trouble[0]
    assert "&lt;odd&gt;.json" in page(room, NOON)


def test_an_empty_room(tmp_path: Path) -> None:
    assert "Nobody has begun" in page(gather(tmp_path, course.lessons()), NOON)
    with pytest.raises(NotADirectoryError):
        gather(tmp_path / "nowhere", course.lessons())


def test_the_page_fetches_nothing(tmp_path: Path) -> None:
    hand_in(tmp_path, "ada", seal=DONE)
    shown = page(gather(tmp_path, course.lessons()), NOON)
    assert "http" not in shown
    assert "<script" not in shown


_task = st.builds(
    TaskProgress,
    done=st.booleans(),
    attempts=st.integers(0, 50),
    hints=st.integers(0, 5),
    done_at=st.none() | st.just(NOON) | st.just(NOON + timedelta(days=1)),
    solution_seen=st.booleans(),
)
_progress = st.builds(
    Progress, st.dictionaries(st.text(), st.dictionaries(st.text(), _task, min_size=1))
)


@given(_progress, st.text())
def test_what_is_exported_is_read_back(progress: Progress, who: str) -> None:
    handed_in = record.read_export(record.export(progress, who, NOON))
    assert (handed_in.who, handed_in.at, handed_in.progress) == (who, NOON, progress)


@given(_progress, _progress)
def test_taking_in_loses_nothing(ours: Progress, theirs: Progress) -> None:
    home = Path("nowhere")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(record.SWITCH, "off")
        patch.setitem(record._memory, record.progress_file(home), ours)
        after = record.take_in(record.HandedIn("me", NOON, theirs), home)
    for side in (ours, theirs):
        for lesson, tasks in side.lessons.items():
            for name, before in tasks.items():
                now = after.task(lesson, name)
                assert now.done >= before.done
                assert now.attempts >= before.attempts
                assert now.hints >= before.hints
