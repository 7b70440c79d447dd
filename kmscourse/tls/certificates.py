"""A small certificate authority, and certificates good and bad."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KeyType = Literal["ecdsa", "ed25519", "rsa"]
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
Moment = datetime


def generate_key(key_type: KeyType = "ecdsa") -> PrivateKey:
    """A new private key: ECDSA on P-256, Ed25519, or RSA with 2048 bits.

    Ed25519 signatures always have the same size, ECDSA ones vary by a byte or two.
    """
    if key_type == "ecdsa":
        return ec.generate_private_key(ec.SECP256R1())
    if key_type == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if key_type == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    raise ValueError(f"{key_type!r} is not a kind of key made here: ecdsa, ed25519 or rsa")


@dataclass(frozen=True)
class Certificate:
    """A certificate with its private key, and the CA certificates that lead up from it.

    `chain` holds the intermediates, nearest first; the root is not sent, it has to be known.
    """

    certificate: x509.Certificate = field(repr=False)
    private_key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = field(default=(), repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names it is good for (subjectAltName); clients look nowhere else."""
        return names_of(self.certificate)

    @property
    def subject(self) -> str:
        return _common_name(self.certificate.subject)

    @property
    def issuer(self) -> str:
        return _common_name(self.certificate.issuer)

    @property
    def pem(self) -> bytes:
        """The certificate and its intermediates, as a server sends them."""
        return b"".join(
            each.public_bytes(serialization.Encoding.PEM)
            for each in (self.certificate, *self.chain)
        )

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def private_key_pem(self) -> bytes:
        """The private key, not encrypted. Whoever has it is the server, for every client."""
        return self.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def __repr__(self) -> str:
        shown = ", ".join(self.names) or self.subject
        return f"<Certificate for {shown}, issued by {self.issuer}>"


