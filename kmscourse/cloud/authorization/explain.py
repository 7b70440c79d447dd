"""A decision in words: every statement with what it failed on, and the one sentence that helps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from kmscourse.cloud.authorization.document import Statement
from kmscourse.cloud.authorization.engine import (
    Decided,
    Layer,
    Model,
    Outcome,
    Scene,
    Verdict,
    has_identity,
    missing_in_iam,
)
from kmscourse.cloud.authorization.grants import fails_on
from kmscourse.cloud.authorization.model import Compiled, Grant
from kmscourse.cloud.authorization.principals import Match

__all__ = ["LayerView", "Step", "because", "layers_of", "policy_label"]

FailedOn = Literal["", "principal", "action", "resource", "condition"]


@dataclass(frozen=True, slots=True)
class Step:
    """One statement (or grant) that AWS looks at.

    Attributes:
        layer: the kind of policy, in AWS's words, e.g. ``identity-based policy``.
        policy: which document, e.g. ``key policy`` or ``IAM policy "AllowDecrypt"``.
        statement: its Sid, or ``number 2`` when it has none; a grant's id.
        effect: ``Allow`` or ``Deny``.
        matched: whether it applies to the request.
        failed_on: the first part that did not match: ``principal``, ``action``, ``resource`` or
            ``condition``; empty if it matched.
        detail: why, in a sentence.
        level: for SCPs and RCPs, counted from the root (0).
        policy_index, index: which document of the layer and which statement of it, from 0.
        how: for a matching Allow of a resource-based policy, whom it names: ``account`` (it leaves
            the decision to IAM), ``role`` or ``caller``; else empty.
    """

    layer: str
    policy: str
    statement: str
    effect: str
    matched: bool
    failed_on: FailedOn
    detail: str
    level: int = 0
    policy_index: int = 0
    index: int = 0
    how: str = ""


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
        return asdict(self)


# ---------------------------------------------------------------- names of things


def resource_title(scene: Scene) -> str:
    """What the resource's policy is called."""
    if scene.model is Model.TRUST:
        return "role trust policy"
    return {"kms": "key policy", "s3": "bucket policy"}.get(scene.service, "resource-based policy")


def spoken_resource(scene: Scene) -> str:
    """The resource in words."""
    resource = scene.resource
    parts = resource.split(":", 5)
    if len(parts) < 6:
        return resource
    rest = parts[5]
    if parts[2] == "kms":
        return rest.replace("key/", "key ", 1) if rest.startswith("key/") else rest
    if parts[2] == "s3":
        bucket, slash, key = rest.partition("/")
        return f"object {key} in bucket {bucket}" if slash else f"bucket {bucket}"
    if parts[2] == "iam" and rest.startswith("role/"):
        return f"role {rest.rsplit('/', 1)[-1]}"
    return resource


def policy_label(scene: Scene, layer: Layer, level: int, index: int) -> str:
    """Which document, in words that are enough to find it."""
    documents = _documents(scene, layer, level)
    named = documents[index].name if index < len(documents) else ""
    many = len(documents) > 1
    title = {
        Layer.RCP: "RCP",
        Layer.SCP: "SCP",
        Layer.ENDPOINT: "VPC endpoint policy",
        Layer.RESOURCE: resource_title(scene),
        Layer.IDENTITY: "IAM policy",
        Layer.BOUNDARY: "permissions boundary",
        Layer.SESSION: "session policy",
    }.get(layer, layer.value)
    label = f'{title} "{named}"' if named else f"{title} {index + 1}" if many else title
    if layer in (Layer.RCP, Layer.SCP):
        label += f" at {_level(scene, layer, level)}"
    return label


def _level(scene: Scene, layer: Layer, level: int) -> str:
    levels = (scene.policies.scps if layer is Layer.SCP else scene.policies.rcps) or ()
    if level == 0:
        return "the organization's root"
    if level == len(levels) - 1:
        return "the account"
    return f"organizational unit level {level}"


