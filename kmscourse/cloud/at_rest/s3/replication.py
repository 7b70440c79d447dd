"""S3 replication: what a role of yours copies from bucket to bucket, across Regions and accounts.

An object that falls under a rule is PENDING when it is written. It is copied once the simulated
clock has moved on by `DELAY`: ``aws.clock.advance(minutes=15)`` lets it happen. Then S3 assumes
the role of the configuration, reads the source with it, decrypts, encrypts anew for the
destination and writes the replica; the first thing that is not allowed or not there ends in
FAILED, and is not tried again. KMS hears from the role, so its calls and refusals stand on the
trail. Where KMS throttles, the object stays PENDING until KMS has time.

Sources: Amazon S3 User Guide, "What does Amazon S3 replicate?", "Setting up permissions for live
replication", "Replicating encrypted objects", "Getting replication status information",
"Amazon S3 replication failure reasons", "Troubleshooting replication" (the 15 minutes, within
which most objects replicate). AWS documents neither how its checks follow on each other nor which
S3 events the trail shows of them: both are inferred here, as is the reason for a permission that
"Amazon S3 replication failure reasons" does not name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import moto.s3.models
from moto.s3.models import FakeDeleteMarker, s3_backends

from kmscourse.cloud import moto_door, needs
from kmscourse.cloud.at_rest.s3 import bucket_encryption, permissions
from kmscourse.cloud.at_rest.s3 import replication_rules as rules
from kmscourse.cloud.at_rest.s3.choice import Choice
from kmscourse.cloud.at_rest.s3.data_keys import DataKeys
from kmscourse.cloud.at_rest.s3.disk import Sealed, find_bucket, find_object, tags_of
from kmscourse.cloud.at_rest.s3.envelope import SSE_C, SSE_KMS, SSE_S3, seal, unseal
from kmscourse.cloud.at_rest.s3.replication_events import tell_failure
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.identity import Principal
from kmscourse.cloud.permissions import Permission, RefusedError, check
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

#: How long an object stays PENDING.
DELAY = timedelta(minutes=15)

_CREATES = ("PutObject", "CopyObject", "CompleteMultipartUpload")
#: What KMS says of a key, as a failure reason; anything else is a permission that is missing.
_OF_KEYS = {
    "KMS.NotFoundException": "KmsKeyNotFound",
    "KMS.DisabledException": "KmsKeyInvalidState",
    "KMS.KMSInvalidStateException": "KmsKeyInvalidState",
    "KMS.KeyUnavailableException": "KmsKeyInvalidState",
}
#: How CloudTrail names the session in which S3 replicates. [recall]
_SESSION = "s3-replication"


@dataclass(frozen=True, slots=True)
class _Job:
    """A version of an object, or a delete marker, that waits to be replicated."""

    bucket: str
    key: str
    version_id: str
    written: datetime


class _FailedError(Exception):
    """A replication that ends here, with AWS's failure reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _ThrottledError(Exception):
    """KMS has too much to do: the object stays PENDING and is tried again."""


@dataclass(slots=True)
class _Work:
    """One object on its way to one destination."""

    gateway: Gateway
    role: Principal
    source: Any
    found: Any
    destination: Any
    rule: rules.Rule
    tags: dict[str, str] = field(default_factory=dict)


