"""Timing: warm up, interleave the contenders so that drift of the machine hits all of them, and summarise.

A measurement is a list of rounds. A round of one contender makes one step untimed (its data return to the caches), then
as many timed steps as fill the round, and waits until its threads are asleep. Rounds alternate A B A B. A case has
`run(steps)`, which waits until they are done; its `clock` may be a GPU's events, if it also has `launch(steps)`, which
does not wait, or that of another process. `settle`: seconds for which its threads go on spinning, on cores that the
next one wants.
"""

import gc
import math
import statistics
import time
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module

LEAST = 3
SETTLE = 0.02  # seconds: OpenMP's threads, which are PyTorch's, spin for about 10 ms
WIDE, HOPELESS = 0.1, 0.5  # relative spreads: a doubt when the goal lies inside, a doubt wherever it lies


@dataclass(frozen=True)
class Effort:
    """How much to measure: rounds, seconds of a round for each contender, and processes for its peak memory.

    `budget`: seconds after which LEAST rounds are enough, for what is slow. `starts`: how many processes of a library
    share the rounds of a workload, since how its memory happens to lie changes its time."""

    rounds: int
    seconds: float
    processes: int
    budget: float = 60.0
    starts: int = 1

    def shares(self):
        """The effort of each start."""
        for i in range(self.starts):
            rounds = self.rounds * (i + 1) // self.starts - self.rounds * i // self.starts
            yield replace(self, rounds=rounds, budget=self.budget / self.starts, starts=1)


LEVELS = {
    "quick": Effort(5, 0.02, 0, 2.0),
    "default": Effort(7, 0.05, 1, 20.0, starts=3),
    "full": Effort(15, 0.2, 3, starts=5),
}


def load(name, threads):
    """The library called `name`, set to so many threads."""
    lib = import_module(name)
    lib.set_num_threads(threads)
    return lib


def wall(case, steps):
    """Seconds that `steps` take by the host's clock."""
    start = time.perf_counter()
    case.run(steps)
    return time.perf_counter() - start


def events(case, steps):
    """Seconds between two events of the GPU's default stream around `steps`."""
    import cupy

    first, last = cupy.cuda.Event(), cupy.cuda.Event()
    first.record()
    case.launch(steps)
    last.record()
    last.synchronize()
    return cupy.cuda.get_elapsed_time(first, last) / 1e3


def interleave(measures, rounds, budget=math.inf):
    """Call each of `measures` in turn, `rounds` times: one list of what it returned for each."""
    results, start = [[] for _ in measures], time.perf_counter()
    for done in range(rounds):
        if done >= LEAST and time.perf_counter() - start > budget:
            break
        for measure, kept in zip(measures, results, strict=True):
            kept.append(measure())
    return results


def time_round(case, steps):
    """Seconds per step of one round."""
    gc.collect()
    case.run(1)
    seconds = getattr(case, "clock", wall)(case, steps) / steps
    time.sleep(getattr(case, "settle", SETTLE))
    return seconds


def steps_to_fill(case, seconds):
    """Warm `case` up, and return how many steps take about `seconds`."""
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
    """Interleaved rounds of the cases: one list of seconds per operation for each."""
    measures = [partial(time_round, case, steps_to_fill(case, effort.seconds)) for case in cases]
    gc.collect()
    gc.freeze()  # else each round's collection walks over every object of every library
    try:
        results = interleave(measures, effort.rounds, effort.budget)
    finally:
        gc.unfreeze()
    return [[t / operations for t in times] for times in results]


def summary(values):
    """Median and the 20th and 80th percentiles."""
    p20, *_, p80 = statistics.quantiles(values, n=5, method="inclusive")
    return {"median": statistics.median(values), "p20": p20, "p80": p80}


def ratio_of(ours, peer):
    """The ratios of rounds that ran side by side: a machine that slows down for a while slows both."""
    return summary([a / b for a, b in zip(ours, peer, strict=True)])


def spread(numbers):
    """The distance of the percentiles of a summary, relative to its median."""
    return (numbers["p80"] - numbers["p20"]) / numbers["median"]


def verdict(ratio, goal):
    """`met` or `missed`, or `noisy` where the spread of the ratio does not allow to tell."""
    if spread(ratio) > HOPELESS or (spread(ratio) > WIDE and ratio["p20"] <= goal < ratio["p80"]):
        return "noisy"
    return "met" if ratio["median"] <= goal else "missed"


def compared(times, goal=None):
    """The numbers of a row from {name: seconds of each round}, our own first: times, and ratios to every other."""
    (_, ours), *others = times.items()
    row = {"ours": summary(ours), "peers": {}}
    for name, seconds in others:
        row["peers"][name] = {"time": summary(seconds), "ratio": ratio_of(ours, seconds)}
    doubts = [row["ours"], *(row["peers"][name]["ratio"] for name, _ in others if name == "torch")]
    if any(spread(numbers) > HOPELESS for numbers in doubts):
        row["noisy"] = True
    if goal is not None:
        row["goal"] = goal
        if others:
            row["verdict"] = verdict(row["peers"][others[0][0]]["ratio"], goal)
    return row


def exponent(sizes, seconds):
    """How cost grows with size: the slope of a line through the upper half of the points, both axes logarithmic."""
    points = [(math.log(n), math.log(t)) for n, t in zip(sizes, seconds, strict=True)][len(sizes) // 2 - 1 :]
    return statistics.linear_regression(*zip(*points, strict=True)).slope
