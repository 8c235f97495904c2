"""Ranks that train and save until one of them dies: `gpugrad launch -n N dying.py FOLDER RANK HOW DELAY`.

HOW is "kill" (SIGKILL) or "raise" (an exception), DELAY seconds after the program has begun, wherever it is then. All
values of a saved checkpoint are the number of its step.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import gpugrad as gg
from gpugrad import distributed as dist
from gpugrad import nn
from gpugrad.distributed.environment import place


class Planned(Exception):
    """The exception that ends a rank."""


def plan(folder, rank, how, delay):
    """Let this process die after `delay` seconds if it has the number `rank`; it writes down when."""
    if place().rank != rank:
        return

    def strike(*_):
        (folder / "died").write_text(repr(time.time()))
        if how == "raise":
            raise Planned("as planned")
        os.kill(os.getpid(), signal.SIGKILL)

    if how == "raise":
        signal.signal(signal.SIGALRM, strike)
        signal.setitimer(signal.ITIMER_REAL, max(delay, 1e-3))
        return

    def wait():
        time.sleep(delay)
        strike()

    threading.Thread(target=wait, daemon=True).start()


def main():
    folder, rank, how, delay = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
    plan(folder, rank, how, delay)
    dist.init_process_group(timeout=60)
    model = dist.DistributedDataParallel(nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 8)), bucket_cap_mb=0.01)
    optimizer = gg.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    for step in range(1, 1_000_000):
        optimizer.zero_grad()
        model(gg.ones(4, 64)).mean().backward()
        optimizer.step()
        for p in model.parameters():
            p.data._array[...] = step
        dist.save_sharded(folder, model, optimizer, {"step": step})


if __name__ == "__main__":
    main()
