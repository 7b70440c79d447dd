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
# # 03 · At rest: what lies on the disk
#
# A patient's record lies still for most of its life: on a server's disk, in a file store, in a database. In this lesson you
# read those disks, as the clinic that wrote them and as a stranger who carries them away.
#
# You will
#
# 1. read a record off a disk that nobody encrypted,
# 2. let six AWS services encrypt, and look at what then lies there,
# 3. see which calls to KMS each write and each read makes,
# 4. encrypt what has lain there unencrypted for years,
# 5. disable one key, and watch who loses what, and when.
#
# About 40 minutes, then a lab of 20.

# %% [markdown]
# ## Start the simulated AWS
#
# From here on `boto3` talks to a simulated AWS inside this notebook. Nothing leaves your machine and nothing costs money.

# %%
import json

import boto3

from kmscourse import cloud, views

aws = cloud.start(seed="03-at-rest")
ec2 = boto3.client("ec2")
kms = boto3.client("kms")
record = json.dumps({"patient": "4711", "diagnosis": "type 2 diabetes"}).encode()

# %% [markdown]
# ## 1 · Break it
#
# The clinic rents a server from Amazon EC2; AWS calls it an **instance**. Its disk is a **volume** of Amazon EBS: a piece of
# AWS's drives, reached over AWS's network.

# %%
launched = ec2.run_instances(ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)
server = launched["Instances"][0]["InstanceId"]


def attach_new_volume(device, **how):
    """A new volume of 1 GiB, attached to the clinic's server."""
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, **how)["VolumeId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=server, Device=device)
    return volume


# %% [markdown]
# `aws.disk(volume)` is the disk as the server sees it. The server writes the record and reads it back.

# %%
open_volume = attach_new_volume("/dev/sdf")
aws.disk(open_volume).write(0, record)
aws.disk(open_volume).read(0, len(record))

# %% [markdown]
# Years later the drive is taken out of its rack, and it falls into a stranger's hands. `aws.stored` shows what they hold.
#
# **Predict:** the clinic has passwords, a firewall, and nobody else may log in to the server. What can the stranger read?

# %%
aws.stored("ebs", open_volume)

# %% [markdown]
# Everything, with no password asked: a drive has no login. The backup is no better. A **snapshot** is a copy of a volume at
# one moment, and it is what leaks in practice, shared with the wrong account by a slip.

# %%
open_backup = ec2.create_snapshot(VolumeId=open_volume)["SnapshotId"]
b"diabetes" in bytes(aws.stored("ebs", open_backup))

# %% [markdown]
# ## 2 · Fix it: an encrypted volume
#
# The clinic makes a **KMS key**, which never leaves the key service AWS KMS, and asks EBS to encrypt with it.

# %% shows=["03.ebs", "03.after-receiving"]
key = kms.create_key(Description="the clinic's data at rest")["KeyMetadata"]["Arn"]
before = len(aws.trail)
volume = attach_new_volume("/dev/sdg", Encrypted=True, KmsKeyId=key)
aws.disk(volume).write(0, record)
aws.disk(volume).read(0, len(record))

# %% [markdown]
# **Predict:** the server writes plaintext and reads plaintext, as before. What does the stranger find now?

# %% shows="03.data-key-on-disk"
aws.stored("ebs", volume)

# %% [markdown]
# This is **server-side encryption**: the service encrypts *after* it has received the data, and decrypts *before* it sends
# them. The program on the server did not change.
#
# On the disk lie two things. The sectors, encrypted by a **data key** that belongs to this volume alone. And the data key
# itself, *wrapped*: encrypted by the KMS key. The *context* is bound to the wrapped key: which volume it is for.
#
# Who unwrapped it? The audit trail, CloudTrail, knows.

# %% shows=["03.server-needs-the-key", "03.services"]
aws.trail.events(service="kms", after=before)

# %% [markdown]
# When the volume was *created*, EBS had a data key made that nobody saw in plaintext. When it was *attached*, you allowed EBS
# to use the KMS key, by a **grant**, and EBS had the data key unwrapped, in a role of its own.
#
# So the keys are managed somewhere, by KMS, and the server has access to them. It must have; else it could not decrypt.
#
# **Predict:** the server now writes a hundred records. How many more calls to KMS?

# %%
before = len(aws.trail)
for sector in range(1, 101):
    aws.disk(volume).write(sector * 4096, record)
len(aws.trail.events(service="kms", after=before))

# %% [markdown]
# The data key stays in the memory of the machine under the server as long as the volume is attached. Remember this; it
# returns in part 8.
#
# A snapshot of an encrypted volume is encrypted. It takes the same ciphertext and the same wrapped key along.

# %%
backup = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
aws.stored("ebs", backup).wrapped_key == aws.stored("ebs", volume).wrapped_key

# %% [markdown]
# ### The volume from before
#
# An existing volume cannot be encrypted where it lies. The way leads over a snapshot: an encrypted volume made from it.

# %% shows="03.ebs"
moved = ec2.create_volume(
    AvailabilityZone="us-east-1a", SnapshotId=open_backup, Encrypted=True, KmsKeyId=key
)["VolumeId"]
[record in bytes(aws.stored("ebs", each)) for each in (open_volume, moved)]

# %% [markdown]
# The first is still there, and still readable. Copying is half of the work; deleting the old volume *and* the old snapshot is
# the other half.
#
# ### Encryption by default
#
# A switch that nobody has to remember: **EBS encryption by default**. It belongs to one account in one Region.

# %%
ec2.modify_ebs_default_kms_key_id(KmsKeyId=key)
ec2.enable_ebs_encryption_by_default()["EbsEncryptionByDefault"]

# %% [markdown]
# **Predict:** the next volume does not say `Encrypted`. Will it be? And will the old one, now? And one in Ireland?

# %% shows="03.ebs"
ireland = boto3.client("ec2", region_name="eu-west-1")
new = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)
old = ec2.describe_volumes(VolumeIds=[open_volume])["Volumes"][0]
far = ireland.create_volume(AvailabilityZone="eu-west-1a", Size=1)
{"new": new["Encrypted"], "old": old["Encrypted"], "Ireland": far["Encrypted"]}

