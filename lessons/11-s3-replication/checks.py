"""The tasks of lab 11: what each asks, how it is checked, and what helps."""

import json
import uuid
from functools import cache

import boto3
from botocore.exceptions import ClientError, ParamValidationError

from kmscourse.cloud.authorization import Policies, Request, decide
from kmscourse.lab import Wrong, task

HOSPITAL, AWAY, HOME = "444455556666", "eu-west-1", "us-east-1"
WRITES = [
    "s3:ReplicateObject",
    "s3:ReplicateDelete",
    "s3:ReplicateTags",
    "s3:ObjectOwnerOverrideToBucketOwner",
]
SCAN = b"a scan of patient 4711"


def _document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def _through(region):
    return {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}}


@cache
def _clients(aws):
    """The clients of the two administrators, made once for a check."""
    hospital = aws.account(HOSPITAL).session("root", region=AWAY)
    ours = (boto3.client(each) for each in ("s3", "kms", "iam"))
    return (*ours, hospital.client("s3"), hospital.client("kms"))


class Replication:
    """Two buckets, two accounts, a role and a rule that work; a check changes a piece of it.

    `pair` is the source's and the replica's key, where other keys than two new ones are wanted.
    """

    def __init__(self, aws, pair=None):
        name = uuid.uuid4().hex[:12]
        self.aws, self.role = aws, f"radiology-{name}"
        self.source, self.copy = f"scans-{name}", f"university-{name}"
        self.s3, self.kms, self.iam, self.away_s3, self.away_kms = _clients(aws)
        self.s3.create_bucket(Bucket=self.source)
        where = {"CreateBucketConfiguration": {"LocationConstraint": AWAY}}
        self.away_s3.create_bucket(Bucket=self.copy, **where)
        versions = {"VersioningConfiguration": {"Status": "Enabled"}}
        self.s3.put_bucket_versioning(Bucket=self.source, **versions)
        self.away_s3.put_bucket_versioning(Bucket=self.copy, **versions)
        trust = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}}
        trust["Action"] = "sts:AssumeRole"
        made = self.iam.create_role(RoleName=self.role, AssumeRolePolicyDocument=_document(trust))
        self.role_arn = made["Role"]["Arn"]
        self.source_key, self.replica_key = pair or (_key(self.kms), _key(self.away_kms))
        source, copy = f"arn:aws:s3:::{self.source}", f"arn:aws:s3:::{self.copy}"
        reads = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl"]
        self.reading = [
            _allow(["s3:GetReplicationConfiguration", "s3:ListBucket"], source),
            _allow([*reads, "s3:GetObjectVersionTagging"], f"{source}/*"),
        ]
        self.writing = _allow(WRITES, f"{copy}/*")
        self.in_kms = [
            _allow("kms:Decrypt", self.source_key, Condition=_through(HOME)),
            _allow("kms:Encrypt", self.replica_key, Condition=_through(AWAY)),
        ]
        self.rule = {
            "ID": "all",
            "Status": "Enabled",
            "Priority": 1,
            "Filter": {},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
            "Destination": {
                "Bucket": copy,
                "EncryptionConfiguration": {"ReplicaKmsKeyID": self.replica_key},
            },
        }
        self.own = _allow("kms:*", Principal={"AWS": f"arn:aws:iam::{HOSPITAL}:root"})
        self.role_encrypts = _allow("kms:Encrypt", Principal={"AWS": self.role_arn})
        self.let_in()
        self.give(*self.in_kms)
        if pair is None:
            self.key_policy(self.own, self.role_encrypts)

    def let_in(self, **change):
        statement = {**self.writing, "Principal": {"AWS": self.role_arn}, **change}
        self.away_s3.put_bucket_policy(Bucket=self.copy, Policy=_document(statement))

    def give(self, *in_kms, writing=True):
        """The role's policy: what it may in S3, and these statements about KMS."""
        statements = [*self.reading, *([self.writing] if writing else []), *in_kms]
        self.iam.put_role_policy(
            RoleName=self.role, PolicyName="replicate", PolicyDocument=_document(*statements)
        )

    def key_policy(self, *statements):
        self.away_kms.put_key_policy(KeyId=self.replica_key, Policy=_document(*statements))

    def apply(self, rule=None):
        configuration = {"Role": self.role_arn, "Rules": [rule or self.rule]}
        self.s3.put_bucket_replication(Bucket=self.source, ReplicationConfiguration=configuration)

    def put(self, key, **how):
        under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.source_key}
        self.s3.put_object(Bucket=self.source, Key=key, Body=SCAN, **(how or under))

    def wait(self):
        self.aws.clock.advance(minutes=15)

    def status(self, key):
        return self.s3.head_object(Bucket=self.source, Key=key).get("ReplicationStatus")

    def replica(self, key):
        """The copy at the hospital, read by the hospital; None where there is none."""
        try:
            return self.away_s3.get_object(Bucket=self.copy, Key=key)
        except ClientError:
            return None

    def records(self, after):
        """What the role did or tried, on the clinic's trail."""
        trail = self.aws.trail
        return trail.events(user=self.role, after=after, account=self.aws.account_id)


