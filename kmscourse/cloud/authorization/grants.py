"""Whether a grant lets this request through (rules R5)."""

from __future__ import annotations

from kmscourse.cloud.authorization.conditions import OPERATORS
from kmscourse.cloud.authorization.context import Context, encryption_context
from kmscourse.cloud.authorization.kms_keys import SYMMETRIC_OPERATIONS
from kmscourse.cloud.authorization.model import Grant, Request
from kmscourse.cloud.authorization.principals import Caller, Match

__all__ = ["fails_on", "names"]


def names(principal: str | None, service: str | None, caller: Caller) -> Match:
    """How a grantee or retiring principal means the caller.

    An account as grantee is read like an account in a key policy: its root user directly, its
    other identities if their IAM policies allow it. **[I]**
    """
    if service:
        return Match.DIRECT if caller.kind == "service" and caller.arn == service else Match.NONE
    if not principal:
        return Match.NONE
    if principal in (caller.arn, caller.identity):
        return Match.DIRECT
    if caller.account is not None and principal in (caller.account, caller.account_root):
        return Match.ACCOUNT
    return Match.NONE


def fails_on(
    grant: Grant, request: Request, operation: str, caller: Caller, context: Context
) -> tuple[Match, str, str]:
    """Look at one grant.

    Returns:
        How it means the caller (NONE if it does not let the request through); else the part it
        failed on (``resource``, ``principal``, ``action``, ``condition``), and a sentence.
    """
    if grant.key_arn and not _same_key(grant.key_arn, request.resource):
        return Match.NONE, "resource", f"it is a grant on another key, {grant.key_arn}"
    if operation == "RetireGrant":
        return _retiring(grant, request, caller)
    who = names(grant.grantee_principal, grant.grantee_service_principal, caller)
    if who is Match.NONE:
        return who, "principal", f"its grantee is {grant.grantee}, not the caller"
    if operation not in grant.operations:
        listed = ", ".join(sorted(grant.operations))
        return Match.NONE, "action", f"it grants {listed}, not {operation}"
    problem = _constraints(grant, request, operation, context)
    if problem:
        return Match.NONE, "condition", problem
    if operation == "CreateGrant":
        problem = _stricter(grant, request, context)
        if problem:
            return Match.NONE, "condition", problem
    return who, "", "it grants this operation to the caller and its constraints hold"


def _same_key(key: str, resource: str) -> bool:
    # ListGrants shows the key's id where it shows no ARN.
    return key == resource or resource.rsplit("/", 1)[-1] == key


def _constraints(grant: Grant, request: Request, operation: str, context: Context) -> str:
    if grant.source_arn:
        found = context.values("aws:sourcearn")
        # R5.5: for DescribeKey only if the request gives a source. [I]
        if found or operation != "DescribeKey":
            like = OPERATORS["arnlike"].build((grant.source_arn,))
            if not any(like(value, context) for value in found):
                has = f"has {found[0]}" if found else "has none"
                return f"its constraint wants aws:SourceArn {grant.source_arn}; the request {has}"
    if operation not in SYMMETRIC_OPERATIONS:
        return ""  # R5.4: only operations that take an encryption context
    equals, subset = grant.encryption_context_equals, grant.encryption_context_subset
    if not equals and not subset:
        return ""
    given = {(name.lower(), value) for name, value in encryption_context(request.context).items()}
    shown = _shown(encryption_context(request.context))
    # botocore's GrantConstraints: the name of a pair is not case-sensitive, its value is. (The
    # developer guide of 2023, and so rule R5.4, calls the whole case-sensitive.)
    if equals and {(name.lower(), value) for name, value in equals.items()} != given:
        return (
            f"its constraint EncryptionContextEquals wants exactly {_shown(equals)}; the request "
            f"has {shown}"
        )
    if subset and not {(name.lower(), value) for name, value in subset.items()} <= given:
        return (
            f"its constraint EncryptionContextSubset wants {_shown(subset)}; the request "
            f"has {shown}"
        )
    return ""


def _shown(pairs: object) -> str:
    if not isinstance(pairs, dict) or not pairs:
        return "no encryption context"
    return ", ".join(f'"{name}": "{value}"' for name, value in sorted(pairs.items()))


def _stricter(grant: Grant, request: Request, context: Context) -> str:
    """R5.6: a grant made under a grant has its operations or fewer, its constraints or stricter."""
    wanted = context.values("kms:grantoperations")
    extra = sorted(set(wanted) - grant.operations)
    if extra:
        return f"the new grant asks for {', '.join(extra)}, which this grant does not have"
    if not wanted:
        return "the request does not say which operations the new grant is to have"
    kinds = set(context.values("kms:grantconstrainttype"))
    child = {(name.lower(), value) for name, value in encryption_context(request.context).items()}
    if grant.encryption_context_equals:
        mine = {(n.lower(), v) for n, v in grant.encryption_context_equals.items()}
        if kinds != {"EncryptionContextEquals"} or child != mine:
            return "the new grant must have the same EncryptionContextEquals as this grant"
    if grant.encryption_context_subset:
        mine = {(n.lower(), v) for n, v in grant.encryption_context_subset.items()}
        if not kinds or not mine <= child:
            return "the new grant must be limited to the same encryption context or more of it"
    if grant.source_arn and context.values("kms:grantconstraintsourcearn") != (grant.source_arn,):
        return "the new grant must have the same SourceArn as this grant"  # [I]
    return ""


def _retiring(grant: Grant, request: Request, caller: Caller) -> tuple[Match, str, str]:
    """R5.8: the retiring principal, the grantee if it may, the account where it was made."""
    retiring = names(grant.retiring_principal, grant.retiring_service_principal, caller)
    grantee = Match.NONE
    if "RetireGrant" in grant.operations:
        grantee = names(grant.grantee_principal, grant.grantee_service_principal, caller)
    owner = request.resource.split(":", 5)[4:5]
    if caller.kind == "root" and owner == [caller.account]:
        return Match.DIRECT, "", "the caller is the account in which the grant was made"
    if retiring is not Match.NONE and retiring >= grantee:
        return retiring, "", "the caller is its retiring principal"
    if grantee is not Match.NONE:
        return grantee, "", "the caller is its grantee, and it contains RetireGrant"
    return (
        Match.NONE,
        "principal",
        "the caller is neither its retiring principal, nor its grantee with RetireGrant, nor the "
        "root user of the account where it was made",
    )
