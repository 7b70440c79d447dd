"""S3 replication: what is copied, by whose permissions, and how each missing piece fails."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from kmscourse import cloud
from tests.cloud.at_rest.conftest import SECRET, everything_stored, learners

OTHER = "999988887777"
HERE, THERE = "us-east-1", "eu-central-1"
SOURCE, COPY = "ward-records", "ward-records-copy"
ROLE = "replicator"

_CLIENTS: dict[tuple[str, str, str], Any] = {}


def there(aws: cloud.Cloud, service: str, account: str | None = None) -> Any:
    """The client of an account's administrator in the Region of the copy. Made once: the same
    seed gives the same credentials."""
    if account is None:
        return client(aws.session("learner", region=THERE), service, "own")
    return client(aws.account(account).session("root", region=THERE), service, account)


def client(session: Any, service: str, whose: str) -> Any:
    """A client that is kept for the tests to come."""
    key = (service, whose, session.get_credentials().access_key)
    if key not in _CLIENTS:
        _CLIENTS[key] = session.client(service)
    return _CLIENTS[key]


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def document(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def deny(action: str, bucket: str) -> str:
    """A bucket policy that denies the role one thing."""
    arn = f"arn:aws:s3:::{bucket}"
    statement = allow(action, [arn, f"{arn}/*"], Principal="*")
    return document({**statement, "Effect": "Deny"})


TRUST = allow("sts:AssumeRole", Principal={"Service": "s3.amazonaws.com"})
del TRUST["Resource"]


@dataclass
class Setup:
    """Two buckets, two keys, a role and a rule between them: the working set-up.

    Attributes:
        account: whose the destination is; None for the same account.
    """

    aws: cloud.Cloud
    s3: Any
    account: str | None = None
    permissions: dict[str, dict[str, Any]] = field(default_factory=dict)
    rule: dict[str, Any] = field(default_factory=dict)
    source_key: str = ""
    replica_key: str = ""

    @property
    def role(self) -> str:
        """The role's ARN."""
        return f"arn:aws:iam::{self.aws.account_id}:role/{ROLE}"

    @property
    def away(self) -> Any:
        """The S3 client of the destination's owner."""
        return there(self.aws, "s3", self.account)

    @property
    def away_kms(self) -> Any:
        """The KMS client of the destination's owner."""
        return there(self.aws, "kms", self.account)

    def build(self) -> Setup:
        """Make everything but the rule."""
        self.s3.create_bucket(Bucket=SOURCE)
        self.away.create_bucket(
            Bucket=COPY, CreateBucketConfiguration={"LocationConstraint": THERE}
        )
        enabled = {"Status": "Enabled"}
        self.s3.put_bucket_versioning(Bucket=SOURCE, VersioningConfiguration=enabled)
        self.away.put_bucket_versioning(Bucket=COPY, VersioningConfiguration=enabled)
        learners("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=document(TRUST))
        self.source_key = learners("kms").create_key()["KeyMetadata"]["Arn"]
        self.replica_key = self.away_kms.create_key()["KeyMetadata"]["Arn"]
        source, copy = f"arn:aws:s3:::{SOURCE}", f"arn:aws:s3:::{COPY}"
        through = {"StringLike": {"kms:ViaService": f"s3.{HERE}.amazonaws.com"}}
        away = {
            "StringLike": {
                "kms:ViaService": f"s3.{THERE}.amazonaws.com",
                "kms:EncryptionContext:aws:s3:arn": f"{copy}/*",
            }
        }
        self.permissions = {
            "s3:GetReplicationConfiguration": allow("s3:GetReplicationConfiguration", source),
            "s3:ListBucket": allow("s3:ListBucket", source),
            "s3:GetObjectVersionForReplication": allow(
                "s3:GetObjectVersionForReplication", f"{source}/*"
            ),
            "s3:GetObjectVersionAcl": allow("s3:GetObjectVersionAcl", f"{source}/*"),
            "s3:GetObjectVersionTagging": allow("s3:GetObjectVersionTagging", f"{source}/*"),
            "s3:ReplicateObject": allow("s3:ReplicateObject", f"{copy}/*"),
            "s3:ReplicateDelete": allow("s3:ReplicateDelete", f"{copy}/*"),
            "s3:ReplicateTags": allow("s3:ReplicateTags", f"{copy}/*"),
            "kms:Decrypt": allow("kms:Decrypt", self.source_key, Condition=through),
            "kms:Encrypt": allow("kms:Encrypt", self.replica_key, Condition=away),
        }
        self.rule = {
            "ID": "to-the-copy",
            "Status": "Enabled",
            "Priority": 1,
            "Filter": {},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
            "Destination": {
                "Bucket": copy,
                "EncryptionConfiguration": {"ReplicaKmsKeyID": self.replica_key},
            },
        }
        if self.account is not None:
            self.let_in()
        return self

    def let_in(self) -> None:
        """What the other account allows: its bucket's policy and its key's."""
        principal = {"AWS": f"arn:aws:iam::{self.aws.account_id}:root"}
        what = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
        statement = allow(what, f"arn:aws:s3:::{COPY}/*", Principal=principal)
        self.away.put_bucket_policy(Bucket=COPY, Policy=document(statement))
        own = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{self.account}:root"})
        shared = allow("kms:Encrypt", Principal=principal)
        self.away_kms.put_key_policy(KeyId=self.replica_key, Policy=document(own, shared))

    def grant(self) -> None:
        """Give the role its permissions."""
        learners("iam").put_role_policy(
            RoleName=ROLE,
            PolicyName="replicate",
            PolicyDocument=document(*self.permissions.values()),
        )

    def apply(self) -> None:
        """Give the role its permissions and the bucket its rule."""
        self.grant()
        self.configure(self.rule)

    def configure(self, *rules: dict[str, Any]) -> None:
        """Give the bucket these rules."""
        self.s3.put_bucket_replication(
            Bucket=SOURCE, ReplicationConfiguration={"Role": self.role, "Rules": list(rules)}
        )

    def put(self, key: str = "k", **how: Any) -> None:
        """Write the secret under the source key, unless told otherwise."""
        under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.source_key}
        self.s3.put_object(Bucket=SOURCE, Key=key, Body=SECRET, **(how or under))

    def plain(self, key: str = "k", **more: Any) -> None:
        """Write the secret under SSE-S3."""
        self.s3.put_object(Bucket=SOURCE, Key=key, Body=SECRET, **more)

    def wait(self) -> None:
        """Let replication happen."""
        self.aws.clock.advance(minutes=15)

    def status(self, key: str = "k", **more: Any) -> str | None:
        """The replication status of the source."""
        status: str | None = self.s3.head_object(Bucket=SOURCE, Key=key, **more).get(
            "ReplicationStatus"
        )
        return status

    def is_copied(self, key: str = "k") -> bool:
        """Whether the destination has it."""
        return "Contents" in self.away.list_objects_v2(Bucket=COPY, Prefix=key)


