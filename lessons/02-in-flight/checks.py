"""The tasks of lab 02: what each asks, how it is checked, and what helps."""

import json
import os
import ssl
from datetime import UTC, datetime, timedelta

import boto3
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kmscourse import tls
from kmscourse.cloud.authorization import Policies, Request, decide
from kmscourse.lab import Wrong, flipped, task
from kmscourse.lab.work import NotThereYet
from kmscourse.tls.keyschedule import hkdf_expand_label

REQUEST = b"GET /patients/4711 HTTP/1.1\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\n\r\ndoxycycline 10 mg, twice a day"


def _host():
    return f"ward-{os.urandom(3).hex()}.clinic.example"


def _talk(client, certificate, answer=ANSWER, **server):
    return tls.converse(
        client=client,
        server=tls.Server(certificate, **server),
        request=REQUEST,
        response=answer,
        pipe=tls.Eavesdropper(),
    )


_CHAIN = """def build_chain(host):
    root = tls.CertificateAuthority("Clinic Root CA")
    issuing = root.intermediate("Clinic Issuing CA")
    return root, issuing.issue(host)"""


@task(
    "chain",
    practises="02.certificates",
    minutes=4,
    asks="`build_chain(host)`: the root CA and the server's certificate, as a pair",
    hints=[
        "Who signs whom? There are three certificates, and each but the first is signed by the one before.",
        "root = tls.CertificateAuthority(...), then root.intermediate(...) gives the CA below it.",
        'issuing = root.intermediate("Clinic Issuing CA"); return root, issuing.issue(host)',
    ],
    why="The root's key is used once and goes into a safe. If the intermediate's key is stolen, the root "
    "makes a new one, and no client has to learn anything.",
    wrong=[
        Wrong(
            _CHAIN.replace("issuing.issue", "root.issue"),
            says="The root signed the server's certificate itself",
        ),
        Wrong(
            _CHAIN.replace("return root,", "return issuing,"),
            says="The CA that you return is not a root",
        ),
        Wrong(
            _CHAIN.replace("issuing.issue(host)", 'issuing.issue("records.clinic.example")'),
            says="The certificate is not for the name that was asked for",
        ),
        Wrong(
            _CHAIN.replace("return root, issuing.issue(host)", "one = issuing.issue(host)")
            + "\n    return root, tls.Certificate(one.certificate, one.private_key)",
            says="The server does not send the intermediate along",
        ),
        Wrong(
            _CHAIN.replace("return root, issuing.issue(host)", "return issuing.issue(host)"),
            says="Return two things",
        ),
    ],
    also_right=[
        """def build_chain(host):
    top = tls.CertificateAuthority("Top", key_type="ed25519")
    below = tls.CertificateAuthority("Below", key_type="ed25519", parent=top)
    return [top, below.issue(host, "www." + host)]"""
    ],
)
def chain(work):
    host = _host()
    made = work.call(work.function("build_chain"), host)
    work.expect(
        isinstance(made, (tuple, list)) and len(made) == 2,
        "Return two things: the root CA, and the server's certificate.",
    )
    root, certificate = made
    work.expect(
        isinstance(root, tls.CertificateAuthority), "The first should be a CA: the root itself."
    )
    work.expect(
        isinstance(certificate, tls.Certificate),
        "The second should be a certificate, as `.issue(host)` gives it.",
    )
    work.expect(
        root.certificate.issuer == root.certificate.subject,
        "The CA that you return is not a root: another one signed it. Clients know the root only.",
    )
    work.expect(
        certificate.certificate.issuer != root.certificate.subject,
        "The root signed the server's certificate itself. Let an intermediate do it.",
    )
    work.expect(
        certificate.chain,
        "The server does not send the intermediate along: `.chain` of its certificate is empty. A CA "
        "from `root.intermediate(...)` puts itself there.",
    )
    talk = _talk(tls.Client(host, trust=root), certificate)
    refusal = talk.refusal
    work.expect(
        refusal is None or refusal.verify_code != 62,
        f"The certificate is not for the name that was asked for: {host}.",
    )
    work.expect(
        talk.completed and talk.client.received == ANSWER,
        f"A client that trusts your root refuses the server. {refusal.meaning if refusal else ''}",
    )


