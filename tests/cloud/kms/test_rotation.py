"""Rotation: it changes the material, and what was encrypted before always opens."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest

from kmscourse import cloud, facts
from tests.cloud.kms.conftest import hold_work, refused
from tests.cloud.kms.importing import external_key, import_into


def _current(kms: Any, key_id: str) -> str:
    return str(kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"])


def _rotations(kms: Any, key_id: str, **more: Any) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = kms.list_key_rotations(KeyId=key_id, **more)["Rotations"]
    return listed


def test_every_old_version_opens_after_years_of_rotations(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=90)
    blobs = {}
    for _ in range(5):
        blobs[_current(kms, key_id)] = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
        aws.clock.advance(days=90)
    assert len(blobs) == 5
    for material_id, blob in blobs.items():
        opened = kms.decrypt(CiphertextBlob=blob)
        assert (opened["Plaintext"], opened["KeyMaterialId"]) == (b"x", material_id)
    assert [r["RotationType"] for r in _rotations(kms, key_id)] == ["AUTOMATIC"] * 5


def test_rotations_happen_on_their_days_however_far_the_clock_jumps(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=200)
    first = kms.get_key_rotation_status(KeyId=key_id)["NextRotationDate"]
    aws.clock.advance(days=1001)
    dates = [r["RotationDate"] for r in _rotations(kms, key_id)]
    assert dates == [first + timedelta(days=200 * n) for n in range(5)]
    status = kms.get_key_rotation_status(KeyId=key_id)
    assert status["KeyRotationEnabled"]
    assert status["RotationPeriodInDays"] == 200
    assert status["NextRotationDate"] == first + timedelta(days=1000)


def test_the_period_is_365_days_unless_told(aws: cloud.Cloud, kms: Any, key_id: str) -> None:
    assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is False
    kms.enable_key_rotation(KeyId=key_id)
    assert kms.get_key_rotation_status(KeyId=key_id)["RotationPeriodInDays"] == 365
    refused("ValidationException", kms.enable_key_rotation, KeyId=key_id, RotationPeriodInDays=2561)
    kms.disable_key_rotation(KeyId=key_id)
    before = _current(kms, key_id)
    aws.clock.advance(days=1000)
    assert _current(kms, key_id) == before


def test_on_demand_rotation_leaves_the_schedule_and_has_a_limit(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    kms.enable_key_rotation(KeyId=key_id)
    due = kms.get_key_rotation_status(KeyId=key_id)["NextRotationDate"]
    limit = int(facts.limit("kms.rotation.on-demand"))
    for _ in range(limit):
        kms.rotate_key_on_demand(KeyId=key_id)
    assert kms.get_key_rotation_status(KeyId=key_id)["NextRotationDate"] == due
    assert {r["RotationType"] for r in _rotations(kms, key_id)} == {"ON_DEMAND"}
    refused("LimitExceededException", kms.rotate_key_on_demand, KeyId=key_id)
    everything = _rotations(kms, key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    assert len(everything) == limit + 1
    assert [r["KeyMaterialState"] for r in everything] == ["NON_CURRENT"] * limit + ["CURRENT"]
    assert "RotationDate" not in everything[0]


def test_a_rotation_in_progress_shows_and_stands_in_the_way(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    hold_work(aws, hours=1)
    kms.rotate_key_on_demand(KeyId=key_id)
    assert "OnDemandRotationStartDate" in kms.get_key_rotation_status(KeyId=key_id)
    refused("ConflictException", kms.rotate_key_on_demand, KeyId=key_id)
    aws.clock.advance(hours=1)
    assert "OnDemandRotationStartDate" not in kms.get_key_rotation_status(KeyId=key_id)
    assert len(_rotations(kms, key_id)) == 1
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=90)
    aws.clock.advance(days=89, hours=23, minutes=50)
    refused("ConflictException", kms.rotate_key_on_demand, KeyId=key_id)


def test_a_disabled_key_is_rotated_when_it_is_enabled_again(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=100)
    kms.disable_key(KeyId=key_id)
    before = _current(kms, key_id)
    aws.clock.advance(days=250)
    assert _current(kms, key_id) == before
    kms.enable_key(KeyId=key_id)
    assert _current(kms, key_id) != before
    assert len(_rotations(kms, key_id)) == 1
    aws.clock.advance(days=100)
    assert len(_rotations(kms, key_id)) == 2


def test_rotation_reads_false_while_deletion_is_pending(kms: Any, key_id: str) -> None:
    kms.enable_key_rotation(KeyId=key_id)
    kms.schedule_key_deletion(KeyId=key_id)
    assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is False
    kms.cancel_key_deletion(KeyId=key_id)
    assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is True


@pytest.mark.parametrize(
    "spec",
    [
        {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
        {"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"},
    ],
    ids=lambda spec: str(spec["KeySpec"]),
)
def test_what_cannot_rotate_says_so(kms: Any, spec: dict[str, str]) -> None:
    key = kms.create_key(**spec)["KeyMetadata"]["KeyId"]
    for call in (
        kms.enable_key_rotation,
        kms.disable_key_rotation,
        kms.get_key_rotation_status,
        kms.rotate_key_on_demand,
        kms.list_key_rotations,
    ):
        message = refused("UnsupportedOperationException", call, KeyId=key)
        assert spec["KeySpec"] in message


def test_imported_material_is_rotated_on_demand(kms: Any) -> None:
    first, second = os.urandom(32), os.urandom(32)
    key = external_key(kms, first)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    refused("UnsupportedOperationException", kms.enable_key_rotation, KeyId=key)
    refused("KMSInvalidStateException", kms.rotate_key_on_demand, KeyId=key)
    import_into(
        kms, key, second, ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="the second"
    )
    everything = _rotations(kms, key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    assert [r["KeyMaterialState"] for r in everything] == ["CURRENT", "PENDING_ROTATION"]
    assert [r["ImportState"] for r in everything] == ["IMPORTED", "IMPORTED"]
    assert everything[1]["KeyMaterialDescription"] == "the second"
    before = _current(kms, key)
    kms.rotate_key_on_demand(KeyId=key)
    assert _current(kms, key) != before
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == before
    # Both are the key's for good now: without the old one the key cannot be used at all.
    kms.delete_imported_key_material(KeyId=key, KeyMaterialId=before)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    refused("KMSInvalidStateException", kms.encrypt, KeyId=key, Plaintext=b"x")
    import_into(kms, key, first, KeyMaterialId=before)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_material_that_waits_may_be_deleted_and_replaced(kms: Any) -> None:
    key = external_key(kms, os.urandom(32))
    waiting = import_into(kms, key, os.urandom(32), ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    given = {"ImportType": "NEW_KEY_MATERIAL"}
    refused("KMSInvalidStateException", import_into, kms, key, os.urandom(32), **given)
    kms.delete_imported_key_material(KeyId=key, KeyMaterialId=waiting)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    import_into(kms, key, os.urandom(32), **given)
    kms.rotate_key_on_demand(KeyId=key)
    assert len(_rotations(kms, key)) == 1


def test_aws_managed_keys_rotate_every_year_by_themselves(aws: cloud.Cloud, kms: Any) -> None:
    key = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert key["KeyManager"] == "AWS"
    status = kms.get_key_rotation_status(KeyId=key["KeyId"])
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 365)
    aws.clock.advance(days=800)
    assert len(_rotations(kms, key["KeyId"])) == 2
    for call in (kms.disable_key_rotation, kms.rotate_key_on_demand, kms.schedule_key_deletion):
        refused("AccessDeniedException", call, KeyId=key["KeyId"])
