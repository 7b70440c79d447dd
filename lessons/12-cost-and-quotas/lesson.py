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
# # 12 · Cost and quotas
#
# Encryption with KMS costs twice: in dollars, a little for each key and each request, and in *requests a second*, of
# which AWS lets you make so many and no more. The clinic learns about both on the same night.
#
# You will
#
# 1. bring the emergency room to a halt with an import,
# 2. try again later, as a program should,
# 3. do the same work with a fraction of the requests,
# 4. reckon a bill by hand, and let a meter check it on calls that were really made,
# 5. move every lever in the cost explorer, and find where two designs break even.
#
# About 35 minutes, then a lab of 30.

# %% [markdown]
# ## Start the simulated AWS
#
# Nothing leaves your machine, and nothing costs money. The *seed* makes the simulator's ids the same in each run.
# With a seed its clock stands still, and each request takes one second of it.

# %%
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from kmscourse import cloud, facts

aws = cloud.start(seed="12-cost-and-quotas")
kms = boto3.client("kms")
s3 = boto3.client("s3")

# %% [markdown]
# The clinic has one **KMS key**. It encrypts the allergies of patient 4711, which the emergency room reads, and it
# encrypts the *bucket* in which Amazon S3 keeps the scans. The bucket's default is SSE-KMS: S3 asks KMS for a *data
# key* for each object.

# %%
key = kms.create_key(Description="the clinic's key")["KeyMetadata"]["Arn"]
s3.create_bucket(Bucket="clinic-scans")
allergies = kms.encrypt(KeyId=key, Plaintext=b"4711: penicillin")["CiphertextBlob"]


# %%
def encrypt_bucket(bucket_key):
    how = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rule = {"ApplyServerSideEncryptionByDefault": how, "BucketKeyEnabled": bucket_key}
    s3.put_bucket_encryption(
        Bucket="clinic-scans", ServerSideEncryptionConfiguration={"Rules": [rule]}
    )


encrypt_bucket(bucket_key=False)

# %% [markdown]
# ## 1 · Break it
#
# Each account has a **request quota** in each Region: how many requests a second KMS takes from it. All cryptographic
# operations with symmetric keys share one.

# %%
facts.request_quota("symmetric", region="us-east-1"), facts.request_quota("symmetric")

# %% [markdown]
# A notebook is too slow to reach that. So we lower the quota until a loop of ours is too fast for it: one request in
# two seconds.

# %%
aws.quotas.on(symmetric=0.5)

# %% [markdown]
# The night's import: eleven scans, one a second. boto3 tries again by itself when it is refused; this client is told
# not to, so that we see what AWS answers.

# %%
impatient = Config(retries={"total_max_attempts": 1})
nightly = boto3.client("s3", config=impatient)


def import_scans(names):
    refused = {}
    for name in names:
        try:
            nightly.put_object(Bucket="clinic-scans", Key=name, Body=b"a scan")
        except ClientError as error:
            refused[name] = error.response["Error"]["Code"]
    return refused


# %% [markdown]
# **Predict:** twice as fast as the quota allows. How many of the eleven scans are stored?

# %% tags=["moves-on"] shows="12.quotas"
lost = import_scans(f"night-{number}" for number in range(11))
lost

# %% [markdown]
# Every second scan is lost. That is **throttling**: an otherwise good request is turned away because there were too
# many. `SlowDown` is how S3 says that KMS throttled it.
#
# **Predict:** at the same moment the emergency room asks for the allergies of 4711. It is another program, it asks
# once, and it asks KMS itself. Does it get them?

# %% shows="12.quotas" tags=["raises-exception"]
emergency_room = boto3.client("kms", config=impatient)
aws.quotas.on(symmetric=0.5)  # from a quiet moment on
import_scans(["night-11"])
emergency_room.decrypt(CiphertextBlob=allergies)

# %% [markdown]
# It does not. The quota belongs to the account in that Region, not to a program. What S3 asks on your behalf counts, too.

# %% [markdown]
# ## 2 · Fix it for now: ask again later
#
# A throttled request may be sent again. boto3 does so unless it is told not to. It says afterwards how often it had to;
# the first of these two calls uses up what the quota has left.

# %%
kms.encrypt(KeyId=key, Plaintext=b"x")
answer = kms.decrypt(CiphertextBlob=allergies)
answer["Plaintext"], answer["ResponseMetadata"]["RetryAttempts"]

# %% [markdown]
# What it does between two attempts is **exponential backoff**: wait up to a second, then up to two, up to four. The
# length is left to chance (**jitter**), or all who were refused together would come back together.

# %%
import random


