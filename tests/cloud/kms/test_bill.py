"""What keys and requests of each kind cost, by the facts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kmscourse import cloud, facts


def _lines(aws: cloud.Cloud) -> dict[str, Decimal]:
    return {line.item: line.quantity for line in aws.meter.bill()}


def test_the_first_two_rotations_cost_and_later_ones_do_not(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    for _ in range(3):
        kms.rotate_key_on_demand(KeyId=key_id)
    kms.describe_key(KeyId=key_id)
    aws.clock.advance(hours=730)
    bill = [line for line in aws.meter.bill() if line.item.startswith("KMS keys")]
    assert [round(line.amount, 2) for line in bill] == [1, 1, 1]
    assert "PRI-02" in bill[1].source


def test_each_kind_of_request_has_its_price(aws: cloud.Cloud, kms: Any, key_id: str) -> None:
    signing = {"KeyUsage": "SIGN_VERIFY"}
    ecc = kms.create_key(KeySpec="ECC_NIST_P256", **signing)["KeyMetadata"]["KeyId"]
    rsa = kms.create_key(KeySpec="RSA_2048", **signing)["KeyMetadata"]["KeyId"]
    before = _lines(aws)
    kms.sign(KeyId=ecc, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")
    kms.sign(KeyId=rsa, Message=b"x", SigningAlgorithm="RSASSA_PSS_SHA_256")
    kms.generate_data_key_pair(KeyId=key_id, KeyPairSpec="ECC_NIST_P256")
    kms.generate_data_key_pair(KeyId=key_id, KeyPairSpec="RSA_2048")
    after = _lines(aws)
    assert after["KMS requests"] == before["KMS requests"]
    new = {item for item in after if item.startswith("KMS requests") and item not in before}
    assert len(new) == 4
    assert facts.price("kms.request.asymmetric").value > facts.price("kms.request.rsa-2048").value


def test_every_replica_is_a_key_on_the_bill(aws: cloud.Cloud, kms: Any) -> None:
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    aws.clock.advance(hours=730)
    assert round(_lines(aws)["KMS keys, customer managed"], 2) == 2
