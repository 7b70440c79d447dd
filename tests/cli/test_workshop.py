"""`course slides`, `course room` and `course progress --export`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kmscourse.lab import record


def test_progress_goes_to_the_instructor_and_to_another_machine(
    run: Any, home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "room"
    folder.mkdir()
    record.update("05-envelopes", "seal", lambda now: record.TaskProgress(True, 2, 1))
    said = run("progress", "--export", str(folder), "--as", "ada")
    assert said.code == 0
    assert json.loads((folder / "progress-ada.json").read_text())["who"] == "ada"

    said = run("room", str(folder))
    assert "The page of 1 learner is in" in said.out
    assert "Where the room is stuck" in (folder / "room.html").read_text(encoding="utf-8")

    record.reset("05-envelopes")
    said = run("progress", "--import", str(folder / "progress-ada.json"))
    assert said.out == "Taken in. 1 task is done now; nothing was lost.\n"
    assert record.read_progress().task("05-envelopes", "seal").done


def test_files_of_one_name_from_two_machines_are_two_learners(
    run: Any, home: Path, tmp_path: Path
) -> None:
    """Thirty people send a progress.json each; the chat numbers them."""
    sent, gathered = tmp_path / "progress.json", tmp_path / "room"
    gathered.mkdir()
    for name in ("progress.json", "progress (1).json"):
        record.progress_file().with_name(".handed-in-as").unlink(missing_ok=True)
        assert run("progress", "--export", str(sent)).code == 0
        sent.rename(gathered / name)
    assert "The page of 2 learners is in" in run("room", str(gathered)).out


def test_whoever_hands_in_twice_without_a_name_counts_once(
    run: Any, home: Path, tmp_path: Path
) -> None:
    for name in ("before.json", "after.json"):
        assert run("progress", "--export", str(tmp_path / name)).code == 0
    assert "The page of 1 learner is in" in run("room", str(tmp_path)).out


def test_a_pair_may_hand_in_under_both_names(run: Any, home: Path, tmp_path: Path) -> None:
    run("progress", "--export", str(tmp_path), "--as", "ada/grace")
    written = json.loads((tmp_path / "progress-ada-grace.json").read_text())
    assert written["who"] == "ada/grace"


def test_what_is_no_progress_is_refused_and_nothing_changes(
    run: Any, home: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "odd.json"
    odd.write_text("{}")
    said = run("progress", "--import", str(odd))
    assert said.code == 1
    assert "cannot be taken in" in said.err
    assert "Nothing was changed." in said.err
    said = run("room", str(tmp_path / "nowhere"))
    assert said.code == 1
    assert "There is no such folder" in said.err


def test_slides_of_an_unknown_lesson(run: Any, home: Path) -> None:
    said = run("slides", "99")
    assert said.code == 1
    assert "There is no lesson called" in said.err
