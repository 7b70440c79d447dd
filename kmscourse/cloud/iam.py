"""AWS IAM: what moto leaves out of it, permissions boundaries of users and refusals of policies.

moto answers everything else, on its own user objects.
Source: botocore iam PutUserPermissionsBoundary, DeleteUserPermissionsBoundary, GetUser, CreateUser;
IAM User Guide, "AWS JSON policy elements: Principal" (none in an identity-based policy, one in each
statement of a trust policy).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kmscourse.cloud import moto_door
from kmscourse.cloud.authorization import MalformedPolicyError, PolicyKind, parse_policy
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.protocol import Response

#: The parameter that brings a policy, and what kind of policy it is.
_POLICIES: dict[str, tuple[str, PolicyKind]] = {
    "PutUserPolicy": ("PolicyDocument", "identity"),
    "PutGroupPolicy": ("PolicyDocument", "identity"),
    "PutRolePolicy": ("PolicyDocument", "identity"),
    "CreatePolicy": ("PolicyDocument", "identity"),
    "CreatePolicyVersion": ("PolicyDocument", "identity"),
    "CreateRole": ("AssumeRolePolicyDocument", "trust"),
    "UpdateAssumeRolePolicy": ("PolicyDocument", "trust"),
}


def perform(call: Call, ask_moto: Callable[[], Response]) -> dict[str, Any] | Response:
    """Carry out an IAM operation, with boundaries for users.

    Raises:
        AWSError: MalformedPolicyDocument, for a policy that IAM does not save.
    """
    if call.operation in _POLICIES:
        parameter, kind = _POLICIES[call.operation]
        try:
            parse_policy(call.parameters[parameter], kind, code="MalformedPolicyDocument")
        except MalformedPolicyError as error:
            raise AWSError(error.code, error.message) from None
    if call.operation == "PutUserPermissionsBoundary":
        _user(call).permissions_boundary_arn = _boundary(call)
        return {}
    if call.operation == "DeleteUserPermissionsBoundary":
        _user(call).permissions_boundary_arn = None
        return {}
    if call.operation == "CreateUser" and "PermissionsBoundary" in call.parameters:
        boundary = _boundary(call)
        response = ask_moto()
        if response.status < 400:
            _user(call).permissions_boundary_arn = boundary
        return response
    return ask_moto()


def exists(arn: str) -> bool:
    """Whether a principal that a policy names exists: KMS refuses a policy that names none.

    Accounts and services always do; users and roles are looked up.
    """
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[2] != "iam" or not parts[5].startswith(("user/", "role/")):
        return True
    iam = moto_door.iam(parts[4])
    return any(each.arn == arn for each in [*iam.users.values(), *iam.roles.values()])


def _user(call: Call) -> Any:
    name = call.parameters["UserName"]
    users = moto_door.iam(call.account).users
    if name not in users:
        raise AWSError("NoSuchEntity", f"The user with name {name} cannot be found.", 404)
    return users[name]


def _boundary(call: Call) -> str:
    arn = str(call.parameters["PermissionsBoundary"])
    if arn not in moto_door.iam(call.account).managed_policies:
        raise AWSError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)
    return arn
