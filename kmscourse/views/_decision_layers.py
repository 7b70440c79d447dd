"""A decision as the decision view shows it: every layer, document and statement, in words.

Plain lists and dicts, ready to be sent to the browser; the still form is drawn from them too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from kmscourse.cloud.authorization import GRANT_OPERATIONS, Decision, Layer, LayerView, Step
from kmscourse.cloud.authorization.engine import Model, Scene, has_identity
from kmscourse.cloud.authorization.names import label as label_of
from kmscourse.cloud.authorization.names import spoken_resource, title_of
from kmscourse.views import _json_place
from kmscourse.views._what_if import GRANTS, LEVELLED, NAMES, Draft, GrantsDraft, WhatIf

# What each layer is, for someone who has never read a policy.
_ABOUT = {
    Layer.RCP: "What the organization forbids on the things its accounts own. It gives nothing.",
    Layer.SCP: "How far the organization lets its accounts go. It gives nothing.",
    Layer.ENDPOINT: "What may pass the private door (VPC endpoint) that the request came through.",
    Layer.GRANT: "Single permissions on this key, handed out one by one.",
    Layer.IDENTITY: "What is attached to the caller: the policies of the user, group or role.",
    Layer.BOUNDARY: "The most this caller can ever be allowed. It gives nothing.",
    Layer.SESSION: "Limits set when the caller's session began. They give nothing.",
}
_ABOUT_RESOURCE = {
    "key policy": "The key's own policy. It names callers, or leaves the choice to IAM by naming "
    "their account. Without it, nothing opens the key.",
    "bucket policy": "The bucket's own policy. In one account, an Allow here or in IAM is enough.",
    "role trust policy": "Who may take on this role.",
    "resource-based policy": "The resource's own policy. In one account, an Allow here or in IAM "
    "is enough.",
}
_TITLES = {
    Layer.RCP: "Resource control policies",
    Layer.SCP: "Service control policies",
    Layer.ENDPOINT: "VPC endpoint policy",
    Layer.GRANT: "Grants",
    Layer.IDENTITY: "Identity-based policies",
    Layer.BOUNDARY: "Permissions boundary",
    Layer.SESSION: "Session policy",
}
_NONE_HERE = {
    Layer.RCP: "None: no organization owns this account.",
    Layer.SCP: "None: the account is in no organization.",
    Layer.ENDPOINT: "None: the request came through no VPC endpoint.",
    Layer.RESOURCE: "None on this resource.",
    Layer.GRANT: "None on this key.",
    Layer.IDENTITY: "None.",
    Layer.BOUNDARY: "None, so it limits nothing.",
    Layer.SESSION: "None, so it limits nothing.",
}
_CAPS = (Layer.RCP, Layer.SCP, Layer.ENDPOINT, Layer.BOUNDARY, Layer.SESSION)


def headline(decision: Decision) -> str:
    """The outcome in a few words."""
    if decision.allowed:
        return "Allowed"
    if decision.outcome == "ExplicitlyDenied":
        return "Refused: a statement denies it"
    return {
        "not-cross-account": "Refused: never from another account",
        "retire": "Refused: not for this caller",
    }.get(decision.reason, "Refused: an Allow is missing")


def scene_of(decision: Decision) -> Scene:
    return Scene(decision.request, decision.policies)


def describe(desk: WhatIf) -> dict[str, Any]:
    """All that is drawn, as JSON."""
    decision, before = desk.decision, desk.original
    return {
        "outcome": decision.outcome,
        "allowed": decision.allowed,
        "headline": headline(decision),
        "because": decision.because,
        "before": {"outcome": before.outcome, "headline": headline(before)},
        "changed": desk.changed,
        "unread": [draft.key for draft in desk.texts if draft.problem is not None],
        "request": _request(desk),
        "layers": layers_of(desk),
        "added": _added(desk),
    }


def _added(desk: WhatIf) -> dict[str, Any] | None:
    """Where the statement stands that was added last, as a browser selects text."""
    if not desk.added:
        return None
    key, _, index = desk.added.rpartition("/")
    text = desk.draft(key).text
    listed = "Grants" if key == GRANTS else "Statement"
    span = _json_place.find(text, f"{listed}[{index}]")
    if span is None:
        return None
    start, end = (_json_place.utf16(text, each) for each in span)
    return {"key": key, "start": start, "end": end}


def _request(desk: WhatIf) -> dict[str, Any]:
    request, scene = desk.request, scene_of(desk.decision)
    original = {k.lower(): v for k, v in desk.original.request.context.items()}
    asked = {
        condition.lower: condition.key
        for draft in desk.drafts
        for statement in draft.document.statements
        for condition in statement.conditions
    }
    given = {key.lower(): key for key in request.context}
    rows = []
    # What a condition asks for comes first, in the request or not.
    for lower in [*asked, *(key for key in given if key not in asked)]:
        value = request.context[given[lower]] if lower in given else ()
        values = [value] if isinstance(value, str) else list(value)
        follows = [] if lower in given else list(scene.context.values(lower))
        was = original.get(lower)
        rows.append(
            {
                "key": given.get(lower, asked.get(lower, lower)),
                "values": [str(each) for each in values or follows],
                "many": not isinstance(value if lower in given else (was or ""), str),
                "asked": lower in asked,
                "follows": bool(follows),
                "changed": (request.context.get(given[lower]) if lower in given else None) != was,
            }
        )
    return {
        "who": scene.caller.spoken,
        "principal": request.principal,
        "account": scene.caller.account or "",
        "action": request.action,
        "what": spoken_resource(scene.resource),
        "resource": request.resource,
        "owner": scene.resource_account or "",
        "across": scene.cross_account,
        "changed": {
            "action": request.action != desk.original.request.action,
            "resource": request.resource != desk.original.request.resource,
        },
        "context": rows,
    }


def layers_of(desk: WhatIf) -> list[dict[str, Any]]:
    """Every layer in AWS's order, also those that hold nothing."""
    decision, scene = desk.decision, scene_of(desk.decision)
    views = {view.layer: view for view in decision.layers}
    kms = scene.service == "kms" and scene.model is not Model.IDENTITY_ONLY
    out = []
    for layer in Layer:
        view = views.get(layer.value)
        if layer is Layer.GRANT and view is None and not kms:
            continue  # only keys have grants
        title = _TITLES.get(layer) or _upper(title_of(scene.service))
        role, badge = _part(decision, scene, layer, view)
        documents = [_document(desk, scene, draft, view) for draft in desk.of(layer)]
        if layer is Layer.GRANT and desk.grants is not None:
            documents = [_grants(decision, desk.grants, view)]
        out.append(
            {
                "key": NAMES[layer],
                "title": title,
                "about": _ABOUT.get(layer) or _ABOUT_RESOURCE[title_of(scene.service)],
                "role": role,
                "badge": badge,
                "detail": view.detail if view is not None else _why_none(scene, layer),
                "quiet": role in ("absent", "idle"),
                "documents": documents,
                "add": _may_add(scene, layer, documents),
            }
        )
    return out


