"""The bank's own command, for those who write questions.

`python -m kmscourse.exam` checks the bank and prints what is wrong, by file and line;
`python -m kmscourse.exam counts` says how it is spread, and
`python -m kmscourse.exam play ID` plays the proof of a question.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from kmscourse.exam import checks, proofs
from kmscourse.exam.questions import BankError, Question, bank


def main(arguments: Sequence[str] = ()) -> int:
    """0 when all is well, 1 when something must be mended. Warnings alone are 0."""
    parser = argparse.ArgumentParser(prog="python -m kmscourse.exam", description=__doc__)
    words = parser.add_subparsers(dest="word")
    words.add_parser("counts", help="how the bank is spread")
    played = words.add_parser("play", help="play the proof of a question")
    played.add_argument("id")
    played.add_argument("--json", action="store_true", help="a line of JSON for each option")
    given = parser.parse_args(arguments)
    try:
        questions = bank()
    except BankError as error:
        print(error)
        return 1
    if given.word == "play":
        return _play(questions, given.id, as_json=given.json)
    if given.word == "counts":
        for line in checks.counts(questions):
            print(line)
        return 0
    return _check(questions)


def _check(questions: Sequence[Question]) -> int:
    problems = (*checks.everything(questions), *proofs.problems(questions))
    for problem in problems:
        print(f"warning: {problem}" if problem.warning else problem)
    for guesser in checks.guessers(questions):
        print(f"Someone who {guesser}.")
    failed = [problem for problem in problems if not problem.warning]
    lessons = {question.lesson for question in questions}
    proved = sum(question.proof is not None for question in questions)
    print(
        f"{len(questions)} questions in {len(lessons)} lessons, {proved} of them with a proof; "
        f"{len(failed)} problems."
    )
    return 1 if failed else 0


def _play(questions: Sequence[Question], question_id: str, *, as_json: bool) -> int:
    """Each option as soon as it is played; what goes wrong is the last line."""
    agree = True
    try:
        found = [question for question in questions if question.id == question_id]
        if not found:
            raise proofs.ProofError(f"There is no question {question_id!r}.")
        for each in proofs.play(found[0]):
            agree = agree and each.agrees
            if as_json:
                told = {
                    "case": each.option.case,
                    "holds": each.outcome.holds,
                    "seen": each.outcome.seen,
                }
                print(json.dumps(told), flush=True)
            else:
                print(f"{'holds' if each.outcome.holds else 'fails'}  {each.option.text}")
                print(f"       {each.outcome.seen}", flush=True)
    except Exception as error:
        said = str(error) if isinstance(error, proofs.ProofError) else repr(error)
        print(json.dumps({"error": said}) if as_json else said)
        return 1
    if not agree and not as_json:
        print("This is not what the answer key says.")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
