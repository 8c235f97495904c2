"""`python -m tests.peers.array_api CHECKOUT [ARGUMENT ...]`: the array API's test suite, on gpugrad.

CHECKOUT is one of https://github.com/data-apis/array-api-tests with its submodule. NumPy's own list is what
`--module numpy` gives. The suite needs hypothesis, ndindex and pytest-json-report.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def main(arguments: list[str]) -> int:
    """Run the suite of the checkout `arguments[0]`; pytest's exit status."""
    checkout, *rest = arguments
    module = "gpugrad"
    if "--module" in rest:
        at = rest.index("--module")
        module = rest[at + 1]
        del rest[at : at + 2]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "ARRAY_API_TESTS_MODULE": module}
    environment.setdefault("ARRAY_API_TESTS_VERSION", "2024.12")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--disable-deadline", "array_api_tests"]
    return subprocess.run([*command, *rest], cwd=checkout, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
