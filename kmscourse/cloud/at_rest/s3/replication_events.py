"""Event notifications of replication that failed: the place where AWS names the reason.

Sent where the rule has metrics enabled and the bucket's notification configuration asks for
``s3:Replication:OperationFailedReplication``, to queues (SQS) and topics (SNS).

Source: Amazon S3 User Guide, "Receiving replication failure events with Amazon S3 Event
Notifications". moto's names that this stands on, in ``moto.s3.notifications``:
``S3NotificationEvent``, ``_send_sqs_message``, ``_send_sns_message``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus

from moto.s3 import notifications

_EVENT = notifications.S3NotificationEvent.REPLICATION_OPERATION_FAILED_REPLICATION_EVENT


def tell_failure(
    bucket: Any, found: Any, rule: Mapping[str, Any], reason: str, written: datetime
) -> None:
    """Tell whoever wants to know that an object was not replicated.

    Args:
        bucket: moto's source bucket.
        found: moto's object.
        reason: one of "Amazon S3 replication failure reasons".
        written: when the object was written.
    """
    metrics = rule["Destination"].get("Metrics") or {}
    listeners = bucket.notification_configuration
    if metrics.get("Status") != "Enabled" or listeners is None:
        return
    for send, receivers in (
        (notifications._send_sqs_message, listeners.queue),
        (notifications._send_sns_message, listeners.topic),
    ):
        for receiver in receivers:
            if receiver.matches(_EVENT, found.name):
                _, _, _, region, account, name = receiver.arn.split(":", 5)
                body = _message(bucket, found, rule, reason, written, receiver.id)
                where = name if send is notifications._send_sqs_message else receiver.arn
                send(account, body, where, region)


def _message(
    bucket: Any,
    found: Any,
    rule: Mapping[str, Any],
    reason: str,
    written: datetime,
    configuration_id: str,
) -> dict[str, Any]:
    record = {
        "eventVersion": "2.2",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region_name,
        "eventTime": notifications.iso_8601_datetime_with_milliseconds(),
        "eventName": _EVENT.value.removeprefix("s3:"),
        "userIdentity": {"principalId": "s3.amazonaws.com"},
        "requestParameters": {"sourceIPAddress": "s3.amazonaws.com"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration_id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": bucket.account_id},
                "arn": f"arn:aws:s3:::{bucket.name}",
            },
            "object": {
                "key": quote_plus(found.name),
                "size": found.size,
                "eTag": found.etag.strip('"'),
                "versionId": str(found.version_id),
            },
        },
        "replicationEventData": {
            "replicationRuleId": rule["ID"],
            "destinationBucket": rule["Destination"]["Bucket"],
            "s3Operation": "OBJECT_PUT",
            "requestTime": written.strftime("%Y-%m-%dT%H:%M:%S.") + "000Z",
            "failureReason": reason,
        },
    }
    return {"Records": [record]}
