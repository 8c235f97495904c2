"""The settings of the emulator, which runs CUDA kernels on the CPU.

`with gpugrad.cuda.emulator.options(check=True, schedule="reverse"):` changes them inside the block.
"""

from ..backend.cuda.emulator import available, current, options
from ..backend.cuda.emulator.arrays import uploads, waits

__all__ = ["available", "current", "options", "uploads", "waits"]