class CertificateAuthority:
    """A CA: a name, a key, and the certificates it signs.

    >>> ca = CertificateAuthority("Clinic CA")
    >>> ca.issue("records.clinic.example")
    <Certificate for records.clinic.example, issued by Clinic CA>
    """

    def __init__(
        self, name: str, *, key_type: KeyType = "ecdsa", parent: CertificateAuthority | None = None
    ) -> None:
        self.name = name
        self.key_type = key_type
        self._key = generate_key(key_type)
        self._chain: tuple[x509.Certificate, ...] = ()
        now = _now()
        builder = _begin(name, self._key, now - timedelta(hours=1), now + timedelta(days=3650))
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0 if parent else None), critical=True
        ).add_extension(_key_usage("digital_signature", "key_cert_sign", "crl_sign"), critical=True)
        self.certificate = self._root(builder) if parent is None else parent._vouch(builder)
        if parent is not None:
            self._chain = (self.certificate, *parent._chain)
        self._revoked: list[tuple[int, datetime]] = []

    @property
    def pem(self) -> bytes:
        """The CA's own certificate: what a client must have to trust what the CA signs."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def intermediate(self, name: str) -> CertificateAuthority:
        """A CA below this one. Its servers send its certificate along; clients know the root."""
        return CertificateAuthority(name, key_type=self.key_type, parent=self)

    def issue(
        self,
        *names: str,
        not_before: Moment | None = None,
        not_after: Moment | None = None,
        for_client: bool = False,
        key_type: KeyType | None = None,
    ) -> Certificate:
        """Sign a certificate for these DNS names or IP addresses.

        It is good from an hour ago for 90 days unless `not_before` and `not_after` (datetimes;
        without a zone they are UTC) say otherwise. `for_client` makes a certificate with which
        a client shows who it is, for mutual TLS.
        """
        key = generate_key(key_type or self.key_type)
        begin, end = _validity(not_before, not_after)
        builder = _describe(_begin(_first(names), key, begin, end), names, for_client)
        return Certificate(self._vouch(builder), key, self._chain)

    def revoke(self, certificate: Certificate) -> None:
        """Take a certificate back. Nobody notices who does not ask: see `crl`."""
        self._revoked.append((certificate.certificate.serial_number, _now()))

    def crl(self) -> bytes:
        """The list of what this CA has taken back, signed, as PEM.

        A client has to fetch it and be told to look at it: `Client(..., crl=ca.crl())`.
        """
        now = _now()
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - timedelta(hours=1))
            .next_update(now + timedelta(days=7))
            .add_extension(x509.CRLNumber(len(self._revoked) + 1), critical=False)
            .add_extension(_authority_key(self.certificate), critical=False)
        )
        for serial, when in self._revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when).build()
            )
        return builder.sign(self._key, _hash_for(self._key)).public_bytes(
            serialization.Encoding.PEM
        )

    def _root(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.issuer_name(_name(self.name)).sign(self._key, _hash_for(self._key))

    def _vouch(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return (
            builder.issuer_name(self.certificate.subject)
            .add_extension(_authority_key(self.certificate), critical=False)
            .sign(self._key, _hash_for(self._key))
        )

    def __repr__(self) -> str:
        return f"<CertificateAuthority {self.name}>"


def self_signed(
    *names: str,
    not_before: Moment | None = None,
    not_after: Moment | None = None,
    key_type: KeyType = "ecdsa",
) -> Certificate:
    """A certificate that vouches for itself: anyone can make one, for any name."""
    key = generate_key(key_type)
    begin, end = _validity(not_before, not_after)
    builder = _describe(_begin(_first(names), key, begin, end), names, for_client=False)
    signed = builder.issuer_name(_name(_first(names))).sign(key, _hash_for(key))
    return Certificate(signed, key)


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The DNS names and IP addresses a certificate is good for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    hosts = found.get_values_for_type(x509.DNSName)
    return (*hosts, *(str(ip) for ip in found.get_values_for_type(x509.IPAddress)))


def trust_pem(trust: CertificateAuthority | Certificate | Iterable[object] | bytes | str) -> str:
    """The certificates to be trusted, as one PEM text."""
    if isinstance(trust, str):
        if trust and "-----BEGIN CERTIFICATE-----" not in trust:
            raise ValueError(
                f"trust a CertificateAuthority, a Certificate or PEM; {trust!r} is none"
            )
        return trust
    if isinstance(trust, bytes):
        return trust_pem(trust.decode("ascii"))
    if isinstance(trust, CertificateAuthority):
        return trust.pem.decode("ascii")
    if isinstance(trust, Certificate):
        return trust.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
    if isinstance(trust, Iterable):
        return "".join(trust_pem(each) for each in trust)  # type: ignore[arg-type]
    raise TypeError(f"trust a CertificateAuthority, a Certificate or PEM, not {trust!r}")


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _validity(not_before: datetime | None, not_after: datetime | None) -> tuple[datetime, datetime]:
    now = _now()
    end = now + timedelta(days=90) if not_after is None else _utc(not_after)
    begin = min(now - timedelta(hours=1), end - timedelta(days=90))
    begin = begin if not_before is None else _utc(not_before)
    if begin >= end:
        raise ValueError("a certificate's not_before has to lie before its not_after")
    return begin, end


def _first(names: tuple[str, ...]) -> str:
    if not names:
        raise ValueError("say for which name, for example issue('records.clinic.example')")
    return names[0]


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _begin(
    name: str, key: PrivateKey, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    # The serial's top bits are fixed so that every serial, and so every certificate of the same
    # kind, has the same length; 150 random bits remain (RFC 5280 asks for at most 20 bytes).
    serial = (0b01 << 158) | secrets.randbits(150)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _describe(
    builder: x509.CertificateBuilder, names: tuple[str, ...], for_client: bool
) -> x509.CertificateBuilder:
    use = ExtendedKeyUsageOID.CLIENT_AUTH if for_client else ExtendedKeyUsageOID.SERVER_AUTH
    return (
        builder.add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*uses: str) -> x509.KeyUsage:
    known = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{use: use in uses for use in known})


def _authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    subject_key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key)


def _hash_for(key: PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
