"""`course exam`: practice, mock exams, the report, and what can be taken along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kmscourse import course

if TYPE_CHECKING:
    from kmscourse.exam.desk import Desk

app = typer.Typer(
    name="exam",
    help="Practise for an exam, or take a mock exam. Without options it asks what you would like.",
    no_args_is_help=False,
)


@app.callback(invoke_without_command=True)
def practise(
    context: typer.Context,
    exam: Annotated[
        str | None, typer.Option("--exam", "-e", help="An exam's code, such as SAA-C03.")
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="A domain of that exam (5), or a task (5.2).")
    ] = None,
    lesson: Annotated[
        str | None, typer.Option("--lesson", "-l", help="A lesson, such as 05-envelopes, or 5.")
    ] = None,
    weak: Annotated[
        bool, typer.Option("--weak", help="What you missed, what is due, and what is new.")
    ] = False,
    mock: Annotated[
        bool, typer.Option("--mock", help="A mock exam by the guide; needs --exam.")
    ] = False,
    count: Annotated[int | None, typer.Option("--count", "-n", help="How many questions.")] = None,
    timed: Annotated[
        bool, typer.Option("--timed/--untimed", help="Whether a mock exam's minutes count.")
    ] = True,
    seed: Annotated[
        str | None, typer.Option(help="Any word: the same word, the same paper for everyone.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what you began.")] = False,
) -> None:
    """Practise for an exam, or take a mock exam."""
    if context.invoked_subcommand is not None:
        return
    from kmscourse.exam.papers import PracticeError
    from kmscourse.exam.terminal import Terminal

    with _bank() as desk:
        terminal = Terminal(desk)
        if resume:
            going = desk.sittings.open()
            if going is None:
                raise PracticeError("Nothing is open. To begin: course exam")
            terminal.sit(going)
        elif mock:
            if exam is None:
                raise PracticeError("A mock exam needs its exam: course exam --mock --exam SAA-C03")
            if domain or lesson or weak:
                raise PracticeError(
                    "A mock exam asks by the guide's weights: leave the choice out."
                )
            paper = desk.mock_paper(exam, count, timed=timed, seed=seed)
            terminal.sit(desk.going(paper, seed is not None) or paper)
        elif exam or domain or lesson or weak or count or seed:
            paper = desk.practice_paper(
                exam=exam,
                domain=domain,
                lesson=lesson,
                weakness=weak,
                count=count if count is not None else 10,
                seed=seed,
            )
            terminal.sit(desk.going(paper, seed is not None) or paper)
        else:
            terminal.menu()


@app.command()
def report(
    picture: Annotated[
        Path | None, typer.Option(help="Also write the picture to this file (PNG).")
    ] = None,
) -> None:
    """Show how far you are, by exam and domain, by lesson and over time, and what to do next."""
    with _bank() as desk:
        found = desk.report()
        typer.echo(found.text(found.next_in_terminal()))
        if picture is not None:
            try:
                picture.write_bytes(found.picture())
            except ValueError:
                return  # nothing is answered yet, as the text says
            typer.echo(f"The picture is in {picture}.")


@app.command()
def export(
    kind: Annotated[str, typer.Argument(help="anki, html (to print), csv, json or progress.")],
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where; in my-work/ unless said.")
    ] = None,
    exam: Annotated[str | None, typer.Option("--exam", "-e", help="Only for this exam.")] = None,
    lesson: Annotated[
        str | None, typer.Option("--lesson", "-l", help="Only of this lesson.")
    ] = None,
) -> None:
    """Take the questions along, as an Anki deck, a page to print or a table; or your progress."""
    from kmscourse.exam import export as write
    from kmscourse.exam.papers import pool

    with _bank() as desk:
        name = course.lesson(lesson).name if lesson else None
        questions = pool(desk.questions, exam=exam, lesson=name)
        written = write(kind, path, questions=questions)
        typer.echo(
            f"{written!r} ({written.count} {'answers' if kind == 'progress' else 'questions'})"
        )
        if kind == "html":
            typer.echo("Open it in a browser and print it; to PDF, if you like.")


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="From: course exam export progress")],
) -> None:
    """Bring your progress from another machine. What is here already stays."""
    from kmscourse.exam import import_progress

    with _bank():
        typer.echo(import_progress(path))


@contextmanager
def _bank() -> Iterator[Desk]:
    """The bank and what the learner did; a bank that cannot be read is told in its own words."""
    from kmscourse.exam.desk import Desk
    from kmscourse.exam.questions import BankError

    try:
        yield Desk()
    except BankError as error:
        raise course.CourseError(str(error)) from error
