"""The tasks of lab 09: what each asks, how it is checked, and what helps."""

import json
import os

import boto3
from botocore.exceptions import ClientError

from kmscourse import cloud
from kmscourse.lab import Wrong, task
from kmscourse.lab.tasks import CLI_SECONDS

REGION = "us-east-1"


def _secret():
    return f"patient {os.urandom(6).hex()}: archive".encode()


def _attach(ec2, volume, zone=f"{REGION}a"):
    made = ec2.run_instances(
        ImageId="ami-0123456789abcdef0",
        MinCount=1,
        MaxCount=1,
        Placement={"AvailabilityZone": zone},
    )
    server = made["Instances"][0]["InstanceId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=server, Device="/dev/sdf")


def _snapshot(aws, secret, **how):
    """A snapshot of the clinic's with something on it."""
    ec2 = boto3.client("ec2")
    volume = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1, **how)["VolumeId"]
    _attach(ec2, volume)
    aws.disk(volume).write(0, secret)
    return ec2.create_snapshot(VolumeId=volume)["SnapshotId"]


def _key(work, *actions):
    """A key of the clinic's that the vault may use for these, or as the lab's policy has it."""
    policy = json.loads(work.value("policy"))
    if actions:
        policy["Statement"][1]["Action"] = list(actions)
    made = boto3.client("kms").create_key(Policy=json.dumps(policy))
    return made["KeyMetadata"]["Arn"]


def _shared(work, secret, key):
    """A snapshot of the clinic's under a key, shared with the vault."""
    source = _snapshot(work.value("aws"), secret, Encrypted=True, KmsKeyId=key)
    boto3.client("ec2").modify_snapshot_attribute(
        SnapshotId=source, OperationType="add", UserIds=[work.value("VAULT")]
    )
    return source


def _copied(ec2, source, key):
    """Another account's copy of a snapshot, as DescribeSnapshots shows it."""
    made = ec2.copy_snapshot(
        SourceSnapshotId=source, SourceRegion=REGION, Encrypted=True, KmsKeyId=key
    )
    return ec2.describe_snapshots(SnapshotIds=[made["SnapshotId"]])["Snapshots"][0]


def _content(aws, ec2, snapshot, length):
    """What lies on a snapshot, read by a server of the account that may use it; None if not."""
    volume = ec2.create_volume(AvailabilityZone=f"{REGION}a", SnapshotId=snapshot)["VolumeId"]
    try:
        _attach(ec2, volume)
    except ClientError:
        return None
    return aws.disk(volume).read(0, length)


