"""moto's instances, clusters and snapshots: every private name of moto that RDS stands on.

All of ``moto.rds``: ``rds_backends`` (``databases``, ``clusters``, ``database_snapshots``,
``cluster_snapshots``, ``global_clusters``), ``DBSnapshot``, ``DBClusterSnapshot``; of
``moto.core.serialize`` what turns them into answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal

from moto.core.serialize import (
    SerializationContext,
    XFormedAttributePicker,
    get_serializer_class,
)
from moto.core.utils import get_service_model
from moto.rds.models import DBClusterSnapshot, DBSnapshot, rds_backends

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.protocol import Response

Kind = Literal["db", "cluster"]


def backend(account: str, region: str) -> Any:
    """moto's RDS of an account and Region."""
    return rds_backends[account][region]


def global_cluster(account: str, name: str) -> Any:
    """A global cluster, by its identifier or ARN, or None; moto keeps them in one Region."""
    return backend(account, "us-east-1").global_clusters.get(name.rpartition(":")[2])


def keep_credentials(cluster: Any, password: str | None, primary: Any) -> None:
    """Give a member of a global database its master user; a secondary has its primary's.

    moto forgets both of what joins a global database, and can then not restore its snapshots.
    """
    if "_master_user_password" in vars(cluster):
        return
    if primary is not None and not cluster.master_username:
        cluster.master_username = primary.master_username
        password = vars(primary).get("_master_user_password")
    cluster._master_user_password = password


def rename_backups(there: Any, old: str, new: str) -> None:
    """Give the automated snapshots of an instance its new name, too.

    moto leaves them under the old one, and then makes no other instance of that name.
    """
    for name, snapshot in list(there.database_snapshots.items()):
        if snapshot.snapshot_type == "automated" and snapshot.db_instance_identifier == old:
            del there.database_snapshots[name]
            renamed = f"rds:{new}{name.removeprefix(f'rds:{old}')}"
            snapshot.db_snapshot_identifier = renamed
            snapshot.db_instance_identifier = snapshot.database.db_instance_identifier = new
            there.database_snapshots[renamed] = snapshot


def leave_global_database(snapshot: Any) -> None:
    """What is restored from a snapshot is no member of the global database that it came from."""
    snapshot.cluster = copy(snapshot.cluster)
    snapshot.cluster.global_cluster_identifier = None


def answer(call: Call, name: str, resource: Any) -> Response:
    """The answer that describes one thing of moto's, as it is now, in moto's own words."""
    service = get_service_model("rds")
    serializer = get_serializer_class("rds", service.protocol)(
        operation_model=service.operation_model(call.operation),
        context=SerializationContext(request_id=call.request_id),
        value_picker=XFormedAttributePicker(),
    )
    written = serializer.serialize({name: resource})
    headers = {str(key): str(value) for key, value in written["headers"].items()}
    headers |= {"x-amzn-requestid": call.request_id, "x-amz-request-id": call.request_id}
    body = written["body"]
    return Response(
        written["status_code"], headers, body.encode() if isinstance(body, str) else body
    )


@dataclass(frozen=True, slots=True)
class Snapshots:
    """How the API names snapshots of instances, or of clusters."""

    kind: Kind
    name: str
    not_found: AWSError
    exists: str
    invalid_state: str

    def of(self, account: str, region: str) -> Any:
        """moto's snapshots of this kind, by name."""
        there = backend(account, region)
        return there.database_snapshots if self.kind == "db" else there.cluster_snapshots

    def copy(self, call: Call, source: Any, name: str, tags: Any) -> Any:
        """moto's record of a copy, in the caller's account and Region."""
        there = backend(call.account, call.region)
        if self.kind == "db":
            return DBSnapshot(there, source.database, name, tags=tags)
        return DBClusterSnapshot(there, source.cluster, name, tags=tags)

    @contextmanager
    def lent(self, call: Call, snapshot: Any, name: str) -> Iterator[None]:
        """Let moto find a snapshot among the caller's own for a while, if it is another's.

        moto looks nowhere else when it restores one, though RDS lets an account restore what was
        shared with it, by its ARN (botocore: RestoreDBInstanceFromDBSnapshot).
        """
        own = self.of(call.account, call.region)
        before = own.get(name)
        own[name] = snapshot
        try:
            yield
        finally:
            if before is None:
                del own[name]
            else:
                own[name] = before


OF_INSTANCES = Snapshots(
    "db",
    "DBSnapshot",
    AWSError("DBSnapshotNotFound", "DBSnapshot not found: {}", 404),
    "DBSnapshotAlreadyExists",
    "InvalidDBSnapshotState",
)
OF_CLUSTERS = Snapshots(
    "cluster",
    "DBClusterSnapshot",
    AWSError("DBClusterSnapshotNotFoundFault", "DBClusterSnapshot not found: {}", 404),
    "DBClusterSnapshotAlreadyExistsFault",
    "InvalidDBClusterSnapshotStateFault",
)
