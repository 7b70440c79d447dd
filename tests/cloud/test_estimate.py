"""The estimator: what it reckons is what the meter counts when the same work is really done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from aws_encryption_sdk import (
    CachingCryptoMaterialsManager,
    EncryptionSDKClient,
    LocalCryptoMaterialsCache,
    StrictAwsKmsMasterKeyProvider,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kmscourse import cloud, facts
from kmscourse.cloud import pricing
from kmscourse.cloud.at_rest.s3.data_keys import BUCKET_KEY_LIFETIME
from kmscourse.cloud.estimate import ENCRYPTION, Design, break_even

BUCKET = "ward-records"

few = st.integers(0, 4)
designs = st.builds(
    Design,
    months=st.integers(1, 2),
    keys=st.integers(1, 2),
    rotations=st.integers(0, 3),
    replicas=st.integers(0, 1),
    writes=st.integers(0, 7),
    reads=st.integers(0, 7),
    encryption=st.sampled_from(list(ENCRYPTION)),
    reuse=st.integers(1, 4),
    secrets=few,
    secret_reads=few,
    parameters=few,
    tier=st.sampled_from(["Standard", "Advanced"]),
    parameter_reads=few,
    requests=st.fixed_dictionaries(
        {"kms.request.symmetric": few, "kms.request.data-key-pair.ecc": few}
    ),
).filter(lambda d: (d.secrets or not d.secret_reads) and (d.parameters or not d.parameter_reads))


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each shrinking takes a second or so
)
@given(design=designs, tier=st.integers(0, 30))
def test_estimator_and_meter_agree_on_the_same_work(design: Design, tier: int) -> None:
    with free_tier(tier):
        usage, set_up = really_done(design)
        reckoned = replace(design, set_up=set_up)
        measured, estimated = pricing.bill(usage), reckoned.bill()
        assert [line.item for line in measured] == [line.item for line in estimated]
        for real, thought in zip(measured, estimated, strict=True):
            if "months" in real.unit:  # each request of the set-up takes the seeded clock a second
                assert abs(real.quantity - thought.quantity) < Decimal("0.01"), real.item
            else:
                assert real.quantity == thought.quantity, real.item
        assert abs(measured.exact - estimated.exact) < Decimal("0.05")


def really_done(design: Design) -> tuple[pricing.Usage, dict[str, int]]:
    """A design set up and used on the simulator.

    Returns:
        What the meter counted, and the requests that setting up had made of it.
    """
    with cloud.running(seed="estimate") as aws:
        begin = aws.clock.now()
        month_of_work = set_up(aws, design)
        aws.clock.advance(hours=1)  # whatever S3 remembered, it has forgotten
        before = dict(aws.meter.usage().quantities)
        for month in range(design.months):
            month_of_work()
            end = begin + timedelta(hours=pricing.HOURS_PER_MONTH * (month + 1))
            aws.clock.advance(seconds=(end - aws.clock.now()).total_seconds())
        requests = {k: int(n) for k, n in before.items() if "months" not in pricing.ITEMS[k][1]}
        return aws.meter.usage(), requests


def set_up(aws: cloud.Cloud, design: Design) -> Callable[[], None]:
    """Build a design. Returns what to do in each month."""
    kms, s3 = boto3.client("kms"), boto3.client("s3")
    secrets, ssm = boto3.client("secretsmanager"), boto3.client("ssm")
    keys = [kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"] for _ in range(design.keys)]
    for key in keys:
        if design.replicas:
            kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    for _ in range(design.rotations):
        for key in keys:
            kms.rotate_key_on_demand(KeyId=key)
        aws.clock.advance(minutes=21)  # until it is through
    for number in range(design.secrets):
        secrets.create_secret(Name=f"secret-{number}", SecretString="x")
    for number in range(design.parameters):
        ssm.put_parameter(Name=f"p-{number}", Value="x", Type="SecureString", Tier=design.tier)
    s3.create_bucket(Bucket=BUCKET)
    objects = Objects(keys[0], design)
    objects.write()
    shared = ENCRYPTION[design.encryption].shared

    def month() -> None:
        for act, times in ((objects.write, design.writes), (objects.read, design.reads)):
            for done in range(times):
                if shared and done % design.reuse == 0:
                    aws.clock.advance(seconds=BUCKET_KEY_LIFETIME.total_seconds() + 1)
                    objects.forget()
                act()
        for _ in range(design.secret_reads):
            secrets.get_secret_value(SecretId="secret-0")
        for _ in range(design.parameter_reads):
            ssm.get_parameter(Name="p-0", WithDecryption=True)
        for _ in range(design.requests["kms.request.symmetric"]):
            kms.encrypt(KeyId=keys[0], Plaintext=b"x")
        for _ in range(design.requests["kms.request.data-key-pair.ecc"]):
            kms.generate_data_key_pair(KeyId=keys[0], KeyPairSpec="ECC_NIST_P256")

    return month


class Objects:
    """Writing and reading one object over and over, as a design encrypts it."""

    def __init__(self, key_id: str, design: Design) -> None:
        self._s3, self._sdk = boto3.client("s3"), EncryptionSDKClient()
        self._provider = StrictAwsKmsMasterKeyProvider(
            key_ids=[f"arn:aws:kms:us-east-1:123456789012:key/{key_id}"],
            botocore_session=boto3.DEFAULT_SESSION._session,
        )
        self._client_side = design.encryption.startswith("client-side")
        self._shared = ENCRYPTION[design.encryption].shared
        self._headers: dict[str, Any] = {}
        if "KMS" in design.encryption:
            sse = "aws:kms:dsse" if "DSSE" in design.encryption else "aws:kms"
            self._headers = {"ServerSideEncryption": sse, "SSEKMSKeyId": key_id}
            if self._shared:
                self._headers["BucketKeyEnabled"] = True
        self.forget()

    def forget(self) -> None:
        """Begin with an empty cache of data keys."""
        self._how: dict[str, Any] = {"key_provider": self._provider}
        if self._shared:
            caching = CachingCryptoMaterialsManager(
                master_key_provider=self._provider,
                cache=LocalCryptoMaterialsCache(capacity=10),
                max_age=3600.0,
            )
            self._how = {"materials_manager": caching}

    def write(self) -> None:
        body = b"patient 4711"
        if self._client_side:
            body, _ = self._sdk.encrypt(source=body, **self._how)
        self._s3.put_object(Bucket=BUCKET, Key="record", Body=body, **self._headers)

    def read(self) -> None:
        body = self._s3.get_object(Bucket=BUCKET, Key="record")["Body"].read()
        if self._client_side:
            body, _ = self._sdk.decrypt(source=body, **self._how)
        assert body == b"patient 4711"


@contextmanager
def free_tier(requests: int) -> Iterator[None]:
    """Another free tier, which a test can use up."""
    real = facts.limit

    def limit(name: str) -> facts.Figure:
        found = real(name)
        return replace(found, value=Decimal(requests)) if "free-tier" in name else found

    with patch.object(facts, "limit", limit):
        yield


def test_a_thousand_objects_with_and_without_a_bucket_key() -> None:
    """Put and read, the calls to KMS counted on the trail (issue 5)."""
    counted, amounts = {}, []
    for encryption in ("SSE-KMS", "SSE-KMS with a Bucket Key"):
        with cloud.running() as aws:
            key = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
            s3 = boto3.client("s3")
            s3.create_bucket(Bucket=BUCKET)
            how = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
            rule = {
                "ApplyServerSideEncryptionByDefault": how,
                "BucketKeyEnabled": "Bucket Key" in encryption,
            }
            s3.put_bucket_encryption(
                Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]}
            )
            for number in range(1000):
                s3.put_object(Bucket=BUCKET, Key=f"{number}", Body=b"x")
            for number in range(1000):
                s3.get_object(Bucket=BUCKET, Key=f"{number}")["Body"].read()
            events = aws.trail.events()
            counted[encryption] = [
                sum(event["eventName"] == name for event in events)
                for name in ("GenerateDataKey", "Decrypt")
            ]
            with free_tier(0):
                billed = next(line for line in aws.meter.bill() if line.item == "KMS requests")
                design = Design(writes=1000, reads=1000, encryption=encryption, reuse=1000)
                (reckoned,) = replace(design, set_up={"kms.request.symmetric": 1}).bill()
            assert billed == reckoned  # the set-up: CreateKey
            amounts.append(billed.amount)
    assert counted == {"SSE-KMS": [1000, 1000], "SSE-KMS with a Bucket Key": [1, 1]}
    plain, under_bucket_key = amounts
    assert plain - under_bucket_key == facts.price("kms.request.symmetric").cost(1998)


def test_a_bill_reckoned_by_hand() -> None:
    """Ten million requests: a key, twice rotated, and what is above the free tier."""
    design = Design(
        keys=1, rotations=5, writes=1_000_000, reads=9_000_000, encryption="SSE-KMS", months=3
    )
    amounts = [line.amount for line in design.bill()]
    assert amounts == [3, 3, 3, Decimal(90), Decimal("-0.18")]
    assert design.bill().total == Decimal("98.82")


def test_a_month_has_the_hours_of_the_register() -> None:
    assert facts.value("PRI-17") == pricing.HOURS_PER_MONTH


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"encryption": "SSE-C"}, "SSE-KMS with a Bucket Key"),
        ({"tier": "Gold"}, "Standard, Advanced"),
        ({"reuse": 0}, "reuse is a whole number from 1 up"),
        ({"reads": -1}, "reads is a whole number from 0 up"),
        ({"keys": 1.5}, "keys is a whole number"),
        ({"requests": {"kms.request.gold": 1}}, "kms.request.symmetric"),
        ({"set_up": {"kms.request.symmetric": -1}}, "from 0 up"),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Design(**wrong)


# Break-even

whole = st.integers(0, 10**6)
choices = st.builds(
    Design,
    keys=st.integers(0, 30),
    rotations=st.integers(0, 2),
    encryption=st.sampled_from(list(ENCRYPTION)),
    reuse=st.integers(1, 200),
    secrets=st.integers(0, 5),
)


@given(one=choices, other=choices, writes=whole, reads=whole)
def test_the_order_changes_where_it_breaks_even(
    one: Design, other: Design, writes: int, reads: int
) -> None:
    one = replace(one, writes=writes, reads=reads)
    found = break_even(one, other)
    if found is None:
        return
    assert (ahead(one, other, found) > 0) != (ahead(one, other, 0) > 0) or not ahead(one, other, 0)
    assert ahead(one, other, found)
    before = ahead(one, other, found - 1)
    assert not before or (before > 0) == (ahead(one, other, 0) > 0)


def ahead(one: Design, other: Design, objects: int) -> Decimal:
    """By how much `one` costs more, at a number of objects a month."""
    first = one.with_objects(objects)
    second = replace(other, writes=first.writes, reads=first.reads)
    return first.bill().exact - second.bill().exact


def test_a_break_even_that_can_be_reckoned_by_hand() -> None:
    """Four more keys, $4 a month, against $0.03 for each 10,000 requests saved above 20,000."""
    one = Design(keys=1, writes=1, encryption="SSE-KMS")
    other = Design(keys=5, encryption="SSE-S3")
    saved = facts.price("kms.request.symmetric")
    assert break_even(one, other) == 20_000 + int(4 / saved.cost(1)) + 1
    assert break_even(one, one) is None
    assert break_even(one, replace(other, keys=0)) is None, "dearer at first, and ever more so"
    assert break_even(replace(one, writes=0), other) is None
