"""Every record of real sessions, opened from the log; and again by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from kmscourse import tls

from .conftest import NAME, REQUEST, RESPONSE, talk


def test_every_sealed_record_opens_the_handshakes_own_included(
    client: tls.Client, server: tls.Server, version: str
) -> None:
    conversation = talk(client, server, tls.Eavesdropper())
    capture = conversation.capture
    assert capture.version == version
    assert capture.problem is None
    opening = capture.open(conversation.keylog)
    sealed = [record.index for record in capture.records if record.sealed]
    assert [opened.record.index for opened in opening] == sealed
    assert not opening.sealed
    assert not any(opened.problem for opened in opening)
    assert opening.application_data("client") == REQUEST
    assert opening.application_data("server") == RESPONSE
    assert opening.alerts() == (
        ("client", "warning", "close_notify"),
        ("server", "warning", "close_notify"),
    )
    inside = [message.name for opened in opening for message in opened.messages]
    if version == "TLS 1.3":
        assert inside[:4] == [
            "EncryptedExtensions",
            "Certificate",
            "CertificateVerify",
            "Finished",
        ]
        assert inside.count("Finished") == 2
        certificate = next(m for o in opening for m in o.messages if m.name == "Certificate")
        assert certificate.chain == (server.certificate.der,)
    else:
        assert inside == ["Finished", "Finished"]


def test_a_learner_can_open_each_record_by_hand(client: tls.Client, server: tls.Server) -> None:
    for opened in talk(client, server).opening:
        plaintext = AESGCM(opened.key).decrypt(
            opened.nonce, opened.ciphertext, opened.additional_data
        )
        assert plaintext == opened.plaintext
        assert opened.ciphertext in opened.record.data


def test_the_handshakes_checksum_can_be_made_again(
    ca: tls.CertificateAuthority, server: tls.Server
) -> None:
    """Finished, in a live TLS 1.3 session: keyed hash of every message before it."""
    conversation = talk(tls.Client(NAME, trust=ca, version="TLS 1.3"), server)
    hash_name = tls.CIPHER_SUITES[conversation.capture.server_hello.cipher_suite].hash_name
    said = [m.data for m in conversation.capture.messages()]
    for opened in conversation.opening:
        for message in opened.messages:
            if message.name == "Finished":
                secret = conversation.keylog.secret(
                    conversation.capture.client_hello.random,
                    f"{opened.record.sender.upper()}_HANDSHAKE_TRAFFIC_SECRET",
                )
                transcript = tls.transcript_hash(*said, hash_name=hash_name)
                expected = tls.finished_verify_data(secret, transcript, hash_name)
                assert message.data[4:] == expected
            said.append(message.data)


@pytest.mark.parametrize(
    "ciphers", ["ECDHE+CHACHA20", "ECDHE+AES128+AESGCM", "ECDHE+AES256+AESGCM"]
)
def test_every_aead_suite_of_tls_1_2_opens(
    ca: tls.CertificateAuthority, server: tls.Server, ciphers: str
) -> None:
    client = tls.Client(NAME, trust=ca, version="TLS 1.2", ciphers=ciphers)
    conversation = talk(client, server)
    wanted = {"ECDHE+CHACHA20": "CHACHA20", "ECDHE+AES128+AESGCM": "AES_128"}
    assert wanted.get(ciphers, "AES_256") in (conversation.cipher_suite or "")
    assert not conversation.opening.sealed
    assert conversation.opening.application_data("server") == RESPONSE


def test_a_cbc_suite_stays_shut_and_says_why(
    ca: tls.CertificateAuthority, server: tls.Server
) -> None:
    client = tls.Client(NAME, trust=ca, version="TLS 1.2", ciphers="ECDHE-ECDSA-AES128-SHA256")
    conversation = talk(client, server)
    assert conversation.client.received == RESPONSE
    assert not conversation.opening.opened
    assert {"AEAD" in s.reason for s in conversation.opening.sealed} == {True}


CHACHA = """
from kmscourse import tls
ca = tls.CertificateAuthority("Clinic CA")
c = tls.converse(client=tls.Client("a.example", trust=ca), server=tls.Server(ca.issue("a.example")),
                 request=b"ask", response=b"answer")
