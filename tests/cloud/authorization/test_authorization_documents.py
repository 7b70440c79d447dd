"""Policy documents: AWS's words for malformed ones, and nothing else whatever is thrown at them."""

from __future__ import annotations

import copy
import json
import os
import re
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmscourse.cloud.authorization import (
    MalformedPolicyError,
    NamedPolicy,
    Policies,
    Request,
    compile_policy,
    decide,
    parse_policy,
)
from kmscourse.cloud.authorization.document import PolicyKind

from .kit import DEFAULT, FULL, KEY, OTHER_USER, ROOT, S3, SESSION, USER, A, allow, deny, doc, to

KINDS: list[PolicyKind] = [
    "key", "identity", "boundary", "session", "trust", "bucket", "resource", "scp", "rcp",
    "endpoint",
]  # fmt: skip
EXAMPLES = int(os.environ.get("KMSCOURSE_EXAMPLES", "200"))

# ---------------------------------------------------------------- AWS's words

VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
WORDS: list[tuple[PolicyKind, Any, str, str]] = [
    ("identity", "{", "This policy contains invalid Json", "line 1 column 2"),
    ("identity", "", "This policy contains invalid Json", "line 1 column 1"),
    ("identity", '{"Version":"2012-10-17","Version":"2012-10-17"}', "invalid Json", "Version"),
    ("identity", "[]", "Syntax errors in policy.", ""),
    ("identity", {"Version": "2012-10-17"}, "Syntax errors in policy.", "Statement"),
    (
        "identity",
        doc(allow(), version="2008-10-17"),
        "Policy document must be version 2012-10-17 or greater.",
        "Version",
    ),
    ("identity", doc(allow(), version="2020-01-01"), "must be version 2012-10-17", "Version"),
    ("identity", doc({**allow(), "Effect": "allow"}), "Syntax errors", "Statement[0].Effect"),
    ("identity", doc({"Effect": "Allow", "Resource": "*"}),
     "Policy statement must contain actions.", "Statement[0].Action"),
    ("identity", doc({"Effect": "Allow", "Action": "*"}),
     "Policy statement must contain resources.", "Statement[0].Resource"),
    ("identity", doc(allow(), allow("Decrypt")), VENDOR, "Statement[1].Action"),
    ("identity", doc(allow("kms:a:b")), "Actions/Condition can contain only one colon.",
     "Statement[0].Action"),
    ("identity", doc(allow("k*:Decrypt")), "Vendor k* is not valid", "Statement[0].Action"),
    ("identity", doc(allow(resource="key/1")), 'Resource key/1 must be in ARN format or "*".',
     "Statement[0].Resource"),
    ("identity", doc(allow(resource="arn:aws:s*:::x")), "Resource vendor must be fully qualified",
     "Statement[0].Resource"),
    ("identity", doc(allow(resource="arn:amazon:s3:::x")), 'Partition "amazon" is not valid',
     "Statement[0].Resource"),
    ("identity", doc(to(USER)), "Policy document should not specify a principal.",
     "Statement[0].Principal"),
    ("identity", doc({**allow(), "Principal": "ana"}),
     "Policy document should not specify a principal.", "Statement[0].Principal"),
    ("identity", doc(allow(Sid="a b")), "Statement IDs (SID) must be alpha-numeric",
     "Statement[0].Sid"),
    ("identity", doc(allow(Sid="a"), deny(Sid="a")),
     "Statement IDs (SID) in a single policy must be unique.", "Statement[1].Sid"),
    ("identity", doc(allow(Condition={"StringEqual": {"aws:a": "1"}})),
     "Invalid Condition type : StringEqual", "Statement[0].Condition.StringEqual"),
    ("identity", doc(allow(Condition={"NumericEquals": {"aws:a": "x"}})), "Syntax errors",
     "Statement[0].Condition.NumericEquals.aws:a"),
    ("identity", doc(allow(NotAction="s3:*")), "Syntax errors", "Statement[0].NotAction"),
    ("identity", doc({**allow(), "Principals": "*"}), "Syntax errors", "Statement[0].Principals"),
    ("key", doc(to("arn:aws:iam::111122223333:role/a*")),
     "Policy contains a statement with one or more invalid principals.",
     "Statement[0].Principal.AWS"),
    ("key", doc(to("ana")), "Policy contains a statement with one or more invalid principals.",
     "Statement[0].Principal.AWS"),
    ("trust", doc(to(USER, "sts:AssumeRole")), "Has prohibited field Resource",
     "Statement[0].Resource"),
    ("trust", doc({"Effect": "Allow", "Principal": {"AWS": "ana"}, "Action": "sts:AssumeRole"}),
     'Invalid principal in policy: "AWS":"ana"', "Statement[0].Principal.AWS"),
    ("trust", doc({"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "kms:Decrypt"}),
     "AssumeRole policy may only specify STS AssumeRole actions.", "Statement[0].Action"),
    ("bucket", "policy", "Policies must be valid JSON and the first byte must be '{'",
     "line 1 column 1"),
    ("bucket", doc(allow("s3:*")), "Missing required field Principal", "Statement[0].Principal"),
    ("bucket", doc(to("ana", "s3:*")), "Invalid principal in policy", "Statement[0].Principal.AWS"),
    ("bucket", doc({**to(USER, "s3:*"), "Resource": "bucket"}), "Policy has invalid resource",
     "Statement[0].Resource"),
    ("rcp", doc(to("*")), "Syntax errors", "Statement[0].Effect"),
]  # fmt: skip
CODE = {
    "key": "MalformedPolicyDocumentException",
    "bucket": "MalformedPolicy",
    "rcp": "MalformedPolicyDocumentException",
}


@pytest.mark.parametrize(("kind", "document", "message", "place"), WORDS)
def test_a_malformed_policy_gets_awss_words_and_the_place(
    kind: PolicyKind, document: Any, message: str, place: str
) -> None:
    with pytest.raises(MalformedPolicyError) as refused:
        parse_policy(document, kind)
    assert message in refused.value.message
    assert refused.value.place == place
    assert refused.value.code == CODE.get(kind, "MalformedPolicyDocument")
    with pytest.raises(MalformedPolicyError) as refused:
        parse_policy(document, kind, code="Other")
    assert refused.value.code == "Other"


def test_well_formed_policies_of_each_kind_are_taken() -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}
    parse_policy(DEFAULT, "key")
    parse_policy({"Version": "2008-10-17", "Id": "d", "Statement": to([A, ROOT, USER])}, "key")
    parse_policy(FULL, "identity")
    parse_policy(json.dumps(FULL), "scp")
    parse_policy(doc({**trust, "Action": ["sts:AssumeRole", "sts:TagSession"]}), "trust")
    parse_policy(doc({**to("*", "s3:*"), "Resource": "arn:aws:s3:::b/*"}), "bucket")
    parse_policy(doc(to("*", "*")), "rcp")  # RCPFullAWSAccess
    parse_policy(doc(allow(Condition={"bool": {"aws:SecureTransport": False}})), "identity")
    parse_policy(doc(allow(Condition={"NumericLessThan": {"aws:a": 5}})), "identity")
    assert compile_policy(DEFAULT) is compile_policy(json.dumps(DEFAULT))


def test_a_named_policy_is_called_by_its_name() -> None:
    decision = decide(
        Request(USER, "kms:Decrypt", KEY),
        Policies(
            identity=[FULL, NamedPolicy("Quarantine", doc(deny(Sid="Stop")))], resource=DEFAULT
        ),
    )
    assert 'statement "Stop" of the IAM policy "Quarantine" of user ana' in decision.because


# ---------------------------------------------------------------- whatever is thrown at it

SEEDS: list[dict[str, Any]] = [
    DEFAULT,
    FULL,
    doc(
        to(
            {"AWS": [USER, A], "Service": S3},
            ["kms:De*", "kms:Encrypt"],
            Sid="One",
            Condition={
                "StringEquals": {"kms:EncryptionContext:App": ["x", "${aws:username}"]},
                "ForAnyValue:StringLike": {"kms:EncryptionContextKeys": "A*"},
                "NumericLessThan": {"aws:MultiFactorAuthAge": 5},
                "DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"},
                "Bool": {"aws:SecureTransport": True},
                "IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]},
                "BinaryEquals": {"aws:b": "cmVk"},
                "ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"},
                "Null": {"aws:TagKeys": "false"},
            },
        ),
        {
            "Effect": "Deny",
            "NotPrincipal": {"AWS": [USER]},
            "NotAction": "s3:*",
            "NotResource": KEY,
        },
    ),
]
JUNK: list[Any] = [
    None, True, 0, -1, 1.5, 10**400, "", "*", "**?*", "${", "${aws:username", "${}", "${a, 'b'}",
    "arn:", "arn:aws", ":::::", "\x00", "\ud800", "é", "2026-13-45", "999.1.1.1/99", "A" * 300,
    [], {}, [[]], [None], {"AWS": {}}, {"": ""}, ["*", 1], {"a": {"b": {"c": []}}},
]  # fmt: skip
NAMES = ["Action", "NotAction", "Resource", "Principal", "NotPrincipal", "Condition", "Sid", "Id",
         "Effect", "Statement", "Version", "Null", "StringLike", "AWS", "x"]  # fmt: skip
