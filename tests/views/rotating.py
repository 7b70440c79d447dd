"""Keys with years of rotations behind them, of each kind: what the rotation timeline shows."""

from __future__ import annotations

import os
from typing import Any

import boto3

from kmscourse import cloud
from tests.cloud.kms.importing import external_key, import_into

ALIAS = "alias/records"


def grow_old(aws: cloud.Cloud) -> tuple[dict[str, str], dict[str, Any]]:
    """Three years: four keys rotated in four ways, and what was encrypted in between."""
    kms = boto3.client("kms")
    automatic = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.enable_key_rotation(KeyId=automatic, RotationPeriodInDays=200)
    imported = external_key(kms, os.urandom(32))
    old = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=ALIAS, TargetKeyId=old)
    managed = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"]
    made = {}

    def encrypt(year: int) -> None:
        for name, key in (("automatic", automatic), ("imported", imported), ("alias", ALIAS)):
            made[f"{name}, year {year}"] = kms.encrypt(
                KeyId=key, Plaintext=b"x", EncryptionContext={"year": str(year)}
            )

    encrypt(1)
    aws.clock.advance(days=370)
    kms.rotate_key_on_demand(KeyId=automatic)
    import_into(kms, imported, os.urandom(32), ImportType="NEW_KEY_MATERIAL")
    kms.rotate_key_on_demand(KeyId=imported)
    new = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName=ALIAS, TargetKeyId=new)
    aws.clock.advance(days=30)
    encrypt(2)
    aws.clock.advance(days=300)
    kms.schedule_key_deletion(KeyId=old, PendingWindowInDays=7)
    aws.clock.advance(days=400)
    keys = {"By itself": automatic, "Imported": imported, "By alias": ALIAS, "Of AWS": managed}
    return keys, made
