"""The condition keys that KMS puts into a request's context.

Source: AWS KMS Developer Guide, "Condition keys for AWS KMS".
"""

from __future__ import annotations

from collections.abc import Sequence

from kmscourse.cloud.call import Call
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
    "RetiringPrincipal": "kms:RetiringPrincipal",
    "PolicyName": "kms:PolicyName",
}
_SYMMETRIC = {
    "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
}  # fmt: skip


def of_request(call: Call, key: Key | None, aliases: Sequence[str]) -> dict[str, str | list[str]]:
    """The ``kms:`` keys of a call, about its parameters, its key and how it came.

    Args:
        key: the key the permission is asked on; None for operations that name no key.
        aliases: the key's aliases.
    """
    parameters = call.parameters
    context: dict[str, str | list[str]] = {"kms:CallerAccount": call.account}
    if call.via:
        service = call.via[-1].removesuffix(".amazonaws.com")
        context["kms:ViaService"] = f"{service}.{call.region}.amazonaws.com"
    for name, condition in _PARAMETERS.items():
        if name in parameters:
            context[condition] = str(parameters[name])
    if call.operation in _SYMMETRIC:
        context.setdefault("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT")
    if "BypassPolicyLockoutSafetyCheck" in parameters:
        context["kms:BypassPolicyLockoutSafetyCheck"] = str(
            parameters["BypassPolicyLockoutSafetyCheck"]
        ).lower()
    encryption_context = parameters.get("EncryptionContext") or parameters.get(
        "SourceEncryptionContext"
    )
    if encryption_context:
        context["kms:EncryptionContextKeys"] = list(encryption_context)
        for name, value in encryption_context.items():
            context[f"kms:EncryptionContext:{name}"] = value
    if key is None:
        context["kms:KeySpec"] = parameters.get("KeySpec", "SYMMETRIC_DEFAULT")
        context["kms:KeyUsage"] = parameters.get("KeyUsage", "ENCRYPT_DECRYPT")
        context["kms:KeyOrigin"] = parameters.get("Origin", "AWS_KMS")
        context["kms:MultiRegion"] = str(parameters.get("MultiRegion", False)).lower()
        return context
    context["kms:KeySpec"] = key.spec
    context["kms:KeyUsage"] = key.usage
    context["kms:KeyOrigin"] = key.origin
    context["kms:MultiRegion"] = "false"
    if aliases:
        context["kms:ResourceAliases"] = list(aliases)
    named = str(parameters.get("KeyId", ""))
    if "alias/" in named:
        context["kms:RequestAlias"] = named[named.index("alias/") :]
    for tag, value in key.tags.items():
        context[f"aws:ResourceTag/{tag}"] = value
    return context
