"""KMS keys: what AWS keeps about each, and the key material inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: A key that is scheduled for deletion cannot be used, and neither can a disabled one.
ENABLED = "Enabled"
DISABLED = "Disabled"
PENDING_DELETION = "PendingDeletion"


@dataclass(slots=True)
class KeyMaterial:
    """One version of a key's secret material. Every rotation adds one; none is ever dropped.

    Attributes:
        id: the KeyMaterialId, 64 hexadecimal digits.
        secret: the material itself; for a symmetric key 32 bytes of AES-256.
        created: when this version became current.
    """

    id: str
    secret: bytes = field(repr=False)
    created: datetime


@dataclass(slots=True)
class Key:
    """A KMS key with its metadata, policy and material, oldest version first."""

    id: str
    account: str
    region: str
    created: datetime
    policy: str
    description: str = ""
    state: str = ENABLED
    manager: str = "CUSTOMER"
    origin: str = "AWS_KMS"
    spec: str = "SYMMETRIC_DEFAULT"
    usage: str = "ENCRYPT_DECRYPT"
    deletion_date: datetime | None = None
    #: When deletion was scheduled: from then on the key costs nothing.
    deletion_scheduled: datetime | None = None
    tags: dict[str, str] = field(default_factory=dict)
    materials: list[KeyMaterial] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """The key ARN."""
        return f"arn:aws:kms:{self.region}:{self.account}:key/{self.id}"

    @property
    def current(self) -> KeyMaterial:
        """The version that encrypts."""
        return self.materials[-1]

    def material(self, material_id: str) -> KeyMaterial | None:
        """The version with an id, however old; None where this key never had it."""
        return next((each for each in self.materials if each.id == material_id), None)

    def metadata(self) -> dict[str, Any]:
        """The KeyMetadata of DescribeKey."""
        metadata: dict[str, Any] = {
            "AWSAccountId": self.account,
            "KeyId": self.id,
            "Arn": self.arn,
            "CreationDate": self.created,
            "Enabled": self.state == ENABLED,
            "Description": self.description,
            "KeyUsage": self.usage,
            "KeyState": self.state,
            "Origin": self.origin,
            "KeyManager": self.manager,
            "CustomerMasterKeySpec": self.spec,
            "KeySpec": self.spec,
            "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
            "MultiRegion": False,
            "CurrentKeyMaterialId": self.current.id,
        }
        if self.deletion_date is not None:
            metadata["DeletionDate"] = self.deletion_date
        return metadata
