"""`gpugrad bench [NAME|FILE.py]`: run the benchmark suite; `compare A B` and `table A B` for earlier runs."""

import argparse

from .suite import suite


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    suite("cli").arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure; returns 0 if every row was measured, 1 if one failed or got slower, 2 if nothing can be measured."""
    return suite("cli").run(args)
