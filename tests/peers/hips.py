"""`python -m tests.peers.hips CHECKOUT [ARGUMENT ...]`: HIPS autograd's own tests, with `autograd` for gpugrad.

The derivatives, NumPy's functions and random numbers are gpugrad's. Of the checkout's own code only the parts that
compare are used (`test_util.py`), and those that are made of derivatives (`differential_operators.py`, `wrap_util.py`).
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.autograd.nests import map_leaves, tensors_in

_isinstance = isinstance


# Vector spaces, of numbers, arrays and nests of them


class VSpace:
    """The space of values like one: `zeros`, `randn`, `add`, `inner_prod` and what else the tests ask for."""

    def __init__(self, value: Any):
        self.value = map_leaves(lambda leaf: gg.asarray(leaf).detach(), value)
        self.leaves = tensors_in(self.value)
        self.shape = self.leaves[0].shape if _isinstance(self.value, gg.Tensor) else None
        self.size = sum(leaf._array.size * (1 + (leaf.dtype.kind == "c")) for leaf in self.leaves)
        self.iscomplex = any(leaf.dtype.kind == "c" for leaf in self.leaves)

    def __eq__(self, other: Any) -> bool:
        kinds = [(leaf.shape, leaf.dtype.kind == "c") for leaf in self.leaves]
        return kinds == [(leaf.shape, leaf.dtype.kind == "c") for leaf in other.leaves]

    def __repr__(self) -> str:
        return f"VSpace({[(leaf.shape, leaf.dtype) for leaf in self.leaves]})"

    def _made(self, parts: Any) -> Any:
        parts = iter(parts)
        return map_leaves(lambda _: next(parts), self.value)

    def _paired(self, function: Any, *values: Any) -> Any:
        leaves = [tensors_in(map_leaves(gg.asarray, value)) for value in values]
        return self._made([function(*parts) for parts in zip(*leaves, strict=True)])

    def zeros(self) -> Any:
        return self._made(gg.zeros_like(leaf) for leaf in self.leaves)

    def ones(self) -> Any:
        return self._made(gg.ones_like(leaf) for leaf in self.leaves)

    def randn(self) -> Any:
        def drawn(leaf: Any) -> Any:
            values = np.array(np.random.standard_normal(leaf.shape))
            if leaf.dtype.kind == "c":
                values = values + 1j * np.random.standard_normal(leaf.shape)
            return gg.tensor(values)

        return self._made(drawn(leaf) for leaf in self.leaves)

    def standard_basis(self) -> Any:
        for i, leaf in enumerate(self.leaves):
            for j in range(leaf._array.size):
                for unit in (1.0, 1j) if leaf.dtype.kind == "c" else (1.0,):
                    parts = [np.zeros(other.shape, other.dtype) for other in self.leaves]
                    parts[i].reshape(-1)[j] = unit
                    yield self._made(map(gg.tensor, parts))

    def add(self, x: Any, y: Any) -> Any:
        return self._paired(lambda a, b: a + b, x, y)

    mut_add = add

    def scalar_mul(self, x: Any, scalar: Any) -> Any:
        return self._paired(lambda a: a * scalar, x)

    def covector(self, x: Any) -> Any:
        return self._paired(_conjugate, x)

    def inner_prod(self, x: Any, y: Any) -> Any:
        pairs = zip(*(tensors_in(map_leaves(gg.asarray, value)) for value in (x, y)), strict=True)
        return sum(gg.real((_conjugate(a) * b).sum()) for a, b in pairs)


def _conjugate(x: Any) -> Any:
    return x.conj() if x.dtype.kind == "c" else x


def vspace(value: Any) -> VSpace:
    return VSpace(value)


# Derivatives. HIPS passes conjugates of what gpugrad and PyTorch pass backwards.


def _conjugated(nest: Any) -> Any:
    return map_leaves(lambda leaf: _conjugate(gg.asarray(leaf)), nest)


def make_vjp(fun: Any, x: Any) -> tuple:
    y, pull = gg.vjp(fun, x)
    return (lambda g: _conjugated(pull(_conjugated(g))[0])), y


def make_jvp(fun: Any, x: Any) -> Any:
    return lambda v: gg.jvp(fun, (x,), (v,))


def isbox(x: Any) -> bool:
    return _isinstance(x, gg.Tensor) and x.requires_grad


def _with_conjugates(transform: Any) -> Any:
    def transformed(fun: Any, *options: Any, **named: Any) -> Any:
        derivative = transform(fun, *options, **named)
        return lambda *args, **kwargs: _conjugated(derivative(*args, **kwargs))

    return transformed


# Functions with gradients of their own


def primitive(fun: Any) -> Any:
    """Return `fun` as one step of the graph; `defvjp` gives it gradients."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if not any(isbox(a) for a in args):
            return fun(*args, **kwargs)

        class Step(gg.Function):
            @staticmethod
            def forward(ctx: Any, *tensors: Any) -> Any:
                ans = gg.asarray(fun(*[t.detach() if isbox(t) else t for t in tensors], **kwargs))
                ctx.save_for_backward(ans, *[t for t in tensors if _isinstance(t, gg.Tensor)])
                return ans

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                ans, *saved = ctx.saved_tensors
                left = iter(saved)
                given = [next(left) if _isinstance(a, gg.Tensor) else a for a in args]
                return tuple(
                    _conjugate(gg.asarray(call.vjps[i](ans, *given, **kwargs)(_conjugate(g)))) if isbox(a) else None
                    for i, a in enumerate(args)
                )

        return Step.apply(*args)

    call.vjps, call.fun = {}, fun
    call.__name__ = getattr(fun, "__name__", "primitive")
    return call


