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
# # 05 · Envelopes: encrypt on the client
#
# A clinic keeps patient records in the cloud, and lets the cloud encrypt them.
# In this lesson the clinic does it, before a record leaves the building.
#
# You will
#
# 1. read an encrypted record as someone who should not be able to,
# 2. seal the record in an **envelope** by hand,
# 3. let the AWS Encryption SDK do the same, and look inside what it made,
# 4. change one byte at a time and see which check notices,
# 5. seal for two keys, and seal a hundred records with a single call to KMS.
#
# About 35 minutes, then a lab of 25.

# %% [markdown]
# ## Start the simulated AWS
#
# From here on `boto3` talks to a simulated AWS inside this notebook. Nothing leaves your machine
# and nothing costs money. The *seed* makes the simulator invent the same ids each time, so that you
# see what the text speaks of. It seeds the simulator only: your own random numbers stay random.

# %%
import json

import boto3

from kmscourse import cloud

aws = cloud.start(seed="05-envelopes")
kms = boto3.client("kms")
s3 = boto3.client("s3")

# %% [markdown]
# This is the record that must stay between patient and clinic.

# %%
record = json.dumps({"patient": "4711", "diagnosis": "type 2 diabetes"}).encode()
record

# %% [markdown]
# ## 1 · Break it
#
# The clinic does what most people do first: it creates a **KMS key** and asks Amazon S3 to encrypt
# with it. That is *server-side encryption* (SSE-KMS). A *bucket* is where S3 keeps files; each file is an *object*.

# %%
storage_key = kms.create_key(Description="S3 encrypts with this")["KeyMetadata"]["KeyId"]
s3.create_bucket(Bucket="clinic-records")
stored = s3.put_object(
    Bucket="clinic-records",
    Key="4711.json",
    Body=record,
    ServerSideEncryption="aws:kms",
    SSEKMSKeyId=storage_key,
)
stored["ServerSideEncryption"]

# %% [markdown]
# S3 says that it encrypted. It did: the bytes on its disk are not the record.

# %%
on_disk = aws.stored("s3", "clinic-records", "4711.json")
record in bytes(on_disk)

# %% [markdown]
# Now the *administrator*. Somebody has to look after the buckets, so somebody was given two
# permissions: `s3:GetObject`, to read objects, and `kms:Decrypt`, because reading failed without it.
# They stand in an *IAM policy*: a document, attached to a user, that says what the user may do. `200` means: saved.

# %%
both_permissions = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "kms:Decrypt"],
        "Resource": "*",
    },
}
administrator = aws.session("administrator")
boto3.client("iam").put_user_policy(
    UserName="administrator",
    PolicyName="both-permissions",
    PolicyDocument=json.dumps(both_permissions),
)["ResponseMetadata"]["HTTPStatusCode"]

# %% [markdown]
# **Predict:** the object is encrypted with a KMS key. What does the administrator get?

# %% shows="05.client-or-server"
administrator.client("s3").get_object(Bucket="clinic-records", Key="4711.json")["Body"].read()

# %% [markdown]
# The diagnosis, in plain text. Nothing was cracked. S3 noticed that the caller may decrypt, decrypted
# on the caller's behalf, and sent the plaintext.
#
# The audit trail shows the step in between: KMS was called *through* S3, as the administrator.

# %%
aws.trail.events(user="administrator")

# %% [markdown]
# Server-side encryption protects against the stolen disk. It does not protect against someone whom
# the server obeys. For that, the server must not be able to decrypt at all.

# %% [markdown]
# ## 2 · Fix it, by hand
#
# **Client-side encryption** means: the client encrypts before it sends, and a receiving client
# decrypts. What lies in between only ever holds ciphertext.
#
# First, a second KMS key, with a **key policy** that names who may do what with it. The *principal* is who: written
# as an *ARN*, the full name of anything on AWS. The account, whose ARN ends in `root`, may manage the key. Only the
# clinic's application may use it.

