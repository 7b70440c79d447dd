"""The contract that every task of every lesson keeps.

- Untouched, and before its cell is run, a task says "not attempted".
- Each wrong answer listed beside it gets its own message, with the phrase that it names.
- Each answer listed as also right passes, and so does the solution.
- It has at least two hints, and at least one wrong answer: a check that cannot fail checks nothing.

`problems(lesson)` runs a lab's cells once, from top to bottom, and tries all of this at the place
of each task, so that setup cells and earlier solutions are there as they are for a learner.
"""

from __future__ import annotations

import ast
import linecache
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kmscourse.course import Lesson
from kmscourse.lab import record
from kmscourse.lab.cells import CodeCell, code_cells, has_solution, solved, stub
from kmscourse.lab.panels import Report, State
from kmscourse.lab.session import Session
from kmscourse.lab.tasks import Task

Problems = dict[str, list[str]]


def problems(lesson: Lesson) -> Problems:
    """What is wrong with each task of a lesson; an empty list for a task that keeps the contract.

    What concerns no task stands under "". Progress is kept in memory meanwhile.
    """
    with _no_progress():
        return _problems(lesson)


def _problems(lesson: Lesson) -> Problems:
    names: dict[str, Any] = {"__name__": "__main__"}
    session = Session(lesson, names)
    found: Problems = {"": [], **{name: [] for name in session.tasks}}
    seen: Counter[str] = Counter()
    for cell in code_cells(lesson.lab_source.read_text(encoding="utf-8")):
        task = session.tasks.get(cell.task) if cell.task else None
        if cell.task and task is None:
            found[""].append(f"lab.py, line {cell.line}: checks.py has no task {cell.task!r}.")
        if task is not None and has_solution(cell.source):
            seen[task.name] += 1
            if seen[task.name] == 1:
                found[task.name] += _of_task(session, task, cell)
        failed = run(solved(cell.source), names, f"lab.py:{cell.line}")
        if failed:
            found[""].append(f"lab.py, line {cell.line}: the cell stops with {failed}.")
        if task is not None and seen[task.name] == 1 and has_solution(cell.source):
            found[task.name] += _of_solution(session, task)
    for name in session.tasks:
        if seen[name] != 1:
            found[name].append(
                f'{seen[name]} cells of lab.py hold its solution (`# %% task="{name}"`); '
                "there should be one."
            )
    return found


def _of_task(session: Session, task: Task, cell: CodeCell) -> Iterator[str]:
    """What is wrong, tried where the cells above have run and the task's own has not."""
    if (state := _judge(session, task).state) is not State.NOT_ATTEMPTED:
        yield f"before its cell is run it says {state!r}, not 'not attempted'."
    untouched = stub(cell.source)
    for name in task.defines:
        if not re.search(rf"\b{name}\b", untouched):
            yield f"the untouched cell does not show the name `{name}`, which its check asks for."
    report = _with_answer(session, task, untouched)
    if isinstance(report, str):
        yield f"the untouched cell stops with {report}."
    elif report.state is not State.NOT_ATTEMPTED:
        yield f"untouched it says {report.state!r}, not 'not attempted': {report.message}"
    if not task.wrong:
        yield "it lists no wrong answer, so nothing shows that its check can fail."
    messages: dict[int, str] = {}
    for number, wrong in enumerate(task.wrong, start=1):
        report = _with_answer(session, task, wrong.code)
        if isinstance(report, str):
            yield f"wrong answer {number} stops with {report} before it is checked."
        elif report.state is not State.NOT_THERE_YET:
            yield f"wrong answer {number} is {report.state!r}: {report.message}"
        else:
            messages[number] = report.message
            if wrong.says not in report.message:
                yield (
                    f"wrong answer {number} should be told {wrong.says!r}, "
                    f"but is told {report.message!r}"
                )
    for number, message in messages.items():
        for other, wrong in enumerate(task.wrong, start=1):
            if other != number and wrong.says in message:
                yield (
                    f"wrong answer {number} has no message of its own: {message!r} "
                    f"is also what wrong answer {other} names."
                )
    for number, code in enumerate(task.also_right, start=1):
        report = _with_answer(session, task, code)
        if isinstance(report, str):
            yield f"also_right {number} stops with {report} before it is checked."
        elif report.state is not State.DONE:
            yield f"also_right {number} does not pass: {report.message} {report.place}".rstrip()


def _of_solution(session: Session, task: Task) -> Iterator[str]:
    for name in task.defines:
        if name not in session.names:
            yield f"its solution does not define `{name}`, which it asks for."
            return
    for time in ("", " a second time"):
        report = _judge(session, task)
        if report.state is not State.DONE:
            said = f"{report.message} {report.place}".rstrip()
            yield f"its solution does not pass{time} ({report.state!r}): {said}"
            return


def _with_answer(session: Session, task: Task, code: str) -> Report | str:
    """The report on an answer, in a copy of the names; or how its cell stops."""
    before = session.names
    session.names = dict(before)
    try:
        failed = run(code, session.names, f"answer to {task.name}")
        return failed or _judge(session, task)
    finally:
        session.names = before


def _judge(session: Session, task: Task) -> Report:
    return session.judge(task)


def run(source: str, names: dict[str, Any], called: str) -> str:
    """Run a cell's code; gives how it stopped, or "". Calls of `lab` at the top are passed over."""
    filename = f"<{called}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    try:
        tree = ast.parse(source, filename)
        tree.body = [node for node in tree.body if not _asks_lab(node)]
        exec(compile(tree, filename, "exec", dont_inherit=True), names)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{type(error).__name__}: {error}"
    return ""


def _asks_lab(node: ast.stmt) -> bool:
    """`lab.check("seal")` and the like: what the notebook shows, not what it makes."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and isinstance(node.value.func.value, ast.Name)
        and node.value.func.value.id == "lab"
    )


@contextmanager
def _no_progress() -> Iterator[None]:
    before = os.environ.get(record.SWITCH)
    os.environ[record.SWITCH] = "off"
    try:
        yield
    finally:
        if before is None:
            del os.environ[record.SWITCH]
        else:
            os.environ[record.SWITCH] = before
