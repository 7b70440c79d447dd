"""Grants: permission for one principal on one key, made and taken away by itself.

Source: botocore kms CreateGrant, RetireGrant, RevokeGrant, ListGrants, ListRetirableGrants.
What a grant lets through is decided in `kmscourse.cloud.authorization`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from kmscourse import facts
from kmscourse.cloud import moto_door
from kmscourse.cloud.authorization import Grant as Rule
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import conditions, specs, states
from kmscourse.cloud.kms.keys import Key
from kmscourse.cloud.kms.paging import page
from kmscourse.cloud.kms.service import KMS, note_key, operation
from kmscourse.cloud.permissions import Permission

_WITH_CONTEXT = {
    "Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
}  # fmt: skip
#: What a grant on a key may contain, by the key's usage; beside what suits every key.
_OPERATIONS = {
    specs.ENCRYPT: {"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"},
    specs.SIGN: {"Sign", "Verify"},
    specs.MAC: {"GenerateMac", "VerifyMac"},
    specs.AGREE: {"DeriveSharedSecret"},
    specs.ENCAPSULATE: {"Encapsulate", "Decapsulate"},
}
_ANY_KEY = {"DescribeKey", "CreateGrant", "RetireGrant"}
_PRINCIPAL = re.compile(
    r"arn:aws[a-z-]*:(?:iam::(?P<iam>\d{12}):(?P<what>root|user/.+|role/.+)"
    r"|sts::(?P<sts>\d{12}):(?:assumed-role|federated-user)/.+)"
)


@dataclass(slots=True)
class Grant:
    """A grant on a key.

    Attributes:
        rule: the grant as authorization reads it.
        asked: what CreateGrant was given, but for tokens: to know a repeated request by.
        seen_from: when it is known everywhere, and works without its token.
    """

    id: str
    key: Key
    account: str
    created: datetime
    seen_from: datetime
    asked: Mapping[str, Any] = field(repr=False)
    rule: Rule = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.rule = Rule.from_listing(self.listed())

    def listed(self) -> dict[str, Any]:
        """As ListGrants shows it."""
        entry: dict[str, Any] = {
            "KeyId": self.key.arn,
            "GrantId": self.id,
            "CreationDate": self.created,
            "IssuingAccount": f"arn:aws:iam::{self.account}:root",
            "Operations": list(self.asked["Operations"]),
        }
        shown = (
            "Name", "GranteePrincipal", "GranteeServicePrincipal", "RetiringPrincipal",
            "RetiringServicePrincipal", "Constraints",
        )  # fmt: skip
        return entry | {name: self.asked[name] for name in shown if name in self.asked}


@operation("CreateGrant", refuses=states.GRANTS, cross_account=True)
def create_grant(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Let one principal do some operations with a key. Source: botocore kms CreateGrant."""
    parameters = call.parameters
    _check(call, key)
    asked = {n: v for n, v in parameters.items() if n not in ("GrantTokens", "DryRun", "KeyId")}
    there = kms.region(key.account, key.region).grants
    same = next(
        (g for g in there.values() if "Name" in asked and g.key is key and g.asked == asked), None
    )
    if parameters.get("DryRun"):
        return {}
    if same is None:
        most = int(facts.limit("kms.grants-per-key"))
        if sum(grant.key is key for grant in there.values()) >= most:
            raise AWSError("LimitExceededException", f"{key.arn} has {most} grants already.")
        same = Grant(
            id=kms.random.hex(64),
            key=key,
            account=call.account,
            created=call.time,
            seen_from=call.time + kms.consistency,
            asked=asked,
        )
        there[same.id] = same
    token = base64.b64encode(kms.random.bytes(96)).decode("ascii")
    kms.grant_tokens[token] = same
    return {"GrantToken": token, "GrantId": same.id}


