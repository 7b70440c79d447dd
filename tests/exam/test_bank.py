"""The bank of all lessons, and the checks on it: each must find what it is there to find."""

from __future__ import annotations

import datetime
import textwrap
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kmscourse import exam
from kmscourse.exam import checks
from kmscourse.exam.questions import BankError, Problem, Question, bank, load, of_lesson, parse

FIXTURES = Path(__file__).parent / "fixtures"
TODAY = datetime.date(2026, 11, 23)


def question(**changes: Any) -> Question:
    """A good question, with some fields changed."""
    base: dict[str, Any] = {
        "id": "some-question",
        "objective": "05.something",
        "exams": {"SAA-C03": ["1.3"]},
        "difficulty": 2,
        "kind": "single",
        "stem": "A clinic has a key. What does the clinic do with its key today?",
        "options": [
            {
                "text": f"It does thing {word}",
                "right": word == "one",
                "why": f"{word} is so and so.",
            }
            for word in ("one", "two", "three", "four")
        ],
        "facts": ["OPS-01"],
        "sources": ["https://docs.aws.amazon.com/kms/"],
        "as_of": datetime.date(2026, 11, 17),
    }
    for option in base["options"]:
        option["why"] = f"The reason of thing {option['why']}"
    return Question.model_validate(base | changes)


def options(*texts: str, right: int = 0, whys: list[str] | None = None) -> list[dict[str, Any]]:
    return [
        {
            "text": text,
            "right": number == right,
            "why": whys[number] if whys else f"This is the reason number {number} of it.",
        }
        for number, text in enumerate(texts)
    ]


# ---- the bank itself


def test_the_bank_has_no_problems() -> None:
    found = checks.everything(bank())
    for problem in found:
        if problem.warning:
            warnings.warn(str(problem), stacklevel=1)
    assert [str(problem) for problem in found if not problem.warning] == []


def test_an_empty_course_has_an_empty_bank(tmp_path: Path) -> None:
    (tmp_path / "lessons").mkdir()
    assert bank(tmp_path) == ()
    assert checks.everything(()) == ()


def test_the_lesson_named_in_a_file_is_the_one_it_lies_in() -> None:
    for each in bank():
        assert each.where.startswith(f"lessons/{each.lesson}/questions.yaml:")


def test_of_lesson_takes_the_short_name_too() -> None:
    assert of_lesson("05-envelopes") == of_lesson("5")
    assert len(of_lesson("05-envelopes")) >= 10


# ---- the format


def test_the_example_in_the_documentation_is_a_valid_file() -> None:
    text = (exam.__doc__ or "").split("::\n", 1)[1].split("\nThe fields:", 1)[0]
    (found,) = parse(textwrap.dedent(text), "example")
    assert [str(problem) for problem in checks.everything([found])] == []
    assert found.as_of == datetime.date(2026, 11, 17)


def test_options_are_mixed_the_same_way_every_time() -> None:
    questions = bank()
    assert [q.presented for q in questions] == [q.presented for q in questions]
    for each in questions:
        assert sorted(o.text for o in each.presented) == sorted(o.text for o in each.options)
    places = {q.presented.index(q.right[0]) for q in questions if q.kind == "single"}
    assert places == {0, 1, 2, 3}


def test_what_is_asked_is_counted_from_the_options() -> None:
    assert question().asks == "Choose one."
    two = options("a", "b", "c", "d", "e")
    two[1]["right"] = True
    assert question(kind="multiple", options=two).asks == "Choose two."


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("bad-*.yaml")), ids=lambda p: p.stem)
def test_a_bad_file_is_refused_with_line_and_reason(path: Path) -> None:
    """The first lines of a fixture say what is expected: `# LINE: part of the message`."""
    expected = [
        line[2:].rstrip().split(": ", 1)
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("# ")
    ]
    with pytest.raises(BankError) as caught:
        load(path)
    found = [str(problem) for problem in caught.value.problems]
    assert len(found) == len(expected), found
    for message, (line, part) in zip(found, expected, strict=True):
        assert message.startswith(f"{path.name}:{line}: "), message
        assert part in message


def test_problems_of_all_files_are_told_together(tmp_path: Path) -> None:
    for name in ("01-a", "02-b"):
        folder = tmp_path / "lessons" / name
        folder.mkdir(parents=True)
        (folder / "questions.yaml").write_text("[]", "utf-8")
    with pytest.raises(BankError) as caught:
        bank(tmp_path)
    assert len(caught.value.problems) == 2


