"""KMS keys where they are, and the calls that went there: what the Region map shows.

Each Region is asked for itself, as only it knows what is its own; one that is switched off does not
answer, and so is not known. The calls are the trail's, and beside them those that nobody answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from kmscourse.cloud.simulation import Cloud

#: Operations that use a key, as against those that look after it.
USES = frozenset(
    {
        "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "Sign", "Verify",
        "GenerateMac", "VerifyMac", "DeriveSharedSecret", "GetPublicKey", "Encapsulate",
        "Decapsulate",
    }
)  # fmt: skip
#: What only asks. The map itself asks a good deal, so these are left out.
_ASKS = ("Describe", "List", "Get")
_ONCE = Config(retries={"total_max_attempts": 1})


@dataclass(frozen=True, slots=True)
class KeyHere:
    """A KMS key in one Region.

    Attributes:
        name: as the map calls it; the same for related keys.
        kind: ``primary``, ``replica`` or ``single-Region``.
        state: the key state.
        materials: names of its key materials, oldest first; equal where the material is.
        own: what is this Region's alone, as (what, value).
    """

    name: str
    kind: str
    state: str
    arn: str
    materials: tuple[str, ...]
    own: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A Region: whether it answers, and the keys that it has."""

    region: str
    answers: bool
    keys: tuple[KeyHere, ...]


@dataclass(frozen=True, slots=True)
class Went:
    """A call, and where it went.

    Attributes:
        key: name of the key that it was about; empty where it reached none.
        outcome: ``ok``, ``refused`` or ``unanswered``.
        error: AWS's error code; empty where it went well.
    """

    time: datetime
    region: str
    service: str
    operation: str
    who: str
    through: str
    key: str
    outcome: str
    error: str


