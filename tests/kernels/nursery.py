"""A process that has loaded what notebooks import, and forks a kernel for whoever asks.

Loading boto3, moto and the views takes a kernel two seconds, most of what a notebook takes, and the
tests start some sixty kernels. Here it is done once. Each kernel is still a process of its own with
an environment of its own, in which no cell has run.

    python -m tests.kernels.nursery SOCKET     listens until its standard input ends
    python nursery.py SOCKET -f FILE           stands in for `python -m ipykernel_launcher -f FILE`
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from contextlib import suppress

# No other import here: the stand-in is started for each kernel and should cost nothing.


def stand_in(path: str, arguments: list[str]) -> int:
    """Ask for a kernel, and be it for whoever started this process: pass its signals on."""
    link = socket.socket(socket.AF_UNIX)
    link.connect(path)
    asked = {"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}
    socket.send_fds(link, [json.dumps(asked).encode() + b"\n"], [0, 1, 2])
    answers = link.makefile("r")
    kernel = int(answers.readline())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda given, _: os.kill(kernel, given))
    return int(answers.readline() or 1)


def listen(path: str) -> None:
    """Fork a kernel for each that asks, until standard input ends."""
    _load()
    threading.Thread(target=_end_with_input, daemon=True).start()
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(64)
    print("ready", flush=True)
    while True:
        link, _ = server.accept()
        message, files, _, _ = socket.recv_fds(link, 1 << 20, 3)
        while not message.endswith(b"\n"):
            message += link.recv(1 << 20)
        if os.fork() == 0:
            server.close()
            _watch(link, json.loads(message), files)
        link.close()
        for each in files:
            os.close(each)
        _reap()


def _watch(link: socket.socket, asked: dict[str, object], files: list[int]) -> None:
    """Fork once more; tell the stand-in of the kernel's end, and end it with the stand-in."""
    kernel = os.fork()
    if kernel == 0:
        link.close()
        _be_kernel(asked, files)
    link.sendall(f"{kernel}\n".encode())

    def end_with_stand_in() -> None:
        link.recv(1)
        os.kill(kernel, signal.SIGKILL)

    threading.Thread(target=end_with_stand_in, daemon=True).start()
    _, status = os.waitpid(kernel, 0)
    with suppress(OSError):
        link.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _be_kernel(asked: dict[str, object], files: list[int]) -> None:
    for number, each in enumerate(files):
        os.dup2(each, number)
        os.close(each)
    environment = {str(k): str(v) for k, v in dict(asked["environment"]).items()}  # type: ignore[call-overload]
    os.environ.clear()
    os.environ.update(environment)
    os.environ["JPY_PARENT_PID"] = str(os.getppid())  # whose end a kernel does not outlive
    os.chdir(str(asked["folder"]))
    sys.argv = ["ipykernel_launcher.py", *asked["arguments"]]  # type: ignore[misc]
    sys.path.insert(0, "")
    import random
    import time

    from ipykernel import kernelapp

    random.seed()
    time.tzset()
    code = 0
    try:
        kernelapp.launch_new_instance()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _load() -> None:
    """What notebooks import. It is loaded, and nothing of it is begun."""
    import importlib

    for name in (
        "ipykernel.kernelapp",
        "ipykernel.ipkernel",
        "IPython.core.interactiveshell",
        "boto3.session",
        "kmscourse.cloud.simulation",
        *(f"kmscourse.cloud.at_rest.{part}" for part in ("s3", "ssm", "ebs", "secretsmanager")),
        "kmscourse.exam",
        "kmscourse.lab",
        "kmscourse.views",
        "kmscourse.tls",
        "aws_encryption_sdk",
        "aws_cryptographic_material_providers.mpl",
    ):
        importlib.import_module(name)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        listen(sys.argv[1])
    else:
        sys.exit(stand_in(sys.argv[1], sys.argv[2:]))
