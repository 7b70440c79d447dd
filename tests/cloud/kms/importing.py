"""The importer's side: key material wrapped with `cryptography`, as AWS's documents describe."""

from __future__ import annotations

import os
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding


def wrap(material: bytes, public_key: bytes, algorithm: str) -> bytes:
    """Wrap key material under the public key that GetParametersForImport gave."""
    public = serialization.load_der_public_key(public_key)
    assert isinstance(public, rsa.RSAPublicKey)
    digest = hashes.SHA256() if algorithm.endswith("256") else hashes.SHA1()
    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
    if algorithm.startswith("RSAES"):
        return public.encrypt(material, oaep)
    aes_key = os.urandom(32)
    return public.encrypt(aes_key, oaep) + aes_key_wrap_with_padding(aes_key, material)


def import_into(
    kms: Any,
    key_id: str,
    material: bytes,
    *,
    algorithm: str = "RSAES_OAEP_SHA_256",
    spec: str = "RSA_2048",
    **more: Any,
) -> dict[str, Any]:
    """The whole import. Without a ValidTo the material does not expire."""
    given = kms.get_parameters_for_import(
        KeyId=key_id, WrappingAlgorithm=algorithm, WrappingKeySpec=spec
    )
    if "ValidTo" not in more:
        more["ExpirationModel"] = "KEY_MATERIAL_DOES_NOT_EXPIRE"
    answer: dict[str, Any] = kms.import_key_material(
        KeyId=key_id,
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=wrap(material, given["PublicKey"], algorithm),
        **more,
    )
    return answer


def external_key(kms: Any, material: bytes | None = None, **more: Any) -> str:
    """A key of EXTERNAL origin, with material where it is given."""
    key_id = str(kms.create_key(Origin="EXTERNAL", **more)["KeyMetadata"]["KeyId"])
    if material is not None:
        import_into(kms, key_id, material)
    return key_id
