"""NumPy's forms of calls: `out=`, `where=`, `initial=`, `dtype=` of ops, and NumPy's own functions on Tensors.

`np.sum(x)`, `np.linalg.norm(x)` and `np.add(x, y)` of a Tensor are gpugrad's functions of the same names; a function
that gpugrad does not have is an error that says how to convert.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from ..autograd.convert import asarray, raw
from ..autograd.explain import told
from ..autograd.mode import mode
from ..autograd.nests import map_tensors
from ..autograd.op import OPS, Op
from ..autograd.tensor import Tensor, method
from ..autograd.ufunc import Elementwise
from ..autograd.versions import changed
from ..errors import DTypeError, GradientError, ShapeError
from . import linalg, moving, shape
from .elementwise import where as choose

WORDS = frozenset("out where initial casting order subok dtype".split())
# The functions that reduce by a ufunc, or run along an axis with it, and the ufunc's neutral element.
REDUCED = {
    "add": ("sum", 0), "multiply": ("prod", 1), "maximum": ("max", None), "minimum": ("min", None),
    "logical_and": ("all", True), "logical_or": ("any", False), "logaddexp": ("logsumexp", -np.inf),
}  # fmt: skip
ACCUMULATED = {
    "add": "cumsum", "multiply": "cumprod", "maximum": "cummax", "minimum": "cummin", "logaddexp": "logcumsumexp",
}  # fmt: skip
_NEUTRAL = {
    "sum": 0, "prod": 1, "all": True, "any": False, "count_nonzero": 0, "logsumexp": -np.inf, "mean": None,
    "var": None, "std": None, "max": None, "min": None,
}  # fmt: skip
_PLAIN: dict[str, Any] = {
    "casting": ("same_kind", "no", "equiv", "safe"),
    "order": ("K", "C", "A"),
    "subok": (True, False),
}
# SciPy's ufuncs under names that gpugrad calls otherwise.
_SCIPY = {"expit": "sigmoid", "gammaln": "lgamma", "psi": "digamma", "invert": "bitwise_invert"}
# Functions that ask about memory, print or save: they get the arrays, which drawing libraries rely on.
_OF_ARRAYS = frozenset(
    "may_share_memory shares_memory array2string array_repr array_str save savez savez_compressed savetxt".split()
)


def call_with_words(op: Op, args: tuple, kwargs: dict, misfit: DTypeError) -> Any:
    """Call an op with NumPy's words among its keywords, which its signature does not have: `misfit` says so."""
    name = op.name
    own = {word: kwargs[word] for word in WORDS & set(op.attributes) if word in kwargs}
    rest = {word: value for word, value in kwargs.items() if word not in WORDS}
    words = {word: kwargs[word] for word in WORDS if word in kwargs and word not in own}
    if not words or not (isinstance(op, Elementwise) or op.name in _NEUTRAL or "out" in words):
        raise misfit
    for word, allowed in _PLAIN.items():
        if word in words and words.pop(word) not in allowed:
            raise DTypeError(f"{name}: {word}={kwargs[word]!r} is not one of {', '.join(map(repr, allowed))}")
    out, where = words.pop("out", None), words.pop("where", True)
    if isinstance(out, tuple):
        (out,) = out
    dtype = words.pop("dtype", None)
    if where is not True or dtype is not None:
        if op.name not in _NEUTRAL and not isinstance(op, Elementwise):
            raise DTypeError(f"{name}: where= and dtype= are for elementwise ops and reductions")
    if dtype is not None and np.dtype(dtype) != np.bool_:  # of comparisons, it is the result's anyway
        args = tuple(asarray(a).to(dtype=dtype) for a in args[: len(op.inputs)]) + args[len(op.inputs) :]
    if op.name in _NEUTRAL:
        made = _reduced(op, args, {**rest, **own}, where, words)
    elif words:
        raise DTypeError(f"{name}: {', '.join(words)} is for reductions such as sum, max and all")
    else:
        made = op(*args, **rest, **own)
        if where is not True:
            if isinstance(made, tuple):
                raise DTypeError(f"{name}: where= is for ops with one result")
            made = choose(asarray(where, "bool", made.device), made, 0 if out is None else asarray(out).clone())
    return made if out is None else written(name, made, out)


def _reduced(op: Op, args: tuple, kwargs: dict, where: Any, words: dict) -> Any:
    """Reduce the elements at which `where` holds, and the number `initial`."""
    x, initial = asarray(args[0]), words.pop("initial", None)
    if initial is np._NoValue:  # type: ignore[attr-defined]
        initial = None
    neutral = _NEUTRAL[op.name]
    if initial is not None and op.name not in ("sum", "prod", "max", "min"):
        raise DTypeError(f"{op.name}: initial= is for sum, prod, max and min")
    bound, attributes = op.signature.bind((x, *args[1:]), kwargs)
    if op.name in ("mean", "var", "std"):
        return (
            op(x, **attributes) if where is True else _moment(op.name, x, attributes, asarray(where, "bool", x.device))
        )
    if where is not True:
        if op.name in ("max", "min"):
            if initial is None:
                raise ShapeError(f"{op.name}: where= needs initial=, the result where no element is chosen")
            neutral = initial
        x = choose(asarray(where, "bool", x.device), x, neutral)
    if initial is None:
        return op(x, **attributes)
    if op.name in ("sum", "prod"):
        made = op(x, **attributes)
        return made + initial if op.name == "sum" else made * initial
    if not x._array.size:
        return OPS["sum"](x, axis=attributes["axis"], keepdims=attributes["keepdims"]) + initial
    return OPS[f"{op.name}imum"](op(x, **attributes), initial)


