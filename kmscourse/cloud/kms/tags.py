"""Tags of keys. Source: botocore kms TagResource, UntagResource, ListResourceTags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.kms import states
from kmscourse.cloud.kms.keys import Key
from kmscourse.cloud.kms.paging import page
from kmscourse.cloud.kms.service import KMS, operation

#: Of any AWS resource; source: AWS General Reference, "Tagging AWS resources".
_MOST = 50
_ALLOWED = re.compile(r"[\w\s.:/=+\-@]*")


def check(existing: dict[str, str], given: Sequence[dict[str, str]]) -> dict[str, str]:
    """The tags of a key with some more; a tag key that is there gets the new value.

    Raises:
        AWSError: ``TagException`` for what is no tag; ``LimitExceededException`` for too many.
    """
    names = [tag["TagKey"] for tag in given]
    if len(set(names)) != len(names):
        raise AWSError("TagException", "Duplicate tag keys")
    for tag in given:
        if tag["TagKey"].lower().startswith("aws:"):
            raise AWSError("TagException", "Tag keys that begin with aws: are reserved for AWS.")
        for text in (tag["TagKey"], tag["TagValue"]):
            if not _ALLOWED.fullmatch(text):
                raise AWSError("TagException", f"'{text}' is not a valid tag key or value.")
    tags = existing | {tag["TagKey"]: tag["TagValue"] for tag in given}
    if len(tags) > _MOST:
        raise AWSError("LimitExceededException", f"A KMS key can have {_MOST} tags at most.")
    return tags


def listed(key: Key) -> list[dict[str, str]]:
    """A key's tags as the API writes them."""
    return [{"TagKey": name, "TagValue": value} for name, value in key.tags.items()]


@operation("TagResource", refuses=states.CHANGES)
def tag_resource(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Add tags, or change their values."""
    key.tags = check(key.tags, call.parameters["Tags"])
    return {}


@operation("UntagResource", refuses=states.CHANGES)
def untag_resource(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """Take tags away; those that are not there are no error."""
    for name in call.parameters["TagKeys"]:
        key.tags.pop(name, None)
    return {}


@operation("ListResourceTags")
def list_resource_tags(kms: KMS, call: Call, key: Key) -> dict[str, Any]:
    """The tags of a key."""
    return page(call, "Tags", listed(key), 50, most=50)