@pytest.fixture
def setup(aws: cloud.Cloud, s3: Any) -> Setup:
    """The working set-up within one account."""
    return Setup(aws, s3).build()


@pytest.fixture
def across(aws: cloud.Cloud, s3: Any) -> Setup:
    """The working set-up across accounts."""
    return Setup(aws, s3, OTHER).build()


def test_an_object_under_a_kms_key_is_decrypted_and_encrypted_anew(
    aws: cloud.Cloud, setup: Setup
) -> None:
    setup.apply()
    setup.put(Metadata={"ward": "3"}, ServerSideEncryption="aws:kms", SSEKMSKeyId=setup.source_key)
    assert setup.status() == "PENDING"
    assert not setup.is_copied()
    setup.wait()
    assert setup.status() == "COMPLETED"
    replica = setup.away.get_object(Bucket=COPY, Key="k")
    assert replica["Body"].read() == SECRET
    assert replica["ReplicationStatus"] == "REPLICA"
    assert replica["SSEKMSKeyId"] == setup.replica_key
    source = setup.s3.head_object(Bucket=SOURCE, Key="k")
    assert replica["VersionId"] == source["VersionId"]
    assert replica["LastModified"] == source["LastModified"]
    assert replica["Metadata"] == {"ward": "3"}
    there_, here = aws.stored("s3", COPY, "k"), aws.stored("s3", SOURCE, "k")
    assert there_.context == {"aws:s3:arn": f"arn:aws:s3:::{COPY}/k"}
    assert (there_.key_arn, here.key_arn) == (setup.replica_key, setup.source_key)
    assert there_.ciphertext != here.ciphertext
    assert not any(SECRET in each for each in everything_stored(aws))