@operation("ListGrants", cross_account=True)
def list_grants(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """The grants on a key, all or some."""
    parameters = call.parameters
    if "GranteePrincipal" in parameters and "GranteeServicePrincipal" in parameters:
        raise AWSError(
            "ValidationException",
            "GranteePrincipal and GranteeServicePrincipal are mutually exclusive.",
        )
    wanted = parameters.get("GrantId")
    listed = [
        grant.listed()
        for grant in kms.region(key.account, key.region).grants.values()
        if grant.key is key
        and wanted in (None, grant.id)
        and all(
            grant.asked.get(name) == parameters[name]
            for name in ("GranteePrincipal", "GranteeServicePrincipal")
            if name in parameters
        )
    ]
    if wanted is not None and not listed:
        raise AWSError("InvalidGrantIdException", f"Grant ID {wanted} not found")
    return page(call, "Grants", listed, 50, most=100)


@operation("ListRetirableGrants", on="account")
def list_retirable_grants(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """The grants of every account in this Region that a principal may retire."""
    parameters = call.parameters
    names_given = [n for n in ("RetiringPrincipal", "RetiringServicePrincipal") if n in parameters]
    if len(names_given) != 1:
        raise AWSError(
            "ValidationException",
            "You must specify either RetiringPrincipal or RetiringServicePrincipal.",
        )
    if names_given == ["RetiringPrincipal"]:
        _check_principal(parameters["RetiringPrincipal"])
    listed = [
        grant.listed()
        for _, name, region in kms.regions()
        if name == call.region
        for grant in region.grants.values()
        if grant.asked.get(names_given[0]) == parameters[names_given[0]]
    ]
    return page(call, "Grants", listed, 50, most=100)


def _retire_needs(kms: KMS, call: Call) -> list[Permission]:
    grant = _named(kms, call)
    call.noted["grant"] = grant
    note_key(call, grant.key)
    needed = kms.permission(call, grant.key)
    constraints = grant.asked.get("Constraints") or {}
    context = conditions.of_request(
        call,
        grant.key,
        kms.aliases_of(grant.key),
        encryption_context=next(
            (constraints[kind] for kind in conditions.CONSTRAINTS if kind in constraints), None
        ),
    )
    for kind in conditions.CONSTRAINTS:
        if kind in constraints:
            context["kms:GrantConstraintType"] = kind
    return [replace(needed, grants=[grant.rule], context=context)]


@operation("RetireGrant", cross_account=True, needs=_retire_needs)
def retire_grant(kms: KMS, call: Call, _: None) -> dict[str, Any]:
    """Give a grant back: by its retiring principal, its grantee, or the key's account."""
    _remove(kms, call, call.noted["grant"])
    return {}


@operation("RevokeGrant", cross_account=True)
def revoke_grant(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Take a grant away: by whoever manages the key."""
    _remove(kms, call, _on_key(kms, key, call.parameters["GrantId"]))
    return {}


def _remove(kms: KMS, call: Call, grant: Grant) -> None:
    if not call.parameters.get("DryRun"):
        kms.region(grant.key.account, grant.key.region).grants.pop(grant.id, None)


def _named(kms: KMS, call: Call) -> Grant:
    parameters = call.parameters
    token, grant_id, key_id = (parameters.get(n) for n in ("GrantToken", "GrantId", "KeyId"))
    if token is not None and grant_id is None and key_id is None:
        grant = kms.grant_tokens.get(token)
        if grant is None:
            raise AWSError("InvalidGrantTokenException")
        return _on_key(kms, grant.key, grant.id)
    if token is not None or grant_id is None or key_id is None:
        raise AWSError(
            "ValidationException",
            "Please specify either the grant token, or both the key ID and the grant ID.",
        )
    key = kms.key_of(call)
    return _on_key(kms, key, grant_id)


def _on_key(kms: KMS, key: Key, grant_id: str) -> Grant:
    grant = kms.region(key.account, key.region).grants.get(grant_id)
    if grant is None or grant.key is not key:
        raise AWSError("NotFoundException", f"Grant ID {grant_id} not found")
    return grant


def _check(call: Call, key: Key) -> None:
    parameters = call.parameters
    grantees = [n for n in ("GranteePrincipal", "GranteeServicePrincipal") if n in parameters]
    retiring = [n for n in ("RetiringPrincipal", "RetiringServicePrincipal") if n in parameters]
    constraints = parameters.get("Constraints") or {}
    if len(grantees) != 1:
        raise _invalid("You must specify either GranteePrincipal or GranteeServicePrincipal.")
    if len(retiring) > 1:
        raise _invalid("You cannot specify both RetiringPrincipal and RetiringServicePrincipal.")
    for name in ("GranteePrincipal", "RetiringPrincipal"):
        if name in parameters:
            _check_principal(parameters[name])
    if grantees == ["GranteeServicePrincipal"] and not ("SourceArn" in constraints and retiring):
        raise _invalid(
            "A GranteeServicePrincipal needs a SourceArn grant constraint and a retiring principal."
        )
    operations = parameters["Operations"]
    if not operations:
        raise _invalid("A grant needs at least one operation.")
    suits = _ANY_KEY | _OPERATIONS[key.usage]
    if key.spec == specs.SYMMETRIC:
        suits = suits | _WITH_CONTEXT
        if key.store is not None:
            suits = suits - {"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"}
    elif specs.is_asymmetric(key.spec):
        suits = suits | {"GetPublicKey"}
    wrong = [name for name in operations if name not in suits]
    if wrong:
        raise _invalid(
            f"The operations {', '.join(wrong)} are not supported by a key with the spec "
            f"{key.spec} and the usage {key.usage}."
        )
    _check_constraints(key, constraints)


def _check_constraints(key: Key, constraints: Mapping[str, Any]) -> None:
    kinds = [kind for kind in conditions.CONSTRAINTS if kind in constraints]
    if len(kinds) > 1:
        raise _invalid("A grant has EncryptionContextEquals or EncryptionContextSubset, not both.")
    if not kinds:
        return
    if key.spec != specs.SYMMETRIC:
        raise _invalid("An encryption context constraint is for symmetric encryption keys only.")
    pairs = constraints[kinds[0]]
    most, longest = (
        int(facts.limit(f"kms.grant.{name}"))
        for name in ("context-pairs", "context-value-characters")
    )
    if len(pairs) > most or any(len(value) > longest for value in pairs.values()):
        raise _invalid(
            f"A grant constraint has up to {most} pairs, each value up to {longest} characters."
        )


def _check_principal(arn: str) -> None:
    """A grantee must be a principal, and one that exists where the account is one of ours."""
    if re.fullmatch(r"\d{12}", arn):
        return
    match = _PRINCIPAL.fullmatch(arn)
    if match is None:
        raise AWSError("InvalidArnException", f"ARN does not refer to a valid principal: {arn}")
    account, what = match["iam"], match["what"]
    if account is None or what == "root" or account not in moto_door.accounts():
        return
    iam = moto_door.iam(account)
    known = {user.arn for user in iam.users.values()} | {role.arn for role in iam.roles.values()}
    if arn not in known:
        raise AWSError("InvalidArnException", f"ARN does not refer to a valid principal: {arn}")


def _invalid(words: str) -> AWSError:
    return AWSError("ValidationException", words)