def _documents(scene: Scene, layer: Layer, level: int) -> tuple[Compiled, ...]:
    policies = scene.policies
    match layer:
        case Layer.RCP:
            return (policies.rcps or ())[level]
        case Layer.SCP:
            return (policies.scps or ())[level]
        case Layer.ENDPOINT:
            return policies.vpc_endpoint or ()
        case Layer.RESOURCE:
            return policies.resource or ()
        case Layer.IDENTITY:
            return policies.identity
        case Layer.BOUNDARY:
            return policies.boundary or ()
        case Layer.SESSION:
            return policies.session or ()
        case _:
            return ()


# ---------------------------------------------------------------- steps

_HOW = {Match.ACCOUNT: "account", Match.LIMITED: "role", Match.DIRECT: "caller", Match.NONE: ""}


def step_of(scene: Scene, layer: Layer, level: int, index: int, statement: Statement) -> Step:
    """Look at one statement part by part."""
    failed_on, detail = _first_failure(scene, layer, statement)
    how = ""
    if not failed_on:
        detail = _matched_detail(scene, layer, statement)
        if layer is Layer.RESOURCE and statement.effect == "Allow" and statement.principal:
            how = _HOW[statement.principal.match(scene.caller)]
    return Step(
        layer.value,
        policy_label(scene, layer, level, index),
        statement.sid or f"number {statement.index + 1}",
        statement.effect,
        not failed_on,
        failed_on,
        detail,
        level,
        index,
        statement.index,
        how,
    )


def _first_failure(scene: Scene, layer: Layer, statement: Statement) -> tuple[FailedOn, str]:
    spec = statement.principal
    if layer in (Layer.RCP, Layer.ENDPOINT, Layer.RESOURCE):
        if spec is None:
            return "principal", "It names no principal, so it has no effect."
        if not spec.covers(
            scene.caller, denying=statement.effect == "Deny", has_boundary=scene.has_boundary
        ):
            names = sorted(spec.accounts | spec.arns | spec.services | spec.federated)
            listed = ", ".join(names[:4]) or "nobody"
            if spec.negated:
                return "principal", f"It leaves out {listed}, and the caller is one of them."
            return "principal", f"It is about {listed}; the caller is {scene.request.principal}."
    actions = statement.actions
    if actions is None:
        return "action", "It names no action, so it has no effect."
    if not actions.match(scene.action):
        listed = ", ".join(actions.written[:6])
        if actions.negated:
            return "action", f"It is about everything except {listed}."
        return "action", f"It is about {listed}, not {scene.request.action}."
    scene.context.in_key_policy = layer is Layer.RESOURCE and scene.model is Model.KEY
    resources = statement.resources
    trust = layer is Layer.RESOURCE and scene.model is Model.TRUST
    if resources is None:
        if not trust:
            return "resource", "It names no resource, so it has no effect."
    elif not resources.match(scene.resource, scene.context):
        listed = ", ".join(resources.written[:3])
        if resources.negated:
            return "resource", f"It is about every resource except {listed}."
        return "resource", f"It is about {listed}, not {scene.resource}."
    for condition in statement.conditions:
        if not condition.holds(scene.context):
            return "condition", f"Its condition is not met: {condition.explain(scene.context)}."
    return "", ""


def _matched_detail(scene: Scene, layer: Layer, statement: Statement) -> str:
    parts = []
    spec = statement.principal
    if layer is Layer.RESOURCE and spec is not None and statement.effect == "Allow":
        match spec.match(scene.caller):
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


def _grant_step(scene: Scene, index: int, grant: Grant) -> Step:
    match, failed, detail = fails_on(
        grant, scene.request, scene.operation, scene.caller, scene.context
    )
    failed_on: FailedOn = "principal"
    if failed in ("resource", "action", "condition"):
        failed_on = failed  # type: ignore[assignment]
    return Step(
        Layer.GRANT.value,
        "grant",
        grant.grant_id or grant.name or f"number {index + 1}",
        "Allow",
        match is not Match.NONE,
        "" if match is not Match.NONE else failed_on,
        detail[0].upper() + detail[1:] + ".",
        0,
        index,
        0,
        _HOW[match],
    )


