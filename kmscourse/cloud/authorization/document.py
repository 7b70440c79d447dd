"""Policy documents: read once, compiled once, refused with AWS's words when malformed.

:func:`compile_policy` wants only what is needed to evaluate a document; :func:`parse_policy` also
makes the checks that AWS makes when a policy is saved.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NoReturn

from kmscourse.cloud.authorization.conditions import (
    Condition,
    Lookup,
    Template,
    compile_condition,
    fill,
    parse_template,
    split_operator,
)
from kmscourse.cloud.authorization.errors import MalformedPolicyError
from kmscourse.cloud.authorization.glob import (
    Matcher,
    compile_arn,
    compile_glob,
    compile_resource_tokens,
)
from kmscourse.cloud.authorization.principals import PrincipalSpec

__all__ = [
    "Document",
    "Effect",
    "PolicyDocument",
    "PolicyKind",
    "Statement",
    "compile_policy",
    "parse_policy",
]

Effect = Literal["Allow", "Deny"]
PolicyKind = Literal[
    "key",
    "identity",
    "boundary",
    "session",
    "trust",
    "bucket",
    "resource",
    "scp",
    "rcp",
    "endpoint",
]
Document = str | Mapping[str, Any]
"""A policy as AWS writes it: JSON text, or the same already read."""

_CODES: dict[str, str] = {
    "key": "MalformedPolicyDocumentException",
    "bucket": "MalformedPolicy",
    "scp": "MalformedPolicyDocumentException",
    "rcp": "MalformedPolicyDocumentException",
}
_SYNTAX = "Syntax errors in policy."
_JSON = "This policy contains invalid Json"
_NO_PRINCIPAL = "Policy document should not specify a principal."

_TOP = frozenset({"Version", "Id", "Statement"})
_IN_STATEMENT = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)


class Actions:
    """``Action`` or ``NotAction``: names in lower case, wildcards anywhere (R11.8, R11.10)."""

    __slots__ = ("exact", "globs", "negated", "prefixes", "written")

    def __init__(self, written: tuple[str, ...], negated: bool) -> None:
        self.written = written
        self.negated = negated
        exact: set[str] = set()
        prefixes: list[str] = []
        globs: list[Matcher] = []
        for value in written:
            lower = value.lower()
            if "*" not in lower and "?" not in lower:
                exact.add(lower)
            elif lower.endswith("*") and "*" not in lower[:-1] and "?" not in lower:
                prefixes.append(lower[:-1])
            else:
                globs.append(compile_glob(lower))
        self.exact = frozenset(exact)
        self.prefixes = tuple(prefixes)
        self.globs = tuple(globs)

    def match(self, action: str) -> bool:
        """Whether the element takes in ``action`` (in lower case)."""
        if action in self.exact or (self.prefixes and action.startswith(self.prefixes)):
            return not self.negated
        for glob in self.globs:
            if glob(action):
                return not self.negated
        return self.negated


class Resources:
    """``Resource`` or ``NotResource`` (R11.9, R11.11, R2.15)."""

    __slots__ = ("everything", "negated", "simple", "templates", "written")

    def __init__(self, written: tuple[str, ...], negated: bool, variables: bool) -> None:
        self.written = written
        self.negated = negated
        self.everything = "*" in written
        simple: list[Matcher] = []
        templates: list[Template] = []
        for value in written:
            template = parse_template(value, wildcards=True) if variables else None
            if template is None:
                simple.append(compile_arn(value))
            else:
                templates.append(template)
        self.simple = tuple(simple)
        self.templates = tuple(templates)

    @property
    def every(self) -> bool:
        """Whether it takes in every resource there is."""
        return self.everything and not self.negated

    def match(self, resource: str, request: Lookup) -> bool:
        """Whether the element takes in the resource."""
        if self.everything:
            return not self.negated
        for test in self.simple:
            if test(resource):
                return not self.negated
        for template in self.templates:
            tokens = fill(template, request)
            if tokens is not None and compile_resource_tokens(tokens)(resource):
                return not self.negated
        return self.negated


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, compiled."""

    index: int
    sid: str
    effect: Effect
    actions: Actions | None
    resources: Resources | None
    principal: PrincipalSpec | None
    conditions: tuple[Condition, ...]
    name: str
    """Its Sid in quotes, or its number counted from one."""


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A compiled policy. ``text`` is what it was compiled from."""

    text: str
    version: str
    id: str
    statements: tuple[Statement, ...]

    @property
    def principals(self) -> frozenset[str]:
        """Every user, role and session ARN and every account id that the policy names.

        KMS and IAM refuse a policy that names one that does not exist (R2.8); only they can tell.
        """
        return frozenset(
            name
            for statement in self.statements
            if statement.principal is not None
            for name in statement.principal.arns | statement.principal.accounts
        )


# ---------------------------------------------------------------- reading


def compile_policy(document: Document | PolicyDocument) -> PolicyDocument:
    """Read and compile a document; equal documents are compiled once.

    Raises:
        MalformedPolicyError: if it is not a policy that can be evaluated at all.
    """
    if isinstance(document, PolicyDocument):
        return document
    return _compile_text(_text_of(document))


def parse_policy(
    document: Document, kind: PolicyKind = "identity", *, code: str | None = None
) -> PolicyDocument:
    """Check a policy as AWS does when it is saved, and compile it.

    Args:
        document: JSON text or the same already read.
        kind: what it will be attached to; the rules differ. ``resource`` is any resource-based
            policy without rules of its own here.
        code: the error code to raise with, if the API that was called has its own.

    Raises:
        MalformedPolicyError: with AWS's code and wording, and the place in the document. Where
            AWS's exact sentence is not known to us, the nearest one of IAM is used **[R]**.
    """
    used = code or _CODES.get(kind, "MalformedPolicyDocument")
    try:
        compiled = compile_policy(document)
        _Checks(compiled, kind, used).run()
    except MalformedPolicyError as error:
        message = _S3_WORDS.get(error.message, error.message) if kind == "bucket" else error.message
        if kind not in _RESOURCE_KINDS and error.place.endswith("Principal"):
            message = _NO_PRINCIPAL  # however it is written [R]
        raise MalformedPolicyError(used, message, error.place, error.advice) from None
    return compiled


def _text_of(document: Document) -> str:
    if isinstance(document, str):
        return document
    if not isinstance(document, Mapping):
        _refuse(_SYNTAX, "", "A policy is a JSON object.")
    try:
        return json.dumps(document, default=_as_plain)
    except (TypeError, ValueError, RecursionError):
        _refuse(_JSON, "", "It holds something that JSON cannot.")


def _as_plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _refuse(message: str, place: str = "", advice: str = "") -> NoReturn:
    raise MalformedPolicyError("MalformedPolicyDocument", message, place, advice)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            _refuse(_JSON, key, f"The name {key!r} is there twice; keep one.")  # [R]
        out[key] = value
    return out


class _Number(str):
    """A JSON number, kept as it is written; only condition values may be numbers."""

    __slots__ = ()


@lru_cache(maxsize=4096)
def _compile_text(text: str) -> PolicyDocument:
    try:
        raw = json.loads(
            text,
            object_pairs_hook=_pairs,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_Number,
        )
    except json.JSONDecodeError as error:
        _refuse(_JSON, f"line {error.lineno} column {error.colno}", f"{error.msg}.")
    except (RecursionError, ValueError):
        _refuse(_JSON, "", "It is nested too deeply.")
    if not isinstance(raw, dict):
        _refuse(_SYNTAX, "", "A policy is a JSON object: { ... }.")
    for key in raw:
        if key not in _TOP:
            _refuse(_SYNTAX, key, f"A policy has no element {key!r}.")
    version = raw.get("Version", "2008-10-17")
    if type(version) is not str or version not in ("2012-10-17", "2008-10-17"):
        _refuse(
            "Policy document must be version 2012-10-17 or greater.",
            "Version",
            'Use "2012-10-17".',
        )
    ident = raw.get("Id", "")
    if type(ident) is not str:
        _refuse(_SYNTAX, "Id", "Id is a text.")
    if "Statement" not in raw:
        _refuse(_SYNTAX, "Statement", "A policy needs a Statement.")
    written = raw["Statement"]
    entries = [written] if isinstance(written, dict) else written
    if not isinstance(entries, list):
        _refuse(_SYNTAX, "Statement", "Statement is an object or a list of objects.")
    variables = version == "2012-10-17"
    statements = tuple(_statement(entry, index, variables) for index, entry in enumerate(entries))
    return PolicyDocument(text, version, ident, statements)


def _statement(entry: object, index: int, variables: bool) -> Statement:
    place = f"Statement[{index}]"
    if not isinstance(entry, dict):
        _refuse(_SYNTAX, place, "Each statement is an object.")
    for key in entry:
        if key not in _IN_STATEMENT:
            _refuse(_SYNTAX, f"{place}.{key}", f"A statement has no element {key!r}.")
    effect = entry.get("Effect")
    if type(effect) is not str or effect not in ("Allow", "Deny"):
        _refuse(
            _SYNTAX, f"{place}.Effect", 'Effect is "Allow" or "Deny", written exactly like that.'
        )
    sid = entry.get("Sid", "")
    if type(sid) is not str:
        _refuse(_SYNTAX, f"{place}.Sid", "Sid is a text.")
    actions = _either(entry, place, "Action", "NotAction")
    resources = _either(entry, place, "Resource", "NotResource")
    return Statement(
        index=index,
        sid=sid,
        effect="Allow" if effect == "Allow" else "Deny",
        actions=Actions(*actions) if actions else None,
        resources=Resources(*resources, variables) if resources else None,
        principal=_principal(entry, place),
        conditions=_conditions(entry.get("Condition", {}), f"{place}.Condition", variables),
        name=f'"{sid}"' if sid else f"number {index + 1}",
    )


def _strings(value: object, place: str) -> tuple[str, ...]:
    if type(value) is str:
        return (value,)
    if isinstance(value, list) and all(type(item) is str for item in value):
        return tuple(value)
    _refuse(_SYNTAX, place, "Use a text or a list of texts.")


def _either(
    entry: dict[str, Any], place: str, name: str, opposite: str
) -> tuple[tuple[str, ...], bool] | None:
    if name in entry and opposite in entry:
        _refuse(_SYNTAX, f"{place}.{opposite}", f"Use {name} or {opposite}, not both.")
    for key in (name, opposite):
        if key in entry:
            values = _strings(entry[key], f"{place}.{key}")
            return (values, key == opposite) if values else None
    return None


_ACCOUNT = re.compile(r"\d{12}")
_ROOT = re.compile(r"arn:[a-z-]+:iam::(\d{12}):root")


def _principal(entry: dict[str, Any], place: str) -> PrincipalSpec | None:
    if "Principal" in entry and "NotPrincipal" in entry:
        _refuse(_SYNTAX, f"{place}.NotPrincipal", "Use Principal or NotPrincipal, not both.")
    for name in ("Principal", "NotPrincipal"):
        if name not in entry:
            continue
        written = entry[name]
        here = f"{place}.{name}"
        if type(written) is str:
            if written != "*":
                _refuse(
                    f'Invalid principal in policy: "{written}"',
                    here,
                    'Write {"AWS": "..."} or {"Service": "..."}; only "*" stands alone.',
                )
            written = {"AWS": "*"}
        if not isinstance(written, dict):
            _refuse(_SYNTAX, here, 'Write {"AWS": "..."}, {"Service": "..."} or "*".')
        everyone = False
        arns: set[str] = set()
        accounts: set[str] = set()
        services: set[str] = set()
        federated: set[str] = set()
        for kind, names in written.items():
            values = _strings(names, f"{here}.{kind}")
            if kind == "AWS":
                for value in values:
                    root = _ROOT.fullmatch(value)
                    if value == "*":
                        everyone = True
                    elif _ACCOUNT.fullmatch(value):
                        accounts.add(value)
                    elif root:
                        accounts.add(root.group(1))
                    else:
                        arns.add(value)
            elif kind == "Service":
                services.update(values)
            elif kind == "Federated":
                federated.update(values)
            elif kind != "CanonicalUser":  # S3 only; never matches here
                _refuse(_SYNTAX, f"{here}.{kind}", "A principal is AWS, Service or Federated.")
        return PrincipalSpec(
            name == "NotPrincipal",
            everyone,
            frozenset(arns),
            frozenset(accounts),
            frozenset(services),
            frozenset(federated),
        )
    return None


def _values(value: object, place: str) -> tuple[str, ...]:
    """Condition values: texts, numbers and booleans are all the same to AWS."""
    items = value if isinstance(value, list) else [value]
    out = []
    for item in items:
        if isinstance(item, bool):
            out.append("true" if item else "false")
        elif isinstance(item, str):
            out.append(str(item))
        else:
            _refuse(_SYNTAX, place, "Use a text, a number, true or false, or a list of them.")
    return tuple(out)


def _conditions(written: object, place: str, variables: bool) -> tuple[Condition, ...]:
    if not isinstance(written, dict):
        _refuse(_SYNTAX, place, 'Write {"StringEquals": {"aws:key": "value"}}.')
    out = []
    for label, keys in written.items():
        here = f"{place}.{label}"
        operator = split_operator(label)
        if operator is None:
            _refuse(f"Invalid Condition type : {label}", here, "AWS has no such operator.")
        if not isinstance(keys, dict):
            _refuse(_SYNTAX, here, 'Write {"aws:key": "value"} after the operator.')
        for key, values in keys.items():
            wanted = _values(values, f"{here}.{key}")
            if not variables:
                # The 2008 language has no variables: ${...} is text.
                wanted = tuple(value.replace("${", "${$}{") for value in wanted)
            out.append(compile_condition(*operator, key, wanted))
    return tuple(out)


# ---------------------------------------------------------------- checks made on saving

_S3_WORDS = {
    _JSON: "Policies must be valid JSON and the first byte must be '{'",
    "Policy statement must contain actions.": "Missing required field Action",
    "Policy statement must contain resources.": "Missing required field Resource",
    "Policy statement must contain principals.": "Missing required field Principal",
}

_SID = re.compile(r"[0-9A-Za-z]*")
_VENDOR = re.compile(r"[A-Za-z0-9-]+")
_IAM_KINDS = frozenset({"identity", "boundary", "session"})
_RESOURCE_KINDS = frozenset({"key", "bucket", "resource", "trust", "rcp", "endpoint"})
_PRINCIPAL_ARN = re.compile(
    r"arn:[a-z-]+:(?:iam::\d{12}:(?:user|role|root|saml-provider|oidc-provider)(?:/[^*?]+)?"
    r"|sts::\d{12}:(?:assumed-role|federated-user)/[^*?]+"
    r"|iam::cloudfront:user/[^*?]+)"
)
_UNIQUE_ID = re.compile(r"A[A-Z0-9]{15,}")
_TRUST_ACTIONS = re.compile(r"sts:.*", re.IGNORECASE | re.DOTALL)


class _Checks:
    """What AWS looks at when a policy is saved."""

    def __init__(self, document: PolicyDocument, kind: PolicyKind, code: str) -> None:
        self.document = document
        self.kind = kind
        self.code = code

    def refuse(self, message: str, place: str, advice: str = "") -> NoReturn:
        raise MalformedPolicyError(self.code, message, place, advice)

    def run(self) -> None:
        kind = self.kind
        if kind in _IAM_KINDS and self.document.version != "2012-10-17":
            self.refuse(
                "Policy document must be version 2012-10-17 or greater.",
                "Version",
                'Add "Version": "2012-10-17".',
            )
        seen: set[str] = set()
        for statement in self.document.statements:
            place = f"Statement[{statement.index}]"
            self._sid(statement, place, seen)
            self._principal(statement, place)
            self._actions(statement, place)
            self._resources(statement, place)
            for condition in statement.conditions:
                self._condition(condition, f"{place}.Condition.{condition.label}.{condition.key}")
            if kind == "rcp" and statement.effect == "Allow" and not _is_full_access(statement):
                self.refuse(
                    _SYNTAX,
                    f"{place}.Effect",
                    "Only RCPFullAWSAccess may allow; a policy of your own denies.",
                )

    def _sid(self, statement: Statement, place: str, seen: set[str]) -> None:
        if not statement.sid:
            return
        if statement.sid in seen:
            self.refuse("Statement IDs (SID) in a single policy must be unique.", f"{place}.Sid")
        seen.add(statement.sid)
        if self.kind in _IAM_KINDS and not _SID.fullmatch(statement.sid):
            self.refuse(
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the "
                "regular expression [0-9A-Za-z]*",
                f"{place}.Sid",
            )

    def _principal(self, statement: Statement, place: str) -> None:
        spec = statement.principal
        if self.kind not in _RESOURCE_KINDS:
            if spec is not None:
                self.refuse(
                    _NO_PRINCIPAL,
                    f"{place}.{'NotPrincipal' if spec.negated else 'Principal'}",
                    "Whoever the policy is attached to is the principal.",
                )
            return
        if spec is None:
            self.refuse(
                "Policy statement must contain principals.",
                f"{place}.Principal",
                "Say who: a policy on a resource names its principals.",
            )
        if spec.negated and self.kind in ("trust", "rcp"):
            self.refuse(_SYNTAX, f"{place}.NotPrincipal", "NotPrincipal is not allowed here.")
        for value in sorted(spec.arns):
            if _PRINCIPAL_ARN.fullmatch(value) or _UNIQUE_ID.fullmatch(value):
                continue
            where = f"{place}.{'NotPrincipal' if spec.negated else 'Principal'}.AWS"
            advice = f"{value!r} is not the ARN of a user, role, session or account."
            if "*" in value or "?" in value:
                advice = (
                    f'{value!r} has a wildcard: write "*" and put the pattern in a condition on '
                    "aws:PrincipalArn."
                )
            if self.kind == "key":
                message = "Policy contains a statement with one or more invalid principals."
            elif self.kind == "bucket":
                message = "Invalid principal in policy"
            else:
                message = f'Invalid principal in policy: "AWS":"{value}"'
            self.refuse(message, where, advice)

    def _actions(self, statement: Statement, place: str) -> None:
        actions = statement.actions
        if actions is None:
            if self.kind == "key":
                return  # R2.6: accepted, without effect
            self.refuse("Policy statement must contain actions.", f"{place}.Action")
        where = f"{place}.{'NotAction' if actions.negated else 'Action'}"
        for value in actions.written:
            if value == "*":
                continue
            vendor, colon, name = value.partition(":")
            if not colon:
                self.refuse(
                    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
                    where,
                    f"{value!r} has no service in front: write service:Action.",
                )
            if ":" in name:
                self.refuse("Actions/Condition can contain only one colon.", where, f"{value!r}.")
            if not _VENDOR.fullmatch(vendor):
                self.refuse(f"Vendor {vendor} is not valid", where, f"In {value!r}.")
            if not name:
                self.refuse(_SYNTAX, where, f"{value!r} names no action.")
        if self.kind == "trust":
            for value in actions.written:
                if value != "*" and not _TRUST_ACTIONS.fullmatch(value):
                    self.refuse("AssumeRole policy may only specify STS AssumeRole actions.", where)

    def _resources(self, statement: Statement, place: str) -> None:
        resources = statement.resources
        if self.kind == "trust":
            if resources is not None:
                self.refuse("Has prohibited field Resource", f"{place}.Resource")
            return
        if resources is None:
            if self.kind == "key":
                return  # R2.6: accepted, without effect
            self.refuse("Policy statement must contain resources.", f"{place}.Resource")
        where = f"{place}.{'NotResource' if resources.negated else 'Resource'}"
        for value in resources.written:
            if not value.strip("*"):
                if value:
                    continue
                self._bad_resource(value, where)
            parts = value.split(":", 5)
            if parts[0] != "arn" or len(parts) < 3:
                self._bad_resource(value, where)
            if not parts[1].startswith("aws") and parts[1] != "*":
                self.refuse(f'Partition "{parts[1]}" is not valid for resource "{value}".', where)
            if any(char in parts[2] for char in "*?"):
                self.refuse(
                    "Resource vendor must be fully qualified and cannot contain regexes.", where
                )

    def _bad_resource(self, value: str, where: str) -> NoReturn:
        if self.kind == "bucket":
            self.refuse("Policy has invalid resource", where, f"{value!r} is not an ARN.")
        self.refuse(f'Resource {value} must be in ARN format or "*".', where)

    def _condition(self, condition: Condition, place: str) -> None:
        key = condition.lower
        if ":" not in key:
            self.refuse(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
                place,
                f"{condition.key!r} is not a condition key: write service:Key.",
            )
        if (
            self.kind == "key"
            and condition.qualifier == "ForAllValues"
            and key.startswith(("kms:encryptioncontext:", "aws:requesttag/"))
        ):
            # R9.6
            self.refuse(
                "OverlyPermissiveCondition: ForAllValues is true when the key is missing, so "
                f"{condition.key} must not be used with it.",
                place,
                "Leave ForAllValues out; the key has one value.",
            )
        check = condition.operator.check
        for value in condition.wanted:
            if condition.operator.name in ("Bool", "Null"):
                if value.lower() not in ("true", "false") and "${" not in value:
                    self.refuse(_SYNTAX, place, f"{value!r} is not true or false.")
            elif check is not None and check(value) is None:
                self.refuse(_SYNTAX, place, f"{value!r} cannot be compared by {condition.label}.")


def _is_full_access(statement: Statement) -> bool:
    spec = statement.principal
    return (
        spec is not None
        and spec.everyone
        and statement.actions is not None
        and statement.actions.written == ("*",)
        and statement.resources is not None
        and statement.resources.written == ("*",)
        and not statement.conditions
    )
