"""AWS managed keys: made by a service in your account when it first needs one.

Everyone in the account who may use the service may use them through it, and nobody otherwise;
nobody can change, disable, delete or share them.

Source: AWS KMS Developer Guide, "AWS managed keys", and the policy AWS shows for aws/s3.
"""

from __future__ import annotations

import json
from datetime import datetime

from kmscourse import facts
from kmscourse.cloud.kms import rotation
from kmscourse.cloud.kms.keys import Key, KeyMaterial
from kmscourse.cloud.kms.service import KMS, Alias

#: What each service's key is for, in AWS's words; by the name after ``alias/aws/``.
_DESCRIPTIONS = {
    "s3": "Default key that protects my S3 objects when no other key is defined",
    "ebs": "Default key that protects my EBS volumes when no other key is defined",
    "rds": "Default key that protects my RDS database volumes when no other key is defined",
    "dynamodb": "Default key that protects my DynamoDB data when no other key is defined",
    "ssm": "Default key that protects my SSM parameters when no other key is defined",
    "secretsmanager": (
        "Default key that protects my Secrets Manager data when no other key is defined"
    ),
}
#: The aliases that every account has from the start, by the name after ``alias/aws/``.
PREDEFINED = (
    "acm", "dynamodb", "ebs", "elasticfilesystem", "es", "glue", "kinesisvideo", "lambda", "rds",
    "redshift", "s3", "secretsmanager", "ssm", "xray",
)  # fmt: skip
#: Services that call KMS under another name than their key's.
_VIA = {"ebs": "ec2"}


def ensure(kms: KMS, service: str, account: str, region: str, now: datetime) -> Key:
    """The AWS managed key of a service, e.g. ``"s3"``, made where it is not there yet.

    Returns:
        The key behind ``alias/aws/<service>`` in that account and Region.
    """
    name = f"alias/aws/{service}"
    there = kms.region(account, region)
    alias = there.aliases.get(name)
    if alias is not None and alias.key_id in there.keys:
        return there.keys[alias.key_id]
    key = Key(
        id=kms.random.uuid(),
        account=account,
        region=region,
        created=now,
        policy=_policy(service, account, region),
        description=_DESCRIPTIONS.get(service, f"Default key of {service}"),
        manager="AWS",
    )
    key.materials.append(KeyMaterial(kms.random.hex(64), kms.random.bytes(32), now))
    there.keys[key.id] = key
    rotation.begin(kms, key, now, int(facts.limit("kms.rotation.days.aws-managed")))
    there.aliases[name] = Alias(name, account, region, key.id, now, now)
    return key


def _policy(service: str, account: str, region: str) -> str:
    via = f"{_VIA.get(service, service)}.{region}.amazonaws.com"
    actions = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"]
    if service != "s3":
        actions.append("kms:CreateGrant")
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Id": f"auto-{service}-2",
            "Statement": [
                {
                    "Sid": f"Allow access through {service} for all principals in the account "
                    f"that are authorized to use {service}",
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": [*actions, "kms:DescribeKey"],
                    "Resource": "*",
                    "Condition": {
                        "StringEquals": {"kms:CallerAccount": account, "kms:ViaService": via}
                    },
                },
                {
                    "Sid": "Allow direct access to key metadata to the account",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                    "Action": ["kms:Describe*", "kms:Get*", "kms:List*"],
                    "Resource": "*",
                },
            ],
        }
    )
