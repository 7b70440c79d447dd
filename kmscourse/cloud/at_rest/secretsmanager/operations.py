"""What moto leaves out of Secrets Manager: values, staging labels, rotation and replicas.

Sources: AWS Secrets Manager API Reference; AWS Secrets Manager User Guide, "Rotation functions"
and "Replicate AWS Secrets Manager secrets across Regions".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from moto.secretsmanager.exceptions import SecretsManagerClientError
from moto.secretsmanager.models import FakeSecret, ReplicaSecret, secretsmanager_backends

from kmscourse.cloud import needs, permissions
from kmscourse.cloud.at_rest.secretsmanager.request import MANAGED, Request
from kmscourse.cloud.at_rest.secretsmanager.versions import (
    CURRENT,
    PENDING,
    StoredSecret,
    attach,
    find,
    labelled,
    standing,
    stored,
    version_of,
)
from kmscourse.cloud.authorization import MalformedPolicyError, parse_policy
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.meter import Standing
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.protocol import Response
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway


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
        return stored(secret_id, version)

    def standing(self) -> Iterable[Standing]:
        """The secrets that are paid for."""
        return standing()

    def perform(
        self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]
    ) -> dict[str, Any] | Response:
        """Carry out a call that was found to be allowed."""
        handler = _OPERATIONS.get(call.operation)
        if handler is None:
            return ask_moto()
        try:
            return handler(Request(self._random, gateway, call, ask_moto))
        except SecretsManagerClientError as error:
            raise AWSError(error.error_type, error.message, 400) from error


def _create(request: Request) -> dict[str, Any] | Response:
    call, parameters = request.call, request.parameters
    value, version_id = request.value(), request.version_id()
    name = str(parameters.get("Name", ""))
    existing = find(call, name)
    if existing is not None:
        return _existing(request, existing, version_id, value)
    assert call.http is not None, "secrets are created over HTTP"
    ours = ("SecretString", "SecretBinary", "AddReplicaRegions", "ForceOverwriteReplicaSecret")
    body = json.loads(call.http.body)
    call.http.body = json.dumps({k: v for k, v in body.items() if k not in ours}).encode()
    response = request.ask_moto()
    secret = find(call, name)
    if response.status >= 400 or secret is None:
        return response
    secret.created_date = secret.last_changed_date = int(call.time.timestamp())
    try:
        if parameters.get("KmsKeyId") or value is not None:
            request.validate_key(secret)
        if value is not None:
            request.seal(secret, version_id, value)
            attach(secret, CURRENT, version_id)
        _add_replicas(request, secret)
    except BaseException:
        dict.pop(secretsmanager_backends[call.account][call.region].secrets, name, None)
        raise
    answer = {"ARN": secret.arn, "Name": secret.name}
    if value is not None:
        answer["VersionId"] = version_id
    return answer | _replication(secret)


def _put(request: Request) -> dict[str, Any]:
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
    labels = list(request.parameters.get("VersionStages") or [CURRENT])
    if not any(CURRENT in each["version_stages"] for each in secret.versions.values()):
        labels.append(CURRENT)
    for label in dict.fromkeys(labels):
        attach(secret, label, version_id)
    _changed(request, secret)
    stages = list(secret.versions[version_id]["version_stages"])
    return _answer(secret, version_id) | {"VersionStages": stages}


def _update(request: Request) -> dict[str, Any]:
    """UpdateSecret: a new key means that the labelled versions are encrypted anew."""
    secret, value, parameters = request.secret(), request.value(), request.parameters
    if parameters.get("KmsKeyId") is not None:
        changed = copy(secret)
        changed.kms_key_id = parameters["KmsKeyId"] or None
        request.validate_key(changed)
        for version_id, version in labelled(secret):
            kept = version["sealed"].get(secret.region)
            if kept is not None:
                plaintext = request.unseal(kept, secret.region)
                version["sealed"][secret.region] = request.seal_in(
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
        attach(secret, CURRENT, version_id)
    return _answer(secret, version_id)


def _get(request: Request) -> dict[str, Any]:
    secret, parameters = request.secret(changing=False), request.parameters
    version_id, stage = parameters.get("VersionId"), parameters.get("VersionStage")
    version = version_of(secret, version_id, stage)
    kept = version["sealed"].get(secret.region) if version is not None else None
    if version is not None and version_id and stage and stage not in version["version_stages"]:
        raise AWSError(
            "InvalidRequestException",
            "You provided a VersionStage that is not associated to the provided VersionId.",
        )
    if version is None or kept is None:
        what = f"VersionId: {version_id}" if version_id else f"staging label: {stage or CURRENT}"
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


def _get_batch(request: Request) -> dict[str, Any]:
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


def _describe(request: Request) -> dict[str, Any]:
    secret = request.secret(changing=False)
    shown = {name: each for name, each in secret.to_dict().items() if each is not None}
    key_id = secret.kms_key_id if isinstance(secret, FakeSecret) else secret.config["KmsKeyId"]
    shown.pop("KmsKeyId", None)
    if key_id and key_id != MANAGED:
        shown["KmsKeyId"] = key_id
    if "VersionIdsToStages" in shown:
        labelled = {v: stages for v, stages in shown["VersionIdsToStages"].items() if stages}
        shown["VersionIdsToStages"] = labelled
    shown.pop("SecretVersionsToStages", None)
    if isinstance(secret, ReplicaSecret):
        shown.pop("ReplicationStatus", None)
    return shown


def _list_versions(request: Request) -> dict[str, Any]:
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


def _move_stage(request: Request) -> dict[str, Any]:
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
    if label == CURRENT and not to_id:
        raise AWSError(
            "InvalidParameterException",
            f"You can only move staging label {CURRENT} to a different secret version. It can't "
            "be completely removed.",
        )
    if to_id:
        attach(secret, label, to_id)
    elif holder is not None:
        secret.versions[holder]["version_stages"].remove(label)
    _changed(request, secret)
    if label == CURRENT and secret.rotation_enabled:
        secret.last_rotation_date = int(request.call.time.timestamp())
    return {"ARN": secret.arn, "Name": secret.name}


def _put_policy(request: Request) -> Response:
    """A resource policy is refused as elsewhere; the words are IAM's, not Secrets Manager's."""
    try:
        parse_policy(
            request.parameters["ResourcePolicy"],
            "resource",
            code="MalformedPolicyDocumentException",
        )
    except MalformedPolicyError as error:
        raise AWSError(error.code, error.message) from None
    return request.ask_moto()


def _rotate(request: Request) -> dict[str, Any]:
    """RotateSecret: a version labelled AWSPENDING, without a value until the function puts one."""
    secret, parameters = request.secret(), request.parameters
    function = parameters.get("RotationLambdaARN") or secret.rotation_lambda_arn
    if not function:
        raise AWSError(
            "InvalidRequestException",
            "No Lambda rotation function ARN is associated with this secret.",
        )
    pending = version_of(secret, None, PENDING)
    if pending is not None and CURRENT not in pending["version_stages"]:
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
    attach(secret, PENDING, version_id)
    return _answer(secret, version_id)


def _replicate(request: Request) -> dict[str, Any]:
    secret = request.secret()
    _add_replicas(request, secret)
    return {"ARN": secret.arn, **_replication(secret)}


def _add_replicas(request: Request, secret: Any) -> None:
    """Put a copy of every labelled version into other Regions, each under a key there."""
    asked = request.parameters.get("AddReplicaRegions") or []
    force = bool(request.parameters.get("ForceOverwriteReplicaSecret"))
    added = secret.create_replicas(asked, force_overwrite=force)
    secret.replicas.extend(added)
    for replica, wanted in zip(added, asked, strict=True):
        replica.config["KmsKeyId"] = wanted.get("KmsKeyId") or MANAGED
        if not replica.has_replica:
            replica.config["StatusMessage"] = (
                f"Replication failed: Secret name {secret.name} already exists in region "
                f"{replica.region}."
            )
            continue
        for version_id, version in labelled(secret):
            kept = version["sealed"].get(secret.region)
            if kept is not None:
                value = kept.kind, request.unseal(kept, secret.region)
                request.replicate(replica, version_id, value)


def _remove_replicas(request: Request) -> dict[str, Any] | Response:
    """RemoveRegionsFromReplication: what lay in those Regions is gone."""
    secret = request.secret()
    response = request.ask_moto()
    if response.status < 400:
        kept = {secret.region, *(replica.region for replica in secret.replicas)}
        for version in secret.versions.values():
            version["sealed"] = {r: each for r, each in version["sealed"].items() if r in kept}
    return response


def _stop_replication(request: Request) -> dict[str, Any]:
    """StopReplicationToReplica: the replica becomes a secret of its own, under its own key."""
    replica = request.secret(changing=False)
    if not isinstance(replica, ReplicaSecret):
        raise AWSError("InvalidRequestException", "The secret is not a replica.")
    alone, region = copy(replica.source), replica.region
    alone.arn, alone.region, alone.replicas = replica.arn, region, []
    key_id = replica.config["KmsKeyId"]
    alone.kms_key_id = None if key_id == MANAGED else key_id
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


_OPERATIONS: dict[str, Callable[[Request], dict[str, Any] | Response]] = {
    "CreateSecret": _create,
    "PutSecretValue": _put,
    "UpdateSecret": _update,
    "GetSecretValue": _get,
    "BatchGetSecretValue": _get_batch,
    "DescribeSecret": _describe,
    "ListSecretVersionIds": _list_versions,
    "UpdateSecretVersionStage": _move_stage,
    "PutResourcePolicy": _put_policy,
    "RotateSecret": _rotate,
    "ReplicateSecretToRegions": _replicate,
    "RemoveRegionsFromReplication": _remove_replicas,
    "StopReplicationToReplica": _stop_replication,
}


def _existing(
    request: Request, secret: Any, version_id: str, value: tuple[str, bytes] | None
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


def _compare(request: Request, secret: Any, version_id: str, value: tuple[str, bytes]) -> None:
    """Whether a version that is there has the same value: then nothing is to be done."""
    kept = secret.versions[version_id]["sealed"][secret.region]
    if (kept.kind, request.unseal(kept, secret.region)) != value:
        raise AWSError(
            "ResourceExistsException",
            f"You can't use ClientRequestToken {version_id} because that value is already in use "
            f"for a version of secret {secret.arn}.",
        )


def _answer(secret: Any, version_id: str) -> dict[str, Any]:
    return {"ARN": secret.arn, "Name": secret.name, "VersionId": version_id}


def _replication(secret: Any) -> dict[str, Any]:
    status = [dict(each.config) for each in secret.replicas]
    return {"ReplicationStatus": status} if status else {}


def _changed(request: Request, secret: Any) -> None:
    secret.last_changed_date = int(request.call.time.timestamp())
