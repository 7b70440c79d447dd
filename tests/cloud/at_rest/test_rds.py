"""What RDS stores is ciphertext, page by page, and the key decides whether there is a database."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from kmscourse import cloud
from tests.cloud.at_rest.conftest import SECRET, everything_stored, learners
from tests.cloud.at_rest.snapshot_steps import (
    TARGET,
    USE,
    administrator,
    client,
    shared_policy,
)
from tests.cloud.conftest import code_of, message_of

#: What the User Guide says a caller needs to make something encrypted.
NEEDED = ["kms:DescribeKey", "kms:CreateGrant"]
INSTANCE = {
    "DBInstanceClass": "db.t3.micro",
    "Engine": "postgres",
    "MasterUsername": "clinic",
    "MasterUserPassword": "not a real one",
    "AllocatedStorage": 20,
}
CLUSTER = {
    "Engine": "aurora-postgresql",
    "MasterUsername": "clinic",
    "MasterUserPassword": "not a real one",
}


@pytest.fixture
def rds(aws: cloud.Cloud) -> Any:
    """The learner's plain RDS client."""
    return learners("rds")


@pytest.fixture
def clinic(aws: cloud.Cloud, rds: Any, key_arn: str) -> str:
    """An encrypted database with the secret in it."""
    rds.create_db_instance(
        DBInstanceIdentifier="clinic", StorageEncrypted=True, KmsKeyId=key_arn, **INSTANCE
    )
    record(aws, "clinic")
    return "clinic"


def record(aws: cloud.Cloud, name: str) -> None:
    """Write the secret into a database."""
    with aws.database(name) as database:
        database.execute("CREATE TABLE patients (number, note)")
        database.execute("INSERT INTO patients VALUES (4711, ?)", [SECRET.decode()])


def recorded(aws: cloud.Cloud, name: str, **where: Any) -> list[tuple[Any, ...]]:
    """What is in the table."""
    return aws.database(name, **where).execute("SELECT note FROM patients").fetchall()


FOUND = [(SECRET.decode(),)]


def test_an_unencrypted_database_lies_open(aws: cloud.Cloud, rds: Any) -> None:
    made = rds.create_db_instance(DBInstanceIdentifier="open", **INSTANCE)["DBInstance"]
    assert (made["StorageEncrypted"], made["StorageEncryptionType"]) == (False, "none")
    record(aws, "open")
    stored = aws.stored("rds", "open")
    assert stored.blocks[0].startswith(b"SQLite format 3\0")
    assert SECRET in stored.ciphertext
    assert not stored.encrypted
    assert any(SECRET in each for each in everything_stored(aws)), "the search would find it"


def test_an_encrypted_one_does_not(aws: cloud.Cloud, rds: Any, clinic: str, key_arn: str) -> None:
    shown = rds.describe_db_instances(DBInstanceIdentifier=clinic)["DBInstances"][0]
    assert (shown["StorageEncrypted"], shown["KmsKeyId"]) == (True, key_arn)
    assert recorded(aws, clinic) == FOUND
    stored = aws.stored("rds", clinic)
    assert stored.context == {"aws:rds:db-id": shown["DbiResourceId"]}
    assert not stored.blocks[0].startswith(b"SQLite")
    rds.create_db_snapshot(DBInstanceIdentifier=clinic, DBSnapshotIdentifier="monday")
    for each in everything_stored(aws):
        assert SECRET not in each


def test_kms_hears_of_the_caller_once_and_then_of_rds_by_its_grant(
    aws: cloud.Cloud, clinic: str, key_arn: str
) -> None:
    (granted,) = aws.trail.events("CreateGrant")
    (made,) = aws.trail.events("GenerateDataKeyWithoutPlaintext")
    context = aws.stored("rds", clinic).context
    assert granted["userIdentity"]["userName"] == "learner"
    assert granted["userIdentity"]["invokedBy"] == "rds.amazonaws.com"
    assert granted["requestParameters"]["constraints"]["encryptionContextSubset"] == context
    assert made["requestParameters"]["encryptionContext"] == context
    assert made["userIdentity"]["arn"] == granted["requestParameters"]["granteePrincipal"]
    assert [each["ARN"] for each in made["resources"]] == [key_arn]


