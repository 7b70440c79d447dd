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
# # Lab 13 · Incident
#
# Another night. Seven tasks, about 35 minutes, alone or in three roles:
#
# | Role | Finds out | Tasks |
# |---|---|---|
# | Detective | who, and when | 1, 2 |
# | Analyst | through which statement, and what they could read | 3, 4 |
# | Responder | how to contain, close and recover | 5, 6, 7 |
#
# Alone, you are all three, one after the other. As three, start with the same word, each on a machine of your own: you have
# the same night. The analyst needs the detective's `who`. The responder waits for nobody: the functions of tasks 5 and 6 are
# *given* the findings.

# %%
import json

import boto3

from kmscourse import incident, lab

# %%
word = "moon"  # or thunder, storm, wind, gale: another night, so run all cells below again
night = incident.begin(word)
aws = night.aws
lab.begin("13-incident")
print(night)

# %% [markdown]
# ## The file
#
# Which statements were meant, and what for:

# %%
night.register

# %% [markdown]
# Who reads records as their work, as they stand in the trail. One is of another account: of such, CloudTrail shows the account
# and the principal's id, and no ARN.

# %%
sorted(night.readers)

# %% [markdown]
# And what CloudTrail recorded about the key, up to the alarm:

# %%
cloudtrail, kms = boto3.client("cloudtrail"), boto3.client("kms")
s3, iam = boto3.client("s3"), boto3.client("iam")
asked = [{"AttributeKey": "ResourceName", "AttributeValue": night.key_arn}]
pages = cloudtrail.get_paginator("lookup_events")
events = [
    json.loads(event["CloudTrailEvent"])
    for page in pages.paginate(LookupAttributes=asked, EndTime=night.alarm_at)
    for event in page["Events"]
]


# %%
def caller(event):
    identity = event["userIdentity"]
    return identity.get("arn") or identity["principalId"]


# %% [markdown]
# ## 1 · Who?
#
# Who read records and had no business there? Name them as `caller(event)` does.

# %% task="who"
# begin solution
# stub: who = ...  # "arn:aws:...", or an id such as "AIDA..."
decrypts = [event for event in events if event["eventName"] == "Decrypt"]
callers = {caller(event) for event in decrypts if "errorCode" not in event}
(who,) = callers - night.readers
# end solution

# %%
lab.check("who")

# %% [markdown]
# ## 2 · When?
#
# The `eventTime` of the first and of the last record that they really opened.

# %% task="when"
# begin solution
# stub: first, last = ..., ...  # "2026-11-24T..."
times = sorted(
    event["eventTime"]
    for event in events
    if event["eventName"] == "Decrypt" and "errorCode" not in event and caller(event) == who
)
first, last = times[0], times[-1]
# end solution

# %%
lab.check("when")

# %% [markdown]
# ## 3 · Through which statement?
#
# Give its `Sid`; for a grant, its `GrantId`. Take an object that they opened: the encryption context names it, as in
# `"cardiology/4711.json"`. `night.replay(who, key)`, with that key, gives one decision for each step that it takes to read the
# object. `print(decision.because)` says why, `decision.decided_by` has the statements, and
# `kmscourse.views.DecisionView(decision)` draws it.
#
# Not every statement that lets them read was a mistake, and not every unknown one lets somebody read.

# %% task="through"
# begin solution
# stub: through = ...  # a Sid, or a GrantId
used = {
    step.statement
    for department in night.departments
    for decision in night.replay(who, f"{department}/1.json")
    if decision.allowed
    for step in decision.decided_by
}
(through,) = used - night.register.statements
# end solution

# %%
lab.check("through")

# %% [markdown]
# ## 4 · What did they read, and what could they have read?
#
# - `did_read`: the keys of the objects that they opened, such as `"cardiology/4711.json"`, as a set,
# - `could_read`: the departments (of `night.departments`) whose records they could have opened, as a set.

