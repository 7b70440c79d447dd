"""Questions in which every option has its reason, and where they are asked.

Writing questions
-----------------
A lesson keeps its questions in `lessons/<lesson>/questions.yaml`::

    lesson: 05-envelopes
    questions:
      - id: envelope-large-file
        objective: 05.envelope-by-hand
        exams:
          SAA-C03: ["1.3"]
          DVA-C02: ["2.2"]
        difficulty: 1
        kind: single
        stem: >
          A clinic's application must encrypt a 40 MB X-ray on the workstation, before it is
          uploaded. The key that protects it must stay in AWS KMS, and KMS must record its use.
          What should the developer do?
        options:
          - text: Call GenerateDataKey, encrypt with the plaintext key, store the encrypted key.
            right: true
            why: The data key does the bulk work here; only the small data key goes to AWS KMS.
          - text: Call Encrypt with the file as the plaintext, and store what AWS KMS returns.
            right: false
            why: Encrypt takes at most 4,096 bytes, so AWS KMS refuses a file of this size.
          - text: Call GetPublicKey on a symmetric KMS key, and encrypt the file with the result.
            right: false
            why: A symmetric KMS key has no public key, and its material never leaves AWS KMS.
          - text: Call PutObject with SSE-KMS, and name the customer managed key in the request.
            right: false
            why: Amazon S3 would encrypt it after receiving it; the workstation would not.
        facts: [BAS-03, OPS-01]
        sources: ["https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html"]
        as_of: 2026-11-17

The fields:

id
    Unique in the whole course, in small letters with hyphens. Answers are kept under it, so it
    never changes.
objective
    What is asked: the number of the lesson that teaches it, a dot, and a name, such as
    `05.data-key-caching`.
exams
    Which exam guides it serves, and which of their task statements; see `kmscourse.facts.exams`.
    May be left out.
difficulty
    1: one fact. 2: two facts, or a choice between like things. 3: a scenario to think through.
kind
    `single`: one right option and three wrong ones. `multiple`: two or more right ones among five
    to seven. Do not write "Choose two" into the stem: the page counts the options and says it.
stem
    The scenario first, then the question. No "which of the following is NOT".
options
    Each has `text`, `right` and `why`. A reason for EACH option, the right ones too. A reason
    stands on its own and speaks of the thing, never of letters or positions: options are mixed
    before they are shown, so write the right one first if you like. Options are of like length and
    form (all with a full stop or none), and none says "all of the above".
facts
    Ids of the register (`kmscourse.facts`) that the answer rests on. Every number in a question
    stands in one of them. Empty (`[]`) only where a question is about the course itself.
sources, as_of
    Where it can be read, and the day on which that was so (`YYYY-MM-DD`).
as_of_note
    Where AWS changed: what older study material says, and since when it is different.
proof
    Optional: the name of the scenario in the lesson's `proofs.py` that shows, on the simulator, the
    right options hold and the wrong ones fail. Each option then has a `case`, a short name that
    the scenario knows it by. See `kmscourse.exam.proofs`.

Text in which a colon is followed by a space must be quoted or folded (`>`), as always in YAML.
`python -m kmscourse.exam` runs the checks over all lessons and prints each problem with its file
and line; `pytest tests/exam` does the same as part of the tests.

Asking them
-----------
At a lesson's end `exam.check_yourself("05-envelopes")` shows its questions and keeps the answers.
Over all lessons there are `exam.practice()`, `exam.mock("SAA-C03")` and `exam.report()`; see
`kmscourse.exam.notebook`. In a terminal: `course exam`.
"""

from __future__ import annotations

from kmscourse.exam.answers import Answer, Answers
from kmscourse.exam.exports import export, import_progress
from kmscourse.exam.lesson_end import NoQuestionsError, check_yourself
from kmscourse.exam.notebook import mock, practice, report, resume, review
from kmscourse.exam.papers import PracticeError
from kmscourse.exam.questions import BankError, Option, Problem, Question, bank, load, of_lesson

__all__ = [
    "Answer",
    "Answers",
    "BankError",
    "NoQuestionsError",
    "Option",
    "PracticeError",
    "Problem",
    "Question",
    "bank",
    "check_yourself",
    "export",
    "import_progress",
    "load",
    "mock",
    "of_lesson",
    "practice",
    "report",
    "resume",
    "review",
]
