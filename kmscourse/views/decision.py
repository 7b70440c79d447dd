"""The decision: who may, and why; every layer AWS looks at, and what would change the outcome.

The browser draws. When a policy or the request is edited it sends the text, and Python really
decides again, with the same code that decides in the simulated AWS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import traitlets

from kmscourse.cloud.authorization import Decision, LayerView, MalformedPolicyError, Step
from kmscourse.cloud.authorization.engine import Layer, Model, Scene, has_identity
from kmscourse.cloud.authorization.explain import policy_label, resource_title, spoken_resource
from kmscourse.views import _json_place, _svg
from kmscourse.views._base import View
from kmscourse.views._what_if import LAYERS, LEVELLED, NAMES, Draft, WhatIf

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


class DecisionView(View):
    """A decision, layer by layer and statement by statement, with policies that can be changed.

    Args:
        decision: from ``aws.explain(error)`` or ``kmscourse.cloud.authorization.decide(...)``.
        title: the heading.

    The decision that was given is ``original`` and stays as it was; ``decision`` is the one that
    follows from what was changed, by a learner in the browser or by the methods here. Nothing in
    the simulated AWS changes.

    Raises:
        TypeError: it is no Decision.
    """

    script = "decision.js"
    style = "decision.css"

    _shown = traitlets.Dict().tag(sync=True)

    def __init__(self, decision: Decision, *, title: str = "Who may, and why") -> None:
        if not isinstance(decision, Decision):
            raise TypeError(
                "The view shows a Decision: pass aws.explain(error), or what decide(...) returned, "
                f"not {type(decision).__name__}."
            )
        self._desk = WhatIf(decision)
        self._problem = ""
        super().__init__(title=title)
        self._show(0)
        self.on_msg(self._from_browser)

    # What a lesson can ask as well as the browser

    @property
    def original(self) -> Decision:
        """The decision that was given."""
        return self._desk.original

    @property
    def decision(self) -> Decision:
        """The decision with everything that was changed."""
        return self._desk.decision

    @property
    def documents(self) -> dict[str, str]:
        """The documents as they are now, by key: ``identity/0``, ``resource/0``, ``scp/1/0``."""
        return {draft.key: draft.text for draft in self._desk.drafts}

    def edit(self, key: str, document: str | Mapping[str, Any]) -> Decision:
        """Write a document anew and decide again.

        Args:
            key: as in :attr:`documents`.
            document: JSON text, or the same as a mapping.

        Raises:
            KeyError: there is no such document.
            MalformedPolicyError: it is no policy; the last one that could be read goes on to count.
        """
        text = document if isinstance(document, str) else json.dumps(dict(document), indent=2)
        try:
            return self._desk.edit(key, text)
        finally:
            self._show()

    def add_statement(self, where: str, statement: Mapping[str, Any] | None = None) -> Decision:
        """Add a statement and decide again.

        Args:
            where: key of a document, or a layer (``identity``, ``resource``, ``endpoint``,
                ``boundary``, ``session``, ``scp/0``) if it has none yet.
            statement: as AWS writes it; by default one about this very request.

        Raises:
            KeyError: there is no such document or layer.
            MalformedPolicyError: the document would be no policy.
        """
        try:
            return self._desk.add_statement(where, statement)
        finally:
            self._show()

    def change_request(
        self,
        *,
        action: str | None = None,
        resource: str | None = None,
        context: Mapping[str, str | Sequence[str]] | None = None,
    ) -> Decision:
        """Ask for something else: another action or resource, or other condition keys.

        An empty value in ``context`` takes the key out of the request.

        Raises:
            ValueError: it is no action.
        """
        self._problem = ""
        try:
            return self._desk.change_request(action=action, resource=resource, context=context)
        finally:
            self._show()

    def reset(self) -> Decision:
        """Back to the decision as it was given."""
        self._problem = ""
        decision = self._desk.reset()
        self._show()
        return decision

    # Python's side of the conversation

    def _from_browser(self, _: object, content: Mapping[str, Any], __: object) -> None:
        desk, do = self._desk, content.get("do")
        self._problem = ""
        try:
            if do == "edit":
                desk.edit(str(content["key"]), str(content["text"]))
            elif do == "add":
                desk.add_statement(str(content["where"]))
            elif do == "request":
                desk.change_request(
                    action=content.get("action"),
                    resource=content.get("resource"),
                    context=content.get("context"),
                )
            elif do == "reset":
                desk.reset()
        except MalformedPolicyError:
            pass  # kept with the document, and shown there
        except (KeyError, ValueError) as error:
            self._problem = str(error.args[0] if error.args else error)
        self._show(int(content.get("asked", 0)))

    def _show(self, asked: int | None = None) -> None:
        """Send what is to be drawn. ``asked`` is the browser's number of its question."""
        before = int(self._shown.get("asked", 0)) if self._shown else 0
        again = int(self._shown.get("turn", 0)) + 1 if self._shown else 0
        with self.hold_sync():  # one message
            self._shown = {
                **_describe(self._desk),
                "problem": self._problem,
                "asked": before if asked is None else asked,
                "turn": again,
            }
            self.summary = self.sentence()

    # The static form

    def sentence(self) -> str:
        """The outcome, the request and what each layer said; no ids."""
        decision, scene = self.decision, _scene(self.decision)
        layers = [layer for layer in _layers(self._desk) if not layer["quiet"]]
        said = [f"{_lower(each['title'])} ({_lower(each['badge'])})" for each in layers]
        looked = ", ".join(said[:-1]) + " and " + said[-1] if len(said) > 1 else "".join(said)
        outcome = _lower(headline(decision).replace(":", ","))
        return (
            f"{decision.request.action} by {_who(scene)} on {_what(scene)}: {outcome}; AWS looked "
            f"at {looked}."
        )

    def picture(self) -> str:
        """The path from the request through the layers that had a say, to the outcome."""
        return _draw(self)


