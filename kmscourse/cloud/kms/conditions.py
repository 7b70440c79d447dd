"""The condition keys that KMS puts into a request's context.

Source: AWS KMS Developer Guide, "Condition keys for AWS KMS".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kmscourse.cloud.call import Call
from kmscourse.cloud.clock import written
from kmscourse.cloud.kms.keys import Key

#: Parameters of one operation or another that are condition keys as they stand.
_PARAMETERS = {
    "EncryptionAlgorithm": "kms:EncryptionAlgorithm",
    "SigningAlgorithm": "kms:SigningAlgorithm",
    "MacAlgorithm": "kms:MacAlgorithm",
    "MessageType": "kms:MessageType",
    "KeyPairSpec": "kms:DataKeyPairSpec",
    "KeyAgreementAlgorithm": "kms:KeyAgreementAlgorithm",
    "PendingWindowInDays": "kms:ScheduleKeyDeletionPendingWindowInDays",
    "RotationPeriodInDays": "kms:RotationPeriodInDays",
    "ReplicaRegion": "kms:ReplicaRegion",
    "PrimaryRegion": "kms:PrimaryRegion",
    "WrappingAlgorithm": "kms:WrappingAlgorithm",
    "WrappingKeySpec": "kms:WrappingKeySpec",
    "ExpirationModel": "kms:ExpirationModel",
    "GranteePrincipal": "kms:GranteePrincipal",
    "GranteeServicePrincipal": "kms:GranteeServicePrincipal",
    "RetiringPrincipal": "kms:RetiringPrincipal",
    "RetiringServicePrincipal": "kms:RetiringServicePrincipal",
    "PolicyName": "kms:PolicyName",
}
_SWITCHES = {"BypassPolicyLockoutSafetyCheck": "kms:BypassPolicyLockoutSafetyCheck"}
#: The two kinds of grant constraint about the encryption context.
CONSTRAINTS = ("EncryptionContextEquals", "EncryptionContextSubset")
_FOR_A_SERVICE = ("CreateGrant", "ListGrants", "RevokeGrant")
_SYMMETRIC = {
    "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
}  # fmt: skip


def of_request(
    call: Call,
    key: Key | None,
    aliases: Sequence[str],
    *,
    encryption_context: Mapping[str, str] | None = None,
    algorithm: str | None = None,
    named: str | None = None,
) -> dict[str, str | list[str]]:
    """The ``kms:`` keys of a call, about its parameters, its key and how it came.

    Args:
        key: the key the permission is asked on; None for operations that name no key.
        aliases: the key's aliases.
        encryption_context: where it is not the parameter of that name (ReEncrypt has two).
        algorithm: likewise, the encryption algorithm.
        named: likewise, how the request names the key.
    """
    parameters = call.parameters
    context: dict[str, str | list[str]] = {"kms:CallerAccount": call.account}
    if call.via:
        service = call.via[-1].removesuffix(".amazonaws.com")
        context["kms:ViaService"] = f"{service}.{call.region}.amazonaws.com"
    for name, condition in _PARAMETERS.items():
        if name in parameters:
            context[condition] = str(parameters[name])
    for name, condition in _SWITCHES.items():
        if name in parameters:
            context[condition] = str(parameters[name]).lower()
    if algorithm is not None:
        context["kms:EncryptionAlgorithm"] = algorithm
    elif call.operation in _SYMMETRIC:
        context.setdefault("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT")
    if "ValidTo" in parameters:
        context["kms:ValidTo"] = written(parameters["ValidTo"])
    if call.operation in _FOR_A_SERVICE:
        context["kms:GrantIsForAWSResource"] = str(bool(call.via)).lower()
    if encryption_context is None:
        encryption_context = parameters.get("EncryptionContext")
    if call.operation == "CreateGrant":
        encryption_context = _of_grant(parameters, context)
    if encryption_context:
        context["kms:EncryptionContextKeys"] = list(encryption_context)
        for name, value in encryption_context.items():
            context[f"kms:EncryptionContext:{name}"] = value
    _add_tags(parameters, context)
    if key is None:
        context["kms:KeySpec"] = parameters.get("KeySpec", "SYMMETRIC_DEFAULT")
        context["kms:KeyUsage"] = parameters.get("KeyUsage", "ENCRYPT_DECRYPT")
        context["kms:KeyOrigin"] = parameters.get("Origin", "AWS_KMS")
        context["kms:MultiRegion"] = str(parameters.get("MultiRegion", False)).lower()
        if parameters.get("MultiRegion"):
            context["kms:MultiRegionKeyType"] = "PRIMARY"
        return context
    context["kms:KeySpec"] = key.spec
    context["kms:KeyUsage"] = key.usage
    context["kms:KeyOrigin"] = key.origin
    context["kms:MultiRegion"] = str(key.multi_region).lower()
    if key.multi_region:
        context["kms:MultiRegionKeyType"] = "PRIMARY" if key.is_primary else "REPLICA"
    if call.operation in ("DisableKey", "ScheduleKeyDeletion"):
        since = key.last_use.time if key.last_use is not None else key.created
        context["kms:TrailingDaysWithoutKeyUsage"] = str((call.time - since).days)
    if aliases:
        context["kms:ResourceAliases"] = list(aliases)
    named = named if named is not None else str(parameters.get("KeyId", ""))
    if "alias/" in named:
        context["kms:RequestAlias"] = named[named.index("alias/") :]
    for tag, value in key.tags.items():
        context[f"aws:ResourceTag/{tag}"] = value
    return context


def _of_grant(
    parameters: Mapping[str, Any], context: dict[str, str | list[str]]
) -> Mapping[str, str]:
    """What CreateGrant asks for; the encryption context of its constraint counts as its own."""
    context["kms:GrantOperations"] = list(parameters.get("Operations", []))
    constraints = parameters.get("Constraints") or {}
    kinds = [kind for kind in CONSTRAINTS if kind in constraints]
    if kinds:
        context["kms:GrantConstraintType"] = kinds[0]
    if "SourceArn" in constraints:
        context["kms:GrantConstraintSourceArn"] = constraints["SourceArn"]
    pairs: Mapping[str, str] = constraints[kinds[0]] if kinds else {}
    return pairs


def _add_tags(parameters: Mapping[str, Any], context: dict[str, str | list[str]]) -> None:
    tags = parameters.get("Tags") or []
    for tag in tags:
        context[f"aws:RequestTag/{tag['TagKey']}"] = tag["TagValue"]
    names = [tag["TagKey"] for tag in tags] or list(parameters.get("TagKeys") or [])
    if names:
        context["aws:TagKeys"] = names