CONTEXT = {
    "kms:EncryptionContext:App": "x",
    "aws:MultiFactorAuthAge": "x",
    "aws:CurrentTime": "soon",
    "aws:SourceIp": "here",
    "aws:b": "%%",
    "aws:SourceArn": "not an arn",
    "aws:TagKeys": [],
}


def mutate(value: Any, random: Random) -> Any:
    """Change one place of a document, the deeper the rarer."""
    if random.random() < 0.05 or not isinstance(value, (dict, list)) or not value:
        if isinstance(value, str) and value and random.random() < 0.5:
            at = random.randrange(len(value))
            return value[:at] + random.choice(["", "*", "?", ":", "$", "${", "}"]) + value[at + 1 :]
        return copy.deepcopy(random.choice(JUNK))
    out = copy.copy(value)
    key: Any = random.choice(list(out)) if isinstance(out, dict) else random.randrange(len(out))
    for deep in ("Statement", "Condition"):
        if isinstance(out, dict) and deep in out and random.random() < 0.7:
            key = deep
            if random.random() < 0.9:
                return {**out, key: mutate(out[key], random)}
    what = random.random()
    if what < 0.1:
        del out[key]
    elif what < 0.2 and isinstance(out, dict):
        out[random.choice(NAMES)] = out.pop(key)
    elif what < 0.25 and isinstance(out, dict):
        out[random.choice(NAMES)] = copy.deepcopy(random.choice(JUNK))
    else:
        out[key] = mutate(out[key], random)
    return out


