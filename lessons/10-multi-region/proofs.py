"""What the questions of this lesson claim, played on the simulator."""

import json
import logging
import os

import aws_encryption_sdk
import boto3
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    CreateAwsKmsKeyringInput,
    CreateAwsKmsMrkKeyringInput,
)
from botocore.config import Config
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from dynamodb_encryption_sdk.encrypted.table import EncryptedTable
from dynamodb_encryption_sdk.identifiers import CryptoAction
from dynamodb_encryption_sdk.material_providers.aws_kms import AwsKmsCryptographicMaterialsProvider
from dynamodb_encryption_sdk.structures import AttributeActions

from kmscourse.exam.proofs import Outcome, proof, tried

HOME, AWAY, THIRD = "us-east-1", "eu-west-1", "ap-southeast-2"
LETTER = b"Patient 4711: asthma."
ONCE = Config(retries={"total_max_attempts": 1})

logging.getLogger("dynamodb_encryption_sdk").addHandler(logging.NullHandler())
logging.getLogger("aws_encryption_sdk").addHandler(logging.NullHandler())


def client(service, region, session=boto3):
    return session.client(service, region_name=region, config=ONCE)


def new_pair(policy=None, policy_away=None):
    """A multi-Region key in both Regions: the ARNs."""
    kms = client("kms", HOME)
    own = {"Policy": policy} if policy else {}
    arn = kms.create_key(MultiRegion=True, **own)["KeyMetadata"]["Arn"]
    there = policy_away or policy
    kms.replicate_key(KeyId=arn, ReplicaRegion=AWAY, **({"Policy": there} if there else {}))
    return arn, arn.replace(HOME, AWAY)


def only(aws, *users):
    """A key policy: the account manages, and the users named use the key."""
    for user in users:
        aws.session(user)
    account = f"arn:aws:iam::{aws.account_id}"
    use = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": f"{account}:root"}, "NotAction": use},
        {
            "Effect": "Allow",
            "Principal": {"AWS": [f"{account}:user/{user}" for user in users]},
            "Action": use,
        },
    ]
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{**each, "Resource": "*"} for each in statements]}
    )


def allow(aws, user, *actions):
    aws.session(user)
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    boto3.client("iam").put_user_policy(
        UserName=user,
        PolicyName="works",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )


@proof("regions-failover")
def failover(aws, case):
    """A record is sealed in us-east-1, us-east-1 fails, and eu-west-1 is asked to open it."""
    kms, away = client("kms", HOME), client("kms", AWAY)
    aws.session("other")
    if case == "replica":
        key, _ = new_pair()
    else:
        key = kms.create_key()["KeyMetadata"]["Arn"]
    if case == "alias":
        kms.create_alias(AliasName="alias/records", TargetKeyId=key)
        other = away.create_key()["KeyMetadata"]["Arn"]
        away.create_alias(AliasName="alias/records", TargetKeyId=other)
    elif case == "grant":
        who = f"arn:aws:iam::{aws.account_id}:user/other"
        kms.create_grant(KeyId=key, GranteePrincipal=who, Operations=["Decrypt"])
        away = client("kms", AWAY, aws.session("other"))
    elif case == "rotation":
        kms.enable_key_rotation(KeyId=key)
        aws.clock.advance(days=366)
    sealed = kms.encrypt(KeyId=key, Plaintext=LETTER)["CiphertextBlob"]
    aws.regions.off(HOME)
    opened = tried(away.decrypt, CiphertextBlob=sealed)
    return Outcome(
        holds=opened.ok, seen=f"eu-west-1 {'opened it' if opened.ok else 'gave ' + opened.code}."
    )