def _refusal(call, **parameters):
    """The error of a call that policies refuse; None where they do not."""
    try:
        call(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccessDeniedException":
            return error
    return None


def _refused(call, **parameters):
    """Whether policies refuse a call."""
    return _refusal(call, **parameters) is not None


_POLICY = """def backup_key_policy(clinic, vault):
    def allow(account, actions, **more):
        return {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Action": actions, "Resource": "*", **more}
    use = ["kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    aws_only = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    return {"Version": "2012-10-17", "Statement": [allow(clinic, "kms:*"), allow(vault, use),
            allow(vault, "kms:CreateGrant", Condition=aws_only)]}"""


_ONE_USER = """def backup_key_policy(clinic, vault):
    vault = {"AWS": f"arn:aws:iam::{vault}:user/administrator"}
    use = ["kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    aws_only = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    return {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": clinic}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": vault, "Action": use, "Resource": "*"},
        {"Effect": "Allow", "Principal": vault, "Action": "kms:CreateGrant", "Resource": "*",
         "Condition": aws_only}]}"""


@task(
    "policy",
    practises="09.key-policy",
    minutes=5,
    asks="`backup_key_policy(clinic, vault)`: a key policy, as a dictionary",
    hints=[
        "Who must still be able to change this policy, and which call must not work for the vault's "
        "people themselves, only for EC2 on their behalf?",
        'Three statements. The condition of the third is {"Bool": {"kms:GrantIsForAWSResource": "true"}}.',
        'The third: {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{vault}:root"}, "Action": '
        '"kms:CreateGrant", "Resource": "*", "Condition": {"Bool": {"kms:GrantIsForAWSResource": '
        '"true"}}}. The second has the other four actions and no condition.',
    ],
    why="The vault can copy, and nothing more. Without the condition its people could hand the key on "
    "to anyone, by a grant.",
    wrong=[
        Wrong(
            _POLICY.replace(", Condition=aws_only", ""),
            says="hand the key on by a grant of their own",
        ),
        Wrong(
            _POLICY.replace("allow(vault, use)", "allow(vault, use, Condition=aws_only)"),
            says="Only a request that makes a grant has a value for kms:GrantIsForAWSResource",
        ),
        Wrong(
            _POLICY.replace("allow(vault, use)", 'allow(vault, "kms:*")'),
            says="do more with the key than a copy needs",
        ),
        Wrong(
            _POLICY.replace("allow(vault, use),", "allow(vault, use)]}").partition("]}")[0] + "]}",
            says="may not make a grant for EC2",
        ),
        Wrong(
            _POLICY.replace('"kms:DescribeKey", ', ""),
            says="still lacks DescribeKey",
        ),
        Wrong(
            _POLICY.replace('allow(clinic, "kms:*"), ', ""),
            says="will not allow you to update the key policy",
        ),
        Wrong(
            _POLICY.replace("arn:aws:iam::{account}:root", "arn:aws:iam::{clinic}:root"),
            says="does not let the vault use the key at all",
        ),
        Wrong(_ONE_USER, says="lets in one user of the vault's"),
        Wrong(
            _POLICY.replace('f"arn:aws:iam::{account}:root"', '"arn:aws:iam::{account}:root"'),
            says="the letter f stands before the quotes",
        ),
    ],
    also_right=[
        """def backup_key_policy(clinic, vault):
    use = "kms:DescribeKey kms:Decrypt kms:GenerateDataKey* kms:ReEncryptFrom kms:ReEncryptTo".split()
    return {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": clinic}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": vault}, "Action": use, "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": vault}, "Action": ["kms:CreateGrant"],
         "Resource": "*", "Condition": {"BoolIfExists": {"kms:GrantIsForAWSResource": True}}}]}"""
    ],
)
def policy(work):
    aws, vault = work.value("aws"), work.value("vault")
    clinic, account = aws.account_id, work.value("VAULT")
    written = work.call(work.function("backup_key_policy", returns=dict), clinic, account)
    kms, theirs = boto3.client("kms"), vault.client("kms")
    try:
        key = kms.create_key(Policy=json.dumps(written))["KeyMetadata"]["Arn"]
    except (ClientError, TypeError) as error:
        said = error.response["Error"]["Message"] if isinstance(error, ClientError) else error
        work.expect(
            "invalid principals" not in str(said),
            f"KMS does not accept this policy. It says: {said} Print what your function returns: does "
            "each ARN hold an account's id? For a name in braces to become its value, the letter f "
            "stands before the quotes.",
        )
        work.fail(f"KMS does not accept this policy. It says: {said}")
    calls = {
        "DescribeKey": (theirs.describe_key, {"KeyId": key}),
        "GenerateDataKey*": (theirs.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}),
        "Decrypt": (
            theirs.decrypt,
            {"CiphertextBlob": kms.encrypt(KeyId=key, Plaintext=b"4711")["CiphertextBlob"]},
        ),
    }
    refusals = {name: _refusal(call, **asked) for name, (call, asked) in calls.items()}
    lacks = [name for name, error in refusals.items() if error]
    if len(lacks) == len(calls):
        because = aws.explain(refusals["Decrypt"]).because
        work.expect(
            "GrantIsForAWSResource" not in because,
            "Only a request that makes a grant has a value for kms:GrantIsForAWSResource. Give "
            "kms:CreateGrant a statement of its own, and leave the condition out of the other.",
        )
        work.fail(f"This policy does not let the vault use the key at all. {because}")
    work.expect(not lacks, f"The vault still lacks {', '.join(lacks)}.")
    blob = calls["Decrypt"][1]["CiphertextBlob"]
    work.expect(
        not _refused(theirs.re_encrypt, CiphertextBlob=blob, DestinationKeyId=key),
        "The vault still lacks ReEncrypt*.",
    )
    copy = _copied(vault.client("ec2"), _shared(work, _secret(), key), work.value("vault_key"))
    work.expect(
        copy["State"] == "completed",
        "The vault may not make a grant for EC2, so its copy fails: kms:CreateGrant, under the "
        "condition.",
    )
    others = aws.account(account).session("root").client("kms")
    work.expect(
        not _refused(others.describe_key, KeyId=key),
        "This policy lets in one user of the vault's, and nobody else there. The vault's account is "
        "to use the key: name the account.",
    )
    too_much = {
        "kms:Encrypt": (theirs.encrypt, {"KeyId": key, "Plaintext": b"4711"}),
        "kms:ListGrants": (theirs.list_grants, {"KeyId": key}),
    }
    allowed = [name for name, (call, asked) in too_much.items() if not _refused(call, **asked)]
    work.expect(
        not allowed,
        f"The vault's people can do more with the key than a copy needs, {' and '.join(allowed)} "
        "among it. Name only what it needs.",
    )
    grant = {"KeyId": key, "GranteePrincipal": f"arn:aws:iam::{account}:root"}
    work.expect(
        _refused(theirs.create_grant, **grant, Operations=["Decrypt"]),
        "The vault's people can hand the key on by a grant of their own. A condition lets only AWS "
        "services make them.",
    )
    work.expect(
        not _refused(kms.put_key_policy, KeyId=key, Policy=json.dumps(written)),
        "The clinic can no longer change this policy.",
    )


