"""One request to Secrets Manager: which secret it means, the value it brings, and KMS for both.

Source: AWS Secrets Manager User Guide, "Secret encryption and decryption in AWS Secrets Manager".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.secretsmanager.models import ReplicaSecret

from kmscourse.cloud.at_rest import sealing
from kmscourse.cloud.at_rest.secretsmanager.versions import Kept, find
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.permissions import Permission, RefusedError
from kmscourse.cloud.protocol import Response
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

MANAGED = "alias/aws/secretsmanager"
_VALIDATING = "RequestToValidateKeyAccess"


@dataclass(slots=True)
class Request:
    """One request and what it takes to answer it."""

    random: Randomness
    gateway: Gateway
    call: Call
    ask_moto: Callable[[], Response]

    @property
    def parameters(self) -> dict[str, Any]:
        return self.call.parameters

    def secret(self, *, changing: bool = True) -> Any:
        """The secret that the request names, a replica only where it is to be read."""
        named = str(self.parameters.get("SecretId", ""))
        found = find(self.call, named)
        if found is None:
            raise AWSError(
                "ResourceNotFoundException", "Secrets Manager can't find the specified secret."
            )
        if changing and isinstance(found, ReplicaSecret):
            raise AWSError(
                "InvalidParameterException",
                "Operation not permitted on a replica secret. Call must be made in primary "
                "secret's region.",
            )
        if found.is_deleted() and self.call.operation != "DescribeSecret":
            raise AWSError(
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for "
                "deletion.",
            )
        return found

    def value(self) -> tuple[str, bytes] | None:
        """The value that the request brings, and of which kind it is."""
        text, data = self.parameters.get("SecretString"), self.parameters.get("SecretBinary")
        if text is not None and data is not None:
            raise AWSError(
                "InvalidParameterException",
                "You can't specify both a binary secret value and a string secret value in the "
                "same secret.",
            )
        if text is not None:
            return "SecretString", str(text).encode()
        return ("SecretBinary", bytes(data)) if data is not None else None

    def version_id(self) -> str:
        return str(self.parameters.get("ClientRequestToken") or self.random.uuid())

    def seal(self, secret: Any, version_id: str, value: tuple[str, bytes]) -> None:
        """Encrypt a version for the secret's own Region, then for those of its replicas."""
        kept = self.seal_in(secret, secret.region, secret.kms_key_id, version_id, value)
        version = secret.versions.setdefault(version_id, self.new_version(version_id))
        version["sealed"][secret.region] = kept
        for each in secret.replicas:
            if each.has_replica:
                self.replicate(each, version_id, value)

    def replicate(self, replica: Any, version_id: str, value: tuple[str, bytes]) -> None:
        """Encrypt a version under the replica's key; what fails shows in its status."""
        try:
            kept = self.seal_in(
                replica, replica.region, replica.config["KmsKeyId"], version_id, value
            )
        except AWSError as error:
            message = f"Replication failed: {error.message}"
            replica.config |= {"Status": "Failed", "StatusMessage": message}
        else:
            replica.versions[version_id]["sealed"][replica.region] = kept
            replica.config |= {"Status": "InSync", "StatusMessage": "Replication succeeded"}

    def seal_in(
        self, secret: Any, region: str, key_id: str | None, version_id: str, value: Any
    ) -> Kept:
        call = sealing.in_region(self.call, region)
        kind, plaintext = value
        try:
            data_key = sealing.generate(
                self.gateway,
                call,
                self._key(call, secret.arn, key_id),
                {"SecretARN": secret.arn, "SecretVersionId": version_id},
            )
        except AWSError as error:
            raise words(error, "EncryptionFailure") from error
        return Kept(kind, sealing.seal(plaintext, data_key, self.random.bytes))

    def unseal(self, kept: Kept, region: str) -> bytes:
        """The value of a version.

        Raises:
            AWSError: DecryptionFailure, or AccessDeniedException.
        """
        call, sealed = sealing.in_region(self.call, region), kept.sealed
        try:
            key = sealing.unwrap(self.gateway, call, sealed.wrapped_key, sealed.context)
        except AWSError as error:
            raise words(error, "DecryptionFailure") from error
        return sealing.unseal(sealed, key)

    def validate_key(self, secret: Any) -> None:
        """Try out the key of a secret with its caller's permissions, as AWS does."""
        context = {"SecretARN": secret.arn, "SecretVersionId": _VALIDATING}
        key_id = self._key(self.call, secret.arn, secret.kms_key_id)
        try:
            made = sealing.generate(self.gateway, self.call, key_id, context)
            sealing.unwrap(self.gateway, self.call, made.wrapped, context)
        except AWSError as error:
            raise words(error, "EncryptionFailure") from error

    def _key(self, call: Call, arn: str, key_id: str | None) -> str:
        """The secret's key for KMS: a bare id or alias means one of the secret's account."""
        owner = sealing.account_of(arn) or call.account
        if not key_id or key_id.startswith("arn:") or key_id == MANAGED:
            return sealing.key_for(self.gateway, call, "secretsmanager", key_id, owner)
        kind = "" if key_id.startswith("alias/") else "key/"
        return f"arn:aws:kms:{call.region}:{owner}:{kind}{key_id}"

    def new_version(self, version_id: str) -> dict[str, Any]:
        return {
            "createdate": int(self.call.time.timestamp()),
            "version_id": version_id,
            "version_stages": [],
            "sealed": {},
        }


def words(error: AWSError, code: str) -> AWSError:
    """KMS's refusal in the words of Secrets Manager.

    Sources: the API Reference for both failures; for a refusal, AWS's answers in public issues,
    e.g. aws-samples/aws-secrets-manager-rotation-lambdas. The code for an asymmetric key is
    inferred, its words are from "Troubleshoot AWS Secrets Manager".
    """
    denied = "Access to KMS is not allowed"
    if isinstance(error, RefusedError):
        return RefusedError(Permission("kms:*", "*"), error.decision, denied)
    if error.code == "AccessDeniedException":
        return AWSError(error.code, denied)
    if error.code == "InvalidKeyUsageException":
        return AWSError(
            "InvalidParameterException", "Cannot generate a data key with an asymmetric KMS key"
        )
    if code == "DecryptionFailure":
        return AWSError(
            code,
            "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
        )
    return AWSError(
        code,
        "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check "
        "that the KMS key is available, enabled, and not in an invalid state.",
    )
