"""Values moving in and out of modules: conversion, copying into place, comparison of names and shapes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..autograd.versions import changed
from ..backend.dtypes import is_float


class Keys(NamedTuple):
    """What `load_state_dict` found different from the module."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def as_tensor(value: Any) -> Tensor:
    """A Tensor of a state dict's value: ours, NumPy's, or PyTorch's (through NumPy, which has no bfloat16)."""
    if isinstance(value, Tensor):
        return value
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
    return asarray(np.asarray(value), device="cpu")


def replace(tensor: Tensor, other: Tensor) -> None:
    """Give `tensor` the memory of another one, on whatever device."""
    tensor._array, tensor.device = other._array, other.device


def copy_into(tensor: Tensor, value: Tensor, op: str) -> None:
    """Overwrite the values of `tensor` with those of another one of any device and dtype, as the op named `op`."""
    target = tensor._array
    target[...] = value.detach().to(device=tensor.device)._array
    changed(target, op)


def drop_gradient(tensor: Tensor, set_to_none: bool) -> None:
    """Forget the gradient of `tensor`, or make it zeros."""
    if set_to_none or tensor.grad is None:
        tensor.grad = None
        return
    tensor.grad = tensor.grad.detach()
    tensor.grad._array[...] = 0
    changed(tensor.grad._array, "zero_grad")


def compare(own: Mapping[str, Tensor], given: Mapping[str, Any], strict: bool) -> tuple[Keys, list[str]]:
    """The names that only one side has, and every reason not to load, as lines of text."""
    keys = Keys([name for name in own if name not in given], [name for name in given if name not in own])
    problems = []
    if strict:
        problems += [
            f"{what}: {', '.join(names)}" for what, names in zip(("missing", "unexpected"), keys, strict=True) if names
        ]
    for name, tensor in own.items():
        if name in given and tuple(given[name].shape) != tensor.shape:
            problems.append(f"{name}: shape {tuple(given[name].shape)} given, {tensor.shape} expected")
    return keys, problems


def only_floats(dtype: Any, tensor: Tensor) -> Any:
    """`dtype` where `tensor` is floating-point, else None: integers and booleans keep theirs."""
    return dtype if is_float(tensor.dtype) else None
