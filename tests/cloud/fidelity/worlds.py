"""The two worlds that a behaviour is tried in: bare moto, and the simulated AWS of the course."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from kmscourse import cloud

#: One for all worlds: it reads the service models once.
_SESSION = boto3.Session()


@dataclass
class World:
    """A simulated AWS, of whichever make.

    Attributes:
        aws: the course's, or None for bare moto.
    """

    aws: cloud.Cloud | None
    _clients: dict[tuple[str, ...], Any] = field(default_factory=dict)

    def kms(self, region: str = "us-east-1", user: str = "learner") -> Any:
        """A KMS client of a user; moto does not tell users apart by what they may do with KMS."""
        return self.client("kms", region, user)

    def client(
        self, service: str, region: str = "us-east-1", user: str = "learner", *, tls: bool = True
    ) -> Any:
        """A client of a user."""
        wanted = (service, region, user, str(tls))
        if wanted not in self._clients:
            known, secret = self._credentials(user)
            self._clients[wanted] = _SESSION.client(
                service,  # type: ignore[call-overload]
                region_name=region,
                aws_access_key_id=known,
                aws_secret_access_key=secret,
                use_ssl=tls,
            )
        return self._clients[wanted]

    def session(self, credentials: dict[str, Any]) -> Any:
        """A boto3 session with credentials of STS."""
        return boto3.Session(
            credentials["AccessKeyId"],
            credentials["SecretAccessKey"],
            credentials["SessionToken"],
            region_name="us-east-1",
        )

    def through(self, url: str) -> Any:
        """The learner's KMS client with an endpoint of its own."""
        known, secret = self._credentials("learner")
        return _SESSION.client(
            "kms",
            region_name="us-east-1",
            aws_access_key_id=known,
            aws_secret_access_key=secret,
            endpoint_url=url,
        )

    def _credentials(self, user: str) -> tuple[str, str]:
        if self.aws is not None:
            made = self.aws.identity.user_or_role(self.aws.account_id, user)
            return made.access_key, made.secret_key
        if user == "learner":
            return "testing", "testing"
        iam = _SESSION.client("iam")
        iam.create_user(UserName=user)
        created = iam.create_access_key(UserName=user)["AccessKey"]
        return created["AccessKeyId"], created["SecretAccessKey"]

    def advance(self, days: float) -> None:
        """Let time pass; bare moto has no way to."""
        if self.aws is not None:
            self.aws.clock.advance(days=days)

    def key(self, **spec: Any) -> str:
        """A new key's id."""
        return str(self.kms().create_key(**spec)["KeyMetadata"]["KeyId"])

    def state(self, key: str) -> str:
        """A key's state."""
        return str(self.kms().describe_key(KeyId=key)["KeyMetadata"]["KeyState"])


def code(call: Any, *args: Any, **kwargs: Any) -> str:
    """The error code with which a call ends; "" where it succeeds."""
    try:
        call(*args, **kwargs)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@contextmanager
def bare_moto() -> Iterator[World]:
    """moto as it comes, with made-up credentials."""
    invented = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in invented}
    os.environ.update(invented)
    try:
        with mock_aws():
            yield World(None)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def ours() -> Iterator[World]:
    """The simulated AWS of the course."""
    with cloud.running() as aws:
        yield World(aws)
