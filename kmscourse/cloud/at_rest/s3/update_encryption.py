"""UpdateObjectEncryption: another key for an object in place, without touching its bytes.

Only the data key is wrapped anew: that is what envelope encryption is good for.

Source: Amazon S3 API Reference, UpdateObjectEncryption (2026). Which KMS operations S3 calls
for it is inferred from the permissions it asks for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kmscourse.cloud.at_rest.s3.choice import Choice
from kmscourse.cloud.at_rest.s3.data_keys import DataKeys
from kmscourse.cloud.at_rest.s3.envelope import SSE_KMS, SSE_S3
from kmscourse.cloud.at_rest.s3.request import Request
from kmscourse.cloud.errors import AWSError

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:(\d{12}):key/[A-Za-z0-9-]+")


def update(keys: DataKeys, gateway: Gateway, request: Request) -> dict[str, Any]:
    """Wrap the data key of an object under another KMS key.

    Raises:
        AWSError: NoSuchKey, or InvalidRequest and AccessDenied in the words that the API
            Reference lists.
    """
    found = request.found()
    if found is None:
        raise AWSError("NoSuchKey", "The specified key does not exist.", 404)
    wanted = (request.parameters.get("ObjectEncryption") or {}).get("SSEKMS")
    if wanted is None:
        raise AWSError(
            "InvalidRequest",
            "Requests that modify an object encryption configuration require a valid new "
            "encryption type. Valid values are SSEKMS. Modify the request to specify SSE-KMS for "
            "the updated encryption type, and then try again.",
        )
    key_arn = wanted.get("KMSKeyArn") or ""
    match = _KEY_ARN.fullmatch(key_arn)
    if match is None:
        raise AWSError(
            "InvalidRequest",
            "Requests that modify an object's encryption type to SSE-KMS require a valid Amazon "
            "Web Services KMS key Amazon Resource Name (ARN). Confirm that you have a correctly "
            "formatted KMS key ARN in your request, and then try again.",
        )
    if match[1] != request.bucket.account_id:
        raise AWSError(
            "AccessDenied",
            "The Amazon Web Services KMS key in the request must be owned by the same account as "
            "the bucket. Modify the request to specify a KMS key from the same account, and then "
            "try again.",
            403,
        )
    if found.envelope.sse not in (SSE_S3, SSE_KMS):
        raise AWSError(
            "InvalidRequest",
            "The UpdateObjectEncryption operation doesn't support source objects with the "
            "encryption type DSSE-KMS or SSE-C. Only source objects encrypted with SSE-S3 or "
            "SSE-KMS are supported.",
        )
    if found.lock_legal_status == "ON" or found.is_locked(governance_bypass=False):
        raise AWSError(
            "AccessDenied",
            "The encryption type for the specified object can’t be updated because that object is "
            "protected by S3 Object Lock. If the object has a governance-mode retention period or "
            "a legal hold, you must first remove the Object Lock status on the object before you "
            "issue your UpdateObjectEncryption request. You can't use the UpdateObjectEncryption "
            "operation with objects that have an Object Lock compliance mode retention period "
            "applied to them.",
            403,
        )
    choice = Choice(SSE_KMS, key_id=key_arn, bucket_key=bool(wanted.get("BucketKeyEnabled")))
    call = request.in_bucket_region()
    found.describe(keys.wrap_anew(gateway, call, found.envelope, choice))
    return {}
