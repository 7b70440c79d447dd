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
# # 02 · In flight: TLS you can hold in your hand
#
# A doctor opens a patient's record in a browser. The record travels from the clinic's server to the browser, over wires
# that belong to other people. In this lesson you are one of them: you hold the pipe.
#
# You will
#
# 1. read a prescription off the wire, then change it,
# 2. stop yourself, one check at a time,
# 3. watch a real TLS handshake, record by record, and open the records with four lines of code,
# 4. have the server ask the doctor for a certificate, too,
# 5. do the same with AWS: S3 buckets that refuse plain HTTP, and certificates from ACM.
#
# About 40 minutes, then a lab of 25.

# %% [markdown]
# ## Two ends and a pipe
#
# Every handshake in this notebook is real: Python's own `ssl` plays both the browser and the server, in memory. The bytes
# between them pass through a *pipe*, and whoever holds the pipe can look at them or change them.
#
# This is what the two have to say:

# %%
from kmscourse import tls

host = "records.clinic.example"
request = b"GET /patients/4711 HTTP/1.1\r\nHost: records.clinic.example\r\n\r\n"
answer = b"HTTP/1.1 200 OK\r\n\r\ndoxycycline 10 mg, twice a day"

# %% [markdown]
# ## 1 · Break it
#
# First, plain HTTP. You are the *eavesdropper*: you keep a copy of what passes.

# %% shows="02.encrypted-on-the-way"
listener = tls.Eavesdropper()
tls.converse_in_the_clear(request=request, response=answer, pipe=listener)
for flight in listener.heard:
    print(f"{flight.sender}: {flight.data.decode()}")

# %% [markdown]
# Nothing was cracked; there was nothing to crack. And whoever can read can also write:

# %%
forger = tls.Interceptor(replace={b"10 mg": b"90 mg"})
fooled = tls.converse_in_the_clear(request=request, response=answer, pipe=forger)
print(fooled.received_by_client.decode())

# %% [markdown]
# Nine times the dose, and nobody noticed. So the clinic switches **TLS** on, the protocol under the *S* of HTTPS. The
# server needs a *certificate*, and somebody makes one in a hurry. It vouches for itself: it is *self-signed*.
#
# Every client then complained about that certificate, so the same somebody switched the check off. In `requests` and in
# boto3 the switch is called `verify=False`, and half of the web's advice recommends it.

# %%
hurried = tls.Server(tls.self_signed(host, key_type="ed25519"))
careless = tls.Client(host, verify=False)
said = {"server": hurried, "request": request, "response": answer}
listener = tls.Eavesdropper()
talk = tls.converse(client=careless, pipe=listener, **said)
talk.client.received == answer, b"doxycycline" in listener

# %% [markdown]
# The browser got its answer and the eavesdropper got none of it. It looks safe.
#
# **Predict:** all of it is encrypted now. The forger holds the pipe again. What does the doctor read?

# %% shows="02.verification"
attacked = tls.converse(client=careless, pipe=forger, **said)
print(attacked.client.received.decode())

# %% [markdown]
# The forger did not break the encryption. The forger *was* the other end: it shook hands with the browser as if it were
# the server, and with the server as if it were the browser. Both conversations were encrypted, perfectly.

# %%
for leg in attacked.legs:
    print(" and ".join(leg.capture.ends), "-", leg.capture.cipher_suite)
b"doxycycline 10 mg" in forger

# %% [markdown]
# Encryption keeps a secret between two ends. It does not say *who* is at the other end. That is what a certificate is for,
# and only for those who check it.

# %% [markdown]
# ## 2 · Fix it
#
# A **certificate** is a signed sentence: "this public key belongs to this name". A **certificate authority** (CA) signs it.
# Whoever trusts the CA believes the sentence.
#
# You are the CA now. These are the parts of every certificate: a public key, a serial number, two dates, two names.

# %%
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID


