"""Imported key material: wrapped for KMS, unwrapped by KMS, and gone when its time comes.

Source: botocore kms GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial; AWS
KMS Developer Guide, "Importing key material". Each Region holds imported material for itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import key_pairs, material, specs, states
from kmscourse.cloud.kms.keys import EXPIRES, LASTS, PENDING_IMPORT, Imported, Key, KeyMaterial
from kmscourse.cloud.kms.service import KMS, operation

_TOKEN_LASTS = timedelta(hours=24)
_LONGEST = timedelta(days=365)
_HMAC_MOST = 128
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {"SHA_1": hashes.SHA1, "SHA_256": hashes.SHA256}


@dataclass(frozen=True, slots=True)
class ImportToken:
    """What one GetParametersForImport promised.

    Attributes:
        wrapping_key: the private half of the public key that was given out with it.
        ends: when both are no longer valid.
    """

    key: Key
    algorithm: str
    wrapping_key: rsa.RSAPrivateKey = field(repr=False)
    ends: datetime


def _imports(call: Call, key: Key) -> None:
    """Only a key of EXTERNAL origin takes material (footnote 9 of the key state table)."""
    if key.origin != "EXTERNAL":
        raise states.unsupported(key, "origin", key.origin)


@operation("GetParametersForImport", refuses=states.PREPARES_IMPORT, suits=_imports)
def get_parameters_for_import(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """A public key to wrap material with, and the token that belongs to it, for 24 hours."""
    algorithm, spec = call.parameters["WrappingAlgorithm"], call.parameters["WrappingKeySpec"]
    _check_wrapping(key, algorithm, spec, call.region)
    token = kms.random.bytes(256)
    wrapping_key: rsa.RSAPrivateKey = key_pairs.make(spec, b"")
    ends = call.time + _TOKEN_LASTS
    kms.import_tokens[token] = ImportToken(key, algorithm, wrapping_key, ends)
    return {
        "KeyId": key.arn,
        "ImportToken": token,
        "PublicKey": key_pairs.public_der(wrapping_key),
        "ParametersValidTo": ends,
    }


@operation("ImportKeyMaterial", refuses=states.IMPORTS, suits=_imports)
def import_key_material(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Take material in: the first, the same again, or new material to rotate to."""
    parameters = call.parameters
    valid_to = _valid_to(call)
    token = kms.import_tokens.get(parameters["ImportToken"])
    if token is None or token.key is not key:
        raise AWSError("InvalidImportTokenException")
    if token.ends <= call.time:
        raise AWSError("ExpiredImportTokenException")
    _check_symmetric_only(key, parameters)
    secret = _unwrap(token, parameters["EncryptedKeyMaterial"])
    _check_material(key, secret)
    material_id = material.imported_id(key.id, secret)
    was_pending = key.state == PENDING_IMPORT
    version = _version(key, material_id, parameters, call.time)
    if parameters.get("KeyMaterialDescription"):
        version.description = parameters["KeyMaterialDescription"]
    key.imported[material_id] = Imported(secret, valid_to)
    if was_pending and key.has_all_material:
        key.enabled = True
    if valid_to is not None:
        _expire_at(kms, key, material_id, valid_to)
    answer = {"KeyId": key.arn}
    if key.spec == specs.SYMMETRIC:
        answer["KeyMaterialId"] = material_id
    return answer


