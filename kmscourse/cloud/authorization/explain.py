"""A decision in words: every statement with what it failed on, and the one sentence that helps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kmscourse.cloud.authorization.engine import (
    Model,
    Outcome,
    Scene,
    Verdict,
    has_identity,
    missing_in_iam,
)
from kmscourse.cloud.authorization.grants import fails_on
from kmscourse.cloud.authorization.model import Layer
from kmscourse.cloud.authorization.names import label, level_name, spoken_resource, title_of
from kmscourse.cloud.authorization.plan import FailedOn, GrantPlace, Place
from kmscourse.cloud.authorization.principals import Match

__all__ = ["LayerView", "Step", "because", "layers_of", "steps_of"]

_RCP, _SCP, _ENDPOINT, _RESOURCE, _GRANT, _IDENTITY, _BOUNDARY, _SESSION = Layer
_KEY, _TRUST = Model.KEY, Model.TRUST


class Step:
    """One statement (or grant) that AWS looks at.

    What it came to is worked out at once, its words when they are read.

    Attributes:
        place: where it stands.
        failed_on: the first part that did not match: ``principal``, ``action``, ``resource`` or
            ``condition``; empty if it matched.
    """

    __slots__ = ("_scene", "failed_on", "place")

    def __init__(self, scene: Scene, place: Place | GrantPlace, failed_on: FailedOn) -> None:
        self._scene, self.place, self.failed_on = scene, place, failed_on

    @property
    def matched(self) -> bool:
        """Whether it applies to the request."""
        return not self.failed_on

    @property
    def layer(self) -> str:
        """The kind of policy, in AWS's words, e.g. ``identity-based policy``."""
        return self.place.layer.value

    @property
    def level(self) -> int:
        """For SCPs and RCPs, counted from the root (0)."""
        return self.place.level

    @property
    def policy_index(self) -> int:
        """Which document of the layer (and level), from 0."""
        return self.place.policy

    @property
    def index(self) -> int:
        """Which statement of the document, from 0."""
        return self.place.statement.index if isinstance(self.place, Place) else 0

    @property
    def policy(self) -> str:
        """Which document, e.g. ``key policy`` or ``IAM policy "AllowDecrypt"``."""
        return self.place.label if isinstance(self.place, Place) else "grant"

    @property
    def statement(self) -> str:
        """Its Sid, or ``number 2`` when it has none; a grant's id."""
        place = self.place
        if isinstance(place, GrantPlace):
            return place.grant.grant_id or place.grant.name or f"number {place.policy + 1}"
        return place.statement.sid or f"number {place.statement.index + 1}"

    @property
    def effect(self) -> str:
        """``Allow`` or ``Deny``."""
        return self.place.statement.effect if isinstance(self.place, Place) else "Allow"

    @property
    def how(self) -> str:
        """Whom a matching grant or Allow of a resource-based policy names.

        ``account`` (it leaves the decision to IAM), ``role`` or ``caller``; else empty.
        """
        place = self.place
        if isinstance(place, GrantPlace):
            return _HOW[_look(self._scene, place)[0]]
        if self.failed_on or place.layer is not _RESOURCE or self.effect == "Deny":
            return ""
        return _HOW[place.match]

    @property
    def detail(self) -> str:
        """Why it matched or not, in a sentence."""
        place, scene = self.place, self._scene
        if isinstance(place, GrantPlace):
            detail = _look(scene, place)[2]
            return f"{detail[0].upper()}{detail[1:]}."
        if self.failed_on:
            return _why_not(scene, place, self.failed_on)
        return _matched_detail(scene, place)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and self.place is other.place and self._scene is other._scene

    def __hash__(self) -> int:
        return id(self.place)

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _IN_STEP}

    def __repr__(self) -> str:
        came_to = f"failed on {self.failed_on}" if self.failed_on else "matched"
        return f"<Step {self.effect} {self.statement} of {self.policy}: {came_to}>"


_IN_STEP = (
    "layer",
    "policy",
    "statement",
    "effect",
    "matched",
    "failed_on",
    "detail",
    "level",
    "policy_index",
    "index",
    "how",
)


