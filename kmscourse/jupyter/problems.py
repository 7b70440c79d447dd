"""What can keep JupyterLab from starting, each with a sentence that says what to do."""

from __future__ import annotations


class JupyterError(Exception):
    """JupyterLab cannot be started. The message says why and what to do."""


class NoFreePortError(JupyterError):
    """Every port that was tried is in use, or this one may not be used."""