_SHARE = """def share_snapshot(ec2, snapshot_id, key, target):
    shared = ec2.copy_snapshot(SourceSnapshotId=snapshot_id, SourceRegion="us-east-1",
                               Encrypted=True, KmsKeyId=key)["SnapshotId"]
    ec2.modify_snapshot_attribute(SnapshotId=shared, OperationType="add", UserIds=[target])
    return shared"""


@task(
    "share",
    practises=["09.share", "09.own-key", "09.not-aws-managed"],
    minutes=4,
    seconds=CLI_SECONDS,
    asks="`share_snapshot(ec2, snapshot_id, key, target)`: the id of the snapshot that is shared",
    hints=[
        "What lies under the AWS managed key cannot be shared. What could be shared in its place?",
        "copy_snapshot may name another key. Then modify_snapshot_attribute, of the copy.",
        "shared = ec2.copy_snapshot(SourceSnapshotId=snapshot_id, SourceRegion='us-east-1', "
        "Encrypted=True, KmsKeyId=key)['SnapshotId'], then ec2.modify_snapshot_attribute("
        "SnapshotId=shared, OperationType='add', UserIds=[target])",
    ],
    why="A copy may change the key, and this is how data leave the AWS managed key. Under your own key "
    "you decide who may use it.",
    wrong=[
        Wrong(
            "def share_snapshot(ec2, snapshot_id, key, target):\n"
            "    ec2.modify_snapshot_attribute(SnapshotId=snapshot_id, OperationType='add',\n"
            "                                  UserIds=[target])\n"
            "    return snapshot_id",
            says="OperationNotPermitted",
        ),
        Wrong(
            _SHARE.replace(
                '    ec2.modify_snapshot_attribute(SnapshotId=shared, OperationType="add", UserIds=[target])\n',
                "",
            ),
            says="is not shared with",
        ),
        Wrong(
            _SHARE.replace("return shared", "return snapshot_id"),
            says="is not under the key that was passed",
        ),
        Wrong(
            _SHARE.replace(", KmsKeyId=key)", ")").replace(
                "    ec2.modify", "    if False: ec2.modify"
            ),
            says="does not say under which key",
        ),
    ],
    also_right=[
        """def share_snapshot(ec2, snapshot_id, key, target):
    found = ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
    if found.get("KmsKeyId") != key:
        snapshot_id = ec2.copy_snapshot(SourceSnapshotId=snapshot_id, Encrypted=True,
            SourceRegion="us-east-1", KmsKeyId=key)["SnapshotId"]
    ec2.modify_snapshot_attribute(SnapshotId=snapshot_id, Attribute="createVolumePermission",
        CreateVolumePermission={"Add": [{"UserId": target}]})
    return snapshot_id"""
    ],
)
def share(work):
    aws, target, key = work.value("aws"), work.value("VAULT"), work.value("backup_key")
    ec2, share_snapshot = boto3.client("ec2"), work.function("share_snapshot", returns=str)
    for how in ({}, {"KmsKeyId": key}):
        secret = _secret()
        source = _snapshot(aws, secret, Encrypted=True, **how)
        shared = work.call(share_snapshot, boto3.client("ec2"), source, key, target)
        with work.or_say("Return the id of a snapshot."):
            found = ec2.describe_snapshots(SnapshotIds=[shared])["Snapshots"][0]
        default = boto3.client("kms").describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["Arn"]
        work.expect(
            found.get("KmsKeyId") != default or shared == source,
            "The copy is under the AWS managed key again: the request does not say under which key.",
        )
        work.expect(
            found.get("KmsKeyId") == key,
            "The snapshot that you return is not under the key that was passed.",
        )
        permitted = ec2.describe_snapshot_attribute(
            SnapshotId=shared, Attribute="createVolumePermission"
        )["CreateVolumePermissions"]
        work.expect(
            {"UserId": target} in permitted,
            "The snapshot that you return is not shared with the target account.",
        )
        work.expect(
            len(permitted) == 1, "The snapshot is shared with more than the target account."
        )
        with work.or_say("The target account cannot read what was shared."):
            copy = _copied(work.value("vault").client("ec2"), shared, work.value("vault_key"))
            assert copy["State"] == "completed"
            got = _content(aws, work.value("vault").client("ec2"), copy["SnapshotId"], len(secret))
        work.expect(got == secret, "The content of the shared snapshot is another.")