def test_a_file_that_cannot_be_read_is_a_bank_error(tmp_path: Path) -> None:
    (tmp_path / "q.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BankError, match="cannot be read"):
        load(tmp_path / "q.yaml")
    with pytest.raises(BankError, match="cannot be read"):
        load(tmp_path / "none.yaml")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.dates(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["lesson", "questions", "id", "options", "text", "exams", "kind"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_whatever_is_in_a_file_it_is_read_or_refused_kindly(data: Any) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        parse(yaml.safe_dump(data, allow_unicode=True), "f.yaml")
    except BankError as error:
        problems = error.problems
    assert all(problem.where.startswith("f.yaml") for problem in problems)


# ---- each check finds what it is there for, and lets a good question pass


def messages(check: Any, *questions: Question, **kwargs: Any) -> list[str]:
    return [problem.message for problem in check(questions, **kwargs)]


def test_a_good_question_passes_every_check() -> None:
    assert [str(problem) for check in checks.EACH for problem in check([question()])] == []


def test_unique_ids() -> None:
    assert messages(checks.unique_ids, question(), question())
    assert not messages(checks.unique_ids, question(), question(id="another"))


def test_facts_exist() -> None:
    assert messages(checks.facts_exist, question(facts=["OPS-01", "OPS-99"])) == [
        "some-question: there is no fact 'OPS-99'"
    ]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"SAA-C09": ["1.3"]}, "no exam 'SAA-C09'"),
        ({"SAA-C03": ["1.3", "8.8"]}, "no task '8.8'"),
        ({"SCS-C02": ["5.2"]}, "SCS-C02 is retired"),
    ],
)
def test_exams_exist(named: dict[str, list[str]], message: str) -> None:
    assert message in messages(checks.exams_exist, question(exams=named))[0]


@pytest.mark.parametrize(
    "text", ["All of the above", "None of these are right", "Both A and C", "Any of the options"]
)
def test_no_all_of_the_above(text: str) -> None:
    bad = question(options=options("It is one", "It is two", "It is three", text))
    assert messages(checks.no_all_of_the_above, bad)
    good = question(options=options("All of the objects", "None of them", "Both keys", "Any key"))
    assert not messages(checks.no_all_of_the_above, good)


@pytest.mark.parametrize(
    "why",
    [
        "Option B is better than this one.",
        "This is wrong, see answer 3 for more.",
        "It does the same as the first option does.",
        "The reason is given above (C) in full.",
        "As explained, A is the better choice here.",
        "The previous choice already does this.",
    ],
)
def test_no_letters(why: str) -> None:
    good = "A key is a thing, and AWS KMS keeps it for you."
    bad = question(options=options("a", "b", "c", "d", whys=[why, good, good + " ", "It is so."]))
    assert len(messages(checks.no_letters, bad)) == 1


def test_the_stem_does_not_count() -> None:
    assert messages(checks.stem_does_not_count, question(stem="A key. What is it? (Choose TWO.)"))


@pytest.mark.parametrize("stem", ["What is a key?", "A clinic has a key. It wants two."])
def test_scenario_first(stem: str) -> None:
    assert messages(checks.scenario_first, question(stem=stem))


def test_like_length() -> None:
    long = "It is four, which in this case is by far the longest of them all"
    assert messages(checks.like_length, question(options=options("One", "Two", "Three", long)))
    assert not messages(
        checks.like_length,
        question(options=options("kms:Decrypt", "kms:GenerateDataKey", "c", "d")),
    )


def test_like_form() -> None:
    assert messages(checks.like_form, question(options=options("One.", "Two", "Three", "Four")))


def test_reasons_of_their_own() -> None:
    same = ["It is so because it is so."] * 2 + ["Because.", "It is otherwise since yesterday."]
    found = messages(checks.reasons_of_their_own, question(options=options(*"abcd", whys=same)))
    assert len(found) == 2


def test_near_duplicates() -> None:
    again = question(
        id="another", stem="A clinic has one key. What does the clinic do with its key today?"
    )
    assert messages(checks.near_duplicates, question(), again)
    far = question(
        id="far",
        stem="The hospital archives X-rays on tape for ten years. Who may open them?",
        options=options("The archivist", "The patient", "The auditor", "The printer"),
    )
    assert not messages(checks.near_duplicates, question(), far)


def test_near_duplicates_by_the_stem_alone() -> None:
    again = question(id="another", options=options("A safe", "A shop", "A ship", "A sheep"))
    assert messages(checks.near_duplicates, question(), again)
    assert checks.likest([question(), again])[0][0] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("stem", "words"),
    [
        (
            "Organisational administrators subsequently investigated considerable irregularities "
            "concerning confidentiality. Which administrator authorised extraordinary procedures?",
            "hard to read",
        ),
        (f"A clinic has a key{' and a key' * 13}. Who has it?", "has 44 words"),
    ],
)
def test_readable(stem: str, words: str) -> None:
    (found,) = messages(checks.readable, question(stem=stem))
    assert words in found


