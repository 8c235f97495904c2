"""The names, keywords and numbers of arguments that gpugrad uses on CuPy's namespace, against CuPy's own.

`python -m tests.real_cupy.names`: every use is found in the source (`xp(x).f(...)`, `ns.f(...)`, `cupy.f(...)`),
whether a test runs it or not. Nothing is called, so any wheel of CuPy can be asked that Python can import.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cupy

import gpugrad
import gpugrad.distributed  # which declares ops
from gpugrad.autograd.op import OPS

_PACKAGE = Path(gpugrad.__file__).parent
_NAMESPACES = {"ns", "cupy", "_cupy"}
_ELSEWHERE = ("backend/cpu", "backend/cuda/emulator")  # these are NumPy's alone
_OWN = {"library"}  # attributes of gpugrad's Namespace itself
_OF_TENSORS = {("full", "ops/cumulative/__init__.py")}  # calls where xp(x) is gpugrad's namespace, as x is a Tensor
_UFUNC_KEYWORDS = {"out", "dtype", "casting", "where"}


class Use(NamedTuple):
    """One use of a name: where, and for a call its keywords and the number of arguments before them."""

    place: str
    keywords: tuple[str, ...]
    count: int


def uses() -> dict[str, list[Use]]:
    """Return every dotted name that is used on an array namespace, with its uses."""
    found: dict[str, list[Use]] = {}
    for file in sorted(_PACKAGE.rglob("*.py")):
        path = file.relative_to(_PACKAGE).as_posix()
        if path.startswith(_ELSEWHERE):
            continue
        for name, node in _named(ast.parse(file.read_text())):
            keywords, count = (), 0
            if isinstance(node, ast.Call) and not any(isinstance(a, ast.Starred) for a in node.args):
                keywords, count = tuple(k.arg for k in node.keywords if k.arg), len(node.args)
            if name not in _OWN and (name, path) not in _OF_TENSORS:
                found.setdefault(name.removeprefix("library."), []).append(
                    Use(f"{path}:{node.lineno}", keywords, count)
                )
    return found


def _named(tree: ast.AST) -> Iterator[tuple[str, Any]]:
    called = set()
    for node in ast.walk(tree):  # a call comes before the attribute that it calls
        if isinstance(node, ast.Call) and (parts := _parts(node.func)):
            called.add(node.func)
            yield ".".join(parts), node
        elif isinstance(node, ast.Attribute) and node not in called and (parts := _parts(node)):
            yield ".".join(parts), node


def _parts(node: ast.AST) -> list[str] | None:
    """Return ["linalg", "inv"] for `xp(x).linalg.inv`, [] for a namespace itself, None for anything else."""
    if isinstance(node, ast.Attribute):
        base = _parts(node.value)
        if base is None and node.attr in ("xp", "_cupy"):  # device.xp, self._cupy
            return []
        return None if base is None else [*base, node.attr]
    if isinstance(node, ast.Call):
        return [] if isinstance(node.func, ast.Name) and node.func.id == "xp" else None
    return [] if isinstance(node, ast.Name) and node.id in _NAMESPACES else None


def problems(name: str, found: list[Use]) -> Iterator[str]:
    """Say what CuPy does not have or take of the uses of a name. What an op of gpugrad stands for is not CuPy's."""
    value: Any = cupy
    for part in name.split("."):
        value = getattr(value, part, None)
    if value is None:
        if name.split(".")[0] not in OPS and not hasattr(gpugrad, name.split(".")[0]):
            yield f"{name}: neither CuPy nor gpugrad has it ({found[0].place})"
        return
    takes = _takes(value)
    for use in found if takes else ():
        keywords, most = takes
        if keywords is not None and (wrong := set(use.keywords) - keywords):
            yield f"{name}: CuPy takes no {', '.join(sorted(wrong))} ({use.place})"
        if most is not None and use.count > most:
            yield f"{name}: CuPy takes {most} arguments by position, not {use.count} ({use.place})"


def _takes(value: Any) -> tuple[set[str] | None, int | None] | None:
    """Return the keywords and the number of positions that a function of CuPy's takes (None: any), if it tells."""
    if isinstance(value, cupy.ufunc):
        return _UFUNC_KEYWORDS, value.nin + value.nout
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    kinds = [p.kind for p in parameters]
    keywords = None if inspect.Parameter.VAR_KEYWORD in kinds else {p.name for p in parameters}
    positions = kinds.count(inspect.Parameter.POSITIONAL_ONLY) + kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return keywords, None if inspect.Parameter.VAR_POSITIONAL in kinds else positions


def main() -> int:
    """Print what is missing. Return 1 if anything is."""
    found = uses()
    wrong = [problem for name in sorted(found) for problem in problems(name, found[name])]
    print("\n".join([*wrong, f"CuPy {cupy.__version__}: {len(found)} names, {len(wrong)} problems"]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
