"""`python -m tests.peers.mygrad CHECKOUT [ARGUMENT ...]`: MyGrad's own tests, with `mygrad` for gpugrad.

CHECKOUT is one of https://github.com/rsokl/MyGrad; its tests need hypothesis. MyGrad's Tensor is a language of
gpugrad's: a subclass whose methods mean what MyGrad means by them (`constant`, gradients that are NumPy arrays,
`backward` of many elements). What tests its inside (operation classes, locks of memory, graphs of views) is not run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ContextDecorator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad.autograd.tensor import Tensor as NumPyTensor
from gpugrad.autograd.views import spoken

# Files that import MyGrad's inside.
INSIDE = (
    "state_testing", "test_operation_base.py", "test_duplicating_graph.py", "test_view_semantics.py", "ufuncs",
    "tensor_base/test_memory_locking.py", "tensor_base/test_op_wrapper.py", "tensor_base/test_placeholder_copy.py",
    "tensor_base/test_replay_view_op.py", "tensor_base/test_view_graph.py", "tensor_base/test_shares_memory.py",
    "test_weakref.py", "test_version.py", "test_io.py", "tensor_base/test_no_null_grad_semantics.py",
)  # fmt: skip
_NO_VALUE = type("_NoValueType", (), {})()


class Tensor(NumPyTensor):
    """A Tensor as MyGrad has it."""

    __slots__ = ()

    def __new__(cls, data: Any, *, dtype: Any = None, constant: Any = None, copy: bool = True, ndmin: int = 0) -> Any:
        given = data.numpy_array() if isinstance(data, Tensor) else data
        array = np.array(given, dtype=dtype, ndmin=ndmin)
        if array.dtype.kind not in "biufc":
            raise TypeError(f"no tensor of {array.dtype}")
        if constant is not None and not isinstance(constant, bool):
            raise TypeError(f"constant is a bool, got {constant!r}")
        if constant is False and array.dtype.kind in "biu":
            raise ValueError("integers are constants")
        made = gg.asarray(array)
        made.__class__ = cls
        return made if constant or array.dtype.kind in "biu" else made.requires_grad_()

    def numpy_array(self) -> np.ndarray:
        return self._array

    @property
    def constant(self) -> bool:
        return not self.requires_grad

    @property
    def creator(self) -> Any:
        return self._node

    @property
    def data(self) -> np.ndarray:
        return self._array

    @property
    def grad(self) -> Any:
        return None if self._grad is None else self._grad._array

    @property
    def base(self) -> None:
        return None

    @property
    def size(self) -> int:
        return self._array.size

    def null_grad(self) -> Tensor:
        self._grad = None
        return self

    def backward(self, grad: Any = None) -> None:
        if self.constant:
            return
        given = np.ones(self.shape, self.dtype) if grad is None else np.asarray(getattr(grad, "_array", grad))
        gg.autograd.backward([self], [gg.asarray(np.broadcast_to(given, self.shape).astype(self.dtype))])

    def copy(self, *, constant: Any = None) -> Tensor:
        return Tensor(self, constant=self.constant if constant is None else constant)

    def astype(self, dtype: Any, *, constant: Any = None, **options: Any) -> Tensor:
        return _called(gg.astype)(self, dtype, constant=constant)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self._array, dtype)


Tensor._language = Tensor


def _called(function: Callable) -> Callable:
    """Return a function of gpugrad as MyGrad's: `constant` leaves the graph, and arrays are constants."""

    def call(*args: Any, constant: Any = None, **kwargs: Any) -> Any:
        args = tuple(gg.asarray(a) if isinstance(a, np.ndarray) else a for a in args)
        if kwargs.get("dtype", 0) is None:
            del kwargs["dtype"]
        made = function(*args, **kwargs)
        if isinstance(made, (tuple, list)):
            return type(made)([_as_mygrad(m, constant) for m in made])
        return _as_mygrad(made, constant)

    call.__name__ = getattr(function, "__name__", "function")
    return call


def _as_mygrad(made: Any, constant: Any) -> Any:
    if not isinstance(made, NumPyTensor):
        return made
    made = made if isinstance(made, Tensor) else spoken(made, Tensor)
    return made.detach() if constant else made


def _made(name: str) -> Callable:
    """Return a function that makes tensors, which are variables if they are of floats."""

    def call(*args: Any, constant: Any = None, **kwargs: Any) -> Tensor:
        args = tuple(a.numpy_array() if isinstance(a, Tensor) else a for a in args)
        return Tensor(getattr(np, name)(*args, **kwargs), constant=constant)

    return call


