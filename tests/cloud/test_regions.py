"""A Region that is switched off answers nobody, writes nothing down, and loses nothing."""

from __future__ import annotations

import sqlite3

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from kmscourse import cloud

ONCE = Config(retries={"total_max_attempts": 1})


def test_a_region_goes_and_comes_back_with_all_it_held() -> None:
    with cloud.running(seed="regions") as aws:
        kms, eu = (
            boto3.client("kms", region_name=r, config=ONCE) for r in ("us-east-1", "eu-west-1")
        )
        key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        trail, bill = len(aws.trail), aws.meter.requests()

        aws.regions.off("us-east-1")
        with pytest.raises(ClientError) as refused:
            kms.decrypt(CiphertextBlob=blob)
        answer = refused.value.response
        assert answer["Error"]["Code"] == "ServiceUnavailable"
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert (len(aws.trail), aws.meter.requests()) == (trail, bill)
        [lost] = aws.regions.unanswered
        assert (lost.region, lost.service, lost.operation) == ("us-east-1", "kms", "Decrypt")
        assert (lost.who, lost.position) == ("learner", trail)

        # The related key in the other Region needs nothing of it; IAM is of no Region.
        assert eu.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
        assert boto3.client("iam").list_users()["Users"] is not None

        aws.regions.on("us-east-1")
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
        assert aws.regions.down == frozenset()


def test_every_service_of_the_region_is_gone() -> None:
    with cloud.running(seed="regions") as aws:
        aws.regions.off("us-east-1")
        for service, operation in (
            ("s3", "list_buckets"),
            ("dynamodb", "list_tables"),
            ("rds", "describe_db_clusters"),
        ):
            client = boto3.client(service, region_name="us-east-1", config=ONCE)
            with pytest.raises(ClientError, match="temporary failure"):
                getattr(client, operation)()


def test_no_new_session_to_a_database_of_the_region() -> None:
    with cloud.running(seed="regions") as aws:
        boto3.client("rds").create_db_instance(
            DBInstanceIdentifier="clinic",
            Engine="postgres",
            DBInstanceClass="db.t3.micro",
            AllocatedStorage=20,
            MasterUsername="dba",
            MasterUserPassword="not-a-secret-1",
        )
        aws.database("clinic")
        aws.regions.off("us-east-1")
        with pytest.raises(sqlite3.OperationalError, match="us-east-1 does not answer"):
            aws.database("clinic")
        aws.regions.on("us-east-1")
        aws.database("clinic")


def test_a_name_that_is_no_region_is_refused_kindly() -> None:
    with cloud.running() as aws, pytest.raises(ValueError, match="named like 'us-east-1'"):
        aws.regions.off("Virginia")
