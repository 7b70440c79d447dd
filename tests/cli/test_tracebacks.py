"""Errors in a kernel that the course starts: the learner's cell and the error, nothing between."""

from __future__ import annotations

import os

import nbformat
from nbclient import NotebookClient

from kmscourse import course
from kmscourse.jupyter import environment


def _error_of(source: str) -> str:
    cell = nbformat.v4.new_code_cell(source)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    client = NotebookClient(notebook, allow_errors=True, kernel_name="python3")
    client.create_kernel_manager()
    client.start_new_kernel(env=environment(course.root(), dict(os.environ)))
    with client.setup_kernel():
        client.execute_cell(cell, 0)
    (error,) = (output for output in cell.outputs if output.output_type == "error")
    return "\n".join(error.traceback)


def test_an_error_of_aws_shows_the_cell_and_its_words() -> None:
    shown = _error_of(
        "import boto3\nfrom kmscourse import cloud\naws = cloud.start()\n"
        "boto3.client('kms').describe_key(KeyId='nope')"
    )
    assert "Invalid keyId" in shown
    assert "describe_key" in shown
    assert "site-packages" not in shown
    assert "_make_api_call" not in shown


def test_a_slip_of_the_pen_is_still_pointed_at() -> None:
    shown = _error_of("answer = (1 +")
    assert "SyntaxError" in shown
    assert "answer = (1 +" in shown
