"""Timing: warm up, interleave the two libraries so that drift of the machine hits both, and summarise.

A measurement is a list of rounds. A round of one library makes one step untimed (its data return to the caches, the
other library's threads go to sleep), then as many timed steps as fill the round. Rounds alternate A B A B.
"""

import gc
import statistics
import time
from dataclasses import dataclass
from functools import partial
from importlib import import_module

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None

WIDE, HOPELESS = 0.1, 0.5  # relative spreads: a doubt when the goal lies inside, a doubt wherever it lies


@dataclass(frozen=True)
class Effort:
    """How much to measure: rounds, seconds of a round for each library, and processes for its peak memory."""

    rounds: int
    seconds: float
    processes: int


FULL, QUICK = Effort(15, 0.2, 3), Effort(5, 0.05, 1)


def load(name, threads):
    """The library called `name`, set to so many threads."""
    lib = import_module(name)
    lib.set_num_threads(threads)
    return lib


def progress(rounds, label):
    """A bar on a terminal where tqdm is installed, else plain iteration."""
    return tqdm(rounds, desc=label, leave=False, disable=None) if tqdm else rounds


def interleave(measures, rounds, label):
    """Call each of `measures` in turn, `rounds` times: one list of what it returned for each."""
    results = [[] for _ in measures]
    for _ in progress(range(rounds), label):
        for measure, kept in zip(measures, results, strict=True):
            kept.append(measure())
    return results


def time_round(case, steps):
    """Seconds per step of one round."""
    gc.collect()
    case.run(1)
    start = time.perf_counter()
    case.run(steps)
    return (time.perf_counter() - start) / steps


def steps_to_fill(case, seconds):
    """Warm `case` up, and return how many steps take about `seconds`."""
    case.run(3)
    steps, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        case.run(1)
        steps += 1
    return max(1, round(steps * seconds / elapsed))


def time_cases(cases, effort, label, operations=1):
    """Interleaved rounds of the cases: one list of seconds per operation for each."""
    measures = [partial(time_round, case, steps_to_fill(case, effort.seconds)) for case in cases]
    return [[t / operations for t in times] for times in interleave(measures, effort.rounds, label)]


def summary(values):
    """Median and the 20th and 80th percentiles."""
    p20, *_, p80 = statistics.quantiles(values, n=5, method="inclusive")
    return {"median": statistics.median(values), "p20": p20, "p80": p80}


def ratio_of(ours, peer):
    """Ratio of the medians, with the 20th and 80th percentiles of the ratios of rounds that ran side by side."""
    pairs = summary([a / b for a, b in zip(ours, peer, strict=True)])
    return pairs | {"median": statistics.median(ours) / statistics.median(peer)}


def verdict(ratio, goal):
    """`met` or `missed`, or `noisy` where the spread of the ratio does not allow to tell."""
    spread = (ratio["p80"] - ratio["p20"]) / ratio["median"]
    if spread > HOPELESS or (spread > WIDE and ratio["p20"] <= goal < ratio["p80"]):
        return "noisy"
    return "met" if ratio["median"] <= goal else "missed"
