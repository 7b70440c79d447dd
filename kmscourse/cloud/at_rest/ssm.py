"""AWS Systems Manager Parameter Store: SecureString parameters, encrypted.

Standard parameters are encrypted by KMS itself (Encrypt), advanced ones by the AWS Encryption SDK
under a data key (GenerateDataKey). Without ``WithDecryption`` the ciphertext comes back, which
whoever may use the key can decrypt with KMS or with the SDK.

moto's names that this stands on, all in ``moto.ssm.models``: ``Parameter`` (``encrypt``,
``decrypt``, ``response_object``, ``account_id``, ``name``, ``value``, ``keyid``, ``tier``,
``version``, ``labels``, ``parameter_type``, ``allowed_pattern``), ``SimpleSystemManagerBackend``
(``get_parameter``, ``get_parameters``, ``_parameters``) and ``ssm_backends``.

Source: AWS Systems Manager User Guide, "AWS KMS encryption for AWS Systems Manager Parameter
Store SecureString parameters".
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import moto.ssm.models
from moto.core.exceptions import ServiceException
from moto.ssm.models import Parameter, ssm_backends

from kmscourse import facts
from kmscourse.cloud.at_rest import sealing, ssm_tiers
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms.ciphertext import Blob
from kmscourse.cloud.meter import Standing
from kmscourse.cloud.permissions import Permission, RefusedError
from kmscourse.cloud.protocol import Response
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

_MANAGED = "alias/aws/ssm"
#: Names under which a secret is read as a parameter.
_SECRETS = "/aws/reference/secretsmanager/"
_STANDARD, _ADVANCED, _INTELLIGENT = "Standard", "Advanced", "Intelligent-Tiering"


@dataclass(frozen=True, slots=True)
class StoredParameter:
    """What lies on the disk of Parameter Store for one version of a parameter.

    Attributes:
        tier: ``"Standard"``: `ciphertext` is KMS's own. ``"Advanced"``: it is a message of the
            AWS Encryption SDK, the wrapped data key in it.
        ciphertext: the value; in plaintext for a parameter that is no SecureString.
        wrapped_key: the data key under the KMS key; None for a standard parameter.
        key_arn: the KMS key; None where the value is not encrypted.
        key_material_id: which version of that key's material.
        context: the encryption context without which KMS does not decrypt.
    """

    name: str
    version: int
    type: str
    tier: str
    ciphertext: bytes = field(repr=False)
    wrapped_key: bytes | None = field(repr=False)
    key_arn: str | None
    key_material_id: str | None
    context: dict[str, str]

    def rows(self) -> list[tuple[str, str]]:
        """What there is, as pairs of a name and a text."""
        glance = sealing.glance(self.ciphertext)
        if self.wrapped_key is not None:  # it begins with a random message id
            glance = f"a message of the AWS Encryption SDK ({len(self.ciphertext):,} bytes)"
        return [
            ("parameter", f"{self.name}:{self.version}"),
            ("type", f"{self.type}, {self.tier}"),
            ("ciphertext" if self.key_arn else "value, not encrypted", glance),
            ("wrapped data key", sealing.glance(self.wrapped_key)),
            ("key", self.key_arn or ""),
            ("key material", self.key_material_id or ""),
            ("context", sealing.context_text(self.context)),
        ]

    def __bytes__(self) -> bytes:
        described = "\n".join(f"{name}: {text}" for name, text in self.rows()).encode()
        return b"\n".join((described, self.wrapped_key or b"", self.ciphertext))

    def __repr__(self) -> str:
        return sealing.text_of(self.rows())


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept beside a ciphertext."""

    key_arn: str
    material_id: str
    wrapped_key: bytes | None
    context: Mapping[str, str]