def step_for(scene: Scene, decided: Decided) -> Step:
    """The step of something that settled the decision."""
    if decided.grant is not None:
        return _grant_step(scene, decided.policy, decided.grant)
    assert decided.statement is not None
    return step_of(scene, decided.layer, decided.level, decided.policy, decided.statement)


def _steps(scene: Scene, layer: Layer, level: int = 0) -> list[Step]:
    return [
        step_of(scene, layer, level, index, statement)
        for index, compiled in enumerate(_documents(scene, layer, level))
        for statement in compiled.document.statements
    ]


# ---------------------------------------------------------------- layers


def layers_of(scene: Scene) -> tuple[LayerView, ...]:
    """Each kind of policy in the order in which AWS looks, with its statements."""
    policies, caller = scene.policies, scene.caller
    out: list[LayerView] = []

    def add(layer: Layer, title: str, verdict: str, detail: str, steps: list[Step]) -> None:
        out.append(LayerView(layer.value, title, verdict, detail, tuple(steps)))

    def capped(layer: Layer, title: str, levels: object, applies: bool, why_not: str) -> None:
        if levels is None:
            return
        if not applies:
            add(layer, title, "Not applied", why_not, [])
            return
        assert isinstance(levels, tuple)
        steps = [step for level in range(len(levels)) for step in _steps(scene, layer, level)]
        if any(step.matched and step.effect == "Deny" for step in steps):
            add(layer, title, "Deny", "A statement denies the request.", steps)
            return
        if layer is Layer.SCP:
            for level in range(len(levels)):
                if not any(s.matched and s.effect == "Allow" and s.level == level for s in steps):
                    where = _level(scene, layer, level)
                    add(layer, title, "No allow", f"Nothing at {where} allows it.", steps)
                    return
        detail = (
            "Every level allows it. This gives nobody anything; it only does not stand in the way."
        )
        if layer is Layer.RCP:
            detail = "No statement denies it, and RCPFullAWSAccess, always attached, allows all."
        add(layer, title, "Allow", detail, steps)

    capped(
        Layer.RCP,
        "Resource control policies",
        policies.rcps,
        scene.rcp_applies,
        "RCPs cap resources of member accounts of the services that support them; not this one.",
    )
    capped(
        Layer.SCP,
        "Service control policies",
        policies.scps,
        scene.scp_applies,
        "SCPs cap users and roles of member accounts; not this caller.",
    )
    if policies.vpc_endpoint is not None:
        steps = _steps(scene, Layer.ENDPOINT)
        add(Layer.ENDPOINT, "VPC endpoint policy", *_plain(steps), steps)
    title = resource_title(scene)
    heading = title[0].upper() + title[1:]
    if policies.resource is not None or scene.model in (Model.KEY, Model.TRUST):
        if scene.model in (Model.IDENTITY_ONLY, Model.RETIRE):
            detail = f"A key policy has no say in {scene.request.action}."
            add(Layer.RESOURCE, heading, "Not applied", detail, [])
        else:
            steps = _steps(scene, Layer.RESOURCE)
            verdict, detail = _plain(steps)
            if verdict == "Allow" and all(
                step.how == "account" for step in steps if step.matched and step.effect == "Allow"
            ):
                verdict = "Left to IAM"
                detail = f"It names account {caller.account}: that account's IAM policies decide."
            add(Layer.RESOURCE, heading, verdict, detail, steps)
    if scene.model in (Model.KEY, Model.RETIRE) and policies.grants:
        steps = [_grant_step(scene, index, grant) for index, grant in enumerate(policies.grants)]
        verdict = "Allow" if any(step.matched for step in steps) else "No allow"
        detail = "A grant allows it." if verdict == "Allow" else "No grant covers this request."
        add(Layer.GRANT, "Grants", verdict, detail, steps)
    if has_identity(caller):
        steps = _steps(scene, Layer.IDENTITY)
        add(Layer.IDENTITY, "Identity-based policies", *_plain(steps), steps)
        if policies.boundary is not None:
            steps = _steps(scene, Layer.BOUNDARY)
            add(Layer.BOUNDARY, "Permissions boundary", *_plain(steps), steps)
        if policies.session is not None:
            steps = _steps(scene, Layer.SESSION)
            add(Layer.SESSION, "Session policy", *_plain(steps), steps)
    elif caller.kind == "root":
        add(
            Layer.IDENTITY,
            "Identity-based policies",
            "Not applied",
            "IAM policies cannot be attached to the root user and do not limit it.",
            [],
        )
    else:
        add(
            Layer.IDENTITY,
            "Identity-based policies",
            "Not applied",
            "The caller has no IAM policies.",
            [],
        )
    return tuple(out)


