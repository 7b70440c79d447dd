"""Grants: who may what, by whom they are made, and how they end."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from kmscourse import cloud
from tests.cloud.kms.conftest import refused

CONTEXT = {"patient": "4711", "purpose": "billing"}


@pytest.fixture
def ana(aws: cloud.Cloud) -> Any:
    """A user without any permissions."""
    return aws.session("ana").client("kms")


def _arn(name: str) -> str:
    return f"arn:aws:iam::123456789012:user/{name}"


def _grant(kms: Any, key_id: str, *operations: str, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = kms.create_grant(
        KeyId=key_id, **{"GranteePrincipal": _arn("ana"), "Operations": list(operations)} | more
    )
    return made


def test_a_grant_lets_its_grantee_do_what_it_lists_and_no_more(
    kms: Any, key_id: str, ana: Any
) -> None:
    refused("AccessDeniedException", ana.encrypt, KeyId=key_id, Plaintext=b"x")
    made = _grant(kms, key_id, "Encrypt")
    blob = ana.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    refused("AccessDeniedException", ana.decrypt, CiphertextBlob=blob)
    kms.revoke_grant(KeyId=key_id, GrantId=made["GrantId"])
    refused("AccessDeniedException", ana.encrypt, KeyId=key_id, Plaintext=b"x")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("EncryptionContextEquals", CONTEXT, {**CONTEXT, "more": "x"}),
        ("EncryptionContextSubset", {**CONTEXT, "more": "x"}, {"patient": "4711"}),
    ],
)
def test_a_constraint_binds_a_grant_to_an_encryption_context(
    kms: Any, key_id: str, ana: Any, kind: str, good: dict[str, str], bad: dict[str, str]
) -> None:
    _grant(kms, key_id, "Encrypt", "Decrypt", Constraints={kind: CONTEXT})
    blob = ana.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext=good)["CiphertextBlob"]
    assert ana.decrypt(CiphertextBlob=blob, EncryptionContext=good)["Plaintext"] == b"x"
    for context in (bad, {}):
        refused(
            "AccessDeniedException",
            ana.encrypt, KeyId=key_id, Plaintext=b"x", EncryptionContext=context,
        )  # fmt: skip


def test_a_deny_beats_a_grant(kms: Any, key_id: str, ana: Any) -> None:
    policy = json.loads(kms.get_key_policy(KeyId=key_id)["Policy"])
    policy["Statement"].append(
        {"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"}
    )
    _grant(kms, key_id, "Encrypt")
    kms.put_key_policy(KeyId=key_id, Policy=json.dumps(policy))
    refused("AccessDeniedException", ana.encrypt, KeyId=key_id, Plaintext=b"x")


def test_a_name_makes_a_repeated_request_harmless(kms: Any, key_id: str, aws: cloud.Cloud) -> None:
    aws.session("ana").client("kms")
    one = _grant(kms, key_id, "Encrypt", Name="nightly")
    two = _grant(kms, key_id, "Encrypt", Name="nightly")
    assert one["GrantId"] == two["GrantId"]
    assert one["GrantToken"] != two["GrantToken"]
    other = _grant(kms, key_id, "Encrypt", "Decrypt", Name="nightly")
    assert other["GrantId"] != one["GrantId"]
    assert len(kms.list_grants(KeyId=key_id)["Grants"]) == 2
    _grant(kms, key_id, "Encrypt")
    _grant(kms, key_id, "Encrypt")
    assert len(kms.list_grants(KeyId=key_id)["Grants"]) == 4


def test_a_token_makes_a_new_grant_usable_at_once(
    kms: Any, key_id: str, ana: Any, aws: cloud.Cloud
) -> None:
    aws.gateway.kms.consistency = timedelta(minutes=5)
    made = _grant(kms, key_id, "Encrypt")
    refused("AccessDeniedException", ana.encrypt, KeyId=key_id, Plaintext=b"x")
    ana.encrypt(KeyId=key_id, Plaintext=b"x", GrantTokens=[made["GrantToken"]])
    aws.clock.advance(minutes=5)
    ana.encrypt(KeyId=key_id, Plaintext=b"x")
    refused(
        "InvalidGrantTokenException",
        ana.encrypt, KeyId=key_id, Plaintext=b"x", GrantTokens=["no token"],
    )  # fmt: skip


def test_who_may_retire_a_grant(kms: Any, key_id: str, ana: Any, aws: cloud.Cloud) -> None:
    ben = aws.session("ben").client("kms")
    made = _grant(kms, key_id, "Encrypt", RetiringPrincipal=_arn("ben"))
    listed = kms.list_retirable_grants
    assert [g["GrantId"] for g in listed(RetiringPrincipal=_arn("ben"))["Grants"]] == [
        made["GrantId"]
    ]
    refused("AccessDeniedException", ana.retire_grant, GrantToken=made["GrantToken"])
    ben.retire_grant(GrantToken=made["GrantToken"])
    refused("NotFoundException", ben.retire_grant, GrantToken=made["GrantToken"])
    own = _grant(kms, key_id, "Encrypt", "RetireGrant")
    arn = kms.describe_key(KeyId=key_id)["KeyMetadata"]["Arn"]
    ana.retire_grant(KeyId=arn, GrantId=own["GrantId"])
    assert kms.list_grants(KeyId=key_id)["Grants"] == []


def test_a_grantee_passes_on_no_more_than_it_has(
    kms: Any, key_id: str, ana: Any, aws: cloud.Cloud
) -> None:
    ben = aws.session("ben").client("kms")
    _grant(kms, key_id, "CreateGrant", "Encrypt")
    to_ben = {"KeyId": key_id, "GranteePrincipal": _arn("ben")}
    refused("AccessDeniedException", ana.create_grant, Operations=["Decrypt"], **to_ben)
    ana.create_grant(Operations=["Encrypt"], **to_ben)
    ben.encrypt(KeyId=key_id, Plaintext=b"x")


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("ValidationException", {"Operations": ["Sign"]}),
        ("ValidationException", {"Operations": []}),
        ("InvalidArnException", {"GranteePrincipal": _arn("nobody")}),
        ("InvalidArnException", {"GranteePrincipal": "arn:aws:iam::123456789012:group/staff"}),
        ("ValidationException", {"GranteeServicePrincipal": "s3.amazonaws.com"}),
        ("ValidationException", {"Constraints": {"EncryptionContextEquals": {"a": "b" * 385}}}),
        (
            "ValidationException",
            {"Constraints": {"EncryptionContextSubset": {str(n): "x" for n in range(9)}}},
        ),
    ],
)
def test_grants_that_aws_refuses(
    kms: Any, key_id: str, ana: Any, code: str, more: dict[str, Any]
) -> None:
    refused(code, _grant, kms, key_id, "Encrypt", **more)
    assert kms.list_grants(KeyId=key_id)["Grants"] == []


def test_grants_are_listed_with_what_they_say(kms: Any, key_id: str, ana: Any) -> None:
    constraints = {"EncryptionContextEquals": CONTEXT}
    made = _grant(kms, key_id, "Encrypt", Constraints=constraints, Name="n")
    (grant,) = kms.list_grants(KeyId=key_id, GrantId=made["GrantId"])["Grants"]
    assert grant["GranteePrincipal"] == _arn("ana")
    assert (grant["Operations"], grant["Constraints"]) == (["Encrypt"], constraints)
    assert kms.list_grants(KeyId=key_id, GranteePrincipal=_arn("ben"))["Grants"] == []
    refused("InvalidGrantIdException", kms.list_grants, KeyId=key_id, GrantId="0" * 64)
    refused("NotFoundException", kms.revoke_grant, KeyId=key_id, GrantId="0" * 64)
