"""A proof played for a learner: beside their own simulated AWS, never in it.

Where processes can be started it is played in one of its own (`python -m kmscourse.exam play ID`),
so that nothing of what the learner runs is touched. Where they cannot, as in a browser, it is
played here: `cloud.running` puts the learner's simulated AWS back afterwards.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kmscourse import course
from kmscourse.exam.proofs import Outcome, Played, ProofError, play
from kmscourse.exam.questions import Question

if TYPE_CHECKING:
    from kmscourse.views.quiz import Prove, Seen

SECONDS = 120
"""How long a proof may take before it is given up."""


def prove(question: Question, home: Path | None = None) -> Iterator[Played]:
    """Play each option, one after another, in a process of its own if that is possible.

    Raises ProofError, with words for a learner, where it cannot be played to its end.
    """
    if question.proof is None:
        raise ProofError(f"The question {question.id} has no proof.")
    started = False
    try:
        for played in _apart(question, home or course.root()):
            started = True
            yield played
    except OSError:  # no processes here
        if started:
            raise
        yield from play(question, home)


def provers(questions: Mapping[str, Question]) -> Prove:
    """For a view: plays the question with an id, choice by choice as they are shown."""

    def played(question_id: str) -> Iterator[Seen]:
        from kmscourse.views.quiz import Seen

        question = questions[question_id]
        for each in prove(question):
            position = question.presented.index(each.option)
            yield Seen(position, each.outcome.holds, each.outcome.seen)

    return played


def _apart(question: Question, home: Path) -> Iterator[Played]:
    """Raises OSError where no process can be started, ProofError where the other one fails."""
    if sys.platform == "emscripten":
        raise OSError("there are no processes in a browser")
    import subprocess
    import threading

    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "kmscourse.exam", "play", "--json", question.id],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path, course.HOME_VARIABLE: str(home)},
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    by_case = {option.case: option for option in question.options}
    timer = threading.Timer(SECONDS, process.kill)
    timer.start()
    failed = "the process that played it ended early"
    try:
        count = 0
        for line in process.stdout:
            told = _told(line)
            if "error" in told:
                failed = str(told["error"])
                break
            if told.get("case") in by_case:
                count += 1
                outcome = Outcome(holds=bool(told["holds"]), seen=str(told["seen"]))
                yield Played(by_case[str(told["case"])], outcome)
        if count < len(by_case):
            raise ProofError(failed)
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


def _told(line: str) -> dict[str, Any]:
    """A line of the other process; one that is not its protocol counts as nothing."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