class Replication:
    """What waits to be replicated, of one simulated AWS."""

    def __init__(self, keys: DataKeys, random: Randomness) -> None:
        self._keys, self._random = keys, random
        self._waiting: list[_Job] = []

    def notice(self, call: Call, bucket: Any) -> None:
        """Look at what a request has written or deleted: does a rule apply to it?"""
        configuration = rules.configuration(bucket)
        if configuration is None:
            return
        parameters = call.parameters
        if call.operation in _CREATES:
            self._notice_object(call, bucket, configuration, find_object(bucket, parameters["Key"]))
        elif call.operation == "DeleteObject" and not parameters.get("VersionId"):
            self._notice_marker(call, bucket, configuration, parameters["Key"])
        elif call.operation == "DeleteObjects":
            for each in (parameters.get("Delete") or {}).get("Objects") or []:
                if not each.get("VersionId"):
                    self._notice_marker(call, bucket, configuration, each["Key"])

    def catch_up(self, gateway: Gateway) -> None:
        """Replicate what has waited for its time, in the order in which it was written."""
        now = gateway.clock.now()
        due = [job for job in self._waiting if job.written + DELAY <= now]
        if not due:
            return
        self._waiting = [job for job in self._waiting if job.written + DELAY > now]
        sessions: dict[str, Principal | None] = {}
        for done, job in enumerate(due):
            bucket = find_bucket(job.bucket)
            version = _version(bucket, job)
            try:
                if isinstance(version, FakeDeleteMarker):
                    self._replicate_marker(gateway, sessions, bucket, version)
                elif version is not None:
                    self._replicate(gateway, sessions, bucket, version, job)
            except _ThrottledError:
                self._waiting = due[done:] + self._waiting
                return

    def _notice_object(
        self, call: Call, bucket: Any, configuration: Mapping[str, Any], found: Any
    ) -> None:
        if found is not None and _rules_for(configuration, bucket, found):
            found.replication_status = "PENDING"
            self._waiting.append(_Job(bucket.name, found.name, str(found.version_id), call.time))

    def _notice_marker(
        self, call: Call, bucket: Any, configuration: Mapping[str, Any], key: str
    ) -> None:
        marker = bucket.keys.get(key)
        if isinstance(marker, FakeDeleteMarker) and _rules_for_marker(configuration, bucket, key):
            self._waiting.append(_Job(bucket.name, key, marker.version_id, call.time))

    def _replicate(
        self,
        gateway: Gateway,
        sessions: dict[str, Principal | None],
        bucket: Any,
        found: Any,
        job: _Job,
    ) -> None:
        configuration = rules.configuration(bucket)
        applying = _rules_for(configuration, bucket, found) if configuration is not None else []
        failed = not applying
        for rule in applying:
            assert configuration is not None
            try:
                role = _assume(gateway, sessions, configuration["Role"], bucket)
                destination = _destination(bucket, rule)
                self._copy(_Work(gateway, role, bucket, found, destination, rule))
            except _FailedError as failure:
                failed = True
                tell_failure(bucket, found, rule, failure.reason, job.written)
        found.replication_status = "FAILED" if failed else "COMPLETED"

    def _replicate_marker(
        self,
        gateway: Gateway,
        sessions: dict[str, Principal | None],
        bucket: Any,
        marker: Any,
    ) -> None:
        configuration = rules.configuration(bucket)
        if configuration is None:
            return
        for rule in _rules_for_marker(configuration, bucket, marker.name):
            try:
                role = _assume(gateway, sessions, configuration["Role"], bucket)
                work = _Work(gateway, role, bucket, marker, _destination(bucket, rule), rule)
                _check_bucket(work)
                delete = _call(work, work.destination, "DeleteObject", {})
                action = ["s3:ReplicateDelete"]
                _need_any(work, delete, action, work.destination, "DstDelObjNotPermitted")
            except _FailedError:
                continue  # a delete marker has no status that could tell
            copy = FakeDeleteMarker(key=marker.key)
            copy._version_id = marker.version_id
            work.destination.keys[marker.name] = copy
            _record(work, delete)

    def _copy(self, work: _Work) -> None:
        """Read the source and write the replica, in the role's name."""
        found, source = work.found, work.source
        sse = found.envelope.sse
        _check_bucket(work)
        read = _call(work, source, "GetObject", {"VersionId": str(found.version_id)})
        needed = ["s3:GetObjectVersionForReplication"]
        if sse in (SSE_S3, SSE_C):  # for these, permission to read does as well
            needed.append("s3:GetObjectVersion")
        _need_any(work, read, needed, source, "SrcGetObjectNotPermitted")
        _need_any(work, read, ["s3:GetObjectVersionAcl"], source, "SrcGetAclNotPermitted")
        work.tags = _tags(work, read)
        choice = self._choice(work)
        plaintext = self._open(work, read)
        _record(work, read)
        write = _call(work, work.destination, "PutObject", _written(work, choice))
        _need_any(work, write, ["s3:ReplicateObject"], work.destination, "DstPutObjectNotPermitted")
        if work.rule["Destination"].get("AccessControlTranslation"):
            action = ["s3:ObjectOwnerOverrideToBucketOwner"]
            _need_any(work, write, action, work.destination, "DstPutObjectNotPermitted")
        if sse == SSE_C and bucket_encryption.blocks_customer_keys(work.destination):
            raise _refuse(work, write, "DstPutObjectNotPermitted")
        sealed = self._seal(work, write, choice, plaintext)
        if work.tags and not _may(write, "s3:ReplicateTags", work.destination, or_nobody_says=True):
            work.tags = {}
        _store(work, sealed)
        _record(work, write)

    def _choice(self, work: _Work) -> Choice:
        """How the replica is encrypted: as the source is, under the key of the rule.

        It has a Bucket Key if the source has one or the destination's default encryption asks
        for them. That it keeps the pairs a request added to the context is inferred.
        """
        envelope = work.found.envelope
        if envelope.sse in (SSE_S3, SSE_C):
            return Choice(envelope.sse)
        return Choice(
            envelope.sse,
            key_id=rules.replica_key(work.rule),
            context={k: v for k, v in envelope.context.items() if k != "aws:s3:arn"},
            bucket_key=envelope.sse == SSE_KMS
            and (
                envelope.wrapped_bucket_key is not None
                or bucket_encryption.rule(work.destination).bucket_key
            ),
        )

    def _open(self, work: _Work, read: Call) -> bytes | None:
        """The source's plaintext; None for SSE-C, whose key S3 does not have."""
        found = work.found
        if found.envelope.sse == SSE_C:
            return None
        try:
            keys = self._keys.open(work.gateway, read, found.envelope, None)
        except AWSError as error:
            raise _refuse(work, read, _of_kms("Src", error, "SrcGetObject"), error) from error
        return b"".join(
            unseal(nonces, sealed, keys, found.envelope.arn) for nonces, sealed in found.pieces()
        )

    def _seal(self, work: _Work, write: Call, choice: Choice, plaintext: bytes | None) -> Sealed:
        """The replica's ciphertext. Of SSE-C it is the source's, byte by byte. [inferred]"""
        found = work.found
        if plaintext is None:
            pieces = [(bytes(nonces), bytes(sealed)) for nonces, sealed in found.pieces()]
            return Sealed(found.envelope, pieces, found.contentsize)
        arn = f"arn:aws:s3:::{work.destination.name}/{found.name}"
        try:
            envelope, keys = self._keys.make_for_replica(work.gateway, write, choice, arn)
        except AWSError as error:
            raise _refuse(work, write, _of_kms("Dst", error, "DstPutObject"), error) from error
        piece = seal(plaintext, keys, arn, self._random.bytes)
        return Sealed(envelope, [piece], len(plaintext))


