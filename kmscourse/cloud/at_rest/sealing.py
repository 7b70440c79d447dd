"""What services around KMS have in common: a data key of KMS's, AES-256-GCM, and the thief's view.

Each asks KMS with its caller's identity, so that the caller's permissions on the key decide, and
the call stands on the trail and on the bill.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import aws_managed
from kmscourse.cloud.kms.ciphertext import Blob

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

_NONCE = 12


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key as KMS gave it: the plaintext for as long as it is needed, the rest to keep."""

    plaintext: bytes = field(repr=False)
    wrapped: bytes
    key_arn: str
    key_material_id: str
    context: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sealed:
    """Bytes under a data key, and what KMS needs to unwrap that key. No key is in it.

    Attributes:
        ciphertext: AES-256-GCM, the tag at its end.
        nonce: 12 bytes.
        wrapped_key: the data key under a KMS key.
        key_arn: that KMS key.
        key_material_id: which version of its material.
        context: the encryption context under which KMS unwraps.
    """

    ciphertext: bytes
    nonce: bytes
    wrapped_key: bytes
    key_arn: str
    key_material_id: str
    context: Mapping[str, str]


def generate(gateway: Gateway, call: Call, key_id: str, context: Mapping[str, str]) -> DataKey:
    """A new data key from KMS.

    Raises:
        AWSError: KMS's refusal, in KMS's words.
    """
    made = gateway.on_behalf(
        call,
        "kms",
        "GenerateDataKey",
        {"KeyId": key_id, "KeySpec": "AES_256", "EncryptionContext": dict(context)},
    )
    wrapped = made["CiphertextBlob"]
    material = Blob.parse(wrapped).material_id
    return DataKey(made["Plaintext"], wrapped, made["KeyId"], material, dict(context))


def unwrap(gateway: Gateway, call: Call, wrapped: bytes, context: Mapping[str, str]) -> bytes:
    """The data key, or whatever else, that KMS encrypted.

    Raises:
        AWSError: KMS's refusal, in KMS's words.
    """
    parameters = {"CiphertextBlob": wrapped, "EncryptionContext": dict(context)}
    opened: bytes = gateway.on_behalf(call, "kms", "Decrypt", parameters)["Plaintext"]
    return opened


def seal(plaintext: bytes, key: DataKey, random: Callable[[int], bytes]) -> Sealed:
    """Encrypt under a data key, bound to its encryption context."""
    nonce = random(_NONCE)
    ciphertext = AESGCM(key.plaintext).encrypt(nonce, plaintext, bound(key.context))
    return Sealed(
        ciphertext, nonce, key.wrapped, key.key_arn, key.key_material_id, dict(key.context)
    )


def unseal(sealed: Sealed, key: bytes) -> bytes:
    """Decrypt what `seal` gave.

    Raises:
        cryptography.exceptions.InvalidTag: where the key is another or a byte was changed.
    """
    return AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, bound(sealed.context))


def bound(context: Mapping[str, str]) -> bytes:
    """An encryption context as additional authenticated data: no two read alike."""
    pairs = [part.encode() for pair in sorted(context.items()) for part in pair]
    return b"".join(len(part).to_bytes(4) + part for part in pairs)


def key_for(gateway: Gateway, call: Call, service: str, key_id: str | None, account: str) -> str:
    """What to give KMS as KeyId: a key of one's own, or the AWS managed key of the account.

    Args:
        service: by the name after ``alias/aws/``; its key is made where it is not there yet.
        account: that owns what is to be encrypted.
    """
    managed = f"alias/aws/{service}"
    if key_id and not key_id.endswith(managed):
        return key_id
    aws_managed.ensure(gateway.kms, service, account, call.region, call.time)
    return f"arn:aws:kms:{call.region}:{account}:{managed}"


def in_region(call: Call, region: str) -> Call:
    """The same call, as if made in another Region."""
    return call if call.region == region else replace(call, region=region)


def of_java(gateway: Gateway, error: AWSError) -> str:
    """KMS's refusal as services quote it that were written in Java.

    Source: messages of AWS in public issues, e.g. hashicorp/terraform-provider-aws.
    """
    (last,) = gateway.trail.events(after=len(gateway.trail) - 1) or [{}]
    return (
        f"{error.message} (Service: AWSKMS; Status Code: {error.status}; Error Code: {error.code}; "
        f"Request ID: {last.get('requestID', '')}; Proxy: null)"
    )


def text_of(rows: list[tuple[str, str]]) -> str:
    """Pairs of a name and a text as lines, those without a text left out."""
    shown = [row for row in rows if row[1]]
    width = max(len(name) for name, _ in shown)
    return "\n".join(f"{name.ljust(width)}  {text}" for name, text in shown)


def glance(data: bytes | None) -> str:
    """The first bytes of a ciphertext, and how many there are."""
    if not data:
        return ""
    return f"{data[:16].hex()}{'...' if len(data) > 16 else ''} ({len(data):,} bytes)"


def context_text(context: Mapping[str, str]) -> str:
    """An encryption context in one line."""
    return ", ".join(f"{name} = {value}" for name, value in sorted(context.items()))


def account_of(arn: str) -> str | None:
    """The account in an ARN, or None where it is none."""
    match = re.match(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12}):", arn)
    return match[1] if match else None
