"""A certificate in ACM, and how DescribeCertificate and ListCertificates tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kmscourse.cloud.acm.issuing import Issued, algorithm_of

Type = Literal["AMAZON_ISSUED", "PRIVATE", "IMPORTED"]
#: RSA with 2048 bits is what ListCertificates shows unless asked for more.
DEFAULT_ALGORITHM = "RSA_2048"

_PURPOSES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "TLS_WEB_SERVER_AUTHENTICATION",
    ExtendedKeyUsageOID.CLIENT_AUTH: "TLS_WEB_CLIENT_AUTHENTICATION",
    ExtendedKeyUsageOID.CODE_SIGNING: "CODE_SIGNING",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "EMAIL_PROTECTION",
    ExtendedKeyUsageOID.TIME_STAMPING: "TIME_STAMPING",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSP_SIGNING",
}
_USES = {
    "digital_signature": "DIGITAL_SIGNATURE",
    "content_commitment": "NON_REPUDIATION",
    "key_encipherment": "KEY_ENCIPHERMENT",
    "data_encipherment": "DATA_ENCIPHERMENT",
    "key_agreement": "KEY_AGREEMENT",
    "key_cert_sign": "CERTIFICATE_SIGNING",
    "crl_sign": "CRL_SIGNING",
}


@dataclass(slots=True)
class Record:
    """The CNAME that proves who controls a domain: the same for an account every time."""

    name: str
    value: str

    def shown(self) -> dict[str, str]:
        return {"Name": self.name, "Type": "CNAME", "Value": self.value}


@dataclass(slots=True)
class Validation:
    """How one name of a certificate is proved."""

    domain: str
    method: str
    record: Record | None
    status: str = "PENDING_VALIDATION"

    def shown(self) -> dict[str, Any]:
        base = self.domain.removeprefix("*.")
        shown: dict[str, Any] = {
            "DomainName": self.domain,
            "ValidationDomain": self.domain,
            "ValidationStatus": self.status,
            "ValidationMethod": self.method,
        }
        if self.record is not None:
            shown["ResourceRecord"] = self.record.shown()
        if self.method == "EMAIL":
            # The five addresses that ACM writes to (ACM User Guide, "Email validation").
            names = ("administrator", "hostmaster", "postmaster", "webmaster", "admin")
            shown["ValidationEmails"] = [f"{name}@{base}" for name in names]
        return shown


@dataclass(slots=True)
class Renewal:
    """How ACM's managed renewal goes, with a validation of its own for each name."""

    status: str
    updated: datetime
    validations: list[Validation]

    def shown(self) -> dict[str, Any]:
        return {
            "RenewalStatus": self.status,
            "UpdatedAt": self.updated,
            "DomainValidationOptions": [each.shown() for each in self.validations],
        }


