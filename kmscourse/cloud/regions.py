"""Regions that stop answering: a failure of a whole Region, switched on and off by a learner.

In a Region that is switched off no request is answered: not carried out, not on the trail, not on
the bill. Source: AWS General Reference, common errors, ``ServiceUnavailable``; from a
Region in trouble a client may as well get no answer at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError

#: One for all Regions: these go on while any Region fails.
_GLOBAL = frozenset({"iam", "organizations"})
_NAME = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A call that nobody answered, as the client sent it. No trail has it.

    Attributes:
        position: how many events the trail had then.
    """

    time: datetime
    region: str
    service: str
    operation: str
    who: str
    position: int


class Regions:
    """The Regions that are switched off, and the calls that they left unanswered.

    ``aws.regions.off("us-east-1")``, ``aws.regions.on("us-east-1")``.
    """

    def __init__(self) -> None:
        self._off: set[str] = set()
        self.unanswered: list[Unanswered] = []

    @property
    def down(self) -> frozenset[str]:
        """The Regions that are switched off."""
        return frozenset(self._off)

    def off(self, region: str) -> None:
        """From now on the Region answers nothing.

        Raises:
            ValueError: for what is no name of a Region.
        """
        if not (isinstance(region, str) and _NAME.fullmatch(region)):
            raise ValueError(f"A Region is named like 'us-east-1', not {region!r}.")
        self._off.add(region)

    def on(self, region: str) -> None:
        """The Region answers again. What it held is still there."""
        self._off.discard(region)

    def check(self, call: Call, position: int) -> None:
        """Refuse a call to a Region that is switched off.

        Args:
            position: how many events the trail has.

        Raises:
            AWSError: ``ServiceUnavailable``, HTTP status 503.
        """
        if call.region not in self._off or call.service in _GLOBAL:
            return
        who = call.caller.arn.rpartition("/")[2] if call.caller is not None else ""
        self.unanswered.append(
            Unanswered(call.time, call.region, call.service, call.operation, who, position)
        )
        raise AWSError(
            "ServiceUnavailable",
            "The request has failed due to a temporary failure of the server.",
            503,
        )

    def __repr__(self) -> str:
        return f"<Regions switched off: {', '.join(sorted(self._off)) or 'none'}>"
