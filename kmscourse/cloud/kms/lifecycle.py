"""Creating, describing, switching on and off, and deleting keys."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from kmscourse import facts
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import (
    aws_managed,
    custom_key_stores,
    material,
    names,
    rotation,
    specs,
    states,
    tags,
)
from kmscourse.cloud.kms.keys import (
    PENDING_DELETION,
    PENDING_REPLICA_DELETION,
    Core,
    Key,
)
from kmscourse.cloud.kms.paging import page
from kmscourse.cloud.kms.policies import default_policy, validate_policy
from kmscourse.cloud.kms.service import KMS, note_key, operation
from kmscourse.cloud.permissions import Permission

_ORIGIN_OF_STORE = {"AWS_CLOUDHSM": "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE": "EXTERNAL_KEY_STORE"}


def _create_needs(kms: KMS, call: Call) -> list[Permission]:
    needed = [kms.permission(call, None)]
    if call.parameters.get("Tags"):
        needed.append(kms.permission(call, None, action="kms:TagResource"))
    return needed


@operation("CreateKey", on="account", needs=_create_needs)
def create_key(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """A new key of any kind. Source: botocore kms CreateKey."""
    parameters = call.parameters
    spec, usage = specs.check_new(parameters, call.region)
    origin, multi_region = parameters.get("Origin", "AWS_KMS"), bool(parameters.get("MultiRegion"))
    there = kms.region(call.account, call.region)
    store = custom_key_stores.for_new_key(there, parameters, spec, origin, multi_region)
    if len(there.keys) - len(aws_managed.PREDEFINED) >= int(facts.limit("kms.keys")):
        raise AWSError("LimitExceededException", "The number of KMS keys exceeds the quota.")
    key_tags = tags.check({}, parameters.get("Tags", []))
    policy = parameters.get("Policy") or default_policy(call.account)
    key = Key(
        id=f"mrk-{kms.random.hex(32)}" if multi_region else kms.random.uuid(),
        account=call.account,
        region=call.region,
        created=call.time,
        policy=policy,
        description=parameters.get("Description", ""),
        core=Core(spec, usage, origin),
        multi_region=multi_region,
        tags=key_tags,
        store=store,
        external_key_id=parameters.get("XksKeyId"),
    )
    if multi_region:
        key.core.primary = call.region
        key.core.members[call.region] = key
    if "Policy" in parameters:
        validate_policy(call, key, policy)
    if origin != "EXTERNAL":
        key.materials.append(material.new(kms.random, spec, call.time))
    there.keys[key.id] = key
    note_key(call, key)
    return {"KeyMetadata": key.metadata()}


def _describe_needs(kms: KMS, call: Call) -> list[Permission]:
    named = names.parse(call.parameters["KeyId"], account=call.account, region=call.region)
    if named.kind == "alias" and named.account == call.account:
        # Source: botocore kms DescribeKey, KeyId: a predefined AWS alias gets its key now.
        service = named.id.removeprefix("alias/aws/")
        if service != named.id and service in aws_managed.PREDEFINED:
            aws_managed.ensure(kms, service, call.account, call.region, call.time)
    return [kms.permission(call, kms.key_of(call))]


@operation("DescribeKey", by_alias=True, cross_account=True, needs=_describe_needs)
def describe_key(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Everything about a key but its material and policy."""
    return {"KeyMetadata": kms.key_of(call).metadata()}


@operation("EnableKey", refuses=states.SWITCHES)
def enable_key(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Make a key usable again. A rotation that fell due meanwhile happens now."""
    key.enabled = True
    rotation.resume(kms, key, call.time)
    return {}


@operation("DisableKey", refuses=states.SWITCHES)
def disable_key(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Make a key unusable until it is enabled again."""
    key.enabled = False
    return {}


@operation("ScheduleKeyDeletion", refuses=states.SCHEDULES)
def schedule_key_deletion(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Start the waiting period of 7 to 30 days after which a key is gone for good.

    A primary key first waits for the end of its last replica (fact MRK-08).
    """
    days = call.parameters.get("PendingWindowInDays", int(facts.limit("kms.deletion.days.default")))
    low, high = int(facts.limit("kms.deletion.days.min")), int(facts.limit("kms.deletion.days.max"))
    if not low <= days <= high:
        raise AWSError(
            "ValidationException",
            f"1 validation error detected: Value '{days}' at 'pendingWindowInDays' failed to "
            f"satisfy constraint: Member must have value between {low} and {high}",
        )
    key.deletion_scheduled = call.time
    if key.is_primary and key.replicas:
        key.deletion_window = days
        return {"KeyId": key.arn, "KeyState": key.state, "PendingWindowInDays": days}
    wait_for_deletion(kms, key, call.time, days)
    return {
        "KeyId": key.arn,
        "DeletionDate": key.deletion_date,
        "KeyState": key.state,
        "PendingWindowInDays": days,
    }


def wait_for_deletion(kms: KMS, key: Key, now: datetime, days: int) -> None:
    """Let a waiting period begin; at its end the key goes, unless that was cancelled."""
    ends = now + timedelta(days=days)
    key.deletion_date = ends
    key.deletion_window = None

    def end(when: datetime) -> None:
        if key.deletion_date == ends:
            _end(kms, key, when)

    kms.later(ends, end)


def _end(kms: KMS, key: Key, when: datetime) -> None:
    kms.delete(key, when)
    core = key.core
    core.members.pop(key.region, None)
    primary = core.members.get(core.primary)
    if not core.members:
        for version in core.materials:  # the bill still asks when it was rotated
            version.secret, version.pair = b"", None
        key.imported.clear()
    elif primary is not None and primary.deletion_window is not None and not primary.replicas:
        wait_for_deletion(kms, primary, when, primary.deletion_window)


@operation("CancelKeyDeletion")
def cancel_key_deletion(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Keep a key after all. It comes back disabled."""
    if key.state not in (PENDING_DELETION, PENDING_REPLICA_DELETION):
        raise states.invalid(key, "is not pending deletion.")
    key.enabled = False
    key.deletion_date = key.deletion_scheduled = key.deletion_window = None
    return {"KeyId": key.arn}


@operation("UpdateKeyDescription", refuses=states.CHANGES)
def update_key_description(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Describe a key anew."""
    key.description = call.parameters["Description"]
    return {}


@operation("ListKeys", on="account")
def list_keys(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """The keys of the account and Region, whoever may use them."""
    keys = kms.region(call.account, call.region).keys.values()
    return page(call, "Keys", [{"KeyId": key.id, "KeyArn": key.arn} for key in keys], 100)
