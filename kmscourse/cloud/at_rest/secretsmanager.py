"""AWS Secrets Manager: each version of a secret under a data key of its own, in each Region.

moto keeps names, tags, policies and replicas; the values, their versions and staging labels are
kept here, on moto's objects: a version is what moto has of it and, by Region, what is `Sealed`.

moto's names that this stands on, all in ``moto.secretsmanager.models``: ``FakeSecret``
(``versions``, ``default_version_id``, ``kms_key_id``, ``create_replicas``, ``replicas``,
``rotation_*``, ``to_dict``), ``ReplicaSecret`` (``source``, ``config``, ``has_replica``),
``SecretsStore`` and ``secretsmanager_backends``.

Sources: AWS Secrets Manager User Guide, "Secret encryption and decryption in AWS Secrets
Manager"; AWS Secrets Manager API Reference. Rotation functions do not run here: RotateSecret
makes the version AWSPENDING, and whoever plays the function does its four steps.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from moto.secretsmanager.exceptions import SecretsManagerClientError
from moto.secretsmanager.models import FakeSecret, ReplicaSecret, secretsmanager_backends

from kmscourse.cloud import needs, permissions
from kmscourse.cloud.at_rest import sealing
from kmscourse.cloud.at_rest.sealing import Sealed
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.permissions import Permission, RefusedError
from kmscourse.cloud.protocol import Response
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

_MANAGED = "alias/aws/secretsmanager"
_CURRENT, _PENDING, _PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
_VALIDATING = "RequestToValidateKeyAccess"


@dataclass(frozen=True, slots=True)
class _Kept:
    """One version of a secret in one Region."""

    kind: str
    sealed: Sealed


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """What lies on the disk of Secrets Manager for one version of a secret in one Region.

    Attributes:
        ciphertext: the value under the data key, AES-256-GCM with its tag at the end.
        nonce: 12 bytes.
        wrapped_key: the data key under the KMS key.
        key_arn: that KMS key.
        key_material_id: which version of its material.
        context: the encryption context without which KMS does not unwrap.
    """

    arn: str
    version_id: str
    stages: tuple[str, ...]
    ciphertext: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)
    key_arn: str
    key_material_id: str
    context: dict[str, str]

    def rows(self) -> list[tuple[str, str]]:
        """What there is, as pairs of a name and a text."""
        return [
            ("secret", self.arn),
            ("version", f"{self.version_id} {', '.join(self.stages)}".strip()),
            ("ciphertext", sealing.glance(self.ciphertext)),
            ("wrapped data key", sealing.glance(self.wrapped_key)),
            ("key", self.key_arn),
            ("key material", self.key_material_id),
            ("context", sealing.context_text(self.context)),
        ]

    def __bytes__(self) -> bytes:
        described = "\n".join(f"{name}: {text}" for name, text in self.rows()).encode()
        return b"\n".join((described, self.wrapped_key, self.nonce, self.ciphertext))

    def __repr__(self) -> str:
        return sealing.text_of(self.rows())


class SecretsManager:
    """Secrets Manager's values and their encryption, around moto."""

    def __init__(self, random: Randomness) -> None:
        self._random = random

    def open(self) -> None:
        """Nothing of moto's is replaced: values never reach it."""

    def close(self) -> None:
        """Nothing to put back."""

    def needs(self, call: Call) -> list[Permission]:
        """BatchGetSecretValue needs its own permission; the rest is in the table."""
        if call.operation == "BatchGetSecretValue":
            return [Permission(call.action, "*")]
        return []

    def stored(self, secret_id: str, version: str | None = None) -> StoredSecret:
        """What lies on the disk for a secret.

        Args:
            secret_id: its name, or its ARN: a replica's for what lies in the replica's Region.
            version: a version id or a staging label; AWSCURRENT unless given.

        Raises:
            KeyError: where there is no such secret or version.
        """
        for regions in secretsmanager_backends.values():
            for region, backend in regions.items():
                for secret in backend.secrets.values():
                    by_name = secret.name == secret_id and isinstance(secret, FakeSecret)
                    if by_name or secret.arn == secret_id:
                        return _look(secret, region, version or _CURRENT)
        raise KeyError(f"There is no secret {secret_id}.")

    def perform(
        self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]
    ) -> dict[str, Any] | Response:
        """Carry out a call that was found to be allowed."""
        handler = _OPERATIONS.get(call.operation)
        if handler is None:
            return ask_moto()
        try:
            return handler(_Request(self._random, gateway, call, ask_moto))
        except SecretsManagerClientError as error:
            raise AWSError(error.error_type, error.message, 400) from error