# ---------------------------------------------------------------- what the browser draws


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


def _scene(decision: Decision) -> Scene:
    return Scene(decision.request, decision.policies)


def _describe(desk: WhatIf) -> dict[str, Any]:
    """All that is drawn, as JSON."""
    decision, before = desk.decision, desk.original
    return {
        "outcome": decision.outcome,
        "allowed": decision.allowed,
        "headline": headline(decision),
        "because": decision.because,
        "before": {"outcome": before.outcome, "headline": headline(before)},
        "changed": desk.changed,
        "unread": [draft.key for draft in desk.drafts if draft.problem is not None],
        "request": _request(desk),
        "layers": _layers(desk),
        "added": _added(desk),
    }


def _added(desk: WhatIf) -> dict[str, Any] | None:
    """Where the statement stands that was added last, as a browser selects text."""
    if not desk.added:
        return None
    key, _, index = desk.added.rpartition("/")
    text = desk.draft(key).text
    span = _json_place.find(text, f"Statement[{index}]")
    if span is None:
        return None
    start, end = (_json_place.utf16(text, each) for each in span)
    return {"key": key, "start": start, "end": end}


def _request(desk: WhatIf) -> dict[str, Any]:
    request, scene = desk.request, _scene(desk.decision)
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
        "what": spoken_resource(scene),
        "resource": request.resource,
        "owner": scene.resource_account or "",
        "across": scene.cross_account,
        "changed": {
            "action": request.action != desk.original.request.action,
            "resource": request.resource != desk.original.request.resource,
        },
        "context": rows,
    }


