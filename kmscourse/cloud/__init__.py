"""AWS on this machine: moto, completed, so that it behaves like the real one.

    >>> from kmscourse import cloud
    >>> aws = cloud.start()               # from now on boto3 talks to the simulated AWS only
    >>> import boto3
    >>> key_id = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
    >>> cloud.stop()

Policies are enforced, data at rest is ciphertext, every call is on the trail and on the bill.
Nothing leaves the machine and nothing costs money. See `Cloud` for what a simulated AWS offers
beyond boto3, and ``docs/fidelity.md`` for where it differs from the real one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kmscourse.cloud.errors import AWSError, OfflineError

if TYPE_CHECKING:
    from kmscourse.cloud.simulation import Account, Cloud

__all__ = ["AWSError", "Account", "Cloud", "OfflineError", "running", "start", "stop"]

_current: list[Cloud] = []


def start(*, seed: str | None = None, region: str = "us-east-1") -> Cloud:
    """Start a simulated AWS, empty; boto3 and everything built on it talks to it from now on.

    Starting again replaces the one that runs, so that a cell can be run twice.

    Args:
        seed: makes the simulator's ids, key material, nonces and clock the same in each run.
            It is the simulator that is seeded: your own random numbers stay random.
        region: the default Region.
    """
    stop()
    aws = _new(seed, region)
    aws.open()
    _current.append(aws)
    return aws


def stop() -> None:
    """End the simulated AWS that `start` began. Does nothing where none runs."""
    if _current:
        _current.pop().close()


@contextmanager
def running(*, seed: str | None = None, region: str = "us-east-1") -> Iterator[Cloud]:
    """A simulated AWS for the length of a ``with`` block.

    Everything is put back on exit: the environment, boto3's default session, and a simulated
    AWS that was running before, with all it held.
    """
    aws = _new(seed, region)
    aws.open()
    try:
        yield aws
    finally:
        aws.close()


def _new(seed: str | None, region: str) -> Cloud:
    # moto and boto3 are loaded here, so that `kmscourse.cloud.authorization` needs neither.
    from kmscourse.cloud.simulation import Cloud

    return Cloud(seed=seed, region=region)


def __getattr__(name: str) -> Any:
    if name in ("Account", "Cloud"):
        from kmscourse.cloud import simulation

        return getattr(simulation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
