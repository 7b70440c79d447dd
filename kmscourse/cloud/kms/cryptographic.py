"""Encrypt, Decrypt, ReEncrypt, data keys and data key pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import conditions, custom_key_stores, key_pairs, specs, states
from kmscourse.cloud.kms.ciphertext import CiphertextError, seal
from kmscourse.cloud.kms.keys import Key
from kmscourse.cloud.kms.service import (
    KMS,
    OPERATIONS,
    check_key,
    note_key,
    operation,
    read_blob,
)
from kmscourse.cloud.permissions import Permission

_DATA_KEY_BYTES = {"AES_128": 16, "AES_256": 32}
_CIPHERTEXT = "the resource associated with this ciphertext"
_OAEP_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "RSAES_OAEP_SHA_1": hashes.SHA1,
    "RSAES_OAEP_SHA_256": hashes.SHA256,
}


@dataclass(frozen=True, slots=True)
class _Opened:
    plaintext: bytes
    material_id: str | None


@operation("Encrypt", refuses=states.USES, uses=True, cross_account=True)
def encrypt(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Encrypt up to 4,096 bytes. Source: botocore kms Encrypt."""
    algorithm = call.parameters.get("EncryptionAlgorithm", specs.SYMMETRIC)
    context = call.parameters.get("EncryptionContext")
    blob = _seal(kms, call, key, algorithm, call.parameters["Plaintext"], context)
    return {"CiphertextBlob": blob, "KeyId": key.arn, "EncryptionAlgorithm": algorithm}


def _decrypt_needs(kms: KMS, call: Call) -> list[Permission]:
    key = kms.key_of(call)
    return [kms.permission(call, key, on=None if "KeyId" in call.parameters else _CIPHERTEXT)]


