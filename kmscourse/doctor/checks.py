"""The checks of `course doctor`, in the order in which a cause comes before its effects."""

from __future__ import annotations

import errno
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from kmscourse import course, jupyter
from kmscourse.doctor.finding import Check, Finding, note, well, wrong
from kmscourse.doctor.lockfile import Lock

MEGABYTE = 1_000_000
ENOUGH_BYTES = 200 * MEGABYTE
"""Room for a kernel's history, checkpoints and a learner's notebooks."""

LAB_EXTENSIONS = {
    "@jupyter-widgets/jupyterlab-manager": "ipywidgets",
    "anywidget": "anywidget",
}


def how_to_install() -> str:
    """The one thing to do where something is not installed as it should be."""
    if "CONDA_PREFIX" in os.environ and sys.prefix == os.environ["CONDA_PREFIX"]:
        return "Install again: conda env update --file environment.yml --prune"
    return "Install again, in the course's folder: make clean, then make lab (or: uv sync --frozen)"


def python() -> Iterator[Finding]:
    """Python is new enough."""
    version = platform.python_version()
    wanted = importlib.metadata.metadata("kmscourse")["Requires-Python"]
    if version not in SpecifierSet(wanted, prereleases=True):
        yield wrong(
            f"Python is {version}, and the course needs {wanted}.",
            "Install a newer Python, then make clean and make lab.",
        )
    else:
        yield well(f"Python {version} ({sys.executable})")


def folder() -> Iterator[Finding]:
    """The folder of the course is complete."""
    home = course.root()
    lessons = course.lessons(home)
    missing = [each.notebook for each in lessons if not each.notebook.is_file()]
    missing += [each.lab_notebook for each in lessons if each.has_lab]
    missing = [path for path in missing if not path.is_file()]
    if missing:
        names = ", ".join(path.relative_to(home).as_posix() for path in missing)
        yield wrong(
            f"Missing from {home}: {names}.",
            "Bring them back (git checkout -- notebooks labs) or make them (make build).",
        )
    else:
        yield well(f"{len(lessons)} lessons in {home}")


def packages() -> Iterator[Finding]:
    """The installed packages are those that the course was tested with."""
    path = course.root() / "uv.lock"
    if not path.is_file():
        yield note("There is no uv.lock, so the versions of packages cannot be compared.")
        return
    wanted = Lock(path).wanted()
    installed: dict[str, str] = {
        canonicalize_name(each.name): each.version for each in importlib.metadata.distributions()
    }
    amiss = [
        f"{name} is {installed[name]}, not {version}" if name in installed else f"{name} is missing"
        for name, version in sorted(wanted.items())
        if installed.get(name) != version
    ]
    if amiss:
        shown = "; ".join(amiss[:5]) + (f"; and {len(amiss) - 5} more" if len(amiss) > 5 else "")
        yield wrong(f"Packages differ from what was tested: {shown}.", how_to_install())
    else:
        yield well(f"{len(wanted)} packages, each in the version that was tested")


def clock() -> Iterator[Finding]:
    """The clock of this machine is right."""
    now = datetime.now(UTC)
    path = course.root() / "uv.lock"
    earliest = Lock(path).newest_upload() if path.is_file() else datetime(2026, 1, 1, tzinfo=UTC)
    if not earliest <= now <= earliest + timedelta(days=3652):
        yield wrong(
            f"The clock of this machine says {now:%Y-%m-%d}, and that cannot be: certificates "
            "would seem not valid yet, or expired.",
            "Set the date and time.",
        )
    else:
        yield well(f"The clock says {now:%Y-%m-%d %H:%M} UTC")


def writing() -> Iterator[Finding]:
    """What a learner does can be kept."""
    mine = course.work_folder()
    try:
        mine.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=mine, prefix=".doctor-") as probe:
            probe.write(b"0" * 100_000)
            probe.flush()
        jupyter.need_room(course.root())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            yield wrong(f"The disk that holds {mine} is full.", "Make room, then try again.")
        else:
            yield wrong(
                f"{mine} cannot be written: {error.strerror}.",
                "Copy the course to a folder of your own, or have its owner changed (chown).",
            )
        return
    except jupyter.JupyterError as error:
        yield wrong(str(error), "Make room or copy the course, then try again.")
        return
    free = shutil.disk_usage(mine).free
    if free < ENOUGH_BYTES:
        yield wrong(
            f"Only {free // MEGABYTE} MB are left on the disk that holds {mine}.",
            f"Make room: the course wants {ENOUGH_BYTES // MEGABYTE} MB.",
        )
    else:
        yield well(f"my-work/ can be written; {free // MEGABYTE:,} MB are free")


