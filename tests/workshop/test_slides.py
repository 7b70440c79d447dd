"""A lesson as slides: everything is in the one file, and a prediction stands before its answer."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from kmscourse import course
from kmscourse.workshop import slides


def test_parts_are_columns_and_an_answer_comes_after_its_question() -> None:
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# A lesson"),
            new_markdown_cell("**Predict:** what now?"),
            new_code_cell("1 + 1"),
            new_code_cell("2 + 2"),
            new_markdown_cell("### Within a part"),
            new_markdown_cell("## A part"),
        ]
    )
    marks = [cell.metadata["slideshow"]["slide_type"] for cell in slides.in_slides(notebook).cells]
    assert marks == ["slide", "subslide", "fragment", "subslide", "subslide", "slide"]


def test_a_widget_gives_way_to_its_picture() -> None:
    data = {slides._WIDGET: {"model_id": "1"}, "text/plain": "x", "image/svg+xml": "<svg/>"}
    cell = new_code_cell("x", outputs=[new_output("display_data", data=data)])
    slides.in_slides(new_notebook(cells=[cell]))
    assert list(cell.outputs[0].data) == ["text/plain", "image/svg+xml"]


def test_the_file_is_whole(tmp_path: Path) -> None:
    lesson = course.lesson("05-envelopes")
    html = slides.write(lesson, tmp_path / "new" / "slides.html").read_text(encoding="utf-8")
    without_scripts = re.sub(r"<script.*?</script>", "", html, flags=re.S)
    assert re.findall(r"<link|@import|<iframe|src=\"(?!data:)", without_scripts) == []
    assert f"<title>{lesson.number} · {lesson.title} slides</title>" in html
    notebook = nbformat.read(lesson.notebook, as_version=4)
    assert html.count("<section") > sum(cell.cell_type == "code" for cell in notebook.cells)
    pictures = re.findall(r"<img[^>]*>", without_scripts)
    assert pictures
    assert all(re.search(r'alt="[^"]{20,}', picture) for picture in pictures)


def test_a_lesson_that_is_not_built_is_told(tmp_path: Path) -> None:
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons/index.yaml").write_text(
        "- {name: 00-first, title: First, minutes: {lesson: 1, lab: 0}, about: First.}\n"
    )
    with pytest.raises(course.CourseError, match="`make build` makes it"):
        slides.write(course.lesson("0", tmp_path), tmp_path / "slides.html")
