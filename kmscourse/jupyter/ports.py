"""Finding a free port on loopback."""

from __future__ import annotations

import errno
import os
import socket

from kmscourse.jupyter.problems import NoFreePortError

ADDRESS = "127.0.0.1"
DEFAULT_PORT = 8888
PORTS_TRIED = 50


def free_port(first: int = DEFAULT_PORT, tries: int = PORTS_TRIED) -> int:
    """The first free port on loopback, counting from `first`. Raises NoFreePortError."""
    last = min(first + tries - 1, 65535)
    for port in range(first, last + 1):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            if os.name == "posix":  # as the server itself does; elsewhere it means another thing
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ADDRESS, port))
            except PermissionError as error:
                raise NoFreePortError(
                    f"You may not use port {port}. Choose one from 1024 up: course --port 8888"
                ) from error
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            return port
    raise NoFreePortError(
        f"The ports {first} to {last} are all in use. Close what you no longer need, "
        f"or choose another: course --port {first + 1000 if first < 60000 else DEFAULT_PORT}"
    )
