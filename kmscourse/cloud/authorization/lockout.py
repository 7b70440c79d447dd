"""The key policy lockout safety check (R2.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kmscourse.cloud.authorization.decision import Decision, decide
from kmscourse.cloud.authorization.document import Document, parse_policy
from kmscourse.cloud.authorization.errors import MalformedPolicyError
from kmscourse.cloud.authorization.model import NamedPolicy, Policies, Request

__all__ = ["LOCKOUT_MESSAGE", "check_lockout", "lockout_decision"]

LOCKOUT_MESSAGE = "The new key policy will not allow you to update the key policy in the future."

_EVERYTHING = NamedPolicy(
    "everything",
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
)


def lockout_decision(
    policy: Document,
    principal: str,
    key_arn: str,
    context: Mapping[str, str | Sequence[str]] | None = None,
) -> Decision:
    """Would this key policy let the caller call PutKeyPolicy again?

    Only the key policy is asked (botocore 1.44.5, PutKeyPolicy: "The check evaluates only the new
    default key policy"): whether the caller's IAM policies then use what it leaves to IAM is not
    part of the check. **[I]**
    """
    request = Request(principal, "kms:PutKeyPolicy", key_arn, context=context or {})
    return decide(request, Policies(identity=[_EVERYTHING], resource=policy))


def check_lockout(
    policy: Document,
    principal: str,
    key_arn: str,
    context: Mapping[str, str | Sequence[str]] | None = None,
) -> None:
    """Refuse a key policy that locks its author out; skip when the request bypasses the check.

    Raises:
        MalformedPolicyError: with KMS's code and words.
    """
    parse_policy(policy, "key")
    decision = lockout_decision(policy, principal, key_arn, context)
    if not decision.allowed:
        raise MalformedPolicyError(
            "MalformedPolicyDocumentException",
            LOCKOUT_MESSAGE,
            "",
            "Add a statement that allows kms:PutKeyPolicy to you or to your account.",
        )
