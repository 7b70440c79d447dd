"""What the views that ask questions share: the questions, the reasons and the proofs.

The browser shows and collects; Python marks and keeps. What is right, and why, reaches the browser
only when it is due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
        provable: whether it can be played on the simulator.
    """

    id: str
    stem: str
    asks: str
    choices: tuple[Choice, ...]
    notes: tuple[tuple[str, str, str], ...] = ()
    grounds: tuple[tuple[str, str], ...] = ()
    provable: bool = False

    @property
    def several(self) -> bool:
        """Whether more than one choice is right, so that they are ticked and not picked."""
        return sum(choice.right for choice in self.choices) > 1

    @property
    def right(self) -> tuple[int, ...]:
        return tuple(i for i, choice in enumerate(self.choices) if choice.right)

    def positions(self, chosen: Iterable[int]) -> tuple[int, ...]:
        """The positions in order, each once.

        Raises ValueError for one that does not exist, or for several where one is right.
        """
        found = tuple(sorted({int(position) for position in chosen}))
        if found and (found[0] < 0 or found[-1] >= len(self.choices)):
            raise ValueError(f"There are choices 1 to {len(self.choices)}.")
        if len(found) > 1 and not self.several:
            raise ValueError("Choose one; only one is right here.")
        return found


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one choice when it was played: whether it held, and in a sentence, how."""

    position: int
    holds: bool
    seen: str


Prove = Callable[[str], Iterable[Seen]]
"""Plays the question with this id, choice by choice. What goes wrong is raised, with its words."""


class Asked(View):
    """A view that asks questions.

    Args:
        items: the questions, in the order in which they are asked.
        prove: plays a question; None where nothing can be played.

    Raises:
        ValueError: there are no questions, two have one id, or one has no right choice.
    """

    _items = traitlets.List().tag(sync=True)
    _marked = traitlets.Dict().tag(sync=True)
    _proofs = traitlets.Dict().tag(sync=True)

    def __init__(self, items: Sequence[Item], *, prove: Prove | None = None, **kwargs: Any) -> None:
        self.items = tuple(items)
        self._prove = prove
        if not self.items:
            raise ValueError("There are no questions to ask.")
        self._by_id = {item.id: item for item in self.items}
        if len(self._by_id) < len(self.items):
            raise ValueError("Two questions have the same id.")
        for item in self.items:
            if not item.right:
                raise ValueError(f"The question {item.id!r} has no right choice.")
        super().__init__(_items=[_question(item) for item in self.items], **kwargs)
        count = len(self.items)
        self.summary = f"{count} question{'s' if count > 1 else ''}, with a reason for each option."
        self.on_msg(self._from_browser)

    def prove(self, number: int) -> tuple[Seen, ...]:
        """Play a question without the widget; counted from 1, as they are listed.

        Raises IndexError where there is no such question, ValueError where it has no proof, and
        what goes wrong while it is played.
        """
        item = self._numbered(number)
        if self._prove is None or not item.provable:
            raise ValueError(f"Question {number} has no proof.")
        return tuple(self._prove(item.id))

    def _numbered(self, number: int) -> Item:
        if not 1 <= number <= len(self.items):
            raise IndexError(f"There are questions 1 to {len(self.items)}, not {number}.")
        return self.items[number - 1]

    def _from_browser(self, _: object, content: Mapping[str, Any], __: object) -> None:
        item = self._by_id.get(str(content.get("id")))
        if content.get("do") == "prove":
            # Only with the reasons: what is played would give the answer away.
            if item is not None and item.id in self._marked:
                self._play(item)
        else:
            self._said(str(content.get("do")), item, content)

    def _said(self, do: str, item: Item | None, content: Mapping[str, Any]) -> None:
        """What the browser said, apart from what all such views understand."""
        raise NotImplementedError

    def _play(self, item: Item) -> None:
        """Play it, telling the browser after each choice how far it has come."""
        if self._prove is None or not item.provable:
            return
        seen: list[dict[str, Any]] = []

        def tell(state: str, trouble: str = "") -> None:
            told = {"state": state, "seen": list(seen), "of": len(item.choices), "trouble": trouble}
            self._proofs = {**self._proofs, item.id: told}

        tell("playing")
        try:
            for each in self._prove(item.id):
                seen.append({"position": each.position, "holds": each.holds, "seen": each.seen})
                tell("playing")
        except Exception as error:  # whatever a scenario does, the quiz goes on
            tell("failed", f"It could not be played to its end: {error}")
            return
        tell("played")


def reasons(
    item: Item, chosen: Sequence[int], trouble: str = "", *, provable: bool = False
) -> dict[str, Any]:
    """What the browser may know once a question is marked."""
    return {
        "chosen": list(chosen),
        "right": list(item.right),
        "ok": tuple(chosen) == item.right,
        "whys": [choice.why for choice in item.choices],
        "notes": [list(note) for note in item.notes],
        "grounds": [list(ground) for ground in item.grounds],
        "trouble": trouble,
        "provable": provable and item.provable,
    }


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
