"""Describes what a number depends on: the machine, the versions of all libraries, the commit."""

import datetime
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy
from threadpoolctl import threadpool_info

from .cores import CORES

# The widest of these that NumPy's loops use names a kind of CPU; NumPy calls them by one word or by the other.
INSTRUCTION_SETS = {
    "AVX-512": {"X86_V4", "AVX512_SKX"},
    "AVX2": {"X86_V3", "AVX2"},
    "SVE": {"SVE"},
    "NEON": {"ASIMD", "NEON"},
}


def cpu_model():
    """Returns the name of the processor."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def simd():
    """Returns the instruction sets that NumPy's loops and BLAS use here: the CPU's, without those switched off."""
    known = numpy.show_config(mode="dicts")["SIMD Extensions"]
    features = {*known.get("baseline", ()), *known.get("found", ())}
    widest = next((name for name, words in INSTRUCTION_SETS.items() if words & features), "no AVX2")
    cores = {
        info["architecture"] for info in threadpool_info() if info["user_api"] == "blas" and "architecture" in info
    }
    return {"widest": widest, "numpy": sorted(features), "blas": sorted(cores)}


def version_of(package):
    """Returns the version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "source" if find_spec(package) else None


def commit():
    """Returns the commit of this checkout, marked when files differ from it."""
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def gpu():
    """Returns the name and driver of the GPU, or None."""
    try:
        command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else None


def environment(threads, devices, level):
    """Returns what a number depends on and a reader must know."""
    packages = ("gpugrad", "numpy", "cupy", "torch", "jax", "mygrad", "autograd", "tinygrad", "triton")
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "commit": commit(),
        "cpu": cpu_model(),
        "simd": simd(),
        "cores": len(CORES),
        "threads": threads,
        "gpu": gpu() if "cuda" in devices else None,
        "devices": list(devices),
        "level": level,
        "python": platform.python_version(),
        "versions": {name: number for name in packages if (number := version_of(name))},
    }
