"""Captured training steps on real CuPy: `python -m tests.real_cupy.capture`.

The runtime refuses waits and copies from the host while a stream captures, and a replay does nothing. This shows that
CuPy captures the steps, in a pool of their own, and that replays do not wait; their values are not CuPy's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import CaptureError
from gpugrad.nn.functional import cross_entropy

from .findings import FOUND
from .install import install
from .training import Counts

ARGUMENTS = {
    "mlp": lambda: (gg.randn(6, 8), gg.randint(0, 4, (6,))),
    "convolution": lambda: (gg.randn(2, 1, 8, 8), gg.randint(0, 4, (2,))),
    "scaled": lambda: (gg.randn(6, 8), gg.randint(0, 4, (6,))),
}


REFUSED: dict[str, Callable] = {
    "x * x.sum().item()": lambda x: x * x.sum().item(),
    "gg.tensor([1.0, 2.0]": lambda x: x + gg.tensor([1.0, 2.0], device="cuda"),
    "x[x > 0]": lambda x: x[x > 0],
    "gg.cuda.synchronize()": lambda x: gg.cuda.synchronize(),
}


def mlp() -> Callable:
    """Return a step with dropout, AdamW and a schedule."""
    model = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Dropout(0.2), nn.LayerNorm(16), nn.Linear(16, 4)).to("cuda")
    return _step(model, gg.optim.AdamW(model.parameters(), lr=0.01))


def convolution() -> Callable:
    """Return a step with batch norm and SGD with momentum."""
    parts = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 4)]
    model = nn.Sequential(*parts).to("cuda")
    return _step(model, gg.optim.SGD(model.parameters(), lr=0.01, momentum=0.9))


def scaled() -> Callable:
    """Return a step in mixed precision with a GradScaler and clipping, which may wait once, after the replay."""
    model = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4)).to("cuda")
    optimizer, scaler = gg.optim.AdamW(model.parameters(), lr=0.01), gg.amp.GradScaler("cuda", init_scale=8.0)

    def step(x: Any, target: Any) -> Any:
        optimizer.zero_grad()
        with gg.autocast("cuda", dtype="float16"):
            loss = cross_entropy(model(x), target)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        return loss

    return step


def _step(model: Any, optimizer: Any) -> Callable:
    schedule = gg.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)

    def step(x: Any, target: Any) -> Any:
        optimizer.zero_grad()
        loss = cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss

    return step


def main() -> int:
    """Capture and replay each step; return 1 if one is refused, waits, or fails."""
    install()
    failed = [make.__name__ for make in (mlp, convolution, scaled) if not _captured(make)]
    print(FOUND.report())
    failed += FOUND.failures()
    failed += [line for line, function in REFUSED.items() if not _refused(function, line)]  # CuPy's errors are meant
    return int(bool(failed))


def _captured(make: Callable) -> bool:
    name = FOUND.during = make.__name__
    step = gg.cuda.graph(make())
    inputs = [tuple(t.to("cuda") for t in ARGUMENTS[name]()) for _ in range(4)]
    waits = []
    for x, target in inputs:
        before = Counts.now()
        step(x, target)
        waits.append(Counts.now().waits - before.waits)
    (captured,) = step._ready.values()
    graph = captured._capture.graph
    pool, allowed = graph.pool.used_bytes(), 2 if name == "scaled" else 0  # one flag for the step, one for the scale
    print(f"{name}: waits {waits}, {pool} bytes in the private pool, {len(graph._kept)} arrays kept")
    return step.captures == 1 and pool > 0 and max(waits[2:]) <= allowed


def _refused(function: Callable, line: str) -> bool:
    """Whether a function is refused with its line, and the device works afterwards."""
    FOUND.during = line
    step, x = gg.cuda.graph(function), gg.ones(2, device="cuda")
    step(x)
    try:
        step(x)
    except CaptureError as error:
        print(error)
        return line in str(error) and (x + 1).tolist() == [2, 2]
    print(f"{line} was captured")
    return False


if __name__ == "__main__":
    sys.exit(main())
