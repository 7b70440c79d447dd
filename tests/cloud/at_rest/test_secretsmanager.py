"""Secrets are ciphertext in every Region, and the key there decides who reads them."""

from __future__ import annotations

import json
from typing import Any

import boto3
import moto.secretsmanager.models
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse import cloud
from kmscourse.cloud.at_rest import sealing
from tests.cloud.at_rest.conftest import SECRET, client_of, everything_stored, learners
from tests.cloud.conftest import code_of, message_of

VALUE = SECRET.decode()
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:rotate"


@pytest.fixture
def manager(aws: cloud.Cloud) -> Any:
    """The learner's plain client."""
    return learners("secretsmanager")


def create(manager: Any, value: str | None = VALUE, **how: Any) -> str:
    """Create the secret ``db`` and give its ARN."""
    brought = {"SecretString": value} if value is not None else {}
    return str(manager.create_secret(Name="db", **brought, **how)["ARN"])


def read(manager: Any, secret_id: str = "db", **which: Any) -> str:
    """Read the secret."""
    return str(manager.get_secret_value(SecretId=secret_id, **which)["SecretString"])


def held(aws: cloud.Cloud) -> list[bytes]:
    """Everything that the simulated AWS holds."""
    backends = moto.secretsmanager.models.secretsmanager_backends
    return list(everything_stored(aws, dict(backends)))


def test_the_plaintext_lies_nowhere_and_comes_back(aws: cloud.Cloud, manager: Any) -> None:
    arn = create(manager, AddReplicaRegions=[{"Region": "eu-central-1"}])
    manager.put_secret_value(SecretId="db", SecretBinary=b"\x00\xff" + SECRET)
    manager.update_secret(SecretId="db", SecretString="newest: " + VALUE)
    assert read(manager) == "newest: " + VALUE
    previous = manager.get_secret_value(SecretId="db", VersionStage="AWSPREVIOUS")
    assert previous["SecretBinary"] == b"\x00\xff" + SECRET
    found = held(aws)
    assert any(arn.encode() in each for each in found), "the search must find what is there"
    assert not any(SECRET in each for each in found)
    stored = aws.stored("secretsmanager", "db")
    assert SECRET not in bytes(stored)
    assert any(stored.ciphertext in each for each in found)
    assert "SecretVersionId = " in repr(stored)
    with pytest.raises(KeyError):
        aws.stored("secretsmanager", "nowhere")


def test_kms_is_asked_with_the_callers_identity_the_arn_and_the_version(
    aws: cloud.Cloud, manager: Any, key_arn: str
) -> None:
    arn = create(manager, KmsKeyId=key_arn)
    version = manager.get_secret_value(SecretId="db")["VersionId"]
    used = aws.trail.events(service="kms")[1:]
    validating, own = (
        {"SecretARN": arn, "SecretVersionId": which}
        for which in ("RequestToValidateKeyAccess", version)
    )
    assert [(e["eventName"], e["requestParameters"]["encryptionContext"]) for e in used] == [
        ("GenerateDataKey", validating),
        ("Decrypt", validating),
        ("GenerateDataKey", own),
        ("Decrypt", own),
    ]
    for event in used:
        assert event["userIdentity"]["arn"].endswith(":user/learner")
        assert event["userIdentity"]["invokedBy"] == "secretsmanager.amazonaws.com"
        assert [resource["ARN"] for resource in event["resources"]] == [key_arn]


def test_whoever_has_the_disk_and_the_key_has_the_secret(
    aws: cloud.Cloud, manager: Any, kms: Any, key_arn: str
) -> None:
    create(manager, KmsKeyId=key_arn)
    stored = aws.stored("secretsmanager", "db")
    key = kms.decrypt(CiphertextBlob=stored.wrapped_key, EncryptionContext=stored.context)
    cipher = AESGCM(key["Plaintext"])
    bound = sealing.bound(stored.context)
    assert cipher.decrypt(stored.nonce, stored.ciphertext, bound) == SECRET
    manager.put_secret_value(SecretId="db", SecretString=VALUE)
    again = aws.stored("secretsmanager", "db")
    assert again.wrapped_key != stored.wrapped_key, "every version has a data key of its own"
    assert aws.stored("secretsmanager", "db", "AWSPREVIOUS").wrapped_key == stored.wrapped_key


