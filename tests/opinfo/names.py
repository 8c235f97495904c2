"""How a name of PyTorch's tables is called in gpugrad, and where its meaning differs on purpose."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

import gpugrad as gg

# Array functions that follow NumPy, and what PyTorch's call means to NumPy. Words that only PyTorch has (`dim=`,
# `keepdim=`, `unbiased=`) choose PyTorch's meaning.
NUMPY_MEANING = {
    "argsort": "an array without axes is one element: the order is [0]",
    "equal": "elementwise",
    "max": "the values alone",
    "median": "the mean of the two values in the middle",
    "min": "the values alone",
    "norm": "of a matrix it is the operator norm",
    "quantile": "the quantiles over all axes",
    "sort": "the values alone",
    "split": "an int is the number of equal parts, a sequence the places to cut at",
    "std": "divided by n",
    "var": "divided by n",
}


def numpy_function(name: str) -> Callable | None:
    """NumPy's function of that name."""
    found: Any = np.linalg if name == "norm" else np
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if callable(found) else None


def resolve(name: str) -> Callable | None:
    """What gpugrad has under a name of `op_db`; None if nothing."""
    found: Any = gg
    for part in name.split("."):
        found = getattr(found, part, None)
        if found is None:
            found = getattr(gg.Tensor, name, None)
            break
    return found if callable(found) else None


def counterpart(name: str, theirs: Any) -> Callable | None:
    """gpugrad's function for an entry of `op_db` that calls `theirs`; None if there is none."""
    found = resolve(name)
    own = isinstance(theirs, FunctionType) and theirs.__module__.startswith("torch.testing")
    return in_gpugrad(theirs) if found is not None and own else found


def in_gpugrad(function: FunctionType) -> Callable:
    """A function of PyTorch's tests with gpugrad in the place of torch."""
    names = {**function.__globals__, "torch": gg}
    return FunctionType(function.__code__, names, None, function.__defaults__, function.__closure__)
