"""What makes PyTorch's language: the class of its Tensors, the table of differences, and how results come to speak it.

A Tensor's class is its language. `gpugrad.Tensor` speaks NumPy; the `Tensor` of this module is the same thing, its
array and its place in the graph included, with PyTorch's methods. The engine gives a result the language of its inputs
(PyTorch's, if any of them speaks it), so nothing has to be switched on or off: a Tensor that `gpugrad.torch` made
stays PyTorch's through every op, also where the op is called through `gpugrad` itself.

`TABLE` is the whole difference between the languages: a name, and what PyTorch means by it. The functions of
`gpugrad.torch` and the methods of its Tensor are made from it; a name that is not in it is `gpugrad`'s own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..autograd.explain import told
from ..autograd.nests import map_tensors
from ..autograd.op import OPS, Op
from ..autograd.tensor import Tensor as NumPyTensor
from ..autograd.views import spoken
from ..errors import DTypeError
from ..ops import inplace
from .dtypes import DTYPES, dtype


class Meaning(NamedTuple):
    """What PyTorch means by a name: how it differs from NumPy's or gpugrad's, the function, and where it is shown."""

    difference: str
    function: Callable
    is_function: bool
    is_method: bool
    in_place: bool


TABLE: dict[str, Meaning] = {}
# What says where or how memory lies, which is gpugrad's to choose, and changes no value.
_WITHOUT_EFFECT = frozenset(("layout", "pin_memory", "memory_format", "names", "non_blocking"))
_NUMPY_WORDS = {"axis": "dim", "keepdims": "keepdim", "x": "input", "a": "input"}  # which PyTorch takes as well


def means(difference: str = "", *, function: bool = True, method: bool = True, in_place: bool = False) -> Callable:
    """Enter the decorated function into `TABLE` under its name, without a last underscore that keeps it apart from a
    builtin. `difference` says in a clause what sets it apart; "" if gpugrad has no such name."""

    def enter(body: Callable) -> Callable:
        name = body.__name__.removesuffix("_of")
        call = _call(name, body)
        TABLE[name] = Meaning(difference, call, function, method, in_place)
        return call

    return enter


def same(name: str, op: Op) -> None:
    """Enter PyTorch's name of an op, which is a function, a method and an in-place method."""
    TABLE[name] = Meaning("", op, True, True, True)


def _call(name: str, body: Callable) -> Callable:
    """Return `body` as PyTorch's function `name`: with `out=`, the words that change nothing, and results that speak
    PyTorch."""
    code = body.__code__
    own = frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    body.__name__ = body.__qualname__ = name
    meant = told(body)

    @wraps(body)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not own.issuperset(kwargs):
            return _fitted(meant, own, args, kwargs)
        return speak(meant(*args, **kwargs), args)

    return call


def _fitted(function: Callable, own: frozenset[str], args: tuple, kwargs: dict) -> Any:
    """Call `function` with what of `kwargs` it knows under PyTorch's or NumPy's words; `out` takes the result."""
    given, out = {}, None
    for name, value in kwargs.items():
        if name == "out" and "out" not in own:
            out = value
        elif name in own or name not in _WITHOUT_EFFECT:
            other = _NUMPY_WORDS.get(name, name)
            given[name if name in own or other not in own else other] = value
    result = speak(function(*args, **given), args)
    return result if out is None else _written(out, result)


def _written(out: Any, result: Any) -> Any:
    """Put `result` into `out`, a Tensor or a tuple of them, which takes its shape."""
    if not isinstance(out, NumPyTensor):
        return type(result)(*[_written(o, r) for o, r in zip(out, result, strict=True)])
    if out.shape != result.shape:
        out.data = result.detach().to(dtype=out.dtype)
        return out
    return out.copy_(result)


