"""The gateway: what happens to every request, whichever client makes it.

    request -> who is calling? -> may they?   -> do it     -> write it down -> count it
               identity           permissions    kms, moto    trail            meter

Read `Gateway.serve` for the sequence; each step has a file of its own.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from threading import RLock
from typing import Any, Protocol
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest

from kmscourse.cloud import (
    cloudtrail,
    iam,
    isolation,
    needs,
    organization,
    permissions,
    protocol,
    sts,
    validation,
    vpc_endpoints,
)
from kmscourse.cloud.acm import ACM
from kmscourse.cloud.acm.around import honour_validity
from kmscourse.cloud.at_rest import AtRest
from kmscourse.cloud.authorization import Decision, Layer, decide
from kmscourse.cloud.call import TLS, Call, Connection
from kmscourse.cloud.clock import Clock
from kmscourse.cloud.errors import AWSError, OfflineError
from kmscourse.cloud.identity import Identity, Principal
from kmscourse.cloud.kms import KMS
from kmscourse.cloud.log_delivery import LogDelivery
from kmscourse.cloud.meter import Meter
from kmscourse.cloud.moto_door import MotoDoor
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.protocol import Response
from kmscourse.cloud.randomness import Randomness
from kmscourse.cloud.regions import Regions
from kmscourse.cloud.trail import Trail

#: How many refusals can be explained afterwards.
_REMEMBERED = 1000


_WITH_ENDPOINT_POLICY = {("ec2", "CreateVpcEndpoint"), ("ec2", "ModifyVpcEndpoint")}


class Service(Protocol):
    """A service that is ours to answer."""

    def needs(self, call: Call) -> list[Permission]:
        """The permissions that a call needs."""

    def perform(self, call: Call) -> dict[str, Any]:
        """Carry out a call that was found to be allowed."""


class Gateway:
    """Where every request of every client arrives.

    Attributes:
        door: the doorway to moto, for what moto does right; set once it stands.
        regions: which Regions are switched off.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        randomness: Randomness,
        identity: Identity,
        kms: KMS,
        trail: Trail,
        meter: Meter,
    ) -> None:
        self.clock, self.random = clock, randomness
        self.identity, self.kms, self.trail, self.meter = identity, kms, trail, meter
        self.at_rest = AtRest(randomness)
        self.regions = Regions()
        self.door: MotoDoor
        self.acm = ACM(clock, randomness)
        self._ours: dict[str, Service] = {"kms": kms, "acm": self.acm}
        self._refusals: OrderedDict[str, Decision] = OrderedDict()
        self._turn = RLock()
        self.deliveries = LogDelivery(trail, randomness, self.serve)

    def handle(self, http: AWSPreparedRequest, connection: Connection | None = None) -> Response:
        """Answer one HTTP request to an AWS endpoint. Requests of several threads take turns.

        Args:
            connection: what the request really came on; None for one that never left memory.
        """
        with self._turn:
            return self._handle(http, connection)

    def _handle(self, http: AWSPreparedRequest, connection: Connection | None) -> Response:
        if not protocol.is_aws(urlsplit(http.url).hostname or ""):
            raise OfflineError(isolation.refusal(http.url.partition("?")[0]))
        self.clock.tick()
        self.catch_up()
        host = urlsplit(http.url).netloc
        endpoint = vpc_endpoints.come_through(http)
        envelope = protocol.open_envelope(http)
        if connection is None:
            connection = Connection(TLS() if envelope.secure else None, "127.0.0.1", host)
        call = Call(
            service=envelope.service,
            operation="",
            parameters={},
            region=envelope.region,
            request_id=self.random.uuid(),
            time=self.clock.now(),
            access_key=envelope.access_key,
            session_token=envelope.session_token,
            http=http,
            tls=connection.tls,
            host=connection.host,
            user_agent=envelope.user_agent,
            source_ip=connection.source_ip,
            endpoint=endpoint,
        )
        try:
            call.operation, call.parameters = protocol.read(http, envelope)
            call.caller = self._caller(call)
            self.regions.check(call, len(self.trail))
            answer = self.serve(call)
        except AWSError as error:
            refused = protocol.refuse(call.service, call.operation, error, call.request_id)
            if http.method == "HEAD":  # an answer to HEAD has no body, whatever it says
                refused.body = b""
            return refused
        if isinstance(answer, Response):
            return answer
        return protocol.respond(call.service, call.operation, answer, call.request_id)

    def catch_up(self) -> None:
        """Let happen what has fallen due: deletions in KMS, renewals, copies, log files."""
        with self._turn:
            self.kms.catch_up()
            self.acm.catch_up()
            self.at_rest.catch_up(self)
            self.deliveries.catch_up(self.clock.now())

    def serve(self, call: Call) -> dict[str, Any] | Response:
        """The way of a call, whether it came over HTTP or from a service.

        Returns:
            The result of a service that is ours, or the response that moto wrote.

        Raises:
            AWSError: in AWS's words, for what is refused or fails.
        """
        answer: dict[str, Any] | Response | None = None
        failure: AWSError | None = None
        try:
            if call.caller is None:
                call.caller = self._caller(call)
            self._check_parameters(call)
            permissions.check(call, self._needs(call))
            answer = self._perform(call)
            if isinstance(answer, Response):
                failed = protocol.error_code(answer)
                failure = AWSError(*failed, answer.status) if failed else None
        except permissions.RefusedError as refusal:
            self.remember(call, refusal.decision)
            failure = refusal
            raise
        except AWSError as error:
            failure = error
            raise
        finally:
            if call.caller is not None and call.operation and not _kept_out(failure):
                self.trail.record(call, answer if isinstance(answer, dict) else None, failure)
                self.meter.count(call)
        return answer

    def on_behalf(
        self, call: Call, service: str, operation: str, parameters: dict[str, Any]
    ) -> dict[str, Any]:
        """Let a service call another with its caller's identity (a forward access session)."""
        inner = call.on_behalf(
            service, operation, parameters, via=call.service, request_id=self.random.uuid()
        )
        answer = self.serve(inner)
        assert isinstance(answer, dict), "services call only services that are ours"
        return answer

    def decision(self, request_id: str) -> Decision | None:
        """The decision by which a request was refused, while it is remembered."""
        return self._refusals.get(request_id)

    def _caller(self, call: Call) -> Principal:
        """Whoever signed a call, or whom an identity provider vouches for in an unsigned one."""
        unsigned = call.access_key is None
        if unsigned and call.service == "sts" and call.operation in sts.FEDERATED:
            return sts.vouched_for(call)
        return self.identity.caller(call)

    def _check_parameters(self, call: Call) -> None:
        model = protocol.model(call.service)
        if model is not None and (call.service in self._ours or _is_lookup(call)):
            validation.validate(call.parameters, model.operation_model(call.operation))

    def _needs(self, call: Call) -> list[Permission]:
        ours = self._ours.get(call.service)
        if ours is not None:
            return ours.needs(call)
        return self.at_rest.needs(call) or needs.needs(call)

    def _perform(self, call: Call) -> dict[str, Any] | Response:
        ours = self._ours.get(call.service)
        if ours is not None:
            return ours.perform(call)
        if _is_lookup(call):
            return cloudtrail.lookup_events(self.trail, call)

        def ask_moto() -> Response:
            assert call.http is not None, "services call only services that are ours"
            return self.door.ask(call.http, call.account, call.request_id)

        if call.service == "sts":
            return sts.perform(call, self.identity, ask_moto)
        if call.service == "iam":
            return iam.perform(call, ask_moto)
        if (call.service, call.operation) in _WITH_ENDPOINT_POLICY:
            return vpc_endpoints.perform(call.operation, call.parameters, call.region, ask_moto)
        if call.service == "organizations":
            organization.check_attach(call)
        if (call.service, call.operation) == ("acm-pca", "IssueCertificate"):
            answer = ask_moto()
            honour_validity(call, answer)
            return answer
        return self.at_rest.perform(self, call, ask_moto)

    def remember(self, call: Call, decision: Decision) -> None:
        """Keep the decision by which a call was refused, for who asks why."""
        self._refusals[call.request_id] = decision
        while len(self._refusals) > _REMEMBERED:
            self._refusals.popitem(last=False)


def _is_lookup(call: Call) -> bool:
    return (call.service, call.operation) == ("cloudtrail", "LookupEvents")


def _kept_out(failure: AWSError | None) -> bool:
    """Whether only a VPC endpoint's policy stood in the way: CloudTrail is not told of that.

    Source: AWS KMS Developer Guide, "Logging AWS KMS requests that use a VPC endpoint".
    """
    if not isinstance(failure, permissions.RefusedError):
        return False
    decision = failure.decision
    if decision.denied_by != Layer.ENDPOINT.value:
        return False
    return decide(decision.request, replace(decision.policies, vpc_endpoint=None)).allowed
