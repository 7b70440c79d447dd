"""Every rule by its id. A test whose name has the id proves it; the last test counts them."""

from __future__ import annotations

import re

import pytest

from kmscourse.cloud.authorization import (
    CROSS_ACCOUNT,
    GRANT_OPERATIONS,
    Grant,
    MalformedPolicyError,
    NamedPolicy,
    Policies,
    Request,
    check_lockout,
    compile_policy,
    decide,
    lockout_decision,
    parse_policy,
)

from .authorization_rules import MARKS, NOT_SIMULATED, VECTORS
from .kit import (
    ALIAS,
    BUCKET,
    DECRYPT,
    DEFAULT,
    FEDERATED,
    FULL,
    FULL_SCP,
    KEY,
    MANAGEMENT,
    NO_KMS,
    OBJECT,
    OTHER_KEY,
    OTHER_SESSION,
    OTHER_USER,
    ROLE,
    ROLE_B,
    ROOT,
    ROOT_B,
    S3,
    SESSION,
    SESSION_B,
    USER,
    USER_B,
    A,
    B,
    against,
    allow,
    ask,
    deny,
    doc,
    may,
    to,
)

CONTEXT = "kms:EncryptionContext:"
ORG = "o-clinic"


def grant(**more: object) -> dict[str, object]:
    """A grant in the shape of boto3's list_grants."""
    return {
        "KeyId": KEY,
        "GrantId": "g-1",
        "GranteePrincipal": ROLE,
        "RetiringPrincipal": USER,
        "IssuingAccount": A,
        "Operations": ["Decrypt", "DescribeKey"],
        **more,
    }


# ---------------------------------------------------------------- 1. Evaluation order


@pytest.mark.parametrize("principal", [USER, SESSION, ROOT, SESSION_B, S3])
def test_r1_1_nobody_has_access_unless_something_gives_it(principal: str) -> None:
    decision = ask(principal, resource=doc(to(OTHER_USER)), identity=[NO_KMS])
    assert decision.outcome == "ImplicitlyDenied"
    assert ask(principal).outcome == "ImplicitlyDenied"


LAYERS_THAT_DENY = {
    "rcps": [[doc(against("*"))]],
    "scps": [[FULL], [FULL, doc(deny())]],
    "vpc_endpoint": doc(to("*", "*"), against("*")),
    "resource": doc(to(ROOT), to(ROLE), against(ROLE)),
    "identity": [FULL, doc(deny())],
    "boundary": [FULL, doc(deny())],
    "session": [doc(allow("*"), deny())],
}


@pytest.mark.parametrize("layer", LAYERS_THAT_DENY)
def test_r1_2_one_deny_anywhere_wins(layer: str) -> None:
    everything = {"identity": [FULL], "resource": doc(to(ROOT), to(ROLE)), "grants": [grant()]}
    assert may(SESSION, **everything)
    decision = ask(SESSION, **{**everything, layer: LAYERS_THAT_DENY[layer]})
    assert decision.outcome == "ExplicitlyDenied"
    assert "explicit deny" in decision.message()


def test_r1_3_a_present_scp_level_without_an_allow_denies() -> None:
    both = {"identity": [FULL], "resource": DEFAULT}
    assert may(USER, scps=FULL_SCP, **both)
    assert not may(USER, scps=[[FULL], []], **both)
    assert not may(USER, scps=[[], [FULL]], **both)
    assert not may(USER, scps=[[FULL], [NO_KMS]], **both)
    assert may(USER, scps=None, **both)


def test_r1_3_rcp_full_access_is_always_attached() -> None:
    assert may(USER, rcps=[[], []], identity=[FULL], resource=DEFAULT)


def test_r1_3_the_first_layer_that_denies_is_the_one_told() -> None:
    every = dict(LAYERS_THAT_DENY)
    assert ask(SESSION, **every).denied_by == "resource control policy"
    del every["rcps"]
    assert ask(SESSION, **every).denied_by == "service control policy"


def test_r1_4_key_policy_iam_and_grants_are_looked_at_together() -> None:
    assert may(SESSION, resource=doc(to(ROLE)))
    assert may(SESSION, resource=DEFAULT, identity=[FULL])
    assert may(SESSION, resource=doc(to(OTHER_USER)), grants=[grant()])
    kinds = [layer.layer for layer in ask(SESSION, resource=DEFAULT, grants=[grant()]).layers]
    assert kinds == ["resource-based policy", "grant", "identity-based policy"]


