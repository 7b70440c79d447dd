"""A simulated AWS for each test, and plain boto3 on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from kmscourse import cloud


@pytest.fixture
def aws() -> Iterator[cloud.Cloud]:
    """A simulated AWS, empty."""
    with cloud.running() as running:
        yield running


@pytest.fixture
def kms(aws: cloud.Cloud) -> Any:
    """The learner's plain KMS client."""
    return boto3.client("kms")


@pytest.fixture
def key_id(kms: Any) -> str:
    """A symmetric key with the default policy."""
    return str(kms.create_key()["KeyMetadata"]["KeyId"])


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    """The error code that AWS would have sent."""
    return str(error.value.response["Error"]["Code"])


def message_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    """The words that AWS would have sent."""
    return str(error.value.response["Error"]["Message"])
