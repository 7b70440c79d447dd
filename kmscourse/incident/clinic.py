"""The clinic: its keys, its bucket, the people, and who may what on purpose.

Two halves open a record: fetching the object (`s3:GetObject`) and the use of the key
(`kms:Decrypt`). Staff may fetch; it is the key that decides who reads. For outsiders it is the
bucket policy that decides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import boto3
from botocore.exceptions import ClientError

from kmscourse.cloud import Cloud

BUCKET = "clinic-records"
PARTNER = "222222222222"
"""The account of the institute that reads the clinic's monthly reports."""
STRANGER = "333333333333"
"""An account that nobody at the clinic knows."""

DEPARTMENTS = ("cardiology", "oncology", "paediatrics", "psychiatry")
PATIENTS = {
    "cardiology": ("4711", "4712", "4713"),
    "oncology": ("4811", "4812", "4813"),
    "paediatrics": ("4911", "4912", "4913"),
    "psychiatry": ("5011", "5012", "5013"),
}
REPORT = "reports/2026-10.json"
STAFF = ("contractor", "helpdesk", "accountant")
"""Users who may fetch objects, of some departments, and decrypt none of them."""
USERS = ("clinic-app", "auditor", "visitor", *STAFF)
ROLE = "records-auditor"

Statement = dict[str, Any]


def records(departments: Iterable[str] = DEPARTMENTS) -> list[str]:
    """The keys of all objects of these departments."""
    return [f"{each}/{patient}.json" for each in departments for patient in PATIENTS[each]]


def arn_of(key: str) -> str:
    """The ARN of an object."""
    return f"arn:aws:s3:::{BUCKET}/{key}"


def allow(sid: str, actions: str | list[str], **more: Any) -> Statement:
    """A statement that allows something; principal, resource and condition as named."""
    return {"Sid": sid, "Effect": "Allow", "Action": actions} | more


@dataclass
class Documents:
    """Every policy and grant that has a say about the records, as lists of statements.

    Attributes:
        key: the key policy of the records' key.
        bucket: the bucket policy.
        users: the inline policy of each user of the clinic's account.
        role: the policy of the auditors' role, and `trust` its trust policy.
        grants: what `CreateGrant` was called with, but for the key.
    """

    key: list[Statement]
    bucket: list[Statement]
    users: dict[str, list[Statement]]
    role: list[Statement]
    trust: list[Statement]
    grants: list[dict[str, Any]] = field(default_factory=list)

    def copy(self) -> Documents:
        """The same, to be changed without changing these."""
        return deepcopy(self)

    def statements(self) -> list[tuple[str, Statement]]:
        """Where each statement stands, and the statement."""
        policies = {"key": self.key, "bucket": self.bucket, "role": self.role, "trust": self.trust}
        policies |= self.users
        return [(place, each) for place, found in policies.items() for each in found]


