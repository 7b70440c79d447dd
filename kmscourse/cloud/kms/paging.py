"""Listings, page by page."""

from __future__ import annotations

from typing import Any

from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError


def page(call: Call, name: str, items: list[Any], default: int, most: int = 1000) -> dict[str, Any]:
    """One page of a listing, by Limit and Marker.

    Args:
        default: how many items a page has where the request does not say.
        most: the largest Limit that the operation takes.

    Raises:
        AWSError: ``InvalidMarkerException`` for a marker of no listing;
            ``ValidationException`` for a Limit that the operation does not take.
    """
    limit = call.parameters.get("Limit", default)
    if limit > most:
        raise AWSError(
            "ValidationException",
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
            f"constraint: Member must have value less than or equal to {most}",
        )
    marker = call.parameters.get("Marker", "0")
    if not (marker.isascii() and marker.isdigit()) or int(marker) > len(items):
        raise AWSError("InvalidMarkerException", "Could not deserialize marker")
    start = int(marker)
    end = start + limit
    cut = end < len(items)
    return {name: items[start:end], "Truncated": cut} | ({"NextMarker": str(end)} if cut else {})