def _key(kms, **more):
    return kms.create_key(**more)["KeyMetadata"]["Arn"]


def _may(client, operation, **parameters):
    try:
        getattr(client, operation)(**parameters)
    except ClientError as error:
        return "AccessDenied" not in error.response["Error"]["Code"]
    return True


def _accepted(work, what, function, *args):
    """Carry out what AWS may refuse because of the learner's answer."""
    try:
        function(*args)
    except ClientError as error:
        work.fail(f"{what} It says: {error.response['Error']['Message']}")
    except ParamValidationError as error:
        work.fail(f"{what} boto3 says: {' '.join(str(error).split())}")
    except (TypeError, ValueError) as error:
        work.fail(f"{what} {error}")


# --- 1 report -------------------------------------------------------------------------------------

_REPORT = """def not_arrived(s3, bucket):
    found = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for each in page.get("Contents", []):
            status = s3.head_object(Bucket=bucket, Key=each["Key"]).get("ReplicationStatus", "none")
            if status != "COMPLETED":
                found[each["Key"]] = status
    return found"""


@task(
    "report",
    minutes=4,
    asks="`not_arrived(s3, bucket)`: a dictionary from key to status",
    practises=["11.what-replicates", "11.find-the-cause", "11.existing-objects"],
    hints=[
        "Which call tells the replication status of an object, and what does it say of one that no "
        "rule covers?",
        "list_objects_v2 gives the keys, head_object the ReplicationStatus, which may be missing.",
        'head_object(...).get("ReplicationStatus", "none"); keep it unless it is "COMPLETED".',
    ],
    why="An object without a status is the dangerous one: no error, no event, no entry in any report "
    "of failures.",
    wrong=[
        Wrong(
            _REPORT.replace('if status != "COMPLETED"', 'if status == "FAILED"'),
            says="A scan that is older than the rule",
        ),
        Wrong(
            _REPORT.replace('.get("ReplicationStatus", "none")', '["ReplicationStatus"]'),
            says="stopped with",
        ),
        Wrong(
            _REPORT.replace('if status != "COMPLETED"', "if True"), says="A scan that has arrived"
        ),
        Wrong(
            _REPORT.replace('if status != "COMPLETED"', 'if status in ("FAILED", "none")'),
            says="A scan that was uploaded a moment ago",
        ),
    ],
    also_right=[
        """def not_arrived(s3, bucket):
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    heads = {key: s3.head_object(Bucket=bucket, Key=key) for key in keys}
    statuses = {key: head.get("ReplicationStatus") or "none" for key, head in heads.items()}
    return {key: status for key, status in statuses.items() if status in ("none", "FAILED", "PENDING")}"""
    ],
    seconds=20,
)
def report(work):
    here = Replication(work.value("aws"))
    asked = work.function("not_arrived", returns=dict)
    here.put("old")
    here.apply()
    here.put("fine")
    here.wait()
    here.give()
    here.put("refused")
    here.wait()
    here.put("fresh")
    found = asked(here.s3, here.source)
    for key, status, words in (
        ("old", "none", "A scan that is older than the rule"),
        ("refused", "FAILED", "A scan whose replication failed"),
        ("fresh", "PENDING", "A scan that was uploaded a moment ago"),
    ):
        work.expect(key in found, f"{words} is missing in the report; its status is {status!r}.")
        work.expect(found[key] == status, f"{words} has the status {status!r}, not {found[key]!r}.")
    work.expect("fine" not in found, "A scan that has arrived is in the report.")


# --- 2 rule ---------------------------------------------------------------------------------------

_RULE = """def full_rule(copy_bucket, replica_key, owner):
    rule = simple_rule(copy_bucket)
    rule["SourceSelectionCriteria"] = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    rule["Destination"]["EncryptionConfiguration"] = {"ReplicaKmsKeyID": replica_key}
    rule["Destination"]["Account"] = owner
    rule["Destination"]["AccessControlTranslation"] = {"Owner": "Destination"}
    return rule"""


