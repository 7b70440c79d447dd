"""The service: RDS's calls about storage, with their keys, and moto for the rest.

Source: Amazon RDS User Guide, "Encrypting Amazon RDS resources", "Sharing a DB snapshot",
"Copying a DB snapshot", "Renaming a DB instance"; Aurora User Guide, "Encrypting Amazon Aurora
resources" (encrypted by default since 2026-02-18); botocore rds; facts RDS-01 to RDS-07. Words
that are inferred are marked so where they stand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kmscourse import facts
from kmscourse.cloud import needs
from kmscourse.cloud.at_rest import infrastructure
from kmscourse.cloud.at_rest.blocks import StoredDisk
from kmscourse.cloud.at_rest.rds import keys, moto_rds
from kmscourse.cloud.at_rest.rds.moto_rds import OF_CLUSTERS, OF_INSTANCES, Kind, Snapshots
from kmscourse.cloud.at_rest.rds.storage import AWS_OWNED, NONE, Storage
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.protocol import Response
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.at_rest.rds.session import Connection
    from kmscourse.cloud.gateway import Gateway

AskMoto = Callable[[], Response]
Where = tuple[str, str, str, str]  # account, Region, kind, identifier

RECOVERABLE = "inaccessible-encryption-credentials-recoverable"
TERMINAL = "inaccessible-encryption-credentials"


class RDS:
    """Databases and their snapshots of every account and Region, around moto."""

    def __init__(self, random: Randomness) -> None:
        self._random = random
        self._storages: dict[Where, Storage] = {}
        self._sessions: dict[int, Connection] = {}
        self._gateway: Gateway | None = None
        self._operations: dict[str, Callable[[Gateway, Call, AskMoto], Response]] = {
            "CreateDBInstance": self._create_instance,
            "CreateDBCluster": self._create_cluster,
            "CreateDBInstanceReadReplica": self._create_replica,
            "ModifyDBInstance": self._modify_instance,
            "PromoteReadReplica": self._promote,
            "DeleteDBInstance": self._delete,
            "DeleteDBCluster": self._delete,
            "DeleteDBSnapshot": self._delete,
            "DeleteDBClusterSnapshot": self._delete,
            "StartDBInstance": self._start,
            "StartDBCluster": self._start,
            "CreateDBSnapshot": self._create_snapshot,
            "CreateDBClusterSnapshot": self._create_snapshot,
            "CopyDBSnapshot": self._copy_snapshot,
            "CopyDBClusterSnapshot": self._copy_snapshot,
            "ModifyDBSnapshotAttribute": self._share_snapshot,
            "ModifyDBClusterSnapshotAttribute": self._share_snapshot,
            "RestoreDBInstanceFromDBSnapshot": self._restore_instance,
            "RestoreDBClusterFromSnapshot": self._restore_cluster,
            "CreateGlobalCluster": self._create_global_cluster,
            "RemoveFromGlobalCluster": self._remove_from_global_cluster,
        }

    def open(self) -> None:
        """Nothing of moto needs to be replaced."""

    def close(self) -> None:
        """End the sessions."""
        for connection in self._sessions.values():
            connection.close()
        self._sessions.clear()

    def needs(self, call: Call) -> list[Permission]:
        """Those of the table in `kmscourse.cloud.needs`, from the caller's own policies alone.

        A snapshot of another account has no policy: who may use it, says its list of accounts.
        """
        return [replace(each, account=call.account) for each in needs.needs(call)]

    def perform(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Response:
        """Carry out a call that was found to be allowed."""
        self._gateway = gateway
        for storage in list(self._storages.values()):
            self._problem(storage)
        operation = self._operations.get(call.operation)
        return operation(gateway, call, ask_moto) if operation else ask_moto()

    def stored(
        self, name: str, *, account: str | None = None, region: str | None = None
    ) -> StoredDisk:
        """What lies on the disk of an instance, a cluster or a snapshot.

        Raises:
            KeyError: where there is none of that name.
        """
        storage = self._named(name, account, region)
        self._save(storage)
        return storage.stored()

    def database(
        self,
        name: str,
        *,
        account: str | None = None,
        region: str | None = None,
        down: frozenset[str] = frozenset(),
    ) -> Connection:
        """A session to the database of an instance or a cluster.

        Args:
            down: the Regions that do not answer.

        Raises:
            KeyError: where there is none of that name.
            sqlite3.OperationalError: where RDS has lost its key, or its Region does not answer.
        """
        from kmscourse.cloud.at_rest.rds import session

        storage = self._named(name, account, region, kinds=("db", "cluster"))
        problem = self._problem(storage)
        if storage.region in down:
            problem = f"could not connect to {name}: {storage.region} does not answer"
        if problem is not None:
            raise session.unusable(problem)
        if storage.leader is not None:
            self._save(storage.leader)
            return session.connect(storage, self._problem)
        known = self._sessions.get(id(storage))
        if known is None or not session.is_open(known):
            known = self._sessions[id(storage)] = session.connect(storage, self._problem)
        return known

    # --- instances and clusters ----------------------------------------------------------------

    def _create_instance(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Response:
        parameters = call.parameters
        key_id = parameters.get("KmsKeyId")
        if "DBClusterIdentifier" in parameters:  # its storage is the cluster's
            return ask_moto()
        if key_id and not parameters.get("StorageEncrypted"):
            raise AWSError(  # inferred
                "InvalidParameterCombination",
                "A KmsKeyId can only be specified together with StorageEncrypted.",
            )
        response = ask_moto()
        if response.status >= 400:
            return response
        return self._begin(
            gateway, call, "db", keys.of_request(gateway, call, key_id)
            if parameters.get("StorageEncrypted") else None,
        )  # fmt: skip

    def _modify_instance(self, _: Gateway, call: Call, ask_moto: AskMoto) -> Response:
        """Change an instance; under a new name it keeps its storage and its automated backups."""
        old = call.parameters["DBInstanceIdentifier"]
        new = call.parameters.get("NewDBInstanceIdentifier")
        there = moto_rds.backend(call.account, call.region)
        if new is not None and new in there.databases:
            raise AWSError("DBInstanceAlreadyExists", "DB instance already exists")
        response = ask_moto()
        storage = self._storages.get(self._where(call, "db", name=old))
        if response.status >= 400 or new is None or storage is None:
            return response
        del self._storages[self._where(call, "db", name=old)]
        self._storages[self._where(call, "db", name=new)] = storage
        storage.name = new
        moto_rds.rename_backups(there, old, new)
        return response

    def _create_cluster(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Response:
        """A cluster, or a secondary one of a global database in another Region."""
        parameters = call.parameters
        key_id = parameters.get("KmsKeyId")
        leader = None
        if "GlobalClusterIdentifier" in parameters:
            leader = self._primary(call, parameters["GlobalClusterIdentifier"])
        if leader is not None and leader.key is not None and not key_id:
            if leader.region != call.region:
                raise _key_needed()
            key_id = leader.key.key_arn
        response = ask_moto()
        if response.status >= 400:
            return response
        clusters = moto_rds.backend(call.account, call.region).clusters
        primary = None
        if leader is not None:
            primary = moto_rds.backend(leader.account, leader.region).clusters[leader.name]
        moto_rds.keep_credentials(
            clusters[parameters["DBClusterIdentifier"]],
            parameters.get("MasterUserPassword"),
            primary,
        )
        wanted = bool(parameters.get("StorageEncrypted")) or key_id is not None
        key = keys.of_request(gateway, call, key_id) if wanted else None
        return self._begin(gateway, call, "cluster", key, leader=leader)

    def _create_replica(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Response:
        parameters = call.parameters
        source = parameters["SourceDBInstanceIdentifier"]
        account, region, name = _place(call, source)
        leader = self._storages.get((account, region, "db", name))
        key_id = parameters.get("KmsKeyId")
        if leader is not None and key_id and leader.key is None:
            raise AWSError(  # that it is refused: botocore; the words are inferred
                "InvalidParameterCombination",
                "You can't create an encrypted read replica from an unencrypted DB instance.",
            )
        if leader is not None and leader.key is not None and not key_id:
            if region != call.region:
                raise _key_needed()
            key_id = leader.key.key_arn
        response = ask_moto()
        if response.status >= 400 or leader is None:
            return response
        return self._begin(gateway, call, "db", key_id, leader=leader)

    def _promote(self, _: Gateway, call: Call, ask_moto: AskMoto) -> Response:
        response = ask_moto()
        storage = self._storages.get(self._where(call, "db", "DBInstanceIdentifier"))
        if response.status < 400 and storage is not None:
            self._part(storage)
        return response

    def _begin(
        self,
        gateway: Gateway,
        call: Call,
        kind: Kind,
        key_id: str | None,
        *,
        image: bytes | None = None,
        leader: Storage | None = None,
    ) -> Response:
        """Give a database that moto has just made its storage; it is not made if that fails.

        Raises:
            AWSError: KMSKeyNotAccessibleFault.
        """
        there = moto_rds.backend(call.account, call.region)
        name = call.parameters["DBInstanceIdentifier" if kind == "db" else "DBClusterIdentifier"]
        made = there.databases if kind == "db" else there.clusters
        resource = made[name]
        if kind == "db":
            context = {"aws:rds:db-id": resource.dbi_resource_id}
        else:
            context = {"aws:rds:dbc-id": resource.db_cluster_resource_id}
        storage = Storage(name, kind, call.account, call.region, context)
        try:
            self._encrypt(gateway, call, storage, key_id, owned=_is_aurora(resource))
        except AWSError:
            del made[name]
            raise
        if image is not None:
            storage.put(image)
        if leader is not None:
            self._save(leader)
            storage.follow(leader)
        self._storages[self._where(call, kind, name=name)] = storage
        _tell(resource, storage)
        return moto_rds.answer(call, "DBInstance" if kind == "db" else "DBCluster", resource)

    def _encrypt(
        self, gateway: Gateway, call: Call, storage: Storage, key_id: str | None, *, owned: bool
    ) -> None:
        """Choose how a storage is encrypted: by a KMS key, an AWS owned key, or not at all."""
        if key_id is not None:
            keys.lock(gateway, call, storage, key_id)
        elif owned:  # fact RDS-02; nobody but AWS sees this key
            storage.encryption, storage.opened = AWS_OWNED, self._random.bytes(64)

    def _delete(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Response:
        name = next(iter(v for k, v in call.parameters.items() if k in _IDENTIFIERS), "")
        kind = _IDENTIFIERS_KIND[call.operation]
        storage = self._storages.get(self._where(call, kind, name=name))
        final = call.parameters.get("FinalDBSnapshotIdentifier")
        if storage is not None:
            self._save(storage)
        response = ask_moto()
        if response.status >= 400 or storage is None:
            return response
        if final:
            self._take(call, storage, OF_INSTANCES if kind == "db" else OF_CLUSTERS, final)
        self._part(storage)
        session = self._sessions.pop(id(storage), None)
        if session is not None:
            session.close()
        if storage.held is not None:
            infrastructure.give_back(gateway, storage.held)
        del self._storages[self._where(call, kind, name=name)]
        return response

    def _start(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Response:
        """Start again, also what had lost its key and has it back."""
        kind: Kind = "db" if call.operation == "StartDBInstance" else "cluster"
        name = call.parameters["DBInstanceIdentifier" if kind == "db" else "DBClusterIdentifier"]
        there = moto_rds.backend(call.account, call.region)
        resource = (there.databases if kind == "db" else there.clusters).get(name)
        storage = self._storages.get(self._where(call, kind, name=name))
        if resource is None or storage is None:
            return ask_moto()
        if storage.lost is not None:
            if resource.status == TERMINAL:
                raise AWSError(
                    "InvalidDBInstanceState" if kind == "db" else "InvalidDBClusterStateFault",
                    f"{name} is in {TERMINAL} state: restore it from a backup.",  # inferred
                )
            keys.reopen(gateway, call, storage)
            resource.status = "available"
            return moto_rds.answer(call, "DBInstance" if kind == "db" else "DBCluster", resource)
        return ask_moto()

    # --- global databases ----------------------------------------------------------------------

    def _create_global_cluster(self, _: Gateway, call: Call, ask_moto: AskMoto) -> Response:
        response = ask_moto()
        made = moto_rds.global_cluster(call.account, call.parameters["GlobalClusterIdentifier"])
        if response.status >= 400 or made is None:
            return response
        for member in made.members:
            member.is_writer = True
            made.storage_encrypted = member.storage_encrypted
            made.storage_encryption_type = getattr(member, "storage_encryption_type", None)
        return moto_rds.answer(call, "GlobalCluster", made)

    def _remove_from_global_cluster(self, _: Gateway, call: Call, ask_moto: AskMoto) -> Response:
        arn = call.parameters.get("DbClusterIdentifier", "")
        response = ask_moto()
        account, region, name = _place(call, arn)
        storage = self._storages.get((account, region, "cluster", name))
        if response.status < 400 and storage is not None:
            self._part(storage)
        return response

    def _primary(self, call: Call, name: str) -> Storage | None:
        found = moto_rds.global_cluster(call.account, name)
        if found is None or not found.members:
            return None
        first = found.members[0]
        return self._storages.get(
            (first.account_id, first.region, "cluster", first.db_cluster_identifier)
        )

    def _part(self, storage: Storage) -> None:
        storage.part()
        for follower in list(storage.followers):
            follower.part()

    # --- snapshots -----------------------------------------------------------------------------

    def _create_snapshot(self, _: Gateway, call: Call, ask_moto: AskMoto) -> Response:
        """A snapshot has the pages and the wrapped data key of its database."""
        kinds = _snapshots(call)
        of = "DBInstanceIdentifier" if kinds.kind == "db" else "DBClusterIdentifier"
        storage = self._storages.get(self._where(call, kinds.kind, of))
        response = ask_moto()
        if response.status >= 400 or storage is None:
            return response
        name = call.parameters[f"{kinds.name}Identifier"]
        return moto_rds.answer(call, kinds.name, self._take(call, storage, kinds, name))

    def _take(self, call: Call, storage: Storage, kinds: Snapshots, name: str) -> Any:
        self._save(storage)
        taken = Storage(
            name,
            f"{kinds.kind}-snapshot",
            call.account,
            call.region,
            storage.context,
            storage.blocks.copy(),
            storage.length,
            storage.encryption,
            storage.key,
            opened=storage.opened if storage.key is None else None,
        )
        self._storages[self._where(call, f"{kinds.kind}-snapshot", name=name)] = taken
        snapshot = kinds.of(call.account, call.region)[name]
        _tell(snapshot, taken)
        return snapshot

    def _copy_snapshot(self, gateway: Gateway, call: Call, _: AskMoto) -> Response:
        """Copy one's own snapshot or a shared one; encrypt it, or encrypt it anew."""
        parameters, kinds = call.parameters, _snapshots(call)
        target = parameters[f"Target{kinds.name}Identifier"]
        if target in kinds.of(call.account, call.region):
            raise AWSError(kinds.exists, f"Cannot create the snapshot {target}: it exists.")
        found, source = self._usable(call, kinds, parameters[f"Source{kinds.name}Identifier"])
        key_id = self._key_of_copy(call, kinds, source)
        new = Storage(target, source.kind, call.account, call.region, source.context)
        opened = keys.unlock_snapshot(gateway, call, source)
        if key_id is not None:
            keys.lock(gateway, call, new, keys.of_request(gateway, call, key_id))
        elif source.encryption == AWS_OWNED:
            self._encrypt(gateway, call, new, None, owned=True)
        new.put(source.image(opened))
        if new.held is not None:  # a snapshot is opened by whoever restores it
            infrastructure.give_back(gateway, new.held)
            new.held = new.opened = None
        tags = parameters.get("Tags") or (found.tags if parameters.get("CopyTags") else None)
        snapshot = kinds.copy(call, found, target, tags)
        kinds.of(call.account, call.region)[target] = snapshot
        self._storages[self._where(call, f"{kinds.kind}-snapshot", name=target)] = new
        _tell(snapshot, new)
        return moto_rds.answer(call, kinds.name, snapshot)

    @staticmethod
    def _key_of_copy(call: Call, kinds: Snapshots, source: Storage) -> str | None:
        """The key of a copy, by botocore's CopyDBSnapshot and CopyDBClusterSnapshot.

        Raises:
            AWSError: where one is needed and missing, or given and not possible.
        """
        key_id: str | None = call.parameters.get("KmsKeyId")
        if source.key is None:
            if key_id and kinds.kind == "cluster" and source.encryption == NONE:
                raise AWSError(  # that it is refused: botocore; the words are inferred
                    "InvalidParameterCombination",
                    "You can't specify a KmsKeyId to copy an unencrypted DB cluster snapshot.",
                )
            return key_id
        if key_id:
            return key_id
        if source.region != call.region:  # AWS's words, as users report them
            raise AWSError(
                "InvalidParameterValue",
                "Must specify new KMS key for cross region encrypted snapshot copy.",
            )
        if source.account != call.account:  # that it is refused: botocore; words inferred
            raise AWSError(
                "InvalidParameterValue",
                "Must specify a KMS key to copy an encrypted snapshot that is shared from "
                "another account.",
            )
        return source.key.key_arn

    def _share_snapshot(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Response:
        """Share with named accounts: never publicly or under the AWS managed key (RDS-04).

        The code is botocore's for this operation, the words are inferred.
        """
        kinds = _snapshots(call)
        name = call.parameters[f"{kinds.name}Identifier"]
        adds = call.parameters.get("ValuesToAdd", [])
        storage = self._storages.get(self._where(call, f"{kinds.kind}-snapshot", name=name))
        if adds and storage is not None and storage.encryption != NONE:
            if "all" in adds:
                raise AWSError(kinds.invalid_state, "Encrypted snapshots can't be made public.")
            if storage.encryption == AWS_OWNED or _is_default(gateway, storage):
                raise AWSError(
                    kinds.invalid_state,
                    "Snapshots encrypted with the default encryption key can't be shared.",
                )
        snapshot = kinds.of(call.account, call.region).get(name)
        if snapshot is not None:  # moto would list an account twice that is added again
            shared = snapshot.attributes["restore"]
            snapshot.attributes["restore"] = [each for each in shared if each not in adds]
        return ask_moto()

    def _restore_instance(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Response:
        wanted = call.parameters.get("DBSnapshotIdentifier", "")
        return self._restore(gateway, call, ask_moto, OF_INSTANCES, wanted)

    def _restore_cluster(self, gateway: Gateway, call: Call, ask_moto: AskMoto) -> Response:
        return self._restore(
            gateway, call, ask_moto, OF_CLUSTERS, call.parameters["SnapshotIdentifier"]
        )

    def _restore(
        self, gateway: Gateway, call: Call, ask_moto: AskMoto, kinds: Snapshots, wanted: str
    ) -> Response:
        """Restore a snapshot of one's own; a shared encrypted one has to be copied first."""
        found, source = self._usable(call, kinds, wanted)
        if source.account != call.account and source.encryption != NONE:
            raise AWSError(  # that it is refused: RDS User Guide; the words are inferred
                kinds.invalid_state,
                "You can't restore from an encrypted snapshot that is shared from another "
                "account. Copy it first.",
            )
        opened = keys.unlock_snapshot(gateway, call, source)
        if kinds.kind == "cluster":
            moto_rds.leave_global_database(found)
        with kinds.lent(call, found, source.name):
            response = ask_moto()
        if response.status >= 400:
            return response
        key_id = call.parameters.get("KmsKeyId") or source.key_arn
        return self._begin(gateway, call, kinds.kind, key_id, image=source.image(opened))

    def _usable(self, call: Call, kinds: Snapshots, wanted: str) -> tuple[Any, Storage]:
        """A snapshot of one's own, or one that was shared, by its ARN.

        Raises:
            AWSError: where there is none for this account.
        """
        account, region, name = _place(call, wanted)
        found = kinds.of(account, region).get(name)
        shared = found is not None and {call.account, "all"} & set(found.attributes["restore"])
        storage = self._storages.get((account, region, f"{kinds.kind}-snapshot", name))
        if found is None or storage is None or (account != call.account and not shared):
            error = kinds.not_found
            raise AWSError(error.code, error.message.format(wanted), error.status)
        return found, storage

    # --- what is stored ------------------------------------------------------------------------

    def _problem(self, storage: Storage) -> str | None:
        """Why a database cannot be used, or None; RDS looks after the keys of all of them."""
        assert self._gateway is not None
        status = self._status(storage)
        if storage.held is None:
            return None if status == "available" else f"{storage.name} is {status}"
        now = self._gateway.clock.now()
        if storage.lost is None and not keys.has_access(self._gateway, storage):
            storage.lost = now
        if storage.lost is None:
            return None if status == "available" else f"{storage.name} is {status}"
        self._hang_up(storage)
        storage.opened = None
        days = timedelta(days=int(str(facts.value("RDS-07"))))
        status = TERMINAL if now - storage.lost >= days else RECOVERABLE
        resource = self._resource(storage)
        if resource is not None:
            resource.status = status
        return f"could not connect to {storage.name}: it is {status}"

    def _hang_up(self, storage: Storage) -> None:
        """End the session to a database that has gone away."""
        connection = self._sessions.pop(id(storage), None)
        if connection is not None:
            connection.end()

    def _status(self, storage: Storage) -> str:
        resource = self._resource(storage)
        status = "available" if resource is None else str(resource.status)
        return "available" if status == "creating" else status

    def _resource(self, storage: Storage) -> Any:
        there = moto_rds.backend(storage.account, storage.region)
        made = {"db": there.databases, "cluster": there.clusters}.get(storage.kind, {})
        return made.get(storage.name)

    def _save(self, storage: Storage) -> None:
        connection = self._sessions.get(id(storage))
        if connection is None:
            return
        from kmscourse.cloud.at_rest.rds.session import is_open

        if is_open(connection):
            connection.save()

    def _named(
        self,
        name: str,
        account: str | None,
        region: str | None,
        kinds: tuple[str, ...] = ("db", "cluster", "db-snapshot", "cluster-snapshot"),
    ) -> Storage:
        for kind in kinds:
            for (its_account, its_region, its_kind, its_name), storage in self._storages.items():
                if (
                    its_kind == kind
                    and its_name == name
                    and account in (None, its_account)
                    and region in (None, its_region)
                ):
                    return storage
        cluster = self._cluster_of(name, account, region)
        if cluster is not None:
            return cluster
        raise KeyError(f"There is no database {name!r}" + (f" in {region}." if region else "."))

    def _cluster_of(self, name: str, account: str | None, region: str | None) -> Storage | None:
        """The storage of an instance that belongs to a cluster: it is the cluster's."""
        for (its_account, its_region, kind, cluster), storage in self._storages.items():
            if kind != "cluster" or account not in (None, its_account):
                continue
            instance = moto_rds.backend(its_account, its_region).databases.get(name)
            if (
                instance is not None
                and instance.db_cluster_identifier == cluster
                and region in (None, its_region)
            ):
                return storage
        return None

    @staticmethod
    def _where(call: Call, kind: str, parameter: str = "", *, name: str | None = None) -> Where:
        found = call.parameters.get(parameter, "") if name is None else name
        return call.account, call.region, kind, found


_IDENTIFIERS = (
    "DBInstanceIdentifier", "DBClusterIdentifier", "DBSnapshotIdentifier",
    "DBClusterSnapshotIdentifier",
)  # fmt: skip
_IDENTIFIERS_KIND = {
    "DeleteDBInstance": "db",
    "DeleteDBCluster": "cluster",
    "DeleteDBSnapshot": "db-snapshot",
    "DeleteDBClusterSnapshot": "cluster-snapshot",
}


def _snapshots(call: Call) -> Snapshots:
    return OF_CLUSTERS if "DBCluster" in call.operation else OF_INSTANCES


def _place(call: Call, name: str) -> tuple[str, str, str]:
    """The account, the Region and the identifier that an identifier or an ARN means."""
    if not name.startswith("arn:"):
        return call.account, call.region, name
    _, _, _, region, account, _, identifier = name.split(":", 6)
    return account, region, identifier


def _tell(resource: Any, storage: Storage) -> None:
    """Let moto know how a database or a snapshot is encrypted, as facts RDS-03 says."""
    resource.kms_key_id = storage.key_arn
    resource.storage_encrypted = resource.encrypted = storage.key is not None
    resource.storage_encryption_type = storage.encryption


def _is_aurora(resource: Any) -> bool:
    return str(resource.engine).startswith("aurora")


def _is_default(gateway: Gateway, storage: Storage) -> bool:
    if storage.key is None:
        return False
    key = infrastructure.key_of(gateway, storage.key.key_arn)
    return key is not None and key.manager == "AWS"


def _key_needed() -> AWSError:
    """What AWS says where another Region's key is missing, as users report it."""
    return AWSError(
        "InvalidParameterCombination",
        "For encrypted cross-region replica, kmsKeyId should be explicitly specified",
    )
