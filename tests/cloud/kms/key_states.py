"""AWS's table of key states and operations, as data.

Source: AWS KMS Developer Guide, "Key states of AWS KMS keys", as of 2023-02-05: older than
RotateKeyOnDemand and the operations that came after it, and older than imported HMAC and
asymmetric keys, which is why some cells say "not applicable" of what exists today.

Each cell: ``ok`` works, ``no`` fails, ``if`` depends on the kind of key, ``na`` not applicable;
then the footnotes. Two footnotes in one cell mean: the one or the other.
"""

from __future__ import annotations

STATES = (
    "Enabled",
    "Disabled",
    "PendingDeletion",
    "PendingImport",
    "Unavailable",
    "Creating",
    "Updating",
)

FOOTNOTES = {
    "1": ("DisabledException", "is disabled."),
    "2": ("DisabledException", "is pending deletion."),
    "3": ("KMSInvalidStateException", "is pending deletion."),
    "4": ("KMSInvalidStateException", "is not pending deletion."),
    "5": ("KMSInvalidStateException", "is pending import."),
    "6": (
        "UnsupportedOperationException",
        "origin is EXTERNAL which is not valid for this operation.",
    ),
    # 7: of imported keys and keys in custom key stores; 9: of all keys but imported ones.
    "7": ("UnsupportedOperationException", ""),
    "8": ("KMSInvalidStateException", ""),
    "9": ("UnsupportedOperationException", ""),
    # 10: UpdateAlias works from a key that is pending deletion, not to one.
    "10": ("KMSInvalidStateException", "is pending deletion."),
    "11": (
        "KMSInvalidStateException",
        "is unavailable. You cannot perform this operation on an unavailable KMS key.",
    ),
    # 12: the key state changes only when the key becomes available.
    # 13: a key pending deletion stays so when its key store is disconnected.
    "14": ("KMSInvalidStateException", "is creating."),
    "15": ("KMSInvalidStateException", "is updating."),
}

_TABLE = """
CancelKeyDeletion                    no.4     no.4     ok       no.4     no.4+13  no.4     no.4
CreateAlias                          ok       ok       no.3     ok       ok       ok       ok
CreateGrant                          ok       no.1     no.2+3   no.5     ok       no.14    ok
Decrypt                              ok       no.1     no.2+3   no.5     no.11    no.14    ok
DeleteAlias                          ok       ok       ok       ok       ok       ok       ok
DeleteImportedKeyMaterial            ok.9     ok.9     ok.9     ok       na       no.14    no.15
DescribeKey                          ok       ok       ok       ok       ok       ok       ok
DisableKey                           ok       ok       no.3     no.5     ok.12    no.14    no.15
DisableKeyRotation                   if.7     no.1+7   no.3+7   no.6     no.7     no.14    if.7
EnableKey                            ok       ok       no.3     no.5     ok.12    no.14    no.15
EnableKeyRotation                    if.7     no.1+7   no.3+7   no.6     no.7     no.14    if.7
Encrypt                              ok       no.1     no.2+3   no.5     no.11    no.14    ok
GenerateDataKey                      ok       no.1     no.2+3   no.5     no.11    no.14    ok
GenerateDataKeyPair                  ok       no.1     no.2+3   no.5     no.11    no.14    ok
GenerateDataKeyPairWithoutPlaintext  ok       no.1     no.2+3   no.5     no.11    no.14    ok
GenerateDataKeyWithoutPlaintext      ok       no.1     no.2+3   no.5     no.11    no.14    ok
GenerateMac                          ok       no.1     no.2+3   na       na       no.14    ok
GetKeyPolicy                         ok       ok       ok       ok       ok       ok       ok
GetKeyRotationStatus                 if.7     if.7     if.7     no.6     no.7     if.7     if.7
GetParametersForImport               if.9     if.9     no.8+9   ok       no.9     no.14    no.15
GetPublicKey                         ok       no.1     no.2+3   na       na       no.14    ok
ImportKeyMaterial                    if.9     if.9     no.8+9   ok       no.9     no.14    ok
ListAliases                          ok       ok       ok       ok       ok       ok       ok
ListGrants                           ok       ok       ok       ok       ok       ok       ok
ListKeyPolicies                      ok       ok       ok       ok       ok       ok       ok
ListResourceTags                     ok       ok       ok       ok       ok       ok       ok
PutKeyPolicy                         ok       ok       ok       ok       ok       ok       ok
ReEncrypt                            ok       no.1     no.2+3   no.5     no.11    no.14    ok
ReplicateKey                         ok       no.1     no.2+3   no.5     na       no.14    no.15
RetireGrant                          ok       ok       ok       ok       ok       ok       ok
RevokeGrant                          ok       ok       ok       ok       ok       ok       ok
ScheduleKeyDeletion                  ok       ok       no.3     ok       ok       ok       no.15
Sign                                 ok       no.1     no.2+3   na       na       no.14    ok
TagResource                          ok       ok       no.3     ok       ok       ok       ok
UntagResource                        ok       ok       no.3     ok       ok       ok       ok
UpdateAlias                          ok       ok       if.10    ok       ok       ok       ok
UpdateKeyDescription                 ok       ok       no.3     ok       ok       ok       ok
UpdatePrimaryRegion                  ok       no.1     no.2+3   no.5     na       no.14    ok
Verify                               ok       no.1     no.2+3   na       na       no.14    ok
VerifyMac                            ok       no.1     no.2+3   na       na       no.14    ok
"""

CELLS: dict[tuple[str, str], str] = {
    (operation, state): cell
    for operation, *cells in map(str.split, _TABLE.strip().splitlines())
    for state, cell in zip(STATES, cells, strict=True)
}