def test_names_do_not_make_a_stem_hard_to_read() -> None:
    stem = (
        "A team calls GenerateDataKeyWithoutPlaintext and kms:ReEncryptFrom on "
        "arn:aws:kms:eu-west-1:123456789012:key/4711. Does CloudTrail say so?"
    )
    assert not messages(checks.readable, question(stem=stem))


def test_numbers_have_facts() -> None:
    """OPS-01 says that Encrypt takes 4,096 bytes at most."""
    whys = [
        "Encrypt takes 4,096 bytes and no more.",
        "It would be 64 days, as this option has it.",
        "The scenario speaks of 3 years, so this is too short.",
        "It is paid with $7 a month or so.",
    ]
    texts = ("Up to 4096 bytes", "After 64 days", "After 2 years", "For 9 dollars")
    made = question(
        stem="A key is kept for 3 years. What then?", options=options(*texts, whys=whys)
    )
    assert messages(checks.numbers_have_facts, made) == [
        "some-question: no fact it names has '$7' of a reason"
    ]
    (warned,) = checks.numbers_have_facts(
        [question(options=options("5,000 bytes", "b", "c", "d", whys=["It is so and so."] * 4))]
    )
    assert warned.warning
    assert "no proof reckons it" in warned.message


def test_stale_warns_and_the_future_fails() -> None:
    old = list(checks.stale([question(as_of=datetime.date(2023, 2, 5))], TODAY))
    assert [problem.warning for problem in old] == [True]
    future = list(checks.stale([question(as_of=datetime.date(2027, 1, 1))], TODAY))
    assert [problem.warning for problem in future] == [False]
    assert list(checks.stale([question()], TODAY)) == []


def many(right_text: str) -> list[Question]:
    """Thirty questions whose right option has this form and whose wrong ones have another."""
    wrong = ("It is wrong in way w", "It is wrong in way x", "It is wrong in way y")
    return [
        question(id=f"q-{n}", options=options(f"{right_text} {n % 10}", *wrong)) for n in range(30)
    ]


@pytest.mark.parametrize(
    ("right", "habit"),
    [
        ("It is wrong in way of a much longer kind", "longest"),
        ("It", "shortest"),
        ("Quite another sentence", "unlike"),
    ],
)
def test_a_guesser_with_a_habit_is_found(right: str, habit: str) -> None:
    found = [str(problem) for problem in checks.guesses_within_chance(many(right))]
    assert any(habit in problem for problem in found), found


def test_too_few_questions_say_nothing() -> None:
    assert not list(checks.guesses_within_chance(many("Quite another sentence")[:19]))


@pytest.mark.parametrize(("hits", "luck"), [(0, 1.0), (1, 7 / 16), (2, 1 / 16)])
def test_luck_is_the_binomial_tail(hits: int, luck: float) -> None:
    quarter = checks._by_luck(4, 1)
    assert quarter == pytest.approx((0.75, 0.25))
    assert checks._at_least(hits, [quarter, quarter]) == pytest.approx(luck)


def test_luck_with_several_right_ones_is_drawing_without_putting_back() -> None:
    two_of_five = checks._by_luck(5, 2)
    assert two_of_five == pytest.approx((0.3, 0.6, 0.1))
    assert checks._at_least(2, [two_of_five]) == pytest.approx(0.1)
    assert checks._by_luck(5, 3) == pytest.approx((0, 0.3, 0.6, 0.1))


def test_a_guesser_who_takes_the_longest_of_several_is_found() -> None:
    questions = []
    for n in range(12):
        made = options("It is right so", "It is right too", "It is a", "It is b", "It is c")
        made[1]["right"] = True
        questions.append(question(id=f"q-{n}", kind="multiple", options=made))
    found = [str(problem) for problem in checks.guesses_within_chance(questions)]
    assert any("longest option where several are right: 24 of 24" in each for each in found)


def test_the_command_reports_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kmscourse.exam.__main__ import main

    assert main() == 0
    assert "questions in" in capsys.readouterr().out
    folder = tmp_path / "lessons" / "01-a"
    folder.mkdir(parents=True)
    (tmp_path / "lessons" / "index.yaml").write_text("[]", "utf-8")
    (folder / "questions.yaml").write_text("lesson: x\nquestions: [{}]", "utf-8")
    monkeypatch.setenv("KMSCOURSE_HOME", str(tmp_path))
    assert main() == 1
    assert "lessons/01-a/questions.yaml:2" in capsys.readouterr().out
