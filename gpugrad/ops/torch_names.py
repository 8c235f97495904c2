"""The form of a call decides between PyTorch's and NumPy's meanings of a name.

A call that only PyTorch would accept (`dim=`, `keepdim=`, `split(sizes, dim=)`, `max(x, y)`, `transpose(x, 1, 2)`,
`add(x, y, alpha=2)`) has PyTorch's meaning; every other call has NumPy's. `CLASHES` is the whole list.
`gpugrad` shows the functions of this module; those of the op families have NumPy's meaning alone.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from ..autograd.explain import told
from ..autograd.op import Op
from ..autograd.tensor import Tensor
from . import cumulative, elementwise, index, join, linalg, reduce, shape, statistics
from . import softmax as softmaxes
from . import sort as sorting
from . import torch_meanings as torch


class Clash(NamedTuple):
    """The words, or the positional arguments behind the first, that show a call to be PyTorch's, and what it does."""

    words: frozenset[str]
    meaning: Callable
    positions: Callable[[tuple], bool] | None = None


def flag_third(rest: tuple) -> bool:
    """Return whether the third argument is a bool: (x, dim, True); NumPy has none in that place."""
    return len(rest) > 1 and isinstance(rest[1], bool)


def _array_or_flag(rest: tuple) -> bool:
    return torch.is_array(rest[0]) or flag_third(rest)


def _flag(rest: tuple) -> bool:
    return isinstance(rest[0], bool) or flag_third(rest)


def _int(rest: tuple) -> bool:
    return isinstance(rest[0], int)


def _number(rest: tuple) -> bool:
    return rest[0] is None or isinstance(rest[0], (int, float)) and not isinstance(rest[0], bool)


def _graph(rest: tuple) -> bool:
    """A Tensor in the graph, where NumPy's meaning has no gradient."""
    return isinstance(rest[0], Tensor) and rest[0].requires_grad


def two_ints(rest: tuple) -> bool:
    """Return whether the arguments behind the first are two ints."""
    return len(rest) == 2 and all(isinstance(axis, int) for axis in rest)


def flag_fourth(rest: tuple) -> bool:
    """Return whether the fourth argument is a bool."""
    return len(rest) > 2 and isinstance(rest[2], bool)


CLASHES: dict[str, Clash] = {}
ALIASES = {"sub": "subtract", "div": "divide"}  # methods under PyTorch's names


def by_form(name: str, numpy_meaning: Callable) -> Callable:
    """Return a function that does what NumPy's does, unless the call has a form that only PyTorch knows."""
    words, torch_meaning, positions = CLASHES[name]
    meant = told(torch_meaning)

    @wraps(numpy_meaning)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not words.isdisjoint(kwargs) and "axis" not in kwargs:
            return meant(*args, **kwargs)
        if positions is not None and len(args) > 1 and positions(args[1:]):
            return meant(*args, **kwargs)
        return numpy_meaning(*args, **kwargs)

    return call


def _both(
    numpy_meaning: Callable, words: str, torch_meaning: Callable, positions: Callable[[tuple], bool] | None = None
) -> Callable:
    """Return gpugrad's function, which has NumPy's meaning, with PyTorch's too, and enter the clash into `CLASHES`.

    An op whose signature has none of the words asks for PyTorch's meaning itself, when a call does not fit it.
    """
    name = numpy_meaning.__name__
    torch_meaning.__name__ = torch_meaning.__qualname__ = name
    clash = CLASHES[name] = Clash(frozenset(words.split()), torch_meaning, positions)
    if isinstance(numpy_meaning, Op) and positions is None and "dim" not in clash.words:
        return numpy_meaning.otherwise(clash.words, told(torch_meaning))
    return by_form(name, numpy_meaning)


def or_torch(words: str, torch_meaning: Callable, positions: Callable[[tuple], bool] | None = None) -> Callable:
    """Return the decorator that gives a function with NumPy's meaning PyTorch's too, as the functions below have it;
    modules that are imported when they are needed use it."""
    return lambda numpy_meaning: _both(numpy_meaning, words, torch_meaning, positions)


max = _both(reduce.max, "dim keepdim other", torch.extremum("max"), _array_or_flag)
min = _both(reduce.min, "dim keepdim other", torch.extremum("min"), _array_or_flag)
cummax = _both(cumulative.cummax, "dim", torch.running_extremum("cummax"), _int)
cummin = _both(cumulative.cummin, "dim", torch.running_extremum("cummin"), _int)
median = _both(statistics.median, "dim keepdim", torch.median, flag_third)
quantile = _both(statistics.quantile, "dim keepdim interpolation", torch.quantile, _graph)
sort = _both(sorting.sort, "dim descending", torch.sort, flag_third)
argsort = _both(sorting.argsort, "dim", torch.argsort, flag_third)
nonzero = _both(sorting.nonzero, "as_tuple", torch.nonzero)
var = _both(reduce.var, "dim unbiased keepdim", torch.deviation("var"), _flag)
std = _both(reduce.std, "dim unbiased keepdim", torch.deviation("std"), _flag)
nan_to_num = _both(elementwise.nan_to_num, "", torch.nan_to_num, _number)
tensordot = _both(linalg.tensordot, "dims", torch.product_over)
norm = _both(linalg.norm, "p", torch.norm)
svd = _both(linalg.svd, "some compute_uv", torch.svd)
split = _both(join.split, "dim split_size split_size_or_sections", torch.split)
transpose = _both(shape.transpose, "dim0 dim1", torch.transpose, two_ints)
squeeze = _both(shape.squeeze, "dim", torch.squeeze)
index_add = _both(index.index_add, "dim index alpha", torch.added_at("index_add"), _int)
scatter_add = _both(index.scatter_add, "dim index src", torch.added_at("scatter_add"), _int)
softmax = _both(softmaxes.softmax, "dtype", torch.with_dtype("softmax"))
log_softmax = _both(softmaxes.log_softmax, "dtype", torch.with_dtype("log_softmax"))
add = _both(elementwise.add, "alpha other", torch.scaled("add"))
subtract = _both(elementwise.subtract, "alpha other", torch.scaled("subtract"))
divide = true_divide = _both(elementwise.divide, "rounding_mode other", torch.divide)
CLASHES["true_divide"] = CLASHES["divide"]

__all__ = [
    "add", "argsort", "cummax", "cummin", "divide", "index_add", "log_softmax", "max", "median", "min", "nan_to_num",
    "nonzero", "norm", "quantile", "scatter_add", "softmax", "sort", "split", "squeeze", "std", "subtract", "svd",
    "tensordot", "transpose", "true_divide", "var",
]  # fmt: skip
