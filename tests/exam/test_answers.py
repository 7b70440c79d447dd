"""Answers on the disk: never lost to a crash, a second notebook or a file that is broken."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from kmscourse.exam import kept
from kmscourse.exam.answers import Answers

WHEN = datetime.datetime(2026, 11, 23, 20, 0, tzinfo=datetime.UTC)


@pytest.fixture
def store(tmp_path: Path) -> Answers:
    return Answers(tmp_path / "my-work" / "answers.json", now=lambda: WHEN)


def test_what_was_added_is_there_for_whoever_opens_the_file_next(store: Answers) -> None:
    assert store.last("one") is None
    assert not store.path.parent.exists()  # looking leaves nothing behind
    store.add("one", ("It is so.",), False)
    store.add("one", ("It is otherwise.", "Ünd so"), True)
    again = Answers(store.path)
    assert [(a.chosen, a.right, a.at) for a in again.history("one")] == [
        (("It is so.",), False, WHEN),
        (("It is otherwise.", "Ünd so"), True, WHEN),
    ]
    assert again.last("one") == store.last("one")
    assert set(again.everything()) == {"one"}


@given(
    st.dictionaries(
        st.text(min_size=1), st.lists(st.tuples(st.text()), min_size=1, max_size=3), max_size=4
    )
)
def test_any_text_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, list[tuple[str]]]
) -> None:
    store = Answers(tmp_path_factory.mktemp("a") / "answers.json")
    for name, many in data.items():
        for chosen in many:
            store.add(name, chosen, True)
    found = Answers(store.path).everything()
    assert {n: [a.chosen for a in h] for n, h in found.items()} == data


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"version": 2, "answers": {}}',
        '{"version": 1, "answers": {"one": [{"at": "yesterday", "right": true, "chosen": []}]}}',
        '{"version": 1, "answers": {"one": {}}}x',
        '{"version": 1, "answers": 3}',
        "\ufeff[[[",
        "[" * 100_000,
    ],
)
def test_a_file_that_cannot_be_read_is_set_aside(store: Answers, text: str) -> None:
    store.path.parent.mkdir()
    store.path.write_text(text, "utf-8")
    assert store.last("one") is None
    assert store.path.read_text("utf-8") == text  # looking changes nothing
    store.add("one", ("It is so.",), True)
    assert store.set_aside is not None
    assert store.set_aside.read_text("utf-8") == text
    assert "unreadable" in store.set_aside.name
    assert Answers(store.path).last("one") is not None


def test_two_bad_files_in_one_second_are_both_set_aside(store: Answers) -> None:
    store.path.parent.mkdir()
    for text in ("{", "["):
        store.path.write_text(text, "utf-8")
        store.add("one", ("It is so.",), True)
    kept = sorted(p.read_text("utf-8") for p in store.path.parent.glob("*unreadable*"))
    assert kept == ["[", "{"]


def test_a_write_that_breaks_off_leaves_the_old_file_whole(
    store: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add("one", ("It is so.",), True)
    before = store.path.read_bytes()

    def broken(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="No space left"):
        store.add("two", ("It is so.",), True)
    assert store.path.read_bytes() == before
    assert [p.name for p in store.path.parent.iterdir() if p.suffix == ".new"] == []


def test_a_notebook_that_holds_the_file_too_long_is_told(
    store: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "LOCK_SECONDS", 0)
    store.path.parent.mkdir()
    with (
        FileLock(store.path.with_name(".answers.json.lock")),
        pytest.raises(OSError, match="another notebook"),
    ):
        store.add("one", ("It is so.",), True)


WRITER = """
import sys
from pathlib import Path

from kmscourse.exam.answers import Answers

store = Answers(Path(sys.argv[1]))
for number in range(20):
    store.add(f"question-{number}", (f"writer {sys.argv[2]}",), True)
"""


def test_two_notebooks_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number)])
        for number in (1, 2)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    found = Answers(path).everything()
    assert len(found) == 20
    for history in found.values():
        assert sorted(a.chosen[0] for a in history) == ["writer 1", "writer 2"]


def test_a_file_that_may_not_be_read_is_never_replaced(
    store: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add("one", ("It is so.",), True)
    before = store.path.read_bytes()
    real = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path == store.path:
            raise PermissionError("not yours")
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refused)
        assert store.last("one") is None
        with pytest.raises(PermissionError):
            store.add("two", ("It is so.",), True)
    assert store.path.read_bytes() == before
