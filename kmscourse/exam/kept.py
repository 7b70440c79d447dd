"""A JSON file in `my-work/` that neither a crash nor a second notebook can damage.

Written whole or not at all (a new file replaces the old one), and one writer at a time (a lock).
Reading takes no lock, since the file is only ever replaced. A file that cannot be read is set aside
under another name, never overwritten and never an error for the learner.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from kmscourse import atomic

LOCK_SECONDS = 10

Clock = Callable[[], datetime.datetime]
T = TypeVar("T")


def utc_now() -> datetime.datetime:
    """The present, in UTC and to the second, as it is written into files."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


class Kept(Generic[T]):
    """What is in one file.

    Args:
        path: the file; neither it nor its folder need exist.
        parse: makes of the file's JSON what it holds. It raises ValueError, KeyError, TypeError or
            AttributeError for what it does not know.
        dump: the way back.
        empty: what is held where there is no file.
        now: the present, for the name of what is set aside.

    `set_aside` is where a file that could not be read was put, if that happened.
    """

    def __init__(
        self,
        path: Path,
        parse: Callable[[Any], T],
        dump: Callable[[T], Any],
        empty: Callable[[], T],
        now: Clock = utc_now,
    ) -> None:
        self.path = path
        self._parse, self._dump, self._empty, self._now = parse, dump, empty, now
        self.set_aside: Path | None = None

    def read(self, *, mend: bool = False) -> T:
        """What is in the file. What cannot be read counts as nothing; `mend` also sets it aside."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return self._empty()
        except OSError:
            if mend:  # it may hold answers, so it must not be replaced
                raise
            return self._empty()
        try:
            return self._parse(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            if mend:
                self._put_aside()
            return self._empty()

    def change(self, change: Callable[[T], T]) -> T:
        """Change what is held, as one step. When this returns, it is on the disk.

        Raises OSError where it cannot be written, or another notebook holds the file too long, and
        whatever `change` raises, in which case nothing is written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            after = change(self.read(mend=True))
            text = json.dumps(self._dump(after), indent=1, ensure_ascii=False)
            atomic.replace(self.path, text + "\n")
        return after

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # Imported here, since a browser edition has no locks, and reading needs none.
        from filelock import FileLock, Timeout

        lock = FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=LOCK_SECONDS)
        try:
            with lock:
                yield
        except Timeout as error:
            raise OSError(
                f"another notebook has been writing {self.path.name} for {LOCK_SECONDS} seconds"
            ) from error

    def _put_aside(self) -> None:
        stamp = self._now().strftime("%Y-%m-%d-%H%M%S")
        place = self.path.with_name(f"{self.path.stem}-unreadable-{stamp}{self.path.suffix}")
        number = 2
        while place.exists():
            place = self.path.with_name(
                f"{self.path.stem}-unreadable-{stamp}-{number}{self.path.suffix}"
            )
            number += 1
        os.replace(self.path, place)
        self.set_aside = place
