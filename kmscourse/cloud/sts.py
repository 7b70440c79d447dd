"""The one answer of AWS STS that moto cannot give: who am I?"""

from __future__ import annotations

from typing import Any

from kmscourse.cloud.call import Call


def get_caller_identity(call: Call) -> dict[str, Any]:
    """The caller's ARN, account and unique id. Nobody needs a permission to ask."""
    return {"UserId": call.caller.id, "Account": call.caller.account, "Arn": call.caller.arn}