def _plain(steps: list[Step]) -> tuple[str, str]:
    if any(step.matched and step.effect == "Deny" for step in steps):
        return "Deny", "A statement denies the request."
    if any(step.matched for step in steps):
        return "Allow", "A statement allows the request."
    return "No allow", "No statement allows the request."


# ---------------------------------------------------------------- the one sentence

_CLOSENESS = {"condition": 3, "resource": 2, "action": 1, "principal": 0, "": 4}


def _nearest(scene: Scene, layer: Layer) -> str:
    """A hint at the Allow that came closest, if one came close."""
    best: Step | None = None
    for step in _steps(scene, layer):
        if step.effect != "Allow" or step.matched:
            continue
        rank = _CLOSENESS[step.failed_on]
        if layer is not Layer.RESOURCE and rank < 2:
            continue
        if rank >= 1 and (best is None or rank > _CLOSENESS[best.failed_on]):
            best = step
    if best is None:
        return ""
    which = best.statement if best.statement.startswith("number ") else f'"{best.statement}"'
    where = f" of the {best.policy}" if layer is Layer.RESOURCE else f" of {best.policy}"
    return f" The nearest statement is {which}{where}: {best.detail[0].lower()}{best.detail[1:]}"


def _root(scene: Scene) -> str:
    return scene.caller.account_root


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
    assert decided.statement is not None
    label = policy_label(scene, decided.layer, decided.level, decided.policy)
    owner = _owner(scene, decided.layer)
    condition = ""
    if decided.statement.conditions:
        held = "; ".join(c.explain(scene.context) for c in decided.statement.conditions)
        condition = f", because {held}"
    elif decided.statement.principal is not None and decided.statement.principal.negated:
        condition = ", because its NotPrincipal does not leave out the caller"
        if scene.has_boundary:
            condition = (
                ", because NotPrincipal with Deny hits every user and role that has a "
                "permissions boundary"
            )
    return (
        f"Denied by statement {decided.statement.name} of the {label}{owner}: it denies "
        f"{scene.request.action} to {scene.caller.spoken}{condition}. A Deny wins over every "
        "Allow, so only changing that statement helps."
    )


def _owner(scene: Scene, layer: Layer) -> str:
    if layer is Layer.RESOURCE:
        return f" of {spoken_resource(scene)}"
    if layer in (Layer.IDENTITY, Layer.BOUNDARY):
        return f" of {_identity_spoken(scene)}"
    return ""


def _identity_spoken(scene: Scene) -> str:
    caller = scene.caller
    if caller.kind == "session":
        return f"role {caller.identity.rsplit('/', 1)[-1]}"
    return caller.spoken