def _layers(desk: WhatIf) -> list[dict[str, Any]]:
    """Every layer in AWS's order, also those that hold nothing."""
    decision, scene = desk.decision, _scene(desk.decision)
    views = {LAYERS[name]: None for name in NAMES.values()} | {
        Layer(view.layer): view for view in decision.layers
    }
    kms = scene.service == "kms" and scene.model is not Model.IDENTITY_ONLY
    out = []
    for layer, view in views.items():
        if layer is Layer.GRANT and view is None and not kms:
            continue  # only keys have grants
        title = _TITLES.get(layer) or _upper(resource_title(scene))
        role, badge = _part(decision, scene, layer, view)
        documents = [_document(desk, scene, draft, view) for draft in desk.of(layer)]
        if layer is Layer.GRANT and view is not None:
            documents = [_grants(decision, view)]
        out.append(
            {
                "key": NAMES[layer],
                "title": title,
                "about": _ABOUT.get(layer) or _ABOUT_RESOURCE[resource_title(scene)],
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
    if documents or layer in (Layer.GRANT, *LEVELLED):
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
    label = policy_label(scene, draft.layer, draft.level, index)
    decided = {_id(step) for step in desk.decision.decided_by}
    nearest = desk.decision.denied_by == draft.layer.value
    return {
        "key": draft.key,
        "label": _upper(label),
        "text": draft.text,
        "state": "added here" if draft.given is None else "changed" if draft.edited else "",
        "editable": True,
        "problem": asdict(draft.problem) if draft.problem is not None else None,
        "statements": [
            _statement(desk, scene, draft, step, _id(step) in decided, nearest) for step in steps
        ],
    }


def _id(step: Step) -> tuple[str, int, int, int]:
    return step.layer, step.level, step.policy_index, step.index


def _statement(
    desk: WhatIf, scene: Scene, draft: Draft, step: Step, decided: bool, stops: bool
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
        "open": decided or (stops and not step.matched and step.failed_on != "action"),
        "parts": shown,
    }


def _grants(decision: Decision, view: LayerView) -> dict[str, Any]:
    """The grants, in the shape of a document; they are made by CreateGrant, not written."""
    decided = {_id(step) for step in decision.decided_by}
    grants = decision.policies.compiled().grants
    statements = []
    for step, grant in zip(view.steps, grants, strict=True):
        texts = [
            ("Who", grant.grantee, "principal"),
            ("Action", ", ".join(sorted(grant.operations)), "action"),
        ]
        for name, pairs in (
            ("EncryptionContextEquals", grant.encryption_context_equals),
            ("EncryptionContextSubset", grant.encryption_context_subset),
        ):
            if pairs:
                listed = ", ".join(f'"{k}": "{v}"' for k, v in pairs.items())
                texts.append(("Condition", f"{name}: {listed}", "condition"))
        statements.append(
            {
                "key": f"grant/{step.index}/{step.policy_index}",
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
        "key": "grant/0",
        "label": "Grants on this key",
        "text": "",
        "state": "",
        "editable": False,
        "problem": None,
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


def _lower(text: str) -> str:
    """The first letter small, unless it begins an abbreviation."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


# ---------------------------------------------------------------- the still form


def _who(scene: Scene) -> str:
    """The caller in words, without account ids or session names."""
    caller = scene.caller
    if caller.kind == "root":
        return "the root user"
    if caller.kind == "session":
        return f"role {caller.identity.rsplit('/', 1)[-1]}"
    return caller.spoken


def _what(scene: Scene) -> str:
    """The resource in words, without ids."""
    if ":" not in scene.resource:
        return "no resource in particular"
    kind = {
        "kms": "a KMS key",
        "s3": "an object in S3" if "/" in scene.resource else "a bucket",
        "sts": "a role",
    }.get(scene.service, f"a resource of {scene.service}")
    return f"{kind} of another account" if scene.cross_account else kind


_MARKS = {
    "stops": ("M7 7l10 10 M17 7L7 17", _svg.SEAL),
    "decides": ("M5 12.5l4.5 4.5L19 7.5", "#1e6b3a"),
    "passes": ("M12 5v13 M6.5 12.5L12 18l5.5-5.5", _svg.ACCENT),
    "silent": ("M7 12h10", _svg.MUTED),
}


def _draw(view: DecisionView) -> str:
    """The outcome, the request, and the layers that had a say."""
    desk, decision, scene = view._desk, view.decision, _scene(view.decision)
    width, pad, inner = 720, 20, 680
    p = _svg.Picture(width, view.title, view.sentence())
    good = decision.allowed
    color = "#1e6b3a" if good else _svg.SEAL
    p.text(pad, 32, view.title, size=16, bold=True)
    p.box(pad, 48, inner, 50, fill=_svg.PAPER, line=color)
    p.icon(pad + 14, 62, _MARKS["decides" if good else "stops"][0], size=22, line=color)
    p.text(pad + 46, 79, headline(decision), size=16, bold=True, fill=color)
    p.text(width - pad - 16, 79, decision.outcome, fill=_svg.MUTED, anchor="end", family=_svg.MONO)
    y = p.lines(
        pad,
        122,
        inner,
        f"The request: {_who(scene)} asks for {decision.request.action} on {_what(scene)}.",
        fill=_svg.INK,
    )
    y += 8
    layers = [layer for layer in _layers(desk) if not layer["quiet"]]
    middle = pad + 16
    for i, layer in enumerate(layers):
        lines = [
            (
                f"{each['name']} of {_lower(document['label'])}"
                if document["key"] != "grant/0"
                else "A grant"
            )
            + f": {_lower(each['decided'])}"
            for document in layer["documents"]
            for each in document["statements"]
            if each["decided"]
        ]
        height = 50 + 18 * len(lines)
        mark, ink = _MARKS[layer["role"]]
        if i < len(layers) - 1:
            p.path(f"M{middle} {y + 38} V{y + height + 10}")
        p.parts.append(
            f'<circle cx="{middle}" cy="{y + 22:g}" r="14" fill="{_svg.WHITE}" stroke="{ink}"/>'
        )
        p.icon(middle - 9, y + 13, mark, line=ink)
        strong = layer["role"] in ("stops", "decides")
        p.box(pad + 44, y, inner - 44, height - 8, line=ink if strong else _svg.LINE)
        p.text(pad + 60, y + 26, layer["title"], bold=True)
        p.text(width - pad - 16, y + 26, layer["badge"], bold=strong, fill=ink, anchor="end")
        for n, line in enumerate(lines):
            p.text(pad + 60, y + 46 + 18 * n, line, size=12.5, fill=_svg.MUTED)
        y += height + 2
    return p.render(y + 6)
