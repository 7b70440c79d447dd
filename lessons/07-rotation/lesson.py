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
# # 07 · Rotation: new keys, old data
#
# "Rotate your keys" stands in every audit report. It can mean four different things, and done badly it loses data.
# In this lesson the clinic's keys grow old: you move the clock.
#
# You will
#
# 1. lose a record to a rotation that was not one, and rotate a leaked key in vain,
# 2. let AWS KMS rotate by itself, and on demand,
# 3. rotate imported material, and what cannot be rotated at all, by **alias**,
# 4. look at all of it on one timeline: which key material made what, what opens it, what it costs,
# 5. move old ciphertext to new key material, and see what a leak really needs.
#
# About 35 minutes, then a lab of 30.

# %% [markdown]
# ## Start the simulated AWS
#
# From here on `boto3` talks to a simulated AWS inside this notebook. Nothing leaves your machine and nothing costs
# money. The clock is simulated, too: `aws.clock` stands still until you move it.

# %%
import boto3

from kmscourse import cloud

aws = cloud.start(seed="07-rotation")
kms = boto3.client("kms")
aws.clock

# %% [markdown]
# ## 1 · Break it
#
# The clinic encrypts under an **alias**, a name that points to a KMS key. `point` makes an alias, or moves
# one that is there.


# %%
def point(alias, key_id):
    if alias in [each["AliasName"] for each in kms.list_aliases()["Aliases"]]:
        kms.update_alias(AliasName=alias, TargetKeyId=key_id)
    else:
        kms.create_alias(AliasName=alias, TargetKeyId=key_id)


# %%
first_key = kms.create_key(Description="Records")["KeyMetadata"]["KeyId"]
point("alias/records", first_key)
patient = {"patient": "4711"}
asthma = kms.encrypt(KeyId="alias/records", Plaintext=b"asthma", EncryptionContext=patient)
len(asthma["CiphertextBlob"])

# %% [markdown]
# A year later the administrator "rotates": a new key, the alias moved to it, and the old key tidied away.
# AWS KMS deletes no key at once. It waits, here the shortest time: seven days.

# %%
aws.clock.advance(days=365)
old_key = kms.describe_key(KeyId="alias/records")["KeyMetadata"]["KeyId"]
second_key = kms.create_key(Description="Records, second")["KeyMetadata"]["KeyId"]
point("alias/records", second_key)
kms.schedule_key_deletion(KeyId=old_key, PendingWindowInDays=7)["KeyState"]

# %% [markdown]
# **Predict:** the alias works, the new key works. What of the record from last year? The next cells end in red
# boxes, on purpose.

# %% tags=["raises-exception"]
kms.decrypt(CiphertextBlob=asthma["CiphertextBlob"], EncryptionContext=patient)

# %% [markdown]
# That was the warning. Nobody read it, and a week passes.

# %% tags=["raises-exception"]
aws.clock.advance(days=8)
kms.cancel_key_deletion(KeyId=first_key)

# %% [markdown]
# The key is gone and with it every record made under it. AWS cannot bring it back, and the new key
# does not open what the old one sealed.

# %% [markdown]
# ### A leak, and a rotation in vain
#
# Second accident. A letter is sealed in an *envelope*, as in lesson 05: a **data key** encrypts the letter, the KMS
# key encrypts the data key. A program writes the plaintext data key into its log.

# %%
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

data_key = kms.generate_data_key(KeyId="alias/records", KeySpec="AES_256")
nonce = os.urandom(12)
letter = AESGCM(data_key["Plaintext"]).encrypt(nonce, b"Dear colleague", None)
log_file = data_key["Plaintext"]

# %% [markdown]
# The administrator rotates the KMS key at once. The call is explained below.

# %%
kms.rotate_key_on_demand(KeyId=second_key)["KeyId"] == second_key

# %% [markdown]
# **Predict:** does whoever read the log still read the letter?

# %% shows="07.what-it-does-not-do"
AESGCM(log_file).decrypt(nonce, letter, None)

# %% [markdown]
# The letter lies where it lay, under the data key it always had. AWS KMS was not even asked: what opens the letter is the
# data key. The material of a KMS key never leaves AWS KMS; data keys do, so it is they that leak.

