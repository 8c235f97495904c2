"""How many blocks of a kernel a multiprocessor holds at once, by the limits in the CUDA programming guide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ...errors import KernelError
from .resources import Resources


@dataclass(frozen=True)
class Multiprocessor:
    """What the blocks on a multiprocessor share; shared memory in bytes, of which the system keeps 1 KiB a block."""

    warps: int
    blocks: int
    shared: int
    registers: int = 65536
    unit: int = 256  # registers are handed out to warps in units
    tensor_cycles: float = 8  # of one of its four schedulers, for a product of 16 x 8 x 16 of 16-bit floats
    count: int = 108  # multiprocessors of the GPU
    clock: float = 1.41e9
    bandwidth: float = 1.56e12  # bytes of memory a second


# NVIDIA A100 40 GB by its data sheet; H200, with the bandwidth of a copy there. mma.sync reaches about 0.63 of the
# tensor cores' speed on Hopper (Luo et al. 2024, "Benchmarking and Dissecting the Nvidia Hopper GPU Architecture").
MULTIPROCESSORS = {
    "sm_80": Multiprocessor(warps=64, blocks=32, shared=164 << 10),
    "sm_90a": Multiprocessor(
        warps=64, blocks=32, shared=228 << 10, tensor_cycles=6.4, count=132, clock=1.755e9, bandwidth=4.3e12
    ),
}


class Blocks(NamedTuple):
    """The blocks that each resource leaves room for: registers, shared memory, and threads."""

    registers: int
    shared: int
    threads: int


def multiprocessor(arch: str) -> Multiprocessor:
    """Return the multiprocessor of an architecture. Raises KernelError for one that is not known here."""
    if arch not in MULTIPROCESSORS:
        raise KernelError(f"the limits of {arch} are not known here; known are {', '.join(MULTIPROCESSORS)}")
    return MULTIPROCESSORS[arch]


def occupancy(taken: Resources, threads: int, shared: int, has: Multiprocessor) -> Blocks:
    """Return the blocks of `threads` threads, with `shared` bytes of dynamic shared memory, that fit at once."""
    warps = -(-threads // 32)
    of_warp = -(-taken.registers * 32 // has.unit) * has.unit
    by_threads = min(has.warps // warps, has.blocks)
    memory = taken.shared_bytes + shared + 1024
    return Blocks(has.registers // (of_warp * warps) if of_warp else by_threads, has.shared // memory, by_threads)
