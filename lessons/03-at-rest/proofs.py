"""What the questions of this lesson claim, played on the simulator."""

import json
import os

import boto3

from kmscourse.exam.proofs import Outcome, proof, tried

LETTER = b"Patient 4711: asthma."
BUCKET = "letters"


def _new_key():
    return boto3.client("kms").create_key()["KeyMetadata"]["Arn"]


def _bucket():
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    return s3


def _under(key):
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}


def _default(s3, key, **more):
    """Make SSE-KMS the bucket's default; `more` goes into the rule."""
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rule = {"ApplyServerSideEncryptionByDefault": default, **more}
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})


def _put(s3, key="4711", **how):
    return s3.put_object(Bucket=BUCKET, Key=key, Body=LETTER, **how)


def _get(s3, key="4711"):
    asked = tried(s3.get_object, Bucket=BUCKET, Key=key)
    return asked.answer["Body"].read() if asked.ok else asked.code


def _allowed(aws, name, *actions):
    """A session of a user who may do these things, and nothing else."""
    session = aws.session(name)
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    boto3.client("iam").put_user_policy(
        UserName=name,
        PolicyName="these",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )
    return session


def _server(ec2):
    made = ec2.run_instances(ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)
    return made["Instances"][0]["InstanceId"]


def _volume(aws, ec2, server, **how):
    """A volume of the server with the letter on it."""
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, **how)["VolumeId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=server, Device="/dev/sdf")
    aws.disk(volume).write(0, LETTER)
    return volume


def _reads(aws, volume):
    """Whether the server reads the letter from its volume."""
    asked = tried(aws.disk(volume).read, 0, len(LETTER))
    return asked.ok and asked.answer == LETTER


def _database(name="clinic", **how):
    boto3.client("rds").create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="clinic",
        MasterUserPassword=os.urandom(16).hex(),
        **how,
    )


def _write_rows(aws, name="clinic"):
    database = aws.database(name)
    database.execute("CREATE TABLE letters (body TEXT)")
    database.execute("INSERT INTO letters VALUES (?)", (LETTER.decode(),))
    database.commit()


def _rows(aws, name):
    """Whether the letter can be read from a database."""
    asked = tried(lambda: aws.database(name).execute("SELECT body FROM letters").fetchall())
    return asked.ok and asked.answer == [(LETTER.decode(),)]


@proof("rest-after-receiving")
def after_receiving(aws, case):
    """A letter is uploaded with SSE-KMS; request, calls to KMS and disk are looked at."""
    s3, sent = _bucket(), []
    s3.meta.events.register(
        "before-send.s3.PutObject", lambda request, **_: sent.append(request.body.read())
    )
    before = len(aws.trail)
    _put(s3, **_under(_new_key()))
    calls = [event["eventName"] for event in aws.trail.events(service="kms", after=before)]
    stored = LETTER in bytes(aws.stored("s3", BUCKET, "4711"))
    came_true = {
        "in-the-sdk": LETTER not in sent[0],
        "in-s3": LETTER in sent[0] and not stored and "Encrypt" not in calls,
        "in-kms": "Encrypt" in calls,
        "later": stored,
    }
    return Outcome(
        holds=came_true[case],
        seen=f"The letter in the request: {LETTER in sent[0]}; KMS was asked for "
        f"{', '.join(calls)}; the letter on the disk: {stored}.",
    )


@proof("rest-reader-without-kms")
def reader_without_kms(aws, case):
    """A user who may do s3:GetObject and nothing else reads a report of either kind."""
    s3 = _bucket()
    _put(s3, "older")
    _put(s3, "newer", **_under(_new_key()))
    analyst = _allowed(aws, "analyst", "s3:GetObject").client("s3")
    older, newer = _get(analyst, "older"), _get(analyst, "newer")
    came_true = {
        "all": older == newer == LETTER,
        "none": LETTER not in (older, newer),
        "older": older == LETTER and newer == "AccessDenied",
        "ciphertext": isinstance(newer, bytes) and newer != LETTER,
    }
    return Outcome(
        holds=came_true[case],
        seen=f"The older report: {'plaintext' if older == LETTER else older}; the newer: {newer}.",
    )