_COPY = """def take_over(ec2, snapshot_id, key):
    copy = ec2.copy_snapshot(SourceSnapshotId=snapshot_id, SourceRegion="us-east-1",
                             Encrypted=True, KmsKeyId=key)["SnapshotId"]
    found = ec2.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]
    if found["State"] == "error":
        raise RuntimeError(found["StateMessage"])
    return copy"""


@task(
    "copy",
    practises="09.copy-under-own-key",
    minutes=4,
    asks="`take_over(ec2, snapshot_id, key)`: the id of a completed copy",
    hints=[
        "CopySnapshot answers before the copy is done. Where does it say how it ended?",
        "copy_snapshot with the vault's key, then describe_snapshots: State is completed or error, and "
        "StateMessage says why.",
        'found = ec2.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]; if found["State"] == '
        '"error": raise RuntimeError(found["StateMessage"])',
    ],
    why="A backup job that does not look at the state reports success every night, and finds out in "
    "the fire.",
    wrong=[
        Wrong(
            "def take_over(ec2, snapshot_id, key):\n"
            '    return ec2.copy_snapshot(SourceSnapshotId=snapshot_id, SourceRegion="us-east-1",\n'
            '                             Encrypted=True, KmsKeyId=key)["SnapshotId"]',
            says="the copy had failed, and your function returned an id",
        ),
        Wrong(
            _COPY.replace("KmsKeyId=key", 'KmsKeyId="alias/aws/ebs"'),
            says="is not under the key of the vault",
        ),
        Wrong(
            "def take_over(ec2, snapshot_id, key):\n    return snapshot_id",
            says="still the clinic's",
        ),
        Wrong(
            _COPY.replace('raise RuntimeError(found["StateMessage"])', "return None"),
            says="returned None",
        ),
        Wrong(
            _COPY.replace("raise RuntimeError", "return str"),
            says="your function returned 'Given key ID is not accessible'",
        ),
        Wrong(
            _COPY.replace("raise RuntimeError", "raise str"),
            says="a text cannot be raised",
        ),
    ],
    also_right=[
        """def take_over(ec2, snapshot_id, key):
    asked = dict(SourceSnapshotId=snapshot_id, SourceRegion="us-east-1", KmsKeyId=key)
    copy = ec2.copy_snapshot(**asked, Encrypted=True)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[copy])
    return copy"""
    ],
)
def copy_(work):
    aws, vault, own = work.value("aws"), work.value("vault"), work.value("vault_key")
    ec2, take_over, secret = vault.client("ec2"), work.function("take_over"), _secret()
    key = _key(work)
    source = _shared(work, secret, key)
    copy = work.call(take_over, ec2, source, own)
    work.expect(copy != source, "This is the shared snapshot itself: it is still the clinic's.")
    with work.or_say("Return the id of the copy."):
        found = ec2.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]
    work.expect(
        found["OwnerId"] == work.value("VAULT") and found["State"] == "completed",
        "This is no completed snapshot of the vault's.",
    )
    work.expect(found["KmsKeyId"] == own, "The copy is not under the key of the vault.")
    boto3.client("kms").disable_key(KeyId=key)
    work.expect(
        _content(aws, ec2, copy, len(secret)) == secret,
        "The clinic disabled its key, and the copy could not be used.",
    )
    for name, failing in (
        ("key could not be used", _shared(work, _secret(), _key(work, "kms:DescribeKey"))),
        ("snapshot was not shared", _snapshot(aws, _secret(), Encrypted=True)),
    ):
        refusal = work.refuses(take_over, ec2, failing, own)
        work.expect(
            "derive from BaseException" not in str(refusal),
            f"Where the {name}, your function raised a text, and a text cannot be raised. Put it "
            'into an error: raise RuntimeError("...").',
        )
        if refusal is not None:
            continue
        returned = work.call(take_over, ec2, failing, own)
        work.expect(
            returned is not None,
            f"Where the {name}, your function returned None. The job goes on as if all were well: "
            "raise an error.",
        )
        work.expect(
            str(returned).startswith("snap-"),
            f"Where the {name}, your function returned {work.shown(returned)}. Nobody reads that at "
            "night, and the job goes on: raise an error.",
        )
        work.fail(
            f"Where the {name}, the copy had failed, and your function returned an id. Look at the "
            "state of the copy."
        )


