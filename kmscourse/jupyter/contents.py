"""What JupyterLab may write: everything but the notebooks as published.

A learner runs a lesson's notebook where it lies. If JupyterLab saved it there, the next update of
the course would collide with it. So the built folders open read-only, and say so; a lab is opened
as the learner's own copy in `my-work/`.
"""

from __future__ import annotations

from typing import Any

from jupytext.async_contentsmanager import AsyncTextFileContentsManager
from tornado import web

PUBLISHED = ("notebooks", "labs", "solutions")
"""The folders that `make build` writes, and nobody else."""


def is_published(path: str) -> bool:
    """Whether an API path ("notebooks/05-envelopes.ipynb") is one of the course's own notebooks."""
    return path.strip("/").partition("/")[0] in PUBLISHED


class CourseContents(AsyncTextFileContentsManager):  # type: ignore[misc]  # has no types
    """JupyterLab's files, jupytext's among them, with the published notebooks kept as they are."""

    def is_writable(self, path: str) -> bool:
        return not is_published(path) and bool(super().is_writable(path))

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
