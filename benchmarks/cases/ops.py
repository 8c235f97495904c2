"""Measures single ops: sizes, dtypes, forward and forward with gradients, against everything else that computes them.

Bytes are those that must move: inputs and outputs forward, and on the way back the upstream gradient, what the graph
kept, and the gradients. They are the same for every contender, so GB/s compare. FLOPs are the op's own formula. Inputs
rotate through copies that together exceed the last cache.
"""

import itertools
import math
from typing import Any

import numpy as np

import gpugrad
from gpugrad.autograd.check.sample_call import without_paths
from gpugrad.autograd.check.samples import Sampler
from gpugrad.autograd.op import OPS, Op
from gpugrad.autograd.paths import parameters
from gpugrad.autograd.ufunc import Elementwise
from gpugrad.backend.dtypes import as_dtype, is_float

from ..measuring.clock import time_cases
from ..measuring.summaries import compared
from ..measuring.verify import ResultError
from ..peers.contender import OWN, Absent, several
from ..peers.libraries import CHOSEN, PEERS

TOLERANCES = {"float64": 1e-9, "float32": 2e-4, "float16": 1e-2, "bfloat16": 6e-2}  # of the norm
ELEMENTS = (1 << 22, 1 << 12, 1 << 16, 1 << 25)  # of elementwise ops
DTYPES = {"quick": ("float32",), "default": ("float32",), "full": ("float32", "float16", "bfloat16")}
SIZES = {"quick": 1, "default": 2, "full": 99}
QUICK = "attention convolution cross_entropy_rows gelu layer_norm linear max_pool softmax sum".split()
COPIES, MEMORY = 512, 1 << 29  # at most so many copies of the inputs, and so many bytes of them


def cases_of(op):
    """Returns the cases to measure: declared ones, else an elementwise op's first sample made large, else samples."""
    if op.bench:
        return op.bench(Sampler())
    if isinstance(op, Elementwise) and op.samples:
        return _enlarged(op)
    return (case for case in (op.samples(Sampler()) if op.samples else ()) if case.smooth)


def _enlarged(op):
    sample = list(op.samples(Sampler()))[0]
    for n in ELEMENTS:
        args = [np.resize(a, (n >> 10, 1024)) if isinstance(a, np.ndarray) and a.size else a for a in sample.args]
        yield Sampler.case(*args, **sample.kwargs)


class Problem:
    """Holds one call of an op in one dtype, the right answer, and what it is in numbers."""

    def __init__(self, op, case, dtype):
        given, self.attributes = op.signature.bind(case.args, dict(case.kwargs))
        if op.many:
            raise Absent(f"{op.name} takes a list of arrays")
        self.op, self.dtype = op, dtype
        self.arrays = [self._rounded(a) for a in given]
        floats = [i for i, a in enumerate(self.arrays) if a is not None and is_float(a.dtype)]
        self.differentiable = [i for i in floats if i not in op.fixed and op.inputs[i] in op.rules]
        shapes = (str(a.shape).replace(" ", "") for a in self.arrays[:2] if a is not None)
        self.title = f"{op.name} {' '.join(shapes)}"
        self.outputs, self.gradients, self.flops = [], [], None
        self.upstream = []

    def _rounded(self, value):
        if value is None:
            return None
        array = np.asarray(value)
        return array.astype(as_dtype(self.dtype)) if is_float(array.dtype) else array

    def solve(self):
        """Computes the right answer, by the op's body and rules in float64 on the CPU, and counts its FLOPs."""
        wide = [a.astype(np.float64) if a is not None and is_float(a.dtype) else a for a in self.arrays]
        inputs: list = [None if a is None else gpugrad.tensor(a) for a in wide]
        for i in self.differentiable:
            inputs[i].requires_grad_()
        with without_paths(self.op):
            outputs = several(Op.__call__(self.op, *inputs, **self.attributes))
        random, largest = np.random.default_rng(1), max(math.prod(o.shape) for o in outputs)
        main = [
            o for o in outputs if 100 * math.prod(o.shape) >= largest
        ]  # statistics come last and get no gradient in training
        self.upstream = [random.standard_normal(o.shape, np.float32).astype(as_dtype(self.dtype)) for o in main]
        self.outputs = [o.detach().numpy() for o in outputs]
        chosen = [(o, g) for o, g in zip(outputs, self.upstream, strict=False) if o.requires_grad]
        if chosen:
            vectors = [gpugrad.tensor(g.astype(np.float64)) for _, g in chosen]
            found = gpugrad.grad([o for o, _ in chosen], [inputs[i] for i in self.differentiable], vectors)
            self.gradients = [g.numpy() for g in found]
        if self.op.flops:
            known = dict(zip(self.op.inputs, self.arrays, strict=False)) | self.attributes | {"out": self.outputs[0]}
            counted = self.op.flops(*(known[name] for name in parameters(self.op.flops)))
            self.flops = counted if isinstance(counted, tuple) else (counted, 2 * counted)
        elif isinstance(self.op, Elementwise):
            self.flops = (self.outputs[0].size,) * 2

    def size(self, arrays):
        """Returns the bytes of arrays in this problem's dtype."""
        item = as_dtype(self.dtype).itemsize
        return sum(a.size * (item if is_float(a.dtype) else a.itemsize) for a in arrays if a is not None)

    def moved(self, kept):
        """Returns the bytes that move forward, and on the way back."""
        forward = self.size(self.arrays) + self.size(self.outputs)
        back = self.size(self.outputs) + kept + self.size(self.gradients)
        return forward, back