_DRILL = """def volume_from(ec2, snapshot_id, zone):
    made = ec2.create_volume(AvailabilityZone=zone, SnapshotId=snapshot_id)["VolumeId"]
    ec2.describe_volumes(VolumeIds=[made])
    return made"""


@task(
    "drill",
    practises="09.create-volume",
    minutes=2,
    asks="`volume_from(ec2, snapshot_id, zone)`: the id of a volume that is there",
    hints=[
        "CreateVolume says `creating`. What says that the volume came to be?",
        "Look the volume up after you made it: describe_volumes raises where it is gone.",
        'made = ec2.create_volume(AvailabilityZone=zone, SnapshotId=snapshot_id)["VolumeId"]; '
        "ec2.describe_volumes(VolumeIds=[made]); return made",
    ],
    why="A volume whose key cannot be used vanishes without a word. A drill that does not look proves "
    "nothing.",
    wrong=[
        Wrong(
            "def volume_from(ec2, snapshot_id, zone):\n"
            "    return ec2.create_volume(AvailabilityZone=zone, SnapshotId=snapshot_id)['VolumeId']",
            says="went on as if it were there",
        ),
        Wrong(
            _DRILL.replace("SnapshotId=snapshot_id", "Size=1"),
            says="There is nothing on the volume",
        ),
        Wrong(
            _DRILL.replace("AvailabilityZone=zone", 'AvailabilityZone="us-east-1a"'),
            says="in the zone",
        ),
    ],
    also_right=[
        """def volume_from(ec2, snapshot_id, zone):
    made = ec2.create_volume(SnapshotId=snapshot_id, AvailabilityZone=zone)
    ec2.get_waiter("volume_available").wait(VolumeIds=[made["VolumeId"]])
    return made["VolumeId"]"""
    ],
)
def drill(work):
    aws, ec2 = work.value("aws"), work.value("vault").client("ec2")
    kms, secret = work.value("vault").client("kms"), _secret()
    volume_from = work.function("volume_from", returns=str)
    own = kms.create_key()["KeyMetadata"]["Arn"]
    copy = _copied(ec2, _shared(work, secret, _key(work)), own)["SnapshotId"]
    zone = f"{REGION}b"
    made = work.call(volume_from, ec2, copy, zone)
    with work.or_say("Return the id of the volume."):
        found = ec2.describe_volumes(VolumeIds=[made])["Volumes"][0]
    work.expect(
        found["AvailabilityZone"] == zone,
        "The volume is not in the zone that was asked for.",
    )
    _attach(ec2, made, zone)
    work.expect(
        aws.disk(made).read(0, len(secret)) == secret,
        "There is nothing on the volume: it was not made from the snapshot.",
    )
    kms.disable_key(KeyId=own)
    work.refuses(
        volume_from,
        ec2,
        copy,
        zone,
        says="The vault's key was disabled, so the volume came to nothing, and your function went on "
        "as if it were there. Look the volume up, and let the error out.",
    )


