"""A lab as a learner does it, in a real IPython shell."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kmscourse import lab
from kmscourse.lab.attempt import silent
from kmscourse.lab.cells import code_cells, solved, stub
from kmscourse.lab.panels import State

DONE, OPEN, WRONG = State.DONE, State.NOT_ATTEMPTED, State.NOT_THERE_YET


def cells(home: Path, lesson: str = "01-boxes") -> list[str]:
    text = (home / "lessons" / lesson / "lab.py").read_text(encoding="utf-8")
    return [cell.source for cell in code_cells(text)]


def test_a_lab_from_beginning_to_end(notebook: Any, home: Path) -> None:
    setup, close, _, open_, _, nonce, _ = cells(home)

    begun = notebook.run(setup)
    assert begun.text.splitlines()[0] == "Boxes: 3 tasks, about 6 minutes."
    assert "○ close   3 min  Open  `close(key, message) -> bytes`" in begun.text

    for source in (close, open_, nonce):
        notebook.run(stub(source))
    report = notebook.run('lab.check("close")')
    assert report.state == OPEN == "not attempted"
    assert report.text == "○ Close: Not attempted yet. Write `close(key, message) -> bytes`."
    everything = notebook.run("lab.check()")
    assert everything.state == OPEN
    assert "0 of 3 tasks are done." in everything.text

    notebook.run("def close(key, message):\n    return message")
    report = notebook.run('lab.check("close")')
    assert report.state == WRONG == "not there yet"
    assert report.text == (
        "△ Close: Not there yet. The message can be read in the box.\n"
        "  `close` returned bytes: `b'blood group 0 negative'`\n"
        '  Stuck? `lab.hint("close")`'
    )

    notebook.run(solved(close))
    report = notebook.run('lab.check("close")')
    assert report.state == DONE == "done"
    assert report.message.startswith("A nonce used twice")
    everything = notebook.run("lab.check()")
    assert everything.state == WRONG
    assert "1 of 3 tasks are done." in everything.text

    notebook.run(solved(open_))
    assert notebook.run("lab.check()").state == WRONG
    notebook.run(solved(nonce))
    everything = notebook.run("lab.check()")
    assert everything.state == DONE
    assert "All 3 tasks are done." in everything.text


def test_all_is_done_is_never_said_while_one_is_open(notebook: Any, home: Path) -> None:
    for source in cells(home)[:-1]:
        notebook.run(solved(source))
    assert notebook.run("lab.check()").state == DONE
    notebook.run("nonce_bytes = 11")
    everything = notebook.run("lab.check()")
    assert everything.state == WRONG
    assert "2 of 3" in everything.text
    assert "All" not in everything.text


def test_after_a_restart_any_task_may_be_taken_up(
    notebook: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup, close, *_ = cells(home)
    notebook.run(setup)
    notebook.run(solved(close))
    notebook.run('lab.check("close")')

    notebook.restart()
    monkeypatch.setattr(lab, "_session", None)
    begun = notebook.run(setup)
    assert "✓ close   3 min  Done" in begun.text
    assert begun.text == notebook.run(setup).text
    report = notebook.run('lab.check("close")')
    assert report.state == State.DONE_BEFORE == "done before"
    assert report.text == "✓ Close: Done before. Run its cell to check again."
    assert notebook.run('lab.check("nonce")').state == OPEN
    everything = notebook.run("lab.check()")
    assert everything.state == WRONG
    assert "1 of 3 tasks are done, 1 of them before." in everything.text
    assert "✓ Close: Done before. Run its cell to check again." in everything.text
    assert notebook.run(solved(close) + '\n\nlab.check("close")').state == DONE


def test_a_second_beginning_tells_of_a_new_aws_and_only_then(notebook: Any, home: Path) -> None:
    setup = cells(home)[0]
    notebook.run("aws = object()")
    assert "it is empty" not in notebook.run(setup).text
    assert "it is empty" not in notebook.run(setup).text, "the same AWS goes on"
    notebook.run("aws = object()")
    assert "it is empty: run the cells below it again" in notebook.run(setup).text
    checks = home / "lessons" / "01-boxes" / "checks.py"
    checks.write_text(
        checks.read_text(encoding="utf-8").replace("def close(work", "def close(_", 1),
        encoding="utf-8",
    )
    notebook.run("aws = object()")
    notebook.run(setup)
    notebook.run("def close(key, message):\n    return message")
    report = notebook.run('lab.check("close")')
    assert "did not foresee" in report.text
    assert "it is empty" in report.text


def test_only_a_change_of_what_the_code_does_is_an_attempt(notebook: Any, home: Path) -> None:
    notebook.run(cells(home, "03-doubles")[0])
    for same in (
        "def double(number):\n    ...",
        "def double(number):\n    # I think about it\n\n    ...",
        'def double(number):\n    """My own words."""\n    ...  # your code here',
        "def double(number):\n    pass",
    ):
        notebook.run(same)
        assert notebook.run('lab.check("double")').state == OPEN, same
    for other in (
        "def double(number):\n    return number",
        "def double(number):\n    return None",
        "def double(number):\n    # nothing?\n    return",
        "double = lambda number: None",
        "def double(number):\n    print()",
        "double = 1",
        "double = None",
        "double = lambda number: number",
    ):
        notebook.run(other)
        assert notebook.run('lab.check("double")').state == WRONG, other


def test_returning_nothing_is_an_attempt_and_opens_the_solution(notebook: Any, home: Path) -> None:
    setup, close, *_ = cells(home)
    notebook.run(setup)
    for attempt in ("return None", "print(message)"):
        notebook.run(f'def close(key, message):\n    """Close it."""\n    {attempt}')
        report = notebook.run('lab.check("close")')
        assert report.state == WRONG
        assert "`print` shows a value; `return` hands it back." in report.text
    assert notebook.run('lab.solution("close")').code == solved(close)


def test_what_may_return_nothing_is_known_from_the_solution() -> None:
    assert silent("def a():\n    b()\ndef b(x):\n    if x:\n        return None\n    return 1\n"
                  "def c():\n    return 1\ndef d():\n    return") == {"a", "b", "d"}  # fmt: skip


def test_values_and_classes_too_can_be_untouched(notebook: Any, home: Path) -> None:
    setup, _, doubles, pair, _ = cells(home, "03-doubles")
    notebook.run(setup)
    notebook.run("def double(number): return 2 * number")
    notebook.run(stub(pair))
    assert notebook.run('lab.check("pair")').state == OPEN
    notebook.run(stub(pair).replace("...", "return 1", 1))
    assert notebook.run('lab.check("pair")').state == WRONG
    notebook.run("doubles = ...")
    assert notebook.run('lab.check("doubles")').state == OPEN
    notebook.run("doubles = []")
    assert notebook.run('lab.check("doubles")').state == WRONG
    notebook.run(solved(doubles))
    assert notebook.run('lab.check("doubles")').state == DONE


def test_hints_come_one_after_the_other(notebook: Any, home: Path) -> None:
    notebook.run(cells(home)[0])
    first, second, third, fourth = (notebook.run('lab.hint("close")') for _ in range(4))
    assert first.text == (
        'Close, hint 1 of 3: What must be new at each call?\n  The next one: `lab.hint("close")`'
    )
    assert second.message == "os.urandom gives you a nonce."
    assert third.text == fourth.text
    assert "That was the last hint." in third.text
    assert notebook.run('lab.hint("close", 2)').number == 2
    assert notebook.run('lab.hint("open", 2)').number == 2
    assert "a number from 1 to 3" in notebook.run('lab.hint("close", 9)').text
    assert "a number from 1 to 3" in notebook.run('lab.hint("close", "x")').text


def test_a_solution_opens_after_an_attempt(notebook: Any, home: Path) -> None:
    setup, close, *_ = cells(home)
    notebook.run(setup)
    notebook.run(stub(close))
    notebook.run('lab.check("close")')
    assert "Try Close first" in notebook.run('lab.solution("close")').text
    notebook.run("def close(key, message): return message")
    notebook.run('lab.check("close")')
    shown = notebook.run('lab.solution("close")')
    assert shown.code == solved(close)
    assert "AESGCM(key).encrypt(nonce, message, None)" in shown.text
    assert "solution" not in shown.code
    notebook.run(shown.code)
    assert notebook.run('lab.check("close")').state == DONE


def test_a_solution_opens_after_the_last_hint_too(notebook: Any, home: Path) -> None:
    setup, close, *_ = cells(home)
    notebook.run(setup)
    for _ in range(2):
        notebook.run('lab.hint("close")')
        assert "or after the last hint" in notebook.run('lab.solution("close")').text
    assert '`lab.solution("close")` shows one answer' in notebook.run('lab.hint("close")').text
    assert notebook.run('lab.solution("close")').code == solved(close)


def test_progress_is_on_disk(notebook: Any, home: Path) -> None:
    setup, close, *_ = cells(home)
    notebook.run(setup)
    notebook.run(stub(close) + '\nlab.check("close")')
    file = home / "my-work" / "progress.json"
    assert not file.exists()  # looking is no attempt
    notebook.run("def close(key, message): return message")
    notebook.run('lab.check("close")')
    notebook.run('lab.hint("close")')
    notebook.run(solved(close))
    notebook.run('lab.check("close")')
    notebook.run("close = 1")
    notebook.run('lab.check("close")')  # broken later: it has been done all the same
    kept = json.loads(file.read_text(encoding="utf-8"))
    task = kept["lessons"]["01-boxes"]["tasks"]["close"]
    done_at = datetime.fromisoformat(task.pop("done_at"))
    assert abs(datetime.now(UTC) - done_at) < timedelta(hours=1)
    assert kept["version"] == 1
    assert task == {"state": "done", "attempts": 3, "hints": 1, "solution_seen": False}
    shown = notebook.run("lab.progress()")
    assert shown.text.splitlines() == [
        "Your progress",
        "  01-boxes: 1 of 3 tasks done",
        "  03-doubles: 0 of 3 tasks done",
    ]


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ('lab.check("close")', "No lab has begun"),
        ("lab.check()", "No lab has begun"),
        ('lab.hint("close")', "No lab has begun"),
        ('lab.solution("close")', "No lab has begun"),
        ('lab.begin("01-boxs")', "Did you mean '01-boxes'?"),
        ('lab.begin("zzz")', "The lessons are: 01-boxes, 02-words, 03-doubles."),
        ("lab.begin(7)", "There is no lesson called 7"),
        ('lab.begin("02-words")', "02-words has no lab"),
    ],
)
def test_kind_words_where_no_lab_has_begun(notebook: Any, cell: str, says: str) -> None:
    notebook.run("from kmscourse import lab")
    notice = notebook.run(cell)
    assert says in notice.text
    assert notice.state == "could not check"


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ('lab.check("clsoe")', 'There is no task called "clsoe". Did you mean "close"?'),
        ('lab.check("zzz")', "The tasks are: close, open, nonce."),
        ("lab.check(7)", "Give a task's name in quotes"),
        ("lab.hint()", "Give a task's name in quotes"),
        ("lab.solution()", "Give a task's name in quotes"),
        ('lab.hint("opn")', 'Did you mean "open"?'),
    ],
)
def test_kind_words_for_a_wrong_name(notebook: Any, home: Path, cell: str, says: str) -> None:
    notebook.run(cells(home)[0])
    assert says in notebook.run(cell).text


def test_the_function_itself_will_do_for_its_name(notebook: Any, home: Path) -> None:
    setup, close, *_ = cells(home)
    notebook.run(setup)
    notebook.run(solved(close))
    assert notebook.run("lab.check(close)").state == DONE


def test_a_lab_in_a_plain_script(home: Path) -> None:
    """Without IPython the names are those of the module that calls `begin`."""
    import subprocess
    import sys

    text = "\n".join(solved(source) for source in cells(home)[:-1])
    script = home / "script.py"
    script.write_text(text + "\nprint(lab.check())\n", encoding="utf-8")
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert "All 3 tasks are done." in ran.stdout
    assert ran.stderr == ""