@proof("rest-key-permissions")
def key_permissions(aws, case):
    """A role has every permission on the list but one, and uploads and downloads an object."""
    permissions = {
        "generate": "kms:GenerateDataKey",
        "decrypt": "kms:Decrypt",
        "encrypt": "kms:Encrypt",
        "create-grant": "kms:CreateGrant",
        "re-encrypt": "kms:ReEncryptFrom",
    }
    _bucket()
    others = [each for name, each in permissions.items() if name != case]
    s3 = _allowed(aws, "records", "s3:*", *others).client("s3")
    written = tried(_put, s3, **_under(_new_key()))
    works = written.ok and _get(s3) == LETTER
    return Outcome(
        holds=not works,
        seen=f"Without {permissions[case]} it {'still worked' if works else 'failed'}.",
    )


@proof("rest-stolen-drive")
def stolen_drive(aws, case):
    """An encrypted volume is written, and what lies on its disk is searched."""
    ec2, kms = boto3.client("ec2"), boto3.client("kms")
    volume = _volume(aws, ec2, _server(ec2), Encrypted=True, KmsKeyId=_new_key())
    disk = aws.stored("ebs", volume)
    unwrapped = kms.decrypt(CiphertextBlob=disk.wrapped_key, EncryptionContext=disk.context)
    came_true = {
        "wrapped": LETTER not in bytes(disk) and len(unwrapped["Plaintext"]) > 0,
        "plain-key": unwrapped["Plaintext"] in bytes(disk),
        "number": disk.wrapped_key is None,
        "plaintext": LETTER in bytes(disk),
    }
    return Outcome(
        holds=came_true[case],
        seen=f"A wrapped key of {len(disk.wrapped_key)} bytes lay there, and KMS unwrapped it; "
        f"the letter in plaintext: {LETTER in bytes(disk)}; the data key in plaintext: "
        f"{unwrapped['Plaintext'] in bytes(disk)}.",
    )


@proof("rest-sse-c-refused")
def sse_c_refused(aws, case):
    """One change is made, and a role that may do everything in S3 uploads with SSE-C."""
    s3, iam = _bucket(), _allowed(aws, "program", "s3:*")
    who = iam.client("sts").get_caller_identity()["Arn"]
    if case == "key-policy":
        root = {"AWS": f"arn:aws:iam::{aws.account_id}:root"}
        statements = [
            {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"AWS": who}, "Action": "kms:*", "Resource": "*"},
        ]
        policy = {"Version": "2012-10-17", "Statement": statements}
        boto3.client("kms").put_key_policy(KeyId=_new_key(), Policy=json.dumps(policy))
    if case == "bucket-policy":
        allow = {
            "Effect": "Allow",
            "Principal": {"AWS": who},
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
            "Condition": {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}},
        }
        policy = {"Version": "2012-10-17", "Statement": allow}
        s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    if case == "default-kms":
        _default(s3, _new_key())
    if case == "unblock":
        rule = {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
            "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]},
        }
        s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})
    own = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
    asked = tried(_put, iam.client("s3"), **own)
    return Outcome(holds=asked.ok, seen=f"The upload gave {asked.code or 'no error'}.")


@proof("rest-stop-all-readers")
def stop_all_readers(aws, case):
    """An object is read and the trail searched; then its key is disabled by one call."""
    s3, kms = _bucket(), boto3.client("kms")
    how = {"sse-s3": {}, "aws-managed": {"ServerSideEncryption": "aws:kms"}}.get(case)
    read = {}
    if case == "customer-managed":
        how = _under(_new_key())
    if case == "sse-c":
        rule = {"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}
        s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})
        how = read = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
    key = _put(s3, **how).get("SSEKMSKeyId")
    s3.get_object(Bucket=BUCKET, Key="4711", **read)
    recorded = len(aws.trail.events("Decrypt")) > 0
    disabled = key is not None and tried(kms.disable_key, KeyId=key).ok
    stopped = not tried(s3.get_object, Bucket=BUCKET, Key="4711", **read).ok
    return Outcome(
        holds=recorded and disabled and stopped,
        seen=f"Use of a key on record: {recorded}; key disabled: {disabled}; "
        f"reading stopped: {stopped}.",
    )


