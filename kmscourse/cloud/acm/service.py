"""The operations of ACM. Source of each: botocore acm and the ACM API reference of its name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kmscourse.cloud.acm import around
from kmscourse.cloud.acm.certificate import DEFAULT_ALGORITHM, Certificate, Record, Validation
from kmscourse.cloud.acm.issuing import Issued, algorithm_of
from kmscourse.cloud.acm.lifecycle import Lifecycle
from kmscourse.cloud.call import Call
from kmscourse.cloud.clock import Clock
from kmscourse.cloud.errors import AWSError
from kmscourse.cloud.permissions import Permission
from kmscourse.cloud.randomness import Randomness

#: The names that a certificate may have before the quota is raised.
_NAMES = 10
#: How long an idempotency token is remembered.
_TOKEN_LIFE = timedelta(hours=1)
#: What a passphrase may not contain. Source: botocore acm, ExportCertificate Passphrase.
_NOT_IN_PASSPHRASE = b"#$%"
_ISSUABLE = ("RSA_2048", "EC_prime256v1", "EC_secp384r1")

Handler = Callable[["ACM", Call], "dict[str, Any] | None"]
_OPERATIONS: dict[str, Handler] = {}


def _operation(handler: Handler) -> Handler:
    """Enter a method into the table of operations, under AWS's name for it."""
    name = "".join(word.capitalize() for word in handler.__name__.split("_"))
    _OPERATIONS[name] = handler
    return handler