def asarray(a: Any, dtype: Any = None, order: Any = None) -> np.ndarray:
    return np.asarray(a.data if isinstance(a, Tensor) else a, dtype, order)


def astensor(t: Any, dtype: Any = None, *, constant: Any = None) -> Tensor:
    same = isinstance(t, Tensor) and dtype in (None, t.dtype) and constant in (None, t.constant)
    return t if same else Tensor(t, dtype=dtype, constant=constant)


class _NoAutodiff(ContextDecorator):
    def __enter__(self) -> None:
        self.held = [*getattr(self, "held", []), gg.no_grad()]
        self.held[-1].__enter__()

    def __exit__(self, *error: Any) -> None:
        self.held.pop().__exit__(*error)

    def __call__(self, function: Callable, to_numpy: bool = False) -> Callable:
        inner = super().__call__(function)
        return (lambda *args, **kwargs: asarray(inner(*args, **kwargs))) if to_numpy else inner


class _Nothing(ContextDecorator):
    def __enter__(self) -> None: ...
    def __exit__(self, *error: Any) -> None: ...


# Networks


def _hard_tanh(x: Any, *, lower_bound: float = -1, upper_bound: float = 1) -> Any:
    return gg.clip(x, lower_bound, upper_bound)


def _glu(x: Any, axis: int = -1) -> Any:
    return F.glu(gg.asarray(x), axis)


def _multiclass_hinge(x: Any, y_true: Any, hinge: float = 1.0) -> Any:
    x, y = gg.asarray(x), np.asarray(y_true)
    margins = (x - x[np.arange(len(y)), y][:, None] + hinge).clip(0, None)
    return (margins.sum() - hinge * len(y)) / len(y)


def _margin_ranking(x1: Any, x2: Any, y: Any, margin: float) -> Any:
    y = gg.asarray(y)
    y = y.reshape(-1, *(1,) * (x1.ndim - 1)) if y.ndim else y
    return (margin - y * (x1 - x2)).clip(0, None).mean()


def _focal(probabilities: Any, targets: Any, *, alpha: float = 1, gamma: float = 0) -> Any:
    p = gg.asarray(probabilities)[np.arange(len(targets)), np.asarray(targets)]
    return -alpha * ((1 - p).clip(0, 1) ** gamma if gamma else 1) * gg.log(p)


def _softmax_focal(scores: Any, targets: Any, *, alpha: float = 1, gamma: float = 0) -> Any:
    return _focal(gg.softmax(gg.asarray(scores), axis=-1), targets, alpha=alpha, gamma=gamma)


def _likelihood(x: Any, y_true: Any, *, weights: Any = None) -> Any:
    x, y = gg.asarray(x), np.asarray(y_true)
    picked = x[np.arange(len(y)), y]
    return -(picked if weights is None else picked * gg.asarray(weights)[y]).mean()


def _batchnorm(x: Any, *, gamma: Any = None, beta: Any = None, eps: float) -> Any:
    return F.batch_norm(x, None, None, gamma, beta, True, 0.0, eps)


NETWORKS: dict[str, dict[str, Callable]] = {
    "activations": {
        **{name: getattr(gg, name) for name in ("sigmoid", "tanh", "relu", "selu")},
        "softmax": lambda x, axis=-1: gg.softmax(x, axis=axis), "elu": lambda x, alpha: F.elu(gg.asarray(x), alpha),
        "logsoftmax": lambda x, axis=-1: gg.log_softmax(x, axis=axis),
        "leaky_relu": lambda x, slope: F.leaky_relu(gg.asarray(x), slope), "hard_tanh": _hard_tanh, "glu": _glu,
        "soft_sign": lambda x: F.softsign(gg.asarray(x)),
    },
    "losses": {
        "softmax_crossentropy": lambda x, y_true: F.cross_entropy(gg.asarray(x), gg.asarray(y_true)),
        "negative_log_likelihood": _likelihood, "multiclass_hinge": _multiclass_hinge,
        "margin_ranking_loss": _margin_ranking, "focal_loss": _focal, "softmax_focal_loss": _softmax_focal,
    },
    "layers": {"batchnorm": _batchnorm},
}  # fmt: skip


# The package


