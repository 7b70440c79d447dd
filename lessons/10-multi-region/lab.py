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
# # Lab 10 · Multi-Region keys
#
# Seven tasks, about 30 minutes. The clinic opens in Sydney (`ap-southeast-2`); its home is Frankfurt (`eu-central-1`).
# Replace each `...` with your code, run the cell, then run the check below it. `lab.hint("replicate")` gives a
# hint, and after an attempt `lab.solution("replicate")` shows one solution. Any correct way passes.
#
# You can run any cell again at any time.

# %%
import logging

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from kmscourse import cloud, lab

aws = cloud.start(seed="10-multi-region-lab", region="eu-central-1")
lab.begin("10-multi-region")
HOME, AWAY = "eu-central-1", "ap-southeast-2"
context = {"patient": "4711"}


# %% [markdown]
# `client("kms", AWAY)` makes a client of a Region that asks once.


# %%
def client(service, region):
    once = Config(retries={"total_max_attempts": 1})
    return boto3.client(service, region_name=region, config=once)


# %% [markdown]
# ## 1 · A replica under the same rules
#
# Replicate a multi-Region primary key into another Region, under the *same key policy* as the primary's. Return the
# ARN of the replica. `kms` is a client of the primary's Region. The name of every key policy is `default`.


# %% task="replicate"
def replicate(kms, key_arn, region):
    """The ARN of a replica that has the primary's key policy."""
    # begin solution
    policy = kms.get_key_policy(KeyId=key_arn, PolicyName="default")["Policy"]
    made = kms.replicate_key(KeyId=key_arn, ReplicaRegion=region, Policy=policy)
    return made["ReplicaKeyMetadata"]["Arn"]
    # end solution


# %%
lab.check("replicate")

# %% [markdown]
# ## 2 · Interchangeable or not
#
# Given two key ARNs, say whether they are related multi-Region keys: the same key material in two different Regions.
# The ARNs alone tell; no call is needed.


# %% task="related"
def are_related(one, other):
    """Whether two key ARNs belong to related multi-Region keys."""
    # begin solution
    _, partition, service, region, account, key = one.split(":")
    return (
        other.split(":")[:3] == ["arn", partition, service]
        and other.split(":")[3] != region
        and other.split(":")[4:] == [account, key]
        and key.startswith("key/mrk-")
    )
    # end solution


# %%
lab.check("related")

# %% [markdown]
# ## 3 · Open it nearby
#
# A ciphertext was made under a multi-Region key at home. A program in another Region gets it, with its encryption
# context. Decrypt it without a call to any Region but its own.


# %% task="nearby"
def open_nearby(region, ciphertext, context):
    """The plaintext, from AWS KMS of this Region."""
    # begin solution
    kms = client("kms", region)
    return kms.decrypt(CiphertextBlob=ciphertext, EncryptionContext=context)["Plaintext"]
    # end solution


# %%
lab.check("nearby")

# %% [markdown]
# ## 4 · Old ciphertext for the new Region
#
# This ciphertext was made under a single-Region key. Return it in a form that the replica of a multi-Region key opens,
# bound to the same context, without its plaintext leaving AWS KMS. `kms` is a client at home, where both keys are.


# %% task="move"
def make_portable(kms, ciphertext, multi_region_key, context):
    """The ciphertext under a multi-Region key."""
    # begin solution
    moved = kms.re_encrypt(
        CiphertextBlob=ciphertext,
        SourceEncryptionContext=context,
        DestinationKeyId=multi_region_key,
        DestinationEncryptionContext=context,
    )
    return moved["CiphertextBlob"]
    # end solution


# %%
lab.check("move")

# %% [markdown]
# ## 5 · One field of a global table
#
# The table `visits` is a global table in both Regions, with the partition key `id`. Return an `EncryptedTable` for it
# that encrypts and signs everything but the attribute `ward`: that one has to be readable for the porters, who have no
# key. It asks DynamoDB and AWS KMS with the given session, for its Region and as its user, and uses the KMS key with the
# given ARN.

# %%
from dynamodb_encryption_sdk.encrypted.table import EncryptedTable
from dynamodb_encryption_sdk.identifiers import CryptoAction
from dynamodb_encryption_sdk.material_providers.aws_kms import AwsKmsCryptographicMaterialsProvider
from dynamodb_encryption_sdk.structures import AttributeActions

logging.getLogger("dynamodb_encryption_sdk").addHandler(logging.NullHandler())


# %% task="table"
def visits_table(session, key_arn):
    """An EncryptedTable in front of the table of this session's Region."""
    # begin solution
    return EncryptedTable(
        table=session.resource("dynamodb").Table("visits"),
        materials_provider=AwsKmsCryptographicMaterialsProvider(
            key_id=key_arn, botocore_session=session._session
        ),
        attribute_actions=AttributeActions(
            default_action=CryptoAction.ENCRYPT_AND_SIGN,
            attribute_actions={"ward": CryptoAction.SIGN_ONLY},
        ),
    )
    # end solution


# %%
lab.check("table")

# %% [markdown]
# ## 6 · One column of a global database
#
# An Aurora global database has a table `visits (id text, ward text, note blob)`. Insert a visit whose note not even the
# database administrator can read, here or in the other Region: seal it with the AWS Encryption SDK, bound to the
# context `{"visit": <id>}`, and commit. `database` is a connection of `sqlite3`.

# %%
import aws_encryption_sdk
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import CreateAwsKmsMrkKeyringInput

logging.getLogger("aws_encryption_sdk").addHandler(logging.NullHandler())
sdk = aws_encryption_sdk.EncryptionSDKClient()
providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


# %%
def keyring(key_arn):
    kms = client("kms", key_arn.split(":")[3])
    asked = CreateAwsKmsMrkKeyringInput(kms_key_id=key_arn, kms_client=kms)
    return providers.create_aws_kms_mrk_keyring(asked)


# %% task="column"
def insert_visit(database, key_arn, visit, ward, note):
    """Inserts and commits a visit; the note (text) is sealed under the KMS key."""
    # begin solution
    sealed, _ = sdk.encrypt(
        source=note.encode(), keyring=keyring(key_arn), encryption_context={"visit": visit}
    )
    database.execute("insert into visits values (?, ?, ?)", (visit, ward, sealed))
    database.commit()
    # end solution


# %%
lab.check("column")

# %% [markdown]
# ## 7 · Whoever answers first
#
# Decrypt with the first of several KMS clients, each of another Region, that answers. A Region that is down gives the
# error code `ServiceUnavailable`: go on with the next. Any other refusal is an answer and must reach the caller at
# once; and so must the last error, if no Region answers.


# %% task="failover"
def decrypt_anywhere(clients, ciphertext, context):
    """The plaintext, from the first Region that answers."""
    # begin solution
    unavailable = None
    for kms in clients:
        try:
            answer = kms.decrypt(CiphertextBlob=ciphertext, EncryptionContext=context)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ServiceUnavailable":
                raise
            unavailable = error
        else:
            return answer["Plaintext"]
    raise unavailable
    # end solution


# %%
lab.check("failover")

# %% [markdown]
# ## Where you are

# %%
lab.check()
