"""`python -m tests.stubs`: writes what editors and type checkers read about gpugrad's functions and Tensor's methods.

The stubs follow from the op table, the signatures of functions and the types in `parameters`. The list of what
is public, by subject, goes into the text of `help(gpugrad)`.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from inspect import Parameter
from pathlib import Path
from typing import Any

import numpy as np

import gpugrad
import gpugrad.linalg
import gpugrad.nn.functional
import gpugrad.special
from gpugrad.autograd.check.samples import Sampler
from gpugrad.autograd.op import Op
from gpugrad.autograd.tensor import Tensor
from gpugrad.ops import inplace, methods, torch_names

from .parameters import FORMS, RESULTS, parameter_type

PACKAGE = Path(gpugrad.__file__).parent
HEAD = """# Written by `python -m tests.stubs`: change what it is written from, and run that again.
from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

import numpy as np

from gpugrad.autograd.tensor import Tensor
from gpugrad.backend.devices import Device
from gpugrad.backend.random import Generator
from gpugrad.ops.methods import Size
from gpugrad.ops.checked import CheckedLU, Factor, Inverse, Solution
from gpugrad.ops.lu import LU, LUFactors
from gpugrad.ops.sort import UniqueAll, UniqueCounts, UniqueInverse
from gpugrad.ops.torch_meanings import SVD, Extremum
from gpugrad.typing import Axes, Axis, DeviceLike, DTypeLike, Index, Shape, TensorLike
"""
WORDS = {"axis": "dim", "keepdims": "keepdim"}  # NumPy's, and PyTorch's that ops take too
HIDDEN = re.compile(r"(?<![\w.])(int|float|bool|type)\b(?!:)")  # types whose names are methods of Tensor too
KEYWORD = Parameter.KEYWORD_ONLY
ATTACHING = ("gpugrad.ops.", "gpugrad.autograd.convert", "gpugrad.autograd.functional")  # modules that bring methods
NEW = list(inspect.signature(gpugrad.tensor).parameters.values())

# One function: (parameters, result) of each of its forms


def forms(name: str, function: Callable) -> list[tuple[list[str], str]]:
    """The forms in which `function` can be called, with the types of parameters and result."""
    if name in FORMS:
        return [(parameters[1:].split(", "), result) for parameters, result in (f.split(") -> ") for f in FORMS[name])]
    op = op_of(function)
    signature = inspect.signature(function)
    parameters, result = list(signature.parameters.values()), result_of(name, function)
    if name in torch_names.CLASHES:
        theirs = torch_names.CLASHES[name].meaning
        other = list(inspect.signature(theirs).parameters.values())
        return [(written(name, parameters, op), result), (written(name, other), result_of(name, theirs))]
    if result == "Any" and "return_indices" in signature.parameters:
        return _with_indices(name, parameters)
    made = [(written(name, parameters, op), result)]
    if op is not None:
        words = [p for p in parameters if p.name in WORDS]
        required = [p for p in words if p.default is p.empty]
        renamed = [p.replace(name=WORDS[p.name], kind=KEYWORD) for p in words]
        if words and required:
            rest = [p for p in parameters if p not in words]
            made.append((written(name, [*rest, *renamed], op), result))
        elif words:
            made = [(written(name, [*parameters, *renamed], op), result)]
    return made


def _with_indices(name: str, parameters: list[Parameter]) -> list[tuple[list[str], str]]:
    """The forms of a function that gives indices too if it is asked for them."""
    if name.endswith("_with_indices"):
        return [(written(name, parameters), "tuple[Tensor, Tensor]")]
    others = [p for p in parameters if p.name != "return_indices"]
    starred = [*written(name, [p for p in others]), "*"] if all(p.kind != KEYWORD for p in others) else []
    return [
        ([*starred, "return_indices: Literal[False] = False"], "Tensor"),
        ([*starred, "return_indices: Literal[True]"], "tuple[Tensor, Tensor]"),
        (written(name, parameters), "Any"),
    ]


def op_of(function: Callable) -> Op | None:
    """The op that `function` is, or that it calls under PyTorch's words too."""
    inner = inspect.unwrap(function, stop=lambda f: isinstance(f, Op))
    return inner if isinstance(inner, Op) else None


