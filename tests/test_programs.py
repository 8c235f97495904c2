"""Programs written for PyTorch run on gpugrad when only their import lines change, and give the same numbers.

The programs define their networks themselves, as PyTorch's users do, and do not import those of `gpugrad.models`: it is
the text of a whole program that must run in both libraries.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import gpugrad as gg

PROGRAMS = Path(__file__).parent / "programs"
RNG = np.random.default_rng(0)
DATA = {
    "mnist_cnn": lambda: (RNG.random((40, 1, 28, 28)), RNG.integers(0, 10, 40)),
    "char_lstm": lambda: (),
    "small_gpt": lambda: (RNG.integers(0, 17, (4, 12)),),
}
IMPORTS = [  # what replaces an import line's text
    (r"^import torch$", "import gpugrad as torch"),
    (r"^import torch\.", "import gpugrad."),
    (r"^from torch\.utils\.data ", "from gpugrad.data "),
    (r"^from torch\.", "from gpugrad."),
]


def loaded(name, library):
    source = (PROGRAMS / f"{name}.py").read_text()
    if library is gg:
        for old, new in IMPORTS:
            source = re.sub(old, new, source, flags=re.MULTILINE)
        assert not re.search(r"^(import|from) torch", source, re.MULTILINE)
    module = {"__name__": name}
    exec(compile(source, f"{name}.py", "exec"), module)
    return module


@pytest.mark.parametrize("name", DATA)
def test_program(name):
    data = DATA[name]()
    theirs = loaded(name, torch)
    torch.manual_seed(0)
    model = theirs["build"]().double()
    ours = loaded(name, gg)
    same = ours["build"]().double()
    same.load_state_dict({key: gg.tensor(value.numpy()) for key, value in model.state_dict().items()})
    expected = theirs["train"](model, *data)
    got = ours["train"](same, *data)
    np.testing.assert_allclose(got, expected, rtol=1e-7)
    assert expected[-2] != expected[0]
