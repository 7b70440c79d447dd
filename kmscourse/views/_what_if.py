"""What if this policy said something else? A decision's documents and request, to be changed.

Every change is decided again by `kmscourse.cloud.authorization`. The decision that was given is
never changed, nor is anything in the simulated AWS.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kmscourse.cloud.authorization import (
    GRANT_OPERATIONS,
    Decision,
    Grant,
    Layer,
    MalformedPolicyError,
    NamedPolicy,
    Policies,
    PolicyDocument,
    PolicyKind,
    compile_policy,
    decide,
    parse_policy,
)
from kmscourse.cloud.authorization.engine import Model, Scene
from kmscourse.views import _grants_text, _json_place

NAMES = {
    Layer.RCP: "rcp",
    Layer.SCP: "scp",
    Layer.ENDPOINT: "endpoint",
    Layer.RESOURCE: "resource",
    Layer.GRANT: "grant",
    Layer.IDENTITY: "identity",
    Layer.BOUNDARY: "boundary",
    Layer.SESSION: "session",
}
"""Short names of the layers, in the order in which AWS looks; documents are numbered in them."""
LAYERS = {name: layer for layer, name in NAMES.items()}
GRANTS = "grant/0"
"""The grants on the key are one text."""
LEVELLED = (Layer.RCP, Layer.SCP)
_EMPTY: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a text is no policy: AWS's words, the place, and what to do about it.

    ``line`` counts from one; 0 if there is none to point at. ``start`` and ``end`` are what a
    browser would select.
    """

    code: str
    message: str
    place: str
    advice: str
    line: int = 0
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class Draft:
    """A document on the table.

    Attributes:
        key: its layer and number, such as ``identity/0``; with the level first for an
            organization's policies: ``scp/1/0``.
        given: the text at the beginning; None for a document that was added.
        was: the document that was given, compiled; None likewise.
        text: the text as it is now, readable or not.
        document: what counts: the last text that could be read, compiled.
        problem: why ``text`` cannot be read; None if it can.
    """

    key: str
    layer: Layer
    level: int
    name: str
    arn: str | None
    given: str | None
    was: PolicyDocument | None
    text: str
    document: PolicyDocument
    problem: Problem | None = None

    @property
    def edited(self) -> bool:
        return self.text != self.given


@dataclass(slots=True)
class GrantsDraft:
    """The grants on the key, on the table as one text.

    Attributes:
        given: the text at the beginning; None if there was none.
        was: the grants that were given.
        text: the text as it is now, readable or not.
        grants: what counts: the last ones that could be read.
        problem: why ``text`` cannot be read; None if it can.
    """

    given: str | None
    was: tuple[Grant, ...]
    text: str
    grants: tuple[Grant, ...]
    problem: Problem | None = None
    key: str = GRANTS

    @property
    def edited(self) -> bool:
        return self.text != self.given


