"""How a `Function` behaves inside an autocast region."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from ..autograd.autocast import KINDS, autocast, get_autocast_dtype, is_autocast_enabled
from ..autograd.tensor import Tensor
from ..backend.dtypes import as_dtype, float64, is_float


def is_autocast_available(device_type: str) -> bool:
    """Return whether `autocast` knows this type of device (PyTorch's torch.amp.is_autocast_available).

    >>> gg.amp.is_autocast_available("cpu"), gg.amp.is_autocast_available("tpu")
    (True, False)
    """
    return device_type in KINDS


def custom_fwd(fwd: Callable | None = None, *, device_type: str, cast_inputs: Any = None) -> Callable:
    """Decorate the `forward` of a Function: inside a region it runs with autocast off, on inputs cast to `cast_inputs`.

    Without cast_inputs it runs as the region says. Outside of a region nothing changes (PyTorch's
    torch.amp.custom_fwd).

    >>> class Square(gg.autograd.Function):
    ...     @staticmethod
    ...     @gg.amp.custom_fwd(device_type="cpu", cast_inputs=gg.float32)
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...     @staticmethod
    ...     @gg.amp.custom_bwd(device_type="cpu")
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return 2 * x * g
    >>> x = gg.tensor([3.0], dtype=gg.bfloat16, requires_grad=True)
    >>> with gg.amp.autocast("cpu", dtype=gg.bfloat16):
    ...     y = Square.apply(x)
    >>> y.dtype.name
    'float32'
    >>> y.backward()
    >>> x.grad.tolist()
    [6.0]
    """
    if fwd is None:
        return partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @wraps(fwd)
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        ctx._dtype = get_autocast_dtype(device_type)
        ctx._fwd_used_autocast = inside = is_autocast_enabled(device_type)
        if cast_inputs is None or not inside:
            return fwd(ctx, *args, **kwargs)
        ctx._fwd_used_autocast = False
        args, kwargs = _cast((args, kwargs), device_type, as_dtype(cast_inputs))
        with autocast(device_type, enabled=False):
            return fwd(ctx, *args, **kwargs)

    return forward


def custom_bwd(bwd: Callable | None = None, *, device_type: str) -> Callable:
    """Decorate the `backward` of a Function whose `forward` has `custom_fwd`: autocast is on if it was on in `forward`
    (PyTorch's torch.amp.custom_bwd).

    >>> class Scale(gg.autograd.Function):
    ...     @staticmethod
    ...     @gg.amp.custom_fwd(device_type="cpu")
    ...     def forward(ctx, x):
    ...         return 2 * x
    ...     @staticmethod
    ...     @gg.amp.custom_bwd(device_type="cpu")
    ...     def backward(ctx, g):
    ...         print("autocast is on:", gg.amp.is_autocast_enabled("cpu"))
    ...         return 2 * g
    >>> x = gg.tensor([3.0], requires_grad=True)
    >>> with gg.amp.autocast("cpu"):
    ...     y = Scale.apply(x)
    >>> y.backward()
    autocast is on: True
    """
    if bwd is None:
        return partial(custom_bwd, device_type=device_type)

    @wraps(bwd)
    def backward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        with autocast(device_type, dtype=ctx._dtype, enabled=ctx._fwd_used_autocast):
            return bwd(ctx, *args, **kwargs)

    return backward


def _cast(value: Any, device_type: str, dtype: Any) -> Any:
    """Return `value` with the floating-point Tensors in it cast to `dtype`, except those of float64."""
    if isinstance(value, Tensor):
        wanted = value.device.type == device_type and is_float(value.dtype) and value.dtype != float64
        return value.to(dtype=dtype) if wanted else value
    if isinstance(value, (list, tuple)):
        return type(value)(_cast(v, device_type, dtype) for v in value)
    return {k: _cast(v, device_type, dtype) for k, v in value.items()} if isinstance(value, dict) else value