_DATABASE = """def take_over_database(rds, snapshot_arn, key):
    name = snapshot_arn.split(":")[-1]
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier=snapshot_arn, KmsKeyId=key,
                         TargetDBSnapshotIdentifier=name + "-copy")
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=name + "-db",
                                             DBSnapshotIdentifier=name + "-copy")
    return name + "-db\""""

_FIXED_NAMES = """def take_over_database(rds, snapshot_arn, key):
    rds.copy_db_snapshot(SourceDBSnapshotIdentifier=snapshot_arn, KmsKeyId=key,
                         TargetDBSnapshotIdentifier="copy")
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="ours", DBSnapshotIdentifier="copy")
    return "ours\""""


@task(
    "database",
    practises="09.rds-and-images",
    minutes=4,
    asks="`take_over_database(rds, snapshot_arn, key)`: the identifier of the new instance",
    hints=[
        "RDS does not restore an encrypted snapshot that is only shared. What comes first?",
        "copy_db_snapshot, with the ARN as the source and with KmsKeyId; then restore from the copy.",
        "rds.copy_db_snapshot(SourceDBSnapshotIdentifier=snapshot_arn, TargetDBSnapshotIdentifier="
        "'copy-1', KmsKeyId=key), then rds.restore_db_instance_from_db_snapshot",
    ],
    why="The same five steps under other names, and RDS insists on the fourth.",
    wrong=[
        Wrong(
            "def take_over_database(rds, snapshot_arn, key):\n"
            "    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier='x',\n"
            "                                             DBSnapshotIdentifier=snapshot_arn)\n"
            "    return 'x'",
            says="InvalidDBSnapshotState",
        ),
        Wrong(_DATABASE.replace(", KmsKeyId=key", ""), says="Must specify a KMS key"),
        Wrong(
            _FIXED_NAMES.replace("KmsKeyId=key", 'KmsKeyId="alias/aws/rds"'),
            says="is not under the key of the vault",
        ),
        Wrong(
            _DATABASE.replace('return name + "-db"', 'return name + "-copy"'),
            says="no instance called",
        ),
        Wrong(
            _DATABASE.replace("    rds.restore", "    made = rds.restore").replace(
                'return name + "-db"', 'return made["DBInstance"]["DBInstanceArn"]'
            ),
            says="This is the ARN of the instance",
        ),
    ],
    also_right=[
        """def take_over_database(rds, snapshot_arn, key):
    target = "ours-" + snapshot_arn.rsplit(":", 1)[1]
    copy = rds.copy_db_snapshot(SourceDBSnapshotIdentifier=snapshot_arn, KmsKeyId=key,
                                TargetDBSnapshotIdentifier=target)["DBSnapshot"]
    return rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=target,
        DBSnapshotIdentifier=copy["DBSnapshotIdentifier"])["DBInstance"]["DBInstanceIdentifier"]""",
        _FIXED_NAMES,
    ],
)
def database(work):
    # In a world of its own: names that an answer fixes are free at each attempt.
    with cloud.running(seed="the vault's database") as aws:
        _database(work, aws, aws.account(work.value("VAULT")))


