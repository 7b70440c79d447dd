"""A learner's own copies of the labs, in `my-work/`: laid out once, never overwritten."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from kmscourse.course import CourseError, Lesson


class CopyError(CourseError):
    """A lab could not be laid out. The message says what to do."""


def lay_out(lesson: Lesson) -> bool:
    """Copy the lab into `my-work/` if it is not there. True if it was copied. Raises CopyError."""
    if lesson.work_copy.exists():
        return False
    with _fresh_copy(lesson) as fresh:
        try:
            os.link(fresh, lesson.work_copy)  # unlike a move, never on top of something
        except FileExistsError:
            return False  # another window was quicker
        except OSError:  # a file system without links
            os.replace(fresh, lesson.work_copy)
    return True


def reset(lesson: Lesson, now: datetime) -> Path | None:
    """Lay out a fresh lab and keep what was there under a dated name.

    Returns where the old copy is kept, or None where there was none. Raises CopyError; then
    everything is as it was.
    """
    with _fresh_copy(lesson) as fresh:
        kept = None
        if lesson.work_copy.exists():
            kept = _dated(lesson.work_copy, now)
            os.rename(lesson.work_copy, kept)
        os.replace(fresh, lesson.work_copy)
    return kept


def _dated(path: Path, now: datetime) -> Path:
    """A name that is not taken: 05-envelopes.2026-11-23-2041.ipynb."""
    stem = f"{path.stem}.{now:%Y-%m-%d-%H%M}"
    dated, count = path.with_name(f"{stem}{path.suffix}"), 1
    while dated.exists():
        count += 1
        dated = path.with_name(f"{stem}-{count}{path.suffix}")
    return dated


@contextlib.contextmanager
def _fresh_copy(lesson: Lesson) -> Iterator[Path]:
    """The lab as published, copied beside where it will lie; removed if it is still there after."""
    if not lesson.has_lab:
        raise CopyError(
            f"The lesson {lesson.name} has no lab. Its notebook is "
            f"notebooks/{lesson.name}.ipynb; `course lab` lists the labs."
        )
    if not lesson.lab_notebook.is_file():
        raise CopyError(
            f"labs/{lesson.name}.ipynb is not there. If you have changed the lessons, `make build` "
            f"makes it; else `git checkout -- labs` brings it back."
        )
    folder = lesson.work_copy.parent
    temporary = None
    try:
        folder.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{lesson.name}-", suffix=".ipynb")
        os.close(handle)
        temporary = Path(name)
        shutil.copyfile(lesson.lab_notebook, temporary)
        temporary.chmod(0o666 & ~_umask())
        yield temporary
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full" if full else error.strerror
        raise CopyError(
            f"The lab could not be written to {folder}: {why}. Nothing was changed."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
