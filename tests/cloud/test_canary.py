"""The private names of moto and botocore that the simulator stands on.

When a new release moves one, this says which; everything that uses them is in
`kmscourse/cloud/moto_door.py`, `protocol.py` and `http_door.py`.
"""

from __future__ import annotations

import importlib
import inspect

import pytest

NAMES = [
    ("moto.core.models", "botocore_stubber"),
    ("moto.core.botocore_stubber", "BotocoreStubber.process_request"),
    ("moto.core.botocore_stubber", "MockRawResponse"),
    ("moto.core.base_backend", "BackendDict._instances"),
    ("moto.core.base_backend", "BackendDict.reset"),
    ("moto.core.utils", "datetime"),
    ("moto.core.utils", "utcnow"),
    ("moto.core.utils", "get_service_model"),
    ("moto.core.routing", "get_service_router"),
    ("moto.core.parse", "PROTOCOL_PARSERS"),
    ("moto.core.request", "normalize_request"),
    ("moto.core.serialize", "get_serializer_class"),
    ("moto.core.serialize", "SerializationContext"),
    ("moto.core.errors", "ErrorShape"),
    ("moto.moto_api._internal", "mock_random"),
    ("moto.settings", "ec2_load_default_amis"),
    ("moto.iam.models", "iam_backends"),
    ("moto.iam.models", "User"),
    ("moto.sts.models", "sts_backends"),
    ("moto.sts.models", "random_session_token"),
    ("moto.s3.models", "s3_backends"),
    ("botocore.httpsession", "URLLib3Session.send"),
    ("botocore.configprovider", "ConfigValueStore.get_config_variable"),
    ("moto.s3.models", "FakeKey.value"),
    ("moto.s3.models", "FakeBucket.get_permission"),
    ("moto.s3.models", "S3Backend._url_module"),
    ("moto.ssm.models", "Parameter.encrypt"),
    ("moto.ssm.models", "ParameterDict.normalize_name"),
    ("moto.ssm.models", "SimpleSystemManagerBackend.get_parameters"),
    ("moto.secretsmanager.models", "FakeSecret.create_replicas"),
    ("moto.secretsmanager.models", "FakeSecret.is_deleted"),
    ("moto.secretsmanager.models", "ReplicaSecret"),
    ("moto.secretsmanager.models", "SecretsManagerBackend.list_secrets"),
    ("moto.dynamodb.models", "DynamoDBBackend.create_backup"),
    ("moto.dynamodb.models.table", "Table._generate_arn"),
    ("moto.dynamodb.models.dynamo_type", "Item"),
    ("moto.organizations.models", "organizations_backends.master_accounts"),
    ("moto.cloudtrail.models", "cloudtrail_backends"),
    ("moto.secretsmanager.models", "secretsmanager_backends"),
    ("http.client", "HTTPConnection.connect"),
    ("urllib3.connection", "HTTPSConnection.connect"),
]


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[f"{m}.{n}" for m, n in NAMES])
def test_the_name_is_where_it_was(module: str, name: str) -> None:
    found = importlib.import_module(module)
    for part in name.split("."):
        assert hasattr(found, part), f"{module}.{name} moved: the simulator stands on it"
        found = getattr(found, part)


def test_moto_reads_the_time_through_the_name_that_is_replaced() -> None:
    from moto.core import utils

    for function in (utils.utcnow, utils.unix_time):
        assert function.__globals__ is vars(utils)
    assert "datetime.datetime" in inspect.getsource(utils.utcnow)


def test_moto_takes_the_account_from_the_header_that_is_set() -> None:
    from moto.core.responses import BaseResponse

    assert "x-moto-account-id" in inspect.getsource(BaseResponse.get_current_account)
