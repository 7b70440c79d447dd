"""moto's volumes, snapshots and instances: every private name of moto that EBS stands on.

All of ``moto.ec2``: ``ec2_backends`` (``volumes``, ``snapshots``, ``instances``, ``amis``,
``create_volume``, ``detach_volume``, ``stop_instances``, ``terminate_instances``,
``default_kms_key_id``, ``ebs_encryption_by_default``), ``Snapshot``, ``EC2ClientError``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_block_store import Snapshot
from moto.ec2.utils import generic_filter, random_snapshot_id

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError

#: The volume that AWS names in snapshots that are copies.
NO_VOLUME = "vol-ffffffff"


def backend(account: str, region: str) -> Any:
    """moto's EC2 of an account and Region."""
    return ec2_backends[account][region]


def backends() -> Iterator[Any]:
    """moto's EC2 of every account and Region that was used."""
    for account in list(ec2_backends):
        yield from list(ec2_backends[account].values())


def find_volume(volume_id: str) -> Any:
    """A volume of any account and Region, or None."""
    return next((b.volumes[volume_id] for b in backends() if volume_id in b.volumes), None)


def instance(account: str, region: str, instance_id: str | None) -> Any:
    """An instance, or None."""
    return next((i for i in backend(account, region).all_instances() if i.id == instance_id), None)


def snapshot_for(account: str, region: str, snapshot_id: str) -> Any:
    """A snapshot that an account may use: its own, or one that was shared with it; else None."""
    own = backend(account, region).snapshots.get(snapshot_id)
    return own or next((s for s in shared_with(account, region) if s.id == snapshot_id), None)


def shared_with(account: str, region: str) -> Iterator[Any]:
    """The snapshots of other accounts that this one may make volumes from."""
    for owner in list(ec2_backends):
        if owner == account or region not in ec2_backends[owner]:
            continue
        for snapshot in list(ec2_backends[owner][region].snapshots.values()):
            if (
                account in snapshot.create_volume_permission_userids
                or "all" in snapshot.create_volume_permission_groups
            ) and snapshot.owner_id == owner:
                yield snapshot


def image_for(account: str, region: str, image_id: str) -> Any:
    """An image that an account may use: its own, or one that was shared with it; else None."""
    own = backend(account, region).amis.get(image_id)
    return own or _images_shared_with(account, region).get(image_id)


def is_anothers_image(account: str, region: str, image_id: str) -> bool:
    """Whether an image is there, but not for this account."""
    if image_for(account, region, image_id) is not None:
        return False
    return any(image_id in each.amis for each in backends() if each.region_name == region)


@contextmanager
def with_shared_images(account: str, region: str) -> Iterator[None]:
    """Let moto see the images that were shared with an account: it looks only among its own."""
    there = backend(account, region)
    shared = _images_shared_with(account, region)
    there.amis.update(shared)
    try:
        yield
    finally:
        for image_id in shared:
            del there.amis[image_id]


def _images_shared_with(account: str, region: str) -> dict[str, Any]:
    return {
        image.id: image
        for there in backends()
        if there.region_name == region and there.account_id != account
        for image in list(there.amis.values())
        if image.owner_id == there.account_id  # AWS's own images every account has anyway
        and ({"UserId": account} in image.launch_permissions or image.is_public)
    }


def new_snapshot(call: Call, description: str, size: int | None) -> Any:
    """A snapshot that is a copy, not yet of anything."""
    there = backend(call.account, call.region)
    volume = SimpleNamespace(id=NO_VOLUME, size=size)
    snapshot = Snapshot(there, random_snapshot_id(), volume=volume, description=description)
    there.snapshots[snapshot.id] = snapshot
    return snapshot


def filtered(call: Call, snapshots: list[Any]) -> list[Any]:
    """What DescribeSnapshots' filters let through."""
    wanted = {each["Name"]: each.get("Values", []) for each in call.parameters.get("Filters", [])}
    found: list[Any] = generic_filter(wanted, snapshots)
    return found


def words_of_aws(do: Callable[[], Any]) -> Any:
    """Do something in moto, whose refusals are AWS's.

    Raises:
        AWSError: what moto refuses with.
    """
    try:
        return do()
    except EC2ClientError as error:
        raise AWSError(str(error.code), str(error.message)) from error


def tags(call: Call, kind: str) -> dict[str, str]:
    """The tags that a request gives to what it makes."""
    return {
        tag["Key"]: tag.get("Value", "")
        for given in call.parameters.get("TagSpecifications", [])
        if given.get("ResourceType") == kind
        for tag in given.get("Tags", [])
    }


def listed_tags(resource: Any) -> list[dict[str, str]]:
    """A resource's tags, as the API lists them."""
    return [{"Key": tag["Key"], "Value": tag["Value"]} for tag in resource.get_tags()]
