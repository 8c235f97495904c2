"""A page for each op, made from its declaration: what it is called with, what it computes, its gradient rules, the
samples that it is checked on, dtypes, paths, and what was measured."""

import ast
import contextlib
import importlib
import inspect
import io
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import gpugrad as gg
from benchmarks.reports.table import seconds
from gpugrad.autograd.check.samples import Case, Sampler
from gpugrad.autograd.op import OPS, Op
from gpugrad.errors import GpugradError

from .docstrings import rst
from .folder import ROOT, Folder, block, heading, link, table
from .measured import newest

DTYPES = ("float64", "float32", "float16", "bfloat16", "complex64", "int64")
PROMOTION = {
    "common": "The inputs are promoted to one dtype, which is the result's.",
    "float": "The inputs are promoted to one dtype; integers become the default float.",
    "own": "Each input keeps its dtype.",
}
POLICIES = {
    "low": "16 bits", "float32": "float32", "first": "the dtype of the first input", "plain": "no casts inside",
    "refused": "an error, since the gradient would overflow",
}  # fmt: skip
CHANNELS = ("numpy", "cupy", "torch")


def write(folder: Folder) -> None:
    """Write the pages of all ops that gpugrad declares."""
    for name, op in own_ops().items():
        folder.write(f"ops/{name}.rst", page(op))


def own_ops() -> dict[str, Op]:
    """Return the ops of gpugrad by name, without those that someone else has declared."""
    importlib.import_module("gpugrad.distributed.functional")
    return {name: op for name, op in sorted(OPS.items()) if op.__module__.startswith("gpugrad.")}


def public_name(op: Op) -> str:
    """Return the name that the op's page shows: in `gpugrad`, or in the module that declares it."""
    return f"gpugrad.{op.name}" if getattr(gg, op.name, None) is op else f"{op.__module__}.{op.name}"


def page(op: Op) -> str:
    """Return the page of an op."""
    title = heading(op.name)
    entry = f".. py:function:: {public_name(op)}{op.__signature__}\n\n"
    body = "".join(f"   {line}".rstrip() + "\n" for line in rst(op.__doc__ or "").splitlines())
    parts = [title, entry + body, *_names(op), *_example(op), *_definition(op), *_rules(op), *_dtypes(op)]
    parts += [*_paths(op), *_samples(op), *_measured(op)]
    return "\n".join(parts)


def _names(op: Op) -> Iterator[str]:
    others = [n for n in gg.__all__ if n != op.name and getattr(gg, n, None) is op]
    if others:
        yield f"Also called {', '.join(f'``gpugrad.{n}``' for n in others)}.\n"
    if getattr(gg, op.name, None) is not op:
        yield "This op is a building block: functions and gradient rules call it, and it has no name in ``gpugrad``.\n"
    method = getattr(gg.Tensor, op.name, None)
    said = [f"``x.{op.name}()``"] if callable(method) else []
    said += [f"in place ``x.{op.name}_()``"] if op.inplace else []
    if said:
        yield f"As a method: {', '.join(said)}.\n"
    if elsewhere := _elsewhere(op):
        yield f"Elsewhere: {elsewhere}.\n"


def _elsewhere(op: Op) -> str:
    """Return links to the functions of other libraries that have the op's name."""
    from .inventories import known

    return ", ".join(f":py:func:`{lib}.{op.name}`" for lib in CHANNELS if f"{lib}.{op.name}" in known(lib))


def _example(op: Op) -> Iterator[str]:
    """Yield the call of the first sample, for an op whose docstring has no example."""
    if ">>>" in (op.__doc__ or "") or op.samples is None:
        return
    case = next((c for c in cases(op) if _small(c)), None)
    if case is None:
        return
    lines, names = [], []
    for i, value in enumerate(case.args):
        if isinstance(value, np.ndarray):
            names.append(f"x{i}")
            lines.append(
                f">>> x{i} = gg.tensor({np.round(value, 2).tolist() if value.dtype != bool else value.tolist()})"
            )
        else:
            names.append(_shown(value))
    words = [f"{key}={_shown(value)}" for key, value in case.kwargs.items()]
    call = f"{op.name}({', '.join([*names, *words])})"
    out = _printed(lines, call, op)
    if out is not None:
        yield heading("Example", "-")
        yield "The first of the samples, computed when this page was made.\n"
        yield block("\n".join([*lines, f">>> {call}", out]), "pycon")


