"""Handshake messages and their extensions, taken apart.

Structures: RFC 8446, section 4 (TLS 1.3); RFC 5246, section 7.4 and RFC 8422, section 5.4
(TLS 1.2). Field names are the RFCs' own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509

from kmscourse.tls import names
from kmscourse.tls.fields import Field, ParseError, Reader
from kmscourse.tls.names import TLS_1_2, TLS_1_3, named

# A ServerHello with this random is a HelloRetryRequest (RFC 8446, section 4.1.3).
HELLO_RETRY_REQUEST_RANDOM = hashlib.sha256(b"HelloRetryRequest").digest()


@dataclass(frozen=True)
class Message:
    """A handshake message: its name, its bytes with the header, and the fields in them.

    Offsets in `fields` count from the first byte of `data`.
    """

    name: str
    data: bytes = field(repr=False)
    fields: tuple[Field, ...] = field(repr=False)
    problem: str | None = None


@dataclass(frozen=True)
class ClientHello(Message):
    """What the client offers. All of it travels in the clear."""

    random: bytes = field(default=b"", repr=False)
    cipher_suites: tuple[str, ...] = field(default=(), repr=False)
    server_name: str | None = None
    supported_versions: tuple[str, ...] = ()
    supported_groups: tuple[str, ...] = field(default=(), repr=False)
    key_shares: tuple[str, ...] = ()
    alpn: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServerHello(Message):
    """What the server chose. `is_retry` marks a HelloRetryRequest."""

    random: bytes = field(default=b"", repr=False)
    cipher_suite: int = 0
    version: int = TLS_1_2
    group: str | None = None
    is_retry: bool = False


@dataclass(frozen=True)
class CertificateMessage(Message):
    """The chain, leaf first, as DER."""

    chain: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class ServerKeyExchange(Message):
    """TLS 1.2 only: the server's half of the key exchange, signed."""

    group: str | None = None


@dataclass
class _Hello:
    """What the extensions of a hello told us."""

    server_name: str | None = None
    versions: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    shares: tuple[int, ...] = ()
    alpn: tuple[str, ...] = ()


def parse_message(data: bytes, version: int = TLS_1_3) -> Message:
    """One whole handshake message, header included.

    `version` tells how to read the messages whose shape changed with TLS 1.3.
    Raises `ParseError` when the bytes do not fit.
    """
    reader = Reader(data)
    kind = reader.number("msg_type", 1, "Which handshake message this is.", names.HANDSHAKE_TYPES)
    size = reader.number("length", 3, "How many bytes of this message follow.")
    if size != reader.left:
        raise ParseError(f"the message claims {size} bytes and {reader.left} follow", 1)
    name = named(kind, names.HANDSHAKE_TYPES, width=1)
    make = _PARSERS.get(kind, _opaque_body)
    return make(reader, name, version)


def _message(reader: Reader, name: str) -> Message:
    if reader.left:
        raise ParseError(f"{name} has {reader.left} bytes too many", reader.position)
    return Message(name, reader.data, tuple(reader.fields))


def _opaque_body(reader: Reader, name: str, version: int) -> Message:
    if reader.left:
        reader.rest("body")
    return _message(reader, name)


# --- hellos ---------------------------------------------------------------------------------


def _client_hello(reader: Reader, name: str, version: int) -> ClientHello:
    reader.number(
        "legacy_version",
        2,
        "Always says TLS 1.2, because old boxes on the way stumbled over anything newer. "
        "The true offer is in supported_versions.",
        names.VERSIONS,
    )
    random = reader.opaque(
        "random", 32, "32 fresh random bytes: they make every handshake a new one."
    )
    reader.opaque_vector(
        "legacy_session_id", 1, "Left over from TLS 1.2; random filler in TLS 1.3."
    )
    suites = reader.numbers(
        "cipher_suites",
        2,
        "cipher_suite",
        2,
        names.SUITE_NAMES,
        "The algorithms the client can use, best liked first.",
    )
    reader.opaque_vector("legacy_compression_methods", 1, "No compression: it leaked secrets.")
    hello = _Hello()
    if reader.left:
        _extensions(reader, "ClientHello", hello)
    if reader.left:
        raise ParseError(f"{name} has {reader.left} bytes too many", reader.position)
    return ClientHello(
        name,
        reader.data,
        tuple(reader.fields),
        random=random,
        cipher_suites=tuple(named(code, names.SUITE_NAMES) for code in suites),
        server_name=hello.server_name,
        supported_versions=tuple(named(code, names.VERSIONS) for code in hello.versions),
        supported_groups=tuple(named(code, names.GROUPS) for code in hello.groups),
        key_shares=tuple(named(code, names.GROUPS) for code in hello.shares),
        alpn=hello.alpn,
    )