def _moment(name: str, x: Tensor, attributes: dict, where: Tensor) -> Tensor:
    """Return the mean, variance or standard deviation of the elements at which `where` holds."""
    axis, keepdims = attributes["axis"], attributes["keepdims"]
    where = OPS["broadcast_to"](where, shape=x.shape)

    def total(values: Tensor, keepdims: bool) -> Tensor:
        return OPS["sum"](choose(where, values, 0), axis=axis, keepdims=keepdims)

    def count(keepdims: bool) -> Tensor:
        return OPS["sum"](where, axis=axis, keepdims=keepdims)

    if name == "mean":
        return total(x, keepdims) / count(keepdims)
    d = x - total(x, True) / count(True)
    free = count(keepdims) - (attributes["ddof"] if attributes["correction"] is None else attributes["correction"])
    variance = total(d * d, keepdims) / free
    return variance if name == "var" else OPS["sqrt"](variance)


def written(name: str, made: Any, out: Any) -> Any:
    """Write a result into `out`, a Tensor (which then continues its graph) or an ndarray, and return that."""
    if isinstance(made, tuple) and isinstance(out, tuple):
        return tuple(written(name, m, o) if o is not None else m for m, o in zip(made, out, strict=True))
    if not isinstance(out, (Tensor, np.ndarray)) or not isinstance(made, Tensor):
        raise DTypeError(f"{name}: out= is a Tensor or an ndarray, got {type(out).__name__}")
    if made.shape != out.shape or not np.can_cast(made.dtype, out.dtype, "same_kind"):
        raise ShapeError(
            f"{name}: the result {made.shape} {made.dtype} does not fit out= {tuple(out.shape)} {out.dtype}"
        )
    if isinstance(out, Tensor):
        out[...] = made
    elif made.requires_grad:
        raise GradientError(
            f"{name}: the result requires a gradient, and an ndarray, written in place, has no place in the graph; "
            "use a Tensor instead, or detach()"
        )
    else:
        out[...] = made.numpy()
    return out


def reshape(x: Any, shape: Any, *, order: str = "C", copy: bool | None = None) -> Tensor:
    """Return `reshape` with NumPy's `order` of elements and the array API's `copy`."""
    x = asarray(x)
    if order not in ("C", "F", "A"):
        raise DTypeError(f"reshape: order is 'C', 'F' or 'A', got {order!r}")
    if order == "F" or order == "A" and x.ndim > 1 and x.T.is_contiguous() and not x.is_contiguous():
        backwards = (shape,) if isinstance(shape, int) else tuple(shape)[::-1]
        made = OPS["transpose"](OPS["reshape"](OPS["transpose"](x), shape=backwards))
    else:
        made = OPS["reshape"](x, shape=shape)
    shared = np.may_share_memory(x._array, made._array) if x.device.type == "cpu" else made._array.base is not None
    if copy is False and not shared:
        raise ShapeError(f"reshape: copy=False, but {x.shape} in this order of memory becomes {shape} only by a copy")
    return made.clone() if copy and shared else made


def astype(x: Any, dtype: Any, *, copy: bool = True, device: Any = None, **numpy_words: Any) -> Tensor:
    """Return `astype` with the array API's `copy` and `device`."""
    return asarray(x).to(dtype=dtype, device=device, copy=copy)