@task(
    "rule",
    minutes=5,
    asks="`full_rule(copy_bucket, replica_key, owner)`: a rule, as a dictionary",
    practises=["11.sse-kms-switched-on", "11.two-accounts"],
    hints=[
        "What are objects under KMS keys called in a rule, and where is the key for the copy named?",
        "SourceSelectionCriteria, with SseKmsEncryptedObjects, stands in the rule; "
        "EncryptionConfiguration, with ReplicaKmsKeyID, in its Destination.",
        '{**simple_rule(copy_bucket), "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": '
        '"Enabled"}}}; in "Destination": "EncryptionConfiguration": {"ReplicaKmsKeyID": replica_key}, '
        '"Account": owner, "AccessControlTranslation": {"Owner": "Destination"}.',
    ],
    why="Without the first, encrypted objects are left out without a word. The second S3 takes as it "
    "is: it looks at the key only when an object is due.",
    wrong=[
        Wrong(
            "def full_rule(copy_bucket, replica_key, owner):\n    return simple_rule(copy_bucket)",
            says="A scan under a KMS key has no replication status",
        ),
        Wrong(
            _RULE.replace(
                '    rule["Destination"]["EncryptionConfiguration"] = '
                '{"ReplicaKmsKeyID": replica_key}\n',
                "",
            ),
            says="ReplicaKmsKeyID must be specified",
        ),
        Wrong(
            _RULE.replace('"ReplicaKmsKeyID": replica_key', '"ReplicaKmsKeyID": replica_key[-36:]'),
            says="is not encrypted under the hospital's key",
        ),
        Wrong(
            _RULE.replace(
                'rule["Destination"]["EncryptionConfiguration"]', 'rule["EncryptionConfiguration"]'
            ),
            says="Unknown parameter",
        ),
        Wrong(
            _RULE.replace(
                '    rule["Destination"]["AccessControlTranslation"] = {"Owner": "Destination"}\n',
                "",
            ),
            says="The copies would belong to the clinic",
        ),
    ],
    also_right=[
        """def full_rule(copy_bucket, replica_key, owner):
    enabled = {"Status": "Enabled"}
    return dict(
        ID="x", Priority=7, Filter={"Prefix": ""}, DeleteMarkerReplication=enabled, **enabled,
        SourceSelectionCriteria={"SseKmsEncryptedObjects": enabled},
        Destination=dict(
            Bucket="arn:aws:s3:::" + copy_bucket, Account=owner, StorageClass="STANDARD_IA",
            AccessControlTranslation={"Owner": "Destination"},
            EncryptionConfiguration={"ReplicaKmsKeyID": replica_key}))"""
    ],
    seconds=20,
)
def rule(work):
    here = Replication(work.value("aws"))
    written = work.function("full_rule", returns=dict)(here.copy, here.replica_key, HOSPITAL)
    _accepted(work, "S3 does not take this rule.", here.apply, written)
    here.put("under kms")
    here.put("leaflet", ServerSideEncryption="AES256")
    here.wait()
    work.expect(here.status("leaflet") == "COMPLETED", "An object under SSE-S3 does not arrive.")
    work.expect(
        here.status("under kms") is not None,
        "A scan under a KMS key has no replication status: the rule does not speak of it.",
    )
    replica = here.replica("under kms")
    work.expect(
        replica and replica["SSEKMSKeyId"] == here.replica_key,
        "The copy is not encrypted under the hospital's key: name it by its whole ARN.",
    )
    told = (written["Destination"].get("AccessControlTranslation") or {}).get("Owner")
    work.expect(
        told == "Destination" and written["Destination"].get("Account") == HOSPITAL,
        "The copies would belong to the clinic: AccessControlTranslation, and the Account of the "
        "hospital, change the owner.",
    )


# --- 3 role ---------------------------------------------------------------------------------------

_ROLE = """def kms_statements(source_key, replica_key):
    def allow(action, key):
        region = key.split(":")[3]
        return {"Effect": "Allow", "Action": action, "Resource": key, "Condition":
                {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}}}
    return [allow("kms:Decrypt", source_key), allow("kms:Encrypt", replica_key)]"""


