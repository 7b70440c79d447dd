"""Who is calling: from the credentials of a request to the principal behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from kmscourse.cloud import moto_door
from kmscourse.cloud.call import Call
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.randomness import Randomness

#: The IAM user that a learner is until a lesson says otherwise.
LEARNER = "learner"

_ADMINISTRATOR = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
)

Kind = Literal[
    "Root",
    "IAMUser",
    "AssumedRole",
    "FederatedUser",
    "AWSService",
    "Anonymous",
    "WebIdentityUser",
    "SAMLUser",
]


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever makes a request.

    Attributes:
        arn: the principal's ARN; of the session for an assumed role; a service principal
            such as ``s3.amazonaws.com`` for a service; ``anonymous`` for an unsigned request.
        kind: as in CloudTrail's ``userIdentity.type``.
        account: its account id.
        id: its unique id (``AIDA...``, ``AROA...:session``; the account id for root).
        issuer: for a federated user, the user who vouches for the session.
        temporary: whether the credentials are a session's.
        mfa_at: when the session's maker gave an MFA code; None if none was given.
        issued_at: when the session's credentials were given out.
        context: condition keys that an identity provider's token brings.
    """

    arn: str
    kind: Kind
    account: str
    id: str
    access_key: str | None = None
    session_policies: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = field(default=())
    issuer: Principal | None = None
    temporary: bool = False
    mfa_at: datetime | None = None
    issued_at: datetime | None = None
    context: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The last part of the ARN: the user's name or the session's."""
        return self.arn.rpartition("/")[2]

    @property
    def role_name(self) -> str | None:
        """The role behind an assumed-role session."""
        match = re.search(r":assumed-role/([^/]+)/", self.arn)
        return match[1] if match else None

    @property
    def issuer_arn(self) -> str:
        """What ``aws:PrincipalArn`` says: the role for a session, else the ARN itself."""
        if self.role_name is None:
            return self.arn
        role = moto_door.iam(self.account).roles
        for candidate in role.values():
            if candidate.name == self.role_name:
                return str(candidate.arn)
        return f"arn:aws:iam::{self.account}:role/{self.role_name}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Invented credentials that the simulated AWS knows."""

    access_key: str
    secret_key: str
    session_token: str | None = None

    def environment(self) -> dict[str, str]:
        """As the environment variables that every SDK reads."""
        named = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return named | ({"AWS_SESSION_TOKEN": self.session_token} if self.session_token else {})


