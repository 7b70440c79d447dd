'''The labs: tasks, checks, hints and progress.

What a learner writes in a notebook:

    from kmscourse import lab

    lab.begin("05-envelopes")   # the tasks, with minutes and what is done
    lab.check("seal")           # Not attempted yet / Not there yet: ... / Done: ...;
                                # Done before, where the kernel was restarted since
    lab.check()                 # all tasks
    lab.hint("seal")            # the next hint; lab.hint("seal", 2) a given one
    lab.solution("seal")        # after an attempt, or the last hint
    lab.progress()              # all lessons

None of these raises into the notebook.

What a lesson's author writes
-----------------------------
Two files. `lessons/<name>/lab.py` has the cells; a task's cell holds its solution between markers
(`kmscourse.lab.cells` cuts it):

    # %%
    from kmscourse import cloud, lab

    aws = cloud.start(seed="05-envelopes")
    kms = aws.session("nurse").client("kms")
    lab.begin("05-envelopes")

    # %% task="seal"
    def seal(kms, key_id, record):
        """Seal the record: give back a dict with the wrapped key, the nonce and the ciphertext."""
        # begin solution
        answer = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
        nonce = os.urandom(12)
        sealed = AESGCM(answer["Plaintext"]).encrypt(nonce, record, None)
        return {"key": answer["CiphertextBlob"], "nonce": nonce, "ciphertext": sealed}
        # end solution

    # %%
    lab.check("seal")

`lessons/<name>/checks.py` has the tasks, in the order of the lab:

    import boto3
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from kmscourse.lab import Work, Wrong, flipped, task

    RECORD = b"blood group 0 negative"


    @task(
        "seal",
        minutes=4,
        asks="seal(kms, key_id, record) -> dict",  # its first word is the name to define
        hints=[
            "Which call gives you one key in two forms?",
            "Encrypt with the plaintext form; keep the other.",
            "generate_data_key(KeyId=..., KeySpec='AES_256'), then AESGCM(Plaintext).encrypt(...)",
        ],
        why="Only the wrapped key is stored, so whoever takes the record must still ask KMS.",
        wrong=[
            Wrong(
                """
                def seal(kms, key_id, record):
                    answer = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
                    return {"key": answer["Plaintext"], "nonce": b"", "ciphertext": record}
                """,
                says="the record itself can be read in what you return",
            ),
        ],
        also_right=["""..."""],  # other correct answers: each the code of a whole cell
    )
    def seal(work: Work) -> None:
        kms, key_id = boto3.client("kms"), work.value("key_id", str)
        seal = work.function("seal", returns=dict)
        envelope = seal(kms, key_id, RECORD)             # under a deadline, told kindly
        work.expect(not work.holds(envelope, RECORD),
                    "the record itself can be read in what you return.")
        with work.or_say("The stored key does not open in KMS."):
            key = kms.decrypt(CiphertextBlob=envelope["key"])["Plaintext"]
        with work.or_say("The ciphertext does not open with the unwrapped key."):
            opened = AESGCM(key).decrypt(envelope["nonce"], envelope["ciphertext"], None)
        work.expect(opened == RECORD, "What comes out is not what went in.")

How a check asks: `work.value(name, kind)`, `work.function(name, returns=kind)`,
`work.call(fn, *args)`, `work.refuses(fn, *args, says=..., error=...)`, `work.expect(condition,
message)`, `work.fail(message)`, `with work.or_say(message)`, `work.holds(value, secret)`,
`work.shown(value)`; `flipped(data, at)` changes one bit. See `kmscourse.lab.work.Work`.

Rules for checks.
- Ask for properties, not for values: any correct way must pass.
- A check may run many times, in any order with others; it leaves the learner's objects as they
  were (give copies of what a function could change).
- Import at the top of checks.py what the check needs (`boto3`, `AESGCM`): what is bound there is
  the real thing, even where a learner has patched the module since.
- `says` of a wrong answer is a phrase of its message that no other wrong answer of the task gets.
- A value to fill in instead of a function: `asks="answer: str"`, and in the cell
  `# begin solution`, `# stub: answer = ...`, `answer = "..."`, `# end solution`.
- A task counts as not attempted while each name it asks for is missing, is `...`, or is still what
  the stub made it.

The contract (`kmscourse.lab.contract`) is tested for every task of every lesson: untouched it says
"not attempted"; each wrong answer gets its own message; each of `also_right` and the solution pass.
'''

from __future__ import annotations

import sys
from typing import Any

from kmscourse.lab.panels import Notice, Panel, Report, State
from kmscourse.lab.record import Progress, TaskProgress, read_progress, reset
from kmscourse.lab.session import Session, standings
from kmscourse.lab.tasks import Task, TaskError, Wrong, task
from kmscourse.lab.work import Work, flipped

__all__ = [
    "Notice",
    "Panel",
    "Progress",
    "Report",
    "State",
    "Task",
    "TaskError",
    "TaskProgress",
    "Work",
    "Wrong",
    "begin",
    "check",
    "flipped",
    "hint",
    "progress",
    "read_progress",
    "reset",
    "solution",
    "task",
]

_session: Session | None = None

_BEGIN_FIRST = (
    "No lab has begun in this notebook yet. First run the cell with `lab.begin(...)`, near the top."
)


def begin(lesson: str) -> Panel:
    """Begin a lab, or go on with it: gives its tasks, with minutes and what is done."""
    global _session
    from kmscourse import course

    names = _learners_names(sys._getframe(1).f_globals)
    try:
        found = course.lesson(lesson)
        if not found.has_lab or not found.checks.is_file():
            return Notice(f"{found.name} has no lab: its notebook is all there is.")
        session = Session(found, names, before=_session)
        _session = session
        return session.begin()
    except course.CourseError as error:
        return Notice(str(error))
    except Exception as error:
        return Notice(_broken(error))


def check(task: Any = None) -> Panel:
    """Check one task, or all of them. Gives a report with `.state`; it never raises."""
    return _asked(lambda session: session.check(task))


def hint(task: Any = None, number: int | None = None) -> Panel:
    """The next hint of a task, or the one with this number, from 1."""
    return _asked(lambda session: session.hint(task, number))


def solution(task: Any = None) -> Panel:
    """One answer to a task, once it has been attempted."""
    return _asked(lambda session: session.solution(task))


def progress() -> Panel:
    """How far you have come, in all lessons."""
    from kmscourse import course

    try:
        known = {_session.lesson.name: _session} if _session else {}
        return standings(read_progress(), known)
    except course.CourseError as error:
        return Notice(str(error))
    except Exception as error:
        return Notice(_broken(error))


def _asked(what: Any) -> Panel:
    session = _session
    if session is None:
        return Notice(_BEGIN_FIRST)
    session.pristine.put_back()  # first of all: nothing else could be relied on
    try:
        answer: Panel = what(session)
        return answer
    except BaseException as error:
        return Notice(_broken(error))
    finally:
        session.pristine.leave()


def _broken(error: BaseException) -> str:
    return (
        f"The lab itself met a problem ({type(error).__name__}: {str(error)[:300]}). That is no "
        "fault of your work. Restart the kernel and run the cells again; if it stays, run "
        "`course doctor` in a terminal."
    )


def _learners_names(fallback: dict[str, Any]) -> dict[str, Any]:
    """The notebook's names: IPython's where there is one, else those of whoever called."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    names = getattr(shell, "user_ns", None)
    return names if isinstance(names, dict) else fallback
