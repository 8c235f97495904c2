"""Pages of all public names besides ops: those of `gpugrad` by subject, those of the subpackages by the file that they
are in. The entries themselves are autodoc's."""

import importlib
import inspect
import re
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import gpugrad as gg
from gpugrad.autograd.op import OPS, Op

from .docstrings import rst, summary
from .folder import Folder, heading, link, table
from .ops import own_ops

PACKAGES = {
    "nn": "gpugrad.nn", "nn_functional": "gpugrad.nn.functional", "nn_init": "gpugrad.nn.init",
    "nn_utils": "gpugrad.nn.utils", "nn_detection": "gpugrad.nn.detection", "optim": "gpugrad.optim",
    "lr_scheduler": "gpugrad.optim.lr_scheduler", "swa_utils": "gpugrad.optim.swa_utils", "data": "gpugrad.data",
    "transforms": "gpugrad.data.transforms", "amp": "gpugrad.amp", "autograd": "gpugrad.autograd",
    "cuda": "gpugrad.cuda", "io": "gpugrad.io", "linalg": "gpugrad.linalg", "fft": "gpugrad.fft",
    "special": "gpugrad.special", "random": "gpugrad.random", "distributions": "gpugrad.distributions",
    "distributed": "gpugrad.distributed", "distributed_functional": "gpugrad.distributed.functional",
    "models": "gpugrad.models", "train": "gpugrad.train", "recipes": "gpugrad.recipes", "rl": "gpugrad.rl",
    "viz": "gpugrad.viz", "export": "gpugrad.export", "errors": "gpugrad.errors",
}  # fmt: skip
MOST = 24  # entries on one page


def write(folder: Folder) -> None:
    """Write the pages and the two indices."""
    subjects, shown = dict(_subjects()), {}
    for slug, (title, names) in subjects.items():
        folder.write(f"functions/{slug}.rst", subject_page(title, names, shown))
    rows = [[f":doc:`{title.replace('`', '')} <{slug}>`", _list(names)] for slug, (title, names) in subjects.items()]
    hidden = [op for name, op in own_ops().items() if getattr(gg, name, None) is not op]
    folder.write("functions/building_blocks.rst", _building_blocks(hidden))
    text = (
        "The functions and types of ``gpugrad`` itself, by subject. Each op has a page of its own, with its gradient.\n"
    )
    tree = _toctree([*subjects, "building_blocks"])
    folder.write(
        "functions/index.rst", "\n".join([heading("gpugrad"), text, table(["subject", "names"], rows, "40 60"), tree])
    )
    for slug, name in PACKAGES.items():
        _package(folder, slug, importlib.import_module(name), shown)


def _subjects() -> Iterable[tuple[str, tuple[str, list[str]]]]:
    """Yield (slug, (title, names)) of the subjects in gpugrad's docstring."""
    listed = (gg.__doc__ or "").partition("By subject:\n\n")[2]
    for title, names in re.findall(r"^(\S.*)\n((?: {4}.*\n?)+)", listed, re.MULTILINE):
        if title not in ("Constants", "Subpackages"):
            yield re.sub(r"\W+", "_", title.lower())[:40].strip("_"), (title, re.findall(r"\w+", names))


def _list(names: list[str]) -> str:
    return ", ".join(f":py:obj:`{name} <gpugrad.{name}>`" for name in names)


def subject_page(title: str, names: list[str], shown: dict[int, str]) -> str:
    """Return the page of a subject: a table of its names, and the entries of those that are no ops."""
    ops = sorted({op.name for name in names if isinstance(op := getattr(gg, name), Op) and OPS.get(op.name) is op})
    others = [name for name in names if not isinstance(getattr(gg, name), Op)]
    rows = [[_name(name), summary(getattr(gg, name).__doc__ or "")] for name in names]
    parts = [
        heading(title),
        table(["name", "what it is"], rows, "25 75"),
        *(entry("gpugrad", name, getattr(gg, name), shown) for name in others),
    ]
    return "\n".join([*parts, _toctree([f"/generated/ops/{name}" for name in ops]) if ops else ""])


def _name(name: str) -> str:
    value = getattr(gg, name)
    own = isinstance(value, Op) and value.name == name
    return f":doc:`{name} </generated/ops/{name}>`" if own else f":py:obj:`{name} <gpugrad.{_target(name, value)}>`"


def _target(name: str, value: Any) -> str:
    return value.name if isinstance(value, Op) else name


