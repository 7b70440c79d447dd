"""The doorway to moto: every private name of moto that the simulator stands on is here.

moto hands each request that a client of botocore makes to ``process_request`` of its one
stubber, and sends back what that returns. The simulator stands there. Two more names complete
it: botocore's ``URLLib3Session.send``, for clients that were made before moto was loaded and
for requests signed by hand, and the ``datetime`` that moto's own clock reads. Of moto's
``mock_aws`` nothing else is wanted: its thousand patterns for requests take longer than all
the rest of a start, and `http_door` answers requests too.

moto is pinned; `tests/cloud/test_canary.py` says which name moved, if one does.
"""

from __future__ import annotations

import datetime as real_datetime
from base64 import b64encode
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import moto.core.utils
import moto.iam.models
import moto.settings
import moto.sts.models
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from moto.core.base_backend import BackendDict
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.core.model_instances import reset_model_data
from moto.core.models import botocore_stubber
from moto.iam.models import iam_backends
from moto.moto_api._internal import mock_random
from moto.organizations.models import organizations_backends
from moto.sts.models import sts_backends
from moto.sts.utils import SESSION_TOKEN_PREFIX

from kmscourse.cloud.isolation import is_loopback
from kmscourse.cloud.protocol import Response

#: The account that moto, and so the simulated AWS, calls its own.
DEFAULT_ACCOUNT = "123456789012"

Handler = Callable[[AWSPreparedRequest], Response]
HTTPAnswer = tuple[int, dict[str, str], bytes]


