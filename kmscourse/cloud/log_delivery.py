"""CloudTrail's log files: what a trail with a bucket delivers to it.

CloudTrail delivers about every five minutes, as the service principal cloudtrail.amazonaws.com,
which the bucket's policy has to let in. A file that a KMS key seals has the trail's ARN in its
encryption context, which key policies can ask for. Source: AWS CloudTrail User Guide, "Amazon S3
bucket policy for CloudTrail", "Finding your CloudTrail log files" and "Configure AWS KMS key
policies for CloudTrail".
"""

from __future__ import annotations

import base64
import gzip
import json
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders

from kmscourse.cloud import protocol
from kmscourse.cloud.call import Call
from kmscourse.cloud.clock import written
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.identity import Principal
from kmscourse.cloud.protocol import Response
from kmscourse.cloud.randomness import Randomness
from kmscourse.cloud.trail import Trail

_EVERY = timedelta(minutes=5)
_CLOUDTRAIL = Principal(
    "cloudtrail.amazonaws.com", "AWSService", "cloudtrail", "cloudtrail.amazonaws.com"
)


class LogDelivery:
    """Writes the records of each logging trail to its bucket, as simulated time passes.

    Args:
        serve: the gateway's way of a call, so that the bucket's policy decides.
    """

    def __init__(
        self,
        trail: Trail,
        randomness: Randomness,
        serve: Callable[[Call], dict[str, Any] | Response],
    ) -> None:
        self._trail, self._random, self._serve = trail, randomness, serve
        self._delivered: dict[str, int] = {}
        self._last: datetime | None = None

    def catch_up(self, now: datetime) -> None:
        """Deliver what has come in, if five minutes have passed since the last delivery."""
        if self._last is None:
            self._last = now
        if now - self._last < _EVERY:
            return
        self._last = now
        for trail in _logging_trails():
            self._deliver(trail, now)

    def _deliver(self, trail: Any, now: datetime) -> None:
        seen = self._delivered.get(trail.arn, 0)
        self._delivered[trail.arn] = len(self._trail)
        started = written(trail.status.started)
        records = [
            record
            for record in self._trail.events(account=trail.account_id, after=seen)
            if record["eventTime"] >= started and _wanted(trail, record)
        ]
        for region in dict.fromkeys(record["awsRegion"] for record in records):
            self._put(trail, region, [r for r in records if r["awsRegion"] == region], now)

    def _put(self, trail: Any, region: str, records: list[dict[str, Any]], now: datetime) -> None:
        prefix = f"{trail.s3_key_prefix}/" if trail.s3_key_prefix else ""
        key = (
            f"{prefix}AWSLogs/{trail.account_id}/CloudTrail/{region}/{now:%Y/%m/%d}/"
            f"{trail.account_id}_CloudTrail_{region}_{now:%Y%m%dT%H%MZ}_"
            f"{self._random.letters(16)}.json.gz"
        )
        body = gzip.compress(json.dumps({"Records": records}).encode(), mtime=0)
        headers = HTTPHeaders()
        parameters: dict[str, Any] = {
            "Bucket": trail.bucket_name,
            "Key": key,
            "Body": body,
            "ACL": "bucket-owner-full-control",
        }
        headers["x-amz-acl"] = parameters["ACL"]
        if trail.kms_key_id:
            context = json.dumps({"aws:cloudtrail:arn": trail.arn}).encode()
            sealed = {
                "ServerSideEncryption": "aws:kms",
                "SSEKMSKeyId": trail.kms_key_id,
                "SSEKMSEncryptionContext": base64.b64encode(context).decode(),
            }
            parameters |= sealed
            headers["x-amz-server-side-encryption"] = sealed["ServerSideEncryption"]
            headers["x-amz-server-side-encryption-aws-kms-key-id"] = sealed["SSEKMSKeyId"]
            headers["x-amz-server-side-encryption-context"] = sealed["SSEKMSEncryptionContext"]
        url = f"https://s3.{trail.region_name}.amazonaws.com/{trail.bucket_name}/{key}"
        call = Call(
            service="s3",
            operation="PutObject",
            parameters=parameters,
            region=trail.region_name,
            request_id=self._random.uuid(),
            time=now,
            caller=_CLOUDTRAIL,
            http=AWSPreparedRequest("PUT", url, headers, body, stream_output=False),
            user_agent="cloudtrail.amazonaws.com",
            source_ip="cloudtrail.amazonaws.com",
            source_arn=trail.arn,
            source_account=trail.account_id,
        )
        try:
            answer = self._serve(call)
            failed = protocol.error_code(answer) if isinstance(answer, Response) else None
            code = failed[0] if failed else None
        except AWSError as error:
            code = error.code
        trail.status.latest_delivery_error = code
        if code is None:
            trail.status.latest_delivery_time = int(now.timestamp())


def _logging_trails() -> Iterator[Any]:
    cloudtrail = sys.modules.get("moto.cloudtrail.models")
    if cloudtrail is None:  # moto loads it with the first call, and before that there is no trail
        return
    for regions in list(cloudtrail.cloudtrail_backends.values()):
        for backend in list(regions.values()):
            yield from (t for t in backend.trails.values() if t.status.is_logging)


def _wanted(trail: Any, record: dict[str, Any]) -> bool:
    """Whether a trail records an event: its Region's management events, and data it selects."""
    if not trail.is_multi_region and record["awsRegion"] != trail.region_name:
        return False
    if record["managementEvent"]:
        return True
    source = record["eventSource"].split(".")[0].upper()
    selected = [
        resource["Type"]
        for selector in trail.event_selectors
        for resource in selector.get("DataResources", [])
    ]
    return any(f"::{source}::" in kind.upper() for kind in selected)