def _database(work, aws, vault):
    secret = _secret().decode()
    key, rds, name = _key(work), boto3.client("rds"), f"nightly-{os.urandom(6).hex()}"
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="clinic",
        MasterUserPassword=os.urandom(16).hex(),
        StorageEncrypted=True,
        KmsKeyId=key,
    )
    session = aws.database(name, account=aws.account_id)
    session.execute("CREATE TABLE patients (id TEXT)")
    session.execute("INSERT INTO patients VALUES (?)", (secret,))
    session.commit()
    made = rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=name)
    rds.modify_db_snapshot_attribute(
        DBSnapshotIdentifier=name, AttributeName="restore", ValuesToAdd=[vault.id]
    )
    administrator = vault.session("root")
    theirs, arn = administrator.client("rds"), made["DBSnapshot"]["DBSnapshotArn"]
    vault_key = administrator.client("kms").create_key()["KeyMetadata"]["Arn"]
    take_over_database = work.function("take_over_database", returns=str)
    new = work.call(take_over_database, theirs, arn, vault_key)
    try:
        found = theirs.describe_db_instances(DBInstanceIdentifier=new)["DBInstances"][0]
    except ClientError:
        work.fail(f"The vault has no instance called {new}. Return the identifier of the new one.")
    work.expect(
        new != found["DBInstanceArn"],
        "This is the ARN of the instance. Return its identifier, the name that you gave it.",
    )
    work.expect(
        found.get("KmsKeyId") == vault_key,
        "The new instance is not under the key of the vault.",
    )
    boto3.client("kms").disable_key(KeyId=key)
    with work.or_say("The clinic disabled its key, and the new instance could not be used."):
        rows = aws.database(new, account=vault.id).execute("SELECT id FROM patients").fetchall()
    work.expect(rows == [(secret,)], "The rows of the new instance are not those of the snapshot.")


_MISSING = """def missing_step(ec2, kms, snapshot_id, target):
    found = ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
    key = found.get("KmsKeyId")
    if key is None or kms.describe_key(KeyId=key)["KeyMetadata"]["KeyManager"] != "CUSTOMER":
        return 1
    if target not in kms.get_key_policy(KeyId=key)["Policy"]:
        return 2
    permissions = ec2.describe_snapshot_attribute(
        SnapshotId=snapshot_id, Attribute="createVolumePermission")["CreateVolumePermissions"]
    return None if {"UserId": target} in permissions else 3"""


_THREE_FIRST = """def missing_step(ec2, kms, snapshot_id, target):
    found = ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
    key = found.get("KmsKeyId")
    if key is None or kms.describe_key(KeyId=key)["KeyMetadata"]["KeyManager"] != "CUSTOMER":
        return 1
    permissions = ec2.describe_snapshot_attribute(
        SnapshotId=snapshot_id, Attribute="createVolumePermission")["CreateVolumePermissions"]
    if {"UserId": target} not in permissions:
        return 3
    return None if target in kms.get_key_policy(KeyId=key)["Policy"] else 2"""


