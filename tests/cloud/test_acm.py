"""ACM from outside: request, validate, issue, renew, export, on the simulated clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from kmscourse import cloud, tls
from tests.cloud.conftest import code_of, message_of

DOMAIN = "records.clinic.example"


@pytest.fixture
def acm(aws: cloud.Cloud) -> Any:
    return boto3.client("acm")


@pytest.fixture
def zone(aws: cloud.Cloud) -> str:
    made = boto3.client("route53").create_hosted_zone(Name="clinic.example", CallerReference="1")
    return str(made["HostedZone"]["Id"])


def request(acm: Any, domain: str = DOMAIN, **more: Any) -> str:
    """A certificate requested with DNS validation and, as it is quicker, a key on a curve."""
    parameters = {"ValidationMethod": "DNS", "KeyAlgorithm": "EC_prime256v1", **more}
    return str(acm.request_certificate(DomainName=domain, **parameters)["CertificateArn"])


def describe(acm: Any, arn: str) -> dict[str, Any]:
    certificate: dict[str, Any] = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    return certificate


def change(acm: Any, zone: str, arn: str, action: str = "UPSERT") -> None:
    """Put the records that ACM asks for into DNS, or take them out."""
    for option in describe(acm, arn)["DomainValidationOptions"]:
        record = option["ResourceRecord"]
        records = {
            "Name": record["Name"],
            "Type": record["Type"],
            "TTL": 300,
            "ResourceRecords": [{"Value": record["Value"]}],
        }
        boto3.client("route53").change_resource_record_sets(
            HostedZoneId=zone,
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": records}]},
        )


def attach(arn: str) -> tuple[Any, str]:
    """A load balancer that uses a certificate: the client, and the listener's ARN."""
    ec2, elb = boto3.client("ec2"), boto3.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    balancer = elb.create_load_balancer(Name="front", Type="network", Subnets=[subnet])
    balancer_arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    listener = elb.create_listener(
        LoadBalancerArn=balancer_arn,
        Protocol="TLS",
        Port=443,
        Certificates=[{"CertificateArn": arn}],
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )
    return elb, str(listener["Listeners"][0]["ListenerArn"])


def chain_of(acm: Any, arn: str) -> list[x509.Certificate]:
    got = acm.get_certificate(CertificateArn=arn)
    return x509.load_pem_x509_certificates(
        (got["Certificate"] + got.get("CertificateChain", "")).encode()
    )


def verify(chain: list[x509.Certificate], name: str, when: datetime) -> None:
    """As a client of the web would: the last of the chain is trusted, the first is shown."""
    verifier = PolicyBuilder().store(Store([chain[-1]])).time(when)
    verifier.build_server_verifier(x509.DNSName(name)).verify(chain[0], chain[1:-1])


def private_ca(years: int = 10) -> str:
    """A private CA of the account, its own certificate installed, as AWS's guide does it."""
    pca = boto3.client("acm-pca")
    arn = pca.create_certificate_authority(
        CertificateAuthorityConfiguration={
            "KeyAlgorithm": "RSA_2048",
            "SigningAlgorithm": "SHA256WITHRSA",
            "Subject": {"Organization": "Clinic", "CommonName": "Clinic Private CA"},
        },
        CertificateAuthorityType="ROOT",
    )["CertificateAuthorityArn"]
    csr = pca.get_certificate_authority_csr(CertificateAuthorityArn=arn)["Csr"]
    own = pca.issue_certificate(
        CertificateAuthorityArn=arn,
        Csr=csr.encode(),
        SigningAlgorithm="SHA256WITHRSA",
        TemplateArn="arn:aws:acm-pca:::template/RootCACertificate/V1",
        Validity={"Type": "YEARS", "Value": years},
    )["CertificateArn"]
    got = pca.get_certificate(CertificateAuthorityArn=arn, CertificateArn=own)
    pca.import_certificate_authority_certificate(
        CertificateAuthorityArn=arn, Certificate=got["Certificate"].encode()
    )
    return str(arn)