@dataclass(frozen=True, slots=True)
class LayerView:
    """One kind of policy: whether it has a say, what it says, and its statements.

    ``verdict`` is ``Allow``, ``Deny`` (explicit), ``No allow``, ``Left to IAM`` (a key or trust
    policy that names the account) or ``Not applied``.
    """

    layer: str
    title: str
    verdict: str
    detail: str
    steps: tuple[Step, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "layer": self.layer,
            "title": self.title,
            "verdict": self.verdict,
            "detail": self.detail,
            "steps": [step.to_dict() for step in self.steps],
        }


# ---------------------------------------------------------------- steps

_HOW = {Match.ACCOUNT: "account", Match.LIMITED: "role", Match.DIRECT: "caller", Match.NONE: ""}


def steps_of(scene: Scene) -> tuple[Step, ...]:
    """Every statement and grant that is looked at, in the order in which AWS looks."""
    out: list[Step] = []
    grants: list[Step] = []
    if scene.plan.grants and scene.has_a_say(_GRANT):
        grants = [Step(scene, place, _grant_failed_on(scene, place)) for place in scene.plan.grants]
    for layer, places in scene.plan.layers:
        if grants and layer in _AFTER_GRANTS:
            out += grants
            grants = []
        if scene.has_a_say(layer):
            for place in places:
                failed_on = place.settled
                out.append(
                    Step(scene, place, scene.failed_on(place) if failed_on is None else failed_on)
                )
    return (*out, *grants)


_AFTER_GRANTS = (_IDENTITY, _BOUNDARY, _SESSION)


def _why_not(scene: Scene, place: Place, failed_on: FailedOn) -> str:
    """What is said of the part that does not fit."""
    statement = place.statement
    match failed_on:
        case "principal":
            spec = statement.principal
            if spec is None:
                return "It names no principal, so it has no effect."
            names = sorted(spec.accounts | spec.arns | spec.services | spec.federated)
            listed = ", ".join(names[:4]) or "nobody"
            if spec.negated:
                return f"It leaves out {listed}, and the caller is one of them."
            return f"It is about {listed}; the caller is {scene.request.principal}."
        case "action":
            actions = statement.actions
            if actions is None:
                return "It names no action, so it has no effect."
            listed = ", ".join(actions.written[:6])
            if actions.negated:
                return f"It is about everything except {listed}."
            return f"It is about {listed}, not {scene.request.action}."
        case "resource":
            resources = statement.resources
            if resources is None:
                return "It names no resource, so it has no effect."
            listed = ", ".join(resources.written[:3])
            if resources.negated:
                return f"It is about every resource except {listed}."
            return f"It is about {listed}, not {scene.resource}."
        case _:
            context = scene.context_for(place)
            broken = next(c for c in statement.conditions if not c.holds(context))
            return f"Its condition is not met: {broken.explain(context)}."


def _matched_detail(scene: Scene, place: Place) -> str:
    parts = []
    statement = place.statement
    spec = statement.principal
    if place.layer is _RESOURCE and spec is not None and statement.effect == "Allow":
        match place.match:
            case Match.ACCOUNT:
                parts.append(
                    f"It names account {scene.caller.account}, which leaves the decision to that "
                    "account's IAM policies."
                )
            case Match.LIMITED:
                parts.append("It names the identity behind this session.")
            case Match.DIRECT if not spec.everyone:
                parts.append("It names the caller.")
            case _:
                parts.append("It means everyone.")
    conditions = [condition.explain(scene.context) for condition in statement.conditions]
    if conditions:
        parts.append(f"Its conditions are met: {'; '.join(conditions)}.")
    verb = "allows" if statement.effect == "Allow" else "denies"
    parts.append(f"It {verb} {scene.request.action} on this resource.")
    return " ".join(parts)


def _look(scene: Scene, place: GrantPlace) -> tuple[Match, str, str]:
    return fails_on(place.grant, scene.request, scene.operation, scene.caller, scene.context)


def _grant_failed_on(scene: Scene, place: GrantPlace) -> FailedOn:
    match, failed, _ = _look(scene, place)
    if match is not Match.NONE:
        return ""
    if failed in ("resource", "action", "condition"):
        return failed  # type: ignore[return-value]
    return "principal"


# ---------------------------------------------------------------- layers


