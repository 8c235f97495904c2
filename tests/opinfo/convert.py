"""PyTorch's arguments as gpugrad's, and the results of both as NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import gpugrad as gg


def values_of(tensor: Any) -> np.ndarray:
    """The values of a Tensor of either library; PyTorch's may wait to be conjugated, negated or filled with zeros."""
    return tensor.numpy(force=True) if isinstance(tensor, torch.Tensor) else tensor.detach().numpy()


class NotComparable(Exception):
    """A sample that has no counterpart in gpugrad: complex numbers, sparse tensors, memory formats."""


def _array(tensor: torch.Tensor) -> np.ndarray:
    """The values of a tensor, in memory of its own that has the tensor's order of axes."""
    if tensor.layout is not torch.strided or tensor.is_complex() or tensor.is_quantized or tensor.device.type != "cpu":
        raise NotComparable(f"a tensor of {tensor.layout}, {tensor.dtype} on {tensor.device}")
    return np.array(values_of(tensor), order="K")


def ours(value: Any, leaves: list) -> Any:
    """`value` with PyTorch's tensors, dtypes and sizes as gpugrad's. Those that require gradients are added to
    `leaves`."""
    if isinstance(value, torch.Tensor):
        made = gg.asarray(_array(value))
        if value.requires_grad:
            leaves.append(made.requires_grad_())
        return made
    if isinstance(value, torch.dtype):
        if value.is_complex:
            raise NotComparable(f"the dtype {value}")
        return str(value).removeprefix("torch.")
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, (torch.memory_format, torch.layout, torch.Generator, complex)):
        raise NotComparable(f"an argument {value!r}")
    if isinstance(value, torch.nn.Module):
        return getattr(gg.nn, type(value).__name__)(*[getattr(value, name) for name in value.__constants__])
    if isinstance(value, dict):
        return {key: ours(v, leaves) for key, v in value.items()}
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, (list, tuple)):
        return type(value)([ours(v, leaves) for v in value])
    return value


def theirs(value: Any, leaves: list) -> Any:
    """`value` with copies of its tensors, so that a call cannot change the sample."""
    if isinstance(value, torch.Tensor):
        made = value.detach().clone().requires_grad_(value.requires_grad)
        if value.requires_grad:
            leaves.append(made)
        return made
    if isinstance(value, dict):
        return {key: theirs(v, leaves) for key, v in value.items()}
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)([theirs(v, leaves) for v in value])
    return value


def arrays(value: Any) -> Any:
    """`value` with gpugrad's Tensors as NumPy arrays."""
    if isinstance(value, gg.Tensor):
        return value.detach().numpy()
    if isinstance(value, (list, tuple)):
        return type(value)([arrays(v) for v in value])
    return {key: arrays(v) for key, v in value.items()} if isinstance(value, dict) else value


def tensors(value: Any) -> Iterator[Any]:
    """The tensors of either library in a result, one after the other."""
    if isinstance(value, (gg.Tensor, torch.Tensor)):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, (bool, int, float, np.generic)):
        yield gg.asarray(value)


def results(library: Any, call: Callable, leaves: list) -> tuple[list, list]:
    """The values of a call, and the gradients of its leaves for an upstream gradient that depends on shapes alone."""
    found = list(tensors(call()))
    live = [t for t in found if t.requires_grad]
    if live and leaves:
        draw = np.random.default_rng(5).standard_normal
        upstream = [library.tensor(np.asarray(draw(tuple(t.shape)), str(t.dtype).split(".")[-1])) for t in live]
        library.autograd.backward(live, upstream)
    values = [values_of(t) for t in found]
    return values, [np.zeros(tuple(x.shape)) if x.grad is None else values_of(x.grad) for x in leaves]


def shapes(answer: tuple[list, list]) -> list:
    """The shapes of the values in an answer of `results`."""
    return [value.shape for value in answer[0]]


def difference(got: tuple[list, list], want: tuple[list, list], rtol: float) -> str | None:
    """What differs between two answers of `results`; None if nothing does."""
    for what, ours_, theirs_ in zip(("values", "gradients"), got, want, strict=True):
        if len(ours_) != len(theirs_):
            return f"{len(ours_)} {what} instead of {len(theirs_)}"
        for i, (a, b) in enumerate(zip(ours_, theirs_, strict=True)):
            if problem := _unequal(a, b, rtol):
                return f"{what}[{i}]: {problem}"
    return None


def _unequal(a: np.ndarray, b: np.ndarray, rtol: float) -> str | None:
    if a.shape != b.shape:
        return f"shape {a.shape} instead of {b.shape}"
    if a.dtype.kind == "c" or b.dtype.kind == "c":
        raise NotComparable("complex results")
    a, b = a.astype(np.float64), b.astype(np.float64)
    least = 1e-3 if rtol < 1e-5 else 0.1  # single precision has rounded what small results are differences of
    scale = np.abs(b[np.isfinite(b)]).max(initial=least)
    wrong = ~np.isclose(a, b, rtol=rtol, atol=rtol * scale, equal_nan=True)
    if not wrong.any():
        return None
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{wrong.sum()} of {wrong.size} differ, at {place}: {a[place]:.9g} instead of {b[place]:.9g}"
