"""How far a learner is: mock exams over time, domains, lessons, and what to study next.

Shown as text and as HTML tables, which need no eyes for colours, and beside them a picture.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from kmscourse.exam.answers import History
from kmscourse.exam.papers import domain_of
from kmscourse.exam.questions import Question
from kmscourse.exam.repetition import due
from kmscourse.exam.scores import HIGHEST, LOWEST, Score, Tally, score, weak
from kmscourse.exam.sittings import Sitting
from kmscourse.facts import exams

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Notebooks set what stands in tables to the right, and captions in the middle.
_ROW = "<th scope='row' style='text-align: start'>"
_CAPTION = "<caption style='text-align: start; font-weight: bold'>"

NOTHING = (
    "Nothing is answered yet. Answer the questions at a lesson's end, practise, or take a mock "
    "exam."
)


class Report:
    """What was answered, and what it says. `exam.report()` makes one.

    Attributes:
        mocks: the mock exams that were handed in, the oldest first.
        lessons: of each lesson's questions, how many were answered right last time, of those asked.
        due: the questions to repeat now, what is most likely forgotten first.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        history: History,
        sittings: Iterable[Sitting],
        *,
        now: datetime.datetime,
    ) -> None:
        self._by_id = {question.id: question for question in questions}
        self._history = {name: each for name, each in history.items() if name in self._by_id}
        self._last = {name: each[-1].right for name, each in self._history.items() if each}
        done = [s for s in sittings if s.paper.mode == "mock" and s.finished is not None]
        self.mocks: tuple[Score, ...] = tuple(score(each, self._by_id) for each in done)
        lessons: dict[str, list[Question]] = {}
        for question in sorted(questions, key=lambda each: each.lesson):
            lessons.setdefault(question.lesson, []).append(question)
        self.lessons = tuple(self._tally(name, many) for name, many in lessons.items())
        self.sizes = {name: len(many) for name, many in lessons.items()}
        self.due = due(self._history, now)

    @cached_property
    def exams(self) -> dict[str, tuple[Tally, ...]]:
        """By exam: each domain the bank asks about, as answered last time."""
        found = {}
        for guide in exams.current():
            many = [q for q in self._by_id.values() if guide.code in q.exams]
            domains = {d: d.name for q in many if (d := domain_of(q, guide.code))}
            tallies = tuple(
                self._tally(
                    f"{domain.number} {domain.name}",
                    [q for q in many if domain_of(q, guide.code) == domain],
                )
                for domain in sorted(domains, key=lambda each: each.number)
            )
            if any(each.asked for each in tallies):
                found[guide.code] = tallies
        return found

    @property
    def days(self) -> tuple[Tally, ...]:
        """Day by day (UTC): how many answers were right, of those given."""
        by_day: dict[str, list[bool]] = {}
        for answers in self._history.values():
            for answer in answers:
                by_day.setdefault(answer.at.date().isoformat(), []).append(answer.right)
        return tuple(Tally(day, sum(each), len(each)) for day, each in sorted(by_day.items()))

    @property
    def go_back(self) -> tuple[Tally, ...]:
        """The lessons to go back to, the weakest first."""
        return weak(self.lessons)

    def next(self) -> str:
        """What to do now, in a sentence or two, in a notebook's words."""
        return self._next("exam.practice(weakness=True)", 'exam.mock("SAA-C03")')

    def next_in_terminal(self) -> str:
        """The same in a terminal's words."""
        return self._next("course exam --weak", "course exam --mock --exam SAA-C03")

    def _next(self, weakest: str, mock: str) -> str:
        if not self._last:
            return NOTHING
        said = []
        if self.go_back:
            said.append(f"Go back to {', '.join(each.name for each in self.go_back[:3])}.")
        missed = sum(not right for right in self._last.values())
        if missed:
            these = "it" if missed == 1 else "these"
            said.append(f"{missed} missed the last time: {weakest} begins with {these}.")
        elif self.due:
            are = "is" if len(self.due) == 1 else "are"
            said.append(f"{len(self.due)} {are} due for repetition: {weakest}.")
        fresh = [each.name for each in self.lessons if not each.asked]
        if not said and fresh:
            said.append(f"Nothing asks to be repeated. New to you: {fresh[0]}.")
        return " ".join(said) or f"Nothing asks to be repeated. Take a mock exam: {mock}."

    def text(self, next_: str | None = None) -> str:
        """All of it in words; `next_` is what to do now, if in other words than a notebook's."""
        if not self._last:
            return NOTHING
        lines = [
            f"{len(self._last)} of {len(self._by_id)} questions answered, "
            f"{sum(self._last.values())} right the last time."
        ]
        if self.mocks:
            lines += ["", "Mock exams (scaled scores are our estimate):"]
            lines += [f"- {_mock_line(each)}" for each in self.mocks]
        for code, tallies in self.exams.items():
            lines += ["", f"{code}, by domain:"]
            lines += [f"- {each}" for each in tallies if each.asked]
        lines += ["", "By lesson:"]
        lines += [
            f"- {each}, {self.sizes[each.name]} in all" for each in self.lessons if each.asked
        ]
        lines += ["", "By day:", *(f"- {each}" for each in self.days)]
        return "\n".join([*lines, "", f"Next: {next_ or self.next()}"])

    def html(self) -> str:
        """The same as tables."""
        if not self._last:
            return f"<p>{escape(NOTHING)}</p>"
        parts = [f"<p>{escape(self.text().splitlines()[0])}</p>"]
        if self.mocks:
            rows = "".join(
                f"<tr>{_ROW}{_day(each)}</th><td>{escape(each.sitting.paper.title)}</td>"
                f"<td>{each.total.right} of {each.total.asked}</td><td>{each.estimate}</td>"
                f"<td>{each.needed or ''}</td></tr>"
                for each in self.mocks
            )
            parts.append(
                f"<table>{_CAPTION}Mock exams. The scaled score is our estimate.</caption>"
                "<thead><tr>"
                "<th scope='col'>Handed in</th><th scope='col'>Exam</th><th scope='col'>Right</th>"
                "<th scope='col'>Estimate</th><th scope='col'>To pass</th></tr></thead>"
                f"<tbody>{rows}</tbody></table>"
            )
        domains = [
            Tally(f"{code}: {each.name}", each.right, each.asked)
            for code, tallies in self.exams.items()
            for each in tallies
            if each.asked
        ]
        if domains:
            parts.append(_table("By exam and domain", domains))
        parts.append(_table("By lesson", [each for each in self.lessons if each.asked]))
        parts.append(_table("By day", self.days))
        parts.append(f"<p><strong>Next:</strong> {escape(self.next())}</p>")
        return "\n".join(parts)

    def figure(self) -> Figure:
        """The picture: the share right by lesson, and over time.

        Bars have their numbers written beside them; mock exams are marked by shape and by name.

        Raises ValueError where nothing is answered yet.
        """
        from matplotlib.figure import Figure

        if not self._last:
            raise ValueError(NOTHING)
        asked = [each for each in self.lessons if each.asked]
        figure = Figure(figsize=(8, 2.6 + 0.32 * len(asked)), layout="constrained")
        bars, line = figure.subplots(2, 1, height_ratios=[max(2, len(asked)), 4])
        names = [each.name for each in asked]
        bars.barh(names, [100 * each.share for each in asked], color="#1d5c8f")
        for place, each in enumerate(asked):
            bars.text(100 * each.share + 1, place, f"{each.right} of {each.asked}", va="center")
        bars.invert_yaxis()
        bars.set(xlim=(0, 116), xlabel="Right the last time, in percent", title="By lesson")
        bars.set_xticks(range(0, 101, 25))
        days = self.days
        line.plot(
            [d.name for d in days],
            [100 * d.share for d in days],
            "o-",
            color="#1d5c8f",
            label="All answers of a day",
        )
        mocks = [(each.sitting.finished, each) for each in self.mocks if each.sitting.finished]
        if mocks:
            line.plot(
                [when.date().isoformat() for when, _ in mocks],
                [100 * each.total.share for _, each in mocks],
                "D",
                color="#9b2c2c",
                markersize=9,
                fillstyle="none",
                label="Mock exams",
            )
        line.set_xticks(range(0, len(days), max(1, len(days) // 7)))  # names that do not touch
        line.set(ylim=(0, 105), ylabel="Right, in percent", title="Over time")
        line.legend(loc="lower right")
        for axes in (bars, line):
            axes.spines[["top", "right"]].set_visible(False)
        return figure

    def picture(self) -> bytes:
        """The picture as PNG. Raises ValueError where nothing is answered yet."""
        import io

        file = io.BytesIO()
        self.figure().savefig(file, format="png", dpi=110)
        return file.getvalue()

    def __repr__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        html = self.html()
        if self._last:
            import base64

            image = base64.b64encode(self.picture()).decode()
            html += (
                '<img style="background: white; max-width: 100%" alt="The tables above as a '
                'picture: the share of right answers by lesson, and over time." '
                f'src="data:image/png;base64,{image}">'
            )
        return {"text/plain": self.text(), "text/html": html}

    def _tally(self, name: str, questions: Iterable[Question]) -> Tally:
        answered = [self._last[q.id] for q in questions if q.id in self._last]
        return Tally(name, sum(answered), len(answered))


def _mock_line(each: Score) -> str:
    needed = f" ({each.needed} to pass)" if each.needed else ""
    return (
        f"{_day(each)}, {each.sitting.paper.title}: {each.total.right} of {each.total.asked} "
        f"right, {each.estimate} between {LOWEST} and {HIGHEST:,}{needed}"
    )


def _day(each: Score) -> str:
    return (each.sitting.finished or each.sitting.begun).date().isoformat()


def _table(caption: str, tallies: Iterable[Tally]) -> str:
    rows = "".join(
        f"<tr>{_ROW}{escape(each.name)}</th><td>{each.right} of {each.asked}</td>"
        f"<td>{each.share:.0%}</td></tr>"
        for each in tallies
    )
    return (
        f"<table>{_CAPTION}{escape(caption)}</caption><thead><tr><th scope='col'></th>"
        "<th scope='col'>Right</th><th scope='col'>Share</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
