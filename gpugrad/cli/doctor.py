"""`gpugrad doctor` reports versions and devices, and the commands that install the missing packages."""

import argparse
import importlib
import os
import platform
from pathlib import Path
from typing import Any

from ..backend.cuda.diagnosis import CUPYS, Case, cases, installed, look

# The optional packages: the name, the use, the distributions that provide it, and the extra that installs it.
OPTIONAL = (
    ("cupy", "arrays on NVIDIA GPUs", CUPYS, "gpugrad[cuda13]' or 'gpugrad[cuda12]"),
    ("nvmath", "cuBLASLt's products", ("nvmath-python",), "gpugrad[cuda13]' or 'gpugrad[cuda12]"),
    ("scikit-learn", "real data for the demonstrations", ("scikit-learn",), "gpugrad[demo]"),
    ("matplotlib", "plots", ("matplotlib",), "gpugrad[demo]"),
    ("tqdm", "progress bars", ("tqdm",), "gpugrad[demo]"),
    ("Pillow", "reading pictures", ("pillow",), "gpugrad[train]"),
    ("tensorboardX", "logs of training for TensorBoard", ("tensorboardX",), "gpugrad[train]"),
    ("tokenizers", "Hugging Face's tokenisers", ("tokenizers",), "gpugrad[train]"),
    ("numba", "compiled loops on the CPU", ("numba",), "gpugrad[fast]"),
    ("mpi4py", "training on several processes", ("mpi4py",), "gpugrad[mpi]"),
    ("torch", "comparisons with PyTorch", ("torch",), "gpugrad[bench]"),
)
REQUIRED = ("numpy", "ml_dtypes", "threadpoolctl")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no arguments; the command has none."""


def run(args: argparse.Namespace) -> int:
    """Print the report. Return 1 if gpugrad itself does not work, else 0."""
    problems = _self_test()
    _section("Versions", [*_versions(), *_blas()])
    found = _cases()
    _section("Devices", [_cpu(), _loops(), *_gpus(found)])
    _section("CUDA kernels", [_compiler(found), _products(found), _emulator()])
    _section("Optional packages", [_optional(*entry) for entry in OPTIONAL])
    if problems:
        _section("Problems", problems)
        return 1
    print("gpugrad works.")
    return 0


def _section(title: str, rows: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows)
    print(title)
    for name, text in rows:
        print(f"  {name.ljust(width)}  {text}")
    print()


def _versions() -> list[tuple[str, str]]:
    import gpugrad

    found = [("gpugrad", gpugrad.__version__), ("python", f"{platform.python_version()} on {platform.platform()}")]
    return found + [(name, installed(name) or f"missing: pip install {name}") for name in REQUIRED]


def _blas() -> list[tuple[str, str]]:
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return []
    return [
        ("BLAS", f"{library['internal_api']} {library['version']}, {library['num_threads']} threads")
        for library in threadpool_info()
        if library["user_api"] == "blas"
    ]


def _cpu() -> tuple[str, str]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), None)
    affinity: Any = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count()
    return "cpu", f"{name or platform.processor() or platform.machine()}, {cores} cores usable"


def _loops() -> tuple[str, str]:
    """Say who computes large arrays on the CPU, after one loop has been loaded, or compiled if it is the first."""
    from ..backend.cpu import loops
    from ..backend.dtypes import float32
    from ..ops.softmax.loops import softmax

    softmax.sized(loops.choice.NEVER, float32)
    problem = loops.problem()
    if problem is not None:
        return "loops", f"NumPy computes all: {problem}"
    return "loops", f"compiled by Numba {installed('numba')}"


def _cases() -> list[Case]:
    from ..backend.cuda import nvrtc
    from ..backend.cuda.device import why

    return cases(look(why(), compiler=nvrtc.diagnose()))


def _named(found: list[Case], name: str) -> str | None:
    return next((f"not available: {case}" for case in found if case.name == name), None)


def _gpus(found: list[Case]) -> list[tuple[str, str]]:
    """Return a row for each GPU, or why there is none, and one for each other case of the driver and of CuPy."""
    rows = [(case.name, str(case)) for case in found if case.name not in ("NVRTC", "cuBLASLt")]
    if any(case.stops for case in found):
        return [("cuda", "not available:"), *rows]
    from ..backend.cuda.device import connect

    runtime = connect(0).xp.library.cuda.runtime
    driver = runtime.driverGetVersion()
    for i in range(runtime.getDeviceCount()):
        about = runtime.getDeviceProperties(i)
        capability, memory = f"{about['major']}.{about['minor']}", about["totalGlobalMem"] / 2**30
        text = f"{about['name'].decode()}, capability {capability}, {memory:.1f} GiB"
        rows.append((f"cuda:{i}", f"{text}, driver for CUDA {driver // 1000}.{driver % 1000 // 10}"))
    return rows


def _compiler(found: list[Case]) -> tuple[str, str]:
    from ..backend.cuda import nvrtc

    if problem := _named(found, "NVRTC"):
        return "NVRTC", problem
    tools = nvrtc.toolchain()
    return "NVRTC", f"{tools.version[0]}.{tools.version[1]}, headers in {tools.headers}"


def _products(found: list[Case]) -> tuple[str, str]:
    """Say who multiplies matrices on a GPU, and what is lost if it is not cuBLASLt."""
    return "cuBLASLt", _named(found, "cuBLASLt") or f"through nvmath-python {installed('nvmath-python')}"


def _emulator() -> tuple[str, str]:
    from ..backend.cuda.emulator import available

    problem = available()
    return "emulator", f"not available: {problem}" if problem else "works: GPUGRAD_CUDA=emulate runs kernels on the CPU"


def _optional(name: str, use: str, distributions: tuple, extra: str) -> tuple[str, str]:
    version = installed(*distributions)
    return name, f"{version} ({use})" if version else f"missing ({use}): pip install '{extra}'"


def _self_test() -> list[tuple[str, str]]:
    """Return the parts of the core that do not work, as pairs (part, error)."""
    problems = []
    for name in REQUIRED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            problems.append((name, f"cannot be imported ({error}); pip install --force-reinstall {name}"))
    try:
        import gpugrad

        x = gpugrad.tensor([3.0], requires_grad=True)
        (x * x).backward()
        if x.grad is None or x.grad.tolist() != [6.0]:
            problems.append(("gradients", f"d(x*x)/dx at 3 is {x.grad}, expected 6"))
    except Exception as error:
        problems.append(("gradients", f"{type(error).__name__}: {error}"))
    return problems
