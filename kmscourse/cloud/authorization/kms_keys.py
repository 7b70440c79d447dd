"""What KMS adds: which operation exists for whom, and which condition key exists for which.

Sources: AWS KMS Developer Guide, "AWS KMS permissions" (2026) and "Condition keys for AWS KMS"
(about 2025), botocore 1.44.5 ``kms`` (2026-11-17) where the pages are older than the API.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

__all__ = [
    "CONDITION_KEYS",
    "CROSS_ACCOUNT",
    "GRANT_OPERATIONS",
    "IAM_ONLY",
    "REQUEST_DEFAULTS",
    "SYMMETRIC_OPERATIONS",
    "ConditionKey",
    "key_exists",
    "key_info",
]

SYMMETRIC_OPERATIONS = frozenset(
    {
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
    }
)
"""Operations that take an encryption context."""

CRYPTOGRAPHIC = SYMMETRIC_OPERATIONS | {
    "Decapsulate",
    "DeriveSharedSecret",
    "Encapsulate",
    "GenerateMac",
    "Sign",
    "Verify",
    "VerifyMac",
}
"""Operations that use a key's material. Decapsulate and Encapsulate are not on the permissions
page; the API says they are cryptographic and usable across accounts."""

GRANT_OPERATIONS = CRYPTOGRAPHIC | {"CreateGrant", "DescribeKey", "GetPublicKey", "RetireGrant"}
"""R5.2: what a grant may contain."""

CROSS_ACCOUNT = CRYPTOGRAPHIC | {
    "CreateGrant",
    "DescribeKey",
    "GetKeyRotationStatus",
    "GetPublicKey",
    "ListGrants",
    "RetireGrant",
    "RevokeGrant",
}
"""R4.3: what may be done to a key of another account."""

IAM_ONLY = frozenset(
    {
        "ConnectCustomKeyStore",
        "CreateCustomKeyStore",
        "CreateKey",
        "DeleteCustomKeyStore",
        "DescribeCustomKeyStores",
        "DisconnectCustomKeyStore",
        "GenerateRandom",
        "ListAliases",
        "ListKeys",
        "ListRetirableGrants",
        "UpdateCustomKeyStore",
    }
)
"""R2.9: what a key policy can neither allow nor deny. (RetireGrant is decided by the grant.)"""

_ON_A_KEY = (
    frozenset(
        {
            "CancelKeyDeletion",
            "CreateAlias",
            "CreateGrant",
            "DeleteAlias",
            "DeleteImportedKeyMaterial",
            "DescribeKey",
            "DisableKey",
            "DisableKeyRotation",
            "EnableKey",
            "EnableKeyRotation",
            "GetKeyLastUsage",
            "GetKeyPolicy",
            "GetKeyRotationStatus",
            "GetParametersForImport",
            "GetPublicKey",
            "ImportKeyMaterial",
            "ListGrants",
            "ListKeyPolicies",
            "ListKeyRotations",
            "ListResourceTags",
            "PutKeyPolicy",
            "ReplicateKey",
            "RevokeGrant",
            "RotateKeyOnDemand",
            "ScheduleKeyDeletion",
            "TagResource",
            "UntagResource",
            "UpdateAlias",
            "UpdateKeyDescription",
            "UpdatePrimaryRegion",
        }
    )
    | CRYPTOGRAPHIC
)
"""Operations on a particular key, except RetireGrant, whose keys the page lists one by one."""

_STORES = frozenset(name for name in IAM_ONLY if name.endswith(("CustomKeyStore", "KeyStores")))
_WITH_CONTEXT = SYMMETRIC_OPERATIONS | {"CreateGrant", "RetireGrant"}
_ENCLAVE = frozenset({"Decrypt", "GenerateDataKey", "GenerateRandom"})


@dataclass(frozen=True, slots=True)
class ConditionKey:
    """One ``kms:`` condition key.

    Attributes:
        name: as AWS writes it; a name ending in ``:`` is a family (``kms:EncryptionContext:``).
        operations: permissions for whose requests the key exists.
        multivalued: True if it needs ForAllValues or ForAnyValue.
        iam_only: True if it is effective in IAM policies only, not in key policies.
        sure: False if AWS does not state the type; taken from an example or from the API.
    """

    name: str
    operations: frozenset[str]
    multivalued: bool = False
    iam_only: bool = False
    sure: bool = True


def _key(
    name: str,
    *operations: str,
    also: frozenset[str] = frozenset(),
    multivalued: bool = False,
    iam_only: bool = False,
    sure: bool = True,
) -> ConditionKey:
    return ConditionKey(name, frozenset(operations) | also, multivalued, iam_only, sure)


_ALL: tuple[ConditionKey, ...] = (
    _key("kms:BypassPolicyLockoutSafetyCheck", "CreateKey", "PutKeyPolicy"),
    _key("kms:CallerAccount", "CreateKey", "RetireGrant", also=_ON_A_KEY | _STORES),
    _key("kms:DataKeyPairSpec", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"),
    _key("kms:EncryptionAlgorithm", also=SYMMETRIC_OPERATIONS),
    _key("kms:EncryptionContext:", also=_WITH_CONTEXT),
    _key("kms:EncryptionContextKeys", also=_WITH_CONTEXT, multivalued=True),
    _key("kms:ExpirationModel", "ImportKeyMaterial"),
    _key("kms:GrantConstraintSourceArn", "CreateGrant", sure=False),
    _key("kms:GrantConstraintType", "CreateGrant", "RetireGrant"),
    _key("kms:GrantIsForAWSResource", "CreateGrant", "ListGrants", "RevokeGrant"),
    _key("kms:GrantOperations", "CreateGrant", multivalued=True),
    _key("kms:GranteePrincipal", "CreateGrant"),
    _key("kms:GranteeServicePrincipal", "CreateGrant", sure=False),
    _key("kms:KeyAgreementAlgorithm", "DeriveSharedSecret"),
    _key("kms:KeyOrigin", "CreateKey", also=_ON_A_KEY),
    _key("kms:KeySpec", "CreateKey", also=_ON_A_KEY),
    _key("kms:KeyUsage", "CreateKey", also=_ON_A_KEY),
    _key("kms:MacAlgorithm", "GenerateMac", "VerifyMac"),
    _key("kms:MessageType", "Sign", "Verify"),
    _key("kms:MultiRegion", "CreateKey", also=_ON_A_KEY),
    _key("kms:MultiRegionKeyType", "CreateKey", also=_ON_A_KEY),
    _key("kms:PolicyName", "GetKeyPolicy", "PutKeyPolicy", sure=False),
    _key("kms:PrimaryRegion", "UpdatePrimaryRegion"),
    _key("kms:ReEncryptOnSameKey", "ReEncryptFrom", "ReEncryptTo"),
    _key("kms:RecipientAttestation:", also=_ENCLAVE),
    _key("kms:ReplicaRegion", "ReplicateKey"),
    # The permissions page leaves DeriveSharedSecret out, the conditions page has all cryptographic
    _key("kms:RequestAlias", "DescribeKey", "GetPublicKey", also=CRYPTOGRAPHIC),
    _key("kms:ResourceAliases", "RetireGrant", also=_ON_A_KEY, multivalued=True, iam_only=True),
    _key("kms:RetiringPrincipal", "CreateGrant"),
    _key("kms:RetiringServicePrincipal", "CreateGrant", sure=False),
    _key("kms:RotationPeriodInDays", "EnableKeyRotation"),
    _key("kms:ScheduleKeyDeletionPendingWindowInDays", "ScheduleKeyDeletion"),
    _key("kms:SigningAlgorithm", "Sign", "Verify"),
    _key("kms:TrailingDaysWithoutKeyUsage", "DisableKey", "ScheduleKeyDeletion", sure=False),
    _key("kms:ValidTo", "ImportKeyMaterial"),
    _key("kms:ViaService", "CreateKey", "RetireGrant", also=_ON_A_KEY),
    _key("kms:WrappingAlgorithm", "GetParametersForImport"),
    _key("kms:WrappingKeySpec", "GetParametersForImport"),
)

CONDITION_KEYS: dict[str, ConditionKey] = {key.name: key for key in _ALL}
"""Every ``kms:`` condition key by AWS's name."""

