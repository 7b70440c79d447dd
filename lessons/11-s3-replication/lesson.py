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
# # 11 · S3 replication: the copy that was not there
#
# The clinic keeps a second copy of its records in an archive: another account, another Region. Replication is switched
# on and every upload answers 200. Then a Region fails, and the archive has the leaflets but not one patient record.
#
# You will
#
# 1. set up replication as most people do, and lose the encrypted records without a single error,
# 2. find the causes one at a time, from replication status and audit trail, in two accounts,
# 3. see what is replicated by kind of encryption, and what is left behind,
# 4. count what it costs in calls to KMS, and see what happens when KMS has enough.
#
# About 35 minutes, then a lab of 35.

# %% [markdown]
# ## Start the simulated AWS
#
# Nothing leaves your machine and nothing costs money. The helper below writes policies; a *trust policy* says who may
# take on a role. Here it is Amazon S3.

# %%
import json

import boto3

from kmscourse import cloud


# %%
def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


s3_may_assume = {
    "Effect": "Allow",
    "Principal": {"Service": "s3.amazonaws.com"},
    "Action": "sts:AssumeRole",
}

# %% [markdown]
# Two buckets with **versioning**, in two accounts and two Regions, and a role in the clinic's account. The seed makes the
# simulator invent the same ids each time.

# %%
aws = cloud.start(seed="11-s3-replication")
s3, kms, iam = (boto3.client(name) for name in ("s3", "kms", "iam"))
archive = aws.account("210987654321").session("root", region="eu-central-1")
archive_s3, archive_kms = archive.client("s3"), archive.client("kms")

s3.create_bucket(Bucket="clinic-records")
in_frankfurt = {"LocationConstraint": "eu-central-1"}
archive_s3.create_bucket(Bucket="clinic-archive", CreateBucketConfiguration=in_frankfurt)
versions = {"VersioningConfiguration": {"Status": "Enabled"}}
s3.put_bucket_versioning(Bucket="clinic-records", **versions)
archive_s3.put_bucket_versioning(Bucket="clinic-archive", **versions)
created = iam.create_role(RoleName="replicator", AssumeRolePolicyDocument=document(s3_may_assume))
role = created["Role"]["Arn"]

# %% [markdown]
# The record of patient 4711 is encrypted under a KMS key of the clinic (SSE-KMS). The leaflet is not secret; it gets
# what every object gets, SSE-S3.

# %%
records_key = kms.create_key(Description="patient records")["KeyMetadata"]["Arn"]
under_kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": records_key}
record = b'{"patient": "4711", "diagnosis": "type 2 diabetes"}'
leaflet = b"Opening hours: 8 to 18"

# %% [markdown]
# ## 1 · Break it
#
# **Replication** copies new objects to another bucket, by a *rule* on the source bucket and with a *role* that S3 takes on.
# The role may read here and write there:

# %%
source, copy = "arn:aws:s3:::clinic-records", "arn:aws:s3:::clinic-archive"
look = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
read = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl"]
write = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
may = {
    "look": {"Effect": "Allow", "Action": look, "Resource": source},
    "read": {"Effect": "Allow", "Action": read, "Resource": f"{source}/*"},
    "write": {"Effect": "Allow", "Action": write, "Resource": f"{copy}/*"},
}


# %%
def give_role(statements):
    policy = document(*statements.values())
    iam.put_role_policy(RoleName="replicator", PolicyName="replicate", PolicyDocument=policy)


give_role(may)

# %% [markdown]
# The archive belongs to another account, so its bucket policy has to let the role in.

