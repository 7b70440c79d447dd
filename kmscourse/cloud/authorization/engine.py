"""The decision: which policies apply, in which order, and which statement settled it.

This module only decides; :mod:`.explain` puts a decision into words, from the same compiled
policies and the same tests of a statement.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import NamedTuple

from kmscourse.cloud.authorization.context import Context
from kmscourse.cloud.authorization.grants import fails_on
from kmscourse.cloud.authorization.kms_keys import CROSS_ACCOUNT, IAM_ONLY
from kmscourse.cloud.authorization.model import Layer, Policies, Request
from kmscourse.cloud.authorization.plan import FailedOn, GrantPlace, Place, plan_for
from kmscourse.cloud.authorization.principals import Caller, Match

__all__ = ["RCP_SERVICES", "Model", "Outcome", "Scene", "Verdict", "evaluate"]


class Model(Enum):
    """How resource-based and identity-based policies combine for a request."""

    KEY = "key"  # the key policy is the root of trust (R2)
    TRUST = "trust"  # role trust policies likewise (R1.5)
    RETIRE = "retire"  # RetireGrant is decided by the grant (R5.8)
    IDENTITY_ONLY = "identity"  # the request names no key (R2.9)
    EITHER = "either"  # all other services: one Allow on either side is enough (R1.5)


class Outcome(StrEnum):
    ALLOWED = "Allowed"
    EXPLICIT = "ExplicitlyDenied"
    IMPLICIT = "ImplicitlyDenied"


RCP_SERVICES = frozenset(
    {"s3", "sts", "kms", "sqs", "secretsmanager", "dynamodb", "ecr", "logs", "cognito-idp"}
)
"""Services whose resources RCPs cap. The first five are on the Control Tower page "Controls
implemented with resource control policies"; the later additions are **[R]**."""


class Verdict(NamedTuple):
    """The bare result.

    ``reason`` says which way it went, for :mod:`.explain`; ``layer`` is the kind of policy that
    denied or was missing (None if allowed); ``decided`` holds what settled it.
    """

    outcome: Outcome
    reason: str
    layer: Layer | None
    decided: tuple[Place | GrantPlace, ...] = ()
    level: int = 0


_RCP, _SCP, _ENDPOINT, _RESOURCE, _GRANT = list(Layer)[:5]
_KEY, _TRUST, _RETIRE = Model.KEY, Model.TRUST, Model.RETIRE
_IDENTITY_ONLY, _EITHER = Model.IDENTITY_ONLY, Model.EITHER
_ALLOWED, _EXPLICIT, _IMPLICIT = Outcome.ALLOWED, Outcome.EXPLICIT, Outcome.IMPLICIT
_NONE, _ACCOUNT, _LIMITED, _DIRECT = Match.NONE, Match.ACCOUNT, Match.LIMITED, Match.DIRECT


