"""Two ranks of one thread each against one process, in a launch: `python -m tests.distributed.scaling [ROUNDS [WORD]]`.

Rounds of one process (rank 0, the whole batch, while rank 1 sleeps) and of both ranks take turns, so that what else the
machine does falls on both alike. Printed are the best and the median step of each, and what the model of
gpugrad/distributed/planning.py says with constants measured here: the speed of one process, the time of an all-reduce.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

import gpugrad as gg
from gpugrad import distributed as dist
from gpugrad import nn
from gpugrad.distributed.environment import place
from gpugrad.distributed.planning import Machine, _gradients
from gpugrad.nn import functional as F


def networks():
    """(name, model, batch) of networks whose time is arithmetic."""
    gg.manual_seed(0)
    wide = nn.Sequential(nn.Linear(512, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10))
    yield "MLP 512-1024-1024-10, 512 samples", wide, (512, 512)
    yield "ResNet-20 on 32 x 32, 32 samples", gg.models.CIFARResNet(20), (32, 3, 32, 32)
    gpt = gg.models.GPT(512, n_positions=64, n_embd=128, n_layer=4, n_head=4)
    yield "GPT, 4 layers of width 128, 16 x 64 tokens", gpt, (16, 64)


def step(model, optimizer, x, y):
    """(seconds, seconds of the processor) of one training step."""
    start, used = time.perf_counter(), time.process_time()
    optimizer.zero_grad()
    out = model(x)
    F.cross_entropy(out.reshape(-1, out.shape[-1]), y.reshape(-1)).backward()
    optimizer.step()
    return time.perf_counter() - start, time.process_time() - used


def reduction(size):
    """The best seconds of an all-reduce of `size` bytes."""
    array, times = gg.zeros(size // 4), []
    for _ in range(20):
        dist.barrier()
        start = time.perf_counter()
        dist.all_reduce(array)
        times.append(time.perf_counter() - start)
    return min(times)


def measure(name, model, shape, rounds):
    """Print one network's figures."""
    rank = dist.get_rank()
    tokens = len(shape) == 2 and shape[1] == 64
    x = gg.randint(0, 512, shape) if tokens else gg.randn(*shape)
    y = gg.randint(0, 10, shape if tokens else shape[:1])
    own = slice(rank * shape[0] // 2, (rank + 1) * shape[0] // 2)
    parallel = dist.DistributedDataParallel(model, bucket_cap_mb=1)
    optimizer = gg.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    alone, both = [], []
    for _ in range(rounds):
        dist.barrier()
        if rank == 0:
            parallel._syncing = False
            alone += [step(model, optimizer, x, y) for _ in range(2)]
            parallel._syncing = True
        dist.barrier()
        for _ in range(3):
            both.append(step(parallel, optimizer, x[own], y[own]))
    spent = gg.tensor(both)
    dist.all_reduce(spent, "max")
    both, worked = zip(*spent.tolist(), strict=True)
    size = sum(p.nbytes for p in model.parameters())
    small, large = reduction(4), reduction(size)
    if rank:
        return
    bandwidth = size / max(large - small, 1e-9)
    machine = Machine("this machine", inside=bandwidth, outside=bandwidth, latency=small / 2, bucket=1 << 20, value=1)
    alone, busy = zip(*alone, strict=True)
    half = min(alone) / 2
    predicted = half + _gradients(machine, size, 0, 2, False, half * 2 / 3, 1)
    print(
        f"{name}: {size / 1e6:.1f} MB of gradients; one process {min(alone) * 1e3:.1f} ms "
        f"(median {statistics.median(alone) * 1e3:.1f}), two ranks {min(both) * 1e3:.1f} ms "
        f"(median {statistics.median(both) * 1e3:.1f}): {min(both) / min(alone):.3f} of it "
        f"(medians {statistics.median(both) / statistics.median(alone):.3f}; of processor time, best "
        f"{min(worked) / min(busy):.3f}); the model says "
        f"{predicted * 1e3:.1f} ms, with all-reduces of {small * 1e6:.0f} us and {bandwidth / 1e9:.2f} GB/s",
        flush=True,
    )


def main():
    """Measure, or start the ranks that do."""
    if not place().size > 1:
        from .faults import launch

        done = launch(__file__, *sys.argv[1:], timeout=3600)
        print(done.stdout + done.stderr)
        return done.returncode
    np.random.seed(0)
    dist.init_process_group()
    rounds, word = int([*sys.argv, 12][1]), [*sys.argv[2:], ""][0]
    for name, model, shape in networks():
        if word in name:
            measure(name, model, shape, rounds)
    dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
