"""Kernels that begin with their libraries loaded, so that sixty of them need not load them each."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import ipykernel.kernelspec

_NURSERY = Path(__file__).with_name("nursery.py")
_ROOT = Path(__file__).parents[2]


def warm(until: ExitStack) -> None:
    """Let each kernel of this process come from a nursery, which begins with the first of them.

    Where there is no fork, kernels start as they always do.
    """
    if not hasattr(os, "fork") or not hasattr(socket, "send_fds"):
        return
    ordinary = ipykernel.kernelspec.make_ipkernel_cmd
    path: list[str] = []

    def command(*_: Any, **__: Any) -> list[str]:
        if not path:
            path.append(_begin(until))
        return [sys.executable, "-S", "-E", str(_NURSERY), path[0], "-f", "{connection_file}"]

    ipykernel.kernelspec.make_ipkernel_cmd = command
    until.callback(setattr, ipykernel.kernelspec, "make_ipkernel_cmd", ordinary)


def _begin(until: ExitStack) -> str:
    path = Path(until.enter_context(tempfile.TemporaryDirectory(prefix="kmscourse-"))) / "nursery"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.kernels.nursery", str(path)],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    until.callback(process.wait)
    until.callback(process.stdin.close)
    if process.stdout.readline() != "ready\n":
        raise RuntimeError("The nursery of kernels did not begin; its error is above.")
    return str(path)