def named(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


# %%
def certificate(subject, issuer, public_key):
    one = x509.CertificateBuilder().public_key(public_key)
    one = one.serial_number(x509.random_serial_number())
    one = one.not_valid_before(datetime.now(UTC) - timedelta(hours=1))
    one = one.not_valid_after(datetime.now(UTC) + timedelta(days=90))
    return one.subject_name(named(subject)).issuer_name(named(issuer))


# %% [markdown]
# What is missing is the signature. A CA's own certificate says: this key may sign others. It signs itself.

# %%
from cryptography.hazmat.primitives.asymmetric import ed25519

ca_key = ed25519.Ed25519PrivateKey.generate()
root = certificate("Clinic CA", "Clinic CA", ca_key.public_key())
root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
root = root.sign(ca_key, algorithm=None)

# %% [markdown]
# Then the server's certificate. The server makes its own key pair and shows the CA only the public half. The name stands in
# the *subject alternative name*; clients look nowhere else.

# %% shows="02.certificates"
server_key = ed25519.Ed25519PrivateKey.generate()
signed = certificate(host, "Clinic CA", server_key.public_key())
signed = signed.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
signed = signed.sign(ca_key, algorithm=None)

# %% [markdown]
# Three parties: the server has `server_key` and `signed`, the browser has `root`, and `ca_key` goes into a safe.

# %%
from cryptography.hazmat.primitives.serialization import Encoding

by_hand = tls.Server(tls.Certificate(signed, server_key))
careful = tls.Client(host, trust=root.public_bytes(Encoding.PEM))
talk = tls.converse(client=careful, server=by_hand, request=request, response=answer)
talk.client.received == answer

# %% [markdown]
# **Predict:** the forger holds the pipe once more, with a certificate for the right name, from a CA of its own.

# %%
talk = talk.again(pipe=forger)
print(talk.summary())
talk.client.received, [(alert.sender, alert.description) for alert in talk.alerts]

# %% [markdown]
# The browser sent an *alert* and hung up before a single byte of the request went out.
#
# From here on `kmscourse.tls` does in one line what you did in fifteen.

# %%
ca = tls.CertificateAuthority("Clinic CA", key_type="ed25519")
server = tls.Server(ca.issue(host))
client = tls.Client(host, trust=ca)
said = {"request": request, "response": answer}
tls.converse(client=client, server=server, **said)

# %% [markdown]
# ### Every check has its reason
#
# Four bad certificates, one for each check.
#
# **Predict:** which check refuses which?

# %% shows=["02.verification", "02.certificates"]
bad = {
    "self-signed": tls.self_signed(host),
    "another name": ca.issue("pharmacy.example"),
    "expired": ca.issue(host, not_after=datetime.now(UTC) - timedelta(days=1)),
    "another CA": tls.CertificateAuthority("Cheap CA").issue(host),
}
refused = {}
for what, shown in bad.items():
    talk = tls.converse(client=client, server=tls.Server(shown), **said)
    refused[what] = talk.refusal.verify_code
    print(f"{what:12}  {talk.refusal.verify_code}  {talk.refusal.verify_name}")

# %% [markdown]
# The numbers are OpenSSL's *verify codes*. Its messages change from version to version; the codes stay. So a program
# should look at the code, as the next cell does:

# %%
assert refused == {"self-signed": 18, "another name": 62, "expired": 10, "another CA": 20}

# %% [markdown]
# The *name* is a check of its own. A client that checks the chain but not the name is content with any certificate of a CA
# it trusts, and anyone can get one of those for a name of their own.

# %%
mallory = tls.Interceptor(certificate=ca.issue("mallory.example"), replace={b"10 mg": b"90 mg"})
half = tls.Client(host, trust=ca, check_hostname=False)
talk = tls.converse(client=half, server=server, pipe=mallory, **said)
talk.intercepted, b"90 mg" in talk.client.received

# %% [markdown]
# ### The chain
#
# A CA that signs every day must have its key at hand, and what is at hand gets stolen. So the *root* stays in the safe and
# signs one **intermediate** CA; that one signs servers. Clients know the root only, so the server must send the
# intermediate's certificate along.
#
# **Predict:** the server forgets to send it. The certificate is good. What does the client say?

# %%
issuing = ca.intermediate("Clinic Issuing CA")
whole = issuing.issue(host)
alone = tls.Certificate(whole.certificate, whole.private_key)
for shown in (whole, alone):
    talk = tls.converse(client=client, server=tls.Server(shown), **said)
    print(len(shown.chain), "intermediate sent:", talk.summary())

# %% [markdown]
# That is the commonest mistake of all. It often goes unnoticed, because a browser may remember the intermediate from
# another site, while a program does not.

# %% [markdown]
# ### Taken back
#
# A stolen certificate is *revoked*: its CA puts it on a signed list. The list helps those who ask for it.

# %%
stolen = ca.issue(host)
ca.revoke(stolen)
for asks in (client, client.but(crl=ca.crl())):
    talk = tls.converse(client=asks, server=tls.Server(stolen), **said)
    print(talk.completed, [alert.description for alert in talk.alerts if alert.level == "fatal"])

# %% [markdown]
# Most programs do not ask. That is one reason why certificates live for shorter and shorter.

# %% [markdown]
# ### A flipped byte
#
# One check is left. The forger has no certificate, so it changes a sealed byte and hopes.

# %%
talk = tls.converse(client=client, server=server, pipe=tls.Tamperer(), **said)
talk.client.received, [(alert.sender, alert.description) for alert in talk.alerts]

# %% [markdown]
# Every record ends with a *tag* that only the two ends can make. One bit changed, and the client hangs up:
# `bad_record_mac`.

# %% [markdown]
# ## 3 · Look inside
#
# One conversation, with nobody but an eavesdropper on the wire. These are all its records, as anyone on the way sees them.

# %%
talk = tls.converse(client=client, server=server, pipe=tls.Eavesdropper(), **said)
for record in talk.capture.records:
    print(f"{record.sender}  {record.content_type:18}  {record.carries}")

# %% [markdown]
# Below is the same conversation. Choose a seat and see what each one can read; open a record with <kbd>Enter</kbd>. Then let
# the interceptor take the pipe, and switch the check of the certificate off. Each time Python really shakes hands again.

# %% shows="02.encrypted-on-the-way"
from kmscourse import views

views.Wire(talk, interceptor=forger, title="Patient 4711, on the way")

# %% [markdown]
# ### What stays visible
#
# **Predict:** in TLS 1.3 only the two hellos travel in the clear. Can the eavesdropper tell which site was asked for?

# %% shows="02.what-stays-visible"
talk.capture.client_hello.server_name, answer in talk.capture, b"4711" in talk.capture

# %% [markdown]
# The name is there, so that a server with many sites can pick the right certificate. It is called *SNI*, server name
# indication. The path with the patient's number is not there.
#
# **Predict:** two patients, two results. The eavesdropper has no key. Can it tell the results apart?

# %%
results = [b"HIV test: negative", b"HIV test: positive. Please come in to talk to us."]
for text in results:
    heard = tls.converse(client=client, server=server, request=request, response=text).capture
    sealed = [record for record in heard.records if record.sender == "server"][-2]
    print(len(text), "bytes said,", len(sealed), "bytes on the wire")

# %% [markdown]
# Encryption hides what is said, not how much. The difference is always 22: a header of 5 bytes, 1 for the record's true
# type, 16 for the tag. (The last record but one is the answer; the last is the goodbye.)

# %% [markdown]
# ### Open a record yourself
#
# Both ends work out the same secrets from the key exchange. Programs can write them to a file for debugging; browsers do
# it when the variable `SSLKEYLOGFILE` is set. Ours are here:

# %%
for label in sorted(talk.keylog.labels()):
    print(label)

# %% [markdown]
# From a secret, TLS 1.3 makes a key and an *iv* with **HKDF-Expand-Label** (RFC 8446, section 7.1). The label makes sure
# that no two purposes share a key.

# %%
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand


def expand_label(secret, label, length):
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(label)]) + label + b"\x00"
    return HKDFExpand(SHA384(), length, info).derive(secret)


