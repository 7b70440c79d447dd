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
# # 06 · Key types: which key for which need
#
# Twelve doctors' practices refer patients to the clinic. They have no AWS account and do not want one, but their
# letters must reach the clinic sealed.
#
# You will
#
# 1. seal the letters as most people would, and lose all of them with one laptop,
# 2. give away half a key instead, and keep the other half in KMS,
# 3. meet every kind of key that KMS has: what it does, who manages it, where its material comes from,
# 4. bring a key of your own, let it expire, lose it and bring it back,
# 5. choose the key for the need.
#
# About 40 minutes, then a lab of 30.

# %% [markdown]
# ## Start the simulated AWS
#
# From here on `boto3` talks to a simulated AWS inside this notebook. Nothing leaves your machine and nothing costs
# money. The seed makes the simulator invent the same ids each time.

# %%
import boto3

from kmscourse import cloud

aws = cloud.start(seed="06-key-types")
kms = boto3.client("kms")
s3 = boto3.client("s3")

# %% [markdown]
# A letter, as a practice writes it:

# %%
letter = b"Patient 4711: please see for type 2 diabetes. " * 20
len(letter)

# %% [markdown]
# ## 1 · Break it
#
# The clinic makes an AES key and sends it to every practice. One key seals and opens: that is **symmetric** encryption.

# %%
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

shared_key = AESGCM.generate_key(bit_length=256)
laptops = dict.fromkeys(("harbour", "mill", "north"), shared_key)


def seal_with_shared_key(practice, letter):
    nonce = os.urandom(12)
    return nonce + AESGCM(laptops[practice]).encrypt(nonce, letter, None)


post = [seal_with_shared_key(practice, letter) for practice in ("harbour", "mill")]

# %% [markdown]
# **Predict:** a thief takes the laptop of the practice in the north, which has not sent a single letter yet. How much
# of the post can the thief read?

# %%
stolen = AESGCM(laptops["north"])
[stolen.decrypt(sealed[:12], sealed[12:], None) == letter for sealed in post]

# %% [markdown]
# All of it. Whoever is able to seal with a symmetric key is able to open, and the key now lies in twelve places where
# nobody can take it back.
#
# The usual answer is to leave the key in KMS and let callers ask for its use. But a practice cannot ask: it has no
# credentials to sign a request with. `UNSIGNED` sends the request as a practice would have to.

# %% tags=["raises-exception"]
from botocore import UNSIGNED
from botocore.config import Config

key_in_kms = kms.create_key(Description="letters")["KeyMetadata"]["KeyId"]
practice_kms = boto3.client("kms", config=Config(signature_version=UNSIGNED))
practice_kms.encrypt(KeyId=key_in_kms, Plaintext=b"short letter")

# %% [markdown]
# ## 2 · Fix it: give half of a key away
#
# An **asymmetric** key is a pair. The *public* key seals, the *private* key opens. RSA and elliptic curves (ECC) are the
# two families that you meet most. The pair below is made inside KMS, and its private key stays there.

# %% shows=["06.asymmetric", "06.customer-managed"]
letters_key = kms.create_key(
    Description="letters from practices", KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"
)["KeyMetadata"]
letters_key["KeySpec"], letters_key["KeyUsage"], letters_key["EncryptionAlgorithms"]

# %% [markdown]
# The **key spec** says what the key is made of, the **key usage** what it is for. Neither can be changed later.
#
# The public key can be downloaded. It comes as DER, the usual binary form, and fits on the clinic's web page.

# %% shows="06.public-key"
public_der = kms.get_public_key(KeyId=letters_key["KeyId"])["PublicKey"]
len(public_der)

# %% [markdown]
# **Predict:** and the private key? Which operations of KMS return key material of a KMS key?

# %% shows=["06.public-key", "06.never-leaves-kms"]
[name for name in kms.meta.method_to_api_mapping if name.startswith("get_")]

# %% [markdown]
# There is `get_public_key` and no other. (`get_parameters_for_import` you meet below; it brings keys *in*.) Nobody
# reads a private key, not the administrator and not AWS's own staff.
#
# Now the practice. It has the public key and Python's `cryptography`, and nothing of AWS. RSA needs a *padding*; **OAEP**
# with SHA-256 is the one that KMS calls `RSAES_OAEP_SHA_256`.

# %%
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

public_key = serialization.load_der_public_key(public_der)
oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)

