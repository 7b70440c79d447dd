"""What the questions of lesson 11 claim, played on the simulator."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from botocore.exceptions import ClientError

from kmscourse.exam.proofs import Outcome, Tried, proof, tried

OTHER, HERE, THERE = "222222222222", "us-east-1", "eu-central-1"
SOURCE, COPY = "ward-records", "ward-records-copy"
ALL_OF_KMS = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
ALLOWS_SSE_C = {"Rules": [{"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}]}


def said(answer: Tried) -> str:
    """How a call went, for whoever reads the proof."""
    return "The call succeeded." if answer.ok else f"Refused: {answer.code}. {answer.words}".strip()


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


class World:
    """Two buckets in two Regions, two keys, a role and a rule that work.

    Args:
        account: whose the destination is; the source's own account for None.
    """

    def __init__(self, aws: Any, account: str | None = None) -> None:
        self.aws, self.account = aws, account or aws.account_id
        self.s3, self.kms, self.iam = (boto3.client(name) for name in ("s3", "kms", "iam"))
        who = "root" if account else "learner"
        away = aws.account(self.account).session(who, region=THERE)
        self.away_s3, self.away_kms = away.client("s3"), away.client("kms")
        self.s3.create_bucket(Bucket=SOURCE)
        where = {"LocationConstraint": THERE}
        self.away_s3.create_bucket(Bucket=COPY, CreateBucketConfiguration=where)
        versions = {"VersioningConfiguration": {"Status": "Enabled"}}
        self.s3.put_bucket_versioning(Bucket=SOURCE, **versions)
        self.away_s3.put_bucket_versioning(Bucket=COPY, **versions)
        trust = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}}
        made = self.iam.create_role(
            RoleName="replicator",
            AssumeRolePolicyDocument=document({**trust, "Action": "sts:AssumeRole"}),
        )
        self.role = made["Role"]["Arn"]
        self.source_key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.replica_key = self.away_kms.create_key()["KeyMetadata"]["Arn"]
        self.decrypt = allow("kms:Decrypt", self.source_key)
        self.encrypt = allow("kms:Encrypt", self.replica_key)
        self.own = allow("kms:*", Principal={"AWS": f"arn:aws:iam::{self.account}:root"})
        self.rule = {
            "ID": "all",
            "Status": "Enabled",
            "Priority": 1,
            "Filter": {},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{COPY}"},
        }
        self.give(self.decrypt, self.encrypt)
        if account:
            self.bucket_policy("s3:ReplicateObject")
            self.key_policy("kms:Encrypt")
        self.apply(self.selecting(self.replica_key))

    def selecting(self, key: str) -> dict[str, Any]:
        """The rule that takes objects under KMS keys along."""
        encryption = {"EncryptionConfiguration": {"ReplicaKmsKeyID": key}}
        return {
            **self.rule,
            "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
            "Destination": {**self.rule["Destination"], **encryption},
        }

    def apply(self, rule: dict[str, Any]) -> Tried:
        configuration = {"Role": self.role, "Rules": [rule]}
        return tried(
            self.s3.put_bucket_replication,
            Bucket=SOURCE,
            ReplicationConfiguration=configuration,
        )

    def give(self, *in_kms: dict[str, Any]) -> None:
        """The role's policy: what it needs in S3, and these statements."""
        source, copy = f"arn:aws:s3:::{SOURCE}", f"arn:aws:s3:::{COPY}"
        reads = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl"]
        statements = [
            allow(["s3:GetReplicationConfiguration", "s3:ListBucket"], source),
            allow(reads, f"{source}/*"),
            allow("s3:ReplicateObject", f"{copy}/*"),
        ]
        self.iam.put_role_policy(
            RoleName="replicator",
            PolicyName="replicate",
            PolicyDocument=document(*statements, *in_kms),
        )

    def bucket_policy(self, *actions: str) -> Tried:
        statement = allow(list(actions), f"arn:aws:s3:::{COPY}/*", Principal={"AWS": self.role})
        return tried(self.away_s3.put_bucket_policy, Bucket=COPY, Policy=document(statement))

    def key_policy(self, *actions: str) -> None:
        statements = [self.own]
        if actions:
            statements.append(allow(list(actions), Principal={"AWS": self.role}))
        self.away_kms.put_key_policy(KeyId=self.replica_key, Policy=document(*statements))

    def put(self, key: str = "record", **how: Any) -> None:
        under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.source_key}
        self.s3.put_object(Bucket=SOURCE, Key=key, Body=b"4711", **(how or under))

    def plain(self, key: str) -> None:
        self.put(key, ServerSideEncryption="AES256")

    def wait(self) -> None:
        self.aws.clock.advance(minutes=15)

    def status(self, key: str = "record", **how: Any) -> str | None:
        head = self.s3.head_object(Bucket=SOURCE, Key=key, **how)
        found: str | None = head.get("ReplicationStatus")
        return found

    def refused(self) -> list[Any]:
        """The role's refused calls, on the source's trail."""
        mine = self.aws.trail.events(user="replicator", account=self.aws.account_id)
        return [event for event in mine if "errorCode" in event]

    def calls(self) -> list[str]:
        """The Regions of the role's calls to KMS."""
        mine = self.aws.trail.events(user="replicator", service="kms", account=self.aws.account_id)
        return [event["awsRegion"] for event in mine]