def _why_none(scene: Scene, layer: Layer) -> str:
    if layer is Layer.RESOURCE and scene.model is Model.IDENTITY_ONLY:
        return "None: the request names no key."
    return _NONE_HERE[layer]


def _part(
    decision: Decision, scene: Scene, layer: Layer, view: LayerView | None
) -> tuple[str, str]:
    """The part a layer plays in the decision, and words for it.

    ``stops``: refused or missing here; ``decides``: allowed by it; ``passes``: lets it through;
    ``silent``: has nothing to add; ``idle``: has no say; ``absent``: not there.
    """
    decides = any(step.layer == layer.value for step in decision.decided_by)
    if not decision.allowed and decision.denied_by == layer.value:
        if decision.outcome == "ExplicitlyDenied":
            return "stops", "Denied here"
        if decision.reason in ("not-cross-account", "retire"):
            return "stops", "Refused here"
        return "stops", "An Allow is missing here"
    if view is None:
        return "absent", "None"
    match view.verdict:
        case "Not applied":
            return "idle", "Has no say"
        case "Deny":
            return "silent", "Denies it as well"
        case "Left to IAM":
            return ("decides" if decision.allowed and decides else "passes"), "Leaves it to IAM"
        case "Allow" if layer in _CAPS:
            return "passes", "Lets it through"
        case "Allow" if decision.allowed:
            return ("decides", "Allows it") if decides else ("passes", "Allows it as well")
        case "Allow":
            wins = decision.outcome == "ExplicitlyDenied"
            return "passes", "Allows it, but a Deny wins" if wins else "Allows it: not enough alone"
        case _ if decision.allowed:
            return "silent", "Does not allow it; not needed"
        case _:
            return "silent", "Does not allow it"


