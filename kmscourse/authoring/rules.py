"""The rules of a lesson's text, each told with its file and line."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager

from kmscourse.authoring.numbers import unsourced
from kmscourse.authoring.problem import BuildError, Problem
from kmscourse.authoring.products import marker_problem
from kmscourse.authoring.source import Cell, read_cells
from kmscourse.authoring.tasks import task_names
from kmscourse.course import Lesson
from kmscourse.lab.cells import MarkerError, has_solution, solved, stub

LONGEST_CELL = 15
"""Lines of a code cell: what can be read aloud without losing the thread."""

FEWEST_TASKS = 5

TAGS = frozenset({"raises-exception", "nbval-ignore-output", "moves-on"})
"""The tags that do something here. Any other is a slip of the pen.

`moves-on` is for a cell that shows something else when it is run again, as time goes on or a
password is changed once more.
"""

METADATA = frozenset({"tags", "task", "shows"})

_NBVAL_COMMENT = re.compile(r"^\s*#\s*((?:NBVAL_|PYTEST_VALIDATE_)[A-Z_]+)\s*$", re.MULTILINE)


def problems(lesson: Lesson) -> list[Problem]:
    """What is wrong with the text of one lesson; empty where all is well."""
    if not lesson.folder.is_dir():
        said = "is named in lessons/index.yaml but there is no such folder."
        return [Problem(lesson.folder, None, said)]
    found = list(_parts(lesson))
    for source in (lesson.lesson_source, lesson.lab_source):
        if not source.is_file():
            continue
        try:
            cells = read_cells(source)
        except BuildError as error:
            found.append(error.problem)
            continue
        found += _script(source, cells)
        found += _sourced(source, cells)
        if source == lesson.lab_source:
            found += _lab(lesson, cells)
        else:
            found += _no_tasks(source, cells)
    return found


def _parts(lesson: Lesson) -> Iterator[Problem]:
    needed = [lesson.lesson_source, lesson.teaching]
    if lesson.kind != "practice":
        needed.append(lesson.questions)
    if lesson.kind == "lesson":
        needed.append(lesson.lab_source)
    if lesson.has_lab:
        needed.append(lesson.checks)
    for path in needed:
        if not path.is_file():
            yield Problem(path, None, "is missing: a lesson is not whole without it.")


def _script(path: Path, cells: list[Cell]) -> Iterator[Problem]:
    first = cells[0] if cells else None
    if first is None or first.kind != "markdown" or not first.source.startswith("# "):
        said = "should begin with a markdown cell whose first line is a heading (`# `)."
        yield Problem(path, first.line if first else 1, said)
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        yield from _metadata(path, cell)
        if cell.is_code:
            yield from _code(path, cell)
            yield from _ignored(path, cell, following)


def _sourced(path: Path, cells: list[Cell]) -> Iterator[Problem]:
    for line, quantity in unsourced(cells):
        said = f"{quantity!r} is in no fact of kmscourse.facts: add it there, with its source."
        yield Problem(path, line, said)


def _metadata(path: Path, cell: Cell) -> Iterator[Problem]:
    for key in sorted(set(cell.metadata) - METADATA):
        known = ", ".join(sorted(METADATA))
        yield Problem(path, cell.line, f"{key!r} in a cell's header does nothing. Known: {known}.")
    for tag in sorted(set(cell.tags) - TAGS):
        known = ", ".join(sorted(TAGS))
        yield Problem(path, cell.line, f"the tag {tag!r} does nothing here. Known: {known}.")
    if cell.shows and not cell.is_code:
        said = "shows an objective, but only a cell that runs can show one."
        yield Problem(path, cell.line, said)


def _code(path: Path, cell: Cell) -> Iterator[Problem]:
    try:
        whole, cut = solved(cell.source), stub(cell.source)
    except MarkerError as error:
        yield marker_problem(path, cell, error)
        return
    length = len(whole.splitlines())
    if not whole.strip():
        yield Problem(path, cell.line, "a code cell is empty.")
    if length > LONGEST_CELL:
        said = f"a code cell has {length} lines; {LONGEST_CELL} is the most that reads well."
        yield Problem(path, cell.line, said)
    for text, name in ((whole, "the cell"), (cut, "the cell cut for the lab")):
        wrong = _syntax(text)
        if wrong:
            yield Problem(path, cell.line + (wrong.lineno or 0), f"{name} is not Python: {wrong}.")
            return
    last = _last_token(whole)
    if last is not None and last.string == ";":
        yield Problem(
            path,
            cell.line + last.start[0],
            "`;` at the end hides the result in JupyterLab but not from nbval: assign it "
            "(`_ = ...`), or end with what is to be shown.",
        )


def _syntax(source: str) -> SyntaxError | None:
    """What Python says of a cell, after IPython has read its magics. None where it is fine."""
    try:
        compile(
            TransformerManager().transform_cell(source),
            "cell",
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        )
    except SyntaxError as error:
        return error
    return None


def _last_token(source: str) -> tokenize.TokenInfo | None:
    """The last word of the cell that is not a comment or layout."""
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.DEDENT, tokenize.ENDMARKER}
    code = TransformerManager().transform_cell(source)
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return next((t for t in reversed(list(tokens)) if t.type not in layout), None)


def _ignored(path: Path, cell: Cell, following: Cell | None) -> Iterator[Problem]:
    """An output may be left uncompared only where the next cell says what must hold of it."""
    comment = _NBVAL_COMMENT.search(cell.source)
    if comment:
        said = f"the comment {comment.group(1)} switches a comparison off unseen; use a tag."
        yield Problem(path, cell.line, said)
    if "nbval-ignore-output" not in cell.tags:
        return
    if following is None or not following.is_code or not _asserts(following.source):
        yield Problem(
            path,
            cell.line,
            "its output is not compared (nbval-ignore-output), so the next cell must `assert` "
            "what has to be true of it.",
        )


def _asserts(source: str) -> bool:
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError:
        return False
    return any(isinstance(node, ast.Assert) for node in ast.walk(tree))


def _no_tasks(path: Path, cells: Iterable[Cell]) -> Iterator[Problem]:
    for cell in cells:
        if cell.task is not None or has_solution(cell.source):
            yield Problem(path, cell.line, "a task and its solution belong in lab.py.")


def _lab(lesson: Lesson, cells: list[Cell]) -> Iterator[Problem]:
    path = lesson.lab_source
    lines: dict[str, int] = {}
    for cell in cells:
        if cell.task is not None:
            lines.setdefault(cell.task, cell.line)
            if not has_solution(cell.source):
                said = f"the task {cell.task!r} has no `# begin solution` ... `# end solution`."
                yield Problem(path, cell.line, said)
        elif has_solution(cell.source):
            yield Problem(
                path, cell.line, 'a solution without a task: say `# %% task="..."` above it.'
            )
    if lesson.kind == "lesson" and len(lines) < FEWEST_TASKS:
        yield Problem(path, None, f"has {len(lines)} tasks; a lab has at least {FEWEST_TASKS}.")
    code = "\n".join(cell.source for cell in cells if cell.is_code)
    for task, line in lines.items():
        if not re.search(rf"\bcheck\(\s*['\"]{re.escape(task)}['\"]", code):
            yield Problem(path, line, f"no cell checks the task: `lab.check({task!r})`.")
    if not lesson.checks.is_file():
        return
    try:
        declared = task_names(lesson.checks)
    except SyntaxError as error:
        yield Problem(lesson.checks, error.lineno, f"is not Python: {error.msg}.")
        return
    for task, line in lines.items():
        if task not in declared:
            yield Problem(path, line, f"the task {task!r} is not in checks.py.")
    for task, line in declared.items():
        if task not in lines:
            yield Problem(lesson.checks, line, f"the task {task!r} has no cell in lab.py.")
