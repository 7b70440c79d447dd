"""What the questions of this lesson claim, played on the simulator."""

import json
import os

import aws_encryption_sdk
import boto3
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    AesWrappingAlg,
    CreateAwsKmsDiscoveryKeyringInput,
    CreateAwsKmsKeyringInput,
    CreateAwsKmsMrkDiscoveryKeyringInput,
    CreateMultiKeyringInput,
    CreateRawAesKeyringInput,
    CreateRawRsaKeyringInput,
    DiscoveryFilter,
    PaddingScheme,
)
from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, PublicFormat
from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig
from s3_encryption.materials.kms_keyring import KmsKeyring

from kmscourse.exam.proofs import Outcome, proof, tried

LETTER = b"Patient 4711: asthma."


@proof("envelope-large-file")
def large_file(aws, case):
    """An X-ray is encrypted in four ways: of one megabyte, as forty would only take longer."""
    kms, s3 = boto3.client("kms"), boto3.client("s3")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    x_ray = os.urandom(1024) * 1024
    if case == "public-key":
        asked = tried(kms.get_public_key, KeyId=key)
        return Outcome(holds=asked.ok, seen=f"GetPublicKey gave {asked.code or 'a key'}.")
    if case == "encrypt":
        asked = tried(kms.encrypt, KeyId=key, Plaintext=x_ray)
        return Outcome(holds=asked.ok, seen=f"Encrypt gave {asked.code or 'a blob'}: {asked.words}")
    if case == "sse-kms":
        s3.create_bucket(Bucket="x-rays")
        received = []
        s3.meta.events.register(
            "before-send.s3.PutObject", lambda request, **_: received.append(_bytes(request.body))
        )
        s3.put_object(
            Bucket="x-rays",
            Key="4711",
            Body=x_ray,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=key,
        )
        sealed = x_ray[:1024] not in received[0]
        form = "ciphertext" if sealed else "plaintext"
        return Outcome(holds=sealed, seen=f"The request to Amazon S3 carried the X-ray as {form}.")
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    nonce = os.urandom(12)
    kept = nonce, AESGCM(made["Plaintext"]).encrypt(nonce, x_ray, None), made["CiphertextBlob"]
    opened = AESGCM(kms.decrypt(CiphertextBlob=kept[2])["Plaintext"]).decrypt(*kept[:2], None)
    recorded = [event["eventName"] for event in aws.trail.events()]
    return Outcome(
        holds=opened == x_ray and x_ray[:1024] not in kept[1] and "GenerateDataKey" in recorded,
        seen=f"{len(kept[1]):,} bytes of ciphertext made here opened again; the trail has "
        f"{' and '.join(sorted({'GenerateDataKey', 'Decrypt'} & set(recorded)))}.",
    )


@proof("envelope-reader-permission")
def reader_permission(aws, case):
    """A role that is allowed one action on the key opens a report that another has sealed."""
    kms, iam = boto3.client("kms"), boto3.client("iam")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    sealed = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    action = {
        "decrypt": "kms:Decrypt",
        "encrypt": "kms:Encrypt",
        "generate": "kms:GenerateDataKey",
        "public-key": "kms:GetPublicKey",
    }[case]
    iam.create_user(UserName="reader")
    statement = {"Effect": "Allow", "Action": action, "Resource": key}
    iam.put_user_policy(
        UserName="reader",
        PolicyName="one-action",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )
    reader = aws.session("reader").client("kms")
    opened = tried(reader.decrypt, CiphertextBlob=sealed["CiphertextBlob"])
    works = opened.ok and opened.answer["Plaintext"] == sealed["Plaintext"]
    got = "the data key came back" if works else f"Decrypt failed with {opened.code}"
    return Outcome(holds=works, seen=f"With {action} alone, {got}.")


@proof("envelope-context-case")
def context_case(aws, case):
    """A data key bound to department=Radiology is sent to Decrypt with department=radiology."""
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    made = kms.generate_data_key(
        KeyId=key, KeySpec="AES_256", EncryptionContext={"department": "Radiology"}
    )
    asked = tried(
        kms.decrypt,
        CiphertextBlob=made["CiphertextBlob"],
        EncryptionContext={"department": "radiology"},
    )
    came_true = {
        "invalid-ciphertext": asked.code == "InvalidCiphertextException",
        "access-denied": asked.code == "AccessDeniedException",
        "only-a-note": asked.ok,
        "without-case": asked.ok,
    }
    return Outcome(
        holds=came_true[case],
        seen="AWS KMS returned the data key."
        if asked.ok
        else f"AWS KMS refused with {asked.code}.",
    )


