"""What the questions of this lesson claim, played on real handshakes and on the simulator."""

import base64
import hashlib
import json
import os
from datetime import timedelta

import boto3
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kmscourse import tls
from kmscourse.cloud.authorization import Policies, Request, decide
from kmscourse.exam.proofs import Outcome, proof, tried

HOST = "records.clinic.example"
SAID = {
    "request": b"GET /patients/4711 HTTP/1.1\r\nHost: records.clinic.example\r\n"
    b"Cookie: session=secret\r\n\r\n",
    "response": b"HTTP/1.1 200 OK\r\n\r\ndoxycycline 10 mg, twice a day",
}
BUCKET = "arn:aws:s3:::clinic-records"


@proof("flight-verify-off")
def verify_off(aws, case):
    """Someone with a certificate of their own takes the pipe of a client that checks nothing."""
    server = tls.Server(tls.CertificateAuthority("Public CA", key_type="ed25519").issue(HOST))
    client = tls.Client(HOST, verify=False)
    listener = tls.Eavesdropper()
    tls.converse(client=client, server=server, pipe=listener, **SAID)
    overheard = b"doxycycline" in listener
    forger = tls.Interceptor(replace={b"10 mg": b"90 mg"})
    attacked = tls.converse(client=client, server=server, pipe=forger, **SAID)
    read = b"doxycycline 10 mg" in forger
    changed = b"90 mg" in attacked.client.received
    came_true = {
        "pose-as-the-service": read and changed,
        "plaintext": overheard,
        "changed-not-read": changed and not read,
        "nothing": not read and not changed,
    }
    seen = {"read": read, "changed": changed, "overheard by a mere listener": overheard}
    words = ", ".join(f"{'' if so else 'not '}{what}" for what, so in seen.items())
    return Outcome(holds=came_true[case], seen=f"The answer was {words}.")


@proof("flight-missing-intermediate")
def missing_intermediate(aws, case):
    """A server makes the mistake that the option names; a program that knows the root calls it."""
    root = tls.CertificateAuthority("Clinic CA", key_type="ed25519")
    issuing = root.intermediate("Clinic Issuing CA")
    whole, client = issuing.issue(HOST), tls.Client(HOST, trust=root)
    if case == "no-intermediate":
        server = tls.Server(tls.Certificate(whole.certificate, whole.private_key))
    elif case == "no-root":
        server = tls.Server(whole)  # it sends its chain up to the root, and not the root
    elif case == "other-names":
        server = tls.Server(issuing.issue("pharmacy.example"))
    else:
        client = client.but(version="TLS 1.2", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
        server = tls.Server(whole, version="TLS 1.2", ciphers="ECDHE-ECDSA-AES256-GCM-SHA384")
    talk = tls.converse(client=client, server=server, **SAID)
    refusal = talk.refusal
    code = refusal.verify_code if refusal is not None else None
    return Outcome(
        holds=code == 20,  # OpenSSL's code of "unable to get local issuer certificate"
        seen="The program got its answer."
        if refusal is None
        else f"Refused: {refusal.verify_name or talk.summary()}".rstrip(".") + ".",
    )


@proof("flight-what-eavesdroppers-see")
def what_eavesdroppers_see(aws, case):
    """All that passed on the wire is searched for what the option names."""
    ca = tls.CertificateAuthority("Clinic CA", key_type="ed25519")
    certificate = ca.issue(HOST)
    client, server = tls.Client(HOST, trust=ca, version="TLS 1.3"), tls.Server(certificate)

    def heard(answer):
        said = {**SAID, "response": answer}
        return tls.converse(client=client, server=server, pipe=tls.Eavesdropper(), **said).capture

    capture = heard(SAID["response"])
    longer = heard(SAID["response"] + b"x" * 100)

    def size(wire):
        return sum(len(record) for record in wire.records if record.sender == "server")

    grew = size(longer) - size(capture)
    found = {
        "host": capture.client_hello.server_name == HOST,
        "sizes": grew == 100,
        "path": b"/patients/4711" in capture,
        "certificate": certificate.der in capture,
        "cookies": b"session=secret" in capture,
    }
    seen = f"It {'stands' if found[case] else 'does not stand'} readable on the wire."
    if case == "sizes":
        seen = f"An answer that was 100 bytes longer made the records {grew} bytes longer."
    return Outcome(holds=found[case], seen=seen)


def _policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _statement(condition, effect="Deny", resource=(BUCKET, f"{BUCKET}/*")):
    return {
        "Effect": effect,
        "Principal": "*",
        "Action": "s3:*",
        "Resource": list(resource),
        "Condition": condition,
    }


def _nurse(aws):
    """A user whose own IAM policy allows all of Amazon S3: over TLS, and over plain HTTP."""
    session = aws.session("nurse")
    boto3.client("iam").put_user_policy(
        UserName="nurse",
        PolicyName="all-of-s3",
        PolicyDocument=_policy({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}),
    )
    return session.client("s3"), session.client("s3", use_ssl=False)


def _clinic_records():
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="clinic-records")
    s3.put_object(Bucket="clinic-records", Key="4711", Body=b"asthma")
    return s3


