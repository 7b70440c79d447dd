"""From a shared secret to the keys of a record.

RFC 8446, section 7 (TLS 1.3) and RFC 5246, sections 5 and 6.3 (TLS 1.2). Only the labels are
ours to write: HMAC and HKDF are `cryptography`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from kmscourse.tls.names import CipherSuite

_HASHES: dict[str, type[hashes.SHA256] | type[hashes.SHA384]] = {
    "SHA256": hashes.SHA256,
    "SHA384": hashes.SHA384,
}


def _hash(hash_name: str) -> hashes.HashAlgorithm:
    if hash_name not in _HASHES:
        raise ValueError(f"{hash_name} is not a hash of TLS 1.3: choose SHA256 or SHA384")
    return _HASHES[hash_name]()


def transcript_hash(*messages: bytes, hash_name: str = "SHA256") -> bytes:
    """Hash of the handshake messages so far, headers included (RFC 8446, section 4.4.1)."""
    digest = hashes.Hash(_hash(hash_name))
    for message in messages:
        digest.update(message)
    return digest.finalize()


def hkdf_extract(salt: bytes, input_key: bytes, hash_name: str = "SHA256") -> bytes:
    """HKDF-Extract (RFC 5869, section 2.2)."""
    return HKDF.extract(_hash(hash_name), salt, input_key)


def hkdf_expand_label(
    secret: bytes, label: str, context: bytes, length: int, hash_name: str = "SHA256"
) -> bytes:
    """HKDF-Expand-Label (RFC 8446, section 7.1): `length` bytes out of `secret`, for one purpose.

    The label and the context (a hash of the handshake, or nothing) go into the derivation, so
    that no two purposes ever share a key.
    """
    full_label = b"tls13 " + label.encode("ascii")
    info = (
        length.to_bytes(2, "big")
        + bytes([len(full_label)])
        + full_label
        + bytes([len(context)])
        + context
    )
    return HKDFExpand(_hash(hash_name), length, info).derive(secret)


def derive_secret(secret: bytes, label: str, transcript: bytes, hash_name: str = "SHA256") -> bytes:
    """Derive-Secret (RFC 8446, section 7.1), given the transcript's hash."""
    return hkdf_expand_label(secret, label, transcript, _hash(hash_name).digest_size, hash_name)


@dataclass(frozen=True)
class KeySchedule:
    """The three secrets of a TLS 1.3 handshake without a pre-shared key, one from the other.

    `shared_secret` is what the key exchange gave both ends and nobody else.
    """

    shared_secret: bytes
    hash_name: str = "SHA256"

    @property
    def _zeros(self) -> bytes:
        return bytes(_hash(self.hash_name).digest_size)

    @property
    def early_secret(self) -> bytes:
        return hkdf_extract(self._zeros, self._zeros, self.hash_name)

    @property
    def handshake_secret(self) -> bytes:
        return hkdf_extract(self._derived(self.early_secret), self.shared_secret, self.hash_name)

    @property
    def master_secret(self) -> bytes:
        return hkdf_extract(self._derived(self.handshake_secret), self._zeros, self.hash_name)

    def _derived(self, secret: bytes) -> bytes:
        return derive_secret(
            secret, "derived", transcript_hash(hash_name=self.hash_name), self.hash_name
        )

    def handshake_traffic_secrets(self, transcript: bytes) -> tuple[bytes, bytes]:
        """(client's, server's), from the hash of ClientHello...ServerHello."""
        return (
            derive_secret(self.handshake_secret, "c hs traffic", transcript, self.hash_name),
            derive_secret(self.handshake_secret, "s hs traffic", transcript, self.hash_name),
        )

    def application_traffic_secrets(self, transcript: bytes) -> tuple[bytes, bytes]:
        """(client's, server's), from the hash of ClientHello...server Finished."""
        return (
            derive_secret(self.master_secret, "c ap traffic", transcript, self.hash_name),
            derive_secret(self.master_secret, "s ap traffic", transcript, self.hash_name),
        )

    def exporter_master_secret(self, transcript: bytes) -> bytes:
        """From the hash of ClientHello...server Finished."""
        return derive_secret(self.master_secret, "exp master", transcript, self.hash_name)

    def resumption_master_secret(self, transcript: bytes) -> bytes:
        """From the hash of ClientHello...client Finished."""
        return derive_secret(self.master_secret, "res master", transcript, self.hash_name)


