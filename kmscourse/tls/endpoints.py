"""The two ends: a client and a server, both Python's own `ssl`, both in memory."""

from __future__ import annotations

import os
import ssl
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, BinaryIO

from kmscourse.tls.certificates import Certificate, CertificateAuthority, trust_pem
from kmscourse.tls.fields import CLIENT, SERVER
from kmscourse.tls.keylog import KeyLog

_VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}
Trust = CertificateAuthority | Certificate | Iterable[object] | bytes | str


@contextmanager
def _in_a_file(data: bytes) -> Iterator[str]:
    """The `ssl` module reads keys and CRLs from files only: one that only we can read, briefly."""
    handle, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        yield path
    finally:
        os.unlink(path)


def _limit_versions(context: ssl.SSLContext, version: str | None) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if version is None:
        return
    if version not in _VERSIONS:
        raise ValueError(f"version={version!r}: say 'TLS 1.2' or 'TLS 1.3', or leave it out")
    context.minimum_version = context.maximum_version = _VERSIONS[version]


class Client:
    """A client that wants to talk to `server_name`.

    `trust` is the CA (or several, or PEM) whose word it takes. `verify=False` switches every
    check off, as so many answers on the web advise. `check_hostname=False` leaves only the check
    of the name out. `certificate` is its own, for mutual TLS. `crl` (PEM, see
    `CertificateAuthority.crl`) makes it ask whether the server's certificate was revoked.
    `version` ("TLS 1.2" or "TLS 1.3") holds it to one version; `ciphers` is OpenSSL's list for
    TLS 1.2; `group` an OpenSSL name such as "prime256v1" to offer only that group.
    """

    role = CLIENT

    def __init__(
        self,
        server_name: str,
        *,
        trust: Trust = (),
        verify: bool = True,
        check_hostname: bool = True,
        certificate: Certificate | None = None,
        crl: bytes | None = None,
        version: str | None = None,
        ciphers: str | None = None,
        group: str | None = None,
    ) -> None:
        self._settings: dict[str, Any] = {
            "trust": trust,
            "verify": verify,
            "check_hostname": check_hostname,
            "certificate": certificate,
            "crl": crl,
            "version": version,
            "ciphers": ciphers,
            "group": group,
        }
        self.server_name = server_name
        self.verify = verify
        self.check_hostname = verify and check_hostname
        self.version = version
        self._trust = trust
        self._certificate = certificate
        self._crl = crl
        self._ciphers = ciphers
        self._group = group

    @cached_property
    def context(self) -> ssl.SSLContext:
        """The `ssl.SSLContext` that this client uses: nothing here is special to the course."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _limit_versions(context, self.version)
        _common(context, self._ciphers, self._group)
        context.check_hostname = self.check_hostname
        context.verify_mode = ssl.CERT_REQUIRED if self.verify else ssl.CERT_NONE
        trusted = trust_pem(self._trust)
        if trusted:
            context.load_verify_locations(cadata=trusted)
        if self._crl is not None:
            with _in_a_file(self._crl) as path:
                context.load_verify_locations(cafile=path)
            context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
        if self._certificate is not None:
            _load(context, self._certificate)
        return context

    @cached_property
    def secrets(self) -> SecretLog:
        return SecretLog(self.context)

    def but(self, **changes: Any) -> Client:
        """The same client with something changed: `client.but(verify=False)`."""
        return Client(self.server_name, **{**self._settings, **changes})

    def __repr__(self) -> str:
        if not self.verify:
            return f"<Client of {self.server_name}, verification off>"
        return f"<Client of {self.server_name}>"


class Server:
    """A server that shows `certificate`.

    `client_ca` makes it mutual TLS: a client has to show a certificate from that CA. `version`,
    `ciphers` and `group` as for `Client`.
    """

    role = SERVER

    def __init__(
        self,
        certificate: Certificate,
        *,
        client_ca: Trust | None = None,
        version: str | None = None,
        ciphers: str | None = None,
        group: str | None = None,
    ) -> None:
        self.certificate = certificate
        self.version = version
        self._client_ca = client_ca
        self._ciphers = ciphers
        self._group = group

    @cached_property
    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _limit_versions(context, self.version)
        _common(context, self._ciphers, self._group)
        _load(context, self.certificate)
        if self._client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=trust_pem(self._client_ca))
        return context

    @cached_property
    def secrets(self) -> SecretLog:
        return SecretLog(self.context)

    def __repr__(self) -> str:
        return f"<Server showing {self.certificate!r}>"


class ServerByName(Server):
    """A server that makes its certificate when it hears which name is wanted (SNI)."""

    def __init__(self, certificate_for: Callable[[str], Certificate], first: Certificate) -> None:
        super().__init__(first)
        self._certificate_for = certificate_for

    @cached_property
    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _limit_versions(context, None)
        _load(context, self.certificate)

        def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            if name is not None:
                connection.context = Server(self._certificate_for(name)).context

        context.sni_callback = choose
        return context


def _common(context: ssl.SSLContext, ciphers: str | None, group: str | None) -> None:
    if ciphers is not None:
        context.set_ciphers(ciphers)
    if group is not None:
        context.set_ecdh_curve(group)


def _load(context: ssl.SSLContext, certificate: Certificate) -> None:
    with _in_a_file(certificate.pem + certificate.private_key_pem) as path:
        context.load_cert_chain(path)


class SecretLog:
    """Has a context log its secrets from now on.

    `ssl` can write the log to a file only. Where the system allows it the file loses its name at
    once, so that nothing is left behind whatever happens; elsewhere it goes with the context.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        handle, path = tempfile.mkstemp(suffix=".log")
        context.keylog_filename = path
        self._file = os.fdopen(handle, "rb")
        try:
            os.unlink(path)
        except OSError:  # Windows holds on to the name of an open file
            weakref.finalize(self, _close_and_remove, context, self._file, path)

    def mark(self) -> int:
        """How many bytes the log has now."""
        return os.fstat(self._file.fileno()).st_size

    def between(self, start: int, end: int) -> KeyLog:
        """The secrets logged between two marks."""
        self._file.seek(start)
        return KeyLog.parse(self._file.read(end - start).decode("ascii"))


def _close_and_remove(context: ssl.SSLContext, file: BinaryIO, path: str) -> None:
    context.keylog_filename = None  # type: ignore[assignment]
    file.close()
    with suppress(OSError):
        os.unlink(path)
