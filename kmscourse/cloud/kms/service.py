"""KMS of every account and Region: which key a call means, what it needs, who carries it out.

Each operation is a function in the file of its concern, entered into one table by the
`operation` decorator, which also says on what its permission is needed and which key states
refuse it. The gateway asks `needs` first, then `perform`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from kmscourse.cloud import protocol
from kmscourse.cloud.call import Call
from kmscourse.cloud.clock import Clock
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import conditions, names, states
from kmscourse.cloud.kms.agenda import Agenda
from kmscourse.cloud.kms.ciphertext import Blob
from kmscourse.cloud.kms.keys import Key
from kmscourse.cloud.kms.quotas import Quotas
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.kms.custom_key_stores import KeyStore
    from kmscourse.cloud.kms.grants import Grant
    from kmscourse.cloud.kms.imports import ImportToken

Handler = Callable[["KMS", Call, Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """How one operation is authorized and carried out.

    Attributes:
        on: what the permission is needed on: a ``"key"``, or nothing in particular
            (``"account"``), or as the operation's own `needs` says.
        refuses: the key states that refuse it; see `states`.
        suits: looks at the key before its state does, for what kinds of key cannot do.
        uses: whether it is a cryptographic operation, which GetKeyLastUsage reports.
        by_alias: whether an alias may name the key; cryptographic operations all take one.
        cross_account: whether callers of another account may use it.
    """

    handler: Handler
    on: Literal["key", "account"] = "key"
    refuses: frozenset[str] = states.ALWAYS
    suits: Callable[[Call, Key], None] | None = None
    uses: bool = False
    by_alias: bool = False
    cross_account: bool = False
    needs: Callable[[KMS, Call], list[Permission]] | None = None


OPERATIONS: dict[str, Operation] = {}


def operation(name: str, **settings: Any) -> Callable[[Handler], Handler]:
    """Enter a function into the table of operations. See `Operation` for the settings."""

    def enter(handler: Handler) -> Handler:
        OPERATIONS[name] = Operation(handler, **settings)
        return handler

    return enter


@dataclass(slots=True)
class Region:
    """What KMS holds for one account in one Region."""

    keys: dict[str, Key] = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    stores: dict[str, KeyStore] = field(default_factory=dict)


@dataclass(slots=True)
class Alias:
    """A friendly name, without ``arn:``, for one key of the account and Region."""

    name: str
    account: str
    region: str
    key_id: str | None
    created: datetime
    updated: datetime

    @property
    def arn(self) -> str:
        """The alias ARN."""
        return f"arn:aws:kms:{self.region}:{self.account}:{self.name}"


class KMS:
    """The simulated AWS Key Management Service.

    Attributes:
        background: how long KMS is at work after an answer: replicating a key, changing the
            primary Region, rotating, connecting a key store. By default it is done before the
            next request; AWS takes seconds or minutes.
        consistency: how long a new grant takes to be seen without its token; by default no time.
    """

    name = "kms"

    def __init__(self, clock: Clock, randomness: Randomness) -> None:
        self.clock = clock
        self.random = randomness
        self.background = timedelta()
        self.consistency = timedelta()
        self._regions: dict[tuple[str, str], Region] = {}
        self._agenda = Agenda()
        self.quotas = Quotas()
        #: Keys that are gone, for the bill: with the time of their end.
        self.deleted: list[tuple[Key, datetime]] = []
        self.grant_tokens: dict[str, Grant] = {}
        self.import_tokens: dict[bytes, ImportToken] = {}

    def region(self, account: str, region: str) -> Region:
        """What there is in one account and Region."""
        there = self._regions.get((account, region))
        if there is None:
            there = self._regions[account, region] = Region()
        return there

    def regions(self) -> Iterator[tuple[str, str, Region]]:
        """Every account and Region, with what is there."""
        for (account, name), region in list(self._regions.items()):
            yield account, name, region

    def keys(self) -> Iterator[Key]:
        """Every key of every account and Region."""
        for region in self._regions.values():
            yield from region.keys.values()

    def later(self, when: datetime, what: Callable[[datetime], None]) -> None:
        """Let something happen at a time; it is told that time."""
        self._agenda.add(when, what)

    def in_the_background(self, call: Call, what: Callable[[datetime], None]) -> None:
        """Let something happen when the answer is given, or as long after as `background` says."""
        self._agenda.add(call.time + self.background, what)

    def catch_up(self) -> None:
        """Let happen what has fallen due, in the order in which it did."""
        self._agenda.run(self.clock.now())

    def delete(self, key: Key, when: datetime) -> None:
        """The end of a key, its aliases and its grants."""
        region = self.region(key.account, key.region)
        region.keys.pop(key.id, None)
        self.deleted.append((key, when))
        for name in [a.name for a in region.aliases.values() if a.key_id == key.id]:
            del region.aliases[name]
        for grant_id in [g.id for g in region.grants.values() if g.key is key]:
            del region.grants[grant_id]

    def needs(self, call: Call) -> list[Permission]:
        """The permissions that a call needs, from the operation table.

        Raises:
            AWSError: where the key or alias that the call names does not exist.
        """
        entry = self._entry(call)
        self.quotas.check(call)
        self._check_grant_tokens(call)
        if entry.needs is not None:
            return entry.needs(self, call)
        if entry.on == "account":
            return [self.permission(call, None)]
        return [self.permission(call, self.key_of(call))]

    def perform(self, call: Call) -> dict[str, Any]:
        """Carry out a call that was found to be allowed.

        Raises:
            AWSError: in AWS's words; ``DryRunOperationException`` for what a dry run allows.
        """
        entry = self._entry(call)
        if "Recipient" in call.parameters:
            raise AWSError(
                "ValidationException",
                "The attestation document is not valid: there is no enclave in this simulation.",
            )
        target: Any = None
        if entry.on == "key" and entry.needs is None:
            target = self.key_of(call)
            check_key(call, target, entry)
        answer = entry.handler(self, call, target)
        if call.parameters.get("DryRun"):
            raise AWSError(
                "DryRunOperationException",
                "The request would have succeeded, but the DryRun option is set.",
                412,
            )
        if entry.uses:
            for key in call.noted.get("used", (target,)):
                key.last_use = call
        return answer

    def permission(
        self,
        call: Call,
        key: Key | None,
        *,
        action: str | None = None,
        on: str | None = None,
        context: dict[str, str | list[str]] | None = None,
    ) -> Permission:
        """What a call needs on a key; on no key in particular for None.

        Args:
            action: where it is not the name of the operation.
            on: how a refusal names the resource, where not by its ARN.
            context: the ``kms:`` condition keys; by default those of the call.
        """
        if context is None:
            context = conditions.of_request(call, key, self.aliases_of(key))
        if key is None:
            return Permission(action or call.action, "*", context=context)
        return Permission(
            action or call.action,
            key.arn,
            account=key.account,
            resource_policy=key.policy,
            grants=self._grants_on(key, call),
            context=context,
            on=on,
            aws_managed_key=key.manager == "AWS",
        )

    def aliases_of(self, key: Key | None) -> list[str]:
        """The names of a key's aliases."""
        if key is None:
            return []
        aliases = self.region(key.account, key.region).aliases
        return [alias.name for alias in aliases.values() if alias.key_id == key.id]

    def key_of(self, call: Call) -> Key:
        """The key that a call names or, for Decrypt, the one its ciphertext names."""
        noted: Key | None = call.noted.get("key")
        if noted is None:
            key_id = call.parameters.get("KeyId")
            entry = self._entry(call)
            if key_id and "alias/" in key_id and not (entry.uses or entry.by_alias):
                raise AWSError("NotFoundException", f"Invalid keyId {key_id}")
            noted = self.find(call, key_id) if key_id else self.key_of_ciphertext(call)
            note_key(call, noted)
            call.noted["key"] = noted
        return noted

    def find(self, call: Call, key_id: str) -> Key:
        """The key of an id, ARN, alias name or alias ARN.

        Raises:
            AWSError: ``NotFoundException``, in the words of AWS for each form.
        """
        try:
            wanted = names.parse(key_id, account=call.account, region=call.region)
        except AWSError as error:
            if error.code in _documented(call.operation):
                raise
            raise AWSError("NotFoundException", error.message) from error
        region = self.region(wanted.account, wanted.region)
        if wanted.kind == "alias":
            alias = region.aliases.get(wanted.id)
            if alias is None or alias.key_id not in region.keys:
                raise AWSError("NotFoundException", f"Alias {wanted.arn} is not found.")
            return region.keys[alias.key_id]
        key = region.keys.get(wanted.id)
        if key is None:
            raise names.not_found(wanted.arn)
        return key

    def key_of_ciphertext(self, call: Call) -> Key:
        """The key that made the ciphertext of a Decrypt or ReEncrypt.

        Raises:
            AWSError: ``InvalidCiphertextException`` where it is none; AccessDeniedException
                where its key is not in this Region: AWS does not say whether it exists.
        """
        if "CiphertextBlob" not in call.parameters:
            raise AWSError("ValidationException", "Either KeyId or CiphertextBlob is required.")
        blob = read_blob(call.parameters["CiphertextBlob"])
        key = self.region(blob.account, call.region).keys.get(blob.key_id)
        if key is None:
            raise AWSError(
                "AccessDeniedException",
                f"User: {call.caller.arn} is not authorized to perform: {call.action} on this "
                "resource because the resource does not exist in this Region, no resource-based "
                "policies allow access, or a resource-based policy explicitly denies access",
            )
        return key

    def _grants_on(self, key: Key, call: Call) -> list[Any]:
        there = self.region(key.account, key.region).grants
        if not there:
            return []
        shown = call.parameters.get("GrantTokens") or ()
        return [
            grant.rule
            for grant in there.values()
            if grant.key is key
            and (
                grant.seen_from <= call.time
                or any(self.grant_tokens.get(token) is grant for token in shown)
            )
        ]

    def _check_grant_tokens(self, call: Call) -> None:
        for token in call.parameters.get("GrantTokens") or ():
            # DescribeKey takes tokens, and lists no error for one that nobody issued.
            if token not in self.grant_tokens and call.operation != "DescribeKey":
                raise AWSError("InvalidGrantTokenException")

    @staticmethod
    def _entry(call: Call) -> Operation:
        entry = OPERATIONS.get(call.operation)
        if entry is None:  # an operation that a newer botocore knows
            raise AWSError(
                "UnsupportedOperationException",
                f"{call.operation} is not part of this simulation: see docs/fidelity.md.",
            )
        return entry


@lru_cache(maxsize=128)
def _documented(operation: str) -> frozenset[str]:
    """The errors that the service model lists for an operation."""
    model = protocol.model("kms")
    assert model is not None
    return frozenset(shape.name for shape in model.operation_model(operation).error_shapes)


def check_key(call: Call, key: Key, entry: Operation) -> None:
    """Whether an operation may be done to a key: whose it is, of what kind, in what state.

    Raises:
        AWSError: in AWS's words.
    """
    if key.account != call.account and not entry.cross_account:
        raise names.not_found(key.arn)
    if entry.suits is not None:
        entry.suits(call, key)
    states.check(key, entry.refuses)


def read_blob(data: bytes) -> Blob:
    """A ciphertext blob, or the error that AWS gives for what is none: one without words."""
    try:
        return Blob.parse(data)
    except ValueError as error:
        raise AWSError("InvalidCiphertextException") from error


def note_key(call: Call, key: Key) -> None:
    """Name a key among the resources of the trail's record, once."""
    resources = call.noted.setdefault("resources", [])
    resource = {"accountId": key.account, "type": "AWS::KMS::Key", "ARN": key.arn}
    if resource not in resources:
        resources.append(resource)
