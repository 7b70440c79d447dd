"""How RDS gets the data key of a storage, and what it says where it cannot.

The caller's identity describes the key and makes a grant for RDS; all else RDS does by that grant.

Source: Amazon RDS User Guide, "Encrypting Amazon RDS resources" and "AWS KMS key management"
(kms:CreateGrant and kms:DescribeKey; encryption context ``aws:rds:db-id``). The two sentences of
KMSKeyNotAccessibleFault are AWS's, as users report them. RDS's role, and ``aws:rds:dbc-id`` for
clusters, are inferred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmscourse.cloud.at_rest import infrastructure
from kmscourse.cloud.at_rest.blocks import KEY_BYTES, WrappedKey
from kmscourse.cloud.at_rest.infrastructure import Held
from kmscourse.cloud.at_rest.rds.storage import KMS_KEY, Storage
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import aws_managed
from kmscourse.cloud.kms.keys import ENABLED

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

AWS_MANAGED = "alias/aws/rds"


def of_request(gateway: Gateway, call: Call, key_id: str | None) -> str:
    """The key that a request means: the AWS managed key, made where needed, if it names none."""
    if key_id is not None and not key_id.endswith(AWS_MANAGED):
        return key_id
    return aws_managed.ensure(gateway.kms, "rds", call.account, call.region, call.time).arn


def lock(gateway: Gateway, call: Call, storage: Storage, key_id: str) -> None:
    """Give a new storage its data key, and RDS a grant to open it.

    Raises:
        AWSError: KMSKeyNotAccessibleFault.
    """
    try:
        held, arn = _grant(gateway, call, storage, key_id)
        made = infrastructure.act(
            gateway,
            call,
            held,
            "GenerateDataKeyWithoutPlaintext",
            {"KeyId": arn, "NumberOfBytes": KEY_BYTES, "EncryptionContext": dict(storage.context)},
        )
        key = WrappedKey(made["CiphertextBlob"], made["KeyId"], dict(storage.context))
        opened = infrastructure.open_key(gateway, call, held, key)
    except AWSError as error:
        raise not_accessible(f"Specified KMS key [{key_id}]") from error
    storage.key, storage.held, storage.opened = key, held, opened
    storage.encryption = KMS_KEY


def unlock_snapshot(gateway: Gateway, call: Call, source: Storage) -> bytes | None:
    """The data key of a snapshot, for the time of a copy or a restore.

    Raises:
        AWSError: KMSKeyNotAccessibleFault.
    """
    if source.key is None:
        return source.opened
    there = infrastructure.at(call, source.region)
    try:
        held, _ = _grant(gateway, there, source, source.key.key_arn)
        try:
            return infrastructure.open_key(gateway, there, held, source.key)
        finally:
            infrastructure.give_back(gateway, held)
    except AWSError as error:
        raise not_accessible(f"The source snapshot KMS key [{source.key.key_arn}]") from error


def reopen(gateway: Gateway, call: Call, storage: Storage) -> None:
    """Open the data key again by RDS's own grant.

    Raises:
        AWSError: KMSKeyNotAccessibleFault.
    """
    if storage.key is None or storage.held is None:
        return
    try:
        storage.opened = infrastructure.open_key(gateway, call, storage.held, storage.key)
    except AWSError as error:
        raise not_accessible(f"Specified KMS key [{storage.key.key_arn}]") from error
    storage.lost = None


def has_access(gateway: Gateway, storage: Storage) -> bool:
    """Whether RDS can use the key of a storage: it is enabled, and the grant is still there."""
    if storage.key is None or storage.held is None:
        return True
    key = infrastructure.key_of(gateway, storage.key.key_arn)
    if key is None or key.state != ENABLED:
        return False
    return storage.held.grant_id in gateway.kms.region(key.account, key.region).grants


def not_accessible(what: str) -> AWSError:
    """KMSKeyNotAccessibleFault, in AWS's words."""
    return AWSError(
        "KMSKeyNotAccessibleFault",
        f"{what} does not exist, is not enabled or you do not have permissions to access it.",
    )


def _grant(gateway: Gateway, call: Call, storage: Storage, key_id: str) -> tuple[Held, str]:
    described = gateway.on_behalf(call, "kms", "DescribeKey", {"KeyId": key_id})
    arn: str = described["KeyMetadata"]["Arn"]
    session = next(iter(storage.context.values()))
    held = infrastructure.grant(
        gateway,
        call,
        arn,
        infrastructure.role("rds", call.account, session),
        storage.context,
        ("Decrypt", "GenerateDataKeyWithoutPlaintext"),
    )
    return held, arn
