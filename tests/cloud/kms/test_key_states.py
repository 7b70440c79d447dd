"""All operations by all key states: AWS's table, cell by cell."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kmscourse import cloud
from tests.cloud.kms.conftest import client
from tests.cloud.kms.importing import external_key, import_into, wrap
from tests.cloud.kms.key_states import CELLS, FOOTNOTES

HERE, THERE, ELSEWHERE = "us-east-1", "eu-west-1", "ap-southeast-2"
SPECS: dict[str, dict[str, Any]] = {
    **{name: {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
       for name in ("GenerateMac", "VerifyMac")},
    **{name: {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
       for name in ("Sign", "Verify", "GetPublicKey")},
    **{name: {"MultiRegion": True} for name in ("ReplicateKey", "UpdatePrimaryRegion")},
}  # fmt: skip


@dataclass
class Subject:
    """A key in a state, with what was made for it while it worked.

    Attributes:
        kind: ``ours`` (material of AWS KMS), ``imported`` or ``store``.
    """

    kms: Any
    arn: str
    kind: str
    material: bytes = b""
    blob: bytes = b""
    signature: bytes = b""
    mac: bytes = b""
    grant: str = ""
    alias: str = ""
    imports: tuple[bytes, bytes] = (b"", b"")


Call = Callable[[Subject], Any]
CALLS: dict[str, Call] = {
    "CancelKeyDeletion": lambda s: s.kms.cancel_key_deletion(KeyId=s.arn),
    "CreateAlias": lambda s: s.kms.create_alias(AliasName=_new_alias(), TargetKeyId=s.arn),
    "CreateGrant": lambda s: s.kms.create_grant(
        KeyId=s.arn, GranteePrincipal="arn:aws:iam::123456789012:root", Operations=["DescribeKey"]
    ),
    "Decrypt": lambda s: s.kms.decrypt(CiphertextBlob=s.blob),
    "DeleteAlias": lambda s: s.kms.delete_alias(AliasName=s.alias),
    "DeleteImportedKeyMaterial": lambda s: s.kms.delete_imported_key_material(KeyId=s.arn),
    "DescribeKey": lambda s: s.kms.describe_key(KeyId=s.arn),
    "DisableKey": lambda s: s.kms.disable_key(KeyId=s.arn),
    "DisableKeyRotation": lambda s: s.kms.disable_key_rotation(KeyId=s.arn),
    "EnableKey": lambda s: s.kms.enable_key(KeyId=s.arn),
    "EnableKeyRotation": lambda s: s.kms.enable_key_rotation(KeyId=s.arn),
    "Encrypt": lambda s: s.kms.encrypt(KeyId=s.arn, Plaintext=b"x"),
    "GenerateDataKey": lambda s: s.kms.generate_data_key(KeyId=s.arn, KeySpec="AES_256"),
    "GenerateDataKeyPair": lambda s: s.kms.generate_data_key_pair(
        KeyId=s.arn, KeyPairSpec="ECC_NIST_P256"
    ),
    "GenerateDataKeyPairWithoutPlaintext": lambda s: s.kms.generate_data_key_pair_without_plaintext(
        KeyId=s.arn, KeyPairSpec="ECC_NIST_P256"
    ),
    "GenerateDataKeyWithoutPlaintext": lambda s: s.kms.generate_data_key_without_plaintext(
        KeyId=s.arn, KeySpec="AES_256"
    ),
    "GenerateMac": lambda s: s.kms.generate_mac(
        KeyId=s.arn, Message=b"x", MacAlgorithm="HMAC_SHA_256"
    ),
    "GetKeyPolicy": lambda s: s.kms.get_key_policy(KeyId=s.arn),
    "GetKeyRotationStatus": lambda s: s.kms.get_key_rotation_status(KeyId=s.arn),
    "GetParametersForImport": lambda s: s.kms.get_parameters_for_import(
        KeyId=s.arn, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    ),
    "GetPublicKey": lambda s: s.kms.get_public_key(KeyId=s.arn),
    "ImportKeyMaterial": lambda s: s.kms.import_key_material(
        KeyId=s.arn,
        ImportToken=s.imports[0] or b"?",
        EncryptedKeyMaterial=s.imports[1] or b"?",
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    ),
    "ListAliases": lambda s: s.kms.list_aliases(KeyId=s.arn),
    "ListGrants": lambda s: s.kms.list_grants(KeyId=s.arn),
    "ListKeyPolicies": lambda s: s.kms.list_key_policies(KeyId=s.arn),
    "ListResourceTags": lambda s: s.kms.list_resource_tags(KeyId=s.arn),
    "PutKeyPolicy": lambda s: s.kms.put_key_policy(
        KeyId=s.arn, Policy=s.kms.get_key_policy(KeyId=s.arn)["Policy"]
    ),
    "ReEncrypt": lambda s: s.kms.re_encrypt(CiphertextBlob=s.blob, DestinationKeyId=s.arn),
    "ReplicateKey": lambda s: s.kms.replicate_key(KeyId=s.arn, ReplicaRegion=ELSEWHERE),
    "RetireGrant": lambda s: s.kms.retire_grant(KeyId=s.arn, GrantId=s.grant),
    "RevokeGrant": lambda s: s.kms.revoke_grant(KeyId=s.arn, GrantId=s.grant),
    "ScheduleKeyDeletion": lambda s: s.kms.schedule_key_deletion(KeyId=s.arn),
    "Sign": lambda s: s.kms.sign(KeyId=s.arn, Message=b"x", SigningAlgorithm="ECDSA_SHA_256"),
    "TagResource": lambda s: s.kms.tag_resource(
        KeyId=s.arn, Tags=[{"TagKey": "a", "TagValue": "b"}]
    ),
    "UntagResource": lambda s: s.kms.untag_resource(KeyId=s.arn, TagKeys=["a"]),
    "UpdateAlias": lambda s: s.kms.update_alias(AliasName=s.alias, TargetKeyId=s.arn),
    "UpdateKeyDescription": lambda s: s.kms.update_key_description(KeyId=s.arn, Description="d"),
    "UpdatePrimaryRegion": lambda s: s.kms.update_primary_region(
        KeyId=s.arn, PrimaryRegion=THERE if s.arn.split(":")[3] == HERE else HERE
    ),
    "Verify": lambda s: s.kms.verify(
        KeyId=s.arn, Message=b"x", Signature=s.signature, SigningAlgorithm="ECDSA_SHA_256"
    ),
    "VerifyMac": lambda s: s.kms.verify_mac(
        KeyId=s.arn, Message=b"x", Mac=s.mac, MacAlgorithm="HMAC_SHA_256"
    ),
}
USES = {
    "Decrypt", "Encrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", "GenerateMac",
    "GetPublicKey", "Sign", "Verify", "VerifyMac",
}  # fmt: skip
_numbers = iter(range(1_000_000))


@pytest.mark.parametrize(("operation", "state"), CELLS, ids=["-".join(cell) for cell in CELLS])
def test_cell(world: cloud.Cloud, operation: str, state: str) -> None:
    """The cell for each kind of key that can be in the state."""
    cell = CELLS[operation, state]
    kinds = _kinds(operation, state)
    if not kinds:  # "not applicable": there is no such key, because none can be created
        _expect_no_such_key(world, operation)
        return
    for kind in kinds:
        subject = _subject(world, operation, state, kind)
        found = _outcome(CALLS[operation], subject)
        expected = _expected(cell, kind, state, operation)
        assert any(_same(found, each, subject.arn) for each in expected), (kind, found, expected)


@pytest.mark.parametrize("operation", sorted(dict.fromkeys(op for op, _ in CELLS)))
def test_pending_replica_deletion_is_like_pending_deletion(
    world: cloud.Cloud, operation: str
) -> None:
    """AWS's table has one column for both."""
    subject = _subject(world, operation, "PendingReplicaDeletion", "ours")
    found = _outcome(CALLS[operation], subject)
    expected = _expected(CELLS[operation, "PendingDeletion"], "ours", "", operation)
    spoken = [each and (each[0], each[1].replace("deletion", "replica deletion"))
              for each in expected]  # fmt: skip
    assert any(_same(found, each, subject.arn) for each in spoken), (found, spoken)