# %%
account = f"arn:aws:iam::{aws.account_id}"
clinic = aws.session("clinic-app")
the_account_manages = {
    "Effect": "Allow",
    "Principal": {"AWS": f"{account}:root"},
    "Action": ["kms:Describe*", "kms:Get*", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"],
    "Resource": "*",
}
the_clinic_uses = {
    "Effect": "Allow",
    "Principal": {"AWS": f"{account}:user/clinic-app"},
    "Action": ["kms:GenerateDataKey*", "kms:Decrypt", "kms:Encrypt", "kms:ReEncrypt*"],
    "Resource": "*",
}

# %%
key_policy = {"Version": "2012-10-17", "Statement": [the_account_manages, the_clinic_uses]}
record_key = kms.create_key(Policy=json.dumps(key_policy))["KeyMetadata"]["Arn"]

# %% [markdown]
# **Predict:** a record with a scan has a few megabytes. Can KMS encrypt it? The next cell tries with 4,097 bytes; it
# ends in a red box, on purpose.

# %% tags=["raises-exception"]
kms.encrypt(KeyId=storage_key, Plaintext=bytes(4097))

# %% [markdown]
# 4,096 bytes at most. So KMS does not encrypt the record. It makes a key for the record: a **data key**.

# %%
clinic_kms = clinic.client("kms")
context = {"patient": "4711"}
data_key = clinic_kms.generate_data_key(
    KeyId=record_key, KeySpec="AES_256", EncryptionContext=context
)
{form: len(data_key[form]) for form in ("Plaintext", "CiphertextBlob")}

# %% [markdown]
# One key in two forms. `Plaintext` is the data key itself, 32 bytes, to be used now and then
# forgotten. `CiphertextBlob` is the same key, *wrapped*: encrypted by the KMS key, which never leaves
# KMS.
#
# The **encryption context** is not secret. It is bound to the wrapped key: without exactly these names
# and values, KMS will not unwrap it.
#
# Now the envelope. AES-GCM is *authenticated* encryption: it hides the record and adds a tag that
# notices any change. The *nonce* is a number used once. The third argument is not hidden, only protected against
# change; `None` means that there is nothing of that kind.

# %% shows="05.envelope-by-hand"
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

nonce = os.urandom(12)
ciphertext = AESGCM(data_key["Plaintext"]).encrypt(nonce, record, None)
envelope = {
    "wrapped_key": data_key["CiphertextBlob"],
    "nonce": nonce,
    "ciphertext": ciphertext,
}

# %% [markdown]
# One more line, and it matters: forget the data key. No name points to it now (Python gives no stronger promise), and
# what is left can lie anywhere.

# %%
data_key = None

# %%
print({name: len(part) for name, part in envelope.items()})
any(record in part for part in envelope.values())

# %% [markdown]
# The envelope goes where the record went before.

# %%
s3.put_object(
    Bucket="clinic-records",
    Key="4711.envelope",
    Body=json.dumps({name: part.hex() for name, part in envelope.items()}),
)["ResponseMetadata"]["HTTPStatusCode"]

# %% [markdown]
# **Predict:** the same administrator, the same two permissions, on `Resource: "*"`. What now?

# %% shows="05.client-or-server"
body = administrator.client("s3").get_object(Bucket="clinic-records", Key="4711.envelope")["Body"]
found = {name: bytes.fromhex(part) for name, part in json.loads(body.read()).items()}
found == envelope

# %% [markdown]
# The administrator has the whole envelope, and S3 had nothing to decrypt.
#
# **Predict:** next, the wrapped key. The policy says `kms:Decrypt` on every resource. Will KMS unwrap it?

# %% tags=["raises-exception"]
administrator_kms = administrator.client("kms")
administrator_kms.decrypt(CiphertextBlob=found["wrapped_key"], EncryptionContext=context)

# %% [markdown]
# Refused, and the red box was the point. Ask the simulator why.

# %%
from botocore.exceptions import ClientError

try:
    administrator_kms.decrypt(CiphertextBlob=found["wrapped_key"], EncryptionContext=context)
except ClientError as error:
    print(aws.explain(error).because)

# %% [markdown]
# No IAM policy opens a key whose key policy does not let it. Remember this one; exams ask it in many disguises.
#
# The clinic opens its own envelope in two steps: unwrap the data key, then decrypt the record.

# %% shows="05.receiving-client"
answer = clinic_kms.decrypt(CiphertextBlob=envelope["wrapped_key"], EncryptionContext=context)
cipher = AESGCM(answer["Plaintext"])
opened = cipher.decrypt(envelope["nonce"], envelope["ciphertext"], None)
opened == record

# %% [markdown]
# **Predict:** the clinic may decrypt. What if it asks with the context of another patient?

# %% shows="05.encryption-context" tags=["raises-exception"]
clinic_kms.decrypt(CiphertextBlob=envelope["wrapped_key"], EncryptionContext={"patient": "4712"})

# %% [markdown]
# An envelope that was swapped between two patients' files does not open. AWS sends no words with this
# error: whoever tampers learns nothing from it.
#
# This is **envelope encryption**: a data key encrypts the data, a KMS key encrypts the data key, and
# the wrapped key travels with the data. Most AWS services that use KMS do it, too.

# %% [markdown]
# ## 3 · Let the SDK do it
#
# By hand you saw every part, and every part is a place to go wrong: a nonce used twice, a plaintext key
# that is logged, a format that only you can read. The **AWS Encryption SDK** does the same with one call.
#
# A *keyring* says which keys wrap the data key. The SDK logs what it refuses; the second line keeps
# that out of the notebook.

# %%
import logging

logging.getLogger("aws_encryption_sdk").addHandler(logging.NullHandler())

import aws_encryption_sdk
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import CreateAwsKmsKeyringInput

sdk = aws_encryption_sdk.EncryptionSDKClient()
providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
keyring = providers.create_aws_kms_keyring(
    CreateAwsKmsKeyringInput(kms_key_id=record_key, kms_client=clinic_kms)
)

# %% shows="05.encryption-sdk"
message, header = sdk.encrypt(source=record, keyring=keyring, encryption_context=context)
header.algorithm.name

# %% [markdown]
# One sealed **message**: wrapped key, context, ciphertext and tags in one piece of bytes. The name of the
# algorithm suite reads from left to right: AES-256-GCM; a key derived for each message from the data key (HKDF is the
# recipe); a *key commitment*, of which more below; and a signature over all of it (ECDSA is its kind).

# %%
opened, _ = sdk.decrypt(source=message, keyring=keyring, encryption_context=context)
opened == record, record in message

# %% [markdown]
# ## 4 · Look inside
#
# The message below is the one you just made. Open a layer with <kbd>Enter</kbd>, move with the arrow keys,
# and flip a byte: the changed copy is really given to the SDK, and you see who refused it.

# %%
from kmscourse import views


def open_message(sealed):
    return sdk.decrypt(source=sealed, keyring=keyring, encryption_context=context)[0]


views.Envelope(message, open_with=open_message, holders={record_key: ["clinic-app"]})

# %% [markdown]
# **Predict:** a message has many fields. Is there one whose change nobody notices?
#
# The next cells flip the first byte of every field, one after the other, try to open each copy, and count who refused.

# %%
from kmscourse import sealed


def refused_by(field):
    changed = bytearray(message)
    changed[field.start] ^= 1
    try:
        open_message(bytes(changed))
    except Exception as error:
        return sealed.classify(error, field).check.title
    return "nobody"


# %%
from collections import Counter

fields = list(sealed.parse(message).root.leaves())
Counter(refused_by(field) for field in fields)

# %% [markdown]
# "nobody" is not among them. Several checks share the work: the form of the message, KMS with its encryption context, the
# tag of the header, the tags of the *frames* in which the letter is cut, and the signature.

# %% [markdown]
# ### Key commitment
#
# AES-GCM has a known blind spot, which is not built here: someone who knows two keys can make one ciphertext that opens
# under *both*, to two different records. A **key commitment** closes it. The message carries a value that only
# the right data key gives; any other key is refused before anything is decrypted.

# %% shows="05.key-commitment"
commitment = next(leaf for leaf in fields if "commitment" in leaf.name.lower())
commitment.name, len(message[commitment.start : commitment.end])

# %% [markdown]
# Older messages have none. The SDK still reads them if you allow it; since version 2 it does not by default.
# The next cell seals without a commitment, as an old program would have.

# %%
from aws_encryption_sdk import CommitmentPolicy
from aws_encryption_sdk.identifiers import AlgorithmSuite

old_sdk = aws_encryption_sdk.EncryptionSDKClient(
    commitment_policy=CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT
)
old_message, _ = old_sdk.encrypt(
    source=record,
    keyring=keyring,
    encryption_context=context,
    algorithm=AlgorithmSuite.AES_256_GCM_IV12_TAG16_HKDF_SHA256,
)

# %% [markdown]
# **Predict:** the key is right, the context is right, nothing was changed. Does today's SDK open it?

# %%
try:
    open_message(old_message)
except Exception as refused:
    print(type(refused).__name__, "-", refused)

# %% [markdown]
# ## 5 · Two keys, one message
#
# What if the KMS key is disabled, or its *Region*, the place where it lives, is down? A **multi-keyring** wraps the same data key several
# times. Any one of the wrapping keys opens the message.

# %%
from aws_cryptographic_material_providers.mpl.models import CreateMultiKeyringInput

backup_key = kms.create_key(Policy=json.dumps(key_policy))["KeyMetadata"]["Arn"]
backup = providers.create_aws_kms_keyring(
    CreateAwsKmsKeyringInput(kms_key_id=backup_key, kms_client=clinic_kms)
)
either = providers.create_multi_keyring(
    CreateMultiKeyringInput(generator=keyring, child_keyrings=[backup])
)

# %% shows="05.several-wrapping-keys"
for_two, header = sdk.encrypt(source=record, keyring=either, encryption_context=context)
[len(wrapped.encrypted_data_key) for wrapped in header.encrypted_data_keys]

# %% [markdown]
# Two wrapped copies, one body. Each copy alone is enough:

# %%
[
    sdk.decrypt(source=for_two, keyring=one, encryption_context=context)[0] == record
    for one in (keyring, backup)
]

# %% [markdown]
# That is also the risk: whoever may use *any* of the keys can read. Count them before you add one.

# %% [markdown]
# ## 6 · A hundred records, one call
#
# Each `encrypt` asks KMS for a fresh data key. That is the safe default, and it costs: one request a record,
# each with its price and each counted against the *quota*, the number of requests a second that AWS allows.


# %%
def data_keys_asked_for():
    return len(aws.trail.events("GenerateDataKey", user="clinic-app"))


before = data_keys_asked_for()
for _ in range(100):
    sdk.encrypt(source=record, keyring=keyring, encryption_context=context)
data_keys_asked_for() - before

# %% [markdown]
# **Data key caching** uses one data key for several messages, within limits that you set: how long, and for
# how many. The cache works with the SDK's older *master key providers*, which take a session of botocore, the library
# below boto3: that is what `._session` hands over.

# %%
from aws_encryption_sdk import (
    CachingCryptoMaterialsManager,
    LocalCryptoMaterialsCache,
    StrictAwsKmsMasterKeyProvider,
)

provider = StrictAwsKmsMasterKeyProvider(
    key_ids=[record_key], botocore_session=aws.session("clinic-app")._session
)
caching = CachingCryptoMaterialsManager(
    master_key_provider=provider,
    cache=LocalCryptoMaterialsCache(capacity=10),
    max_age=60.0,
    max_messages_encrypted=100,
)

# %% [markdown]
# **Predict:** a hundred records again, at most a hundred messages for one data key. How many calls?

# %% shows="05.data-key-caching"
before = data_keys_asked_for()
for _ in range(100):
    sdk.encrypt(source=record, materials_manager=caching, encryption_context=context)
data_keys_asked_for() - before

# %% [markdown]
# The price of the saving: whoever gets hold of that one data key reads all hundred records, and disabling
# the KMS key stops nobody who still has it in memory. Keep the limits small.

# %% [markdown]
# ## 7 · The Amazon S3 Encryption Client
#
# If the records go to S3 anyway, a third library does all of it behind `put_object` and `get_object`. The application
# needs a permission of its own for the bucket first.

# %%
read_and_write = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*"},
}
boto3.client("iam").put_user_policy(
    UserName="clinic-app",
    PolicyName="records",
    PolicyDocument=json.dumps(read_and_write),
)["ResponseMetadata"]["HTTPStatusCode"]

