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
# # Lab 07 · Rotation
#
# Seven tasks, about 30 minutes. The clinic's laboratory has had its keys for three years, and nobody has looked after
# them. Replace each `...` with your code, run the cell, then run the check below it. `lab.hint("now")` gives a
# hint, and after an attempt `lab.solution("now")` shows one solution. Any correct way passes.
#
# You can run any cell again at any time.

# %%
import os

import boto3
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse import cloud, lab

aws = cloud.start(seed="07-rotation-lab")
kms = boto3.client("kms")
context = {"sample": "blood-17"}
lab.begin("07-rotation")

# %% [markdown]
# ## 1 · A schedule for every key
#
# Given a list of key ids, switch automatic rotation on for each key that can have it, every `days` days. Return the
# list of the key ids that cannot: keys that AWS manages, and keys whose spec or origin does not allow it. Other
# errors must reach the caller.


# %% task="everywhere"
def rotate_everywhere(kms, key_ids, days):
    """Schedules rotation where that is possible; returns the ids of the other keys."""
    # begin solution
    without = []
    for key_id in key_ids:
        about = kms.describe_key(KeyId=key_id)["KeyMetadata"]
        ours = about["KeyManager"] == "CUSTOMER" and about["Origin"] == "AWS_KMS"
        if ours and about["KeySpec"] == "SYMMETRIC_DEFAULT":
            kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=days)
        else:
            without.append(key_id)
    return without
    # end solution


# %%
lab.check("everywhere")

# %% [markdown]
# ## 2 · Once, now
#
# An employee who could use the key has left. Rotate the key at once, and return how many rotations *on demand* it has left; AWS allows 25
# for each key. Rotations on schedule do not count.


# %% task="now"
def rotate_now(kms, key_id):
    """Rotates once and returns how many rotations on demand are left."""
    # begin solution
    kms.rotate_key_on_demand(KeyId=key_id)
    pages = kms.get_paginator("list_key_rotations").paginate(KeyId=key_id)
    kinds = [each["RotationType"] for page in pages for each in page["Rotations"]]
    return 25 - kinds.count("ON_DEMAND")
    # end solution


# %%
lab.check("now")

# %% [markdown]
# ## 3 · New material for an imported key
#
# `wrap` seals key material for its way into AWS KMS, under the public key that `get_parameters_for_import` returns.
# AWS calls its algorithm `RSAES_OAEP_SHA_256`; the wrapping key may be `RSA_2048`.


# %%
def wrap(material, public_key):
    key = serialization.load_der_public_key(public_key)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return key.encrypt(material, oaep)


# %% [markdown]
# Bring new material into a key of origin `EXTERNAL` that has material already, and rotate to it. It does not expire.
# What was encrypted before must still open, and the key id stays the same.


# %% task="imported"
def rotate_imported(kms, key_id, material):
    """Imports new key material into the same key, and makes it the current one."""
    # begin solution
    given = kms.get_parameters_for_import(
        KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    kms.import_key_material(
        KeyId=key_id,
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=wrap(material, given["PublicKey"]),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
        ImportType="NEW_KEY_MATERIAL",
    )
    kms.rotate_key_on_demand(KeyId=key_id)
    # end solution


# %%
lab.check("imported")

# %% [markdown]
# ## 4 · A key that cannot rotate
#
# The stamps on laboratory reports are made with an HMAC key behind an alias. Rotate it by hand: a new key of the same
# spec and usage, and the alias moved to it. Return the new key's id. At no moment may the alias be missing, and old
# stamps must still verify.


# %% task="alias"
def rotate_by_hand(kms, alias):
    """Lets the alias name a new key of the same kind; returns its id."""
    # begin solution
    old = kms.describe_key(KeyId=alias)["KeyMetadata"]
    new = kms.create_key(KeySpec=old["KeySpec"], KeyUsage=old["KeyUsage"])["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName=alias, TargetKeyId=new)
    return new
    # end solution


# %%
lab.check("alias")

# %% [markdown]
# ## 5 · Old ciphertext under new material
#
# A key was rotated, and an auditor wants nothing left under its earlier material. Given wrapped data keys of one KMS
# key, return them in the same order, each encrypted under the *current* material of the same key and bound to the
# same encryption context. No data key may leave AWS KMS.


# %% task="renew"
def renew(kms, key_id, wrapped_keys, context):
    """The wrapped keys under the current key material."""
    # begin solution
    return [
        kms.re_encrypt(
            CiphertextBlob=wrapped,
            SourceEncryptionContext=context,
            DestinationKeyId=key_id,
            DestinationEncryptionContext=context,
        )["CiphertextBlob"]
        for wrapped in wrapped_keys
    ]
    # end solution


# %%
lab.check("renew")

# %% [markdown]
# ## 6 · After a leak
#
# The plaintext data key of an envelope has leaked. Return an envelope with the same report that the leaked data key
# does not open. An envelope is a dictionary of bytes, as in lesson 05: `wrapped_key`, `nonce` (12 bytes) and
# `ciphertext`, sealed with AES-GCM and without associated data (`None`); the wrapped key is bound to the context.


# %% task="leak"
def heal(kms, key_id, envelope, context):
    """The same report in an envelope that the leaked data key does not open."""
    # begin solution
    old = kms.decrypt(CiphertextBlob=envelope["wrapped_key"], EncryptionContext=context)
    report = AESGCM(old["Plaintext"]).decrypt(envelope["nonce"], envelope["ciphertext"], None)
    new = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=context)
    nonce = os.urandom(12)
    return {
        "wrapped_key": new["CiphertextBlob"],
        "nonce": nonce,
        "ciphertext": AESGCM(new["Plaintext"]).encrypt(nonce, report, None),
    }
    # end solution


# %%
lab.check("leak")

# %% [markdown]
# ## 7 · What a key costs
#
# Return what a key costs a month, in US dollars, without its requests. A customer managed key costs 1, its first and
# its second rotation 1 each, later ones nothing; an AWS managed key costs 0.


# %% task="cost"
def monthly_cost(kms, key_id):
    """US dollars a month for a key with symmetric key material."""
    # begin solution
    if kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyManager"] == "AWS":
        return 0
    return 1 + min(len(kms.list_key_rotations(KeyId=key_id)["Rotations"]), 2)
    # end solution


# %%
lab.check("cost")

# %% [markdown]
# ## Where you are

# %%
lab.check()