def test_r1_5_elsewhere_either_side_is_enough_but_not_for_keys_and_roles() -> None:
    reading = doc(allow("s3:GetObject", OBJECT))
    bucket_policy = doc({**to(USER, "s3:GetObject"), "Resource": OBJECT})
    assert not may(USER, "s3:GetObject", OBJECT)
    assert may(USER, "s3:GetObject", OBJECT, identity=[reading])
    assert may(USER, "s3:GetObject", OBJECT, resource=bucket_policy)
    # but across accounts both
    theirs = doc({**to(ROOT_B, "s3:GetObject"), "Resource": OBJECT})
    assert not may(USER_B, "s3:GetObject", OBJECT, owner=A, resource=theirs)
    assert not may(USER_B, "s3:GetObject", OBJECT, owner=A, identity=[reading])
    assert may(USER_B, "s3:GetObject", OBJECT, owner=A, identity=[reading], resource=theirs)
    # a service without resource-based policies: identity only
    assert may(USER, "ec2:CreateVolume", "*", identity=[doc(allow("ec2:*"))])
    assert not may(USER, "ec2:CreateVolume", "*")
    # role trust policies: the role must let the caller in
    assume = Request(USER, "sts:AssumeRole", ROLE)
    trusting = doc({"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"})
    assert not decide(assume, Policies(identity=[FULL])).allowed
    assert not decide(assume, Policies(resource=trusting)).allowed
    assert decide(assume, Policies(identity=[FULL], resource=trusting)).allowed
    naming = doc({"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "sts:AssumeRole"})
    assert decide(assume, Policies(resource=naming)).allowed


# ---------------------------------------------------------------- 2. Key policy, same account


def test_r2_1_the_key_policy_is_the_root_of_trust() -> None:
    assert not may(USER, identity=[FULL])
    assert not may(USER, identity=[FULL], resource=doc(to(OTHER_USER)))
    assert may(USER, resource=doc(to(USER)))


@pytest.mark.parametrize("account", [ROOT, A])
def test_r2_2_iam_counts_only_if_the_account_is_named(account: str) -> None:
    assert may(USER, identity=[DECRYPT], resource=doc(to(account)))
    assert not may(USER, identity=[DECRYPT], resource=doc(to(account, "kms:Encrypt")))
    refusing = doc(deny("kms:Decrypt"))
    assert ask(USER, identity=[refusing], resource=doc(to(USER))).outcome == "ExplicitlyDenied"


def test_r2_3_naming_the_account_gives_no_user_anything() -> None:
    assert not may(USER, resource=DEFAULT)
    assert not may(SESSION, resource=DEFAULT)
    assert may(ROOT, resource=DEFAULT)  # the root user has no IAM policies to need
    assert not may(USER, identity=[FULL], resource=doc(to(ROOT), against(ROOT)))


@pytest.mark.parametrize(("named", "caller"), [(USER, USER), (ROLE, SESSION), (ROLE, ROLE)])
def test_r2_4_naming_the_caller_is_enough(named: str, caller: str) -> None:
    assert may(caller, resource=doc(to(named)))
    assert not may(OTHER_SESSION, resource=doc(to(named)))


def test_r2_5_delegation_covers_only_its_actions_and_conditions() -> None:
    only = doc(to(ROOT, ["kms:Describe*", "kms:List*"]))
    assert not may(USER, identity=[FULL], resource=only)
    assert may(USER, "kms:DescribeKey", identity=[FULL], resource=only)
    when = doc(
        to(ROOT, Condition={"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}})
    )
    assert not may(USER, identity=[FULL], resource=when)
    via = {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}
    assert may(USER, identity=[FULL], resource=when, context=via)


def test_r2_6_star_is_this_key_and_incomplete_statements_do_nothing() -> None:
    assert may(USER, resource=doc(to(USER)))
    assert may(USER, resource=doc({**to(USER), "Resource": KEY}))
    assert not may(USER, resource=doc({**to(USER), "Resource": OTHER_KEY}))
    for missing in ("Resource", "Action"):
        statement = to(USER)
        del statement[missing]
        parse_policy(doc(statement), "key")  # accepted ...
        assert not may(USER, resource=doc(statement))  # ... without effect
        refusal = {**statement, "Effect": "Deny"}
        assert may(USER, resource=doc(to(USER), refusal))
    nobody = to(USER)
    del nobody["Principal"]
    with pytest.raises(MalformedPolicyError):
        parse_policy(doc(nobody), "key")
    assert not may(USER, resource=doc(nobody))


def test_r2_7_a_new_key_policy_must_let_its_author_change_it_again() -> None:
    check_lockout(DEFAULT, USER, KEY)
    check_lockout(doc(to(USER, "kms:PutKeyPolicy")), USER, KEY)
    for locked in (
        doc(to(OTHER_USER)),
        doc(to(USER, "kms:Decrypt")),
        doc(to(ROOT), against(USER)),
    ):
        with pytest.raises(MalformedPolicyError) as refused:
            check_lockout(locked, USER, KEY)
        assert refused.value.code == "MalformedPolicyDocumentException"
        assert refused.value.message == (
            "The new key policy will not allow you to update the key policy in the future."
        )
    assert "key policy" in lockout_decision(doc(to(OTHER_USER)), USER, KEY).because


def test_r2_8_a_policy_tells_which_principals_must_exist() -> None:
    policy = compile_policy(doc(to([USER, ROOT_B]), to(ROLE), against(SESSION)))
    assert policy.principals == {USER, B, ROLE, SESSION}


@pytest.mark.parametrize(
    "operation",
    [
        "CreateKey",
        "ListKeys",
        "ListAliases",
        "GenerateRandom",
        "ListRetirableGrants",
        "CreateCustomKeyStore",
    ],
)
def test_r2_9_some_permissions_are_iam_only(operation: str) -> None:
    action = f"kms:{operation}"
    assert not decide(Request(USER, action, "*"), Policies(resource=doc(to(USER)))).allowed
    assert decide(
        Request(USER, action, "*"),
        Policies(identity=[doc(allow(action))], resource=doc(against(USER))),
    ).allowed


def test_r2_10_alias_operations_need_the_alias_and_each_key() -> None:
    alias_only = doc(allow("kms:CreateAlias", ALIAS))
    on_alias = Request(USER, "kms:CreateAlias", ALIAS)
    on_key = Request(USER, "kms:CreateAlias", KEY)
    assert decide(on_alias, Policies(identity=[alias_only])).allowed
    assert not decide(on_alias, Policies(resource=doc(to(USER)))).allowed
    assert not decide(on_key, Policies(identity=[alias_only], resource=DEFAULT)).allowed
    assert decide(on_key, Policies(resource=doc(to(USER, "kms:CreateAlias")))).allowed
    with_iam = doc(allow("kms:CreateAlias", [ALIAS, KEY]))
    assert decide(on_key, Policies(identity=[with_iam], resource=DEFAULT)).allowed


def test_r2_11_reencrypt_needs_from_on_the_source_and_to_on_the_destination() -> None:
    from_only = doc(to(USER, "kms:ReEncryptFrom"))
    assert may(USER, "kms:ReEncryptFrom", resource=from_only)
    assert not decide(
        Request(USER, "kms:ReEncryptTo", OTHER_KEY), Policies(resource=from_only)
    ).allowed
    both = doc(to(USER, "kms:ReEncrypt*"))
    assert may(USER, "kms:ReEncryptFrom", resource=both)
    assert may(USER, "kms:ReEncryptTo", resource=both)
    replicate = doc(to(USER, "kms:ReplicateKey"))
    assert may(USER, "kms:ReplicateKey", resource=replicate)
    assert not decide(Request(USER, "kms:CreateKey", "*"), Policies(resource=replicate)).allowed


def test_r2_12_a_key_administrator_can_help_himself() -> None:
    administers = doc(to(USER, ["kms:PutKeyPolicy", "kms:CreateGrant"]))
    assert not may(USER, resource=administers)
    assert may(USER, "kms:PutKeyPolicy", resource=administers)
    assert may(USER, resource=doc(to(USER)))  # the policy he then puts
    assert may(
        USER,
        "kms:CreateGrant",
        resource=administers,
        context={"kms:GrantOperations": ["Decrypt"]},
    )
    assert may(USER, resource=administers, grants=[grant(GranteePrincipal=USER)])


def test_r2_13_policy_name_tells_the_two_policies_of_a_key_apart() -> None:
    named = doc(
        to(USER, "kms:GetKeyPolicy", Condition={"StringEquals": {"kms:PolicyName": "default"}})
    )
    assert may(USER, "kms:GetKeyPolicy", resource=named)
    ram = {"kms:PolicyName": "AWS_RAM"}
    assert not may(USER, "kms:GetKeyPolicy", resource=named, context=ram)


def test_r2_14_the_ram_policy_counts_together_with_the_default_one() -> None:
    default = NamedPolicy("default", doc(to(ROOT)))
    ram = NamedPolicy("AWS_RAM", doc(to(ROLE_B, "kms:Decrypt")))
    assert may(SESSION_B, resource=[default, ram], identity=[DECRYPT])
    assert not may(SESSION_B, resource=[default], identity=[DECRYPT])


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (KEY, True),
        (f"arn:aws:kms:*:{A}:key/*", True),
        (f"arn:aws:kms:eu-west-1:{A}:key/1234abcd-*", True),
        ("1234abcd-12ab-34cd-56ef-1234567890ab", False),
        ("alias/records", False),
        (ALIAS, False),
    ],
)
def test_r2_15_in_iam_a_key_is_named_by_its_arn_only(resource: str, expected: bool) -> None:
    identity = [doc(allow("kms:Decrypt", resource))]
    assert may(USER, identity=identity, resource=DEFAULT) is expected


# ---------------------------------------------------------------- 3. Boundaries and sessions

BLOCKED = {"boundary": [NO_KMS]}
BLOCKED_BY_SESSION = {"session": [NO_KMS]}


def test_r3_1_a_named_user_is_not_blocked() -> None:
    assert may(USER, resource=doc(to(USER)))
    assert may(USER, resource=doc(to(USER)), **BLOCKED)


def test_r3_2_a_named_role_is_blocked_by_boundary_and_session_policy() -> None:
    policy = doc(to(ROLE))
    assert may(SESSION, resource=policy)
    assert may(SESSION, resource=policy, boundary=[FULL], session=[FULL])
    assert ask(SESSION, resource=policy, **BLOCKED).denied_by == "permissions boundary"
    assert ask(SESSION, resource=policy, **BLOCKED_BY_SESSION).denied_by == "session policy"
    by_condition = doc(to(ROLE, Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}}))
    assert not may(SESSION, resource=by_condition, **BLOCKED)


