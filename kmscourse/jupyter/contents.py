"""What JupyterLab may write: everything but the notebooks as published.

A learner runs a lesson's notebook where it lies. If JupyterLab saved it there, the next update of
the course would collide with it. So the built folders open read-only, and say so; a lab is opened
as the learner's own copy in `my-work/`.

The lessons are published with what each cell gives, for whoever reads them on the web. Here they
open without: a learner who is asked to predict must not see the answer below the question.
"""

from __future__ import annotations

from typing import Any

from jupytext.async_contentsmanager import AsyncTextFileContentsManager
from tornado import web

PUBLISHED = ("notebooks", "labs", "solutions")
"""The folders that `make build` writes, and nobody else."""

LESSONS = "notebooks"
"""The one of them whose cells ask the reader to predict and then to run."""


def is_published(path: str) -> bool:
    """Whether an API path ("notebooks/05-envelopes.ipynb") is one of the course's own notebooks."""
    return _folder(path) in PUBLISHED


def is_lesson(path: str) -> bool:
    """Whether an API path is in the folder of the lessons."""
    return _folder(path) == LESSONS


def not_yet_run(notebook: Any) -> None:
    """Take from a notebook, in place, all that running it has left there."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            cell["metadata"].pop("execution", None)
    notebook["metadata"].pop("widgets", None)


def _folder(path: str) -> str:
    return path.strip("/").partition("/")[0]


class CourseContents(AsyncTextFileContentsManager):  # type: ignore[misc]  # has no types
    """JupyterLab's files, jupytext's among them, with the published notebooks kept as they are."""

    def is_writable(self, path: str) -> bool:
        return not is_published(path) and bool(super().is_writable(path))

    async def get(self, path: str, *args: Any, **kwargs: Any) -> Any:
        model = await super().get(path, *args, **kwargs)
        if is_lesson(path) and model["type"] == "notebook" and model["content"] is not None:
            not_yet_run(model["content"])
        return model

    async def save(self, model: dict[str, Any], path: str = "") -> Any:
        if is_published(path):
            raise web.HTTPError(
                403,
                f"{path} is part of the course and stays as it is, so that updates never collide "
                "with your work. To keep your own version: File, Save Notebook As, my-work/...",
            )
        return await super().save(model, path)

    def mark_trusted_cells(self, nb: Any, path: str = "") -> None:
        """What the course itself wrote is shown as it was written, pictures and all."""
        if is_published(path):
            self.notary.mark_cells(nb, True)
        else:
            super().mark_trusted_cells(nb, path)
