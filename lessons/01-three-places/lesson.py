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
# # 01 · Three places: who can read it, where?
#
# A small clinic keeps its patients' records with AWS. A record travels from a browser to a server, lies on a disk, and is
# fetched again. On the way many people could have a look at it. This lesson asks who really can.
#
# You will
#
# 1. read a record in three places where you should not be able to,
# 2. encrypt and decrypt with one key, then with a pair of keys,
# 3. change a prescription that you cannot read, and stop yourself,
# 4. protect the record in each of the three places,
# 5. see who can read it, for each of them, and for all of them together.
#
# About 35 minutes, then a lab of 25. You need to know nothing beforehand, except a little Python.

# %% [markdown]
# ## Start the simulated AWS
#
# From here on `boto3` talks to a simulated AWS inside this notebook. Nothing leaves your machine and nothing costs money.

# %%
import json

import boto3

from kmscourse import cloud

aws = cloud.start(seed="01-three-places")
ec2, kms, s3 = (boto3.client(name) for name in ("ec2", "kms", "s3"))

# %% [markdown]
# This is the record. It should stay between patient 4711 and the clinic.

# %%
record = json.dumps({"patient": "4711", "diagnosis": "type 2 diabetes"}).encode()
record

# %% [markdown]
# ## 1 · Break it
#
# ### On the wire
#
# A nurse saves the record. The browser sends it to the clinic's server, over plain HTTP, through cables that belong to
# others. You hold one of those cables, and keep a copy of what passes: you are an **eavesdropper**.

# %%
from kmscourse import tls

host = "records.clinic.example"
request = b"PUT /patients/4711 HTTP/1.1\r\nHost: records.clinic.example\r\n\r\n" + record
said = {"request": request, "response": b"HTTP/1.1 204 No Content\r\n\r\n"}
listener = tls.Eavesdropper()
tls.converse_in_the_clear(pipe=listener, **said)
record in listener

# %% [markdown]
# ### On the disk
#
# The server is a virtual computer of **Amazon EC2**. Its disk is a **volume** of Amazon EBS, the Elastic Block Store.


# %%
def launch_server(**encryption):
    """A new server, and the id of its volume."""
    disk = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8, **encryption}}
    image = {"ImageId": "ami-0123456789abcdef0", "MinCount": 1, "MaxCount": 1}
    launched = ec2.run_instances(BlockDeviceMappings=[disk], **image)["Instances"][0]
    return launched["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]


volume = launch_server()

# %% [markdown]
# The server writes the record to its disk. `aws.disk` is the volume as the server uses it. `aws.stored` is what a thief finds who
# carries the disk out of the building.

# %%
aws.disk(volume).write(0, record)
record in bytes(aws.stored("ebs", volume))

# %% [markdown]
# ### Through the front door
#
# A copy goes to Amazon S3, where files are kept in a **bucket**. Each file is an **object**.

# %%
s3.create_bucket(Bucket="clinic-records")
stored = s3.put_object(Bucket="clinic-records", Key="4711.json", Body=record)
stored["ServerSideEncryption"]

# %% [markdown]
# S3 encrypted the object without being asked. `AES256` means: with a key that S3 keeps itself.
#
# Every month a small program reads the bucket and writes a report. It signs its calls with the **access key** of an IAM user,
# a name and a password for programs; `aws.session` is a boto3 session that has one. What the user may do stands in an
# **IAM policy**. This one allows a single thing: get objects.

# %%
may_get = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
report_job = aws.session("report-job")
boto3.client("iam").put_user_policy(
    UserName="report-job",
    PolicyName="read-the-bucket",
    PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": may_get}),
)["ResponseMetadata"]["HTTPStatusCode"]

# %% [markdown]
# Somebody put that access key into a public repository. Now you have it.
#
# **Predict:** the object is encrypted. What do you get?

# %%
report_job.client("s3").get_object(Bucket="clinic-records", Key="4711.json")["Body"].read()

# %% [markdown]
# The record. S3 decrypts for everyone who may get the object, and you may.
#
# Three places, three ways in. Before you shut them: what is encryption, and what can it do?

# %% [markdown]
# ## 2 · What encryption is
#
# **Encryption** turns readable bytes, the **plaintext**, into bytes that tell nothing, the **ciphertext**. A **key**
# decides how. The method is public, for everyone to examine; only the key is secret.
#
# ### One key: symmetric
#
# In **symmetric encryption** the same key encrypts and decrypts. **AES-GCM** is the one that AWS uses most: AES is the
# cipher, GCM the way to use it. The **nonce** is a number that is used once. It is not secret. (`None` stands for something
# that comes in part 3.)

# %% shows=["01.what-is-encryption", "01.symmetric"]
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

key = AESGCM.generate_key(bit_length=256)
nonce = os.urandom(12)
ciphertext = AESGCM(key).encrypt(nonce, record, None)
print(len(key), "bytes of key,", len(record), "of plaintext,", len(ciphertext), "of ciphertext")
record in ciphertext

# %%
AESGCM(key).decrypt(nonce, ciphertext, None)

# %% [markdown]
# **Predict:** and with another key? Something unreadable, or nothing at all?

# %% tags=["raises-exception"]
another = AESGCM.generate_key(bit_length=256)
AESGCM(another).decrypt(nonce, ciphertext, None)

# %% [markdown]
# The red box was the point: nothing at all. Those 16 bytes more are why; part 3 comes back to them.
#
# Encryption does not make the secret go away. It makes it smaller: instead of all records, one key has to be guarded. So of
# every encrypted thing ask: *where is the key, and who may use it?*
#
# **Predict:** somebody proposes Base64, because "it cannot be read either". Which key does the next cell need?

# %%
import base64

letters = base64.b64encode(record)
print(letters)
base64.b64decode(letters) == record

# %% [markdown]
# None. Base64 is a way to write bytes with letters. Where there is no key, nothing is secret.

# %% [markdown]
# ### Two keys: asymmetric
#
# The pharmacy wants to get letters from anyone. With one key it would have to hand that key to everyone, and then everyone
# could read everything.
#
# In **asymmetric encryption** there are two. The **public key** encrypts, and may be known to all. The **private key** decrypts,
# and never leaves its owner. RSA is the oldest kind; OAEP is the careful way to use it.

# %% shows="01.asymmetric"
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
public_key = private_key.public_key()
oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)

