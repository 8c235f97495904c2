"""Values that move in and out of modules: conversion, copying into place, comparison of names and shapes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..autograd.versions import changed
from ..backend.dtypes import is_float
from ..errors import StateDictError


class Keys(NamedTuple):
    """Lists the names in which a state dict differs from the module that loads it."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not any(self):
            return "<All keys matched successfully>"
        return f"Keys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def as_tensor(value: Any) -> Tensor:
    """Return a state dict's value as a Tensor: ours, NumPy's, or PyTorch's (through NumPy, which has no bfloat16)."""
    if isinstance(value, Tensor):
        return value
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
    return asarray(np.asarray(value), device="cpu")


def set_data(tensor: Tensor, other: Tensor) -> None:
    """Give `tensor` the memory of another Tensor, on whatever device that is."""
    tensor._array, tensor.device = other._array, other.device


def copy_into(tensor: Tensor, value: Tensor, op: str) -> None:
    """Overwrite the values of `tensor` with those of another one of any device and dtype; `op` names who does it."""
    target = tensor._array
    target[...] = value.detach().to(device=tensor.device)._array
    changed(target, op)


def drop_gradient(tensor: Tensor, set_to_none: bool) -> None:
    """Remove the gradient of `tensor`, or make it zeros."""
    if set_to_none or tensor.grad is None:
        tensor.grad = None
        return
    tensor.grad = tensor.grad.detach()
    tensor.grad._array[...] = 0
    changed(tensor.grad._array, "zero_grad")


def load_value(tensor: Tensor, value: Any, assign: bool) -> None:
    """Give `tensor` a state dict's value: its memory with `assign`, else a copy."""
    if assign:
        set_data(tensor, as_tensor(value))
    else:
        copy_into(tensor, as_tensor(value), "load_state_dict")


def compare_states(own: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[Keys, list[str]]:
    """Return the names that only one side has, and a line of text for every shape that does not fit."""
    keys = Keys([name for name in own if name not in given], [name for name in given if name not in own])
    wrong = []
    for name, tensor in own.items():
        if name not in given or not isinstance(tensor, Tensor):
            continue
        shape = getattr(given[name], "shape", None)
        if shape is None:
            wrong.append(f"{name}: a {type(given[name]).__name__} given, a tensor expected")
        elif tuple(shape) != tensor.shape:
            wrong.append(f"{name}: shape {tuple(shape)} given, {tensor.shape} expected")
    return keys, wrong


def raise_mismatches(module: Any, keys: Keys, problems: list[str]) -> None:
    """Raise StateDictError with all `problems` and the names in `keys`, if there are any."""
    found = zip(("missing", "unexpected"), keys, strict=True)
    lines = [f"{what}: {', '.join(names)}" for what, names in found if names] + problems
    if lines:
        raise StateDictError(f"the state dict does not fit {type(module).__name__}:\n  " + "\n  ".join(lines))


def float_dtype(dtype: Any, tensor: Tensor) -> Any:
    """Return `dtype` if `tensor` is floating-point, else None: integers and booleans keep theirs."""
    return dtype if is_float(tensor.dtype) else None
