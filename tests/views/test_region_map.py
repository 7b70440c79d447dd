"""The Region map in Python: what each Region says of itself, and where calls went."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import boto3
import pytest

from kmscourse import cloud
from kmscourse.views import RegionMap
from tests.views.across_regions import AWAY, HOME, fail_over


@pytest.fixture
def aws() -> Iterator[cloud.Cloud]:
    with cloud.running(seed="region-map") as aws:
        yield aws


def test_each_call_stands_where_it_went(aws: cloud.Cloud) -> None:
    keys = fail_over(aws)
    view = RegionMap(aws, keys, regions=[HOME, AWAY])
    went = [(call.region, call.operation, call.outcome) for call in view.calls]
    assert went == [
        (HOME, "CreateKey", "ok"),
        (HOME, "CreateAlias", "ok"),
        (HOME, "ReplicateKey", "ok"),
        (AWAY, "CreateKey", "ok"),
        (HOME, "Encrypt", "ok"),
        (HOME, "RotateKeyOnDemand", "ok"),
        (AWAY, "Decrypt", "ok"),
        (HOME, "CreateKey", "ok"),
        (HOME, "Encrypt", "ok"),
        (HOME, "Decrypt", "unanswered"),
        (AWAY, "Decrypt", "refused"),
        (AWAY, "Decrypt", "ok"),
    ]
    # What was answered is what the trail has, call for call.
    answered = [call for call in view.calls if call.outcome != "unanswered"]
    events = [
        (event["awsRegion"], event["eventName"])
        for event in aws.trail.events(service="kms")
        if not event["eventName"].startswith(("Describe", "List", "Get"))
    ]
    assert [(call.region, call.operation) for call in answered] == events


def test_a_region_that_is_off_says_nothing_of_its_keys(aws: cloud.Cloud) -> None:
    keys = fail_over(aws)
    home, away = RegionMap(aws, keys, regions=[HOME, AWAY]).places
    assert (home.answers, home.keys) == (False, ())
    [replica] = away.keys
    assert (replica.kind, replica.state) == ("replica", "Enabled")

    aws.regions.on(HOME)
    home, away = RegionMap(aws, keys, regions=[HOME, AWAY]).places
    primary, single = home.keys
    assert (primary.kind, single.kind) == ("primary", "single-Region")
    [replica] = away.keys
    # The same material, and settings of their own.
    assert primary.materials == replica.materials == ("A1", "A2")
    assert single.materials == ("B1",)
    assert dict(primary.own)["Alias"] == "alias/records"
    assert dict(replica.own)["Alias"] == "none"
    assert (dict(primary.own)["Tags"], dict(replica.own)["Tags"]) == ("none", "for=Dublin")


def test_the_related_keys_are_found_through_any_region(aws: cloud.Cloud) -> None:
    keys = fail_over(aws)
    dark = keys["Records"].replace(AWAY, HOME)
    view = RegionMap(aws, {"Records": dark}, regions=[AWAY])
    assert {place.region for place in view.places} == {HOME, AWAY}


def test_other_services_and_a_beginning_can_be_chosen(aws: cloud.Cloud) -> None:
    keys = fail_over(aws)
    aws.regions.on(HOME)
    after = len(aws.trail)
    boto3.client("dynamodb", region_name=AWAY).list_tables()
    assert RegionMap(aws, keys, after=after).calls == []
    [call] = RegionMap(aws, keys, after=after, services=["dynamodb"]).calls
    assert (call.region, call.service, call.operation) == (AWAY, "dynamodb", "ListTables")


def test_the_still_form_is_the_same_each_time_and_holds_no_ids() -> None:
    found = []
    for _ in range(2):
        with cloud.running(seed="region-map") as aws:
            view = RegionMap(aws, fail_over(aws), regions=[HOME, AWAY])
            found.append((repr(view), view.picture()))
    assert found[0] == found[1]
    words, picture = found[0]
    assert "us-east-1 is switched off" in words
    assert "1 not answered" in words
    assert not re.search(r"mrk-[0-9a-f]|[0-9a-f]{8}-[0-9a-f]{4}", words + picture)
    assert ET.fromstring(picture).tag.endswith("svg")


def test_bad_input_is_told_kindly(aws: cloud.Cloud) -> None:
    with pytest.raises(TypeError, match=re.escape("cloud.start()")):
        RegionMap("aws", {})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one to"):
        RegionMap(aws, {})
    with pytest.raises(ValueError, match="pass the ARN of a KMS key"):
        RegionMap(aws, {"Records": "alias/records"})
    gone = f"arn:aws:kms:eu-west-1:{aws.account_id}:key/mrk-{'0' * 32}"
    with pytest.raises(ValueError, match="NotFoundException"):
        RegionMap(aws, {"Records": gone})
