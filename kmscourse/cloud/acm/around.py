"""What ACM sees of the services around it, in moto's rooms: DNS, private CAs, load balancers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from cryptography import x509

from kmscourse.cloud.acm.certificate import Certificate, Record
from kmscourse.cloud.acm.issuing import Authority, reissue, to_pem
from kmscourse.cloud.call import Call
from kmscourse.cloud.protocol import Response


def _rooms(service: str) -> dict[str, dict[str, Any]]:
    """What moto holds for a service, by account and Region; nothing where it was not asked yet."""
    module = sys.modules.get(f"moto.{service}.models")
    rooms: dict[str, dict[str, Any]] = getattr(module, f"{service}_backends", {})
    return rooms


def _room(service: str, account: str, region: str) -> Any:
    """What moto holds for a service in one Region of an account; None where nothing is."""
    of_account = _rooms(service).get(account)
    return None if of_account is None else of_account.get(region)


_DAYS = {"DAYS": 1, "MONTHS": 30, "YEARS": 365}


def in_dns(record: Record) -> bool:
    """Whether a CNAME is in a public hosted zone of any account, so that ACM can look it up."""
    for backends in list(_rooms("route53").values()):
        for backend in list(backends.values()):
            for zone in backend.zones.values():
                if not zone.private_zone and any(_is(each, record) for each in zone.rrsets):
                    return True
    return False


def _is(found: Any, record: Record) -> bool:
    return (
        found.type == "CNAME"
        and found.name.rstrip(".").lower() == record.name.rstrip(".").lower()
        and any(v.rstrip(".").lower() == record.value.rstrip(".").lower() for v in found.records)
    )


def in_use_by(certificate: Certificate) -> list[str]:
    """The ARNs of the load balancers and distributions that a certificate is attached to."""
    return list(dict.fromkeys(_users(certificate)))


def _users(certificate: Certificate) -> Iterator[str]:
    arn, account, region = certificate.arn, certificate.account, certificate.region
    elastic = _room("elbv2", account, region)
    for balancer in elastic.load_balancers.values() if elastic is not None else ():
        if any(arn in listener.certificates for listener in balancer.listeners.values()):
            yield str(balancer.arn)
    cloudfront = _room("cloudfront", account, "aws")
    for distribution in cloudfront.distributions.values() if cloudfront is not None else ():
        if distribution.distribution_config.viewer_certificate.acm_certificate_arn == arn:
            yield str(distribution.arn)
    mirrored = _room("acm", account, region)
    if mirrored is not None and arn in mirrored._certificates:
        # Classic load balancers enter themselves. Listeners do too, and never go away again.
        users = mirrored._certificates[arn].in_use_by
        yield from (user for user in users if ":listener/" not in user)


def show_to_moto(certificate: Certificate) -> None:
    """Let moto's load balancers find an issued certificate."""
    mirrored = SimpleNamespace(
        arn=certificate.arn, tags=certificate.tags, in_use_by=[], check=lambda: None
    )
    from moto.acm.models import acm_backends

    room = acm_backends[certificate.account][certificate.region]
    room._certificates.setdefault(certificate.arn, mirrored)


def hide_from_moto(certificate: Certificate) -> None:
    """Take a certificate out of moto's sight again."""
    room = _room("acm", certificate.account, certificate.region)
    if room is not None:
        room._certificates.pop(certificate.arn, None)


def private_authority(arn: str) -> Authority | str:
    """A private CA by its ARN; or ACM's reason why it cannot issue."""
    ca = _private_ca(arn)
    if ca is None:
        return "PCA_RESOURCE_NOT_FOUND"
    if ca.status != "ACTIVE" or ca.certificate is None:
        return "PCA_INVALID_STATE"
    above = x509.load_pem_x509_certificates(ca.certificate_chain) if ca.certificate_chain else []
    return Authority(ca.certificate, ca.key, tuple(above))


def honour_validity(call: Call, answer: Response) -> None:
    """Give a certificate of AWS Private CA the validity it was asked for: moto gives a year.

    Source: acm-pca IssueCertificate: the time begins an hour before, to allow for clocks.
    """
    ca = _private_ca(str(call.parameters.get("CertificateAuthorityArn", "")))
    if ca is None or answer.status != 200:
        return
    arn = json.loads(answer.body)["CertificateArn"]
    made = x509.load_pem_x509_certificate(ca.issued_certificates[arn])
    begin = call.time.replace(microsecond=0) - timedelta(hours=1)
    end = _end(call.parameters.get("Validity", {}), call.time)
    ca.issued_certificates[arn] = to_pem(reissue(made, ca.key, begin, end)).encode("ascii")


def _end(validity: dict[str, Any], now: datetime) -> datetime:
    kind, value = validity.get("Type"), int(validity.get("Value", 365))
    if kind == "ABSOLUTE":
        return datetime.fromtimestamp(value, UTC)
    if kind == "END_DATE":
        return datetime.strptime(str(value).zfill(14), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return now.replace(microsecond=0) + timedelta(days=value * _DAYS.get(str(kind), 1))


def _private_ca(arn: str) -> Any:
    parts = arn.split(":")
    room = _room("acmpca", parts[4], parts[3]) if len(parts) > 5 else None
    return None if room is None else room.certificate_authorities.get(arn)
