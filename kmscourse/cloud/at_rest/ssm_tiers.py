"""Which parameters are advanced: they cost by the month and by API interaction; others are free.

moto's names that this stands on, all in ``moto.ssm.models``: ``Parameter`` (``name``, ``tier``),
``ParameterDict.normalize_name``, ``SimpleSystemManagerBackend._parameters`` and ``ssm_backends``.

Source: facts PRI-15 and SEC-03.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from moto.ssm.models import ssm_backends

from kmscourse.cloud.call import Call
from kmscourse.cloud.meter import Standing
from kmscourse.cloud.protocol import Response

_BY_NAME = {
    "GetParameter", "GetParameters", "GetParameterHistory", "PutParameter", "DeleteParameter",
    "DeleteParameters", "LabelParameterVersion", "UnlabelParameterVersion",
}  # fmt: skip


def standing() -> Iterator[Standing]:
    """The advanced parameters of all accounts and Regions."""
    for account, regions in ssm_backends.items():
        for region, backend in regions.items():
            for name, versions in list(backend._parameters.items()):
                if versions and versions[-1].tier == "Advanced":
                    yield Standing("ssm.advanced-parameter.month", account, f"{region}:{name}")


def touched(call: Call, answer: dict[str, Any] | Response | None = None) -> set[str]:
    """The advanced parameters that a call is about, by name: an API interaction each.

    Args:
        answer: what was answered, without which a path does not tell its parameters.
    """
    names: list[str] = []
    if call.operation in _BY_NAME:
        names = call.parameters.get("Names") or [str(call.parameters.get("Name", ""))]
    elif call.operation == "GetParametersByPath" and isinstance(answer, Response):
        names = [each["Name"] for each in json.loads(answer.body).get("Parameters", [])]
    kept = ssm_backends[call.account][call.region]._parameters
    known = {kept.normalize_name(_plain(name)) for name in names} & set(kept)
    return {name for name in known if kept[name] and kept[name][-1].tier == "Advanced"}


def _plain(name: str) -> str:
    """A parameter's name out of what names it: an ARN, a version or a label with it."""
    if name.startswith("arn:"):
        name = "/" + name.partition(":parameter/")[2]
    return name.partition(":")[0]
