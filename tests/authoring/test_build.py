"""The builder, with real kernels: what it writes, what it leaves alone, what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from rich.console import Console

from kmscourse.authoring.build import build
from kmscourse.authoring.products import Kind, products
from kmscourse.course import HOME_VARIABLE

from .conftest import NEWCOMER, MiniCourse


def _quiet():
    return Console(quiet=True)


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """A course built once; tests that change it take a copy."""
    mini = MiniCourse(tmp_path_factory.mktemp("once") / "course")
    report = build(products(mini.lessons()), console=_quiet())
    assert report.problems == []
    assert len(report.written) == 4
    return mini


@pytest.fixture
def built(once, tmp_path):
    shutil.copytree(once.home, tmp_path / "copy")
    return MiniCourse(tmp_path / "copy")


def _stamps(mini):
    return {p: p.stat().st_mtime_ns for p in mini.home.rglob("*.ipynb")}


def test_what_is_built_is_executed_and_bare_of_noise(once):
    notebook = nbformat.read(once.product("01-second", Kind.NOTEBOOK).path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3]
    assert [o.output_type for o in code[0].outputs] == ["stream", "execute_result"]
    assert code[1].outputs[0].ename == "KeyError"
    assert all(not set(cell.metadata) - {"tags"} for cell in notebook.cells)
    assert notebook.metadata.language_info == {"name": "python"}
    text = json.dumps(notebook)
    for noise in ("\\u001b", "3.11", "iopub", "model_id"):
        assert noise not in text
    solution = nbformat.read(once.product("01-second", Kind.SOLUTION).path, as_version=4)
    assert str(solution).count("'Done'") == 5
    lab = nbformat.read(once.product("01-second", Kind.LAB).path, as_version=4)
    assert not any(c.get("outputs") or c.get("execution_count") for c in lab.cells)


def test_building_all_again_gives_the_same_bytes_and_touches_nothing(built):
    before = _stamps(built)
    both = [built.product("01-second", kind) for kind in (Kind.NOTEBOOK, Kind.LAB)]
    report = build(both, everything=True, console=_quiet())
    assert (len(report.unchanged), report.written, report.problems) == (2, [], [])
    assert _stamps(built) == before


def test_what_is_up_to_date_is_not_run_again(built):
    before = _stamps(built)
    report = build(products(built.lessons()), console=_quiet())
    assert len(report.up_to_date) == 4
    assert _stamps(built) == before


def test_only_what_changed_is_written(built):
    built.replace("lessons/00-first/lesson.py", "6 * 7", "6 * 9")
    report = build(products(built.lessons()), console=_quiet())
    assert report.written == [built.product("00-first", Kind.NOTEBOOK).path]
    assert '"54"' in report.written[0].read_text()
    assert not list(built.home.rglob("*.part"))


HEADING = "# %% [markdown]\n# # A heading\n\n"
SLEEPER = "# %%\nimport time\n\n# %%\ntime.sleep(60)\n"
OUTPUT = """\
# %%
from ipywidgets import Output

with Output():
    print("into the widget")
"""
UPDATE = """\
# %%
from IPython.display import display

handle = display("before", display_id="one")

# %%
handle.update("after")
"""
DEATH = """\
# %%
import os
import sys