# %% [markdown]
# ## 2 · Fix it: let AWS KMS rotate
#
# A KMS key is a name with **key material** inside: the secret bytes. **Rotation** puts new material
# into the same key. A new key, as always, does not rotate by itself:

# %% shows="07.automatic"
record_key = kms.create_key(Description="Rotates by itself")["KeyMetadata"]["KeyId"]
kms.get_key_rotation_status(KeyId=record_key)["KeyRotationEnabled"]

# %% [markdown]
# **Automatic rotation** is switched on for each key. It comes every 365 days unless you say otherwise.
#
# **Predict:** a strict auditor wants every 30 days. Can the clinic have that?

# %% shows="07.period" tags=["raises-exception"]
kms.enable_key_rotation(KeyId=record_key, RotationPeriodInDays=30)

# %% [markdown]
# 90 days is the least and 2,560 the most; boto3 knows it before AWS KMS is asked.

# %%
kms.enable_key_rotation(KeyId=record_key, RotationPeriodInDays=180)
status = kms.get_key_rotation_status(KeyId=record_key)
status["KeyRotationEnabled"], status["RotationPeriodInDays"]

# %% [markdown]
# Two records, with four hundred days between them.

# %%
made = {}
made["flu"] = kms.encrypt(KeyId=record_key, Plaintext=b"flu", EncryptionContext=patient)
aws.clock.advance(days=400)
made["fracture"] = kms.encrypt(KeyId=record_key, Plaintext=b"fracture", EncryptionContext=patient)

# %%
first, second = kms.list_key_rotations(KeyId=record_key)["Rotations"][:2]
first["RotationType"], (second["RotationDate"] - first["RotationDate"]).days

# %% [markdown]
# **Predict:** the flu was encrypted two rotations ago. What must the clinic pass to have it decrypted by the right material?

# %% shows="07.automatic"
opened = kms.decrypt(CiphertextBlob=made["flu"]["CiphertextBlob"], EncryptionContext=patient)
current = kms.describe_key(KeyId=record_key)["KeyMetadata"]["CurrentKeyMaterialId"]
opened["Plaintext"], opened["KeyMaterialId"] == current

# %% [markdown]
# Nothing. AWS KMS keeps every earlier material as long as the key lives, and the ciphertext says which
# one made it. Key id, ARN, policy and aliases stayed as they were, so no code changed.

# %% [markdown]
# ### AWS managed keys
#
# An **AWS managed key** is made by a service in your account; its alias begins with `alias/aws/`. S3 makes
# one for the first object that is stored with SSE-KMS and names no key.

# %%
s3 = boto3.client("s3")
s3.create_bucket(Bucket="clinic-letters")
s3.put_object(Bucket="clinic-letters", Key="invoice", Body=b"$40", ServerSideEncryption="aws:kms")
aws_managed = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
aws_managed["KeyManager"]

# %% shows="07.aws-managed"
kms.get_key_rotation_status(KeyId=aws_managed["KeyId"])["RotationPeriodInDays"]

# %% [markdown]
# **Predict:** you are the administrator of the account. Can you switch this rotation off, or rotate now?

# %% tags=["raises-exception"]
kms.disable_key_rotation(KeyId=aws_managed["KeyId"])

# %% [markdown]
# It rotates every year, and nobody in the account changes that.

# %% [markdown]
# ## 3 · Now, please: on-demand rotation
#
# An employee leaves, an auditor asks: **on-demand rotation** rotates at once, with or without a schedule.
#
# **Predict:** the schedule said 180 days. Does the next automatic rotation move?

# %% shows="07.on-demand"
due = kms.get_key_rotation_status(KeyId=record_key)["NextRotationDate"]
kms.rotate_key_on_demand(KeyId=record_key)
kms.get_key_rotation_status(KeyId=record_key)["NextRotationDate"] == due

# %% [markdown]
# **Predict:** could a program call it every night? It tries here until it is refused. (boto3 takes this
# refusal for a temporary one and would ask three times; `total_max_attempts` lets it ask once.)

# %%
from botocore.config import Config
from botocore.exceptions import ClientError