def test_a_disabled_key_makes_the_secret_unreadable(
    aws: cloud.Cloud, manager: Any, kms: Any, key_arn: str
) -> None:
    create(manager, KmsKeyId=key_arn)
    kms.disable_key(KeyId=key_arn)
    with pytest.raises(ClientError) as refused:
        read(manager)
    assert code_of(refused) == "DecryptionFailure"
    assert message_of(refused).startswith("Secrets Manager can't decrypt the protected secret text")
    with pytest.raises(ClientError) as refused:
        manager.put_secret_value(SecretId="db", SecretString="new")
    assert code_of(refused) == "EncryptionFailure"
    assert {event["errorCode"] for event in aws.trail.events(service="kms")[-2:]} == {
        "DisabledException"
    }
    assert len(manager.list_secret_version_ids(SecretId="db")["Versions"]) == 1
    kms.enable_key(KeyId=key_arn)
    assert read(manager) == VALUE


def test_a_secret_whose_key_cannot_be_used_is_not_made(manager: Any, kms: Any) -> None:
    pair = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["Arn"]
    for key_id, code in (
        ("alias/nowhere", "EncryptionFailure"),
        (pair, "InvalidParameterException"),
    ):
        with pytest.raises(ClientError) as refused:
            create(manager, KmsKeyId=key_id)
        assert code_of(refused) == code
    with pytest.raises(ClientError) as refused:
        read(manager)
    assert code_of(refused) == "ResourceNotFoundException"


def test_the_aws_managed_key_lets_users_of_the_account_through_the_service(
    aws: cloud.Cloud, manager: Any, kms: Any
) -> None:
    create(manager)
    managed = kms.describe_key(KeyId="alias/aws/secretsmanager")["KeyMetadata"]["Arn"]
    assert aws.stored("secretsmanager", "db").key_arn == managed
    assert "KmsKeyId" not in manager.describe_secret(SecretId="db")
    allow(aws, "reader", "secretsmanager:GetSecretValue")
    assert read(client_of(aws.session("reader"), "secretsmanager")) == VALUE
    stored = aws.stored("secretsmanager", "db")
    with pytest.raises(ClientError) as refused:
        kms.decrypt(CiphertextBlob=stored.wrapped_key, EncryptionContext=stored.context)
    assert code_of(refused) == "AccessDeniedException"


def allow(aws: cloud.Cloud, user: str, *actions: str, account: str | None = None) -> None:
    """Give a user an identity policy, whichever account it is of."""
    where = aws.account(account or aws.account_id)
    where.session(user)
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
    }
    root = client_of(where.session("root"), "iam")
    root.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps(policy))


def test_a_key_of_ones_own_needs_permission_of_its_own(
    aws: cloud.Cloud, manager: Any, key_arn: str
) -> None:
    create(manager, KmsKeyId=key_arn)
    allow(aws, "reader", "secretsmanager:GetSecretValue")
    client = client_of(aws.session("reader"), "secretsmanager")
    with pytest.raises(ClientError) as refused:
        read(client)
    assert code_of(refused) == "AccessDeniedException"
    assert message_of(refused) == "Access to KMS is not allowed"
    assert "kms:Decrypt" in repr(aws.explain(refused.value))
    allow(aws, "reader", "secretsmanager:GetSecretValue", "kms:Decrypt")
    assert read(client) == VALUE


def test_another_account_needs_a_policy_and_a_key_of_ones_own(
    aws: cloud.Cloud, manager: Any, kms: Any, key_arn: str
) -> None:
    other = "210987654321"
    arn = create(manager)
    allow(aws, "visitor", "secretsmanager:*", "kms:Decrypt", account=other)
    visitor = client_of(aws.account(other).session("visitor"), "secretsmanager")
    with pytest.raises(ClientError) as refused:
        read(visitor, arn)
    assert "secretsmanager:GetSecretValue" in message_of(refused)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{other}:root"},
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    manager.put_resource_policy(SecretId="db", ResourcePolicy=policy)
    with pytest.raises(ClientError) as refused:
        read(visitor, arn)
    assert message_of(refused) == "Access to KMS is not allowed", (
        "aws/secretsmanager is the account's"
    )
    manager.update_secret(SecretId="db", KmsKeyId=key_arn)
    key_policy = json.loads(kms.get_key_policy(KeyId=key_arn)["Policy"])
    key_policy["Statement"].append(statement | {"Action": "kms:Decrypt"})
    with pytest.raises(ClientError) as refused:
        read(visitor, arn)
    assert message_of(refused) == "Access to KMS is not allowed"
    kms.put_key_policy(KeyId=key_arn, Policy=json.dumps(key_policy))
    assert read(visitor, arn) == VALUE


def test_a_new_key_encrypts_the_labelled_versions_anew(
    aws: cloud.Cloud, manager: Any, kms: Any, key_arn: str
) -> None:
    create(manager, "first", KmsKeyId=key_arn)
    manager.put_secret_value(SecretId="db", SecretString="second")
    new = kms.create_key()["KeyMetadata"]["Arn"]
    manager.update_secret(SecretId="db", KmsKeyId=new)
    assert manager.describe_secret(SecretId="db")["KmsKeyId"] == new
    kms.disable_key(KeyId=key_arn)
    assert read(manager) == "second"
    assert read(manager, VersionStage="AWSPREVIOUS") == "first"
    assert aws.stored("secretsmanager", "db").key_arn == new


def test_a_rotation_step_by_step(manager: Any) -> None:
    create(manager, "old")
    with pytest.raises(ClientError) as refused:
        manager.rotate_secret(SecretId="db")
    assert code_of(refused) == "InvalidRequestException"
    pending = manager.rotate_secret(
        SecretId="db", RotationLambdaARN=FUNCTION, RotationRules={"AutomaticallyAfterDays": 30}
    )["VersionId"]
    with pytest.raises(ClientError) as refused:
        read(manager, VersionStage="AWSPENDING")  # createSecret looks whether there is one
    assert code_of(refused) == "ResourceNotFoundException"
    put = manager.put_secret_value(
        SecretId="db", ClientRequestToken=pending, SecretString="new", VersionStages=["AWSPENDING"]
    )
    assert put["VersionStages"] == ["AWSPENDING"]
    assert (read(manager), read(manager, VersionStage="AWSPENDING")) == ("old", "new")
    with pytest.raises(ClientError) as refused:
        manager.rotate_secret(SecretId="db")
    assert "previous rotation isn't complete" in message_of(refused)
    shown = manager.describe_secret(SecretId="db")
    assert shown["RotationEnabled"]
    current = next(v for v, labels in shown["VersionIdsToStages"].items() if "AWSCURRENT" in labels)
    with pytest.raises(ClientError) as refused:
        manager.update_secret_version_stage(
            SecretId="db", VersionStage="AWSCURRENT", MoveToVersionId=pending
        )
    assert current in message_of(refused)
    manager.update_secret_version_stage(
        SecretId="db",
        VersionStage="AWSCURRENT",
        MoveToVersionId=pending,
        RemoveFromVersionId=current,
    )
    assert (read(manager), read(manager, VersionStage="AWSPREVIOUS")) == ("new", "old")
    assert manager.describe_secret(SecretId="db")["VersionIdsToStages"] == {
        current: ["AWSPREVIOUS"],
        pending: ["AWSPENDING", "AWSCURRENT"],
    }
    assert manager.rotate_secret(SecretId="db")["VersionId"] != pending


def test_labels_and_repeated_requests(manager: Any) -> None:
    create(manager, None)
    with pytest.raises(ClientError) as refused:
        read(manager)
    assert "staging label: AWSCURRENT" in message_of(refused)
    token = "t" * 32
    for _ in range(2):
        answer = manager.put_secret_value(
            SecretId="db", SecretString="one", ClientRequestToken=token, VersionStages=["mine"]
        )
        assert answer["VersionId"] == token
        assert sorted(answer["VersionStages"]) == ["AWSCURRENT", "mine"]
    with pytest.raises(ClientError) as refused:
        manager.put_secret_value(SecretId="db", SecretString="two", ClientRequestToken=token)
    assert code_of(refused) == "ResourceExistsException"
    manager.put_secret_value(SecretId="db", SecretString="two")
    assert read(manager, VersionStage="mine") == read(manager, VersionId=token) == "one"
    with pytest.raises(ClientError) as refused:
        create(manager)
    assert code_of(refused) == "ResourceExistsException"
    manager.delete_secret(SecretId="db")
    with pytest.raises(ClientError) as refused:
        read(manager)
    assert code_of(refused) == "InvalidRequestException"
    manager.restore_secret(SecretId="db")
    assert read(manager) == "two"


def test_several_at_once_each_with_its_own_permission(aws: cloud.Cloud, manager: Any) -> None:
    create(manager)
    manager.create_secret(Name="other", SecretString="beside")
    answer = manager.batch_get_secret_value(SecretIdList=["other", "nowhere", "db"])
    assert [each["SecretString"] for each in answer["SecretValues"]] == ["beside", VALUE]
    assert [each["ErrorCode"] for each in answer["Errors"]] == ["ResourceNotFoundException"]
    allow(aws, "reader", "secretsmanager:BatchGetSecretValue")
    client = client_of(aws.session("reader"), "secretsmanager")
    answer = client.batch_get_secret_value(SecretIdList=["db"])
    assert [each["ErrorCode"] for each in answer["Errors"]] == ["AccessDeniedException"]


def test_replicas_are_encrypted_under_keys_of_their_own_regions(
    aws: cloud.Cloud, manager: Any, key_arn: str
) -> None:
    there = aws.session("learner", region="eu-central-1")
    european, their_kms = client_of(there, "secretsmanager"), client_of(there, "kms")
    their_key = their_kms.create_key()["KeyMetadata"]["Arn"]
    arn = create(manager, KmsKeyId=key_arn)
    answer = manager.replicate_secret_to_regions(
        SecretId="db",
        AddReplicaRegions=[
            {"Region": "eu-central-1", "KmsKeyId": their_key},
            {"Region": "eu-west-1"},
        ],
    )
    assert [each["Status"] for each in answer["ReplicationStatus"]] == ["InSync", "InSync"]
    replica = arn.replace("us-east-1", "eu-central-1")
    stored = aws.stored("secretsmanager", replica)
    assert (stored.key_arn, stored.context["SecretARN"]) == (their_key, replica)
    assert european.describe_secret(SecretId="db")["KmsKeyId"] == their_key
    assert european.describe_secret(SecretId="db")["PrimaryRegion"] == "us-east-1"
    manager.put_secret_value(SecretId="db", SecretString="rotated")
    assert read(european) == read(european, replica) == "rotated"
    with pytest.raises(ClientError) as refused:
        european.put_secret_value(SecretId="db", SecretString="no")
    assert "replica" in message_of(refused)
    # The primary's key is no matter to the replica; its own is.
    learners("kms").disable_key(KeyId=key_arn)
    assert read(european) == "rotated"
    learners("kms").enable_key(KeyId=key_arn)
    their_kms.disable_key(KeyId=their_key)
    with pytest.raises(ClientError) as refused:
        read(european)
    assert code_of(refused) == "DecryptionFailure"
    manager.put_secret_value(SecretId="db", SecretString="newest")
    status = {e["Region"]: e for e in manager.describe_secret(SecretId="db")["ReplicationStatus"]}
    assert status["eu-central-1"]["Status"] == "Failed"
    assert status["eu-west-1"]["Status"] == "InSync"
    manager.remove_regions_from_replication(
        SecretId="db", RemoveReplicaRegions=["eu-central-1", "eu-west-1"]
    )
    with pytest.raises(ClientError) as refused:
        read(european)
    assert code_of(refused) == "ResourceNotFoundException"
    assert read(manager) == "newest"


def test_a_promoted_replica_goes_its_own_way(aws: cloud.Cloud, manager: Any) -> None:
    create(manager, AddReplicaRegions=[{"Region": "eu-west-1"}])
    irish = client_of(aws.session("learner", region="eu-west-1"), "secretsmanager")
    irish.stop_replication_to_replica(SecretId="db")
    irish.put_secret_value(SecretId="db", SecretString="on my own")
    assert (read(manager), read(irish)) == (VALUE, "on my own")
    assert read(irish, VersionStage="AWSPREVIOUS") == VALUE
    assert "ReplicationStatus" not in manager.describe_secret(SecretId="db")
    manager.delete_secret(SecretId="db", ForceDeleteWithoutRecovery=True)
    assert read(irish) == "on my own"


def test_a_resource_policy_names_who_it_is_for(aws: cloud.Cloud) -> None:
    """Source: botocore secretsmanager PutResourcePolicy, MalformedPolicyDocumentException."""
    client = boto3.client("secretsmanager")
    client.create_secret(Name="named", SecretString="x")
    read = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    for statement, saved in ((read, False), ({**read, "Principal": {"AWS": "*"}}, True)):
        policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
        if saved:
            client.put_resource_policy(SecretId="named", ResourcePolicy=policy)
            continue
        with pytest.raises(client.exceptions.MalformedPolicyDocumentException):
            client.put_resource_policy(SecretId="named", ResourcePolicy=policy)
