"""`gpugrad.amp` in PyTorch's language."""

from __future__ import annotations

from typing import Any

from ..amp import GradScaler as NumPyScaler
from ..autograd.autocast import autocast as gpugrads
from ..backend.cuda import is_available
from .language import passing

_find = passing(__name__, "gpugrad.amp")


def __getattr__(name: str) -> Any:
    return _find(name)


class autocast(gpugrads):
    """A region of mixed precision; `device_type` is "cuda" unless it is given."""

    def __init__(
        self, device_type: Any = "cuda", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ):
        if isinstance(device_type, bool):  # the old autocast(enabled)
            device_type, enabled = "cuda", device_type
        kind = str(device_type).partition(":")[0]
        super().__init__(kind, dtype, enabled, cache_enabled)


class GradScaler(NumPyScaler):
    """A loss scale, which is off where there is no GPU, as PyTorch's; the old class had no `device`."""

    def __init__(
        self,
        device: Any = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ):
        if isinstance(device, (int, float)):
            device, init_scale = "cuda", device
        kind = str(device).partition(":")[0]
        super().__init__(
            kind,
            init_scale,
            growth_factor,
            backoff_factor,
            growth_interval,
            enabled and (kind == "cpu" or is_available()),
        )
