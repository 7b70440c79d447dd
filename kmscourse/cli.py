"""The command `course`.

It is quick to answer: what takes time to import is imported where it is used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from kmscourse import cli_exam, copies, course

if TYPE_CHECKING:
    from kmscourse.lab.panels import Standing

START_PAGE = "notebooks/00-start-here.ipynb"

app = typer.Typer(
    name="course",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(cli_exam.app)

Port = Annotated[
    int | None,
    typer.Option(
        min=1, max=65535, help="The port to try first. 8888, or the next free one, if not said."
    ),
]
NoBrowser = Annotated[
    bool, typer.Option("--no-browser", help="Only print the address, open no browser.")
]
LessonName = Annotated[
    str, typer.Argument(metavar="LESSON", help="For example 05-envelopes, or 5, or envelopes.")
]


@app.callback(invoke_without_command=True)
def first(context: typer.Context, port: Port = None, no_browser: NoBrowser = False) -> None:
    """AWS Encryption, Hands-on. Without a command it opens the course."""
    if context.invoked_subcommand is None:
        _open(_start_page(course.root()), port=port, browser=not no_browser)


@app.command()
def start(port: Port = None, no_browser: NoBrowser = False) -> None:
    """Open the course in JupyterLab, at the start page."""
    _open(_start_page(course.root()), port=port, browser=not no_browser)


@app.command()
def lab(
    name: Annotated[
        str | None, typer.Argument(metavar="[LESSON]", help="For example 05-envelopes, or 5.")
    ] = None,
    port: Port = None,
    no_browser: NoBrowser = False,
) -> None:
    """Open your own copy of a lab. Without a name: list the labs."""
    if name is None:
        _list_labs()
        return
    chosen = course.lesson(name)
    if copies.lay_out(chosen):
        _say(f"The lab is laid out in {_relative(chosen.work_copy)}. It is yours to write in.")
    else:
        _say(f"Opening {_relative(chosen.work_copy)} as you left it.")
    _open(_relative(chosen.work_copy), port=port, browser=not no_browser)


@app.command()
def reset(name: LessonName) -> None:
    """Begin a lab afresh. What you wrote is kept, under a name with the date."""
    from datetime import datetime

    from kmscourse.lab import reset as forget

    chosen = course.lesson(name)
    kept = copies.reset(chosen, datetime.now())
    if kept:
        _say(f"What you had is kept as {_relative(kept)}.")
    left = forget(chosen.name)
    _say(f"A fresh lab is in {_relative(chosen.work_copy)}, and all its tasks are open again.")
    if left.note:
        _say(left.note)
    _say(f"To begin: course lab {chosen.name}")


@app.command()
def progress(
    name: Annotated[
        str | None, typer.Argument(metavar="[LESSON]", help="For the tasks of one lab.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="FILE",
            help="Write it to a file or a folder, to hand in or take along.",
        ),
    ] = None,
    who: Annotated[
        str,
        typer.Option(
            "--as", metavar="NAME", help="With --export: any name you like; else one is drawn."
        ),
    ] = "",
    take_in: Annotated[
        Path | None,
        typer.Option("--import", metavar="FILE", help="Add what another machine exported."),
    ] = None,
) -> None:
    """Show how far you have come, in all labs or, task by task, in one."""
    if export is not None:
        _export_progress(export, who)
        return
    if take_in is not None:
        _import_progress(take_in)
        return
    if name is not None:
        _list_tasks(course.lesson(name))
        return
    from rich.console import Console
    from rich.table import Table

    from kmscourse.lab import read_progress
    from kmscourse.lab.session import standings

    kept = read_progress()
    rows = standings(kept).rows
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Lesson")
    table.add_column("What it is about")
    table.add_column("Tasks done", justify="right")
    for row in rows:
        table.add_row(
            row.lesson, row.title, f"{row.done} of {row.tasks}" if row.tasks else "no lab"
        )
    Console().print(table)
    todo = _next_of(rows)
    _say(f"\nNext: course lab {todo}" if todo else "\nAll tasks are done.")
    if kept.note:
        _say(kept.note)


@app.command()
def slides(
    name: LessonName,
    to: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="slides-NN.html, if not said.")
    ] = None,
) -> None:
    """Write a lesson as slides: one file for a browser, which needs no network."""
    from kmscourse.workshop.slides import write

    chosen = course.lesson(name)
    written = write(chosen, to or Path(f"slides-{chosen.number}.html"))
    _say(f"The slides are in {written}. Arrow keys move, f fills the screen, o shows all.")


@app.command()
def room(
    folder: Annotated[Path, typer.Argument(help="Where the files of `progress --export` are.")],
    to: Annotated[
        Path | None, typer.Argument(metavar="[PAGE]", help="room.html in the folder, if not said.")
    ] = None,
) -> None:
    """For instructors: write a page that shows where the room is stuck."""
    from datetime import datetime

    from kmscourse.workshop.room import gather, page

    found = gather(folder, course.lessons())
    page_file = to or folder / "room.html"
    page_file.write_text(page(found, datetime.now()), encoding="utf-8")
    for task in found.stuck[:3]:
        _say(f"Stuck: {task.lesson} {task.task} ({task.trying} trying, {task.done} done)")
    for trouble in found.trouble:
        _say(trouble)
    learners = f"{found.learners} learner{'' if found.learners == 1 else 's'}"
    _say(f"The page of {learners} is in {page_file}.")


@app.command()
def coverage(
    page: Annotated[
        bool, typer.Option("--page", help="Print the page of docs/ instead, in Markdown.")
    ] = False,
) -> None:
    """Show where each bullet of the study notes is shown, practised and asked."""
    from kmscourse.authoring import curriculum
    from kmscourse.authoring.problem import BuildError

    home, lessons = course.root(), course.lessons()
    try:
        found = curriculum.coverage(home, lessons)
    except BuildError as error:
        _complain(error.problem.text(home))
    if page:
        typer.echo(curriculum.page(found), nl=False)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("The study notes say")
    for heading in ("Shown", "Practised", "Asked"):
        table.add_column(heading, justify="right")
    for bullet in found.curriculum.notes:
        places = found.of(bullet)
        counts = (places.shown, places.practised, places.asked)
        table.add_row(bullet.says, *(str(len(each)) if each else "not yet" for each in counts))
    Console().print(table)
    covered = sum(not found.of(bullet).missing for bullet in found.curriculum.notes)
    _say(f"\n{covered} of {len(found.curriculum.notes)} are shown, practised and asked.")
    amiss = found.problems + curriculum.gaps(found, lessons)
    for problem in amiss:
        _say(problem.text(home))
    if amiss:
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Say what is wrong with this installation, and how to mend it."""
    from kmscourse.doctor import examine

    raise typer.Exit(0 if examine() else 1)


