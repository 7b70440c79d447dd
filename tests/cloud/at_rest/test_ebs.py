"""What lies on an EBS volume is ciphertext, and the key decides who attaches it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from kmscourse import cloud
from kmscourse.cloud.at_rest.blocks import SECTOR, Blocks
from tests.cloud.at_rest import snapshot_steps
from tests.cloud.at_rest.conftest import SECRET, everything_stored, learners
from tests.cloud.at_rest.snapshot_steps import attach, client, written_volume
from tests.cloud.conftest import code_of, message_of

ZONE = "us-east-1a"


@pytest.fixture
def ec2(aws: cloud.Cloud) -> Any:
    """The learner's plain EC2 client."""
    return learners("ec2")


@pytest.fixture
def volume(aws: cloud.Cloud, ec2: Any, key_arn: str) -> str:
    """An encrypted volume on an instance, with the secret on it."""
    return written_volume(aws, ec2, SECRET, Encrypted=True, KmsKeyId=key_arn)


def snapshot_of(ec2: Any, volume: str) -> str:
    """A new snapshot."""
    return str(ec2.create_snapshot(VolumeId=volume)["SnapshotId"])


def described(ec2: Any, snapshot: str) -> dict[str, Any]:
    """A snapshot as DescribeSnapshots shows it."""
    shown: dict[str, Any] = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
    return shown


def user(aws: cloud.Cloud, name: str, *actions: str, resource: str = "*") -> Any:
    """A user's session, with some permissions and no more."""
    session = aws.session(name)
    allow = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    learners("iam").put_user_policy(
        UserName=name,
        PolicyName="some",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    return session


# --- the disk ------------------------------------------------------------------------------------


def test_a_stolen_disk_that_is_not_encrypted_shows_everything(aws: cloud.Cloud, ec2: Any) -> None:
    plain = written_volume(aws, ec2, SECRET)
    stolen = aws.stored("ebs", plain)
    assert not stolen.encrypted
    assert stolen.wrapped_key is None
    assert SECRET in stolen.blocks[0]
    assert any(SECRET in each for each in everything_stored(aws)), "the search would find it"


def test_a_stolen_disk_that_is_encrypted_shows_nothing(
    aws: cloud.Cloud, ec2: Any, volume: str, key_arn: str
) -> None:
    assert aws.disk(volume).read(0, len(SECRET)) == SECRET
    stolen = aws.stored("ebs", volume)
    assert (stolen.encrypted, stolen.key_arn) == (True, key_arn)
    assert stolen.context == {"aws:ebs:id": volume}
    assert len(stolen.blocks[0]) == SECTOR
    snapshot_of(ec2, volume)
    found = list(everything_stored(aws))
    assert any(stolen.blocks[0] in each for each in found)
    assert not any(SECRET in each for each in found)
    assert SECRET not in bytes(stolen)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 3 * SECTOR), st.binary(max_size=SECTOR + 9)), max_size=5),
    st.booleans(),
)
def test_blocks_are_a_disk(writes: list[tuple[int, bytes]], encrypted: bool) -> None:
    key, other = (bytes(range(64)), bytes(range(64, 128))) if encrypted else (None, None)
    size = 5 * SECTOR
    blocks, model = Blocks(size), bytearray(size)
    for offset, data in writes:
        blocks.write(key, offset, data)
        model[offset : offset + len(data)] = data
    assert blocks.read(key, 0, size) == bytes(model)
    assert blocks.read(key, 100, 5000) == bytes(model[100:5100])
    moved = blocks.under(key, other)
    assert moved.read(other, 0, size) == bytes(model)
    if encrypted and blocks.sectors:
        assert moved.sectors != blocks.sectors


def test_a_disk_ends_and_is_there_only_while_attached(
    aws: cloud.Cloud, ec2: Any, volume: str
) -> None:
    disk = aws.disk(volume)
    assert disk.size == 1 << 30
    assert disk.read(disk.size - 3, 3) == bytes(3)
    with pytest.raises(ValueError, match="beyond its end"):
        disk.write(disk.size - 3, b"four")
    ec2.detach_volume(VolumeId=volume)
    with pytest.raises(OSError, match="not attached"):
        disk.read()
    with pytest.raises(KeyError):
        aws.stored("ebs", "vol-00000000000000000")