def defvjp(fun: Any, *makers: Any, argnums: Any = None) -> None:
    def zero(ans: Any, *args: Any, **kwargs: Any) -> Any:
        return lambda g: 0 * g

    for i, maker in zip(range(len(makers)) if argnums is None else argnums, makers, strict=False):
        fun.vjps[i] = zero if maker is None else maker


def defvjp_argnum(fun: Any, maker: Any) -> None:
    fun.vjps = _ByNumber(maker)


class _ByNumber(dict):
    def __init__(self, maker: Any):
        self.maker = maker

    def __missing__(self, i: int) -> Any:
        return lambda ans, *args, **kwargs: self.maker(i, ans, args, kwargs)


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Forward-mode rules: gpugrad derives them."""


def flatten(value: Any) -> tuple:
    """Return a nest as one vector, and the function that undoes it."""
    nest = map_leaves(gg.asarray, value)
    leaves = tensors_in(nest)
    vector = gg.concatenate([leaf.reshape(-1) for leaf in leaves]) if leaves else gg.zeros(0)

    def unflatten(vector: Any) -> Any:
        ends = np.cumsum([leaf._array.size for leaf in leaves])
        parts = iter(
            [vector[e - leaf._array.size : e].reshape(leaf.shape) for e, leaf in zip(ends, leaves, strict=True)]
        )
        return map_leaves(lambda _: next(parts), nest)

    return vector, unflatten


# The package


def _module(name: str, *sources: Any, **names: Any) -> ModuleType:
    """Make a module of this name that has `names`, and else what `sources` have."""
    module = ModuleType(name)
    vars(module).update(names)
    module.__path__ = []

    def find(attribute: str) -> Any:
        for source in sources:
            if hasattr(source, attribute):
                return getattr(source, attribute)
        raise AttributeError(f"gpugrad has no {name}.{attribute}")

    module.__getattr__ = find
    sys.modules[name] = module
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, module)
    return module


def _from_checkout(checkout: Path, name: str) -> ModuleType:
    file = checkout.joinpath(*name.split(".")).with_suffix(".py")
    spec = spec_from_file_location(name, file)
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    setattr(sys.modules[name.rpartition(".")[0]], name.rpartition(".")[2], module)
    return module


def alias(checkout: Path) -> None:
    """Put modules named `autograd...` into `sys.modules` that are gpugrad."""
    gg.set_default_dtype("float64")
    core = {"vspace": vspace, "VSpace": VSpace, "primitive": primitive, "make_vjp": make_vjp, "make_jvp": make_jvp}
    core |= {"defvjp": defvjp, "defvjp_argnum": defvjp_argnum, "defjvp": _nothing, "defjvp_argnum": _nothing}
    core |= {
        "primitive_vjps": {},
        "isbox": isbox,
        "notrace_primitive": lambda fun: fun,
        "getval": lambda x: x.detach() if isbox(x) else x,
    }
    root = _module("autograd")
    kinds = "bool_ float32 float64 int8 int16 int32 int64 uint8 complex64 complex128 int_ integer floating number"
    _module("autograd.numpy", gg, ndarray=gg.Tensor, **{name: getattr(np, name) for name in kinds.split()})
    _module("autograd.numpy.random", gg.random)
    _module("autograd.numpy.linalg", gg.linalg)
    _module("autograd.numpy.fft", getattr(gg, "fft", None))
    for name in ("core", "extend", "tracer"):
        _module(f"autograd.{name}", **core)
    builtins = {"tuple": tuple, "list": list, "dict": dict, "type": type}

    def instance(x: Any, kinds: Any) -> bool:
        return _isinstance(x, kinds) or _isinstance(x, gg.Tensor) and _as_number(x, kinds)

    _module("autograd.builtins", **builtins, isinstance=instance)
    _module("autograd.util", subvals=_subvals)
    for name in ("wrap_util", "differential_operators", "test_util"):
        _from_checkout(checkout, f"autograd.{name}")
    root.__dict__.update(vars(sys.modules["autograd.differential_operators"]))
    ours = {name: getattr(gg, name) for name in ("value_and_grad", "jacobian", "hessian")}
    ours |= {name: _with_conjugates(getattr(gg, name)) for name in ("grad", "elementwise_grad")}
    root.__dict__.update(**ours, **builtins, isinstance=instance)
    vars(sys.modules["autograd.differential_operators"]).update(ours)
    _module("autograd.misc", flatten=flatten, const_graph=lambda fun: fun)
    sys.modules["autograd.misc.flatten"] = sys.modules["autograd.misc"]
    _module("autograd.scipy")
    _module("autograd.scipy.special", getattr(gg, "special", None))
    for name in ("signal", "stats", "linalg", "integrate"):
        _module(f"autograd.scipy.{name}", gg)
    for name in "beta chi2 dirichlet gamma multivariate_normal norm poisson t".split():
        _module(f"autograd.scipy.stats.{name}", gg)


def _as_number(x: gg.Tensor, kinds: Any) -> bool:
    kinds = kinds if _isinstance(kinds, tuple) else (kinds,)
    return np.ndarray in kinds and x.ndim > 0 or float in kinds and not x.ndim and x.dtype.kind == "f"


def _subvals(values: Any, pairs: Any) -> tuple:
    made = list(values)
    for i, value in pairs:
        made[i] = value
    return tuple(made)


def main(arguments: list[str]) -> int:
    """Run the tests of the checkout `arguments[0]`; pytest's exit status."""
    checkout = Path(arguments[0]).resolve()
    alias(checkout)
    sys.path.insert(0, str(checkout / "tests"))
    given = [
        "-o",
        "addopts=",
        "--continue-on-collection-errors",
        "-o",
        "required_plugins=",
        "-q",
        "-p",
        "no:cacheprovider",
        *arguments[1:],
    ]
    return pytest.main([str(checkout / "tests"), "--ignore", str(checkout / "tests" / "test_performance.py"), *given])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