class MotoDoor:
    """Stands in moto's doorway while a simulated cloud runs.

    Args:
        handle: answers every request from now on.
        now: the simulated time, for what moto stamps itself.
        seed: makes the ids that moto invents repeatable; None for random ones.
    """

    def __init__(
        self, handle: Handler, now: Callable[[], real_datetime.datetime], seed: str | None
    ) -> None:
        self._handle = handle
        self._before = botocore_stubber.process_request  # moto's own, or an outer cloud's
        self._send = URLLib3Session.send
        self._user = moto.iam.models.User
        self._rooms = _Rooms()
        self._now = now
        self._seed = seed

    def open(self) -> None:
        """Take the place in the doorway."""
        self._rooms.clear()
        self._enabled = botocore_stubber.enabled
        botocore_stubber.enabled = True
        mock_random.seed(self._seed)
        botocore_stubber.process_request = self._process_request
        handle, send = self._handle, self._send

        def send_here(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
            if is_loopback(_host(request.url)):
                return send(session, request)
            response = handle(request)
            return AWSResponse(
                request.url, response.status, response.headers, MockRawResponse(response.body)
            )

        URLLib3Session.send = send_here
        moto.core.utils.datetime = _datetime_by(self._now)
        # A thousand images of Amazon's in each account would take half a second of whoever first
        # uses EC2 there, and, as an environment variable decides about them, change the seeded ids.
        self._loads_images = moto.settings.ec2_load_default_amis
        moto.settings.ec2_load_default_amis = lambda: False
        moto.iam.models.User = _User
        self._session_token = moto.sts.models.random_session_token
        if self._seed is not None:
            moto.sts.models.random_session_token = _session_tokens(self._seed)

    def close(self) -> None:
        """Leave it as it was found."""
        moto.sts.models.random_session_token = self._session_token
        moto.iam.models.User = self._user
        moto.core.utils.datetime = real_datetime
        URLLib3Session.send = self._send
        botocore_stubber.process_request = self._before
        botocore_stubber.enabled = self._enabled
        self._rooms.empty()
        self._rooms.restore()
        if not self._enabled:
            reset_model_data()
        moto.settings.ec2_load_default_amis = self._loads_images

    def ask(self, http: AWSPreparedRequest, account: str, request_id: str) -> Response:
        """Let moto answer a request in an account, under the request id of the trail."""
        http.headers["x-moto-account-id"] = account
        try:
            answered = BotocoreStubber.process_request(botocore_stubber, http)
        except NotImplementedError as error:
            return Response(501, {}, str(error).encode())
        if answered is None:
            return Response(404, {}, b"")
        status, headers, body = answered
        # The headers of its own HTTP errors moto gives as a list of pairs.
        written = {str(name).lower(): str(value) for name, value in dict(headers).items()}
        written |= {"x-amzn-requestid": request_id, "x-amz-request-id": request_id}
        return Response(status, written, body.encode() if isinstance(body, str) else body)

    def _process_request(
        self, request: AWSPreparedRequest
    ) -> tuple[int, dict[str, str], bytes] | None:
        if is_loopback(_host(request.url)):
            return None  # a server of the learner's own
        return self._handle(request).as_tuple()


class _User(moto.iam.models.User):  # type: ignore[misc]
    """A user whose unique id begins as AWS's do.

    Source: IAM User Guide, "IAM identifiers", Understanding unique ID prefixes.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.id = f"AIDA{vars(self)['id'][:17].upper()}"


def iam(account: str) -> Any:
    """moto's IAM of an account."""
    return iam_backends[account]["aws"]


def vpc_endpoints(region: str) -> list[tuple[str, Any]]:
    """The VPC endpoints of every account in a Region, each with its account."""
    from moto.ec2.models import ec2_backends  # a large one, and seldom needed

    return [
        (account, endpoint)
        for account, regions in list(ec2_backends.items())
        if region in regions
        for endpoint in regions[region].vpc_end_points.values()
    ]


def accounts() -> list[str]:
    """The accounts in which moto's IAM has been used."""
    return list(iam_backends)


def assumed_role(access_key: str) -> Any:
    """The session that STS issued an access key for, or None."""
    for backends in list(sts_backends.values()):
        for backend in list(backends.values()):
            session = backend.get_assumed_role_from_access_key(access_key)
            if session is not None:
                return session
    return None


def mfa_seed(account: str, user: str, serial: str) -> str | None:
    """The secret of a user's virtual MFA device, in base 32; None if there is no such device."""
    backend = iam(account)
    device = backend.virtual_mfa_devices.get(serial)
    owner = backend.users.get(user)
    if device is None or owner is None or serial not in owner.mfa_devices:
        return None
    return str(device.base32_string_seed)


def managed_policy(account: str, arn: str) -> str:
    """The document of a managed policy in its default version."""
    versions = iam(account).get_policy(arn).versions
    return next(str(each.document) for each in versions if each.is_default)


def _session_tokens(seed: str) -> Callable[[], str]:
    """Session tokens that come again with the seed; moto's own are the operating system's."""
    made = Random(f"session tokens of {seed}")

    def token() -> str:
        return f"{SESSION_TOKEN_PREFIX}{b64encode(made.randbytes(252)).decode()}"

    return token


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _datetime_by(now: Callable[[], real_datetime.datetime]) -> Any:
    """The datetime module with another idea of what time it is."""

    class Datetime(real_datetime.datetime):
        @classmethod
        def now(cls, tz: real_datetime.tzinfo | None = None) -> real_datetime.datetime:  # type: ignore[override]
            return now().astimezone(tz) if tz else now().replace(tzinfo=None)

    module = SimpleNamespace(**vars(real_datetime))
    module.datetime = Datetime
    return module


class _Rooms:
    """What moto holds for every service, set aside so that one cloud can run inside another."""

    def __init__(self) -> None:
        self._aside: list[tuple[Any, dict[str, Any]]] = []
        self._masters: dict[str, Any] = {}

    def clear(self) -> None:
        self._aside = [(backends, dict(backends)) for backends in BackendDict._instances]
        for backends, _ in self._aside:
            backends.clear()
        BackendDict._instances.clear()
        self._masters = dict(organizations_backends.master_accounts)
        organizations_backends.master_accounts.clear()

    def empty(self) -> None:
        """Drop what this cloud held, which moto would else make anew, account by account."""
        for backends in BackendDict._instances:
            backends.clear()

    def restore(self) -> None:
        BackendDict.reset()
        for backends, kept in self._aside:
            backends.update(kept)
            BackendDict._instances.append(backends)
        organizations_backends.master_accounts.clear()
        organizations_backends.master_accounts.update(self._masters)