# --- the key -------------------------------------------------------------------------------------


def test_creating_asks_kms_for_the_caller_and_attaching_makes_a_grant(
    aws: cloud.Cloud, volume: str, key_arn: str
) -> None:
    (made,) = aws.trail.events("GenerateDataKeyWithoutPlaintext")
    (granted,) = aws.trail.events("CreateGrant")
    (opened,) = aws.trail.events("Decrypt")
    assert made["userIdentity"]["userName"] == "learner"
    assert made["userIdentity"]["invokedBy"] == "ec2.amazonaws.com"
    assert made["requestParameters"]["numberOfBytes"] == 64
    assert made["requestParameters"]["encryptionContext"] == {"aws:ebs:id": volume}
    assert granted["userIdentity"]["userName"] == "learner"
    subset = granted["requestParameters"]["constraints"]["encryptionContextSubset"]
    assert subset == {"aws:ebs:id": volume}
    grantee = granted["requestParameters"]["granteePrincipal"]
    assert ":assumed-role/aws:ec2-infrastructure/i-" in grantee
    assert opened["userIdentity"]["arn"] == grantee
    assert opened["requestParameters"]["encryptionContext"] == {"aws:ebs:id": volume}
    for event in (made, granted, opened):
        assert [each["ARN"] for each in event["resources"]] == [key_arn]


def test_a_disabled_key_is_felt_when_the_volume_is_attached_again(
    aws: cloud.Cloud, ec2: Any, kms: Any, volume: str, key_arn: str
) -> None:
    kms.disable_key(KeyId=key_arn)
    aws.disk(volume).write(9000, b"still in the hypervisor's memory")
    assert aws.disk(volume).read(0, len(SECRET)) == SECRET
    detached = ec2.detach_volume(VolumeId=volume)
    with pytest.raises(ClientError) as refused:
        ec2.attach_volume(VolumeId=volume, InstanceId=detached["InstanceId"], Device="/dev/sdf")
    assert code_of(refused) == "CustomerKeyHasBeenRevoked"
    assert message_of(refused) == (
        f"Volume {volume} cannot be attached. The encrypted volume was unable to access the "
        "KMS key."
    )
    assert aws.trail.events("CreateGrant")[-1]["errorCode"] == "DisabledException"
    kms.enable_key(KeyId=key_arn)
    attach(ec2, volume)
    assert aws.disk(volume).read(9000, 5) == b"still"
    assert len(kms.list_grants(KeyId=key_arn)["Grants"]) == 1


def test_a_stopped_instance_needs_the_key_again(
    aws: cloud.Cloud, ec2: Any, kms: Any, volume: str, key_arn: str
) -> None:
    shown = ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]
    instance = shown["Attachments"][0]["InstanceId"]
    ec2.stop_instances(InstanceIds=[instance])
    with pytest.raises(OSError, match="not running"):
        aws.disk(volume).read()
    ec2.start_instances(InstanceIds=[instance])
    assert aws.disk(volume).read(0, len(SECRET)) == SECRET
    ec2.stop_instances(InstanceIds=[instance])
    kms.disable_key(KeyId=key_arn)
    ec2.start_instances(InstanceIds=[instance])
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert found["State"]["Name"] == "stopped"
    assert found["StateReason"]["Code"] == "Client.InternalError"


@pytest.mark.parametrize("how", ["disabled", "missing", "not allowed"])
def test_a_volume_whose_key_cannot_be_used_is_soon_gone(
    aws: cloud.Cloud, ec2: Any, kms: Any, key_arn: str, how: str
) -> None:
    if how == "disabled":
        kms.disable_key(KeyId=key_arn)
    if how == "missing":
        key_arn = key_arn[:-1] + ("0" if key_arn[-1] != "0" else "1")
    maker = client(user(aws, "maker", "ec2:*"), "user", "ec2") if how == "not allowed" else ec2
    made = maker.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=key_arn)
    assert (made["State"], made["Encrypted"], made["KmsKeyId"]) == ("creating", True, key_arn)
    with pytest.raises(ClientError) as gone:
        ec2.describe_volumes(VolumeIds=[made["VolumeId"]])
    assert code_of(gone) == "InvalidVolume.NotFound"
    assert message_of(gone) == f"The volume '{made['VolumeId']}' does not exist."


