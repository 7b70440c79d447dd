"""Run moto's own KMS tests, from its source distribution, on the simulated AWS of the course.

    python -m tests.cloud.kms.moto_suite FOLDER

FOLDER is an unpacked source distribution of the pinned moto. Nothing is fetched here:
``pip download --no-binary moto --no-deps moto==<version>`` gets the archive.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.cloud.kms.moto_suite.run import page, run

if __name__ == "__main__":
    results = run(Path(sys.argv[1]))
    print(page(results), end="")
    sys.exit(bool(results.unexpected))
