"""What a lesson's author writes in `checks.py`, and how it is loaded."""

from __future__ import annotations

import difflib
import importlib.util
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from kmscourse.lab.work import Work

Check = Callable[[Work], None]

SECONDS = 5.0
"""How long a learner's function may run at each call, unless its task says otherwise."""

CLI_SECONDS = 20
"""For a task whose answer may call the AWS CLI, which takes its time to start."""


class TaskError(ValueError):
    """A lesson's checks cannot be used as they are written. For its author, not for a learner."""


@dataclass(frozen=True)
class Wrong:
    """An answer that learners give and that is wrong.

    `code` takes the place of the task's cell. `says` is a phrase of the message it must get; no
    other wrong answer of the task may get a message with that phrase.
    """

    code: str
    says: str

    def __post_init__(self) -> None:
        if not self.says.strip():
            raise TaskError("A wrong answer needs `says`: a phrase of the message it should get.")
        object.__setattr__(self, "code", _plain(self.code))


@dataclass(frozen=True)
class Task:
    """One task of a lab. Made with the decorator `task`."""

    name: str
    check: Check
    asks: str
    minutes: int
    hints: tuple[str, ...]
    why: str
    title: str
    defines: tuple[str, ...]
    wrong: tuple[Wrong, ...] = ()
    also_right: tuple[str, ...] = ()
    practises: tuple[str, ...] = ()
    seconds: float = SECONDS

    @property
    def call(self) -> tuple[str, str] | None:
        """The function that `asks` names, with its parameters: ("seal", "key_id, record")."""
        found = re.match(r"`?([A-Za-z_]\w*)\(([^()]*)\)", self.asks)
        return (found[1], found[2]) if found else None


_loading: ContextVar[list[Task] | None] = ContextVar("loading", default=None)


def task(
    name: str,
    *,
    asks: str,
    minutes: int,
    hints: Sequence[str],
    why: str,
    wrong: Sequence[Wrong] = (),
    also_right: Sequence[str] = (),
    practises: str | Sequence[str] = (),
    title: str | None = None,
    defines: str | Sequence[str] | None = None,
    seconds: float = SECONDS,
) -> Callable[[Check], Task]:
    """Make a task of the check below it.

    - `name`: as learners write it in `lab.check("seal")`, and as it stands in `# %% task="seal"`;
    - `asks`: what to define, "seal(kms, key_id, record) -> Envelope" or "`answer`: the bytes that
      ...". Its first word is the name that the learner's notebook must have; `defines` says
      others, or several;
    - `minutes`: how long it takes;
    - `hints`: at least two, the first a question, the last nearly the answer;
    - `why`: a word after success on why it matters;
    - `wrong`: the wrong answers that people give, each with its message;
    - `also_right`: other correct answers, each the code of a whole cell;
    - `practises`: the objectives of `lessons/curriculum.yaml` that it exercises, "07.on-demand";
    - `title`: for the list of tasks; by default the name, "Seal";
    - `seconds`: how long each call of the learner's code may take.

    Raises TaskError where something is missing.
    """
    if not re.fullmatch(r"[a-z0-9]+(?:[-_][a-z0-9]+)*", name):
        raise TaskError(f"{name!r} is not a name for a task: small letters, digits, - and _.")
    if len(hints) < 2 or not all(hint.strip() for hint in hints):
        raise TaskError(f"{name}: give at least two hints, the last nearly the answer.")
    for what, words in (("asks", asks), ("why", why)):
        if not words.strip():
            raise TaskError(f"{name}: `{what}` is empty.")
    if isinstance(defines, str):
        defines = (defines,)
    elif defines is None:
        first = re.match(r"`?(?:function\s+)?([A-Za-z_]\w*)", asks.strip())
        if not first:
            raise TaskError(f"{name}: `asks` should begin with the name to define: {asks!r}")
        defines = (first[1],)
    for each in defines:
        if not each.isidentifier():
            raise TaskError(f"{name}: {each!r} in `defines` is not a Python name.")

    def make(check: Check) -> Task:
        made = Task(
            name=name,
            check=check,
            asks=_prose(asks) if "`" in asks else f"`{_prose(asks)}`",
            minutes=minutes,
            hints=tuple(_prose(hint) for hint in hints),
            why=_prose(why),
            title=title or re.sub(r"[-_]", " ", name).capitalize(),
            defines=tuple(defines),
            wrong=tuple(wrong),
            also_right=tuple(_plain(code) for code in also_right),
            practises=(practises,) if isinstance(practises, str) else tuple(practises),
            seconds=seconds,
        )
        loading = _loading.get()
        if loading is not None:
            if any(known.name == name for known in loading):
                raise TaskError(f"There are two tasks called {name!r}.")
            loading.append(made)
        return made

    return make


def load(path: Path) -> list[Task]:
    """The tasks of a `checks.py`, in their order. It is run anew at each call.

    Raises TaskError where there are none, and whatever the file itself raises.
    """
    name = "kmscourse_checks_" + re.sub(r"\W", "_", path.parent.name)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TaskError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    with _registered(name, module):
        found: list[Task] = []
        token = _loading.set(found)
        try:
            spec.loader.exec_module(module)
        finally:
            _loading.reset(token)
    if not found:
        raise TaskError(f"{path} declares no task.")
    return found


def nearest(name: str, names: Sequence[str]) -> str | None:
    """The name that was probably meant."""
    return next(iter(difflib.get_close_matches(name.casefold(), names, n=1, cutoff=0.5)), None)


@contextmanager
def _registered(name: str, module: ModuleType) -> Iterator[None]:
    """Dataclasses in checks.py look their module up while it loads."""
    sys.modules[name] = module
    try:
        yield
    except BaseException:
        sys.modules.pop(name, None)
        raise


def _plain(code: str) -> str:
    return textwrap.dedent(code).strip("\n")


def _prose(words: str) -> str:
    return " ".join(words.split())
