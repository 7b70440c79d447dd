"""What the simulated KMS costs: the same boto3 calls on bare moto and on the course's cloud.

Run it with ``python benchmarks/kms.py``. Both worlds are tried in turn, round by round, in one
process; each figure is the best round, in processor time. The ratios matter, the times are of
this machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto import mock_aws

from kmscourse import cloud

ROUNDS, CALLS = 9, 20
#: CreateKey may take this part of moto's time; every other call, all of it.
CREATE_KEY, OTHERS = 0.1, 1.0
#: Importing kmscourse.cloud may take this many times what importing boto3 and moto takes.
IMPORT = 1.2


@contextmanager
def bare_moto() -> Iterator[Any]:
    """A KMS client on moto as it comes, with made-up credentials."""
    invented = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing")
    before = {name: os.environ.get(name) for name in invented}
    os.environ.update(invented)
    try:
        with mock_aws():
            yield boto3.session.Session().client("kms", region_name="us-east-1")
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def simulated() -> Iterator[Any]:
    """A KMS client on the simulated AWS of the course."""
    with cloud.running():
        yield boto3.session.Session().client("kms", region_name="us-east-1")


def actions(kms: Any) -> dict[str, Callable[[], Any]]:
    """The calls that are compared, each on a key made for it."""

    def key(**spec: str) -> str:
        return str(kms.create_key(**spec)["KeyMetadata"]["KeyId"])

    plain = key()
    blob = kms.encrypt(KeyId=plain, Plaintext=b"record")["CiphertextBlob"]
    pair = key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    rsa = key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    mac = key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    ecdsa = {"KeyId": pair, "Message": b"record", "SigningAlgorithm": "ECDSA_SHA_256"}
    signed = kms.sign(**ecdsa)["Signature"]
    kms.create_alias(AliasName="alias/benchmark", TargetKeyId=plain)
    kms.get_public_key(KeyId=rsa)
    return {
        "CreateKey": kms.create_key,
        "DescribeKey": lambda: kms.describe_key(KeyId=plain),
        "DescribeKey by alias": lambda: kms.describe_key(KeyId="alias/benchmark"),
        "Encrypt": lambda: kms.encrypt(KeyId=plain, Plaintext=b"record"),
        "Decrypt": lambda: kms.decrypt(CiphertextBlob=blob),
        "ReEncrypt": lambda: kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=plain),
        "GenerateDataKey": lambda: kms.generate_data_key(KeyId=plain, KeySpec="AES_256"),
        "GenerateRandom": lambda: kms.generate_random(NumberOfBytes=32),
        "Sign (ECDSA)": lambda: kms.sign(**ecdsa),
        "Verify (ECDSA)": lambda: kms.verify(Signature=signed, **ecdsa),
        "Sign (RSA)": lambda: kms.sign(
            KeyId=rsa, Message=b"record", SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256"
        ),
        "GetPublicKey": lambda: kms.get_public_key(KeyId=rsa),
        "GenerateMac": lambda: kms.generate_mac(
            KeyId=mac, Message=b"record", MacAlgorithm="HMAC_SHA_256"
        ),
        "GetKeyPolicy": lambda: kms.get_key_policy(KeyId=plain, PolicyName="default"),
        "ListResourceTags": lambda: kms.list_resource_tags(KeyId=plain),
        "ListGrants": lambda: kms.list_grants(KeyId=plain),
        "GetKeyRotationStatus": lambda: kms.get_key_rotation_status(KeyId=plain),
    }


def measure() -> dict[str, tuple[float, float]]:
    """Seconds for one call, the best of several rounds: on bare moto, and here."""
    best: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for side, world in enumerate((bare_moto, simulated)):
            with world() as kms:
                for name, action in actions(kms).items():
                    action()
                    start = time.process_time()
                    for _ in range(CALLS):
                        action()
                    spent = (time.process_time() - start) / CALLS
                    found = best.setdefault(name, [float("inf"), float("inf")])
                    found[side] = min(found[side], spent)
    return {name: (moto, here) for name, (moto, here) in best.items()}


def import_seconds(statement: str) -> float:
    """Seconds of a fresh Python to run an import, the best of several."""
    code = f"import time; s = time.process_time(); {statement}; print(time.process_time() - s)"
    runs = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(5)
    )
    return min(float(run.stdout) for run in runs)


def main() -> int:
    """Print the table; the exit code says whether everything is as fast as promised."""
    print(f"{'':24}{'moto':>10}{'here':>10}{'ratio':>8}   promised")
    broken = 0
    for name, (moto, here) in measure().items():
        promised = CREATE_KEY if name == "CreateKey" else OTHERS
        ratio = here / moto
        broken += ratio > promised
        word = "" if ratio <= promised else "  MISSED"
        print(f"{name:24}{moto * 1e3:8.2f}ms{here * 1e3:8.2f}ms{ratio:8.2f}   <= {promised}{word}")
    for name, promised, moto_does, we_do in (
        ("import", IMPORT, "import boto3, moto", "import boto3, kmscourse.cloud"),
        (
            "import, start, client",
            None,  # said openly: what is needed is imported at the first start
            "import boto3, moto; moto.mock_aws().start(); boto3.client('kms', 'us-east-1')",
            "import boto3, kmscourse.cloud as c; c.start(); boto3.client('kms')",
        ),
    ):
        base, ours = import_seconds(moto_does), import_seconds(we_do)
        missed = promised is not None and ours / base > promised
        broken += missed
        word = f"<= {promised}" + ("  MISSED" if missed else "") if promised else "no promise"
        print(f"{name:24}{base * 1e3:8.0f}ms{ours * 1e3:8.0f}ms{ours / base:8.2f}   {word}")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
