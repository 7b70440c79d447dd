"""The command `course`, from outside: words, labs, progress."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kmscourse import cli, copies, course
from kmscourse.lab import record


def test_help_lists_the_commands(run: Any) -> None:
    said = run("--help")
    assert said.code == 0
    for word in ("start", "lab", "reset", "progress", "doctor"):
        assert word in said.out


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from kmscourse import cli; sys.argv = ['course', '--help']\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('boto3', 'moto', 'cryptography', 'jupyterlab', 'ipywidgets',"
        " 'matplotlib', 'nbformat', 'anywidget') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("typed", "meant"), [("strat", "start"), ("progres", "progress"), ("docter", "doctor")]
)
def test_a_mistyped_command_gets_a_suggestion(run: Any, typed: str, meant: str) -> None:
    said = run(typed)
    assert said.code == 2
    assert f"Did you mean '{meant}'?" in said.err


@pytest.mark.parametrize("command", ["lab", "reset"])
def test_a_mistyped_lesson_gets_a_suggestion(run: Any, command: str) -> None:
    said = run(command, "05-envelops")
    assert said.code == 1
    assert said.err == "There is no lesson called '05-envelops'. Did you mean '05-envelopes'?\n"


def test_a_folder_that_is_no_course(run: Any, home: Path) -> None:
    (home / "lessons" / "index.yaml").unlink()
    said = run("start")
    assert said.code == 1
    assert "KMSCOURSE_HOME is set to" in said.err


def test_notebooks_that_are_not_there(run: Any, home: Path, opened: list[str]) -> None:
    (home / cli.START_PAGE).unlink()
    for arguments in ([], ["start"]):
        said = run(*arguments)
        assert said.code == 1
        assert "notebooks/00-start-here.ipynb is not there. `make build`" in said.err
    assert opened == []


@pytest.mark.parametrize("arguments", [[], ["start"], ["--no-browser"], ["start", "--port", "9"]])
def test_the_course_opens_at_the_start_page(
    run: Any, opened: list[str], arguments: list[str]
) -> None:
    assert run(*arguments).code == 0
    assert opened == ["notebooks/00-start-here.ipynb"]


def test_an_error_of_the_machine_is_one_sentence(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

    monkeypatch.setattr(cli, "_open", broken)
    said = run("start")
    assert said.code == 1
    assert said.err.startswith("No space left on device (somewhere).")


# --- labs -----------------------------------------------------------------------------------------


def test_a_lab_is_copied_once_and_then_left_alone(run: Any, home: Path, opened: list[str]) -> None:
    mine = home / "my-work" / "05-envelopes.ipynb"
    assert "laid out in my-work/05-envelopes.ipynb" in run("lab", "05-envelopes").out
    assert mine.read_bytes() == (home / "labs" / "05-envelopes.ipynb").read_bytes()
    mine.write_text("my answers")
    assert "as you left it" in run("lab", "envelopes").out
    assert mine.read_text() == "my answers"
    assert opened == ["my-work/05-envelopes.ipynb"] * 2
    assert [path.name for path in mine.parent.iterdir()] == [mine.name]


def test_labs_are_listed(run: Any, home: Path) -> None:
    (home / "my-work").mkdir()
    before = run("lab").out
    assert "05-envelopes" in before
    assert "not begun" in before
    assert "00-start-here" not in before
    copies.lay_out(course.lesson("5"))
    assert "my-work/05-envelopes.ipynb" in run("lab").out


def test_what_to_open_next_is_the_same_everywhere(run: Any, home: Path) -> None:
    begin = home / "lessons" / "00-start-here"
    begin.mkdir()
    (begin / "lab.py").touch()
    shutil.copy(home / "lessons/05-envelopes/checks.py", begin / "checks.py")
    assert run("lab").out.endswith("Open one with: course lab 00-start-here\n")
    assert run("progress").out.endswith("Next: course lab 00-start-here\n")
    for task in ("first", "second"):
        finish(task, "00-start-here")
    assert run("lab").out.endswith("Open one with: course lab 05-envelopes\n")
    assert run("progress").out.endswith("Next: course lab 05-envelopes\n")
    for task in ("first", "second"):
        finish(task)
    assert run("lab").out.endswith("Open one with: course lab 00-start-here\n")
    assert run("progress").out.endswith("All tasks are done.\n")


def test_a_lesson_without_a_lab(run: Any, opened: list[str]) -> None:
    said = run("lab", "00-start-here")
    assert said.code == 1
    assert "has no lab. Its notebook is notebooks/00-start-here.ipynb" in said.err
    assert opened == []


def test_a_lab_that_was_not_built(run: Any, home: Path, opened: list[str]) -> None:
    (home / "labs" / "05-envelopes.ipynb").unlink()
    said = run("lab", "5")
    assert said.code == 1
    assert "labs/05-envelopes.ipynb is not there" in said.err


def test_reset_keeps_what_was_written(run: Any, home: Path) -> None:
    mine = home / "my-work" / "05-envelopes.ipynb"
    assert "A fresh lab is in my-work/05-envelopes.ipynb" in run("reset", "5").out
    mine.write_text("my answers")
    said = run("reset", "5").out
    kept = re.search(r"kept as (my-work/05-envelopes\.\d{4}-\d\d-\d\d-\d{4}\.ipynb)\.", said)
    assert kept
    assert (home / kept[1]).read_text() == "my answers"
    assert mine.read_bytes() == (home / "labs" / "05-envelopes.ipynb").read_bytes()


def test_two_resets_in_one_minute_keep_both(home: Path) -> None:
    lesson, now = course.lesson("5"), datetime(2026, 11, 23, 20, 41, 7)
    copies.lay_out(lesson)
    lesson.work_copy.write_text("first")
    first = copies.reset(lesson, now)
    lesson.work_copy.write_text("second")
    second = copies.reset(lesson, now)
    assert first
    assert second
    assert (first.name, first.read_text()) == ("05-envelopes.2026-11-23-2041.ipynb", "first")
    assert (second.name, second.read_text()) == ("05-envelopes.2026-11-23-2041-2.ipynb", "second")


@pytest.mark.parametrize("command", ["lab", "reset"])
def test_a_full_disk_changes_nothing(
    run: Any, home: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    mine = home / "my-work" / "05-envelopes.ipynb"
    if command == "reset":
        mine.parent.mkdir()
        mine.write_text("my answers")

    def full(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", full)
    said = run(command, "5")
    assert said.code == 1
    assert "the disk is full. Nothing was changed." in said.err
    names = [path.name for path in mine.parent.iterdir()]
    assert names == ([mine.name] if command == "reset" else [])
    assert command == "lab" or mine.read_text() == "my answers"


# --- progress -------------------------------------------------------------------------------------


def finish(task: str, lesson: str = "05-envelopes") -> None:
    record.update(lesson, task, lambda before: replace(before, done=True, attempts=1))


def test_progress_of_one_lesson_is_told_task_by_task(run: Any, home: Path) -> None:
    finish("first")
    for name in ("05", "5", "envelopes", "05-envelopes"):
        said = run("progress", name)
        assert said.code == 0
        assert re.search(r"^First +first +Done +1 +1 +0$", said.out, re.MULTILINE)
        assert re.search(r"^Second +second +Open +1 +0 +0$", said.out, re.MULTILINE)
        assert said.out.endswith("To go on: course lab 05-envelopes\n")
    assert "has no lab" in run("progress", "00").out
    mistyped = run("progress", "05-envelops")
    assert mistyped.code == 1
    assert "Did you mean '05-envelopes'?" in mistyped.err


def test_progress_counts_what_is_done(run: Any, home: Path) -> None:
    assert re.search(r"05-envelopes +Envelopes.* 0 of 2\n", run("progress").out)
    finish("first")
    said = run("progress").out
    assert re.search(r"05-envelopes +Envelopes.* 1 of 2\n", said)
    assert said.endswith("Next: course lab 05-envelopes\n")
    finish("second")
    assert run("progress").out.endswith("All tasks are done.\n")


def test_a_damaged_progress_file_is_no_crash(run: Any, home: Path) -> None:
    (home / "my-work").mkdir()
    (home / "my-work" / "progress.json").write_text("{")
    said = run("progress")
    assert said.code == 0
    assert "0 of 2" in said.out
    assert "progress.json is damaged" in said.out


def test_a_fresh_lab_has_all_its_tasks_open(run: Any, home: Path) -> None:
    finish("first")
    assert "all its tasks are open again" in run("reset", "5").out
    assert "0 of 2" in run("progress").out
