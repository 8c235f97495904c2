"""Kernels and launches with one mistake each, and what the emulator must say about it.

The kernels are in tests/backend/cuda/planted_faults.cu. `count()` runs everything in check mode.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gpugrad.backend.cuda.emulator import allocate, build, current, options
from gpugrad.backend.cuda.sources import Source
from gpugrad.errors import EmulatorError, KernelError

FAULTS = Path(__file__).parents[1] / "backend" / "cuda" / "planted_faults.cu"
FAULT_NAMES = re.findall(r"__global__ void (\w+)\(", FAULTS.read_text())

RACES = dict.fromkeys(
    "missing_barrier broadcast_without_barrier buffer_used_again missing_syncwarp half_of_a_warp_is_not_ordered "
    "threads_add_without_atomic neighbours_write_bytes atomic_and_plain another_reads_the_copy "
    "race_on_a_device_variable".split(),
    "race: this .* and an earlier .* by thread .* no barrier between",
)
NOT_WAITED_FOR = r"race: this {} touches byte \d+ of .*, and {} has not been waited for"
OF_THREAD_0 = r"the cp.async by thread \(0,0,0\) that writes it"
UNWRITTEN = r"{} of 4 bytes at offset {} of {} shared memory.*, which no thread of the block has written"
FOUND_IN_CHECK_MODE = RACES | {
    "blocks_add_without_atomic": r"race: this read and an earlier write by block \(0,0,0\)",
    "last_block_without_fence": r"race: this read and an earlier write by block \(0,0,0\)",
    "write_past_the_end": "out-of-bounds write of 4 bytes at offset 256 of parameter 0, which has 256 bytes",
    "read_before_the_start": "out-of-bounds read of 4 bytes at offset -4 of parameter 1",
    "vector_past_the_end": r"out-of-bounds write of 16 bytes at offset \d+ of parameter 0",
    "static_shared_index": "out-of-bounds index of an array",
    "local_array_through_a_pointer": "out-of-bounds access at .* past the end of the array it was made from",
    "shared_array_through_a_pointer": "out-of-bounds access at .* past the end of the array it was made from",
    "ldmatrix_past_the_tile": "ldmatrix of 16 bytes: 0 are left of the array",
    "copy_past_the_tile": "cp.async of 4 bytes: 0 are left of the array",
    "write_through_const_cast": "write of 4 bytes at offset 0 of parameter 1, which is a pointer to const",
    "atomic_through_const_cast": "atomic of 4 bytes at offset 0 of parameter 1, which is a pointer to const",
    "misaligned_vector": "misaligned access: .* is not a multiple of 16",
    "offset_overflow": "signed integer overflow in a multiplication",
    "fault_in_a_function": "out-of-bounds write",
    "uninitialised_shared": UNWRITTEN.format("read", 28, "static") + ", at",
    "uninitialised_shared_int": UNWRITTEN.format("read", 0, r"static") + ", at",
    "uninitialised_shared_counter": UNWRITTEN.format("atomic", 0, "static"),
    "uninitialised_dynamic": UNWRITTEN.format("read", 28, "dynamic"),
    "missing_wait": NOT_WAITED_FOR.format("read", OF_THREAD_0),
    "waits_for_one_group_too_few": NOT_WAITED_FOR.format("read", OF_THREAD_0),
    "write_under_a_copy": NOT_WAITED_FOR.format("write", OF_THREAD_0),
    "two_copies_at_once": NOT_WAITED_FOR.format("write", OF_THREAD_0),
    "write_to_the_source_of_a_copy": NOT_WAITED_FOR.format("write", "a cp.async that reads it"),
}
FOUND_ALWAYS = {
    "dynamic_shared_past_the_end": "out-of-bounds",
    "misaligned_copy": "cp.async of 16 bytes: the shared address .* is misaligned",
    "null_pointer": "through a null pointer",
    "barrier_in_a_branch": "divergent barrier.* 32 threads, .*; 32 threads, .* ended",
    "return_after_a_missed_barrier": "divergent barrier.* 32 threads, .*; 32 threads, .* ended",
    "two_barriers": "divergent barrier: this thread is in __syncthreads .* is in __syncthreads",
    "shuffle_in_a_branch": "__shfl_xor_sync: the mask ffffffff names lanes that have ended|divergent warp operation",
    "shuffle_from_an_absent_lane": "lane 0 reads lane 20, which does not take part",
    "copy_never_waited_for": "cp.async that it never waited for",
    "endless_loop": "time limit",
    "waits_for_another_block": "time limit",
    "stack_overflow": "stack overflow: a thread has 256 KiB",
    "too_many_locals": "stack overflow: a thread has 256 KiB",
    "division_by_zero": "integer division by zero",
    "failed_assert": r"assert\(n == 3\) failed",
}
FOUND_BY_THE_COMPILER = {  # in check mode, before anything runs
    "uninitialised_float": ".sum. may be used uninitialized",
    "uninitialised_int": ".i. may be used uninitialized",
}
SHOWN_AS_NAN = ["unwritten_output"]
SHOWN_AS_A_PATTERN = ["uninitialised_local_array"]
ZERO_FIRST = {"last_block_without_fence", "waits_for_another_block", "atomic_and_plain"}
GRIDS = {"blocks_add_without_atomic": 4, "last_block_without_fence": 4}
WITHOUT_THREAD = {"stack_overflow", "waits_for_another_block", "barrier_in_a_branch", "return_after_a_missed_barrier"}
WITHOUT_LINE = {"stack_overflow", "waits_for_another_block", "another_reads_the_copy"}


def array(values: Any, dtype: Any = np.float32) -> np.ndarray:
    """These values in the emulator's memory."""
    values = np.asarray(values, dtype)
    made = allocate(values.nbytes).view(dtype).reshape(values.shape)
    made[...] = values
    return made