asks_once = boto3.client("kms", config=Config(retries={"total_max_attempts": 1}))
practice_key = kms.create_key(Description="For practice")["KeyMetadata"]["KeyId"]
rotated = 0
try:
    while True:
        asks_once.rotate_key_on_demand(KeyId=practice_key)
        rotated += 1
except ClientError as error:
    print(rotated, error.response["Error"]["Code"])

# %% [markdown]
# That many for the life of a key, and AWS raises the limit for nobody. What is regular belongs to the schedule.

# %% [markdown]
# ## 4 · Imported key material
#
# With **imported key material** you make the secret bytes yourself and keep a copy: the key has the origin
# `EXTERNAL`. Lesson 06 imports step by step. Here it is in one function: AWS KMS gives a public key, which
# wraps the material on its way in.

# %%
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding


def import_material(key_id, material, **more):
    given = kms.get_parameters_for_import(
        KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    public_key = serialization.load_der_public_key(given["PublicKey"])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    wrapped = public_key.encrypt(material, oaep)
    parts = {"ImportToken": given["ImportToken"], "EncryptedKeyMaterial": wrapped, **more}
    parts["ExpirationModel"] = "KEY_MATERIAL_DOES_NOT_EXPIRE"
    return kms.import_key_material(KeyId=key_id, **parts)["KeyMaterialId"]


# %%
imported_key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
import_material(imported_key, os.urandom(32))
made["x-ray"] = kms.encrypt(KeyId=imported_key, Plaintext=b"x-ray", EncryptionContext=patient)

# %% [markdown]
# **Predict:** will AWS KMS rotate it every year?

# %% tags=["raises-exception"]
kms.enable_key_rotation(KeyId=imported_key)

# %% [markdown]
# It cannot: it would have to invent material that you alone can make. Older study notes end here, and say "only
# by alias". Since June 2025 you import *new* material into the same key. It waits until you rotate.


# %%
def last_two_states():
    listed = kms.list_key_rotations(KeyId=imported_key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    return [each["KeyMaterialState"] for each in listed["Rotations"][-2:]]


# %% shows="07.imported-on-demand"
aws.clock.advance(days=200)
import_material(imported_key, os.urandom(32), ImportType="NEW_KEY_MATERIAL")
print(last_two_states())
kms.rotate_key_on_demand(KeyId=imported_key)
print(last_two_states())

# %%
kms.decrypt(CiphertextBlob=made["x-ray"]["CiphertextBlob"], EncryptionContext=patient)["Plaintext"]

# %% [markdown]
# Both materials are the key's for good now: if either is deleted or expires, the key cannot be used until it is
# imported again. So keep your copies of *all* of them.

# %% [markdown]
# ## 5 · By hand, behind an alias
#
# AWS KMS never rotates asymmetric keys, **HMAC** keys (which stamp messages) and keys in custom key stores.
# For them there is **manual rotation**: a new key, and the alias moved to it. It works for every key,
# so here it is with a symmetric one. This time the old key stays.

# %% shows="07.manual-by-alias"
before = kms.create_key(Description="Letters")["KeyMetadata"]["KeyId"]
point("alias/letters", before)
made["referral"] = kms.encrypt(KeyId="alias/letters", Plaintext=b"to Dr. Lee")
aws.clock.advance(days=200)
after = kms.create_key(Description="Letters, second")["KeyMetadata"]["KeyId"]
point("alias/letters", after)
made["discharge"] = kms.encrypt(KeyId="alias/letters", Plaintext=b"home")

# %% [markdown]
# New letters go to the new key, and nobody changed the program. The old letter still opens months later, as its
# ciphertext names the old key:

# %%
aws.clock.advance(days=100)
kms.decrypt(CiphertextBlob=made["referral"]["CiphertextBlob"])["Plaintext"]

# %% [markdown]
# **Predict:** a careful program also says *which* key it expects. What does AWS KMS answer?

# %% tags=["raises-exception"]
kms.decrypt(CiphertextBlob=made["referral"]["CiphertextBlob"], KeyId="alias/letters")

# %% [markdown]
# The alias names another key now. With rotation inside AWS KMS this cannot happen, as the key stays the same. With
# manual rotation the program has to know the old key, too.

# %% [markdown]
# ## 6 · Look inside
#
# Everything you made, on one timeline. Each bar is one key material, with a name of its own; each number is a
# ciphertext, at the moment it was made. Drag the time or use the arrow keys; <kbd>[</kbd> and <kbd>]</kbd> go from
# event to event. The table says what opens at that time: each ciphertext was really given to Decrypt.

# %%
from kmscourse import views

made["asthma"] = asthma
keys = {
    "Automatic": record_key,
    "Imported": imported_key,
    "By alias": "alias/letters",
    "The accident": "alias/records",
    "Of S3": aws_managed["KeyId"],
}
views.RotationTimeline(aws, keys, made, title="The clinic's keys")

# %% [markdown]
# ## 7 · What rotation does not do
#
# New material serves what is encrypted *from now on*. What lies on disks does not change by a byte.
# `ReEncrypt` changes it: it opens a ciphertext and seals the content anew, inside AWS KMS.
#
# **Predict:** the same key as source and destination. Does it do anything?

# %% shows="07.re-encrypt"
moved = kms.re_encrypt(
    CiphertextBlob=made["flu"]["CiphertextBlob"],
    SourceEncryptionContext=patient,
    DestinationKeyId=record_key,
    DestinationEncryptionContext=patient,
)
moved["SourceKeyMaterialId"] == moved["DestinationKeyMaterialId"]

# %% [markdown]
# The flu left its first material for the current one, and the answer holds no plaintext. It also moves
# ciphertext to another key: *before* you delete an old one.
#
# **Predict:** now the leaked data key of part 1. Its wrapped copy is re-encrypted. Is the leak healed?

# %% shows="07.what-it-does-not-do"
rewrapped = kms.re_encrypt(CiphertextBlob=data_key["CiphertextBlob"], DestinationKeyId=record_key)
same = kms.decrypt(CiphertextBlob=rewrapped["CiphertextBlob"])["Plaintext"]
same == log_file

# %% [markdown]
# The envelope has a new lock around the same data key. Only a *new data key* helps: open the letter, seal it again,
# and delete the old copy.

# %%
new_key = kms.generate_data_key(KeyId=record_key, KeySpec="AES_256")
new_nonce = os.urandom(12)
opened_letter = AESGCM(same).decrypt(nonce, letter, None)
new_letter = AESGCM(new_key["Plaintext"]).encrypt(new_nonce, opened_letter, None)

# %% tags=["raises-exception"]
AESGCM(log_file).decrypt(new_nonce, new_letter, None)

# %% [markdown]
# ## 8 · What it costs
#
# **Predict:** the key for practice was rotated until AWS KMS refused. What does it cost a month?

# %% shows="07.cost"
views.RotationTimeline(aws, {"For practice": practice_key}, title="Rotated until it was refused")

# %% [markdown]
# A key costs one dollar a month. The first and the second rotation add a dollar each, and all later ones nothing.

# %%
from kmscourse import facts

facts.get("PRI-02")

# %% [markdown]
# Manual rotation costs a dollar for each key that is kept. Everything in this notebook, over its years:

# %%
aws.meter.bill()

# %% [markdown]
# ## On the exam, and today
#
# | Study notes say | Today |
# |---|---|
# | AWS managed key: automatic every year | Still so. Older ones, until May 2022: every three years |
# | Customer managed key: automatic every year, must be enabled | Must still be enabled; the period is 90 to 2,560 days, and 365 is only the default (since April 2024) |
# | Imported key: only manual rotation possible, using an alias | Automatic rotation is still impossible, but on-demand rotation in place works since June 2025. Older questions mean the alias |
# | (not in the notes) | On-demand rotation: 25 for each key; it was 10 at first |
#
# "Without changing the application" points to rotation inside AWS KMS, or to an alias. "Old data must be encrypted
# under the new key" needs `ReEncrypt`: rotation alone does not.

# %%
facts.get("ROT-01")

# %%
facts.get("ROT-06")

# %%
facts.get("ROT-05")

# %% [markdown]
# ## Lab
#
# Now you: type `course lab 07-rotation` in a terminal (*File, New, Terminal*). Seven tasks, each checked, each with hints.

# %% [markdown]
# ## Check yourself

# %%
from kmscourse import exam

exam.check_yourself("07-rotation")