_BAD = """def what_is_wrong(certificate, host, root):
    talk = tls.converse(client=tls.Client(host, trust=root), server=tls.Server(certificate))
    if talk.completed:
        return "good"
    return {10: "expired", 62: "another name"}.get(talk.refusal.verify_code, "unknown issuer")"""


@task(
    "judge",
    practises="02.verification",
    minutes=5,
    asks="`what_is_wrong(certificate, host, root)`: good, expired, another name or unknown issuer",
    hints=[
        "A client that trusts the root and asks for the host: what does it say to such a server?",
        "tls.Client(host, trust=root) and tls.Server(certificate). If it completes, the certificate is good; "
        "else look at talk.refusal.verify_code.",
        "10 is expired, 62 is another name. Everything else, 18, 19, 20 or 21, is an unknown issuer.",
    ],
    why="Three checks, and all three are needed: who signed, for which name, until when. `verify=False` "
    "switches off all of them at once.",
    wrong=[
        Wrong(
            "def what_is_wrong(certificate, host, root):\n"
            "    if certificate.issuer not in (root.name, 'Issuing CA'):\n"
            "        return 'unknown issuer'\n"
            "    if certificate.certificate.not_valid_after_utc < datetime.now(UTC):\n"
            "        return 'expired'\n"
            "    return 'good' if host in certificate.names else 'another name'",
            says="A name is not a signature",
        ),
        Wrong(
            _BAD.replace(
                "    if talk",
                "    if certificate.names[0] != host:\n        return 'another name'\n    if talk",
            ),
            says="for two names, the right one among them",
        ),
        Wrong(
            _BAD.splitlines()[0]
            + "\n"
            + _BAD.splitlines()[1]
            + '\n    return "good" if talk.completed else "unknown issuer"',
            says="An expired certificate is called",
        ),
        Wrong(
            "def what_is_wrong(certificate, host, root):\n"
            "    client = tls.Client(host, trust=root, check_hostname=False)\n"
            "    talk = tls.converse(client=client, server=tls.Server(certificate))\n"
            "    if talk.completed:\n"
            '        return "good"\n'
            '    return {10: "expired"}.get(talk.refusal.verify_code, "unknown issuer")',
            says="A certificate for another name is called",
        ),
        Wrong(
            _BAD.replace(
                '.get(talk.refusal.verify_code, "unknown issuer")', "[talk.refusal.verify_code]"
            ).replace('"another name"}', '"another name", 20: "unknown issuer"}'),
            says="has a verify code that your function does not know",
        ),
    ],
    also_right=[
        """def what_is_wrong(certificate, host, root):
    signer = root.certificate
    for one in reversed((certificate.certificate, *certificate.chain)):
        try:
            one.verify_directly_issued_by(signer)
        except Exception:
            return "unknown issuer"
        signer = one
    if certificate.certificate.not_valid_after_utc < datetime.now(UTC):
        return "expired"
    return "good" if host in certificate.names else "another name\""""
    ],
)
def judge(work):
    host, said_of = _host(), work.function("what_is_wrong", returns=str)
    root = tls.CertificateAuthority("Clinic Root CA", key_type="ed25519")
    other = tls.CertificateAuthority("Clinic Root CA", key_type="ed25519")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    cases = [
        ("A good certificate", root.issue(host), "good", "."),
        (
            "A good certificate for two names, the right one among them,",
            root.issue(f"www.{host}", host),
            "good",
            ".",
        ),
        (
            "A good certificate that an intermediate of the root signed",
            root.intermediate("Issuing CA").issue(host),
            "good",
            ": its chain leads to the root.",
        ),
        ("An expired certificate", root.issue(host, not_after=yesterday), "expired", "."),
        ("A certificate for another name", root.issue(_host()), "another name", "."),
        ("A self-signed certificate", tls.self_signed(host), "unknown issuer", "."),
        (
            "A certificate whose CA has the same name as the root, and another key,",
            other.issue(host),
            "unknown issuer",
            ". A name is not a signature.",
        ),
    ]
    for what, certificate, verdict, more in cases:
        try:
            said = said_of(certificate, host, root)
        except NotThereYet as stopped:
            if "KeyError" in stopped.message:
                work.fail(
                    f"{what} has a verify code that your function does not know: there are more of them than "
                    "the five show. What is left when neither the date nor the name is wrong?"
                )
            raise
        work.expect(said == verdict, f"{what} is called {work.shown(said)}{more}")


