"""Tensors inside of tuples, lists and dicts, as functions take and return them."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from .tensor import Tensor


def map_leaves(change: Callable[[Any], Any], nest: Any) -> Any:
    """Return `nest` with everything in it that is no tuple, list or dict changed."""
    if isinstance(nest, (list, tuple)):
        items = [map_leaves(change, item) for item in nest]
        return getattr(nest, "_make", type(nest))(items)  # a named tuple takes its items one by one
    if isinstance(nest, dict):
        changed = {key: map_leaves(change, item) for key, item in nest.items()}
        if type(nest) is dict:
            return changed
        made = copy(nest)  # an ordered dict, one with defaults
        made.update(changed)
        return made
    return change(nest)


def map_tensors(change: Callable[[Any], Any], nest: Any, kind: type = Tensor) -> Any:
    """Return `nest` with each Tensor in it, also in tuples, lists and dicts, changed; `kind`: another class instead."""
    return map_leaves(lambda leaf: change(leaf) if isinstance(leaf, kind) else leaf, nest)


def tensors_in(nest: Any, kind: type = Tensor) -> list[Any]:
    """Return the Tensors in `nest`, in the order in which `map_tensors` meets them; `kind`: another class instead."""
    if isinstance(nest, kind):
        return [nest]
    items = nest.values() if isinstance(nest, dict) else nest if isinstance(nest, (tuple, list)) else ()
    return [tensor for item in items for tensor in tensors_in(item, kind)]