# ---------------------------------------------------------------- request and validation


def test_pending_until_the_record_is_in_dns(acm: Any, zone: str) -> None:
    arn = request(acm, SubjectAlternativeNames=["*.clinic.example", "clinic.example"])
    pending = describe(acm, arn)
    assert pending["Status"] == "PENDING_VALIDATION"
    assert {o["ValidationStatus"] for o in pending["DomainValidationOptions"]} == {
        "PENDING_VALIDATION"
    }
    assert "NotAfter" not in pending
    with pytest.raises(ClientError) as early:
        acm.get_certificate(CertificateArn=arn)
    assert code_of(early) == "RequestInProgressException"

    change(acm, zone, arn)
    issued = describe(acm, arn)
    assert issued["Status"] == "ISSUED"
    assert issued["Type"] == "AMAZON_ISSUED"
    assert issued["Issuer"] == "Amazon"
    assert {o["ValidationStatus"] for o in issued["DomainValidationOptions"]} == {"SUCCESS"}
    assert issued["NotAfter"] - issued["NotBefore"] == timedelta(days=198)


def test_a_wildcard_has_the_record_of_its_domain_and_asking_again_gives_the_same(
    acm: Any, zone: str
) -> None:
    names = ["clinic.example", "*.clinic.example", DOMAIN]
    arn = request(acm, names[0], SubjectAlternativeNames=names[1:])
    bare, wild, other = (o["ResourceRecord"] for o in describe(acm, arn)["DomainValidationOptions"])
    assert bare == wild != other
    assert bare["Name"].endswith(".clinic.example.")
    assert bare["Value"].endswith(".acm-validations.aws.")
    change(acm, zone, arn)
    assert describe(acm, request(acm, names[0]))["Status"] == "ISSUED"


@pytest.mark.parametrize("wrong", ["value", "type", "one missing"])
def test_a_wrong_record_proves_nothing(acm: Any, zone: str, wrong: str) -> None:
    arn = request(acm, SubjectAlternativeNames=["www.clinic.example"])
    first = describe(acm, arn)["DomainValidationOptions"][0]["ResourceRecord"]
    value = "other.acm-validations.aws." if wrong == "value" else first["Value"]
    records = {
        "Name": first["Name"],
        "Type": "TXT" if wrong == "type" else "CNAME",
        "TTL": 300,
        "ResourceRecords": [{"Value": f'"{value}"' if wrong == "type" else value}],
    }
    boto3.client("route53").change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": records}]},
    )
    after = describe(acm, arn)
    assert after["Status"] == "PENDING_VALIDATION"
    proved = [o["ValidationStatus"] for o in after["DomainValidationOptions"]]
    assert proved.count("SUCCESS") == (wrong == "one missing")


def test_validation_times_out_after_72_hours(aws: cloud.Cloud, acm: Any, zone: str) -> None:
    late, by_mail = request(acm), request(acm, "other.clinic.example", ValidationMethod="EMAIL")
    assert len(describe(acm, by_mail)["DomainValidationOptions"][0]["ValidationEmails"]) == 5
    aws.clock.advance(hours=71)
    assert describe(acm, late)["Status"] == "PENDING_VALIDATION"
    aws.clock.advance(hours=2)
    change(acm, zone, late)
    for arn in (late, by_mail):
        assert describe(acm, arn)["Status"] == "VALIDATION_TIMED_OUT"


def test_issued_when_the_record_came_not_when_the_clock_jumped(
    aws: cloud.Cloud, acm: Any, zone: str
) -> None:
    arn = request(acm)
    change(acm, zone, arn)
    before = aws.clock.now()
    aws.clock.advance(days=100)
    assert describe(acm, arn)["IssuedAt"] <= before


# ---------------------------------------------------------------- what is issued


