"""The agendas of `lessons/workshop.yaml`, with clock times, and the page for instructors.

Minutes of lessons and labs come from `lessons/index.yaml`. They are those of one learner; where a
room needs others, because it talks, waits for its last table or leaves parts out, the agenda says
so. What else a day needs is written down in it, too. Times follow from the minutes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kmscourse.course import CourseError, Lesson

FILE = Path("lessons") / "workshop.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(_Strict):
    """One thing on an agenda: a lesson, a lab, or something other, which has to say its minutes."""

    lesson: str | None = None
    lab: str | None = None
    other: str | None = None
    minutes: Annotated[int, Field(gt=0)] | None = None
    say: str = ""

    @model_validator(mode="after")
    def _one_of_three(self) -> Part:
        if sum(each is not None for each in (self.lesson, self.lab, self.other)) != 1:
            raise ValueError("name a lesson, a lab or something other, and only one of them")
        if self.other is not None and self.minutes is None:
            raise ValueError("something other has to say its minutes")
        return self


class Day(_Strict):
    """One day: when it begins and when it has to be over."""

    begins: Annotated[str, Field(pattern=r"^\d\d:\d\d$")]
    ends: Annotated[str, Field(pattern=r"^\d\d:\d\d$")]
    parts: tuple[Part, ...]


class Agenda(_Strict):
    """A workshop: for whom it is, and its days."""

    name: str
    about: str
    days: tuple[Day, ...]


class _Workshops(_Strict):
    agendas: tuple[Agenda, ...]


@dataclass(frozen=True)
class Slot:
    """A part of a day with its times."""

    begins: datetime
    minutes: int
    what: str
    say: str
    alone: int | None = None  # the minutes of one learner, where a room takes others

    @property
    def ends(self) -> datetime:
        return self.begins + timedelta(minutes=self.minutes)


def agendas(home: Path) -> tuple[Agenda, ...]:
    """The agendas of the course. Raises CourseError with what is wrong with the file."""
    path = home / FILE
    try:
        return _Workshops.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).agendas
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise CourseError(f"{path} cannot be used: {error}") from error


def slots(day: Day, lessons: Sequence[Lesson]) -> list[Slot]:
    """The parts of a day with their times.

    Raises CourseError where a lesson is unknown or the minutes do not add up to the day.
    """
    by_name = {lesson.name: lesson for lesson in lessons}
    now, found = _clock(day.begins), []
    for part in day.parts:
        minutes, what = _minutes(part, by_name)
        room = part.minutes or minutes
        found.append(Slot(now, room, what, part.say, minutes if room != minutes else None))
        now = found[-1].ends
    if now != _clock(day.ends):
        raise CourseError(
            f"{FILE.as_posix()}: the day that begins at {day.begins} has parts until {now:%H:%M}, "
            f"but is to end at {day.ends}."
        )
    return found


def page(home: Path, lessons: Sequence[Lesson]) -> str:
    """The page for instructors: set-up, agendas, and what each lesson's `teaching.md` says."""
    lines = [
        "<!-- Made by `make workshop` from lessons/. -->",
        "",
        _BEFORE.strip(),
        "",
        _LONGER.strip(),
        "",
        "## Agendas",
        "",
        _MINUTES.strip(),
    ]
    for agenda in agendas(home):
        lines += ["", f"### {agenda.name}", "", agenda.about]
        for number, day in enumerate(agenda.days, start=1):
            lines += ["", f"Day {number}:" if len(agenda.days) > 1 else "", ""]
            lines += ["| From | To | Minutes | What |", "|---|---|---|---|"]
            lines += [
                f"| {slot.begins:%H:%M} | {slot.ends:%H:%M} | {_length(slot)} | {_what(slot)} |"
                for slot in slots(day, lessons)
            ]
    lines += ["", "## Lesson by lesson", "", _LESSONS.strip()]
    for lesson in lessons:
        lines += ["", f"### {lesson.number} · {lesson.title}", ""]
        lines += [f"Minutes and parts: [teaching.md](../lessons/{lesson.name}/teaching.md)."]
        for heading in ("What goes wrong", "Ask the room", "If time is short"):
            told = section(lesson.teaching, heading)
            if told:
                lines += ["", f"**{heading}**", "", told]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def section(teaching: Path, heading: str) -> str:
    """What stands under a heading of a lesson's `teaching.md`; "" where there is none."""
    text = teaching.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return found[1].strip() if found else ""


