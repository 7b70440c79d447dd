"""Key pairs and HMAC keys: what KMS makes opens outside with `cryptography`, and the reverse."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, padding, rsa, utils

from kmscourse import cloud
from tests.cloud.kms.conftest import client, refused

RSA = ("RSA_2048", "RSA_3072", "RSA_4096")
CURVES = {
    "ECC_NIST_P256": (ec.SECP256R1, hashes.SHA256, "ECDSA_SHA_256"),
    "ECC_NIST_P384": (ec.SECP384R1, hashes.SHA384, "ECDSA_SHA_384"),
    "ECC_NIST_P521": (ec.SECP521R1, hashes.SHA512, "ECDSA_SHA_512"),
    "ECC_SECG_P256K1": (ec.SECP256K1, hashes.SHA256, "ECDSA_SHA_256"),
}
HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


def _create(kms: Any, spec: str, usage: str) -> str:
    return str(kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"])


def _public(kms: Any, key: str) -> Any:
    return serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])


@pytest.mark.parametrize("spec", RSA)
@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
def test_rsa_encryption(world: cloud.Cloud, spec: str, algorithm: str) -> None:
    kms = client(world)
    key = _create(kms, spec, "ENCRYPT_DECRYPT")
    digest = hashes.SHA1() if algorithm.endswith("_1") else hashes.SHA256()
    most = int(spec[4:]) // 8 - 2 * digest.digest_size - 2
    outside = _public(kms, key).encrypt(
        os.urandom(most), padding.OAEP(padding.MGF1(digest), digest, None)
    )
    given = {"KeyId": key, "EncryptionAlgorithm": algorithm}
    assert len(kms.decrypt(CiphertextBlob=outside, **given)["Plaintext"]) == most
    inside = kms.encrypt(Plaintext=b"x", **given)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=inside, **given)["Plaintext"] == b"x"
    refused("ValidationException", kms.encrypt, Plaintext=bytes(most + 1), **given)
    refused(
        "ValidationException", kms.encrypt, Plaintext=b"x", EncryptionContext={"a": "b"}, **given
    )
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=inside[:-1] + b"?", **given)
    refused("InvalidKeyUsageException", kms.encrypt, KeyId=key, Plaintext=b"x")
    symmetric = kms.create_key()["KeyMetadata"]["KeyId"]
    refused("InvalidKeyUsageException", kms.encrypt, KeyId=symmetric, Plaintext=b"x",
            EncryptionAlgorithm=algorithm)  # fmt: skip
    moved = kms.re_encrypt(
        CiphertextBlob=inside,
        SourceKeyId=key,
        SourceEncryptionAlgorithm=algorithm,
        DestinationKeyId=symmetric,
    )
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == b"x"


@pytest.mark.parametrize("spec", RSA)
@pytest.mark.parametrize("size", HASHES)
@pytest.mark.parametrize("scheme", ["PKCS1_V1_5", "PSS"])
def test_rsa_signatures(world: cloud.Cloud, spec: str, size: str, scheme: str) -> None:
    kms = client(world)
    key = _create(kms, spec, "SIGN_VERIFY")
    digest = HASHES[size]()
    hashed = hashlib.new(f"sha{size}", b"message").digest()
    pad: Any = padding.PKCS1v15()
    if scheme == "PSS":
        pad = padding.PSS(padding.MGF1(digest), digest.digest_size)
    given = {"KeyId": key, "SigningAlgorithm": f"RSASSA_{scheme}_SHA_{size}"}
    public = _public(kms, key)
    for kind, message in (("RAW", b"message"), ("DIGEST", hashed)):
        signed = kms.sign(Message=message, MessageType=kind, **given)["Signature"]
        public.verify(signed, b"message", pad, digest)
        for other, again in (("RAW", b"message"), ("DIGEST", hashed)):
            assert kms.verify(Message=again, MessageType=other, Signature=signed, **given)[
                "SignatureValid"
            ]
        refused("KMSInvalidSignatureException", kms.verify, Message=b"another", Signature=signed,
                **given)  # fmt: skip
    refused("ValidationException", kms.sign, Message=b"short", MessageType="DIGEST", **given)


@pytest.mark.parametrize("spec", CURVES)
def test_ecdsa(world: cloud.Cloud, spec: str) -> None:
    kms = client(world)
    curve, digest, algorithm = CURVES[spec]
    key = _create(kms, spec, "SIGN_VERIFY")
    public = _public(kms, key)
    assert isinstance(public.curve, curve)
    given = {"KeyId": key, "SigningAlgorithm": algorithm}
    hashed = hashlib.new(f"sha{algorithm[-3:]}", b"message").digest()
    for kind, message in (("RAW", b"message"), ("DIGEST", hashed)):
        signed = kms.sign(Message=message, MessageType=kind, **given)["Signature"]
        public.verify(signed, b"message", ec.ECDSA(digest()))
        public.verify(signed, hashed, ec.ECDSA(utils.Prehashed(digest())))
        assert kms.verify(Message=message, MessageType=kind, Signature=signed, **given)
    wrong = next(a for _, _, a in CURVES.values() if a != algorithm)
    message = refused("InvalidKeyUsageException", kms.sign, KeyId=key, Message=b"x",
                      SigningAlgorithm=wrong)  # fmt: skip
    assert message == f"Algorithm {wrong} and key spec {spec} are incompatible."


def test_ed25519(world: cloud.Cloud) -> None:
    kms = client(world)
    key = _create(kms, "ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
    public = _public(kms, key)
    assert isinstance(public, ed25519.Ed25519PublicKey)
    given = {"KeyId": key, "SigningAlgorithm": "ED25519_SHA_512"}
    signed = kms.sign(Message=b"message", **given)["Signature"]
    public.verify(signed, b"message")
    assert kms.verify(Message=b"message", Signature=signed, **given)["SignatureValid"]
    refused("ValidationException", kms.sign, Message=bytes(64), MessageType="DIGEST", **given)
    ph = {"KeyId": key, "SigningAlgorithm": "ED25519_PH_SHA_512"}
    refused("ValidationException", kms.sign, Message=b"message", MessageType="RAW", **ph)
    message = refused("UnsupportedOperationException", kms.sign, Message=bytes(64),
                      MessageType="DIGEST", **ph)  # fmt: skip
    assert "docs/fidelity.md" in message


@pytest.mark.parametrize("spec", ["ML_DSA_44", "ML_DSA_65", "ML_DSA_87"])
def test_ml_dsa(world: cloud.Cloud, spec: str) -> None:
    kms = client(world)
    key = _create(kms, spec, "SIGN_VERIFY")
    public = _public(kms, key)
    given = {"KeyId": key, "SigningAlgorithm": "ML_DSA_SHAKE_256"}
    signed = kms.sign(Message=b"message", **given)["Signature"]
    public.verify(signed, b"message")
    with pytest.raises(InvalidSignature):
        public.verify(signed, b"another")
    refused(
        "KMSInvalidSignatureException", kms.verify, Message=b"another", Signature=signed, **given
    )
    refused("ValidationException", kms.sign, Message=bytes(64), MessageType="DIGEST", **given)
    refused("ValidationException", kms.sign, Message=bytes(63), MessageType="EXTERNAL_MU", **given)
    message = refused("UnsupportedOperationException", kms.sign, Message=bytes(64),
                      MessageType="EXTERNAL_MU", **given)  # fmt: skip
    assert "docs/fidelity.md" in message


@pytest.mark.parametrize(("spec", "size"), [("ML_KEM_768", 1088), ("ML_KEM_1024", 1568)])
def test_ml_kem(world: cloud.Cloud, spec: str, size: int) -> None:
    kms = client(world)
    key = _create(kms, spec, "ENCAPSULATE_DECAPSULATE")
    public = _public(kms, key)
    assert isinstance(public, mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey)
    given = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"}
    secret, wrapped = public.encapsulate()
    assert kms.decapsulate(SharedSecretCiphertextBlob=wrapped, **given)["SharedSecret"] == secret
    made = kms.encapsulate(**given)
    blob = made["SharedSecretCiphertextBlob"]
    assert (len(made["SharedSecret"]), len(blob)) == (32, size)
    changed = bytes([blob[0] ^ 1]) + blob[1:]
    other = kms.decapsulate(SharedSecretCiphertextBlob=changed, **given)["SharedSecret"]
    assert len(other) == 32
    assert other != made["SharedSecret"]
    refused("InvalidCiphertextException", kms.decapsulate, SharedSecretCiphertextBlob=blob[1:],
            **given)  # fmt: skip


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"])
def test_key_agreement(world: cloud.Cloud, spec: str) -> None:
    kms = client(world)
    key = _create(kms, spec, "KEY_AGREEMENT")
    bob = ec.generate_private_key(CURVES[spec][0]())

    def der(public: Any) -> bytes:
        spki: bytes = public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return spki

    given = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH"}
    derived = kms.derive_shared_secret(PublicKey=der(bob.public_key()), **given)
    assert derived["SharedSecret"] == bob.exchange(ec.ECDH(), _public(kms, key))
    assert derived["KeyOrigin"] == "AWS_KMS"
    stranger = ec.generate_private_key(ec.SECP256K1()).public_key()
    for wrong in (der(stranger), b"no key", os.urandom(200)):
        refused("ValidationException", kms.derive_shared_secret, PublicKey=wrong, **given)


@pytest.mark.parametrize("size", ["224", "256", "384", "512"])
def test_macs(world: cloud.Cloud, size: str) -> None:
    kms = client(world)
    key = _create(kms, f"HMAC_{size}", "GENERATE_VERIFY_MAC")
    given = {"KeyId": key, "MacAlgorithm": f"HMAC_SHA_{size}"}
    mac = kms.generate_mac(Message=b"message", **given)["Mac"]
    assert len(mac) * 8 == int(size)
    assert kms.verify_mac(Message=b"message", Mac=mac, **given)["MacValid"]
    refused("KMSInvalidMacException", kms.verify_mac, Message=b"another", Mac=mac, **given)
    refused("InvalidKeyUsageException", kms.encrypt, KeyId=key, Plaintext=b"x")
    refused("UnsupportedOperationException", kms.get_public_key, KeyId=key)


@pytest.mark.parametrize(
    "spec",
    [*CURVES, "RSA_2048", "RSA_3072", "ECC_NIST_EDWARDS25519", "ML_KEM_768", "ML_KEM_1024"],
)
def test_data_key_pairs(world: cloud.Cloud, spec: str) -> None:
    kms = client(world)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    context = {"patient": "4711"}
    made = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec, EncryptionContext=context)
    private = serialization.load_der_private_key(made["PrivateKeyPlaintext"], None)
    assert private.public_key() == serialization.load_der_public_key(made["PublicKey"])
    opened = kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"], EncryptionContext=context)
    assert opened["Plaintext"] == made["PrivateKeyPlaintext"]
    wrapped = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec=spec)
    assert "PrivateKeyPlaintext" not in wrapped


@pytest.mark.parametrize(
    ("spec", "usage", "code"),
    [
        ("SM2", "SIGN_VERIFY", "UnsupportedOperationException"),
        ("ML_KEM_512", "ENCAPSULATE_DECAPSULATE", "UnsupportedOperationException"),
        ("ECC_SECG_P256K1", "KEY_AGREEMENT", "ValidationException"),
        ("RSA_2048", "GENERATE_VERIFY_MAC", "ValidationException"),
        ("HMAC_256", None, "ValidationException"),
        ("SYMMETRIC_DEFAULT", "SIGN_VERIFY", "ValidationException"),
        ("RSA_1024", "SIGN_VERIFY", "ValidationException"),
    ],
)
def test_keys_that_are_not_to_be_had(
    world: cloud.Cloud, spec: str, usage: str | None, code: str
) -> None:
    kms = client(world)
    given = {"KeySpec": spec} | ({"KeyUsage": usage} if usage else {})
    with pytest.raises(ClientError) as error:
        kms.create_key(**given)
    assert error.value.response["Error"]["Code"] == code


def test_a_key_is_used_for_its_usage_only(world: cloud.Cloud) -> None:
    kms = client(world)
    signing = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    message = refused("InvalidKeyUsageException", kms.encrypt, KeyId=signing["KeyId"],
                      Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")  # fmt: skip
    assert message == (f"{signing['Arn']} key usage is SIGN_VERIFY which is not valid for Encrypt.")
    encrypting = _create(kms, "RSA_2048", "ENCRYPT_DECRYPT")
    refused("InvalidKeyUsageException", kms.sign, KeyId=encrypting, Message=b"x",
            SigningAlgorithm="RSASSA_PSS_SHA_256")  # fmt: skip
    for key in (signing["KeyId"], encrypting):
        refused("InvalidKeyUsageException", kms.generate_data_key, KeyId=key, KeySpec="AES_256")


def test_a_seeded_cloud_has_the_same_keys_and_signatures_each_run() -> None:
    def run() -> list[bytes]:
        with cloud.running(seed="pairs") as aws:
            kms = aws.session("learner").client("kms")
            key = _create(kms, "ECC_NIST_P256", "SIGN_VERIFY")
            ml = _create(kms, "ML_DSA_44", "SIGN_VERIFY")
            given = {"Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}
            return [
                kms.get_public_key(KeyId=key)["PublicKey"],
                kms.get_public_key(KeyId=ml)["PublicKey"],
                kms.sign(KeyId=key, **given)["Signature"],
            ]

    assert run() == run()


def test_rsa_keys_of_different_kms_keys_differ(world: cloud.Cloud) -> None:
    kms = client(world)
    publics = [_public(kms, _create(kms, "RSA_2048", "SIGN_VERIFY")) for _ in range(2)]
    assert isinstance(publics[0], rsa.RSAPublicKey)
    assert publics[0] != publics[1]
