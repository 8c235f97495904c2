"""Autocast: ops that gain from 16 bits run in 16 bits, ops that need more digits run in float32.

An op declares its policy (`@op(autocast="low")`), which `place` applies. A network function that is made of several ops
has one policy as a whole (`@governed("float32")`). The policies are PyTorch's. Without a policy, a function takes the
inputs as they are: two dtypes are promoted to the wider one.

Source: Micikevicius et al. 2018, "Mixed Precision Training".
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from ..backend.dtypes import as_dtype, bfloat16, float16, float32, float64, is_float, is_low
from ..errors import DeviceError, DTypeError
from .casts import Together, cast_together
from .graph import FREED
from .mode import Switch, mode
from .tensor import Tensor
from .versions import change_since, clock

# A policy says what the floating-point inputs are cast to.
LOW = "low"  # the region's 16-bit dtype
FLOAT32 = "float32"
FIRST = "first"  # the dtype of the first input: statistics and scales follow the activations
PLAIN = "plain"  # nothing, and neither do the ops inside of it cast
REFUSED = "refused"  # an error: the gradient would overflow
KINDS = ("cpu", "cuda")


def by_device(policy: str | dict[str, str]) -> dict[str, str]:
    """Return the policy of each kind of device, given one for all kinds or a dictionary. Raises DTypeError."""
    policies: dict[str, str] = policy if isinstance(policy, dict) else {kind: policy for kind in KINDS if policy}
    wrong = [*(policies.keys() - KINDS), *(set(policies.values()) - {LOW, FLOAT32, FIRST, PLAIN, REFUSED})]
    if wrong:
        raise DTypeError(f"autocast: unknown policy {wrong[0]!r}; policies: low, float32, first, plain, refused")
    return policies


class Region:
    """The settings that hold between entering an `autocast` block and leaving it.

    dtypes: the 16-bit dtype for each kind of device. cache: the casts of parameters, which are kept until the outermost
    region ends; None keeps no casts. together: which parameters are cast at once.
    """

    def __init__(self, dtypes: dict[str, np.dtype], cache: dict | None, together: Together | None = None):
        self.dtypes, self.cache = dtypes, cache
        self.together = Together() if together is None else together

    def again(self) -> Region:
        """Return the region for a computation that is repeated: its casts are made anew."""
        return Region(self.dtypes, None if self.cache is None else {})

    def inputs(self, name: str, policies: dict[str, str], inputs: Sequence) -> Sequence:
        """Cast the inputs of the function called `name` as its policies say."""
        found = self.target(name, policies, inputs) if policies else None
        return inputs if found is None else [self.cast(value, *found) for value in inputs]

    def target(self, name: str, policies: dict[str, str], values: Sequence) -> tuple[str, np.dtype | None] | None:
        """Return (kind of device, the dtype to cast to or None) if there is a policy for these values."""
        tensors = [v for v in values if isinstance(v, Tensor) and is_float(v._array.dtype)]
        kind = tensors[0].device.type if tensors else ""
        word = policies.get(kind) if kind in self.dtypes else None
        if word is None:
            return None
        if word == REFUSED:
            raise DTypeError(
                f"{name}: its gradient overflows in 16 bits; inside autocast use {name}_with_logits on values before "
                "the sigmoid"
            )
        dtypes = {LOW: self.dtypes[kind], FLOAT32: float32, FIRST: tensors[0]._array.dtype}
        return kind, dtypes.get(word)

    def cast(self, value: Any, kind: str, dtype: np.dtype | None) -> Any:
        """Return `value` cast to `dtype` if it is a floating-point Tensor on this kind of device and not float64."""
        if dtype is None or not isinstance(value, Tensor) or value.device.type != kind:
            return value
        given = value._array.dtype
        if given == dtype or given == float64 or not is_float(given):
            return value
        if self.cache is None or given != float32 or not (value.requires_grad and value.is_leaf):
            return value.to(dtype=dtype)
        made = self._cached(value, dtype)
        if made is None:
            for parameter, cast in zip(*self._cast_now(value, dtype), strict=True):
                self.cache[id(parameter), dtype, mode.grad] = parameter, cast, next(clock)
            made = self.cache[id(value), dtype, mode.grad][1]
        elif kind == "cuda":
            self.together.use(value)
        return made

    def _cached(self, parameter: Tensor, dtype: np.dtype) -> Tensor | None:
        """Return the cast that was made before, unless the parameter has changed since or backward has freed it."""
        assert self.cache is not None
        _, made, number = self.cache.get((id(parameter), dtype, mode.grad), (None, None, 0))
        if made is None or change_since(parameter._array, number) or getattr(made._node, "saved", None) is FREED:
            return None
        return made

    def _cast_now(self, parameter: Tensor, dtype: np.dtype) -> tuple[list[Tensor], list[Tensor]]:
        """Cast a parameter, and on cuda those that will follow. Returns them, and their casts."""
        if parameter.device.type != "cuda":
            return [parameter], [parameter.to(dtype=dtype)]
        known = [
            p for p in self.together.begin(parameter)
            if p.device is parameter.device and p._array.dtype == float32 and p.requires_grad
            and self._cached(p, dtype) is None
        ]  # fmt: skip
        return known, cast_together(known, dtype)


class autocast(Switch):
    """A region in which ops that gain from 16 bits run in 16 bits, and ops that need more digits run in float32.

    Use it as a `with` block or as a decorator. Networks stay in float32; run backward outside of the region. float64 is
    never cast.

    device_type: "cpu" or "cuda"; only tensors on such devices are cast.
    dtype: float16 (the default on cuda) or bfloat16 (the default on the CPU).
    enabled: False switches an outer region off.
    cache_enabled: cast each parameter once, not at every use.

    >>> with gg.autocast("cpu", dtype=gg.bfloat16):
    ...     product = gg.ones(2, 2) @ gg.ones(2, 2)
    >>> product.dtype.name
    'bfloat16'
    """

    def __init__(self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None):
        super().__init__()
        if device_type not in KINDS:
            raise DeviceError(f"autocast: device_type must be 'cpu' or 'cuda', got {device_type!r}")
        self.device = device_type
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else as_dtype(dtype)
        if enabled and self.fast_dtype not in (float16, bfloat16()):
            warnings.warn(f"autocast: dtype must be float16 or bfloat16, got {dtype}; it is disabled", stacklevel=2)
            enabled = False
        self._enabled, self._cache_enabled = enabled, cache_enabled is not False

    def _inside(self) -> dict[str, Any]:
        before = mode.autocast
        dtypes = {} if before is None else {k: d for k, d in before.dtypes.items() if k != self.device}
        if self._enabled:
            dtypes[self.device] = self.fast_dtype
        cache = before.cache if before is not None and before.cache is not None else {}
        together = None if before is None else before.together
        return {"autocast": Region(dtypes, cache if self._cache_enabled else None, together) if dtypes else None}

    def __enter__(self) -> autocast:
        super().__enter__()
        return self


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Return whether tensors of this type of device are inside an `autocast` region.

    >>> with gg.autocast("cpu"):
    ...     print(gg.amp.is_autocast_enabled("cpu"))
    True
    """
    return mode.autocast is not None and device_type in mode.autocast.dtypes


