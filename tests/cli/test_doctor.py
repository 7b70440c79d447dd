"""`course doctor`: what it finds where something is wrong."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kmscourse import doctor, jupyter
from kmscourse.doctor import checks


def levels(check: doctor.Check) -> list[doctor.Level]:
    return [finding.level for finding in check()]


def only(check: doctor.Check) -> doctor.Finding:
    [finding] = check()
    return finding


def test_the_doctor_says_one_thing_to_do(run: Any, home: Path, capsys: Any) -> None:
    (home / "labs" / "05-envelopes.ipynb").unlink()
    assert doctor.examine([checks.folder]) is False
    said = capsys.readouterr().out
    assert re.search(r"^wrong  Missing from .*: labs/05-envelopes\.ipynb\.$", said, re.MULTILINE)
    assert "       -> Bring them back (git checkout -- notebooks labs)" in said
    assert said.endswith("1 thing is wrong.\n")


def test_a_check_that_breaks_does_not_take_the_others_along(capsys: Any) -> None:
    def broken() -> Iterator[doctor.Finding]:
        """The moon is round."""
        raise RuntimeError("clouds")
        yield

    assert doctor.examine([broken, checks.python]) is False
    said = capsys.readouterr().out
    assert "This could not be examined: The moon is round. RuntimeError: clouds" in said
    assert "well   Python 3." in said


def test_another_version_is_found(home: Path) -> None:
    assert only(checks.packages).level is doctor.Level.WELL
    lock = home / "uv.lock"
    text = lock.read_text(encoding="utf-8")
    lock.write_text(
        text.replace('name = "boto3"\nversion = "1.44.5"', 'name = "boto3"\nversion = "9.9.9"'),
        encoding="utf-8",
    )
    found = only(checks.packages)
    assert found.level is doctor.Level.WRONG
    assert "boto3 is 1.44.5, not 9.9.9" in found.text
    assert found.remedy


def test_a_missing_package_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = list(checks.importlib.metadata.distributions())
    without = [each for each in real if each.name != "anywidget"]
    monkeypatch.setattr(checks.importlib.metadata, "distributions", lambda: without)
    assert "anywidget is missing" in only(checks.packages).text


def test_an_old_python_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.platform, "python_version", lambda: "3.10.13")
    found = only(checks.python)
    assert (found.level, found.text[:16]) == (doctor.Level.WRONG, "Python is 3.10.1")


@pytest.mark.parametrize("year", [1970, 2020, 2099])
def test_a_wrong_clock_is_found(home: Path, monkeypatch: pytest.MonkeyPatch, year: int) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime(year, 1, 1, tzinfo=tz)

    monkeypatch.setattr(checks, "datetime", Clock)
    found = only(checks.clock)
    assert found.level is doctor.Level.WRONG
    assert found.remedy == "Set the date and time."


@pytest.mark.parametrize(
    ("number", "says"), [(errno.ENOSPC, "is full"), (errno.EACCES, "cannot be written")]
)
def test_work_that_could_not_be_kept_is_found(
    home: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(checks.tempfile, "NamedTemporaryFile", refuse)
    found = only(checks.writing)
    assert found.level is doctor.Level.WRONG
    assert says in found.text


def test_little_room_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=80_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert "Only 80 MB are left" in only(checks.writing).text


def test_a_simulator_that_lies_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Liar:
        def create_key(self, **_: object) -> dict[str, Any]:
            return {"KeyMetadata": {"KeyId": "k"}}

        def encrypt(self, Plaintext: bytes, **_: object) -> dict[str, Any]:  # noqa: N803
            return {"CiphertextBlob": b"<" + Plaintext + b">"}

        def decrypt(self, CiphertextBlob: bytes, **_: object) -> dict[str, Any]:  # noqa: N803
            return {"Plaintext": CiphertextBlob[1:-1]}

    monkeypatch.setattr("boto3.client", lambda service: Liar())
    assert only(checks.simulator).level is doctor.Level.WRONG


def test_a_kernel_that_does_not_start_is_found(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "other" / "kernels" / "python3"
    folder.mkdir(parents=True)
    spec = {"argv": ["/bin/false"], "display_name": "Other", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    other = jupyter.environment(home, os.environ) | {"JUPYTER_PATH": str(tmp_path / "other")}
    monkeypatch.setattr(jupyter, "environment", lambda home, given: other)
    found = only(checks.kernel)
    assert found.level is doctor.Level.WRONG
    assert found.text.startswith("No kernel could be started")


def test_widgets_that_are_missing_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert "ipywidgets and anywidget" in only(checks.widgets).text


def test_a_port_in_use_is_noted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jupyter, "free_port", lambda: 8889)
    found = only(checks.port)
    assert found == doctor.Finding(
        doctor.Level.NOTE, "Port 8888 is in use: the course will take port 8889."
    )


def test_no_browser_is_only_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise checks.webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(checks.webbrowser, "get", none)
    assert only(checks.browser).level is doctor.Level.NOTE


def test_real_credentials_are_noted_and_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert only(checks.credentials).level is doctor.Level.WELL
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("not even valid")
    monkeypatch.setenv("AWS_PROFILE", "hospital")
    found = only(checks.credentials)
    assert found.level is doctor.Level.NOTE
    assert str(tmp_path / ".aws" / "credentials") in found.text
    assert "AWS_PROFILE" in found.text
    assert "hospital" not in found.text