# ---- the Encryption SDK and the S3 Encryption Client


class World:
    """Two Regions with a key each, and the SDK as it is by default."""

    def __init__(self):
        self.here = boto3.client("kms", region_name="eu-west-1")
        self.there = boto3.client("kms", region_name="eu-central-1")
        self.key = self.here.create_key()["KeyMetadata"]["Arn"]
        self.other = self.there.create_key()["KeyMetadata"]["Arn"]
        self.providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
        self.sdk = EncryptionSDKClient()
        self.keyring = self.kms_keyring(self.key, self.here)

    def kms_keyring(self, arn, kms):
        return self.providers.create_aws_kms_keyring(
            CreateAwsKmsKeyringInput(kms_key_id=arn, kms_client=kms)
        )

    def both(self):
        return self.providers.create_multi_keyring(
            CreateMultiKeyringInput(
                generator=self.keyring, child_keyrings=[self.kms_keyring(self.other, self.there)]
            )
        )

    def discovery(self, *accounts):
        """With a filter where accounts are named.

        The filter is that of the multi-Region discovery keyring: in this release of the library the
        plain one's does not match as soon as it names two accounts.
        """
        if not accounts:
            return self.providers.create_aws_kms_discovery_keyring(
                CreateAwsKmsDiscoveryKeyringInput(kms_client=self.here)
            )
        return self.providers.create_aws_kms_mrk_discovery_keyring(
            CreateAwsKmsMrkDiscoveryKeyringInput(
                kms_client=self.here,
                region="eu-west-1",
                discovery_filter=DiscoveryFilter(partition="aws", account_ids=list(accounts)),
            )
        )

    def seal(self, keyring, **settings):
        return tried(self.sdk.encrypt, source=LETTER, keyring=keyring, **settings)

    def open(self, message, keyring):
        """How it went; `answer` is the plaintext."""
        return tried(lambda: self.sdk.decrypt(source=message, keyring=keyring)[0])


def _said(answer):
    return "worked" if answer.ok else f"was refused ({answer.code})"


def _calls(aws, name):
    return sum(event["eventName"] == name for event in aws.trail.events())


@proof("envelope-context-contents")
def context_contents(aws, case):
    """The message, CloudTrail and the opening are looked at for what stands in the context."""
    world = World()
    made = world.here.generate_data_key(KeyId=world.key, KeySpec="AES_256")["Plaintext"]
    said = {
        "record-number": "record 4711",
        "diagnosis": "asthma",
        "password": "open-sesame",
        "data-key": made.hex(),
    }[case]
    sealed = world.seal(world.keyring, encryption_context={"what": said}).answer[0]
    places = {
        "the message": said.encode() in sealed,
        "CloudTrail": any(said in json.dumps(each, default=str) for each in aws.trail.events()),
    }
    swapped = sealed.replace(said.encode(), said.encode()[::-1])
    bound = not world.open(swapped, world.keyring).ok
    secret = case != "record-number"
    readable = [place for place, there in places.items() if there]
    return Outcome(
        holds=bound and not (secret and bool(readable)),
        seen=f"{said[:16]!r} can be read in {' and in '.join(readable) or 'neither place'}; "
        f"a changed context {'was refused' if bound else 'went unnoticed'}.",
    )