def _rules_for(configuration: Mapping[str, Any], bucket: Any, found: Any) -> list[rules.Rule]:
    return rules.for_object(
        configuration["Rules"],
        found.name,
        tags_of(bucket, found),
        found.envelope.sse,
        found.storage_class,
    )


def _rules_for_marker(configuration: Mapping[str, Any], bucket: Any, key: str) -> list[rules.Rule]:
    def same_account(name: str) -> bool:
        other = find_bucket(name)
        return other is not None and other.account_id == bucket.account_id

    found: list[rules.Rule] = rules.for_delete_marker(configuration["Rules"], key, same_account)
    return found


def _version(bucket: Any, job: _Job) -> Any:
    """The version that a job is about, or None if it was deleted meanwhile."""
    versions = bucket.keys.getlist(job.key, []) if bucket is not None else []
    return next((each for each in versions if str(each.version_id) == job.version_id), None)


def _assume(
    gateway: Gateway, sessions: dict[str, Principal | None], role_arn: str, bucket: Any
) -> Principal:
    """The role's session, if the role exists and its trust policy lets S3 in."""
    if role_arn not in sessions:
        sessions[role_arn] = _new_session(gateway, role_arn, bucket)
    session = sessions[role_arn]
    if session is None:
        raise _FailedError("AssumeRoleNotPermitted")
    return session


