"""Each rule of a lesson's text, broken once: the message names the file and the line."""

from __future__ import annotations

import pytest

from kmscourse.authoring import rules
from kmscourse.authoring.tasks import task_names
from kmscourse.course import CourseError

LESSON = "lessons/01-second/lesson.py"
LAB = "lessons/01-second/lab.py"
CHECKS = "lessons/01-second/checks.py"


def _said(mini, name="01-second"):
    return [problem.text(mini.home) for problem in rules.problems(mini.lesson(name))]


def test_a_good_lesson_has_no_problems(mini):
    assert _said(mini) == []
    assert _said(mini, "00-first") == []


def test_what_a_lesson_needs_is_by_its_kind(mini):
    for part in ("lab.py", "checks.py", "questions.yaml"):
        (mini.home / "lessons/01-second" / part).unlink()
    assert [said.partition(":")[0] for said in _said(mini)] == [
        "lessons/01-second/questions.yaml",
        "lessons/01-second/lab.py",
    ]
    mini.replace("lessons/index.yaml", "01-second,", "01-second, kind: practice,")
    assert _said(mini) == []
    (mini.home / "lessons/01-second/teaching.md").unlink()
    assert _said(mini) != []
    mini.replace("lessons/index.yaml", "kind: practice", "kind: exercise")
    with pytest.raises(CourseError, match="a kind other than lesson is opening or practice"):
        mini.lesson("01-second")


LONG = "\n".join(f"x{n} = {n}" for n in range(14))
FIRST_CODE = "# %%\nanswer = 6 * 7"


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (LESSON, FIRST_CODE, f"# %%\n{LONG}", f"{LESSON}:6: a code cell has 16 lines"),
        (LESSON, "[markdown]", '[markdown] shows="a"', f"{LESSON}:1: shows an objective, but only"),
        (LESSON, "# # A heading", "# A heading", f"{LESSON}:1: should begin with a markdown"),
        (LESSON, "# %% [markdown]", "# %%", f"{LESSON}:1: should begin with a markdown"),
        (LESSON, "raises-exception", "raise-exception", ":11: the tag 'raise-exception' does"),
        (LESSON, "tags=[", "tag=[", f"{LESSON}:11: 'tag' in a cell's header does nothing"),
        (
            LESSON,
            'tags=["raises-exception"]',
            'tags="x"',
            "jupytext cannot read it: 'x' is not",
        ),
        (LESSON, "6 * 7", "6 *", f"{LESSON}:7: the cell is not Python: invalid syntax"),
        (LESSON, "6 * 7", "6 * 7  \n# NBVAL_SKIP", f"{LESSON}:6: the comment NBVAL_SKIP"),
        (LESSON, "\nanswer\n", "\nanswer;  # quiet\n", f"{LESSON}:9: `;` at the end hides"),
        (LESSON, FIRST_CODE, f"# %%\n\n{FIRST_CODE}", f"{LESSON}:6: a code cell is empty"),
        (LESSON, FIRST_CODE, f'# %% task="one"\n{FIRST_CODE[5:]}', f"{LESSON}:6: a task and"),
        (LESSON, "raises-exception", "nbval-ignore-output", f"{LESSON}:11: its output is not"),
        (LAB, '# %% task="one"', "# %%", f"{LAB}:9: a solution without a task"),
        (LAB, '# %% task="one"', "# %%", f"{LAB}: has 4 tasks; a lab has at least 5"),
        (LAB, 'check("one")', 'check("two")', f"{LAB}:9: no cell checks the task: `lab.check"),
        (LAB, "# end solution\n", "", f"{LAB}:11: the solution begun here never ends"),
        (LAB, "# begin solution\none = 1", "one = 1 #", f"{LAB}:12: `# end solution` without"),
        (LAB, "one = None", "def one():", f"{LAB}:11: the cell is not Python"),
        (CHECKS, 'task("one"', 'task("won"', f"{LAB}:9: the task 'one' is not in checks.py"),
        (CHECKS, 'task("one"', 'task("won"', f"{CHECKS}:1: the task 'won' has no cell in lab"),
        (CHECKS, "(work)", "(work", f"{CHECKS}:2: is not Python: '(' was never closed."),
    ],
)
def test_a_broken_rule_is_told_with_its_place(mini, file, old, new, said):
    mini.replace(file, old, new)
    assert any(said in text for text in _said(mini)), _said(mini)


def test_an_output_may_be_ignored_where_the_next_cell_asserts(mini):
    mini.replace(LESSON, "raises-exception", "nbval-ignore-output")
    mini.replace(LESSON, "from IPython.display import HTML\n\nHTML", "assert len")
    assert _said(mini) == []


@pytest.mark.parametrize("said", ['print("assert")', "# assert nothing"])
def test_the_word_assert_is_not_an_assertion(mini, said):
    mini.replace(LESSON, "raises-exception", "nbval-ignore-output")
    mini.replace(LESSON, "from IPython.display import HTML", said)
    assert any("must `assert`" in text for text in _said(mini))


def test_magics_and_shell_lines_are_code(mini):
    mini.replace(LESSON, FIRST_CODE, "# %%\n# !aws kms list-keys\n# %time 1\nanswer = await one()")
    assert _said(mini) == []


@pytest.mark.parametrize("part", ["lesson.py", "lab.py", "checks.py", "questions.yaml"])
def test_a_lesson_is_not_whole_without_each_part(mini, part):
    path = mini.home / "lessons/01-second" / part
    path.unlink()
    assert f"lessons/01-second/{part}: is missing: a lesson is not whole without it." in _said(mini)


def test_a_lesson_without_a_folder(mini):
    text = (mini.home / "lessons/index.yaml").read_text()
    mini.write("lessons/index.yaml", text.replace("01-second", "02-third"))
    assert "lessons/02-third: is named in" in _said(mini, "02-third")[0]


def test_tasks_are_found_however_they_are_declared(tmp_path):
    checks = tmp_path / "checks.py"
    checks.write_text(
        '@task("a", minutes=2)\ndef a(work): ...\n\n'
        '@lab.task(name="b")\ndef b(work): ...\n\nprint("c", task)\n'
    )
    assert task_names(checks) == {"a": 1, "b": 4}
