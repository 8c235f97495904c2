"""Tensor's operators and methods: the ops, under NumPy's names and under those of PyTorch's that do not clash."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..autograd.mode import mode
from ..autograd.op import OPS, Op
from ..autograd.signature import translated
from ..autograd.tensor import Tensor, wrap
from ..backend.devices import CPU
from ..backend.devices import device as find_device
from ..backend.dtypes import is_float
from ..errors import DTypeError, OptionError, OutOfRangeError, ShapeError
from . import complex, inplace, torch_names

OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift",
}  # fmt: skip
COMPARISONS = {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
}  # fmt: skip
UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "bitwise_invert"}

# PyTorch's names of ops: method -> op
ALIASES = {
    "sub": "subtract", "mul": "multiply", "div": "divide", "pow": "power", "neg": "negative", "abs": "absolute",
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
    "mm": "matmul", "bmm": "matmul",
    "clamp": "clip", "unsqueeze": "expand_dims", "swapdims": "swapaxes", "movedim": "moveaxis", "asin": "arcsin",
    "acos": "arccos", "atan": "arctan", "amax": "max", "amin": "min", "clone": "copy", "type": "astype",
}  # fmt: skip

# Functions (not ops) that are methods too.
FUNCTIONS = (
    "allclose", "angle", "array_split", "chunk", "conj", "diag", "diff", "dot", "flatten", "gather", "index_select",
    "inverse", "istft", "logdet", "stft",
    "narrow", "outer", "ravel", "split", "t", "unbind", "unflatten",
)  # fmt: skip


def _varargs(name: str, function: Callable, attribute: str) -> Callable:
    """Return a method that takes its sizes apart or in a tuple: `x.reshape(2, 3)` and `x.reshape((2, 3))`."""

    def method(self: Tensor, *sizes: Any, **kwargs: Any) -> Tensor:
        if sizes:
            given = tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
            if any(translated(word, (attribute,)) == attribute for word in kwargs):
                raise DTypeError(f"{name}: {attribute} is given twice")
            kwargs[attribute] = given
        return function(self, **kwargs)

    inplace.named_as_method(method, name)
    method.__doc__ = function.__doc__
    return method


def _transpose(self: Tensor, *axes: int | Sequence[int]) -> Tensor:
    """Return this Tensor with its axes in another order: `x.transpose()`, `x.transpose(2, 0, 1)`, `x.transpose((1,
    0))`.

    Without arguments the order is reversed. Two ints that are no order of all axes swap these two, as in PyTorch.

    >>> x = gg.ones(2, 3, 4)
    >>> x.transpose().shape, x.transpose(1, 2).shape
    ((4, 3, 2), (2, 4, 3))
    """
    ints = [a for a in axes if isinstance(a, int)]
    if len(axes) == len(ints) == self.ndim == 2 and [a % 2 for a in ints] == [0, 1]:
        raise OptionError(
            f"transpose: x.transpose{axes} of a matrix changes nothing in NumPy and swaps its axes in PyTorch; write "
            f"x.transpose({axes}) for the first and x.swapaxes{axes} or x.T for the second"
        )
    if len(axes) == len(ints) == 2 and sorted(a % self.ndim for a in ints) != list(range(self.ndim)):
        return OPS["swapaxes"](self, *axes)
    if len(axes) == 1 and isinstance(axes[0], (tuple, list)):
        axes = tuple(axes[0])
    return OPS["transpose"](self, axes=axes or None)


def _permute(self: Tensor, *dims: int | Sequence[int]) -> Tensor:
    """Return this Tensor with its axes in the order `dims`.

    >>> gg.ones(2, 3, 4).permute(2, 0, 1).shape
    (4, 2, 3)
    """
    return OPS["transpose"](self, axes=tuple(dims[0]) if len(dims) == 1 and not isinstance(dims[0], int) else dims)


class Size(int):
    """The number of elements of a Tensor; a call is PyTorch's `size()`: the shape, or the length of axis `dim`."""

    shape: tuple[int, ...]

    def __call__(self, dim: int | None = None) -> Any:
        if dim is not None and not -len(self.shape) <= dim < len(self.shape):
            raise ShapeError(f"size: axis {dim} is outside shape {self.shape}")
        return self.shape if dim is None else self.shape[dim]


def _size(self: Tensor) -> Size:
    """The number of elements, as in NumPy; `x.size()` is the shape and `x.size(0)` a length, as in PyTorch.

    >>> x = gg.ones(2, 3)
    >>> x.size, x.size(), x.size(1)
    (6, (2, 3), 3)
    """
    made = Size(self._array.size)
    made.shape = self._array.shape
    return made


