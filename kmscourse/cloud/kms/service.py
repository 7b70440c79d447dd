"""KMS of every account and Region: which key a call means, what it needs, who carries it out.

Each operation is a function in the file of its concern, entered into one table by the
`operation` decorator, which also says on what its permission is needed and which key states
it tolerates. The gateway asks `needs` first, then `perform`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from kmscourse.cloud.call import Call
from kmscourse.cloud.clock import Clock
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import conditions, names
from kmscourse.cloud.kms.ciphertext import Blob
from kmscourse.cloud.kms.keys import DISABLED, PENDING_DELETION, Key
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.randomness import Randomness

Handler = Callable[["KMS", Call, Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """How one operation is authorized and carried out.

    Attributes:
        on: what the permission is needed on: a ``"key"``, or nothing in particular
            (``"account"``), or as the operation's own `needs` says.
        usable: whether the key must be Enabled (cryptographic operations).
        pending_deletion: whether it works on a key that is scheduled for deletion.
        cross_account: whether callers of another account may use it.
    """

    handler: Handler
    on: Literal["key", "account"] = "key"
    usable: bool = False
    pending_deletion: bool = False
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
    """The simulated AWS Key Management Service."""

    name = "kms"

    def __init__(self, clock: Clock, randomness: Randomness) -> None:
        self.clock = clock
        self.random = randomness
        self._regions: dict[tuple[str, str], Region] = {}
        #: Keys that are gone, for the bill: with the time of their end.
        self.deleted: list[tuple[Key, datetime]] = []

    def region(self, account: str, region: str) -> Region:
        """What there is in one account and Region."""
        return self._regions.setdefault((account, region), Region())

    def keys(self) -> Iterator[Key]:
        """Every key of every account and Region."""
        for region in self._regions.values():
            yield from region.keys.values()

    def catch_up(self) -> None:
        """Let happen what has fallen due: keys whose waiting period is over are deleted."""
        now = self.clock.now()
        for region in self._regions.values():
            due = [k for k in region.keys.values() if k.deletion_date and k.deletion_date <= now]
            for key in due:
                del region.keys[key.id]
                key.materials.clear()
                self.deleted.append((key, key.deletion_date or now))
                for name in [a.name for a in region.aliases.values() if a.key_id == key.id]:
                    del region.aliases[name]

    def needs(self, call: Call) -> list[Permission]:
        """The permissions that a call needs, from the operation table.

        Raises:
            AWSError: where the key or alias that the call names does not exist.
        """
        entry = self._entry(call)
        if entry.needs is not None:
            return entry.needs(self, call)
        if entry.on == "account":
            return [self.permission(call, None)]
        return [self.permission(call, self.key_of(call))]

    def perform(self, call: Call) -> dict[str, Any]:
        """Carry out a call that was found to be allowed."""
        entry = self._entry(call)
        target: Any = self.key_of(call) if entry.on == "key" and entry.needs is None else None
        if isinstance(target, Key):
            if target.account != call.account and not entry.cross_account:
                raise names.not_found(target.arn)
            check_state(target, entry)
        return entry.handler(self, call, target)

    def permission(
        self, call: Call, key: Key | None, *, action: str | None = None, on: str | None = None
    ) -> Permission:
        """What a call needs on a key; on no key in particular for None."""
        if key is None:
            return Permission(
                action or call.action, "*", context=conditions.of_request(call, None, [])
            )
        region = self.region(key.account, key.region)
        aliases = [alias.name for alias in region.aliases.values() if alias.key_id == key.id]
        return Permission(
            action or call.action,
            key.arn,
            account=key.account,
            resource_policy=key.policy,
            context=conditions.of_request(call, key, aliases),
            on=on,
        )

    def key_of(self, call: Call) -> Key:
        """The key that a call names or, for Decrypt, the one its ciphertext names."""
        noted: Key | None = call.noted.get("key")
        if noted is None:
            key_id = call.parameters.get("KeyId")
            noted = self.find(call, key_id) if key_id else self.key_of_ciphertext(call)
            note_key(call, noted)
            call.noted["key"] = noted
        return noted

    def find(self, call: Call, key_id: str) -> Key:
        """The key of an id, ARN, alias name or alias ARN.

        Raises:
            AWSError: ``NotFoundException``, in the words of AWS for each form.
        """
        wanted = names.parse(key_id, account=call.account, region=call.region)
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

    def _entry(self, call: Call) -> Operation:
        entry = OPERATIONS.get(call.operation)
        if entry is None:
            raise AWSError(
                "UnsupportedOperationException",
                f"{call.operation} is not part of this simulation yet; see docs/fidelity.md.",
            )
        return entry


def check_state(key: Key, entry: Operation) -> None:
    """Refuse what the key's state does not allow, in AWS's words.

    Source: AWS KMS Developer Guide, "Key states of AWS KMS keys".
    """
    if key.state == PENDING_DELETION and not entry.pending_deletion:
        raise AWSError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    if key.state == DISABLED and entry.usable:
        raise AWSError("DisabledException", f"{key.arn} is disabled.")


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