def test_r3_3_a_named_session_is_not_blocked() -> None:
    assert may(SESSION, resource=doc(to(SESSION)), **BLOCKED, **BLOCKED_BY_SESSION)


def test_r3_4_a_named_federated_session_is_not_blocked() -> None:
    policy = doc(to(FEDERATED))
    assert may(FEDERATED, resource=policy, issuer=USER, **BLOCKED, **BLOCKED_BY_SESSION)


def test_r3_5_the_federated_session_of_a_named_user_is_blocked() -> None:
    policy = doc(to(USER))
    assert may(FEDERATED, resource=policy, issuer=USER)
    assert not may(FEDERATED, resource=policy, issuer=USER, **BLOCKED)
    assert not may(FEDERATED, resource=policy, issuer=USER, **BLOCKED_BY_SESSION)
    assert not may(FEDERATED, resource=policy, issuer=OTHER_USER)


def test_r3_6_everyone_with_a_condition_on_the_principal_is_not_blocked() -> None:
    policy = doc(to("*", Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}}))
    assert may(SESSION, resource=policy, **BLOCKED, **BLOCKED_BY_SESSION)
    assert not may(OTHER_SESSION, resource=policy)


def test_r3_7_through_the_account_everything_blocks() -> None:
    assert not may(SESSION, resource=DEFAULT)
    assert may(SESSION, resource=DEFAULT, identity=[FULL])
    assert not may(SESSION, resource=DEFAULT, identity=[FULL], **BLOCKED)
    assert not may(SESSION, resource=DEFAULT, identity=[FULL], **BLOCKED_BY_SESSION)


def test_r3_8_boundary_identity_policy_and_scp_intersect() -> None:
    every = {"identity": [FULL], "boundary": [FULL], "scps": FULL_SCP, "resource": DEFAULT}
    assert may(USER, **every)
    for one in ("identity", "boundary"):
        assert not may(USER, **{**every, one: [NO_KMS]})
    assert not may(USER, **{**every, "scps": [[NO_KMS]]})
    assert not may(USER, boundary=[FULL], resource=DEFAULT)  # a boundary grants nothing


def test_r3_9_session_policies_intersect_and_a_named_session_is_added_on_top() -> None:
    assert not may(SESSION, identity=[NO_KMS], session=[FULL], resource=DEFAULT)
    assert may(SESSION, identity=[FULL], session=[DECRYPT], resource=DEFAULT)
    assert may(SESSION, session=[NO_KMS], resource=doc(to(SESSION)))


def test_r3_10_a_deny_in_boundary_or_session_policy_wins_over_every_row() -> None:
    for named, caller in ((USER, USER), (SESSION, SESSION), ("*", SESSION)):
        for layer in ("boundary", "session"):
            refusing = {layer: [doc(allow("*"), deny())]}
            assert ask(caller, resource=doc(to(named)), **refusing).outcome == "ExplicitlyDenied"


def test_r3_11_boundaries_do_not_block_a_grant_here_but_that_is_not_taught() -> None:
    assert may(SESSION, resource=doc(to(OTHER_USER)), grants=[grant()], **BLOCKED)


# ---------------------------------------------------------------- 4. Cross-account


def test_r4_1_both_accounts_must_allow() -> None:
    policy, identity = doc(to(ROOT_B)), [DECRYPT]
    assert may(SESSION_B, resource=policy, identity=identity)
    assert ask(SESSION_B, resource=policy).denied_by == "identity-based policy"
    assert ask(SESSION_B, identity=identity, resource=DEFAULT).denied_by == "resource-based policy"


@pytest.mark.parametrize("named", [ROOT_B, B, ROLE_B, SESSION_B])
def test_r4_2_naming_an_outsider_does_not_replace_his_iam_policy(named: str) -> None:
    assert not may(SESSION_B, resource=doc(to(named)))
    assert may(SESSION_B, resource=doc(to(named)), identity=[DECRYPT])
    assert not may(SESSION_B, resource=doc(to(named)), identity=[DECRYPT], boundary=[NO_KMS])


ACROSS = sorted(CROSS_ACCOUNT - {"RetireGrant"})


@pytest.mark.parametrize(
    "operation", [*ACROSS, "ScheduleKeyDeletion", "GetKeyPolicy", "TagResource"]
)
def test_r4_3_only_these_operations_work_across_accounts(operation: str) -> None:
    policies = {"resource": doc(to(ROOT_B)), "identity": [FULL]}
    decision = ask(SESSION_B, f"kms:{operation}", **policies)
    assert decision.allowed is (operation in CROSS_ACCOUNT)
    if not decision.allowed:
        assert "another account" in decision.because


def test_r4_4_the_key_policy_is_the_upper_limit() -> None:
    policy = doc(to(ROLE_B, "kms:Decrypt"))
    assert may(SESSION_B, resource=policy, identity=[FULL])
    assert not may(SESSION_B, "kms:Encrypt", resource=policy, identity=[FULL])
    assert not may(USER_B, resource=policy, identity=[FULL])


def test_r4_6_a_grant_to_an_outsider_needs_no_iam_policy() -> None:
    assert may(SESSION_B, resource=DEFAULT, grants=[grant(GranteePrincipal=ROLE_B)])
    assert not may(
        SESSION_B, "kms:Encrypt", resource=DEFAULT, grants=[grant(GranteePrincipal=ROLE_B)]
    )


def test_r4_7_everyone_without_conditions_opens_the_key_to_every_account() -> None:
    assert may(SESSION_B, resource=doc(to("*")), identity=[DECRYPT])
    assert not may(SESSION_B, resource=doc(to("*")))


def test_r4_8_everyone_with_caller_account_is_every_identity_of_the_account() -> None:
    policy = doc(to("*", Condition={"StringEquals": {"kms:CallerAccount": A}}))
    assert may(USER, resource=policy)
    assert may(SESSION, resource=policy)
    assert not may(SESSION_B, resource=policy, identity=[FULL])


# ---------------------------------------------------------------- 5. Grants


def test_r5_1_a_grant_only_allows_on_one_key_to_one_grantee() -> None:
    nothing = doc(to(OTHER_USER))
    assert may(SESSION, resource=nothing, grants=[grant()])
    assert not may(OTHER_SESSION, resource=nothing, grants=[grant()])
    assert not decide(
        Request(SESSION, "kms:Decrypt", OTHER_KEY), Policies(resource=nothing, grants=[grant()])
    ).allowed
    assert not may(SESSION, resource=doc(against(ROLE)), grants=[grant()])
    assert not may(SESSION, resource=nothing, identity=[doc(deny())], grants=[grant()])


def test_r5_2_what_a_grant_may_contain() -> None:
    assert len(GRANT_OPERATIONS) == 19
    for operation in sorted(GRANT_OPERATIONS - {"CreateGrant", "RetireGrant"}):
        one = grant(Operations=[operation])
        assert may(SESSION, f"kms:{operation}", grants=[one])
        assert not may(SESSION, "kms:GetKeyRotationStatus", grants=[one])