def test_attaching_needs_permission_to_make_a_grant_for_a_service_only(
    aws: cloud.Cloud, ec2: Any, key_arn: str
) -> None:
    made = ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=key_arn)
    instance = ec2.run_instances(ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)
    on = {
        "VolumeId": made["VolumeId"],
        "InstanceId": instance["Instances"][0]["InstanceId"],
        "Device": "/dev/sdf",
    }
    nurse = client(user(aws, "nurse", "ec2:*"), "user", "ec2")
    with pytest.raises(ClientError) as refused:
        nurse.attach_volume(**on)
    assert code_of(refused) == "CustomerKeyHasBeenRevoked"
    allow = {
        "Effect": "Allow",
        "Action": "kms:CreateGrant",
        "Resource": key_arn,
        "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
    }
    learners("iam").put_user_policy(
        UserName="nurse",
        PolicyName="grants",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    nurse.attach_volume(**on)
    with pytest.raises(ClientError) as twice:
        nurse.attach_volume(**on)
    assert code_of(twice) == "VolumeInUse"


def test_a_key_without_encryption_is_refused(ec2: Any, key_arn: str) -> None:
    with pytest.raises(ClientError) as refused:
        ec2.create_volume(AvailabilityZone=ZONE, Size=1, KmsKeyId=key_arn)
    assert code_of(refused) == "InvalidParameterDependency"


# --- encryption by default -----------------------------------------------------------------------


def test_encryption_by_default_is_of_the_region_and_for_what_is_new(
    aws: cloud.Cloud, ec2: Any, kms: Any, key_arn: str
) -> None:
    before = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    assert ec2.enable_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    first = ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=False)
    managed = kms.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]
    assert (first["Encrypted"], first["KmsKeyId"]) == (True, managed["Arn"])
    assert managed["KeyManager"] == "AWS"
    assert ec2.modify_ebs_default_kms_key_id(KmsKeyId=key_arn)["KmsKeyId"] == key_arn
    launched = attach_new_instance(ec2)
    (root,) = ec2.describe_volumes(
        Filters=[{"Name": "attachment.instance-id", "Values": [launched]}]
    )["Volumes"]
    assert root["KmsKeyId"] == key_arn
    assert not aws.stored("ebs", before).encrypted
    assert ec2.reset_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    elsewhere = client(aws.session("learner", region="eu-west-1"), "owner", "ec2")
    assert not elsewhere.create_volume(AvailabilityZone="eu-west-1a", Size=1)["Encrypted"]


def attach_new_instance(ec2: Any) -> str:
    """A new instance with its root volume."""
    made = ec2.run_instances(ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)
    return str(made["Instances"][0]["InstanceId"])


def test_instances_do_not_launch_when_the_default_key_is_disabled(
    aws: cloud.Cloud, ec2: Any, kms: Any, key_arn: str
) -> None:
    ec2.enable_ebs_encryption_by_default()
    ec2.modify_ebs_default_kms_key_id(KmsKeyId=key_arn)
    kms.disable_key(KeyId=key_arn)
    instance = attach_new_instance(ec2)
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert found["State"]["Name"] == "terminated"
    assert found["StateReason"] == {
        "Code": "Client.InternalError",
        "Message": "Client.InternalError: Client error on launch",
    }
    failed = aws.trail.events("GenerateDataKeyWithoutPlaintext", error="DisabledException")
    assert [each["resources"][0]["ARN"] for each in failed] == [key_arn]


# --- snapshots -----------------------------------------------------------------------------------


