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
# # Lab 06 · Key types
#
# The clinic opens a laboratory. Six tasks, about 30 minutes. Replace each `...` with your code, run the cell, then run
# the check below it. A check says what is still missing; `lab.hint("keys")` gives a hint, and after an attempt
# `lab.solution("keys")` shows one solution. Any correct way passes.
#
# You can run any cell again at any time.

# %%
import os

import boto3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse import cloud, lab

aws = cloud.start(seed="06-key-types-lab")
kms = boto3.client("kms")
s3 = boto3.client("s3")
lab.begin("06-key-types")

# %% [markdown]
# ## 1 · Six needs, six keys
#
# Make a KMS key for each need, and return a dictionary from the need to the key's id:
#
# - `"bucket"`: Amazon S3 encrypts the laboratory's reports with it (SSE-KMS),
# - `"couriers"`: couriers without AWS seal delivery notes with a public key; the laboratory opens them,
# - `"results"`: the laboratory signs its results; hospitals verify them without AWS,
# - `"sessions"`: the portal makes a code over a session and later checks it; all of it happens inside AWS,
# - `"institute"`: the laboratory and an institute reach one secret, each with the other's public key (ECDH),
# - `"archive"`: signatures that must hold against a quantum computer.


# %% task="keys"
def make_keys(kms):
    """A KMS key for each need: a dictionary from need to key id."""
    # begin solution
    wanted = {
        "bucket": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        "couriers": ("RSA_2048", "ENCRYPT_DECRYPT"),
        "results": ("ECC_NIST_P256", "SIGN_VERIFY"),
        "sessions": ("HMAC_256", "GENERATE_VERIFY_MAC"),
        "institute": ("ECC_NIST_P256", "KEY_AGREEMENT"),
        "archive": ("ML_DSA_65", "SIGN_VERIFY"),
    }
    return {
        need: kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
        for need, (spec, usage) in wanted.items()
    }
    # end solution


# %%
lab.check("keys")

# %% [markdown]
# ## 2 · Seal, without AWS
#
# You are a courier. You have a public key as DER (it is RSA), a delivery note of any length, and no AWS. Return a
# dictionary with `"wrapped_key"` (sealed with RSA-OAEP and SHA-256), `"nonce"` (12 bytes) and `"ciphertext"` (AES-GCM
# without associated data, `None`), so that whoever may call `Decrypt` can open it.


# %% task="courier"
def seal_outside(public_der, note):
    """Seal a note for the holder of the private key: wrapped_key, nonce, ciphertext."""
    # begin solution
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    data_key, nonce = AESGCM.generate_key(bit_length=256), os.urandom(12)
    public_key = serialization.load_der_public_key(public_der)
    return {
        "wrapped_key": public_key.encrypt(data_key, oaep),
        "nonce": nonce,
        "ciphertext": AESGCM(data_key).encrypt(nonce, note, None),
    }
    # end solution


# %%
lab.check("courier")

# %% [markdown]
# ## 3 · Is it genuine?
#
# You are a hospital. A result arrives with a signature, made by KMS with `ECDSA_SHA_256` over the result's SHA-256
# digest. You have the public key as DER. Answer `True` or `False`, without AWS.


# %% task="genuine"
def is_genuine(public_der, result, signature):
    """Whether the holder of the private key signed exactly this result."""
    # begin solution
    public_key = serialization.load_der_public_key(public_der)
    try:
        public_key.verify(signature, result, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
    # end solution


# %%
lab.check("genuine")

# %% [markdown]
# ## 4 · Bring your own
#
# The laboratory's old system made 32 bytes of key material. Import them into a KMS key of the origin `EXTERNAL`, without an
# expiry. The function is used for the first import, and again when the material was deleted or has expired.


# %% task="import"
def import_material(kms, key_id, material):
    """Import the material into the KMS key, for good. Returns nothing."""
    # begin solution
    parameters = kms.get_parameters_for_import(
        KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    wrapping_key = serialization.load_der_public_key(parameters["PublicKey"])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    kms.import_key_material(
        KeyId=key_id,
        ImportToken=parameters["ImportToken"],
        EncryptedKeyMaterial=wrapping_key.encrypt(material, oaep),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    # end solution


# %%
lab.check("import")

# %% [markdown]
# ## 5 · Whose key is it?
#
# An auditor brings a form that still speaks of CMKs. For an object in S3, say what stands in the form:
# `"AWS owned CMK"`, `"AWS managed CMK"` or `"customer managed CMK"`.


# %% task="whose"
def whose_key(s3, kms, bucket, key):
    """Whose key protects the object, in the words of the auditor's form."""
    # begin solution
    head = s3.head_object(Bucket=bucket, Key=key)
    if head["ServerSideEncryption"] == "AES256":
        return "AWS owned CMK"
    described = kms.describe_key(KeyId=head["SSEKMSKeyId"])["KeyMetadata"]
    return "AWS managed CMK" if described["KeyManager"] == "AWS" else "customer managed CMK"
    # end solution


# %%
lab.check("whose")

# %% [markdown]
# ## 6 · Pull the plug
#
# Some keys of the laboratory lie in a key manager in the basement, behind an external key store. There was a break-in.
# Cut the basement off, so that none of its keys can be used, but all of them can be used again tomorrow. Return the ids
# of the KMS keys that can no longer be used because of it, in any order.


# %% task="plug"
def pull_the_plug(kms, store_id):
    """Make every key of the custom key store unusable for now; returns a list of their ids."""
    # begin solution
    kms.disconnect_custom_key_store(CustomKeyStoreId=store_id)
    every = [
        kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        for page in kms.get_paginator("list_keys").paginate()
        for key in page["Keys"]
    ]
    return [key["KeyId"] for key in every if key.get("CustomKeyStoreId") == store_id]
    # end solution


# %%
lab.check("plug")

# %% [markdown]
# ## Where you are

# %%
lab.check()
