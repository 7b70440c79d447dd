"""Run code that may never end, and come back.

On the main thread of a system with `setitimer` a timer interrupts the code. An interruption is an
exception, and code such as

    while True:
        try:
            ...
        except:
            pass

swallows it. So the timer repeats, and from its second ring on a trace function comes with it: it
sees the `except:` begin and raises again there, where the same `try` no longer reaches.

Elsewhere (Windows, Pyodide, another thread) a trace function watches the clock instead.

What neither can stop is one long call into C, such as `10 ** 10 ** 9`: Python looks up between its
own instructions only. And nothing is promised for a recursion that swallows its own RecursionError
at every level, nor for an endless row of short deadlines inside a long one.
"""

from __future__ import annotations

import dis
import functools
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
_setprofile, _getprofile = sys.setprofile, sys.getprofile
_signal = signal.signal
_setitimer: Any = getattr(signal, "setitimer", None)
_getitimer: Any = getattr(signal, "getitimer", None)
_ITIMER: Any = getattr(signal, "ITIMER_REAL", None)
_SIGALRM: Any = getattr(signal, "SIGALRM", None)

REPEAT = 0.05
"""Seconds from one ring of the timer to the next, while the code goes on."""

PATIENCE = 0.25
"""Seconds that a trace function alone waits for a good place before it raises anyway."""

_RERAISE_ONLY = ("COPY", "POP_EXCEPT", "RERAISE")


