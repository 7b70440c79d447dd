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
# # 04 · KMS: no secret in plaintext
#
# The clinic's application opens a database, and the database wants a password. Somebody has to write it down somewhere.
# In this lesson you find it in three places where it should not be, and then give it a place where it may be.
#
# You will
#
# 1. find a password in a notebook, in the environment and in the history of git,
# 2. encrypt it with **AWS KMS**, from Python and from the command line, and say who may open it,
# 3. bind it to its purpose, and meet the size at which KMS says no,
# 4. give the key a name that can be moved,
# 5. let Parameter Store and Secrets Manager keep it,
# 6. read in the audit trail who opened what.
#
# About 35 minutes, then a lab of 30.

# %% [markdown]
# ## Start the simulated AWS
#
# From here on `boto3` talks to a simulated AWS inside this notebook. Nothing leaves your machine
# and nothing costs money. The *seed* makes the simulator invent the same ids each time.

# %%
import base64
import json
import os

import boto3

from kmscourse import cloud

aws = cloud.start(seed="04-kms")
kms = boto3.client("kms")

# %% [markdown]
# ## 1 · Break it
#
# The first version of the application began like this:

# %%
password = "open-sesame-4711"

# %% [markdown]
# and further down, to see whether all is well:

# %%
connection = f"postgresql://records:{password}@db.clinic.example"
connection

# %% [markdown]
# Never mind, says its author: I shall delete the first of the two cells before I pass the notebook on.
#
# **Predict:** is the password gone from the file then? (This is what Jupyter saves of the second cell's output.)

# %% shows="04.no-plaintext-secrets"
from IPython import get_ipython

saved, _ = get_ipython().display_formatter.format(connection)
saved

# %% [markdown]
# So the author moves it into an *environment variable*, as is often advised: a setting that a program finds when it
# starts.

# %%
os.environ["DB_PASSWORD"] = password

# %% [markdown]
# **Predict:** another program is started from here, and nobody tells it anything. Does it know the password? (`%%bash`
# hands the cell to a shell.)

# %% language="bash" shows="04.no-plaintext-secrets"
# printenv DB_PASSWORD

# %% [markdown]
# Each program inherits the whole environment of the one that started it: the crash reporter, the debug page, the log of
# "all settings at start".
#
# The third place is **git**, which keeps every version of the code. A folder for it; your own git settings stay out of
# this:

# %%
import tempfile

folder = tempfile.TemporaryDirectory()
os.environ |= {"FOLDER": folder.name, "GIT_CONFIG_GLOBAL": os.devnull}

# %% [markdown]
# Two commits: the first has the password in the code, the second takes it out again.

# %% language="bash"
# command -v git > /dev/null || { echo "No git on this machine: read on, no later cell needs it."; exit 0; }
# cd "${FOLDER:?Run the cell above first}" && rm -rf app && git init --quiet app && cd app
# git config user.name clinic && git config user.email app@clinic.example
# echo "password = '$DB_PASSWORD'" > settings.py
# git add settings.py && git commit --quiet -m "Connect to the database"
# echo "password = os.environ['DB_PASSWORD']" > settings.py
# git commit --quiet -am "Take the password out"
# cat settings.py

# %% [markdown]
# **Predict:** the file is clean. A new trainee clones the repository. What can the trainee find?

# %% language="bash" shows="04.no-plaintext-secrets"
# [ -d "$FOLDER/app" ] || exit 0
# git -C "$FOLDER/app" log --reverse --format="commit: %s" -p -S "$DB_PASSWORD" | grep -e "^commit" -e "^[+-]password"

# %% [markdown]
# Every clone has both commits, for ever. A secret that once lay somewhere in plaintext is not to be deleted; it is to be
# *changed*.
#
# So the new password must never lie in plaintext anywhere: not in a file, not in the environment, least of all in code.

# %% [markdown]
# ## 2 · Fix it: let KMS encrypt it
#
# **AWS KMS**, the Key Management Service, keeps keys and works with them. If you hear "encryption" for an AWS service, it
# most likely means KMS. A **KMS key** is created by one call:

# %%
key = kms.create_key(Description="Secrets of the clinic's application")["KeyMetadata"]
key["KeyManager"], key["KeySpec"], key["KeyState"]

