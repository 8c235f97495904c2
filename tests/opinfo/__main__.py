"""`python -m tests.opinfo [--absent] [--errors] [NAME ...]`: all samples of PyTorch's tables, and what became of them.

The exit status is 1 if a sample failed.
"""

import argparse
import sys
from collections import Counter

from . import functions

VERDICTS = ("right", "NumPy's", "wrong", "crash", "not comparable")


def main(arguments: list[str]) -> int:
    """Print what was asked for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.opinfo", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="names of PyTorch's tables; default: all")
    parser.add_argument("--absent", action="store_true", help="list the names that gpugrad does not have")
    parser.add_argument("--errors", action="store_true", help="list the error inputs that gpugrad accepts")
    options = parser.parse_args(arguments)
    present, absent = functions.entries()
    if options.absent:
        print("\n".join(absent))
        return 0
    count: Counter = Counter()
    for entry in present:
        if options.names and entry.name not in options.names:
            continue
        for outcome in functions.outcomes(entry):
            count[outcome.verdict] += 1
            if outcome.failed:
                print(f"{outcome.verdict} {outcome.name} #{outcome.number}: {outcome.detail}", flush=True)
    print(", ".join(f"{count[verdict]} {verdict}" for verdict in VERDICTS))
    return int(count["wrong"] + count["crash"] > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
