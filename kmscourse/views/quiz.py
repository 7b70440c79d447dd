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

from kmscourse.views._asked import Asked, Choice, Item, Prove, Seen, reasons
from kmscourse.views._base import View

__all__ = ["Choice", "Item", "Keep", "Marked", "Prove", "Quiz", "Seen"]


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


class Quiz(Asked):
    """Questions, asked one at a time, by mouse or keyboard.

    Args:
        items: the questions, in the order in which they are asked.
        title: the heading.
        answered: what was chosen before: id -> positions of choices.
        keep: called with each new answer, before its reasons are shown.
        more: a sentence for the foot, such as where further questions are.
        prove: plays a question on the simulator, once it is answered.
        still: what stands where no widget runs, instead of the questions: for a choice of
            questions that changes.

    Raises:
        ValueError: there are no questions, two have one id, or one has no right choice.
    """

    script = ("_asked.js", "quiz.js")
    style = "_asked.css"

    _more = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        items: Sequence[Item],
        *,
        title: str = "Check yourself",
        answered: Mapping[str, Sequence[int]] | None = None,
        keep: Keep | None = None,
        more: str = "",
        prove: Prove | None = None,
        still: str = "",
    ) -> None:
        self._keep = keep
        self._still = still
        super().__init__(items, prove=prove, title=title, _more=more)
        self._marked = {
            item.id: self._reasons(Marked(item, self._positions(item, answered[item.id])))
            for item in self.items
            if answered and item.id in answered
        }

    def answer(self, number: int, *choices: int) -> Marked:
        """Answer a question without the widget: both are counted from 1, as they are listed.

        Raises:
            IndexError, ValueError: no such question or choice, or nothing chosen.
        """
        return self._answer(self._numbered(number), [choice - 1 for choice in choices])

    def marked(self, item_id: str) -> Marked | None:
        """How the question was answered last; None if it was not."""
        state = self._marked.get(item_id)
        if state is None:
            return None
        return Marked(self._by_id[item_id], tuple(state["chosen"]), state["trouble"])

    # Python's side of the conversation

    def _said(self, do: str, item: Item | None, content: Mapping[str, Any]) -> None:
        if item is None:
            return
        if do == "answer":
            self._answer(item, content["chosen"])
        elif do == "again":
            # What was kept stays kept: trying again only hides it.
            self._marked = {k: v for k, v in self._marked.items() if k != item.id}
            self._proofs = {k: v for k, v in self._proofs.items() if k != item.id}

    def _answer(self, item: Item, chosen: Sequence[int]) -> Marked:
        positions = self._positions(item, chosen)
        trouble = ""
        if self._keep is not None:
            try:
                self._keep(item.id, positions)
            except OSError as error:
                trouble = f"This answer could not be kept: {error}"
        marked = Marked(item, positions, trouble)
        self._marked = {**self._marked, item.id: self._reasons(marked)}
        return marked

    def _reasons(self, marked: Marked) -> dict[str, Any]:
        provable = self._prove is not None
        return reasons(marked.item, marked.chosen, marked.trouble, provable=provable)

    @staticmethod
    def _positions(item: Item, chosen: Sequence[int]) -> tuple[int, ...]:
        if not chosen:
            raise ValueError("Choose something first.")
        return item.positions(chosen)

    # The static form: it must not depend on answers, since nbval compares it

    def sentence(self) -> str:
        """How much is asked, without what was answered."""
        return self._still or str(self.summary)

    def text(self) -> str:
        """The questions and their choices, and how to answer without a widget."""
        if self._still:
            return f"{self.title}. {self._still}"
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
        if self._still:
            return f"<h4>{escape(self.title)}</h4><p>{escape(self._still)}</p>"
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


def _linked(text: str, address: str) -> str:
    return f'<a href="{escape(address)}">{escape(text)}</a>' if address else escape(text)
