"""Data at rest: what the services around KMS add to moto's answers. One file a service."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kmscourse.cloud.at_rest import s3
from kmscourse.cloud.call import Call
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.protocol import Response

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

_SERVICES = {"s3": s3}


def needs(call: Call) -> list[Permission]:
    """The permissions a call to a service needs; none for services not decided about yet."""
    service = _SERVICES.get(call.service)
    return service.needs(call) if service else []


def perform(gateway: Gateway, call: Call, ask_moto: Callable[[], Response]) -> Response:
    """Let moto answer, and do what moto leaves out."""
    service = _SERVICES.get(call.service)
    return service.perform(gateway, call, ask_moto) if service else ask_moto()


def stored(service: str, *where: str, **named: Any) -> Any:
    """What lies on the disk of a service.

    Raises:
        ValueError: for a service whose disk cannot be shown, with those that can.
    """
    if service not in _SERVICES:
        raise ValueError(f"Whose disk? One of: {', '.join(_SERVICES)}; not {service!r}.")
    return _SERVICES[service].stored(*where, **named)
