"""A mock exam: no reasons until it is handed in, flags, a review, and a clock that can be hidden.

What is chosen counts as kept only when Python has said so, which is when it is on the disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Protocol

import traitlets

from kmscourse.views._asked import Asked, Item, Prove, reasons
from kmscourse.views._base import View


class Standing(Protocol):
    """How the exam stands; see `kmscourse.exam.seat.Standing`."""

    @property
    def begun(self) -> bool: ...
    @property
    def over(self) -> bool: ...
    @property
    def chosen(self) -> Mapping[str, tuple[int, ...]]: ...
    @property
    def flags(self) -> frozenset[str]: ...
    @property
    def left(self) -> float | None: ...


class Keeper(Protocol):
    """What keeps the choices and counts the time. Each call raises OSError where it cannot."""

    def standing(self) -> Standing: ...
    def begin(self) -> Standing: ...
    def choose(self, question_id: str, positions: Sequence[int], /) -> Standing: ...
    def flag(self, question_id: str, flagged: bool, /) -> Standing: ...
    def tick(self) -> Standing: ...
    def finish(self) -> Standing: ...


Result = Mapping[str, Any]
"""What the exam came to: `headline`, a sentence; `notes`, sentences; `tables`, each with a
`caption` and `rows` of (name, right, asked); `next`, a sentence on what to do now, or empty."""


class MockExam(Asked):
    """A mock exam, by mouse or keyboard.

    Args:
        items: the questions, in their order.
        keeper: keeps what is chosen.
        result: what it came to; called once it is handed in.
        title: the heading.
        rules: sentences shown before it begins.
        prove: plays a question on the simulator, once the exam is handed in.
        still: what stands where no widget runs.

    Raises:
        ValueError: there are no questions, two have one id, or one has no right choice.
    """

    script = ("_asked.js", "mock.js")
    style = ("_asked.css", "mock.css")

    _state = traitlets.Dict().tag(sync=True)
    _result = traitlets.Dict().tag(sync=True)
    _rules = traitlets.List().tag(sync=True)

    def __init__(
        self,
        items: Sequence[Item],
        keeper: Keeper,
        result: Callable[[], Result],
        *,
        title: str,
        rules: Sequence[str] = (),
        prove: Prove | None = None,
        still: str = "",
    ) -> None:
        self._keeper, self._come_to, self._still = keeper, result, still
        self._told = 0
        self._opened = False  # the clock runs from Begin, or Go on, in this notebook
        super().__init__(items, prove=prove, title=title, _rules=list(rules))
        self._tell(keeper.standing())

    def _said(self, do: str, item: Item | None, content: Mapping[str, Any]) -> None:
        keeper, trouble = self._keeper, ""
        if do not in ("begin", "choose", "flag", "tick", "finish"):
            return
        if do != "begin" and not self._opened:
            return
        try:
            if do == "begin":
                standing = keeper.begin()
                self._opened = True
            elif do == "choose" and item is not None:
                standing = keeper.choose(item.id, item.positions(content["chosen"]))
            elif do == "flag" and item is not None:
                standing = keeper.flag(item.id, bool(content["flagged"]))
            elif do == "finish":
                standing = keeper.finish()
            else:
                standing = keeper.tick()
        except (OSError, ValueError) as error:
            standing, trouble = keeper.standing(), f"This could not be kept: {error}"
        self._tell(standing, trouble)

    def _tell(self, standing: Standing, trouble: str = "") -> None:
        over = standing.begun and standing.over
        if over and not self._marked:
            chosen = standing.chosen
            provable = self._prove is not None
            self._result = dict(self._come_to())
            self._marked = {
                item.id: reasons(item, chosen.get(item.id, ()), provable=provable)
                for item in self.items
            }
        self._told += 1
        self._state = {
            "phase": "over" if over else "going" if self._opened else "before",
            "begun": standing.begun,
            "chosen": {name: list(positions) for name, positions in standing.chosen.items()},
            "flags": sorted(standing.flags),
            "left": standing.left,
            "at": time.time(),
            "trouble": trouble,
            "told": self._told,
        }

    # The static form: it must not depend on the bank or on answers, since nbval compares it

    def sentence(self) -> str:
        """What this is, where no widget runs."""
        return self._still or "A mock exam, taken in JupyterLab."

    def text(self) -> str:
        """The same, under its title."""
        return f"{self.title}. {self.sentence()}"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        still = {
            "text/plain": self.text(),
            "text/html": f"<h4>{escape(self.title)}</h4><p>{escape(self.sentence())}</p>",
        }
        bundle = super(View, self)._repr_mimebundle_(**kwargs)
        if bundle is None:  # closed
            return still
        data, metadata = bundle
        return {**data, **still}, metadata
