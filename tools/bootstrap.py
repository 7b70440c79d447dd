"""Set up what is missing, then run a command of the course.

Called by `tools/run`, with whatever Python 3.11 or newer it found and nothing else installed.
uv installs exactly what `uv.lock` says into `.venv/`. Where uv is missing it is fetched with pip
into `.uv/`, which belongs to this folder and goes with it. What goes wrong is told in a sentence.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".uv"
VENV = ROOT / ".venv"

UV_VERSION = "0.13.9"  # what is fetched where there is none
UV_OLDEST = (0, 8)  # what is good enough where there is one; pyproject.toml says the same

MEGABYTE = 1_000_000
NEEDED = {False: 700 * MEGABYTE, True: 1_300 * MEGABYTE}  # for a first set-up, by --dev


class SetupError(Exception):
    """The set-up cannot go on. The message says what to do."""


def main(arguments: list[str]) -> None:
    dev = arguments[:1] == ["--dev"]
    command = arguments[1:] if dev else arguments
    if not command:
        raise SetupError("Say what to run: tools/run [--dev] COMMAND [ARGUMENT...]")
    os.environ.update(environment(dict(os.environ)))
    # Another environment that happens to be active is none of ours.
    os.environ.pop("VIRTUAL_ENV", None)
    uv = usable_uv() or bring_uv()
    synchronise(uv, dev=dev)
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        # Else each kernel would compile two thousand modules anew. None of it lands elsewhere.
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(VENV / "bytecode"))
    executable = shutil.which(command[0])
    if executable is None:
        raise SetupError(f"There is no command {command[0]!r} in {VENV}.")
    sys.stdout.flush()
    os.execv(executable, command)


def environment(given: dict[str, str]) -> dict[str, str]:
    """What uv and the command should see, on top of what is given."""
    path = [str(VENV / "bin"), *given.get("PATH", os.defpath).split(os.pathsep), str(LOCAL / "bin")]
    wanted = {
        "PATH": os.pathsep.join(dict.fromkeys(path)),
        "UV_PROJECT_ENVIRONMENT": str(VENV),
    }
    if ssl.create_default_context().cert_store_stats()["x509_ca"]:
        # Trust whom this machine trusts: behind many a company's proxy nothing else works.
        for name in ("UV_SYSTEM_CERTS", "UV_NATIVE_TLS"):  # the same, to new and to older uv
            wanted[name] = given.get(name, "1")
    if not (VENV / "pyvenv.cfg").is_file():
        wanted["UV_PYTHON"] = given.get("UV_PYTHON", sys.executable)
    return wanted


# --- uv -------------------------------------------------------------------------------------------


def usable_uv() -> str | None:
    """The uv to use: the one on the PATH if it is new enough, else the one fetched earlier."""
    for candidate in (shutil.which("uv"), str(LOCAL / "bin" / "uv")):
        if candidate and (version := uv_version(candidate)) and version >= UV_OLDEST:
            if Path(candidate).is_relative_to(LOCAL):
                own_cache()
            return candidate
    return None


def uv_version(executable: str) -> tuple[int, ...] | None:
    """The version of a uv, or None where it does not run."""
    try:
        done = subprocess.run([executable, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"uv (\d+)\.(\d+)", done.stdout)
    if done.returncode or not found:
        return None
    return tuple(int(part) for part in found.groups())


def own_cache() -> None:
    """A uv of our own keeps its downloads here too, so that nothing is left behind elsewhere."""
    os.environ.setdefault("UV_CACHE_DIR", str(LOCAL / "cache"))


def bring_uv() -> str:
    """Fetch uv into `.uv/bin`, whole or not at all. Returns its path."""
    need_room(200 * MEGABYTE)
    say(f"uv, the installer, is not here yet: fetching uv {UV_VERSION} into .uv/ ...")
    LOCAL.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=LOCAL, ignore_cleanup_errors=True) as scratch:
        fetched, failures = None, []
        for way in WAYS:
            try:
                fetched = way(Path(scratch) / way.__name__)
                break
            except SetupError as error:
                failures.append(str(error))
        if fetched is None:
            raise SetupError(explain(failures))
        own = LOCAL / "bin" / "uv"
        own.parent.mkdir(exist_ok=True)
        os.replace(fetched, own)  # at once, so that an interrupted set-up leaves no half of it
    own_cache()
    return str(own)


def with_pip(target: Path) -> Path:
    """With this Python's own pip, if it has one."""
    if not works([sys.executable, "-m", "pip", "--version"]):
        raise SetupError("no pip")
    pip_install(sys.executable, "--target", str(target))
    return target / "bin" / "uv"


