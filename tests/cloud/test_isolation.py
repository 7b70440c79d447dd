"""Nothing leaves the machine: measured below Python's sockets, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from kmscourse import cloud

#: Runs with real-looking credentials everywhere, a proxy, and a session made beforehand. Every
#: connection or look-up that Python lets through after the guard is written down.
PROGRAM = r"""
import json, sys, urllib.request
import boto3, requests, socket

early_session = boto3.Session(profile_name="hospital")
early_client = early_session.client("kms", region_name="eu-west-1")
env_client = boto3.client("s3", region_name="eu-west-1")

from kmscourse import cloud

let_through, said = [], []
aws = cloud.start()

def witness(event, args):
    # Asked after the guard: what the guard refuses never reaches it.
    if event in ("socket.connect", "socket.sendto"):
        let_through.append(str(args[-1]))
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        let_through.append(str(args[0]))

sys.addaudithook(witness)

def attempt(what):
    try:
        what()
    except Exception as error:
        said.append(f"{type(error).__name__}: {error}")

attempt(lambda: boto3.client("kms").create_key())
attempt(lambda: early_client.list_keys())
attempt(lambda: env_client.list_buckets())
attempt(lambda: early_session.client("sts").get_caller_identity())
attempt(lambda: boto3.client("ec2", region_name="eu-west-1").describe_instances())
attempt(lambda: boto3.client("kms", endpoint_url="https://kms.example.org").list_keys())
attempt(lambda: requests.get("https://example.org"))
attempt(lambda: urllib.request.urlopen("http://169.254.169.254/latest/meta-data/"))
attempt(lambda: socket.create_connection(("93.184.215.14", 443)))
attempt(lambda: socket.getaddrinfo("sts.amazonaws.com", 443))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
    attempt(lambda: datagram.sendto(b"x", ("8.8.8.8", 53)))
server = socket.create_server(("127.0.0.1", 0))
with socket.create_connection(server.getsockname()):
    said.append("loopback works")
print(json.dumps({"let_through": let_through, "said": said,
                  "who": boto3.client("sts").get_caller_identity()["Arn"]}))
"""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    home = tmp_path_factory.mktemp("home")
    (home / ".aws").mkdir()
    (home / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = AKIAREALDEFAULT00000\naws_secret_access_key = r\n"
        "[hospital]\naws_access_key_id = AKIAREALHOSPITAL0000\naws_secret_access_key = r\n"
    )
    (home / ".aws" / "config").write_text("[profile hospital]\nregion = eu-west-1\n")
    environment = {
        **os.environ,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "AWS_ACCESS_KEY_ID": "AKIAREALENVIRONMENT0",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_SESSION_TOKEN": "real",
        "AWS_PROFILE": "hospital",
        "HTTPS_PROXY": "http://proxy.example.org:3128",
        "HTTP_PROXY": "http://proxy.example.org:3128",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_only_loopback_gets_through(outcome: dict[str, list[str]]) -> None:
    foreign = [where for where in outcome["let_through"] if "127.0.0.1" not in where]
    assert foreign == []
    assert "loopback works" in outcome["said"]


def test_the_learner_stands_in_front_of_real_credentials(outcome: dict[str, str]) -> None:
    assert outcome["who"] == "arn:aws:iam::123456789012:user/learner"


def test_each_refusal_is_one_clear_sentence(outcome: dict[str, list[str]]) -> None:
    refused = [line for line in outcome["said"] if "Refused to connect" in line]
    for host in ("kms.example.org", "example.org", "169.254.169.254", "93.184.215.14", "8.8.8.8"):
        assert any(host in line and "nothing leaves this machine" in line for line in refused), host


def test_real_credentials_made_into_a_client_beforehand_are_strangers(
    outcome: dict[str, list[str]],
) -> None:
    tokens = [line for line in outcome["said"] if "security token" in line]
    assert any("UnrecognizedClientException" in line for line in tokens)
    assert not any("REAL" in line for line in outcome["said"])


def test_everything_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "hospital")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    before = dict(os.environ)
    default_session = boto3.DEFAULT_SESSION
    with cloud.running():
        assert "AWS_PROFILE" not in os.environ
        assert "HTTPS_PROXY" not in os.environ
        assert os.environ["AWS_ACCESS_KEY_ID"] != "mine"
    assert dict(os.environ) == before
    assert boto3.DEFAULT_SESSION is default_session


def test_a_cloud_runs_inside_another_and_gives_it_back() -> None:
    with cloud.running() as outer:
        key = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
        boto3.client("s3").create_bucket(Bucket="outer")
        with cloud.running() as inner:
            assert boto3.client("kms").list_keys()["Keys"] == []
            assert boto3.client("s3").list_buckets()["Buckets"] == []
            assert len(inner.trail.events("CreateKey")) == 0
        assert [k["KeyId"] for k in boto3.client("kms").list_keys()["Keys"]] == [key]
        assert [b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]] == ["outer"]
        assert len(outer.trail.events("CreateKey")) == 1


def test_starting_again_starts_afresh() -> None:
    try:
        cloud.start(seed="x")
        boto3.client("kms").create_key()
        cloud.start(seed="x")
        assert boto3.client("kms").list_keys()["Keys"] == []
    finally:
        cloud.stop()
    cloud.stop()
