"""When a key was last used."""

from __future__ import annotations

from typing import Any

from kmscourse.cloud.call import Call
from kmscourse.cloud.kms.keys import Key
from kmscourse.cloud.kms.service import KMS, operation


@operation("GetKeyLastUsage")
def get_key_last_usage(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """The last successful cryptographic operation. Source: botocore kms GetKeyLastUsage.

    A simulated key is tracked from its creation on.
    """
    last: dict[str, Any] = {}
    if key.last_use is not None:
        last = {
            "Operation": key.last_use.operation,
            "Timestamp": key.last_use.time,
            "KmsRequestId": key.last_use.request_id,
        }
        if "event_id" in key.last_use.noted:
            last["CloudTrailEventId"] = key.last_use.noted["event_id"]
    return {
        "KeyId": key.id,
        "KeyLastUsage": last,
        "TrackingStartDate": key.created,
        "KeyCreationDate": key.created,
    }