@dataclass(slots=True)
class Certificate:
    """What ACM holds of one certificate.

    Attributes:
        exported: when it was last exported, if it was since it was issued or last renewed.
    """

    arn: str
    account: str
    region: str
    domain: str
    names: tuple[str, ...]
    type: Type
    algorithm: str
    created: datetime
    options: dict[str, str]
    status: str = "PENDING_VALIDATION"
    validations: list[Validation] = field(default_factory=list)
    authority_arn: str | None = None
    issued: Issued | None = None
    issued_at: datetime | None = None
    exported: datetime | None = None
    ever_exported: bool = False
    failure: str | None = None
    renewal: Renewal | None = None
    revoked: tuple[datetime, str] | None = None
    tags: dict[str, str | None] = field(default_factory=dict)
    managed_by: str | None = None

    @property
    def not_before(self) -> datetime:
        assert self.issued is not None
        return self.issued.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        assert self.issued is not None
        return self.issued.certificate.not_valid_after_utc

    @property
    def renewed_from(self) -> datetime:
        """When ACM begins to renew it.

        Public certificates: 45 days before the end, of which fact ACM-03 is not sure.
        Private ones: after 11 months of the 13 (ACM User Guide, "Private certificates").
        """
        days = 45 if self.type == "AMAZON_ISSUED" else 60
        return self.not_after - timedelta(days=days)

    def eligible(self, in_use: bool) -> bool:
        """Whether ACM renews it by itself.

        Source: ACM User Guide, "Managed certificate renewal": in use by an AWS service, or
        exported since it was issued or last renewed; never when imported or expired.
        """
        return (
            self.type != "IMPORTED"
            and self.status == "ISSUED"
            and (in_use or self.exported is not None)
        )

    def describe(self, in_use_by: list[str]) -> dict[str, Any]:
        """As in DescribeCertificate."""
        detail: dict[str, Any] = {
            "CertificateArn": self.arn,
            "DomainName": self.domain,
            "SubjectAlternativeNames": list(self.names),
            "CreatedAt": self.created,
            "Status": self.status,
            "Type": self.type,
            "KeyAlgorithm": self.algorithm,
            "InUseBy": in_use_by,
            "RenewalEligibility": "ELIGIBLE" if self.eligible(bool(in_use_by)) else "INELIGIBLE",
            "Options": dict(self.options),
            "CertificateKeyPairOrigin": "CUSTOMER_PROVIDED"
            if self.type == "IMPORTED"
            else "AWS_MANAGED",
        }
        if self.managed_by:
            detail["ManagedBy"] = self.managed_by
        if self.validations:
            detail["DomainValidationOptions"] = [each.shown() for each in self.validations]
        if self.authority_arn:
            detail["CertificateAuthorityArn"] = self.authority_arn
        if self.failure:
            detail["FailureReason"] = self.failure
        if self.issued is not None:
            detail |= _of_x509(self.issued.certificate)
            detail["ImportedAt" if self.type == "IMPORTED" else "IssuedAt"] = self.issued_at
        if self.renewal is not None:
            detail["RenewalSummary"] = self.renewal.shown()
        if self.revoked is not None:
            detail["RevokedAt"], detail["RevocationReason"] = self.revoked
        return detail

    def summary(self, in_use_by: list[str]) -> dict[str, Any]:
        """As in ListCertificates."""
        detail = self.describe(in_use_by)
        kept = ("CertificateArn", "DomainName", "Status", "Type", "KeyAlgorithm", "CreatedAt",
                "IssuedAt", "ImportedAt", "NotBefore", "NotAfter", "RevokedAt", "ManagedBy",
                "RenewalEligibility", "CertificateKeyPairOrigin")  # fmt: skip
        summary = {name: detail[name] for name in kept if name in detail}
        return summary | {
            "SubjectAlternativeNameSummaries": list(self.names),
            "HasAdditionalSubjectAlternativeNames": False,
            "KeyUsages": [use["Name"] for use in detail.get("KeyUsages", [])],
            "ExtendedKeyUsages": [use["Name"] for use in detail.get("ExtendedKeyUsages", [])],
            "ExportOption": self.options["Export"],
            "InUse": bool(in_use_by),
            "Exported": self.ever_exported,
        }


def _of_x509(certificate: x509.Certificate) -> dict[str, Any]:
    serial = f"{certificate.serial_number:032x}"
    algorithm = certificate.signature_hash_algorithm
    family = algorithm_of(certificate.public_key()).partition("_")[0]
    signer = "ECDSA" if "ecdsa" in certificate.signature_algorithm_oid._name else "RSA"
    shown: dict[str, Any] = {
        "Serial": ":".join(serial[i : i + 2] for i in range(0, len(serial), 2)),
        "Subject": f"CN={_attribute(certificate.subject, NameOID.COMMON_NAME)}",
        "Issuer": _attribute(certificate.issuer, NameOID.ORGANIZATION_NAME)
        or _attribute(certificate.issuer, NameOID.COMMON_NAME),
        "NotBefore": certificate.not_valid_before_utc,
        "NotAfter": certificate.not_valid_after_utc,
        "SignatureAlgorithm": f"{algorithm.name.upper()}WITH{signer}" if algorithm else family,
    }
    for extension in certificate.extensions:
        value = extension.value
        if isinstance(value, x509.KeyUsage):
            shown["KeyUsages"] = [{"Name": n} for a, n in _USES.items() if getattr(value, a)]
        if isinstance(value, x509.ExtendedKeyUsage):
            shown["ExtendedKeyUsages"] = [
                {"Name": _PURPOSES.get(oid, "CUSTOM"), "OID": oid.dotted_string} for oid in value
            ]
    return shown


def _attribute(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""