@operation("DeleteImportedKeyMaterial", refuses=states.DELETES_MATERIAL, suits=_imports)
def delete_imported_key_material(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Forget imported material at once. The same material, imported again, restores the key."""
    wanted = call.parameters.get("KeyMaterialId")
    if wanted is not None and key.spec != specs.SYMMETRIC:
        raise states.unsupported(key, "key spec", key.spec)
    version = key.core.current if wanted is None else key.material(wanted)
    if version is None:
        if wanted is None:
            return {"KeyId": key.arn}  # there is nothing to delete
        raise AWSError("NotFoundException", f"Key material {wanted} is not of {key.arn}.")
    _forget(key, version)
    if version.created is None and (not key.multi_region or key.is_primary):
        # It only waited: it was not the key's for good, and other material may take its place.
        key.materials.remove(version)
        for related in key.core.members.values():
            related.imported.pop(version.id, None)
    answer = {"KeyId": key.arn}
    if key.spec == specs.SYMMETRIC:
        answer["KeyMaterialId"] = version.id
    return answer


def _check_wrapping(key: Key, algorithm: str, spec: str, region: str) -> None:
    specs.check_here(spec, region)
    refused = None
    if algorithm in ("RSAES_PKCS1_V1_5", "SM2PKE"):
        refused = f"The wrapping algorithm {algorithm} is not supported."
    elif algorithm.startswith("RSAES"):
        if key.spec in specs.RSA_BITS:
            refused = "An RSA private key must be wrapped with an RSA_AES_KEY_WRAP algorithm."
        elif key.spec == "ECC_NIST_P521" and spec == "RSA_2048":
            refused = f"{algorithm} with RSA_2048 cannot wrap ECC_NIST_P521 key material."
    if refused:
        raise AWSError("UnsupportedOperationException", refused)


def _valid_to(call: Call) -> datetime | None:
    """When the material is to expire; None for never. Source: botocore kms ImportKeyMaterial."""
    model = call.parameters.get("ExpirationModel", EXPIRES)
    valid_to: datetime | None = call.parameters.get("ValidTo")
    if model == LASTS:
        if valid_to is not None:
            raise AWSError(
                "ValidationException", f"ValidTo is not valid when the ExpirationModel is {LASTS}."
            )
        return None
    if valid_to is None:
        raise AWSError(
            "ValidationException",
            f"A validTo date must be set if the ExpirationModel is {EXPIRES}.",
        )
    if not call.time < valid_to <= call.time + _LONGEST:
        raise AWSError(
            "ValidationException", "ValidTo must be in the future, by 365 days at the most."
        )
    return valid_to


def _check_symmetric_only(key: Key, parameters: dict[str, Any]) -> None:
    for name in ("ImportType", "KeyMaterialDescription", "KeyMaterialId"):
        if name in parameters and key.spec != specs.SYMMETRIC:
            raise AWSError("ValidationException", f"{name} is for symmetric encryption keys only.")
    if parameters.get("ImportType") == "NEW_KEY_MATERIAL" and "KeyMaterialId" in parameters:
        raise AWSError(
            "ValidationException", "KeyMaterialId is not valid when ImportType is NEW_KEY_MATERIAL."
        )


def _unwrap(token: ImportToken, wrapped: bytes) -> bytes:
    """The material as its owner wrapped it.

    Raises:
        AWSError: ``InvalidCiphertextException`` where it does not come out.
    """
    digest = _HASHES["SHA_256" if token.algorithm.endswith("256") else "SHA_1"]()
    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
    size = token.wrapping_key.key_size // 8
    try:
        if token.algorithm.startswith("RSAES"):
            return token.wrapping_key.decrypt(wrapped, oaep)
        aes_key = token.wrapping_key.decrypt(wrapped[:size], oaep)
        if len(aes_key) not in (16, 24, 32):
            raise ValueError("no AES key")
        return aes_key_unwrap_with_padding(aes_key, wrapped[size:])
    except (ValueError, InvalidUnwrap) as error:
        raise AWSError("InvalidCiphertextException") from error


def _check_material(key: Key, secret: bytes) -> None:
    """Whether the bytes are what a key of this spec is made of."""
    if key.spec == specs.SYMMETRIC:
        good = len(secret) == 32
    elif key.spec in specs.HMAC_BYTES:
        good = specs.HMAC_BYTES[key.spec] <= len(secret) <= _HMAC_MOST
    else:
        try:
            good = bool(key_pairs.read(key.spec, secret))
        except ValueError:
            good = False
    if not good:
        raise AWSError(
            "IncorrectKeyMaterialException",
            f"The key material is not valid for a key with the spec {key.spec}.",
        )


def _version(key: Key, material_id: str, parameters: dict[str, Any], now: datetime) -> KeyMaterial:
    """The version that the material is: one the key knows, or a new one where that may be.

    Raises:
        AWSError: ``IncorrectKeyMaterialException`` for material that is not the expected one;
            ``KMSInvalidStateException`` where other material waits for its rotation already.
    """
    known = key.material(material_id)
    default = "EXISTING_KEY_MATERIAL" if key.materials else "NEW_KEY_MATERIAL"
    new = parameters.get("ImportType", default) == "NEW_KEY_MATERIAL"
    if parameters.get("KeyMaterialId", material_id) != material_id:
        raise AWSError(
            "IncorrectKeyMaterialException",
            "The key material in the request is not the one that KeyMaterialId names.",
        )
    if not new:
        if known is None:
            raise AWSError(
                "IncorrectKeyMaterialException",
                "The key material in the request is not key material that was imported before.",
            )
        return known
    if known is not None:
        raise AWSError(
            "IncorrectKeyMaterialException",
            "The key material in the request is already associated with the KMS key.",
        )
    if key.multi_region and not key.is_primary:
        raise AWSError(
            "UnsupportedOperationException",
            f"{key.arn} is a multi-Region replica key: import new key material into the primary "
            "key first.",
        )
    if key.core.waiting is not None:
        raise states.invalid(key, "already has key material that is pending rotation.")
    first = not key.materials
    added = KeyMaterial(material_id, b"", now if first else None)
    key.materials.append(added)
    return added


def _expire_at(kms: KMS, key: Key, material_id: str, valid_to: datetime) -> None:
    def expire(when: datetime) -> None:
        held = key.imported.get(material_id)
        version = key.material(material_id)
        if held is not None and held.valid_to == valid_to and version is not None:
            _forget(key, version)

    kms.later(valid_to, expire)


def _forget(key: Key, version: KeyMaterial) -> None:
    """This Region no longer holds the material; the key remembers which it was."""
    held = key.imported.get(version.id)
    if held is not None:
        key.imported[version.id] = Imported(None)
    holders = list(key.core.members.values()) or [key]
    if all(each.secret(version) is None for each in holders):
        version.pair = None
