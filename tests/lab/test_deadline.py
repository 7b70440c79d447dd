"""Code that never ends is ended."""

# ruff: noqa: SIM105 - to swallow every exception is what these functions are for

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable

import pytest

from kmscourse.lab.deadline import TimeUp, limited, timer_works

WAYS = [
    pytest.param(
        True, id="timer", marks=pytest.mark.skipif(not timer_works(), reason="no timer here")
    ),
    pytest.param(False, id="tracer"),
]


def loop() -> None:
    while True:
        pass


def one_line_loop() -> None:
    while True: pass  # fmt: skip  # noqa: E701


def swallow() -> None:
    while True:
        try:
            pass
        except:  # noqa: E722
            pass


def swallow_sleep() -> None:
    while True:
        try:
            time.sleep(0.05)
        except:  # noqa: E722
            pass


def swallow_loop() -> None:
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def swallow_twice() -> None:
    while True:
        try:
            swallow_loop()
        except BaseException:
            continue


def suppress() -> None:
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(0.05)


def finally_continue() -> None:
    while True:
        try:
            time.sleep(0.05)
        finally:
            continue  # noqa: B012


def called_again() -> None:
    def quiet() -> None:
        try:
            time.sleep(0.05)
        except:  # noqa: E722
            pass

    while True:
        quiet()


def generator() -> None:
    def numbers():  # type: ignore[no-untyped-def]
        while True:
            try:
                yield 1
            except:  # noqa: E722
                pass

    sum(numbers())


def keep_them_all() -> None:
    kept = []
    while True:
        try:
            time.sleep(0.05)
        except BaseException as caught:
            kept.append(caught)


def again_in_finally() -> None:
    try:
        while True:
            pass
    finally:
        again_in_finally()


def swallow_thrice() -> None:
    while True:
        try:
            while True:
                try:
                    while True:
                        try:
                            while True:
                                pass
                        except:  # noqa: E722
                            pass
                except:  # noqa: E722
                    pass
        except:  # noqa: E722
            pass


@pytest.mark.parametrize("by_timer", WAYS)
@pytest.mark.parametrize(
    "endless",
    [
        loop,
        one_line_loop,
        swallow,
        swallow_sleep,
        swallow_loop,
        swallow_twice,
        suppress,
        finally_continue,
        called_again,
        generator,
        keep_them_all,
        again_in_finally,
        swallow_thrice,
    ],
    ids=lambda endless: endless.__name__,
)
def test_it_ends(endless: Callable[[], None], by_timer: bool) -> None:
    tracer = sys.gettrace()
    with pytest.raises(TimeUp, match=r"stopped after 0\.02 seconds"):
        limited(endless, 0.02, by_timer=by_timer)
    assert sys.gettrace() is tracer
    assert handled_now() is None


def handled_now() -> BaseException | None:
    """What Python takes for the exception that is being handled: a new one carries it along."""
    try:
        raise ValueError
    except ValueError as new:
        return new.__context__


@pytest.mark.parametrize("by_timer", WAYS)
def test_what_ends_by_itself_is_left_alone(by_timer: bool) -> None:
    assert limited(lambda: sum(range(1000)), 60, by_timer=by_timer) == 499500
    with pytest.raises(ZeroDivisionError):
        limited(lambda: 1 / 0, 60, by_timer=by_timer)


@pytest.mark.skipif(not timer_works(), reason="no timer here")
def test_the_alarm_is_as_it_was() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeUp):
        limited(loop, 0.02)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("by_timer", WAYS)
def test_one_within_another(by_timer: bool) -> None:
    def inner() -> str:
        with pytest.raises(TimeUp):
            limited(loop, 0.02, by_timer=by_timer)
        return "went on"

    assert limited(inner, 60, by_timer=by_timer) == "went on"

    def outlives_its_outer() -> None:
        limited(loop, 60, by_timer=by_timer)

    if by_timer:
        with pytest.raises(TimeUp):
            limited(outlives_its_outer, 0.02, by_timer=True)


@pytest.mark.skipif(not timer_works(), reason="no timer here")
def test_many_deadlines_that_ring_at_any_moment() -> None:
    """Whenever it rings, also while it is being set or stopped, nothing is left behind."""
    for number in range(200):
        with contextlib.suppress(TimeUp):
            limited(lambda: None, 1e-6 * (number + 1))
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    time.sleep(0.06)  # a forgotten one would ring now
