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
# # 13 · Incident: who read the records?
#
# It is three in the morning, and the telephone rings. Somebody has read patients' records who had no business there. In this
# lesson you walk the whole way once, in a quiet room; in the lab you do it alone, on another night.
#
# You will
#
# 1. go from the alarm to the caller, by the trail,
# 2. from the caller to the statement that let them in,
# 3. prove what they could read, and what they could not,
# 4. shut them out without shutting out the clinic,
# 5. save a key that is about to be deleted.
#
# About 20 minutes, then a lab of 35.

# %% [markdown]
# ## Three o'clock
#
# `incident.begin` starts a simulated AWS in which a day and half a night have passed already. The word chooses the night:
# whose records, which door, what time.

# %%
import json

import boto3

from kmscourse import incident

# %%
night = incident.begin("frost")
aws, kms = night.aws, boto3.client("kms")
print(night)

# %% [markdown]
# ## 1 · Break it
#
# It is broken already. An alarm says *that* something happened; CloudTrail says what. Every use of a key is a record,
# with the caller, the time, and the *encryption context*.

# %%
asked = [{"AttributeKey": "ResourceName", "AttributeValue": night.key_arn}]
pages = boto3.client("cloudtrail").get_paginator("lookup_events")
events = [
    json.loads(event["CloudTrailEvent"])
    for page in pages.paginate(LookupAttributes=asked, EndTime=night.alarm_at)
    for event in page["Events"]
]
decrypts = [event for event in events if event["eventName"] == "Decrypt"]
len(events), len(decrypts)

# %% [markdown]
# A record names its caller by ARN. Of a caller from another account CloudTrail shows the account and the principal's id, and
# no ARN.


# %%
def caller(event):
    identity = event["userIdentity"]
    return identity.get("arn") or identity["principalId"]


# %% [markdown]
# **Predict:** count by caller. Is whoever reads most the one you look for?

# %% shows="13.who-and-when"
from collections import Counter

Counter(
    (caller(event).rpartition(":")[2], event.get("errorCode", "opened")) for event in decrypts
).most_common()

# %% [markdown]
# The application reads most, because that is its work. `AccessDenied` means: tried, and not read. That is worth a word
# tomorrow. What remains is to compare with those who read as their work:

# %% shows="13.who-and-when"
opened = [event for event in decrypts if "errorCode" not in event]
(who,) = {caller(event) for event in opened} - night.readers
who

# %% [markdown]
# **Predict:** `Decrypt` is a call to KMS, about a key. Can you tell *which records* were read?

# %% shows="13.who-and-when"
theirs = sorted(
    (event["eventTime"], event["requestParameters"]["encryptionContext"]["aws:s3:arn"])
    for event in opened
    if caller(event) == who
)
theirs

# %% [markdown]
# S3 puts the name of the object into the encryption context, so each `Decrypt` names its object. (It would name only the
# bucket if the bucket used a *Bucket Key*. And reads of objects are *data events*: `lookup_events` does not show them.)
#
# Who, when and what: the first third of every report.

# %% [markdown]
# ## 2 · The statement that let them in
#
# Two documents come to mind: the caller's own policy, and the key's.
#
# **Predict:** this is all that IAM allows this user. Is it the leak?

# %%
name = who.rpartition("/")[2]
own = boto3.client("iam").get_user_policy(UserName=name, PolicyName="work")["PolicyDocument"]
for statement in own["Statement"]:
    print(statement["Sid"], statement["Action"], statement["Resource"])

# %% [markdown]
# Objects may be *fetched*. Nothing here opens them: there is no `kms:Decrypt`. In this clinic that is meant so; it is the
# key that decides who reads. So, the key policy:

# %% shows="13.which-statement"
policy = json.loads(kms.get_key_policy(KeyId=night.key_arn)["Policy"])
for statement in policy["Statement"]:
    print(statement["Sid"], statement["Action"], statement["Principal"])

# %% [markdown]
# One of them names everybody. It may still be harmless: there are conditions. Do not guess. Put the very request from the
# trail to the very documents, and let them decide:

# %% shows="13.which-statement"
from kmscourse.cloud.authorization import Policies, Request, decide

request = Request(
    principal=who,
    action="kms:Decrypt",
    resource=night.key_arn,
    context={"kms:EncryptionContext:aws:s3:arn": theirs[0][1]},
)
decision = decide(request, Policies(identity=[own], resource=policy))
decision.allowed, [step.statement for step in decision.decided_by]

# %% [markdown]
# ### Look inside
#
# The same decision, layer by layer. Take the statement out of the key policy in the view (*Edit*), and see the outcome turn.

# %%
from kmscourse import views

views.DecisionView(decision, title="How did they get in?")

# %% [markdown]
# On AWS, IAM's *policy simulator* answers such questions for a user's policies; for the key policy you read it yourself, as
# you did.

# %% [markdown]
# ## 3 · What could they read?
#
# They read a few records. The law asks what they *could* have read: those patients must be told, too.
#
# **Predict:** the statement names three departments. Could they read the records of all three?

# %%
leak = decision.decided_by[0].statement
(found,) = [each for each in policy["Statement"] if each["Sid"] == leak]
found["Condition"]["StringLike"]