def arrived(world: World, key: str = "record") -> Outcome:
    """The outcome by whether an object has arrived."""
    status = world.status(key)
    refused = world.refused()
    why = f" {refused[0]['eventName']}: {refused[0]['errorCode']}." if refused else ""
    return Outcome(holds=status == "COMPLETED", seen=f"Its status is {status}.{why}")


@proof("replication-no-status")
def no_status(aws, case):
    """The cause is built in; an object of each kind is uploaded."""
    world = World(aws, OTHER)
    if case == "no-decrypt":
        world.give(world.encrypt)
    elif case == "not-selected":
        world.apply(world.rule)
    elif case == "no-key-policy":
        world.key_policy()
    world.plain("leaflet")
    world.put()
    if case == "throttled":
        for number in range(5):
            world.put(f"more-{number}")
        aws.quotas.on(symmetric=0.001)
    world.wait()
    status, plain, refused = world.status(), world.status("leaflet"), world.refused()
    seen = f"The status is {status}, and {len(refused)} calls were refused."
    return Outcome(holds=status is None and plain == "COMPLETED" and not refused, seen=seen)


@proof("replication-by-default")
def by_default(aws, case):
    """The rule says nothing of encryption; an object of the kind is uploaded."""
    world = World(aws)
    world.give()
    world.apply(world.rule)
    for client, bucket in ((world.s3, SOURCE), (world.away_s3, COPY)):
        client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=ALLOWS_SSE_C)
    own = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
    how = {
        "sse-s3": {"ServerSideEncryption": "AES256"},
        "sse-c": own,
        "sse-kms": {},
        "aws-managed": {"ServerSideEncryption": "aws:kms"},
        "dsse-kms": {"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": world.source_key},
    }[case]
    world.put(**how)
    world.wait()
    status = world.status(**(own if case == "sse-c" else {}))
    return Outcome(holds=status == "COMPLETED", seen=f"Its replication status is {status}.")


@proof("replication-switch-on")
def switch_on(aws, case):
    """The rule gets what the option adds; an object under a KMS key is uploaded."""
    world = World(aws)
    world.s3.delete_bucket_replication(Bucket=SOURCE)
    whole = world.selecting(world.replica_key)
    if case == "criteria-only":
        rule = {**whole, "Destination": world.rule["Destination"]}
    elif case == "key-only":
        rule = {**world.rule, "Destination": whole["Destination"]}
    elif case == "both":
        rule = whole
    else:
        rule = world.rule
        by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": world.replica_key}
        world.away_s3.put_bucket_encryption(
            Bucket=COPY,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": by_default}]
            },
        )
    applied = world.apply(rule)
    world.put()
    world.wait()
    outcome = arrived(world)
    return outcome if applied.ok else Outcome(holds=outcome.holds, seen=said(applied))


@proof("replication-role")
def role(aws, case):
    """The role gets the two permissions of the option, and an object is replicated."""
    world = World(aws)
    first, second = {
        "generate-encrypt": ("kms:GenerateDataKey", "kms:Encrypt"),
        "decrypt-encrypt": ("kms:Decrypt", "kms:Encrypt"),
        "decrypt-decrypt": ("kms:Decrypt", "kms:Decrypt"),
        "re-encrypt": ("kms:ReEncryptFrom", "kms:ReEncryptTo"),
    }[case]
    world.give(allow(first, world.source_key), allow(second, world.replica_key))
    world.put()
    world.wait()
    return arrived(world)