def test_r5_3_a_grant_has_exactly_one_grantee() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        Grant(frozenset({"Decrypt"}))
    with pytest.raises(ValueError, match="exactly one"):
        Grant(frozenset({"Decrypt"}), ROLE, S3)
    source = f"{BUCKET}"
    service = Grant(
        frozenset({"Decrypt"}), None, S3, retiring_principal=USER, key_arn=KEY, source_arn=source
    )
    assert may(S3, grants=[service], context={"aws:SourceArn": source})
    assert not may(USER, grants=[service], context={"aws:SourceArn": source})
    for grantee, caller in (
        (USER, USER),
        (ROLE, SESSION),
        (SESSION, SESSION),
        (FEDERATED, FEDERATED),
    ):
        assert may(caller, grants=[grant(GranteePrincipal=grantee)])
    # an account: its root user, and whoever its IAM policies let [I]
    to_account = [grant(GranteePrincipal=ROOT)]
    assert may(ROOT, grants=to_account)
    assert not may(USER, grants=to_account)
    assert may(USER, grants=to_account, identity=[DECRYPT])


@pytest.mark.parametrize(
    ("kind", "pairs", "request_pairs", "expected"),
    [
        ("Subset", {"Dept": "IT"}, {"Dept": "IT", "Use": "Test"}, True),
        ("Subset", {"Dept": "IT"}, {"Dept": "IT"}, True),
        ("Subset", {"Dept": "IT"}, {"Dept": "it"}, False),
        ("Subset", {"Dept": "IT"}, {}, False),
        ("Equals", {"Dept": "IT"}, {"Dept": "IT"}, True),
        ("Equals", {"Dept": "IT"}, {"Dept": "IT", "Use": "Test"}, False),
        ("Equals", {"Dept": "IT", "Use": "Test"}, {"Use": "Test", "Dept": "IT"}, True),
        # botocore (newer than the rules page): names are not case-sensitive in a constraint
        ("Equals", {"Dept": "IT"}, {"dept": "IT"}, True),
    ],
)
def test_r5_4_encryption_context_constraints(
    kind: str, pairs: dict[str, str], request_pairs: dict[str, str], expected: bool
) -> None:
    one = grant(Constraints={f"EncryptionContext{kind}": pairs})
    context = {f"{CONTEXT}{name}": value for name, value in request_pairs.items()}
    assert may(SESSION, grants=[one], context=context) is expected
    assert may(SESSION, "kms:DescribeKey", grants=[one])  # not looked at there


def test_r5_5_source_arn_constraint() -> None:
    one = grant(
        Constraints={"SourceArn": "arn:aws:s3:::clinic-*"}, Operations=["Decrypt", "DescribeKey"]
    )
    assert may(SESSION, grants=[one], context={"aws:SourceArn": BUCKET})
    assert not may(SESSION, grants=[one], context={"aws:SourceArn": "arn:aws:s3:::other"})
    assert not may(SESSION, grants=[one])
    assert may(SESSION, "kms:DescribeKey", grants=[one])
    assert not may(
        SESSION, "kms:DescribeKey", grants=[one], context={"aws:SourceArn": "arn:aws:s3:::other"}
    )
    assert may(USER, "kms:RetireGrant", grants=[one])


@pytest.mark.parametrize(
    ("parent", "operations", "context", "expected"),
    [
        ({}, ["Decrypt"], {}, True),
        ({}, ["Decrypt", "Encrypt"], {}, False),
        ({}, [], {}, False),
        ({"EncryptionContextSubset": {"a": "1"}}, ["Decrypt"], {}, False),
        (
            {"EncryptionContextSubset": {"a": "1"}},
            ["Decrypt"],
            {"kms:GrantConstraintType": "EncryptionContextEquals", f"{CONTEXT}a": "1"},
            True,
        ),
        (
            {"EncryptionContextSubset": {"a": "1"}},
            ["Decrypt"],
            {"kms:GrantConstraintType": "EncryptionContextSubset", f"{CONTEXT}b": "1"},
            False,
        ),
        (
            {"EncryptionContextEquals": {"a": "1"}},
            ["Decrypt"],
            {"kms:GrantConstraintType": "EncryptionContextSubset", f"{CONTEXT}a": "1"},
            False,
        ),
        (
            {"EncryptionContextEquals": {"a": "1"}},
            ["Decrypt"],
            {"kms:GrantConstraintType": "EncryptionContextEquals", f"{CONTEXT}a": "1"},
            True,
        ),
    ],
)
def test_r5_6_a_grant_made_under_a_grant_is_never_wider(
    parent: dict[str, object], operations: list[str], context: dict[str, object], expected: bool
) -> None:
    one = grant(Operations=["Decrypt", "CreateGrant"], Constraints=parent)
    full = {"kms:GrantOperations": operations, **context}
    assert may(SESSION, "kms:CreateGrant", grants=[one], context=full) is expected
    # from a policy the creator may grant what he does not have himself
    by_policy = doc(to(ROLE, "kms:CreateGrant"))
    assert may(
        SESSION, "kms:CreateGrant", resource=by_policy, context={"kms:GrantOperations": ["Encrypt"]}
    )


def test_r5_8_who_may_retire_and_who_may_revoke() -> None:
    retire = "kms:RetireGrant"
    assert may(USER, retire, grants=[grant()])
    assert not may(SESSION, retire, grants=[grant()])
    assert may(SESSION, retire, grants=[grant(Operations=["Decrypt", "RetireGrant"])])
    assert may(ROOT, retire, grants=[grant()])
    # the account as retiring principal leaves it to IAM, and takes nothing from the grantee
    delegated = grant(RetiringPrincipal=ROOT, Operations=["Decrypt", "RetireGrant"])
    assert may(SESSION, retire, grants=[delegated])
    assert not may(OTHER_USER, retire, grants=[delegated])
    assert may(OTHER_USER, retire, grants=[delegated], identity=[FULL])
    everything = {"identity": [FULL], "resource": doc(to("*"))}
    assert not may(OTHER_USER, retire, grants=[grant()], **everything)
    # no effect in key policies and RCPs, but a Deny in IAM works
    assert may(USER, retire, grants=[grant()], resource=doc(against("*")))
    assert may(USER, retire, grants=[grant()], rcps=[[doc(against("*"))]])
    assert ask(USER, retire, grants=[grant()], identity=[doc(deny())]).outcome == "ExplicitlyDenied"
    assert may(OTHER_USER, "kms:RevokeGrant", resource=doc(to(OTHER_USER, "kms:RevokeGrant")))
    assert not may(USER, "kms:RevokeGrant", resource=doc(to(OTHER_USER)), grants=[grant()])


def test_r5_9_grants_only_for_aws_resources() -> None:
    policy = doc(
        to(USER, "kms:CreateGrant", Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}})
    )
    assert not may(USER, "kms:CreateGrant", resource=policy)
    context = {"kms:GrantIsForAWSResource": "true"}
    assert may(USER, "kms:CreateGrant", resource=policy, context=context)


# ---------------------------------------------------------------- 6. SCP and RCP


def test_r6_1_scps_cap_members_only() -> None:
    policies = {"identity": [FULL], "resource": DEFAULT, "scps": [[NO_KMS]]}
    assert not may(USER, **policies)
    assert not may(ROOT, **policies)
    assert may(USER, management_account=A, **policies)
    assert not may(USER, management_account=MANAGEMENT, **policies)
    name = "AWSServiceRoleForAutoScaling"
    linked = f"arn:aws:iam::{A}:role/aws-service-role/autoscaling.amazonaws.com/{name}"
    session = f"arn:aws:sts::{A}:assumed-role/AWSServiceRoleForAutoScaling/x"
    assert may(session, issuer=linked, **policies)
    assert may(session, context={"aws:PrincipalArn": linked}, **policies)
    service = doc(to({"Service": S3}))
    assert may(S3, resource=service, scps=[[NO_KMS]])
    assert not may(USER, scps=FULL_SCP, resource=DEFAULT)  # never grants


