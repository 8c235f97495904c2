"""Each call of `calls.txt` gives under `gpugrad.torch` what PyTorch gives; together they use the whole table."""

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import gpugrad.torch as ours
from gpugrad.torch.language import TABLE

LINES = (Path(__file__).parent / "calls.txt").read_text().splitlines()
CALLS = [line for line in LINES if line and not line.startswith("#")]


def names(library: ModuleType) -> dict:
    """The names that the calls use, as tensors of one of the libraries."""
    random = np.random.default_rng(0)
    square = random.standard_normal((4, 4))
    arrays = {
        "x": random.standard_normal((3, 4)), "y": random.standard_normal((3, 4)),
        "z": random.standard_normal((2, 3, 4)), "v": random.standard_normal(4), "w": random.standard_normal(4),
        "p": random.uniform(0.1, 0.9, (3, 4)), "m": 0.3 * square, "s": square @ square.T + np.eye(4),
        "t": np.array([-1.0, -0.2, 0.1, 0.5, 1.5]), "d": random.standard_normal((2, 3, 4, 4)),
        "g": np.array([[1.0, np.nan, 3.0], [np.nan, 2.0, -1.0], [4.0, 0.5, np.inf]]),
    }  # fmt: skip
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    arrays |= {"i": random.integers(0, 3, (3, 4)), "n": np.array([1, 1, 0, 3]), "q": random.random((3, 4)) < 0.5}
    made = {name: library.from_numpy(array.copy()) for name, array in arrays.items()}
    return {**made, "torch": library, "F": library.nn.functional, "array": np.arange(3.0), "float": float, "bool": bool}


def plain(value):
    """What a result holds, comparable between the libraries."""
    if isinstance(value, (torch.Tensor, ours.Tensor)):
        assert isinstance(value, torch.Tensor) or type(value) is ours.Tensor, type(value)
        return str(value.dtype).removeprefix("torch."), value.detach().numpy()
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def agree(mine, theirs):
    if isinstance(theirs, list):
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            agree(a, b)
    elif isinstance(theirs, tuple):
        assert mine[0] == theirs[0]
        np.testing.assert_allclose(mine[1], theirs[1], rtol=2e-4, atol=2e-5)
        assert mine[1].shape == theirs[1].shape
    else:
        assert mine == theirs


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_call(call):
    theirs = plain(eval(call, names(torch)))
    agree(plain(eval(call, names(ours))), theirs)


def test_every_meaning_is_called():
    text = "\n".join(CALLS)
    absent = {
        name for name, meaning in TABLE.items() if not re.search(rf"\b{name}{'_?' if meaning.in_place else ''}\b", text)
    }
    assert absent == {"cuda", "is_shared"}  # without a GPU, and without processes
