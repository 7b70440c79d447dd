"""Multi-Region keys: what is kept in step, what is each Region's own, and how they end."""

from __future__ import annotations

import os
from typing import Any

from kmscourse import cloud
from tests.cloud.kms.conftest import hold_work, refused
from tests.cloud.kms.importing import external_key, import_into

HERE, THERE = "us-east-1", "eu-west-1"


def _metadata(kms: Any, key: str) -> dict[str, Any]:
    found: dict[str, Any] = kms.describe_key(KeyId=key)["KeyMetadata"]
    return found


def _primary(kms: Any, **more: Any) -> str:
    return str(kms.create_key(MultiRegion=True, **more)["KeyMetadata"]["KeyId"])


def test_either_region_opens_what_the_other_sealed(kms: Any, kms_eu: Any) -> None:
    key = _primary(kms)
    before = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    assert kms_eu.decrypt(CiphertextBlob=before)["Plaintext"] == b"x"
    back = kms_eu.encrypt(KeyId=key, Plaintext=b"y")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=back)["Plaintext"] == b"y"
    kms.rotate_key_on_demand(KeyId=key)
    after = kms.encrypt(KeyId=key, Plaintext=b"z")["CiphertextBlob"]
    assert kms_eu.decrypt(CiphertextBlob=after)["Plaintext"] == b"z"
    assert kms_eu.decrypt(CiphertextBlob=before)["Plaintext"] == b"x"


def test_what_is_kept_in_step_and_what_is_not(kms: Any, kms_eu: Any) -> None:
    key = _primary(kms, Description="here", Tags=[{"TagKey": "a", "TagValue": "1"}])
    kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
    kms.create_alias(AliasName="alias/records", TargetKeyId=key)
    kms.disable_key(KeyId=key)
    there = _metadata(kms_eu, key)
    assert there["CurrentKeyMaterialId"] == _metadata(kms, key)["CurrentKeyMaterialId"]
    assert kms_eu.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 100
    assert (there["KeyState"], there["Description"]) == ("Enabled", "")
    assert kms_eu.list_resource_tags(KeyId=key)["Tags"] == []
    refused("NotFoundException", kms_eu.describe_key, KeyId="alias/records")
    for call in (kms_eu.disable_key_rotation, kms_eu.rotate_key_on_demand):
        refused("UnsupportedOperationException", call, KeyId=key)
    config = there["MultiRegionConfiguration"]
    assert config["MultiRegionKeyType"] == "REPLICA"
    assert config["PrimaryKey"]["Region"] == HERE
    assert [replica["Region"] for replica in config["ReplicaKeys"]] == [THERE]


def test_the_primary_region_can_move(aws: cloud.Cloud, kms: Any, kms_eu: Any) -> None:
    key = _primary(kms)
    kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    hold_work(aws, minutes=1)
    kms.update_primary_region(KeyId=key, PrimaryRegion=THERE)
    assert [_metadata(c, key)["KeyState"] for c in (kms, kms_eu)] == ["Updating"] * 2
    aws.clock.advance(minutes=1)
    assert [_metadata(c, key)["KeyState"] for c in (kms, kms_eu)] == ["Enabled"] * 2
    assert _metadata(kms, key)["MultiRegionConfiguration"]["PrimaryKey"]["Region"] == THERE
    refused("UnsupportedOperationException", kms.replicate_key, KeyId=key,
            ReplicaRegion="ap-southeast-2")  # fmt: skip
    kms_eu.replicate_key(KeyId=key, ReplicaRegion="ap-southeast-2")


def test_a_replica_is_creating_for_a_while(aws: cloud.Cloud, kms: Any, kms_eu: Any) -> None:
    hold_work(aws, minutes=1)
    key = _primary(kms)
    made = kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    assert made["ReplicaKeyMetadata"]["KeyState"] == "Creating"
    message = refused("KMSInvalidStateException", kms_eu.encrypt, KeyId=key, Plaintext=b"x")
    assert message.endswith("is creating.")
    aws.clock.advance(minutes=1)
    kms_eu.encrypt(KeyId=key, Plaintext=b"x")