# %% [markdown]
# The answer is the server's third record under this key; two session tickets went before it. So its number is 2. The nonce is
# the iv with that number mixed in, and the record's five-byte header is authenticated along with it.

# %%
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

secret = talk.keylog.secret(talk.capture.client_hello.random, "SERVER_TRAFFIC_SECRET_0")
key, iv = expand_label(secret, b"key", 32), expand_label(secret, b"iv", 12)
nonce = (int.from_bytes(iv, "big") ^ 2).to_bytes(12, "big")
sealed = [record for record in talk.capture.records if record.sender == "server"][-2]
opened = AESGCM(key).decrypt(nonce, sealed.raw.fragment, sealed.raw.header)
opened

# %% [markdown]
# The prescription. The last byte, `\x17`, is 23: the record's true type, *application data*. From outside, every sealed
# record claims to be that.
#
# The same works for all of them, those of the handshake included:

# %%
for one in talk.opening:
    print(f"{one.record.sender}  {one.carries:22}  {one.secret_name}")
len(talk.opening.sealed)

# %% [markdown]
# None stayed shut. Look at what is under the lock now: even the server's certificate.

# %% [markdown]
# ### TLS 1.2 beside 1.3
#
# **Predict:** in which of the two versions does the eavesdropper see the server's certificate?

