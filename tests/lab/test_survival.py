"""Whatever a learner's code does, the lab goes on and says so kindly."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.client
import pytest

import kmscourse.lab.deadline
import kmscourse.lab.work
from kmscourse.lab.panels import State


@pytest.fixture
def doubles(notebook: Any, home: Path) -> Any:
    notebook.run('from kmscourse import lab\nlab.begin("03-doubles")')
    return notebook


def report_of(notebook: Any, cell: str) -> Any:
    notebook.run(cell)
    return notebook.run('lab.check("double")')


@pytest.mark.parametrize(
    ("cell", "says", "place"),
    [
        ("def double(n):\n    while True:\n        pass", "stopped after 0.4 seconds", "line "),
        (
            "def double(n):\n    while True:\n        try:\n            n += 1\n"
            "        except:\n            pass",
            "stopped after 0.4 seconds",
            "line ",
        ),
        (
            "import time\ndef double(n):\n    while True:\n        try: time.sleep(9)\n"
            "        except: pass",
            "stopped after 0.4 seconds",
            "line ",
        ),
        (
            "import time\ndef double(n):\n    time.sleep(9)",
            "stopped after",
            "line 3 of its cell: time",
        ),
        (
            "def double(n):\n    print('flood' * 9999)\n    while True: print(n)",
            "stopped after",
            "",
        ),
        (
            "def double(n):\n    return n / 0",
            "ZeroDivisionError: division by zero",
            "line 2 of its",
        ),
        ("def double(n):\n    raise SystemExit", "SystemExit: a function should return", "line 2"),
        ("def double(n):\n    raise KeyboardInterrupt", "KeyboardInterrupt", "line 2 of its cell"),
        ("def double(n):\n    raise GeneratorExit", "GeneratorExit", "line 2 of its cell"),
        (
            "def double(n):\n    return double(n)",
            "RecursionError: it calls itself without",
            "line 2",
        ),
        ("def double(n):\n    raise ValueError('x' * 10**7)", "ValueError: xxx", "line 2 of its"),
        ("def double(n):\n    exit()", "SystemExit: a function should return", "line 2"),
        ("def double(n):\n    return b'x' * 10**7", "(10,000,000 bytes) for 3", ""),
        ("def double(n):\n    return 1 << 10**7", "<an int of 10,000,001 bits> for 3", ""),
        ("def double(n):\n    return list(range(10**6))", "[0, 1, 2, 3, … (1,000,000 items)]", ""),
        ("def double(n):\n    yield 6", "It gives <a generator> for 3", ""),
        ("async def double(n):\n    return 6", "is `async`: write a plain `def`", ""),
        ("def double():\n    return 6", "is called as `double(number)`, but yours takes ()", ""),
        ("def double(a, b):\n    return 6", "yours takes (a, b)", ""),
        ("def double(n):\n    return ...", "still gives back `...`", ""),
        ("double = 7", "should be a function, but it is an int", ""),
        ("double = None", "should be a function, but it is None", ""),
        ("double = 'x' * 10**7", "should be a function, but it is text (str)", ""),
        ("double = (n for n in ())", "but it is a generator", ""),
        ("class double:\n    pass", "should be a function, but it is", ""),
        (
            "class Odd:\n    def __eq__(self, o):\n        raise OSError('no')\n"
            "def double(n): return Odd()",
            "Your code stopped with OSError: no",
            "line 3 of its cell: raise OSError",
        ),
        (
            "class Odd:\n    def __eq__(self, o):\n        return self\n"
            "    def __bool__(self):\n        raise OSError('no truth')\n"
            "def double(n): return Odd()",
            "OSError: no truth",
            "line 5",
        ),
        (
            "class Odd:\n    def __repr__(self):\n        raise OSError\n    __str__ = __repr__\n"
            "    def __format__(self, spec):\n        raise OSError\n"
            "def double(n): return Odd()",
            "It gives <an Odd> for 3",
            "",
        ),
        (
            "class Odd(Exception):\n    def __str__(self): raise OSError\ndef double(n): raise Odd",
            "stopped with Odd.",
            "line 3",
        ),
        (
            "class Odd:\n    @property\n    def __class__(self): raise OSError\n"
            "    def __getattr__(self, name): raise OSError(name)\n"
            "def double(n): return Odd()",
            "It gives <an Odd> for 3",
            "",
        ),
    ],
)
def test_what_goes_wrong_is_told(doubles: Any, cell: str, says: str, place: str) -> None:
    report = report_of(doubles, cell)
    assert report.state == State.NOT_THERE_YET
    assert says in report.message
    assert place in report.place
    assert len(report.text) < 1000
    assert report_of(doubles, "def double(n): return 2 * n").state == State.DONE


def test_a_comparison_that_never_ends_is_ended(doubles: Any) -> None:
    doubles.run(
        "class Odd:\n    def __eq__(self, other):\n        while True: pass\n"
        "class Pair:\n    def first(self): return Odd()"
    )
    report = doubles.run('lab.check("pair")')
    assert report.state == State.NOT_THERE_YET
    assert "stopped after" in report.message
    assert report.place == "line 3 of its cell: while True: pass"


@pytest.mark.parametrize(
    "patch",
    [
        "import builtins; builtins.open = None",
        "import builtins; builtins.len = lambda x: 1 / 0",
        "import builtins; builtins.print = builtins.isinstance = builtins.str = None",
        "import builtins; builtins.Exception = builtins.BaseException = int",
        "import builtins; del builtins.getattr",
        "import builtins; builtins.__import__ = None",
        "len = open = print = isinstance = 3",
        "import boto3; boto3.client = lambda *a, **k: None",
        "import boto3; boto3.Session.client = boto3.session.Session = None",
        "from unittest import mock; import boto3; boto3.client = mock.MagicMock(return_value=0)",
        "import botocore.client; botocore.client.BaseClient.__init__ = None",
        "import os; os.urandom = lambda n: b''",
        "import time; time.monotonic = time.time = lambda: 0",
        "import json; json.dumps = json.loads = None",
        "import os; os.replace = os.fsync = None",
        "import kmscourse.lab.work as w; w.Work.expect = w.Work.function = None",
        "import kmscourse.lab.work as w; w.flipped = w.limited = w.told = None",
        "import kmscourse.lab.session as s; s.limited = s.Report = s.record = None",
        "import kmscourse.lab.deadline as d; d.limited = d._Timer.start = None",
        "import kmscourse.lab.showing as s; s.shown = s.kind_of = None",
        "import inspect; inspect.signature = None",
        "import signal; signal.setitimer = None",
        "import sys; sys.settrace = sys.setrecursionlimit = None",
    ],
)
def test_what_a_learner_has_patched_does_not_reach_the_check(
    doubles: Any, put_back: Callable[[], None], patch: str
) -> None:
    doubles.run("def double(n): return 2 * n")
    doubles.names["put_back"] = put_back  # IPython itself would not go on without `len`
    checks = f"try:\n    {patch}\n    report = lab.check('double')\nfinally:\n    put_back()"
    doubles.run(checks)
    assert doubles.names["report"].state == "done", doubles.names["report"]
    # Nor must a patch make a wrong answer right.
    doubles.run("def double(n): return n")
    doubles.run(checks)
    assert doubles.names["report"].state == "not there yet", doubles.names["report"]


def test_a_learner_keeps_what_they_patched(doubles: Any, put_back: Callable[[], None]) -> None:
    doubles.run("import boto3, builtins\nboto3.client = mine = lambda: 'mine'\nbuiltins.oct = mine")
    doubles.run("def double(n): return 2 * n")
    assert doubles.run('lab.check("double")').state == "done"
    assert doubles.run("boto3.client()") == doubles.run("oct()") == "mine"


def test_a_patch_made_by_the_code_under_check_does_not_reach_it(
    doubles: Any, put_back: Callable[[], None]
) -> None:
    doubles.names["put_back"] = put_back
    doubles.run(
        "import builtins, os\ndef double(n):\n    builtins.len = os.urandom = None\n"
        "    return 2 * n"
    )
    doubles.run("try: report = lab.check('double')\nfinally: put_back()")
    assert doubles.names["report"].state == State.DONE, doubles.names["report"]


def test_printing_without_end_is_cut(doubles: Any, capsys: pytest.CaptureFixture[str]) -> None:
    doubles.run("def double(n):\n    print('word ' * 100_000)\n    return 2 * n")
    assert doubles.run('lab.check("double")').state == State.DONE
    printed = capsys.readouterr().out
    assert "more was printed" in printed
    assert len(printed) < 5000


def test_a_lab_works_off_the_main_thread(doubles: Any) -> None:
    """There a trace function keeps the deadline, as it does on Windows and in Pyodide."""
    import threading

    from kmscourse import lab

    found: list[Any] = []
    for cell in (
        "def double(n):\n    while True: pass",
        "def double(n):\n    while True:\n        try: n += 1\n        except: pass",
        "def double(n): return 2 * n",
    ):
        doubles.run(cell)
        thread = threading.Thread(target=lambda: found.append(lab.check("double")))
        thread.start()
        thread.join()
    assert [each.state for each in found] == ["not there yet", "not there yet", "done"]
    assert "stopped after 0.4 seconds" in found[0].message
    assert found[0].place.startswith("line 2 of its cell")


@pytest.fixture
def put_back() -> Iterator[Callable[[], None]]:
    """Puts back whatever a test replaced, leaning on nothing that a test may replace."""
    import builtins

    names = (
        "boto3", "boto3.session", "botocore.client", "os", "time", "json", "inspect", "signal",
        "sys", "kmscourse.lab.work", "kmscourse.lab.session", "kmscourse.lab.deadline",
        "kmscourse.lab.showing",
    )  # fmt: skip
    homes: list[Any] = [importlib.import_module(name) for name in names]
    homes += [boto3.session.Session, botocore.client.BaseClient]
    homes += [kmscourse.lab.work.Work, kmscourse.lab.deadline._Timer]
    kept = [(home, name, value) for home in homes for name, value in list(vars(home).items())]
    before = dict(vars(builtins))
    held, put, get = vars(builtins), setattr, vars

    def back() -> None:
        held.update(before)
        for home, name, value in kept:
            if get(home).get(name) is not value:
                put(home, name, value)

    yield back
    back()