def test_a_primary_waits_for_the_end_of_its_replicas(
    aws: cloud.Cloud, kms: Any, kms_eu: Any
) -> None:
    key = _primary(kms)
    kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    answer = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert answer["KeyState"] == "PendingReplicaDeletion"
    assert "DeletionDate" not in answer
    aws.clock.advance(days=100)
    assert _metadata(kms, key)["PendingDeletionWindowInDays"] == 7
    message = refused("KMSInvalidStateException", kms.encrypt, KeyId=key, Plaintext=b"x")
    assert message.endswith("is pending replica deletion.")
    kms_eu.encrypt(KeyId=key, Plaintext=b"x")
    kms_eu.schedule_key_deletion(KeyId=key, PendingWindowInDays=10)
    aws.clock.advance(days=10, hours=1)
    refused("NotFoundException", kms_eu.describe_key, KeyId=key)
    assert _metadata(kms, key)["KeyState"] == "PendingDeletion"
    aws.clock.advance(days=7)
    refused("NotFoundException", kms.describe_key, KeyId=key)


def test_a_deleted_replica_comes_back_from_its_primary(
    aws: cloud.Cloud, kms: Any, kms_eu: Any
) -> None:
    key = _primary(kms)
    kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    blob = kms_eu.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms_eu.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    refused("AlreadyExistsException", kms.replicate_key, KeyId=key, ReplicaRegion=THERE)
    aws.clock.advance(days=8)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    assert kms_eu.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_every_refusal(kms: Any, kms_eu: Any, key_id: str) -> None:
    key = _primary(kms)
    for region in (HERE, "moon-west-1", "cn-north-1"):
        refused("ValidationException", kms.replicate_key, KeyId=key, ReplicaRegion=region)
    refused("UnsupportedOperationException", kms.replicate_key, KeyId=key_id, ReplicaRegion=THERE)
    refused("UnsupportedOperationException", kms.update_primary_region, KeyId=key_id,
            PrimaryRegion=THERE)  # fmt: skip
    refused("NotFoundException", kms.update_primary_region, KeyId=key, PrimaryRegion=THERE)
    refused("ValidationException", kms.update_primary_region, KeyId=key, PrimaryRegion=HERE)
    kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    refused("UnsupportedOperationException", kms_eu.update_primary_region, KeyId=key,
            PrimaryRegion=HERE)  # fmt: skip
    kms.disable_key(KeyId=key)
    refused("DisabledException", kms.update_primary_region, KeyId=key, PrimaryRegion=THERE)


def test_imported_material_goes_into_each_region_by_hand(kms: Any, kms_eu: Any) -> None:
    first, second = os.urandom(32), os.urandom(32)
    key = external_key(kms, first, MultiRegion=True)
    kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    assert _metadata(kms_eu, key)["KeyState"] == "PendingImport"
    import_into(kms_eu, key, first)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert kms_eu.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    new = {"ImportType": "NEW_KEY_MATERIAL"}
    refused("UnsupportedOperationException", import_into, kms_eu, key, second, **new)
    import_into(kms, key, second, **new)

    def waiting() -> str:
        listed = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
        return str(listed["Rotations"][-1]["KeyMaterialState"])

    assert waiting() == "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
    refused("KMSInvalidStateException", kms.rotate_key_on_demand, KeyId=key)
    import_into(kms_eu, key, second)
    assert waiting() == "PENDING_ROTATION"
    kms.rotate_key_on_demand(KeyId=key)
    assert waiting() == "CURRENT"
    after = kms_eu.encrypt(KeyId=key, Plaintext=b"y")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=after)["Plaintext"] == b"y"
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_other_kinds_of_keys_are_replicated_too(kms: Any, kms_eu: Any) -> None:
    key = _primary(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    kms.replicate_key(KeyId=key, ReplicaRegion=THERE)
    given = {"KeyId": key, "Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}
    signed = kms.sign(**given)["Signature"]
    assert kms_eu.verify(Signature=signed, **given)["SignatureValid"]
    assert (
        kms_eu.get_public_key(KeyId=key)["PublicKey"] == kms.get_public_key(KeyId=key)["PublicKey"]
    )


def test_replicating_is_on_the_trail_of_both_regions(aws: Any, kms: Any, kms_eu: Any) -> None:
    """AWS KMS Developer Guide: ReplicateKey in the primary's Region, CreateKey in the replica's."""
    arn = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    before = len(aws.trail)
    kms.replicate_key(KeyId=arn, ReplicaRegion="eu-west-1")
    replicated, created = aws.trail.events(after=before)
    assert (replicated["eventName"], replicated["awsRegion"]) == ("ReplicateKey", "us-east-1")
    assert (created["eventName"], created["awsRegion"]) == ("CreateKey", "eu-west-1")
    replica = arn.replace("us-east-1", "eu-west-1")
    assert [each["ARN"] for each in created["resources"]] == [replica]
    assert created["responseElements"]["keyMetadata"]["arn"] == replica
    assert created["userIdentity"] == replicated["userIdentity"]
    assert created["eventID"] != replicated["eventID"]