def with_venv(target: Path) -> Path:
    """With the pip that venv brings along, if this Python has that (Debian packs it apart)."""
    if not works([sys.executable, "-m", "venv", str(target)]):
        raise SetupError("no venv")
    pip_install(str(target / "bin" / "python"))
    return target / "bin" / "uv"


WAYS: list[Callable[[Path], Path]] = [with_pip, with_venv]


def pip_install(python: str, *options: str) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--no-cache-dir"]
    command += [
        "--disable-pip-version-check",
        "--no-input",
        "--no-deps",
        "--only-binary",
        ":all:",
        *options,
        f"uv=={UV_VERSION}",
    ]
    # A learner's own pip settings may forbid what --target needs.
    settings = os.environ | {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    done = subprocess.run(command, env=settings, capture_output=True, text=True)
    if done.returncode:
        raise SetupError(done.stderr.strip() or "pip failed")


def works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def explain(failures: list[str]) -> str:
    """One sentence for why uv could not be fetched, from what each way said."""
    told = [failure for failure in failures if failure not in ("no pip", "no venv")]
    if not told:
        return (
            f"uv, the installer, could not be fetched: this Python ({sys.executable}) has neither "
            "venv nor pip. Install them (on Debian and Ubuntu: apt install python3-venv), or "
            "install uv itself (https://docs.astral.sh/uv/), and try again."
        )
    if "No space left on device" in told[-1]:
        return disk_full()
    last = told[-1].splitlines()[-1].removeprefix("ERROR: ")
    return (
        "uv, the installer, could not be fetched from the package index. Is this machine online? "
        f"If it needs a proxy, pip's settings must name it. pip said: {last}"
    )


# --- the environment ------------------------------------------------------------------------------


def synchronise(uv: str, *, dev: bool) -> None:
    """Bring `.venv/` to what `uv.lock` says, with the tools for development or without."""
    command = [uv, "sync", "--frozen", "--inexact", *([] if dev else ["--no-dev"])]
    if works([*command, "--check"]):
        return
    if not os.access(VENV if VENV.exists() else ROOT, os.W_OK):
        raise SetupError(
            f"The course has to install into {ROOT}, and you may not write there. "
            "Copy the course to a folder of your own and try again."
        )
    need_room(NEEDED[dev] if not VENV.exists() else 100 * MEGABYTE)
    say("Setting up what uv.lock names, into .venv/. The first time takes a minute or two.")
    if told(command):
        need_room(100 * MEGABYTE)
        raise SetupError(
            "Setting up did not finish; the lines above say why. If a download failed, check that "
            "this machine is online and try again: what has arrived is not fetched twice."
        )


def told(command: list[str]) -> int:
    """Run uv and pass on what it says, but for the list of a hundred packages. Its exit code."""
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():
            if not re.match(r" [-+~] ", line):
                say(line.rstrip())
    return process.returncode


def need_room(wanted: int) -> None:
    """Raise a SetupError where the disk has fewer than `wanted` bytes left."""
    free = shutil.disk_usage(ROOT).free
    if free < wanted:
        raise SetupError(disk_full(free, wanted))


def disk_full(free: int | None = None, wanted: int = NEEDED[True]) -> str:
    left = "" if free is None else f": {free // MEGABYTE} MB are left"
    return (
        f"The disk that holds {ROOT} is full{left}. "
        f"Make room for about {wanted // MEGABYTE} MB and try again."
    )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SetupError as error:
        say(str(error))
        sys.exit(1)
    except OSError as error:
        say(disk_full() if error.errno == errno.ENOSPC else f"Setting up failed: {error}.")
        sys.exit(1)
    except KeyboardInterrupt:
        say("Stopped. Nothing is half done: the next try goes on from here.")
        sys.exit(130)
