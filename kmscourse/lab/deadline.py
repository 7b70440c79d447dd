"""Run code that may never end, and come back.

On the main thread of a system with `setitimer` a timer interrupts the code. An interruption is an
exception, and code such as

    while True:
        try:
            ...
        except:
            pass

swallows it. So the timer repeats, and from its second ring on a trace function comes with it: it
sees the `except:` line begin and raises again there, where the same `try` no longer reaches.

Elsewhere (Windows, Pyodide, another thread) a trace function watches the clock instead and raises
where no handler is in the way. What neither can stop is one long call into C, such as
`10 ** 10 ** 9`: Python looks up between its own instructions only.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any, TypeVar

T = TypeVar("T")

# Learners may replace what they find in these modules; the deadline goes on with the real ones.
_now = time.monotonic
_frame = sys._getframe
_settrace, _gettrace = sys.settrace, sys.gettrace
_spread = random.Random(0).uniform

REPEAT = 0.05
"""Seconds from one ring of the timer to the next, while the code goes on."""

PATIENCE = 0.25
"""Seconds that the trace function waits for a place without handlers before it raises anyway."""

_RERAISE_ONLY = ("COPY", "POP_EXCEPT", "RERAISE")


class TimeUp(BaseException):
    """The code ran past its deadline. `seconds` is how long it was given."""

    when_dropped: Callable[[], None] | None = None

    def __init__(self, seconds: float) -> None:
        super().__init__(f"stopped after {seconds:g} seconds")
        self.seconds = seconds

    def __del__(self) -> None:
        if self.when_dropped is not None:
            self.when_dropped()


def limited(
    code: Callable[[], T],
    seconds: float,
    *,
    by_timer: bool | None = None,
    watches: Callable[[FrameType], bool] = lambda frame: True,
) -> T:
    """What `code()` gives. Raises TimeUp when it has run for `seconds`; may be nested.

    `by_timer` chooses the way, for tests: None takes the timer where there is one. `watches` says
    in which frames the trace function follows each line; in others it sees calls only.
    """
    if by_timer is None:
        by_timer = timer_works()
    watch: _Timer | _Tracer
    watch = _Timer(seconds, _frame()) if by_timer else _Tracer(seconds, _frame(), watches)
    try:
        watch.start()
        return code()
    finally:
        # First of all, and without a call in which the timer could ring once more.
        watch.running = False
        watch.stop()


def timer_works() -> bool:
    """Whether this thread can be interrupted by a timer."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


class _Timer:
    """A deadline kept by SIGALRM."""

    def __init__(self, seconds: float, boundary: FrameType) -> None:
        self.seconds = seconds
        self.boundary = boundary
        self.running = False
        self.rings = 0
        self.caught = False
        self.handler_before: Any = None
        self.tracer_before: Any = None
        self.outer_left = 0.0
        self.started = _now()

    def start(self) -> None:
        self.tracer_before = _gettrace()
        self.outer_left = signal.getitimer(signal.ITIMER_REAL)[0]
        self.handler_before = signal.signal(signal.SIGALRM, self.ring)
        self.running = True
        first = min(self.seconds, self.outer_left) if self.outer_left else self.seconds
        signal.setitimer(signal.ITIMER_REAL, first, REPEAT)

    def stop(self) -> None:
        if self.handler_before is None:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self.rings > 1:
            _settrace(self.tracer_before)
        signal.signal(signal.SIGALRM, self.handler_before)
        if self.outer_left:
            left = self.outer_left - (_now() - self.started)
            signal.setitimer(signal.ITIMER_REAL, max(left, 1e-3), REPEAT)

    def ring(self, number: int, frame: FrameType | None) -> None:
        if not self.running:
            return
        self.rings += 1
        if self.rings > 1:
            self.caught = False
            _settrace(self.trace)
            _follow(frame, self.boundary, self.trace)
        raise TimeUp(self.seconds)

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Let the exception travel; raise it again where someone has caught it."""
        if not self.running:
            return None
        if event == "exception" and issubclass(arg[0], TimeUp):
            self.caught = True
        elif self.caught and event == "line":
            # Raising here ends the tracing. Should this land in an outer handler, rings at moments
            # that nobody foresees will find the code outside of every handler sooner or later.
            signal.setitimer(signal.ITIMER_REAL, _spread(1e-6, 2e-4), REPEAT)
            raise TimeUp(self.seconds)
        return self.trace


class _Tracer:
    """A deadline kept by a trace function: slower, and works everywhere."""

    def __init__(
        self, seconds: float, boundary: FrameType, watches: Callable[[FrameType], bool]
    ) -> None:
        self.seconds = seconds
        self.boundary = boundary
        self.watches = watches
        self.running = False
        self.before: Any = None
        self.ends = _now() + seconds

    def start(self) -> None:
        self.before = _gettrace()
        self.running = True
        _settrace(self.trace)

    def stop(self) -> None:
        _settrace(self.before)

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not self.running or frame.f_globals is globals():
            return None
        late = _now() - self.ends
        if late > 0:
            frame.f_trace_opcodes = True
            if event != "exception" and self.nothing_in_the_way(frame):
                raise TimeUp(self.seconds)
            if late > PATIENCE:
                # Raising ends the tracing. A handler that swallows this lets go of it when it is
                # done: then tracing begins anew, outside of that handler. (No name is bound to it
                # here: the traceback would keep it alive.)
                raise self.renewing()
            return self.trace
        if not self.watches(frame):
            return None
        frame.f_trace_opcodes = True  # a loop on one line has no line events
        return self.trace

    def renewing(self) -> TimeUp:
        time_up = TimeUp(self.seconds)
        time_up.when_dropped = self.again
        return time_up

    def again(self) -> None:
        if self.running:
            _follow(_frame(2), self.boundary, self.trace)
            _settrace(self.trace)

    def nothing_in_the_way(self, frame: FrameType | None) -> bool:
        while frame is not None and frame is not self.boundary:
            if is_handled(frame.f_code, frame.f_lasti):
                return False
            frame = frame.f_back
        return True


def _follow(frame: FrameType | None, boundary: FrameType, trace: Callable[..., Any]) -> None:
    while frame is not None and frame is not boundary:
        frame.f_trace = trace
        frame.f_trace_opcodes = True
        frame = frame.f_back


def is_handled(code: CodeType, offset: int) -> bool:
    """Whether an exception raised at this byte of the code would reach an `except`, `finally` or
    `with` of the same code. What only raises it again does not count."""
    import dis

    for start, end, target in _handlers(code.co_exceptiontable):
        if start <= offset < end:
            steps = (step.opname for step in dis.get_instructions(code) if step.offset >= target)
            return tuple(name for name, _ in zip(steps, range(3), strict=False)) != _RERAISE_ONLY
    return False


def _handlers(table: bytes) -> Iterator[tuple[int, int, int]]:
    """(start, end, target) of each entry, in bytes of the code.

    The format is that of CPython's Objects/exception_handling_notes.txt, since 3.11: four numbers
    an entry, six bits a byte, the first byte of an entry marked by its highest bit.
    """
    numbers = _numbers(table)
    for start in numbers:
        length, target, _depth = next(numbers), next(numbers), next(numbers)
        yield 2 * start, 2 * (start + length), 2 * target


def _numbers(table: bytes) -> Iterator[int]:
    value = 0
    for byte in table:
        value = value << 6 | byte & 63
        if not byte & 64:
            yield value
            value = 0
