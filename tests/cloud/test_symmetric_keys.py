"""Symmetric KMS keys, from outside, through plain boto3."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cloud.conftest import code_of, message_of

CONTEXT = {"patient": "4711", "purpose": "treatment"}
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
contexts = st.dictionaries(st.text(max_size=6), st.text(max_size=6), max_size=3)


def test_what_is_encrypted_decrypts_without_naming_the_key(kms: Any, key_id: str) -> None:
    sealed = kms.encrypt(KeyId=key_id, Plaintext=b"record", EncryptionContext=CONTEXT)
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == b"record"
    assert opened["KeyId"] == sealed["KeyId"]
    assert b"record" not in sealed["CiphertextBlob"]


@quick
@given(sealed_with=contexts, opened_with=contexts)
def test_only_the_same_context_opens(
    kms: Any, key_id: str, sealed_with: dict[str, str], opened_with: dict[str, str]
) -> None:
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext=sealed_with)[
        "CiphertextBlob"
    ]
    if sealed_with == opened_with:
        kms.decrypt(CiphertextBlob=blob, EncryptionContext=opened_with)
        return
    with pytest.raises(ClientError) as refused:
        kms.decrypt(CiphertextBlob=blob, EncryptionContext=opened_with)
    assert code_of(refused) == "InvalidCiphertextException"


def test_a_context_is_bound_unambiguously(kms: Any, key_id: str) -> None:
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext={"a": "bc"})[
        "CiphertextBlob"
    ]
    with pytest.raises(ClientError) as refused:
        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"ab": "c"})
    assert code_of(refused) == "InvalidCiphertextException"


@quick
@given(data=st.data())
def test_a_changed_ciphertext_is_refused_with_a_documented_error(
    kms: Any, key_id: str, data: st.DataObject
) -> None:
    blob = bytearray(kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"])
    position = data.draw(st.integers(0, len(blob) - 1))
    blob[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ClientError) as refused:
        kms.decrypt(CiphertextBlob=bytes(blob))
    assert code_of(refused) in ("InvalidCiphertextException", "AccessDeniedException")


@quick
@given(blob=st.binary(min_size=1, max_size=300))
def test_any_bytes_are_refused_with_a_documented_error(kms: Any, aws: Any, blob: bytes) -> None:
    with pytest.raises(ClientError) as refused:
        kms.decrypt(CiphertextBlob=blob)
    assert code_of(refused) in ("InvalidCiphertextException", "AccessDeniedException")


@quick
@given(key=st.text(min_size=1, max_size=60))
def test_any_key_id_is_refused_with_a_documented_error(kms: Any, aws: Any, key: str) -> None:
    with pytest.raises(ClientError) as refused:
        kms.encrypt(KeyId=key, Plaintext=b"x")
    assert code_of(refused) in ("NotFoundException", "InvalidArnException", "ValidationException")


def test_a_disabled_key_neither_encrypts_nor_decrypts(kms: Any, key_id: str) -> None:
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=key_id)
    for attempt in (
        lambda: kms.encrypt(KeyId=key_id, Plaintext=b"x"),
        lambda: kms.decrypt(CiphertextBlob=blob),
        lambda: kms.generate_data_key(KeyId=key_id, KeySpec="AES_256"),
        lambda: kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key_id),
    ):
        with pytest.raises(ClientError) as refused:
            attempt()
        assert code_of(refused) == "DisabledException"
        assert message_of(refused).endswith(f"key/{key_id} is disabled.")
    kms.enable_key(KeyId=key_id)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_scheduled_deletion_happens_when_its_time_comes(aws: Any, kms: Any, key_id: str) -> None:
    kms.create_alias(AliasName="alias/records", TargetKeyId=key_id)
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    with pytest.raises(ClientError) as refused:
        kms.decrypt(CiphertextBlob=blob)
    assert code_of(refused) == "KMSInvalidStateException"
    aws.clock.advance(days=6)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    aws.clock.advance(days=2)
    for attempt in (
        lambda: kms.describe_key(KeyId=key_id),
        lambda: kms.describe_key(KeyId="alias/records"),
        lambda: kms.cancel_key_deletion(KeyId=key_id),
    ):
        with pytest.raises(ClientError) as gone:
            attempt()
        assert code_of(gone) == "NotFoundException"


def test_a_cancelled_deletion_leaves_the_key_disabled(kms: Any, key_id: str) -> None:
    kms.schedule_key_deletion(KeyId=key_id)
    kms.cancel_key_deletion(KeyId=key_id)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Disabled"


def test_re_encrypt_moves_to_another_key_and_context(kms: Any, key_id: str) -> None:
    other = kms.create_key()["KeyMetadata"]["Arn"]
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext={"a": "1"})["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceEncryptionContext={"a": "1"},
        DestinationKeyId=other,
        DestinationEncryptionContext={"a": "2"},
    )
    assert "Plaintext" not in moved
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"a": "2"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"x", other)


def test_a_data_key_comes_in_two_forms(kms: Any, key_id: str) -> None:
    data_key = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=CONTEXT)
    assert len(data_key["Plaintext"]) == 32
    opened = kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == data_key["Plaintext"]
    wrapped = kms.generate_data_key_without_plaintext(KeyId=key_id, NumberOfBytes=24)
    assert "Plaintext" not in wrapped
    assert len(kms.decrypt(CiphertextBlob=wrapped["CiphertextBlob"])["Plaintext"]) == 24


def test_the_wrong_key_is_named_as_such(kms: Any, key_id: str) -> None:
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    with pytest.raises(ClientError) as refused:
        kms.decrypt(CiphertextBlob=blob, KeyId=other)
    assert code_of(refused) == "IncorrectKeyException"


def test_another_region_does_not_know_the_key(aws: Any, kms: Any, key_id: str) -> None:
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    abroad = aws.session("learner", region="eu-west-1").client("kms")
    with pytest.raises(ClientError) as refused:
        abroad.decrypt(CiphertextBlob=blob)
    assert code_of(refused) == "AccessDeniedException"
    assert "does not exist in this Region" in message_of(refused)


def test_four_names_for_one_key(kms: Any, key_id: str) -> None:
    kms.create_alias(AliasName="alias/records", TargetKeyId=key_id)
    arn = kms.describe_key(KeyId=key_id)["KeyMetadata"]["Arn"]
    alias_arn = arn.replace(f"key/{key_id}", "alias/records")
    for name in (key_id, arn, "alias/records", alias_arn):
        assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == key_id


def test_an_alias_moves_to_another_key(kms: Any, key_id: str) -> None:
    kms.create_alias(AliasName="alias/records", TargetKeyId=key_id)
    with pytest.raises(ClientError) as taken:
        kms.create_alias(AliasName="alias/records", TargetKeyId=key_id)
    assert code_of(taken) == "AlreadyExistsException"
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName="alias/records", TargetKeyId=other)
    assert kms.describe_key(KeyId="alias/records")["KeyMetadata"]["KeyId"] == other
    kms.delete_alias(AliasName="alias/records")
    assert not [a for a in kms.list_aliases()["Aliases"] if a["AliasName"] == "alias/records"]


def test_limits_are_told_in_the_words_of_aws(kms: Any, key_id: str) -> None:
    with pytest.raises(ClientError) as refused:
        kms.encrypt(KeyId=key_id, Plaintext=bytes(4097))
    assert code_of(refused) == "ValidationException"
    assert message_of(refused) == (
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: "
        "Member must have length less than or equal to 4096"
    )
    assert kms.encrypt(KeyId=key_id, Plaintext=bytes(4096))["CiphertextBlob"]


def test_a_policy_is_kept_and_a_malformed_one_is_refused(kms: Any, key_id: str) -> None:
    before = kms.get_key_policy(KeyId=key_id, PolicyName="default")["Policy"]
    assert json.loads(before)["Statement"][0]["Principal"]["AWS"].endswith(":root")
    with pytest.raises(ClientError) as refused:
        kms.put_key_policy(KeyId=key_id, Policy='{"Statement": [')
    assert code_of(refused) == "MalformedPolicyDocumentException"
    assert kms.get_key_policy(KeyId=key_id)["Policy"] == before


def test_listings_come_in_pages(kms: Any) -> None:
    made = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(5)}
    pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2})
    assert {key["KeyId"] for page in pages for key in page["Keys"]} == made
