"""Functions as JAX's, in a process of their own: other tests fork, which does not go together with JAX's threads."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("jax") is None:
    pytest.skip("needs JAX", allow_module_level=True)


def test_jax():
    file = Path(__file__).with_name("jax_checks.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stdout + done.stderr