class ACM:
    """AWS Certificate Manager of every account and Region of a simulated AWS."""

    def __init__(self, clock: Clock, randomness: Randomness) -> None:
        self._clock, self._random = clock, randomness
        self._certificates: dict[str, Certificate] = {}
        self._records: dict[tuple[str, str], Record] = {}
        self._tokens: dict[tuple[str, str, str, tuple[str, ...]], tuple[str, datetime]] = {}
        self._days_before_expiry: dict[tuple[str, str], int] = {}
        self._lifecycle = Lifecycle(randomness, clock.now())

    def catch_up(self) -> None:
        """Let happen what has fallen due: validations, renewals, ends."""
        self._lifecycle.catch_up(list(self._certificates.values()), self._clock.now())

    def needs(self, call: Call) -> list[Permission]:
        """The permission a call needs: on the certificate, or on all where it names none.

        Source: Service Authorization Reference, AWS Certificate Manager; ACM User Guide, "Use
        condition keys with ACM".
        """
        parameters = call.parameters
        arn = str(parameters.get("CertificateArn", "*"))
        context: dict[str, str | list[str]] = {}
        if call.operation == "RequestCertificate":
            context = _request_context(parameters)
        certificate = self._certificates.get(arn)
        if certificate is not None:
            context |= {f"aws:ResourceTag/{k}": v or "" for k, v in certificate.tags.items()}
        tags = {tag["Key"]: tag.get("Value", "") for tag in parameters.get("Tags", [])}
        context |= {f"aws:RequestTag/{name}": value for name, value in tags.items()}
        if tags:
            context["aws:TagKeys"] = list(tags)
        account = arn.split(":")[4] if arn.count(":") >= 5 else None
        return [Permission(call.action, arn, account=account, context=context)]

    def perform(self, call: Call) -> dict[str, Any]:
        """Carry out a call that was found to be allowed."""
        handler = _OPERATIONS.get(call.operation)
        if handler is None:
            raise AWSError(
                "NotImplementedException", f"The simulated ACM has no {call.operation}.", 501
            )
        return handler(self, call) or {}

    # ------------------------------------------------------------ requesting

    @_operation
    def request_certificate(self, call: Call) -> dict[str, Any]:
        """A certificate for names: public ones are to be validated, private ones issued at once."""
        parameters, now = call.parameters, call.time
        domain = parameters["DomainName"].lower()
        if len(domain) > 64:
            raise AWSError("ValidationException", "The domain name exceeds 64 characters.")
        others = [name.lower() for name in parameters.get("SubjectAlternativeNames", [])]
        names = tuple(dict.fromkeys([domain, *others]))
        if len(names) > _NAMES:
            raise AWSError(
                "LimitExceededException",
                f"The number of domain names exceeds the quota of {_NAMES}.",
            )
        token = (call.account, call.region, parameters.get("IdempotencyToken", ""), names)
        known, asked = self._tokens.get(token, ("", now))
        if token[2] and known in self._certificates and now - asked < _TOKEN_LIFE:
            return {"CertificateArn": known}
        certificate = self._requested(call, domain, names)
        self._certificates[certificate.arn] = certificate
        self._tokens[token] = certificate.arn, now
        if certificate.type == "PRIVATE":
            self._lifecycle.issue_private(certificate, now)
            if certificate.status == "ISSUED":
                around.show_to_moto(certificate)
        _note(call, certificate)
        return {"CertificateArn": certificate.arn}

    def _requested(self, call: Call, domain: str, names: tuple[str, ...]) -> Certificate:
        parameters = call.parameters
        authority = parameters.get("CertificateAuthorityArn")
        algorithm = parameters.get("KeyAlgorithm", DEFAULT_ALGORITHM)
        if algorithm not in _ISSUABLE:
            raise AWSError("ValidationException", f"ACM does not issue {algorithm} certificates.")
        options = {
            "CertificateTransparencyLoggingPreference": "ENABLED",
            "Export": "DISABLED",
            **parameters.get("Options", {}),
        }
        if authority:
            if "Export" in parameters.get("Options", {}):
                raise AWSError(
                    "ValidationException",
                    "One or more of the options specified in the request are not supported for "
                    "PRIVATE certificate types",
                )
            options["Export"] = "ENABLED"
        method = parameters.get("ValidationMethod", "EMAIL")
        return Certificate(
            arn=f"arn:aws:acm:{call.region}:{call.account}:certificate/{self._random.uuid()}",
            account=call.account,
            region=call.region,
            domain=domain,
            names=names,
            type="PRIVATE" if authority else "AMAZON_ISSUED",
            algorithm=algorithm,
            created=call.time,
            options=options,
            validations=[]
            if authority
            else [
                Validation(n, method, self._record(call.account, n) if method == "DNS" else None)
                for n in names
            ],
            authority_arn=authority,
            tags=_tags(parameters),
            managed_by=parameters.get("ManagedBy"),
        )

    def _record(self, account: str, name: str) -> Record:
        """The CNAME for a domain; a wildcard's is that of the domain itself."""
        base = name.removeprefix("*.")
        if (account, base) not in self._records:
            self._records[account, base] = Record(
                f"_{self._random.hex(32)}.{base}.",
                f"_{self._random.hex(32)}.{self._random.letters(10).lower()}.acm-validations.aws.",
            )
        return self._records[account, base]

    @_operation
    def resend_validation_email(self, call: Call) -> None:
        """Nobody reads the mail here; who asks for it wrongly is told so."""
        certificate = self._named(call)
        validation = next(
            (v for v in certificate.validations if v.domain == call.parameters["Domain"]), None
        )
        if validation is None or not validation.domain.endswith(
            call.parameters["ValidationDomain"]
        ):
            raise AWSError(
                "InvalidDomainValidationOptionsException",
                "The domain is not the certificate's, or the validation domain is not above it.",
            )
        if validation.method != "EMAIL" or certificate.status != "PENDING_VALIDATION":
            raise AWSError(
                "InvalidStateException", "The certificate is not waiting for an answer by email."
            )

    @_operation
    def update_certificate_options(self, call: Call) -> None:
        """From email to DNS validation. Whether a key can be exported is decided once."""
        certificate, options = self._named(call), call.parameters["Options"]
        if options.get("Export", certificate.options["Export"]) != certificate.options["Export"]:
            raise AWSError(
                "ValidationException",
                "You cannot update the value of Export after the certificate is created.",
            )
        if certificate.type != "AMAZON_ISSUED":
            raise AWSError("ValidationException", "Only public certificates have these options.")
        certificate.options |= {k: v for k, v in options.items() if k != "ValidationMethod"}
        if options.get("ValidationMethod") == "DNS":
            for each in certificate.validations:
                each.method, each.record = "DNS", self._record(certificate.account, each.domain)

    # ------------------------------------------------------------ looking

    @_operation
    def describe_certificate(self, call: Call) -> dict[str, Any]:
        certificate = self._named(call)
        return {"Certificate": certificate.describe(around.in_use_by(certificate))}

    @_operation
    def list_certificates(self, call: Call) -> dict[str, Any]:
        """RSA with 2048 bits only, unless other key types are asked for."""
        parameters = call.parameters
        found = [
            certificate.summary(around.in_use_by(certificate))
            for certificate in self._certificates.values()
            if (certificate.account, certificate.region) == (call.account, call.region)
        ]
        statuses = parameters.get("CertificateStatuses")
        found = [
            each
            for each in found
            if (not statuses or each["Status"] in statuses)
            and _included(each, parameters.get("Includes", {}))
        ]
        if parameters.get("SortBy") == "CREATED_AT":
            found.sort(
                key=lambda each: each["CreatedAt"],
                reverse=parameters.get("SortOrder", "DESCENDING") == "DESCENDING",
            )
        token = parameters.get("NextToken", "0")
        if not token.isdigit():
            raise AWSError("ValidationException", "The token is not valid.")
        last = int(token) + parameters.get("MaxItems", 1000)
        page: dict[str, Any] = {"CertificateSummaryList": found[int(token) : last]}
        if last < len(found):
            page["NextToken"] = str(last)
        return page

    @_operation
    def get_certificate(self, call: Call) -> dict[str, Any]:
        """The certificate and its chain, which everybody may see; never the private key."""
        issued = _issued(self._named(call))
        answer = {"Certificate": issued.pem}
        return answer | ({"CertificateChain": issued.chain_pem} if issued.chain else {})

    # ------------------------------------------------------------ keys out and in

    @_operation
    def export_certificate(self, call: Call) -> dict[str, Any]:
        """The certificate with its private key, under a passphrase.

        Private certificates, and public ones that were requested with Options.Export (since
        17 June 2025). All other keys never leave ACM.
        """
        certificate = self._named(call)
        if certificate.type == "IMPORTED" or certificate.options["Export"] != "ENABLED":
            raise AWSError(
                "ValidationException",
                f"Certificate ARN: {certificate.arn} is not a private certificate",
            )
        issued, passphrase = _issued(certificate), call.parameters["Passphrase"]
        if not passphrase.isascii() or any(each in _NOT_IN_PASSPHRASE for each in passphrase):
            raise AWSError(
                "ValidationException",
                "The passphrase can have any ASCII character except #, $, or %.",
            )
        certificate.exported, certificate.ever_exported = call.time, True
        return {
            "Certificate": issued.pem,
            "CertificateChain": issued.chain_pem,
            "PrivateKey": issued.encrypted_key(passphrase),
        }

    @_operation
    def import_certificate(self, call: Call) -> dict[str, Any]:
        """Take in a certificate made elsewhere. ACM does not renew it."""
        parameters = call.parameters
        issued = _read(parameters, call.time)
        names = _names(issued.certificate)
        arn = parameters.get("CertificateArn")
        if arn:
            certificate = self._named(call)
            if certificate.type != "IMPORTED":
                raise AWSError("ValidationException", f"{arn} was not imported.")
        else:
            certificate = Certificate(
                arn=f"arn:aws:acm:{call.region}:{call.account}:certificate/{self._random.uuid()}",
                account=call.account,
                region=call.region,
                domain=names[0] if names else "",
                names=names,
                type="IMPORTED",
                algorithm="",
                created=call.time,
                options={
                    "CertificateTransparencyLoggingPreference": "DISABLED",
                    "Export": "DISABLED",
                },
                tags=_tags(parameters),
            )
            self._certificates[certificate.arn] = certificate
        certificate.issued, certificate.issued_at = issued, call.time
        certificate.names, certificate.domain = names, names[0] if names else ""
        certificate.algorithm = algorithm_of(issued.certificate.public_key())
        certificate.status = "ISSUED"
        around.show_to_moto(certificate)
        _note(call, certificate)
        return {"CertificateArn": certificate.arn}

    # ------------------------------------------------------------ renewing and ending

    @_operation
    def renew_certificate(self, call: Call) -> None:
        """Renew now what would be renewed later: private certificates that were exported."""
        certificate = self._named(call)
        _issued(certificate)
        if certificate.exported is None or certificate.status != "ISSUED":
            raise AWSError(
                "ValidationException",
                f"Certificate {certificate.arn} is not eligible for renewal.",
            )
        self._lifecycle.renew(certificate, call.time)

    @_operation
    def revoke_certificate(self, call: Call) -> dict[str, Any]:
        """Take back a public certificate that was exported, for good."""
        certificate = self._named(call)
        if certificate.type != "AMAZON_ISSUED" or not certificate.ever_exported:
            raise AWSError(
                "ValidationException",
                "You can only revoke certificates that have been previously exported.",
            )
        self._refuse_in_use(certificate)
        if certificate.status == "REVOKED":
            raise AWSError("ConflictException", "The certificate is revoked already.")
        certificate.status = "REVOKED"
        certificate.revoked = call.time, call.parameters["RevocationReason"]
        around.hide_from_moto(certificate)
        return {"CertificateArn": certificate.arn}

    @_operation
    def delete_certificate(self, call: Call) -> None:
        certificate = self._named(call)
        self._refuse_in_use(certificate)
        around.hide_from_moto(certificate)
        del self._certificates[certificate.arn]

    @staticmethod
    def _refuse_in_use(certificate: Certificate) -> None:
        if around.in_use_by(certificate):
            raise AWSError(
                "ResourceInUseException",
                f"Certificate {certificate.arn} in account {certificate.account} is in use.",
            )

    # ------------------------------------------------------------ tags and the account

    @_operation
    def add_tags_to_certificate(self, call: Call) -> None:
        certificate = self._named(call)
        added = certificate.tags | _tags(call.parameters)
        if len(added) > 50:
            raise AWSError("TooManyTagsException", "A certificate has at most 50 tags.")
        certificate.tags.update(added)

    @_operation
    def remove_tags_from_certificate(self, call: Call) -> None:
        """By name; where a value is given, only if the tag has that value."""
        tags = self._named(call).tags
        for tag in call.parameters["Tags"]:
            if tag["Key"] in tags and tag.get("Value", tags[tag["Key"]]) == tags[tag["Key"]]:
                del tags[tag["Key"]]

    @_operation
    def list_tags_for_certificate(self, call: Call) -> dict[str, Any]:
        tags = self._named(call).tags
        return {
            "Tags": [
                {"Key": name} if value is None else {"Key": name, "Value": value}
                for name, value in tags.items()
            ]
        }

    @_operation
    def get_account_configuration(self, call: Call) -> dict[str, Any]:
        days = self._days_before_expiry.get((call.account, call.region), 45)
        return {"ExpiryEvents": {"DaysBeforeExpiry": days}}

    @_operation
    def put_account_configuration(self, call: Call) -> None:
        """When EventBridge is told of an expiry to come; here nobody listens."""
        days = call.parameters.get("ExpiryEvents", {}).get("DaysBeforeExpiry")
        if days is not None:
            self._days_before_expiry[call.account, call.region] = days

    def _named(self, call: Call) -> Certificate:
        arn = call.parameters["CertificateArn"]
        certificate = self._certificates.get(arn)
        if certificate is None or certificate.region != call.region:
            raise AWSError("ResourceNotFoundException", f"Could not find certificate {arn}.")
        _note(call, certificate)
        return certificate


