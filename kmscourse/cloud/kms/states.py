"""Which operations a key's state allows. One table for all, one set of words.

Source: AWS KMS Developer Guide, "Key states of AWS KMS keys". The table of February 2023 does
not know RotateKeyOnDemand, ListKeyRotations, DeriveSharedSecret, Encapsulate, Decapsulate and
GetKeyLastUsage; they stand with the operations of their kind.
"""

from __future__ import annotations

from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms.keys import (
    CREATING,
    DISABLED,
    PENDING_DELETION,
    PENDING_IMPORT,
    PENDING_REPLICA_DELETION,
    UNAVAILABLE,
    UPDATING,
    Key,
)

_DELETION = frozenset({PENDING_DELETION, PENDING_REPLICA_DELETION})

#: The states in which an operation of each kind is refused.
USES = _DELETION | {DISABLED, PENDING_IMPORT, UNAVAILABLE, CREATING}
GRANTS = _DELETION | {DISABLED, PENDING_IMPORT, CREATING}
CHANGES = _DELETION
SWITCHES = _DELETION | {PENDING_IMPORT, CREATING, UPDATING}
ROTATES = _DELETION | {DISABLED, PENDING_IMPORT, CREATING}
REPLICATES = _DELETION | {DISABLED, PENDING_IMPORT, CREATING, UPDATING}
MOVES_PRIMARY = _DELETION | {DISABLED, PENDING_IMPORT, CREATING}
PREPARES_IMPORT = _DELETION | {CREATING, UPDATING}
IMPORTS = _DELETION | {CREATING}
DELETES_MATERIAL = frozenset({CREATING, UPDATING})
SCHEDULES = _DELETION | {UPDATING}
ALWAYS: frozenset[str] = frozenset()

_WORDS = {
    PENDING_DELETION: "is pending deletion.",
    PENDING_REPLICA_DELETION: "is pending replica deletion.",
    PENDING_IMPORT: "is pending import.",
    UNAVAILABLE: "is unavailable. You cannot perform this operation on an unavailable KMS key.",
    CREATING: "is creating.",
    UPDATING: "is updating.",
}


def check(key: Key, refused: frozenset[str]) -> None:
    """Refuse what the key's state does not allow, in AWS's words.

    Raises:
        AWSError: ``DisabledException`` or ``KMSInvalidStateException``.
    """
    state = key.state
    if state not in refused:
        return
    if state == DISABLED:
        raise AWSError("DisabledException", f"{key.arn} is disabled.")
    raise AWSError("KMSInvalidStateException", f"{key.arn} {_WORDS[state]}")


def invalid(key: Key, words: str) -> AWSError:
    """``KMSInvalidStateException`` about a key, with the words that follow its ARN."""
    return AWSError("KMSInvalidStateException", f"{key.arn} {words}")


def unsupported(key: Key, about: str, value: str) -> AWSError:
    """What cannot be done with a key of this kind: ``origin is EXTERNAL which is not valid``."""
    return AWSError(
        "UnsupportedOperationException",
        f"{key.arn} {about} is {value} which is not valid for this operation.",
    )