@proof("regions-what-is-shared")
def what_is_shared(aws, case):
    """Each of two related keys is looked at, after administrators worked on the primary."""
    kms, away = client("kms", HOME), client("kms", AWAY)
    arn, replica = new_pair()
    kms.create_alias(AliasName="alias/records", TargetKeyId=arn)
    kms.put_key_policy(KeyId=arn, Policy=only(aws, "clinic"))
    kms.enable_key_rotation(KeyId=arn, RotationPeriodInDays=200)
    aws.clock.advance(days=250)

    def of(where, key):
        status = where.get_key_rotation_status(KeyId=key)
        about = where.describe_key(KeyId=key)["KeyMetadata"]
        return {
            "id": about["KeyId"],
            "material": about["CurrentKeyMaterialId"],
            "rotation": (status["RotationPeriodInDays"], status["NextRotationDate"]),
            "policy": json.loads(where.get_key_policy(KeyId=key)["Policy"]),
            "aliases": [each["AliasName"] for each in where.list_aliases(KeyId=key)["Aliases"]],
        }[case]

    same = of(kms, arn) == of(away, replica)
    return Outcome(holds=same, seen=f"In the two Regions it is {'the same' if same else 'not'}.")


def import_material(kms, key, material):
    given = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    public_key = serialization.load_der_public_key(given["PublicKey"])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    kms.import_key_material(
        KeyId=key,
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=public_key.encrypt(material, oaep),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )


@proof("regions-interchangeable")
def interchangeable(aws, case):
    """The first key of a pair encrypts in its Region, the second is to decrypt in its own."""
    kms, away = client("kms", HOME), client("kms", AWAY)
    if case == "related":
        first, second = new_pair()
    elif case == "two-primaries":
        first, second = (
            each.create_key(MultiRegion=True)["KeyMetadata"]["Arn"] for each in (kms, away)
        )
        for where, key in ((kms, first), (away, second)):
            where.create_alias(AliasName="alias/same", TargetKeyId=key)
    elif case == "same-import":
        material = os.urandom(32)
        first, second = (
            each.create_key(Origin="EXTERNAL")["KeyMetadata"]["Arn"] for each in (kms, away)
        )
        import_material(kms, first, material)
        import_material(away, second, material)
    else:
        policy = only(aws, "learner")
        first, second = (
            each.create_key(Policy=policy)["KeyMetadata"]["Arn"] for each in (kms, away)
        )
    sealed = kms.encrypt(KeyId=first, Plaintext=LETTER)["CiphertextBlob"]
    opened = tried(away.decrypt, CiphertextBlob=sealed, KeyId=second)
    return Outcome(
        holds=opened.ok,
        seen=f"The second key {'opened it' if opened.ok else 'gave ' + opened.code}.",
    )


@proof("regions-where-recorded")
def where_recorded(aws, case):
    """A replica decrypts, and the trails of both Regions are read."""
    arn, _ = new_pair()
    sealed = client("kms", HOME).encrypt(KeyId=arn, Plaintext=LETTER)["CiphertextBlob"]
    client("kms", AWAY).decrypt(CiphertextBlob=sealed)
    found = {event["awsRegion"] for event in aws.trail.events("Decrypt")}
    expected = {"replica": {AWAY}, "primary": {HOME}, "both": {HOME, AWAY}, "encrypted": {HOME}}
    return Outcome(
        holds=found == expected[case], seen=f"Decrypt was recorded in {', '.join(sorted(found))}."
    )


@proof("regions-stop-all-use")
def stop_all_use(aws, case):
    """The primary is disabled, something more is done, and the replica is asked to decrypt."""
    kms, away = client("kms", HOME), client("kms", AWAY)
    arn, replica = new_pair()
    sealed = kms.encrypt(KeyId=arn, Plaintext=LETTER)["CiphertextBlob"]
    kms.disable_key(KeyId=arn)
    code = ""
    if case == "disable-replica":
        code = tried(away.disable_key, KeyId=replica).code
    elif case == "wait":
        aws.clock.advance(days=2)
    elif case == "rotate":
        code = tried(kms.rotate_key_on_demand, KeyId=arn).code
    else:
        code = tried(kms.update_primary_region, KeyId=arn, PrimaryRegion=AWAY).code
    opened = tried(away.decrypt, CiphertextBlob=sealed)
    return Outcome(
        holds=not opened.ok,
        seen=f"The replica {'opened it' if opened.ok else 'gave ' + opened.code}. {code}".strip(),
    )