def _server_hello(reader: Reader, name: str, version: int) -> ServerHello:
    chosen = reader.number(
        "legacy_version",
        2,
        "Says TLS 1.2 in TLS 1.3 as well; the true choice is in supported_versions.",
        names.VERSIONS,
    )
    random = reader.opaque("random", 32, "The server's 32 fresh random bytes.")
    is_retry = random == HELLO_RETRY_REQUEST_RANDOM
    reader.opaque_vector("legacy_session_id_echo", 1, "The client's value, sent back.")
    suite = reader.number(
        "cipher_suite", 2, "The one the server picked from the client's list.", names.SUITE_NAMES
    )
    reader.number("legacy_compression_method", 1, "Always none.")
    hello = _Hello()
    if reader.left:
        _extensions(reader, "HelloRetryRequest" if is_retry else "ServerHello", hello)
    if reader.left:
        raise ParseError(f"{name} has {reader.left} bytes too many", reader.position)
    return ServerHello(
        "HelloRetryRequest" if is_retry else name,
        reader.data,
        tuple(reader.fields),
        random=random,
        cipher_suite=suite,
        version=hello.versions[0] if hello.versions else chosen,
        group=named(hello.shares[0], names.GROUPS) if hello.shares else None,
        is_retry=is_retry,
    )


# --- extensions -----------------------------------------------------------------------------

_EXTENSION_MEANINGS = {
    "server_name": "The name of the site, in the clear, so that the server can pick its "
    "certificate. Everyone on the way can read it.",
    "supported_groups": "The key-exchange groups the client can use.",
    "signature_algorithms": "The signatures the sender can check on certificates and handshake.",
    "signature_algorithms_cert": "The signatures the sender can check on certificates.",
    "supported_versions": "The TLS versions, for real.",
    "key_share": "The public half of the key exchange. Seeing it does not help an eavesdropper.",
    "psk_key_exchange_modes": "How an earlier session may be resumed.",
    "pre_shared_key": "A ticket from an earlier session.",
    "application_layer_protocol_negotiation": "Which protocol will be spoken inside.",
    "session_ticket": "Room for a ticket of an earlier TLS 1.2 session.",
    "extended_master_secret": "Binds the TLS 1.2 secret to the whole handshake (RFC 7627).",
    "encrypt_then_mac": "A repair for old CBC suites (RFC 7366); AEAD suites do not need it.",
    "ec_point_formats": "How points on a curve are written. Only one way is left.",
    "renegotiation_info": "A repair against splicing two TLS 1.2 sessions (RFC 5746).",
    "status_request": "Please staple a fresh word from the CA that this is not revoked (OCSP).",
    "cookie": "The server's note to itself, sent back by the client.",
    "certificate_authorities": "The CAs whose certificates the sender accepts.",
    "post_handshake_auth": "The client could show its certificate later.",
    "encrypted_client_hello": "The true hello, sealed to the server (ECH).",
}


def _extensions(reader: Reader, context: str, hello: _Hello) -> None:
    with reader.vector("extensions", 2, "Everything that was added to TLS since 1999.") as inner:
        while inner.left:
            _extension(inner, context, hello)


def _extension(reader: Reader, context: str, hello: _Hello) -> None:
    start = reader.position
    if reader.left < 4:
        raise ParseError("an extension is cut short", start)
    kind = int.from_bytes(reader.data[start : start + 2], "big")
    size = int.from_bytes(reader.data[start + 2 : start + 4], "big")
    name = named(kind, names.EXTENSIONS)
    with reader.within(name, 4 + size, _EXTENSION_MEANINGS.get(name, "")) as inner:
        inner.number("extension_type", 2, names=names.EXTENSIONS)
        inner.number("extension_data length", 2)
        if inner.left:
            parse = _EXTENSION_PARSERS.get(kind)
            if parse is None:
                inner.rest("extension_data")
            else:
                parse(inner, context, hello)


