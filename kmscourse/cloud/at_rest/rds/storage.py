"""The storage of one database: the file of a SQLite database, encrypted sector by sector.

A sector has the size of a page of SQLite, so the file is encrypted page by page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kmscourse.cloud.at_rest.blocks import Blocks, StoredDisk, WrappedKey
from kmscourse.cloud.at_rest.infrastructure import Held

#: More than any database here will ever need, in bytes.
_SIZE = 1 << 46

#: What `StorageEncryptionType` says (fact RDS-03).
NONE, AWS_OWNED, KMS_KEY = "none", "sse-rds", "sse-kms"


@dataclass(slots=True)
class Storage:
    """What RDS keeps of an instance, a cluster or a snapshot.

    Attributes:
        name: its identifier.
        kind: ``"db"``, ``"cluster"``, or either with ``"-snapshot"``.
        context: the encryption context of its data key.
        blocks: the pages, as they lie there.
        length: of the database's file, in bytes.
        key: the data key, wrapped by KMS; None where it is not encrypted, or by AWS's own key.
        opened: the data key in the memory of the database's host; None while it has no access.
        held: the grant by which RDS opens the key.
        followers: copies that receive every change: replicas, and clusters of other Regions.
        lost: since when RDS has no access to the key.
    """

    name: str
    kind: str
    account: str
    region: str
    context: Mapping[str, str]
    blocks: Blocks = field(default_factory=lambda: Blocks(_SIZE))
    length: int = 0
    encryption: str = NONE
    key: WrappedKey | None = None
    opened: bytes | None = None
    held: Held | None = None
    followers: list[Storage] = field(default_factory=list)
    leader: Storage | None = None
    lost: datetime | None = None

    @property
    def key_arn(self) -> str | None:
        """The KMS key; None where there is none, or it is AWS's own."""
        return self.key.key_arn if self.key else None

    @property
    def usable(self) -> bool:
        """Whether the data key is at hand, where one is needed."""
        return self.encryption == NONE or self.opened is not None

    def image(self, key: bytes | None = None) -> bytes:
        """The database's file, decrypted.

        Args:
            key: the data key, where the storage does not hold it (a snapshot's).
        """
        return self.blocks.read(key or self.opened, 0, self.length)

    def put(self, image: bytes) -> None:
        """Store the database's file, here and with those that follow."""
        assert self.usable, "nothing is ever stored without its key"
        self.blocks = Blocks(_SIZE)
        self.blocks.write(self.opened, 0, image)
        self.length = len(image)
        for follower in self.followers:
            if follower.usable:
                follower.put(image)

    def follow(self, leader: Storage) -> None:
        """Receive every change of another from now on, and what it has."""
        self.leader = leader
        leader.followers.append(self)
        self.put(leader.image())

    def part(self) -> None:
        """Stand alone from now on."""
        if self.leader is not None:
            self.leader.followers.remove(self)
            self.leader = None

    def stored(self) -> StoredDisk:
        """What lies there, for whoever steals the disk."""
        return StoredDisk.of(self.name, self.blocks, self.key, encrypted=self.encryption != NONE)
