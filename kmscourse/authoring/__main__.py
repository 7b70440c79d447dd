"""`python -m kmscourse.authoring build [LESSON ...] [--all]` and `... check [LESSON ...]`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from kmscourse import course
from kmscourse.authoring import glossary, rules, whole
from kmscourse.authoring.build import build as build_products
from kmscourse.authoring.problem import BuildError, Problem
from kmscourse.authoring.products import products

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Make the notebooks, labs and solutions from the text in lessons/.",
)
console = Console(stderr=True, soft_wrap=True)

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[LESSON]...", help="For example 05-envelopes. All, if none is named."),
]


@app.command()
def build(
    names: Names = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Execute again what is up to date too: after a change in kmscourse, when the "
            "tests say that an output differs.",
        ),
    ] = False,
) -> None:
    """Write the notebooks that are not what their source says."""
    lessons = _lessons(names)
    report = build_products(
        [product for product in products(lessons) if product.source.is_file()],
        everything=everything,
        console=console,
    )
    home = course.root()
    for path in sorted(report.written):
        console.print(f"[green]written[/]    {path.relative_to(home).as_posix()}")
    for path in sorted(report.unchanged):
        console.print(f"[dim]the same[/]   {path.relative_to(home).as_posix()}")
    if report.up_to_date:
        console.print(f"[dim]up to date[/] {len(report.up_to_date)}")
    found = [problem for lesson in lessons for problem in rules.problems(lesson)]
    found += [problem for problem in report.problems if problem not in found]
    _tell(found)


@app.command()
def check(names: Names = None) -> None:
    """Say what is wrong, without building anything."""
    lessons = _lessons(names)
    found = whole.problems(lessons)
    if not names:
        found += whole.strays(course.root(), lessons)
    _tell(found)
    console.print(f"{len(lessons)} lessons: all well.")


@app.command("glossary")
def write_glossary() -> None:
    """Print the page of the glossary, or say what it lacks."""
    home, lessons = course.root(), course.lessons()
    try:
        _tell(glossary.problems(home, lessons))
        typer.echo(glossary.page(home, lessons), nl=False)
    except BuildError as error:
        _tell([error.problem])


def _lessons(names: list[str] | None) -> list[course.Lesson]:
    try:
        return [course.lesson(name) for name in names] if names else course.lessons()
    except course.CourseError as error:
        console.print(f"[red]{escape(str(error))}[/]")
        raise typer.Exit(2) from error


def _tell(problems: list[Problem]) -> None:
    """Print the problems and end with 1, if there are any."""
    home = course.root()
    for problem in problems:
        console.print(f"[red]✗[/] {escape(problem.text(home))}")
    if problems:
        count = len(problems)
        console.print(f"[red]{count} thing{'s' if count > 1 else ''} to mend.[/]")
        raise typer.Exit(1)


if __name__ == "__main__":
    app(prog_name="python -m kmscourse.authoring")
