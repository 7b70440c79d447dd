"""The tasks of lab 03: what each asks, how it is checked, and what helps."""

import base64
import json
import os
from contextlib import contextmanager

import boto3
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kmscourse.lab import Wrong, task


def _secret():
    return f"patient {os.urandom(6).hex()}: caries".encode()


def _client(name):
    return boto3.client(name)


def _key(work):
    """The clinic's key, if it is there and can be used: the checks need it, too."""
    key = work.value("key", str)
    try:
        state = _client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    except ClientError:
        work.fail(
            "The key in `key` is not in this AWS. If you ran the first cell again, a new AWS has begun: "
            "run the cell that makes the key again, too."
        )
    work.expect(
        state == "Enabled",
        f"The clinic's key is {state}. Run the cell that makes a key again.",
    )
    return key


def _server(ec2):
    made = ec2.run_instances(ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)
    return made["Instances"][0]["InstanceId"]


def _written_volume(aws, secret, **how):
    """A volume with a secret on it, attached to a server of its own."""
    ec2 = _client("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1b", Size=1, **how)["VolumeId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=_server(ec2), Device="/dev/sdf")
    aws.disk(volume).write(0, secret)
    return volume


def _content(aws, volume, length):
    """What a server reads from a volume, attached here if it is not yet."""
    ec2 = _client("ec2")
    if not ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"]:
        ec2.attach_volume(VolumeId=volume, InstanceId=_server(ec2), Device="/dev/sdg")
    return aws.disk(volume).read(0, length)


_VOLUME = """def encrypted_volume(ec2, volume_id, key):
    old = ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]
    snapshot = ec2.create_snapshot(VolumeId=volume_id)["SnapshotId"]
    new = ec2.create_volume(AvailabilityZone=old["AvailabilityZone"],
                            SnapshotId=snapshot, Encrypted=True, KmsKeyId=key)
    return new["VolumeId"]"""


@task(
    "volume",
    practises=["03.ebs", "03.data-key-on-disk"],
    minutes=4,
    asks="`encrypted_volume(ec2, volume_id, key)`: the id of a new, encrypted volume",
    hints=[
        "A volume cannot be encrypted where it lies. What can you make of it that can be?",
        "create_snapshot of the old volume; create_volume takes a SnapshotId, and Encrypted and KmsKeyId.",
        "ec2.create_volume(AvailabilityZone=old['AvailabilityZone'], SnapshotId=snapshot, "
        "Encrypted=True, KmsKeyId=key)['VolumeId']",
    ],
    why="The content moved under the clinic's key. The old volume and the snapshot still lie there in "
    "plaintext: delete them when the new one is in use.",
    wrong=[
        Wrong(
            _VOLUME.replace("SnapshotId=snapshot,", 'Size=old["Size"],'),
            says="The new volume is empty",
        ),
        Wrong(_VOLUME.replace(", KmsKeyId=key", ""), says="It is encrypted under another key"),
        Wrong(
            _VOLUME.replace(
                "SnapshotId=snapshot, Encrypted=True, KmsKeyId=key", "SnapshotId=snapshot"
            ),
            says="The new volume is not encrypted",
        ),
        Wrong(
            _VOLUME.replace('return new["VolumeId"]', "return snapshot"),
            says="Return the id of a volume",
        ),
        Wrong(
            "def encrypted_volume(ec2, volume_id, key):\n"
            "    ec2.modify_ebs_default_kms_key_id(KmsKeyId=key)\n"
            "    ec2.enable_ebs_encryption_by_default()\n"
            "    return volume_id",
            says="This is the old volume",
        ),
        Wrong(
            _VOLUME.replace('old["AvailabilityZone"]', '"us-east-1a"'),
            says="a server of the practice cannot attach it",
        ),
        Wrong(
            _VOLUME.replace("KmsKeyId=key", 'KmsKeyId="key"'),
            says="EBS could not use the key and dropped the volume again",
        ),
    ],
    also_right=[
        """def encrypted_volume(ec2, volume_id, key):
    snapshot = ec2.create_snapshot(VolumeId=volume_id)["SnapshotId"]
    sealed = ec2.copy_snapshot(SourceSnapshotId=snapshot, SourceRegion="us-east-1",
                               Encrypted=True, KmsKeyId=key)["SnapshotId"]
    where = ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]["AvailabilityZone"]
    return ec2.create_volume(AvailabilityZone=where, SnapshotId=sealed)["VolumeId"]"""
    ],
)
def volume(work):
    aws, key, secret = work.value("aws"), _key(work), _secret()
    ec2 = _client("ec2")
    ec2.disable_ebs_encryption_by_default()  # an earlier attempt may have switched it on
    ec2.reset_ebs_default_kms_key_id()
    old = _written_volume(aws, secret)
    new = work.call(work.function("encrypted_volume", returns=str), work.value("ec2"), old, key)
    ec2.disable_ebs_encryption_by_default()
    ec2.reset_ebs_default_kms_key_id()
    work.expect(
        new != old,
        "This is the old volume, and it is as it was: encryption by default is for new volumes.",
    )
    try:
        found = ec2.describe_volumes(VolumeIds=[new])["Volumes"][0]
    except ClientError:
        work.expect(
            not new.startswith("vol-"),
            f"AWS knows no volume {new}. If create_volume gave that id, EBS could not use the key and "
            "dropped the volume again: look at `KmsKeyId`.",
        )
        work.fail(f"Return the id of a volume: AWS knows none called {new}.")
    work.expect(found["Encrypted"], "The new volume is not encrypted.")
    work.expect(
        found["KmsKeyId"] == key,
        "It is encrypted under another key. Name the clinic's key, else EBS takes its default.",
    )
    work.expect(
        found["AvailabilityZone"] == "us-east-1b",
        f"The old volume is in us-east-1b and the new one in {found['AvailabilityZone']}: a server "
        "of the practice cannot attach it.",
    )
    work.expect(
        _content(aws, new, len(secret)) == secret,
        "The new volume is empty: it was not made from what lies on the old one.",
    )
    work.expect(
        secret not in bytes(aws.stored("ebs", new)), "The record can be read on the new disk."
    )


_BUCKET = """def protect_bucket(s3, bucket, key):
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rule = {"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})"""


@task(
    "bucket",
    practises=["03.bucket-defaults", "03.s3-choices", "03.after-receiving"],
    minutes=4,
    asks="`protect_bucket(s3, bucket, key)`: sets up the bucket; returns nothing",
    hints=[
        "Who decides when a request says nothing about encryption? And who makes data keys without "
        "asking KMS each time?",
        "put_bucket_encryption with one rule: ApplyServerSideEncryptionByDefault, and BucketKeyEnabled.",
        'rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": '
        'key}, "BucketKeyEnabled": True}; s3.put_bucket_encryption(Bucket=bucket, '
        'ServerSideEncryptionConfiguration={"Rules": [rule]})',
    ],
    why="The program sends plaintext as before; S3 encrypts it after receiving it. One setting covers "
    "every upload to come, and KMS is asked once in a while.",
    wrong=[
        Wrong(
            _BUCKET.replace(
                '"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key', '"SSEAlgorithm": "AES256"'
            ),
            says="lies under SSE-S3",
        ),
        Wrong(
            _BUCKET.replace(', "KMSMasterKeyID": key', ""),
            says="under the AWS managed key",
        ),
        Wrong(_BUCKET.replace(', "BucketKeyEnabled": True', ""), says="Ten uploads made 10 calls"),
        Wrong(
            _BUCKET.replace('"aws:kms"', '"aws:kms:dsse"').replace(
                ', "BucketKeyEnabled": True', ""
            ),
            says="encrypted twice",
        ),
        Wrong(
            "import json\n\n\ndef protect_bucket(s3, bucket, key):\n"
            '    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",\n'
            '            "Resource": f"arn:aws:s3:::{bucket}/*", "Condition": {"StringNotEquals":\n'
            '            {"s3:x-amz-server-side-encryption": "aws:kms"}}}\n'
            '    policy = {"Version": "2012-10-17", "Statement": deny}\n'
            "    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))",
            says="The program can no longer upload",
        ),
    ],
    also_right=[
        """def protect_bucket(s3, bucket, key):
    config = dict(Rules=[dict(
        BucketKeyEnabled=True,
        BlockedEncryptionTypes=dict(EncryptionType=["SSE-C"]),
        ApplyServerSideEncryptionByDefault=dict(SSEAlgorithm="aws:kms", KMSMasterKeyID=key.split("/")[1]),
    )])
    return s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=config)"""
    ],
)
def bucket(work):
    aws, key, secret = work.value("aws"), _key(work), _secret()
    s3, name = _client("s3"), f"x-rays-{os.urandom(6).hex()}"
    s3.create_bucket(Bucket=name)
    work.call(work.function("protect_bucket"), work.value("s3"), name, key)
    before = len(aws.trail)
    try:
        for number in range(10):
            s3.put_object(Bucket=name, Key=f"{number}.dcm", Body=secret)
    except ClientError as error:
        work.fail(
            "The program can no longer upload: it says nothing about encryption, and gets "
            f"{error.response['Error']['Code']}."
        )
    calls = len(aws.trail.events(service="kms", after=before))
    disk = aws.stored("s3", name, "0.dcm")
    work.expect(
        disk.sse != "AES256",
        "What the program uploads lies under SSE-S3, not under the clinic's key.",
    )
    work.expect(
        disk.sse == "aws:kms",
        f"What the program uploads is encrypted twice ({disk.sse}). Nobody asked for that, and "
        "Bucket Keys are for aws:kms.",
    )
    work.expect(
        disk.key_arn == key,
        "What the program uploads lies under the AWS managed key. Name the clinic's.",
    )
    work.expect(
        calls < 10,
        f"Ten uploads made {calls} calls to KMS. There is a key that stands between.",
    )
    got = s3.get_object(Bucket=name, Key="0.dcm")["Body"].read()
    work.expect(got == secret, "What the program downloads is not what it uploaded.")


_READER = """def reader_policy(bucket, key):
    look = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    unlock = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key}
    return {"Version": "2012-10-17", "Statement": [look, unlock]}"""


def _given(aws, policy):
    """A session of a new user who has a policy, and no other."""
    name = f"dentist-{os.urandom(6).hex()}"
    session = aws.session(name)
    _client("iam").put_user_policy(
        UserName=name, PolicyName="reader", PolicyDocument=json.dumps(policy)
    )
    return session


def _may(call, **parameters):
    """Whether policies let a call pass; other errors are not about permissions."""
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException")
    return True


@task(
    "reader",
    practises=["03.before-sending", "03.server-needs-the-key"],
    minutes=4,
    asks="`reader_policy(bucket, key)`: an IAM policy, as a dictionary",
    hints=[
        "S3 decrypts before it sends, and asks KMS in the dentist's name. Which two things must the "
        "dentist be allowed?",
        "s3:GetObject on the bucket's objects, and kms:Decrypt on the key. Two statements, two resources.",
        'look = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"} '
        'and {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key}',
    ],
    why="Two locks on one door: the object and the key. Either can be taken away alone.",
    wrong=[
        Wrong(
            _READER.replace("[look, unlock]", "[look]"),
            says="S3 asked KMS in the dentist's name, and KMS refused",
        ),
        Wrong(
            _READER.replace('{"Version": "2012-10-17", "Statement": [look, unlock]}', "look"),
            says="Return a whole policy",
        ),
        Wrong(
            _READER.replace('"Resource": key', '"Resource": "*"'),
            says="objects under another key",
        ),
        Wrong(
            _READER.replace("kms:Decrypt", "kms:*"),
            says="The dentist can do more with the key than decrypt",
        ),
        Wrong(
            _READER.replace('f"arn:aws:s3:::{bucket}/*"', '"*"'),
            says="The dentist can read another bucket",
        ),
        Wrong(
            _READER.replace('f"arn:aws:s3:::{bucket}/*"', 'f"arn:aws:s3:::{bucket}"'),
            says="compare it with the resource for S3",
        ),
        Wrong(
            _READER.replace("s3:GetObject", "s3:*"),
            says="The dentist can change or delete X-rays",
        ),
    ],
    also_right=[
        """def reader_policy(bucket, key):
    return {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["s3:GetObject", "kms:Decrypt"],
        "Resource": [f"arn:aws:s3:::{bucket}/*", key]}]}"""
    ],
)
def reader(work):
    aws, secret, key = work.value("aws"), _secret(), _key(work)
    s3, other_key = _client("s3"), _client("kms").create_key()["KeyMetadata"]["Arn"]
    mine, others = (f"x-rays-{os.urandom(6).hex()}" for _ in range(2))
    for name, under in ((mine, key), (others, key), (mine, other_key)):
        s3.create_bucket(Bucket=name)
        s3.put_object(
            Bucket=name,
            Key="another.dcm" if under == other_key else "4711.dcm",
            Body=secret,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=under,
        )
    policy = work.call(work.function("reader_policy", returns=dict), mine, key)
    work.expect(
        "Statement" in policy,
        "Return a whole policy: a dictionary with `Version`, and with what you have as its `Statement`.",
    )
    with work.or_say("IAM does not accept this policy."):
        session = _given(aws, policy)
    dentist, its_kms = session.client("s3"), session.client("kms")
    before = len(aws.trail)
    if not _may(dentist.get_object, Bucket=mine, Key="4711.dcm"):
        work.expect(
            not aws.trail.events("Decrypt", after=before),
            "The dentist still cannot look: S3 asked KMS in the dentist's name, and KMS refused.",
        )
        work.fail(
            f"The dentist may not read arn:aws:s3:::{mine}/4711.dcm at all: compare it with the resource "
            "for S3."
        )
    work.expect(
        not _may(dentist.get_object, Bucket=others, Key="4711.dcm"),
        "The dentist can read another bucket. Name the one.",
    )
    work.expect(
        not _may(dentist.get_object, Bucket=mine, Key="another.dcm"),
        "The dentist can read objects under another key. Name the one.",
    )
    writes = _may(
        dentist.put_object, Bucket=mine, Key="4711.dcm", Body=b"", ServerSideEncryption="AES256"
    )
    work.expect(
        not writes and not _may(dentist.delete_object, Bucket=mine, Key="4711.dcm"),
        "The dentist can change or delete X-rays. Looking is one action.",
    )
    more = [
        name
        for name, call, parameters in (
            ("disable it", its_kms.disable_key, {}),
            ("make data keys", its_kms.generate_data_key, {"KeySpec": "AES_256"}),
        )
        if _may(call, KeyId=key, **parameters)
    ]
    _client("kms").enable_key(KeyId=key)
    work.expect(
        not more,
        f"The dentist can do more with the key than decrypt: {' and '.join(more)}.",
    )


_DATABASE = """def encrypted_database(rds, instance, key):
    plain, sealed, new = f"{instance}-plain", f"{instance}-sealed", f"{instance}-new"
    rds.create_db_snapshot(DBInstanceIdentifier=instance, DBSnapshotIdentifier=plain)
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier=plain, TargetDBSnapshotIdentifier=sealed,
                         KmsKeyId=key)
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=new, DBSnapshotIdentifier=sealed)
    return new"""

_FIXED_NAMES = """def encrypted_database(rds, instance, key):
    rds.create_db_snapshot(DBInstanceIdentifier=instance, DBSnapshotIdentifier="plain")
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier="plain", TargetDBSnapshotIdentifier="sealed",
                         KmsKeyId=key)
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="new", DBSnapshotIdentifier="sealed")
    return "new\""""

_CREATE = """def encrypted_database(rds, instance, key):
    rds.create_db_instance(DBInstanceIdentifier=instance + "-new", DBInstanceClass="db.t3.micro",
        Engine="postgres", AllocatedStorage=20, MasterUsername="clinic",
        MasterUserPassword="a-long-password", StorageEncrypted=True, KmsKeyId=key)
    return instance + "-new\""""


@task(
    "database",
    practises="03.rds",
    minutes=4,
    asks="`encrypted_database(rds, instance, key)`: the identifier of a new, encrypted instance",
    hints=[
        "An instance is encrypted when it is created. From what can one be created that has the rows?",
        "Three calls: create_db_snapshot, copy_db_snapshot with KmsKeyId, "
        "restore_db_instance_from_db_snapshot.",
        "rds.copy_db_snapshot(SourceDBSnapshotIdentifier=plain, TargetDBSnapshotIdentifier=sealed, "
        "KmsKeyId=key), then restore from `sealed` and return the new instance's identifier",
    ],
    why="RDS encrypts an instance when it is made, and a restored one is as its snapshot: the copy was the "
    "place to name a key. The old instance and the first snapshot are still readable: delete them when "
    "the application has moved.",
    wrong=[
        Wrong(
            _DATABASE.replace(
                "DBSnapshotIdentifier=sealed)\n    return",
                "DBSnapshotIdentifier=plain)\n    return",
            ),
            says="The new instance is not encrypted",
        ),
        Wrong(
            _DATABASE.replace("KmsKeyId=key", 'KmsKeyId="alias/aws/rds"'),
            says="under another key than the clinic's",
        ),
        Wrong(_CREATE, says="The appointments are missing"),
        Wrong(_DATABASE.replace("return new", "return sealed"), says="there is no instance called"),
        Wrong(_DATABASE.replace("return new", "return instance"), says="This is the old instance"),
        Wrong(
            _DATABASE.replace("    rds.restore", "    made = rds.restore").replace(
                "return new", 'return made["DBInstance"]["DBInstanceArn"]'
            ),
            says="This is its ARN",
        ),
    ],
    also_right=[
        _FIXED_NAMES,
        _DATABASE.replace(
            "    rds.restore",
            "    rds.modify_db_instance(DBInstanceIdentifier=instance, ApplyImmediately=True,\n"
            '                           NewDBInstanceIdentifier=instance + "-old")\n'
            "    new = instance\n    rds.restore",
        ),
        """def encrypted_database(rds, instance, key):
    first, second = "first-" + instance, "second-" + instance
    rds.create_db_snapshot(DBInstanceIdentifier=instance, DBSnapshotIdentifier=first)
    copy = rds.copy_db_snapshot(SourceDBSnapshotIdentifier=first, KmsKeyId=key,
                                TargetDBSnapshotIdentifier=second)["DBSnapshot"]
    made = rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="third-" + instance,
        DBSnapshotIdentifier=copy["DBSnapshotIdentifier"])
    return made["DBInstance"]["DBInstanceIdentifier"]""",
    ],
)
def database(work):
    with _cleared_away(_client("rds")):
        _database(work)


@contextmanager
def _cleared_away(rds):
    """What comes to RDS inside is deleted afterwards: an answer may use the same names again."""

    def there():
        instances = rds.describe_db_instances()["DBInstances"]
        snapshots = rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
        return (
            {each["DBInstanceIdentifier"] for each in instances},
            {each["DBSnapshotIdentifier"] for each in snapshots},
        )

    before = there()
    try:
        yield
    finally:
        instances, snapshots = (now - then for now, then in zip(there(), before, strict=True))
        for name in instances:
            rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
        for name in snapshots:
            rds.delete_db_snapshot(DBSnapshotIdentifier=name)


def _database(work):
    aws, key, secret = work.value("aws"), _key(work), _secret().decode()
    rds, old = _client("rds"), f"dentist-{os.urandom(6).hex()}"
    rds.create_db_instance(
        DBInstanceIdentifier=old,
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="dentist",
        MasterUserPassword=os.urandom(16).hex(),
    )
    session = aws.database(old)
    session.execute("CREATE TABLE appointments (patient TEXT)")
    session.execute("INSERT INTO appointments VALUES (?)", (secret,))
    session.commit()
    new = work.call(work.function("encrypted_database", returns=str), work.value("rds"), old, key)
    try:
        found = rds.describe_db_instances(DBInstanceIdentifier=new)["DBInstances"][0]
    except ClientError:
        work.fail(f"Return the identifier of the new instance: there is no instance called {new}.")
    its_name = found["DBInstanceIdentifier"]
    work.expect(new == its_name, f"This is its ARN. Return its identifier, {its_name}.")
    work.expect(
        new != old or found["StorageEncrypted"],
        "This is the old instance, and it is as it was. Return the identifier of the new one.",
    )
    work.expect(
        found["StorageEncrypted"],
        "The new instance is not encrypted: it is as its snapshot is. Only a copy of the snapshot can "
        "name a key.",
    )
    work.expect(
        found["KmsKeyId"] == key,
        "The new instance is encrypted under another key than the clinic's.",
    )
    with work.or_say("The appointments are missing in the new instance."):
        rows = aws.database(new).execute("SELECT patient FROM appointments").fetchall()
    work.expect(rows == [(secret,)], "The appointments in the new instance are not the old ones.")
    work.expect(
        secret.encode() not in bytes(aws.stored("rds", new)),
        "An appointment can be read on the disk of the new instance.",
    )


_DRIVE = """def data_key_of(kms, disk):
    answer = kms.decrypt(CiphertextBlob=disk.wrapped_key, EncryptionContext=disk.context)
    return answer["Plaintext"]"""


@task(
    "drive",
    practises=["03.data-key-on-disk", "03.server-needs-the-key"],
    minutes=2,
    asks="`data_key_of(kms, disk)`: the volume's data key in plaintext, as bytes",
    hints=[
        "What lies on the disk that only KMS can open, and what is it bound to?",
        "One call: kms.decrypt, with the wrapped key and the encryption context of this volume.",
        'kms.decrypt(CiphertextBlob=disk.wrapped_key, EncryptionContext=disk.context)["Plaintext"]',
    ],
    why="Whoever holds the drive and may use the key can open it; the drive alone is noise. So the "
    "answer for the insurance stands in the key policy and in the trail.",
    wrong=[
        Wrong(
            "def data_key_of(kms, disk):\n    return disk.wrapped_key",
            says="This is the wrapped key",
        ),
        Wrong(
            _DRIVE.replace(", EncryptionContext=disk.context", ""),
            says="stopped with InvalidCiphertextException",
        ),
        Wrong(
            "def data_key_of(kms, disk):\n"
            "    made = kms.generate_data_key(KeyId=disk.key_arn, NumberOfBytes=64,\n"
            "                                 EncryptionContext=disk.context)\n"
            '    return made["Plaintext"]',
            says="This key does not open the disk",
        ),
        Wrong(_DRIVE.replace('answer["Plaintext"]', "answer"), says="it gives a dict"),
        Wrong(
            "from base64 import b64encode\n\n\n"
            + _DRIVE.replace('answer["Plaintext"]', 'b64encode(answer["Plaintext"])'),
            says="This is the key in Base64",
        ),
    ],
    also_right=[
        """def data_key_of(kms, disk):
    return kms.decrypt(KeyId=disk.key_arn, CiphertextBlob=bytes(disk.wrapped_key),
                       EncryptionContext={**disk.context})["Plaintext"]"""
    ],
)
def drive(work):
    aws, secret = work.value("aws"), _secret()
    kms = work.value("kms")
    stolen = _written_volume(aws, secret, Encrypted=True, KmsKeyId=_key(work))
    disk = aws.stored("ebs", stolen)
    key = work.call(work.function("data_key_of", returns=bytes), kms, disk)
    work.expect(
        key != disk.wrapped_key, "This is the wrapped key, as it lies there. Who can unwrap it?"
    )
    first = next(iter(disk.blocks.values()))

    def opens(key):
        if len(key) != 64:  # AES-256-XTS, the first sector
            return False
        sector = Cipher(algorithms.AES(key), modes.XTS(bytes(16))).decryptor().update(first)
        return sector.startswith(secret)

    work.expect(
        not opens(_from_base64(key)),
        "This is the key in Base64, as the AWS CLI prints it. boto3 gives bytes: return them as they are.",
    )
    work.expect(
        opens(key),
        "This key does not open the disk. The right one lies on it, wrapped.",
    )


def _from_base64(value):
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return b""


_ALARM = 'still_readable = {"volume", "poster", "table"}'


@task(
    "alarm",
    practises=["03.server-needs-the-key", "03.services", "03.dynamodb"],
    minutes=2,
    asks="`still_readable`: a set of names",
    hints=[
        "Which of the six asks KMS at each reading, which has a key in memory, and which never asks?",
        "One does not use the clinic's key. Of the other five, one has its data key in memory while "
        "attached, and one remembers its table key for about five minutes.",
        "The poster (SSE-S3), the volume (memory), the table (remembered): those three.",
    ],
    why="Disabling a key is fast, but not instant everywhere. In an incident also detach the volumes "
    "and count the minutes.",
    wrong=[
        Wrong("still_readable = set()", says="`poster` is readable"),
        Wrong(
            'still_readable = {"volume, poster, table"}',
            says="There is nothing called `volume, poster, table`",
        ),
        Wrong(_ALARM.replace(', "table"', ""), says="`table` is readable"),
        Wrong(_ALARM.replace('"volume", ', ""), says="`volume` is readable"),
        Wrong(_ALARM.replace('"table"', '"table", "x-ray"'), says="`x-ray` is not readable"),
        Wrong(_ALARM.replace('"table"', '"table", "password"'), says="`password` is not readable"),
        Wrong(_ALARM.replace('"table"', '"table", "secret"'), says="`secret` is not readable"),
    ],
    also_right=['still_readable = set(["table", "volume", "poster"])'],
)
def alarm(work):
    answer = work.value("still_readable", (set, list, tuple, frozenset))
    aws, key = work.value("aws"), _client("kms").create_key()["KeyMetadata"]["Arn"]
    readings = _everything_under(aws, key)
    unknown = sorted(map(str, set(answer) - set(readings)))
    work.expect(
        not unknown,
        f"There is nothing called {', '.join(f'`{each}`' for each in unknown)}: use the six names, each in "
        "quotes of its own.",
    )
    for read in readings.values():
        read()  # in the minute before
    _client("kms").disable_key(KeyId=key)
    for name, reason in (
        ("poster", "it is under SSE-S3, and the clinic's key has no part in it"),
        ("volume", "its data key is in memory since it was attached"),
        ("table", "DynamoDB remembers the table's key for some minutes"),
        ("x-ray", "S3 asks KMS for each reading without a Bucket Key"),
        ("password", "Parameter Store asks KMS at each reading"),
        ("secret", "Secrets Manager asks KMS at each reading"),
    ):
        try:
            readings[name]()
            reads = True
        except ClientError:
            reads = False
        if reads != (name in answer):
            verb = "is readable" if reads else "is not readable"
            work.fail(f"The key was disabled and everything tried: `{name}` {verb}, for {reason}.")


def _everything_under(aws, key):
    """The six things of the task under one key: a function for each that reads it."""
    mark, secret = os.urandom(6).hex(), _secret()
    s3, ssm = _client("s3"), _client("ssm")
    secrets, dynamodb = _client("secretsmanager"), _client("dynamodb")
    volume = _written_volume(aws, secret, Encrypted=True, KmsKeyId=key)
    bucket, item = f"practice-{mark}", {"id": {"S": "4711"}}
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="poster", Body=secret, ServerSideEncryption="AES256")
    s3.put_object(
        Bucket=bucket, Key="x-ray", Body=secret, ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    ssm.put_parameter(Name=f"/{mark}", Value=secret.decode(), Type="SecureString", KeyId=key)
    secrets.create_secret(Name=mark, SecretString=secret.decode(), KmsKeyId=key)
    dynamodb.create_table(
        TableName=f"visits-{mark}",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
    )
    dynamodb.put_item(TableName=f"visits-{mark}", Item=item)
    return {
        "volume": lambda: aws.disk(volume).read(0, len(secret)),
        "x-ray": lambda: s3.get_object(Bucket=bucket, Key="x-ray"),
        "poster": lambda: s3.get_object(Bucket=bucket, Key="poster"),
        "password": lambda: ssm.get_parameter(Name=f"/{mark}", WithDecryption=True),
        "secret": lambda: secrets.get_secret_value(SecretId=mark),
        "table": lambda: dynamodb.get_item(TableName=f"visits-{mark}", Key=item),
    }
