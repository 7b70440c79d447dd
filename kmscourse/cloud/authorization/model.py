"""What goes in: a request, the policies that apply to it, the grants on a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kmscourse.cloud.authorization.document import Document, PolicyDocument, compile_policy

__all__ = ["CompiledPolicies", "Grant", "Layer", "NamedPolicy", "Policies", "Request"]


class Layer(StrEnum):
    """A kind of policy, in the order in which AWS looks (R1.3); the value is AWS's name for it."""

    short: str
    """What a document of it is called in an explanation."""

    def __new__(cls, value: str, short: str) -> Layer:
        layer = str.__new__(cls, value)
        layer._value_, layer.short = value, short
        return layer

    RCP = "resource control policy", "RCP"
    SCP = "service control policy", "SCP"
    ENDPOINT = "VPC endpoint policy", "VPC endpoint policy"
    RESOURCE = "resource-based policy", "resource-based policy"
    GRANT = "grant", "grant"
    IDENTITY = "identity-based policy", "IAM policy"
    BOUNDARY = "permissions boundary", "permissions boundary"
    SESSION = "session policy", "session policy"


@dataclass(frozen=True)
class Request:
    """One request, as authorization sees it.

    Args:
        principal: ARN of a user, role, assumed-role session, federated user or account root, or a
            service principal such as ``s3.amazonaws.com``, or ``anonymous``.
        action: the permission, e.g. ``kms:Decrypt``. An operation that needs several
            permissions (ReEncrypt: R2.11) is several requests.
        resource: the ARN it is about, or ``*`` when it names none.
        resource_account: the account that owns the resource; taken from the ARN, else the caller's.
        context: condition keys (names in any case) to a string or a list of strings. What follows
            from the principal (``aws:PrincipalArn``, ``aws:PrincipalAccount``,
            ``aws:PrincipalType``, ``aws:username``, ``aws:PrincipalIsAWSService``,
            ``kms:CallerAccount``, ``aws:ResourceAccount``) is filled in when it is not given, and
            ``kms:EncryptionContextKeys`` follows from the ``kms:EncryptionContext:...`` given.
        session_issuer: ARN of the role or IAM user that issued a session (CloudTrail's
            ``sessionIssuer``); for a role with a path, or a federated user.
        aws_managed_key: the resource is an AWS managed key, which RCPs do not touch (R6.3).
    """

    principal: str
    action: str
    resource: str
    resource_account: str | None = None
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    session_issuer: str | None = None
    aws_managed_key: bool = False


@dataclass(frozen=True)
class NamedPolicy:
    """A policy document with the name that explanations should use for it."""

    name: str
    document: Document | PolicyDocument
    arn: str | None = None


@dataclass(frozen=True)
class Grant:
    """A KMS grant (source: botocore 1.44.5, kms ``GrantListEntry``, ``GrantConstraints``).

    ``operations`` are names such as ``Decrypt``; exactly one of the two grantees is set.
    ``key_arn`` may be None when the grant is known to be on the key of the request.
    """

    operations: frozenset[str]
    grantee_principal: str | None = None
    grantee_service_principal: str | None = None
    retiring_principal: str | None = None
    retiring_service_principal: str | None = None
    grant_id: str = ""
    key_arn: str | None = None
    encryption_context_equals: Mapping[str, str] | None = None
    encryption_context_subset: Mapping[str, str] | None = None
    source_arn: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", frozenset(self.operations))
        if bool(self.grantee_principal) == bool(self.grantee_service_principal):
            raise ValueError(
                "A grant has exactly one grantee: grantee_principal or grantee_service_principal"
            )

    @property
    def grantee(self) -> str:
        return self.grantee_principal or self.grantee_service_principal or ""

    @classmethod
    def from_listing(cls, entry: Mapping[str, Any]) -> Grant:
        """A grant in the shape of boto3's ``list_grants()["Grants"]``.

        A ``GranteePrincipal`` that is a service's name is taken as a service principal.
        """
        constraints = entry.get("Constraints") or {}
        grantee, service = entry.get("GranteePrincipal"), entry.get("GranteeServicePrincipal")
        if grantee and not service and not str(grantee).startswith("arn:"):
            grantee, service = None, grantee
        key = str(entry.get("KeyId") or "")
        return cls(
            operations=frozenset(entry.get("Operations") or ()),
            grantee_principal=grantee,
            grantee_service_principal=service,
            retiring_principal=entry.get("RetiringPrincipal"),
            retiring_service_principal=entry.get("RetiringServicePrincipal"),
            grant_id=str(entry.get("GrantId") or ""),
            key_arn=key or None,
            encryption_context_equals=constraints.get("EncryptionContextEquals"),
            encryption_context_subset=constraints.get("EncryptionContextSubset"),
            source_arn=constraints.get("SourceArn"),
            name=str(entry.get("Name") or ""),
        )


