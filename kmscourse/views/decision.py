"""The decision: who may, and why; every layer AWS looks at, and what would change the outcome.

The browser draws. When a policy or the request is edited it sends the text, and Python really
decides again, with the same code that decides in the simulated AWS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import traitlets

from kmscourse.cloud.authorization import Decision, MalformedPolicyError
from kmscourse.cloud.authorization.engine import Scene
from kmscourse.views import _svg
from kmscourse.views._base import View
from kmscourse.views._decision_layers import describe, headline, layers_of, lower, scene_of
from kmscourse.views._what_if import GRANTS, WhatIf


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
                "The view shows one Decision: pass aws.explain(error), what decide(...) returned, "
                f"or one entry of a list of them, not {type(decision).__name__}."
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
        """The documents as they are now, by key: ``identity/0``, ``resource/0``, ``scp/1/0``.

        ``grant/0`` are the grants on the key, as ListGrants shows them.
        """
        return {draft.key: draft.text for draft in self._desk.texts}

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
                ``boundary``, ``session``, ``scp/0``) if it has none yet; ``grant`` adds a grant.
            statement: as AWS writes it (a grant as ListGrants shows it); by default one about
                this very request.

        Raises:
            KeyError: there is no such document or layer.
            ValueError: no grant can give the operation.
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
                **describe(self._desk),
                "problem": self._problem,
                "asked": before if asked is None else asked,
                "turn": again,
            }
            self.summary = self.sentence()

    # The static form

    def sentence(self) -> str:
        """The outcome, the request and what each layer said; no ids."""
        decision, scene = self.decision, scene_of(self.decision)
        layers = [layer for layer in layers_of(self._desk) if not layer["quiet"]]
        said = [f"{lower(each['title'])} ({lower(each['badge'])})" for each in layers]
        looked = ", ".join(said[:-1]) + " and " + said[-1] if len(said) > 1 else "".join(said)
        outcome = lower(headline(decision).replace(":", ","))
        return (
            f"{decision.request.action} by {_who(scene)} on {_what(scene)}: {outcome}; AWS looked "
            f"at {looked}."
        )

    def picture(self) -> str:
        """The path from the request through the layers that had a say, to the outcome."""
        return _draw(self)


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
    desk, decision, scene = view._desk, view.decision, scene_of(view.decision)
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
    layers = [layer for layer in layers_of(desk) if not layer["quiet"]]
    middle = pad + 16
    for i, layer in enumerate(layers):
        lines = [
            (
                f"{each['name']} of {lower(document['label'])}"
                if document["key"] != GRANTS
                else "A grant"
            )
            + f": {lower(each['decided'])}"
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