class _SealedParameter(Parameter):  # type: ignore[misc]
    """moto's version of a parameter, whose value is sealed and unsealed by us."""

    service: ParameterStore
    kept: _Kept | None = None

    def encrypt(self, value: str) -> str:
        return self.service.encrypt(self, value)

    def decrypt(self, value: str) -> str | None:
        if self.kept is None:
            return value
        return self.service.decrypt(self, value)


class ParameterStore:
    """Parameter Store's encryption, around moto."""

    def __init__(self, _: Randomness) -> None:
        self._now: ContextVar[tuple[Gateway, Call] | None] = ContextVar("request", default=None)
        self._class = type("SealedParameter", (_SealedParameter,), {"service": self})

    def open(self) -> None:
        """Let moto keep ciphertext from now on."""
        self._before = moto.ssm.models.Parameter
        moto.ssm.models.Parameter = self._class

    def close(self) -> None:
        """Put moto back as it was."""
        moto.ssm.models.Parameter = self._before

    def needs(self, _: Call) -> list[Permission]:
        """Nothing beside the table's: those on the key are asked for by KMS."""
        return []

    def stored(self, name: str, version: int | None = None) -> StoredParameter:
        """What lies on the disk for a parameter.

        Args:
            name: or the parameter's ARN, where several Regions or accounts have the name.
            version: the newest unless given.

        Raises:
            KeyError: where there is no such parameter or version.
        """
        for found in _versions(name):
            if version in (None, found.version):
                return _look(found)
        raise KeyError(f"There is no parameter {name}{f':{version}' if version else ''}.")

    def standing(self) -> Iterable[Standing]:
        """The advanced parameters."""
        return ssm_tiers.standing()

    def perform(
        self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]
    ) -> dict[str, Any] | Response:
        """Carry out a call that was found to be allowed."""
        advanced = ssm_tiers.touched(call)  # what is deleted is not there afterwards
        token = self._now.set((gateway, call))
        answer: dict[str, Any] | Response | None = None
        try:
            if call.operation == "PutParameter":
                _prepare(call)
            if call.operation == "GetParameters":
                answer = _get_parameters(gateway, call)
            elif str(call.parameters.get("Name", "")).startswith(_SECRETS):
                answer = {"Parameter": _get_secret(gateway, call, str(call.parameters["Name"]))}
            else:
                answer = ask_moto()
            return answer
        finally:
            advanced |= ssm_tiers.touched(call, answer)
            call.noted["advanced_parameters"] = len(advanced)
            self._now.reset(token)
            if call.operation == "PutParameter":
                _forget_empty(call)

    def encrypt(self, parameter: Any, value: str) -> str:
        """Encrypt a value that moto is about to keep. Returns base64."""
        now = self._now.get()
        assert now is not None, "only PutParameter makes a SecureString"
        gateway, call = now
        # A new version without a KeyId goes under the AWS managed key, whatever was before.
        parameter.keyid = call.parameters.get("KeyId") or _MANAGED
        key_id = sealing.key_for(gateway, call, "ssm", parameter.keyid, call.account)
        context = {"PARAMETER_ARN": _arn(call.region, call.account, parameter.name)}
        try:
            if parameter.tier == _ADVANCED:
                from kmscourse.cloud.at_rest import ssm_messages  # the SDK takes long to load

                message, data_key = ssm_messages.encrypt(gateway, call, key_id, value, context)
                parameter.kept = _Kept(
                    data_key.key_arn, data_key.key_material_id, data_key.wrapped, context
                )
                return base64.b64encode(message).decode()
            made = gateway.on_behalf(
                call,
                "kms",
                "Encrypt",
                {"KeyId": key_id, "Plaintext": value.encode(), "EncryptionContext": context},
            )
        except AWSError as error:
            raise _words(gateway, error) from error
        blob = made["CiphertextBlob"]
        parameter.kept = _Kept(made["KeyId"], Blob.parse(blob).material_id, None, context)
        return base64.b64encode(blob).decode()

    def decrypt(self, parameter: Any, value: str) -> str:
        """Decrypt a value that moto is about to show."""
        now = self._now.get()
        assert now is not None, "only a call that was let through asks for a value"
        gateway, call = now
        stored, kept = base64.b64decode(value), parameter.kept
        try:
            if kept.wrapped_key is None:
                return sealing.unwrap(gateway, call, stored, kept.context).decode()
            from kmscourse.cloud.at_rest import ssm_messages

            return ssm_messages.decrypt(gateway, call, kept.key_arn, stored, kept.context)
        except AWSError as error:
            raise _words(gateway, error) from error