@task(
    "missing",
    practises=["09.own-key", "09.key-policy", "09.share", "09.not-aws-managed"],
    minutes=6,
    seconds=CLI_SECONDS,
    asks="`missing_step(ec2, kms, snapshot_id, target)`: 1, 2, 3 or None",
    hints=[
        "Three questions, in the order of the steps. Which call answers each?",
        "describe_snapshots gives the key (none at all counts as step 1), describe_key its KeyManager, "
        "get_key_policy the text in which to look for the account, describe_snapshot_attribute the "
        "permissions.",
        'if key is None or KeyManager != "CUSTOMER": return 1; if target not in policy: return 2; '
        'return None if {"UserId": target} in permissions else 3',
    ],
    why="Three documents in one account, three calls to read them: the errors at the other end name "
    "none of them.",
    wrong=[
        Wrong(
            _MISSING.replace(
                'kms.describe_key(KeyId=key)["KeyMetadata"]["KeyManager"] != "CUSTOMER"', "False"
            ),
            says="under the AWS managed key, step 1",
        ),
        Wrong(
            _MISSING.replace('target not in kms.get_key_policy(KeyId=key)["Policy"]', "False"),
            says="whose key policy does not name the account, step 2",
        ),
        Wrong(
            _MISSING.replace(
                'return None if {"UserId": target} in permissions else 3', "return None"
            ),
            says="that is not shared, step 3, your function says None",
        ),
        Wrong(
            _MISSING.replace("return None if", "return 4 if"),
            says="for which nothing is missing",
        ),
        Wrong(
            _MISSING.replace("key is None or ", ""),
            says="`missing_step` stopped with",
        ),
        Wrong(
            _MISSING.replace('{"UserId": target} in permissions', "permissions"),
            says="shared with another account only, step 3",
        ),
        Wrong(_THREE_FIRST, says="for which 2 and 3 are missing"),
        Wrong(_MISSING.replace("else 3", 'else "3"'), says="without quotes"),
    ],
    also_right=[
        """def missing_step(ec2, kms, snapshot_id, target):
    [snapshot] = ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    if not snapshot["Encrypted"]:
        return 1
    manager = kms.describe_key(KeyId=snapshot["KmsKeyId"])["KeyMetadata"]["KeyManager"]
    policy = json.loads(kms.get_key_policy(KeyId=snapshot["KmsKeyId"])["Policy"])
    named = any(target in json.dumps(s.get("Principal")) for s in policy["Statement"])
    may = ec2.describe_snapshot_attribute(SnapshotId=snapshot_id, Attribute="createVolumePermission")
    shared = target in [each.get("UserId") for each in may["CreateVolumePermissions"]]
    checks = [manager == "CUSTOMER", named, shared]
    return checks.index(False) + 1 if False in checks else None"""
    ],
)
def missing(work):
    aws, target = work.value("aws"), work.value("VAULT")
    ec2, kms = boto3.client("ec2"), boto3.client("kms")
    missing_step, key = work.function("missing_step"), work.value("backup_key")
    closed = kms.create_key()["KeyMetadata"]["Arn"]
    ours, nobody, someone_else = {"Encrypted": True, "KmsKeyId": key}, [], ["999999999999"]
    refusing = {"Encrypted": True, "KmsKeyId": closed}
    for wanted, what, how, shared_with in (
        (None, "for which nothing is missing", ours, [target]),
        (3, "that is not shared, step 3", ours, nobody),
        (3, "that is shared with another account only, step 3", ours, someone_else),
        (2, "whose key policy does not name the account, step 2", refusing, [target]),
        (2, "for which 2 and 3 are missing, and 2 comes first", refusing, nobody),
        (1, "under the AWS managed key, step 1", {"Encrypted": True}, nobody),
        (1, "that is not encrypted at all, step 1", {}, [target]),
    ):
        snapshot = _snapshot(aws, _secret(), **how)
        if shared_with:
            ec2.modify_snapshot_attribute(
                SnapshotId=snapshot, OperationType="add", UserIds=shared_with
            )
        answer = work.call(missing_step, ec2, kms, snapshot, target)
        quoted = f", which is text: return {wanted} without quotes" if answer == str(wanted) else ""
        work.expect(
            answer == wanted,
            f"For a snapshot {what}, your function says {work.shown(answer)}{quoted}.",
        )
