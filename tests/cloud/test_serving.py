"""`aws.serve()` from outside: the real AWS CLI, boto3 over TLS, and requests by hand."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest
from botocore.client import Config
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError, SSLError

from kmscourse import cloud
from kmscourse.cloud.protocol import open_envelope
from kmscourse.cloud.serving import Server, ServingError
from tests.cloud.conftest import code_of

BUCKET = "clinic-records"
#: The CLI that stands beside this Python, and no other.
CLI = Path(sys.executable).with_name("aws")


@pytest.fixture
def server(aws: cloud.Cloud) -> Iterator[Server]:
    with aws.serve() as server:
        yield server


@pytest.fixture
def bucket(aws: cloud.Cloud) -> str:
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    return BUCKET


def run_cli(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the CLI as a ``%%bash`` cell would: with the environment of this process."""
    return subprocess.run(
        [sys.executable, str(CLI), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=env,
    )


def cli(*arguments: str, env: dict[str, str] | None = None) -> str:
    done = run_cli(*arguments, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def context(server: Server, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """A client's TLS that trusts the endpoint's CA, and speaks no newer version than this."""
    made = ssl.create_default_context(cafile=server.ca_bundle)
    made.maximum_version = newest
    return made


def fetch(url: str, tls: ssl.SSLContext | None = None) -> tuple[int, bytes]:
    """GET a URL of the endpoint, by the standard library alone."""
    parts = urlsplit(url)
    assert parts.hostname
    connection = (
        http.client.HTTPSConnection(parts.hostname, parts.port, context=tls, timeout=20)
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    )
    connection.request("GET", f"{parts.path}?{parts.query}")
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


def over(endpoint: str, service: str, server: Server, **config: Any) -> Any:
    """A boto3 client that really sends its requests to the endpoint."""
    once = {"retries": {"max_attempts": 1}, **config}
    return boto3.client(
        service, endpoint_url=endpoint, verify=server.ca_bundle, config=Config(**once)
    )


# ---------------------------------------------------------------- the AWS CLI


def test_a_shell_finds_the_cli_of_this_environment(
    aws: cloud.Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    with aws.serve():
        found = shutil.which("aws")
    assert found is not None
    assert Path(found).parent == CLI.parent
    assert os.environ["PATH"] == os.defpath


def test_the_cli_works_on_kms_over_https(aws: cloud.Cloud, server: Server, tmp_path: Path) -> None:
    key_id = json.loads(cli("kms", "create-key"))["KeyMetadata"]["KeyId"]
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    plain.write_bytes(b"penicillin allergy")
    encrypted = json.loads(
        cli("kms", "encrypt", "--key-id", key_id, "--plaintext", f"fileb://{plain}")
    )
    blob = base64.b64decode(encrypted["CiphertextBlob"])
    sealed.write_bytes(blob)
    assert boto3.client("kms").decrypt(CiphertextBlob=blob)["Plaintext"] == b"penicillin allergy"

    # The same over plain HTTP, with the variables a terminal of one's own would be given.
    plain_http = {**os.environ, **server.environment(secure=False)}
    plain_http.pop("AWS_CA_BUNDLE")
    decrypted = cli("kms", "decrypt", "--ciphertext-blob", f"fileb://{sealed}", env=plain_http)
    assert base64.b64decode(json.loads(decrypted)["Plaintext"]) == b"penicillin allergy"

    by_cli, by_boto3, over_http = aws.trail.events(service="kms")[-3:]
    assert by_cli["userAgent"].startswith("aws-cli/")
    assert by_cli["tlsDetails"]["tlsVersion"] == "TLSv1.3"
    assert by_cli["tlsDetails"]["clientProvidedHostHeader"] == urlsplit(server.https_url).netloc
    assert by_boto3["tlsDetails"]["clientProvidedHostHeader"] == "kms.us-east-1.amazonaws.com"
    assert over_http["userAgent"].startswith("aws-cli/")
    assert "tlsDetails" not in over_http


def test_the_cli_copies_to_s3_and_back(server: Server, tmp_path: Path) -> None:
    record = tmp_path / "record.bin"
    record.write_bytes(os.urandom(9 * 1024 * 1024))  # above the CLI's limit: a multipart upload
    cli("s3", "mb", f"s3://{BUCKET}")
    cli("s3", "cp", "--quiet", "--sse", "aws:kms", str(record), f"s3://{BUCKET}/record.bin")
    assert "9437184 record.bin" in cli("s3", "ls", f"s3://{BUCKET}")
    cli("s3", "cp", "--quiet", f"s3://{BUCKET}/record.bin", str(tmp_path / "again.bin"))
    assert (tmp_path / "again.bin").read_bytes() == record.read_bytes()


def test_credentials_decide_who_the_cli_is(
    aws: cloud.Cloud, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert json.loads(cli("sts", "get-caller-identity"))["Arn"].endswith(":user/learner")
    other = aws.identity.user_or_role(aws.account_id, "receptionist").environment()
    for name, value in other.items():
        monkeypatch.setenv(name, value)
    refused = run_cli("kms", "list-keys")
    assert refused.returncode != 0
    assert "AccessDeniedException" in refused.stderr
    assert "user/receptionist is not authorized to perform: kms:ListKeys" in refused.stderr


def test_a_program_finds_nobody_where_nothing_is_served(aws: cloud.Cloud) -> None:
    """Without an endpoint of ours the CLI would go to the real AWS, parameters and all."""
    once = {**os.environ, "AWS_MAX_ATTEMPTS": "1"}
    lost = run_cli("sts", "get-caller-identity", env=once)
    assert lost.returncode != 0
    assert "call-aws.serve-first" in lost.stderr


# ---------------------------------------------------------------- boto3 and TLS


def test_boto3_in_this_process_stays_in_memory(aws: cloud.Cloud, server: Server) -> None:
    for client in (boto3.client("kms"), aws.session("learner").client("s3")):
        assert client.meta.endpoint_url.endswith(".amazonaws.com")
    boto3.client("kms").list_keys()
    host = aws.trail.events("ListKeys")[-1]["tlsDetails"]["clientProvidedHostHeader"]
    assert host == "kms.us-east-1.amazonaws.com"


def test_boto3_over_https_needs_the_ca(server: Server) -> None:
    key_id = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
    trusting = over(server.https_url, "kms", server)
    assert [key["KeyId"] for key in trusting.list_keys()["Keys"]] == [key_id]
    with pytest.raises(SSLError) as refused:
        boto3.client("kms", endpoint_url=server.https_url).list_keys()
    assert "certificate verify failed" in str(refused.value)


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_verify_false_asks_nobody_who_they_are(server: Server) -> None:
    blind = boto3.client("kms", endpoint_url=server.https_url, verify=False)
    assert blind.list_keys()["Keys"] == []


def test_an_older_tls_than_aws_speaks_is_refused(server: Server) -> None:
    old = ssl.create_default_context(cafile=server.ca_bundle)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        fetch(server.https_url + "/", old)


# ---------------------------------------------------------------- conditions on real connections


def put_policy(condition: dict[str, Any]) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
        "Condition": condition,
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    boto3.client("s3").put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(document))


def test_a_bucket_policy_refuses_plain_http(server: Server, bucket: str) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key="a", Body=b"10 mg")
    insecure, secure = (over(url, "s3", server) for url in (server.url, server.https_url))
    assert insecure.get_object(Bucket=bucket, Key="a")["Body"].read() == b"10 mg"
    put_policy({"Bool": {"aws:SecureTransport": "false"}})
    assert secure.get_object(Bucket=bucket, Key="a")["Body"].read() == b"10 mg"
    with pytest.raises(ClientError) as refused:
        insecure.get_object(Bucket=bucket, Key="a")
    assert code_of(refused) == "AccessDenied"
    assert "explicit deny in a resource-based policy" in str(refused.value)


def test_a_bucket_policy_asks_for_tls_1_3(server: Server, bucket: str) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key="a", Body=b"10 mg")
    put_policy({"NumericLessThan": {"s3:TlsVersion": "1.3"}})
    url = over(server.https_url, "s3", server).generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "a"}
    )
    assert fetch(url, context(server)) == (200, b"10 mg")
    status, body = fetch(url, context(server, ssl.TLSVersion.TLSv1_2))
    assert (status, b"<Code>AccessDenied</Code>" in body) == (403, True)