@dataclass(slots=True)
class _Request:
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
        found = _find(self.call, named)
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
        kept = self._seal_in(secret, secret.region, secret.kms_key_id, version_id, value)
        version = secret.versions.setdefault(version_id, self.new_version(version_id))
        version["sealed"][secret.region] = kept
        for each in secret.replicas:
            if each.has_replica:
                self.replicate(each, version_id, value)

    def replicate(self, replica: Any, version_id: str, value: tuple[str, bytes]) -> None:
        """Encrypt a version under the replica's key; what fails shows in its status."""
        try:
            kept = self._seal_in(
                replica, replica.region, replica.config["KmsKeyId"], version_id, value
            )
        except AWSError as error:
            message = f"Replication failed: {error.message}"
            replica.config |= {"Status": "Failed", "StatusMessage": message}
        else:
            replica.versions[version_id]["sealed"][replica.region] = kept
            replica.config |= {"Status": "InSync", "StatusMessage": "Replication succeeded"}

    def _seal_in(
        self, secret: Any, region: str, key_id: str | None, version_id: str, value: Any
    ) -> _Kept:
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
            raise _words(error, "EncryptionFailure") from error
        return _Kept(kind, sealing.seal(plaintext, data_key, self.random.bytes))

    def unseal(self, kept: _Kept, region: str) -> bytes:
        """The value of a version.

        Raises:
            AWSError: DecryptionFailure, or AccessDeniedException.
        """
        call, sealed = sealing.in_region(self.call, region), kept.sealed
        try:
            key = sealing.unwrap(self.gateway, call, sealed.wrapped_key, sealed.context)
        except AWSError as error:
            raise _words(error, "DecryptionFailure") from error
        return sealing.unseal(sealed, key)

    def validate_key(self, secret: Any) -> None:
        """Try out the key of a secret with its caller's permissions, as AWS does."""
        context = {"SecretARN": secret.arn, "SecretVersionId": _VALIDATING}
        key_id = self._key(self.call, secret.arn, secret.kms_key_id)
        try:
            made = sealing.generate(self.gateway, self.call, key_id, context)
            sealing.unwrap(self.gateway, self.call, made.wrapped, context)
        except AWSError as error:
            raise _words(error, "EncryptionFailure") from error

    def _key(self, call: Call, arn: str, key_id: str | None) -> str:
        """The secret's key for KMS: a bare id or alias means one of the secret's account."""
        owner = sealing.account_of(arn) or call.account
        if not key_id or key_id.startswith("arn:") or key_id == _MANAGED:
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


def _create(request: _Request) -> dict[str, Any] | Response:
    call, parameters = request.call, request.parameters
    value, version_id = request.value(), request.version_id()
    name = str(parameters.get("Name", ""))
    existing = _find(call, name)
    if existing is not None:
        return _existing(request, existing, version_id, value)
    assert call.http is not None, "secrets are created over HTTP"
    ours = ("SecretString", "SecretBinary", "AddReplicaRegions", "ForceOverwriteReplicaSecret")
    body = json.loads(call.http.body)
    call.http.body = json.dumps({k: v for k, v in body.items() if k not in ours}).encode()
    response = request.ask_moto()
    secret = _find(call, name)
    if response.status >= 400 or secret is None:
        return response
    secret.created_date = secret.last_changed_date = int(call.time.timestamp())
    try:
        if parameters.get("KmsKeyId") or value is not None:
            request.validate_key(secret)
        if value is not None:
            request.seal(secret, version_id, value)
            _label(secret, _CURRENT, version_id)
        _add_replicas(request, secret)
    except BaseException:
        dict.pop(secretsmanager_backends[call.account][call.region].secrets, name, None)
        raise
    answer = {"ARN": secret.arn, "Name": secret.name}
    if value is not None:
        answer["VersionId"] = version_id
    return answer | _replication(secret)


