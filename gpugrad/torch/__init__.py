"""gpugrad in PyTorch's language: `import gpugrad.torch as torch` runs programs written for PyTorch.

    import gpugrad.torch as torch
    x = torch.tensor([[1.0, 5.0], [7.0, 3.0]])
    values, indices = x.max(1)          # `gpugrad` itself speaks NumPy: there x.max(1) is the values alone

It is the same library: the same ops and graph, the same layers, optimizers and devices. What differs is what names
mean, and that is one table, `gpugrad.torch.language.TABLE`. A Tensor made here speaks PyTorch, and so does all that is
computed from it; `x.numpy_style()` and `x.torch_style()` are views of one Tensor in the other language. Layers made
through `gpugrad.torch.nn` are classes of `gpugrad.nn`, whose parameters speak PyTorch.

Whatever only says where or how memory lies (`memory_format`, `pin_memory`, `backends.*`), or makes a program faster
without changing what it computes (`compile`, `jit.script`), is accepted and changes nothing. What gpugrad does not have
(sparse and quantized Tensors) is missing here too.
"""

import math as _math
import sys as _sys
from importlib import import_module as _import_module
from typing import Any as _Any

import numpy as _np

from ..backend.dtypes import set_default_dtype as _set_default_dtype
from ..backend.random import default_generator as _default_generator
from ..backend.random import manual_seed as _manual_seed
from . import inert as _inert
from . import meanings as _meanings  # noqa: F401 - fills the table
from . import tensor_types as _tensor_types
from .device import device as device
from .dtype_names import TENSOR_TYPES as _TENSOR_TYPES
from .dtypes import dtype as dtype
from .inert import compile as compile
from .language import TABLE as _TABLE
from .language import Size as Size
from .language import Tensor
from .language import attach as _attach
from .language import passing as _passing

_attach()
for _name, _meaning in _TABLE.items():
    if _meaning.is_function:
        globals()[_name] = _meaning.function
_inert.publish(__name__)

float32 = float = dtype("float32")
float64 = double = dtype("float64")
float16 = half = dtype("float16")
int64 = long = dtype("int64")
int32 = int = dtype("int32")
int16 = short = dtype("int16")
int8, uint8, bool = dtype("int8"), dtype("uint8"), dtype("bool")
pi, e, inf, nan = _math.pi, _math.e, _math.inf, _math.nan
newaxis = None
__version__ = "2.13.0"
# Where memory lies is gpugrad's choice; these are accepted and change nothing.
strided, sparse_coo, contiguous_format, preserve_format, channels_last, channels_last_3d = (
    "strided", "sparse_coo", "contiguous_format", "preserve_format", "channels_last", "channels_last_3d",
)  # fmt: skip
layout = memory_format = str
set_default_dtype = _set_default_dtype

_MODULES = frozenset(
    "nn optim utils autograd amp cuda distributions fft linalg special functional random types tensor storage func "
    "hub multiprocessing distributed einops".split()
) | {path for path in (*_inert.NAMES, *_inert.SAME) if "." not in path}
_HOMES = {"autocast": "amp", "GradScaler": "amp", "vmap": "func"}
_OTHER_NAMES = {
    "pow_": "pow", "get_default_device": "default_device", "row_stack": "vstack",
    "swapdims": "swapaxes", "moveaxis": "movedim", "default_generator": "default_generator",
}  # fmt: skip
_SOURCES = "torch.switches", "", "torch.private", "torch.serialization", "torch.nn.functional"
_find = _passing(__name__, *[f"gpugrad.{source}".rstrip(".") for source in _SOURCES])


def __getattr__(name: str) -> _Any:
    if name in _MODULES:
        found = _sys.modules.get(f"{__name__}.{name}") or _import_module(f".{name}", __name__)
        globals()[name] = found
        return found
    if name in _HOMES:
        return getattr(_import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _TENSOR_TYPES:
        globals()[name] = made = _tensor_types.tensor_type(name)
        return made
    if name.endswith("_") and not name.startswith("_") and hasattr(Tensor, name):  # torch.relu_(x)
        method = getattr(Tensor, name)
        return lambda input, *args, **kwargs: method(input, *args, **kwargs)
    return _find(_OTHER_NAMES.get(name, name))


def manual_seed(seed: _Any) -> _Any:
    """Seed the default generator; a negative number counts from the end of 64 bits."""
    return _manual_seed(_math.trunc(seed) % 2**64)


def seed() -> _Any:
    """Seed the default generator with a random number, and return it."""
    return _manual_seed(_np.random.default_rng().integers(2**63).item()).initial_seed()


def initial_seed() -> _Any:
    """Return the seed of the default generator."""
    return _default_generator().initial_seed()


_ALL = {*(name for name in globals() if not name.startswith("_")), *_TENSOR_TYPES, "nn", "optim", "utils"}
__all__ = sorted(_ALL)  # pyright: ignore[reportUnsupportedDunderAll]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