def finished_verify_data(
    traffic_secret: bytes, transcript: bytes, hash_name: str = "SHA256"
) -> bytes:
    """What Finished must say (RFC 8446, section 4.4.4)."""
    finished_key = hkdf_expand_label(
        traffic_secret, "finished", b"", _hash(hash_name).digest_size, hash_name
    )
    mac = hmac.HMAC(finished_key, _hash(hash_name))
    mac.update(transcript)
    return mac.finalize()


def next_traffic_secret(traffic_secret: bytes, hash_name: str = "SHA256") -> bytes:
    """The secret after a KeyUpdate (RFC 8446, section 7.2)."""
    return derive_secret(traffic_secret, "traffic upd", b"", hash_name)


@dataclass(frozen=True)
class TrafficKeys:
    """The key and the iv with which one side seals its records."""

    suite: CipherSuite
    key: bytes
    iv: bytes

    @classmethod
    def from_secret(cls, traffic_secret: bytes, suite: CipherSuite) -> TrafficKeys:
        """TLS 1.3: RFC 8446, section 7.3."""
        return cls(
            suite,
            hkdf_expand_label(traffic_secret, "key", b"", suite.key_length, suite.hash_name),
            hkdf_expand_label(traffic_secret, "iv", b"", 12, suite.hash_name),
        )

    def nonce(self, sequence_number: int) -> bytes:
        """The iv, with the record's number mixed in: never the same twice (section 5.3)."""
        number = sequence_number.to_bytes(len(self.iv), "big")
        return bytes(a ^ b for a, b in zip(self.iv, number, strict=True))

    def aead(self) -> AESGCM | ChaCha20Poly1305:
        """The cipher itself, with `.encrypt(nonce, data, associated_data)` and `.decrypt(...)`."""
        return AESGCM(self.key) if self.suite.aead == "AES-GCM" else ChaCha20Poly1305(self.key)


def prf(secret: bytes, label: str, seed: bytes, length: int, hash_name: str = "SHA256") -> bytes:
    """TLS 1.2's pseudo-random function: RFC 5246, section 5."""

    def mac(data: bytes) -> bytes:
        keyed = hmac.HMAC(secret, _hash(hash_name))
        keyed.update(data)
        return keyed.finalize()

    full_seed = label.encode("ascii") + seed
    output, chained = b"", full_seed
    while len(output) < length:
        chained = mac(chained)
        output += mac(chained + full_seed)
    return output[:length]


def tls12_traffic_keys(
    master_secret: bytes, client_random: bytes, server_random: bytes, suite: CipherSuite
) -> tuple[TrafficKeys, TrafficKeys]:
    """(client's, server's) keys for TLS 1.2: RFC 5246, section 6.3.

    AES-GCM suites keep 4 bytes of iv secret and send 8 with each record (RFC 5288); ChaCha20
    keeps all 12 (RFC 7905).
    """
    iv_length = 4 if suite.aead == "AES-GCM" else 12
    block = prf(
        master_secret,
        "key expansion",
        server_random + client_random,
        2 * (suite.key_length + iv_length),
        suite.hash_name,
    )
    size = suite.key_length
    client_key, server_key = block[:size], block[size : 2 * size]
    ivs = block[2 * size :]
    return (
        TrafficKeys(suite, client_key, ivs[:iv_length]),
        TrafficKeys(suite, server_key, ivs[iv_length:]),
    )
