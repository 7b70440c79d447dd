"""Replication rules: PutBucketReplication and which rules an object falls under.

Sources: Amazon S3 API Reference, PutBucketReplication and ReplicationRule; Amazon S3 User Guide,
"Replication configuration file elements". Of the refusals, those about versioning and about this
version of the schema are AWS's words as public bug reports quote them; [recall] marks words that
are remembered, [inferred] words that are ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kmscourse.cloud.at_rest.s3.disk import find_bucket
from kmscourse.cloud.at_rest.s3.envelope import DSSE_KMS, SSE_KMS
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.randomness import Randomness

Rule = Mapping[str, Any]

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/.+")
_BUCKET = re.compile(r"arn:aws[a-z-]*:s3:::([a-z0-9.-]+)")
_ON = ("Enabled", "Disabled")
_MOST = 1000
#: What has to be restored first is not replicated.
_ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
_OF_THIS_VERSION = (
    " for this version of Cross Region Replication configuration schema. Please refer to S3 "
    "Developer Guide for more information."
)


def configuration(bucket: Any) -> dict[str, Any] | None:
    """The replication configuration of moto's bucket, in the shape of the API; None without."""
    found: dict[str, Any] | None = getattr(bucket, "replication", None)
    return found


def pass_role(call: Call) -> Permission | None:
    """The permission to hand the role over to S3, which PutBucketReplication needs as well."""
    if call.operation != "PutBucketReplication":
        return None
    role = (call.parameters.get("ReplicationConfiguration") or {}).get("Role") or "*"
    return Permission(
        "iam:PassRole",
        role,
        context={"iam:PassedToService": "s3.amazonaws.com"},
        code="AccessDenied",
        status=403,
    )


def put(bucket: Any, parameters: Mapping[str, Any], random: Randomness) -> dict[str, Any]:
    """PutBucketReplication: replace the rules of a bucket.

    As on AWS, neither the role's permissions nor the replica's key are looked at.

    Raises:
        AWSError: for a configuration that is none, and for buckets without versioning.
    """
    if not bucket.is_versioned:
        raise _invalid(
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration"
        )
    asked = parameters.get("ReplicationConfiguration") or {}
    rules = asked.get("Rules") or []
    role = _ROLE.fullmatch(asked.get("Role") or "")
    if role is None or not 1 <= len(rules) <= _MOST:
        raise _malformed()
    if role[1] != bucket.account_id:  # [inferred] from other services' words
        raise AWSError("AccessDenied", "Cross-account pass role is not allowed.", 403)
    kept = [{**rule, "ID": rule.get("ID") or random.letters(26).lower()} for rule in rules]
    if len({rule["ID"] for rule in kept}) < len(kept):
        raise AWSError(  # [recall], of lifecycle rules
            "InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule"
        )
    if len({_is_latest(rule) for rule in kept}) > 1:
        raise _malformed()
    for rule in kept:
        _check_form(rule)
        _check_destination(bucket, rule["Destination"])
        _check_encryption(rule)
    _check_priorities(kept)
    bucket.replication = {"Role": asked["Role"], "Rules": kept}
    return {}


def get(bucket: Any, _: Mapping[str, Any], __: Randomness) -> dict[str, Any]:
    """GetBucketReplication.

    Raises:
        AWSError: ``ReplicationConfigurationNotFoundError`` (404).
    """
    found = configuration(bucket)
    if found is None:
        raise AWSError(
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
            404,
        )
    return {"ReplicationConfiguration": found}


def delete(bucket: Any, _: Mapping[str, Any], __: Randomness) -> dict[str, Any]:
    """DeleteBucketReplication: nothing more is replicated; replicas stay."""
    bucket.replication = None
    return {}


OPERATIONS: dict[str, Callable[[Any, Mapping[str, Any], Randomness], dict[str, Any]]] = {
    "PutBucketReplication": put,
    "GetBucketReplication": get,
    "DeleteBucketReplication": delete,
}


def keep_versioning(bucket: Any, parameters: Mapping[str, Any]) -> None:
    """Refuse to suspend the versioning of a bucket that replicates.

    Raises:
        AWSError: ``InvalidBucketState`` (409).
    """
    wanted = (parameters.get("VersioningConfiguration") or {}).get("Status")
    if wanted == "Suspended" and configuration(bucket) is not None:
        raise AWSError(
            "InvalidBucketState",  # [recall]
            "A replication configuration is present on this bucket, so the versioning state "
            "cannot be changed.",
            409,
        )


def for_object(
    rules: Sequence[Rule], key: str, tags: Mapping[str, str], sse: str, storage_class: str
) -> list[Rule]:
    """The rules by which an object is replicated: for each destination that of highest priority.

    Objects under KMS keys fall only under rules that say so (SseKmsEncryptedObjects).
    """
    if storage_class in _ARCHIVED:
        return []
    by_kms = sse in (SSE_KMS, DSSE_KMS)
    return _first_of_each(
        rule for rule in rules if _covers(rule, key, tags) and (not by_kms or takes_kms(rule))
    )


def for_delete_marker(rules: Sequence[Rule], key: str, same_account: Callable[[str], bool]) -> Any:
    """The rules by which a delete marker is replicated.

    Under the earlier schema (no Filter) a user's always are, but not to other accounts.

    Args:
        same_account: whether a bucket belongs to the account of the source.
    """
    found = _first_of_each(rule for rule in rules if _covers(rule, key, {}))
    return [
        rule
        for rule in found
        if (rule.get("DeleteMarkerReplication") or {}).get("Status") == "Enabled"
        or (not _is_latest(rule) and same_account(destination(rule)))
    ]


