"""Mixed precision: regions that compute in 16 bits, and a loss scale that keeps float16 gradients from vanishing.

>>> layer = gg.nn.Linear(4, 2)
>>> with gg.amp.autocast("cpu", dtype=gg.bfloat16):
...     out = layer(gg.ones(3, 4))
>>> out.dtype.name, layer.weight.dtype.name
('bfloat16', 'float32')
"""

from ..autograd.autocast import autocast, get_autocast_dtype, is_autocast_enabled
from .custom import custom_bwd, custom_fwd, is_autocast_available
from .grad_scaler import GradScaler

__all__ = [
    "GradScaler", "autocast", "custom_bwd", "custom_fwd", "get_autocast_dtype", "is_autocast_available",
    "is_autocast_enabled",
]  # fmt: skip