def test_only_what_is_committed_is_stored(aws: cloud.Cloud, clinic: str) -> None:
    before = aws.stored("rds", clinic)
    database = aws.database(clinic)
    database.execute("UPDATE patients SET note = 'changed'")
    assert aws.stored("rds", clinic).blocks == before.blocks
    database.close()
    database.close()
    assert recorded(aws, clinic) == FOUND
    database = aws.database(clinic)
    database.execute("UPDATE patients SET note = 'changed'")
    database.commit()
    assert aws.stored("rds", clinic).blocks != before.blocks
    database.close()


@pytest.mark.parametrize("missing", NEEDED)
def test_creating_needs_both_permissions_on_the_key(
    aws: cloud.Cloud, key_arn: str, missing: str
) -> None:
    allow = {
        "Effect": "Allow",
        "Action": ["rds:*", *(action for action in NEEDED if action != missing)],
        "Resource": "*",
    }
    session = aws.session("keeper")
    learners("iam").put_user_policy(
        UserName="keeper",
        PolicyName="some",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    with pytest.raises(ClientError) as refused:
        client(session, "user", "rds").create_db_instance(
            DBInstanceIdentifier="x", StorageEncrypted=True, KmsKeyId=key_arn, **INSTANCE
        )
    assert code_of(refused) == "KMSKeyNotAccessibleFault"
    assert message_of(refused) == (
        f"Specified KMS key [{key_arn}] does not exist, is not enabled or you do not have "
        "permissions to access it."
    )
    assert learners("rds").describe_db_instances()["DBInstances"] == []


# --- the key is lost -----------------------------------------------------------------------------


def test_a_disabled_key_takes_the_database_away_for_seven_days_and_then_for_good(
    aws: cloud.Cloud, rds: Any, kms: Any, clinic: str, key_arn: str
) -> None:
    database = aws.database(clinic)
    kms.disable_key(KeyId=key_arn)
    with pytest.raises(sqlite3.OperationalError, match="credentials-recoverable"):
        database.execute("SELECT note FROM patients")
    with pytest.raises(ClientError) as refused:
        rds.start_db_instance(DBInstanceIdentifier=clinic)
    assert code_of(refused) == "KMSKeyNotAccessibleFault"
    kms.enable_key(KeyId=key_arn)
    with pytest.raises(sqlite3.OperationalError, match="credentials-recoverable"):
        aws.database(clinic)
    rds.start_db_instance(DBInstanceIdentifier=clinic)
    assert recorded(aws, clinic) == FOUND

    kms.disable_key(KeyId=key_arn)
    status(rds, clinic)
    aws.clock.advance(days=7)
    kms.enable_key(KeyId=key_arn)
    assert status(rds, clinic) == "inaccessible-encryption-credentials"
    with pytest.raises(ClientError) as terminal:
        rds.start_db_instance(DBInstanceIdentifier=clinic)
    assert code_of(terminal) == "InvalidDBInstanceState"


def test_what_was_open_when_the_key_was_lost_is_gone_and_not_stored_in_plain(
    aws: cloud.Cloud, kms: Any, clinic: str, key_arn: str
) -> None:
    database = aws.database(clinic)
    cursor = database.cursor()
    cursor.execute("INSERT INTO patients VALUES (4712, ?)", [SECRET.decode()])
    before = aws.stored("rds", clinic).blocks
    kms.disable_key(KeyId=key_arn)
    with pytest.raises(sqlite3.OperationalError, match="could not connect"):
        database.commit()
    with pytest.raises(sqlite3.ProgrammingError):
        cursor.execute("SELECT note FROM patients")
    database.close()
    assert aws.stored("rds", clinic).blocks == before


def status(rds: Any, name: str) -> str:
    """What DescribeDBInstances says of a database."""
    shown = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    return str(shown["DBInstanceStatus"])


# --- snapshots -----------------------------------------------------------------------------------


def test_there_is_no_encryption_in_place_but_by_snapshot_copy_and_restore(
    aws: cloud.Cloud, rds: Any, key_arn: str
) -> None:
    rds.create_db_instance(DBInstanceIdentifier="open", **INSTANCE)
    record(aws, "open")
    with pytest.raises(ParamValidationError):
        rds.modify_db_instance(DBInstanceIdentifier="open", StorageEncrypted=True)
    with pytest.raises(ParamValidationError):
        rds.create_db_snapshot(
            DBInstanceIdentifier="open", DBSnapshotIdentifier="plain", KmsKeyId=key_arn
        )
    taken = rds.create_db_snapshot(DBInstanceIdentifier="open", DBSnapshotIdentifier="plain")
    assert not taken["DBSnapshot"]["Encrypted"]
    assert SECRET in aws.stored("rds", "plain").ciphertext
    copied = rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier="plain",
        TargetDBSnapshotIdentifier="sealed",
        KmsKeyId=key_arn,
    )["DBSnapshot"]
    assert (copied["Encrypted"], copied["KmsKeyId"]) == (True, key_arn)
    assert SECRET not in bytes(aws.stored("rds", "sealed"))
    restored = rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="clinic", DBSnapshotIdentifier="sealed"
    )["DBInstance"]
    assert (restored["StorageEncrypted"], restored["KmsKeyId"]) == (True, key_arn)
    assert recorded(aws, "clinic") == FOUND


