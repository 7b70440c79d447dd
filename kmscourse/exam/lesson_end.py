"""The questions at a lesson's end: chosen, shown, and the answers kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kmscourse.exam.answers import Answers
from kmscourse.exam.questions import Question, of_lesson
from kmscourse.exam.scores import is_right

if TYPE_CHECKING:
    from kmscourse.views.quiz import Quiz


class NoQuestionsError(LookupError):
    """A lesson that has no questions yet."""


def check_yourself(lesson: str, count: int | None = 5, *, answers: Answers | None = None) -> Quiz:
    """The questions at the end of a lesson, with a reason for each option.

    Answers are kept in `my-work/answers.json`, so they are still there after a reload or a restart.

    Args:
        lesson: its name, such as `05-envelopes`, or its number.
        count: how many questions; None for all the lesson has.
        answers: where answers are kept, if not in `my-work`.

    Raises:
        LessonNotFoundError, NoQuestionsError, BankError: with a message that says what to do.
    """
    from kmscourse.exam.proving import provers
    from kmscourse.exam.showing import answered, item_of
    from kmscourse.views.quiz import Quiz  # the only place that needs a widget

    all_of_them = of_lesson(lesson)
    if not all_of_them:
        raise NoQuestionsError(f"The lesson {lesson} has no questions yet.")
    chosen = choose(all_of_them, count)
    by_id = {question.id: question for question in chosen}
    store = answers or Answers()

    def keep(question_id: str, positions: tuple[int, ...]) -> None:
        question = by_id[question_id]
        texts = tuple(question.presented[position].text for position in positions)
        store.add(question_id, texts, is_right(question, texts))

    more = ""
    if len(chosen) < len(all_of_them):
        more = (
            f"This lesson has {len(all_of_them)} questions; for all of them, run "
            f'exam.check_yourself("{all_of_them[0].lesson}", count=None).'
        )
    return Quiz(
        [item_of(question) for question in chosen],
        title="Check yourself",
        answered=answered(chosen, store.everything()),
        keep=keep,
        more=more,
        prove=provers(by_id),
    )


def choose(questions: Sequence[Question], count: int | None) -> tuple[Question, ...]:
    """`count` of the questions, spread over the objectives, easy ones first; always the same ones.

    Raises ValueError for a count below one.
    """
    if count is None:
        return tuple(questions)
    if count < 1:
        raise ValueError("Ask for at least one question, or for all of them with count=None.")
    rounds: dict[str, int] = {}
    place: dict[str, tuple[int, int]] = {}
    for number, question in enumerate(questions):
        turn = rounds.get(question.objective, 0)
        rounds[question.objective] = turn + 1
        place[question.id] = (turn, number)
    taken = sorted(questions, key=lambda question: place[question.id])[:count]
    return tuple(sorted(taken, key=lambda question: (question.difficulty, place[question.id][1])))
