"""AWS CloudTrail's LookupEvents, which moto does not have: the trail, as boto3 reads it.

Source: botocore cloudtrail LookupEvents. Management events only, of the last 90 days, newest
first, at most 50 a page.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.trail import Trail

_DAYS = timedelta(days=90)
_PAGE = 50


def lookup_events(trail: Trail, call: Call) -> dict[str, Any]:
    """The management events that match, one page of them."""
    parameters = call.parameters
    attributes = parameters.get("LookupAttributes", [])
    if len(attributes) > 1:
        raise AWSError(
            "InvalidLookupAttributesException",
            "You can currently only specify one lookup attribute.",
        )
    start = max(_utc(parameters.get("StartTime")) or call.time - _DAYS, call.time - _DAYS)
    end = _utc(parameters.get("EndTime")) or call.time
    if start > end:
        raise AWSError(
            "InvalidTimeRangeException",
            "The start time must be before the end time.",
        )
    found = [
        record
        for record in reversed(trail.events(account=call.account))
        if record["managementEvent"]
        and record["awsRegion"] == call.region
        and start <= _time(record) <= end
        and all(_matches(record, a["AttributeKey"], a["AttributeValue"]) for a in attributes)
    ]
    token = parameters.get("NextToken", "0")
    if not token.isdigit():
        raise AWSError("InvalidNextTokenException", "The token is not valid.")
    first = int(token)
    last = first + parameters.get("MaxResults", _PAGE)
    page: dict[str, Any] = {"Events": [_event(record) for record in found[first:last]]}
    if last < len(found):
        page["NextToken"] = str(last)
    return page


def _event(record: dict[str, Any]) -> dict[str, Any]:
    identity = record["userIdentity"]
    event = {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": str(record["readOnly"]).lower(),
        "EventTime": _time(record),
        "EventSource": record["eventSource"],
        "Username": _username(record),
        "Resources": [
            {"ResourceType": resource["type"], "ResourceName": resource["ARN"]}
            for resource in record.get("resources", [])
        ],
        "CloudTrailEvent": json.dumps(record),
    }
    if "accessKeyId" in identity:
        event["AccessKeyId"] = identity["accessKeyId"]
    return event


def _matches(record: dict[str, Any], key: str, value: str) -> bool:
    resources = record.get("resources", [])
    found: dict[str, list[str]] = {
        "EventId": [record["eventID"]],
        "EventName": [record["eventName"]],
        "ReadOnly": [str(record["readOnly"]).lower()],
        "Username": [_username(record)],
        "EventSource": [record["eventSource"]],
        "AccessKeyId": [record["userIdentity"].get("accessKeyId", "")],
        "ResourceType": [resource["type"] for resource in resources],
        "ResourceName": [r["ARN"] for r in resources] + [_last(r["ARN"]) for r in resources],
    }
    return value in found.get(key, [])


def _username(record: dict[str, Any]) -> str:
    identity = record["userIdentity"]
    return str(identity.get("userName") or _last(str(identity.get("arn", ""))))


def _last(arn: str) -> str:
    return arn.rpartition("/")[2] or arn


def _time(record: dict[str, Any]) -> datetime:
    return datetime.strptime(record["eventTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
