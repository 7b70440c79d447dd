"""Questions with a reason for every option, asked one at a time.

The browser shows and collects; Python marks and keeps. What is right, and why, reaches the browser
only with the answer to a question, and an answer counts as kept only when Python has said so.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import traitlets

from kmscourse.views._base import View


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that can be chosen; whether it is right, and why."""

    text: str
    right: bool
    why: str


@dataclass(frozen=True, slots=True)
class Item:
    """One question as it is shown: a scenario and a question, and choices in their order.

    Attributes:
        id: what answers are kept under.
        asks: what is to be done: "Choose one."
        notes: what is shown with the reasons: (label, text, address or empty).
        grounds: what the answer rests on, folded away until asked for: (name, sentence).
    """

    id: str
    stem: str
    asks: str
    choices: tuple[Choice, ...]
    notes: tuple[tuple[str, str, str], ...] = ()
    grounds: tuple[tuple[str, str], ...] = ()

    @property
    def several(self) -> bool:
        """Whether more than one choice is right, so that they are ticked and not picked."""
        return sum(choice.right for choice in self.choices) > 1

    @property
    def right(self) -> tuple[int, ...]:
        return tuple(i for i, choice in enumerate(self.choices) if choice.right)


@dataclass(frozen=True, slots=True)
class Marked:
    """An answer, marked. `chosen` and `right` are positions of choices, from 0."""

    item: Item
    chosen: tuple[int, ...]
    trouble: str = ""

    @property
    def ok(self) -> bool:
        return self.chosen == self.item.right

    def __repr__(self) -> str:
        lines = ["Right." if self.ok else "Not right yet."]
        for number, choice in enumerate(self.item.choices, start=1):
            verdict = "right" if choice.right else "wrong"
            chose = ", you chose this" if number - 1 in self.chosen else ""
            lines.append(f"{number}. {choice.text}  [{verdict}{chose}]")
            lines += textwrap.wrap(choice.why, 92, initial_indent="   ", subsequent_indent="   ")
        if self.trouble:
            lines.append(self.trouble)
        return "\n".join(lines)


Keep = Callable[[str, tuple[int, ...]], None]
"""Called with an item's id and the positions chosen; raises OSError where it cannot be kept."""