def layers_of(scene: Scene, every: tuple[Step, ...]) -> tuple[LayerView, ...]:
    """Each kind of policy in the order in which AWS looks, with its statements.

    ``every`` is what :func:`steps_of` found.
    """
    policies, caller = scene.policies, scene.caller
    out: list[LayerView] = []

    def add(layer: Layer, title: str, verdict: str, detail: str) -> None:
        steps = tuple(step for step in every if step.place.layer is layer)
        out.append(LayerView(layer.value, title, verdict, detail, steps))

    def of(layer: Layer) -> list[Step]:
        return [step for step in every if step.place.layer is layer]

    if policies.rcps is not None:
        add(_RCP, "Resource control policies", *_capped(scene, _RCP, of(_RCP)))
    if policies.scps is not None:
        add(_SCP, "Service control policies", *_capped(scene, _SCP, of(_SCP)))
    if policies.vpc_endpoint is not None:
        add(_ENDPOINT, "VPC endpoint policy", *_plain(of(_ENDPOINT)))
    if policies.resource is not None or scene.model in (_KEY, _TRUST):
        title = title_of(scene.service)
        heading = title[0].upper() + title[1:]
        add(_RESOURCE, heading, *_by_resource(scene, of(_RESOURCE)))
    if scene.has_a_say(_GRANT) and policies.grants:
        if any(step.matched for step in of(_GRANT)):
            add(_GRANT, "Grants", "Allow", "A grant allows it.")
        else:
            add(_GRANT, "Grants", "No allow", "No grant covers this request.")
    title = "Identity-based policies"
    if has_identity(caller):
        add(_IDENTITY, title, *_plain(of(_IDENTITY)))
        if policies.boundary is not None:
            add(_BOUNDARY, "Permissions boundary", *_plain(of(_BOUNDARY)))
        if policies.session is not None:
            add(_SESSION, "Session policy", *_plain(of(_SESSION)))
    elif caller.kind == "root":
        why = "IAM policies cannot be attached to the root user and do not limit it."
        add(_IDENTITY, title, "Not applied", why)
    else:
        add(_IDENTITY, title, "Not applied", "The caller has no IAM policies.")
    return tuple(out)


def _capped(scene: Scene, layer: Layer, steps: list[Step]) -> tuple[str, str]:
    """What the organization's policies of a kind come to: verdict and detail."""
    if not scene.has_a_say(layer):
        return "Not applied", (
            "SCPs cap users and roles of member accounts; not this caller."
            if layer is _SCP
            else "RCPs cap resources of member accounts of the services that support them; "
            "not this one."
        )
    if any(step.matched and step.effect == "Deny" for step in steps):
        return "Deny", "A statement denies the request."
    if layer is _RCP:
        return "Allow", "No statement denies it, and RCPFullAWSAccess, always attached, allows all."
    allowing = {step.level for step in steps if step.matched}
    for level in range(len(scene.policies.scps or ())):
        if level not in allowing:
            return "No allow", f"Nothing at {level_name(scene.policies, layer, level)} allows it."
    return "Allow", (
        "Every level allows it. This gives nobody anything; it only does not stand in the way."
    )


def _by_resource(scene: Scene, steps: list[Step]) -> tuple[str, str]:
    """What the resource's policy comes to: verdict and detail."""
    if not scene.has_a_say(_RESOURCE):
        return "Not applied", f"A key policy has no say in {scene.request.action}."
    verdict, detail = _plain(steps)
    if verdict == "Allow" and all(step.how == "account" for step in steps if step.matched):
        account = scene.caller.account
        return "Left to IAM", f"It names account {account}: that account's IAM policies decide."
    return verdict, detail


def _plain(steps: list[Step]) -> tuple[str, str]:
    if any(step.matched and step.effect == "Deny" for step in steps):
        return "Deny", "A statement denies the request."
    if any(step.matched for step in steps):
        return "Allow", "A statement allows the request."
    return "No allow", "No statement allows the request."


# ---------------------------------------------------------------- the one sentence

_CLOSENESS = {"condition": 3, "resource": 2, "action": 1}