def result_of(name: str, function: Callable) -> str:
    """The type of the result: as annotated, of an op what its samples give."""
    op = op_of(function)
    if op is None:
        annotation = inspect.signature(function).return_annotation
        return "Tensor" if annotation is Parameter.empty else _text(annotation)
    if op.name in RESULTS:
        return RESULTS[op.name]
    case = next(iter(op.samples(Sampler())))
    with gpugrad.no_grad():
        made = op(*case.args, **case.kwargs)
    return f"tuple[{', '.join(['Tensor'] * len(made))}]" if isinstance(made, tuple) else "Tensor"


def written(name: str, parameters: Iterable[Parameter], op: Op | None = None) -> list[str]:
    """The parameters as a stub has them."""
    made, keyword = [], False
    for p in parameters:
        if p.kind is KEYWORD and not keyword:
            made.append("*")
        keyword = keyword or p.kind in (KEYWORD, Parameter.VAR_POSITIONAL)
        stars = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}.get(p.kind, "")
        default = "" if p.default is p.empty else f" = {_default(p.default)}"
        made.append(f"{stars}{p.name}: {_type(name, p, op)}{default}")
        if p.kind is Parameter.POSITIONAL_ONLY:
            made.append("/")
    return made


def _type(name: str, p: Parameter, op: Op | None) -> str:
    if op is not None and p.name in op.inputs:
        kind = "Sequence[TensorLike]" if op.many else "TensorLike"
        return f"{kind} | None" if p.default is None else kind
    if p.annotation not in (p.empty, Any, "Any"):
        return _text(p.annotation)
    kind = parameter_type(name, p.name, p.default, p.default is p.empty)
    return re.sub(r"^Sequence\[(.*)\]$", r"\1", kind) if p.kind is Parameter.VAR_POSITIONAL else kind


def _text(annotation: Any) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"\bnumpy\.", "np.", text)
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", text)


def _default(value: Any) -> str:
    return repr(value) if isinstance(value, (bool, int, float, str, tuple, type(None))) else "..."


def definition(name: str, function: Callable, method: bool = False) -> Iterator[str]:
    """The lines of a function in a stub; `method`: of what is attached to Tensor under that name."""
    found = forms(name, function)
    for parameters, result in found:
        if method:
            parameters = ["self", *(HIDDEN.sub(r"builtins.\1", p) for p in parameters[1:])]
            result = HIDDEN.sub(r"builtins.\1", result)
        if len(found) > 1:
            yield "@overload"
        yield f"def {name}({', '.join(parameters)}) -> {result}: ..."


# The files


def namespace_stub(module: Any, names: Iterable[str] | None = None, *before: str) -> str:
    """The stub of a module that has functions only, or else other lines `before` them and `names` of functions."""
    names = module.__all__ if names is None else names
    lines = [line for name in names for line in definition(name, getattr(module, name))]
    return "\n".join([HEAD, *before, *lines, "", f"__all__ = {list(module.__all__)!r}", ""])


def home_of(value: Any) -> str:
    """The module in which a value is defined; public functions and methods name the place where pickle finds them."""
    home = getattr(value, "__module__", "") or ""
    if home not in ("gpugrad", "gpugrad.autograd.tensor") or not inspect.isfunction(value):
        return home
    inside = inspect.unwrap(value)
    return inside.__globals__["__name__"] if inspect.isfunction(inside) else inside.__module__


def package_stub() -> str:
    """gpugrad/__init__.pyi."""
    lines, defined = [], []
    for name in gpugrad.__all__:
        value = getattr(gpugrad, name)
        home = home_of(value)
        if inspect.ismodule(value):
            lines.append(f"from . import {name} as {name}")
        elif isinstance(value, np.dtype):
            lines.append(f"{name}: np.dtype[Any]")
        elif not callable(value) and type(value).__module__.startswith("gpugrad."):
            lines.append(f"from {type(value).__module__[7:]} import {name} as {name}")
        elif not callable(value):
            lines.append(f"{name}: {None if value is None else type(value).__name__}")
        elif home.startswith("gpugrad.ops.") or home == "gpugrad.autograd.convert":
            defined.append(name)
        elif home.startswith("gpugrad."):
            lines.append(f"from {home[7:]} import {value.__name__} as {name}")
        else:
            lines.append(f"from {home} import {value.__name__} as {name}")
    return namespace_stub(gpugrad, defined, *lines, "__version__: str", "")


