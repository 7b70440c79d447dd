"""May they? The permissions that a call needs, the policies that apply, and the decision.

The rules themselves are in `kmscourse.cloud.authorization`, which knows nothing of requests;
here a request becomes what it asks: which action, on which resource, in which context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from kmscourse.cloud import moto_door, organization
from kmscourse.cloud.authorization import Decision, NamedPolicy, Policies, Request, decide
from kmscourse.cloud.call import Call
from kmscourse.cloud.clock import written
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.identity import Principal
from kmscourse.cloud.organization import Membership


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission that a call needs.

    Attributes:
        action: as in policies, e.g. ``"kms:Decrypt"``.
        resource: the ARN it is needed on, or ``"*"``.
        account: the account that owns the resource; None for the caller's own.
        resource_policy: the policy attached to the resource, as JSON.
        grants: the grants on the key.
        context: the service's own condition keys; the global ones are added.
        on: how AWS's refusal names the resource, where not by its ARN.
        quoted: whether AWS's refusal puts the ARN in quotation marks (S3 does).
        code: the error code of a refusal.
        status: its HTTP status.
        aws_managed_key: whether the resource is an AWS managed key, which RCPs do not touch.
    """

    action: str
    resource: str
    account: str | None = None
    resource_policy: str | None = None
    grants: Sequence[Any] = ()
    context: dict[str, str | list[str]] = field(default_factory=dict)
    on: str | None = None
    quoted: bool = False
    code: str = "AccessDeniedException"
    status: int = 400
    aws_managed_key: bool = False


class RefusedError(AWSError):
    """A request that policies do not allow; it carries the whole decision."""

    def __init__(self, permission: Permission, decision: Decision, message: str) -> None:
        super().__init__(permission.code, message, permission.status)
        self.decision = decision


def check(call: Call, permissions: Sequence[Permission]) -> None:
    """Decide about every permission that a call needs, in order.

    Raises:
        RefusedError: with AWS's wording, for the first that is not given.
    """
    own = organization.membership(call.caller.account) if permissions else None
    for permission in permissions:
        owner = permission.account or call.account
        owners = own if owner == call.account else organization.membership(owner)
        decision = decide(
            Request(
                principal=call.caller.arn,
                action=permission.action,
                resource=permission.resource,
                resource_account=owner,
                context=_global_context(call)
                | _of_organizations(own, owners)
                | permission.context
                | _of_connection(call),
                session_issuer=_session_issuer(call.caller),
                aws_managed_key=permission.aws_managed_key,
            ),
            _policies(call, permission, own, owners),
        )
        if not decision.allowed:
            raise RefusedError(permission, decision, _words(decision, permission))


def _session_issuer(principal: Principal) -> str | None:
    """The role or user behind a session."""
    if principal.issuer is not None:
        return principal.issuer.arn
    return principal.issuer_arn if principal.role_name else None


def _words(decision: Decision, permission: Permission) -> str:
    """AWS's text for a refusal, with the resource as the service names it."""
    named = f"on resource: {permission.resource}"
    if permission.on is not None:
        return decision.message().replace(named, f"on {permission.on}")
    if permission.quoted:
        return decision.message().replace(named, f'on resource: "{permission.resource}"')
    return decision.message()


def _policies(
    call: Call, permission: Permission, own: Membership | None, owners: Membership | None
) -> Policies:
    principal, endpoint = call.caller, call.endpoint
    identity, boundary = _identity_policies(principal.issuer or principal)
    member = own or owners
    policies = _kept(
        tuple(identity),
        permission.resource_policy,
        None if boundary is None else tuple(boundary),
        # A federated user's session has no permissions without a session policy.
        principal.session_policies if principal.issuer else principal.session_policies or None,
        None if endpoint is None else NamedPolicy(endpoint.id, endpoint.policy),
        None if own is None else own.levels("SERVICE_CONTROL_POLICY"),
        None if owners is None else owners.levels("RESOURCE_CONTROL_POLICY"),
        member.management_account if member else None,
    )
    return replace(policies, grants=list(permission.grants)) if permission.grants else policies


@lru_cache(maxsize=512)
def _kept(
    identity: tuple[NamedPolicy, ...],
    resource: str | None,
    boundary: tuple[NamedPolicy, ...] | None,
    session: tuple[str, ...] | None,
    endpoint: NamedPolicy | None,
    scps: tuple[tuple[NamedPolicy, ...], ...] | None,
    rcps: tuple[tuple[NamedPolicy, ...], ...] | None,
    management_account: str | None,
) -> Policies:
    """The same documents are the same `Policies`: compiled and sorted once for many calls."""
    return Policies(
        identity=identity,
        resource=resource,
        boundary=boundary,
        session=session,
        vpc_endpoint=endpoint,
        scps=scps,
        rcps=rcps,
        management_account=management_account,
    )


