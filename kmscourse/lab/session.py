"""A lab under way: its tasks, the learner's names, and what is asked of them."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kmscourse.course import Lesson
from kmscourse.lab import record
from kmscourse.lab.attempt import Stub, silent
from kmscourse.lab.cells import code_cells, solved, stub
from kmscourse.lab.deadline import TimeUp, limited
from kmscourse.lab.errors import told, told_with_help
from kmscourse.lab.panels import (
    Beginning,
    Hint,
    Notice,
    Overview,
    Panel,
    Report,
    Row,
    Solution,
    Standing,
    Standings,
    State,
)
from kmscourse.lab.pristine import Pristine
from kmscourse.lab.record import Progress, TaskProgress
from kmscourse.lab.tasks import Task, load, nearest
from kmscourse.lab.work import NotThereYet, Work, place

CALLS = 6
"""A whole check may take this many times as long as one call of the learner's code."""

_PRISTINE = Pristine()
"""One for the life of the process: what it noted before anything was patched stays noted."""

_LOUDEST = 2000
"""Characters that code may print while it is checked."""


_EMPTY = (
    "With the first cell a new simulated AWS has begun, and it is empty: run the cells below it "
    "again, too."
)


class Session:
    """One lab in one notebook."""

    def __init__(
        self, lesson: Lesson, names: dict[str, Any], before: Session | None = None
    ) -> None:
        """`before` is the lab that was under way in this notebook, if there was one."""
        self.lesson = lesson
        self.names = names
        self._aws = names.get("aws")
        self._anew = (
            before is not None
            and before.lesson.name == lesson.name
            and before._aws is not None
            and before._aws is not self._aws
        )
        self.tasks = {task.name: task for task in load(lesson.checks)}
        self._solutions: dict[str, str] = {}
        self._stubs: dict[str, Stub] = {}
        for cell in code_cells(lesson.lab_source.read_text(encoding="utf-8")):
            if cell.task and cell.task not in self._solutions:
                self._solutions[cell.task] = solved(cell.source)
                self._stubs[cell.task] = Stub(stub(cell.source))
        self._asked = dict(task.call for task in self.tasks.values() if task.call)
        self._silent = {name for each in self._solutions.values() for name in silent(each)}
        self.pristine = _PRISTINE
        self.pristine.note()

    # --- what a learner calls ------------------------------------------------------------------

    def begin(self) -> Panel:
        progress = record.read_progress(self.lesson.home)
        rows = [
            Row(t.name, t.title, t.asks, t.minutes, progress.task(self.lesson.name, t.name).done)
            for t in self.tasks.values()
        ]
        notes = [progress.note] * bool(progress.note) + [_EMPTY] * self._anew
        return Beginning(self.lesson.title, rows, notes, minutes=self.lesson.minutes.lab)

    def check(self, name: object = None) -> Panel:
        if name is not None:
            return self._checked(name) if self._task(name) else self._no_such(name)
        reports = [self._checked(each) for each in self.tasks]
        notes = list(dict.fromkeys(note for each in reports for note in each.notes))
        return Overview(self.lesson.title, reports, notes)

    def hint(self, name: object, number: int | None = None) -> Panel:
        task = self._task(name)
        if task is None:
            return self._no_such(name)
        count = len(task.hints)
        if number is not None and (type(number) is not int or not 1 <= number <= count):
            return Notice(f"{task.title} has {count} hints: ask for a number from 1 to {count}.")

        shown = 1

        def taken(before: TaskProgress) -> TaskProgress:
            nonlocal shown
            shown = number if number is not None else min(before.hints + 1, count)
            return replace(before, hints=max(before.hints, shown))

        note = record.update(self.lesson.name, task.name, taken, self.lesson.home).note
        return Hint(
            task.name,
            task.title,
            shown,
            task.hints,
            more=lambda: self.hint(task.name, min(shown + 1, count)),
            notes=[note] * bool(note),
        )

    def solution(self, name: object) -> Panel:
        task = self._task(name)
        if task is None:
            return self._no_such(name)
        before = record.read_progress(self.lesson.home).task(self.lesson.name, task.name)
        if not (before.attempts or before.done or before.hints >= len(task.hints)):
            return Notice(
                f"Try {task.title} first: the solution opens after one attempt that you have "
                f'checked with `lab.check("{task.name}")`, or after the last hint. '
                f'`lab.hint("{task.name}")` helps.'
            )
        if task.name not in self._solutions:
            return Notice(f"{task.title} has no written solution.")
        after = record.update(
            self.lesson.name,
            task.name,
            lambda now: replace(now, solution_seen=True),
            self.lesson.home,
        )
        return Solution(
            task.name, task.title, self._solutions[task.name], [after.note] * bool(after.note)
        )

    # --- inside --------------------------------------------------------------------------------

    def _task(self, name: object) -> Task | None:
        if not isinstance(name, str):
            # `lab.check(seal)` without quotes: the function's own name will do.
            name = getattr(name, "__name__", None)
        return self.tasks.get(name.strip()) if type(name) is str else None

    def _no_such(self, name: object) -> Notice:
        known = list(self.tasks)
        asked = name if type(name) is str else getattr(name, "__name__", "")
        near = nearest(asked, known) if type(asked) is str else None
        meant = f'Did you mean "{near}"? ' if near else ""
        words = (
            f'There is no task called "{asked[:60]}"' if asked else "Give a task's name in quotes"
        )
        return Notice(f"{words}. {meant}The tasks are: {', '.join(known)}.")

    def _checked(self, name: object) -> Report:
        task = self._task(name)
        assert task is not None
        report = self.judge(task)
        if report.state in (State.NOT_ATTEMPTED, State.UNKNOWN):
            known = record.read_progress(self.lesson.home)
            if not known.task(self.lesson.name, task.name).done:
                return report
            if report.state is State.UNKNOWN:
                return _with(report, notes=["You had this done before."])
            again = "Run its cell to check again."
            return Report(task.name, task.title, State.DONE_BEFORE, again)

        def attempted(before: TaskProgress) -> TaskProgress:
            done = report.state is State.DONE
            when = datetime.now(UTC) if done and not before.done else before.done_at
            return replace(
                before,
                attempts=before.attempts + 1,
                done=before.done or done,
                done_at=when,
            )

        note = record.update(self.lesson.name, task.name, attempted, self.lesson.home).note
        return _with(report, notes=[note]) if note else report

    def judge(self, task: Task) -> Report:
        """The report of one task. It raises nothing, and writes nothing down."""
        known = self._stubs.get(task.name) or Stub("")
        if known.untouched(self.names, task.defines):
            return Report(
                task.name,
                task.title,
                State.NOT_ATTEMPTED,
                f"Write {task.asks}" + "." * (not task.asks.endswith(".")),
            )
        state, message, where, returned = self._outcome(task)
        advice = [returned] * bool(returned)
        if state is State.NOT_THERE_YET:
            advice.append(f'Stuck? `lab.hint("{task.name}")`')
        return Report(task.name, task.title, state, message, place=where, advice=advice)

    def _outcome(self, task: Task) -> tuple[State, str, str, str]:
        """The state, what there is to say, where in the cell, and what was returned."""
        work = Work(
            self.names,
            task.seconds,
            after_call=self.pristine.again,
            asked=self._asked,
            silent=self._silent,
        )
        try:
            with _quiet(), _staying():
                limited(
                    lambda: task.check(work),
                    CALLS * task.seconds,
                    watches=lambda frame: frame.f_globals is self.names,
                )
        except NotThereYet as found:
            return State.NOT_THERE_YET, found.message, found.place, found.returned
        except TimeUp as late:
            where = place(late.__traceback__, self.names)
            message = f"It was stopped after {late.seconds:g} seconds. Does a loop ever end?"
            return State.NOT_THERE_YET, message, where, ""
        except BaseException as raised:
            where = place(raised.__traceback__, self.names)
            if where:
                stopped = f"Your code stopped with {told_with_help(raised)}"
                return State.NOT_THERE_YET, stopped, where, ""
            return (
                State.UNKNOWN,
                f"The check met something it did not foresee: {told(raised)}. Your answer may be "
                "unusual, or the check may be wrong." + f" {_EMPTY}" * self._anew,
                "",
                "",
            )
        return State.DONE, task.why, "", ""