def _prepare(call: Call) -> None:
    """Check what moto does not: the size of the value, its pattern, and the tier.

    Raises:
        AWSError: in AWS's words, but for those marked here as inferred.
    """
    parameters = call.parameters
    value, name = str(parameters.get("Value", "")), str(parameters.get("Name", ""))
    before = _newest(call, name)
    size = len(value.encode())
    small, large = (
        int(facts.limit(f"ssm.parameter.{tier}.kilobytes")) * 1024
        for tier in ("standard", "advanced")
    )
    tier = parameters.get("Tier")
    was_advanced = before is not None and before.tier == _ADVANCED
    if tier == _STANDARD and was_advanced and parameters.get("Overwrite"):
        raise AWSError(
            "ValidationException",
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from "
            "the advanced-parameter tier to the standard-parameter tier. If necessary, you can "
            "delete the advanced parameter and recreate it as a standard parameter. For more "
            "information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/"
            "parameter-store-advanced-parameters.html",
        )
    needs_advanced = size > small or bool(parameters.get("Policies"))
    if tier == _INTELLIGENT:
        tier = _ADVANCED if needs_advanced or was_advanced else _STANDARD
    elif tier is None:
        tier = _ADVANCED if was_advanced else _STANDARD
    if tier == _STANDARD and size > small:
        raise AWSError(
            "ValidationException",
            f"Standard tier parameters support a maximum parameter value of {small} characters. To "
            "create a larger parameter value, upgrade the parameter to use the advanced-parameter "
            "tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/"
            "userguide/parameter-store-advanced-parameters.html",
        )
    if size > large:  # the words are inferred
        raise AWSError(
            "ValidationException",
            f"Advanced tier parameters support a maximum parameter value of {large} characters.",
        )
    pattern = parameters.get("AllowedPattern") or (before.allowed_pattern if before else None)
    if pattern and re.search(pattern, value) is None:
        raise AWSError(
            "ParameterPatternMismatchException",
            f"Parameter value, cannot be validated against allowedPattern: {pattern}",
        )
    if parameters.get("KeyId") and _type(parameters, before) != "SecureString":
        raise AWSError(
            "ValidationException", "KeyId is required for SecureString type parameter only."
        )
    assert call.http is not None, "parameters are put over HTTP"
    body = json.loads(call.http.body)
    call.http.body = json.dumps(body | {"Tier": tier}).encode()


def _forget_empty(call: Call) -> None:
    """Take away the place that moto made for a parameter before KMS refused to encrypt it."""
    parameters = ssm_backends[call.account][call.region]._parameters
    name = parameters.normalize_name(str(call.parameters.get("Name", "")))
    if name in parameters and not parameters[name]:
        del parameters[name]


def _type(parameters: Mapping[str, Any], before: Any) -> str | None:
    return parameters.get("Type") or (before.parameter_type if before is not None else None)