@proof("replication-wrong-key")
def wrong_key(aws, case):
    """The rule names the key of the option, and an object is replicated."""
    world = World(aws)
    world.give(ALL_OF_KMS)
    kms = world.kms if case == "symmetric-here" else world.away_kms
    spec = {
        "rsa-there": {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
        "hmac-there": {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    }.get(case, {})
    world.apply(world.selecting(kms.create_key(**spec)["KeyMetadata"]["Arn"]))
    world.put()
    world.wait()
    return arrived(world)


@proof("replication-other-account")
def other_account(aws, case):
    """A set-up without this piece, and with all the others that could be needed."""
    world = World(aws, OTHER)
    if case == "bucket-policy":
        world.away_s3.delete_bucket_policy(Bucket=COPY)
    elif case == "key-policy":
        world.key_policy()
    world.put()
    world.wait()
    status = world.status()
    seen = f"Without it the replication status is {status}."
    return Outcome(holds=status != "COMPLETED", seen=seen)


@proof("replication-aws-managed")
def aws_managed(aws, case):
    """The rule names the other account's aws/s3; the option is carried out."""
    world = World(aws, OTHER)
    world.give(ALL_OF_KMS)
    made = world.away_s3.put_object(
        Bucket=COPY, Key="own", Body=b"", ServerSideEncryption="aws:kms"
    )
    managed = made["SSEKMSKeyId"]
    world.apply(world.selecting(managed))
    if case == "edit-policy":
        policy = json.loads(world.away_kms.get_key_policy(KeyId=managed)["Policy"])
        policy["Statement"].append(allow("kms:Encrypt", Principal={"AWS": world.role}))
        did = tried(world.away_kms.put_key_policy, KeyId=managed, Policy=json.dumps(policy))
    elif case == "grant":
        did = tried(
            world.away_kms.create_grant,
            KeyId=managed,
            GranteePrincipal=world.role,
            Operations=["Encrypt"],
        )
    elif case == "bucket-policy":
        did = world.bucket_policy("s3:ReplicateObject", "kms:Encrypt")
    else:
        did = world.apply(world.selecting(world.replica_key))
    world.put()
    world.wait()
    outcome = arrived(world)
    return outcome if did.ok else Outcome(holds=outcome.holds, seen=said(did))


@proof("replication-multi-region")
def multi_region(aws, case):
    """An object is replicated under related multi-Region keys, and the role's calls are counted."""
    world = World(aws)
    world.source_key = world.kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    made = world.kms.replicate_key(KeyId=world.source_key, ReplicaRegion=THERE)
    world.give(ALL_OF_KMS)
    world.apply(world.selecting(made["ReplicaKeyMetadata"]["Arn"]))
    world.put()
    world.wait()
    calls = world.calls()
    wanted = {
        "none": [],
        "source-only": [HERE],
        "destination-only": [THERE],
        "both": [HERE, THERE],
    }[case]
    seen = f"{world.status()}, with requests in: {', '.join(calls) or 'no Region'}."
    return Outcome(holds=sorted(calls) == sorted(wanted), seen=seen)


def with_bucket_keys(world: World) -> None:
    """What replication under Bucket Keys needs, in full."""
    world.key_policy("kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt")
    world.give(ALL_OF_KMS)


@proof("replication-compare")
def compare(aws, case):
    """An object under a Bucket Key is replicated, and the two are compared."""
    world = World(aws, OTHER)
    with_bucket_keys(world)
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": world.source_key}
    world.put(**under, BucketKeyEnabled=True)
    world.wait()
    here = world.s3.head_object(Bucket=SOURCE, Key="record")
    there = world.away_s3.head_object(Bucket=COPY, Key="record")
    stored = [aws.stored("s3", bucket, "record").context for bucket in (SOURCE, COPY)]
    pairs = {
        "etag": (here["ETag"], there["ETag"]),
        "key": (here["SSEKMSKeyId"], there["SSEKMSKeyId"]),
        "version": (here["VersionId"], there["VersionId"]),
        "context": tuple(stored),
    }
    one, other = pairs[case]
    seen = f"They are {'the same' if one == other else 'different'} at both ends."
    return Outcome(holds=one == other, seen=seen)


@proof("replication-bucket-key-statement")
def bucket_key_statement(aws, case):
    """The role gets the further permission, and an object is replicated under a Bucket Key."""
    world = World(aws, OTHER)
    world.key_policy("kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt")
    bucket, objects = f"arn:aws:s3:::{COPY}", f"arn:aws:s3:::{COPY}/*"
    actions, context = {
        "bucket-arn": (["kms:GenerateDataKey", "kms:Decrypt"], bucket),
        "object-arns": (["kms:GenerateDataKey", "kms:Decrypt"], objects),
        "encrypt-objects": (["kms:Encrypt", "kms:Decrypt"], objects),
        "generate-objects": (["kms:GenerateDataKey", "kms:Encrypt"], objects),
    }[case]

    def where(arn: str) -> dict[str, Any]:
        return {"Condition": {"StringLike": {"kms:EncryptionContext:aws:s3:arn": arn}}}

    world.give(
        world.decrypt,
        {**world.encrypt, **where(objects)},
        allow(actions, world.replica_key, **where(context)),
    )
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": world.source_key}
    for key in ("record", "second"):
        world.put(key, **under, BucketKeyEnabled=True)
    world.wait()
    first, second = arrived(world), arrived(world, "second")
    return Outcome(holds=first.holds and second.holds, seen=first.seen)


@proof("replication-after-mending")
def after_mending(aws, case):
    """An object fails, the role is mended, and the option is carried out."""
    world = World(aws)
    world.give(world.encrypt)
    world.put()
    world.wait()
    failed = world.status()
    world.give(world.decrypt, world.encrypt)
    rule = world.selecting(world.replica_key)
    if case == "wait":
        aws.clock.advance(days=7)
    elif case == "save":
        world.apply(rule)
    elif case == "toggle":
        world.apply({**rule, "Status": "Disabled"})
        world.apply(rule)
    else:
        itself = {"Bucket": SOURCE, "Key": "record"}
        under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": world.source_key}
        world.s3.copy_object(CopySource=itself, **itself, **under)
    world.wait()
    status = world.status()
    seen = f"The status was {failed}, and is {status}."
    return Outcome(holds=failed == "FAILED" and status == "COMPLETED", seen=seen)


@proof("replication-whose-document")
def whose_document(aws, case):
    """The document of the option is the one that lacks something; the trail is read."""
    world = World(aws, OTHER)
    world.put()
    if case == "key-policy":
        world.key_policy()
    elif case == "role-policy":
        world.give(world.decrypt)
    elif case == "bucket-policy":
        world.away_s3.delete_bucket_policy(Bucket=COPY)
    else:
        nobody = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}
        world.iam.update_assume_role_policy(
            RoleName="replicator", PolicyDocument=document({**nobody, "Action": "sts:AssumeRole"})
        )
    world.wait()
    decrypted = aws.trail.events("Decrypt", user="replicator", account=aws.account_id)
    refused = world.refused()
    first = refused[0] if refused else {"eventName": "nothing", "errorMessage": ""}
    same = (
        bool(decrypted)
        and (first["eventName"], first.get("awsRegion")) == ("Encrypt", THERE)
        and "no identity-based policy allows the kms:Encrypt" in first["errorMessage"]
    )
    seen = f"Refused was {first['eventName']}: {first['errorMessage']}"
    return Outcome(holds=same, seen=seen)


@proof("replication-throttled")
def throttled(aws, case):
    """More objects are replicated than AWS KMS has time for, and looked at twice."""
    world = World(aws)
    names = [f"scan-{number}" for number in range(8)]
    for name in names:
        world.put(name)
    aws.quotas.on(symmetric=2)
    world.wait()
    early = world.status(names[-1])
    for _ in names:
        aws.clock.advance(seconds=1)
    late = world.status(names[-1])
    try:
        copy = world.away_s3.head_object(Bucket=COPY, Key=names[-1])["ServerSideEncryption"]
    except ClientError:
        copy = "none"
    came = {
        "failed": late == "FAILED",
        "pending": early == "PENDING" and late == "COMPLETED",
        "other-encryption": copy == "AES256",
        "none": early is None,
    }
    seen = f"The status was {early}, then {late}; the copy is encrypted with {copy}."
    return Outcome(holds=came[case], seen=seen)


@proof("replication-calls")
def calls(aws, case):
    """Ten objects are replicated to another account, and the requests are counted and paid."""
    world = World(aws, OTHER)
    with_bucket_keys(world)
    how: dict[str, Any] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": world.source_key}
    if case == "bucket-keys":
        how["BucketKeyEnabled"] = True
    elif case == "sse-c":
        how = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
        for client, bucket in ((world.s3, SOURCE), (world.away_s3, COPY)):
            client.put_bucket_encryption(
                Bucket=bucket, ServerSideEncryptionConfiguration=ALLOWS_SSE_C
            )
    for number in range(10):
        world.put(f"scan-{number}", **how)
    paid_before = [requests_paid(aws, account) for account in (aws.account_id, OTHER)]
    world.wait()
    made = world.calls()
    here, there = made.count(HERE), made.count(THERE)
    paid_after = [requests_paid(aws, account) for account in (aws.account_id, OTHER)]
    source, other = (after - before for before, after in zip(paid_before, paid_after, strict=True))
    came = {
        "two-each": (here, there) == (10, 10),
        "bucket-keys": 0 < here < 10 and 0 < there < 10,
        "source-pays": source == len(made) > 0,
        "owner-pays": other > 0,
        "sse-c": (here, there) == (10, 10),
    }
    seen = f"Requests at the source {here}, at the destination {there}; paid: {source} and {other}."
    return Outcome(holds=came[case], seen=seen)


def requests_paid(aws: Any, account: str) -> int:
    """The requests to KMS on the bill of an account, before the free tier."""
    bill = aws.meter.bill(account)
    return int(sum(line.quantity for line in bill if line.item == "KMS requests"))