# %% [markdown]
# A record takes two permissions: fetching the object, and using the key. `night.replay` puts both questions, as above,
# without a call being made.

# %% shows="13.what-could-they-read"
for department in night.departments:
    fetch, use = night.replay(who, f"{department}/1.json")
    print(f"{department:12} fetch {fetch.allowed!s:6} use {use.allowed!s:6}")

# %% [markdown]
# Only where both say `True` could a record be read. The third department of the statement was open at one door and shut at
# the other: nobody there has to be told that their record was read.

# %% [markdown]
# ## 4 · Contain
#
# Now shut them out. The clinic opens at six, and its application has to read by then.
#
# **Predict:** the quickest way is to forbid everything to everybody. Does KMS let you?

# %% tags=["raises-exception"] shows="13.contain"
deny_all = {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}
locked = {**policy, "Statement": [*policy["Statement"], deny_all]}
kms.put_key_policy(KeyId=night.key_arn, Policy=json.dumps(locked))

# %% [markdown]
# KMS protects you from a policy that you could never change again. So deny it to the one who came in, first of all: an
# explicit *Deny* wins over every Allow, wherever that stands.

# %% shows="13.contain"
quarantine = {
    "Sid": "Quarantine",
    "Effect": "Deny",
    "Principal": {"AWS": who},
    "Action": "kms:*",
    "Resource": "*",
}
contained = {**policy, "Statement": [*policy["Statement"], quarantine]}
kms.put_key_policy(KeyId=night.key_arn, Policy=json.dumps(contained))
night.intruder_may_read(), night.locked_out()

# %% [markdown]
# `False`, and nobody of the clinic is locked out. (That is what the policies say. The key itself still waits.)
#
# **Predict:** the intruder is out. Is the door shut?

# %% shows="13.contain"
night.door_is_open()

# %% [markdown]
# The statement named everybody: another user comes in just as well. The quarantine won the time to do it properly.

# %% shows="13.contain"
kept = [each for each in policy["Statement"] if each["Sid"] != leak]
closed = {**policy, "Statement": [*kept, quarantine]}
kms.put_key_policy(KeyId=night.key_arn, Policy=json.dumps(closed))
night.door_is_open(), night.locked_out()

# %% [markdown]
# A key policy is one door of several. Each is shut in its own way:
#
# | They came in by | Shut it with | And mind |
# |---|---|---|
# | a statement of the key policy | `put_key_policy` | it counts at once for everybody whom it names |
# | a grant | `revoke_grant` | it stands in no policy: `list_grants` shows it |
# | a statement of an IAM policy, let through by the account's statement in the key policy | `put_user_policy`, without it | the key policy itself is right |
# | a role's trust policy | `update_assume_role_policy` | sessions that exist go on until they end, or until a Deny on `aws:TokenIssueTime` revokes them |
# | a bucket policy | `put_bucket_policy` | the key may be open to that account for another purpose |

# %% [markdown]
# ## 5 · Recover
#
# The colleague on call meant well: a key that waits for its deletion serves nobody. It also would be gone in seven days, and
# every record with it.

# %%
waiting = kms.describe_key(KeyId=night.key_arn)["KeyMetadata"]
left = waiting.get("DeletionDate", night.alarm_at) - night.alarm_at
waiting["KeyState"], left.days

# %% [markdown]
# **Predict:** the deletion is cancelled. Can the clinic read again?

# %% shows="13.recover"
if kms.describe_key(KeyId=night.key_arn)["KeyMetadata"]["KeyState"] == "PendingDeletion":
    kms.cancel_key_deletion(KeyId=night.key_arn)
kms.describe_key(KeyId=night.key_arn)["KeyMetadata"]["KeyState"]

# %% [markdown]
# `Disabled`: AWS leaves it to you to say when it may be used again. Only now, with the door shut, it may.

# %% shows="13.recover"
kms.enable_key(KeyId=night.key_arn)
clinic_s3 = aws.session("clinic-app").client("s3")
record = clinic_s3.get_object(Bucket=night.bucket, Key="oncology/4811.json")["Body"].read()
print(night.status())

# %% [markdown]
# The order matters: contain, close, recover. Had you enabled the key first, the intruder would have read on.

# %% [markdown]
# ## On the exam, and today
#
# | An exam asks | The answer is |
# |---|---|
# | "Who used the key?" | CloudTrail, `Decrypt`, `userIdentity` and the encryption context |
# | "Stop the use of a key at once, reversibly" | Disable it. Deleting is the wrong answer, always |
# | "A key was scheduled for deletion by mistake" | Cancel within the waiting period, then enable: it comes back disabled |
# | "The policy was corrected, and the attacker still works" | A session of a role outlives its trust policy; a grant outlives every policy |
#
# Where these come from:

# %%
from kmscourse import facts

facts.get("DEL-01")

# %%
facts.get("OVR-03")

# %%
facts.get("GRA-10")

# %% [markdown]
# ## Lab
#
# Another night, another door: type `course lab 13-incident` in a terminal. Seven tasks, alone or in three roles.

# %% [markdown]
# ## Check yourself

# %%
from kmscourse import exam

exam.check_yourself("13-incident")
