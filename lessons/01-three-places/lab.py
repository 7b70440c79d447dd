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
# # Lab 01 · Three places
#
# Seven tasks, about 25 minutes. Replace each `...` with your code, run the cell, then run the check below it.
# A check says what is still missing; `lab.hint("seal")` gives a hint, and after an attempt
# `lab.solution("seal")` shows one solution. Any correct way passes.
#
# You can run any cell again at any time.

# %%
import json
import os

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse import cloud, lab, tls

aws = cloud.start(seed="01-three-places-lab")
lab.begin("01-three-places")

# %% [markdown]
# The clinic's laboratory sends its results to the wards. This is one of them:

# %%
result = json.dumps({"patient": "4711", "test": "HbA1c", "percent": 7.9}).encode()

# %% [markdown]
# ## 1 · Seal
#
# Laboratory and ward share a `key` of 32 bytes. Encrypt a result with AES-GCM. Bind it to the patient's number as associated
# data: `patient` is text, such as `"4711"`, and `patient.encode()` makes bytes of it. Return one piece of bytes: the nonce
# (12 bytes, a new one each time), then what AES-GCM gives.


# %% task="seal"
def seal(key, result, patient):
    """Nonce and ciphertext in one piece, bound to the patient's number."""
    # begin solution
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, result, patient.encode())
    # end solution


# %%
lab.check("seal")

# %% [markdown]
# ## 2 · Open
#
# The way back, on the ward. If anything was changed, or it belongs to another patient, an error must reach the caller.


# %% task="open"
def open_sealed(key, sealed, patient):
    """The result in what `seal` made."""
    # begin solution
    return AESGCM(key).decrypt(sealed[:12], sealed[12:], patient.encode())
    # end solution


# %%
lab.check("open")

# %% [markdown]
# ## 3 · Forge
#
# An old machine still encrypts with AES in counter mode, without a tag. You are on its wire, without the key. You know that
# the plaintext has the bytes `was` at `position`, counted from 0. Return a ciphertext whose plaintext has `becomes` there,
# and is the same as before everywhere else; `was` and `becomes` are of the same length.
#
# One byte, such as `was[0]`, is a number. `old ^ new` has the bits in which two bytes differ, and `byte ^ bits` is the byte
# with those bits turned over.


# %% task="forge"
def forge(ciphertext, position, was, becomes):
    """A ciphertext that decrypts to another plaintext, made without the key."""
    # begin solution
    forged = bytearray(ciphertext)
    for offset, (old, new) in enumerate(zip(was, becomes, strict=True)):
        forged[position + offset] ^= old ^ new
    return bytes(forged)
    # end solution


# %%
lab.check("forge")

# %% [markdown]
# ## 4 · A letter to the pharmacy
#
# The pharmacy has published an RSA public key. Your letter is longer than RSA takes. So encrypt the letter under a new AES
# key, and that key with the public key. Return a dictionary with `"wrapped_key"`, `"nonce"` and `"ciphertext"`, and nothing
# else. Use `oaep` for RSA, and no associated data (`None`) for AES-GCM.

# %%
oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


# %% task="letter"
def letter_to(public_key, letter):
    """A letter that only the owner of the private key opens."""
    # begin solution
    key, nonce = AESGCM.generate_key(bit_length=256), os.urandom(12)
    return {
        "wrapped_key": public_key.encrypt(key, oaep),
        "nonce": nonce,
        "ciphertext": AESGCM(key).encrypt(nonce, letter, None),
    }
    # end solution


# %%
lab.check("letter")

# %% [markdown]
# ## 5 · On the way
#
# Send a request to the clinic's server, over the wire `pipe`, so that nobody on the way can read it: not by listening, and not by standing
# in between. `tls.Client(host, trust=...)` is a browser that trusts a CA. `tls.converse(client=..., server=..., request=...,
# response=..., pipe=...)` lets the two talk; return what it gives. The `response` may be any bytes.


# %% task="send"
def send(request, host, server, ca, pipe):
    """The conversation in which a request went to the server, past whoever holds the pipe."""
    # begin solution
    browser = tls.Client(host, trust=ca)
    said = {"request": request, "response": b"HTTP/1.1 204 No Content\r\n\r\n"}
    return tls.converse(client=browser, server=server, pipe=pipe, **said)
    # end solution


# %%
lab.check("send")

# %% [markdown]
# ## 6 · Who can read it?
#
# The question of the course, as a function. Given a boto3 session, fetch the object and say whether the bytes `secret` can be
# read in it. Where AWS refuses the call, boto3 raises a `ClientError`, and the answer is `False`.


# %% task="reads"
def can_read(session, bucket, key, secret):
    """Whether whoever signs with this session sees the secret in an object."""
    # begin solution
    try:
        body = session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError:
        return False
    return secret in body
    # end solution


# %%
lab.check("reads")

# %% [markdown]
# ## 7 · The right place
#
# Two buckets, two wishes. Store a result in each so that its wish is met. `kms_key` is the id of a KMS key, and `key` is 32
# bytes that only laboratory and ward have.
#
# - `wards`: the report job may get every object and use no KMS key. Its access key has leaked, so it must not read the
#   result. The administrators, who may do both, still read it.
# - `research`: the administrators must not read it either. The ward can, with `key`, if it is stored as in task 1.


# %% task="places"
def store(s3, result, patient, kms_key, key):
    """Store a result as `<patient>.json` in the buckets `wards` and `research`."""
    # begin solution
    name = f"{patient}.json"
    s3.put_object(
        Bucket="wards",
        Key=name,
        Body=result,
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=kms_key,
    )
    s3.put_object(Bucket="research", Key=name, Body=seal(key, result, patient))
    # end solution


# %%
lab.check("places")

# %% [markdown]
# ## Where you are

# %%
lab.check()
