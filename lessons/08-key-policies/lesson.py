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
# # 08 · Key policies: who may, and why
#
# A clinic has one KMS key for its patient records. Many people and programs want to use it.
# AWS answers each of them with yes or no, and in this lesson you learn to read that answer.
#
# You will
#
# 1. refuse an administrator who may do everything,
# 2. lock a key so that nobody can manage it any more,
# 3. hand out single permissions, and take them back,
# 4. open the key to another account, from both sides,
# 5. say, for any refusal, which document to change and why.
#
# About 45 minutes, then a lab of 40. It is the hardest lesson. Take a break after part 6.

# %% [markdown]
# ## Start the simulated AWS
#
# From here on `boto3` talks to a simulated AWS inside this notebook. Nothing leaves your machine
# and nothing costs money. The *seed* makes the simulator invent the same ids each time.

# %%
import json

import boto3

from kmscourse import cloud

aws = cloud.start(seed="08-key-policies")
kms, iam, s3, sts = (boto3.client(name) for name in ("kms", "iam", "s3", "sts"))

# %% [markdown]
# Everything in this lesson is a **policy**: a document that says who may do what. It is a list of **statements**.
# A statement has an *effect* (`Allow` or `Deny`), *actions* and *resources*. The **principal** is who it is about,
# written as an *ARN*, the full name of anything on AWS.
#
# Two short functions save us from writing the same words forty times.


# %%
def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions, principal=None, **more):
    who = {"Principal": {"AWS": principal}} if principal else {}
    return {"Effect": "Allow", **who, "Action": actions, "Resource": "*", **more}


# %% [markdown]
# And the people. You are the user `learner`, an administrator of the account. `aws.session` signs calls as another user;
# a new user may do nothing.

# %%
account = f"arn:aws:iam::{aws.account_id}"
app, nurse, admin = (
    aws.session(name).client("kms") for name in ("clinic-app", "nurse", "it-admin")
)

# %% [markdown]
# ## 1 · Break it
#
# The IT administrator gets what administrators get: a policy that allows every action on every resource. A policy that is
# attached to a user or a role is an **identity-based policy**, or *IAM policy*.

# %%
iam.put_user_policy(
    UserName="it-admin", PolicyName="everything", PolicyDocument=policy(allow("*"))
)["ResponseMetadata"]["HTTPStatusCode"]

# %% [markdown]
# The clinic's key has a policy, too, a **key policy**. This one names two users: you, the learner, who look after the
# key, and the clinic's application, which uses it.

# %%
look_after = ["kms:Describe*", "kms:Get*", "kms:List*", "kms:PutKeyPolicy"]
look_after += ["kms:CreateGrant", "kms:RevokeGrant"]
use = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"]
records_policy = policy(
    allow(look_after, f"{account}:user/learner", Sid="LookAfter"),
    allow(use, f"{account}:user/clinic-app", Sid="Use"),
)
records_key = kms.create_key(Policy=records_policy)["KeyMetadata"]["Arn"]

# %% [markdown]
# The application encrypts a diagnosis, and keeps the ciphertext in a bucket. The administrator reads the bucket.

# %%
sealed = app.encrypt(KeyId=records_key, Plaintext=b"4711: type 2 diabetes")["CiphertextBlob"]
s3.create_bucket(Bucket="clinic-records")
s3.put_object(Bucket="clinic-records", Key="4711", Body=sealed)
admin_s3 = aws.session("it-admin").client("s3")
stolen = admin_s3.get_object(Bucket="clinic-records", Key="4711")["Body"].read()
stolen == sealed

# %% [markdown]
# The bucket had no policy of its own. The IAM policy alone opened it.
#
# **Predict:** the same IAM policy allows `kms:Decrypt`, on every resource. What does the administrator get from KMS?

# %% shows=["08.no-access-without", "08.like-bucket-policies"] tags=["raises-exception"]
admin.decrypt(CiphertextBlob=stolen)

# %% [markdown]
# Refused. Here is the whole difference between a bucket and a key:
#
# | | Bucket | KMS key |
# |---|---|---|
# | Its own policy | may be missing | always there |
# | An Allow in IAM, in the same account | is enough | counts only if the key policy lets IAM decide |
#
# Read AWS's last words again: *no resource-based policy allows*. A **resource-based policy** is a policy that is attached
# to the thing, not to the person. For a key it is the key policy. So that is the document to look at.

