"""Functions of gpugrad that PyTorch has as methods too, some of them in place."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...backend.dtypes import default_dtype
from ..language import TABLE, Meaning, means, passed_through

_METHODS = (
    "fliplr flipud frexp inner isreal kron matrix_exp matrix_power mvlgamma nanquantile polygamma vdot angle conj "
    "stft istft logaddexp2"
)
_IN_PLACE = "digamma i0 lgamma logit nextafter sinc xlogy"


def _borrow(name: str, in_place: bool) -> None:
    TABLE[name] = Meaning("", passed_through(getattr(import_module("gpugrad"), name)), True, True, in_place)


for _name in _METHODS.split():
    _borrow(_name, False)
for _name in _IN_PLACE.split():
    _borrow(_name, True)


@means()
def conj_physical(input: Any) -> Tensor:
    """Return the complex conjugate of each element."""
    return TABLE["conj"].function(input)


def _itself(name: str) -> None:
    def call(input: Any) -> Tensor:
        return input

    call.__name__, call.__doc__ = name, "Return this Tensor: gpugrad conjugates and negates at once."
    means()(call)


for _name in ("resolve_conj", "resolve_neg"):
    _itself(_name)


def _window(name: str, of: Any) -> None:
    def call(
        window_length: int, periodic: bool = True, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        points = of(window_length + periodic)[: window_length or None]
        made = asarray(points, default_dtype() if dtype is None else dtype, device)
        return made.requires_grad_(requires_grad)

    call.__name__, call.__doc__ = name, f"Return the {name.partition('_')[0]} window, of a period or whole."
    means(method=False)(call)


for _name, _of in {"hann": np.hanning, "hamming": np.hamming, "blackman": np.blackman, "bartlett": np.bartlett}.items():
    _window(f"{_name}_window", _of)


@means()
def nuclear_norm(input: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Return the sum of the singular values."""
    return TABLE["norm"].function(input, "nuc", dim, keepdim)