# %% [markdown]
# A **customer managed key**: you say who may use it, and AWS keeps it.
#
# **Predict:** the next cell lists every operation of KMS whose name begins with `Get`. Will one of them hand you the key
# itself?

# %% shows="04.aws-keeps-the-keys"
[name for name in kms.meta.service_model.operation_names if name.startswith("Get")]

# %% [markdown]
# `GetPublicKey` comes nearest. It is for another kind of key; of this one there is nothing that could be shown.

# %% tags=["raises-exception"] shows="04.aws-keeps-the-keys"
kms.get_public_key(KeyId=key["KeyId"])

# %% [markdown]
# A KMS key is used where it is. You send it the secret, and it sends back the ciphertext.
#
# An **alias** is a name for a key, so that no code has to know its id.

# %%
try:
    kms.create_alias(AliasName="alias/clinic/app", TargetKeyId=key["KeyId"])
except kms.exceptions.AlreadyExistsException:
    kms.update_alias(AliasName="alias/clinic/app", TargetKeyId=key["KeyId"])

# %% [markdown]
# ### With the SDK
#
# boto3 is AWS's **SDK**, the library for programs in Python.

# %% shows="04.encrypt-through-the-api"
answer = kms.encrypt(KeyId="alias/clinic/app", Plaintext=password.encode())
setting = base64.b64encode(answer["CiphertextBlob"]).decode()
password in setting, setting[:32] + "..."

# %% [markdown]
# The ciphertext is bytes; base64 writes them in letters that fit into any file. *This* may lie in the code, in git and in
# the environment:

# %%
os.environ["DB_PASSWORD_SEALED"] = setting

# %% [markdown]
# When the application starts, it asks KMS. No key is named: the ciphertext says which one made it.


# %% shows="04.encrypted-secrets-in-code"
def open_setting(kms, setting):
    return kms.decrypt(CiphertextBlob=base64.b64decode(setting))["Plaintext"].decode()


open_setting(kms, os.environ["DB_PASSWORD_SEALED"]) == password

# %% [markdown]
# ### Who may open it
#
# The trainee has the code, the history and the environment: everything but a permission.
#
# **Predict:** does the trainee get the password?

# %% tags=["raises-exception"] shows=["04.iam", "04.encrypted-secrets-in-code"]
trainee = aws.session("trainee")
open_setting(trainee.client("kms"), setting)

# %% [markdown]
# Ask the simulator what would have to be different:

# %%
from botocore.exceptions import ClientError

try:
    open_setting(trainee.client("kms"), setting)
except ClientError as error:
    print(aws.explain(error).because)

# %% [markdown]
# **IAM** is AWS's service for permissions. The key has a policy of its own, the **key policy**; the one that every new key
# gets leaves the decision to IAM. (Lesson 08 is about those that do not.)
#
# The application gets one permission, on one key. (`200` means that it went through.)

# %% shows="04.iam"
may_open = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key["Arn"]},
}
clinic_kms = aws.session("clinic-app").client("kms")
boto3.client("iam").put_user_policy(
    UserName="clinic-app", PolicyName="open-settings", PolicyDocument=json.dumps(may_open)
)["ResponseMetadata"]["HTTPStatusCode"]

# %%
open_setting(clinic_kms, setting) == password

# %% [markdown]
# The code is the same, the ciphertext is the same. What differs is who asks. So control of the key is control of the
# secret.
#
# **Predict:** the key is *disabled*. The application still has its permission. What does it get?

# %% tags=["raises-exception"] shows="04.control-access"
kms.disable_key(KeyId=key["KeyId"])
open_setting(clinic_kms, setting)

# %%
kms.enable_key(KeyId=key["KeyId"])
open_setting(clinic_kms, setting) == password

# %% [markdown]
# ### With the command line
#
# The **AWS CLI** is the same API for the terminal. It is a program of its own, so the simulated AWS opens a door for it,
# on this machine only.

# %%
server = aws.serve()

# %% [markdown]
# `fileb://` means: take the bytes of this file; here what comes in through the pipe. Written on the command line, the
# password would stay in the shell's history. Each call of `aws` takes a second or two to start.

