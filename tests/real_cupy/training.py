"""Training steps on real CuPy: MLP, ResNet-20 and GPT, against the same steps on the CPU.

`python -m tests.real_cupy.training [NAME ...]`. A step must also copy nothing from the device and wait for nothing.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import cupy_backends.cuda.api.runtime
import numpy as np

import gpugrad as gg
from gpugrad.nn.functional import cross_entropy

from .findings import FOUND
from .install import install


class Counts(NamedTuple):
    """What the CUDA runtime has done: waits, copies to the host and to the device."""

    waits: int
    downloads: int
    uploads: int

    @classmethod
    def now(cls) -> Counts:
        """Return the counts since the start."""
        counter = ctypes.CDLL(cupy_backends.cuda.api.runtime.__file__).fake_counter
        counter.restype = ctypes.c_long
        return cls(*map(counter, range(3)))


def mlp(device: Any) -> tuple[Any, Callable[[], Any]]:
    """Return the optimizer and the loss of an MLP in float32, with SGD."""
    model = gg.models.MLP(12, 16, 4).to(device)
    x, target = gg.randn(8, 12, device=device), gg.tensor([0, 1, 2, 3] * 2, device=device)
    return gg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), lambda: cross_entropy(model(x), target)


def resnet20(device: Any) -> tuple[Any, Callable[[], Any]]:
    """Return the optimizer and the loss of a ResNet-20 under autocast to bfloat16, with SGD."""
    model = gg.models.CIFARResNet(20).to(device)
    x, target = gg.randn(2, 3, 16, 16, device=device), gg.tensor([3, 7], device=device)

    def loss() -> Any:
        with gg.autocast(device.type, dtype=gg.bfloat16):
            return cross_entropy(model(x), target)

    return gg.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4), loss


def gpt(device: Any) -> tuple[Any, Callable[[], Any]]:
    """Return the optimizer and the loss of a GPT with bfloat16 parameters, with AdamW."""
    model = gg.models.GPT(vocab_size=32, n_positions=16, n_embd=32, n_layer=2, n_head=2).to(device, dtype=gg.bfloat16)
    tokens = gg.tensor(np.random.default_rng(0).integers(0, 32, (2, 17)), device=device)
    inputs, targets = tokens[:, :-1].clone(), tokens[:, 1:].clone().reshape(-1)
    return gg.optim.AdamW(model.parameters(), lr=1e-3), lambda: cross_entropy(model(inputs).reshape(-1, 32), targets)


NETWORKS = {function.__name__: (function, tolerance) for function, tolerance in (
    (mlp, 1e-5), (resnet20, 5e-2), (gpt, 5e-2))}  # fmt: skip
STEPS = 3


def main(names: list[str]) -> int:
    """Run the networks; print what each step did. Return 1 if a loss differs from the CPU's, or CuPy from NumPy."""
    install()
    failed = [name for name in names or NETWORKS if not _agrees(name)]
    print(FOUND.report())
    return int(bool(failed or FOUND.failures()))


def _agrees(name: str) -> bool:
    FOUND.during = name
    network, tolerance = NETWORKS[name]
    (on_host, _), (on_device, counts) = (_steps(network, gg.device(kind)) for kind in ("cpu", "cuda"))
    right = np.allclose(on_device, on_host, rtol=tolerance)
    print(f"{name}: losses {on_device}" + ("" if right else f" but {on_host} on the CPU"))
    last = counts[-1]
    print(
        f"{name}: a step waits {last.waits} times, copies {last.downloads} to the host and {last.uploads} to the device"
    )
    return right and not last.waits and not last.downloads


def _steps(network: Callable, device: Any) -> tuple[list[float], list[Counts]]:
    """Return the losses of some steps from the same weights, and what each step did."""
    gg.manual_seed(0)
    optimizer, loss = network(device)
    values, counts = [], []
    for _ in range(STEPS):
        before = Counts.now()
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        counts.append(Counts(*(b - a for a, b in zip(before, Counts.now(), strict=True))))
        values.append(value.item())
    return values, counts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
