"""What each key spec is for: its usages, and the algorithms of each usage.

Source: botocore kms KeySpec, KeyUsageType and the algorithm enumerations; AWS KMS Developer
Guide, "Key spec reference".
"""

from __future__ import annotations

from typing import Any

from kmscourse.cloud.errors import AWSError

SYMMETRIC = "SYMMETRIC_DEFAULT"
ENCRYPT = "ENCRYPT_DECRYPT"
SIGN = "SIGN_VERIFY"
MAC = "GENERATE_VERIFY_MAC"
AGREE = "KEY_AGREEMENT"
ENCAPSULATE = "ENCAPSULATE_DECAPSULATE"

RSA_BITS = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
HMAC_BYTES = {"HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
NIST_CURVES = ("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521")

_RSA = {
    ENCRYPT: ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"),
    SIGN: (
        "RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
        "RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
    ),
}  # fmt: skip
#: Every key spec outside China, with the algorithms of each usage that it allows.
ALGORITHMS: dict[str, dict[str, tuple[str, ...]]] = {
    SYMMETRIC: {ENCRYPT: (SYMMETRIC,)},
    **dict.fromkeys(RSA_BITS, _RSA),
    "ECC_NIST_P256": {SIGN: ("ECDSA_SHA_256",), AGREE: ("ECDH",)},
    "ECC_NIST_P384": {SIGN: ("ECDSA_SHA_384",), AGREE: ("ECDH",)},
    "ECC_NIST_P521": {SIGN: ("ECDSA_SHA_512",), AGREE: ("ECDH",)},
    "ECC_SECG_P256K1": {SIGN: ("ECDSA_SHA_256",)},
    "ECC_NIST_EDWARDS25519": {SIGN: ("ED25519_SHA_512", "ED25519_PH_SHA_512")},
    **{
        spec: {MAC: (spec.replace("HMAC_", "HMAC_SHA_"),)}
        for spec in ("HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512")
    },
    **{spec: {SIGN: ("ML_DSA_SHAKE_256",)} for spec in ("ML_DSA_44", "ML_DSA_65", "ML_DSA_87")},
    **{spec: {ENCAPSULATE: ("ML_KEM",)} for spec in ("ML_KEM_512", "ML_KEM_768", "ML_KEM_1024")},
}  # fmt: skip
#: Where DescribeKey and GetPublicKey list the algorithms of a usage.
ALGORITHMS_FIELD = {
    ENCRYPT: "EncryptionAlgorithms",
    SIGN: "SigningAlgorithms",
    MAC: "MacAlgorithms",
    AGREE: "KeyAgreementAlgorithms",
    ENCAPSULATE: "EncapsulationAlgorithms",
}
_NOT_HERE = "is not part of this simulation: see docs/fidelity.md."
#: What AWS has and the library underneath has not; `docs/fidelity.md` says so.
MISSING = {"ML_KEM_512": "cryptography 48 has ML-KEM-768 and ML-KEM-1024 only"}


def is_symmetric(spec: str) -> bool:
    """Whether a key of this spec encrypts data keys: the kind AWS services use."""
    return spec == SYMMETRIC


def is_asymmetric(spec: str) -> bool:
    """Whether a key of this spec is a pair, with a public key to give away."""
    return spec != SYMMETRIC and spec not in HMAC_BYTES


def check_new(parameters: dict[str, Any], region: str) -> tuple[str, str]:
    """The spec and usage that a CreateKey asks for. Source: botocore kms CreateKey.

    Raises:
        AWSError: ``ValidationException`` for a usage that the spec does not have or that must be
            named and is not; ``UnsupportedOperationException`` for what is not to be had here.
    """
    spec = parameters.get("KeySpec") or parameters.get("CustomerMasterKeySpec") or SYMMETRIC
    if "KeySpec" in parameters and "CustomerMasterKeySpec" in parameters:
        raise AWSError(
            "ValidationException",
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated.",
        )
    usage = parameters.get("KeyUsage")
    check_here(spec, region)
    if usage is None:
        if spec != SYMMETRIC:
            raise AWSError(
                "ValidationException", f"You must specify a KeyUsage value for a {spec} key."
            )
        usage = ENCRYPT
    if usage not in ALGORITHMS[spec]:
        raise AWSError(
            "ValidationException", f"KeyUsage {usage} is not compatible with KeySpec {spec}"
        )
    return spec, usage


def check_here(spec: str, region: str) -> None:
    """Refuse a spec that this Region, or this simulation, does not have.

    Raises:
        AWSError: ``UnsupportedOperationException``.
    """
    if spec == "SM2":
        raise AWSError(
            "UnsupportedOperationException",
            f"KeySpec SM2 is not supported in Region {region}: it is for China Regions only.",
        )
    if spec in MISSING:
        raise AWSError("UnsupportedOperationException", f"KeySpec {spec} {_NOT_HERE}")


def not_simulated(what: str) -> AWSError:
    """The answer to what AWS can do and this simulation cannot."""
    return AWSError("UnsupportedOperationException", f"{what} {_NOT_HERE}")