# %%
from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig
from s3_encryption.materials.kms_keyring import KmsKeyring

sealing_s3 = S3EncryptionClient(
    clinic.client("s3"), S3EncryptionClientConfig(keyring=KmsKeyring(clinic_kms, record_key))
)

# %% shows="05.s3-encryption-client"
sealing_s3.put_object(Bucket="clinic-records", Key="4711.sealed", Body=record)
sealing_s3.get_object(Bucket="clinic-records", Key="4711.sealed")["Body"].read() == record

# %% [markdown]
# What S3 holds is ciphertext; the wrapped key stands in the object's metadata. The administrator gets exactly that.

# %%
fetched = administrator.client("s3").get_object(Bucket="clinic-records", Key="4711.sealed")
record in fetched["Body"].read(), sorted(fetched["Metadata"])

# %% [markdown]
# The view reads this format, too. Nothing can be flipped here: the administrator has nothing to open it with.

# %%
views.Envelope(
    administrator.client("s3").get_object(Bucket="clinic-records", Key="4711.sealed"),
    holders={record_key: ["clinic-app"]},
)

# %% [markdown]
# ## On the exam, and today
#
# | Study notes say | Today |
# |---|---|
# | Client side: encrypted by the client, never decrypted by the server | Still so. The exam's clue is a sentence like "the provider must never see plaintext" |
# | Could leverage envelope encryption | The libraries always do. `GenerateDataKey` in an answer is the sign of it |
# | "DynamoDB encryption client", "S3 encryption client" | Still asked under these names. The one for DynamoDB has been called *AWS Database Encryption SDK* since June 2023 |
# | Encrypt with the KMS `Encrypt` call | Only up to 4,096 bytes; anything larger needs a data key |
#
# Where these come from:

# %%
from kmscourse import facts

facts.get("BAS-01")

# %%
facts.get("DDB-05")

# %% [markdown]
# ## What it cost
#
# Every call you made was counted. On AWS this notebook would have cost:

# %%
aws.meter.bill()

# %% [markdown]
# ## Lab
#
# Now you: type `course lab 05-envelopes` in a terminal (*File, New, Terminal*). Six tasks, each checked, each with hints.

# %% [markdown]
# ## Check yourself

# %%
from kmscourse import exam

exam.check_yourself("05-envelopes")