# %% [markdown]
# ## 3 · Amazon S3: four kinds
#
# S3 keeps *objects* in *buckets*. The clinic puts one there and says nothing about encryption.

# %%
s3 = boto3.client("s3")
s3.create_bucket(Bucket="clinic-records")


def put(name, **encryption):
    return s3.put_object(Bucket="clinic-records", Key=name, Body=record, **encryption)


def get(name, **key):
    return s3.get_object(Bucket="clinic-records", Key=name, **key)["Body"].read()


# %%
put("sse-s3")["ServerSideEncryption"]

# %% [markdown]
# Encrypted all the same. `AES256` is how the API spells **SSE-S3**: the keys are S3's own, you never see them, and nobody
# can switch it off.
#
# **SSE-KMS** uses your KMS key. **DSSE-KMS** encrypts twice, one layer over the other; some rules demand that.

# %% shows="03.s3-choices"
put("sse-kms", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
put("dsse-kms", ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId=key)
get("sse-kms") == get("dsse-kms") == record

# %% [markdown]
# The fourth is **SSE-C**: the customer brings the key with each request. S3 encrypts with it and forgets it.
#
# **Predict:** study notes list SSE-C as one of four, ready to use. What does a bucket say that was made today?

# %% tags=["raises-exception"]
import os

own_key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
put("sse-c", **own_key)

# %% [markdown]
# Since April 2026 new buckets block it: with SSE-C, whoever uploads an object decides who will ever read it, and no policy
# of yours can open it again. Who really wants it, unblocks it for this bucket.

# %% shows="03.s3-choices"
rule = {
    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
    "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]},
}
s3.put_bucket_encryption(
    Bucket="clinic-records", ServerSideEncryptionConfiguration={"Rules": [rule]}
)
put("sse-c", **own_key)["SSECustomerAlgorithm"]

# %% [markdown]
# **Predict:** you own the bucket, and you are the account's administrator. Can you read the object without the key?

# %% tags=["raises-exception"]
get("sse-c")

# %%
get("sse-c", **own_key) == record

# %% [markdown]
# Lose that key, and the object is lost. Here are the disks of all four. The small function only makes a table.

# %%
from IPython.display import Markdown


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return Markdown("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines))


# %% shows="03.data-key-on-disk"
kinds = ["sse-s3", "sse-kms", "dsse-kms", "sse-c"]
disks = {kind: aws.stored("s3", "clinic-records", kind) for kind in kinds}
table(
    ["kind", "record readable", "wrapped data keys", "your KMS key", "of a key you sent"],
    [
        [
            kind,
            record in bytes(disk),
            len(disk.wrapped_keys),
            disk.key_arn == key,
            "a salted HMAC" if disk.customer_key_check else "nothing",
        ]
        for kind, disk in disks.items()
    ],
)

# %% [markdown]
# For SSE-C, S3 keeps only a *salted HMAC*, a fingerprint by which it knows the right key again.
#
# **Predict:** which of the four asks KMS when it is written? And when it is read?


# %% shows=["03.s3-choices", "03.services"]
def kms_calls(do, *given, **named):
    """The names of the calls to KMS that something makes."""
    before = len(aws.trail)
    do(*given, **named)
    events = aws.trail.events(service="kms", after=before)
    return ", ".join(sorted({event["eventName"] for event in events})) or "none"


encryption = {
    "sse-s3": ({}, {}),
    "sse-kms": ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}, {}),
    "dsse-kms": ({"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": key}, {}),
    "sse-c": (own_key, own_key),
}