# %% language="bash" shows="04.encrypt-through-the-api"
# echo "encrypting ..."
# printf %s "$DB_PASSWORD" |
#   aws kms encrypt --key-id alias/clinic/app --plaintext fileb:///dev/stdin \
#     --query CiphertextBlob --output text | base64 --decode > "$FOLDER/password.sealed"
# wc -c < "$FOLDER/password.sealed" | tr -d " "

# %% [markdown]
# The answer comes in base64, hence the `base64 --decode`: what is stored are the bytes themselves.
#
# **Predict:** made by the CLI. Can Python open it?

# %%
with open(os.path.join(folder.name, "password.sealed"), "rb") as file:
    made_by_cli = file.read()
clinic_kms.decrypt(CiphertextBlob=made_by_cli)["Plaintext"].decode() == password

# %% [markdown]
# And the way back:

# %% language="bash" shows="04.encrypt-through-the-api"
# echo "decrypting ..."
# aws kms decrypt --ciphertext-blob "fileb://$FOLDER/password.sealed" \
#   --query Plaintext --output text | base64 --decode

# %% [markdown]
# From now on nothing needs the plaintext in the environment.

# %%
os.environ.pop("DB_PASSWORD", None)
server.close()

# %% [markdown]
# ## 3 · Bind it to its purpose
#
# There are two passwords now, one for production and one for the test database, both under the same key. Someone pastes the
# wrong one into the wrong file. KMS opens both, and the tests run on real patients.
#
# An **encryption context** says what a ciphertext is for: names and values, bound to it when it is made.

# %%
production = {"app": "records", "stage": "production"}
bound = kms.encrypt(
    KeyId="alias/clinic/app", Plaintext=password.encode(), EncryptionContext=production
)["CiphertextBlob"]
clinic_kms.decrypt(CiphertextBlob=bound, EncryptionContext=production)["Plaintext"].decode()

# %% [markdown]
# **Predict:** the test system has the same permission, and gets hold of this ciphertext. It passes the context of its own
# stage. Does it get the password?

# %% tags=["raises-exception"] shows="04.encryption-context"
clinic_kms.decrypt(CiphertextBlob=bound, EncryptionContext={"app": "records", "stage": "test"})

# %% [markdown]
# The context works as an *integrity check*: the secret opens only where it belongs. The values are compared letter by
# letter, capitals too.
#
# **Predict:** is the context itself a secret? Look at the record of the call in the audit trail.

# %% shows=["04.encryption-context", "04.cloudtrail"]
calls = aws.trail.events("Decrypt", user="clinic-app")
[call["requestParameters"] for call in calls if "errorCode" not in call][-1]

# %% [markdown]
# It stands there in plain text, in the log, and the password does not. So the context is for what may be known: which
# application, which stage, which patient's number. Never for a secret.

# %% [markdown]
# ## 4 · How much KMS takes
#
# The clinic's next secret is longer: the private keys of its certificates, 6,000 bytes in one file.
#
# **Predict:** does KMS encrypt the file?

# %% tags=["raises-exception"] shows="04.size-limit"
private_keys = os.urandom(6000)
kms.encrypt(KeyId="alias/clinic/app", Plaintext=private_keys)

# %% [markdown]
# `Encrypt` is for passwords and keys, not for files. For anything longer than 4,096 bytes, KMS makes a **data key**: one key
# in two forms, of which the plain one is used at once and forgotten, and the encrypted one is kept.

# %% shows="04.size-limit"
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

data_key = kms.generate_data_key(
    KeyId="alias/clinic/app", KeySpec="AES_256", EncryptionContext=production
)
nonce = os.urandom(12)
envelope = {
    "wrapped_key": data_key["CiphertextBlob"],
    "nonce": nonce,
    "ciphertext": AESGCM(data_key["Plaintext"]).encrypt(nonce, private_keys, None),
}
del data_key

# %% [markdown]
# ### Look inside
#
# The long secret is locked by the data key, and the data key by the KMS key. Open a layer with <kbd>Enter</kbd>. Lesson 05
# is about this *envelope*.

# %%
from kmscourse import views

