"""`gpugrad launch -n 4 train.py` runs a script on several ranks of this machine."""

import argparse

from ..distributed.launcher import launch
from .usage import number


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Run a Python script on N ranks of this machine, started by the mpiexec of the installed MPI library. Lines of "
        "output begin with the rank's number. The first rank that fails ends all, and its exit status is that of this "
        "command. On several machines, start the script with mpiexec, srun or torchrun."
    )
    parser.add_argument("-n", type=number(int, 1), default=2, metavar="N", help="number of ranks (default 2)")
    parser.add_argument("--gpus", action="store_true", help="give each rank a GPU of its own")
    parser.add_argument(
        "script", metavar="SCRIPT", help="a Python file; it calls gpugrad.distributed.init_process_group"
    )
    parser.add_argument("args", nargs=argparse.REMAINDER, metavar="...", help="arguments of the script")


def run(args: argparse.Namespace) -> int:
    """Run the ranks."""
    return launch(args.n, [args.script, *args.args], args.gpus)
