"""Progress on disk: whole, shared, and never in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscourse import lab
from kmscourse.lab import record
from kmscourse.lab.record import Progress, TaskProgress, read_progress, reset, update


def attempt(before: TaskProgress) -> TaskProgress:
    return replace(before, attempts=before.attempts + 1)


def test_what_is_written_is_read(home: Path) -> None:
    when = datetime(2026, 11, 23, 20, 15, tzinfo=UTC)
    done = TaskProgress(done=True, attempts=3, hints=2, done_at=when, solution_seen=True)
    assert update("01-boxes", "close", lambda _: done).note == ""
    update("05-other", "seal", attempt)
    found = read_progress()
    assert found.task("01-boxes", "close") == done
    assert found.task("05-other", "seal") == TaskProgress(attempts=1)
    assert found.task("05-other", "nothing") == TaskProgress()
    assert (found.done("01-boxes"), found.done("05-other"), found.done("nothing")) == (1, 0, 0)
    names = [each.name for each in (home / "my-work").iterdir()]
    assert [name for name in names if not name.startswith(".progress.lock")] == ["progress.json"]


def test_a_lesson_can_be_reset(home: Path) -> None:
    update("01-boxes", "close", attempt)
    update("05-other", "seal", attempt)
    reset("01-boxes")
    assert set(read_progress().lessons) == {"05-other"}
    reset("01-boxes")
    assert set(read_progress().lessons) == {"05-other"}


def test_to_begin_with_there_is_nothing(home: Path) -> None:
    assert read_progress() == Progress()
    assert reset("01-boxes") == Progress()
    assert not record.progress_file().exists()


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"version": "1"}',
        b'{"version": 1}',
        b'{"version": 1, "lessons": []}',
        b'{"version": 1, "lessons": {"01-boxes": 7}}',
        b'{"version": 1, "lessons": {"a": {"tasks": {"b": {"state": "x"}}}}}',
        b'{"version": 1, "lessons": {"a": {"tasks": {"b": {"state": "open", "hints": -1}}}}}',
        b'{"version": 1, "lessons": {"a": {"tasks": {"b": {"state": "done", "done_at": "x"}}}}}',
        b'{"version": 1, "lessons": {"a": {"tasks": {"b": {"state": "done", "done_at": 5}}}}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_set_aside(home: Path, damage: bytes) -> None:
    path = record.progress_file()
    path.parent.mkdir()
    path.write_bytes(damage)
    assert "damaged" in read_progress().note
    after = update("01-boxes", "close", attempt)
    assert "it was set aside as progress.damaged-20" in after.note
    assert after.task("01-boxes", "close").attempts == 1
    (aside,) = path.parent.glob("progress.damaged-*.json")
    assert aside.read_bytes() == damage
    assert update("01-boxes", "close", attempt).note == ""
    path.write_bytes(damage)
    update("01-boxes", "close", attempt)
    assert len(list(path.parent.glob("progress.damaged-*.json"))) == 2


@given(st.binary(max_size=200))
def test_no_file_is_ever_a_crash(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    home = tmp_path_factory.getbasetemp() / "any"
    path = record.progress_file(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    assert isinstance(read_progress(home), Progress)


def test_a_file_of_a_later_edition_is_left_alone(home: Path) -> None:
    path = record.progress_file()
    path.parent.mkdir()
    path.write_text('{"version": 2, "something": "new"}', encoding="utf-8")
    assert "later edition" in read_progress().note
    assert "later edition" in update("01-boxes", "close", attempt).note
    assert update("01-boxes", "close", attempt).task("01-boxes", "close").attempts == 2
    assert path.read_text(encoding="utf-8") == '{"version": 2, "something": "new"}'


def test_where_nothing_can_be_written_the_check_goes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "my-work").write_text("I am a file", encoding="utf-8")
    lab.begin("03-doubles")
    report = lab.hint("double")
    assert "there is a file where the folder my-work should be" in report.text
    assert lab.hint("double").number == 2  # type: ignore[attr-defined]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_cannot_be_written_to(home: Path) -> None:
    (home / "my-work").mkdir(mode=0o500)
    assert "my-work cannot be written to" in update("01-boxes", "close", attempt).note


FULL = """
import resource, signal, sys
from kmscourse.lab.record import update, read_progress, progress_file
from dataclasses import replace
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
attempt = lambda before: replace(before, attempts=before.attempts + 1)
update("01-boxes", "close", attempt)
before = progress_file().read_bytes()
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
after = update("01-boxes", "close", attempt)
assert progress_file().read_bytes() == before
assert after.task("01-boxes", "close").attempts == 2
print(after.note, [p.name for p in progress_file().parent.glob(".progress.json-*")])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_full_disk_leaves_what_was_there(home: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("Your progress could not be saved: the disk is full.")
    assert ran.stdout.rstrip().endswith("[]")


WRITER = """
import sys
from dataclasses import replace
from kmscourse.lab.record import update
for number in range(40):
    after = update("01-boxes", sys.argv[1], lambda b: replace(b, attempts=b.attempts + 1))
    assert after.note == "", after.note
    update("01-boxes", "both", lambda b: replace(b, hints=b.hints + 1))
"""


def test_two_notebooks_at_once_lose_nothing(home: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, name], stderr=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        found = read_progress()  # at every moment there is a whole file
        assert found.note == ""
        assert found.task("01-boxes", "both").hints >= seen
        seen = found.task("01-boxes", "both").hints
    for writer in writers:
        assert writer.communicate()[1] == ""
        assert writer.returncode == 0
    found = read_progress()
    assert found.task("01-boxes", "one").attempts == 40
    assert found.task("01-boxes", "two").attempts == 40
    assert found.task("01-boxes", "both").hints == 80


HOLDER = """
import sys, filelock
from kmscourse.lab import record
path = record.progress_file()
path.parent.mkdir(exist_ok=True)
with filelock.FileLock(str(path.with_name(".progress.lock"))):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_that_is_never_let_go_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "PATIENCE", 0.05)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    try:
        assert holder.stdout.readline() == "held\n"
        note = update("01-boxes", "close", attempt).note
        assert "another notebook has held the file for too long" in note
    finally:
        holder.stdin.close()
        holder.wait()
        holder.stdout.close()
    assert update("01-boxes", "close", attempt).note == ""


@pytest.mark.parametrize("missing", [ImportError, NotImplementedError])
def test_where_there_are_no_locks_progress_is_kept_all_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch, missing: type[Exception]
) -> None:
    import filelock

    def refuse(*args: object, **kwargs: object) -> None:
        raise missing

    monkeypatch.setattr(filelock, "FileLock", refuse)
    note = update("01-boxes", "close", attempt).note
    assert "two notebooks" in note
    assert read_progress().task("01-boxes", "close").attempts == 1


def test_it_can_be_kept_in_memory_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(record.SWITCH, "off")
    update("01-boxes", "close", attempt)
    assert read_progress().task("01-boxes", "close").attempts == 1
    assert not (home / "my-work").exists()
    reset("01-boxes")
    assert read_progress().task("01-boxes", "close").attempts == 0


def test_the_file_is_plain_to_read(home: Path) -> None:
    update("01-boxes", "close", attempt)
    assert json.loads(record.progress_file().read_text(encoding="utf-8")) == {
        "version": 1,
        "lessons": {
            "01-boxes": {
                "tasks": {
                    "close": {
                        "state": "open",
                        "attempts": 1,
                        "hints": 0,
                        "done_at": None,
                        "solution_seen": False,
                    }
                }
            }
        },
    }