class Identity:
    """The credentials that this cloud issued, and the principals behind them.

    A request whose access key is neither of these nor one of IAM's or STS's own gets
    ``UnrecognizedClientException``, as on AWS.
    """

    def __init__(self, randomness: Randomness) -> None:
        self._random = randomness
        self._issued: dict[str, Principal] = {}
        self._names: dict[tuple[str, str], Credentials] = {}
        self._mfa: dict[str, datetime] = {}
        self._issued_at: dict[str, datetime] = {}

    def learner(self, account: str) -> Credentials:
        """The account's administrator, whom a beginner is without knowing it."""
        credentials = self.user_or_role(account, LEARNER)
        moto_door.iam(account).put_user_policy(LEARNER, "AdministratorAccess", _ADMINISTRATOR)
        return credentials

    def user_or_role(self, account: str, name: str) -> Credentials:
        """Credentials for a user or role of an account, always the same ones for a name.

        ``"root"`` is the account's root user. A name the account has neither a user nor a
        role for becomes a user without any permissions.
        """
        iam = moto_door.iam(account)
        known = self._names.get((account, name))
        if known is not None and (name == "root" or self._exists(iam, name)):
            return known
        principal = self._principal(iam, account, name)
        temporary = principal.kind == "AssumedRole"
        credentials = Credentials(
            access_key=("ASIA" if temporary else "AKIA") + self._random.letters(16),
            secret_key=self._random.hex(40),
            session_token=self._random.hex(64) if temporary else None,
        )
        self._issued[credentials.access_key] = principal
        self._names[account, name] = credentials
        return credentials

    def issue(
        self, principal: Principal, *, at: datetime, mfa_at: datetime | None = None
    ) -> Credentials:
        """Credentials for a session."""
        credentials = Credentials(
            access_key="ASIA" + self._random.letters(16),
            secret_key=self._random.hex(40),
            session_token=self._random.hex(64),
        )
        self._issued[credentials.access_key] = replace(
            principal, temporary=True, mfa_at=mfa_at, issued_at=at
        )
        return credentials

    def note_session(self, access_key: str, time: datetime, *, mfa: bool) -> None:
        """Note when STS gave out the credentials of a session, and whether for an MFA code."""
        self._issued_at[access_key] = time
        if mfa:
            self._mfa[access_key] = time

    def caller(self, call: Call) -> Principal:
        """Whoever signed a call.

        Raises:
            AWSError: ``UnrecognizedClientException`` (in S3's, STS's or EC2's own words for
                those services) for credentials nobody issued;
                ``MissingAuthenticationTokenException``
                for an unsigned request to a service that takes none.
        """
        if call.access_key is None:
            if call.service not in _TAKE_UNSIGNED:
                raise _unsigned(call.service)
            return Principal("anonymous", "Anonymous", "anonymous", "anonymous")
        principal = self._issued.get(call.access_key) or self._issued_by_iam(call.access_key)
        if principal is None:
            raise _unknown(call.service)
        if principal.kind == "AssumedRole":
            # A session of user_or_role is as old as its first call.
            since = self._issued_at.setdefault(call.access_key, call.time)
            mfa_at = self._mfa.get(call.access_key)
            return replace(principal, temporary=True, mfa_at=mfa_at, issued_at=since)
        return principal

    @staticmethod
    def _exists(iam: Any, name: str) -> bool:
        return name in iam.users or any(role.name == name for role in iam.roles.values())

    def _principal(self, iam: Any, account: str, name: str) -> Principal:
        if name == "root":
            return Principal(f"arn:aws:iam::{account}:root", "Root", account, account)
        for role in iam.roles.values():
            if role.name == name:
                return Principal(
                    f"arn:aws:sts::{account}:assumed-role/{name}/{name}-session",
                    "AssumedRole",
                    account,
                    f"{role.id}:{name}-session",
                )
        if name not in iam.users:
            iam.create_user("us-east-1", name)
        user = iam.users[name]
        return Principal(user.arn, "IAMUser", account, user.id)

    @staticmethod
    def _issued_by_iam(access_key: str) -> Principal | None:
        for account in moto_door.accounts():
            iam = moto_door.iam(account)
            key = iam.access_keys.get(access_key)
            if key is not None and key.user_name in iam.users and key.status == "Active":
                user = iam.users[key.user_name]
                return Principal(user.arn, "IAMUser", account, user.id, access_key)
        session = moto_door.assumed_role(access_key)
        if session is not None:
            return Principal(
                session.arn,
                "AssumedRole",
                session.account_id,
                session.user_id,
                access_key,
                session_policies=(session.policy,) if session.policy else (),
            )
        return None


#: S3 serves what a bucket policy opens to everyone; STS gives credentials to whom an identity
#: provider vouches for. Nobody else answers an unsigned request.
_TAKE_UNSIGNED = ("s3", "sts")
_QUERY_PROTOCOL = ("sts", "iam", "rds")


def _unsigned(service: str) -> AWSError:
    """Source: each service's API reference, "Common errors"; the words are from memory."""
    if service == "ec2":
        return AWSError(
            "AuthFailure", "AWS was not able to validate the provided access credentials"
        )
    if service in _QUERY_PROTOCOL:
        words = "Request is missing Authentication Token"
        return AWSError("MissingAuthenticationToken", words, 403)
    return AWSError("MissingAuthenticationTokenException", "Missing Authentication Token")


def _unknown(service: str) -> AWSError:
    if service == "s3":
        return AWSError(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            403,
        )
    if service == "ec2":
        return AWSError(
            "AuthFailure", "AWS was not able to validate the provided access credentials", 401
        )
    code = "InvalidClientTokenId" if service in _QUERY_PROTOCOL else ("UnrecognizedClientException")
    return AWSError(code, "The security token included in the request is invalid.", 403)