def _request_context(parameters: dict[str, Any]) -> dict[str, str | list[str]]:
    names = [parameters.get("DomainName", ""), *parameters.get("SubjectAlternativeNames", [])]
    options = parameters.get("Options", {})
    context: dict[str, str | list[str]] = {
        "acm:DomainNames": list(dict.fromkeys(name.lower() for name in names)),
        "acm:KeyAlgorithm": parameters.get("KeyAlgorithm", DEFAULT_ALGORITHM),
        "acm:CertificateTransparencyLogging": options.get(
            "CertificateTransparencyLoggingPreference", "ENABLED"
        ),
    }
    if "CertificateAuthorityArn" in parameters:
        context["acm:CertificateAuthority"] = parameters["CertificateAuthorityArn"]
    else:
        context["acm:ValidationMethod"] = parameters.get("ValidationMethod", "EMAIL")
        context["acm:Export"] = options.get("Export", "DISABLED")
    return context


def _issued(certificate: Certificate) -> Issued:
    if certificate.issued is None:
        if certificate.status == "PENDING_VALIDATION":
            raise AWSError(
                "RequestInProgressException",
                f"Certificate {certificate.arn} is not issued yet: its domains are being "
                "validated.",
            )
        raise AWSError(
            "ResourceNotFoundException", f"Certificate {certificate.arn} was never issued."
        )
    return certificate.issued


