"""`gpugrad profile [FILE.py]` counts what an op's kernels do with memory, line by line, and what bounds them on a GPU.

The kernels run on the emulated device: no GPU is needed.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd.functional import grad
from ..autograd.tensor import Tensor
from ..errors import UsageError

if TYPE_CHECKING:
    from ..autograd.check.sample_call import SampleCall
    from ..autograd.check.samples import Case
    from ..autograd.op import Op
    from ..cuda import Profile

_SHAPE = re.compile(r"(?P<sizes>\d+(?:x\d+)*|-)(?::(?P<below>\d+))?")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "file", nargs="?", metavar="FILE.py", help="declares ops with kernels; without it, gpugrad's own"
    )
    parser.add_argument("--op", metavar="NAME", help="the op (default: the first of the file that has kernels)")
    parser.add_argument(
        "--shape", nargs="+", type=_shape, metavar="SHAPE",
        help="of the inputs in turn: 64x1024 of normal numbers, 64:1000 of whole numbers below 1000, - for none "
        "(default: the largest of the op's samples)",
    )  # fmt: skip
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="attributes")
    parser.add_argument("--dtype", default="float32", help="of floats (default: %(default)s)")
    parser.add_argument("--forward", action="store_true", help="not the gradients")
    parser.add_argument("--gpu", default="H200", help="H200, A100, RTX 4090 or T4 (default: %(default)s)")
    parser.add_argument("--no-code", action="store_true", help="do not compile for the GPU to look at the machine code")
    parser.add_argument("--json", metavar="FILE", help="write the counts")
    parser.add_argument("--html", metavar="FILE", help="write a page for each kernel, with its source annotated")
    parser.add_argument(
        "--check", action="store_true", help="compare gpugrad's kernels with the table in gpugrad/cuda/ACCESSES.md"
    )
    parser.add_argument("--write", action="store_true", help="write that table anew")


def run(args: argparse.Namespace) -> int:
    """Profile and print; returns 0, or with --check 1 if a kernel is worse than in the table.

    Raises UsageError for an op or arguments that do not fit.
    """
    os.environ["GPUGRAD_CUDA"] = "emulate"  # no device has been asked for yet
    if args.check or args.write:
        from .access_table import compare, write

        return write() if args.write else compare()
    from ..backend.devices import device

    op = _chosen(args)
    call = _call(op, _case(op, args), device("cuda"), args.dtype)
    profile, least = _profiled(call, args)
    if not profile.kernels:
        raise UsageError(f"{op.name} launched no kernel for {call.case}: its path on cuda declined")
    print(f"{op.name}({call.case}), floats {args.dtype}\n\n{profile}\n")
    factor = profile.bytes / least if least else 1.0
    print(f"together: {profile.bytes} bytes moved, {factor:.2f} times the {least} of all inputs and outputs, each once")
    if args.json:
        Path(args.json).write_text(json.dumps(profile.as_dict() | {"op": op.name, "least_bytes": least}, indent=1))
    if args.html:
        Path(args.html).write_text(profile.html())
    return 0


def _shape(text: str) -> tuple[tuple[int, ...], int] | None:
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"expected a shape such as 64x1024, 64:1000 (whole numbers) or -, got {text!r}"
        )
    if found["sizes"] == "-":
        return None
    return tuple(map(int, found["sizes"].split("x"))), int(found["below"] or 0)


def _chosen(args: argparse.Namespace) -> Op:
    from ..autograd.op import OPS
    from ..ops import ops_with_path
    from .op_files import declared_ops

    if args.file:
        known = {name: op for name, op in declared_ops(Path(args.file)).items() if op.paths["cuda"]}
    else:
        ops_with_path("cuda")  # imports the modules that declare them
        known = {name: op for name, op in OPS.items() if op.paths["cuda"]}
    where = repr(args.file) if args.file else "gpugrad"
    if args.op is None and (not args.file or not known):
        raise UsageError(f"no op of {where} has kernels" if args.file else "name an op (--op NAME) or a file")
    if args.op is not None and args.op not in known:
        raise UsageError(f"{where} has no op {args.op!r} with kernels")
    return known[args.op] if args.op else next(iter(known.values()))


def _case(op: Op, args: argparse.Namespace) -> Case:
    from ..autograd.check.samples import Case, Sampler

    sampler = Sampler()
    if args.shape is None:
        if args.set:
            raise UsageError("--set goes with --shape")
        if op.samples is None:
            raise UsageError(f"{op.name} has no samples: give --shape")
        return max(op.samples(sampler), key=lambda case: sum(np.size(a) for a in _flat(case.args)))
    inputs = [None if s is None else sampler.ints(s[1], *s[0]) if s[1] else sampler(*s[0]) for s in args.shape]
    return Case((inputs,) if op.many else tuple(inputs), dict(map(_attribute, args.set)))


def _flat(values: Any) -> list:
    return [a for value in values for a in (_flat(value) if isinstance(value, (list, tuple)) else [value])]


def _attribute(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text}: expected NAME=VALUE")
    try:
        return name, ast.literal_eval({"true": "True", "false": "False", "none": "None"}.get(value, value))
    except (ValueError, SyntaxError):
        return name, value


def _call(op: Op, case: Case, device: Any, dtype: str) -> SampleCall:
    from ..autograd.check.sample_call import SampleCall

    return SampleCall(op, case, device, dtype)


def _profiled(call: SampleCall, args: argparse.Namespace) -> tuple[Profile, int]:
    """Return the profile, and the bytes that the op has to move: its inputs and outputs once, those of backward too."""
    from ..cuda import profile

    with profile(args.gpu, code=not args.no_code) as found:
        outputs = call()
        given = [t for t in call.inputs if isinstance(t, Tensor)]
        moved = [*given, *outputs]
        wanted = [call.inputs[i] for i in call.checked]
        differentiable = [o for o in outputs if o.requires_grad]
        if wanted and differentiable and not args.forward:
            upstream = [call.upstream(o) for o in differentiable]
            gradients = grad(differentiable, wanted, upstream, allow_unused=True)
            moved += [*given, *upstream, *(g for g in gradients if g is not None)]
    return found, sum(t.nbytes for t in moved)
