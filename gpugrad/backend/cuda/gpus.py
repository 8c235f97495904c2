"""The peaks of four GPUs, as published, from which `gpugrad.cuda.profile` reckons what bounds a kernel."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import KernelError
from .occupancy import MULTIPROCESSORS, Multiprocessor


@dataclass(frozen=True)
class GPU:
    """A GPU's peaks: bytes of memory, and floating-point operations, a second. A multiply-add is two operations.

    tensor: dense products of 16-bit floats added in float32. tf32: 0 where there are none.
    """

    name: str
    arch: str
    multiprocessor: Multiprocessor
    bandwidth: float
    float32: float
    tensor: float
    tf32: float
    source: str


GPUS = {
    gpu.name: gpu
    for gpu in (
        GPU(
            "H200", "sm_90a", MULTIPROCESSORS["sm_90a"], 4.8e12, 67e12, 989.5e12, 494.7e12,
            "NVIDIA H200 data sheet (SXM), half of its figures with sparsity",
        ),
        GPU(
            "A100", "sm_80", MULTIPROCESSORS["sm_80"], 1.555e12, 19.5e12, 312e12, 156e12,
            "NVIDIA A100 data sheet (SXM4, 40 GB)",
        ),
        GPU(
            "RTX 4090", "sm_89",
            Multiprocessor(48, 24, 100 << 10, count=128, clock=2.52e9, bandwidth=1.008e12),
            1.008e12, 82.6e12, 165.2e12, 82.6e12, "NVIDIA Ada GPU architecture white paper, appendix A",
        ),
        GPU(
            "T4", "sm_75", Multiprocessor(32, 16, 64 << 10, count=40, clock=1.59e9, bandwidth=0.32e12),
            0.32e12, 8.1e12, 65e12, 0, "NVIDIA T4 data sheet; NVIDIA Turing GPU architecture white paper",
        ),
    )
}  # fmt: skip


def gpu(name: str) -> GPU:
    """Return the GPU with this name. Raises KernelError for one that is not known here."""
    for known, found in GPUS.items():
        if known.replace(" ", "").lower() == name.replace(" ", "").lower():
            return found
    raise KernelError(f"the peaks of {name!r} are not known here; known are {', '.join(GPUS)}")