# %%
for version in ("TLS 1.2", "TLS 1.3"):
    older = talk.again(version=version)
    readable = [message.name for message in older.capture.messages()]
    print(f"{version}, certificate in the clear: {server.certificate.der in older.capture}")
    print("  " + ", ".join(readable))

# %% [markdown]
# TLS 1.2 does its handshake in the open, and it takes one round trip more. It is not broken; it says more than it must.

# %% [markdown]
# ### Recorded today, opened in ten years
#
# The two agree on their secrets by a *key exchange*: each sends half, and the halves are public. No computer of today gets from the halves to
# the secret. A large quantum computer could, and whoever records now can wait.
#
# So there is a second key exchange, **ML-KEM**, that a quantum computer does not break either. The two are used together
# (a *hybrid*). Whether your machine does it is up to its OpenSSL. What was offered and chosen can be read in the hellos, as
# the second cell checks: it is no secret who is prepared.

# %% tags=["nbval-ignore-output"]
print(tls.post_quantum())

# %% shows="02.post-quantum"
assert talk.group in tls.local_client_hello().supported_groups
assert tls.post_quantum().offered == ("MLKEM" in talk.group)

# %% [markdown]
# AWS KMS offers hybrid key exchange, and CloudTrail says for each call which exchange was used:

# %%
from kmscourse import facts

facts.get("BAS-07")

# %% [markdown]
# ## 4 · Who is the doctor?
#
# So far the browser knows the server. The server knows nobody. In **mutual TLS** it asks for a certificate as well.
#
# **Predict:** a client without a certificate comes to a server that demands one.

# %% shows="02.mutual-tls"
strict = tls.Server(ca.issue(host), client_ca=ca)
talk = tls.converse(client=client, server=strict, **said)
talk.client.received, [(alert.sender, alert.description) for alert in talk.alerts]

# %% [markdown]
# This time the *server* hung up. With a certificate of the clinic's CA, the doctor gets in:

# %%
doctor = client.but(certificate=ca.issue("dr-lee", for_client=True))
tls.converse(client=doctor, server=strict, **said).client.received == answer

# %% [markdown]
# On AWS, mutual TLS is a setting of an Application Load Balancer or of API Gateway: you give it a *trust store*, the CA
# certificates whose clients may come in.

# %% [markdown]
# ## 5 · Towards AWS
#
# Each AWS service is an HTTPS server, and boto3 is its client. From here on boto3 talks to the simulated AWS; the *seed*
# makes its ids the same on each run. Nothing leaves your machine and nothing costs money.

# %%
import json

import boto3

from kmscourse import cloud

aws = cloud.start(seed="02-in-flight")
s3 = boto3.client("s3")
s3.create_bucket(Bucket="clinic-records")
stored = {"Bucket": "clinic-records", "Key": "4711.txt"}
s3.put_object(Body=b"doxycycline 10 mg", **stored)["ResponseMetadata"]["HTTPStatusCode"]