def simulator() -> Iterator[Finding]:
    """The simulated AWS encrypts and decrypts."""
    import boto3

    from kmscourse import cloud

    with cloud.running():
        kms = boto3.client("kms")
        key_id = kms.create_key(Description="course doctor")["KeyMetadata"]["KeyId"]
        context = {"purpose": "course doctor"}
        secret = b"one patient record"
        sealed = kms.encrypt(KeyId=key_id, Plaintext=secret, EncryptionContext=context)
        blob = sealed["CiphertextBlob"]
        opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]
    if opened != secret or secret in blob:
        yield wrong("The simulated AWS did not return what was encrypted.", how_to_install())
    else:
        yield well("The simulated AWS made a key, encrypted and decrypted")


_ASK_THE_KERNEL = """
import json
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(startup_timeout=60, kernel_name="python3")
try:
    said = []
    def hear(message):
        if message["msg_type"] == "stream":
            said.append(message["content"]["text"])
    client.execute_interactive("import sys; print(sys.prefix)", timeout=60, output_hook=hear)
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
print(json.dumps({"prefix": "".join(said).strip(), "spec": manager.kernel_spec.resource_dir}))
"""


def kernel() -> Iterator[Finding]:
    """A notebook's kernel starts, and is this Python."""
    done = subprocess.run(
        [sys.executable, "-c", _ASK_THE_KERNEL],
        env=jupyter.environment(course.root(), os.environ),
        capture_output=True,
        text=True,
        timeout=150,
    )
    if done.returncode and "No space left on device" in done.stderr:
        yield wrong("No kernel could be started: the disk is full.", "Make room, then try again.")
        return
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        yield wrong(f"No kernel could be started: {' '.join(last)}", how_to_install())
        return
    said = json.loads(done.stdout.strip().splitlines()[-1])
    if Path(said["prefix"]).resolve() != Path(sys.prefix).resolve():
        yield wrong(
            f"Notebooks would run with the Python in {said['prefix']}, not with the course's: "
            f"a kernel called python3 in {said['spec']} comes first.",
            f"Remove that folder, or: {how_to_install()}",
        )
    else:
        yield well("A kernel starts, with this Python")


def widgets() -> Iterator[Finding]:
    """JupyterLab has what the course's pictures need."""
    base = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
    missing = [
        package
        for extension, package in LAB_EXTENSIONS.items()
        if not (base / extension / "package.json").is_file()
    ]
    if missing:
        yield wrong(f"JupyterLab's part of {' and '.join(missing)} is missing.", how_to_install())
    else:
        yield well("JupyterLab can show widgets (ipywidgets and anywidget)")


def port() -> Iterator[Finding]:
    """There is a port for JupyterLab."""
    already = jupyter.running(course.root())
    if already:
        yield note(f"The course is open already, on port {already.port}.")
        return
    try:
        free = jupyter.free_port()
    except jupyter.NoFreePortError as error:
        yield wrong(str(error), "Choose a port: course --port 9999")
        return
    if free != jupyter.DEFAULT_PORT:
        yield note(f"Port {jupyter.DEFAULT_PORT} is in use: the course will take port {free}.")
    else:
        yield well(f"Port {free} is free")


def browser() -> Iterator[Finding]:
    """There is a browser."""
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        yield note(
            "No browser was found on this machine.",
            "Open the address that `course` prints in one, or use the browser of your editor.",
        )
    else:
        yield well(f"A browser opens with {getattr(found, 'name', 'the system')}")


def credentials() -> Iterator[Finding]:
    """Whether real AWS credentials lie about; they are only looked for, never read."""
    aws = Path.home() / ".aws"
    found = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE") if os.environ.get(name)]
    found += [str(path) for path in (aws / "credentials", aws / "config") if path.is_file()]
    if found:
        yield note(
            f"You have credentials for a real AWS account ({', '.join(found)}). "
            "The course does not use them: it talks to this machine only."
        )
    else:
        yield well("No credentials for a real AWS account, and none are needed")


CHECKS: tuple[Check, ...] = (
    python,
    clock,
    folder,
    packages,
    writing,
    simulator,
    kernel,
    widgets,
    port,
    browser,
    credentials,
)
