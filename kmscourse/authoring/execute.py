"""Run a notebook from top to bottom in a fresh kernel, as a learner would."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from kmscourse.authoring.newcomer import newcomer
from kmscourse.authoring.outputs import complaints, normalise, plain
from kmscourse.authoring.problem import BuildError, Problem
from kmscourse.authoring.products import Product
from kmscourse.authoring.source import Cell

CELL_SECONDS = 120
"""A cell that runs longer than this stops the build. No cell of a lesson should need a tenth."""

START_SECONDS = 30
"""A kernel that has not answered by then is given up, and started once more."""

RAISES = "raises-exception"


@dataclass
class _Place:
    """Which cell is running, so that a failure can be told with its place."""

    index: int = 0


class _ThisPython(KernelSpecManager):
    """Always the kernel of the Python that builds, whatever else is installed as "python3"."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        from ipykernel.kernelspec import RESOURCES, get_kernel_dict

        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


class _Client(NotebookClient):  # type: ignore[misc]
    """nbclient, refusing what nbval would not see the same way when it compares."""

    @asynccontextmanager
    async def async_setup_kernel(self, **kwargs: Any) -> AsyncIterator[None]:
        """A kernel for the time of one notebook.

        nbclient's own takes Ctrl-C for itself, ends one kernel and lets the build go on with the
        next; and it leaves a kernel running whose manager it was given.
        """
        await self.async_start_new_kernel(**kwargs)
        try:
            await self.async_start_new_kernel_client()
            yield
        finally:
            if self.km is not None:  # after a kernel that never answered, nbclient cleans up itself
                await self._async_cleanup_kernel()

    async def _async_poll_kernel_alive(self) -> None:
        """nbclient lets this go on after a cell that is refused, when there is no kernel left."""
        try:
            await super()._async_poll_kernel_alive()
        except AssertionError:
            if self.kc is not None:
                raise

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> Any:
        kind = msg["msg_type"]
        if kind in ("clear_output", "update_display_data"):
            raise _NotComparableError(
                "it changes an output after showing it (clear_output, update_display or "
                "interact). Show it once, or use a widget of kmscourse.views"
            )
        state = msg["content"].get("data", {}).get("state", {}) if kind == "comm_msg" else {}
        if isinstance(state, dict) and state.get("msg_id"):
            raise _NotComparableError(
                "it prints into an ipywidgets Output, which only a browser can do the same way "
                "each time. Print plainly, or give the widget the text"
            )
        return super().process_message(msg, cell, cell_index)


class _NotComparableError(Exception):
    pass


async def execute(
    product: Product,
    notebook: NotebookNode,
    cells: list[Cell],
    step: Callable[[], None] = lambda: None,
) -> None:
    """Fill in the outputs of `notebook`, in place; `step` is called after each code cell.

    The kernel starts in the folder of the notebook, as it does in JupyterLab and under nbval.
    Raises BuildError for a cell that fails, does not fail where it should (tag
    `raises-exception`), takes too long, or shows what cannot be compared.
    """
    place = _Place()

    def started(cell_index: int, **_: Any) -> None:
        place.index = cell_index

    metadata = dict(notebook.metadata)
    product.path.parent.mkdir(parents=True, exist_ok=True)
    with newcomer(product.lesson.home) as environment, tempfile.TemporaryFile() as stderr:
        try:
            for last in (False, True):
                client = _Client(
                    notebook,
                    km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=_ThisPython()),
                    timeout=CELL_SECONDS,
                    startup_timeout=START_SECONDS,
                    store_widget_state=False,
                    record_timing=False,
                    shutdown_kernel="immediate",
                    resources={"metadata": {"path": str(product.path.parent)}},
                    on_cell_start=started,
                    on_cell_executed=lambda **_: step(),
                )
                try:
                    await client.async_execute(env=environment, stderr=stderr)
                    break
                except RuntimeError as error:
                    # Ports are chosen before they are taken: of two kernels that start at once,
                    # one may find its port gone and never answer. The next has ports of its own.
                    if last or "Kernel didn't respond" not in str(error):
                        raise
        except (
            CellExecutionError,
            CellTimeoutError,
            DeadKernelError,
            _NotComparableError,
        ) as error:
            said = _explain(error, notebook.cells[place.index], stderr)
            raise _failure(product, cells[place.index], place.index, said) from error
    notebook.metadata = metadata  # nbclient adds the exact version of Python, which is noise
    for index, (cell, node) in enumerate(zip(cells, notebook.cells, strict=True)):
        if node.cell_type == "code":
            node.metadata.pop("execution", None)
            node.outputs = normalise(node.outputs)
            _refuse(product, cell, node, index)


def _refuse(product: Product, cell: Cell, node: NotebookNode, index: int) -> None:
    raised = any(output.output_type == "error" for output in node.outputs)
    if RAISES in cell.tags and not raised:
        said = f"it is tagged {RAISES}, but it does not raise."
        raise _failure(product, cell, index, said)
    for said in complaints(node.outputs, product.lesson.home):
        raise _failure(product, cell, index, f"{said}.")


def _explain(error: Exception, node: NotebookNode, stderr: IO[bytes]) -> str:
    if isinstance(error, CellTimeoutError):
        return f"it ran for more than {CELL_SECONDS} seconds."
    if isinstance(error, DeadKernelError):
        stderr.seek(0)
        said = stderr.read().decode(errors="replace").splitlines()
        words = [line for line in said if line.strip() and "[IPKernelApp]" not in line]
        return "\n".join(["its kernel died.", *words[-5:]])
    if isinstance(error, _NotComparableError):
        return f"{error}."
    failed = [o for o in node.get("outputs", []) if o.output_type == "error"]
    if not failed:
        return plain(str(error))
    return f"{failed[-1].ename}: {plain(failed[-1].evalue)}\n" + _at(node, failed[-1].traceback)


def _at(node: NotebookNode, traceback: list[str]) -> str:
    """The source of the cell with an arrow at the line that failed."""
    numbers = re.findall(r"Cell In\[\d+\], line (\d+)", plain("\n".join(traceback)))
    failed = int(numbers[-1]) if numbers else 0
    return "\n".join(
        f"{'-->' if number == failed else '   '} {line}"
        for number, line in enumerate(node.source.splitlines(), start=1)
    )


def _failure(product: Product, cell: Cell, index: int, said: str) -> BuildError:
    arrow = re.search(r"^--> (.*)$", said, re.MULTILINE)
    line = cell.line_of(arrow.group(1)) if arrow else cell.line
    return BuildError(
        Problem(product.source, line, f"{product.name}, cell {index + 1}: {said.rstrip()}")
    )


async def together(
    jobs: Sequence[Callable[[], Awaitable[None]]], at_once: int
) -> list[BaseException | None]:
    """Run the jobs, `at_once` at a time; for each, None or what it raised."""
    gate = asyncio.Semaphore(at_once)

    async def one(job: Callable[[], Awaitable[None]]) -> None:
        async with gate:
            await job()

    return await asyncio.gather(*(one(job) for job in jobs), return_exceptions=True)