@proof("envelope-several-readers")
def several_readers(aws, case):
    """A message is sealed as proposed; each reader opens it with a key that only they have."""
    world = World()
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    in_the_safe = rsa_key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def raw_rsa(**halves):
        return world.providers.create_raw_rsa_keyring(
            CreateRawRsaKeyringInput(
                key_namespace="safe",
                key_name="owner",
                padding_scheme=PaddingScheme.OAEP_SHA256_MGF1,
                **halves,
            )
        )

    readers = {
        "one hospital": world.kms_keyring(world.key, world.here),
        "the other": world.kms_keyring(world.other, world.there),
        "the owner": raw_rsa(private_key=in_the_safe),
    }
    if case == "multi-keyring":
        hospitals = [readers["one hospital"], readers["the other"]]
        keyring = world.providers.create_multi_keyring(
            CreateMultiKeyringInput(
                generator=hospitals[0], child_keyrings=[hospitals[1], raw_rsa(public_key=public)]
            )
        )
    elif case == "discovery":
        keyring = world.discovery()
    elif case == "one-key":
        keyring = readers["one hospital"]
    else:
        keyring = world.providers.create_raw_aes_keyring(
            CreateRawAesKeyringInput(
                key_namespace="mail",
                key_name="shared",
                wrapping_key=os.urandom(32),
                wrapping_alg=AesWrappingAlg.ALG_AES256_GCM_IV12_TAG16,
            )
        )
    sealed = world.seal(keyring)
    if not sealed.ok:
        return Outcome(holds=sealed.ok, seen=f"Sealing {_said(sealed)}.")
    able = [name for name, own in readers.items() if world.open(sealed.answer[0], own).ok]
    return Outcome(
        holds=len(able) == len(readers),
        seen=f"With a key of their own it was opened by {', '.join(able) or 'nobody'}.",
    )


@proof("envelope-wrapping-key-disabled")
def wrapping_key_disabled(aws, case):
    """A record is sealed under two keys; then the second is disabled, and enabled again."""
    world = World()
    both = world.both()
    before = world.seal(both).answer[0]
    world.there.disable_key(KeyId=world.other)
    sealing, opening = world.seal(both), world.open(before, both)
    world.there.enable_key(KeyId=world.other)
    sealing_again = world.seal(both)
    opening_again = world.open(before, world.kms_keyring(world.other, world.there))
    came_true = {
        "sealing-fails": not sealing.ok and sealing_again.ok,
        "opening-works": opening.ok and opening.answer == LETTER,
        "sealing-works": sealing.ok,
        "opening-fails": not opening.ok,
        "seal-again": not opening_again.ok,
    }
    seen = {
        "sealing-fails": f"Sealing {_said(sealing)}, and once enabled again it "
        f"{_said(sealing_again)}.",
        "opening-works": f"Opening the record {_said(opening)}.",
        "sealing-works": f"Sealing {_said(sealing)}.",
        "opening-fails": f"Opening the record {_said(opening)}.",
        "seal-again": f"Once enabled, opening with the second key alone {_said(opening_again)}.",
    }
    return Outcome(holds=came_true[case], seen=seen[case])


@proof("envelope-commitment-upgrade")
def commitment_upgrade(aws, case):
    """An old message without commitment is opened, and a new one is sealed and looked at."""
    world = World()
    forbid = EncryptionSDKClient(commitment_policy=CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)
    old = forbid.encrypt(source=LETTER, keyring=world.keyring)[0]
    if case == "re-encrypt":
        asked = tried(world.here.re_encrypt, CiphertextBlob=old, DestinationKeyId=world.key)
        return Outcome(holds=asked.ok, seen=f"ReEncrypt of the old message {_said(asked)}.")
    policy = {
        "allow-decrypt": CommitmentPolicy.REQUIRE_ENCRYPT_ALLOW_DECRYPT,
        "forbid-encrypt": CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT,
        "require-decrypt": CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT,
    }[case]
    world.sdk = EncryptionSDKClient(commitment_policy=policy)
    opened = world.open(old, world.keyring)
    header = world.seal(world.keyring).answer[1]
    commits = header.algorithm.is_committing()
    return Outcome(
        holds=opened.ok and commits,
        seen=f"The old message: opening {_said(opened)}. "
        f"A new one has {'' if commits else 'no '}key commitment.",
    )


def _caching(world, **limits):
    return aws_encryption_sdk.CachingCryptoMaterialsManager(
        master_key_provider=aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[world.key]),
        cache=aws_encryption_sdk.LocalCryptoMaterialsCache(capacity=10),
        max_age=600.0,
        **limits,
    )


