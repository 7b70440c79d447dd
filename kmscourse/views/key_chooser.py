"""Which key for which need: four questions, and the key that the answers leave."""

from __future__ import annotations

from typing import Any

import traitlets

from kmscourse.views import _svg
from kmscourse.views._base import View
from kmscourse.views._key_choice import QUESTIONS, KeyChoice, choose, for_browser

_START = {"need": "service", "quantum": "no", "control": "nothing", "material": "kms"}


class KeyChooser(View):
    """Four questions about a need, answered by keyboard or by `choose`; what is left is a key.

    The result is the parameters of a CreateKey (or the key that AWS makes by itself, or none), each
    reason with the fact it rests on.
    """

    script = "key_chooser.js"
    style = "key_chooser.css"

    _questions = traitlets.List().tag(sync=True)
    _table = traitlets.Dict().tag(sync=True)
    _answers = traitlets.Dict().tag(sync=True)

    def __init__(self, *, title: str = "Which key?", **kwargs: Any) -> None:
        super().__init__(
            title=title,
            _questions=[
                {"name": q.name, "asks": q.asks, "options": list(q.options.items())}
                for q in QUESTIONS
            ],
            _table=for_browser(),
            _answers=dict(_START),
            **kwargs,
        )
        self.summary = self.sentence()

    @property
    def choice(self) -> KeyChoice:
        """Where the answers that stand in the view lead."""
        return choose(**self._answers)

    def choose(self, **answers: str) -> KeyChoice:
        """Change some of the answers, `choose(need="proven")`; gives where they lead now.

        Raises:
            ValueError: for a question or an answer that is not there, with those that are.
        """
        names = [question.name for question in QUESTIONS]
        if unknown := sorted(set(answers) - set(names)):
            raise ValueError(f"There is no question {unknown[0]!r}; there are {', '.join(names)}.")
        wanted = {**self._answers, **answers}
        found = choose(**wanted)
        self._answers = wanted
        return found

    def sentence(self) -> str:
        """The questions, without answers: nbval compares it."""
        asked = " ".join(question.asks for question in QUESTIONS)
        return f"{len(QUESTIONS)} questions lead to a key. {asked}"

    def picture(self) -> str:
        """The questions with their options, and the key that the first answers lead to."""
        width = 720
        p = _svg.Picture(width, self.title, self.sentence())
        p.icon(20, 14, _svg.KEY_ICON, line=_svg.KEY)
        p.text(46, 29, self.title, size=16, bold=True)
        y = 60.0
        for question in QUESTIONS:
            p.text(20, y, question.asks, bold=True)
            y += 20
            for name, words in question.options.items():
                chosen = _START[question.name] == name
                p.circle(29, y - 4, 4, fill=_svg.ACCENT if chosen else _svg.LINE)
                p.text(42, y, words, fill=_svg.ACCENT if chosen else _svg.MUTED, bold=chosen)
                y += 19
            y += 10
        found = choose(**_START)
        p.box(20, y, width - 40, 52, fill=_svg.PAPER, line=_svg.ACCENT)
        p.text(36, y + 22, found.name, bold=True)
        p.text(36, y + 41, found.use, fill=_svg.MUTED)
        return p.render(y + 66)
