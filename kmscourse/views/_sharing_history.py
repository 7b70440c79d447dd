"""The five steps of sharing an encrypted snapshot, as far as two accounts have come.

Read from the trail, which says what was done and what AWS refused, and from what is stored, which
says what came of it. Nothing is asked of KMS, so that looking leaves no calls behind; EC2 is asked
once for each copy that failed, since only DescribeSnapshots tells its StateMessage.

Source: Amazon EC2 User Guide, "Share an Amazon EBS snapshot" and "Share the KMS key used to
encrypt a shared Amazon EBS snapshot"; facts EBS-01 to EBS-03.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from kmscourse.cloud.at_rest.blocks import StoredDisk
from kmscourse.cloud.authorization import Policies, Request, decide
from kmscourse.cloud.simulation import Cloud

OPEN, DONE, PARTLY, FAILED = "open", "done", "partly", "failed"
OWNER, TARGET = "owner", "target"

TITLES = (
    "Snapshot under your own key",
    "Key policy lets the other account use the key",
    "Share the snapshot",
    "Copy it under a key of its own",
    "Create a volume from the copy",
)

#: What the owner's key policy has to allow (fact EBS-02), and an action of each kind to try.
NEEDED = {
    "DescribeKey": "kms:DescribeKey",
    "CreateGrant": "kms:CreateGrant",
    "Decrypt": "kms:Decrypt",
    "GenerateDataKey*": "kms:GenerateDataKeyWithoutPlaintext",
    "ReEncrypt*": "kms:ReEncryptFrom",
}

_KEY_CALLS = ("CreateKey", "PutKeyPolicy")
_SHARING = ("ModifySnapshotAttribute", "ResetSnapshotAttribute")
_ALL = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One of the five, and how far it has come.

    Attributes:
        state: `OPEN`, `DONE`, `PARTLY` or `FAILED`.
        says: the state in one sentence, with AWS's own words where AWS refused.
        owner, target: what either account has or sees, as pairs of a name and a text.
        permissions: for the key policy, what the other account may do with the key.
        calls: the records of the trail behind it, oldest first.
        document: a policy to read, as JSON; empty where there is none.
    """

    number: int
    state: str
    says: str
    owner: tuple[tuple[str, str], ...] = ()
    target: tuple[tuple[str, str], ...] = ()
    permissions: Mapping[str, bool] | None = None
    calls: tuple[Record, ...] = ()
    document: str = ""

    @property
    def title(self) -> str:
        """Its name."""
        return TITLES[self.number - 1]

    @property
    def where(self) -> str:
        """The account that takes it: `OWNER` or `TARGET`."""
        return OWNER if self.number <= 3 else TARGET


