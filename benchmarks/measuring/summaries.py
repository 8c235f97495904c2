"""Summarises times: medians and percentiles, ratios to peers, verdicts on goals, and how cost grows."""

import math
import statistics

WIDE, HOPELESS = 0.1, 0.5  # relative spreads: a doubt when the goal lies inside, a doubt wherever it lies


def summary(values):
    """Returns the median, and the 20th and 80th percentiles."""
    p20, *_, p80 = statistics.quantiles(values, n=5, method="inclusive")
    return {"median": statistics.median(values), "p20": p20, "p80": p80}


def ratio_of(ours, peer):
    """Summarises the ratios of rounds that ran side by side: a machine that slows down for a while slows both."""
    return summary([a / b for a, b in zip(ours, peer, strict=True)])


def spread(numbers):
    """Returns the distance of the percentiles of a summary, relative to its median."""
    return (numbers["p80"] - numbers["p20"]) / numbers["median"]


def verdict(ratio, goal):
    """Returns `met` or `missed`, or `noisy` where the spread of the ratio does not allow to tell."""
    if spread(ratio) > HOPELESS or (spread(ratio) > WIDE and ratio["p20"] <= goal < ratio["p80"]):
        return "noisy"
    return "met" if ratio["median"] <= goal else "missed"


def compared(times, goal=None):
    """Makes the numbers of a row (times, ratios to every other) from {name: seconds of each round}, our own first."""
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
    """Fits how cost grows with size: returns the slope of a line through the upper half of the points, both axes
    logarithmic."""
    points = [(math.log(n), math.log(t)) for n, t in zip(sizes, seconds, strict=True)][len(sizes) // 2 - 1 :]
    return statistics.linear_regression(*zip(*points, strict=True)).slope