def test_the_trail_shows_the_role_at_work(aws: cloud.Cloud, setup: Setup) -> None:
    setup.apply()
    setup.put()
    before = len(aws.trail)
    setup.wait()
    seen = aws.trail.events(after=before)
    assert [event["eventName"] for event in seen] == [
        "AssumeRole",
        "Decrypt",
        "GetObject",
        "Encrypt",
        "PutObject",
    ]
    assert seen[0]["userIdentity"] == {"type": "AWSService", "invokedBy": "s3.amazonaws.com"}
    decrypt, encrypt = seen[1], seen[3]
    assert (decrypt["awsRegion"], encrypt["awsRegion"]) == (HERE, THERE)
    for event in (decrypt, encrypt):
        assert event["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] == setup.role
        assert event["userIdentity"]["invokedBy"] == "s3.amazonaws.com"
    assert encrypt["requestParameters"]["encryptionContext"] == {
        "aws:s3:arn": f"arn:aws:s3:::{COPY}/k"
    }


@dataclass(frozen=True)
class Omission:
    """One thing left out, and what AWS documents of it.

    Attributes:
        leave_out: takes it away from the working set-up.
        status: of the source afterwards; None where the object does not fall under the rule.
        reason: the failure reason, where it failed.
        refused: the first refusal on the trail: the call, and the permission or KMS's error.
        across: whether it needs two accounts.
    """

    leave_out: Callable[[Setup], Any]
    status: str | None = "FAILED"
    reason: str | None = None
    refused: str | None = None
    across: bool = False


def without(name: str) -> Callable[[Setup], None]:
    """Leave out a permission of the role."""

    def leave_out(setup: Setup) -> None:
        del setup.permissions[name]
        setup.grant()

    return leave_out


def with_rule(**changes: Any) -> Callable[[Setup], None]:
    """Write the rule in another way."""
    return lambda setup: setup.configure({**setup.rule, **changes})


def without_opting_in(setup: Setup) -> None:
    """A rule that says nothing of objects under KMS keys."""
    rule = {**setup.rule, "Destination": {"Bucket": f"arn:aws:s3:::{COPY}"}}
    del rule["SourceSelectionCriteria"]
    setup.configure(rule)


def with_replica_key(key: Callable[[Setup], str]) -> Callable[[Setup], None]:
    """Name another replica key."""

    def leave_out(setup: Setup) -> None:
        setup.permissions["kms:Encrypt"] = allow("kms:Encrypt")
        setup.grant()
        destination = dict(setup.rule["Destination"])
        destination["EncryptionConfiguration"] = {"ReplicaKmsKeyID": key(setup)}
        setup.configure({**setup.rule, "Destination": destination})

    return leave_out


def asymmetric(setup: Setup) -> str:
    """A replica key of the wrong kind."""
    made = setup.away_kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    return str(made["KeyMetadata"]["Arn"])


def aws_managed(setup: Setup) -> str:
    """The other account's AWS managed key, whose policy nobody can change."""
    made = setup.away.put_object(Bucket=COPY, Key="own", Body=b"", ServerSideEncryption="aws:kms")
    return str(made["SSEKMSKeyId"])


def key_gives_nothing(setup: Setup) -> None:
    """The other account's key policy without the source's account."""
    own = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{OTHER}:root"})
    setup.away_kms.put_key_policy(KeyId=setup.replica_key, Policy=document(own))


def empty_and_delete_copy(setup: Setup) -> None:
    """No destination."""
    setup.away.delete_bucket(Bucket=COPY)


def trust_nobody(setup: Setup) -> None:
    """A role that S3 may not assume."""
    other = {**TRUST, "Principal": {"Service": "ec2.amazonaws.com"}}
    learners("iam").update_assume_role_policy(RoleName=ROLE, PolicyDocument=document(other))


def suspended(setup: Setup) -> None:
    """A destination without versioning."""
    suspend = {"Status": "Suspended"}
    setup.away.put_bucket_versioning(Bucket=COPY, VersioningConfiguration=suspend)


OMISSIONS: dict[str, Omission] = {
    "nothing left out": Omission(lambda _: None, "COMPLETED"),
    "nothing left out, two accounts": Omission(lambda _: None, "COMPLETED", across=True),
    "the rule is disabled": Omission(with_rule(Status="Disabled"), None),
    "another prefix": Omission(with_rule(Filter={"Prefix": "elsewhere/"}), None),
    "no SseKmsEncryptedObjects": Omission(without_opting_in, None),
    "no trust in S3": Omission(
        trust_nobody, reason="AssumeRoleNotPermitted", refused="AssumeRole: sts:AssumeRole"
    ),
    "no s3:GetReplicationConfiguration": Omission(
        without("s3:GetReplicationConfiguration"),
        reason="SrcBucketReplicationConfigMissing",
        refused="GetBucketReplication: s3:GetReplicationConfiguration",
    ),
    "no s3:ListBucket": Omission(
        without("s3:ListBucket"),
        reason="SrcHeadObjectNotPermitted",
        refused="ListObjectVersions: s3:ListBucket",
    ),
    "no s3:GetObjectVersionForReplication": Omission(
        without("s3:GetObjectVersionForReplication"),
        reason="SrcGetObjectNotPermitted",
        refused="GetObject: s3:GetObjectVersionForReplication",
    ),
    "no s3:GetObjectVersionAcl": Omission(
        without("s3:GetObjectVersionAcl"),
        reason="SrcGetAclNotPermitted",
        refused="GetObject: s3:GetObjectVersionAcl",
    ),
    "no kms:Decrypt on the source's key": Omission(
        without("kms:Decrypt"), reason="SrcGetObjectNotPermitted", refused="Decrypt: kms:Decrypt"
    ),
    "the source's key is disabled": Omission(
        lambda setup: learners("kms").disable_key(KeyId=setup.source_key),
        reason="SrcKmsKeyInvalidState",
        refused="Decrypt: DisabledException",
    ),
    "no s3:ReplicateObject": Omission(
        without("s3:ReplicateObject"),
        reason="DstPutObjectNotPermitted",
        refused="PutObject: s3:ReplicateObject",
    ),
    "no kms:Encrypt on the replica's key": Omission(
        without("kms:Encrypt"), reason="DstPutObjectNotPermitted", refused="Encrypt: kms:Encrypt"
    ),
    "the replica's key is disabled": Omission(
        lambda setup: setup.away_kms.disable_key(KeyId=setup.replica_key),
        reason="DstKmsKeyInvalidState",
        refused="Encrypt: DisabledException",
    ),
    "the replica's key does not exist": Omission(
        with_replica_key(lambda setup: setup.replica_key[:-36] + str(UUID(int=0))),
        reason="DstKmsKeyNotFound",
        refused="Encrypt: NotFoundException",
    ),
    "the replica's key is of another Region": Omission(
        with_replica_key(lambda setup: setup.source_key),
        reason="DstKmsKeyNotFound",
        refused="Encrypt: NotFoundException",
    ),
    "the replica's key is asymmetric": Omission(
        with_replica_key(asymmetric),
        reason="DstPutObjectNotPermitted",
        refused="Encrypt: InvalidKeyUsageException",
    ),
    "no versioning at the destination": Omission(suspended, reason="DstBucketUnversioned"),
    "no destination": Omission(empty_and_delete_copy, reason="DstBucketNotFound"),
    "two accounts, no bucket policy": Omission(
        lambda setup: setup.away.delete_bucket_policy(Bucket=COPY),
        reason="DstPutObjectNotPermitted",
        refused="PutObject: s3:ReplicateObject",
        across=True,
    ),
    "two accounts, nothing in the key policy": Omission(
        key_gives_nothing,
        reason="DstPutObjectNotPermitted",
        refused="Encrypt: kms:Encrypt",
        across=True,
    ),
    "two accounts, an AWS managed replica key": Omission(
        with_replica_key(aws_managed),
        reason="DstPutObjectNotPermitted",
        refused="Encrypt: kms:Encrypt",
        across=True,
    ),
}


def reasons_sent(queue: str) -> list[str]:
    """The failure reasons in the messages of a queue."""
    received = learners("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    return [
        record["replicationEventData"]["failureReason"]
        for message in received.get("Messages", [])
        for record in json.loads(message["Body"]).get("Records", [])  # without: S3's test message
        if record["eventName"] == "Replication:OperationFailedReplication"
    ]


def listen(setup: Setup) -> str:
    """A queue that is told of failed replications."""
    queue = str(learners("sqs").create_queue(QueueName="failures")["QueueUrl"])
    where = {
        "QueueArn": f"arn:aws:sqs:{HERE}:{setup.aws.account_id}:failures",
        "Events": ["s3:Replication:OperationFailedReplication"],
    }
    setup.s3.put_bucket_notification_configuration(
        Bucket=SOURCE, NotificationConfiguration={"QueueConfigurations": [where]}
    )
    setup.rule["Destination"]["Metrics"] = {"Status": "Enabled"}
    return queue


def first_refusal(aws: cloud.Cloud, since: int) -> str | None:
    """The first call on the trail that was refused, and why."""
    for event in aws.trail.events(after=since):
        if "errorCode" in event:
            named = re.search(r"not authorized to perform: (\S+)", event.get("errorMessage", ""))
            return f"{event['eventName']}: {named[1] if named else event['errorCode']}"
    return None


@pytest.fixture(scope="module")
def table() -> Iterator[list[tuple[str, ...]]]:
    """The table of omissions, as the tests found them: ``pytest -s`` shows it."""
    rows: list[tuple[str, ...]] = [("left out", "status", "failure reason", "first refusal")]
    yield rows
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


@pytest.mark.parametrize("name", OMISSIONS)
def test_each_omission_fails_in_its_own_way(
    aws: cloud.Cloud, s3: Any, name: str, table: list[tuple[str, ...]]
) -> None:
    case = OMISSIONS[name]
    setup = Setup(aws, s3, OTHER if case.across else None).build()
    queue = listen(setup)
    setup.apply()
    if case.status is None:
        case.leave_out(setup)
        setup.put()
    else:
        setup.put()
        case.leave_out(setup)
    before = len(aws.trail)
    setup.wait()
    refused = first_refusal(aws, before)
    status, reasons = setup.status(), reasons_sent(queue)
    table.append((name, str(status), ", ".join(reasons), str(refused or "")))
    assert status == case.status
    assert reasons == ([case.reason] if case.reason else [])
    assert refused == case.refused
    if name != "no destination":
        assert setup.is_copied() is (case.status == "COMPLETED")