@proof("regions-replica-policy")
def replica_policy(aws, case):
    """A replica was made without a policy; an administrator with IAM alone decrypts there."""
    kms, away = client("kms", HOME), client("kms", AWAY)
    strict = only(aws, "clinic")
    allow(aws, "administrator", "kms:Decrypt")
    arn = kms.create_key(MultiRegion=True, Policy=strict)["KeyMetadata"]["Arn"]
    kms.replicate_key(KeyId=arn, ReplicaRegion=AWAY)
    clinic = client("kms", HOME, aws.session("clinic"))
    sealed = clinic.encrypt(KeyId=arn, Plaintext=LETTER)["CiphertextBlob"]
    if case == "policy":
        away.put_key_policy(KeyId=arn.replace(HOME, AWAY), Policy=strict)
    elif case == "move":
        kms.update_primary_region(KeyId=arn, PrimaryRegion=AWAY)
    elif case == "deny":
        written = json.loads(strict)
        who = f"arn:aws:iam::{aws.account_id}:user/administrator"
        written["Statement"].append(
            {"Effect": "Deny", "Principal": {"AWS": who}, "Action": "kms:Decrypt", "Resource": "*"}
        )
        kms.put_key_policy(KeyId=arn, Policy=json.dumps(written))
    else:
        kms.rotate_key_on_demand(KeyId=arn)
    opened = tried(client("kms", AWAY, aws.session("administrator")).decrypt, CiphertextBlob=sealed)
    return Outcome(
        holds=not opened.ok,
        seen=f"The administrator {'read it' if opened.ok else 'got ' + opened.code}.",
    )


@proof("regions-primary-down")
def primary_down(aws, case):
    """The primary's Region fails; the replica is used, and what is said to be needed is tried."""
    arn, replica = new_pair()
    kms, away = client("kms", HOME), client("kms", AWAY)
    sealed = kms.encrypt(KeyId=arn, Plaintext=LETTER)["CiphertextBlob"]
    aws.regions.off(HOME)
    opened = tried(away.decrypt, CiphertextBlob=sealed)
    made = tried(away.encrypt, KeyId=replica, Plaintext=LETTER)
    goes_on = opened.ok and made.ok
    steps = {
        "update-primary": lambda: kms.update_primary_region(KeyId=arn, PrimaryRegion=AWAY),
        "replicate": lambda: away.replicate_key(KeyId=replica, ReplicaRegion=THIRD),
        "new-key": away.create_key,
    }
    step = tried(steps[case]) if case in steps else None
    needed = not goes_on and step is not None and step.ok
    said = f" The step gave {step.code or 'an answer'}." if step else ""
    return Outcome(
        holds=goes_on if case == "nothing" else needed,
        seen=f"Without any step the replica encrypts and decrypts: {goes_on}.{said}",
    )


@proof("regions-third-region")
def third_region(aws, case):
    """A ciphertext of us-east-1 is to be opened by AWS KMS in ap-southeast-2."""
    arn, replica = new_pair()
    kms, away, third = (client("kms", region) for region in (HOME, AWAY, THIRD))
    sealed = kms.encrypt(KeyId=arn, Plaintext=LETTER)["CiphertextBlob"]
    step = {
        "from-primary": lambda: kms.replicate_key(KeyId=arn, ReplicaRegion=THIRD),
        "from-replica": lambda: away.replicate_key(KeyId=replica, ReplicaRegion=THIRD),
        "update-primary": lambda: kms.update_primary_region(KeyId=arn, PrimaryRegion=THIRD),
        "create": lambda: third.create_key(MultiRegion=True),
    }[case]
    went = tried(step)
    opened = tried(third.decrypt, CiphertextBlob=sealed)
    return Outcome(
        holds=opened.ok,
        seen=f"The call gave {went.code or 'an answer'}; ap-southeast-2 opens it: {opened.ok}.",
    )