letter = public_key.encrypt(b"4711 needs insulin by tonight", oaep)
private_key.decrypt(letter, oaep)

# %% [markdown]
# **Predict:** you wrote the letter. Can you open it again?

# %%
hasattr(private_key, "decrypt"), hasattr(public_key, "decrypt")

# %% [markdown]
# No; a public key cannot do that. **Predict:** how long may a letter be? The next cells try 190 bytes, and one more.

# %%
len(public_key.encrypt(bytes(190), oaep))

# %% tags=["raises-exception"]
public_key.encrypt(bytes(191), oaep)

# %% [markdown]
# That is all this key takes, and it is slow. So the two kinds work together: a new symmetric key encrypts the
# letter, and the public key encrypts that key. You will do it in the lab.
#
# Turned around, the pair makes a **signature**. The private key signs; everyone who has the public key can verify who
# wrote it, and that nothing was changed. It hides nothing.

# %%
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

doctor = ed25519.Ed25519PrivateKey.generate()
signature = doctor.sign(b"4711: insulin, 10 units")
for text in (b"4711: insulin, 10 units", b"4711: insulin, 90 units"):
    try:
        doctor.public_key().verify(signature, text)
        print(text.decode(), "- signed by the doctor")
    except InvalidSignature:
        print(text.decode(), "- not what the doctor signed")

# %% [markdown]
# | | The public key | The private key |
# |---|---|---|
# | A secret letter to one | encrypts | decrypts |
# | A public letter from one | verifies | signs |

# %% [markdown]
# ## 3 · Secret is not enough
#
# Encryption hides. Does it also protect against change? Here is a prescription under AES in *counter mode* (CTR), which
# is what GCM is built on. It has no tag: nothing is added to the plaintext.

# %%
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

prescription = b"patient 4711: insulin, 10 units"
counter_mode = Cipher(algorithms.AES(key), modes.CTR(os.urandom(16)))
sealed = counter_mode.encryptor().update(prescription)
len(prescription), len(sealed), prescription in sealed

# %% [markdown]
# You are on the wire again, without the key. You cannot read the prescription. But you know the clinic's form, so you know
# where the first digit of the dose stands. You change one byte there.
#
# **Predict:** what does the pharmacy get when it decrypts: an error, noise, or something else?

# %% shows="01.authenticated"
forged = bytearray(sealed)
forged[prescription.index(b"10")] ^= ord("1") ^ ord("9")

counter_mode.decryptor().update(forged)

# %% [markdown]
# Nine times the dose, and no error. Counter mode mixes each bit of the plaintext with a bit that only the key can make. Turn over
# a bit of the ciphertext, and the same bit of the plaintext turns over.
#
# Now AES-GCM. It is **authenticated encryption**: the 16 bytes at its end are a **tag**, a checksum that only the key
# can make.
#
# **Predict:** the same change, the same place.

