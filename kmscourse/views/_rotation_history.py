"""The history of KMS keys as the rotation timeline tells it, read from the simulated AWS.

Everything comes from what an account can ask for: DescribeKey, GetKeyRotationStatus and
ListKeyRotations for keys that exist, the trail for what was done to them and when, Decrypt for
what opens, and `kmscourse.facts` for prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from kmscourse import facts
from kmscourse.cloud.simulation import Cloud

#: What the trail shows to have closed a key, and what opened it again.
_SHUT = {"DisableKey": "disabled", "ScheduleKeyDeletion": "scheduled for deletion"}
_DELETED_MATERIAL = "without its imported key material"
_HOW = {"AUTOMATIC": "automatic rotation", "ON_DEMAND": "rotation on demand"}


@dataclass(frozen=True, slots=True)
class Shut:
    """A time in which a key could not be used, and why; `until` is None where it lasts."""

    since: datetime
    until: datetime | None
    why: str


@dataclass(slots=True)
class Material:
    """One version of the key material on the timeline.

    Attributes:
        name: letter of its row and number, e.g. ``A2``.
        id: the KeyMaterialId; empty where AWS gives none.
        key: ARN of its key.
        made: when it became the key's current one; None for imported material that waits.
        how: how it came, in words.
        spans: from when to when new data was encrypted under it; the last one may be open.
    """

    id: str
    key: str
    made: datetime | None
    how: str
    rotation: str | None = None
    name: str = ""
    spans: list[tuple[datetime, datetime | None]] = field(default_factory=list)


@dataclass(slots=True)
class KeyHistory:
    """A key from its creation on; of a deleted key, what the trail still knows."""

    arn: str
    manager: str
    origin: str
    created: datetime
    materials: list[Material]
    shut: list[Shut]
    period: int | None = None
    due: datetime | None = None
    scheduled: datetime | None = None
    gone: bool = False

    def rates(self) -> Iterator[tuple[datetime, Decimal]]:
        """When it began to cost more or less, and by how many US dollars a month.

        Sources: facts PRI-01, PRI-02 (the first and the second rotation), PRI-03 and PRI-08.
        """
        if self.manager != "CUSTOMER":
            return
        turned = [each.made for each in self.materials if each.rotation and each.made]
        prices = ["kms.key.month", "kms.key.rotation.first", "kms.key.rotation.second"]
        for when, name in zip([self.created, *turned], prices, strict=False):
            if self.scheduled is not None and when >= self.scheduled:
                continue
            cost = facts.price(name).cost(1)
            yield when, cost
            if self.scheduled is not None:
                yield self.scheduled, -cost


@dataclass(slots=True)
class Row:
    """One row of the timeline: a key, or all that an alias has named."""

    name: str
    letter: str
    alias: bool
    keys: list[KeyHistory]
    materials: list[Material] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """What rotates it, in a few words."""
        if self.alias:
            return "alias, moved by hand"
        [key] = self.keys
        if key.gone:
            return "deleted"
        if key.manager == "AWS":
            return f"AWS managed, every {key.period} days"
        own = "imported material" if key.origin == "EXTERNAL" else "customer managed"
        return f"{own}, every {key.period} days" if key.period else f"{own}, no schedule"

    @property
    def due(self) -> datetime | None:
        """When the next automatic rotation is due; None without a schedule."""
        return None if self.alias else self.keys[0].due

    def rate(self, when: datetime) -> Decimal:
        """US dollars a month at a time."""
        changes = (change for key in self.keys for change in key.rates())
        return sum((cost for at, cost in changes if at <= when), Decimal())


@dataclass(slots=True)
class Ciphertext:
    """A ciphertext, and what a real Decrypt said of it.

    Attributes:
        opens: whether it opened just now.
        shut: when it did not, and why; the last one is open where it does not open now.
    """

    name: str
    made: datetime
    row: Row
    material: Material
    opens: bool
    shut: list[Shut]


class History:
    """Rows of keys and the ciphertexts made under them, up to the simulated now.

    Args:
        kms: the client that asks; what it may not decrypt does not open.
        keys: a name for each row, and a key id, an ARN or an alias.
        ciphertexts: a name for each, and the whole answer of the call that made it.

    Raises:
        ValueError: a name is no key, or a ciphertext is of no key shown.
    """

    def __init__(
        self,
        aws: Cloud,
        kms: Any,
        keys: Mapping[str, str],
        ciphertexts: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._kms = kms
        self._events = [event for event in aws.trail.events(service="kms")
                        if event["awsRegion"] == kms.meta.region_name]  # fmt: skip
        self.rows = [
            self._row(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number], key)
            for number, (name, key) in enumerate(keys.items())
        ]
        arns = [key.arn for row in self.rows for key in row.keys]
        if len(set(arns)) < len(arns):
            raise ValueError("A key stands in two rows: show it in one, by its id or its alias.")
        self.ciphertexts = [self._opened(name, answer) for name, answer in ciphertexts.items()]
        self.start = min(key.created for row in self.rows for key in row.keys)
        self.now = aws.clock.now()

    # ------------------------------------------------------------------ keys

    def _row(self, name: str, letter: str, key: str) -> Row:
        if "alias/" not in key or "alias/aws/" in key:
            row = Row(name, letter, False, [self._key(key)])
            _spread(row.keys[0], [(row.keys[0].created, None)])
        else:
            row = self._alias(name, letter, key[key.index("alias/") :])
        row.materials = [each for key in row.keys for each in key.materials]
        for number, each in enumerate(row.materials, start=1):
            each.name = f"{letter}{number}"
        return row

    def _alias(self, name: str, letter: str, alias: str) -> Row:
        """All keys that an alias has named, from the trail."""
        named: list[tuple[datetime, str | None]] = []
        for event in self._events:
            asked = event["requestParameters"] or {}
            if asked.get("aliasName") == alias and not event.get("errorCode"):
                if event["eventName"] in ("CreateAlias", "UpdateAlias"):
                    [target] = [each["ARN"] for each in event["resources"]][-1:]
                    named.append((_time(event), target))
                elif event["eventName"] == "DeleteAlias":
                    named.append((_time(event), None))
        if not named:
            raise ValueError(f"The trail knows of no {alias}: is it in this account and Region?")
        row = Row(name, letter, True, [])
        ends = [at for at, _ in named[1:]] + [None]
        for arn in dict.fromkeys(target for _, target in named if target):
            history = self._key(arn)
            _spread(history, [(at, end) for (at, target), end in zip(named, ends, strict=True)
                              if target == arn])  # fmt: skip
            row.keys.append(history)
        return row

    def _key(self, name: str) -> KeyHistory:
        try:
            metadata = self._kms.describe_key(KeyId=name)["KeyMetadata"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NotFoundException":
                raise
            return self._deleted(name)
        arn = metadata["Arn"]
        history = KeyHistory(
            arn, metadata["KeyManager"], metadata["Origin"], metadata["CreationDate"], [], []
        )
        self._read_rotations(history, metadata.get("CurrentKeyMaterialId", ""))
        self._read_trail(history)
        return history

    def _read_rotations(self, history: KeyHistory, current: str) -> None:
        arn, created = history.arn, history.created
        try:
            pages = self._kms.get_paginator("list_key_rotations").paginate(
                KeyId=arn, IncludeKeyMaterial="ALL_KEY_MATERIAL"
            )
            entries = [entry for page in pages for entry in page["Rotations"]]
        except ClientError as error:
            if error.response["Error"]["Code"] != "UnsupportedOperationException":
                raise
            entries = [{"KeyMaterialId": current}]  # a key that does not rotate has one
        for index, entry in enumerate(entries):
            kind = entry.get("RotationType")
            waits = entry.get("KeyMaterialState", "").startswith("PENDING")
            how = _HOW[kind] if kind else "waits for its rotation" if waits else "the first"
            made = entry.get("RotationDate") or (created if index == 0 else None)
            history.materials.append(Material(entry["KeyMaterialId"], arn, made, how, kind))
        try:
            status = self._kms.get_key_rotation_status(KeyId=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != "UnsupportedOperationException":
                raise
            return  # imported material, asymmetric keys: no schedule
        history.period = status.get("RotationPeriodInDays")
        history.due = status.get("NextRotationDate")

    def _deleted(self, name: str) -> KeyHistory:
        """What the trail still knows of a key that KMS no longer has."""
        for event in self._events:
            if event["eventName"] == "CreateKey" and not event.get("errorCode"):
                made = event["responseElements"]["keyMetadata"]
                if name in (made["keyId"], made["arn"]):
                    at, arn = _time(event), made["arn"]
                    first = Material(made.get("currentKeyMaterialId", ""), arn, at, "the first")
                    history = KeyHistory(
                        arn, "CUSTOMER", made["origin"], at, [first], [], gone=True
                    )
                    self._read_trail(history)
                    return history
        raise ValueError(f"There is no key {name} here, and the trail never saw it made.")

    def _read_trail(self, history: KeyHistory) -> None:
        """When the key could not be used, from what was done to it."""
        reasons: dict[str, str] = {}
        since = ""
        began: datetime | None = None
        missing: set[str] = set()
        for event in self._events:
            about = {each["ARN"] for each in event.get("resources") or ()}
            if history.arn not in about or event.get("errorCode"):
                continue
            name, at, asked = event["eventName"], _time(event), event["requestParameters"] or {}
            if name == "EnableKey":
                reasons.pop("DisableKey", None)
            elif name == "CancelKeyDeletion":
                reasons.pop("ScheduleKeyDeletion", None)
                reasons["DisableKey"] = _SHUT["DisableKey"]
                history.scheduled = None
            elif name == "DeleteImportedKeyMaterial":
                missing.add(_material_of(event, asked))
            elif name == "ImportKeyMaterial":
                missing.discard(_material_of(event, asked))
            elif name in _SHUT:
                reasons[name] = _SHUT[name]
                if name == "ScheduleKeyDeletion":
                    history.scheduled = at
            kept = {each.id for each in history.materials}
            why = next(iter(reversed(reasons.values())), "")
            if not why and missing & kept:
                why = _DELETED_MATERIAL
            if why != since:
                if began is not None and since:
                    history.shut.append(Shut(began, at, since))
                since, began = why, at
        if began is not None and since:
            history.shut.append(Shut(began, None, "deleted" if history.gone else since))

    # ------------------------------------------------------------------ ciphertexts

    def _opened(self, name: str, answer: Mapping[str, Any]) -> Ciphertext:
        request = answer.get("ResponseMetadata", {}).get("RequestId")
        event = next((each for each in self._events if each["requestID"] == request), None)
        if event is None or "CiphertextBlob" not in answer:
            raise ValueError(
                f"{name!r} is no ciphertext as KMS returned it: pass the whole answer of Encrypt, "
                "GenerateDataKey or ReEncrypt."
            )
        asked = event["requestParameters"] or {}
        moved = event["eventName"] == "ReEncrypt"
        context = asked.get("destinationEncryptionContext" if moved else "encryptionContext", {})
        row, key = next(
            ((row, key) for row in self.rows for key in row.keys if key.arn == answer["KeyId"]),
            (None, None),
        )
        if row is None or key is None:
            raise ValueError(f"{name!r} was made under {answer['KeyId']}, which is not shown.")
        made = _time(event)
        try:
            opened = self._kms.decrypt(
                CiphertextBlob=answer["CiphertextBlob"], EncryptionContext=context
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            material = _current(key.materials, made)
            shut = key.shut
            if not shut or shut[-1].until is not None:  # the trail does not say since when
                shut = [*shut, Shut(self._last(), None, f"refused with {code}")]
            return Ciphertext(name, made, row, material, False, shut)
        material = next(each for each in key.materials if each.id == opened["KeyMaterialId"])
        return Ciphertext(name, made, row, material, True, key.shut)

    def _last(self) -> datetime:
        return _time(self._events[-1])


def _spread(history: KeyHistory, named: Iterable[tuple[datetime, datetime | None]]) -> None:
    """Tell each material when new data was encrypted under it."""
    associated = [each for each in history.materials if each.made is not None]
    ends = [each.made for each in associated[1:]] + [None]
    for material, end in zip(associated, ends, strict=True):
        assert material.made is not None
        for came, left in named:
            since = max(material.made, came)
            until = min((at for at in (end, left) if at is not None), default=None)
            if until is None or since < until:
                material.spans.append((since, until))


def _current(materials: Iterable[Material], when: datetime) -> Material:
    """The material that encrypted at a time."""
    before = [each for each in materials if each.made is not None and each.made <= when]
    return before[-1] if before else next(iter(materials))


def _material_of(event: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    answered = event["responseElements"] or {}
    return str(answered.get("keyMaterialId") or asked.get("keyMaterialId") or "")


def _time(event: Mapping[str, Any]) -> datetime:
    return datetime.strptime(event["eventTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