class Places:
    """What is where, at the simulated now.

    Args:
        keys: a name for each, and the ARN of one key of the set.
        regions: Regions to show besides those that have a key.
        after: how many events of the trail to leave out.
        services: whose calls to show besides those of KMS that concern the keys.

    Raises:
        ValueError: what was passed is no ARN of a KMS key, or no Region that answers has it.
    """

    def __init__(
        self,
        aws: Cloud,
        keys: Mapping[str, str],
        regions: Iterable[str],
        after: int,
        services: Sequence[str],
    ) -> None:
        seen = len(aws.trail)
        self._regions = tuple(regions)
        self._materials: dict[str, str] = {}
        self._letters: dict[str, str] = {}
        self._clients: dict[str, Any] = {}
        home: dict[str, str] = {}  # ARN -> the name of its set
        found: dict[str, list[KeyHere]] = {region: [] for region in self._regions}
        for number, (name, arn) in enumerate(keys.items()):
            self._letters[name] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number]
            for each in self._related(name, arn):
                home[each] = name
                found.setdefault(each.split(":")[3], [])
        for arn, name in home.items():
            region = arn.split(":")[3]
            if region not in aws.regions.down:
                found[region].append(self._key(name, arn, region))
        self.places = [
            Place(region, region not in aws.regions.down, tuple(here))
            for region, here in found.items()
        ]
        self.calls = list(self._calls(aws, after, seen, home, set(found), services))

    # ------------------------------------------------------------------ keys

    def _kms(self, region: str) -> Any:
        if region not in self._clients:
            self._clients[region] = boto3.client("kms", region_name=region, config=_ONCE)
        return self._clients[region]

    def _related(self, name: str, arn: str) -> list[str]:
        """The ARNs of a key and of all keys related to it, the primary first."""
        parts = arn.split(":") if isinstance(arn, str) else []
        if len(parts) != 6 or parts[2] != "kms" or not parts[5].startswith("key/"):
            raise ValueError(f"{name!r}: pass the ARN of a KMS key, not {arn!r}.")
        known = self._metadata(arn)
        if known is None and "key/mrk-" in arn:  # a related key can answer for it
            others = [":".join([*parts[:3], region, *parts[4:]]) for region in self._regions]
            known = next((found for other in others if (found := self._known(other))), None)
        if known is None:
            return [arn]
        about = known.get("MultiRegionConfiguration")
        if about is None:
            return [arn]
        return [about["PrimaryKey"]["Arn"], *(each["Arn"] for each in about["ReplicaKeys"])]

    def _known(self, arn: str) -> dict[str, Any] | None:
        """What a Region says of a key; None also where it has no such key."""
        try:
            return self._metadata(arn)
        except ValueError:
            return None

    def _metadata(self, arn: str) -> dict[str, Any] | None:
        """What a Region says of a key; None where the Region does not answer."""
        try:
            metadata: dict[str, Any] = self._kms(arn.split(":")[3]).describe_key(KeyId=arn)[
                "KeyMetadata"
            ]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ServiceUnavailable":
                return None
            raise ValueError(f"{arn} cannot be shown: DescribeKey gave {code}.") from error
        return metadata

    def _key(self, name: str, arn: str, region: str) -> KeyHere:
        metadata = self._metadata(arn)
        assert metadata is not None, "only Regions that answer are asked"
        kms = self._kms(region)
        configuration = metadata.get("MultiRegionConfiguration")
        kind = configuration["MultiRegionKeyType"].lower() if configuration else "single-Region"
        aliases = [each["AliasName"] for each in kms.list_aliases(KeyId=arn)["Aliases"]]
        tags = [
            f"{each['TagKey']}={each['TagValue']}"
            for each in kms.list_resource_tags(KeyId=arn)["Tags"]
        ]
        grants = len(kms.list_grants(KeyId=arn)["Grants"])
        policy = kms.get_key_policy(KeyId=arn)["Policy"].count('"Effect"')
        own = (
            ("Alias", ", ".join(aliases) or "none"),
            ("Tags", ", ".join(tags) or "none"),
            ("Grants", str(grants)),
            ("Policy", f"{policy} statement{'' if policy == 1 else 's'}"),
            ("Description", metadata.get("Description") or "none"),
        )
        return KeyHere(name, kind, metadata["KeyState"], arn, self._names(name, kms, arn), own)

    def _names(self, name: str, kms: Any, arn: str) -> tuple[str, ...]:
        try:
            listed = kms.list_key_rotations(KeyId=arn, IncludeKeyMaterial="ALL_KEY_MATERIAL")
            ids = [each["KeyMaterialId"] for each in listed["Rotations"]]
        except ClientError:
            return ()  # keys that do not rotate do not say
        for each in ids:
            mine = sum(known.startswith(self._letters[name]) for known in self._materials.values())
            self._materials.setdefault(each, f"{self._letters[name]}{mine + 1}")
        return tuple(self._materials[each] for each in ids)

    # ------------------------------------------------------------------ calls

    def _calls(
        self,
        aws: Cloud,
        after: int,
        seen: int,
        home: Mapping[str, str],
        regions: set[str],
        services: Sequence[str],
    ) -> Iterator[Went]:
        # The map's own questions come after `seen`; unanswered ones only ask, and are not shown.
        lost = [each for each in aws.regions.unanswered if after <= each.position <= seen]
        events = aws.trail.events()[after:seen]
        for position, event in enumerate(events, start=after):
            while lost and lost[0].position <= position:
                yield from self._lost(lost.pop(0), regions, services)
            service = event["eventSource"].partition(".")[0]
            arns = [each["ARN"] for each in event.get("resources") or ()]
            about = next((home[arn] for arn in arns if arn in home), "")
            ours = bool(about) or (bool(event.get("errorCode")) and event["eventName"] in USES)
            wanted = service in services if service != "kms" else ours
            if event["awsRegion"] not in regions or not wanted:
                continue
            if service == "kms" and event["eventName"].startswith(_ASKS):
                continue
            error = event.get("errorCode", "")
            identity = event["userIdentity"]
            yield Went(
                datetime.fromisoformat(event["eventTime"]),
                event["awsRegion"],
                service,
                event["eventName"],
                str(identity.get("arn", identity.get("invokedBy", ""))).rpartition("/")[2],
                identity.get("invokedBy", "").partition(".")[0],
                about,
                "refused" if error else "ok",
                error,
            )
        for each in lost:
            yield from self._lost(each, regions, services)

    def _lost(self, each: Any, regions: set[str], services: Sequence[str]) -> Iterator[Went]:
        asks = each.service == "kms" and each.operation.startswith(_ASKS)
        if each.region in regions and each.service in ("kms", *services) and not asks:
            yield Went(
                each.time, each.region, each.service, each.operation, each.who, "", "",
                "unanswered", "no answer",
            )  # fmt: skip