def _may(session, bucket, operation, secure, **parameters):
    s3 = session.client("s3", use_ssl=secure)
    try:
        getattr(s3, operation)(Bucket=bucket, **parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccessDenied":
            return False
        raise
    return True


_HTTP = {"aws:SecureTransport": "false"}
_ON_OBJECTS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:PutObjectTagging")
_ON_THE_BUCKET = ("s3:ListBucket", "s3:GetBucketPolicy", "s3:DeleteBucket")


def _let_in(policy, bucket, context, actions, account="123456789012"):
    """The first of these actions that passes, if everybody is allowed everything; else None."""
    arn = f"arn:aws:s3:::{bucket}"
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    written = policy.get("Statement", [])
    written = written if isinstance(written, list) else [written]
    to_all = {**everything, "Principal": "*", "Resource": [arn, f"{arn}/*"]}
    for action in actions:
        request = Request(
            f"arn:aws:iam::{account}:user/nurse",
            action,
            arn if action in _ON_THE_BUCKET else f"{arn}/record",
            resource_account="123456789012",
            context=context,
        )
        policies = Policies(
            identity=[{"Version": "2012-10-17", "Statement": everything}],
            resource={**policy, "Statement": [*written, to_all]},
        )
        if decide(request, policies).allowed:
            return action
    return None


_POLICY = """def only_tls(bucket):
    arn = f"arn:aws:s3:::{bucket}"
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
    http = {**deny, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    old = {**deny, "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.3"}}}
    return {"Version": "2012-10-17", "Statement": [http, old]}"""


@task(
    "policy",
    practises="02.secure-transport",
    minutes=5,
    asks="`only_tls(bucket)`: a bucket policy, as a dictionary",
    hints=[
        "What wins when one policy allows and another denies? And do the two conditions have to hold together?",
        'Two statements with "Effect": "Deny" and "Principal": "*". A bucket has one ARN, its objects another: '
        "arn:aws:s3:::name and arn:aws:s3:::name/*.",
        '"Condition": {"Bool": {"aws:SecureTransport": "false"}} in the first, "Condition": {"NumericLessThan": '
        '{"s3:TlsVersion": "1.3"}} in the second.',
    ],
    why="A Deny holds against every Allow, whoever gave it. One forgotten `http://` in a script is now an "
    "error instead of a leak.",
    wrong=[
        Wrong(
            _POLICY.replace('"Deny"', '"Allow"').replace('"false"', '"true"'),
            says="Somebody without any permission can read",
        ),
        Wrong(
            _POLICY.replace('[arn, f"{arn}/*"]', 'f"{arn}/*"'),
            says="The bucket can be listed over plain HTTP",
        ),
        Wrong(
            _POLICY.replace(
                'http = {**deny, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}',
                'both = {"Bool": {"aws:SecureTransport": "false"}, '
                '"NumericLessThan": {"s3:TlsVersion": "1.3"}}',
            )
            .replace('    old = {**deny, "Condition": {"NumericLessThan": '
                     '{"s3:TlsVersion": "1.3"}}}\n', "")
            .replace("[http, old]", '[{**deny, "Condition": both}]'),
            says="Conditions in one statement must all hold",
        ),
        Wrong(_POLICY.replace("[http, old]", "[http]"), says="TLS 1.1 is let in"),
        Wrong(_POLICY.replace('"1.3"', '"1.2"'), says="TLS 1.2 is let in"),
        Wrong(
            _POLICY.replace('"s3:*"', '"s3:GetObject"').replace('[arn, f"{arn}/*"]', 'f"{arn}/*"'),
            says="An object can be written over plain HTTP",
        ),
        Wrong(
            _POLICY.replace('"s3:*"', '["s3:GetObject", "s3:PutObject", "s3:ListBucket"]'),
            says="s3:DeleteObject passes over plain HTTP",
        ),
        Wrong(
            _POLICY.replace('"s3:*"', '["s3:*Object*", "s3:ListBucket"]'),
            says="s3:GetBucketPolicy passes over plain HTTP",
        ),
        Wrong(
            _POLICY.replace(
                '"Principal": "*"', '"Principal": {"AWS": f"arn:aws:iam::{aws.account_id}:root"}'
            ),
            says="A user of another account is let in over plain HTTP",
        ),
        Wrong(
            _POLICY.replace('f"arn:aws:s3:::{bucket}"', '"arn:aws:s3:::clinic-records"'),
            says="Your policy is about another bucket",
        ),
    ],
    also_right=[
        """def only_tls(bucket):
    both = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    conditions = [{"Bool": {"aws:SecureTransport": False}},
                  {"NumericLessThanEquals": {"s3:TlsVersion": 1.2}}]
    return {"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": ["s3:*"], "Resource": both,
         "Condition": condition} for condition in conditions]}"""
    ],
)  # fmt: skip
def policy(work):
    aws = work.value("aws")
    bucket = f"records-{os.urandom(6).hex()}"
    written = work.call(work.function("only_tls"), bucket)
    work.expect(
        isinstance(written, dict), "Return the policy as a dictionary; json.dumps is done for you."
    )
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="record", Body=ANSWER)
    try:
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(written))
    except (ClientError, TypeError, ValueError) as error:
        said = error.response["Error"]["Message"] if isinstance(error, ClientError) else error
        work.fail(f"S3 does not accept this policy. It says: {said}")
    nurse = aws.session("nurse")
    boto3.client("iam").put_user_policy(
        UserName="nurse",
        PolicyName="records",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            }
        ),
    )
    work.expect(
        not _may(aws.session("stranger"), bucket, "get_object", True, Key="record"),
        "Somebody without any permission can read: the policy allows. It should only deny.",
    )
    work.expect(
        _may(nurse, bucket, "get_object", True, Key="record")
        and _may(nurse, bucket, "list_objects_v2", True),
        "A nurse who may read is refused over TLS 1.3, too. Which requests do your conditions match?",
    )
    over_http = _may(nurse, bucket, "get_object", False, Key="record")
    statements = written.get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    joined = any(
        {"aws:securetransport", "s3:tlsversion"}
        <= {key.lower() for test in each.get("Condition", {}).values() for key in test}
        for each in statements
    )
    work.expect(
        not (over_http and joined),
        "An object can be read over plain HTTP. Conditions in one statement must all hold, and plain "
        "HTTP has no TLS version: write two statements.",
    )
    work.expect(
        not over_http or bucket in json.dumps(written),
        f"Your policy is about another bucket than the one that `only_tls` was given: {bucket}.",
    )
    work.expect(not over_http, "An object can be read over plain HTTP.")
    work.expect(
        not _may(nurse, bucket, "put_object", False, Key="new", Body=b""),
        "An object can be written over plain HTTP: deny every action of S3.",
    )
    every = "{} passes over plain HTTP: deny every action of S3."
    action = _let_in(written, bucket, _HTTP, _ON_OBJECTS)
    work.expect(action is None, every.format(action))
    work.expect(
        not _may(nurse, bucket, "list_objects_v2", False),
        "The bucket can be listed over plain HTTP. Its ARN is another than that of its objects.",
    )
    work.expect(
        not _may(aws.session("learner"), bucket, "get_object", False, Key="record"),
        "The administrator can read over plain HTTP. Deny it to everyone.",
    )
    action = _let_in(written, bucket, _HTTP, _ON_THE_BUCKET)
    work.expect(action is None, every.format(action))
    work.expect(
        _let_in(written, bucket, _HTTP, _ON_OBJECTS, account="444444444444") is None,
        "A user of another account is let in over plain HTTP, where some other statement allows them. Deny it to "
        "everyone.",
    )
    for version in ("1.1", "1.2"):
        context = {"aws:SecureTransport": "true", "s3:TlsVersion": version}
        work.expect(
            _let_in(written, bucket, context, _ON_OBJECTS + _ON_THE_BUCKET) is None,
            f"TLS {version} is let in. Look at s3:TlsVersion, for the bucket and for its objects.",
        )