@proof("envelope-caching-throttled")
def caching_throttled(aws, case):
    """Twenty readings are sealed as proposed; requests are counted, and what one key opens."""
    world = World()
    readings = [os.urandom(8) for _ in range(20)]
    before = sum(_calls(aws, name) for name in ("GenerateDataKey", "Encrypt"))
    keys = set()
    if case == "cache":
        manager = _caching(world, max_messages_encrypted=5)
        for reading in readings:
            _, header = world.sdk.encrypt(source=reading, materials_manager=manager)
            keys |= {key.encrypted_data_key for key in header.encrypted_data_keys}
    elif case == "bucket-key":
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="readings")
        rule = {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"},
            "BucketKeyEnabled": True,
        }
        s3.put_bucket_encryption(
            Bucket="readings", ServerSideEncryptionConfiguration={"Rules": [rule]}
        )
        for number, reading in enumerate(readings):
            sealed, header = world.sdk.encrypt(source=reading, keyring=world.keyring)
            keys |= {key.encrypted_data_key for key in header.encrypted_data_keys}
            s3.put_object(Bucket="readings", Key=str(number), Body=sealed)
    elif case == "encrypt-api":
        keys = {
            world.here.encrypt(KeyId=world.key, Plaintext=reading)["CiphertextBlob"]
            for reading in readings
        }
    else:
        made = world.here.generate_data_key(KeyId=world.key, KeySpec="AES_256")
        sealing = AESGCM(made["Plaintext"])
        for reading in readings:
            sealing.encrypt(os.urandom(12), reading, None)
            keys.add(made["CiphertextBlob"])
    asked = sum(_calls(aws, name) for name in ("GenerateDataKey", "Encrypt")) - before
    opened_by_one = len(readings) // len(keys)
    return Outcome(
        holds=asked < len(readings) and opened_by_one < len(readings),
        seen=f"Requests to AWS KMS: {asked}, for {len(readings)} readings; "
        f"one leaked data key opens {opened_by_one} of them.",
    )


@proof("envelope-caching-no-effect")
def caching_no_effect(aws, case):
    """Five records are sealed through a cache, and what a claim blames is changed."""
    world = World()

    def asked(contexts, size=20):
        manager = _caching(world, max_messages_encrypted=100)
        before = _calls(aws, "GenerateDataKey")
        for context in contexts:
            world.sdk.encrypt(
                source=b"x" * size, materials_manager=manager, encryption_context=context
            )
        return _calls(aws, "GenerateDataKey") - before

    same, own = [{"clinic": "north"}] * 5, [{"record": str(n)} for n in range(5)]
    alike, apart = asked(same), asked(own)
    large = asked(own, size=5000) if case == "too-small" else apart
    came_true = {
        "contexts-differ": apart == 5 and alike == 1,
        "only-decryption": alike == 5,
        "recorded-anyway": alike == 5,
        "too-small": large < apart,
    }
    seen = f"{apart} calls with a context for each record, {alike} with one for all"
    more = f", {large} for records of 5,000 bytes" if case == "too-small" else ""
    return Outcome(holds=came_true[case], seen=f"{seen}{more}.")


@proof("envelope-discovery-filter")
def discovery_filter(aws, case):
    """Messages of a wanted account and of a stranger are opened; CloudTrail says who was asked."""
    world = World()
    home, wanted, strange = world.key.split(":")[4], "222222222222", "333333333333"

    def message_of(account):
        kms = aws.account(account).session("root", region="eu-west-1").client("kms")
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": [f"arn:aws:iam::{each}:root" for each in (account, home)]},
                "Action": "kms:*",
                "Resource": "*",
            },
        }
        key = kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
        return key, world.seal(world.kms_keyring(key, kms)).answer[0]

    (_, known), (key, unwanted) = message_of(wanted), message_of(strange)
    if case in ("filter", "check-afterwards"):
        keyring = world.discovery(*([home, wanted] if case == "filter" else []))
        opening = {"known": keyring, "unwanted": keyring}
    elif case == "add-keys":
        opening = {
            "known": world.discovery(wanted),
            "unwanted": world.kms_keyring(key, world.here),  # added, as the message names it
        }
    else:
        opening = {"known": world.keyring, "unwanted": world.keyring}
    good = world.open(known, opening["known"])
    before = _calls(aws, "Decrypt")
    world.open(unwanted, opening["unwanted"])
    asked = _calls(aws, "Decrypt") - before
    return Outcome(
        holds=good.ok and asked == 0,
        seen=f"A team's message: opening {_said(good)}. "
        f"The stranger's led to {asked} request{'' if asked == 1 else 's'} to AWS KMS.",
    )


