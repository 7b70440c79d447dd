"""A lesson as slides: one HTML file made by nbconvert, reveal.js inside, for a room offline."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import nbformat
from markupsafe import Markup
from nbformat import NotebookNode

from kmscourse.course import CourseError, Lesson

_HEADING = re.compile(r"^(#{1,3}) ", re.MULTILINE)
HERE = Path(__file__).parent
_STYLESHEET = re.compile(r'<link href="reveal/dist/([^"]+)"[^>]*>')
_WIDGET = "application/vnd.jupyter.widget-view+json"


def write(lesson: Lesson, to: Path) -> Path:
    """Write the slides of a lesson's notebook, as built, with its outputs.

    Raises CourseError where the notebook is missing.
    """
    if not lesson.notebook.is_file():
        raise CourseError(f"{lesson.notebook} is not there. `make build` makes it.")
    notebook = nbformat.read(lesson.notebook, as_version=4)
    html = _html(in_slides(notebook), f"{lesson.number} · {lesson.title}")
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(html, encoding="utf-8")
    return to


def in_slides(notebook: NotebookNode) -> NotebookNode:
    """The notebook with nbconvert's marks: a part is a column of slides, a cell one slide.

    A heading of the first or second rank begins a column. The text before a cell stands on its
    slide, so that a prediction is asked there; what the cell answers comes with the next key.
    """
    with_text = False
    for cell in notebook.cells:
        heading = _HEADING.search(cell.source) if cell.cell_type == "markdown" else None
        if heading and len(heading[1]) < 3:
            kind, with_text = "slide", True
        elif cell.cell_type == "markdown":
            kind, with_text = "subslide", True
        else:
            kind, with_text = ("fragment" if with_text else "subslide"), False
        cell.metadata["slideshow"] = {"slide_type": kind}
        for output in cell.get("outputs", []):
            # No widget runs on a slide: its picture and its sentence stand beside it.
            output.get("data", {}).pop(_WIDGET, None)
    return notebook


def _html(notebook: NotebookNode, title: str) -> str:
    from nbconvert import SlidesExporter
    from traitlets.config import Config

    config = Config({"SlidesExporter": {"extra_template_basedirs": [str(HERE / "template")]}})
    exporter = SlidesExporter(
        config=config,
        template_name="slides",
        reveal_url_prefix="reveal",
        reveal_theme="white",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    script = _reveal("reveal.js").replace("</script", "<\\/script")
    resources = {"metadata": {"name": title}, "reveal_js": Markup(script)}
    html, _ = exporter.from_notebook_node(notebook, resources=resources)
    html = _STYLESHEET.sub(lambda link: f"<style>{_reveal(link[1])}</style>", html)
    return html.replace("</head>", f"<style>{_STYLE}</style></head>", 1)


def _reveal(name: str) -> str:
    """A file of reveal.js, without the web fonts that its themes would fetch."""
    text = (files("sphinx_revealjs") / "_static/revealjs/dist" / name).read_text(encoding="utf-8")
    return re.sub(r"@import url\([^)]*\);?|/\*# sourceMappingURL[^*]*\*/", "", text)


_STYLE = """
.reveal { font-family: system-ui, sans-serif; font-size: 26px; }
.reveal .slides section { text-align: left; height: 100%; overflow-y: auto; }
.reveal h1, .reveal h2, .reveal h3, .reveal h4 { text-transform: none; font-family: inherit; }
.reveal pre { width: 100%; box-shadow: none; font-size: 20px; margin: .3em 0; }
.reveal table { font-size: 20px; }
.reveal svg { max-width: 100%; height: auto; }
.reveal .slide-number { right: auto; left: 8px; } /* clear of the arrows */
.reveal .jp-RenderedText pre { word-break: normal; overflow-wrap: anywhere; }
"""