views.Envelope(envelope, holders={key["Arn"]: ["clinic-app"]})

# %% [markdown]
# ## 5 · A name that can be moved
#
# A year later the clinic wants a new key. The code says `alias/clinic/app` and nothing else, so nobody has to touch it:

# %% shows="04.aliases"
new_key = kms.create_key(Description="The second key")["KeyMetadata"]
kms.update_alias(AliasName="alias/clinic/app", TargetKeyId=new_key["KeyId"])
kms.encrypt(KeyId="alias/clinic/app", Plaintext=b"new")["KeyId"] == new_key["Arn"]

# %% [markdown]
# **Predict:** the alias points to the new key. The old ciphertext was made with the old one. Does it still open?

# %%
open_setting(clinic_kms, setting) == password

# %% [markdown]
# An alias only decides which key is used *from now on*. What was encrypted names its key in itself, so the old key has to
# stay as long as its ciphertext.
#
# One trap, which exams like. **Predict:** this permission names the alias instead of the key. May the trainee decrypt what
# the alias's key made?

# %%
by_alias = f"arn:aws:kms:us-east-1:{aws.account_id}:alias/clinic/app"
names_the_alias = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": by_alias},
}
boto3.client("iam").put_user_policy(
    UserName="trainee", PolicyName="alias", PolicyDocument=json.dumps(names_the_alias)
)["ResponseMetadata"]["HTTPStatusCode"]

# %% tags=["raises-exception"] shows="04.aliases"
fresh = kms.encrypt(KeyId="alias/clinic/app", Plaintext=b"new")["CiphertextBlob"]
trainee.client("kms").decrypt(CiphertextBlob=fresh)

# %% [markdown]
# An alias in `Resource` means the alias itself, as a thing that can be created or deleted. A permission to *use* a key names
# the key.

# %% [markdown]
# ## 6 · Let a service keep it
#
# A ciphertext in the code works, and for every new password somebody has to change the code. Two services keep secrets, ask
# KMS for you, and can be asked by name.
#
# **Parameter Store**, a part of AWS Systems Manager (SSM), keeps settings. Those of type **SecureString** are encrypted.

# %% shows="04.secret-stores"
ssm = boto3.client("ssm")
ssm.put_parameter(
    Name="/clinic/production/licence",
    Value="licence-of-the-lab-software",
    Type="SecureString",
    KeyId="alias/clinic/app",
    Overwrite=True,
)["Tier"]

# %% [markdown]
# **Predict:** the administrator asks for it, without a word about decryption. What comes back?

# %%
kept = ssm.get_parameter(Name="/clinic/production/licence")["Parameter"]["Value"]
kept[:32] + "..."

# %%
ssm.get_parameter(Name="/clinic/production/licence", WithDecryption=True)["Parameter"]["Value"]

# %% [markdown]
# To read it takes two permissions, then: `ssm:GetParameter` for the parameter and `kms:Decrypt` for the key.
#
# **Secrets Manager** keeps what has to be *changed* from time to time, and knows versions.

# %%
secrets = boto3.client("secretsmanager")
first = {"SecretString": "open-sesame-4711"}
try:
    secrets.create_secret(Name="clinic/database", KmsKeyId="alias/clinic/app", **first)
except secrets.exceptions.ResourceExistsException:
    secrets.put_secret_value(SecretId="clinic/database", **first)

# %% [markdown]
# The password from the history of git is changed at last. On AWS a *rotation* does this on a schedule, with a function that
# also tells the database.

# %% tags=["moves-on"] shows="04.secret-stores"
secrets.put_secret_value(SecretId="clinic/database", SecretString="quite-another-4711")
for stage in ("AWSCURRENT", "AWSPREVIOUS"):
    version = secrets.get_secret_value(SecretId="clinic/database", VersionStage=stage)
    print(stage, version["SecretString"])

# %% [markdown]
# The application asks for the current one and notices nothing; the previous one stays a while, for a connection that is
# still open. What lies on the disk of the service:

# %%
on_disk = aws.stored("secretsmanager", "clinic/database")
b"quite-another-4711" in bytes(on_disk), on_disk.key_arn == new_key["Arn"]