def test_an_unavailable_key_is_switched_when_it_becomes_available(world: cloud.Cloud) -> None:
    """Footnote 12."""
    subject = _subject(world, "DisableKey", "Unavailable", "store")
    kms = subject.kms
    kms.disable_key(KeyId=subject.arn)
    metadata = kms.describe_key(KeyId=subject.arn)["KeyMetadata"]
    assert metadata["KeyState"] == "Unavailable"
    kms.connect_custom_key_store(CustomKeyStoreId=metadata["CustomKeyStoreId"])
    assert kms.describe_key(KeyId=subject.arn)["KeyMetadata"]["KeyState"] == "Disabled"


def test_a_key_pending_deletion_stays_so_when_its_key_store_is_disconnected(
    world: cloud.Cloud,
) -> None:
    """Footnote 13."""
    subject = _subject(world, "DescribeKey", "Enabled", "store")
    kms = subject.kms
    kms.schedule_key_deletion(KeyId=subject.arn)
    store = kms.describe_key(KeyId=subject.arn)["KeyMetadata"]["CustomKeyStoreId"]
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert kms.describe_key(KeyId=subject.arn)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=subject.arn)
    assert kms.describe_key(KeyId=subject.arn)["KeyMetadata"]["KeyState"] == "Unavailable"


