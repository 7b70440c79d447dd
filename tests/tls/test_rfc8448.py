"""Our key schedule and our opening of records, against the values that RFC 8448 publishes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from kmscourse import tls

TRACE = yaml.safe_load(
    (Path(__file__).parent / "data" / "rfc8448_section3.yaml").read_text(encoding="utf-8")
)
SUITE = tls.CIPHER_SUITES[0x1301]


def published(name: str) -> bytes:
    return bytes.fromhex(str(TRACE[name]))


@pytest.fixture(scope="module")
def capture() -> tls.Capture:
    return tls.Capture.of(
        (record["sender"], bytes.fromhex(record["data"])) for record in TRACE["records"]
    )


@pytest.fixture(scope="module")
def schedule() -> tls.KeySchedule:
    """From the private key of one side and the public key of the other, as the RFC does it."""
    private = X25519PrivateKey.from_private_bytes(published("client_private_key"))
    public = X25519PublicKey.from_public_bytes(published("server_public_key"))
    return tls.KeySchedule(private.exchange(public))


@pytest.fixture(scope="module")
def transcripts(capture: tls.Capture, schedule: tls.KeySchedule) -> dict[str, bytes]:
    """The hashes of the handshake so far, made from the records themselves."""
    hellos = [message.data for message in capture.messages()]
    after_hello = tls.transcript_hash(*hellos)
    flight = capture.open(keylog(schedule, after_hello, None)).record(2)
    assert flight is not None
    messages = [message.data for message in flight.messages]
    after_server = tls.transcript_hash(*hellos, *messages)
    everything = capture.open(keylog(schedule, after_hello, after_server))
    client_finished = everything.record(3)
    assert client_finished is not None
    return {
        "server_hello": after_hello,
        "certificate_verify": tls.transcript_hash(*hellos, *messages[:-1]),
        "server_finished": after_server,
        "client_finished": tls.transcript_hash(
            *hellos, *messages, client_finished.messages[0].data
        ),
    }


def keylog(schedule: tls.KeySchedule, after_hello: bytes, after_server: bytes | None) -> str:
    """The key log that a program would have written, from our own key schedule."""
    client_random = "cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7"
    client, server = schedule.handshake_traffic_secrets(after_hello)
    secrets = {
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET": client,
        "SERVER_HANDSHAKE_TRAFFIC_SECRET": server,
    }
    if after_server is not None:
        client, server = schedule.application_traffic_secrets(after_server)
        secrets |= {"CLIENT_TRAFFIC_SECRET_0": client, "SERVER_TRAFFIC_SECRET_0": server}
    return "\n".join(f"{label} {client_random} {s.hex()}" for label, s in secrets.items())


def test_the_key_exchange_gives_both_sides_the_published_secret(
    schedule: tls.KeySchedule,
) -> None:
    server = X25519PrivateKey.from_private_bytes(published("server_private_key"))
    client = X25519PublicKey.from_public_bytes(published("client_public_key"))
    assert schedule.shared_secret == published("shared_secret")
    assert server.exchange(client) == published("shared_secret")


def test_the_secrets_of_the_key_schedule(schedule: tls.KeySchedule) -> None:
    assert schedule.early_secret == published("early_secret")
    assert schedule.handshake_secret == published("handshake_secret")
    assert schedule.master_secret == published("master_secret")
    nothing = tls.transcript_hash()
    for secret in ("early", "handshake"):
        derived = tls.derive_secret(published(f"{secret}_secret"), "derived", nothing)
        assert derived == published(f"derived_from_{secret}")


def test_the_traffic_secrets(schedule: tls.KeySchedule, transcripts: dict[str, bytes]) -> None:
    assert transcripts["server_hello"] == published("hash_through_server_hello")
    assert transcripts["server_finished"] == published("hash_through_server_finished")
    assert schedule.handshake_traffic_secrets(transcripts["server_hello"]) == (
        published("client_handshake_traffic_secret"),
        published("server_handshake_traffic_secret"),
    )
    assert schedule.application_traffic_secrets(transcripts["server_finished"]) == (
        published("client_application_traffic_secret"),
        published("server_application_traffic_secret"),
    )
    exporter = schedule.exporter_master_secret(transcripts["server_finished"])
    assert exporter == published("exporter_master_secret")
    resumption = schedule.resumption_master_secret(transcripts["client_finished"])
    assert resumption == published("resumption_master_secret")


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("epoch", ["handshake", "application"])
def test_the_traffic_keys(side: str, epoch: str) -> None:
    keys = tls.TrafficKeys.from_secret(published(f"{side}_{epoch}_traffic_secret"), SUITE)
    assert keys.key == published(f"{side}_{epoch}_key")
    assert keys.iv == published(f"{side}_{epoch}_iv")


def test_every_record_of_the_trace_opens(
    capture: tls.Capture, schedule: tls.KeySchedule, transcripts: dict[str, bytes]
) -> None:
    log = keylog(schedule, transcripts["server_hello"], transcripts["server_finished"])
    opening = capture.open(log)
    assert not opening.sealed
    seen = {record.index: record.carries for record in capture.records if not record.sealed}
    seen |= {opened.record.index: opened.carries for opened in opening}
    assert [seen[i] for i in range(len(seen))] == [r["what"] for r in TRACE["records"]]
    assert opening.application_data("client") == bytes(range(50))
    assert opening.application_data("server") == bytes(range(50))


def test_finished_says_what_the_rfc_says(
    capture: tls.Capture, schedule: tls.KeySchedule, transcripts: dict[str, bytes]
) -> None:
    opening = capture.open(keylog(schedule, transcripts["server_hello"], None))
    server, client = opening.record(2), opening.record(3)
    assert server is not None
    assert client is not None
    key = tls.hkdf_expand_label(published("server_handshake_traffic_secret"), "finished", b"", 32)
    assert key == published("server_finished_key")
    assert server.messages[-1].data[4:] == tls.finished_verify_data(
        published("server_handshake_traffic_secret"), transcripts["certificate_verify"]
    )
    assert client.messages[0].data[4:] == tls.finished_verify_data(
        published("client_handshake_traffic_secret"), transcripts["server_finished"]
    )


def test_the_hellos_are_read_as_the_rfc_wrote_them(capture: tls.Capture) -> None:
    hello = capture.client_hello
    assert hello is not None
    assert hello.server_name == "server"
    assert hello.supported_versions == ("TLS 1.3",)
    assert hello.key_shares == ("x25519",)
    assert hello.cipher_suites == (
        "TLS_AES_128_GCM_SHA256",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_256_GCM_SHA384",
    )
    assert (capture.version, capture.group) == ("TLS 1.3", "x25519")
    assert capture.cipher_suite == "TLS_AES_128_GCM_SHA256"
