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
# # Lab 09 · Sharing snapshots
#
# After a break-in next door the clinic wants its backups where nobody who works in its account can delete them: in a second
# account, the *vault*. You write what the nightly job will run.
#
# Six tasks, about 25 minutes. Replace each `...` with your code, run the cell, then run the check below it. A check says what
# is still missing; `lab.hint("policy")` gives a hint, and after an attempt `lab.solution("policy")` shows one solution. Any
# correct way passes.
#
# You can run any cell again at any time.

# %%
import json

import boto3

from kmscourse import cloud, lab

aws = cloud.start(seed="09-sharing-snapshots-lab")
lab.begin("09-sharing-snapshots")

# %% [markdown]
# Plain `boto3` is the clinic's administrator. The vault's administrator may do everything in account `333333333333`.

# %%
VAULT = "333333333333"
everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
vault = aws.account(VAULT).session("administrator")
aws.account(VAULT).session("root").client("iam").put_user_policy(
    UserName="administrator",
    PolicyName="everything",
    PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": everything}),
)
vault_key = vault.client("kms").create_key(Description="the vault's")["KeyMetadata"]["Arn"]

# %% [markdown]
# ## 1 · The key policy
#
# Return the key policy of the clinic's backup key, as a dictionary:
#
# - the clinic's own account (its `root`) may do everything with it,
# - the vault's account may use it for copies of snapshots: `kms:DescribeKey`, `kms:Decrypt`, `kms:GenerateDataKey*`,
#   `kms:ReEncrypt*`, and `kms:CreateGrant`, but that one *only for AWS resources*. It may do nothing else.


# %% task="policy"
def backup_key_policy(clinic, vault):
    """A key policy, for two account ids."""

    # begin solution
    def allow(account, actions, **more):
        principal = {"AWS": f"arn:aws:iam::{account}:root"}
        statement = {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*"}
        return {**statement, **more}

    use = ["kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    for_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    grants = allow(vault, "kms:CreateGrant", Condition=for_aws)
    return {
        "Version": "2012-10-17",
        "Statement": [allow(clinic, "kms:*"), allow(vault, use), grants],
    }
    # end solution


# %%
lab.check("policy")

# %% [markdown]
# The rest of the lab uses this key, so that you can go on even if task 1 is still open.


# %%
def may(account, *actions):
    root = {"AWS": f"arn:aws:iam::{account}:root"}
    named = [f"kms:{each}" for each in actions]
    return {"Effect": "Allow", "Principal": root, "Action": named, "Resource": "*"}


use = ["DescribeKey", "Decrypt", "GenerateDataKey*", "ReEncrypt*", "CreateGrant"]
both = [may(aws.account_id, "*"), may(VAULT, *use)]
policy = json.dumps({"Version": "2012-10-17", "Statement": both})
backup_key = boto3.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]

# %% [markdown]
# ## 2 · Share it
#
# Tonight's snapshots are encrypted, some under the clinic's backup key and some under the AWS managed key, for nobody named
# one. Return the id of a snapshot with the same content that is under `key` and *shared with the target account*.


# %% task="share"
def share_snapshot(ec2, snapshot_id, key, target):
    """The id of a snapshot under a key, shared with another account."""
    # begin solution
    shared = ec2.copy_snapshot(
        SourceSnapshotId=snapshot_id, SourceRegion="us-east-1", Encrypted=True, KmsKeyId=key
    )["SnapshotId"]
    ec2.modify_snapshot_attribute(SnapshotId=shared, OperationType="add", UserIds=[target])
    return shared
    # end solution


# %%
lab.check("share")

# %% [markdown]
# ## 3 · Take it over
#
# The vault's side: copy the shared snapshot under the vault's own key, and return the copy's id. A copy can fail *after* the
# answer: if it did, raise an error instead of returning an id, for example `raise RuntimeError("the copy failed")`.


# %% task="copy"
def take_over(ec2, snapshot_id, key):
    """The id of a completed copy of a shared snapshot, under a key of one's own."""
    # begin solution
    copy = ec2.copy_snapshot(
        SourceSnapshotId=snapshot_id, SourceRegion="us-east-1", Encrypted=True, KmsKeyId=key
    )["SnapshotId"]
    found = ec2.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]
    if found["State"] == "error":
        raise RuntimeError(found["StateMessage"])
    return copy
    # end solution


# %%
lab.check("copy")

# %% [markdown]
# ## 4 · The fire drill
#
# A backup is good if a volume can be made from it. Make one in the Availability Zone, and return its id, if it is really
# there; else let an error out.


# %% task="drill"
def volume_from(ec2, snapshot_id, zone):
    """The id of a volume made from a snapshot, looked up once more."""
    # begin solution
    made = ec2.create_volume(AvailabilityZone=zone, SnapshotId=snapshot_id)["VolumeId"]
    return ec2.describe_volumes(VolumeIds=[made])["Volumes"][0]["VolumeId"]
    # end solution


# %%
lab.check("drill")

# %% [markdown]
# ## 5 · The database
#
# The clinic has shared an encrypted DB snapshot with the vault. From its ARN, make an instance in the vault that stands on
# its own, under the vault's key. Return its identifier; choose names as you like (the last part of the ARN is the snapshot's
# name).


# %% task="database"
def take_over_database(rds, snapshot_arn, key):
    """The identifier of an instance made from a shared DB snapshot."""
    # begin solution
    name = snapshot_arn.split(":")[-1]
    rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier=snapshot_arn,
        TargetDBSnapshotIdentifier=f"{name}-copy",
        KmsKeyId=key,
    )
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=f"{name}-db", DBSnapshotIdentifier=f"{name}-copy"
    )
    return f"{name}-db"
    # end solution


# %%
lab.check("database")

# %% [markdown]
# ## 6 · Why did it fail?
#
# At night nobody reads error messages. From the clinic's side, say which of *its* steps is missing for a snapshot: `1` (not
# under a customer managed key), `2` (the key policy does not name the target account), `3` (not shared with it), or `None`.
# The first that is missing counts.
#
# Useful: `describe_snapshots` (`KmsKeyId`, absent where nothing is encrypted), `describe_snapshot_attribute` with `Attribute="createVolumePermission"`;
# `describe_key` (`KeyManager`), `get_key_policy`.


# %% task="missing"
def missing_step(ec2, kms, snapshot_id, target):
    """The first of the owner's three steps that is missing: 1, 2, 3 or None."""
    # begin solution
    found = ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
    key = found.get("KmsKeyId")
    if key is None or kms.describe_key(KeyId=key)["KeyMetadata"]["KeyManager"] != "CUSTOMER":
        return 1
    if target not in kms.get_key_policy(KeyId=key)["Policy"]:
        return 2
    permissions = ec2.describe_snapshot_attribute(
        SnapshotId=snapshot_id, Attribute="createVolumePermission"
    )["CreateVolumePermissions"]
    return None if {"UserId": target} in permissions else 3
    # end solution


# %%
lab.check("missing")

# %% [markdown]
# ## Where you are

# %%
lab.check()