def entry(module: str, name: str, value: Any, shown: dict[int, str]) -> str:
    """Return autodoc's directive for a public name; for what has an entry already, a link to the first."""
    full = f"{module}.{name}"
    if isinstance(value, Op):
        return f"{_pointer(name, value)}\n"
    first = shown.setdefault(id(value), full) if inspect.isclass(value) or inspect.isroutine(value) else full
    if first != full:
        return f"``{name}`` is :py:obj:`{first} <{first}>`.\n"
    if inspect.isclass(value) and issubclass(value, BaseException):
        return f".. autoexception:: {full}\n   :show-inheritance:\n"
    if inspect.isclass(value):
        bases = [base for base in value.__bases__ if base is not object and not base.__name__.startswith("_")]
        return (
            f".. autoclass:: {full}\n   :members:\n   :exclude-members: function\n"
            + "   :show-inheritance:\n" * bool(bases)
        )
    if inspect.isroutine(value):
        return f".. autofunction:: {full}\n"
    if isinstance(value, ModuleType):
        return ""
    about = "" if isinstance(value, (int, float, tuple)) else summary(type(value).__doc__ or "")
    return f".. py:data:: {full}\n\n   {about}\n"


def _pointer(name: str, op: Op) -> str:
    return f"``{name}`` is the op :doc:`{op.name} </generated/ops/{op.name}>`: {summary(op.__doc__ or '')}"


def _building_blocks(ops: list[Op]) -> str:
    text = (
        "Ops without a public name: public functions and gradient rules call them. They are checked like all others.\n"
    )
    rows = [[f":doc:`{op.name} </generated/ops/{op.name}>`", summary(op.__doc__ or "")] for op in ops]
    tree = _toctree([f"/generated/ops/{op.name}" for op in ops])
    return "\n".join([heading("Building blocks"), text, table(["op", "what it is"], rows, "30 70"), tree])


def _package(folder: Folder, slug: str, module: ModuleType, shown: dict[int, str]) -> None:
    """Write the page of a subpackage, and one for each of its files where there are many names."""
    names = public_names(module)
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_file_of(module, getattr(module, name)), []).append(name)
    title, about = heading(module.__name__), rst(module.__doc__ or "")
    where = f"Source: {link(str(module.__file__))}\n"
    rows = [
        [f":py:obj:`{name} <{module.__name__}.{name}>`", summary(getattr(module, name).__doc__ or "")] for name in names
    ]
    listed = table(["name", "what it is"], rows, "30 70")
    if len(names) <= MOST or len(groups) < 3:
        entries = [entry(module.__name__, name, getattr(module, name), shown) for name in names]
        folder.write(f"api/{slug}/index.rst", "\n".join([title, about, where, listed, *entries]))
        return
    for group, members in sorted(groups.items()):
        folder.write(f"api/{slug}/{group}.rst", _group_page(module, group, members, shown))
    folder.write(
        f"api/{slug}/index.rst",
        "\n".join([title, about, where, listed, _toctree([f"{_title(group)} <{group}>" for group in sorted(groups)])]),
    )


def _group_page(module: ModuleType, group: str, members: list[str], shown: dict[int, str]) -> str:
    about = importlib.import_module(f"{module.__name__}.{group}").__doc__ if group != "others" else ""
    values = [getattr(module, name) for name in members]
    entries = [entry(module.__name__, name, value, shown) for name, value in zip(members, values, strict=True)]
    title = _title(group)
    return "\n".join([heading(f"{title} ({module.__name__})"), rst(about or ""), *entries])


def _title(group: str) -> str:
    return group.replace("_", " ").capitalize()


def public_names(module: ModuleType) -> list[str]:
    """Return the public names of a subpackage, without those of its own subpackages."""
    named = getattr(module, "__all__", None)
    if named is None:
        named = [n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__]
    found = [name for name in named if not name.startswith("_") and not isinstance(getattr(module, name), ModuleType)]
    return sorted(found, key=lambda name: (name.lower(), name))


def _file_of(module: ModuleType, value: Any) -> str:
    """Return the name of the file of a package that defines a value, "others" for what comes from elsewhere."""
    where = getattr(value, "__module__", "") or ""
    inside = where.startswith(f"{module.__name__}.")
    return where.removeprefix(f"{module.__name__}.").split(".")[0] if inside else "others"


def _toctree(names: list[str]) -> str:
    return "\n".join([".. toctree::", "   :hidden:", "   :maxdepth: 1", "", *(f"   {name}" for name in names)]) + "\n"