@task(
    "role",
    minutes=5,
    asks="`kms_statements(source_key, replica_key)`: a list of statements",
    practises=["11.role-permissions", "11.multi-region-keys"],
    hints=[
        "What does S3 do with the scan at the source, and what at the destination?",
        "Two statements: kms:Decrypt on the source's key, kms:Encrypt on the replica's. Each with a "
        "Condition on kms:ViaService, s3.<Region>.amazonaws.com.",
        '{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": source_key, "Condition": '
        '{"StringEquals": {"kms:ViaService": f"s3.{source_key.split(\':\')[3]}.amazonaws.com"}}}, and '
        "the same for kms:Encrypt and replica_key.",
    ],
    why="Whoever can take on the role still cannot decrypt a scan by hand. And related multi-Region "
    "keys are two keys to S3: both permissions are needed.",
    wrong=[
        Wrong(
            _ROLE.replace('allow("kms:Encrypt", replica_key)', 'allow("kms:Encrypt", source_key)'),
            says="kms:Encrypt was refused in eu-west-1",
        ),
        Wrong(
            _ROLE.replace('"kms:Decrypt", source_key', '"kms:Encrypt", source_key'),
            says="kms:Decrypt was refused in us-east-1",
        ),
        Wrong(
            'def kms_statements(source_key, replica_key):\n    return [{"Effect": "Allow", '
            '"Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": [source_key, replica_key]}]',
            says="can decrypt a scan by hand",
        ),
        Wrong(
            _ROLE.replace(
                '"kms:Encrypt", replica_key', '["kms:Encrypt", "kms:Decrypt"], replica_key'
            ),
            says="read the copies",
        ),
        Wrong(
            _ROLE.replace(
                '"kms:Decrypt", source', '["kms:Decrypt", "kms:GenerateDataKey"], source'
            ),
            says="may also call kms:GenerateDataKey with the source's key",
        ),
        Wrong(
            _ROLE.replace('"kms:Encrypt", replica', '["kms:Encrypt", "kms:DescribeKey"], replica'),
            says="may also call kms:DescribeKey with the replica's key",
        ),
        Wrong(_ROLE.replace('"Resource": key', '"Resource": "*"'), says="cover other keys as well"),
        Wrong(
            _ROLE.replace('"Action": action', '"NotAction": "kms:Delete*"'),
            says="`Action` and `Resource`",
        ),
    ],
    also_right=[
        """def kms_statements(source_key, replica_key):
    via = [f"s3.{key.split(':')[3]}.amazonaws.com" for key in (source_key, replica_key)]
    return [
        dict(Sid="Here", Effect="Allow", Action=["kms:Decrypt"], Resource=[source_key],
             Condition={"StringLike": {"kms:ViaService": via[0]}}),
        dict(Sid="There", Effect="Allow", Action=["kms:Encrypt"], Resource=[replica_key],
             Condition={"StringLike": {"kms:ViaService": via[1]}}),
    ]""",
        # AWS's page on troubleshooting replication names GenerateDataKey beside Encrypt.
        _ROLE.replace('"kms:Encrypt", replica', '["kms:Encrypt", "kms:GenerateDataKey"], replica'),
    ],
    seconds=20,
)
def role(work):
    aws = work.value("aws")
    kms_statements = work.function("kms_statements", returns=list)
    kms = boto3.client("kms")
    primary = _key(kms, MultiRegion=True)
    made = kms.replicate_key(KeyId=primary, ReplicaRegion=AWAY)["ReplicaKeyMetadata"]["Arn"]
    for here, keys in (
        (Replication(aws), "two keys of two accounts"),
        (Replication(aws, pair=(primary, made)), "a multi-Region key and its replica"),
    ):
        statements = kms_statements(here.source_key, here.replica_key)
        here.apply()
        _accepted(work, "IAM does not take these statements.", here.give, *statements)
        here.put("scan")
        before = len(aws.trail)
        here.wait()
        refused = [each for each in here.records(before) if "errorCode" in each]
        work.expect(
            here.status("scan") == "COMPLETED",
            f"With {keys} the scan does not arrive: kms:{refused[0]['eventName'] if refused else ''} "
            f"was refused in {refused[0]['awsRegion'] if refused else ''}.",
        )
        _no_more(work, here, statements)


def _no_more(work, here, statements):
    """What the role must not be able to do with what it was given."""
    by_hand = here.aws.session(here.role).client("kms")
    sealed = here.kms.encrypt(KeyId=here.source_key, Plaintext=b"x")["CiphertextBlob"]
    work.expect(
        not _may(by_hand, "decrypt", CiphertextBlob=sealed),
        "Whoever takes on the role can decrypt a scan by hand: tie it to kms:ViaService.",
    )
    allowed = [each for each in statements if each["Effect"] == "Allow"]
    work.expect(
        all("Action" in each and "Resource" in each for each in allowed),
        "Say by `Action` and `Resource` what is allowed, not by what is left out.",
    )
    work.expect(
        not any(_covers_other_keys(each, here) for each in allowed),
        "The statements cover other keys as well: name the two by their ARNs.",
    )
    at_source, at_replica = (
        _operations(allowed, key) for key in (here.source_key, here.replica_key)
    )
    work.expect(
        "Decrypt" not in at_replica,
        "With kms:Decrypt on the replica's key the role could read the copies. It only writes them.",
    )
    # GenerateDataKey beside Encrypt is what AWS's page on troubleshooting replication tells.
    more = {name for name in at_replica - {"Encrypt"} if not name.startswith("GenerateDataKey")}
    for key, left in (("source", at_source - {"Decrypt"}), ("replica", more)):
        work.expect(
            not left,
            f"The role may also call kms:{min(left, default='')} with the {key}'s key. It needs "
            "nothing but kms:Decrypt at the source and kms:Encrypt at the destination.",
        )


def _covers_other_keys(statement, here):
    """Whether a statement holds for a key beside the two, of either account."""
    other = str(uuid.UUID(int=0))
    others = (f"{key.rpartition('/')[0]}/{other}" for key in (here.source_key, here.replica_key))
    anything = {**statement, "Action": "kms:*"}
    return any(_gives(anything, "Decrypt", each) for each in others)


def _operations(statements, key):
    """The permissions in AWS KMS that statements give for a key."""
    known = {
        *boto3.client("kms").meta.service_model.operation_names,
        "ReEncryptFrom",
        "ReEncryptTo",
    }
    return {name for name in known if any(_gives(each, name, key) for each in statements)}