def test_the_trail_tells_the_version_and_cipher_suite(
    aws: cloud.Cloud, server: Server, bucket: str
) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key="a", Body=b"10 mg")
    url = over(server.https_url, "s3", server).generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "a"}
    )
    fetch(url, context(server, ssl.TLSVersion.TLSv1_2))
    told = aws.trail.events("GetObject")[-1]["tlsDetails"]
    assert told["tlsVersion"] == "TLSv1.2"
    assert told["cipherSuite"].startswith("ECDHE-")


# ---------------------------------------------------------------- what HTTP clients do


def test_unsigned_requests_are_anonymous(server: Server, bucket: str) -> None:
    s3 = boto3.client("s3")
    s3.put_object(Bucket=bucket, Key="a", Body=b"open")
    assert fetch(f"{server.url}/{bucket}/a")[0] == 403
    with pytest.raises(ClientError):
        over(server.url, "s3", server, signature_version=UNSIGNED).get_object(
            Bucket=bucket, Key="a"
        )


@pytest.mark.parametrize(
    ("host", "service", "region"),
    [
        ("s3.us-east-1.amazonaws.com", "s3", "us-east-1"),
        ("s3.amazonaws.com", "s3", "us-east-1"),
        ("clinic.s3.eu-central-1.amazonaws.com", "s3", "eu-central-1"),
        ("my.clinic.s3-us-west-2.amazonaws.com", "s3", "us-west-2"),
        ("clinic.s3-accelerate.dualstack.amazonaws.com", "s3", "us-east-1"),
        ("clinic.s3.dualstack.eu-west-1.amazonaws.com", "s3", "eu-west-1"),
        ("sts.s3.us-east-1.amazonaws.com", "s3", "us-east-1"),
        ("sts.amazonaws.com", "sts", "us-east-1"),
        ("kms-fips.us-gov-west-1.amazonaws.com", "kms", "us-gov-west-1"),
        ("s3.cn-north-1.amazonaws.com.cn", "s3", "cn-north-1"),
    ],
)
def test_without_a_signature_the_host_names_the_service(
    host: str, service: str, region: str
) -> None:
    """A service that is not recognised would not be decided about."""
    request = AWSPreparedRequest("GET", f"https://{host}/a", HTTPHeaders(), b"", False)
    envelope = open_envelope(request)
    assert (envelope.service, envelope.region) == (service, region)


