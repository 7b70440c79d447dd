# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 09 · Sharing snapshots: into another account, encrypted
#
# A hospital will go on treating the clinic's patients. It has an AWS account of its own, and it needs the clinic's archive:
# a disk, encrypted. In this lesson you hand it over, and take each wrong turn on the way.
#
# You will
#
# 1. read a backup that was shared with everyone by a slip,
# 2. try to share what lies under an AWS managed key,
# 3. go the five steps of the exam, and see what AWS says when one is left out,
# 4. cut the hospital off, and see why it should have made a copy,
# 5. do the same with a database and with a machine image.
#
# About 30 minutes, then a lab of 25.

# %% [markdown]
# ## Start the simulated AWS
#
# Two accounts this time. Plain `boto3` is the clinic's administrator, in account `123456789012`.

# %%
import json

import boto3

from kmscourse import cloud, views

aws = cloud.start(seed="09-sharing-snapshots")
ec2, kms = boto3.client("ec2"), boto3.client("kms")
record = b"patient 4711: type 2 diabetes"

# %% [markdown]
# The hospital's administrator is a user of account `222222222222`, and may do everything *there*. In real life this is
# another company, with its own people and its own bill.


# %%
def administrator(account_id):
    """A session of a user who may do everything in an account."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    account = aws.account(account_id)
    account.session("administrator")
    account.session("root").client("iam").put_user_policy(
        UserName="administrator",
        PolicyName="everything",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": everything}),
    )
    return account.session("administrator")


# %%
hospital = administrator("222222222222")
hospital_ec2, hospital_kms = hospital.client("ec2"), hospital.client("kms")

# %% [markdown]
# Two small helpers, for either account. A **volume** is a server's disk on Amazon EBS; to read it, it is attached to a
# server.


# %%
def new_server(ec2, **how):
    made = ec2.run_instances(ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1, **how)
    return made["Instances"][0]["InstanceId"]


def disk_of(ec2, volume):
    """A volume as a server sees it."""
    found = ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]
    if not found["Attachments"]:
        ec2.attach_volume(VolumeId=volume, InstanceId=new_server(ec2), Device="/dev/sdf")
    return aws.disk(volume)


# %% [markdown]
# ## 1 · Break it
#
# The archive's oldest disk was never encrypted. A **snapshot** is its backup, and a snapshot can be shared. Somebody was in
# a hurry, and shared it with `all`.

# %%
old = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
disk_of(ec2, old).write(0, record)
careless = ec2.create_snapshot(VolumeId=old)["SnapshotId"]
ec2.modify_snapshot_attribute(SnapshotId=careless, OperationType="add", GroupNames=["all"])[
    "ResponseMetadata"
]["HTTPStatusCode"]

# %% [markdown]
# **Predict:** somebody in a third account, whom nobody knows, finds the snapshot's id in a list. What do they need to read
# it?

# %%
stranger = administrator("999999999999").client("ec2")
loot = stranger.create_volume(AvailabilityZone="us-east-1a", SnapshotId=careless)["VolumeId"]
disk_of(stranger, loot).read(0, len(record))

# %% [markdown]
# Nothing but an account. Sharing is all there is between an unencrypted snapshot and the world. An account can close that
# door for a whole Region, by `EnableSnapshotBlockPublicAccess`; here nobody had.
#
# The clinic's archive proper is encrypted, if without much thought: nobody named a key, so it lies under the **AWS managed
# key** `aws/ebs`, which AWS makes for an account by itself.

# %%
archive = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, Encrypted=True)["VolumeId"]
disk_of(ec2, archive).write(0, record)

# %% [markdown]
# ## 2 · Five steps
#
# This view follows the archive's newest snapshot on its way to the hospital. It reads both accounts, and fills in as your
# cells run: keep it in sight. (*Right click, Create New View for Cell Output* puts it beside the notebook.)

# %%
views.SharingSteps(aws, archive, "222222222222", title="The archive on its way to the hospital")

# %% [markdown]
# ### Step 1: a snapshot, under your own key

# %%
default_key_snapshot = ec2.create_snapshot(VolumeId=archive)["SnapshotId"]

# %% [markdown]
# **Predict:** it is encrypted, and you own it. Can you share it with the hospital?

# %% tags=["raises-exception"] shows="09.not-aws-managed"
ec2.modify_snapshot_attribute(
    SnapshotId=default_key_snapshot, OperationType="add", UserIds=["222222222222"]
)

# %% [markdown]
# You cannot. To use the snapshot the hospital would need its key, and who may use a key stands in the **key policy**. Here is
# that of `aws/ebs`, the condition of its first statement:

# %%
default_key = kms.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["KeyId"]
default_policy = kms.get_key_policy(KeyId=default_key)["Policy"]
json.loads(default_policy)["Statement"][0]["Condition"]

# %% [markdown]
# Callers of the clinic's own account only, and only by way of EC2. **Predict:** then change the policy. Will KMS let the
# administrator?

# %% tags=["raises-exception"] shows="09.not-aws-managed"
kms.put_key_policy(KeyId=default_key, Policy=default_policy)

# %% [markdown]
# It is AWS's to manage. So what lies under it stays in the account, for ever.
#
# The way out is a copy under a key that *you* manage: a **customer managed key**. A copy may change the key.

# %% shows="09.own-key"
key = kms.create_key(Description="the archive's")["KeyMetadata"]["Arn"]
snapshot = ec2.copy_snapshot(
    SourceSnapshotId=default_key_snapshot, SourceRegion="us-east-1", Encrypted=True, KmsKeyId=key
)["SnapshotId"]
aws.stored("ebs", snapshot).key_arn == key

# %% [markdown]
# ### Out of order
#
# The hospital cannot wait. It has a key of its own ready, and copies.


# %%
def copy_at_hospital(ec2=hospital_ec2):
    """The hospital's copy of the archive: its id, and what came of it (state and reason)."""
    made = ec2.copy_snapshot(
        SourceSnapshotId=snapshot,
        SourceRegion="us-east-1",
        Encrypted=True,
        KmsKeyId=hospital_key,
    )["SnapshotId"]
    found = ec2.describe_snapshots(SnapshotIds=[made])["Snapshots"][0]
    return made, (found["State"], found.get("StateMessage"))


