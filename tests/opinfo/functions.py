"""The samples of `op_db`: functions and methods."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import gpugrad as gg
from gpugrad.errors import OptionError

from .convert import NotComparable, arrays, difference, ours, results, shapes, tensors, theirs
from .names import NUMPY_MEANING, counterpart, numpy_function, within
from .outcome import Outcome

RTOL = {torch.float64: 1e-7, torch.float32: 1e-4}
DTYPES = (torch.float64, torch.int64, torch.bool, torch.float32)  # the first that a function takes
# CTC's gradient is that of log_probs as free numbers; PyTorch's is that of the scores before log_softmax.
BEHIND_LOG_SOFTMAX = {"nn.functional.ctc_loss"}


def full_name(entry: Any) -> str:
    """The name of an entry, with its variant."""
    return f"{entry.name}/{entry.variant_test_name}" if entry.variant_test_name else entry.name


def entries() -> tuple[list, list[str]]:
    """The entries of `op_db` that gpugrad has a function for, and the names of the others."""
    present, absent = [], []
    for entry in op_db:
        known = counterpart(entry.name, entry.op) is not None and _dtype(entry) is not None
        (present if known else absent).append(entry)
    return present, [full_name(entry) for entry in absent]


def _dtype(entry: Any) -> torch.dtype | None:
    return next((dtype for dtype in DTYPES if dtype in entry.dtypes), None)


def outcomes(entry: Any, most: int | None = None) -> Iterator[Outcome]:
    """What becomes of the samples of an entry, of `most` of them that chance chose (the same ones each time) or all."""
    dtype = _dtype(entry)
    torch.manual_seed(0)
    np.random.seed(0)
    gradients = dtype is torch.float64 and entry.supports_autograd
    samples = list(enumerate(entry.sample_inputs("cpu", dtype, requires_grad=gradients)))
    if most is not None and len(samples) > most:
        samples = sorted(random.Random(full_name(entry)).sample(samples, most), key=lambda pair: pair[0])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for number, sample in samples:
            yield Outcome(full_name(entry), number, *_outcome(entry, sample, _tolerance(sample)))


def _tolerance(sample: Any) -> float:
    """The relative error that the least precise floating-point tensor of a sample allows."""
    given = tensors([sample.input, list(sample.args), sample.kwargs])
    return max([RTOL.get(t.dtype, 1e-7) for t in given if isinstance(t, torch.Tensor)], default=1e-7)


def _outcome(entry: Any, sample: Any, rtol: float) -> tuple[str, str]:
    given = (sample.input, sample.args, sample.kwargs)
    finish = sample.output_process_fn_grad
    function, peer = counterpart(entry.name, entry.op), within(torch, entry.op)
    if entry.name in BEHIND_LOG_SOFTMAX:
        function, peer = _behind_log_softmax(gg, function), _behind_log_softmax(torch, peer)
    if isinstance(entry.gradcheck_wrapper, FunctionType) and entry.supports_autograd:
        function, peer = (
            partial(within(library, entry.gradcheck_wrapper), call) for library, call in ((gg, function), (torch, peer))
        )
    want = partial(_answer, torch, peer, finish, theirs, given)
    try:
        expected = want()
        got = _answer(gg, function, within(gg, finish), ours, given)
        problem = difference(got, expected, rtol)
    except NotComparable as reason:
        return "not comparable", str(reason)
    except Exception as error:
        if isinstance(error, AttributeError) and error.name in _names_in(entry.op):
            return "not comparable", f"PyTorch's test calls {error.name}, which gpugrad does not have"
        if _as_numpy(entry.name, given, None, rtol):
            return "NumPy's", ""
        if isinstance(sample.input, torch.Tensor) and (sample.input.ndim == 0 or sample.input.numel() == 0):
            return "not comparable", f"an input without axes or elements: {error}"
        if isinstance(error, OptionError) and sample.kwargs.get("eps", 0) < 0:
            return "not comparable", "a negative eps, which PyTorch computes with"
        return "crash", f"{type(error).__name__}: {error} :: {sample.summary()}"
    undefined = entry.name.startswith("empty") and shapes(got) == shapes(expected)
    if problem is None or undefined or shapes(got) == shapes(expected) and _varies(want, expected, rtol):
        return "right", ""
    if _as_numpy(entry.name, given, got, rtol):
        return "NumPy's", ""
    return "wrong", f"{problem} :: {sample.summary()}"


def _answer(library: Any, function: Callable, finish: Callable, convert: Callable, given: tuple) -> tuple[list, list]:
    """Values and gradients of a call with converted copies of the arguments."""
    leaves: list = []
    first, args, kwargs = convert(given, leaves)
    return results(library, lambda: finish(function(first, *args, **kwargs)), leaves)


def _behind_log_softmax(library: Any, function: Callable) -> Callable:
    return lambda x, *args, **kwargs: function(library.log_softmax(x, -1), *args, **kwargs)


def _varies(answer: Callable, before: tuple, rtol: float) -> bool:
    """Whether PyTorch gives other answers with other seeds."""
    for seed in range(16):
        torch.manual_seed(seed)
        if difference(answer(), before, rtol) is not None:
            return True
    return False


def _as_numpy(name: str, given: tuple, got: tuple | None, rtol: float) -> bool:
    """Whether NumPy's function of that name gives the same values; for got=None, whether it raises an error too."""
    function = numpy_function(name)
    first, args, kwargs = arrays(ours(given, []))
    if name not in NUMPY_MEANING or got is None and kwargs:  # NumPy's error could be about PyTorch's words
        return False
    if name == "sort" and not first.ndim:  # a 0-d input has the axes 0 and -1 in gpugrad
        values = first
    else:
        try:
            values = function(first, *args, **kwargs)
        except Exception:
            return got is None
    values = values if isinstance(values, (list, tuple)) else [values]
    return got is not None and difference((got[0], []), ([np.asarray(v) for v in values], []), rtol) is None


def _names_in(function: Any) -> tuple[str, ...]:
    """The names that a function of PyTorch's tests uses."""
    return function.__code__.co_names if isinstance(function, FunctionType) else ()