@proof("rest-too-many-requests")
def too_many_requests(aws, case):
    """Twenty results are uploaded before and after a change, and the calls to KMS counted."""
    s3, key = _bucket(), _new_key()
    _default(s3, key)

    def uploads(**how):
        before = len(aws.trail)
        for number in range(20):
            _put(s3, f"result-{number}", **how)
        return len(aws.trail.events(service="kms", after=before))

    asked, how = uploads(), {}
    if case == "bucket-key":
        _default(s3, key, BucketKeyEnabled=True)
    if case == "alias":
        boto3.client("kms").create_alias(AliasName="alias/results", TargetKeyId=key)
        how = _under("alias/results")
    if case == "named":
        how = _under(key)
    if case == "dsse":
        default = {"SSEAlgorithm": "aws:kms:dsse", "KMSMasterKeyID": key}
        rules = [{"ApplyServerSideEncryptionByDefault": default}]
        s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": rules})
    then = uploads(**how)
    return Outcome(
        holds=then < asked, seen=f"Twenty uploads made {asked} calls before, and {then} after."
    )


@proof("rest-bucket-key-effects")
def bucket_key_effects(aws, case):
    """Objects are stored before and after a Bucket Key is enabled, and looked at and read."""
    s3, key = _bucket(), _new_key()
    _default(s3, key)
    _put(s3, "old")
    _default(s3, key, BucketKeyEnabled=True)
    before = len(aws.trail)
    new = [f"new-{number}" for number in range(10)]
    for name in new:
        _put(s3, name)
    events = len(aws.trail.events(service="kms", after=before))
    disks = [aws.stored("s3", BUCKET, name) for name in new]
    reader = _allowed(aws, "reader", "s3:GetObject").client("s3")
    contexts = {disk.context["aws:s3:arn"] for disk in disks}
    came_true = {
        "fewer-events": events < len(new),
        "context": contexts == {f"arn:aws:s3:::{BUCKET}"},
        "old-objects": aws.stored("s3", BUCKET, "old").wrapped_bucket_key is not None,
        "no-decrypt": _get(reader, new[0]) == LETTER,
        "one-data-key": len({disk.ciphertext for disk in disks}) == 1,
    }
    return Outcome(
        holds=came_true[case],
        seen=f"{len(new)} uploads of one letter made {events} KMS events and "
        f"{len({disk.ciphertext for disk in disks})} different ciphertexts; a reader without "
        f"kms:Decrypt got {_get(reader, new[0])}.",
    )


@proof("rest-objects-from-before")
def objects_from_before(aws, case):
    """An object is stored under SSE-S3, the default becomes SSE-KMS, and one more thing is done."""
    s3, key = _bucket(), _new_key()
    _put(s3)
    _default(s3, key)
    if case == "bucket-key":
        _default(s3, key, BucketKeyEnabled=True)
    if case == "update":
        s3.update_object_encryption(
            Bucket=BUCKET, Key="4711", ObjectEncryption={"SSEKMS": {"KMSKeyArn": key}}
        )
    if case == "deny":
        deny = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
            "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
        }
        policy = {"Version": "2012-10-17", "Statement": deny}
        s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    if case == "read":
        _get(_allowed(aws, "reader", "s3:GetObject", "kms:*").client("s3"))
    found = s3.head_object(Bucket=BUCKET, Key="4711")["ServerSideEncryption"]
    return Outcome(holds=found == "aws:kms", seen=f"The object says {found}.")


@proof("rest-ebs-default-effects")
def ebs_default_effects(aws, case):
    """Encryption by default is switched on, and one volume or snapshot is looked at."""
    ec2 = boto3.client("ec2")
    old = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    backup = ec2.create_snapshot(VolumeId=old)["SnapshotId"]
    ec2.enable_ebs_encryption_by_default()
    if case == "old-volume":
        found = ec2.describe_volumes(VolumeIds=[old])["Volumes"][0]
    elif case == "new-snapshot":
        found = ec2.create_snapshot(VolumeId=old)
    elif case == "other-region":
        far = boto3.client("ec2", region_name="eu-west-1")
        found = far.create_volume(AvailabilityZone="eu-west-1a", Size=1)
    else:
        of = {"SnapshotId": backup} if case == "from-snapshot" else {"Size": 1}
        found = ec2.create_volume(AvailabilityZone="us-east-1a", **of)
    return Outcome(holds=found["Encrypted"], seen=f"Encrypted: {found['Encrypted']}.")


