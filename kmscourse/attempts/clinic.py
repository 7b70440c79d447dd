"""A clinic that protects a record by some measures or none, and everyone who wants to read it.

A browser sends the record to the clinic's server, and the server stores what arrives as an object
in S3 and as a row in a database on RDS, of which there is a snapshot. For each choice of measures
all of that is really done, on a simulated AWS, and then everyone tries.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import boto3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse import cloud, tls
from kmscourse.attempts.attempt import Attempt, Measure, See, attempt

if TYPE_CHECKING:
    from kmscourse.cloud import Cloud

IN_FLIGHT = Measure("In flight", "TLS from the browser to the server")
AT_REST = Measure("At rest", "a KMS key for bucket, database and snapshot")
ON_THE_CLIENT = Measure("On the client", "sealed in the browser, with a key for the clinic alone")
MEASURES = (IN_FLIGHT, AT_REST, ON_THE_CLIENT)

SHORTEST, LONGEST = 8, 1000
"""Bytes of a record: long enough not to be found by chance, short enough for one page on disk."""

_HOST = "records.clinic.example"
_THIEF = "444455556666"
_OBJECT = "4711.json"
# Whose access key leaks: the user, who that is, what IAM allows, and what that comes to.
_GET, _GET_AND_DECRYPT = ("s3:GetObject",), ("s3:GetObject", "kms:Decrypt")
_LEAKS = (
    ("report-job", "report job", _GET, "may get the object"),
    ("administrator", "administrator", _GET_AND_DECRYPT, "may get the object and decrypt"),
    ("clinic-app", "the clinic's own", _GET_AND_DECRYPT, "the same; the key policy names it"),
)


def by_everyone(record: bytes) -> list[Attempt]:
    """Let everyone try to read a record, once for each choice of measures.

    Args:
        record: 8 to 1,000 bytes.

    Raises:
        TypeError: for what is not bytes.
        ValueError: for a record that is too short or too long.
    """
    if not isinstance(record, bytes):
        raise TypeError(f"The record is bytes, such as b'...'; not {type(record).__name__}.")
    if not SHORTEST <= len(record) <= LONGEST:
        raise ValueError(
            f"This record has {len(record):,} bytes; give one of {SHORTEST} to {LONGEST:,}."
        )
    found: list[Attempt] = []
    with cloud.running(seed="attempts") as aws:
        finders = [_Finder.of(aws, *leak) for leak in _LEAKS]
        for number, (at_rest, on_the_client) in enumerate(product((False, True), repeat=2), 1):
            clinic = _Clinic(aws, f"clinic-{number}", record, at_rest, on_the_client)
            found += clinic.tried_by_everyone(finders)
    return found


@dataclass(frozen=True, slots=True)
class _Sent:
    """A record on its way: what could be heard, and what arrived."""

    heard: bytes
    arrived: bytes


def _send(letter: bytes, *, over_tls: bool) -> _Sent:
    """Let the browser send a letter to the server, with an eavesdropper on the wire."""
    head = f"PUT /patients/4711 HTTP/1.1\r\nHost: {_HOST}\r\nContent-Length: {len(letter)}\r\n\r\n"
    said = {"request": head.encode() + letter, "response": b"HTTP/1.1 204 No Content\r\n\r\n"}
    listener = tls.Eavesdropper()
    if over_tls:
        ca = tls.CertificateAuthority("Clinic CA", key_type="ed25519")
        browser, server = tls.Client(_HOST, trust=ca), tls.Server(ca.issue(_HOST))
        talk = tls.converse(client=browser, server=server, pipe=listener, **said)
        received = talk.server.received if talk.server else b""
    else:
        received = tls.converse_in_the_clear(pipe=listener, **said).received_by_server
    return _Sent(b"".join(flight.data for flight in listener.heard), received)


@dataclass(frozen=True, slots=True)
class _Finder:
    """Whoever found somebody's access key."""

    of_whom: str
    may: str
    s3: Any
    kms: Any

    @classmethod
    def of(cls, aws: Cloud, user: str, of_whom: str, actions: tuple[str, ...], may: str) -> _Finder:
        """The finder of the access key of a user to whom IAM allows some actions."""
        leaked = aws.session(user)
        boto3.client("iam").put_user_policy(
            UserName=user, PolicyName="work", PolicyDocument=_policy({"Action": actions})
        )
        return cls(of_whom, may, leaked.client("s3"), leaked.client("kms"))

    def look(self, bucket: str, record: bytes, see: See) -> None:
        """Do what the access key allows: get the object, and open it if it is an envelope."""
        found = self.s3.get_object(Bucket=bucket, Key=_OBJECT)["Body"].read()
        see(found)
        if found == record:
            return  # nothing is left to open
        envelope = {part: bytes.fromhex(text) for part, text in json.loads(found).items()}
        answer = self.kms.decrypt(CiphertextBlob=envelope["wrapped_key"])
        see(AESGCM(answer["Plaintext"]).decrypt(envelope["nonce"], envelope["ciphertext"], None))


