"""The sentence of a refusal is enough: change the document it names, and the call passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from kmscourse import cloud
from tests.cloud.test_enforcement import OTHER, allow, document, give, refused

#: What has nothing to do with keys.
ELSEWHERE = allow("sns:Publish")


@dataclass
class Clinic:
    """A clinic's account with a learner who administers it, and what a case needs of it."""

    aws: cloud.Cloud

    def __post_init__(self) -> None:
        self.kms = boto3.client("kms")
        self.root = f"arn:aws:iam::{self.aws.account_id}:root"
        self.learner = self.user("learner")

    def user(self, name: str) -> str:
        return f"arn:aws:iam::{self.aws.account_id}:user/{name}"

    def key(self, *statements: dict[str, Any]) -> str:
        more = {"Policy": document(*statements)} if statements else {}
        return str(self.kms.create_key(**more)["KeyMetadata"]["Arn"])

    def add(self, key: str, statement: dict[str, Any]) -> None:
        """Add a statement to a key policy."""
        policy = json.loads(self.kms.get_key_policy(KeyId=key)["Policy"])
        policy["Statement"].append(statement)
        self.kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))

    def encrypts(self, key: str, who: str, **more: Any) -> Callable[[], object]:
        client = self.aws.session(who).client("kms")
        return lambda: client.encrypt(KeyId=key, Plaintext=b"x", **more)


Case = tuple[Callable[[], object], list[str], Callable[[], object]]
"""The call, what its sentence must say, and the change that the sentence asks for."""


def default_policy_without_iam(c: Clinic) -> Case:
    give("ana", ELSEWHERE)
    key = c.key()
    words = ["no IAM policy of user ana allows kms:Encrypt", "to an IAM policy of user ana"]
    return c.encrypts(key, "ana"), words, lambda: give("ana", allow("kms:Encrypt", key))


def custom_policy(c: Clinic) -> Case:
    key = c.key(allow(["kms:PutKeyPolicy", "kms:GetKeyPolicy"], Principal={"AWS": c.learner}))
    give("ana", allow("*"))
    words = [f"add an Allow for {c.user('ana')} or {c.root} to the key policy", "counts only where"]
    use = allow("kms:Encrypt", Principal={"AWS": c.user("ana")})
    return c.encrypts(key, "ana"), words, lambda: c.add(key, use)


def root_user(c: Clinic) -> Case:
    key = c.key(allow(["kms:PutKeyPolicy", "kms:GetKeyPolicy"], Principal={"AWS": c.learner}))
    words = ["not even the root user", f"add an Allow for {c.root} to the key policy"]
    use = allow("kms:Encrypt", Principal={"AWS": c.root})
    return c.encrypts(key, "root"), words, lambda: c.add(key, use)


def grant_of_another_context(c: Clinic) -> Case:
    give("app", ELSEWHERE)
    key = c.key(allow("kms:*", Principal={"AWS": c.learner}))

    def grant(ward: str) -> None:
        c.kms.create_grant(
            KeyId=key,
            GranteePrincipal=c.user("app"),
            Operations=["Encrypt"],
            Constraints={"EncryptionContextSubset": {"ward": ward}},
        )

    grant("7")
    words = ["There is a grant for user app", 'EncryptionContextSubset wants "ward": "7"', '"8"']
    return c.encrypts(key, "app", EncryptionContext={"ward": "8"}), words, lambda: grant("8")


def grant_of_another_operation(c: Clinic) -> Case:
    give("app", ELSEWHERE)
    key = c.key(allow("kms:*", Principal={"AWS": c.learner}))

    def grant(operation: str) -> None:
        c.kms.create_grant(KeyId=key, GranteePrincipal=c.user("app"), Operations=[operation])

    grant("Decrypt")
    words = ["There is a grant for user app", "it grants Decrypt, not Encrypt"]
    return c.encrypts(key, "app"), words, lambda: grant("Encrypt")


def retiring(c: Clinic) -> Case:
    give("app", ELSEWHERE)
    give("ana", allow("kms:*"))
    key = c.key()
    grant = c.kms.create_grant(KeyId=key, GranteePrincipal=c.user("app"), Operations=["Decrypt"])[
        "GrantId"
    ]
    ana = c.aws.session("ana").client("kms")
    calls = [
        lambda: ana.retire_grant(KeyId=key, GrantId=grant),
        lambda: ana.revoke_grant(KeyId=key, GrantId=grant),
    ]
    return (
        lambda: calls[0](),
        ["user ana is none of these", "use RevokeGrant"],
        lambda: calls.pop(0),
    )


def abroad(c: Clinic, name: str, *statements: dict[str, Any]) -> Any:
    other = c.aws.account(OTHER)
    give(name, *statements, iam=other.session("root").client("iam"))
    return other.session(name).client("kms")


def across_without_key_policy(c: Clinic) -> Case:
    key = c.key()
    doctor = abroad(c, "doctor", allow("kms:Encrypt", key))
    them = f"arn:aws:iam::{OTHER}:root"
    words = [f"belongs to account {c.aws.account_id}", f"add an Allow for {them}", "only half"]
    use = allow("kms:Encrypt", Principal={"AWS": them})
    return (
        lambda: doctor.encrypt(KeyId=key, Plaintext=b"x"),
        [*words, "to that key policy"],
        lambda: c.add(key, use),
    )