def _how(answer):
    return "let in" if answer.ok else f"refused ({answer.code})"


@proof("flight-bucket-refuses-http")
def bucket_refuses_http(aws, case):
    """A user who is allowed all of S3 reads an object, over TLS and over plain HTTP."""
    s3 = _clinic_records()
    if case == "sse-kms":
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
        s3.put_bucket_encryption(
            Bucket="clinic-records", ServerSideEncryptionConfiguration={"Rules": [rule]}
        )
    else:
        effect = "Allow" if case == "allow-true" else "Deny"
        value = "false" if case == "deny-false" else "true"
        statement = _statement({"Bool": {"aws:SecureTransport": value}}, effect)
        statement["Action"] = "s3:GetObject"
        statement["Resource"] = f"{BUCKET}/*"
        if effect == "Allow":  # for everyone it would be public, which the bucket blocks
            statement["Principal"] = {"AWS": "arn:aws:iam::123456789012:root"}
        s3.put_bucket_policy(Bucket="clinic-records", Policy=_policy(statement))
    secure, plain = (
        tried(each.get_object, Bucket="clinic-records", Key="4711") for each in _nurse(aws)
    )
    return Outcome(
        holds=secure.ok and not plain.ok,
        seen=f"Over TLS {_how(secure)}, over plain HTTP {_how(plain)}.",
    )


@proof("flight-two-arns")
def two_arns(aws, case):
    """The bucket is listed over plain HTTP, and what a claim blames is changed."""
    s3 = _clinic_records()
    deny = {"Bool": {"aws:SecureTransport": "false"}}

    def listed(condition=deny, action="s3:*", resource=(f"{BUCKET}/*",)):
        statement = {**_statement(condition, resource=resource), "Action": action}
        s3.put_bucket_policy(Bucket="clinic-records", Policy=_policy(statement))
        return tried(plain.list_objects_v2, Bucket="clinic-records")

    _, plain = _nurse(aws)
    as_it_is = listed()
    with_both = listed(resource=(BUCKET, f"{BUCKET}/*"))
    named = listed(action="s3:ListBucket", resource=(BUCKET,))
    set_in_context = listed({"Null": {"aws:SecureTransport": "false"}}, resource=(BUCKET,))
    came_true = {
        "bucket-arn": as_it_is.ok and not with_both.ok,
        "not-an-action": with_both.ok and not named.ok,
        "iam-alone": named.ok,
        "not-in-context": set_in_context.ok,
    }
    seen = {
        "bucket-arn": f"Listing was {_how(as_it_is)}; with both ARNs, {_how(with_both)}.",
        "not-an-action": f"With both ARNs, s3:* covered listing: {_how(with_both)}.",
        "iam-alone": f"A bucket policy that names s3:ListBucket: {_how(named)}.",
        "not-in-context": f"A deny of listing wherever the key is set: {_how(set_in_context)}.",
    }
    return Outcome(holds=came_true[case], seen=seen[case])


