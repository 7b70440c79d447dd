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
# # Lab 12 · Cost and quotas
#
# Six tasks, about 30 minutes. Replace each `...` with your code, run the cell, then run the check below it.
# A check says what is still missing; `lab.hint("keys")` gives a hint, and after an attempt
# `lab.solution("keys")` shows one solution. Any correct way passes.
#
# You work for the clinic's laboratory. It makes a few thousand blood results a day, and its bill and its quota are its
# own.

# %%
import os
import random

import boto3
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse import cloud, facts, lab

aws = cloud.start(seed="12-cost-and-quotas-lab")
kms, s3 = boto3.client("kms"), boto3.client("s3")
key_id = kms.create_key(Description="the laboratory's key")["KeyMetadata"]["Arn"]
lab.begin("12-cost-and-quotas")

# %% [markdown]
# Prices are figures of the register: take them from there, so that your sums are right when a price changes.
# `facts.price(name).value` is the price of `facts.price(name).per` units. It is a `Decimal`, which is exact: multiply and
# divide it by whole numbers, and do not mix it with floats such as `0.06`.

# %%
[facts.price("kms.key.month"), facts.price("kms.request.symmetric")]

# %% [markdown]
# ## 1 · What stands
#
# How many dollars a month do these keys cost? There are `keys` customer managed keys. Each has `replicas` replica keys in
# other Regions, and each has been rotated `rotations` times.


# %% task="keys"
def keys_per_month(keys, replicas, rotations):
    """Dollars a month, as a number."""
    # begin solution
    billed = keys * (1 + replicas)
    return billed * (1 + min(rotations, 2)) * facts.price("kms.key.month").value
    # end solution


# %%
lab.check("keys")

# %% [markdown]
# ## 2 · What is asked
#
# How many dollars does a month of requests cost? `requests` is a dictionary, by the names of the prices, such as
# `{"kms.request.symmetric": 50_000, "kms.request.asymmetric": 200}`. A kind that was not asked for may be missing. These
# are the names:

# %%
[name for name in facts.prices() if name.startswith("kms.request")]

# %% [markdown]
# The free tier is `int(facts.limit("kms.free-tier.requests"))` requests.


# %% task="requests"
def requests_per_month(requests):
    """Dollars for a month of requests, less the free tier."""
    # begin solution
    dollars = 0
    for name, number in requests.items():
        if name == "kms.request.symmetric":
            number = max(0, number - int(facts.limit("kms.free-tier.requests")))
        dollars += facts.price(name).cost(number)
    return dollars
    # end solution


# %%
lab.check("requests")

# %% [markdown]
# ## 3 · Ask less: the bucket
#
# The laboratory puts its results into a bucket. Set the bucket's default encryption so that each new object is encrypted
# with SSE-KMS under the key `key_id`, and S3 asks KMS once for many objects.


# %% task="bucket"
def encrypt_bucket(s3, bucket, key_id):
    """Set the bucket's default encryption. Returns nothing."""
    # begin solution
    how = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_id}
    rule = {"ApplyServerSideEncryptionByDefault": how, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    # end solution


# %%
lab.check("bucket")

# %% [markdown]
# ## 4 · Ask less: the analyser
#
# The analyser seals its results itself, before they leave the room. Write a small cache: seal each result with AES-GCM,
# with **at most** `at_most` results under one data key, and with as few requests to KMS as that allows.
#
# Return a list with one dictionary for each result, in their order: `"wrapped_key"`, `"nonce"` (12 bytes) and
# `"ciphertext"`, and nothing else. AES-GCM gets no associated data (`None`).


# %% task="cache"
def seal_results(kms, key_id, results, at_most):
    """A list of envelopes, one for each of the results (bytes)."""
    # begin solution
    sealed = []
    for number, result in enumerate(results):
        if number % at_most == 0:
            data_key = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
        nonce = os.urandom(12)
        ciphertext = AESGCM(data_key["Plaintext"]).encrypt(nonce, result, None)
        sealed.append(
            {"wrapped_key": data_key["CiphertextBlob"], "nonce": nonce, "ciphertext": ciphertext}
        )
    return sealed
    # end solution


# %%
lab.check("cache")

# %% [markdown]
# ## 5 · Be patient
#
# Write a retry with exponential backoff. `call()` makes a request; `wait(seconds)` waits.
#
# - A result is returned at once, without waiting.
# - After a `ThrottlingException` it waits and calls again: up to 1 second before the second attempt, up to 2 before the
#   third, up to 4 before the fourth, and so on. How long within that is left to chance.
# - After `attempts` attempts in all, the last error reaches the caller.
# - Any other error reaches the caller at once.


# %% task="backoff"
def patiently(call, wait, attempts):
    """What `call()` returns, tried up to `attempts` times."""
    # begin solution
    for attempt in range(attempts):
        if attempt:
            wait(random.uniform(0, 2 ** (attempt - 1)))
        try:
            return call()
        except ClientError as error:
            if error.response["Error"]["Code"] != "ThrottlingException":
                raise
            refused = error
    raise refused
    # end solution


# %%
lab.check("backoff")

# %% [markdown]
# ## 6 · Where it breaks even
#
# The laboratory now has one key and no Bucket Key: each object, written or read, is one request. A colleague proposes a
# separate key for each of its teams, `extra_keys` more than now, and Bucket Keys.
#
# From how many objects a month on is that the cheaper of the two? With Bucket Keys, take the few requests that are left as
# free; do not forget that the free tier helps today's design, too.


# %% task="even"
def breaks_even_at(extra_keys):
    """The smallest whole number of objects a month from which the proposal is cheaper."""
    # begin solution
    price = facts.price("kms.request.symmetric")
    saved = extra_keys * facts.price("kms.key.month").value
    free = int(facts.limit("kms.free-tier.requests"))
    return free + int(saved * price.per / price.value) + 1
    # end solution


# %%
lab.check("even")

# %% [markdown]
# ## Where you are

# %%
lab.check()
