"""One API call, as the simulated AWS sees it on its way through the gateway."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

    from kmscourse.cloud.identity import Principal
    from kmscourse.cloud.vpc_endpoints import Endpoint


@dataclass(frozen=True, slots=True)
class TLS:
    """What a request's TLS connection agreed on; by default, what an SDK and AWS agree on today.

    Attributes:
        version: as CloudTrail writes it, e.g. ``"TLSv1.3"``.
        cipher_suite: e.g. ``"TLS_AES_128_GCM_SHA256"``.
    """

    version: str = "TLSv1.3"
    cipher_suite: str = "TLS_AES_128_GCM_SHA256"

    @property
    def number(self) -> str:
        """The version as ``s3:TlsVersion`` has it, e.g. ``"1.3"``."""
        return self.version.removeprefix("TLSv")


@dataclass(frozen=True, slots=True)
class Connection:
    """The connection that a request came on, where there really was one (`aws.serve`).

    Attributes:
        tls: None for plain HTTP.
        source_ip: the address of the other end.
        host: the ``Host`` header that the client sent.
    """

    tls: TLS | None
    source_ip: str
    host: str


@dataclass(slots=True)
class Call:
    """What is asked, by whom, and how it got here.

    Attributes:
        service: the service as botocore names it, e.g. ``"kms"``.
        operation: the API operation, e.g. ``"Decrypt"``.
        parameters: as in boto3: blobs are bytes, timestamps are datetimes.
        region: the Region whose endpoint was called.
        access_key: the access key id of the signature; None for an unsigned request.
        session_token: what came in ``X-Amz-Security-Token``, if anything.
        caller: who signed it; set by the gateway once it knows.
        http: the request on the wire; None for a call that a service makes.
        tls: the TLS connection that it came over; None for plain HTTP.
        host: the host name that the client asked for.
        via: the services that pass the caller's identity on, first to last, as service
            principals (forward access sessions): S3 asking KMS for a data key has
            ``("s3.amazonaws.com",)``.
        endpoint: the VPC endpoint that it came through; None for a call that a service makes.
        source_arn: for a call by a service principal, the resource it acts for.
        source_account: the account of that resource.
    """

    service: str
    operation: str
    parameters: dict[str, Any]
    region: str
    request_id: str
    time: datetime
    access_key: str | None = None
    session_token: str | None = None
    caller: Principal = field(default=None)  # type: ignore[assignment]
    http: AWSPreparedRequest | None = None
    tls: TLS | None = TLS()
    host: str = ""
    user_agent: str = ""
    source_ip: str = "127.0.0.1"
    via: tuple[str, ...] = ()
    endpoint: Endpoint | None = None
    source_arn: str | None = None
    source_account: str | None = None
    #: What services note for the trail: the resources touched, additionalEventData.
    noted: dict[str, Any] = field(default_factory=dict)

    @property
    def secure(self) -> bool:
        """Whether it came over TLS."""
        return self.tls is not None

    @property
    def account(self) -> str:
        """The account of whoever calls."""
        return self.caller.account

    @property
    def action(self) -> str:
        """The call as policies write it, e.g. ``kms:Decrypt``."""
        return f"{self.service}:{self.operation}"

    def on_behalf(
        self, service: str, operation: str, parameters: dict[str, Any], *, via: str, request_id: str
    ) -> Call:
        """The call that a service makes to another with this caller's identity.

        Args:
            via: the service that passes the identity on, e.g. ``"s3"``.
        """
        return replace(
            self,
            service=service,
            operation=operation,
            parameters=parameters,
            request_id=request_id,
            http=None,
            endpoint=None,
            via=(*self.via, f"{via}.amazonaws.com"),
            noted={},
        )