def _put(request: _Request) -> dict[str, Any]:
    secret, value, version_id = request.secret(), request.value(), request.version_id()
    if value is None:
        raise AWSError(
            "InvalidRequestException", "You must provide either SecretString or SecretBinary."
        )
    known = secret.versions.get(version_id)
    if known is not None and known["sealed"]:
        _compare(request, secret, version_id, value)
        return _answer(secret, version_id) | {"VersionStages": list(known["version_stages"])}
    request.seal(secret, version_id, value)
    labels = list(request.parameters.get("VersionStages") or [_CURRENT])
    if not any(_CURRENT in each["version_stages"] for each in secret.versions.values()):
        labels.append(_CURRENT)
    for label in dict.fromkeys(labels):
        _label(secret, label, version_id)
    _changed(request, secret)
    stages = list(secret.versions[version_id]["version_stages"])
    return _answer(secret, version_id) | {"VersionStages": stages}


def _update(request: _Request) -> dict[str, Any]:
    """UpdateSecret: a new key means that the labelled versions are encrypted anew."""
    secret, value, parameters = request.secret(), request.value(), request.parameters
    if parameters.get("KmsKeyId") is not None:
        changed = copy(secret)
        changed.kms_key_id = parameters["KmsKeyId"] or None
        request.validate_key(changed)
        for version_id, version in _labelled(secret):
            kept = version["sealed"].get(secret.region)
            if kept is not None:
                plaintext = request.unseal(kept, secret.region)
                version["sealed"][secret.region] = request._seal_in(
                    secret, secret.region, changed.kms_key_id, version_id, (kept.kind, plaintext)
                )
        secret.kms_key_id = changed.kms_key_id
    if "Description" in parameters:
        secret.description = parameters["Description"]
    _changed(request, secret)
    if value is None:
        return {"ARN": secret.arn, "Name": secret.name}
    version_id = request.version_id()
    known = secret.versions.get(version_id)
    if known is not None and known["sealed"]:
        _compare(request, secret, version_id, value)
    else:
        request.seal(secret, version_id, value)
        _label(secret, _CURRENT, version_id)
    return _answer(secret, version_id)


def _get(request: _Request) -> dict[str, Any]:
    secret, parameters = request.secret(changing=False), request.parameters
    version_id, stage = parameters.get("VersionId"), parameters.get("VersionStage")
    version = _version(secret, version_id, stage)
    kept = version["sealed"].get(secret.region) if version is not None else None
    if version is not None and version_id and stage and stage not in version["version_stages"]:
        raise AWSError(
            "InvalidRequestException",
            "You provided a VersionStage that is not associated to the provided VersionId.",
        )
    if version is None or kept is None:
        what = f"VersionId: {version_id}" if version_id else f"staging label: {stage or _CURRENT}"
        raise AWSError(
            "ResourceNotFoundException",
            f"Secrets Manager can't find the specified secret value for {what}",
        )
    plaintext = request.unseal(kept, secret.region)
    return {
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version["version_id"],
        kept.kind: plaintext.decode() if kept.kind == "SecretString" else plaintext,
        "VersionStages": list(version["version_stages"]),
        "CreatedDate": version["createdate"],
    }


