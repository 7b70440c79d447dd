"""Creating, describing, switching on and off, and deleting keys."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms.keys import DISABLED, ENABLED, PENDING_DELETION, Key, KeyMaterial
from kmscourse.cloud.kms.policies import default_policy, validate_policy
from kmscourse.cloud.kms.service import KMS, note_key, operation

_DEFAULT_WAITING_DAYS = 30
_WAITING_DAYS = range(7, 31)


@operation("CreateKey", on="account")
def create_key(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """A new symmetric key. Source: botocore kms CreateKey."""
    parameters = call.parameters
    spec = parameters.get("KeySpec") or parameters.get("CustomerMasterKeySpec")
    if spec not in (None, "SYMMETRIC_DEFAULT"):
        raise AWSError("UnsupportedOperationException", f"KeySpec {spec} is not simulated yet.")
    policy = parameters.get("Policy") or default_policy(call.account)
    key = Key(
        id=kms.random.uuid(),
        account=call.account,
        region=call.region,
        created=call.time,
        policy=policy,
        description=parameters.get("Description", ""),
        tags={tag["TagKey"]: tag["TagValue"] for tag in parameters.get("Tags", [])},
    )
    if "Policy" in parameters:
        validate_policy(call, key, policy)
    key.materials.append(new_material(kms, call))
    kms.region(call.account, call.region).keys[key.id] = key
    note_key(call, key)
    return {"KeyMetadata": key.metadata()}


def new_material(kms: KMS, call: Call) -> KeyMaterial:
    """Fresh AES-256 material. Its id gives nothing of it away: it is random, too."""
    secret = kms.random.bytes(32)
    return KeyMaterial(
        id=hashlib.sha256(b"key material id" + kms.random.bytes(32)).hexdigest(),
        secret=secret,
        created=call.time,
    )


@operation("DescribeKey", pending_deletion=True, cross_account=True)
def describe_key(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Everything about a key but its material and policy."""
    return {"KeyMetadata": key.metadata()}


@operation("EnableKey")
def enable_key(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Make a key usable again."""
    key.state = ENABLED
    return {}


@operation("DisableKey")
def disable_key(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Make a key unusable until it is enabled again."""
    key.state = DISABLED
    return {}


@operation("ScheduleKeyDeletion")
def schedule_key_deletion(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Start the waiting period of 7 to 30 days after which a key is gone for good."""
    days = call.parameters.get("PendingWindowInDays", _DEFAULT_WAITING_DAYS)
    if days not in _WAITING_DAYS:
        raise AWSError(
            "ValidationException",
            f"1 validation error detected: Value '{days}' at 'pendingWindowInDays' failed to "
            "satisfy constraint: Member must have value between 7 and 30",
        )
    key.state = PENDING_DELETION
    key.deletion_date = call.time + timedelta(days=days)
    key.deletion_scheduled = call.time
    return {
        "KeyId": key.arn,
        "DeletionDate": key.deletion_date,
        "KeyState": key.state,
        "PendingWindowInDays": days,
    }


@operation("CancelKeyDeletion", pending_deletion=True)
def cancel_key_deletion(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Keep a key after all. It comes back disabled."""
    if key.state != PENDING_DELETION:
        raise AWSError("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
    key.state = DISABLED
    key.deletion_date = key.deletion_scheduled = None
    return {"KeyId": key.arn}


@operation("UpdateKeyDescription")
def update_key_description(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Describe a key anew."""
    key.description = call.parameters["Description"]
    return {}


@operation("ListKeys", on="account")
def list_keys(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """The keys of the account and Region, whoever may use them."""
    keys = kms.region(call.account, call.region).keys.values()
    return page(call, "Keys", [{"KeyId": key.id, "KeyArn": key.arn} for key in keys], 100)


def page(call: Call, name: str, items: list[Any], default: int) -> dict[str, Any]:
    """One page of a listing, by Limit and Marker."""
    marker = call.parameters.get("Marker", "0")
    if not marker.isdigit() or int(marker) > len(items):
        raise AWSError("InvalidMarkerException", "Could not deserialize marker")
    start = int(marker)
    end = start + call.parameters.get("Limit", default)
    cut = end < len(items)
    return {name: items[start:end], "Truncated": cut} | ({"NextMarker": str(end)} if cut else {})
