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
# # 10 · Multi-Region keys: encrypt here, decrypt there
#
# The clinic opens in Dublin. Its records are copied there, encrypted, and on the day the first Region fails nobody
# can read them.
#
# You will
#
# 1. lose a Region, and with it records that were safely copied,
# 2. make a **multi-Region key**, and open in Ireland what was sealed in Virginia,
# 3. see what related keys share and what each Region keeps for itself,
# 4. look at a map of the keys and of where each call really went,
# 5. seal single fields in a DynamoDB global table and single columns in an Aurora global database,
# 6. switch the Region off again, and go on working.
#
# About 40 minutes, then a lab of 30.

# %% [markdown]
# ## Start the simulated AWS
#
# From here on `boto3` talks to a simulated AWS inside this notebook. Nothing leaves your machine and nothing costs
# money. A **Region** is a place with data centres of its own: `us-east-1` lies in Virginia, `eu-west-1` in Ireland.
# A client of boto3 talks to one Region only.

# %%
import boto3

from kmscourse import cloud

aws = cloud.start(seed="10-multi-region")
kms = boto3.client("kms", region_name="us-east-1")
kms_eu = boto3.client("kms", region_name="eu-west-1")

# %% [markdown]
# ## 1 · Break it
#
# A record is encrypted in Virginia and its ciphertext copied to Ireland, as a plan for disasters says.

# %%
patient = {"patient": "4711"}
single_key = kms.create_key(Description="Records")["KeyMetadata"]["Arn"]
answer = kms.encrypt(KeyId=single_key, Plaintext=b"asthma", EncryptionContext=patient)
copy_in_ireland = answer["CiphertextBlob"]

# %% [markdown]
# The disaster comes. `aws.regions.off` lets a whole Region of the simulator stop answering. The client asks once and not
# three times, so that nobody waits: programs that fail over do the same. The red boxes below are on purpose.

# %% tags=["raises-exception"]
from botocore.config import Config

once = Config(retries={"total_max_attempts": 1})
kms_once = boto3.client("kms", region_name="us-east-1", config=once)
aws.regions.off("us-east-1")
kms_once.decrypt(CiphertextBlob=copy_in_ireland, EncryptionContext=patient)

# %% [markdown]
# **Predict:** Ireland has the ciphertext, and its AWS KMS is well. What does it answer?

# %% tags=["raises-exception"]
kms_eu.decrypt(CiphertextBlob=copy_in_ireland, EncryptionContext=patient)

# %% [markdown]
# A KMS key lives in one Region. The copy was made of the lock, and not of the key.

# %%
aws.regions.on("us-east-1")
kms.decrypt(CiphertextBlob=copy_in_ireland, EncryptionContext=patient)["Plaintext"]

# %% [markdown]
# ## 2 · Fix it: a multi-Region key
#
# It is made as one, in its **primary Region**. `ReplicateKey` makes a **related key** in another Region,
# a **replica**.

# %%
made = kms.create_key(MultiRegion=True, Description="Records")["KeyMetadata"]
key, key_id = made["Arn"], made["KeyId"]
replica = kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"]
replica_key = replica["Arn"]
key_id[:4], replica_key == key.replace("us-east-1", "eu-west-1")

# %% [markdown]
# The ARNs differ in the Region and in nothing else. **Predict:** what else is the same?


# %%
def shared(client):
    about = client.describe_key(KeyId=key_id)["KeyMetadata"]
    status = client.get_key_rotation_status(KeyId=key_id)
    parts = "KeyId", "CurrentKeyMaterialId", "KeySpec", "KeyUsage", "Origin"
    return [about[part] for part in parts] + [status["KeyRotationEnabled"]]


# %% shows="10.same-id-material-rotation"
shared(kms) == shared(kms_eu)

# %% [markdown]
# Now encrypt in Virginia, and decrypt in Ireland.

# %% shows=["10.identical", "10.encrypt-here-decrypt-there"]
sealed = kms.encrypt(KeyId=key_id, Plaintext=b"asthma", EncryptionContext=patient)
before = len(aws.trail)
kms_eu.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=patient)["Plaintext"]

# %% [markdown]
# **Predict:** which Regions did this last call reach?