PolicyLike = Document | PolicyDocument | NamedPolicy
Levels = Sequence[Sequence[PolicyLike]]


@dataclass(frozen=True)
class Policies:
    """Everything that can have a say in one request.

    Args:
        identity: the caller's own policies: inline, managed, those of his groups.
        resource: the resource's policy (key policy, bucket policy, role trust policy); a list
            when there are two, as with a key that also has ``AWS_RAM`` (R2.13, R2.14).
        boundary: the permissions boundary as a list, None if there is none.
        session: the session policies, None if the session was made without.
        scps, rcps: one list of documents for each level from the root down to the account: the
            SCPs of the caller's account, the RCPs of the resource's. None if that account is in
            no organization. ``RCPFullAWSAccess`` is understood at each RCP level (R1.3).
        vpc_endpoint: the endpoint policy, None if the request did not come through an endpoint.
        grants: the grants on the key: :class:`Grant` or boto3's ``list_grants`` entries. For
            ``kms:RetireGrant`` only the grant to be retired.
        management_account: the organization's management account, which neither SCPs nor RCPs
            touch (R6.1, R6.3).

    The documents are read and compiled at the first decision, and not looked at again.
    """

    identity: Sequence[PolicyLike] = ()
    resource: PolicyLike | Sequence[PolicyLike] | None = None
    boundary: Sequence[PolicyLike] | None = None
    session: Sequence[PolicyLike] | None = None
    scps: Levels | None = None
    rcps: Levels | None = None
    vpc_endpoint: PolicyLike | Sequence[PolicyLike] | None = None
    grants: Sequence[Grant | Mapping[str, Any]] = ()
    management_account: str | None = None

    def compiled(self) -> CompiledPolicies:
        """The documents compiled; the same object each time.

        Raises:
            MalformedPolicyError: if one of them cannot be evaluated.
        """
        found: CompiledPolicies | None = self.__dict__.get("_compiled")
        if found is None:
            found = CompiledPolicies(
                identity=_several(self.identity) or (),
                resource=_several(self.resource),
                boundary=_several(self.boundary),
                session=_several(self.session),
                scps=_levels(self.scps),
                rcps=_levels(self.rcps),
                vpc_endpoint=_several(self.vpc_endpoint),
                grants=tuple(
                    grant if isinstance(grant, Grant) else Grant.from_listing(grant)
                    for grant in self.grants
                ),
                management_account=self.management_account,
            )
            self.__dict__["_compiled"] = found
        return found


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled document with its name."""

    name: str
    arn: str | None
    document: PolicyDocument


@dataclass(frozen=True, slots=True)
class CompiledPolicies:
    """:class:`Policies`, compiled."""

    identity: tuple[Compiled, ...]
    resource: tuple[Compiled, ...] | None
    boundary: tuple[Compiled, ...] | None
    session: tuple[Compiled, ...] | None
    scps: tuple[tuple[Compiled, ...], ...] | None
    rcps: tuple[tuple[Compiled, ...], ...] | None
    vpc_endpoint: tuple[Compiled, ...] | None
    grants: tuple[Grant, ...]
    management_account: str | None
    plans: dict[tuple[str, str | None, str], Any] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )
    """What :mod:`.plan` made of them, by caller, issuer and action."""


def _several(
    given: PolicyLike | Sequence[PolicyLike] | None,
) -> tuple[Compiled, ...] | None:
    if given is None:
        return None
    if isinstance(given, (str, Mapping, PolicyDocument, NamedPolicy)):
        given = [given]
    return tuple(_one(item) for item in given)


def _levels(given: Levels | None) -> tuple[tuple[Compiled, ...], ...] | None:
    if given is None:
        return None
    return tuple(_several(level) or () for level in given)


def _one(given: PolicyLike) -> Compiled:
    if isinstance(given, NamedPolicy):
        return Compiled(given.name, given.arn, compile_policy(given.document))
    return Compiled("", None, compile_policy(given))
