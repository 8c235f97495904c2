"""Functions of Tensors as functions of torch.Tensors: `exported`.

Called eagerly, a function is a `torch.autograd.Function` that keeps the graph of its forward for the backward. Under
`torch.compile` it is `torch.ops.gpugrad.apply`, an op that PyTorch does not look into: its arguments are tensors and
the number of a function, its fake implementation makes outputs of the right shapes, and its backward is the same op
with the number of the function's derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ..autograd.convert import asarray, from_numpy
from ..autograd.mode import enable_grad, no_grad
from ..autograd.nests import map_tensors, tensors_in
from ..autograd.tensor import Tensor
from ..backend.dtypes import bfloat16, is_inexact
from ..errors import DTypeError
from ..optional import need
from .derivatives import Derivative, Flat, Place, frozen, outputs_of, vector_jacobian


def exported(function: Callable) -> Callable:
    """Return what `as_torch` gives."""

    @torch.compiler.assume_constant_result
    def number_of(*args: Any, **kwargs: Any) -> int:
        return _numbered(function, (args, kwargs))

    def call(*args: Any, **kwargs: Any) -> Any:
        tensors = tensors_in((args, kwargs), torch.Tensor)
        if torch.compiler.is_compiling():
            fixed_args, fixed_kwargs = map_tensors(lambda _: _PLACE, (args, kwargs), torch.Tensor)
            number = number_of(*fixed_args, **fixed_kwargs)
            outputs = apply(tensors, number)
            return tuple(outputs) if _gives_several(number) else outputs[0]
        flat = Flat(function, (args, kwargs), torch.Tensor)
        outputs = _Exported.apply(flat, *tensors)
        return outputs if flat.several else outputs[0]

    call.__name__ = call.__qualname__ = getattr(function, "__name__", "call")
    call.__doc__ = function.__doc__
    return call


class _Exported(torch.autograd.Function):
    """A flat function that PyTorch differentiates; of higher order by a flat function for its derivative."""

    @staticmethod
    def forward(ctx: Any, function: Any, *tensors: torch.Tensor) -> Any:
        ctx.save_for_backward(*tensors)
        ctx.function = function
        with _on_the_stream_of(tensors), enable_grad():
            inputs = [_given(t) for t in tensors]
            for x, needed in zip(inputs, ctx.needs_input_grad[1:], strict=True):
                x.requires_grad_(needed)
            outputs = function(*inputs)
            ctx.graph = inputs, outputs
            made = tuple(_returned(output, tensors) for output in outputs)
        ctx.mark_non_differentiable(*(t for t in made if not _has_gradient(t)))
        return made

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        tensors, needed = ctx.saved_tensors, ctx.needs_input_grad[1:]
        inputs, outputs = ctx.graph
        given = [g for g, output in zip(gradients, outputs, strict=True) if is_inexact(output.dtype)]
        if torch.is_grad_enabled():
            made = iter(_Exported.apply(Derivative(ctx.function, len(tensors)), *tensors, *given))
            found = [next(made) if _has_gradient(t) else None for t in tensors]
        else:
            with _on_the_stream_of(tensors), no_grad():
                wanted = [x for x, one in zip(inputs, needed, strict=True) if one]
                made = iter(vector_jacobian(outputs, wanted, [_given(g) for g in given]))
                found = [_returned(next(made), ()) if one else None for one in needed]
        return None, *found


# Under torch.compile

_PLACE = "<tensor>"  # stands for a tensor among the arguments of a function that has a number
_functions: list[Any] = []
_numbers: dict[Hashable, int] = {}


def _numbered(function: Callable, arguments: Any) -> int:
    """Return the number under which `apply` knows a function with these arguments."""
    try:
        key = (function, frozen(arguments))
        known = _numbers.get(key)
    except TypeError:
        raise DTypeError(f"as_torch: under torch.compile, arguments must be hashable; got {arguments!r}") from None
    if known is None:
        places = map_tensors(lambda text: Place() if text == _PLACE else text, arguments, str)
        known = _number(key, Flat(function, places, Place))
    return known


def _derivative_of(number: int, count: int) -> int:
    """Return the number of the derivative of a function of `count` tensors."""
    key = ("derivative", number, count)
    return _numbers.get(key) or _number(key, Derivative(_functions[number], count))


def _number(key: Hashable, function: Any) -> int:
    _functions.append(function)
    _numbers[key] = len(_functions) - 1
    return _numbers[key]


@torch.compiler.assume_constant_result
def _gives_several(number: int) -> bool:
    """Return whether a function gives a tuple; its trial for the shapes has said so."""
    return _functions[number].several


@torch.library.custom_op("gpugrad::apply", mutates_args=(), schema="(Tensor[] tensors, int function) -> Tensor[]")
def apply(tensors: Sequence[torch.Tensor], function: int) -> list[torch.Tensor]:
    """Return what a numbered function gives."""
    with _on_the_stream_of(tensors), no_grad():
        return [_returned(output, tensors) for output in _functions[function](*map(_given, tensors))]


@apply.register_fake
def _fake(tensors: Sequence[torch.Tensor], function: int) -> list[torch.Tensor]:
    inputs = [(tuple(map(int, t.shape)), _numpy_dtype(t.dtype)) for t in tensors]
    return [
        torch.empty(shape, dtype=_torch_dtype(dtype), device=tensors[0].device)
        for shape, dtype in outputs_of(_functions[function], inputs)
    ]


def _set_up(ctx: Any, inputs: tuple, output: list[torch.Tensor]) -> None:
    tensors, ctx.function = inputs
    ctx.save_for_backward(*tensors)
    ctx.floats = [_has_gradient(t) for t in output]


def _backward(ctx: Any, gradients: Sequence[torch.Tensor | None]) -> Any:
    tensors = ctx.saved_tensors
    given = [g for g, one in zip(gradients, ctx.floats, strict=True) if one]
    made = iter(apply([*tensors, *given], _derivative_of(ctx.function, len(tensors))))
    return [next(made) if _has_gradient(t) else None for t in tensors], None


apply.register_autograd(_backward, setup_context=_set_up)


# Arrays across

_BFLOAT16 = "bfloat16"  # for which NumPy, and so Tensor.numpy(), has no dtype: its bits go across as integers


def _given(tensor: torch.Tensor) -> Tensor:
    """Return a Tensor that shares a torch.Tensor's memory."""
    tensor = tensor.detach().resolve_conj().resolve_neg()
    low = tensor.dtype is torch.bfloat16
    bits = tensor.view(torch.int16) if low else tensor
    if tensor.is_cuda:
        return asarray(_cupy().asarray(bits).view(bfloat16()) if low else _cupy().asarray(bits))
    return from_numpy(bits.numpy().view(bfloat16()) if low else bits.numpy())