class Clinic:
    """The clinic in a simulated AWS.

    Args:
        aws: a simulated AWS in which nothing is yet.

    Attributes:
        key_arn: the KMS key under which the records lie.
        billing_arn: the key of the bills.
    """

    def __init__(self, aws: Cloud) -> None:
        self.aws, self.bucket = aws, BUCKET
        self.account = f"arn:aws:iam::{aws.account_id}"
        self.kms, self.s3, self.iam = (boto3.client(each) for each in ("kms", "s3", "iam"))
        for name in USERS:
            self.iam.create_user(UserName=name)
        anything = [allow("All", ["s3:GetObject", "kms:Decrypt"], Resource="*")]
        self._outsiders(PARTNER, ("statistics", "trainee", "newcomer"), anything)
        assume = [allow("All", "sts:AssumeRole", Resource="*")]
        self._outsiders(STRANGER, ("mallory", "newcomer"), assume)
        self.key_arn = self._key("records")
        self.billing_arn = self._key("billing")
        self.s3.create_bucket(Bucket=BUCKET)

    def _key(self, name: str) -> str:
        made = self.kms.create_key(Description=f"The clinic's {name}")["KeyMetadata"]
        self.kms.create_alias(AliasName=f"alias/clinic/{name}", TargetKeyId=made["KeyId"])
        return str(made["Arn"])

    def _outsiders(self, account: str, names: Iterable[str], may: list[Statement]) -> None:
        """Users of another account, which lets them do all that concerns the clinic."""
        iam = self.aws.account(account).session("root").client("iam")
        for name in names:
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="work", PolicyDocument=_text(may))

    def id_of(self, user: str, account: str) -> str:
        """A user's unique id: all that the trail of another account shows of them."""
        iam = self.aws.account(account).session("root").client("iam")
        return str(iam.get_user(UserName=user)["User"]["UserId"])

    def documents(self, departments: Iterable[str]) -> Documents:
        """Who may what, on purpose.

        Args:
            departments: whose objects the staff, and the auditors' role, may fetch.
        """
        account, objects = self.account, arn_of("*")
        through_s3 = {"kms:ViaService": f"s3.{self.aws.region}.amazonaws.com"}
        users = {
            "clinic-app": [
                allow("AppObjects", ["s3:GetObject", "s3:PutObject"], Resource=objects),
                allow(
                    "AppBills", ["kms:GenerateDataKey", "kms:Decrypt"], Resource=self.billing_arn
                ),
            ],
            "auditor": [],
            "visitor": [allow("VisitorFetches", "s3:GetObject", Resource=arn_of("reports/*"))],
        }
        fetched = [arn_of(f"{each}/*") for each in departments]
        for name in STAFF:
            everything = [*fetched, arn_of("billing/*")]
            users[name] = [allow("StaffFetches", "s3:GetObject", Resource=everything)]
        users["accountant"].append(
            allow("AccountantBills", "kms:Decrypt", Resource=self.billing_arn)
        )
        return Documents(
            key=[
                allow("Account", "kms:*", Principal={"AWS": f"{account}:root"}, Resource="*"),
                allow(
                    "ClinicApp",
                    ["kms:Decrypt", "kms:GenerateDataKey"],
                    Principal={"AWS": f"{account}:user/clinic-app"},
                    Resource="*",
                ),
                allow(
                    "PartnerThroughS3",
                    "kms:Decrypt",
                    Principal={"AWS": f"arn:aws:iam::{PARTNER}:root"},
                    Resource="*",
                    Condition={"StringEquals": through_s3},
                ),
                allow(
                    "Monitoring",
                    ["kms:DescribeKey", "kms:GetKeyRotationStatus"],
                    Principal={"AWS": f"{account}:user/visitor"},
                    Resource="*",
                ),
            ],
            bucket=[
                allow(
                    "PartnerReports",
                    "s3:GetObject",
                    Principal={"AWS": f"arn:aws:iam::{PARTNER}:root"},
                    Resource=arn_of("reports/*"),
                ),
                {
                    "Sid": "OnlyOverTLS",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": arn_of("*"),
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ],
            users=users,
            role=[
                allow("AuditorsFetch", "s3:GetObject", Resource=fetched),
                allow("AuditorsDecrypt", "kms:Decrypt", Resource=self.key_arn),
            ],
            trust=[
                allow(
                    "ClinicAuditors",
                    "sts:AssumeRole",
                    Principal={"AWS": f"{account}:user/auditor"},
                )
            ],
        )

    def put_in_place(self, documents: Documents, instead_of: Documents | None = None) -> None:
        """Make these documents the ones that count, and no others beside them.

        Args:
            instead_of: what is in place; what is the same in both is not written again.
        """
        for name, statements in documents.users.items():
            if instead_of is None or instead_of.users[name] != statements:
                self._user(name, statements)
        if instead_of is None or (instead_of.role, instead_of.trust) != (
            documents.role,
            documents.trust,
        ):
            self._role(documents.role, documents.trust)
        if instead_of is None or instead_of.key != documents.key:
            self.kms.put_key_policy(KeyId=self.key_arn, Policy=_text(documents.key))
        if instead_of is None or instead_of.bucket != documents.bucket:
            self.s3.put_bucket_policy(Bucket=BUCKET, Policy=_text(documents.bucket))
        if instead_of is None or instead_of.grants != documents.grants:
            self._grants(documents.grants)

    def in_place(self) -> Documents:
        """The policies that count now; without the grants."""
        kms, s3, iam = self.kms, self.s3, self.iam
        return Documents(
            key=_found(lambda: kms.get_key_policy(KeyId=self.key_arn)["Policy"]),
            bucket=_found(lambda: s3.get_bucket_policy(Bucket=BUCKET)["Policy"]),
            users={each: self._inline("user", each) for each in USERS},
            role=self._inline("role", ROLE),
            trust=_found(lambda: iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]),
        )

    def _inline(self, kind: str, name: str) -> list[Statement]:
        """The statements of the inline policies of a user or role."""
        asked = {f"{kind.capitalize()}Name": name}
        names: list[str] = []
        with suppress(ClientError):  # somebody who was deleted may nothing
            names = getattr(self.iam, f"list_{kind}_policies")(**asked)["PolicyNames"]
        get = getattr(self.iam, f"get_{kind}_policy")
        found = (get(PolicyName=each, **asked)["PolicyDocument"] for each in names)
        return [*chain(*(_statements(each) for each in found))]

    def _user(self, name: str, statements: list[Statement]) -> None:
        self.aws.session(name)  # one who was deleted is there again
        iam = self.iam
        for policy in iam.list_user_policies(UserName=name)["PolicyNames"]:
            iam.delete_user_policy(UserName=name, PolicyName=policy)
        for each in iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]:
            iam.detach_user_policy(UserName=name, PolicyArn=each["PolicyArn"])
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="work", PolicyDocument=_text(statements))

    def _role(self, statements: list[Statement], trust: list[Statement]) -> None:
        iam = self.iam
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=_text(trust))
        iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=_text(trust))
        for policy in iam.list_role_policies(RoleName=ROLE)["PolicyNames"]:
            iam.delete_role_policy(RoleName=ROLE, PolicyName=policy)
        for each in iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=ROLE, PolicyArn=each["PolicyArn"])
        iam.put_role_policy(RoleName=ROLE, PolicyName="work", PolicyDocument=_text(statements))

    def _grants(self, wanted: list[dict[str, Any]]) -> None:
        """Exactly these grants on the records' key; one that is there stays, with its id."""
        names = {each["Name"] for each in wanted}
        there = self.kms.list_grants(KeyId=self.key_arn)["Grants"]
        for grant in there:
            if grant.get("Name") not in names:
                self.kms.revoke_grant(KeyId=self.key_arn, GrantId=grant["GrantId"])
        for each in wanted:
            if each["Name"] not in {grant.get("Name") for grant in there}:
                self.kms.create_grant(KeyId=self.key_arn, **each)

    def fill(self) -> None:
        """Store a record for each patient, a report, and two bills under the other key."""
        app = self.aws.session("clinic-app").client("s3")
        for key in [*records(), REPORT]:
            body = json.dumps({"object": key, "diagnosis": "confidential"}).encode()
            self._store(app, key, body, self.key_arn)
        for patient in ("4711", "4811"):
            self._store(app, f"billing/{patient}.json", b"{}", self.billing_arn)

    @staticmethod
    def _store(s3: Any, key: str, body: bytes, kms_key: str) -> None:
        s3.put_object(
            Bucket=BUCKET, Key=key, Body=body, ServerSideEncryption="aws:kms", SSEKMSKeyId=kms_key
        )


def may_fetch(s3: Any, key: str) -> bool:
    """Whether policies let a client of S3 read an object, whatever the state of its KMS key."""
    try:
        s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    except ClientError as error:
        return str(error.response["Error"]["Code"]).startswith("KMS.")
    return True


def _text(statements: list[Statement]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _found(read: Callable[[], str | dict[str, Any]]) -> list[Statement]:
    """The statements of the policy that is read; none where there is no policy."""
    try:
        return _statements(read())
    except ClientError:
        return []


def _statements(policy: str | dict[str, Any]) -> list[Statement]:
    """The statements of a policy, as text or as boto3 reads it."""
    document = json.loads(policy) if isinstance(policy, str) else policy
    found = document["Statement"]
    return found if isinstance(found, list) else [found]
