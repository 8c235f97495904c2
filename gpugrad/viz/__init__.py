"""Pictures: the graph of a computation, curves of training, histograms of parameters."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd.graph import reachable
from ..autograd.tensor import Tensor
from ..autograd.versions import describe
from ..backend.dtypes import float32
from ..errors import GradientError, MissingPackageError
from ..optional import need

__all__ = ["Dot", "curves", "graph", "histograms"]


class Dot(str):
    """Holds a graph in the DOT language; a notebook shows it as a picture if graphviz is installed.

    >>> dot = gg.viz.Dot("digraph { a -> b; }")
    >>> dot.save("graph.dot")
    """

    def svg(self) -> str:
        """Return the picture as SVG. Raises MissingPackageError without graphviz's program `dot`."""
        program = shutil.which("dot")
        if program is None:
            raise MissingPackageError("drawing a graph needs the program dot of graphviz: apt install graphviz")
        return subprocess.run([program, "-Tsvg"], input=self, capture_output=True, text=True, check=True).stdout

    def save(self, path: str | os.PathLike) -> None:
        """Write the picture if the name ends in ".svg", else the text."""
        Path(path).write_text(self.svg() if Path(path).suffix == ".svg" else self)

    def _repr_svg_(self) -> str | None:
        return self.svg() if shutil.which("dot") else None


def graph(*outputs: Tensor, params: Any = None) -> Dot:
    """Return a drawing of the recorded ops that lead to the outputs: leaves are boxes with shape and dtype, ops are
    ovals.

    params: a Module, or a mapping of names to Tensors, to name leaves by. An op's tooltip is the line that called it.
    Raises GradientError for an output that no recorded op made.

    >>> x = gg.ones(2, requires_grad=True)
    >>> dot = gg.viz.graph((x * 2).sum(), params={"x": x})
    >>> [name for name in ("multiply", "sum", "x") if f'label="{name}' in dot]
    ['multiply', 'sum', 'x']
    """
    names = dict(params.named_parameters() if hasattr(params, "named_parameters") else params or {})
    of_leaf = {tensor: name for name, tensor in names.items()}
    roots = [output._edge() for output in outputs]
    if None in roots:
        shape = outputs[roots.index(None)].shape
        raise GradientError(f"graph: the tensor of shape {shape} was not made by recorded ops")
    nodes = reachable(dict.fromkeys(roots))
    numbers = {node: f"n{i}" for i, node in enumerate(nodes)}
    lines = ["digraph gpugrad {", '  node [fontname="sans-serif", fontsize=10];']
    for node, number in numbers.items():
        if isinstance(node, Tensor):
            label = "\n".join([*([of_leaf[node]] if node in of_leaf else []), f"{tuple(node.shape)} {node.dtype.name}"])
            style = 'shape=box, style=filled, fillcolor="#cfe3f7"'
        else:
            label, style = node.name, f"tooltip={_quoted(describe(node.site))}"
        lines.append(f"  {number} [label={_quoted(label)}, {style}];")
    for node, number in numbers.items():
        lines += [f"  {numbers[edge]} -> {number};" for edge in node.edges if edge is not None]
    for i, (output, root) in enumerate(zip(outputs, roots, strict=True)):
        label = _quoted(f"{tuple(output.shape)} {output.dtype.name}")
        lines.append(f'  out{i} [label={label}, shape=box, style=filled, fillcolor="#f7e0cf"];')
        lines.append(f"  {numbers[root]} -> out{i};")
    return Dot("\n".join([*lines, "}"]) + "\n")


def _quoted(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


def curves(
    values: Mapping[str, Sequence[float]] | Sequence[float],
    path: str | os.PathLike | None = None,
    *,
    per_epoch: float | None = None,
    log: bool = True,
) -> Any:
    """Return a picture of curves by name, such as the losses of the steps: matplotlib's Figure, also written to `path`.

    per_epoch: steps of an epoch, in which the longest curve is then measured; shorter ones (a value for each epoch) are
    spread over the same length. log: a logarithmic scale, if all values are positive.

    >>> figure = gg.viz.curves({"training loss": [1.0, 0.5, 0.3]})
    >>> figure.axes[0].get_xlabel()
    'step'
    """
    named = values if isinstance(values, Mapping) else {"loss": values}
    figure, axes = _figure((7, 4))
    longest = max((len(v) for v in named.values()), default=0)
    for name, given in named.items():
        place = np.arange(1, len(given) + 1) * (longest / max(1, len(given))) / (per_epoch or 1)
        axes.plot(place, given, linewidth=1, label=name, marker="." if len(given) < 30 else None)
    positive = all(v > 0 for given in named.values() for v in given if v == v)
    axes.set(xlabel="epoch" if per_epoch else "step", yscale="log" if log and positive else "linear")
    if len(named) == 1:
        axes.set_ylabel(next(iter(named)))
    elif named:
        axes.legend()
    axes.grid(alpha=0.3)
    return _saved(figure, path)


def histograms(
    model: Any, path: str | os.PathLike | None = None, *, gradients: bool = False, bins: int = 50, columns: int = 4
) -> Any:
    """Return a picture of the distribution of each parameter's values, or of their gradients: matplotlib's Figure.

    model: a Module, or a mapping of names to Tensors. path: a file that the picture is written to. Values that are not
    finite are counted in the title.

    >>> figure = gg.viz.histograms({"weight": gg.ones(2, 3)})
    >>> figure.axes[0].get_title()
    'weight (2, 3)'
    """
    named = dict(model.named_parameters() if hasattr(model, "named_parameters") else model)
    if gradients:
        named = {name: tensor.grad for name, tensor in named.items() if tensor.grad is not None}
    rows = -(-len(named) // columns) or 1
    figure, axes = _figure((3 * columns, 2 * rows), rows, columns)
    for place, (name, tensor) in zip(axes.flat, named.items(), strict=False):
        values = tensor.detach().cpu().numpy().astype(float32).reshape(-1)
        finite = values[np.isfinite(values)]
        place.hist(finite, bins=bins)
        lost = f", {len(values) - len(finite)} not finite" if len(finite) < len(values) else ""
        place.set_title(f"{name} {tuple(tensor.shape)}{lost}", fontsize=8)
        place.tick_params(labelsize=7)
    for place in list(axes.flat)[len(named) :]:
        place.set_axis_off()
    return _saved(figure, path)


def _figure(size: tuple, rows: int = 0, columns: int = 0) -> tuple[Any, Any]:
    figure = need("matplotlib.figure", "drawing", "demo").Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False) if rows else figure.subplots()


def _saved(figure: Any, path: str | os.PathLike | None) -> Any:
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure
