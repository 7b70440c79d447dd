"""What the questions of 05-envelopes say happens, does happen, in the real libraries."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import aws_encryption_sdk
import boto3
import pytest
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    CreateAwsKmsDiscoveryKeyringInput,
    CreateAwsKmsKeyringInput,
    CreateMultiKeyringInput,
    DiscoveryFilter,
)
from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from botocore.exceptions import ClientError

from kmscourse import cloud

# The SDK prints a traceback for each refusal, and these tests want refusals.
_logger = logging.getLogger("aws_encryption_sdk")
_logger.addHandler(logging.NullHandler())
_logger.propagate = False

ANY_REFUSAL = (AWSEncryptionSDKClientError, ClientError)
LETTER = b"Patient 42: asthma."


class World:
    """Two Regions with a key each, and a client of the SDK as it is by default."""

    def __init__(self, aws: Any) -> None:
        self.aws = aws
        self.here = boto3.client("kms", region_name="eu-west-1")
        self.there = boto3.client("kms", region_name="eu-central-1")
        self.key = self.here.create_key()["KeyMetadata"]["Arn"]
        self.other = self.there.create_key()["KeyMetadata"]["Arn"]
        self.providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
        self.sdk = EncryptionSDKClient()
        self.keyring = self.kms_keyring(self.key, self.here)

    def kms_keyring(self, arn: str, kms: Any) -> Any:
        return self.providers.create_aws_kms_keyring(
            CreateAwsKmsKeyringInput(kms_key_id=arn, kms_client=kms)
        )

    def discovery(self, account: str) -> Any:
        return self.providers.create_aws_kms_discovery_keyring(
            CreateAwsKmsDiscoveryKeyringInput(
                kms_client=self.here,
                discovery_filter=DiscoveryFilter(partition="aws", account_ids=[account]),
            )
        )

    def seal(self, keyring: Any, policy: Any = None) -> bytes:
        sdk = EncryptionSDKClient(commitment_policy=policy) if policy else self.sdk
        message, _ = sdk.encrypt(source=LETTER, keyring=keyring)
        return bytes(message)

    def calls(self, name: str) -> int:
        return sum(event["eventName"] == name for event in self.aws.trail.events())


@pytest.fixture
def world() -> Iterator[World]:
    with cloud.running(seed="claims") as aws:
        yield World(aws)


def test_envelope_large_file(world: World) -> None:
    with pytest.raises(ClientError, match="4096"):
        world.here.encrypt(KeyId=world.key, Plaintext=b"x" * 4097)
    with pytest.raises(ClientError):
        world.here.get_public_key(KeyId=world.key)


def test_envelope_context_case(world: World) -> None:
    sealed = world.here.generate_data_key(
        KeyId=world.key, KeySpec="AES_256", EncryptionContext={"department": "Radiology"}
    )
    blob = sealed["CiphertextBlob"]
    with pytest.raises(ClientError) as refused:
        world.here.decrypt(CiphertextBlob=blob, EncryptionContext={"department": "radiology"})
    assert refused.value.response["Error"]["Code"] == "InvalidCiphertextException"
    opened = world.here.decrypt(CiphertextBlob=blob, EncryptionContext={"department": "Radiology"})
    assert opened["Plaintext"] == sealed["Plaintext"]


def test_envelope_without_plaintext(world: World) -> None:
    made = world.here.generate_data_key_without_plaintext(KeyId=world.key, KeySpec="AES_256")
    assert "Plaintext" not in made
    assert len(world.here.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"]) == 32


def test_envelope_context_contents(world: World) -> None:
    message, _ = world.sdk.encrypt(
        source=LETTER, keyring=world.keyring, encryption_context={"record": "number 42"}
    )
    assert b"number 42" in message
    assert LETTER not in message


def test_envelope_wrapping_key_disabled(world: World) -> None:
    both = world.providers.create_multi_keyring(
        CreateMultiKeyringInput(
            generator=world.keyring, child_keyrings=[world.kms_keyring(world.other, world.there)]
        )
    )
    message = world.seal(both)
    world.there.disable_key(KeyId=world.other)
    with pytest.raises(ANY_REFUSAL):
        world.seal(both)
    assert world.sdk.decrypt(source=message, keyring=both)[0] == LETTER
    assert world.sdk.decrypt(source=message, keyring=world.keyring)[0] == LETTER
    world.there.enable_key(KeyId=world.other)
    alone = world.kms_keyring(world.other, world.there)
    assert world.sdk.decrypt(source=message, keyring=alone)[0] == LETTER
    assert world.seal(both)


def test_envelope_discovery_filter(world: World) -> None:
    message = world.seal(world.keyring)
    account = world.key.split(":")[4]
    assert world.sdk.decrypt(source=message, keyring=world.discovery(account))[0] == LETTER
    before = world.calls("Decrypt")
    with pytest.raises(ANY_REFUSAL):
        world.sdk.decrypt(source=message, keyring=world.discovery("999999999999"))
    assert world.calls("Decrypt") == before  # AWS KMS was not even asked
    with pytest.raises(ANY_REFUSAL):
        world.seal(world.discovery(account))


def test_envelope_commitment_upgrade(world: World) -> None:
    old = world.seal(world.keyring, CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)
    with pytest.raises(ANY_REFUSAL):  # the default, RequireEncryptRequireDecrypt
        world.sdk.decrypt(source=old, keyring=world.keyring)
    moving = EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_ALLOW_DECRYPT)
    assert moving.decrypt(source=old, keyring=world.keyring)[0] == LETTER
    new = world.seal(world.keyring, CommitmentPolicy.REQUIRE_ENCRYPT_ALLOW_DECRYPT)
    assert world.sdk.decrypt(source=new, keyring=world.keyring)[0] == LETTER
    with pytest.raises(ClientError) as refused:
        world.here.re_encrypt(CiphertextBlob=old, DestinationKeyId=world.key)
    assert refused.value.response["Error"]["Code"] == "InvalidCiphertextException"


@pytest.mark.parametrize(
    ("contexts", "requests"),
    [([{"clinic": "north"}] * 5, 1), ([{"record": str(n)} for n in range(5)], 5)],
    ids=["envelope-caching-throttled", "envelope-caching-no-effect"],
)
def test_envelope_caching(world: World, contexts: list[dict[str, str]], requests: int) -> None:
    provider = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[world.key])
    caching = aws_encryption_sdk.CachingCryptoMaterialsManager(
        master_key_provider=provider,
        cache=aws_encryption_sdk.LocalCryptoMaterialsCache(capacity=10),
        max_age=600.0,
        max_messages_encrypted=100,
    )
    before = world.calls("GenerateDataKey")
    for context in contexts:
        world.sdk.encrypt(source=LETTER, materials_manager=caching, encryption_context=context)
    assert world.calls("GenerateDataKey") - before == requests
