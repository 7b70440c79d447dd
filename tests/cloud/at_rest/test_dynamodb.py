"""The items of a table are ciphertext at rest, and the table's key decides who reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import moto.dynamodb.models
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from kmscourse import cloud
from kmscourse.cloud.at_rest.dynamodb import StoredItem, StoredTable
from tests.cloud.at_rest.conftest import SECRET, client_of, everything_stored, learners
from tests.cloud.conftest import code_of, message_of

VALUE = SECRET.decode()
CONTEXT = {"aws:dynamodb:tableName": "Patients", "aws:dynamodb:subscriberId": "123456789012"}
KEY = {"id": {"S": "4711"}}


@pytest.fixture
def ddb(aws: cloud.Cloud) -> Any:
    """The learner's plain client."""
    return learners("dynamodb")


def create(ddb: Any, *, sort: bool = False, key_id: str | None = None, **how: Any) -> str:
    """Make the table ``Patients`` and give its ARN."""
    names = ["id", "day"] if sort else ["id"]
    if key_id:
        how["SSESpecification"] = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key_id}
    made = ddb.create_table(
        TableName="Patients",
        KeySchema=[
            {"AttributeName": n, "KeyType": k}
            for n, k in zip(names, ("HASH", "RANGE"), strict=False)
        ],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in names],
        BillingMode="PAY_PER_REQUEST",
        **how,
    )
    return str(made["TableDescription"]["TableArn"])


def put(ddb: Any, value: str = VALUE, **more: Any) -> None:
    """Put the item 4711."""
    ddb.put_item(TableName="Patients", Item={**KEY, "note": {"S": value}, **more})


def read(ddb: Any) -> str | None:
    """The note of the item 4711, or None where there is no item."""
    item = ddb.get_item(TableName="Patients", Key=KEY).get("Item")
    return item["note"]["S"] if item else None


def switch(ddb: Any, **specification: Any) -> Any:
    """Change the encryption of the table."""
    return ddb.update_table(TableName="Patients", SSESpecification=specification)


def described(ddb: Any) -> dict[str, Any]:
    """The table as DescribeTable shows it."""
    table: dict[str, Any] = ddb.describe_table(TableName="Patients")["Table"]
    return table


def held(aws: cloud.Cloud) -> list[bytes]:
    """Everything that the simulated AWS holds."""
    return list(everything_stored(aws, dict(moto.dynamodb.models.dynamodb_backends)))


@pytest.mark.parametrize("kind", ["owned", "managed", "customer"])
def test_the_plaintext_lies_nowhere_and_comes_back(
    aws: cloud.Cloud, ddb: Any, key_arn: str, kind: str
) -> None:
    arn = create(ddb, key_id={"owned": None, "managed": "alias/aws/dynamodb"}.get(kind, key_arn))
    put(ddb)
    ddb.update_item(
        TableName="Patients",
        Key=KEY,
        UpdateExpression="SET more = :v",
        ExpressionAttributeValues={":v": {"S": "more: " + VALUE}},
    )
    ddb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": "Patients", "Item": {"id": {"S": "2"}, "n": {"S": VALUE}}}}
        ]
    )
    batch = [{"PutRequest": {"Item": {"id": {"S": "3"}, "n": {"B": SECRET}}}}]
    ddb.batch_write_item(RequestItems={"Patients": batch})
    assert read(ddb) == VALUE
    notes = [item.get("n") for item in ddb.scan(TableName="Patients")["Items"]]
    assert notes == [{"S": VALUE}, {"B": SECRET}, None]
    assert described(ddb)["ItemCount"] == 3
    found = held(aws)
    assert any(arn.encode() in each for each in found), "the search must find what is there"
    assert not any(SECRET in each for each in found)
    stored = aws.stored("dynamodb", "Patients")
    assert isinstance(stored, StoredTable)
    assert SECRET not in bytes(stored)
    assert b"4711" not in bytes(stored), "keys are encrypted too"
    assert len(stored.items) == 3
    assert stored.encryption.startswith(
        {"owned": "AWS owned", "managed": "AWS managed"}.get(kind, kind)
    )
    item = aws.stored("dynamodb", "Patients", {"id": "4711"})
    assert isinstance(item, StoredItem)
    assert item in stored.items
    assert any(item.ciphertext in each for each in found)
    assert item == aws.stored("dynamodb", arn, KEY)
    assert "ciphertext" in repr(item)
    assert "wrapped table key" in repr(stored)


