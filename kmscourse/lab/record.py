"""A learner's progress on disk: `my-work/progress.json`.

    {"version": 1, "lessons": {"05-envelopes": {"tasks": {"seal":
        {"state": "done", "attempts": 3, "hints": 2, "done_at": "2026-11-23T20:15:00+00:00",
         "solution_seen": false}}}}}

Written whole or not at all, one notebook at a time. A file that cannot be read is set aside under
a dated name. Whatever the disk does, a lab goes on: what could not be kept is said in a sentence.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kmscourse import atomic, course

VERSION = 1
SWITCH = "KMSCOURSE_PROGRESS"
"""Environment variable: "off" keeps progress in memory only."""

PATIENCE = 5.0
"""Seconds to wait for another notebook to finish writing."""


@dataclass(frozen=True)
class TaskProgress:
    """How far one task has come. A task once done stays done."""

    done: bool = False
    attempts: int = 0
    hints: int = 0
    done_at: datetime | None = None
    solution_seen: bool = False


@dataclass(frozen=True)
class Progress:
    """How far a learner has come: by lesson, then by task. `note` is what to tell them."""

    lessons: dict[str, dict[str, TaskProgress]] = field(default_factory=dict)
    note: str = ""

    def task(self, lesson: str, task: str) -> TaskProgress:
        return self.lessons.get(lesson, {}).get(task, TaskProgress())

    def done(self, lesson: str) -> int:
        """How many tasks of the lesson are done."""
        return sum(each.done for each in self.lessons.get(lesson, {}).values())

    def with_task(self, lesson: str, task: str, now: TaskProgress) -> Progress:
        lessons = {**self.lessons, lesson: {**self.lessons.get(lesson, {}), task: now}}
        return replace(self, lessons=lessons)


@dataclass(frozen=True)
class HandedIn:
    """Progress that a learner handed in: under which name, and when."""

    who: str
    at: datetime
    progress: Progress


class _NewerError(Exception):
    """The file was written by a later edition of the course."""


_memory: dict[Path, Progress] = {}


def progress_file(home: Path | None = None) -> Path:
    return course.work_folder(home) / "progress.json"


def is_kept() -> bool:
    """Whether progress is kept on disk at all."""
    return os.environ.get(SWITCH, "").strip().lower() not in ("off", "0", "no", "false")


def read_progress(home: Path | None = None) -> Progress:
    """What is on disk. Never raises for what it finds there; `note` says what was wrong."""
    path = progress_file(home)
    if not is_kept():
        return _memory.get(path, Progress())
    try:
        return _read(path)
    except _NewerError:
        return Progress(note=_newer(path))
    except FileNotFoundError:
        return Progress()
    except OSError as error:
        return Progress(note=f"Your progress could not be read: {_reason(error)}.")
    except ValueError:
        return Progress(note=f"{path.name} is damaged. It will be set aside at the next check.")


def update(
    lesson: str,
    task: str,
    change: Callable[[TaskProgress], TaskProgress],
    home: Path | None = None,
) -> Progress:
    """Apply a change to one task, on disk, and give what is there now.

    Where it cannot be kept, what is given has the change all the same, and a `note` that says why.
    """

    def changed(before: Progress) -> Progress:
        return before.with_task(lesson, task, change(before.task(lesson, task)))

    return _rewrite(changed, home)


def reset(lesson: str, home: Path | None = None) -> Progress:
    """Forget the progress of one lesson, and give what is left."""

    def without(before: Progress) -> Progress:
        return replace(before, lessons={k: v for k, v in before.lessons.items() if k != lesson})

    return _rewrite(without, home)


def own_name(home: Path | None = None) -> str:
    """A name that says nothing about anybody, drawn once and kept beside the progress.

    Whoever hands in twice under it counts once, and two learners never share one. Where it cannot
    be kept it is drawn again each time.
    """
    path = progress_file(home).with_name(".handed-in-as")
    with suppress(OSError, UnicodeDecodeError):
        if kept := path.read_text(encoding="utf-8").strip():
            return kept
    drawn = secrets.token_hex(4)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.replace(path, f"{drawn}\n")
    return drawn


def export(progress: Progress, who: str, at: datetime) -> str:
    """Progress as text to hand in, under any name the learner likes; `read_export` reads it."""
    about = {"who": who, "exported_at": at.isoformat(timespec="seconds")}
    return json.dumps({**about, **_document(progress)}, indent=2) + "\n"


def read_export(text: str) -> HandedIn:
    """What `export` wrote. Raises ValueError, in a sentence, for anything else."""
    try:
        found = json.loads(text)
        who, at = str(found["who"]), datetime.fromisoformat(found["exported_at"])
        return HandedIn(who, at, _progress(found))
    except _NewerError:
        raise ValueError("it was written by a later edition of the course") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("it was not written by `course progress --export`") from None


def take_in(handed_in: HandedIn, home: Path | None = None) -> Progress:
    """Add progress that was exported, from another machine for example, and give what is there now.

    Nothing is lost: a task that is done on either side is done, and the larger counts stay.
    """

    def joined(before: Progress) -> Progress:
        after = before
        for lesson, tasks in handed_in.progress.lessons.items():
            for name, theirs in tasks.items():
                after = after.with_task(lesson, name, _join(after.task(lesson, name), theirs))
        return after

    return _rewrite(joined, home)


def _join(ours: TaskProgress, theirs: TaskProgress) -> TaskProgress:
    times = [each.done_at for each in (ours, theirs) if each.done_at]
    return TaskProgress(
        done=ours.done or theirs.done,
        attempts=max(ours.attempts, theirs.attempts),
        hints=max(ours.hints, theirs.hints),
        done_at=min(times) if times else None,
        solution_seen=ours.solution_seen or theirs.solution_seen,
    )


def _rewrite(change: Callable[[Progress], Progress], home: Path | None) -> Progress:
    path = progress_file(home)
    before = _memory.get(path, Progress())
    if not is_kept():
        _memory[path] = after = change(before)
        return after
    note = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(path) as unlocked:
            note = unlocked
            try:
                before = _read(path)
            except FileNotFoundError:
                before = Progress()
            except ValueError:
                note = _set_aside(path)
                before = Progress()
            after = change(before)
            if after != before:
                atomic.replace(path, json.dumps(_document(after), indent=2) + "\n")
            _memory[path] = after
            return replace(after, note=note)
    except _NewerError:
        note = _newer(path)
    except OSError as error:
        note = f"Your progress could not be saved: {_reason(error)}. The check itself counts."
    # What is in memory still serves this session: hints go on, solutions open.
    _memory[path] = after = change(before)
    return replace(after, note=note)


def _read(path: Path) -> Progress:
    """Raises OSError; ValueError for what is not progress; _NewerError for a later version."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("not a progress file") from error
    return _progress(found)


