"""CUDA devices, their memory and streams, and CUDA kernels of your own.

`device="cuda"` is a GPU, which CuPy drives. If the environment has GPUGRAD_CUDA=emulate, it is an emulated GPU instead:
the same kernels run on the CPU, slowly but with every access checked (`gpugrad.cuda.emulator`). Names are PyTorch's if
it has the function.
"""

from ..backend.cuda import is_available, is_emulated
from ..backend.cuda.indices import set_check_indices
from ..backend.cuda.launch import FLOATS, Kernels, Strided, ctype, dense
from ..backend.cuda.memory import Memory
from ..backend.cuda.sources import Source
from . import emulator
from .counting import Launches, launches
from .custom import attach
from .devices import (
    Stream,
    current_stream,
    device_count,
    empty_cache,
    max_memory_allocated,
    memory_allocated,
    memory_stats,
    memory_summary,
    reset_peak_memory_stats,
    set_memory_limit,
    stream,
    synchronize,
)
from .graph import Graph, graph
from .profile import Access, KernelProfile, Line, Profile, profile

__all__ = [
    "Access", "FLOATS", "Graph", "KernelProfile", "Kernels", "Launches", "Line", "Memory", "Profile",
    "Source", "Stream", "Strided", "attach", "ctype", "current_stream", "dense", "device_count", "empty_cache",
    "emulator", "graph", "is_available", "is_emulated", "launches", "max_memory_allocated", "memory_allocated",
    "memory_stats", "memory_summary", "profile", "reset_peak_memory_stats", "set_check_indices", "set_memory_limit",
    "stream", "synchronize",
]  # fmt: skip
