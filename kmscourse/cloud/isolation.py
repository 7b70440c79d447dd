"""Nothing leaves the machine.

Two walls. Learners have real credentials in ``~/.aws``: while the simulated AWS runs,
invented ones stand in front of them, and profiles, SSO, metadata endpoints and proxies are
out of sight. And whatever still tries to reach another machine is refused before a socket
connects or a name is looked up, with one sentence.

The second wall is an audit hook (PEP 578): Python reports every connection and look-up to
it, however the socket came about, and an exception from it prevents the act.

Programs started from here, such as the AWS CLI, have no such hook. They are told of an
endpoint on this machine: of `aws.serve` while it is open, and else of one where nobody answers.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from botocore.configprovider import ConfigValueStore

from kmscourse.cloud.errors import OfflineError

#: Variables from which the AWS SDKs would take other credentials, endpoints or settings, or
#: a proxy would take the traffic.
_HIDDEN = frozenset(
    {
        *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DATA_PATH"),
        *("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION"),
        *("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        *("AWS_LOGIN_CACHE_DIRECTORY", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
        *("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_STS_REGIONAL_ENDPOINTS"),
        *("MOTO_ACCOUNT_ID", "MOTO_CALL_RESET_API", "TEST_SERVER_MODE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    }
)

#: The endpoint of programs while none is open: port 9 is nobody's, and errors quote the address.
_NOBODY = "http://127.0.0.1:9/call-aws.serve-first"

_LOOK_UPS = {
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyname_ex",
    "socket.gethostbyaddr",
}
_CONNECTIONS = {"socket.connect", "socket.sendto", "socket.sendmsg"}

_closed = 0  # how many simulated clouds keep the door shut
_hooked = False


class Environment:
    """Invented credentials in front of real ones, put back exactly on `restore`."""

    def __init__(self, credentials: Mapping[str, str], region: str) -> None:
        hidden = [
            name for name in os.environ if name in _HIDDEN or name.startswith("AWS_ENDPOINT_URL")
        ]
        shown = {
            **credentials,
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
            "AWS_ENDPOINT_URL": _NOBODY,
        }
        self._before = {name: os.environ.get(name) for name in {*hidden, *shown}}
        for name in hidden:
            del os.environ[name]
        os.environ.update(shown)
        self._configured = ConfigValueStore.get_config_variable
        ConfigValueStore.get_config_variable = _configured_here(self._configured)

    def restore(self) -> None:
        """Put every variable back as it was."""
        ConfigValueStore.get_config_variable = self._configured
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _configured_here(configured: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """What boto3 in this process takes from its configuration: no endpoint and no CA bundle.

    It needs neither, in memory. The variables are there for the programs that inherit them.
    """

    def get_config_variable(store: Any, logical_name: str) -> Any:
        if logical_name == "ignore_configured_endpoint_urls":
            return True
        return None if logical_name == "ca_bundle" else configured(store, logical_name)

    return get_config_variable


def close() -> None:
    """From now on refuse every connection that is not to loopback."""
    global _closed, _hooked
    if not _hooked:
        sys.addaudithook(_guard)
        _hooked = True
    _closed += 1


def reopen() -> None:
    """Undo one `close`."""
    global _closed
    _closed = max(0, _closed - 1)


def refusal(where: str) -> str:
    """The one sentence that a refused connection gets."""
    return (
        f"Refused to connect to {where}: while the simulated AWS is running, nothing leaves "
        "this machine. cloud.stop() ends the simulation."
    )


def is_loopback(host: object) -> bool:
    """Whether a host, by name or address, is this machine itself."""
    if host is None or host in ("", "localhost", b"localhost"):
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    name = name.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.split("%")[0]).is_loopback
    except ValueError:
        return False


def _guard(event: str, args: tuple[Any, ...]) -> None:
    if not _closed or not event.startswith("socket."):
        return
    if event in _LOOK_UPS:
        host, port = args[0], args[1] if len(args) > 1 else None
    elif event in _CONNECTIONS and isinstance(args[-1], tuple):  # not a path of a Unix socket
        host, port = args[-1][0], args[-1][1]
    else:
        return
    if not is_loopback(host):
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        where = f"{name}:{port}" if port is not None else f"{name}"
        raise OfflineError(refusal(where))