@operation("Decrypt", refuses=states.USES, uses=True, cross_account=True, needs=_decrypt_needs)
def decrypt(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Decrypt with the version of the key that the ciphertext names."""
    key = kms.key_of(call)
    check_key(call, key, OPERATIONS["Decrypt"])
    call.noted["used"] = (key,)
    algorithm = call.parameters.get("EncryptionAlgorithm", specs.SYMMETRIC)
    if _ignores_ciphertext(call, "KeyId"):
        return {}
    opened = _open(call, key, algorithm, call.parameters.get("EncryptionContext"))
    answer = {"KeyId": key.arn, "Plaintext": opened.plaintext, "EncryptionAlgorithm": algorithm}
    if opened.material_id is not None:
        answer["KeyMaterialId"] = opened.material_id
    return answer


def _re_encrypt_keys(kms: KMS, call: Call) -> tuple[Key, Key]:
    keys: tuple[Key, Key] | None = call.noted.get("used")
    if keys is None:
        source_id = call.parameters.get("SourceKeyId")
        source = kms.find(call, source_id) if source_id else kms.key_of_ciphertext(call)
        destination = kms.find(call, call.parameters["DestinationKeyId"])
        note_key(call, source)
        note_key(call, destination)
        keys = call.noted["used"] = (source, destination)
    return keys


def _re_encrypt_needs(kms: KMS, call: Call) -> list[Permission]:
    needed = []
    keys = _re_encrypt_keys(kms, call)
    for key, side, action in zip(keys, ("Source", "Destination"), ("From", "To"), strict=True):
        context = conditions.of_request(
            call,
            key,
            kms.aliases_of(key),
            encryption_context=call.parameters.get(f"{side}EncryptionContext") or {},
            algorithm=call.parameters.get(f"{side}EncryptionAlgorithm", specs.SYMMETRIC),
            named=str(call.parameters.get(f"{side}KeyId", "")),
        )
        context["kms:ReEncryptOnSameKey"] = str(keys[0] is keys[1]).lower()
        needed.append(kms.permission(call, key, action=f"kms:ReEncrypt{action}", context=context))
    return needed


@operation("ReEncrypt", refuses=states.USES, uses=True, cross_account=True, needs=_re_encrypt_needs)
def re_encrypt(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Decrypt and encrypt anew inside KMS: the plaintext never leaves it."""
    parameters = call.parameters
    source, destination = _re_encrypt_keys(kms, call)
    for key in (source, destination):
        check_key(call, key, OPERATIONS["ReEncrypt"])
    unseal = parameters.get("SourceEncryptionAlgorithm", specs.SYMMETRIC)
    reseal = parameters.get("DestinationEncryptionAlgorithm", specs.SYMMETRIC)
    if _ignores_ciphertext(call, "SourceKeyId"):
        return {}
    opened = _open(call, source, unseal, parameters.get("SourceEncryptionContext"))
    context = parameters.get("DestinationEncryptionContext")
    answer = {
        "CiphertextBlob": _seal(kms, call, destination, reseal, opened.plaintext, context),
        "SourceKeyId": source.arn,
        "KeyId": destination.arn,
        "SourceEncryptionAlgorithm": unseal,
        "DestinationEncryptionAlgorithm": reseal,
    }
    if opened.material_id is not None:
        answer["SourceKeyMaterialId"] = opened.material_id
    if destination.spec == specs.SYMMETRIC:
        answer["DestinationKeyMaterialId"] = destination.current.id
    return answer


def _wraps(call: Call, key: Key) -> None:
    """Only a symmetric encryption key wraps data keys."""
    if key.spec != specs.SYMMETRIC:
        check_usage(call, key, specs.ENCRYPT)
        raise AWSError(
            "InvalidKeyUsageException",
            f"{key.arn} key spec is {key.spec} which is not valid for {call.operation}.",
        )


@operation("GenerateDataKey", refuses=states.USES, suits=_wraps, uses=True, cross_account=True)
def generate_data_key(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """A data key in two forms: in plaintext, to use and forget, and wrapped, to keep."""
    plaintext = kms.random.bytes(_data_key_size(call))
    context = call.parameters.get("EncryptionContext")
    return {
        "CiphertextBlob": _seal(kms, call, key, specs.SYMMETRIC, plaintext, context),
        "Plaintext": plaintext,
        "KeyId": key.arn,
        "KeyMaterialId": key.current.id,
    }


@operation(
    "GenerateDataKeyWithoutPlaintext",
    refuses=states.USES,
    suits=_wraps,
    uses=True,
    cross_account=True,
)
def generate_data_key_without_plaintext(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """A data key in its wrapped form only, for someone else to unwrap later."""
    result = generate_data_key(kms, call, key)
    del result["Plaintext"]
    return result


@operation("GenerateDataKeyPair", refuses=states.USES, suits=_wraps, uses=True, cross_account=True)
def generate_data_key_pair(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """A pair for use outside KMS: its private key in plaintext and wrapped."""
    if key.store is not None:
        raise states.unsupported(key, "origin", key.origin)
    spec = call.parameters["KeyPairSpec"]
    specs.check_here(spec, call.region)
    pair = key_pairs.make(spec, key_pairs.new_secret(kms.random, spec))
    private = key_pairs.private_der(pair)
    context = call.parameters.get("EncryptionContext")
    return {
        "PrivateKeyCiphertextBlob": _seal(kms, call, key, specs.SYMMETRIC, private, context),
        "PrivateKeyPlaintext": private,
        "PublicKey": key_pairs.public_der(pair),
        "KeyId": key.arn,
        "KeyPairSpec": spec,
        "KeyMaterialId": key.current.id,
    }


@operation(
    "GenerateDataKeyPairWithoutPlaintext",
    refuses=states.USES,
    suits=_wraps,
    uses=True,
    cross_account=True,
)
def generate_data_key_pair_without_plaintext(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """A pair for use outside KMS: its private key wrapped only."""
    result = generate_data_key_pair(kms, call, key)
    del result["PrivateKeyPlaintext"]
    return result


@operation("GenerateRandom", on="account")
def generate_random(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Random bytes, up to 1,024; of KMS, or of a connected CloudHSM key store."""
    if "NumberOfBytes" not in call.parameters:
        raise AWSError("ValidationException", "NumberOfBytes is required.")
    there = kms.region(call.account, call.region)
    custom_key_stores.for_random(there, call.parameters.get("CustomKeyStoreId"))
    return {"Plaintext": kms.random.bytes(call.parameters["NumberOfBytes"])}


def check_usage(call: Call, key: Key, usage: str, algorithm: str | None = None) -> None:
    """Whether a key is for what is asked of it, and the algorithm one of its own.

    Raises:
        AWSError: ``InvalidKeyUsageException``.
    """
    if key.usage != usage:
        raise AWSError(
            "InvalidKeyUsageException",
            f"{key.arn} key usage is {key.usage} which is not valid for {call.operation}.",
        )
    if algorithm is not None and algorithm not in specs.ALGORITHMS[key.spec][usage]:
        raise AWSError(
            "InvalidKeyUsageException",
            f"Algorithm {algorithm} and key spec {key.spec} are incompatible.",
        )


def _data_key_size(call: Call) -> int:
    spec, count = call.parameters.get("KeySpec"), call.parameters.get("NumberOfBytes")
    if (spec is None) == (count is None):
        raise AWSError("ValidationException", "Please specify either number of bytes or key spec.")
    return int(count) if count is not None else _DATA_KEY_BYTES[str(spec)]


def _ignores_ciphertext(call: Call, key_parameter: str) -> bool:
    """Whether only the permission is to be tried. Source: botocore kms Decrypt, DryRunModifiers."""
    parameters = call.parameters
    modifiers = parameters.get("DryRunModifiers") or []
    if modifiers and not parameters.get("DryRun"):
        raise AWSError("ValidationException", "DryRunModifiers is valid only when DryRun is true.")
    if "IGNORE_CIPHERTEXT" in modifiers:
        if key_parameter not in parameters:
            raise AWSError(
                "ValidationException", f"{key_parameter} is required with IGNORE_CIPHERTEXT."
            )
        return True
    if "CiphertextBlob" not in parameters:
        raise AWSError(
            "ValidationException",
            "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy "
            "constraint: Member must not be null",
        )
    return False


def _seal(
    kms: KMS,
    call: Call,
    key: Key,
    algorithm: str,
    plaintext: bytes,
    context: Mapping[str, str] | None,
) -> bytes:
    check_usage(call, key, specs.ENCRYPT, algorithm)
    if algorithm == specs.SYMMETRIC:
        return seal(key, plaintext, context or {}, kms.random.bytes(12))
    _check_no_context(context)
    pair, digest = key_pairs.private_key(key), _OAEP_HASHES[algorithm]()
    most = pair.key_size // 8 - 2 * digest.digest_size - 2
    if len(plaintext) > most:
        raise AWSError(
            "ValidationException",
            f"Algorithm {algorithm} and key spec {key.spec} cannot encrypt data larger than "
            f"{most} bytes.",
        )
    sealed: bytes = pair.public_key().encrypt(plaintext, _oaep(digest))
    return sealed


def _open(call: Call, key: Key, algorithm: str, context: Mapping[str, str] | None) -> _Opened:
    """The plaintext, and the id of the version that opened it.

    Raises:
        AWSError: ``IncorrectKeyException`` where another key made the ciphertext,
            ``InvalidCiphertextException`` where it or the context was changed.
    """
    data = call.parameters["CiphertextBlob"]
    check_usage(call, key, specs.ENCRYPT, algorithm)
    if algorithm != specs.SYMMETRIC:
        _check_no_context(context)
        try:
            digest = _OAEP_HASHES[algorithm]()
            return _Opened(key_pairs.private_key(key).decrypt(data, _oaep(digest)), None)
        except ValueError as error:
            raise AWSError("InvalidCiphertextException") from error
    blob = read_blob(data)
    if blob.key_id != key.id or blob.account != key.account:
        raise AWSError(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )
    material = key.material(blob.material_id)
    secret = key.secret(material) if material is not None else None
    if material is None or not secret:
        raise AWSError("InvalidCiphertextException")
    try:
        plaintext = blob.open(secret, context or {})
    except CiphertextError as error:
        raise AWSError("InvalidCiphertextException") from error
    call.noted["additionalEventData"] = {"keyMaterialId": material.id}
    return _Opened(plaintext, material.id)


def _check_no_context(context: Mapping[str, str] | None) -> None:
    if context:
        raise AWSError(
            "ValidationException",
            "An encryption context is not valid with an asymmetric encryption algorithm.",
        )


def _oaep(digest: hashes.HashAlgorithm) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(digest), digest, None)