def get_autocast_dtype(device_type: str) -> np.dtype:
    """Return the 16-bit dtype of the region, or the one that a region would have.

    >>> gg.amp.get_autocast_dtype("cpu").name
    'bfloat16'
    """
    if mode.autocast is not None and device_type in mode.autocast.dtypes:
        return mode.autocast.dtypes[device_type]
    return float16 if device_type == "cuda" else bfloat16()


def in_float32(function: Callable) -> Callable:
    """Decorate a function of several ops: it takes 16-bit floats in float32 and rounds the result once, as ops do."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        floats = {v._array.dtype for v in (*args, *kwargs.values()) if isinstance(v, Tensor) and is_float(v.dtype)}
        if not floats or not all(map(is_low, floats)):
            return function(*args, **kwargs)
        out = function(*map(_raised, args), **{key: _raised(value) for key, value in kwargs.items()})
        if len(floats) > 1:
            return out
        (low,) = floats
        return tuple(_in(low, o) for o in out) if isinstance(out, tuple) else _in(low, out)

    return call


def _in(low: np.dtype, out: Tensor) -> Tensor:
    return out.to(dtype=low) if out.dtype == float32 else out


def _raised(value: Any) -> Any:
    return value.to(dtype=float32) if isinstance(value, Tensor) and is_low(value.dtype) else value


def governed(policy: str | dict[str, str]) -> Callable[[Callable], Callable]:
    """Decorate a function of several ops: its arguments are cast as `policy` says, and inside it autocast is off.

    One that is to run in float32 does that for 16-bit floats also elsewhere (see `in_float32`).
    """
    policies = by_device(policy)

    def decorate(function: Callable) -> Callable:
        function = in_float32(function) if FLOAT32 in policies.values() else function

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            region = mode.autocast
            if region is None or (found := region.target(call.__name__, policies, (*args, *kwargs.values()))) is None:
                return function(*args, **kwargs)
            args = tuple(region.cast(value, *found) for value in args)
            kwargs = {key: region.cast(value, *found) for key, value in kwargs.items()}
            with Switch(autocast=None):
                return function(*args, **kwargs)

        return call

    return decorate
