"""Aliases: friendly names that can be moved from key to key."""

from __future__ import annotations

import re
from typing import Any

from kmscourse import facts
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import aws_managed, names, specs, states
from kmscourse.cloud.kms.keys import Key
from kmscourse.cloud.kms.paging import page
from kmscourse.cloud.kms.service import KMS, Alias, note_key, operation
from kmscourse.cloud.permissions import Permission

_ALIAS = re.compile(r"alias/[a-zA-Z0-9/_-]+")


def _alias_and_keys(kms: KMS, call: Call) -> list[Permission]:
    """An alias operation needs its permission on the alias and on each key concerned."""
    alias_name = call.parameters["AliasName"]
    _check_name(alias_name)
    arn = _arn(call, alias_name)
    needed = [Permission(call.action, arn)]
    region = kms.region(call.account, call.region)
    existing = region.aliases.get(alias_name)
    if call.operation != "CreateAlias" and existing is None:
        raise AWSError("NotFoundException", f"Alias {arn} is not found.")
    if existing is not None and existing.key_id in region.keys:
        needed.append(kms.permission(call, region.keys[existing.key_id]))
    if "TargetKeyId" in call.parameters:
        target = kms.find(call, call.parameters["TargetKeyId"])
        note_key(call, target)
        needed.append(kms.permission(call, target))
    return needed


@operation("CreateAlias", needs=_alias_and_keys)
def create_alias(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """A new name for a key of this account and Region."""
    name = call.parameters["AliasName"]
    target = _target(kms, call)
    region = kms.region(call.account, call.region)
    if name in region.aliases:
        arn = region.aliases[name].arn
        raise AWSError("AlreadyExistsException", f"An alias with the name {arn} already exists")
    _check_room(kms, target)
    region.aliases[name] = Alias(name, call.account, call.region, target.id, call.time, call.time)
    return {}


@operation("UpdateAlias", needs=_alias_and_keys)
def update_alias(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Let an alias name another key."""
    region = kms.region(call.account, call.region)
    alias = region.aliases[call.parameters["AliasName"]]
    target = _target(kms, call)
    before = region.keys.get(alias.key_id or "")
    if before is not None:
        _check_same_type(before, target)
    if before is not target:
        _check_room(kms, target)
    alias.key_id = target.id
    alias.updated = call.time
    return {}


@operation("DeleteAlias", needs=_alias_and_keys)
def delete_alias(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Forget a name; the key stays."""
    del kms.region(call.account, call.region).aliases[call.parameters["AliasName"]]
    return {}


@operation("ListAliases", on="account")
def list_aliases(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """The aliases of the account and Region, or of one key."""
    region = kms.region(call.account, call.region)
    wanted = call.parameters.get("KeyId")
    key = kms.find(call, wanted) if wanted else None
    listed = [
        {
            "AliasName": alias.name,
            "AliasArn": alias.arn,
            "TargetKeyId": alias.key_id,
            "CreationDate": alias.created,
            "LastUpdatedDate": alias.updated,
        }
        for alias in region.aliases.values()
        if key is None or alias.key_id == key.id
    ]
    if key is None:
        # Source: botocore kms ListAliases: predefined aliases have no TargetKeyId yet.
        predefined = (f"alias/aws/{service}" for service in aws_managed.PREDEFINED)
        listed += [
            {"AliasName": name, "AliasArn": _arn(call, name)}
            for name in predefined
            if name not in region.aliases
        ]
    return page(call, "Aliases", listed, 50)


def _arn(call: Call, name: str) -> str:
    return names.Name("alias", call.account, call.region, name).arn


def _check_name(name: str) -> None:
    """What an alias may be called. Source: botocore kms CreateAlias."""
    if name.startswith("alias/aws/"):
        raise AWSError("NotAuthorizedException", "")
    if not name.startswith("alias/"):
        raise AWSError(
            "ValidationException",
            "Invalid identifier",
        )
    if not _ALIAS.fullmatch(name):
        raise AWSError("ValidationException", f"{name} contains invalid characters for an alias")


def _target(kms: KMS, call: Call) -> Key:
    name = call.parameters["TargetKeyId"]
    if "alias/" in name:
        raise AWSError("ValidationException", "Aliases must refer to keys. Not aliases")
    target = kms.find(call, name)
    if target.account != call.account:
        raise names.not_found(target.arn)
    states.check(target, states.CHANGES)
    return target


def _check_room(kms: KMS, target: Key) -> None:
    most = int(facts.limit("kms.aliases-per-key"))
    if len(kms.aliases_of(target)) >= most:
        raise AWSError("LimitExceededException", f"{target.arn} has {most} aliases already.")


def _check_same_type(before: Key, after: Key) -> None:
    """An alias moves only to a key of the same type and usage (fact ALI-03)."""

    def kind(key: Key) -> tuple[str, bool, bool]:
        return key.usage, specs.is_symmetric(key.spec), specs.is_asymmetric(key.spec)

    if kind(before) != kind(after):
        raise AWSError(
            "ValidationException",
            f"Alias cannot be changed from a key of type {before.spec} to a key of type "
            f"{after.spec}.",
        )
