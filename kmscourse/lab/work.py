"""What a check sees of a learner's notebook, and the questions it may put."""

from __future__ import annotations

import base64
import dataclasses
import dis
import inspect
import linecache
import re
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import CoroutineType, FrameType, MappingProxyType, TracebackType
from typing import Any, NoReturn

from kmscourse.lab.deadline import TimeUp, limited
from kmscourse.lab.errors import code, told, told_with_help
from kmscourse.lab.showing import kind_of, names_of, shown

_MISSING = object()

NOTHING = "Your function returned nothing. `print` shows a value; `return` hands it back."
NOT_REACHED = (
    "Your function returned nothing: none of its `return` lines was reached, or one returned None."
)


class NotThereYet(Exception):  # noqa: N818 - it is a finding, not an error
    """The answer lacks something. The message says what; `place` where in the learner's cell;
    `returned` what their function gave when it was last called.
    """

    def __init__(self, message: str, place: str = "", returned: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.returned = returned


class Work:
    """A learner's work, as a check gets it.

    Each method either gives what was asked for or ends the check with a kind message.

    `asked` says how each function is to be called, {"seal": "key_id, record"}; `silent` names
    those that may return nothing.
    """

    def __init__(
        self,
        names: Mapping[str, Any],
        seconds: float = 5.0,
        after_call: Callable[[], None] = lambda: None,
        *,
        asked: Mapping[str, str] = MappingProxyType({}),
        silent: Container[str] = (),
    ) -> None:
        self._names = names
        self._seconds = seconds
        self._after_call = after_call
        self._asked = asked
        self._silent = silent
        self._last: tuple[str, object] | None = None

    # --- the learner's names -------------------------------------------------------------------

    def value(self, name: str, kind: type | tuple[type, ...] | None = None) -> Any:
        """The learner's `name`; with `kind`, it must be of that type."""
        value = self._names.get(name, _MISSING)
        if value is _MISSING:
            self.fail(
                f"There is no name `{name}` yet. Run the cells above this one first "
                "(Run > Run All Above Selected Cell)."
            )
        if value is ...:
            self.fail(f"`{name}` is still `...`: put your answer there.")
        if kind is not None and not _is(value, kind):
            self.fail(f"`{name}` should be {names_of(kind)}, but it is {kind_of(value)}.")
        return value

    def function(
        self, name: str, *, returns: type | tuple[type, ...] | None = None
    ) -> Callable[..., Any]:
        """The learner's function. Calling it runs their code as `call` does."""
        function = self.value(name)
        if not callable(function) or isinstance(function, type):
            self.fail(f"`{name}` should be a function, but it is {kind_of(function)}.")

        def run(*args: Any, **kwargs: Any) -> Any:
            return self._run(function, name, args, kwargs, returns)

        run.__name__ = run.__qualname__ = name
        run.__wrapped__ = function  # type: ignore[attr-defined]
        return run

    # --- running their code --------------------------------------------------------------------

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """What `function(*args, **kwargs)` gives, run under a deadline.

        Where it raises, hangs or cannot be called so, the check ends and says so, with the line
        of the learner's cell.
        """
        if _is_ours(function):
            return function(*args, **kwargs)
        return self._run(function, _name(function), args, kwargs, None)

    def refuses(
        self,
        function: Callable[..., Any],
        /,
        *args: Any,
        says: str | None = None,
        error: type[BaseException] | tuple[type[BaseException], ...] | str = Exception,
        **kwargs: Any,
    ) -> BaseException | None:
        """The error with which `function(*args, **kwargs)` refuses. If it does not refuse, `says`
        ends the check; without `says` it gives None.

        `error` is the type that counts as a refusal, or the code of a service's error, such as
        "InvalidCiphertextException". Another error ends the check too, and is named.
        """
        real = getattr(function, "__wrapped__", function) if _is_ours(function) else function
        name = _name(function)
        self._last = None
        self._fits(real, name, args, kwargs)
        try:
            self._limited(real, args, kwargs)
        except TimeUp as late:
            self._too_long(name, late)
        except BaseException as raised:
            kinds = Exception if isinstance(error, str) else error
            if isinstance(raised, kinds) and (not isinstance(error, str) or code(raised) == error):
                return raised
            wanted = error if isinstance(error, str) else names_of(error)
            self.fail(
                f"`{name}` should refuse with {wanted}, but it stopped with {told(raised)}.",
                self._place(raised),
            )
        if says is not None:
            self.fail(says)
        return None

    @contextmanager
    def or_say(self, message: str) -> Iterator[None]:
        """For code of the check itself that fails when the answer is wrong: opening what the
        learner sealed, taking apart what they returned. An error ends the check with the message.
        """
        try:
            yield
        except (NotThereYet, TimeUp):
            raise
        except BaseException as raised:
            message = f"{message} ({told(raised)})"
            raise NotThereYet(message, self._place(raised), self._returned(message)) from None

    # --- judging -------------------------------------------------------------------------------

    def expect(self, condition: object, message: str) -> None:
        """End the check with the message unless the condition holds."""
        if not condition:
            self.fail(message)

    def fail(self, message: str, place: str = "") -> NoReturn:
        """End the check: Not there yet, with this message."""
        raise NotThereYet(message, place, self._returned(message))

    def holds(self, value: object, secret: bytes | str) -> bool:
        """Whether a secret can be found in a value: in its bytes, its text, Base64 or hex, and in
        everything it contains (collections, dataclasses, attributes).
        """
        sought = secret.encode() if isinstance(secret, str) else bytes(secret)
        return any(_reveals(part, sought) for part in _parts(value))

    def shown(self, value: object) -> str:
        """A value in a few words, for a message. Safe for any value of any size."""
        return shown(value)

    # --- inside --------------------------------------------------------------------------------

    def _run(
        self,
        function: Callable[..., Any],
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        returns: type | tuple[type, ...] | None,
    ) -> Any:
        self._last = None
        self._fits(function, name, args, kwargs)
        try:
            result = self._limited(function, args, kwargs)
        except TimeUp as late:
            self._too_long(name, late)
        except BaseException as raised:
            raise NotThereYet(
                f"`{name}` stopped with {told_with_help(raised)}", self._place(raised)
            ) from None
        if type(result) is CoroutineType:
            result.close()
            self.fail(f"`{name}` is `async`: write a plain `def`.")
        if result is ...:
            self.fail(f"`{name}` still gives back `...`.")
        if returns is not None and not _is(result, returns):
            if result is None:
                self.fail(f"`{name}` should give back {names_of(returns)}. {_nothing(function)}")
            self._last = (name, result)
            self.fail(
                f"`{name}` should give back {names_of(returns)}, but it gives {kind_of(result)}."
            )
        self._last = (name, result)
        return result

    def _returned(self, message: str) -> str:
        """What the learner's function gave at its last call, where the message does not say it."""
        if self._last is None:
            return ""
        name, value = self._last
        if value is None:
            said = _nothing(self._names.get(name))
            return "" if name in self._silent or "nothing" in message else said
        words, kind = shown(value), kind_of(value)
        if words in message:
            return ""
        if words == kind or words.startswith("<"):
            return "" if kind in message else f"`{name}` returned {kind}."
        # A backtick among the bytes of a ciphertext would end the code that it is shown as.
        plain = _cut(words, 90).replace("`", r"\x60")
        return f"`{name}` returned {kind}: `{plain}`"

    def _limited(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        try:
            return limited(lambda: function(*args, **kwargs), self._seconds, watches=self._mine)
        finally:
            self._after_call()

    def _fits(
        self, function: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """A call that cannot work is told as that, not as a TypeError from nowhere."""
        try:
            signature = inspect.signature(function)
        except BaseException:
            return
        try:
            signature.bind(*args, **kwargs)
        except TypeError:
            pass
        else:
            return
        yours = ", ".join(signature.parameters)
        if name in self._asked:
            asked = f"as `{name}({_cut(self._asked[name], 200)})`"
        else:
            given = ", ".join([*map(kind_of, args), *(f"{key}=..." for key in kwargs)])
            asked = f"with ({_cut(given, 200)})"
        self.fail(f"`{name}` is called {asked}, but yours takes ({_cut(yours, 200)}).")

    def _too_long(self, name: str, late: TimeUp) -> NoReturn:
        raise NotThereYet(
            f"`{name}` was stopped after {late.seconds:g} seconds. Does a loop in it ever end, "
            "or does it wait for something?",
            self._place(late),
        ) from None

    def _mine(self, frame: FrameType) -> bool:
        return frame.f_globals is self._names

    def _place(self, raised: BaseException) -> str:
        return place(raised.__traceback__, self._names)


def place(trace: TracebackType | None, names: Mapping[str, Any]) -> str:
    """The last line of the learner's own that the error passed, or "" if it passed none."""
    found = ""
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_globals is names:
            # Some instructions belong to no line, whatever the type of tb_lineno says.
            number = trace.tb_lineno or frame.f_lineno or frame.f_code.co_firstlineno
            line = linecache.getline(frame.f_code.co_filename, number, frame.f_globals)
            found = f"line {number} of its cell"
            if line.strip():
                found += f": {_cut(line.strip(), 100)}"
        trace = trace.tb_next
    return found


def flipped(data: bytes, at: int = -1) -> bytes:
    """The same bytes with one bit flipped, in the byte at `at` (default: the last)."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def _nothing(function: object) -> str:
    """What to say of a function that gave None: whether it has a `return` with a value at all."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_name == "<lambda>":
        return NOTHING
    last = None
    for step in dis.get_instructions(code):
        given = step if step.opname == "RETURN_CONST" else last  # Python 3.12 and 3.13 have it
        if step.opname.startswith("RETURN_") and given is not None:
            constant = given.opname in ("LOAD_CONST", "RETURN_CONST") and given.argval is None
            if step.opname in ("RETURN_VALUE", "RETURN_CONST") and not constant:
                return NOT_REACHED
        last = step
    return NOTHING


def _name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", None)
    return name[:60] if type(name) is str else "it"


def _is(value: object, kind: type | tuple[type, ...]) -> bool:
    """isinstance, by the real type: a value's `__class__` may say anything. True is not an int."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if type(value) is bool:
        return bool in kinds
    return issubclass(type(value), kinds)


def _is_ours(function: Callable[..., Any]) -> bool:
    """Whether it came from `Work.function`."""
    code_ = getattr(function, "__code__", None)
    return getattr(code_, "co_filename", None) == __file__


def _cut(words: str, longest: int) -> str:
    return words if len(words) <= longest else words[: longest - 1] + "…"


_DEEPEST = 8
_MOST = 10_000


def _parts(value: object) -> Iterator[bytes]:
    """Every byte string and text inside a value, each once, in bounded number."""
    seen: set[int] = set()
    todo: list[tuple[object, int]] = [(value, 0)]
    while todo and len(seen) < _MOST:
        item, depth = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        kind = type(item)
        if issubclass(kind, (bytes, bytearray)):
            yield bytes(memoryview(item))  # type: ignore[arg-type]
        elif kind is memoryview:
            yield item.tobytes()  # type: ignore[attr-defined]
        elif issubclass(kind, str):
            yield str.encode(item, "utf-8", "surrogatepass")  # type: ignore[arg-type]
        elif depth < _DEEPEST:
            todo += [(inner, depth + 1) for inner in _inside(item, kind)]


def _inside(item: Any, kind: type) -> Iterator[object]:
    if issubclass(kind, dict):
        yield from dict.keys(item)
        yield from dict.values(item)
    elif issubclass(kind, (list, tuple, set, frozenset)):
        base = next(b for b in (list, tuple, set, frozenset) if issubclass(kind, b))
        yield from base.__iter__(item)
    elif dataclasses.is_dataclass(kind):
        for each in dataclasses.fields(kind):
            yield inspect.getattr_static(item, each.name, None)
            with suppress(AttributeError, TypeError):
                yield object.__getattribute__(item, each.name)
    if kind.__module__ != "builtins":
        with suppress(AttributeError, TypeError):
            yield from dict.values(object.__getattribute__(item, "__dict__"))


_RUN_OF_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{4,}={0,2}")


def _reveals(part: bytes, sought: bytes) -> bool:
    if sought in part or sought.hex().encode() in part.lower():
        return True
    return any(sought in _unpacked(run[0]) for run in _RUN_OF_BASE64.finditer(part))


def _unpacked(run: bytes) -> bytes:
    run = run.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    run = run[: len(run) - (len(run) % 4 == 1)]
    return base64.b64decode(run + b"=" * (-len(run) % 4))