def destination(rule: Rule) -> str:
    """The name of the bucket that a rule replicates to."""
    return str(rule["Destination"]["Bucket"]).rpartition(":")[2]


def takes_kms(rule: Rule) -> bool:
    """Whether a rule replicates objects that are encrypted under KMS keys."""
    criteria = rule.get("SourceSelectionCriteria") or {}
    return (criteria.get("SseKmsEncryptedObjects") or {}).get("Status") == "Enabled"


def replica_key(rule: Rule) -> str | None:
    """The KMS key under which a rule's replicas are encrypted."""
    encryption = rule["Destination"].get("EncryptionConfiguration") or {}
    key: str | None = encryption.get("ReplicaKmsKeyID")
    return key


def _first_of_each(rules: Any) -> list[Rule]:
    found: dict[str, Rule] = {}
    for rule in sorted(rules, key=lambda rule: -int(rule.get("Priority") or 0)):
        found.setdefault(destination(rule), rule)
    return list(found.values())


def _covers(rule: Rule, key: str, tags: Mapping[str, str]) -> bool:
    prefix, wanted = _filter(rule)
    return (
        rule["Status"] == "Enabled"
        and key.startswith(prefix)
        and all(tags.get(name) == value for name, value in wanted.items())
    )


def _filter(rule: Rule) -> tuple[str, dict[str, str]]:
    """The prefix and the tags that a rule asks for."""
    asked = rule.get("Filter") or {}
    both = asked.get("And") or {}
    tags = list(both.get("Tags") or [])
    if asked.get("Tag"):
        tags.append(asked["Tag"])
    prefix = asked.get("Prefix") or both.get("Prefix") or rule.get("Prefix") or ""
    return prefix, {tag["Key"]: tag.get("Value", "") for tag in tags}


def _is_latest(rule: Rule) -> bool:
    """Whether a rule is of the present schema, V2: it has a Filter, were it an empty one."""
    return rule.get("Filter") is not None


def _check_form(rule: Rule) -> None:
    markers = rule.get("DeleteMarkerReplication")
    asked = rule.get("Filter") or {}
    if (
        rule.get("Status") not in _ON
        or not isinstance(rule.get("Destination"), dict)
        or _is_latest(rule) is (rule.get("Prefix") is not None)
        or len(asked) > 1
        or rule.get("ExistingObjectReplication") is not None  # no longer supported
        or (markers is not None and markers.get("Status") not in _ON)
    ):
        raise _malformed()
    for name in ("Priority", "DeleteMarkerReplication"):
        if _is_latest(rule) and rule.get(name) is None:
            raise _invalid(f"{name} must be specified{_OF_THIS_VERSION}")
        if not _is_latest(rule) and rule.get(name) is not None:
            raise _invalid(f"{name} cannot be used{_OF_THIS_VERSION}")
    if _filter(rule)[1] and markers is not None and markers["Status"] == "Enabled":
        raise _invalid(  # [recall]
            "Delete marker replication is not supported if any Tag filter is specified. Please "
            "refer to S3 Developer Guide for more information."
        )


def _check_destination(source: Any, asked: Mapping[str, Any]) -> None:
    name = _BUCKET.fullmatch(asked.get("Bucket") or "")
    if name is None:
        raise AWSError("InvalidArgument", "Invalid bucket ARN.")  # [inferred]
    bucket = find_bucket(name[1])
    if bucket is None:
        raise _invalid("Destination bucket must exist.")  # [recall]
    if bucket is source:
        raise _invalid("Destination bucket cannot be the same as the source bucket.")  # [inferred]
    if not bucket.is_versioned:
        raise _invalid("Destination bucket must have versioning enabled.")
    account = asked.get("Account")
    translation = asked.get("AccessControlTranslation")
    if translation and translation.get("Owner") != "Destination":  # the only value of the model
        raise _malformed()
    if translation and not account:  # [inferred]
        raise _invalid("Account must be specified if AccessControlTranslation is present.")
    if account and account != bucket.account_id:
        raise AWSError(  # [recall]
            "InvalidArgument",
            "The AWS account specified in the <Account> element must match the destination "
            "bucket owner.",
        )
    if asked.get("ReplicationTime") and not asked.get("Metrics"):
        raise AWSError(  # [recall]
            "ReplicationParameterValueError",
            "Replication destination must contain both ReplicationTime and Metrics or neither.",
        )


def _check_encryption(rule: Rule) -> None:
    criteria = rule.get("SourceSelectionCriteria") or {}
    said = (criteria.get("SseKmsEncryptedObjects") or {}).get("Status")
    if said not in (None, *_ON):
        raise _malformed()
    encryption = rule["Destination"].get("EncryptionConfiguration")
    if encryption is not None and said is None:
        raise _invalid(  # [recall]
            "SseKmsEncryptedObjects must be specified if EncryptionConfiguration is present."
        )
    if said == "Enabled" and not replica_key(rule):
        raise _invalid(  # [recall]
            "ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects tag is enabled."
        )


def _check_priorities(rules: Sequence[Rule]) -> None:
    if _is_latest(rules[0]) and len({rule["Priority"] for rule in rules}) < len(rules):
        # That they have to differ is what users report; the words are [inferred].
        raise _invalid("Rule priority must be unique within a replication configuration.")


def _invalid(message: str) -> AWSError:
    return AWSError("InvalidRequest", message)


def _malformed() -> AWSError:
    return AWSError(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