def _get_batch(request: _Request) -> dict[str, Any]:
    """BatchGetSecretValue: each secret needs GetSecretValue; what fails is listed."""
    named = request.parameters.get("SecretIdList") or []
    if not named:
        wanted = request.parameters.get("Filters") or []
        if not wanted:
            raise AWSError(
                "InvalidParameterException",
                "Either 'SecretIdList' or 'Filters' must be provided, but not both.",
            )
        backend = secretsmanager_backends[request.call.account][request.call.region]
        listed, _ = backend.list_secrets(wanted)
        named = [each["ARN"] for each in listed]
    values, errors = [], []
    for secret_id in named:
        inner = replace(
            request.call, operation="GetSecretValue", parameters={"SecretId": secret_id}
        )
        try:
            permissions.check(inner, needs.needs(inner))
            values.append(_get(replace(request, call=inner)))
        except AWSError as error:
            errors.append(
                {"SecretId": secret_id, "ErrorCode": error.code, "Message": error.message}
            )
    return {"SecretValues": values, "Errors": errors}


def _describe(request: _Request) -> dict[str, Any]:
    secret = request.secret(changing=False)
    shown = {name: each for name, each in secret.to_dict().items() if each is not None}
    key_id = secret.kms_key_id if isinstance(secret, FakeSecret) else secret.config["KmsKeyId"]
    shown.pop("KmsKeyId", None)
    if key_id and key_id != _MANAGED:
        shown["KmsKeyId"] = key_id
    if "VersionIdsToStages" in shown:
        labelled = {v: stages for v, stages in shown["VersionIdsToStages"].items() if stages}
        shown["VersionIdsToStages"] = labelled
    shown.pop("SecretVersionsToStages", None)
    if isinstance(secret, ReplicaSecret):
        shown.pop("ReplicationStatus", None)
    return shown


def _list_versions(request: _Request) -> dict[str, Any]:
    secret = request.secret(changing=False)
    everything = bool(request.parameters.get("IncludeDeprecated"))
    return {
        "ARN": secret.arn,
        "Name": secret.name,
        "Versions": [
            {
                "VersionId": version_id,
                "VersionStages": list(version["version_stages"]),
                "CreatedDate": version["createdate"],
            }
            for version_id, version in secret.versions.items()
            if everything or version["version_stages"]
        ],
    }


def _move_stage(request: _Request) -> dict[str, Any]:
    """UpdateSecretVersionStage: move a staging label, as a rotation function does to finish."""
    secret, parameters = request.secret(), request.parameters
    label = str(parameters["VersionStage"])
    from_id, to_id = parameters.get("RemoveFromVersionId"), parameters.get("MoveToVersionId")
    for named in filter(None, (from_id, to_id)):
        if named not in secret.versions:
            raise AWSError("InvalidParameterException", f"Not a valid version: {named}")
    holder = next(
        (v for v, each in secret.versions.items() if label in each["version_stages"]), None
    )
    if from_id and from_id != holder:
        raise AWSError(
            "InvalidParameterException",
            f"Version stage {label} not found in version {from_id}",
        )
    if holder is not None and holder != to_id and not from_id:
        raise AWSError(
            "InvalidParameterException",
            f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently "
            f"attached to version {holder}, so you must explicitly reference that version in "
            "RemoveFromVersionId.",
        )
    if label == _CURRENT and not to_id:
        raise AWSError(
            "InvalidParameterException",
            f"You can only move staging label {_CURRENT} to a different secret version. It can't "
            "be completely removed.",
        )
    if to_id:
        _label(secret, label, to_id)
    elif holder is not None:
        secret.versions[holder]["version_stages"].remove(label)
    _changed(request, secret)
    if label == _CURRENT and secret.rotation_enabled:
        secret.last_rotation_date = int(request.call.time.timestamp())
    return {"ARN": secret.arn, "Name": secret.name}


