"""Global tables, version 2019.11.21: replicas in other Regions that receive every write.

Each replica is a table with its own KMS key in its own Region. A replica whose key cannot be used
is left behind until it can be again, and leaves the global table after 20 hours (fact DDB-03).
Writes arrive at once here; on AWS mostly within a second.

Sources: botocore dynamodb UpdateTable (ReplicaUpdates), ReplicaDescription; fact DDB-02.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.dynamodb.models import dynamodb_backends

from kmscourse.cloud.at_rest import sealing
from kmscourse.cloud.at_rest.dynamodb.shelf import Place, Shelf, find_table
from kmscourse.cloud.at_rest.dynamodb.table_keys import OWNED, TableKeys
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

VERSION = "2019.11.21"
#: How long a replica may be without its key. Fact DDB-03.
_PATIENCE = timedelta(hours=20)


@dataclass(slots=True)
class _Member:
    """One Region of a global table; `since` is when its key was found not to work."""

    since: datetime | None = None


class GlobalTables:
    """Which tables are replicas of each other, and what they are still to receive."""

    def __init__(self, keys: TableKeys) -> None:
        self._keys = keys
        self._groups: dict[tuple[str, str], dict[str, _Member]] = {}

    def update(self, gateway: Gateway, call: Call, table: Any, actions: list[Any]) -> None:
        """Carry out the ReplicaUpdates of UpdateTable.

        Raises:
            AWSError: for a Region that has the table already, or has no replica, and for KMS's
                refusal. The words for the first two are inferred.
        """
        for action in actions:
            for what, asked in action.items():
                region = str(asked["RegionName"])
                if what == "Create":
                    self._create(gateway, call, table, region, asked.get("KMSMasterKeyId"))
                    continue
                replica = self._replica(table, region)
                if what == "Delete":
                    del dynamodb_backends[table.account_id][region].tables[table.name]
                    used = replica.items.encryption
                    self._keys.retire(gateway, call, replica, used)
                    self.leave(replica)
                elif asked.get("KMSMasterKeyId"):
                    # Source: hashicorp/terraform-provider-aws#29102
                    raise _invalid("KMSMasterKeyId must be specified for each replica.")

    def _replica(self, table: Any, region: str) -> Any:
        if region == table.region_name or region not in self._members(table):
            raise _invalid(
                f"Replica specified in the Replica Update or Replica Delete action of the request "
                f"was not found: {region}"
            )
        return find_table(table.name, table.account_id, region)

    def _create(
        self, gateway: Gateway, call: Call, table: Any, region: str, key_id: str | None
    ) -> None:
        tables = dynamodb_backends[table.account_id][region].tables
        if region == table.region_name or table.name in tables:
            raise _invalid(f"Table {table.name} already exists in the Region {region}.")
        source: Shelf = table.items
        if key_id and source.encryption.kind == OWNED:
            raise _invalid(
                "KMSMasterKeyId of a replica can only be given where the table has KMS encryption."
            )
        self._keys.unlock(gateway, call, source)
        replica = copy.copy(table)
        replica.region_name = region
        replica.table_arn = table._generate_arn(table.name).replace(table.region_name, region, 1)
        replica.lambda_event_source_mappings, replica.tags = {}, list(table.tags)
        wanted = None if source.encryption.kind == OWNED else key_id or "alias/aws/dynamodb"
        used = self._keys.make(gateway, sealing.in_region(call, region), replica, wanted, None)
        replica.items = Shelf(self._keys, used, source.sorted_too)
        tables[table.name] = replica
        group = self._groups.setdefault((table.account_id, table.name), {})
        group.setdefault(table.region_name, _Member())
        group[region] = _Member()
        _copy_all(source, replica.items)

    def leave(self, table: Any) -> None:
        """A table is no longer part of its global table."""
        group = self._groups.get((table.account_id, table.name), {})
        group.pop(table.region_name, None)
        if len(group) < 2:
            self._groups.pop((table.account_id, table.name), None)

    def replicate(
        self, gateway: Gateway, call: Call, table: Any, written: Mapping[Place, str | None]
    ) -> None:
        """Bring what was written in one Region to the others."""
        for region, member in list(self._members(table).items()):
            replica = find_table(table.name, table.account_id, region)
            if region == table.region_name or replica is None:
                continue
            if self._unlock(gateway, call, replica, member):
                if member.since is not None:
                    member.since = None
                    _copy_all(table.items, replica.items)
                _apply(replica.items, written)

    def heal(self, gateway: Gateway, call: Call, table: Any) -> None:
        """Bring to a replica what it missed while its key could not be used."""
        member = self._members(table).get(table.region_name)
        if member is None or member.since is None:
            return
        others = [
            (find_table(table.name, table.account_id, region), other)
            for region, other in self._members(table).items()
            if region != table.region_name and other.since is None
        ]
        for source, other in others:
            if self._unlock(gateway, call, source, other) and self._unlock(
                gateway, call, table, member
            ):
                member.since = None
                _copy_all(source.items, table.items)
                return

    def _unlock(self, gateway: Gateway, call: Call, table: Any, member: _Member) -> bool:
        try:
            self._keys.unlock_as_service(gateway, call, table)
        except AWSError:
            member.since = member.since or call.time
            if call.time - member.since > _PATIENCE:
                self.leave(table)
            return False
        return True

    def describe(self, gateway: Gateway, call: Call, table: Any) -> dict[str, Any]:
        """What DescribeTable says of the other Regions."""
        shown = []
        for region, member in self._members(table).items():
            replica = find_table(table.name, table.account_id, region)
            if region == table.region_name or replica is None:
                continue
            used = replica.items.encryption
            works = accessible(gateway, used.key_arn)
            entry: dict[str, Any] = {
                "RegionName": region,
                "ReplicaStatus": "ACTIVE" if works else "INACCESSIBLE_ENCRYPTION_CREDENTIALS",
                "ReplicaArn": replica.table_arn,
            }
            if used.key_arn is not None:
                entry["KMSMasterKeyId"] = used.key_arn
            if not works:
                entry["ReplicaInaccessibleDateTime"] = (member.since or call.time).timestamp()
            shown.append(entry)
        return {"Replicas": shown, "GlobalTableVersion": VERSION} if shown else {}

    def _members(self, table: Any) -> dict[str, _Member]:
        return self._groups.get((table.account_id, table.name), {})


def accessible(gateway: Gateway, key_arn: str | None) -> bool:
    """Whether DynamoDB could use a KMS key, going by the key's state."""
    if key_arn is None:
        return True
    parts = key_arn.split(":")
    key = gateway.kms.region(parts[4], parts[3]).keys.get(parts[5].partition("/")[2])
    return key is not None and key.state == "Enabled"


def _apply(shelf: Shelf, written: Mapping[Place, str | None]) -> None:
    for place, text in written.items():
        if text is not None:
            shelf.seal(place, text)
            continue
        row = shelf.records.get(place[0], {})
        row.pop(place[1], None)
        if not row:
            shelf.records.pop(place[0], None)


def _copy_all(source: Shelf, target: Shelf) -> None:
    texts = dict(source.texts())
    target.records = {}
    _apply(target, texts)


def _invalid(words: str) -> AWSError:
    return AWSError("ValidationException", f"One or more parameter values were invalid: {words}")
