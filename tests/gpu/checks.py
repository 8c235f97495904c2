"""`python -m tests.gpu.checks 1/8`: every check of every eighth op on cuda, a line each as it is done."""

from __future__ import annotations

import sys
import time

from gpugrad.autograd.check.checks import check_op
from gpugrad.autograd.op import OPS
from gpugrad.backend.devices import device


def main(share: str, names: list[str]) -> int:
    """Check a share of the ops, or of those that are named."""
    part, of = map(int, share.split("/"))
    cuda, failed = device("cuda"), 0
    for name in sorted(names or OPS)[part - 1 :: of]:
        start = time.perf_counter()
        wrong = [result for result in check_op(OPS[name], cuda) if not result.passed]
        seconds = f"{time.perf_counter() - start:.1f} s"
        for result in wrong:
            print(f"FAILED {name}: {result.check}: {name}({result.case}): {result.message}".replace("\n", " "))
        failed += bool(wrong)
        print(f"{len(wrong)} wrong in {name}, {seconds}" if wrong else f"ok {name}, {seconds}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
