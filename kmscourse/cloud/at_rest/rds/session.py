"""A connection to a database of RDS: Python's own ``sqlite3``, on the storage that RDS keeps.

Imported only where a database is opened: not every Python has SQLite.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from typing import Any

from kmscourse.cloud.at_rest.rds.storage import Storage


class Connection(sqlite3.Connection):
    """A `sqlite3.Connection` whose committed changes are stored as RDS stores them.

    It is the session of the one who works on the database; a second one would share it.
    """

    storage: Storage
    check: Callable[[Storage], str | None]
    _saved: bytes = b""

    def bind(self, storage: Storage, check: Callable[[Storage], str | None]) -> None:
        """Load what the storage has.

        Args:
            check: says why the database cannot be used, or None.
        """
        self.storage, self.check = storage, check
        if storage.length:
            self.deserialize(storage.image())
            super().execute("PRAGMA journal_mode = MEMORY").fetchall()
        if storage.leader is not None:
            super().execute("PRAGMA query_only = ON")
        self._saved = self._digest(self._image())

    def save(self) -> None:
        """Store what is committed, while RDS has its key."""
        if self.in_transaction or self.storage.leader is not None or not self.storage.usable:
            return
        image = self._image()
        digest = self._digest(image)
        if digest != self._saved:
            self.storage.put(image)
            self._saved = digest

    def execute(self, *args: Any) -> sqlite3.Cursor:
        """As in `sqlite3`."""
        cursor: sqlite3.Cursor = self._then_save(super().execute, *args)
        return cursor

    def executemany(self, *args: Any) -> sqlite3.Cursor:
        """As in `sqlite3`."""
        cursor: sqlite3.Cursor = self._then_save(super().executemany, *args)
        return cursor

    def executescript(self, *args: Any) -> sqlite3.Cursor:
        """As in `sqlite3`."""
        cursor: sqlite3.Cursor = self._then_save(super().executescript, *args)
        return cursor

    def cursor(self, *args: Any) -> Any:
        """As in `sqlite3`."""
        self._check()
        return super().cursor(*args)

    def commit(self) -> None:
        """As in `sqlite3`."""
        self._then_save(super().commit)

    def __exit__(self, *args: Any) -> Any:
        done = super().__exit__(*args)
        self.save()
        return done

    def close(self) -> None:
        """As in `sqlite3`; what was not committed is lost."""
        if is_open(self):
            if self.in_transaction:
                super().rollback()
            self.save()
        super().close()

    def end(self) -> None:
        """Close without storing: the database has gone away."""
        super().close()

    def _then_save(self, do: Callable[..., Any], *args: Any) -> Any:
        self._check()
        done = do(*args)
        self.save()
        return done

    def _image(self) -> bytes:
        pages = super().execute("PRAGMA page_count").fetchone()[0]
        return self.serialize() if pages else b""  # SQLite cannot write down an empty database

    def _check(self) -> None:
        problem = self.check(self.storage)
        if problem is not None:
            raise sqlite3.OperationalError(problem)

    @staticmethod
    def _digest(image: bytes) -> bytes:
        return hashlib.sha256(image).digest()


def connect(storage: Storage, check: Callable[[Storage], str | None]) -> Connection:
    """Open a session to a database that is available."""
    connection = sqlite3.connect(":memory:", factory=Connection, check_same_thread=False)
    connection.bind(storage, check)
    return connection


def is_open(connection: Connection) -> bool:
    """Whether nobody closed it."""
    try:
        connection.total_changes  # noqa: B018 - it raises where the connection is closed
    except sqlite3.ProgrammingError:
        return False
    return True


def unusable(problem: str) -> sqlite3.OperationalError:
    """What a client sees of a database that cannot be reached."""
    return sqlite3.OperationalError(problem)