def test_kms_is_asked_for_the_table_and_not_for_each_item(
    aws: cloud.Cloud, ddb: Any, kms: Any, key_arn: str
) -> None:
    arn = create(ddb, key_id=key_arn)
    asked = aws.trail.events(service="kms")[1:]
    assert [event["eventName"] for event in asked] == [
        "DescribeKey",
        "CreateGrant",
        "GenerateDataKey",
    ]
    assert asked[1]["userIdentity"]["arn"].endswith(":user/learner")
    assert asked[2]["userIdentity"] == {"type": "AWSService", "invokedBy": "dynamodb.amazonaws.com"}
    assert asked[2]["requestParameters"]["encryptionContext"] == CONTEXT
    (grant,) = kms.list_grants(KeyId=key_arn)["Grants"]
    assert grant["Constraints"] == {"EncryptionContextSubset": CONTEXT, "SourceArn": arn}
    for _ in range(10):
        put(ddb)
        assert read(ddb) == VALUE
    (decrypted,) = aws.trail.events("Decrypt")
    assert decrypted["userIdentity"]["arn"].endswith(":user/learner")
    assert decrypted["userIdentity"]["invokedBy"] == "dynamodb.amazonaws.com"
    assert decrypted["requestParameters"]["encryptionContext"] == CONTEXT
    assert [resource["ARN"] for resource in decrypted["resources"]] == [key_arn]
    aws.clock.advance(minutes=5)
    put(ddb)
    assert len(aws.trail.events("Decrypt")) == 2
    ddb.delete_table(TableName="Patients")
    assert kms.list_grants(KeyId=key_arn)["Grants"] == []


def test_the_aws_owned_key_asks_nobody(aws: cloud.Cloud, ddb: Any) -> None:
    create(ddb)
    put(ddb)
    assert read(ddb) == VALUE
    assert aws.trail.events(service="kms") == []
    assert "SSEDescription" not in described(ddb)
    stored = aws.stored("dynamodb", "Patients")
    assert (stored.encryption, stored.key_arn) == ("AWS owned key", None)


def test_a_disabled_key_makes_the_table_inaccessible_once_the_table_key_is_forgotten(
    aws: cloud.Cloud, ddb: Any, kms: Any, key_arn: str
) -> None:
    create(ddb, key_id=key_arn)
    put(ddb)
    kms.disable_key(KeyId=key_arn)
    assert read(ddb) == VALUE, "the table key is remembered for five minutes"
    aws.clock.advance(minutes=5)
    actions: list[Callable[[], Any]] = [
        lambda: read(ddb),
        lambda: put(ddb, "new"),
        lambda: ddb.scan(TableName="Patients"),
        lambda: switch(ddb, Enabled=False),
    ]
    for action in actions:
        with pytest.raises(ClientError) as refused:
            action()
        assert code_of(refused) == "AccessDeniedException"
        assert f"{key_arn} is disabled." in message_of(refused)
    table = described(ddb)
    assert table["TableStatus"] == "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
    assert table["SSEDescription"]["InaccessibleEncryptionDateTime"]
    kms.enable_key(KeyId=key_arn)
    assert read(ddb) == VALUE
    table = described(ddb)
    assert table["TableStatus"] == "ACTIVE"
    assert "InaccessibleEncryptionDateTime" not in table["SSEDescription"]


def test_a_table_without_its_key_for_a_week_is_archived(
    aws: cloud.Cloud, ddb: Any, kms: Any, key_arn: str
) -> None:
    create(ddb, key_id=key_arn)
    put(ddb)
    kms.disable_key(KeyId=key_arn)
    assert described(ddb)["TableStatus"] == "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
    aws.clock.advance(days=8)
    table = described(ddb)
    assert table["TableStatus"] == "ARCHIVED"
    backup = table["ArchivalSummary"]["ArchivalBackupArn"]
    kms.enable_key(KeyId=key_arn)
    with pytest.raises(ClientError) as refused:
        read(ddb)
    assert code_of(refused) == "ResourceNotFoundException"
    ddb.delete_table(TableName="Patients")
    ddb.restore_table_from_backup(TargetTableName="Patients", BackupArn=backup)
    assert read(ddb) == VALUE