def _because_allowed(scene: Scene, verdict: Verdict) -> str:
    action, who, what = scene.request.action, scene.caller.spoken, spoken_resource(scene)
    names = [
        f"statement {d.statement.name} of the {policy_label(scene, d.layer, d.level, d.policy)}"
        for d in verdict.decided
        if d.statement is not None and d.layer in (Layer.RESOURCE, Layer.IDENTITY)
    ]
    match verdict.reason:
        case "resource":
            return (
                f"Allowed: {names[0]} of {what} gives {action} to {who} directly; in the same "
                "account nothing else is needed."
            )
        case "grant":
            grant = next(d.grant for d in verdict.decided if d.grant is not None)
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
    action, who, what = request.action, caller.spoken, spoken_resource(scene)
    title = resource_title(scene)
    match verdict.reason:
        case "scp":
            where = _level(scene, Layer.SCP, verdict.level)
            return (
                f"Not allowed: no service control policy at {where} allows {action}, and each "
                f"level above and at account {caller.account} must; add it to an SCP there."
            )
        case "endpoint":
            return (
                f"Not allowed: the request came through a VPC endpoint whose policy does not allow "
                f"{action} to {who}; add it to the VPC endpoint policy."
                + _nearest(scene, Layer.ENDPOINT)
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
            by = verdict.decided[0].statement if verdict.decided else None
            named = f" (statement {by.name})" if by is not None else ""
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
                f" {_identity_spoken(scene)}'s IAM policies do allow it, which is only half of it."
                if missing_in_iam(scene)[0] is None and has_identity(caller)
                else f" The IAM policies of {_identity_spoken(scene)} must allow it as well."
                if has_identity(caller)
                else ""
            )
            return (
                f"Not allowed: {what} belongs to account {scene.resource_account}, and its {title} "
                f"does not let {who} of account {caller.account} {_do(action)}; add an Allow for "
                f"{_root(scene)} or {_caller_arn(scene)} to that {title}."
                + iam
                + _nearest(scene, Layer.RESOURCE)
            )
        case "across-iam-missing":
            start = (
                f"Not allowed: the {title} of {what} in account {scene.resource_account} lets "
                f"account {caller.account} in, "
            )
            return start + _iam_missing(scene, verdict.layer)
        case _:
            if verdict.layer is Layer.IDENTITY:
                note = ""
                if scene.service == "kms" and scene.policies.resource:
                    note = " A key policy has no say in it."
                return (
                    f"Not allowed: no IAM policy of {_identity_spoken(scene)} allows {action} on "
                    f"{what}; add an Allow for it to one of them.{note}"
                    + _nearest(scene, Layer.IDENTITY)
                )
            return (
                f"Not allowed: an IAM policy of {_identity_spoken(scene)} allows {action}, but "
                + _limit(scene, verdict.layer)
            )


def _do(action: str) -> str:
    return f"use {action}"


def _resource_missing(scene: Scene, title: str) -> str:
    request, caller = scene.request, scene.caller
    what = spoken_resource(scene)
    if scene.model is Model.EITHER:
        return (
            f"Not allowed: the {title} of {what} does not allow {request.action} to "
            f"{caller.spoken}, who has no IAM policies that could; add an Allow to that {title}."
            + _nearest(scene, Layer.RESOURCE)
        )
    if not has_identity(caller) and caller.kind != "root":
        return (
            f"Not allowed: the {title} of {what} does not allow {request.action} to "
            f"{caller.spoken}; add an Allow with that principal to the {title}."
            + _nearest(scene, Layer.RESOURCE)
        )
    extra = ""
    if has_identity(caller) and missing_in_iam(scene)[0] is None:
        extra = (
            f" An IAM policy of {_identity_spoken(scene)} allows it, but that counts only where "
            f"the {title} names the account."
        )
    return (
        f"Not allowed: the {title} of {what} neither allows {request.action} to {caller.spoken} "
        f"nor leaves it to IAM by naming account {caller.account}; add an Allow for "
        f"{_caller_arn(scene)} or {_root(scene)} to the {title}."
        + extra
        + _nearest(scene, Layer.RESOURCE)
    )


def _iam_missing(scene: Scene, layer: Layer | None) -> str:
    if layer is Layer.IDENTITY:
        who = _identity_spoken(scene)
        return (
            f"but no IAM policy of {who} allows {scene.request.action} on {scene.resource}; add "
            f"an Allow for it to an IAM policy of {who}." + _nearest(scene, Layer.IDENTITY)
        )
    return "and an IAM policy allows it, but " + _limit(scene, layer)


def _limit(scene: Scene, layer: Layer | None) -> str:
    action, who = scene.request.action, _identity_spoken(scene)
    if layer is Layer.BOUNDARY:
        return (
            f"the permissions boundary of {who} does not allow {action}, and nothing outside a "
            f"boundary is possible; add it to the permissions boundary."
            + _nearest(scene, Layer.BOUNDARY)
        )
    return (
        f"the session policy given when this session was made does not allow {action}; make the "
        "session with a session policy that does." + _nearest(scene, Layer.SESSION)
    )
