"""Array namespaces: the same function names for NumPy arrays, CuPy arrays and Tensors.

`xp(array)` returns the namespace of an array, and code written against it runs on all three. A raw namespace is the
array library, extended by every op that the library lacks (`conv`, `softmax`, ...), so that a gradient rule may call
any op by name whatever it is given.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .cpu import gemm, threads

Provider = Callable[[str, str], Callable | None]


class Namespace:
    """The functions of `library` (an array module) and `extra` ones, then the ops that `provider(name, kind)` gives."""

    provider: Provider = staticmethod(lambda name, kind: None)

    def __init__(self, library: Any, kind: str, **extra: Callable):
        self.library, self.kind = library, kind
        vars(self).update(extra)

    def __getattr__(self, name: str) -> Any:
        # Runs on the first use of a name only: the value is then kept in the instance.
        value = getattr(self.library, name, None)
        if value is None:
            value = self.provider(name, self.kind)
        if value is None:
            raise AttributeError(f"neither {self.library.__name__} nor gpugrad's ops have {name!r}")
        setattr(self, name, value)
        return value


def _in_turn(function: Callable) -> Callable:
    """Return a function of NumPy that calls BLAS, such that it waits for its turn (see `threads.blas_turn`)."""

    def call(*args: Any, **kwargs: Any) -> Any:
        with threads.blas_turn:
            return function(*args, **kwargs)

    return call


_PRODUCTS = {name: _in_turn(getattr(np, name)) for name in ("dot", "inner", "tensordot", "vdot", "vecdot")}
CPU = Namespace(np, "cpu", matmul=gemm.matmul, **_PRODUCTS)
_by_type: dict[type, Any] = {np.ndarray: CPU}


def register_type(cls: type, namespace: Any) -> None:
    """Make `xp` return `namespace` for instances of `cls`."""
    _by_type[cls] = namespace


def xp(array: Any) -> Any:
    """Return the namespace of `array`: NumPy's, CuPy's, or gpugrad's own for a Tensor.

    >>> def rms(x):  # for arrays of any library and for Tensors
    ...     return gg.xp(x).sqrt((x * x).mean())
    >>> rms(np.array([3.0, 3.0])), rms(gg.tensor([3.0, 3.0]))
    (np.float64(3.0), tensor(3.))
    """
    try:
        return _by_type[array.__class__]
    except KeyError:
        for cls in type(array).__mro__:
            if cls in _by_type:
                return _by_type[cls]
        return CPU  # NumPy scalars, which reductions return
