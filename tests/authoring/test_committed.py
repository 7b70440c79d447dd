"""What is committed is compared with its source, and nothing has to run for it."""

from __future__ import annotations

import json

import nbformat
import pytest
from nbformat.v4 import new_output

from kmscourse.authoring import leaks as leaks_module
from kmscourse.authoring import products as products_module
from kmscourse.authoring import whole
from kmscourse.authoring.build import write
from kmscourse.authoring.committed import differences
from kmscourse.authoring.outputs import digest
from kmscourse.authoring.products import Kind, products, unexecuted


@pytest.fixture
def built(mini):
    """The course with notebooks that look executed: no kernel is needed to compare files."""
    for product in products(mini.lessons()):
        notebook = unexecuted(product)
        if product.executed:
            code = [cell for cell in notebook.cells if cell.cell_type == "code"]
            for count, cell in enumerate(code, start=1):
                cell.execution_count = count
                cell.outputs = [new_output("stream", name="stdout", text=f"said {count}\n")]
            notebook.metadata.kmscourse["outputs"] = digest(notebook.cells)
        write(product.path, notebook)
    return mini


def _edit(product, change):
    """Change the file as a hand or a program would, past the builder."""
    notebook = nbformat.read(product.path, as_version=4)
    change(notebook)
    nbformat.write(notebook, product.path)


def _said(built, kind):
    return " ".join(p.text(built.home) for p in differences(built.product("01-second", kind)))


def test_what_was_built_does_not_differ(built):
    assert whole.problems(built.lessons()) == []
    assert whole.strays(built.home, built.lessons()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda nb: nb.cells[1].update(source="other"),
            "cell 2 differs from lessons/01-",
        ),
        (lambda nb: nb.cells[1].update(id="other"), ":6 in id"),
        (lambda nb: nb.cells[2].metadata.clear(), "in metadata"),
        (lambda nb: nb.cells.pop(), "has 3 cells; its source has 4"),
        (lambda nb: nb.metadata.language_info.update(version="3.11.7"), "notebook metadata"),
        (lambda nb: nb.metadata.update(widgets={}), "notebook metadata"),
        (lambda nb: nb.metadata.kmscourse.update(inputs="0"), "other text than its lesson"),
        (lambda nb: nb.cells[1].update(execution_count=None), "cell 2 was not executed"),
        (lambda nb: nb.cells[1].update(execution_count=7), "from top to bottom"),
        (lambda nb: nb.cells[1].outputs.clear(), "changed or removed by hand"),
        (lambda nb: nb.cells[1].outputs[0].update(text="said 2"), "changed or removed by hand"),
        (lambda nb: [c.update(outputs=[]) for c in nb.cells[1:]], "has no outputs at all"),
    ],
)
def test_every_change_to_an_executed_notebook_is_seen(built, change, said):
    _edit(built.product("01-second", Kind.NOTEBOOK), change)
    assert said in _said(built, Kind.NOTEBOOK)


def test_a_picture_and_a_widget_are_seen_too_though_nbval_skips_them(built):
    product = built.product("01-second", Kind.NOTEBOOK)

    def add_picture(notebook):
        data = {"text/plain": "<Figure>", "image/png": "AAAA"}
        notebook.cells[1].outputs = [new_output("display_data", data=data)]
        notebook.metadata.kmscourse["outputs"] = digest(notebook.cells)

    _edit(product, add_picture)
    assert differences(product) == []
    _edit(product, lambda nb: nb.cells[1].outputs[0].data.update({"image/png": "BBBB"}))
    assert "changed or removed by hand" in _said(built, Kind.NOTEBOOK)


@pytest.mark.parametrize("part", ["lesson.py", "checks.py", "questions.yaml"])
def test_a_notebook_is_out_of_date_when_its_lesson_changes(built, part):
    path = built.home / "lessons/01-second" / part
    path.write_text(path.read_text() + "\n# another line\n")
    assert "other text than its lesson" in _said(built, Kind.NOTEBOOK)
    assert _said(built, Kind.LAB) == ""


def test_a_lab_must_not_have_outputs(built):
    lab = built.product("01-second", Kind.LAB)
    _edit(lab, lambda nb: nb.cells[1].update(execution_count=1))
    assert "cell 2 is a learner's to run" in _said(built, Kind.LAB)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}', '{"nbformat": 4}'])
def test_a_file_that_is_no_notebook_is_a_problem_not_a_traceback(built, content):
    built.product("01-second", Kind.NOTEBOOK).path.write_text(content)
    assert "is not a notebook" in _said(built, Kind.NOTEBOOK)


def test_a_missing_notebook(built):
    built.product("01-second", Kind.SOLUTION).path.unlink()
    assert _said(built, Kind.SOLUTION) == (
        "solutions/01-second.ipynb: is missing. Run `make build`."
    )


def test_a_notebook_of_no_lesson_and_a_lesson_of_no_index_are_strays(built):
    built.write("labs/99-gone.ipynb", "{}")
    built.write("lessons/99-gone/lesson.py", "# %%\n1\n")
    said = [p.text(built.home) for p in whole.strays(built.home, built.lessons())]
    assert len(said) == 2
    assert said[0].startswith("labs/99-gone.ipynb: belongs to no lesson")
    assert said[1].startswith("lessons/99-gone: is not in lessons/index.yaml")


def test_a_solution_left_in_the_lab_is_found_even_if_the_cutting_is_broken(built, monkeypatch):
    lab = built.product("01-second", Kind.LAB)
    assert leaks_module.leaks(lab) == []
    monkeypatch.setattr(products_module, "stub", products_module.solved)
    write(lab.path, unexecuted(lab))
    assert differences(lab) == []  # the lab is what the broken cutting makes of its source
    assert "gives a solution away: 'five = 5  # the secret of five'" in str(leaks_module.leaks(lab))
    monkeypatch.setattr(products_module, "stub", lambda source: source)
    write(lab.path, unexecuted(lab))
    assert "still holds the marker '# begin solution'" in str(leaks_module.leaks(lab))


def test_stub_lines_are_given_and_not_a_secret(built):
    built.replace(
        "lessons/01-second/lab.py",
        "# begin solution\none = 1",
        "# begin solution\n# stub: one = 0\none = 1",
    )
    lab = built.product("01-second", Kind.LAB)
    write(lab.path, unexecuted(lab))
    assert "one = 0" in lab.path.read_text()
    assert leaks_module.leaks(lab) == []


def test_what_is_written_has_sorted_keys_and_ends_with_a_newline(built):
    text = built.product("01-second", Kind.LAB).path.read_text()
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")
    keys = list(json.loads(text))
    assert keys == sorted(keys)
