"""A line search for the strong Wolfe conditions (Nocedal and Wright, Numerical Optimization, algorithms 3.5, 3.6)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from ..autograd.tensor import Tensor

DECREASE, CURVATURE = 1e-4, 0.9  # c1 and c2 of the conditions


class Point(NamedTuple):
    """A step t along the line: the loss there, its gradient, and the slope along the line."""

    t: float
    loss: float
    gradient: Tensor
    slope: float


def cubic(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through two points, with their slopes, is least between the bounds; the middle if nowhere."""
    low, high = bounds or (min(a.t, b.t), max(a.t, b.t))
    if a.t > b.t:
        a, b = b, a
    if a.t != b.t:
        d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
        square = d1 * d1 - a.slope * b.slope
        if square >= 0:
            d2 = math.sqrt(square)
            if (down := b.slope - a.slope + 2 * d2) != 0:
                return min(max(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / down), low), high)
    return (low + high) / 2


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, t: float, longest: float, tolerance: float, most: int
) -> tuple[Point, int]:
    """A point with DECREASE and CURVATURE, or the best found, and how many evaluations that took.

    start: the point at 0. t: the first step to try. longest: the largest element of the direction, which makes steps
    comparable to `tolerance`. most: evaluations after the first.
    """
    bracket, done, used = _bracket(evaluate, start, t, most)
    if not done:
        return _zoom(evaluate, start, bracket, used, longest, tolerance, most)
    return bracket[0], used + 1


def _too_high(point: Point, start: Point) -> bool:
    return point.loss > start.loss + DECREASE * point.t * start.slope


def _flat(point: Point, start: Point) -> bool:
    return abs(point.slope) <= -CURVATURE * start.slope


def _bracket(evaluate: Callable[[float], Point], start: Point, t: float, most: int) -> tuple[list[Point], bool, int]:
    """Two points with a good one between them, or one that is good (and True); longer and longer steps are tried."""
    before, point = start, evaluate(t)
    for used in range(most):
        if _too_high(point, start) or (used > 1 and point.loss >= before.loss):
            return [before, point], False, used
        if _flat(point, start):
            return [point], True, used
        if point.slope >= 0:
            return [before, point], False, used
        bounds = point.t + 0.01 * (point.t - before.t), point.t * 10
        before, point = point, evaluate(cubic(before, point, bounds))
    return [start, point], False, most


def _zoom(
    evaluate: Callable[[float], Point],
    start: Point,
    ends: list[Point],
    used: int,
    longest: float,
    tol: float,
    most: int,
) -> tuple[Point, int]:
    """The bracket made smaller until one of its ends is good."""
    low, high = (ends[0], ends[1]) if ends[0].loss <= ends[1].loss else (ends[1], ends[0])
    stuck = False
    while used < most and abs(high.t - low.t) * longest >= tol:
        t, stuck = _inside(cubic(low, high), min(low.t, high.t), max(low.t, high.t), stuck)
        point = evaluate(t)
        used += 1
        if _too_high(point, start) or point.loss >= low.loss:
            high = point
            low, high = (low, high) if low.loss <= high.loss else (high, low)
            continue
        if _flat(point, start):
            return point, used + 1
        if point.slope * (high.t - low.t) >= 0:
            high = low
        low = point
    return low, used + 1


def _inside(t: float, least: float, largest: float, stuck: bool) -> tuple[float, bool]:
    """`t` kept away from the ends of the bracket if it comes close to them twice in a row, and whether it is close."""
    margin = 0.1 * (largest - least)
    if min(largest - t, t - least) >= margin:
        return t, False
    if not (stuck or t >= largest or t <= least):
        return t, True
    return (largest - margin if abs(t - largest) < abs(t - least) else least + margin), False
