"""Key policies: the root of trust of every key."""

from __future__ import annotations

import json
from typing import Any

from kmscourse import facts
from kmscourse.cloud import iam
from kmscourse.cloud.authorization import MalformedPolicyError, check_lockout, parse_policy
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms.keys import Key
from kmscourse.cloud.kms.service import KMS, operation


def default_policy(account: str) -> str:
    """The policy of a key that was created without one: the account, and so IAM, decides."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Id": "key-default-1",
            "Statement": [
                {
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            ],
        }
    )


def validate_policy(call: Call, key: Key, policy: str) -> None:
    """Refuse a policy that AWS would not save. Source: botocore kms PutKeyPolicy.

    Raises:
        AWSError: ``MalformedPolicyDocumentException`` for a document that is none, for one that
            names a user or role that does not exist (R2.8), or one that would lock its author
            out, unless BypassPolicyLockoutSafetyCheck says so.
    """
    try:
        named = parse_policy(policy, "key").principals
        if not all(iam.exists(principal) for principal in named):
            raise AWSError(
                "MalformedPolicyDocumentException",
                "Policy contains a statement with one or more invalid principals.",
            )
        if not call.parameters.get("BypassPolicyLockoutSafetyCheck"):
            check_lockout(policy, call.caller.arn, key.arn, {"kms:CallerAccount": call.account})
    except MalformedPolicyError as error:
        raise AWSError(error.code, error.message) from error
    most = int(facts.limit("kms.key-policy.bytes"))
    if len(policy.encode("utf-8", "surrogatepass")) > most:
        raise AWSError("LimitExceededException", f"A key policy can have {most} bytes at most.")


@operation("GetKeyPolicy")
def get_key_policy(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """The policy as it was saved."""
    _check_name(call)
    return {"Policy": key.policy, "PolicyName": "default"}


@operation("PutKeyPolicy")
def put_key_policy(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Replace the policy of a key."""
    _check_name(call)
    policy = call.parameters["Policy"]
    validate_policy(call, key, policy)
    key.policy = policy
    return {}


@operation("ListKeyPolicies")
def list_key_policies(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """The names of a key's policies: there is one, and it is called default."""
    return {"PolicyNames": ["default"], "Truncated": False}


def _check_name(call: Call) -> None:
    if call.parameters.get("PolicyName", "default") != "default":
        raise AWSError("NotFoundException", "No such policy exists")
