"""Imported key material: wrapped for real, bound to its key, gone when its time comes."""

from __future__ import annotations

import hashlib
import hmac
import os
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from kmscourse import cloud
from kmscourse.cloud.kms import key_pairs
from tests.cloud.kms.conftest import refused
from tests.cloud.kms.importing import external_key, import_into, wrap

ALGORITHMS = (
    "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256",
)  # fmt: skip


def _state(kms: Any, key: str) -> str:
    return str(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_symmetric_material_comes_in_by_every_wrapping(kms: Any, algorithm: str) -> None:
    key = external_key(kms)
    assert _state(kms, key) == "PendingImport"
    import_into(kms, key, os.urandom(32), algorithm=algorithm)
    assert _state(kms, key) == "Enabled"
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_an_imported_hmac_key_makes_the_same_macs_as_outside(kms: Any) -> None:
    secret = os.urandom(48)
    key = external_key(kms, secret, KeySpec="HMAC_384", KeyUsage="GENERATE_VERIFY_MAC")
    mac = kms.generate_mac(KeyId=key, Message=b"x", MacAlgorithm="HMAC_SHA_384")["Mac"]
    assert mac == hmac.digest(secret, b"x", hashlib.sha384)


def test_an_imported_ecc_key_signs_for_the_public_key_outside(kms: Any) -> None:
    pair = ec.generate_private_key(ec.SECP384R1())
    spec = {"KeySpec": "ECC_NIST_P384", "KeyUsage": "SIGN_VERIFY"}
    key = external_key(kms, key_pairs.private_der(pair), **spec)
    signed = kms.sign(KeyId=key, Message=b"x", SigningAlgorithm="ECDSA_SHA_384")["Signature"]
    pair.public_key().verify(signed, b"x", ec.ECDSA(hashes.SHA384()))


def test_an_imported_rsa_key_needs_the_two_step_wrapping(kms: Any) -> None:
    pair = rsa.generate_private_key(65537, 2048)
    der = pair.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    key = external_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    refused(
        "UnsupportedOperationException",
        kms.get_parameters_for_import,
        KeyId=key,
        WrappingAlgorithm="RSAES_OAEP_SHA_256",
        WrappingKeySpec="RSA_2048",
    )
    import_into(kms, key, der, algorithm="RSA_AES_KEY_WRAP_SHA_256")
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    sealed = pair.public_key().encrypt(b"x", oaep)
    opened = kms.decrypt(KeyId=key, CiphertextBlob=sealed, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    assert opened["Plaintext"] == b"x"


def test_only_the_same_material_comes_back(kms: Any) -> None:
    material = os.urandom(32)
    key = external_key(kms, material)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    deleted = kms.delete_imported_key_material(KeyId=key)
    assert _state(kms, key) == "PendingImport"
    refused("IncorrectKeyMaterialException", import_into, kms, key, os.urandom(32))
    refused(
        "IncorrectKeyMaterialException",
        import_into, kms, key, os.urandom(32), KeyMaterialId=deleted["KeyMaterialId"],
    )  # fmt: skip
    refused(
        "IncorrectKeyMaterialException",
        import_into, kms, key, material, ImportType="NEW_KEY_MATERIAL",
    )  # fmt: skip
    again = import_into(kms, key, material)
    assert again["KeyMaterialId"] == deleted["KeyMaterialId"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_the_same_material_in_another_key_opens_nothing(kms: Any) -> None:
    """Ciphertext is bound to its KMS key (fact IMP-10)."""
    material = os.urandom(32)
    one, other = external_key(kms, material), external_key(kms, material)
    blob = kms.encrypt(KeyId=one, Plaintext=b"x")["CiphertextBlob"]
    refused("IncorrectKeyException", kms.decrypt, CiphertextBlob=blob, KeyId=other)


def test_material_expires_when_its_time_comes(aws: cloud.Cloud, kms: Any) -> None:
    material = os.urandom(32)
    key = external_key(kms)
    ends = aws.clock.now() + timedelta(days=30)
    import_into(kms, key, material, ValidTo=ends)
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert metadata["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"
    assert abs(metadata["ValidTo"] - ends) < timedelta(seconds=1)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    aws.clock.advance(days=31)
    assert _state(kms, key) == "PendingImport"
    message = refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=blob)
    assert message.endswith("is pending import.")
    import_into(kms, key, material)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    aws.clock.advance(days=1000)
    assert _state(kms, key) == "Enabled"


def test_importing_again_sets_another_expiry(aws: cloud.Cloud, kms: Any) -> None:
    material = os.urandom(32)
    key = external_key(kms)
    import_into(kms, key, material, ValidTo=aws.clock.now() + timedelta(days=30))
    import_into(kms, key, material, ValidTo=aws.clock.now() + timedelta(days=60))
    aws.clock.advance(days=31)
    assert _state(kms, key) == "Enabled"
    aws.clock.advance(days=30)
    assert _state(kms, key) == "PendingImport"


def test_each_wrong_import_has_its_own_error(aws: cloud.Cloud, kms: Any) -> None:
    key, other = external_key(kms), external_key(kms)

    def parameters(of: str) -> dict[str, Any]:
        given: dict[str, Any] = kms.get_parameters_for_import(
            KeyId=of, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
        )
        return given

    mine, second, theirs = parameters(key), parameters(key), parameters(other)
    material = os.urandom(32)

    def attempt(token: bytes, public: bytes, secret: bytes = material, **more: Any) -> None:
        more = more or {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
        kms.import_key_material(
            KeyId=key,
            ImportToken=token,
            EncryptedKeyMaterial=wrap(secret, public, "RSAES_OAEP_SHA_256"),
            **more,
        )

    token, public = mine["ImportToken"], mine["PublicKey"]
    refused("InvalidImportTokenException", attempt, b"no token", public)
    refused("InvalidImportTokenException", attempt, theirs["ImportToken"], theirs["PublicKey"])
    refused("InvalidCiphertextException", attempt, token, second["PublicKey"])
    refused("IncorrectKeyMaterialException", attempt, token, public, os.urandom(16))
    now = aws.clock.now()
    lasts, ends = "KEY_MATERIAL_DOES_NOT_EXPIRE", "KEY_MATERIAL_EXPIRES"
    for wrong in (
        {"ExpirationModel": lasts, "ValidTo": now + timedelta(days=1)},
        {"ExpirationModel": ends},
        {"ValidTo": now - timedelta(days=1)},
        {"ValidTo": now + timedelta(days=366)},
        {"ExpirationModel": lasts, "ImportType": "NEW_KEY_MATERIAL", "KeyMaterialId": "a" * 64},
    ):
        refused("ValidationException", attempt, token, public, **wrong)
    aws.clock.advance(hours=25)
    refused("ExpiredImportTokenException", attempt, token, public)
    assert _state(kms, key) == "PendingImport"


def test_wrappings_that_aws_does_not_have(kms: Any) -> None:
    symmetric = external_key(kms)
    p521 = external_key(kms, KeySpec="ECC_NIST_P521", KeyUsage="SIGN_VERIFY")
    for key, algorithm, spec in (
        (symmetric, "RSAES_PKCS1_V1_5", "RSA_2048"),
        (symmetric, "SM2PKE", "SM2"),
        (p521, "RSAES_OAEP_SHA_256", "RSA_2048"),
    ):
        refused(
            "UnsupportedOperationException",
            kms.get_parameters_for_import,
            KeyId=key,
            WrappingAlgorithm=algorithm,
            WrappingKeySpec=spec,
        )
