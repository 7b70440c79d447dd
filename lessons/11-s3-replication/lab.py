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
# # Lab 11 · S3 replication
#
# The clinic's radiology copies its scans to the university hospital: another account, another Region. Whoever set it up
# has left, and most scans do not arrive. Seven tasks, about 35 minutes. Replace each `...` with your code, run the cell, then
# run the check below it. `lab.hint("report")` gives a hint, and after an attempt `lab.solution("report")` shows one
# solution. Any correct way passes.
#
# A check builds a replication of its own, across two accounts, with your piece in it, uploads scans, and lets 15 minutes
# pass. You can run any cell again at any time.

# %%
from kmscourse import cloud, lab

aws = cloud.start(seed="11-s3-replication-lab")
lab.begin("11-s3-replication")

# %% [markdown]
# ## 1 · What has not arrived?
#
# For each object of the source bucket that is not (yet) in the copy, report its replication status: `"FAILED"`, `"PENDING"`,
# or `"none"` where it has none. Ask the source only; leave out what has arrived.


# %% task="report"
def not_arrived(s3, bucket):
    """A dictionary from the key of each object that has not arrived to its status."""
    # begin solution
    found = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for each in page.get("Contents", []):
            head = s3.head_object(Bucket=bucket, Key=each["Key"])
            status = head.get("ReplicationStatus", "none")
            if status != "COMPLETED":
                found[each["Key"]] = status
    return found
    # end solution


# %%
lab.check("report")

# %% [markdown]
# ## 2 · The rule
#
# This rule replicates everything that is not encrypted under a KMS key:


# %%
def simple_rule(copy_bucket):
    return {
        "ID": "to-the-university",
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{copy_bucket}"},
    }


# %% [markdown]
# Return a rule that also replicates what *is* encrypted under KMS keys. `replica_key` is the ARN of the hospital's key. The
# copies are to belong to the hospital, whose account id is `owner`: in the `Destination` stand
# `"AccessControlTranslation": {"Owner": "Destination"}` and, beside it, `Account`.


# %% task="rule"
def full_rule(copy_bucket, replica_key, owner):
    """A rule for all objects, whose copies belong to the owner of the destination."""
    # begin solution
    rule = simple_rule(copy_bucket)
    rule["SourceSelectionCriteria"] = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    rule["Destination"] |= {
        "EncryptionConfiguration": {"ReplicaKmsKeyID": replica_key},
        "Account": owner,
        "AccessControlTranslation": {"Owner": "Destination"},
    }
    return rule
    # end solution


# %%
lab.check("rule")

# %% [markdown]
# ## 3 · What the role needs in KMS
#
# Return the *statements* (a list) that let the role decrypt with the source's key and encrypt with the replica's, each only
# through S3 in the key's Region (`kms:ViaService`), and nothing else. Key ARNs name their Region:
# `arn:aws:kms:us-east-1:...`. The two keys may be related multi-Region keys.


# %% task="role"
def kms_statements(source_key, replica_key):
    """The statements about KMS in the policy of the replication role: a list."""

    # begin solution
    def allow(action, key):
        region = key.split(":")[3]
        through = {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}}
        return {"Effect": "Allow", "Action": action, "Resource": key, "Condition": through}

    return [allow("kms:Decrypt", source_key), allow("kms:Encrypt", replica_key)]
    # end solution


# %%
lab.check("role")

# %% [markdown]
# ## 4 · The hospital's side
#
# Return the key policy (a dictionary) of the hospital's key. The hospital's account (its root ARN) manages and uses the key.
# The clinic's replication role may encrypt with it, and nothing more; nobody else at the clinic may do anything.


# %% task="key-policy"
def hospital_key_policy(hospital_account, role_arn):
    """The key policy of the replica key, as a dictionary."""
    # begin solution
    hospital = {"AWS": f"arn:aws:iam::{hospital_account}:root"}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": hospital, "Action": "kms:*", "Resource": "*"},
            {
                "Effect": "Allow",
                "Principal": {"AWS": role_arn},
                "Action": "kms:Encrypt",
                "Resource": "*",
            },
        ],
    }
    # end solution


# %%
lab.check("key-policy")

# %% [markdown]
# ## 5 · One cause at a time
#
# You get the replication status of a scan (`None` where it has none) and the *refused* records of the trail about it, in
# order. In which document is the cause? Answer `"rule"`, `"role policy"`, `"key policy"`, `"bucket policy"`, or `"key"` (the key
# itself: disabled, or not there), or `"wait"`.
#
# A record has an `eventName`, an `eventSource` (`kms.amazonaws.com`, `s3.amazonaws.com`), an `errorCode`, and an `errorMessage` in
# AWS's words: `... because no identity-based policy allows ...`, or `... no resource-based policies allow access ...`.


# %% task="cause"
def where_to_look(status, refused):
    """The document that keeps a scan from arriving."""
    # begin solution
    if status is None:
        return "rule"
    if status == "PENDING":
        return "wait"
    first = refused[0]
    if first["errorCode"] != "AccessDenied":
        return "key"
    if "identity-based" in first["errorMessage"]:
        return "role policy"
    return "key policy" if first["eventSource"].startswith("kms") else "bucket policy"
    # end solution


# %%
lab.check("cause")

# %% [markdown]
# ## 6 · Once more, please
#
# The set-up is mended. What failed, and what is older than the rule, stays behind all the same. Send these objects again,
# and only these: copy each onto itself, encrypted as it was, with its metadata. The scans lie under a KMS key, some leaflets
# under SSE-S3.


# %% task="again"
def send_again(s3, bucket):
    """Copy onto itself each object that failed, or that no rule has seen. Returns nothing."""
    # begin solution
    for key, status in not_arrived(s3, bucket).items():
        if status == "PENDING":
            continue
        head = s3.head_object(Bucket=bucket, Key=key)
        how = {"ServerSideEncryption": head["ServerSideEncryption"]}
        if "SSEKMSKeyId" in head:
            how["SSEKMSKeyId"] = head["SSEKMSKeyId"]
        itself = {"Bucket": bucket, "Key": key}
        s3.copy_object(CopySource=itself, **itself, **how)
    # end solution


# %%
lab.check("again")

# %% [markdown]
# ## 7 · Fewer calls
#
# The hospital's bucket gets a Bucket Key, and its key policy is prepared for it. Return the one statement that the *role* needs
# on top: under a Bucket Key S3 calls `GenerateDataKey` and `Decrypt` at the destination, with the destination bucket's ARN as the
# encryption context `aws:s3:arn`. Allow it for this context only.


# %% task="bucket-key"
def bucket_key_statement(replica_key, copy_bucket):
    """The statement that lets the role replicate under a Bucket Key."""
    # begin solution
    at_the_bucket = {"kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{copy_bucket}"}
    return {
        "Effect": "Allow",
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
        "Resource": replica_key,
        "Condition": {"StringEquals": at_the_bucket},
    }
    # end solution


# %%
lab.check("bucket-key")

# %% [markdown]
# ## Where you are

# %%
lab.check()