def _new_session(gateway: Gateway, role_arn: str, bucket: Any) -> Principal | None:
    account = role_arn.split(":")[4]
    roles = moto_door.iam(account).roles.values()
    role = next((each for each in roles if each.arn == role_arn), None)
    call = Call(
        service="sts",
        operation="AssumeRole",
        parameters={"RoleArn": role_arn, "RoleSessionName": _SESSION},
        region=bucket.region_name,
        request_id=gateway.random.uuid(),
        time=gateway.clock.now(),
        caller=Principal("s3.amazonaws.com", "AWSService", account, "s3.amazonaws.com"),
        source_ip="s3.amazonaws.com",
        user_agent="s3.amazonaws.com",
        source_arn=f"arn:aws:s3:::{bucket.name}",
        source_account=bucket.account_id,
    )
    call.noted["resources"] = [{"ARN": role_arn, "accountId": account, "type": "AWS::IAM::Role"}]
    try:
        check(call, needs.needs(call))
        if role is None:
            raise AWSError("AccessDenied", "Access denied", 403)
    except AWSError as refusal:
        if isinstance(refusal, RefusedError):
            gateway.remember(call, refusal.decision)
        gateway.trail.record(call, None, refusal)
        return None
    name = role_arn.rpartition("/")[2]
    session = Principal(
        f"arn:aws:sts::{account}:assumed-role/{name}/{_SESSION}",
        "AssumedRole",
        account,
        f"{role.id}:{_SESSION}",
    )
    who = {"AssumedRoleUser": {"AssumedRoleId": session.id, "Arn": session.arn}}
    gateway.trail.record(call, who, None)
    return session


def _destination(source: Any, rule: rules.Rule) -> Any:
    bucket = find_bucket(rules.destination(rule))
    if bucket is None:
        raise _FailedError("DstBucketNotFound")
    if not bucket.is_versioned:
        raise _FailedError("DstBucketUnversioned")
    if source.object_lock_enabled and not bucket.object_lock_enabled:
        raise _FailedError("DstBucketObjectLockConfigMissing")
    return bucket


def _call(work: _Work, bucket: Any, operation: str, parameters: dict[str, Any]) -> Call:
    """What S3 does in the role's name, in the Region of a bucket."""
    named = {"Bucket": bucket.name}
    if operation not in ("GetBucketReplication", "ListObjectVersions"):
        named["Key"] = work.found.name
    call = Call(
        service="s3",
        operation=operation,
        parameters=named | parameters,
        region=bucket.region_name,
        request_id=work.gateway.random.uuid(),
        time=work.gateway.clock.now(),
        caller=work.role,
        source_ip="s3.amazonaws.com",
        user_agent="s3.amazonaws.com",
        host=f"s3.{bucket.region_name}.amazonaws.com",
    )
    permissions.note(call)
    return call


def _check_bucket(work: _Work) -> None:
    """What the role needs on the source bucket itself. These calls show where they fail."""
    for operation, action, reason in (
        (
            "GetBucketReplication",
            "s3:GetReplicationConfiguration",
            "SrcBucketReplicationConfigMissing",
        ),
        ("ListObjectVersions", "s3:ListBucket", "SrcHeadObjectNotPermitted"),
    ):
        call = _call(work, work.source, operation, {})
        _need_any(work, call, [action], work.source, reason)


def _need_any(work: _Work, call: Call, actions: Sequence[str], bucket: Any, reason: str) -> None:
    """Fail, and say so on the trail, unless the role has one of the permissions."""
    first: RefusedError | None = None
    for action in actions:
        try:
            check(call, [_permission(call, action, bucket)])
        except RefusedError as refusal:
            first = first or refusal
            if refusal.decision.outcome == "ExplicitlyDenied":
                break
        else:
            return
    raise _refuse(work, call, reason, first) from first


