"""The audit trail: every call as a CloudTrail record.

Source: AWS CloudTrail User Guide, "CloudTrail record contents", and AWS KMS Developer Guide,
"Logging AWS KMS API calls with AWS CloudTrail": plaintext, key material and the responses of
cryptographic operations are never in a record; the encryption context always is.
"""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any

from kmscourse.cloud.call import Call
from kmscourse.cloud.clock import written
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.identity import Principal
from kmscourse.cloud.randomness import Randomness

#: What AWS leaves out of a record.
_HIDDEN = {
    "Plaintext", "CiphertextBlob", "PlaintextKey", "PrivateKeyPlaintext", "SecretString",
    "SecretBinary", "Password", "MasterUserPassword", "KeyStorePassword", "EncryptedKeyMaterial",
    "ImportToken", "Message", "Mac", "Signature", "Body", "Value", "SSECustomerKey",
    "CopySourceSSECustomerKey", "PrivateKey", "Passphrase", "Item", "SharedSecret", "PublicKey",
    "SecretAccessKey", "WebIdentityToken", "SAMLAssertion",
}  # fmt: skip
#: Data events, which a trail records only when told to; lookup_events never shows them.
_DATA = {
    "s3": ("GetObject", "HeadObject", "PutObject", "DeleteObject", "CopyObject", "ListObjects",
           "ListObjectsV2", "UploadPart", "UploadPartCopy", "CreateMultipartUpload",
           "CompleteMultipartUpload", "DeleteObjects", "SelectObjectContent",
           "UpdateObjectEncryption"),
    "dynamodb": ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan",
                 "BatchGetItem", "BatchWriteItem"),
}  # fmt: skip
_READ_ONLY = ("Get", "List", "Describe", "Head", "Lookup", "Query", "Scan", "BatchGet")
#: KMS marks these as read-only too: they change nothing that KMS keeps.
_KMS_READ_ONLY = (
    "Encrypt", "Decrypt", "ReEncrypt", "Generate", "Sign", "Verify", "Derive", "Encapsulate",
    "Decapsulate",
)  # fmt: skip
_ALGORITHM_SHOWN = {
    "Encrypt": "encryptionAlgorithm",
    "Decrypt": "encryptionAlgorithm",
}


