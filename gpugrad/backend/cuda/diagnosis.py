"""What keeps a GPU from being used: one table of cases, each with how it is seen and what helps.

`look` examines a machine without CUDA: the packages that are installed, the files of the driver, the errors that CuPy
raised. `cases` says which cases are there; the first of those that stop `device="cuda"` is what its error tells, and
`gpugrad doctor` has a line for each.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

CUPYS = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x", "cupy-rocm-7-0")  # each is the package `cupy`
_NVIDIA = "0x10de"  # the maker of a PCI device
_OLDEST = {
    "cuda13": 580,
    "cuda12": 525,
}  # extra -> the oldest driver of its CUDA, by NVIDIA's release notes
INSTALL = "pip install 'gpugrad[cuda13]' (CUDA 13 driver) or 'gpugrad[cuda12]'"
_OTHER = "driver"  # the case of an error that no other explains
_WITHOUT_NVMATH = (
    "nvmath-python is missing. CuPy multiplies instead: 16-bit products are computed in float32, without tensor cores; "
    "biases, activations and their gradients are calls of their own; a step with products cannot be captured in a CUDA "
    "graph"
)
_EMULATE = "GPUGRAD_CUDA=emulate runs the kernels on the CPU"


@dataclass(frozen=True)
class Machine:
    """What is seen of a machine.

    cupys, nvmath: versions of the packages that are installed. failure: why CuPy could not be imported, or could not
    count the GPUs. driver: the version of the kernel's module ("580.65.06"). library: why libcuda.so.1 cannot be
    loaded. files: the device files, and whether this user may open them. card: whether there is an NVIDIA card on the
    bus, None where that is not known. wsl: whether this is Linux on Windows, adapter: whether Windows lends its GPU.
    visible: CUDA_VISIBLE_DEVICES. compiler: why kernels cannot be compiled.
    """

    cupys: dict[str, str] = field(default_factory=dict)
    nvmath: str | None = None
    failure: Exception | None = None
    driver: str | None = None
    library: str | None = None
    files: dict[str, bool] = field(default_factory=dict)
    card: bool | None = None
    wsl: bool = False
    adapter: bool = False
    visible: str | None = None
    compiler: str | None = None

    @property
    def extra(self) -> str:
        """The command that installs what fits the driver, or both if it is not known."""
        major = int(self.driver.split(".")[0]) if self.driver else 0
        fitting = next((extra for extra, oldest in _OLDEST.items() if major >= oldest), None)
        return f"pip install 'gpugrad[{fitting}]'" if fitting else INSTALL


class Case(NamedTuple):
    """A case that is there: its name, what is seen, what helps, and whether `device="cuda"` fails by it."""

    name: str
    seen: str
    help: str
    stops: bool

    def __str__(self) -> str:
        return f"{self.seen}; {self.help}"


def look(failure: Exception | None = None, root: Path = Path("/"), compiler: str | None = None) -> Machine:
    """Examine this machine, its files under `root`."""
    kernel = _text(root / "proc/version").lower()
    devices = [f for f in sorted((root / "dev").glob("nvidia*")) if f.name == "nvidiactl" or f.name[6:].isdigit()]
    bus = root / "sys/bus/pci/devices"
    return Machine(
        cupys={name: version for name in CUPYS if (version := installed(name))},
        nvmath=installed("nvmath-python"),
        failure=failure,
        driver=_driver(_text(root / "proc/driver/nvidia/version")),
        library=_library(),
        files={str(file): os.access(file, os.R_OK | os.W_OK) for file in devices},
        card=any(_text(file).strip() == _NVIDIA for file in bus.glob("*/vendor")) if bus.is_dir() else None,
        wsl="microsoft" in kernel,
        adapter=(root / "dev/dxg").exists(),
        visible=os.environ.get("CUDA_VISIBLE_DEVICES"),
        compiler=compiler,
    )


def installed(*distributions: str) -> str | None:
    """Return the version of the first of these packages that is installed, None if none is."""
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def _driver(text: str) -> str | None:
    """Return the version in /proc/driver/nvidia/version: the first word of digits and dots after "Module"."""
    words = text.partition("Module")[2].split()
    return next((word for word in words if word[0].isdigit()), None)


def _library() -> str | None:
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError as error:
        return str(error)
    return None


# ---- the table: name, what is seen (None where the case is not there), what helps, whether it stops device="cuda".
# The first that stops is told, so causes come before what follows from them.


def _two_cupys(m: Machine) -> str | None:
    names = " and ".join(f"{name} {version}" for name, version in m.cupys.items())
    return f"{names} are both installed, one over the other's files" if len(m.cupys) > 1 else None


def _permission(m: Machine) -> str | None:
    closed = [file for file, may in m.files.items() if not may]
    return f"this user may not open {', '.join(closed)}" if closed else None


def _hidden(m: Machine) -> str | None:
    hides = m.failure and m.visible is not None and (m.visible.strip() == "" or m.visible.strip().startswith("-"))
    return f"CUDA_VISIBLE_DEVICES={m.visible!r} hides every GPU" if hides else None


def _no_gpu(m: Machine) -> str | None:
    absent = m.failure and m.library and m.card is False and not (m.wsl or m.files or m.driver)
    return "this machine has no NVIDIA GPU" if absent else None


def _windows(m: Machine) -> str | None:
    if not (m.failure and m.wsl):
        return None
    if not m.adapter:
        return "this is WSL, and Windows lends it no GPU (/dev/dxg is missing)"
    return f"this is WSL, and Windows' driver library is not found ({m.library})" if m.library else None


def _no_library(m: Machine) -> str | None:
    part = m.failure and m.library and (m.driver or m.files) and not m.wsl
    return f"the NVIDIA driver is loaded, but its library is missing ({m.library})" if part else None


def _no_driver(m: Machine) -> str | None:
    lacks = m.failure and m.library and m.card is not False and not (m.driver or m.files or m.wsl)
    return f"no NVIDIA driver is installed ({m.library})" if lacks else None


def _too_old(m: Machine) -> str | None:
    about = str(m.failure)
    if "InsufficientDriver" not in about and "driver version is insufficient" not in about:
        return None
    cupy = " ".join(next(iter(m.cupys.items()), ("CuPy",)))
    return f"the NVIDIA driver{f' {m.driver}' if m.driver else ''} is too old for the CUDA version of {cupy}"


def _import(m: Machine) -> str | None:
    if not isinstance(m.failure, ImportError):
        return None
    return f"CuPy cannot be imported ({_first_line(m.failure)})" if m.cupys else f"CuPy is not installed ({m.failure})"


def _runtime(m: Machine) -> str | None:
    return f"CuPy finds no usable NVIDIA driver ({_first_line(m.failure)})" if m.failure else None


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip(" =")), type(error).__name__)


def _fitting(m: Machine) -> str:
    if not m.driver or int(m.driver.split(".")[0]) < _OLDEST["cuda12"]:
        return "update the driver"
    return f"update the driver, or install CuPy for its CUDA: pip uninstall -y {' '.join(m.cupys)} && {m.extra}"


_Text = Callable[[Machine], "str | None"]
_TABLE: tuple[tuple[str, _Text, Callable[[Machine], str], Callable[[Machine], bool]], ...] = (
    ("no GPU", _no_gpu, lambda m: _EMULATE, lambda m: True),
    ("two CuPys", _two_cupys,
     lambda m: f"pip uninstall -y {' '.join(m.cupys)} && {m.extra}", lambda m: m.failure is not None),
    ("WSL", _windows, lambda m: (
        "install NVIDIA's driver for Windows, and none inside WSL, then `wsl --update` and `wsl --shutdown`; its "
        "library is in /usr/lib/wsl/lib"), lambda m: True),
    ("permission", _permission, lambda m: (
        "give this user the group of these files (often: sudo usermod -aG video $USER) and log in again; start a "
        "container with --gpus all"), lambda m: m.failure is not None),
    ("no driver", _no_driver, lambda m: f"install it (Ubuntu: sudo ubuntu-drivers install), or {_EMULATE}",
     lambda m: True),
    ("driver library", _no_library, lambda m: (
        "reinstall the driver with its libraries; start a container with --gpus all (NVIDIA Container Toolkit)"),
     lambda m: True),
    ("hidden", _hidden, lambda m: "unset it", lambda m: True),
    ("CuPy", _import, lambda m: f"install it with {m.extra}", lambda m: True),
    ("old driver", _too_old, _fitting, lambda m: True),
    (_OTHER, _runtime, lambda m: "install or update the driver; `nvidia-smi` must list the GPU", lambda m: True),
    ("NVRTC", lambda m: m.compiler, lambda m: "no kernel can be compiled until then", lambda m: False),
    ("cuBLASLt", lambda m: None if m.nvmath else _WITHOUT_NVMATH, lambda m: m.extra, lambda m: False),
)  # fmt: skip


def cases(machine: Machine) -> list[Case]:
    """Return the cases that are there, causes before what follows from them."""
    found = [(name, seen(machine), help(machine), stops(machine)) for name, seen, help, stops in _TABLE]
    made = [Case(name, seen, help, stops) for name, seen, help, stops in found if seen]
    known = any(case.stops and case.name != _OTHER for case in made)
    return [case for case in made if not (known and case.name == _OTHER)]


def explain(failure: Exception) -> str:
    """Return why cuda does not work here and what to do, after CuPy raised `failure`."""
    first, *others = [case for case in cases(look(failure)) if case.stops]
    return f"{first} (`gpugrad doctor` says what else: {', '.join(c.name for c in others)})" if others else str(first)
