"""The precision of float32 products on cuda devices: all 24 bits, or TensorFloat32's 11 for speed."""

from ..errors import DTypeError

_CHOICES = ("highest", "high", "medium")
_chosen = "highest"


def get_float32_matmul_precision() -> str:
    """Return the precision of float32 products on cuda devices: "highest", "high" or "medium".

    With "highest" everything is float32. With "high" and "medium" the factors are rounded to TensorFloat32; the sums
    are not.

    >>> gg.get_float32_matmul_precision()
    'highest'
    """
    return _chosen


def set_float32_matmul_precision(precision: str) -> None:
    """Choose "highest", "high" or "medium" for products and convolutions of float32 on cuda devices.

    >>> gg.set_float32_matmul_precision("high")
    >>> gg.get_float32_matmul_precision()
    'high'
    >>> gg.set_float32_matmul_precision("highest")
    """
    global _chosen
    if precision not in _CHOICES:
        raise DTypeError(f"set_float32_matmul_precision: expected one of {', '.join(_CHOICES)}; got {precision!r}")
    _chosen = precision
