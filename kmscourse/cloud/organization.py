"""AWS Organizations, as authorization sees it: moto keeps it, this reads its policies.

Source: AWS Organizations User Guide, "SCP evaluation" and "RCP evaluation".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from moto.organizations.models import organizations_backends

from kmscourse.cloud.authorization import NamedPolicy
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError

PolicyType = Literal["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"]


@dataclass(frozen=True, slots=True)
class Membership:
    """An account's place in its organization.

    Attributes:
        id: the organization's id, ``o-...``.
        management_account: the account that SCPs and RCPs do not touch.
        path: the targets above the account and itself, from the root down.
    """

    id: str
    management_account: str
    path: tuple[Any, ...]

    def levels(self, kind: PolicyType) -> tuple[tuple[NamedPolicy, ...], ...] | None:
        """The policies of a type at each level, root first; None where the type is not enabled."""
        enabled = {each["Type"] for each in self.path[0].policy_types}
        if kind not in enabled:
            return None
        return tuple(
            tuple(
                NamedPolicy(policy.name, policy.content)
                for policy in target.attached_policies
                if policy.type == kind
            )
            for target in self.path
        )

    @property
    def org_path(self) -> str:
        """As in ``aws:PrincipalOrgPaths``: ``o-.../r-.../ou-.../``."""
        return "/".join([self.id, *(target.id for target in self.path[:-1])]) + "/"


def membership(account: str) -> Membership | None:
    """Where an account stands in an organization; None where it is in none."""
    for backends in list(organizations_backends.values()):
        for organization in list(backends.values()):
            if organization.org is None:
                continue
            member = next((each for each in organization.accounts if each.id == account), None)
            if member is not None:
                return Membership(
                    organization.org.id,
                    organization.org.master_account_id,
                    _path(organization, member),
                )
    return None


def check_attach(call: Call) -> None:
    """Refuse to attach a policy of a type that the root has not enabled, which moto allows.

    Raises:
        AWSError: ``PolicyTypeNotEnabledException``. Source: botocore organizations AttachPolicy.
    """
    own = membership(call.account)
    if call.operation != "AttachPolicy" or own is None:
        return
    backend = organizations_backends[own.management_account]["aws"]
    policy = next((p for p in backend.policies if p.id == call.parameters.get("PolicyId")), None)
    enabled = {each["Type"] for each in own.path[0].policy_types}
    if policy is not None and policy.type not in enabled:
        raise AWSError(
            "PolicyTypeNotEnabledException",
            "This operation can be performed only for enabled policy types.",
        )


def _path(organization: Any, member: Any) -> tuple[Any, ...]:
    units = {unit.id: unit for unit in organization.ou}
    path = [member]
    parent = member.parent_id
    while parent in units:
        path.append(units[parent])
        parent = getattr(units[parent], "parent_id", None)
    return tuple(reversed(path))
