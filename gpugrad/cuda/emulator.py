"""The emulator's settings: `with gpugrad.cuda.emulator.options(check=True, schedule="reverse"):`."""

from ..backend.cuda.emulator import available, current, options
from ..backend.cuda.emulator.arrays import waits

__all__ = ["available", "current", "options", "waits"]