_LEAK = """def what_leaked(capture, pages):
    size = len([r for r in capture.records if r.sender == "server"][-2]) - 22
    page = next(name for name in pages if len(pages[name]) == size)
    return {"host": capture.client_hello.server_name, "page": page}"""


@task(
    "leak",
    practises="02.what-stays-visible",
    minutes=4,
    asks="`what_leaked(capture, pages)`: a dictionary with `host` and `page`",
    hints=[
        "What did the client have to say before there was any key? And what does a lock not hide about a box?",
        "capture.client_hello.server_name is the site. For the page, compare sizes: the last but one record "
        "of the server, less 22 bytes.",
        'sent = [r for r in capture.records if r.sender == "server"]; size = len(sent[-2]) - 22; then the name '
        "whose page has that length",
    ],
    why="Encryption hides what was said, not to whom and not how much. Where that matters, answers are "
    "padded to one size.",
    wrong=[
        Wrong(
            _LEAK.replace("capture.client_hello.server_name", '"records.clinic.example"'),
            says="The client asked for",
        ),
        Wrong(
            "def what_leaked(capture, pages):\n"
            '    return {"host": capture.client_hello.server_name, "page": sorted(pages)[0]}',
            says="The client got the page",
        ),
        Wrong(_LEAK.replace('"page": page}', '"page": pages[page]}'), says="should be a name"),
        Wrong(
            _LEAK.replace('"host": capture.client_hello.server_name, ', ""),
            says="Return a dictionary with",
        ),
        Wrong(
            "def what_leaked(capture, pages):\n"
            "    for name, page in pages.items():\n"
            "        if len(page) == len(capture.records[-2]) - 22:\n"
            '            return {"host": capture.client_hello.server_name, "page": name}',
            says="none of its `return` lines was reached",
        ),
    ],
    also_right=[
        """def what_leaked(capture, pages):
    sizes = [len(record) for record in capture.records if record.sender == "server"]
    nearest = min(pages, key=lambda name: abs(len(pages[name]) + 22 - sizes[-2]))
    hello = capture.messages()[0]
    return dict(page=nearest, host=hello.server_name)"""
    ],
)
def leak(work):
    find, ca = work.function("what_leaked", returns=dict), tls.CertificateAuthority("CA")
    names = ["blood-pressure", "flu", "hiv", "pregnancy"]
    for _ in range(2):
        first = 2000 + os.urandom(1)[0]
        pages = {name: os.urandom(first + 90 * i) for i, name in enumerate(names)}
        for page, content in pages.items():
            host = _host()
            client = tls.Client(host, trust=ca, version="TLS 1.3")
            capture = _talk(client, ca.issue(host), content).capture
            found = find(capture, dict(pages))
            work.expect(
                {"host", "page"} <= set(found), "Return a dictionary with `host` and `page`."
            )
            work.expect(
                found["host"] == host,
                f"The client asked for {host}, and you say {work.shown(found['host'])}.",
            )
            work.expect(
                isinstance(found["page"], str) and found["page"] in pages,
                f"`page` should be a name out of `pages`, and it is {work.shown(found['page'])}.",
            )
            work.expect(
                found["page"] == page,
                f"The client got the page {page!r}, and you say {found['page']!r}.",
            )


