"""S3 replication: what is copied, by whose permissions, and how each missing piece fails."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError

from kmscourse import cloud
from tests.cloud.at_rest.conftest import SECRET, customer_key, everything_stored, learners
from tests.cloud.conftest import code_of, message_of

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


@pytest.mark.parametrize(
    ("name", "because"),
    [
        ("no trust in S3", "sts:AssumeRole"),
        ("no s3:ReplicateObject", "s3:ReplicateObject"),
        ("no kms:Decrypt on the source's key", "kms:Decrypt"),
        ("two accounts, nothing in the key policy", "kms:Encrypt"),
    ],
)
def test_each_refusal_on_the_trail_can_be_explained(
    aws: cloud.Cloud, s3: Any, name: str, because: str
) -> None:
    case = OMISSIONS[name]
    setup = Setup(aws, s3, OTHER if case.across else None).build()
    setup.apply()
    setup.put()
    case.leave_out(setup)
    before = len(aws.trail)
    setup.wait()
    refused = [event for event in aws.trail.events(after=before) if "errorCode" in event]
    assert refused
    for event in refused:  # of the KMS call, and of the S3 call that it was made for
        decision = aws.explain(event)
        assert not decision.allowed
        assert decision.request.action == because
    done = next(event for event in aws.trail.events() if "errorCode" not in event)
    with pytest.raises(ValueError, match="was not refused"):
        aws.explain(done)


def test_sse_s3_objects_are_replicated_without_any_key_or_opting_in(
    aws: cloud.Cloud, setup: Setup
) -> None:
    for name in ("kms:Decrypt", "kms:Encrypt", "s3:GetObjectVersionForReplication"):
        del setup.permissions[name]
    source = f"arn:aws:s3:::{SOURCE}/*"
    setup.permissions["s3:GetObjectVersion"] = allow("s3:GetObjectVersion", source)
    setup.grant()
    without_opting_in(setup)
    setup.plain()
    setup.wait()
    assert setup.status() == "COMPLETED"
    replica = setup.away.get_object(Bucket=COPY, Key="k")
    assert replica["Body"].read() == SECRET
    assert replica["ServerSideEncryption"] == "AES256"
    assert replica["ETag"] == setup.s3.head_object(Bucket=SOURCE, Key="k")["ETag"]
    # Permission to read is not enough for objects under KMS keys.
    setup.permissions["kms"] = allow("kms:*")
    setup.apply()
    setup.put("under kms")
    setup.wait()
    assert setup.status("under kms") == "FAILED"


def test_a_destination_that_encrypts_by_kms_leaves_sse_s3_replicas_as_they_are(
    setup: Setup,
) -> None:
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": setup.replica_key}
    setup.away.put_bucket_encryption(
        Bucket=COPY,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": by_default}]
        },
    )
    setup.apply()
    setup.plain()
    setup.wait()
    replica = setup.away.head_object(Bucket=COPY, Key="k")
    assert (replica["ReplicationStatus"], replica["ServerSideEncryption"]) == ("REPLICA", "AES256")


def unblock(s3: Any, bucket: str) -> None:
    """Let a bucket take SSE-C."""
    rule = {"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


def test_sse_c_objects_are_replicated_where_the_destination_takes_them(
    aws: cloud.Cloud, setup: Setup
) -> None:
    setup.apply()
    unblock(setup.s3, SOURCE)
    mine = customer_key()
    setup.plain("blocked", **mine)
    setup.wait()
    assert setup.status("blocked", **mine) == "FAILED"
    unblock(setup.away, COPY)
    setup.plain(**mine)
    setup.wait()
    assert setup.status(**mine) == "COMPLETED"
    assert setup.away.get_object(Bucket=COPY, Key="k", **mine)["Body"].read() == SECRET
    with pytest.raises(ClientError) as refused:
        setup.away.get_object(Bucket=COPY, Key="k", **customer_key())
    assert code_of(refused) == "AccessDenied"
    assert aws.stored("s3", COPY, "k").sse == "SSE-C"


def test_dsse_keeps_its_two_layers(aws: cloud.Cloud, setup: Setup) -> None:
    setup.apply()
    setup.put(ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId=setup.source_key)
    setup.wait()
    assert setup.away.get_object(Bucket=COPY, Key="k")["Body"].read() == SECRET
    assert len(aws.stored("s3", COPY, "k").wrapped_keys) == 2


def test_a_bucket_key_needs_generate_and_decrypt_under_the_buckets_arn(
    aws: cloud.Cloud, setup: Setup
) -> None:
    setup.permissions["kms:Decrypt"] = allow("kms:Decrypt", setup.source_key)
    setup.apply()
    how: dict[str, Any] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": setup.source_key}
    setup.put("first", **how, BucketKeyEnabled=True)
    setup.wait()
    assert setup.status("first") == "FAILED"  # the documented policy names the objects' ARNs
    bucket = {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{COPY}"}}
    setup.permissions["bucket key"] = allow(
        ["kms:GenerateDataKey", "kms:Decrypt"], setup.replica_key, Condition=bucket
    )
    setup.grant()
    for name in "abc":
        setup.put(name, **how, BucketKeyEnabled=True)
    before = len(aws.trail)
    setup.wait()
    assert [setup.status(name) for name in "abc"] == ["COMPLETED"] * 3
    calls = aws.trail.events(service="kms", after=before)
    assert [event["eventName"] for event in calls] == ["Decrypt", "GenerateDataKey", "Decrypt"]
    replica = setup.away.head_object(Bucket=COPY, Key="a")
    assert replica["BucketKeyEnabled"]
    assert replica["ETag"] != setup.s3.head_object(Bucket=SOURCE, Key="a")["ETag"]
    assert setup.away.get_object(Bucket=COPY, Key="c")["Body"].read() == SECRET


def test_multi_region_keys_are_two_keys_to_s3(aws: cloud.Cloud, setup: Setup) -> None:
    kms = learners("kms")
    setup.source_key = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    made = kms.replicate_key(KeyId=setup.source_key, ReplicaRegion=THERE)
    setup.replica_key = made["ReplicaKeyMetadata"]["Arn"]
    for name, key in (("kms:Decrypt", setup.source_key), ("kms:Encrypt", setup.replica_key)):
        setup.permissions[name]["Resource"] = key
    encryption = {"ReplicaKmsKeyID": setup.replica_key}
    setup.rule["Destination"]["EncryptionConfiguration"] = encryption
    setup.apply()
    setup.put()
    before = len(aws.trail)
    setup.wait()
    calls = aws.trail.events(service="kms", after=before)
    assert [(c["eventName"], c["awsRegion"]) for c in calls] == [
        ("Decrypt", HERE),
        ("Encrypt", THERE),
    ]
    here, copy = aws.stored("s3", SOURCE, "k"), aws.stored("s3", COPY, "k")
    assert here.key_material_id == copy.key_material_id
    assert (here.wrapped_key, here.ciphertext) != (copy.wrapped_key, copy.ciphertext)


def test_what_was_there_before_the_rule_is_left_behind(setup: Setup) -> None:
    setup.plain("before")
    setup.apply()
    setup.plain("after")
    setup.wait()
    assert (setup.status("before"), setup.status("after")) == (None, "COMPLETED")
    assert not setup.is_copied("before")
    # A copy onto itself is a new object.
    where = {"Bucket": SOURCE, "Key": "before"}
    setup.s3.copy_object(**where, CopySource=where, MetadataDirective="REPLACE")
    setup.wait()
    assert setup.is_copied("before")


def test_what_failed_is_not_tried_again(setup: Setup) -> None:
    missing = setup.permissions.pop("kms:Decrypt")
    setup.apply()
    setup.put()
    setup.wait()
    setup.permissions["kms:Decrypt"] = missing
    setup.grant()
    setup.wait()
    assert setup.status() == "FAILED"
    setup.put()
    setup.wait()
    assert setup.status() == "COMPLETED"


def test_where_kms_throttles_objects_stay_pending_until_it_has_time(
    aws: cloud.Cloud, setup: Setup
) -> None:
    setup.apply()
    for name in "abcdef":
        setup.put(name)
    aws.quotas.on(symmetric=2)
    setup.wait()
    # A HEAD request lets time pass, in which the next ones get their turn.
    assert setup.status("f") == "PENDING"
    assert setup.status("a") == "COMPLETED"
    assert aws.trail.events("Decrypt", user=ROLE, error="ThrottlingException")
    for _ in range(3):
        aws.clock.advance(seconds=1)
    assert [setup.status(name) for name in "abcdef"] == ["COMPLETED"] * 6


def test_without_the_configuration_what_waits_fails(setup: Setup) -> None:
    setup.apply()
    setup.plain()
    setup.s3.delete_bucket_replication(Bucket=SOURCE)
    setup.wait()
    assert setup.status() == "FAILED"


def test_multipart_uploads_are_replicated(setup: Setup) -> None:
    setup.apply()
    how: dict[str, Any] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": setup.source_key}
    upload = setup.s3.create_multipart_upload(Bucket=SOURCE, Key="k", **how)["UploadId"]
    named: dict[str, Any] = {"Bucket": SOURCE, "Key": "k", "UploadId": upload}
    part = setup.s3.upload_part(**named, PartNumber=1, Body=SECRET)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    setup.s3.complete_multipart_upload(**named, MultipartUpload=parts)
    assert setup.status() == "PENDING"
    setup.wait()
    assert setup.away.get_object(Bucket=COPY, Key="k")["Body"].read() == SECRET


def test_delete_markers_go_along_where_the_rule_says_so(setup: Setup) -> None:
    def is_deleted() -> bool:
        found = setup.away.list_object_versions(Bucket=COPY)
        return "DeleteMarkers" in found

    setup.apply()
    setup.plain()
    setup.s3.delete_object(Bucket=SOURCE, Key="k")
    setup.wait()
    assert not is_deleted()
    assert setup.is_copied()
    setup.configure({**setup.rule, "DeleteMarkerReplication": {"Status": "Enabled"}})
    forbidden = setup.permissions.pop("s3:ReplicateDelete")
    setup.grant()
    setup.s3.delete_object(Bucket=SOURCE, Key="k")
    setup.wait()
    assert not is_deleted()
    assert setup.aws.trail.events("DeleteObject", user=ROLE, error="AccessDenied")
    setup.permissions["s3:ReplicateDelete"] = forbidden
    setup.grant()
    setup.s3.delete_objects(Bucket=SOURCE, Delete={"Objects": [{"Key": "k"}]})
    setup.wait()
    assert is_deleted()
    assert not setup.is_copied()


def test_deleting_a_version_stays_at_the_source(setup: Setup) -> None:
    setup.configure({**setup.rule, "DeleteMarkerReplication": {"Status": "Enabled"}})
    setup.grant()
    setup.plain()
    setup.wait()
    version = setup.s3.head_object(Bucket=SOURCE, Key="k")["VersionId"]
    setup.s3.delete_object(Bucket=SOURCE, Key="k", VersionId=version)
    setup.plain("gone")
    version = setup.s3.head_object(Bucket=SOURCE, Key="gone")["VersionId"]
    setup.s3.delete_object(Bucket=SOURCE, Key="gone", VersionId=version)
    setup.wait()
    assert setup.is_copied()
    assert not setup.is_copied("gone")


def test_tags_choose_objects_and_go_along(setup: Setup) -> None:
    wanted = [{"Key": "class", "Value": "secret"}, {"Key": "ward", "Value": "3"}]
    both = {"And": {"Prefix": "in/", "Tags": wanted}}
    setup.rule["Filter"] = both
    setup.apply()
    setup.plain("in/a", Tagging="class=secret&ward=3&more=x")
    setup.plain("in/b", Tagging="class=secret")
    setup.plain("out/c", Tagging="class=secret&ward=3")
    setup.plain("in/late")
    setup.s3.put_object_tagging(Bucket=SOURCE, Key="in/late", Tagging={"TagSet": wanted})
    setup.wait()
    found = [setup.status(key) for key in ("in/a", "in/b", "out/c", "in/late")]
    assert found == ["COMPLETED", None, None, None]
    tags = setup.away.get_object_tagging(Bucket=COPY, Key="in/a")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "class": "secret",
        "ward": "3",
        "more": "x",
    }


def test_tags_stay_behind_without_the_permission_and_stop_everything_if_denied(
    setup: Setup,
) -> None:
    del setup.permissions["s3:GetObjectVersionTagging"]
    setup.apply()
    setup.plain("a", Tagging="ward=3")
    setup.wait()
    assert setup.status("a") == "COMPLETED"
    assert setup.away.get_object_tagging(Bucket=COPY, Key="a")["TagSet"] == []
    policy = deny("s3:GetObjectVersionTagging", SOURCE)
    setup.s3.put_bucket_policy(Bucket=SOURCE, Policy=policy)
    setup.plain("b", Tagging="ward=3")
    setup.plain("c")
    setup.wait()
    assert (setup.status("b"), setup.status("c")) == ("FAILED", "COMPLETED")


def test_the_destinations_owner_can_refuse_the_tags(setup: Setup) -> None:
    setup.apply()
    setup.away.put_bucket_policy(Bucket=COPY, Policy=deny("s3:ReplicateTags", COPY))
    setup.plain(Tagging="ward=3")
    setup.wait()
    assert setup.status() == "COMPLETED"
    assert setup.away.get_object_tagging(Bucket=COPY, Key="k")["TagSet"] == []


def second(setup: Setup, name: str = "ward-records-third") -> str:
    """One more destination."""
    setup.s3.create_bucket(Bucket=name)
    setup.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def test_two_destinations_are_done_only_together(setup: Setup) -> None:
    third = second(setup)
    destination = {"Bucket": f"arn:aws:s3:::{third}"}
    more = {**setup.rule, "ID": "second", "Priority": 2, "Destination": destination}
    del more["SourceSelectionCriteria"]
    setup.grant()
    setup.configure(setup.rule, more)
    setup.plain("a")
    setup.wait()
    assert setup.status("a") == "FAILED"
    assert setup.is_copied("a")
    setup.permissions["third"] = allow("s3:ReplicateObject", f"arn:aws:s3:::{third}/*")
    setup.grant()
    setup.plain("b")
    setup.wait()
    assert setup.status("b") == "COMPLETED"
    assert setup.s3.head_object(Bucket=third, Key="b")["ReplicationStatus"] == "REPLICA"


def test_of_two_rules_for_one_destination_the_higher_priority_counts(setup: Setup) -> None:
    destination = {**setup.rule["Destination"], "StorageClass": "STANDARD_IA"}
    more = {**setup.rule, "ID": "star", "Priority": 7, "Filter": {"Prefix": "star"}}
    setup.grant()
    setup.configure(setup.rule, {**more, "Destination": destination})
    setup.plain("star-a")
    setup.plain("b")
    setup.wait()
    classes = [
        setup.away.head_object(Bucket=COPY, Key=key).get("StorageClass") for key in ("star-a", "b")
    ]
    assert classes == ["STANDARD_IA", None]


def test_replicas_are_not_replicated_further(setup: Setup) -> None:
    third = second(setup)
    setup.permissions["all"] = allow("s3:*")
    setup.apply()
    onwards = {**setup.rule, "Destination": {"Bucket": f"arn:aws:s3:::{third}"}}
    del onwards["SourceSelectionCriteria"]
    setup.away.put_bucket_replication(
        Bucket=COPY, ReplicationConfiguration={"Role": setup.role, "Rules": [onwards]}
    )
    setup.plain()
    setup.wait()
    setup.wait()
    assert setup.is_copied()
    assert "Contents" not in setup.s3.list_objects_v2(Bucket=third)


def test_the_earlier_schema_takes_delete_markers_along(setup: Setup) -> None:
    rule = {key: setup.rule[key] for key in ("Status", "Destination", "SourceSelectionCriteria")}
    setup.grant()
    setup.configure({**rule, "Prefix": "k"})
    setup.plain()
    setup.s3.delete_object(Bucket=SOURCE, Key="k")
    setup.wait()
    assert "DeleteMarkers" in setup.away.list_object_versions(Bucket=COPY)


def test_the_configuration_is_given_back_as_it_was(setup: Setup) -> None:
    with pytest.raises(ClientError) as missing:
        setup.s3.get_bucket_replication(Bucket=SOURCE)
    assert code_of(missing) == "ReplicationConfigurationNotFoundError"
    setup.apply()
    found = setup.s3.get_bucket_replication(Bucket=SOURCE)["ReplicationConfiguration"]
    assert found == {"Role": setup.role, "Rules": [setup.rule]}
    suspend = {"Status": "Suspended"}
    with pytest.raises(ClientError) as refused:
        setup.s3.put_bucket_versioning(Bucket=SOURCE, VersioningConfiguration=suspend)
    assert code_of(refused) == "InvalidBucketState"
    setup.s3.delete_bucket_replication(Bucket=SOURCE)
    setup.s3.put_bucket_versioning(Bucket=SOURCE, VersioningConfiguration=suspend)
    with pytest.raises(ClientError) as unversioned:
        setup.apply()
    assert code_of(unversioned) == "InvalidRequest"
    assert message_of(unversioned) == (
        "Versioning must be 'Enabled' on the bucket to apply a replication configuration"
    )


_SCHEMA = (
    "for this version of Cross Region Replication configuration schema. Please refer to S3 "
    "Developer Guide for more information."
)


@pytest.mark.parametrize(
    ("leave_out", "changes", "code", "words"),
    [
        ("Priority", {}, "InvalidRequest", f"Priority must be specified {_SCHEMA}"),
        (
            "DeleteMarkerReplication",
            {},
            "InvalidRequest",
            f"DeleteMarkerReplication must be specified {_SCHEMA}",
        ),
        ("Filter", {"Prefix": ""}, "InvalidRequest", f"Priority cannot be used {_SCHEMA}"),
        ("Filter", {}, "MalformedXML", None),
        (
            "",
            {
                "Filter": {"Tag": {"Key": "a", "Value": "b"}},
                "DeleteMarkerReplication": {"Status": "Enabled"},
            },
            "InvalidRequest",
            "Delete marker replication is not supported if any Tag filter is specified. Please "
            "refer to S3 Developer Guide for more information.",
        ),
        (
            "",
            {"Destination": {"Bucket": "arn:aws:s3:::nowhere-at-all"}},
            "InvalidRequest",
            "Destination bucket must exist.",
        ),
        (
            "",
            {
                "Destination": {
                    "Bucket": f"arn:aws:s3:::{COPY}",
                    "Account": "123456789012",
                    "AccessControlTranslation": {"Owner": "123456789012"},
                }
            },
            "MalformedXML",  # the model's enum OwnerOverride has one value
            None,
        ),
        (
            "",
            {"Destination": {"Bucket": f"arn:aws:s3:::{COPY}"}},
            "InvalidRequest",
            "ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects tag is enabled.",
        ),
        (
            "SourceSelectionCriteria",
            {},
            "InvalidRequest",
            "SseKmsEncryptedObjects must be specified if EncryptionConfiguration is present.",
        ),
    ],
)
def test_rules_that_are_none_are_refused(
    setup: Setup, leave_out: str, changes: dict[str, Any], code: str, words: str | None
) -> None:
    rule = {key: value for key, value in setup.rule.items() if key != leave_out} | changes
    with pytest.raises(ClientError) as refused:
        setup.configure(rule)
    assert code_of(refused) == code
    if words is not None:
        assert message_of(refused) == words


def test_a_destination_without_versioning_is_refused_at_once(setup: Setup) -> None:
    suspended(setup)
    with pytest.raises(ClientError) as refused:
        setup.apply()
    assert message_of(refused) == "Destination bucket must have versioning enabled."


def test_whoever_sets_up_replication_must_be_allowed_to_pass_the_role(
    aws: cloud.Cloud, setup: Setup
) -> None:
    ana = client(aws.session("ana"), "s3", "ana")
    allowed = [allow("s3:*")]

    def configure() -> None:
        learners("iam").put_user_policy(
            UserName="ana", PolicyName="p", PolicyDocument=document(*allowed)
        )
        configuration = {"Role": setup.role, "Rules": [setup.rule]}
        ana.put_bucket_replication(Bucket=SOURCE, ReplicationConfiguration=configuration)

    with pytest.raises(ClientError) as refused:
        configure()
    assert code_of(refused) == "AccessDenied"
    assert "iam:PassRole" in message_of(refused)
    to_s3 = {"StringEquals": {"iam:PassedToService": "s3.amazonaws.com"}}
    allowed.append(allow("iam:PassRole", setup.role, Condition=to_s3))
    configure()


def test_a_seeded_replication_is_the_same_each_time() -> None:
    def run() -> tuple[bytes, list[tuple[str, ...]]]:
        with cloud.running(seed="data at rest") as aws:
            setup = Setup(aws, learners("s3")).build()
            setup.apply()
            setup.put()
            setup.wait()
            return bytes(aws.stored("s3", COPY, "k")), aws.trail.events().rows()

    assert run() == run()