class Sharing:
    """What has become of one volume's snapshot, between the account that has it and another.

    Args:
        volume: the volume whose newest snapshot, or its owner's copy of that, is shared.
        target: the account it is shared with.

    Raises:
        ValueError: the trail knows no such volume, or it belongs to the target itself.
    """

    def __init__(self, aws: Cloud, volume: str, target: str) -> None:
        self._aws, self._messages = aws, dict[str, str]()
        self.volume, self.target = volume, target
        self._at = 0
        made = next(_answered(aws.trail.events("CreateVolume"), "volumeId", volume), None)
        if made is None:
            raise ValueError(f"Nobody has created a volume {volume!r} here.")
        self.owner, self.region = made["recipientAccountId"], made["awsRegion"]
        if self.owner == target:
            raise ValueError(f"The volume is in account {target} already: name the other account.")
        self.steps: tuple[Step, ...] = ()
        self.read()

    def read(self) -> bool:
        """Read anew. Says whether anything can have changed since the last time."""
        if self.steps and len(self._aws.trail) == self._at:
            return False
        self._at = len(self._aws.trail)
        self._snapshot = self._newest_snapshot()
        disk = self._disk(self._snapshot) if self._snapshot else None
        self._key = disk.key_arn if disk else None
        self.steps = (
            self._of_snapshot(disk),
            self._of_key_policy(),
            self._of_share(),
            self._of_copy(),
            self._of_volume(),
        )
        return True

    # --- the owner ------------------------------------------------------------------------------

    def _newest_snapshot(self) -> str | None:
        """The newest snapshot of the volume, or what its owner has copied that to."""
        found = None
        for record in self._events("CreateSnapshot", self.owner):
            if record["requestParameters"].get("volumeId") == self.volume and _worked(record):
                found = record["responseElements"]["snapshotId"]
        for record in self._events("CopySnapshot", self.owner):
            if found and record["requestParameters"]["sourceSnapshotId"] == found:
                found = _made(record) or found
        return found

    def _of_snapshot(self, disk: StoredDisk | None) -> Step:
        if disk is None:
            return Step(1, OPEN, "There is no snapshot of the volume yet.")
        calls = tuple(_answered(self._events(None, self.owner), "snapshotId", disk.id))
        state, says = DONE, "The snapshot is encrypted under a customer managed key."
        if disk.key_arn is None:
            state, says = PARTLY, "The snapshot is not encrypted: whoever gets it can read it."
        elif not self._is_customers(disk.key_arn):
            state, says = FAILED, "Its key is an AWS managed key, whose policy nobody can change."
        owner = (("Snapshot", disk.id), ("Key", self._key_text(disk.key_arn)))
        return Step(1, state, says, owner, calls=calls)

    def _of_key_policy(self) -> Step:
        if self._key is None:
            return Step(2, OPEN, "There is no key yet to be used by another account.")
        if not self._is_customers(self._key):
            return Step(2, FAILED, "The policy of an AWS managed key cannot be changed.")
        calls = [
            record
            for record in self._events(None, self.owner)
            if record["eventName"] in _KEY_CALLS and _names(record, self._key)
        ]
        policy: dict[str, Any] = {"Statement": []}
        for record in filter(_worked, calls):
            policy = json.loads((record["requestParameters"] or {}).get("policy") or "{}") or policy
        statements = [each for each in _listed(policy["Statement"]) if self.target in str(each)]
        may = self._permissions(policy)
        missing = [name for name, allowed in may.items() if not allowed]
        if not missing:
            state, says = DONE, "The key policy lets the other account use the key."
        elif len(missing) < len(may):
            state, says = PARTLY, f"The other account still lacks {', '.join(missing)}."
        else:
            state, says = OPEN, "The key policy does not let the other account use the key."
        named = ", ".join(each.get("Sid", "a statement without Sid") for each in statements)
        owner = (("Statement", named or "none for the other account"),)
        document = json.dumps(statements, indent=2) if statements else ""
        return Step(2, state, says, owner, (), may, tuple(calls[-3:]), document)

    def _permissions(self, policy: Mapping[str, Any]) -> dict[str, bool]:
        """What an administrator of the other account may do with the key, decided as AWS does."""
        named = [
            who
            for statement in _listed(policy["Statement"])
            for who in _principals(statement)
            if f"::{self.target}:" in who and not who.endswith(":root")
        ]
        named.append(f"arn:aws:iam::{self.target}:user/administrator")
        policies = Policies(identity=[_ALL], resource=dict(policy))

        def allowed(action: str, who: str) -> bool:
            context = {"kms:GrantIsForAWSResource": "true", "kms:CallerAccount": self.target}
            context["kms:ViaService"] = f"ec2.{self.region}.amazonaws.com"
            request = Request(who, action, str(self._key), self.owner, context)
            return decide(request, policies).allowed

        if not policy["Statement"]:
            return dict.fromkeys(NEEDED, False)
        return {name: any(allowed(action, who) for who in named) for name, action in NEEDED.items()}

    def _of_share(self) -> Step:
        if self._snapshot is None:
            return Step(3, OPEN, "There is nothing to share yet.")
        calls = [
            record
            for record in self._events(None, self.owner)
            if record["eventName"] in _SHARING
            and record["requestParameters"].get("snapshotId") == self._snapshot
        ]
        accounts: set[str] = set()
        for record in filter(_worked, calls):
            accounts = _shared(record, accounts)
        shared = self.target in accounts or "all" in accounts
        refused = calls[-1] if calls and not _worked(calls[-1]) else None
        state, says = OPEN, "The snapshot is not shared with the other account."
        if shared:
            state, says = DONE, "The snapshot is shared with the other account."
        elif refused is not None:
            state, says = FAILED, f"{refused['errorCode']}: {refused.get('errorMessage', '')}"
        owner = (("May make volumes from it", ", ".join(sorted(accounts)) or "its owner only"),)
        target = (("Sees the snapshot", "yes, as shared" if shared else "no"),)
        return Step(3, state, says, owner, target, calls=tuple(calls[-3:]))

    # --- the other account ----------------------------------------------------------------------

    def _of_copy(self) -> Step:
        self._copies = [
            record
            for record in self._events("CopySnapshot", self.target)
            if record["requestParameters"].get("sourceSnapshotId") == self._snapshot
        ]
        if not self._copies:
            return Step(4, OPEN, "The other account has not copied the snapshot.")
        last = self._copies[-1]
        calls = tuple(self._behind(last))
        if not _worked(last):
            return Step(
                4, FAILED, f"{last['errorCode']}: {last.get('errorMessage', '')}", calls=calls
            )
        disk = self._disk(last["responseElements"]["snapshotId"])
        if disk is None:
            return Step(4, OPEN, "The copy was deleted.", calls=calls)
        if not disk.encrypted and self._state_message(disk.id):
            return self._failed_copy(disk, calls)
        used = [each for each in calls if _names(each, self._key or "-")]
        owner = (("Its key was used for", _in_words(used)),)
        target = (("Copy", disk.id), ("Key", self._key_text(disk.key_arn)))
        state, says = DONE, "The copy is under a key of the account that made it."
        if disk.key_arn is None:
            state, says = PARTLY, "The copy is not encrypted."
        elif f":{self.target}:" not in disk.key_arn:
            state, says = PARTLY, "The copy is under the owner's key: the owner can close it."
        return Step(4, state, says, owner, target, calls=calls)

    def _failed_copy(self, disk: StoredDisk, calls: tuple[Record, ...]) -> Step:
        said = self._state_message(disk.id)
        denied = next((each for each in calls if each.get("errorCode")), None)
        refused = f"{denied['eventName']}, {denied['errorCode']}" if denied else ""
        owner = (("Refused by its key", refused),) if refused else ()
        target = (("Copy", disk.id), ("State", "error"))
        return Step(4, FAILED, f"The copy failed: {said}", owner, target, calls=calls)

    def _of_volume(self) -> Step:
        copies = {
            record["responseElements"]["snapshotId"] for record in self._copies if _worked(record)
        }
        made = [
            record
            for record in self._events("CreateVolume", self.target)
            if record["requestParameters"].get("snapshotId") in copies | {self._snapshot}
            and self._snapshot
        ]
        if not made:
            return Step(5, OPEN, "The other account has no volume from it.")
        last = made[-1]
        calls = tuple(self._behind(last))
        if not _worked(last):
            return Step(
                5, FAILED, f"{last['errorCode']}: {last.get('errorMessage', '')}", calls=calls
            )
        disk = self._disk(last["responseElements"]["volumeId"])
        if disk is None:
            refused = next((each for each in calls if each.get("errorCode")), {})
            why = refused.get("errorCode", "its key could not be used")
            says = f"The volume never became available: {why}."
            return Step(5, FAILED, says, calls=calls)
        used = _in_words([each for each in calls if _names(each, self._key or "-")])
        owner = (("Its key was used for", used),)
        target = (("Volume", disk.id), ("Key", self._key_text(disk.key_arn)))
        if last["requestParameters"]["snapshotId"] == self._snapshot:
            says = "Made from the shared snapshot itself: the next one needs the owner again."
            return Step(5, PARTLY, says, owner, target, calls=calls)
        says = "The volume was made from the copy, and the owner was not needed."
        return Step(5, DONE, says, owner, target, calls=calls)

    # --- where it is read -----------------------------------------------------------------------

    def _events(self, name: str | None, account: str) -> Iterator[Record]:
        return iter(self._aws.trail.events(name, account=account))

    def _disk(self, name: str) -> StoredDisk | None:
        try:
            disk: StoredDisk = self._aws.stored("ebs", name)
        except KeyError:
            return None
        return disk

    def _behind(self, record: Record) -> list[Record]:
        """A call of EC2's, and those to KMS that EC2 made for it: they stand before it."""
        records = list(self._events(None, self.target))
        at = next(n for n, each in enumerate(records) if each["eventID"] == record["eventID"])
        first = at
        while first and records[first - 1]["userIdentity"].get("invokedBy") == "ec2.amazonaws.com":
            first -= 1
        return records[first : at + 1]

    def _state_message(self, copy: str) -> str:
        """Why a copy failed, as DescribeSnapshots says it; "" for one that did not."""
        if copy not in self._messages:
            root = self._aws.account(self.target).session("root", region=self.region)
            found = root.client("ec2").describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]
            self._messages[copy] = found.get("StateMessage", "")
            self._at = len(self._aws.trail)  # our own question is no news
        return self._messages[copy]

    def _is_customers(self, key_arn: str) -> bool:
        """Whether somebody created the key: AWS managed keys come by themselves."""
        return any(_names(record, key_arn) for record in self._aws.trail.events("CreateKey"))

    def _key_text(self, key_arn: str | None) -> str:
        if key_arn is None:
            return "none"
        kind = "customer managed" if self._is_customers(key_arn) else "AWS managed"
        account = key_arn.split(":")[4]
        states = [
            record["eventName"]
            for record in self._aws.trail.events(service="kms")
            if record["eventName"] in ("DisableKey", "EnableKey", "ScheduleKeyDeletion")
            and _worked(record)
            and _names(record, key_arn)
        ]
        shut = {"DisableKey": ", disabled", "ScheduleKeyDeletion": ", pending deletion"}
        return f"{kind}, of account {account}{shut.get(states[-1] if states else '', '')}"