hospital_key = hospital_kms.create_key(Description="the hospital's")["KeyMetadata"]["Arn"]

# %% [markdown]
# **Predict:** neither step 2 nor step 3 was taken. At which call does the hospital get an error?

# %% shows="09.share"
_, came_of_it = copy_at_hospital()
came_of_it

# %% [markdown]
# At none. `CopySnapshot` gave an id, as if all were well, and the copy failed afterwards. Copying goes on after the answer;
# whoever does not look at the state believes in a backup that is not there.
#
# ### Step 3: share the snapshot

# %% shows="09.share"
ec2.modify_snapshot_attribute(SnapshotId=snapshot, OperationType="add", UserIds=["222222222222"])[
    "ResponseMetadata"
]["HTTPStatusCode"]

# %% [markdown]
# **Predict:** now the hospital sees it. Step 2 is still left out. What comes of the copy?

# %% shows="09.key-policy"
_, came_of_it = copy_at_hospital()
came_of_it

# %% [markdown]
# A snapshot and its key are two things, and sharing the one does not share the other. KMS's own words stand in the
# hospital's trail:

# %%
aws.trail.events(service="kms", account="222222222222", error="AccessDenied")[-1]["errorMessage"]

# %% [markdown]
# ### Step 2: the key policy
#
# The owner of a key says in its policy which account may use it. These five actions are what EC2 needs for a copy. By the
# second statement the hospital may make a **grant**, the right for somebody to use the key later, but only where an AWS
# service needs one for its work.


# %%
def for_the_hospital(sid, actions, **more):
    root = {"AWS": "arn:aws:iam::222222222222:root"}
    allow = {"Sid": sid, "Effect": "Allow", "Principal": root, "Action": actions, "Resource": "*"}
    return {**allow, **more}


use = for_the_hospital(
    "HospitalUsesTheKey",
    ["kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
)
only_for_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
lend = for_the_hospital("HospitalLendsItToEC2", "kms:CreateGrant", Condition=only_for_aws)

# %% shows="09.key-policy"
policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
kept = [each for each in policy["Statement"] if not each["Sid"].startswith("Hospital")]
policy["Statement"] = [*kept, use, lend]
kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))["ResponseMetadata"]["HTTPStatusCode"]

# %% [markdown]
# `root` means the account, and so lets the *hospital's* IAM policies decide who there may. **Predict:** a hospital's clerk
# may do everything in EC2, and nothing in KMS. Does the clerk's copy succeed?

