"""The rules once more, as plainly as they can be written, to hold the real engine against.

Nothing is compiled, cached or shared with the engine: each function is a rule or two, read
straight from the JSON. Slow on purpose; regular expressions are fine for such short texts.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from datetime import datetime
from fractions import Fraction
from typing import Any

CRYPTO = {
    "Decapsulate", "Decrypt", "DeriveSharedSecret", "Encapsulate", "Encrypt", "GenerateDataKey",
    "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext", "GenerateMac", "ReEncryptFrom", "ReEncryptTo", "Sign",
    "Verify", "VerifyMac",
}  # fmt: skip
WITH_CONTEXT = {
    "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom",
    "ReEncryptTo",
}  # fmt: skip
ACROSS = CRYPTO | {
    "CreateGrant", "DescribeKey", "GetKeyRotationStatus", "GetPublicKey", "ListGrants",
    "RetireGrant", "RevokeGrant",
}  # fmt: skip
IAM_ONLY = {
    "CreateKey", "ListKeys", "ListAliases", "GenerateRandom", "ListRetirableGrants",
    "CreateCustomKeyStore",
}  # fmt: skip


class Naive:
    """One request next to its policies."""

    def __init__(
        self,
        principal: str,
        action: str,
        resource: str,
        owner: str | None,
        issuer: str | None,
        context: dict[str, Any],
        policies: dict[str, Any],
    ) -> None:
        self.principal, self.action, self.resource = principal, action, resource
        self.context, self.policies = context, policies
        self.service, self.operation = action.split(":")
        parts = principal.split(":")
        self.account = parts[4] if len(parts) > 4 else None
        self.root = f"arn:aws:iam::{self.account}:root"
        self.identity = issuer or principal
        self.kind = "service"
        if self.account:
            self.kind = parts[5].split("/")[0]
            if self.kind == "assumed-role" and not issuer:
                self.identity = f"arn:aws:iam::{self.account}:role/{parts[5].split('/')[1]}"
        in_arn = resource.split(":")[4] if resource.count(":") >= 5 else ""
        self.owner = owner or in_arn or self.account
        self.across = bool(self.account and self.owner and self.account != self.owner)
        self.has_iam = self.kind in ("user", "role", "assumed-role", "federated-user")

    # ------------------------------------------------------------ the procedure

    def decide(self) -> str:
        if any(
            self.applies(statement, layer)
            for layer, document in self.applicable()
            for statement in statements(document)
            if statement["Effect"] == "Deny"
        ):
            return "ExplicitlyDenied"
        scps = self.policies.get("scps")
        if scps is not None and self.account:
            for level in scps:  # R6.1: every level
                if not self.someone_allows("scp", level):
                    return "ImplicitlyDenied"
        endpoint = self.policies.get("vpc_endpoint")
        if endpoint is not None and not self.someone_allows("endpoint", [endpoint]):
            return "ImplicitlyDenied"  # R7.1
        return "Allowed" if self.permitted() else "ImplicitlyDenied"

    def key_policy_counts(self) -> bool:
        if self.service != "kms":
            return True
        named = ":key/" in self.resource
        return named and self.operation not in IAM_ONLY and self.operation != "RetireGrant"

    def applicable(self) -> list[tuple[str, Any]]:
        out: list[tuple[str, Any]] = []
        if self.key_policy_counts() and self.service in ("kms", "s3", "sts"):
            out += [("rcp", d) for level in self.policies.get("rcps") or [] for d in level]
        if self.account:
            out += [("scp", d) for level in self.policies.get("scps") or [] for d in level]
        if self.policies.get("vpc_endpoint") is not None:
            out.append(("endpoint", self.policies["vpc_endpoint"]))
        if self.policies.get("resource") is not None and self.key_policy_counts():
            out.append(("resource", self.policies["resource"]))
        if self.has_iam:
            for layer in ("identity", "boundary", "session"):
                out += [(layer, d) for d in self.policies.get(layer) or []]
        return out

    def someone_allows(self, layer: str, documents: list[Any]) -> bool:
        return any(
            self.applies(statement, layer)
            for document in documents
            for statement in statements(document)
            if statement["Effect"] == "Allow"
        )

    def limits_allow(self) -> bool:
        """Boundary and session policy, where there are any."""
        return all(
            self.policies.get(layer) is None
            or self.kind == "root"
            or self.someone_allows(layer, self.policies[layer])
            for layer in ("boundary", "session")
        )

    def iam_allows(self) -> bool:
        if self.kind == "root":
            return True
        if not self.has_iam:
            return False
        return self.someone_allows("identity", self.policies.get("identity", [])) and (
            self.limits_allow()
        )

    def permitted(self) -> bool:
        if self.service == "kms" and self.operation == "RetireGrant":
            return self.granted()
        if not self.key_policy_counts():
            return self.iam_allows()
        ways = self.ways_named()
        direct = "direct" in ways or ("limited" in ways and self.limits_allow())
        if self.service == "kms":
            if self.across:
                if self.operation not in ACROSS:  # R4.3
                    return False
                return (bool(ways) and self.iam_allows()) or self.granted()  # R4.2, R4.6
            return direct or ("account" in ways and self.iam_allows()) or self.granted()
        if self.across:
            return bool(ways) and self.iam_allows()
        if self.service == "sts":
            return direct or ("account" in ways and self.iam_allows())
        return direct or self.iam_allows()  # R1.5

    def ways_named(self) -> set[str]:
        """In which ways Allows of the resource's policy mean the caller (the table R3)."""
        ways = set()
        for statement in statements(self.policies.get("resource")):
            if statement["Effect"] == "Allow" and self.applies(statement, "resource"):
                way = self.way(statement)
                if way:
                    ways.add(way)
        # The table speaks of what names the caller best: a statement naming the session is added
        # on top of one naming the role.
        return ways

    def way(self, statement: dict[str, Any]) -> str:
        if "NotPrincipal" in statement:
            return "direct"
        names = principals(statement["Principal"])
        if ("AWS", "*") in names:
            return "direct"
        if self.kind == "service":
            return "direct"
        if ("AWS", self.principal) in names and self.kind not in ("role", "root"):
            return "direct"
        if ("AWS", self.identity) in names and self.kind != "root":
            return "limited"
        return "direct" if self.kind == "root" else "account"

    # ------------------------------------------------------------ statements

    def applies(self, statement: dict[str, Any], layer: str) -> bool:
        if layer in ("resource", "rcp", "endpoint") and not self.means_me(statement):
            return False
        if not self.about_action(statement):
            return False
        trust = layer == "resource" and self.service == "sts"
        if not self.about_resource(statement, trust):
            return False
        return all(
            self.condition(operator, key, values, in_key_policy=layer == "resource")
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )

    def means_me(self, statement: dict[str, Any]) -> bool:
        chain = {self.principal, self.identity}
        if self.account:
            chain.add(self.root)
        if "Principal" in statement:
            names = principals(statement["Principal"])
            if ("AWS", "*") in names:
                return True
            if self.kind == "service":
                return ("Service", self.principal) in names
            return any(("AWS", one) in names for one in chain) or ("AWS", self.account) in names
        if "NotPrincipal" not in statement:
            return False
        names = principals(statement["NotPrincipal"])
        listed = {
            one
            for one in chain
            if ("AWS", one) in names
            or ("Service", one) in names
            or (one == self.root and ("AWS", self.account) in names)
        }
        everyone = ("AWS", "*") in names
        if statement["Effect"] == "Allow":
            return not everyone and not listed
        if self.policies.get("boundary") is not None and self.has_iam:
            return True  # R11.7
        return not everyone and listed != chain  # R11.6

    def about_action(self, statement: dict[str, Any]) -> bool:
        for element in ("Action", "NotAction"):
            if element in statement:
                patterns = aslist(statement[element])
                hit = any(glob(p.lower(), self.action.lower()) for p in patterns)
                return hit == (element == "Action")
        return False

    def about_resource(self, statement: dict[str, Any], trust: bool) -> bool:
        for element in ("Resource", "NotResource"):
            if element in statement:
                hit = any(self.same_resource(p) for p in aslist(statement[element]))
                return hit == (element == "Resource")
        return trust

    def same_resource(self, pattern: str) -> bool:
        if pattern == "*":
            return True
        filled = self.fill(pattern)
        if filled is None:
            return False
        parts = filled.split(":")
        if len(parts) > 2 and re.search(r"[*?]", parts[2]):
            return False
        if parts[0] == "arn" and len(parts) < 6:
            filled += ":*"
        out = ""
        for at, char in enumerate(filled):
            if char == "*":
                last = at + 1 == len(filled) or filled[at + 1] == ":"
                out += ".*" if last else "[^:]*"
            elif char == "?":
                out += "[^:]"
            else:
                out += literal(char)
        return re.fullmatch(out, self.resource, re.DOTALL) is not None

    # ------------------------------------------------------------ conditions

    def values(self, key: str, in_key_policy: bool = False) -> list[str]:
        lower = key.lower()
        if lower.startswith("kms:") and not self.exists(lower, in_key_policy):
            return []
        given: dict[str, list[str]] = {}
        pairs = []
        for name, value in self.context.items():
            given.setdefault(name.lower(), []).extend(aslist(value))
            if name.lower().startswith("kms:encryptioncontext:"):
                pairs.append(name.split(":", 2)[2])
        if "kms:encryptioncontextkeys" not in given and pairs:
            given["kms:encryptioncontextkeys"] = pairs
        if given.get("aws:sourcevpce"):
            given["aws:sourceip"] = []
        if lower in given:
            return given[lower]
        is_service = self.kind == "service"
        follows = {
            "aws:principalisawsservice": "true" if is_service else "false",
            "aws:principalarn": None
            if is_service
            else (self.principal if self.kind == "federated-user" else self.identity),
            "aws:principalaccount": self.account,
            "kms:calleraccount": self.account,
            "aws:username": self.principal.split("/")[-1] if self.kind == "user" else None,
            "kms:encryptionalgorithm": "SYMMETRIC_DEFAULT",
        }
        found = follows.get(lower)
        return [found] if found else []

    def exists(self, key: str, in_key_policy: bool) -> bool:
        """R9.10, for the keys that the generator uses."""
        if self.service != "kms":
            return False
        on_a_key = self.operation not in IAM_ONLY
        if key.startswith("kms:encryptioncontext"):
            return self.operation in WITH_CONTEXT | {"CreateGrant", "RetireGrant"}
        if key == "kms:viaservice":
            return on_a_key or self.operation == "CreateKey"
        if key == "kms:calleraccount":
            return on_a_key or self.operation in ("CreateKey", "CreateCustomKeyStore")
        if key == "kms:encryptionalgorithm":
            return self.operation in WITH_CONTEXT
        if key == "kms:resourcealiases":
            return on_a_key and not in_key_policy
        if key == "kms:grantoperations":
            return self.operation == "CreateGrant"
        raise AssertionError(key)

    def fill(self, text: str) -> str | None:
        """Put in the variables, wildcards in what is put in made harmless."""
        missing = False

        def one(found: re.Match[str]) -> str:
            nonlocal missing
            name, _, default = found.group(1).partition(", ")
            values = self.values(name)
            if len(values) == 1:
                return hide(values[0])
            if not values and default:
                return hide(default.strip("'"))
            missing = True
            return ""

        out = re.sub(r"\$\{([a-zA-Z:/]+(?:, '[^']*')?)\}", one, text)
        return None if missing else out

    def condition(self, operator: str, key: str, wanted: Any, in_key_policy: bool = False) -> bool:
        values = self.values(key, in_key_policy)
        wanted = [str(w).lower() if isinstance(w, bool) else str(w) for w in aslist(wanted)]
        quantifier, _, name = operator.rpartition(":")
        if name == "Null":
            return any((w == "true") == (not values) for w in wanted)
        if_exists = name.endswith("IfExists")
        name = name.removesuffix("IfExists")
        negated = "Not" in name
        name = name.replace("Not", "")
        if not values:
            if if_exists or quantifier == "ForAllValues":
                return True
            return negated and quantifier != "ForAnyValue"

        def good(value: str) -> bool:
            return any(self.compare(name, value, w) for w in wanted) != negated

        if quantifier == "ForAllValues":
            return all(good(value) for value in values)
        if quantifier == "ForAnyValue":
            return any(good(value) for value in values)
        hit = any(self.compare(name, value, w) for value in values for w in wanted)
        return hit != negated

    def compare(self, name: str, value: str, wanted: str) -> bool:
        if name.startswith(("String", "Arn", "Bool")):
            filled = self.fill(wanted)
            if filled is None:
                return False
            if name == "StringEquals":
                return value == reveal(filled)
            if name in ("StringEqualsIgnoreCase", "Bool"):
                return value.lower() == reveal(filled).lower()
            if name == "StringLike":
                return glob(filled, value)
            mine, theirs = value.split(":", 5), filled.split(":", 5)
            return len(mine) == len(theirs) == 6 and all(
                glob(p, v) for p, v in zip(theirs, mine, strict=True)
            )
        try:
            if name.startswith("Numeric"):
                return ordered(name[7:], Fraction(value), Fraction(wanted))
            if name.startswith("Date"):
                return ordered(name[4:], moment(value), moment(wanted))
            if name == "IpAddress":
                return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
            if name == "BinaryEquals":
                return base64.b64decode(value, validate=True) == base64.b64decode(
                    wanted, validate=True
                )
        except ValueError:
            return False
        raise AssertionError(name)

    # ------------------------------------------------------------ grants

    def granted(self) -> bool:
        return any(self.one_grant(grant) for grant in self.policies.get("grants", []))

    def one_grant(self, grant: dict[str, Any]) -> bool:
        if grant["KeyId"] != self.resource:
            return False
        operations = grant["Operations"]
        if self.operation == "RetireGrant":
            if self.kind == "root" and self.account == self.resource.split(":")[4]:
                return True
            if self.is_named(grant.get("RetiringPrincipal")):
                return True
            return "RetireGrant" in operations and self.is_named(grant["GranteePrincipal"])
        if not self.is_named(grant["GranteePrincipal"]) or self.operation not in operations:
            return False
        limits = grant.get("Constraints", {})
        source = limits.get("SourceArn")
        if source:
            found = self.values("aws:SourceArn")
            looked_at = found or self.operation != "DescribeKey"
            if looked_at and not any(self.compare("ArnLike", v, source) for v in found):
                return False
        pairs = {
            (key.split(":", 2)[2].lower(), value)
            for key, value in self.context.items()
            if key.lower().startswith("kms:encryptioncontext:")
        }
        exact = {(k.lower(), v) for k, v in limits.get("EncryptionContextEquals", {}).items()}
        part = {(k.lower(), v) for k, v in limits.get("EncryptionContextSubset", {}).items()}
        if self.operation in WITH_CONTEXT:
            return not (exact and pairs != exact) and part <= pairs
        if self.operation == "CreateGrant":
            asked = (
                self.values("kms:GrantOperations") if "kms:GrantOperations" in self.context else []
            )
            return bool(asked) and set(asked) <= set(operations) and not exact and not part
        return True

    def is_named(self, principal: str | None) -> bool:
        if principal is None:
            return False
        if principal in (self.principal, self.identity) and self.kind != "root":
            return True
        if principal == self.root:
            return self.iam_allows()
        return self.kind == "service" and principal == self.principal


