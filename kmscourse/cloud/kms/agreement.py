"""Shared secrets: ECDH (DeriveSharedSecret) and ML-KEM (Encapsulate, Decapsulate).

Source: botocore kms DeriveSharedSecret, Encapsulate, Decapsulate; NIST SP 800-56A, FIPS 203.
"""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import key_pairs, specs, states
from kmscourse.cloud.kms.cryptographic import check_usage
from kmscourse.cloud.kms.keys import Key
from kmscourse.cloud.kms.service import KMS, operation

_CIPHERTEXT_BYTES = {"ML_KEM_512": 768, "ML_KEM_768": 1088, "ML_KEM_1024": 1568}


def _agrees(call: Call, key: Key) -> None:
    check_usage(call, key, specs.AGREE, call.parameters["KeyAgreementAlgorithm"])


@operation("DeriveSharedSecret", refuses=states.USES, suits=_agrees, uses=True, cross_account=True)
def derive_shared_secret(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """The raw ECDH secret of this private key and a peer's public key on the same curve."""
    pair: ec.EllipticCurvePrivateKey = key_pairs.private_key(key)
    try:
        peer = serialization.load_der_public_key(call.parameters["PublicKey"])
    except (ValueError, UnsupportedAlgorithm) as error:
        raise AWSError(
            "ValidationException", "PublicKey is not a DER-encoded SubjectPublicKeyInfo."
        ) from error
    curve = key_pairs.CURVES[key.spec]
    if not isinstance(peer, ec.EllipticCurvePublicKey) or not isinstance(peer.curve, curve):
        raise AWSError(
            "ValidationException", f"PublicKey is not on the curve of the key spec {key.spec}."
        )
    return {
        "KeyId": key.arn,
        "SharedSecret": pair.exchange(ec.ECDH(), peer),
        "KeyAgreementAlgorithm": "ECDH",
        "KeyOrigin": key.origin,
    }


def _encapsulates(call: Call, key: Key) -> None:
    check_usage(call, key, specs.ENCAPSULATE, call.parameters["EncapsulationAlgorithm"])


@operation("Encapsulate", refuses=states.USES, suits=_encapsulates, uses=True, cross_account=True)
def encapsulate(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """A fresh secret of 32 bytes, and the form of it that only the private key opens."""
    secret, wrapped = key_pairs.private_key(key).public_key().encapsulate()
    return {
        "KeyId": key.arn,
        "SharedSecret": secret,
        "SharedSecretCiphertextBlob": wrapped,
        "EncapsulationAlgorithm": "ML_KEM",
    }


@operation("Decapsulate", refuses=states.USES, suits=_encapsulates, uses=True, cross_account=True)
def decapsulate(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """The secret again. Changed bytes of the right length give another secret, not an error."""
    wrapped = call.parameters["SharedSecretCiphertextBlob"]
    if len(wrapped) != _CIPHERTEXT_BYTES[key.spec]:
        raise AWSError("InvalidCiphertextException")
    return {
        "KeyId": key.arn,
        "SharedSecret": key_pairs.private_key(key).decapsulate(wrapped),
        "EncapsulationAlgorithm": "ML_KEM",
    }