def _read(parameters: dict[str, Any], now: datetime) -> Issued:
    """A certificate, key and chain that fit together and are good today."""
    certificate = _parse(parameters["Certificate"], "certificate")[0]
    chain = (
        _parse(parameters["CertificateChain"], "certificate chain")
        if ("CertificateChain" in parameters)
        else []
    )
    try:
        key: Any = load_pem_private_key(parameters["PrivateKey"], password=None)
    except (ValueError, TypeError) as error:
        raise AWSError(
            "ValidationException",
            "The private key is not PEM-encoded, is not valid, or has a passphrase.",
        ) from error
    if key.public_key() != certificate.public_key():
        raise AWSError(
            "ValidationException", "The private key does not match the certificate's public key."
        )
    _check_time(certificate, now)
    return Issued(certificate, key, tuple(chain))


def _parse(pem: bytes, what: Literal["certificate", "certificate chain"]) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise AWSError(
            "ValidationException", f"The {what} is not PEM-encoded or is not valid."
        ) from error
    if what == "certificate" and len(found) != 1:
        raise AWSError(
            "ValidationException",
            "The certificate field contains more than one certificate. You can specify only one "
            "certificate in this field.",
        )
    return found


def _check_time(certificate: x509.Certificate, now: datetime) -> None:
    if now > certificate.not_valid_after_utc:
        raise AWSError("ValidationException", "The certificate has expired, is not valid.")
    if now < certificate.not_valid_before_utc:
        raise AWSError("ValidationException", "The certificate is not in effect yet.")


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        found = []
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return tuple(dict.fromkeys([*(str(each.value) for each in common), *found]))


def _included(summary: dict[str, Any], includes: dict[str, Any]) -> bool:
    return (
        summary["KeyAlgorithm"] in includes.get("keyTypes", [DEFAULT_ALGORITHM])
        and includes.get("exportOption") in (None, summary["ExportOption"])
        and set(includes.get("keyUsage", [])) <= set(summary["KeyUsages"])
        and set(includes.get("extendedKeyUsage", [])) <= set(summary["ExtendedKeyUsages"])
        and includes.get("managedBy") in (None, summary.get("ManagedBy"))
    )


def _tags(parameters: dict[str, Any]) -> dict[str, str | None]:
    return {tag["Key"]: tag.get("Value") for tag in parameters.get("Tags", [])}


def _note(call: Call, certificate: Certificate) -> None:
    """Tell the trail which certificate a call was about."""
    call.noted["resources"] = [
        {
            "accountId": certificate.account,
            "type": "AWS::ACM::Certificate",
            "ARN": certificate.arn,
        }
    ]