class Events(list[dict[str, Any]]):
    """CloudTrail records, oldest first: a list of dictionaries that prints as a table."""

    _COLUMNS = ("Time", "Event", "Who", "Through", "Resource", "Error")

    def rows(self) -> list[tuple[str, ...]]:
        """The records as text: time, event, who, through which service, resource, error."""
        return [
            (
                record["eventTime"][11:19],
                record["eventName"],
                _who(record["userIdentity"]),
                record["userIdentity"].get("invokedBy", ""),
                ", ".join(_short(r["ARN"]) for r in record.get("resources", [])),
                record.get("errorCode", ""),
            )
            for record in self
        ]

    def __repr__(self) -> str:
        if not self:
            return "No events."
        table = [self._COLUMNS, *self.rows()]
        widths = [max(len(row[i]) for row in table) for i in range(len(self._COLUMNS))]
        lines = [
            "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in table
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        if not self:
            return "<p>No events.</p>"
        head = "".join(f'<th scope="col" style="text-align:left">{c}</th>' for c in self._COLUMNS)
        body = "".join(
            "<tr>"
            + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row)
            + "</tr>"
            for row in self.rows()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


class Trail:
    """What CloudTrail recorded, of every account and Region."""

    def __init__(self, randomness: Randomness) -> None:
        self._random = randomness
        self._records: list[dict[str, Any]] = []

    def record(self, call: Call, result: dict[str, Any] | None, error: AWSError | None) -> None:
        """Write down one call, with its result or its error."""
        record: dict[str, Any] = {
            "eventVersion": "1.11",
            "userIdentity": _identity(call),
            "eventTime": written(call.time),
            "eventSource": f"{call.service}.amazonaws.com",
            "eventName": call.operation,
            "awsRegion": call.region,
            "sourceIPAddress": call.via[-1] if call.via else call.source_ip,
            "userAgent": call.via[-1] if call.via else call.user_agent,
        }
        if error is not None:
            # CloudTrail writes AccessDenied for the AccessDeniedException of every service.
            denied = error.code == "AccessDeniedException"
            record["errorCode"] = "AccessDenied" if denied else error.code
            if error.message:
                record["errorMessage"] = error.message
        shown = _shown(call.parameters) or None
        if shown and call.operation in _ALGORITHM_SHOWN:
            shown.setdefault(_ALGORITHM_SHOWN[call.operation], "SYMMETRIC_DEFAULT")
        read_only = _is_read_only(call)
        record["requestParameters"] = shown
        record["responseElements"] = None if read_only or not result else _shown(result) or None
        if "additionalEventData" in call.noted:
            record["additionalEventData"] = call.noted["additionalEventData"]
        record["requestID"] = call.request_id
        record["eventID"] = call.noted["event_id"] = self._random.uuid()
        record["readOnly"] = read_only
        if call.noted.get("resources"):
            record["resources"] = [dict(resource) for resource in call.noted["resources"]]
        management = call.operation not in _DATA.get(call.service, ())
        record["eventType"] = "AwsApiCall"
        record["managementEvent"] = management
        record["recipientAccountId"] = call.account
        record["eventCategory"] = "Management" if management else "Data"
        if call.endpoint is not None:
            record["vpcEndpointId"] = call.endpoint.id
            record["vpcEndpointAccountId"] = call.endpoint.account
        if call.tls is not None and not call.via:
            host = call.host or f"{call.service}.{call.region}.amazonaws.com"
            record["tlsDetails"] = {
                "tlsVersion": call.tls.version,
                "cipherSuite": call.tls.cipher_suite,
                "clientProvidedHostHeader": host,
            }
        self._records.append(record)
        self._copy_to_owners(record)
        if error is None:
            self._record_elsewhere(call, record)

    def _record_elsewhere(self, call: Call, record: dict[str, Any]) -> None:
        """What the call did in another Region, on the trail of that Region (fact MRK-16)."""
        for region, operation, arn, result in call.noted.get("also", ()):
            resources = [each for each in record["resources"] if each["ARN"] == arn]
            self._records.append(
                {
                    **record,
                    "awsRegion": region,
                    "eventName": operation,
                    "eventID": self._random.uuid(),
                    "requestParameters": None,
                    "responseElements": _shown(result),
                    "resources": resources,
                }
            )

    def _copy_to_owners(self, record: dict[str, Any]) -> None:
        """Cross-account use is logged in both accounts, under one sharedEventID.

        The owner of the resource sees the caller as `_from_outside` says.
        """
        caller = record["recipientAccountId"]
        owners = {r["accountId"] for r in record.get("resources", [])} - {caller}
        if not owners or record.get("errorCode"):
            return
        record["sharedEventID"] = self._random.uuid()
        for owner in sorted(owners):
            self._records.append(
                {
                    **record,
                    "userIdentity": _from_outside(record["userIdentity"]),
                    "recipientAccountId": owner,
                    "eventID": self._random.uuid(),
                }
            )

    def events(
        self,
        name: str | None = None,
        *,
        user: str | None = None,
        service: str | None = None,
        resource: str | None = None,
        error: str | None = None,
        account: str | None = None,
        since: datetime | None = None,
        after: int = 0,
    ) -> Events:
        """The records that match everything asked for, oldest first.

        Args:
            name: the operation, e.g. ``"Decrypt"``.
            user: the name of a user or role.
            service: e.g. ``"kms"``.
            resource: an ARN, or the end of one, among the record's resources.
            error: an error code, e.g. ``"AccessDenied"``.
            account: the account whose trail to read; every account's for None.
            since: only what happened at or after this time (UTC).
            after: leave out this many of the first records; ``len(aws.trail)`` from earlier on.
        """
        stamp = written(since) if since else ""
        return Events(
            record
            for record in self._records[after:]
            if (name is None or record["eventName"] == name)
            and (user is None or user in _who(record["userIdentity"]).split("/"))
            and (service is None or record["eventSource"] == f"{service}.amazonaws.com")
            and (
                resource is None
                or any(r["ARN"].endswith(resource) for r in record.get("resources", []))
            )
            and (error is None or record.get("errorCode", "").startswith(error))
            and (account is None or record["recipientAccountId"] == account)
            and record["eventTime"] >= stamp
        )

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return f"<Trail: {len(self)} events>"


def _identity(call: Call) -> dict[str, Any]:
    caller: Principal = call.caller
    identity: dict[str, Any] = {
        "type": caller.kind,
        "principalId": caller.id,
        "arn": caller.arn,
        "accountId": caller.account,
    }
    if call.access_key:
        identity["accessKeyId"] = call.access_key
    if caller.kind == "IAMUser":
        identity["userName"] = caller.name
    mfa = {"mfaAuthenticated": str(caller.mfa_at is not None).lower()}
    if caller.kind == "AssumedRole":
        identity["sessionContext"] = {
            "sessionIssuer": {
                "type": "Role",
                "principalId": caller.id.partition(":")[0],
                "arn": caller.issuer_arn,
                "accountId": caller.account,
                "userName": caller.role_name,
            },
            "attributes": mfa,
        }
    elif caller.issuer is not None:
        identity["sessionContext"] = {
            "sessionIssuer": {
                "type": "IAMUser",
                "principalId": caller.issuer.id,
                "arn": caller.issuer.arn,
                "accountId": caller.account,
                "userName": caller.issuer.name,
            },
            "attributes": mfa,
        }
    elif caller.temporary:
        identity["sessionContext"] = {"attributes": mfa}
    if caller.kind in ("WebIdentityUser", "SAMLUser"):
        identity = {
            "type": caller.kind,
            "principalId": caller.id,
            "userName": caller.id.rpartition(":")[2],
            "identityProvider": caller.arn,
        }
    if caller.kind == "AWSService":
        identity = {"type": "AWSService", "invokedBy": caller.arn}
    if call.via:
        identity["invokedBy"] = call.via[-1]
    return identity


def _from_outside(identity: dict[str, Any]) -> dict[str, Any]:
    """A caller as another account sees them: their account and id, and no name.

    Source: AWS CloudTrail User Guide, "CloudTrail userIdentity element", AWSAccount; IAM User
    Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail", the cross-account example.
    """
    if "accountId" not in identity:  # a service
        return identity
    kept = {name: identity[name] for name in ("principalId", "accountId")}
    through = {"invokedBy": identity["invokedBy"]} if "invokedBy" in identity else {}
    return {"type": "AWSAccount", **kept, **through}


def _is_read_only(call: Call) -> bool:
    names = _READ_ONLY + (_KMS_READ_ONLY if call.service == "kms" else ())
    return call.operation.startswith(names)


def _shown(value: Any) -> Any:
    """A parameter as the trail shows it: names in lower camel case, secrets left out."""
    if isinstance(value, dict):
        return {
            name[0].lower() + name[1:]: _shown(item) if name not in _CONTEXTS else dict(item)
            for name, item in value.items()
            if name not in _HIDDEN and not isinstance(item, bytes) and item is not None
        }
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    if isinstance(value, datetime):
        return value.strftime("%b %-d, %Y, %-I:%M:%S %p")
    return value if isinstance(value, str | int | float | bool) else str(value)


_CONTEXTS = {
    "EncryptionContext", "SourceEncryptionContext", "DestinationEncryptionContext",
    "EncryptionContextSubset", "EncryptionContextEquals",
}  # fmt: skip


def _who(identity: dict[str, Any]) -> str:
    if "arn" in identity:
        return str(identity["arn"]).rpartition(":")[2]
    if "accountId" in identity:  # of another account
        return f"{identity['accountId']}/{identity['principalId']}"
    return str(identity.get("invokedBy", "")).rpartition(":")[2]


def _short(arn: str) -> str:
    return (
        arn.split(":", 5)[-1]
        if arn.startswith("arn:aws:kms")
        else arn.removeprefix("arn:aws:s3:::")
    )