# %% task="read"
# begin solution
# stub: did_read, could_read = ..., ...  # {"cardiology/4711.json"}, {"cardiology"}
contexts = [
    event["requestParameters"]["encryptionContext"]["aws:s3:arn"]
    for event in events
    if event["eventName"] == "Decrypt" and "errorCode" not in event and caller(event) == who
]
did_read = {arn.partition("/")[2] for arn in contexts}
could_read = {
    each
    for each in night.departments
    if all(d.allowed for d in night.replay(who, f"{each}/1.json"))
}
# end solution

# %%
lab.check("read")

# %% [markdown]
# ## 5 · Contain
#
# Shut out this one caller, at once, by the key. It must not matter how they came in; and everybody of the clinic must go on
# as before. `who` is an ARN or an id, as in task 1: an id is what a condition on `aws:userid` compares. It is enough to shut out
# the kind of caller that you found; the solution shuts out either.
#
# Each check of tasks 5, 6 and 7 begins at three o'clock again: what you did before is undone.


# %% task="contain"
def contain(who):
    """This caller may not use the key any more."""
    # begin solution
    policy = json.loads(kms.get_key_policy(KeyId=night.key_arn)["Policy"])
    quarantine = {"Sid": "Quarantine", "Effect": "Deny", "Action": "kms:*", "Resource": "*"}
    if who.startswith("arn:"):
        quarantine["Principal"] = {"AWS": who}
    else:
        quarantine["Principal"] = "*"
        quarantine["Condition"] = {"StringEquals": {"aws:userid": who}}
    policy["Statement"].append(quarantine)
    kms.put_key_policy(KeyId=night.key_arn, Policy=json.dumps(policy))
    # end solution


# %%
lab.check("contain")

# %% [markdown]
# ## 6 · Close
#
# Take the statement away through which they came, so that nobody comes in by it again, and nothing else changes. `through` is
# the `Sid` or the `GrantId` of task 3. It is enough to shut the kind of door that was found. A responder who does not know it
# yet shuts every kind; of the staff, `contractor` and `helpdesk` may have been given too much.
#
# These read the policies, and `without` gives a policy without one of its statements, as text:


# %%
def key_policy():
    return json.loads(kms.get_key_policy(KeyId=night.key_arn)["Policy"])


def bucket_policy():
    return json.loads(s3.get_bucket_policy(Bucket=night.bucket)["Policy"])


# %%
def trust_policy():
    return iam.get_role(RoleName="records-auditor")["Role"]["AssumeRolePolicyDocument"]


def user_policy(name):
    return iam.get_user_policy(UserName=name, PolicyName="work")["PolicyDocument"]


# %%
def without(policy, sid):
    kept = [each for each in policy["Statement"] if each.get("Sid") != sid]
    return json.dumps({**policy, "Statement": kept})


# %% task="close"
def close(through):
    """The statement or grant with this id is gone, wherever it stood."""
    # begin solution
    kms.put_key_policy(KeyId=night.key_arn, Policy=without(key_policy(), through))
    s3.put_bucket_policy(Bucket=night.bucket, Policy=without(bucket_policy(), through))
    trust = without(trust_policy(), through)
    iam.update_assume_role_policy(RoleName="records-auditor", PolicyDocument=trust)
    for name in ("contractor", "helpdesk"):
        policy = without(user_policy(name), through)
        iam.put_user_policy(UserName=name, PolicyName="work", PolicyDocument=policy)
    for grant in kms.list_grants(KeyId=night.key_arn)["Grants"]:
        if grant["GrantId"] == through:
            kms.revoke_grant(KeyId=night.key_arn, GrantId=through)
    # end solution


# %%
lab.check("close")

# %% [markdown]
# ## 7 · Recover
#
# The key waits for its deletion. Let the clinic read again.


# %% task="recover"
def recover():
    """The key serves again."""
    # begin solution
    kms.cancel_key_deletion(KeyId=night.key_arn)
    kms.enable_key(KeyId=night.key_arn)
    # end solution


# %%
lab.check("recover")

# %% [markdown]
# ## The real night
#
# Now all of it, in the right order, once, and how things stand. (As three: on one machine, with what the others found.)

# %%
night = incident.begin(word)
contain(who)
close(through)
recover()
print(night.status())

# %% [markdown]
# ## Where you are

# %%
lab.check()
