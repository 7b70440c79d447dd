"""Tags, last usage, dry runs, key stores, pages, the model's every operation."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from kmscourse import cloud
from kmscourse.cloud.kms.service import OPERATIONS
from tests.cloud.kms.conftest import hold_work, refused

CLOUDHSM = {
    "CustomKeyStoreName": "hsm",
    "CloudHsmClusterId": "cluster-abcdefghijk",
    "TrustAnchorCertificate": "certificate",
    "KeyStorePassword": "password",
}
EXTERNAL = {
    "CustomKeyStoreName": "outside",
    "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
    "XksProxyConnectivity": "PUBLIC_ENDPOINT",
    "XksProxyUriEndpoint": "https://keys.example.com",
    "XksProxyUriPath": "/kms/xks/v1",
    "XksProxyAuthenticationCredential": {
        "AccessKeyId": "A" * 24,
        "RawSecretAccessKey": "S" * 43,
    },
}


def test_every_operation_of_the_service_model_is_answered() -> None:
    model = botocore.session.get_session().get_service_model("kms")
    assert set(model.operation_names) == set(OPERATIONS)


def test_tags(kms: Any, key_id: str) -> None:
    def tags() -> dict[str, str]:
        listed = kms.list_resource_tags(KeyId=key_id)["Tags"]
        return {tag["TagKey"]: tag["TagValue"] for tag in listed}

    def tag(**values: str) -> None:
        given = [{"TagKey": n.replace("_", ":"), "TagValue": v} for n, v in values.items()]
        kms.tag_resource(KeyId=key_id, Tags=given)

    tag(a="1", b="")
    tag(a="2")
    assert tags() == {"a": "2", "b": ""}
    kms.untag_resource(KeyId=key_id, TagKeys=["b", "not there"])
    assert tags() == {"a": "2"}
    refused("TagException", tag, aws_x="1")
    refused("TagException", kms.tag_resource, KeyId=key_id,
            Tags=[{"TagKey": "a", "TagValue": "1"}] * 2)  # fmt: skip
    refused("LimitExceededException", tag, **{f"t{n}": "x" for n in range(50)})
    page = kms.list_resource_tags(KeyId=key_id, Limit=1)
    assert not page["Truncated"]


def test_the_last_usage_names_the_event_on_the_trail(aws: cloud.Cloud, kms: Any) -> None:
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    assert kms.get_key_last_usage(KeyId=key_id)["KeyLastUsage"] == {}
    kms.encrypt(KeyId=key_id, Plaintext=b"x")
    (event,) = aws.trail.events("Encrypt")
    last = kms.get_key_last_usage(KeyId=key_id)["KeyLastUsage"]
    assert (last["Operation"], last["CloudTrailEventId"]) == ("Encrypt", event["eventID"])
    kms.disable_key(KeyId=key_id)
    refused("DisabledException", kms.encrypt, KeyId=key_id, Plaintext=b"x")
    kms.describe_key(KeyId=key_id)
    assert kms.get_key_last_usage(KeyId=key_id)["KeyLastUsage"] == last


def test_a_dry_run_tries_everything_and_changes_nothing(kms: Any, key_id: str, aws: Any) -> None:
    nobody = aws.session("nobody").client("kms")
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    given = {"KeyId": key_id, "DryRun": True}
    refused("DryRunOperationException", kms.encrypt, Plaintext=b"x", **given)
    refused("DryRunOperationException", kms.decrypt, CiphertextBlob=blob, **given)
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=b"?", **given)
    refused("DryRunOperationException", kms.decrypt, DryRunModifiers=["IGNORE_CIPHERTEXT"], **given)
    refused("AccessDeniedException", nobody.encrypt, Plaintext=b"x", **given)
    grantee = "arn:aws:iam::123456789012:user/nobody"
    refused("DryRunOperationException", kms.create_grant, GranteePrincipal=grantee,
            Operations=["Encrypt"], **given)  # fmt: skip
    assert kms.list_grants(KeyId=key_id)["Grants"] == []
    made = kms.create_grant(KeyId=key_id, GranteePrincipal=grantee, Operations=["Encrypt"])
    refused("DryRunOperationException", kms.revoke_grant, GrantId=made["GrantId"], **given)
    assert len(kms.list_grants(KeyId=key_id)["Grants"]) == 1


def test_a_cloudhsm_key_store_from_first_to_last(aws: cloud.Cloud, kms: Any) -> None:
    store = {"CustomKeyStoreId": kms.create_custom_key_store(**CLOUDHSM)["CustomKeyStoreId"]}
    in_store = {"Origin": "AWS_CLOUDHSM", **store}
    refused("CustomKeyStoreInvalidStateException", kms.create_key, **in_store)
    hold_work(aws, minutes=20)
    kms.connect_custom_key_store(**store)

    def state() -> str:
        (found,) = kms.describe_custom_key_stores(**store)["CustomKeyStores"]
        return str(found["ConnectionState"])

    assert state() == "CONNECTING"
    aws.clock.advance(minutes=20)
    assert state() == "CONNECTED"
    hold_work(aws, minutes=0)
    key = kms.create_key(**in_store)["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert len(kms.generate_random(NumberOfBytes=8, **store)["Plaintext"]) == 8
    for call in (kms.enable_key_rotation, kms.rotate_key_on_demand):
        refused("UnsupportedOperationException", call, KeyId=key)
    refused("UnsupportedOperationException", kms.generate_data_key_pair, KeyId=key,
            KeyPairSpec="RSA_2048")  # fmt: skip
    refused("UnsupportedOperationException", kms.create_key, MultiRegion=True, **in_store)
    refused("CustomKeyStoreInvalidStateException", kms.delete_custom_key_store, **store)
    kms.disconnect_custom_key_store(**store)
    refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=blob)
    refused("CustomKeyStoreHasCMKsException", kms.delete_custom_key_store, **store)
    refused("CustomKeyStoreInvalidStateException", kms.disconnect_custom_key_store, **store)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    aws.clock.advance(days=8)
    kms.delete_custom_key_store(**store)
    refused("CustomKeyStoreNotFoundException", kms.describe_custom_key_stores, **store)


def test_an_external_key_store(kms: Any) -> None:
    store = {"CustomKeyStoreId": kms.create_custom_key_store(**EXTERNAL)["CustomKeyStoreId"]}
    kms.connect_custom_key_store(**store)
    in_store = {"Origin": "EXTERNAL_KEY_STORE", **store}
    refused("ValidationException", kms.create_key, **in_store)
    key = kms.create_key(XksKeyId="key-1", **in_store)["KeyMetadata"]
    assert key["XksKeyConfiguration"] == {"Id": "key-1"}
    refused("XksKeyAlreadyInUseException", kms.create_key, XksKeyId="key-1", **in_store)
    refused("UnsupportedOperationException", kms.generate_random, NumberOfBytes=8, **store)
    kms.update_custom_key_store(NewCustomKeyStoreName="renamed", **store)
    refused("CustomKeyStoreInvalidStateException", kms.update_custom_key_store,
            XksProxyUriPath="/other/kms/xks/v1", **store)  # fmt: skip
    (listed,) = kms.describe_custom_key_stores(CustomKeyStoreName="renamed")["CustomKeyStores"]
    assert "RawSecretAccessKey" not in str(listed)


@pytest.mark.parametrize(
    ("code", "first", "second"),
    [
        ("CustomKeyStoreNameInUseException", CLOUDHSM,
         {**CLOUDHSM, "CloudHsmClusterId": "cluster-kkkkkkkkkkk"}),
        ("CloudHsmClusterInUseException", CLOUDHSM, {**CLOUDHSM, "CustomKeyStoreName": "b"}),
        ("XksProxyUriInUseException", EXTERNAL, {**EXTERNAL, "CustomKeyStoreName": "b"}),
        ("ValidationException", CLOUDHSM, {"CustomKeyStoreName": "b"}),
        ("ValidationException", CLOUDHSM, {**EXTERNAL, "KeyStorePassword": "password"}),
    ],
)  # fmt: skip
def test_key_stores_that_aws_refuses(
    kms: Any, code: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    kms.create_custom_key_store(**first)
    refused(code, kms.create_custom_key_store, **second)


def test_only_operations_that_take_an_alias_take_one(kms: Any, key_id: str) -> None:
    kms.create_alias(AliasName="alias/records", TargetKeyId=key_id)
    kms.encrypt(KeyId="alias/records", Plaintext=b"x")
    for call in (kms.disable_key, kms.get_key_policy, kms.schedule_key_deletion, kms.list_grants):
        message = refused("NotFoundException", call, KeyId="alias/records")
        assert message == "Invalid keyId alias/records"


def test_an_alias_moves_to_a_key_of_the_same_kind_only(kms: Any, key_id: str) -> None:
    kms.create_alias(AliasName="alias/records", TargetKeyId=key_id)
    mac = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    refused("ValidationException", kms.update_alias, AliasName="alias/records", TargetKeyId=mac)


def test_limits_and_markers(kms: Any, key_id: str) -> None:
    refused("ValidationException", kms.list_grants, KeyId=key_id, Limit=101)
    refused("InvalidMarkerException", kms.list_keys, Marker="nowhere")
    for number in range(3):
        kms.create_alias(AliasName=f"alias/a{number}", TargetKeyId=key_id)
    first = kms.list_aliases(KeyId=key_id, Limit=2)
    second = kms.list_aliases(KeyId=key_id, Limit=2, Marker=first["NextMarker"])
    assert (len(first["Aliases"]), len(second["Aliases"])) == (2, 1)