# %% shows="01.authenticated" tags=["raises-exception"]
nonce = os.urandom(12)
forged = bytearray(AESGCM(key).encrypt(nonce, prescription, None))
forged[prescription.index(b"10")] ^= ord("1") ^ ord("9")

AESGCM(key).decrypt(nonce, bytes(forged), None)

# %% [markdown]
# Refused, before a single byte came out. An error is the better answer: half a truth can kill.
#
# ### The third argument
#
# You cannot change a letter any more. But you can put it into another patient's file, whole. The third argument stops that. It is
# called **associated data** (AWS says *additional authenticated data*, AAD): not hidden, not stored in the ciphertext, but
# bound to it by the tag.

# %% tags=["raises-exception"]
for_4711 = AESGCM(key).encrypt(nonce, b"insulin, 10 units", b"patient 4711")
AESGCM(key).decrypt(nonce, for_4711, b"patient 4712")

# %% [markdown]
# AWS KMS has the same under the name *encryption context*. You will meet it in lessons 04 and 05.
#
# ### Used once
#
# That last cell broke a rule: it took the nonce a second time. **Predict:** two letters, the same key, the same nonce. Somebody has
# both ciphertexts and no key. What do they learn?

# %%
one = AESGCM(key).encrypt(nonce, b"HIV: negative", None)
two = AESGCM(key).encrypt(nonce, b"HIV: positive", None)
[position for position in range(13) if one[position] != two[position]]

# %% [markdown]
# They learn where the letters differ, and who can guess one of the two can work out the other. A new `os.urandom(12)` for
# each letter, and there is nothing to see.

# %% [markdown]
# ## 4 · Fix it: three places
#
# Everything that AWS offers for encryption belongs to one of three places. They are the heart of many exam questions, and
# of this course.
#
# ### In flight
#
# **Encryption in flight** (or *in transit*) protects the way: the sender encrypts, the receiver decrypts. It is done by
# **TLS**, the protocol under HTTPS. The server shows a *certificate*, so that the browser knows whom it talks to. Lesson 02 is all
# about it; here three lines will do.

# %%
ca = tls.CertificateAuthority("Clinic CA", key_type="ed25519")
browser, server = tls.Client(host, trust=ca), tls.Server(ca.issue(host))
listener = tls.Eavesdropper()
talk = tls.converse(client=browser, server=server, pipe=listener, **said)

# %% [markdown]
# **Predict:** the record is encrypted on the wire. Who has it in plaintext now: the eavesdropper, the server, both, nobody?

# %% shows="01.in-flight"
{"eavesdropper": record in listener, "server": record in talk.server.received}

# %% [markdown]
# TLS ends where the server begins. What the server does with the record is not TLS's business.
#
# ### At rest, on the server
#
# **Server-side encryption**, or encryption *at rest*: the server encrypts after receiving and before writing; it decrypts
# before sending. On AWS the key mostly lies in **AWS KMS**, the Key Management Service, and is called a **KMS key**.

# %%
storage_key = kms.create_key(Description="For disks and buckets")["KeyMetadata"]["Arn"]
volume = launch_server(Encrypted=True, KmsKeyId=storage_key)
aws.disk(volume).write(0, record)

# %% [markdown]
# **Predict:** the thief takes the disk. The server goes on reading its disk. Who sees the record?

# %% shows="01.at-rest"
{
    "thief": record in bytes(aws.stored("ebs", volume)),
    "server": aws.disk(volume).read(0, len(record)) == record,
}

# %% [markdown]
# The server notices nothing of the encryption. S3 does the same with an object when you name the key; that is called
# **SSE-KMS**.

# %%
named = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": storage_key}
stored = s3.put_object(Bucket="clinic-records", Key="4711.json", Body=record, **named)
stored["ServerSideEncryption"]

# %% [markdown]
# **Predict:** the leaked access key may still get every object in the bucket. Does it get this one?

# %% tags=["raises-exception"]
report_job.client("s3").get_object(Bucket="clinic-records", Key="4711.json")

# %% [markdown]
# Refused. To decrypt, S3 asks KMS *in the name of the caller*, and this caller may not use the key. It takes two
# permissions now: one for the object, one for the key. Somebody will have both:

