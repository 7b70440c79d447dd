"""Rotation: every one adds a version of the material, and none is ever dropped.

Source: botocore kms EnableKeyRotation, RotateKeyOnDemand, GetKeyRotationStatus and
ListKeyRotations; the numbers are in `kmscourse.facts` (topic rotation).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from kmscourse import facts
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import material, specs, states
from kmscourse.cloud.kms.keys import DISABLED, ENABLED, UPDATING, Key
from kmscourse.cloud.kms.paging import page
from kmscourse.cloud.kms.service import KMS, operation

#: An automatic rotation so near stands in the way of one on demand (fact ROT-13).
_NEAR = timedelta(minutes=20)


def _rotates_by_itself(call: Call, key: Key) -> None:
    """Only a symmetric key whose material KMS made rotates automatically (fact ROT-08)."""
    if key.spec != specs.SYMMETRIC:
        raise states.unsupported(key, "key spec", key.spec)
    if key.origin != "AWS_KMS":
        raise states.unsupported(key, "origin", key.origin)


def _rotates(call: Call, key: Key) -> None:
    """A symmetric key outside custom key stores rotates on demand (fact ROT-06)."""
    if key.spec != specs.SYMMETRIC:
        raise states.unsupported(key, "key spec", key.spec)
    if key.store is not None:
        raise states.unsupported(key, "origin", key.origin)


def _of_primary(key: Key) -> None:
    if key.manager == "AWS":
        raise states.unsupported(key, "key manager", "AWS")
    if key.multi_region and not key.is_primary:
        raise AWSError(
            "UnsupportedOperationException",
            f"{key.arn} is a multi-Region replica key: rotation is a property of its primary key.",
        )


@operation("EnableKeyRotation", refuses=states.ROTATES, suits=_rotates_by_itself)
def enable_key_rotation(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Rotate every so many days from now on; 365 where the request does not say."""
    _of_primary(key)
    default = int(facts.limit("kms.rotation.days.default"))
    begin(kms, key, call.time, call.parameters.get("RotationPeriodInDays", default))
    return {}