# %%
clerk = aws.account("222222222222").session("clerk").client("ec2")
hospital.client("iam").put_user_policy(
    UserName="clerk",
    PolicyName="all-of-ec2",
    PolicyDocument=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"},
        }
    ),
)
_, came_of_it = copy_at_hospital(clerk)
came_of_it

# %% [markdown]
# Both sides have to agree: the clinic's key policy, and the hospital's own policy for its user.
#
# ### Step 4, left out
#
# **Predict:** all is shared now. Does the hospital need a copy at all, or can it make a volume from the shared snapshot?

# %%
direct = hospital_ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=snapshot)["VolumeId"]
disk_of(hospital_ec2, direct).read(0, len(record))

# %% [markdown]
# It can. Half a year later the two fall out, or the clinic just tidies up: it disables the key. The hospital's server needs a
# new disk from the archive.

# %% tags=["raises-exception", "moves-on"] shows="09.copy-under-own-key"
kms.disable_key(KeyId=key)
lost = hospital_ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=snapshot)["VolumeId"]
kms.enable_key(KeyId=key)
hospital_ec2.describe_volumes(VolumeIds=[lost])

# %% [markdown]
# `CreateVolume` said *creating*, and then there was no such volume. A snapshot that is only shared is the owner's, to the
# last day.
#
# ### Step 4: a copy, under a key of its own

# %% shows="09.copy-under-own-key"
copied, came_of_it = copy_at_hospital()
came_of_it

# %% [markdown]
# **Predict:** the clinic disables its key again, and withdraws the sharing, too. Can the hospital go on?
#
# ### Step 5: a volume from the copy

# %% shows="09.create-volume"
kms.disable_key(KeyId=key)
ec2.reset_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
volume = hospital_ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=copied)["VolumeId"]
disk_of(hospital_ec2, volume).read(0, len(record))

# %% [markdown]
# The hospital stands on its own. That is what the copy is for, and what the clinic has to know: it cannot take it back.
#
# One thing is left to go wrong: the hospital's own key.

# %% tags=["raises-exception", "moves-on"] shows="09.create-volume"
hospital_kms.disable_key(KeyId=hospital_key)
lost = hospital_ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=copied)["VolumeId"]
hospital_kms.enable_key(KeyId=hospital_key)
hospital_ec2.describe_volumes(VolumeIds=[lost])

# %% [markdown]
# ## 3 · Look inside
#
# Undo what the last cells did, and look at the two accounts as they are. Open a step with <kbd>Enter</kbd>: the calls
# behind it, from the trail. In step 4, look at the order: who asked for what, with whose key?

# %%
kms.enable_key(KeyId=key)
ec2.modify_snapshot_attribute(SnapshotId=snapshot, OperationType="add", UserIds=["222222222222"])
hospital_ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=copied)
views.SharingSteps(aws, archive, "222222222222", title="The archive in both accounts")

# %% [markdown]
# The clinic's own trail has what the hospital did with the clinic's key. AWS writes each such call down in both accounts:

# %%
used = aws.trail.events("CreateGrant", account="123456789012")
{event["userIdentity"]["accountId"] for event in used if "sharedEventID" in event}

# %% [markdown]
# ## 4 · A database goes the same way
#
# **Amazon RDS** runs databases; its snapshots are shared like those of disks, under other names. The clinic's appointments
# lie under the same key.

# %%
import os
from contextlib import suppress

rds, hospital_rds = boto3.client("rds"), hospital.client("rds")
with suppress(rds.exceptions.DBInstanceAlreadyExistsFault):
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

# %%
database = aws.database("clinic", account="123456789012")
database.execute("CREATE TABLE IF NOT EXISTS patients (id TEXT PRIMARY KEY)")
database.execute("INSERT OR REPLACE INTO patients VALUES ('4711')")
database.commit()
with suppress(rds.exceptions.DBSnapshotAlreadyExistsFault):
    rds.create_db_snapshot(DBInstanceIdentifier="clinic", DBSnapshotIdentifier="handover")
rds.modify_db_snapshot_attribute(
    DBSnapshotIdentifier="handover", AttributeName="restore", ValuesToAdd=["222222222222"]
)["DBSnapshotAttributesResult"]["DBSnapshotAttributes"]

# %% [markdown]
# **Predict:** with EBS the hospital could use the shared snapshot without a copy. Can it restore this one?

