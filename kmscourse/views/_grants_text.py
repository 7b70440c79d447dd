"""The grants on a key as a text to be changed, in the shape of ListGrants's answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from kmscourse.cloud.authorization import GRANT_OPERATIONS, Grant, MalformedPolicyError

_NAMES = {
    "GrantId": "grant_id",
    "Name": "name",
    "KeyId": "key_arn",
    "GranteePrincipal": "grantee_principal",
    "GranteeServicePrincipal": "grantee_service_principal",
    "RetiringPrincipal": "retiring_principal",
    "RetiringServicePrincipal": "retiring_service_principal",
}
_CONSTRAINTS = {
    "EncryptionContextEquals": "encryption_context_equals",
    "EncryptionContextSubset": "encryption_context_subset",
    "SourceArn": "source_arn",
}
#: What ListGrants tells as well, and no decision asks for.
_SILENT = ("CreationDate", "IssuingAccount")


def write(grants: Iterable[Grant]) -> str:
    """Grants as JSON, as people write it."""
    return json.dumps({"Grants": [_entry(each) for each in grants]}, indent=2, ensure_ascii=False)


def _entry(grant: Grant) -> dict[str, Any]:
    entry = {name: getattr(grant, field) for name, field in _NAMES.items()}
    entry["Operations"] = sorted(grant.operations)
    limits = {name: getattr(grant, field) for name, field in _CONSTRAINTS.items()}
    entry["Constraints"] = {
        name: dict(value) if isinstance(value, Mapping) else value
        for name, value in limits.items()
        if value
    }
    return {name: value for name, value in entry.items() if value}


def read(text: str) -> tuple[Grant, ...]:
    """Grants from JSON.

    Raises:
        MalformedPolicyError: the text is no list of grants; with the place and what to do.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        _refuse("This is no JSON.", f"line {error.lineno} column {error.colno}", f"{error.msg}.")
    except RecursionError:
        _refuse("This is no JSON.", "", "It is nested too deeply.")
    if not isinstance(content, dict) or list(content) != ["Grants"]:
        _refuse("These are no grants.", "", 'Write {"Grants": [ ... ]}, as ListGrants does.')
    if not isinstance(content["Grants"], list):
        _refuse("These are no grants.", "Grants", "Grants is a list.")
    return tuple(_grant(each, f"Grants[{at}]") for at, each in enumerate(content["Grants"]))


def _grant(entry: object, place: str) -> Grant:
    if not isinstance(entry, dict):
        _refuse("A grant is an object.", place, 'Write {"GranteePrincipal": ...}.')
    for name, value in entry.items():
        here = f"{place}.{name}"
        if name in _NAMES and not isinstance(value, str):
            _refuse(f"{name} is a text.", here, "Put it in double quotes.")
        if name not in (*_NAMES, *_SILENT, "Operations", "Constraints"):
            _refuse(f"A grant has no {name}.", here, "Take it out, or mend the spelling.")
    if ("GranteePrincipal" in entry) == ("GranteeServicePrincipal" in entry):
        advice = "Name GranteePrincipal or GranteeServicePrincipal, one of the two."
        _refuse("A grant has one grantee.", place, advice)
    operations = entry.get("Operations")
    if not isinstance(operations, list) or not operations:
        advice = 'Write "Operations": ["Decrypt"], with at least one.'
        _refuse("A grant lists its operations.", f"{place}.Operations", advice)
    for at, operation in enumerate(operations):
        if operation not in GRANT_OPERATIONS:
            _refuse(
                f"No grant can give {operation}.",
                f"{place}.Operations[{at}]",
                f"A grant can give {', '.join(sorted(GRANT_OPERATIONS))}.",
            )
    return Grant(
        operations=frozenset(operations),
        **{field: entry[name] for name, field in _NAMES.items() if name in entry},
        **_constraints(entry.get("Constraints", {}), f"{place}.Constraints"),
    )


def _constraints(written: object, place: str) -> dict[str, Any]:
    if not isinstance(written, dict):
        _refuse("Constraints is an object.", place, 'Write {"EncryptionContextSubset": { ... }}.')
    for name, value in written.items():
        here = f"{place}.{name}"
        if name not in _CONSTRAINTS:
            advice = f"There are {', '.join(_CONSTRAINTS)}."
            _refuse(f"There is no constraint {name}.", here, advice)
        if name == "SourceArn":
            if not isinstance(value, str):
                _refuse("SourceArn is a text.", here, "Put it in double quotes.")
        elif not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            _refuse(f"{name} holds pairs of texts.", here, 'Write {"ward": "7"}.')
    return {_CONSTRAINTS[name]: value for name, value in written.items()}


def _refuse(message: str, place: str, advice: str) -> NoReturn:
    raise MalformedPolicyError("ValidationException", message, place, advice)
