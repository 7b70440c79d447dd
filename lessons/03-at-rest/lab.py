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
# # Lab 03 · At rest
#
# The clinic has bought a dentist's practice next door. Nothing there was ever encrypted. You have until lunch.
#
# Six tasks, about 20 minutes. Replace each `...` with your code, run the cell, then run the check below it. A check says what
# is still missing; `lab.hint("volume")` gives a hint, and after an attempt `lab.solution("volume")` shows one solution. Any
# correct way passes.
#
# You can run any cell again at any time.

# %%
import boto3

from kmscourse import cloud, lab

aws = cloud.start(seed="03-at-rest-lab")
lab.begin("03-at-rest")

# %% [markdown]
# You are the account's administrator. This is the clinic's key, and what you will need to ask for things.

# %%
ec2, s3, rds, kms = (boto3.client(name) for name in ("ec2", "s3", "rds", "kms"))
key = kms.create_key(Description="the clinic's data at rest")["KeyMetadata"]["Arn"]

# %% [markdown]
# ## 1 · The server's disk
#
# The practice's server has a volume that is not encrypted. Return the id of a *new* volume with the same content, encrypted
# under the clinic's key, in the same Availability Zone (`AvailabilityZone` in `describe_volumes`).


# %% task="volume"
def encrypted_volume(ec2, volume_id, key):
    """The id of an encrypted volume with the content of another."""
    # begin solution
    old = ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]
    snapshot = ec2.create_snapshot(VolumeId=volume_id)["SnapshotId"]
    new = ec2.create_volume(
        AvailabilityZone=old["AvailabilityZone"],
        SnapshotId=snapshot,
        Encrypted=True,
        KmsKeyId=key,
    )
    return new["VolumeId"]
    # end solution


# %%
lab.check("volume")

# %% [markdown]
# ## 2 · The bucket for X-rays
#
# The practice uploads X-rays with a program that says nothing about encryption, and nobody can change the program. Set up the
# *bucket*, so that what is uploaded from now on lies there under the clinic's key. There are thousands a day: keep the calls
# to KMS few. Nothing needs to be returned.


# %% task="bucket"
def protect_bucket(s3, bucket, key):
    """Let a bucket encrypt new objects under a KMS key, with few calls to KMS."""
    # begin solution
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rule = {"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    # end solution


# %%
lab.check("bucket")

# %% [markdown]
# ## 3 · Who may look at them
#
# The dentist may *look at* the X-rays of one bucket that lie there under one key, and do nothing else. Return the IAM policy
# for that, as a dictionary. In AWS's words an object is `arn:aws:s3:::<bucket>/<key>`.


# %% task="reader"
def reader_policy(bucket, key):
    """An IAM policy: read a bucket's objects that are under a KMS key."""
    # begin solution
    look = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    open_ = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key}
    return {"Version": "2012-10-17", "Statement": [look, open_]}
    # end solution


# %%
lab.check("reader")

# %% [markdown]
# ## 4 · The database
#
# The practice's appointments are in an RDS instance that is not encrypted. Return the identifier of a new instance with the
# same rows, encrypted under the clinic's key. Choose names as you like.


# %% task="database"
def encrypted_database(rds, instance, key):
    """The identifier of an encrypted instance with the rows of another."""
    # begin solution
    plain, sealed, new = f"{instance}-plain", f"{instance}-sealed", f"{instance}-new"
    rds.create_db_snapshot(DBInstanceIdentifier=instance, DBSnapshotIdentifier=plain)
    rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier=plain, TargetDBSnapshotIdentifier=sealed, KmsKeyId=key
    )
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=new, DBSnapshotIdentifier=sealed)
    return new
    # end solution


# %%
lab.check("database")

# %% [markdown]
# ## 5 · The stolen drive
#
# One encrypted drive is missing. The insurance wants to know: who could open it? Show it for yourself. `disk` is what
# `aws.stored` gives for a volume; `disk.wrapped_key` and `disk.context` lie on it. Return the volume's data key, in plaintext.


# %% task="drive"
def data_key_of(kms, disk):
    """The data key of a volume, from what lies on its disk."""
    # begin solution
    answer = kms.decrypt(CiphertextBlob=disk.wrapped_key, EncryptionContext=disk.context)
    return answer["Plaintext"]
    # end solution


# %%
lab.check("drive")

# %% [markdown]
# ## 6 · The alarm button
#
# There was a break-in, and you disable the clinic's key. The practice's program has used all of these in the minute before:
#
# - `"volume"`: a volume under the key, attached to the running server,
# - `"x-ray"`: an object under SSE-KMS with the key, no Bucket Key,
# - `"poster"`: an object under SSE-S3,
# - `"password"`: a SecureString under the key, read with decryption,
# - `"secret"`: a secret of Secrets Manager under the key,
# - `"table"`: an item of a DynamoDB table under the key.
#
# Which can it still read in the minute *after*? Put a set of names into
# `still_readable`. The check does it and looks.

# %% task="alarm"
# begin solution
# stub: still_readable = ...  # {"volume", ...}
still_readable = {"volume", "poster", "table"}
# end solution

# %%
lab.check("alarm")

# %% [markdown]
# ## Where you are

# %%
lab.check()
