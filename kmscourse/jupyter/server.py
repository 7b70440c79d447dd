"""A JupyterLab that serves the course: finding it, starting it, stopping it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kmscourse.jupyter.ports import ADDRESS, free_port
from kmscourse.jupyter.problems import JupyterError
from kmscourse.jupyter.surroundings import (
    command,
    disk_full,
    environment,
    lay_style,
    log_file,
    need_room,
    state_folder,
)

READY_SECONDS = 120.0
"""How long JupyterLab may take to answer: a cold disk in a small container is slow."""


@dataclass(frozen=True)
class Server:
    """A JupyterLab that serves this course."""

    port: int
    token: str
    pid: int

    def url(self, path: str = "", *, with_token: bool = True) -> str:
        """The address at which `path`, relative to the course's folder, is open."""
        tree = f"/lab/tree/{urllib.parse.quote(path)}" if path else "/lab"
        query = f"?token={self.token}" if with_token else ""
        return f"http://{ADDRESS}:{self.port}{tree}{query}"

    def answers(self, timeout: float = 2.0) -> bool:
        """Whether it is there and knows the token."""
        return answers(self.port, self.token, timeout)


def answers(port: int, token: str, timeout: float = 2.0) -> bool:
    """Whether a Jupyter server on this port knows this token."""
    request = urllib.request.Request(
        f"http://{ADDRESS}:{port}/api/kernels", headers={"Authorization": f"token {token}"}
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=timeout) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def running(home: Path) -> Server | None:
    """The JupyterLab that already serves this folder, if there is one that answers."""
    for note in sorted((state_folder(home) / "runtime").glob("jpserver-*.json")):
        try:
            said = json.loads(note.read_text(encoding="utf-8"))
            found = Server(int(said["port"]), str(said["token"]), int(said["pid"]))
            serves = Path(said["root_dir"]).resolve() == home.resolve()
        except (OSError, ValueError, KeyError, TypeError):
            continue  # left behind half written by one that was killed
        if serves and found.answers():
            return found
    return None


@contextlib.contextmanager
def serving(
    home: Path, *, port: int | None = None, path: str = "", browser: bool = False
) -> Iterator[tuple[Server, subprocess.Popen[bytes]]]:
    """A JupyterLab on `home` that answers; stopped, kernels and all, on leaving.

    `port` defaults to the first free one. What it logs goes to `log_file(home, port)`.
    Raises JupyterError where it does not come up.
    """
    need_room(home)
    lay_style(home)
    port = free_port() if port is None else port
    token = secrets.token_urlsafe(32)
    # The token travels in the environment: everyone on the machine can read command lines.
    surroundings = environment(home, os.environ) | {"JUPYTER_TOKEN": token}
    with log_file(home, port).open("wb") as log:
        process = subprocess.Popen(
            command(home, port=port, path=path, browser=browser),
            cwd=home,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=os.name == "posix",  # Ctrl-C comes to us, and we stop it in order
        )
    try:
        _wait_until_it_answers(process, home, port, token)
        yield Server(port, token, process.pid), process
    finally:
        stop(process)


def _wait_until_it_answers(
    process: subprocess.Popen[bytes], home: Path, port: int, token: str
) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not answers(port, token):
        if process.poll() is not None:
            raise JupyterError(f"JupyterLab did not start. {_last_words(home, port)}")
        if time.monotonic() > deadline:
            raise JupyterError(
                f"JupyterLab did not answer within {READY_SECONDS:.0f} seconds. "
                f"{_last_words(home, port)}"
            )
        time.sleep(0.1)


def _last_words(home: Path, port: int) -> str:
    log = log_file(home, port)
    text = log.read_text(encoding="utf-8", errors="replace")
    if "No space left on device" in text:
        return disk_full(home)
    lines = [line for line in text.splitlines() if line.strip()]
    said = f"Its last line was: {lines[-1].strip()} " if lines else ""
    return f"{said}(all of it: {log}) `course doctor` looks for what is wrong."


def stop(process: subprocess.Popen[bytes], patience: float = 15.0) -> None:
    """Ask it to stop, which stops its kernels too; insist after `patience` seconds."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