class Rotating:
    """Runs one pass of a contender, over copies of the inputs in turn."""

    def __init__(self, contender, backward, copies):
        problem = contender.problem
        self.contender, self.clock, self.settle = contender, contender.clock, contender.settle

        def inputs():
            free = problem.differentiable if backward else ()
            return [None if a is None else contender.place(a, i in free) for i, a in enumerate(problem.arrays)]

        upstream = [contender.place(g) for g in problem.upstream] if backward else []
        self.sets = itertools.cycle([(inputs(), upstream) if backward else (inputs(),) for _ in range(copies)])
        self.call = contender.both if backward else contender.forward

    def launch(self, steps):
        """Runs without waiting, and returns the last result."""
        call, sets = self.call, self.sets
        result: Any = None
        with self.contender.around():
            for _ in range(steps):
                result = call(*next(sets))
        return result

    def run(self, steps):
        """Runs, and waits."""
        self.contender.wait(self.launch(steps))


def error_of(contender, problem, backward):
    """Returns the largest error of a result, relative to its norm. Raises ResultError if it is more than rounding."""
    got = Rotating(contender, backward, 1).launch(1)
    outputs, gradients = got if backward else (got, [])
    worst = 0.0
    main = len(problem.upstream)  # statistics need not be computed by all
    outputs, expected = outputs[:main], [*problem.outputs[:main], *(problem.gradients if backward else [])]
    names = [f"output {i}" for i in range(main)]
    names += [f"gradient of {problem.op.inputs[i]}" for i in problem.differentiable] if backward else []
    for name, value, right in zip(names, [*outputs, *gradients], expected, strict=True):
        array = contender.host(value)
        if array.shape != right.shape:
            raise ResultError(f"{name} has shape {array.shape}, expected {right.shape}")
        scale = max(float(np.linalg.norm(right.astype(np.float64).ravel())), float(np.finfo(np.float32).tiny))
        error = float(np.linalg.norm((array.astype(np.float64) - right).ravel())) / scale
        if not error <= TOLERANCES[problem.dtype] * contender.tolerance:
            raise ResultError(f"{name} differs from float64 by {error:.1e} of its norm")
        worst = max(worst, error)
    return worst


def contenders(problem, device, peers, backward):
    """Returns ({name: contender}, {name: error}, {name: why it is absent}), and raises a wrong result of ours."""
    present, errors, absent = {}, {}, {}
    for kind in (*OWN, *(PEERS[name] for name in peers)):
        if backward and not kind.backward:
            continue
        try:
            contender = kind(problem, device)
            errors[kind.name] = error_of(contender, problem, backward)
            present[kind.name] = contender
        except Absent as reason:
            absent[kind.name] = str(reason)
        except Exception as error:
            if kind is OWN[0]:
                raise
            absent[kind.name] = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
    return present, errors, absent


def kept_bytes(contender, problem):
    """Returns the bytes of the arrays that our graph keeps until backward."""
    inputs = Rotating(contender, True, 1)
    outputs = contender.call(next(inputs.sets)[0])
    node = next((o._node for o in outputs if o._node is not None), None)
    saved = getattr(getattr(node, "node", node), "saved", None) or {}
    values = itertools.chain(*(v if isinstance(v, tuple) else (v,) for v in saved.values()))
    return sum(v.nbytes for v in values if hasattr(v, "nbytes"))


def row_of(problem, device, backward, limits, effort, peers):
    """Returns the row of one pass: verifies every contender, then times them in turns."""
    present, errors, absent = contenders(problem, device, peers, backward)
    ours = present["gpugrad"]
    kept = kept_bytes(ours, problem) if backward else 0
    moved = sum(problem.moved(kept)) if backward else problem.moved(0)[0]
    flops = None if problem.flops is None else sum(problem.flops) if backward else problem.flops[0]
    once = max(1, problem.size(problem.arrays) + (problem.size(problem.upstream) if backward else 0))
    copies = max(1, min(COPIES, 2 * limits.facts(())["cache"] // once + 1, MEMORY // once // len(present)))
    cases = [Rotating(contender, backward, copies) for contender in present.values()]
    row = compared(dict(zip(present, time_cases(cases, effort), strict=True)))
    seconds = row["ours"]["median"]
    for name, numbers in row["peers"].items():
        numbers["error"] = errors[name]
    row["peers"] |= {name: {"note": why} for name, why in absent.items()}
    return row | {
        "error": errors["gpugrad"], "bytes": moved, "flops": flops, "GB/s": moved / seconds / 1e9,
        "TFLOP/s": None if flops is None else flops / seconds / 1e12, "copies": copies,
        "limit": limits.fraction(seconds, moved, flops, problem.dtype),
    }  # fmt: skip


def is_measured(op, device, level):
    """Tells whether the op has a row of its own without being asked for by name."""
    if level == "quick":
        return op.name in QUICK
    return op.paths[device] is not None and (bool(op.bench) or isinstance(op, Elementwise))


def rows_of(op, device, level, limits, effort, peers=None):
    """Yields each row of an op as soon as it is measured."""
    peers = CHOSEN[level] if peers is None else peers
    for dtype in DTYPES[level]:
        for case in itertools.islice(cases_of(op), SIZES[level]):
            problem = Problem(op, case, dtype)
            problem.solve()
            for backward in (False, True) if problem.gradients else (False,):
                step = "forward + backward" if backward else "forward"
                head = {"id": f"{problem.title} {dtype} {step} {device}", "kind": "kernel", "name": op.name}
                head |= {"title": problem.title, "device": device, "dtype": dtype, "pass": step}
                try:
                    yield head | row_of(problem, device, backward, limits, effort, peers)
                except Exception as error:
                    yield head | {"failed": f"{type(error).__name__}: {error}"}


def ops_of(device, level):
    """Returns the ops that have rows."""
    return [op for _, op in sorted(OPS.items()) if is_measured(op, device, level)]