class Scene:
    """A request next to its policies, taken apart once."""

    __slots__ = (
        "_context",
        "_found",
        "action",
        "caller",
        "cross_account",
        "model",
        "operation",
        "plan",
        "policies",
        "request",
        "resource",
        "resource_account",
        "service",
    )

    def __init__(self, request: Request, policies: Policies) -> None:
        self.request = request
        given = self.policies = policies.compiled()
        issuer = request.session_issuer
        if issuer is None and request.context and ":assumed-role/" in request.principal:
            issuer = _principal_arn(request)
        plan = self.plan = plan_for(given, request.principal, issuer, request.action)
        caller = self.caller = plan.caller
        self.action, self.service, self.operation = plan.action, plan.service, plan.operation
        resource = self.resource = request.resource
        owner = request.resource_account
        if owner is None:
            parts = resource.split(":", 5)
            owner = parts[4] if len(parts) == 6 and parts[4].isdigit() else caller.account
        self.resource_account = owner
        model = self.model = _model(plan.service, plan.operation, resource)
        self.cross_account = (
            caller.account != owner
            and caller.account is not None
            and owner is not None
            and model is not _IDENTITY_ONLY
        )
        self._context: Context | None = None
        self._found: dict[int, FailedOn] = {}

    @property
    def context(self) -> Context:
        """The condition keys of the request; worked out when the first condition asks."""
        found = self._context
        if found is None:
            operation = self.operation if self.service == "kms" else None
            found = Context(self.request, self.caller, self.resource_account, operation)
            self._context = found
        return found

    def values(self, key: str) -> tuple[str, ...]:
        """The values of a condition key (a :class:`~.conditions.Lookup`)."""
        return self.context.values(key)

    @property
    def has_boundary(self) -> bool:
        return self.policies.boundary is not None and self.caller.kind != "root"

    @property
    def scp_applies(self) -> bool:
        return self.plan.scps is not None

    @property
    def rcp_applies(self) -> bool:
        """R6.3: RCPs cap customer managed keys in member accounts; RetireGrant is out (R5.8)."""
        owner, given = self.resource_account, self.policies
        return (
            given.rcps is not None
            and self.service in RCP_SERVICES
            and not self.request.aws_managed_key
            and self.model is not _RETIRE
            and self.model is not _IDENTITY_ONLY
            and (owner is None or owner != given.management_account)
            and not self.caller.service_linked
        )

    def has_a_say(self, layer: Layer) -> bool:
        """Whether a layer is looked at at all for this request."""
        if layer is _RESOURCE:
            # R2.9, R5.8: a key policy says nothing about what it cannot control
            return self.model is not _IDENTITY_ONLY and self.model is not _RETIRE
        if layer is _SCP:
            return self.scp_applies
        if layer is _RCP:
            return self.rcp_applies
        if layer is _GRANT:
            return self.model is _KEY or self.model is _RETIRE
        return layer is _ENDPOINT or has_identity(self.caller)

    def failed_on(self, place: Place) -> FailedOn:
        """The first part of a statement that does not fit the request; empty if it applies.

        Looked at once: the explanation finds what the decision found.
        """
        found = place.settled
        if found is None:
            found = self._found.get(place.number)
            if found is None:
                found = self._found[place.number] = self._look_at(place)
        return found

    def _look_at(self, place: Place) -> FailedOn:
        statement = place.statement
        resources = statement.resources
        if resources is None:
            # R2.6: without Resource a statement has no effect; trust policies have none
            if self.model is not _TRUST or place.layer is not _RESOURCE:
                return "resource"
        elif not resources.match(self.resource, self):
            return "resource"
        if statement.conditions:
            context = self.context_for(place)
            for condition in statement.conditions:
                if not condition.holds(context):
                    return "condition"
        return ""

    def context_for(self, place: Place) -> Context:
        """The condition keys as this policy sees them."""
        context = self.context
        context.in_key_policy = place.layer is _RESOURCE and self.model is _KEY
        return context


def _model(service: str, operation: str, resource: str) -> Model:
    if service == "kms":
        if operation == "RetireGrant":
            return _RETIRE
        if operation in IAM_ONLY or ":key/" not in resource:
            return _IDENTITY_ONLY
        return _KEY
    if service == "sts" and ":role/" in resource:
        return _TRUST
    return _EITHER


def _principal_arn(request: Request) -> str | None:
    """The role ARN in the context, if the caller's code put it there."""
    for key, value in request.context.items():
        if len(key) == 16 and key.lower() == "aws:principalarn" and isinstance(value, str):
            return value if ":role/" in value else None
    return None


_WITH_IDENTITY = frozenset({"user", "role", "session", "federated-user"})


def has_identity(caller: Caller) -> bool:
    """Whether IAM policies can be attached to the caller (root, services: no)."""
    return caller.kind in _WITH_IDENTITY


def evaluate(scene: Scene) -> Verdict:
    """Decide (the procedure of AWS's "Policy evaluation logic" with KMS's own rules)."""
    plan = scene.plan
    for place in plan.denies:  # R1.2
        if scene.has_a_say(place.layer) and not scene.failed_on(place):
            return Verdict(_EXPLICIT, "deny", place.layer, (place,), place.level)
    # RCPs: RCPFullAWSAccess is attached everywhere and cannot be detached (R1.3), so after the
    # Denies each level allows.
    if plan.scps is not None:
        for level, places in enumerate(plan.scps):
            if _first_allow(scene, places) is None:
                return Verdict(_IMPLICIT, "scp", Layer.SCP, (), level)
    if plan.endpoint is not None and _first_allow(scene, plan.endpoint) is None:
        return Verdict(_IMPLICIT, "endpoint", Layer.ENDPOINT)
    return _permission(scene)


def _first_allow(scene: Scene, places: tuple[Place, ...]) -> Place | None:
    for place in places:
        if not scene.failed_on(place):
            return place
    return None


# ---------------------------------------------------------------- who gives permission


def resource_match(scene: Scene) -> tuple[Match, Place | None]:
    """The strongest Allow of the resource's policy for this caller."""
    best, by = _NONE, None
    for place in scene.plan.resource:
        if place.match > best and not scene.failed_on(place):
            if place.match is _DIRECT:
                return _DIRECT, place
            best, by = place.match, place
    return best, by


