"""The decision: which policies apply, in which order, and which statement settled it.

This module only decides; :mod:`.explain` puts a decision into words, from the same compiled
policies and the same tests of a statement.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from functools import lru_cache
from typing import NamedTuple

from kmscourse.cloud.authorization.context import Context
from kmscourse.cloud.authorization.document import Statement
from kmscourse.cloud.authorization.grants import fails_on
from kmscourse.cloud.authorization.kms_keys import CROSS_ACCOUNT, IAM_ONLY, operation_name
from kmscourse.cloud.authorization.model import Compiled, CompiledPolicies, Grant, Policies, Request
from kmscourse.cloud.authorization.principals import Caller, Match, parse_caller

__all__ = ["RCP_SERVICES", "Layer", "Model", "Outcome", "Scene", "Verdict", "evaluate"]


class Layer(StrEnum):
    """A kind of policy, in the order in which AWS looks (R1.3); the value is AWS's name for it."""

    RCP = "resource control policy"
    SCP = "service control policy"
    ENDPOINT = "VPC endpoint policy"
    RESOURCE = "resource-based policy"
    GRANT = "grant"
    IDENTITY = "identity-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"


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


class Decided(NamedTuple):
    """Something that settled a decision: a statement of a policy, or a grant."""

    layer: Layer
    level: int
    policy: int
    statement: Statement | None = None
    grant: Grant | None = None


class Verdict(NamedTuple):
    """The bare result.

    ``reason`` says which way it went, for :mod:`.explain`; ``layer`` is the kind of policy that
    denied or was missing (None if allowed).
    """

    outcome: Outcome
    reason: str
    layer: Layer | None
    decided: tuple[Decided, ...] = ()
    level: int = 0


class Scene:
    """A request next to its policies, taken apart once."""

    __slots__ = (
        "action",
        "caller",
        "context",
        "cross_account",
        "has_boundary",
        "model",
        "operation",
        "policies",
        "rcp_applies",
        "request",
        "resource",
        "resource_account",
        "scp_applies",
        "service",
    )

    def __init__(self, request: Request, policies: Policies) -> None:
        self.request = request
        self.policies: CompiledPolicies = policies.compiled()
        issuer = request.session_issuer
        if issuer is None and request.context and ":assumed-role/" in request.principal:
            issuer = _principal_arn(request)
        caller = self.caller = parse_caller(request.principal, issuer)
        self.resource = resource = request.resource
        self.action, service, self.operation = _read_action(request.action)
        self.service = service
        owner = request.resource_account
        if owner is None:
            parts = resource.split(":", 5)
            owner = parts[4] if len(parts) == 6 and parts[4].isdigit() else caller.account
        self.resource_account = owner
        self.cross_account = (
            caller.account is not None and owner is not None and caller.account != owner
        )
        self.model = model = self._model()
        if model is _IDENTITY_ONLY:
            self.cross_account = False
        given = self.policies
        self.has_boundary = given.boundary is not None and caller.kind != "root"
        # R6.1: users, roles and root users of member accounts, not services
        self.scp_applies = (
            given.scps is not None
            and caller.account is not None
            and caller.account != policies.management_account
            and not caller.service_linked
        )
        # R6.3: customer managed keys in member accounts; RetireGrant is out (R5.8)
        self.rcp_applies = (
            given.rcps is not None
            and service in RCP_SERVICES
            and not request.aws_managed_key
            and model is not _RETIRE
            and model is not _IDENTITY_ONLY
            and (owner is None or owner != policies.management_account)
            and not caller.service_linked
        )
        self.context = Context(request, caller, owner, self.operation if service == "kms" else None)

    def _model(self) -> Model:
        if self.service == "kms":
            if self.operation == "RetireGrant":
                return Model.RETIRE
            if self.operation in IAM_ONLY or ":key/" not in self.resource:
                return Model.IDENTITY_ONLY
            return Model.KEY
        if self.service == "sts" and ":role/" in self.resource:
            return Model.TRUST
        return Model.EITHER

    def concerns(self, layer: Layer, statement: Statement) -> bool:
        """Whether a statement of this layer applies to the request (its principal included).

        The action is not looked at: only statements about it are asked for.
        """
        if layer is _RESOURCE or layer is _RCP or layer is _ENDPOINT:
            spec = statement.principal
            if spec is None or not spec.covers(
                self.caller,
                denying=statement.effect == "Deny",
                has_boundary=self.has_boundary,
            ):
                return False
        return self.circumstances(layer, statement)

    def circumstances(self, layer: Layer, statement: Statement) -> bool:
        """Whether resource and conditions match."""
        resources = statement.resources
        if resources is None:
            # R2.6: without Resource a statement has no effect; trust policies have none
            if layer is not _RESOURCE or self.model is not _TRUST:
                return False
        elif not resources.match(self.resource, self.context):
            return False
        if statement.conditions:
            context = self.context
            context.in_key_policy = layer is _RESOURCE and self.model is _KEY
            for condition in statement.conditions:
                if not condition.holds(context):
                    return False
        return True