@pytest.mark.parametrize(
    ("algorithm", "signature"),
    [("RSA_2048", "SHA256WITHRSA"), ("EC_secp384r1", "SHA256WITHECDSA")],
)
def test_what_is_issued_is_x509_that_verifies(
    aws: cloud.Cloud, acm: Any, zone: str, algorithm: str, signature: str
) -> None:
    arn = request(acm, KeyAlgorithm=algorithm)
    change(acm, zone, arn)
    shown, chain = describe(acm, arn), chain_of(acm, arn)
    verify(chain, DOMAIN, aws.clock.now())
    with pytest.raises(VerificationError):
        verify(chain, f"x.{DOMAIN}", aws.clock.now())
    with pytest.raises(VerificationError):
        verify(chain, DOMAIN, shown["NotAfter"] + timedelta(seconds=1))
    assert (shown["KeyAlgorithm"], shown["SignatureAlgorithm"]) == (algorithm, signature)
    assert shown["NotAfter"] == chain[0].not_valid_after_utc
    assert int(shown["Serial"].replace(":", ""), 16) == chain[0].serial_number
    assert {"Name": "DIGITAL_SIGNATURE"} in shown["KeyUsages"]
    assert shown["ExtendedKeyUsages"][0]["Name"] == "TLS_WEB_SERVER_AUTHENTICATION"


# ---------------------------------------------------------------- renewal


def test_in_use_it_is_renewed_45_days_before_the_end(aws: cloud.Cloud, acm: Any, zone: str) -> None:
    arn = request(acm)
    change(acm, zone, arn)
    elb, listener = attach(arn)
    first = describe(acm, arn)
    assert first["InUseBy"][0].startswith("arn:aws:elasticloadbalancing:")
    assert first["RenewalEligibility"] == "ELIGIBLE"
    with pytest.raises(ClientError) as in_use:
        acm.delete_certificate(CertificateArn=arn)
    assert code_of(in_use) == "ResourceInUseException"

    aws.clock.advance(days=152)
    assert describe(acm, arn)["Serial"] == first["Serial"]
    aws.clock.advance(days=2)
    renewed = describe(acm, arn)
    assert renewed["CertificateArn"] == arn
    assert renewed["Serial"] != first["Serial"]
    assert renewed["RenewalSummary"]["RenewalStatus"] == "SUCCESS"
    assert renewed["NotAfter"] - renewed["NotBefore"] == timedelta(days=198)
    assert renewed["NotBefore"] == first["NotAfter"] - timedelta(days=45)
    verify(chain_of(acm, arn), DOMAIN, aws.clock.now())

    aws.clock.advance(days=365)  # a jump: renewed on each of its days in between
    later = describe(acm, arn)
    assert later["Status"] == "ISSUED"
    assert (later["NotAfter"] - first["NotAfter"]).days == 3 * 153
    elb.delete_listener(ListenerArn=listener)
    acm.delete_certificate(CertificateArn=arn)


def test_in_nobodys_use_it_expires(aws: cloud.Cloud, acm: Any, zone: str) -> None:
    arn = request(acm)
    change(acm, zone, arn)
    assert describe(acm, arn)["RenewalEligibility"] == "INELIGIBLE"
    aws.clock.advance(days=199)
    assert describe(acm, arn)["Status"] == "EXPIRED"


def test_without_its_record_renewal_waits_and_then_fails(
    aws: cloud.Cloud, acm: Any, zone: str
) -> None:
    arn = request(acm)
    change(acm, zone, arn)
    attach(arn)
    change(acm, zone, arn, "DELETE")
    aws.clock.advance(days=160)
    waiting = describe(acm, arn)
    assert waiting["Status"] == "ISSUED"
    assert waiting["RenewalSummary"]["RenewalStatus"] == "PENDING_VALIDATION"
    renewal = waiting["RenewalSummary"]["DomainValidationOptions"][0]
    assert renewal["ValidationStatus"] == "PENDING_VALIDATION"
    aws.clock.advance(days=39)
    ended = describe(acm, arn)
    assert ended["Status"] == "EXPIRED"
    assert ended["RenewalSummary"]["RenewalStatus"] == "FAILED"


