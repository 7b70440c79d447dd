"""A night at the clinic: somebody read records, and at three the alarm went off.

    night = incident.begin("monday")    # one word, one leak; the same word, the same night
    print(night)                        # what the alarm says
    night.aws                           # the simulated AWS, as it is at three

What happened stands in the trail and in the policies; nothing else tells it. Lesson 13 and its lab
play in such a night, and a workshop plays another by another word.

clinic.py   who works there and who may what, on purpose
leaks.py    the ways in which somebody else was let in
night.py    what happened until the alarm; the night put back to three o'clock; replays
"""

from kmscourse.incident.clinic import Clinic, Documents
from kmscourse.incident.leaks import LEAKS, Leak
from kmscourse.incident.night import Night, begin

__all__ = ["LEAKS", "Clinic", "Documents", "Leak", "Night", "begin"]