def _nearest(scene: Scene, layer: Layer) -> str:
    """A hint at the Allow that came closest, if one came close.

    Nearly every statement of an IAM policy is about the caller, so there the action must fit. Of
    two that come equally close, the one that names the caller is nearer than the account's.
    """
    best, rank = None, (0 if layer is _RESOURCE else 1, Match.DIRECT)
    for own, places in scene.plan.layers:
        for place in places if own is layer else ():
            failed_on = scene.failed_on(place)
            if failed_on in ("", "principal") or place.statement.effect == "Deny":
                continue
            closeness = (_CLOSENESS[failed_on], place.match)
            if closeness > rank:
                best, rank = place, closeness
    if best is None:
        return ""
    where = f"the {best.label}" if layer is _RESOURCE else best.label
    failed_on = scene.failed_on(best)
    detail = _why_not(scene, best, failed_on)
    return (
        f" The nearest statement is {best.statement.name} of {where}: "
        f"{detail[0].lower()}{detail[1:]}" + (_MEET_IT if failed_on == "condition" else "")
    )


_MEET_IT = " Or change that condition, or make a request that meets it."


def _nearest_grant(scene: Scene) -> str:
    """A hint at a grant for the caller that does not fit this request."""
    for place in scene.plan.grants if scene.model is _KEY else ():
        match, failed, detail = _look(scene, place)
        if match is Match.NONE and failed in ("action", "condition"):
            return f" There is a grant for {scene.caller.spoken}, but {detail}." + (
                _MEET_CONSTRAINT if failed == "condition" else ""
            )
    return ""


_MEET_CONSTRAINT = " Or make a request that meets it, or another grant."


def _advice(scene: Scene, principals: str, title: str) -> str:
    """Whom to allow in the resource's policy, if anybody may still change it."""
    return _nobody_can(scene) or f"; add an Allow for {principals} to the {title}."


def _nobody_can(scene: Scene) -> str:
    """What to know of a key whose policy lets nobody change it any more."""
    if scene.model is not _KEY:
        return ""
    for compiled in scene.policies.resource or ():
        for statement in compiled.document.statements:
            actions = statement.actions
            if statement.effect == "Allow" and actions and actions.match("kms:putkeypolicy"):
                return ""
    return (
        ". And nobody may change this key policy any more, because no statement of it allows "
        "kms:PutKeyPolicy: only AWS Support can help."
    )


def _the(scene: Scene, layer: Layer) -> str:
    """The document of a layer, by its name where there is one alone."""
    documents = scene.policies.vpc_endpoint if layer is _ENDPOINT else scene.policies.boundary
    if documents is not None and len(documents) == 1:
        return label(scene.policies, scene.service, layer, 0, 0)
    return layer.short


def _root(scene: Scene) -> str:
    return scene.caller.account_root


def _of_account(scene: Scene) -> str:
    caller = scene.caller
    return (
        caller.spoken if caller.kind == "root" else f"{caller.spoken} of account {caller.account}"
    )


def _account_or_caller(scene: Scene) -> str:
    return " or ".join(dict.fromkeys((_root(scene), _caller_arn(scene))))


def _caller_arn(scene: Scene) -> str:
    return scene.caller.identity


def because(scene: Scene, verdict: Verdict) -> str:
    """One sentence that says what settled it and, if refused, which document to change.

    A second sentence is added where a statement came close.
    """
    if verdict.outcome is Outcome.EXPLICIT:
        return _because_denied(scene, verdict)
    if verdict.outcome is Outcome.ALLOWED:
        return _because_allowed(scene, verdict)
    return _because_missing(scene, verdict)


def _because_denied(scene: Scene, verdict: Verdict) -> str:
    decided = verdict.decided[0]
    assert isinstance(decided, Place)
    owner = _owner(scene, decided.layer)
    condition, way_out = "", "only changing that statement helps"
    if decided.statement.conditions:
        held = "; ".join(c.explain(scene.context) for c in decided.statement.conditions)
        condition = f", because {held}"
        way_out = "change that statement, or make a request that its condition does not hit"
    elif decided.statement.principal is not None and decided.statement.principal.negated:
        condition = ", because its NotPrincipal does not leave out the caller"
        if scene.has_boundary:
            condition = (
                ", because NotPrincipal with Deny hits every user and role that has a "
                "permissions boundary"
            )
    return (
        f"Denied by {decided.spoken}{owner}: it denies "
        f"{scene.request.action} to {scene.caller.spoken}{condition}. A Deny wins over every "
        f"Allow, so {way_out}."
    )


