"""What time does to a certificate: validation, issue, renewal, expiry.

The world changes only with requests, and the clock moves in jumps. So what is true now was true
since the last request, and each thing is made to happen at its own moment in between: a year's
jump renews a certificate twice, on the days on which AWS would have.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from kmscourse.cloud.acm import around
from kmscourse.cloud.acm.certificate import Certificate, Renewal, Validation
from kmscourse.cloud.acm.issuing import Authority, algorithm_of, issue, public_authority
from kmscourse.cloud.randomness import Randomness

#: How long ACM tries to validate a request. Source: botocore acm, CertificateDetail Status.
VALIDATION_TIMEOUT = timedelta(hours=72)
#: Public certificates, since 18 February 2026 (395 days before); CA/Browser Forum SC-081.
PUBLIC_VALIDITY = timedelta(days=198)
#: Private certificates: 13 months. Source: ACM User Guide, "Private certificates".
PRIVATE_VALIDITY = timedelta(days=395)


class Lifecycle:
    """Moves certificates on as the simulated time passes."""

    def __init__(self, randomness: Randomness, now: datetime) -> None:
        self._random = randomness
        self._authorities: dict[str, Authority] = {}
        self._seen = self._began = now

    def catch_up(self, certificates: list[Certificate], now: datetime) -> None:
        """Let everything happen that has fallen due since the last call."""
        since, self._seen = self._seen, now
        for certificate in certificates:
            if certificate.status == "PENDING_VALIDATION":
                self._validate(certificate, max(since, certificate.created), now)
            while certificate.status == "ISSUED" and self._grow_older(certificate, since, now):
                pass

    def issue_private(self, certificate: Certificate, now: datetime) -> None:
        """Have a private CA sign a certificate, which then is issued, or else has failed."""
        assert certificate.authority_arn is not None
        authority = around.private_authority(certificate.authority_arn)
        if isinstance(authority, str):
            certificate.status, certificate.failure = "FAILED", authority
        elif authority.certificate.not_valid_after_utc < now + PRIVATE_VALIDITY:
            certificate.status, certificate.failure = "FAILED", "PCA_INVALID_DURATION"
        elif _family(algorithm_of(authority.key.public_key())) != _family(certificate.algorithm):
            certificate.status, certificate.failure = "FAILED", "PCA_INVALID_ARGS"
        else:
            self._sign(certificate, authority, now, PRIVATE_VALIDITY)

    def renew(self, certificate: Certificate, now: datetime) -> bool:
        """Renew a certificate, if its names can be validated and its CA signs."""
        if certificate.type == "PRIVATE":
            assert certificate.authority_arn is not None
            authority = around.private_authority(certificate.authority_arn)
            valid = (
                isinstance(authority, Authority)
                and authority.certificate.not_valid_after_utc >= now + PRIVATE_VALIDITY
            )
            if valid and isinstance(authority, Authority):
                self._sign(certificate, authority, now, PRIVATE_VALIDITY)
            names = []
        else:
            names = [
                replace(each, status="SUCCESS" if _proved(each) else "PENDING_VALIDATION")
                for each in certificate.validations
            ]
            valid = all(each.status == "SUCCESS" for each in names)
            if valid:
                self._sign(certificate, self._public(certificate), now, PUBLIC_VALIDITY)
        status = "SUCCESS" if valid else "PENDING_VALIDATION"
        if certificate.renewal is None or certificate.renewal.status != status or valid:
            certificate.renewal = Renewal(status, now, names)
        if valid:
            certificate.exported = None  # to be renewed again it has to be exported again
        return valid

    def _validate(self, certificate: Certificate, since: datetime, now: datetime) -> None:
        deadline = certificate.created + VALIDATION_TIMEOUT
        if since <= deadline:
            for each in certificate.validations:
                if _proved(each):
                    each.status = "SUCCESS"
            if all(each.status == "SUCCESS" for each in certificate.validations):
                self._sign(certificate, self._public(certificate), since, PUBLIC_VALIDITY)
                around.show_to_moto(certificate)
                return
        if now > deadline:
            certificate.status = "VALIDATION_TIMED_OUT"
            for each in certificate.validations:
                each.status = "SUCCESS" if each.status == "SUCCESS" else "FAILED"

    def _grow_older(self, certificate: Certificate, since: datetime, now: datetime) -> bool:
        """Renew or end an issued certificate; whether there may be more to do."""
        due = max(certificate.renewed_from, since)
        if certificate.type != "IMPORTED" and due <= now and due < certificate.not_after:
            in_use = bool(around.in_use_by(certificate))
            if certificate.eligible(in_use) and self.renew(certificate, due):
                return True
        if now >= certificate.not_after:
            certificate.status = "EXPIRED"
            if certificate.renewal and certificate.renewal.status != "SUCCESS":
                certificate.renewal = replace(
                    certificate.renewal, status="FAILED", updated=certificate.not_after
                )
        return False

    def _sign(
        self, certificate: Certificate, authority: Authority, now: datetime, validity: timedelta
    ) -> None:
        begin = now.replace(microsecond=0)
        serial = int.from_bytes(self._random.bytes(16), "big") >> 1 | 1
        certificate.issued = issue(
            authority, certificate.names, certificate.algorithm, serial, begin, begin + validity
        )
        certificate.issued_at, certificate.status = begin, "ISSUED"

    def _public(self, certificate: Certificate) -> Authority:
        family = _family(certificate.algorithm)
        if family not in self._authorities:
            self._authorities[family] = public_authority(family, self._began)
        return self._authorities[family]


def _proved(validation: Validation) -> bool:
    return validation.record is not None and around.in_dns(validation.record)


def _family(algorithm: str) -> str:
    return algorithm.partition("_")[0]
