"""The tasks of lab 10: what each asks, how it is checked, and what helps."""

import json
import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from kmscourse.lab import Wrong, task
from kmscourse.lab.tasks import CLI_SECONDS

HOME, AWAY, THIRD = "eu-central-1", "ap-southeast-2", "ca-central-1"
CONTEXT, ANOTHER = {"patient": "4711"}, {"patient": "4712"}


def _client(service, region):
    return boto3.client(
        service, region_name=region, config=Config(retries={"total_max_attempts": 1})
    )


def _pair():
    """A multi-Region key with a replica: the ARNs of both."""
    kms = _client("kms", HOME)
    arn = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    kms.replicate_key(KeyId=arn, ReplicaRegion=AWAY)
    return arn, arn.replace(HOME, AWAY)


def _went(aws, before):
    """Which Regions were called since the trail had so many events."""
    return {event["awsRegion"] for event in aws.trail.events(after=before)}


def _opens(kms, blob):
    """Whether the administrator opens a blob without any context."""
    try:
        kms.decrypt(CiphertextBlob=blob)
    except ClientError:
        return False
    return True


def _takes_its_context(work, function, *asked):
    """Whether a function that is known to work does so with another context, too."""
    refused = work.refuses(function, *asked)
    work.expect(
        refused is None,
        "The ciphertext of another patient does not open: use the context that is passed.",
    )


def _kms_calls(aws, before):
    return [
        (event["awsRegion"], event["eventName"])
        for event in aws.trail.events(service="kms", after=before)
    ]


_REPLICATE = """def replicate(kms, key_arn, region):
    policy = kms.get_key_policy(KeyId=key_arn, PolicyName="default")["Policy"]
    made = kms.replicate_key(KeyId=key_arn, ReplicaRegion=region, Policy=policy)
    return made["ReplicaKeyMetadata"]["Arn"]"""


@task(
    "replicate",
    minutes=5,
    asks="`replicate(kms, key_arn, region)`: the ARN of the replica",
    hints=[
        "Which key policy does a replica get if the call does not name one?",
        "Read the policy of the primary with get_key_policy, and pass its text to replicate_key.",
        "kms.replicate_key(KeyId=key_arn, ReplicaRegion=region, Policy=kms.get_key_policy(KeyId=key_arn, "
        'PolicyName="default")["Policy"])["ReplicaKeyMetadata"]["Arn"]',
    ],
    why="Key policies are never copied. A replica without one of its own gets the default policy, and "
    "whoever has kms:Decrypt by IAM reads there what they cannot read at home.",
    practises=["10.primary-and-replicas", "10.managed-independently"],
    seconds=CLI_SECONDS,
    wrong=[
        Wrong(
            _REPLICATE.replace(", Policy=policy", ""),
            says="The replica has the default key policy",
        ),
        Wrong(
            _REPLICATE.replace('made["ReplicaKeyMetadata"]["Arn"]', "key_arn"),
            says="This is the ARN of the primary key",
        ),
        Wrong(
            _REPLICATE.replace('["Arn"]', '["KeyId"]'),
            says="Return the ARN",
        ),
        Wrong(
            "def replicate(kms, key_arn, region):\n    policy = kms.get_key_policy(KeyId=key_arn)['Policy']\n"
            "    there = client('kms', region)\n    return there.create_key(Policy=policy, MultiRegion=True)"
            "['KeyMetadata']['Arn']",
            says="This key is not related to the primary key",
        ),
        Wrong(
            _REPLICATE + "\n\n_first = replicate\n\ndef replicate(kms, key_arn, region):\n"
            "    arn = _first(kms, key_arn, region)\n"
            "    kms.update_primary_region(KeyId=key_arn, PrimaryRegion=region)\n    return arn",
            says="The primary key moved",
        ),
        Wrong(
            "def replicate(kms, key_arn, region):\n    return key_arn.replace(HOME, region)",
            says="there is no such key",
        ),
        Wrong(
            _REPLICATE.replace("ReplicaRegion=region", "ReplicaRegion=AWAY"),
            says="The replica is not in ca-central-1",
        ),
    ],
    also_right=[
        """def replicate(kms, key_arn, region):
    kms.replicate_key(KeyId=key_arn, ReplicaRegion=region)
    there = client("kms", region)
    arn = ":".join([*key_arn.split(":")[:3], region, *key_arn.split(":")[4:]])
    there.put_key_policy(KeyId=arn, PolicyName="default", Policy=kms.get_key_policy(KeyId=key_arn)["Policy"])
    return arn"""
    ],
)
def replicate(work):
    for region in (AWAY, THIRD):
        _replica_is_right(work, region)


