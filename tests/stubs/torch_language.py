"""The stubs of `gpugrad.torch`: functions, methods of its Tensor, and layers, from the table of the language.

In them `Tensor` is the one that speaks PyTorch, and the names of Python's types that are dtypes too stand with their
module.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from inspect import Parameter
from pathlib import Path
from typing import Any

import gpugrad
import gpugrad.nn.functional
import gpugrad.torch as torch
import gpugrad.torch.nn.functional
from gpugrad.autograd.op import Op
from gpugrad.autograd.tensor import Tensor as NumPyTensor
from gpugrad.ops import inplace, methods
from gpugrad.torch import private, serialization, switches
from gpugrad.torch.dtypes import dtype
from gpugrad.torch.language import TABLE, Meaning

from . import ATTACHING, HEAD, HIDDEN, _default, _text, definition, home_of, op_of, result_of
from .parameters import parameter_type

PACKAGE = Path(torch.__file__).parent
HEAD_OF_TORCH = (
    HEAD.replace("from collections", "import builtins\nfrom collections", 1)
    .replace("import Any, Literal, overload", "import Any, Literal, NamedTuple, overload")
    .replace("from gpugrad.autograd.tensor import Tensor\n", "")
    .replace("import SVD, Extremum", "import SVD")
    .replace("DTypeLike, Index", "DTypeLike as NumPyDTypeLike, Index")
    + "from gpugrad.torch.dtypes import dtype as dtype\n"
    + "from gpugrad.torch.language import Size as Size, Tensor as Tensor\n\n"
    + "DTypeLike = NumPyDTypeLike | dtype\n"
).replace("from gpugrad.ops.methods import Size\n", "")
PAIR = "class Extremum(NamedTuple):\n    values: Tensor\n    indices: Tensor\n"
# Functions that give one Tensor, or values with their places, as they are called.
PAIRS = {
    **dict.fromkeys(
        ("max", "min"),
        ("input", "input, dim: builtins.int, keepdim: builtins.bool = False", "input, other: Tensor"),
    ),
    **dict.fromkeys(("median", "nanmedian"), ("input", "input, dim: builtins.int, keepdim: builtins.bool = False")),
}
OF_PAIRS = {"sort", "topk", "kthvalue", "mode", "cummax", "cummin"}
MODULES = "amp autograd cuda distributed distributions einops fft func linalg nn optim special utils"


def written(name: str, parameters: Iterable[Parameter], op: Op | None) -> list[str]:
    """The parameters as a stub of the language has them; what no declaration says is Any."""
    made, keyword = [], False
    for p in parameters:
        if p.kind is Parameter.KEYWORD_ONLY and not keyword:
            made.append("*")
        keyword = keyword or p.kind in (Parameter.KEYWORD_ONLY, Parameter.VAR_POSITIONAL)
        stars = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}.get(p.kind, "")
        default = "" if p.default is p.empty else f" = {_default(p.default)}"
        made.append(f"{stars}{p.name}: {_kind(name, p, op)}{default}")
    return made


def _kind(name: str, p: Parameter, op: Op | None) -> str:
    if op is not None and p.name in op.inputs:
        kind = "Sequence[TensorLike]" if op.many else "TensorLike"
        return f"{kind} | None" if p.default is None else kind
    if p.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
        return "Any"
    if p.annotation not in (p.empty, Any, "Any"):
        return _shown(p.annotation)
    if p.default == ():
        return "Axes"
    try:
        return HIDDEN.sub(r"builtins.\1", parameter_type(name, p.name, p.default, p.default is p.empty))
    except LookupError:
        return "Any"


def _shown(annotation: Any) -> str:
    """An annotation as a stub has it: what the stub does not import is Any."""
    text = HIDDEN.sub(r"builtins.\1", _text(annotation))
    known = HEAD_OF_TORCH + PAIR
    return re.sub(r"\b[A-Z]\w*", lambda m: m[0] if m[0] == "None" or re.search(rf"\b{m[0]}\b", known) else "Any", text)


def forms(name: str, meaning: Meaning) -> list[tuple[list[str], str]]:
    """(parameters, result) of each form of a name of the table."""
    function: Any = meaning.function
    if name in PAIRS:
        results = ["Tensor", "Extremum", "Tensor"]
        return [
            (form.replace("input", "input: TensorLike", 1).split(", "), result)
            for form, result in zip(PAIRS[name], results, strict=False)
        ]
    op = op_of(function)
    signature = inspect.signature(function)
    result = "Extremum" if name in OF_PAIRS else _shown(result_of(name, function))
    return [(written(name, signature.parameters.values(), op), result)]


def of_meaning(name: str, meaning: Meaning, method: bool) -> Iterator[str]:
    """The lines of a name of the table, as a function or a method."""
    found = forms(name, meaning)
    for parameters, result in found:
        parameters = ["self", *parameters[1:]] if method and parameters[:1] != ["*"] else parameters
        if not method and not parameters[0].startswith("*"):
            parameters = [*parameters, *(["*"] if "*" not in parameters and _open(parameters) else [])]
            parameters += ["out: Any = None"] if _open(parameters) else []
        yield from ["@overload"] * (len(found) > 1)
        yield f"def {name}({', '.join(parameters)}) -> {result}: ..."
        if method and meaning.in_place and len(found) == 1:
            yield f"def {name}_({', '.join(parameters)}) -> Tensor: ..."


def _open(parameters: list[str]) -> bool:
    """Whether `out` can be added as the last parameter."""
    return not any(p.startswith("*") and p != "*" or p.startswith("out:") for p in parameters)


def attached_stub() -> str:
    """gpugrad/torch/attached.pyi: the methods of the Tensor that speaks PyTorch."""
    lines = []
    for word in methods.OPERATORS:
        lines += [f"def __{form}{word}__(self, other: TensorLike) -> Tensor: ..." for form in ("", "r")]
    lines += [f"def __{word}__(self, other: TensorLike) -> Tensor: ..." for word, _ in inplace.OPERATORS.values()]
    for word in methods.COMPARISONS:
        kind = "object" if word in ("eq", "ne") else "TensorLike"
        lines.append(f"def __{word}__(self, other: {kind}) -> Tensor: ...")
    lines += [f"def __{word}__(self) -> Tensor: ..." for word in methods.UNARY]
    lines += ["def __getitem__(self, index: Index) -> Tensor: ...", "def __iter__(self) -> Iterator[Tensor]: ..."]
    lines += ["@property", "def grad(self) -> Tensor | None: ...", "@grad.setter"]
    lines += ["def grad(self, value: Any) -> None: ...", "@property", "def data(self) -> Tensor: ...", "@data.setter"]
    lines += ["def data(self, value: Any) -> None: ..."]
    own = set(vars(torch.Tensor)) - set(TABLE) - {f"{name}_" for name in TABLE}
    for name, value in sorted(vars(NumPyTensor).items()):
        get = getattr(value, "fget", value)
        plain = TABLE.get(name.removesuffix("_"))
        known = name in TABLE or name in own or name in ("grad", "data") or plain is not None and plain.in_place
        if name.startswith("__") or known or not home_of(get).startswith(ATTACHING):
            continue
        lines += ["@property"] * isinstance(value, property)
        lines += definition(name, get, method=True)
    for name, meaning in sorted(TABLE.items()):
        if meaning.is_method:
            lines += of_meaning(name, meaning, method=True)
    body = textwrap.indent("\n".join(lines), "    ")
    head = HEAD_OF_TORCH.replace("import Callable, Sequence", "import Callable, Iterator, Sequence")
    return "\n".join([head, PAIR, "class Attached:", body, ""])


def _others(module: Any, names: Iterable[str]) -> Iterator[str]:
    """The lines of names of a module that are not in the table."""
    for name in names:
        value = getattr(module, name)
        home = getattr(value, "__module__", "") or ""
        if isinstance(value, dtype):
            yield f"{name}: dtype"
        elif isinstance(value, type) and hasattr(sys.modules.get(home), value.__qualname__):
            yield f"from {home} import {value.__qualname__} as {name}"
        elif isinstance(value, (Op,)) or inspect.isfunction(value):
            yield from _function(name, value)
        else:
            yield f"{name}: Any"


def _function(name: str, value: Callable) -> Iterator[str]:
    op = op_of(value)
    try:
        signature = inspect.signature(value)
        parameters = written(name, signature.parameters.values(), op)
        result = _shown(result_of(name, value))
    except (TypeError, ValueError):
        parameters, result = ["*args: Any", "**kwargs: Any"], "Any"
    yield f"def {name}({', '.join(parameters)}) -> {result}: ..."


def package_stub() -> str:
    """gpugrad/torch/__init__.pyi."""
    lines = [f"from . import {name} as {name}" for name in MODULES.split()]
    for name, meaning in sorted(TABLE.items()):
        if meaning.is_function:
            lines += of_meaning(name, meaning, method=False)
    known = {name for name, meaning in TABLE.items() if meaning.is_function}
    known |= {"Tensor", "Size", "dtype", *MODULES.split()}
    sources = [switches, private, serialization]
    names = {name for source in sources for name, value in vars(source).items() if _is_own(source, name, value)}
    names |= {*gpugrad.__all__, *dir(torch), *torch._OTHER_NAMES, *gpugrad.nn.functional.__all__}
    names = {name for name in names - known if not name.startswith("_") and hasattr(torch, name)}
    lines += _others(torch, sorted(names))
    return "\n".join([HEAD_OF_TORCH, PAIR, *lines, "__version__: str", ""])


def _is_own(source: Any, name: str, value: Any) -> bool:
    return not name.startswith("_") and getattr(value, "__module__", None) == source.__name__


def functional_stub() -> str:
    """gpugrad/torch/nn/functional.pyi."""
    functional = torch.nn.functional
    names = {n for n, v in vars(functional).items() if _is_own(functional, n, v)} | set(gpugrad.nn.functional.__all__)
    return "\n".join([HEAD_OF_TORCH, *_others(functional, sorted(names)), ""])


def layers_stub() -> str:
    """gpugrad/torch/nn/__init__.pyi: each layer is gpugrad's and a Module of PyTorch's language."""
    lines = ["import gpugrad.nn as _nn", "from gpugrad.torch.modules import Buffer as Buffer, Module as Module"]
    lines += ["from gpugrad.torch.modules import Parameter as Parameter"]
    lines += [f"from . import {name} as {name}" for name in ("attention", "functional", "init", "parallel", "utils")]
    lines += ["from .parallel import DataParallel as DataParallel"]
    for name in gpugrad.nn.__all__:
        cls = getattr(gpugrad.nn, name)
        if name in ("Module", "Parameter", "Buffer", "DataParallel") or not isinstance(cls, type):
            continue
        if not issubclass(cls, gpugrad.nn.Module):
            lines.append(f"from gpugrad.nn import {name} as {name}")
            continue
        lines.append(f"class {name}(_nn.{name}, Module):  # type: ignore[misc]")
        parameters = list(inspect.signature(cls.forward).parameters.values())[1:]
        result = inspect.signature(cls.forward).return_annotation
        kind = "Any" if result is Parameter.empty else _shown(result)
        shown = ", ".join(["self", *written("forward", parameters, None)])
        lines += [f"    def forward({shown}) -> {kind}: ..."]
    lines += [f"{name}: Any" for name in sorted({*torch.nn._OTHER_NAMES, "SyncBatchNorm", "modules", "parameter"})]
    return "\n".join([HEAD_OF_TORCH, *lines, ""])


def files() -> dict[Path, str]:
    """What each file that this writes should hold."""
    return {
        PACKAGE / "__init__.pyi": package_stub(),
        PACKAGE / "attached.pyi": attached_stub(),
        PACKAGE / "nn" / "__init__.pyi": layers_stub(),
        PACKAGE / "nn" / "functional.pyi": functional_stub(),
    }