@proof("rest-ebs-existing-volume")
def ebs_existing_volume(aws, case):
    """The way that is proposed is gone, and the volume in use afterwards is looked at and read."""
    ec2, kms, key = boto3.client("ec2"), boto3.client("kms"), _new_key()
    server = _server(ec2)
    volume = _volume(aws, ec2, server)
    if case == "default-and-restart":
        ec2.modify_ebs_default_kms_key_id(KmsKeyId=key)
        ec2.enable_ebs_encryption_by_default()
        ec2.stop_instances(InstanceIds=[server])
        ec2.start_instances(InstanceIds=[server])
    else:
        ec2.detach_volume(VolumeId=volume)
    if case == "grant-and-attach":
        role = f"arn:aws:iam::{aws.account_id}:root"
        kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=["Decrypt"])
    if case in ("plain-restore", "encrypted-restore"):
        how = {"Encrypted": True, "KmsKeyId": key} if case == "encrypted-restore" else {}
        snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        volume = ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=snapshot, **how)[
            "VolumeId"
        ]
    if case != "default-and-restart":
        ec2.attach_volume(VolumeId=volume, InstanceId=server, Device="/dev/sdf")
    disk = aws.stored("ebs", volume)
    return Outcome(
        holds=_reads(aws, volume) and disk.key_arn == key and LETTER not in bytes(disk),
        seen=f"The server reads the letter: {_reads(aws, volume)}; a thief of the disk reads it: "
        f"{LETTER in bytes(disk)}.",
    )


@proof("rest-key-disabled-ebs")
def key_disabled_ebs(aws, case):
    """The key is disabled; the server reads at once, after minutes, after days, after a restart."""
    ec2, key = boto3.client("ec2"), _new_key()
    server = _server(ec2)
    volume = _volume(aws, ec2, server, Encrypted=True, KmsKeyId=key)
    boto3.client("kms").disable_key(KeyId=key)
    at_once = _reads(aws, volume)
    aws.clock.advance(minutes=10)
    minutes = _reads(aws, volume)
    aws.clock.advance(days=2)
    days = _reads(aws, volume)
    ec2.stop_instances(InstanceIds=[server])
    ec2.start_instances(InstanceIds=[server])
    restarted = _reads(aws, volume)
    came_true = {
        "at-once": not at_once,
        "until-attached": at_once and minutes and days and not restarted,
        "for-ever": restarted,
        "some-minutes": not minutes,
    }
    return Outcome(
        holds=came_true[case],
        seen=f"It read at once: {at_once}; after minutes: {minutes}; after days: {days}; "
        f"after a stop and start: {restarted}.",
    )


@proof("rest-rds-existing")
def rds_existing(aws, case):
    """The way that is proposed is gone, and the database at its end is looked at and read."""
    rds, key = boto3.client("rds"), _new_key()
    _database()
    _write_rows(aws)
    name, asked = "clinic", None
    if case in ("copy", "restore"):
        source, name = "before", "after"
        rds.create_db_snapshot(DBInstanceIdentifier="clinic", DBSnapshotIdentifier=source)
        if case == "copy":
            rds.copy_db_snapshot(
                SourceDBSnapshotIdentifier=source,
                TargetDBSnapshotIdentifier="sealed",
                KmsKeyId=key,
            )
            source = "sealed"
        rds.restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier=name, DBSnapshotIdentifier=source
        )
    if case == "replica":
        asked = tried(
            rds.create_db_instance_read_replica,
            DBInstanceIdentifier="replica",
            SourceDBInstanceIdentifier="clinic",
            KmsKeyId=key,
        )
        if asked.ok:
            name = "replica"
            rds.promote_read_replica(DBInstanceIdentifier=name)
    if case == "ebs-default":
        rds.stop_db_instance(DBInstanceIdentifier="clinic")
        boto3.client("ec2").enable_ebs_encryption_by_default()
        rds.start_db_instance(DBInstanceIdentifier="clinic")
    disk = aws.stored("rds", name)
    return Outcome(
        holds=_rows(aws, name) and disk.key_arn == key and LETTER not in bytes(disk),
        seen=f"The letter on the disk of {name}: {LETTER in bytes(disk)}"
        + (f"; the replica was refused with {asked.code}." if asked is not None else "."),
    )


