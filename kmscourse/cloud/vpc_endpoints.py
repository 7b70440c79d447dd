"""VPC endpoints: a private door to a service, with a policy of its own.

Who uses one names it: ``boto3.client("kms", endpoint_url="https://" + dns_name)``, with the DNS
name that CreateVpcEndpoint gives. (The private DNS names, by which programs inside a VPC come
through an endpoint without naming it, would need a VPC to be in.)

Source: AWS KMS Developer Guide, "Connect to AWS KMS through a VPC endpoint", "Logging AWS KMS
requests that use a VPC endpoint"; botocore ec2 CreateVpcEndpoint.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from botocore.awsrequest import AWSPreparedRequest

from kmscourse.cloud import moto_door
from kmscourse.cloud.authorization import MalformedPolicyError, parse_policy
from kmscourse.cloud.errors import AWSError, OfflineError
from kmscourse.cloud.protocol import Response

_NAME = re.compile(
    r"(?:(?P<before>.+)\.)?(?P<id>vpce-[0-9a-f]+)-[0-9a-z-]+"
    r"\.(?P<service>[a-z0-9-]+)\.(?P<region>[a-z0-9-]+)\.vpce\.amazonaws\.com"
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The endpoint that a request came through.

    Attributes:
        id: as in ``aws:SourceVpce``.
        vpc: its VPC, as in ``aws:SourceVpc``.
        account: the account that owns it.
        policy: its policy, as JSON.
    """

    id: str
    vpc: str
    account: str
    policy: str


def come_through(http: AWSPreparedRequest) -> Endpoint | None:
    """The endpoint that a request names; the request then goes on to the service itself.

    Raises:
        OfflineError: there is no such endpoint, so its name leads nowhere.
    """
    url = urlsplit(http.url)
    named = _NAME.fullmatch((url.hostname or "").lower())
    if named is None:
        return None
    service, region = named["service"], named["region"]
    for account, each in moto_door.vpc_endpoints(region):
        if each.id == named["id"] and each.service_name.endswith(f".{region}.{service}"):
            # S3's endpoints have a name for buckets: my-bucket.bucket.vpce-...
            before = (named["before"] or "").removesuffix("bucket").rstrip(".")
            host = f"{before}.{service}" if before else service
            http.url = urlunsplit(url._replace(netloc=f"{host}.{region}.amazonaws.com"))
            return Endpoint(each.id, each.vpc_id, account, each.policy_document)
    raise OfflineError(
        f"There is no VPC endpoint {named['id']} for {service} in {region}: its name leads nowhere."
    )


def perform(
    operation: str, parameters: dict[str, Any], region: str, ask_moto: Callable[[], Response]
) -> Response:
    """Let moto answer CreateVpcEndpoint or ModifyVpcEndpoint; check the policy, mend the name.

    Raises:
        AWSError: InvalidPolicyDocument, for what is no policy.
    """
    if parameters.get("PolicyDocument"):
        try:
            parse_policy(parameters["PolicyDocument"], "endpoint", code="InvalidPolicyDocument")
        except MalformedPolicyError as error:
            raise AWSError(error.code, error.message) from None
    answer = ask_moto()
    if operation == "CreateVpcEndpoint" and answer.status < 400:
        answer.body = _mend_names(answer.body, region)
    return answer


def _mend_names(body: bytes, region: str) -> bytes:
    """moto's DNS names are not AWS's: ``vpce-...-....kms.us-east-1.vpce.amazonaws.com``."""
    for _, endpoint in moto_door.vpc_endpoints(region):
        service = endpoint.service_name.rpartition(".")[2]
        for entry in endpoint.dns_entries or ():
            name = entry["dns_name"]
            first, _, rest = name.partition(".")
            if rest == endpoint.service_name:
                entry["dns_name"] = f"{first}.{service}.{region}.vpce.amazonaws.com"
                body = body.replace(name.encode(), entry["dns_name"].encode())
    return body
