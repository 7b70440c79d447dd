"""What the tests of KMS share: RSA keys that are made once, and a table of the key states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa

from kmscourse import cloud
from kmscourse.cloud.kms import key_pairs
from tests.cloud.kms.key_states import CELLS, STATES

_make = key_pairs.make
_clients: WeakKeyDictionary[cloud.Cloud, dict[tuple[str, str], Any]] = WeakKeyDictionary()


@cache
def _rsa(bits: int, number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@pytest.fixture(autouse=True)
def few_rsa_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """RSA keys take long to make: two of each size serve all tests, in turn."""
    made = iter(range(1_000_000))

    def make(spec: str, secret: bytes) -> Any:
        if spec in key_pairs.specs.RSA_BITS:
            return _rsa(key_pairs.specs.RSA_BITS[spec], next(made) % 2)
        return _make(spec, secret)

    monkeypatch.setattr(key_pairs, "make", make)


@pytest.fixture(scope="module")
def world() -> Iterator[cloud.Cloud]:
    """One simulated AWS for the tests of a module that keep out of each other's way."""
    with cloud.running() as running:
        yield running


def client(aws: cloud.Cloud, region: str = "us-east-1", who: str = "learner") -> Any:
    """A KMS client of a user of the default account, one for all who ask."""
    made = _clients.setdefault(aws, {})
    if (region, who) not in made:
        made[region, who] = aws.session(who, region=region).client("kms")
    return made[region, who]


def refused(code: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """Expect an error; returns its message."""
    with pytest.raises(ClientError) as error:
        call(*args, **kwargs)
    found = error.value.response["Error"]
    assert found["Code"] == code, found
    return str(found["Message"])


def hold_work(aws: cloud.Cloud, **time: float) -> None:
    """Let KMS take its time for what it does in the background."""
    aws.gateway.kms.background = timedelta(**time)


@pytest.fixture
def kms_eu(aws: cloud.Cloud) -> Any:
    """The learner's KMS client in another Region."""
    return boto3.client("kms", region_name="eu-west-1")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The cells that were tried, as AWS's page shows them: one row for each operation."""
    seen: dict[tuple[str, str], str] = {}
    for outcome, sign in (("passed", "."), ("failed", "F")):
        for report in terminalreporter.getreports(outcome):
            if "test_key_states.py::test_cell[" in report.nodeid:
                operation, state = report.nodeid.partition("[")[2].rstrip("]").split("-")
                seen[operation, state] = sign
    if not seen:
        return
    good = sum(sign == "." for sign in seen.values())
    terminalreporter.write_sep("-", f"key states: {good} of {len(CELLS)} cells as AWS documents")
    terminalreporter.write_line(" " * 36 + " ".join(f"{state[:11]:11}" for state in STATES))
    for operation in dict.fromkeys(operation for operation, _ in CELLS):
        signs = (seen.get((operation, state), "-") for state in STATES)
        terminalreporter.write_line(f"{operation:36}" + " ".join(f"{sign:11}" for sign in signs))
