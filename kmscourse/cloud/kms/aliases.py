"""Aliases: friendly names that can be moved from key to key."""

from __future__ import annotations

import re
from typing import Any

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import names
from kmscourse.cloud.kms.keys import PENDING_DELETION, Key
from kmscourse.cloud.kms.lifecycle import page
from kmscourse.cloud.kms.service import KMS, Alias, note_key, operation
from kmscourse.cloud.permissions import Permission

_ALIAS = re.compile(r"alias/[a-zA-Z0-9/_-]+")


def _alias_and_keys(kms: KMS, call: Call) -> list[Permission]:
    """An alias operation needs its permission on the alias and on each key concerned."""
    alias_name = call.parameters["AliasName"]
    arn = names.Name("alias", call.account, call.region, alias_name).arn
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
    if name.startswith("alias/aws/"):
        raise AWSError("NotAuthorizedException", "")
    if not _ALIAS.fullmatch(name):
        raise AWSError(
            "ValidationException",
            'Alias must start with the prefix "alias/". '
            "Please see https://docs.aws.amazon.com/kms/latest/developerguide/"
            "kms-alias.html",
        )
    target = _target(kms, call)
    region = kms.region(call.account, call.region)
    if name in region.aliases:
        arn = region.aliases[name].arn
        raise AWSError("AlreadyExistsException", f"An alias with the name {arn} already exists")
    region.aliases[name] = Alias(name, call.account, call.region, target.id, call.time, call.time)
    return {}


@operation("UpdateAlias", needs=_alias_and_keys)
def update_alias(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Let an alias name another key."""
    alias = kms.region(call.account, call.region).aliases[call.parameters["AliasName"]]
    alias.key_id = _target(kms, call).id
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
    return page(call, "Aliases", listed, 50)


def _target(kms: KMS, call: Call) -> Key:
    target = kms.find(call, call.parameters["TargetKeyId"])
    if target.account != call.account:
        raise names.not_found(target.arn)
    if target.state == PENDING_DELETION:
        raise AWSError("KMSInvalidStateException", f"{target.arn} is pending deletion.")
    return target
