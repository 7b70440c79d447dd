"""What a notebook, a lab and a solution are made of."""

from __future__ import annotations

import nbformat
import pytest

from kmscourse.authoring.problem import BuildError
from kmscourse.authoring.products import Kind, products, unexecuted

KINDS = list(Kind)


def _ids(notebook):
    return {cell.source: cell.id for cell in notebook.cells}


def test_each_lesson_makes_a_notebook_and_with_a_lab_all_three(mini):
    made = [(p.lesson.name, str(p.kind)) for p in products(mini.lessons())]
    assert made == [
        ("00-first", "notebook"),
        ("01-second", "notebook"),
        ("01-second", "lab"),
        ("01-second", "solution"),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_made_is_a_valid_notebook_without_noise(mini, kind):
    notebook = unexecuted(mini.product("01-second", kind))
    nbformat.validate(notebook)
    assert notebook.metadata.language_info == {"name": "python"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) == {"kernelspec", "language_info", "kmscourse"}
    identities = [cell.id for cell in notebook.cells]
    assert len(set(identities)) == len(identities)
    assert unexecuted(mini.product("01-second", kind)) == notebook


def test_tags_and_tasks_pass_through(mini):
    notebook = unexecuted(mini.product("01-second", Kind.NOTEBOOK))
    assert [c.metadata.tags for c in notebook.cells if c.metadata] == [["raises-exception"]]
    lab = unexecuted(mini.product("01-second", Kind.LAB))
    tasks = {c.metadata.task: c.id for c in lab.cells if c.metadata}
    assert tasks == {n: f"task-{n}" for n in ("one", "two", "three", "four", "five")}


def test_the_lab_is_cut_and_the_solution_is_whole(mini):
    lab = unexecuted(mini.product("01-second", Kind.LAB))
    solution = unexecuted(mini.product("01-second", Kind.SOLUTION))
    assert "secret" not in str(lab)
    assert str(lab).count("your code here") == 5
    assert str(solution).count("the secret of") == 5
    assert "end solution" not in str(lab) + str(solution)
    assert [c.id for c in lab.cells] == [c.id for c in solution.cells]


@pytest.mark.parametrize("place", ["# %%\nanswer", "# %% tags", "# %%\nfrom IPython"])
def test_ids_stay_when_a_cell_is_put_in_elsewhere(mini, place):
    product = mini.product("00-first", Kind.NOTEBOOK)
    before = _ids(unexecuted(product))
    mini.replace("lessons/00-first/lesson.py", place, f"# %%\nnew = 1\n\n{place}")
    after = _ids(unexecuted(product))
    assert len(after) == len(before) + 1
    assert before.items() <= after.items()


def test_equal_cells_have_different_ids(mini):
    twice = "# %% [markdown]\n# # A\n\n# %%\n1\n\n# %%\n1\n\n# %%\n1\n"
    mini.write("lessons/00-first/lesson.py", twice)
    identities = [c.id for c in unexecuted(mini.product("00-first", Kind.NOTEBOOK)).cells]
    assert len(set(identities)) == 4


def test_a_solution_that_does_not_end_is_told_with_its_line(mini):
    lab = "lessons/01-second/lab.py"
    text = (mini.home / lab).read_text()
    begins = text.splitlines().index("# begin solution") + 1
    mini.replace(lab, "# end solution\n", "")
    with pytest.raises(BuildError) as error:
        unexecuted(mini.product("01-second", Kind.LAB))
    assert error.value.problem.text(mini.home).startswith(f"{lab}:{begins}: ")
    assert "never ends" in error.value.problem.message