def test_what_is_restored_can_take_the_name_of_what_it_replaces(
    aws: cloud.Cloud, rds: Any, key_arn: str
) -> None:
    rds.create_db_instance(DBInstanceIdentifier="clinic", **INSTANCE)
    record(aws, "clinic")
    rds.create_db_snapshot(DBInstanceIdentifier="clinic", DBSnapshotIdentifier="plain")
    rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier="plain", TargetDBSnapshotIdentifier="sealed", KmsKeyId=key_arn
    )
    rename = {"DBInstanceIdentifier": "clinic", "NewDBInstanceIdentifier": "clinic-old"}
    rds.modify_db_instance(ApplyImmediately=True, **rename)
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="clinic", DBSnapshotIdentifier="sealed"
    )
    assert recorded(aws, "clinic") == recorded(aws, "clinic-old") == FOUND
    assert SECRET not in aws.stored("rds", "clinic").ciphertext
    assert SECRET in aws.stored("rds", "clinic-old").ciphertext
    backups = rds.describe_db_snapshots(SnapshotType="automated")["DBSnapshots"]
    of = sorted(each["DBInstanceIdentifier"] for each in backups)
    assert of == ["clinic", "clinic-old"], "snapshots are kept for what was renamed"
    with pytest.raises(ClientError) as taken:
        rds.modify_db_instance(ApplyImmediately=True, **rename)
    assert code_of(taken) == "DBInstanceAlreadyExists"
    rds.delete_db_instance(DBInstanceIdentifier="clinic-old", SkipFinalSnapshot=True)
    with pytest.raises(KeyError, match="clinic-old"):
        aws.database("clinic-old")


def test_a_copy_for_another_region_needs_a_key_of_that_region(
    aws: cloud.Cloud, rds: Any, clinic: str, key_arn: str
) -> None:
    taken = rds.create_db_snapshot(DBInstanceIdentifier=clinic, DBSnapshotIdentifier="monday")
    there = aws.session("learner", region="eu-west-1")
    its_rds, its_kms = (client(there, "owner", each) for each in ("rds", "kms"))
    copy = {
        "SourceDBSnapshotIdentifier": taken["DBSnapshot"]["DBSnapshotArn"],
        "TargetDBSnapshotIdentifier": "monday-eu",
    }
    with pytest.raises(ClientError) as refused:
        its_rds.copy_db_snapshot(**copy)
    assert (code_of(refused), message_of(refused)) == (
        "InvalidParameterValue",
        "Must specify new KMS key for cross region encrypted snapshot copy.",
    )
    with pytest.raises(ClientError) as not_there:
        its_rds.copy_db_snapshot(**copy, KmsKeyId=key_arn)
    assert code_of(not_there) == "KMSKeyNotAccessibleFault"
    key = its_kms.create_key()["KeyMetadata"]["Arn"]
    copied = its_rds.copy_db_snapshot(**copy, KmsKeyId=key)["DBSnapshot"]
    assert copied["KmsKeyId"] == key
    its_rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="clinic-eu", DBSnapshotIdentifier="monday-eu"
    )
    assert recorded(aws, "clinic-eu") == FOUND
    assert aws.stored("rds", "clinic-eu").key_arn == key


