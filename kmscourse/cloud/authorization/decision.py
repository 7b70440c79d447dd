"""The answer: allowed or not, why, and AWS's own message for it."""

from __future__ import annotations

from typing import Any

from kmscourse.cloud.authorization.engine import Model, Outcome, Scene, Verdict, evaluate
from kmscourse.cloud.authorization.explain import LayerView, Step, because, layers_of, steps_of
from kmscourse.cloud.authorization.model import Layer, Policies, Request

__all__ = ["Decision", "decide"]

_ARTICLE = {
    Layer.RCP: "a resource control policy",
    Layer.SCP: "a service control policy",
    Layer.ENDPOINT: "a VPC endpoint policy",
    Layer.RESOURCE: "a resource-based policy",
    Layer.IDENTITY: "an identity-based policy",
    Layer.BOUNDARY: "a permissions boundary",
    Layer.SESSION: "a session policy",
}


class Decision:
    """What became of a request.

    Only the outcome is worked out at once; the explanation when it is asked for, from the same
    request and the same compiled policies.
    """

    __slots__ = (
        "_because",
        "_decided_by",
        "_layers",
        "_scene",
        "_steps",
        "_verdict",
        "policies",
        "request",
    )

    def __init__(
        self, request: Request, policies: Policies, scene: Scene, verdict: Verdict
    ) -> None:
        self.request = request
        self.policies = policies
        self._scene = scene
        self._verdict = verdict
        self._because: str | None = None
        self._layers: tuple[LayerView, ...] | None = None
        self._steps: tuple[Step, ...] | None = None
        self._decided_by: tuple[Step, ...] | None = None

    @property
    def allowed(self) -> bool:
        return self._verdict.outcome is Outcome.ALLOWED

    @property
    def outcome(self) -> str:
        """``Allowed``, ``ExplicitlyDenied`` or ``ImplicitlyDenied``."""
        return self._verdict.outcome.value

    @property
    def denied_by(self) -> str | None:
        """The kind of policy that denied or was missing, in AWS's words; None if allowed."""
        layer = self._verdict.layer
        return layer.value if layer is not None else None

    @property
    def reason(self) -> str:
        """A short stable code for the way it went, e.g. ``delegated`` or ``resource-missing``."""
        return self._verdict.reason

    @property
    def because(self) -> str:
        """What settled it, for a beginner; if refused, which document to change."""
        if self._because is None:
            self._because = because(self._scene, self._verdict)
        return self._because

    @property
    def layers(self) -> tuple[LayerView, ...]:
        """Each kind of policy in AWS's order, with its statements."""
        if self._layers is None:
            self._layers = layers_of(self._scene, self.steps)
        return self._layers

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every statement and grant that was looked at, in order."""
        if self._steps is None:
            self._steps = steps_of(self._scene)
        return self._steps

    @property
    def decided_by(self) -> tuple[Step, ...]:
        """What settled it: one Deny, or the Allows that were needed.

        For an implicit deny these are the Allows that were there and not enough; what was missing
        is :attr:`denied_by`.
        """
        if self._decided_by is None:
            scene = self._scene
            self._decided_by = tuple([Step(scene, one, "") for one in self._verdict.decided])
        return self._decided_by

    def message(self, on: str | None = None, *, quoted: bool = False, resource: bool = True) -> str:
        """AWS's text for a refusal.

        Source: IAM User Guide, "Troubleshoot access denied error messages".

        Args:
            on: what the text names as the resource; by default the request's ARN.
            quoted: put it in quotation marks, as S3 does.
            resource: False leaves out ``on resource: ...``, as services do that name none.

        Raises:
            ValueError: if the request is allowed.
        """
        layer = self._verdict.layer
        if layer is None:
            raise ValueError("The request is allowed: there is nothing to refuse")
        request, scene = self.request, self._scene
        text = f"User: {request.principal} is not authorized to perform: {request.action}"
        if resource:
            named = request.resource if on is None else on
            text += f' on resource: "{named}"' if quoted else f" on resource: {named}"
        if layer is Layer.RESOURCE and scene.model is Model.KEY and scene.cross_account:
            # [R] KMS does not tell an outsider whether the key exists.
            return (
                f"{text} because the resource does not exist in this Region, no resource-based "
                "policies allow access, or a resource-based policy explicitly denies access"
            )
        trust = scene.model is Model.TRUST and layer is Layer.RESOURCE
        if self._verdict.outcome is Outcome.EXPLICIT:
            kind = "the role trust policy" if trust else _ARTICLE[layer]
            return f"{text} with an explicit deny in {kind}"
        # A missing grant is told as a missing resource-based policy. [I]
        kind = "resource-based policy" if layer is Layer.GRANT else layer.value
        if trust:
            kind = "role trust policy"
        return f"{text} because no {kind} allows the {request.action} action"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists and dicts, for a view."""
        return {
            "allowed": self.allowed,
            "outcome": self.outcome,
            "because": self.because,
            "denied_by": self.denied_by,
            "reason": self.reason,
            "message": None if self.allowed else self.message(),
            "request": {
                "principal": self.request.principal,
                "action": self.request.action,
                "resource": self.request.resource,
                "resource_account": self._scene.resource_account,
                "context": {
                    key: value if isinstance(value, str) else list(value)
                    for key, value in self.request.context.items()
                },
            },
            "layers": [layer.to_dict() for layer in self.layers],
            "decided_by": [
                {"layer": s.layer, "level": s.level, "policy": s.policy_index, "index": s.index}
                for s in self.decided_by
            ],
        }

    def __bool__(self) -> bool:
        raise TypeError("Ask decision.allowed; a Decision itself is neither true nor false")

    def __repr__(self) -> str:
        return f"<Decision {self.outcome}: {self.request.action} by {self.request.principal}>"

    def __str__(self) -> str:
        return self.because


def decide(request: Request, policies: Policies) -> Decision:
    """Decide one request as AWS would.

    Args:
        request: who wants to do what to which resource, and in which circumstances.
        policies: every policy and grant that can have a say.

    Returns:
        The decision. Its explanation is worked out only when it is read.

    Raises:
        ValueError: if the principal or the action is not one.
        MalformedPolicyError: if a policy cannot be evaluated.
    """
    scene = Scene(request, policies)
    return Decision(request, policies, scene, evaluate(scene))
