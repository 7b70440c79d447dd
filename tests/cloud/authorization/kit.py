"""Names and small builders that the authorization tests share."""

from __future__ import annotations

from typing import Any

from kmscourse.cloud.authorization import Decision, Policies, Request, decide

A = "111122223333"
B = "444455556666"
MANAGEMENT = "999988887777"
KEY = f"arn:aws:kms:eu-west-1:{A}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER_KEY = f"arn:aws:kms:eu-west-1:{A}:key/99999999-12ab-34cd-56ef-1234567890ab"
ALIAS = f"arn:aws:kms:eu-west-1:{A}:alias/records"
BUCKET = "arn:aws:s3:::clinic-records"
OBJECT = f"{BUCKET}/ana.json"
USER = f"arn:aws:iam::{A}:user/ana"
OTHER_USER = f"arn:aws:iam::{A}:user/ben"
ROLE = f"arn:aws:iam::{A}:role/App"
SESSION = f"arn:aws:sts::{A}:assumed-role/App/i-0123"
OTHER_ROLE = f"arn:aws:iam::{A}:role/Batch"
OTHER_SESSION = f"arn:aws:sts::{A}:assumed-role/Batch/i-0456"
FEDERATED = f"arn:aws:sts::{A}:federated-user/ana"
ROOT = f"arn:aws:iam::{A}:root"
ROLE_B = f"arn:aws:iam::{B}:role/Reader"
SESSION_B = f"arn:aws:sts::{B}:assumed-role/Reader/r1"
USER_B = f"arn:aws:iam::{B}:user/bo"
ROOT_B = f"arn:aws:iam::{B}:root"
S3 = "s3.amazonaws.com"


def doc(*statements: dict[str, Any], version: str = "2012-10-17") -> dict[str, Any]:
    """A policy document."""
    return {"Version": version, "Statement": list(statements)}


def allow(action: Any = "kms:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    """An Allow of an identity-based policy; more elements by name."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "kms:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def to(principal: Any, action: Any = "kms:*", **more: Any) -> dict[str, Any]:
    """An Allow of a key policy."""
    named = principal if principal == "*" or isinstance(principal, dict) else {"AWS": principal}
    return {"Effect": "Allow", "Principal": named, "Action": action, "Resource": "*", **more}


def against(principal: Any, action: Any = "kms:*", **more: Any) -> dict[str, Any]:
    """A Deny of a key policy."""
    return {**to(principal, action, **more), "Effect": "Deny"}


DEFAULT = doc(to(ROOT))
"""The default key policy."""
FULL = doc(allow("*"))
NO_KMS = doc(allow("s3:*"))
DECRYPT = doc(allow("kms:Decrypt", KEY))
FULL_SCP = [[FULL], [FULL]]


def ask(
    principal: str,
    action: str = "kms:Decrypt",
    on: str = KEY,
    context: dict[str, Any] | None = None,
    owner: str | None = None,
    issuer: str | None = None,
    aws_managed_key: bool = False,
    **policies: Any,
) -> Decision:
    """One decision on the resource `on`; the remaining names are those of Policies."""
    request = Request(principal, action, on, owner, context or {}, issuer, aws_managed_key)
    return decide(request, Policies(**policies))


def may(*args: Any, **kwargs: Any) -> bool:
    return ask(*args, **kwargs).allowed