# %%
table(
    ["kind", "writing asks KMS for", "reading asks KMS for"],
    [
        [kind, kms_calls(put, kind, **written), kms_calls(get, kind, **read)]
        for kind, (written, read) in encryption.items()
    ],
)

# %% [markdown]
# That is more than bookkeeping. A call to KMS is a call that can be refused, and recorded.
#
# A *nurse* may read objects: one **IAM policy**, a document that says what a user may do. It says nothing about KMS.

# %%
reads = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::clinic-records/*"}
nurse = aws.session("nurse").client("s3")
boto3.client("iam").put_user_policy(
    UserName="nurse",
    PolicyName="read-objects",
    PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": reads}),
)["ResponseMetadata"]["HTTPStatusCode"]

# %% [markdown]
# **Predict:** both objects are encrypted. Does the nurse get the one under SSE-S3? And the one under SSE-KMS?

# %% shows="03.before-sending"
nurse.get_object(Bucket="clinic-records", Key="sse-s3")["Body"].read()

# %% tags=["raises-exception"] shows="03.before-sending"
nurse.get_object(Bucket="clinic-records", Key="sse-kms")["Body"].read()

# %% [markdown]
# S3 decrypts before it sends, for whoever may ask. With SSE-S3 that is whoever may read the object. With SSE-KMS the reader
# also needs `kms:Decrypt` on the key; the writer needs `kms:GenerateDataKey`.

# %% [markdown]
# ## 4 · The bucket decides: default encryption and Bucket Keys
#
# A bucket's **default encryption** applies where a request says nothing.

# %%
by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}


def set_default(bucket_key):
    rule = {"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": bucket_key}
    s3.put_bucket_encryption(
        Bucket="clinic-records", ServerSideEncryptionConfiguration={"Rules": [rule]}
    )


# %% [markdown]
# **Predict:** afterwards, what does the object from this morning say, and what the same record uploaded now?

# %% shows="03.bucket-defaults"
set_default(bucket_key=False)
this_morning = s3.head_object(Bucket="clinic-records", Key="sse-s3")["ServerSideEncryption"]
this_morning, put("today")["ServerSideEncryption"]

# %% [markdown]
# A default is for new objects. For those that lie there, S3 has a call of its own, new in its API: the data key is wrapped
# anew, and no byte of the object is copied.

# %%
s3.update_object_encryption(
    Bucket="clinic-records",
    Key="sse-s3",
    ObjectEncryption={"SSEKMS": {"KMSKeyArn": key, "BucketKeyEnabled": False}},
)
s3.head_object(Bucket="clinic-records", Key="sse-s3")["ServerSideEncryption"]

# %% [markdown]
# Now the other side of asking KMS each time: each request costs, and counts against a quota. The laboratory uploads fifty
# results.


# %%
def fifty_uploads():
    before = len(aws.trail)
    for number in range(50):
        put(f"result-{number}")
    return len(aws.trail.events(service="kms", after=before))


fifty_uploads()

# %% [markdown]
# An **S3 Bucket Key** stands between: KMS makes one key for the bucket, and for a short while S3 makes the objects' data keys
# under it, by itself.
#
# **Predict:** fifty uploads, with a Bucket Key. How many calls to KMS?

# %% tags=["moves-on"] shows="03.bucket-defaults"
set_default(bucket_key=True)
fifty_uploads()

# %% [markdown]
# The price of it stands on the disk, in the context: KMS now hears of the bucket only, no longer of the object. So its records
# can no longer say which object was read.

# %%
(
    aws.stored("s3", "clinic-records", "sse-kms").context,
    aws.stored("s3", "clinic-records", "result-1").context,
)

# %% [markdown]
# ## 5 · Amazon RDS: the database that was never encrypted
#
# **Amazon RDS** runs databases. Somebody made the clinic's without a word about encryption. `aws.database` is a session to
# it; behind it is SQLite, a real database.

# %%
from contextlib import suppress

rds = boto3.client("rds")
with suppress(rds.exceptions.DBInstanceAlreadyExistsFault):
    rds.create_db_instance(
        DBInstanceIdentifier="clinic",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="clinic",
        MasterUserPassword=os.urandom(16).hex(),
    )
rds.describe_db_instances(DBInstanceIdentifier="clinic")["DBInstances"][0]["StorageEncrypted"]

# %%
database = aws.database("clinic")
database.execute("CREATE TABLE IF NOT EXISTS patients (id TEXT PRIMARY KEY, diagnosis TEXT)")
database.execute("INSERT OR REPLACE INTO patients VALUES ('4711', 'type 2 diabetes')")
database.commit()
b"type 2 diabetes" in bytes(aws.stored("rds", "clinic"))

# %% [markdown]
# **Predict:** then switch encryption on. Is there a parameter for it? The red box that follows is long; read its first line.

# %% tags=["raises-exception"]
rds.modify_db_instance(DBInstanceIdentifier="clinic", StorageEncrypted=True)

# %% [markdown]
# There is none: AWS's own description of this call, which boto3 checks against, does not know the word. An instance is
# encrypted when it is created, or never.
#
# So it is created again, from a copy. *Snapshot*, *encrypted copy*, *restore*: three calls, in this order. On AWS each has to
# wait until the one before is done; here nothing takes time.

# %% shows="03.rds"
with suppress(rds.exceptions.DBSnapshotAlreadyExistsFault):
    rds.create_db_snapshot(DBInstanceIdentifier="clinic", DBSnapshotIdentifier="clinic-plain")
with suppress(rds.exceptions.DBSnapshotAlreadyExistsFault):
    rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier="clinic-plain",
        TargetDBSnapshotIdentifier="clinic-sealed",
        KmsKeyId=key,
    )
with suppress(rds.exceptions.DBInstanceAlreadyExistsFault):
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="clinic-sealed", DBSnapshotIdentifier="clinic-sealed"
    )

# %%
aws.database("clinic-sealed").execute("SELECT * FROM patients").fetchall()

# %%
aws.stored("rds", "clinic-sealed")

# %% [markdown]
# It is a *new* database: at a new address, and as old as the snapshot. Whoever plans this plans a pause in writing. And the
# old one is still there:

# %% shows="03.rds"
for name in ("clinic", "clinic-plain", "clinic-sealed"):
    print(f"{name:14}", b"type 2 diabetes" in bytes(aws.stored("rds", name)))

# %% [markdown]
# ## 6 · Secrets: Parameter Store and Secrets Manager
#
# The application needs the database's password. **Parameter Store**, a part of AWS Systems Manager (SSM), keeps values under
# a name. A `String` lies there as it is. A `SecureString` is encrypted.

# %% shows="03.services"
ssm = boto3.client("ssm")
ssm.put_parameter(Name="/clinic/note", Value="tulip-4711", Type="String", Overwrite=True)
ssm.put_parameter(
    Name="/clinic/password", Value="tulip-4711", Type="SecureString", KeyId=key, Overwrite=True
)
[b"tulip" in aws.stored("ssm", name).ciphertext for name in ("/clinic/note", "/clinic/password")]

# %% [markdown]
# **Predict:** an administrator reads the `SecureString` and forgets `WithDecryption=True`. An error, or an answer?

# %%
answer = ssm.get_parameter(Name="/clinic/password")["Parameter"]["Value"]
answer == "tulip-4711", len(answer)

# %% [markdown]
# The ciphertext, and nobody asked KMS. With `WithDecryption=True` the caller needs `kms:Decrypt`, as with S3.
#
# **AWS Secrets Manager** keeps secrets, too. It always encrypts, and it can change a password by itself, on a
# schedule.

# %%
secrets = boto3.client("secretsmanager")
with suppress(secrets.exceptions.ResourceExistsException):
    secrets.create_secret(Name="clinic/password", SecretString="tulip-4711", KmsKeyId=key)
secrets.get_secret_value(SecretId="clinic/password")["SecretString"]

# %% [markdown]
# **Predict:** a password has ten bytes, and KMS encrypts up to 4,096 itself. Does each of these two have a data key, or does
# the KMS key encrypt the value directly? Look at what they ask for when they write.


# %%
def write_parameter(tier):
    ssm.put_parameter(
        Name=f"/clinic/{tier}",
        Value="tulip-4711",
        Type="SecureString",
        KeyId=key,
        Tier=tier,
        Overwrite=True,
    )


def write_secret():
    secrets.put_secret_value(SecretId="clinic/password", SecretString="tulip-4711")


# %% shows="03.services"
table(
    ["written", "asks KMS for"],
    [
        ["SecureString, standard", kms_calls(write_parameter, "Standard")],
        ["SecureString, advanced", kms_calls(write_parameter, "Advanced")],
        ["secret", kms_calls(write_secret)],
    ],
)

# %% [markdown]
# A standard `SecureString` is KMS's own ciphertext, with no data key. So *usually* it is a data key, and not always. The advanced
# one is larger, and gets one. What lies there is a message of the AWS Encryption SDK, so we can open its layers. Move with
# the arrow keys.

# %%
views.Envelope(aws.stored("ssm", "/clinic/Advanced").ciphertext)

# %% [markdown]
# ## 7 · Amazon DynamoDB: always encrypted, but by whose key?
#
# **Amazon DynamoDB** keeps items in tables. Every table is encrypted, and there is no switch. What can be chosen is the kind
# of key: an **AWS owned key**, which no account sees (the default); the AWS managed key `aws/dynamodb`; or your own.

# %%
dynamodb = boto3.client("dynamodb")
shape = {
    "AttributeDefinitions": [{"AttributeName": "patient", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "patient", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def make_table(name, **encryption):
    with suppress(dynamodb.exceptions.ResourceInUseException):
        dynamodb.create_table(TableName=name, **shape, **encryption)


# %%
def visits(name, count):
    for number in range(count):
        item = {"patient": {"S": str(4711 + number)}, "diagnosis": {"S": "type 2 diabetes"}}
        dynamodb.put_item(TableName=name, Item=item)


# %% shows="03.dynamodb"
make_table("visits")
own = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
make_table("visits-own-key", SSESpecification=own)
visits("visits", 3)
visits("visits-own-key", 3)
[aws.stored("dynamodb", name).encryption for name in ("visits", "visits-own-key")]

# %% [markdown]
# **Predict:** fifty writes to the table under your own key. How many calls to KMS: fifty, or fewer?

# %% shows="03.dynamodb"
aws.clock.advance(minutes=10)
before = len(aws.trail)
visits("visits-own-key", 50)
[event["eventName"] for event in aws.trail.events(service="kms", after=before)]

# %% [markdown]
# One. The KMS key wraps a *table key*, which wraps the key of the items, and DynamoDB remembers the table key for about five
# minutes. In the table under the AWS owned key you would find none: nobody's trail shows what nobody's account owns.
#
# ### All disks, side by side

# %% shows=["03.data-key-on-disk", "03.services"]
shelves = {
    "EBS volume": aws.stored("ebs", volume),
    "S3, SSE-KMS": aws.stored("s3", "clinic-records", "sse-kms"),
    "RDS": aws.stored("rds", "clinic-sealed"),
    "Parameter Store": aws.stored("ssm", "/clinic/password"),
    "Secrets Manager": aws.stored("secretsmanager", "clinic/password"),
    "DynamoDB": aws.stored("dynamodb", "visits-own-key"),
}
secrets_in_it = [record, b"type 2 diabetes", b"tulip-4711"]

# %%
table(
    ["disk", "a secret in it", "KMS key", "bound to (context)"],
    [
        [
            name,
            any(secret in bytes(disk) for secret in secrets_in_it),
            "yours" if disk.key_arn == key else "another",
            ", ".join(disk.context),
        ]
        for name, disk in shelves.items()
    ],
)

# %% [markdown]
# Six services, one pattern, one key, one trail. That is why "encryption" in an AWS question nearly always means KMS.

# %% [markdown]
# ## 8 · The key is disabled
#
# The server must have access to the key. So whoever can take the key away can take the data away, from everyone at once.
# That is an alarm button, and an accident waiting.

# %%
one_patient = {"patient": {"S": "4711"}}
readings = {
    "EBS, attached volume": lambda: aws.disk(volume).read(0, len(record)),
    "S3, SSE-KMS": lambda: get("sse-kms"),
    "S3, SSE-C": lambda: get("sse-c", **own_key),
    "RDS": lambda: aws.database("clinic-sealed").execute("SELECT * FROM patients"),
    "SecureString": lambda: ssm.get_parameter(Name="/clinic/password", WithDecryption=True),
    "Secrets Manager": lambda: secrets.get_secret_value(SecretId="clinic/password"),
    "DynamoDB, your key": lambda: dynamodb.get_item(TableName="visits-own-key", Key=one_patient),
    "DynamoDB, AWS owned key": lambda: dynamodb.get_item(TableName="visits", Key=one_patient),
}


# %%
def outcome(read):
    try:
        read()
    except Exception as error:
        said = getattr(error, "response", {"Error": {"Code": str(error).split(" is ")[-1]}})
        return said["Error"]["Code"]
    return "reads"


# %% [markdown]
# **Predict:** before you run the next cell, go through the eight lines. Who still reads at once after the key was disabled?
# Who ten minutes later? And who again, as soon as it is enabled?

# %% tags=["moves-on"] shows="03.server-needs-the-key"
now = {name: outcome(read) for name, read in readings.items()}
kms.disable_key(KeyId=key)
disabled = {name: outcome(read) for name, read in readings.items()}
aws.clock.advance(minutes=10)
later = {name: outcome(read) for name, read in readings.items()}
kms.enable_key(KeyId=key)
again = {name: outcome(read) for name, read in readings.items()}
table(
    ["", "before", "disabled", "10 minutes later", "enabled again"],
    [[name, now[name], disabled[name], later[name], again[name]] for name in readings],
)

# %% [markdown]
# Three kinds of losing:
#
# - **At once:** S3 and both stores of secrets, which ask KMS for each reading. Here RDS as well; on AWS it may go on until
#   it next needs the key.
# - **Late:** DynamoDB, which remembers its table key for minutes, and EBS, whose data key is in memory.
# - **Never:** what is not under this key.
#
# RDS does not come back by itself. It has to be started, within seven days; after that only a backup helps.

# %% shows="03.rds"
with suppress(rds.exceptions.InvalidDBInstanceStateFault):  # it runs already
    rds.start_db_instance(DBInstanceIdentifier="clinic-sealed")
outcome(readings["RDS"])

# %% [markdown]
# And EBS? It read on, all the time. That is no promise for tomorrow.
#
# **Predict:** the key is disabled again, and the server is stopped and started. Does it come up?

# %% shows="03.server-needs-the-key"
kms.disable_key(KeyId=key)
ec2.stop_instances(InstanceIds=[server])
ec2.start_instances(InstanceIds=[server])
found = ec2.describe_instances(InstanceIds=[server])["Reservations"][0]["Instances"][0]
found["State"]["Name"], found["StateReason"]["Message"]

# %% [markdown]
# It does not. Starting means unwrapping the data key again, and KMS refuses. Enable the key, and it starts.

# %%
kms.enable_key(KeyId=key)
ec2.start_instances(InstanceIds=[server])
aws.disk(volume).read(0, len(record)) == record

# %% [markdown]
# Disabling can be undone. *Deleting* a KMS key cannot: every wrapped data key you saw in this lesson would stay wrapped for
# ever, and the ciphertext with it.

# %% [markdown]
# ## On the exam, and today
#
# | Study notes say | Today |
# |---|---|
# | Data is encrypted after being received, decrypted before being sent | Still so. The exam's clue: whoever the service obeys can read |
# | Stored encrypted thanks to a key (usually a data key) | Still so. A standard SecureString is the exception: KMS's own ciphertext |
# | Switch encryption on for the bucket | Every new object has been encrypted at least with SSE-S3 since January 2023; you choose *which* |
# | SSE-C is one of four choices | Since April 2026 it is blocked on new buckets until you allow it |
# | To encrypt an old object otherwise, copy it over itself | Still right; `UpdateObjectEncryption` now does it in place for SSE-S3 and SSE-KMS |
# | An RDS database is unencrypted unless you ask | Still so for RDS. New *Aurora* clusters are encrypted by default since February 2026 |
#
# Where these come from:

# %%
from kmscourse import facts

facts.get("S3E-01")

# %%
facts.get("S3E-04")

# %%
facts.get("S3E-09")

# %%
facts.get("RDS-02")

# %% [markdown]
# ## What it cost
#
# Every call you made was counted. The key, the secrets and the calls would have cost on AWS:

# %%
aws.meter.bill()

# %% [markdown]
# ## Lab
#
# Now you: type `course lab 03-at-rest` in a terminal (*File, New, Terminal*). Six tasks, each checked, each with hints.

# %% [markdown]
# ## Check yourself

# %%
from kmscourse import exam

exam.check_yourself("03-at-rest")
