"""A SecureString is ciphertext on the disk of Parameter Store, and the key decides who reads it."""

from __future__ import annotations

import base64
import json
from typing import Any

import moto.ssm.models
import pytest
from botocore.exceptions import ClientError

from kmscourse import cloud
from tests.cloud.at_rest.conftest import SECRET, client_of, everything_stored, learners
from tests.cloud.conftest import code_of, message_of

VALUE = SECRET.decode()
NAME = "/ward/database/password"
ARN = "arn:aws:ssm:us-east-1:123456789012:parameter/ward/database/password"
CONTEXT = {"PARAMETER_ARN": ARN}


@pytest.fixture
def ssm(aws: cloud.Cloud) -> Any:
    """The learner's plain client."""
    return learners("ssm")


def put(ssm: Any, value: str = VALUE, name: str = NAME, **how: Any) -> dict[str, Any]:
    """Put a SecureString."""
    answer: dict[str, Any] = ssm.put_parameter(Name=name, Value=value, Type="SecureString", **how)
    return answer


def read(ssm: Any, name: str = NAME) -> str:
    """Read a parameter in plaintext."""
    return str(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])


def held(aws: cloud.Cloud) -> list[bytes]:
    """Everything that the simulated AWS holds."""
    return list(everything_stored(aws, dict(moto.ssm.models.ssm_backends)))


@pytest.mark.parametrize("tier", ["Standard", "Advanced"])
def test_the_plaintext_lies_nowhere_and_comes_back(aws: cloud.Cloud, ssm: Any, tier: str) -> None:
    put(ssm, Tier=tier)
    put(ssm, value="another: " + VALUE, Tier=tier, Overwrite=True)
    assert read(ssm) == "another: " + VALUE
    assert read(ssm, f"{NAME}:1") == VALUE
    found = held(aws)
    assert any(NAME.encode() in each for each in found), "the search must find what is there"
    assert not any(SECRET in each for each in found)
    stored = aws.stored("ssm", NAME)
    assert SECRET not in bytes(stored)
    assert (stored.version, stored.tier, stored.context) == (2, tier, CONTEXT)
    assert aws.stored("ssm", ARN, 1).version == 1


def test_a_plain_string_is_not_encrypted(aws: cloud.Cloud, ssm: Any) -> None:
    ssm.put_parameter(Name="plain", Value=VALUE, Type="String")
    assert any(SECRET in each for each in held(aws))
    stored = aws.stored("ssm", "plain")
    assert stored.ciphertext == SECRET
    assert stored.key_arn is None
    assert aws.trail.events(service="kms") == []


@pytest.mark.parametrize(
    ("tier", "asked"), [("Standard", "Encrypt"), ("Advanced", "GenerateDataKey")]
)
def test_kms_is_asked_with_the_callers_identity_and_the_parameters_arn(
    aws: cloud.Cloud, ssm: Any, key_arn: str, tier: str, asked: str
) -> None:
    put(ssm, KeyId=key_arn, Tier=tier)
    read(ssm)
    used = [event for event in aws.trail.events(service="kms") if event["eventName"] != "CreateKey"]
    assert [event["eventName"] for event in used] == [asked, "Decrypt"]
    for event in used:
        assert event["userIdentity"]["arn"].endswith(":user/learner")
        assert event["userIdentity"]["invokedBy"] == "ssm.amazonaws.com"
        assert event["requestParameters"]["encryptionContext"] == CONTEXT
        assert [resource["ARN"] for resource in event["resources"]] == [key_arn]