class Quiz(View):
    """Questions, asked one at a time, by mouse or keyboard.

    Args:
        items: the questions, in the order in which they are asked.
        title: the heading.
        answered: what was chosen before: id -> positions of choices.
        keep: called with each new answer, before its reasons are shown.
        more: a sentence for the foot, such as where further questions are.

    Raises:
        ValueError: there are no questions, two have one id, or one has no right choice.
    """

    script = "quiz.js"
    style = "quiz.css"

    _items = traitlets.List().tag(sync=True)
    _marked = traitlets.Dict().tag(sync=True)
    _more = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        items: Sequence[Item],
        *,
        title: str = "Check yourself",
        answered: Mapping[str, Sequence[int]] | None = None,
        keep: Keep | None = None,
        more: str = "",
    ) -> None:
        self.items = tuple(items)
        self._keep = keep
        if not self.items:
            raise ValueError("There are no questions to ask.")
        self._by_id = {item.id: item for item in self.items}
        if len(self._by_id) < len(self.items):
            raise ValueError("Two questions have the same id.")
        for item in self.items:
            if not item.right:
                raise ValueError(f"The question {item.id!r} has no right choice.")
        earlier = {
            item.id: _for_browser(Marked(item, self._positions(item, answered[item.id])))
            for item in self.items
            if answered and item.id in answered
        }
        super().__init__(
            title=title,
            _items=[_question(item) for item in self.items],
            _marked=earlier,
            _more=more,
        )
        self.summary = self.sentence()
        self.on_msg(self._from_browser)

    def answer(self, number: int, *choices: int) -> Marked:
        """Answer a question without the widget: both are counted from 1, as they are listed.

        Raises:
            IndexError, ValueError: no such question or choice, or nothing chosen.
        """
        if not 1 <= number <= len(self.items):
            raise IndexError(f"There are questions 1 to {len(self.items)}, not {number}.")
        return self._answer(self.items[number - 1], [choice - 1 for choice in choices])

    def marked(self, item_id: str) -> Marked | None:
        """How the question was answered last; None if it was not."""
        state = self._marked.get(item_id)
        if state is None:
            return None
        return Marked(self._by_id[item_id], tuple(state["chosen"]), state["trouble"])

    # Python's side of the conversation

    def _from_browser(self, _: object, content: Mapping[str, Any], __: object) -> None:
        item = self._by_id.get(str(content.get("id")))
        if item is None:
            return
        if content.get("do") == "answer":
            self._answer(item, content["chosen"])
        elif content.get("do") == "again":
            # What was kept stays kept: trying again only hides it.
            self._marked = {k: v for k, v in self._marked.items() if k != item.id}

    def _answer(self, item: Item, chosen: Sequence[int]) -> Marked:
        positions = self._positions(item, chosen)
        trouble = ""
        if self._keep is not None:
            try:
                self._keep(item.id, positions)
            except OSError as error:
                trouble = f"This answer could not be kept: {error}"
        marked = Marked(item, positions, trouble)
        self._marked = {**self._marked, item.id: _for_browser(marked)}
        return marked

    @staticmethod
    def _positions(item: Item, chosen: Sequence[int]) -> tuple[int, ...]:
        positions = tuple(sorted({int(position) for position in chosen}))
        if not positions:
            raise ValueError("Choose something first.")
        if positions[0] < 0 or positions[-1] >= len(item.choices):
            raise ValueError(f"There are choices 1 to {len(item.choices)}.")
        if len(positions) > 1 and not item.several:
            raise ValueError("Choose one; only one is right here.")
        return positions

    # The static form: it must not depend on answers, since nbval compares it

    def sentence(self) -> str:
        """How much is asked, without what was answered."""
        count = len(self.items)
        return f"{count} question{'s' if count > 1 else ''}, with a reason for each option."

    def text(self) -> str:
        """The questions and their choices, and how to answer without a widget."""
        lines = [f"{self.title}: {self.sentence()}"]
        for number, item in enumerate(self.items, start=1):
            lines.append("")
            lines += textwrap.wrap(f"{number}. {item.stem} {item.asks}", 96)
            for place, choice in enumerate(item.choices, start=1):
                lines += textwrap.wrap(
                    f"{place}) {choice.text}",
                    92,
                    initial_indent="    ",
                    subsequent_indent="       ",
                )
        lines += ["", "Answer question 1 with choice 2: call .answer(1, 2) on what this cell made."]
        if self._more:
            lines.append(self._more)
        return "\n".join(lines)

    def html(self) -> str:
        """The same with the reasons folded away, for pages on which no widget runs."""
        # The classes keep JupyterLab from reading "$1 or $2" as a formula.
        parts = [
            '<div class="tex2jax_ignore mathjax_ignore">',
            f"<h4>{escape(self.title)}</h4>",
        ]
        for number, item in enumerate(self.items, start=1):
            choices = "".join(f"<li>{escape(choice.text)}</li>" for choice in item.choices)
            reasons = "".join(
                f"<li><strong>{'✓ Right' if choice.right else '✗ Wrong'}:</strong> "
                f"{escape(choice.text)}<br>{escape(choice.why)}</li>"
                for choice in item.choices
            )
            notes = "".join(
                f"<p>{escape(label)}: {_linked(text, address)}</p>"
                for label, text, address in item.notes
            )
            parts.append(
                f"<p><strong>{number}.</strong> {escape(item.stem)} "
                f"<em>{escape(item.asks)}</em></p><ol>{choices}</ol>"
                f"<details><summary>Answer and reasons</summary><ol>{reasons}</ol>{notes}</details>"
            )
        if self._more:
            parts.append(f"<p>{escape(self._more)}</p>")
        parts.append("</div>")
        return "\n".join(parts)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and beside it text and folded HTML: words need no picture."""
        static = {"text/plain": self.text(), "text/html": self.html()}
        bundle = super(View, self)._repr_mimebundle_(**kwargs)
        if bundle is None:  # closed
            return static
        data, metadata = bundle
        return {**data, **static}, metadata


def _question(item: Item) -> dict[str, Any]:
    """What the browser may know before the answer."""
    return {
        "id": item.id,
        "stem": item.stem,
        "asks": item.asks,
        "several": item.several,
        "count": len(item.right),
        "choices": [choice.text for choice in item.choices],
    }


def _for_browser(marked: Marked) -> dict[str, Any]:
    return {
        "chosen": list(marked.chosen),
        "right": list(marked.item.right),
        "ok": marked.ok,
        "whys": [choice.why for choice in marked.item.choices],
        "notes": [list(note) for note in marked.item.notes],
        "grounds": [list(ground) for ground in marked.item.grounds],
        "trouble": marked.trouble,
    }


def _linked(text: str, address: str) -> str:
    return f'<a href="{escape(address)}">{escape(text)}</a>' if address else escape(text)
