"""moto's own KMS tests on the simulated AWS of the course, and what AWS says where they differ."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
#: Only tests that ask KMS through a client: the others look at moto's own insides.
FILES = (
    "test_kms.py", "test_kms_encrypt.py", "test_kms_grants.py", "test_kms_key_rotation.py",
    "test_kms_mac.py", "test_kms_policy_enforcement.py",
)  # fmt: skip


@dataclass(frozen=True)
class Results:
    """How moto's tests went.

    Attributes:
        known: the tests that assert what AWS would refuse, with AWS's rule, from `aws_refuses`.
    """

    passed: tuple[str, ...]
    failed: tuple[str, ...]
    known: dict[str, str]

    @property
    def unexpected(self) -> list[str]:
        """Tests that fail without a reason of AWS's, and reasons without a failing test."""
        names = {name.partition("[")[0] for name in self.failed}
        return sorted((names - self.known.keys()) | (self.known.keys() - names))


def known() -> dict[str, str]:
    """The tests that assert what AWS would refuse: test name to AWS's rule and its source."""
    text = (HERE / "aws_refuses.yaml").read_text(encoding="utf-8")
    listed: dict[str, str] = yaml.safe_load(text) or {}
    return listed


def run(folder: Path) -> Results:
    """Run the KMS tests of an unpacked source distribution of moto.

    Raises:
        FileNotFoundError: where the folder holds none.
    """
    tests = folder / "tests" / "test_kms"
    if not tests.is_dir():
        raise FileNotFoundError(f"{folder} is no unpacked source distribution of moto.")
    with TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        # The tests alone, so that the moto they import is the one that is installed.
        copied = Path(scratch) / "tests"
        copied.mkdir()
        for helper in tests.parent.glob("*.py"):
            shutil.copy(helper, copied)
        shutil.copytree(tests, copied / "test_kms")
        path = os.pathsep.join(
            [str(HERE), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        )
        command = [
            sys.executable, "-m", "pytest", "-q", "-p", "moto_adapter", "-p", "no:cacheprovider",
            "-c", os.devnull, "--rootdir", scratch, f"--junitxml={report}",
            *(str(copied / "test_kms" / n) for n in FILES if (tests / n).exists()),
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run(command, cwd=scratch, env=environment, capture_output=True, check=False)
        cases = ElementTree.parse(report).getroot().iter("testcase")
        passed, failed = [], []
        for case in cases:
            name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
            bad = case.find("failure") is not None or case.find("error") is not None
            (failed if bad else passed).append(name)
    return Results(tuple(passed), tuple(failed), known())


def page(results: Results) -> str:
    """The results as text: the counts, then each test that fails and why."""
    total = len(results.passed) + len(results.failed)
    lines = [f"{len(results.passed)} of {total} of moto's own KMS tests pass."]
    for name in results.failed:
        reason = results.known.get(name.partition("[")[0], "UNEXPECTED")
        lines.append(f"  {name}\n      {reason}")
    return "\n".join(lines) + "\n"