def test_without_decryption_the_ciphertext_comes_and_kms_opens_it(
    ssm: Any, kms: Any, key_arn: str
) -> None:
    put(ssm, KeyId=key_arn)
    shown = ssm.get_parameter(Name=NAME)["Parameter"]["Value"]
    opened = kms.decrypt(CiphertextBlob=base64.b64decode(shown), EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == SECRET
    with pytest.raises(ClientError) as refused:
        kms.decrypt(CiphertextBlob=base64.b64decode(shown), EncryptionContext={})
    assert code_of(refused) == "InvalidCiphertextException"


def test_an_advanced_parameter_is_a_message_that_the_aws_encryption_sdk_opens(
    aws: cloud.Cloud, ssm: Any, kms: Any, key_arn: str
) -> None:
    import aws_encryption_sdk
    from aws_encryption_sdk.key_providers.kms import StrictAwsKmsMasterKeyProvider
    from botocore.session import Session

    long = VALUE + "." * 5000
    assert put(ssm, long, KeyId=key_arn, Tier="Intelligent-Tiering")["Tier"] == "Advanced"
    message = base64.b64decode(ssm.get_parameter(Name=NAME)["Parameter"]["Value"])
    assert message == aws.stored("ssm", NAME).ciphertext
    key = StrictAwsKmsMasterKeyProvider(key_ids=[key_arn], botocore_session=Session())
    plaintext, header = aws_encryption_sdk.EncryptionSDKClient().decrypt(
        source=message, key_provider=key
    )
    assert plaintext.decode() == long
    assert header.encryption_context == CONTEXT
    wrapped = aws.stored("ssm", NAME).wrapped_key
    assert wrapped is not None
    assert wrapped in message


@pytest.mark.parametrize("tier", ["Standard", "Advanced"])
def test_a_disabled_key_makes_the_parameter_unreadable(
    ssm: Any, kms: Any, key_arn: str, tier: str
) -> None:
    put(ssm, KeyId=key_arn, Tier=tier)
    kms.disable_key(KeyId=key_arn)
    for action in (
        lambda: read(ssm),
        lambda: put(ssm, KeyId=key_arn, Tier=tier, Overwrite=True),
        lambda: ssm.get_parameters_by_path(Path="/ward", Recursive=True, WithDecryption=True),
        lambda: ssm.get_parameter_history(Name=NAME, WithDecryption=True),
    ):
        with pytest.raises(ClientError) as refused:
            action()
        assert code_of(refused) == "InvalidKeyId"
        assert message_of(refused).startswith(f"{key_arn} is disabled. (Service: AWSKMS; ")
        assert "Error Code: DisabledException; Request ID: " in message_of(refused)
    assert ssm.get_parameter(Name=NAME)["Parameter"]["Version"] == 1, "the ciphertext is there"
    kms.enable_key(KeyId=key_arn)
    assert read(ssm) == VALUE


def test_a_key_that_is_not_there(ssm: Any) -> None:
    with pytest.raises(ClientError) as refused:
        put(ssm, KeyId="alias/nowhere")
    assert code_of(refused) == "InvalidKeyId"
    assert "Error Code: NotFoundException" in message_of(refused)
    with pytest.raises(ClientError) as refused:
        read(ssm)
    assert code_of(refused) == "ParameterNotFound"


def test_the_aws_managed_key_is_the_default_and_works_only_through_parameter_store(
    aws: cloud.Cloud, ssm: Any, kms: Any, key_arn: str
) -> None:
    put(ssm, KeyId=key_arn)
    put(ssm, Overwrite=True)  # without a KeyId, the AWS managed key again
    managed = kms.describe_key(KeyId="alias/aws/ssm")["KeyMetadata"]["Arn"]
    assert aws.stored("ssm", NAME).key_arn == managed
    assert aws.stored("ssm", NAME, 1).key_arn == key_arn
    assert read(ssm) == read(ssm, f"{NAME}:1") == VALUE
    blob = base64.b64decode(ssm.get_parameter(Name=NAME)["Parameter"]["Value"])
    with pytest.raises(ClientError) as refused:
        kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)
    assert code_of(refused) == "AccessDeniedException"


def test_whoever_decrypts_needs_the_key_too(aws: cloud.Cloud, ssm: Any, key_arn: str) -> None:
    put(ssm, KeyId=key_arn)
    reader = aws.session("reader")
    allowed: dict[str, Any] = {"Effect": "Allow", "Action": "ssm:GetParameter*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    iam = learners("iam")

    def allow() -> None:
        iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=json.dumps(policy))

    allow()
    client = client_of(reader, "ssm")
    assert client.get_parameter(Name=NAME)["Parameter"]["Value"]
    with pytest.raises(ClientError) as refused:
        read(client)
    assert code_of(refused) == "AccessDeniedException"
    assert "not authorized to perform: kms:Decrypt" in message_of(refused)
    assert "kms:Decrypt" in repr(aws.explain(refused.value))
    condition = {"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": ARN}}
    policy["Statement"].append(  # type: ignore[attr-defined]
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": condition}
    )
    allow()
    assert read(client) == VALUE
    put(ssm, name="/ward/other", KeyId=key_arn)
    with pytest.raises(ClientError):
        read(client, "/ward/other")


