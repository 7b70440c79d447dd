"""Multi-Region keys: one key id and one key material in several Regions.

Source: botocore kms ReplicateKey and UpdatePrimaryRegion; AWS KMS Developer Guide,
"Multi-Region keys in AWS KMS". What related keys share is their `Core`.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import names, states, tags
from kmscourse.cloud.kms.keys import CREATING, UPDATING, Key
from kmscourse.cloud.kms.policies import default_policy, validate_policy
from kmscourse.cloud.kms.service import KMS, OPERATIONS, check_key, note_key, operation
from kmscourse.cloud.permissions import Permission

_PARTITION = "aws"


@cache
def regions() -> frozenset[str]:
    """The Regions of the partition in which KMS is, as botocore lists them."""
    import botocore.session

    found = botocore.session.get_session().get_available_regions("kms", _PARTITION)
    return frozenset(region for region in found if not region.endswith("-fips"))


def _replicate_needs(kms: KMS, call: Call) -> list[Permission]:
    primary = kms.key_of(call)
    needed = [kms.permission(call, primary), kms.permission(call, None, action="kms:CreateKey")]
    if call.parameters.get("Tags"):
        needed.append(kms.permission(call, None, action="kms:TagResource"))
    return needed


@operation("ReplicateKey", refuses=states.REPLICATES, needs=_replicate_needs)
def replicate_key(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """A related key in another Region, with a policy, tags and description of its own."""
    primary = kms.key_of(call)
    _check(call, primary)
    _check_primary(primary)
    parameters = call.parameters
    region = parameters["ReplicaRegion"]
    _check_region(region, "replicaRegion")
    if region == primary.core.primary:
        raise AWSError(
            "ValidationException",
            "The replica Region must be different from the Region of the primary key.",
        )
    if region in primary.core.members:
        arn = primary.core.members[region].arn
        raise AWSError("AlreadyExistsException", f"A related key {arn} already exists.")
    policy = parameters.get("Policy") or default_policy(call.account)
    replica = Key(
        id=primary.id,
        account=primary.account,
        region=region,
        created=call.time,
        policy=policy,
        description=parameters.get("Description", ""),
        core=primary.core,
        multi_region=True,
        transient=CREATING,
        tags=tags.check({}, parameters.get("Tags", [])),
    )
    if "Policy" in parameters:
        validate_policy(call, replica, policy)
    primary.core.members[region] = replica
    kms.region(replica.account, region).keys[replica.id] = replica
    note_key(call, replica)
    call.noted["also"] = [(region, "CreateKey", replica.arn, {"KeyMetadata": replica.metadata()})]

    def done(when: datetime) -> None:
        if replica.transient == CREATING:
            replica.transient = None

    kms.in_the_background(call, done)
    return {
        "ReplicaKeyMetadata": replica.metadata(),
        "ReplicaPolicy": policy,
        "ReplicaTags": tags.listed(replica),
    }


def _update_needs(kms: KMS, call: Call) -> list[Permission]:
    key = kms.key_of(call)
    needed = [kms.permission(call, key)]
    replica = key.core.members.get(call.parameters["PrimaryRegion"])
    if replica is not None and replica is not key:
        needed.append(kms.permission(call, replica))
    return needed


@operation("UpdatePrimaryRegion", refuses=states.MOVES_PRIMARY, needs=_update_needs)
def update_primary_region(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Make an existing replica the primary key, and the primary a replica."""
    primary = kms.key_of(call)
    _check(call, primary)
    _check_primary(primary)
    region = call.parameters["PrimaryRegion"]
    _check_region(region, "primaryRegion")
    if region == primary.region:
        raise AWSError("ValidationException", f"{primary.arn} is the primary key already.")
    replica = primary.core.members.get(region)
    if replica is None:
        raise names.not_found(names.Name("key", primary.account, region, primary.id).arn)
    states.check(replica, states.MOVES_PRIMARY)
    primary.core.primary = region
    primary.transient = replica.transient = UPDATING
    note_key(call, replica)

    def done(when: datetime) -> None:
        for key in (primary, replica):
            if key.transient == UPDATING:
                key.transient = None

    kms.in_the_background(call, done)
    return {}


def _check(call: Call, key: Key) -> None:
    check_key(call, key, OPERATIONS[call.operation])


def _check_primary(key: Key) -> None:
    if not key.multi_region:
        raise AWSError("UnsupportedOperationException", f"{key.arn} is not a multi-Region key.")
    if not key.is_primary:
        raise AWSError(
            "UnsupportedOperationException", f"{key.arn} is not a multi-Region primary key."
        )


def _check_region(region: str, parameter: str) -> None:
    if region not in regions():
        raise AWSError(
            "ValidationException",
            f"1 validation error detected: Value '{region}' at '{parameter}' failed to satisfy "
            "constraint: Member must be a Region of this partition in which AWS KMS is available",
        )
