"""All statements that have to do with one caller and one action, in the order in which AWS looks.

What follows from the caller and the action alone is worked out here once, and kept with the
compiled policies. A decision then only has to look at the resource and the circumstances.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import count
from typing import Literal, NamedTuple

from kmscourse.cloud.authorization.document import Statement
from kmscourse.cloud.authorization.kms_keys import operation_name
from kmscourse.cloud.authorization.model import Compiled, CompiledPolicies, Grant, Layer
from kmscourse.cloud.authorization.names import label
from kmscourse.cloud.authorization.principals import Caller, Match, parse_caller

__all__ = ["FailedOn", "GrantPlace", "Place", "Plan", "plan_for"]


_RCP, _ENDPOINT, _RESOURCE = Layer.RCP, Layer.ENDPOINT, Layer.RESOURCE

FailedOn = Literal["", "principal", "action", "resource", "condition"]
"""A part of a statement that does not fit a request."""


class Place(NamedTuple):
    """A statement of a policy in its place.

    Attributes:
        level: counts the levels of an organization from the root.
        policy: counts the documents of the layer (and level).
        label: which document that is, in words that are enough to find it.
        number: counts the places of a plan.
        match: how it means the caller; every statement of his own policies does.
        settled: the part on which it fails whatever the resource and the circumstances; empty if
            it always applies; None if that depends on them.
    """

    layer: Layer
    level: int
    policy: int
    label: str
    statement: Statement
    number: int
    match: Match
    settled: FailedOn | None

    @property
    def spoken(self) -> str:
        """The statement in words."""
        return f"statement {self.statement.name} of the {self.label}"


class GrantPlace(NamedTuple):
    """A grant among the grants on the key."""

    policy: int
    grant: Grant
    layer: Layer = Layer.GRANT
    level: int = 0


Places = tuple[Place, ...]


class Plan:
    """The statements of a set of policies, sorted for one caller and one action.

    Attributes:
        caller: the principal, taken apart.
        action, service, operation: the action in lower case, its service, and its operation (in
            KMS's spelling for kms).
        layers: every statement of every layer that has any.
        denies: the Deny statements that can apply, of all layers.
        scps: the Allow statements that can apply, level by level; None where SCPs have no say.
        endpoint, boundary, session: those of each layer; None where there is no such policy.
        resource, identity: likewise; empty where there is none.
        grants: the grants on the key.
    """

    __slots__ = (
        "action",
        "boundary",
        "caller",
        "denies",
        "endpoint",
        "grants",
        "identity",
        "layers",
        "operation",
        "resource",
        "scps",
        "service",
        "session",
    )

    def __init__(
        self, policies: CompiledPolicies, principal: str, issuer: str | None, action: str
    ) -> None:
        caller = self.caller = parse_caller(principal, issuer)
        self.action, self.service, self.operation = _read_action(action)
        has_boundary = policies.boundary is not None and caller.kind != "root"
        numbers = count()

        def lay(layer: Layer, documents: Iterable[Compiled] | None, level: int = 0) -> Places:
            places = []
            for policy, compiled in enumerate(documents or ()):
                name = label(policies, self.service, layer, level, policy)
                for each in compiled.document.statements:
                    match = Match.DIRECT
                    if layer is _RESOURCE or layer is _ENDPOINT or layer is _RCP:
                        match = _match(layer, each, caller, has_boundary)
                    settled = _settled(each, self.action, match)
                    places.append(
                        Place(layer, level, policy, name, each, next(numbers), match, settled)
                    )
            return tuple(places)

        rcps = [lay(Layer.RCP, own, level) for level, own in enumerate(policies.rcps or ())]
        scps = [lay(Layer.SCP, own, level) for level, own in enumerate(policies.scps or ())]
        endpoint = lay(Layer.ENDPOINT, policies.vpc_endpoint)
        resource = lay(Layer.RESOURCE, policies.resource)
        identity = lay(Layer.IDENTITY, policies.identity)
        boundary = lay(Layer.BOUNDARY, policies.boundary)
        session = lay(Layer.SESSION, policies.session)
        several = [*rcps, *scps, endpoint, resource, identity, boundary, session]
        self.layers = tuple([(places[0].layer, places) for places in several if places])
        self.denies = tuple([place for each in several for place in _can_apply(each, "Deny")])
        self.scps = None
        if policies.scps is not None and scps_apply(policies, caller):
            self.scps = tuple(_can_apply(places, "Allow") for places in scps)
        self.endpoint = None if policies.vpc_endpoint is None else _can_apply(endpoint, "Allow")
        self.resource = _can_apply(resource, "Allow")
        self.identity = _can_apply(identity, "Allow")
        self.boundary = None if policies.boundary is None else _can_apply(boundary, "Allow")
        self.session = None if policies.session is None else _can_apply(session, "Allow")
        self.grants = tuple(GrantPlace(at, grant) for at, grant in enumerate(policies.grants))


def scps_apply(policies: CompiledPolicies, caller: Caller) -> bool:
    """R6.1: SCPs cap users, roles and root users of member accounts, not services."""
    return (
        caller.account is not None
        and caller.account != policies.management_account
        and not caller.service_linked
    )


def _match(layer: Layer, statement: Statement, caller: Caller, has_boundary: bool) -> Match:
    """How a statement that says whom it is about means the caller."""
    spec = statement.principal
    if spec is None:
        return Match.NONE
    if layer is _RESOURCE and statement.effect == "Allow":
        return spec.match(caller)
    covered = spec.covers(caller, denying=statement.effect == "Deny", has_boundary=has_boundary)
    return Match.DIRECT if covered else Match.NONE


def _settled(statement: Statement, action: str, match: Match) -> FailedOn | None:
    if match is Match.NONE:
        return "principal"
    if statement.actions is None or not statement.actions.match(action):
        return "action"  # R2.6: without Action it is about none
    if statement.resources is not None and statement.resources.every and not statement.conditions:
        return ""
    return None


def _can_apply(places: Places, effect: str) -> Places:
    return tuple([p for p in places if not p.settled and p.statement.effect == effect])


@lru_cache(maxsize=4096)
def _read_action(action: str) -> tuple[str, str, str]:
    """The action in lower case, its service, and its operation (KMS's spelling for kms)."""
    lower = action.lower()
    service, _, name = lower.partition(":")
    if not service or not name:
        raise ValueError(f"{action!r} is not an action: write service:Action")
    return lower, service, operation_name(action) if service == "kms" else name


def plan_for(policies: CompiledPolicies, principal: str, issuer: str | None, action: str) -> Plan:
    """The plan for a caller and an action; kept with the policies for next time.

    Raises:
        ValueError: if the principal or the action is not one.
    """
    key = (principal, issuer, action)
    found: Plan | None = policies.plans.get(key)
    if found is None:
        found = Plan(policies, principal, issuer, action)
        if len(policies.plans) < 1000:
            policies.plans[key] = found
    return found
