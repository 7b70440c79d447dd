"""The rotation timeline in Python: what it tells is what KMS, the trail and the bill say."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import boto3
import pytest

from kmscourse import cloud
from kmscourse.views import RotationTimeline
from kmscourse.views._base import read_asset
from tests.cloud.kms.importing import external_key, import_into
from tests.views.rotating import ALIAS, grow_old
from tests.views.test_envelope import colours, contrast


@pytest.fixture
def aws() -> Iterator[cloud.Cloud]:
    with cloud.running(seed="rotation-view") as aws:
        yield aws


def test_the_materials_are_those_of_list_key_rotations(aws: cloud.Cloud) -> None:
    keys, made = grow_old(aws)
    view = RotationTimeline(aws, keys, made)
    kms = boto3.client("kms")
    for row in view.history.rows:
        if row.alias:
            continue
        listed = kms.list_key_rotations(
            KeyId=keys[row.name], IncludeKeyMaterial="ALL_KEY_MATERIAL"
        )["Rotations"]
        assert [each.id for each in row.materials] == [each["KeyMaterialId"] for each in listed]
        assert [each.made for each in row.materials[1:]] == [
            each["RotationDate"] for each in listed[1:]
        ]
    by_itself, imported, by_alias, managed = view._shown["rows"]
    assert [each["name"] for each in by_itself["materials"]] == [f"A{n}" for n in range(1, 8)]
    assert [each["how"] for each in by_itself["materials"]].count("rotation on demand") == 1
    assert [len(row["materials"]) for row in (imported, by_alias, managed)] == [2, 2, 4]
    assert managed["kind"] == "AWS managed, every 365 days"
    for row in (by_itself, imported, managed):  # one encrypts at any time, from beginning to end
        spans = [span for each in row["materials"] for span in each["spans"]]
        assert [until for _, until in spans] == [since for since, _ in spans[1:]] + [None]


def test_what_opens_is_what_decrypt_opened(aws: cloud.Cloud) -> None:
    keys, made = grow_old(aws)
    view = RotationTimeline(aws, keys, made)
    found = {each.name: each for each in view.history.ciphertexts}
    assert {name for name, each in found.items() if not each.opens} == {"alias, year 1"}
    # The old key was deleted, so the trail alone knows: scheduled, and then gone.
    assert found["alias, year 1"].shut[-1].why == "deleted"
    assert found["alias, year 1"].shut[-1].until is None
    kms = boto3.client("kms")
    for name, each in found.items():
        if each.opens:
            context = {"year": name[-1]}
            blob = made[name]["CiphertextBlob"]
            opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
            assert opened["KeyMaterialId"] == each.material.id
    assert found["automatic, year 1"].material.name == "A1"
    assert found["automatic, year 2"].material.name == "A4"  # 200, 370 on demand, 400 days


def test_the_cost_adds_up_to_the_bill(aws: cloud.Cloud) -> None:
    keys, made = grow_old(aws)
    view = RotationTimeline(aws, keys, made)
    bill = aws.meter.bill()
    changes = [change for row in view.history.rows for key in row.keys for change in key.rates()]
    now = aws.clock.now()
    reckoned = sum(cost * Decimal((now - at).total_seconds()) / 3600 / 730 for at, cost in changes)
    billed = sum(line.amount for line in bill if line.item.startswith("KMS keys"))
    assert abs(reckoned - billed) < Decimal("0.01")
    by_itself, imported, by_alias, managed = (row.rate(now) for row in view.history.rows)
    assert (by_itself, imported, by_alias, managed) == (3, 2, 1, 0)


def test_a_disabled_key_is_told_for_as_long_as_it_was(aws: cloud.Cloud) -> None:
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    made = {"record": kms.encrypt(KeyId=key, Plaintext=b"x")}
    aws.clock.advance(days=10)
    kms.disable_key(KeyId=key)
    aws.clock.advance(days=10)
    [record] = RotationTimeline(aws, {"key": key}, made).history.ciphertexts
    assert not record.opens
    assert record.shut[-1].until is None
    kms.enable_key(KeyId=key)
    [record] = RotationTimeline(aws, {"key": key}, made).history.ciphertexts
    [shut] = record.shut
    assert record.opens
    assert shut.why == "disabled"
    assert shut.until is not None
    assert abs(shut.until - shut.since - timedelta(days=10)) < timedelta(minutes=1)


def test_who_may_not_decrypt_sees_nothing_open(aws: cloud.Cloud) -> None:
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    made = {"record": kms.encrypt(KeyId=key, Plaintext=b"x")}
    policy = {
        "Effect": "Allow",
        "Action": ["kms:Describe*", "kms:List*", "kms:Get*"],
        "Resource": "*",
    }
    onlooker = aws.session("onlooker")
    boto3.client("iam").put_user_policy(
        UserName="onlooker",
        PolicyName="look",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": policy}),
    )
    view = RotationTimeline(aws, {"key": key}, made, kms=onlooker.client("kms"))
    assert "0 of 1 ciphertext can be decrypted" in repr(view)
    assert view.history.ciphertexts[0].shut[-1].why == "refused with AccessDeniedException"


def test_deleted_imported_material_shuts_the_key_until_it_is_back(aws: cloud.Cloud) -> None:
    kms = boto3.client("kms")
    key = external_key(kms, bytes(range(32)))
    made = {"record": kms.encrypt(KeyId=key, Plaintext=b"x")}
    kms.delete_imported_key_material(KeyId=key)
    aws.clock.advance(days=3)
    [record] = RotationTimeline(aws, {"key": key}, made).history.ciphertexts
    assert (record.opens, record.shut[-1].why) == (False, "without its imported key material")
    import_into(kms, key, bytes(range(32)))
    [record] = RotationTimeline(aws, {"key": key}, made).history.ciphertexts
    assert record.opens
    assert record.shut[-1].until is not None


def test_the_still_form_is_the_same_each_time_and_holds_no_ids() -> None:
    found = []
    for _ in range(2):
        with cloud.running(seed="rotation-view") as aws:
            keys, made = grow_old(aws)
            view = RotationTimeline(aws, keys, made)
            found.append((repr(view), view.picture()))
    assert found[0] == found[1]
    words, picture = found[0]
    assert "5 of 6 ciphertexts can be decrypted" in words
    assert "$6.00 a month" in words
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{16}", words + picture)
    assert ET.fromstring(picture).tag.endswith("svg")


def test_bad_input_is_told_kindly(aws: cloud.Cloud) -> None:
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    made = {"record": kms.encrypt(KeyId=other, Plaintext=b"x")}
    with pytest.raises(TypeError, match=re.escape("cloud.start()")):
        RotationTimeline(kms, {"key": key})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one to"):
        RotationTimeline(aws, {})
    with pytest.raises(ValueError, match="is not shown"):
        RotationTimeline(aws, {"key": key}, made)
    with pytest.raises(ValueError, match="whole answer"):
        RotationTimeline(aws, {"key": other}, {"record": {"CiphertextBlob": b"x"}})
    with pytest.raises(ValueError, match="no alias/nothing"):
        RotationTimeline(aws, {"key": "alias/nothing"})
    with pytest.raises(ValueError, match="There is no key"):
        RotationTimeline(aws, {"key": "11111111-2222-3333-4444-555555555555"})
    kms.create_alias(AliasName=ALIAS, TargetKeyId=key)
    with pytest.raises(ValueError, match="two rows"):
        RotationTimeline(aws, {"key": key, "alias": ALIAS})


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_names_can_be_read_on_every_colour(theme: str) -> None:
    css = read_asset("rotation.css")
    light, dark = css.split("body[data-jp-theme-light", 1)
    part = light if theme == "light" else dark
    found = dict(re.findall(r"--(rot-[a-z0-9-]+): (#[0-9a-f]{6})", part))
    shared = colours(theme)
    for number in range(1, 7):
        ground, line = found[f"rot-{number}"], found[f"rot-line-{number}"]
        assert contrast(shared["ink"], ground) >= 4.5
        assert contrast(line, shared["paper"]) >= 3
