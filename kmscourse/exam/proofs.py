"""Questions proved: what a question claims, played on the simulated AWS, option by option.

A lesson keeps its proofs in `lessons/<lesson>/proofs.py`::

    from kmscourse.exam.proofs import Outcome, proof, tried

    @proof("rotation-old-ciphertext")
    def old_ciphertext(aws, case):
        \"\"\"A ciphertext from before a rotation is sent to Decrypt.\"\"\"
        ...                                         # set up, then do what this option proposes
        answer = tried(kms.decrypt, CiphertextBlob=blob)
        return Outcome(holds=answer.ok, seen="KMS decrypted it under the first key material.")

and the question names it: `proof: rotation-old-ciphertext`, with a `case` at each option. The
function is called once for each option, each time in a new simulated AWS, and knows nothing of the
answer key: `holds` says whether the option does what the stem asks (or, where it is a statement,
whether it came true), and it is always reckoned from what the simulator answered.
"""

from __future__ import annotations

import ast
import importlib.util
import logging
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmscourse import course
from kmscourse.exam.questions import Option, Problem, Question


class ProofError(Exception):
    """A proof that is not there, or that cannot be played as it is written. For its author."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one option.

    Attributes:
        holds: whether the option does what the stem asks.
        seen: what was seen, in one sentence, for whoever asked for the proof.
    """

    holds: bool
    seen: str

    def __post_init__(self) -> None:
        if not isinstance(self.holds, bool):
            raise ProofError(f"`holds` is True or False, not {self.holds!r}.")
        if not self.seen.strip():
            raise ProofError("`seen` is empty: say in one sentence what was seen.")


@dataclass(frozen=True, slots=True)
class Tried:
    """How a call went: the answer, or the code and the words of the refusal.

    `code` is AWS's error code, or the name of the exception where a library refused.
    """

    ok: bool
    answer: Any = None
    code: str = ""
    words: str = ""


_MISTAKES = (
    *(TypeError, NameError, AttributeError, LookupError, ImportError, AssertionError),
    *(NotImplementedError, SyntaxError, MemoryError),
)
"""What Python raises for a slip of the author, which must not pass for AWS's refusal."""


