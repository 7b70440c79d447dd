"""The keys of a table: a KMS key over the table key over the key that seals the items.

With the AWS owned key the table key is under a root key of DynamoDB's own, and nobody is asked.
Otherwise DynamoDB makes a grant for itself as the user who chooses the key, has the table key
made under that grant, and has it unwrapped as whoever reads or writes. It remembers a table key
for about five minutes (fact DDB-04), so KMS is asked once in a while and not for each item, and a
change of the key is noticed as late.

Source: Amazon DynamoDB Developer Guide, "DynamoDB encryption at rest usage notes".
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse.cloud.at_rest import sealing
from kmscourse.cloud.at_rest.dynamodb.shelf import Shelf, hashed
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.identity import Principal
from kmscourse.cloud.kms.ciphertext import Blob
from kmscourse.cloud.permissions import Permission, RefusedError
from kmscourse.cloud.randomness import Randomness

if TYPE_CHECKING:
    from kmscourse.cloud.gateway import Gateway

OWNED, MANAGED, CUSTOMER = "AWS owned key", "AWS managed key", "customer managed key"
#: How long a table key is remembered. Fact DDB-04.
REMEMBERED = timedelta(minutes=5)
_SERVICE = "dynamodb.amazonaws.com"
_NONCE = 12
_GRANTED = [
    "Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "DescribeKey",
    "RetireGrant",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Encryption:
    """Under which keys a table is sealed; no key that opens anything is in it.

    Attributes:
        kind: `OWNED`, `MANAGED` or `CUSTOMER`.
        key_arn: the KMS key; None where DynamoDB owns it.
        grant_id: of DynamoDB's grant on it.
    """

    kind: str
    table_arn: str
    wrapped_table_key: bytes
    wrapped_data_key: bytes
    key_arn: str | None = None
    key_material_id: str | None = None
    grant_id: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Known:
    key: bytes = field(repr=False)
    until: datetime


class TableKeys:
    """Makes, wraps and unwraps the keys of all tables. One for each simulated AWS."""

    def __init__(self, random: Randomness) -> None:
        self.random = random
        self._root: bytes | None = None
        self._placing: bytes | None = None
        self._known: dict[tuple[Any, ...], _Known] = {}
        #: The keys in use for this request, by the wrapped key.
        self._open: ContextVar[dict[bytes, bytes]] = ContextVar("open table keys")

    def begin(self) -> Any:
        """Nothing is open yet; to be given to `end` when the request is over."""
        return self._open.set({})

    def end(self, token: Any) -> None:
        """The request is over."""
        self._open.reset(token)

    def open_key(self, shelf: Shelf) -> bytes:
        """The key that seals the items of a shelf.

        Raises:
            AWSError: where the request does not name the table, and so had nobody's permission.
        """
        try:
            return self._open.get({})[shelf.encryption.wrapped_data_key]
        except KeyError:
            raise AWSError("AccessDeniedException", "The table's key was not asked for.") from None

    def place(self, key: Any) -> bytes:
        """Where a partition or sort key stands."""
        if self._placing is None:
            self._placing = self.random.bytes(32)
        return hashed(self._placing, key)

    def unlock(self, gateway: Gateway, call: Call, shelf: Shelf) -> None:
        """Let the rest of the request open the items of a shelf.

        Args:
            call: of whoever reads or writes, in the table's Region; `as_service` for DynamoDB.

        Raises:
            AWSError: KMS's refusal in DynamoDB's words.
        """
        used = shelf.encryption
        if used.wrapped_data_key in self._open.get():
            return
        who = (call.caller.arn, call.caller.session_policies, used.wrapped_table_key)
        known = self._known.get(who)
        if used.key_arn is None:
            table_key = _unwrap(used.wrapped_table_key, self._own_root(), used.table_arn)
        elif known is not None and call.time < known.until:
            table_key = known.key
        else:
            try:
                table_key = sealing.unwrap(gateway, call, used.wrapped_table_key, used.context)
            except AWSError as error:
                raise words(gateway, error) from error
            fresh = {name: each for name, each in self._known.items() if call.time < each.until}
            self._known = fresh | {who: _Known(table_key, call.time + REMEMBERED)}
        data_key = _unwrap(used.wrapped_data_key, table_key, used.table_arn)
        self._open.get()[used.wrapped_data_key] = data_key

    def make(
        self, gateway: Gateway, call: Call, table: Any, key_id: str | None, data_key: bytes | None
    ) -> Encryption:
        """A new table key, over a new data key or over the one that there is.

        Args:
            call: of whoever chooses the key, in the table's Region.
            key_id: the KMS key; ``"alias/aws/dynamodb"`` for the AWS managed one; None for the
                AWS owned key.

        Raises:
            AWSError: KMS's refusal in DynamoDB's words.
        """
        data_key = data_key or self.random.bytes(32)
        if key_id is None:
            table_key, arn = self.random.bytes(32), table.table_arn
            made = Encryption(
                OWNED,
                arn,
                self._wrap(table_key, self._own_root(), arn),
                self._wrap(data_key, table_key, arn),
            )
        else:
            try:
                made = self._make_under(gateway, call, table, key_id, data_key)
            except AWSError as error:
                raise words(gateway, error) from error
        opened = self._open.get()
        opened[made.wrapped_data_key] = data_key
        return made

    def _make_under(
        self, gateway: Gateway, call: Call, table: Any, key_id: str, data_key: bytes
    ) -> Encryption:
        owner, arn = table.account_id, table.table_arn
        key_id = sealing.key_for(gateway, call, "dynamodb", key_id, owner)
        context = {
            "aws:dynamodb:tableName": table.name,
            "aws:dynamodb:subscriberId": owner,
        }
        described = gateway.on_behalf(call, "kms", "DescribeKey", {"KeyId": key_id})["KeyMetadata"]
        # AWS shows grants to dynamodb.<region>.amazonaws.com; here the principal has the name
        # that CloudTrail gives it.
        grant = gateway.on_behalf(
            call,
            "kms",
            "CreateGrant",
            {
                "KeyId": described["Arn"],
                "GranteeServicePrincipal": _SERVICE,
                "RetiringServicePrincipal": _SERVICE,
                "Operations": list(_GRANTED),
                "Constraints": {"EncryptionContextSubset": context, "SourceArn": arn},
            },
        )
        served = gateway.serve(
            self.as_service(
                call,
                table,
                operation="GenerateDataKey",
                parameters={
                    "KeyId": described["Arn"],
                    "KeySpec": "AES_256",
                    "EncryptionContext": dict(context),
                    "GrantTokens": [grant["GrantToken"]],
                },
            )
        )
        assert isinstance(served, dict), "KMS is ours"
        return Encryption(
            MANAGED if described["KeyManager"] == "AWS" else CUSTOMER,
            arn,
            served["CiphertextBlob"],
            self._wrap(data_key, served["Plaintext"], arn),
            key_arn=described["Arn"],
            key_material_id=Blob.parse(served["CiphertextBlob"]).material_id,
            grant_id=grant["GrantId"],
            context=context,
        )

    def retire(self, gateway: Gateway, call: Call, table: Any, used: Encryption) -> None:
        """Give back DynamoDB's grant on a key that a table no longer uses."""
        if used.grant_id is None:
            return
        parameters = {"KeyId": used.key_arn, "GrantId": used.grant_id}
        try:
            gateway.serve(
                self.as_service(call, table, operation="RetireGrant", parameters=parameters)
            )
        except AWSError:
            return  # the grant or the key is gone, or the key cannot be used: nothing to give back

    def as_service(
        self,
        call: Call,
        table: Any,
        *,
        operation: str = "",
        parameters: dict[str, Any] | None = None,
    ) -> Call:
        """A call that DynamoDB makes to KMS for itself, for a table."""
        return replace(
            call,
            service="kms",
            operation=operation,
            parameters=parameters or {},
            region=table.region_name,
            request_id=self.random.uuid(),
            access_key=None,
            session_token=None,
            caller=Principal(_SERVICE, "AWSService", table.account_id, _SERVICE),
            http=None,
            user_agent=_SERVICE,
            source_ip=_SERVICE,
            via=(),
            source_arn=table.table_arn,
            source_account=table.account_id,
            noted={},
        )

    def unlock_as_service(self, gateway: Gateway, call: Call, table: Any) -> None:
        """Let the request open a replica's items under DynamoDB's own grant.

        Raises:
            AWSError: KMS's refusal in DynamoDB's words.
        """
        shelf: Shelf = table.items
        used = shelf.encryption
        if used.key_arn is None:
            return self.unlock(gateway, call, shelf)
        who = (_SERVICE, used.wrapped_table_key)
        known = self._known.get(who)
        if known is None or call.time >= known.until:
            asked = {
                "CiphertextBlob": used.wrapped_table_key,
                "EncryptionContext": dict(used.context),
            }
            inner = self.as_service(call, table, operation="Decrypt", parameters=asked)
            try:
                served = gateway.serve(inner)
            except AWSError as error:
                raise words(gateway, error) from error
            assert isinstance(served, dict), "KMS is ours"
            known = _Known(served["Plaintext"], call.time + REMEMBERED)
            self._known = {**self._known, who: known}
        self._open.get()[used.wrapped_data_key] = _unwrap(
            used.wrapped_data_key, known.key, used.table_arn
        )
        return None

    def _own_root(self) -> bytes:
        if self._root is None:
            self._root = self.random.bytes(32)
        return self._root

    def _wrap(self, key: bytes, under: bytes, arn: str) -> bytes:
        nonce = self.random.bytes(_NONCE)
        return nonce + AESGCM(under).encrypt(nonce, key, arn.encode())


def _unwrap(wrapped: bytes, under: bytes, arn: str) -> bytes:
    return AESGCM(under).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], arn.encode())


def words(gateway: Gateway, error: AWSError) -> AWSError:
    """KMS's refusal in DynamoDB's words.

    Source: AWS's answers in public issues, e.g. aws/aws-cdk#10010, for a permission that is
    missing. For a key that is disabled, gone or of another kind, code and words are inferred
    after them.
    """
    denied = isinstance(error, RefusedError) or error.code == "AccessDeniedException"
    what = "access denied" if denied else "validation"
    kind = "AWSKMSException" if denied else error.code
    message = (
        f"KMS key {what} error: com.amazonaws.services.kms.model.{kind}: "
        f"{sealing.of_java(gateway, error)}"
    )
    if isinstance(error, RefusedError):
        return RefusedError(Permission("kms:Decrypt", "*"), error.decision, message)
    return AWSError("AccessDeniedException", message)
