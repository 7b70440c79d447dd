"""Which key encrypts a volume or snapshot, and how content moves from one key to another.

Source: botocore ec2 CreateVolume, CopySnapshot, ModifyEbsDefaultKmsKeyId; Amazon EC2 User Guide,
"Amazon EBS encryption" (how it works, outcomes); facts EBS-02, EBS-05 to EBS-07.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmscourse.cloud.at_rest import infrastructure
from kmscourse.cloud.at_rest.blocks import Blocks, WrappedKey
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import aws_managed

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

AWS_MANAGED = "alias/aws/ebs"


@dataclass(slots=True)
class Stored:
    """What EBS keeps of a volume or snapshot.

    Attributes:
        key: its data key, wrapped; None where it is not encrypted.
    """

    id: str
    account: str
    region: str
    blocks: Blocks
    key: WrappedKey | None = None


@dataclass(slots=True)
class Settings:
    """What an account says about encryption in one Region."""

    key_id: str | None = None


def choose(
    gateway: Gateway,
    call: Call,
    settings: Settings,
    *,
    encrypted: bool,
    key_id: str | None,
    source: Stored | None,
    same_as_source: bool = True,
) -> str | None:
    """The key for something new; None where it is not to be encrypted.

    Args:
        encrypted: whether the request or encryption by default asks for it.
        source: the snapshot it is made from.
        same_as_source: whether the key of one's own snapshot goes before the default (a volume's
            does, a copy's does not).
    """
    if source is not None and source.key is not None:
        own = source.account == call.account and source.region == call.region
        if key_id is None and own and same_as_source:
            return source.key.key_arn
        encrypted = True
    if not encrypted:
        return None
    chosen = key_id or settings.key_id or AWS_MANAGED
    if chosen.endswith(AWS_MANAGED):
        key = aws_managed.ensure(gateway.kms, "ebs", call.account, call.region, call.time)
        return key.arn if key_id is None else chosen
    return chosen


def fill(
    gateway: Gateway, call: Call, new: Stored, source: Stored | None, key_id: str | None
) -> None:
    """Give something new its data key, and the content of what it is made from.

    Under the key of its source it keeps the source's data key, as AWS says; that KMS is asked
    with ReEncrypt for it is inferred. Under another key the content is encrypted anew, by EBS in
    its own role: for that the caller makes a grant on either key.

    Raises:
        AWSError: as KMS refuses it; nothing is changed.
    """
    context = {"aws:ebs:id": new.id}
    size = new.blocks.size
    if key_id is None:
        new.blocks = source.blocks.copy(size) if source else new.blocks
        return
    if source is None:
        new.key = infrastructure.make_key(gateway, call, key_id, context)
        return
    there = infrastructure.at(call, source.region)
    if source.key is not None:
        gateway.on_behalf(there, "kms", "DescribeKey", {"KeyId": source.key.key_arn})
        if infrastructure.full_arn(gateway, call, key_id) == source.key.key_arn:
            new.key = _same_data_key(gateway, call, source.key, context)
            new.blocks = source.blocks.copy(size)
            return
    made = infrastructure.make_key(gateway, call, key_id, context)
    held = []
    try:
        who = infrastructure.role("ec2", call.account, new.id)
        old = None
        if source.key is not None:
            held.append(
                infrastructure.grant(gateway, there, source.key.key_arn, who, source.key.context)
            )
            old = infrastructure.open_key(gateway, there, held[-1], source.key)
        held.append(infrastructure.grant(gateway, call, made.key_arn, who, context))
        opened = infrastructure.open_key(gateway, call, held[-1], made)
    finally:
        for each in held:
            infrastructure.give_back(gateway, each)
    new.blocks, new.key = source.blocks.under(old, opened, size), made


def _same_data_key(
    gateway: Gateway, call: Call, key: WrappedKey, context: dict[str, str]
) -> WrappedKey:
    made = gateway.on_behalf(
        call,
        "kms",
        "ReEncrypt",
        {
            "CiphertextBlob": key.ciphertext,
            "SourceEncryptionContext": dict(key.context),
            "DestinationKeyId": key.key_arn,
            "DestinationEncryptionContext": context,
        },
    )
    return WrappedKey(made["CiphertextBlob"], key.key_arn, context)


def check_parameters(call: Call, *, encrypted: bool) -> str | None:
    """The key that a request names.

    Raises:
        AWSError: InvalidParameterDependency, for a key without encryption.
    """
    key_id = call.parameters.get("KmsKeyId")
    if key_id and not encrypted:
        raise AWSError(
            "InvalidParameterDependency",
            "The parameter KmsKeyId requires the parameter Encrypted to be set.",
        )
    return str(key_id) if key_id else None