def main() -> None:
    """Run the command. What is expected to go wrong ends in a sentence, not in a traceback."""
    from kmscourse.jupyter.interrupts import Interrupted
    from kmscourse.jupyter.problems import JupyterError

    try:
        app(prog_name="course")
    except (course.CourseError, JupyterError) as error:
        _complain(str(error))
    except Interrupted:
        _complain("Stopped.", code=130)
    except OSError as error:
        if error.errno is None:
            raise
        where = f" ({error.filename})" if error.filename else ""
        _complain(f"{error.strerror}{where}. `course doctor` looks for what is wrong.")


# --- opening JupyterLab ---------------------------------------------------------------------------


def _open(path: str, *, port: int | None, browser: bool) -> None:
    """Serve the course and open `path`, until stopped."""
    from kmscourse import jupyter

    home = course.root()
    already = jupyter.running(home) if port is None else None
    if already:
        _say("The course is open already, at")
        _say(f"  {already.url(path)}")
        if browser:
            import webbrowser

            # Without the token, which others could read off the command line: this browser knows it
            webbrowser.open(already.url(path, with_token=False))
        return
    wanted = port or jupyter.DEFAULT_PORT
    free = jupyter.free_port(wanted)
    if free != wanted:
        _say(f"Port {wanted} is in use, so the course takes port {free}.")
    try:
        with jupyter.interruptible():
            _say("Starting JupyterLab ...")
            opens = browser and _has_browser()
            with jupyter.serving(home, port=free, path=path, browser=opens) as (server, process):
                if opens:
                    _say("The course is open in your browser. If it is not, open this address:")
                else:
                    _say("Open this address in a browser:")
                _say(f"  {server.url(path)}")
                _say("To stop: Ctrl-C here. What you write is kept in my-work/.")
                process.wait()
    except jupyter.Interrupted:
        pass
    _say("The course is closed.")