def _small(case: Case) -> bool:
    values = [*case.args, *case.kwargs.values()]
    plain = all(isinstance(v, (np.ndarray, int, float, str, bool, tuple, type(None))) for v in values)
    return plain and all(v.size <= 12 and v.dtype.kind in "fib" for v in case.args if isinstance(v, np.ndarray))


def _shown(value: Any) -> str:
    return repr(value.tolist()) if isinstance(value, np.ndarray) else repr(value)


def _printed(lines: list[str], call: str, op: Op) -> str | None:
    space: dict[str, Any] = {"gg": gg, op.name: op}
    shown = io.StringIO()
    try:
        for line in lines:
            exec(line.removeprefix(">>> "), space)
        with contextlib.redirect_stdout(shown), np.errstate(all="ignore"):
            print(eval(call, space))
    except (GpugradError, TypeError, ValueError, SyntaxError):
        return None
    return shown.getvalue().rstrip()


# ---- code


@cache
def _statements(file: str) -> tuple[list[str], list[tuple[int, int, str]]]:
    """Return the lines of a file, and (first line, last line, name or "") of each statement in it."""
    text = Path(file).read_text(encoding="utf-8")
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            found.append((first, node.end_lineno or first, getattr(node, "name", "")))
    return text.splitlines(), sorted(found)


def source(function: Callable) -> tuple[str, str]:
    """Return (file, code) of a function; of a lambda, the whole statement that it stands in."""
    function = inspect.unwrap(function)
    code = function.__code__
    lines, statements = _statements(code.co_filename)
    named = "" if function.__name__ == "<lambda>" else function.__name__
    around = [s for s in statements if s[0] <= code.co_firstlineno <= s[1] and s[2] == named]
    first, last, _ = around[-1] if around else (code.co_firstlineno, code.co_firstlineno, "")
    return code.co_filename, inspect.cleandoc("\n" + "\n".join(lines[first - 1 : last]))


def _without_docstring(code: str) -> str:
    """Return the code of a function without its docstring, which the page has shown."""
    node = ast.parse(code).body[0]
    if not isinstance(node, ast.FunctionDef) or ast.get_docstring(node) is None:
        return code
    lines, said = code.splitlines(), node.body[0]
    rest = lines[said.end_lineno or 0 :]
    return "\n".join([*lines[: said.lineno - 1], *(rest if any(rest) else [f"    ...  # {_given(node.name)}"])])


def _given(name: str) -> str:
    return f"the array library's own {name}"


def _definition(op: Op) -> Iterator[str]:
    file, code = source(op.forward)
    yield heading("Definition", "-")
    yield f"The body runs on NumPy's and CuPy's arrays, and every faster path is compared with it ({link(file)}).\n"
    yield block(_without_docstring(code), "python")


def _rules(op: Op) -> Iterator[str]:
    yield heading("Gradient rules", "-")
    if not op.rules:
        yield "It has none: what it gives does not depend smoothly on its inputs, or needs no gradient.\n"
        return
    found: dict[str, list[str]] = {}
    for name, rule in op.rules.items():
        found.setdefault(source(rule)[1] if hasattr(inspect.unwrap(rule), "__code__") else repr(rule), []).append(name)
    yield "``g`` is the gradient of the output. What else a rule names is kept until backward, and nothing besides.\n"
    for code, names in found.items():
        yield f"For {', '.join(f'``{name}``' for name in names)}:\n"
        yield block(code, "python")
    without = [name for i, name in enumerate(op.inputs) if name not in op.rules or i in op.fixed]
    if without:
        yield f"No gradient flows to {', '.join(f'``{name}``' for name in without)}.\n"


# ---- tables


def _dtypes(op: Op) -> Iterator[str]:
    yield heading("Dtypes", "-")
    said = [PROMOTION.get(op.dtypes, "")]
    said.append("16-bit floats are moved as they are." if op.exact else "16-bit floats are computed in float32.")
    said.append("It takes complex numbers." if op.complex else "It takes no complex numbers.")
    said += ["The result is a view of the first input."] if op.view else []
    for words in sorted({f"{kind}: {POLICIES[policy]}" for kind, policy in op.autocast.items()}):
        said.append(f"Inside of ``autocast``, on {words}.")
    yield " ".join(filter(None, said)) + "\n"
    results = [(name, out) for name in DTYPES if (out := _result_dtype(op, name))]
    if results:
        yield table(["given", *(f"``{name}``" for name, _ in results)], [["gives", *(f"``{o}``" for _, o in results)]])