def _gives(statement, name, key):
    """Whether a statement gives a role a permission for a key, whatever its condition wants."""
    account, role = (f"arn:aws:iam::123456789012:{each}" for each in ("root", "role/radiology"))
    bare = {part: value for part, value in statement.items() if part != "Condition"}
    iam, key_policy = (
        {"Version": "2012-10-17", "Statement": each}
        for each in (bare, _allow("kms:*", Principal={"AWS": account}))
    )
    policies = Policies(identity=[iam], resource=key_policy)
    return decide(Request(role, f"kms:{name}", key), policies).allowed


# --- 4 key policy ---------------------------------------------------------------------------------


def _policy(*statements, own='f"arn:aws:iam::{hospital_account}:root"'):
    """The code of an answer to the fourth task: (principal, actions) after the hospital's own."""
    written = "".join(
        f',\n        {{"Effect": "Allow", "Principal": {{"AWS": {who}}}, "Action": {what!r}, '
        f'"Resource": "*"}}'
        for who, what in statements
    )
    return (
        "def hospital_key_policy(hospital_account, role_arn):\n"
        '    return {"Version": "2012-10-17", "Statement": [\n'
        f'        {{"Effect": "Allow", "Principal": {{"AWS": {own}}}, "Action": "kms:*", '
        f'"Resource": "*"}}{written}]}}'
    )


_CLINIC_ROOT = "role_arn.split(':role')[0] + ':root'"


@task(
    "key-policy",
    minutes=4,
    asks="`hospital_key_policy(hospital_account, role_arn)`: a key policy, as a dictionary",
    practises="11.two-accounts",
    hints=[
        "Who has to manage the key in future, and what exactly does the role do with it?",
        "Two statements: the hospital's root ARN with kms:*, and the role's ARN with one action.",
        'The second: {"Effect": "Allow", "Principal": {"AWS": role_arn}, "Action": "kms:Encrypt", '
        '"Resource": "*"}.',
    ],
    why="The clinic puts scans in and can never take one out again. If its account falls into wrong "
    "hands, the copies stay closed.",
    wrong=[
        Wrong(_policy(), says="The scan does not arrive"),
        Wrong(
            _policy((_CLINIC_ROOT, "kms:Encrypt")),
            says="Others at the clinic can encrypt with the hospital's key",
        ),
        Wrong(
            _policy(("role_arn", ["kms:Encrypt", "kms:Decrypt"])),
            says="The role can decrypt the copies",
        ),
        Wrong(
            _policy(("role_arn", "kms:Encrypt"), own="role_arn"),
            says="KMS does not take this policy",
        ),
        Wrong(
            _policy(("role_arn", ["kms:Encrypt", "kms:CreateGrant"])),
            says="The role can hand the key on",
        ),
        Wrong(
            _policy(("role_arn", ["kms:Encrypt", "kms:DescribeKey"])),
            says="The role can call DescribeKey",
        ),
    ],
    also_right=[
        _policy(("role_arn", ["kms:Encrypt"])).replace(
            '"Action": "kms:*"', '"Sid": "Own", "Action": ["kms:*"]'
        ),
        # As AWS's page on troubleshooting replication has it.
        _policy(("role_arn", ["kms:GenerateDataKey", "kms:Encrypt"])),
    ],
    seconds=20,
)
def key_policy(work):
    here = Replication(work.value("aws"))
    written = work.function("hospital_key_policy", returns=dict)(HOSPITAL, here.role_arn)
    here.give(*here.in_kms, _allow("kms:*", here.replica_key))
    put = here.away_kms.put_key_policy
    _accepted(
        work,
        "KMS does not take this policy.",
        lambda: put(KeyId=here.replica_key, Policy=json.dumps(written)),
    )
    here.apply()
    here.put("scan")
    here.wait()
    work.expect(
        here.status("scan") == "COMPLETED",
        "The scan does not arrive: the role may not encrypt with the hospital's key.",
    )
    nosy = here.aws.session("nosy-administrator")
    here.iam.put_user_policy(
        UserName="nosy-administrator", PolicyName="all", PolicyDocument=_document(_allow("kms:*"))
    )
    outside = here.aws.session(here.role, region=AWAY).client("kms")
    others = boto3.Session.client(nosy, "kms", region_name=AWAY)
    key = {"KeyId": here.replica_key}
    grant = {"GranteePrincipal": here.role_arn, "Operations": ["Encrypt"]}
    work.expect(
        not _may(outside, "create_grant", **key, **grant),
        "The role can hand the key on, by a grant: it only has to encrypt with it.",
    )
    sealed = here.away_kms.encrypt(**key, Plaintext=b"x")["CiphertextBlob"]
    work.expect(
        not _may(outside, "decrypt", **key, CiphertextBlob=sealed),
        "The role can decrypt the copies: it only has to write them.",
    )
    again = {"CiphertextBlob": sealed, "DestinationKeyId": here.replica_key}
    for name, operation, asked in (
        ("DescribeKey", "describe_key", key),
        ("GetKeyPolicy", "get_key_policy", key),
        ("ReEncrypt", "re_encrypt", again),
    ):
        work.expect(
            not _may(outside, operation, **asked),
            f"The role can call {name} with the hospital's key: it only has to encrypt.",
        )
    work.expect(
        not _may(others, "encrypt", **key, Plaintext=b"x"),
        "Others at the clinic can encrypt with the hospital's key: name the role, not the account.",
    )
    work.expect(
        _may(here.away_kms, "decrypt", **key, CiphertextBlob=sealed),
        "The hospital itself cannot read the copies.",
    )


