"""A simulated AWS: what a learner holds in the hand besides boto3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import botocore.loaders
import botocore.session
from botocore.exceptions import ClientError
from botocore.hooks import HierarchicalEmitter

from kmscourse.cloud import isolation
from kmscourse.cloud.authorization import Decision
from kmscourse.cloud.clock import Clock
from kmscourse.cloud.gateway import Gateway
from kmscourse.cloud.http_door import HTTPDoor
from kmscourse.cloud.identity import LEARNER, Identity
from kmscourse.cloud.kms import KMS
from kmscourse.cloud.meter import KeyMonths, Meter
from kmscourse.cloud.moto_door import DEFAULT_ACCOUNT, MotoDoor
from kmscourse.cloud.pricing import Bill, Usage
from kmscourse.cloud.randomness import Randomness
from kmscourse.cloud.trail import Trail

if TYPE_CHECKING:
    from kmscourse.cloud.at_rest.ebs import Disk
    from kmscourse.cloud.at_rest.rds.session import Connection
    from kmscourse.cloud.serving import Server


#: Reading a service's model takes botocore most of the time that a first client takes. All
#: sessions of a process read them once, together.
_MODELS = botocore.loaders.create_loader()


#: botocore's own event handlers, with the one that moto has put among them. To enter all two
#: hundred takes most of the time that a session takes; a session gets a copy.
_HANDLERS = HierarchicalEmitter()
botocore.session.Session(event_hooks=_HANDLERS)


def _botocore_session() -> botocore.session.Session:
    session = botocore.session.Session(event_hooks=copy(_HANDLERS), include_builtin_handlers=False)
    session.register_component("data_loader", _MODELS)
    return session


@dataclass(frozen=True, slots=True)
class Account:
    """One AWS account of the simulated AWS."""

    cloud: Cloud
    id: str

    def session(self, name: str, *, region: str | None = None) -> boto3.Session:
        """A boto3 Session for a user or role of this account. See `Cloud.session`."""
        credentials = self.cloud.identity.user_or_role(self.id, name)
        return boto3.Session(
            botocore_session=_botocore_session(),
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.session_token,
            region_name=region or self.cloud.region,
        )

    def __repr__(self) -> str:
        return f"<Account {self.id}>"


class BillingMeter:
    """The meter as a learner sees it: reckoned up to the simulated now."""

    def __init__(self, meter: Meter, clock: Clock) -> None:
        self._meter, self._clock = meter, clock

    def bill(self, account: str | None = None) -> Bill:
        """What everything so far would have cost, of one account or of all."""
        return self._meter.bill(account, now=self._clock.now())

    def usage(self, account: str | None = None) -> Usage:
        """What that bill is for: how much of each thing that has a price."""
        return self._meter.usage(account, now=self._clock.now())

    def requests(self, kind: str = "kms.request.symmetric") -> int:
        """How many requests of a kind were made, by the names of `kmscourse.facts.prices`."""
        return self._meter.requests(kind)


class Cloud:
    """A simulated AWS. Made by `kmscourse.cloud.start`.

    Attributes:
        clock: the simulated time; ``clock.advance(days=365)``.
        trail: what CloudTrail recorded; ``trail.events()``.
        meter: what the calls would have cost; ``meter.bill()``.
        quotas: throttling by AWS's request quotas, off until ``quotas.on()``.
        regions: Regions that stop answering, by ``regions.off("us-east-1")``.
        region: the default Region.
    """

    def __init__(self, *, seed: str | None = None, region: str = "us-east-1") -> None:
        self.region = region
        self.account_id = DEFAULT_ACCOUNT
        self.random = Randomness(seed)
        self.clock = Clock(seeded=seed is not None, on_advance=lambda: self.gateway.catch_up())
        self.identity = Identity(self.random)
        self.trail = Trail(self.random)
        self._kms = KMS(self.clock, self.random)
        self.quotas = self._kms.quotas
        meter = Meter(self._key_months, lambda service: self.gateway.at_rest.standing(service))
        self.meter = BillingMeter(meter, self.clock)
        self.gateway = Gateway(
            clock=self.clock,
            randomness=self.random,
            identity=self.identity,
            kms=self._kms,
            trail=self.trail,
            meter=meter,
        )
        self.regions = self.gateway.regions
        self._door = self.gateway.door = MotoDoor(self.gateway.handle, self.clock.now, seed)
        self._http_door = HTTPDoor(self.gateway.handle)
        self._server: Server | None = None

    def open(self) -> None:
        """Stand between boto3 and the world. `kmscourse.cloud.start` calls it."""
        self._default_session = boto3.DEFAULT_SESSION
        self._door.open()
        self._http_door.open()
        learner = self.identity.learner(self.account_id)
        self._environment = isolation.Environment(learner.environment(), self.region)
        isolation.close()
        boto3.DEFAULT_SESSION = boto3.Session(botocore_session=_botocore_session())

    def close(self) -> None:
        """Put everything back as it was. `kmscourse.cloud.stop` calls it."""
        if self._server is not None:
            self._server.close()
        isolation.reopen()
        self._environment.restore()
        self._http_door.close()
        self._door.close()
        self.gateway.at_rest.close()
        boto3.DEFAULT_SESSION = self._default_session

    def session(self, name: str, *, region: str | None = None) -> boto3.Session:
        """A boto3 Session for a user or role in the default account.

        A name that the account has neither a user nor a role for becomes a user without any
        permissions; ``"learner"`` is the administrator that plain boto3 is; ``"root"`` is the
        account's root user.
        """
        return self.account(self.account_id).session(name, region=region)

    def account(self, account_id: str) -> Account:
        """An account by its twelve digits; every account exists, and is empty at first.

        Raises:
            ValueError: for what is no account id.
        """
        if not (isinstance(account_id, str) and len(account_id) == 12 and account_id.isdigit()):
            raise ValueError(f"An account id has twelve digits, as text: not {account_id!r}.")
        return Account(self, account_id)

    def explain(self, refused: ClientError | Mapping[str, Any]) -> Decision:
        """Why a call was refused: the whole decision, statement by statement.

        Args:
            refused: what boto3 raised; or a record of the trail, for calls that a service made.

        Raises:
            ValueError: where policies did not refuse the call, with what did.
        """
        if isinstance(refused, Mapping):
            request_id, code = refused.get("requestID", ""), refused.get("errorCode")
            if code is None:
                raise ValueError("This call was not refused: its record has no errorCode.")
        else:
            response = getattr(refused, "response", {})
            request_id = response.get("ResponseMetadata", {}).get("RequestId", "")
            code = response.get("Error", {}).get("Code", type(refused).__name__)
        decision = self.gateway.decision(request_id)
        if decision is None:
            raise ValueError(
                f"No policy refused this call: it failed with {code}, which is about the request "
                "or the state of what it names, not about permissions."
            )
        return decision

    def stored(self, service: str, *where: str, **named: Any) -> Any:
        """What lies on the disk of a service: the ciphertext and the wrapped key.

        For S3: ``aws.stored("s3", bucket, key)``.
        """
        return self.gateway.at_rest.stored(service, *where, **named)

    def serve(self, *, port: int = 0, https_port: int = 0) -> Server:
        """Open an endpoint on this machine, for the AWS CLI and whatever else is not boto3 here.

        Over HTTP and HTTPS, on loopback only. Programs started while it is open, such as ``aws``
        in a ``%%bash`` cell, find it over HTTPS by themselves; ``server.environment()`` has what
        a terminal of your own needs. Closes with the simulated AWS, with ``server.close()`` or
        with a ``with`` block; serving again closes the one before.

        Args:
            port: for HTTP; any free one unless given.
            https_port: for HTTPS; any free one unless given.

        Raises:
            ServingError: where there are no sockets, or a port is taken; a `RuntimeError`.
        """
        from kmscourse.cloud.serving import Server  # needs sockets and threads

        if self._server is not None:
            self._server.close()
        learner = self.identity.user_or_role(self.account_id, LEARNER)
        variables = {**learner.environment(), "AWS_DEFAULT_REGION": self.region}
        self._server = Server(self.gateway.handle, variables, port, https_port)
        return self._server

    def disk(self, volume_id: str) -> Disk:
        """An EBS volume as the operating system sees it that has it attached.

        ``aws.disk(volume_id).write(0, b"...")`` and ``.read(0, 512)``; what then lies on the
        volume itself shows ``aws.stored("ebs", volume_id)``.
        """
        return self.gateway.at_rest.ebs.disk(volume_id)

    def database(
        self, name: str, *, account: str | None = None, region: str | None = None
    ) -> Connection:
        """A session to the database of an RDS instance or an Aurora cluster: `sqlite3`.

        What is committed is stored as RDS stores it: ``aws.stored("rds", name)``.

        Args:
            name: the identifier of the instance or the cluster.
            account: its account, where several have one of that name.
            region: its Region, likewise: a secondary cluster of a global database.
        """
        return self.gateway.at_rest.rds.database(
            name, account=account, region=region, down=self.regions.down
        )

    def _key_months(self, now: datetime) -> Iterator[KeyMonths]:
        """The hours for which each customer managed key is paid for.

        A key that is scheduled for deletion is not billed (fact PRI-08).
        """
        ended = {key.id: end for key, end in self._kms.deleted}
        for key in [*self._kms.keys(), *(key for key, _ in self._kms.deleted)]:
            if key.manager != "CUSTOMER":
                continue
            end = min(ended.get(key.id, now), key.deletion_scheduled or now)
            hours = Decimal(str((end - key.created).total_seconds())) / 3600
            turned = [each.created for each in key.materials if each.rotation and each.created]
            since = tuple(
                max(Decimal(str((end - when).total_seconds())) / 3600, Decimal())
                for when in turned[:2]
            )
            yield KeyMonths(key.account, max(hours, Decimal()), since)

    def __repr__(self) -> str:
        return f"<Cloud: account {self.account_id}, {self.region}>"