def _minutes(part: Part, by_name: dict[str, Lesson]) -> tuple[int, str]:
    if part.other is not None:
        assert part.minutes is not None
        return part.minutes, part.other
    name = part.lesson or part.lab or ""
    if name not in by_name:
        raise CourseError(f"{FILE.as_posix()} names {name!r}, which is no lesson.")
    lesson = by_name[name]
    if part.lesson:
        return lesson.minutes.lesson, f"Lesson {lesson.number}: {lesson.title}"
    return lesson.minutes.lab, f"Lab {lesson.number}"


def _length(slot: Slot) -> str:
    return f"{slot.minutes} ({slot.alone})" if slot.alone else f"{slot.minutes}"


def _what(slot: Slot) -> str:
    if not slot.say:
        return slot.what
    return f"{slot.what}{'' if slot.what.endswith('?') else '.'} {slot.say}"


def _clock(time: str) -> datetime:
    return datetime.strptime(time, "%H:%M")


_BEFORE = """
# Workshops

For someone with a room full of people and no AWS account. Everyone works on their own machine,
offline; all have the same ids and the same bill.

## A week before

1. Send the address of the repository and ask everyone to run `make lab` once, with a network. It
   takes a few minutes the first time and seconds afterwards.
2. Ask them to run `course doctor` in its terminal (*File, New, Terminal*) and to send you what does
   not say *well*. Each finding names one thing to do.
3. Have the repository on a memory stick, with `.venv` and `.uv` of a machine of the same kind, for
   those who come unprepared.

## In the morning

1. `git pull && make lab` on your own machine, then `course doctor`: the pre-flight check.
2. `course slides 08` writes the slides of a lesson as one file that needs no network. Arrow keys
   move; `f` fills the screen; `o` shows all.
3. Make a folder that everyone can write to, or plan to collect files by chat. Whenever you want to
   know where the room is, have everyone type `course progress --export progress.json` in a terminal
   (or the shared folder in place of the file), put the files into the folder and run
   `course room FOLDER`. The page names no people; it shows which task of the lab that you are in
   holds the room up. For thirty people that is three minutes from asking to looking, and the first
   time five: ask before you need it.

## What goes wrong in every room

| You see | Because | Do |
|---|---|---|
| `make lab` cannot download | A proxy, or no network | `course doctor` says which |
| A cell says `NameError` | The kernel was restarted | *Run, Run All Above Selected Cell* |
| Two tabs have one name | A lab is called like its lesson | The lesson is marked *read-only* |
| `course lab` opens nothing | It found no browser | Open the address that it prints |
| *Settings, Theme* changes nothing | It followed the system until now | Choose once more |
| The list on the left has no lessons | It shows `my-work/` | Its folder sign, then `notebooks` |
| Someone is far ahead | They know AWS | Ask them for a second right answer to the lab's last task |
| Someone edits a lesson | Lessons are read-only | *File, Save Notebook As*, into `my-work/` |
| Results differ from yours | A policy was changed | *Kernel, Restart and Run up to Selected Cell* |
| "Is this what AWS does?" | A fair question | Look it up in [fidelity](fidelity.md) together |
"""

_LONGER = """
## What takes longer than it looks

*Half a day*, and *Two hours* with it, has been walked with a clock: every cell run in JupyterLab,
every lab typed, with a wrong answer or two for each task, every question of `teaching.md` put. Code
was given the time of 40 words a minute to type and three seconds a line to read, prose that of 180
words a minute. It was a walk, not a room: hands, questions and the last table have the
minutes below, which thirty people may not keep. Your clock is better than ours.

| What | Minutes | So |
|---|---|---|
| A prediction with hands up | 1 | Lesson 08 has 17 of them. In writing it is 2: do that once |
| A question to the room | 1½ | Two a part are many |
| From a notebook to its lab, or back | 1 | Have them close the tab that they leave |
| A view that everyone changes something in | 2 | Show it once on the projector first |
| The last table of a lab | 2 to 3 | Go on; the check waits until the evening |
| The three roles of lesson 13 | 4 | Explain them before anybody opens the lab |
| The last task of lab 08 | 15 | Leave it for the evening |
| The room's page, from asking to looking | 3 | Five, the first time |
| The machine | 6 in all | A notebook opens in ten seconds, and its first cell takes ten |
"""

_MINUTES = """
A lesson and a lab have the minutes of `lessons/index.yaml`, which are those of one learner. Where a
room takes others, those of one learner stand in brackets. A test adds them up.
"""

_LESSONS = """
What goes wrong and what to ask; each lesson's `teaching.md` also splits its minutes.
"""
