"""CUDA: devices and their memory, streams, and kernels of your own.

`device="cuda"` is a GPU (through CuPy), or with GPUGRAD_CUDA=emulate in the environment an emulated one, on which the
same kernels run on the CPU: slowly, but checked (`gpugrad.cuda.emulator`). Names are PyTorch's where it has them.
"""

from ..backend.cuda import is_available, is_emulated
from ..backend.cuda.launch import FLOATS, Kernels, Strided, ctype, dense
from ..backend.cuda.memory import Memory
from ..backend.cuda.sources import Source
from . import emulator
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

__all__ = [
    "FLOATS", "Kernels", "Memory", "Source", "Stream", "Strided", "attach", "ctype", "current_stream", "dense",
    "device_count", "emulator", "empty_cache", "is_available", "is_emulated", "max_memory_allocated",
    "memory_allocated", "memory_stats", "memory_summary", "reset_peak_memory_stats", "set_memory_limit", "stream",
    "synchronize",
]  # fmt: skip