@proof("envelope-what-to-keep")
def what_to_keep(aws, case):
    """A report is sealed, kept as proposed, opened a year later, and tried by a thief."""
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    nonce = os.urandom(12)
    sealed = AESGCM(made["Plaintext"]).encrypt(nonce, LETTER, None)
    kept = {
        "encrypted": {"wrapped": made["CiphertextBlob"]},
        "plaintext": {"plain": made["Plaintext"]},
        "neither": {},
        "both-in-code": {"wrapped": made["CiphertextBlob"], "plain": made["Plaintext"]},
    }[case]
    aws.clock.advance(days=365)

    def with_key(data_key):
        return tried(AESGCM(data_key).decrypt, nonce, sealed, None)

    if "wrapped" in kept:
        reader = with_key(kms.decrypt(CiphertextBlob=kept["wrapped"])["Plaintext"])
    elif "plain" in kept:
        reader = with_key(kept["plain"])
    else:
        reader = with_key(kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"])
    stranger = aws.session("stranger").client("kms")
    if "plain" in kept:
        thief = with_key(kept["plain"])
    else:
        thief = tried(stranger.decrypt, CiphertextBlob=kept.get("wrapped", sealed))
    return Outcome(
        holds=reader.ok and not thief.ok,
        seen=f"A year later the report could {'' if reader.ok else 'not '}be opened; whoever "
        f"reads what was kept, and has no permission, could {'' if thief.ok else 'not '}open it.",
    )


@proof("envelope-without-plaintext")
def without_plaintext(aws, case):
    """A key is provisioned as proposed, and every answer that the service got is searched."""
    kms = boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    session = aws.session("provisioning")
    statement = {"Effect": "Allow", "Action": ["kms:GenerateDataKey*", "kms:Encrypt"]}
    statement |= {"Resource": "*"}
    random = {"Effect": "Allow", "Action": "kms:GenerateRandom", "Resource": "*"}
    boto3.client("iam").put_user_policy(
        UserName="provisioning",
        PolicyName="seal-only",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement, random]}),
    )
    service = session.client("kms")
    if case == "without-plaintext":
        answers = [service.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256")]
    elif case == "drop-it":
        answers = [service.generate_data_key(KeyId=key, KeySpec="AES_256")]
    elif case == "random":
        made = service.generate_random(NumberOfBytes=32)
        answers = [made, service.encrypt(KeyId=key, Plaintext=made["Plaintext"])]
    else:
        answers = [service.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")]
    blobs = [
        answer.get("CiphertextBlob") or answer.get("PrivateKeyCiphertextBlob") for answer in answers
    ]
    opened = kms.decrypt(CiphertextBlob=blobs[-1])["Plaintext"]
    held = any(opened == value for answer in answers for value in answer.values())
    return Outcome(
        holds=not held and len(opened) == 32,
        seen=f"The worker decrypted a key of {len(opened)} bytes; the provisioning service had "
        f"{'held' if held else 'never held'} it in plaintext.",
    )


def _bucket(s3, name="clinic-records", **encryption):
    s3.create_bucket(Bucket=name)
    if encryption:
        rule = {"ApplyServerSideEncryptionByDefault": encryption}
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})


def _sealing_s3(session, key):
    config = S3EncryptionClientConfig(keyring=KmsKeyring(session.client("kms"), key))
    return S3EncryptionClient(session.client("s3"), config)


@proof("envelope-who-can-read")
def who_can_read(aws, case):
    """A record is uploaded and downloaded as proposed; all that Amazon S3 was sent is searched."""
    s3 = boto3.client("s3")
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    session = aws.session("learner")
    sending = session.client("s3")
    received = []
    sending.meta.events.register(
        "before-send.s3.PutObject", lambda request, **_: received.append(_bytes(request.body))
    )
    _bucket(s3, SSEAlgorithm="aws:kms:dsse" if case == "dsse" else "aws:kms", KMSMasterKeyID=key)
    if case == "bucket-key":
        rule = {
            "ApplyServerSideEncryptionByDefault": {
                "SSEAlgorithm": "aws:kms",
                "KMSMasterKeyID": key,
            },
            "BucketKeyEnabled": True,
        }
        s3.put_bucket_encryption(
            Bucket="clinic-records", ServerSideEncryptionConfiguration={"Rules": [rule]}
        )
    if case == "tls":
        s3.put_bucket_policy(Bucket="clinic-records", Policy=json.dumps(NO_HTTP))
    writer = sending
    if case == "s3-encryption-client":
        config = S3EncryptionClientConfig(keyring=KmsKeyring(session.client("kms"), key))
        writer = S3EncryptionClient(sending, config)
    writer.put_object(Bucket="clinic-records", Key="4711", Body=LETTER)
    back = writer.get_object(Bucket="clinic-records", Key="4711")["Body"].read()
    plain = any(LETTER in body for body in received)
    return Outcome(
        holds=back == LETTER and bool(received) and not plain,
        seen=f"Amazon S3 was sent {'the record in plaintext' if plain else 'ciphertext only'}.",
    )