_RCP, _SCP, _ENDPOINT, _RESOURCE = Layer.RCP, Layer.SCP, Layer.ENDPOINT, Layer.RESOURCE
_KEY, _TRUST, _RETIRE = Model.KEY, Model.TRUST, Model.RETIRE
_IDENTITY, _BOUNDARY, _SESSION = Layer.IDENTITY, Layer.BOUNDARY, Layer.SESSION
_IDENTITY_ONLY, _EITHER = Model.IDENTITY_ONLY, Model.EITHER


@lru_cache(maxsize=4096)
def _read_action(action: str) -> tuple[str, str, str]:
    """The action in lower case, its service, and its operation (KMS's spelling for kms)."""
    lower = action.lower()
    service, _, name = lower.partition(":")
    if not service or not name:
        raise ValueError(f"{action!r} is not an action: write service:Action")
    return lower, service, operation_name(action) if service == "kms" else name


def _principal_arn(request: Request) -> str | None:
    """The role ARN in the context, if the caller's code put it there."""
    for key, value in request.context.items():
        if key.lower() == "aws:principalarn" and isinstance(value, str):
            return value if ":role/" in value else None
    return None


def evaluate(scene: Scene) -> Verdict:
    """Decide (the procedure of AWS's "Policy evaluation logic" with KMS's own rules)."""
    return _denied(scene) or _organization(scene) or _endpoint(scene) or _permission(scene)


# ---------------------------------------------------------------- explicit deny (R1.2)


_WITH_IDENTITY = frozenset({"user", "role", "session", "federated-user"})


def has_identity(caller: Caller) -> bool:
    """Whether IAM policies can be attached to the caller (root, services: no)."""
    return caller.kind in _WITH_IDENTITY


def _denied(scene: Scene) -> Verdict | None:
    policies = scene.policies
    if not policies.any_deny:
        return None
    if scene.rcp_applies:
        for level, documents in enumerate(policies.rcps or ()):
            if verdict := _first_deny(scene, _RCP, documents, level):
                return verdict
    if scene.scp_applies:
        for level, documents in enumerate(policies.scps or ()):
            if verdict := _first_deny(scene, _SCP, documents, level):
                return verdict
    # R2.9, R5.8: a key policy says nothing about what it cannot control
    resource = policies.resource
    if scene.model is _IDENTITY_ONLY or scene.model is _RETIRE:
        resource = None
    for layer, own in ((_ENDPOINT, policies.vpc_endpoint), (_RESOURCE, resource)):
        if own and (verdict := _first_deny(scene, layer, own)):
            return verdict
    if has_identity(scene.caller):
        for layer, own in (
            (_IDENTITY, policies.identity),
            (_BOUNDARY, policies.boundary),
            (_SESSION, policies.session),
        ):
            if own and (verdict := _first_deny(scene, layer, own)):
                return verdict
    return None


def _first_deny(
    scene: Scene, layer: Layer, documents: tuple[Compiled, ...], level: int = 0
) -> Verdict | None:
    for index, compiled in enumerate(documents):
        if compiled.document.denies:
            for statement in compiled.document.about(scene.action)[1]:
                if scene.concerns(layer, statement):
                    decided = Decided(layer, level, index, statement)
                    return Verdict(Outcome.EXPLICIT, "deny", layer, (decided,), level)
    return None


# ---------------------------------------------------------------- caps that must allow


def _first_allow(
    scene: Scene, layer: Layer, documents: tuple[Compiled, ...], level: int = 0
) -> Decided | None:
    for index, compiled in enumerate(documents):
        for statement in compiled.document.about(scene.action)[0]:
            if scene.concerns(layer, statement):
                return Decided(layer, level, index, statement)
    return None


def _organization(scene: Scene) -> Verdict | None:
    # RCPs: RCPFullAWSAccess is attached everywhere and cannot be detached (R1.3), so after the
    # deny check each level allows.
    if scene.scp_applies:
        for level, documents in enumerate(scene.policies.scps or ()):
            if _first_allow(scene, Layer.SCP, documents, level) is None:
                return Verdict(Outcome.IMPLICIT, "scp", Layer.SCP, (), level)
    return None


def _endpoint(scene: Scene) -> Verdict | None:
    documents = scene.policies.vpc_endpoint
    if documents is not None and _first_allow(scene, Layer.ENDPOINT, documents) is None:
        return Verdict(Outcome.IMPLICIT, "endpoint", Layer.ENDPOINT)
    return None


# ---------------------------------------------------------------- who gives permission


def resource_match(scene: Scene) -> tuple[Match, Decided | None]:
    """The strongest Allow of the resource's policy for this caller."""
    best, by = Match.NONE, None
    if scene.model is _IDENTITY_ONLY or scene.model is _RETIRE:
        return best, by
    for index, compiled in enumerate(scene.policies.resource or ()):
        for statement in compiled.document.about(scene.action)[0]:
            spec = statement.principal
            if spec is None:
                continue
            match = spec.match(scene.caller)
            if match > best and scene.circumstances(_RESOURCE, statement):
                best, by = match, Decided(Layer.RESOURCE, 0, index, statement)
                if best is Match.DIRECT:
                    return best, by
    return best, by


