"""Practice and mock exams in a terminal: number keys choose, letters do the rest.

Every answer is on the disk before the next line is printed; Ctrl-C or Ctrl-D leaves at any moment.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from kmscourse import course
from kmscourse.exam.desk import Desk, Drill, about, rules
from kmscourse.exam.papers import Paper
from kmscourse.exam.questions import Question
from kmscourse.exam.scores import is_right
from kmscourse.exam.seat import Seat, Standing
from kmscourse.exam.sittings import ClosedError, Sitting
from kmscourse.facts import exams

LEFT = "What you answered is kept. To go on: course exam --resume"


class _LeaveError(Exception):
    """The learner has had enough for now."""


class Terminal:
    """One learner at one terminal.

    Args:
        desk: the bank, and what was done with it.
        console: where it is shown.
        ask: shows a prompt and gives the line typed; raises EOFError at the end of the input.
    """

    def __init__(
        self,
        desk: Desk,
        console: Console | None = None,
        ask: Callable[[str], str] | None = None,
    ) -> None:
        self._desk = desk
        self._console = console or Console(highlight=False)
        self._input = ask or self._typed

    def menu(self) -> None:
        """Ask what to do, and do it."""
        codes = [guide.code for guide in exams.current()]
        with_questions = {question.lesson for question in self._desk.questions}
        lessons = [each for each in course.lessons() if each.name in with_questions]
        going = self._desk.sittings.open()
        choices: list[tuple[str, Callable[[], None]]] = []
        if going is not None:
            choices.append((f"Go on: {going.paper.title}", lambda: self.sit(going)))

        def weakest() -> None:
            self.sit(self._desk.practice_paper(weakness=True))

        def one_exam() -> None:
            self.sit(self._desk.practice_paper(exam=self._choose("Which exam?", codes)))

        def one_lesson() -> None:
            named = self._choose("Which lesson?", [f"{e.number} {e.title}" for e in lessons])
            self.sit(self._desk.practice_paper(lesson=named.partition(" ")[0]))

        def a_mock() -> None:
            self.sit(self._desk.mock_paper(self._choose("Which exam?", codes)))

        choices += [
            ("Practise what is weakest or due", weakest),
            ("Practise for an exam", one_exam),
            ("Practise a lesson", one_lesson),
            ("Take a mock exam", a_mock),
            ("See how far you are", self._report),
        ]
        try:
            wanted = self._choose("What would you like?", [words for words, _ in choices])
            dict(choices)[wanted]()
        except _LeaveError:
            self._print("")

    def sit(self, paper: Paper | Sitting) -> None:
        """Work through a paper, new or begun, until it is done or left."""
        mode = paper.paper.mode if isinstance(paper, Sitting) else paper.mode
        try:
            if mode == "mock":
                self._mock(self._desk.seat(paper, patience=float("inf")))
            else:
                self._practise(Drill(self._desk, paper))
        except _LeaveError:
            self._print(f"\n{LEFT}")
        except ClosedError as error:
            self._print(str(error))
        except OSError as error:
            self._print(f"This could not be kept: {error}\nWhat was kept before is safe.")

    def _report(self) -> None:
        report = self._desk.report()
        self._print(report.text(report.next_in_terminal()))

    # --- practice: reasons at once

    def _practise(self, drill: Drill) -> None:
        done = drill.answered()
        self._title(drill.paper.title)
        if note := about(drill.paper):
            self._print(note)
        for number, question in enumerate(drill.questions, start=1):
            if question.id in done:
                continue
            self._question(question, f"Question {number} of {len(drill.questions)}")
            chosen = self._positions(question)
            self._say_verdict(drill.keep(question.id, chosen))
            self._reasons(question, chosen)
            self._after(question, last=number == len(drill.questions))
        right = sum(
            answers[-1].right
            for question in drill.questions
            if (answers := self._desk.answers.history(question.id))
        )
        self._print(f"\nDone: {right} of {len(drill.questions)} right.")
        self._print(self._desk.report().next_in_terminal())

    def _positions(self, question: Question) -> tuple[int, ...]:
        """As many positions as there are right options."""
        wanted = len(question.right)
        while True:
            line = self._ask(f"{question.asks} Number{'s' if wanted > 1 else ''}, or q to leave: ")
            if line == "q":
                raise _LeaveError
            positions = _numbers(line, len(question.options))
            if len(positions) == wanted:
                return positions
            self._print(
                f"Type {wanted} of the numbers 1 to {len(question.options)}"
                f"{', such as 1 3' if wanted > 1 else ''}."
            )

    def _after(self, question: Question, *, last: bool) -> None:
        keys = ["Enter to end" if last else "Enter for the next"]
        keys += ["v to prove it"] if question.proof else []
        while True:
            line = self._ask(f"{', '.join(keys)}, q to leave: ")
            if line == "q":
                raise _LeaveError
            if line == "v" and question.proof:
                self._prove(question)
            elif line == "":
                return

    # --- a mock exam: reasons at the end

    def _mock(self, seat: Seat) -> None:
        self._title(seat.paper.title)
        standing = seat.standing()
        if not standing.begun:
            for rule in rules(seat.paper, len(seat.questions)):
                self._print(f"- {rule}")
            if self._ask("Enter to begin, q to leave: ") == "q":
                self._print("Nothing was begun.")
                return
        standing = seat.begin()
        number, hidden = _first_open(seat, standing), False
        self._print(
            "Numbers choose; Enter or n next, p previous, f flag, r review, t hide or show the "
            "time, h hand in, q leave."
        )
        show = True
        while not standing.over:
            question = seat.questions[number]
            if show:
                self._question(
                    question,
                    _head(seat, number, standing, hidden=hidden),
                    standing.chosen.get(question.id, ()),
                )
            line = self._ask(f"{question.asks} > ")
            show = True
            if line == "q":
                seat.tick()
                raise _LeaveError
            if line in ("", "n"):
                standing = seat.tick()
                if number + 1 < len(seat.questions):
                    number += 1
                else:
                    number, standing = self._review(seat, standing, number)
            elif line == "p":
                standing = seat.tick()
                number = max(0, number - 1)
            elif line == "f":
                standing = seat.flag(question.id, question.id not in standing.flags)
                self._print("Flagged." if question.id in standing.flags else "Not flagged.")
                show = False
            elif line == "t":
                standing, hidden = seat.tick(), not hidden
            elif line == "r":
                number, standing = self._review(seat, seat.tick(), number)
            elif line == "h":
                standing = self._hand_in(seat, seat.tick())
            elif positions := _numbers(line, len(question.options)):
                if len(positions) > len(question.right):
                    self._print(f"{question.asks} These are {len(positions)}.")
                    continue
                standing = seat.choose(question.id, positions)
                if not standing.over:
                    kept = ", ".join(str(position + 1) for position in positions)
                    self._print(f"Saved: {kept}.")
                show = False
            else:
                self._print("That is none of the keys: numbers, n, p, f, r, t, h or q.")
                show = False
        self._result(seat)

    def _review(self, seat: Seat, standing: Standing, number: int) -> tuple[int, Standing]:
        """The list of questions; gives the one to go to."""
        if standing.over:
            return number, standing
        self._title("Review")
        for place, question in enumerate(seat.questions, start=1):
            state = "answered" if _answered(question, standing) else "not answered"
            flagged = ", flagged" if question.id in standing.flags else ""
            stem = question.stem if len(question.stem) <= 56 else f"{question.stem[:55]}…"
            self._print(f"{place:3}. {stem:56}  {state}{flagged}")
        while True:
            line = self._ask("A number to go to it, Enter to go back, h to hand in: ")
            if line == "":
                return number, seat.tick()
            if line == "q":
                raise _LeaveError
            if line == "h":
                return number, self._hand_in(seat, seat.tick())
            if line.isdigit() and 1 <= int(line) <= len(seat.questions):
                return int(line) - 1, seat.tick()
            self._print(f"Type a number from 1 to {len(seat.questions)}, Enter or h.")

    def _hand_in(self, seat: Seat, standing: Standing) -> Standing:
        if standing.over:
            return standing
        open_ = sum(not _answered(question, standing) for question in seat.questions)
        if open_:
            self._print(f"{open_} without a whole answer. What is not answered counts as wrong.")
        if self._ask("Hand in now? y or n: ") in ("y", "yes"):
            return seat.finish()
        return seat.tick()

    def _result(self, seat: Seat) -> None:
        if seat.standing().left == 0:
            self._print("\nThe time is up: the exam was handed in.")
        self._title("Result")
        self._print(seat.score().text())
        chosen = seat.standing().chosen
        missed = [
            (number, question)
            for number, question in enumerate(seat.questions, start=1)
            if not is_right(question, _texts(question, chosen.get(question.id, ())))
        ]
        for number, question in missed:
            if self._ask(f"Enter for the reasons of question {number}, q to leave: ") == "q":
                return
            self._title(f"Question {number}")
            self._print(question.stem)
            self._reasons(question, chosen.get(question.id, ()))
            self._after(question, last=(number, question) == missed[-1])

    # --- showing

    def _question(self, question: Question, head: str, chosen: Sequence[int] = ()) -> None:
        self._print("")
        self._console.print(Text(head, style="bold"))
        self._print(question.stem)
        self._print("")
        for position, option in enumerate(question.presented):
            kept = "  [your choice]" if position in chosen else ""
            self._indented(f"{position + 1}  {option.text}{kept}")

    def _reasons(self, question: Question, chosen: Sequence[int]) -> None:
        self._print("")
        for position, option in enumerate(question.presented):
            verdict = "Right" if option.right else "Wrong"
            yours = ", and your choice" if position in chosen else ""
            self._indented(f"{position + 1}  {option.text}")
            style = "green" if option.right else "red" if position in chosen else ""
            line = Text.assemble((f"{verdict}{yours}. ", f"bold {style}".strip()), option.why)
            self._console.print(Padding(line, (0, 0, 0, 4), expand=False))
        if question.as_of_note:
            self._print(f"Older material: {question.as_of_note}")
        self._print(f"Source: {' '.join(question.sources)} As of {question.as_of}.")

    def _prove(self, question: Question) -> None:
        from kmscourse.exam.proofs import ProofError
        from kmscourse.exam.proving import prove

        self._print("Playing each option on a simulated AWS of its own ...")
        try:
            for played in prove(question):
                number = question.presented.index(played.option) + 1
                verdict = "holds" if played.outcome.holds else "fails"
                self._indented(f"{number}  {verdict}: {played.outcome.seen}")
        except ProofError as error:
            self._print(f"It could not be played to its end: {error}")

    def _say_verdict(self, right: bool) -> None:
        words, style = ("Right.", "bold green") if right else ("Not right yet.", "bold red")
        self._console.print(Text(words, style=style))

    def _title(self, words: str) -> None:
        self._print("")
        self._console.print(Text(words, style="bold underline"))

    def _indented(self, words: str) -> None:
        """A numbered line, whose further lines stand under its words."""
        width = max(40, self._console.width - 1)
        self._print(textwrap.fill(words, width, initial_indent=" ", subsequent_indent="    "))

    def _print(self, words: str) -> None:
        self._console.print(Text(words))

    # --- asking

    def _choose(self, asks: str, among: Sequence[str]) -> str:
        """One of several, by its number."""
        self._title(asks)
        for number, words in enumerate(among, start=1):
            self._indented(f"{number}  {words}")
        while True:
            line = self._ask("Number, or q to leave: ")
            if line == "q":
                raise _LeaveError
            if line.isdigit() and 1 <= int(line) <= len(among):
                return among[int(line) - 1]
            self._print(f"Type a number from 1 to {len(among)}.")

    def _ask(self, prompt: str) -> str:
        try:
            return self._input(prompt).strip().lower()
        except (EOFError, KeyboardInterrupt):
            raise _LeaveError from None

    def _typed(self, prompt: str) -> str:
        return self._console.input(Text(prompt))


def _numbers(line: str, most: int) -> tuple[int, ...]:
    """ "1 3", "1,3" or "13" as positions; nothing where anything else stands there."""
    if not re.fullmatch(r"[1-9][1-9, ]*", line):
        return ()
    numbers = {int(digit) for digit in re.findall(r"[1-9]", line)}
    return tuple(sorted(n - 1 for n in numbers)) if max(numbers) <= most else ()


def _texts(question: Question, positions: Sequence[int]) -> tuple[str, ...]:
    return tuple(question.presented[position].text for position in positions)


def _answered(question: Question, standing: Standing) -> bool:
    return len(standing.chosen.get(question.id, ())) == len(question.right)


def _first_open(seat: Seat, standing: Standing) -> int:
    open_ = [n for n, q in enumerate(seat.questions) if not _answered(q, standing)]
    return open_[0] if open_ else 0


def _head(seat: Seat, number: int, standing: Standing, *, hidden: bool) -> str:
    question = seat.questions[number]
    done = sum(_answered(each, standing) for each in seat.questions)
    parts = [f"Question {number + 1} of {len(seat.questions)}", f"{done} answered"]
    if standing.left is not None and not hidden:
        minutes, seconds = divmod(int(standing.left), 60)
        parts.append(f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left")
    if question.id in standing.flags:
        parts.append("flagged")
    return ", ".join(parts)
