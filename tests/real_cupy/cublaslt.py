"""cuBLASLt's host calls with the real library: descriptors, layouts, preferences, epilogues, in every dtype.

The library needs a device only to choose an algorithm and to run it; what it refuses of the rest, it says here.
"""

from __future__ import annotations

import itertools
import sys
from typing import Any

import numpy as np

from gpugrad.backend.cuda import cublaslt
from gpugrad.backend.cuda.gemm import DTYPES, Operand, Product

EPILOGUES = ("default", "bias", "relu_bias", "gelu_aux_bias", "bgradb")


class HostOnly(cublaslt.CublasLt):
    """CublasLt without a handle: there is no device to make one for."""

    def _algorithm(self, asked: Product, descriptor: int, layouts: tuple, alignment: tuple) -> Any:
        preference = self._preference(alignment)
        self._lt.matmul_preference_destroy(preference)
        return np.zeros(1, self._lt.matmul_heuristic_result_dtype)["algo"]


def main() -> int:
    """Plan a product of every dtype, epilogue, transpose and batch. An error of the library ends the program."""
    from nvmath.bindings import cublasLt

    cublasLt.create = lambda: 0
    products = HostOnly(None)
    count = 0
    for dtype, epilogue, batch, first, second in itertools.product(DTYPES, EPILOGUES, (1, 3), (0, 1), (0, 1)):
        m, n, k = 4, 6, 8
        a = Operand(k, m, k, k * m, True) if first else Operand(m, k, m, m * k)
        b = Operand(n, k, n, n * k, True) if second else Operand(k, n, k, k * n)
        asked = Product(dtype, m, n, k, batch, a, b, Operand(m, n, m, m * n), epilogue, tf32=dtype == "float32")
        plan = products._plan(asked, (16, 16, 16))
        products._describe(plan.descriptor, cublasLt.MatmulDescAttribute.BIAS_POINTER, 0x7F0000001000)
        products._describe(plan.descriptor, cublasLt.MatmulDescAttribute.EPILOGUE_AUX_POINTER, 0x7F0000002000)
        count += 1
    print(f"cuBLASLt {cublasLt.get_version()}: {count} products planned")
    return 0


if __name__ == "__main__":
    sys.exit(main())
