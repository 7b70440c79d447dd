"""Fresh key material."""

from __future__ import annotations

import hashlib
from datetime import datetime

from kmscourse.cloud.kms import key_pairs
from kmscourse.cloud.kms.keys import KeyMaterial
from kmscourse.cloud.randomness import Randomness


def new(random: Randomness, spec: str, when: datetime, how: str | None = None) -> KeyMaterial:
    """Fresh material for a spec. Its id gives nothing of it away: it is random, too.

    Args:
        how: ``AUTOMATIC`` or ``ON_DEMAND`` for a rotation; None for the first.
    """
    secret = key_pairs.new_secret(random, spec)
    return KeyMaterial(
        id=hashlib.sha256(b"key material id" + random.bytes(32)).hexdigest(),
        secret=secret,
        created=when,
        rotation=how,
    )


def imported_id(key_id: str, secret: bytes) -> str:
    """The id of imported material: from the key's id and the material (botocore ImportKeyMaterial).

    A hash of 256 random bits gives nothing of them away.
    """
    return hashlib.sha256(b"imported\0" + key_id.encode() + b"\0" + secret).hexdigest()
