"""CUDA kernels for users' ops: one declaration makes CUDA C++ the path of a differentiable op.

    gpugrad.cuda.attach(
        swish,                                              # an op, declared with its body and gradient rules
        "swish.cu",                                         # or the CUDA C++ text itself
        forward="swish_forward<T>(out, x, n, beta)",
        backward="swish_backward<T>(gx, g, x, n, beta)",
    )

The op's body still computes it on the CPU, and the kernels are checked against it (`gpugrad check FILE.py`). Higher
derivatives are still made of its gradient rules.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd.op import Op
from ..autograd.paths import DevicePath
from ..backend.cuda.launch import Kernels, ctype, dense
from ..backend.cuda.sources import Source
from ..backend.dtypes import is_float
from ..backend.namespace import xp
from ..errors import DTypeError, KernelError

_CALL = re.compile(r"\s*([\w:]+)\s*(?:<(.*)>)?\s*\((.*)\)\s*", re.DOTALL)
_FLOATS = ("float16", "bfloat16", "float32", "float64")


def attach(
    op: Op,
    source: str | Path,
    *,
    forward: str,
    backward: str | None = None,
    out: Callable | None = None,
    residuals: Mapping[str, Callable] | None = None,
    threads: str | None = None,
    grid: Sequence[str] = (),
    block: int = 256,
    shared: str = "0",
    dtypes: Sequence[str] | None = None,
) -> None:
    """Make `op` run these CUDA kernels on cuda devices.

    source: a `.cu` file, whose path may start from the folder of the op's own file, or CUDA C++ text. It may include
        gpugrad's `common.cuh`. It is compiled when it is first used.
    forward, backward: the kernel calls, written as in C++. Their arguments are Python expressions over the op's inputs
        and attributes, `out`, `n` (the number of elements of out) and the residuals. backward also knows `g` and must
        write `g<input>` for every input that has a gradient rule. Arrays are passed as pointers to contiguous elements,
        ints as long long, floats as double and bools as bool. The template argument T is the C++ type of the inputs.
    out: a function that returns the (shape, dtype) of the output from the inputs' arrays and the attributes, by name.
        By default the output is like the first input.
    residuals: the arrays that forward writes and backward reads, as name -> a function like `out`. threads: an
    expression for the number of threads, by default n. It is rounded up to whole blocks of `block` threads.
        `grid` replaces it by the numbers of blocks along x, y and z. shared: the bytes of dynamic shared memory.
    dtypes: the dtypes that the kernels support; by default all floats if there is a T, otherwise float32. The op's body
        and rules run for the others, and its rules give the gradient if backward is None.

    Raises KernelError for a call with an unknown name.

    >>> @gg.op(samples=lambda s: [s.case(s(3, 4))])
    ... def twice(x):
    ...     "2 * x."
    ...     return 2 * x
    >>> text = '''
    ... template <typename T> __global__ void twice(T* out, const T* x, long long n) {
    ...     const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    ...     if (i < n) out[i] = x[i] + x[i];
    ... }
    ... '''
    >>> gg.cuda.attach(twice, text, forward="twice<T>(out, x, n)", dtypes=["float32"])
    >>> if gg.cuda.is_available():
    ...     assert twice(gg.ones(3, device="cuda")).tolist() == [2, 2, 2]
    """
    kernels = Kernels(_source(op, source))
    shapes = {"out": out or (lambda **values: (values[op.inputs[0]].shape, values[op.inputs[0]].dtype))}
    shapes.update(residuals or {})
    size = tuple(grid) if grid else (f"-(-({threads or 'n'}) // {block})",)
    ahead = _KernelCall(kernels, forward, size, block, shared)
    taken = dtypes or (_FLOATS if "T" in ahead.template else ("float32",))
    known = {*op.inputs, *op.attributes, *shapes, "n"}
    ahead.check(known, f"{op.name}: forward")
    path = op.path("cuda")(_Forward(op, ahead, shapes, taken))
    if backward is not None:
        _differentiate(path, op, _KernelCall(kernels, backward, size, block, shared), known)


def _source(op: Op, given: str | Path) -> Source | Path:
    if isinstance(given, str) and "__global__" in given:
        return Source(text=given, name=f"{op.name}.cu")
    beside = Path(op.forward.__code__.co_filename).parent / given
    return beside if beside.is_file() else Path(given)


class _KernelCall:
    """A kernel launch that was written as a C++ call."""

    def __init__(self, kernels: Kernels, text: str, grid: tuple, block: int, shared: str):
        match = _CALL.fullmatch(text)
        if match is None:
            raise KernelError(f"a kernel call looks like name<T>(out, x, n); got {text!r}")
        self.kernels, self.block = kernels, block
        self.name = match[1]
        self.template = [part.strip() for part in (match[2] or "").split(",") if part.strip()]
        self.args = _expressions(match[3])
        self.grid, self.shared = [_expressions(part)[0] for part in grid], _expressions(shared)[0]
        every = [*self.args, *self.grid, self.shared]
        self.names = frozenset().union(*(expression.names for expression in every))

    def check(self, known: set[str], what: str) -> None:
        """Raise KernelError if the call has a name that is not in `known`."""
        if unknown := self.names - known:
            raise KernelError(f"{what} names {', '.join(sorted(unknown))}; it can know {', '.join(sorted(known))}")

    def __call__(self, values: dict[str, Any], dtype: np.dtype) -> None:
        """Launch with these values of the names."""
        parts = [ctype(dtype) if part == "T" else _template(part, values) for part in self.template]
        instance = f"{self.name}<{', '.join(parts)}>" if parts else self.name
        args = [_argument(expression.value(values)) for expression in self.args]
        grid = [int(expression.value(values)) for expression in self.grid]
        shared = int(self.shared.value(values))
        self.kernels.launch(instance, grid=grid, block=(self.block,), args=args, shared=shared)


class _Forward:
    """The device path's forward."""

    def __init__(self, op: Op, call: _KernelCall, shapes: dict[str, Callable], dtypes: Sequence[str]):
        self.op, self.call, self.shapes, self.dtypes = op, call, shapes, dtypes

    def __call__(self, *arrays: Any, **attributes: Any) -> Any:
        dtype = next(a.dtype for a in arrays if a is not None and is_float(a.dtype))
        if dtype.name not in self.dtypes:
            return NotImplemented
        values = {**dict(zip(self.op.inputs, arrays, strict=True)), **attributes}
        made = {}
        for name, shape_of in self.shapes.items():
            shape, of = shape_of(**values)
            made[name] = xp(arrays[0]).empty(shape, np.dtype(of))
        self.call({**_dense(values), **made, "n": made["out"].size}, dtype)
        return made.pop("out"), made


