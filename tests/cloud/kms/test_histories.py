"""Random histories of keys against a small plain model of AWS's rules: no difference."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmscourse import cloud
from kmscourse.cloud.kms.agenda import Agenda
from tests.cloud.kms.conftest import client
from tests.cloud.kms.importing import import_into

#: 2,000 where it is asked for: KMSCOURSE_HISTORIES=2000.
HISTORIES = int(os.environ.get("KMSCOURSE_HISTORIES", "60"))
HERE, THERE = "us-east-1", "eu-west-1"
LIMIT = 25


@dataclass
class Core:
    """What related keys share."""

    versions: int = 1
    period: int | None = None
    next: int | None = None
    by_hand: int = 0


@dataclass
class Key:
    """What the rules say of a key; days are counted from the beginning of the history."""

    id: str
    region: str
    kind: str
    core: Core
    enabled: bool = True
    dies: int | None = None
    window: int | None = None
    gone: bool = False
    material: bytes = b""
    held: bool = True
    expires: int | None = None
    related: list[Key] = field(default_factory=list)

    @property
    def is_primary(self) -> bool:
        return self.region == HERE

    @property
    def state(self) -> str:
        if self.gone:
            return "Gone"
        if self.window is not None:
            return "PendingReplicaDeletion"
        if self.dies is not None:
            return "PendingDeletion"
        if not self.held:
            return "PendingImport"
        return "Enabled" if self.enabled else "Disabled"

    def refuses(self, *states: str) -> str | None:
        """The error of an operation that these states, and the end, refuse."""
        state = self.state
        if state == "Gone":
            return "NotFoundException"
        if state not in states:
            return None
        return "DisabledException" if state == "Disabled" else "KMSInvalidStateException"

    @property
    def refuses_use(self) -> str | None:
        return self.refuses("Disabled", *DYING, "PendingImport")


DYING = ("PendingDeletion", "PendingReplicaDeletion")


class History:
    """One history, told to both sides."""

    def __init__(self, aws: cloud.Cloud) -> None:
        self.aws = aws
        self.day = 0
        self.keys: list[Key] = []
        self.blobs: list[tuple[bytes, Key, int]] = []
        simulated = aws.gateway.kms
        simulated._regions.clear()
        simulated._agenda = Agenda()

    def kms(self, region: str = HERE) -> Any:
        return client(self.aws, region)

    def expect(self, error: str | None, operation: str, key: Key, **more: Any) -> Any:
        """Call an operation on a key; both sides must agree on how it ends."""
        return self.call(error, operation, key.region, KeyId=key.id, **more)

    def call(self, error: str | None, operation: str, region: str, **more: Any) -> Any:
        answer = None
        try:
            answer = getattr(self.kms(region), operation)(**more)
            found = None
        except ClientError as refusal:
            found = refusal.response["Error"]["Code"]
        assert found == error, (operation, more, f"day {self.day}")
        return answer

    # What can happen

    def create(self, kind: str) -> None:
        more: dict[str, Any] = {"MultiRegion": True} if kind == "multi" else {}
        more |= {"Origin": "EXTERNAL"} if kind == "external" else {}
        key_id = self.kms().create_key(**more)["KeyMetadata"]["KeyId"]
        key = Key(key_id, HERE, kind, Core())
        if kind == "external":
            key.material, key.held = os.urandom(32), False
        key.related = [key]
        self.keys.append(key)

    def replicate(self, key: Key) -> None:
        if not key.is_primary:
            return
        error = key.refuses("Disabled", *DYING, "PendingImport")
        if error is None and key.kind != "multi":
            error = "UnsupportedOperationException"
        if error is None and any(not k.gone for k in key.related if k is not key):
            error = "AlreadyExistsException"
        self.expect(error, "replicate_key", key, ReplicaRegion=THERE)
        if error is None:
            replica = Key(key.id, THERE, "multi", key.core, related=key.related)
            key.related.append(replica)
            self.keys.append(replica)

    def encrypt(self, key: Key) -> None:
        answer = self.expect(key.refuses_use, "encrypt", key, Plaintext=b"x")
        if answer:
            self.blobs.append((answer["CiphertextBlob"], key, key.core.versions))

    def _opener(self, made_by: Key, region: str) -> tuple[str | None, Key | None]:
        """Who opens a blob in a Region, or the error that says nobody does."""
        alive = [k for k in made_by.related if k.region == region and not k.gone]
        if not alive:
            return "AccessDeniedException", None
        return alive[0].refuses_use, alive[0]

    def decrypt(self, blob: tuple[bytes, Key, int], region: str) -> None:
        data, made_by, version = blob
        error, _ = self._opener(made_by, region)
        answer = self.call(error, "decrypt", region, CiphertextBlob=data)
        if answer:
            assert answer["Plaintext"] == b"x"
            materials = self._materials(made_by, region)
            assert materials.index(answer["KeyMaterialId"]) == version - 1

    def _materials(self, key: Key, region: str) -> list[str]:
        listed = self.kms(region).list_key_rotations(
            KeyId=key.id, IncludeKeyMaterial="ALL_KEY_MATERIAL", Limit=1000
        )
        return [entry["KeyMaterialId"] for entry in listed["Rotations"]]

    def re_encrypt(self, blob: tuple[bytes, Key, int], key: Key) -> None:
        data, made_by, _ = blob
        error, source = self._opener(made_by, key.region)
        if key.gone and source is not None:
            error = "NotFoundException"
        error = error or key.refuses_use
        answer = self.call(
            error, "re_encrypt", key.region, CiphertextBlob=data, DestinationKeyId=key.id
        )
        if answer:
            self.blobs.append((answer["CiphertextBlob"], key, key.core.versions))

    def _cannot_rotate(self, key: Key, by_hand: bool) -> str | None:
        if key.gone:
            return "NotFoundException"
        if key.kind == "external" and not by_hand:
            return "UnsupportedOperationException"
        return key.refuses_use

    def rotate(self, key: Key) -> None:
        if not key.is_primary:
            return
        error = self._cannot_rotate(key, by_hand=True)
        if error is None and key.core.by_hand >= LIMIT:
            error = "LimitExceededException"
        if error is None and key.kind == "external":
            error = "KMSInvalidStateException"  # no new material was imported
        self.expect(error, "rotate_key_on_demand", key)
        if error is None:
            key.core.by_hand += 1
            key.core.versions += 1

    def enable_rotation(self, key: Key, period: int) -> None:
        if not key.is_primary:
            return
        error = self._cannot_rotate(key, by_hand=False)
        self.expect(error, "enable_key_rotation", key, RotationPeriodInDays=period)
        if error is None:
            key.core.period, key.core.next = period, self.day + period

    def disable_rotation(self, key: Key) -> None:
        if not key.is_primary:
            return
        error = self._cannot_rotate(key, by_hand=False)
        self.expect(error, "disable_key_rotation", key)
        if error is None:
            key.core.period = key.core.next = None

    def disable(self, key: Key) -> None:
        error = key.refuses(*DYING, "PendingImport")
        self.expect(error, "disable_key", key)
        key.enabled = key.enabled if error else False

    def enable(self, key: Key) -> None:
        error = key.refuses(*DYING, "PendingImport")
        self.expect(error, "enable_key", key)
        if error is None:
            key.enabled = True
            core = key.core
            if key.is_primary and core.next is not None and core.next <= self.day:
                core.versions += 1
                core.next = self.day + (core.period or 0)

    def schedule(self, key: Key, days: int) -> None:
        error = key.refuses(*DYING)
        self.expect(error, "schedule_key_deletion", key, PendingWindowInDays=days)
        if error is None:
            if key.is_primary and any(not k.gone for k in key.related if k is not key):
                key.window = days
            else:
                key.dies = self.day + days

    def cancel(self, key: Key) -> None:
        error = "NotFoundException" if key.gone else None
        if error is None and key.state not in DYING:
            error = "KMSInvalidStateException"
        self.expect(error, "cancel_key_deletion", key)
        if error is None:
            key.dies = key.window = None
            key.enabled = False

    def bring_in(self, key: Key, days: int | None) -> None:
        error = key.refuses(*DYING)
        if error is None and key.kind != "external":
            error = "UnsupportedOperationException"
        if key.gone:
            error = "NotFoundException"
        elif key.kind != "external":
            error = "UnsupportedOperationException"
        more: dict[str, Any] = {}
        if days is not None:
            more["ValidTo"] = self.aws.clock.now() + timedelta(days=days, seconds=30)
        try:
            import_into(self.kms(key.region), key.id, key.material, **more)
            found = None
        except ClientError as refusal:
            found = refusal.response["Error"]["Code"]
        assert found == error
        if error is None:
            key.enabled = key.enabled or key.state == "PendingImport"
            key.held = True
            key.expires = None if days is None else self.day + days

    def take_out(self, key: Key) -> None:
        error = key.refuses()
        if error is None and key.kind != "external":
            error = "UnsupportedOperationException"
        self.expect(error, "delete_imported_key_material", key)
        if error is None:
            key.held, key.expires = False, None

    def advance(self, days: int) -> None:
        self.aws.clock.advance(days=days, minutes=1)
        self.aws.clock.advance()
        for _ in range(days):
            self.day += 1
            self._pass_a_day()

    def _pass_a_day(self) -> None:
        for key in self.keys:
            if key.expires is not None and key.expires <= self.day:
                key.held, key.expires = False, None
            core = key.core
            due = core.next is not None and core.next == self.day
            if due and key.is_primary and key.state == "Enabled":
                core.versions += 1
                core.next = self.day + (core.period or 0)
        for key in sorted(self.keys, key=lambda k: k.is_primary):
            if key.dies is not None and key.dies <= self.day:
                key.gone, key.dies = True, None
            elif key.window is not None and all(k.gone for k in key.related if k is not key):
                key.dies, key.window = self.day + key.window, None

    def check(self) -> None:
        """Both sides agree on the state of every key and on its number of versions."""
        for key in self.keys:
            again = any(not k.gone and k is not key for k in key.related if k.region == key.region)
            if again:
                continue  # a replica that was deleted and made anew
            kms = self.kms(key.region)
            if key.gone:
                self.expect("NotFoundException", "describe_key", key)
                continue
            metadata = kms.describe_key(KeyId=key.id)["KeyMetadata"]
            assert metadata["KeyState"] == key.state, f"day {self.day}"
            if key.kind != "external" or metadata.get("CurrentKeyMaterialId"):
                assert len(self._materials(key, key.region)) == key.core.versions


ACTIONS = (
    "encrypt", "encrypt", "decrypt", "decrypt", "decrypt", "re_encrypt", "rotate", "rotation on",
    "rotation off", "disable", "enable", "enable", "schedule", "cancel", "import", "import",
    "delete material", "replicate", "create", "advance", "advance", "advance",
)  # fmt: skip


@settings(
    max_examples=HISTORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_random_history(seeded: cloud.Cloud, data: st.DataObject) -> None:
    history = History(seeded)
    kinds = st.sampled_from(["plain", "external", "multi"])
    history.create(data.draw(kinds))
    for _ in range(data.draw(st.integers(5, 25))):
        action = data.draw(st.sampled_from(ACTIONS))
        alive = [key for key in history.keys if not _replaced(history, key)]
        key = data.draw(st.sampled_from(alive))
        if action in ("decrypt", "re_encrypt"):
            if not history.blobs:
                continue
            blob = data.draw(st.sampled_from(history.blobs))
            if action == "decrypt":
                history.decrypt(blob, data.draw(st.sampled_from([HERE, HERE, THERE])))
            else:
                history.re_encrypt(blob, key)
            continue
        match action:
            case "create":
                if len(history.keys) < 4:
                    history.create(data.draw(kinds))
            case "advance":
                history.advance(data.draw(st.sampled_from([1, 5, 8, 31, 90, 200])))
            case "rotation on":
                history.enable_rotation(key, data.draw(st.sampled_from([90, 100, 365])))
            case "rotation off":
                history.disable_rotation(key)
            case "schedule":
                history.schedule(key, data.draw(st.sampled_from([7, 30])))
            case "import":
                history.bring_in(key, data.draw(st.sampled_from([None, 3, 40])))
            case "delete material":
                history.take_out(key)
            case _:
                getattr(history, action)(key)
    history.check()


def _replaced(history: History, key: Key) -> bool:
    return key.gone and any(
        other is not key and other.id == key.id and other.region == key.region
        for other in history.keys
    )


@pytest.fixture(scope="module")
def seeded() -> Any:
    with cloud.running(seed="histories") as aws:
        yield aws