_OPEN = """def open_record(secret, number, header, fragment):
    key, iv = expand_label(secret, b"key", 32), expand_label(secret, b"iv", 12)
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    return AESGCM(key).decrypt(nonce, fragment, header)[:-1]"""


def _open(work, fragment_of, says):
    try:
        return fragment_of()
    except NotThereYet as stopped:
        if "InvalidTag" in stopped.message:
            work.fail(says)
        raise


@task(
    "open",
    practises="02.encrypted-on-the-way",
    minutes=4,
    asks="`open_record(secret, number, header, fragment)`: what was said, as bytes",
    hints=[
        "Which two things come out of the secret, and where does the number come in?",
        "The key has the label b\"key\" and 32 bytes, the iv the label b\"iv\" and 12. The nonce is the iv with the "
        "number mixed in by ^. The header is authenticated, too.",
        'nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big"); AESGCM(key).decrypt(nonce, fragment, '
        "header)[:-1]",
    ],
    why="Whoever holds the log reads everything, so a key log is as secret as what it opens. And without the "
    "secrets, those same bytes are worth nothing.",
    wrong=[
        Wrong(
            _OPEN.replace("fragment, header", "fragment, None"),
            says="The first record, with number 0, does not open",
        ),
        Wrong(_OPEN.replace(" ^ number", ""), says="The record with number 0 opens, number"),
        Wrong(
            _OPEN.replace("[:-1]", '.strip(b"\\x17")'), says="There is one byte too many at the end"
        ),
        Wrong(
            _OPEN.replace(
                '(int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")',
                "iv[:-1] + bytes([iv[-1] ^ number % 256])",
            ),
            says="Record 300 does not open",
        ),
        Wrong(
            _OPEN.replace("    return", "    try:\n        return")
            + '\n    except Exception:\n        return b""',
            says="A record with a changed byte was opened without an error",
        ),
    ],
    also_right=[
        """def open_record(secret, number, header, fragment):
    iv = expand_label(secret, b"iv", 12)
    mask = number.to_bytes(len(iv), "big")
    nonce = bytes(a ^ b for a, b in zip(iv, mask))
    cipher = AESGCM(expand_label(secret, b"key", 32))
    inner = cipher.decrypt(nonce, fragment, header).rstrip(bytes(1))
    return inner[:-1]"""
    ],
)  # fmt: skip
def open_(work):
    ca, host = tls.CertificateAuthority("CA"), _host()
    client = tls.Client(host, trust=ca, version="TLS 1.3")
    answer = os.urandom(40) + b"."  # it may end with zeros, which are no padding
    talk = _talk(client, ca.issue(host), answer)
    random = talk.capture.client_hello.random
    opener = work.function("open_record", returns=bytes)
    cases = sorted(
        (one for one in talk.opening if one.secret_name.endswith("TRAFFIC_SECRET_0")),
        key=lambda one: one.sequence_number,
    )
    for one in cases:
        number, raw = one.sequence_number, one.record.raw
        secret = talk.keylog.secret(random, one.secret_name)
        said = _open(
            work,
            lambda s=secret, n=number, r=raw: opener(s, n, r.header, r.fragment),
            "The first record, with number 0, does not open: look at the key, the iv, the number, and the "
            "header, which is authenticated along with it."
            if number == 0
            else f"The record with number 0 opens, number {number} does not: the nonce is the iv with the number "
            "mixed in.",
        )
        work.expect(
            said != one.plaintext,
            "There is one byte too many at the end: the record's true type, whatever it is. Cut it off.",
        )
        work.expect(said == one.content, f"Record {number} opens, but this is not what was said.")
        work.refuses(
            opener,
            secret,
            number,
            raw.header,
            flipped(raw.fragment),
            says="A record with a changed byte was opened without an error.",
        )
    secret, header, text = os.urandom(48), bytes.fromhex("1703030016"), b"ward"
    key, iv = (
        hkdf_expand_label(secret, name, b"", size, "SHA384")
        for name, size in (("key", 32), ("iv", 12))
    )
    late = (int.from_bytes(iv, "big") ^ 300).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(late, text + b"\x17", header)
    said = _open(
        work,
        lambda: opener(secret, 300, header, sealed),
        "Record 300 does not open: a number can be larger than one byte.",
    )
    work.expect(said == text, "Record 300 opens, but this is not what was said.")


