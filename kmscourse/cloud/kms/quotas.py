"""Request quotas: how many requests a second each account may make in each Region.

Off by default. Source: AWS KMS Developer Guide, "Request quotas"; the numbers are in
`kmscourse.facts` (topic quotas).
"""

from __future__ import annotations

from datetime import datetime

from kmscourse import facts
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError

_SHARED = {
    "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateMac",
    "GenerateRandom", "ReEncrypt", "VerifyMac",
}  # fmt: skip


class Quotas:
    """Throttling, for whoever wants to see it.

        aws.quotas.on()                # AWS's own numbers
        aws.quotas.on(symmetric=5)     # or numbers that a loop in a notebook can reach
        aws.quotas.off()

    Above the rate KMS answers ThrottlingException, and boto3 tries again by itself, later and
    later. In a seeded cloud each request takes a second: give a rate below 1 to see it there.
    """

    def __init__(self) -> None:
        self._on = False
        self._own: dict[str, float] = {}
        self._left: dict[tuple[str, str, str], tuple[float, datetime]] = {}

    def on(self, **rates: float) -> None:
        """Throttle from now on.

        Args:
            rates: requests per second by operation (``CreateKey=1``), or ``symmetric`` for the
                quota that cryptographic operations with symmetric keys share.
        """
        self._on, self._own = True, dict(rates)
        self._left.clear()

    def off(self) -> None:
        """Throttle no more."""
        self._on = False

    def check(self, call: Call) -> None:
        """Let a request pass, or not.

        Raises:
            AWSError: ``ThrottlingException``, above the rate.
        """
        if not self._on:
            return
        name = "symmetric" if call.operation in _SHARED else call.operation
        rate = self._own.get(name)
        if rate is None:
            try:
                rate = float(facts.request_quota(name, call.region).value)
            except facts.FactError:
                return  # the facts have no number for this operation
        slot = (call.account, call.region, name)
        most = max(rate, 1.0)
        left, since = self._left.get(slot, (most, call.time))
        left = min(most, left + rate * (call.time - since).total_seconds())
        if left < 1:
            self._left[slot] = (left, call.time)
            raise AWSError(
                "ThrottlingException",
                "You have exceeded the rate at which you may call KMS. "
                "Reduce the frequency of your calls.",
            )
        self._left[slot] = (left - 1, call.time)