def methods_stub() -> str:
    """gpugrad/autograd/attached.pyi: the methods that modules above the Tensor give to it."""
    lines = []
    for word in methods.OPERATORS:
        lines += [f"def __{form}{word}__(self, other: TensorLike) -> Tensor: ..." for form in ("", "r")]
    lines += [f"def __{word}__(self, other: TensorLike) -> Tensor: ..." for word, _ in inplace.OPERATORS.values()]
    for word in methods.COMPARISONS:
        kind, note = ("object", "  # type: ignore[override]") if word in ("eq", "ne") else ("TensorLike", "")
        lines.append(f"def __{word}__(self, other: {kind}) -> Tensor: ...{note}")
    lines += [f"def __{word}__(self) -> Tensor: ..." for word in methods.UNARY]
    lines += [f"def __new__(cls, {', '.join(written('tensor', NEW))}) -> Tensor: ..."]
    lines += ["def __getitem__(self, index: Index) -> Tensor: ..."]
    lines += ["def __setitem__(self, index: Index, value: TensorLike) -> None: ..."]
    for name, value in sorted(vars(Tensor).items()):
        get = getattr(value, "fget", value)
        if name.startswith("__") or not home_of(get).startswith(ATTACHING):
            continue
        lines += ["@property"] * isinstance(value, property)
        lines += definition(name, get, method=True)
    body = textwrap.indent("\n".join(lines), "    ")
    return "\n".join(
        [HEAD.replace("from collections", "import builtins\nfrom collections", 1), "", "class Attached:", body, ""]
    )


def contents() -> str:
    """What is public, by subject."""
    subjects = {title: names.split() for title, names in gpugrad._SUBJECTS.items()}
    families: dict[str, list[str]] = {}
    for family in (*gpugrad._FAMILIES, *(import_module(f"gpugrad.ops.{name}") for name in gpugrad._LATER)):
        for name in family.__all__:
            home = home_of(getattr(gpugrad, name))  # a family may have a module for each subject
            module = sys.modules[home] if home.startswith("gpugrad.ops.") else family
            title = re.split(r"[.:;] |[.:;]?$", module.__doc__.split("\n\n")[0].replace("\n", " "))[0]
            families.setdefault(title, []).append(name)
    families = {title: sorted(set(names)) for title, names in families.items()}
    seen, lines = set(), []
    for title, names in (*subjects.items(), *sorted(families.items())):
        names = [name for name in names if name not in seen]
        seen.update(names)
        lines += (
            [title, *textwrap.wrap(", ".join(names), 112, initial_indent="    ", subsequent_indent="    ")]
            if names
            else []
        )
    return "\n".join(lines)


def package_source() -> str:
    """gpugrad/__init__.py with the list of what is public in its docstring."""
    head, _, rest = (PACKAGE / "__init__.py").read_text().partition("By subject:\n")
    return f'{head}By subject:\n\n{contents()}\n"""{rest.partition(chr(34) * 3)[2]}'


def files() -> dict[Path, str]:
    """What each file that this writes should hold."""
    from . import torch_language

    return {
        **torch_language.files(),
        PACKAGE / "__init__.py": package_source(),
        PACKAGE / "__init__.pyi": package_stub(),
        PACKAGE / "linalg.pyi": namespace_stub(gpugrad.linalg),
        PACKAGE / "special.pyi": namespace_stub(gpugrad.special),
        PACKAGE / "autograd" / "attached.pyi": methods_stub(),
        PACKAGE / "nn" / "functional" / "__init__.pyi": namespace_stub(gpugrad.nn.functional),
    }
