"""The bill: quantities from calls that were made, prices from the facts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kmscourse import cloud, facts


def test_a_key_costs_its_monthly_price_over_simulated_time(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    aws.clock.advance(hours=730)
    (keys, *_) = aws.meter.bill()
    assert round(keys.amount, 2) == facts.price("kms.key.month").value
    assert "PRI-01" in keys.source


def test_a_key_scheduled_for_deletion_is_no_longer_billed(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    aws.clock.advance(days=10)
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    before = aws.meter.bill().total
    aws.clock.advance(days=300)
    assert aws.meter.bill().total == before


def test_requests_are_counted_and_the_free_tier_is_taken_off(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    for _ in range(9):
        kms.encrypt(KeyId=key_id, Plaintext=b"x")
    assert aws.meter.requests() == 10
    bill = aws.meter.bill()
    requests, free = (line for line in bill if "requests" in line.item)
    assert requests.quantity == 10
    assert requests.amount == facts.price("kms.request.symmetric").cost(10)
    assert requests.amount + free.amount == Decimal(0)
    assert repr(bill).splitlines()[-1].startswith("Total")
