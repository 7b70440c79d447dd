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
# # 00 · Start here
#
# In this course little is taken on trust. What is said about encryption on AWS is a cell that you run, against
# a simulated AWS that behaves like the real one: it enforces policies, what it stores really is
# ciphertext, and each call is on the audit trail and on the bill.
#
# Ten minutes, and you know how everything works.

# %% [markdown]
# ## 1 · Run a cell
#
# Click into the grey box below and press <kbd>Shift</kbd> + <kbd>Enter</kbd>. The box is a *cell*; what appears under
# it is its output. You can run any cell again, and nothing breaks.
#
# The lessons are read-only. For notes of your own: *File, Save Notebook As*, into `my-work/`.

# %%
1 + 1

# %% [markdown]
# ## 2 · Start the simulated AWS
#
# One line starts it. From then on **boto3**, the library with which Python programs call AWS, talks to it, and only
# to it. The code you write in this course is the code you would write at work.

# %%
import boto3

from kmscourse import cloud

aws = cloud.start(seed="00-start-here")
kms = boto3.client("kms")

# %% [markdown]
# **AWS KMS**, the Key Management Service, keeps keys that never leave it. Create one, and let it encrypt a word:

# %%
key_id = kms.create_key(Description="My first key")["KeyMetadata"]["KeyId"]
sealed = kms.encrypt(KeyId=key_id, Plaintext=b"hello")["CiphertextBlob"]
b"hello" in sealed

# %% [markdown]
# `False`: the word is no longer there. Only the key brings it back.

# %%
kms.decrypt(CiphertextBlob=sealed)["Plaintext"]

# %% [markdown]
# ## 3 · Predict, then run
#
# The lessons ask before they show. Guess first; a wrong guess teaches most.
#
# **Predict:** the next cell disables the key and then decrypts. What happens? (It may end in a red box, on purpose.)

# %% tags=["raises-exception"]
kms.disable_key(KeyId=key_id)
kms.decrypt(CiphertextBlob=sealed)

# %% [markdown]
# A red box is not always a mistake. Here it is the point: the error code and the words are those of AWS.

# %% [markdown]
# ## 4 · Look behind the scenes
#
# Three things that take days to arrange on AWS are one line here. Who did what, from the **audit trail**:

# %%
aws.trail.events()

# %% [markdown]
# What it would have cost, after a year. The clock is simulated, too:

# %% tags=["moves-on"]
aws.clock.advance(days=365)
aws.meter.bill()

# %% [markdown]
# And where a number comes from. Each price, limit and date in this course has a source and a date.

# %%
from kmscourse import facts

facts.get("PRI-01")

# %% [markdown]
# ## 5 · Open a widget
#
# Some things are better seen than read. Below is an *envelope*, which lesson 05 takes apart. Press <kbd>Tab</kbd> until a
# layer is framed, open it with <kbd>Enter</kbd>, and move with the arrow keys. The mouse works, too.

# %%
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse import views

kms.enable_key(KeyId=key_id)
data_key = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
nonce = os.urandom(12)
envelope = {
    "wrapped_key": data_key["CiphertextBlob"],
    "nonce": nonce,
    "ciphertext": AESGCM(data_key["Plaintext"]).encrypt(nonce, b"a patient's record", None),
}
views.Envelope(envelope)

# %% [markdown]
# ## 6 · Do a lab
#
# Each lesson has a lab: tasks that a check looks at, with hints. In a terminal (*File, New, Terminal*):
#
# | You type | and |
# |---|---|
# | `course lab 00-start-here` | your own copy opens, in `my-work/` |
# | `course reset 00-start-here` | a fresh copy; the old one is kept under a dated name |
# | `course progress` | you see what is done |
#
# In the lab, `lab.check("key")` looks at a task, `lab.hint("key")` helps, and after an attempt `lab.solution("key")` shows
# one solution. The lab of this lesson takes ten minutes. Do it now.

# %% [markdown]
# ## What is simulated, and what is not
#
# | | |
# |---|---|
# | The services (KMS, S3 and the rest) | Simulated, inside this notebook: [moto](https://docs.getmoto.org), completed by this course |
# | Encryption | Real: AES-GCM by the `cryptography` library, the real AWS Encryption SDK |
# | Your code | Real: plain boto3, the same as on a real account |
# | Policies, errors, their words | As AWS documents them; [fidelity](../docs/fidelity.md) says where we differ |
# | The clock | Simulated; it moves when you say so |
# | Credentials | Invented. Real ones on this machine are out of sight |
#
# Nothing can reach AWS, and nothing can cost money. Try it:

# %% shows="00.what-is-simulated"
import urllib.request

try:
    urllib.request.urlopen("https://aws.amazon.com")
except Exception as refused:
    print(refused)

# %% [markdown]
# ## Your map
#
# Each lesson breaks something, mends it, looks inside, and ends with a lab and questions. They tell one story, of a
# small clinic and its patients' records, and each can be done alone. This is where you are; run the cell again
# whenever you come back.

# %%
from kmscourse import home

home.lesson_map()

# %% [markdown]
# *Minutes* are for the notebook and its lab. The last columns say how many of its questions serve each exam: the AWS
# certifications Solutions Architect (SAA, SAP), Security (SCS), Developer (DVA) and CloudOps Engineer (SOA).
#
# ## An exam in three weeks?
#
# The plan takes the lessons that serve your exam most for the minutes they take, and keeps time for two mock exams.
# Put in your exam, your weeks and your hours a week:

# %%
home.fast_track("SAA-C03", weeks=3, hours=4)

# %% [markdown]
# Words you meet again and again stand in the [glossary](../docs/glossary.md). Whether the simulator does something as AWS
# does it, [fidelity](../docs/fidelity.md) says, and where every number is from, [facts](../docs/facts.md).

# %% [markdown]
# ## Check yourself

# %% shows="00.reading-exam-questions"
from kmscourse import exam

exam.check_yourself("00-start-here")