def _module(name: str, **names: Any) -> ModuleType:
    module = sys.modules[name] = ModuleType(name)
    vars(module).update(names, __path__=[])
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, module)
    return module


def _from_checkout(checkout: Path, name: str) -> None:
    file = checkout.joinpath("src", *name.split(".")).with_suffix(".py")
    spec: Any = spec_from_file_location(name, file)
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)


def alias(checkout: Path) -> None:
    """Put modules named `mygrad...` into `sys.modules` that are gpugrad."""
    gg.set_default_dtype("float64")
    names: dict[str, Any] = {
        name: _called(getattr(gg, name))
        for name in gg.__all__
        if callable(getattr(gg, name)) and not isinstance(getattr(gg, name), type)
    }
    new = "arange empty empty_like eye full full_like geomspace identity linspace logspace ones ones_like zeros"
    names |= {name: _made(name) for name in (*new.split(), "zeros_like")}
    names |= {
        name: getattr(np, name)
        for name in "bool_ float16 float32 float64 int8 int16 int32 int64 pi e inf nan newaxis".split()
    }
    names |= {"Tensor": Tensor, "tensor": Tensor, "asarray": asarray, "astensor": astensor, "any": np.any}
    off = _Nothing()
    names |= {"no_autodiff": _NoAutodiff(), "mem_guard_off": off, "mem_guard_on": off}
    names |= {"turn_memory_guarding_off": lambda: None, "turn_memory_guarding_on": lambda: None}
    root = _module("mygrad", **names)
    _module("mygrad._utils")
    _module(
        "mygrad._utils.lock_management",
        MEM_GUARD=True,
        _views_waiting_for_unlock={},
        _array_tracker={},
        _array_counter={},
    )
    _module("mygrad._utils.graph_tracking", TRACK_GRAPH=True, no_autodiff=root.no_autodiff)
    _module("mygrad.operation_base", _NoValue=_NO_VALUE, _NoValueType=type(_NO_VALUE), Operation=object)
    _module("mygrad.tensor_base", Tensor=Tensor, CONSTANT_ONLY_DTYPES=(np.bool_, np.integer), asarray=asarray)
    _module("mygrad.typing", **{name: Any for name in "ArrayLike DTypeLike DTypeLikeReals Shape".split()})
    errors = {name: type(name, (Exception,), {}) for name in ("InvalidBackprop", "InvalidGradient", "DisconnectedView")}
    _module("mygrad.errors", **errors)
    for path in ("math.misc.funcs", "math._special", "linalg.funcs", "tensor_creation.funcs"):
        steps = path.split(".")
        for i in range(1, len(steps) + 1):
            name = ".".join(["mygrad", *steps[:i]])
            if name not in sys.modules:
                _module(name, **(names if i == len(steps) else {}))
    root.linalg.norm, root.linalg.einsum = _called(gg.linalg.norm), names["einsum"]
    _module(
        "mygrad.random", **{n: lambda *a, n=n, **k: Tensor(getattr(np.random, n)(*a, **k)) for n in ("rand", "randn")}
    )
    _module("mygrad.nnet")
    for kind, functions in NETWORKS.items():
        called = {name: _called(function) for name, function in functions.items()}
        _module(f"mygrad.nnet.{kind}", **called)
        for name, function in called.items():
            _module(
                f"mygrad.nnet.{kind}.{name}", **{name: function}, _ALPHA=1.6732632423543772, _SCALE=1.0507009873554805
            )
            setattr(sys.modules[f"mygrad.nnet.{kind}"], name, function)
    _module("mygrad.nnet.initializers")
    _from_checkout(checkout, "mygrad.nnet.layers.utils")
    root.sliding_window_view = sys.modules["mygrad.nnet.layers.utils"].sliding_window_view


def main(arguments: list[str]) -> int:
    """Run the tests of the checkout `arguments[0]`; pytest's exit status."""
    checkout = Path(arguments[0]).resolve()
    alias(checkout)
    sys.path.insert(0, str(checkout))
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]  # the checkout's tests are a package of this name
    ignored = [f"--ignore={checkout / 'tests' / name}" for name in INSIDE]
    own = ["-o", "addopts=", "-o", "required_plugins=", "-q", "-p", "no:cacheprovider"]
    own += ["--continue-on-collection-errors", f"--rootdir={checkout}", "-W", "ignore"]
    return pytest.main([str(checkout / "tests"), *ignored, *own, *arguments[1:]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