def _worked(record: Record) -> bool:
    return not record.get("errorCode")


def _made(record: Record) -> str | None:
    """The snapshot that a call made, or None."""
    answer = record.get("responseElements") or {}
    return answer.get("snapshotId")


def _answered(records: Any, name: str, value: str) -> Iterator[Record]:
    """The records whose answer has a value."""
    return (each for each in records if (each.get("responseElements") or {}).get(name) == value)


def _names(record: Record, arn: str) -> bool:
    """Whether a record is about a resource."""
    return any(each["ARN"] == arn for each in record.get("resources", []))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _principals(statement: Mapping[str, Any]) -> list[str]:
    principal = statement.get("Principal", {})
    return [str(each) for each in _listed(principal.get("AWS", []))] if principal != "*" else []


def _in_words(records: list[Record]) -> str:
    names = list(dict.fromkeys(each["eventName"] for each in records))
    return ", ".join(names) or "nothing"


def _shared(record: Record, accounts: set[str]) -> set[str]:
    """Who a snapshot is shared with, after one more change."""
    if record["eventName"] == "ResetSnapshotAttribute":
        return set()
    asked = record["requestParameters"]
    change = asked.get("createVolumePermission") or {}
    short = {*asked.get("userIds", []), *asked.get("groupNames", [])}
    removes = short if asked.get("operationType") == "remove" else set()
    of = partial(map, lambda each: each.get("userId") or each.get("group"))
    added = {*of(change.get("add", [])), *(short - removes)}
    return (accounts | added) - {*of(change.get("remove", [])), *removes}