def across_without_iam(c: Clinic) -> Case:
    key = c.key(
        allow("kms:*", Principal={"AWS": c.root}),
        allow("kms:Encrypt", Principal={"AWS": f"arn:aws:iam::{OTHER}:root"}),
    )
    doctor = abroad(c, "doctor", ELSEWHERE)
    words = ["lets account 222222222222 in, but", "to an IAM policy of user doctor"]
    return (
        lambda: doctor.encrypt(KeyId=key, Plaintext=b"x"),
        words,
        lambda: abroad(c, "doctor", allow("kms:Encrypt", key)),
    )


def _member(c: Clinic, *statements: dict[str, Any]) -> tuple[Any, str, str, Any]:
    """A member account's KMS, its id, and a service control policy attached to it."""
    organizations = boto3.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    member = organizations.create_account(AccountName="ward", Email="ward@clinic.example")[
        "CreateAccountStatus"
    ]["AccountId"]
    policy = organizations.create_policy(
        Name="wards",
        Description="",
        Type="SERVICE_CONTROL_POLICY",
        Content=document(*statements),
    )["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=policy, TargetId=member)
    return c.aws.account(member).session("root").client("kms"), member, policy, organizations


def scp_that_denies(c: Clinic) -> Case:
    deny = {"Sid": "NoKeys", "Effect": "Deny", "Action": "kms:CreateKey", "Resource": "*"}
    kms, member, policy, organizations = _member(c, deny)
    words = ['statement "NoKeys" of the SCP "wards" at the account', "only changing that statement"]
    return (
        kms.create_key,
        words,
        lambda: organizations.detach_policy(PolicyId=policy, TargetId=member),
    )


def scp_that_does_not_allow(c: Clinic) -> Case:
    kms, member, policy, organizations = _member(c, allow("s3:*"))
    organizations.detach_policy(PolicyId="p-FullAWSAccess", TargetId=member)
    words = ["no service control policy at the account allows kms:CreateKey", '"wards"']
    return (
        kms.create_key,
        words,
        lambda: organizations.update_policy(
            PolicyId=policy, Content=document(allow(["s3:*", "kms:*"]))
        ),
    )


def boundary(c: Clinic) -> Case:
    iam = boto3.client("iam")
    give("ana", allow("*"))
    edge = iam.create_policy(PolicyName="edge", PolicyDocument=document(allow("s3:*")))["Policy"]
    iam.put_user_permissions_boundary(UserName="ana", PermissionsBoundary=edge["Arn"])
    words = ['the permissions boundary "edge" of user ana', "add it to the permissions boundary"]
    return (
        c.encrypts(c.key(), "ana"),
        words,
        lambda: iam.create_policy_version(
            PolicyArn=edge["Arn"],
            PolicyDocument=document(allow(["s3:*", "kms:*"])),
            SetAsDefault=True,
        ),
    )


def via_service(c: Clinic) -> Case:
    give("ana", ELSEWHERE)
    through = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    use = allow("kms:Encrypt", Principal={"AWS": c.user("ana")})
    key = c.key(
        allow("kms:*", Principal={"AWS": c.learner}), {**use, "Sid": "OnlyS3", "Condition": through}
    )
    words = ['"OnlyS3" of the key policy', "kms:ViaService", "the request has no such value"]
    words.append("change that condition, or make a request that meets it")
    return c.encrypts(key, "ana"), words, lambda: c.add(key, use)


CASES = [
    default_policy_without_iam,
    custom_policy,
    root_user,
    grant_of_another_context,
    grant_of_another_operation,
    retiring,
    across_without_key_policy,
    across_without_iam,
    scp_that_denies,
    scp_that_does_not_allow,
    boundary,
    via_service,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_change_that_the_sentence_asks_for_is_the_one_that_helps(
    aws: cloud.Cloud, case: Callable[[Clinic], Case]
) -> None:
    call, words, change = case(Clinic(aws))
    _, because = refused(aws, call)
    for word in words:
        assert word in because
    change()
    call()


def test_a_deny_with_a_condition_says_both_ways_out(aws: cloud.Cloud) -> None:
    c = Clinic(aws)
    key = c.key(
        allow("kms:*", Principal={"AWS": c.root}),
        {
            "Sid": "OnlyWithMFA",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "kms:ScheduleKeyDeletion",
            "Resource": "*",
            "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
        },
    )
    _, because = refused(aws, lambda: c.kms.schedule_key_deletion(KeyId=key))
    assert '"OnlyWithMFA" of the key policy' in because
    assert "the request has no such value, which IfExists takes as met" in because
    assert "change that statement, or make a request that its condition does not hit" in because


@pytest.mark.parametrize("who", ["learner", "root"])
def test_of_a_locked_key_it_says_that_nobody_can_help(aws: cloud.Cloud, who: str) -> None:
    """The advice to change the key policy would be no help: nobody may."""
    kms = boto3.client("kms")
    use = allow("kms:Encrypt", Principal={"AWS": f"arn:aws:iam::{aws.account_id}:root"})
    key = kms.create_key(Policy=document(use), BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]
    locked = aws.session(who).client("kms")
    _, because = refused(
        aws, lambda: locked.put_key_policy(KeyId=key["KeyId"], Policy=document(use))
    )
    assert "nobody may change this key policy any more" in because
    assert "AWS Support" in because
    assert "add an Allow" not in because


def test_a_call_that_no_policy_refused_is_not_explained_by_policies(aws: cloud.Cloud) -> None:
    c = Clinic(aws)
    key = c.key()
    c.kms.disable_key(KeyId=key)
    with pytest.raises(ClientError) as error:
        c.encrypts(key, "learner")()
    with pytest.raises(ValueError, match="DisabledException"):
        aws.explain(error.value)
