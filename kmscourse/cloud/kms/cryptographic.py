"""Encrypt, Decrypt, ReEncrypt and data keys, under symmetric keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms.ciphertext import CiphertextError, seal
from kmscourse.cloud.kms.keys import Key
from kmscourse.cloud.kms.service import (
    KMS,
    OPERATIONS,
    check_state,
    note_key,
    operation,
    read_blob,
)
from kmscourse.cloud.permissions import Permission

_SYMMETRIC = "SYMMETRIC_DEFAULT"
_DATA_KEY_BYTES = {"AES_128": 16, "AES_256": 32}
_CIPHERTEXT = "the resource associated with this ciphertext"


@operation("Encrypt", usable=True, cross_account=True)
def encrypt(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Encrypt up to 4,096 bytes. Source: botocore kms Encrypt."""
    blob = _seal(kms, key, call.parameters["Plaintext"], call.parameters.get("EncryptionContext"))
    return {"CiphertextBlob": blob, "KeyId": key.arn, "EncryptionAlgorithm": _SYMMETRIC}


def _decrypt_needs(kms: KMS, call: Call) -> list[Permission]:
    key = kms.key_of(call)
    return [kms.permission(call, key, on=None if "KeyId" in call.parameters else _CIPHERTEXT)]


@operation("Decrypt", usable=True, cross_account=True, needs=_decrypt_needs)
def decrypt(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Decrypt with the version of the key that the ciphertext names."""
    key = kms.key_of(call)
    check_state(key, OPERATIONS["Decrypt"])
    plaintext, material_id = _open(
        call, key, call.parameters["CiphertextBlob"], call.parameters.get("EncryptionContext")
    )
    return {
        "KeyId": key.arn,
        "Plaintext": plaintext,
        "EncryptionAlgorithm": _SYMMETRIC,
        "KeyMaterialId": material_id,
    }


def _re_encrypt_keys(kms: KMS, call: Call) -> tuple[Key, Key]:
    source_id = call.parameters.get("SourceKeyId")
    source = kms.find(call, source_id) if source_id else kms.key_of_ciphertext(call)
    destination = kms.find(call, call.parameters["DestinationKeyId"])
    note_key(call, source)
    note_key(call, destination)
    return source, destination


def _re_encrypt_needs(kms: KMS, call: Call) -> list[Permission]:
    source, destination = _re_encrypt_keys(kms, call)
    return [
        kms.permission(call, source, action="kms:ReEncryptFrom"),
        kms.permission(call, destination, action="kms:ReEncryptTo"),
    ]


@operation("ReEncrypt", usable=True, cross_account=True, needs=_re_encrypt_needs)
def re_encrypt(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Decrypt and encrypt anew inside KMS: the plaintext never leaves it."""
    source, destination = _re_encrypt_keys(kms, call)
    for key in (source, destination):
        check_state(key, OPERATIONS["ReEncrypt"])
    plaintext, material_id = _open(
        call,
        source,
        call.parameters["CiphertextBlob"],
        call.parameters.get("SourceEncryptionContext"),
    )
    context = call.parameters.get("DestinationEncryptionContext")
    return {
        "CiphertextBlob": _seal(kms, destination, plaintext, context),
        "SourceKeyId": source.arn,
        "KeyId": destination.arn,
        "SourceEncryptionAlgorithm": _SYMMETRIC,
        "DestinationEncryptionAlgorithm": _SYMMETRIC,
        "SourceKeyMaterialId": material_id,
        "DestinationKeyMaterialId": destination.current.id,
    }


@operation("GenerateDataKey", usable=True, cross_account=True)
def generate_data_key(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """A data key in two forms: in plaintext, to use and forget, and wrapped, to keep."""
    plaintext = kms.random.bytes(_data_key_size(call))
    return {
        "CiphertextBlob": _seal(kms, key, plaintext, call.parameters.get("EncryptionContext")),
        "Plaintext": plaintext,
        "KeyId": key.arn,
        "KeyMaterialId": key.current.id,
    }


@operation("GenerateDataKeyWithoutPlaintext", usable=True, cross_account=True)
def generate_data_key_without_plaintext(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """A data key in its wrapped form only, for someone else to unwrap later."""
    result = generate_data_key(kms, call, key)
    del result["Plaintext"]
    return result


@operation("GenerateRandom", on="account")
def generate_random(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Random bytes, up to 1,024."""
    if "NumberOfBytes" not in call.parameters:
        raise AWSError("ValidationException", "NumberOfBytes is required.")
    return {"Plaintext": kms.random.bytes(call.parameters["NumberOfBytes"])}


def _data_key_size(call: Call) -> int:
    spec, count = call.parameters.get("KeySpec"), call.parameters.get("NumberOfBytes")
    if (spec is None) == (count is None):
        raise AWSError("ValidationException", "Please specify either number of bytes or key spec.")
    return int(count) if count is not None else _DATA_KEY_BYTES[str(spec)]


def _seal(kms: KMS, key: Key, plaintext: bytes, context: Mapping[str, str] | None) -> bytes:
    return seal(key, plaintext, context or {}, kms.random.bytes(12))


def _open(
    call: Call, key: Key, data: bytes, context: Mapping[str, str] | None
) -> tuple[bytes, str]:
    """The plaintext, and the id of the version that opened it.

    Raises:
        AWSError: ``IncorrectKeyException`` where another key made the ciphertext,
            ``InvalidCiphertextException`` where it or the context was changed.
    """
    blob = read_blob(data)
    if blob.key_id != key.id or blob.account != key.account:
        raise AWSError(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )
    material = key.material(blob.material_id)
    if material is None:
        raise AWSError("InvalidCiphertextException")
    try:
        plaintext = blob.open(material, context or {})
    except CiphertextError as error:
        raise AWSError("InvalidCiphertextException") from error
    call.noted["additionalEventData"] = {"keyMaterialId": material.id}
    return plaintext, material.id