def test_a_record_put_back_in_time_saves_it(aws: cloud.Cloud, acm: Any, zone: str) -> None:
    arn = request(acm)
    change(acm, zone, arn)
    attach(arn)
    change(acm, zone, arn, "DELETE")
    aws.clock.advance(days=190)
    change(acm, zone, arn)
    saved = describe(acm, arn)
    assert saved["RenewalSummary"]["RenewalStatus"] == "SUCCESS"
    assert saved["NotBefore"] <= aws.clock.now() < saved["NotAfter"]
    assert (aws.clock.now() - saved["NotBefore"]) < timedelta(minutes=5)


# ---------------------------------------------------------------- export


def test_the_private_key_of_a_public_certificate_stays_in_acm(acm: Any, zone: str) -> None:
    arn = request(acm)
    change(acm, zone, arn)
    with pytest.raises(ClientError) as refused:
        acm.export_certificate(CertificateArn=arn, Passphrase=b"correct horse")
    assert code_of(refused) == "ValidationException"
    assert message_of(refused) == f"Certificate ARN: {arn} is not a private certificate"
    with pytest.raises(ClientError) as later:
        acm.update_certificate_options(CertificateArn=arn, Options={"Export": "ENABLED"})
    assert code_of(later) == "ValidationException"


def test_an_exportable_public_certificate_leaves_under_a_passphrase(
    aws: cloud.Cloud, acm: Any, zone: str
) -> None:
    arn = request(acm, Options={"Export": "ENABLED"})
    with pytest.raises(ClientError) as early:
        acm.export_certificate(CertificateArn=arn, Passphrase=b"correct horse")
    assert code_of(early) == "RequestInProgressException"
    change(acm, zone, arn)
    for passphrase in (b"abc", b"with # in it"):
        with pytest.raises(ClientError) as weak:
            acm.export_certificate(CertificateArn=arn, Passphrase=passphrase)
        assert code_of(weak) == "ValidationException"
    exported = acm.export_certificate(CertificateArn=arn, Passphrase=b"correct horse")
    assert exported["PrivateKey"].startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    with pytest.raises(ValueError, match=r"(?i)password|decrypt"):
        load_pem_private_key(exported["PrivateKey"].encode(), b"wrong horse")
    key = load_pem_private_key(exported["PrivateKey"].encode(), b"correct horse")
    leaf = x509.load_pem_x509_certificate(exported["Certificate"].encode())
    assert key.public_key() == leaf.public_key()

    told = repr(aws.trail.events("ExportCertificate"))
    assert "ENCRYPTED PRIVATE KEY" not in str(aws.trail.events("ExportCertificate")[-1])
    assert "correct horse" not in told

    # Exported once, it is renewed once; to be renewed again it has to be exported again.
    assert describe(acm, arn)["RenewalEligibility"] == "ELIGIBLE"
    aws.clock.advance(days=160)
    assert describe(acm, arn)["RenewalSummary"]["RenewalStatus"] == "SUCCESS"
    assert describe(acm, arn)["RenewalEligibility"] == "INELIGIBLE"


def test_only_what_was_exported_can_be_revoked(acm: Any, zone: str) -> None:
    arn = request(acm, Options={"Export": "ENABLED"})
    change(acm, zone, arn)
    with pytest.raises(ClientError) as never:
        acm.revoke_certificate(CertificateArn=arn, RevocationReason="KEY_COMPROMISE")
    assert code_of(never) == "ValidationException"
    acm.export_certificate(CertificateArn=arn, Passphrase=b"correct horse")
    acm.revoke_certificate(CertificateArn=arn, RevocationReason="KEY_COMPROMISE")
    revoked = describe(acm, arn)
    assert (revoked["Status"], revoked["RevocationReason"]) == ("REVOKED", "KEY_COMPROMISE")