def test_the_table_is_whole() -> None:
    assert len(CELLS) == 280
    assert set(CALLS) == {operation for operation, _ in CELLS}


def _kinds(operation: str, state: str) -> list[str]:
    footnotes = CELLS[operation, state].partition(".")[2].split("+")
    multi_region = "MultiRegion" in SPECS.get(operation, {})
    if state == "Unavailable":
        return [] if operation in SPECS else ["store"]
    if state == "PendingImport":
        return ["imported"]
    if state in ("Creating", "Updating"):
        if "Import" in operation:
            return ["imported"]
        return ["ours", "imported"] if {"7", "9"} & set(footnotes) else ["ours"]
    if {"7", "8", "9"} & set(footnotes) and not multi_region:
        return ["ours", "imported", "store"]
    return ["ours"]


def _expected(cell: str, kind: str, state: str, operation: str) -> list[tuple[str, str] | None]:
    """What the cell says of a kind of key: None for "works", else a code and words."""
    verdict, _, notes = cell.partition(".")
    footnotes = notes.split("+") if notes else []
    if verdict == "na":  # the table is older than imported HMAC and asymmetric keys
        return [FOOTNOTES["5"]] if kind == "imported" else [FOOTNOTES["9"]]
    if "7" in footnotes and kind != "ours":
        return [FOOTNOTES["7"]]
    if "9" in footnotes and kind != "imported":
        return [FOOTNOTES["9"]]
    left = [note for note in footnotes if note not in ("7", "9", "12", "13")]
    if operation == "UpdateAlias" and left:
        return [FOOTNOTES["10"]]  # the key is the destination here
    if verdict != "no":
        return [None]
    return [FOOTNOTES[note] for note in left]


def _same(found: tuple[str, str] | None, expected: tuple[str, str] | None, arn: str) -> bool:
    if found is None or expected is None:
        return found is expected
    return found[0] == expected[0] and found[1].startswith(arn) and found[1].endswith(expected[1])


def _outcome(call: Call, subject: Subject) -> tuple[str, str] | None:
    try:
        call(subject)
    except ClientError as error:
        found = error.response["Error"]
        return str(found["Code"]), str(found["Message"])
    return None


