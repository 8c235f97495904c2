"""The error inputs of `op_db`: calls that PyTorch refuses."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.testing._internal.common_utils import DeterministicGuard

from .convert import NotComparable, arrays, ours
from .functions import entries, full_name
from .names import counterpart, numpy_function


def accepted() -> Iterator[tuple[str, str]]:
    """The names and calls of error inputs that gpugrad accepts although NumPy does not, or has no such function."""
    for entry in entries()[0]:
        if entry.error_inputs_func is None:
            continue
        with warnings.catch_warnings(), np.errstate(all="ignore"), DeterministicGuard(True):  # which fills empty()
            warnings.simplefilter("ignore")
            for error in entry.error_inputs("cpu"):
                sample = error.sample_input
                given = (sample.input, sample.args, sample.kwargs)
                if _takes(counterpart(entry.name, entry.op), given) and not _numpy_takes(entry.name, given):
                    yield full_name(entry), f"{error.error_regex} :: {sample.summary()}"


def _takes(function: Any, given: tuple) -> bool:
    try:
        first, args, kwargs = ours(given, [])
        function(first, *args, **kwargs)
    except NotComparable:
        return False
    except Exception:
        return False
    return True


def _numpy_takes(name: str, given: tuple) -> bool:
    """Whether NumPy takes the call, PyTorch's words for axes included."""
    words = {"dim": "axis", "keepdim": "keepdims"}
    first, args, kwargs = arrays(ours(given, []))
    try:
        numpy_function(name)(first, *args, **{words.get(key, key): value for key, value in kwargs.items()})
    except Exception:
        return False
    return True