def _server_name(reader: Reader, context: str, hello: _Hello) -> None:
    with reader.vector("server_name_list", 2) as names_list:
        while names_list.left:
            kind = names_list.number("name_type", 1, names={0: "host_name"})
            size = names_list.number("host_name length", 2)
            host = names_list.text("host_name", size, "The site being visited.")
            if kind == 0 and hello.server_name is None:
                hello.server_name = host


def _supported_groups(reader: Reader, context: str, hello: _Hello) -> None:
    hello.groups = reader.numbers("named_group_list", 2, "group", 2, names.GROUPS)


def _signature_algorithms(reader: Reader, context: str, hello: _Hello) -> None:
    reader.numbers(
        "supported_signature_algorithms", 2, "signature_scheme", 2, names.SIGNATURE_SCHEMES
    )


def _supported_versions(reader: Reader, context: str, hello: _Hello) -> None:
    if context == "ClientHello":
        hello.versions = reader.numbers("versions", 1, "version", 2, names.VERSIONS)
    else:
        hello.versions = (reader.number("selected_version", 2, names=names.VERSIONS),)


def _key_share(reader: Reader, context: str, hello: _Hello) -> None:
    if context == "HelloRetryRequest":
        hello.shares = (reader.number("selected_group", 2, names=names.GROUPS),)
    elif context == "ServerHello":
        hello.shares = (_key_share_entry(reader),)
    else:
        found = []
        with reader.vector("client_shares", 2) as shares:
            while shares.left:
                found.append(_key_share_entry(shares))
        hello.shares = tuple(found)


def _key_share_entry(reader: Reader) -> int:
    group = reader.number("group", 2, names=names.GROUPS)
    reader.opaque_vector(
        "key_exchange", 2, "A public key, made for this one handshake and thrown away after it."
    )
    return group


def _alpn(reader: Reader, context: str, hello: _Hello) -> None:
    found = []
    with reader.vector("protocol_name_list", 2) as protocols:
        while protocols.left:
            size = protocols.number("protocol_name length", 1)
            found.append(protocols.text("protocol_name", size))
    hello.alpn = tuple(found)


def _psk_modes(reader: Reader, context: str, hello: _Hello) -> None:
    reader.numbers(
        "ke_modes", 1, "ke_mode", 1, {0: "psk_ke", 1: "psk_dhe_ke (with a fresh key exchange)"}
    )


def _point_formats(reader: Reader, context: str, hello: _Hello) -> None:
    reader.numbers(
        "ec_point_format_list",
        1,
        "ec_point_format",
        1,
        {0: "uncompressed", 1: "ansiX962_compressed_prime", 2: "ansiX962_compressed_char2"},
    )


_EXTENSION_PARSERS: dict[int, Callable[[Reader, str, _Hello], None]] = {
    0: _server_name,
    10: _supported_groups,
    11: _point_formats,
    13: _signature_algorithms,
    16: _alpn,
    43: _supported_versions,
    45: _psk_modes,
    50: _signature_algorithms,
    51: _key_share,
}


# --- the rest of the handshake --------------------------------------------------------------


def _encrypted_extensions(reader: Reader, name: str, version: int) -> Message:
    _extensions(reader, name, _Hello())
    return _message(reader, name)