def _bytes(body):
    """What is sent, left as it was for the sending."""
    if not hasattr(body, "read"):
        return bytes(body)
    data = body.read()
    body.seek(0)
    return data


NO_HTTP = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::clinic-records", "arn:aws:s3:::clinic-records/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    },
}


@proof("envelope-s3-client-read")
def s3_client_read(aws, case):
    """The analyst tries to read a report that the S3 Encryption Client has sealed."""
    s3, kms, iam = boto3.client("s3"), boto3.client("kms"), boto3.client("iam")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    _bucket(s3)
    _sealing_s3(aws.session("learner"), key).put_object(
        Bucket="clinic-records", Key="report", Body=LETTER
    )
    analyst = aws.session("analyst")
    actions = ["s3:GetObject", "kms:Decrypt"]
    actions += ["kms:GenerateDataKey"] if case == "ask-for-more" else []
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    iam.put_user_policy(
        UserName="analyst",
        PolicyName="read",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )
    where = {"Bucket": "clinic-records", "Key": "report"}
    stored = analyst.client("s3").get_object(**where)["Body"].read()
    if case == "same-client":
        read = tried(lambda: _sealing_s3(analyst, key).get_object(**where)["Body"].read())
    elif case == "sse-kms":
        rule = {
            "ApplyServerSideEncryptionByDefault": {
                "SSEAlgorithm": "aws:kms",
                "KMSMasterKeyID": key,
            }
        }
        s3.put_bucket_encryption(
            Bucket="clinic-records", ServerSideEncryptionConfiguration={"Rules": [rule]}
        )
        read = tried(lambda: analyst.client("s3").get_object(**where)["Body"].read())
    elif case == "in-pieces":
        pieces = [stored[at : at + 4096] for at in range(0, len(stored), 4096)]
        read = tried(
            lambda: b"".join(
                analyst.client("kms").decrypt(CiphertextBlob=each)["Plaintext"] for each in pieces
            )
        )
    else:
        made = analyst.client("kms").generate_data_key(KeyId=key, KeySpec="AES_256")
        read = tried(AESGCM(made["Plaintext"]).decrypt, stored[:12], stored[12:], None)
    got = read.ok and read.answer == LETTER
    how = "got the report" if got else "saw the same ciphertext" if read.ok else read.code
    return Outcome(holds=got, seen=f"The analyst: {how}.")


@proof("envelope-leaked-access-key")
def leaked_access_key(aws, case):
    """Whoever found the access key, allowed s3:GetObject alone, reads one object of each kind."""
    s3, kms, iam = boto3.client("s3"), boto3.client("kms"), boto3.client("iam")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    finder = aws.session("finder")
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    iam.put_user_policy(
        UserName="finder",
        PolicyName="read",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )
    where = {"Bucket": "clinic-records", "Key": "4711"}
    _bucket(s3)
    if case == "no-tls-denied":
        s3.put_bucket_policy(Bucket="clinic-records", Policy=json.dumps(NO_HTTP))
    if case == "unencrypted-denied":
        only = {
            **NO_HTTP["Statement"],
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::clinic-records/*",
            "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}},
        }
        policy = {"Version": "2012-10-17", "Statement": only}
        s3.put_bucket_policy(Bucket="clinic-records", Policy=json.dumps(policy))
        s3.put_object(**where, Body=LETTER, ServerSideEncryption="AES256")
    elif case == "sse-kms":
        s3.put_object(**where, Body=LETTER, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    elif case == "sealed-before":
        _sealing_s3(aws.session("learner"), key).put_object(**where, Body=LETTER)
    else:
        s3.put_object(**where, Body=LETTER)
    read = tried(lambda: finder.client("s3").get_object(**where)["Body"].read())
    got = read.ok and LETTER in read.answer
    how = "the contents" if got else "ciphertext" if read.ok else read.code
    return Outcome(holds=not got, seen=f"The finder of the access key got {how}.")
