"""The habits of the project, held by the tests: style, types, direction of imports, the lock."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kmscourse.doctor.lockfile import Lock

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def targets() -> dict[str, list[str]]:
    """The words of the Makefile and the lines of each."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines():
        if word := re.match(r"([a-z]+):", line):
            current = found.setdefault(word[1], [])
        elif line.startswith("\t"):
            current.append(line.strip())
    return found


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["lint-imports"],
        ["mypy"],
        ["mypy", "--strict", "tools"],
    ],
    ids=" ".join,
)
def test_the_code_is_clean(command: list[str]) -> None:
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_are_checked_strictly() -> None:
    assert PYPROJECT["tool"]["mypy"]["strict"] is True
    assert PYPROJECT["tool"]["mypy"]["packages"] == ["kmscourse"]


def test_a_commit_is_held_to_what_the_tests_hold() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]]
    assert {repo["repo"] for repo in hooks["repos"]} == {"local"}  # the lock gives the versions
    for tool in ("ruff check", "ruff format", "mypy", "lint-imports"):
        assert any(entry.startswith(f"uv run --frozen {tool}") for entry in entries), tool


# --- the lock -------------------------------------------------------------------------------------


def test_the_lock_fetches_from_the_public_index_only() -> None:
    sources = Lock(ROOT / "uv.lock").sources()
    assert len(sources) > 100
    assert {urlsplit(source).hostname for source in sources} == {
        "pypi.org",
        "files.pythonhosted.org",
    }


def test_no_setting_names_another_index() -> None:
    settings = PYPROJECT["tool"]["uv"]
    assert not {"index", "index-url", "extra-index-url", "find-links", "sources"} & set(settings)
    assert not (ROOT / "uv.toml").exists()
    assert not (ROOT / "pip.conf").exists()


def test_python_is_never_downloaded() -> None:
    assert PYPROJECT["tool"]["uv"]["python-downloads"] == "never"


def test_the_lock_is_that_of_pyproject() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    assert lock["requires-python"] == PYPROJECT["project"]["requires-python"]
    project = next(each for each in lock["package"] if each["name"] == "kmscourse")
    locked = project["metadata"]
    pairs = [
        (PYPROJECT["project"]["dependencies"], locked["requires-dist"]),
        (PYPROJECT["dependency-groups"]["dev"], locked["requires-dev"]["dev"]),
    ]
    for asked, in_lock in pairs:
        wanted = {canonicalize_name(r.name): str(r.specifier) for r in map(Requirement, asked)}
        assert wanted == {
            each["name"]: str(Requirement(f"x{each.get('specifier', '')}").specifier)
            for each in in_lock
        }


# --- the words of the Makefile --------------------------------------------------------------------


def test_each_word_of_make_is_one_line_and_is_listed() -> None:
    words = targets()
    assert {"lab", "test", "build", "bench", "lint", "types", "environment", "clean"} <= set(words)
    assert {word for word, lines in words.items() if len(lines) != 1} == set()
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make (\w+)", listed, re.MULTILINE)) == set(words)


def test_the_pages_speak_of_words_that_exist() -> None:
    for page in PAGES:
        spoken = set(re.findall(r"`make (\w+)`|^    make (\w+)", page.read_text(), re.MULTILINE))
        assert {word for pair in spoken for word in pair if word} <= set(targets()), page.name


def test_the_pages_link_to_what_exists() -> None:
    for page in PAGES:
        links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
        local = [link for link in links if not link.startswith("https://")]
        assert local
        assert [link for link in local if not (page.parent / link).exists()] == [], page.name