def test_switching_between_the_three_kinds_of_key(
    aws: cloud.Cloud, ddb: Any, kms: Any, key_arn: str
) -> None:
    create(ddb)
    put(ddb)
    items = aws.stored("dynamodb", "Patients").items
    switch(ddb, Enabled=True)
    managed = kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]["Arn"]
    assert described(ddb)["SSEDescription"] == {
        "Status": "ENABLED",
        "SSEType": "KMS",
        "KMSMasterKeyArn": managed,
    }
    switch(ddb, Enabled=True, SSEType="KMS", KMSMasterKeyId=key_arn)
    stored = aws.stored("dynamodb", "Patients")
    assert (stored.encryption, stored.key_arn) == ("customer managed key", key_arn)
    assert stored.items == items, "only the table key is new"
    with pytest.raises(ClientError) as refused:
        switch(ddb, Enabled=True, KMSMasterKeyId=key_arn)
    assert "already encrypted by given KMSMasterKeyId" in message_of(refused)
    assert len(kms.list_grants(KeyId=key_arn)["Grants"]) == 1
    switch(ddb, Enabled=False)
    assert kms.list_grants(KeyId=key_arn)["Grants"] == []
    kms.disable_key(KeyId=key_arn)
    aws.clock.advance(minutes=10)
    assert read(ddb) == VALUE


def test_a_table_whose_key_cannot_be_used_is_not_made(ddb: Any, kms: Any, key_arn: str) -> None:
    kms.disable_key(KeyId=key_arn)
    for key_id in (key_arn, "alias/nowhere"):
        with pytest.raises(ClientError) as refused:
            create(ddb, key_id=key_id)
        assert code_of(refused) == "AccessDeniedException"
    assert ddb.list_tables()["TableNames"] == []


def test_whoever_reads_needs_the_key_too(aws: cloud.Cloud, ddb: Any, key_arn: str) -> None:
    create(ddb, key_id=key_arn)
    put(ddb)
    reader = aws.session("reader")

    def allow(*actions: str) -> None:
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        learners("iam").put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=policy)

    allow("dynamodb:*")
    client = client_of(reader, "dynamodb")
    with pytest.raises(ClientError) as refused:
        read(client)
    assert message_of(refused).startswith("KMS key access denied error: ")
    assert "not authorized to perform: kms:Decrypt" in message_of(refused)
    assert "kms:Decrypt" in repr(aws.explain(refused.value))
    allow("dynamodb:GetItem", "kms:Decrypt")
    assert read(client) == VALUE
    transaction = [{"Delete": {"TableName": "Patients", "Key": KEY}}]
    with pytest.raises(ClientError) as refused:
        client.transact_write_items(TransactItems=transaction)
    assert "dynamodb:DeleteItem" in message_of(refused)


def test_a_refused_condition_and_a_cancelled_transaction_leave_everything(ddb: Any) -> None:
    create(ddb, sort=True)
    item = {"id": {"S": "1"}, "day": {"S": "a"}, "n": {"N": "1"}}
    ddb.put_item(TableName="Patients", Item=item)
    with pytest.raises(ClientError) as refused:
        ddb.put_item(
            TableName="Patients",
            Item=item | {"n": {"N": "2"}},
            ConditionExpression="attribute_not_exists(id)",
        )
    assert code_of(refused) == "ConditionalCheckFailedException"
    never = {"TableName": "Patients", "ConditionExpression": "attribute_exists(id)"}
    other = {"id": {"S": "1"}, "day": {"S": "b"}}
    with pytest.raises(ClientError) as refused:
        ddb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "Patients", "Item": item | {"day": {"S": "c"}}}},
                {"Put": never | {"Item": other}},
            ]
        )
    assert code_of(refused) == "TransactionCanceledException"
    found = ddb.query(
        TableName="Patients",
        KeyConditionExpression="id = :i",
        ExpressionAttributeValues={":i": {"S": "1"}},
    )
    assert found["Items"] == [item]


