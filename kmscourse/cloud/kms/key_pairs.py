"""Private keys: made, read, and told apart by key spec. All of it is `cryptography`.

A key is made from secret bytes of the simulator's own randomness, so that a seeded cloud has
the same keys each run. RSA is the exception: `cryptography` makes RSA keys from the operating
system's randomness only, and `docs/fidelity.md` says so. RSA keys are made at their first use,
for that takes from a tenth of a second to several.
"""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, rsa

from kmscourse.cloud.kms import specs
from kmscourse.cloud.kms.keys import Key, KeyMaterial
from kmscourse.cloud.randomness import Randomness

CURVES: dict[str, type[ec.EllipticCurve]] = {
    "ECC_NIST_P256": ec.SECP256R1,
    "ECC_NIST_P384": ec.SECP384R1,
    "ECC_NIST_P521": ec.SECP521R1,
    "ECC_SECG_P256K1": ec.SECP256K1,
}
#: Bytes beyond the size of the order, so that the remainder is as good as uniform.
_SPARE = 16
_FROM_SEED: dict[str, tuple[int, Any]] = {
    "ECC_NIST_EDWARDS25519": (32, ed25519.Ed25519PrivateKey.from_private_bytes),
    "ML_DSA_44": (32, mldsa.MLDSA44PrivateKey.from_seed_bytes),
    "ML_DSA_65": (32, mldsa.MLDSA65PrivateKey.from_seed_bytes),
    "ML_DSA_87": (32, mldsa.MLDSA87PrivateKey.from_seed_bytes),
    "ML_KEM_768": (64, mlkem.MLKEM768PrivateKey.from_seed_bytes),
    "ML_KEM_1024": (64, mlkem.MLKEM1024PrivateKey.from_seed_bytes),
}
_TYPES: dict[str, type] = {
    "ECC_NIST_EDWARDS25519": ed25519.Ed25519PrivateKey,
    "ML_DSA_44": mldsa.MLDSA44PrivateKey,
    "ML_DSA_65": mldsa.MLDSA65PrivateKey,
    "ML_DSA_87": mldsa.MLDSA87PrivateKey,
    "ML_KEM_768": mlkem.MLKEM768PrivateKey,
    "ML_KEM_1024": mlkem.MLKEM1024PrivateKey,
}


def new_secret(random: Randomness, spec: str) -> bytes:
    """The secret bytes a new key of a spec is made from; none for RSA."""
    if spec == specs.SYMMETRIC:
        return random.bytes(32)
    if spec in specs.HMAC_BYTES:
        return random.bytes(specs.HMAC_BYTES[spec])
    if spec in specs.RSA_BITS:
        return b""
    if spec in CURVES:
        return random.bytes((CURVES[spec]().key_size + 7) // 8 + _SPARE)
    return random.bytes(_FROM_SEED[spec][0])


def make(spec: str, secret: bytes) -> Any:
    """The private key that secret bytes make; RSA keys come out of the operating system's."""
    if spec in specs.RSA_BITS:
        return rsa.generate_private_key(65537, specs.RSA_BITS[spec])
    if spec in CURVES:
        curve = CURVES[spec]()
        return ec.derive_private_key(int.from_bytes(secret) % (curve.group_order - 1) + 1, curve)
    return _FROM_SEED[spec][1](secret)


def private_key(key: Key) -> Any:
    """The private key of an asymmetric KMS key, made or read at its first use."""
    material: KeyMaterial = key.current
    if material.pair is None:
        if key.origin == "EXTERNAL":
            secret = key.secret(material)
            assert secret is not None, "the key's state is checked before its material is used"
            material.pair = read(key.spec, secret)
        else:
            material.pair = make(key.spec, material.secret)
    return material.pair


def read(spec: str, pkcs8: bytes) -> Any:
    """A private key of a spec from a DER-encoded PKCS #8 PrivateKeyInfo.

    Raises:
        ValueError: where the bytes are no private key, or one of another spec.
    """
    try:
        found = serialization.load_der_private_key(pkcs8, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("no private key") from error
    if not is_of(spec, found):
        raise ValueError(f"not a key of the spec {spec}")
    return found


def is_of(spec: str, key: Any) -> bool:
    """Whether a private key is one of a key spec."""
    if spec in specs.RSA_BITS:
        return isinstance(key, rsa.RSAPrivateKey) and key.key_size == specs.RSA_BITS[spec]
    if spec in CURVES:
        return isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, CURVES[spec])
    return spec in _TYPES and isinstance(key, _TYPES[spec])


def public_der(key: Any) -> bytes:
    """The public key of a private key: DER-encoded X.509 SubjectPublicKeyInfo (RFC 5280)."""
    der: bytes = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return der


def private_der(key: Any) -> bytes:
    """A private key: DER-encoded PKCS #8 PrivateKeyInfo (RFC 5958)."""
    der: bytes = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return der
