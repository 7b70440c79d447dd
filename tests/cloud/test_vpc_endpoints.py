"""VPC endpoints: calls that come through one, its policy, and what the trail tells of them."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from kmscourse import cloud
from tests.cloud.conftest import code_of, message_of
from tests.cloud.test_enforcement import allow, document, give, refused


def endpoint(service: str = "kms", policy: str | None = None) -> dict[str, Any]:
    ec2 = boto3.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    more = {} if policy is None else {"PolicyDocument": policy}
    made: dict[str, Any] = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.us-east-1.{service}",
        VpcEndpointType="Interface",
        **more,
    )["VpcEndpoint"]
    return made


def through(session: boto3.Session, made: dict[str, Any], service: str = "kms") -> Any:
    url = f"https://{made['DnsEntries'][0]['DnsName']}"
    return session.client(service, endpoint_url=url)


def test_its_name_is_written_as_aws_writes_it(aws: cloud.Cloud) -> None:
    made = endpoint()
    name = made["DnsEntries"][0]["DnsName"]
    assert name.startswith(f"{made['VpcEndpointId']}-")
    assert name.endswith(".kms.us-east-1.vpce.amazonaws.com")
    listed = boto3.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    assert [each["DnsEntries"][0]["DnsName"] for each in listed] == [name]


def test_the_default_endpoint_policy_lets_everything_through(aws: cloud.Cloud, key_id: str) -> None:
    made = endpoint()
    kms = through(aws.session("learner"), made)
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    record = aws.trail.events("Decrypt")[-1]
    assert record["vpcEndpointId"] == made["VpcEndpointId"]
    assert record["vpcEndpointAccountId"] == aws.account_id
    assert record["tlsDetails"]["clientProvidedHostHeader"].endswith(".vpce.amazonaws.com")


def test_what_the_endpoint_policy_does_not_allow_does_not_come_through(
    aws: cloud.Cloud, kms: Any, key_id: str
) -> None:
    made = endpoint(policy=document(allow("kms:Decrypt", Principal="*")))
    inside = through(aws.session("learner"), made)
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert inside.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    seen = len(aws.trail)
    message, because = refused(aws, lambda: inside.encrypt(KeyId=key_id, Plaintext=b"x"))
    assert message.endswith("because no VPC endpoint policy allows the kms:Encrypt action")
    assert f'VPC endpoint policy "{made["VpcEndpointId"]}"' in because
    # It would have been allowed otherwise: CloudTrail is not told.
    assert len(aws.trail) == seen
    # Through the endpoint or not, what nobody gave is refused, and recorded.
    stranger = through(aws.session("stranger"), made)
    refused(aws, lambda: stranger.decrypt(CiphertextBlob=blob))
    assert aws.trail.events("Decrypt")[-1]["errorCode"] == "AccessDenied"


def test_a_changed_endpoint_policy_counts_at_once(aws: cloud.Cloud, key_id: str) -> None:
    made = endpoint(policy=document(allow("kms:Decrypt", Principal="*")))
    inside = through(aws.session("learner"), made)
    refused(aws, lambda: inside.encrypt(KeyId=key_id, Plaintext=b"x"))
    boto3.client("ec2").modify_vpc_endpoint(
        VpcEndpointId=made["VpcEndpointId"],
        PolicyDocument=document(allow("kms:*", Principal="*")),
    )
    assert inside.encrypt(KeyId=key_id, Plaintext=b"x")


def test_source_vpce_shuts_out_everyone_else_and_what_services_do_for_you(
    aws: cloud.Cloud, kms: Any
) -> None:
    made = endpoint()
    root = f"arn:aws:iam::{aws.account_id}:root"
    elsewhere = {"StringNotEquals": {"aws:SourceVpce": made["VpcEndpointId"]}}
    key = kms.create_key(
        Policy=document(
            allow("kms:*", Principal={"AWS": root}),
            {
                "Sid": "OnlyFromInside",
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": "*",
                "Condition": elsewhere,
            },
        )
    )["KeyMetadata"]["Arn"]
    assert through(aws.session("learner"), made).encrypt(KeyId=key, Plaintext=b"x")
    message, because = refused(aws, lambda: kms.encrypt(KeyId=key, Plaintext=b"x"))
    assert message.endswith("with an explicit deny in a resource-based policy")
    assert "OnlyFromInside" in because
    assert "aws:SourceVpce" in because
    # S3 comes from outside, for you as well (rule R7.2).
    s3 = through(aws.session("learner"), endpoint("s3"), "s3")
    s3.create_bucket(Bucket="records")
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    refused(aws, lambda: s3.put_object(Bucket="records", Key="k", Body=b"x", **sealed))
    assert s3.put_object(Bucket="records", Key="k", Body=b"x")
    assert s3.get_object(Bucket="records", Key="k")["Body"].read() == b"x"


def test_a_source_address_is_not_seen_through_an_endpoint(aws: cloud.Cloud, key_id: str) -> None:
    here = {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    give("nurse", allow("kms:Encrypt", Condition=here))
    assert aws.session("nurse").client("kms").encrypt(KeyId=key_id, Plaintext=b"x")
    inside = through(aws.session("nurse"), endpoint())
    _, because = refused(aws, lambda: inside.encrypt(KeyId=key_id, Plaintext=b"x"))
    assert "aws:SourceIp" in because


def test_what_is_no_policy_is_refused_and_what_is_not_there_leads_nowhere(
    aws: cloud.Cloud,
) -> None:
    with pytest.raises(ClientError) as error:
        endpoint(policy='{"Statement": [{"Effect": "Perhaps"}]}')
    assert code_of(error) == "InvalidPolicyDocument"
    assert message_of(error)
    gone = {"DnsEntries": [{"DnsName": "vpce-0123-abc.kms.us-east-1.vpce.amazonaws.com"}]}
    with pytest.raises(RuntimeError, match="no VPC endpoint vpce-0123"):
        through(aws.session("learner"), gone).list_keys()
