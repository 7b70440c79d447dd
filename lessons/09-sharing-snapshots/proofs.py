"""What the questions of this lesson claim, played on the simulator."""

import json
import os

import boto3

from kmscourse.exam.proofs import Outcome, proof, tried

PARTNER = "222222222222"
REGION, ZONE = "us-east-1", "us-east-1a"
LETTER = b"Patient 4711: asthma."
USE = ["DescribeKey", "CreateGrant", "Decrypt", "GenerateDataKey*", "ReEncrypt*"]


def _may(actions, **more):
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def _user(aws, name, *actions):
    """A session of a user in the partner's account who may do these things."""
    account = aws.account(PARTNER)
    session = account.session(name)
    account.session("root").client("iam").put_user_policy(
        UserName=name, PolicyName="these", PolicyDocument=_may(list(actions))
    )
    return session


def _let_in(key, aws, actions=USE, who=PARTNER):
    """Give a key a policy: its own account as always, and another for these actions."""
    owner = {"Effect": "Allow", "Principal": {"AWS": aws.account_id}, "Action": "kms:*"}
    other = {"Effect": "Allow", "Principal": {"AWS": who}, "Resource": "*"}
    other["Action"] = [f"kms:{each}" for each in actions]
    policy = {"Version": "2012-10-17", "Statement": [{**owner, "Resource": "*"}, other]}
    return tried(boto3.client("kms").put_key_policy, KeyId=key, Policy=json.dumps(policy))


def _add(kms, key, who):
    """One more statement in a key's policy: everything, for one more principal."""
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    added = {"Sid": "Added", "Effect": "Allow", "Principal": {"AWS": who}, "Action": "kms:*"}
    policy["Statement"].append({**added, "Resource": "*"})
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))


def _new_key(kms=None):
    return (kms or boto3.client("kms")).create_key()["KeyMetadata"]["Arn"]


def _attach(ec2, volume):
    made = ec2.run_instances(ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)
    server = made["Instances"][0]["InstanceId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=server, Device="/dev/sdf")


def _snapshot(aws, **how):
    """A snapshot of the owner's with the letter on it."""
    ec2 = boto3.client("ec2")
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1, **how)["VolumeId"]
    _attach(ec2, volume)
    aws.disk(volume).write(0, LETTER)
    return ec2.create_snapshot(VolumeId=volume)["SnapshotId"]


def _under(key):
    return {"Encrypted": True, "KmsKeyId": key}


def _share(snapshot, *accounts, **groups):
    return tried(
        boto3.client("ec2").modify_snapshot_attribute,
        SnapshotId=snapshot,
        OperationType="add",
        **({"UserIds": list(accounts)} if accounts else groups),
    )


def _copy(ec2, source, key):
    """A copy of a snapshot: as DescribeSnapshots shows it."""
    made = ec2.copy_snapshot(SourceSnapshotId=source, SourceRegion=REGION, **_under(key))
    return ec2.describe_snapshots(SnapshotIds=[made["SnapshotId"]])["Snapshots"][0]


def _reads(aws, ec2, snapshot):
    """Whether an account makes a volume from a snapshot and reads the letter on it."""
    made = tried(ec2.create_volume, AvailabilityZone=ZONE, SnapshotId=snapshot)
    if not made.ok or not tried(ec2.describe_volumes, VolumeIds=[made.answer["VolumeId"]]).ok:
        return False
    _attach(ec2, made.answer["VolumeId"])
    return aws.disk(made.answer["VolumeId"]).read(0, len(LETTER)) == LETTER


def _told(copy):
    return f"{copy['State']}" + (f", {copy['StateMessage']!r}" if "StateMessage" in copy else "")


@proof("sharing-default-key")
def default_key(aws, case):
    """A snapshot under aws/ebs is to get to a partner's account by the way that is proposed."""
    ec2, kms = boto3.client("ec2"), boto3.client("kms")
    snapshot = _snapshot(aws, Encrypted=True)
    managed = kms.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["KeyId"]
    seen = []
    if case == "copy-and-share":
        key = _new_key()
        _let_in(key, aws)
        snapshot = _copy(ec2, snapshot, key)["SnapshotId"]
    if case == "change-policy":
        seen.append(f"PutKeyPolicy gave {_let_in(managed, aws).code or 'no error'}")
    if case == "grant":
        who = f"arn:aws:iam::{PARTNER}:root"
        asked = tried(kms.create_grant, KeyId=managed, GranteePrincipal=who, Operations=["Decrypt"])
        seen.append(f"CreateGrant gave {asked.code or 'no error'}")
    shared = _share(snapshot, GroupNames=["all"]) if case == "public" else _share(snapshot, PARTNER)
    partner = _user(aws, "administrator", "*")
    copy = _copy(partner.client("ec2"), snapshot, _new_key(partner.client("kms")))
    seen.append(f"sharing gave {shared.code or 'no error'}, and the partner's copy {_told(copy)}")
    return Outcome(holds=shared.ok and copy["State"] == "completed", seen="; ".join(seen) + ".")