def tried(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Tried:
    """Call it and say how it went, without raising where AWS or a library refuses.

    Parameters that boto3 does not know, and Python's own complaints, are mistakes in the proof and
    are raised.
    """
    from botocore.exceptions import ClientError, ParamValidationError

    try:
        return Tried(True, function(*args, **kwargs))
    except ClientError as error:
        refused = error.response["Error"]
        return Tried(False, code=refused["Code"], words=refused.get("Message", ""))
    except (ParamValidationError, *_MISTAKES):
        raise
    except Exception as error:
        return Tried(False, code=type(error).__name__, words=str(error))


Scene = Callable[[Any, str], Outcome]
"""Called with a new simulated AWS and the `case` of an option."""


@dataclass(frozen=True)
class Proof:
    """One scenario. Made with the decorator `proof`; `claim` is its docstring's first sentence."""

    name: str
    scene: Scene
    claim: str
    line: int


_loading: ContextVar[list[Proof] | None] = ContextVar("loading", default=None)


def proof(name: str) -> Callable[[Scene], Proof]:
    """Make the function below it the proof of the questions that name it.

    Raises ProofError where the name is used twice, or a docstring is missing.
    """

    def make(scene: Scene) -> Proof:
        words = " ".join((scene.__doc__ or "").split())
        if not words:
            raise ProofError(f"{name}: say in a docstring what is played.")
        made = Proof(name, scene, words, scene.__code__.co_firstlineno)
        loading = _loading.get()
        if loading is not None:
            if any(known.name == name for known in loading):
                raise ProofError(f"There are two proofs called {name!r}.")
            loading.append(made)
        return made

    return make


def load(path: Path) -> dict[str, Proof]:
    """The proofs of a `proofs.py`, by name. It is run anew at each call.

    Raises whatever the file itself raises.
    """
    name = "kmscourse_proofs_" + re.sub(r"\W", "_", path.parent.name)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ProofError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    found: list[Proof] = []
    token = _loading.set(found)
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses look their module up while it loads
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if before is None:
            del sys.modules[name]
        raise
    finally:
        _loading.reset(token)
    return {each.name: each for each in found}


def of(question: Question, home: Path | None = None) -> Proof:
    """The proof that a question names. Raises ProofError where it has none."""
    path = _file(question.lesson, home)
    if question.proof is None:
        raise ProofError(f"The question {question.id} has no proof.")
    found = load(path).get(question.proof) if path.is_file() else None
    if found is None:
        raise ProofError(f"There is no proof {question.proof!r} in {_shown(path)}.")
    return found


@dataclass(frozen=True, slots=True)
class Played:
    """An option, and what became of it. `agrees` says whether the answer key says the same."""

    option: Option
    outcome: Outcome

    @property
    def agrees(self) -> bool:
        return self.outcome.holds == self.option.right


def play(question: Question, home: Path | None = None) -> Iterator[Played]:
    """Play each option of a question, in the order in which they are shown, one after another.

    Each is played in a simulated AWS of its own; one that runs already is put back after each.

    Raises ProofError where there is no proof, and whatever the proof raises.
    """
    from kmscourse import cloud

    scene = of(question, home).scene
    for option in question.presented:
        assert option.case is not None  # the bank's format sees to it
        with _quiet(), cloud.running(seed=question.proof) as aws:
            outcome = scene(aws, option.case)
        if not isinstance(outcome, Outcome):
            raise ProofError(f"{question.proof}: {option.case} gave no Outcome but {outcome!r}.")
        yield Played(option, outcome)


def disagreements(question: Question, played: Sequence[Played]) -> tuple[str, ...]:
    """Where the answer key of `question` and what was played differ, a sentence each."""
    seen = {each.option.case: each.outcome for each in played}
    found = []
    for option in question.options:
        outcome = seen[option.case]
        if outcome.holds != option.right:
            key, was = ("right", "fails") if option.right else ("wrong", "holds")
            found.append(
                f"{question.id}: {option.case} is {key} by the answer key, but {was}: "
                f"{outcome.seen}"
            )
    return tuple(found)


# ---- what has to be so of all proofs


def problems(questions: Sequence[Question], home: Path | None = None) -> Iterator[Problem]:
    """Proofs that no question names, questions whose proof is missing, outcomes decided beforehand.

    `questions` is the whole bank; each problem has its file and line.
    """
    root = home or course.root()
    files = sorted((root / "lessons").glob("*/proofs.py"))
    known: dict[str, dict[str, Proof]] = {}
    for path in files:
        shown = f"lessons/{path.parent.name}/proofs.py"
        try:
            known[path.parent.name] = load(path)
        except Exception as error:
            known[path.parent.name] = {}
            line = getattr(error, "lineno", None) or _line_of(error, path)
            yield Problem(f"{shown}:{line}", f"cannot be loaded: {type(error).__name__}: {error}")
            continue
        yield from decided_beforehand(path.read_text(encoding="utf-8"), shown)
    named = {(question.lesson, question.proof) for question in questions}
    for question in questions:
        if question.proof and question.proof not in known.get(question.lesson, {}):
            yield Problem(
                question.where,
                f"{question.id}: there is no proof {question.proof!r} in "
                f"lessons/{question.lesson}/proofs.py",
            )
    for lesson, proofs in known.items():
        for each in proofs.values():
            if (lesson, each.name) not in named:
                yield Problem(
                    f"lessons/{lesson}/proofs.py:{each.line}",
                    f"no question of the lesson names the proof {each.name!r}",
                )


def decided_beforehand(source: str, shown: str) -> Iterator[Problem]:
    """Outcomes whose `holds` does not depend on anything that was played.

    `holds=True`, `holds=not 0` and `holds=case == "rotate"` are refused, and so is a variable to
    which nothing else is ever assigned.
    """
    module = ast.parse(source)
    constants = _idle(module.body, frozenset({"case"}))
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef):
            idle = _idle(list(ast.walk(function)), constants)
            for call in ast.walk(function):
                if (holds := _holds(call)) is not None and not _grounded(holds, idle):
                    yield Problem(
                        f"{shown}:{holds.lineno}",
                        f"{function.name}: `holds={ast.unparse(holds)}` is decided beforehand; "
                        "reckon it from what the simulator answered",
                    )


def _holds(node: ast.AST) -> ast.expr | None:
    """What an `Outcome(...)` is given as `holds`."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)):
        return None
    called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
    if called != "Outcome":
        return None
    named = [keyword.value for keyword in node.keywords if keyword.arg == "holds"]
    given = [*named, *node.args]
    return given[0] if given else None


def _idle(nodes: Sequence[ast.AST], known: frozenset[str]) -> frozenset[str]:
    """The `known` names, and those assigned in `nodes` that depend on them and constants alone."""
    assigned: dict[str, list[ast.expr]] = {}
    other: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    assigned.setdefault(target.id, []).append(node.value)
                else:
                    other |= {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
            if isinstance(node.target, ast.Name) and node.value is not None:
                assigned.setdefault(node.target.id, []).append(node.value)
        elif isinstance(node, ast.For | ast.comprehension):
            other |= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
    idle = set(known)
    while True:
        more = {
            name
            for name, values in assigned.items()
            if name not in idle | other
            and not any(_grounded(value, frozenset(idle)) for value in values)
        }
        if not more:
            return frozenset(idle)
        idle |= more


_EMPTY_HANDED = frozenset({"bool", "int", "str", "len", "any", "all", "not", "set", "dict", "list"})


def _grounded(expression: ast.expr, idle: frozenset[str]) -> bool:
    """Whether anything in it can come from what was played."""
    return any(
        isinstance(node, ast.Name) and node.id not in idle | _EMPTY_HANDED
        for node in ast.walk(expression)
    )


def _file(lesson: str, home: Path | None) -> Path:
    return (home or course.root()) / "lessons" / lesson / "proofs.py"


def _shown(path: Path) -> str:
    return f"lessons/{path.parent.name}/proofs.py"


def _line_of(error: BaseException, path: Path) -> int:
    """The last line of the file that the error went through."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


@contextmanager
def _quiet() -> Iterator[None]:
    """The Encryption SDK logs a traceback at each refusal, and proofs want refusals."""
    logger = logging.getLogger("aws_encryption_sdk")
    before = logger.propagate
    handler = logging.NullHandler()
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
