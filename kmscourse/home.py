"""The learner's home: a map of the lessons with what is done, and a plan for an exam that is near.

Both are made of what the course has: the index, the tasks and the questions. Nothing is written
down twice, so a lesson that grows changes its row and its place in the plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from kmscourse import course
from kmscourse.course import Lesson
from kmscourse.exam import Answers, Question, bank
from kmscourse.facts import exams
from kmscourse.facts.exams import Exam
from kmscourse.lab import read_progress
from kmscourse.lab.session import standings

HOURS_A_WEEK = 4
"""What someone learning in the evening has, unless they say otherwise."""

MOCK_EXAMS = 2
"""How many mock exams a plan keeps time for, if its time holds them."""


@dataclass(frozen=True)
class Place:
    """One lesson on the map: its tasks and questions, and how many are done and right.

    `serves` says how many of its questions serve each exam, by the exam's code.
    """

    lesson: Lesson
    tasks: int
    tasks_done: int
    questions: int
    questions_right: int
    serves: Mapping[str, int]

    @property
    def state(self) -> str:
        """In a word: "done", "begun" or "open"; practice has nothing to count, and stays open."""
        if not self.tasks and not self.questions:
            return "open"
        if self.tasks_done == self.tasks and self.questions_right == self.questions:
            return "done"
        return "begun" if self.tasks_done or self.questions_right else "open"


_HEADS = ("Lesson", "Minutes", "Tasks", "Questions")
_WORDS = ("Lesson", "Time", "What")  # the columns of words; the others count
_LEFT = '<td style="text-align:left">'  # Jupyter aligns every cell as a number, to the right


class Map(tuple[Place, ...]):
    """All lessons in their order. Shows itself as a table, as text or as HTML."""

    @property
    def next(self) -> Place | None:
        """The first lesson that is not done."""
        return next((place for place in self if place.state != "done"), None)

    def __repr__(self) -> str:
        return _as_text([(*_HEADS, *_short_codes()), *map(_cells, self)])

    def _repr_html_(self) -> str:
        marks = {"done": "✓", "begun": "◐", "open": "○"}
        body = "".join(
            f'<tr><td title="{place.state}">{marks[place.state]} '
            f'<span style="position:absolute;left:-999em">{place.state}</span></td>'
            f"{_LEFT}{_link(place.lesson)}<br><small>{escape(place.lesson.about)}</small></td>"
            + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(place)[1:])
            + "</tr>"
            for place in self
        )
        following = f"<p>Next: {_link(self.next.lesson)}</p>" if self.next else "<p>All done.</p>"
        return _as_html(("", *_HEADS, *_short_codes()), body) + following


@dataclass(frozen=True)
class Week:
    """One week of a plan: lessons with their minutes, or the mock exams of the last week."""

    lessons: tuple[Lesson, ...]
    minutes: int
    mock_exams: int = 0


class Plan(tuple[Week, ...]):
    """What to do, week by week, for an exam. Shows itself as a table, as text or as HTML."""

    exam: Exam
    left_out: tuple[Lesson, ...]

    @classmethod
    def of(cls, weeks: Iterable[Week], exam: Exam, left_out: Iterable[Lesson]) -> Plan:
        plan = cls(weeks)
        plan.exam, plan.left_out = exam, tuple(left_out)
        return plan

    def _rows(self) -> list[tuple[str, str, str]]:
        rows = []
        for number, week in enumerate(self, start=1):
            what = ", ".join(f"{lesson.number} {_short(lesson)}" for lesson in week.lessons)
            if week.mock_exams:
                plural = "s" if week.mock_exams > 1 else ""
                mocks = f"{week.mock_exams} mock exam{plural} (lesson 14)"
                what = f"{what}; {mocks}" if what else mocks
            rows.append((f"Week {number}", f"{week.minutes} min", what))
        return rows

    def _rest(self) -> str:
        if not self.left_out:
            return "Every lesson fits in."
        named = ", ".join(f"{lesson.number} {_short(lesson)}" for lesson in self.left_out)
        return f"If there is time left: {named}."

    def __repr__(self) -> str:
        return f"{self.exam.code}, {self.exam.name}\n{_as_text(self._rows())}\n{self._rest()}"

    def _repr_html_(self) -> str:
        body = "".join(
            "<tr>" + "".join(f"{_LEFT}{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._rows()
        )
        title = f"<p><strong>{escape(self.exam.code)}, {escape(self.exam.name)}</strong></p>"
        return title + _as_html(("", "Time", "What"), body) + f"<p>{escape(self._rest())}</p>"


def lesson_map() -> Map:
    """All lessons, with how far this learner has come. Raises CourseError or BankError."""
    done = {row.lesson: row for row in standings(read_progress()).rows}
    questions = _by_lesson(bank())
    answers = Answers()
    places = []
    for lesson in course.lessons():
        own = questions.get(lesson.name, [])
        last = [answers.last(question.id) for question in own]
        row = done.get(lesson.name)
        places.append(
            Place(
                lesson=lesson,
                tasks=row.tasks if row else 0,
                tasks_done=row.done if row else 0,
                questions=len(own),
                questions_right=sum(answer is not None and answer.right for answer in last),
                serves=Counter(code for question in own for code in question.exams),
            )
        )
    return Map(places)


def fast_track(exam: str, *, weeks: int = 3, hours: float = HOURS_A_WEEK) -> Plan:
    """A plan for an exam that is near: the lessons that serve it most, and mock exams at the end.

    Lessons are taken by how many of their questions serve the exam for the minutes they take, as
    many as the time holds, and done in the order of the course.

    Args:
        exam: its code, such as "SAA-C03".
        weeks: until the exam.
        hours: a week.

    Raises:
        FactError: for an exam that the course does not know, with those it does.
        ValueError: for less time than one mock exam takes.
    """
    if weeks < 1 or hours <= 0:
        raise ValueError("A plan needs at least one week, and some time in it.")
    guide = exams.get(exam)
    serving = Counter(question.lesson for question in bank() if guide.code in question.exams)
    lessons = [lesson for lesson in course.lessons() if serving[lesson.name]]
    time_left = 60 * hours * weeks
    mock_exams = min(MOCK_EXAMS, int(time_left // guide.minutes))
    if not mock_exams:
        raise ValueError(
            f"A mock exam of {guide.code} takes {guide.minutes} minutes, and this is less time. "
            "Give the plan more weeks or more hours."
        )
    time_left -= mock_exams * guide.minutes
    chosen: list[Lesson] = []
    for lesson in sorted(lessons, key=lambda each: -serving[each.name] / each.minutes.total):
        if lesson.minutes.total <= time_left:
            chosen.append(lesson)
            time_left -= lesson.minutes.total
    chosen.sort(key=lambda lesson: lesson.name)
    plan = _spread(chosen, weeks, mock_exams, guide.minutes)
    return Plan.of(plan, guide, (lesson for lesson in lessons if lesson not in chosen))


def _spread(
    lessons: Sequence[Lesson], weeks: int, mock_exams: int, exam_minutes: int
) -> list[Week]:
    """The lessons in their order, weeks equally full; the mock exams fill the last one's end."""
    mock_minutes = mock_exams * exam_minutes
    full = (sum(lesson.minutes.total for lesson in lessons) + mock_minutes) / weeks
    plan: list[list[Lesson]] = [[] for _ in range(weeks)]
    begins = 0
    for lesson in lessons:
        plan[min(int(begins / full), weeks - 1)].append(lesson)
        begins += lesson.minutes.total
    minutes = [sum(lesson.minutes.total for lesson in week) for week in plan]
    minutes[-1] += mock_minutes
    return [
        Week(tuple(week), total, mock_exams if number == weeks else 0)
        for number, (week, total) in enumerate(zip(plan, minutes, strict=True), start=1)
    ]


