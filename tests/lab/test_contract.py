"""Every task of every lesson keeps the contract; and the contract catches what breaks it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from kmscourse import cloud, course
from kmscourse.lab.cells import code_cells
from kmscourse.lab.contract import Problems, problems
from kmscourse.lab.tasks import TaskError, load

FIXTURES = Path(__file__).parent / "fixtures"
LABS = [each for each in course.lessons() if each.checks.is_file()]
GOOD = course.lesson("01-boxes", FIXTURES / "good")


@cache
def found_in(lesson: course.Lesson) -> Problems:
    """Each lab is run once; what it started is ended, for the tests that come after."""
    try:
        return problems(lesson)
    finally:
        cloud.stop()


def tasks_of(lessons: list[course.Lesson]) -> list[object]:
    """One parameter for each task; "" is for what concerns the lab as a whole."""
    params: list[object] = []
    for lesson in lessons:
        try:
            names = [task.name for task in load(lesson.checks)]
        except Exception:
            names = []  # the test for "" fails, and says why
        params += [pytest.param(lesson, n, id=f"{lesson.name}-{n or 'lab'}") for n in ("", *names)]
    return params


@pytest.mark.parametrize(("lesson", "task"), tasks_of([*LABS, GOOD]))
def test_contract(lesson: course.Lesson, task: str) -> None:
    assert found_in(lesson)[task] == []


@pytest.mark.parametrize("lesson", [pytest.param(each, id=each.name) for each in [*LABS, GOOD]])
def test_a_lab_is_read_as_the_builder_reads_it(lesson: course.Lesson) -> None:
    import jupytext

    text = lesson.lab_source.read_text(encoding="utf-8")
    cells = [c for c in jupytext.reads(text, fmt="py:percent").cells if c.cell_type == "code"]
    assert [(c.source, c.metadata.get("task")) for c in cells] == [
        (c.source, c.task) for c in code_cells(text)
    ]


LAB = '''\
# %%
given = 1

# %% task="double"
def double(number):
    """Twice the number."""
    # begin solution
    return 2 * number
    # end solution
'''

CHECKS = """\
from kmscourse.lab import Wrong, task

@task("double", minutes=1, asks="double(number) -> int", hints=["What?", "2 * number"], why="So.",
      wrong=[Wrong("def double(number): return number", says="It gives 3")],
      also_right=["def double(number): return number + number"])
def double(work):
    got = work.function("double", returns=int)(3)
    work.expect(got == 6, f"It gives {got} for 3.")
"""


def lesson_of(folder: Path, lab: str = LAB, checks: str = CHECKS) -> course.Lesson:
    home = folder / "lessons" / "03-double"
    home.mkdir(parents=True)
    (home / "lab.py").write_text(lab, encoding="utf-8")
    (home / "checks.py").write_text(checks, encoding="utf-8")
    return course.Lesson("03-double", "Double", course.Minutes(1, 1), "Double.", folder)


def test_a_small_lesson_keeps_it(tmp_path: Path) -> None:
    assert problems(lesson_of(tmp_path)) == {"": [], "double": []}


@pytest.mark.parametrize(
    ("checks", "says"),
    [
        (("got == 6", "True"), "wrong answer 1 is <State.DONE"),
        (("got == 6", "False"), "also_right 1 does not pass: It gives 6"),
        (("got == 6", "got == 7"), "its solution does not pass (<State.NOT_THERE_YET"),
        (("says=\"It gives 3\"", "says=\"other\""), "should be told 'other'"),
        (("wrong=[Wrong", "wrong=[Wrong('double = len', says='gives'), Wrong"), "of its own"),
        (
            ("wrong=[Wrong", "wrong=[Wrong('def double(n): return n', says='It gives'), Wrong"),
            "has no message of its own",
        ),
        (("wrong=[Wrong(\"def double(number): return number\", says=\"It gives 3\")]", "wrong=[]"),
         "nothing shows that its check can fail"),
        (("def double(number): return number\",", "1/0\","), "wrong answer 1 stops with ZeroDiv"),
        (("return number + number", "return"), "also_right 1 does not pass"),
        (("got = work", "raise LookupError('x'); got = work"), "did not foresee"),
        (("    got = work", "    1/0; got = work"), "wrong answer 1 is <State.UNKNOWN"),
        (('asks="double(', 'asks="triple('), "its solution does not define `triple`"),
    ],
)  # fmt: skip
def test_checks_that_break_it_are_caught(
    tmp_path: Path, checks: tuple[str, str], says: str
) -> None:
    assert checks[0] in CHECKS
    found = problems(lesson_of(tmp_path, checks=CHECKS.replace(*checks)))
    assert says in " ".join(found["double"]), found


@pytest.mark.parametrize(
    ("lab", "task", "says"),
    [
        (('task="double"', 'task="treble"'), "", "checks.py has no task 'treble'"),
        (('task="double"', 'task="treble"'), "double", "0 cells of lab.py hold its solution"),
        (("given = 1", "given = 1 / 0"), "", "line 1: the cell stops with ZeroDivisionError"),
        (("given = 1", "double = 1"), "double", "before its cell is run it says"),
        (("    # begin solution\n", "    number += 0\n    # begin solution\n"), "double", None),
        (
            ("    # begin solution\n", "    # begin solution\n    # stub: return 2 * number\n"),
            "double",
            None,
        ),
        (("def double", "undefined\ndef double"), "double", "untouched cell stops with NameError"),
        (
            (LAB[LAB.index("def double") :], "# begin solution\ndouble = int\n# end solution\n"),
            "double",
            "does not show the name `double`",
        ),
    ],
)
def test_labs_that_break_it_are_caught(
    tmp_path: Path, lab: tuple[str, str], task: str, says: str | None
) -> None:
    assert lab[0] in LAB
    found = problems(lesson_of(tmp_path, lab=LAB.replace(*lab)))
    if says:
        assert says in " ".join(found[task]), found
    else:
        assert not any("untouched" in each for each in found[task]), found


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('hints=["What?", "2 * number"]', 'hints=["What?"]'), "at least two hints"),
        (('"double", minutes', '"Double it!", minutes'), "not a name for a task"),
        (('why="So."', 'why=" "'), "`why` is empty"),
        (('asks="double(', 'asks="(double'), "begin with the name"),
        (('says="It gives 3"', 'says=""'), "needs `says`"),
        (("@task(", "task("), "declares no task|invalid syntax"),
    ],
)
def test_checks_that_cannot_be_used_are_refused(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    assert change[0] in CHECKS
    text = CHECKS.replace(*change)
    with pytest.raises(TaskError, match=says):
        load(lesson_of(tmp_path, checks=text).checks)


def test_two_tasks_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = CHECKS + CHECKS.split("\n", 2)[2]
    with pytest.raises(TaskError, match="two tasks called 'double'"):
        load(lesson_of(tmp_path, checks=twice).checks)
