"""Real sealed messages, made by the real libraries; no AWS account and no network needed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import aws_encryption_sdk
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    AesWrappingAlg,
    CreateAwsKmsKeyringInput,
    CreateMultiKeyringInput,
    CreateRawAesKeyringInput,
)
from aws_encryption_sdk import CommitmentPolicy
from aws_encryption_sdk.identifiers import AlgorithmSuite
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse.sealed import S3Object

# The SDK prints tracebacks on refused decrypts, and there will be thousands.
_logger = logging.getLogger("aws_encryption_sdk")
_logger.addHandler(logging.NullHandler())
_logger.propagate = False

LETTER = b"Patient 42: asthma. Penicillin makes her ill; give doxycycline instead. " * 4
CONTEXT = {"clinic": "north", "record": "42"}


@dataclass(frozen=True)
class Real:
    """A sealed message and the code that really opens it."""

    message: Any
    open_with: Callable[[Any], bytes]
    letter: bytes


@cache
def providers() -> Any:
    return AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


@cache
def aes_keyring(name: str = "night-safe") -> Any:
    return providers().create_raw_aes_keyring(
        CreateRawAesKeyringInput(
            key_namespace="clinic",
            key_name=name,
            wrapping_key=name.encode().ljust(32, b"."),
            wrapping_alg=AesWrappingAlg.ALG_AES256_GCM_IV12_TAG16,
        )
    )


@cache
def two_keyrings() -> Any:
    return providers().create_multi_keyring(
        CreateMultiKeyringInput(
            generator=aes_keyring("night-safe"), child_keyrings=[aes_keyring("day-safe")]
        )
    )


def sealed_with_sdk(
    suite: AlgorithmSuite = AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384,
    *,
    letter: bytes = LETTER,
    frame_length: int = 128,
    context: dict[str, str] | None = None,
    keyring: Any = None,
    opener: Any = None,
) -> Real:
    """A message of the AWS Encryption SDK. ``frame_length=0`` leaves it in one block."""
    policy = (
        CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
        if suite.is_committing()
        else CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT
    )
    client = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=policy)
    keyring = keyring or aes_keyring()
    message, _ = client.encrypt(
        source=letter,
        keyring=keyring,
        algorithm=suite,
        frame_length=frame_length,
        encryption_context=CONTEXT if context is None else context,
    )
    opener = opener or keyring

    def open_with(changed: bytes) -> bytes:
        return bytes(client.decrypt(source=changed, keyring=opener)[0])

    return Real(message, open_with, letter)


def sealed_by_hand(letter: bytes = LETTER) -> Real:
    """An envelope by hand, with a wrapping key of its own in place of KMS."""
    wrapping, data_key = AESGCM(b"w" * 32), os.urandom(32)
    key_nonce, nonce = os.urandom(12), os.urandom(12)
    context = {"record": "42"}
    envelope = {
        "wrapped_key": key_nonce + wrapping.encrypt(key_nonce, data_key, b"42"),
        "encryption_context": context,
        "nonce": nonce,
        "ciphertext": AESGCM(data_key).encrypt(nonce, letter, None),
    }

    def open_with(changed: dict[str, Any]) -> bytes:
        blob = changed["wrapped_key"]
        record = changed["encryption_context"]["record"].encode()
        key = wrapping.decrypt(blob[:12], blob[12:], record)
        return AESGCM(key).decrypt(changed["nonce"], changed["ciphertext"], None)

    return Real(envelope, open_with, letter)


def fake_credentials(monkeypatch: Any) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)


def sealed_with_kms(kms: Any, key_arn: str) -> Real:
    """A message whose data key AWS KMS wrapped; ``kms`` is a client on a simulated AWS."""
    keyring = providers().create_aws_kms_keyring(
        CreateAwsKmsKeyringInput(kms_key_id=key_arn, kms_client=kms)
    )
    return sealed_with_sdk(keyring=keyring)


def sealed_with_s3_client(session: Any, kms: Any, key_arn: str, *, committing: bool = True) -> Real:
    """An object of the Amazon S3 Encryption Client, as it lies in the bucket."""
    from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig
    from s3_encryption.materials.kms_keyring import KmsKeyring
    from s3_encryption.materials.materials import AlgorithmSuite as S3Suite
    from s3_encryption.materials.materials import CommitmentPolicy as S3Policy

    settings: dict[str, Any] = {}
    if not committing:
        settings["encryption_algorithm"] = S3Suite.ALG_AES_256_GCM_IV12_TAG16_NO_KDF
        settings["commitment_policy"] = S3Policy.FORBID_ENCRYPT_ALLOW_DECRYPT
    plain = session.client("s3")
    config = S3EncryptionClientConfig(keyring=KmsKeyring(kms, key_arn), **settings)
    client = S3EncryptionClient(session.client("s3"), config)
    plain.create_bucket(
        Bucket="clinic", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    client.put_object(
        Bucket="clinic",
        Key="record",
        Body=LETTER,
        Metadata={"ward": "north"},
        EncryptionContext=CONTEXT,
    )
    stored = S3Object.from_response(plain.get_object(Bucket="clinic", Key="record"))

    def open_with(changed: S3Object) -> bytes:
        plain.put_object(
            Bucket="clinic", Key="changed", Body=changed.body, Metadata=dict(changed.metadata)
        )
        found = client.get_object(Bucket="clinic", Key="changed", EncryptionContext=CONTEXT)
        return bytes(found["Body"].read())

    return Real(stored, open_with, LETTER)