# %% [markdown]
# **Predict:** you saw how long the letter is. Does RSA seal all of it?

# %% tags=["raises-exception"]
public_key.encrypt(letter, oaep)

# %% [markdown]
# Too long: with this key and padding, RSA takes no more than 190 bytes. So the practice does what KMS would have done
# for it: it makes a data key for the letter, and wraps the data key with the public key.

# %% shows="06.outside-aws"
data_key, nonce = AESGCM.generate_key(bit_length=256), os.urandom(12)
envelope = {
    "wrapped_key": public_key.encrypt(data_key, oaep),
    "nonce": nonce,
    "ciphertext": AESGCM(data_key).encrypt(nonce, letter, None),
}
del data_key
{name: len(part) for name, part in envelope.items()}

# %% [markdown]
# The clinic opens it. An RSA ciphertext carries no note of its key, so `Decrypt` wants the key and the algorithm named.

# %% shows="06.outside-aws"
unwrapped = kms.decrypt(
    KeyId=letters_key["KeyId"],
    CiphertextBlob=envelope["wrapped_key"],
    EncryptionAlgorithm="RSAES_OAEP_SHA_256",
)
AESGCM(unwrapped["Plaintext"]).decrypt(envelope["nonce"], envelope["ciphertext"], None) == letter

# %% [markdown]
# **Predict:** the thief has a practice's laptop again, and on it the public key. What opens now?

# %%
hasattr(public_key, "encrypt"), hasattr(public_key, "decrypt")

# %% [markdown]
# Nothing opens. The thief can seal letters, as everyone can: a public key says nothing about *who* sealed.
#
# **Predict:** which calls does the audit trail have for this key? Did KMS see the practice seal?

# %%
aws.trail.events(resource=letters_key["Arn"])

# %% [markdown]
# No `Encrypt`. What happens with a downloaded key happens outside: KMS cannot log it, allow it or stop it. Disabling the
# KMS key stops the opening only.

# %% [markdown]
# ## 3 · What is a KMS key?
#
# A **KMS key** is the resource: an id, a policy, a state, and *key material*, the secret bytes. It used to be called
# **customer master key**, CMK. Study notes and exam questions still say so, and so does the API itself:

# %% shows="06.new-name"
described = kms.describe_key(KeyId=key_in_kms)["KeyMetadata"]
{name: described[name] for name in described if "KeySpec" in name}

# %% [markdown]
# Two names for one thing, the older one kept for older programs. This key was created without a spec:
# `SYMMETRIC_DEFAULT` is a 256-bit AES key. One key seals and opens, and it never leaves KMS.

# %% shows="06.symmetric"
blob = kms.encrypt(KeyId=key_in_kms, Plaintext=b"4711")["CiphertextBlob"]
kms.decrypt(CiphertextBlob=blob)["Plaintext"]

# %% [markdown]
# `Decrypt` needed no key id here: the ciphertext of a symmetric key says which key made it.
#
# **Predict:** is there half a key to give away?

# %% tags=["raises-exception"] shows="06.never-leaves-kms"
kms.get_public_key(KeyId=key_in_kms)

# %% [markdown]
# AWS services (S3, EBS, RDS and the others) work with data keys, and only a symmetric KMS key makes those.
#
# **Predict:** what does S3 say to our RSA key?

# %% tags=["raises-exception"] shows="06.services-use-symmetric"
s3.create_bucket(Bucket="clinic-letters")
s3.put_object(
    Bucket="clinic-letters",
    Key="4711.letter",
    Body=letter,
    ServerSideEncryption="aws:kms",
    SSEKMSKeyId=letters_key["Arn"],
)

# %% [markdown]
# ## 4 · Whose key is it?
#
# The same AES-256, three kinds of owner. First without naming any key: S3 encrypts with its own, **SSE-S3**.

# %% shows="06.aws-owned"
before = len(aws.trail)
quiet = s3.put_object(Bucket="clinic-letters", Key="quiet.letter", Body=letter)
quiet["ServerSideEncryption"], quiet.get("SSEKMSKeyId")

# %% [markdown]
# An **AWS owned key** lies in the service's account, not in yours. It costs nothing, and you see nothing of it. The S3 User
# Guide says *Amazon S3 managed key*; do not take it for an *AWS managed key*, which comes next.
#
# **Predict:** which calls to KMS does your trail have for this object?

