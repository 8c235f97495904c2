"""How many threads the BLAS libraries of this process use."""

from collections.abc import Callable, Iterable
from functools import cache
from itertools import product


def get_num_threads() -> list[int]:
    """The number of each library."""
    return [get() for get, _ in _libraries()]


def set_num_threads(counts: Iterable[int]) -> None:
    """Set the number of each library."""
    for (_, change), count in zip(_libraries(), counts, strict=True):
        change(count)


@cache
def _libraries() -> list[tuple[Callable, Callable]]:
    """The functions that get and set the number, of each BLAS that is loaded.

    OpenBLAS's own are called where it has a pool of threads: by threadpoolctl one thread alone may set it, and both
    take longer.
    """
    from threadpoolctl import ThreadpoolController

    found = []
    for library in ThreadpoolController().select(user_api="blas").lib_controllers:
        get, change = library.get_num_threads, library.set_num_threads
        if getattr(library, "threading_layer", "") == "pthreads":
            for before, after in product(("", "scipy_"), ("", "64_", "_64")):
                get = getattr(library.dynlib, f"{before}openblas_get_num_threads{after}", get)
                change = getattr(library.dynlib, f"{before}openblas_set_num_threads{after}", change)
        found.append((get, change))
    return found