@operation("DisableKeyRotation", refuses=states.ROTATES, suits=_rotates_by_itself)
def disable_key_rotation(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Rotate no more by itself. What was encrypted stays readable."""
    _of_primary(key)
    key.core.rotation.period = key.core.rotation.next = None
    return {}


@operation("GetKeyRotationStatus", suits=_rotates_by_itself, cross_account=True)
def get_key_rotation_status(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Whether, how often and when next. Off while a key waits for its deletion (ROT-12)."""
    schedule = key.core.rotation
    on = schedule.period is not None and key.deletion_scheduled is None
    status: dict[str, Any] = {"KeyRotationEnabled": on, "KeyId": key.id}
    if on:
        status["RotationPeriodInDays"] = schedule.period
        status["NextRotationDate"] = schedule.next
    if schedule.started is not None:
        status["OnDemandRotationStartDate"] = schedule.started
    return status


@operation("RotateKeyOnDemand", refuses=states.ROTATES, suits=_rotates)
def rotate_key_on_demand(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Rotate now; the automatic schedule stays as it is."""
    _of_primary(key)
    schedule = key.core.rotation
    most = int(facts.limit("kms.rotation.on-demand"))
    if schedule.on_demand >= most:
        raise AWSError(
            "LimitExceededException",
            f"{key.arn} has had its {most} on-demand rotations: the quota is not adjustable.",
        )
    soon = schedule.next is not None and schedule.next - call.time <= _NEAR
    if schedule.started is not None or soon:
        raise AWSError(
            "ConflictException",
            f"A rotation of {key.arn} is in progress or begins within the next 20 minutes.",
        )
    if key.origin == "EXTERNAL":
        _check_waiting(key)
    schedule.started = call.time
    schedule.on_demand += 1
    kms.in_the_background(call, lambda when: _finish(kms, key, when))
    return {"KeyId": key.id}


@operation("ListKeyRotations", suits=_rotates)
def list_key_rotations(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """The rotations so far, or every version there is."""
    everything = call.parameters.get("IncludeKeyMaterial") == "ALL_KEY_MATERIAL"
    listed = [
        _entry(key, index)
        for index, version in enumerate(key.materials)
        if everything or version.rotation is not None
    ]
    return page(call, "Rotations", listed, 100)


def begin(kms: KMS, key: Key, now: datetime, days: int) -> None:
    """Start the schedule of a key: the first rotation is a period from now."""
    key.core.rotation.period = days
    _schedule(kms, key, now + timedelta(days=days))


def resume(kms: KMS, key: Key, now: datetime) -> None:
    """A rotation that fell due while the key was disabled happens when it is enabled again."""
    due = key.core.rotation.next
    if due is not None and due <= now and _may(key):
        _rotate(kms, key, now, "AUTOMATIC")
        _schedule(kms, key, now + timedelta(days=key.core.rotation.period or 0))


def _schedule(kms: KMS, key: Key, due: datetime) -> None:
    schedule = key.core.rotation
    schedule.next = due

    def rotate(when: datetime) -> None:
        if schedule.next != due or schedule.period is None:
            return  # switched off, or given another period, meanwhile
        first = next(iter(key.core.members.values()), key)
        primary = key.core.members.get(key.core.primary, first)
        if _may(primary):
            _rotate(kms, primary, when, "AUTOMATIC")
            _schedule(kms, primary, when + timedelta(days=schedule.period))

    kms.later(due, rotate)


def _may(key: Key) -> bool:
    return bool(key.core.materials) and key.state in (ENABLED, UPDATING)


def _rotate(kms: KMS, key: Key, when: datetime, how: str) -> None:
    if key.origin == "EXTERNAL":
        waiting = key.core.waiting
        if waiting is not None:
            waiting.created, waiting.rotation = when, how
        return
    key.materials.append(material.new(kms.random, key.spec, when, how))


def _finish(kms: KMS, key: Key, when: datetime) -> None:
    started = key.core.rotation.started
    key.core.rotation.started = None
    if started is not None and key.core.materials and key.state != DISABLED:
        _rotate(kms, key, when, "ON_DEMAND")


def waits_for_regions(key: Key) -> bool:
    """Whether waiting material is still missing in some replica Region."""
    waiting = key.core.waiting
    if waiting is None:
        return False
    return any(replica.secret(waiting) is None for replica in key.replicas)


def _check_waiting(key: Key) -> None:
    """Imported material must be there in every Region before it can be rotated to."""
    waiting = key.core.waiting
    if waiting is None or key.secret(waiting) is None or waits_for_regions(key):
        raise states.invalid(
            key, "does not have key material in the PENDING_ROTATION state; import it first."
        )


def _entry(key: Key, index: int) -> dict[str, Any]:
    version = key.materials[index]
    entry: dict[str, Any] = {"KeyId": key.id, "KeyMaterialId": version.id}
    if version.created is None:
        pending = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
        entry["KeyMaterialState"] = pending if waits_for_regions(key) else "PENDING_ROTATION"
    else:
        entry["KeyMaterialState"] = "CURRENT" if version is key.core.current else "NON_CURRENT"
    if version.rotation is not None:
        entry |= {"RotationDate": version.created, "RotationType": version.rotation}
    if key.origin == "EXTERNAL":
        held = key.imported.get(version.id)
        there = held is not None and held.secret is not None
        entry["ImportState"] = "IMPORTED" if there else "PENDING_IMPORT"
        if version.description:
            entry["KeyMaterialDescription"] = version.description
        if held is not None and there:
            expires = held.valid_to is not None
            entry["ExpirationModel"] = "KEY_MATERIAL_" + (
                "EXPIRES" if expires else "DOES_NOT_EXPIRE"
            )
            if expires:
                entry["ValidTo"] = held.valid_to
    return entry