def _who_is(der: bytes) -> str:
    """The subject and issuer of a certificate, or an honest shrug."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        subject = certificate.subject.rfc4514_string() or "(no subject)"
        return f"{subject}, issued by {certificate.issuer.rfc4514_string() or '(no issuer)'}"
    except Exception:  # whatever a broken certificate makes the library say, it is not readable
        return f"{len(der)} bytes that are not a readable certificate"


def _certificate(reader: Reader, name: str, version: int) -> CertificateMessage:
    chain = []
    if version >= TLS_1_3:
        reader.opaque_vector(
            "certificate_request_context", 1, "Empty, except when the certificate was asked for."
        )
    with reader.vector(
        "certificate_list", 3, "The sender's certificate, then the CAs that lead to the root."
    ) as entries:
        while entries.left:
            size = entries.number("cert_data length", 3)
            if size > entries.left:
                raise ParseError("a certificate is cut short", entries.position)
            der = entries.data[entries.position : entries.position + size]
            entries.opaque("cert_data", size, "An X.509 certificate, DER.", _who_is(der))
            chain.append(der)
            if version >= TLS_1_3:
                _extensions(entries, name, _Hello())
    done = _message(reader, name)
    return CertificateMessage(done.name, done.data, done.fields, chain=tuple(chain))


def _certificate_request(reader: Reader, name: str, version: int) -> Message:
    if version >= TLS_1_3:
        reader.opaque_vector("certificate_request_context", 1)
        _extensions(reader, name, _Hello())
    else:
        reader.numbers(
            "certificate_types",
            1,
            "certificate_type",
            1,
            {1: "rsa_sign", 2: "dss_sign", 64: "ecdsa_sign"},
        )
        _signature_algorithms(reader, name, _Hello())
        with reader.vector("certificate_authorities", 2, "The CAs the server accepts.") as cas:
            while cas.left:
                cas.opaque_vector("distinguished_name", 2)
    return _message(reader, name)


def _certificate_verify(reader: Reader, name: str, version: int) -> Message:
    reader.number("algorithm", 2, names=names.SIGNATURE_SCHEMES)
    reader.opaque_vector(
        "signature",
        2,
        "Proof that the sender holds the private key of its certificate: a signature over "
        "everything said so far.",
    )
    return _message(reader, name)


def _server_key_exchange(reader: Reader, name: str, version: int) -> ServerKeyExchange:
    # Only the elliptic-curve form (RFC 8422) has a group to name; anything else stays opaque.
    group: str | None = None
    if reader.left >= 1 and reader.data[reader.position] == 3:
        reader.number("curve_type", 1, names={3: "named_curve"})
        group = named(reader.number("namedcurve", 2, names=names.GROUPS), names.GROUPS)
        reader.opaque_vector("public", 1, "The server's public key for this one handshake.")
        reader.number("algorithm", 2, names=names.SIGNATURE_SCHEMES)
        reader.opaque_vector(
            "signature", 2, "Signed with the certificate's key, so that nobody can swap it."
        )
    elif reader.left:
        reader.rest("params")
    done = _message(reader, name)
    return ServerKeyExchange(done.name, done.data, done.fields, group=group)


def _client_key_exchange(reader: Reader, name: str, version: int) -> Message:
    if reader.left:
        reader.rest("exchange_keys", "The client's public key for this one handshake.")
    return _message(reader, name)


def _finished(reader: Reader, name: str, version: int) -> Message:
    reader.rest(
        "verify_data",
        "A checksum of the whole handshake, keyed with what only the two ends know. One byte "
        "changed on the way and it does not match.",
    )
    return _message(reader, name)


def _new_session_ticket(reader: Reader, name: str, version: int) -> Message:
    reader.number("ticket_lifetime", 4, "Seconds for which the ticket is good.")
    if version >= TLS_1_3:
        reader.number("ticket_age_add", 4, "Hides the ticket's age when it is used.")
        reader.opaque_vector("ticket_nonce", 1)
    reader.opaque_vector("ticket", 2, "Shown next time, it saves most of the handshake.")
    if version >= TLS_1_3:
        _extensions(reader, name, _Hello())
    return _message(reader, name)


def _key_update(reader: Reader, name: str, version: int) -> Message:
    reader.number("request_update", 1, names={0: "update_not_requested", 1: "update_requested"})
    return _message(reader, name)


_PARSERS: dict[int, Callable[[Reader, str, int], Message]] = {
    1: _client_hello,
    2: _server_hello,
    4: _new_session_ticket,
    8: _encrypted_extensions,
    11: _certificate,
    12: _server_key_exchange,
    13: _certificate_request,
    15: _certificate_verify,
    16: _client_key_exchange,
    20: _finished,
    24: _key_update,
}
