"""A clinic: its CA, its server, a client that trusts it."""

from __future__ import annotations

import pytest

from kmscourse import tls

NAME = "records.clinic.example"
REQUEST = b"GET /patients/7 HTTP/1.1\r\nHost: records.clinic.example\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\n\r\ndoxycycline 10 mg, twice a day"
VERSIONS = ["TLS 1.2", "TLS 1.3"]


@pytest.fixture(scope="session")
def ca() -> tls.CertificateAuthority:
    return tls.CertificateAuthority("Clinic CA")


@pytest.fixture(scope="session")
def server(ca: tls.CertificateAuthority) -> tls.Server:
    return tls.Server(ca.issue(NAME))


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(ca: tls.CertificateAuthority, version: str) -> tls.Client:
    return tls.Client(NAME, trust=ca, version=version)


def talk(client: tls.Client, server: tls.Server, pipe: tls.Pipe | None = None) -> tls.Conversation:
    return tls.converse(client=client, server=server, request=REQUEST, response=RESPONSE, pipe=pipe)
