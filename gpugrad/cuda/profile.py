"""Profiles of kernels, without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..backend.cuda import is_emulated
from ..backend.cuda.emulator.options import options
from ..backend.cuda.gpus import GPU
from ..backend.cuda.gpus import gpu as find_gpu
from ..backend.cuda.profile_page import page
from ..backend.cuda.profile_text import written
from ..backend.cuda.profiles import Access, KernelProfile, Line, profiled
from ..errors import KernelError

__all__ = ["Access", "KernelProfile", "Line", "Profile", "profile"]

_TIMEOUT = 600.0  # CPU seconds of a block


@dataclass
class Profile:
    """The launches of a `with gpugrad.cuda.profile() as profile:` block, in order; print it for the tables.

    >>> if gg.cuda.is_emulated():
    ...     with gg.cuda.profile() as profile:
    ...         pass
    ...     assert list(profile) == [] and str(profile) == "no kernel ran"
    """

    gpu: GPU
    kernels: list[KernelProfile] = field(default_factory=list)

    def __iter__(self) -> Iterator[KernelProfile]:
        return iter(self.kernels)

    @property
    def bytes(self) -> int:
        """Return the bytes of the sectors that the kernels touched, those of each launch by themselves."""
        return sum(kernel.touched.moved for kernel in self.kernels)

    def __str__(self) -> str:
        return written(self.kernels)

    def html(self) -> str:
        """Return a web page, which needs no other file: each kernel's source, with what its lines did."""
        return page(self.kernels, self.gpu)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as numbers, texts, lists and dicts, which `json` can write."""
        return {"gpu": self.gpu.name, "kernels": [kernel.as_dict() for kernel in self.kernels]}


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