def _may(call: Call, action: str, bucket: Any, *, or_nobody_says: bool) -> bool:
    try:
        check(call, [_permission(call, action, bucket)])
    except RefusedError as refusal:
        return or_nobody_says and refusal.decision.outcome == "ImplicitlyDenied"
    return True


def _permission(call: Call, action: str, bucket: Any) -> Permission:
    return permissions.of_replication(call, action, bucket, call.parameters.get("Key"))


def _tags(work: _Work, read: Call) -> dict[str, str]:
    """The tags to replicate. A role that may not read them replicates the object without.

    Where a policy denies it, replication fails: so "Setting up permissions for live replication"
    and "Troubleshooting replication" taken together.
    """
    tags = tags_of(work.source, work.found)
    if not tags:
        return {}
    action = "s3:GetObjectVersionTagging"
    if not _may(read, action, work.source, or_nobody_says=True):
        _need_any(work, read, [action], work.source, "SrcGetTaggingNotPermitted")
    return tags if _may(read, action, work.source, or_nobody_says=False) else {}


def _of_kms(side: str, error: AWSError, otherwise: str) -> str:
    if error.code == "SlowDown":
        raise _ThrottledError from error
    reason = _OF_KEYS.get(error.code)
    if reason == "KmsKeyNotFound" and side == "Src":
        reason = None  # there is no such reason for the source
    return f"{side}{reason}" if reason else f"{otherwise}NotPermitted"


def _refuse(work: _Work, call: Call, reason: str, error: AWSError | None = None) -> _FailedError:
    if isinstance(error, RefusedError):
        work.gateway.remember(call, error.decision)
    work.gateway.trail.record(call, None, error or AWSError("AccessDenied", "Access Denied", 403))
    return _FailedError(reason)


def _record(work: _Work, call: Call) -> None:
    work.gateway.trail.record(call, None, None)


def _written(work: _Work, choice: Choice) -> dict[str, Any]:
    """The parameters of the replica's request, which policies may set conditions on."""
    parameters: dict[str, Any] = {"StorageClass": _storage_class(work)}
    if choice.sse == SSE_C:
        return parameters | {"SSECustomerAlgorithm": "AES256"}
    parameters["ServerSideEncryption"] = choice.sse
    if choice.key_id:
        parameters["SSEKMSKeyId"] = choice.key_id
    return parameters


def _storage_class(work: _Work) -> str:
    return str(work.rule["Destination"].get("StorageClass") or work.found.storage_class)


def _store(work: _Work, sealed: Sealed) -> None:
    """Put the replica into the destination: the same key, version id, time and metadata."""
    found, bucket = work.found, work.destination
    same_bytes = sealed.envelope.sse in (SSE_S3, SSE_C)
    replica = moto.s3.models.FakeKey(
        name=found.name,
        value=sealed,
        account_id=bucket.account_id,
        region_name=bucket.region_name,
        storage=_storage_class(work),
        # Of an object under a KMS key it is no digest of its data: encrypted anew, it is another.
        etag=found._etag if same_bytes else None,
        is_versioned=True,
        version_id=found.version_id,
        bucket_name=bucket.name,
        lock_mode=found.lock_mode,
        lock_legal_status=found.lock_legal_status,
        lock_until=found.lock_until,
        checksum_value=found.checksum_value,
        checksum_type=found.checksum_type,
        checksum_parts=found.checksum_parts,
    )
    replica.checksum_algorithm = found.checksum_algorithm
    replica.last_modified = found.last_modified
    replica.website_redirect_location = found.website_redirect_location
    replica.acl = found.acl
    replica.set_metadata(dict(found.metadata), replace=False)
    replica.replication_status = "REPLICA"
    versions = bucket.keys.getlist(found.name, [])
    others = [each for each in versions if str(each.version_id) != str(found.version_id)]
    bucket.keys.setlist(found.name, [*others, replica])
    tagger = s3_backends[bucket.account_id][bucket.partition].tagger
    tagger.tag_resource(replica.arn, [{"Key": k, "Value": v} for k, v in work.tags.items()])