def test_a_snapshot_is_the_volume_at_that_moment(
    aws: cloud.Cloud, ec2: Any, volume: str, key_arn: str
) -> None:
    snapshot = snapshot_of(ec2, volume)
    aws.disk(volume).write(0, b"overwritten afterwards")
    shown = described(ec2, snapshot)
    assert (shown["Encrypted"], shown["KmsKeyId"], shown["State"]) == (True, key_arn, "completed")
    assert aws.stored("ebs", snapshot).context == {"aws:ebs:id": volume}
    restored = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot)
    assert (restored["Encrypted"], restored["KmsKeyId"]) == (True, key_arn)
    attach(ec2, restored["VolumeId"])
    assert aws.disk(restored["VolumeId"]).read(0, len(SECRET)) == SECRET
    assert aws.stored("ebs", restored["VolumeId"]).blocks == aws.stored("ebs", snapshot).blocks, (
        "under the same key, the same data key"
    )


def test_a_volume_may_grow_but_not_be_smaller_than_its_snapshot(
    aws: cloud.Cloud, ec2: Any, volume: str
) -> None:
    ec2.modify_volume(VolumeId=volume, Size=2)
    aws.disk(volume).write(3 << 29, SECRET)
    snapshot = snapshot_of(ec2, volume)
    with pytest.raises(ClientError) as refused:
        ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot, Size=1)
    assert code_of(refused) == "InvalidParameterValue"
    larger = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot, Size=3)["VolumeId"]
    attach(ec2, larger)
    assert aws.disk(larger).read(3 << 29, len(SECRET)) == SECRET


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_a_copy_may_have_another_key_and_needs_one_of_its_region(
    aws: cloud.Cloud, ec2: Any, volume: str, key_arn: str, region: str
) -> None:
    snapshot = snapshot_of(ec2, volume)
    there = aws.session("learner", region=region)
    other, its_kms = client(there, "owner", "ec2"), client(there, "owner", "kms")
    key = its_kms.create_key()["KeyMetadata"]["Arn"]
    asked = {"SourceSnapshotId": snapshot, "SourceRegion": "us-east-1"}
    copy = other.copy_snapshot(**asked, Encrypted=True, KmsKeyId=key)["SnapshotId"]
    assert described(other, copy)["KmsKeyId"] == key
    assert described(other, copy)["VolumeId"] == "vol-ffffffff"
    stored = aws.stored("ebs", copy)
    assert stored.context == {"aws:ebs:id": copy}
    assert stored.blocks.keys() == aws.stored("ebs", snapshot).blocks.keys()
    assert stored.ciphertext != aws.stored("ebs", snapshot).ciphertext
    by_default = other.copy_snapshot(**asked)["SnapshotId"]
    managed = its_kms.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["Arn"]
    assert described(other, by_default)["KmsKeyId"] == managed
    if region != "us-east-1":
        wrong = other.copy_snapshot(**asked, Encrypted=True, KmsKeyId=key_arn)["SnapshotId"]
        assert described(other, wrong)["State"] == "error"
        assert described(other, wrong)["StateMessage"] == "Given key ID is not accessible"


def test_a_copy_can_be_encrypted_but_not_decrypted(
    aws: cloud.Cloud, ec2: Any, volume: str, key_arn: str
) -> None:
    plain = snapshot_of(ec2, written_volume(aws, ec2, SECRET))
    here = {"SourceRegion": "us-east-1"}
    copy = ec2.copy_snapshot(SourceSnapshotId=plain, Encrypted=True, KmsKeyId=key_arn, **here)[
        "SnapshotId"
    ]
    assert aws.stored("ebs", copy).encrypted
    made = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=copy)["VolumeId"]
    attach(ec2, made)
    assert aws.disk(made).read(0, len(SECRET)) == SECRET
    with pytest.raises(ClientError) as refused:
        ec2.copy_snapshot(SourceSnapshotId=copy, Encrypted=False, **here)
    assert code_of(refused) == "InvalidParameterValue"


def test_encrypted_snapshots_are_never_public(ec2: Any, aws: cloud.Cloud, volume: str) -> None:
    to_all = {"OperationType": "add", "GroupNames": ["all"]}
    with pytest.raises(ClientError) as refused:
        ec2.modify_snapshot_attribute(SnapshotId=snapshot_of(ec2, volume), **to_all)
    assert code_of(refused) == "OperationNotPermitted"
    plain = snapshot_of(ec2, written_volume(aws, ec2, b"open data"))
    ec2.modify_snapshot_attribute(SnapshotId=plain, **to_all)
    assert plain in [
        each["SnapshotId"]
        for each in aws.account("222222222222")
        .session("root")
        .client("ec2")
        .describe_snapshots()["Snapshots"]
    ]