def mangle(text: str, random: Random) -> str:
    """Change the text itself."""
    at = random.randrange(len(text) + 1)
    return random.choice(
        [
            text[:at],
            text[:at] + random.choice('{}[]",:\\\x00é0') + text[at:],
            text[:at] + text[at + 1 :],
            text + text,
        ]
    )


def swallow(document: Any, kind: PolicyKind) -> None:
    """Read it, and decide with it in every place; a MalformedPolicyError is the only way out."""
    try:
        parse_policy(document, kind)
    except MalformedPolicyError as error:
        complete = bool(error.message and error.code and str(error))
    else:
        complete = True
    assert complete
    try:
        compiled = compile_policy(document)
    except MalformedPolicyError:
        return
    for principal in (USER, SESSION, S3):
        policies = Policies(
            identity=[compiled],
            resource=compiled,
            boundary=[compiled],
            session=[compiled],
            scps=[[compiled]],
            rcps=[[compiled]],
            vpc_endpoint=compiled,
        )
        decision = decide(Request(principal, "kms:Decrypt", KEY, context=CONTEXT), policies)
        assert decision.outcome in ("Allowed", "ExplicitlyDenied", "ImplicitlyDenied")
        assert decision.because
        assert decision.steps is not None


@settings(max_examples=max(5, EXAMPLES // 10), deadline=None)
@given(st.integers(0, 2**64))
def test_mutated_documents_get_only_documented_errors(seed: int) -> None:
    random = Random(seed)
    for _ in range(20):
        document = random.choice(SEEDS)
        for _ in range(random.randint(1, 4)):
            document = mutate(document, random)
        kind = random.choice(KINDS)
        swallow(document, kind)
        try:
            text = json.dumps(document)
        except ValueError:
            continue  # a number too long to be written
        swallow(text, kind)
        swallow(mangle(text, random), kind)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=12,
)


@settings(max_examples=max(20, EXAMPLES // 4), deadline=None)
@given(ANYTHING, st.text(max_size=30), st.sampled_from(KINDS))
def test_anything_at_all_gets_only_documented_errors(
    value: Any, text: str, kind: PolicyKind
) -> None:
    swallow(value, kind)
    swallow(text, kind)
    swallow({"Version": "2012-10-17", "Statement": value}, kind)
    swallow(doc({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": value}), kind)


@pytest.mark.parametrize(
    "document",
    [
        "[" * 100_000,
        '{"Statement":' * 50_000,
        '{"Version":"2012-10-17","Statement":[' + "9" * 10_000 + "]}",
        "\ufeff{}",
        json.dumps(doc(allow("*" * 20_000))),
        {1: 2},
        {"Statement": {("a",): 1}},
        {"Version": "2012-10-17", "Statement": [{"Sid": float("nan")}]},
        b"{}",
        12,
        None,
    ],
    ids=range(11),
)
def test_monsters_are_refused_or_read(document: Any) -> None:
    for kind in KINDS:
        swallow(document, kind)


# Each would keep a backtracking matcher busy for longer than the age of the universe.
HOSTILE = ["*a" * 60 + "b", "*?" * 40 + "b", "a*" * 60 + "?b", "*" * 500 + "b", "?*" * 200 + "b"]


@pytest.mark.parametrize("pattern", HOSTILE, ids=range(len(HOSTILE)))
def test_wildcards_do_not_explode(pattern: str) -> None:
    text = "a" * 4_000
    where = f"arn:aws:s3:::{text}"
    identity = doc(
        allow(f"s3:{pattern}"),
        allow("s3:GetObject", f"arn:aws:s3:::{pattern}"),
        allow("s3:GetObject", Condition={"StringLike": {"aws:a": pattern}}),
        allow("s3:GetObject", Condition={"ArnLike": {"aws:b": f"arn:aws:s3:::{pattern}"}}),
    )
    request = Request(USER, "s3:GetObject", where, context={"aws:a": text, "aws:b": where})
    decision = decide(request, Policies(identity=[identity]))
    assert not decision.allowed
    assert decision.because


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text("ab:*?", max_size=9), st.text("ab:", max_size=9))
def test_globs_mean_what_regular_expressions_say(pattern: str, text: str) -> None:
    from kmscourse.cloud.authorization.glob import compile_glob, compile_tokens, tokens_of

    wide = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    assert compile_glob(pattern)(text) == bool(re.fullmatch(wide, text))
    narrow = ""
    for at, char in enumerate(pattern):
        last = not pattern[at:].lstrip("*") or pattern[at:].lstrip("*").startswith(":")
        narrow += {"*": ".*" if last else "[^:]*", "?": "[^:]"}.get(char, re.escape(char))
    compiled = compile_tokens(tokens_of(pattern), segments=True)
    assert compiled(text) == bool(re.fullmatch(narrow, text))


def test_the_documents_are_read_once_and_later_changes_do_not_count() -> None:
    mine = copy.deepcopy(DEFAULT)
    policies = Policies(identity=[FULL], resource=mine)
    request = Request(USER, "kms:Decrypt", KEY)
    assert decide(request, policies).allowed
    mine["Statement"][0]["Principal"] = {"AWS": OTHER_USER}
    assert decide(request, policies).allowed
    assert not decide(request, Policies(identity=[FULL], resource=mine)).allowed


def test_a_managed_policy_of_aws_is_well_formed() -> None:
    moto_policies = pytest.importorskip("moto.iam.aws_managed_policies")
    policies = json.loads(moto_policies.aws_managed_policies_data)
    assert len(policies) > 1000
    for name in sorted(policies)[::10]:
        parse_policy(policies[name]["Document"], "identity")