def _may_add(scene: Scene, layer: Layer, documents: Sequence[object]) -> str:
    """Where a first document could be added; empty if it would have no say."""
    if documents or layer in LEVELLED:
        return ""
    if layer is Layer.GRANT and scene.operation not in GRANT_OPERATIONS:
        return ""
    if layer in (Layer.IDENTITY, Layer.BOUNDARY, Layer.SESSION) and not has_identity(scene.caller):
        return ""
    if layer is Layer.RESOURCE and scene.model in (Model.IDENTITY_ONLY, Model.RETIRE):
        return ""
    return NAMES[layer]


def _document(desk: WhatIf, scene: Scene, draft: Draft, view: LayerView | None) -> dict[str, Any]:
    index = desk.of(draft.layer, draft.level).index(draft)
    steps = [
        step
        for step in (view.steps if view is not None else ())
        if step.level == draft.level and step.policy_index == index
    ]
    label = label_of(scene.policies, scene.service, draft.layer, draft.level, index)
    decided = {_id(step) for step in desk.decision.decided_by}
    missing = (
        desk.decision.denied_by == draft.layer.value and desk.decision.outcome == "ImplicitlyDenied"
    )
    return {
        "key": draft.key,
        "label": _upper(label),
        "text": draft.text,
        "state": "added here" if draft.given is None else "changed" if draft.edited else "",
        "holds": "statement",
        "problem": asdict(draft.problem) if draft.problem is not None else None,
        "statements": [
            _statement(desk, scene, draft, step, _id(step) in decided, missing) for step in steps
        ],
    }


def _id(step: Step) -> tuple[str, int, int, int]:
    return step.layer, step.level, step.policy_index, step.index


def _statement(
    desk: WhatIf, scene: Scene, draft: Draft, step: Step, decided: bool, missing: bool
) -> dict[str, Any]:
    """One statement, part by part, with how each part fared."""
    statement = draft.document.statements[step.index]
    entries = json.loads(draft.document.text)["Statement"]
    entry = (entries if isinstance(entries, list) else [entries])[step.index]
    parts = [
        (test, _but(name, element), say(entry[element]))
        for test, name, element, say in _PARTS
        if element in entry
    ]
    if step.failed_on in _MISSING and all(test != step.failed_on for test, _, _ in parts):
        parts.append((step.failed_on, _MISSING[step.failed_on], "not named"))
    order = ("principal", "action", "resource", "condition")
    failed = order.index(step.failed_on) if step.failed_on else len(order)
    shown = []
    for test, name, text in parts:
        at = order.index(test)
        state = "fits" if at < failed else "fails" if at == failed else "unread"
        shown.append({"name": name, "text": text, "state": state})
    scene.context.in_key_policy = draft.layer is Layer.RESOURCE and scene.model is Model.KEY
    # Where an Allow is missing, those that came close are shown open.
    close = ("action", "resource", "condition")[0 if draft.layer is Layer.RESOURCE else 1 :]
    missed = False
    for condition in statement.conditions:
        state = "unread"
        if failed >= order.index("condition") and not missed:
            missed = not condition.holds(scene.context)
            state = "fails" if missed else "fits"
        wanted = " or ".join(f'"{value}"' for value in condition.wanted) or "nothing"
        found = " and ".join(f'"{value}"' for value in scene.context.values(condition.lower))
        shown.append(
            {
                "name": "Condition",
                "text": f"{condition.key} {condition.label} {wanted}",
                "state": state,
                "has": found or "no such value",
            }
        )
    return {
        "key": f"{draft.key}/{step.index}",
        "name": _upper(step.statement),
        "effect": step.effect,
        "matched": step.matched,
        "result": _result(step),
        "detail": step.detail,
        "decided": _weight(desk.decision, step) if decided else "",
        "open": decided or (missing and step.failed_on in close),
        "parts": shown,
    }


