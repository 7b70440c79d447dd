"""Practice and mock exams over all lessons, as a notebook asks for them.

    exam.practice(exam="SAA-C03", count=10)      # reasons at once, as long as you like
    exam.practice(weakness=True)                 # what was missed, what is due, what is new
    exam.mock("SCS-C03")                         # by the guide: questions, minutes, weights
    exam.mock("SCS-C03", 20, seed="thursday")    # shorter, and the same for everyone
    exam.review()                                # the last mock exam, with its reasons
    exam.report()                                # how far you are, and what to study next

What was begun and not finished goes on where it stopped when the cell is run again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmscourse.exam.desk import Desk, Drill, about, rules
from kmscourse.exam.papers import Paper, PracticeError
from kmscourse.exam.reports import Report
from kmscourse.exam.scores import Score
from kmscourse.exam.sittings import Sitting

if TYPE_CHECKING:
    from kmscourse.views.mock import MockExam
    from kmscourse.views.quiz import Quiz

STILL = "Open this notebook in JupyterLab and run the cell: what is asked is chosen then."


def practice(
    exam: str | None = None,
    *,
    domain: str | None = None,
    lesson: str | None = None,
    weakness: bool = False,
    count: int | None = 10,
    seed: str | None = None,
) -> Quiz:
    """Questions with reasons at once, as long as you like.

    Args:
        exam: an exam's code, such as `SAA-C03`.
        domain: a domain of that exam, such as "5", or a task, such as "5.2".
        lesson: a lesson, such as `05-envelopes` or "5".
        weakness: ask what was missed, what is due for repetition and what is new, in that order.
        count: how many; None for all that fit.
        seed: any word; the same word gives everyone the same questions.

    Raises:
        PracticeError, LessonNotFoundError, BankError: with a message that says what to do.
    """
    desk = Desk()
    paper = desk.practice_paper(
        exam=exam, domain=domain, lesson=lesson, weakness=weakness, count=count, seed=seed
    )
    return quiz_view(desk, desk.going(paper, seed is not None) or paper)


def mock(
    exam: str, count: int | None = None, *, timed: bool = True, seed: str | None = None
) -> MockExam:
    """A mock exam by the exam guide: no reasons until it is handed in.

    Args:
        exam: the exam's code, such as `SAA-C03`.
        count: how many questions; the guide's number unless said. Fewer have fewer minutes.
        timed: whether the guide's minutes count.
        seed: any word; the same word gives everyone the same paper.

    Raises:
        PracticeError, BankError: with a message that says what to do.
    """
    desk = Desk()
    paper = desk.mock_paper(exam, count, timed=timed, seed=seed)
    return mock_view(desk, desk.going(paper, seed is not None) or paper)


def resume() -> Quiz | MockExam:
    """What was begun last, in a notebook or in a terminal, and is not finished.

    Raises PracticeError where nothing is open.
    """
    desk = Desk()
    sitting = desk.sittings.open()
    if sitting is None:
        raise PracticeError('Nothing is open. Begin with exam.practice() or exam.mock("SAA-C03").')
    return mock_view(desk, sitting) if sitting.paper.mode == "mock" else quiz_view(desk, sitting)


def review() -> MockExam:
    """The mock exam that was handed in last, with its result and the reason for each option.

    Raises PracticeError where none was handed in.
    """
    desk = Desk()
    last = desk.last_mock()
    if last is None:
        raise PracticeError('No mock exam was handed in yet. Begin with exam.mock("SAA-C03").')
    return mock_view(desk, last)


def report() -> Report:
    """How far you are: by exam and domain, by lesson, over time, and what to study next."""
    return Desk().report()


def quiz_view(desk: Desk, paper: Paper | Sitting) -> Quiz:
    """A practice paper, new or begun, as a widget."""
    from kmscourse.exam.proving import provers
    from kmscourse.exam.showing import answered, item_of
    from kmscourse.views.quiz import Quiz

    drill = Drill(desk, paper)
    since = drill.sitting.begun if drill.sitting else None

    def keep(question_id: str, positions: tuple[int, ...]) -> None:
        drill.keep(question_id, positions)

    earlier = answered(drill.questions, desk.answers.everything(), since) if since else {}
    return Quiz(
        [item_of(question) for question in drill.questions],
        title=drill.paper.title,
        answered=earlier,
        keep=keep,
        more=about(drill.paper),
        prove=provers(desk.by_id),
        still=STILL,
    )


def mock_view(desk: Desk, paper: Paper | Sitting) -> MockExam:
    """A mock exam, new, begun or handed in, as a widget."""
    from kmscourse.exam.proving import provers
    from kmscourse.exam.showing import item_of
    from kmscourse.views.mock import MockExam

    seat = desk.seat(paper)
    return MockExam(
        [item_of(question) for question in seat.questions],
        seat,
        lambda: came_to(seat.score()),
        title=seat.paper.title,
        rules=rules(seat.paper, len(seat.questions)),
        prove=provers(desk.by_id),
        still=STILL,
    )


def came_to(score: Score) -> dict[str, Any]:
    """A score as the view shows it."""
    first, *others = score.text().split("\n\n")[0].splitlines()
    tables = [("By domain of the guide", score.domains), ("By lesson", score.lessons)]
    return {
        "headline": first,
        "notes": others,
        "tables": [
            {"caption": caption, "rows": [[each.name, each.right, each.asked] for each in tallies]}
            for caption, tallies in tables
            if len(tallies) > 1 or caption == "By lesson"
        ],
        "next": f"Go back to: {', '.join(each.name for each in score.go_back)}."
        if score.go_back
        else "No lesson stands out: below, each question has its reasons.",
    }
