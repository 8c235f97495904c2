"""Measures the error of the compiled loops' functions against mpmath, in units in the last place.

    python -m benchmarks.measuring.accuracy           # a million points of each function and precision, an hour
    python -m benchmarks.measuring.accuracy 10000     # fewer

Half of the points are uniform where the function is neither 0 nor infinite, half have uniform exponents.
"""

import sys

import mpmath
import numpy as np

from gpugrad.backend.cpu.loops import Loop, choice, problem, ufuncs
from gpugrad.ops.elementwise import loops as elementwise

# The loop, mpmath's function, and the points between which its values are normal numbers: in float32, in float64.
FUNCTIONS = {
    "exp": (ufuncs.exp, mpmath.exp, (-104, 89), (-746, 710)),
    "exp2": (ufuncs.exp2, lambda x: mpmath.mpf(2) ** x, (-150, 128), (-1075, 1024)),
    "log": (ufuncs.log, mpmath.log, (0.1, 10), (0.1, 10)),
    "tanh": (ufuncs.tanh, mpmath.tanh, (-10, 10), (-20, 20)),
    "sigmoid": (elementwise.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), (-104, 20), (-746, 40)),
    "erf": (elementwise.erf, mpmath.erf, (-4, 4), (-6, 6)),
    "erfc": (elementwise.erfc, lambda x: mpmath.erfc(max(-50, min(x, 50))), (-4, 10.1), (-6, 26.6)),
}


def points(limits: tuple[float, float], dtype: np.dtype, count: int) -> np.ndarray:
    """Returns `count` points: half uniform between the limits, half with uniform exponents and both signs."""
    generator = np.random.default_rng(0)
    info = np.finfo(dtype)
    least, most = np.log10(float(info.smallest_subnormal)), np.log10(float(info.max))
    sizes = 10 ** generator.uniform(least, most, count - count // 2)
    signs = np.where((limits[0] < 0) & (generator.random(len(sizes)) < 0.5), -1, 1)
    return np.concatenate([generator.uniform(limits[0], limits[1], count // 2), signs * sizes]).astype(dtype)


def worst(loop: Loop, function, x: np.ndarray) -> tuple[float, float]:
    """Returns the largest error of the loop's values, in units in the last place, and where it is."""
    out, compiled = np.empty_like(x), loop.sized(choice.NEVER, x.dtype)
    if compiled is None:
        raise RuntimeError(problem())
    compiled(out, x)
    return max(zip(errors(function, x, out), x.tolist(), strict=True))


def errors(function, x: np.ndarray, out: np.ndarray) -> list[float]:
    """Returns the error of each value of `out`, in units in the last place; infinity where only one is infinite."""
    info, found = np.finfo(x.dtype), []
    with mpmath.workdps(40):
        for point, value in zip(x.tolist(), out.tolist(), strict=True):
            right = function(mpmath.mpf(point))
            if abs(right) > info.max or not np.isfinite(value):
                found.append(0.0 if abs(right) > info.max and value == np.inf else np.inf)
                continue
            _, exponent = mpmath.frexp(right)
            unit = (
                mpmath.ldexp(1, max(int(exponent) - 1, info.minexp) - info.nmant) if right else info.smallest_subnormal
            )
            found.append(float(abs(mpmath.mpf(value) - right) / unit))
    return found


def main() -> None:
    """Prints a line for each function and precision."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10**6
    for name, (loop, function, *limits) in FUNCTIONS.items():
        for dtype, between in zip((np.float32, np.float64), limits, strict=True):
            error, where = worst(loop, function, points(between, np.dtype(dtype), count))
            print(f"{name:8} {np.dtype(dtype).name}  {error:.2f} units in the last place, at {where!r}", flush=True)


if __name__ == "__main__":
    main()