#: A step left out, and what comes of it.
LEFT_OUT = {
    "nothing": None,
    "a customer managed key": (
        "InvalidDBSnapshotState: Snapshots encrypted with the default encryption key can't be "
        "shared."
    ),
    "the key policy": (
        "KMSKeyNotAccessibleFault: The source snapshot KMS key [KEY] does not exist, is not "
        "enabled or you do not have permissions to access it."
    ),
    "sharing": "DBSnapshotNotFound: DBSnapshot not found: SNAPSHOT",
    "a key of one's own": (
        "InvalidParameterValue: Must specify a KMS key to copy an encrypted snapshot that is "
        "shared from another account."
    ),
    "the copy": (
        "InvalidDBSnapshotState: You can't restore from an encrypted snapshot that is shared "
        "from another account. Copy it first."
    ),
}


@pytest.mark.parametrize("without", LEFT_OUT)
def test_a_snapshot_gets_into_another_account_in_five_steps(
    aws: cloud.Cloud, rds: Any, kms: Any, key_arn: str, without: str
) -> None:
    arn = ""
    try:
        named = {} if without == "a customer managed key" else {"KmsKeyId": key_arn}
        rds.create_db_instance(
            DBInstanceIdentifier="clinic", StorageEncrypted=True, **named, **INSTANCE
        )
        record(aws, "clinic")
        arn = rds.create_db_snapshot(DBInstanceIdentifier="clinic", DBSnapshotIdentifier="shared")[
            "DBSnapshot"
        ]["DBSnapshotArn"]
        if without != "the key policy":
            kms.put_key_policy(KeyId=key_arn, Policy=shared_policy(actions=USE))
        if without != "sharing":
            rds.modify_db_snapshot_attribute(
                DBSnapshotIdentifier="shared", AttributeName="restore", ValuesToAdd=[TARGET]
            )
        target = administrator(aws, TARGET)
        other = client(target, "target", "rds")
        own = client(target, "target", "kms").create_key()["KeyMetadata"]["Arn"]
        source = arn
        if without != "the copy":
            other.copy_db_snapshot(
                SourceDBSnapshotIdentifier=arn,
                TargetDBSnapshotIdentifier="mine",
                **({} if without == "a key of one's own" else {"KmsKeyId": own}),
            )
            source = "mine"
        kms.disable_key(KeyId=key_arn)
        other.restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier="restored", DBSnapshotIdentifier=source
        )
    except ClientError as error:
        said = error.response["Error"]
        words = f"{said['Code']}: {said['Message']}"
        assert words.replace(key_arn, "KEY").replace(arn, "SNAPSHOT") == LEFT_OUT[without]
    else:
        assert LEFT_OUT[without] is None
        assert recorded(aws, "restored", account=TARGET) == FOUND
        assert aws.stored("rds", "restored", account=TARGET).key_arn == own


def test_an_account_that_is_added_again_is_listed_once(rds: Any) -> None:
    """botocore, ModifyDBSnapshotAttribute: the values are a list of accounts, each once."""
    rds.create_db_instance(DBInstanceIdentifier="clinic", **INSTANCE)
    rds.create_db_snapshot(DBInstanceIdentifier="clinic", DBSnapshotIdentifier="monday")
    share = {"DBSnapshotIdentifier": "monday", "AttributeName": "restore"}
    for accounts in ([TARGET], ["333333333333"], [TARGET]):
        told = rds.modify_db_snapshot_attribute(**share, ValuesToAdd=accounts)
    (restore,) = told["DBSnapshotAttributesResult"]["DBSnapshotAttributes"]
    assert sorted(restore["AttributeValues"]) == [TARGET, "333333333333"]


def test_an_unencrypted_snapshot_is_restored_by_whom_it_was_shared_with(
    aws: cloud.Cloud, rds: Any
) -> None:
    """botocore, RestoreDBInstanceFromDBSnapshot: a shared snapshot is named by its ARN."""
    rds.create_db_instance(DBInstanceIdentifier="clinic", **INSTANCE)
    record(aws, "clinic")
    arn = rds.create_db_snapshot(DBInstanceIdentifier="clinic", DBSnapshotIdentifier="monday")[
        "DBSnapshot"
    ]["DBSnapshotArn"]
    other = client(administrator(aws, TARGET), "target", "rds")
    loot = {"DBInstanceIdentifier": "loot", "DBSnapshotIdentifier": arn}
    with pytest.raises(ClientError) as refused:
        other.restore_db_instance_from_db_snapshot(**loot)
    assert code_of(refused) == "DBSnapshotNotFound"
    rds.modify_db_snapshot_attribute(
        DBSnapshotIdentifier="monday", AttributeName="restore", ValuesToAdd=[TARGET]
    )
    other.restore_db_instance_from_db_snapshot(**loot)
    assert recorded(aws, "loot", account=TARGET) == FOUND
    [restored] = other.describe_db_instances()["DBInstances"]
    assert TARGET in restored["DBInstanceArn"]
    # The snapshot itself stays where it was.
    own = other.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    assert [each["DBSnapshotIdentifier"] for each in own] == []


