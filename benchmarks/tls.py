"""Handshakes per second through our pipe, with capture, against bare `ssl` with MemoryBIO.

    python benchmarks/tls.py [--handshakes 300] [--rounds 7]

Both do the same: a fresh handshake and a goodbye between two contexts, in memory. Ours also keeps
every byte and logs the secrets, so that the records can be opened afterwards. The two take turns
in the same run, so that a busy machine slows both; the best round of each is compared. The aim:
at most 1.3 times the time of bare `ssl`. Exit status 1 when it is missed.
"""

from __future__ import annotations

import argparse
import ssl
import sys
import time
from collections.abc import Callable

from kmscourse import tls

NAME = "records.clinic.example"
AIM = 1.3


def bare(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """A handshake, a goodbye, and nothing else."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    from_client, from_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller = client.wrap_bio(to_client, from_client, server_hostname=NAME)
    called = server.wrap_bio(to_server, from_server, server_side=True)
    ends = [(caller, from_client, to_server), (called, from_server, to_client)]
    for step in (ssl.SSLObject.do_handshake, ssl.SSLObject.unwrap):
        done = 0
        while done < len(ends):
            done = 0
            for end, sent, there in ends:
                try:
                    step(end)
                    done += 1
                except ssl.SSLWantReadError:
                    pass
                there.write(sent.read())


def best(rounds: int, handshakes: int, *what: Callable[[], None]) -> list[float]:
    """Seconds for one handshake, the best round of each, taking turns."""
    times = [float("inf")] * len(what)
    for _ in range(rounds):
        for index, do in enumerate(what):
            start = time.perf_counter()
            for _ in range(handshakes):
                do()
            times[index] = min(times[index], (time.perf_counter() - start) / handshakes)
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--handshakes", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()

    ca = tls.CertificateAuthority("Clinic CA")
    certificate = ca.issue(NAME)
    missed = False
    print(f"{ssl.OPENSSL_VERSION}; best of {options.rounds} rounds of {options.handshakes}")
    for version in ("TLS 1.3", "TLS 1.2"):
        # Two pairs: once a context logs its secrets it goes on doing so.
        plain_client = tls.Client(NAME, trust=ca, version=version).context
        plain_server = tls.Server(certificate, version=version).context
        client = tls.Client(NAME, trust=ca, version=version)
        server = tls.Server(certificate, version=version)

        def ours(client: tls.Client = client, server: tls.Server = server) -> None:
            conversation = tls.converse(client=client, server=server, pipe=tls.Eavesdropper())
            assert conversation.completed

        def theirs(
            client: ssl.SSLContext = plain_client, server: ssl.SSLContext = plain_server
        ) -> None:
            bare(client, server)

        theirs_time, ours_time = best(options.rounds, options.handshakes, theirs, ours)
        ratio = ours_time / theirs_time
        missed |= ratio > AIM
        print(
            f"{version}: bare ssl {1 / theirs_time:6.0f} handshakes/s, "
            f"with pipe, capture and key log {1 / ours_time:6.0f}/s: "
            f"{ratio:.2f} times the time (aim: at most {AIM})"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
