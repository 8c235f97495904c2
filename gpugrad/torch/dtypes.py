"""`torch.dtype`: NumPy's dtypes with PyTorch's attributes, and printed as PyTorch's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend.dtypes import as_dtype, complex_of, is_float, real_of


class dtype:
    """The type of a Tensor's elements: equal to NumPy's dtype, in its place everywhere, with all its attributes.

    There is one object for each type, so that `is` compares them.

    >>> import gpugrad.torch as torch
    >>> kind = torch.ones(2).dtype
    >>> kind, kind.is_floating_point, kind.itemsize, kind == np.dtype("float32")
    (torch.float32, True, 4, True)
    """

    __slots__ = ("dtype",)  # the name by which NumPy finds the dtype of an object

    def __new__(cls, given: Any) -> Any:
        return DTYPES[as_dtype(given)]

    @property
    def is_floating_point(self) -> bool:
        """Return whether it is a real floating-point type."""
        return is_float(self.dtype)

    @property
    def is_complex(self) -> bool:
        """Return whether it is a complex type."""
        return self.dtype.kind == "c"

    @property
    def is_signed(self) -> bool:
        """Return whether it has negative numbers."""
        return self.dtype.kind not in "ub"

    def to_real(self) -> dtype:
        """Return the type of the real part."""
        return DTYPES[real_of(self.dtype)]

    def to_complex(self) -> dtype:
        """Return the complex type whose parts are of this type."""
        return DTYPES[complex_of(self.dtype)]

    if TYPE_CHECKING:
        itemsize: int
        name: str
        kind: str
    else:

        def __getattr__(self, name: str) -> Any:
            return getattr(object.__getattribute__(self, "dtype"), name)

    def __eq__(self, other: object) -> bool:
        return self is other or self.dtype == other

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __reduce__(self) -> tuple:
        return dtype, (self.dtype.name,)

    def __repr__(self) -> str:
        return f"torch.{self.dtype.name}"


class _Known(dict):
    """NumPy's dtypes, and PyTorch's for each, made when it is first asked for."""

    def __missing__(self, of: np.dtype) -> dtype:
        made = object.__new__(dtype)
        made.dtype = of
        self[of] = made
        return made


DTYPES = _Known()