def test_a_backup_is_ciphertext_and_what_is_restored_has_a_table_key_of_its_own(
    aws: cloud.Cloud, ddb: Any, key_arn: str
) -> None:
    create(ddb, key_id=key_arn)
    put(ddb)
    backup = ddb.create_backup(TableName="Patients", BackupName="nightly")["BackupDetails"][
        "BackupArn"
    ]
    ddb.delete_item(TableName="Patients", Key=KEY)
    ddb.restore_table_from_backup(TargetTableName="Restored", BackupArn=backup)
    assert ddb.get_item(TableName="Restored", Key=KEY)["Item"]["note"] == {"S": VALUE}
    assert read(ddb) is None
    assert aws.stored("dynamodb", "Restored").context["aws:dynamodb:tableName"] == "Restored"
    assert not any(SECRET in each for each in held(aws))


def test_partiql_is_refused_with_what_to_use_instead(aws: cloud.Cloud, ddb: Any) -> None:
    create(ddb)
    statement = f"INSERT INTO \"Patients\" VALUE {{'id': '4', 'n': '{VALUE}'}}"
    with pytest.raises(ClientError) as refused:
        ddb.execute_statement(Statement=statement)
    assert "Use GetItem" in message_of(refused)
    assert not any(SECRET in each for each in held(aws))


def test_the_trail_does_not_show_the_data(aws: cloud.Cloud, ddb: Any) -> None:
    create(ddb)
    put(ddb)
    (event,) = aws.trail.events("PutItem")
    assert event["requestParameters"] == {"tableName": "Patients"}
    assert event["eventCategory"] == "Data"


ABROAD = "eu-central-1"


@pytest.fixture
def abroad(aws: cloud.Cloud, ddb: Any) -> Callable[[str], Any]:
    """The learner's clients in another Region."""
    session = aws.session("learner", region=ABROAD)
    return lambda service: client_of(session, service)


def replicate(ddb: Any, **more: str) -> None:
    """Add a replica."""
    create_it = {"Create": {"RegionName": ABROAD, **more}}
    ddb.update_table(TableName="Patients", ReplicaUpdates=[create_it])


def test_replicas_receive_puts_updates_and_deletes_both_ways(
    aws: cloud.Cloud, ddb: Any, abroad: Callable[[str], Any]
) -> None:
    arn = create(ddb)
    put(ddb, "before")
    replicate(ddb)
    there = abroad("dynamodb")
    assert read(there) == "before", "what was there is copied"
    put(ddb)
    assert read(there) == VALUE
    there.update_item(
        TableName="Patients",
        Key=KEY,
        UpdateExpression="SET note = :n",
        ExpressionAttributeValues={":n": {"S": "from abroad"}},
    )
    assert read(ddb) == "from abroad"
    ddb.delete_item(TableName="Patients", Key=KEY)
    assert read(there) is None
    requests = [{"PutRequest": {"Item": {"id": {"S": str(i)}}}} for i in range(3)]
    there.batch_write_item(RequestItems={"Patients": requests})
    assert described(ddb)["ItemCount"] == described(there)["ItemCount"] == 3
    shown = described(ddb)
    assert shown["GlobalTableVersion"] == "2019.11.21"
    (replica,) = shown["Replicas"]
    assert (replica["RegionName"], replica["ReplicaStatus"]) == (ABROAD, "ACTIVE")
    assert described(there)["Replicas"][0]["ReplicaArn"] == arn
    put(ddb)
    assert not any(SECRET in each for each in held(aws))
    ddb.update_table(TableName="Patients", ReplicaUpdates=[{"Delete": {"RegionName": ABROAD}}])
    assert there.list_tables()["TableNames"] == []
    put(ddb, "alone again")
    assert "Replicas" not in described(ddb)


def test_each_replica_has_a_key_of_its_own_and_catches_up_when_it_works_again(
    aws: cloud.Cloud, ddb: Any, kms: Any, key_arn: str, abroad: Callable[[str], Any]
) -> None:
    create(ddb, key_id=key_arn)
    put(ddb, "old")
    their_kms, there = abroad("kms"), abroad("dynamodb")
    their_key = their_kms.create_key()["KeyMetadata"]["Arn"]
    replicate(ddb, KMSMasterKeyId=their_key)
    here, copy = (
        aws.stored("dynamodb", f"arn:aws:dynamodb:{region}:123456789012:table/Patients")
        for region in ("us-east-1", ABROAD)
    )
    assert (here.key_arn, copy.key_arn) == (key_arn, their_key)
    assert here.items[0].ciphertext != copy.items[0].ciphertext
    kms.disable_key(KeyId=key_arn)
    aws.clock.advance(minutes=6)
    assert read(there) == "old", "the key of one Region is no matter to the other"
    kms.enable_key(KeyId=key_arn)
    their_kms.disable_key(KeyId=their_key)
    aws.clock.advance(minutes=6)
    put(ddb, "new")
    assert read(ddb) == "new"
    (replica,) = described(ddb)["Replicas"]
    assert replica["ReplicaStatus"] == "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
    with pytest.raises(ClientError):
        read(there)
    their_kms.enable_key(KeyId=their_key)
    assert read(there) == "new", "what was missed is brought"
    their_kms.disable_key(KeyId=their_key)
    aws.clock.advance(minutes=6)
    put(ddb, "missed")
    aws.clock.advance(hours=21)
    put(ddb, "missed too")
    assert "Replicas" not in described(ddb), "after 20 hours without its key it leaves"
    their_kms.enable_key(KeyId=their_key)
    assert read(there) == "new"


