"""How exactly float32 products are computed on cuda devices: all 24 bits, or TensorFloat32's 11 for speed."""

from ..errors import DTypeError

_CHOICES = ("highest", "high", "medium")
_chosen = "highest"


def get() -> str:
    """With "highest" float32 throughout; with "high" and "medium" factors, not sums, are rounded to TensorFloat32."""
    return _chosen


def set(precision: str) -> None:
    """Choose one of "highest", "high" and "medium" for products and convolutions of float32 on cuda devices."""
    global _chosen
    if precision not in _CHOICES:
        raise DTypeError(f"set_float32_matmul_precision: expected one of {', '.join(_CHOICES)}; got {precision!r}")
    _chosen = precision