def _result_dtype(op: Op, name: str) -> str | None:
    """Return the dtype of the first output for floating-point inputs cast to dtype `name`."""
    if name == "complex64" and not op.complex:
        return None
    case = next((c for c in cases(op) if _first_dtype(c) == "f"), None)
    if case is None:
        return None
    cast = getattr(gg, name)
    try:
        with np.errstate(all="ignore"):
            out = op(*[_cast(v, cast) for v in case.args], **case.kwargs)
    except (GpugradError, TypeError, ValueError, ArithmeticError):
        return None
    return str((out[0] if isinstance(out, tuple) else out).dtype.name)


def _first_dtype(case: Case) -> str:
    value = case.args[0] if case.args else None
    return value.dtype.kind if isinstance(value, np.ndarray) else ""


def _cast(value: Any, dtype: Any) -> Any:
    return gg.asarray(value).astype(dtype) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


def _paths(op: Op) -> Iterator[str]:
    yield heading("Device paths", "-")
    family = op.__module__.split(".")[2] if op.__module__.startswith("gpugrad.ops.") else ""
    rows = []
    for kind in ("cpu", "cuda"):
        path = op.paths[kind]
        if path is None:
            rows.append([f"``{kind}``", "the definition above, on NumPy" if kind == "cpu" else "the same, on CuPy", ""])
            continue
        where = getattr(path.forward, "__module__", "") or type(path.forward).__module__
        module = importlib.import_module(where)
        backward = "forward and backward" if path.backward_function is not None else "forward"
        rows.append(
            [f"``{kind}``", f"{backward}: {link(str(module.__file__))}", _kernels(family) if kind == "cuda" else ""]
        )
    yield table(["device", "path", "kernels"], rows)


def _kernels(family: str) -> str:
    files = sorted([*(ROOT / "kernels").glob(f"{family}.cu"), *(ROOT / "kernels").glob(f"{family}_*.cu")])
    return ", ".join(link(file) for file in files)


@cache
def _cases_of(name: str) -> list[Case]:
    op = OPS[name]
    return list(op.samples(Sampler())) if op.samples else []


def cases(op: Op) -> list[Case]:
    """Return the cases of an op's samples."""
    return _cases_of(op.name)


def _samples(op: Op) -> Iterator[str]:
    found = cases(op)
    yield heading("Samples", "-")
    if not found:
        yield "It is checked by tests of its own.\n"
        return
    yield "``gpugrad check --op " + op.name + "`` tries it on these: values, derivatives, dtypes, layouts, memory.\n"
    calls = [f"{op.name}({case})" for case in found]
    more = f"\n# ... and {len(calls) - 12} more" if len(calls) > 12 else ""
    yield block("\n".join(calls[:12]) + more, "text")


def _measured(op: Op) -> Iterator[str]:
    for rows in newest():
        mine = [row for row in rows if row.get("kind") == "kernel" and row["name"] == op.name and "ours" in row]
        if not mine:
            continue
        yield heading("Measured", "-")
        lines = []
        for row in mine:
            peer = row["peers"].get("torch", {})
            ratio = "{median:.2f} [{p20:.2f}-{p80:.2f}]".format(**peer["ratio"]) if "ratio" in peer else "-"
            shape = re.sub(r"^\S+ ", "", row["title"])
            limit = f"{row['limit']:.0%}" if "limit" in row else "-"
            given = [f"{shape} {row['dtype']}", row["pass"], row["device"], seconds(row["ours"])]
            lines.append([*given, seconds(peer["time"]) if "time" in peer else "-", ratio, limit])
        yield table(["given", "pass", "device", "gpugrad", "PyTorch", "ratio", "of the limit"], lines)
        about = rows[-1]
        yield f"{about['cpu']}, {about['threads']} threads, {about['date'][:10]}: :doc:`/generated/performance`.\n"
        return