def test_a_replica_in_a_region_that_has_one_or_has_none(
    ddb: Any, abroad: Callable[[str], Any]
) -> None:
    create(ddb)
    replicate(ddb)
    for action in ({"Create": {"RegionName": ABROAD}}, {"Delete": {"RegionName": "eu-west-1"}}):
        with pytest.raises(ClientError) as refused:
            ddb.update_table(TableName="Patients", ReplicaUpdates=[action])
        assert code_of(refused) == "ValidationException"


def test_items_encrypted_on_the_client_are_read_through_a_replica(
    aws: cloud.Cloud, ddb: Any, kms: Any, abroad: Callable[[str], Any]
) -> None:
    from botocore.session import Session
    from dynamodb_encryption_sdk.encrypted.client import EncryptedClient
    from dynamodb_encryption_sdk.identifiers import CryptoAction
    from dynamodb_encryption_sdk.material_providers.aws_kms import (
        AwsKmsCryptographicMaterialsProvider,
    )
    from dynamodb_encryption_sdk.structures import AttributeActions

    create(ddb)
    replicate(ddb)
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    kms.replicate_key(KeyId=key, ReplicaRegion=ABROAD)
    there = abroad("dynamodb")

    def encrypted(client: Any, key_id: str) -> Any:
        return EncryptedClient(
            client=client,
            materials_provider=AwsKmsCryptographicMaterialsProvider(
                key_id=key_id, botocore_session=Session()
            ),
            attribute_actions=AttributeActions(
                default_action=CryptoAction.ENCRYPT_AND_SIGN,
                attribute_actions={"ward": CryptoAction.DO_NOTHING},
            ),
            expect_standard_dictionaries=False,
        )

    put(encrypted(ddb, key), ward={"S": "cardiology"})
    seen = there.get_item(TableName="Patients", Key=KEY)["Item"]
    assert seen["ward"] == {"S": "cardiology"}
    assert "B" in seen["note"], "DynamoDB itself sees ciphertext only"
    assert not any(SECRET in each for each in held(aws))
    assert read(encrypted(there, key)) == VALUE


_ATTRIBUTE = st.recursive(
    st.one_of(
        st.text(max_size=8).map(lambda s: {"S": s}),
        st.integers(-(10**20), 10**20).map(lambda n: {"N": str(n)}),
        st.binary(min_size=1, max_size=8).map(lambda b: {"B": b}),
        st.booleans().map(lambda b: {"BOOL": b}),
        st.just({"NULL": True}),
        st.sets(st.text(min_size=1, max_size=4), min_size=1, max_size=3).map(
            lambda s: {"SS": sorted(s)}
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda v: {"L": v}),
        st.dictionaries(st.sampled_from(["bytes", "S", "a", "é"]), inner, max_size=3).map(
            lambda v: {"M": v}
        ),
    ),
    max_leaves=5,
)


def test_every_kind_of_attribute_comes_back_as_it_was() -> None:
    with cloud.running(seed="data at rest"):
        ddb = learners("dynamodb")
        create(ddb)

        @settings(max_examples=25, deadline=None)
        @given(st.dictionaries(st.sampled_from(["a", "b", "bytes"]), _ATTRIBUTE, max_size=3))
        def check(attributes: dict[str, Any]) -> None:
            item = {**KEY, **attributes}
            ddb.put_item(TableName="Patients", Item=item)
            assert ddb.get_item(TableName="Patients", Key=KEY)["Item"] == item

        check()