# %%
may_both = {"Effect": "Allow", "Action": ["s3:GetObject", "kms:Decrypt"], "Resource": "*"}
administrator = aws.session("administrator")
boto3.client("iam").put_user_policy(
    UserName="administrator",
    PolicyName="look-after-everything",
    PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": may_both}),
)
administrator.client("s3").get_object(Bucket="clinic-records", Key="4711.json")["Body"].read()

# %% [markdown]
# So encryption at rest stops those who go around the server, and those who may not use the key. It does not stop
# those whom the server obeys.
#
# ### On the client
#
# **Client-side encryption**: the client encrypts before sending. The server stores what it gets, and a client that has the key decrypts.
# You have done all of it already, in part 2.

# %%
nonce = os.urandom(12)
body = nonce + AESGCM(key).encrypt(nonce, record, b"patient 4711")
s3.put_object(Bucket="clinic-records", Key="4711.sealed", Body=body, **named)
answer = administrator.client("s3").get_object(Bucket="clinic-records", Key="4711.sealed")
seen = answer["Body"].read()

# %% [markdown]
# **Predict:** the administrator has both permissions, and S3 decrypts what S3 encrypted. What does the administrator see? And
# the clinic, which has the key?

# %% shows="01.client-side"
opened = AESGCM(key).decrypt(seen[:12], seen[12:], b"patient 4711")
{"administrator": record in seen, "clinic": opened == record}

# %% [markdown]
# The server cannot give away what it never had. The price: the server cannot search it or sort by it either, and if
# the clinic loses the key, the record is gone for good. How KMS helps to keep such keys is lesson 05.

# %% [markdown]
# ## 5 · Look inside: who can read it, where?
#
# A whole clinic now: browser, server, bucket, database, and a **snapshot**, a backup of the database's disk. Eight people
# want the record. The next cell lets each of them really try, once for each choice of the three measures.
#
# **Predict:** before you run it, which single measure stops most of them? Is there someone whom none of them stops?

# %%
from kmscourse import attempts, views

tried = attempts.by_everyone(record)
views.WhoCanRead(tried, title="Patient 4711: who can read it?")

# %% [markdown]
# Open a cell with <kbd>Enter</kbd>: it has what was tried, what was seen, who refused, and what stands on the **trail**,
# AWS's record of every call. Keys <kbd>1</kbd>, <kbd>2</kbd>, <kbd>3</kbd> switch the measures of the last column.
#
# The *cloud operator* is whoever can look into the memory of the server. AWS has other means to keep its own people out;
# the matrix asks only what the encryption stops.
#
# **Predict:** TLS on the wire and KMS keys on the server, as most systems on AWS have it. Who still reads?

# %% shows="01.who-can-read"
usual = {"In flight", "At rest"}
for attempt in tried:
    if {measure.name for measure in attempt.measures} == usual and attempt.reads:
        print(attempt.who, "-", attempt.where)

# %% [markdown]
# Nobody broke a cipher. The operator looked where the plaintext has to be; the others asked, and were answered. Against
# them there are three means: fewer permissions, a *key policy* that names who may use a key (lesson 08), or encryption on
# the client.
#
# **Predict:** everything is switched on. Whose leaked access key opens the record all the same?

# %%
[attempt.who for attempt in tried if attempt.reads and len(attempt.measures) == 3]

# %% [markdown]
# Encryption does not stop those for whom it was made. That is not a weakness; but their keys need the best care of all.
#
# Take this question along. It goes through the whole course, and answers many exam questions by itself: ***who can
# read it, where?***

# %% [markdown]
# ## On the exam, and today
#
# | Study notes say | Today |
# |---|---|
# | Three types: in flight, at rest on the server, on the client | Still so. Read the scenario for *who must not read it*; that names the type (`BAS-01`, `BAS-02`) |
# | "SSL" | Its successor TLS, in new questions and in old ones. AWS requires TLS 1.2 and recommends 1.3 (`BAS-05`) |
# | Turn on encryption for the bucket | Every new object is encrypted since January 5, 2023, at least with a key of S3's own (`S3E-01`). The question is now *under which key* |
# | Encrypted at rest, so unauthorized people cannot read it | Only those who go around the server, or may not use the key. "Even the administrators must not read it" means client side |
#
# Where these come from:

# %%
from kmscourse import facts

facts.get("BAS-01")

# %%
facts.get("BAS-02")

# %%
facts.get("S3E-01")

# %% [markdown]
# ## Lab
#
# Now you: type `course lab 01-three-places` in a terminal (*File, New, Terminal*). Seven tasks, each checked, each with hints.

# %% [markdown]
# ## Check yourself

# %%
from kmscourse import exam

exam.check_yourself("01-three-places")
