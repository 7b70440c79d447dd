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
# # Lab 08 · Key policies
#
# Seven tasks, about 40 minutes. The clinic opens a pharmacy, and everybody needs something from its keys. Replace each
# `...` with your code, run the cell, then run the check below it. A check says what is still missing;
# `lab.hint("let")` gives a hint, and after an attempt `lab.solution("let")` shows one solution. Any correct way passes.
#
# The rule of this lab: give what is needed, **and no more**. Each check makes requests that must pass and requests that
# must not.

# %%
import json

import boto3

from kmscourse import cloud, lab

aws = cloud.start(seed="08-key-policies-lab")
lab.begin("08-key-policies")


def policy(*statements):
    """A policy document, as JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


# %% [markdown]
# ## 1 · Which document?
#
# Write a function that reads the message of a refusal and says which document to change: `"SCP"`, `"key policy"`,
# `"IAM policy"` or `"permissions boundary"`. This is one such message:

# %%
kms = boto3.client("kms")
first_key = kms.create_key()["KeyMetadata"]["Arn"]
try:
    aws.session("pharmacist").client("kms").encrypt(KeyId=first_key, Plaintext=b"x")
except kms.exceptions.ClientError as error:
    print(error.response["Error"]["Message"])


# %% task="which"
def document_to_change(message):
    """The document that has to change, from the words of AWS's refusal."""
    # begin solution
    kinds = {
        "service control policy": "SCP",
        "permissions boundary": "permissions boundary",
        "identity-based polic": "IAM policy",
        "resource-based polic": "key policy",
    }
    return next(name for words, name in kinds.items() if words in message)
    # end solution


# %%
lab.check("which")

# %% [markdown]
# ## 2 · The key leaves it to IAM
#
# A key has the default key policy. Let the user `pharmacist` **decrypt** with this key and with no other, without a
# change of the key policy. `iam` is an IAM client of the administrator.


# %% task="let"
def let_decrypt(iam, key_arn):
    """Give the user pharmacist the permission to decrypt with this one key."""
    # begin solution
    statement = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key_arn}
    iam.put_user_policy(
        UserName="pharmacist",
        PolicyName="decrypt-prescriptions",
        PolicyDocument=policy(statement),
    )
    # end solution


# %%
lab.check("let")

# %% [markdown]
# ## 3 · Lend a permission
#
# A courier's phone needs to decrypt what was encrypted for one patient: ciphertexts whose encryption context has the pair
# `"patient": patient`, whatever else is in it. When the delivery is made, the phone gives the permission back itself.
# Return the id of the grant.


# %% task="lend"
def lend(kms, key_id, grantee, patient):
    """Lend the right to decrypt for one patient. Returns the grant's id."""
    # begin solution
    grant = kms.create_grant(
        KeyId=key_id,
        GranteePrincipal=grantee,
        Operations=["Decrypt", "RetireGrant"],
        Constraints={"EncryptionContextSubset": {"patient": patient}},
    )
    return grant["GrantId"]
    # end solution


# %%
lab.check("lend")

# %% [markdown]
# ## 4 · Two accounts
#
# The insurer, account `222222222222`, sends encrypted claims. Its user `claims-app` shall **encrypt** with the pharmacy's key.
# `kms` belongs to the pharmacy's administrator, `insurer_iam` to the insurer's. Whatever the key policy allows already must go on
# working, and either account must be able to end it alone.


# %% task="share"
def share(kms, key_arn, insurer_iam):
    """Let the insurer's user claims-app encrypt with a key of the pharmacy: both halves."""
    # begin solution
    claims_app = {"AWS": "arn:aws:iam::222222222222:user/claims-app"}
    encrypt = {"Effect": "Allow", "Action": "kms:Encrypt"}
    before = json.loads(kms.get_key_policy(KeyId=key_arn)["Policy"])["Statement"]
    let_in = {**encrypt, "Principal": claims_app, "Resource": "*"}
    kms.put_key_policy(KeyId=key_arn, Policy=policy(*before, let_in))
    its_half = policy({**encrypt, "Resource": key_arn})
    insurer_iam.put_user_policy(
        UserName="claims-app", PolicyName="encrypt-claims", PolicyDocument=its_half
    )
    # end solution


# %%
lab.check("share")

# %% [markdown]
# ## 5 · Only through S3
#
# The user `pharmacy-app` stores prescriptions in Amazon S3 with SSE-KMS, in `us-east-1`. Write the **statement** of the key
# policy that lets it do so: S3 needs `kms:GenerateDataKey` to store and `kms:Decrypt` to read. A call of `pharmacy-app`
# straight to KMS, or through another service, must be refused.