# %% tags=["raises-exception"] shows="09.rds-and-images"
shared = "arn:aws:rds:us-east-1:123456789012:snapshot:handover"
hospital_rds.restore_db_instance_from_db_snapshot(
    DBInstanceIdentifier="appointments", DBSnapshotIdentifier=shared
)

# %% [markdown]
# RDS does not even let it try: an encrypted snapshot that is shared has to be copied first, under a key that the copy names.

# %% shows="09.rds-and-images"
with suppress(hospital_rds.exceptions.DBSnapshotAlreadyExistsFault):
    hospital_rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier=shared,
        TargetDBSnapshotIdentifier="our-copy",
        KmsKeyId=hospital_key,
    )
with suppress(hospital_rds.exceptions.DBInstanceAlreadyExistsFault):
    hospital_rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="appointments", DBSnapshotIdentifier="our-copy"
    )
aws.database("appointments", account="222222222222").execute("SELECT * FROM patients").fetchall()

# %% [markdown]
# ## 5 · A machine image, too
#
# An **AMI**, an Amazon Machine Image, is what servers are started from: some settings, and a snapshot of the root disk. The
# clinic makes one of its records server, whose root disk is under its key.

# %%
root_disk = {
    "DeviceName": "/dev/sda1",
    "Ebs": {"VolumeSize": 15, "Encrypted": True, "KmsKeyId": key},
}
server = new_server(ec2, BlockDeviceMappings=[root_disk])
on_it = [{"Name": "attachment.instance-id", "Values": [server]}]
disk_of(ec2, ec2.describe_volumes(Filters=on_it)["Volumes"][0]["VolumeId"]).write(0, record)
image = ec2.create_image(InstanceId=server, Name="records-server")["ImageId"]
ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": "222222222222"}]})[
    "ResponseMetadata"
]["HTTPStatusCode"]

# %% [markdown]
# The permission is called *launch*, and it does not need the image's snapshot to be shared. It does need the key; the
# hospital may use that already.

# %% shows="09.rds-and-images"
started = hospital_ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]
its_root = started["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
aws.disk(its_root).read(0, len(record))

# %% [markdown]
# **Predict:** launching is permitted. Is copying the image, to stand on its own, permitted with it?

# %% tags=["raises-exception"] shows="09.rds-and-images"
copy = {"SourceImageId": image, "SourceRegion": "us-east-1", "Name": "our-server"}
copy |= {"Encrypted": True, "KmsKeyId": hospital_key}
hospital_ec2.copy_image(**copy)

# %% [markdown]
# To copy is to read the storage. So for a copy the snapshot behind the image has to be shared after all: step 3 again.

# %% shows="09.rds-and-images"
behind = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]
ec2.modify_snapshot_attribute(
    SnapshotId=behind["SnapshotId"], OperationType="add", UserIds=["222222222222"]
)
ours = hospital_ec2.copy_image(**copy)["ImageId"]
hospital_ec2.describe_images(ImageIds=[ours])["Images"][0]["State"]

# %% [markdown]
# ## On the exam, and today
#
# | Study notes say | Today |
# |---|---|
# | Snapshot with your own KMS key, key policy, share, copy in the target, volume from the copy | Still the five steps, and still in this order on exams |
# | "CMK" | *Customer managed key*. It was once short for customer master key, the old name of all KMS keys |
# | Attach a key policy for cross-account access | Still so; five actions, and `kms:CreateGrant` best with `kms:GrantIsForAWSResource` |
# | Copy it in the target | EBS would work without; RDS refuses without; copy in both cases |
# | An AWS managed key cannot be used for this | Still so. Copy the snapshot under a customer managed key first |
#
# A question that names *another Region* has one more turn: snapshots belong to a Region, so it is copied there first, under
# a key of that Region.
#
# Where these come from:

# %%
from kmscourse import facts

facts.get("EBS-01")

# %%
facts.get("EBS-02")

# %%
facts.get("RDS-04")

# %%
facts.get("EBS-09")

# %% [markdown]
# ## What it cost
#
# Who pays for a call to KMS? Whoever makes it, whosever key it is. The clinic's bill, and the hospital's:

# %%
aws.meter.bill("123456789012")

# %%
aws.meter.bill("222222222222")

# %% [markdown]
# ## Lab
#
# Now you: type `course lab 09-sharing-snapshots` in a terminal (*File, New, Terminal*). Six tasks, each checked, each with
# hints.

# %% [markdown]
# ## Check yourself

# %%
from kmscourse import exam

exam.check_yourself("09-sharing-snapshots")