def _subject(world: cloud.Cloud, operation: str, state: str, kind: str) -> Subject:
    """A key of a kind, prepared while it works and then brought into a state."""
    kms = client(world)
    spec = dict(SPECS.get(operation, {}))
    replicated = state in ("Creating", "Updating", "PendingReplicaDeletion")
    if replicated or spec.get("MultiRegion"):
        spec["MultiRegion"] = True
    material = _material(spec) if kind == "imported" else b""
    if kind == "store":
        name = "to disconnect" if state != "Enabled" else "for use"
        spec |= {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": _store(kms, name)}
    if kind == "imported":
        arn = _arn(kms, external_key(kms, material, **spec))
    else:
        arn = str(kms.create_key(**spec)["KeyMetadata"]["Arn"])
    if spec.get("MultiRegion"):
        kms.replicate_key(KeyId=arn, ReplicaRegion=THERE)
        if kind == "imported":
            import_into(client(world, THERE), arn.replace(HERE, THERE), material)
    if state == "Creating":
        kms, arn = client(world, THERE), arn.replace(HERE, THERE)
    subject = Subject(kms, arn, kind, material)
    _prepare(subject, operation)
    _bring_into(world, subject, state)
    return subject


def _prepare(subject: Subject, operation: str) -> None:
    kms, arn = subject.kms, subject.arn
    if operation in ("Decrypt", "ReEncrypt"):
        subject.blob = kms.encrypt(KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    if operation == "Verify":
        subject.signature = CALLS["Sign"](subject)["Signature"]
    if operation == "VerifyMac":
        subject.mac = CALLS["GenerateMac"](subject)["Mac"]
    if operation in ("RetireGrant", "RevokeGrant"):
        me = "arn:aws:iam::123456789012:user/learner"
        subject.grant = kms.create_grant(
            KeyId=arn, GranteePrincipal=me, RetiringPrincipal=me, Operations=["DescribeKey"]
        )["GrantId"]
    if operation in ("DeleteAlias", "UpdateAlias"):
        subject.alias = _new_alias()
        target = arn if operation == "DeleteAlias" else kms.create_key()["KeyMetadata"]["Arn"]
        kms.create_alias(AliasName=subject.alias, TargetKeyId=target)
    if operation == "ImportKeyMaterial" and subject.kind == "imported":
        given = CALLS["GetParametersForImport"](subject)
        wrapped = wrap(subject.material, given["PublicKey"], "RSAES_OAEP_SHA_256")
        subject.imports = (given["ImportToken"], wrapped)


def _bring_into(world: cloud.Cloud, subject: Subject, state: str) -> None:
    kms, arn = subject.kms, subject.arn
    if state == "Disabled":
        kms.disable_key(KeyId=arn)
    elif state in ("PendingDeletion", "PendingReplicaDeletion"):
        for region in (ELSEWHERE, THERE) if state == "PendingDeletion" else ():
            _end_replica(world, arn, region)
        kms.schedule_key_deletion(KeyId=arn)
    elif state == "PendingImport":
        kms.delete_imported_key_material(KeyId=arn)
    elif state == "Unavailable":
        store = kms.describe_key(KeyId=arn)["KeyMetadata"]["CustomKeyStoreId"]
        kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    elif state in ("Creating", "Updating"):
        # KMS is done with these before the next request; here it is held in the middle.
        kms.describe_key(KeyId=arn)
        _, _, _, region, account, name = arn.split(":", 5)
        held = world.gateway.kms.region(account, region).keys[name.removeprefix("key/")]
        held.transient = state
    found = kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"]
    assert found == state, f"the key is {found}, to be {state}"


def _end_replica(world: cloud.Cloud, arn: str, region: str) -> None:
    """A primary key is PendingDeletion once its replicas are gone."""
    _, _, _, _, account, name = arn.split(":", 5)
    simulated = world.gateway.kms
    replica = simulated.region(account, region).keys.get(name.removeprefix("key/"))
    if replica is not None:
        replica.core.members.pop(region)
        simulated.delete(replica, world.clock.now())


def _expect_no_such_key(world: cloud.Cloud, operation: str) -> None:
    kms = client(world)
    with pytest.raises(ClientError) as error:
        kms.create_key(Origin="AWS_CLOUDHSM", CustomKeyStoreId=_store(kms), **SPECS[operation])
    assert error.value.response["Error"]["Code"] == "UnsupportedOperationException"


def _material(spec: dict[str, Any]) -> bytes:
    if spec.get("KeySpec") == "ECC_NIST_P256":
        from kmscourse.cloud.kms import key_pairs

        return key_pairs.private_der(key_pairs.make("ECC_NIST_P256", os.urandom(48)))
    return os.urandom(32)


def _arn(kms: Any, key_id: str) -> str:
    return str(kms.describe_key(KeyId=key_id)["KeyMetadata"]["Arn"])


def _store(kms: Any, name: str = "for use") -> str:
    """A connected CloudHSM key store."""
    for store in kms.describe_custom_key_stores()["CustomKeyStores"]:
        if store["CustomKeyStoreName"] == name:
            kms.connect_custom_key_store(CustomKeyStoreId=store["CustomKeyStoreId"])
            return str(store["CustomKeyStoreId"])
    store_id = kms.create_custom_key_store(
        CustomKeyStoreName=name,
        CloudHsmClusterId="cluster-" + name.replace(" ", "").ljust(11, "a"),
        TrustAnchorCertificate="certificate",
        KeyStorePassword="password",
    )["CustomKeyStoreId"]
    kms.connect_custom_key_store(CustomKeyStoreId=store_id)
    return str(store_id)


def _new_alias() -> str:
    return f"alias/a{next(_numbers)}"