def with_backoff(call, wait, **request):
    for attempt in range(5):
        if attempt:
            wait(random.uniform(0, 2 ** (attempt - 1)))
        try:
            return call(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("ThrottlingException", "SlowDown"):
                raise
            refused = error  # Python forgets `error` at the end of its block
    raise refused


# %% [markdown]
# On AWS, `wait` is `time.sleep`. Here the clock stands still, so waiting is moving it.


# %%
def wait(seconds):
    aws.clock.advance(seconds=seconds)


# %% [markdown]
# **Predict:** the lost scans once more, at the same quota, now with patience. How many are refused for good?

# %% shows="12.quotas"
for name in lost:
    with_backoff(nightly.put_object, wait, Bucket="clinic-scans", Key=name, Body=b"a scan")
stored = [each["Key"] for each in s3.list_objects_v2(Bucket="clinic-scans")["Contents"]]
[name for name in lost if name not in stored]

# %% [markdown]
# None: all eleven are there. Patience cures a peak. If the import is *always* faster than the quota, the queue only grows, and
# every retry is one more request. Then there are two ways: ask AWS for a higher quota, or ask KMS less often.

# %% [markdown]
# ## 3 · Fix it for good: ask less
#
# Each scan had a data key of its own from KMS. With an S3 **Bucket Key**, S3 asks KMS once for a key of the bucket's,
# keeps it for a short while, and makes the data keys of the objects itself.

# %%
encrypt_bucket(bucket_key=True)

# %% [markdown]
# **Predict:** eleven scans again, one a second, without any patience, at the same quota. How many are refused? How many
# requests does KMS get?

# %% tags=["moves-on"] shows="12.bucket-keys"
before = aws.meter.requests()
refused = import_scans(f"morning-{number}" for number in range(11))
len(refused), aws.meter.requests() - before

# %% [markdown]
# One request for eleven scans. AWS speaks of up to 99 percent less. The price of it: what the trail shows of KMS no longer
# names the object, since the *encryption context* is the bucket's. And objects from before stay as they were.

# %%
for name in ("night-0", "morning-0"):
    print(aws.stored("s3", "clinic-scans", name).context)

# %% [markdown]
# A Bucket Key helps S3 only. A program that encrypts on its own has **data key caching**: the AWS Encryption SDK uses
# one data key for several messages, within limits that you set. Lesson 05 looks inside.

# %%
import logging

logging.getLogger("aws_encryption_sdk").addHandler(logging.NullHandler())

import aws_encryption_sdk as sdk

provider = sdk.StrictAwsKmsMasterKeyProvider(
    key_ids=[key], botocore_session=aws.session("learner")._session
)
caching = sdk.CachingCryptoMaterialsManager(
    master_key_provider=provider,
    cache=sdk.LocalCryptoMaterialsCache(capacity=10),
    max_age=300.0,
    max_messages_encrypted=10,
)

# %% [markdown]
# **Predict:** thirty letters, at most ten under one data key. How many requests?

# %% shows="12.caching"
client = sdk.EncryptionSDKClient()
aws.quotas.off()
before = aws.meter.requests()
for _ in range(30):
    client.encrypt(source=b"a letter", materials_manager=caching)
aws.meter.requests() - before

# %% [markdown]
# Both levers have the same price: whoever gets hold of one key in memory opens everything under it. Set the limits as
# high as the quota and the bill need, and no higher.

# %% [markdown]
# ## 4 · Reckon a bill
#
# Now the dollars. A month of its own, in an account of its own: start afresh.

# %%
aws = cloud.start(seed="12-cost-and-quotas-bill")
kms = boto3.client("kms")
facts.price("kms.key.month")

# %% [markdown]
# A key costs by the month, prorated by the hour, whether it is used or not: symmetric or asymmetric, made by KMS or
# imported. A **replica key**, of a multi-Region key, is a key on the bill.
#
# The clinic makes three: one with a replica in Europe, one to sign with, and one for imported material.

# %%
records = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
kms.replicate_key(KeyId=records, ReplicaRegion="eu-west-1")
signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
imported = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]

# %% [markdown]
# Then it rotates the key of the records three times. KMS takes some minutes for each rotation. It keeps the old
# material, which costs as well: the first and the second rotation add a dollar a month each, later ones nothing. Related
# keys rotate together.

# %%
for _ in range(3):
    kms.rotate_key_on_demand(KeyId=records)
    aws.clock.advance(minutes=21)

# %% [markdown]
# **Predict:** before the meter says it, write it down. How many dollars a month for these keys?

# %%
keys = 1 + 1 + 1 + 1
rotated = 2 * (1 + 1)
keys + rotated

# %% [markdown]
# Four keys, the replica being one. Two rotations that count, each at the primary and at the replica.
#
# ### Requests, by kind
#
# The study notes have one price. There are five kinds of request, and four prices.

# %%
{
    name.removeprefix("kms.request."): f"${facts.price(name).value} per {facts.price(name).per:,}"
    for name in facts.prices()
    if name.startswith("kms.request")
}

# %% [markdown]
# **Predict:** a hundred times `Encrypt`, twenty signatures with the key on an elliptic curve, two RSA data key pairs.
# Which of the three costs most?

# %% tags=["moves-on"] shows="12.price-of-requests"
for _ in range(100):
    kms.encrypt(KeyId=records, Plaintext=b"x")