# %% shows="10.no-cross-region-call"
[(event["awsRegion"], event["eventName"]) for event in aws.trail.events(after=before)]

# %% [markdown]
# Ireland alone: no call to another Region, and the ciphertext was not encrypted again. The other way round is the
# same, as the keys are interchangeable:

# %%
back = kms_eu.encrypt(KeyId=key_id, Plaintext=b"flu", EncryptionContext=patient)
kms.decrypt(CiphertextBlob=back["CiphertextBlob"], EncryptionContext=patient)["Plaintext"]

# %% [markdown]
# **Predict:** the primary key is rotated. Does the replica get the new key material?

# %% shows="10.same-id-material-rotation"
kms.rotate_key_on_demand(KeyId=key_id)
shared(kms) == shared(kms_eu)

# %% [markdown]
# AWS KMS keeps key material and rotation in step, from the primary. The replica cannot be rotated by itself:

# %% tags=["raises-exception"]
kms_eu.enable_key_rotation(KeyId=key_id)

# %% [markdown]
# ## 3 · Not a global key
#
# A multi-Region key is not one key for the world. There is one **primary key**, and replicas where you made them. Only
# the primary can be replicated:

# %% tags=["raises-exception"]
kms_eu.replicate_key(KeyId=key_id, ReplicaRegion="ap-southeast-2")

# %% [markdown]
# The primary can move to a Region that has a replica. Here it moves to Ireland and back.

# %% shows="10.primary-and-replicas"
kms.update_primary_region(KeyId=key_id, PrimaryRegion="eu-west-1")
about = kms.describe_key(KeyId=key_id)["KeyMetadata"]["MultiRegionConfiguration"]
kms_eu.update_primary_region(KeyId=key_id, PrimaryRegion="us-east-1")
about["MultiRegionKeyType"], about["PrimaryKey"]["Region"]

# %% [markdown]
# ### Each is managed by itself
#
# What stands *around* the key material belongs to one Region: key policy, grants (permissions given by a call),
# aliases, tags, description and state. First an alias, a tag and a grant in Virginia:


# %%
def of_its_own(client):
    return {
        "aliases": len(client.list_aliases(KeyId=key_id)["Aliases"]),
        "tags": len(client.list_resource_tags(KeyId=key_id)["Tags"]),
        "grants": len(client.list_grants(KeyId=key_id)["Grants"]),
    }


# %%
doctor = f"arn:aws:iam::{aws.account_id}:user/doctor"
aws.session("doctor")  # makes the user, where there is none yet
if not kms.list_aliases(KeyId=key_id)["Aliases"]:
    kms.create_alias(AliasName=f"alias/records-{key_id[-4:]}", TargetKeyId=key_id)
    kms.tag_resource(KeyId=key_id, Tags=[{"TagKey": "clinic", "TagValue": "Boston"}])
    kms.create_grant(KeyId=key_id, GranteePrincipal=doctor, Operations=["Decrypt"])
of_its_own(kms)

# %% [markdown]
# **Predict:** and in Ireland?

# %% shows="10.managed-independently"
of_its_own(kms_eu)

# %% [markdown]
# **Predict:** the key is disabled in Virginia. Does Ireland still decrypt?

# %% shows="10.managed-independently"
kms.disable_key(KeyId=key_id)
opened = kms_eu.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=patient)
kms.enable_key(KeyId=key_id)
opened["Plaintext"]

# %% [markdown]
# It does. Whoever wants to stop all use has to disable the key in *every* Region.
#
# ### The trap: the policy of the replica
#
# A strict key policy: the account manages the key, and only the clinic's application uses it. `NotAction` means:
# everything but these.

# %%
import json

account = f"arn:aws:iam::{aws.account_id}"
use = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
manages = {"Effect": "Allow", "Principal": {"AWS": f"{account}:root"}, "NotAction": use}
uses = {"Effect": "Allow", "Principal": {"AWS": f"{account}:user/clinic-app"}, "Action": use}
statements = [{**each, "Resource": "*"} for each in (manages, uses)]
strict = json.dumps({"Version": "2012-10-17", "Statement": statements})
clinic = aws.session("clinic-app")