def _progress(found: Any) -> Progress:
    """Raises ValueError for what is not progress; _NewerError for a later version."""
    if not isinstance(found, dict) or not isinstance(found.get("version"), int):
        raise ValueError("not a progress file")
    if found["version"] > VERSION:
        raise _NewerError
    try:
        return Progress(
            {
                str(lesson): {str(k): _task(v) for k, v in entry["tasks"].items()}
                for lesson, entry in found["lessons"].items()
            }
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a progress file: {error}") from error


def _task(entry: dict[str, Any]) -> TaskProgress:
    state = entry["state"]
    if state not in ("open", "done"):
        raise ValueError(f"unknown state {state!r}")
    done_at = entry.get("done_at")
    return TaskProgress(
        done=state == "done",
        attempts=_count(entry.get("attempts", 0)),
        hints=_count(entry.get("hints", 0)),
        done_at=None if done_at is None else datetime.fromisoformat(done_at),
        solution_seen=entry.get("solution_seen") is True,
    )


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a count")
    return value


def _document(progress: Progress) -> dict[str, Any]:
    lessons = {
        lesson: {"tasks": {name: _entry(task) for name, task in tasks.items()}}
        for lesson, tasks in progress.lessons.items()
    }
    return {"version": VERSION, "lessons": lessons}


def _entry(task: TaskProgress) -> dict[str, Any]:
    entry = asdict(task)
    done = entry.pop("done")
    entry["done_at"] = task.done_at.isoformat(timespec="seconds") if task.done_at else None
    return {"state": "done" if done else "open", **entry}


def _set_aside(path: Path) -> str:
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    aside = path.with_name(f"progress.damaged-{stamp}.json")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"progress.damaged-{stamp}-{number}.json")
    os.replace(path, aside)
    return (
        f"{path.name} could not be read, so it was set aside as {aside.name} and a new one begun. "
        "Your notebooks are not touched; run their checks again to have them counted."
    )


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[str]:
    """Hold the lock of the file. Gives what to tell where no lock can be had ("": all is well)."""
    lock: Any = None
    note = ""
    try:
        import filelock

        lock = filelock.FileLock(str(path.with_name(".progress.lock")), timeout=PATIENCE)
        lock.acquire()
    except ImportError:
        lock = None
        note = "Progress is kept, but not guarded against two notebooks writing at once."
    except NotImplementedError:
        lock = None
        note = (
            "This disk knows no locks: progress is kept, but do not run checks in two notebooks "
            "at the same moment."
        )
    except TimeoutError:
        raise OSError(errno.EBUSY, "another notebook has held the file for too long") from None
    try:
        yield note
    finally:
        if lock is not None:
            lock.release()


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return "the disk is full"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "the folder my-work cannot be written to"
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return "there is a file where the folder my-work should be"
    return (error.strerror or type(error).__name__).rstrip(".")


def _newer(path: Path) -> str:
    return (
        f"{path.name} was written by a later edition of the course. It is left as it is, and "
        "progress is not saved now. Update the course to go on with it."
    )