# %% shows="06.aws-owned"
aws.trail.events(after=before)

# %% [markdown]
# None. Next, SSE-KMS without naming a key:

# %% shows="06.aws-managed"
s3.put_object(
    Bucket="clinic-letters", Key="managed.letter", Body=letter, ServerSideEncryption="aws:kms"
)
managed = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
managed["KeyManager"], managed["Description"]

# %% [markdown]
# An **AWS managed key** lies in your account under the name `aws/` and the service's: `aws/s3`, `aws/ebs`, `aws/rds`. It
# has no monthly price. Its use stands in your trail. Everything else about it belongs to AWS.
#
# **Predict:** you are the administrator. May you encrypt with it yourself? Delete it?

# %% tags=["raises-exception"] shows="06.aws-managed"
kms.encrypt(KeyId="alias/aws/s3", Plaintext=b"4711")

# %% tags=["raises-exception"]
kms.schedule_key_deletion(KeyId=managed["KeyId"])

# %% [markdown]
# Its key policy allows use through S3 only, and nobody can change the policy. So nobody can share it with another
# account, either.
#
# A **customer managed key** is what `create_key` makes: you write its policy, disable it, rotate it, share it, delete it.
# For that it costs $1 a month, whatever its type. AWS managed and AWS owned keys cost nothing by the month; requests to
# an AWS managed key are counted like all others.

# %% shows="06.customer-managed"
keys = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
sorted((key["KeyManager"], key["KeySpec"]) for key in keys)

# %% [markdown]
# The AWS owned key is not in the list. It is not yours to see.

# %% [markdown]
# ## 5 · Sign
#
# Back to the letters. Anyone can seal with a public key, so how does a practice know that a *reply* is from the clinic?
# Now the private key goes first: it **signs**, and everyone who has the public key verifies.
#
# **Predict:** the clinic has an RSA pair already. Can it sign with it?

# %% tags=["raises-exception"] shows="06.encrypt-or-sign"
kms.sign(KeyId=letters_key["KeyId"], Message=b"reply", SigningAlgorithm="RSASSA_PSS_SHA_256")

# %% [markdown]
# One KMS key, one usage. A second pair, this time on an elliptic curve: short keys, short signatures.

# %% shows=["06.encrypt-or-sign", "06.asymmetric"]
signing_key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
reply = b"Patient 4711: metformin 500 mg, twice a day."
signature = kms.sign(KeyId=signing_key["KeyId"], Message=reply, SigningAlgorithm="ECDSA_SHA_256")[
    "Signature"
]
signing_key["KeyUsage"], signing_key["SigningAlgorithms"]

# %% [markdown]
# The practice verifies without AWS. `verify` answers with silence when all is well, and raises when it is not.

# %% shows="06.outside-aws"
from cryptography.hazmat.primitives.asymmetric import ec

verifier = serialization.load_der_public_key(
    kms.get_public_key(KeyId=signing_key["KeyId"])["PublicKey"]
)
verifier.verify(signature, reply, ec.ECDSA(hashes.SHA256())) is None

# %% [markdown]
# **Predict:** on the way, 500 mg became 900 mg.

# %% tags=["raises-exception"]
verifier.verify(signature, reply.replace(b"500", b"900"), ec.ECDSA(hashes.SHA256()))

# %% [markdown]
# `Sign` takes messages up to 4,096 bytes. A longer document is hashed first, where it lies, and only its *digest* is sent:

# %%
from hashlib import sha256

scan = os.urandom(100_000)
signature = kms.sign(
    KeyId=signing_key["KeyId"],
    Message=sha256(scan).digest(),
    MessageType="DIGEST",
    SigningAlgorithm="ECDSA_SHA_256",
)["Signature"]
verifier.verify(signature, scan, ec.ECDSA(hashes.SHA256())) is None

# %% [markdown]
# ## 6 · Four more kinds
#
# **HMAC keys** are symmetric: the same key makes a code over a message and checks it. There is no public half, so both
# sides must be able to call KMS. It suits a token that the clinic hands out and later gets back.

# %% shows="06.hmac"
token_key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
with_key = {"KeyId": token_key["KeyId"], "MacAlgorithm": "HMAC_SHA_256"}
mac = kms.generate_mac(Message=b"session of 4711", **with_key)["Mac"]
kms.verify_mac(Message=b"session of 4711", Mac=mac, **with_key)["MacValid"]

