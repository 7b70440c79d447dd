"""What real encryption costs in S3: put and get against bare moto, and against the cipher alone.

Run it with ``python benchmarks/s3.py``. Each figure is the best of several rounds; the ratios
matter, the times are of this machine. Bare moto stores what it is given in plain.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from moto import mock_aws

from kmscourse import cloud

KIB, MIB = 2**10, 2**20
LINUX = sys.platform == "linux"
BUCKET = "benchmark"


@contextmanager
def bare_moto() -> Iterator[Any]:
    """An S3 client on moto as it comes, with made-up credentials."""
    invented = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing")
    before = {name: os.environ.get(name) for name in invented}
    os.environ.update(invented)
    try:
        with mock_aws():
            yield boto3.session.Session().client("s3", region_name="us-east-1")
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def simulated() -> Iterator[Any]:
    """An S3 client on the simulated AWS of the course."""
    with cloud.running():
        yield boto3.session.Session().client("s3", region_name="us-east-1")


def encryption(kind: str) -> dict[str, str]:
    """The parameters that ask for a kind of encryption."""
    return {"ServerSideEncryption": kind} if kind else {}


def best(action: Callable[[], Any], rounds: int) -> float:
    """Seconds for the fastest of several rounds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def put_and_get(client: Any, size: int, kind: str, rounds: int) -> tuple[float, float]:
    """Seconds to put and to get an object."""
    client.create_bucket(Bucket=BUCKET)
    body = os.urandom(size)
    asked = encryption(kind)
    put = best(lambda: client.put_object(Bucket=BUCKET, Key="k", Body=body, **asked), rounds)
    get = best(lambda: client.get_object(Bucket=BUCKET, Key="k")["Body"].read(), rounds)
    return put, get


def cipher(size: int, rounds: int) -> tuple[float, float]:
    """Seconds to encrypt and to decrypt the same bytes with AES-256-GCM and nothing else."""
    body, gcm, nonce = os.urandom(size), AESGCM(AESGCM.generate_key(256)), os.urandom(12)
    sealed = gcm.encrypt(nonce, body, None)
    return best(lambda: gcm.encrypt(nonce, body, None), rounds), best(
        lambda: gcm.decrypt(nonce, sealed, None), rounds
    )


def speed(size: int, rounds: int) -> None:
    """Print one table."""
    with bare_moto() as client:
        moto_put, moto_get = put_and_get(client, size, "", rounds)
    seal, unseal = cipher(size, rounds)
    named = f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"
    print(f"\n{named:30} {'put':>10} {'get':>10}   ratio to bare moto   added, in times the cipher")
    print(f"{'bare moto, not encrypted':30} {ms(moto_put)} {ms(moto_get)}")
    print(f"{'AES-256-GCM alone':30} {ms(seal)} {ms(unseal)}")
    for title, kind in (("SSE-S3", ""), ("SSE-KMS", "aws:kms"), ("DSSE-KMS", "aws:kms:dsse")):
        with simulated() as client:
            put, get = put_and_get(client, size, kind, rounds)
        added = (put - moto_put) / seal, (get - moto_get) / unseal
        print(
            f"{title:30} {ms(put)} {ms(get)}   {put / moto_put:8.2f} {get / moto_get:8.2f}"
            + (f"     {tidy(added[0])} {tidy(added[1])}" if size >= MIB else "")
        )


def tidy(times: float) -> str:
    """How many times the cipher alone; a service that ends up faster than moto adds nothing."""
    return f"{times:8.1f}" if times > 0 else "    none"


def ms(seconds: float) -> str:
    """Milliseconds, in ten characters."""
    return f"{seconds * 1000:7.2f} ms"


def memory(size: int) -> None:
    """Print the peak memory of a process that puts and gets one large object."""
    print(f"\npeak memory, one object of {size // MIB} MiB put and got, body included")
    for title in ("nothing", "bare moto", "SSE-KMS"):
        told = subprocess.run(
            [sys.executable, __file__, title, str(size)], capture_output=True, text=True, check=True
        )
        print(f"{title:30} {int(told.stdout) / KIB:7.0f} MiB")


def peak(title: str, size: int) -> None:
    """Put and get in this process and print its peak memory in KiB."""
    room = bare_moto() if title == "bare moto" else simulated()
    with room as client:
        client.create_bucket(Bucket=BUCKET)
        if title != "nothing":
            asked = encryption("aws:kms" if title == "SSE-KMS" else "")
            client.put_object(Bucket=BUCKET, Key="k", Body=os.urandom(size), **asked)
            client.get_object(Bucket=BUCKET, Key="k")["Body"].read()
    status = Path("/proc/self/status")
    if status.exists():  # where it does not carry over from the parent process
        print(status.read_text().partition("VmHWM:")[2].split()[0])
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1 if LINUX else KIB))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        peak(sys.argv[1], int(sys.argv[2]))
    else:
        speed(KIB, rounds=300)
        speed(10 * MIB, rounds=15)
        memory(100 * MIB)