_MUTUAL = """def only_staff(context, staff_ca):
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=staff_ca)"""


@task(
    "mutual",
    practises="02.mutual-tls",
    minutes=3,
    asks="`only_staff(context, staff_ca)`: change the context, so that it demands a certificate",
    hints=[
        "There are two things to say: that a certificate is needed, and whose word counts.",
        "context.verify_mode says whether one is needed; context.load_verify_locations(cadata=...) says whose word "
        "counts.",
        "context.verify_mode = ssl.CERT_REQUIRED; context.load_verify_locations(cadata=staff_ca)",
    ],
    why="A stolen password is not enough any more: whoever has no private key that the clinic certified does "
    "not get as far as the login page.",
    wrong=[
        Wrong(
            _MUTUAL.replace("REQUIRED", "OPTIONAL"), says="A client without a certificate is let in"
        ),
        Wrong(
            "def only_staff(context, staff_ca):\n    context.verify_mode = ssl.CERT_REQUIRED",
            says="A member of the staff is refused",
        ),
        Wrong(
            _MUTUAL.replace("cadata=staff_ca", "cadata=staff_ca.encode()"),
            says="bytes would have to be DER",
        ),
        Wrong(
            _MUTUAL.replace("cadata=", ""),
            says="load_verify_locations takes the name of a file",
        ),
        Wrong(
            "def only_staff(context, staff_ca):\n"
            "    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=staff_ca)\n"
            "    made.verify_mode = ssl.CERT_REQUIRED\n"
            "    return made",
            says="That is another context",
        ),
    ],
    also_right=[
        """def only_staff(context, staff_ca):
    context.load_verify_locations(cadata=ssl.PEM_cert_to_DER_cert(staff_ca))
    context.verify_mode = ssl.VerifyMode(2)
    return context"""
    ],
)
def mutual(work):
    host, ca = _host(), tls.CertificateAuthority("Clinic Root CA")
    staff, strangers = (tls.CertificateAuthority(name) for name in ("Staff CA", "Other CA"))
    server = tls.Server(ca.issue(host))
    try:
        made = work.call(work.function("only_staff"), server.context, staff.pem.decode())
    except NotThereYet as stopped:
        if "OSError" in stopped.message or "FileNotFoundError" in stopped.message:
            work.fail(
                "load_verify_locations takes the name of a file unless told otherwise. Text goes in as "
                "`cadata=`."
            )
        if "cadata does not contain a certificate" in stopped.message:
            work.fail("`cadata` takes PEM as text; bytes would have to be DER. `staff_ca` is text.")
        raise

    work.expect(
        not isinstance(made, ssl.SSLContext) or made is server.context,
        "That is another context. The server has the one that `only_staff` was given: change that.",
    )

    def served(certificate):
        client = tls.Client(host, trust=ca, certificate=certificate)
        talk = tls.converse(client=client, server=server, request=REQUEST, response=ANSWER)
        return talk.client.received == ANSWER

    work.expect(
        not served(None),
        "A client without a certificate is let in. It should be demanded, not merely asked for.",
    )
    work.expect(
        served(staff.issue("dr-lee", for_client=True)),
        "A member of the staff is refused: whose certificates does the server know?",
    )
    work.expect(
        not served(strangers.issue("dr-lee", for_client=True)),
        "Somebody with a certificate of another CA is let in.",
    )
