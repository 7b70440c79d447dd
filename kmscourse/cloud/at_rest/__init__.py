"""Data at rest: what the services around KMS add to moto's answers. One part a service.

A service is loaded when it is first called: with moto's part of it that takes up to half a second,
and most notebooks need two or three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from kmscourse.cloud.call import Call
from kmscourse.cloud.meter import Standing
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.protocol import Response
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.at_rest.ebs import EBS
    from kmscourse.cloud.at_rest.rds import RDS
    from kmscourse.cloud.at_rest.s3 import S3
    from kmscourse.cloud.gateway import Gateway

#: The module and the class of each service, by its name in botocore.
_PARTS = {
    "ec2": ("ebs", "EBS"),
    "rds": ("rds", "RDS"),
    "s3": ("s3", "S3"),
    "ssm": ("ssm", "ParameterStore"),
    "secretsmanager": ("secretsmanager", "SecretsManager"),
    "dynamodb": ("dynamodb", "DynamoDB"),
}

#: Services whose disks are another's.
_DISKS = {"ebs": "ec2"}


class Service(Protocol):
    """A service that moto answers, and that is completed here."""

    def open(self) -> None:
        """Called when the service is first needed, before moto's part of it is asked."""

    def close(self) -> None:
        """Called when the simulated AWS has stopped: leave moto as it was."""

    def needs(self, call: Call) -> list[Permission]:
        """The permissions that a call needs."""

    def perform(
        self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]
    ) -> dict[str, Any] | Response:
        """Carry out a call that was found to be allowed."""

    @property
    def stored(self) -> Callable[..., Any]:
        """What lies on the service's disk: each service has addresses of its own."""


@runtime_checkable
class ByTheHour(Protocol):
    """A service in which something is paid for while it stands."""

    def standing(self) -> Iterable[Standing]:
        """What stands there now, in all accounts and Regions."""


class AtRest:
    """The services around KMS, of one simulated AWS."""

    def __init__(self, random: Randomness) -> None:
        self._random = random
        self._services: dict[str, Service] = {}

    @property
    def ebs(self) -> EBS:
        """Amazon EBS."""
        return cast("EBS", self._service("ec2"))

    @property
    def rds(self) -> RDS:
        """Amazon RDS and Aurora."""
        return cast("RDS", self._service("rds"))

    def close(self) -> None:
        """Leave moto as it was found."""
        for service in reversed(list(self._services.values())):
            service.close()
        self._services.clear()

    def catch_up(self, gateway: Gateway) -> None:
        """Let happen what has fallen due: the replication of S3 objects."""
        if "s3" in self._services:
            cast("S3", self._services["s3"]).catch_up(gateway)

    def needs(self, call: Call) -> list[Permission]:
        """The permissions a call to a service needs; none for services not decided about yet."""
        service = self._service(call.service)
        return service.needs(call) if service else []

    def perform(
        self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]
    ) -> dict[str, Any] | Response:
        """Let moto answer, and do what moto leaves out."""
        service = self._service(call.service)
        return service.perform(gateway, call, ask_moto) if service else ask_moto()

    def standing(self, service: str) -> Iterable[Standing]:
        """What stands in a service and is paid for by the hour; for some there is nothing."""
        found = self._services.get(service)
        return found.standing() if isinstance(found, ByTheHour) else ()

    def stored(self, service: str, *where: str, **named: Any) -> Any:
        """What lies on the disk of a service.

        Raises:
            ValueError: for a service whose disk cannot be shown, with those that can.
        """
        found = self._service(_DISKS.get(service, service))
        if found is None:
            raise ValueError(f"Whose disk? One of: {', '.join(_PARTS)}; not {service!r}.")
        return found.stored(*where, **named)

    def _service(self, name: str) -> Service | None:
        """A service by its name in botocore, open; None for one that moto answers alone."""
        if name not in self._services:
            if name not in _PARTS:
                return None
            module, part = _PARTS[name]
            service: Service = getattr(import_module(f"{__name__}.{module}"), part)(self._random)
            service.open()
            self._services[name] = service
        return self._services[name]
