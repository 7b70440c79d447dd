"""The refusal in AWS's words, and the sentence that says which document to change."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest

from kmscourse.cloud.authorization import (
    CONDITION_KEYS,
    Decision,
    MalformedPolicyError,
    NamedPolicy,
    Policies,
    Request,
    decide,
    engine,
)
from kmscourse.cloud.authorization.kms_keys import key_exists

from .kit import (
    DECRYPT,
    DEFAULT,
    FULL,
    KEY,
    NO_KMS,
    OBJECT,
    OTHER_USER,
    ROLE,
    ROOT_B,
    S3,
    SESSION,
    SESSION_B,
    USER,
    A,
    B,
    against,
    allow,
    ask,
    deny,
    doc,
    to,
)

REFUSED = f"User: {USER} is not authorized to perform: kms:Decrypt on resource: {KEY} "


@pytest.mark.parametrize(
    ("policies", "ending"),
    [
        (
            {"resource": DEFAULT},
            "because no identity-based policy allows the kms:Decrypt action",
        ),
        (
            {"resource": doc(to(OTHER_USER)), "identity": [FULL]},
            "because no resource-based policy allows the kms:Decrypt action",
        ),
        (
            {"resource": DEFAULT, "identity": [FULL], "boundary": [NO_KMS]},
            "because no permissions boundary allows the kms:Decrypt action",
        ),
        (
            {"resource": DEFAULT, "identity": [FULL], "session": [NO_KMS]},
            "because no session policy allows the kms:Decrypt action",
        ),
        (
            {"resource": DEFAULT, "identity": [FULL], "scps": [[NO_KMS]]},
            "because no service control policy allows the kms:Decrypt action",
        ),
        (
            {"resource": DEFAULT, "identity": [FULL], "vpc_endpoint": doc(to("*", "s3:*"))},
            "because no VPC endpoint policy allows the kms:Decrypt action",
        ),
        ({"resource": doc(against("*"))}, "with an explicit deny in a resource-based policy"),
        ({"identity": [doc(deny())]}, "with an explicit deny in an identity-based policy"),
        ({"boundary": [doc(deny())]}, "with an explicit deny in a permissions boundary"),
        ({"session": [doc(deny())]}, "with an explicit deny in a session policy"),
        ({"scps": [[doc(deny())]]}, "with an explicit deny in a service control policy"),
        ({"rcps": [[doc(against("*"))]]}, "with an explicit deny in a resource control policy"),
        ({"vpc_endpoint": doc(against("*"))}, "with an explicit deny in a VPC endpoint policy"),
    ],
)
def test_a_refusal_has_awss_wording(policies: dict[str, Any], ending: str) -> None:
    assert ask(USER, **policies).message() == REFUSED + ending


def test_the_wording_of_other_services_and_of_outsiders() -> None:
    s3 = ask(USER, "s3:GetObject", OBJECT)
    assert s3.message(quoted=True) == (
        f'User: {USER} is not authorized to perform: s3:GetObject on resource: "{OBJECT}" '
        "because no identity-based policy allows the s3:GetObject action"
    )
    assert " on resource: *" in s3.message("*")
    assert "resource:" not in s3.message(resource=False)
    assume = ask(USER, "sts:AssumeRole", ROLE, identity=[FULL])
    assert assume.message().endswith(
        "because no role trust policy allows the sts:AssumeRole action"
    )
    outside = ask(SESSION_B, resource=DEFAULT, identity=[FULL])
    assert "the resource does not exist in this Region" in outside.message()
    with pytest.raises(ValueError, match="allowed"):
        ask(USER, resource=doc(to(USER))).message()


# Situation, and the words without which the reader would not know where to turn.
SENTENCES: list[tuple[str, Decision, list[str]]] = [
    (
        "the default key policy without IAM",
        ask(USER, resource=DEFAULT),
        ["leaves kms:Decrypt to the IAM policies", "no IAM policy of user ana", "add an Allow"],
    ),
    (
        "IAM allows, the key policy does not know the account",
        ask(USER, resource=doc(to(OTHER_USER)), identity=[FULL]),
        ["the key policy of key 1234abcd", "to the key policy", "counts only where the key policy"],
    ),
    (
        "the outsider's side is missing",
        ask(SESSION_B, resource=doc(to(ROOT_B))),
        ["lets account " + B, "no IAM policy of role Reader", "add an Allow"],
    ),
    (
        "the owner's side is missing",
        ask(SESSION_B, resource=DEFAULT, identity=[DECRYPT]),
        ["belongs to account " + A, "key policy does not let", "only half of it"],
    ),
    (
        "an operation that never works across accounts",
        ask(SESSION_B, "kms:ScheduleKeyDeletion", resource=doc(to(ROOT_B)), identity=[FULL]),
        ["never works on a key of another account", "from account " + A],
    ),
    (
        "a boundary",
        ask(SESSION, resource=doc(to(ROLE, Sid="Use")), boundary=[NO_KMS]),
        ['statement "Use"', "permissions boundary of role App does not allow", "add it to the"],
    ),
    (
        "an SCP without an Allow",
        ask(USER, resource=DEFAULT, identity=[FULL], scps=[[FULL], [NO_KMS]]),
        ["no service control policy at the account", "add it to an SCP"],
    ),
    (
        "an SCP with a Deny",
        ask(USER, resource=DEFAULT, identity=[FULL],
            scps=[[FULL, NamedPolicy("NoKeys", doc(deny("kms:Decrypt", Sid="Stop")))]]),
        ['statement "Stop" of the SCP "NoKeys" at the organization\'s root', "A Deny wins"],
    ),
    (
        "a condition that is not met",
        ask(USER, resource=doc(
            to(USER, Sid="Ward", Condition={"StringEquals": {"kms:EncryptionContext:W": "7"}}))),
        ['nearest statement is "Ward"', "kms:EncryptionContext:W", '"7"', "no such value"],
    ),
    (
        "a service",
        ask(S3, resource=DEFAULT),
        ["the service s3.amazonaws.com", "to the key policy"],
    ),
    (
        "retiring a grant of someone else",
        ask(OTHER_USER, "kms:RetireGrant", identity=[FULL]),
        ["retiring principal", "RevokeGrant"],
    ),
    (
        "an endpoint",
        ask(USER, resource=DEFAULT, identity=[FULL], vpc_endpoint=doc(to("*", "s3:*"))),
        ["VPC endpoint", "add it to the VPC endpoint policy"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("decision", "words"), [s[1:] for s in SENTENCES], ids=[s[0] for s in SENTENCES]
)
def test_the_sentence_alone_says_which_document_to_change(
    decision: Decision, words: list[str]
) -> None:
    assert not decision.allowed
    for word in words:
        assert word in decision.because


def test_each_statement_says_what_it_failed_on() -> None:
    identity = NamedPolicy(
        "Ward",
        doc(
            allow("kms:Encrypt"),
            allow("kms:Decrypt", "arn:aws:kms:*:*:alias/*"),
            allow("kms:Decrypt", KEY, Condition={"Bool": {"aws:SecureTransport": "true"}}),
            allow("kms:*", Sid="All"),
        ),
    )
    decision = ask(USER, resource=doc(to(OTHER_USER), to(A)), identity=[identity])
    found = [(step.layer, step.failed_on, step.matched) for step in decision.steps]
    assert found == [
        ("resource-based policy", "principal", False),
        ("resource-based policy", "", True),
        ("identity-based policy", "action", False),
        ("identity-based policy", "resource", False),
        ("identity-based policy", "condition", False),
        ("identity-based policy", "", True),
    ]
    assert [step.statement for step in decision.decided_by] == ["number 2", "All"]
    assert [layer.verdict for layer in decision.layers] == ["Left to IAM", "Allow"]
    assert decision.steps[1].how == "account"
    assert repr(decision) == f"<Decision Allowed: kms:Decrypt by {USER}>"
    assert str(decision) == decision.because


def test_a_decision_is_not_mistaken_for_its_answer() -> None:
    with pytest.raises(TypeError, match="allowed"):
        bool(ask(USER))


@pytest.mark.parametrize(
    "request_",
    [
        Request("ana", "kms:Decrypt", KEY),
        Request("arn:aws:iam::12:user/ana", "kms:Decrypt", KEY),
        Request(f"arn:aws:iam::{A}:group/staff", "kms:Decrypt", KEY),
        Request(USER, "Decrypt", KEY),
        Request(USER, "kms:", KEY),
    ],
)
def test_a_request_that_is_none_is_told_so(request_: Request) -> None:
    with pytest.raises(ValueError, match=r"is not a|12-digit|not an action"):
        decide(request_, Policies())


def test_a_malformed_policy_is_told_when_it_is_used() -> None:
    with pytest.raises(MalformedPolicyError, match="Effect"):
        ask(USER, resource=doc({**to(USER), "Effect": "Maybe"}))


def test_the_engine_is_pure_python_and_stands_alone() -> None:
    imported = set()
    for file in Path(engine.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    others = {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names}
    assert {name.rpartition(".")[0] for name in others} == {"kmscourse.cloud.authorization"}


# ---------------------------------------------------------------- the table of condition keys

SOME_ROWS = {
    "kms:BypassPolicyLockoutSafetyCheck": {"CreateKey", "PutKeyPolicy"},
    "kms:EncryptionContext:App": {"Decrypt", "ReEncryptTo", "CreateGrant", "RetireGrant"},
    "kms:GrantOperations": {"CreateGrant"},
    "kms:KeySpec": {"CreateKey", "Decrypt", "DescribeKey", "Sign"},
    "kms:MessageType": {"Sign", "Verify"},
    "kms:RequestAlias": {"Decrypt", "DescribeKey", "GetPublicKey", "Sign"},
    "kms:RecipientAttestation:PCR0": {"Decrypt", "GenerateDataKey", "GenerateRandom"},
    "kms:RotationPeriodInDays": {"EnableKeyRotation"},
    "kms:ViaService": {"CreateKey", "Decrypt", "ListGrants"},
}


@pytest.mark.parametrize("key", SOME_ROWS)
def test_the_table_says_where_a_condition_key_exists(key: str) -> None:
    for operation in SOME_ROWS[key]:
        assert key_exists(key.lower(), operation)
    for operation in ("ListKeys", "ListAliases", "ListRetirableGrants"):
        assert not key_exists(key.lower(), operation)


def test_every_condition_key_of_kms_is_in_the_table() -> None:
    assert len(CONDITION_KEYS) == 38  # 39 on the pages: the two of Nitro Enclaves are one family
    assert not key_exists("kms:nosuchkey", "Decrypt")
    several = {name for name, key in CONDITION_KEYS.items() if key.multivalued}
    assert several == {"kms:EncryptionContextKeys", "kms:GrantOperations", "kms:ResourceAliases"}
    for key in CONDITION_KEYS.values():
        assert key.operations