def _rotate(request: _Request) -> dict[str, Any]:
    """RotateSecret: a version labelled AWSPENDING, without a value until the function puts one."""
    secret, parameters = request.secret(), request.parameters
    function = parameters.get("RotationLambdaARN") or secret.rotation_lambda_arn
    if not function:
        raise AWSError(
            "InvalidRequestException",
            "No Lambda rotation function ARN is associated with this secret.",
        )
    pending = _version(secret, None, _PENDING)
    if pending is not None and _CURRENT not in pending["version_stages"]:
        raise AWSError(
            "InvalidRequestException",
            "A previous rotation isn't complete. That rotation will be reattempted.",
        )
    rules = parameters.get("RotationRules") or {}
    secret.rotation_requested = secret.rotation_enabled = True
    secret.rotation_lambda_arn = function
    secret.auto_rotate_after_days = rules.get(
        "AutomaticallyAfterDays", secret.auto_rotate_after_days
    )
    if secret.auto_rotate_after_days:
        due = request.call.time + timedelta(days=secret.auto_rotate_after_days)
        secret.next_rotation_date = int(due.timestamp())
    if parameters.get("RotateImmediately") is False:
        return {"ARN": secret.arn, "Name": secret.name}
    version_id = request.version_id()
    secret.versions.setdefault(version_id, request.new_version(version_id))
    _label(secret, _PENDING, version_id)
    return _answer(secret, version_id)


def _replicate(request: _Request) -> dict[str, Any]:
    secret = request.secret()
    _add_replicas(request, secret)
    return {"ARN": secret.arn, **_replication(secret)}


def _add_replicas(request: _Request, secret: Any) -> None:
    """Put a copy of every labelled version into other Regions, each under a key there."""
    asked = request.parameters.get("AddReplicaRegions") or []
    force = bool(request.parameters.get("ForceOverwriteReplicaSecret"))
    added = secret.create_replicas(asked, force_overwrite=force)
    secret.replicas.extend(added)
    for replica, wanted in zip(added, asked, strict=True):
        replica.config["KmsKeyId"] = wanted.get("KmsKeyId") or _MANAGED
        if not replica.has_replica:
            replica.config["StatusMessage"] = (
                f"Replication failed: Secret name {secret.name} already exists in region "
                f"{replica.region}."
            )
            continue
        for version_id, version in _labelled(secret):
            kept = version["sealed"].get(secret.region)
            if kept is not None:
                value = kept.kind, request.unseal(kept, secret.region)
                request.replicate(replica, version_id, value)


def _stop_replication(request: _Request) -> dict[str, Any]:
    """StopReplicationToReplica: the replica becomes a secret of its own, under its own key."""
    replica = request.secret(changing=False)
    if not isinstance(replica, ReplicaSecret):
        raise AWSError("InvalidRequestException", "The secret is not a replica.")
    alone, region = copy(replica.source), replica.region
    alone.arn, alone.region, alone.replicas = replica.arn, region, []
    key_id = replica.config["KmsKeyId"]
    alone.kms_key_id = None if key_id == _MANAGED else key_id
    alone.versions = {
        version_id: version
        | {
            "version_stages": list(version["version_stages"]),
            "sealed": {r: kept for r, kept in version["sealed"].items() if r == region},
        }
        for version_id, version in replica.versions.items()
    }
    store = secretsmanager_backends[alone.account_id][region].secrets
    dict.pop(store, replica.arn)
    store[alone.name] = alone
    replica.source.replicas.remove(replica)
    return {"ARN": alone.arn}


_OPERATIONS: dict[str, Callable[[_Request], dict[str, Any] | Response]] = {
    "CreateSecret": _create,
    "PutSecretValue": _put,
    "UpdateSecret": _update,
    "GetSecretValue": _get,
    "BatchGetSecretValue": _get_batch,
    "DescribeSecret": _describe,
    "ListSecretVersionIds": _list_versions,
    "UpdateSecretVersionStage": _move_stage,
    "RotateSecret": _rotate,
    "ReplicateSecretToRegions": _replicate,
    "StopReplicationToReplica": _stop_replication,
}


