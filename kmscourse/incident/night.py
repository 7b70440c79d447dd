"""What happened until three o'clock, and what can be asked of it afterwards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import boto3
from botocore.exceptions import ClientError

from kmscourse import cloud
from kmscourse.cloud import Cloud
from kmscourse.cloud.authorization import Decision, Grant, NamedPolicy, Policies, Request, decide
from kmscourse.incident import clinic as house
from kmscourse.incident.clinic import BUCKET, DEPARTMENTS, PARTNER, REPORT, ROLE, Clinic, may_fetch
from kmscourse.incident.leaks import LEAKS

_ALARM = """03:00  ALARM  unusual-reads
More calls of Decrypt than on any night before, on the key alias/clinic/records.
03:00  The colleague on call was afraid and has scheduled the deletion of the key. Nobody can read a
       record now: not the intruder, and not the clinic either. In seven days the key is gone."""

#: Statements that were meant, and what for.
_REGISTER = (
    ("key policy", "Account", "administrators manage the key; IAM may give more"),
    ("key policy", "ClinicApp", "the clinic's application reads and writes all records"),
    ("key policy", "PartnerThroughS3", "the institute, through S3; which objects, says the bucket"),
    ("key policy", "Monitoring", "visitor looks at the state of the key"),
    ("bucket policy", "PartnerReports", "the institute reads the monthly reports"),
    ("bucket policy", "OnlyOverTLS", "nobody without TLS"),
    ("IAM, clinic-app", "AppObjects, AppBills", "the application stores and fetches"),
    ("IAM, staff", "StaffFetches, VisitorFetches", "staff may fetch objects, but not open them"),
    ("IAM, accountant", "AccountantBills", "the accountant opens bills, under a key of their own"),
    ("IAM, the role", "AuditorsFetch, AuditorsDecrypt", "auditors read some departments"),
    ("trust, the role", "ClinicAuditors", "only auditor takes on the role"),
    ("other accounts", "OtherAccount", "what they allow their own users is theirs to say"),
)
_WINDOW = 7


@dataclass(frozen=True)
class Truth:
    """What was so that night. For the checks of the lab.

    Attributes:
        callers: by what the intruder may be named, as in the clinic's own trail first.
        statements: the Sid of the statement; of a grant its ids, the one of now last.
        first, last: `eventTime` of the first and the last record that was opened.
        did_read: the objects that were opened.
        could_read: the departments whose records could have been.
    """

    callers: tuple[str, ...]
    statements: tuple[str, ...]
    first: str
    last: str
    did_read: frozenset[str]
    could_read: frozenset[str]


class Register(list[tuple[str, str, str]]):
    """What was meant: where it stands, by which statements, and what for."""

    @property
    def statements(self) -> set[str]:
        """The Sids of all statements that were meant."""
        return {sid for _, sids, _ in self for sid in sids.split(", ")}

    def __repr__(self) -> str:
        widths = [max(len(row[i]) for row in self) for i in (0, 1)]
        return "\n".join(
            f"{where.ljust(widths[0])}  {sids.ljust(widths[1])}  {what}"
            for where, sids, what in self
        )


def begin(word: str) -> Night:
    """Start a simulated AWS in which it is three in the morning.

    Args:
        word: chooses the leak, the names and the times. The same word gives the same night.
    """
    return Night(cloud.start(seed=f"13-incident/{word}"), word)


class Night:
    """The clinic at three in the morning. Made by `begin`.

    Attributes:
        aws: the simulated AWS.
        bucket, key_arn, departments: where the records lie, under which key, of whom.
        alarm_at: when the alarm went off; what happened later is your own doing.
        register: which statements were meant, and what for.
        readers: who reads records as their work, as the clinic's trail has them: by ARN, and of
            another account by the principal's id.
        intruder: the client of S3 with which the intruder read.
        truth: what was so that night, for the checks of the lab.
    """

    bucket, departments = BUCKET, DEPARTMENTS

    def __init__(self, aws: Cloud, word: str) -> None:
        number = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])
        self.aws, self.register = aws, Register(_REGISTER)
        self._dice = Random(number)
        self._clinic = Clinic(aws)
        self.key_arn = self._clinic.key_arn
        account = f"{aws.account_id}:"
        self.readers = {
            f"arn:aws:iam::{account}user/clinic-app",
            f"arn:aws:sts::{account}assumed-role/{ROLE}/auditor",
            self._clinic.id_of("statistics", PARTNER),
        }
        fetched = tuple(sorted(self._dice.sample(DEPARTMENTS, 3)))
        self._fetched = fetched
        self._meant = meant = self._clinic.documents(fetched)
        self._documents = meant.copy()
        self._leak = LEAKS[number % len(LEAKS)](self._clinic, self._documents, fetched, self._dice)
        self._clinic.put_in_place(meant)
        self.truth = self._play(meant)
        self._schedule_deletion()
        self.alarm_at = aws.clock.now()

    # --- what happened -------------------------------------------------------------------------

    def _play(self, meant: house.Documents) -> Truth:
        self._clinic.fill()
        could = house.records(self._leak.departments)
        self._at(23, 11, 20)
        with suppress(ClientError):  # the door is not open yet
            _fetch(self._enter(), could[0])
        self._at(23, 14, 5)
        self._day()
        self._at(23, 16, 40)
        self._clinic.put_in_place(self._documents, instead_of=meant)
        self._at(24, 2, 5)
        self._read(self._user("clinic-app"), self._dice.sample(house.records(), 5))
        self._at(24, 2, 30)
        visitor = self._user("visitor")
        for _ in range(2):
            may_fetch(visitor, REPORT)  # may fetch it, and is refused by the key
        self._at(24, 2, self._dice.randint(36, 44))
        self.intruder = self._enter()
        did = self._dice.sample(could, self._dice.randint(3, 5))
        before = len(self.aws.trail)
        for key in did:
            _fetch(self.intruder, key)
            self.aws.clock.advance(seconds=self._dice.randint(20, 90))
        opened = self.aws.trail.events("Decrypt", after=before, account=self.aws.account_id)
        times = [each["eventTime"] for each in opened]
        caller = _caller(opened[0])
        self._read(self._user("statistics", PARTNER), [REPORT])
        self._at(24, 3, 0)
        user = f"arn:aws:iam::{self._leak.account}:user/{self._leak.user}"
        return Truth(
            callers=(caller, user) if caller != user else (caller,),
            statements=self._grant_ids() or (self._leak.statement,),
            first=min(times),
            last=max(times),
            did_read=frozenset(did),
            could_read=frozenset(self._leak.departments),
        )

    def _day(self) -> None:
        """What happens on any day."""
        some = self._dice.sample
        self._read(self._user("clinic-app"), some(house.records(), 4))
        self._read(self._auditor(), some(house.records(self._fetched), 2))
        self._read(self._user("statistics", PARTNER), [REPORT])
        self._read(self._user("accountant"), ["billing/4711.json"])

    def _at(self, day: int, hour: int, minute: int) -> None:
        wanted = datetime(2026, 11, day, hour, minute, tzinfo=UTC)
        self.aws.clock.advance(seconds=(wanted - self.aws.clock.now()).total_seconds())

    @staticmethod
    def _read(s3: Any, keys: Iterable[str]) -> None:
        for key in keys:
            _fetch(s3, key)

    def _user(self, name: str, account: str | None = None) -> Any:
        """A user's client of S3."""
        return self.aws.account(account or self.aws.account_id).session(name).client("s3")

    def _enter(self, user: str | None = None) -> Any:
        """The client of S3 of the intruder, or of another whom the same door lets in."""
        account, user = self._leak.account, user or self._leak.user
        if not self._leak.role:
            return self._user(user, account)
        return self._as_auditor(self.aws.account(account).session(user), "maintenance")

    def _auditor(self) -> Any:
        return self._as_auditor(self.aws.session("auditor"), "auditor")

    def _as_auditor(self, session: boto3.Session, name: str) -> Any:
        given = session.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{self.aws.account_id}:role/{ROLE}", RoleSessionName=name
        )["Credentials"]
        return session.client(
            "s3",
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    def _grant_ids(self) -> tuple[str, ...]:
        if self._leak.kind != "grant":
            return ()
        grants = self._clinic.kms.list_grants(KeyId=self.key_arn)["Grants"]
        return tuple(each["GrantId"] for each in grants if each.get("Name") == self._leak.statement)

    # --- afterwards ----------------------------------------------------------------------------

    def reopen(self) -> None:
        """Put everything back to three o'clock: the policies, the grants, the key's state."""
        if self.key_state() == "PendingDeletion":
            self._clinic.kms.cancel_key_deletion(KeyId=self.key_arn)
        self._clinic.kms.enable_key(KeyId=self.key_arn)  # else no grant can be given
        self._clinic.put_in_place(self._documents)
        self._schedule_deletion()
        given = [each for each in self._grant_ids() if each not in self.truth.statements]
        self.truth = replace(self.truth, statements=(*self.truth.statements, *given))

    def _schedule_deletion(self) -> None:
        self._clinic.kms.schedule_key_deletion(KeyId=self.key_arn, PendingWindowInDays=_WINDOW)

    def intruder_may_read(self) -> bool:
        """Whether policies let the intruder, in the session of that night, open a record."""
        return may_fetch(self.intruder, min(self.truth.did_read))

    def is_denied(self, who: str) -> bool:
        """Whether a Deny keeps a caller from the key, for every object."""
        keys = [house.records([each])[0] for each in DEPARTMENTS] + [REPORT]
        return all(self.replay(who, key)[-1].outcome == "ExplicitlyDenied" for key in keys)

    def door_is_open(self) -> bool:
        """Whether the same door still lets anybody in: the intruder anew, or somebody else."""
        key = house.records(self._leak.departments)[0]
        for user in filter(None, (self._leak.user, self._leak.newcomer)):
            try:
                s3 = self._enter(user)
            except ClientError:
                continue
            if may_fetch(s3, key):
                return True
        return False

    def still_stands(self) -> bool:
        """Whether the statement or grant of that night is in place, whoever may use it now."""
        sids = {each.get("Sid") for _, each in self._clinic.in_place().statements()}
        return bool(self._grant_ids()) or self._leak.statement in sids

    def missing(self) -> list[str]:
        """The Sids of the statements that were meant, and are gone or say something else now."""
        there = self._clinic.in_place().statements()
        return [each[1]["Sid"] for each in self._meant.statements() if each not in there]

    def locked_out(self) -> list[str]:
        """Who can no longer do the work that was meant, whatever the state of the key."""
        out = []
        for name, key in (("clinic-app", house.records()[0]), ("accountant", "billing/4711.json")):
            if not may_fetch(self._user(name), key):
                out.append(name)
        try:
            reads = may_fetch(self._auditor(), house.records(self._fetched)[0])
        except ClientError:
            reads = False
        if not reads:
            out.append("auditor")
        if not may_fetch(self._user("statistics", PARTNER), REPORT):
            out.append("statistics")
        kms = self._clinic.kms
        try:
            policy = kms.get_key_policy(KeyId=self.key_arn)["Policy"]
            kms.put_key_policy(KeyId=self.key_arn, Policy=policy)
        except ClientError:
            out.append("the administrators")
        return out

    def key_state(self) -> str:
        """`KeyState` of the records' key; ``"gone"`` if it was deleted."""
        try:
            return str(self._clinic.kms.describe_key(KeyId=self.key_arn)["KeyMetadata"]["KeyState"])
        except ClientError:
            return "gone"

    def status(self) -> str:
        """How things stand now, in three lines."""
        out = self.locked_out()
        reads = self.intruder_may_read()
        is_open = self.still_stands() or self.door_is_open()
        return "\n".join(
            (
                f"The intruder {'may still open records' if reads else 'is out'}.",
                f"The door is {'open' if is_open else 'shut'}.",
                f"The clinic: {'locked out: ' + ', '.join(out) if out else 'nobody locked out'}; "
                f"the key is {self.key_state()}.",
            )
        )

    # --- replaying -----------------------------------------------------------------------------

    def replay(self, who: str, key: str) -> list[Decision]:
        """What AWS would decide, by the policies as they are now, if this caller fetched an object.

        Nothing is called, so nothing is recorded: this is what IAM's policy simulator is for.

        Args:
            who: the ARN of a user, or of a session, or the id of a principal of another account, as
                in the clinic's trail.
            key: of an object in the bucket; its ARN will do.

        Returns:
            One decision for each step: taking on the role, for a session; fetching the object;
            using the KMS key.
        """
        chain: list[Decision] = []
        key = key.removeprefix(house.arn_of(""))
        known = self._in_the_trail(who)
        about = {"aws:userid": known["principalId"]} if known else {}
        if not who.startswith("arn:"):
            if known is None:
                raise ValueError(
                    f"No record of the clinic names {who!r}. Give the whole ARN or id, as "
                    "caller(event) does."
                )
            # Of a principal of another account the ARN is not ours to know: one to ask by.
            who = known.get("arn", f"arn:aws:iam::{known['accountId']}:user/{who}")
        ours = who.split(":")[4] == self.aws.account_id
        session = ours and ":assumed-role/" in who
        if session:
            chain, issued = self._taking_on(who)
            about |= issued
            identity = self._policies("role", ROLE)
        elif ours:
            identity = self._policies("user", who.rpartition("/")[2])
        else:
            identity = [_ANYTHING]
        s3, kms = self._clinic.s3, self._clinic.kms
        kms_key = self._clinic.billing_arn if key.startswith("billing/") else self.key_arn
        bucket_policy = s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
        fetch = Request(who, "s3:GetObject", house.arn_of(key), self.aws.account_id, about)
        chain.append(decide(fetch, Policies(identity=identity, resource=bucket_policy)))
        through_s3 = about | {
            "kms:ViaService": f"s3.{self.aws.region}.amazonaws.com",
            "kms:EncryptionContext:aws:s3:arn": house.arn_of(key),
        }
        key_policy = kms.get_key_policy(KeyId=kms_key)["Policy"]
        grants = kms.list_grants(KeyId=kms_key)["Grants"]
        use = Request(who, "kms:Decrypt", kms_key, context=through_s3)
        given = [Grant.from_listing(each) for each in grants]
        chain.append(decide(use, Policies(identity=identity, resource=key_policy, grants=given)))
        return chain

    def _in_the_trail(self, who: str) -> dict[str, Any] | None:
        """What the clinic's trail shows of a caller, who is named by ARN or by id."""
        for record in self.aws.trail.events(account=self.aws.account_id):
            identity: dict[str, Any] = record["userIdentity"]
            if who in (identity.get("arn"), identity.get("principalId")):
                return identity
        return None

    def _taking_on(self, who: str) -> tuple[list[Decision], dict[str, str]]:
        """The decision by which somebody took on the role, and since when the session is there."""
        for record in self.aws.trail.events("AssumeRole"):
            named = record["requestParameters"]["roleSessionName"]
            if named == who.rpartition("/")[2] and "errorCode" not in record:
                taker = record["userIdentity"]["arn"]
                role = self._clinic.iam.get_role(RoleName=ROLE)["Role"]
                trust = json.dumps(role["AssumeRolePolicyDocument"])
                request = Request(taker, "sts:AssumeRole", role["Arn"])
                decision = decide(request, Policies(identity=[_ANYTHING], resource=trust))
                return [decision], {"aws:TokenIssueTime": record["eventTime"]}
        return [], {}

    def _policies(self, kind: str, name: str) -> list[Any]:
        """The policies of a user or role, under their names: inline, then attached."""
        iam, asked = self._clinic.iam, {f"{kind.capitalize()}Name": name}
        inline = getattr(iam, f"list_{kind}_policies")(**asked)["PolicyNames"]
        get = getattr(iam, f"get_{kind}_policy")
        found = [
            NamedPolicy(each, json.dumps(get(PolicyName=each, **asked)["PolicyDocument"]))
            for each in inline
        ]
        for each in getattr(iam, f"list_attached_{kind}_policies")(**asked)["AttachedPolicies"]:
            arn = each["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
            found.append(NamedPolicy(each["PolicyName"], json.dumps(document["Document"]), arn))
        return found

    def __str__(self) -> str:
        return _ALARM

    def __repr__(self) -> str:
        return "<Night: 03:00, the alarm is on>"


def _caller(record: dict[str, Any]) -> str:
    """Who called, as a record of the clinic's trail has it."""
    identity = record["userIdentity"]
    return str(identity.get("arn") or identity["principalId"])


def _fetch(s3: Any, key: str) -> None:
    s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


#: Another account decides by itself what its users may do; the worst is assumed.
_ANYTHING = NamedPolicy(
    "whatever the other account allows",
    '{"Version": "2012-10-17", "Statement": {"Sid": "OtherAccount", "Effect": "Allow", '
    '"Action": "*", "Resource": "*"}}',
)
