"""It does not matter which client calls: every door leads to the same gateway."""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import aws_encryption_sdk
import boto3
import pytest
import requests
import urllib3
from aws_encryption_sdk.exceptions import DecryptKeyError
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from kmscourse import cloud


def _send_with_botocore(request: AWSPreparedRequest) -> tuple[int, bytes]:
    response = URLLib3Session().send(request)
    return response.status_code, response.content


def _send_with_requests(request: AWSPreparedRequest) -> tuple[int, bytes]:
    response = requests.post(request.url, data=request.body, headers=dict(request.headers))
    return response.status_code, response.content


def _send_with_urllib(request: AWSPreparedRequest) -> tuple[int, bytes]:
    plain = urllib.request.Request(request.url, request.body, dict(request.headers))
    try:
        with urllib.request.urlopen(plain) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def _send_with_urllib3(request: AWSPreparedRequest) -> tuple[int, bytes]:
    response = urllib3.PoolManager().request(
        "POST", request.url, body=request.body, headers=dict(request.headers)
    )
    return response.status, response.data


@pytest.mark.parametrize(
    "send", [_send_with_botocore, _send_with_requests, _send_with_urllib, _send_with_urllib3]
)
def test_a_request_signed_by_hand_is_decided_like_any_other(
    aws: cloud.Cloud, kms: Any, key_id: str, send: Callable[[AWSPreparedRequest], Any]
) -> None:
    def signed(who: str) -> AWSPreparedRequest:
        body = json.dumps({"KeyId": key_id, "Plaintext": "cmVjb3Jk"})
        request = AWSRequest(
            "POST",
            "https://kms.us-east-1.amazonaws.com/",
            data=body.encode(),
            headers={
                "X-Amz-Target": "TrentService.Encrypt",
                "Content-Type": "application/x-amz-json-1.1",
            },
        )
        credentials = aws.session(who).get_credentials()
        SigV4Auth(credentials, "kms", "us-east-1").add_auth(request)
        return request.prepare()

    status, body = send(signed("learner"))
    assert status == 200
    assert json.loads(body)["CiphertextBlob"]
    status, body = send(signed("analyst"))
    assert status == 400
    assert json.loads(body)["__type"] == "AccessDeniedException"
    assert aws.trail.events("Encrypt", user="analyst")[0]["errorCode"] == "AccessDenied"


def test_a_client_made_before_the_start_arrives_too() -> None:
    with cloud.running() as aws:
        credentials = aws.session("learner").get_credentials()
        early = boto3.client(
            "kms",
            region_name="us-east-1",
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
        )
        early.meta.events.unregister("before-send", None)
        assert early.create_key()["KeyMetadata"]["KeyId"]


def test_unknown_credentials_get_the_words_of_aws(aws: cloud.Cloud) -> None:
    stranger = boto3.Session("AKIAIOSFODNN7EXAMPLE", "secret", region_name="us-east-1")
    for service, ask, code in (
        ("kms", "list_keys", "UnrecognizedClientException"),
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("ec2", "describe_volumes", "AuthFailure"),
    ):
        with pytest.raises(ClientError) as refused:
            getattr(stranger.client(service), ask)()
        assert refused.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("service", "ask", "code"),
    [
        ("kms", "list_keys", "MissingAuthenticationTokenException"),
        ("iam", "list_users", "MissingAuthenticationToken"),
        ("ec2", "describe_volumes", "AuthFailure"),
    ],
)
def test_an_unsigned_request_is_refused_before_anything_is_looked_at(
    aws: cloud.Cloud, service: str, ask: str, code: str
) -> None:
    """Source: each service's API reference, "Common errors"."""
    before = len(aws.trail)
    with pytest.raises(ClientError) as refused:
        getattr(boto3.client(service, config=Config(signature_version=UNSIGNED)), ask)()
    assert refused.value.response["Error"]["Code"] == code
    assert len(aws.trail) == before


def test_who_am_i(aws: cloud.Cloud) -> None:
    assert boto3.client("sts").get_caller_identity()["Arn"].endswith(":user/learner")
    analyst = aws.session("analyst").client("sts").get_caller_identity()
    assert analyst["Arn"] == f"arn:aws:iam::{aws.account_id}:user/analyst"
    other = aws.account("222222222222").session("auditor").client("sts").get_caller_identity()
    assert other["Account"] == "222222222222"


def test_a_client_inside_the_encryption_sdk_is_decided_like_any_other(
    aws: cloud.Cloud, kms: Any
) -> None:
    logging.getLogger("aws_encryption_sdk").addHandler(logging.NullHandler())
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    sdk = aws_encryption_sdk.EncryptionSDKClient()

    def provider(who: str) -> aws_encryption_sdk.StrictAwsKmsMasterKeyProvider:
        return aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(
            key_ids=[arn], botocore_session=aws.session(who)._session
        )

    sealed, _ = sdk.encrypt(source=b"record", key_provider=provider("learner"))
    assert sdk.decrypt(source=sealed, key_provider=provider("learner"))[0] == b"record"
    with pytest.raises(DecryptKeyError):
        sdk.decrypt(source=sealed, key_provider=provider("analyst"))
    (event,) = aws.trail.events("Decrypt", user="analyst")
    assert event["errorCode"] == "AccessDenied"
    assert "is not authorized to perform: kms:Decrypt" in event["errorMessage"]
