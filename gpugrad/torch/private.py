"""Names that PyTorch keeps to itself, and that programs use all the same: sizes per axis, fans, lists of Tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ..backend.devices import Device
from ..nn.init import fans
from .dtypes import dtype
from .language import Tensor

_device, _dtype, _size, _int, _float, _bool = Device, dtype, tuple, int, float, bool
Number = int | float | bool


def _ntuple(n: int, name: str = "parse") -> Callable[[Any], tuple]:
    """Return a function that gives a number n times, and a sequence as a tuple."""

    def parse(x: Any) -> tuple:
        return tuple(x) if isinstance(x, Iterable) and not isinstance(x, str) else (x,) * n

    return parse


_single, _pair, _triple, _quadruple = map(_ntuple, (1, 2, 3, 4))


def _reverse_repeat_tuple(t: Iterable, n: int) -> tuple:
    """Return the items in reverse order, each n times."""
    return tuple(x for x in reversed(tuple(t)) for _ in range(n))


_calculate_fan_in_and_fan_out = fans


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    """Return the fan in or out of a weight."""
    return fans(tensor)[mode == "fan_out"]


def _get_activation_fn(activation: str) -> Callable:
    """Return relu or gelu by name."""
    from .nn import functional

    return getattr(functional, activation)


def tree_flatten(tree: Any) -> tuple[list, Any]:
    """Return the leaves of nested tuples, lists and dicts, and the nest with numbers in their place."""
    leaves: list = []

    def number(leaf: Any) -> int:
        leaves.append(leaf)
        return len(leaves) - 1

    spec = tree_map(number, tree)
    return leaves, spec


def tree_unflatten(leaves: Any, spec: Any) -> Any:
    """Return the nest that `tree_flatten` took apart, with these leaves."""
    leaves, spec = (spec, leaves) if not isinstance(leaves, (list, tuple)) else (leaves, spec)
    return tree_map(list(leaves).__getitem__, spec)


def tree_map(function: Callable, tree: Any) -> Any:
    """Return nested tuples, lists and dicts with `function` of each leaf."""
    if isinstance(tree, dict):
        return type(tree)((key, tree_map(function, value)) for key, value in tree.items())
    if isinstance(tree, (tuple, list)) and not hasattr(tree, "numel"):
        return getattr(tree, "_make", type(tree))(tree_map(function, item) for item in tree)
    return function(tree)


def foreach(name: str, tensors: Any, *others: Any, **options: Any) -> list:
    """Return the method `name` of each Tensor, with the matching items of the other lists."""
    lists = [o if isinstance(o, (list, tuple)) else [o] * len(tensors) for o in others]
    if name in ("norm", "sqrt") and not others:
        return [getattr(t, name)(**options) for t in tensors]
    return [getattr(t, name)(*rest, **options) for t, *rest in zip(tensors, *lists, strict=True)]


def __getattr__(name: str) -> Any:
    if name.startswith("_foreach_"):
        found = name.removeprefix("_foreach_")
        return partial(foreach, {"maximum_": "clamp_min_", "minimum_": "clamp_max_"}.get(found, found))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