# --- 5 cause --------------------------------------------------------------------------------------

_CAUSE = """def where_to_look(status, refused):
    if status is None:
        return "rule"
    if status == "PENDING":
        return "wait"
    first = refused[0]
    if first["errorCode"] != "AccessDenied":
        return "key"
    if "identity-based" in first["errorMessage"]:
        return "role policy"
    return "key policy" if first["eventSource"] == "kms.amazonaws.com" else "bucket policy\""""


def _without_kms(here):
    changed = {key: value for key, value in here.rule.items() if key != "SourceSelectionCriteria"}
    destination = {"Bucket": here.rule["Destination"]["Bucket"]}
    here.apply({**changed, "Destination": destination})


_BREAKS = {
    "the rule leaves out objects under KMS keys": ("rule", _without_kms),
    "the role has no kms:Decrypt": ("role policy", lambda here: here.give(here.in_kms[1])),
    "the role has no kms:Encrypt": ("role policy", lambda here: here.give(here.in_kms[0])),
    "the role has no s3:ReplicateObject": (
        "role policy",
        lambda here: here.give(*here.in_kms, writing=False),
    ),
    "the hospital's key policy does not name the role": (
        "key policy",
        lambda here: here.key_policy(here.own),
    ),
    "the hospital's bucket policy does not name the role": (
        "bucket policy",
        lambda here: here.let_in(Principal={"AWS": f"arn:aws:iam::{HOSPITAL}:root"}),
    ),
    "the clinic's key is disabled": (
        "key",
        lambda here: here.kms.disable_key(KeyId=here.source_key),
    ),
    "the hospital's key is disabled": (
        "key",
        lambda here: here.away_kms.disable_key(KeyId=here.replica_key),
    ),
}


@task(
    "cause",
    minutes=6,
    asks="`where_to_look(status, refused)`: one of six words",
    practises=["11.find-the-cause", "11.two-accounts", "11.role-permissions"],
    hints=[
        "If nobody has tried, where can the cause be? And if somebody was refused, who refused?",
        "No status: the rule. PENDING: wait. Otherwise look at the first refused record: is its "
        "errorCode AccessDenied at all, which kind of policy do the words name, and is it KMS or S3?",
        'errorCode other than AccessDenied: "key". "identity-based" in errorMessage: "role policy". '
        'Otherwise eventSource decides: kms.amazonaws.com "key policy", s3.amazonaws.com "bucket '
        'policy".',
    ],
    why="Status says whether somebody tried; the first refusal says where it ended; its words say "
    "whose document it is.",
    wrong=[
        Wrong(
            'def where_to_look(status, refused):\n    return "role policy"',
            says="the rule leaves out objects under KMS keys",
        ),
        Wrong(
            _CAUSE.replace('"key policy" if first["eventSource"] == "kms.amazonaws.com" else ', ""),
            says="the hospital's key policy does not name the role",
        ),
        Wrong(
            _CAUSE.replace('"identity-based" in first["errorMessage"]', "True"),
            says="names a resource-based policy",
        ),
        Wrong(
            _CAUSE.replace('if first["errorCode"] != "AccessDenied"', "if False"),
            says="is disabled",
        ),
        Wrong(
            _CAUSE.replace('    if status == "PENDING":\n        return "wait"\n', ""),
            says="stopped with",
        ),
    ],
    also_right=[
        """def where_to_look(status, refused):
    if not refused:
        return "rule" if status is None else "wait"
    record = refused[0]
    words = record.get("errorMessage", "")
    if "not authorized" not in words:
        return "key"
    if "no identity-based policy" in words:
        return "role policy"
    return {"kms": "key policy", "s3": "bucket policy"}[record["eventSource"].split(".")[0]]"""
    ],
    seconds=30,
)
def cause(work):
    aws, asked = work.value("aws"), work.function("where_to_look", returns=str)
    for words, (right, break_it) in _BREAKS.items():
        here = Replication(aws)
        here.apply()
        if right != "rule":
            here.put("scan")  # while the source's key still works
        break_it(here)
        if right == "rule":
            here.put("scan")
        before = len(aws.trail)
        here.wait()
        refused = [each for each in here.records(before) if "errorCode" in each]
        said = asked(here.status("scan"), refused)
        if right == said:
            continue
        words_of = refused[0].get("errorMessage", "") if refused else ""
        if said == "role policy" and "resource-based" in words_of:
            work.fail(f"You say {said!r}, but the first refusal names a resource-based policy.")
        records = ", then ".join(
            f"{each['eventName']} ({each['eventSource']}, {each['errorCode']})" for each in refused
        )
        work.fail(
            f"Here {words}. You say {said!r}; it is in the {right}. Refused were: {records or 'none'}."
        )
    work.expect(asked("PENDING", []) == "wait", "A scan that is PENDING needs patience: 'wait'.")


