"""`python -m kmscourse.exam` checks the bank and prints what is wrong, by file and line."""

from __future__ import annotations

import sys

from kmscourse.exam import checks, proofs
from kmscourse.exam.questions import BankError, bank


def main() -> int:
    """0 when the bank is well, 1 when something must be mended. Warnings alone are 0."""
    try:
        questions = bank()
    except BankError as error:
        print(error)
        return 1
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


if __name__ == "__main__":
    sys.exit(main())