def _grant_match(scene: Scene) -> tuple[Match, Decided | None]:
    best, by = Match.NONE, None
    for index, grant in enumerate(scene.policies.grants):
        match, _, _ = fails_on(grant, scene.request, scene.operation, scene.caller, scene.context)
        if match > best:
            best, by = match, Decided(Layer.GRANT, 0, index, None, grant)
    return best, by


def missing_in_iam(
    scene: Scene, *, limits_only: bool = False
) -> tuple[Layer | None, list[Decided]]:
    """The first of identity policy, boundary and session policy without an Allow; None if none.

    The root user has no IAM policies and needs none; a service has none and gets nothing by them.
    ``limits_only`` leaves the identity policies out (R3.2).
    """
    caller, policies = scene.caller, scene.policies
    if caller.kind == "root":
        return None, []
    if not has_identity(caller):
        return Layer.IDENTITY, []
    by: list[Decided] = []
    if not limits_only:
        found = _first_allow(scene, _IDENTITY, policies.identity)
        if found is None:
            return _IDENTITY, by
        by.append(found)
    if policies.boundary is not None and _first_allow(scene, _BOUNDARY, policies.boundary) is None:
        return _BOUNDARY, by
    if policies.session is not None and _first_allow(scene, _SESSION, policies.session) is None:
        return _SESSION, by
    return None, by


def _allowed(reason: str, *by: Decided | None) -> Verdict:
    return Verdict(_ALLOWED, reason, None, tuple([one for one in by if one is not None]))


_ALLOWED = Outcome.ALLOWED


def _permission(scene: Scene) -> Verdict:
    model = scene.model
    if model is _IDENTITY_ONLY:
        return _by_iam(scene)
    if model is _RETIRE:
        return _by_retiring(scene)
    if model is _KEY and scene.cross_account and scene.operation not in CROSS_ACCOUNT:
        return Verdict(Outcome.IMPLICIT, "not-cross-account", Layer.RESOURCE)  # R4.3
    verdict = _across(scene) if scene.cross_account else _within(scene)
    if verdict.outcome is not Outcome.ALLOWED and model is _KEY and scene.policies.grants:
        return _by_grant(scene) or verdict
    return verdict


def _by_iam(scene: Scene) -> Verdict:
    missing, by = missing_in_iam(scene)
    if missing is None:
        return _allowed("iam", *by)
    return Verdict(Outcome.IMPLICIT, "iam-missing", missing, tuple(by))


def _within(scene: Scene) -> Verdict:
    """Caller and resource in one account."""
    match, by = resource_match(scene)
    if match is Match.DIRECT:
        return _allowed("resource", by)
    if match is Match.LIMITED:
        missing, _ = missing_in_iam(scene, limits_only=True)
        if missing is None:
            return _allowed("resource", by)
        return Verdict(Outcome.IMPLICIT, "role-limited", missing, (by,) if by else ())
    if scene.model is not _EITHER and match is Match.NONE:
        return Verdict(Outcome.IMPLICIT, "resource-missing", Layer.RESOURCE)
    if not has_identity(scene.caller) and scene.caller.kind != "root":
        return Verdict(Outcome.IMPLICIT, "resource-missing", Layer.RESOURCE)
    missing, used = missing_in_iam(scene)
    if missing is None:
        return _allowed("delegated" if match is Match.ACCOUNT else "iam", by, *used)
    reason = "delegated-missing" if match is Match.ACCOUNT else "iam-missing"
    return Verdict(Outcome.IMPLICIT, reason, missing, (by, *used) if by else tuple(used))


def _across(scene: Scene) -> Verdict:
    """Caller and resource in different accounts: both sides must allow (R4.1, R4.2)."""
    match, by = resource_match(scene)
    missing, used = missing_in_iam(scene)
    if match is Match.NONE:
        return Verdict(Outcome.IMPLICIT, "across-resource-missing", Layer.RESOURCE, tuple(used))
    if missing is None:
        return _allowed("across", by, *used)
    return Verdict(
        Outcome.IMPLICIT, "across-iam-missing", missing, (by, *used) if by else tuple(used)
    )


def _by_grant(scene: Scene) -> Verdict | None:
    """R4.6: across accounts a grant needs no IAM policy [I]; boundaries and session policies do
    not block what comes from a grant alone (R3.11 [R], not to be taught)."""
    match, by = _grant_match(scene)
    if match is Match.DIRECT:
        return _allowed("grant", by)
    if match is Match.ACCOUNT:
        missing, used = missing_in_iam(scene)
        if missing is None:
            return _allowed("grant", by, *used)
    return None


def _by_retiring(scene: Scene) -> Verdict:
    if scene.policies.grants:
        verdict = _by_grant(scene)
        if verdict is not None:
            return verdict
    return Verdict(Outcome.IMPLICIT, "retire", Layer.GRANT)
