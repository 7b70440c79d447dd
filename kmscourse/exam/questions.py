"""The bank's format, and reading it with errors that name the file and the line."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from kmscourse import course

_SPACE = re.compile(r"\s+")


def _one_line(text: str) -> str:
    """Prose is folded in YAML; what is shown has single spaces and no line ends."""
    text = _SPACE.sub(" ", text).strip()
    if not text:
        raise ValueError("must not be empty")
    return text


Prose = Annotated[str, AfterValidator(_one_line)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Objective = Annotated[str, Field(pattern=r"^[0-9]{2}\.[a-z0-9]+(-[a-z0-9]+)*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Option(_Strict):
    """One thing that can be chosen, and why it is right or wrong.

    `case` is what the question's proof calls it; see `kmscourse.exam.proofs`.
    """

    text: Prose
    right: bool
    why: Prose
    case: Slug | None = None


class Question(_Strict):
    """One question of the bank. `kmscourse.exam` describes the fields with an example."""

    id: Slug
    objective: Objective
    exams: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(default_factory=dict)
    difficulty: Annotated[int, Field(ge=1, le=3)]
    kind: Literal["single", "multiple"]
    stem: Prose
    options: Annotated[list[Option], Field(min_length=4, max_length=7)]
    facts: list[str]
    sources: Annotated[list[Prose], Field(min_length=1)]
    as_of: Annotated[datetime.date, Field(strict=False)]
    as_of_note: Prose | None = None
    proof: Slug | None = None

    _lesson: str = PrivateAttr(default="")
    _where: str = PrivateAttr(default="")

    @property
    def lesson(self) -> str:
        """The lesson whose file it stands in, such as `05-envelopes`."""
        return self._lesson

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return self._where or self.id

    @property
    def right(self) -> tuple[Option, ...]:
        return tuple(option for option in self.options if option.right)

    @property
    def asks(self) -> str:
        """What is to be done, as AWS words it: it follows from the options, so it cannot drift."""
        if self.kind == "single":
            return "Choose one."
        return f"Choose {_NUMBERS.get(len(self.right), len(self.right))}."

    @property
    def presented(self) -> tuple[Option, ...]:
        """The options in the order a learner sees: mixed, and the same every time.

        The order comes from a hash, so an author may write the right option first without giving
        anything away, and a saved notebook shows the same page as a running one.
        """
        return tuple(
            sorted(
                self.options,
                key=lambda o: hashlib.sha256(f"{self.id}\n{o.text}".encode()).digest(),
            )
        )

    @model_validator(mode="after")
    def _as_on_the_exam(self) -> Question:
        right, wrong = len(self.right), len(self.options) - len(self.right)
        if self.kind == "single" and (right, wrong) != (1, 3):
            raise ValueError(
                f"a single-choice question has one right option and three wrong ones, "
                f"not {right} and {wrong}"
            )
        if self.kind == "multiple" and (right < 2 or wrong < 1 or len(self.options) < 5):
            raise ValueError(
                f"a multiple-response question has two or more right options among five or more, "
                f"not {right} among {len(self.options)}"
            )
        texts = [option.text.casefold() for option in self.options]
        if len(set(texts)) < len(texts):
            raise ValueError("two options say the same")
        cases = [option.case for option in self.options if option.case is not None]
        if self.proof is None and cases:
            raise ValueError("an option has a `case`, but the question has no `proof`")
        if self.proof is not None and len(cases) < len(self.options):
            raise ValueError("the question has a `proof`, so each option needs a `case`")
        if len(set(cases)) < len(cases):
            raise ValueError("two options have the same `case`")
        return self


_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}


@dataclass(frozen=True)
class Problem:
    """Something wrong with the bank, and where. `warning` marks what does not fail a test."""

    where: str
    message: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class BankError(Exception):
    """A question file that cannot be used. `problems` has one entry for each thing wrong."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def load(path: Path, shown: str | None = None) -> tuple[Question, ...]:
    """The questions of one file. `shown` is how the file is named in errors.

    Raises BankError with every problem of the file, each with its line.
    """
    shown = shown or path.name
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BankError([Problem(shown, f"cannot be read: {error}")]) from error
    return parse(text, shown)


@lru_cache(maxsize=64)
def parse(text: str, shown: str) -> tuple[Question, ...]:
    """The questions in `text`. Raises BankError, as `load` does. The same text is read once."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        data = loader.construct_document(node) if node is not None else None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{shown}:{mark.line + 1}" if mark else shown
        problem = getattr(error, "problem", None) or error
        raise BankError([Problem(where, f"not valid YAML: {problem}")]) from error
    finally:
        loader.dispose()
    if node is None or not isinstance(data, dict) or data.keys() != {"lesson", "questions"}:
        raise BankError(
            [Problem(f"{shown}:1", "needs the keys lesson and questions, and no other")]
        )
    lesson, entries = data["lesson"], data["questions"]
    if not isinstance(lesson, str) or not isinstance(entries, list) or not entries:
        raise BankError([Problem(f"{shown}:1", "lesson is a name, questions a list of entries")])
    questions: list[Question] = []
    problems: list[Problem] = []
    for number, entry in enumerate(entries):
        where = f"{shown}:{_line(node, ('questions', number))}"
        try:
            question = Question.model_validate(entry)
        except ValidationError as error:
            problems += _problems(error, node, number, entry, shown)
            continue
        question._lesson = lesson
        question._where = where
        questions.append(question)
    if problems:
        raise BankError(problems)
    return tuple(questions)


def of_lesson(name: str, home: Path | None = None) -> tuple[Question, ...]:
    """The questions of a lesson, such as `05-envelopes`; none if it has no questions.yaml.

    Raises LessonNotFoundError (which suggests a name) or BankError.
    """
    lesson = course.lesson(name, home)
    if not lesson.questions.is_file():
        return ()
    return load(lesson.questions, f"lessons/{lesson.name}/questions.yaml")


def bank(home: Path | None = None) -> tuple[Question, ...]:
    """All questions of the course, lesson by lesson, whether or not the index lists the lesson.

    Raises BankError with the problems of all files.
    """
    questions: list[Question] = []
    problems: list[Problem] = []
    for path in sorted(((home or course.root()) / "lessons").glob("*/questions.yaml")):
        try:
            questions += load(path, f"lessons/{path.parent.name}/questions.yaml")
        except BankError as error:
            problems += error.problems
    if problems:
        raise BankError(problems)
    return tuple(questions)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml where it is
    """A safe loader that refuses a key written twice, which YAML would silently let win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} is there twice", key.start_mark
                )
            seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def _problems(
    error: ValidationError, node: yaml.Node, number: int, entry: Any, shown: str
) -> Iterator[Problem]:
    name = entry.get("id", "") if isinstance(entry, dict) else ""
    for item in error.errors():
        path = tuple(item["loc"])
        line = _line(node, ("questions", number, *path))
        field = ".".join(str(part + 1 if isinstance(part, int) else part) for part in path)
        message = item["msg"].removeprefix("Value error, ")
        label = f"{name}: " if name else ""
        yield Problem(f"{shown}:{line}", f"{label}{field + ': ' if field else ''}{message}")


def _line(node: yaml.Node, path: tuple[Any, ...]) -> int:
    """The line where `path` stands, or that of the nearest thing around it that exists."""
    line = node.start_mark.line + 1
    for part in path:
        inner: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    inner, line = value, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            inner = node.value[part] if part < len(node.value) else None
            line = inner.start_mark.line + 1 if inner is not None else line
        if inner is None:
            break
        node = inner
    return line
