"""Why an end gave up: the codes, and a sentence in plain English.

OpenSSL words its messages differently from version to version; its codes stay. So everything
here hangs on the codes (`verify_code` of `ssl.SSLCertVerificationError`, `reason` otherwise).
Numbers and names: openssl/x509_vfy.h.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

VERIFY_CODES: dict[int, tuple[str, str]] = {
    3: ("X509_V_ERR_UNABLE_TO_GET_CRL", "No revocation list of this CA is at hand."),
    9: ("X509_V_ERR_CERT_NOT_YET_VALID", "The certificate is not valid yet."),
    10: ("X509_V_ERR_CERT_HAS_EXPIRED", "The certificate has expired."),
    12: ("X509_V_ERR_CRL_HAS_EXPIRED", "The revocation list at hand is too old."),
    18: (
        "X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT",
        "The certificate vouches for itself, and nobody trusted vouches for it.",
    ),
    19: (
        "X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN",
        "The chain ends in a root that the client does not know.",
    ),
    20: (
        "X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
        "The CA that issued the certificate is not one that the client trusts.",
    ),
    21: (
        "X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        "The CA that issued the certificate is not one that the client trusts.",
    ),
    23: ("X509_V_ERR_CERT_REVOKED", "The CA has taken the certificate back."),
    26: ("X509_V_ERR_INVALID_PURPOSE", "The certificate was issued for another purpose."),
    62: ("X509_V_ERR_HOSTNAME_MISMATCH", "The certificate is for another name."),
    64: ("X509_V_ERR_IP_ADDRESS_MISMATCH", "The certificate is for another address."),
}


@dataclass(frozen=True)
class Failure:
    """An `ssl.SSLError`, by its codes.

    `verify_code` and `verify_name` are set when a certificate was refused. `reason` is OpenSSL's
    name for the error; `meaning` is a sentence of ours.
    """

    reason: str
    verify_code: int | None = None
    verify_name: str | None = None
    meaning: str = ""
    error: ssl.SSLError | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, error: ssl.SSLError) -> Failure:
        reason = error.reason or type(error).__name__
        if isinstance(error, ssl.SSLCertVerificationError):
            code = error.verify_code
            name, meaning = VERIFY_CODES.get(
                code, (f"X509_V_ERR {code}", "The certificate did not pass the client's checks.")
            )
            return cls(reason, code, name, meaning, error)
        return cls(reason, meaning=_meaning(reason), error=error)


def _meaning(reason: str) -> str:
    if "ALERT" in reason:
        return "The other side gave up and said so with an alert."
    if "MAC" in reason or "DECRYPT" in reason:
        return "A record was changed on the way: its tag does not match."
    return "What arrived is not what the protocol allows."
