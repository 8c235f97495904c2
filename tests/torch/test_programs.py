"""Programs in the style of the well-known examples give the same numbers under PyTorch and under `gpugrad.torch`.

Only the imports change: `import torch` becomes `import gpugrad.torch as torch`, `from torch` becomes
`from gpugrad.torch`.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import gpugrad.torch

FOLDER = Path(__file__).parent / "programs"
PROGRAMS = sorted(path for path in FOLDER.glob("*.py") if path.stem != "start")


def in_gpugrad(source):
    """A program with its imports of PyTorch changed to gpugrad's."""
    source = re.sub(r"^import torch$", "import gpugrad.torch as torch", source, flags=re.M)
    source = re.sub(r"^import torch\.(\S+)$", r"import gpugrad.torch.\1", source, flags=re.M)
    source = re.sub(r"^import torch\.", "import gpugrad.torch.", source, flags=re.M)
    return re.sub(r"^from torch\b", "from gpugrad.torch", source, flags=re.M)


def results(source, path):
    names = {"__name__": "program"}
    exec(compile(source, str(path), "exec"), names)
    return names["result"]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_program(path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    monkeypatch.setattr(gpugrad.torch.cuda, "is_available", lambda: False)  # the tests' GPU is emulated, and slow
    source = path.read_text()
    theirs = results(source, path)
    mine = results(in_gpugrad(source), path)
    assert len(mine) == len(theirs) > 5
    np.testing.assert_allclose(mine, theirs, rtol=2e-3, atol=2e-4)


def test_there_are_twenty():
    assert len(PROGRAMS) == 20
