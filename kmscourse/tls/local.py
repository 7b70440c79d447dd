"""What the OpenSSL on this machine can do, asked rather than assumed."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from kmscourse.tls.capture import Capture
from kmscourse.tls.endpoints import Client
from kmscourse.tls.fields import CLIENT
from kmscourse.tls.leg import End
from kmscourse.tls.messages import ClientHello
from kmscourse.tls.names import HYBRID_GROUPS


def local_client_hello() -> ClientHello:
    """The ClientHello that a client on this machine sends when left alone."""
    end = End(Client("localhost", verify=False))
    end.handshake()
    hello = Capture.of([(CLIENT, end.outgoing.read())]).client_hello
    if hello is None:
        raise RuntimeError(f"{ssl.OPENSSL_VERSION} sent no ClientHello that can be read")
    return hello


@dataclass(frozen=True)
class PostQuantum:
    """Whether a handshake here is safe from someone who records it now and opens it later.

    `groups` are the ML-KEM hybrids that the local OpenSSL offers by itself.
    """

    groups: tuple[str, ...]
    openssl: str

    @property
    def offered(self) -> bool:
        return bool(self.groups)

    def __str__(self) -> str:
        if self.groups:
            return (
                f"{self.openssl} offers {', '.join(self.groups)}: an ordinary key exchange and "
                "ML-KEM together, so a recording made today stays shut even for a quantum "
                "computer."
            )
        return (
            f"{self.openssl} offers no ML-KEM hybrid, so the handshakes on this machine use "
            "elliptic curves alone. OpenSSL 3.5 and later offer X25519MLKEM768 by themselves."
        )


def post_quantum() -> PostQuantum:
    """Ask the local OpenSSL which ML-KEM hybrids it offers."""
    offered = local_client_hello().supported_groups
    major, minor, _, patch, _ = ssl.OPENSSL_VERSION_INFO  # 3.0.19 is (3, 0, 0, 19, 0)
    version = f"{major}.{minor}.{patch}"
    return PostQuantum(tuple(g for g in offered if g in HYBRID_GROUPS), f"OpenSSL {version}")
