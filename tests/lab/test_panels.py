"""What a learner sees: legible, stable, and the same in words."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from kmscourse import lab
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

EVIL = "<script>alert('x')</script> & `<b>code</b>`"
REPORTS = [Report("seal", "Seal", state, EVIL, place=f"line 2: {EVIL}") for state in State]
PANELS: list[Panel] = [
    *REPORTS,
    Notice(EVIL),
    Overview("Envelopes", REPORTS, [EVIL]),
    Beginning("Envelopes", [Row("seal", "Seal", EVIL, 4, True)], [EVIL]),
    Hint("seal", "Seal", 1, [EVIL, "b"]),
    Solution("seal", "Seal", EVIL, [EVIL]),
    Standings([Standing("05", EVIL, 1, 5, 2)], [EVIL]),
]
IDS = [f"{type(panel).__name__}-{getattr(panel, 'state', '')}" for panel in PANELS]


class Reader(HTMLParser):
    """The elements of a page and the words between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("panel", PANELS, ids=IDS)
def test_html_is_whole_and_what_is_shown_is_only_text(panel: Panel) -> None:
    page = Reader(panel.html)
    assert page.open == []
    tags = {tag for tag, _ in page.elements}
    assert tags <= {"div", "strong", "span", "code", "pre", "table", "thead", "tbody", "tr", "th",
                    "td"}  # fmt: skip
    assert "alert('x')" in page.words
    box = page.elements[0][1]
    assert box["role"] in ("status", "group")
    assert box["aria-label"]


@pytest.mark.parametrize("panel", PANELS, ids=IDS)
def test_nothing_in_it_changes_from_run_to_run(panel: Panel) -> None:
    bundle = panel._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/plain"] == repr(panel) == panel.text
    for text in bundle.values():
        assert not re.search(r"0x[0-9a-f]{6}|\bid=|\d\d:\d\d|20\d\d", text)


@pytest.mark.parametrize("panel", PANELS, ids=IDS)
def test_text_and_ground_are_a_pair_everywhere(panel: Panel) -> None:
    """JupyterLab's own pair, or VS Code's, or the system's: each legible in light and dark."""
    for _, attributes in Reader(panel.html).elements:
        style = dict(
            part.split(": ", 1) for part in (attributes.get("style") or "").split("; ") if part
        )
        if "color" in style:
            assert style["color"] == (
                "var(--jp-content-font-color1, var(--vscode-foreground, CanvasText))"
            )
        if style.get("background", "none") != "none":
            assert style["background"] == (
                "var(--jp-layout-color1, var(--vscode-editor-background, Canvas))"
            )


@pytest.mark.parametrize("state", list(State))
def test_a_state_is_told_by_word_and_sign(state: State) -> None:
    report = Report("seal", "Seal", state)
    others = [other for other in State if other is not state]
    assert report.text == f"{state.sign} Seal: {state.words}."
    assert f"Seal: {state.words}." in Reader(report.html).words
    assert all(other.words != state.words for other in others)
    assert [s for s in others if s.sign == state.sign] == [
        {State.DONE: State.DONE_BEFORE, State.DONE_BEFORE: State.DONE}.get(state)
    ] * (state.sign == "✓")


def test_all_done_is_a_matter_of_every_task() -> None:
    done, open_, wrong, unknown, before = (
        Report("a", "A", state)
        for state in (
            State.DONE,
            State.NOT_ATTEMPTED,
            State.NOT_THERE_YET,
            State.UNKNOWN,
            State.DONE_BEFORE,
        )
    )
    for reports, state in (
        ([done], State.DONE),
        ([done, done], State.DONE),
        ([open_, open_], State.NOT_ATTEMPTED),
        ([done, open_], State.NOT_THERE_YET),
        ([done, wrong], State.NOT_THERE_YET),
        ([done, unknown], State.NOT_THERE_YET),
        ([done, before], State.DONE_BEFORE),
        ([before, before], State.DONE_BEFORE),
        ([before, open_], State.NOT_THERE_YET),
        ([before, wrong, done], State.NOT_THERE_YET),
        ([], State.NOT_THERE_YET),
    ):
        overview = Overview("Envelopes", reports)
        assert overview.state is state, reports
        assert ("All" in overview.text or "The task is done" in overview.text) == (
            state is State.DONE
        )


def test_what_was_done_before_is_counted_and_named() -> None:
    reports = [Report("a", "A", s) for s in (State.DONE, State.DONE_BEFORE, State.NOT_ATTEMPTED)]
    assert "2 of 3 tasks are done, 1 of them before." in Overview("Envelopes", reports).text
    assert "2 of 2 tasks are done, 1 of them before." in Overview("Envelopes", reports[:2]).text


def test_a_lab_takes_the_minutes_of_the_index() -> None:
    rows = [Row("seal", "Seal", "seal", 4, False), Row("open", "Open", "open", 5, False)]
    assert Beginning("Envelopes", rows, minutes=20).text.startswith(
        "Envelopes: 2 tasks, about 20 minutes."
    )


CELLS = [
    "from kmscourse import lab\nlab.begin('01-boxes')",
    "lab.check('close')",
    "lab.hint('close')",
    "import ipywidgets\n"
    "from ipywidgets.widgets.widget import _instances\n"
    "button = next(w for w in _instances.values() if isinstance(w, ipywidgets.Button))\n"
    "button.click()",
    "lab.check()",
    "lab.hint('open', 2)",
    "def close(key, message):\n    exit()",
    "lab.check('close')",
    "def close(key, message):\n    try: close(key, message)\n    except: close(key, message)",
    "lab.check('close')",
    "lab.begin('03-doubles')",
    "def double(n):\n    while True:\n        try: n += 1\n        except: pass",
    "lab.check('double')",
    "'still here'",
]


def test_in_a_notebook(home: Path, tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    shown = [cell.outputs for cell in notebook.cells]
    begin, check, hint, click, everything, last, _, left, _, endless, *_, loop, end = shown

    for outputs in (begin, check, everything):
        (output,) = outputs
        assert output.output_type == "execute_result"
        assert set(output.data) == {"text/plain", "text/html"}
    assert check[0].data["text/plain"].startswith("○ Close: Not attempted yet.")

    # The button has been clicked: the second hint stands where the first was.
    panel, button = hint
    assert panel.data["text/plain"].startswith("Close, hint 2 of 3: os.urandom")
    assert button.data["text/plain"] == ""
    assert "application/vnd.jupyter.widget-view+json" in button.data
    assert click == []
    assert len(last) == 1  # after the last hint there is no next

    # Nothing that is checked ends the kernel.
    assert "SystemExit" in left[0].data["text/plain"]
    assert "Close: Not there yet." in endless[0].data["text/plain"]
    assert "was stopped after 0.4 seconds" in loop[0].data["text/plain"]
    assert end[0].data["text/plain"] == "'still here'"


def test_in_a_terminal(notebook: Any, capsys: pytest.CaptureFixture[str]) -> None:
    notebook.run("from kmscourse import lab\nlab.begin('01-boxes')")
    capsys.readouterr()
    notebook.run("lab.hint('close')")
    assert "Close, hint 1 of 3: What must be new at each call?" in capsys.readouterr().out


def test_the_states_of_the_public_face() -> None:
    assert [str(state) for state in lab.State] == [
        "not attempted",
        "not there yet",
        "done",
        "done before",
        "could not check",
    ]