def test_virtual_hosted_buckets_are_found(server: Server, bucket: str) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key="a/b c", Body=b"here")
    url = urlsplit(
        boto3.client("s3").generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": "a/b c"}
        )
    )
    for host in (url.netloc, f"{bucket}.localhost", f"{bucket}.s3.localhost:80"):
        request = urllib.request.Request(f"{server.url}{url.path}?{url.query}")
        request.add_header("Host", host)
        with urllib.request.urlopen(request, timeout=20) as response:
            assert response.read() == b"here"


def test_large_bodies_ranges_and_head(server: Server, bucket: str, tmp_path: Path) -> None:
    s3 = over(server.https_url, "s3", server)
    body = os.urandom(3 * 1024 * 1024 + 1)
    path = tmp_path / "large"
    path.write_bytes(body)
    with path.open("rb") as stream:  # aws-chunked with a trailer, and Expect: 100-continue
        s3.put_object(Bucket=bucket, Key="large", Body=stream)
    assert s3.head_object(Bucket=bucket, Key="large")["ContentLength"] == len(body)
    answer = s3.get_object(Bucket=bucket, Key="large", Range="bytes=5-1048580")
    assert answer["Body"].read() == body[5:1048581]
    assert b"".join(s3.get_object(Bucket=bucket, Key="large")["Body"].iter_chunks()) == body
    with pytest.raises(ClientError) as missing:
        s3.head_object(Bucket=bucket, Key="none")
    assert code_of(missing) == "404"
    assert s3.delete_object(Bucket=bucket, Key="large")["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_chunked_bodies_are_put_together(server: Server, bucket: str) -> None:
    s3 = over(server.url, "s3", server)
    url = urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "c"}))
    assert url.hostname
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
    chunks = (chunk for chunk in (b"10 ", b"mg, ", b"twice a day"))
    connection.request(
        "PUT",
        f"{url.path}?{url.query}",
        body=chunks,
        encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )
    assert connection.getresponse().status == 200
    connection.close()
    assert s3.get_object(Bucket=bucket, Key="c")["Body"].read() == b"10 mg, twice a day"


