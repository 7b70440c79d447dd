"""The two kinds of error the simulated AWS knows."""

from __future__ import annotations


class AWSError(Exception):
    """A request refused as AWS refuses it: a code, a message and an HTTP status.

    The gateway turns it into the response of the service's own protocol, so that a
    client sees ``botocore.exceptions.ClientError`` as it would from AWS.

    Args:
        code: the error code, e.g. ``"NotFoundException"``.
        message: the words of AWS, which may be empty where AWS sends none.
        status: the HTTP status code.
    """

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.status = status


class OfflineError(RuntimeError):
    """A connection to another machine was refused: nothing leaves this one."""
