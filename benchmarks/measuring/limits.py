"""Measures what the machine can do at best, in the same run: copying memory, and multiplying matrices.

A kernel can be faster than neither allows: its time is at least max(bytes / bandwidth, FLOPs / rate). A row's share of
the limit is that time divided by the measured one. Numbers of 16 bits are computed in float32 on a CPU.
"""

import os
import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

import gpugrad

CPU_BYTES, GPU_BYTES = 128 << 20, 1 << 30
CPU_SIZE, GPU_SIZE = 2048, 8192


def last_level_cache(device):
    """Returns the bytes of the last cache before memory (32 MB where the system does not tell)."""
    if device == "cuda":
        try:
            import cupy

            return cupy.cuda.Device().attributes["L2CacheSize"]
        except ImportError:
            return 32 << 20
    sizes = [32 << 20]
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        if found := re.match(r"(\d+)([KM])", file.read_text()):
            sizes.append(int(found[1]) << {"K": 10, "M": 20}[found[2]])
    return min(max(sizes[1:] or sizes), 128 << 20)


def _median_seconds(function, repeats=7):
    """Returns the seconds of a call: the median of some after one to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def copy_bandwidth(device, threads):
    """Returns the bytes per second of a copy larger than the caches, read and written ones both counted."""
    if device == "cuda":
        import cupy

        source = cupy.zeros(GPU_BYTES // 4, cupy.float32)
        target = cupy.empty_like(source)

        def copy():
            cupy.copyto(target, source)
            cupy.cuda.Device().synchronize()

        return 2 * GPU_BYTES / _median_seconds(copy)
    source = np.ones((threads, CPU_BYTES // 4 // threads), np.float32)
    target = np.zeros_like(source)
    with ThreadPoolExecutor(threads) as pool:  # NumPy copies without the interpreter's lock
        return 2 * source.nbytes / _median_seconds(lambda: list(pool.map(np.copyto, target, source)))


def matmul_rate(device, dtype):
    """Returns the floating-point operations per second of a large product of matrices of `dtype`."""
    if device == "cpu":
        dtype, size = "float32", CPU_SIZE
    else:
        size = GPU_SIZE
    numbers = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    x = gpugrad.tensor(numbers, device=device, dtype=getattr(gpugrad, dtype))

    def multiply():
        with gpugrad.no_grad():
            gpugrad.matmul(x, x)
        if device == "cuda":
            gpugrad.cuda.synchronize()

    return 2 * size**3 / _median_seconds(multiply, 5)


class Limits:
    """Measures each limit of one device when it is first asked for. Those of an emulated GPU are the host's."""

    def __init__(self, device, threads):
        device = "cpu" if gpugrad.cuda.is_emulated() else device
        self.device, self.threads = device, threads
        self.bandwidth = cache(lambda: copy_bandwidth(device, threads))
        self.rate = cache(lambda dtype: matmul_rate(device, dtype))

    def fraction(self, seconds, moved, flops, dtype):
        """Returns which part of the best possible speed `seconds` is."""
        return max(moved / self.bandwidth(), (flops or 0) / self.rate(dtype)) / seconds

    def facts(self, dtypes=("float32",)):
        """Returns the limits as numbers for a result file."""
        rates = {dtype: self.rate(dtype) for dtype in dtypes}
        return {"bandwidth": self.bandwidth(), "rates": rates, "cache": last_level_cache(self.device)}


def noise():
    """Measures how unsteady the machine is: the relative spread of a short computation that should always take the same
    time, and the load."""
    x, times = np.ones(200_000, np.float32), []
    for _ in range(40):
        start = time.perf_counter()
        for _ in range(20):
            np.multiply(x, x, out=x)
        times.append(time.perf_counter() - start)
    p20, *_, p80 = statistics.quantiles(times, n=5)
    return {"spread": (p80 - p20) / statistics.median(times), "load": os.getloadavg()[0]}
