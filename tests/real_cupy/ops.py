"""Every op's checks on real CuPy: `python -m tests.real_cupy.ops [--part 0/2] [--whole] [OP ...]`."""

from __future__ import annotations

import argparse
import faulthandler
import sys
import time
from collections.abc import Callable
from typing import Any

import gpugrad as gg
from gpugrad.autograd.check import checks
from gpugrad.autograd.functional import grad
from gpugrad.autograd.op import OPS

from .findings import FOUND
from .install import install

# CuPy's kernels do not compute here, so what is left out (`deterministic`, a second run) would show nothing.
CHECKS = ("forward", "gradient", "sizes", "second order", "dtypes", "layout", "memory")
SAMPLED = ("forward", "gradient", "dtypes")


def _without_differences(call: Any, check: Callable, function: Callable, tensors: list) -> None:
    """In place of gradcheck: run the gradients that it compares. All values are NumPy's, which other tests check."""
    outputs = [o for o in function(*tensors) if o.requires_grad]
    if not outputs:
        return
    upstream = [gg.ones(o.shape, dtype=o.dtype, device=o.device).requires_grad_() for o in outputs]
    found = grad(outputs, tensors, upstream, allow_unused=True, create_graph=True)
    gradients = [g for g in found if g is not None and g.requires_grad]
    if gradients and check is checks.gradgradcheck:
        ones = [gg.ones(g.shape, dtype=g.dtype, device=g.device) for g in gradients]
        grad(gradients, [*tensors, *upstream], ones, allow_unused=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the checks; print failures and differences. Return 1 if there is one that must not be."""
    parser = argparse.ArgumentParser(prog="python -m tests.real_cupy.ops", description=__doc__)
    parser.add_argument("ops", nargs="*", help="only these")
    parser.add_argument("--part", default="0/1", help="which share of the ops, such as 0/2 or 1/2")
    parser.add_argument("--whole", action="store_true", help=f"all checks, not only {', '.join(SAMPLED)}")
    parser.add_argument("-v", "--verbose", action="store_true", help="list the seconds of each op, and all differences")
    options = parser.parse_args(arguments)
    faulthandler.enable()
    install()
    checks._numbered = _without_differences
    part, parts = map(int, options.part.split("/"))
    cuda, failed = gg.device("cuda"), 0
    for name in options.ops or sorted(OPS)[part::parts]:
        FOUND.during, start = name, time.perf_counter()
        for result in checks.check_op(OPS[name], cuda, CHECKS if options.whole else SAMPLED):
            if not result.passed:
                failed += 1
                print(f"FAIL {name}: {result.check}: {result.case}: {result.message}"[:600], flush=True)
        if options.verbose:
            print(f"{time.perf_counter() - start:6.2f} s {name}", flush=True)
    print(FOUND.report(options.verbose))
    print(f"{failed} failed checks")
    return int(bool(failed or FOUND.failures()))


if __name__ == "__main__":
    sys.exit(main())