def _get_parameters(gateway: Gateway, call: Call) -> dict[str, Any]:
    """GetParameters, in the order asked for: moto's order differs from run to run."""
    backend = ssm_backends[call.account][call.region]
    names = list(dict.fromkeys(call.parameters.get("Names", [])))
    try:
        found = backend.get_parameters([n for n in names if not n.startswith(_SECRETS)])
    except ServiceException as error:
        raise AWSError(error.code, error.message) from error
    decrypt = bool(call.parameters.get("WithDecryption"))
    shown, missing = [], []
    for name in names:
        if name.startswith(_SECRETS):
            shown.append(_get_secret(gateway, call, name))
        elif name in found:
            answer = found[name].response_object(decrypt, call.region)
            kept = {k: v for k, v in answer.items() if v is not None}
            shown.append({k: v for k, v in kept.items() if k not in ("Tier", "Policies")})
        else:
            missing.append(name)
    return {"Parameters": shown, "InvalidParameters": missing}


def _get_secret(gateway: Gateway, call: Call, name: str) -> dict[str, Any]:
    """A secret of Secrets Manager, read as if it were a parameter, with its caller's permissions.

    Source: AWS Systems Manager User Guide, "Referencing AWS Secrets Manager secrets from
    Parameter Store parameters".
    """
    if not call.parameters.get("WithDecryption"):
        raise AWSError(
            "ValidationException",
            "WithDecryption flag must be True for retrieving a Secret Manager secret.",
        )
    secret_id, _, which = name.removeprefix(_SECRETS).partition(":")
    asked = {"SecretId": secret_id}
    if which:
        asked["VersionId" if len(which) >= 32 else "VersionStage"] = which
    try:
        secret = gateway.on_behalf(call, "secretsmanager", "GetSecretValue", asked)
    except AWSError as error:
        if error.code != "ResourceNotFoundException":
            raise
        raise AWSError(
            "ParameterNotFound",
            "An error occurred (ParameterNotFound) when referencing Secrets Manager: Secret "
            f"{name} not found.",
        ) from error
    source = {k: v for k, v in secret.items() if k not in ("SecretString", "SecretBinary")}
    return {
        "Name": name,
        "Type": "SecureString",
        "Value": secret.get("SecretString", ""),
        "Version": 0,
        "SourceResult": json.dumps(source),
        "LastModifiedDate": secret["CreatedDate"],
        "ARN": secret["ARN"],
        "DataType": "text",
    }


def _words(gateway: Gateway, error: AWSError) -> AWSError:
    """KMS's refusal in Parameter Store's words.

    Source: AWS Systems Manager User Guide, "Troubleshooting KMS key issues": InvalidKeyId with a
    detailed message from KMS. The form of the message: AWS's answers in public issues.
    """
    words = sealing.of_java(gateway, error)
    if isinstance(error, RefusedError):
        permission = Permission("kms:Decrypt", "*")
        return RefusedError(permission, error.decision, words)
    if error.code == "AccessDeniedException":
        return AWSError(error.code, words)
    return AWSError("InvalidKeyId", words)


def _newest(call: Call, name: str) -> Any:
    parameters = ssm_backends[call.account][call.region]._parameters
    return parameters[name][-1] if name and name in parameters else None


def _versions(name: str) -> list[Any]:
    """All versions of a parameter, newest first."""
    found = [
        version
        for account, regions in ssm_backends.items()
        for region, backend in regions.items()
        for versions in list(backend._parameters.values())
        for version in versions
        if name in (version.name, _arn(region, account, version.name))
    ]
    return sorted(found, key=lambda version: -int(version.version))


def _look(found: Any) -> StoredParameter:
    kept: _Kept | None = getattr(found, "kept", None)
    value = str(found.value)
    return StoredParameter(
        name=found.name,
        version=found.version,
        type=found.parameter_type,
        tier=found.tier or _STANDARD,
        ciphertext=base64.b64decode(value) if kept else value.encode(),
        wrapped_key=kept.wrapped_key if kept else None,
        key_arn=kept.key_arn if kept else None,
        key_material_id=kept.material_id if kept else None,
        context=dict(kept.context) if kept else {},
    )


def _arn(region: str, account: str, name: str) -> str:
    return f"arn:aws:ssm:{region}:{account}:parameter/{name.removeprefix('/')}"