# %% [markdown]
# So far boto3 reaches it in memory. `aws.serve()` puts the same AWS behind a real port on this machine: one for HTTP, one for
# HTTPS, with a certificate from a CA that nobody has heard of.
#
# **Predict:** boto3 connects over HTTPS. What does it say?

# %%
from botocore.exceptions import SSLError

server = aws.serve()
try:
    boto3.client("s3", endpoint_url=server.https_url).get_object(**stored)
except SSLError as error:
    print("CERTIFICATE_VERIFY_FAILED" in str(error))

# %% [markdown]
# boto3 checks, and refuses. Here is the advice from the web. boto3 does as it is told, and complains:

# %%
import warnings

with warnings.catch_warnings(record=True) as complaints:
    warnings.simplefilter("always")
    blind = boto3.client("s3", endpoint_url=server.https_url, verify=False)
    print(blind.get_object(**stored)["Body"].read())
complaints[-1].category.__name__

# %% [markdown]
# You know from part 1 what it would have said to the forger: the same. The cure is to say *whom* to trust. `verify` takes a
# file with CA certificates, a **CA bundle**; the environment variable `AWS_CA_BUNDLE` does it for every program.

# %%
secure = boto3.client("s3", endpoint_url=server.https_url, verify=server.ca_bundle)
secure.get_object(**stored)["Body"].read()

# %% [markdown]
# ### A bucket that refuses plain HTTP
#
# S3 answers over plain HTTP as well, and will read the record out to the whole wire:

# %%
plain = boto3.client("s3", endpoint_url=server.url)
plain.get_object(**stored)["Body"].read()

# %% [markdown]
# There is one thing that S3 refuses by itself over plain HTTP: objects that a KMS key protects, and keys of your own.

# %%
from botocore.exceptions import ClientError

try:
    plain.put_object(
        Bucket="clinic-records", Key="4712.txt", Body=b"", ServerSideEncryption="aws:kms"
    )
except ClientError as error:
    print(error.response["Error"]["Message"])

# %% [markdown]
# Everything else is up to you. You cannot watch over every script. But you can have the bucket refuse: a **bucket policy** with a *Deny*. The
# condition key `aws:SecureTransport` says whether a request came over TLS.

# %%
bucket = "arn:aws:s3:::clinic-records"


def deny_if(condition):
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket, f"{bucket}/*"],
        "Condition": condition,
    }


# %%
not_over_http = deny_if({"Bool": {"aws:SecureTransport": "false"}})
policy = {"Version": "2012-10-17", "Statement": [not_over_http]}
_ = s3.put_bucket_policy(Bucket="clinic-records", Policy=json.dumps(policy))

# %% [markdown]
# **Predict:** the caller is the account's administrator, who may do everything. Once more over plain HTTP:

# %% shows="02.secure-transport" tags=["raises-exception"]
plain.get_object(**stored)

# %%
secure.get_object(**stored)["Body"].read()

# %% [markdown]
# A Deny wins over every Allow. (The Resource names two things: the bucket, for listing it, and the objects in it.)
#
# A second condition key, `s3:TlsVersion`, is a number. S3 itself has long refused anything below TLS 1.2. Now the clinic wants 1.3.

# %%
not_below_1_3 = deny_if({"NumericLessThan": {"s3:TlsVersion": "1.3"}})
policy = {"Version": "2012-10-17", "Statement": [not_over_http, not_below_1_3]}
s3.put_bucket_policy(Bucket="clinic-records", Policy=json.dumps(policy))
secure.get_object(**stored)["Body"].read()

# %% [markdown]
# **Predict:** the next cell asks twice, over TLS 1.2 and over TLS 1.3. It uses a *presigned URL*, so that plain `urllib` can ask.

# %%
import ssl
import urllib.error
import urllib.request