def _differentiate(path: DevicePath, op: Op, call: _KernelCall, known: set[str]) -> None:
    """Make `call` the backward of `path`: it keeps what the call names."""
    inputs = [name for name in op.inputs if name in op.rules]
    gradients = [f"g{name}" for name in inputs]
    call.check({*known, *gradients, "g"}, f"{op.name}: backward")
    if missing := [name for name in gradients if name not in call.names]:
        raise KernelError(f"{op.name}: backward must write {', '.join(missing)}, the gradients that the rules give")
    kept = sorted(call.names - {"g", "n", *gradients})
    shapes = [f"{name}_shape" for name in inputs if name not in kept]

    def backward_by_kernels(g: Any, *values: Any) -> tuple:
        named = dict(zip(path.names, values, strict=True))
        sizes = {name: named[name].shape if name in kept else named[f"{name}_shape"] for name in inputs}
        made = {f"g{name}": xp(g).empty(size, g.dtype) for name, size in sizes.items()}
        call({**_dense(named), **made, "g": dense(g), "n": g.size}, g.dtype)
        return tuple(made.get(f"g{name}") for name in op.inputs)

    path.backward_function, path.names = backward_by_kernels, (*kept, *shapes)


class _Expression:
    """A Python expression over a call's names."""

    def __init__(self, node: ast.expr):
        self.code = compile(ast.Expression(node), "<kernel call>", "eval")
        self.names = frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name)) - set(_FUNCTIONS)

    def value(self, values: dict[str, Any]) -> Any:
        """Return the value of the expression with these values of its names."""
        return eval(self.code, {"__builtins__": _FUNCTIONS}, values)


_FUNCTIONS = {"min": min, "max": max, "len": len, "int": int, "float": float}


def _expressions(text: str) -> list[_Expression]:
    """Return the expressions in the argument list of a call."""
    try:
        call = ast.parse(f"f({text})", mode="eval").body
    except SyntaxError as error:
        raise KernelError(f"cannot read the kernel call's arguments {text!r}: {error.msg}") from None
    assert isinstance(call, ast.Call)
    return [_Expression(node) for node in call.args]


def _template(part: str, values: dict[str, Any]) -> str:
    if part.lstrip("-").isdigit() or part in ("true", "false"):
        return part
    value = values.get(part, part)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _argument(value: Any) -> Any:
    """Return a Python number as a scalar of the C++ type that `attach` documents, and an array as it is."""
    for kind, scalar in ((bool, np.bool_), (int, np.int64), (float, np.float64)):
        if isinstance(value, kind):
            return scalar(value)
    if isinstance(value, (tuple, list, str, dict)):
        raise DTypeError(f"a kernel's argument is an array or a number, got {value!r}")
    return value


def _dense(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: dense(v) if hasattr(v, "flags") and hasattr(v, "dtype") else v for name, v in values.items()}