class WhatIf:
    """A decision that can be asked again with other policies or another request."""

    def __init__(self, decision: Decision) -> None:
        self.original = decision
        self.reset()

    def reset(self) -> Decision:
        """Back to the decision as it was given."""
        self.decision = self.original
        self.request = self.original.request
        self.added: str = ""
        compiled = self.original.policies.compiled()
        self.drafts: list[Draft] = []
        for layer, several in (
            (Layer.ENDPOINT, compiled.vpc_endpoint),
            (Layer.RESOURCE, compiled.resource),
            (Layer.IDENTITY, compiled.identity),
            (Layer.BOUNDARY, compiled.boundary),
            (Layer.SESSION, compiled.session),
        ):
            self._lay(layer, 0, several or ())
        for layer, levels in ((Layer.RCP, compiled.rcps), (Layer.SCP, compiled.scps)):
            for level, several in enumerate(levels or ()):
                self._lay(layer, level, several)
        was = compiled.grants
        text = _grants_text.write(was) if was else None
        self.grants = GrantsDraft(text, was, text, was) if text is not None else None
        return self.decision

    def _lay(self, layer: Layer, level: int, several: Iterable[Any]) -> None:
        for each in several:
            text = pretty(json.loads(each.document.text))
            key = self._next_key(layer, level)
            self.drafts.append(
                Draft(
                    key, layer, level, each.name, each.arn, text, each.document, text, each.document
                )
            )

    @property
    def changed(self) -> bool:
        """Whether anything is not as it was given."""
        return self.request is not self.original.request or any(d.edited for d in self.texts)

    @property
    def texts(self) -> list[Draft | GrantsDraft]:
        """Everything that can be written in."""
        return [*self.drafts, *([self.grants] if self.grants is not None else [])]

    def of(self, layer: Layer, level: int | None = None) -> list[Draft]:
        """The documents of a layer, in order."""
        return [d for d in self.drafts if d.layer is layer and (level is None or d.level == level)]

    def draft(self, key: str) -> Draft | GrantsDraft:
        """A document by its key.

        Raises:
            KeyError: there is none; says which there are.
        """
        for draft in self.texts:
            if draft.key == key:
                return draft
        known = ", ".join(d.key for d in self.texts) or "none"
        raise KeyError(f"No document {key!r} here; there are: {known}")

    # Changes

    def edit(self, key: str, text: str) -> Decision:
        """Write a document anew and decide again.

        Raises:
            KeyError: no such document.
            MalformedPolicyError: it is no policy, in AWS's words. The text is kept with its
                problem, and the last one that could be read goes on to count.
        """
        draft = self.draft(key)
        draft.text = text
        try:
            if isinstance(draft, GrantsDraft):
                draft.grants = _grants_text.read(text) if draft.edited else draft.was
            elif draft.was is not None and not draft.edited:
                # As it was given: AWS has taken it before, so it is not checked again.
                draft.document = draft.was
            else:
                draft.document = parse_policy(text, self.kind(draft.layer))
        except MalformedPolicyError as error:
            draft.problem = _problem(error, text)
            raise
        draft.problem = None
        return self._again()

    def add_statement(self, where: str, statement: Mapping[str, Any] | None = None) -> Decision:
        """Add a statement to a document, or to a new one where the layer has none.

        Args:
            where: a document's key, or a layer's name (``identity``; ``scp/1`` with its level).
            statement: as AWS writes it; by default one that is about this very request. For
                ``grant`` a grant, as ListGrants shows it.

        Raises:
            KeyError: no such document or layer.
            ValueError: no grant can give the operation.
            MalformedPolicyError: the statement, or the document as it is now, is no policy.
        """
        self.added = ""
        if where in (GRANTS, NAMES[Layer.GRANT]):
            return self._add_grant(statement)
        drafts = [d for d in self.drafts if d.key == where or d.key.rpartition("/")[0] == where]
        draft = drafts[0] if drafts else self._new(where)
        if draft.problem is not None:
            self.edit(draft.key, draft.text)  # says what is wrong with it
        content = json.loads(draft.text)
        written = content.get("Statement", [])
        statements = [written] if isinstance(written, dict) else list(written)
        new = dict(statement) if statement is not None else self.suggestion(draft, statements)
        if draft not in self.drafts:
            self.drafts.append(draft)
        self.added = f"{draft.key}/{len(statements)}"
        return self.edit(draft.key, pretty({**content, "Statement": [*statements, new]}))

    def _add_grant(self, grant: Mapping[str, Any] | None) -> Decision:
        new = dict(grant) if grant is not None else self.grant_suggestion()
        draft = self.grants or GrantsDraft(None, (), _grants_text.write(()), ())
        if draft.problem is not None:
            self.edit(draft.key, draft.text)  # says what is wrong with it
        self.grants = draft
        content = json.loads(draft.text)
        self.added = f"{GRANTS}/{len(content['Grants'])}"
        return self.edit(GRANTS, pretty({"Grants": [*content["Grants"], new]}))

    def change_request(
        self,
        *,
        action: str | None = None,
        resource: str | None = None,
        context: Mapping[str, str | Sequence[str]] | None = None,
    ) -> Decision:
        """Ask for something else.

        Args:
            action: e.g. ``kms:Encrypt``; None leaves it.
            resource: the ARN; None leaves it.
            context: condition keys to new values; an empty one takes the key away.

        Raises:
            ValueError: it is no action; the request stays as it was.
        """
        found = dict(self.request.context)
        for key, value in (context or {}).items():
            same = next((name for name in found if name.lower() == key.lower()), key)
            values = [value] if isinstance(value, str) else list(value)
            if any(values):
                found[same] = value
            else:
                found.pop(same, None)
        before = self.request
        self.request = replace(
            before,
            action=before.action if action is None else action.strip(),
            resource=before.resource if resource is None else resource.strip(),
            context=found,
        )
        if self.request == self.original.request:
            self.request = self.original.request
        try:
            return self._again()
        except ValueError:
            self.request = before
            raise

    # What follows

    def kind(self, layer: Layer) -> PolicyKind:
        """What a document of this layer is attached to: AWS's rules for saving differ."""
        if layer is Layer.RESOURCE:
            scene = Scene(self.original.request, self.original.policies)
            if scene.service == "kms":
                return "key"
            if scene.model is Model.TRUST:
                return "trust"
            return "bucket" if scene.service == "s3" else "resource"
        kinds: dict[Layer, PolicyKind] = {
            Layer.RCP: "rcp",
            Layer.SCP: "scp",
            Layer.ENDPOINT: "endpoint",
            Layer.BOUNDARY: "boundary",
            Layer.SESSION: "session",
        }
        return kinds.get(layer, "identity")

    def suggestion(self, draft: Draft, beside: Sequence[Any] = ()) -> dict[str, Any]:
        """A statement about this very request, as it would be written in this document.

        ``beside`` are the statements that are there already: a Sid is used once.
        """
        scene = Scene(self.request, self.decision.policies)
        caller, layer, kind = scene.caller, draft.layer, self.kind(draft.layer)
        taken = {each.get("Sid") for each in beside if isinstance(each, dict)}
        sid, number = "Added", 2
        while sid in taken:
            sid, number = f"Added{number}", number + 1
        new: dict[str, Any] = {"Sid": sid, "Effect": "Deny" if layer is Layer.RCP else "Allow"}
        if layer in (Layer.RCP, Layer.ENDPOINT):
            new["Principal"] = "*"
        elif layer is Layer.RESOURCE:
            who = {"service": "Service", "federated": "Federated"}.get(caller.kind, "AWS")
            anyone = caller.kind == "anonymous"
            new["Principal"] = "*" if anyone else {who: caller.identity}
        new["Action"] = self.request.action
        if layer in (Layer.IDENTITY, Layer.SESSION) or kind in ("bucket", "resource"):
            new["Resource"] = self.request.resource
        elif kind != "trust":
            new["Resource"] = "*"
        return new

    def grant_suggestion(self) -> dict[str, Any]:
        """A grant that gives this very request to its caller.

        Raises:
            ValueError: no grant can give it.
        """
        scene = Scene(self.request, self.decision.policies)
        if scene.model not in (Model.KEY, Model.RETIRE) or scene.operation not in GRANT_OPERATIONS:
            raise ValueError(
                f"No grant can give {self.request.action}: grants are for using a key, not for "
                "administering it"
            )
        service = scene.caller.kind == "service"
        grantee = "GranteeServicePrincipal" if service else "GranteePrincipal"
        return {grantee: scene.caller.identity, "Operations": [scene.operation]}

    def _new(self, where: str) -> Draft:
        """An empty document for a layer that has none."""
        name, _, level = where.partition("/")
        layer = LAYERS.get(name)
        if layer is None or (bool(level) != (layer in LEVELLED)):
            self.draft(where)  # says which there are
            raise KeyError(where)
        given, number = self.original.policies.compiled(), int(level or 0)
        levels = {Layer.SCP: given.scps, Layer.RCP: given.rcps}.get(layer, ((),)) or ()
        if number >= len(levels):
            raise KeyError(f"There is no level {number}: the account is in no such organization")
        text = pretty(_EMPTY)
        key = self._next_key(layer, number)
        return Draft(key, layer, number, "", None, None, None, text, compile_policy(text))

    def _next_key(self, layer: Layer, level: int) -> str:
        place = NAMES[layer] + (f"/{level}" if layer in LEVELLED else "")
        return f"{place}/{len(self.of(layer, level))}"

    def _again(self) -> Decision:
        if not self.changed:
            self.decision = self.original
        else:
            self.decision = decide(self.request, self._policies())
        return self.decision

    def _policies(self) -> Policies:
        given = self.original.policies

        def several(layer: Layer, level: int = 0) -> list[NamedPolicy]:
            return [NamedPolicy(d.name, d.document, d.arn) for d in self.of(layer, level)]

        def unless_none(layer: Layer, was: object) -> list[NamedPolicy] | None:
            return several(layer) or (None if was is None else [])

        return Policies(
            identity=several(Layer.IDENTITY),
            resource=unless_none(Layer.RESOURCE, given.resource),
            boundary=unless_none(Layer.BOUNDARY, given.boundary),
            session=unless_none(Layer.SESSION, given.session),
            vpc_endpoint=unless_none(Layer.ENDPOINT, given.vpc_endpoint),
            scps=None
            if given.scps is None
            else [several(Layer.SCP, level) for level in range(len(given.scps))],
            rcps=None
            if given.rcps is None
            else [several(Layer.RCP, level) for level in range(len(given.rcps))],
            grants=self.grants.grants if self.grants is not None else (),
            management_account=given.management_account,
        )