def speak(value: Any, given: Iterable = ()) -> Any:
    """Return `value` with the Tensors in it, also inside of tuples, lists and dicts, in PyTorch's language.

    A Tensor that has just been made changes its language in place; one among `given` gets a view that speaks.
    """
    kind = value.__class__
    if kind is Tensor or kind in _PLAIN:
        return value
    if kind is NumPyTensor:
        if any(value is other for other in given):
            return spoken(value, Tensor)
        value.__class__ = Tensor
        return value
    return map_tensors(lambda t: speak(t, given), value) if kind in _NESTS or hasattr(value, "_fields") else value


_PLAIN = frozenset((type(None), bool, int, float, str))
_NESTS = frozenset((tuple, list, dict))


def speaking(function: Callable) -> Callable:
    """Return a function of gpugrad as one of PyTorch's language, whose results speak it."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            for name in _WITHOUT_EFFECT.intersection(kwargs):
                del kwargs[name]
            if "out" in kwargs:
                return _written(kwargs.pop("out"), call(*args, **kwargs))
        return speak(function(*args, **kwargs), args)

    return call


def passed_through(value: Any) -> Any:
    """Return what a name of gpugrad is in PyTorch's language: functions speak it, all else is the same object."""
    if isinstance(value, np.dtype):
        return DTYPES[value]
    if isinstance(value, Op) and value.inputs and not value.many:
        return value  # its result has the language of its inputs
    if isinstance(value, Op) or callable(value) and not isinstance(value, type):
        return speaking(value)
    return value


def passing(module: str, *sources: str, adapt: Callable[[Any], Any] = passed_through) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module whose names without an own meaning are those of the `sources`."""

    def find(name: str) -> Any:
        own = import_module(module)
        loaded = sys.modules.get(f"{module}.{name}")
        if loaded is not None and type(loaded) is ModuleType:
            return loaded
        if not name.startswith("__"):
            for source in sources:
                try:
                    found = getattr(import_module(source), name)
                except AttributeError:
                    continue
                if loaded is not None and isinstance(found, ModuleType):
                    return loaded
                vars(own)[name] = found = adapt(found)
                return found
        if loaded is not None:  # an alias, whose name no function has (as nn.utils.weight_norm does)
            return loaded
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return find


class Size(tuple):
    """The sizes of a Tensor's axes: a tuple that also counts the elements."""

    __slots__ = ()

    def numel(self) -> int:
        """Return the number of elements of a Tensor of this size."""
        count = 1
        for n in self:
            count *= n
        return count

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if index.__class__ is slice else found

    def __add__(self, other: Any) -> Size:
        return Size(tuple(self) + tuple(other))

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"


if TYPE_CHECKING:
    from .attached import Attached  # a stub: the methods that `attach` gives

    class _Base(Attached, NumPyTensor):  # type: ignore[misc]
        """What type checkers know of the class below."""
else:
    _Base = NumPyTensor


class Tensor(_Base):
    """A Tensor that speaks PyTorch: `x.max(1)` gives values and indices, `x.size(0)` is a length.

    As in PyTorch, `Tensor([1, 2])` has the default floating-point dtype, and `Tensor(2, 3)` is not initialised.
    `x.numpy_style()` is a view of the same memory, at the same place in the graph, that speaks NumPy.

    >>> import gpugrad.torch as torch
    >>> x = torch.tensor([[1.0, 5.0], [7.0, 3.0]])
    >>> values, indices = x.max(1)
    >>> indices, x.numpy_style().max(1)
    (tensor([1, 0]), tensor([5., 7.]))
    """

    __slots__ = ()

    layout = "strided"
    is_sparse = is_sparse_csr = is_quantized = is_nested = is_mkldnn = is_meta = is_mps = is_xpu = is_xla = False

    @property
    def is_cpu(self) -> bool:
        """Return whether the memory is the host's."""
        return self.device.type == "cpu"

    @property
    def H(self) -> Tensor:
        """Return the matrix transposed and conjugated."""
        return TABLE["adjoint"].function(self)

    @property
    def dtype(self) -> dtype:
        """Return the type of the elements."""
        return DTYPES[self._array.dtype]

    @property
    def shape(self) -> Size:
        """Return the sizes of the axes."""
        return Size(self._array.shape)

    def size(self, dim: int | None = None) -> Any:
        """Return the sizes of the axes, or that of axis `dim`."""
        return Size(self._array.shape) if dim is None else self._array.shape[dim]

    def where(self, condition: Any, other: Any) -> Tensor:
        """Return this Tensor's elements where the condition holds, and those of `other` elsewhere."""
        return OPS["where"](condition, self, other)

    def numpy_style(self) -> NumPyTensor:
        """Return a view of this Tensor, at the same place in the graph, whose methods speak NumPy."""
        return spoken(self, NumPyTensor)

    def torch_style(self) -> Tensor:
        """Return this Tensor, which speaks PyTorch already."""
        return self

    def register_hook(self, hook: Callable) -> Any:
        """Call `hook(gradient)` when the gradient is known; a Tensor that it returns replaces it."""

        @wraps(hook)
        def spoken_hook(gradient: Any) -> Any:
            return hook(gradient if gradient._language is Tensor else spoken(gradient, Tensor))

        return super().register_hook(spoken_hook)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if not self._array.ndim else super().__format__(spec)