def cross(x: Any, y: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor:
    """Return `cross` with NumPy's axis for each of the three vectors."""
    if axis is not None:
        axisa = axisb = axisc = axis
    made = OPS["cross"](*[OPS["moveaxis"](v, source=at, destination=-1) for v, at in ((x, axisa), (y, axisb))])
    return OPS["moveaxis"](made, source=-1, destination=axisc)


linalg.cross.otherwise(frozenset(("axisa", "axisb", "axisc")), told(cross))
shape.reshape.otherwise(frozenset(("order", "copy")), told(reshape))
moving.astype.otherwise(frozenset(("copy", "device", "casting", "order", "subok")), told(astype))


# NumPy's own functions


def _namespace() -> Any:
    return sys.modules[__name__.partition(".")[0]]


@cache
def _counterpart(module: str, name: str) -> Callable | None:
    """Return gpugrad's function for NumPy's or SciPy's of this module and name; None if there is none."""
    found: Any = _namespace()
    parts = module.split(".")[1:] if module.startswith("numpy.") else []
    for part in (*parts, _SCIPY.get(name, name)):
        if part.startswith("_") or part in ("lib", "ma"):
            continue
        found = getattr(found, part, None)
    return found if callable(found) and not isinstance(found, type) else None


def _unknown(name: str) -> DTypeError:
    return DTypeError(
        f"{name} was given a Tensor, and gpugrad has no function of this name; convert the Tensor by .numpy(), after "
        ".detach() if it requires a gradient, and .cpu() if it is on a GPU"
    )


@method("__array_function__")
def array_function(self: Tensor, function: Any, types: Any, args: tuple, kwargs: dict) -> Any:
    """Call gpugrad's function of the name of a function of NumPy that was given a Tensor."""
    name, module = function.__name__, function.__module__ or ""
    found = _counterpart(module, name)
    if found is None and name in _OF_ARRAYS:
        return function(*map_tensors(np.asarray, args), **map_tensors(np.asarray, kwargs))
    if found is None:
        raise _unknown(f"{module}.{name}")
    kwargs = {word: value for word, value in kwargs.items() if value is not np._NoValue}  # type: ignore[attr-defined]
    out = kwargs.pop("out", None)
    made = found(*args, **kwargs)
    return made if out is None else written(name, made, out)


@method("__array_ufunc__")
def array_ufunc(self: Tensor, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Call gpugrad's function of the name of a ufunc that was given a Tensor, or what its method means."""
    name = ufunc.__name__
    out = kwargs.pop("out", None)
    if out is not None and len(out) == 1:
        (out,) = out
    if method == "at":
        return _at(ufunc, *inputs)
    if method == "__call__":
        found = _counterpart("numpy", name)
        if found is None:
            raise _unknown(name)
    else:
        found = _method(name, method)
        if method != "outer":
            kwargs.setdefault("axis", 0)
    if method == "accumulate":
        kwargs.pop("out", None)
    if kwargs.get("where") is True:
        kwargs.pop("where")
    if out is not None and "where" in kwargs:
        return found(*inputs, out=out, **kwargs)
    made = found(*inputs, **kwargs)
    return made if out is None else written(name, made, out)


def _method(name: str, method: str) -> Callable:
    """Return the function that a ufunc's `reduce`, `reduceat`, `accumulate` or `outer` is."""
    space = _namespace()
    if method == "reduce" and name in REDUCED:
        return getattr(space, REDUCED[name][0])
    if method == "accumulate" and name in ACCUMULATED:
        return getattr(space, ACCUMULATED[name])
    if method == "reduceat" and name in REDUCED:
        return partial(_reduced_at, getattr(space, REDUCED[name][0]))
    if method == "outer" and (function := _counterpart("numpy", name)) is not None:

        def outer(x: Any, y: Any, **kwargs: Any) -> Any:
            x, y = asarray(x), asarray(y)
            return function(x.reshape(x.shape + (1,) * y.ndim), y, **kwargs)

        return outer
    known = ", ".join({"reduce": REDUCED, "accumulate": ACCUMULATED, "reduceat": REDUCED}.get(method, {})) or "none"
    raise DTypeError(f"np.{name}.{method} of a Tensor: gpugrad has {method} of these ufuncs: {known}")


def _reduced_at(reduce: Callable, x: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Tensor:
    """Reduce the elements from each index to the next along `axis`; one element where the next is not behind it."""
    x = asarray(x, dtype)
    starts = [int(i) for i in np.asarray(indices)]
    ends = [*starts[1:], x.shape[axis]]
    rows = OPS["moveaxis"](x, source=axis, destination=0)
    parts = [reduce(rows[i:j], axis=0) if i < j else rows[i] for i, j in zip(starts, ends, strict=True)]
    return OPS["stack"](parts, axis=axis)


def _at(ufunc: Any, target: Any, index: Any, *operand: Any) -> None:
    """Apply a ufunc in place at places that may repeat: `np.add.at(x, index, values)`."""
    index, values = raw(index), [asarray(v) for v in operand]
    needs = mode.grad and any(t.requires_grad for t in (target, *values) if isinstance(t, Tensor))
    if isinstance(target, np.ndarray):
        if needs:
            raise GradientError(f"np.{ufunc.__name__}.at: values that require a gradient do not go into an ndarray")
        ufunc.at(target, index, *[v.numpy() for v in values])
    elif not needs:
        ufunc.at(target._array, index, *[v._array for v in values])
        changed(target._array, f"{ufunc.__name__}.at")
    elif ufunc.__name__ in ("add", "subtract"):
        looked = target.detach()[index]
        value = OPS["broadcast_to"](values[0].to(dtype=target.dtype), shape=looked.shape)
        added = OPS["put_add"](value, index=index, shape=target.shape)
        target[...] = target.clone() + added if ufunc.__name__ == "add" else target.clone() - added
    else:
        raise GradientError(
            f"np.{ufunc.__name__}.at: only add and subtract have a gradient here; detach() what requires one"
        )


Op.numpy_words, Op.numpy_form = WORDS, staticmethod(call_with_words)