print("the last words", file=sys.__stderr__, flush=True)
os._exit(1)
"""

REFUSED = {
    "raises": ("# %%\nx = 1\n\n# %%\ny = 1\nx / 0\n", 9, "cell 3: ZeroDivisionError: division by"),
    "tagged": ('# %% tags=["raises-exception"]\n1\n', 4, "raises-exception, but it does not raise"),
    "stderr": ("# %%\nimport warnings\n\nwarnings.warn('old')\n", 4, "it wrote to stderr"),
    "update": (UPDATE, 9, "changes an output after showing it"),
    "output": (OUTPUT, 4, "prints into an ipywidgets Output"),
    "death": (DEATH, 4, "its kernel died.\nthe last words"),
    "sleep": (SLEEPER, 7, "it ran for more than 1 seconds"),
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """One course whose every notebook must be refused, built in one go."""
    mini = MiniCourse(tmp_path_factory.mktemp("refused") / "course")
    lines = []
    for name, (text, _, _) in REFUSED.items():
        mini.write(f"lessons/00-{name}/lesson.py", HEADING + text)
        about = f"title: {name}, minutes: {{lesson: 1, lab: 0}}, about: {name}"
        lines.append(f"- {{name: 00-{name}, {about}}}\n")
    mini.write("lessons/index.yaml", "".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kmscourse.authoring.execute.CELL_SECONDS", 1)
        report = build(products(mini.lessons()), console=_quiet())
    return mini, report


@pytest.mark.parametrize("name", REFUSED)
def test_a_cell_that_fails_stops_its_notebook_with_a_clear_message(refused, name):
    mini, report = refused
    _, line, said = REFUSED[name]
    texts = [p.text(mini.home) for p in report.problems]
    (text,) = [t for t in texts if t.startswith(f"lessons/00-{name}/lesson.py:")]
    assert text.startswith(f"lessons/00-{name}/lesson.py:{line}: 00-{name} (notebook), cell ")
    assert said in text
    assert not (mini.home / f"notebooks/00-{name}.ipynb").exists()


def test_the_failing_line_is_shown_with_an_arrow(refused):
    mini, report = refused
    (text,) = [p.text(mini.home) for p in report.problems if "ZeroDivision" in p.message]
    assert text.endswith("\n    y = 1\n--> x / 0")


def test_a_failure_leaves_its_old_file_and_does_not_stop_the_others(built):
    failing, edited = (built.product(n, Kind.NOTEBOOK).path for n in ("00-first", "01-second"))
    good = {path: path.read_bytes() for path in (failing, edited)}
    built.replace("lessons/00-first/lesson.py", "answer = 6 * 7", "answer = nothing")
    edited.write_bytes(good[edited].replace(b'"42"', b'"43"'))
    report = build(products(built.lessons()), console=_quiet())
    assert report.written == [edited]
    assert "NameError: name 'nothing' is not defined" in report.problems[0].message
    assert {path: path.read_bytes() for path in (failing, edited)} == good


def test_a_notebook_runs_as_for_a_learner_who_has_not_begun(mini, someone):
    """Progress and settings of whoever builds must not reach an output, nor be reached by one."""
    mini.write("my-work/progress.json", "{}")
    mini.write("lessons/00-first/lesson.py", HEADING + NEWCOMER)
    report = build([mini.product("00-first", Kind.NOTEBOOK)], console=_quiet())
    assert report.problems == []
    notebook = nbformat.read(report.written[0], as_version=4)
    assert notebook.cells[1].outputs[0].text == "False 2 False UTC\nTrue\n"
    assert [p.name for p in (mini.home / "my-work").iterdir()] == ["progress.json"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to a process")
def test_ctrl_c_ends_the_whole_build(mini):
    for name in ("00-first", "01-second"):
        touch = f"open({str(mini.home / name)!r}, 'w').close()"
        text = f"{HEADING}# %%\nimport time\n\n{touch}\ntime.sleep(60)\n"
        mini.write(f"lessons/{name}/lesson.py", text)
    program = (
        "from kmscourse import course\n"
        "from kmscourse.authoring.build import build\n"
        "from kmscourse.authoring.products import products\n"
        "build(products(course.lessons()), at_once=1)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, HOME_VARIABLE: str(mini.home)},
        stderr=subprocess.PIPE,
        text=True,
        # A shell may have told us to ignore Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        while not (mini.home / "00-first").exists():
            assert run.poll() is None
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=30)
    finally:
        run.kill()
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert not (mini.home / "01-second").exists()
    assert not list(mini.home.glob("notebooks/*.ipynb"))