def _find(call: Call, named: str) -> Any:
    """A secret by name, ARN, or ARN without its six random characters."""
    account, region = call.account, call.region
    if named.startswith("arn:"):
        if named.split(":")[3] != region:
            return None
        account = sealing.account_of(named) or account
    if account not in secretsmanager_backends or region not in secretsmanager_backends[account]:
        return None
    for secret in secretsmanager_backends[account][region].secrets.values():
        if named in (secret.arn, secret.name) or named == secret.arn[:-7]:
            return secret
    return None


def _existing(
    request: _Request, secret: Any, version_id: str, value: tuple[str, bytes] | None
) -> dict[str, Any]:
    """CreateSecret for a name that is taken: nothing new where it is the same request again."""
    if isinstance(secret, FakeSecret) and secret.is_deleted():
        raise AWSError(
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled for "
            "deletion.",
        )
    if not isinstance(secret, FakeSecret) or version_id not in secret.versions or value is None:
        raise AWSError(
            "ResourceExistsException",
            f"The operation failed because the secret {secret.name} already exists.",
        )
    _compare(request, secret, version_id, value)
    return _answer(secret, version_id)


def _compare(request: _Request, secret: Any, version_id: str, value: tuple[str, bytes]) -> None:
    """Whether a version that is there has the same value: then nothing is to be done."""
    kept = secret.versions[version_id]["sealed"][secret.region]
    if (kept.kind, request.unseal(kept, secret.region)) != value:
        raise AWSError(
            "ResourceExistsException",
            f"You can't use ClientRequestToken {version_id} because that value is already in use "
            f"for a version of secret {secret.arn}.",
        )


def _label(secret: Any, label: str, version_id: str) -> None:
    """Attach a staging label; AWSPREVIOUS follows where AWSCURRENT was."""
    for each, version in secret.versions.items():
        if label in version["version_stages"] and each != version_id:
            version["version_stages"].remove(label)
            if label == _CURRENT:
                _label(secret, _PREVIOUS, each)
    stages = secret.versions[version_id]["version_stages"]
    if label not in stages:
        stages.append(label)
    if label == _CURRENT:
        secret.default_version_id = version_id
        if _PREVIOUS in stages:
            stages.remove(_PREVIOUS)


def _version(secret: Any, version_id: str | None, stage: str | None) -> dict[str, Any] | None:
    for each, version in secret.versions.items():
        if each == version_id or (
            not version_id and (stage or _CURRENT) in version["version_stages"]
        ):
            found: dict[str, Any] = version
            return found
    return None


def _labelled(secret: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(v, each) for v, each in secret.versions.items() if each["version_stages"]]


def _answer(secret: Any, version_id: str) -> dict[str, Any]:
    return {"ARN": secret.arn, "Name": secret.name, "VersionId": version_id}


def _replication(secret: Any) -> dict[str, Any]:
    status = [dict(each.config) for each in secret.replicas]
    return {"ReplicationStatus": status} if status else {}


def _changed(request: _Request, secret: Any) -> None:
    secret.last_changed_date = int(request.call.time.timestamp())


def _words(error: AWSError, code: str) -> AWSError:
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


def _look(secret: Any, region: str, wanted: str) -> StoredSecret:
    version = _version(secret, wanted, None) or _version(secret, None, wanted)
    kept: _Kept | None = version["sealed"].get(region) if version is not None else None
    if version is None or kept is None:
        raise KeyError(f"There is no value of {secret.arn} for {wanted}.")
    sealed = kept.sealed
    return StoredSecret(
        arn=secret.arn,
        version_id=version["version_id"],
        stages=tuple(version["version_stages"]),
        ciphertext=sealed.ciphertext,
        nonce=sealed.nonce,
        wrapped_key=sealed.wrapped_key,
        key_arn=sealed.key_arn,
        key_material_id=sealed.key_material_id,
        context=dict(sealed.context),
    )