def _view(self: Tensor, *shape: int | Sequence[int]) -> Tensor:
    """Return this Tensor under another shape: `reshape`.

    >>> gg.arange(4).view(2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    return self.reshape(*shape)


def _astype(self: Tensor, dtype: Any, copy: bool = True) -> Tensor:
    """Return this Tensor with another dtype.

    >>> gg.tensor([1.5]).astype("int64")
    tensor([1])
    """
    try:
        return self.to(dtype=dtype, copy=copy)
    except DTypeError as error:
        raise DTypeError(f"astype: {error}") from None


def _contiguous(self: Tensor) -> Tensor:
    """Return this Tensor in C order: itself if it is so already.

    >>> gg.ones(2, 3).T.contiguous().is_contiguous()
    True
    """
    return self if self._array.flags.c_contiguous else OPS["copy"](self)


def _expand(self: Tensor, *sizes: int | Sequence[int]) -> Tensor:
    """Return this Tensor broadcast to `sizes`; -1 keeps the length of an axis.

    >>> gg.tensor([[1], [2]]).expand(-1, 2)
    tensor([[1, 1],
            [2, 2]])
    """
    sizes = tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    lead = len(sizes) - self.ndim
    shape = tuple(self.shape[i - lead] if n == -1 else n for i, n in enumerate(sizes))
    return OPS["broadcast_to"](self, shape=shape)


def _dim(self: Tensor) -> int:
    """Return the number of axes.

    >>> gg.ones(2, 3).dim()
    2
    """
    return self.ndim


def _numel(self: Tensor) -> int:
    """Return the number of elements.

    >>> gg.ones(2, 3).numel()
    6
    """
    return self._array.size


def _element_size(self: Tensor) -> int:
    """Return the number of bytes of one element.

    >>> gg.ones(2, 3).element_size()
    4
    """
    return self._array.itemsize


def _is_contiguous(self: Tensor) -> bool:
    """Return whether the elements lie in C order without gaps.

    >>> gg.ones(2, 3).is_contiguous(), gg.ones(2, 3).T.is_contiguous()
    (True, False)
    """
    return self._array.flags.c_contiguous


def _is_floating_point(self: Tensor) -> bool:
    """Return whether the elements are floating-point numbers.

    >>> gg.ones(2).is_floating_point(), gg.arange(2).is_floating_point()
    (True, False)
    """
    return is_float(self.dtype)


def _reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """Return this Tensor under the shape of `other`.

    >>> gg.arange(4).reshape_as(gg.ones(2, 2))
    tensor([[0, 1],
            [2, 3]])
    """
    return self.reshape(other.shape)


def _expand_as(self: Tensor, other: Tensor) -> Tensor:
    """Return this Tensor broadcast to the shape of `other`.

    >>> gg.tensor([1, 2]).expand_as(gg.ones(2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return _expand(self, other.shape)


def _unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Return the windows of `size` elements that begin every `step` elements along an axis, along a new last axis.

    >>> gg.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    return OPS["sliding_windows"](self, axis=dimension, size=size, step=step)


def _type_as(self: Tensor, other: Tensor) -> Tensor:
    """Return this Tensor with the dtype of `other`.

    >>> gg.tensor([1.5]).type_as(gg.tensor(0))
    tensor([1])
    """
    return self.to(dtype=other.dtype)


def _reflected(op: Op) -> Callable:
    direct = _direct(op)
    return lambda self, other: direct(other, self)


def _direct(op: Op) -> Callable:
    return getattr(op, "direct", op)


def _comparison(op: Op) -> Callable:
    direct = _direct(op)

    def compare(self: Tensor, other: Any) -> Any:
        try:
            return direct(self, other)
        except DTypeError:  # something that is no array: unequal, and unordered
            return NotImplemented

    return compare


def _binary(op: Op) -> Callable:
    direct = _direct(op)
    return direct if direct is not op else lambda *operands: op(*operands)


def _cast(name: str) -> Callable:
    def method(self: Tensor) -> Tensor:
        return self.to(dtype=name)

    method.__doc__ = f"Return this Tensor as {name}."
    return method


def _reversed_axes(self: Tensor) -> Tensor:
    """This Tensor with its axes in reverse order.

    >>> gg.ones(2, 3).T.shape
    (3, 2)
    """
    return OPS["transpose"](self)


def _matrix_transposed(self: Tensor) -> Tensor:
    """This Tensor with its last two axes swapped.

    >>> gg.ones(4, 2, 3).mT.shape
    (4, 3, 2)
    """
    return OPS["swapaxes"](self, axis1=-2, axis2=-1)


def _adjoint(self: Tensor) -> Tensor:
    """This Tensor with its last two axes swapped, and complex numbers conjugated.

    >>> gg.tensor([[1j, 2]]).mH
    tensor([[0.-1.j],
            [2.-0.j]])
    """
    return complex.conj(_matrix_transposed(self))


def _is_cuda(self: Tensor) -> bool:
    """Whether the memory is a GPU's.

    >>> gg.ones(2).is_cuda
    False
    """
    return self.device.type == "cuda"


PROPERTIES: dict[str, Callable] = {
    "T": _reversed_axes,
    "mT": _matrix_transposed,
    "mH": _adjoint,
    "H": _adjoint,
    "real": complex.real,
    "imag": complex.imag,
    "is_cuda": _is_cuda,
    "size": _size,
}


def _pin_memory(self: Tensor) -> Tensor:
    """Return a copy in page-locked host memory, from which `.to("cuda", non_blocking=True)` copies without waiting."""
    host = self.device.to_host(self._array)
    made = find_device("cuda").pinned(host.shape, host.dtype)
    made[...] = host
    return wrap(made, CPU, None)


METHODS: dict[str, Callable] = {
    "transpose": _transpose, "permute": _permute, "view": _view, "astype": _astype,
    "contiguous": _contiguous, "expand": _expand, "dim": _dim, "numel": _numel, "is_contiguous": _is_contiguous,
    "element_size": _element_size, "is_complex": complex.is_complex, "is_floating_point": _is_floating_point,
    "reshape_as": _reshape_as,
    "view_as": _reshape_as, "expand_as": _expand_as, "pin_memory": _pin_memory, "type_as": _type_as, "unfold": _unfold,
    "float": _cast("float32"), "double": _cast("float64"), "half": _cast("float16"), "bfloat16": _cast("bfloat16"),
    "int": _cast("int32"), "long": _cast("int64"), "bool": _cast("bool"),
    "cfloat": _cast("complex64"), "cdouble": _cast("complex128"),
}  # fmt: skip


def attach(functions: Mapping[str, Any]) -> None:
    """Give Tensor its operators, properties and methods.

    functions: the public ones, by name. An op that is not among them is a helper of gradient rules, and no method.
    Neither is an op whose input is a sequence of Tensors.
    """
    for word, name in OPERATORS.items():
        setattr(Tensor, f"__{word}__", _binary(OPS[name]))
        setattr(Tensor, f"__r{word}__", _reflected(OPS[name]))
    for word, name in COMPARISONS.items():
        setattr(Tensor, f"__{word}__", _comparison(OPS[name]))
    for word, name in UNARY.items():
        setattr(Tensor, f"__{word}__", _binary(OPS[name]))
    public = {name: name for name, op in OPS.items() if name in functions and not op.many}
    for method, name in {**public, **ALIASES}.items():
        if not hasattr(Tensor, method):
            setattr(Tensor, method, OPS[name])
    clashes = {name: name for name in torch_names.CLASHES if name in OPS}
    for name, function in {**{name: name for name in FUNCTIONS}, **clashes, **torch_names.ALIASES}.items():
        setattr(Tensor, name, functions[function])
    Tensor.reshape = _varargs("reshape", functions["reshape"], "shape")
    Tensor.tile = functions["tile"]
    for name, method in METHODS.items():
        inplace.named_as_method(method, name)
        setattr(Tensor, name, method)
    for name, get in PROPERTIES.items():
        setattr(Tensor, name, property(get, _set_part(get) if name in ("real", "imag") else None))
    Tensor.__getitem__ = _getitem
    inplace.attach(ALIASES, {name: functions[name] for name in torch_names.CLASHES})


def _set_part(get: Callable) -> Callable:
    """Return the setter of the real or imaginary parts, which `get` gives."""

    def set_part(self: Tensor, value: Any) -> None:
        if self.dtype.kind != "c" and get is complex.imag:
            raise DTypeError(f"imag: a tensor of {self.dtype} has no imaginary part to set")
        get(self)[...] = value

    return set_part


def _getitem(self: Tensor, index: Any) -> Tensor:
    if mode.batch is not None:  # an index may differ between the examples of vmap where the tensor does not
        self = mode.batch.adopt(self)
    if index.__class__ is int and not -self.shape[0] <= index < self.shape[0] if self.ndim else False:
        raise OutOfRangeError(
            f"getitem: index {index} is outside axis 0 of {self.shape}, which has {self.shape[0]} elements"
        )
    return OPS["getitem"](self, index=index)
