"""The service: each request with the tables it names unlocked, and moto for the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table

from kmscourse.cloud import needs
from kmscourse.cloud.at_rest.dynamodb import shelf as disk
from kmscourse.cloud.at_rest.dynamodb.global_tables import GlobalTables, accessible
from kmscourse.cloud.at_rest.dynamodb.shelf import Shelf, StoredItem, StoredTable, find_table
from kmscourse.cloud.at_rest.dynamodb.table_keys import OWNED, Encryption, TableKeys
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.protocol import Response
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

_DATA = {
    "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem",
    "BatchWriteItem", "TransactGetItems", "TransactWriteItems",
}  # fmt: skip
#: What the trail does not show: the data itself. CloudTrail shows tables, keys and indexes.
_HIDDEN = {
    "Item", "ExpressionAttributeValues", "AttributeUpdates", "Expected", "RequestItems",
    "TransactItems", "Statement", "Statements", "TransactStatements", "Parameters",
    "KeyConditions", "QueryFilter", "ScanFilter", "ExclusiveStartKey",
}  # fmt: skip
_IN_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
    "ConditionCheck": "ConditionCheckItem",
}
#: moto's PartiQL needs a package that the course does without.
_PARTIQL = {"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"}


#: How long a table may be without its key. Fact DDB-03.
_PATIENCE = timedelta(days=7)


class DynamoDB:
    """Encryption at rest and global tables of Amazon DynamoDB, around moto."""

    def __init__(self, random: Randomness) -> None:
        self._keys = TableKeys(random)
        self._replicas = GlobalTables(self._keys)
        #: Since when the key of a table is known not to work, by the table's ARN.
        self._since: dict[str, datetime] = {}
        #: Tables that were without their key for too long, and the backup made of each.
        self._archived: dict[str, tuple[datetime, str]] = {}

    def open(self) -> None:
        """Let moto count the items of a table without opening them."""
        self._before = before = Table.__len__
        Table.__len__ = lambda table: (
            len(table.items) if isinstance(table.items, Shelf) else before(table)
        )

    def close(self) -> None:
        """Put moto back as it was."""
        Table.__len__ = self._before

    def needs(self, call: Call) -> list[Permission]:
        """The permissions that a call needs. From here on, the trail does not see the data."""
        asked = call.parameters
        found = list(_in_transaction(call)) or needs.needs(call)
        if call.operation in _DATA | _PARTIQL:
            call.noted["asked"] = asked
            call.parameters = {k: v for k, v in asked.items() if k not in _HIDDEN}
            if "TableName" not in asked:
                call.parameters["TableNames"] = list(dict.fromkeys(_named(asked)))
        return found

    def stored(self, table: str, key: Mapping[str, Any] | None = None) -> StoredTable | StoredItem:
        """What lies on the disk for a table, or for one of its items.

        Args:
            table: its name, or its ARN where several Regions have it.
            key: the item's primary key, e.g. ``{"id": "4711"}`` or ``{"id": {"S": "4711"}}``.

        Raises:
            KeyError: where there is no such table or item.
        """
        return disk.look(table, key)

    def perform(
        self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]
    ) -> dict[str, Any] | Response:
        """Carry out a call that was found to be allowed.

        Raises:
            AWSError: for PartiQL, which the simulated DynamoDB does not read.
        """
        if call.operation in _PARTIQL:
            raise AWSError(
                "ValidationException",
                "The simulated DynamoDB does not read PartiQL. Use GetItem, Query, Scan, PutItem, "
                "UpdateItem or DeleteItem.",
            )
        token = self._keys.begin()
        try:
            if call.operation in _DATA:
                return self._data(gateway, call, ask_moto)
            handler = {
                "CreateTable": self._create,
                "UpdateTable": self._update,
                "DescribeTable": self._describe,
                "DeleteTable": self._delete,
                "RestoreTableFromBackup": self._restore,
                "RestoreTableToPointInTime": self._restore,
            }.get(call.operation)
            return handler(gateway, call, ask_moto) if handler is not None else ask_moto()
        finally:
            self._keys.end(token)

    def _data(self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]) -> Response:
        asked = call.noted.get("asked", call.parameters)
        names = list(dict.fromkeys(_named(asked)))
        for table in self._tables(call, names):
            self._notice(gateway, call, table)
            if table.table_arn in self._archived:  # the words are inferred
                raise AWSError(
                    "ResourceNotFoundException",
                    f"Requested resource not found: Table: {table.name} is archived",
                )
            self._replicas.heal(gateway, call, table)
            try:
                self._keys.unlock(gateway, call, table.items)
            except AWSError:
                self._notice(gateway, call, table)
                raise
        done = False
        try:
            response = ask_moto()
            done = response.status < 400
        finally:
            for table in self._tables(call, names):
                written = table.items.settle() if done else {}
                table.items.forget()
                if written:
                    self._replicas.replicate(gateway, call, table, written)
        return response

    def _create(self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]) -> Response:
        wanted = _wanted_key(call.parameters.get("SSESpecification"))
        assert call.http is not None, "tables are created over HTTP"
        body = json.loads(call.http.body)
        body.pop("SSESpecification", None)
        call.http.body = json.dumps(body).encode()
        response = ask_moto()
        table = self._table(call, sealed=False)
        if response.status >= 400 or table is None:
            return response
        try:
            used = self._keys.make(gateway, call, table, wanted, None)
        except BaseException:
            dynamodb_backends[call.account][call.region].tables.pop(table.name, None)
            raise
        table.items = Shelf(self._keys, used, table.range_key_attr is not None)
        table.stream_shard = None  # its records would be plaintext
        return self._shown(gateway, call, table, response)

    def _update(self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]) -> Response:
        table, asked = self._table(call), call.parameters
        if table is not None and asked.get("SSESpecification"):
            self._switch(gateway, call, table, _wanted_key(asked["SSESpecification"]))
        if table is not None and asked.get("ReplicaUpdates"):
            self._replicas.update(gateway, call, table, asked["ReplicaUpdates"])
        response = ask_moto()
        if response.status >= 400 or table is None:
            return response
        table.stream_shard = None
        return self._shown(gateway, call, table, response)

    def _switch(self, gateway: Gateway, call: Call, table: Any, wanted: str | None) -> None:
        """Another key for a table: a new table key over the same data key, the items as they are.

        Raises:
            AWSError: where neither the old nor the new key can be used.
        """
        shelf: Shelf = table.items
        old: Encryption = shelf.encryption
        if wanted is None and old.kind == OWNED:
            raise AWSError(
                "ValidationException",
                "One or more parameter values were invalid: Table is already encrypted by default.",
            )
        try:
            self._keys.unlock(gateway, call, shelf)
        except AWSError:
            self._notice(gateway, call, table)
            raise
        new = self._keys.make(gateway, call, table, wanted, self._keys.open_key(shelf))
        if new.key_arn is not None and new.key_arn == old.key_arn:
            self._keys.retire(gateway, call, table, new)
            raise AWSError(
                "ValidationException",
                "One or more parameter values were invalid: Table is already encrypted by given "
                "KMSMasterKeyId",
            )
        shelf.encryption = new
        self._keys.retire(gateway, call, table, old)

    def _describe(self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]) -> Response:
        response, table = ask_moto(), self._table(call)
        if response.status >= 400 or table is None:
            return response
        return self._shown(gateway, call, table, response)

    def _delete(self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]) -> Response:
        table, response = self._table(call), ask_moto()
        if response.status < 400 and table is not None:
            self._keys.retire(gateway, call, table, table.items.encryption)
            self._replicas.leave(table)
            self._since.pop(table.table_arn, None)
            self._archived.pop(table.table_arn, None)
        return response

    def _restore(self, gateway: Gateway, call: Call, ask_moto: Callable[[], Response]) -> Response:
        """A table made from a backup has a table key of its own, over the same data key."""
        response = ask_moto()
        table = find_table(
            str(call.parameters.get("TargetTableName", "")), call.account, call.region
        )
        if response.status >= 400 or table is None or not isinstance(table.items, Shelf):
            return response
        shelf = table.items
        try:
            self._keys.unlock(gateway, call, shelf)
            override = call.parameters.get("SSESpecificationOverride")
            wanted = _wanted_key(override) if override else shelf.encryption.key_arn
            data_key = self._keys.open_key(shelf)
            shelf.encryption = self._keys.make(gateway, call, table, wanted, data_key)
        except BaseException:
            dynamodb_backends[call.account][call.region].tables.pop(table.name, None)
            raise
        return self._shown(gateway, call, table, response)

    def _notice(self, gateway: Gateway, call: Call, table: Any) -> None:
        """Note since when a table's key does not work, when it works again, or never will.

        After seven days DynamoDB makes a backup of the table and archives it (fact DDB-03). The
        days count from when the table is first used or described without its key.
        """
        arn = table.table_arn
        if arn in self._archived:
            return
        since = self._since.get(arn)
        if since is not None and call.time - since > _PATIENCE:
            backend = dynamodb_backends[table.account_id][table.region_name]
            backup = backend.create_backup(table.name, table.name)
            self._archived[arn] = since + _PATIENCE, backup.arn
        elif accessible(gateway, table.items.encryption.key_arn):
            self._since.pop(arn, None)
        else:
            self._since.setdefault(arn, call.time)

    def _shown(self, gateway: Gateway, call: Call, table: Any, response: Response) -> Response:
        """moto's description of a table, with its encryption and its replicas."""
        self._notice(gateway, call, table)
        used = table.items.encryption
        since = self._since.get(table.table_arn)
        more: dict[str, Any] = self._replicas.describe(gateway, call, table)
        if used.key_arn is not None:
            more["SSEDescription"] = {
                "Status": "ENABLED",
                "SSEType": "KMS",
                "KMSMasterKeyArn": used.key_arn,
            }
        if since is not None:
            more["SSEDescription"]["InaccessibleEncryptionDateTime"] = since.timestamp()
            more["TableStatus"] = "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
        if table.table_arn in self._archived:
            at, backup_arn = self._archived[table.table_arn]
            more["TableStatus"] = "ARCHIVED"
            more["ArchivalSummary"] = {
                "ArchivalDateTime": at.timestamp(),
                "ArchivalReason": "INACCESSIBLE_ENCRYPTION_CREDENTIALS",
                "ArchivalBackupArn": backup_arn,
            }
        body = json.loads(response.body)
        body[next(iter(body))] |= more
        response.body = json.dumps(body).encode()
        response.headers.pop("x-amz-crc32", None)
        return response

    @staticmethod
    def _table(call: Call, *, sealed: bool = True) -> Any:
        table = find_table(str(call.parameters.get("TableName", "")), call.account, call.region)
        if table is None or (sealed and not isinstance(table.items, Shelf)):
            return None
        return table

    @staticmethod
    def _tables(call: Call, names: list[str]) -> list[Any]:
        found = [find_table(name, call.account, call.region) for name in names]
        return [each for each in found if each is not None and isinstance(each.items, Shelf)]