def test_the_five_steps_and_each_left_out() -> None:
    written = snapshot_steps.TABLE.read_text(encoding="utf-8")
    assert snapshot_steps.table() == written


@pytest.mark.parametrize("missing", ["kms:DescribeKey", "kms:CreateGrant"])
def test_what_the_target_account_is_not_allowed_shows_in_the_copy_and_the_trail(
    aws: cloud.Cloud, ec2: Any, kms: Any, volume: str, key_arn: str, missing: str
) -> None:
    target = snapshot_steps.administrator(aws, snapshot_steps.TARGET)
    allowed = [action for action in snapshot_steps.USE if action != missing]
    kms.put_key_policy(KeyId=key_arn, Policy=snapshot_steps.shared_policy(actions=allowed))
    snapshot = snapshot_of(ec2, volume)
    ec2.modify_snapshot_attribute(
        SnapshotId=snapshot,
        CreateVolumePermission={"Add": [{"UserId": snapshot_steps.TARGET}]},
    )
    other = client(target, "target", "ec2")
    copy = other.copy_snapshot(SourceSnapshotId=snapshot, SourceRegion="us-east-1")["SnapshotId"]
    shown = described(other, copy)
    assert (shown["State"], shown["StateMessage"]) == ("error", "Given key ID is not accessible")
    (refused,) = aws.trail.events(error="AccessDenied", service="kms")
    assert refused["eventName"] == missing.removeprefix("kms:")
    with pytest.raises(ClientError) as unusable:
        other.create_volume(AvailabilityZone=ZONE, SnapshotId=copy)
    assert code_of(unusable) == "IncorrectState"


def test_an_image_has_the_content_and_the_key_of_the_root_volume(
    aws: cloud.Cloud, ec2: Any, key_arn: str
) -> None:
    ec2.enable_ebs_encryption_by_default()
    ec2.modify_ebs_default_kms_key_id(KmsKeyId=key_arn)
    instance = attach_new_instance(ec2)
    aws.disk(root_of(ec2, instance)).write(0, SECRET)
    image = ec2.create_image(InstanceId=instance, Name="golden")["ImageId"]
    ec2.disable_ebs_encryption_by_default()
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    root = root_of(ec2, made)
    assert aws.stored("ebs", root).key_arn == key_arn
    assert aws.disk(root).read(0, len(SECRET)) == SECRET
    ec2.terminate_instances(InstanceIds=[made])
    with pytest.raises(KeyError):
        aws.stored("ebs", root)