# %%
strict_key = kms.create_key(MultiRegion=True, Policy=strict)["KeyMetadata"]["Arn"]
kms.replicate_key(KeyId=strict_key, ReplicaRegion="eu-west-1")
secret = clinic.client("kms", region_name="us-east-1").encrypt(KeyId=strict_key, Plaintext=b"HIV")

# %% [markdown]
# Plain boto3 is the account's administrator. In Virginia the policy refuses it:

# %% tags=["raises-exception"]
kms.decrypt(CiphertextBlob=secret["CiphertextBlob"])

# %% [markdown]
# **Predict:** the same administrator, the same ciphertext, in Ireland?

# %%
kms_eu.decrypt(CiphertextBlob=secret["CiphertextBlob"])["Plaintext"]

# %% [markdown]
# The policy was not copied. Without a `Policy` the replica gets the *default key policy*, which lets the account's IAM
# policies decide. The next key gets the same policy in both Regions.

# %%
field_key = kms.create_key(MultiRegion=True, Policy=strict)["KeyMetadata"]["Arn"]
kms.replicate_key(KeyId=field_key, ReplicaRegion="eu-west-1", Policy=strict)
field_key_eu = field_key.replace("us-east-1", "eu-west-1")

# %% [markdown]
# ## 4 · Look inside
#
# The map asks each Region what it has, and the trail where each call went. Columns are Regions, rows are calls in their
# order; move with the arrow keys.

# %%
from kmscourse import views

views.RegionMap(aws, {"Records": key, "Single": single_key}, title="Virginia and Ireland")

# %% [markdown]
# ## 5 · A DynamoDB global table
#
# A **global table** is one table in several Regions: what is written in one arrives in the others. DynamoDB encrypts
# it on its disks, and decrypts it for everyone who may read the table. The diagnosis shall be sealed *before* it gets there.

