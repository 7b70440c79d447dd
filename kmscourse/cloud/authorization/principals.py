"""Who is calling, and whether a ``Principal`` element means them (rules R3.1-R3.7, R11)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import Literal

__all__ = ["Caller", "Match", "PrincipalSpec", "parse_caller"]

CallerKind = Literal[
    "user", "role", "session", "federated-user", "root", "service", "federated", "anonymous"
]

_ACCOUNT = re.compile(r"\d{12}")
_SERVICE = re.compile(r"[a-z0-9][a-z0-9.-]*\.[a-z0-9.-]+")


class Match(IntEnum):
    """How a statement of a resource-based policy means the caller; the larger, the stronger.

    ACCOUNT: it names the caller's account, and so leaves the decision to IAM (R2.2, R2.3).
    LIMITED: it names the role behind a session (R3.2) or the user behind a federated session
        (R3.5); boundary and session policy still limit it.
    DIRECT: user, session, service or everyone; nothing else is needed in the same account
        (R3.1, R3.3, R3.4, R3.6).
    """

    NONE = 0
    ACCOUNT = 1
    LIMITED = 2
    DIRECT = 3


@dataclass(frozen=True)
class Caller:
    """The principal of a request, taken apart.

    ``identity`` is the user or role whose policies count (the session issuer of a session), what
    ``aws:PrincipalArn`` shows; for a root user the account's root ARN, for a service its name.
    """

    arn: str
    kind: CallerKind
    account: str | None
    identity: str
    partition: str = "aws"
    chain: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def account_root(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:root"

    @cached_property
    def service_linked(self) -> bool:
        """True for a service-linked role or its session: exempt from SCPs and RCPs (R6.1, R6.3).

        Without the role's path only its fixed name prefix tells.
        """
        if self.kind not in ("role", "session"):
            return False
        name = self.identity.rsplit("/", 1)[-1]
        return "/aws-service-role/" in self.identity or name.startswith("AWSServiceRoleFor")

    @cached_property
    def spoken(self) -> str:
        """The caller in words, for explanations."""
        name = self.arn.rsplit("/", 1)[-1]
        match self.kind:
            case "user":
                return f"user {name}"
            case "role":
                return f"role {name}"
            case "session":
                return f"role {self.identity.rsplit('/', 1)[-1]} (session {name})"
            case "federated-user":
                return f"federated user {name}"
            case "root":
                return f"the root user of account {self.account}"
            case "service":
                return f"the service {self.arn}"
            case "anonymous":
                return "an anonymous caller"
            case _:
                return f"the identity provider {name}"


@lru_cache(maxsize=8192)
def parse_caller(principal: str, issuer: str | None = None) -> Caller:
    """Take a principal apart.

    Args:
        principal: an ARN (user, role, ``assumed-role`` session, ``federated-user``, account
            ``root``, identity provider), a service principal such as ``s3.amazonaws.com``, or
            ``anonymous``.
        issuer: the ARN of the role or user that issued the session, when it is known. Without it
            the role of a session is taken to have no path.

    Raises:
        ValueError: if ``principal`` is none of these.
    """
    if principal == "anonymous":
        return Caller(principal, "anonymous", None, principal, chain=frozenset({principal}))
    parts = principal.split(":", 5)
    if len(parts) == 6 and parts[0] == "arn" and parts[2] in ("iam", "sts"):
        _, partition, _, _, account, rest = parts
        root = f"arn:{partition}:iam::{account}:root"
        kind, _, name = rest.partition("/")
        if not _ACCOUNT.fullmatch(account):
            raise ValueError(f"{principal!r} has no 12-digit account id")
        if kind == "root" and not name:
            return Caller(principal, "root", account, root, partition, frozenset({root}))
        if kind == "user" and name:
            return Caller(
                principal, "user", account, principal, partition, frozenset({principal, root})
            )
        if kind == "role" and name:
            return Caller(
                principal, "role", account, principal, partition, frozenset({principal, root})
            )
        if kind == "assumed-role" and "/" in name:
            role = issuer or f"arn:{partition}:iam::{account}:role/{name.partition('/')[0]}"
            chain = frozenset({principal, role, root})
            return Caller(principal, "session", account, role, partition, chain)
        if kind == "federated-user" and name:
            chain = frozenset({principal, root} | ({issuer} if issuer else set()))
            return Caller(
                principal, "federated-user", account, issuer or principal, partition, chain
            )
        if kind in ("saml-provider", "oidc-provider") and name:
            return Caller(
                principal, "federated", account, principal, partition, frozenset({principal})
            )
    elif ":" not in principal and _SERVICE.fullmatch(principal):
        return Caller(principal, "service", None, principal, chain=frozenset({principal}))
    raise ValueError(
        f"{principal!r} is not a principal: use the ARN of a user, role, assumed-role session, "
        "federated user or account root, a service principal such as s3.amazonaws.com, "
        "or anonymous"
    )


@dataclass(frozen=True, slots=True)
class PrincipalSpec:
    """A ``Principal`` or ``NotPrincipal`` element, compiled.

    Partial wildcards (``role/app-*``) never match (R11.2); account ids and account root ARNs are
    the same thing (R2.2). Names are case-sensitive.
    """

    negated: bool
    everyone: bool
    arns: frozenset[str]
    accounts: frozenset[str]
    services: frozenset[str]
    federated: frozenset[str]

    def match(self, caller: Caller) -> Match:
        """How an Allow of a resource-based policy means the caller."""
        if self.negated:
            # R11.6 leaves open how a list with only the account reads here. [I] Whoever is
            # listed in any of his forms is left out; everyone else is let in.
            return Match.NONE if self._lists_any(caller) else Match.DIRECT
        if self.everyone:
            return Match.DIRECT
        kind = caller.kind
        if kind == "service":
            return Match.DIRECT if caller.arn in self.services else Match.NONE
        if kind == "federated":
            return Match.DIRECT if caller.arn in self.federated else Match.NONE
        if caller.arn in self.arns:
            return Match.LIMITED if kind == "role" else Match.DIRECT
        if caller.identity in self.arns:
            return Match.LIMITED
        if caller.account in self.accounts:
            return Match.DIRECT if kind == "root" else Match.ACCOUNT
        return Match.NONE

    def covers(self, caller: Caller, *, denying: bool, has_boundary: bool) -> bool:
        """True if the element means the caller in any way (Deny statements, RCPs, endpoints)."""
        if not self.negated:
            return self.match(caller) is not Match.NONE
        if not denying:
            return not self._lists_any(caller)
        if has_boundary and caller.kind in ("user", "role", "session", "federated-user"):
            return True  # R11.7
        if self.everyone:
            return False
        # R11.6: to be spared, the account is listed too, and for a session its role as well.
        return not all(self._lists(one, caller) for one in caller.chain)

    def _lists(self, arn: str, caller: Caller) -> bool:
        if arn in self.arns or arn in self.services or arn in self.federated:
            return True
        return arn == caller.account_root and caller.account in self.accounts

    def _lists_any(self, caller: Caller) -> bool:
        return self.everyone or any(self._lists(one, caller) for one in caller.chain)