# %% shows="11.two-accounts"
let_in = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": write, "Resource": f"{copy}/*"}
archive_s3.put_bucket_policy(Bucket="clinic-archive", Policy=document(let_in))["ResponseMetadata"][
    "HTTPStatusCode"
]

# %% [markdown]
# And the rule: everything, to the archive.

# %%
rule = {
    "ID": "to-the-archive",
    "Status": "Enabled",
    "Priority": 1,
    "Filter": {},
    "DeleteMarkerReplication": {"Status": "Disabled"},
    "Destination": {"Bucket": copy},
}


# %%
def apply(rule):
    configuration = {"Role": role, "Rules": [rule]}
    return s3.put_bucket_replication(
        Bucket="clinic-records", ReplicationConfiguration=configuration
    )["ResponseMetadata"]["HTTPStatusCode"]


apply(rule)

# %% [markdown]
# Upload both, and give replication its time: most objects are copied within 15 minutes.

# %% shows="11.what-replicates"
uploaded = [
    s3.put_object(Bucket="clinic-records", Key="leaflet", Body=leaflet),
    s3.put_object(Bucket="clinic-records", Key="4711", Body=record, **under_kms),
]
aws.clock.advance(minutes=15)
[answer["ResponseMetadata"]["HTTPStatusCode"] for answer in uploaded]

# %% [markdown]
# **Predict:** what is in the archive?

# %% shows="11.what-replicates"
[each["Key"] for each in archive_s3.list_objects_v2(Bucket="clinic-archive")["Contents"]]

# %% [markdown]
# The record is missing, and nothing has failed. Ask the source what it thinks: `HeadObject` tells the **replication
# status**.


# %% shows="11.find-the-cause"
def status(key, **how):
    return s3.head_object(Bucket="clinic-records", Key=key, **how).get("ReplicationStatus")


status("leaflet"), status("4711")

# %% [markdown]
# `COMPLETED`, and `None`: no status at all. Nobody tried. And if nobody tried, nothing is on the trail either:

# %% shows="11.find-the-cause"
aws.trail.events(user="replicator")

# %% [markdown]
# The role copied the leaflet, and never touched the record.
#
# ## 2 · Fix it, one cause at a time
#
# ### First cause: the rule does not speak of KMS
#
# Objects under KMS keys (SSE-KMS, DSSE-KMS) are left out unless the rule says so, in `SourceSelectionCriteria`. That is on
# purpose: the copy needs a key, and S3 will not choose one for you.
#
# **Predict:** switch it on, and say nothing of a key. Does S3 take the rule?

# %% tags=["raises-exception"] shows="11.sse-kms-switched-on"
rule["SourceSelectionCriteria"] = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
apply(rule)

# %% [markdown]
# It wants to know the key for the copies, `ReplicaKmsKeyID`: a symmetric KMS key in the Region of the *destination*. The
# archive makes one.

# %% shows="11.sse-kms-switched-on"
archive_key = archive_kms.create_key(Description="archive")["KeyMetadata"]["Arn"]
rule["Destination"]["EncryptionConfiguration"] = {"ReplicaKmsKeyID": archive_key}
apply(rule)

# %% [markdown]
# 200. But S3 has not looked at the key, nor at anybody's permissions; a key id with a typing error gets the same 200.
#
# Upload again, and wait again:


# %%
def send(key, **how):
    s3.put_object(Bucket="clinic-records", Key=key, Body=record, **{**under_kms, **how})
    at_once = status(key)
    aws.clock.advance(minutes=15)
    return at_once, status(key)


send("4711")

# %% [markdown]
# From `PENDING` to `FAILED`. That is progress: now somebody tried, and the trail knows what happened.

# %% [markdown]
# ### Second cause: the role may not decrypt
#
# What was refused? The records say it in AWS's words.


# %% shows="11.find-the-cause"
def refusals():
    found = aws.trail.events(user="replicator", service="kms", account=aws.account_id)
    return [event for event in found if "errorCode" in event]


last = refusals()[-1]
print(last["eventName"], "in", last["awsRegion"])
print(last["errorMessage"])

# %% [markdown]
# S3 decrypts the source with the role's permissions, in the source's Region. `no identity-based policy` names the document:
# the role's own. The condition `kms:ViaService` lets the role decrypt *through S3 there* only, and not by hand.

# %% shows="11.role-permissions"
may["decrypt"] = {
    "Effect": "Allow",
    "Action": "kms:Decrypt",
    "Resource": records_key,
    "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
}
give_role(may)

# %% [markdown]
# **Predict:** the cause is mended. Does the record from before go through now?

# %%
aws.clock.advance(minutes=60)
status("4711")

# %% [markdown]
# No. What failed for a missing permission is not tried again. It has to be uploaded once more:

# %%
send("4711")

# %% [markdown]
# ### Third cause: the archive's key does not know the role
#
# `FAILED` again. One call further:

# %% shows="11.find-the-cause"
last = refusals()[-1]
print(last["eventName"], "in", last["awsRegion"])
print(last["errorMessage"])

# %% [markdown]
# The copy is encrypted in the destination's Region, under the archive's key. Between accounts AWS's words stay vague, as
# the key is not yours. The simulator may say more: `explain` takes a record of the trail, and the view shows each policy
# that had a say.

# %% [markdown]
# ## 3 · Look inside
#
# Move with the arrow keys, open a layer with <kbd>Enter</kbd>. In how many documents is something missing, and whose are
# they?

# %% shows=["11.two-accounts", "11.find-the-cause"]
from kmscourse import views

views.DecisionView(aws.explain(last), title="Why was the copy not encrypted?")

# %% [markdown]
# Both sides. The *key policy* belongs to the archive's account, the *role's policy* to the clinic's. The archive goes
# first:

# %% shows="11.two-accounts"
key_policy = json.loads(archive_kms.get_key_policy(KeyId=archive_key)["Policy"])
clinic_encrypts = {
    "Sid": "ClinicReplicates",
    "Effect": "Allow",
    "Principal": {"AWS": role},
    "Action": "kms:Encrypt",
    "Resource": "*",
}
theirs = [each for each in key_policy["Statement"] if "Clinic" not in each.get("Sid", "")]
archive_kms.put_key_policy(KeyId=archive_key, Policy=document(*theirs, clinic_encrypts))[
    "ResponseMetadata"
]["HTTPStatusCode"]

# %% [markdown]
# `kms:Encrypt` and nothing else: the role writes into the archive and can never read from it.
#
# **Predict:** the archive has done its part. What now?

# %% shows="11.find-the-cause"
print(send("4711"))
print(refusals()[-1]["errorMessage"])

# %% [markdown]
# ### Fourth cause: the role may not encrypt
#
# The words have changed: now it is the identity-based policy, the clinic's side. The condition ties the permission to the
# archive's objects: S3 uses the object's ARN as *encryption context*.

# %% shows="11.role-permissions"
may["encrypt"] = {
    "Effect": "Allow",
    "Action": "kms:Encrypt",
    "Resource": archive_key,
    "Condition": {
        "StringEquals": {"kms:ViaService": "s3.eu-central-1.amazonaws.com"},
        "StringLike": {"kms:EncryptionContext:aws:s3:arn": f"{copy}/*"},
    },
}
give_role(may)
send("4711")

# %% [markdown]
# `COMPLETED`. What lies in the archive is a ciphertext of its own, under the archive's key:

# %% shows="11.role-permissions"
here, there = aws.stored("s3", "clinic-records", "4711"), aws.stored("s3", "clinic-archive", "4711")
print(here.key_arn, there.key_arn, sep="\n")
here.ciphertext == there.ciphertext

# %% shows="11.two-accounts"
replica = archive_s3.get_object(Bucket="clinic-archive", Key="4711")
replica["Body"].read() == record, replica["ReplicationStatus"]

# %% [markdown]
# The archive reads it without the clinic. By default a replica belongs to whoever owns the source object; new buckets own
# all that is in them (*Bucket owner enforced*). For an older archive bucket the rule has to say `AccessControlTranslation`.
#
# ### Four causes, four places
#
# | Status | Trail | Where to look |
# |---|---|---|
# | none | nothing | the rule: prefix, tags, `SseKmsEncryptedObjects`; or the object is older than the rule |
# | `PENDING` | nothing yet, or `ThrottlingException` | wait |
# | `FAILED` | `Decrypt` refused, source Region | the role's policy, the source's key policy, the key's state |
# | `FAILED` | `Encrypt` refused, destination Region | the role's policy, the policy, state and Region of the copies' key |
# | `FAILED` | `PutObject` refused, no KMS call | the role's policy, the destination's bucket policy |

# %% [markdown]
# ## 4 · What replicates, by kind of encryption
#
# Two more kinds. **DSSE-KMS** encrypts twice with KMS keys. With **SSE-C** the clinic sends its own key with each request, and
# S3 forgets it. New buckets refuse SSE-C until told otherwise:

# %%
import os

own_key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
allow_sse_c = {"Rules": [{"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}]}
s3.put_bucket_encryption(Bucket="clinic-records", ServerSideEncryptionConfiguration=allow_sse_c)[
    "ResponseMetadata"
]["HTTPStatusCode"]

# %%
put = {"Bucket": "clinic-records", "Body": record}
s3.put_object(Key="sse-s3", **put)
s3.put_object(Key="sse-kms", **put, **under_kms)
s3.put_object(Key="dsse-kms", **put, **under_kms | {"ServerSideEncryption": "aws:kms:dsse"})
s3.put_object(Key="sse-c", **put, **own_key)["SSECustomerAlgorithm"]

# %% [markdown]
# **Predict:** S3 does not have the key of the fourth object. Which of the four arrive?

# %% shows="11.what-replicates"
aws.clock.advance(minutes=15)
{
    **{key: status(key) for key in ("sse-s3", "sse-kms", "dsse-kms")},
    "sse-c": status("sse-c", **own_key),
}

# %% [markdown]
# Three arrive. The fourth fails, but not for its key: the *archive* is a new bucket and blocks SSE-C. Let it in, send it
# again:

# %% shows="11.what-replicates"
archive_s3.put_bucket_encryption(
    Bucket="clinic-archive", ServerSideEncryptionConfiguration=allow_sse_c
)
s3.put_object(Key="sse-c", **put, **own_key)
aws.clock.advance(minutes=15)
replica = archive_s3.get_object(Bucket="clinic-archive", Key="sse-c", **own_key)
status("sse-c", **own_key), replica["Body"].read() == record

# %% [markdown]
# SSE-C replicates as it is, needs no permission in KMS, and opens with the same key there. Each kind keeps its kind in the
# copy. Objects that are not encrypted at all replicate as well; there are none newer than January 2023.

# %% [markdown]
# ## 5 · What was there before
#
# **Predict:** an object is older than the rule. The rule is perfect. Does it arrive?

# %% shows="11.existing-objects"
s3.delete_bucket_replication(Bucket="clinic-records")
s3.put_object(Key="1998", **put, **under_kms)
apply(rule)
aws.clock.advance(days=7)
status("1998")

# %% [markdown]
# Never: replication looks at what is written from now on. On AWS, **S3 Batch Replication** copies what is older, and what has
# failed. (The simulator does not have it.) For a few objects, a copy onto itself does: it is a new version.

# %% shows="11.existing-objects"
itself = {"Bucket": "clinic-records", "Key": "1998"}
s3.copy_object(CopySource=itself, MetadataDirective="REPLACE", **itself, **under_kms)
aws.clock.advance(minutes=15)
status("1998")

# %% [markdown]
# ## 6 · Multi-Region keys
#
# The clinic tries to be clever: a **multi-Region key** has the same material in both Regions. Surely S3 now copies the
# ciphertext as it is, with no call to KMS?

# %%
primary = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
replicated = kms.replicate_key(KeyId=primary, ReplicaRegion="eu-central-1")
related = replicated["ReplicaKeyMetadata"]["Arn"]
both = {"decrypt": {**may["decrypt"], "Resource": primary}}
both["encrypt"] = {**may["encrypt"], "Resource": related}
give_role(may | both)
encryption = {"ReplicaKmsKeyID": related}
apply({**rule, "Destination": {"Bucket": copy, "EncryptionConfiguration": encryption}})

# %% [markdown]
# **Predict:** how many calls to KMS, and where?

# %% shows="11.multi-region-keys"
before = len(aws.trail)
send("4711", SSEKMSKeyId=primary)
calls = aws.trail.events(user="replicator", service="kms", after=before, account=aws.account_id)
[(call["eventName"], call["awsRegion"]) for call in calls]

# %% [markdown]
# As before: decrypted here, encrypted there. S3 treats related multi-Region keys as two keys. The role needs both
# permissions, and nothing is saved.
#
# Back to the archive's own key:

# %%
give_role(may)
apply(rule)

# %% [markdown]
# ## 7 · What it costs
#
# Replication calls KMS for each object, with your role: your bill, your quota.


# %% shows="11.calls-and-quotas"
def calls_to_kms(after):
    found = aws.trail.events(user="replicator", service="kms", after=after, account=aws.account_id)
    return [call["eventName"] for call in found]


before = len(aws.trail)
for number in range(10):
    s3.put_object(Key=f"scan-{number}", **put, **under_kms)
aws.clock.advance(minutes=15)
from collections import Counter

Counter(calls_to_kms(before))

# %% [markdown]
# Two for each. An **S3 Bucket Key** is a data key for the whole bucket, kept for a short time, from which S3 derives the keys of
# objects. `BucketKeyEnabled` switches it on for an upload.
#
# **Predict:** the permissions worked ten times. Do they work for an object under a Bucket Key?

# %% shows="11.bucket-keys"
before = len(aws.trail)
print(send("scan-10", BucketKeyEnabled=True))
print(refusals()[-1]["eventName"], refusals()[-1]["requestParameters"]["encryptionContext"])

# %% [markdown]
# Another operation, `GenerateDataKey`, and another context: the *bucket's* ARN, not the object's. So the role's condition no
# longer fits, and the archive's key policy does not allow it. Both sides once more:

# %% shows="11.bucket-keys"
bucket_key_calls = ["kms:GenerateDataKey", "kms:Decrypt"]
at_the_bucket = {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": copy}}
may["bucket key"] = {
    "Effect": "Allow",
    "Action": bucket_key_calls,
    "Resource": archive_key,
    "Condition": at_the_bucket,
}
give_role(may)

# %% shows="11.bucket-keys"
for_the_bucket = {
    **clinic_encrypts,
    "Sid": "ClinicUsesBucketKeys",
    "Action": bucket_key_calls,
    "Condition": at_the_bucket,
}
archive_kms.put_key_policy(
    KeyId=archive_key, Policy=document(*theirs, clinic_encrypts, for_the_bucket)
)["ResponseMetadata"]["HTTPStatusCode"]

# %% [markdown]
# **Predict:** ten scans again, all under Bucket Keys. How many calls?

# %% shows=["11.bucket-keys", "11.calls-and-quotas"]
before = len(aws.trail)
for number in range(10):
    s3.put_object(Key=f"scan-{number}", **put, **under_kms, BucketKeyEnabled=True)
aws.clock.advance(minutes=15)
print(Counter(status(f"scan-{number}") for number in range(10)))
Counter(calls_to_kms(before))

# %% [markdown]
# Three for ten scans. At the source one `Decrypt` opens the Bucket Key; at the destination `GenerateDataKey` makes another,
# and `Decrypt` opens it.
#
# One more thing changes. An **ETag** is S3's fingerprint of an object. With SSE-S3 it is the same at both ends; is it here?


# %% shows="11.bucket-keys"
def etags(key):
    at_source = s3.head_object(Bucket="clinic-records", Key=key)["ETag"]
    return at_source == archive_s3.head_object(Bucket="clinic-archive", Key=key)["ETag"]


etags("sse-s3"), etags("scan-1")

# %% [markdown]
# Under KMS keys the ETag is no fingerprint of the content. A job that compares ETags to find missing copies will find all
# of them different. Compare checksums or version ids.
#
# ### When KMS has enough
#
# KMS allows so many requests a second; above that it *throttles*. The real quota is in the thousands. Let it be two, to see
# it:

# %% shows="11.calls-and-quotas"
aws.quotas.off()  # the uploads are not what we look at
before = len(aws.trail)
for number in range(8):
    s3.put_object(Key=f"x-ray-{number}", **put, **under_kms)
aws.quotas.on(symmetric=2)
aws.clock.advance(minutes=15)
waiting = [status(f"x-ray-{number}") for number in (0, 7)]
waiting, len(aws.trail.events("Decrypt", error="ThrottlingException", after=before)) > 0

# %% [markdown]
# **Predict:** a missing permission ended in `FAILED`, for good. And this?

# %% shows="11.calls-and-quotas"
for _ in range(8):
    aws.clock.advance(seconds=1)
aws.quotas.off()
Counter(status(f"x-ray-{number}") for number in range(8))

# %% [markdown]
# Throttled objects stay `PENDING` and go through when KMS has time. If that is too late for you: Bucket Keys, or a higher
# quota.

# %% [markdown]
# ## On the exam, and today
#
# | Study notes and older questions | Today |
# |---|---|
# | Unencrypted and SSE-S3 objects are replicated by default | Still so. All new objects have been encrypted since January 2023 |
# | SSE-C objects are never replicated | They are, by default. But new buckets refuse SSE-C until it is allowed |
# | SSE-KMS: enable it, name a key for the target, adapt the key policy, give the role `kms:Decrypt` and `kms:Encrypt` | Still so, and the most asked. With Bucket Keys the context is the bucket's ARN; that `kms:GenerateDataKey` is then needed as well is our inference |
# | You may get throttling: ask for a higher quota | Still so. Bucket Keys come first |
# | Multi-Region keys: S3 treats them as independent keys, decrypts and encrypts | Still so |
# | Only new objects are replicated | S3 Batch Replication does the others |
#
# Where these come from:

# %%
from kmscourse import facts

facts.get("REP-02")

# %%
facts.get("REP-01")

# %%
facts.get("REP-08")

# %%
facts.get("REP-13")

# %% [markdown]
# ## What it cost
#
# The clinic's share and the archive's. Requests are paid by the account whose role makes them, even for a key of another
# account:

# %%
aws.meter.bill(aws.account_id)

# %%
aws.meter.bill("210987654321")

# %% [markdown]
# ## Lab
#
# Now you: type `course lab 11-s3-replication` in a terminal (*File, New, Terminal*). Seven tasks, each checked, each with
# hints.

# %% [markdown]
# ## Check yourself

# %%
from kmscourse import exam

exam.check_yourself("11-s3-replication")
