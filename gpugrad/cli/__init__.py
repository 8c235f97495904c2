"""The `gpugrad` command.

Each subcommand is a module in this package. It defines `arguments(parser)` and `run(args)`, which returns the exit
status.
"""

import argparse
import importlib
import os
import sys

from ..errors import GpugradError
from .usage import Parser

COMMANDS = {
    "train": "train a model of the course notes on real data",
    "eval": "evaluate a checkpoint that train saved",
    "notes": "list the course notes section by section: where in the code, which command shows it",
    "check": "check every op, or the ops that a file declares",
    "bench": "measure speed: CPU and GPU, the peers, the limits of the machine",
    "launch": "run a script on several ranks: processes that train together",
    "plan": "estimate memory and time of training a model on many GPUs",
    "profile": "count what an op's kernels do with memory, line by line, without a GPU",
    "precompile": "compile every CUDA kernel ahead, and list what each takes of a GPU",
    "doctor": "print versions and devices, what is missing and how to get it",
    "docs": "build the documentation, or open it in a browser",
}


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the options of a command line, its subcommand as `command`. Ends the program where it is wrong."""
    parser = Parser(prog="gpugrad", description="Automatic differentiation for NumPy and CuPy code.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        if argv[:1] == [name]:  # only the chosen command's module is imported
            importlib.import_module(f".{name}", __name__).arguments(subparser)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand and return its exit status: 2, and one line on stderr, for a command that cannot be done."""
    args = parse(sys.argv[1:] if argv is None else argv)
    try:
        return importlib.import_module(f".{args.command}", __name__).run(args)
    except BrokenPipeError:  # the reader of the output has enough; what is still buffered must go nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (GpugradError, OSError) as error:
        print(f"gpugrad {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"gpugrad {args.command}: interrupted", file=sys.stderr)
        return 130
