"""`python -m tests.opinfo [--absent] [--errors] [NAME ...]`: all samples of PyTorch's tables, and what became of them.

The exit status is 1 if a sample failed.
"""

import argparse
import sys
from collections import Counter

from . import error_inputs, functions, modules, optimizers
from .outcome import VERDICTS

TABLES = {"op_db": functions, "module_db": modules, "optim_db": optimizers}


def main(arguments: list[str]) -> int:
    """Print what was asked for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.opinfo", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="names of PyTorch's tables; default: all")
    parser.add_argument("--absent", action="store_true", help="list the names that gpugrad does not have")
    parser.add_argument("--errors", action="store_true", help="list the error inputs that gpugrad accepts")
    options = parser.parse_args(arguments)
    if options.errors:
        for name, call in error_inputs.accepted():
            print(f"{name}: {call}")
        return 0
    failures = 0
    for title, table in TABLES.items():
        present, absent = table.entries()
        if options.absent:
            print(f"{title}: {', '.join(absent)}")
            continue
        count: Counter = Counter()
        for entry in present:
            for outcome in table.outcomes(entry) if not options.names or entry.name in options.names else ():
                count[outcome.verdict] += 1
                if outcome.failed:
                    print(f"{outcome.verdict} {outcome.name} #{outcome.number}: {outcome.detail}", flush=True)
        print(
            f"{title}: {', '.join(f'{count[verdict]} {verdict}' for verdict in VERDICTS)}; {len(absent)} names absent"
        )
        failures += count["wrong"] + count["crash"]
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