@proof("flight-tls-version")
def tls_version(aws, case):
    """The changed policy decides on plain HTTP, on TLS 1.2 and on TLS 1.3."""
    http, old = (
        {"Bool": {"aws:SecureTransport": "false"}},
        {"NumericLessThan": {"s3:TlsVersion": "1.3"}},
    )
    statements = {
        "two-statements": [_statement(http), _statement(old)],
        "other-order": [_statement({**http, **old})],
        "if-exists": [
            _statement({"NumericLessThanIfExists": {"s3:TlsVersion": "1.3"}, **http}),
        ],
        "allow-true": [_statement({**old, "Bool": {"aws:SecureTransport": "true"}}, "Allow")],
    }[case]
    allowed_elsewhere = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policies = Policies(
        identity=[{"Version": "2012-10-17", "Statement": allowed_elsewhere}],
        resource={"Version": "2012-10-17", "Statement": statements},
    )

    def let_in(**context):
        request = Request(
            "arn:aws:iam::123456789012:user/nurse",
            "s3:GetObject",
            f"{BUCKET}/4711",
            resource_account="123456789012",
            context=context,
        )
        return decide(request, policies).allowed

    answers = {
        "plain HTTP": let_in(**{"aws:SecureTransport": "false"}),
        "TLS 1.2": let_in(**{"aws:SecureTransport": "true", "s3:TlsVersion": "1.2"}),
        "TLS 1.3": let_in(**{"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}),
    }
    came_in = [way for way, allowed in answers.items() if allowed]
    return Outcome(
        holds=came_in == ["TLS 1.3"], seen=f"Let in: {', '.join(came_in) or 'none of them'}."
    )


@proof("flight-sse-is-not-tls")
def sse_is_not_tls(aws, case):
    """An object is sent over plain HTTP with a key in the headers, to a bucket that takes SSE-C."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="clinic-records")
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]},
    }
    s3.put_bucket_encryption(
        Bucket="clinic-records", ServerSideEncryptionConfiguration={"Rules": [rule]}
    )
    where = {"Bucket": "clinic-records", "Key": "4711", "Body": b"asthma"}
    key = os.urandom(32)
    prefix = "x-amz-server-side-encryption-customer-"
    headers = {
        f"{prefix}algorithm": "AES256",
        f"{prefix}key": base64.b64encode(key).decode(),
        f"{prefix}key-MD5": base64.b64encode(hashlib.md5(key).digest()).decode(),
    }

    def send(secure):
        # The headers are put in by hand: boto3 itself refuses to send the key without TLS.
        client = boto3.client("s3", use_ssl=secure)
        client.meta.events.register(
            "before-call.s3.PutObject", lambda params, **_: params["headers"].update(headers)
        )
        return tried(client.put_object, **where)

    over_tls, plain = send(True), send(False)
    stored = s3.list_objects_v2(Bucket="clinic-records").get("KeyCount", 0) - over_tls.ok
    names = plain.answer.get("ServerSideEncryption") if plain.ok else None
    redirected = plain.code in ("PermanentRedirect", "301", "307")
    came_true = {
        "refused": over_tls.ok and not plain.ok and not redirected,
        "stored": plain.ok and names is None,
        "sse-s3": plain.ok and names == "AES256",
        "redirected": redirected,
    }
    return Outcome(
        holds=came_true[case],
        seen=f"Over TLS {_how(over_tls)}; over plain HTTP {_how(plain)}, and "
        f"{'something' if stored else 'nothing'} more was stored.",
    )


@proof("flight-acm-imported")
def acm_imported(aws, case):
    """An imported certificate that is about to expire is treated as proposed."""
    acm = boto3.client("acm")
    ca = tls.CertificateAuthority("Bought CA")

    def parts(days):
        now = aws.clock.now()
        dates = {"not_before": now - timedelta(hours=1), "not_after": now + timedelta(days=days)}
        issued = ca.issue(HOST, **dates)
        return {
            "Certificate": issued.pem,
            "PrivateKey": issued.private_key_pem,
            "CertificateChain": ca.pem,
        }

    arn = acm.import_certificate(**parts(90))["CertificateArn"]
    expires = acm.describe_certificate(CertificateArn=arn)["Certificate"]["NotAfter"]
    done = tried(lambda: None)
    if case == "import-again":
        done = tried(acm.import_certificate, CertificateArn=arn, **parts(400))
    elif case == "renew-certificate":
        done = tried(acm.renew_certificate, CertificateArn=arn)
    elif case == "rotate-key":
        key = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
        done = tried(boto3.client("kms").rotate_key_on_demand, KeyId=key)
    else:
        _in_use(arn)  # ACM renews only what is in use
        _in_dns(arn, {"Name": f"_validation.{HOST}", "Value": "validations.aws"})
    aws.clock.advance(days=100)
    now = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    valid = now["NotAfter"] > aws.clock.now()
    call = f" The call was refused ({done.code})." if not done.ok else ""
    return Outcome(
        holds=done.ok and valid and now["NotAfter"] > expires,
        seen=f"After the old date the certificate under the same ARN is "
        f"{'valid' if valid else 'expired'}.{call}",
    )


@proof("flight-acm-export")
def acm_export(aws, case):
    """The private key of a public certificate is looked for, in the way proposed."""
    acm = boto3.client("acm")
    arn = acm.request_certificate(DomainName=HOST, ValidationMethod="DNS")["CertificateArn"]
    _validate(acm, arn)
    options = {"Export": "ENABLED"}
    if case == "get-certificate":
        asked = tried(acm.get_certificate, CertificateArn=arn)
        key = (asked.answer or {}).get("PrivateKey")
        return Outcome(holds=bool(key), seen=f"GetCertificate gave {_keys(asked)}.")
    if case == "change-options":
        changed = tried(acm.update_certificate_options, CertificateArn=arn, Options=options)
        asked = tried(acm.export_certificate, CertificateArn=arn, Passphrase=b"in the cellar")
        return Outcome(
            holds=asked.ok,
            seen=f"The change of options was {_how(changed)}, the export {_how(asked)}.",
        )
    if case == "request-anew":
        arn = acm.request_certificate(DomainName=HOST, ValidationMethod="DNS", Options=options)[
            "CertificateArn"
        ]
        _validate(acm, arn)
    asked = tried(acm.export_certificate, CertificateArn=arn, Passphrase=b"in the cellar")
    if not asked.ok:
        return Outcome(holds=asked.ok, seen=f"ExportCertificate was {_how(asked)}.")
    key = load_pem_private_key(asked.answer["PrivateKey"].encode(), b"in the cellar")
    leaf = x509.load_pem_x509_certificate(asked.answer["Certificate"].encode())
    fits = key.public_key() == leaf.public_key()
    kind = "an elliptic curve" if isinstance(key, ec.EllipticCurvePrivateKey) else "an RSA"
    return Outcome(
        holds=fits,
        seen=f"ExportCertificate gave {kind} key that {'fits' if fits else 'does not fit'} it.",
    )


def _keys(asked):
    return " and ".join(k for k in (asked.answer or {}) if k != "ResponseMetadata") or asked.code


def _validate(acm, arn):
    """Show ACM, in DNS, that the domain is ours."""
    described = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    _in_dns(arn, described["DomainValidationOptions"][0]["ResourceRecord"])


def _in_dns(reference, shown):
    """A CNAME record of the clinic's domain."""
    dns = boto3.client("route53")
    zone = dns.create_hosted_zone(Name="clinic.example", CallerReference=reference)["HostedZone"]
    record = {"Name": shown["Name"], "Type": "CNAME", "TTL": 300}
    record["ResourceRecords"] = [{"Value": shown["Value"]}]
    changes = [{"Action": "UPSERT", "ResourceRecordSet": record}]
    dns.change_resource_record_sets(HostedZoneId=zone["Id"], ChangeBatch={"Changes": changes})


def _in_use(arn):
    """A load balancer that shows the certificate."""
    elb, ec2 = boto3.client("elbv2"), boto3.client("ec2")
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    balancer = elb.create_load_balancer(Name="clinic", Subnets=subnets)["LoadBalancers"][0]
    reply = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": arn}],
        DefaultActions=[reply],
    )