@proof("regions-convert")
def convert(aws, case):
    """A record of a single-Region key is to be opened by AWS KMS of another Region."""
    kms, away = client("kms", HOME), client("kms", AWAY)
    old = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/records", TargetKeyId=old)
    record = kms.encrypt(KeyId="alias/records", Plaintext=LETTER)["CiphertextBlob"]
    code = ""
    if case == "re-encrypt":
        new, _ = new_pair()
        record = kms.re_encrypt(CiphertextBlob=record, DestinationKeyId=new)["CiphertextBlob"]
    elif case == "replicate":
        code = tried(kms.replicate_key, KeyId=old, ReplicaRegion=AWAY).code
    elif case == "alias":
        new, _ = new_pair()
        kms.update_alias(AliasName="alias/records", TargetKeyId=new)
    else:
        kms.rotate_key_on_demand(KeyId=old)
        code = tried(kms.replicate_key, KeyId=old, ReplicaRegion=AWAY).code
    opened = tried(away.decrypt, CiphertextBlob=record)
    return Outcome(
        holds=opened.ok,
        seen=f"eu-west-1 {'opened it' if opened.ok else 'gave ' + opened.code}. {code}".strip(),
    )


def global_table(key=None):
    """The global table `patients`; encrypted under a customer managed key where one is given."""
    dynamodb = client("dynamodb", HOME)
    sse = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key[0]} if key else None
    dynamodb.create_table(
        TableName="patients",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        **({"SSESpecification": sse} if sse else {}),
    )
    replica = {"RegionName": AWAY, **({"KMSMasterKeyId": key[1]} if key else {})}
    dynamodb.update_table(TableName="patients", ReplicaUpdates=[{"Create": replica}])


def sealing_table(session, arn):
    """The table of a session's Region, with every attribute but `city` encrypted."""
    return EncryptedTable(
        table=session.resource("dynamodb").Table("patients"),
        materials_provider=AwsKmsCryptographicMaterialsProvider(
            key_id=arn, botocore_session=session._session
        ),
        attribute_actions=AttributeActions(
            default_action=CryptoAction.ENCRYPT_AND_SIGN,
            attribute_actions={"city": CryptoAction.DO_NOTHING},
        ),
    )


ITEM = {"id": "4711", "city": "Boston", "diagnosis": "asthma"}


@proof("regions-table-field")
def table_field(aws, case):
    """An administrator of the table reads in eu-west-1; so does the application."""
    arn, replica = new_pair(only(aws, "clinic"))
    allow(aws, "clinic", "dynamodb:*", "kms:Decrypt", "kms:CreateGrant")
    allow(aws, "administrator", "dynamodb:*", "kms:Decrypt")
    own = None
    if case == "table-key":
        own = tuple(client("kms", each).create_key()["KeyMetadata"]["Arn"] for each in (HOME, AWAY))
    global_table(own)
    sealing = case == "client"
    home, away = (aws.session("clinic", region=each) for each in (HOME, AWAY))
    if sealing:
        sealing_table(home, arn).put_item(Item=ITEM)
    else:
        home.resource("dynamodb").Table("patients").put_item(Item=ITEM)
    administrator = aws.session("administrator", region=AWAY).resource("dynamodb")
    raw = administrator.Table("patients").get_item(Key={"id": "4711"})["Item"]
    table = sealing_table(away, replica) if sealing else away.resource("dynamodb").Table("patients")
    read = table.get_item(Key={"id": "4711"})["Item"]["diagnosis"]
    hidden = raw["diagnosis"] != "asthma"
    encrypted_on_the_way = all(
        event["tlsDetails"]["tlsVersion"] for event in aws.trail.events(service="dynamodb")
    )
    return Outcome(
        holds=hidden and raw["city"] == "Boston" and read == "asthma",
        seen=f"Hidden from the administrator: {hidden}; read by the application: "
        f"{read == 'asthma'}; over TLS: {encrypted_on_the_way}.",
    )


@proof("regions-table-replica")
def table_replica(aws, case):
    """A sealed item is written in us-east-1, and both tables are read without the client."""
    arn, _ = new_pair()
    global_table()
    sealing_table(aws.session("learner", region=HOME), arn).put_item(Item=ITEM)
    here, there = (
        client("dynamodb", each)
        .get_item(TableName="patients", Key={"id": {"S": "4711"}})
        .get("Item", {})
        .get("diagnosis", {})
        for each in (HOME, AWAY)
    )
    sealed = bytes(there.get("B", b""))
    holds = {
        "same": bool(sealed) and here == there,
        "plaintext": b"asthma" in sealed or there.get("S") == "asthma",
        "other": bool(sealed) and here != there,
        "missing": not there,
    }[case]
    return Outcome(
        holds=holds,
        seen=f"The replica has {len(sealed)} bytes, the same as the first table: {here == there}.",
    )


