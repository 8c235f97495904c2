"""Matrix products on cuda devices, by cuBLASLt: 16-bit floats with float32 sums, transposes without copies, epilogues.

cuBLASLt stores matrices by columns. A row-major (M, N) result is a column-major (N, M) one in the same memory, so out =
a b is requested as out^T = b^T a^T: the first operand is b, and a view whose rows are contiguous is "not transposed".
Example: for row-major a (2, 3) and b (3, 4), `first` is b as (4, 3) with ld 4, `second` is a as (3, 2) with ld 3, and
`out` is (4, 2) with ld 4.

A request is a `Product`, numbers and addresses; `CudaDevice` passes it to cuBLASLt, the emulated device computes it
from the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from ...errors import KernelError
from ..device import device_of
from ..namespace import xp
from ..precision import get_float32_matmul_precision
from . import counting
from .launch import dense

EPILOGUE_ALIGNMENT = 16  # bytes, of a bias or aux that cuBLASLt reads or writes with a product
DTYPES = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True)
class Operand:
    """A batch of column-major matrices in memory, (rows, columns).

    ld: elements from column to column. stride: elements from matrix to matrix. transposed: the product takes its
    transpose.
    """

    rows: int
    columns: int
    ld: int
    stride: int
    transposed: bool = False


@dataclass(frozen=True)
class Product:
    """A request for out = op(first) op(second), `batch` times, all column-major, and then `epilogue`.

    It is hashable, so that plans can be kept. epilogue: "default"; "bias" adds one number per row of out; "relu_bias"
    then applies ReLU; "gelu_aux_bias" applies GELU (its tanh form) and keeps its argument in aux; "bgradb" writes the
    sums of the second operand over k to bias.
    """

    dtype: str
    m: int
    n: int
    k: int
    batch: int
    first: Operand
    second: Operand
    out: Operand
    epilogue: str = "default"
    tf32: bool = False


def supports(*arrays: Any) -> bool:
    """Return whether the device has cuBLASLt for these dtypes; otherwise the array library multiplies."""
    dtypes = {a.dtype for a in arrays if a is not None}
    return len(dtypes) == 1 and np.dtype(dtypes.pop()).name in DTYPES and device_of(arrays[0]).has_products


def product(a: Any, b: Any, *, epilogue: str = "default", bias: Any = None, aux: Any = None) -> Any:
    """Return a b for a (M, K) or (B, M, K) and b (K, N) or (B, K, N), of one dtype: (M, N) or (B, M, N).

    epilogue: see `Product`; what cuBLASLt does not support is computed after the product. bias (N,) is added, or for
    "bgradb" (M,) written: the sums of a over k; aux (M, N) is written. An operand is copied only if neither its rows
    nor its columns are contiguous.
    """
    shape = (*(a.shape[:-2] or b.shape[:-2]), a.shape[-2], b.shape[-1])
    out = xp(a).empty(shape, a.dtype)
    if 0 in shape or a.shape[-1] == 0:
        out[...] = 0
        return out
    (a, second), (b, first) = _operand(a), _operand(b)
    m, n, k = shape[-1], shape[-2], a.shape[-1]
    asked = Product(
        np.dtype(a.dtype).name, m, n, k, prod(shape[:-2]), first, second, Operand(m, n, m, m * n), epilogue,
        get_float32_matmul_precision() != "highest" and a.dtype == np.float32,
    )  # fmt: skip
    if counting.active:
        counting.note("products", f"{epilogue} {asked.dtype}")
    _multiply(asked, a, b, out, bias, aux)
    return out


class UnsupportedError(KernelError):
    """A product that cuBLASLt does not compute as asked."""


def _multiply(asked: Product, a: Any, b: Any, out: Any, bias: Any, aux: Any) -> None:
    device = device_of(a)
    ends = [array for array in (bias, aux) if array is not None]
    if all(device.address(array) % EPILOGUE_ALIGNMENT == 0 for array in ends):
        try:
            return device.multiply(asked, b, a, out, bias, aux)
        except UnsupportedError:
            if asked.epilogue == "default":
                raise
    device.multiply(replace(asked, epilogue="default"), b, a, out, None, None)
    _end(asked.epilogue, a, out, bias, aux)


def _end(epilogue: str, a: Any, out: Any, bias: Any, aux: Any) -> None:
    """Compute the epilogue of the finished product `out` in the array library, with sums in float32 at least."""
    ns, wide = xp(out), np.promote_types(out.dtype, np.float32) if out.dtype.kind == "f" else np.dtype(np.float32)
    if epilogue == "bgradb":
        bias[...] = a.sum(axis=-1, dtype=wide)
        return
    values = out.astype(wide) + bias.astype(wide)
    if epilogue == "gelu_aux_bias":
        aux[...] = values.reshape(aux.shape)
        values = _gelu(ns, values)
    out[...] = ns.maximum(values, 0) if epilogue == "relu_bias" else values


def _gelu(ns: Any, x: Any) -> Any:
    """Return GELU in the form with tanh, which is cuBLASLt's."""
    return 0.5 * x * (1 + ns.tanh(float(np.sqrt(2 / np.pi)) * (x + 0.044715 * x**3)))


def _operand(array: Any) -> tuple[Any, Operand]:
    """Return `array` (.., R, C) as a column-major (C, R) matrix or, transposed, as (R, C); copied if it is neither."""
    for candidate in (array, None):
        if candidate is None:
            array = dense(array.copy())
        found = _described(array)
        if found is not None:
            return array, found
    raise AssertionError("a contiguous array has a description")


def _described(array: Any) -> Operand | None:
    rows, columns = array.shape[-2:]
    row, column = (s // array.itemsize for s in array.strides[-2:])
    stride = array.strides[0] // array.itemsize if array.ndim == 3 and array.shape[0] > 1 else 0
    if (column == 1 or columns == 1) and (row >= columns or rows == 1):
        return Operand(columns, rows, row if rows > 1 else columns, stride)
    if (row == 1 or rows == 1) and (column >= rows or columns == 1):
        return Operand(rows, columns, column if columns > 1 else rows, stride, transposed=True)
    return None


def emulate(asked: Product, first: Any, second: Any, out: Any, bias: Any, aux: Any) -> None:
    """Compute what cuBLASLt computes, on host arrays and from the numbers of `asked` alone."""
    wide = np.float64 if asked.dtype == "float64" else np.float32
    a, b, d = (_matrices(array, operand, asked.batch) for array, operand in (
        (first, asked.first), (second, asked.second), (out, asked.out)))  # fmt: skip
    values = a.astype(wide) @ b.astype(wide)
    if asked.epilogue in ("bias", "relu_bias", "gelu_aux_bias"):
        values += np.asarray(bias).astype(wide)[:, None]
    if asked.epilogue == "relu_bias":
        values = np.maximum(values, 0)
    if asked.epilogue == "gelu_aux_bias":
        _matrices(aux, asked.out, asked.batch)[...] = values
        values = _gelu(np, values)
    if asked.epilogue == "bgradb":
        bias[...] = b[0].astype(wide).sum(axis=0)
    d[...] = values


def _matrices(array: np.ndarray, operand: Operand, batch: int) -> np.ndarray:
    """Return the (batch, rows, columns) view that an operand describes, transposed if it says so."""
    size = array.itemsize
    view = np.lib.stride_tricks.as_strided(
        array, (max(batch, 1), operand.rows, operand.columns), (operand.stride * size, size, operand.ld * size)
    )
    return view.swapaxes(1, 2) if operand.transposed else view
