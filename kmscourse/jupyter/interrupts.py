"""Being asked to stop: Ctrl-C, a closed terminal, a container that goes down."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn


class Interrupted(BaseException):
    """We were asked to stop."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn every way of being asked to stop into Interrupted, so that nothing is left running."""

    def raise_it(number: int, frame: FrameType | None) -> NoReturn:
        raise Interrupted

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
    signals = [each for each in signals if signal.getsignal(each) != signal.SIG_IGN]  # nohup
    before = {each: signal.signal(each, raise_it) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
