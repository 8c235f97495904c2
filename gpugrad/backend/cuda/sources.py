"""Where the CUDA sources are: beside the package in a checkout, inside it in a wheel."""

from functools import cache
from pathlib import Path

from ...errors import DeviceError

_PACKAGE = Path(__file__).parents[2]


@cache
def kernels() -> Path:
    """The folder of the .cu and .cuh files. Raises DeviceError if the installation lacks it."""
    for folder in (_PACKAGE / "_kernels", _PACKAGE.parent / "kernels"):
        if (folder / "common.cuh").is_file():
            return folder
    raise DeviceError(f"the CUDA sources are missing beside {_PACKAGE}; reinstall gpugrad")