url = secure.generate_presigned_url("get_object", Params=stored)
for newest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    context = ssl.create_default_context(cafile=server.ca_bundle)
    context.maximum_version = newest
    try:
        print(newest.name, urllib.request.urlopen(url, context=context).status)
    except urllib.error.HTTPError as refused:
        print(newest.name, refused.status)

# %% [markdown]
# Two statements, not one with both conditions. Conditions of one statement must *all* hold, and plain HTTP has no TLS version
# at all. CloudTrail writes down how each request came. The last two:

# %%
for event in list(aws.trail.events("GetObject"))[-2:]:
    print(event["tlsDetails"]["tlsVersion"], event.get("errorCode", "allowed"))

# %%
server.close()

# %% [markdown]
# ### Certificates from AWS: ACM
#
# A clinic's web site needs a certificate of a CA that every browser knows. **AWS Certificate Manager** (ACM) makes one for a
# load balancer, a CloudFront distribution or an API. It makes the key pair, too.

# %% shows="02.acm"
acm = boto3.client("acm")
requested = acm.request_certificate(DomainName=host, ValidationMethod="DNS")
arn = requested["CertificateArn"]
found = acm.describe_certificate(CertificateArn=arn)["Certificate"]
proof = found["DomainValidationOptions"][0]["ResourceRecord"]
found["Status"], proof

# %% [markdown]
# A CA may sign only if the name is yours. ACM asks for a proof that only the owner of the domain can give: a record in its
# DNS. Here the DNS is Amazon Route 53.

# %%
dns = boto3.client("route53")
zone = dns.create_hosted_zone(Name="clinic.example", CallerReference=str(aws.clock.now()))
value = [{"Value": proof["Value"]}]
shown = {"Name": proof["Name"], "Type": "CNAME", "TTL": 300, "ResourceRecords": value}
# On AWS the answer is PENDING at first, and ACM sees the record some minutes later.
dns.change_resource_record_sets(
    HostedZoneId=zone["HostedZone"]["Id"],
    ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": shown}]},
)["ChangeInfo"]["Status"]

# %%
found = acm.describe_certificate(CertificateArn=arn)["Certificate"]
found["Status"], found["Issuer"], (found["NotAfter"] - found["NotBefore"]).days

# %% [markdown]
# Issued, for 198 days. Until February 2026 it was 395; browsers want certificates to live for shorter and shorter.
#
# **Predict:** the clinic also has a server in its cellar. Can it have this certificate, with its private key?

# %% tags=["raises-exception"]
acm.export_certificate(CertificateArn=arn, Passphrase=b"in the cellar")

# %% [markdown]
# No: that is what the error means. ACM hands the key only to AWS services that work with it, and so it cannot be stolen from you. Exam questions still build on that.
#
# Since June 17, 2025 there is an exception, if you ask for it beforehand (it has a price of its own). The proof is the
# same record, so this one is issued at once:

# %%
portable = acm.request_certificate(
    DomainName=host, ValidationMethod="DNS", Options={"Export": "ENABLED"}
)["CertificateArn"]
exported = acm.export_certificate(CertificateArn=portable, Passphrase=b"in the cellar")
for part in ("Certificate", "CertificateChain", "PrivateKey"):
    print(exported[part].splitlines()[0])

# %% [markdown]
# The key comes under your passphrase. Open it, and the server in the cellar can show the certificate:

# %%
from cryptography.hazmat.primitives.serialization import load_pem_private_key

key = load_pem_private_key(exported["PrivateKey"].encode(), b"in the cellar")
leaf = x509.load_pem_x509_certificate(exported["Certificate"].encode())
*between, public_root = x509.load_pem_x509_certificates(exported["CertificateChain"].encode())
cellar = tls.Server(tls.Certificate(leaf, key, tuple(between)))
browser = tls.Client(host, trust=public_root.public_bytes(Encoding.PEM))
tls.converse(client=browser, server=cellar, **said).client.received == answer

# %% [markdown]
# ### Renewal
#
# ACM renews a certificate by itself on two conditions: it is *in use* by an AWS service (or was exported), and the record
# still stands in DNS. Put the first one to use, at a load balancer:

