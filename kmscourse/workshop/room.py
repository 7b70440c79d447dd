"""Where the room is stuck: the progress that learners handed in, task by task.

A learner writes a file with `course progress --export`; the instructor gathers them in a folder,
and `course room FOLDER` makes a page of them. It looks at tasks, not at people: it names nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from statistics import mean

from kmscourse.course import Lesson
from kmscourse.lab import record
from kmscourse.lab.record import Progress
from kmscourse.lab.tasks import load

STUCK_FROM = 2
"""So many learners must be trying a task in vain before the page says that the room is stuck."""


@dataclass(frozen=True)
class TaskOfRoom:
    """How one task went in the room, in learners; `hints` is the mean of those who began it."""

    lesson: str
    task: str
    title: str
    minutes: int
    done: int
    trying: int
    hints: float

    @property
    def begun(self) -> int:
        return self.done + self.trying


@dataclass(frozen=True)
class Room:
    """What was handed in: how many learners, each task in its order, and files of no use.

    `at` is the lab that the room is at: the last that a learner began, as most have it. A task that
    somebody left behind in an earlier lab does not hold up the room.
    """

    learners: int
    tasks: tuple[TaskOfRoom, ...]
    trouble: tuple[str, ...]
    at: str = ""

    @property
    def stuck(self) -> tuple[TaskOfRoom, ...]:
        """The tasks of this lab at which most learners are trying in vain, the worst first."""
        held = [task for task in self.tasks if task.lesson == self.at and task.trying >= STUCK_FROM]
        return tuple(sorted(held, key=lambda task: (-task.trying, -task.hints)))


def gather(folder: Path, lessons: Iterable[Lesson]) -> Room:
    """Everything in a folder that `course progress --export` wrote.

    A learner who handed in twice, under one name, counts once, as they were last. What cannot be
    read is told in `trouble`, by its file, and the rest counts. Raises NotADirectoryError.
    """
    if not folder.is_dir():
        raise NotADirectoryError(20, "There is no such folder", str(folder))
    latest: dict[str, tuple[datetime, Progress]] = {}
    trouble = []
    for path in sorted(folder.glob("*.json")):
        try:
            handed_in = record.read_export(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            trouble.append(f"{path.name} does not count: {error}")
            continue
        before = latest.get(handed_in.who)
        if before is None or before[0] < handed_in.at:
            latest[handed_in.who] = (handed_in.at, handed_in.progress)
    room = [progress for _, progress in latest.values()]
    tasks = tuple(_tasks(lessons, room))
    return Room(len(room), tasks, tuple(trouble), _at(tasks, room))


def _at(tasks: Sequence[TaskOfRoom], room: Sequence[Progress]) -> str:
    """The lab that most learners began last; of two, the later. "" where nobody began one."""
    order = list(dict.fromkeys(task.lesson for task in tasks))
    last = Counter(
        max(begun, key=order.index)
        for progress in room
        if (begun := [lesson for lesson in order if _has_begun(progress, lesson)])
    )
    return max(last, key=lambda lesson: (last[lesson], order.index(lesson)), default="")


def _has_begun(progress: Progress, lesson: str) -> bool:
    return any(task.done or task.attempts for task in progress.lessons.get(lesson, {}).values())


def _tasks(lessons: Iterable[Lesson], room: Sequence[Progress]) -> Iterable[TaskOfRoom]:
    for lesson in lessons:
        if not lesson.has_lab:
            continue
        for task in load(lesson.checks):
            known = [progress.task(lesson.name, task.name) for progress in room]
            begun = [each for each in known if each.done or each.attempts]
            yield TaskOfRoom(
                lesson=lesson.name,
                task=task.name,
                title=task.title,
                minutes=task.minutes,
                done=sum(each.done for each in begun),
                trying=sum(not each.done for each in begun),
                hints=mean(each.hints for each in begun) if begun else 0.0,
            )


def page(room: Room, at: datetime) -> str:
    """The room as a web page that needs nothing else: no network, no script."""
    # The lab that the room is at comes first; what was before it, below.
    tasks = sorted(room.tasks, key=lambda task: task.lesson != room.at)
    rows = [_row(task, room.learners) for task in tasks if task.begun or task.lesson == room.at]
    table = (
        "<table><thead><tr><th scope=col>Lesson<th scope=col>Task<th scope=col class=n>Minutes"
        "<th scope=col class=n>Done<th scope=col class=n>Trying"
        "<th scope=col class=n>Hints, on average"
        f"</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        if rows
        else "<p>Nobody has begun a task yet.</p>"
    )
    trouble = "".join(f"<li>{escape(each)}</li>" for each in room.trouble)
    learners = f"{room.learners} learner{'' if room.learners == 1 else 's'}"
    return _PAGE.format(
        style=_STYLE,
        title=f"The room at {at:%H:%M}",
        learners=learners,
        stuck=_stuck(room),
        table=table,
        trouble=f"<h2>Files that do not count</h2><ul>{trouble}</ul>" if trouble else "",
    )


def _stuck(room: Room) -> str:
    if not room.stuck:
        where = f" in {escape(room.at)}" if room.at else ""
        return f"<p>The room is not stuck: no task{where} holds up two learners or more.</p>"
    told = "".join(
        f"<li><strong>{escape(task.lesson)}, {escape(task.title)}</strong>: {task.trying} trying, "
        f"{task.done} done, {task.hints:.1f} hints each</li>"
        for task in room.stuck[:3]
    )
    return f"<p>Go there first:</p><ol>{told}</ol>"


def _row(task: TaskOfRoom, learners: int) -> str:
    bar = (
        f'<span class=bar aria-hidden=true><i style="width:{100 * task.done / learners:.0f}%"></i>'
        f'<b style="width:{100 * task.trying / learners:.0f}%"></b></span>'
    )
    stuck = " <em>stuck</em>" if task.trying >= STUCK_FROM and task.trying > task.done else ""
    cells = (
        f"<td>{escape(task.lesson)}<th scope=row>{escape(task.title)}{stuck}"
        f"<td class=n>{task.minutes}<td class=n>{task.done} {bar}<td class=n>{task.trying}"
        f"<td class=n>{task.hints:.1f}"
    )
    return f"<tr>{cells}</tr>"


_STYLE = """
:root { color-scheme: light dark; --line: #767676; --done: #1b6e3c; --trying: #9a5b00; }
@media (prefers-color-scheme: dark) { :root { --done: #5fcf8d; --trying: #ffb74d; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
.n { text-align: right; white-space: nowrap; }
.bar { display: inline-flex; width: 8rem; height: .7rem; border: 1px solid var(--line); }
.bar i { background: var(--done); }
.bar b { background: repeating-linear-gradient(45deg, var(--trying) 0 3px, transparent 3px 6px); }
em { font-style: normal; font-weight: bold; color: var(--trying); }
"""

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>{style}</style>
<h1>{title}</h1>
<p>{learners} handed in. In the bars: full is done, striped is trying.</p>
<h2>Where the room is stuck</h2>
{stuck}
<h2>Task by task</h2>
{table}
{trouble}
</html>
"""
