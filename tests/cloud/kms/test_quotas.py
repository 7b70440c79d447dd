"""Throttling, and how boto3 deals with it by itself."""

from __future__ import annotations

from typing import Any

from botocore.config import Config

from kmscourse import cloud
from tests.cloud.kms.conftest import refused


def _client(aws: cloud.Cloud, attempts: int) -> Any:
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
    return aws.session("learner").client("kms", config=config)


def test_it_is_off_until_it_is_switched_on(aws: cloud.Cloud) -> None:
    kms = _client(aws, 1)
    for _ in range(8):
        kms.create_key()
    aws.quotas.on(CreateKey=2)
    kms.create_key()
    kms.create_key()
    message = refused("ThrottlingException", kms.create_key)
    assert "rate" in message
    aws.clock.advance(seconds=1)
    kms.create_key()
    aws.quotas.off()
    for _ in range(8):
        kms.create_key()


def test_cryptographic_operations_share_one_quota(aws: cloud.Cloud) -> None:
    kms = _client(aws, 1)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    aws.quotas.on(symmetric=2)
    kms.encrypt(KeyId=key, Plaintext=b"x")
    kms.generate_random(NumberOfBytes=8)
    refused("ThrottlingException", kms.generate_data_key, KeyId=key, KeySpec="AES_256")
    kms.describe_key(KeyId=key)


def test_boto3_tries_again_until_it_passes() -> None:
    """The clock of a seeded cloud moves one second with each request: so do its retries."""
    with cloud.running(seed="quotas") as aws:
        kms = _client(aws, 4)
        aws.quotas.on(CreateKey=0.5)
        kms.create_key()
        answer = kms.create_key()
        assert answer["ResponseMetadata"]["RetryAttempts"] >= 1
        assert aws.trail.events("CreateKey", error="ThrottlingException")