def test_r6_2_the_callers_scps_count_not_the_key_owners() -> None:
    policies = {"identity": [DECRYPT], "resource": doc(to(ROOT_B))}
    assert may(SESSION_B, scps=None, **policies)  # B is in no organization, whatever A has
    assert not may(SESSION_B, scps=[[NO_KMS]], **policies)


def test_r6_3_rcps_cap_customer_managed_keys_in_member_accounts() -> None:
    policies = {"identity": [FULL], "resource": doc(to("*")), "rcps": [[], [doc(against("*"))]]}
    for caller in (USER, SESSION_B, ROOT, S3):
        assert ask(caller, **policies).denied_by == "resource control policy"
    assert may(USER, aws_managed_key=True, **policies)
    assert may(USER, management_account=A, **policies)
    linked = f"arn:aws:sts::{A}:assumed-role/AWSServiceRoleForAutoScaling/x"
    assert may(linked, **policies)
    assert not may(OTHER_USER, rcps=[[]], resource=DEFAULT)  # never grants
    ec2 = {"identity": [FULL], "rcps": [[doc(against("*", "*"))]]}
    assert may(USER, "ec2:CreateVolume", "*", **ec2)  # a service without RCPs


PERIMETER = doc(
    against(
        "*",
        Condition={
            "StringNotEqualsIfExists": {"aws:PrincipalOrgID": ORG},
            "Bool": {"aws:PrincipalIsAWSService": "false"},
        },
    )
)


def test_r6_4_identity_perimeter() -> None:
    open_key = {"identity": [FULL], "resource": doc(to("*")), "rcps": [[PERIMETER]]}
    assert may(USER, context={"aws:PrincipalOrgID": ORG}, **open_key)
    assert not may(SESSION_B, context={"aws:PrincipalOrgID": "o-other"}, **open_key)
    assert not may(SESSION_B, **open_key)
    assert may(S3, **open_key)


def test_r6_5_confused_deputy() -> None:
    rcp = doc(
        against(
            "*",
            Condition={
                "StringNotEqualsIfExists": {"aws:SourceOrgID": ORG},
                "Bool": {"aws:PrincipalIsAWSService": "true"},
                "Null": {"aws:SourceAccount": "false"},
            },
        )
    )
    policies = {"resource": doc(to("*")), "rcps": [[rcp]], "identity": [FULL]}
    theirs = {"aws:SourceAccount": B, "aws:SourceOrgID": "o-other"}
    assert not may(S3, context=theirs, **policies)
    assert may(S3, context={"aws:SourceAccount": A, "aws:SourceOrgID": ORG}, **policies)
    assert may(S3, **policies)
    assert may(USER, context=theirs, **policies)


# ---------------------------------------------------------------- 7. VPC endpoints


def test_r7_1_through_an_endpoint_two_permissions() -> None:
    policies = {"identity": [FULL], "resource": DEFAULT}
    assert may(USER, vpc_endpoint=doc(to("*", "*")), **policies)
    assert (
        ask(USER, vpc_endpoint=doc(to("*", "s3:*")), **policies).denied_by == "VPC endpoint policy"
    )
    assert not may(USER, vpc_endpoint=doc(to("*", "*")), resource=DEFAULT)
    assert not may(SESSION, vpc_endpoint=doc(to("*", "s3:*")), grants=[grant()])


def test_r7_2_a_limit_on_the_endpoint_shuts_out_what_services_do_for_you() -> None:
    policy = doc(to(USER, Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}}))
    assert may(USER, resource=policy, context={"aws:SourceVpce": "vpce-1"})
    assert not may(USER, resource=policy, context={"kms:ViaService": "s3.eu-west-1.amazonaws.com"})
    refusing = doc(
        to(USER), against("*", Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}})
    )
    assert not may(USER, resource=refusing)