# %%
dynamodb = boto3.client("dynamodb", region_name="us-east-1")
if "patients" not in dynamodb.list_tables()["TableNames"]:
    dynamodb.create_table(
        TableName="patients",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    ireland = {"Create": {"RegionName": "eu-west-1"}}
    dynamodb.update_table(TableName="patients", ReplicaUpdates=[ireland])

# %% [markdown]
# Two users may read and write the table: the application, and a *table administrator*, who also gets `kms:Decrypt` on
# everything.


# %%
def allow(user, *actions):
    aws.session(user)  # the user is made, where there is none yet
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    boto3.client("iam").put_user_policy(
        UserName=user,
        PolicyName="works",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )


allow("clinic-app", "dynamodb:*")
allow("table-admin", "dynamodb:*", "kms:Decrypt")

# %% [markdown]
# The **DynamoDB Encryption Client** stands in front of a boto3 table and encrypts single *attributes*, the fields of
# an item. It asks the KMS key of the Region that stands in the ARN. The last line keeps the client's log of refusals
# out of the notebook.

# %%
import logging

from dynamodb_encryption_sdk.encrypted.table import EncryptedTable
from dynamodb_encryption_sdk.identifiers import CryptoAction
from dynamodb_encryption_sdk.material_providers.aws_kms import AwsKmsCryptographicMaterialsProvider
from dynamodb_encryption_sdk.structures import AttributeActions

logging.getLogger("dynamodb_encryption_sdk").addHandler(logging.NullHandler())


# %%
def encrypted_table(user, region, key_arn):
    session = aws.session(user, region=region)
    return EncryptedTable(
        table=session.resource("dynamodb").Table("patients"),
        materials_provider=AwsKmsCryptographicMaterialsProvider(
            key_id=key_arn, botocore_session=session._session
        ),
        attribute_actions=AttributeActions(
            default_action=CryptoAction.ENCRYPT_AND_SIGN,
            attribute_actions={"city": CryptoAction.DO_NOTHING},
        ),
    )


# %%
boston = encrypted_table("clinic-app", "us-east-1", field_key)
item = {"id": "4711", "city": "Boston", "diagnosis": "asthma"}
boston.put_item(Item=item)["ResponseMetadata"]["HTTPStatusCode"]

# %% [markdown]
# **Predict:** the table administrator reads the item in Ireland with plain boto3. Which fields can be read?

# %% shows=["10.dynamodb-attributes", "10.dynamodb-replicated"]
admin = aws.session("table-admin", region="eu-west-1")
raw = admin.client("dynamodb").get_item(TableName="patients", Key={"id": {"S": "4711"}})["Item"]
raw["city"], list(raw["diagnosis"]), b"asthma" in raw["diagnosis"]["B"]

# %% [markdown]
# The item was replicated, the diagnosis as ciphertext: DynamoDB never had anything else.
#
# **Predict:** the application opens it in Ireland. Which calls does it make, and in which Region?

# %% shows="10.dynamodb-local-call"
before = len(aws.trail)
dublin = encrypted_table("clinic-app", "eu-west-1", field_key_eu)
print(dublin.get_item(Key={"id": "4711"})["Item"] == item)
{(event["awsRegion"], event["eventName"]) for event in aws.trail.events(after=before)}

# %% [markdown]
# The administrator has the item, the client and `kms:Decrypt` by IAM. Only the key is missing:

# %% shows="10.dynamodb-fields"
try:
    encrypted_table("table-admin", "eu-west-1", field_key_eu).get_item(Key={"id": "4711"})
except Exception as refused:
    print(type(refused).__name__, "-", refused)
aws.trail.events("Decrypt", user="table-admin", after=before)[-1]["errorCode"]

# %% [markdown]
# ## 6 · An Aurora global database
#
# **Aurora** is Amazon's relational database; a **global database** has a cluster in one Region that takes writes, and
# read-only copies in others.

# %%
rds = boto3.client("rds", region_name="us-east-1")
rds_eu = boto3.client("rds", region_name="eu-west-1")
one_of = {"GlobalClusterIdentifier": "clinic", "Engine": "aurora-postgresql"}
administrator = {"MasterUsername": "dba", "MasterUserPassword": "not-a-secret-1"}

# %%
if not rds.describe_global_clusters()["GlobalClusters"]:
    rds.create_global_cluster(**one_of, StorageEncrypted=True)
    rds.create_db_cluster(**one_of, **administrator, DBClusterIdentifier="clinic-us")
    rds_eu.create_db_cluster(**one_of, DBClusterIdentifier="clinic-eu", KmsKeyId="alias/aws/rds")
[each["Status"] for each in rds.describe_global_clusters()["GlobalClusters"]]

# %% [markdown]
# Storage is encrypted in each Region, under a key of that Region. The database opens it for everyone who has a
# session: here `aws.database`, behind which is SQLite, as in lesson 3. So the column is sealed by the application, with
# the **AWS Encryption SDK** and a keyring for multi-Region keys.

# %%
import aws_encryption_sdk
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import CreateAwsKmsMrkKeyringInput

logging.getLogger("aws_encryption_sdk").addHandler(logging.NullHandler())
sdk = aws_encryption_sdk.EncryptionSDKClient()
providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


def keyring(user, key_arn):
    client = aws.session(user, region=key_arn.split(":")[3]).client("kms")
    asked = CreateAwsKmsMrkKeyringInput(kms_key_id=key_arn, kms_client=client)
    return providers.create_aws_kms_mrk_keyring(asked)


# %%
message, _ = sdk.encrypt(
    source=b"asthma", keyring=keyring("clinic-app", field_key), encryption_context=patient
)
database = aws.database("clinic-us")
database.execute(
    "create table if not exists patients (id text primary key, city text, diagnosis blob)"
)
database.execute("insert or replace into patients values ('4711', 'Boston', ?)", (message,))
database.commit()

# %% [markdown]
# **Predict:** in Ireland the database administrator looks at the row. What is there?

# %% shows=["10.aurora-columns", "10.aurora-replicated"]
copy = aws.database("clinic-eu", region="eu-west-1")
[(city, column)] = copy.execute("select city, diagnosis from patients where id = '4711'")
city, column == message, b"asthma" in column

# %% [markdown]
# The application reads the same row in Ireland, and asks Ireland's KMS for the data key.

# %% shows="10.aurora-local-call"
before = len(aws.trail)
opened, _ = sdk.decrypt(
    source=column, keyring=keyring("clinic-app", field_key_eu), encryption_context=patient
)
opened, [(each["awsRegion"], each["eventName"]) for each in aws.trail.events(after=before)]

# %% [markdown]
# **Predict:** the database administrator gets `kms:Decrypt` on everything by IAM, and has the SDK as well. Does the column
# open?

# %% shows="10.not-even-admins"
allow("dba", "rds:*", "kms:Decrypt")
try:
    sdk.decrypt(source=column, keyring=keyring("dba", field_key_eu), encryption_context=patient)
except Exception:
    print("refused:", aws.trail.events("Decrypt", user="dba")[-1]["errorCode"])

# %% [markdown]
# Not even the administrator: a session of the database is not a permission on the key.

# %% [markdown]
# ## 7 · The disaster, again
#
# **Predict:** Virginia fails once more, and with it the *primary* key. What has to be promoted, moved or switched
# before Dublin can read?

# %%
before_the_disaster = len(aws.trail)
aws.regions.off("us-east-1")
[(column,)] = copy.execute("select diagnosis from patients where id = '4711'")
field, _ = sdk.decrypt(
    source=column, keyring=keyring("clinic-app", field_key_eu), encryption_context=patient
)
field, dublin.get_item(Key={"id": "4711"})["Item"]["diagnosis"]

# %% [markdown]
# Nothing. A replica is a whole key: it needs its primary for rotation and for a change of the primary Region, not to
# encrypt and decrypt. Such a change has to be asked of the Region that is down:

# %% tags=["raises-exception"]
kms_once.update_primary_region(KeyId=field_key, PrimaryRegion="eu-west-1")

# %%
views.RegionMap(
    aws,
    {"Fields": field_key_eu},
    regions=["us-east-1"],
    after=before_the_disaster,
    services=["dynamodb"],
    title="Virginia is down",
)

# %%
aws.regions.on("us-east-1")
aws.regions

# %% [markdown]
# ## 8 · When not
#
# What was sealed under the single-Region key of part 1 stays bound to it. A key never becomes multi-Region later;
# its ciphertext is moved to a multi-Region key, inside AWS KMS:

# %% shows="10.use-cases"
moved = kms.re_encrypt(
    CiphertextBlob=copy_in_ireland,
    SourceEncryptionContext=patient,
    DestinationKeyId=key_id,
    DestinationEncryptionContext=patient,
)["CiphertextBlob"]
kms_eu.decrypt(CiphertextBlob=moved, EncryptionContext=patient)["Plaintext"]

# %% [markdown]
# Multi-Region keys are for data that a *client* encrypts and that travels as ciphertext. AWS services treat them as
# ordinary keys of one Region: S3 replication (lesson 11) decrypts and encrypts again, even between related keys. And where
# data has to stay in one Region, key material that goes to another is a fault:

# %%
from kmscourse import facts

facts.get("MRK-14")

# %% [markdown]
# ## On the exam, and today
#
# | Study notes say | Today |
# |---|---|
# | Same key ID, key material, automatic rotation | Still so; the key id begins with `mrk-`, and only the ARN's Region differs |
# | Not global: primary and replicas; each managed independently | Still so. Key policy, grants, aliases, tags, description and state are never copied |
# | DynamoDB Encryption Client | Still asked under this name; since June 2023 it is called *AWS Database Encryption SDK* |
# | Global Aurora: encrypt attributes with the AWS Encryption SDK | Still so: "not even database administrators" is the clue |
# | Imported keys are not in the notes | A multi-Region key can have imported material, too; you import it into each Region yourself |
#
# "Low latency", "without calls to another Region", "client-side" together point to multi-Region keys. "Server-side
# encryption in two Regions" does not.

# %%
facts.get("MRK-11")

# %%
facts.get("DDB-05")

# %% [markdown]
# ## What it cost
#
# Each related key is a key on the bill.

# %%
aws.meter.bill()

# %% [markdown]
# ## Lab
#
# Now you: type `course lab 10-multi-region` in a terminal (*File, New, Terminal*). Seven tasks, each checked, each with hints.

# %% [markdown]
# ## Check yourself

# %%
from kmscourse import exam

exam.check_yourself("10-multi-region")
