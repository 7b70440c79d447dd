"""The X.509 of ACM: keys, certificates and the CAs that sign them, by `cryptography`.

The CAs are of this simulated AWS alone: no browser trusts them. Keys are never seeded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_SIZES = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
_CURVES: dict[str, ec.EllipticCurve] = {
    "EC_prime256v1": ec.SECP256R1(),
    "EC_secp384r1": ec.SECP384R1(),
    "EC_secp521r1": ec.SECP521R1(),
}
_NO_USES = dict.fromkeys(
    ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
     "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    False,
)  # fmt: skip


def generate_key(algorithm: str) -> PrivateKey:
    """A private key of one of ACM's key algorithms, e.g. ``"RSA_2048"``."""
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm])
    return rsa.generate_private_key(public_exponent=65537, key_size=_SIZES[algorithm])


def algorithm_of(key: object) -> str:
    """The ACM name of a public key's algorithm; of an unknown one, its class."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA_{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return next((n for n, c in _CURVES.items() if c.name == key.curve.name), key.curve.name)
    return type(key).__name__


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its certificate, its key, and the CA certificates above it, nearest first."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    above: tuple[x509.Certificate, ...] = ()

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """What a server sends along with a certificate of this CA, and the root."""
        return (self.certificate, *self.above)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its private key and the chain above it."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> str:
        return to_pem(self.certificate)

    @property
    def chain_pem(self) -> str:
        return "".join(to_pem(each) for each in self.chain)

    def encrypted_key(self, passphrase: bytes) -> str:
        """The private key under a passphrase (PKCS #8), which is how it leaves ACM, if it does."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase),
        ).decode("ascii")


def public_authority(family: str, now: datetime) -> Authority:
    """The CA that signs public certificates with keys of a family, ``"RSA"`` or ``"EC"``.

    A root and one CA below it, as Amazon Trust Services has it; the names say what they are.
    """
    root_key = generate_key("EC_prime256v1")
    root = _authority("Simulated Amazon Root CA", root_key, None, now)
    key = generate_key("RSA_2048" if family == "RSA" else "EC_prime256v1")
    name = f"Simulated Amazon {'RSA 2048' if family == 'RSA' else 'ECDSA 256'} M01"
    below = _authority(name, key, Authority(root, root_key), now)
    return Authority(below, key, (root,))


def issue(
    authority: Authority,
    names: Sequence[str],
    algorithm: str,
    serial: int,
    not_before: datetime,
    not_after: datetime,
) -> Issued:
    """Sign a certificate for a server by these names, with a key of its own."""
    key = generate_key(algorithm)
    uses = {"digital_signature": True, "key_encipherment": isinstance(key, rsa.RSAPrivateKey)}
    # A common name has at most 64 characters; clients look at the alternative names anyway.
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, names[0])] if len(names[0]) <= 64 else []
    builder = (
        _begin(x509.Name(subject), key, serial, not_before, not_after)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]),
            critical=not subject,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{**_NO_USES, **uses}), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return Issued(_sign(builder, authority), key, authority.chain)


def reissue(
    certificate: x509.Certificate, key: PrivateKey, not_before: datetime, not_after: datetime
) -> x509.Certificate:
    """The same certificate for another time."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(certificate.subject)
        .issuer_name(certificate.issuer)
        .public_key(certificate.public_key())
        .serial_number(certificate.serial_number)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    for extension in certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(key, hashes.SHA256())


def to_pem(certificate: x509.Certificate) -> str:
    """A certificate as PEM text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _authority(
    name: str, key: PrivateKey, above: Authority | None, now: datetime
) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Amazon"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    begin, end = now - timedelta(days=365), now + timedelta(days=365 * 20)
    builder = (
        _begin(subject, key, x509.random_serial_number(), begin, end)
        .add_extension(x509.BasicConstraints(True, 0 if above else None), critical=True)
        .add_extension(
            x509.KeyUsage(**{**_NO_USES, "key_cert_sign": True, "crl_sign": True}), critical=True
        )
    )
    if above is None:
        return builder.issuer_name(subject).sign(key, hashes.SHA256())
    return _sign(builder, above)


def _begin(
    subject: x509.Name, key: PrivateKey, serial: int, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _sign(builder: x509.CertificateBuilder, authority: Authority) -> x509.Certificate:
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return (
        builder.issuer_name(authority.certificate.subject)
        .add_extension(issuer, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