def _owner(scene: Scene, layer: Layer) -> str:
    if layer is _RESOURCE:
        return f" of {spoken_resource(scene.resource)}"
    if layer in (_IDENTITY, _BOUNDARY):
        return f" of {_identity_spoken(scene)}"
    return ""


def _identity_spoken(scene: Scene) -> str:
    caller = scene.caller
    if caller.kind == "session":
        return f"role {caller.identity.rsplit('/', 1)[-1]}"
    return caller.spoken


def _because_allowed(scene: Scene, verdict: Verdict) -> str:
    action, who, what = scene.request.action, scene.caller.spoken, spoken_resource(scene.resource)
    names = [
        d.spoken
        for d in verdict.decided
        if isinstance(d, Place) and (d.layer is _RESOURCE or d.layer is _IDENTITY)
    ]
    match verdict.reason:
        case "resource":
            return (
                f"Allowed: {names[0]} of {what} gives {action} to {who} directly; in the same "
                "account nothing else is needed."
            )
        case "grant":
            grant = next(d.grant for d in verdict.decided if isinstance(d, GrantPlace))
            ident = f" {grant.grant_id}" if grant.grant_id else ""
            if scene.model is Model.RETIRE:
                return f"Allowed: {who} may retire grant{ident}."
            return f"Allowed: grant{ident} on {what} gives {action} to {who}."
        case "delegated":
            iam = f" and {names[1]} allows it" if len(names) > 1 else ""
            return (
                f"Allowed: {names[0]} of {what} leaves {action} to the IAM policies of account "
                f"{scene.caller.account},{iam or ' and its root user may do everything there'}."
            )
        case "across":
            iam = (
                f"{names[1]} in account {scene.caller.account} does too"
                if len(names) > 1
                else f"the root user of account {scene.caller.account} needs no IAM policy"
            )
            return (
                f"Allowed: {names[0]} of {what} lets account {scene.caller.account} in, and {iam}; "
                "across accounts both sides must allow."
            )
        case _:
            if names:
                return f"Allowed: {names[-1]} allows {action} to {who}."
            return f"Allowed: {who} may do everything in the account that policies do not deny."


def _because_missing(scene: Scene, verdict: Verdict) -> str:
    request, caller = scene.request, scene.caller
    action, who, what = request.action, caller.spoken, spoken_resource(scene.resource)
    title = title_of(scene.service)
    match verdict.reason:
        case "scp":
            where = level_name(scene.policies, _SCP, verdict.level)
            own = (scene.policies.scps or ())[verdict.level]
            attached = ", ".join(f'"{one.name}"' for one in own if one.name) or "none with a name"
            return (
                f"Not allowed: no service control policy at {where} allows {action}, and each "
                f"level above and at account {caller.account} must; add it to an SCP there. "
                f"Attached there: {attached}."
            )
        case "endpoint":
            return (
                f"Not allowed: the request came through a VPC endpoint, and the "
                f"{_the(scene, _ENDPOINT)} does not allow {action} to {who}; add it to the VPC "
                "endpoint policy." + _nearest(scene, _ENDPOINT)
            )
        case "not-cross-account":
            return (
                f"Not allowed: {action} never works on a key of another account, whatever the "
                f"policies say; call it from account {scene.resource_account}, to which {what} "
                "belongs."
            )
        case "retire":
            return (
                f"Not allowed: a grant is retired by its retiring principal, by its grantee if it "
                f"contains RetireGrant, or by the root user of the account where it was made, and "
                f"{who} is none of these; use RevokeGrant, or name {who} when making the grant."
            )
        case "resource-missing":
            return _resource_missing(scene, title)
        case "role-limited":
            by = verdict.decided[0] if verdict.decided else None
            named = f" (statement {by.statement.name})" if isinstance(by, Place) else ""
            return (
                f"Not allowed: the {title} of {what} names {_identity_spoken(scene)}{named}, but "
                + _limit(scene, verdict.layer)
            )
        case "delegated-missing":
            start = (
                f"Not allowed: the {title} of {what} leaves {action} to the IAM policies of "
                f"account {caller.account}, "
            )
            return start + _iam_missing(scene, verdict.layer)
        case "across-resource-missing":
            iam = (
                f" The IAM policies of {_identity_spoken(scene)} allow it: only half of it."
                if missing_in_iam(scene)[0] is None and has_identity(caller)
                else f" The IAM policies of {_identity_spoken(scene)} must allow it as well."
                if has_identity(caller)
                else ""
            )
            return (
                f"Not allowed: {what} belongs to account {scene.resource_account}, and its {title} "
                f"does not let {_of_account(scene)} {_do(action)}; add an Allow for "
                f"{_account_or_caller(scene)} to that {title}."
                + iam
                + (_nearest_grant(scene) or _nearest(scene, _RESOURCE))
            )
        case "across-iam-missing":
            start = (
                f"Not allowed: the {title} of {what} in account {scene.resource_account} lets "
                f"account {caller.account} in, "
            )
            return start + _iam_missing(scene, verdict.layer)
        case _:
            if verdict.layer is _IDENTITY:
                note = ""
                if scene.service == "kms" and scene.policies.resource:
                    note = " A key policy has no say in it."
                return (
                    f"Not allowed: no IAM policy of {_identity_spoken(scene)} allows {action} on "
                    f"{what}; add an Allow for it to an IAM policy of {_identity_spoken(scene)}."
                    f"{note}" + _nearest(scene, _IDENTITY)
                )
            return (
                f"Not allowed: an IAM policy of {_identity_spoken(scene)} allows {action}, but "
                + _limit(scene, verdict.layer)
            )