print(c.version, c.cipher_suite, c.opening.application_data("server"), len(c.opening.sealed))
"""


@pytest.mark.parametrize("suite", ["TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"])
def test_the_other_suites_of_tls_1_3_open(tmp_path: Path, suite: str) -> None:
    """Python cannot choose the suite of TLS 1.3, but OpenSSL's own configuration can."""
    conf = tmp_path / "openssl.cnf"
    conf.write_text(
        "openssl_conf = top\n[top]\nssl_conf = ssl\n[ssl]\nsystem_default = here\n"
        f"[here]\nCiphersuites = {suite}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", CHACHA],
        env={**os.environ, "OPENSSL_CONF": str(conf)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    if suite not in done.stdout:
        pytest.skip("this OpenSSL does not read its suites from the configuration")
    assert done.stdout.strip() == f"TLS 1.3 {suite} b'answer' 0"


def test_chacha20_records_open_by_hand_too(
    ca: tls.CertificateAuthority, server: tls.Server
) -> None:
    client = tls.Client(NAME, trust=ca, version="TLS 1.2", ciphers="ECDHE+CHACHA20")
    for opened in talk(client, server).opening:
        aead = ChaCha20Poly1305(opened.key)
        plaintext = aead.decrypt(opened.nonce, opened.ciphertext, opened.additional_data)
        assert plaintext == opened.plaintext


def test_without_the_log_nothing_opens(client: tls.Client, server: tls.Server) -> None:
    first, second = talk(client, server), talk(client, server)
    for log in ("", "# nothing here\nnot a line\n", second.keylog):
        opening = first.capture.open(log)
        assert not opening.opened
        assert len(opening.sealed) == len([r for r in first.capture.records if r.sealed])


def test_a_hello_retry_is_followed(ca: tls.CertificateAuthority) -> None:
    server = tls.Server(ca.issue(NAME), version="TLS 1.3", group="secp384r1")
    conversation = talk(tls.Client(NAME, trust=ca), server)
    names = [m.name for m in conversation.capture.messages()]
    assert names == ["ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello"]
    assert conversation.group == "secp384r1"
    assert not conversation.opening.sealed
    assert conversation.opening.application_data("server") == RESPONSE


def test_the_group_is_read_from_the_wire(ca: tls.CertificateAuthority, version: str) -> None:
    server = tls.Server(ca.issue(NAME), group="prime256v1")
    assert talk(tls.Client(NAME, trust=ca, version=version), server).group == "secp256r1"


@pytest.mark.parametrize("key_type", ["ecdsa", "ed25519", "rsa"])
def test_each_kind_of_certificate(key_type: str, version: str) -> None:
    ca = tls.CertificateAuthority("CA", key_type=key_type)
    server = tls.Server(ca.issue(NAME, "127.0.0.1"))
    client = tls.Client("127.0.0.1", trust=ca, version=version)
    conversation = talk(client, server)
    assert conversation.client.received == RESPONSE
    assert not conversation.opening.sealed


def test_ed25519_makes_sizes_that_can_be_printed() -> None:
    ca = tls.CertificateAuthority("CA", key_type="ed25519")
    sizes = set()
    for _ in range(6):
        conversation = talk(tls.Client(NAME, trust=ca), tls.Server(ca.issue(NAME)))
        sizes.add(tuple(len(record) for record in conversation.capture.records))
    assert len(sizes) == 1


def test_post_quantum_is_asked_of_this_machine(
    ca: tls.CertificateAuthority, server: tls.Server
) -> None:
    here = tls.post_quantum()
    conversation = talk(tls.Client(NAME, trust=ca), server)
    assert here.openssl in str(here)
    if here.offered:
        assert conversation.group in here.groups
    else:
        assert "3.5" in str(here)
        assert "MLKEM" not in (conversation.group or "")
    assert not conversation.opening.sealed


def test_nothing_is_left_on_the_disk(
    ca: tls.CertificateAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    client = tls.Client(NAME, trust=ca, crl=ca.crl())
    conversation = talk(client, tls.Server(ca.issue(NAME)))
    assert len(conversation.keylog) >= 4
    if os.name == "posix":
        assert list(tmp_path.iterdir()) == []


# --- what each seat sees --------------------------------------------------------------------


def test_what_stays_visible_and_what_does_not(
    client: tls.Client, server: tls.Server, version: str
) -> None:
    ear = tls.Eavesdropper()
    conversation = talk(client, server, ear)
    assert NAME.encode() in ear  # the name of the site travels in the clear
    assert b"doxycycline" not in ear
    assert (server.certificate.der in ear) == (version == "TLS 1.2")
    assert ear.capture.records == conversation.capture.records
    assert conversation.read_by(tls.EAVESDROPPER) == b""
    assert conversation.read_by(tls.CLIENT) == REQUEST + RESPONSE
    assert conversation.read_by(tls.SERVER) == REQUEST + RESPONSE
    assert conversation.read_by(tls.INTERCEPTOR) == b""


def test_fields_cover_every_byte_and_say_who_can_read_them(
    client: tls.Client, server: tls.Server
) -> None:
    conversation = talk(client, server)
    for record in conversation.capture.records:
        assert_covers(record.fields, len(record))
        readers = {field.name: field.visible_to for field in record.fields}
        assert tls.EAVESDROPPER in readers["length"]
        if record.sealed:
            assert readers["encrypted_record"] == ("client", "server")
    for opened in conversation.opening:
        assert_covers(opened.fields, len(opened.plaintext))
        for top in opened.fields:
            assert all(tls.EAVESDROPPER not in f.visible_to for _, f in top.walk())


def assert_covers(fields: tuple[tls.Field, ...], length: int) -> None:
    position = 0
    for field in fields:
        assert field.start == position
        position = field.end
        for child in field.children:
            assert field.start <= child.start <= child.end <= field.end
        if field.children:
            first, last = field.children[0].start, field.children[-1].end
            assert (first, last) == (field.start, field.end)
    assert position == length


def test_the_host_name_is_found_at_its_bytes(client: tls.Client, server: tls.Server) -> None:
    record = talk(client, server).capture.records[0]
    [host] = [f for top in record.fields for _, f in top.walk() if f.name == "host_name"]
    assert record.data[host.start : host.end] == NAME.encode()
    assert host.value == NAME
    assert tls.EAVESDROPPER in host.visible_to


def test_a_hybrid_group_is_named_where_it_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """X25519MLKEM768 is 0x11ec; its client share is 1184 + 32 bytes. Made here byte by byte."""
    share = b"\x11\xec" + (1216).to_bytes(2, "big") + bytes(1216)
    extensions = b"".join(
        kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body
        for kind, body in [
            (10, b"\x00\x04\x11\xec\x00\x1d"),
            (51, len(share).to_bytes(2, "big") + share),
        ]
    )
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    body += len(extensions).to_bytes(2, "big") + extensions
    hello = tls.parse_message(b"\x01" + len(body).to_bytes(3, "big") + body)
    assert isinstance(hello, tls.ClientHello)
    assert hello.supported_groups == ("X25519MLKEM768", "x25519")
    assert hello.key_shares == ("X25519MLKEM768",)
    monkeypatch.setattr("kmscourse.tls.local.local_client_hello", lambda: hello)
    here = tls.post_quantum()
    assert here.offered
    assert here.groups == ("X25519MLKEM768",)
    assert "ML-KEM" in str(here)
