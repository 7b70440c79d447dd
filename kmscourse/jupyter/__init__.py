"""JupyterLab, started the way the course needs it.

It serves the course's folder on loopback, behind a token, with this environment's Python as its
only kernel. It reads none of the user's own Jupyter and IPython settings and writes none: what it
keeps is in `.jupyter/` in the course's folder. What the course sets is in `config/`, beside this
file: no news, no search for updates, no installing of extensions, so nothing leaves the machine.
"""

from __future__ import annotations

from kmscourse.jupyter.interrupts import Interrupted, interruptible
from kmscourse.jupyter.ports import DEFAULT_PORT, free_port
from kmscourse.jupyter.problems import JupyterError, NoFreePortError
from kmscourse.jupyter.server import Server, running, serving, stop
from kmscourse.jupyter.surroundings import environment, is_root, log_file, need_room, state_folder

__all__ = [
    "DEFAULT_PORT",
    "Interrupted",
    "JupyterError",
    "NoFreePortError",
    "Server",
    "environment",
    "free_port",
    "interruptible",
    "is_root",
    "log_file",
    "need_room",
    "running",
    "serving",
    "state_folder",
    "stop",
]
