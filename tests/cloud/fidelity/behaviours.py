"""What AWS does, each with its source and a probe that tries it in either world."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from tests.cloud.fidelity.worlds import World, code
from tests.cloud.kms.importing import external_key, import_into

Probe = Callable[[World], bool]


@dataclass(frozen=True)
class Behaviour:
    """One row of the table.

    Attributes:
        rule: what AWS does.
        source: AWS's document.
        probe: whether a world does it.
        instead: what the course does where it does not do that: the honest red row.
        tried: False for what cannot be tried from outside, and is declared.
    """

    part: str
    rule: str
    source: str
    probe: Probe
    instead: str = ""
    tried: bool = True


BEHAVIOURS: list[Behaviour] = []


def behaviour(
    part: str, rule: str, source: str, instead: str = "", *, tried: bool = True
) -> Callable[[Probe], Probe]:
    """Enter a probe into the table."""

    def enter(probe: Probe) -> Probe:
        BEHAVIOURS.append(Behaviour(part, rule, source, probe, instead, tried))
        return probe

    return enter


GUIDE = "AWS KMS Developer Guide"
API = "botocore kms"


# Who may


@behaviour(
    "Who may", "A key policy that leaves a user out keeps the user out", f"{GUIDE}, Key policies"
)
def key_policy(w: World) -> bool:
    key = w.key()
    return code(w.kms(user="ana").encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"


@behaviour(
    "Who may", "A grant lets its grantee do what it lists, and no more", f"{API} CreateGrant"
)
def grant(w: World) -> bool:
    key, ana = w.key(), w.kms(user="ana")
    w.kms().create_grant(
        KeyId=key, GranteePrincipal="arn:aws:iam::123456789012:user/ana", Operations=["Encrypt"]
    )
    blob = ana.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    return code(ana.decrypt, CiphertextBlob=blob) == "AccessDeniedException"


@behaviour("Who may", "A policy that would lock its author out is refused", f"{API} PutKeyPolicy")
def lockout(w: World) -> bool:
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    return (
        code(w.kms().put_key_policy, KeyId=w.key(), Policy=policy)
        == "MalformedPolicyDocumentException"
    )


@behaviour("Who may", "What is no policy document is refused", f"{API} CreateKey")
def no_policy(w: World) -> bool:
    return code(w.kms().create_key, Policy="my policy") == "MalformedPolicyDocumentException"


# Key states


@behaviour(
    "Key states",
    "A disabled key does not encrypt or decrypt: DisabledException",
    f"{GUIDE}, Key states",
)
def disabled(w: World) -> bool:
    key = w.key()
    blob = w.kms().encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    w.kms().disable_key(KeyId=key)
    return code(w.kms().decrypt, CiphertextBlob=blob) == "DisabledException"


@behaviour(
    "Key states",
    "A key that waits for its deletion cannot be used or tagged",
    f"{GUIDE}, Key states",
)
def pending(w: World) -> bool:
    key = w.key()
    w.kms().schedule_key_deletion(KeyId=key)
    tag = code(w.kms().tag_resource, KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
    return tag == code(w.kms().encrypt, KeyId=key, Plaintext=b"x") == "KMSInvalidStateException"


@behaviour(
    "Key states", "A key is deleted when its waiting period is over", f"{API} ScheduleKeyDeletion"
)
def deleted(w: World) -> bool:
    key = w.key()
    w.kms().schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    w.advance(8)
    return code(w.kms().describe_key, KeyId=key) == "NotFoundException"


@behaviour("Key states", "A key for imported material starts as PendingImport", f"{API} CreateKey")
def pending_import(w: World) -> bool:
    return w.state(w.key(Origin="EXTERNAL")) == "PendingImport"


# Ciphertext


@behaviour(
    "Ciphertext", "No two encryption contexts open each other's ciphertext", f"{API} Encrypt"
)
def context(w: World) -> bool:
    blob = w.kms().encrypt(KeyId=w.key(), Plaintext=b"x", EncryptionContext={"a": "bc"})[
        "CiphertextBlob"
    ]
    return (
        code(w.kms().decrypt, CiphertextBlob=blob, EncryptionContext={"ab": "c"})
        == "InvalidCiphertextException"
    )


@behaviour(
    "Ciphertext",
    "Naming another key than the one that encrypted gives IncorrectKeyException",
    f"{API} Decrypt",
)
def wrong_key(w: World) -> bool:
    blob = w.kms().encrypt(KeyId=w.key(), Plaintext=b"x")["CiphertextBlob"]
    return code(w.kms().decrypt, CiphertextBlob=blob, KeyId=w.key()) == "IncorrectKeyException"


@behaviour(
    "Ciphertext",
    "A dry run that would succeed ends in DryRunOperationException",
    f"{API} Encrypt, DryRun",
)
def dry_run(w: World) -> bool:
    return (
        code(w.kms().encrypt, KeyId=w.key(), Plaintext=b"x", DryRun=True)
        == "DryRunOperationException"
    )


@behaviour(
    "Ciphertext",
    "The format of a ciphertext blob is AWS's own",
    f"{GUIDE}, Cryptography details (not published)",
    "AWS does not publish the format. The simulator has one of its own "
    "(`kmscourse/cloud/kms/ciphertext.py`) "
    "that carries what AWS's must: the key, the version, the sealed bytes. A blob of AWS does"
    " not open here.",
    tried=False,
)
def blob_format(w: World) -> bool:
    return False


@behaviour("Ciphertext", "What a key encrypts it decrypts, without being named", f"{API} Decrypt")
def round_trip(w: World) -> bool:
    blob = w.kms().encrypt(KeyId=w.key(), Plaintext=b"x")["CiphertextBlob"]
    return bool(w.kms().decrypt(CiphertextBlob=blob)["Plaintext"] == b"x")


@behaviour("Ciphertext", "A data key comes in plaintext and wrapped", f"{API} GenerateDataKey")
def data_key(w: World) -> bool:
    made = w.kms().generate_data_key(KeyId=w.key(), KeySpec="AES_256")
    opened = w.kms().decrypt(CiphertextBlob=made["CiphertextBlob"])
    return bool(opened["Plaintext"] == made["Plaintext"])


@behaviour("Ciphertext", "A MAC verifies, and another message's does not", f"{API} VerifyMac")
def mac(w: World) -> bool:
    key = w.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    given = {"KeyId": key, "MacAlgorithm": "HMAC_SHA_256"}
    made = w.kms().generate_mac(Message=b"x", **given)["Mac"]
    good = w.kms().verify_mac(Message=b"x", Mac=made, **given)["MacValid"]
    bad = code(w.kms().verify_mac, Message=b"y", Mac=made, **given)
    return bool(good) and bad == "KMSInvalidMacException"


# Rotation


@behaviour(
    "Rotation",
    "Rotation makes new key material, and old ciphertext still opens",
    f"{API} RotateKeyOnDemand",
)
def rotation(w: World) -> bool:
    key = w.key()
    blob = w.kms().encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    before = w.kms().describe_key(KeyId=key)["KeyMetadata"].get("CurrentKeyMaterialId")
    w.kms().rotate_key_on_demand(KeyId=key)
    after = w.kms().describe_key(KeyId=key)["KeyMetadata"].get("CurrentKeyMaterialId")
    return bool(before != after and w.kms().decrypt(CiphertextBlob=blob)["Plaintext"] == b"x")


@behaviour("Rotation", "Automatic rotation happens when its day comes", f"{API} EnableKeyRotation")
def automatic(w: World) -> bool:
    key = w.key()
    w.kms().enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    w.advance(181)
    return len(w.kms().list_key_rotations(KeyId=key)["Rotations"]) == 2


@behaviour("Rotation", "A key rotates 25 times on demand, and no more", f"{API} RotateKeyOnDemand")
def on_demand_limit(w: World) -> bool:
    key = w.key()
    codes = [code(w.kms().rotate_key_on_demand, KeyId=key) for _ in range(26)]
    return codes == [""] * 25 + ["LimitExceededException"]


@behaviour(
    "Rotation", "An asymmetric key cannot be rotated, and says so", f"{API} EnableKeyRotation"
)
def asymmetric_rotation(w: World) -> bool:
    key = w.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    return code(w.kms().enable_key_rotation, KeyId=key) == "UnsupportedOperationException"


# Import


@behaviour("Import", "Wrapped key material can be imported and used", f"{API} ImportKeyMaterial")
def imported(w: World) -> bool:
    key = external_key(w.kms(), os.urandom(32))
    blob = w.kms().encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    return bool(w.kms().decrypt(CiphertextBlob=blob)["Plaintext"] == b"x")


@behaviour(
    "Import", "Deleted material comes back only as the same bytes", f"{API} ImportKeyMaterial"
)
def reimport(w: World) -> bool:
    key = external_key(w.kms(), os.urandom(32))
    w.kms().delete_imported_key_material(KeyId=key)
    return code(import_into, w.kms(), key, os.urandom(32)) == "IncorrectKeyMaterialException"


# Key pairs


@behaviour(
    "Key pairs", "What is encrypted outside with the public key opens in KMS", f"{API} Decrypt"
)
def rsa_outside(w: World) -> bool:
    key = w.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    public: Any = serialization.load_der_public_key(w.kms().get_public_key(KeyId=key)["PublicKey"])
    sealed = public.encrypt(
        b"x", padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    )
    opened = w.kms().decrypt(
        KeyId=key, CiphertextBlob=sealed, EncryptionAlgorithm="RSAES_OAEP_SHA_256"
    )
    return bool(opened["Plaintext"] == b"x")


@behaviour("Key pairs", "A signature over a digest verifies outside", f"{API} Sign")
def digest(w: World) -> bool:
    key = w.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    public: Any = serialization.load_der_public_key(w.kms().get_public_key(KeyId=key)["PublicKey"])
    hashed = hashes.Hash(hashes.SHA256())
    hashed.update(b"message")
    signed = w.kms().sign(
        KeyId=key, Message=hashed.finalize(), MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256"
    )["Signature"]
    try:
        public.verify(signed, b"message", ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


@behaviour("Key pairs", "ECDH gives both sides the same secret", f"{API} DeriveSharedSecret")
def ecdh(w: World) -> bool:
    key = w.key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    bob = ec.generate_private_key(ec.SECP256R1())
    der = bob.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    mine = w.kms().derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=der)
    public: Any = serialization.load_der_public_key(w.kms().get_public_key(KeyId=key)["PublicKey"])
    return bool(mine["SharedSecret"] == bob.exchange(ec.ECDH(), public))


@behaviour("Key pairs", "ML-DSA keys sign", f"{API} Sign, ML_DSA_SHAKE_256")
def ml_dsa(w: World) -> bool:
    key = w.key(KeySpec="ML_DSA_44", KeyUsage="SIGN_VERIFY")
    return bool(
        w.kms().sign(KeyId=key, Message=b"x", SigningAlgorithm="ML_DSA_SHAKE_256")["Signature"]
    )


@behaviour("Key pairs", "ML-KEM keys of 768 and 1024 encapsulate", f"{API} Encapsulate")
def ml_kem(w: World) -> bool:
    key = w.key(KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")
    made = w.kms().encapsulate(KeyId=key, EncapsulationAlgorithm="ML_KEM")
    opened = w.kms().decapsulate(
        KeyId=key,
        EncapsulationAlgorithm="ML_KEM",
        SharedSecretCiphertextBlob=made["SharedSecretCiphertextBlob"],
    )
    return bool(opened["SharedSecret"] == made["SharedSecret"])


@behaviour(
    "Key pairs",
    "There are ML-KEM keys of 512",
    f"{API} CreateKey, KeySpec",
    "UnsupportedOperationException: `cryptography` 48 has ML-KEM-768 and ML-KEM-1024 only.",
)
def ml_kem_512(w: World) -> bool:
    return not code(w.kms().create_key, KeySpec="ML_KEM_512", KeyUsage="ENCAPSULATE_DECAPSULATE")


@behaviour(
    "Key pairs",
    "ML-DSA signs an EXTERNAL_MU of 64 bytes",
    f"{API} Sign, MessageType",
    "UnsupportedOperationException: `cryptography` 48 does not offer it, and the simulator "
    "has no cryptography of its own.",
)
def external_mu(w: World) -> bool:
    key = w.key(KeySpec="ML_DSA_44", KeyUsage="SIGN_VERIFY")
    return not code(
        w.kms().sign,
        KeyId=key,
        Message=bytes(64),
        MessageType="EXTERNAL_MU",
        SigningAlgorithm="ML_DSA_SHAKE_256",
    )


@behaviour(
    "Key pairs",
    "Ed25519 signs a digest (ED25519_PH_SHA_512)",
    f"{API} Sign, SigningAlgorithm",
    "UnsupportedOperationException: `cryptography` 48 does not offer Ed25519ph. "
    "ED25519_SHA_512 works.",
)
def ed25519_ph(w: World) -> bool:
    key = w.key(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")
    return not code(
        w.kms().sign,
        KeyId=key,
        Message=bytes(64),
        MessageType="DIGEST",
        SigningAlgorithm="ED25519_PH_SHA_512",
    )


@behaviour(
    "Key pairs",
    "A key pair in a seeded cloud is the same each run",
    "The course's own promise; AWS has no seed",
    "True for ECC, Ed25519, ML-DSA, ML-KEM and HMAC keys. RSA keys, PSS salts and OAEP "
    "padding come from the "
    "operating system, for `cryptography` takes no seed: they differ in each run.",
    tried=False,
)
def seeded_rsa(w: World) -> bool:
    return False


# Multi-Region


@behaviour("Multi-Region", "A replica opens what its primary sealed", f"{API} ReplicateKey")
def replica(w: World) -> bool:
    key = w.key(MultiRegion=True)
    blob = w.kms().encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    w.kms().replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    return bool(w.kms("eu-west-1").decrypt(CiphertextBlob=blob)["Plaintext"] == b"x")


@behaviour("Multi-Region", "The primary Region can be changed", f"{API} UpdatePrimaryRegion")
def primary_region(w: World) -> bool:
    key = w.key(MultiRegion=True)
    w.kms().replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    w.kms().update_primary_region(KeyId=key, PrimaryRegion="eu-west-1")
    found = w.kms().describe_key(KeyId=key)["KeyMetadata"]["MultiRegionConfiguration"]
    return bool(found["PrimaryKey"]["Region"] == "eu-west-1")


@behaviour(
    "Multi-Region", "A primary key waits for the end of its replicas", f"{API} ScheduleKeyDeletion"
)
def primary_waits(w: World) -> bool:
    key = w.key(MultiRegion=True)
    w.kms().replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    w.kms().schedule_key_deletion(KeyId=key)
    return w.state(key) == "PendingReplicaDeletion"


# Key stores


@behaviour(
    "Key stores",
    "A key in a disconnected key store is Unavailable",
    f"{API} DisconnectCustomKeyStore",
)
def key_store(w: World) -> bool:
    store = w.kms().create_custom_key_store(
        CustomKeyStoreName="hsm",
        CloudHsmClusterId="cluster-abcdefghijk",
        TrustAnchorCertificate="certificate",
        KeyStorePassword="password",
    )["CustomKeyStoreId"]
    w.kms().connect_custom_key_store(CustomKeyStoreId=store)
    key = w.key(Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)
    w.kms().disconnect_custom_key_store(CustomKeyStoreId=store)
    return w.state(key) == "Unavailable"


@behaviour(
    "Key stores",
    "A CloudHSM cluster that does not exist is refused",
    f"{API} CreateCustomKeyStore",
    "Any well-formed cluster id, password and certificate is taken: there are no clusters and"
    " no key managers on "
    "one machine. Likewise the proxy of an external key store is never asked, and its keys "
    "are encrypted once, not twice.",
)
def no_cluster(w: World) -> bool:
    return (
        code(
            w.kms().create_custom_key_store,
            CustomKeyStoreName="hsm",
            CloudHsmClusterId="cluster-zzzzzzzzzzz",
            TrustAnchorCertificate="certificate",
            KeyStorePassword="password",
        )
        == "CloudHsmClusterNotFoundException"
    )


# Around keys


@behaviour(
    "Around keys",
    "An alias cannot name the key where AWS takes an id or ARN only",
    f"{API} DisableKey, KeyId",
)
def no_alias(w: World) -> bool:
    w.kms().create_alias(AliasName="alias/a", TargetKeyId=w.key())
    return code(w.kms().disable_key, KeyId="alias/a") == "NotFoundException"


@behaviour(
    "Around keys",
    "An AWS managed key has AWS's policy, and nobody can manage it",
    f"{GUIDE}, AWS managed keys",
)
def aws_managed(w: World) -> bool:
    key = w.kms().describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    refused = code(w.kms().schedule_key_deletion, KeyId=key["KeyId"])
    return bool(key["KeyManager"] == "AWS" and refused == "AccessDeniedException")


@behaviour(
    "Around keys", "GetKeyLastUsage tells when a key was last used", f"{API} GetKeyLastUsage"
)
def last_usage(w: World) -> bool:
    key = w.key()
    w.kms().encrypt(KeyId=key, Plaintext=b"x")
    return bool(w.kms().get_key_last_usage(KeyId=key)["KeyLastUsage"]["Operation"] == "Encrypt")


@behaviour(
    "Around keys",
    "The account that owns a key may delegate kms:RetireGrant to an IAM principal",
    f"{GUIDE}, Retiring and revoking grants",
    "Only the retiring principal, a grantee whose grant contains RetireGrant and the account's "
    "root user retire a grant here. AWS's page says both that the permission can be delegated and "
    "that it alone is not enough; until that is clear we refuse.",
    tried=False,
)
def delegated_retire_grant(w: World) -> bool:
    return False


@behaviour(
    "Around keys",
    "A new grant takes up to five minutes to be seen everywhere",
    f"{GUIDE}, Grants",
    "It is seen at once, so that a notebook need not wait; `kms.consistency` sets a delay. "
    "Policies, aliases and "
    "tags are always seen at once.",
)
def consistency(w: World) -> bool:
    key, ana = w.key(), w.kms(user="ana")
    w.kms().create_grant(
        KeyId=key, GranteePrincipal="arn:aws:iam::123456789012:user/ana", Operations=["Encrypt"]
    )
    return code(ana.encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"


@behaviour(
    "Around keys",
    "A Nitro Enclave's attestation document is honoured (Recipient)",
    f"{API} Decrypt, Recipient",
    "Recipient is refused with ValidationException: there is no enclave to attest to.",
    tried=False,
)
def recipient(w: World) -> bool:
    return False


# The account around KMS


@behaviour(
    "Around KMS",
    "A request whose signature does not fit is refused",
    "AWS General Reference, Signature Version 4",
    "Signatures are not verified: who knows an access key id is who it belongs to.",
)
def signature(w: World) -> bool:
    if w.aws is None:
        return False
    import boto3

    known = w.aws.identity.learner(w.aws.account_id)
    forged = boto3.Session(known.access_key, "not the secret", region_name="us-east-1")
    return bool(code(forged.client("kms").list_keys))


@behaviour(
    "Around KMS",
    "ReplicateKey is on the trail of the primary's Region, and CreateKey on that of the replica's",
    f"{GUIDE}, Multi-Region keys, auditing",
)
def replicated_on_both_trails(w: World) -> bool:
    key = w.key(MultiRegion=True)
    w.kms().replicate_key(KeyId=key, ReplicaRegion="eu-west-1")
    if w.aws is None:
        return False  # bare moto records nothing
    found = [(e["awsRegion"], e["eventName"]) for e in w.aws.trail.events(service="kms")]
    return found[-2:] == [("us-east-1", "ReplicateKey"), ("eu-west-1", "CreateKey")]


@behaviour(
    "Around KMS",
    "A Region in trouble may not answer at all, or some services and not others",
    "AWS Fault Isolation Boundaries (whitepaper)",
    "`aws.regions.off(...)` lets a whole Region answer 503 ServiceUnavailable, at once and without "
    "a trace on its trail. IAM and Organizations go on; what replicates to it is there when it is "
    "back.",
    tried=False,
)
def region_failure(w: World) -> bool:
    return False


@behaviour(
    "Around KMS",
    "What a refused request costs",
    "AWS KMS pricing (does not say)",
    "Every request is on the bill, refused or not: AWS's price page does not tell them apart.",
    tried=False,
)
def failed_on_bill(w: World) -> bool:
    return False