@pytest.mark.parametrize("length", ["-1", "1_0", "x"])
def test_a_length_that_is_none_is_refused(server: Server, length: str) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), timeout=20) as wire:
        wire.sendall(f"PUT /a/b HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        assert wire.recv(64).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("sent", [b"zz\r\n", b"-5\r\nab", b"5\r\nab", b"5\r\nabcdeXX"])
def test_a_body_that_is_cut_short_is_refused(server: Server, sent: bytes) -> None:
    port = urlsplit(server.url).port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        wire.sendall(b"PUT /a/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + sent)
        wire.shutdown(socket.SHUT_WR)
        assert wire.recv(64).startswith(b"HTTP/1.1 400 ")


def test_what_goes_wrong_inside_is_told(
    aws: cloud.Cloud, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise LookupError("a mistake of ours")

    monkeypatch.setattr(aws.gateway, "serve", broken)
    with pytest.raises(ClientError) as told:
        over(server.url, "kms", server).list_keys()
    assert "LookupError: a mistake of ours" in str(told.value)


# ---------------------------------------------------------------- beginning and end


def test_only_loopback_is_listened_to(server: Server) -> None:
    for url in (server.url, server.https_url):
        assert urlsplit(url).hostname == "127.0.0.1"
    outside = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with outside:
        # Another address of the loopback network is another address: nothing listens there.
        outside.settimeout(2)
        assert outside.connect_ex(("127.0.0.2", urlsplit(server.url).port)) != 0


def test_the_environment_is_put_back(aws: cloud.Cloud) -> None:
    before = dict(os.environ)
    with aws.serve() as server:
        assert os.environ["AWS_ENDPOINT_URL"] == server.https_url
        assert os.environ["AWS_CA_BUNDLE"] == server.ca_bundle
    assert dict(os.environ) == before
    assert not Path(server.ca_bundle).exists()
    server.close()  # a second time


def test_it_closes_with_the_cloud() -> None:
    before = dict(os.environ)
    with cloud.running() as aws:
        server = aws.serve()
        again = aws.serve()  # a cell that is run twice
        assert server.closed
        assert not again.closed
    assert again.closed
    assert dict(os.environ) == before
    with pytest.raises(OSError, match=r"refused"):
        socket.create_connection(("127.0.0.1", urlsplit(again.url).port), timeout=2)


def test_no_private_key_is_left_on_the_disk(server: Server) -> None:
    files = list(Path(server.ca_bundle).parent.iterdir())
    assert files == [Path(server.ca_bundle)]
    assert b"PRIVATE KEY" not in files[0].read_bytes()


def test_a_port_that_is_taken_is_said_kindly(aws: cloud.Cloud) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServingError, match=rf"port {port} .* takes one that is free"):
            aws.serve(port=port)
        with pytest.raises(ServingError, match=rf"port {port} "):
            aws.serve(https_port=port)
    assert aws.serve(port=port).url.endswith(f":{port}")


def test_a_browser_has_no_sockets(aws: cloud.Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "emscripten")
    with pytest.raises(ServingError, match="boto3 needs no server"):
        aws.serve()


def test_nothing_of_it_is_loaded_before_it_is_used() -> None:
    program = (
        "import sys; from kmscourse import cloud; cloud.start(); "
        "print('kmscourse.cloud.serving' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "False"


def test_several_programs_at_once_take_turns(aws: cloud.Cloud, server: Server) -> None:
    """Threads of clients, while this thread calls in memory and moves the clock."""
    key_id = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
    clients = [over(url, "kms", server) for url in (server.url, server.https_url) * 3]

    def work(client: Any) -> int:
        for number in range(10):
            blob = client.encrypt(KeyId=key_id, Plaintext=bytes([number]))["CiphertextBlob"]
            assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == bytes([number])
        return 20

    before = len(aws.trail)
    with ThreadPoolExecutor(len(clients)) as pool:
        done = [pool.submit(work, client) for client in clients]
        for _ in range(20):
            aws.clock.advance(hours=1)
            boto3.client("kms").describe_key(KeyId=key_id)
        calls = sum(each.result() for each in done)
    assert len(aws.trail) - before == calls + 20
