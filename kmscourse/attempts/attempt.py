"""One attempt to read a record: what was tried, and what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.exceptions import ClientError

See = Callable[[bytes], None]
"""Called with whatever comes before the eyes of whoever tries."""


class Trail(Protocol):
    """What CloudTrail recorded: `aws.trail`."""

    def events(self, *, after: int = 0) -> Iterable[Mapping[str, Any]]:
        """The records, without the first `after`."""

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that can be done to protect a record.

    Attributes:
        name: in two or three words, such as "In flight".
        how: what it is here, such as "TLS from the browser to the server".
    """

    name: str
    how: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt to read a record.

    Attributes:
        who: who tried.
        where: where the record was reached for.
        measures: what protected it, all of it; nothing if empty.
        tried: what was done, in one sentence.
        secret: the record that was looked for.
        seen: every byte that was seen.
        error: what refused, with its words; empty where nothing did.
        trail: the calls that CloudTrail recorded meanwhile, a line each.
    """

    who: str
    where: str
    measures: tuple[Measure, ...]
    tried: str
    secret: bytes = field(repr=False)
    seen: bytes = field(repr=False)
    error: str = ""
    trail: tuple[str, ...] = ()

    @property
    def reads(self) -> bool:
        """Whether the record was among what was seen."""
        return self.secret in self.seen


def attempt(
    look: Callable[[See], None],
    *,
    who: str,
    where: str,
    tried: str,
    secret: bytes,
    measures: Iterable[Measure] = (),
    trail: Trail | None = None,
) -> Attempt:
    """Let somebody try, and keep what was seen and who refused.

    Args:
        look: what is tried; it calls its argument with all that it gets to see.
        who, where, tried, secret, measures: see `Attempt`.
        trail: where the calls are recorded that it makes.

    Raises:
        ValueError: for an empty secret, which would be found everywhere.
    """
    if not secret:
        raise ValueError("There is no record to look for: give `secret` some bytes.")
    before = len(trail) if trail is not None else 0
    seen: list[bytes] = []
    error = ""
    try:
        look(seen.append)
    except ClientError as refused:
        error = str(refused)
    except Exception as refused:  # whatever refuses is the answer
        error = f"{type(refused).__name__}: {refused}" if str(refused) else type(refused).__name__
    events = trail.events(after=before) if trail is not None else ()
    # A line between two sights, so that nothing is found that was never seen in one piece.
    return Attempt(
        who=who,
        where=where,
        measures=tuple(measures),
        tried=tried,
        secret=secret,
        seen=b"\n".join(seen),
        error=error,
        trail=tuple(_line(event) for event in events),
    )


def _line(event: Mapping[str, Any]) -> str:
    """A record of the trail, in one line."""
    identity = event["userIdentity"]
    who = identity.get("userName") or identity.get("arn") or identity.get("invokedBy", "")
    service = event["eventSource"].partition(".")[0]
    through = event["userIdentity"].get("invokedBy")
    line = f"{service}:{event['eventName']} by {who}"
    if through and through != who:
        line += f" through {through}"
    return f"{line}: {event.get('errorCode', 'allowed')}"