def pretty(content: object) -> str:
    """JSON as people write it."""
    return json.dumps(content, indent=2, ensure_ascii=False)


# Python's words for what is wrong with JSON, for people who have not written it before.
_KINDER = {
    "Expecting value": "Something is missing here, or there is a comma too many before it.",
    "Expecting property name": "A name in double quotes belongs here, or there is a comma too many "
    "before it.",
    "Illegal trailing comma": "There is a comma too many here.",
    "Expecting ',' delimiter": "A comma is missing before this, or something before it is not "
    "closed.",
    "Expecting ':' delimiter": "A colon belongs between a name and its value.",
    "Unterminated string": "The text that begins here is never closed: a double quote is missing.",
    "Invalid control character": "This text runs over the end of its line: a double quote is "
    "missing.",
    "Extra data": "The policy has ended before this: a bracket is too many, or closes too early.",
    "Invalid \\": "A backslash must be written twice.",
}


def _problem(error: MalformedPolicyError, text: str) -> Problem:
    start, end = 0, len(text)
    line = 0
    advice = next(
        (kind for words, kind in _KINDER.items() if error.advice.startswith(words)), error.advice
    )
    words = error.place.split()
    if len(words) == 4 and words[0] == "line" and words[1].isdigit():
        line = int(words[1])
        rows = text.split("\n")
        start = sum(len(row) + 1 for row in rows[: line - 1])
        end = start + len(rows[line - 1]) if line <= len(rows) else len(text)
    elif error.place and (span := _json_place.find(text, error.place)):
        start, end = span
        line = _json_place.line_of(text, start)
    return Problem(
        error.code,
        error.message,
        error.place,
        advice,
        line,
        _json_place.utf16(text, start),
        _json_place.utf16(text, end),
    )
