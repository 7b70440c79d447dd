"""A seed makes the simulator repeatable, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from kmscourse import cloud

PROGRAM = """
import boto3
from kmscourse import cloud
aws = cloud.start(seed="05-envelopes")
kms, s3 = boto3.client("kms"), boto3.client("s3")
key = kms.create_key()["KeyMetadata"]
print(key["KeyId"], key["CreationDate"].timestamp(), key["CurrentKeyMaterialId"])
print(kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256")["CiphertextBlob"].hex())
print(kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"].hex())
s3.create_bucket(Bucket="clinic")
s3.put_object(Bucket="clinic", Key="k", Body=b"x")
print(s3.list_objects_v2(Bucket="clinic")["Contents"][0]["LastModified"].timestamp())
iam = boto3.client("iam")
TRUST = '{"Version": "2012-10-17", "Statement": []}'
print(iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["RoleId"])
print([event["eventID"] for event in aws.trail.events()])
print(aws.session("analyst").get_credentials().access_key)
"""


def _run() -> str:
    environment = {**os.environ, "PYTHONHASHSEED": "random"}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_same_seed_gives_the_same_ids_and_ciphertexts_in_another_process() -> None:
    first = _run()
    assert first == _run()
    assert len(first.splitlines()) == 7


def test_without_a_seed_and_with_another_seed_they_differ() -> None:
    made = []
    for seed in ("a", "b", None, None):
        with cloud.running(seed=seed):
            made.append(boto3.client("kms").create_key()["KeyMetadata"]["KeyId"])
    assert len(set(made)) == 4


def test_no_variable_of_motos_changes_the_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    made = set()
    for load in ("true", "false"):
        monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", load)
        with cloud.running(seed="images"):
            ec2 = boto3.client("ec2")
            made.add(ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"])
    assert len(made) == 1


def test_the_learners_own_randomness_is_never_seeded() -> None:
    drawn = []
    for _ in range(2):
        with cloud.running(seed="a"):
            drawn.append(os.urandom(16))
    assert drawn[0] != drawn[1]
