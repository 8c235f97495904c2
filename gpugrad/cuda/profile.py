"""Profiles of kernels, without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..backend.cuda import is_emulated
from ..backend.cuda.emulator.options import options
from ..backend.cuda.gpus import gpu as find_gpu
from ..backend.cuda.profiles import Access, Array, KernelProfile, Line, Profile, profiled
from ..errors import KernelError

__all__ = ["Access", "Array", "KernelProfile", "Line", "Profile", "profile"]

_TIMEOUT = 600.0  # CPU seconds of a block


@contextmanager
def profile(gpu: str = "H200", *, code: bool = False) -> Iterator[Profile]:
    """Count what the kernels that this thread launches in the `with` block do with memory, line by line.

    The emulated device runs them; the counts are those of the accesses that it saw, grouped by warp and instruction as
    a GPU would: sectors of global memory, turns of shared memory's banks, active lanes. When the block has ended, the
    profile holds a `KernelProfile` for each launch, in order, and prints as tables.

    gpu: the one whose peaks the kernels' bounds are reckoned with: "H200", "A100", "RTX 4090", "T4".
    code: also compile them for it and look at their machine code, for registers, occupancy and the instruction mix;
    that needs NVRTC and nvdisasm (`pip install 'gpugrad[gate]'`), and what is missing is said in its place.

    Raises KernelError for another GPU's name, and if the cuda devices are not emulated (GPUGRAD_CUDA=emulate).

    >>> if gg.cuda.is_emulated():
    ...     x = gg.ones(8, 1024, device="cuda")
    ...     with gg.cuda.profile() as profile:
    ...         y = gg.exp(x)
    ...     (kernel,) = profile
    ...     loads = kernel.total("load")  # a warp loads 32 x 16 bytes at once
    ...     assert loads.per_request == 16 and loads.efficiency == 1.0 and kernel.bound.limit == "memory", profile
    """
    made = Profile(find_gpu(gpu))
    if not is_emulated():
        raise KernelError("profiles are made on the emulated device: set GPUGRAD_CUDA=emulate in the environment")
    recordings: list = []
    with options(record=recordings.append, timeout=_TIMEOUT):
        yield made
    made.kernels += [profiled(recording, made.gpu, code) for recording in recordings]
