"""cuBLASLt through nvmath-python's bindings: descriptors, the heuristic's algorithm, and the call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .gemm import Operand, Product, UnsupportedError

_WORKSPACE = 32 << 20  # bytes, as NVIDIA recommends for Hopper
_NOT_SUPPORTED = 15  # CUBLAS_STATUS_NOT_SUPPORTED
_ALIGNMENT = 256  # bytes: new arrays have it, and the heuristic uses no more


class _Plan(NamedTuple):
    """Everything that cuBLASLt needs for a product except its addresses."""

    descriptor: int
    layouts: tuple[int, int, int]
    algorithm: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray


class CublasLt:
    """The cuBLASLt library on one device. It makes a plan once for each kind of product; its calls take turns."""

    def __init__(self, cupy: Any):
        from nvmath import CudaDataType
        from nvmath.bindings import cublas, cublasLt

        self._cupy, self._lt, self._handle = cupy, cublasLt, cublasLt.create()
        types, compute = CudaDataType, cublas.ComputeType
        self._types = {
            "float16": types.CUDA_R_16F, "bfloat16": types.CUDA_R_16BF, "float32": types.CUDA_R_32F,
            "float64": types.CUDA_R_64F,
        }  # fmt: skip
        self._exact = {"float64": compute.COMPUTE_64F}
        self._float32, self._tf32 = compute.COMPUTE_32F, compute.COMPUTE_32F_FAST_TF32
        self._plans: dict[tuple, _Plan | None] = {}  # None: cuBLASLt has no algorithm
        self._workspaces: dict[int, Any] = {}  # by stream: two streams must not share one
        self._lock = threading.Lock()

    def multiply(self, asked: Product, first: Any, second: Any, out: Any, bias: Any, aux: Any) -> None:
        """Queue `asked` in the current stream. Raises UnsupportedError if cuBLASLt has no algorithm for it."""
        addresses = [array.data.ptr for array in (first, second, out)]
        alignment = tuple(min(_ALIGNMENT, address & -address) for address in addresses)
        stream = self._cupy.cuda.get_current_stream().ptr
        with self._lock:
            if (asked, alignment) not in self._plans:
                self._plans[asked, alignment] = None
                self._plans[asked, alignment] = self._plan(asked, alignment)
            plan = self._plans[asked, alignment]
            if plan is None:
                raise UnsupportedError(f"cuBLASLt has no algorithm for {asked}")
            if stream not in self._workspaces:
                self._workspaces[stream] = self._cupy.empty(_WORKSPACE, np.uint8)
            workspace = self._workspaces[stream]
            names = self._lt.MatmulDescAttribute
            if bias is not None:
                self._describe(plan.descriptor, names.BIAS_POINTER, bias.data.ptr)
            if aux is not None:
                self._describe(plan.descriptor, names.EPILOGUE_AUX_POINTER, aux.data.ptr)
            a, b, d = addresses
            la, lb, ld = plan.layouts
            with self._supported(asked):
                self._lt.matmul(
                    self._handle, plan.descriptor, plan.alpha.ctypes.data, a, la, b, lb, plan.beta.ctypes.data, d, ld,
                    d, ld, plan.algorithm.ctypes.data, workspace.data.ptr, _WORKSPACE, stream,
                )  # fmt: skip

    @contextmanager
    def _supported(self, asked: Product) -> Iterator[None]:
        """Turn cuBLASLt's status NOT_SUPPORTED into UnsupportedError."""
        try:
            yield
        except self._lt.cuBLASLtError as error:
            if error.status != _NOT_SUPPORTED:
                raise
            raise UnsupportedError(f"cuBLASLt does not support {asked}") from None

    def _plan(self, asked: Product, alignment: tuple) -> _Plan:
        lt, names = self._lt, self._lt.MatmulDescAttribute
        scale = np.float64 if asked.dtype == "float64" else np.float32
        compute = self._exact.get(asked.dtype, self._tf32 if asked.tf32 else self._float32)
        descriptor = lt.matmul_desc_create(int(compute), int(self._types[np.dtype(scale).name]))
        self._describe(descriptor, names.TRANSA, int(asked.first.transposed))
        self._describe(descriptor, names.TRANSB, int(asked.second.transposed))
        self._describe(descriptor, names.EPILOGUE, int(lt.Epilogue[asked.epilogue.upper()]))
        if asked.epilogue == "gelu_aux_bias":
            self._describe(descriptor, names.EPILOGUE_AUX_LD, asked.m)
            self._describe(descriptor, names.EPILOGUE_AUX_BATCH_STRIDE, asked.m * asked.n)
        parts = (asked.first, asked.second, asked.out)
        layouts: Any = tuple(self._layout(asked, operand) for operand in parts)
        algorithm = self._algorithm(asked, descriptor, layouts, alignment)
        return _Plan(descriptor, layouts, algorithm, np.ones(1, scale), np.zeros(1, scale))

    def _layout(self, asked: Product, operand: Operand) -> int:
        lt, names = self._lt, self._lt.MatrixLayoutAttribute
        layout = lt.matrix_layout_create(int(self._types[asked.dtype]), operand.rows, operand.columns, operand.ld)
        if asked.batch > 1:
            for name, value in ((names.BATCH_COUNT, asked.batch), (names.STRIDED_BATCH_OFFSET, operand.stride)):
                given = np.array([value], lt.get_matrix_layout_attribute_dtype(name))
                lt.matrix_layout_set_attribute(layout, name, given.ctypes.data, given.nbytes)
        return layout

    def _describe(self, descriptor: int, name: Any, value: int) -> None:
        given = np.array([value], self._lt.get_matmul_desc_attribute_dtype(name))
        self._lt.matmul_desc_set_attribute(descriptor, name, given.ctypes.data, given.nbytes)

    def _algorithm(self, asked: Product, descriptor: int, layouts: tuple, alignment: tuple) -> np.ndarray:
        """Return the heuristic's first choice for this workspace and these alignments."""
        found: Any = np.zeros(1, self._lt.matmul_heuristic_result_dtype)
        count = np.zeros(1, np.int32)
        a, b, d = layouts
        preference = self._preference(alignment)
        try:
            with self._supported(asked):
                self._lt.matmul_algo_get_heuristic(
                    self._handle, descriptor, a, b, d, d, preference, 1, found.ctypes.data, count.ctypes.data
                )
        finally:
            self._lt.matmul_preference_destroy(preference)
        if not count[0]:
            raise UnsupportedError(f"cuBLASLt has no algorithm for {asked}")
        return np.ascontiguousarray(found["algo"])

    def _preference(self, alignment: tuple) -> int:
        lt, names = self._lt, self._lt.MatmulPreferenceAttribute
        preference = lt.matmul_preference_create()
        a, b, d = alignment
        for name, value in (
            (names.MAX_WORKSPACE_BYTES, _WORKSPACE), (names.MIN_ALIGNMENT_A_BYTES, a),
            (names.MIN_ALIGNMENT_B_BYTES, b), (names.MIN_ALIGNMENT_C_BYTES, d), (names.MIN_ALIGNMENT_D_BYTES, d),
        ):  # fmt: skip
            given = np.array([value], lt.get_matmul_preference_attribute_dtype(name))
            lt.matmul_preference_set_attribute(preference, name, given.ctypes.data, given.nbytes)
        return preference
