"""A pytest plugin: where moto's tests say ``mock_aws``, the simulated AWS of the course stands.

Loaded by name (``-p moto_adapter``) in a pytest of moto's own test folder, before its tests
are imported.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any

import moto
from botocore.client import BaseClient

import kmscourse.cloud.moto_door  # takes moto's own mock_aws before it is replaced below
from kmscourse import cloud


class MockAWS:
    """``moto.mock_aws`` in its three forms: a decorator, one with arguments, a context manager."""

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        self._running: list[AbstractContextManager[cloud.Cloud]] = []

    def __enter__(self) -> MockAWS:
        self._running.append(cloud.running())
        self._running[-1].__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._running.pop().__exit__(*error)

    start = __enter__

    def stop(self) -> None:
        self.__exit__(None, None, None)

    def __call__(self, function: Any) -> Any:
        @functools.wraps(function)
        def within(*args: Any, **kwargs: Any) -> Any:
            with cloud.running():
                return function(*args, **kwargs)

        return within


def mock_aws(function: Any = None, config: dict[str, Any] | None = None) -> Any:
    """As moto's own."""
    return MockAWS(config) if function is None else MockAWS()(function)


def _make_api_call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
    """Most of moto's tests create keys with the text "my policy" as a policy.

    AWS refuses that (MalformedPolicyDocumentException), and so does the course. It is left
    out here, so that what these tests are about is tried all the same.
    """
    if operation == "CreateKey" and parameters.get("Policy") == "my policy":
        parameters = {name: value for name, value in parameters.items() if name != "Policy"}
    return _as_it_was(client, operation, parameters)


_as_it_was = BaseClient._make_api_call
BaseClient._make_api_call = _make_api_call
assert kmscourse.cloud.moto_door.mock_aws is not mock_aws
moto.mock_aws = mock_aws