def test_versions_labels_paths_and_history(ssm: Any) -> None:
    put(ssm, "first")
    put(ssm, "second", Overwrite=True)
    put(ssm, "beside", name="/ward/other")
    ssm.label_parameter_version(Name=NAME, ParameterVersion=1, Labels=["approved"])
    assert read(ssm, f"{NAME}:approved") == "first"
    history = ssm.get_parameter_history(Name=NAME, WithDecryption=True)["Parameters"]
    assert [version["Value"] for version in history] == ["first", "second"]
    by_path = ssm.get_parameters_by_path(Path="/ward", Recursive=True, WithDecryption=True)
    assert sorted(each["Value"] for each in by_path["Parameters"]) == ["beside", "second"]
    names = ["/ward/other", "/nowhere", NAME]
    several = ssm.get_parameters(Names=names, WithDecryption=True)
    assert [each["Value"] for each in several["Parameters"]] == ["beside", "second"]
    assert several["InvalidParameters"] == ["/nowhere"]


def test_no_more_than_ten_names_at_once(ssm: Any) -> None:
    with pytest.raises(ClientError) as refused:
        ssm.get_parameters(Names=[f"n{i}" for i in range(11)])
    assert code_of(refused) == "ValidationException"


def test_sizes_and_tiers(ssm: Any) -> None:
    put(ssm, "x" * 4096)
    for tier, size in (("Standard", 4097), ("Advanced", 8193)):
        with pytest.raises(ClientError) as refused:
            put(ssm, "x" * size, Tier=tier, Overwrite=True)
        assert code_of(refused) == "ValidationException"
    assert "4096 characters" in message_of(refused) or "8192 characters" in message_of(refused)
    put(ssm, "x" * 8192, Tier="Advanced", Overwrite=True)
    with pytest.raises(ClientError) as refused:
        put(ssm, Tier="Standard", Overwrite=True)
    assert "You can't downgrade a parameter" in message_of(refused)
    assert put(ssm, Overwrite=True)["Tier"] == "Advanced"


def test_a_value_must_match_the_pattern(ssm: Any) -> None:
    with pytest.raises(ClientError) as refused:
        put(ssm, "letters", AllowedPattern=r"^\d+$")
    assert code_of(refused) == "ParameterPatternMismatchException"
    put(ssm, "4711", AllowedPattern=r"^\d+$")


def test_what_is_stored_is_shown_and_what_is_not_is_said(aws: cloud.Cloud, ssm: Any) -> None:
    put(ssm)
    shown = repr(aws.stored("ssm", NAME))
    assert all(word in shown for word in ("SecureString, Standard", "PARAMETER_ARN", ":key/"))
    with pytest.raises(KeyError):
        aws.stored("ssm", "/nowhere")


def test_a_secret_is_read_as_a_parameter_with_both_services_on_the_way(
    aws: cloud.Cloud, ssm: Any
) -> None:
    manager = learners("secretsmanager")
    manager.create_secret(Name="db", SecretString=VALUE)
    name = "/aws/reference/secretsmanager/db"
    assert read(ssm, name) == VALUE
    assert read(ssm, f"{name}:AWSCURRENT") == VALUE
    assert ssm.get_parameters(Names=[name], WithDecryption=True)["Parameters"][0]["Value"] == VALUE
    event = aws.trail.events("GetSecretValue")[0]
    assert event["userIdentity"]["invokedBy"] == "ssm.amazonaws.com"
    assert not any(SECRET in each for each in held(aws))
    for wrong, code in (("/aws/reference/secretsmanager/nowhere", "ParameterNotFound"),):
        with pytest.raises(ClientError) as refused:
            read(ssm, wrong)
        assert code_of(refused) == code
    with pytest.raises(ClientError) as refused:
        ssm.get_parameter(Name=name)
    assert code_of(refused) == "ValidationException"
