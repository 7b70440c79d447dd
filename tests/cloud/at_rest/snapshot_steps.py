"""The five steps by which an encrypted EBS snapshot gets into another account, and each left out.

Made by running them: ``python -m tests.cloud.at_rest.snapshot_steps`` writes the table beside
this file, and `test_ebs.py` compares it with what happens now.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from kmscourse import cloud

OWNER, TARGET = "123456789012", "222222222222"
RECORD = b"patient 4711: copied across accounts"
TABLE = Path(__file__).with_suffix(".md")

STEPS = {
    1: "Encrypt the snapshot under a customer managed key",
    2: "Let the target account use that key, in its key policy",
    3: "Share the snapshot with the target account",
    4: "Copy it in the target account, under a key of its own",
    5: "Create a volume from the copy",
}
INSTEAD = {
    1: "under the AWS managed key",
    2: "key policy unchanged",
    3: "not shared",
    4: "the volume from the shared snapshot, after the owner disabled the key",
    5: "the target's own key is disabled",
}

#: What Share the KMS key used to encrypt a shared snapshot asks for (fact EBS-02).
USE = [
    "kms:DescribeKey",
    "kms:CreateGrant",
    "kms:GenerateDataKey*",
    "kms:ReEncrypt*",
    "kms:Decrypt",
]


def shared_policy(account: str = TARGET, actions: list[str] = USE) -> str:
    """A key policy: the owner as always, and another account for what it needs."""
    root = {"Effect": "Allow", "Principal": {"AWS": OWNER}, "Action": "kms:*", "Resource": "*"}
    use = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [root, use]})


def administrator(aws: cloud.Cloud, account: str) -> Any:
    """A session of an administrator of another account."""
    session = aws.account(account).session("root")
    iam = client(session, "root", "iam")
    iam.create_user(UserName="admin")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.put_user_policy(
        UserName="admin",
        PolicyName="everything",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    return aws.account(account).session("admin")


def written_volume(aws: cloud.Cloud, ec2: Any, data: bytes, **how: Any) -> str:
    """A volume of one GiB, attached to an instance, with something on it."""
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, **how)["VolumeId"]
    attach(ec2, volume)
    aws.disk(volume).write(0, data)
    return str(volume)


def attach(ec2: Any, volume: str) -> str:
    """Attach a volume to a new instance, whose id is given back."""
    launched = ec2.run_instances(ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)
    instance = str(launched["Instances"][0]["InstanceId"])
    ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    return instance


#: Clients of others than the learner, that were made once: making them takes most of the time.
_CLIENTS: dict[tuple[str, str, str], Any] = {}


def client(session: Any, who: str, service: str) -> Any:
    """A client for a session; one that is there already gets the session's credentials."""
    name = (who, service, session.region_name)
    if name not in _CLIENTS:
        _CLIENTS[name] = session.client(service)
    _CLIENTS[name]._request_signer._credentials = session.get_credentials()
    return _CLIENTS[name]


class Accounts:
    """The owner's clients and the target's."""

    def __init__(self, aws: cloud.Cloud) -> None:
        self.aws = aws
        owner, target = aws.session("learner"), administrator(aws, TARGET)
        self.ec2, self.kms = (client(owner, "owner", each) for each in ("ec2", "kms"))
        self.others_ec2, self.others_kms = (
            client(target, "target", each) for each in ("ec2", "kms")
        )


def outcome(accounts: Accounts, without: int | None = None) -> str:
    """Do the five steps, but for one; what comes of it, in AWS's words."""
    aws, ec2, other = accounts.aws, accounts.ec2, accounts.others_ec2
    kms, others_kms = accounts.kms, accounts.others_kms
    key = kms.create_key()["KeyMetadata"]["Arn"]
    own_key = others_kms.create_key()["KeyMetadata"]["Arn"]
    named = {} if without == 1 else {"KmsKeyId": key}
    volume = written_volume(aws, ec2, RECORD, Encrypted=True, **named)
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    if without != 2:
        kms.put_key_policy(KeyId=key, Policy=shared_policy())
    if without != 3:
        try:
            ec2.modify_snapshot_attribute(
                SnapshotId=snapshot, OperationType="add", UserIds=[TARGET]
            )
        except ClientError as error:
            return _words("ModifySnapshotAttribute", error)
    source = snapshot
    if without != 4:
        source = other.copy_snapshot(
            SourceSnapshotId=snapshot, SourceRegion="us-east-1", Encrypted=True, KmsKeyId=own_key
        )["SnapshotId"]
        copied = other.describe_snapshots(SnapshotIds=[source])["Snapshots"][0]
        if copied["State"] != "completed":
            return f'the copy: state {copied["State"]}, "{copied["StateMessage"]}"'
    kms.disable_key(KeyId=key)  # the owner cuts the others off
    if without == 5:
        others_kms.disable_key(KeyId=own_key)
    made = other.create_volume(AvailabilityZone="us-east-1a", SnapshotId=source)["VolumeId"]
    try:
        other.describe_volumes(VolumeIds=[made])
    except ClientError as error:
        return _words("DescribeVolumes", error).replace(made, "vol-...")
    attach(other, made)
    read = aws.disk(made).read(0, len(RECORD))
    return "the target account reads the record" if read == RECORD else f"read {read!r}"


def _words(operation: str, error: ClientError) -> str:
    said = error.response["Error"]
    return f'{operation}: {said["Code"]}, "{said["Message"]}"'


def table() -> str:
    """The table, in Markdown, of what happens now."""
    lines = ["| Left out | Instead | What comes of it |", "|---|---|---|"]
    with cloud.running(seed="snapshot steps") as aws:
        accounts = Accounts(aws)
        lines.append(f"| nothing | | {outcome(accounts)} |")
        for step, what in STEPS.items():
            lines.append(f"| {step}. {what} | {INSTEAD[step]} | {outcome(accounts, step)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
