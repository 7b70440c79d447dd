"""Versions of secrets and their staging labels, on moto's objects; what lies on the disk.

moto keeps names, tags, policies and replicas. A version is what moto has of one and, by Region,
what is `Kept`: moto never sees a value.

moto's names that this stands on, all in ``moto.secretsmanager.models``: ``FakeSecret``
(``versions``, ``default_version_id``, ``kms_key_id``, ``create_replicas``, ``replicas``,
``rotation_*``, ``to_dict``), ``ReplicaSecret`` (``source``, ``config``, ``has_replica``),
``is_deleted``, ``SecretsStore`` and ``secretsmanager_backends``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from moto.secretsmanager.models import FakeSecret, secretsmanager_backends

from kmscourse.cloud.at_rest import sealing
from kmscourse.cloud.at_rest.sealing import Sealed
from kmscourse.cloud.call import Call
from kmscourse.cloud.meter import Standing

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"


@dataclass(frozen=True, slots=True)
class Kept:
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


def find(call: Call, named: str) -> Any:
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


def attach(secret: Any, label: str, version_id: str) -> None:
    """Attach a staging label; AWSPREVIOUS follows where AWSCURRENT was."""
    for each, version in secret.versions.items():
        if label in version["version_stages"] and each != version_id:
            version["version_stages"].remove(label)
            if label == CURRENT:
                attach(secret, PREVIOUS, each)
    stages = secret.versions[version_id]["version_stages"]
    if label not in stages:
        stages.append(label)
    if label == CURRENT:
        secret.default_version_id = version_id
        if PREVIOUS in stages:
            stages.remove(PREVIOUS)


def version_of(secret: Any, version_id: str | None, stage: str | None) -> dict[str, Any] | None:
    """A version by its id, or by a staging label where no id is given."""
    for each, version in secret.versions.items():
        if each == version_id or (
            not version_id and (stage or CURRENT) in version["version_stages"]
        ):
            found: dict[str, Any] = version
            return found
    return None


def labelled(secret: Any) -> list[tuple[str, dict[str, Any]]]:
    """The versions that have a staging label, by their ids; the others are deprecated."""
    return [(v, each) for v, each in secret.versions.items() if each["version_stages"]]


def look(secret: Any, region: str, wanted: str) -> StoredSecret:
    """What lies on the disk of one Region for a version, by its id or a staging label.

    Raises:
        KeyError: where there is no value.
    """
    version = version_of(secret, wanted, None) or version_of(secret, None, wanted)
    kept: Kept | None = version["sealed"].get(region) if version is not None else None
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


def stored(secret_id: str, version: str | None) -> StoredSecret:
    """What lies on the disk for a secret, by its name or by a secret's or a replica's ARN.

    Raises:
        KeyError: where there is no such secret or version.
    """
    for regions in secretsmanager_backends.values():
        for region, backend in regions.items():
            for secret in backend.secrets.values():
                by_name = secret.name == secret_id and isinstance(secret, FakeSecret)
                if by_name or secret.arn == secret_id:
                    return look(secret, region, version or CURRENT)
    raise KeyError(f"There is no secret {secret_id}.")


def standing() -> Iterator[Standing]:
    """The secrets that are paid for: replicas too, but none that is marked for deletion.

    Source: facts PRI-12 and PRI-14.
    """
    for account, regions in secretsmanager_backends.items():
        for backend in regions.values():
            for secret in backend.secrets.values():
                if not secret.is_deleted():
                    yield Standing("secretsmanager.secret.month", account, secret.arn)