for _ in range(20):
    kms.sign(KeyId=signing, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")
for _ in range(2):
    kms.generate_data_key_pair(KeyId=records, KeyPairSpec="RSA_2048")
aws.meter.bill()

# %% [markdown]
# The two pairs cost several times as much as the hundred requests before them would, and those are free: more of that
# below. The keys have only just begun to cost.
#
# ### A month passes
#
# Beside the keys stands a password in AWS Secrets Manager, and a second one in Parameter Store, as a SecureString of
# the standard tier. Neither names a key, so each is under an **AWS managed key**.

# %%
import contextlib

secrets = boto3.client("secretsmanager")
with contextlib.suppress(secrets.exceptions.ResourceExistsException):
    secrets.create_secret(Name="ward/database", SecretString="hunter2")

# %%
mail = {"Name": "/ward/mail", "Value": "hunter3", "Type": "SecureString"}
boto3.client("ssm").put_parameter(**mail, Overwrite=True)["Tier"]

# %% [markdown]
# We take a month as 730 hours, a twelfth of a year. The first of them has passed already.

# %% tags=["moves-on"] shows="12.price-of-keys"
aws.clock.advance(hours=729)
aws.meter.bill()

# %% [markdown]
# The keys are what you reckoned, but for the minutes. Dearer than all requests is what stands: keys, old material,
# secrets. They cost while everybody sleeps.
#
# ### What is free
#
# Three things cost nothing here. The **free tier**: so many requests a month, in all Regions together; requests with
# asymmetric keys and data key pairs are left out of it (this is partly from memory, as the figure says). The two AWS
# managed keys: no monthly fee, but their requests count. And the standard parameter.

# %% shows="12.free"
# AWS lists the names of its managed keys before it makes them: those have no target yet.
managed = [each["AliasName"] for each in kms.list_aliases()["Aliases"] if "TargetKeyId" in each]
managed, facts.limit("kms.free-tier.requests")

# %% [markdown]
# Each line of the bill knows where its price comes from.

# %%
print(aws.meter.bill()[0].source)

# %% [markdown]
# ## 5 · Look inside: which design?
#
# The clinic grows. It writes 100,000 objects a month, and reads 900,000. Two proposals are on the table:
#
# - **one key** for everything, and no Bucket Key,
# - **a key for each of five departments**, and Bucket Keys: one request for a hundred objects (`reuse`).
#
# A *design* is reckoned without running it, from the same prices.

# %%
from kmscourse.cloud.estimate import Design, break_even

work = {"writes": 100_000, "reads": 900_000}
one_key = Design(keys=1, encryption="SSE-KMS", **work)
five_keys = Design(keys=5, encryption="SSE-KMS with a Bucket Key", reuse=100, **work)
one_key.bill()

# %% [markdown]
# **Predict:** five keys cost four dollars more, and save requests. The first 20,000 are free anyway. From how many objects
# a month on are the five keys the cheaper? Reckon it: how many requests cost four dollars?

# %% shows="12.reckon-a-bill"
price = facts.price("kms.request.symmetric")
by_hand = 20_000 + 4 / (price.value / price.per)
round(by_hand), break_even(one_key, five_keys)

# %% [markdown]
# That is the **break-even**: below it the one design is cheaper, above it the other. The second figure is the first
# whole number of objects above it.
#
# Now move everything: the sliders answer at once. Which design is cheaper today? What dominates each? What does one
# rotation do to them? What would Bucket Keys do for the one key?

# %%
from kmscourse import views

views.CostExplorer(one_key, five_keys, names=("One key", "Five keys"))

# %% [markdown]
# **Predict:** the cheapest of all is SSE-S3, with no KMS key and no request. What does the clinic lose by it? Think before
# you read on.

# %% [markdown]
# Set the select of one design to SSE-S3 and look at the bill, then think of the other lessons: no key policy that refuses
# an administrator, no entry of KMS in the trail for each scan that is read, no key to disable. A bill has no line for these.

# %% [markdown]
# ## On the exam, and today
#
# | Study notes and older questions say | Today |
# |---|---|
# | Customer managed keys cost $1 a month, imported ones too | Still so, for each replica as well. Rotated material adds $1 a month for the first and for the second rotation, and nothing after |
# | API calls cost $0.03 per 10,000 | With symmetric and RSA_2048 keys. Other asymmetric keys cost $0.15, ECC data key pairs $0.10, RSA data key pairs $12 |
# | AWS managed keys are free | No monthly fee; their requests are charged like others |
# | The quota is 5,500 to 50,000 requests a second | 10,000 to 100,000 since July 2024. Older questions have the old numbers; the answer (Bucket Keys, caching, backoff, a higher quota) is the same |
#
# Where these come from:

# %%
facts.get("PRI-02")

# %%
facts.get("PRI-04")

# %%
facts.get("QUO-01")

# %% [markdown]
# ## Lab
#
# Now you: type `course lab 12-cost-and-quotas` in a terminal (*File, New, Terminal*). Six tasks, each checked, each with
# hints.

# %% [markdown]
# ## Check yourself

# %%
from kmscourse import exam

exam.check_yourself("12-cost-and-quotas")