# %% [markdown]
# ## 2 · Look inside
#
# `aws.explain` takes the error and gives the whole **decision**: every document that AWS looked at.

# %%
from botocore.exceptions import ClientError


def refusal(call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        return aws.explain(error)


decision = refusal(admin.decrypt, CiphertextBlob=stolen)
decision.because

# %% [markdown]
# Open the key policy below and read why each statement did not fit. Then press *Add a statement* there, and watch the
# verdict turn. Nothing in the simulated AWS changes: the view asks *what if*.

# %% shows="08.which-document"
from kmscourse import views

views.DecisionView(decision, title="Why was the administrator refused?")

# %% [markdown]
# ## 3 · The default key policy
#
# You do not have to write a key policy. **Predict:** what does KMS write, if you write none?

# %% shows="08.default-policy"
default_key = kms.create_key()["KeyMetadata"]["Arn"]
json.loads(kms.get_key_policy(KeyId=default_key)["Policy"])["Statement"]

# %% [markdown]
# One statement. Its principal ends in `root`, and that is the most misread word of this exam. It means the *account*:
# the root user, and with it everyone whom IAM policies of this account allow. The key policy says: let IAM decide.
#
# **Predict:** the administrator, and the nurse, who has no policy at all. Who may encrypt with this key?

# %%
lucky = admin.encrypt(KeyId=default_key, Plaintext=b"x")["ResponseMetadata"]["HTTPStatusCode"]
lucky, refusal(nurse.encrypt, KeyId=default_key, Plaintext=b"x").because

# %% [markdown]
# Read the sentence slowly. The key policy *leaves it to IAM*, and in IAM nothing is there. So this time the document to
# change is an IAM policy of the nurse.

# %% shows="08.root-lets-iam-decide"
encrypt_only = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": default_key}
iam.put_user_policy(UserName="nurse", PolicyName="encrypt", PolicyDocument=policy(encrypt_only))
nurse.encrypt(KeyId=default_key, Plaintext=b"x")["ResponseMetadata"]["HTTPStatusCode"]

# %% [markdown]
# Two refusals, two documents. AWS's message told them apart: *no resource-based policy* in part 1, and *no identity-based
# policy* here.

# %% [markdown]
# ## 4 · A policy of your own
#
# A **custom key policy** usually has three parts: who looks after the key, who uses it, and whether IAM may decide. The
# policy of `records_key` has the first two. You look after it.
#
# **Predict:** you may change its policy. May you decrypt with it?

# %% shows="08.custom-policy"
decision = refusal(kms.decrypt, CiphertextBlob=sealed, KeyId=records_key)
decision.because

# %% [markdown]
# No: `LookAfter` is about you, but not about `kms:Decrypt`. And yet, is the record safe from you? You may write the policy.

# %%
own_goal = policy(
    allow([*look_after, *use], f"{account}:user/learner", Sid="LookAfter"),
    allow(use, f"{account}:user/clinic-app", Sid="Use"),
)
kms.put_key_policy(KeyId=records_key, Policy=own_goal)
kms.decrypt(CiphertextBlob=sealed, KeyId=records_key)["Plaintext"]

# %% [markdown]
# Whoever may change the policy can give themselves the rest. Separation does not prevent that. It makes it *visible*:
# the change is on the audit trail before the first decryption.

# %%
kms.put_key_policy(KeyId=records_key, Policy=records_policy)
change = aws.trail.events("PutKeyPolicy", resource=records_key)[-1]
change["eventName"], change["userIdentity"]["arn"]

# %% [markdown]
# ## 5 · The key that nobody can manage
#
# You tidy up, and forget yourself: the new policy names the application only.
#
# **Predict:** what does KMS say?

# %% tags=["raises-exception"]
only_the_app = policy(allow(use, f"{account}:user/clinic-app", Sid="Use"))
kms.put_key_policy(KeyId=records_key, Policy=only_the_app)

# %% [markdown]
# The **lockout safety check**. KMS saves a policy only if it lets *you* change it again. The check can be switched
# off. We do so with another key, so that you see what it protects from.

# %%
lost_key = kms.create_key(Policy=only_the_app, BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]
lost = {"KeyId": lost_key["Arn"]}
app.encrypt(**lost, Plaintext=b"x")["ResponseMetadata"]["HTTPStatusCode"]

# %% [markdown]
# The application still works, so for months nobody notices. Then somebody wants to change something.
#
# **Predict:** you, the administrator with every permission, the root user of the account. Who can repair this key?

# %% shows="08.lockout"
root = aws.session("root").client("kms")
everything = policy(allow("kms:*", f"{account}:root"))
for who in (kms, admin, root):
    for call in (who.put_key_policy, who.disable_key, who.schedule_key_deletion):
        more = {"Policy": everything} if call == who.put_key_policy else {}
        print(refusal(call, **lost, **more).allowed, end=" ")

# %% [markdown]
# Nobody. Nine calls, nine refusals, the root user included. Only AWS Support can help, and it asks you to prove who
# you are.

# %%
refusal(root.put_key_policy, **lost, Policy=everything).because

# %% [markdown]
# The same happens when the only user that a policy names is *deleted*. That is why most key policies keep the statement
# for the account. Now and then one reads that it is dangerous. It is: every IAM administrator can then open the key. You
# choose between two risks.

# %% [markdown]
# ## 6 · Grants
#
# The night doctor's tablet needs patient 4711's record, until the morning. A change of the key policy would be heavy. A **grant**
# gives *one* principal *some* operations on *one* key. It never denies, and it is no document: it is made by a call.

# %% shows="08.grants"
tablet = aws.session("night-tablet").client("kms")
for_4711 = {"EncryptionContextSubset": {"patient": "4711"}}
grant = kms.create_grant(
    KeyId=records_key,
    GranteePrincipal=f"{account}:user/night-tablet",
    Operations=["Decrypt", "RetireGrant"],
    Constraints=for_4711,
    Name="night-4711",
)

# %% [markdown]
# The **constraint** says: only with this *encryption context*, the names and values that were bound to the ciphertext
# when it was made. The application seals two notes, each with its patient.


# %%
def note(patient):
    context = {"EncryptionContext": {"patient": patient}}
    made = app.encrypt(KeyId=records_key, Plaintext=b"a note", **context)
    return {"CiphertextBlob": made["CiphertextBlob"], **context}


note_4711, note_4712 = note("4711"), note("4712")
tablet.decrypt(**note_4711)["Plaintext"]

# %% [markdown]
# No key policy names the tablet, no IAM policy is attached to it, and it reads. **Predict:** the note of patient 4712?

# %%
decision = refusal(tablet.decrypt, **note_4712)
decision.because

# %% [markdown]
# The sentence tells of the grant that nearly fits. Look for it in the view, and change the constraint there.

# %%
views.DecisionView(decision, title="The tablet and the wrong patient")

# %% [markdown]
# In the morning the tablet gives its permission back: it *retires* the grant. Two parties can do that: the *retiring principal*
# that CreateGrant named, or the grantee, if the grant contains `RetireGrant`. (The account's root user can, too, and AWS
# says that the account may delegate it, by `kms:RetireGrant`; the simulator does not play that.)

# %%
to_the_tablet = {"KeyId": records_key, "GranteePrincipal": f"{account}:user/night-tablet"}
for each in kms.list_grants(**to_the_tablet)["Grants"]:
    tablet.retire_grant(KeyId=records_key, GrantId=each["GrantId"])
refusal(tablet.decrypt, **note_4711).because

# %% [markdown]
# Nobody is asked when a key administrator takes a grant away: `RevokeGrant`. The permission for it, `kms:RevokeGrant`,
# stands in `LookAfter`.

# %%
new = kms.create_grant(**to_the_tablet, Operations=["Decrypt"], Constraints=for_4711)
before = len(kms.list_grants(**to_the_tablet)["Grants"])
kms.revoke_grant(KeyId=records_key, GrantId=new["GrantId"])
before, len(kms.list_grants(**to_the_tablet)["Grants"])

# %% [markdown]
# Grants do not expire. Who makes one must think of its end. On AWS a new grant can take some minutes until it is known
# everywhere; the *grant token* that CreateGrant returns makes it count at once.

# %% [markdown]
# ## 7 · Conditions
#
# A **condition** makes a statement count only in some circumstances. AWS describes each request by *condition keys*; a
# condition compares one of them. These five are the ones that exams ask for:
#
# | Condition key | Asks |
# |---|---|
# | `kms:EncryptionContext:name` | Is this pair in the encryption context? |
# | `kms:ViaService` | Did a service pass the call on, in the caller's name? |
# | `kms:CallerAccount` | From which account is the caller? |
# | `aws:PrincipalOrgID` | In which organization is the caller's account? |
# | `aws:MultiFactorAuthPresent` | Did the session begin with a second factor? |
#
# First, a nurse for one ward. The condition stands in the key policy.

# %%
ward = {"StringEquals": {"kms:EncryptionContext:ward": "cardiology"}}
through_s3 = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
ward_policy = policy(
    allow("kms:*", f"{account}:user/learner", Sid="LookAfter"),
    allow("kms:Encrypt", f"{account}:user/nurse", Sid="OwnWard", Condition=ward),
    allow(use, f"{account}:user/clinic-app", Sid="OnlyThroughS3", Condition=through_s3),
)
ward_key = kms.create_key(Policy=ward_policy)["KeyMetadata"]["Arn"]

# %% shows="08.conditions"
surgery = {"KeyId": ward_key, "Plaintext": b"x", "EncryptionContext": {"ward": "surgery"}}
refusal(nurse.encrypt, **surgery).because

# %% [markdown]
# Read the last sentence of it: what the condition wants, and what the request has.
#
# `OnlyThroughS3` is about the application. It may use the key when S3 asks on its behalf, and in no other way.
# **Predict:** an upload that S3 encrypts under this key, and a call straight to KMS.

# %%
iam.put_user_policy(UserName="clinic-app", PolicyName="s3", PolicyDocument=policy(allow("s3:*")))
sealed_by_s3 = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": ward_key}
aws.session("clinic-app").client("s3").put_object(
    Bucket="clinic-records", Key="scan", Body=b"x", **sealed_by_s3
)["ResponseMetadata"]["HTTPStatusCode"]

# %%
refusal(app.encrypt, KeyId=ward_key, Plaintext=b"x").because

# %% [markdown]
# AWS itself writes such policies. This is the key that S3 uses when you name none, an AWS managed key. You can read its
# policy and not change it. It combines two of the conditions: everyone, but only of this account, and only through S3.

# %%
s3.put_object(Bucket="clinic-records", Key="memo", Body=b"x", ServerSideEncryption="aws:kms")
key_of_s3 = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"]
by_aws = json.loads(kms.get_key_policy(KeyId=key_of_s3)["Policy"])
by_aws["Statement"][0]["Condition"]

# %% [markdown]
# Now the **second factor**, or *MFA*: a code from your phone. Nobody shall delete this key without one. The safest way to write
# "only with" is a Deny: it stops those who have it not, whatever else allows them. `IfExists` catches calls that say nothing
# about MFA, too.

# %%
without_mfa = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
only_with_mfa = {
    "Sid": "DeleteOnlyWithMFA",
    "Effect": "Deny",
    "Principal": "*",
    "Action": ["kms:ScheduleKeyDeletion", "kms:DisableKey"],
    "Resource": "*",
    "Condition": without_mfa,
}
guarded_policy = policy(allow("kms:*", f"{account}:root"), only_with_mfa)
guarded_key = kms.create_key(Policy=guarded_policy)["KeyMetadata"]["Arn"]

# %%
refusal(kms.disable_key, KeyId=guarded_key).because

# %% [markdown]
# The sentence names two ways out. We take the second: a session that begins with a code. The next cell is your phone.

# %%
import base64
import uuid

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP


def code_on(phone, later=0):
    seed = base64.b32decode(phone["Base32StringSeed"])
    now = int(aws.clock.now().timestamp()) + later
    return TOTP(seed, 6, SHA1(), 30, enforce_key_length=False).generate(now).decode()


# %%
made = iam.create_virtual_mfa_device(VirtualMFADeviceName=f"phone-{uuid.uuid4()}")
phone = made["VirtualMFADevice"]
# AWS wants two codes, one after the other.
two = {"AuthenticationCode1": code_on(phone), "AuthenticationCode2": code_on(phone, later=30)}
iam.enable_mfa_device(UserName="learner", SerialNumber=phone["SerialNumber"], **two)[
    "ResponseMetadata"
]["HTTPStatusCode"]

# %% [markdown]
# **Predict:** you are still the same user, with the same policies. May you disable the key now?

# %%
aws.clock.advance(minutes=1)  # on AWS a code works once
given = sts.get_session_token(SerialNumber=phone["SerialNumber"], TokenCode=code_on(phone))
made = given["Credentials"]
with_mfa = boto3.Session(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
with_mfa.client("kms").disable_key(KeyId=guarded_key)["ResponseMetadata"]["HTTPStatusCode"]

# %% [markdown]
# ## 8 · An explicit deny
#
# You have just seen one rule at work without its name. An **explicit deny** wins over every Allow, wherever the two
# stand. What nobody allows is refused as well; that is an **implicit deny**, and an Allow helps against it.
#
# **Predict:** the key policy allows the application everything it needs. Its own IAM policy gets a Deny. Which one wins?

# %% shows="08.explicit-deny"
no_decrypt = {"Sid": "NoDecrypt", "Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}
iam.put_user_policy(UserName="clinic-app", PolicyName="stop", PolicyDocument=policy(no_decrypt))
decision = refusal(app.decrypt, **note_4711)
iam.delete_user_policy(UserName="clinic-app", PolicyName="stop")
decision.outcome, decision.because

# %% [markdown]
# So IAM cannot *open* a key whose policy does not let it, but it can always *close* one.

# %% [markdown]
# ## 9 · Two accounts
#
# A laboratory with an account of its own shall encrypt results for the clinic. **Cross-account** access needs both
# sides: the *key policy* in the clinic's account lets the laboratory in, and an *IAM policy* in the laboratory's account
# lets its own user do it.

# %%
laboratory = aws.account("222222222222")
lab_app = laboratory.session("lab-app").client("kms")
lab_iam = laboratory.session("root").client("iam")
results = {"KeyId": default_key, "Plaintext": b"4711: HbA1c 7.9"}

# %% [markdown]
# **Predict:** the laboratory does its half: an IAM policy for its user. The clinic has done nothing yet.

# %%
its_half = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": default_key}
lab_iam.put_user_policy(UserName="lab-app", PolicyName="clinic", PolicyDocument=policy(its_half))
refusal(lab_app.encrypt, **results).because

# %% [markdown]
# Now the other way round: the clinic opens its key policy to the laboratory's *account*. In the laboratory's account
# somebody has narrowed the IAM policy to S3.

# %%
the_laboratory = allow(
    ["kms:Encrypt", "kms:ScheduleKeyDeletion"], "arn:aws:iam::222222222222:root", Sid="Laboratory"
)
open_policy = policy(allow("kms:*", f"{account}:root", Sid="Account"), the_laboratory)
kms.put_key_policy(KeyId=default_key, Policy=open_policy)
lab_iam.put_user_policy(
    UserName="lab-app", PolicyName="clinic", PolicyDocument=policy(allow("s3:*"))
)
refusal(lab_app.encrypt, **results).because

# %% [markdown]
# Same error code, other document, other account. With both halves it works, and both accounts find it on their
# trail.

# %% shows="08.cross-account"
lab_iam.put_user_policy(UserName="lab-app", PolicyName="clinic", PolicyDocument=policy(its_half))
lab_app.encrypt(**results)["KeyId"] == default_key

# %% [markdown]
# **Predict:** the statement also allows `kms:ScheduleKeyDeletion`. Can the laboratory's root user, who needs no IAM
# policy, delete the clinic's key?

# %%
lab_root = laboratory.session("root").client("kms")
refusal(lab_root.schedule_key_deletion, KeyId=default_key).because

# %% [markdown]
# Using a key works across accounts, and so do grants. Managing it never does.

# %% [markdown]
# ## 10 · An organization
#
# The clinic grows and gets an **organization**: several accounts under one roof. A **service control policy**, *SCP*, says
# how far the accounts may go. It gives nobody anything.

# %%
import contextlib

organizations = boto3.client("organizations")
with contextlib.suppress(organizations.exceptions.AlreadyInOrganizationException):
    organizations.create_organization(FeatureSet="ALL")
roof = organizations.list_roots()["Roots"][0]["Id"]
with contextlib.suppress(organizations.exceptions.PolicyTypeAlreadyEnabledException):
    organizations.enable_policy_type(RootId=roof, PolicyType="SERVICE_CONTROL_POLICY")
# On AWS this takes a while, and describe_create_account_status tells the id when it is done.
made = organizations.create_account(AccountName="ward", Email="ward@clinic.example")
ward_account = aws.account(made["CreateAccountStatus"]["AccountId"])

# %%
never_delete = {
    "Sid": "NeverDeleteKeys",
    "Effect": "Deny",
    "Action": "kms:ScheduleKeyDeletion",
    "Resource": "*",
}
scp = organizations.create_policy(
    Name=f"keys-stay-{uuid.uuid4()}",
    Description="Keys stay",
    Type="SERVICE_CONTROL_POLICY",
    Content=policy(never_delete),
)["Policy"]["PolicySummary"]["Id"]
organizations.attach_policy(PolicyId=scp, TargetId=ward_account.id)["ResponseMetadata"][
    "HTTPStatusCode"
]

# %% [markdown]
# **Predict:** the ward's own key, its default policy, and the ward's root user. May it be deleted?

# %% shows="08.organization-policies"
ward_kms = ward_account.session("root").client("kms")
own_key = ward_kms.create_key()["KeyMetadata"]["KeyId"]
decision = refusal(ward_kms.schedule_key_deletion, KeyId=own_key)
decision.denied_by, decision.decided_by[0].statement

# %% [markdown]
# Not even the root user of a member account gets past an SCP. (The organization's *management account*, yours here, is the
# exception: no SCP touches it.)
#
# An organization also has an id, and a key policy can ask for it. One condition opens a key to every account under the
# roof, those of next year included. `Principal: "*"` alone would mean everyone on AWS.

# %%
organization = organizations.describe_organization()["Organization"]["Id"]
ours = {"StringEquals": {"aws:PrincipalOrgID": organization}}
shared_policy = policy(
    allow("kms:*", f"{account}:root"), allow("kms:Encrypt", "*", Sid="Ours", Condition=ours)
)
shared_key = kms.create_key(Policy=shared_policy)["KeyMetadata"]["Arn"]
ward_kms.encrypt(KeyId=shared_key, Plaintext=b"x")["ResponseMetadata"]["HTTPStatusCode"]

# %% [markdown]
# **Predict:** the laboratory's root user. It is an account, but not one of the organization.

# %%
refusal(lab_root.encrypt, KeyId=shared_key, Plaintext=b"x").because

# %% [markdown]
# ## 11 · A boundary
#
# A **permissions boundary** is for one user or role what an SCP is for an account: the most that IAM can ever allow them.
# It gives nothing. The IT administrator gets one.

# %%
with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
    iam.create_policy(
        PolicyName="only-look", PolicyDocument=policy(allow(["kms:Describe*", "s3:*"]))
    )
iam.put_user_permissions_boundary(
    UserName="it-admin", PermissionsBoundary=f"{account}:policy/only-look"
)["ResponseMetadata"]["HTTPStatusCode"]

# %% [markdown]
# **Predict:** the key leaves it to IAM. The administrator's policy says `*`. The boundary says what you see above.

# %% shows="08.boundaries"
refusal(admin.encrypt, KeyId=default_key, Plaintext=b"x").because

# %% [markdown]
# This key policy leaves it to IAM, so all three must allow: the key policy, the IAM policy and the boundary. Where one is
# missing, the message names it. (A key policy that names the *user* needs neither of the others, as a boundary caps only
# what IAM gives. A *role* that it names needs no IAM policy, but stays within its boundary.)

# %% [markdown]
# ## 12 · The confused deputy
#
# Some services act as themselves, with a *service principal* such as `cloudtrail.amazonaws.com`. AWS CloudTrail writes
# the clinic's log files into a bucket, encrypted with the clinic's key. So bucket policy and key policy let CloudTrail in.

# %%
cloudtrail = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}
s3.create_bucket(Bucket="clinic-logs")
write_logs = {**cloudtrail, "Action": ["s3:PutObject", "s3:GetBucketAcl"]}
write_logs["Resource"] = ["arn:aws:s3:::clinic-logs", "arn:aws:s3:::clinic-logs/*"]
s3.put_bucket_policy(Bucket="clinic-logs", Policy=policy(write_logs))
encrypt_logs = {
    **cloudtrail,
    "Action": ["kms:GenerateDataKey*", "kms:DescribeKey"],
    "Resource": "*",
}
log_policy = policy(allow("kms:*", f"{account}:root"), encrypt_logs)
log_key = kms.create_key(Policy=log_policy)["KeyMetadata"]["Arn"]

# %% [markdown]
# Somebody in a foreign account makes a trail of *their own*, and names the clinic's bucket and key. They have no permission on
# either. **Predict:** do their logs arrive?


# %%
def foreign_files():
    stranger.describe_trails()  # the stranger works on, so there is something to log
    aws.clock.advance(minutes=10)
    listed = s3.list_objects_v2(Bucket="clinic-logs").get("Contents", [])
    return sum("333333333333" in each["Key"] for each in listed)


# %%
stranger = aws.account("333333333333").session("root").client("cloudtrail")
logs = {"S3BucketName": "clinic-logs", "KmsKeyId": log_key}
with contextlib.suppress(stranger.exceptions.TrailAlreadyExistsException):
    stranger.create_trail(Name="spam", **logs)
stranger.start_logging(Name="spam")
foreign_files() > 0

# %% [markdown]
# They arrive, sealed with the clinic's key. This is the **confused deputy**: CloudTrail has the permission, the stranger has not,
# and the stranger sends CloudTrail. The cure is a condition that asks *for whom* the service acts: `aws:SourceArn`,
# the one trail that is meant, or `aws:SourceAccount`, its account.

# %% shows="08.confused-deputy"
ours_only = {"StringEquals": {"aws:SourceAccount": aws.account_id}}
kms.put_key_policy(
    KeyId=log_key,
    Policy=policy(allow("kms:*", f"{account}:root"), {**encrypt_logs, "Condition": ours_only}),
)
before = foreign_files()
foreign_files() - before, aws.trail.events("GenerateDataKey")[-1]["errorCode"]

# %% [markdown]
# Refused, since the deputy now has to say for whom it comes. Put the same condition into the bucket policy. (CloudTrail also
# puts its trail into the encryption context. AWS's own key policies ask for that, with `kms:EncryptionContext:aws:cloudtrail:arn`.)

# %% [markdown]
# ## 13 · Which document?
#
# AWS looks at the documents in this order, and stops at the first that refuses. The end of its message tells you which
# one that was:
#
# | The message ends with | Change | It belongs to |
# |---|---|---|
# | `explicit deny in a ...` | the Deny in that policy; no Allow helps | whoever the policy belongs to |
# | `no service control policy allows` | an SCP | the organization |
# | `no VPC endpoint policy allows` | the policy of the endpoint | the network |
# | `no resource-based policy allows` | the key policy, or make a grant | the key's account |
# | `no identity-based policy allows` | an IAM policy of the user or role | the caller's account |
# | `no permissions boundary allows` | the boundary | the caller's account |
# | `no session policy allows` | the session: begin it anew | whoever began it |
# | `the resource does not exist in this Region, no resource-based ...` | the key policy; KMS tells an outsider no more | the key's account |
#
# One more refusal, to try it on. **Predict:** from the first line alone which document it is; then read the second.

# %% shows="08.which-document"
decision = refusal(nurse.decrypt, **note_4711)
print(decision.message())
decision.because

# %% [markdown]
# ## On the exam, and today
#
# | Study notes say | Today |
# |---|---|
# | Key policies control access, "similar" to bucket policies | Similar in form. But without the key policy nobody has access, whatever IAM says |
# | Default: complete access to the root user = entire account | Still so for keys made by API. The console adds key administrators and key users |
# | Useful for cross-account access | Still so, with IAM on the other side. Since 2026 keys can be shared through AWS RAM, too; using one still asks the key policy |
# | (not in the notes) | Since March 2026 a grant can go to a service principal, with a SourceArn |
#
# Exam clues: "temporary", "programmatically", "one AWS service" point to a grant. "Even administrators must not" points to the
# key policy. "In every account" points to an SCP or to `aws:PrincipalOrgID`.

# %%
from kmscourse import facts

facts.get("POL-01")

# %%
facts.get("XAC-01")

# %%
facts.get("GRA-05")

# %% [markdown]
# ## Lab
#
# Now you: type `course lab 08-key-policies` in a terminal (*File, New, Terminal*). Seven tasks, each checked, each with hints.

# %% [markdown]
# ## Check yourself

# %%
from kmscourse import exam

exam.check_yourself("08-key-policies")