class _Clinic:
    """One clinic, with storage encrypted or not, and a browser that seals or does not.

    Its bucket, its database and the snapshot of that have its name.
    """

    def __init__(
        self, aws: Cloud, name: str, record: bytes, at_rest: bool, on_the_client: bool
    ) -> None:
        self.aws, self.name, self.record, self.at_rest = aws, name, record, at_rest
        self.measures = tuple(
            measure for measure, on in ((AT_REST, at_rest), (ON_THE_CLIENT, on_the_client)) if on
        )
        self.letter = _sealed(aws, record) if on_the_client else record

    def tried_by_everyone(self, finders: list[_Finder]) -> Iterator[Attempt]:
        """What everyone sees, with TLS and without."""
        clear, over_tls = (_send(self.letter, over_tls=on) for on in (False, True))
        # The server stores the same bytes, however they came: what is tried there holds for both.
        if clear.arrived != over_tls.arrived:
            raise RuntimeError("TLS delivered other bytes than were sent.")
        self._store(clear.arrived.partition(b"\r\n\r\n")[2])
        stored = list(self._tried_at_the_server(finders))
        for way, before in ((clear, ()), (over_tls, (IN_FLIGHT,))):
            measures = (*before, *self.measures)
            yield self._try(
                lambda see, way=way: see(way.heard),
                "Eavesdropper",
                "on the wire, from browser to server",
                "Kept a copy of every byte that passed",
                measures,
            )
            yield self._try(
                lambda see, way=way: see(way.arrived),
                "Cloud operator",
                "in the memory of the server",
                "Looked at what had arrived, behind TLS and before the disk",
                measures,
            )
            for each in stored:
                yield replace(each, measures=measures)

    def _store(self, letter: bytes) -> None:
        """What the server does with a letter: an object, a row, and a snapshot every night."""
        aws, rds, s3 = self.aws, boto3.client("rds"), boto3.client("s3")
        on_disk: dict[str, Any] = {}
        in_s3: dict[str, Any] = {}
        if self.at_rest:
            key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
            on_disk = {"StorageEncrypted": True, "KmsKeyId": key}
            in_s3 = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        s3.create_bucket(Bucket=self.name)
        s3.put_object(Bucket=self.name, Key=_OBJECT, Body=letter, **in_s3)
        rds.create_db_instance(
            DBInstanceIdentifier=self.name,
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="dba",
            MasterUserPassword="a-long-password",
            **on_disk,
        )
        database = aws.database(self.name)
        database.execute("CREATE TABLE records (patient TEXT, record BLOB)")
        database.execute("INSERT INTO records VALUES ('4711', ?)", (letter,))
        database.commit()
        rds.create_db_snapshot(DBInstanceIdentifier=self.name, DBSnapshotIdentifier=self.name)

    def _tried_at_the_server(self, finders: list[_Finder]) -> Iterator[Attempt]:
        """Everyone who comes when the record is stored."""
        yield self._try(
            lambda see: _read_table(self.aws, self.name, see),
            "Database administrator",
            "in the table, by SQL",
            "Signed in to the database and ran SELECT record FROM records",
        )
        yield self._try(
            lambda see: see(self.aws.stored("rds", self.name).ciphertext),
            "Stolen disk",
            "the disk under the database",
            "Took the disk and searched every sector",
        )
        yield self._try(
            self._steal_the_backup,
            "Stolen backup",
            "a snapshot, in another account",
            "Had the snapshot shared with an account of their own, restored it and read the table",
        )
        for finder in finders:
            yield self._try(
                lambda see, finder=finder: finder.look(self.name, self.record, see),
                f"Leaked IAM key: {finder.of_whom}",
                finder.may,
                "Called GetObject with the leaked access key, and Decrypt where a key was wrapped",
            )

    def _steal_the_backup(self, see: See) -> None:
        """Share a snapshot with another account, and restore it there."""
        ours = boto3.client("rds")
        ours.modify_db_snapshot_attribute(
            DBSnapshotIdentifier=self.name, AttributeName="restore", ValuesToAdd=[_THIEF]
        )
        [snapshot] = ours.describe_db_snapshots(DBSnapshotIdentifier=self.name)["DBSnapshots"]
        thief = self.aws.account(_THIEF).session("root")
        rds, loot = thief.client("rds"), snapshot["DBSnapshotArn"]
        stolen = f"stolen-{self.name}"
        if snapshot["Encrypted"]:  # a shared one has to be copied first, under a key of one's own
            key = thief.client("kms").create_key()["KeyMetadata"]["Arn"]
            rds.copy_db_snapshot(
                SourceDBSnapshotIdentifier=loot, TargetDBSnapshotIdentifier=stolen, KmsKeyId=key
            )
            loot = stolen
        rds.restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier=stolen, DBSnapshotIdentifier=loot
        )
        _read_table(self.aws, stolen, see, account=_THIEF)

    def _try(
        self,
        look: Any,
        who: str,
        where: str,
        tried: str,
        measures: tuple[Measure, ...] = (),
    ) -> Attempt:
        return attempt(
            look,
            who=who,
            where=where,
            tried=tried,
            secret=self.record,
            measures=measures,
            trail=self.aws.trail,
        )


def _read_table(aws: Cloud, name: str, see: See, *, account: str | None = None) -> None:
    for (record,) in aws.database(name, account=account).execute("SELECT record FROM records"):
        see(record)


def _sealed(aws: Cloud, record: bytes) -> bytes:
    """The record as the browser seals it: an envelope, whose key the key policy keeps for it."""
    account = f"arn:aws:iam::{aws.account_id}"
    manage = ("kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy")
    policy = _policy(
        {"Principal": {"AWS": f"{account}:root"}, "Action": manage},
        {
            "Principal": {"AWS": f"{account}:user/clinic-app"},
            "Action": ("kms:GenerateDataKey", "kms:Decrypt"),
        },
    )
    key = boto3.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    kms = aws.session("clinic-app").client("kms")
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    nonce = os.urandom(12)
    envelope = {
        "wrapped_key": data_key["CiphertextBlob"],
        "nonce": nonce,
        "ciphertext": AESGCM(data_key["Plaintext"]).encrypt(nonce, record, None),
    }
    return json.dumps({name: part.hex() for name, part in envelope.items()}).encode()


def _policy(*statements: dict[str, Any]) -> str:
    allow = {"Effect": "Allow", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow | s for s in statements]})