@proof("regions-slow-client")
def slow_client(aws, case):
    """A client in eu-west-1 that was given the primary's ARN reads a sealed attribute."""
    arn, replica = new_pair()
    global_table()
    sealing_table(aws.session("learner", region=HOME), arn).put_item(Item=ITEM)
    away = aws.session("learner", region=AWAY)
    named = arn
    if case == "replica-arn":
        named = replica
    elif case == "update-primary":
        client("kms", HOME).update_primary_region(KeyId=arn, PrimaryRegion=AWAY)
    elif case == "write-again":
        sealing_table(away, arn).put_item(Item=ITEM)
    else:
        client("kms", AWAY).create_alias(AliasName="alias/patients", TargetKeyId=replica)
    before = len(aws.trail)
    sealing_table(away, named).get_item(Key={"id": "4711"})
    asked = {event["awsRegion"] for event in aws.trail.events("Decrypt", after=before)}
    return Outcome(holds=asked == {AWAY}, seen=f"Decrypt went to {', '.join(sorted(asked))}.")


@proof("regions-who-reads-field")
def who_reads_field(aws, case):
    """Someone who may read the table opens a sealed attribute in eu-west-1."""
    home_users = ["clinic"] + (["reader"] if case == "primary-policy" else [])
    away_users = ["clinic"] + (["reader"] if case == "replica-policy" else [])
    arn, replica = new_pair(only(aws, *home_users), only(aws, *away_users))
    allow(aws, "clinic", "dynamodb:*")
    reading = ["dynamodb:GetItem", "dynamodb:DescribeTable"]
    more = {"iam": ["kms:Decrypt"], "table-only": ["dynamodb:*"]}.get(case, [])
    allow(aws, "reader", *reading, *more)
    if case == "replica-grant":
        who = f"arn:aws:iam::{aws.account_id}:user/reader"
        client("kms", AWAY).create_grant(
            KeyId=replica, GranteePrincipal=who, Operations=["Decrypt"]
        )
    global_table()
    sealing_table(aws.session("clinic", region=HOME), arn).put_item(Item=ITEM)
    table = sealing_table(aws.session("reader", region=AWAY), replica)
    read = tried(table.get_item, Key={"id": "4711"})
    return Outcome(
        holds=read.ok and read.answer["Item"]["diagnosis"] == "asthma",
        seen=f"The attribute was {'read' if read.ok else 'not read: ' + read.code}.",
    )


SDK = aws_encryption_sdk.EncryptionSDKClient()
PROVIDERS = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


def mrk_keyring(session, arn):
    kms = client("kms", arn.split(":")[3], session)
    return PROVIDERS.create_aws_kms_mrk_keyring(
        CreateAwsKmsMrkKeyringInput(kms_key_id=arn, kms_client=kms)
    )


def plain_keyring(session, arn):
    kms = client("kms", arn.split(":")[3], session)
    return PROVIDERS.create_aws_kms_keyring(
        CreateAwsKmsKeyringInput(kms_key_id=arn, kms_client=kms)
    )


def global_database(keys=(None, None)):
    """An Aurora global database with the clusters `home` and `away`."""
    one_of = {"GlobalClusterIdentifier": "people", "Engine": "aurora-postgresql"}
    home, away = client("rds", HOME), client("rds", AWAY)
    home.create_global_cluster(**one_of, StorageEncrypted=True)
    home.create_db_cluster(
        **one_of,
        DBClusterIdentifier="home",
        MasterUsername="dba",
        MasterUserPassword="not-a-secret-1",
        **({"KmsKeyId": keys[0]} if keys[0] else {}),
    )
    away.create_db_cluster(
        **one_of, DBClusterIdentifier="away", KmsKeyId=keys[1] or "alias/aws/rds"
    )


def inserted(aws, value):
    """A row of the table `people`, committed on the primary cluster."""
    session = aws.database("home", region=HOME)
    session.execute("create table people (id text, number blob)")
    session.execute("insert into people values ('4711', ?)", (value,))
    session.commit()


