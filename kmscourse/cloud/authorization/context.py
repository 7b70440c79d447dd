"""The request as conditions see it: what was given, what follows from it, what does not exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kmscourse.cloud.authorization.kms_keys import REQUEST_DEFAULTS, key_exists
from kmscourse.cloud.authorization.model import Request
from kmscourse.cloud.authorization.principals import Caller

__all__ = ["Context", "encryption_context"]

_TYPES = {
    "user": "User",
    "role": "AssumedRole",
    "session": "AssumedRole",
    "federated-user": "FederatedUser",
    "root": "Account",
    "anonymous": "Anonymous",
}
_PAIR = "kms:encryptioncontext:"


class Context:
    """Condition keys of one request (a :class:`~.conditions.Lookup`)."""

    __slots__ = (
        "_account",
        "_caller",
        "_derived",
        "_given",
        "_operation",
        "_request",
        "in_key_policy",
    )

    def __init__(
        self,
        request: Request,
        caller: Caller,
        resource_account: str | None,
        operation: str | None,
    ) -> None:
        """``operation`` is KMS's name for the permission, None if the request is not for KMS."""
        self._request = request
        self._caller = caller
        self._account = resource_account
        self._given: dict[str, tuple[str, ...]] | None = None
        self._derived: dict[str, str] | None = None
        self._operation = operation
        self.in_key_policy = False
        """Set while a key policy is looked at: kms:ResourceAliases does not exist there."""

    def values(self, key: str) -> tuple[str, ...]:
        """The values of a condition key given in lower case; empty if it is absent."""
        if key.startswith("kms:"):
            operation = self._operation
            if operation is None or not key_exists(key, operation, self.in_key_policy):
                return ()  # R9.10
        given = self._given
        if given is None:
            given = self._given = self._normalized()
        found = given.get(key)
        if found is not None:
            return found
        derived = self._derived
        if derived is None:
            derived = self._derived = self._follows()
        one = derived.get(key)
        if one is not None:
            return (one,)
        return self._pairs() if key == "kms:encryptioncontextkeys" else ()

    def _pairs(self) -> tuple[str, ...]:
        """The names of the encryption context, as they were given."""
        return tuple(k[len(_PAIR) :] for k in self._request.context if k.lower().startswith(_PAIR))

    def _normalized(self) -> dict[str, tuple[str, ...]]:
        given = self._request.context
        out = {
            key.lower(): (value,) if isinstance(value, str) else as_values(value)
            for key, value in given.items()
        }
        if len(out) < len(given):
            # Two encryption context names that differ only in case are one condition key.
            out = {}
            for key, value in given.items():
                out[key.lower()] = out.get(key.lower(), ()) + as_values(value)
        if out.get("aws:sourcevpce"):
            out["aws:sourceip"] = ()  # R7.3: not available through an endpoint
        return out

    def _follows(self) -> dict[str, str]:
        caller = self._caller
        service = caller.kind == "service"
        out = {
            "aws:principalarn": caller.arn if caller.kind == "federated-user" else caller.identity,
            "aws:principalisawsservice": "true" if service else "false",  # R8.3
        }
        if service:
            del out["aws:principalarn"]
            out["aws:principalservicename"] = caller.arn
        elif caller.account is not None:
            out["aws:principalaccount"] = caller.account
            out["kms:calleraccount"] = caller.account
        if caller.kind in _TYPES:
            out["aws:principaltype"] = _TYPES[caller.kind]
        if caller.kind == "user":
            out["aws:username"] = caller.arn.rsplit("/", 1)[-1]
        if self._account is not None:
            out["aws:resourceaccount"] = self._account
        if self._operation is not None:
            out.update(REQUEST_DEFAULTS.get(self._operation, {}))  # R9.11
        return out


def as_values(value: str | Sequence[str]) -> tuple[str, ...]:
    """One or several context values as texts; True and 5 are taken for "true" and "5"."""
    items = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
    return tuple(
        item
        if isinstance(item, str)
        else str(item).lower()
        if isinstance(item, bool)
        else str(item)
        for item in items
    )


def encryption_context(context: Mapping[str, str | Sequence[str]]) -> dict[str, str]:
    """The encryption context pairs in a request's context, names as they were given."""
    out = {}
    for key, value in context.items():
        if key[: len(_PAIR)].lower() == _PAIR:
            values = as_values(value)
            if values:
                out[key[len(_PAIR) :]] = values[0]
    return out
