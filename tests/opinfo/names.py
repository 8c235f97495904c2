"""How a name of PyTorch's tables is called in gpugrad, and where its meaning differs on purpose."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
from torch.testing._internal.common_methods_invocations import wrapper_set_seed

import gpugrad as gg
from gpugrad.ops.methods import COMPARISONS, OPERATORS

# Array functions that follow NumPy, and what PyTorch's call means to NumPy. Words that only PyTorch has (`dim=`,
# `keepdim=`, `unbiased=`) choose PyTorch's meaning.
NUMPY_MEANING = {
    "linalg.solve": "b is a vector only if it has one axis",
    "linalg.solve_ex": "b is a vector only if it has one axis",
    "squeeze": "an axis named has length 1",
    "equal": "elementwise",
    "max": "the values alone",
    "median": "the mean of the two values in the middle",
    "min": "the values alone",
    "nanmedian": "the mean of the two values in the middle",
    "norm": "of a matrix it is the operator norm",
    "sort": "the values alone",
    "split": "an int is the number of equal parts, a sequence the places to cut at",
    "std": "divided by n",
    "var": "divided by n",
}

# Error inputs of PyTorch's that gpugrad takes although NumPy has no such function or does not take those words: how
# many, and why.
ACCEPTED = {
    "complex": (5, "parts of any real dtypes, and numbers, promote as they do elsewhere"),
    "polar": (3, "parts of any real dtypes, and numbers, promote as they do elsewhere"),
    "special.xlog1py": (1, "two numbers are taken, as by scipy.special.xlog1py"),
    "special.zeta": (1, "two numbers are taken, as by scipy.special.zeta"),
    "xlogy": (1, "two numbers are taken, as by scipy.special.xlogy"),
    "masked_fill": (1, "a value (1,) broadcasts, as in numpy.where"),
    "mean": (2, "of integers it is a float, and dtype=int64 truncates, as with numpy.mean"),
    "multinomial": (1, "integers are weights, as in numpy.random.multinomial"),
    "scatter_add": (1, "float32 is added into float64, as by numpy.add.at"),
}


def numpy_function(name: str) -> Callable | None:
    """NumPy's function of that name."""
    word = name.strip("_")
    name = OPERATORS.get(word.removeprefix("r"), COMPARISONS.get(word, name)) if word != "round" else name
    found: Any = np.linalg if name == "norm" else np
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if callable(found) else None


def _unseeded(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """PyTorch's wrapper_set_seed, without the seed."""
    return function(*args, **kwargs)


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
    return within(gg, theirs) if found is not None and own else found


def within(library: Any, function: Any) -> Any:
    """A function of PyTorch's tests with `library` in the place of torch, and random numbers that differ each time."""
    if not isinstance(function, FunctionType) or not function.__module__.startswith("torch.testing"):
        return function
    if function is wrapper_set_seed:
        return _unseeded
    names = {**function.__globals__, "torch": library, "wrapper_set_seed": _unseeded}
    return FunctionType(function.__code__, names, None, function.__defaults__, function.__closure__)