# %% [markdown]
# **Predict:** the same code for the session of another patient. Does `MacValid` become `False`?

# %% tags=["raises-exception"]
kms.verify_mac(Message=b"session of 4712", Mac=mac, **with_key)

# %% [markdown]
# It does not answer `False`; it refuses. `Verify` does the same with signatures.
#
# **Key agreement** (ECDH, since 2024): two sides, each with a pair, reach the same secret by exchanging public keys only.
# The raw secret goes through a key derivation function (here HKDF) before it is used.

# %% shows="06.key-agreement"
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

agreement_key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]
clinic_public = kms.get_public_key(KeyId=agreement_key["KeyId"])["PublicKey"]
hospital = ec.generate_private_key(ec.SECP256R1())
hospital_public = hospital.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
)


# %%
def derive(secret):
    return HKDF(hashes.SHA256(), length=32, salt=None, info=b"clinic-hospital").derive(secret)


at_clinic = kms.derive_shared_secret(
    KeyId=agreement_key["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=hospital_public
)["SharedSecret"]
at_hospital = hospital.exchange(ec.ECDH(), serialization.load_der_public_key(clinic_public))
derive(at_clinic) == derive(at_hospital)

# %% [markdown]
# RSA and elliptic curves would fall to a large quantum computer. **ML-DSA** (since 2025) signs in a way that is made to
# withstand one, for signatures that must hold for decades. The price is size:

# %% shows="06.post-quantum"
archive_key = kms.create_key(KeySpec="ML_DSA_65", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
lasting = kms.sign(KeyId=archive_key["KeyId"], Message=reply, SigningAlgorithm="ML_DSA_SHAKE_256")[
    "Signature"
]
archive_public = kms.get_public_key(KeyId=archive_key["KeyId"])["PublicKey"]
serialization.load_der_public_key(archive_public).verify(lasting, reply)
len(lasting), len(archive_public)

# %% [markdown]
# **ML-KEM** does the same for sealing. It does not encrypt a message: whoever has the public key makes a shared secret,
# and an *encapsulated* form of it that only the private key opens.

# %% shows="06.post-quantum"
kem_key = kms.create_key(KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")["KeyMetadata"]
kem_public = serialization.load_der_public_key(
    kms.get_public_key(KeyId=kem_key["KeyId"])["PublicKey"]
)
secret, encapsulated = kem_public.encapsulate()
answer = kms.decapsulate(
    KeyId=kem_key["KeyId"],
    SharedSecretCiphertextBlob=encapsulated,
    EncapsulationAlgorithm="ML_KEM",
)
answer["SharedSecret"] == secret, len(secret), len(encapsulated)

# %% [markdown]
# ## 7 · Bring a key of your own
#
# Some must be able to say: *we made this key, we hold a copy, we can take it away at once.* The **origin** of a key says
# where its material comes from. `EXTERNAL` means: from you.

# %% shows="06.imported"
material = os.urandom(32)
imported_key = kms.create_key(Description="made by us", Origin="EXTERNAL")["KeyMetadata"]
imported_key["Origin"], imported_key["KeyState"]

# %% [markdown]
# `PendingImport`: a shell without material. It cannot encrypt yet.
#
# The material must not travel in the open. KMS hands out a public key to wrap it with, and an **import token** that
# belongs to it. Both are good for 24 hours and for this key only.


# %% shows="06.import-end-to-end"
def wrapped_for_import(key, material):
    parameters = kms.get_parameters_for_import(
        KeyId=key["KeyId"],
        WrappingAlgorithm="RSAES_OAEP_SHA_256",
        WrappingKeySpec="RSA_2048",
    )
    wrapping_key = serialization.load_der_public_key(parameters["PublicKey"])
    return {
        "KeyId": key["KeyId"],
        "ImportToken": parameters["ImportToken"],
        "EncryptedKeyMaterial": wrapping_key.encrypt(material, oaep),
    }


# %% [markdown]
# Import it, to be forgotten after a week. An expiry is optional: `ValidTo` says when, at most 365 days ahead.

# %% shows="06.import-end-to-end"
from datetime import timedelta

kms.import_key_material(
    **wrapped_for_import(imported_key, material),
    ExpirationModel="KEY_MATERIAL_EXPIRES",
    ValidTo=aws.clock.now() + timedelta(days=7),
)
sealed = kms.encrypt(KeyId=imported_key["KeyId"], Plaintext=b"4711")["CiphertextBlob"]
kms.describe_key(KeyId=imported_key["KeyId"])["KeyMetadata"]["KeyState"]

# %% [markdown]
# **Predict:** eight days later. The ciphertext is where it was. Does it open?

# %% tags=["raises-exception"] shows="06.import-end-to-end"
aws.clock.advance(days=8)
kms.decrypt(CiphertextBlob=sealed)

# %% [markdown]
# KMS has forgotten the material, and says `pending import`. The key is still there, with its id and its policy.
#
# **Predict:** somebody imports other material, just to get it running again.

# %% tags=["raises-exception"] shows="06.import-end-to-end"
kms.import_key_material(
    **wrapped_for_import(imported_key, os.urandom(32)),
    ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
)

# %% [markdown]
# A key remembers which material is its own. The same bytes bring it back, this time without an expiry:

# %% shows="06.import-end-to-end"
kms.import_key_material(
    **wrapped_for_import(imported_key, material), ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE"
)
kms.decrypt(CiphertextBlob=sealed)["Plaintext"]

# %% [markdown]
# Material that you brought you can also take away, at once. (Material that KMS made goes only with its key, after 7 to 30
# days of waiting.) This is the emergency brake:

# %% shows="06.import-end-to-end"
kms.delete_imported_key_material(KeyId=imported_key["KeyId"])
kms.describe_key(KeyId=imported_key["KeyId"])["KeyMetadata"]["KeyState"]

# %% [markdown]
# And bring it back once more. If the clinic had lost its own copy, the data would be lost with it: KMS gives nothing
# back.

# %%
kms.import_key_material(
    **wrapped_for_import(imported_key, material), ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE"
)
kms.decrypt(CiphertextBlob=sealed)["Plaintext"]

# %% [markdown]
# **Predict:** the clinic makes a second KMS key and imports the *same 32 bytes*. Does it open what the first one sealed?

# %% tags=["raises-exception"]
second_key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]
kms.import_key_material(
    **wrapped_for_import(second_key, material), ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE"
)
kms.decrypt(KeyId=second_key["KeyId"], CiphertextBlob=sealed)

# %% [markdown]
# A ciphertext belongs to its KMS key, not to the bytes in it. Imported material is no backup for another key, and no way
# to decrypt outside KMS.
#
# Study notes say: imported keys must be 256-bit symmetric. That was so until June 2023. Today nearly every kind can be
# imported; here an HMAC key that the clinic's old system already uses:

# %% shows="06.imported"
import hmac

old_secret = os.urandom(32)
old_key = kms.create_key(Origin="EXTERNAL", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")[
    "KeyMetadata"
]
kms.import_key_material(
    **wrapped_for_import(old_key, old_secret), ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE"
)
old_mac = hmac.digest(old_secret, b"session of 4711", "sha256")
token = {"KeyId": old_key["KeyId"], "MacAlgorithm": "HMAC_SHA_256"}
kms.verify_mac(Message=b"session of 4711", Mac=old_mac, **token)["MacValid"]

# %% [markdown]
# ## 8 · A key that is not in KMS at all
#
# A **custom key store** puts the material somewhere else: in your own **AWS CloudHSM** cluster, or in a key manager outside
# AWS, an **external key store** (XKS). KMS stays in front and asks that place for each use. The simulator plays
# the states and the rules; there is no hardware behind it.

# %% shows="06.custom-key-stores"
stores = kms.describe_custom_key_stores()["CustomKeyStores"]
if not stores:
    kms.create_custom_key_store(
        CustomKeyStoreName="key-manager-in-the-basement",
        CustomKeyStoreType="EXTERNAL_KEY_STORE",
        XksProxyConnectivity="PUBLIC_ENDPOINT",
        XksProxyUriEndpoint="https://keys.clinic.example",
        XksProxyUriPath="/kms/xks/v1",
        XksProxyAuthenticationCredential={
            "AccessKeyId": "ABCDEFGHIJKLMNOPQRST",
            "RawSecretAccessKey": "TheProxyKnowsThisSecretAsWellAndNobodyElse0",
        },
    )

# %%
store = kms.describe_custom_key_stores()["CustomKeyStores"][0]
if store["ConnectionState"] == "DISCONNECTED":
    kms.connect_custom_key_store(CustomKeyStoreId=store["CustomKeyStoreId"])

# %% [markdown]
# `XksKeyId` is the name that the key has in the basement.

# %% shows="06.custom-key-stores"
import uuid

basement_key = kms.create_key(
    Origin="EXTERNAL_KEY_STORE",
    CustomKeyStoreId=store["CustomKeyStoreId"],
    XksKeyId=f"clinic-{uuid.uuid4()}",
)["KeyMetadata"]
basement_blob = kms.encrypt(KeyId=basement_key["KeyId"], Plaintext=b"4711")["CiphertextBlob"]
basement_key["Origin"], basement_key["KeySpec"]

# %% [markdown]
# **Predict:** a builder cuts the line to the basement. Disconnecting the store does the same. What of the data?

# %% tags=["raises-exception"] shows="06.custom-key-stores"
state = kms.describe_custom_key_stores()["CustomKeyStores"][0]["ConnectionState"]
if state == "CONNECTED":
    kms.disconnect_custom_key_store(CustomKeyStoreId=store["CustomKeyStoreId"])
kms.decrypt(CiphertextBlob=basement_blob)

# %% [markdown]
# That is the bargain. You hold the plug, so nobody can use the key without you; and you hold the plug, so when you fail,
# everything stands still.
#
# | | Material made by KMS | Imported | CloudHSM key store | External key store |
# |---|---|---|---|---|
# | Material lies | in AWS's HSMs | in AWS's HSMs, with a copy at your place | in your CloudHSM cluster | in your key manager, outside AWS |
# | Kinds of keys | all | nearly all | symmetric | symmetric |
# | Automatic rotation | yes, for symmetric | no | no | no |
# | Gone at once | no | yes | disconnect | disconnect |
# | You answer for | nothing | the copy | the cluster | availability, durability, speed |
# | You pay, beside $1 a month | nothing | nothing | the cluster, at least two HSMs | your own key manager |
#
# Choose one of the last two only when a rule says that the material must not lie in AWS's shared HSMs.

# %% [markdown]
# ## 9 · Look inside: which key for which need
#
# Answer four questions: <kbd>Tab</kbd> goes to the next one, the arrow keys change an answer. The key that is left stands
# on the right, with the facts that decided.

# %% shows="06.choose"
from kmscourse import views

chooser = views.KeyChooser()
chooser

# %% [markdown]
# What it shows are parameters of `create_key`. Set the answers from Python, and make the key:

# %% shows="06.choose"
chooser.choose(need="sealed-outside", quantum="no", control="policy", material="kms")
made = kms.create_key(**chooser.choice.parameters)["KeyMetadata"]
made["KeySpec"], made["KeyUsage"], made["Origin"]

# %% [markdown]
# **Predict:** a regulator asks for a pair with which practices seal letters, whose private key lies in the clinic's own
# CloudHSM cluster. Which key is that?

# %%
print(chooser.choose(need="sealed-outside", quantum="no", control="policy", material="cloudhsm"))

# %% [markdown]
# ## On the exam, and today
#
# | Study notes say | Today |
# |---|---|
# | "Customer master key", CMK | KMS key. Older questions say CMK for all three kinds |
# | Asymmetric: RSA and ECC, encrypt/decrypt or sign/verify | Still so, and more: key agreement, Ed25519, ML-DSA, ML-KEM, HMAC |
# | Users outside AWS who cannot call KMS: asymmetric | Still the answer. They encrypt with the downloaded public key |
# | AWS managed keys are the free option | Still free by the month. New services use AWS owned keys instead |
# | Imported keys must be 256-bit symmetric | Nearly all kinds since June 2023. Not into a custom key store |
# | Imported: $1 a month | Still so, like every customer managed key |
# | $0.03 for 10,000 calls | For symmetric keys and RSA_2048. Other asymmetric keys: $0.15 |
#
# Where these come from:

# %%
from kmscourse import facts

facts.get("IMP-01")

# %%
facts.get("KEY-01")

# %%
facts.get("KEY-17")

# %%
facts.get("PRI-05")

# %% [markdown]
# ## What it cost
#
# Eight days have passed in this notebook, with all these keys. On AWS:

# %%
aws.meter.bill()

# %% [markdown]
# ## Lab
#
# Now you: type `course lab 06-key-types` in a terminal (*File, New, Terminal*). Six tasks, each checked, each with hints.

# %% [markdown]
# ## Check yourself

# %%
from kmscourse import exam

exam.check_yourself("06-key-types")
