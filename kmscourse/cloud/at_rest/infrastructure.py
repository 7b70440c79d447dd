"""How a service that keeps disks uses a key: once for the caller, then by a grant of its own.

The caller's identity makes the data key and a grant, through the service. What the service does
later, without the caller, it does in a role of its own that the grant names: the role
``aws:ec2-infrastructure``, with the instance's id as the name of the session.

Source: AWS KMS Developer Guide, "Amazon EC2 example two" (grantee, encryption context, order of
calls). Which role RDS takes, and the sessions that copy snapshots, are inferred from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kmscourse.cloud.at_rest.blocks import KEY_BYTES, WrappedKey
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.identity import Principal

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway
    from kmscourse.cloud.kms.keys import Key


@dataclass(frozen=True, slots=True)
class Held:
    """A grant that a service holds on a key.

    Attributes:
        who: the role that may use the key.
        key_arn: the key.
    """

    who: Principal
    key_arn: str
    grant_id: str
    token: str


def role(service: str, account: str, session: str) -> Principal:
    """The role in which a service works in an account, e.g. for an instance or a volume."""
    name = f"aws:{service}-infrastructure"
    return Principal(
        arn=f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
        kind="AssumedRole",
        account=account,
        id=f"{account}:{name}:{session}",
    )


def make_key(gateway: Gateway, call: Call, key_id: str, context: Mapping[str, str]) -> WrappedKey:
    """A new data key that nobody sees, made with the caller's identity.

    Raises:
        AWSError: as KMS refuses it.
    """
    made = gateway.on_behalf(
        call,
        "kms",
        "GenerateDataKeyWithoutPlaintext",
        {"KeyId": key_id, "NumberOfBytes": KEY_BYTES, "EncryptionContext": dict(context)},
    )
    return WrappedKey(made["CiphertextBlob"], made["KeyId"], dict(context))


def grant(
    gateway: Gateway,
    call: Call,
    key_arn: str,
    who: Principal,
    context: Mapping[str, str],
    operations: Sequence[str] = ("Decrypt",),
) -> Held:
    """Let a service's role use a key later: asked for with the caller's identity.

    Raises:
        AWSError: as KMS refuses it.
    """
    made = gateway.on_behalf(
        call,
        "kms",
        "CreateGrant",
        {
            "KeyId": key_arn,
            "GranteePrincipal": who.arn,
            "Operations": list(operations),
            "Constraints": {"EncryptionContextSubset": dict(context)},
        },
    )
    return Held(who, key_arn, made["GrantId"], made["GrantToken"])


def act(
    gateway: Gateway, call: Call, held: Held, operation: str, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Ask KMS in the service's own role, as the grant allows.

    Raises:
        AWSError: as KMS refuses it.
    """
    if gateway.kms.consistency:  # else a new grant is known everywhere already
        parameters = {**parameters, "GrantTokens": [held.token]}
    inner = call.on_behalf(
        "kms",
        operation,
        parameters,
        via=call.service,
        request_id=gateway.random.uuid(),
    )
    answer = gateway.serve(
        replace(inner, caller=held.who, access_key=None, session_token=None, via=inner.via[-1:])
    )
    assert isinstance(answer, dict), "services call only services that are ours"
    return answer


def open_key(gateway: Gateway, call: Call, held: Held, key: WrappedKey) -> bytes:
    """The data key, unwrapped into the service's memory.

    Raises:
        AWSError: as KMS refuses it.
    """
    parameters = {"CiphertextBlob": key.ciphertext, "EncryptionContext": dict(key.context)}
    opened: bytes = act(gateway, call, held, "Decrypt", parameters)["Plaintext"]
    return opened


def give_back(gateway: Gateway, held: Held) -> None:
    """Take away a grant that is no longer needed. That it leaves no trace is inferred."""
    _, _, _, region, account, _ = held.key_arn.split(":", 5)
    gateway.kms.region(account, region).grants.pop(held.grant_id, None)


def at(call: Call, region: str) -> Call:
    """The same call in another Region, where a source and its key are."""
    return call if call.region == region else replace(call, region=region)


def full_arn(gateway: Gateway, call: Call, key_id: str) -> str:
    """The ARN of the key that is meant, or what was written, where there is none."""
    try:
        asked = replace(call, service="kms", operation="DescribeKey", parameters={})
        return gateway.kms.find(asked, key_id).arn
    except AWSError:
        return key_id


def key_of(gateway: Gateway, key_arn: str) -> Key | None:
    """The KMS key of an ARN, or None where it is gone."""
    _, _, _, region, account, name = key_arn.split(":", 5)
    return gateway.kms.region(account, region).keys.get(name.removeprefix("key/"))