# --- 6 again --------------------------------------------------------------------------------------

_AGAIN = """def send_again(s3, bucket):
    for each in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        itself = {"Bucket": bucket, "Key": each["Key"]}
        head = s3.head_object(**itself)
        if head.get("ReplicationStatus") in ("COMPLETED", "PENDING"):
            continue
        how = {"ServerSideEncryption": head["ServerSideEncryption"]}
        if "SSEKMSKeyId" in head:
            how["SSEKMSKeyId"] = head["SSEKMSKeyId"]
        s3.copy_object(CopySource=itself, **itself, **how)"""


@task(
    "again",
    minutes=7,
    asks="`send_again(s3, bucket)`: copies what is left; returns nothing",
    practises=["11.existing-objects", "11.what-replicates"],
    hints=[
        "Replication looks at what is written from now on. What writes an object that is there already?",
        "copy_object with the same bucket and key makes a new version. Without ServerSideEncryption and "
        "SSEKMSKeyId it gets the bucket's default encryption.",
        "For each object that is FAILED or has no status: head_object, then copy_object(CopySource="
        '{"Bucket": ..., "Key": ...}, Bucket=..., Key=..., ServerSideEncryption=..., SSEKMSKeyId=...).',
    ],
    why="On AWS, S3 Batch Replication does this for millions of objects, and keeps their versions. What "
    "it costs in calls to KMS is the same.",
    wrong=[
        Wrong(
            _AGAIN.replace(
                '        if "SSEKMSKeyId" in head:\n'
                '            how["SSEKMSKeyId"] = head["SSEKMSKeyId"]\n',
                "",
            ),
            says="is no longer under its KMS key",
        ),
        Wrong(
            _AGAIN.replace('in ("COMPLETED", "PENDING")', '== "PENDING"'),
            says="A scan that had arrived was sent again",
        ),
        Wrong(
            _AGAIN.replace('in ("COMPLETED", "PENDING")', '== "COMPLETED"'),
            says="A scan that is PENDING was sent again",
        ),
        Wrong(
            _AGAIN.replace('in ("COMPLETED", "PENDING")', '!= "FAILED"'),
            says="A scan that is older than the rule",
        ),
        Wrong(
            _AGAIN.replace("**itself, **how", '**itself, MetadataDirective="REPLACE", **how'),
            says="has lost its metadata",
        ),
    ],
    also_right=[
        """def send_again(s3, bucket):
    for each in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        old = s3.get_object(Bucket=bucket, Key=each["Key"])
        if old.get("ReplicationStatus", "FAILED") != "FAILED":
            continue
        kept = {name: old[name] for name in ("ServerSideEncryption", "SSEKMSKeyId", "Metadata")
                if name in old}
        s3.put_object(Bucket=bucket, Key=each["Key"], Body=old["Body"].read(), **kept)"""
    ],
    seconds=20,
)
def again(work):
    here = Replication(work.value("aws"))
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": here.source_key}
    more = {**under, "Metadata": {"ward": "3"}}
    here.put("old", **more)
    here.put("old leaflet", ServerSideEncryption="AES256")
    here.apply()
    here.put("fine", **more)
    here.wait()
    here.give()
    here.put("failed", **more)
    here.wait()
    here.give(*here.in_kms)
    here.put("fresh", **more)
    before = {key: _version(here, key) for key in ("fine", "fresh")}
    work.function("send_again")(here.s3, here.source)
    here.wait()
    here.wait()
    for key, words in (
        ("failed", "A scan whose replication had failed"),
        ("old", "A scan that is older than the rule"),
        ("old leaflet", "A leaflet that is older than the rule"),
    ):
        head = here.s3.head_object(Bucket=here.source, Key=key)
        if key != "old leaflet" and "ReplicationStatus" in head:
            work.expect(
                head.get("SSEKMSKeyId") == here.source_key,
                f"{words} is no longer under its KMS key, and whoever reads the bucket reads it. "
                "Give copy_object the encryption it had.",
            )
            work.expect(head["Metadata"] == {"ward": "3"}, f"{words} has lost its metadata.")
        work.expect(here.replica(key), f"{words} is still not at the hospital.")
    for key, words in (("fine", "had arrived"), ("fresh", "is PENDING")):
        work.expect(
            _version(here, key) == before[key],
            f"A scan that {words} was sent again: it now has one more version, and costs twice.",
        )


def _version(here, key):
    return here.s3.head_object(Bucket=here.source, Key=key)["VersionId"]


# --- 7 bucket key ---------------------------------------------------------------------------------

_BUCKET_KEY = """def bucket_key_statement(replica_key, copy_bucket):
    return {"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
            "Resource": replica_key, "Condition": {"StringEquals": {
                "kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{copy_bucket}"}}}"""


