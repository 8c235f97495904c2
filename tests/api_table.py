"""`python -m tests.api_table`: gpugrad's names against PyTorch's, as the table in gpugrad/nn/API.md.

For each of PyTorch's namespaces: which public names are there with the same arguments, which take other ones, which are
absent. What differs on purpose is explained in REASONS; everything else is read off both libraries.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

TABLE = Path(__file__).parent.parent / "gpugrad" / "nn" / "API.md"


def is_layer(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, torch.nn.Module)


def is_function(value: Any) -> bool:
    return callable(value) and not inspect.isclass(value)


# PyTorch's namespace, ours, and which of its names count.
NAMESPACES: list[tuple[str, str, Callable[[Any], bool]]] = [
    ("torch.nn", "gpugrad.nn", is_layer),
    ("torch.nn.functional", "gpugrad.nn.functional", is_function),
    ("torch.nn.init", "gpugrad.nn.init", is_function),
    ("torch.nn.utils", "gpugrad.nn.utils", is_function),
    ("torch.nn.utils.rnn", "gpugrad.nn.utils.rnn", callable),
    ("torch.optim", "gpugrad.optim", inspect.isclass),
    ("torch.optim.lr_scheduler", "gpugrad.optim.lr_scheduler", inspect.isclass),
    ("torch.optim.swa_utils", "gpugrad.optim.swa_utils", callable),
    ("torch.utils.data", "gpugrad.data", inspect.isclass),
    ("torch.autograd", "gpugrad.autograd", is_function),
    ("torch.amp", "gpugrad.amp", inspect.isclass),
]
# Names that are no part of what users call: helpers that PyTorch leaves public, and its deprecated or internal ones.
IGNORED = {
    "torch.nn": {"Container", "NLLLoss2d", "UninitializedBuffer", "UninitializedParameter"},
    "torch.nn.functional": {
        "assert_int_or_pair", "boolean_dispatch", "handle_torch_function", "has_torch_function",
        "has_torch_function_unary", "has_torch_function_variadic", "grad",
    },
    "torch.nn.init": {"constant", "dirac", "eye", "kaiming_normal", "kaiming_uniform", "normal", "orthogonal",
                      "sparse", "uniform", "xavier_normal", "xavier_uniform"},
    "torch.nn.utils.rnn": {"PackedSequence_", "bind", "namedtuple", "NamedTuple", "overload", "TypeVar"},
    "torch.optim": {"Optimizer_"}, "torch.optim.lr_scheduler": {"Any", "Counter", "Optimizer", "Tensor", "partial"},
    "torch.utils.data": {
        "DFIterDataPipe", "DataChunk", "IterDataPipe", "MapDataPipe", "functional_datapipe", "non_deterministic",
        "guaranteed_datapipes_determinism", "runtime_validation_disabled",
    },
    "torch.nn.utils": {"clip_grad_norm"}, "torch.autograd": {"variable"},
}  # fmt: skip
REASONS = {
    "DataLoader": "`device=` moves batches ahead of their use",
    "Hardtanh": "the deprecated names of min_val and max_val", "PackedSequence": "it has no default",
    "normalize": "functions give new tensors",
    "sparse": "gradients are dense",
}  # fmt: skip
NEVER = {
    "DataParallel": "one process, one device", "SyncBatchNorm": "one process, one device",
    "DistributedSampler": "one process", "scaled_mm": "8-bit floats", "scaled_grouped_mm": "8-bit floats",
    "SparseAdam": "gradients are dense", "convert_conv2d_weight_memory_format": "kernels choose their layouts",
    "convert_conv3d_weight_memory_format": "kernels choose their layouts",
}  # fmt: skip


def names(module: Any, counts: Callable[[Any], bool], ignored: set[str]) -> list[str]:
    """The public names of one of PyTorch's namespaces."""
    listed = getattr(module, "__all__", None) or dir(module)
    found = [n for n in listed if not n.startswith("_") and n not in ignored and counts(getattr(module, n, None))]
    home = module.__name__.split(".")[0]
    return sorted(n for n in set(found) if (getattr(getattr(module, n), "__module__", "") or home).startswith("torch"))


def arguments(value: Any) -> list[tuple[str, Any]] | None:
    """The parameters with their defaults, or None where they cannot be told."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return None
    return [(p.name, _plain(p.default)) for p in parameters if p.name not in ("self", "device", "dtype")]


def _plain(default: Any) -> Any:
    return default if isinstance(default, (int, float, str, bool, tuple, type(None))) else repr(type(default))


def missing_arguments(theirs: Any, ours: Any) -> list[str]:
    """The parameters of theirs that ours lacks or gives another default."""
    wanted, have = arguments(theirs), arguments(ours)
    if wanted is None or have is None:
        return []
    known = dict(have)
    old = {"size_average", "reduce"}  # deprecated for years
    return [name for name, default in wanted if name not in old and (name not in known or known[name] != default)]


def sections() -> Iterator[str]:
    """The table, one section for each namespace."""
    for theirs_name, ours_name, counts in NAMESPACES:
        theirs, ours = importlib.import_module(theirs_name), _module(ours_name)
        same, other, absent = [], [], []
        for name in names(theirs, counts, IGNORED.get(theirs_name, set())):
            mine = getattr(ours, name, None)
            if mine is None:
                absent.append(f"`{name}`" + (f" ({NEVER[name]})" if name in NEVER else ""))
            elif missing := missing_arguments(getattr(theirs, name), mine):
                reason = f": {REASONS[name]}" if name in REASONS else ""
                other.append(f"`{name}` ({', '.join(missing)}{reason})")
            else:
                same.append(f"`{name}`")
        total = len(same) + len(other) + len(absent)
        yield f"## `{theirs_name}` -> `{ours_name}`: {len(same) + len(other)} of {total}\n"
        for title, found in (("Present", same), ("Present, but for the arguments named", other), ("Absent", absent)):
            if found:
                yield f"**{title}** ({len(found)}): {', '.join(found)}\n"


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def table() -> str:
    """The whole document."""
    head = (
        "# gpugrad and PyTorch: names\n\n"
        f"Compared with PyTorch {torch.__version__.split('+')[0]} by `python -m tests.api_table`. An argument is named "
        "where it is missing or has another default; `device` and `dtype` of layers are left out.\n"
    )
    return "\n".join([head, *sections()])


if __name__ == "__main__":
    TABLE.write_text(table())
    print(f"wrote {TABLE}")
