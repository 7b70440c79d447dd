"""Errors in a notebook as a learner can read them.

An error that AWS sends reaches the cell through ten frames of botocore. What is shown is the
learner's own cells and the error itself, as in the notebooks that are committed.
"""

from types import TracebackType
from typing import Any

from IPython.core.getipython import get_ipython

_LIBRARIES = ("site-packages", "dist-packages")


def _own(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames of installed libraries."""
    if trace is None:
        return None
    rest = _own(trace.tb_next)
    if any(part in trace.tb_frame.f_code.co_filename for part in _LIBRARIES):
        return rest
    return TracebackType(rest, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)


def _show(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType,
    tb_offset: int | None = None,
) -> list[str]:
    if isinstance(error, SyntaxError):  # it points at its place by itself
        shell.showsyntaxerror()
        return []
    shown: BaseException | None = error
    while shown is not None:  # each error of the chain, in a copy of its traceback
        shown.__traceback__ = _own(shown.__traceback__)
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    lines: list[str] = shell.InteractiveTB.structured_traceback(
        kind, error, error.__traceback__, tb_offset=tb_offset or 0
    )
    shell._showtraceback(kind, error, lines)
    error.__traceback__ = trace
    return lines


def install() -> None:
    """Show errors so from now on in this kernel."""
    shell = get_ipython()
    if shell is not None:
        shell.set_custom_exc((Exception,), _show)
