"""The four ways to name a key: id, ARN, alias name, alias ARN."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from kmscourse.cloud.errors import AWSError

_ARN = re.compile(
    r"arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):(?P<rest>(?:key|alias)/.+)"
)
_KEY_ID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_MULTI_REGION = re.compile(r"mrk-[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class Name:
    """A key or alias in an account and Region, whether or not it exists.

    Attributes:
        id: the key id, or the alias name with its ``alias/``.
    """

    kind: Literal["key", "alias"]
    account: str
    region: str
    id: str

    @property
    def arn(self) -> str:
        """The full ARN."""
        rest = self.id if self.kind == "alias" else f"key/{self.id}"
        return f"arn:aws:kms:{self.region}:{self.account}:{rest}"


def parse(text: str, *, account: str, region: str) -> Name:
    """Read any of the four forms; the caller's account and Region complete the short ones.

    Raises:
        AWSError: ``NotFoundException: Invalid keyId`` for what is no key id,
            ``InvalidArnException`` for an ARN that names neither key nor alias.
    """
    if text.startswith("arn:"):
        match = _ARN.fullmatch(text)
        if match is None:
            raise AWSError("InvalidArnException", f"Invalid arn {text}")
        if match["region"] != region:
            raise AWSError("NotFoundException", f"Invalid arn {match['region']}")
        account, text = match["account"], match["rest"].removeprefix("key/")
    if text.startswith("alias/"):
        return Name("alias", account, region, text)
    if _KEY_ID.fullmatch(text) or _MULTI_REGION.fullmatch(text):
        return Name("key", account, region, text.lower())
    raise AWSError("NotFoundException", f"Invalid keyId {text}")


def not_found(arn: str) -> AWSError:
    """What AWS says of a key that is not there."""
    return AWSError("NotFoundException", f"Key '{arn}' does not exist")