@task(
    "bucket-key",
    minutes=4,
    asks="`bucket_key_statement(replica_key, copy_bucket)`: one statement, as a dictionary",
    practises=["11.bucket-keys", "11.calls-and-quotas"],
    hints=[
        "Which two calls does S3 make at the destination, and whose ARN is the context now?",
        "Action kms:GenerateDataKey and kms:Decrypt, Resource the replica key, a Condition on "
        "kms:EncryptionContext:aws:s3:arn.",
        '"Condition": {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": '
        'f"arn:aws:s3:::{copy_bucket}"}}: the bucket, without /*.',
    ],
    why="Ten scans, a handful of calls. But every policy that named the objects' ARNs has to name the "
    "bucket's now.",
    wrong=[
        Wrong(
            _BUCKET_KEY.replace(
                "arn:aws:s3:::{copy_bucket}", "arn:aws:s3:::{copy_bucket}/*"
            ).replace("StringEquals", "StringLike"),
            says="GenerateDataKey was refused",
        ),
        Wrong(
            _BUCKET_KEY.replace('["kms:GenerateDataKey", "kms:Decrypt"]', '"kms:GenerateDataKey"'),
            says="Decrypt was refused",
        ),
        Wrong(
            _BUCKET_KEY.replace("kms:EncryptionContext:aws:s3:arn", "aws:s3:arn"),
            says="your condition never holds",
        ),
        Wrong(
            _BUCKET_KEY.replace("{copy_bucket}", "{copy_bucket}*").replace("Equals", "Like"),
            says="for a scan's ARN as well",
        ),
        Wrong(
            'def bucket_key_statement(replica_key, copy_bucket):\n    return {"Effect": "Allow", '
            '"Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": replica_key}',
            says="for any context",
        ),
        Wrong(
            _BUCKET_KEY.replace('"Resource": replica_key', '"Resource": "*"'),
            says="covers other keys, too",
        ),
    ],
    also_right=[
        """def bucket_key_statement(replica_key, copy_bucket):
    arn = "arn:aws:s3:::" + copy_bucket
    return dict(Sid="BucketKey", Effect="Allow", Resource=[replica_key],
                Action=["kms:Decrypt", "kms:GenerateDataKey"],
                Condition={"ForAnyValue:StringLike": {"kms:EncryptionContext:aws:s3:arn": [arn]}})"""
    ],
    seconds=30,
)
def bucket_key(work):
    here = Replication(work.value("aws"))
    statement = work.function("bucket_key_statement", returns=dict)(here.replica_key, here.copy)
    prepared = ["kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt"]
    here.key_policy(here.own, {**here.role_encrypts, "Action": prepared})
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": here.replica_key}
    defaults = {"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True}
    here.away_s3.put_bucket_encryption(
        Bucket=here.copy, ServerSideEncryptionConfiguration={"Rules": [defaults]}
    )
    here.apply()
    _accepted(work, "IAM does not take this statement.", lambda: here.give(*here.in_kms, statement))
    for number in range(10):
        here.put(f"scan-{number}", ServerSideEncryption="aws:kms", SSEKMSKeyId=here.source_key)
    before = len(here.aws.trail)
    here.wait()
    records = here.records(before)
    in_kms = [each for each in records if each["eventSource"] == "kms.amazonaws.com"]
    refused = [each for each in in_kms if "errorCode" in each]
    if refused:
        work.expect(
            "kms:EncryptionContext:" in str(statement) or "Condition" not in statement,
            "The scans do not arrive: your condition never holds. The condition key for this entry of the "
            "encryption context is kms:EncryptionContext:aws:s3:arn.",
        )
        context = refused[0]["requestParameters"]["encryptionContext"]
        work.fail(
            f"The scans do not arrive: {refused[0]['eventName']} was refused, with the encryption "
            f"context {context}."
        )
    arrived = [here.replica(f"scan-{number}") for number in range(10)]
    work.expect(
        all(each and each.get("BucketKeyEnabled") for each in arrived), "The scans do not arrive."
    )
    by_hand = here.aws.session(here.role, region=AWAY).client("kms")
    elsewhere = {"EncryptionContext": {"aws:s3:arn": "arn:aws:s3:::elsewhere"}}
    work.expect(
        not _may(
            by_hand, "generate_data_key", KeyId=here.replica_key, KeySpec="AES_256", **elsewhere
        ),
        "The role may use the hospital's key for any context: name the destination bucket's ARN.",
    )
    a_scan = {"EncryptionContext": {"aws:s3:arn": f"arn:aws:s3:::{here.copy}/scan-0"}}
    work.expect(
        not _may(by_hand, "generate_data_key", KeyId=here.replica_key, KeySpec="AES_256", **a_scan),
        "The role may use the hospital's key for a scan's ARN as well: name the bucket's, and nothing "
        "that begins like it.",
    )
    work.expect(
        "Resource" in statement and not _covers_other_keys(statement, here),
        "The statement covers other keys, too: name the replica's by its ARN.",
    )
    work.expect(
        len([each for each in in_kms if each["awsRegion"] == AWAY]) < 10,
        "There are as many calls at the destination as scans.",
    )
