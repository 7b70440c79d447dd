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
# # Lab 04 · KMS
#
# The clinic works with a laboratory. A small program, `lab-gateway`, fetches the results every hour and signs in with a
# *token*. You give the token a place.
#
# Seven tasks, about 30 minutes. Replace each `...` with your code, run the cell, then run the check below it.
# `lab.hint("seal")` gives a hint, and after an attempt `lab.solution("seal")` shows one solution. Any correct way passes.
#
# You can run any cell again at any time.

# %%
import base64
import json
import os

import boto3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse import cloud, lab

aws = cloud.start(seed="04-kms-lab")
lab.begin("04-kms")

# %% [markdown]
# Plain `boto3` is the account's administrator; the program signs its calls as `lab-gateway`.

# %%
kms = boto3.client("kms")
gateway = aws.session("lab-gateway")
key = kms.create_key(Description="Secrets of the lab gateway")["KeyMetadata"]
try:
    kms.create_alias(AliasName="alias/lab-gateway", TargetKeyId=key["KeyId"])
except kms.exceptions.AlreadyExistsException:
    kms.update_alias(AliasName="alias/lab-gateway", TargetKeyId=key["KeyId"])
token = "token-7b1f-of-the-laboratory"
context = {"app": "lab-gateway"}

# %% [markdown]
# ## 1 · Seal the token
#
# Encrypt a secret with KMS, bound to the encryption context. Return **text**, in base64, so that it fits into a settings
# file or an environment variable.


# %% task="seal"
def seal(kms, key_id, secret, context):
    """A secret (text) as ciphertext of KMS, in base64."""
    # begin solution
    answer = kms.encrypt(KeyId=key_id, Plaintext=secret.encode(), EncryptionContext=context)
    return base64.b64encode(answer["CiphertextBlob"]).decode()
    # end solution


# %%
lab.check("seal")

# %% [markdown]
# ## 2 · Let the program open it
#
# Write the **IAM policy** of `lab-gateway`, as a dictionary: it may decrypt with this one key, and only with the context
# `app = lab-gateway`. A condition on it looks like this, and stands beside `Effect`, `Action` and `Resource`:
#
#     "Condition": {"StringEquals": {"kms:EncryptionContext:app": "..."}}


# %% task="permission"
def open_policy(key_arn):
    """The IAM policy of lab-gateway, as a dictionary."""
    # begin solution
    return {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": key_arn,
            "Condition": {"StringEquals": {"kms:EncryptionContext:app": "lab-gateway"}},
        },
    }
    # end solution


# %%
lab.check("permission")

# %% [markdown]
# ## 3 · From a terminal
#
# Someone on call has no Python at hand, only the AWS CLI and a file with the ciphertext (its bytes, not base64). Return the
# command line that decrypts it, with the context `app = lab-gateway`, as text: the check runs it. The answer may be printed
# as the CLI prints it; leave out what would follow after a `|`.


# %% task="cli"
def decrypt_command(path):
    """The command line, as text, that decrypts the file with the AWS CLI."""
    # begin solution
    return f"aws kms decrypt --ciphertext-blob fileb://{path} --encryption-context app=lab-gateway"
    # end solution


# %%
lab.check("cli")

# %% [markdown]
# ## 4 · A long secret
#
# The laboratory also sends a list of its keys: 20,000 bytes and more. Seal it under a data key of its own: a dictionary with
# `"wrapped_key"`, `"nonce"` and `"ciphertext"`, all bytes, made with AES-GCM without associated data (`None`). The wrapped
# key is bound to the context.


# %% task="long"
def seal_long(kms, key_id, data, context):
    """Bytes of any length, sealed under a data key of their own."""
    # begin solution
    data_key = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=context)
    nonce = os.urandom(12)
    return {
        "wrapped_key": data_key["CiphertextBlob"],
        "nonce": nonce,
        "ciphertext": AESGCM(data_key["Plaintext"]).encrypt(nonce, data, None),
    }
    # end solution


# %%
lab.check("long")

# %% [markdown]
# ## 5 · Two stores
#
# Put two secrets away, each where it belongs, both encrypted with the KMS key `key_id`:
#
# - `licence`, which is changed by hand every few years and should cost nothing to keep: as the parameter `/lab/licence`,
# - `password`, which is to be changed every month on a schedule: as the secret `lab/password`.
#
# Return nothing. It should also work a second time, when both exist already.


# %% task="stores"
def put_away(ssm, secretsmanager, key_id, licence, password):
    """Keep a licence in Parameter Store and a password in Secrets Manager."""
    # begin solution
    ssm.put_parameter(
        Name="/lab/licence", Value=licence, Type="SecureString", KeyId=key_id, Overwrite=True
    )
    try:
        secretsmanager.create_secret(Name="lab/password", SecretString=password, KmsKeyId=key_id)
    except secretsmanager.exceptions.ResourceExistsException:
        secretsmanager.update_secret(
            SecretId="lab/password", SecretString=password, KmsKeyId=key_id
        )
    # end solution


# %%
lab.check("stores")

# %% [markdown]
# ## 6 · A new key behind the old name
#
# Replace the key behind an alias: create a new KMS key and let the alias point to it. What the old key encrypted must still
# open. Return the new key's id.


# %% task="alias"
def replace_key(kms, alias):
    """A new key behind an alias; returns its id."""
    # begin solution
    new_key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName=alias, TargetKeyId=new_key_id)
    return new_key_id
    # end solution


# %%
lab.check("alias")

# %% [markdown]
# ## 7 · Who opened something?
#
# Ask CloudTrail (`lookup_events`) who really *decrypted* with a key. Return the user names as a set, so that
# each is in it once (`set(...)` makes one of a list). Those who were refused do not count, and neither do other operations.
# The key is used a lot.


# %% task="who"
def who_decrypted(cloudtrail, key_arn):
    """The names of those who decrypted with a key, as a set."""
    # begin solution
    names = set()
    asked = [{"AttributeKey": "ResourceName", "AttributeValue": key_arn}]
    for page in cloudtrail.get_paginator("lookup_events").paginate(LookupAttributes=asked):
        for event in page["Events"]:
            record = json.loads(event["CloudTrailEvent"])
            if event["EventName"] == "Decrypt" and "errorCode" not in record:
                names.add(event["Username"])
    return names
    # end solution


# %%
lab.check("who")

# %% [markdown]
# ## Where you are

# %%
lab.check()
