"""The engine against a naive second one, and what must hold whatever the policies are."""

from __future__ import annotations

import copy
import json
import os
from random import Random
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from kmscourse.cloud.authorization import Decision, Policies, Request, compile_policy, decide

from .naive import Naive
from .strategies import document, worlds

EXAMPLES = int(os.environ.get("KMSCOURSE_EXAMPLES", "200"))
"""How many random cases; 20000 was run before release."""

many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def real(world: dict[str, Any]) -> Decision:
    request = Request(
        world["principal"],
        world["action"],
        world["resource"],
        world["owner"],
        world["context"],
        world["issuer"],
    )
    return decide(request, Policies(**world["policies"]))


@many
@given(worlds())
def test_no_difference_from_the_naive_evaluation(world: dict[str, Any]) -> None:
    expected = Naive(**world).decide()
    decision = real(world)
    event(expected)
    assert decision.outcome == expected, decision.because
    explained(decision)


def explained(decision: Decision) -> None:
    """What the explanation says is what was decided."""
    denying = [step for step in decision.steps if step.matched and step.effect == "Deny"]
    assert bool(denying) == (decision.outcome == "ExplicitlyDenied")
    assert all(step.matched for step in decision.decided_by)
    assert all(step in decision.steps for step in decision.decided_by)
    assert all(bool(step.failed_on) != step.matched and step.detail for step in decision.steps)
    assert decision.because.endswith(".")
    if not decision.allowed:
        words = "explicit deny" if denying else "because no"
        assert words in decision.message() or "does not exist in this Region" in decision.message()
    json.dumps(decision.to_dict())


LISTS = ("identity", "boundary", "session")


@many
@given(worlds(), st.randoms(use_true_random=False))
def test_a_deny_more_or_an_allow_less_never_allows(world: dict[str, Any], random: Random) -> None:
    before = real(world)
    policies = copy.deepcopy(world["policies"])
    places = [
        (found, index)
        for name in (*LISTS, "resource", "vpc_endpoint", "scps")
        for found in _documents(policies[name])
        for index, one in enumerate(found["Statement"])
        if one["Effect"] == "Allow"
    ]
    if policies["grants"] and random.random() < 0.3:
        policies["grants"].pop(random.randrange(len(policies["grants"])))
    elif places:
        chosen, index = random.choice(places)
        if random.random() < 0.5:
            del chosen["Statement"][index]
        else:
            chosen["Statement"].append({**chosen["Statement"][index], "Effect": "Deny"})
            other, at = random.choice(places)
            if other is not chosen and "Principal" not in other["Statement"][at]:
                policies["identity"].append(
                    {**other, "Statement": [{**other["Statement"][at], "Effect": "Deny"}]}
                )
    after = real({**world, "policies": policies})
    assert before.allowed or not after.allowed


def _documents(held: Any) -> list[dict[str, Any]]:
    if held is None:
        return []
    if isinstance(held, dict):
        return [held]
    return [found for item in held for found in _documents(item)]


@settings(many, max_examples=30)
@given(document())
def test_a_document_reads_the_same_as_text(policy: dict[str, Any]) -> None:
    assert compile_policy(policy) is compile_policy(json.dumps(policy))
