"""moto's own KMS tests, where its source distribution is at hand: see `moto_suite`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cloud.kms.moto_suite.run import run

FOLDER = os.environ.get("KMSCOURSE_MOTO_SDIST", "")


@pytest.mark.skipif(not FOLDER, reason="KMSCOURSE_MOTO_SDIST names no source distribution of moto")
def test_motos_tests_pass_but_for_what_aws_refuses() -> None:
    results = run(Path(FOLDER))
    assert results.passed
    assert not results.unexpected
