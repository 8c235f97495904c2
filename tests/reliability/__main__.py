"""`python -m tests.reliability [NAME ...]`: run every module's report, or those named, and print one table.

The exit status is 1 if anything failed.
"""

import importlib
import pkgutil
import sys
from pathlib import Path


def modules(names):
    """The modules of this package that have a report, of those named or of all."""
    found = {info.name for info in pkgutil.iter_modules([str(Path(__file__).parent)]) if not info.name.startswith("_")}
    if unknown := set(names) - found:
        raise SystemExit(f"there is no {', '.join(sorted(unknown))} among {', '.join(sorted(found))}")
    loaded = (importlib.import_module(f"{__package__}.{name}") for name in sorted(found & set(names or found)))
    return [module for module in loaded if hasattr(module, "report")]


def table(rows):
    """The rows (what, tried, failures) as lines of text."""
    cells = [("what", "tried", "failures"), *((what, str(tried), str(failures)) for what, tried, failures in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [f"{a:{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in cells]


def main(names):
    """Print the table; the exit status."""
    rows = [row for module in modules(names) for row in module.report()]
    print("\n".join(table(rows)))
    return int(any(failures for *_, failures in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
