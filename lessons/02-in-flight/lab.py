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
# # Lab 02 · In flight
#
# Six tasks, about 25 minutes. Replace each `...` with your code, run the cell, then run the check below it.
# A check says what is still missing; `lab.hint("chain")` gives a hint, and after an attempt
# `lab.solution("chain")` shows one solution. Any correct way passes.
#
# You can run any cell again at any time.

# %%
import ssl
from datetime import UTC, datetime, timedelta

from kmscourse import cloud, lab, tls

aws = cloud.start(seed="02-in-flight-lab")
lab.begin("02-in-flight")

# %% [markdown]
# The lab makes its own wires: `tls.Client`, `tls.Server` and `tls.converse`, as in the lesson.

# %%
host = "records.clinic.example"
root = tls.CertificateAuthority("Clinic Root CA", key_type="ed25519")

# %% [markdown]
# ## 1 · Build the chain
#
# Make the clinic's certificates: a root CA, an intermediate CA below it, and a server's certificate for `host`, signed by the
# *intermediate*. Return the root and the server's certificate. `tls.CertificateAuthority(name)` makes a CA; it has `.intermediate(name)` and
# `.issue(host)`.


# %% task="chain"
def build_chain(host):
    """The root CA, and the certificate of the server with its intermediate."""
    # begin solution
    root = tls.CertificateAuthority("Clinic Root CA")
    issuing = root.intermediate("Clinic Issuing CA")
    return root, issuing.issue(host)
    # end solution


# %%
lab.check("chain")

# %% [markdown]
# ## 2 · Catch the bad certificates
#
# Someone left five certificates at the reception, each said to be for `records.clinic.example`. Three are bad. Here they are:

# %%
yesterday = datetime.now(UTC) - timedelta(days=1)
found = {
    "A": root.issue(host),
    "B": root.issue(host, not_after=yesterday),
    "C": tls.CertificateAuthority("Clinic Root CA").issue(host),
    "D": root.issue("pharmacy.example"),
    "E": root.issue("www.clinic.example", host),
}

# %% [markdown]
# Write a function that judges one: `"good"`, `"expired"`, `"another name"`, or `"unknown issuer"` if the root did not sign it, whatever
# else did. The check has more certificates than these five.
# A handshake is the best judge there is: `tls.converse(client=..., server=tls.Server(certificate))` gives a conversation with
# `.completed` and `.refusal`: None if nobody refused, else with a `.verify_code`.


# %% task="judge"
def what_is_wrong(certificate, host, root):
    """What a careful client has against a certificate, in a word or two."""
    # begin solution
    client = tls.Client(host, trust=root)
    talk = tls.converse(client=client, server=tls.Server(certificate))
    if talk.completed:
        return "good"
    reasons = {10: "expired", 62: "another name"}
    return reasons.get(talk.refusal.verify_code, "unknown issuer")
    # end solution


# %%
{letter: what_is_wrong(certificate, host, root) for letter, certificate in found.items()}

# %%
lab.check("judge")

# %% [markdown]
# ## 3 · A bucket that refuses plain HTTP
#
# Write a **bucket policy**, as a dictionary, that denies *every* S3 action on the bucket and on its objects, to everyone,
#
# - if the request does not come over TLS (`aws:SecureTransport`),
# - if it comes over a TLS older than 1.3 (`s3:TlsVersion`, a number).
#
# It allows nothing: who may do what is for other policies to say.


# %% task="policy"
def only_tls(bucket):
    """A bucket policy that refuses plain HTTP and TLS before 1.3."""
    # begin solution
    arn = f"arn:aws:s3:::{bucket}"
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {**deny, "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
            {**deny, "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.3"}}},
        ],
    }
    # end solution


# %%
lab.check("policy")

# %% [markdown]
# ## 4 · What leaked
#
# You are the eavesdropper now. You have a *capture* of TLS 1.3 and no key. You know which pages the server has, for you have read
# them yourself. Say which site the client asked, and which page it got.
#
# `capture.client_hello` is the first message; `capture.records` has all records in order, each with `.sender` and a `len()`. The last
# record of the server is its goodbye, the one before it is the page. A sealed record is 22 bytes longer than what it holds.


# %% task="leak"
def what_leaked(capture, pages):
    """A dictionary: "host", the site, and "page", a name out of `pages` (name to bytes)."""
    # begin solution
    sent = [record for record in capture.records if record.sender == "server"]
    size = len(sent[-2]) - 22
    page = next(name for name, content in pages.items() if len(content) == size)
    return {"host": capture.client_hello.server_name, "page": page}
    # end solution


# %%
lab.check("leak")

# %% [markdown]
# ## 5 · Open a record
#
# Somebody left the key log of a session on a server. Open its records. The suite is `TLS_AES_256_GCM_SHA384`, and this is
# HKDF-Expand-Label for it:

# %%
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand


def expand_label(secret, label, length):
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(label)]) + label + b"\x00"
    return HKDFExpand(SHA384(), length, info).derive(secret)


# %% [markdown]
# `secret` is the traffic secret, `number` counts the records under it from 0, `header` is the five bytes of the record's header and
# `fragment` the sealed rest. Return what was said, without the byte at the end that tells the record's type. A changed
# record must end in an error.


# %% task="open"
def open_record(secret, number, header, fragment):
    """The content of a sealed TLS 1.3 record."""
    # begin solution
    key = expand_label(secret, b"key", 32)
    iv = expand_label(secret, b"iv", 12)
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    return AESGCM(key).decrypt(nonce, fragment, header)[:-1]
    # end solution


# %%
lab.check("open")

# %% [markdown]
# ## 6 · Ask for the client's certificate
#
# The last one is plain Python. `context` is the server's `ssl.SSLContext`; its own certificate is loaded already. Have it *demand* a
# certificate from every client, signed by the CA whose PEM is in `staff_ca`, a `str`.


# %% task="mutual"
def only_staff(context, staff_ca):
    """Make a server's context ask each client for a certificate of the staff's CA."""
    # begin solution
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=staff_ca)
    # end solution


# %%
lab.check("mutual")

# %% [markdown]
# ## Where you are

# %%
lab.check()
