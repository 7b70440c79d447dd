"""Who can read it, where? Real attempts to read a record, and what each one got.

    >>> from kmscourse import attempts
    >>> made = attempts.by_everyone(b'{"patient": "4711", "diagnosis": "type 2 diabetes"}')
    >>> sorted({attempt.who for attempt in made if attempt.reads and not attempt.measures})[0]
    'Cloud operator'

An `Attempt` never says by itself whether it succeeded: the record is looked for in what was seen.
"""

from __future__ import annotations

from kmscourse.attempts.attempt import Attempt, Measure, attempt
from kmscourse.attempts.clinic import AT_REST, IN_FLIGHT, MEASURES, ON_THE_CLIENT, by_everyone

__all__ = [
    "AT_REST",
    "IN_FLIGHT",
    "MEASURES",
    "ON_THE_CLIENT",
    "Attempt",
    "Measure",
    "attempt",
    "by_everyone",
]
