"""Ranks that are killed, or raise, at random moments: `python -m tests.distributed.faults [--count 50] [--seed 0]`.

After each, everything must have ended within seconds, with one message that names the rank and the reason, no process
may be left, and the checkpoint that the ranks were writing must be a whole one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

import gpugrad as gg
from gpugrad.distributed.checkpoint import INDEX

ROOT = Path(__file__).parents[2]
DYING = Path(__file__).with_name("dying.py")


class Outcome(NamedTuple):
    """What a launch left: its status and message, seconds from the death to its end, the checkpoint's step or None."""

    status: int
    message: str
    seconds: float
    step: int | None


def environment(**more: str) -> dict[str, str]:
    """The environment of a launch of this code, on one thread per rank."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **more}


def launch(*arguments: str, ranks: int = 2, timeout: float = 240, **more: str) -> subprocess.CompletedProcess:
    """Run `gpugrad launch`."""
    command = [sys.executable, "-m", "gpugrad", "launch", "-n", str(ranks), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment(**more), cwd=ROOT)


def left_over(mark: str) -> list[int]:
    """The processes whose environment has this mark: those of a launch, and what they started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def whole_checkpoint(folder: Path) -> int | None:
    """The step of the checkpoint in a folder, of which every value must be the step; None if there is none yet."""
    if not (folder / INDEX).exists():
        return None
    index = json.loads((folder / INDEX).read_text())
    notes = index["metadata"]["gpugrad"]
    step = notes["extra"]["step"]
    for name, file in index["weight_map"].items():
        assert np.all(gg.io.load(folder / file)[0][name].numpy() == step), (name, step)
    for name, file in notes["optimizer_map"].items():
        gg.io.load(folder / file, names=[name])
    return step


def trial(how: str, delay: float, rank: int, ranks: int, folder: Path) -> Outcome:
    """Let a rank die, and check what is left."""
    mark = f"GPUGRAD_TEST_MARK={random.getrandbits(64):x}"
    done = launch(str(DYING), str(folder), str(rank), how, str(delay), ranks=ranks,
                  **dict([mark.split("=")]))  # fmt: skip
    seconds = time.time() - float((folder / "died").read_text())
    messages = [line for line in done.stderr.splitlines() if line.startswith("gpugrad launch:")]
    assert len(messages) == 1, done.stderr
    reason = "killed by signal 9 (SIGKILL)" if how == "kill" else "Planned: as planned"
    assert messages[0] == f"gpugrad launch: rank {rank} ended all ranks: {reason}", done.stderr
    assert done.returncode == (137 if how == "kill" else 1), done.returncode
    for _ in range(100):  # the system takes a moment to remove what was killed
        if not (left := left_over(mark)):
            break
        time.sleep(0.05)
    assert not left, f"left over: {left}"
    return Outcome(done.returncode, messages[0], seconds, whole_checkpoint(folder))


def main() -> int:
    """Run the trials."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--count", type=int, default=50, help="trials of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=["kill", "raise"], default=["kill", "raise"])
    options = parser.parse_args()
    drawn = random.Random(options.seed)
    failures, slowest, steps = 0, 0.0, 0
    for how in options.kinds:
        for i in range(options.count):
            ranks = drawn.choice([2, 2, 3])
            rank, delay = drawn.randrange(ranks), drawn.uniform(0, 4)
            with tempfile.TemporaryDirectory() as folder:
                try:
                    outcome = trial(how, delay, rank, ranks, Path(folder))
                except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
                    failures += 1
                    print(f"{how} {i}: rank {rank} of {ranks} after {delay:.3f} s: {error}", flush=True)
                    continue
            slowest, steps = max(slowest, outcome.seconds), steps + (outcome.step is not None)
            print(f"{how} {i}: rank {rank} of {ranks} after {delay:.3f} s: all ended {outcome.seconds:.2f} s later, "
                  f"checkpoint of step {outcome.step}", flush=True)  # fmt: skip
    count = len(options.kinds) * options.count
    print(f"{count} trials, {failures} failures, {steps} had a checkpoint; slowest {slowest:.1f} s")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