@proof("sharing-own-key-first")
def own_key_first(aws, case):
    """A volume is created as proposed, and a snapshot of it is shared."""
    ec2, how = boto3.client("ec2"), {"Encrypted": True}
    if case == "customer":
        how = _under(_new_key())
    if case == "alias":
        how = _under("alias/aws/ebs")
    if case == "by-default":
        ec2.enable_ebs_encryption_by_default()
        how = {}
    snapshot = _snapshot(aws, **how)
    encrypted = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["Encrypted"]
    shared = _share(snapshot, PARTNER)
    return Outcome(
        holds=encrypted and shared.ok,
        seen=f"Encrypted: {encrypted}; sharing the snapshot gave {shared.code or 'no error'}.",
    )


@proof("sharing-copy-failed")
def copy_failed(aws, case):
    """A shared snapshot's copy has failed; one thing is added, and it is copied again."""
    key = _new_key()
    snapshot = _snapshot(aws, **_under(key))
    _share(snapshot, PARTNER)
    partner = _user(aws, "administrator", "*")
    ec2, own_key = partner.client("ec2"), _new_key(partner.client("kms"))
    first = _copy(ec2, snapshot, own_key)
    if case == "iam-policy":
        _user(aws, "administrator", "*", "kms:*", "kms:Decrypt")
    if case == "key-policy":
        _let_in(key, aws)
    if case == "other-key":
        _add(partner.client("kms"), own_key, aws.account_id)
    if case == "public":
        _share(snapshot, GroupNames=["all"])
    second = _copy(ec2, snapshot, own_key)
    return Outcome(
        holds=first["State"] == "error" and second["State"] == "completed",
        seen=f"The copy was {_told(first)}; after the change it is {_told(second)}.",
    )


@proof("sharing-needed-actions")
def needed_actions(aws, case):
    """The key policy allows all that is on the list but one action, and the snapshot is copied."""
    actions = {
        "describe-key": "DescribeKey",
        "create-grant": "CreateGrant",
        "put-key-policy": "PutKeyPolicy",
        "schedule-deletion": "ScheduleKeyDeletion",
        "enable-rotation": "EnableKeyRotation",
    }
    key = _new_key()
    snapshot = _snapshot(aws, **_under(key))
    _share(snapshot, PARTNER)
    _let_in(key, aws, [each for each in {*USE, *actions.values()} if each != actions[case]])
    partner = _user(aws, "administrator", "*")
    copy = _copy(partner.client("ec2"), snapshot, _new_key(partner.client("kms")))
    return Outcome(
        holds=copy["State"] == "error",
        seen=f"Without kms:{actions[case]} the copy was {_told(copy)}.",
    )


@proof("sharing-both-sides")
def both_sides(aws, case):
    """An operator who may do ec2:* copies; one thing is added, and the operator copies again."""
    key = _new_key()
    snapshot = _snapshot(aws, **_under(key))
    _share(snapshot, PARTNER)
    _let_in(key, aws)
    kms = _user(aws, "administrator", "*").client("kms")
    own_key, ec2 = _new_key(kms), _user(aws, "operator", "ec2:*").client("ec2")
    first = _copy(ec2, snapshot, own_key)
    if case == "iam-policy":
        _user(aws, "operator", "ec2:*", *(f"kms:{each}" for each in USE))
    if case == "own-key-policy":
        _add(kms, own_key, f"arn:aws:iam::{PARTNER}:user/operator")
    if case == "share-again":
        _share(snapshot, PARTNER)
    if case == "everyone":
        _let_in(key, aws, who="*")
    second = _copy(ec2, snapshot, own_key)
    return Outcome(
        holds=first["State"] == "error" and second["State"] == "completed",
        seen=f"The copy was {_told(first)}; after the change it is {_told(second)}.",
    )


@proof("sharing-not-found")
def not_found(aws, case):
    """The key can be used and the snapshot is not found; one thing is done, and it is copied."""
    key, ec2 = _new_key(), boto3.client("ec2")
    snapshot = _snapshot(aws, **_under(key))
    _let_in(key, aws)
    if case == "tag":
        ec2.create_tags(Resources=[snapshot], Tags=[{"Key": "shared-with", "Value": PARTNER}])
    if case == "policy-again":
        _let_in(key, aws, who=f"arn:aws:iam::{PARTNER}:root")
    if case == "grant":
        boto3.client("kms").create_grant(
            KeyId=key, GranteePrincipal=f"arn:aws:iam::{PARTNER}:root", Operations=["Decrypt"]
        )
    if case == "share":
        _share(snapshot, PARTNER)
    partner = _user(aws, "administrator", "*")
    copy = _copy(partner.client("ec2"), snapshot, _new_key(partner.client("kms")))
    return Outcome(holds=copy["State"] == "completed", seen=f"The copy was {_told(copy)}.")