def _do(action: str) -> str:
    return f"use {action}"


def _resource_missing(scene: Scene, title: str) -> str:
    request, caller = scene.request, scene.caller
    what = spoken_resource(scene.resource)
    if scene.model is Model.EITHER:
        return (
            f"Not allowed: the {title} of {what} does not allow {request.action} to "
            f"{caller.spoken}, who has no IAM policies that could; add an Allow to that {title}."
            + _nearest(scene, _RESOURCE)
        )
    if not has_identity(caller) and caller.kind != "root":
        return (
            f"Not allowed: the {title} of {what} does not allow {request.action} to "
            f"{caller.spoken}; add an Allow with that principal to the {title}."
            + _nearest(scene, _RESOURCE)
        )
    if caller.kind == "root":
        return (
            f"Not allowed: the {title} of {what} does not allow {request.action} to account "
            f"{caller.account}, and without it not even the root user may"
            + _advice(scene, _root(scene), title)
            + _nearest(scene, _RESOURCE)
        )
    extra = ""
    if has_identity(caller) and missing_in_iam(scene)[0] is None:
        extra = (
            f" An IAM policy of {_identity_spoken(scene)} allows it, but that counts only where "
            f"the {title} names the account."
        )
    return (
        f"Not allowed: the {title} of {what} neither allows {request.action} to {caller.spoken} "
        f"nor leaves it to IAM by naming account {caller.account}"
        + _advice(scene, f"{_caller_arn(scene)} or {_root(scene)}", title)
        + extra
        + (_nearest_grant(scene) or _nearest(scene, _RESOURCE))
    )


def _iam_missing(scene: Scene, layer: Layer | None) -> str:
    if layer is _IDENTITY:
        who = _identity_spoken(scene)
        return (
            f"but no IAM policy of {who} allows {scene.request.action} on {scene.resource}; add "
            f"an Allow for it to an IAM policy of {who}."
            + (_nearest_grant(scene) or _nearest(scene, _IDENTITY))
        )
    return "and an IAM policy allows it, but " + _limit(scene, layer)


def _limit(scene: Scene, layer: Layer | None) -> str:
    action, who = scene.request.action, _identity_spoken(scene)
    if layer is _BOUNDARY:
        return (
            f"the {_the(scene, _BOUNDARY)} of {who} does not allow {action}, and nothing outside a "
            f"boundary is possible; add it to the permissions boundary."
            + _nearest(scene, _BOUNDARY)
        )
    return (
        f"the session policy given when this session was made does not allow {action}; make the "
        "session with a session policy that does." + _nearest(scene, _SESSION)
    )