def _has_browser() -> bool:
    import webbrowser

    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _start_page(home: Path) -> str:
    if not (home / START_PAGE).is_file():
        raise course.CourseError(
            f"{START_PAGE} is not there. `make build` makes the notebooks from lessons/; "
            "`git checkout -- notebooks` brings back the ones that came with the course."
        )
    return START_PAGE


# --- talking --------------------------------------------------------------------------------------


def _list_labs() -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Lab", "What it is about", "Minutes", "Yours"):
        table.add_column(heading)
    labs = [each for each in course.lessons() if each.has_lab]
    if not labs:
        _say("There is no lab in this course yet.")
        return
    for each in labs:
        yours = _relative(each.work_copy) if each.work_copy.exists() else "not begun"
        table.add_row(each.name, each.title, str(each.minutes.lab), yours)
    Console().print(table)
    _say(f"\nOpen one with: course lab {_next_of(_standing()) or labs[0].name}")


def _list_tasks(lesson: course.Lesson) -> None:
    from rich.console import Console
    from rich.table import Table

    from kmscourse.lab import read_progress
    from kmscourse.lab.tasks import load

    if not lesson.has_lab or not lesson.checks.is_file():
        _say(f"{lesson.name} has no lab, so there are no tasks to count.")
        return
    kept = read_progress()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Task", "Name", "State"):
        table.add_column(heading)
    for heading in ("Minutes", "Checked", "Hints"):
        table.add_column(heading, justify="right")
    for task in load(lesson.checks):
        known = kept.task(lesson.name, task.name)
        state = "Done" if known.done else "Open"
        counts = map(str, (task.minutes, known.attempts, known.hints))
        table.add_row(task.title, task.name, state, *counts)
    _say(f"{lesson.name}: {lesson.title}\n")
    Console().print(table)
    _say(f"\nTo go on: course lab {lesson.name}")
    if kept.note:
        _say(kept.note)


def _export_progress(to: Path, who: str) -> None:
    import re
    from datetime import UTC, datetime

    from kmscourse.lab import read_progress
    from kmscourse.lab.record import export, own_name

    kept, name = read_progress(), who or own_name()
    if to.is_dir():
        # "ada/grace" is a fine name for a pair, and a bad one for a file.
        to /= "progress-" + re.sub(r"[^\w.-]+", "-", name) + ".json"
    to.write_text(export(kept, name, datetime.now(UTC)), encoding="utf-8")
    _say(f"Your progress is written to {to}. It has tasks, attempts and hints, and no code.")
    if kept.note:
        _say(kept.note)


def _import_progress(file: Path) -> None:
    from kmscourse.lab.record import read_export, take_in

    try:
        handed_in = read_export(file.read_text(encoding="utf-8"))
    except ValueError as error:
        _complain(f"{file} cannot be taken in: {error}. Nothing was changed.")
    after = take_in(handed_in)
    done = sum(map(after.done, after.lessons))
    _say(f"Taken in. {done} task{' is' if done == 1 else 's are'} done now; nothing was lost.")
    if after.note:
        _say(after.note)


def _standing() -> Sequence[Standing]:
    from kmscourse.lab import read_progress
    from kmscourse.lab.session import standings

    return standings(read_progress()).rows


def _next_of(rows: Sequence[Standing]) -> str | None:
    """The first lesson with a task that is not done, or None."""
    return next((row.lesson for row in rows if row.done < row.tasks), None)


def _relative(path: Path) -> str:
    return path.relative_to(course.root()).as_posix()


def _say(text: str) -> None:
    typer.echo(text)
    sys.stdout.flush()


def _complain(text: str, code: int = 1) -> NoReturn:
    typer.secho(text, fg="red", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
