"""The simulated AWS on loopback, for programs that are not this Python: the AWS CLI, curl.

    server = aws.serve()          # then, in a %%bash cell: aws kms list-keys
    server.close()

Needs sockets and threads; nothing else of the simulator does, so it is imported only where it
is used. Every request goes the way of all others, through the gateway; the connection it came
on goes with it, for ``aws:SecureTransport``, ``s3:TlsVersion``, ``aws:SourceIp`` and the trail.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders

from kmscourse import tls
from kmscourse.cloud import protocol
from kmscourse.cloud.call import TLS, Connection
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.protocol import Response, is_aws

_LOOPBACK = "127.0.0.1"
#: A client that says nothing for this long (seconds) is hung up on.
_PATIENCE = 60
#: Where an endpoint's host name does not begin with the service's signing name.
_PREFIXES = {"ses": "email", "ecr": "api.ecr", "dynamodbstreams": "streams.dynamodb"}
#: STS operations that are called without a signature: the token is the proof.
_UNSIGNED_STS = re.compile(rb"(?:^|&)Action=AssumeRoleWith(?:SAML|WebIdentity)(?:&|$)")
#: What belongs to one connection and not to the request it carries (RFC 9110, 7.6.1), and Host,
#: which becomes the name of AWS's endpoint.
_OF_CONNECTION = {"host", "connection", "keep-alive", "transfer-encoding", "expect", "te"}

Handle = Callable[[AWSPreparedRequest, Connection], Response]


class ServingError(RuntimeError):
    """The endpoint cannot be opened here; the message says what to do."""


class Server:
    """The simulated AWS as an endpoint on this machine. Made by `Cloud.serve`.

    While it is open, programs started from here (a ``%%bash`` cell, `subprocess`) find it by
    themselves; boto3 in this process goes on in memory, as before, unless it is given
    ``endpoint_url``. Closes with the simulated AWS, or as a context manager.

    Args:
        handle: answers every request: the gateway.
        environment: the credentials and Region that programs are to use.
        port: for HTTP; 0 for any that is free.
        https_port: for HTTPS; 0 for any that is free.

    Raises:
        ServingError: where there are no sockets, or a port is taken.
    """

    def __init__(
        self, handle: Handle, environment: Mapping[str, str], port: int = 0, https_port: int = 0
    ) -> None:
        if sys.platform == "emscripten":
            raise ServingError(
                "aws.serve() opens a port on this machine, and Python in a browser cannot. "
                "boto3 needs no server: it works as it is."
            )
        self._folder = tempfile.TemporaryDirectory(prefix="kmscourse-")
        ca = tls.CertificateAuthority("Simulated AWS Test CA")
        bundle = Path(self._folder.name) / "ca.pem"
        bundle.write_bytes(ca.pem)
        #: The certificate of the CA that vouches for this endpoint: a path, as text.
        self.ca_bundle = str(bundle)
        context = _server_context(ca, Path(self._folder.name))
        self._listeners: list[_Listener] = []
        try:
            self._listeners.append(_listen(handle, port, None))
            self._listeners.append(_listen(handle, https_port, context))
        except ServingError:
            self._shut()
            raise
        #: Where it answers over plain HTTP, e.g. ``http://127.0.0.1:40001``.
        self.url = f"http://{_LOOPBACK}:{self._listeners[0].server_port}"
        #: Where it answers over HTTPS.
        self.https_url = f"https://{_LOOPBACK}:{self._listeners[1].server_port}"
        self._given = dict(environment)
        self._for_programs = _ForPrograms(self.environment())
        self.closed = False

    def environment(self, *, secure: bool = True) -> dict[str, str]:
        """The variables that a program needs to find this endpoint, and credentials for it.

        Args:
            secure: over HTTPS, with the CA to be trusted; or over plain HTTP.
        """
        variables = {
            **self._given,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
            "AWS_ENDPOINT_URL": self.https_url if secure else self.url,
            "AWS_PAGER": "",
        }
        return variables | ({"AWS_CA_BUNDLE": self.ca_bundle} if secure else {})

    def close(self) -> None:
        """Stop answering, and put the environment back as it was. Closing twice does no harm."""
        if self.closed:
            return
        self.closed = True
        self._for_programs.restore()
        self._shut()

    def _shut(self) -> None:
        for listener in self._listeners:
            listener.stop()
        self._folder.cleanup()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<Server: closed>" if self.closed else f"<Server: {self.url}, {self.https_url}>"


class _ForPrograms:
    """Tells the programs started from here where the endpoint is, by variables they inherit.

    And the shell, where this environment's own ``aws`` is: before any other on the machine.
    boto3 in this process takes no notice of them: see `kmscourse.cloud.isolation`.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        # Credentials and Region are there already, and the learner may have changed them.
        names = ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_PAGER")
        scripts, searched = sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)
        changed = {name: variables[name] for name in names}
        changed["PATH"] = os.pathsep.join((scripts, searched))
        self._before = {name: os.environ.get(name) for name in changed}
        os.environ.update(changed)

    def restore(self) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _server_context(ca: tls.CertificateAuthority, folder: Path) -> ssl.SSLContext:
    """TLS 1.2 and 1.3, as AWS's endpoints speak it, with a certificate for this machine."""
    certificate = ca.issue("localhost", "*.localhost", "*.s3.localhost", _LOOPBACK, "::1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    files = folder / "server.pem", folder / "server.key"
    files[0].write_bytes(certificate.pem)
    files[1].touch(mode=0o600)
    files[1].write_bytes(certificate.private_key_pem)
    context.load_cert_chain(*files)
    for file in files:  # read and done with: a private key has no business on the disk
        file.unlink()
    return context


def _listen(handle: Handle, port: int, context: ssl.SSLContext | None) -> _Listener:
    try:
        listener = _Listener(handle, port, context)
    except OSError as error:
        where = f"port {port}" if port else "a port"
        raise ServingError(
            f"Could not open {where} on {_LOOPBACK}: {error.strerror or error}. Another program "
            "may be using it; aws.serve() without a port takes one that is free."
        ) from error
    threading.Thread(
        target=listener.serve_forever, args=(0.05,), name="simulated-aws", daemon=True
    ).start()
    return listener


class _Listener(ThreadingHTTPServer):
    """A listening socket; each connection has a thread, and the gateway lets them take turns."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    # On Windows the option lets two programs listen on one port, and neither is told.
    allow_reuse_address = os.name == "posix"

    def __init__(self, handle: Handle, port: int, context: ssl.SSLContext | None) -> None:
        self.handle, self.context = handle, context
        self._open: set[socket.socket] = set()
        super().__init__((_LOOPBACK, port), _Handler)

    def server_bind(self) -> None:
        """Bind; without looking up this machine's name, as http.server does."""
        if self.allow_reuse_address:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = _LOOPBACK, int(self.server_address[1])

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Shake hands here, in the connection's own thread, so that nobody else waits."""
        try:
            request.settimeout(_PATIENCE)
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context is not None:
                request = self.context.wrap_socket(request, server_side=True)
        except OSError:  # a handshake that failed is the client's to tell of
            self.shutdown_request(request)
            return
        self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news."""

    def stop(self) -> None:
        """Listen no more, and hang up."""
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One connection: its requests, one after the other."""

    protocol_version = "HTTP/1.1"
    server: _Listener

    def _answer(self) -> None:
        try:
            body = self._body()
        except ValueError:
            self.close_connection = True
            self._write(Response(400, {}, b"The request's body is not as its headers say."))
            return
        connection = self._connection()
        request = _for_gateway(self.command, self.path, self.headers.items(), body, connection)
        try:
            response = self.server.handle(request, connection)
        except Exception as error:  # ours to mend; the client is told rather than hung up on
            service = protocol.open_envelope(request).service
            told = AWSError("InternalFailure", f"{type(error).__name__}: {error}", 500)
            response = protocol.refuse(service, "", told, "")
        self._write(response)

    # http.server calls the method that is named for the request's.
    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = _answer  # noqa: N815

    def _connection(self) -> Connection:
        agreed = None
        if isinstance(self.connection, ssl.SSLSocket):
            cipher = self.connection.cipher()
            agreed = TLS(self.connection.version() or "", cipher[0] if cipher else "")
        return Connection(agreed, str(self.client_address[0]), self.headers.get("Host", ""))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        length = _number(self.headers.get("Content-Length", "0"), 10)
        body = self.rfile.read(length)
        if len(body) != length:
            raise ValueError("cut short")
        return body

    def _chunks(self) -> Iterator[bytes]:
        """The chunks of a body (RFC 9112, 7.1); trailers are read and left out."""
        while size := _number(self.rfile.readline(1024).decode("latin-1").partition(";")[0], 16):
            chunk = self.rfile.read(size)
            if len(chunk) != size or self.rfile.readline(3) != b"\r\n":
                raise ValueError("cut short")
            yield chunk
        while self.rfile.readline(65537).strip():
            pass

    def _write(self, response: Response) -> None:
        """Send a response; its length is told, so that the connection can be used again."""
        self.send_response_only(response.status)
        headers = {name.lower(): (name, value) for name, value in response.headers.items()}
        bodiless = response.status in (204, 304) or response.status < 200
        length = len(response.body)
        if self.command == "HEAD" and not length and "content-length" in headers:
            length = int(headers["content-length"][1])  # of what GET would have sent
        headers.pop("content-length", None)
        headers.pop("transfer-encoding", None)
        headers.pop("connection", None)
        for name, value in headers.values():
            self.send_header(name, _one_line(value))
        if not bodiless:
            self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and not bodiless:
            self.wfile.write(response.body)

    def log_message(self, *_: Any) -> None:
        """The trail is the log."""


def _number(text: str, base: int) -> int:
    """A length as HTTP writes it: digits alone, where Python would take more for a number."""
    if not re.fullmatch(r"[0-9]+" if base == 10 else r"[0-9A-Fa-f]+", text.strip()):
        raise ValueError(f"no length: {text!r}")
    return int(text, base)


def _one_line(value: str) -> str:
    return (
        str(value)
        .replace("\r", " ")
        .replace("\n", " ")
        .encode("latin-1", "replace")
        .decode("latin-1")
    )


def _for_gateway(
    method: str, path: str, headers: Any, body: bytes, connection: Connection
) -> AWSPreparedRequest:
    """A request as if it had been sent to AWS's own endpoint: of its service, in its Region."""
    kept = HTTPHeaders()
    for name, value in headers:
        if name.lower() not in _OF_CONNECTION:
            kept[name] = value
    scheme = "http" if connection.tls is None else "https"
    if path.startswith(("http://", "https://")):  # absolute form, as through a proxy
        path = path.split("/", 3)[3].join(("/", ""))
    host = _endpoint(path, kept, body, connection.host)
    return AWSPreparedRequest(method, f"{scheme}://{host}{path}", kept, body, stream_output=False)


def _endpoint(path: str, headers: HTTPHeaders, body: bytes, asked: str) -> str:
    """The host name of AWS's endpoint that a request is meant for.

    By the name that was asked for, where that is one of AWS's; by the scope of the signature
    (SigV4: service and Region); else S3, which is what requests without a signature go to, but
    for two operations of STS.
    """
    name = urlsplit(f"//{asked}").hostname or ""
    if is_aws(name):
        return name
    query = parse_qs(urlsplit(path).query)
    credential = query.get("X-Amz-Credential", [""])[0]
    scope = protocol.scope(str(headers.get("Authorization", ""))) or protocol.scope(
        unquote_plus(credential)
    )
    service, region = scope or ("s3", "us-east-1")
    target = str(headers.get("X-Amz-Target", ""))
    if service == "s3":
        if scope is None and _UNSIGNED_STS.search(body):
            return f"sts.{region}.amazonaws.com"
        bucket = re.fullmatch(r"(?P<name>.+?)(?:\.s3)?\.localhost", name)
        prefix = f"{bucket['name']}." if bucket and bucket["name"] != "s3" else ""
        return f"{prefix}s3.{region}.amazonaws.com"
    if target.startswith("DynamoDBStreams"):
        service = "dynamodbstreams"
    return f"{_PREFIXES.get(service, service)}.{region}.amazonaws.com"