# ---------------------------------------------------------------- private CA


def test_a_private_ca_issues_at_once_for_13_months_and_the_key_may_leave(
    aws: cloud.Cloud, acm: Any
) -> None:
    authority = private_ca()
    arn = acm.request_certificate(DomainName="db.internal", CertificateAuthorityArn=authority)[
        "CertificateArn"
    ]
    shown = describe(acm, arn)
    assert (shown["Status"], shown["Type"]) == ("ISSUED", "PRIVATE")
    assert shown["NotAfter"] - shown["NotBefore"] == timedelta(days=395)
    assert "DomainValidationOptions" not in shown
    chain = chain_of(acm, arn)
    chain[0].verify_directly_issued_by(chain[1])
    assert "Clinic Private CA" in chain[1].subject.rfc4514_string()

    exported = acm.export_certificate(CertificateArn=arn, Passphrase=b"correct horse")
    key = load_pem_private_key(exported["PrivateKey"].encode(), b"correct horse")
    assert key.public_key() == chain[0].public_key()
    acm.renew_certificate(CertificateArn=arn)
    assert describe(acm, arn)["Serial"] != shown["Serial"]
    with pytest.raises(ClientError) as again:
        acm.renew_certificate(CertificateArn=arn)
    assert code_of(again) == "ValidationException"


def test_a_private_ca_that_ends_too_soon_or_does_not_exist_issues_nothing(
    aws: cloud.Cloud, acm: Any
) -> None:
    short = private_ca(years=1)
    for authority, reason in (
        (short, "PCA_INVALID_DURATION"),
        (short[:-1] + ("0" if short[-1] != "0" else "1"), "PCA_RESOURCE_NOT_FOUND"),
    ):
        arn = acm.request_certificate(DomainName="db.internal", CertificateAuthorityArn=authority)[
            "CertificateArn"
        ]
        shown = describe(acm, arn)
        assert (shown["Status"], shown["FailureReason"]) == ("FAILED", reason)


# ---------------------------------------------------------------- import


def test_an_imported_certificate_is_checked_and_never_renewed(aws: cloud.Cloud, acm: Any) -> None:
    ca = tls.CertificateAuthority("Other CA")
    one, other = ca.issue(DOMAIN), ca.issue(DOMAIN)
    with pytest.raises(ClientError) as mixed:
        acm.import_certificate(Certificate=one.pem, PrivateKey=other.private_key_pem)
    assert "does not match" in message_of(mixed)
    arn = acm.import_certificate(
        Certificate=one.pem, PrivateKey=one.private_key_pem, CertificateChain=ca.pem
    )["CertificateArn"]
    shown = describe(acm, arn)
    assert (shown["Type"], shown["RenewalEligibility"]) == ("IMPORTED", "INELIGIBLE")
    with pytest.raises(ClientError) as refused:
        acm.export_certificate(CertificateArn=arn, Passphrase=b"correct horse")
    assert code_of(refused) == "ValidationException"
    aws.clock.advance(days=91)
    assert describe(acm, arn)["Status"] == "EXPIRED"
    with pytest.raises(ClientError) as expired:
        acm.import_certificate(Certificate=one.pem, PrivateKey=one.private_key_pem)
    assert "expired" in message_of(expired)