def _replica_is_right(work, region):
    kms, there, aws = _client("kms", HOME), _client("kms", region), work.value("aws")
    root = f"arn:aws:iam::{aws.account_id}:root"
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": root},
        "NotAction": "kms:Decrypt",
        "Resource": "*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    arn = kms.create_key(MultiRegion=True, Policy=policy)["KeyMetadata"]["Arn"]
    found = work.call(work.function("replicate"), kms, arn, region)
    work.expect(isinstance(found, str), "Return the ARN of the replica, as text.")
    work.expect(
        found.startswith("arn:"),
        "Return the ARN: a key id does not say the Region, and related keys share it.",
    )
    work.expect(found != arn, "This is the ARN of the primary key; the replica has one of its own.")
    work.expect(
        found.split(":")[-1] == arn.split(":")[-1],
        "This key is not related to the primary key: related keys share their key id.",
    )
    work.expect(
        f":{region}:" in found, f"The replica is not in {region}: use the Region that is passed."
    )
    with work.or_say(f"In {region} there is no such key: has it been replicated?"):
        copied = json.loads(there.get_key_policy(KeyId=found)["Policy"])
    about = kms.describe_key(KeyId=arn)["KeyMetadata"]["MultiRegionConfiguration"]
    work.expect(
        about["MultiRegionKeyType"] == "PRIMARY",
        "The primary key moved to the other Region. A replica was asked for.",
    )
    blob = kms.encrypt(KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    work.expect(
        not _opens(there, blob),
        "The replica has the default key policy: an administrator decrypts there what the primary "
        "refuses at home.",
    )
    work.expect(copied == json.loads(policy), "The key policy of the replica is not the primary's.")


_RELATED = """def are_related(one, other):
    a, b = one.split(":"), other.split(":")
    return a[:3] == b[:3] and a[4:] == b[4:] and a[3] != b[3] and a[5].startswith("key/mrk-")"""


@task(
    "related",
    minutes=3,
    asks="`are_related(one, other)`: True or False",
    hints=[
        "Which part of the ARN differs between related keys, and which parts cannot?",
        "arn:aws:kms:REGION:ACCOUNT:key/mrk-...: the Region differs, account and key id are equal, and the "
        "key id says that it is a multi-Region key.",
        'a, b = one.split(":"), other.split(":"); compare a[4:] with b[4:], a[3] with b[3], and ask '
        'whether a[5] starts with "key/mrk-"',
    ],
    why="Related keys have one key id and one key material. The ARN says it, so a program can find the "
    "key of its own Region by putting the Region in.",
    practises=["10.identical", "10.same-id-material-rotation"],
    wrong=[
        Wrong(
            "def are_related(one, other):\n    return one == other",
            says="Two keys of one set were not recognized",
        ),
        Wrong(
            'def are_related(one, other):\n    return "mrk-" in one and "mrk-" in other',
            says="Two multi-Region keys with different key ids were taken for related",
        ),
        Wrong(
            _RELATED.replace(' and a[5].startswith("key/mrk-")', ""),
            says="A single-Region key has no related keys",
        ),
        Wrong(
            _RELATED.replace("a[4:] == b[4:]", "a[5] == b[5]"),
            says="Keys of two accounts were taken for related",
        ),
        Wrong(
            _RELATED.replace(" and a[3] != b[3]", ""),
            says="A key was taken for related to itself",
        ),
    ],
    also_right=[
        """def are_related(one, other):
    start, region, rest = one[:12], one.split(":")[3], one.split(":", 4)[4]
    there = other.split(":")[3]
    return region != there and rest.split(":")[1][:8] == "key/mrk-" and other == f"{start}{there}:{rest}\""""
    ],
)
def related(work):
    arn, replica = _pair()
    other, _ = _pair()
    single = _client("kms", HOME).create_key()["KeyMetadata"]["Arn"]
    account = arn.split(":")[4]
    cases = (
        (arn, replica, True, "Two keys of one set were not recognized."),
        (replica, arn, True, "Two keys of one set were not recognized, the replica named first."),
        (
            arn,
            other.replace(HOME, AWAY),
            False,
            "Two multi-Region keys with different key ids were taken for related.",
        ),
        (
            arn,
            replica.replace(account, "210987654321"),
            False,
            "Keys of two accounts were taken for related.",
        ),
        (
            single,
            single.replace(HOME, AWAY),
            False,
            "A single-Region key has no related keys: look at how the key id begins.",
        ),
        (arn, arn, False, "A key was taken for related to itself: the Regions have to differ."),
    )
    are_related = work.function("are_related")
    for one, two, expected, words in cases:
        found = work.call(are_related, one, two)
        work.expect(isinstance(found, bool), "Return True or False.")
        work.expect(found == expected, words)


@task(
    "nearby",
    minutes=3,
    asks="`open_nearby(region, ciphertext, context)`: the plaintext, as bytes",
    hints=[
        "Which Region does a client of boto3 talk to?",
        'client("kms", region) is a client of that Region. The ciphertext says which key it needs, and the '
        "replica has the same key id.",
        'client("kms", region).decrypt(CiphertextBlob=ciphertext, EncryptionContext=context)["Plaintext"]',
    ],
    why="Nothing was encrypted again and nothing crossed the sea: the call was as short as any other, and "
    "it works while the other Region is down.",
    practises=["10.encrypt-here-decrypt-there", "10.no-cross-region-call"],
    seconds=CLI_SECONDS,
    wrong=[
        Wrong(
            'def open_nearby(region, ciphertext, context):\n    return client("kms", HOME).decrypt('
            'CiphertextBlob=ciphertext, EncryptionContext=context)["Plaintext"]',
            says="The call went to eu-central-1",
        ),
        Wrong(
            'def open_nearby(region, ciphertext, context):\n    return client("kms", AWAY).decrypt('
            'CiphertextBlob=ciphertext, EncryptionContext=context)["Plaintext"]',
            says="The call went to ap-southeast-2",
        ),
        Wrong(
            'def open_nearby(region, ciphertext, context):\n    return client("kms", region).decrypt('
            'CiphertextBlob=ciphertext)["Plaintext"]',
            says="InvalidCiphertextException",
        ),
        Wrong(
            'def open_nearby(region, ciphertext, context):\n    return client("kms", region).decrypt('
            "CiphertextBlob=ciphertext, EncryptionContext=context)",
            says="Return the plaintext, as bytes",
        ),
        Wrong(
            'def open_nearby(region, ciphertext, context):\n    home = client("kms", HOME)\n    key = home.'
            'create_key()["KeyMetadata"]["KeyId"]\n    return client("kms", region).decrypt('
            'CiphertextBlob=ciphertext, EncryptionContext=context)["Plaintext"]',
            says="Besides its own Region the program called eu-central-1",
        ),
        Wrong(
            'def open_nearby(region, ciphertext, context):\n    return client("kms", region).decrypt('
            'CiphertextBlob=ciphertext, EncryptionContext={"patient": "4711"})["Plaintext"]',
            says="The ciphertext of another patient does not open",
        ),
    ],
    also_right=[
        """def open_nearby(region, ciphertext, context):
    kms = boto3.session.Session(region_name=region).client("kms")
    opened = kms.decrypt(CiphertextBlob=ciphertext, EncryptionContext=dict(context))
    return opened["Plaintext"]"""
    ],
)
def nearby(work):
    aws, open_nearby = work.value("aws"), work.function("open_nearby")
    arn, _ = _pair()
    secret = os.urandom(12)
    blob = _client("kms", HOME).encrypt(KeyId=arn, Plaintext=secret, EncryptionContext=CONTEXT)
    for region in (AWAY, HOME):
        before = len(aws.trail)
        opened = work.call(open_nearby, region, blob["CiphertextBlob"], dict(CONTEXT))
        went = _went(aws, before)
        work.expect(isinstance(opened, bytes), "Return the plaintext, as bytes.")
        work.expect(opened == secret, "This is not the plaintext.")
        work.expect(
            region in went,
            f"The call went to {', '.join(sorted(went))}, and not to {region}, the program's own Region.",
        )
        work.expect(
            went == {region},
            f"Besides its own Region the program called {', '.join(sorted(went - {region}))}.",
        )
    blob = _client("kms", HOME).encrypt(KeyId=arn, Plaintext=secret, EncryptionContext=ANOTHER)
    _takes_its_context(work, open_nearby, AWAY, blob["CiphertextBlob"], dict(ANOTHER))


_MOVE = """def make_portable(kms, ciphertext, multi_region_key, context):
    return kms.re_encrypt(
        CiphertextBlob=ciphertext, SourceEncryptionContext=context,
        DestinationKeyId=multi_region_key, DestinationEncryptionContext=context)["CiphertextBlob"]"""


@task(
    "move",
    minutes=3,
    asks="`make_portable(kms, ciphertext, multi_region_key, context)`: a ciphertext, as bytes",
    hints=[
        "A single-Region key never becomes a multi-Region key. What can be changed instead?",
        "ReEncrypt decrypts with one key and encrypts with another, inside AWS KMS.",
        "kms.re_encrypt(CiphertextBlob=ciphertext, SourceEncryptionContext=context, DestinationKeyId="
        'multi_region_key, DestinationEncryptionContext=context)["CiphertextBlob"]',
    ],
    why="Multi-Region is decided when a key is made. What lies under other keys has to be moved once, and "
    "then travels freely.",
    practises="10.use-cases",
    seconds=CLI_SECONDS,
    wrong=[
        Wrong(
            "def make_portable(kms, ciphertext, multi_region_key, context):\n    return ciphertext",
            says="It is still under the single-Region key",
        ),
        Wrong(
            "def make_portable(kms, ciphertext, multi_region_key, context):\n    plain = kms.decrypt("
            'CiphertextBlob=ciphertext, EncryptionContext=context)["Plaintext"]\n    return kms.encrypt('
            "KeyId=multi_region_key, Plaintext=plain, EncryptionContext=context)"
            '["CiphertextBlob"]',
            says="The plaintext left AWS KMS on the way",
        ),
        Wrong(
            _MOVE.replace(", DestinationEncryptionContext=context", ""),
            says="It is no longer bound to the context",
        ),
        Wrong(
            "def make_portable(kms, ciphertext, multi_region_key, context):\n"
            "    single = kms.re_encrypt(CiphertextBlob=ciphertext, SourceEncryptionContext=context, "
            "DestinationKeyId=multi_region_key)['SourceKeyId']\n"
            "    kms.replicate_key(KeyId=single, ReplicaRegion=AWAY)\n    return ciphertext",
            says="UnsupportedOperationException",
        ),
        Wrong(
            _MOVE.replace("=context", '={"patient": "4711"}'),
            says="The ciphertext of another patient does not open",
        ),
    ],
    also_right=[
        """def make_portable(kms, ciphertext, multi_region_key, context):
    contexts = dict.fromkeys(("SourceEncryptionContext", "DestinationEncryptionContext"), context)
    answer = kms.re_encrypt(CiphertextBlob=ciphertext, DestinationKeyId=multi_region_key, **contexts)
    return answer["CiphertextBlob"]"""
    ],
)
def move(work):
    aws, kms, make_portable = (
        work.value("aws"),
        _client("kms", HOME),
        work.function("make_portable"),
    )
    single, (arn, _) = kms.create_key()["KeyMetadata"]["KeyId"], _pair()
    secret = os.urandom(12)
    blob = kms.encrypt(KeyId=single, Plaintext=secret, EncryptionContext=CONTEXT)["CiphertextBlob"]
    before = len(aws.trail)
    moved = work.call(make_portable, kms, blob, arn, dict(CONTEXT))
    calls = {name for _, name in _kms_calls(aws, before)}
    work.expect(isinstance(moved, bytes), "Return a ciphertext, as bytes.")
    work.expect(moved != blob, "It is still under the single-Region key.")
    work.expect(
        not calls & {"Decrypt", "Encrypt"},
        "The plaintext left AWS KMS on the way: the trail shows "
        f"{' and '.join(sorted(calls & {'Decrypt', 'Encrypt'}))}.",
    )
    away = _client("kms", AWAY)
    work.expect(
        not _opens(away, moved),
        "It is no longer bound to the context: give the destination one, too.",
    )
    with work.or_say("The replica does not open it."):
        opened = away.decrypt(CiphertextBlob=moved, EncryptionContext=CONTEXT)["Plaintext"]
    work.expect(opened == secret, "It opens, but to something else.")
    blob = kms.encrypt(KeyId=single, Plaintext=secret, EncryptionContext=ANOTHER)["CiphertextBlob"]
    _takes_its_context(work, make_portable, kms, blob, arn, dict(ANOTHER))


_TABLE = """def visits_table(session, key_arn):
    return EncryptedTable(
        table=session.resource("dynamodb").Table("visits"),
        materials_provider=AwsKmsCryptographicMaterialsProvider(
            key_id=key_arn, botocore_session=session._session),
        attribute_actions=AttributeActions(
            default_action=CryptoAction.ENCRYPT_AND_SIGN,
            attribute_actions={"ward": CryptoAction.SIGN_ONLY}))"""


def _global_table():
    """The table `visits` in both Regions."""
    home = _client("dynamodb", HOME)
    if "visits" not in home.list_tables()["TableNames"]:
        home.create_table(
            TableName="visits",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        home.update_table(TableName="visits", ReplicaUpdates=[{"Create": {"RegionName": AWAY}}])


def _method(table, name):
    """A method under its own name: those of an EncryptedTable have none that a message could say."""

    def run(**asked):
        return getattr(table, name)(**asked)

    run.__name__ = name
    return run


@task(
    "table",
    minutes=5,
    asks="`visits_table(session, key_arn)`: an EncryptedTable",
    hints=[
        "What are the three things that an EncryptedTable is made from?",
        "The boto3 table of the session, a materials provider that names the KMS key and uses the session, "
        "and attribute actions: a default_action, and another for ward.",
        "AttributeActions(default_action=CryptoAction.ENCRYPT_AND_SIGN, attribute_actions={'ward': "
        "CryptoAction.SIGN_ONLY}); AwsKmsCryptographicMaterialsProvider(key_id=key_arn, "
        "botocore_session=session._session)",
    ],
    why="The global table replicates ciphertext. Each Region opens the field with its own related key, and "
    "whoever may read the table but not use the key sees the ward and nothing else.",
    practises=[
        "10.dynamodb-attributes",
        "10.dynamodb-replicated",
        "10.dynamodb-local-call",
        "10.dynamodb-fields",
    ],
    seconds=20,
    wrong=[
        Wrong(
            'def visits_table(session, key_arn):\n    return session.resource("dynamodb").Table("visits")',
            says="The diagnosis can be read in the table",
        ),
        Wrong(
            _TABLE.replace('{"ward": CryptoAction.SIGN_ONLY}', "{}"),
            says="The porters cannot read the ward",
        ),
        Wrong(
            _TABLE.replace("CryptoAction.ENCRYPT_AND_SIGN", "CryptoAction.SIGN_ONLY"),
            says="The diagnosis is signed, and not encrypted",
        ),
        Wrong(
            _TABLE.replace("key_id=key_arn", f"key_id=key_arn.replace({AWAY!r}, {HOME!r})"),
            says="The field was opened by a call to eu-central-1",
        ),
        Wrong(
            _TABLE.replace(
                'session.resource("dynamodb")', 'boto3.resource("dynamodb", region_name=HOME)'
            ),
            says="The item was read from the table of another Region",
        ),
        Wrong(
            _TABLE.replace(", botocore_session=session._session", ""),
            says="AWS KMS was asked as another user",
        ),
        Wrong(
            _TABLE.replace("SIGN_ONLY", "?")
            .replace("ENCRYPT_AND_SIGN", "DO_NOTHING")
            .replace("?", "ENCRYPT_AND_SIGN"),
            says="The ward is sealed, and the diagnosis is not",
        ),
        Wrong(
            _TABLE.replace('"dynamodb"', '"dynamodb", region_name=AWAY'),
            says="At home the item was written to the table of ap-southeast-2",
        ),
    ],
    also_right=[
        """def visits_table(session, key_arn):
    provider = AwsKmsCryptographicMaterialsProvider(key_arn, session._session)
    actions = AttributeActions(attribute_actions={"ward": CryptoAction.DO_NOTHING})
    table = session.resource("dynamodb", region_name=session.region_name).Table("visits")
    return EncryptedTable(table, provider, attribute_actions=actions)"""
    ],
)
def table(work):
    aws = work.value("aws")
    _global_table()
    arn, replica = _pair()
    visits_table = work.function("visits_table")
    home, away = (aws.session("visits-app", region=region) for region in (HOME, AWAY))
    may = {"Effect": "Allow", "Action": ["dynamodb:*", "kms:*"], "Resource": "*"}
    boto3.client("iam").put_user_policy(
        UserName="visits-app",
        PolicyName="works",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": may}),
    )
    number, diagnosis = os.urandom(4).hex(), os.urandom(8).hex()
    item = {"id": number, "ward": "3B", "diagnosis": diagnosis}
    made = work.call(visits_table, home, arn)
    work.expect(hasattr(made, "put_item"), "Return a table with put_item and get_item.")
    before = len(aws.trail)
    work.call(_method(made, "put_item"), Item=dict(item))
    wrote = {event["awsRegion"] for event in aws.trail.events("PutItem", after=before)}
    raw = _client("dynamodb", AWAY).get_item(TableName="visits", Key={"id": {"S": number}})["Item"]
    work.expect(
        not work.holds(raw, diagnosis) or raw.get("ward") == {"S": "3B"},
        "The ward is sealed, and the diagnosis is not. It is asked for the other way round.",
    )
    signed = any(name.startswith("*amzn") for name in raw)
    work.expect(
        not (work.holds(raw, diagnosis) and signed),
        "The diagnosis is signed, and not encrypted: which action does both?",
    )
    work.expect(
        not work.holds(raw, diagnosis), "The diagnosis can be read in the table, in either Region."
    )
    work.expect(
        raw.get("ward") == {"S": "3B"}, "The porters cannot read the ward: it needs another action."
    )
    work.expect(
        wrote == {HOME},
        f"At home the item was written to the table of {', '.join(sorted(wrote))}: take the session "
        "that is passed, with its Region.",
    )
    there = work.call(visits_table, away, replica)
    before = len(aws.trail)
    opened = work.call(_method(there, "get_item"), Key={"id": number}).get("Item", {})
    work.expect(
        {name: opened.get(name) for name in item} == item,
        "In the other Region another item comes back.",
    )
    asked = {region for region, _ in _kms_calls(aws, before)}
    work.expect(
        asked == {AWAY},
        f"The field was opened by a call to {', '.join(sorted(asked)) or 'no KMS at all'}: use the key "
        "that is passed.",
    )
    work.expect(
        _went(aws, before) == {AWAY},
        "The item was read from the table of another Region: take the session that is passed.",
    )
    work.expect(
        aws.trail.events(service="kms", user="visits-app", after=before),
        "AWS KMS was asked as another user than the table: give the session to both.",
    )


_COLUMN = """def insert_visit(database, key_arn, visit, ward, note):
    sealed, _ = sdk.encrypt(
        source=note.encode(), keyring=keyring(key_arn), encryption_context={"visit": visit})
    database.execute("insert into visits values (?, ?, ?)", (visit, ward, sealed))
    database.commit()"""


def _global_database():
    """The Aurora global database in both Regions, with its table."""
    home, away = _client("rds", HOME), _client("rds", AWAY)
    one_of = {"GlobalClusterIdentifier": "clinic", "Engine": "aurora-postgresql"}
    if not home.describe_global_clusters()["GlobalClusters"]:
        home.create_global_cluster(**one_of, StorageEncrypted=True)
        home.create_db_cluster(
            **one_of,
            DBClusterIdentifier="clinic-home",
            MasterUsername="dba",
            MasterUserPassword="not-a-secret-1",
        )
        away.create_db_cluster(
            **one_of, DBClusterIdentifier="clinic-away", KmsKeyId="alias/aws/rds"
        )


@task(
    "column",
    minutes=5,
    asks="`insert_visit(database, key_arn, visit, ward, note)`: inserts a row and commits",
    hints=[
        "Who seals the note: the database, or your function before the row is inserted?",
        "sdk.encrypt with source=note.encode(), keyring=keyring(key_arn) and the context gives the bytes "
        "for the column.",
        'sealed, _ = sdk.encrypt(source=note.encode(), keyring=keyring(key_arn), encryption_context={"visit": '
        'visit}); database.execute("insert into visits values (?, ?, ?)", (visit, ward, sealed)); '
        "database.commit()",
    ],
    why="The storage of both clusters is encrypted, too, and that stops nobody with a session. What the "
    "client sealed does.",
    practises=[
        "10.aurora-columns",
        "10.aurora-replicated",
        "10.aurora-local-call",
        "10.not-even-admins",
    ],
    seconds=20,
    wrong=[
        Wrong(
            "def insert_visit(database, key_arn, visit, ward, note):\n"
            '    database.execute("insert into visits values (?, ?, ?)", (visit, ward, note))\n'
            "    database.commit()",
            says="A database administrator reads the note",
        ),
        Wrong(
            _COLUMN.replace("\n    database.commit()", ""),
            says="The row has not been committed",
        ),
        Wrong(
            _COLUMN.replace(', encryption_context={"visit": visit}', ""),
            says="The note is not bound to its visit",
        ),
        Wrong(
            _COLUMN.replace("(visit, ward, sealed)", "(visit, sealed, sealed)"),
            says="The ward of the visit is missing",
        ),
        Wrong(
            "def insert_visit(database, key_arn, visit, ward, note):\n"
            "    sealed = client('kms', HOME).encrypt(KeyId=client('kms', HOME).create_key()['KeyMetadata']"
            "['KeyId'], Plaintext=note.encode())['CiphertextBlob']\n"
            '    database.execute("insert into visits values (?, ?, ?)", (visit, ward, sealed))\n'
            "    database.commit()",
            says="does not open it with the related key",
        ),
        Wrong(
            _COLUMN.replace("(visit, ward, sealed)", "(visit, ward, sealed.hex())"),
            says="The column holds text",
        ),
    ],
    also_right=[
        """def insert_visit(database, key_arn, visit, ward, note):
    context = {"visit": visit, "clinic": "home"}
    message = sdk.encrypt(source=bytes(note, "utf-8"), keyring=keyring(key_arn), encryption_context=context)[0]
    with database:
        database.execute("insert into visits (note, id, ward) values (?, ?, ?)", (message, visit, ward))"""
    ],
)
def column(work):
    aws = work.value("aws")
    _global_database()
    arn, replica = _pair()
    database = aws.database("clinic-home", region=HOME)
    database.execute("create table if not exists visits (id text, ward text, note blob)")
    database.execute("delete from visits")
    database.commit()
    visit, note = os.urandom(4).hex(), os.urandom(8).hex()
    work.call(work.function("insert_visit"), database, arn, visit, "3B", note)
    pending = database.in_transaction
    database.rollback()
    work.expect(not pending, "The row has not been committed, so nobody else sees it.")
    copy = aws.database("clinic-away", region=AWAY)
    rows = copy.execute("select ward, note from visits where id = ?", (visit,)).fetchall()
    work.expect(len(rows) == 1, "In the other Region there is no such visit.")
    [(ward, column)] = rows
    work.expect(ward == "3B", "The ward of the visit is missing, or sealed: it is not secret.")
    work.expect(not work.holds(column, note), "A database administrator reads the note.")
    work.expect(
        not isinstance(column, str),
        "The column holds text. What the SDK gives is bytes, and a blob takes them as they are.",
    )
    sdk, keyring = work.value("sdk"), work.value("keyring")
    before = len(aws.trail)
    with work.or_say(
        "In the other Region the AWS Encryption SDK does not open it with the related key: was it "
        "sealed with the SDK, and under the key that is passed?"
    ):
        opened, header = sdk.decrypt(source=column, keyring=keyring(replica))
    work.expect(opened == note.encode(), "It opens, but to another note.")
    work.expect(
        header.encryption_context.get("visit") == visit,
        "The note is not bound to its visit: a row could be swapped unseen.",
    )
    work.expect(_kms_calls(aws, before) == [(AWAY, "Decrypt")], "The other Region was not enough.")


_FAILOVER = """def decrypt_anywhere(clients, ciphertext, context):
    last = None
    for kms in clients:
        try:
            return kms.decrypt(CiphertextBlob=ciphertext, EncryptionContext=context)["Plaintext"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ServiceUnavailable":
                raise
            last = error
    raise last"""


@task(
    "failover",
    minutes=6,
    asks="`decrypt_anywhere(clients, ciphertext, context)`: the plaintext, as bytes",
    hints=[
        "What tells a Region that is down from one that says no?",
        'error.response["Error"]["Code"] is "ServiceUnavailable" for a Region that is down. Every other '
        "code has to be raised again, and so has the last one.",
        "Loop over clients; try to return the plaintext; except ClientError as error: raise unless the code "
        'is "ServiceUnavailable", else remember the error; after the loop raise what was remembered.',
    ],
    why="A refusal is an answer. A program that takes it for an outage asks one Region after another "
    "until some forgotten key policy says yes.",
    practises=["10.use-cases", "10.no-cross-region-call"],
    seconds=CLI_SECONDS,
    wrong=[
        Wrong(
            "def decrypt_anywhere(clients, ciphertext, context):\n    return clients[0].decrypt("
            'CiphertextBlob=ciphertext, EncryptionContext=context)["Plaintext"]',
            says="An error occurred (ServiceUnavailable)",
        ),
        Wrong(
            _FAILOVER.replace(
                '            if error.response["Error"]["Code"] != "ServiceUnavailable":\n'
                "                raise\n",
                "",
            ),
            says="A Region refused, and the next one was asked",
        ),
        Wrong(
            _FAILOVER.replace("    raise last", "    return None"),
            says="No Region answered, and the caller was not told",
        ),
        Wrong(
            _FAILOVER.replace("in clients:", "in reversed(clients):"),
            says="The first Region was well, and another one was asked",
        ),
        Wrong(
            "def decrypt_anywhere(clients, ciphertext, context):\n    found = None\n    for kms in clients:\n"
            "        try:\n            found = kms.decrypt(CiphertextBlob=ciphertext, "
            'EncryptionContext=context)["Plaintext"]\n        except ClientError as error:\n'
            '            if error.response["Error"]["Code"] != "ServiceUnavailable":\n                raise\n'
            "            last = error\n    if found is None:\n        raise last\n    return found",
            says="Every Region was asked",
        ),
        Wrong(
            _FAILOVER.replace("raise last", "raise Exception('no Region answers')"),
            says="should refuse with ServiceUnavailable",
        ),
        Wrong(
            "def decrypt_anywhere(clients, ciphertext, context):\n    home, away = clients\n    try:\n"
            "        return home.decrypt(CiphertextBlob=ciphertext, EncryptionContext=context)"
            '["Plaintext"]\n    except ClientError as error:\n'
            '        if error.response["Error"]["Code"] != "ServiceUnavailable":\n            raise\n'
            "        return away.decrypt(CiphertextBlob=ciphertext, EncryptionContext=context)"
            '["Plaintext"]',
            says="too many values to unpack",
        ),
        Wrong(
            _FAILOVER.replace("EncryptionContext=context", 'EncryptionContext={"patient": "4711"}'),
            says="The ciphertext of another patient does not open",
        ),
    ],
    also_right=[
        """def decrypt_anywhere(clients, ciphertext, context):
    first, *others = clients
    try:
        return first.decrypt(CiphertextBlob=ciphertext, EncryptionContext=context)["Plaintext"]
    except ClientError as error:
        if others and error.response["Error"]["Code"] == "ServiceUnavailable":
            return decrypt_anywhere(others, ciphertext, context)
        raise"""
    ],
)
def failover(work):
    aws = work.value("aws")
    decrypt_anywhere = work.function("decrypt_anywhere")
    arn, _ = _pair()
    regions = [HOME, AWAY, THIRD]
    clients = [_client("kms", region) for region in regions]
    clients[0].replicate_key(KeyId=arn, ReplicaRegion=THIRD)
    secret = os.urandom(12)
    blob = clients[0].encrypt(KeyId=arn, Plaintext=secret, EncryptionContext=CONTEXT)
    asked = (clients, blob["CiphertextBlob"], dict(CONTEXT))
    before = len(aws.trail)
    work.expect(work.call(decrypt_anywhere, *asked) == secret, "This is not the plaintext.")
    went = _went(aws, before)
    work.expect(
        HOME in went, "The first Region was well, and another one was asked: keep to their order."
    )
    work.expect(went == {HOME}, "Every Region was asked, though the first one answered.")
    blob = clients[0].encrypt(KeyId=arn, Plaintext=secret, EncryptionContext=ANOTHER)
    _takes_its_context(work, decrypt_anywhere, clients, blob["CiphertextBlob"], dict(ANOTHER))
    try:
        for down, words in ((HOME, "the first Region"), (AWAY, "two Regions")):
            aws.regions.off(down)
            work.expect(
                work.call(decrypt_anywhere, *asked) == secret,
                f"With {words} down this is not the plaintext.",
            )
        aws.regions.off(THIRD)
        work.refuses(
            decrypt_anywhere,
            *asked,
            error="ServiceUnavailable",
            says="No Region answered, and the caller was not told: raise the last error.",
        )
    finally:
        for region in regions:
            aws.regions.on(region)
    clients[0].disable_key(KeyId=arn)
    before = len(aws.trail)
    work.refuses(
        decrypt_anywhere,
        *asked,
        error="DisabledException",
        says="A Region refused, and the next one was asked: raise what it said.",
    )
    work.expect(
        _went(aws, before) == {HOME},
        "A Region refused, and the next one was asked. A refusal has to reach the caller.",
    )
