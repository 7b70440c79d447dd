"""Random requests and policies, small enough that they often meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from .kit import (
    ALIAS,
    BUCKET,
    FEDERATED,
    KEY,
    OBJECT,
    OTHER_KEY,
    OTHER_ROLE,
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
)

CALLERS = [
    USER, USER, USER, SESSION, SESSION, OTHER_USER, OTHER_SESSION, ROLE, FEDERATED, ROOT, S3,
    SESSION_B, SESSION_B, USER_B, ROOT_B,
]  # fmt: skip
NAMED = [
    USER, SESSION, ROLE, ROOT, A, ROOT_B, B, ROLE_B, SESSION_B, USER_B, FEDERATED, OTHER_ROLE,
    OTHER_USER, "*",
]  # fmt: skip
ON_KEYS = [
    "kms:Decrypt", "kms:Decrypt", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey",
    "kms:DescribeKey", "kms:CreateGrant", "kms:RetireGrant", "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion", "kms:ReEncryptFrom",
]  # fmt: skip
TARGETS: list[tuple[str, str]] = [
    *[(action, KEY) for action in ON_KEYS],
    ("kms:Decrypt", OTHER_KEY),
    ("kms:CreateAlias", ALIAS),
    ("kms:CreateKey", "*"),
    ("kms:ListKeys", "*"),
    ("s3:GetObject", OBJECT),
    ("s3:ListBucket", BUCKET),
    ("sts:AssumeRole", ROLE),
    ("ec2:CreateVolume", "*"),
]
ACTIONS = [
    "*", "*", "kms:*", "kms:*", "kms:Decrypt", "KMS:decrypt", "kms:De*", "kms:*crypt*",
    "kms:E?crypt", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:CreateKey", "s3:*",
    "s3:GetObject", "sts:*",
    "ec2:*",
]  # fmt: skip
RESOURCES = [
    "*", "*", "*", KEY, OTHER_KEY, f"arn:aws:kms:*:{A}:key/*", "arn:aws:kms:eu-*", "arn:aws:kms",
    f"arn:aws:kms:eu-w?st-1:{A}:*/1234*", "arn:aws:k*:x", OBJECT, f"{BUCKET}/*", BUCKET,
    f"{BUCKET}/${{aws:username}}.json", ROLE, f"arn:aws:iam::{A}:role/*",
    "arn:aws:kms:*:key/*", f"arn:aws:kms:*:{A}:alias/${{aws:PrincipalTag/team, 'records'}}",
]  # fmt: skip

TEXTS = ["red", "Red", "r*", "?ed", "ana", "*", "true", "5", "7.5", "2026-01-01T00:00:00Z",
         "1767225600", "cmVk", "10.0.0.0/8", "10.1.2.3", "${aws:username}",
         "${aws:PrincipalTag/team}", "${aws:PrincipalTag/team, 'red'}", USER,
         f"arn:aws:iam::{A}:role/*", BUCKET, "arn:aws:s3:::*", A, "App"]  # fmt: skip
KEYS = [
    "aws:PrincipalArn", "aws:principalarn", "aws:PrincipalAccount", "kms:CallerAccount",
    "kms:EncryptionContext:App", "kms:encryptioncontext:app", "kms:EncryptionContextKeys",
    "kms:ViaService", "kms:ResourceAliases", "kms:EncryptionAlgorithm", "aws:PrincipalTag/team",
    "aws:username", "aws:SourceIp", "aws:SourceVpce", "aws:SourceArn", "aws:CurrentTime",
    "aws:MultiFactorAuthAge", "aws:PrincipalIsAWSService", "aws:TagKeys", "aws:SecureTransport",
]  # fmt: skip
BASES = [
    "StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase",
    "StringLike", "StringNotLike", "NumericEquals", "NumericNotEquals", "NumericLessThan",
    "NumericGreaterThanEquals", "DateEquals", "DateLessThan", "DateGreaterThanEquals", "Bool",
    "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals", "ArnLike", "ArnNotLike",
    "ArnNotEquals", "Null",
]  # fmt: skip
GIVEN = ["red", "Red", "r*", "blue", "true", "false", "5", "7.5", "12", "2026-01-01T00:00:00Z",
         "2027-06-01T12:00:00+02:00", "cmVk", "10.1.2.3", "192.0.2.1", "ana", USER, ROLE, BUCKET,
         A, "App"]  # fmt: skip

pick = st.sampled_from


def some(values: list[Any], most: int = 2) -> st.SearchStrategy[Any]:
    """One value or a short list of them."""
    return st.one_of(pick(values), st.lists(pick(values), min_size=1, max_size=most))


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for _ in range(draw(pick([1, 1, 2]))):
        base = draw(pick(BASES))
        name = base
        if base != "Null":
            name = draw(pick(["", "", "", "ForAllValues:", "ForAnyValue:"])) + base
            name += draw(pick(["", "", "IfExists"]))
            values = draw(some(TEXTS))
        else:
            values = draw(pick(["true", "false", True, ["true", "false"]]))
        out.setdefault(name, {})[draw(pick(KEYS))] = values
    return out


@st.composite
def statement(draw: st.DrawFn, *, principal: bool = False) -> dict[str, Any]:
    out: dict[str, Any] = {"Effect": draw(pick(["Allow", "Allow", "Allow", "Deny"]))}
    out["NotAction" if draw(pick([False] * 9 + [True])) else "Action"] = draw(some(ACTIONS))
    if not draw(pick([False] * 19 + [True])):
        negated = draw(pick([False] * 9 + [True]))
        out["NotResource" if negated else "Resource"] = draw(some(RESOURCES))
    if principal and not draw(pick([False] * 19 + [True])):
        element = "NotPrincipal" if draw(pick([False] * 5 + [True])) else "Principal"
        kind = draw(pick(["AWS", "AWS", "AWS", "AWS", "AWS", "*", "Service"]))
        if kind == "*":
            out[element] = "*"
        elif kind == "Service":
            out[element] = {"Service": [S3, "rds.amazonaws.com"]}
        else:
            out[element] = {"AWS": draw(some(NAMED, 3))}
    if draw(st.booleans()):
        out["Condition"] = draw(conditions())
    return out


@st.composite
def document(draw: st.DrawFn, *, principal: bool = False) -> dict[str, Any]:
    one = statement(principal=principal)
    return {"Version": "2012-10-17", "Statement": draw(st.lists(one, min_size=1, max_size=3))}


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), st.none(), strategy)


FULL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
OPEN = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}
DELEGATING = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [ROOT, ROOT_B]}, "Action": "*", "Resource": "*"}
    ],
}


@st.composite
def grants(draw: st.DrawFn) -> dict[str, Any]:
    operations = ["Decrypt", "Encrypt", "DescribeKey", "CreateGrant", "RetireGrant"]
    limits: dict[str, Any] = {}
    kind = draw(pick(["", "", "Equals", "Subset", "Source"]))
    if kind == "Source":
        limits["SourceArn"] = draw(pick([BUCKET, "arn:aws:s3:::*"]))
    elif kind:
        limits[f"EncryptionContext{kind}"] = {"App": draw(pick(["red", "Red"]))}
    return {
        "KeyId": draw(pick([KEY, KEY, OTHER_KEY])),
        "GranteePrincipal": draw(pick([USER, SESSION, ROLE, ROOT, ROLE_B, ROOT_B, S3])),
        "RetiringPrincipal": draw(pick([None, USER, ROLE, ROOT_B])),
        "Operations": draw(st.lists(pick(operations), min_size=1, max_size=4)),
        "Constraints": limits,
    }


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """A request and its policies, as plain data."""
    caller = draw(pick(CALLERS))
    action, resource = draw(pick(TARGETS))
    context = draw(
        st.dictionaries(
            pick([key for key in KEYS if key != "aws:principalarn"] + ["kms:GrantOperations"]),
            some(GIVEN),
            max_size=4,
        )
    )
    context.pop("aws:PrincipalArn", None)
    context = {
        key: value if not key.lower().startswith("kms:encryptioncontext:") else str(value)
        for key, value in context.items()
    }
    if "kms:GrantOperations" in context:
        context["kms:GrantOperations"] = draw(pick([["Decrypt"], ["Decrypt", "Encrypt"], ["Sign"]]))
    identity = st.one_of(st.just(FULL), document())
    key_policy = st.one_of(pick([OPEN, DELEGATING]), document(principal=True))
    capped = st.lists(st.lists(identity, max_size=2), max_size=2)
    return {
        "principal": caller,
        "action": action,
        "resource": resource,
        "owner": draw(pick([None, A])) if resource.startswith("arn:aws:s3") else None,
        "issuer": USER if caller == FEDERATED else None,
        "context": context,
        "policies": {
            "identity": draw(st.lists(identity, max_size=2)),
            "resource": draw(st.one_of(st.none(), key_policy, key_policy)),
            "boundary": draw(maybe(st.lists(identity, max_size=2))),
            "session": draw(maybe(st.lists(identity, max_size=2))),
            "scps": draw(maybe(capped)),
            "rcps": draw(
                maybe(st.lists(st.lists(document(principal=True), max_size=1), max_size=2))
            ),
            "vpc_endpoint": draw(maybe(key_policy)),
            "grants": draw(st.lists(grants(), max_size=2)),
        },
    }
