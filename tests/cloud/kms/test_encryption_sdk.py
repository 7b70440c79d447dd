"""The real AWS Encryption SDK: multi-Region keyrings, rotation, and an RSA KMS keyring."""

from __future__ import annotations

from typing import Any

import aws_encryption_sdk
import pytest
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    CreateAwsKmsMrkKeyringInput,
    CreateAwsKmsRsaKeyringInput,
)
from aws_encryption_sdk import CommitmentPolicy
from cryptography.hazmat.primitives import serialization

from tests.cloud.kms.conftest import client

CONTEXT = {"patient": "4711"}


@pytest.fixture
def sdk() -> Any:
    return aws_encryption_sdk.EncryptionSDKClient(
        commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
    )


@pytest.fixture
def providers() -> Any:
    return AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


def test_multi_region_keyrings_across_regions_and_rotation(
    aws: Any, kms: Any, kms_eu: Any, sdk: Any, providers: Any
) -> None:
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    here = providers.create_aws_kms_mrk_keyring(
        CreateAwsKmsMrkKeyringInput(kms_key_id=key, kms_client=kms)
    )
    there = providers.create_aws_kms_mrk_keyring(
        CreateAwsKmsMrkKeyringInput(
            kms_key_id=key.replace("us-east-1", "eu-west-1"), kms_client=kms_eu
        )
    )
    sealed, _ = sdk.encrypt(source=b"record", keyring=here, encryption_context=CONTEXT)
    kms.rotate_key_on_demand(KeyId=key)
    again, _ = sdk.encrypt(source=b"record", keyring=there, encryption_context=CONTEXT)
    for message in (sealed, again):
        for keyring in (here, there):
            opened, header = sdk.decrypt(source=message, keyring=keyring)
            assert opened == b"record"
            assert header.encryption_context["patient"] == "4711"


def test_an_rsa_kms_keyring(aws: Any, kms: Any, sdk: Any, providers: Any) -> None:
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["Arn"]
    public = serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    keyring = providers.create_aws_kms_rsa_keyring(
        CreateAwsKmsRsaKeyringInput(
            kms_key_id=key,
            public_key=pem,
            encryption_algorithm="RSAES_OAEP_SHA_256",
            kms_client=kms,
        )
    )
    # An RSA keyring makes no signing key pair: the suite without signatures.
    suite = aws_encryption_sdk.Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
    sealed, _ = sdk.encrypt(source=b"record", keyring=keyring, algorithm=suite)
    assert sdk.decrypt(source=sealed, keyring=keyring)[0] == b"record"
    kms.disable_key(KeyId=key)
    with pytest.raises(Exception, match="able to decrypt the Data Key"):
        sdk.decrypt(source=sealed, keyring=keyring)
    assert client(aws).describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