# %% [markdown]
# | You have | Take |
# |---|---|
# | A value that belongs to one version of the code, and KMS at hand | A ciphertext in the code |
# | Settings and secrets by name, changed by hand, at little cost | Parameter Store, SecureString |
# | A password that is to be changed on a schedule, or to be replicated or shared with another account | Secrets Manager |

# %% [markdown]
# ### Everyone asks KMS
#
# Two more services, so that the list is longer: an object in **S3**, where files are kept, and a disk of **EBS**.

# %%
s3 = boto3.client("s3")
s3.create_bucket(Bucket="clinic-letters")
s3.put_object(
    Bucket="clinic-letters",
    Key="4711.txt",
    Body=b"Dear patient",
    ServerSideEncryption="aws:kms",
    SSEKMSKeyId=new_key["Arn"],
)["ServerSideEncryption"]

# %%
boto3.client("ec2").create_volume(
    AvailabilityZone="us-east-1a", Size=1, Encrypted=True, KmsKeyId=new_key["Arn"]
)["Encrypted"]

# %% [markdown]
# **Predict:** you called four services. Which of them called KMS in your name?

# %% shows=["04.most-likely-kms", "03.services"]
sorted(
    {
        event["userIdentity"]["invokedBy"]
        for event in aws.trail.events(service="kms")
        if "invokedBy" in event["userIdentity"]
    }
)

# %% [markdown]
# ## 7 · Who did what
#
# **AWS CloudTrail** records each call: who, what, when, with which key. You have seen the trail through `aws.trail`. At work
# you ask CloudTrail itself, with `lookup_events`.
#
# **Predict:** the trainee was refused each time. Is there anything to see of it?

# %% shows="04.cloudtrail"
cloudtrail = boto3.client("cloudtrail")
asked = [{"AttributeKey": "Username", "AttributeValue": "trainee"}]
for event in cloudtrail.lookup_events(LookupAttributes=asked)["Events"]:
    record = json.loads(event["CloudTrailEvent"])
    print(event["EventName"], record.get("errorCode"), "-", record["errorMessage"][:60], "...")

# %% [markdown]
# Refusals are recorded like everything else, and they are often the first sign of an attack. Who opened something with the
# first key, and what for? CloudTrail answers with the newest first.

# %% shows="04.cloudtrail"
asked = [{"AttributeKey": "ResourceName", "AttributeValue": key["Arn"]}]
for event in cloudtrail.lookup_events(LookupAttributes=asked)["Events"]:
    if event["EventName"] == "Decrypt":
        record = json.loads(event["CloudTrailEvent"])
        context = (record["requestParameters"] or {}).get("encryptionContext", "no context")
        print(f"{event['Username']:10}", record.get("errorCode", "opened"), context)

# %% [markdown]
# With a context one can see *what* was opened; without one, only that something was. That alone is worth it.
#
# **Predict:** is the password anywhere in the trail?

# %%
password in json.dumps(aws.trail.events())

# %% [markdown]
# ## On the exam, and today
#
# | Study notes say | Today |
# |---|---|
# | "Encryption" for an AWS service is most likely KMS | Still the best guess. Often with a key that you never see: an AWS owned key |
# | AWS manages encryption keys for us | Still so; with an external key store (lesson 06) a second key stays outside AWS. Who may use a customer managed key is yours to say |
# | Fully integrated with IAM | Only where the key policy lets IAM decide; new keys do |
# | Audit key usage using CloudTrail | Every call, the refused ones too, with the encryption context, without the plaintext |
# | Encrypted secrets can be stored in the code or environment variables | Still right, and still asked. New designs mostly take Secrets Manager or Parameter Store |
#
# Where these come from:

# %%
from kmscourse import facts

facts.get("OVR-01")

# %%
facts.get("OVR-06")

# %%
facts.get("OVR-13")

# %%
facts.get("SEC-03")

# %% [markdown]
# ## What it cost

# %%
aws.meter.bill()

# %% [markdown]
# ## Lab
#
# Now you: type `course lab 04-kms` in a terminal (*File, New, Terminal*). Seven tasks, each checked, each with hints.

# %% [markdown]
# ## Check yourself

# %%
from kmscourse import exam

exam.check_yourself("04-kms")