def _returned(output: Tensor, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return a torch.Tensor of a Tensor's memory, or of a copy where PyTorch cannot hold it or an input does."""
    array = output.detach()._array
    low = array.dtype.name == _BFLOAT16
    if output.device.type == "cuda":
        made = torch.as_tensor(_cupy().ascontiguousarray(array).view(np.int16) if low else array, device="cuda")
    else:
        bits = np.ascontiguousarray(array).reshape(array.shape).view(np.int16) if low else array
        usable = bits.flags.writeable and min(bits.strides, default=0) >= 0
        made = torch.from_numpy(bits if usable else bits.copy())
    made = made.view(torch.bfloat16) if low else made
    shared = made.untyped_storage().data_ptr(), made.untyped_storage().nbytes()
    return made.clone() if any(_meet(shared, t.untyped_storage()) for t in inputs) else made


def _meet(memory: tuple[int, int], storage: Any) -> bool:
    start, size = memory
    return start < storage.data_ptr() + storage.nbytes() and storage.data_ptr() < start + size


def _has_gradient(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _torch_dtype(dtype: np.dtype) -> torch.dtype:
    return getattr(torch, dtype.name)


def _numpy_dtype(dtype: torch.dtype) -> np.dtype:
    name = str(dtype).removeprefix("torch.")
    return bfloat16() if name == _BFLOAT16 else np.dtype(name)


def _cupy() -> Any:
    return need("cupy", "as_torch, for CUDA tensors,", "cuda13")


@contextmanager
def _on_the_stream_of(tensors: Sequence[torch.Tensor]) -> Iterator[None]:
    """Let CuPy work on PyTorch's current stream, with memory of PyTorch's allocator, if the tensors are on a GPU."""
    gpu = next((t.device for t in tensors if t.is_cuda), None)
    if gpu is None:
        yield
        return
    cuda, stream = _cupy().cuda, torch.cuda.current_stream(gpu)

    def memory(size: int) -> Any:
        buffer = torch.empty(size, dtype=torch.uint8, device=gpu)
        return cuda.MemoryPointer(cuda.UnownedMemory(buffer.data_ptr(), size, buffer), 0)

    with cuda.Device(gpu.index), cuda.ExternalStream(stream.cuda_stream, gpu.index), cuda.using_allocator(memory):
        yield