def test_r7_3_source_ip_is_not_there_through_an_endpoint() -> None:
    policy = doc(to(USER, Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}))
    address = {"aws:SourceIp": "203.0.113.9"}
    assert may(USER, resource=policy, context=address)
    assert not may(USER, resource=policy, context={**address, "aws:SourceVpce": "vpce-1"})
    refusing = doc(
        to(USER), against("*", Condition={"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}})
    )
    assert may(USER, resource=refusing, context=address)
    assert not may(USER, resource=refusing)  # a service's call has no address of yours


# ---------------------------------------------------------------- 8. Requests made by services

VIA = {
    "kms:ViaService": "s3.eu-west-1.amazonaws.com",
    "aws:CalledVia": ["s3.amazonaws.com"],
    "aws:ViaAWSService": "true",
}


def test_r8_1_a_forward_access_session_needs_your_permission() -> None:
    assert not may(USER, resource=DEFAULT, context=VIA)
    assert may(USER, resource=DEFAULT, identity=[DECRYPT], context=VIA)
    called = doc(to(USER, Condition={"ForAnyValue:StringEquals": {"aws:CalledVia": S3}}))
    assert may(USER, resource=called, context=VIA)
    assert not may(USER, resource=called)


def test_r8_2_via_service_is_true_only_through_the_service() -> None:
    services = ["s3.eu-west-1.amazonaws.com", "rds.eu-west-1.amazonaws.com"]
    policy = doc(to(USER, Condition={"StringEquals": {"kms:ViaService": services}}))
    assert may(USER, resource=policy, context=VIA)
    assert not may(USER, resource=policy)
    assert not may(USER, resource=policy, context={"kms:ViaService": "s3.eu-west-2.amazonaws.com"})


def test_r8_3_principal_is_aws_service_only_for_the_service_itself() -> None:
    policy = doc(to("*", Condition={"Bool": {"aws:PrincipalIsAWSService": "true"}}))
    assert may(S3, resource=policy)
    assert not may(USER, resource=policy, context=VIA)
    assert not may(f"arn:aws:sts::{A}:assumed-role/AWSServiceRoleForAutoScaling/x", resource=policy)


def test_r8_4_source_arn_guards_against_the_confused_deputy() -> None:
    policy = doc(to({"Service": S3}, Condition={"ArnLike": {"aws:SourceArn": f"{BUCKET}*"}}))
    assert may(S3, resource=policy, context={"aws:SourceArn": BUCKET})
    assert not may(S3, resource=policy, context={"aws:SourceArn": "arn:aws:s3:::other"})
    assert not may(S3, resource=policy)


def test_r8_5_org_id_is_absent_outside_an_organization() -> None:
    policy = doc(to("*", Condition={"StringEquals": {"aws:PrincipalOrgID": ORG}}))
    assert may(USER, resource=policy, context={"aws:PrincipalOrgID": ORG})
    assert not may(USER, resource=policy)


def test_r8_6_via_service_or_org_id_never_matches_a_service_itself() -> None:
    for condition in (
        {"kms:ViaService": "s3.eu-west-1.amazonaws.com"},
        {"aws:PrincipalOrgID": ORG},
    ):
        assert not may(S3, resource=doc(to({"Service": S3}, Condition={"StringEquals": condition})))


# ---------------------------------------------------------------- 9. Conditions


def holds(condition: dict[str, object], action: str = "kms:Decrypt", **context: object) -> bool:
    """Whether an Allow for the user under this condition lets the request through."""
    given = {key.replace("__", ":").replace("_", "/"): value for key, value in context.items()}
    return may(USER, action, resource=doc(to(USER, Condition=condition)), context=given)


def test_r9_1_and_between_keys_or_between_values_nor_when_negated() -> None:
    both = {"StringEquals": {"aws:a": "1", "aws:b": "2"}, "Bool": {"aws:c": "true"}}
    assert holds(both, aws__a="1", aws__b="2", aws__c="true")
    assert not holds(both, aws__a="1", aws__b="2", aws__c="false")
    assert not holds(both, aws__a="1", aws__b="3", aws__c="true")
    any_of = {"StringEquals": {"aws:a": ["1", "2"]}}
    assert holds(any_of, aws__a="2")
    none_of = {"StringNotEquals": {"aws:a": ["1", "2"]}}
    assert holds(none_of, aws__a="3")
    assert not holds(none_of, aws__a="2")


NEGATED = [
    "StringNotEquals",
    "StringNotEqualsIgnoreCase",
    "StringNotLike",
    "NumericNotEquals",
    "DateNotEquals",
    "NotIpAddress",
    "ArnNotEquals",
    "ArnNotLike",
]
POSITIVE = [
    "StringEquals",
    "StringEqualsIgnoreCase",
    "StringLike",
    "NumericEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "ArnEquals",
    "ArnLike",
]


@pytest.mark.parametrize("operator", NEGATED + POSITIVE)
def test_r9_2_a_missing_key_fails_positive_and_passes_negated_operators(operator: str) -> None:
    assert holds({operator: {"aws:a": "1"}}) is (operator in NEGATED)


@pytest.mark.parametrize("operator", NEGATED + POSITIVE)
def test_r9_3_if_exists_passes_when_the_key_is_missing(operator: str) -> None:
    assert holds({f"{operator}IfExists": {"aws:a": "1"}})
    with pytest.raises(MalformedPolicyError, match="Invalid Condition type"):
        holds({"NullIfExists": {"aws:a": "true"}})
    refusing = doc(to(USER), against("*", Condition={"StringNotEqualsIfExists": {"aws:a": "1"}}))
    assert not may(USER, resource=refusing)


def test_r9_4_null() -> None:
    absent, present = {"Null": {"aws:a": "true"}}, {"Null": {"aws:a": "false"}}
    assert holds(absent)
    assert not holds(absent, aws__a="x")
    assert not holds(present)
    assert holds(present, aws__a="x")
    assert not holds(present, aws__a=[])


def test_r9_5_set_operators() -> None:
    every = {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}
    some = {"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}
    for condition, expected in ((every, True), (some, False)):
        assert holds(condition) is expected
        assert holds(condition, aws__TagKeys=[]) is expected
    assert holds(every, aws__TagKeys=["a"])
    assert not holds(every, aws__TagKeys=["a", "c"])
    assert holds(some, aws__TagKeys=["a", "c"])
    assert not holds(some, aws__TagKeys=["c"])
    assert holds({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["a"]}}, aws__TagKeys=["b", "c"])
    assert not holds(
        {"ForAllValues:StringNotEquals": {"aws:TagKeys": ["a"]}}, aws__TagKeys=["a", "c"]
    )
    assert holds({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a"]}}, aws__TagKeys=["a", "c"])


def test_r9_6_kms_refuses_for_all_values_with_encryption_context() -> None:
    for key in (f"{CONTEXT}App", "aws:RequestTag/team"):
        policy = doc(to(USER, Condition={"ForAllValues:StringEquals": {key: "x"}}))
        with pytest.raises(MalformedPolicyError, match="OverlyPermissiveCondition"):
            parse_policy(policy, "key")
        identity = doc(allow(Condition={"ForAllValues:StringEquals": {key: "x"}}))
        parse_policy(identity, "identity")


def test_r9_7_case_and_wildcards_in_strings() -> None:
    assert not holds({"StringEquals": {"aws:a": "abc"}}, aws__a="ABC")
    assert holds({"StringEqualsIgnoreCase": {"aws:a": "abc"}}, aws__a="ABC")
    assert holds({"StringLike": {"aws:a": "a*c?"}}, aws__a="abbcd")
    assert not holds({"StringLike": {"aws:a": "A*"}}, aws__a="abc")
    assert not holds({"StringEquals": {"aws:a": "a*"}}, aws__a="abc")
    assert holds({"StringEquals": {"aws:a": "a*"}}, aws__a="a*")
    assert not holds({"DateEquals": {"aws:a": "2026-*"}}, aws__a="2026-01-01")


@pytest.mark.parametrize("operator", ["ArnEquals", "ArnLike"])
def test_r9_8_arns_are_compared_part_by_part(operator: str) -> None:
    arn = "arn:aws:sns:eu-west-1:111122223333:topic"
    assert holds({operator: {"aws:SourceArn": "arn:aws:sns:*:*:top?c"}}, aws__SourceArn=arn)
    assert not holds({operator: {"aws:SourceArn": "arn:aws:sns:*:topic"}}, aws__SourceArn=arn)
    assert not holds({operator: {"aws:SourceArn": "arn:aws:sns:*"}}, aws__SourceArn=arn)
    assert holds({"StringLike": {"aws:SourceArn": "arn:aws:sns:*:topic"}}, aws__SourceArn=arn)


def test_r9_9_policy_variables() -> None:
    named = "${aws:PrincipalTag/team}"
    tagged = {"aws__PrincipalTag_team": "red"}
    assert holds({"StringEquals": {"aws:a": named}}, aws__a="red", **tagged)
    assert not holds({"StringEquals": {"aws:a": named}}, aws__a="blue", **tagged)
    assert not holds({"StringEquals": {"aws:a": named}}, aws__a="red")
    assert holds(
        {"StringNotEquals": {"aws:a": named}}, aws__a="red"
    )  # nothing equals what is missing
    default = "${aws:PrincipalTag/team, 'nobody'}"
    assert holds({"StringEquals": {"aws:a": default}}, aws__a="nobody")
    assert holds({"StringLike": {"aws:a": f"{named}/*"}}, aws__a="red/1", **tagged)
    assert holds({"StringLike": {"aws:a": "${*}x"}}, aws__a="*x")
    assert not holds({"StringLike": {"aws:a": "${*}x"}}, aws__a="yx")
    # what is filled in is no wildcard
    assert not holds({"StringLike": {"aws:a": named}}, aws__a="red", aws__PrincipalTag_team="*")
    arn = "arn:aws:sns:eu-west-1:111122223333:${aws:username}"
    mine = "arn:aws:sns:eu-west-1:111122223333:ana"
    assert holds({"ArnLike": {"aws:SourceArn": arn}}, aws__SourceArn=mine)
    assert holds({"Bool": {"aws:a": "${aws:b}"}}, aws__a="true", aws__b="true")
    # not in numbers, dates, binary, addresses; not from keys with several values
    assert not holds({"NumericEquals": {"aws:a": "${aws:b}"}}, aws__a="5", aws__b="5")
    assert not holds({"IpAddress": {"aws:a": "${aws:b}"}}, aws__a="10.0.0.1", aws__b="10.0.0.1")
    assert not holds({"StringEquals": {"aws:a": "${aws:b}"}}, aws__a="1", aws__b=["1", "2"])
    # in encryption context conditions only in the value
    key = {"StringEquals": {"kms:EncryptionContext:${aws:username}": "x"}}
    assert not holds(key, kms__EncryptionContext__ana="x")
    value = {"StringEquals": {"kms:EncryptionContext:owner": "${aws:username}"}}
    assert holds(value, kms__EncryptionContext__owner="ana")
    # in resources; and only in the 2012 language
    home = {"identity": [doc(allow("s3:GetObject", f"{BUCKET}/${{aws:username}}.json"))]}
    assert may(USER, "s3:GetObject", OBJECT, **home)
    assert not may(OTHER_USER, "s3:GetObject", OBJECT, **home)
    old = doc(allow("s3:GetObject", f"{BUCKET}/${{aws:username}}.json"), version="2008-10-17")
    assert not may(USER, "s3:GetObject", OBJECT, identity=[old])


def test_r9_10_a_key_that_does_not_exist_for_the_operation_is_absent() -> None:
    context = {"StringEquals": {f"{CONTEXT}App": "x"}}
    given = {f"{CONTEXT}App": "x", "kms:KeySpec": "RSA_2048"}
    statement = doc(to(USER, ["kms:Decrypt", "kms:DescribeKey"], Condition=context))
    assert may(USER, resource=statement, context=given)
    assert not may(USER, "kms:DescribeKey", resource=statement, context=given)
    listing = doc(allow("kms:ListKeys", Condition={"StringEquals": {"kms:KeySpec": "RSA_2048"}}))
    assert not may(USER, "kms:ListKeys", "*", identity=[listing], context=given)
    bucket = doc(allow("s3:*", Condition={"StringLike": {"kms:ViaService": "*"}}))
    assert not may(USER, "s3:GetObject", OBJECT, identity=[bucket], context=VIA)
    aliases = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/records"}}
    has = {"kms:ResourceAliases": ["alias/records"]}
    assert may(USER, identity=[doc(allow(Condition=aliases))], resource=DEFAULT, context=has)
    assert not may(USER, resource=doc(to(USER, Condition=aliases)), context=has)


def test_r9_11_request_parameters_have_their_defaults() -> None:
    create = [
        doc(
            allow("kms:CreateKey", Condition={"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}})
        )
    ]
    assert may(USER, "kms:CreateKey", "*", identity=create)
    assert not may(USER, "kms:CreateKey", "*", identity=create, context={"kms:KeySpec": "RSA_2048"})
    omitted = {"Null": {"kms:BypassPolicyLockoutSafetyCheck": "true"}}
    assert holds(omitted, "kms:PutKeyPolicy")
    assert not holds(omitted, "kms:PutKeyPolicy", kms__BypassPolicyLockoutSafetyCheck="true")
    assert holds({"Null": {"kms:ExpirationModel": "true"}}, "kms:ImportKeyMaterial")


def test_r9_12_two_mac_algorithms_mean_either_here_as_for_every_single_valued_key() -> None:
    either = {"StringEquals": {"kms:MacAlgorithm": ["HMAC_SHA_256", "HMAC_SHA_512"]}}
    assert holds(either, "kms:GenerateMac", kms__MacAlgorithm="HMAC_SHA_512")


# ---------------------------------------------------------------- 11. Principals, Not...


@pytest.mark.parametrize(
    ("named", "caller"),
    [
        (ROOT, ROOT),
        (ROLE, SESSION),
        (SESSION, SESSION),
        (USER, USER),
        (FEDERATED, FEDERATED),
        ({"Service": [S3, "rds.amazonaws.com"]}, S3),
        ("*", USER),
        ([OTHER_USER, USER], USER),
    ],
)
def test_r11_1_kinds_of_principals(named: object, caller: str) -> None:
    assert may(caller, resource=doc(to(named)))
    group = f"arn:aws:iam::{A}:group/staff"
    with pytest.raises(MalformedPolicyError, match="invalid principals"):
        parse_policy(doc(to(group)), "key")


def test_r11_2_no_partial_wildcards_and_names_are_case_sensitive() -> None:
    for pattern in (f"arn:aws:iam::{A}:role/A*", f"arn:aws:sts::{A}:assumed-role/App/*"):
        assert not may(SESSION, resource=doc(to(pattern)))
        with pytest.raises(MalformedPolicyError, match="invalid principals"):
            parse_policy(doc(to(pattern)), "key")
    assert not may(USER, resource=doc(to(f"arn:aws:iam::{A}:user/Ana")))
    like = doc(to("*", Condition={"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{A}:role/A*"}}))
    assert may(SESSION, resource=like)


def test_r11_4_star_alone_and_aws_star_are_the_same() -> None:
    for principal in ("*", {"AWS": "*"}):
        policy = doc({**to(principal, "s3:GetObject"), "Resource": OBJECT})
        anonymous = Request("anonymous", "s3:GetObject", OBJECT, resource_account=A)
        assert decide(anonymous, Policies(resource=policy)).allowed


def test_r11_5_allow_to_everyone() -> None:
    assert may(USER, resource=doc(to("*")))
    assert may(SESSION, resource=doc(to("*")))
    assert not may(SESSION_B, resource=doc(to("*")))
    assert may(SESSION_B, resource=doc(to("*")), identity=[DECRYPT])


def not_principal(effect: str, *names: str) -> dict[str, object]:
    return {
        "Effect": effect,
        "NotPrincipal": {"AWS": list(names)},
        "Action": "kms:*",
        "Resource": "*",
    }


def test_r11_6_not_principal() -> None:
    policy = doc(to("*"), not_principal("Deny", USER, ROOT))
    assert may(USER, resource=policy)
    assert not may(OTHER_USER, resource=policy)
    assert not may(USER, resource=doc(to("*"), not_principal("Deny", USER)))  # account not listed
    assert may(SESSION, resource=doc(to("*"), not_principal("Deny", SESSION, ROLE, ROOT)))
    assert not may(SESSION, resource=doc(to("*"), not_principal("Deny", ROLE, ROOT)))
    # Allow lets everyone else in, outsiders and anonymous callers too
    others = doc(not_principal("Allow", USER))
    assert not may(USER, resource=others)
    assert may(OTHER_USER, resource=others)
    for kind in ("identity", "trust"):
        with pytest.raises(MalformedPolicyError):
            parse_policy(doc(not_principal("Deny", USER)), kind)  # type: ignore[arg-type]


def test_r11_7_not_principal_with_deny_always_hits_a_principal_with_a_boundary() -> None:
    policy = doc(to(USER), not_principal("Deny", USER, ROOT))
    assert may(USER, resource=policy)
    decision = ask(USER, resource=policy, boundary=[FULL])
    assert decision.outcome == "ExplicitlyDenied"
    assert "boundary" in decision.because
    instead = doc(to(USER), against("*", Condition={"ArnNotEquals": {"aws:PrincipalArn": USER}}))
    assert may(USER, resource=instead, boundary=[FULL])


def test_r11_8_not_action() -> None:
    over = doc({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})
    assert may(USER, identity=[over], resource=DEFAULT)
    assert not may(USER, "iam:CreateUser", "*", identity=[over])
    refusing = doc({"Effect": "Deny", "NotAction": "kms:Decrypt", "Resource": "*"})
    assert not may(USER, identity=[refusing], resource=DEFAULT)  # allows nothing
    assert may(USER, identity=[refusing, FULL], resource=DEFAULT)
    assert not may(USER, "kms:Encrypt", identity=[refusing, FULL], resource=DEFAULT)


def test_r11_9_not_resource() -> None:
    others = doc({"Effect": "Allow", "Action": "kms:*", "NotResource": OTHER_KEY})
    assert may(USER, identity=[others], resource=DEFAULT)
    assert not decide(
        Request(USER, "kms:Decrypt", OTHER_KEY), Policies(identity=[others], resource=DEFAULT)
    ).allowed


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("KMS:DECRYPT", "kms:Decrypt", True),
        ("kms:GenerateDataKey*", "kms:GenerateDataKeyPairWithoutPlaintext", True),
        ("kms:*DataKey*", "kms:GenerateDataKeyPair", True),
        ("kms:Re?ncryptTo", "kms:ReEncryptTo", True),
        ("kms:GenerateDataKey", "kms:GenerateDataKeyPair", False),
        ("*", "kms:Decrypt", True),
    ],
)
def test_r11_10_actions(pattern: str, action: str, expected: bool) -> None:
    assert may(USER, action, resource=doc(to(USER, pattern))) is expected


@pytest.mark.parametrize(
    ("pattern", "resource", "expected"),
    [
        (f"{BUCKET}/*", f"{BUCKET}/a/b/c", True),
        (f"{BUCKET}/a*c", f"{BUCKET}/a/b/c", True),
        (f"{BUCKET}/an?.json", OBJECT, True),
        (BUCKET, OBJECT, False),
        ("arn:aws:s3:::*", OBJECT, True),
        ("arn:aws:s*:::clinic-records/ana.json", OBJECT, False),
        ("arn:aws:s3", OBJECT, True),
        ("arn:aws:rds:*:*:cluster:*", f"arn:aws:rds:eu-west-1:{A}:cluster:one", True),
        (f"arn:aws:rds:eu-*st-1:{A}:cluster:one", f"arn:aws:rds:eu-west-1:{A}:cluster:one", True),
        (f"arn:aws:rds:e*1:{A}:cluster:one", f"arn:aws:rds:x:{A}:cluster:one", False),
    ],
)
def test_r11_11_resources(pattern: str, resource: str, expected: bool) -> None:
    identity = [doc(allow("*", pattern))]
    service = resource.split(":")[2]
    assert may(USER, f"{service}:Read", resource, identity=identity) is expected


# ---------------------------------------------------------------- 12. The vectors

VIA_S3 = {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}
VECTOR: dict[int, tuple[dict[str, object], bool]] = {
    1: ({"principal": USER, "resource": DEFAULT}, False),
    2: ({"principal": USER, "resource": DEFAULT, "identity": [DECRYPT]}, True),
    3: ({"principal": OTHER_SESSION, "resource": doc(to(ROLE)), "identity": [FULL]}, False),
    4: ({"principal": SESSION, "resource": doc(to(ROLE))}, True),
    5: ({"principal": SESSION, "resource": doc(to(ROLE)), "boundary": [NO_KMS]}, False),
    6: ({"principal": USER, "resource": doc(to(USER)), "boundary": [NO_KMS]}, True),
    7: (
        {
            "principal": USER,
            "resource": DEFAULT,
            "identity": [DECRYPT],
            "scps": [[FULL, doc(deny("kms:Decrypt"))]],
        },
        False,
    ),
    8: ({"principal": SESSION_B, "resource": doc(to(ROOT_B))}, False),
    9: ({"principal": SESSION_B, "resource": doc(to(ROOT_B)), "identity": [DECRYPT]}, True),
    10: (
        {
            "principal": SESSION_B,
            "action": "kms:ScheduleKeyDeletion",
            "resource": doc(to(ROOT_B)),
            "identity": [FULL],
        },
        False,
    ),
    11: ({"principal": SESSION_B, "resource": DEFAULT, "identity": [FULL]}, False),
    12: (
        {
            "principal": SESSION,
            "grants": [grant(Constraints={"EncryptionContextSubset": {"Department": "IT"}})],
            "context": {f"{CONTEXT}Department": "IT", f"{CONTEXT}Purpose": "Test"},
        },
        True,
    ),
    13: (
        {
            "principal": SESSION,
            "grants": [grant(Constraints={"EncryptionContextEquals": {"Department": "IT"}})],
            "context": {f"{CONTEXT}Department": "IT", f"{CONTEXT}Purpose": "Test"},
        },
        False,
    ),
    14: (
        {
            "principal": SESSION,
            "grants": [grant()],
            "resource": doc(to(ROOT), against(ROLE, "kms:Decrypt")),
        },
        False,
    ),
    15: ({"principal": USER, "resource": doc(to(USER, Condition=VIA_S3))}, False),
    16: (
        {
            "principal": USER,
            "action": "kms:DescribeKey",
            "resource": doc(
                to(
                    USER,
                    ["kms:Decrypt", "kms:DescribeKey"],
                    Condition={"StringEquals": {f"{CONTEXT}App": "x"}},
                )
            ),
        },
        False,
    ),
    17: (
        {
            "principal": USER,
            "action": "kms:GenerateDataKey",
            "resource": doc(
                to(
                    USER,
                    Condition={"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["App"]}},
                )
            ),
        },
        True,
    ),
    18: (
        {
            "principal": USER,
            "resource": doc(
                to(USER), against("*", Condition={"StringNotEquals": {f"{CONTEXT}App": "x"}})
            ),
        },
        False,
    ),
    19: (
        {
            "principal": USER,
            "resource": doc(
                to(USER, Condition={"StringEquals": {"kms:RequestAlias": "alias/finance"}})
            ),
        },
        False,
    ),
    20: (
        {
            "principal": SESSION_B,
            "resource": doc(to(ROOT_B)),
            "identity": [DECRYPT],
            "rcps": [[PERIMETER]],
            "context": {"aws:PrincipalOrgID": "o-other"},
        },
        False,
    ),
    21: (
        {
            "principal": SESSION_B,
            "resource": doc(to(ROOT_B)),
            "identity": [DECRYPT],
            "rcps": [[PERIMETER]],
            "context": {"aws:PrincipalOrgID": "o-other"},
            "aws_managed_key": True,
        },
        True,
    ),
    22: (
        {
            "principal": SESSION,
            "resource": doc(to(ROLE), not_principal("Deny", ROLE, ROOT)),
            "boundary": [FULL],
        },
        False,
    ),
    23: (
        {
            "principal": USER,
            "resource": doc(to("*", Condition={"StringEquals": {"kms:CallerAccount": A}})),
        },
        True,
    ),
    24: ({"principal": USER, "action": "kms:CreateKey", "resource": doc(to(USER))}, False),
}


@pytest.mark.parametrize("number", sorted(VECTOR))
def test_vector(number: int) -> None:
    given, expected = VECTOR[number]
    given = dict(given)
    request = Request(
        str(given.pop("principal")),
        str(given.pop("action", "kms:Decrypt")),
        "*" if number == 24 else KEY,
        context=given.pop("context", {}),  # type: ignore[arg-type]
        aws_managed_key=bool(given.pop("aws_managed_key", False)),
    )
    decision = decide(request, Policies(**given))  # type: ignore[arg-type]
    assert decision.allowed is expected, decision.because


def test_no_rule_is_forgotten() -> None:
    tested = {
        f"R{found.group(1)}.{found.group(2)}"
        for name in globals()
        if (found := re.match(r"test_r(\d+)_(\d+)_", name))
    }
    assert tested | set(NOT_SIMULATED) == set(MARKS)
    assert not tested & set(NOT_SIMULATED)
    assert all(reason.endswith(".") for reason in NOT_SIMULATED.values())
    assert sorted(VECTOR) == list(VECTORS)
    assert len(MARKS) == 86
