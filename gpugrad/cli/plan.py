"""`gpugrad plan --params 7e9 --gpus 64` estimates what fits, and how long a step takes."""

import argparse

from ..distributed.planning import KNOWN, Machine, Plan, plans, shape_of
from .usage import number

_COUNTS = (8, 64, 512, 4096, 16384)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Estimate memory and time of training a GPT on H200s: which ways to divide it fit, the fastest first. The "
        "model and its constants are in gpugrad/distributed/planning.py and SCALING.md."
    )
    parser.add_argument("--params", type=number(float, 0, exclusive=True), default=7e9, help="parameters (default 7e9)")
    parser.add_argument("--gpus", type=number(int, 1), default=64, help="number of GPUs (default 64)")
    parser.add_argument("--sequence", type=number(int, 1), default=4096, help="tokens of a sequence (default 4096)")
    parser.add_argument("--batch", type=number(int, 1), default=1024, help="sequences of a step (default 1024)")
    parser.add_argument("--curves", action="store_true", help="a table of model sizes and numbers of GPUs, as Markdown")


def run(args: argparse.Namespace) -> int:
    """Print the estimate; returns 1 if nothing fits."""
    if args.curves:
        print("\n".join(curves(args.sequence, args.batch)))
        return 0
    machine, shape = Machine(), shape_of(args.params, args.sequence)
    print(
        f"{shape.parameters / 1e9:.3g} billion parameters ({shape.layers} layers of width {shape.width}), "
        f"{args.batch} sequences of {args.sequence} tokens per step, {args.gpus} {machine.name}s"
    )
    found = plans(args.params, args.gpus, args.batch, args.sequence, machine)
    if not found:
        print(f"nothing fits into {machine.memory / 1e9:.0f} GB per GPU: take more GPUs, or more sequences")
        return 1
    print(f"{'':42} {'memory':>8} {'step':>9} {'of it: compute':>15} {'waiting':>9} {'bubble':>8} {'tokens/s':>10}")
    for p in found[:10]:
        print(_row(p, args.batch * args.sequence))
    return 0


def _row(p: Plan, tokens: int) -> str:
    return (
        f"{p.name:42} {p.memory / 1e9:5.0f} GB {p.step:7.2f} s {p.compute:13.2f} s {p.communication:7.2f} s "
        f"{p.bubble:6.2f} s {tokens / p.step:10.3g}"
    )


def curves(sequence: int, batch: int) -> list[str]:
    """Return a table with the fastest way for each size and number of GPUs: its part of the ideal speed, and it."""
    machine = Machine()
    lines = ["| parameters | " + " | ".join(f"{n} GPUs" for n in _COUNTS) + " |", "|---|" + "---|" * len(_COUNTS)]
    for size, _, _ in KNOWN:
        cells = []
        for gpus in _COUNTS:
            sequences = max(batch, gpus)
            found = plans(size, gpus, sequences, sequence, machine)
            cells.append(f"{found[0].compute / found[0].step:.0%}, {found[0].name}" if found else "does not fit")
        lines.append(f"| {size / 1e9:g} billion | " + " | ".join(cells) + " |")
    return lines
