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
# # Lab 00 · Start here
#
# Five small tasks, ten minutes. Replace each `...` with your code, run the cell, then run the check below it.
#
# Try this first: run the check of task 1 *before* you change anything. Then ask `lab.hint("key")`.

# %%
import boto3
from botocore.exceptions import ClientError

from kmscourse import cloud, lab

aws = cloud.start(seed="00-start-here-lab")
kms = boto3.client("kms")
lab.begin("00-start-here")

# %% [markdown]
# ## 1 · A key
#
# Create a KMS key with the description `clinic`, and keep its key id.

# %% task="key"
# begin solution
# stub: key_id = ...  # your code here
key_id = kms.create_key(Description="clinic")["KeyMetadata"]["KeyId"]
# end solution

# %%
lab.check("key")

# %% [markdown]
# ## 2 · A secret
#
# Write a function that encrypts a text with a KMS key and returns the ciphertext. KMS takes bytes: `text.encode()`.


# %% task="encrypt"
def encrypt(kms, key_id, text):
    """The ciphertext of a text, as bytes."""
    # begin solution
    return kms.encrypt(KeyId=key_id, Plaintext=text.encode())["CiphertextBlob"]
    # end solution


# %%
lab.check("encrypt")

# %% [markdown]
# ## 3 · And back
#
# Write the way back: from the ciphertext to the text. `bytes.decode()` makes text of bytes.


# %% task="decrypt"
def decrypt(kms, ciphertext):
    """The text that `encrypt` was given."""
    # begin solution
    return kms.decrypt(CiphertextBlob=ciphertext)["Plaintext"].decode()
    # end solution


# %%
lab.check("decrypt")

# %% [markdown]
# ## 4 · A refusal
#
# AWS says no with an error that has a code. Write a function that tries to decrypt and returns the **error code**, or
# `None` where it worked. boto3 raises `ClientError`; its code is `error.response["Error"]["Code"]`.


# %% task="refusal"
def why_not(kms, ciphertext):
    """The error code with which KMS refuses to decrypt, or None."""
    # begin solution
    try:
        kms.decrypt(CiphertextBlob=ciphertext)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None
    # end solution


# %%
lab.check("refusal")

# %% [markdown]
# ## 5 · Time
#
# A key is never deleted at once. Write a function that schedules a key's deletion with the shortest waiting period, lets
# the simulated time pass with `aws.clock.advance(days=...)`, and leaves the key gone.


# %% task="time"
def delete_key(kms, clock, key_id):
    """Delete a KMS key, waiting as short as AWS allows. `clock` is `aws.clock`."""
    # begin solution
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    clock.advance(days=7)
    # end solution


# %%
lab.check("time")

# %% [markdown]
# ## Where you are
#
# That is how every lab works. `course progress` shows the same in a terminal.

# %%
lab.check()
