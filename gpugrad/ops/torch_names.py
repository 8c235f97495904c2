"""The form of a call decides between PyTorch's and NumPy's meanings of a name.

A call that only PyTorch would accept (`dim=`, `keepdim=`, `split(sizes, dim=)`, `max(x, y)`, `transpose(x, 1, 2)`,
`add(x, y, alpha=2)`) has PyTorch's meaning; every other call has NumPy's. `CLASHES` is the whole list.
`gpugrad` shows the functions of this module in place of the ops that have the same names.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from ..autograd.explain import told
from ..autograd.op import Op
from ..autograd.tensor import Tensor
from . import cumulative, elementwise, index, join, linalg, reduce, shape, softmax, sort, statistics
from . import torch_meanings as torch


class Clash(NamedTuple):
    """The words, or the positional arguments behind the first, that show a call to be PyTorch's, and what it does."""

    words: frozenset[str]
    meaning: Callable
    positions: Callable[[tuple], bool] | None = None


def _clash(words: str, meaning: Callable, positions: Callable[[tuple], bool] | None = None) -> Clash:
    return Clash(frozenset(words.split()), meaning, positions)


def _flag_third(rest: tuple) -> bool:
    """(x, dim, True): NumPy has no bool in that place."""
    return len(rest) > 1 and isinstance(rest[1], bool)


def _array_or_flag(rest: tuple) -> bool:
    return torch.is_array(rest[0]) or _flag_third(rest)


def _flag(rest: tuple) -> bool:
    return isinstance(rest[0], bool) or _flag_third(rest)


def _int(rest: tuple) -> bool:
    return isinstance(rest[0], int)


def _number(rest: tuple) -> bool:
    return rest[0] is None or isinstance(rest[0], (int, float)) and not isinstance(rest[0], bool)


def _graph(rest: tuple) -> bool:
    """A Tensor in the graph, where NumPy's meaning has no gradient."""
    return isinstance(rest[0], Tensor) and rest[0].requires_grad


def _two_ints(rest: tuple) -> bool:
    return len(rest) == 2 and all(isinstance(axis, int) for axis in rest)


CLASHES: dict[str, Clash] = {
    "max": _clash("dim keepdim other", torch.extremum("max"), _array_or_flag),
    "min": _clash("dim keepdim other", torch.extremum("min"), _array_or_flag),
    "cummax": _clash("dim", torch.running_extremum("cummax"), _int),
    "cummin": _clash("dim", torch.running_extremum("cummin"), _int),
    "median": _clash("dim keepdim", torch.median, _flag_third),
    "quantile": _clash("dim keepdim interpolation", torch.quantile, _graph),
    "sort": _clash("dim descending", torch.sort, _flag_third),
    "argsort": _clash("dim", torch.argsort, _flag_third),
    "var": _clash("dim unbiased keepdim", torch.deviation("var"), _flag),
    "std": _clash("dim unbiased keepdim", torch.deviation("std"), _flag),
    "nan_to_num": _clash("", torch.nan_to_num, _number),
    "nonzero": _clash("as_tuple", torch.nonzero),
    "tensordot": _clash("dims", torch.product_over),
    "norm": _clash("p", torch.norm),
    "split": _clash("dim split_size split_size_or_sections", torch.split),
    "transpose": _clash("dim0 dim1", torch.transpose, _two_ints),
    "squeeze": _clash("dim", torch.squeeze),
    "svd": _clash("some", torch.svd),
    "index_add": _clash("dim index alpha", torch.added_at("index_add"), _int),
    "scatter_add": _clash("dim index src", torch.added_at("scatter_add"), _int),
    "softmax": _clash("dtype", torch.with_dtype("softmax")),
    "log_softmax": _clash("dtype", torch.with_dtype("log_softmax")),
    "add": _clash("alpha other", torch.scaled("add")),
    "subtract": _clash("alpha other", torch.scaled("subtract")),
    "divide": _clash("rounding_mode other", torch.divide),
    "true_divide": _clash("rounding_mode other", torch.divide),
}
ALIASES = {"sub": "subtract", "div": "divide"}  # methods under PyTorch's names


def by_form(name: str, numpy_meaning: Callable) -> Callable:
    """Return a function that does what NumPy's does, unless the call has a form that only PyTorch knows."""
    words, torch_meaning, positions = CLASHES[name]
    torch_meaning.__name__ = name
    meant = told(torch_meaning)

    @wraps(numpy_meaning)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not words.isdisjoint(kwargs) and "axis" not in kwargs:
            return meant(*args, **kwargs)
        if positions is not None and len(args) > 1 and positions(args[1:]):
            return meant(*args, **kwargs)
        return numpy_meaning(*args, **kwargs)

    return call


def _both_meanings(name: str) -> Callable:
    """Return gpugrad's function of that name, which has NumPy's meaning, with PyTorch's too.

    An op whose signature has none of the words asks for PyTorch's meaning itself, when a call does not fit it.
    """
    numpy_meaning = next(getattr(home, name) for home in _HOMES if name in home.__all__)
    words, torch_meaning, positions = CLASHES[name]
    if isinstance(numpy_meaning, Op) and positions is None and "dim" not in words:
        numpy_meaning.other_form = words, torch_meaning
        return numpy_meaning
    return by_form(name, numpy_meaning)


_HOMES = (cumulative, elementwise, index, join, linalg, reduce, shape, softmax, sort, statistics)
globals().update({name: _both_meanings(name) for name in CLASHES})
__all__ = sorted(CLASHES)  # pyright: ignore[reportUnsupportedDunderAll]