def empty(shape: Any, dtype: Any = np.float32) -> np.ndarray:
    """An array in the emulator's memory that nobody has written."""
    return allocate(math.prod(np.atleast_1d(shape).tolist()) * np.dtype(dtype).itemsize).view(dtype).reshape(shape)


def fault(name: str) -> Any:
    """The kernel with this mistake, compiled as the options in force want it."""
    together = [other for other in FAULT_NAMES if other not in FOUND_BY_THE_COMPILER]
    return build(Source(FAULTS), [name] if name not in together else together, check=current().check)[name]


def run_fault(name: str) -> np.ndarray:
    """Launch it over a block of 64 threads; its output."""
    function = fault(name)
    y, x = empty(64), array(np.arange(1, 65))
    if name in ZERO_FIRST:
        y[:] = 0
    output = function.parameters[0]
    y = y.view({"u": np.uint8, "i": np.int32}.get(output.item_kind, np.float32))
    shared = 256 if "dynamic" in name else 0
    function.launch((GRIDS.get(name, 1),), (64,), [y, x, np.int32(64)], shared)
    return y


def line_of(name: str) -> int:
    """The line that an error has to name."""
    text = FAULTS.read_text()
    start = text.index(f"__global__ void {name}(")
    return text.count("\n", 0, text.index("// here", start)) + 1


# ---- launches

TEXT = """
__global__ void scale(float* y, const float* x, int n) {
    __shared__ float tile[8192];
    if (n < 0) y[0] = tile[n];
    y[threadIdx.x] = x[threadIdx.x];
}
__global__ void halves(__half* y, const int* x) { *y = __half(float(*x)); }
"""


def _launch(name: str, *args: Any, grid: Any = (1,), block: Any = (4,), shared: Any = 0) -> None:
    build(Source(text=TEXT), [name], check=current().check)[name].launch(grid, block, args, shared)


def _scale(*, y: Any = np.float32, x: Any = np.float32, n: Any = np.int32, **sizes: Any) -> None:
    _launch("scale", empty(4, y), array(np.zeros(4), x), n(4), **sizes)


def _halves(y: Any, x: Any) -> None:
    import ml_dtypes

    _launch("halves", empty(1, ml_dtypes.bfloat16 if y == "bfloat16" else y), array([1], x))


WRONG_LAUNCHES: dict[str, tuple[Callable[[], None], str]] = {
    "int32_for_float": (lambda: _scale(x=np.int32), "argument 1 is an array of int32, expected a const pointer to 4"),
    "float_for_int": (lambda: _halves(np.float16, np.float32), "argument 1 is an array of float32"),
    "unsigned_for_int": (lambda: _halves(np.float16, np.uint32), "argument 1 is an array of uint32"),
    "bfloat16_for_half": (lambda: _halves("bfloat16", np.int32), "argument 0 is an array of bfloat16"),
    "float64_for_float32": (lambda: _scale(y=np.float64), "argument 0 is an array of float64"),
    "int64_for_int": (lambda: _scale(n=np.int64), "argument 2 is a scalar of int64"),
    "grid_of_floats": (lambda: _scale(grid=(1.5,)), r"a grid of \(1.5,\): expected one to three integers"),
    "grid_of_four": (lambda: _scale(grid=(1, 1, 1, 1)), r"a grid of \(1, 1, 1, 1\): expected one to three integers"),
    "grid_of_none": (lambda: _scale(grid=()), r"a grid of \(\): expected one to three integers"),
    "block_of_floats": (lambda: _scale(block=(4.0,)), r"a block of \(4.0,\): expected one to three integers"),
    "block_too_large": (lambda: _scale(block=(33, 32)), "a block of .* threads"),
    "grid_too_large": (lambda: _scale(grid=(1, 70_000)), "a grid of .* blocks"),
    "shared_of_a_float": (lambda: _scale(shared=4.0), "shared=4.0: expected a number of bytes, an integer"),
    "negative_shared": (lambda: _scale(shared=-4), "shared=-4: expected 0 or more"),
    "static_and_dynamic_shared": (
        lambda: _scale(shared=200 << 10),
        "32768 bytes of static and 204800 of dynamic shared memory, a block has 232448",
    ),
}


# ---- how many are caught


class Count(NamedTuple):
    """How many planted faults there are, how many are caught, and which are not."""

    caught: int
    planted: int
    missed: list[str]

    def __str__(self) -> str:
        text = f"planted faults caught: {self.caught} of {self.planted}"
        return text + (f" (missed: {', '.join(self.missed)})" if self.missed else "")


def count() -> Count:
    """Run all planted faults in check mode."""
    with options(check=True, timeout=0.1):
        names = [*FAULT_NAMES, *WRONG_LAUNCHES]
        missed = [name for name in names if not _is_caught(name)]
    return Count(len(names) - len(missed), len(names), missed)


def report() -> list[tuple[str, int, int]]:
    """Give the row for the table of `python -m tests.reliability`."""
    found = count()
    return [("kernels' planted faults missed", found.planted, len(found.missed))]


def _is_caught(name: str) -> bool:
    words = {**FOUND_IN_CHECK_MODE, **FOUND_ALWAYS, **FOUND_BY_THE_COMPILER}.get(name)
    try:
        if name in WRONG_LAUNCHES:
            run, words = WRONG_LAUNCHES[name]
            run()
        else:
            y = run_fault(name)
            return bool(np.isnan(y).any() or (y < -1e38).any()) if words is None else False
    except (EmulatorError, KernelError) as error:
        return words is not None and re.search(words, str(error)) is not None
    return False