def column(aws, cluster, region):
    """What a session on a cluster sees."""
    session = aws.database(cluster, region=region)
    found = session.execute("select number from people").fetchone()
    return found[0] if found else None


@proof("regions-aurora-column")
def aurora_column(aws, case):
    """A session reads the column in both Regions, and the application in the other one."""
    application = aws.session("application")
    if case == "sdk-single":
        policy = only(aws, "application")
        arn = client("kms", HOME).create_key(Policy=policy)["KeyMetadata"]["Arn"]
        replica = arn
    else:
        arn, replica = new_pair(only(aws, "application"))
    storage = {"storage": new_pair}.get(case, lambda: (None, None))()
    if case == "storage-each":
        storage = tuple(
            client("kms", each).create_key()["KeyMetadata"]["Arn"] for each in (HOME, AWAY)
        )
    global_database(storage)
    value = LETTER
    if case.startswith("sdk"):
        value, _ = SDK.encrypt(source=LETTER, keyring=mrk_keyring(application, arn))
    inserted(aws, value)
    seen = [column(aws, *where) for where in (("home", HOME), ("away", AWAY))]
    hidden = not any(LETTER in each for each in seen)
    aws.regions.off(HOME)  # the other Region has to open it by itself
    if case.startswith("sdk"):
        read = tried(SDK.decrypt, source=seen[1], keyring=mrk_keyring(application, replica))
    else:
        read = tried(column, aws, "away", AWAY)
    return Outcome(
        holds=hidden and read.ok,
        seen=f"Hidden from sessions: {hidden}; read by the application in eu-west-1: {read.ok}.",
    )


@proof("regions-aurora-copy")
def aurora_copy(aws, case):
    """A sealed value is inserted on the primary cluster, and the secondary is read."""
    arn, _ = new_pair()
    global_database()
    sealed, _ = SDK.encrypt(source=LETTER, keyring=mrk_keyring(boto3, arn))
    inserted(aws, sealed)
    found = column(aws, "away", AWAY)
    holds = {
        "same": found == sealed,
        "other": found is not None and found != sealed and LETTER not in found,
        "plaintext": found is not None and LETTER in found,
        "missing": found is None,
    }[case]
    return Outcome(
        holds=holds,
        seen=f"The secondary has the same {len(found or b'')} bytes: {found == sealed}.",
    )


@proof("regions-aurora-keyring")
def aurora_keyring(aws, case):
    """A message sealed in us-east-1 is opened in eu-west-1 with one of four keyrings."""
    arn, replica = new_pair()
    message, _ = SDK.encrypt(source=LETTER, keyring=mrk_keyring(boto3, arn))
    kind, named = case.split("-")
    make = mrk_keyring if kind == "mrk" else plain_keyring
    keyring = make(boto3, replica if named == "replica" else arn)
    before = len(aws.trail)
    opened = tried(SDK.decrypt, source=message, keyring=keyring)
    went = {event["awsRegion"] for event in aws.trail.events(service="kms", after=before)}
    return Outcome(
        holds=opened.ok and went == {AWAY},
        seen=f"It opened: {opened.ok}; AWS KMS was called in {', '.join(sorted(went)) or 'none'}.",
    )


@proof("regions-database-admin")
def database_admin(aws, case):
    """The database administrator tries to read a sealed column, with something more in hand."""
    policy = only(aws, "application")
    arn, replica = new_pair(policy)
    allow(aws, "dba", "rds:*", *(["kms:Decrypt"] if case == "iam" else []))
    storage = new_pair(only(aws, "dba", "learner")) if case == "storage-key" else (None, None)
    global_database(storage)
    sealed, _ = SDK.encrypt(source=LETTER, keyring=mrk_keyring(aws.session("application"), arn))
    inserted(aws, sealed)
    found = column(aws, "away", AWAY)
    if case == "key-policy":
        client("kms", AWAY).put_key_policy(KeyId=replica, Policy=only(aws, "application", "dba"))
    session = aws.session("dba", region=AWAY)
    opened = tried(SDK.decrypt, source=found, keyring=mrk_keyring(session, replica))
    read = LETTER in found or opened.ok
    return Outcome(holds=read, seen=f"The administrator reads the column: {read}.")