@proof("sharing-cut-off")
def cut_off(aws, case):
    """The hospital prepares as proposed, the clinic disables its key, and the hospital restores."""
    key = _new_key()
    source = snapshot = _snapshot(aws, **_under(key))
    _share(snapshot, PARTNER)
    _let_in(key, aws)
    partner = _user(aws, "administrator", "*")
    ec2 = partner.client("ec2")
    before = _reads(aws, ec2, source)
    if case == "grant":
        boto3.client("kms").create_grant(
            KeyId=key,
            GranteePrincipal=f"arn:aws:iam::{PARTNER}:user/administrator",
            Operations=["Decrypt", "CreateGrant", "DescribeKey"],
        )
    if case == "own-copy":
        snapshot = _copy(ec2, source, _new_key(partner.client("kms")))["SnapshotId"]
    if case == "copy-same-key":
        snapshot = _copy(ec2, source, key)["SnapshotId"]
    boto3.client("kms").disable_key(KeyId=key)
    after = _reads(aws, ec2, snapshot)
    return Outcome(
        holds=before and after,
        seen=f"The hospital read the letter before: {before}; with the key disabled: {after}.",
    )


@proof("sharing-silent-failure")
def silent_failure(aws, case):
    """A copy that can be made and one that cannot, and what tells the one from the other."""
    opened, closed = _new_key(), _new_key()
    _let_in(opened, aws)
    partner = _user(aws, "administrator", "*")
    ec2, own_key = partner.client("ec2"), _new_key(partner.client("kms"))
    told = []
    for key in (opened, closed):
        source = _snapshot(aws, **_under(key))
        _share(source, PARTNER)
        asked = tried(
            ec2.copy_snapshot, SourceSnapshotId=source, SourceRegion=REGION, **_under(own_key)
        )
        name = asked.answer["SnapshotId"] if asked.ok else ""
        (copy,) = ec2.describe_snapshots(SnapshotIds=[name])["Snapshots"]
        shown = ec2.describe_snapshots(SnapshotIds=[source])["Snapshots"][0]
        told.append(
            {
                "exception": not asked.ok,
                "source-key": shown["KmsKeyId"] != key,
                "state": copy["State"] == "error",
                "empty-id": not name,
            }
        )
    good, bad = told
    return Outcome(
        holds=bad[case] and not good[case],
        seen=f"For the copy that failed: {bad[case]}; for the one that succeeded: {good[case]}.",
    )


@proof("sharing-volume-vanished")
def volume_vanished(aws, case):
    """A completed copy; what is blamed happens; a volume is made from the copy, and looked for."""
    key, kms = _new_key(), boto3.client("kms")
    source = _snapshot(aws, **_under(key))
    _share(source, PARTNER)
    _let_in(key, aws)
    partner = _user(aws, "administrator", "*")
    ec2, own_key = partner.client("ec2"), _new_key(partner.client("kms"))
    copy = _copy(ec2, source, own_key)["SnapshotId"]
    if case == "rotated":
        kms.rotate_key_on_demand(KeyId=key)
    if case == "own-key-disabled":
        partner.client("kms").disable_key(KeyId=own_key)
    if case == "unshared":
        boto3.client("ec2").reset_snapshot_attribute(
            SnapshotId=source, Attribute="createVolumePermission"
        )
    if case == "another-user":
        ec2 = _user(aws, "restorer", "ec2:*", "kms:*").client("ec2")
    made = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=copy)
    found = tried(ec2.describe_volumes, VolumeIds=[made["VolumeId"]])
    return Outcome(
        holds=made["State"] == "creating" and found.code == "InvalidVolume.NotFound",
        seen=f"CreateVolume said {made['State']}; DescribeVolumes gave {found.code or 'it'}.",
    )