def test_a_certificate_of_acm_serves_in_a_real_handshake(
    aws: cloud.Cloud, acm: Any, zone: str
) -> None:
    """What an exportable certificate is for: a server that is not AWS's."""
    arn = request(acm, Options={"Export": "ENABLED"})
    change(acm, zone, arn)
    exported = acm.export_certificate(CertificateArn=arn, Passphrase=b"correct horse")
    key: Any = load_pem_private_key(exported["PrivateKey"].encode(), b"correct horse")
    chain = x509.load_pem_x509_certificates(
        (exported["Certificate"] + exported["CertificateChain"]).encode()
    )
    server = tls.Server(tls.Certificate(chain[0], key, tuple(chain[1:-1])))
    root = chain[-1].public_bytes(Encoding.PEM)
    assert tls.converse(client=tls.Client(DOMAIN, trust=root), server=server).completed
    stranger = tls.Client("www.clinic.example", trust=root)
    assert not tls.converse(client=stranger, server=server).completed


# ---------------------------------------------------------------- the rest of the API


def test_list_shows_rsa_2048_unless_asked_for_more(acm: Any, zone: str) -> None:
    curve, rsa = request(acm), request(acm, "rsa.clinic.example", KeyAlgorithm="RSA_2048")
    listed = acm.list_certificates()["CertificateSummaryList"]
    assert [each["CertificateArn"] for each in listed] == [rsa]
    both = {"keyTypes": ["RSA_2048", "EC_prime256v1"]}
    pages = acm.get_paginator("list_certificates").paginate(
        Includes=both, PaginationConfig={"PageSize": 1}
    )
    found = [each["CertificateArn"] for page in pages for each in page["CertificateSummaryList"]]
    assert found == [curve, rsa]
    issued = acm.list_certificates(CertificateStatuses=["ISSUED"], Includes=both)
    assert issued["CertificateSummaryList"] == []


def test_tokens_tags_and_deletion(acm: Any, aws: cloud.Cloud) -> None:
    arn = request(acm, IdempotencyToken="one", Tags=[{"Key": "ward", "Value": "7"}])
    assert request(acm, IdempotencyToken="one") == arn
    aws.clock.advance(hours=1)
    assert request(acm, IdempotencyToken="one") != arn
    acm.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "team", "Value": "a"}])
    acm.remove_tags_from_certificate(
        CertificateArn=arn, Tags=[{"Key": "ward"}, {"Key": "team", "Value": "b"}]
    )
    assert acm.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [
        {"Key": "team", "Value": "a"}
    ]
    acm.delete_certificate(CertificateArn=arn)
    with pytest.raises(ClientError) as gone:
        acm.describe_certificate(CertificateArn=arn)
    assert code_of(gone) == "ResourceNotFoundException"


def test_accounts_and_regions_are_apart(aws: cloud.Cloud, acm: Any) -> None:
    arn = request(acm)
    other = aws.account("222222222222").session("root").client("acm")
    for client in (other, boto3.client("acm", region_name="eu-west-1")):
        with pytest.raises(ClientError):
            client.describe_certificate(CertificateArn=arn)
        assert client.list_certificates()["CertificateSummaryList"] == []


def test_policies_decide_also_by_domain_and_method(aws: cloud.Cloud) -> None:
    junior = aws.session("junior").client("acm")
    with pytest.raises(ClientError) as refused:
        request(junior)
    assert code_of(refused) == "AccessDeniedException"
    assert "acm:RequestCertificate" in message_of(refused)
    boto3.client("iam").put_user_policy(
        UserName="junior",
        PolicyName="dns-only",
        PolicyDocument="""{"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "acm:RequestCertificate", "Resource": "*",
            "Condition": {"StringEquals": {"acm:ValidationMethod": "DNS"},
            "ForAllValues:StringLike": {"acm:DomainNames": ["*.clinic.example"]}}}]}""",
    )
    arn = request(junior)
    for wrong in (
        {"ValidationMethod": "EMAIL"},
        {"SubjectAlternativeNames": ["bank.example"]},
    ):
        with pytest.raises(ClientError) as outside:
            request(junior, **wrong)
        assert code_of(outside) == "AccessDeniedException"
    with pytest.raises(ClientError):
        junior.export_certificate(CertificateArn=arn, Passphrase=b"correct horse")