Tensor._language = Tensor


def torch_style(self: NumPyTensor) -> NumPyTensor:
    """Return a view of this Tensor, at the same place in the graph, whose methods speak PyTorch.

    >>> x = gg.tensor([[1.0, 5.0], [7.0, 3.0]])
    >>> x.torch_style().max(1).indices
    tensor([1, 0])
    """
    return spoken(self, Tensor)


def numpy_style(self: NumPyTensor) -> NumPyTensor:
    """Return this Tensor, which speaks NumPy already.

    >>> x = gg.ones(2)
    >>> x.numpy_style() is x
    True
    """
    return self


def attach() -> None:
    """Give the Tensor of PyTorch's language the methods of `TABLE`, and both languages the way to the other."""
    inplace.named_as_method(torch_style, "torch_style")
    NumPyTensor.torch_style = torch_style  # pyright: ignore[reportAttributeAccessIssue]
    inplace.named_as_method(numpy_style, "numpy_style")
    NumPyTensor.numpy_style = numpy_style  # pyright: ignore[reportAttributeAccessIssue]
    for name, meaning in TABLE.items():
        if meaning.is_method:
            function = meaning.function  # an Op binds itself
            setattr(Tensor, name, function if isinstance(function, Op) else _method(name, function))
        if meaning.in_place:
            setattr(Tensor, f"{name}_", _in_place(name, meaning.function))


def _method(name: str, function: Callable) -> Callable:
    @wraps(function)
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    inplace.named_as_method(method, name)
    return method


def _in_place(name: str, function: Callable) -> Callable:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return inplace.replace(self, lambda: function(self, *args, **kwargs), f"{name}_")

    inplace.named_as_method(method, f"{name}_")
    method.__doc__ = f"Do what `{name}` does in place, and return this Tensor."
    return method


def sizes_of(given: tuple, name: str = "size") -> tuple[int, ...]:
    """Return the sizes that a call was given apart or in one sequence: `(2, 3)` or `((2, 3),)`."""
    many = len(given) == 1 and isinstance(given[0], (tuple, list))
    try:
        return tuple(int(n) for n in (given[0] if many else given))
    except (TypeError, ValueError):
        raise DTypeError(f"{name}: expected ints, got {given!r}") from None


def language_table() -> str:
    """Return `TABLE` as Markdown: what each name that differs means to PyTorch, then the names that are new."""
    rows = ["| name | what it does | what differs |", "|---|---|---|"]
    for name, meaning in sorted(TABLE.items()):
        if meaning.difference:
            summary = (meaning.function.__doc__ or "").strip().partition("\n")[0].rstrip(".")
            rows.append(f"| `{name}` | {summary} | {meaning.difference} |")
    new = ", ".join(f"`{name}`" for name, meaning in sorted(TABLE.items()) if not meaning.difference)
    return "\n".join([*rows, "", f"Names that gpugrad does not have, or not in place: {new}."])