def standings(progress: Progress, open_: dict[str, Session] | None = None) -> Standings:
    """All lessons that have a lab, with what is done of each."""
    from kmscourse import course

    rows = []
    for lesson in course.lessons():
        if not lesson.has_lab or not lesson.checks.is_file():
            continue
        session = (open_ or {}).get(lesson.name)
        tasks = session.tasks if session else {task.name: task for task in load(lesson.checks)}
        known = [progress.task(lesson.name, name) for name in tasks]
        rows.append(
            Standing(
                lesson.name,
                lesson.title,
                sum(each.done for each in known),
                len(known),
                sum(each.hints for each in known),
            )
        )
    return Standings(rows, [progress.note] * bool(progress.note))


def _with(report: Report, notes: list[str]) -> Report:
    return Report(
        report.task,
        report.title,
        report.state,
        report.message,
        place=report.place,
        advice=report.advice,
        notes=[*report.notes, *notes],
    )


class _Bounded(io.TextIOBase):
    """Lets the first words through and drops the rest: a loop may print without end."""

    def __init__(self, to: Any) -> None:
        self._to = to
        self._left = _LOUDEST

    def write(self, words: str) -> int:
        if self._left > 0:
            self._to.write(words[: self._left])
            self._left -= len(words)
            if self._left <= 0:
                self._to.write("\n… (more was printed, and is not shown)\n")
        return len(words)

    def flush(self) -> None:
        self._to.flush()


@contextmanager
def _quiet() -> Iterator[None]:
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Bounded(before[0]), _Bounded(before[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


@contextmanager
def _staying() -> Iterator[None]:
    """`exit()` in code under check ends that code, not the kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        yield
        return

    def ask_exit() -> None:
        raise SystemExit

    before = shell.__dict__.get("ask_exit")
    shell.__dict__["ask_exit"] = ask_exit
    try:
        yield
    finally:
        del shell.__dict__["ask_exit"]
        if before is not None:
            shell.__dict__["ask_exit"] = before