# %% tags=["moves-on"]
subnets = [each["SubnetId"] for each in boto3.client("ec2").describe_subnets()["Subnets"][:2]]
elb = boto3.client("elbv2")
balancer = elb.create_load_balancer(Name="clinic", Subnets=subnets)["LoadBalancers"][0]
reply = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
https = {"Protocol": "HTTPS", "Port": 443, "DefaultActions": [reply]}
elb.create_listener(
    LoadBalancerArn=balancer["LoadBalancerArn"], Certificates=[{"CertificateArn": arn}], **https
)
found = acm.describe_certificate(CertificateArn=arn)["Certificate"]
found["RenewalEligibility"], len(found["InUseBy"])

# %% [markdown]
# **Predict:** 160 days go by. The certificate was good for 198. Which certificate does the load balancer show, and under which ARN?

# %%
before = found
aws.clock.advance(days=160)
found = acm.describe_certificate(CertificateArn=arn)["Certificate"]
print(found["Status"], found["RenewalSummary"]["RenewalStatus"])
print("same ARN:", found["CertificateArn"] == arn)
print("same certificate:", found["Serial"] == before["Serial"])

# %% [markdown]
# A new certificate with a new date, under the old ARN: nothing had to be changed. Now somebody tidies up in DNS, and removes that odd
# record that nobody remembers.
#
# **Predict:** half a year later?

# %%
dns.change_resource_record_sets(
    HostedZoneId=zone["HostedZone"]["Id"],
    ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": shown}]},
)
aws.clock.advance(days=200)
found = acm.describe_certificate(CertificateArn=arn)["Certificate"]
found["Status"], found["RenewalSummary"]["RenewalStatus"]

# %% [markdown]
# *Expired*, and the site is down. ACM warns weeks ahead, by events in EventBridge and AWS Health; somebody has to listen. A certificate
# that you *import* into ACM is never renewed: you made it, you renew it.
#
# ### A CA of your own
#
# No public CA signs for `scale-7.lab.internal`, for nobody can prove such a name. For devices and services among themselves you run
# a CA of your own, as you did in part 2. **AWS Private CA** is that as a service: it keeps the CA's key in an HSM, and ACM requests and renews
# what it signs. Its clients have to be given its root; and its certificates could always be exported.

# %% [markdown]
# ## On the exam, and today
#
# | Study notes say | Today |
# |---|---|
# | In flight: encryption with TLS/HTTPS certificates | Still so. AWS requires TLS 1.2 of clients, and recommends 1.3 (`BAS-05`) |
# | HTTPS ensures no man in the middle | Only for a client that checks chain, name and date. You were that man |
# | Server-side encryption protects the object | Not on its way. But for SSE-KMS, and for keys of your own (SSE-C), S3 insists on TLS (`BAS-06`) |
# | `aws:SecureTransport` in a bucket policy | Still the answer to "enforce encryption in transit". A Deny with `false`, not an Allow with `true` |
# | ACM private keys can never be exported | Public ones from June 17, 2025 on, if requested so; private ones all along |
# | ACM certificates last 13 months, renewed 60 days ahead | Public ones 198 days since February 2026 (`ACM-01`), renewed weeks ahead; on how many, articles disagree (`ACM-03`). The exam asks *whether*, rarely *when* |
#
# Where these come from:

# %%
facts.get("BAS-05")

# %%
facts.get("BAS-06")

# %% [markdown]
# For ACM: its [user guide](https://docs.aws.amazon.com/acm/latest/userguide/acm-renewal.html), and the
# [page on export](https://docs.aws.amazon.com/acm/latest/userguide/export-public-certificate), which has the date. On when a renewal begins, the register says plainly
# that it is not sure:

# %%
facts.get("ACM-03")

# %% [markdown]
# ## Lab
#
# Now you: `course lab 02-in-flight` in a terminal, or open `labs/02-in-flight.ipynb` from the list on the left. Six tasks,
# each checked, each with hints.

# %% [markdown]
# ## Check yourself

# %%
from kmscourse import exam

exam.check_yourself("02-in-flight")
