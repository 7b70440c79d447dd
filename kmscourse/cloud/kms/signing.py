"""Sign and Verify, and the public key to verify with elsewhere.

Source: botocore kms Sign, Verify, GetPublicKey. Signatures are those of the standards: RSA by
RFC 8017, ECDSA by ANSI X9.62 in DER, Ed25519 by RFC 8032, ML-DSA by FIPS 204.
"""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import key_pairs, specs, states
from kmscourse.cloud.kms.cryptographic import check_usage
from kmscourse.cloud.kms.keys import Key
from kmscourse.cloud.kms.service import KMS, operation

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
#: The one message type of the algorithms that take only one.
_ONLY_TYPE = {"ED25519_SHA_512": "RAW", "ED25519_PH_SHA_512": "DIGEST"}
_MU_BYTES = 64


def _signs(call: Call, key: Key) -> None:
    check_usage(call, key, specs.SIGN, call.parameters["SigningAlgorithm"])


@operation("Sign", refuses=states.USES, suits=_signs, uses=True, cross_account=True)
def sign(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """A signature over a message, or over the digest of one."""
    algorithm, message = call.parameters["SigningAlgorithm"], call.parameters["Message"]
    pair = key_pairs.private_key(key)
    how = _how(call, deterministic=kms.random.seeded)
    return {
        "KeyId": key.arn,
        "Signature": pair.sign(message, *how),
        "SigningAlgorithm": algorithm,
    }


@operation("Verify", refuses=states.USES, suits=_signs, uses=True, cross_account=True)
def verify(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Whether a signature is good; one that is not is an error, never ``False``."""
    algorithm, message = call.parameters["SigningAlgorithm"], call.parameters["Message"]
    how = _how(call)
    try:
        public = key_pairs.private_key(key).public_key()
        public.verify(call.parameters["Signature"], message, *how)
    except (InvalidSignature, ValueError) as error:
        raise AWSError("KMSInvalidSignatureException") from error
    return {"KeyId": key.arn, "SignatureValid": True, "SigningAlgorithm": algorithm}


def _is_a_pair(call: Call, key: Key) -> None:
    if not specs.is_asymmetric(key.spec):
        raise states.unsupported(key, "key spec", key.spec)


@operation("GetPublicKey", by_alias=True, refuses=states.USES, suits=_is_a_pair, cross_account=True)
def get_public_key(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """The public key, with what it may be used for."""
    return {
        "KeyId": key.arn,
        "PublicKey": key_pairs.public_der(key_pairs.private_key(key)),
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "KeyUsage": key.usage,
        specs.ALGORITHMS_FIELD[key.usage]: list(specs.ALGORITHMS[key.spec][key.usage]),
    }


def _how(call: Call, *, deterministic: bool = False) -> tuple[Any, ...]:
    """What `cryptography` is told beside the message, by algorithm and message type.

    Args:
        deterministic: whether ECDSA takes its nonce from the message (RFC 6979), so that a
            seeded cloud makes the same signatures each run.
    """
    algorithm = call.parameters["SigningAlgorithm"]
    kind = call.parameters.get("MessageType", "RAW")
    if algorithm in _ONLY_TYPE and kind != _ONLY_TYPE[algorithm]:
        raise AWSError(
            "ValidationException",
            f"MessageType {kind} is not valid for {algorithm}: it must be {_ONLY_TYPE[algorithm]}.",
        )
    if algorithm == "ML_DSA_SHAKE_256":
        return _ml_dsa(call, kind)
    if kind == "EXTERNAL_MU":
        raise AWSError("ValidationException", f"MessageType {kind} is not valid for {algorithm}.")
    if algorithm == "ED25519_PH_SHA_512":
        raise specs.not_simulated("Ed25519ph, which cryptography 48 does not have,")
    if algorithm == "ED25519_SHA_512":
        return ()
    digest = _HASHES[algorithm[-3:]]()
    hashed: Any = digest
    if kind == "DIGEST":
        if len(call.parameters["Message"]) != digest.digest_size:
            raise AWSError(
                "ValidationException", f"Digest is invalid length for algorithm {algorithm}."
            )
        hashed = utils.Prehashed(digest)
    if algorithm.startswith("ECDSA"):
        return (ec.ECDSA(hashed, deterministic_signing=deterministic),)
    if "PKCS1" in algorithm:
        return padding.PKCS1v15(), hashed
    return padding.PSS(padding.MGF1(digest), digest.digest_size), hashed


def _ml_dsa(call: Call, kind: str) -> tuple[()]:
    if kind == "DIGEST":
        raise AWSError(
            "ValidationException",
            "MessageType DIGEST is not valid for ML_DSA_SHAKE_256: use RAW or EXTERNAL_MU.",
        )
    if kind == "EXTERNAL_MU":
        if len(call.parameters["Message"]) != _MU_BYTES:
            raise AWSError(
                "ValidationException", f"An EXTERNAL_MU message has exactly {_MU_BYTES} bytes."
            )
        raise specs.not_simulated("EXTERNAL_MU, which cryptography 48 does not have,")
    return ()
