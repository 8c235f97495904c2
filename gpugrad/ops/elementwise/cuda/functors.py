"""The functors of kernels/elementwise.cu, read from its text.

A functor's name says its op (`relu_forward`, `divide_backward_y`), its parameters' names which inputs and attributes it
takes. Other dtypes than floats are left to the array library.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ....autograd.op import OPS
from ....backend.cuda.launch import FLOATS, Block, Kernels, ctype
from ....backend.dtypes import is_float
from .launch import THREADS, map_arrays

_DECLARED = re.compile(r"^(MAP|TEST)\((\w+)_(forward|backward)(?:_(\w+))?, \(([^)]*)\)", re.MULTILINE)


class Functor:
    """Is a functor of the source: `arrays` and `parameters` name its arguments, in order; `result`: "bool" or None."""

    def __init__(self, kind: str, op: str, which: str, of: str | None, declared: str):
        self.op, self.which, self.of = op, which, of
        self.name = "_".join(filter(None, (op, which, of)))
        self.result = "bool" if kind == "TEST" else None
        owner = OPS[next(name for name in (op, op.rpartition("_")[0]) if name in OPS)]
        pairs = [pair.split() for pair in declared.split(", ")]
        arrays = {"g", "out", *owner.inputs}
        self.arrays = [name for _, name in pairs if name in arrays]
        assert which == "backward" or self.arrays == list(owner.inputs), f"{self.name}: the inputs are {owner.inputs}"
        self.parameters = [name for _, name in pairs if name not in arrays]
        self.bools = [kind == "bool" for kind, name in pairs if name in arrays]

    def instance(self, T: str) -> str:
        """Return the kernel's instance for elements of type T."""
        inputs = ["bool" if truth else T for truth in self.bools]
        return f"map<{self.name}, {self.result or T}, {', '.join(inputs)}>"

    def __call__(self, arrays: Sequence, parameters: Sequence[float] = ()) -> Any:
        """Return the result, broadcast from the arrays; NotImplemented for unsupported arguments."""
        dtype: Any = getattr(arrays[self.bools.index(False)], "dtype", None)
        for array, truth in zip(arrays, self.bools, strict=True):
            if not hasattr(array, "strides") or array.dtype != (np.bool_ if truth else dtype):
                return NotImplemented
        if not is_float(dtype) or not all(isinstance(n, (int, float)) for n in parameters):
            return NotImplemented
        return map_arrays(KERNELS, self.instance(ctype(dtype)), np.bool_ if self.result else dtype, arrays, parameters)


@cache
def functors() -> dict[str, Functor]:
    """Return every functor of the source by its name."""
    made = [Functor(*found.groups()) for found in _DECLARED.finditer(KERNELS.source.text)]
    return {functor.name: functor for functor in made}


_WATCHED = (
    ("add_forward", "float"), ("add_forward", "__nv_bfloat16"), ("relu_forward", "__nv_bfloat16"),
    ("gelu_forward", "float"), ("gelu_forward", "__nv_bfloat16"), ("gelu_tanh_forward", "__nv_bfloat16"),
    ("gelu_tanh_backward", "__nv_bfloat16"), ("silu_forward", "__nv_bfloat16"), ("exp_forward", "float"),
)  # fmt: skip
KERNELS = Kernels(
    "elementwise.cu",
    lambda: [f.instance(T) for f in functors().values() for T in FLOATS],
    typical=lambda: {functors()[name].instance(T): Block(THREADS) for name, T in _WATCHED},
)
