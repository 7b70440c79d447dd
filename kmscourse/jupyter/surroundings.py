"""What JupyterLab is started with: its command line, its environment, its folders."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from kmscourse.jupyter.ports import ADDRESS
from kmscourse.jupyter.problems import JupyterError

NEEDED_BYTES = 50_000_000

_CONFIG = Path(__file__).resolve().parent / "config"


def state_folder(home: Path) -> Path:
    """Where JupyterLab keeps settings, history and running servers. Ignored by git."""
    return home / ".jupyter"


def log_file(home: Path, port: int) -> Path:
    return state_folder(home) / f"server-{port}.log"


def environment(home: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The environment of the server and of its kernels: `given`, without what could break them."""
    foreign = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "MPLBACKEND")
    kept = {
        name: value
        for name, value in given.items()
        if not name.startswith(("JUPYTER", "IPYTHON")) and name not in foreign
    }
    state = state_folder(home)
    programs = [str(Path(sys.executable).parent), *filter(None, [given.get("PATH")])]
    return kept | {
        "PATH": os.pathsep.join(programs),  # a cell finds this environment's `aws`
        "JUPYTER_CONFIG_PATH": str(_CONFIG),
        "JUPYTER_CONFIG_DIR": str(state / "config"),
        "JUPYTER_DATA_DIR": str(state / "data"),
        "JUPYTER_RUNTIME_DIR": str(state / "runtime"),
        "JUPYTER_PREFER_ENV_PATH": "1",  # this environment's kernel before any other of that name
        "IPYTHONDIR": str(state / "ipython"),
        "MPLCONFIGDIR": str(state / "matplotlib"),
        "XDG_CACHE_HOME": str(state / "cache"),
        "PYTHONNOUSERSITE": "1",
        "PYTHONSTARTUP": str(_CONFIG / "startup.py"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else each kernel greets with a warning
        "KMSCOURSE_HOME": str(home),
    }


def command(home: Path, *, port: int, path: str = "", browser: bool = True) -> list[str]:
    """The command line that starts JupyterLab on `home`, opening `path` in the browser."""
    line = [sys.executable, "-m", "jupyterlab"]
    line += [
        f"--ServerApp.root_dir={home}",
        f"--ServerApp.ip={ADDRESS}",
        f"--ServerApp.port={port}",
    ]
    line += [f"--ServerApp.open_browser={browser}"]
    if os.name == "posix":
        # Without this it is a login shell, and /etc/profile puts our programs off the path.
        shell = os.environ.get("SHELL") or shutil.which("sh") or "/bin/sh"
        line.append(f"--ServerApp.terminado_settings={ {'shell_command': [shell]} }")
    if path:
        line.append(f"--LabApp.default_url=/lab/tree/{urllib.parse.quote(path)}")
    if is_root():
        line.append("--allow-root")
    return line


def is_root() -> bool:
    """Jupyter refuses to run as root unless told; in a container that is the usual user."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def need_room(home: Path) -> None:
    """Raise a JupyterError where the folder cannot be written or the disk is full."""
    state = state_folder(home)
    try:
        state.mkdir(exist_ok=True)
        probe = state / f".writable-{os.getpid()}"
        probe.write_bytes(b"0")
        probe.unlink()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise JupyterError(disk_full(home)) from error
        raise JupyterError(
            f"The course has to write to {home}, and that failed: {error.strerror}. "
            "Copy the course to a folder of your own and start it there."
        ) from error
    if shutil.disk_usage(home).free < NEEDED_BYTES:
        raise JupyterError(disk_full(home))


def lay_style(home: Path) -> None:
    """Put our style sheet where JupyterLab looks for one: among the settings of its user."""
    folder = state_folder(home) / "config" / "custom"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_CONFIG / "custom" / "custom.css", folder / "custom.css")


def disk_full(home: Path) -> str:
    free = shutil.disk_usage(home).free // 1_000_000
    return (
        f"The disk that holds {home} is full: {free} MB are left, and your work could not be "
        f"saved. Make room for at least {NEEDED_BYTES // 1_000_000} MB and try again."
    )
