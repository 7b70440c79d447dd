"""What a call needs, for the services that moto answers: which action, on which resource.

KMS, S3 and ACM say so themselves. Of the others this table holds what the lessons use; a service
that is not in it is not decided about, and `docs/fidelity.md` says so.

Source: AWS Service Authorization Reference, "Actions, resources, and condition keys" of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kmscourse.cloud import moto_door
from kmscourse.cloud.call import Call
from kmscourse.cloud.permissions import Permission

Finder = Callable[[Call], Iterator[str]]

#: Operations that need no permission, or none of this account's.
_FREE = {
    ("sts", "GetCallerIdentity"),
    ("sts", "GetSessionToken"),
    ("sts", "GetAccessKeyInfo"),
    ("sts", "DecodeAuthorizationMessage"),
}


def needs(call: Call) -> list[Permission]:
    """The permissions that a call to a service of the table needs; none for other services."""
    finder = _FINDERS.get(call.service)
    if finder is None or not call.operation or (call.service, call.operation) in _FREE:
        return []
    if call.service == "sts" and call.operation.startswith("AssumeRole"):
        return [_assume_role(call)]
    code, status = _REFUSALS.get(call.service, ("AccessDeniedException", 400))
    return [
        Permission(
            call.action,
            resource,
            account=_account(resource) or call.account,
            resource_policy=_policy(resource),
            context=_tags(call),
            code=code,
            status=status,
        )
        for resource in dict.fromkeys(finder(call)) or ("*",)
    ]


#: The code and status of a refusal, by service, where it is not JSON's AccessDeniedException.
_REFUSALS = {
    "ec2": ("UnauthorizedOperation", 403),
    "iam": ("AccessDenied", 403),
    "sts": ("AccessDenied", 403),
    "rds": ("AccessDenied", 403),
    "route53": ("AccessDenied", 403),
}


def _assume_role(call: Call) -> Permission:
    arn = str(call.parameters.get("RoleArn", ""))
    account = _account(arn) or call.account
    role = next((r for r in moto_door.iam(account).roles.values() if r.arn == arn), None)
    context: dict[str, str | list[str]] = {**dict(call.caller.context)}
    if "ExternalId" in call.parameters:
        context["sts:ExternalId"] = call.parameters["ExternalId"]
    if "SerialNumber" in call.parameters:  # a wrong code is refused all the same
        context["aws:MultiFactorAuthPresent"] = "true"
    # The role's account sees who took it on (IAM User Guide, "Logging IAM and AWS STS API calls
    # with AWS CloudTrail", cross-account AssumeRole).
    call.noted["resources"] = [{"accountId": account, "type": "AWS::IAM::Role", "ARN": arn}]
    return Permission(
        call.action,
        arn,
        account=account,
        resource_policy=role.assume_role_policy_document if role is not None else None,
        context=context,
        code="AccessDenied",
        status=403,
    )


def _iam(call: Call) -> Iterator[str]:
    parameters = call.parameters
    prefix = f"arn:aws:iam::{call.account}"
    if "PolicyArn" in parameters and call.operation.startswith(("Get", "Delete", "Create", "List")):
        yield parameters["PolicyArn"]
    for name, kind in (("UserName", "user"), ("RoleName", "role"), ("GroupName", "group")):
        if name in parameters:
            yield f"{prefix}:{kind}/{parameters[name]}"
            return
    if call.operation == "CreatePolicy":
        yield f"{prefix}:policy/{parameters.get('PolicyName', '*')}"


def _ec2(call: Call) -> Iterator[str]:
    if call.operation.startswith("Describe"):
        return
    place = f"arn:aws:ec2:{call.region}:{call.account}"
    public = f"arn:aws:ec2:{call.region}:"
    parameters = call.parameters
    for name, kind, base in (
        ("VolumeId", "volume", place),
        ("SnapshotId", "snapshot", public),
        ("SourceSnapshotId", "snapshot", public),
        ("InstanceId", "instance", place),
        ("ImageId", "image", public),
        ("SourceImageId", "image", public),
    ):
        if name in parameters:
            yield f"{base}:{kind}/{parameters[name]}"
    made = {
        "CreateVolume": f"{place}:volume/*",
        "CreateSnapshot": f"{public}:snapshot/*",
        "CopySnapshot": f"{public}:snapshot/*",
        "CopyImage": f"{public}:image/*",
    }
    if call.operation in made:
        yield made[call.operation]


def _rds(call: Call) -> Iterator[str]:
    place = f"arn:aws:rds:{call.region}:{call.account}"
    for name, kind in (
        ("DBInstanceIdentifier", "db"),
        ("DBClusterIdentifier", "cluster"),
        ("DBSnapshotIdentifier", "snapshot"),
        ("DBClusterSnapshotIdentifier", "cluster-snapshot"),
        ("SourceDBSnapshotIdentifier", "snapshot"),
        ("TargetDBSnapshotIdentifier", "snapshot"),
        ("SourceDBClusterSnapshotIdentifier", "cluster-snapshot"),
        ("TargetDBClusterSnapshotIdentifier", "cluster-snapshot"),
        ("GlobalClusterIdentifier", "global-cluster"),
    ):
        value = call.parameters.get(name)
        if value:
            yield value if str(value).startswith("arn:") else f"{place}:{kind}:{value}"


def _ssm(call: Call) -> Iterator[str]:
    place = f"arn:aws:ssm:{call.region}:{call.account}:parameter"
    named = [call.parameters.get("Name"), call.parameters.get("Path")]
    for name in [*filter(None, named), *call.parameters.get("Names", [])]:
        yield name if name.startswith("arn:") else f"{place}/{name.lstrip('/')}"


def _secretsmanager(call: Call) -> Iterator[str]:
    named = call.parameters.get("SecretId")
    if named:
        secret = _secret(call.account, call.region, named)
        yield secret.arn if secret is not None else _secret_arn(call, named)
    elif "Name" in call.parameters:
        yield _secret_arn(call, call.parameters["Name"])


def _secret_arn(call: Call, name: str) -> str:
    if name.startswith("arn:"):
        return name
    return f"arn:aws:secretsmanager:{call.region}:{call.account}:secret:{name}-??????"


def _secret(account: str, region: str, named: str) -> Any:
    from moto.secretsmanager.models import secretsmanager_backends  # loaded with its first call

    backends = secretsmanager_backends[_account(named) or account]
    if region not in backends:
        return None
    secrets = backends[region].secrets
    return next(
        (s for s in secrets.values() if named in (s.arn, s.name, getattr(s, "secret_id", None))),
        None,
    )


def _dynamodb(call: Call) -> Iterator[str]:
    place = f"arn:aws:dynamodb:{call.region}:{call.account}:table"
    names = [call.parameters.get("TableName"), *call.parameters.get("RequestItems", {})]
    for item in call.parameters.get("TransactItems", []):
        names += [each.get("TableName") for each in item.values() if isinstance(each, dict)]
    for name in filter(None, names):
        yield name if name.startswith("arn:") else f"{place}/{name}"


def _cloudtrail(call: Call) -> Iterator[str]:
    name = call.parameters.get("Name")
    if name and call.operation not in ("LookupEvents", "DescribeTrails", "ListTrails"):
        yield (
            name
            if name.startswith("arn:")
            else f"arn:aws:cloudtrail:{call.region}:{call.account}:trail/{name}"
        )


def _route53(call: Call) -> Iterator[str]:
    zone = call.parameters.get("HostedZoneId")
    if zone:
        yield f"arn:aws:route53:::hostedzone/{str(zone).rpartition('/')[2]}"


def _acm_pca(call: Call) -> Iterator[str]:
    arn = call.parameters.get("CertificateAuthorityArn") or call.parameters.get("ResourceArn")
    if arn:
        yield arn


def _sts(call: Call) -> Iterator[str]:
    if call.operation == "GetFederationToken":
        yield f"arn:aws:sts::{call.account}:federated-user/{call.parameters.get('Name', '*')}"


def _nothing(_: Call) -> Iterator[str]:
    return iter(())


_FINDERS: dict[str, Finder] = {
    "iam": _iam,
    "sts": _sts,
    "ec2": _ec2,
    "rds": _rds,
    "ssm": _ssm,
    "secretsmanager": _secretsmanager,
    "dynamodb": _dynamodb,
    "cloudtrail": _cloudtrail,
    "organizations": _nothing,
    "route53": _route53,
    "acm-pca": _acm_pca,
}


def _account(arn: str) -> str | None:
    parts = arn.split(":")
    return parts[4] if len(parts) > 4 and parts[4].isdigit() else None


def _policy(resource: str) -> str | None:
    """The policy attached to a resource of these services: secrets have one."""
    if ":secretsmanager:" not in resource or "?" in resource:
        return None
    account = _account(resource)
    secret = _secret(account, resource.split(":")[3], resource) if account else None
    policy = getattr(secret, "policy", None)
    return str(policy) if policy else None


def _tags(call: Call) -> dict[str, str | list[str]]:
    """The tags that a request brings, as condition keys."""
    tags = call.parameters.get("Tags")
    if not isinstance(tags, list):
        return {}
    pairs = {
        tag["Key"]: tag.get("Value", "") for tag in tags if isinstance(tag, dict) and "Key" in tag
    }
    context: dict[str, str | list[str]] = {f"aws:RequestTag/{k}": v for k, v in pairs.items()}
    if pairs:
        context["aws:TagKeys"] = list(pairs)
    return context