def test_encrypted_snapshots_are_never_public(rds: Any, clinic: str) -> None:
    rds.create_db_snapshot(DBInstanceIdentifier=clinic, DBSnapshotIdentifier="monday")
    with pytest.raises(ClientError) as refused:
        rds.modify_db_snapshot_attribute(
            DBSnapshotIdentifier="monday", AttributeName="restore", ValuesToAdd=["all"]
        )
    assert code_of(refused) == "InvalidDBSnapshotState"


# --- replicas ------------------------------------------------------------------------------------


def test_a_replica_follows_and_stands_alone_once_promoted(
    aws: cloud.Cloud, rds: Any, kms: Any, clinic: str
) -> None:
    other = kms.create_key()["KeyMetadata"]["Arn"]
    rds.create_db_instance_read_replica(
        DBInstanceIdentifier="reader", SourceDBInstanceIdentifier=clinic, KmsKeyId=other
    )
    assert aws.stored("rds", "reader").key_arn == other
    with aws.database(clinic) as database:
        database.execute("INSERT INTO patients VALUES (4712, 'later')")
    assert len(recorded(aws, "reader")) == 2
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        aws.database("reader").execute("DELETE FROM patients")
    rds.promote_read_replica(DBInstanceIdentifier="reader")
    with aws.database("reader") as database:
        database.execute("DELETE FROM patients")
    assert len(recorded(aws, clinic)) == 2


def test_no_encrypted_replica_of_an_unencrypted_database(rds: Any, key_arn: str) -> None:
    rds.create_db_instance(DBInstanceIdentifier="open", **INSTANCE)
    with pytest.raises(ClientError) as refused:
        rds.create_db_instance_read_replica(
            DBInstanceIdentifier="reader", SourceDBInstanceIdentifier="open", KmsKeyId=key_arn
        )
    assert code_of(refused) == "InvalidParameterCombination"


# --- Aurora --------------------------------------------------------------------------------------


def test_a_new_cluster_is_encrypted_with_a_key_that_aws_owns(aws: cloud.Cloud, rds: Any) -> None:
    made = rds.create_db_cluster(DBClusterIdentifier="records", **CLUSTER)["DBCluster"]
    assert (made["StorageEncrypted"], made["StorageEncryptionType"]) == (False, "sse-rds")
    assert "KmsKeyId" not in made
    record(aws, "records")
    stored = aws.stored("rds", "records")
    assert (stored.encrypted, stored.key_arn) == (True, None)
    assert SECRET not in bytes(stored)
    assert aws.trail.events(service="kms") == []
    rds.create_db_cluster_snapshot(
        DBClusterIdentifier="records", DBClusterSnapshotIdentifier="monday"
    )
    with pytest.raises(ClientError) as refused:
        rds.modify_db_cluster_snapshot_attribute(
            DBClusterSnapshotIdentifier="monday", AttributeName="restore", ValuesToAdd=[TARGET]
        )
    assert code_of(refused) == "InvalidDBClusterSnapshotStateFault"
    rds.restore_db_cluster_from_snapshot(
        DBClusterIdentifier="again", SnapshotIdentifier="monday", Engine="aurora-postgresql"
    )
    assert recorded(aws, "again") == FOUND


def test_the_instances_of_a_cluster_share_its_storage(
    aws: cloud.Cloud, rds: Any, key_arn: str
) -> None:
    made = rds.create_db_cluster(
        DBClusterIdentifier="records", StorageEncrypted=True, KmsKeyId=key_arn, **CLUSTER
    )["DBCluster"]
    assert (made["StorageEncryptionType"], made["KmsKeyId"]) == ("sse-kms", key_arn)
    rds.create_db_instance(
        DBInstanceIdentifier="records-1",
        DBClusterIdentifier="records",
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
    )
    record(aws, "records-1")
    assert recorded(aws, "records") == FOUND
    assert aws.stored("rds", "records-1").key_arn == key_arn