@proof("sharing-rds-restore")
def rds_restore(aws, case):
    """A shared, encrypted DB snapshot is used in the partner's account as proposed."""
    key, rds = _new_key(), boto3.client("rds")
    _let_in(key, aws)
    rds.create_db_instance(
        DBInstanceIdentifier="clinic",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="clinic",
        MasterUserPassword=os.urandom(16).hex(),
        StorageEncrypted=True,
        KmsKeyId=key,
    )
    made = rds.create_db_snapshot(DBInstanceIdentifier="clinic", DBSnapshotIdentifier="handover")
    arn = made["DBSnapshot"]["DBSnapshotArn"]
    share = {"DBSnapshotIdentifier": "handover", "AttributeName": "restore"}
    rds.modify_db_snapshot_attribute(**share, ValuesToAdd=[PARTNER])
    partner = _user(aws, "administrator", "*")
    theirs, source, codes = partner.client("rds"), arn, []
    if case == "public":
        asked = tried(rds.modify_db_snapshot_attribute, **share, ValuesToAdd=["all"])
        codes.append(f"ModifyDBSnapshotAttribute gave {asked.code or 'no error'}")
    if case.startswith("copy"):
        named = {"KmsKeyId": _new_key(partner.client("kms"))} if case == "copy-own-key" else {}
        copied = tried(
            theirs.copy_db_snapshot,
            SourceDBSnapshotIdentifier=arn,
            TargetDBSnapshotIdentifier="ours",
            **named,
        )
        source = "ours"
        codes.append(f"CopyDBSnapshot gave {copied.code or 'a copy'}")
    restored = tried(
        theirs.restore_db_instance_from_db_snapshot,
        DBInstanceIdentifier="ours",
        DBSnapshotIdentifier=source,
    )
    codes.append(f"the restore gave {restored.code or 'an instance'}")
    return Outcome(holds=restored.ok, seen="; ".join(codes) + ".")


@proof("sharing-image-launch")
def image_launch(aws, case):
    """Everything on the list is arranged but one thing, and a server is launched from the AMI."""
    ec2, key = boto3.client("ec2"), _new_key()
    root = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 15, **_under(key)}}
    made = ec2.run_instances(
        ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1, BlockDeviceMappings=[root]
    )
    image = ec2.create_image(InstanceId=made["Instances"][0]["InstanceId"], Name="records")
    image_id = image["ImageId"]
    partner = _user(aws, "administrator", "*")
    theirs = partner.client("ec2")
    (shown,) = ec2.describe_images(ImageIds=[image_id])["Images"]
    behind = shown["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    if case != "launch-permission":
        add = {"Add": [{"UserId": PARTNER}]}
        ec2.modify_image_attribute(ImageId=image_id, LaunchPermission=add)
    if case != "key-policy":
        _let_in(key, aws)
    if case != "volume-permission":
        _share(behind, PARTNER)
    own_key = None if case == "own-key" else _new_key(partner.client("kms"))
    if own_key and case != "snapshot-copy":
        _copy(theirs, behind, own_key)  # which may fail, for want of what is left out
    launched = tried(theirs.run_instances, ImageId=image_id, MinCount=1, MaxCount=1)
    state = launched.code
    if launched.ok:
        server = launched.answer["Instances"][0]["InstanceId"]
        found = theirs.describe_instances(InstanceIds=[server])["Reservations"][0]["Instances"]
        state = found[0]["State"]["Name"]
    return Outcome(holds=state != "running", seen=f"The launch ended in {state}.")


@proof("sharing-who-pays-and-sees")
def who_pays_and_sees(aws, case):
    """A snapshot is copied across accounts; then both trails and both bills are read."""
    key, owner = _new_key(), aws.account_id
    source = _snapshot(aws, **_under(key))
    _share(source, PARTNER)
    _let_in(key, aws)
    partner = _user(aws, "administrator", "*")
    kms = partner.client("kms")
    own_key = _new_key(kms)

    def paid(account):
        requests = [line for line in aws.meter.bill(account) if line.item == "KMS requests"]
        return sum(line.quantity for line in requests)

    before, at = (paid(owner), paid(PARTNER)), len(aws.trail)
    _copy(partner.client("ec2"), source, own_key)
    after = (paid(owner), paid(PARTNER))
    of_owner = aws.trail.events(service="kms", account=owner, after=at)
    of_partner = aws.trail.events(service="kms", account=PARTNER, after=at)
    caller = {event["userIdentity"].get("accountId") for event in of_owner}
    keys = {each["KeyArn"] for each in kms.list_keys()["Keys"]}
    came_true = {
        "owner-sees": PARTNER in caller
        and any(own["resources"][0]["ARN"] == key for own in of_owner),
        "caller-pays": after[0] == before[0] and after[1] > before[1],
        "plaintext": "plaintext" in json.dumps(of_partner).lower().replace("withoutplaintext", ""),
        "key-moved": key in keys,
        "reverse": any(own["resources"][0]["ARN"] == own_key for own in of_owner),
    }
    return Outcome(
        holds=came_true[case],
        seen=f"The owner's trail has {len(of_owner)} calls, by account {', '.join(caller)}; the "
        f"copy added {after[1] - before[1]} requests to the partner's bill and "
        f"{after[0] - before[0]} to the owner's.",
    )
