"""Times cases: warms them up, and lets them take turns, so that drift of the machine hits all of them.

A measurement is a list of rounds. A round of one contender makes one step untimed (its data return to the caches), then
as many timed steps as fill the round, and waits until its threads are asleep. Rounds alternate A B A B. A case has
`run(steps)`, which waits until they are done; its `clock` may be a GPU's events, if it also has `launch(steps)`, which
does not wait, or that of another process. `settle`: seconds for which its threads go on spinning, on cores that the
next one wants.
"""

import gc
import math
import time
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module

LEAST = 3
SETTLE = 0.02  # seconds: OpenMP's threads, which are PyTorch's, spin for about 10 ms


@dataclass(frozen=True)
class Effort:
    """Says how much to measure: rounds, seconds of a round for each contender, and processes for its peak memory.

    `budget`: seconds after which LEAST rounds are enough, for what is slow. `starts`: how many processes of a library
    share the rounds of a workload, since how its memory happens to lie changes its time."""

    rounds: int
    seconds: float
    processes: int
    budget: float = 60.0
    starts: int = 1

    def shares(self):
        """Yields the effort of each start."""
        for i in range(self.starts):
            rounds = self.rounds * (i + 1) // self.starts - self.rounds * i // self.starts
            yield replace(self, rounds=rounds, budget=self.budget / self.starts, starts=1)


LEVELS = {
    "quick": Effort(5, 0.02, 0, 2.0),
    "default": Effort(7, 0.05, 1, 20.0, starts=3),
    "full": Effort(15, 0.2, 3, starts=5),
}


def load(name, threads):
    """Imports the library called `name`, and sets it to so many threads."""
    lib = import_module(name)
    lib.set_num_threads(threads)
    return lib


def wall(case, steps):
    """Returns the seconds that `steps` take by the host's clock."""
    start = time.perf_counter()
    case.run(steps)
    return time.perf_counter() - start


def events(case, steps):
    """Returns the seconds between two events of the GPU's default stream around `steps`."""
    import cupy

    first, last = cupy.cuda.Event(), cupy.cuda.Event()
    first.record()
    case.launch(steps)
    last.record()
    last.synchronize()
    return cupy.cuda.get_elapsed_time(first, last) / 1e3


def interleave(measures, rounds, budget=math.inf):
    """Calls each of `measures` in turn, `rounds` times, and returns for each the list of its results."""
    results, start = [[] for _ in measures], time.perf_counter()
    for done in range(rounds):
        if done >= LEAST and time.perf_counter() - start > budget:
            break
        for measure, kept in zip(measures, results, strict=True):
            kept.append(measure())
    return results


def time_round(case, steps):
    """Returns the seconds per step of one round."""
    gc.collect()
    case.run(1)
    seconds = getattr(case, "clock", wall)(case, steps) / steps
    time.sleep(getattr(case, "settle", SETTLE))
    return seconds


def steps_to_fill(case, seconds):
    """Warms `case` up, and returns how many steps take about `seconds`."""
    case.run(1)
    start = time.perf_counter()
    case.run(1)
    if (once := time.perf_counter() - start) > seconds:
        return 1
    case.run(1)
    steps, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < min(seconds, 10 * once + 0.01):
        case.run(1)
        steps += 1
    return max(1, round(steps * seconds / elapsed))


def time_cases(cases, effort, operations=1):
    """Times the cases in turns, and returns for each the seconds per operation of its rounds."""
    measures = [partial(time_round, case, steps_to_fill(case, effort.seconds)) for case in cases]
    gc.collect()
    gc.freeze()  # else each round's collection walks over every object of every library
    try:
        results = interleave(measures, effort.rounds, effort.budget)
    finally:
        gc.unfreeze()
    return [[t / operations for t in times] for times in results]
