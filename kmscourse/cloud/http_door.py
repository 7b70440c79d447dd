"""The doorway for HTTP clients that know nothing of AWS: urllib, http.client, urllib3, requests.

botocore comes through moto's door. A request that someone signed by hand and sends with the
standard library, urllib3 or what stands on it comes through here: a connection to an AWS host
gets a socket that leads to the gateway instead of the network.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable
from io import BytesIO
from typing import Any

import urllib3.connection
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders

from kmscourse.cloud.protocol import Response, is_aws

_CONNECTIONS: tuple[Any, ...] = (
    http.client.HTTPConnection,
    http.client.HTTPSConnection,
    urllib3.connection.HTTPConnection,
    urllib3.connection.HTTPSConnection,
)


class HTTPDoor:
    """Leads plain HTTP connections to AWS hosts to the gateway.

    Args:
        handle: answers every request from now on.
    """

    def __init__(self, handle: Callable[[AWSPreparedRequest], Response]) -> None:
        self._handle = handle
        self._before: dict[Any, Any] = {}

    def open(self) -> None:
        """Take the place of the network for AWS hosts."""
        for kind in _CONNECTIONS:
            if "connect" in vars(kind):
                self._before[kind] = kind.connect
                kind.connect = self._connecting(kind.connect)

    def close(self) -> None:
        """Leave every class as it was found."""
        for kind, connect in self._before.items():
            kind.connect = connect
        self._before.clear()

    def _connecting(self, connect: Callable[[Any], None]) -> Callable[[Any], None]:
        handle = self._handle

        def connect_here(connection: Any) -> None:
            if not is_aws(connection.host):
                connect(connection)
                return
            secure = connection.default_port == http.client.HTTPS_PORT
            scheme = "https" if secure else "http"
            connection.sock = _Socket(handle, f"{scheme}://{connection.host}")
            connection.is_verified = secure

        return connect_here


class _Socket:
    """As much of a socket as http.client uses, with the gateway at its far end."""

    def __init__(self, handle: Callable[[AWSPreparedRequest], Response], base: str) -> None:
        self._handle, self._base = handle, base
        self._sent = bytearray()

    def sendall(self, data: bytes) -> None:
        self._sent += data

    def makefile(self, *_args: Any, **_kwargs: Any) -> BytesIO:
        head, _, body = bytes(self._sent).partition(b"\r\n\r\n")
        self._sent.clear()
        request_line, _, header_block = head.partition(b"\r\n")
        method, path, _ = request_line.decode("latin-1").split(" ", 2)
        headers = HTTPHeaders()
        for name, value in http.client.parse_headers(BytesIO(header_block + b"\r\n\r\n")).items():
            headers[name] = value
        if headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = _unchunked(body)
        answer = self._handle(
            AWSPreparedRequest(method, self._base + path, headers, body, stream_output=False)
        )
        reason = http.client.responses.get(answer.status, "")
        status_line = f"HTTP/1.1 {answer.status} {reason}\r\n"
        kept = {
            name: value
            for name, value in answer.headers.items()
            if name.lower() not in ("content-length", "transfer-encoding", "connection")
        }
        kept |= {"Content-Length": str(len(answer.body)), "Connection": "close"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in kept.items())
        return BytesIO(f"{status_line}{lines}\r\n".encode("latin-1", "replace") + answer.body)

    def settimeout(self, _: float | None) -> None:
        """The gateway answers at once."""

    def close(self) -> None:
        """Nothing is held open."""


def _unchunked(body: bytes) -> bytes:
    whole = bytearray()
    while body:
        size_line, _, body = body.partition(b"\r\n")
        size = int(size_line.partition(b";")[0] or b"0", 16)
        if not size:
            break
        whole += body[:size]
        body = body[size + 2 :]
    return bytes(whole)
