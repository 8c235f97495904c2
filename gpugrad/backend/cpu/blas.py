"""What NumPy's BLAS can do and NumPy does not offer: set the threads, y = alpha x + beta y in one pass, and say whether
it multiplies small matrices where they lie."""

import ctypes
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import product
from typing import Any

import numpy as np

_IN_PLACE = {"SkylakeX", "Cooperlake", "SapphireRapids"}  # DGEMM_SMALL_MATRIX_PERMIT and its kin in OpenBLAS


def get_num_threads() -> list[int]:
    """Return the number of threads of each BLAS library."""
    return [get() for get, _ in _libraries()]


def set_num_threads(counts: Iterable[int]) -> None:
    """Set the number of threads of each BLAS library."""
    for (_, change), count in zip(_libraries(), counts, strict=True):
        change(count)


def multiplies_in_place() -> bool:
    """Return whether OpenBLAS multiplies small matrices straight from the caller's memory: its AVX-512 kernels do."""
    return any(getattr(library, "architecture", "") in _IN_PLACE for library in _controllers())


def axpby(alpha: float, x: np.ndarray, beta: float, y: np.ndarray) -> bool:
    """Compute y = alpha x + beta y with OpenBLAS, for contiguous arrays of one size and dtype; returns whether it did.

    A factor of 0 is refused: BLAS does not read the array then, so infinity or NaN in it would be lost.
    """
    function = _axpby(y.dtype)
    same = x.dtype == y.dtype and x.shape == y.shape and x.flags.c_contiguous and y.flags.c_contiguous
    if function is None or not (same and alpha and beta):
        return False
    function(y.size, alpha, _address(x), 1, beta, _address(y), 1)
    return True


def _address(array: Any) -> int:
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError):  # read-only or empty; this takes 1.5 us instead of 0.2
        return array.__array_interface__["data"][0]


@cache
def _axpby(dtype: np.dtype) -> Callable | None:
    kinds = {np.dtype(np.float32): ("s", ctypes.c_float), np.dtype(np.float64): ("d", ctypes.c_double)}
    if dtype not in kinds:
        return None
    letter, number = kinds[dtype]
    for library in _controllers():
        if library.internal_api != "openblas":
            continue
        for function, suffix in _named(library.dynlib, f"cblas_{letter}axpby"):
            integer = ctypes.c_int64 if "64" in suffix else ctypes.c_int
            function.argtypes = integer, number, ctypes.c_void_p, integer, number, ctypes.c_void_p, integer
            function.restype = None
            return function
    return None


def _controllers() -> list:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas").lib_controllers


def _named(library: Any, name: str) -> Iterator[tuple[Callable, str]]:
    """Return OpenBLAS's functions of this name in each of its builds, with the suffix `64` if integers are long."""
    for before, after in product(("", "scipy_"), ("", "64_", "_64")):
        function = getattr(library, f"{before}{name}{after}", None)
        if function is not None:
            yield function, after


@cache
def _libraries() -> list[tuple[Callable, Callable]]:
    """Return the functions that get and set the number of threads, for each BLAS that is loaded.

    If OpenBLAS has a pool of threads, its own functions are called: through threadpoolctl only one thread may set the
    number, and both functions take longer.
    """
    found = []
    for library in _controllers():
        get, change = library.get_num_threads, library.set_num_threads
        if getattr(library, "threading_layer", "") == "pthreads":
            get, _ = next(_named(library.dynlib, "openblas_get_num_threads"), (get, ""))
            change, _ = next(_named(library.dynlib, "openblas_set_num_threads"), (change, ""))
        found.append((get, change))
    return found