def test_a_global_database_has_a_key_in_each_region(
    aws: cloud.Cloud, rds: Any, key_arn: str
) -> None:
    primary = rds.create_db_cluster(
        DBClusterIdentifier="records", StorageEncrypted=True, KmsKeyId=key_arn, **CLUSTER
    )["DBCluster"]
    record(aws, "records")
    rds.create_global_cluster(
        GlobalClusterIdentifier="world", SourceDBClusterIdentifier=primary["DBClusterArn"]
    )
    there = aws.session("learner", region="eu-west-1")
    its_rds, its_kms = (client(there, "owner", each) for each in ("rds", "kms"))
    secondary = {
        "DBClusterIdentifier": "records-eu",
        "GlobalClusterIdentifier": "world",
        "Engine": "aurora-postgresql",
    }
    with pytest.raises(ClientError) as refused:
        its_rds.create_db_cluster(**secondary)
    assert code_of(refused) == "InvalidParameterCombination"
    key = its_kms.create_key()["KeyMetadata"]["Arn"]
    made = its_rds.create_db_cluster(**secondary, KmsKeyId=key)["DBCluster"]
    assert (made["StorageEncrypted"], made["KmsKeyId"]) == (True, key)
    assert recorded(aws, "records-eu") == FOUND
    with aws.database("records") as database:
        database.execute("INSERT INTO patients VALUES (4712, 'later')")
    assert len(recorded(aws, "records-eu", region="eu-west-1")) == 2
    ours, theirs = aws.stored("rds", "records"), aws.stored("rds", "records-eu")
    assert ours.blocks.keys() == theirs.blocks.keys()
    assert ours.ciphertext != theirs.ciphertext
    assert (ours.key_arn, theirs.key_arn) == (key_arn, key)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        aws.database("records-eu").execute("DELETE FROM patients")
    its_rds.remove_from_global_cluster(
        GlobalClusterIdentifier="world", DbClusterIdentifier=made["DBClusterArn"]
    )
    with aws.database("records-eu") as database:
        database.execute("DELETE FROM patients")
    assert len(recorded(aws, "records")) == 2


def test_a_snapshot_of_a_member_of_a_global_database_is_restored_outside_it(
    aws: cloud.Cloud, rds: Any, key_arn: str
) -> None:
    """Source: botocore rds RestoreDBClusterFromSnapshot, which takes no global cluster."""
    encrypted = {"StorageEncrypted": True, "KmsKeyId": key_arn}
    rds.create_global_cluster(
        GlobalClusterIdentifier="world", Engine=CLUSTER["Engine"], StorageEncrypted=True
    )
    rds.create_db_cluster(
        DBClusterIdentifier="first", GlobalClusterIdentifier="world", **encrypted, **CLUSTER
    )
    record(aws, "first")
    there = aws.session("learner", region="eu-west-1")
    its_rds, its_kms = (client(there, "owner", each) for each in ("rds", "kms"))
    its_rds.create_db_cluster(
        DBClusterIdentifier="second",
        GlobalClusterIdentifier="world",
        Engine=CLUSTER["Engine"],
        KmsKeyId=its_kms.create_key()["KeyMetadata"]["Arn"],
    )
    for each, name in ((rds, "first"), (its_rds, "second")):
        each.create_db_cluster_snapshot(
            DBClusterIdentifier=name, DBClusterSnapshotIdentifier=f"{name}-kept"
        )
        made = each.restore_db_cluster_from_snapshot(
            DBClusterIdentifier=f"{name}-restored",
            SnapshotIdentifier=f"{name}-kept",
            Engine=CLUSTER["Engine"],
        )["DBCluster"]
        assert made["MasterUsername"] == CLUSTER["MasterUsername"]
        assert recorded(aws, f"{name}-restored") == FOUND
    (world,) = rds.describe_global_clusters()["GlobalClusters"]
    assert len(world["GlobalClusterMembers"]) == 2


def test_what_does_not_exist_is_named(aws: cloud.Cloud, rds: Any) -> None:
    with pytest.raises(KeyError, match="nowhere"):
        aws.database("nowhere")
    with pytest.raises(KeyError, match="nowhere"):
        aws.stored("rds", "nowhere")
