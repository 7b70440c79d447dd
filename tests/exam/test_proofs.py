"""The answer key is what the simulator says; and a proof cannot say what it did not see."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby, product
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ParamValidationError

from kmscourse import cloud
from kmscourse.exam import proofs
from kmscourse.exam.proofs import Outcome, ProofError, decided_beforehand, tried
from kmscourse.exam.questions import Option, Question, bank

PROVED = [question for question in bank() if question.proof]


def turned(question: Question) -> Iterator[Question]:
    """The question with its key turned: a right option marked wrong, and a wrong one right."""
    wrong = [option for option in question.options if not option.right]
    for one, other in product(question.right, wrong):
        options = [
            option.model_copy(update={"right": not option.right})
            if option in (one, other)
            else option
            for option in question.options
        ]
        yield question.model_copy(update={"options": options})


def _of_lesson(questions: list[Question]) -> type:
    """A class of tests for the proofs of one lesson."""

    class Proofs:
        @pytest.mark.parametrize("question", questions, ids=[each.id for each in questions])
        def test_the_key_is_what_the_simulator_says(self, question: Question) -> None:
            played = tuple(proofs.play(question))
            assert proofs.disagreements(question, played) == ()
            for other in turned(question):  # with any other key the same proof fails
                assert len(proofs.disagreements(other, played)) == 2

    return Proofs


# A class a lesson: the tests of a class stay together on one worker, and the lessons spread.
for _lesson, _questions in groupby(PROVED, key=lambda question: question.lesson):
    globals()[f"TestLesson{_lesson[:2]}"] = _of_lesson(list(_questions))


def test_every_proof_is_named_and_none_is_decided_beforehand() -> None:
    assert [str(problem) for problem in proofs.problems(bank())] == []


# ---- the engine


def question(**cases: bool) -> Question:
    options = [
        Option(text=f"It is {case}", right=right, why="It is so.", case=case)
        for case, right in cases.items()
    ]
    made = Question.model_validate(
        {
            "id": "some-question",
            "objective": "01.something",
            "difficulty": 1,
            "kind": "single",
            "stem": "There is a key. Is it?",
            "options": [option.model_dump() for option in options],
            "facts": [],
            "sources": ["somewhere"],
            "as_of": "2026-11-25",
            "proof": "some-proof",
        }
    )
    made._lesson = "01-some"
    made._where = "lessons/01-some/questions.yaml:3"
    return made


ONE = question(create=True, disable=False, nothing=False, encrypt=False)

GOOD = '''
    import boto3
    from kmscourse.exam.proofs import Outcome, proof, tried

    @proof("some-proof")
    def some_proof(aws, case):
        """A key is wanted."""
        kms = boto3.client("kms")
        if case == "create":
            kms.create_key()
        keys = kms.list_keys()["Keys"]
        return Outcome(holds=len(keys) == 1, seen=f"There are {len(keys)} keys.")
'''


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "lessons" / "01-some"
    folder.mkdir(parents=True)
    return tmp_path


def write(home: Path, source: str) -> None:
    (home / "lessons" / "01-some" / "proofs.py").write_text(textwrap.dedent(source), "utf-8")


def test_each_option_is_played_in_a_new_cloud_and_the_one_before_is_put_back(home: Path) -> None:
    write(home, GOOD)
    with cloud.running(seed="learner"):
        kms = boto3.client("kms")
        for _ in range(3):
            kms.create_key()
        before = kms.list_keys()["Keys"]
        played = list(proofs.play(ONE, home))
        assert kms.list_keys()["Keys"] == before
    assert [each.option for each in played] == list(ONE.presented)
    assert {each.option.case: each.outcome.seen for each in played} == {
        "create": "There are 1 keys.",
        "disable": "There are 0 keys.",
        "nothing": "There are 0 keys.",
        "encrypt": "There are 0 keys.",
    }
    assert all(each.agrees for each in played)


def test_a_wrong_key_is_told_with_what_was_seen(home: Path) -> None:
    write(home, GOOD)
    wrong = question(create=False, disable=True, nothing=False, encrypt=False)
    assert proofs.disagreements(wrong, tuple(proofs.play(wrong, home))) == (
        "some-question: create is wrong by the answer key, but holds: There are 1 keys.",
        "some-question: disable is right by the answer key, but fails: There are 0 keys.",
    )


def test_a_missing_proof_and_one_that_nobody_names_have_file_and_line(home: Path) -> None:
    assert [str(each) for each in proofs.problems([ONE], home)] == [
        "lessons/01-some/questions.yaml:3: some-question: there is no proof 'some-proof' in "
        "lessons/01-some/proofs.py"
    ]
    with pytest.raises(ProofError, match="no proof 'some-proof'"):
        list(proofs.play(ONE, home))
    write(home, GOOD)
    assert list(proofs.problems([ONE], home)) == []
    assert [str(each) for each in proofs.problems([], home)] == [
        "lessons/01-some/proofs.py:5: no question of the lesson names the proof 'some-proof'"
    ]


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("x = 1\ny = nothing", 2, "NameError"),
        ("x = 1\n\nif", 3, "SyntaxError"),
        ("from kmscourse.exam.proofs import proof\n@proof('a')\ndef a(aws, case): ...", 2, "docs"),
        (
            "from kmscourse.exam.proofs import proof\n@proof('a')\ndef a(aws, case): 'Is.'\n"
            "@proof('a')\ndef b(aws, case): 'Is.'",
            4,
            "two proofs called 'a'",
        ),
    ],
)
def test_a_file_that_does_not_load_is_told_with_its_line(
    home: Path, source: str, line: int, message: str
) -> None:
    write(home, source)
    (problem,) = proofs.problems([], home)
    assert problem.where == f"lessons/01-some/proofs.py:{line}"
    assert message in problem.message


def test_what_gives_no_outcome_is_refused(home: Path) -> None:
    write(home, GOOD.replace("return Outcome", "Outcome"))
    with pytest.raises(ProofError, match="gave no Outcome but None"):
        list(proofs.play(ONE, home))
    with pytest.raises(ProofError, match="True or False"):
        Outcome(1, "It is.")  # type: ignore[arg-type]
    with pytest.raises(ProofError, match="`seen` is empty"):
        Outcome(True, " ")


def test_tried_tells_a_refusal_from_a_mistake() -> None:
    with cloud.running(seed="tried"):
        kms = boto3.client("kms")
        made = tried(kms.create_key, Description="one")
        assert made.ok
        assert made.answer["KeyMetadata"]["Description"] == "one"
        refused = tried(kms.describe_key, KeyId="00000000-0000-0000-0000-000000000000")
        assert (refused.ok, refused.code) == (False, "NotFoundException")
        assert "does not exist" in refused.words
        with pytest.raises(ParamValidationError):
            tried(kms.create_key, Descripton="a slip")
        with pytest.raises(KeyError):
            tried(lambda: made.answer["Key"])

    def library() -> None:
        raise ValueError("not mine")

    assert (tried(library).code, tried(library).words) == ("ValueError", "not mine")


IDLE = [
    "return Outcome(holds=case in RIGHT, seen='x')",
    "return Outcome(holds=True, seen='x')",
    "return Outcome(True, 'x')",
    "return proofs.Outcome(holds=not 0, seen='x')",
    "return Outcome(holds=case == 'rotate', seen='x')",
    "return Outcome(holds=bool({'a': True}[case]), seen='x')",
    "right = case != 'a'\n    return Outcome(holds=right, seen='x')",
    "right = case in ('a', 'b')\n    also = right\n    return Outcome(holds=also, seen='x')",
]
REAL = [
    "return Outcome(holds=tried(aws.call).ok, seen='x')",
    "answer = tried(aws.call)\n    return Outcome(holds=answer.ok, seen='x')",
    "answer = tried(aws.call)\n    return Outcome(answer.ok == (case == 'a'), 'x')",
    "a, b = aws.two()\n    return Outcome(holds={'a': a, 'b': b}[case], seen='x')",
    "for key in aws.keys():\n        pass\n    return Outcome(holds=key.ok, seen='x')",
    "ok = False\n    ok = aws.call()\n    return Outcome(holds=ok, seen='x')",
]


@pytest.mark.parametrize(("body", "count"), [*((b, 1) for b in IDLE), *((b, 0) for b in REAL)])
def test_an_outcome_that_is_decided_beforehand_is_found(body: str, count: int) -> None:
    source = f"RIGHT = {{'a', 'b'}}\ndef scene(aws, case):\n    {body}\n"
    found: list[Any] = list(decided_beforehand(source, "p.py"))
    assert len(found) == count
    assert all(str(each).startswith("p.py:") for each in found)
