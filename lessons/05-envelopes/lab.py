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
# # Lab 05 · Envelopes
#
# Six tasks, about 25 minutes. Replace each `...` with your code, run the cell, then run the check below it.
# A check says what is still missing; `lab.hint("seal")` gives a hint, and after an attempt
# `lab.solution("seal")` shows one solution. Any correct way passes.
#
# You can run any cell again at any time.

# %%
import json
import os

import boto3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse import cloud, lab

aws = cloud.start(seed="05-envelopes-lab")
lab.begin("05-envelopes")

# %% [markdown]
# The clinic's application signs its calls as `clinic-app`; plain `boto3` is the account's administrator.

# %%
clinic = aws.session("clinic-app")
clinic_kms = clinic.client("kms")
record = json.dumps({"patient": "4711", "diagnosis": "type 2 diabetes"}).encode()
context = {"patient": "4711"}

# %% [markdown]
# ## 1 · Who may use the key
#
# Write a **key policy** as a dictionary with two statements:
#
# - the account (`arn:aws:iam::<account id>:root`) may manage the key: at least `kms:PutKeyPolicy` and
#   `kms:DescribeKey`; it must not be able to decrypt,
# - the user `clinic-app` may call `kms:GenerateDataKey`, `kms:Decrypt` and `kms:ReEncrypt*`.
#
# A statement that allows something looks like this. In a key policy, `"Resource": "*"` means: this key.


# %%
def allow(principal, actions):
    return {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": actions,
        "Resource": "*",
    }


# %% task="policy"
def records_key_policy(account_id):
    """The key policy of the clinic's record key, as a dictionary."""
    # begin solution
    account = f"arn:aws:iam::{account_id}"
    manage = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy"]
    use = ["kms:GenerateDataKey", "kms:Decrypt", "kms:ReEncrypt*"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            allow(f"{account}:root", manage),
            allow(f"{account}:user/clinic-app", use),
        ],
    }
    # end solution


# %%
lab.check("policy")

# %% [markdown]
# The rest of the lab works with two keys. These were made for you, with a policy like the one above, so that
# you can go on even if task 1 is still open.

# %%
account = f"arn:aws:iam::{aws.account_id}"
use = ["kms:GenerateDataKey", "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*"]
policy = {
    "Version": "2012-10-17",
    "Statement": [
        allow(f"{account}:root", ["kms:Describe*", "kms:Get*", "kms:PutKeyPolicy"]),
        allow(f"{account}:user/clinic-app", use),
    ],
}

# %%
kms = boto3.client("kms")
key_id = kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
new_key_id = kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]

# %% [markdown]
# ## 2 · Seal
#
# Ask KMS for a data key, encrypt the record with AES-GCM, and return the envelope: a dictionary with
# `"wrapped_key"`, `"nonce"` (12 bytes, never the same twice) and `"ciphertext"`, and nothing else. Bind the wrapped key
# to the encryption context. AES-GCM gets no associated data (`None`), so that the next task can open it.


# %% task="seal"
def seal(kms, key_id, record, context):
    """Seal a record under a data key of its own.

    Returns a dictionary: wrapped_key, nonce, ciphertext, all bytes.
    """
    # begin solution
    data_key = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=context)
    nonce = os.urandom(12)
    return {
        "wrapped_key": data_key["CiphertextBlob"],
        "nonce": nonce,
        "ciphertext": AESGCM(data_key["Plaintext"]).encrypt(nonce, record, None),
    }
    # end solution


# %%
lab.check("seal")

# %% [markdown]
# ## 3 · Open
#
# The way back. If anything was changed, or the context is another patient's, an error must reach the caller:
# half a record is worse than none.


# %% task="open"
def open_envelope(kms, envelope, context):
    """The record in an envelope that `seal` made."""
    # begin solution
    answer = kms.decrypt(CiphertextBlob=envelope["wrapped_key"], EncryptionContext=context)
    return AESGCM(answer["Plaintext"]).decrypt(envelope["nonce"], envelope["ciphertext"], None)
    # end solution


# %%
lab.check("open")

# %% [markdown]
# ## 4 · Move to a new key
#
# The clinic gets a new KMS key. There are terabytes of envelopes. Return the same envelope under the new key,
# without decrypting the record and without the data key ever leaving KMS.


# %% task="move"
def move_to(kms, envelope, new_key_id, context):
    """The envelope with its data key wrapped by another KMS key."""
    # begin solution
    moved = kms.re_encrypt(
        CiphertextBlob=envelope["wrapped_key"],
        SourceEncryptionContext=context,
        DestinationKeyId=new_key_id,
        DestinationEncryptionContext=context,
    )
    return {**envelope, "wrapped_key": moved["CiphertextBlob"]}
    # end solution


# %%
lab.check("move")

# %% [markdown]
# ## 5 · Two keys, one message
#
# Now with the AWS Encryption SDK. The next cell makes a client and a keyring for each of the two keys.

# %%
import logging

logging.getLogger("aws_encryption_sdk").addHandler(logging.NullHandler())

import aws_encryption_sdk
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    CreateAwsKmsKeyringInput,
    CreateMultiKeyringInput,
)

sdk = aws_encryption_sdk.EncryptionSDKClient()
providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


# %%
def keyring_of(key_id):
    return providers.create_aws_kms_keyring(
        CreateAwsKmsKeyringInput(kms_key_id=key_id, kms_client=clinic_kms)
    )


# %% [markdown]
# Seal one message that *either* keyring opens alone.


# %% task="two"
def seal_for_either(record, first, second, context):
    """One message of the AWS Encryption SDK that each of two keyrings opens."""
    # begin solution
    either = providers.create_multi_keyring(
        CreateMultiKeyringInput(generator=first, child_keyrings=[second])
    )
    message, _ = sdk.encrypt(source=record, keyring=either, encryption_context=context)
    return message
    # end solution


# %%
lab.check("two")

# %% [markdown]
# ## 6 · Fifty records, few calls
#
# Every morning the clinic seals a batch. Seal each record into a message of its own with at most **five** requests for
# data keys, for fifty records. `botocore_session` signs as `clinic-app`; a `StrictAwsKmsMasterKeyProvider` takes it.
# As in part 6 of the lesson, what you need is in `aws_encryption_sdk`.


# %% task="many"
def seal_many(records, key_id, botocore_session, context):
    """A list of messages of the AWS Encryption SDK, one for each record."""
    # begin solution
    provider = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(
        key_ids=[key_id], botocore_session=botocore_session
    )
    cache = aws_encryption_sdk.LocalCryptoMaterialsCache(capacity=10)
    caching = aws_encryption_sdk.CachingCryptoMaterialsManager(
        master_key_provider=provider, cache=cache, max_age=60.0, max_messages_encrypted=20
    )
    sealing = {"materials_manager": caching, "encryption_context": context}
    return [sdk.encrypt(source=record, **sealing)[0] for record in records]
    # end solution


# %%
lab.check("many")

# %% [markdown]
# ## Where you are

# %%
lab.check()
