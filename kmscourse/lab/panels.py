"""What a learner sees of a lab: each thing as HTML and as plain text.

The HTML takes its colours from JupyterLab or VS Code where they are, else from the system, so that
it can be read in light and dark; a state is told by a word and a sign, never by colour alone. The
plain text is for terminals, GitHub and screen readers. Neither holds an id or a time, so that saved
outputs can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import Any


class State(StrEnum):
    """How a task stands."""

    NOT_ATTEMPTED = "not attempted"
    NOT_THERE_YET = "not there yet"
    DONE = "done"
    DONE_BEFORE = "done before"
    """It was done once, and the notebook has nothing of it now: the kernel was restarted."""

    UNKNOWN = "could not check"

    @property
    def words(self) -> str:
        return _WORDS[self]

    @property
    def sign(self) -> str:
        return _SIGNS[self]


_WORDS = {
    State.NOT_ATTEMPTED: "Not attempted yet",
    State.NOT_THERE_YET: "Not there yet",
    State.DONE: "Done",
    State.DONE_BEFORE: "Done before",
    State.UNKNOWN: "Could not check",
}
_SIGNS = {
    State.NOT_ATTEMPTED: "○",
    State.NOT_THERE_YET: "△",
    State.DONE: "✓",
    State.DONE_BEFORE: "✓",
    State.UNKNOWN: "?",
}

_TEXT = "var(--jp-content-font-color1, var(--vscode-foreground, CanvasText))"
_GROUND = "var(--jp-layout-color1, var(--vscode-editor-background, Canvas))"
_LINE = "var(--jp-border-color1, var(--vscode-panel-border, GrayText))"
_EDGES = {
    State.NOT_ATTEMPTED: _LINE,
    State.NOT_THERE_YET: "var(--jp-warn-color1, #b26a00)",
    State.DONE: "var(--jp-success-color1, #2e7d32)",
    State.DONE_BEFORE: _LINE,
    State.UNKNOWN: "var(--jp-error-color1, #c62828)",
}
_FONT = "font-family: var(--jp-content-font-family, system-ui, sans-serif)"
_CODE_FONT = "font-family: var(--jp-code-font-family, ui-monospace, monospace)"
_NO_FORMULA = "tex2jax_ignore mathjax_ignore"
"""Else JupyterLab reads what stands between two dollar signs as a formula, and eats them."""
_CELL = f"padding: .2em .8em .2em 0; text-align: left; color: {_TEXT}; background: {_GROUND}"


class Panel:
    """Something a lab shows. `text` is all it says, in plain words."""

    def __init__(self, text: str, html: str) -> None:
        self.text = text
        self.html = html

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.html}


class Notice(Panel):
    """A sentence to the learner. Its state is "could not check": nothing was judged."""

    state = State.UNKNOWN

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message, _box(f"<div>{_prose(message)}</div>", "Notice", live=True))


class Report(Panel):
    """What the check of one task found."""

    def __init__(
        self,
        task: str,
        title: str,
        state: State,
        message: str = "",
        *,
        place: str = "",
        advice: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> None:
        self.task = task
        self.title = title
        self.state = state
        self.message = message
        self.place = place
        self.advice = tuple(advice)
        self.notes = tuple(notes)
        head = f"{state.sign} {title}: {state.words}"
        lines = [head + (f". {message}" if message else ".")]
        lines += [f"  At {place}"] * bool(place)
        lines += [f"  {each}" for each in (*self.advice, *self.notes)]
        rows = [f"<div><strong>{_sign(state)} {escape(title)}: {state.words}.</strong></div>"]
        rows += [f"<div>{_prose(message)}</div>"] * bool(message)
        if place:
            line, _, source = place.partition(": ")
            rows.append(f"<div>At {escape(line)}{':' if source else ''} {_code(source)}</div>")
        rows += [_small(each) for each in (*self.advice, *self.notes)]
        super().__init__(
            "\n".join(lines), _box("".join(rows), f"Check of {title}", state=state, live=True)
        )


class Overview(Panel):
    """All checks of a lab. Its state is "done" only when every task is done now; "done before"
    when each is, or was before the kernel was restarted.
    """

    def __init__(self, title: str, reports: Sequence[Report], notes: Sequence[str] = ()) -> None:
        self.reports = tuple(reports)
        done = [each for each in reports if each.state is State.DONE]
        before = [each for each in reports if each.state is State.DONE_BEFORE]
        states = {each.state for each in reports}
        if len(done) == len(reports) and reports:
            self.state = State.DONE
            head = (
                f"All {len(reports)} tasks are done." if len(reports) > 1 else "The task is done."
            )
        else:
            if states and states <= {State.DONE, State.DONE_BEFORE}:
                self.state = State.DONE_BEFORE
            elif states == {State.NOT_ATTEMPTED}:
                self.state = State.NOT_ATTEMPTED
            else:
                self.state = State.NOT_THERE_YET
            head = f"{len(done) + len(before)} of {len(reports)} tasks are done"
            head += f", {len(before)} of them before." if before else "."
        rows = [(each.state, each.title, each.message, each.task) for each in reports]
        lines = [f"{title}: {head}"]
        for state, name, message, _ in rows:
            told = f" {message}" if message and state is not State.DONE else ""
            lines.append(f"  {state.sign} {name}: {state.words}.{told}")
        body = "".join(
            f'<tr><th scope="row" style="{_CELL}">{escape(name)}</th>'
            f'<td style="{_CELL}; white-space: nowrap">{_sign(state)} {state.words}</td>'
            f'<td style="{_CELL}">{_prose(message) if state is not State.DONE else ""}</td></tr>'
            for state, name, message, _ in rows
        )
        html = (
            f"<div><strong>{escape(title)}: {head}</strong></div>"
            f"{_table(('Task', 'State', 'What is missing'), body)}" + "".join(map(_small, notes))
        )
        super().__init__(
            "\n".join([*lines, *(f"  {note}" for note in notes)]),
            _box(html, title, state=self.state, live=True),
        )


@dataclass(frozen=True)
class Row:
    """A task in the list with which a lab begins."""

    task: str
    title: str
    asks: str
    minutes: int
    done: bool


class Beginning(Panel):
    """The tasks of a lab, with their minutes, and which are done."""

    def __init__(
        self, title: str, rows: Sequence[Row], notes: Sequence[str] = (), *, minutes: int = 0
    ) -> None:
        minutes = minutes or sum(row.minutes for row in rows)
        head = f"{title}: {_count(len(rows), 'task')}, about {_count(minutes, 'minute')}"
        lines = [head + "."]
        width = max((len(row.task) for row in rows), default=0)
        lines += [
            f"  {_done(row).sign} {row.task:{width}}  {row.minutes:2} min  "
            f"{'Done' if row.done else 'Open'}  {row.asks}"
            for row in rows
        ]
        first = rows[0].task if rows else ""
        how = [
            f'Check a task with `lab.check("{first}")`, all of them with `lab.check()`.',
            f'Stuck? `lab.hint("{first}")`: hints cost nothing.',
            *notes,
        ]
        body = "".join(
            f'<tr><th scope="row" style="{_CELL}">{escape(row.title)}</th>'
            f'<td style="{_CELL}">{_code(row.task)}</td>'
            f'<td style="{_CELL}">{_prose(row.asks)}</td>'
            f'<td style="{_CELL}; white-space: nowrap">{row.minutes} min</td>'
            f'<td style="{_CELL}; white-space: nowrap">{_sign(_done(row))} '
            f"{'Done' if row.done else 'Open'}</td></tr>"
            for row in rows
        )
        html = (
            f"<div><strong>{escape(head)}.</strong></div>"
            f"{_table(('Task', 'Name', 'What to write', 'Time', 'State'), body)}"
            + "".join(map(_small, how))
        )
        super().__init__("\n".join([*lines, *(f"  {each}" for each in how)]), _box(html, title))


class Hint(Panel):
    """One hint of a task. In a live notebook it has a button for the next."""

    def __init__(
        self,
        task: str,
        title: str,
        number: int,
        hints: Sequence[str],
        *,
        more: Any = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.task = task
        self.number = number
        self.message = hints[number - 1]
        self.last = number == len(hints)
        self._more = more
        head = f"{title}, hint {number} of {len(hints)}"
        self.advice = (
            f'That was the last hint. `lab.solution("{task}")` shows one answer.'
            if self.last
            else f'The next one: `lab.hint("{task}")`'
        )
        rest = (self.advice, *notes)
        super().__init__(
            "\n".join([f"{head}: {self.message}", *(f"  {each}" for each in rest)]),
            _box(
                f"<div><strong>{escape(head)}</strong></div><div>{_prose(self.message)}</div>"
                + "".join(map(_small, rest)),
                head,
                live=True,
            ),
        )

    def _ipython_display_(self) -> None:
        from IPython.display import display

        handle = display(self._repr_mimebundle_(), raw=True, display_id=True)
        if not self.last and self._more is not None and is_live():
            _next_button(self, handle)


class Solution(Panel):
    """One way to solve a task: its code."""

    def __init__(self, task: str, title: str, code: str, notes: Sequence[str] = ()) -> None:
        self.task = task
        self.code = code
        head = f"{title}: one answer of many"
        html = (
            f"<div><strong>{escape(head)}</strong></div>"
            f'<pre tabindex="0" aria-label="Code" style="{_CODE_FONT}; color: {_TEXT}; '
            f'background: {_GROUND}; overflow-x: auto; margin: .5em 0">{escape(code)}</pre>'
            + "".join(map(_small, notes))
        )
        super().__init__("\n".join([head, "", code, *notes]), _box(html, head))


@dataclass(frozen=True)
class Standing:
    """A lesson in the list of all: how many of its tasks are done."""

    lesson: str
    title: str
    done: int
    tasks: int
    hints: int = 0


class Standings(Panel):
    """How far a learner has come, lesson by lesson."""

    def __init__(self, rows: Sequence[Standing], notes: Sequence[str] = ()) -> None:
        self.rows = tuple(rows)
        lines = ["Your progress"]
        lines += [f"  {r.lesson}: {r.done} of {_count(r.tasks, 'task')} done" for r in rows]
        body = "".join(
            f'<tr><th scope="row" style="{_CELL}">{escape(r.title)}</th>'
            f'<td style="{_CELL}">{r.done} of {r.tasks} done</td>'
            f'<td style="{_CELL}">{_count(r.hints, "hint")}</td></tr>'
            for r in rows
        )
        html = (
            f"<div><strong>Your progress</strong></div>"
            f"{_table(('Lesson', 'Tasks', 'Hints taken'), body)}" + "".join(map(_small, notes))
        )
        super().__init__(
            "\n".join([*lines, *(f"  {note}" for note in notes)]), _box(html, "Your progress")
        )


def is_live() -> bool:
    """Whether a notebook shows this while it runs, so that a button can do something."""
    import sys

    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def _next_button(hint: Hint, handle: Any) -> None:
    """A button below the hint that puts the next one in its place."""
    try:
        import ipywidgets
        from IPython.display import display
    except ImportError:
        return
    button = ipywidgets.Button(
        description="Next hint", tooltip=f"Show the next hint for {hint.task}"
    )

    def show_next(_: Any) -> None:
        following = hint._more()
        handle.update(following._repr_mimebundle_(), raw=True)
        if following.last:
            button.close()
        hint._more = following._more

    button.on_click(show_next)
    # The plain form is empty: where widgets cannot show, the hint itself says how to go on.
    view = button._repr_mimebundle_()
    display({**view, "text/plain": ""}, raw=True)


def _done(row: Row) -> State:
    return State.DONE if row.done else State.NOT_ATTEMPTED


def _count(number: int, of: str) -> str:
    return f"{number} {of}" if number == 1 else f"{number} {of}s"


def _sign(state: State) -> str:
    return f'<span aria-hidden="true">{state.sign}</span>'


def _prose(words: str) -> str:
    """Text with `code` in backticks."""
    parts = words.split("`")
    if len(parts) % 2 == 0:
        return escape(words)
    return "".join(_code(p) if n % 2 else escape(p) for n, p in enumerate(parts))


def _code(words: str) -> str:
    return (
        f'<code style="{_CODE_FONT}; color: {_TEXT}; background: none">{escape(words)}</code>'
        if words
        else ""
    )


def _small(words: str) -> str:
    return f'<div style="margin-top: .4em">{_prose(words)}</div>'


def _table(heads: Iterable[str], body: str) -> str:
    cells = "".join(f'<th scope="col" style="{_CELL}">{escape(head)}</th>' for head in heads)
    return (
        '<table style="border-collapse: collapse; margin: .5em 0">'
        f"<thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
    )


def _box(inner: str, label: str, *, state: State | None = None, live: bool = False) -> str:
    edge = _EDGES[state] if state else _LINE
    role = "status" if live else "group"
    return (
        f'<div role="{role}" class="{_NO_FORMULA}" aria-label="{escape(label)}" '
        f'style="{_FONT}; color: {_TEXT}; '
        f"background: {_GROUND}; border: 1px solid {_LINE}; border-left: 6px solid {edge}; "
        f'padding: .6em .9em; margin: .3em 0; line-height: 1.5">{inner}</div>'
    )