def test_a_copied_image_may_have_another_key_and_one_of_ones_own_to_be_shared(
    aws: cloud.Cloud, ec2: Any, key_arn: str
) -> None:
    instance = attach_new_instance(ec2)
    aws.disk(root_of(ec2, instance)).write(0, SECRET)
    image = ec2.create_image(InstanceId=instance, Name="golden")["ImageId"]
    copy = {"SourceImageId": image, "SourceRegion": "us-east-1", "Encrypted": True}
    by_default = ec2.copy_image(Name="default", **copy)["ImageId"]
    sealed = ec2.copy_image(Name="sealed", KmsKeyId=key_arn, **copy)["ImageId"]
    share = {"LaunchPermission": {"Add": [{"UserId": snapshot_steps.TARGET}]}}
    ec2.modify_image_attribute(ImageId=sealed, **share)
    with pytest.raises(ClientError) as refused:
        ec2.modify_image_attribute(ImageId=by_default, **share)
    assert code_of(refused) == "InvalidParameter"
    made = ec2.run_instances(ImageId=sealed, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    assert aws.disk(root_of(ec2, made)).read(0, len(SECRET)) == SECRET
    assert aws.stored("ebs", root_of(ec2, made)).key_arn == key_arn


def test_a_volume_needs_a_zone(ec2: Any) -> None:
    """botocore CreateVolume: one of AvailabilityZone and AvailabilityZoneId."""
    with pytest.raises(ClientError) as refused:
        ec2.create_volume(Size=1)
    assert code_of(refused) == "MissingParameter"


def test_a_shared_image_launches_elsewhere_and_is_copied_only_with_its_storage(
    aws: cloud.Cloud, ec2: Any, kms: Any, key_arn: str
) -> None:
    """Amazon EC2 User Guide, "Share an AMI with specific AWS accounts" and "Copy an AMI"."""
    accounts = snapshot_steps.Accounts(aws)
    other, target = accounts.others_ec2, snapshot_steps.TARGET
    own_key = accounts.others_kms.create_key()["KeyMetadata"]["Arn"]
    root = {
        "DeviceName": "/dev/sda1",
        "Ebs": {"VolumeSize": 15, "Encrypted": True, "KmsKeyId": key_arn},
    }
    launched = ec2.run_instances(
        ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1, BlockDeviceMappings=[root]
    )
    instance = launched["Instances"][0]["InstanceId"]
    aws.disk(root_of(ec2, instance)).write(0, SECRET)
    image = ec2.create_image(InstanceId=instance, Name="golden")["ImageId"]
    named = {"ImageId": image, "MinCount": 1, "MaxCount": 1}
    copy = {"SourceImageId": image, "SourceRegion": "us-east-1", "Encrypted": True}
    copy |= {"Name": "copied", "KmsKeyId": own_key}
    for call in (
        lambda: other.run_instances(**named),
        lambda: other.describe_images(ImageIds=[image]),
        lambda: other.copy_image(**copy),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert code_of(refused) == "InvalidAMIID.NotFound"

    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": target}]})
    (shown,) = other.describe_images(ImageIds=[image])["Images"]
    assert shown["OwnerId"] == snapshot_steps.OWNER
    assert other.describe_images(Owners=["self"])["Images"] == []
    failed = other.run_instances(**named)["Instances"][0]["InstanceId"]  # the key is not shared
    found = other.describe_instances(InstanceIds=[failed])["Reservations"][0]["Instances"][0]
    assert found["State"]["Name"] == "terminated"
    assert found["StateReason"]["Code"] == "Client.InternalError"

    kms.put_key_policy(KeyId=key_arn, Policy=snapshot_steps.shared_policy())
    started = other.run_instances(**named)["Instances"][0]["InstanceId"]
    disk = root_of(other, started)
    assert aws.disk(disk).read(0, len(SECRET)) == SECRET
    assert f":{target}:" in (aws.stored("ebs", disk).key_arn or "")

    with pytest.raises(ClientError) as refused:
        other.copy_image(**copy)
    assert code_of(refused) == "InvalidRequest"
    storage = shown["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    ec2.modify_snapshot_attribute(SnapshotId=storage, OperationType="add", UserIds=[target])
    copied = other.copy_image(**copy)["ImageId"]
    kms.disable_key(KeyId=key_arn)  # the copy stands alone
    again = other.run_instances(ImageId=copied, MinCount=1, MaxCount=1)
    disk = root_of(other, again["Instances"][0]["InstanceId"])
    assert aws.disk(disk).read(0, len(SECRET)) == SECRET
    assert aws.stored("ebs", disk).key_arn == own_key


def test_a_root_device_that_is_asked_for_otherwise_keeps_the_images_content(
    aws: cloud.Cloud, ec2: Any, key_arn: str
) -> None:
    """botocore RunInstances: a mapping changes what it names, and no more."""
    instance = attach_new_instance(ec2)
    aws.disk(root_of(ec2, instance)).write(0, SECRET)
    image = ec2.create_image(InstanceId=instance, Name="golden")["ImageId"]
    root = {
        "DeviceName": "/dev/sda1",
        "Ebs": {"VolumeSize": 15, "Encrypted": True, "KmsKeyId": key_arn},
    }
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, BlockDeviceMappings=[root])
    disk = root_of(ec2, made["Instances"][0]["InstanceId"])
    assert aws.disk(disk).read(0, len(SECRET)) == SECRET
    assert aws.stored("ebs", disk).key_arn == key_arn


def root_of(ec2: Any, instance: str) -> str:
    """The root volume of an instance."""
    mapped = [{"Name": "attachment.instance-id", "Values": [instance]}]
    return str(ec2.describe_volumes(Filters=mapped)["Volumes"][0]["VolumeId"])
