"""What the tests of data at rest share: a bucket, a secret, and a search for it everywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.loaders
import moto.s3.models
import pytest

from kmscourse import cloud

SECRET = b"patient 4711: the plaintext that must lie nowhere"


#: Clients that were made once. The same seed gives the learner the same credentials each time,
#: so they work in every cloud of these tests; making them anew would take most of the time.
_CLIENTS: dict[str, Any] = {}


def learners(service: str) -> Any:
    """The learner's plain client of a service."""
    if service not in _CLIENTS:
        _CLIENTS[service] = boto3.client(service)
    return _CLIENTS[service]


#: Read once: each boto3 session would read the models of its services anew.
_LOADER = botocore.loaders.create_loader()


def client_of(session: boto3.Session, service: str) -> Any:
    """A client of a session, made faster than ``session.client`` makes it."""
    session._session.register_component("data_loader", _LOADER)
    return session.client(service)


@pytest.fixture
def aws() -> Iterator[cloud.Cloud]:
    """A simulated AWS, empty."""
    with cloud.running(seed="data at rest") as running:
        yield running


@pytest.fixture
def s3(aws: cloud.Cloud) -> Any:
    """The learner's plain S3 client."""
    return learners("s3")


@pytest.fixture
def kms(aws: cloud.Cloud) -> Any:
    """The learner's plain KMS client."""
    return learners("kms")


@pytest.fixture
def bucket(s3: Any) -> str:
    """A new bucket, as AWS makes them."""
    s3.create_bucket(Bucket="ward-records")
    return "ward-records"


@pytest.fixture
def key_arn(kms: Any) -> str:
    """A customer managed key."""
    return str(kms.create_key()["KeyMetadata"]["Arn"])


@pytest.fixture
def open_bucket(s3: Any, bucket: str) -> str:
    """A bucket that was told to allow SSE-C."""
    rule = {"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return bucket


def customer_key() -> dict[str, Any]:
    """The parameters of SSE-C, with a new key."""
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}


def everything_stored(aws: cloud.Cloud, *more: Any) -> Iterator[bytes]:
    """Every piece of text and bytes that the simulated AWS holds, moto's own state included.

    Args:
        more: what moto holds for services other than S3.
    """
    seen: set[int] = set()
    waiting: list[Any] = [aws, dict(moto.s3.models.s3_backends), vars(moto.s3.models), *more]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, type):
            continue
        seen.add(id(thing))
        if isinstance(thing, bytes | bytearray | memoryview):
            yield bytes(thing)
        elif isinstance(thing, str):
            yield thing.encode("utf-8", "surrogatepass")
        elif hasattr(thing, "seek") and hasattr(thing, "read") and not thing.closed:
            thing.seek(0)
            yield thing.read()
        elif isinstance(thing, dict):
            waiting += [*thing, *thing.values()]
        elif isinstance(thing, list | tuple | set | frozenset):
            waiting += thing
        elif type(thing).__module__.partition(".")[0] in ("kmscourse", "moto"):
            waiting += vars(thing).values() if hasattr(thing, "__dict__") else []
            slots = [s for each in type(thing).__mro__ for s in getattr(each, "__slots__", ())]
            waiting += [getattr(thing, slot, None) for slot in slots]
            if isinstance(thing, dict | list):
                waiting += thing.values() if isinstance(thing, dict) else thing