# %% task="only_s3"
def only_through_s3(account_id):
    """A statement for a key policy: pharmacy-app, through Amazon S3 only."""
    # begin solution
    return {
        "Sid": "OnlyThroughS3",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account_id}:user/pharmacy-app"},
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
    }
    # end solution


# %%
lab.check("only_s3")

# %% [markdown]
# ## 6 · Whose log files?
#
# AWS CloudTrail seals the pharmacy's log files with a key of the pharmacy. It acts as `cloudtrail.amazonaws.com`, and needs
# `kms:GenerateDataKey*`. It must not seal the log files of other accounts with this key. Write the statement.


# %% task="deputy"
def for_our_trails(account_id):
    """A statement for a key policy: CloudTrail, on behalf of this account only."""
    # begin solution
    return {
        "Sid": "OurTrails",
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": "kms:GenerateDataKey*",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
    }
    # end solution


# %%
lab.check("deputy")

# %% [markdown]
# ## 7 · Six documents
#
# The pharmacy now has an account of its own, in the clinic's organization, and a key in `us-east-1`. Six documents say who may do
# what with it. Whoever wrote them was in a hurry: some give too little, some too much.
#
# | Who | Shall | Shall not |
# |---|---|---|
# | role `pharmacist` | encrypt and decrypt | use another key of the pharmacy |
# | user `robot` | encrypt, in `us-east-1` only | decrypt; anything in another Region |
# | user `claims-app` of the insurer | encrypt | decrypt; use another key |
# | user `key-keeper` | read and change the key policy | use the key |
# | everybody | | schedule the key's deletion: the organization forbids it |
#
# Nobody else: not the IT administrator, not another user of the insurer.


# %%
def statement(sid, effect, actions, resource="*", **more):
    return {"Sid": sid, "Effect": effect, "Action": actions, "Resource": resource, **more}


def hurried_key_policy(pharmacy, insurer):
    here = f"arn:aws:iam::{pharmacy}"
    keeper = {"AWS": f"{here}:user/key-keeper"}
    both = {"AWS": [f"{here}:role/pharmacist", f"{here}:user/robot"]}
    claims = {"AWS": f"arn:aws:iam::{insurer}:user/claims-app"}
    look_after = ["kms:Describe*", "kms:Get*", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"]
    return [
        statement("LookAfter", "Allow", look_after, Principal=keeper),
        statement("Use", "Allow", ["kms:Encrypt", "kms:Decrypt"], Principal=both),
        statement("Insurer", "Allow", ["kms:Decrypt"], Principal=claims),
    ]


# %%
def hurried(key, pharmacy, insurer):
    """The six documents. `key` is the key's ARN; the others are account ids."""
    elsewhere = {"StringNotEquals": {"aws:RequestedRegion": "us-east-2"}}
    their_key = key.replace(pharmacy, insurer)
    write = statement("Write", "Allow", ["kms:Encrypt"])
    return {
        "key policy": hurried_key_policy(pharmacy, insurer),
        "SCP": [statement("KeysStay", "Deny", ["kms:ScheduleKeyDeletion", "kms:Decrypt"])],
        "pharmacist": [statement("Read", "Allow", ["kms:Decrypt"])],
        "boundary of pharmacist": [statement("Edge", "Allow", ["s3:*", "kms:Encrypt"])],
        "robot": [write, statement("Region", "Deny", ["kms:*"], Condition=elsewhere)],
        "claims-app": [statement("Write", "Allow", ["kms:Encrypt"], their_key)],
    }


# %% [markdown]
# Each document is a list of statements. `repair` gets them as `hurried` wrote them, and gives them back repaired; change as little
# as you can. For example, `documents["SCP"][0]["Action"]` is the list of actions of the SCP's one statement. The check lays them into accounts of its own and makes the requests of the table, one by one. If one is
# refused, it tells you why, in the words of `aws.explain`. Repair, check, read, repair.


# %% task="repair"
def repair(documents, key, pharmacy, insurer):
    """The six documents, repaired with the fewest permissions."""
    # begin solution
    look_after, use, claims = documents["key policy"]
    pharmacist, robot = ({"AWS": arn} for arn in use["Principal"]["AWS"])
    use["Principal"], claims["Action"] = pharmacist, ["kms:Encrypt"]
    write = statement("Robot", "Allow", ["kms:Encrypt"], Principal=robot)
    documents["key policy"] = [look_after, use, write, claims]
    documents["SCP"][0]["Action"] = ["kms:ScheduleKeyDeletion"]
    documents["boundary of pharmacist"][0]["Action"].append("kms:Decrypt")
    here_only = {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}
    documents["robot"][1]["Condition"] = here_only
    documents["pharmacist"][0]["Resource"] = documents["claims-app"][0]["Resource"] = key
    return documents
    # end solution


# %%
lab.check("repair")

# %% [markdown]
# ## Where you are

# %%
lab.check()
