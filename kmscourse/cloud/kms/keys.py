"""KMS keys: what AWS keeps about each, and the key material inside.

Related multi-Region keys have one `Core` between them: what AWS keeps in step. What is each
Region's own stands in `Key`. A single-Region key has a core to itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kmscourse.cloud.call import Call
from kmscourse.cloud.kms import specs

ENABLED = "Enabled"
DISABLED = "Disabled"
PENDING_DELETION = "PendingDeletion"
PENDING_REPLICA_DELETION = "PendingReplicaDeletion"
PENDING_IMPORT = "PendingImport"
UNAVAILABLE = "Unavailable"
CREATING = "Creating"
UPDATING = "Updating"

EXPIRES = "KEY_MATERIAL_EXPIRES"
LASTS = "KEY_MATERIAL_DOES_NOT_EXPIRE"


@dataclass(slots=True)
class KeyMaterial:
    """One version of a key's secret material. Every rotation adds one; none is ever dropped.

    Attributes:
        id: the KeyMaterialId, 64 hexadecimal digits.
        secret: the material itself: 32 bytes of AES-256, the bytes of an HMAC key, or what a
            private key is made from. Empty for imported material, which each Region holds for
            itself, and for RSA keys until their first use.
        created: when this version became current; None for imported material that waits.
        rotation: ``AUTOMATIC`` or ``ON_DEMAND``; None for the first material.
        description: what the importer wrote about it.
        pair: the private key, once it was needed.
    """

    id: str
    secret: bytes = field(repr=False)
    created: datetime | None
    rotation: str | None = None
    description: str | None = None
    pair: Any = field(default=None, repr=False)


@dataclass(slots=True)
class Imported:
    """Imported key material as one Region holds it.

    Attributes:
        secret: the bytes; None once they expired or were deleted.
        valid_to: when they expire; None for never.
    """

    secret: bytes | None = field(repr=False)
    valid_to: datetime | None = None


@dataclass(slots=True)
class Rotation:
    """Automatic rotation as it was switched on, and what is left of rotating by hand.

    Attributes:
        period: days between rotations; None while it is off.
        next: when the next one is due; in the past where the key could not be rotated then.
        on_demand: how many rotations on demand the key has had.
        started: when a rotation on demand was asked for that is still going on.
    """

    period: int | None = None
    next: datetime | None = None
    on_demand: int = 0
    started: datetime | None = None


@dataclass(slots=True)
class Core:
    """What related multi-Region keys have in common. Source: fact MRK-01.

    Attributes:
        materials: oldest version first; the one in use last but for imported material that
            waits for its rotation.
        primary: the Region of the primary key.
        members: the related keys by Region; empty for a single-Region key.
    """

    spec: str = specs.SYMMETRIC
    usage: str = specs.ENCRYPT
    origin: str = "AWS_KMS"
    materials: list[KeyMaterial] = field(default_factory=list)
    rotation: Rotation = field(default_factory=Rotation)
    primary: str = ""
    members: dict[str, Key] = field(default_factory=dict)

    @property
    def current(self) -> KeyMaterial | None:
        """The version that encrypts; None before anything was imported."""
        return next((each for each in reversed(self.materials) if each.created), None)

    @property
    def waiting(self) -> KeyMaterial | None:
        """Imported material that waits for its rotation."""
        return next((each for each in self.materials if each.created is None), None)

    @property
    def associated(self) -> list[KeyMaterial]:
        """The versions that the key needs for good: all but those that wait."""
        return [each for each in self.materials if each.created is not None]


@dataclass(slots=True)
class Key:
    """A KMS key of one Region: its metadata, its policy, and the core it shares."""

    id: str
    account: str
    region: str
    created: datetime
    policy: str
    description: str = ""
    manager: str = "CUSTOMER"
    core: Core = field(default_factory=Core)
    enabled: bool = True
    multi_region: bool = False
    #: What passes by itself: Creating or Updating, while KMS is at it.
    transient: str | None = None
    deletion_date: datetime | None = None
    #: When deletion was scheduled: from then on the key costs nothing.
    deletion_scheduled: datetime | None = None
    #: The waiting period of a primary key that waits for its replicas' end.
    deletion_window: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    #: Imported material by its id, as this Region holds it.
    imported: dict[str, Imported] = field(default_factory=dict)
    #: The custom key store that holds the key.
    store: Any = None
    external_key_id: str | None = None
    #: The last successful cryptographic operation.
    last_use: Call | None = field(default=None, repr=False)

    @property
    def arn(self) -> str:
        """The key ARN."""
        return f"arn:aws:kms:{self.region}:{self.account}:key/{self.id}"

    @property
    def spec(self) -> str:
        """The key spec, e.g. ``SYMMETRIC_DEFAULT``."""
        return self.core.spec

    @property
    def usage(self) -> str:
        """The one key usage, e.g. ``ENCRYPT_DECRYPT``."""
        return self.core.usage

    @property
    def origin(self) -> str:
        """Where the material is from, e.g. ``AWS_KMS``."""
        return self.core.origin

    @property
    def materials(self) -> list[KeyMaterial]:
        """The versions of the material, oldest first."""
        return self.core.materials

    @property
    def current(self) -> KeyMaterial:
        """The version that encrypts."""
        current = self.core.current
        assert current is not None, "the key's state is checked before its material is used"
        return current

    @property
    def is_primary(self) -> bool:
        """Whether this is the primary key of a multi-Region set."""
        return self.multi_region and self.core.primary == self.region

    @property
    def replicas(self) -> list[Key]:
        """The related replica keys, by Region."""
        members = self.core.members
        return [members[region] for region in sorted(members) if region != self.core.primary]

    @property
    def state(self) -> str:
        """The key state. Source: AWS KMS Developer Guide, "Key states of AWS KMS keys"."""
        if self.deletion_window is not None:
            return PENDING_REPLICA_DELETION
        if self.deletion_date is not None:
            return PENDING_DELETION
        if self.transient is not None:
            return self.transient
        if self.store is not None and self.store.state != "CONNECTED":
            return UNAVAILABLE
        if self.origin == "EXTERNAL" and not self.has_all_material:
            return PENDING_IMPORT
        return ENABLED if self.enabled else DISABLED

    @property
    def has_all_material(self) -> bool:
        """Whether everything that was imported for good is there (fact IMP-08)."""
        wanted = self.core.associated
        return bool(wanted) and all(self.secret(each) is not None for each in wanted)

    def secret(self, material: KeyMaterial) -> bytes | None:
        """The bytes of one version as this Region holds them; None where they are gone."""
        if self.origin != "EXTERNAL":
            return material.secret
        held = self.imported.get(material.id)
        return held.secret if held is not None else None

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
            specs.ALGORITHMS_FIELD[self.usage]: list(specs.ALGORITHMS[self.spec][self.usage]),
            "MultiRegion": self.multi_region,
        }
        current = self.core.current
        if self.spec == specs.SYMMETRIC and self.store is None and current is not None:
            metadata["CurrentKeyMaterialId"] = current.id
        if self.deletion_date is not None:
            metadata["DeletionDate"] = self.deletion_date
        if self.deletion_window is not None:
            metadata["PendingDeletionWindowInDays"] = self.deletion_window
        if self.origin == "EXTERNAL":
            metadata |= self._expiry()
        if self.store is not None:
            metadata |= self.store.of_key(self)
        if self.multi_region:
            metadata["MultiRegionConfiguration"] = {
                "MultiRegionKeyType": "PRIMARY" if self.is_primary else "REPLICA",
                "PrimaryKey": next(_place(k) for k in self._related() if k.is_primary),
                "ReplicaKeys": [_place(key) for key in self.replicas],
            }
        return metadata

    def _related(self) -> Iterable[Key]:
        return self.core.members.values()

    def _expiry(self) -> dict[str, Any]:
        held = [self.imported[m.id] for m in self.core.associated if m.id in self.imported]
        if not held or not self.has_all_material:
            return {}
        ends = [each.valid_to for each in held if each.valid_to is not None]
        if not ends:
            return {"ExpirationModel": LASTS}
        return {"ExpirationModel": EXPIRES, "ValidTo": min(ends)}


def _place(key: Key) -> dict[str, str]:
    return {"Arn": key.arn, "Region": key.region}
