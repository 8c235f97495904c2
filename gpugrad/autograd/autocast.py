"""Autocast: which functions run in 16 bits and which in float32, PyTorch's policy as one table.

`place` looks ops up in the table. `governed` wraps the network functions that are made of several ops and looks those
up. A function that is not in the table takes the inputs as they are: two dtypes are promoted to the wider one.

Source: Micikevicius et al. 2018, "Mixed Precision Training".
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from ..backend.dtypes import as_dtype, bfloat16, float16, float32, float64, is_float
from ..errors import DeviceError, DTypeError
from .graph import FREED
from .mode import _Switch, mode
from .tensor import Tensor
from .versions import change_since, clock

LOW, FLOAT32, FIRST, PLAIN, REFUSED = "low", "float32", "first", "plain", "refused"

# What runs in the region's 16-bit dtype (LOW), in float32, in the dtype of the first input (FIRST: statistics and
# scales follow the activations), or in what is given although the ops it is made of would not (PLAIN).
_BOTH = {
    LOW: "attention convolution convolution_input_gradient einsum gru_layer linear linear_gelu linear_relu lstm_layer "
    "matmul prelu rnn_layer",
    FLOAT32: "cosine_embedding_loss cross_entropy_rows hinge_embedding_loss huber_loss kl_div l1_loss "
    "margin_ranking_loss mse_loss multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss nll_loss pdist "
    "poisson_nll_loss prod smooth_l1_loss soft_margin_loss triplet_margin_loss triplet_margin_with_distance_loss "
    "binary_cross_entropy_with_logits",
    FIRST: "batch_norm bias_activation channel_affine",
    PLAIN: "bilinear",
}
_CPU = {
    FLOAT32: "adaptive_avg_pool3d adaptive_max_pool3d avg_pool3d binary_cross_entropy cholesky ctc_losses det eigh "
    "eigvalsh fractional_max_pool2d fractional_max_pool3d grid_sample inv max_unpool1d max_unpool2d max_unpool3d pinv "
    "qr quantile slogdet solve svd svdvals",
    FIRST: "add_layer_norm add_rms_norm layer_norm rms_norm",
}
_CUDA = {
    FLOAT32: "add_layer_norm add_rms_norm arccos arcsin cosh cosine_similarity cumprod cumsum erfinv exp expm1 "
    "interpolate layer_norm log log10 log1p log2 log_softmax logcumsumexp logsumexp masked_softmax pairwise_distance "
    "power reciprocal rms_norm rsqrt sinh softmax softplus sum tan vector_norm",
    REFUSED: "binary_cross_entropy",
}


def _by_name(*tables: dict[str, str]) -> dict[str, str]:
    return {name: policy for table in tables for policy, names in table.items() for name in names.split()}


POLICIES = {"cpu": _by_name(_BOTH, _CPU), "cuda": _by_name(_BOTH, _CUDA)}


class Region:
    """The settings that hold between entering an `autocast` block and leaving it.

    dtypes: the 16-bit dtype for each kind of device. cache: the casts of parameters, which are kept until the outermost
    region ends; None keeps no casts.
    """

    def __init__(self, dtypes: dict[str, np.dtype], cache: dict | None):
        self.dtypes, self.cache = dtypes, cache

    def inputs(self, name: str, inputs: Sequence) -> Sequence:
        """Return the inputs of the function called `name`, cast to the dtype that its policy chooses."""
        found = self.policy(name, inputs)
        return inputs if found is None else [self.cast(value, *found) for value in inputs]

    def policy(self, name: str, values: Sequence) -> tuple[str, np.dtype | None] | None:
        """Return (kind of device, dtype to cast to or None) for `name`; return None if no policy here names it."""
        tensors = [v for v in values if isinstance(v, Tensor) and is_float(v._array.dtype)]
        kind = tensors[0].device.type if tensors else ""
        word = POLICIES[kind].get(name) if kind in self.dtypes else None
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
        """Return `value` cast to `dtype` if it is a floating-point Tensor on a device of this kind, unless it is
        float64."""
        if dtype is None or not isinstance(value, Tensor) or value.device.type != kind:
            return value
        given = value._array.dtype
        if given == dtype or given == float64 or not is_float(given):
            return value
        if self.cache is None or given != float32 or not (value.requires_grad and value.is_leaf):
            return value.to(dtype=dtype)
        key = id(value), dtype, mode.grad
        if key in self.cache:
            _, made, number = self.cache[key]
            if not change_since(value._array, number) and getattr(made._node, "saved", None) is not FREED:
                return made
        made = value.to(dtype=dtype)
        self.cache[key] = value, made, next(clock)
        return made


class autocast(_Switch):
    """A region in which ops that gain from 16 bits run in 16 bits, and ops that need float32 run in float32.

    Use it as a `with` block or as a decorator. Networks stay in float32; run backward outside of the region. float64 is
    never cast.

    device_type: "cpu" or "cuda"; only tensors on such devices are cast.
    dtype: float16 (the default on cuda) or bfloat16 (the default on the CPU).
    enabled: False switches an outer region off.
    cache_enabled: cast each parameter once, not at every use.

    >>> import gpugrad as gg
    >>> with gg.autocast("cpu", dtype=gg.bfloat16):
    ...     product = gg.ones(2, 2) @ gg.ones(2, 2)
    >>> product.dtype.name
    'bfloat16'
    """

    def __init__(self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None):
        super().__init__(autocast=None)
        if device_type not in POLICIES:
            raise DeviceError(f"autocast: device_type must be 'cpu' or 'cuda', got {device_type!r}")
        self.device = device_type
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else as_dtype(dtype)
        if enabled and self.fast_dtype not in (float16, bfloat16()):
            warnings.warn(f"autocast: dtype must be float16 or bfloat16, got {dtype}; it is disabled", stacklevel=2)
            enabled = False
        self._enabled, self._cache_enabled = enabled, cache_enabled is not False

    def __enter__(self) -> autocast:  # type: ignore[override]
        before = mode.autocast
        dtypes = {} if before is None else {k: d for k, d in before.dtypes.items() if k != self.device}
        if self._enabled:
            dtypes[self.device] = self.fast_dtype
        cache = before.cache if before is not None and before.cache is not None else {}
        self._settings["autocast"] = Region(dtypes, cache if self._cache_enabled else None) if dtypes else None
        super().__enter__()
        return self

    def _like(self, other: Any) -> autocast:
        vars(self).update({**vars(other), "_settings": {}, "_saved": []})
        self._settings["autocast"] = None
        return self


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Return whether tensors of this type of device are inside an `autocast` region.

    >>> import gpugrad as gg
    >>> with gg.autocast("cpu"):
    ...     print(gg.amp.is_autocast_enabled("cpu"))
    True
    """
    return mode.autocast is not None and device_type in mode.autocast.dtypes


def get_autocast_dtype(device_type: str) -> np.dtype:
    """Return the 16-bit dtype of the region, or the one that a region would have.

    >>> import gpugrad as gg
    >>> gg.amp.get_autocast_dtype("cpu").name
    'bfloat16'
    """
    if mode.autocast is not None and device_type in mode.autocast.dtypes:
        return mode.autocast.dtypes[device_type]
    return float16 if device_type == "cuda" else bfloat16()


def governed(function: Callable) -> Callable:
    """Return `function` wrapped such that the policy of its name casts its arguments and autocast is off inside it."""
    name = function.__name__

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        region = mode.autocast
        if region is None or (found := region.policy(name, (*args, *kwargs.values()))) is None:
            return function(*args, **kwargs)
        args = tuple(region.cast(value, *found) for value in args)
        kwargs = {key: region.cast(value, *found) for key, value in kwargs.items()}
        with _Switch(autocast=None):
            return function(*args, **kwargs)

    return call


def governed_names() -> set[str]:
    """Return the names that the policy of any device mentions."""
    return {name for names in POLICIES.values() for name in names}