class TimeUp(BaseException):
    """The code ran past its deadline. `seconds` is how long it was given."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"stopped after {seconds:g} seconds")
        self.seconds = seconds


class _Returning(TimeUp):
    """A TimeUp that comes back: whoever swallows it lets go of it when their handler ends."""

    def __init__(self, seconds: float, when_dropped: Callable[[], None]) -> None:
        super().__init__(seconds)
        self.when_dropped = when_dropped

    def __del__(self) -> None:
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
    return _setitimer is not None and threading.current_thread() is threading.main_thread()


class _Watch:
    """What both ways have in common: raising where it cannot be swallowed."""

    def __init__(self, seconds: float, boundary: FrameType) -> None:
        self.seconds = seconds
        self.boundary = boundary
        self.running = False
        self.swallowed = False
        self.trace_before: Any = None
        self.profile_before: Any = None
        self.tracing = self.trace  # one object, to know it again

    def raise_through(self, frame: FrameType) -> None:
        """Raise from a trace function, if this is a good place.

        A good place has no handler between here and the boundary. Where an exception has been
        swallowed already, the `except:` that did so is good enough: that `try` is left behind.
        Never where the interpreter itself is about to enter or leave a handler.
        """
        if frame.f_lasti in _unsettled(frame.f_code):
            return
        if self.swallowed:
            # Raising ends the tracing. It begins anew when a frame ends or begins, which the
            # profile function sees, or when a handler has swallowed this one too and drops it.
            # (No name is bound to it here: the traceback would keep it alive.)
            raise _Returning(self.seconds, self.again)
        if self.nothing_in_the_way(frame):
            raise TimeUp(self.seconds)

    def again(self) -> None:
        if self.running:
            self.follow(_frame(2))

    def profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if self.running and frame.f_globals is not globals():
            self.follow(frame.f_back if event == "return" else frame)

    def follow(self, frame: FrameType | None) -> None:
        """Trace this frame and those that called it, as far as the boundary."""
        while frame is not None and frame is not self.boundary:
            if frame.f_trace is self.tracing:
                break
            frame.f_trace = self.tracing
            frame.f_trace_opcodes = True
            frame = frame.f_back
        _settrace(self.tracing)
        _setprofile(self.profile)

    def unfollow(self) -> None:
        _setprofile(self.profile_before)
        _settrace(self.trace_before)

    def nothing_in_the_way(self, frame: FrameType | None) -> bool:
        while frame is not None and frame is not self.boundary:
            if is_handled(frame.f_code, frame.f_lasti):
                return False
            frame = frame.f_back
        return True

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        raise NotImplementedError


class _Timer(_Watch):
    """A deadline kept by SIGALRM."""

    def __init__(self, seconds: float, boundary: FrameType) -> None:
        super().__init__(seconds, boundary)
        self.rings = 0
        self.handler_before: Any = None
        self.outer_left = 0.0
        self.started = _now()

    def start(self) -> None:
        self.trace_before, self.profile_before = _gettrace(), _getprofile()
        self.outer_left = _getitimer(_ITIMER)[0]
        self.handler_before = _signal(_SIGALRM, self.ring)
        self.running = True
        first = min(self.seconds, self.outer_left) if self.outer_left else self.seconds
        _setitimer(_ITIMER, first, REPEAT)

    def stop(self) -> None:
        if self.handler_before is None:
            return
        _setitimer(_ITIMER, 0)
        if self.rings > 1:
            self.unfollow()
        _signal(_SIGALRM, self.handler_before)
        if self.outer_left:
            left = self.outer_left - (_now() - self.started)
            _setitimer(_ITIMER, max(left, 1e-3), REPEAT)

    def ring(self, number: int, frame: FrameType | None) -> None:
        if not self.running:
            return
        if frame is not None and frame is not self.boundary and frame.f_globals is globals():
            return  # in the midst of our own work: the next ring is soon enough
        self.rings += 1
        if self.rings > 1:
            self.swallowed = False
            self.follow(frame)
        raise TimeUp(self.seconds)

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not self.running or event == "call":
            return None
        if event == "exception" and issubclass(arg[0], TimeUp):
            self.swallowed = True  # or will be, if a line of this frame comes next
        elif event in ("line", "opcode"):
            self.raise_through(frame)
        return self.tracing


class _Tracer(_Watch):
    """A deadline kept by a trace function: slower, and works everywhere."""

    def __init__(
        self, seconds: float, boundary: FrameType, watches: Callable[[FrameType], bool]
    ) -> None:
        super().__init__(seconds, boundary)
        self.watches = watches
        self.ends = _now() + seconds

    def start(self) -> None:
        self.trace_before, self.profile_before = _gettrace(), _getprofile()
        self.running = True
        _settrace(self.tracing)

    def stop(self) -> None:
        self.unfollow()

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not self.running or frame.f_globals is globals():
            return None
        late = _now() - self.ends
        if late > 0 and event != "exception":
            if late > PATIENCE and not self.swallowed:
                self.swallowed = True
                self.follow(frame)
            self.raise_through(frame)
        if late <= 0 and not self.watches(frame):
            return None
        frame.f_trace_opcodes = True  # a loop on one line has no line events
        return self.tracing


def is_handled(code: CodeType, offset: int) -> bool:
    """Whether an exception raised at this byte of the code would reach an `except`, `finally` or
    `with` of the same code. What only raises it again does not count."""
    for start, end, target in _handlers(code.co_exceptiontable):
        if start <= offset < end:
            return target not in _only_raise_again(code)
    return False


@functools.lru_cache(maxsize=64)
def _unsettled(code: CodeType) -> frozenset[int]:
    """Where an exception from outside would leave the interpreter's own books wrong: on the way
    into a handler, and out of one. The exception being handled would stay so for ever."""
    entering = {
        step.offset for step in dis.get_instructions(code) if step.opname == "PUSH_EXC_INFO"
    }
    leaving = {target + 2 * step for target in _only_raise_again(code) for step in range(3)}
    nowhere = {
        offset
        for offset, (line, *_) in zip(
            range(0, len(code.co_code), 2), code.co_positions(), strict=False
        )
        if line is None
    }
    return frozenset(entering | leaving | nowhere)


@functools.lru_cache(maxsize=64)
def _only_raise_again(code: CodeType) -> frozenset[int]:
    steps = [(step.offset, step.opname) for step in dis.get_instructions(code)]
    return frozenset(
        offset
        for (offset, _), *three in zip(steps, steps, steps[1:], steps[2:], strict=False)
        if tuple(name for _, name in three) == _RERAISE_ONLY
    )


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
