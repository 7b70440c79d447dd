"""The attack that works, and each check that stops it. Codes and alerts, never wording."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kmscourse import tls

from .conftest import NAME, REQUEST, RESPONSE, talk


def fatal(conversation: tls.Conversation) -> list[tuple[str, str]]:
    return [(a.sender, a.description) for a in conversation.alerts if a.level == "fatal"]


def yesterday() -> datetime:
    return datetime.now(UTC) - timedelta(days=1)


def tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


# --- without TLS, and without verification -------------------------------------------------


def test_in_the_clear_everyone_reads_and_anyone_rewrites() -> None:
    ear = tls.Eavesdropper()
    plain = tls.converse_in_the_clear(request=REQUEST, response=RESPONSE, pipe=ear)
    assert plain.received_by_client == RESPONSE
    assert plain.read_by(tls.EAVESDROPPER) == REQUEST + RESPONSE
    assert b"doxycycline" in ear

    pen = tls.Tamperer(replace={b"10 mg": b"90 mg"})
    plain = tls.converse_in_the_clear(request=REQUEST, response=RESPONSE, pipe=pen)
    assert b"90 mg" in plain.received_by_client
    assert len(pen.alterations) == 1


def test_without_verification_the_prescription_is_rewritten(
    server: tls.Server, version: str
) -> None:
    careless = tls.Client(NAME, verify=False, version=version)
    interceptor = tls.Interceptor(replace={b"10 mg": b"90 mg"})
    conversation = talk(careless, server, interceptor)
    assert conversation.intercepted
    assert conversation.completed
    assert conversation.client.received == RESPONSE.replace(b"10 mg", b"90 mg")
    assert b"doxycycline 10 mg" in interceptor
    assert b"doxycycline" in conversation.read_by(tls.INTERCEPTOR)
    assert conversation.read_by(tls.EAVESDROPPER) == b""
    assert conversation.server is not None
    assert conversation.server.received == REQUEST
    assert conversation.client.peer_certificate != server.certificate.der


def test_verification_stops_the_same_attack(client: tls.Client, server: tls.Server) -> None:
    interceptor = tls.Interceptor(replace={b"10 mg": b"90 mg"})
    conversation = talk(client, server, interceptor)
    assert not conversation.intercepted
    assert not conversation.completed
    assert conversation.client.received == b""
    assert conversation.server is None
    assert interceptor.read == []
    assert fatal(conversation) == [("client", "unknown_ca")]
    assert conversation.refusal is not None
    assert conversation.refusal.verify_code == 20


def test_an_interceptor_whose_ca_is_trusted_is_let_in(
    client: tls.Client, server: tls.Server, ca: tls.CertificateAuthority
) -> None:
    """Whoever controls a trusted CA controls the conversation: a company proxy, a stolen key."""
    conversation = talk(client, server, tls.Interceptor(ca=ca))
    assert conversation.intercepted
    assert conversation.client.received == RESPONSE


def test_a_stolen_private_key_lets_in_too(client: tls.Client, server: tls.Server) -> None:
    conversation = talk(client, server, tls.Interceptor(certificate=server.certificate))
    assert conversation.intercepted


# --- the refusals ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "code", "alerts"),
    [
        ("expired", 10, {"certificate_expired"}),
        ("not yet valid", 9, {"bad_certificate", "certificate_expired"}),
        ("wrong name", 62, {"bad_certificate", "handshake_failure"}),
        ("self-signed", 18, {"unknown_ca"}),
        ("unknown CA", 20, {"unknown_ca"}),
        ("made for a client", 26, {"unsupported_certificate", "certificate_unknown"}),
    ],
)
def test_each_bad_certificate_is_refused_for_its_own_reason(
    ca: tls.CertificateAuthority, client: tls.Client, kind: str, code: int, alerts: set[str]
) -> None:
    certificate = {
        "expired": lambda: ca.issue(NAME, not_after=yesterday()),
        "not yet valid": lambda: ca.issue(NAME, not_before=tomorrow()),
        "wrong name": lambda: ca.issue("other.example"),
        "self-signed": lambda: tls.self_signed(NAME),
        "unknown CA": lambda: tls.CertificateAuthority("Clinic CA").issue(NAME),
        "made for a client": lambda: ca.issue(NAME, for_client=True),
    }[kind]()
    conversation = talk(client, tls.Server(certificate))
    assert not conversation.completed
    assert conversation.client.received == b""
    [(sender, alert)] = fatal(conversation)
    assert sender == "client"
    assert alert in alerts
    refusal = conversation.refusal
    assert refusal is not None
    # An impostor CA with the right name is told apart by its key, at either of two places.
    assert refusal.verify_code in ({code, 21} if kind == "unknown CA" else {code})
    assert refusal.verify_name is not None
    assert refusal.verify_name.startswith("X509_V_ERR_")
    # The same certificate passes unnoticed when nobody looks.
    careless = tls.Client(NAME, verify=False, version=client.version)
    assert talk(careless, tls.Server(certificate)).client.received == RESPONSE


def test_the_name_is_a_check_of_its_own(ca: tls.CertificateAuthority, version: str) -> None:
    """With the chain checked and the name not, any certificate of a trusted CA will do."""
    half = tls.Client(NAME, trust=ca, check_hostname=False, version=version)
    interceptor = tls.Interceptor(certificate=ca.issue("mallory.example"))
    assert talk(half, tls.Server(ca.issue(NAME)), interceptor).intercepted


def test_revocation_helps_only_those_who_ask(ca: tls.CertificateAuthority, version: str) -> None:
    certificate = ca.issue(NAME)
    other = tls.Server(ca.issue(NAME))
    ca.revoke(certificate)
    server = tls.Server(certificate)
    trusting = tls.Client(NAME, trust=ca, version=version)
    assert talk(trusting, server).completed
    asking = tls.Client(NAME, trust=ca, crl=ca.crl(), version=version)
    conversation = talk(asking, server)
    assert fatal(conversation) == [("client", "certificate_revoked")]
    assert conversation.refusal is not None
    assert conversation.refusal.verify_code == 23
    assert talk(asking, other).completed


def test_a_chain_needs_its_intermediate(ca: tls.CertificateAuthority, client: tls.Client) -> None:
    issuing = ca.intermediate("Clinic Issuing CA")
    certificate = issuing.issue(NAME)
    assert talk(client, tls.Server(certificate)).completed
    alone = tls.Certificate(certificate.certificate, certificate.private_key)
    conversation = talk(client, tls.Server(alone))
    assert fatal(conversation) == [("client", "unknown_ca")]


# --- bytes changed on the way ---------------------------------------------------------------


@pytest.mark.parametrize("sender", ["client", "server"])
def test_one_flipped_bit_of_the_data_is_noticed(
    client: tls.Client, server: tls.Server, sender: str
) -> None:
    tamperer = tls.Tamperer(sender=sender)
    conversation = talk(client, server, tamperer)
    assert len(tamperer.alterations) == 1
    other = {"client": "server", "server": "client"}[sender]
    assert fatal(conversation) == [(other, "bad_record_mac")]
    assert conversation.client.received == b""
    sealed = conversation.opening.sealed
    assert [s.record.sender for s in sealed] == [sender]


@pytest.mark.parametrize("sender", ["client", "server"])
@pytest.mark.parametrize("at", [15, 30, 60, -1])
def test_one_flipped_bit_of_the_handshake_is_noticed(
    client: tls.Client, server: tls.Server, sender: str, at: int
) -> None:
    conversation = talk(
        client, server, tls.Tamperer(sender=sender, phase="handshake", at=at, flip=0x10)
    )
    assert conversation.client.received == b""
    assert conversation.refusal is not None
    assert not conversation.completed


def test_a_record_said_twice_is_refused(client: tls.Client, server: tls.Server) -> None:
    conversation = talk(client, server, tls.Tamperer(alter=lambda data: data * 2))
    assert ("client", "bad_record_mac") in fatal(conversation)
    assert conversation.client.received == RESPONSE


def test_a_goodbye_that_is_lost_is_noticed(client: tls.Client, server: tls.Server) -> None:
    lost = tls.Tamperer(sender="server", phase="close", alter=lambda _: b"")
    assert not talk(client, server, lost).client.closed
    assert talk(client, server).client.closed


def test_a_lost_flight_ends_quietly(client: tls.Client, server: tls.Server) -> None:
    lost = tls.Tamperer(sender="server", phase="handshake", alter=lambda _: b"")
    conversation = talk(client, server, lost)
    assert not conversation.completed
    assert conversation.refusal is None


# --- mutual TLS -----------------------------------------------------------------------------


def test_mutual_tls_asks_the_client_too(ca: tls.CertificateAuthority, version: str) -> None:
    server = tls.Server(ca.issue(NAME), client_ca=ca)
    doctor = tls.Client(
        NAME, trust=ca, certificate=ca.issue("dr-lee", for_client=True), version=version
    )
    conversation = talk(doctor, server)
    assert conversation.client.received == RESPONSE
    messages = [m.name for o in conversation.opening for m in o.messages]
    in_the_clear = [m.name for m in conversation.capture.messages()]
    assert "CertificateRequest" in messages + in_the_clear
    # TLS 1.2 shows the client's certificate to everyone on the way; TLS 1.3 does not.
    assert in_the_clear.count("Certificate") == (2 if version == "TLS 1.2" else 0)


@pytest.mark.parametrize("who", ["nobody", "stranger"])
def test_mutual_tls_refuses_without_the_right_certificate(
    ca: tls.CertificateAuthority, version: str, who: str
) -> None:
    server = tls.Server(ca.issue(NAME), client_ca=ca)
    stranger = tls.CertificateAuthority("Elsewhere").issue("dr-lee", for_client=True)
    certificate = None if who == "nobody" else stranger
    client = tls.Client(NAME, trust=ca, certificate=certificate, version=version)
    conversation = talk(client, server)
    assert conversation.client.received == b""
    assert not conversation.completed
    [(sender, alert)] = fatal(conversation)
    assert sender == "server"
    expected = {
        "nobody": {"certificate_required", "handshake_failure"},
        "stranger": {"unknown_ca"},
    }
    assert alert in expected[who]


def test_mutual_tls_keeps_the_server_from_talking_to_an_interceptor(
    ca: tls.CertificateAuthority, version: str
) -> None:
    """A careless client can be fooled, but not imitated."""
    server = tls.Server(ca.issue(NAME), client_ca=ca)
    careless = tls.Client(
        NAME, verify=False, certificate=ca.issue("dr-lee", for_client=True), version=version
    )
    conversation = talk(careless, server, tls.Interceptor())
    assert conversation.client.received == b""
    assert conversation.server is not None
    assert conversation.server.received == b""


# --- edges ----------------------------------------------------------------------------------


def test_versions_that_do_not_meet(ca: tls.CertificateAuthority) -> None:
    server = tls.Server(ca.issue(NAME), version="TLS 1.3")
    conversation = talk(tls.Client(NAME, trust=ca, version="TLS 1.2"), server)
    assert fatal(conversation) == [("server", "protocol_version")]


def test_long_requests_and_answers_arrive_whole(client: tls.Client, server: tls.Server) -> None:
    request = bytes(range(256)) * 200
    conversation = tls.converse(
        client=client, server=server, request=request, response=lambda asked: asked[::-1]
    )
    assert conversation.client.received == request[::-1]
    assert conversation.opening.application_data("client") == request
    assert not conversation.opening.sealed


def test_errors_say_what_to_do(ca: tls.CertificateAuthority, server: tls.Server) -> None:
    with pytest.raises(ValueError, match="for which name"):
        ca.issue()
    with pytest.raises(ValueError, match=r"TLS 1\.2"):
        _ = tls.Client(NAME, version="SSL 3.0").context
    with pytest.raises(ValueError, match="eavesdropper"):
        talk(tls.Client(NAME, trust=ca), server).seen_by("ghost")
    with pytest.raises(ValueError, match="mask"):
        tls.Tamperer(flip=0)
    with pytest.raises(ValueError, match="not_before"):
        ca.issue(NAME, not_before=tomorrow(), not_after=yesterday())
    with pytest.raises(TypeError, match=r"client takes a tls\.Client, not 'records"):
        talk(NAME, server)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"server takes a tls\.Server, not <Client"):
        talk(tls.Client(NAME, trust=ca), tls.Client(NAME))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="response takes bytes, not 'ok'"):
        tls.converse(client=tls.Client(NAME), server=server, response="ok")  # type: ignore[arg-type]


def test_the_same_again_with_something_changed(client: tls.Client, server: tls.Server) -> None:
    first = talk(client, server)
    attacked = first.again(pipe=tls.Interceptor(replace={b"10 mg": b"90 mg"}))
    assert not attacked.completed
    careless = attacked.again(verify=False)
    assert careless.intercepted
    assert b"90 mg" in careless.client.received
    assert careless.version == first.version
    assert first.again().client.received == RESPONSE


def test_what_is_printed_is_the_same_each_time(client: tls.Client, server: tls.Server) -> None:
    one, two = talk(client, server), talk(client, server)
    assert repr(one) == repr(two)
    assert repr(one.capture) == repr(two.capture)
    assert repr(one.keylog) == repr(two.keylog)
    assert one.capture.client_hello is not None
    assert one.capture.client_hello.random.hex() not in repr(one.capture.client_hello)
    assert "0x" not in repr(one.pipe)


def test_a_name_is_not_taken_for_a_certificate(ca: tls.CertificateAuthority) -> None:
    """Who passes the name of a CA is told what to pass, and not in the words of OpenSSL."""
    with pytest.raises(ValueError, match=r"CertificateAuthority.*'Clinic CA' is none"):
        talk(tls.Client(NAME, trust="Clinic CA"), tls.Server(ca.issue(NAME)))
    assert talk(tls.Client(NAME, trust=ca.pem), tls.Server(ca.issue(NAME))).completed
