"""The ways in which somebody was let in: each a change to the clinic's documents, and no more.

Every one of them is a mistake that people make: a statement that was to help for a day, a grant
that nobody took back, a role that trusts too many, a policy given in a hurry, a bucket policy
copied with too wide a resource.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from kmscourse.incident.clinic import (
    DEPARTMENTS,
    PARTNER,
    ROLE,
    STRANGER,
    Clinic,
    Documents,
    allow,
    arn_of,
)

Departments = tuple[str, ...]

_SIDS = ("Ticket2291", "Migration", "QuickFix", "TestAccess", "BeforeTheHolidays")


@dataclass(frozen=True)
class Leak:
    """What let somebody in.

    Attributes:
        kind: e.g. ``"grant"``.
        document: where it stands, in words.
        statement: its Sid; of a grant its name, as its id is AWS's to choose.
        account, user: whom it let in.
        newcomer: another user whom the same door would let in; None where it opens for one only.
        role: whether the user comes in through the auditors' role.
        departments: whose records can be read through it.
    """

    kind: str
    document: str
    statement: str
    account: str
    user: str
    newcomer: str | None
    role: bool
    departments: Departments


def key_policy(clinic: Clinic, documents: Documents, fetched: Departments, dice: Random) -> Leak:
    """A statement of the key policy that names everybody in the account."""
    sid = dice.choice(_SIDS)
    user, other = dice.sample(["contractor", "helpdesk"], 2)
    opened = _some(dice, DEPARTMENTS, 3)
    documents.key.append(
        allow(
            sid,
            "kms:Decrypt",
            Principal={"AWS": "*"},
            Resource="*",
            Condition={
                "StringEquals": {"kms:CallerAccount": clinic.aws.account_id},
                "StringLike": {
                    "kms:EncryptionContext:aws:s3:arn": [arn_of(f"{each}/*") for each in opened]
                },
            },
        )
    )
    read = tuple(each for each in fetched if each in opened)
    account = clinic.aws.account_id
    return Leak("key policy", "the key policy", sid, account, user, other, False, read)


def grant(clinic: Clinic, documents: Documents, fetched: Departments, dice: Random) -> Leak:
    """A grant for someone who moved the archive in spring, and which nobody took back."""
    user, name = dice.choice(["contractor", "helpdesk"]), dice.choice(_SIDS)
    documents.grants.append(
        {
            "Name": name,
            "GranteePrincipal": f"{clinic.account}:user/{user}",
            "Operations": ["Decrypt", "DescribeKey"],
        }
    )
    account = clinic.aws.account_id
    return Leak("grant", "a grant on the key", name, account, user, None, False, fetched)


def role_trust(clinic: Clinic, documents: Documents, fetched: Departments, dice: Random) -> Leak:
    """A trust policy that lets an outside account take on the auditors' role."""
    sid = dice.choice(_SIDS)
    documents.trust.append(
        allow(sid, "sts:AssumeRole", Principal={"AWS": f"arn:aws:iam::{STRANGER}:root"})
    )
    where = f"the trust policy of {ROLE}"
    return Leak("role trust", where, sid, STRANGER, "mallory", "newcomer", True, fetched)


def iam_policy(clinic: Clinic, documents: Documents, fetched: Departments, dice: Random) -> Leak:
    """An IAM policy that takes effect because the key policy leaves the account to IAM."""
    sid, user = dice.choice(_SIDS), dice.choice(["contractor", "helpdesk"])
    documents.users[user].append(
        allow(sid, ["kms:Decrypt", "kms:DescribeKey", "kms:ListAliases"], Resource="*")
    )
    where = f"the IAM policy of {user}"
    account = clinic.aws.account_id
    return Leak("IAM policy", where, sid, account, user, None, False, fetched)


def bucket_policy(_: Clinic, documents: Documents, fetched: Departments, dice: Random) -> Leak:
    """A bucket policy that opens more than the reports to the partner's account."""
    sid, opened = dice.choice(_SIDS), _some(dice, DEPARTMENTS, 2)
    documents.bucket.insert(
        0,
        allow(
            sid,
            "s3:GetObject",
            Principal={"AWS": f"arn:aws:iam::{PARTNER}:root"},
            Resource=[arn_of(f"{each}/*") for each in opened],
        ),
    )
    where = "the bucket policy"
    return Leak("bucket policy", where, sid, PARTNER, "trainee", "newcomer", False, opened)


Open = Callable[[Clinic, Documents, Departments, Random], Leak]

LEAKS: tuple[Open, ...] = (key_policy, grant, role_trust, iam_policy, bucket_policy)
"""Each opens one door: it changes the documents and says what it let happen.

`fetched` are the departments whose objects the staff, and the auditors' role, may fetch.
"""


def _some(dice: Random, of: Sequence[str], count: int) -> Departments:
    chosen = dice.sample(list(of), count)
    return tuple(each for each in of if each in chosen)
