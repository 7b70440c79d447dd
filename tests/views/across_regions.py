"""A multi-Region key in two Regions, used from both, and a Region that fails."""

from __future__ import annotations

from contextlib import suppress

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from kmscourse import cloud

HOME, AWAY = "us-east-1", "eu-west-1"
_ONCE = Config(retries={"total_max_attempts": 1})


def fail_over(aws: cloud.Cloud) -> dict[str, str]:
    """Encrypt at home, decrypt away, and then lose the home Region. Returns the ARNs, as away."""
    home, away = (boto3.client("kms", region_name=each, config=_ONCE) for each in (HOME, AWAY))
    arn = home.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    home.create_alias(AliasName="alias/records", TargetKeyId=arn)
    home.replicate_key(
        KeyId=arn, ReplicaRegion=AWAY, Tags=[{"TagKey": "for", "TagValue": "Dublin"}]
    )
    blob = home.encrypt(KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    home.rotate_key_on_demand(KeyId=arn)
    away.decrypt(CiphertextBlob=blob)
    single = home.create_key()["KeyMetadata"]["Arn"]
    other = home.encrypt(KeyId=single, Plaintext=b"x")["CiphertextBlob"]
    aws.regions.off(HOME)
    for ask, sealed in ((home, blob), (away, other)):
        with suppress(ClientError):
            ask.decrypt(CiphertextBlob=sealed)
    away.decrypt(CiphertextBlob=blob)
    return {"Records": arn.replace(HOME, AWAY), "Old": single}