def _of_connection(call: Call) -> dict[str, str | list[str]]:
    """What only the connection itself can say. S3 alone has a condition key for its version."""
    if call.service == "s3" and call.tls is not None and not call.via:
        return {"s3:TlsVersion": call.tls.number}
    return {}


def _of_organizations(
    own: Membership | None, owners: Membership | None
) -> dict[str, str | list[str]]:
    """What the caller's organization, and that of the resource's owner, put into the context."""
    context: dict[str, str | list[str]] = {}
    if own is not None:
        context["aws:PrincipalOrgID"] = own.id
        context["aws:PrincipalOrgPaths"] = [own.org_path]
    if owners is not None:
        context["aws:ResourceOrgID"] = owners.id
    return context


def _identity_policies(
    principal: Principal,
) -> tuple[list[NamedPolicy], list[NamedPolicy] | None]:
    """The policies attached to a user or role in moto's IAM, and its boundary."""
    if principal.kind not in ("IAMUser", "AssumedRole"):
        return [], None
    iam = moto_door.iam(principal.account)
    if principal.kind == "IAMUser":
        owner = iam.users.get(principal.name)
        groups = [group for group in iam.groups.values() if owner in group.users]
    else:
        owner = next((r for r in iam.roles.values() if r.name == principal.role_name), None)
        groups = []
    if owner is None:
        return [], None
    attached = [
        NamedPolicy(name, _text(document))
        for holder in (owner, *groups)
        for name, document in holder.policies.items()
    ] + [
        _managed(policy)
        for holder in (owner, *groups)
        for policy in holder.managed_policies.values()
    ]
    # moto's users have no boundary; its roles do.
    arn = getattr(owner, "permissions_boundary_arn", None)
    boundary = iam.managed_policies.get(arn) if arn else None
    return attached, None if boundary is None else [_managed(boundary)]


def _managed(policy: Any) -> NamedPolicy:
    """A managed policy in its default version."""
    version = next(each for each in policy.versions if each.is_default)
    return NamedPolicy(policy.name, _text(version.document), policy.arn)


def _text(document: Any) -> str:
    return str(document["policy_document"] if isinstance(document, dict) else document)


def _global_context(call: Call) -> dict[str, str | list[str]]:
    """The condition keys that AWS puts into the context of every request."""
    caller = call.caller
    context: dict[str, str | list[str]] = {
        "aws:PrincipalArn": caller.issuer_arn,
        "aws:PrincipalAccount": caller.account,
        "aws:PrincipalType": {"IAMUser": "User", "Root": "Account"}.get(caller.kind, caller.kind),
        "aws:userid": caller.id,
        "aws:PrincipalIsAWSService": str(caller.kind == "AWSService").lower(),
        "aws:ViaAWSService": str(bool(call.via)).lower(),
        "aws:RequestedRegion": call.region,
        "aws:SecureTransport": str(call.secure).lower(),
        "aws:CurrentTime": written(call.time),
        "aws:EpochTime": str(int(call.time.timestamp())),
        "aws:SourceIp": call.source_ip,
    }
    if call.user_agent:
        context["aws:UserAgent"] = call.user_agent
    if caller.temporary:
        context["aws:MultiFactorAuthPresent"] = str(caller.mfa_at is not None).lower()
        if caller.mfa_at is not None:
            context["aws:MultiFactorAuthAge"] = str(
                int((call.time - caller.mfa_at).total_seconds())
            )
    if caller.issued_at is not None:
        # Source: IAM User Guide, "Revoke IAM role temporary security credentials".
        context["aws:TokenIssueTime"] = written(caller.issued_at)
    if caller.kind == "IAMUser":
        context["aws:username"] = caller.name
    if call.via:
        context["aws:CalledVia"] = list(call.via)
        context["aws:CalledViaFirst"], context["aws:CalledViaLast"] = call.via[0], call.via[-1]
    if call.endpoint is not None:
        context["aws:SourceVpce"], context["aws:SourceVpc"] = call.endpoint.id, call.endpoint.vpc
    if call.source_arn:
        context["aws:SourceArn"] = call.source_arn
    if call.source_account:
        context["aws:SourceAccount"] = call.source_account
    for name, value in caller.tags:
        context[f"aws:PrincipalTag/{name}"] = value
    return context
