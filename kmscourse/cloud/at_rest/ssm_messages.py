"""Advanced SecureString parameters: messages of the AWS Encryption SDK, whose data key is KMS's.

The library itself writes and reads them; only where it would call KMS, Parameter Store passes on
the identity of its caller. Suite 0x0478: with key commitment, without a signature, so that the
encryption context is PARAMETER_ARN alone. Which suite AWS uses is not documented: inferred.

Source: AWS Systems Manager User Guide, "Encrypt an advanced parameter".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import aws_encryption_sdk
from aws_encryption_sdk.identifiers import Algorithm, CommitmentPolicy
from aws_encryption_sdk.key_providers.base import MasterKey, MasterKeyConfig
from aws_encryption_sdk.structures import DataKey as MessageKey
from aws_encryption_sdk.structures import EncryptedDataKey, MasterKeyInfo

from kmscourse.cloud.at_rest import sealing
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

_SUITE = Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
_PROVIDER = "aws-kms"


class _Config(MasterKeyConfig):  # type: ignore[misc]
    provider_id = _PROVIDER

    def __init__(self, key_id: str, gateway: Gateway, call: Call) -> None:
        super().__init__(key_id=key_id)
        self.gateway, self.call = gateway, call


class _CallersKey(MasterKey):  # type: ignore[misc]
    """A KMS key, used with the identity of whoever calls Parameter Store."""

    provider_id = _PROVIDER
    _config_class = _Config
    made: sealing.DataKey | None = None

    def _generate_data_key(self, algorithm: Any, encryption_context: Mapping[str, str]) -> Any:
        config = self.config
        self.made = sealing.generate(
            config.gateway, config.call, self.key_id.decode(), encryption_context
        )
        return MessageKey(
            MasterKeyInfo(_PROVIDER, self.made.key_arn), self.made.plaintext, self.made.wrapped
        )

    def _encrypt_data_key(self, data_key: Any, algorithm: Any, encryption_context: Any) -> Any:
        # The only key of a message is the one that made the data key.
        assert self.made is not None
        return EncryptedDataKey(MasterKeyInfo(_PROVIDER, self.made.key_arn), self.made.wrapped)

    def _decrypt_data_key(
        self, encrypted_data_key: Any, algorithm: Any, encryption_context: Mapping[str, str]
    ) -> Any:
        config, wrapped = self.config, encrypted_data_key.encrypted_data_key
        opened = sealing.unwrap(config.gateway, config.call, wrapped, encryption_context)
        return MessageKey(encrypted_data_key.key_provider, opened, wrapped)


def encrypt(
    gateway: Gateway, call: Call, key_id: str, value: str, context: Mapping[str, str]
) -> tuple[bytes, sealing.DataKey]:
    """A value as a message of the AWS Encryption SDK.

    Returns:
        The message, and the data key that KMS made for it.
    """
    key = _CallersKey(config=_Config(key_id, gateway, call))
    message, _ = _client().encrypt(
        source=value.encode(), key_provider=key, encryption_context=dict(context), algorithm=_SUITE
    )
    assert key.made is not None
    return message, key.made


def decrypt(
    gateway: Gateway, call: Call, key_arn: str, message: bytes, context: Mapping[str, str]
) -> str:
    """The value of a message, whose context must say that it is this parameter's.

    Raises:
        AWSError: KMS's refusal; InvalidKeyId for a message of another parameter. The latter's
            code is inferred.
    """
    key = _CallersKey(config=_Config(key_arn, gateway, call))
    # Not in a with block: closing what KMS refused makes the library write to its log.
    stream = _client().stream(mode="decrypt", source=message, key_provider=key)
    opened: bytes = stream.read()
    bound = stream.header.encryption_context
    if any(bound.get(name) != value for name, value in context.items()):
        raise AWSError("InvalidKeyId", "The encryption context is not that of the parameter.")
    return opened.decode()


def _client() -> Any:
    return aws_encryption_sdk.EncryptionSDKClient(
        commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
    )