# ---------------------------------------------------------------- small helpers


def aslist(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def statements(document: Any) -> list[dict[str, Any]]:
    return aslist(document["Statement"]) if document is not None else []


def principals(element: Any) -> set[tuple[str, str]]:
    """Pairs of kind and name; an account id becomes its root ARN."""
    if element == "*":
        return {("AWS", "*")}
    out = set()
    for kind, names in element.items():
        for name in aslist(names):
            out.add((kind, f"arn:aws:iam::{name}:root" if re.fullmatch(r"\d{12}", name) else name))
    return out


def hide(text: str) -> str:
    return text.replace("*", "\ue000").replace("?", "\ue001")


def reveal(text: str) -> str:
    return text.replace("\ue000", "*").replace("\ue001", "?")


def literal(char: str) -> str:
    return re.escape(reveal(char))


def glob(pattern: str, text: str) -> bool:
    out = "".join({"*": ".*", "?": "."}.get(char) or literal(char) for char in pattern)
    return re.fullmatch(out, text, re.DOTALL) is not None


def ordered(how: str, left: Any, right: Any) -> bool:
    return {
        "Equals": left == right,
        "LessThan": left < right,
        "LessThanEquals": left <= right,
        "GreaterThan": left > right,
        "GreaterThanEquals": left >= right,
    }[how]


def moment(text: str) -> Fraction:
    if re.fullmatch(r"\d{5,}", text):
        return Fraction(text)
    return Fraction(str(datetime.fromisoformat(text).timestamp()))