_BY_LOWER = {key.name.lower(): key for key in _ALL}
_OPERATIONS = {
    name.lower(): name for name in _ON_A_KEY | IAM_ONLY | GRANT_OPERATIONS | CROSS_ACCOUNT
}

REQUEST_DEFAULTS: dict[str, dict[str, str]] = {
    "CreateKey": {
        "kms:keyspec": "SYMMETRIC_DEFAULT",
        "kms:keyusage": "ENCRYPT_DECRYPT",
        "kms:keyorigin": "AWS_KMS",
        "kms:multiregion": "false",
    },
    "GetKeyPolicy": {"kms:policyname": "default"},
    "PutKeyPolicy": {"kms:policyname": "default"},
    "Sign": {"kms:messagetype": "RAW"},
    "Verify": {"kms:messagetype": "RAW"},
    "ScheduleKeyDeletion": {"kms:schedulekeydeletionpendingwindowindays": "30"},
    "EnableKeyRotation": {"kms:rotationperiodindays": "365"},
    **{name: {"kms:encryptionalgorithm": "SYMMETRIC_DEFAULT"} for name in SYMMETRIC_OPERATIONS},
    **{
        name: {"kms:grantisforawsresource": "false"}
        for name in ("CreateGrant", "ListGrants", "RevokeGrant")
    },
}
"""R9.11: a parameter that the request leaves out is tested with the API's default value."""


def operation_name(action: str) -> str:
    """``kms:decrypt`` -> ``Decrypt``; the part after the colon as given if it is unknown."""
    name = action.partition(":")[2]
    return _OPERATIONS.get(name.lower(), name)


def key_info(key: str) -> ConditionKey | None:
    """The condition key, or None if AWS has none of this name. ``key`` in any case."""
    lower = key.lower()
    found = _BY_LOWER.get(lower)
    if found is None:
        for family in ("kms:encryptioncontext:", "kms:recipientattestation:"):
            if lower.startswith(family) and len(lower) > len(family):
                return _BY_LOWER[family]
    return found


@lru_cache(maxsize=8192)
def key_exists(key: str, operation: str, in_key_policy: bool = False) -> bool:
    """R9.10: whether ``key`` is ever present for a request with this operation.

    An operation that the table does not know is given the benefit of the doubt.
    """
    info = key_info(key)
    if info is None:
        return False
    if info.iam_only and in_key_policy:
        return False
    return operation in info.operations or operation.lower() not in _OPERATIONS
