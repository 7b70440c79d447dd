"""Data at rest: what the services around KMS add to moto's answers. One part a service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from kmscourse.cloud.at_rest import secretsmanager, ssm_tiers
from kmscourse.cloud.at_rest.dynamodb import DynamoDB
from kmscourse.cloud.at_rest.ebs import EBS
from kmscourse.cloud.at_rest.rds import RDS
from kmscourse.cloud.at_rest.s3 import S3
from kmscourse.cloud.at_rest.secretsmanager import SecretsManager
from kmscourse.cloud.at_rest.ssm import ParameterStore
from kmscourse.cloud.call import Call
from kmscourse.cloud.meter import Standing
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.protocol import Response
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

#: Services whose disks are another's.
_DISKS = {"ebs": "ec2"}
#: What of a service is paid for by the hour.
_STANDING = {"secretsmanager": secretsmanager.standing, "ssm": ssm_tiers.standing}


class Service(Protocol):
    """A service that moto answers, and that is completed here."""

    def open(self) -> None:
        """Called when the simulated AWS starts, before moto does."""

    def close(self) -> None:
        """Called when it has stopped, and moto with it: leave moto as it was."""

    def needs(self, call: Call) -> list[Permission]:
        """The permissions that a call needs."""

    def perform(
        self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]
    ) -> dict[str, Any] | Response:
        """Carry out a call that was found to be allowed."""

    @property
    def stored(self) -> Callable[..., Any]:
        """What lies on the service's disk: each service has addresses of its own."""


class AtRest:
    """The services around KMS, of one simulated AWS."""

    def __init__(self, random: Randomness) -> None:
        self.ebs = EBS()
        self.rds = RDS(random)
        self._s3 = S3(random)
        self._services: dict[str, Service] = {
            "ec2": self.ebs,
            "rds": self.rds,
            "s3": self._s3,
            "ssm": ParameterStore(random),
            "secretsmanager": SecretsManager(random),
            "dynamodb": DynamoDB(random),
        }

    def open(self) -> None:
        """Let every service store ciphertext from now on."""
        for service in self._services.values():
            service.open()

    def close(self) -> None:
        """Leave moto as it was found."""
        for service in reversed(list(self._services.values())):
            service.close()

    def catch_up(self, gateway: Gateway) -> None:
        """Let happen what has fallen due: the replication of S3 objects."""
        self._s3.catch_up(gateway)

    def needs(self, call: Call) -> list[Permission]:
        """The permissions a call to a service needs; none for services not decided about yet."""
        service = self._services.get(call.service)
        return service.needs(call) if service else []

    def perform(
        self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]
    ) -> dict[str, Any] | Response:
        """Let moto answer, and do what moto leaves out."""
        service = self._services.get(call.service)
        return service.perform(gateway, call, ask_moto) if service else ask_moto()

    def standing(self, service: str) -> Iterable[Standing]:
        """What stands in a service and is paid for by the hour; for some there is nothing."""
        return _STANDING[service]() if service in _STANDING else ()

    def stored(self, service: str, *where: str, **named: Any) -> Any:
        """What lies on the disk of a service.

        Raises:
            ValueError: for a service whose disk cannot be shown, with those that can.
        """
        service = _DISKS.get(service, service)
        if service not in self._services:
            raise ValueError(f"Whose disk? One of: {', '.join(self._services)}; not {service!r}.")
        return self._services[service].stored(*where, **named)