@proof("rest-rds-key-back")
def rds_key_back(aws, case):
    """The key of a database is disabled for two days, and the database used before and after."""
    rds, kms, key = boto3.client("rds"), boto3.client("kms"), _new_key()
    _database(StorageEncrypted=True, KmsKeyId=key)
    _write_rows(aws)
    kms.disable_key(KeyId=key)
    meanwhile = _rows(aws, "clinic")
    aws.clock.advance(days=2)
    kms.enable_key(KeyId=key)
    afterwards = _rows(aws, "clinic")
    started = tried(rds.start_db_instance, DBInstanceIdentifier="clinic")
    then = _rows(aws, "clinic")
    came_true = {
        "usable": meanwhile,
        "by-itself": afterwards,
        "backup": not then,
        "start": not afterwards and started.ok and then,
    }
    return Outcome(
        holds=came_true[case],
        seen=f"Readable while disabled: {meanwhile}; after enabling: {afterwards}; "
        f"after a start: {then}.",
    )


@proof("rest-unreadable-parameter")
def unreadable_parameter(aws, case):
    """A role with ssm:GetParameter and kms:Decrypt changes one thing, and reads the parameter."""
    ssm, name = boto3.client("ssm"), "/clinic/password"
    made = {"Name": name, "Value": LETTER.decode(), "Type": "SecureString", "KeyId": _new_key()}
    ssm.put_parameter(**made)
    actions = ["ssm:GetParameter", "ssm:GetParameters", "kms:Decrypt"]
    if case == "generate":
        actions.append("kms:GenerateDataKey")
    if case == "advanced":
        ssm.put_parameter(**made, Tier="Advanced", Overwrite=True)
    reader = _allowed(aws, "function", *actions).client("ssm")
    if case == "plural":
        value = reader.get_parameters(Names=[name])["Parameters"][0]["Value"]
    else:
        more = {"WithDecryption": True} if case == "with-decryption" else {}
        value = reader.get_parameter(Name=name, **more)["Parameter"]["Value"]
    return Outcome(
        holds=value == LETTER.decode(),
        seen=f"The function got {len(value)} characters: {value[:24]!r}.",
    )


@proof("rest-one-key-many-services")
def one_key_many_services(aws, case):
    """A thing is stored under a key, the key is disabled, and it is read a minute later."""
    key, s3 = _new_key(), _bucket()
    ssm, secrets = boto3.client("ssm"), boto3.client("secretsmanager")
    value = LETTER.decode()
    if case == "volume":
        ec2 = boto3.client("ec2")
        volume = _volume(aws, ec2, _server(ec2), Encrypted=True, KmsKeyId=key)
    elif case == "parameter":
        ssm.put_parameter(Name="letter", Value=value, Type="SecureString", KeyId=key)
    elif case == "secret":
        secrets.create_secret(Name="letter", SecretString=value, KmsKeyId=key)
    else:
        _put(s3, **(_under(key) if case == "sse-kms" else {}))
    boto3.client("kms").disable_key(KeyId=key)
    aws.clock.advance(minutes=1)
    asked = {
        "volume": lambda: tried(aws.disk(volume).read, 0, len(LETTER)),
        "parameter": lambda: tried(ssm.get_parameter, Name="letter", WithDecryption=True),
        "secret": lambda: tried(secrets.get_secret_value, SecretId="letter"),
    }.get(case, lambda: tried(s3.get_object, Bucket=BUCKET, Key="4711"))()
    return Outcome(holds=asked.ok, seen=f"Reading it gave {asked.code or 'the letter'}.")


@proof("rest-dynamodb-own-key")
def dynamodb_own_key(aws, case):
    """The table is set as proposed and read; its key is looked for in the trail, and disabled."""
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName="letters",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    settings = {
        "managed": {"Enabled": True, "SSEType": "KMS"},
        "customer": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": _new_key()},
        "switched-off": {"Enabled": False},
    }
    if case in settings:
        tried(dynamodb.update_table, TableName="letters", SSESpecification=settings[case])
    before = len(aws.trail)
    dynamodb.put_item(TableName="letters", Item={"id": {"S": "4711"}})
    recorded = len(aws.trail.events(service="kms", after=before)) > 0
    key = aws.stored("dynamodb", "letters").key_arn
    disabled = key is not None and tried(boto3.client("kms").disable_key, KeyId=key).ok
    return Outcome(
        holds=recorded and disabled,
        seen=f"Use of the key in the trail: {recorded}; the company could disable it: {disabled}.",
    )
