"""A state as a table of tensors and a JSON text: nested dicts, lists and tuples are taken apart and put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..autograd.tensor import Tensor
from ..errors import CheckpointError, DTypeError

_DEEPEST = 100  # levels of lists and dicts, for which Python's own limit is far


def take_apart(value: Any, name: str, tensors: dict[str, Any], depth: int = 0) -> Any:
    """Return `value` as JSON; its tensors and arrays go into `tensors`.

    They are named by their place: "optimizer/state/0/exp_avg". Numbers, texts and None stay as they are; everything
    else becomes a list whose first item is its kind: {"a": (1,)} becomes ["dict", ["a", ["tuple", 1]]]. Raises
    DTypeError for values of other types, and for those nested too deep or contained in themselves.
    """
    if depth > _DEEPEST:
        raise DTypeError(f"cannot save {name[:80]}...: more than {_DEEPEST} lists or dicts inside each other")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value if type(value) in (bool, int, float, str, type(None)) else _plain(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (Tensor, np.ndarray)):
        while name in tensors:
            name += "'"
        tensors[name] = value
        return ["tensor" if isinstance(value, Tensor) else "array", name]
    if isinstance(value, Mapping):
        items = [[_key(k, name), take_apart(v, f"{name}/{k}", tensors, depth + 1)] for k, v in value.items()]
        return ["dict", *items]
    if isinstance(value, (list, tuple)):
        items = [take_apart(v, f"{name}/{i}", tensors, depth + 1) for i, v in enumerate(value)]
        return ["tuple" if isinstance(value, tuple) else "list", *items]
    raise DTypeError(f"cannot save {name}, a {type(value).__name__}: expected tensors, numbers, texts, lists or dicts")


def _plain(value: Any) -> Any:
    """Return a subclass of a plain type (an enum's member, say) as the plain one."""
    return next(kind(value) for kind in (int, float, str) if isinstance(value, kind))


def _key(key: Any, name: str) -> Any:
    if isinstance(key, (str, int, float, bool)) or key is None:
        return key
    raise DTypeError(f"cannot save {name}: the key {key!r} is neither a text nor a number")


def put_together(given: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return the value that `take_apart` was given. Raises CheckpointError if `given` is not a result of it."""
    if isinstance(given, dict):
        raise CheckpointError("no state that can be put together (an object of JSON's stands for nothing)")
    if not isinstance(given, list):
        return given
    try:
        kind, *items = given
        if kind == "tensor":
            return tensors[items[0]]
        if kind == "array":
            return tensors[items[0]].numpy()
        if kind == "dict":
            return {key: put_together(value, tensors) for key, value in items}
        return {"list": list, "tuple": tuple}[kind](put_together(value, tensors) for value in items)
    except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"no state that can be put together ({type(error).__name__}: {error})") from None
