"""A line search for the strong Wolfe conditions (Nocedal and Wright, "Numerical optimization", algorithms 3.5, 3.6)."""

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
    """Return the t in the bounds where the cubic through two points, with their slopes, is least; else the middle."""
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
    evaluate: Callable[[float], Point],
    start: Point,
    t: float,
    direction_max: float,
    tolerance: float,
    max_evaluations: int,
) -> tuple[Point, int]:
    """Return a point that meets both conditions, or the best that was found, and the number of evaluations.

    start is the point at 0, and t is the first step to try. The search also ends when no element of the parameters
    would change by more than `tolerance`; direction_max is the largest element of the direction. max_evaluations does
    not count the first.
    """
    bracket, done, used = _bracket(evaluate, start, t, max_evaluations)
    if not done:
        return _zoom(evaluate, start, bracket, used, direction_max, tolerance, max_evaluations)
    return bracket[0], used + 1


def _exceeds_decrease(point: Point, start: Point) -> bool:
    """Return whether the loss has not fallen enough (the Armijo condition is not met)."""
    return point.loss > start.loss + DECREASE * point.t * start.slope


def _is_flat(point: Point, start: Point) -> bool:
    """Return whether the slope has become flat enough (the curvature condition is met)."""
    return abs(point.slope) <= -CURVATURE * start.slope


def _bracket(
    evaluate: Callable[[float], Point], start: Point, t: float, max_evaluations: int
) -> tuple[list[Point], bool, int]:
    """Try longer and longer steps. Return two points with a good one between them, or one good point and True."""
    before, point = start, evaluate(t)
    for used in range(max_evaluations):
        if _exceeds_decrease(point, start) or (used > 1 and point.loss >= before.loss):
            return [before, point], False, used
        if _is_flat(point, start):
            return [point], True, used
        if point.slope >= 0:
            return [before, point], False, used
        bounds = point.t + 0.01 * (point.t - before.t), point.t * 10
        before, point = point, evaluate(cubic(before, point, bounds))
    return [start, point], False, max_evaluations


def _zoom(
    evaluate: Callable[[float], Point],
    start: Point,
    ends: list[Point],
    used: int,
    direction_max: float,
    tolerance: float,
    max_evaluations: int,
) -> tuple[Point, int]:
    """Make the bracket smaller until one of its ends is good, and return that end."""
    low, high = (ends[0], ends[1]) if ends[0].loss <= ends[1].loss else (ends[1], ends[0])
    stuck = False
    while used < max_evaluations and abs(high.t - low.t) * direction_max >= tolerance:
        t, stuck = _inside(cubic(low, high), min(low.t, high.t), max(low.t, high.t), stuck)
        point = evaluate(t)
        used += 1
        if _exceeds_decrease(point, start) or point.loss >= low.loss:
            high = point
            low, high = (low, high) if low.loss <= high.loss else (high, low)
            continue
        if _is_flat(point, start):
            return point, used + 1
        if point.slope * (high.t - low.t) >= 0:
            high = low
        low = point
    return low, used + 1


def _inside(t: float, least: float, largest: float, stuck: bool) -> tuple[float, bool]:
    """Move `t` away from an end of the bracket if it is close to one twice in a row; return it and whether it is close.

    `stuck` says that the `t` before was close to an end.
    """
    margin = 0.1 * (largest - least)
    if min(largest - t, t - least) >= margin:
        return t, False
    if not (stuck or t >= largest or t <= least):
        return t, True
    return (largest - margin if abs(t - largest) < abs(t - least) else least + margin), False
