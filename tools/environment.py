"""Write environment.yml, for conda and Binder, from uv.lock: `make environment`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "3.12"

HEADER = f"""\
# Made from uv.lock by `make environment`: do not edit.
# conda env create --file environment.yml && conda activate aws-encryption && course
name: aws-encryption
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python={PYTHON}
  - pip
  - pip:
"""


def exported() -> list[str]:
    """What pip should install, as requirement lines, from the lock alone."""
    command = ["uv", "export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes"]
    command += ["--no-annotate", "--no-header", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def environment(requirements: list[str]) -> str:
    pins = [f"      - {line}\n" for line in requirements]
    return HEADER + "".join(pins) + "      - -e .\n"


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(environment(exported()), encoding="utf-8")
    sys.stderr.write("environment.yml is written.\n")