def _by_lesson(questions: Iterable[Question]) -> dict[str, list[Question]]:
    found: dict[str, list[Question]] = {}
    for question in questions:
        found.setdefault(question.lesson, []).append(question)
    return found


def _short_codes() -> list[str]:
    return [exam.code.partition("-")[0] for exam in exams.current()]


def _cells(place: Place) -> tuple[str, ...]:
    lesson = place.lesson
    lab = f" + {lesson.minutes.lab}" if lesson.minutes.lab else ""
    return (
        f"{lesson.number} {lesson.title}",
        f"{lesson.minutes.lesson}{lab}",
        f"{place.tasks_done} of {place.tasks}" if place.tasks else "",
        f"{place.questions_right} of {place.questions}" if place.questions else "",
        *(str(place.serves.get(exam.code) or "") for exam in exams.current()),
    )


def _short(lesson: Lesson) -> str:
    return lesson.title.partition(":")[0]


def _link(lesson: Lesson) -> str:
    return f'<a href="{lesson.name}.ipynb">{lesson.number} {escape(lesson.title)}</a>'


def _as_text(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _as_html(heads: Sequence[str], body: str) -> str:
    left = ' style="text-align:left"'
    head = "".join(f"<th{left if each in _WORDS else ''}>{escape(each)}</th>" for each in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
