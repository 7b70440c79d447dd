"""The bill: quantities from calls that were made, prices from the facts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import boto3

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


def test_a_secret_costs_by_the_hour_until_it_is_marked_for_deletion(aws: cloud.Cloud) -> None:
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name="ward/db", SecretString="x")
    secrets.replicate_secret_to_regions(
        SecretId="ward/db", AddReplicaRegions=[{"Region": "eu-west-1"}]
    )
    aws.clock.advance(hours=730)
    assert months(aws, "secretsmanager.secret.month") == 2  # a replica is a secret
    secrets.remove_regions_from_replication(SecretId="ward/db", RemoveReplicaRegions=["eu-west-1"])
    secrets.delete_secret(SecretId="ward/db")
    aws.clock.advance(hours=100)
    assert months(aws, "secretsmanager.secret.month") == 2
    secrets.restore_secret(SecretId="ward/db")
    aws.clock.advance(hours=730)
    assert months(aws, "secretsmanager.secret.month") == 3
    calls = aws.meter.usage().quantities["secretsmanager.request"]
    assert calls == len([e for e in aws.trail.events() if "secretsm" in e["eventSource"]]) == 5
    bill = {line.item: line for line in aws.meter.bill()}
    assert round(bill["Secrets Manager secrets"].amount, 2) == Decimal("1.20")
    assert "PRI-12" in bill["Secrets Manager secrets"].source
    assert bill["Secrets Manager API calls"].amount == facts.price("secretsmanager.request").cost(5)


def test_secrets_under_the_aws_managed_key_cost_requests_but_no_key(aws: cloud.Cloud) -> None:
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name="ward/db", SecretString="x")
    before = aws.meter.requests()
    secrets.get_secret_value(SecretId="ward/db")
    assert aws.meter.requests() == before + 1
    aws.clock.advance(hours=730)
    assert "kms.key.month" not in aws.meter.usage().quantities


def test_standard_parameters_are_free_and_advanced_ones_are_not(aws: cloud.Cloud) -> None:
    ssm = boto3.client("ssm")
    for tier in ("Standard", "Advanced"):
        ssm.put_parameter(Name=f"/ward/{tier}", Value="x", Type="SecureString", Tier=tier)
    ssm.get_parameters(Names=["/ward/Standard", "/ward/Advanced"])
    ssm.get_parameters_by_path(Path="/ward")
    arn = ssm.get_parameter(Name="/ward/Advanced")["Parameter"]["ARN"]
    ssm.get_parameter(Name=f"{arn}:1")
    ssm.get_parameter(Name="/ward/Standard")
    aws.clock.advance(hours=730)
    ssm.delete_parameters(Names=["/ward/Standard", "/ward/Advanced"])
    aws.clock.advance(hours=730)
    assert months(aws, "ssm.advanced-parameter.month") == 1
    # put, get twice among others, get twice alone, deleted
    assert aws.meter.usage().quantities["ssm.advanced-parameter.interaction"] == 6
    line = next(line for line in aws.meter.bill() if line.item == "SSM advanced parameters")
    assert "from memory" in line.source, "a price that is not sourced says so on the bill"


def test_each_account_pays_for_its_own(aws: cloud.Cloud) -> None:
    other = aws.account("222222222222")
    for session in (boto3, other.session("root")):
        session.client("secretsmanager").create_secret(Name="db", SecretString="x")
    aws.clock.advance(hours=730)
    whole, part = (aws.meter.usage(who).quantities for who in (None, other.id))
    assert round(whole["secretsmanager.secret.month"] / part["secretsmanager.secret.month"]) == 2
    assert part["secretsmanager.request"] == 1


def months(aws: cloud.Cloud, price: str) -> Decimal:
    """How many months of something there were, rounded: the clock runs while a test does."""
    return round(Decimal(aws.meter.usage().quantities[price]), 2)