def _wanted_key(specification: Mapping[str, Any] | None) -> str | None:
    """The KMS key of an SSESpecification, or None for the AWS owned key.

    Raises:
        AWSError: for a key without ``Enabled``; the words are inferred.
    """
    specification = specification or {}
    key_id = specification.get("KMSMasterKeyId")
    if not specification.get("Enabled"):
        if key_id or specification.get("SSEType") == "KMS":
            raise AWSError(
                "ValidationException",
                "One or more parameter values were invalid: SSEType and KMSMasterKeyId can be "
                "given only where Enabled is true.",
            )
        return None
    if specification.get("SSEType") == "AES256":
        raise AWSError(
            "ValidationException",
            "One or more parameter values were invalid: SSEType AES256 is not supported.",
        )
    return key_id or "alias/aws/dynamodb"


def _named(asked: Mapping[str, Any]) -> Iterator[str]:
    """The tables that a request about items names."""
    if asked.get("TableName"):
        yield str(asked["TableName"])
    yield from asked.get("RequestItems") or {}
    for item in asked.get("TransactItems") or []:
        yield from (str(each["TableName"]) for each in item.values() if "TableName" in each)


def _in_transaction(call: Call) -> Iterator[Permission]:
    """What is needed for each part of a transaction: an action of its own.

    Source: Amazon DynamoDB Developer Guide, "Using IAM with DynamoDB transactions".
    """
    place = f"arn:aws:dynamodb:{call.region}:{call.account}:table"
    parts = [
        (_IN_TRANSACTION[kind], str(each.get("TableName", "")))
        for item in call.parameters.get("TransactItems") or []
        for kind, each in item.items()
        if kind in _IN_TRANSACTION
    ]
    for action, name in dict.fromkeys(parts):
        yield Permission(
            f"dynamodb:{action}", name if name.startswith("arn:") else f"{place}/{name}"
        )