def _grant_match(scene: Scene) -> tuple[Match, GrantPlace | None]:
    best, by = _NONE, None
    for place in scene.plan.grants:
        match, _, _ = fails_on(
            place.grant, scene.request, scene.operation, scene.caller, scene.context
        )
        if match > best:
            best, by = match, place
    return best, by


def missing_in_iam(scene: Scene, *, limits_only: bool = False) -> tuple[Layer | None, list[Place]]:
    """The first of identity policy, boundary and session policy without an Allow; None if none.

    The root user has no IAM policies and needs none; a service has none and gets nothing by them.
    ``limits_only`` leaves the identity policies out (R3.2).
    """
    caller, plan = scene.caller, scene.plan
    if caller.kind == "root":
        return None, []
    if not has_identity(caller):
        return Layer.IDENTITY, []
    by: list[Place] = []
    if not limits_only:
        found = _first_allow(scene, plan.identity)
        if found is None:
            return Layer.IDENTITY, by
        by.append(found)
    if plan.boundary is not None and _first_allow(scene, plan.boundary) is None:
        return Layer.BOUNDARY, by
    if plan.session is not None and _first_allow(scene, plan.session) is None:
        return Layer.SESSION, by
    return None, by


def _permission(scene: Scene) -> Verdict:
    model = scene.model
    if model is _IDENTITY_ONLY:
        return _by_iam(scene)
    if model is _RETIRE:
        return _by_retiring(scene)
    if model is _KEY and scene.cross_account and scene.operation not in CROSS_ACCOUNT:
        return Verdict(_IMPLICIT, "not-cross-account", _RESOURCE)  # R4.3
    verdict = _across(scene) if scene.cross_account else _within(scene)
    if verdict.outcome is not _ALLOWED and model is _KEY and scene.plan.grants:
        return _by_grant(scene) or verdict
    return verdict


def _by_iam(scene: Scene) -> Verdict:
    missing, by = missing_in_iam(scene)
    if missing is None:
        return Verdict(_ALLOWED, "iam", None, tuple(by))
    return Verdict(_IMPLICIT, "iam-missing", missing, tuple(by))


def _within(scene: Scene) -> Verdict:
    """Caller and resource in one account."""
    match, place = resource_match(scene)
    by = () if place is None else (place,)
    if match is _DIRECT:
        return Verdict(_ALLOWED, "resource", None, by)
    if match is _LIMITED:
        missing, _ = missing_in_iam(scene, limits_only=True)
        if missing is None:
            return Verdict(_ALLOWED, "resource", None, by)
        return Verdict(_IMPLICIT, "role-limited", missing, by)
    if scene.model is not _EITHER and match is _NONE:
        return Verdict(_IMPLICIT, "resource-missing", _RESOURCE)
    if scene.caller.kind != "root" and not has_identity(scene.caller):
        return Verdict(_IMPLICIT, "resource-missing", _RESOURCE)
    missing, used = missing_in_iam(scene)
    if missing is None:
        return Verdict(_ALLOWED, "delegated" if match is _ACCOUNT else "iam", None, (*by, *used))
    reason = "delegated-missing" if match is _ACCOUNT else "iam-missing"
    return Verdict(_IMPLICIT, reason, missing, (*by, *used))


def _across(scene: Scene) -> Verdict:
    """Caller and resource in different accounts: both sides must allow (R4.1, R4.2)."""
    match, place = resource_match(scene)
    by = () if place is None else (place,)
    missing, used = missing_in_iam(scene)
    if match is _NONE:
        return Verdict(_IMPLICIT, "across-resource-missing", _RESOURCE, tuple(used))
    if missing is None:
        return Verdict(_ALLOWED, "across", None, (*by, *used))
    return Verdict(_IMPLICIT, "across-iam-missing", missing, (*by, *used))


def _by_grant(scene: Scene) -> Verdict | None:
    """R4.6: across accounts a grant needs no IAM policy [I]; boundaries and session policies do
    not block what comes from a grant alone (R3.11 [R], not to be taught)."""
    match, place = _grant_match(scene)
    if place is None:
        return None
    if match is _DIRECT:
        return Verdict(_ALLOWED, "grant", None, (place,))
    missing, used = missing_in_iam(scene)
    return Verdict(_ALLOWED, "grant", None, (place, *used)) if missing is None else None


def _by_retiring(scene: Scene) -> Verdict:
    return _by_grant(scene) or Verdict(_IMPLICIT, "retire", _GRANT)