def _grants(decision: Decision, draft: GrantsDraft, view: LayerView | None) -> dict[str, Any]:
    """The grants, in the shape of a document. On AWS they are made by CreateGrant, not written."""
    decided = {_id(step) for step in decision.decided_by}
    grants = decision.policies.compiled().grants
    statements = []
    for step, grant in zip(view.steps if view is not None else (), grants, strict=True):
        texts = [
            ("Who", grant.grantee, "principal"),
            ("Action", ", ".join(sorted(grant.operations)), "action"),
        ]
        for name, pairs in (
            ("EncryptionContextEquals", grant.encryption_context_equals),
            ("EncryptionContextSubset", grant.encryption_context_subset),
            ("SourceArn", {"aws:SourceArn": grant.source_arn} if grant.source_arn else None),
        ):
            if pairs:
                listed = ", ".join(f'"{k}": "{v}"' for k, v in pairs.items())
                texts.append(("Condition", f"{name}: {listed}", "condition"))
        statements.append(
            {
                "key": f"{GRANTS}/{step.policy_index}",
                "name": _upper(step.statement),
                "effect": "Allow",
                "matched": step.matched,
                "result": _result(step),
                "detail": step.detail,
                "decided": _weight(decision, step) if _id(step) in decided else "",
                "open": _id(step) in decided,
                "parts": [
                    {
                        "name": name,
                        "text": text,
                        "state": "fits"
                        if step.matched
                        else "fails"
                        if step.failed_on == test
                        else "unread",
                    }
                    for name, text, test in texts
                ],
            }
        )
    return {
        "key": GRANTS,
        "label": "Grants on this key",
        "text": draft.text,
        "state": "added here" if draft.given is None else "changed" if draft.edited else "",
        "holds": "grant",
        "problem": asdict(draft.problem) if draft.problem is not None else None,
        "statements": statements,
    }


def _weight(decision: Decision, step: Step) -> str:
    """What a statement that counted did for the outcome."""
    if decision.allowed and len(decision.decided_by) > 1:
        return "Half of what is needed"
    if decision.allowed or step.effect == "Deny":
        return "This decided it"
    return "Counted, but not enough"


def _result(step: Step) -> str:
    if step.matched:
        if step.how == "account":
            return "Applies: leaves it to IAM"
        return "Applies: denies it" if step.effect == "Deny" else "Applies: allows it"
    about = {
        "principal": "another caller",
        "action": "another action",
        "resource": "another resource",
        "condition": "its condition is not met",
    }
    return f"Does not apply: {about[step.failed_on]}"


def _but(name: str, element: str) -> str:
    return f"{name}, except" if element.startswith("Not") else name


def _list(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _principals(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{kind}: {_list(names)}" for kind, names in value.items())
    return str(value)


_PARTS = (
    ("principal", "Who", "Principal", _principals),
    ("principal", "Who", "NotPrincipal", _principals),
    ("action", "Action", "Action", _list),
    ("action", "Action", "NotAction", _list),
    ("resource", "Resource", "Resource", _list),
    ("resource", "Resource", "NotResource", _list),
)
# What a statement must name to have any effect.
_MISSING = {"principal": "Who", "action": "Action", "resource": "Resource"}


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def lower(text: str) -> str:
    """The first letter small, unless it begins an abbreviation."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
